/*
 * The index of a route's rules: building it, and walking through the rules to ask.
 *
 *   rule_index_build   collect keys (index_keys.c), sort the attributes' values, choose a key for
 *                      each rule, make spaces of what was chosen
 *   rule_walk_next     merges ascending lists of rules: those without a key, and for each space,
 *                      from its first rule on, those of the request's values
 */
#include "index.h"

#include <assert.h>
#include <stdlib.h>

#include "index_keys.h"

/* ---- choosing keys --------------------------------------------------------------------------- */

/* How many rules may have to be asked when this key holds: as many as ask for some of the same. */
static size_t cost_of(const struct index_keys *keys, const struct index_key *key) {
  size_t cost = 0;
  for (size_t i = 0; i < key->leaf_count; i++) {
    const struct index_leaf *entry = &keys->leaves.items[key->leaf_at + i];
    for (size_t k = 0; k < entry->piece_count; k++) {
      cost += index_draft_overlap(entry->draft, &entry->draft->pieces.items[entry->piece_at + k]);
    }
  }
  return cost;
}

static bool ask_when_missing(const struct index_keys *keys, struct index_draft *draft,
                             uint32_t rule) {
  size_t n = draft->when_missing.n;
  if (n > 0 && draft->when_missing.items[n - 1] == rule) return true;
  return VEC_PUSH(keys->scratch, &draft->when_missing, rule);
}

static bool choose(const struct index_keys *keys, const struct index_key *key) {
  for (size_t i = 0; i < key->leaf_count; i++) {
    const struct index_leaf *entry = &keys->leaves.items[key->leaf_at + i];
    struct index_draft *draft = entry->draft;
    for (size_t k = 0; k < entry->piece_count; k++) {
      draft->pieces.items[entry->piece_at + k].chosen = true;
    }
    bool holds_if_missing = entry->leaf->missing == TRISTATE_TRUE;
    if ((holds_if_missing || key->spends) && !ask_when_missing(keys, draft, key->rule)) {
      return false;
    }
  }
  return true;
}

/* Chooses a key for each rule that has any; the others are `unkeyed`, which has room for all. */
static bool choose_keys(const struct index_keys *keys, size_t rule_count, uint32_t *unkeyed,
                        size_t *ret_unkeyed_count) {
  size_t at = 0, n = 0;
  for (size_t rule = 0; rule < rule_count; rule++) {
    const struct index_key *best = NULL;
    size_t best_cost = SIZE_MAX;
    for (; at < keys->keys.n && keys->keys.items[at].rule == rule; at++) {
      size_t cost = cost_of(keys, &keys->keys.items[at]);
      if (cost >= best_cost) continue;
      best = &keys->keys.items[at];
      best_cost = cost;
    }
    if (!best) unkeyed[n++] = (uint32_t)rule;
    if (best && !choose(keys, best)) return false;
  }
  *ret_unkeyed_count = n;
  return true;
}

/* ---- building -------------------------------------------------------------------------------- */

static bool sort_drafts(const struct index_keys *keys) {
  for (size_t i = 0; i < keys->draft_count; i++) {
    if (keys->drafts[i] && !index_draft_sort(keys->drafts[i], keys->scratch)) return false;
  }
  return true;
}

static bool is_chosen(const struct index_draft *draft) {
  for (size_t i = 0; draft && i < draft->pieces.n; i++) {
    if (draft->pieces.items[i].chosen) return true;
  }
  return false;
}

static int compare_spaces(const void *a, const void *b) {
  const struct index_space *left = a, *right = b;
  return (left->first_rule > right->first_rule) - (left->first_rule < right->first_rule);
}

static bool build_spaces(const struct index_keys *keys, struct rule_index *index) {
  size_t n = 0;
  for (size_t i = 0; i < keys->draft_count; i++) n += is_chosen(keys->drafts[i]);
  struct index_space *spaces = ARENA_ARRAY(keys->arena, struct index_space, n);
  if (!spaces) return false;
  n = 0;
  for (size_t i = 0; i < keys->draft_count; i++) {
    if (!is_chosen(keys->drafts[i])) continue;
    if (!index_space_build(keys->drafts[i], keys->arena, &spaces[n++])) return false;
  }
  qsort(spaces, n, sizeof(*spaces), compare_spaces);
  index->spaces = spaces;
  index->space_count = n;
  return true;
}

bool rule_index_build(const struct route *route, struct arena *arena, struct arena *scratch,
                      const struct rule_index **ret) {
  size_t n = route->rule_count;
  *ret = NULL;
  if (n < INDEX_RULES_MIN) return true;
  struct index_keys keys;
  struct rule_index *index = ARENA_NEW(arena, struct rule_index);
  uint32_t *unkeyed = ARENA_ARRAY(arena, uint32_t, n);
  if (!index || !unkeyed || !index_keys_collect(&keys, route, arena, scratch) ||
      !sort_drafts(&keys) || !choose_keys(&keys, n, unkeyed, &index->unkeyed_count)) {
    return false;
  }
  index->rule_count = n;
  index->unkeyed = unkeyed;
  if (n - index->unkeyed_count < INDEX_RULES_MIN / 2) return true;
  if (!build_spaces(&keys, index)) return false;
  *ret = index;
  return true;
}

/* ---- the heap of runs ------------------------------------------------------------------------ */

static void swap_runs(struct rule_walk *walk, size_t a, size_t b) {
  struct rule_run run = walk->runs[a];
  walk->runs[a] = walk->runs[b];
  walk->runs[b] = run;
}

static bool is_lower(const struct rule_walk *walk, size_t a, size_t b) {
  return *walk->runs[a].at < *walk->runs[b].at;
}

static void add_run(struct rule_walk *walk, const uint32_t *at, const uint32_t *end) {
  if (at == end) return;
  if (walk->run_count == WALK_RUNS_MAX) {
    walk->all = true; /* the lists no longer narrow anything down */
    return;
  }
  size_t i = walk->run_count++;
  walk->runs[i] = (struct rule_run){at, end};
  for (; i > 0 && is_lower(walk, i, (i - 1) / 2); i = (i - 1) / 2) swap_runs(walk, i, (i - 1) / 2);
}

/* Moves the run on top to its next rule, or takes it away. */
static void advance_top(struct rule_walk *walk) {
  if (++walk->runs[0].at == walk->runs[0].end) walk->runs[0] = walk->runs[--walk->run_count];
  for (size_t i = 0;;) {
    size_t child = 2 * i + 1;
    if (child + 1 < walk->run_count && is_lower(walk, child + 1, child)) child++;
    if (child >= walk->run_count || !is_lower(walk, child, i)) return;
    swap_runs(walk, i, child);
    i = child;
  }
}

/* ---- walking --------------------------------------------------------------------------------- */

void rule_walk_begin(struct rule_walk *walk, const struct rule_index *index) {
  walk->index = index;
  walk->next_space = 0;
  walk->next_rule = 0;
  walk->all = false;
  walk->run_count = 0;
  add_run(walk, index->unkeyed, index->unkeyed + index->unkeyed_count);
}

static void add_node(struct rule_walk *walk, const struct index_space *space, size_t node) {
  add_run(walk, space->rules + space->starts[node], space->rules + space->starts[node + 1]);
}

static void add_value(struct rule_walk *walk, const struct index_space *space,
                      const struct attr_datum *value) {
  size_t element = index_space_find(space, value);
  if (element == INDEX_ELEMENT_NONE) return;
  for (size_t node = space->element_count + element; node > 0; node /= 2) {
    add_node(walk, space, node);
  }
}

static void open_space(struct rule_walk *walk, const struct index_space *space,
                       struct attr_reader *reader) {
  const struct attr_value *value = attr_read(reader, space->slot);
  switch (value->state) {
    case ATTR_PRESENT:
      for (size_t i = 0; i < value->n && !walk->all; i++) add_value(walk, space, &value->data[i]);
      return;
    case ATTR_MISSING:
      add_node(walk, space, INDEX_NODE_MISSING);
      return;
    case ATTR_UNREAD:
    case ATTR_UNDECIDED:
      break;
  }
  walk->all = true; /* each of its rules may be true */
}

/* The lowest rule of the runs. */
static size_t upcoming(const struct rule_walk *walk) {
  return walk->run_count > 0 ? *walk->runs[0].at : walk->index->rule_count;
}

size_t rule_walk_next(struct rule_walk *walk, struct attr_reader *reader) {
  const struct rule_index *index = walk->index;
  while (!walk->all && walk->next_space < index->space_count &&
         index->spaces[walk->next_space].first_rule <= upcoming(walk)) {
    open_space(walk, &index->spaces[walk->next_space++], reader);
  }
  if (walk->all) return walk->next_rule++;
  size_t rule = upcoming(walk);
  assert(rule >= walk->next_rule);
  walk->next_rule = rule + 1;
  while (walk->run_count > 0 && *walk->runs[0].at == rule) advance_top(walk);
  return rule;
}
