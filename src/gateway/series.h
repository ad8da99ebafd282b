/*
 * series: what a worker counts by route, variant, rule and upstream.
 *
 * A series belongs to a name, not to a policy: a reload goes on counting where it was. So it stays
 * as long as its worker, and there may be SERIES_MAX of them; what comes then is counted together,
 * under no name. The worker adds series when it takes a policy over, and counts by relaxed stores;
 * others may read meanwhile, as the list only grows.
 */
#ifndef ADIT_GATEWAY_SERIES_H
#define ADIT_GATEWAY_SERIES_H

#include <stdatomic.h>

#include "adit/config.h"
#include "adit/gateway.h"
#include "adit/policy.h"

enum { SERIES_MAX = 1 << 18 };

enum series_kind { SERIES_VARIANT, SERIES_RULE, SERIES_ROUTE, SERIES_UPSTREAM, SERIES_KINDS };

struct series {
  _Atomic(struct series *) next; /* in the order of addition */
  struct series *hash_next;
  enum series_kind kind;
  struct str route,
      name; /* of the variant, the rule or the upstream; one of the two may be empty */
};

struct series_histogram {
  _Atomic uint64_t buckets[GATEWAY_BUCKETS + 1]; /* each by itself; the last: longer than all */
  _Atomic uint64_t sum;                          /* in the unit of its bounds */
};

struct variant_series {
  struct series series;
  _Atomic uint64_t requests[GATEWAY_REASONS][GATEWAY_CLASSES];
  _Atomic uint64_t cut; /* of those requests whose answer had begun */
  struct series_histogram duration, first_byte;
};

struct rule_series {
  struct series series;
  _Atomic uint64_t requests;
};

struct route_totals {
  struct series series;
  _Atomic uint64_t cookies[GATEWAY_VERDICTS]; /* by enum cookie_verdict */
  struct series_histogram deciding;           /* in ns, of those decisions that are timed */
};

/* name, meaning. What the process counts under the same name (counters.h), by upstream; of copies
 * of requests only what begins with "mirrors", and their connections. */
#define UPSTREAM_COUNTERS(X)                                                         \
  X(connects, "connections opened to its endpoints")                                 \
  X(connect_failures, "connects that failed or timed out")                           \
  X(reuses, "idle connections used again")                                           \
  X(bad_responses, "responses that broke the protocol")                              \
  X(ejections, "times that one of its endpoints was left out for a while")           \
  X(retries, "requests sent again, after it has failed them")                        \
  X(retries_refused, "requests not sent again: over its retry budget")               \
  X(failovers, "canary requests that it would have had, given to stable")            \
  X(queued, "times that a request waited: it was at its limits")                     \
  X(queue_overflows, "requests that it had no place for, not even to wait")          \
  X(queue_timeouts, "requests that waited for it for too long")                      \
  X(overloads, "requests answered 503: it was over its limits")                      \
  X(mirrors_sent, "copies of requests that were sent to it")                         \
  X(mirrors_agreed, "copies that it answered with a status of the original's class") \
  X(mirrors_differed, "copies that it answered with a status of another class")      \
  X(mirrors_alone, "copies that it answered where the original was not answered")    \
  X(mirrors_failed, "copies that it did not answer, or badly, or late")              \
  X(mirrors_stopped, "copies given up because the gateway stops")

struct upstream_counts {
#define X(name, meaning) _Atomic uint64_t name;
  UPSTREAM_COUNTERS(X)
#undef X
};

struct upstream_series {
  struct series series;
  struct upstream_counts counts;
};

struct series_table {
  struct series *first;
  struct series *last;
  struct series *unnamed[SERIES_KINDS]; /* of no name; set once */
  struct series **buckets;              /* the owner's */
  size_t bucket_count, count;
};

/* False: memory; deinit in any case. */
bool series_init(struct series_table *table) __attribute__((warn_unused_result));
void series_deinit(struct series_table *table);
/* The series of a name, made when there is none; that of no name when there are too many, or no
 * memory. */
struct variant_series *series_variant(struct series_table *table, struct str route,
                                      struct str variant);
struct rule_series *series_rule(struct series_table *table, struct str route, struct str rule);
struct route_totals *series_route(struct series_table *table, struct str route);
struct upstream_series *series_upstream(struct series_table *table, struct str upstream);

/* Of no name. */
static inline struct variant_series *series_unnamed(struct series_table *table) {
  return (struct variant_series *)table->unnamed[SERIES_VARIANT];
}
static inline struct route_totals *series_unnamed_route(struct series_table *table) {
  return (struct route_totals *)table->unnamed[SERIES_ROUTE];
}

/* Of one route of a policy: its own, and as its variants and rules. */
struct route_series {
  struct route_totals *totals;
  struct variant_series **variants;
  struct rule_series **rules;
};
/* Those of all routes, by policy_route_number(), in `arena`. NULL: memory. */
struct route_series *series_of_policy(struct series_table *table, const struct policy *policy,
                                      struct arena *arena);
/* Those of all upstreams, as config->upstreams, in `arena`. NULL: memory. */
struct upstream_series **series_of_upstreams(struct series_table *table,
                                             const struct config *config, struct arena *arena);

/* One more, by the thread that owns it. */
static inline void series_add(_Atomic uint64_t *counter, uint64_t more) {
  atomic_store_explicit(counter, atomic_load_explicit(counter, memory_order_relaxed) + more,
                        memory_order_relaxed);
}
/* A request has ended; by enum decide_reason or GATEWAY_REASON_NONE, and by the class of its
 * status, which is 0 where there was no answer. */
static inline void series_count_request(struct variant_series *series, unsigned reason,
                                        int status) {
  const unsigned status_class = status > 0 ? (unsigned)status / 100 : 0;
  series_add(&series->requests[reason][status_class < GATEWAY_CLASSES ? status_class : 0], 1);
}
/* In a histogram with the bounds gateway_buckets_us, and in one with gateway_buckets_ns. */
void series_observe(struct series_histogram *histogram, int64_t us);
void series_observe_ns(struct series_histogram *histogram, int64_t ns);
/* What `histogram` holds now, by any thread. */
void series_read_histogram(const struct series_histogram *histogram, struct gateway_histogram *ret);

#endif
