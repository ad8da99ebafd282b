#include "analysis.h"

#include <cjson/cJSON.h>
#include <stdio.h>

#include "adit/regex.h"

/* ---- reporting ------------------------------------------------------------------------------- */

static enum diag_level level_of(enum finding_kind kind) {
  switch (kind) {
    case FINDING_NEVER:
    case FINDING_SHADOWED:
    case FINDING_EXPIRED:
    case FINDING_PASSED:
    case FINDING_NOBODY:
    case FINDING_EVERYBODY:
    case FINDING_NO_EFFECT:
    case FINDING_UNUSED:
    case FINDING_ROUTES:
    case FINDING_PATTERN_TEXT:
    case FINDING_PATTERN_ALL:
    case FINDING_PATTERN_LIMIT:
    case FINDING_CLOSED_GROUP:
      return DIAG_WARNING;
    case NOTE_CLIENT_SAYS:
    case NOTE_OPEN_FORCE:
    case NOTE_MISSING:
    case NOTE_PROXIES:
      break;
  }
  return DIAG_NOTE;
}

void report(struct analysis *analysis, enum finding_kind kind, struct diag_place at,
            const struct rule *rule, struct str witness, const char *hint, const char *format,
            ...) {
  struct findings *findings = analysis->findings;
  va_list args;
  va_start(args, format);
  struct str message = arena_vprintf(findings->arena, format, args);
  va_end(args);
  struct finding finding = {
      .kind = kind, .level = level_of(kind), .at = at, .rule = rule, .message = message.p};
  if (hint) finding.hint = arena_dup(findings->arena, str_from_cstr(hint)).p;
  if (witness.p) finding.witness = arena_dup(findings->arena, witness);
  finding.at.file = arena_dup(findings->arena, str_from_cstr(at.file)).p;
  /* Without memory the arena remembers that it failed. */
  if (message.p) (void)VEC_PUSH(findings->arena, &findings->list, finding);
}

void findings_report(const struct findings *findings, struct diags *diags) {
  for (size_t i = 0; i < findings->list.n; i++) {
    const struct finding *finding = &findings->list.items[i];
    diags_add(diags, finding->level, finding->at, finding->hint, "%s", finding->message);
    if (finding->witness.p)
      diags_add(diags, DIAG_NOTE, finding->at, NULL, "witness: %.*s", STR_ARG(finding->witness));
  }
}

struct diag_place place_of_rule(const struct analysis *analysis, const struct rule *rule) {
  return (struct diag_place){analysis->route->file, rule->line, rule->column};
}

struct diag_place place_of_leaf(const struct analysis *analysis, const struct rule *rule,
                                const struct leaf *leaf) {
  if (leaf->in_gateway || leaf->line == 0) return place_of_rule(analysis, rule);
  return (struct diag_place){analysis->route->file, leaf->line, leaf->column};
}

const char *leaf_show(const struct leaf *leaf, char *buffer) {
  enum { VALUE_SHOWN = 60 };
  size_t n = leaf->value_json.n;
  if (n > VALUE_SHOWN) n = VALUE_SHOWN;
  while (n > 0 && n < leaf->value_json.n && ((unsigned char)leaf->value_json.p[n] & 0xC0) == 0x80)
    n--;
  (void)snprintf(buffer, LEAF_SHOWN_MAX, "'%.*s' %s %.*s%s", STR_ARG(str_take(leaf->attribute, 64)),
                 leaf->op, (int)n, leaf->value_json.p, n < leaf->value_json.n ? "..." : "");
  return buffer;
}

const struct cJSON *rule_node(const struct analysis *analysis, const struct rule *rule) {
  const cJSON *rules = cJSON_GetObjectItemCaseSensitive(json_root(analysis->doc), "rules");
  return cJSON_GetArrayItem(rules, (int)(rule - analysis->route->rules));
}

bool visit_leaves(const struct condition *condition,
                  bool (*visit)(void *context, const struct leaf *leaf), void *context) {
  if (!condition) return true;
  if (condition->kind == CONDITION_LEAF) return visit(context, &condition->as.leaf);
  for (size_t i = 0; i < condition->as.children.n; i++)
    if (!visit_leaves(condition->as.children.items[i], visit, context)) return false;
  return true;
}

struct str keep(struct analysis *analysis, struct str s) {
  return arena_dup(analysis->arena, s);
}

/* ---- searching ------------------------------------------------------------------------------- */

void analysis_spend(struct analysis *analysis, size_t steps) {
  analysis->steps -= steps < analysis->steps ? steps : analysis->steps;
}

void analysis_begin(struct analysis *analysis) {
  arena_reset(analysis->tried);
}

const struct goal *base_goals(struct analysis *analysis, bool clocked) {
  const struct goal *goals = NULL;
  if (analysis->territory)
    goals = goal_add(analysis->tried, goals, analysis->territory, ASSUME_TRUE);
  if (clocked && analysis->clock)
    goals = goal_add(analysis->tried, goals, analysis->clock, ASSUME_TRUE);
  return goals;
}

enum verdict analysis_search(struct analysis *analysis, const struct goal *goals, search_end *end,
                             void *context) {
  struct search search;
  if (analysis->steps < SEARCH_STEPS || !search_begin(&search, analysis->tried, &analysis->domains,
                                                      analysis->values, analysis->scratch))
    return VERDICT_OPEN;
  search.end = end;
  search.context = context;
  size_t used = arena_used(analysis->tried);
  enum verdict verdict = search_run(&search, goals);
  /* Where a step copies sets of many values, that is what it costs. */
  analysis_spend(analysis,
                 SEARCH_STEPS - search.steps + (arena_used(analysis->tried) - used) / STEP_BYTES);
  /* A goal that memory had no room for was not assumed: only what is impossible without it is. */
  return verdict;
}

/* ---- requests -------------------------------------------------------------------------------- */

bool analysis_ask(struct analysis *analysis, struct str json) {
  const struct findings_input *input = analysis->input;
  struct decide_request request;
  if (!input->read(input->context, json, &request)) return false;
  if (router_find(input->router, request.attr.host, request.attr.path) != analysis->route)
    return false;
  /* The reader keeps what it is given by reference. */
  struct attr_request *kept = ARENA_NEW(analysis->tried, struct attr_request);
  if (!kept) return false;
  *kept = request.attr;
  attr_reader_begin(analysis->reader, analysis->route->table, kept);
  return true;
}

bool analysis_confirms(struct analysis *analysis, struct str json, const struct rule *rule) {
  const struct findings_input *input = analysis->input;
  struct decide_request request;
  struct decision decision;
  if (!json.p || !input->read(input->context, json, &request)) return false;
  decide(input->decider, &request, &decision, NULL, NULL);
  if (decision.route != analysis->route) return false;
  return !rule || decision.rule == rule;
}
