#include "tokens.h"

static void count(struct counters *counters, enum jwt_outcome outcome) {
  switch (outcome) {
    case JWT_VERIFIED:
      COUNT(counters, tokens_verified);
      return;
    case JWT_REPEATED:
    case JWT_TOO_LARGE:
    case JWT_MALFORMED:
      COUNT(counters, tokens_malformed);
      return;
    case JWT_WRONG_ALGORITHM:
      COUNT(counters, tokens_wrong_algorithm);
      return;
    case JWT_NO_KEY:
      COUNT(counters, tokens_unknown_key);
      return;
    case JWT_BAD_SIGNATURE:
      COUNT(counters, tokens_wrong_signature);
      return;
    case JWT_NO_EXPIRY:
    case JWT_EXPIRED:
      COUNT(counters, tokens_expired);
      return;
    case JWT_NOT_YET_VALID:
      COUNT(counters, tokens_early);
      return;
    case JWT_WRONG_ISSUER:
    case JWT_WRONG_AUDIENCE:
      COUNT(counters, tokens_foreign);
      return;
    case JWT_NO_KEYS:
    case JWT_FAILED:
      COUNT(counters, tokens_unjudged);
      return;
    case JWT_ABSENT:
    case JWT_OUTCOMES:
      return;
  }
}

/* jwt_count_fn */
static void note(void *context, enum jwt_outcome outcome, bool cached) {
  struct worker_policy *policy = context;
  struct worker *worker = policy->worker;
  if (cached) COUNT(&worker->counters, tokens_cached);
  if (!cached || outcome != JWT_VERIFIED) count(&worker->counters, outcome);
  if (outcome == JWT_NO_KEY && !cached && policy->keyset)
    keyset_want(worker->shared.keysets, policy->keyset);
}

bool worker_tokens_take(struct worker *worker, struct worker_policy *policy) {
  const struct config *config = policy_config(policy->policy);
  struct jwt_keys *keys = NULL;
  if (!config->has_jwt) return true;
  if (config->jwt.keys) {
    keys = jwt_keys_ref(config->jwt.keys);
  } else {
    policy->keyset = keyset_ref(worker->shared.keysets, &config->jwt.fetched);
    if (!policy->keyset) return false;
    keys = keyset_keys(worker->shared.keysets, policy->keyset, &policy->keyset_version);
  }
  policy->tokens = jwt_verifier_new(&config->jwt.spec, keys, note, policy);
  jwt_keys_unref(&keys);
  if (!policy->tokens) return false;
  decider_supply(policy->decider, SOURCE_JWT, jwt_verifier_supplier(policy->tokens));
  return true;
}

void worker_tokens_drop(struct worker_policy *policy) {
  jwt_verifier_free(&policy->tokens);
  keyset_unref(policy->worker->shared.keysets, &policy->keyset);
}

void worker_tokens_turn(struct worker *worker) {
  struct worker_policy *policy = worker->policy;
  if (!policy->keyset || keyset_version(policy->keyset) == policy->keyset_version) return;
  struct jwt_keys *keys =
      keyset_keys(worker->shared.keysets, policy->keyset, &policy->keyset_version);
  jwt_verifier_set_keys(policy->tokens, keys);
  jwt_keys_unref(&keys);
}

enum jwt_outcome worker_tokens_refuse(struct worker_policy *policy,
                                      const struct http_request *request) {
  const struct config_jwt *jwt = &policy_config(policy->policy)->jwt;
  if (!jwt->refuse_invalid) return JWT_VERIFIED;
  const struct attr_request asked = {.fields = request->fields,
                                     .field_count = request->field_count,
                                     .now_ms = policy->worker->now_wall_ms};
  const enum jwt_outcome outcome = jwt_verifier_judge(policy->tokens, &asked, NULL);
  return outcome == JWT_ABSENT && !jwt->refuse_absent ? JWT_VERIFIED : outcome;
}
