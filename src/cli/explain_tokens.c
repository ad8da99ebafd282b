/* explain_tokens: the request's token, judged as `run` would, with keys fetched on the spot. */
#include "adit/text.h"
#include "adit/units.h"
#include "cli/explain.h"

/* Of a 401 and its like. */
static void add_answer(const struct config_jwt *jwt, enum jwt_outcome outcome, struct text *out) {
  bool refuses = outcome == JWT_ABSENT ? jwt->refuse_absent : jwt->refuse_invalid;
  if (refuses && outcome != JWT_VERIFIED)
    text_printf(out, "; the gateway answers %d", jwt_outcome_is_ours(outcome) ? 503 : 401);
}

static void describe(struct explain_tokens *tokens, const struct config_jwt *jwt,
                     enum jwt_outcome outcome, int64_t expires_ms, const char *fetch_why) {
  char buffer[32];
  struct str why = jwt_outcome_text(outcome);
  struct text *out = &tokens->text;
  if (outcome == JWT_ABSENT && !jwt->refuse_absent) return;
  text_add(out, why);
  if (outcome == JWT_NO_KEYS) text_printf(out, ": %s", fetch_why);
  if (outcome == JWT_VERIFIED) {
    if (expires_ms == INT64_MAX)
      text_add(out, STR(", and never expires"));
    else
      text_printf(out, ", until %.*s", STR_ARG(time_format(expires_ms, buffer, sizeof(buffer))));
  }
  add_answer(jwt, outcome, out);
}

static void fetch_keys(struct explain_tokens *tokens, const struct config_jwt *jwt,
                       char ret_why[KEYSET_WHY_BYTES]) {
  struct jwt_keys *keys = keyset_fetch(&jwt->fetched, NULL, ret_why);
  jwt_verifier_set_keys(tokens->verifier, keys);
  jwt_keys_unref(&keys);
}

static void judge(struct explain_tokens *tokens, const struct config_jwt *jwt,
                  const struct attr_request *request) {
  char why[KEYSET_WHY_BYTES] = "";
  int64_t expires_ms = INT64_MAX;
  enum jwt_outcome outcome = jwt_verifier_judge(tokens->verifier, request, &expires_ms);
  if (outcome == JWT_NO_KEYS) { /* there is a token: now they are worth asking for */
    fetch_keys(tokens, jwt, why);
    outcome = jwt_verifier_judge(tokens->verifier, request, &expires_ms);
  }
  describe(tokens, jwt, outcome, expires_ms, why);
}

bool explain_tokens_init(struct explain_tokens *tokens, const struct policy *policy,
                         const struct attr_request *request, struct decider *decider,
                         struct attr_reader *reader) {
  const struct config *config = policy_config(policy);
  char why[KEYSET_WHY_BYTES];
  *tokens = (struct explain_tokens){0};
  text_init(&tokens->text, 4096);
  if (!config->has_jwt) return true;
  tokens->verifier = jwt_verifier_new(&config->jwt.spec, config->jwt.keys, NULL, NULL);
  if (!tokens->verifier) return false;
  const struct attr_supplier supplier = jwt_verifier_supplier(tokens->verifier);
  decider_supply(decider, SOURCE_JWT, supplier);
  if (reader) attr_reader_supply(reader, SOURCE_JWT, supplier);
  if (request)
    judge(tokens, &config->jwt, request);
  else if (!config->jwt.keys)
    fetch_keys(tokens, &config->jwt, why);
  return !text_failed(&tokens->text);
}

void explain_tokens_deinit(struct explain_tokens *tokens) {
  jwt_verifier_free(&tokens->verifier);
  text_deinit(&tokens->text);
}
