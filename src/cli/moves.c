/*
 * moves: how often requests are decided otherwise, by where from and where to.
 *
 * There are few kinds of moves: a list that is searched, with a bound; those beyond it are counted
 * together.
 */
#include <stdlib.h>

#include "adit/arena.h"
#include "adit/text.h"
#include "cli/explain.h"

enum { KINDS_MAX = 256, KIND_BYTES_MAX = 1024 };

struct move {
  struct str what; /* "shop canary (rule 'a') → shop v1 (default)" */
  size_t count;
};

struct moves {
  struct arena *arena;
  size_t all, moved;
  size_t others; /* of kinds beyond the bound */
  size_t n;
  struct move kinds[KINDS_MAX];
};

struct moves *moves_new(struct arena *arena) {
  struct moves *moves = ARENA_NEW(arena, struct moves);
  if (moves) moves->arena = arena;
  return moves;
}

static void add_place(struct text *out, const struct decision *decision, bool with_upstream) {
  const struct route *route = decision->route;
  struct str reason = str_from_cstr(decide_reason_name(decision->reason));
  if (!route) {
    text_add(out, reason);
    return;
  }
  struct str upstream = explain_upstream(decision);
  text_printf(out, "%.*s %.*s (", STR_ARG(route->name),
              STR_ARG(route->variants[decision->variant].name));
  if (with_upstream) text_printf(out, "upstream %.*s, ", STR_ARG(upstream));
  if (decision->rule) text_printf(out, "rule '%.*s'", STR_ARG(decision->rule->id));
  if (decision->rule && decision->reason != REASON_RULE) text_add(out, STR(", "));
  if (decision->reason != REASON_RULE) text_add(out, reason);
  text_add_char(out, ')');
}

static void count_kind(struct moves *moves, struct str what) {
  for (size_t i = 0; i < moves->n; i++) {
    if (!str_eq(moves->kinds[i].what, what)) continue;
    moves->kinds[i].count++;
    return;
  }
  struct str kept = moves->n < KINDS_MAX ? arena_dup(moves->arena, what) : (struct str){0};
  if (kept.p)
    moves->kinds[moves->n++] = (struct move){kept, 1};
  else
    moves->others++;
}

void moves_describe(const struct decision *before, const struct decision *after, struct text *out) {
  const bool upstreams = explain_moves_upstream(before, after);
  add_place(out, before, upstreams);
  text_add(out, STR(" \xE2\x86\x92 "));
  add_place(out, after, upstreams);
}

void moves_add(struct moves *moves, const struct decision *before, const struct decision *after) {
  moves->all++;
  if (explain_same(before, after)) return;
  moves->moved++;
  struct text what;
  text_init(&what, KIND_BYTES_MAX);
  moves_describe(before, after, &what);
  count_kind(moves, text_str(&what));
  text_deinit(&what);
}

size_t moves_count(const struct moves *moves, size_t *ret_all) {
  *ret_all = moves->all;
  return moves->moved;
}

static int compare_counts(const void *a, const void *b) {
  size_t x = ((const struct move *)a)->count, y = ((const struct move *)b)->count;
  return (x < y) - (x > y);
}

void moves_format(const struct moves *moves, struct text *out) {
  struct move sorted[KINDS_MAX];
  memcpy(sorted, moves->kinds, moves->n * sizeof(*sorted));
  qsort(sorted, moves->n, sizeof(*sorted), compare_counts);
  for (size_t i = 0; i < moves->n; i++)
    text_printf(out, "%9zu  %.*s\n", sorted[i].count, STR_ARG(sorted[i].what));
  if (moves->others > 0) text_printf(out, "%9zu  of other kinds\n", moves->others);
}
