/*
 * accept: who comes in, and who does not.
 *
 *   listeners   watching them, and not
 *   room        how many there may be; idle ones give way
 *   strangers   one connection from the queue
 */
#include "accept.h"

#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <stdlib.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

#include "adit/log.h"
#include "client.h"
#include "peers.h"

enum {
  ACCEPTS_A_TURN = 64,
  ACCEPTS_AT_STOP = 4096, /* as many as a queue holds: where another process takes from it too, it
                             may never be empty */
  ACCEPT_AGAIN_MS = 100,
  SHED_LOOK_MAX = 64,  /* clients that are looked at for one that gives way */
  SHED_IDLE_MS = 1000, /* one that is idle for less may be about to speak */
  WASTE_BYTES = 4096,  /* of what a client sent before it was turned away */
};

/* ---- listeners ------------------------------------------------------------------------------- */

static void listener_watch(struct worker *worker, struct listener *listener, int operation) {
  /* Level-triggered: what one turn does not accept, the next is told of again. Exclusive: of those
   * who share a queue a connection wakes one. */
  struct epoll_event event = {.events = EPOLLIN | EPOLLEXCLUSIVE, .data.ptr = &listener->watch};
  if (epoll_ctl(worker->epoll, operation, listener->fd, &event) != 0)
    log_write(LOG_ERROR, "worker %u cannot watch its listener: %s", worker->number,
              strerror(errno));
}

/* Out of descriptors, memory or places: leaves connections in the kernel's queue for a while, where
 * they cost nothing, instead of spinning on accept(). */
static void accept_pause(struct worker *worker, const char *why) {
  if (!worker->accepting) return;
  worker->accepting = false;
  COUNT(&worker->counters, accept_pauses);
  worker_log_peer(worker, "accepting is paused: %s", why);
  for (size_t i = 0; i < worker->listener_count; i++)
    listener_watch(worker, &worker->listeners[i], EPOLL_CTL_DEL);
  timer_set(&worker->timers, &worker->accept_again, worker->now_ms + ACCEPT_AGAIN_MS);
}

static bool has_room(struct worker *worker, const struct listener *listener);

static void accept_again(struct timer *timer) {
  struct worker *worker =
      (struct worker *)(void *)((char *)timer - offsetof(struct worker, accept_again));
  if (worker->accepting || worker->stop != STOP_NONE) return;
  bool resumes = false;
  for (size_t i = 0; i < worker->listener_count && !resumes; i++)
    resumes = has_room(worker, &worker->listeners[i]);
  if (!resumes) {
    timer_set(&worker->timers, &worker->accept_again, worker->now_ms + ACCEPT_AGAIN_MS);
    return;
  }
  worker->accepting = true;
  for (size_t i = 0; i < worker->listener_count; i++)
    listener_watch(worker, &worker->listeners[i], EPOLL_CTL_ADD);
}

bool accept_init(struct worker *worker, struct listening *listening, size_t n) {
  timer_init(&worker->accept_again, accept_again);
  worker->peers = peers_new(worker->client_max);
  worker->listeners = calloc(n, sizeof(*worker->listeners));
  if (!worker->peers || (n > 0 && !worker->listeners)) return false;
  worker->accepting = true;
  for (size_t i = 0; i < n; i++) {
    if (listening[i].fd < 0) continue;
    struct listener *listener = &worker->listeners[worker->listener_count++];
    *listener = (struct listener){.watch.kind = WATCH_LISTENER,
                                  .worker = worker,
                                  .fd = listening[i].fd,
                                  .shared = listening[i].shared,
                                  .copy = listening[i].copy};
    listening[i].fd = -1;
    listener_watch(worker, listener, EPOLL_CTL_ADD);
  }
  return true;
}

void accept_deinit(struct worker *worker) {
  for (size_t i = 0; i < worker->listener_count; i++)
    if (worker->listeners[i].fd >= 0) (void)close(worker->listeners[i].fd);
  free(worker->listeners);
  peers_free(&worker->peers);
}

/* ---- room ------------------------------------------------------------------------------------ */

static size_t client_limit(const struct worker *worker) {
  size_t configured = policy_config(worker->policy->policy)->limits.connections;
  return configured > 0 && configured < worker->client_max ? configured : worker->client_max;
}

static unsigned address_limit(const struct worker *worker) {
  unsigned configured = policy_config(worker->policy->policy)->limits.connections_per_address;
  return configured > 0 ? configured : (unsigned)((client_limit(worker) + 1) / 2);
}

/* Closes the one that has been idle for longest, of some that are looked at. The search goes on
 * where the last one ended, so that a flood does not cost a walk over all of them for each. */
static bool shed_idle(struct worker *worker) {
  struct client *found = NULL;
  int64_t found_ms = SHED_IDLE_MS - 1;
  for (unsigned i = 0; i < SHED_LOOK_MAX && worker->clients; i++) {
    struct client *client = worker->shed_hand ? worker->shed_hand : worker->clients;
    worker->shed_hand = client->next;
    int64_t idle_ms = client_idle_ms(client);
    if (idle_ms <= found_ms) continue;
    found = client;
    found_ms = idle_ms;
  }
  if (!found) return false;
  COUNT(&worker->counters, idle_shed);
  client_close_now(found);
  return true;
}

static bool is_awaited(const struct listener *listener) {
  struct pollfd queue = {.fd = listener->fd, .events = POLLIN};
  return poll(&queue, 1, 0) > 0;
}

/* Nobody gives way unless somebody waits. */
static bool has_room(struct worker *worker, const struct listener *listener) {
  return worker->client_count < client_limit(worker) || (is_awaited(listener) && shed_idle(worker));
}

/* ---- strangers ------------------------------------------------------------------------------- */

static struct ip_address peer_address(const struct sockaddr_storage *address) {
  struct ip_address ip = {.bytes = {[10] = 0xff, [11] = 0xff}};
  if (address->ss_family == AF_INET) {
    const struct sockaddr_in *in = (const struct sockaddr_in *)(const void *)address;
    memcpy(ip.bytes + 12, &in->sin_addr, 4);
  } else if (address->ss_family == AF_INET6) {
    const struct sockaddr_in6 *in6 = (const struct sockaddr_in6 *)(const void *)address;
    memcpy(ip.bytes, &in6->sin6_addr, 16);
  }
  return ip;
}

/* A trusted proxy brings everybody. */
static bool is_counted(const struct worker *worker, const struct ip_address *peer) {
  return !config_trusts(policy_config(worker->policy->policy), peer);
}

/* One answer as far as it goes without waiting; nothing is kept of whom it is for. */
static void turn_away(struct worker *worker, int fd, const struct ip_address *peer) {
  static const char answer[] =
      "HTTP/1.1 503 Service Unavailable\r\nContent-Type: text/plain\r\nContent-Length: 45\r\n"
      "Cache-Control: no-store\r\nConnection: close\r\n\r\n"
      "adit: too many connections from your address\n";
  char buffer[48];
  struct str text = ip_format(peer, buffer, sizeof(buffer));
  COUNT(&worker->counters, address_refused);
  worker_log_peer(worker, "503 to %.*s: too many connections from this address", STR_ARG(text));
  (void)send(fd, answer, sizeof(answer) - 1, MSG_NOSIGNAL);
  (void)shutdown(fd, SHUT_WR);
  /* What is unread at close() would reset the connection, and the answer might not arrive. */
  char waste[WASTE_BYTES];
  (void)recv(fd, waste, sizeof(waste), 0);
  (void)close(fd);
}

/* Takes the descriptor over. False: accepting was paused. */
static bool let_in(struct worker *worker, int fd, const struct ip_address *peer) {
  int on = 1;
  COUNT(&worker->counters, connections);
  bool counted = is_counted(worker, peer);
  if (counted && !peers_add(worker->peers, peer, address_limit(worker))) {
    turn_away(worker, fd, peer);
    return true;
  }
  (void)setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on));
  if (client_open(worker, fd, peer, counted)) return true;
  if (counted) peers_remove(worker->peers, peer);
  COUNT(&worker->counters, connections_refused);
  accept_pause(worker, "out of memory");
  return false;
}

/* One connection from the queue. False: none, or accepting was paused. */
static bool accept_one(struct worker *worker, const struct listener *listener) {
  if (!has_room(worker, listener)) {
    if (is_awaited(listener)) accept_pause(worker, "as many connections as there may be");
    return false;
  }
  struct sockaddr_storage address;
  socklen_t length = sizeof(address);
  int fd = accept4(listener->fd, (struct sockaddr *)(void *)&address, &length,
                   SOCK_NONBLOCK | SOCK_CLOEXEC);
  if (fd >= 0) {
    struct ip_address peer = peer_address(&address);
    return let_in(worker, fd, &peer);
  }
  if (errno == EMFILE) { /* said without a look at the queue */
    if (!is_awaited(listener)) return false;
    if (shed_idle(worker)) return true;
    errno = EMFILE;
  }
  if (errno == EMFILE || errno == ENFILE || errno == ENOBUFS || errno == ENOMEM) {
    accept_pause(worker, strerror(errno));
    return false;
  }
  /* A connection that broke before it was accepted is no reason to stop (accept(2)). */
  return errno != EAGAIN && errno != EWOULDBLOCK && errno != EBADF && errno != EINVAL;
}

/* The kernel wakes whoever has watched a queue longest: without this, the first worker would get
 * every connection that comes while it is idle, and keep them all. */
static void step_back(struct worker *worker, struct listener *listener) {
  if (!worker->accepting) return;
  listener_watch(worker, listener, EPOLL_CTL_DEL);
  listener_watch(worker, listener, EPOLL_CTL_ADD);
}

void accept_event(struct listener *listener) {
  struct worker *worker = listener->worker;
  if (!worker->accepting) return;
  int taken = 0;
  while (taken < ACCEPTS_A_TURN && accept_one(worker, listener)) taken++;
  if (listener->shared && taken > 0) step_back(worker, listener);
}

void accept_stop(struct worker *worker) {
  for (size_t i = 0; i < worker->listener_count; i++) {
    struct listener *listener = &worker->listeners[i];
    if (listener->fd < 0) continue;
    int taken = 0;
    while (taken < ACCEPTS_AT_STOP && accept_one(worker, listener)) taken++;
    /* A socket that others have too does not leave the epoll by being closed, nor does its queue
     * go: a successor or a service manager has it. */
    if (worker->accepting) listener_watch(worker, listener, EPOLL_CTL_DEL);
    (void)close(listener->fd);
    listener->fd = -1;
  }
  worker->accepting = false;
  worker->listener_count = 0;
  timer_stop(&worker->timers, &worker->accept_again);
}
