/* control: what is done on request: POST /api/v1/reload and /api/v1/explain. */
#include "adit/arena.h"
#include "adit/json.h"
#include "adit/policy.h"
#include "adit/units.h"
#include "admin_private.h"

enum { EXPLAIN_ARENA_BYTES = 64 << 20 };

/* ---- reload ---------------------------------------------------------------------------------- */

static void answer_load(struct admin *admin, struct answer *answer) {
  struct gateway_load *load = gateway_load_ref(admin->gateway);
  bool whole = load && load->outcome == GATEWAY_LOADED;
  gateway_load_unref(&load);
  status_add_load(admin, &answer->body);
  text_add_char(&answer->body, '\n');
  answer_json(answer, whole ? 200 : 422);
}

static void answer_reload(struct admin *admin, struct answer *answer) {
  switch (gateway_stage(admin->gateway)) {
    case GATEWAY_SERVING:
    case GATEWAY_UPGRADING:
      answer_load(admin, answer);
      return;
    case GATEWAY_SUCCEEDED:
      answer_error(answer, 503, "another process has just taken over: ask once more");
      return;
    case GATEWAY_STARTING:
    case GATEWAY_DRAINING:
      answer_error(answer, 503, "nothing is reloaded while the gateway starts or drains");
      return;
  }
}

/* Called again when it is over. */
void ask_reload(struct admin *admin, const struct request *request, struct answer *answer) {
  (void)request;
  enum gateway_stage stage = gateway_stage(admin->gateway);
  if (answer->reload == 0 && (stage == GATEWAY_SERVING || stage == GATEWAY_UPGRADING))
    answer->reload = gateway_ask_reload(admin->gateway);
  if (answer->reload != 0 && !gateway_reload_is_over(admin->gateway, answer->reload)) return;
  answer->reload = 0;
  answer_reload(admin, answer);
}

/* ---- explain --------------------------------------------------------------------------------- */

/* One answer's means, as the workers' at this moment. */
struct explanation {
  struct policy *policy;
  struct arena *arena;
  struct diags *diags;
  struct decider *decider;
  struct jwt_verifier *tokens; /* NULL: adit.json has none */
};

static bool explanation_init(struct explanation *explanation, struct admin *admin) {
  *explanation = (struct explanation){.policy = gateway_policy_ref(admin->gateway),
                                      .arena = arena_new(EXPLAIN_ARENA_BYTES),
                                      .diags = diags_new()};
  const struct config *config = policy_config(explanation->policy);
  explanation->decider = policy_decider_new(explanation->policy);
  if (!explanation->arena || !explanation->diags || !explanation->decider) return false;
  if (!config->has_jwt) return true;
  struct jwt_keys *keys = gateway_token_keys(admin->gateway);
  explanation->tokens = jwt_verifier_new(&config->jwt.spec, keys, NULL, NULL);
  jwt_keys_unref(&keys);
  if (!explanation->tokens) return false;
  decider_supply(explanation->decider, SOURCE_JWT, jwt_verifier_supplier(explanation->tokens));
  return true;
}

static void explanation_deinit(struct explanation *explanation) {
  decider_free(&explanation->decider);
  jwt_verifier_free(&explanation->tokens);
  diags_free(&explanation->diags);
  arena_free(&explanation->arena);
  policy_unref(&explanation->policy);
}

static void answer_decision(struct explanation *explanation, const struct decide_request *asked,
                            bool with_trace, struct answer *answer) {
  struct decision decision;
  struct rules_trace trace = {0};
  struct rules_trace *recorded = with_trace ? &trace : NULL;
  struct str why;
  if (!request_decide(explanation->policy, explanation->decider, asked, explanation->arena,
                      &decision, recorded, &why)) {
    answer_error(answer, 400, "%.*s", STR_ARG(why));
    return;
  }
  decision_to_json(&decision, recorded, &answer->body);
  text_add_char(&answer->body, '\n');
  answer_json(answer, 200);
}

void answer_mistake(const struct diags *diags, struct answer *answer) {
  struct text why;
  text_init(&why, 1 << 16);
  request_mistake(diags, &why);
  answer_error(answer, 400, "%.*s", STR_ARG(text_str(&why)));
  text_deinit(&why);
}

void ask_explain(struct admin *admin, const struct request *request, struct answer *answer) {
  struct explanation explanation;
  struct decide_request asked = {0};
  struct json_doc *doc = NULL;
  if (!explanation_init(&explanation, admin)) {
    answer_error(answer, 500, "out of memory");
  } else {
    doc = json_parse(request->body, "request", JSON_STRICT, explanation.diags);
    if (doc && request_from_json(doc, json_root(doc), explanation.arena, clock_wall_ms(), &asked,
                                 NULL, explanation.diags))
      answer_decision(&explanation, &asked, request->trace, answer);
    else
      answer_mistake(explanation.diags, answer);
  }
  json_free(&doc);
  explanation_deinit(&explanation);
}
