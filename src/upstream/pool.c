/*
 * pool: one upstream's targets in round robin. Belongs to one worker.
 *
 * An endpoint that is an address is one target; one that is a name is a target for each of its
 * addresses. The list is made anew when the resolver says that a name has changed.
 */
#include <stdlib.h>

#include "target.h"

struct pool {
  struct resolver *resolver;
  struct target_table *table;
  const struct config_upstream *config;
  struct resolved_name **names; /* for each endpoint; NULL where it is an address */
  unsigned *versions;           /* those that `targets` was made from */
  bool has_names;
  bool is_outdated; /* memory was short when the list was to be made anew */
  struct target **targets;
  size_t target_count;
  size_t cursor;
};

static void targets_unref(struct target_table *table, struct target **targets, size_t n) {
  for (size_t i = 0; i < n; i++) target_unref(table, &targets[i]);
  free(targets);
}

/* Appends a reference to the target of an address, once. False: memory. */
static bool targets_add(struct pool *pool, struct target ***targets, size_t *n,
                        const struct ip_address *ip, uint16_t port) {
  struct target *target = target_get(pool->table, ip, port);
  if (!target) return false;
  for (size_t i = 0; i < *n; i++) {
    if ((*targets)[i] == target) {
      target_unref(pool->table, &target);
      return true;
    }
  }
  struct target **grown = reallocarray(*targets, *n + 1, sizeof(struct target *));
  if (!grown) {
    target_unref(pool->table, &target);
    return false;
  }
  *targets = grown;
  grown[(*n)++] = target;
  return true;
}

static bool endpoint_add(struct pool *pool, size_t i, struct target ***targets, size_t *n) {
  const struct config_endpoint *endpoint = &pool->config->endpoints[i];
  if (endpoint->is_address) return targets_add(pool, targets, n, &endpoint->ip, endpoint->port);
  struct ip_address addresses[RESOLVED_ADDRESSES_MAX];
  size_t found = resolved_name_read(pool->resolver, pool->names[i], addresses,
                                    RESOLVED_ADDRESSES_MAX, &pool->versions[i]);
  for (size_t k = 0; k < found; k++)
    if (!targets_add(pool, targets, n, &addresses[k], endpoint->port)) return false;
  return true;
}

/* New references are taken before the old ones are dropped, so that what stays keeps its idle
 * connections. Short of memory the old list stays, until the next attempt tries again. */
static bool pool_rebuild(struct pool *pool) {
  struct target **targets = NULL;
  size_t n = 0;
  for (size_t i = 0; i < pool->config->endpoint_count; i++) {
    if (!endpoint_add(pool, i, &targets, &n)) {
      targets_unref(pool->table, targets, n);
      pool->is_outdated = true;
      return false;
    }
  }
  targets_unref(pool->table, pool->targets, pool->target_count);
  pool->targets = targets;
  pool->target_count = n;
  pool->is_outdated = false;
  return true;
}

static bool pool_is_stale(const struct pool *pool) {
  if (pool->is_outdated) return true;
  for (size_t i = 0; i < pool->config->endpoint_count; i++)
    if (pool->names[i] && resolved_name_version(pool->names[i]) != pool->versions[i]) return true;
  return false;
}

static bool names_ref(struct pool *pool) {
  for (size_t i = 0; i < pool->config->endpoint_count; i++) {
    const struct config_endpoint *endpoint = &pool->config->endpoints[i];
    if (endpoint->is_address) continue;
    pool->has_names = true;
    pool->names[i] = resolver_name_ref(pool->resolver, endpoint->host);
    if (!pool->names[i]) return false;
  }
  return true;
}

struct pool *pool_new(struct resolver *resolver, struct target_table *table,
                      const struct config_upstream *upstream) {
  struct pool *pool = calloc(1, sizeof(*pool));
  if (!pool) return NULL;
  *pool = (struct pool){.resolver = resolver, .table = table, .config = upstream};
  pool->names = calloc(upstream->endpoint_count, sizeof(struct resolved_name *));
  pool->versions = calloc(upstream->endpoint_count, sizeof(unsigned));
  if (!pool->names || !pool->versions || !names_ref(pool) || !pool_rebuild(pool)) pool_free(&pool);
  return pool;
}

void pool_free(struct pool **pool) {
  struct pool *gone = *pool;
  *pool = NULL;
  if (!gone) return;
  targets_unref(gone->table, gone->targets, gone->target_count);
  for (size_t i = 0; gone->names && i < gone->config->endpoint_count; i++)
    resolver_name_unref(gone->resolver, &gone->names[i]);
  free(gone->names);
  free(gone->versions);
  free(gone);
}

const struct config_upstream *pool_config(const struct pool *pool) {
  return pool->config;
}

/* Whether a target was avoided before the attempt began (and not on the attempt's own account). */
static bool is_avoided(const struct target *target, const struct pool_attempt *attempt) {
  return target->avoid_until_ms > attempt->started_ms &&
         target->avoid_until_ms <= attempt->started_ms + TARGET_AVOID_MS;
}

struct target *pool_next(struct pool *pool, struct pool_attempt *attempt, int64_t now_ms,
                         bool desperate) {
  if (!attempt->started) {
    if (pool->has_names && pool_is_stale(pool)) (void)pool_rebuild(pool);
    attempt->started = true;
    attempt->started_ms = now_ms;
    attempt->start = pool->cursor++;
  }
  size_t n = pool->target_count;
  size_t rounds = desperate ? 2 : 1; /* the second is for those that the first left out */
  while (attempt->tried < n * rounds) {
    bool second_round = attempt->tried >= n;
    struct target *target = pool->targets[(attempt->start + attempt->tried++) % n];
    if (is_avoided(target, attempt) != second_round) continue;
    target_ref(target);
    return target;
  }
  return NULL;
}
