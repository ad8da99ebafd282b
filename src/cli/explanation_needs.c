/*
 * What would have to be otherwise for a rule to match: of "any" the cheapest branch, of "all" every
 * one that fails, of "not" the opposite.
 */
#include "adit/conditions.h"
#include "adit/text.h"
#include "cli/explanation.h"

enum { VALUE_SHOWN_MAX = 80 };

/* How many of the leaves have to change for the node to be `wanted`. */
static size_t cost_of(const struct condition *node, const struct trace_condition *seen,
                      bool wanted) {
  if (node->kind == CONDITION_LEAF)
    return seen->result != (wanted ? TRISTATE_TRUE : TRISTATE_FALSE);
  if (node->kind == CONDITION_NOT) return cost_of(node->as.children.items[0], seen, !wanted);
  bool every = (node->kind == CONDITION_ALL) == wanted;
  size_t sum = 0, least = SIZE_MAX;
  for (size_t i = 0; i < node->as.children.n; i++) {
    const struct condition *child = node->as.children.items[i];
    size_t cost = cost_of(child, seen, wanted);
    seen += child->leaf_count;
    sum += cost;
    if (cost < least) least = cost;
  }
  return every ? sum : least;
}

static void add_need(const struct leaf *leaf, bool wanted, size_t *count, struct text *out) {
  text_add(out, (*count)++ ? STR(" and ") : STR("      to match: "));
  if (!wanted) text_add(out, STR("not "));
  text_printf(out, "%.*s %s ", STR_ARG(leaf->attribute), leaf->op);
  bool cut = leaf->value_json.n > VALUE_SHOWN_MAX;
  text_add(out, cut ? STR("...") : leaf->value_json);
}

static void add_needs(const struct condition *node, const struct trace_condition *seen, bool wanted,
                      size_t *count, struct text *out) {
  if (node->kind == CONDITION_LEAF) {
    if (cost_of(node, seen, wanted) > 0) add_need(&node->as.leaf, wanted, count, out);
    return;
  }
  if (node->kind == CONDITION_NOT) {
    add_needs(node->as.children.items[0], seen, !wanted, count, out);
    return;
  }
  bool every = (node->kind == CONDITION_ALL) == wanted;
  size_t least = cost_of(node, seen, wanted);
  for (size_t i = 0; i < node->as.children.n; i++) {
    const struct condition *child = node->as.children.items[i];
    if (every || cost_of(child, seen, wanted) == least) {
      add_needs(child, seen, wanted, count, out);
      if (!every) return;
    }
    seen += child->leaf_count;
  }
}

void explanation_format_needs(const struct trace_rule *rule, struct text *out) {
  bool failed = rule->result == RULE_UNMATCHED || rule->result == RULE_UNKNOWN;
  if (!failed || rule->condition_count < 2) return;
  size_t count = 0;
  add_needs(rule->rule->when, rule->conditions, true, &count, out);
  if (count > 0) text_add_char(out, '\n');
}
