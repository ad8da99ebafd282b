/*
 * series: what a worker counts by route, variant and rule.
 *
 * A series belongs to a name, not to a policy: a reload goes on counting where it was. So it stays
 * as long as its worker, and there may be SERIES_MAX of them; what comes then is counted together,
 * under no name. The worker adds series when it takes a policy over, and counts by relaxed stores;
 * others may read meanwhile, as the list only grows.
 */
#ifndef ADIT_GATEWAY_SERIES_H
#define ADIT_GATEWAY_SERIES_H

#include <stdatomic.h>

#include "adit/gateway.h"
#include "adit/policy.h"

enum { SERIES_MAX = 1 << 18 };

enum series_kind { SERIES_VARIANT, SERIES_RULE };

struct series {
  _Atomic(struct series *) next; /* in the order of addition */
  struct series *hash_next;
  enum series_kind kind;
  struct str route, name; /* of the variant, or of the rule */
};

struct series_histogram {
  _Atomic uint64_t buckets[GATEWAY_BUCKETS + 1]; /* each by itself; the last: longer than all */
  _Atomic uint64_t sum_us;
};

struct variant_series {
  struct series series;
  _Atomic uint64_t requests[GATEWAY_REASONS][GATEWAY_CLASSES];
  struct series_histogram duration, first_byte;
};

struct rule_series {
  struct series series;
  _Atomic uint64_t requests;
};

struct series_table {
  struct series *first; /* of no name; set once */
  struct series *last;
  struct series *no_rule;  /* of no name, too */
  struct series **buckets; /* the owner's */
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

/* Of no name. */
static inline struct variant_series *series_unnamed(struct series_table *table) {
  return (struct variant_series *)table->first;
}

/* Of one route of a policy: as its variants and rules. */
struct route_series {
  struct variant_series **variants;
  struct rule_series **rules;
};
/* Those of all routes, by policy_route_number(), in `arena`. NULL: memory. */
struct route_series *series_of_policy(struct series_table *table, const struct policy *policy,
                                      struct arena *arena);

/* One more, by the thread that owns it. */
static inline void series_add(_Atomic uint64_t *counter, uint64_t more) {
  atomic_store_explicit(counter, atomic_load_explicit(counter, memory_order_relaxed) + more,
                        memory_order_relaxed);
}
void series_observe(struct series_histogram *histogram, int64_t us);

#endif
