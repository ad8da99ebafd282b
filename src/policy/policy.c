#include "adit/policy.h"

#include <assert.h>
#include <stdlib.h>

#include "policy_private.h"

struct policy *policy_ref(struct policy *policy) {
  atomic_fetch_add_explicit(&policy->references, 1, memory_order_relaxed);
  return policy;
}

void policy_unref(struct policy **policy) {
  struct policy *old = *policy;
  *policy = NULL;
  if (!old || atomic_fetch_sub_explicit(&old->references, 1, memory_order_acq_rel) > 1) return;
  for (size_t i = 0; i < old->file_count; i++) route_unref(&old->files[i].route);
  config_free(&old->config);
  arena_free(&old->arena);
  free(old);
}

const struct config *policy_config(const struct policy *policy) {
  return policy->config;
}

size_t policy_route_count(const struct policy *policy) {
  return policy->route_count;
}

const struct route *policy_route(const struct policy *policy, size_t i) {
  assert(i < policy->route_count);
  return policy->routes[i];
}

const struct router *policy_router(const struct policy *policy) {
  return policy->router;
}

size_t policy_route_number(const struct policy *policy, const struct route *route) {
  size_t low = 0;
  size_t high = policy->route_count;
  while (high - low > 1) {
    size_t middle = low + (high - low) / 2;
    if ((uintptr_t)policy->by_route[middle]->route <= (uintptr_t)route)
      low = middle;
    else
      high = middle;
  }
  assert(low < policy->route_count && policy->by_route[low]->route == route);
  return low;
}

size_t policy_upstream(const struct policy *policy, const struct route *route, uint16_t variant) {
  assert(variant < route->variant_count);
  return policy->by_route[policy_route_number(policy, route)]->upstreams[variant];
}

struct str policy_hash(const struct policy *policy) {
  return str_make(policy->hash, sizeof(policy->hash));
}

const struct sticky_key *policy_keys(const struct policy *policy, size_t *ret_n) {
  *ret_n = policy->key_count;
  return policy->keys;
}

const struct policy_test *policy_tests(const struct policy *policy, size_t *ret_n) {
  *ret_n = policy->test_count;
  return policy->tests;
}

/* What answers for sources beyond the request; each reader has suppliers of its own. */
static const struct {
  enum attr_source_kind kind;
  bool (*make)(const struct geo *geo, struct attr_supplier *ret);
} suppliers[] = {{SOURCE_GEOIP, geo_supplier_of_fields}, {SOURCE_CIDR, geo_supplier_of_ranges}};
enum { SUPPLIERS = sizeof(suppliers) / sizeof(*suppliers) };

struct decider *policy_decider_new(const struct policy *policy) {
  struct decider *decider = decider_new(policy->router, policy->keys, policy->key_count);
  for (size_t i = 0; decider && i < SUPPLIERS; i++) {
    struct attr_supplier supplier;
    if (suppliers[i].make(policy->config->geo, &supplier)) {
      decider_supply(decider, suppliers[i].kind, supplier);
    } else {
      decider_free(&decider);
    }
  }
  return decider;
}

struct attr_reader *policy_reader_new(const struct policy *policy) {
  struct attr_reader *reader = attr_reader_new();
  for (size_t i = 0; reader && i < SUPPLIERS; i++) {
    struct attr_supplier supplier;
    if (suppliers[i].make(policy->config->geo, &supplier)) {
      attr_reader_supply(reader, suppliers[i].kind, supplier);
    } else {
      attr_reader_free(&reader);
    }
  }
  return reader;
}
