/*
 * exchange_key: what an upstream that balances by hash goes by. It is read when the first endpoint
 * is picked, so that nobody reads it for another upstream; once more when stable's takes over.
 */
#include "adit/hash.h"
#include "exchange_steps.h"
#include "forward.h"

/* The same in every worker and every process: a key's endpoint must not change with a restart. */
static uint64_t hash_of(struct str key) {
  static const uint64_t shared[2] = {0x6164697420686173u, 0x685f6279206b6579u};
  return siphash_2_4(shared, key.p, key.n);
}

static enum decide_key find_key(struct exchange *exchange, const struct config_upstream *upstream,
                                struct str *ret) {
  struct worker *worker = exchange->worker;
  struct scratch scratch = {.p = worker->scratch, .capacity = worker->scratch_bytes};
  struct decide_request asked;
  /* It was good enough to decide by. */
  if (!exchange_question(exchange, &scratch, &asked)) return KEY_NONE;
  return decider_find_key(exchange->policy->decider, &asked.attr,
                          exchange_config(exchange)->hash_attributes, upstream->hash_by,
                          upstream->hash_by_count, ret);
}

bool exchange_find_key(struct exchange *exchange) {
  const struct config_upstream *upstream = pool_config(exchange->pool);
  struct str key;
  if (upstream->hash_by_count == 0) return true;
  if (lookup_waits(&exchange->lookup)) return false;
  exchange_begin_lookups(exchange);
  const enum decide_key found = find_key(exchange, upstream, &key);
  exchange_end_lookups(exchange, found == KEY_PENDING);
  if (found == KEY_FOUND) {
    exchange->attempt.random = hash_of(key);
    exchange->attempt.hashed = true;
  }
  return found != KEY_PENDING;
}
