#include "search.h"

struct values_maker search_maker(struct search *search) {
  return (struct values_maker){search->arena, search->scratch, &search->steps};
}

bool search_begin(struct search *search, struct arena *arena, const struct domains *domains,
                  const struct slot_values *const *values, struct regex_scratch *scratch) {
  *search = (struct search){
      .arena = arena, .scratch = scratch, .domains = domains, .steps = SEARCH_STEPS};
  search->values = ARENA_ARRAY(arena, const struct slot_values *, domains->n);
  if (!search->values) return false;
  for (size_t i = 0; i < domains->n; i++) search->values[i] = values[i];
  return true;
}

const struct goal *goal_add(struct arena *arena, const struct goal *goals,
                            const struct condition *condition, enum assumption assumption) {
  struct goal *goal = ARENA_NEW(arena, struct goal);
  if (!goal) return NULL;
  *goal = (struct goal){condition, assumption, goals};
  return goal;
}

/* ---- leaves ---------------------------------------------------------------------------------- */

/* What a slot held before, to be put back. */
struct change {
  uint16_t slot;
  const struct slot_values *before;
  struct change *earlier;
};

static enum verdict assume_leaf(struct search *search, const struct leaf *leaf,
                                enum assumption assumption, struct change **changes) {
  const struct domain *domain = &search->domains->items[leaf->slot];
  struct values_maker maker = search_maker(search);
  const struct slot_values *before = search->values[leaf->slot];
  const struct slot_values *after = values_assume(&maker, domain, before, leaf, assumption);
  struct change *change = ARENA_NEW(search->arena, struct change);
  if (!after || !change) return VERDICT_OPEN;
  *change = (struct change){leaf->slot, before, *changes};
  *changes = change;
  search->values[leaf->slot] = after;
  if (values_are_impossible(&maker, domain, after))
    return arena_failed(search->arena) || search->steps == 0 ? VERDICT_OPEN : VERDICT_IMPOSSIBLE;
  return VERDICT_FOUND;
}

static void put_back(struct search *search, const struct change *changes) {
  for (; changes; changes = changes->earlier) search->values[changes->slot] = changes->before;
}

/* ---- taking apart ---------------------------------------------------------------------------- */

static enum assumption opposite(enum assumption assumption) {
  switch (assumption) {
    case ASSUME_TRUE:
      return ASSUME_FALSE;
    case ASSUME_FALSE:
      return ASSUME_TRUE;
    case ASSUME_NOT_TRUE:
      return ASSUME_NOT_FALSE;
    case ASSUME_NOT_FALSE:
      break;
  }
  return ASSUME_NOT_TRUE;
}

/* Whether all children must be so, and not just one. */
static bool is_for_all(const struct condition *condition, enum assumption assumption) {
  bool wanted = assumption == ASSUME_TRUE || assumption == ASSUME_NOT_FALSE;
  return condition->kind == CONDITION_ALL ? wanted : !wanted;
}

/* Goals that are left: those that must hold, and those of which one way is to be tried. */
struct agenda {
  const struct goal *goals, *choices;
  struct change *changes;
};

static bool push_children(struct search *search, struct agenda *agenda, const struct goal *goal) {
  const struct condition *condition = goal->condition;
  for (size_t i = condition->as.children.n; i-- > 0;) {
    const struct goal *more =
        goal_add(search->arena, agenda->goals, condition->as.children.items[i], goal->assumption);
    if (!more) return false;
    agenda->goals = more;
  }
  return true;
}

static bool postpone(struct search *search, struct agenda *agenda, const struct goal *goal) {
  const struct goal *choices =
      goal_add(search->arena, agenda->choices, goal->condition, goal->assumption);
  if (!choices) return false;
  agenda->choices = choices;
  return true;
}

/* One goal. VERDICT_FOUND: it is dealt with. */
static enum verdict assume_goal(struct search *search, struct agenda *agenda,
                                const struct goal *goal) {
  const struct condition *condition = goal->condition;
  if (!condition) {
    bool fits = goal->assumption == ASSUME_TRUE || goal->assumption == ASSUME_NOT_FALSE;
    return fits ? VERDICT_FOUND : VERDICT_IMPOSSIBLE;
  }
  const struct goal *negated;
  switch (condition->kind) {
    case CONDITION_LEAF:
      return assume_leaf(search, &condition->as.leaf, goal->assumption, &agenda->changes);
    case CONDITION_NOT:
      negated = goal_add(search->arena, agenda->goals, condition->as.children.items[0],
                         opposite(goal->assumption));
      if (!negated) return VERDICT_OPEN;
      agenda->goals = negated;
      return VERDICT_FOUND;
    case CONDITION_ALL:
    case CONDITION_ANY:
      break;
  }
  bool ok = is_for_all(condition, goal->assumption) ? push_children(search, agenda, goal)
                                                    : postpone(search, agenda, goal);
  return ok ? VERDICT_FOUND : VERDICT_OPEN;
}

static enum verdict run(struct search *search, struct agenda *agenda);

/* Each way of the first choice in turn. */
static enum verdict try_choice(struct search *search, const struct goal *choices) {
  const struct condition *condition = choices->condition;
  enum verdict verdict = VERDICT_IMPOSSIBLE;
  for (size_t i = 0; i < condition->as.children.n; i++) {
    struct agenda agenda = {.choices = choices->next};
    agenda.goals =
        goal_add(search->arena, NULL, condition->as.children.items[i], choices->assumption);
    enum verdict one = agenda.goals ? run(search, &agenda) : VERDICT_OPEN;
    put_back(search, agenda.changes);
    if (one == VERDICT_FOUND) return one;
    if (one == VERDICT_OPEN) verdict = one;
    if (search->steps == 0) return VERDICT_OPEN;
  }
  return verdict;
}

static enum verdict end(struct search *search) {
  const struct goal *more = NULL;
  if (!search->end) return VERDICT_FOUND;
  enum verdict verdict = search->end(search->context, search, &more);
  if (!more) return verdict;
  struct agenda agenda = {.goals = more};
  verdict = run(search, &agenda);
  put_back(search, agenda.changes);
  return verdict;
}

static enum verdict run(struct search *search, struct agenda *agenda) {
  if (search->depth == SEARCH_DEPTH_MAX) return VERDICT_OPEN;
  while (agenda->goals) {
    const struct goal *goal = agenda->goals;
    agenda->goals = goal->next;
    if (search->steps == 0) return VERDICT_OPEN;
    search->steps--;
    enum verdict verdict = assume_goal(search, agenda, goal);
    if (verdict != VERDICT_FOUND) return verdict;
  }
  search->depth++;
  enum verdict verdict = agenda->choices ? try_choice(search, agenda->choices) : end(search);
  search->depth--;
  return verdict;
}

enum verdict search_run(struct search *search, const struct goal *goals) {
  struct agenda agenda = {.goals = goals};
  enum verdict verdict = run(search, &agenda);
  put_back(search, agenda.changes);
  return verdict;
}
