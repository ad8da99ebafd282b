#include "lookups.h"

#include <stdlib.h>
#include <sys/epoll.h>

static void count_event(void *context, enum lookup_event event) {
  struct counters *counters = &((struct worker *)context)->counters;
  switch (event) {
    case LOOKUP_EVENT_ASKED:
      COUNT(counters, lookups_asked);
      return;
    case LOOKUP_EVENT_HIT:
      COUNT(counters, lookups_hits);
      return;
    case LOOKUP_EVENT_STALE:
      COUNT(counters, lookups_stale);
      return;
    case LOOKUP_EVENT_JOINED:
      COUNT(counters, lookups_joined);
      return;
    case LOOKUP_EVENT_UNKNOWN:
      COUNT(counters, lookups_unknown);
      return;
    case LOOKUP_EVENT_TIMEOUT:
      COUNT(counters, lookups_timeouts);
      return;
    case LOOKUP_EVENT_FAILED:
      COUNT(counters, lookups_failed);
      return;
    case LOOKUP_EVENT_REFUSED_KEY:
      COUNT(counters, lookups_refused);
      return;
    case LOOKUP_EVENT_BUSY:
      COUNT(counters, lookups_busy);
      return;
    case LOOKUP_EVENT_BROKEN:
      COUNT(counters, lookups_broken);
      return;
  }
}

/* struct attr_supplier.supply, for SOURCE_LOOKUP */
static enum attr_supply supply(void *context, const struct attr_request *request, uint32_t id,
                               const struct str *keys, struct attr_supplied *ret) {
  (void)request;
  const struct worker_policy *policy = context;
  struct worker_lookups *lookups = &policy->worker->lookups;
  struct lookup *lookup = policy->lookups[id >> CONFIG_LOOKUP_FIELD_BITS];
  const size_t index = id & ((1U << CONFIG_LOOKUP_FIELD_BITS) - 1);
  const struct lookup_field *field = NULL;
  /* One answer is waited for at a time: another that is needed, too, is asked for meanwhile only
   * when it is the same. */
  if (lookups->waiter && lookup_waits(lookups->waiter)) return SUPPLY_PENDING;
  switch (
      lookup_get(lookup, keys, index, policy->worker->now_ms, lookups->waiter, &field, &ret->why)) {
    case LOOKUP_FOUND:
      ret->texts = field->texts;
      ret->n = field->n;
      return SUPPLY_PRESENT;
    case LOOKUP_PENDING:
      return SUPPLY_PENDING;
    case LOOKUP_MISSING:
      break;
  }
  return SUPPLY_ABSENT;
}

/* ---- the loop -------------------------------------------------------------------------------- */

static void set_timer(struct worker *worker) {
  struct worker_lookups *lookups = &worker->lookups;
  const int64_t wait_ms = lookup_loop_wait_ms(lookups->loop, worker->now_ms);
  if (wait_ms < 0)
    timer_stop(&worker->timers, &lookups->timer);
  else
    timer_set(&worker->timers, &lookups->timer, worker->now_ms + wait_ms);
}

void worker_lookups_run(struct worker *worker) {
  lookup_loop_run(worker->lookups.loop, worker->now_ms);
  set_timer(worker);
}

void worker_lookups_turn(struct worker *worker) {
  struct worker_lookups *lookups = &worker->lookups;
  if (lookups->loop && lookup_loop_is_due(lookups->loop, worker->now_ms))
    worker_lookups_run(worker);
}

static void timer_fires(struct timer *timer) {
  struct worker_lookups *lookups =
      (struct worker_lookups *)(void *)((char *)timer - offsetof(struct worker_lookups, timer));
  worker_lookups_run((struct worker *)(void *)((char *)lookups - offsetof(struct worker, lookups)));
}

static bool make_loop(struct worker *worker) {
  struct worker_lookups *lookups = &worker->lookups;
  if (lookups->loop) return true;
  struct lookup_loop *loop = lookup_loop_new(count_event, worker);
  if (!loop) return false;
  /* It stays readable until its questions were gone on with. */
  struct epoll_event event = {.events = EPOLLIN, .data.ptr = &lookups->watch};
  if (epoll_ctl(worker->epoll, EPOLL_CTL_ADD, lookup_loop_fd(loop), &event) == 0)
    lookups->loop = loop;
  else
    lookup_loop_free(&loop);
  return lookups->loop != NULL;
}

void worker_lookups_init(struct worker *worker) {
  worker->lookups.watch.kind = WATCH_LOOKUPS;
  timer_init(&worker->lookups.timer, timer_fires);
}

void worker_lookups_deinit(struct worker *worker) {
  timer_stop(&worker->timers, &worker->lookups.timer);
  lookup_loop_free(&worker->lookups.loop);
}

/* ---- directories ----------------------------------------------------------------------------- */

/* The present policy's, where it has it from the same lines. NULL: there is none. */
static struct lookup *find_same(const struct worker *worker, const struct lookup_spec *spec) {
  const struct worker_policy *policy = worker->policy;
  for (size_t i = 0; policy && i < policy->lookup_count; i++)
    if (lookup_is_of(policy->lookups[i], spec)) return lookup_ref(policy->lookups[i]);
  return NULL;
}

bool worker_lookups_take(struct worker *worker, struct worker_policy *policy) {
  const struct config *config = policy_config(policy->policy);
  if (config->lookup_count == 0) return true;
  policy->lookups = calloc(config->lookup_count, sizeof(struct lookup *));
  if (!policy->lookups || !make_loop(worker)) return false;
  for (size_t i = 0; i < config->lookup_count; i++) {
    const struct lookup_spec *spec = &config->lookups[i].spec;
    struct lookup *lookup = find_same(worker, spec);
    if (!lookup) lookup = lookup_new(worker->lookups.loop, spec);
    if (!lookup) return false;
    policy->lookups[policy->lookup_count++] = lookup;
  }
  decider_supply(policy->decider, SOURCE_LOOKUP, (struct attr_supplier){supply, policy});
  return true;
}
