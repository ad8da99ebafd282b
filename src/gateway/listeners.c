#include "listeners.h"

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <unistd.h>

#include "adit/log.h"
#include "inherited.h"

enum { BACKLOG = 4096 };

socklen_t socket_address(const struct ip_address *ip, uint16_t port, struct sockaddr_storage *ret) {
  memset(ret, 0, sizeof(*ret));
  if (ip_is_v4(ip)) {
    struct sockaddr_in *in = (struct sockaddr_in *)(void *)ret;
    in->sin_family = AF_INET;
    in->sin_port = htons(port);
    memcpy(&in->sin_addr, ip->bytes + 12, 4);
    return sizeof(*in);
  }
  struct sockaddr_in6 *in6 = (struct sockaddr_in6 *)(void *)ret;
  in6->sin6_family = AF_INET6;
  in6->sin6_port = htons(port);
  memcpy(&in6->sin6_addr, ip->bytes, 16);
  return sizeof(*in6);
}

/* A listening socket, or -errno. Without `shared` it finds out whether the port is anybody else's.
 */
static int listener_open(const struct ip_address *ip, uint16_t port, bool shared) {
  struct sockaddr_storage address;
  socklen_t length = socket_address(ip, port, &address);
  int fd = socket(address.ss_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
  if (fd < 0) return -errno;
  int on = 1;
  (void)setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on));
  if (shared) (void)setsockopt(fd, SOL_SOCKET, SO_REUSEPORT, &on, sizeof(on));
  if (address.ss_family == AF_INET6)
    (void)setsockopt(fd, IPPROTO_IPV6, IPV6_V6ONLY, &on, sizeof(on));
  if (bind(fd, (struct sockaddr *)(void *)&address, length) == 0 && listen(fd, BACKLOG) == 0)
    return fd;
  int error = errno;
  (void)close(fd);
  return -error;
}

uint16_t listener_port(int fd) {
  struct sockaddr_storage address;
  socklen_t length = sizeof(address);
  if (getsockname(fd, (struct sockaddr *)(void *)&address, &length) != 0) return 0;
  if (address.ss_family == AF_INET)
    return ntohs(((const struct sockaddr_in *)(const void *)&address)->sin_port);
  return ntohs(((const struct sockaddr_in6 *)(const void *)&address)->sin6_port);
}

static void log_listen_error(const struct config_listen *listen_at, int error) {
  const char *hint = "";
  if (error == EADDRINUSE) hint = "; stop the process that has it, or listen on another port";
  if (error == EACCES) hint = "; ports below 1024 need CAP_NET_BIND_SERVICE or socket activation";
  if (error == EADDRNOTAVAIL) hint = "; this machine has no such address";
  log_write(LOG_ERROR, "cannot listen on %.*s: %s%s", STR_ARG(listen_at->text), strerror(error),
            hint);
}

int listener_open_alone(const struct config_listen *listen_at) {
  int fd = listener_open(&listen_at->ip, listen_at->port, false);
  if (fd >= 0) return fd;
  log_listen_error(listen_at, -fd);
  return -1;
}

static struct listening *item(const struct listeners *listeners, unsigned worker, size_t address) {
  return &listeners->items[worker * listeners->address_count + address];
}

/* With SO_REUSEPORT a second gateway could take a share of the first one's connections without a
 * word: so the port is tried alone first. */
static bool listen_for_all(struct listeners *listeners, const struct config_listen *listen_at,
                           size_t address) {
  uint16_t port = listen_at->port;
  if (port != 0) {
    int probe = listener_open(&listen_at->ip, port, false);
    if (probe < 0) {
      log_listen_error(listen_at, -probe);
      return false;
    }
    (void)close(probe);
  }
  for (unsigned w = 0; w < listeners->worker_count; w++) {
    int fd = listener_open(&listen_at->ip, port, true);
    if (fd < 0) {
      log_listen_error(listen_at, -fd);
      return false;
    }
    item(listeners, w, address)->fd = fd;
    if (port == 0) port = listener_port(fd);
  }
  return true;
}

/* Takes `fd` over. */
static bool share_with_all(struct listeners *listeners, const struct config_listen *listen_at,
                           size_t address, int fd) {
  for (unsigned w = 0; w < listeners->worker_count; w++) {
    int own = w == 0 ? fd : fcntl(fd, F_DUPFD_CLOEXEC, 0);
    if (own < 0) {
      log_listen_error(listen_at, errno);
      return false;
    }
    *item(listeners, w, address) = (struct listening){.fd = own, .shared = true};
  }
  return true;
}

static bool open_all(struct listeners *listeners, const struct config *config,
                     struct inherited *inherited) {
  for (size_t i = 0; i < config->listen_count; i++) {
    const struct config_listen *listen_at = &config->listens[i];
    int fd = inherited_take(inherited, &listen_at->ip, listen_at->port);
    if (fd >= 0 ? !share_with_all(listeners, listen_at, i, fd)
                : !listen_for_all(listeners, listen_at, i))
      return false;
  }
  return inherited_all_taken(inherited);
}

bool listeners_open(struct listeners *listeners, const struct config *config, unsigned workers) {
  size_t n = workers * config->listen_count;
  *listeners = (struct listeners){.items = calloc(n, sizeof(struct listening)),
                                  .address_count = config->listen_count,
                                  .worker_count = workers};
  struct inherited inherited;
  if (!listeners->items) {
    log_write(LOG_ERROR, "cannot listen: out of memory");
    return false;
  }
  for (size_t i = 0; i < n; i++) listeners->items[i].fd = -1;
  bool ok = inherited_init(&inherited) && open_all(listeners, config, &inherited);
  inherited_deinit(&inherited);
  if (!ok) listeners_close(listeners);
  return ok;
}

void listeners_close(struct listeners *listeners) {
  size_t n = listeners->worker_count * listeners->address_count;
  for (size_t i = 0; listeners->items && i < n; i++)
    if (listeners->items[i].fd >= 0) (void)close(listeners->items[i].fd);
  free(listeners->items);
  *listeners = (struct listeners){0};
}
