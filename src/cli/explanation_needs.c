/*
 * What would have to be otherwise for a rule to match: of "any" one branch, of "all" every one that
 * fails, of "not" the opposite. The ways are tried from the one that changes the fewest conditions
 * on: a request that is so is made up and decided before this is said. Where none of the first can
 * be, the way of a request that the rule decides is named.
 */
#include <stdlib.h>

#include "adit/arena.h"
#include "adit/conditions.h"
#include "adit/prober.h"
#include "adit/text.h"
#include "cli/explanation.h"

enum { VALUE_SHOWN_MAX = 80, WAYS_MAX = 16, WAYS_BYTES_MAX = 16 << 20 };

/* ---- ways ------------------------------------------------------------------------------------ */

/* One leaf that is to be so, or all of two ways. */
struct way {
  size_t cost; /* how many leaves have to change */
  const struct way *first, *second;
  size_t leaf;
  bool wanted;
};

/* The cheapest first, of the same cost the earlier in the file. */
struct ways {
  const struct way *items[WAYS_MAX];
  size_t n;
};

struct needs {
  struct arena *arena;
  const struct trace_condition *seen;
  const struct trace_condition *example; /* what may be needed; NULL: anything */
};

static bool is_so(enum tristate result, bool wanted) {
  return result == (wanted ? TRISTATE_TRUE : TRISTATE_FALSE);
}

static void ways_add(const struct needs *needs, struct ways *ways, struct way way) {
  if (ways->n == WAYS_MAX && ways->items[WAYS_MAX - 1]->cost <= way.cost) return;
  struct way *kept = ARENA_NEW(needs->arena, struct way);
  if (!kept) return;
  *kept = way;
  size_t at = ways->n < WAYS_MAX ? ways->n++ : WAYS_MAX - 1;
  for (; at > 0 && ways->items[at - 1]->cost > way.cost; at--)
    ways->items[at] = ways->items[at - 1];
  ways->items[at] = kept;
}

static struct ways both(const struct needs *needs, const struct ways *a, const struct ways *b) {
  struct ways ways = {.n = 0};
  for (size_t i = 0; i < a->n; i++) {
    for (size_t k = 0; k < b->n; k++) {
      const struct way *first = a->items[i], *second = b->items[k];
      ways_add(needs, &ways,
               (struct way){.cost = first->cost + second->cost, .first = first, .second = second});
    }
  }
  return ways;
}

/* The ways in which the node, whose leaves begin at `at`, is `wanted`. */
static struct ways ways_of(const struct needs *needs, const struct condition *node, size_t at,
                           bool wanted) {
  struct ways ways = {.n = 0};
  if (node->kind == CONDITION_LEAF) {
    if (needs->example && !is_so(needs->example[at].result, wanted)) return ways;
    size_t cost = !is_so(needs->seen[at].result, wanted);
    ways_add(needs, &ways, (struct way){.cost = cost, .leaf = at, .wanted = wanted});
    return ways;
  }
  if (node->kind == CONDITION_NOT) return ways_of(needs, node->as.children.items[0], at, !wanted);
  bool every = (node->kind == CONDITION_ALL) == wanted;
  for (size_t i = 0; i < node->as.children.n; i++) {
    const struct condition *child = node->as.children.items[i];
    struct ways of_child = ways_of(needs, child, at, wanted);
    at += child->leaf_count;
    if (i == 0) {
      ways = of_child;
    } else if (every) {
      ways = both(needs, &ways, &of_child);
    } else {
      for (size_t k = 0; k < of_child.n; k++) ways_add(needs, &ways, *of_child.items[k]);
    }
  }
  return ways;
}

static void mark(const struct way *way, enum tristate *wanted) {
  for (; way->first; way = way->second) mark(way->first, wanted);
  wanted[way->leaf] = way->wanted ? TRISTATE_TRUE : TRISTATE_FALSE;
}

static void use(const struct way *way, const struct trace_rule *rule, enum tristate *wanted) {
  for (size_t i = 0; i < rule->condition_count; i++) wanted[i] = TRISTATE_UNKNOWN;
  mark(way, wanted);
}

/* ---- asking ---------------------------------------------------------------------------------- */

/* The way of any request that the rule decides. PROBE_OPEN: none was found. */
static enum probe_verdict use_example(const struct explanation *shown,
                                      const struct trace_rule *rule, struct needs *needs,
                                      enum tristate *wanted) {
  struct probe probe = {.rule = rule->rule, .aim = PROBE_DECIDES};
  struct probe_answer answer = policy_probe(shown->prober, &probe);
  if (answer.verdict != PROBE_FOUND) return answer.verdict;
  needs->example = answer.trace->rules[rule->rule - shown->decision->route->rules].conditions;
  struct ways ways = ways_of(needs, rule->rule->when, 0, true);
  if (ways.n == 0) return PROBE_OPEN;
  use(ways.items[0], rule, wanted);
  return PROBE_FOUND;
}

/* Sets what each leaf is to be (unknown: it does not count). PROBE_OPEN: nothing speaks against it,
 * but no request was found. False: nothing is known. */
static bool find_way(const struct explanation *shown, const struct trace_rule *rule,
                     struct needs *needs, enum tristate *wanted, enum probe_verdict *ret) {
  struct probe probe = {.rule = rule->rule, .aim = PROBE_DECIDES, .leaves = wanted};
  struct ways ways = ways_of(needs, rule->rule->when, 0, true);
  const struct way *open = NULL;
  for (size_t i = 0; i < ways.n; i++) {
    use(ways.items[i], rule, wanted);
    *ret = shown->prober ? policy_probe(shown->prober, &probe).verdict : PROBE_OPEN;
    if (*ret == PROBE_FOUND) return true;
    if (*ret == PROBE_OPEN && !open) open = ways.items[i];
    if (*ret == PROBE_OPEN && !shown->prober) break;
  }
  *ret = shown->prober ? use_example(shown, rule, needs, wanted) : PROBE_OPEN;
  if (*ret != PROBE_OPEN) return true;
  if (open) use(open, rule, wanted);
  return open != NULL;
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

static void add_needs(const struct trace_rule *rule, const enum tristate *wanted,
                      struct text *out) {
  size_t count = 0;
  for (size_t i = 0; i < rule->condition_count; i++) {
    if (wanted[i] != TRISTATE_UNKNOWN && rule->conditions[i].result != wanted[i])
      add_need(rule->conditions[i].leaf, wanted[i], &count, out);
  }
  if (count > 0) text_add_char(out, '\n');
}

static void add_verdict(const struct trace_rule *rule, const enum tristate *wanted,
                        enum probe_verdict verdict, struct text *out) {
  switch (verdict) {
    case PROBE_FOUND:
    case PROBE_OPEN:
      /* One condition says itself what it wants. */
      if (rule->condition_count > 1) add_needs(rule, wanted, out);
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
  struct arena *arena = arena_new(WAYS_BYTES_MAX);
  enum tristate *wanted = arena ? ARENA_ARRAY(arena, enum tristate, rule->condition_count) : NULL;
  struct needs needs = {.arena = arena, .seen = rule->conditions};
  enum probe_verdict verdict;
  if (wanted && find_way(shown, rule, &needs, wanted, &verdict))
    add_verdict(rule, wanted, verdict, out);
  arena_free(&arena);
}
