/*
 * worker: one thread, one loop.
 *
 *   helpers     dates, random numbers, lines in the log
 *   waking      from other threads
 *   policy      taking over a new one
 *   stopping    drain, then the end
 *   loop        worker_main(): the order of its steps is the one of docs/architecture.md
 */
#include "worker.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <time.h>
#include <unistd.h>

#include "accept.h"
#include "access_log.h"
#include "adit/crypto.h"
#include "adit/log.h"
#include "adit/units.h"
#include "client.h"
#include "exchange.h"
#include "lookups.h"
#include "mirror.h"
#include "origin.h"
#include "tokens.h"

enum {
  EVENTS_A_TURN = 256,
  LOG_LINES_A_SECOND = 10,
  SCRATCH_BASE_BYTES = 64 * 1024,
  SERIES_BYTES_MAX = 1 << 30
};

/* ---- helpers --------------------------------------------------------------------------------- */

struct str worker_date(struct worker *worker) {
  int64_t second = worker->now_wall_ms / 1000;
  if (second != worker->date_second) {
    worker->date_n = http_date(second, worker->date).n;
    worker->date_second = second;
  }
  return str_make(worker->date, worker->date_n);
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

/* A turn begins: what the kernel knows was just asked. */
static void begin_turn(struct worker *worker) {
  worker->turn++;
  worker->dispatched = 0;
  worker->now_us = clock_monotonic_us();
  worker->now_ms = worker->now_us / 1000;
  worker->now_wall_ms = clock_wall_ms();
}

bool worker_watch(struct worker *worker, int fd, struct watch *watch) {
  /* Edge-triggered and for all that can happen: registered once, never changed. */
  struct epoll_event event = {.events = EPOLLIN | EPOLLOUT | EPOLLRDHUP | EPOLLET,
                              .data.ptr = watch};
  return epoll_ctl(worker->epoll, EPOLL_CTL_ADD, fd, &event) == 0;
}

/* ---- waking ---------------------------------------------------------------------------------- */

static __thread const struct worker *own_worker; /* whose thread this is */

static void ring(struct worker *worker) {
  uint64_t one = 1;
  /* It fails only when the counter is at its limit, and then the worker is being woken anyway. */
  ssize_t n = write(worker->mailbox.fd, &one, sizeof(one));
  (void)n;
}

/* struct breaker_party.notify: in its own thread the worker looks before it sleeps. */
static void note_places(void *context) {
  struct worker *worker = context;
  if (own_worker != worker) ring(worker);
}

/* ---- policy ---------------------------------------------------------------------------------- */

static void breakers_drop(struct worker_policy *policy) {
  const size_t n = policy_config(policy->policy)->upstream_count;
  for (size_t i = 0; policy->breakers && i < n; i++) breaker_unref(&policy->breakers[i]);
  free(policy->breakers);
}

/* False: memory. */
static bool breakers_take(struct worker *worker, struct worker_policy *policy) {
  const struct config *config = policy_config(policy->policy);
  policy->breakers = calloc(config->upstream_count, sizeof(struct breaker *));
  if (!policy->breakers) return false;
  for (size_t i = 0; i < config->upstream_count; i++) {
    const struct config_upstream *upstream = &config->upstreams[i];
    if (!upstream->breaker.enabled) continue;
    policy->breakers[i] = breaker_ref(worker->shared.breakers, upstream->name, &upstream->breaker);
    if (!policy->breakers[i]) return false;
  }
  return true;
}

static void worker_policy_free(struct worker_policy *policy) {
  for (size_t i = 0; i < policy->lookup_count; i++) lookup_unref(&policy->lookups[i]);
  free(policy->lookups);
  worker_tokens_drop(policy);
  for (size_t i = 0; policy->pools && i < policy->pool_count; i++) pool_free(&policy->pools[i]);
  free(policy->pools);
  breakers_drop(policy);
  decider_free(&policy->decider);
  policy_unref(&policy->policy);
  arena_free(&policy->arena);
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

static bool plan_access(const struct worker *worker, struct worker_policy *policy) {
  const struct access_log *log = worker->shared.access_log;
  if (!log) return true;
  policy->access = access_plan_new(policy->arena, policy->policy, access_log_options(log));
  return policy->access != NULL;
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
  made->worker = worker;
  made->pools = calloc(config->upstream_count, sizeof(struct pool *));
  made->arena = arena_new(SERIES_BYTES_MAX);
  made->series = made->arena ? series_of_policy(&worker->series, policy, made->arena) : NULL;
  made->upstreams = made->series ? series_of_upstreams(&worker->series, config, made->arena) : NULL;
  bool ok = made->decider && made->pools && made->upstreams && plan_access(worker, made) &&
            scratch_reserve(worker, config) && worker_lookups_take(worker, made) &&
            worker_tokens_take(worker, made) && breakers_take(worker, made);
  for (size_t i = 0; ok && i < config->upstream_count; i++) {
    made->pools[i] = pool_new(worker->shared.resolver, worker->shared.health, worker->targets,
                              &config->upstreams[i]);
    ok = made->pools[i] != NULL;
    made->pool_count++;
  }
  if (ok) return made;
  worker_policy_free(made);
  return NULL;
}

static void take_policy(struct worker *worker) {
  if (!atomic_load_explicit(&worker->mailbox.policy, memory_order_relaxed)) return;
  struct policy *policy = atomic_exchange(&worker->mailbox.policy, NULL);
  if (!policy) return;
  struct worker_policy *made = worker_policy_new(worker, policy);
  if (made) {
    worker_policy_unref(worker, &worker->policy);
    worker->policy = made;
  } else {
    log_write(LOG_ERROR, "worker %u keeps the configuration it has: out of memory", worker->number);
  }
  if (worker->mailbox.taken) (void)sem_post(worker->mailbox.taken);
}

/* ---- stopping -------------------------------------------------------------------------------- */

static void close_idle_origins(struct worker *worker) {
  while (worker->idle_origins) origin_close_idle(worker->idle_origins);
}

static void stop_now(struct worker *worker) {
  worker->stop = STOP_NOW;
  while (worker->clients) client_close_now(worker->clients);
  mirrors_stop(worker);
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
    accept_stop(worker);
    worker->stop = STOP_DRAIN;
    mirrors_stop(worker);
    close_idle_origins(worker);
    for (struct client *client = worker->clients; client; client = client->next)
      client_drain(client);
    int64_t drain_ms = policy_config(worker->policy->policy)->timeouts.drain_ms;
    timer_set(&worker->timers, &worker->stop_timer, worker->now_ms + drain_ms);
  }
  if (wanted == STOP_NOW) stop_now(worker);
}

/* ---- loop ------------------------------------------------------------------------------------ */

static void take_call(struct worker *worker) {
  struct worker_call *call = atomic_exchange(&worker->mailbox.call, NULL);
  if (!call) return;
  call->run(worker, call->context);
  (void)sem_post(&call->done);
}

static void read_mailbox(struct worker *worker) {
  uint64_t count;
  while (read(worker->mailbox.fd, &count, sizeof(count)) > 0) continue;
  take_policy(worker);
  take_call(worker);
  take_stop(worker);
}

/* The watch is the first member of what it watches. */
static void dispatch(struct worker *worker, struct watch *watch, uint32_t events) {
  worker->dispatched++;
  switch (watch->kind) {
    case WATCH_MAILBOX:
      read_mailbox(worker);
      return;
    case WATCH_LISTENER:
      accept_event((struct listener *)(void *)watch);
      return;
    case WATCH_CLIENT:
      client_handle_event((struct client *)(void *)watch, events);
      return;
    case WATCH_ORIGIN:
      origin_handle_event((struct origin *)(void *)watch, events);
      return;
    case WATCH_LOOKUPS:
      worker_lookups_run(worker);
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
    worker->dispatched++;
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

/* What others may know of it: a few stores a turn, none a request. */
static void publish(struct worker *worker) {
  series_observe_ns(&worker->lag, clock_monotonic_ns() - worker->now_us * 1000);
  atomic_store_explicit(&worker->open_clients, worker->client_count, memory_order_relaxed);
  if (worker->access) access_lane_end_turn(worker->access);
}

static bool is_done(const struct worker *worker) {
  return worker->stop != STOP_NONE && worker->client_count == 0 && !worker->closed_clients;
}

static void *worker_main(void *argument) {
  struct worker *worker = argument;
  struct epoll_event events[EVENTS_A_TURN];
  own_worker = worker;
  begin_turn(worker);
  while (!is_done(worker)) {
    bool more = worker->runnable != NULL || worker->closed_clients != NULL ||
                !TAILQ_EMPTY(&worker->mirrors.ready) || breaker_party_has_news(&worker->party);
    int wait_ms = more ? 0 : timer_wheel_wait(&worker->timers, worker->now_ms);
    int n = epoll_wait(worker->epoll, events, EVENTS_A_TURN, wait_ms);
    begin_turn(worker);
    take_policy(worker);
    worker_tokens_turn(worker);
    note_idle_origins(events, n);
    for (int i = 0; i < n; i++) dispatch(worker, events[i].data.ptr, events[i].events);
    run_clients(worker);
    mirrors_run(worker);
    worker_lookups_turn(worker);
    exchange_queue_turn(worker);
    timer_wheel_advance(&worker->timers, worker->now_ms);
    free_closed(worker);
    publish(worker);
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

bool worker_init(struct worker *worker, unsigned number, struct policy *policy,
                 const struct worker_shared *shared, struct listening *listening,
                 size_t listener_count, size_t client_max) {
  memset(worker, 0, sizeof(*worker));
  worker->number = number;
  worker->shared = *shared;
  worker->client_max = client_max;
  worker->access = access_log_lane(shared->access_log, number);
  worker->date_second = -1;
  worker->mailbox.fd = -1;
  begin_turn(worker);
  timer_wheel_init(&worker->timers, worker->now_ms);
  timer_init(&worker->stop_timer, drain_is_over);
  worker_lookups_init(worker);
  mirrors_init(worker);
  worker->party = (struct breaker_party){.notify = note_places, .context = worker};
  if (shared->breakers) breakers_join(shared->breakers, &worker->party);
  worker->epoll = epoll_create1(EPOLL_CLOEXEC);
  worker->targets = target_table_new();
  worker->response_out = malloc(sizeof(*worker->response_out));
  worker->request_out = malloc(sizeof(*worker->request_out));
  worker->trailers_out = malloc(sizeof(*worker->trailers_out));
  if (worker->epoll >= 0 && worker->targets && worker->response_out && worker->request_out &&
      worker->trailers_out && series_init(&worker->series) &&
      crypto_random(worker->random_state, sizeof(worker->random_state)) && mailbox_init(worker) &&
      accept_init(worker, listening, listener_count)) {
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
  accept_deinit(worker);
  worker_policy_unref(worker, &worker->policy);
  worker_lookups_deinit(worker);
  if (worker->shared.breakers) breakers_leave(worker->shared.breakers, &worker->party);
  struct policy *unread = atomic_exchange(&worker->mailbox.policy, NULL);
  policy_unref(&unread);
  target_table_free(&worker->targets);
  spare_exchanges_free(worker);
  series_deinit(&worker->series);
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

void worker_send_policy(struct worker *worker, struct policy *policy) {
  struct policy *unread = atomic_exchange(&worker->mailbox.policy, policy);
  policy_unref(&unread);
  ring(worker);
}

void worker_send_stop(struct worker *worker, enum stop_stage stage) {
  atomic_store(&worker->mailbox.stop, (int)stage);
  ring(worker);
}

void worker_ask(struct worker *worker, struct worker_call *call) {
  atomic_store(&worker->mailbox.call, call);
  ring(worker);
}

bool worker_await(struct worker *worker, struct worker_call *call, const struct timespec *until) {
  int error;
  while ((error = sem_timedwait(&call->done, until)) != 0 && errno == EINTR) continue;
  if (error == 0) return true;
  /* Taken back: a worker that is busy or has ended will not see it any more. */
  if (atomic_exchange(&worker->mailbox.call, NULL) == call) return false;
  while (sem_wait(&call->done) != 0 && errno == EINTR) continue;
  return true;
}
