/*
 * Asking a route's rules of one request.
 *
 *   rules_eval ─ ask each rule in order, or those that an index gives (index.c)
 *             │      └─ eval_node ─ leaf_eval (leaf.c)
 *             └─ with a trace: each rule; then complete what the decision did not need
 *
 * A result is a set of the values that are possible: one of false, unknown and true, or several
 * where a limit left a leaf undecided. AND is the minimum, OR the maximum, NOT the reflection,
 * member by member of the sets; for a tree, where each leaf is its own, that is exact. One function
 * walks the tree with and without a trace, so that both decide alike.
 */
#include "adit/arena.h"
#include "condition_tree.h"
#include "index.h"

enum { MAY_BE_ANY = MAY_BE_FALSE | MAY_BE_UNKNOWN | MAY_BE_TRUE };

const char *rule_result_name(enum rule_result result) {
  switch (result) {
    case RULE_SKIPPED:
      return "skipped";
    case RULE_UNMATCHED:
      return "unmatched";
    case RULE_MATCHED:
      return "matched";
    case RULE_UNKNOWN:
      return "unknown";
  }
  return "";
}

/* ---- sets of three values -------------------------------------------------------------------- */

static unsigned negate(unsigned set) {
  unsigned swapped = set & MAY_BE_UNKNOWN;
  if (set & MAY_BE_FALSE) swapped |= MAY_BE_TRUE;
  if (set & MAY_BE_TRUE) swapped |= MAY_BE_FALSE;
  return swapped;
}

/* The minima of all pairs, false < unknown < true. */
static unsigned both(unsigned a, unsigned b) {
  unsigned set = ((a | b) & MAY_BE_FALSE) | (a & b & MAY_BE_TRUE);
  bool a_is_more = (a & (MAY_BE_UNKNOWN | MAY_BE_TRUE)) != 0;
  bool b_is_more = (b & (MAY_BE_UNKNOWN | MAY_BE_TRUE)) != 0;
  if (((a & MAY_BE_UNKNOWN) && b_is_more) || ((b & MAY_BE_UNKNOWN) && a_is_more)) {
    set |= MAY_BE_UNKNOWN;
  }
  return set;
}

static unsigned either(unsigned a, unsigned b) {
  return negate(both(negate(a), negate(b)));
}

/* ---- recording ------------------------------------------------------------------------------- */

static enum tristate tristate_of(unsigned set) {
  if (set == MAY_BE_TRUE) return TRISTATE_TRUE;
  return set == MAY_BE_FALSE ? TRISTATE_FALSE : TRISTATE_UNKNOWN;
}

static void record_leaf(const struct leaf *leaf, struct attr_reader *reader, unsigned set,
                        struct trace_condition *record) {
  record->leaf = leaf;
  record->attribute = leaf->attribute;
  record->op = leaf->op;
  record->value_json = leaf->value_json;
  record->seen = attr_read(reader, leaf->slot);
  record->result = tristate_of(set);
}

static bool is_recorded(const struct trace_condition *record) {
  return record->op != NULL;
}

/* ---- walking --------------------------------------------------------------------------------- */

/* `record`: as many as the node has leaves, depth first; NULL: nothing is recorded. */
static unsigned eval_node(const struct condition *node, struct attr_reader *reader,
                          struct trace_condition *record);

static unsigned eval_children(const struct condition *node, struct attr_reader *reader,
                              struct trace_condition *record) {
  bool is_all = node->kind == CONDITION_ALL;
  unsigned fixed = is_all ? MAY_BE_FALSE : MAY_BE_TRUE;
  unsigned set = is_all ? MAY_BE_TRUE : MAY_BE_FALSE;
  for (size_t i = 0; i < node->as.children.n && set != fixed; i++) {
    const struct condition *child = node->as.children.items[i];
    unsigned result = eval_node(child, reader, record);
    set = is_all ? both(set, result) : either(set, result);
    if (record) record += child->leaf_count;
  }
  return set;
}

static unsigned eval_node(const struct condition *node, struct attr_reader *reader,
                          struct trace_condition *record) {
  switch (node->kind) {
    case CONDITION_LEAF: {
      unsigned set = leaf_eval(&node->as.leaf, reader);
      if (record) record_leaf(&node->as.leaf, reader, set, record);
      return set;
    }
    case CONDITION_ALL:
    case CONDITION_ANY:
      return eval_children(node, reader, record);
    case CONDITION_NOT:
      return negate(eval_node(node->as.children.items[0], reader, record));
  }
  return MAY_BE_ANY;
}

/* Tries the leaves that the decision did not need. */
static void complete(const struct condition *node, struct attr_reader *reader,
                     struct trace_condition *record) {
  if (node->kind == CONDITION_LEAF) {
    if (is_recorded(record)) return;
    record_leaf(&node->as.leaf, reader, leaf_eval(&node->as.leaf, reader), record);
    return;
  }
  for (size_t i = 0; i < node->as.children.n; i++) {
    complete(node->as.children.items[i], reader, record);
    record += node->as.children.items[i]->leaf_count;
  }
}

/* ---- rules ----------------------------------------------------------------------------------- */

/* A trace being written; both lists as long as the route's rules. */
struct recorder {
  struct arena *arena;
  struct trace_rule *rules;
  struct trace_condition **conditions; /* of each rule; NULL: none */
};

/* Room for a rule's conditions. NULL: it has none, or the trace is cut here for want of memory. */
static struct trace_condition *begin_rule(struct recorder *recorder, size_t i) {
  struct trace_rule *record = &recorder->rules[i];
  const struct condition *when = record->rule->when;
  if (!when) return NULL;
  struct trace_condition *conditions =
      ARENA_ARRAY(recorder->arena, struct trace_condition, when->leaf_count);
  record->conditions = conditions;
  record->condition_count = conditions ? when->leaf_count : 0;
  recorder->conditions[i] = conditions;
  return conditions;
}

static enum rule_result result_of(unsigned set) {
  if (set == MAY_BE_TRUE) return RULE_MATCHED;
  /* Of what a limit left undecided nothing is known either. */
  return set == MAY_BE_FALSE ? RULE_UNMATCHED : RULE_UNKNOWN;
}

enum rule_result rule_ask(const struct rule *rule, struct attr_reader *reader) {
  return rule->when ? result_of(eval_node(rule->when, reader, NULL)) : RULE_MATCHED;
}

/* Asks every rule. `recorder`: NULL, nothing is recorded. */
static struct rules_outcome ask_all(const struct route *route, struct attr_reader *reader,
                                    struct recorder *recorder) {
  for (size_t i = 0; i < route->rule_count; i++) {
    const struct rule *rule = &route->rules[i];
    struct trace_condition *conditions = recorder ? begin_rule(recorder, i) : NULL;
    unsigned set = rule->when ? eval_node(rule->when, reader, conditions) : MAY_BE_TRUE;
    if (recorder) recorder->rules[i].result = result_of(set);
    if (set & MAY_BE_TRUE) return (struct rules_outcome){rule, .limit = set != MAY_BE_TRUE};
  }
  return (struct rules_outcome){0};
}

/* Asks the rules that the index does not rule out. */
static struct rules_outcome ask_candidates(const struct route *route, struct attr_reader *reader) {
  struct rule_walk walk;
  rule_walk_begin(&walk, route->index);
  for (size_t i; (i = rule_walk_next(&walk, reader)) < route->rule_count;) {
    const struct rule *rule = &route->rules[i];
    unsigned set = rule->when ? eval_node(rule->when, reader, NULL) : MAY_BE_TRUE;
    if (set & MAY_BE_TRUE) return (struct rules_outcome){rule, .limit = set != MAY_BE_TRUE};
  }
  return (struct rules_outcome){0};
}

static struct rules_outcome ask(const struct route *route, struct attr_reader *reader) {
  return route->index ? ask_candidates(route, reader) : ask_all(route, reader, NULL);
}

/* ---- the trace ------------------------------------------------------------------------------- */

/*
 * The keys of the draw that may follow are read before the trace gets its own budget: what it adds
 * must not decide whether a key is there.
 */
static bool read_key(struct attr_reader *reader, const uint16_t *slots, size_t n) {
  for (size_t i = 0; i < n; i++) {
    const struct attr_value *value = attr_read(reader, slots[i]);
    if (value->state == ATTR_PRESENT && value->data[0].text.n > 0) return true;
  }
  return false;
}

static void read_keys(const struct route *route, struct attr_reader *reader,
                      const struct rules_outcome *outcome) {
  const struct rule *rule = outcome->rule;
  if (outcome->limit || (rule ? rule->to != VARIANT_NONE : !route->has_default_split)) return;
  const struct split *split = rule ? &rule->split : &route->default_split;
  if (read_key(reader, split->by, split->by_count)) return;
  (void)read_key(reader, route->sticky.by, route->sticky.by_count);
}

static void complete_rules(const struct route *route, struct attr_reader *reader,
                           const struct recorder *recorder) {
  for (size_t i = 0; i < route->rule_count; i++) {
    struct trace_condition *conditions = recorder->conditions[i];
    if (conditions) complete(route->rules[i].when, reader, conditions);
  }
}

/* False: memory; the trace then has no rules. */
static bool begin_trace(const struct route *route, struct rules_trace *trace,
                        struct recorder *recorder) {
  size_t n = route->rule_count;
  recorder->rules = ARENA_ARRAY(recorder->arena, struct trace_rule, n);
  recorder->conditions = ARENA_ARRAY(recorder->arena, struct trace_condition *, n);
  *trace = (struct rules_trace){0};
  if (!recorder->rules || !recorder->conditions) return false;
  for (size_t i = 0; i < n; i++) {
    recorder->rules[i] = (struct trace_rule){.rule = &route->rules[i], .result = RULE_SKIPPED};
  }
  *trace = (struct rules_trace){recorder->rules, n};
  return true;
}

void rules_trace_skipped(const struct route *route, struct rules_trace *trace,
                         struct arena *trace_arena) {
  struct recorder recorder = {.arena = trace_arena};
  (void)begin_trace(route, trace, &recorder);
}

struct rules_outcome rules_eval(const struct route *route, struct attr_reader *reader,
                                struct rules_trace *trace, struct arena *trace_arena) {
  struct recorder recorder = {.arena = trace_arena};
  if (!trace || !begin_trace(route, trace, &recorder)) return ask(route, reader);
  struct rules_outcome outcome = ask_all(route, reader, &recorder);
  read_keys(route, reader, &outcome);
  attr_reader_begin_trace(reader);
  complete_rules(route, reader, &recorder);
  return outcome;
}
