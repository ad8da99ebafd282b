/*
 * replay_tally: what is counted. One a thread; they become one at the end, whatever their order.
 */
#include <stdlib.h>

#include "adit/arena.h"
#include "adit/hash.h"
#include "cli/replay.h"

enum { MOVE_INDEX = 4 * REPLAY_KINDS_MAX, ARENA_BYTES = 256 << 20 };
static const uint16_t NO_MOVE = 0xFFFF;

/* ---- life ------------------------------------------------------------------------------------ */

static bool init_route(struct replay_route *counts, const struct route *route) {
  counts->variants = calloc(route->variant_count, sizeof(*counts->variants));
  counts->rules = calloc(route->rule_count + 1, sizeof(*counts->rules));
  distinct_init(&counts->users, REPLAY_ROUTE_USERS_EXACT);
  distinct_init(&counts->moved_users, REPLAY_ROUTE_USERS_EXACT);
  return counts->variants && counts->rules;
}

static struct replay_route *init_side(const struct policy *policy, size_t *ret_n) {
  const size_t n = policy_route_count(policy);
  struct replay_route *routes = calloc(n + 1, sizeof(*routes));
  *ret_n = routes ? n : 0;
  bool ok = routes != NULL;
  for (size_t i = 0; ok && i < n; i++) {
    const struct route *route = policy_route(policy, i);
    ok = init_route(&routes[policy_route_number(policy, route)], route);
  }
  return ok ? routes : NULL;
}

static void deinit_side(struct replay_route *routes, size_t n) {
  for (size_t i = 0; routes && i < n; i++) {
    free(routes[i].variants);
    free(routes[i].rules);
    distinct_deinit(&routes[i].users);
    distinct_deinit(&routes[i].moved_users);
  }
  free(routes);
}

bool replay_tally_init(struct replay_tally *tally, const struct replay_plan *plan) {
  *tally = (struct replay_tally){.arena = arena_new(ARENA_BYTES),
                                 .examples_max = plan->options->examples};
  distinct_init(&tally->users, REPLAY_USERS_EXACT);
  distinct_init(&tally->moved_users, REPLAY_USERS_EXACT);
  distinct_init(&tally->doubtful_users, REPLAY_USERS_EXACT);
  tally->before = init_side(plan->before, &tally->before_count);
  tally->after = init_side(plan->after, &tally->after_count);
  tally->moves = calloc(REPLAY_KINDS_MAX, sizeof(*tally->moves));
  tally->reasons = calloc(REPLAY_REASONS_MAX, sizeof(*tally->reasons));
  tally->move_index = malloc(MOVE_INDEX * sizeof(*tally->move_index));
  if (!tally->arena || !tally->before || !tally->after || !tally->moves || !tally->reasons ||
      !tally->move_index)
    return false;
  memset(tally->move_index, 0xFF, MOVE_INDEX * sizeof(*tally->move_index));
  return true;
}

void replay_tally_deinit(struct replay_tally *tally, const struct replay_plan *plan) {
  (void)plan;
  deinit_side(tally->before, tally->before_count);
  deinit_side(tally->after, tally->after_count);
  for (size_t i = 0; i < tally->move_count; i++) {
    distinct_deinit(&tally->moves[i].users);
    free(tally->moves[i].examples);
  }
  distinct_deinit(&tally->users);
  distinct_deinit(&tally->moved_users);
  distinct_deinit(&tally->doubtful_users);
  free(tally->moves);
  free(tally->move_index);
  free(tally->reasons);
  arena_free(&tally->arena);
  *tally = (struct replay_tally){0};
}

/* ---- moves ----------------------------------------------------------------------------------- */

static struct str variant_name(const struct decision *decision) {
  return decision->route ? decision->route->variants[decision->variant].name : STR("");
}

bool replay_is_moved(const struct decision *before, const struct decision *after) {
  if (!before->route || !after->route) return before->route || after->route;
  return !str_eq(before->route->name, after->route->name) ||
         !str_eq(variant_name(before), variant_name(after)) ||
         explain_moves_upstream(before, after);
}

/* One number for what tells two decisions apart. */
static uint64_t mix_decision(uint64_t seed, const struct decision *decision) {
  seed = mix_64(seed ^ (uintptr_t)decision->route, 1);
  seed = mix_64(seed ^ (uintptr_t)decision->rule, 2);
  return mix_64(seed ^ (uint64_t)decision->variant << 8 ^ (uint64_t)decision->reason, 3);
}

static bool is_alike(const struct decision *a, const struct decision *b) {
  return a->route == b->route && a->rule == b->rule && a->variant == b->variant &&
         a->reason == b->reason;
}

static struct decision place_of(const struct decision *decision) {
  return (struct decision){.route = decision->route,
                           .rule = decision->rule,
                           .variant = decision->variant,
                           .reason = decision->reason};
}

static struct replay_move *add_move(struct replay_tally *tally, const struct decision *before,
                                    const struct decision *after) {
  if (tally->move_count == REPLAY_KINDS_MAX) return NULL;
  struct replay_move *move = &tally->moves[tally->move_count];
  *move =
      (struct replay_move){.before = place_of(before),
                           .after = place_of(after),
                           .moved = replay_is_moved(before, after),
                           .examples = calloc(tally->examples_max + 1, sizeof(*move->examples))};
  distinct_init(&move->users, REPLAY_MOVE_USERS_EXACT);
  tally->failed |= !move->examples;
  return move;
}

struct replay_move *replay_tally_move(struct replay_tally *tally, const struct decision *before,
                                      const struct decision *after) {
  size_t i = (size_t)mix_decision(mix_decision(0, before), after) % MOVE_INDEX;
  for (; tally->move_index[i] != NO_MOVE; i = (i + 1) % MOVE_INDEX) {
    struct replay_move *move = &tally->moves[tally->move_index[i]];
    if (is_alike(&move->before, before) && is_alike(&move->after, after)) return move;
  }
  struct replay_move *move = add_move(tally, before, after);
  if (move) tally->move_index[i] = (uint16_t)tally->move_count++;
  return move;
}

/* ---- reasons --------------------------------------------------------------------------------- */

static bool is_earlier(struct replay_spot a, struct replay_spot b) {
  return a.block < b.block || (a.block == b.block && a.line < b.line);
}

static void add_reason(struct replay_tally *tally, struct str text, struct replay_spot first,
                       uint64_t requests) {
  size_t i = 0;
  while (i < tally->reason_count && !str_eq(tally->reasons[i].text, text)) i++;
  if (i == tally->reason_count) {
    struct str kept = i < REPLAY_REASONS_MAX ? arena_dup(tally->arena, text) : (struct str){0};
    if (!kept.p) {
      tally->other_reasons += requests;
      return;
    }
    tally->reasons[tally->reason_count++] = (struct replay_reason){kept, 0, first};
  }
  struct replay_reason *reason = &tally->reasons[i];
  if (is_earlier(first, reason->first)) reason->first = first;
  reason->requests += requests;
}

void replay_tally_reason(struct replay_tally *tally, struct str text, struct replay_spot spot) {
  add_reason(tally, text, spot, 1);
}

/* ---- merging --------------------------------------------------------------------------------- */

static void merge_kind(struct replay_kind *kind, const struct replay_kind *other) {
  if (other->lines == 0) return;
  const uint64_t lines = kind->lines + other->lines;
  if (kind->lines == 0 || is_earlier(other->first, kind->first)) *kind = *other;
  kind->lines = lines;
}

static void merge_first(struct replay_reason *reason, const struct replay_reason *other) {
  if (other->requests == 0) return;
  if (reason->requests == 0 || is_earlier(other->first, reason->first))
    reason->first = other->first;
  reason->requests += other->requests;
}

static void merge_cell(struct replay_cell *cell, const struct replay_cell *other) {
  cell->requests += other->requests;
  cell->moved += other->moved;
}

static void merge_side(struct replay_route *routes, const struct replay_route *others,
                       const struct policy *policy) {
  for (size_t i = 0; i < policy_route_count(policy); i++) {
    const struct route *route = policy_route(policy, i);
    const size_t at = policy_route_number(policy, route);
    merge_cell(&routes[at].all, &others[at].all);
    for (size_t k = 0; k < route->variant_count; k++)
      merge_cell(&routes[at].variants[k], &others[at].variants[k]);
    for (size_t k = 0; k <= route->rule_count; k++)
      merge_cell(&routes[at].rules[k], &others[at].rules[k]);
    distinct_merge(&routes[at].users, &others[at].users);
    distinct_merge(&routes[at].moved_users, &others[at].moved_users);
  }
}

/* Into what stands in order already. */
static void insert_example(struct replay_tally *tally, struct replay_move *move,
                           const struct replay_example *example) {
  size_t i = move->example_count;
  if (!move->examples) return;
  while (i > 0 && is_earlier(example->spot, move->examples[i - 1].spot)) i--;
  if (i == tally->examples_max) return;
  if (move->example_count < tally->examples_max) move->example_count++;
  for (size_t k = move->example_count - 1; k > i; k--) move->examples[k] = move->examples[k - 1];
  move->examples[i] = (struct replay_example){example->spot, arena_dup(tally->arena, example->text),
                                              arena_dup(tally->arena, example->json)};
}

static void merge_moves(struct replay_tally *tally, const struct replay_tally *other) {
  for (size_t i = 0; i < other->move_count; i++) {
    const struct replay_move *theirs = &other->moves[i];
    struct replay_move *move = replay_tally_move(tally, &theirs->before, &theirs->after);
    if (!move) {
      tally->other_moves += theirs->requests;
      continue;
    }
    move->requests += theirs->requests;
    distinct_merge(&move->users, &theirs->users);
    for (size_t k = 0; k < theirs->example_count; k++)
      insert_example(tally, move, &theirs->examples[k]);
  }
  tally->other_moves += other->other_moves;
}

void replay_tally_merge(struct replay_tally *tally, const struct replay_tally *other,
                        const struct replay_plan *plan) {
  tally->lines += other->lines;
  for (size_t i = 0; i < LOG_KINDS; i++) merge_kind(&tally->kinds[i], &other->kinds[i]);
  tally->routeless += other->routeless;
  tally->decided += other->decided;
  tally->moved += other->moved;
  tally->same_variant += other->same_variant;
  tally->unknown += other->unknown;
  tally->unknown_anonymous += other->unknown_anonymous;
  tally->anonymous += other->anonymous;
  tally->other_config += other->other_config;
  merge_first(&tally->disagreeing, &other->disagreeing);
  distinct_merge(&tally->users, &other->users);
  distinct_merge(&tally->moved_users, &other->moved_users);
  distinct_merge(&tally->doubtful_users, &other->doubtful_users);
  merge_side(tally->before, other->before, plan->before);
  merge_side(tally->after, other->after, plan->after);
  merge_moves(tally, other);
  for (size_t i = 0; i < other->reason_count; i++)
    add_reason(tally, other->reasons[i].text, other->reasons[i].first, other->reasons[i].requests);
  tally->other_reasons += other->other_reasons;
  tally->failed |= other->failed || arena_failed(tally->arena);
}

/* ---- what the guard counts ------------------------------------------------------------------- */

uint64_t replay_unreadable(const struct replay_tally *tally) {
  static const enum log_kind kinds[] = {LOG_BARE, LOG_CUT,       LOG_COMBINED,
                                        LOG_HALF, LOG_TOO_LARGE, LOG_MALFORMED};
  uint64_t n = 0;
  for (size_t i = 0; i < sizeof(kinds) / sizeof(*kinds); i++) n += tally->kinds[kinds[i]].lines;
  return n;
}

struct replay_share replay_requests(const struct replay_tally *tally) {
  const uint64_t doubtful = tally->unknown + replay_unreadable(tally);
  return (struct replay_share){tally->moved + doubtful, tally->decided + doubtful};
}

/* What tells no user and is not known may be of any: each counts as one who moves. */
struct replay_share replay_users(const struct replay_tally *tally) {
  const uint64_t nobody = tally->unknown_anonymous + replay_unreadable(tally);
  return (struct replay_share){distinct_count(&tally->doubtful_users) + nobody,
                               distinct_count(&tally->users) + nobody};
}

bool replay_is_within(struct replay_share share, int64_t max) {
  if (share.of == 0) return false;
  return (double)share.moved * 1e6 <= (double)max * (double)share.of;
}

/* ---- order ----------------------------------------------------------------------------------- */

static struct str rule_name(const struct decision *decision) {
  return decision->rule ? decision->rule->id : STR("");
}

static struct str route_name(const struct decision *decision) {
  return decision->route ? decision->route->name : STR("");
}

static int compare_places(const struct decision *a, const struct decision *b) {
  int order = str_cmp(route_name(a), route_name(b));
  if (!order) order = str_cmp(variant_name(a), variant_name(b));
  if (!order) order = str_cmp(rule_name(a), rule_name(b));
  return order ? order : (int)a->reason - (int)b->reason;
}

/* Those that move first; the most frequent first; else by names, so that the order is one. */
static int compare_moves(const void *a, const void *b) {
  const struct replay_move *x = *(const struct replay_move *const *)a;
  const struct replay_move *y = *(const struct replay_move *const *)b;
  if (x->moved != y->moved) return x->moved ? -1 : 1;
  if (x->requests != y->requests) return x->requests > y->requests ? -1 : 1;
  const int order = compare_places(&x->before, &y->before);
  return order ? order : compare_places(&x->after, &y->after);
}

const struct replay_move **replay_sort_moves(const struct replay_tally *tally,
                                             struct arena *arena) {
  const struct replay_move **sorted =
      ARENA_ARRAY(arena, const struct replay_move *, tally->move_count + 1);
  for (size_t i = 0; sorted && i < tally->move_count; i++) sorted[i] = &tally->moves[i];
  if (sorted) qsort(sorted, tally->move_count, sizeof(*sorted), compare_moves);
  return sorted;
}

static int compare_reasons(const void *a, const void *b) {
  const struct replay_reason *x = *(const struct replay_reason *const *)a;
  const struct replay_reason *y = *(const struct replay_reason *const *)b;
  if (x->requests != y->requests) return x->requests > y->requests ? -1 : 1;
  return str_cmp(x->text, y->text);
}

const struct replay_reason **replay_sort_reasons(const struct replay_tally *tally,
                                                 struct arena *arena) {
  const struct replay_reason **sorted =
      ARENA_ARRAY(arena, const struct replay_reason *, tally->reason_count + 1);
  for (size_t i = 0; sorted && i < tally->reason_count; i++) sorted[i] = &tally->reasons[i];
  if (sorted) qsort(sorted, tally->reason_count, sizeof(*sorted), compare_reasons);
  return sorted;
}
