/*
 * Why a rule can never match: the one condition, or the two, that leave no value to an attribute.
 *
 * What must hold in any case is listed in order. The first that leaves nothing, and the first
 * before it with which it does, are named. Where only alternatives fail, each by itself, that is
 * said.
 */
#include "analysis.h"

enum { CERTAIN_MAX = 128 };

struct certain {
  const struct leaf *leaf;
  enum assumption assumption;
};

struct listing {
  struct certain items[CERTAIN_MAX];
  size_t n;
};

static enum assumption opposite(enum assumption assumption) {
  return assumption == ASSUME_TRUE ? ASSUME_FALSE : ASSUME_TRUE;
}

/* Only true and false come up: a rule is assumed to be true. */
static void list_certain(struct listing *listing, const struct condition *condition,
                         enum assumption assumption) {
  if (!condition) return;
  switch (condition->kind) {
    case CONDITION_LEAF:
      if (listing->n < CERTAIN_MAX)
        listing->items[listing->n++] = (struct certain){&condition->as.leaf, assumption};
      return;
    case CONDITION_NOT:
      list_certain(listing, condition->as.children.items[0], opposite(assumption));
      return;
    case CONDITION_ALL:
      if (assumption != ASSUME_TRUE) return;
      break;
    case CONDITION_ANY:
      if (assumption != ASSUME_FALSE) return;
      break;
  }
  for (size_t i = 0; i < condition->as.children.n; i++)
    list_certain(listing, condition->as.children.items[i], assumption);
}

/* Whether the certain ones of the slot up to `end`, or only `a` and `b`, leave it nothing. */
static bool is_impossible(struct analysis *analysis, const struct listing *listing, size_t end,
                          size_t a, size_t b) {
  size_t steps = SEARCH_STEPS;
  struct values_maker maker = {analysis->tried, analysis->scratch, &steps};
  const struct domain *domain = &analysis->domains.items[listing->items[b].leaf->slot];
  const struct slot_values *values = analysis->values[domain->slot];
  for (size_t i = 0; i <= b && values; i++) {
    const struct certain *one = &listing->items[i];
    if (one->leaf->slot != domain->slot || (i != a && i != b && i >= end)) continue;
    values = values_assume(&maker, domain, values, one->leaf, one->assumption);
  }
  return values && values_are_impossible(&maker, domain, values) && !arena_failed(analysis->tried);
}

static void describe(const struct certain *one, char *buffer) {
  char shown[LEAF_SHOWN_MAX];
  struct str text = str_from_cstr(leaf_show(one->leaf, shown));
  if (one->assumption == ASSUME_TRUE) {
    (void)str_copy_to(text, buffer, LEAF_SHOWN_MAX + 8);
    return;
  }
  memcpy(buffer, "not (", 5);
  struct str copy = str_copy_to(text, buffer + 5, LEAF_SHOWN_MAX);
  memcpy(buffer + 5 + copy.n, ")", 2);
}

static const char outside_hint[] = "the route's match, or another route, leaves it none";

static void report_one(struct analysis *analysis, const struct rule *rule,
                       const struct certain *one, const char *hint) {
  char shown[LEAF_SHOWN_MAX + 8];
  describe(one, shown);
  report(analysis, FINDING_NEVER, place_of_rule(analysis, rule), rule, (struct str){0}, hint,
         "rule '%.*s': can never match: %s holds for no request of the route", STR_ARG(rule->id),
         shown);
}

static void report_two(struct analysis *analysis, const struct rule *rule,
                       const struct certain *first, const struct certain *second) {
  char a[LEAF_SHOWN_MAX + 8], b[LEAF_SHOWN_MAX + 8];
  describe(first, a);
  describe(second, b);
  if (first->leaf->line == 0) { /* the route's own: nobody wrote it in the rule */
    report_one(analysis, rule, second, outside_hint);
    return;
  }
  report(analysis, FINDING_NEVER, place_of_rule(analysis, rule), rule, (struct str){0}, NULL,
         "rule '%.*s': can never match: %s (line %u) and %s (line %u) exclude each other",
         STR_ARG(rule->id), a, first->leaf->line, b, second->leaf->line);
}

/* The certain one that leaves nothing, with what it does so. */
static bool report_pair(struct analysis *analysis, const struct rule *rule,
                        const struct listing *listing) {
  for (size_t b = 0; b < listing->n; b++) {
    analysis_begin(analysis);
    if (!is_impossible(analysis, listing, b, b, b)) continue;
    if (is_impossible(analysis, listing, 0, b, b)) {
      report_one(analysis, rule, &listing->items[b], NULL);
      return true;
    }
    for (size_t a = 0; a < b; a++) {
      if (listing->items[a].leaf->slot != listing->items[b].leaf->slot ||
          !is_impossible(analysis, listing, 0, a, b))
        continue;
      report_two(analysis, rule, &listing->items[a], &listing->items[b]);
      return true;
    }
    report(analysis, FINDING_NEVER, place_of_rule(analysis, rule), rule, (struct str){0}, NULL,
           "rule '%.*s': can never match: its conditions on '%.*s' leave no value",
           STR_ARG(rule->id), STR_ARG(listing->items[b].leaf->attribute));
    return true;
  }
  return false;
}

/* One condition of the rule that no request of the route has. */
static bool report_outside(struct analysis *analysis, const struct rule *rule,
                           const struct listing *listing) {
  for (size_t i = 0; i < listing->n && analysis->territory; i++) {
    const struct certain *one = &listing->items[i];
    analysis_begin(analysis);
    struct condition *alone = ARENA_NEW(analysis->tried, struct condition);
    if (!alone) return false;
    *alone = (struct condition){.kind = CONDITION_LEAF, .leaf_count = 1, .depth = 1};
    alone->as.leaf = *one->leaf;
    const struct goal *goals =
        goal_add(analysis->tried, base_goals(analysis, false), alone, one->assumption);
    if (!goals || analysis_search(analysis, goals, NULL, NULL) != VERDICT_IMPOSSIBLE) continue;
    report_one(analysis, rule, one, outside_hint);
    return true;
  }
  return false;
}

void report_contradiction(struct analysis *analysis, const struct rule *rule) {
  struct listing *listing = ARENA_NEW(analysis->arena, struct listing);
  if (!listing) return;
  list_certain(listing, analysis->territory, ASSUME_TRUE);
  list_certain(listing, rule->when, ASSUME_TRUE);
  if (report_pair(analysis, rule, listing) || report_outside(analysis, rule, listing)) return;
  report(analysis, FINDING_NEVER, place_of_rule(analysis, rule), rule, (struct str){0}, NULL,
         "rule '%.*s': can never match: each of its alternatives excludes itself",
         STR_ARG(rule->id));
}
