/*
 * explain --diff: one request under two policies.
 *
 *   explain_load_other   the given files in place of those with their routes
 *   explain_diff ─► decide() by each ─► summary, then each setting, what was drawn, and each rule
 *                                       that is otherwise, "-" and "+"
 */
#include <stdio.h>
#include <stdlib.h>

#include "adit/arena.h"
#include "adit/hash.h"
#include "adit/text.h"
#include "cli/explain.h"
#include "cli/explanation.h"

/* ---- the other policy ------------------------------------------------------------------------ */

static bool has_route(const struct policy *policy, struct str name) {
  for (size_t i = 0; i < policy_route_count(policy); i++)
    if (str_eq(policy_route(policy, i)->name, name)) return true;
  return false;
}

struct policy *explain_load_other(const struct cli_command *command, const char *config_path,
                                  const struct policy *policy, char *const *paths, size_t n) {
  struct diags *diags = NULL;
  struct policy *given = cli_load_policy(command, config_path, paths, n, &diags);
  diags_free(&diags);
  if (!given) return NULL;
  size_t all = 0;
  char **files = calloc(n + policy_route_count(policy), sizeof(*files));
  for (size_t i = 0; files && i < n; i++) files[all++] = paths[i];
  for (size_t i = 0; files && i < policy_route_count(policy); i++) {
    const struct route *route = policy_route(policy, i);
    if (!has_route(given, route->name)) files[all++] = strdup(route->file);
  }
  struct policy *other = files ? cli_load_policy(command, config_path, files, all, &diags) : NULL;
  if (!files) cli_error(command, "out of memory");
  for (size_t i = n; i < all; i++) free(files[i]);
  free(files);
  diags_free(&diags);
  policy_unref(&given);
  return other;
}

/* ---- alike or not ---------------------------------------------------------------------------- */

static struct str route_of(const struct decision *decision) {
  return decision->route ? decision->route->name : (struct str){0};
}

static struct str variant_of(const struct decision *decision) {
  return decision->route ? decision->route->variants[decision->variant].name : (struct str){0};
}

static struct str rule_of(const struct decision *decision) {
  return decision->rule ? decision->rule->id : (struct str){0};
}

static bool same_name(struct str a, struct str b) {
  return a.p && b.p ? str_eq(a, b) : a.p == b.p;
}

struct str explain_upstream(const struct decision *decision) {
  return decision->route ? decision->route->variants[decision->variant].upstream : (struct str){0};
}

bool explain_moves_upstream(const struct decision *before, const struct decision *after) {
  return before->route && after->route && same_name(variant_of(before), variant_of(after)) &&
         !same_name(explain_upstream(before), explain_upstream(after));
}

bool explain_same(const struct decision *before, const struct decision *after) {
  return before->reason == after->reason && same_name(route_of(before), route_of(after)) &&
         same_name(variant_of(before), variant_of(after)) &&
         same_name(rule_of(before), rule_of(after)) && !explain_moves_upstream(before, after);
}

void explain_pair_to_json(const struct decision *before, const struct decision *after,
                          struct text *out) {
  text_printf(out, "{\"same\":%s,\"before\":", explain_same(before, after) ? "true" : "false");
  decision_to_json(before, NULL, out);
  text_add(out, STR(",\"after\":"));
  decision_to_json(after, NULL, out);
  if (!explain_moves_upstream(before, after)) return;
  text_add(out, STR(",\"upstreams\":["));
  text_add_json(out, explain_upstream(before));
  text_add_char(out, ',');
  text_add_json(out, explain_upstream(after));
  text_add_char(out, ']');
}

/* ---- one request under one policy ------------------------------------------------------------ */

struct side {
  struct decider *decider;
  struct attr_reader *reader;
  struct explain_tokens tokens;
  struct arena *arena;
  struct decide_request request;
  struct decision decision;
  struct rules_trace trace;
  struct explanation shown;
};

static void side_deinit(struct side *side) {
  policy_prober_free(&side->shown.prober);
  attr_reader_free(&side->reader);
  decider_free(&side->decider);
  explain_tokens_deinit(&side->tokens);
  arena_free(&side->arena);
}

/* False: memory; side_deinit is due all the same. */
static bool side_decide(struct side *side, struct policy *policy,
                        const struct decide_request *request) {
  *side = (struct side){.decider = policy_decider_new(policy),
                        .reader = policy_reader_new(policy),
                        .arena = arena_new(EXPLAIN_ARENA_BYTES),
                        .request = *request};
  if (!side->decider || !side->reader || !side->arena ||
      !policy_strip_request(policy, side->arena, &side->request) ||
      !explain_tokens_init(&side->tokens, policy, &side->request.attr, side->decider, side->reader))
    return false;
  decide(side->decider, &side->request, &side->decision, &side->trace, side->arena);
  if (side->decision.route)
    attr_reader_begin(side->reader, side->decision.route->table, &side->request.attr);
  side->shown = (struct explanation){
      policy,       &side->request, &side->decision,
      &side->trace, side->reader,   explain_prober(policy, &side->request, &side->decision),
      {0}};
  return true;
}

/* ---- text ------------------------------------------------------------------------------------ */

static void format_side(const struct side *side, const char *label, bool with_upstream,
                        struct text *out) {
  struct str variant = variant_of(&side->decision), upstream = explain_upstream(&side->decision);
  explanation_label(out, label);
  text_add(out, variant.p ? variant : STR("no route"));
  if (with_upstream) text_printf(out, " (upstream %.*s)", STR_ARG(upstream));
  text_add(out, STR(", "));
  explanation_format_reason(&side->shown, out);
}

/* What a rule, or the default, says on each side. */
struct texts {
  struct text before, after;
};

static void texts_clear(struct texts *texts) {
  text_clear(&texts->before);
  text_clear(&texts->after);
}

/* Lines that begin with a blank, with a mark in its place. */
static void add_marked(struct text *out, char mark, struct str lines) {
  if (lines.n == 0) return;
  text_add_char(out, mark);
  text_add(out, str_skip(lines, 1));
}

static void add_difference(const struct texts *texts, struct text *out) {
  struct str before = text_str(&texts->before), after = text_str(&texts->after);
  if (str_eq(before, after)) return;
  add_marked(out, '-', before);
  add_marked(out, '+', after);
}

/* NULL: the side does not have the rule. */
static void format_rule(const struct side *before, const struct trace_rule *old,
                        const struct side *after, const struct trace_rule *new, struct texts *texts,
                        struct text *out) {
  texts_clear(texts);
  if (old) explanation_format_rule(&before->shown, old, &texts->before);
  if (new) explanation_format_rule(&after->shown, new, &texts->after);
  add_difference(texts, out);
}

static void format_default(const struct side *before, const struct side *after, struct texts *texts,
                           struct text *out) {
  texts_clear(texts);
  if (before->decision.route) explanation_format_default(&before->shown, &texts->before);
  if (after->decision.route) explanation_format_default(&after->shown, &texts->after);
  add_difference(texts, out);
}

static void format_draw(const struct side *side, struct text *out) {
  text_add(out, STR("  "));
  explanation_format_draw(&side->shown, out);
  if (out->n == 2) text_clear(out); /* no split was asked */
}

/* What the files say of the route, and what it made of a draw. */
static bool format_settings(const struct side *before, const struct side *after, struct text *out) {
  struct texts texts;
  if (!before->decision.route || !after->decision.route) return true;
  text_init(&texts.before, EXPLAIN_TEXT_BYTES);
  text_init(&texts.after, EXPLAIN_TEXT_BYTES);
  for (size_t i = 0; explanation_format_setting(&before->shown, i, &texts.before); i++) {
    (void)explanation_format_setting(&after->shown, i, &texts.after);
    add_difference(&texts, out);
    texts_clear(&texts);
  }
  format_draw(before, &texts.before);
  format_draw(after, &texts.after);
  add_difference(&texts, out);
  bool ok = !text_failed(&texts.before) && !text_failed(&texts.after);
  text_deinit(&texts.before);
  text_deinit(&texts.after);
  return ok;
}

static struct str_set *index_rules(const struct side *side) {
  struct str_set *index = str_set_new(side->arena, side->trace.rule_count + 1);
  for (size_t i = 0; index && i < side->trace.rule_count; i++)
    str_set_add(index, side->trace.rules[i].rule->id, i);
  return index;
}

static const struct trace_rule *find_rule(const struct side *side, const struct str_set *index,
                                          struct str id) {
  size_t i = str_set_find(index, id);
  return i == STR_SET_NONE ? NULL : &side->trace.rules[i];
}

/* What is otherwise for this request: in the order of the rules before, then what is new. False:
 * memory. */
static bool format_rules(const struct side *before, const struct side *after, struct text *out) {
  struct str_set *old = index_rules(before), *new = index_rules(after);
  struct texts texts;
  if (!old || !new) return false;
  text_init(&texts.before, EXPLAIN_TEXT_BYTES);
  text_init(&texts.after, EXPLAIN_TEXT_BYTES);
  for (size_t i = 0; i < before->trace.rule_count; i++) {
    const struct trace_rule *rule = &before->trace.rules[i];
    format_rule(before, rule, after, find_rule(after, new, rule->rule->id), &texts, out);
  }
  for (size_t i = 0; i < after->trace.rule_count; i++) {
    const struct trace_rule *rule = &after->trace.rules[i];
    if (!find_rule(before, old, rule->rule->id))
      format_rule(before, NULL, after, rule, &texts, out);
  }
  format_default(before, after, &texts, out);
  bool ok = !text_failed(&texts.before) && !text_failed(&texts.after);
  text_deinit(&texts.before);
  text_deinit(&texts.after);
  return ok;
}

static bool format_text(const struct side *before, const struct side *after, struct text *out) {
  struct text rules; /* and settings */
  text_init(&rules, EXPLAIN_TEXT_BYTES);
  bool ok = format_settings(before, after, &rules) && format_rules(before, after, &rules) &&
            !text_failed(&rules);
  bool moves = explain_moves_upstream(&before->decision, &after->decision);
  format_side(before, "before", moves, out);
  format_side(after, "after", moves, out);
  bool same = explain_same(&before->decision, &after->decision);
  explanation_label(out, same ? "same" : "differs");
  if (rules.n == 0)
    text_add(out,
             same ? STR("the files say the same to this request\n")
                  : STR("in what is not shown (what the routes match, a token, a time zone)\n"));
  else
    text_add(out, same ? STR("the decision, though the files say otherwise:\n\n")
                       : STR("where the files say otherwise:\n\n"));
  text_add(out, text_str(&rules));
  text_deinit(&rules);
  return ok;
}

/* ---- explain_diff ---------------------------------------------------------------------------- */

static int print_difference(const struct cli_command *command, const struct side *before,
                            const struct side *after, bool json) {
  struct text out;
  text_init(&out, EXPLAIN_TEXT_BYTES);
  bool ok = true;
  if (json) {
    explain_pair_to_json(&before->decision, &after->decision, &out);
    text_add(&out, STR("}\n"));
  } else {
    ok = format_text(before, after, &out);
  }
  int status = explain_same(&before->decision, &after->decision) ? CLI_OK : CLI_FAILED;
  if (!ok || text_failed(&out))
    status = cli_error(command, "the answer does not fit into memory");
  else
    fwrite(out.p, 1, out.n, stdout);
  text_deinit(&out);
  return status;
}

int explain_diff(const struct cli_command *command, struct policy *policy, struct policy *other,
                 const struct decide_request *request, bool json) {
  struct side before, after;
  bool ready = side_decide(&before, policy, request);
  ready &= side_decide(&after, other, request);
  int status = CLI_USAGE;
  if (!ready)
    status = cli_error(command, "out of memory");
  else if (explain_check_given(command, request, &before.decision) &&
           explain_check_given(command, request, &after.decision))
    status = print_difference(command, &before, &after, json);
  side_deinit(&after);
  side_deinit(&before);
  return status;
}
