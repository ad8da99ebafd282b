/* answer: what a batch request is answered, whoever asks: a line of a batch, or the admin server.
 */
#include "adit/arena.h"
#include "adit/policy.h"
#include "adit/text.h"

void request_mistake(const struct diags *diags, struct text *out) {
  if (diags_size(diags) == 0) {
    text_add(out, STR("out of memory"));
    return;
  }
  const struct diag *diag = diags_get(diags, 0);
  text_add(out, str_from_cstr(diag->message));
  if (diag->hint) text_printf(out, " (%s)", diag->hint);
  if (diag->at.column) text_printf(out, ", at column %u", diag->at.column);
}

bool request_decide(struct policy *policy, struct decider *decider,
                    const struct decide_request *request, struct arena *arena, struct decision *ret,
                    struct rules_trace *trace, struct str *ret_why) {
  struct decide_request stripped = *request;
  *ret_why = STR("out of memory");
  if (!policy_strip_request(policy, arena, &stripped)) return false;
  decide(decider, &stripped, ret, trace, arena);
  if (!ret->route) return true;
  struct str refused = request_refused_attribute(&stripped.attr, ret->route);
  if (!refused.p) return true;
  struct str why =
      arena_printf(arena, "request: '%.*s' is not a declared attribute", STR_ARG(refused));
  if (why.p) *ret_why = why;
  return false;
}
