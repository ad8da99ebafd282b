/* Which rules and conditions the tests of rule files decide. */
#include "adit/arena.h"
#include "adit/conditions.h"
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
  if (!added.rules || !added.seen || !VEC_PUSH(arena, &coverage->routes, added)) return NULL;
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

void coverage_note(void *context, const struct decision *decision,
                   const struct rules_trace *trace) {
  struct route_coverage *own = decision->route ? coverage_of(context, decision->route) : NULL;
  if (!own) return;
  if (decision->rule && decision->reason != REASON_LIMIT)
    own->rules[decision->rule - own->route->rules] |= RULE_DECIDED;
  for (size_t i = 0; i < trace->rule_count; i++) {
    const struct trace_rule *rule = &trace->rules[i];
    if (rule->result == RULE_UNMATCHED || rule->result == RULE_UNKNOWN)
      own->rules[i] |= RULE_PASSED_OVER;
    for (size_t k = 0; k < rule->condition_count; k++)
      own->seen[own->offsets[i] + k] |= seen_of(rule->conditions[k].result);
  }
}

/* ---- the report ------------------------------------------------------------------------------ */

struct report {
  const struct route_coverage *of;
  const struct rule *rule;
  struct text *out;
  size_t gaps;
};

/* Whether this gap is one of those that are shown. */
static bool begin_gap(struct report *report, unsigned line, unsigned column) {
  if (report->gaps++ >= GAPS_SHOWN_MAX) return false;
  text_printf(report->out, "%s:%u:%u: rule '%.*s': ", report->of->route->file, line, column,
              STR_ARG(report->rule->id));
  return true;
}

static void report_leaf(struct report *report, const struct leaf *leaf, unsigned char seen) {
  if (seen == SEEN_BOTH) return;
  /* A segment of adit.json stands in another file: the rule is where the gap is. */
  unsigned line = leaf->in_gateway ? report->rule->line : leaf->line;
  unsigned column = leaf->in_gateway ? report->rule->column : leaf->column;
  if (!begin_gap(report, line, column)) return;
  const char *never = seen == SEEN_TRUE ? "false" : seen == SEEN_FALSE ? "true" : "true or false";
  text_printf(report->out, "no test finds %.*s %s ", STR_ARG(leaf->attribute), leaf->op);
  bool cut = leaf->value_json.n > VALUE_SHOWN_MAX;
  text_add(report->out, cut ? STR("...") : leaf->value_json);
  text_printf(report->out, " %s\n", never);
}

static void report_conditions(struct report *report, const struct condition *node, size_t at) {
  if (node->kind == CONDITION_LEAF) {
    report_leaf(report, &node->as.leaf, report->of->seen[at]);
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
  if (gap && begin_gap(report, rule->line, rule->column)) text_printf(report->out, "%s\n", gap);
}

static void report_route(const struct route_coverage *own, struct text *out) {
  struct report report = {.of = own, .out = out};
  for (size_t i = 0; i < own->route->rule_count; i++) {
    report.rule = &own->route->rules[i];
    report_rule(&report, own->rules[i]);
    if (report.rule->when) report_conditions(&report, report.rule->when, own->offsets[i]);
  }
  if (report.gaps > GAPS_SHOWN_MAX)
    text_printf(out, "%s: and %zu more\n", own->route->file, report.gaps - GAPS_SHOWN_MAX);
}

struct sums {
  size_t rules, decided, conditions, both;
};

static void add_sums(const struct route_coverage *own, struct sums *sums) {
  sums->rules += own->route->rule_count;
  sums->conditions += own->condition_count;
  for (size_t i = 0; i < own->route->rule_count; i++) sums->decided += own->rules[i] & RULE_DECIDED;
  for (size_t i = 0; i < own->condition_count; i++) sums->both += own->seen[i] == SEEN_BOTH;
}

void coverage_format(struct coverage *coverage, const struct policy *policy, struct text *out) {
  struct sums sums = {0};
  for (size_t i = 0; i < policy_route_count(policy); i++) {
    const struct route_coverage *own = coverage_of(coverage, policy_route(policy, i));
    if (own) add_sums(own, &sums);
  }
  text_printf(out, "coverage: %zu of %zu rules decided, %zu of %zu conditions both ways%s\n",
              sums.decided, sums.rules, sums.both, sums.conditions,
              arena_failed(coverage->arena) ? " (not all: out of memory)" : "");
  for (size_t i = 0; i < policy_route_count(policy); i++) {
    const struct route_coverage *own = coverage_of(coverage, policy_route(policy, i));
    if (own) report_route(own, out);
  }
}
