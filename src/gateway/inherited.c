#include "inherited.h"

#include <errno.h>
#include <fcntl.h>
#include <netdb.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "adit/log.h"
#include "launcher.h"
#include "listeners.h"

enum { FIRST_FD = 3, SOCKETS_MAX = 1024 };

static bool number_in(const char *variable, uint64_t max, uint64_t *ret) {
  const char *text = getenv(variable);
  return text && str_to_u64(str_from_cstr(text), max, ret);
}

/* How many descriptors are meant for this process. False: a number that is none. */
static bool count_announced(size_t *ret) {
  uint64_t pid, count;
  *ret = 0;
  if (!number_in("LISTEN_PID", INT32_MAX, &pid) || pid != (uint64_t)getpid()) return true;
  if (!number_in("LISTEN_FDS", SOCKETS_MAX, &count)) {
    log_write(LOG_ERROR, "socket activation: LISTEN_FDS is not a number up to %d", SOCKETS_MAX);
    return false;
  }
  *ret = (size_t)count;
  return true;
}

static bool is_listening_tcp(int fd) {
  int type = 0, accepts = 0;
  socklen_t length = sizeof(int);
  return getsockopt(fd, SOL_SOCKET, SO_TYPE, &type, &length) == 0 && type == SOCK_STREAM &&
         getsockopt(fd, SOL_SOCKET, SO_ACCEPTCONN, &accepts, &length) == 0 && accepts;
}

static bool look_at(int fd, bool from_gateway, struct inherited_socket *ret) {
  const char *const who = from_gateway ? "upgrade" : "socket activation";
  *ret = (struct inherited_socket){.fd = fd, .length = sizeof(ret->address)};
  if (!is_listening_tcp(fd) ||
      getsockname(fd, (struct sockaddr *)(void *)&ret->address, &ret->length) != 0 ||
      (ret->address.ss_family != AF_INET && ret->address.ss_family != AF_INET6)) {
    log_write(
        LOG_ERROR, "%s: descriptor %d is not a listening TCP socket%s", who, fd,
        from_gateway ? "" : "; let the socket unit have ListenStream=ADDRESS:PORT and Accept=no");
    return false;
  }
  int flags = fcntl(fd, F_GETFL);
  if (flags >= 0 && fcntl(fd, F_SETFL, flags | O_NONBLOCK) == 0 &&
      fcntl(fd, F_SETFD, FD_CLOEXEC) == 0)
    return true;
  log_write(LOG_ERROR, "%s: descriptor %d: %s", who, fd, strerror(errno));
  return false;
}

bool inherited_init(struct inherited *inherited, const struct handover *handover) {
  size_t announced;
  *inherited = (struct inherited){.from_gateway = handover_is_on_trial(handover)};
  const int first = inherited->from_gateway ? UPGRADE_LINK_FD + 1 : FIRST_FD;
  bool ok = count_announced(&announced);
  if (inherited->from_gateway) announced = handover->socket_count;
  unsetenv("LISTEN_PID");
  unsetenv("LISTEN_FDS");
  unsetenv("LISTEN_FDNAMES");
  if (!ok || announced == 0) return ok;
  inherited->sockets = calloc(announced, sizeof(*inherited->sockets));
  if (!inherited->sockets) {
    log_write(LOG_ERROR, "cannot listen: out of memory");
    return false;
  }
  while (inherited->count < announced) {
    int fd = first + (int)inherited->count;
    /* One that is not what it should be is not ours to close. */
    if (!look_at(fd, inherited->from_gateway, &inherited->sockets[inherited->count])) return false;
    inherited->count++;
  }
  if (handover->has_admin) inherited->sockets[announced - 1].is_admin = true;
  return true;
}

void inherited_deinit(struct inherited *inherited) {
  for (size_t i = 0; i < inherited->count; i++)
    if (inherited->sockets[i].fd >= 0) (void)close(inherited->sockets[i].fd);
  free(inherited->sockets);
  *inherited = (struct inherited){0};
}

/* Flow and scope of IPv6 are not told in `listen`, and say nothing about who may connect. */
static bool is_bound_to(const struct inherited_socket *one, const struct sockaddr_storage *other,
                        bool any_port) {
  if (one->address.ss_family != other->ss_family) return false;
  if (other->ss_family == AF_INET) {
    const struct sockaddr_in *a = (const struct sockaddr_in *)(const void *)&one->address;
    const struct sockaddr_in *b = (const struct sockaddr_in *)(const void *)other;
    return (any_port || a->sin_port == b->sin_port) && a->sin_addr.s_addr == b->sin_addr.s_addr;
  }
  const struct sockaddr_in6 *a = (const struct sockaddr_in6 *)(const void *)&one->address;
  const struct sockaddr_in6 *b = (const struct sockaddr_in6 *)(const void *)other;
  return (any_port || a->sin6_port == b->sin6_port) &&
         IN6_ARE_ADDR_EQUAL(&a->sin6_addr, &b->sin6_addr);
}

int inherited_take(struct inherited *inherited, const struct ip_address *ip, uint16_t port,
                   bool admin) {
  struct sockaddr_storage wanted;
  (void)socket_address(ip, port, &wanted);
  for (size_t i = 0; i < inherited->count; i++) {
    struct inherited_socket *one = &inherited->sockets[i];
    if (one->fd < 0 || !is_bound_to(one, &wanted, port == 0)) continue;
    if (port == 0 && !(inherited->from_gateway && one->is_admin == admin)) continue;
    int fd = one->fd;
    one->fd = -1;
    return fd;
  }
  return -1;
}

static void log_left_over(const struct inherited *inherited, const struct inherited_socket *one) {
  char host[INET6_ADDRSTRLEN + 16], port[8];
  if (getnameinfo((const struct sockaddr *)(const void *)&one->address, one->length, host,
                  sizeof(host), port, sizeof(port), NI_NUMERICHOST | NI_NUMERICSERV) != 0)
    return;
  bool v6 = one->address.ss_family == AF_INET6;
  const char *const open = v6 ? "[" : "", *const close = v6 ? "]" : "";
  if (inherited->from_gateway)
    log_write(LOG_INFO, "upgrade: %s%s%s:%s is not listened on any more", open, host, close, port);
  else
    log_write(LOG_ERROR,
              "socket activation: a socket for %s%s%s:%s was handed over, but no \"listen\" has "
              "that address (or it was handed over twice); make them agree",
              open, host, close, port);
}

bool inherited_all_taken(const struct inherited *inherited) {
  bool all = true;
  for (size_t i = 0; i < inherited->count; i++) {
    if (inherited->sockets[i].fd < 0) continue;
    log_left_over(inherited, &inherited->sockets[i]);
    all = false;
  }
  return all || inherited->from_gateway;
}
