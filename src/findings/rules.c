/*
 * Rules that never decide, and rules that decide nothing.
 *
 *   possible?   the condition and the route's match exclude each other      report_contradiction
 *   in time?    from now on they do                                         FINDING_EXPIRED
 *   reached?    a request is looked for that the rule decides: one is made up and asked of the
 * rules; an earlier rule that takes it is assumed not to match, and the next is made up. When no
 * request is left, the earlier rules take them all         FINDING_SHADOWED felt?       what would
 * come without the rule is the same                FINDING_NO_EFFECT
 */
#include <stdio.h>
#include <stdlib.h>

#include "adit/text.h"
#include "analysis.h"

enum { TAKERS_MAX = 512, TAKER_TIMES_MAX = 64, TAKERS_SHOWN = 3, BLIND_MAX = 128 };

/* An earlier rule that took a request of the one that is looked at. */
struct taker {
  const struct rule *rule;
  unsigned times;
  struct str witness; /* a request that both match and it takes; p == NULL: none */
};

/* One rule while it is looked at. */
struct inquiry {
  struct analysis *analysis;
  const struct rule *rule;
  size_t index;
  struct taker takers[TAKERS_MAX];
  size_t taker_count;
};

static const struct goal *rule_goals(struct inquiry *inquiry, bool clocked) {
  struct analysis *analysis = inquiry->analysis;
  analysis_begin(analysis);
  return goal_add(analysis->tried, base_goals(analysis, clocked), inquiry->rule->when, ASSUME_TRUE);
}

/* ---- is it reached? -------------------------------------------------------------------------- */

/* NULL: too often, or too many. */
static struct taker *note_taker(struct inquiry *inquiry, const struct rule *rule) {
  size_t i = 0;
  while (i < inquiry->taker_count && inquiry->takers[i].rule != rule) i++;
  if (i == TAKERS_MAX) return NULL;
  struct taker *taker = &inquiry->takers[i];
  if (i == inquiry->taker_count) {
    inquiry->taker_count++;
    *taker = (struct taker){.rule = rule};
  }
  return taker->times++ < TAKER_TIMES_MAX ? taker : NULL;
}

/* What asking a rule costs, in leaves: a pattern costs what many of them do. */
static size_t cost_of(const struct condition *condition) {
  enum { PATTERN_COST = 32 };
  if (!condition) return 1;
  if (condition->kind == CONDITION_LEAF) {
    const struct leaf *leaf = &condition->as.leaf;
    return leaf->test == TEST_MATCHES ? PATTERN_COST * leaf->n : 1;
  }
  size_t cost = 1;
  for (size_t i = 0; i < condition->as.children.n; i++)
    cost += cost_of(condition->as.children.items[i]);
  return cost;
}

/* Asking a rule costs what its leaves do. */
static void charge(struct analysis *analysis, size_t first, size_t end) {
  analysis_spend(analysis, 4 + (analysis->costs[end] - analysis->costs[first]) / 16);
}

/* Makes up a request and asks who takes it. */
static enum verdict try_request(struct inquiry *inquiry, struct str json,
                                const struct goal **ret_more) {
  struct analysis *analysis = inquiry->analysis;
  if (!analysis_ask(analysis, json)) return VERDICT_OPEN;
  struct rules_outcome outcome = rules_eval(analysis->route, analysis->reader, NULL, NULL);
  if (outcome.limit || !outcome.rule) return VERDICT_OPEN;
  size_t index = (size_t)(outcome.rule - analysis->route->rules);
  charge(analysis, 0, index + 1);
  if (index > inquiry->index) return VERDICT_OPEN;
  if (index == inquiry->index) {
    analysis->examples[index] = keep(analysis, json);
    return VERDICT_FOUND;
  }
  struct taker *taker = note_taker(inquiry, outcome.rule);
  if (!taker) return VERDICT_OPEN;
  if (!taker->witness.p && rule_ask(inquiry->rule, analysis->reader) == RULE_MATCHED)
    taker->witness = keep(analysis, json);
  *ret_more = goal_add(analysis->tried, NULL, outcome.rule->when, ASSUME_NOT_TRUE);
  return VERDICT_OPEN;
}

static enum verdict reach(void *context, const struct search *search,
                          const struct goal **ret_more) {
  struct inquiry *inquiry = context;
  struct text json;
  /* The end is told of the search that it belongs to. */
  struct search *own = (struct search *)(uintptr_t)search;
  text_init(&json, 1 << 16);
  enum verdict verdict = VERDICT_OPEN;
  if (inquiry->analysis->has_base && model_write(&inquiry->analysis->base, own, &json))
    verdict = try_request(inquiry, text_str(&json), ret_more);
  text_deinit(&json);
  /* What asking costs is the file's, which may have nothing left before the search has not. */
  if (inquiry->analysis->steps == 0) own->steps = 0;
  return verdict;
}

/* ---- without requests ------------------------------------------------------------------------ */

struct slots {
  uint16_t items[32];
  size_t n;
};

static bool add_slot(void *context, const struct leaf *leaf) {
  struct slots *slots = context;
  for (size_t i = 0; i < slots->n; i++)
    if (slots->items[i] == leaf->slot) return true;
  if (slots->n == sizeof(slots->items) / sizeof(*slots->items)) return false;
  slots->items[slots->n++] = leaf->slot;
  return true;
}

static bool is_within(void *context, const struct leaf *leaf) {
  const struct slots *slots = context;
  for (size_t i = 0; i < slots->n; i++)
    if (slots->items[i] == leaf->slot) return true;
  return false;
}

/* Keeps of those who took a request the ones that are to be assumed not to match, with what they
 * took. */
static void forget_others(struct inquiry *inquiry, size_t first, struct slots *slots) {
  size_t kept = 0;
  for (size_t i = 0; i < inquiry->taker_count; i++) {
    struct taker taker = inquiry->takers[i];
    if ((size_t)(taker.rule - inquiry->analysis->route->rules) < first ||
        !visit_leaves(taker.rule->when, is_within, slots))
      continue;
    taker.times = 0;
    inquiry->takers[kept++] = taker;
  }
  inquiry->taker_count = kept;
}

/* Where no request can be made up: earlier rules that ask nothing else are assumed not to match. */
static enum verdict reach_blindly(struct inquiry *inquiry) {
  struct analysis *analysis = inquiry->analysis;
  struct slots slots = {0};
  if (!visit_leaves(inquiry->rule->when, add_slot, &slots)) return VERDICT_OPEN;
  const struct goal *goals = rule_goals(inquiry, false);
  size_t first = inquiry->index > BLIND_MAX ? inquiry->index - BLIND_MAX : 0;
  forget_others(inquiry, first, &slots);
  for (size_t i = first; i < inquiry->index; i++) {
    const struct rule *earlier = &analysis->route->rules[i];
    if (!visit_leaves(earlier->when, is_within, &slots) || !note_taker(inquiry, earlier)) continue;
    goals = goal_add(analysis->tried, goals, earlier->when, ASSUME_NOT_TRUE);
    if (!goals) return VERDICT_OPEN;
  }
  return inquiry->taker_count > 0 ? analysis_search(analysis, goals, NULL, NULL) : VERDICT_OPEN;
}

/* ---- who takes them -------------------------------------------------------------------------- */

static bool is_taken_without(struct inquiry *inquiry, size_t left_out, size_t only) {
  struct analysis *analysis = inquiry->analysis;
  const struct goal *goals = rule_goals(inquiry, false);
  for (size_t i = 0; i < inquiry->taker_count && goals; i++) {
    if (i == left_out || (only != SIZE_MAX && i != only)) continue;
    goals = goal_add(analysis->tried, goals, inquiry->takers[i].rule->when, ASSUME_NOT_TRUE);
  }
  return goals && analysis_search(analysis, goals, NULL, NULL) == VERDICT_IMPOSSIBLE;
}

/* Keeps those without which it would not be proved. */
static void keep_needed(struct inquiry *inquiry) {
  for (size_t i = 0; i < inquiry->taker_count && inquiry->taker_count <= 32; i++) {
    if (!is_taken_without(inquiry, SIZE_MAX, i)) continue;
    inquiry->takers[0] = inquiry->takers[i];
    inquiry->taker_count = 1;
    return;
  }
  for (size_t i = inquiry->taker_count; i-- > 0 && inquiry->taker_count <= 32;) {
    if (inquiry->taker_count == 1 || !is_taken_without(inquiry, i, SIZE_MAX)) continue;
    inquiry->taker_count--;
    memmove(&inquiry->takers[i], &inquiry->takers[i + 1],
            (inquiry->taker_count - i) * sizeof(inquiry->takers[0]));
  }
}

static int compare_takers(const void *a, const void *b) {
  const struct taker *left = a, *right = b;
  return (left->rule > right->rule) - (left->rule < right->rule);
}

static void write_takers(const struct inquiry *inquiry, struct text *out) {
  text_printf(out, "rule%s ", inquiry->taker_count == 1 ? "" : "s");
  for (size_t i = 0; i < inquiry->taker_count && i < TAKERS_SHOWN; i++) {
    const struct rule *taker = inquiry->takers[i].rule;
    text_printf(out, "%s'%.*s' (line %u)", i == 0 ? "" : ", ", STR_ARG(taker->id), taker->line);
  }
  if (inquiry->taker_count > TAKERS_SHOWN)
    text_printf(out, " and %zu more", inquiry->taker_count - TAKERS_SHOWN);
  text_printf(out, inquiry->taker_count == 1 ? " takes" : " together take");
}

/* A request that one of those who are named takes; p == NULL: none is known. */
static struct str find_witness(const struct inquiry *inquiry) {
  for (size_t i = 0; i < inquiry->taker_count && i < TAKERS_SHOWN; i++) {
    const struct taker *taker = &inquiry->takers[i];
    if (analysis_confirms(inquiry->analysis, taker->witness, taker->rule)) return taker->witness;
  }
  return (struct str){0};
}

static void report_shadowed(struct inquiry *inquiry) {
  struct analysis *analysis = inquiry->analysis;
  struct text takers;
  text_init(&takers, 4096);
  keep_needed(inquiry);
  qsort(inquiry->takers, inquiry->taker_count, sizeof(inquiry->takers[0]), compare_takers);
  analysis->idle[inquiry->index] = true;
  write_takers(inquiry, &takers);
  struct str witness = find_witness(inquiry);
  struct str shown = text_str(&takers);
  if (!text_failed(&takers)) {
    report(analysis, FINDING_SHADOWED, place_of_rule(analysis, inquiry->rule), inquiry->rule,
           witness, "put it before, or remove it",
           "rule '%.*s': can never match: %.*s all of its requests", STR_ARG(inquiry->rule->id),
           STR_ARG(shown));
  }
  text_deinit(&takers);
}

/* ---- is it felt? ----------------------------------------------------------------------------- */

/* What a decision gives: `to`, or a split; and who gets a copy. */
struct outcome {
  uint16_t to;
  const struct split *split; /* NULL: to */
  const struct route_mirror *mirror;
};

static struct outcome outcome_of(const struct route *route, const struct rule *rule) {
  if (rule && rule->to != VARIANT_NONE) return (struct outcome){rule->to, NULL, rule->mirror};
  if (rule) return (struct outcome){VARIANT_NONE, &rule->split, rule->mirror};
  if (route->has_default_split)
    return (struct outcome){VARIANT_NONE, &route->default_split, route->mirror};
  return (struct outcome){route->stable, NULL, route->mirror};
}

static bool is_same_split(const struct split *a, const struct split *b) {
  if (a->range_count != b->range_count || a->by_count != b->by_count) return false;
  for (size_t i = 0; i < a->range_count; i++) {
    const struct split_range *x = &a->ranges[i], *y = &b->ranges[i];
    if (x->from != y->from || x->to != y->to || x->variant != y->variant) return false;
  }
  for (size_t i = 0; i < a->by_count; i++)
    if (a->by[i] != b->by[i]) return false;
  return true;
}

static bool is_same(struct outcome a, struct outcome b) {
  if (a.mirror != b.mirror) return false; /* a rule's own, even where it says the same */
  if (!a.split || !b.split) return !a.split && !b.split && a.to == b.to;
  return is_same_split(a.split, b.split);
}

/* What the request that the reader has begun would get from the rules behind; *ret_rule NULL: the
 * default. False: a limit. */
static bool find_next(struct inquiry *inquiry, const struct rule **ret_rule) {
  const struct route *route = inquiry->analysis->route;
  *ret_rule = NULL;
  for (size_t i = inquiry->index + 1; i < route->rule_count; i++) {
    enum rule_result result = rule_ask(&route->rules[i], inquiry->analysis->reader);
    charge(inquiry->analysis, i, i + 1);
    if (inquiry->analysis->steps == 0) return false;
    if (result != RULE_MATCHED) continue;
    *ret_rule = &route->rules[i];
    return true;
  }
  return true;
}

static bool excludes(struct inquiry *inquiry, const struct rule *other) {
  struct analysis *analysis = inquiry->analysis;
  const struct goal *goals = rule_goals(inquiry, false);
  goals = goals ? goal_add(analysis->tried, goals, other->when, ASSUME_TRUE) : NULL;
  return goals && analysis_search(analysis, goals, NULL, NULL) == VERDICT_IMPOSSIBLE;
}

/* Whether every request of the rule gets the same from what stands behind; *ret_next: from whom. */
static bool has_no_effect(struct inquiry *inquiry, const struct rule **ret_next) {
  const struct route *route = inquiry->analysis->route;
  struct outcome own = outcome_of(route, inquiry->rule);
  const struct goal *goals;
  inquiry->taker_count = 0;
  *ret_next = NULL;
  for (size_t i = inquiry->index + 1; i < route->rule_count; i++) {
    const struct rule *other = &route->rules[i];
    if (!is_same(own, outcome_of(route, other))) {
      if (!excludes(inquiry, other)) return false;
      continue;
    }
    /* One that was found never to decide will be removed: nobody is to rely on it. */
    if (inquiry->analysis->idle[i]) continue;
    if (inquiry->taker_count == 32) return false;
    inquiry->takers[inquiry->taker_count++].rule = other;
    *ret_next = other;
    goals = rule_goals(inquiry, false);
    for (size_t k = 0; goals && k < inquiry->taker_count; k++)
      goals =
          goal_add(inquiry->analysis->tried, goals, inquiry->takers[k].rule->when, ASSUME_NOT_TRUE);
    if (!goals) return false;
    if (analysis_search(inquiry->analysis, goals, NULL, NULL) == VERDICT_IMPOSSIBLE) return true;
  }
  *ret_next = NULL;
  return is_same(own, outcome_of(route, NULL));
}

static bool is_not_path(void *context, const struct leaf *leaf) {
  const struct analysis *analysis = context;
  return !attr_table_is_path(analysis->route->table, leaf->slot);
}

static void check_effect(struct inquiry *inquiry) {
  struct analysis *analysis = inquiry->analysis;
  /* A path that can be read in two ways is refused where the readings are different rules': there
   * even a rule that gives what follows is felt. */
  if (!visit_leaves(inquiry->rule->when, is_not_path, analysis)) return;
  const struct rule *next;
  struct str example = analysis->examples[inquiry->index];
  analysis_begin(analysis);
  if (!example.p || !analysis_ask(analysis, example) || !find_next(inquiry, &next)) return;
  if (!is_same(outcome_of(analysis->route, inquiry->rule), outcome_of(analysis->route, next)))
    return;
  if (!has_no_effect(inquiry, &next)) return;
  char from[128] = "the default";
  if (next) (void)snprintf(from, sizeof(from), "rule '%.*s'", STR_ARG(next->id));
  report(analysis, FINDING_NO_EFFECT, place_of_rule(analysis, inquiry->rule), inquiry->rule,
         analysis_confirms(analysis, example, inquiry->rule) ? example : (struct str){0}, NULL,
         "rule '%.*s': changes nothing: without it its requests get the same from %s",
         STR_ARG(inquiry->rule->id), from);
}

/* ---- what is over ---------------------------------------------------------------------------- */

struct time_check {
  struct inquiry *inquiry;
  bool expired;
};

static bool is_constant(struct inquiry *inquiry, const struct leaf *leaf,
                        enum assumption assumption) {
  struct analysis *analysis = inquiry->analysis;
  analysis_begin(analysis);
  struct condition *alone = ARENA_NEW(analysis->tried, struct condition);
  if (!alone) return false;
  *alone = (struct condition){.kind = CONDITION_LEAF, .leaf_count = 1, .depth = 1};
  alone->as.leaf = *leaf;
  const struct goal *goals =
      goal_add(analysis->tried, base_goals(analysis, true), alone, assumption);
  return goals && analysis_search(analysis, goals, NULL, NULL) == VERDICT_IMPOSSIBLE;
}

static bool is_reported(const struct analysis *analysis, const struct diag_place *at) {
  const struct findings *findings = analysis->findings;
  for (size_t i = 0; i < findings->list.n; i++) {
    const struct finding *finding = &findings->list.items[i];
    if (finding->kind == FINDING_PASSED && finding->at.line == at->line &&
        finding->at.column == at->column)
      return true;
  }
  return false;
}

static bool check_passed(void *context, const struct leaf *leaf) {
  struct inquiry *inquiry = context;
  struct analysis *analysis = inquiry->analysis;
  char shown[LEAF_SHOWN_MAX];
  if (leaf->slot != analysis->clock->as.leaf.slot || leaf->test == TEST_EXISTS ||
      leaf->opens_window)
    return true;
  if (analysis->steps < SEARCH_STEPS) return false;
  struct diag_place at = place_of_leaf(analysis, inquiry->rule, leaf);
  if (is_reported(analysis, &at) || !is_constant(inquiry, leaf, ASSUME_NOT_TRUE)) return true;
  struct str example = analysis->examples[inquiry->index];
  if (!analysis_confirms(analysis, example, inquiry->rule)) example = (struct str){0};
  report(analysis, FINDING_PASSED, at, inquiry->rule, example, "leave it out",
         "rule '%.*s': %s holds at any time from now on", STR_ARG(inquiry->rule->id),
         leaf_show(leaf, shown));
  return true;
}

static bool has_clock(void *context, const struct leaf *leaf) {
  return leaf->slot != *(const uint16_t *)context;
}

/* True: the rule is over. */
static bool check_expired(struct inquiry *inquiry) {
  struct analysis *analysis = inquiry->analysis;
  if (!analysis->clock) return false;
  uint16_t slot = analysis->clock->as.leaf.slot;
  if (visit_leaves(inquiry->rule->when, has_clock, &slot)) return false;
  const struct goal *goals = rule_goals(inquiry, true);
  if (!goals || analysis_search(analysis, goals, NULL, NULL) != VERDICT_IMPOSSIBLE) return false;
  analysis->idle[inquiry->index] = true;
  report(analysis, FINDING_EXPIRED, place_of_rule(analysis, inquiry->rule), inquiry->rule,
         (struct str){0}, "remove it, or set another date",
         "rule '%.*s': can no longer match: its time, by 'now', is over",
         STR_ARG(inquiry->rule->id));
  return true;
}

/* ---- all rules ------------------------------------------------------------------------------- */

static void check_rule(struct inquiry *inquiry) {
  struct analysis *analysis = inquiry->analysis;
  const struct goal *goals = rule_goals(inquiry, false);
  if (!goals) return;
  if (analysis_search(analysis, goals, NULL, NULL) == VERDICT_IMPOSSIBLE) {
    analysis->idle[inquiry->index] = true;
    report_contradiction(analysis, inquiry->rule);
    return;
  }
  if (check_expired(inquiry)) return;
  goals = rule_goals(inquiry, false);
  enum verdict verdict = goals ? analysis_search(analysis, goals, reach, inquiry) : VERDICT_OPEN;
  if (verdict == VERDICT_OPEN) verdict = reach_blindly(inquiry);
  if (verdict == VERDICT_IMPOSSIBLE) {
    report_shadowed(inquiry);
    return;
  }
  if (analysis->clock) (void)visit_leaves(inquiry->rule->when, check_passed, inquiry);
}

static void begin(struct inquiry *inquiry, struct analysis *analysis, size_t index) {
  inquiry->analysis = analysis;
  inquiry->rule = &analysis->route->rules[index];
  inquiry->index = index;
  inquiry->taker_count = 0;
}

void find_in_rules(struct analysis *analysis) {
  struct inquiry *inquiry = ARENA_NEW(analysis->arena, struct inquiry);
  size_t n = analysis->route->rule_count;
  analysis->examples = ARENA_ARRAY(analysis->arena, struct str, n);
  analysis->idle = ARENA_ARRAY(analysis->arena, bool, n);
  analysis->costs = ARENA_ARRAY(analysis->arena, size_t, n + 1);
  if (!inquiry || !analysis->examples || !analysis->idle || !analysis->costs) return;
  for (size_t i = 0; i < n; i++) {
    analysis->costs[i + 1] = analysis->costs[i] + cost_of(analysis->route->rules[i].when);
  }
  for (size_t i = 0; i < n && analysis->steps >= SEARCH_STEPS; i++) {
    begin(inquiry, analysis, i);
    check_rule(inquiry);
  }
  for (size_t i = 0; i < n && analysis->steps >= SEARCH_STEPS; i++) {
    begin(inquiry, analysis, i);
    check_effect(inquiry);
  }
}
