/*
 * endpoints: what all workers know of endpoints. Ejections and balance are a worker's own, so each
 * is asked, all at once, and answers between two events of its loop. Not on the way of a request.
 */
#include <time.h>

#include "gateway_private.h"

enum { ANSWERS_WITHIN_S = 1, REPORT_BYTES_MAX = 64 << 20 };

/* One worker's answer. It writes into the arena while the thread that asked waits. */
struct report {
  struct worker_call call;
  struct arena *arena;
  VEC(struct gateway_endpoint) endpoints;
  bool answered, failed;
};

static void add_pool(struct report *report, struct pool *pool, int64_t now_ms) {
  struct str upstream = arena_dup(report->arena, pool_config(pool)->name);
  size_t n = pool_target_count(pool);
  for (size_t i = 0; i < n && !report->failed; i++) {
    struct pool_target target = pool_target_get(pool, i, now_ms);
    struct gateway_endpoint endpoint = {
        .upstream = upstream,
        .address = arena_dup(report->arena, str_from_cstr(target.text)),
        .weight = target.weight,
        .is_checked = target.is_checked,
        .share = target.share,
        .ejected_by = target.ejected_ms > 0,
        .ejected_ms = target.ejected_ms,
        .active = target.active,
        .idle = target.idle};
    report->failed = !upstream.p || !endpoint.address.p ||
                     !VEC_PUSH(report->arena, &report->endpoints, endpoint);
  }
}

/* On the worker's thread. */
static void run(struct worker *worker, void *context) {
  struct report *report = context;
  const struct worker_policy *policy = worker->policy;
  for (size_t i = 0; i < policy->pool_count; i++)
    add_pool(report, policy->pools[i], worker->now_ms);
}

/* ---- all workers ----------------------------------------------------------------------------- */

typedef VEC(struct gateway_endpoint) endpoint_list;

/* All workers have the same endpoints in the same order, but for a moment after a reload or a
 * change of a name. */
static struct gateway_endpoint *find(endpoint_list *list, size_t hint,
                                     const struct gateway_endpoint *wanted) {
  for (size_t i = 0; i < list->n; i++) {
    struct gateway_endpoint *one = &list->items[(hint + i) % list->n];
    if (str_eq(one->address, wanted->address) && str_eq(one->upstream, wanted->upstream))
      return one;
  }
  return NULL;
}

/* Behind the last of its upstream. False: memory. */
static bool insert(struct arena *arena, endpoint_list *list, const struct gateway_endpoint *from) {
  size_t at = list->n;
  while (at > 0 && !str_eq(list->items[at - 1].upstream, from->upstream)) at--;
  if (at == 0) at = list->n;
  struct gateway_endpoint copy = *from;
  copy.address = arena_dup(arena, from->address);
  copy.upstream = arena_dup(arena, from->upstream);
  if (!copy.address.p || !copy.upstream.p || !VEC_PUSH(arena, list, copy)) return false;
  memmove(&list->items[at + 1], &list->items[at], (list->n - 1 - at) * sizeof(copy));
  list->items[at] = copy;
  return true;
}

static bool add_report(struct arena *arena, endpoint_list *list, const struct report *report) {
  if (report->failed) return false;
  for (size_t i = 0; i < report->endpoints.n; i++) {
    const struct gateway_endpoint *from = &report->endpoints.items[i];
    struct gateway_endpoint *to = find(list, i, from);
    if (!to) {
      if (!insert(arena, list, from)) return false;
      continue;
    }
    if (from->share < to->share) to->share = from->share;
    if (from->ejected_ms > to->ejected_ms) to->ejected_ms = from->ejected_ms;
    to->ejected_by += from->ejected_by;
    to->active += from->active;
    to->idle += from->idle;
  }
  return true;
}

static void ask_all(struct gateway *gateway, struct report *reports) {
  struct timespec until;
  clock_gettime(CLOCK_REALTIME, &until);
  until.tv_sec += ANSWERS_WITHIN_S;
  for (unsigned w = 0; w < gateway->worker_count; w++) {
    struct report *report = &reports[w];
    (void)sem_init(&report->call.done, 0, 0);
    report->call.run = run;
    report->call.context = report;
    report->arena = arena_new(REPORT_BYTES_MAX);
    report->failed = !report->arena; /* the worker's from then on, until it has answered */
    if (report->arena) worker_ask(&gateway->workers[w], &report->call);
  }
  for (unsigned w = 0; w < gateway->worker_count; w++)
    if (reports[w].arena)
      reports[w].answered = worker_await(&gateway->workers[w], &reports[w].call, &until);
}

bool gateway_endpoints_read(struct gateway *gateway, struct arena *arena,
                            struct gateway_endpoints *ret) {
  endpoint_list list = {0};
  bool ok = true;
  *ret = (struct gateway_endpoints){0};
  struct report *reports = ARENA_ARRAY(arena, struct report, gateway->worker_count);
  if (!reports) return false;
  ask_all(gateway, reports);
  for (unsigned w = 0; w < gateway->worker_count; w++) {
    ret->workers += reports[w].answered;
    ok = ok && add_report(arena, &list, &reports[w]);
    arena_free(&reports[w].arena);
    (void)sem_destroy(&reports[w].call.done);
  }
  ret->items = list.items;
  ret->n = list.n;
  return ok;
}
