/* Which rules and conditions the tests of rule files decide, and tests that would. */
#include "adit/arena.h"
#include "adit/conditions.h"
#include "adit/prober.h"
#include "adit/text.h"
#include "cli/tests.h"

enum { COVERAGE_BYTES_MAX = 256 << 20, GAPS_SHOWN_MAX = 20, VALUE_SHOWN_MAX = 80 };

enum { SEEN_TRUE = 1, SEEN_FALSE = 2, SEEN_BOTH = 3 };

/* What tests did with a rule: one was decided by it, another asked it in vain. */
enum { RULE_DECIDED = 1, RULE_PASSED_OVER = 2 };

struct route_coverage {
  const struct route *route;
  unsigned char *rules;  /* by rule: RULE_… */
  const size_t *offsets; /* by rule: of its first condition in `seen` */
  unsigned char *seen;   /* by condition */
  /* The same, with the tests that are proposed. */
  unsigned char *planned_rules, *planned_seen;
  size_t condition_count;
};

struct coverage {
  struct arena *arena;
  VEC(struct route_coverage) routes;
};

struct coverage *coverage_new(void) {
  struct arena *arena = arena_new(COVERAGE_BYTES_MAX);
  struct coverage *coverage = arena ? ARENA_NEW(arena, struct coverage) : NULL;
  if (!coverage) {
    arena_free(&arena);
    return NULL;
  }
  coverage->arena = arena;
  return coverage;
}

void coverage_free(struct coverage **coverage) {
  struct arena *arena = *coverage ? (*coverage)->arena : NULL;
  *coverage = NULL;
  arena_free(&arena);
}

static size_t leaves_of(const struct rule *rule) {
  return rule->when ? rule->when->leaf_count : 0;
}

/* NULL: memory. */
static struct route_coverage *add_route(struct coverage *coverage, const struct route *route) {
  struct arena *arena = coverage->arena;
  size_t *offsets = ARENA_ARRAY(arena, size_t, route->rule_count);
  struct route_coverage added = {.route = route, .offsets = offsets};
  if (!offsets) return NULL;
  for (size_t i = 0; i < route->rule_count; i++) {
    offsets[i] = added.condition_count;
    added.condition_count += leaves_of(&route->rules[i]);
  }
  added.rules = ARENA_ARRAY(arena, unsigned char, route->rule_count);
  added.seen = ARENA_ARRAY(arena, unsigned char, added.condition_count);
  added.planned_rules = ARENA_ARRAY(arena, unsigned char, route->rule_count);
  added.planned_seen = ARENA_ARRAY(arena, unsigned char, added.condition_count);
  if (!added.rules || !added.seen || !added.planned_rules || !added.planned_seen ||
      !VEC_PUSH(arena, &coverage->routes, added))
    return NULL;
  return &coverage->routes.items[coverage->routes.n - 1];
}

static struct route_coverage *coverage_of(struct coverage *coverage, const struct route *route) {
  for (size_t i = coverage->routes.n; i-- > 0;) {
    if (coverage->routes.items[i].route == route) return &coverage->routes.items[i];
  }
  return add_route(coverage, route);
}

static unsigned char seen_of(enum tristate result) {
  switch (result) {
    case TRISTATE_TRUE:
      return SEEN_TRUE;
    case TRISTATE_FALSE:
      return SEEN_FALSE;
    case TRISTATE_UNKNOWN:
      break;
  }
  return 0;
}

static void note(const struct route_coverage *own, const struct decision *decision,
                 const struct rules_trace *trace, unsigned char *rules, unsigned char *seen) {
  if (decision->rule && decision->reason != REASON_LIMIT)
    rules[decision->rule - own->route->rules] |= RULE_DECIDED;
  for (size_t i = 0; i < trace->rule_count; i++) {
    const struct trace_rule *rule = &trace->rules[i];
    if (rule->result == RULE_UNMATCHED || rule->result == RULE_UNKNOWN)
      rules[i] |= RULE_PASSED_OVER;
    for (size_t k = 0; k < rule->condition_count; k++)
      seen[own->offsets[i] + k] |= seen_of(rule->conditions[k].result);
  }
}

void coverage_note(void *context, const struct decision *decision,
                   const struct rules_trace *trace) {
  struct route_coverage *own = decision->route ? coverage_of(context, decision->route) : NULL;
  if (!own) return;
  note(own, decision, trace, own->rules, own->seen);
  note(own, decision, trace, own->planned_rules, own->planned_seen);
}

/* ---- the report ------------------------------------------------------------------------------ */

struct report {
  const struct route_coverage *of;
  const struct rule *rule;
  struct text *out;
  struct policy_prober *prober; /* NULL: memory */
  size_t gaps;
};

/* ---- tests that would close a gap ---- */

static bool is_planned(const struct report *report, const struct probe *probe) {
  size_t index = (size_t)(probe->rule - report->of->route->rules);
  unsigned char rule = report->of->planned_rules[index];
  switch (probe->aim) {
    case PROBE_DECIDES:
      return rule & RULE_DECIDED;
    case PROBE_FAILS:
      return rule & RULE_PASSED_OVER;
    case PROBE_LEAF_TRUE:
    case PROBE_LEAF_FALSE:
      break;
  }
  unsigned char seen = report->of->planned_seen[report->of->offsets[index] + probe->leaf];
  return seen & (probe->aim == PROBE_LEAF_TRUE ? SEEN_TRUE : SEEN_FALSE);
}

static void add_leaf(struct text *out, const struct leaf *leaf) {
  bool cut = leaf->value_json.n > VALUE_SHOWN_MAX;
  text_printf(out, "%.*s %s ", STR_ARG(leaf->attribute), leaf->op);
  text_add(out, cut ? STR("...") : leaf->value_json);
}

static const char *aim_name(enum probe_aim aim) {
  switch (aim) {
    case PROBE_DECIDES:
      return "decides";
    case PROBE_FAILS:
      return "is passed over";
    case PROBE_LEAF_TRUE:
      return "is true";
    case PROBE_LEAF_FALSE:
      break;
  }
  return "is false";
}

/* "rule 'east': region in ["cn"] is false", as JSON. */
static void add_name(struct text *out, const struct probe *probe, const struct leaf *leaf) {
  struct text name;
  text_init(&name, 4096);
  text_printf(&name, "rule '%.*s'%s ", STR_ARG(probe->rule->id), leaf ? ":" : "");
  if (leaf) {
    add_leaf(&name, leaf);
    text_add_char(&name, ' ');
  }
  text_add(&name, str_from_cstr(aim_name(probe->aim)));
  text_add_json(out, text_str(&name));
  text_deinit(&name);
}

/* An entry of a rule file's tests. */
static void add_test(struct text *out, const struct probe *probe, const struct leaf *leaf,
                     const struct probe_answer *answer) {
  const struct decision *decision = answer->decision;
  text_add(out, STR("{\"name\":"));
  add_name(out, probe, leaf);
  text_add(out, STR(",\"request\":"));
  text_add(out, answer->json);
  text_add(out, STR(",\"expect\":{\"variant\":"));
  text_add_json(out, decision->route->variants[decision->variant].name);
  text_printf(out, ",\"reason\":\"%s\",\"rule\":", decide_reason_name(decision->reason));
  if (decision->rule) {
    text_add_json(out, decision->rule->id);
  } else {
    text_add(out, STR("null"));
  }
  text_add(out, STR("}}"));
}

static void add_answer(struct report *report, const struct probe *probe, const struct leaf *leaf,
                       const struct probe_answer *answer) {
  struct text *out = report->out;
  switch (answer->verdict) {
    case PROBE_FOUND:
      text_add(out, STR("  add: "));
      add_test(out, probe, leaf, answer);
      text_add_char(out, '\n');
      note(report->of, answer->decision, answer->trace, report->of->planned_rules,
           report->of->planned_seen);
      return;
    case PROBE_IMPOSSIBLE:
      text_printf(out, "  impossible: in no request of the route it %s\n", aim_name(probe->aim));
      return;
    case PROBE_TAKEN:
      text_printf(out, "  impossible: earlier rules take every request in which it %s\n",
                  aim_name(probe->aim));
      return;
    case PROBE_OPEN:
      break;
  }
  text_printf(out, "  no request in which it %s was found within %zu steps\n", aim_name(probe->aim),
              answer->steps);
}

/* Proposes a test, unless one that is proposed already will do. `leaf` (NULL: none) is the
 * probe's. */
static void propose(struct report *report, const struct probe *probe, const struct leaf *leaf) {
  const struct route *route = report->of->route;
  if (is_planned(report, probe)) {
    text_printf(report->out, "  a test above finds that it %s\n", aim_name(probe->aim));
    return;
  }
  if (route->state == ROUTE_OFF || route->state == ROUTE_FULL) {
    text_printf(report->out, "  impossible: in state \"%s\" no rule is asked\n",
                route_state_name(route->state));
    return;
  }
  if (!report->prober) return;
  struct probe_answer answer = policy_probe(report->prober, probe);
  add_answer(report, probe, leaf, &answer);
}

/* ---- gaps ---- */

/* Whether this gap is one of those that are shown. */
static bool begin_gap(struct report *report, unsigned line, unsigned column) {
  if (report->gaps++ >= GAPS_SHOWN_MAX) return false;
  text_printf(report->out, "%s:%u:%u: rule '%.*s': ", report->of->route->file, line, column,
              STR_ARG(report->rule->id));
  return true;
}

static void report_leaf(struct report *report, const struct leaf *leaf, size_t at) {
  unsigned char seen = report->of->seen[at];
  if (seen == SEEN_BOTH) return;
  /* A segment of adit.json stands in another file: the rule is where the gap is. */
  unsigned line = leaf->in_gateway ? report->rule->line : leaf->line;
  unsigned column = leaf->in_gateway ? report->rule->column : leaf->column;
  if (!begin_gap(report, line, column)) return;
  const char *never = seen == SEEN_TRUE ? "false" : seen == SEEN_FALSE ? "true" : "true or false";
  text_add(report->out, STR("no test finds "));
  add_leaf(report->out, leaf);
  text_printf(report->out, " %s\n", never);
  size_t index = (size_t)(report->rule - report->of->route->rules);
  struct probe probe = {report->rule, PROBE_LEAF_TRUE, at - report->of->offsets[index]};
  if (!(seen & SEEN_TRUE)) propose(report, &probe, leaf);
  probe.aim = PROBE_LEAF_FALSE;
  if (!(seen & SEEN_FALSE)) propose(report, &probe, leaf);
}

static void report_conditions(struct report *report, const struct condition *node, size_t at) {
  if (node->kind == CONDITION_LEAF) {
    report_leaf(report, &node->as.leaf, at);
    return;
  }
  for (size_t i = 0; i < node->as.children.n; i++) {
    report_conditions(report, node->as.children.items[i], at);
    at += node->as.children.items[i]->leaf_count;
  }
}

/* With one condition the condition's own line says that the rule never fails. */
static void report_rule(struct report *report, unsigned char seen) {
  const struct rule *rule = report->rule;
  const char *gap = NULL;
  if (!(seen & RULE_DECIDED))
    gap = seen & RULE_PASSED_OVER ? "no test matches it: those that reach it pass on"
                                  : "no test reaches it";
  else if (!(seen & RULE_PASSED_OVER) && leaves_of(rule) > 1)
    gap = "no test that reaches it passes on";
  if (!gap || !begin_gap(report, rule->line, rule->column)) return;
  text_printf(report->out, "%s\n", gap);
  struct probe probe = {.rule = rule, .aim = PROBE_DECIDES};
  if (!(seen & RULE_DECIDED)) propose(report, &probe, NULL);
  probe.aim = PROBE_FAILS;
  if (!(seen & RULE_PASSED_OVER) && leaves_of(rule) > 1) propose(report, &probe, NULL);
}

/* Times are as they like: what is proposed once is proposed again. */
static const int64_t PROPOSED_NOW_MS = 1767225600000; /* 2026-01-01 */

static void report_route(struct policy *policy, const struct route_coverage *own,
                         struct text *out) {
  struct report report = {
      .of = own, .out = out, .prober = policy_prober_new(policy, own->route, PROPOSED_NOW_MS)};
  for (size_t i = 0; i < own->route->rule_count; i++) {
    report.rule = &own->route->rules[i];
    report_rule(&report, own->rules[i]);
    if (report.rule->when) report_conditions(&report, report.rule->when, own->offsets[i]);
  }
  if (report.gaps > GAPS_SHOWN_MAX)
    text_printf(out, "%s: and %zu more\n", own->route->file, report.gaps - GAPS_SHOWN_MAX);
  policy_prober_free(&report.prober);
}

static void add_sums(const struct route_coverage *own, struct coverage_sums *sums) {
  sums->rules += own->route->rule_count;
  sums->conditions += own->condition_count;
  for (size_t i = 0; i < own->route->rule_count; i++) sums->decided += own->rules[i] & RULE_DECIDED;
  for (size_t i = 0; i < own->condition_count; i++) sums->both += own->seen[i] == SEEN_BOTH;
}

struct coverage_sums coverage_sum(struct coverage *coverage, const struct route *route) {
  struct coverage_sums sums = {0};
  const struct route_coverage *own = coverage_of(coverage, route);
  if (own) add_sums(own, &sums);
  return sums;
}

void coverage_format(struct coverage *coverage, struct policy *policy, struct text *out) {
  struct coverage_sums sums = {0};
  for (size_t i = 0; i < policy_route_count(policy); i++) {
    const struct route_coverage *own = coverage_of(coverage, policy_route(policy, i));
    if (own) add_sums(own, &sums);
  }
  text_printf(out, "coverage: %zu of %zu rules decided, %zu of %zu conditions both ways%s\n",
              sums.decided, sums.rules, sums.both, sums.conditions,
              arena_failed(coverage->arena) ? " (not all: out of memory)" : "");
  for (size_t i = 0; i < policy_route_count(policy); i++) {
    const struct route_coverage *own = coverage_of(coverage, policy_route(policy, i));
    if (own) report_route(policy, own, out);
  }
}
