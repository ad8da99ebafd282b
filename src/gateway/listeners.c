/*
 * listeners: see listeners.h.
 *
 *   one socket
 *   what is bound already    by a service manager, or the gateway before this one
 *   sockets for every worker
 */
#include "listeners.h"

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <unistd.h>

#include "adit/log.h"

enum { BACKLOG = 4096 };

/* ---- one socket ------------------------------------------------------------------------------ */

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

/* The sockets of one address that were bound before, in `fds` of `struct plan`. */
struct group {
  size_t first, n;
  size_t slot; /* the first that it has of each worker */
};

/* What is bound already, by the addresses of a configuration. */
struct plan {
  struct group *groups;
  int *fds; /* group by group; -1: taken over by a worker */
  size_t fd_count;
};

static struct listening *item(const struct listeners *listeners, unsigned worker, size_t slot) {
  return &listeners->items[worker * listeners->per_worker + slot];
}

/* ---- what is bound already ------------------------------------------------------------------- */

/* All that there is for one address; of a service manager there is one for each. */
static void gather_group(struct plan *plan, size_t i, const struct config_listen *listen_at,
                         struct inherited *inherited) {
  struct group *group = &plan->groups[i];
  uint16_t port = listen_at->port;
  int fd;
  group->first = plan->fd_count;
  while ((fd = inherited_take(inherited, &listen_at->ip, port, false)) >= 0) {
    plan->fds[plan->fd_count++] = fd;
    group->n++;
    if (port == 0) port = listener_port(fd);
    if (!inherited->from_gateway) return;
  }
}

static bool plan_init(struct plan *plan, const struct config *config, struct inherited *inherited) {
  *plan = (struct plan){.groups = calloc(config->listen_count, sizeof(*plan->groups)),
                        .fds = calloc(inherited->count + 1, sizeof(*plan->fds))};
  if (!plan->groups || !plan->fds) return false;
  /* What is wanted by name comes before what takes any port. */
  for (size_t i = 0; i < config->listen_count; i++)
    if (config->listens[i].port != 0) gather_group(plan, i, &config->listens[i], inherited);
  for (size_t i = 0; i < config->listen_count; i++)
    if (config->listens[i].port == 0) gather_group(plan, i, &config->listens[i], inherited);
  return true;
}

static void plan_deinit(struct plan *plan) {
  for (size_t i = 0; i < plan->fd_count; i++)
    if (plan->fds[i] >= 0) (void)close(plan->fds[i]);
  free(plan->groups);
  free(plan->fds);
}

/* Gives every address its slots; returns how many a worker has. A worker has to serve several
 * sockets of an address where there are more than workers. */
static size_t plan_slots(struct plan *plan, const struct config *config, unsigned workers) {
  size_t slots = 0;
  for (size_t i = 0; i < config->listen_count; i++) {
    plan->groups[i].slot = slots;
    slots += plan->groups[i].n > workers ? (plan->groups[i].n + workers - 1) / workers : 1;
  }
  return slots;
}

/* ---- sockets for every worker ---------------------------------------------------------------- */

/* With SO_REUSEPORT a second gateway could take a share of the first one's connections without a
 * word: so the port is tried alone first. */
static bool listen_for_all(struct listeners *listeners, const struct config_listen *listen_at,
                           size_t slot) {
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
    item(listeners, w, slot)->fd = fd;
    if (port == 0) port = listener_port(fd);
  }
  return true;
}

/* The number of sockets stays: what waits in the queue of one that was closed would be lost, and
 * one that came would get a share that it could not be relieved of. Each goes to one worker, or,
 * where there are fewer than workers, to several. */
static bool share_out(struct listeners *listeners, const struct config_listen *listen_at,
                      const struct group *group, int *fds) {
  const unsigned workers = listeners->worker_count;
  for (size_t i = 0; i < group->n; i++) {
    *item(listeners, (unsigned)(i % workers), group->slot + i / workers) =
        (struct listening){.fd = fds[i], .shared = i + group->n < workers};
    fds[i] = -1;
  }
  for (unsigned w = (unsigned)group->n; w < workers; w++) {
    const struct listening *other = item(listeners, (unsigned)(w % group->n), group->slot);
    int own = fcntl(other->fd, F_DUPFD_CLOEXEC, 0);
    if (own < 0) {
      log_listen_error(listen_at, errno);
      return false;
    }
    *item(listeners, w, group->slot) = (struct listening){.fd = own, .shared = true, .copy = true};
  }
  return true;
}

static bool open_all(struct listeners *listeners, const struct config *config, struct plan *plan) {
  for (size_t i = 0; i < config->listen_count; i++) {
    const struct config_listen *listen_at = &config->listens[i];
    const struct group *group = &plan->groups[i];
    if (group->n > 0 ? !share_out(listeners, listen_at, group, plan->fds + group->first)
                     : !listen_for_all(listeners, listen_at, group->slot))
      return false;
    listeners->ports[i] = listener_port(item(listeners, 0, group->slot)->fd);
  }
  return true;
}

/* Room for all of them. False: memory. */
static bool listeners_init(struct listeners *listeners, const struct config *config,
                           struct plan *plan, unsigned workers) {
  const size_t slots = plan_slots(plan, config, workers);
  *listeners = (struct listeners){.items = calloc(workers * slots, sizeof(struct listening)),
                                  .ports = calloc(config->listen_count, sizeof(uint16_t)),
                                  .per_worker = slots,
                                  .worker_count = workers};
  for (size_t i = 0; listeners->items && i < workers * slots; i++) listeners->items[i].fd = -1;
  return listeners->items && listeners->ports;
}

bool listeners_open(struct listeners *listeners, const struct config *config, unsigned workers,
                    struct inherited *inherited) {
  struct plan plan;
  bool ok =
      plan_init(&plan, config, inherited) && listeners_init(listeners, config, &plan, workers);
  if (!ok) log_write(LOG_ERROR, "cannot listen: out of memory");
  ok = ok && open_all(listeners, config, &plan);
  plan_deinit(&plan);
  if (!ok) listeners_close(listeners);
  return ok;
}

void listeners_close(struct listeners *listeners) {
  size_t n = listeners->worker_count * listeners->per_worker;
  for (size_t i = 0; listeners->items && i < n; i++)
    if (listeners->items[i].fd >= 0) (void)close(listeners->items[i].fd);
  free(listeners->items);
  free(listeners->ports);
  *listeners = (struct listeners){0};
}
