/*
 * What would have to be otherwise for a rule to match: of "any" the cheapest branch, of "all" every
 * one that fails, of "not" the opposite. A request that is so is made up and decided before this is
 * said; where the cheapest branches cannot go together, those of a request that the rule decides
 * are named.
 */
#include <stdlib.h>

#include "adit/conditions.h"
#include "adit/prober.h"
#include "adit/text.h"
#include "cli/explanation.h"

enum {
  VALUE_SHOWN_MAX = 80,
  NEVER = 1 << 24 /* more than there are conditions */
};

struct needs {
  const struct trace_condition *seen;
  const struct trace_condition *example; /* what may be needed; NULL: anything */
  enum tristate *wanted;                 /* by leaf; unknown: it does not count */
};

static bool is_so(enum tristate result, bool wanted) {
  return result == (wanted ? TRISTATE_TRUE : TRISTATE_FALSE);
}

/* How many of the leaves have to change for the node, whose leaves begin at `at`, to be `wanted`.
 */
static size_t cost_of(const struct needs *needs, const struct condition *node, size_t at,
                      bool wanted) {
  if (node->kind == CONDITION_LEAF) {
    if (needs->example && !is_so(needs->example[at].result, wanted)) return NEVER;
    return !is_so(needs->seen[at].result, wanted);
  }
  if (node->kind == CONDITION_NOT) return cost_of(needs, node->as.children.items[0], at, !wanted);
  bool every = (node->kind == CONDITION_ALL) == wanted;
  size_t sum = 0, least = NEVER;
  for (size_t i = 0; i < node->as.children.n; i++) {
    const struct condition *child = node->as.children.items[i];
    size_t cost = cost_of(needs, child, at, wanted);
    at += child->leaf_count;
    sum += cost;
    if (cost < least) least = cost;
  }
  size_t cost = every ? sum : least;
  return cost < NEVER ? cost : NEVER;
}

static void choose(const struct needs *needs, const struct condition *node, size_t at,
                   bool wanted) {
  if (node->kind == CONDITION_LEAF) {
    needs->wanted[at] = wanted ? TRISTATE_TRUE : TRISTATE_FALSE;
    return;
  }
  if (node->kind == CONDITION_NOT) {
    choose(needs, node->as.children.items[0], at, !wanted);
    return;
  }
  bool every = (node->kind == CONDITION_ALL) == wanted;
  size_t least = cost_of(needs, node, at, wanted);
  for (size_t i = 0; i < node->as.children.n; i++) {
    const struct condition *child = node->as.children.items[i];
    if (every || cost_of(needs, child, at, wanted) == least) {
      choose(needs, child, at, wanted);
      if (!every) return;
    }
    at += child->leaf_count;
  }
}

/* ---- asking ---------------------------------------------------------------------------------- */

/* Chooses what is wanted. PROBE_OPEN: nothing speaks against it, but no request was found. False:
 * the cheapest cannot be, and nothing else is known. */
static bool choose_possible(const struct explanation *shown, const struct trace_rule *rule,
                            struct needs *needs, enum probe_verdict *ret) {
  struct probe probe = {.rule = rule->rule, .aim = PROBE_DECIDES, .leaves = needs->wanted};
  choose(needs, rule->rule->when, 0, true);
  *ret = shown->prober ? policy_probe(shown->prober, &probe).verdict : PROBE_OPEN;
  if (*ret == PROBE_FOUND || *ret == PROBE_OPEN) return true;
  probe.leaves = NULL;
  struct probe_answer any = policy_probe(shown->prober, &probe);
  *ret = any.verdict;
  if (any.verdict != PROBE_FOUND) return any.verdict != PROBE_OPEN;
  needs->example = any.trace->rules[rule->rule - shown->decision->route->rules].conditions;
  for (size_t i = 0; i < rule->condition_count; i++) needs->wanted[i] = TRISTATE_UNKNOWN;
  choose(needs, rule->rule->when, 0, true);
  return true;
}

/* ---- text ------------------------------------------------------------------------------------ */

static void add_need(const struct leaf *leaf, enum tristate wanted, size_t *count,
                     struct text *out) {
  text_add(out, (*count)++ ? STR(" and ") : STR("      to match: "));
  if (wanted == TRISTATE_FALSE) text_add(out, STR("not "));
  text_printf(out, "%.*s %s ", STR_ARG(leaf->attribute), leaf->op);
  bool cut = leaf->value_json.n > VALUE_SHOWN_MAX;
  text_add(out, cut ? STR("...") : leaf->value_json);
}

static void add_needs(const struct trace_rule *rule, const struct needs *needs, struct text *out) {
  size_t count = 0;
  for (size_t i = 0; i < rule->condition_count; i++) {
    enum tristate wanted = needs->wanted[i];
    if (wanted != TRISTATE_UNKNOWN && needs->seen[i].result != wanted)
      add_need(rule->conditions[i].leaf, wanted, &count, out);
  }
  if (count > 0) text_add_char(out, '\n');
}

static void add_verdict(const struct trace_rule *rule, const struct needs *needs,
                        enum probe_verdict verdict, struct text *out) {
  switch (verdict) {
    case PROBE_FOUND:
    case PROBE_OPEN:
      /* One condition says itself what it wants. */
      if (rule->condition_count > 1) add_needs(rule, needs, out);
      return;
    case PROBE_IMPOSSIBLE:
      text_add(out, STR("      to match: impossible, no request of the route does\n"));
      return;
    case PROBE_TAKEN:
      text_add(out, STR("      to match: impossible, earlier rules take every request that "
                        "would\n"));
      return;
  }
}

void explanation_format_needs(const struct explanation *shown, const struct trace_rule *rule,
                              struct text *out) {
  bool failed = rule->result == RULE_UNMATCHED || rule->result == RULE_UNKNOWN;
  if (!failed || rule->condition_count == 0) return;
  enum tristate *wanted = malloc(rule->condition_count * sizeof(*wanted));
  if (!wanted) return;
  for (size_t i = 0; i < rule->condition_count; i++) wanted[i] = TRISTATE_UNKNOWN;
  struct needs needs = {.seen = rule->conditions, .wanted = wanted};
  enum probe_verdict verdict;
  if (choose_possible(shown, rule, &needs, &verdict)) add_verdict(rule, &needs, verdict, out);
  free(wanted);
}
