/*
 * own_dns: for LD_PRELOAD. Host names are asked of the server that a test runs, at 127.0.0.1 and
 * the port in ADIT_TEST_DNS_PORT, by the C library as ever: only whom it asks, and how long it
 * waits, is another. The C library keeps that for each thread.
 */
#include <dlfcn.h>
#include <netdb.h>
#include <netinet/in.h>
#include <resolv.h>
#include <stdlib.h>

typedef int getaddrinfo_function(const char *, const char *, const struct addrinfo *,
                                 struct addrinfo **);

enum { WAIT_S = 1, ATTEMPTS = 1 };

static void ask_the_test(const char *port) {
  if (res_init() != 0) return;
  struct sockaddr_in *server = &_res.nsaddr_list[0];
  *server = (struct sockaddr_in){.sin_family = AF_INET,
                                 .sin_port = htons((uint16_t)strtoul(port, NULL, 10)),
                                 .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
  _res.nscount = 1;
  _res.retrans = WAIT_S;
  _res.retry = ATTEMPTS;
  _res.options &= ~(unsigned long)(RES_DNSRCH | RES_DEFNAMES);
}

__attribute__((visibility("default"))) int getaddrinfo(const char *name, const char *service,
                                                       const struct addrinfo *hints,
                                                       struct addrinfo **ret) {
  getaddrinfo_function *real;
  const char *port = getenv("ADIT_TEST_DNS_PORT");
  *(void **)&real = dlsym(RTLD_NEXT, "getaddrinfo");
  if (port) ask_the_test(port);
  return real(name, service, hints, ret);
}
