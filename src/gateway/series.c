#include "series.h"

#include <stdlib.h>

#include "adit/hash.h"
#include "gateway_private.h"

/* A few a decade, from what a hop costs to what nobody waits for. */
const int64_t gateway_buckets_us[GATEWAY_BUCKETS] = {500,     1000,    2500,    5000,    10000,
                                                     25000,   50000,   100000,  250000,  500000,
                                                     1000000, 2500000, 5000000, 10000000};
/* From a small decision to a worker that stands still for all of its clients. */
const int64_t gateway_buckets_ns[GATEWAY_BUCKETS] = {
    500,    1000,   2500,    5000,    10000,    25000,     50000,
    100000, 250000, 1000000, 5000000, 25000000, 100000000, 500000000};

enum { BUCKETS_MIN = 64 };

/* ---- the table ------------------------------------------------------------------------------- */

static size_t size_of(enum series_kind kind) {
  switch (kind) {
    case SERIES_VARIANT:
      return sizeof(struct variant_series);
    case SERIES_ROUTE:
      return sizeof(struct route_totals);
    case SERIES_UPSTREAM:
      return sizeof(struct upstream_series);
    case SERIES_RULE:
    case SERIES_KINDS:
      break;
  }
  return sizeof(struct rule_series);
}

static size_t bucket_of(size_t bucket_count, enum series_kind kind, struct str route,
                        struct str name) {
  const struct str parts[] = {route, STR("/"), name};
  return murmur3_x86_32_parts(parts, 3, (uint32_t)kind) & (bucket_count - 1);
}

/* The names stand behind it. NULL: memory. */
static struct series *series_new(enum series_kind kind, struct str route, struct str name) {
  const size_t size = size_of(kind);
  struct series *series = calloc(1, size + route.n + name.n);
  if (!series) return NULL;
  char *names = (char *)series + size;
  if (route.n > 0) memcpy(names, route.p, route.n);
  if (name.n > 0) memcpy(names + route.n, name.p, name.n);
  series->kind = kind;
  series->route = str_make(names, route.n);
  series->name = str_make(names + route.n, name.n);
  return series;
}

static void link_series(struct series_table *table, struct series *series) {
  size_t bucket = bucket_of(table->bucket_count, series->kind, series->route, series->name);
  series->hash_next = table->buckets[bucket];
  table->buckets[bucket] = series;
}

/* Short of memory the chains grow longer instead. */
static void grow(struct series_table *table) {
  struct series **buckets = calloc(2 * table->bucket_count, sizeof(struct series *));
  if (!buckets) return;
  free(table->buckets);
  table->buckets = buckets;
  table->bucket_count *= 2;
  for (struct series *one = table->first; one; one = atomic_load(&one->next))
    link_series(table, one);
}

/* Where it can be found by whoever reads. NULL: memory. */
static struct series *append(struct series_table *table, enum series_kind kind, struct str route,
                             struct str name) {
  struct series *series = series_new(kind, route, name);
  if (!series) return NULL;
  if (table->count >= table->bucket_count) grow(table);
  link_series(table, series);
  if (table->last)
    atomic_store_explicit(&table->last->next, series, memory_order_release);
  else
    table->first = series;
  table->last = series;
  table->count++;
  return series;
}

static struct series *get(struct series_table *table, enum series_kind kind, struct str route,
                          struct str name) {
  struct series *series = table->buckets[bucket_of(table->bucket_count, kind, route, name)];
  for (; series; series = series->hash_next)
    if (series->kind == kind && str_eq(series->route, route) && str_eq(series->name, name))
      return series;
  if (table->count < SERIES_MAX) series = append(table, kind, route, name);
  return series ? series : table->unnamed[kind];
}

bool series_init(struct series_table *table) {
  *table = (struct series_table){.bucket_count = BUCKETS_MIN};
  table->buckets = calloc(BUCKETS_MIN, sizeof(struct series *));
  if (!table->buckets) return false;
  for (int kind = 0; kind < SERIES_KINDS; kind++) {
    table->unnamed[kind] = append(table, (enum series_kind)kind, STR(""), STR(""));
    if (!table->unnamed[kind]) return false;
  }
  return true;
}

void series_deinit(struct series_table *table) {
  struct series *series = table->first;
  while (series) {
    struct series *gone = series;
    series = atomic_load(&gone->next);
    free(gone);
  }
  free(table->buckets);
  *table = (struct series_table){0};
}

struct variant_series *series_variant(struct series_table *table, struct str route,
                                      struct str variant) {
  return (struct variant_series *)get(table, SERIES_VARIANT, route, variant);
}

struct rule_series *series_rule(struct series_table *table, struct str route, struct str rule) {
  return (struct rule_series *)get(table, SERIES_RULE, route, rule);
}

struct route_totals *series_route(struct series_table *table, struct str route) {
  return (struct route_totals *)get(table, SERIES_ROUTE, route, STR(""));
}

struct upstream_series *series_upstream(struct series_table *table, struct str upstream) {
  return (struct upstream_series *)get(table, SERIES_UPSTREAM, STR(""), upstream);
}

/* ---- a policy's ------------------------------------------------------------------------------ */

static bool of_route(struct series_table *table, const struct route *route, struct arena *arena,
                     struct route_series *ret) {
  ret->variants = ARENA_ARRAY(arena, struct variant_series *, route->variant_count);
  ret->rules = ARENA_ARRAY(arena, struct rule_series *, route->rule_count);
  if (!ret->variants || !ret->rules) return false;
  ret->totals = series_route(table, route->name);
  for (size_t i = 0; i < route->variant_count; i++)
    ret->variants[i] = series_variant(table, route->name, route->variants[i].name);
  for (size_t i = 0; i < route->rule_count; i++)
    ret->rules[i] = series_rule(table, route->name, route->rules[i].id);
  return true;
}

struct route_series *series_of_policy(struct series_table *table, const struct policy *policy,
                                      struct arena *arena) {
  size_t n = policy_route_count(policy);
  struct route_series *all = ARENA_ARRAY(arena, struct route_series, n);
  for (size_t i = 0; all && i < n; i++) {
    const struct route *route = policy_route(policy, i);
    if (!of_route(table, route, arena, &all[policy_route_number(policy, route)])) return NULL;
  }
  return all;
}

struct upstream_series **series_of_upstreams(struct series_table *table,
                                             const struct config *config, struct arena *arena) {
  struct upstream_series **all =
      ARENA_ARRAY(arena, struct upstream_series *, config->upstream_count);
  for (size_t i = 0; all && i < config->upstream_count; i++)
    all[i] = series_upstream(table, config->upstreams[i].name);
  return all;
}

static void observe(struct series_histogram *histogram, const int64_t *bounds, int64_t value) {
  size_t i = 0;
  while (i < GATEWAY_BUCKETS && value > bounds[i]) i++;
  series_add(&histogram->buckets[i], 1);
  series_add(&histogram->sum, value > 0 ? (uint64_t)value : 0);
}

void series_observe(struct series_histogram *histogram, int64_t us) {
  observe(histogram, gateway_buckets_us, us);
}

void series_observe_ns(struct series_histogram *histogram, int64_t ns) {
  observe(histogram, gateway_buckets_ns, ns);
}

/* ---- reading --------------------------------------------------------------------------------- */

static void add_up(_Atomic uint64_t *to, const _Atomic uint64_t *from, size_t n) {
  for (size_t i = 0; i < n; i++)
    series_add(&to[i], atomic_load_explicit(&from[i], memory_order_relaxed));
}

static void add_histogram(struct series_histogram *to, const struct series_histogram *from) {
  add_up(to->buckets, from->buckets, GATEWAY_BUCKETS + 1);
  add_up(&to->sum, &from->sum, 1);
}

static void add_upstream(struct upstream_counts *to, const struct upstream_counts *from) {
#define X(name, meaning) add_up(&to->name, &from->name, 1);
  UPSTREAM_COUNTERS(X)
#undef X
}

static void add_series(struct series_table *sum, const struct series *one) {
  switch (one->kind) {
    case SERIES_VARIANT: {
      const struct variant_series *from = (const struct variant_series *)one;
      struct variant_series *to = series_variant(sum, one->route, one->name);
      add_up(to->requests[0], from->requests[0], GATEWAY_REASONS * GATEWAY_CLASSES);
      add_up(&to->cut, &from->cut, 1);
      add_histogram(&to->duration, &from->duration);
      add_histogram(&to->first_byte, &from->first_byte);
      return;
    }
    case SERIES_RULE:
      add_up(&series_rule(sum, one->route, one->name)->requests,
             &((const struct rule_series *)one)->requests, 1);
      return;
    case SERIES_ROUTE: {
      const struct route_totals *from = (const struct route_totals *)one;
      struct route_totals *to = series_route(sum, one->route);
      add_up(to->cookies, from->cookies, GATEWAY_VERDICTS);
      add_histogram(&to->deciding, &from->deciding);
      return;
    }
    case SERIES_UPSTREAM:
      add_upstream(&series_upstream(sum, one->name)->counts,
                   &((const struct upstream_series *)one)->counts);
      return;
    case SERIES_KINDS:
      return;
  }
}

struct gateway_traffic {
  struct series_table sum; /* read as a worker's is */
};

struct gateway_traffic *gateway_traffic_read(const struct gateway *gateway) {
  struct gateway_traffic *traffic = calloc(1, sizeof(*traffic));
  if (traffic && !series_init(&traffic->sum)) gateway_traffic_free(&traffic);
  for (unsigned w = 0; traffic && w < gateway->worker_count; w++) {
    const struct series *one = gateway->workers[w].series.first;
    for (; one; one = atomic_load_explicit(&one->next, memory_order_acquire))
      add_series(&traffic->sum, one);
  }
  return traffic;
}

void gateway_traffic_free(struct gateway_traffic **traffic) {
  if (*traffic) series_deinit(&(*traffic)->sum);
  free(*traffic);
  *traffic = NULL;
}

void series_read_histogram(const struct series_histogram *histogram,
                           struct gateway_histogram *ret) {
  for (size_t i = 0; i <= GATEWAY_BUCKETS; i++)
    ret->buckets[i] = atomic_load_explicit(&histogram->buckets[i], memory_order_relaxed);
  ret->sum = atomic_load_explicit(&histogram->sum, memory_order_relaxed);
}

void gateway_visit_variants(const struct gateway_traffic *traffic, gateway_variant_fn visit,
                            void *context) {
  for (const struct series *one = traffic->sum.first; one; one = one->next) {
    if (one->kind != SERIES_VARIANT) continue;
    const struct variant_series *from = (const struct variant_series *)one;
    struct gateway_variant variant = {.route = one->route, .variant = one->name, .cut = from->cut};
    for (size_t i = 0; i < GATEWAY_REASONS; i++)
      for (size_t k = 0; k < GATEWAY_CLASSES; k++) variant.requests[i][k] = from->requests[i][k];
    series_read_histogram(&from->duration, &variant.duration);
    series_read_histogram(&from->first_byte, &variant.first_byte);
    visit(context, &variant);
  }
}

void gateway_visit_rules(const struct gateway_traffic *traffic, gateway_rule_fn visit,
                         void *context) {
  for (const struct series *one = traffic->sum.first; one; one = one->next) {
    if (one->kind != SERIES_RULE) continue;
    uint64_t requests = ((const struct rule_series *)one)->requests;
    /* Rules that were too many have no name; mostly there are none. */
    if (one->route.n > 0 || requests > 0) visit(context, one->route, one->name, requests);
  }
}

void gateway_visit_routes(const struct gateway_traffic *traffic, gateway_route_fn visit,
                          void *context) {
  for (const struct series *one = traffic->sum.first; one; one = one->next) {
    if (one->kind != SERIES_ROUTE) continue;
    const struct route_totals *from = (const struct route_totals *)one;
    struct gateway_route route = {.route = one->route};
    for (size_t i = 0; i < GATEWAY_VERDICTS; i++) route.cookies[i] = from->cookies[i];
    series_read_histogram(&from->deciding, &route.deciding);
    visit(context, &route);
  }
}

/* Upstreams that were too many have no name; mostly there are none. */
static bool is_seen(const struct series *one, uint64_t value) {
  return one->kind == SERIES_UPSTREAM && (one->name.n > 0 || value > 0);
}

void gateway_visit_upstreams(const struct gateway_traffic *traffic,
                             const struct gateway_upstream_visitor *visitor, void *context) {
#define X(counter, meaning)                                                       \
  visitor->begin(context, #counter, meaning);                                     \
  for (const struct series *one = traffic->sum.first; one; one = one->next) {     \
    if (one->kind != SERIES_UPSTREAM) continue;                                   \
    const uint64_t value = ((const struct upstream_series *)one)->counts.counter; \
    if (is_seen(one, value)) visitor->value(context, #counter, one->name, value); \
  }
  UPSTREAM_COUNTERS(X)
#undef X
}

const char *gateway_reason_name(unsigned reason) {
  return reason == GATEWAY_REASON_NONE ? "none" : decide_reason_name((enum decide_reason)reason);
}
