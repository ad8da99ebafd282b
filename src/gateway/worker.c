/*
 * worker: one thread, one loop.
 *
 *   helpers     dates, random numbers, lines in the log
 *   policy      taking over a new one
 *   listeners   accepting, and not
 *   stopping    drain, then the end
 *   loop        worker_main(): the order of its steps is the one of docs/architecture.md
 */
#include "worker.h"

#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include "adit/crypto.h"
#include "adit/log.h"
#include "adit/units.h"
#include "client.h"
#include "exchange.h"
#include "listeners.h"
#include "origin.h"

enum {
  EVENTS_A_TURN = 256,
  ACCEPTS_A_TURN = 64,
  ACCEPT_AGAIN_MS = 100,
  LOG_LINES_A_SECOND = 10,
  SCRATCH_BASE_BYTES = 64 * 1024
};

/* ---- helpers --------------------------------------------------------------------------------- */

struct str worker_date(struct worker *worker) {
  int64_t second = worker->now_wall_ms / 1000;
  if (second != worker->date_second) {
    time_t at = (time_t)second;
    struct tm utc;
    gmtime_r(&at, &utc);
    strftime(worker->date, sizeof(worker->date), "%a, %d %b %Y %H:%M:%S GMT", &utc);
    worker->date_second = second;
  }
  return str_from_cstr(worker->date);
}

static uint64_t rotate_left(uint64_t x, int k) {
  return (x << k) | (x >> (64 - k));
}

/* xoshiro256** (Blackman, Vigna): for ids that only have to differ. */
uint64_t worker_random(struct worker *worker) {
  uint64_t *s = worker->random_state;
  uint64_t result = rotate_left(s[1] * 5, 7) * 9;
  uint64_t t = s[1] << 17;
  s[2] ^= s[0];
  s[3] ^= s[1];
  s[1] ^= s[2];
  s[0] ^= s[3];
  s[2] ^= t;
  s[3] = rotate_left(s[3], 45);
  return result;
}

void worker_log_peer(struct worker *worker, const char *format, ...) {
  int64_t second = worker->now_ms / 1000;
  if (second != worker->log_second) {
    worker->log_second = second;
    worker->log_lines = 0;
  }
  if (worker->log_lines++ >= LOG_LINES_A_SECOND) return;
  char line[512];
  va_list args;
  va_start(args, format);
  vsnprintf(line, sizeof(line), format, args);
  va_end(args);
  log_write(LOG_INFO, "%s", line);
}

static void note_time(struct worker *worker) {
  worker->now_ms = clock_monotonic_ms();
  worker->now_wall_ms = clock_wall_ms();
}

bool worker_watch(struct worker *worker, int fd, struct watch *watch) {
  /* Edge-triggered and for all that can happen: registered once, never changed. */
  struct epoll_event event = {.events = EPOLLIN | EPOLLOUT | EPOLLRDHUP | EPOLLET,
                              .data.ptr = watch};
  return epoll_ctl(worker->epoll, EPOLL_CTL_ADD, fd, &event) == 0;
}

/* ---- policy ---------------------------------------------------------------------------------- */

static void worker_policy_free(struct worker_policy *policy) {
  for (size_t i = 0; policy->pools && i < policy->pool_count; i++) pool_free(&policy->pools[i]);
  free(policy->pools);
  decider_free(&policy->decider);
  policy_unref(&policy->policy);
  free(policy);
}

void worker_policy_unref(struct worker *worker, struct worker_policy **policy) {
  (void)worker;
  struct worker_policy *gone = *policy;
  *policy = NULL;
  if (gone && --gone->refs == 0) worker_policy_free(gone);
}

/* Room for a path, a host, and a list of all X-Forwarded-For: each at most a head. */
static bool scratch_reserve(struct worker *worker, const struct config *config) {
  size_t need = 3 * (size_t)config->limits.header_bytes + SCRATCH_BASE_BYTES;
  if (need <= worker->scratch_bytes) return true;
  char *scratch = malloc(need);
  if (!scratch) return false;
  free(worker->scratch);
  worker->scratch = scratch;
  worker->scratch_bytes = need;
  return true;
}

/* Takes the reference to `policy` over, also when it fails (NULL: memory). */
static struct worker_policy *worker_policy_new(struct worker *worker, struct policy *policy) {
  const struct config *config = policy_config(policy);
  struct worker_policy *made = calloc(1, sizeof(*made));
  if (!made) {
    policy_unref(&policy);
    return NULL;
  }
  made->policy = policy;
  made->refs = 1;
  made->decider = policy_decider_new(policy);
  made->pools = calloc(config->upstream_count, sizeof(struct pool *));
  bool ok = made->decider && made->pools && scratch_reserve(worker, config);
  for (size_t i = 0; ok && i < config->upstream_count; i++) {
    made->pools[i] = pool_new(worker->resolver, worker->targets, &config->upstreams[i]);
    ok = made->pools[i] != NULL;
    made->pool_count++;
  }
  if (ok) return made;
  worker_policy_free(made);
  return NULL;
}

static void take_policy(struct worker *worker) {
  struct policy *policy = atomic_exchange(&worker->mailbox.policy, NULL);
  if (!policy) return;
  struct worker_policy *made = worker_policy_new(worker, policy);
  if (!made) {
    log_write(LOG_ERROR, "worker %u keeps the configuration it has: out of memory", worker->number);
    return;
  }
  worker_policy_unref(worker, &worker->policy);
  worker->policy = made;
}

/* ---- listeners ------------------------------------------------------------------------------- */

static void listener_watch(struct worker *worker, struct listener *listener, int operation) {
  /* Level-triggered: what one turn does not accept, the next is told of again. Exclusive: of those
   * who share a queue a connection wakes one. */
  struct epoll_event event = {.events = EPOLLIN | EPOLLEXCLUSIVE, .data.ptr = &listener->watch};
  if (epoll_ctl(worker->epoll, operation, listener->fd, &event) != 0)
    log_write(LOG_ERROR, "worker %u cannot watch its listener: %s", worker->number,
              strerror(errno));
}

static void accept_again(struct timer *timer) {
  struct worker *worker =
      (struct worker *)(void *)((char *)timer - offsetof(struct worker, accept_again));
  if (worker->accepting || worker->stop != STOP_NONE) return;
  if (worker->client_count >= worker->client_max) {
    timer_set(&worker->timers, &worker->accept_again, worker->now_ms + ACCEPT_AGAIN_MS);
    return;
  }
  worker->accepting = true;
  for (size_t i = 0; i < worker->listener_count; i++)
    listener_watch(worker, &worker->listeners[i], EPOLL_CTL_ADD);
}

/* Out of descriptors, memory or places: leaves connections in the kernel's queue for a while, where
 * they cost nothing, instead of spinning on accept(). */
static void accept_pause(struct worker *worker, const char *why) {
  if (!worker->accepting) return;
  worker->accepting = false;
  worker_log_peer(worker, "accepting is paused: %s", why);
  for (size_t i = 0; i < worker->listener_count; i++)
    listener_watch(worker, &worker->listeners[i], EPOLL_CTL_DEL);
  timer_set(&worker->timers, &worker->accept_again, worker->now_ms + ACCEPT_AGAIN_MS);
}

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

/* One connection from the queue. False: none, or accepting was paused. */
static bool accept_one(struct worker *worker, const struct listener *listener) {
  if (worker->client_count >= worker->client_max) {
    accept_pause(worker, "as many connections as this process may have");
    return false;
  }
  struct sockaddr_storage address;
  socklen_t length = sizeof(address);
  int fd = accept4(listener->fd, (struct sockaddr *)(void *)&address, &length,
                   SOCK_NONBLOCK | SOCK_CLOEXEC);
  if (fd >= 0) {
    int on = 1;
    (void)setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on));
    struct ip_address peer = peer_address(&address);
    COUNT(&worker->counters, connections);
    if (client_open(worker, fd, &peer)) return true;
    COUNT(&worker->counters, connections_refused);
    accept_pause(worker, "out of memory");
    return false;
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

void worker_accept(struct worker *worker, struct listener *listener) {
  int taken = 0;
  while (taken < ACCEPTS_A_TURN && accept_one(worker, listener)) taken++;
  if (listener->shared && taken > 0) step_back(worker, listener);
}

/* What is queued was accepted by the kernel already: it is served before the listener goes. */
void worker_stop_accepting(struct worker *worker) {
  for (size_t i = 0; i < worker->listener_count; i++) {
    struct listener *listener = &worker->listeners[i];
    if (listener->fd < 0) continue;
    while (accept_one(worker, listener)) continue;
    /* A socket that others have too does not leave the epoll by being closed. */
    if (worker->accepting) listener_watch(worker, listener, EPOLL_CTL_DEL);
    (void)close(listener->fd);
    listener->fd = -1;
  }
  worker->accepting = false;
  worker->listener_count = 0;
  timer_stop(&worker->timers, &worker->accept_again);
}

/* ---- stopping -------------------------------------------------------------------------------- */

static void close_idle_origins(struct worker *worker) {
  while (worker->idle_origins) origin_close_idle(worker->idle_origins);
}

static void stop_now(struct worker *worker) {
  worker->stop = STOP_NOW;
  while (worker->clients) client_close_now(worker->clients);
  close_idle_origins(worker);
}

static void drain_is_over(struct timer *timer) {
  struct worker *worker =
      (struct worker *)(void *)((char *)timer - offsetof(struct worker, stop_timer));
  if (worker->client_count > 0)
    log_write(LOG_WARNING, "worker %u closes %zu connections: the time to drain is over",
              worker->number, worker->client_count);
  stop_now(worker);
}

static void take_stop(struct worker *worker) {
  enum stop_stage wanted = (enum stop_stage)atomic_load(&worker->mailbox.stop);
  if (wanted <= worker->stop) return;
  if (worker->stop == STOP_NONE) {
    worker_stop_accepting(worker);
    worker->stop = STOP_DRAIN;
    close_idle_origins(worker);
    for (struct client *client = worker->clients; client; client = client->next)
      client_drain(client);
    int64_t drain_ms = policy_config(worker->policy->policy)->timeouts.drain_ms;
    timer_set(&worker->timers, &worker->stop_timer, worker->now_ms + drain_ms);
  }
  if (wanted == STOP_NOW) stop_now(worker);
}

/* ---- loop ------------------------------------------------------------------------------------ */

static void read_mailbox(struct worker *worker) {
  uint64_t count;
  while (read(worker->mailbox.fd, &count, sizeof(count)) > 0) continue;
  take_policy(worker);
  take_stop(worker);
}

/* The watch is the first member of what it watches. */
static void dispatch(struct worker *worker, struct watch *watch, uint32_t events) {
  switch (watch->kind) {
    case WATCH_MAILBOX:
      read_mailbox(worker);
      return;
    case WATCH_LISTENER:
      if (worker->accepting) worker_accept(worker, (struct listener *)(void *)watch);
      return;
    case WATCH_CLIENT:
      client_handle_event((struct client *)(void *)watch, events);
      return;
    case WATCH_ORIGIN:
      origin_handle_event((struct origin *)(void *)watch, events);
      return;
  }
}

/* Idle origins first: one that has spoken or ended must not be picked by a request of this turn. */
static void note_idle_origins(const struct epoll_event *events, int n) {
  for (int i = 0; i < n; i++) {
    struct watch *watch = events[i].data.ptr;
    if (watch->kind != WATCH_ORIGIN) continue;
    struct origin *origin = (struct origin *)(void *)watch;
    if (origin->state == ORIGIN_IDLE) origin_handle_event(origin, events[i].events);
  }
}

static void run_clients(struct worker *worker) {
  struct client *list = worker->runnable;
  worker->runnable = NULL;
  while (list) {
    struct client *client = list;
    list = client->next_runnable;
    client->is_runnable = false;
    client_run(client);
  }
}

/* Nothing is freed while events of this turn may still name it. */
static void free_closed(struct worker *worker) {
  struct client *clients = worker->closed_clients;
  worker->closed_clients = NULL;
  while (clients) {
    struct client *client = clients;
    clients = client->next_closed;
    if (client->is_runnable) { /* still in that list: it leaves there first */
      client->next_closed = worker->closed_clients;
      worker->closed_clients = client;
      continue;
    }
    client_free(client);
  }
  while (worker->closed_origins) {
    struct origin *origin = worker->closed_origins;
    worker->closed_origins = origin->next_closed;
    origin_free(origin);
  }
}

static bool is_done(const struct worker *worker) {
  return worker->stop != STOP_NONE && worker->client_count == 0 && !worker->closed_clients;
}

static void *worker_main(void *argument) {
  struct worker *worker = argument;
  struct epoll_event events[EVENTS_A_TURN];
  note_time(worker);
  while (!is_done(worker)) {
    bool more = worker->runnable != NULL || worker->closed_clients != NULL;
    int wait_ms = more ? 0 : timer_wheel_wait(&worker->timers, worker->now_ms);
    int n = epoll_wait(worker->epoll, events, EVENTS_A_TURN, wait_ms);
    note_time(worker);
    note_idle_origins(events, n);
    for (int i = 0; i < n; i++) dispatch(worker, events[i].data.ptr, events[i].events);
    run_clients(worker);
    timer_wheel_advance(&worker->timers, worker->now_ms);
    free_closed(worker);
  }
  return NULL;
}

/* ---- life ------------------------------------------------------------------------------------ */

static bool mailbox_init(struct worker *worker) {
  worker->mailbox.watch.kind = WATCH_MAILBOX;
  worker->mailbox.fd = eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC);
  if (worker->mailbox.fd < 0) return false;
  struct epoll_event event = {.events = EPOLLIN, .data.ptr = &worker->mailbox.watch};
  return epoll_ctl(worker->epoll, EPOLL_CTL_ADD, worker->mailbox.fd, &event) == 0;
}

static bool listeners_init(struct worker *worker, struct listening *listening, size_t n) {
  worker->listeners = calloc(n, sizeof(*worker->listeners));
  if (!worker->listeners) return false;
  worker->listener_count = n;
  worker->accepting = true;
  for (size_t i = 0; i < n; i++) {
    worker->listeners[i] = (struct listener){.watch.kind = WATCH_LISTENER,
                                             .worker = worker,
                                             .fd = listening[i].fd,
                                             .shared = listening[i].shared};
    listening[i].fd = -1;
    listener_watch(worker, &worker->listeners[i], EPOLL_CTL_ADD);
  }
  return true;
}

bool worker_init(struct worker *worker, unsigned number, struct policy *policy,
                 struct resolver *resolver, struct listening *listening, size_t listener_count,
                 size_t client_max) {
  memset(worker, 0, sizeof(*worker));
  worker->number = number;
  worker->resolver = resolver;
  worker->client_max = client_max;
  worker->date_second = -1;
  worker->mailbox.fd = -1;
  note_time(worker);
  timer_wheel_init(&worker->timers, worker->now_ms);
  timer_init(&worker->accept_again, accept_again);
  timer_init(&worker->stop_timer, drain_is_over);
  worker->epoll = epoll_create1(EPOLL_CLOEXEC);
  worker->targets = target_table_new();
  worker->response_out = malloc(sizeof(*worker->response_out));
  worker->request_out = malloc(sizeof(*worker->request_out));
  worker->trailers_out = malloc(sizeof(*worker->trailers_out));
  if (worker->epoll >= 0 && worker->targets && worker->response_out && worker->request_out &&
      worker->trailers_out && crypto_random(worker->random_state, sizeof(worker->random_state)) &&
      mailbox_init(worker) && listeners_init(worker, listening, listener_count)) {
    worker->policy = worker_policy_new(worker, policy_ref(policy));
    if (worker->policy) return true;
  }
  log_write(LOG_ERROR, "worker %u cannot be made: %s", number, strerror(errno));
  return false;
}

static void spare_exchanges_free(struct worker *worker) {
  while (worker->spare_exchanges) {
    struct exchange *exchange = worker->spare_exchanges;
    worker->spare_exchanges = exchange->next_spare;
    free(exchange);
  }
}

void worker_deinit(struct worker *worker) {
  stop_now(worker);
  run_clients(worker);
  free_closed(worker);
  for (size_t i = 0; i < worker->listener_count; i++)
    if (worker->listeners[i].fd >= 0) (void)close(worker->listeners[i].fd);
  free(worker->listeners);
  worker_policy_unref(worker, &worker->policy);
  struct policy *unread = atomic_exchange(&worker->mailbox.policy, NULL);
  policy_unref(&unread);
  target_table_free(&worker->targets);
  spare_exchanges_free(worker);
  block_pool_deinit(&worker->blocks);
  free(worker->scratch);
  free(worker->response_out);
  free(worker->request_out);
  free(worker->trailers_out);
  if (worker->mailbox.fd >= 0) (void)close(worker->mailbox.fd);
  if (worker->epoll >= 0) (void)close(worker->epoll);
}

bool worker_start(struct worker *worker) {
  int error = pthread_create(&worker->thread, NULL, worker_main, worker);
  if (error == 0) return true;
  log_write(LOG_ERROR, "worker %u cannot be started: %s", worker->number, strerror(error));
  return false;
}

static void ring(struct worker *worker) {
  uint64_t one = 1;
  /* It fails only when the counter is at its limit, and then the worker is being woken anyway. */
  ssize_t n = write(worker->mailbox.fd, &one, sizeof(one));
  (void)n;
}

void worker_send_policy(struct worker *worker, struct policy *policy) {
  struct policy *unread = atomic_exchange(&worker->mailbox.policy, policy);
  policy_unref(&unread);
  ring(worker);
}

void worker_send_stop(struct worker *worker, enum stop_stage stage) {
  atomic_store(&worker->mailbox.stop, (int)stage);
  ring(worker);
}
