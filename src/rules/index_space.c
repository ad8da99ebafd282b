#include "index_space.h"

#include <stdlib.h>

#include "adit/hash.h"

static const uint32_t CUT_END = UINT32_MAX;

/* ---- pieces of a leaf ------------------------------------------------------------------------ */

size_t index_piece_count(const struct leaf *leaf) {
  if (leaf->negative) return 0;
  switch (leaf->test) {
    case TEST_STRING_EQUAL:
    case TEST_COMPARE:
    case TEST_BETWEEN:
      return 1;
    case TEST_STRING_IN:
    case TEST_IN:
    case TEST_STARTS_WITH:
    case TEST_IN_CIDR:
      return leaf->n;
    case TEST_UNDER:
      return 2 * leaf->n;
    case TEST_EXISTS:
    case TEST_ENDS_WITH:
    case TEST_CONTAINS:
    case TEST_MATCHES:
    case TEST_BUCKET_IN:
      return 0;
  }
  return 0;
}

/* What pieces are added with. */
struct adder {
  struct index_draft *draft;
  struct arena *arena, *scratch;
  uint32_t rule;
};

static bool add_piece(const struct adder *adder, uint32_t from, uint32_t to) {
  struct index_piece piece = {.rule = adder->rule, .from = from, .to = to};
  return VEC_PUSH(adder->scratch, &adder->draft->pieces, piece);
}

/* Adds a bound; the cut before it in *ret, the one behind it is the next. */
static bool add_bound(const struct adder *adder, const struct attr_datum *datum, uint32_t *ret) {
  if (!VEC_PUSH(adder->scratch, &adder->draft->bounds, *datum)) return false;
  *ret = (uint32_t)(2 * adder->draft->bounds.n - 1);
  return true;
}

static bool add_point(const struct adder *adder, const struct attr_datum *datum) {
  uint32_t cut;
  return add_bound(adder, datum, &cut) && add_piece(adder, cut, cut + 1);
}

static bool add_text(const struct adder *adder, struct str text) {
  return add_point(adder, &(struct attr_datum){.text = text});
}

static bool add_texts(const struct adder *adder, const struct str_set *texts, size_t n) {
  for (size_t i = 0; i < n; i++) {
    if (!add_text(adder, str_set_key(texts, i))) return false;
  }
  return true;
}

static bool add_points(const struct adder *adder, const struct leaf *leaf) {
  for (size_t i = 0; i < leaf->n; i++) {
    if (!add_point(adder, &leaf->with.data[i])) return false;
  }
  return true;
}

static bool add_comparison(const struct adder *adder, const struct leaf *leaf) {
  uint32_t before;
  if (!add_bound(adder, &leaf->with.data[0], &before)) return false;
  uint32_t behind = before + 1;
  uint32_t equal_from = leaf->accepts & ACCEPT_EQUAL ? before : behind;
  uint32_t equal_to = leaf->accepts & ACCEPT_EQUAL ? behind : before;
  return add_piece(adder, leaf->accepts & ACCEPT_LESS ? 0 : equal_from,
                   leaf->accepts & ACCEPT_GREATER ? CUT_END : equal_to);
}

static bool add_between(const struct adder *adder, const struct leaf *leaf) {
  uint32_t low, high;
  return add_bound(adder, &leaf->with.data[0], &low) &&
         add_bound(adder, &leaf->with.data[1], &high) && add_piece(adder, low, high);
}

/* What begins with `prefix` is from itself to before the least text that is greater than all of
 * them: the last byte counted up. (In UTF-8, which rule files are, it is never 255.) */
static bool add_prefix(const struct adder *adder, struct str prefix) {
  uint32_t low, high = CUT_END;
  if (!add_bound(adder, &(struct attr_datum){.text = prefix}, &low)) return false;
  if (prefix.n > 0) {
    struct str rest = str_take(prefix, prefix.n - 1);
    int last = (unsigned char)prefix.p[rest.n];
    struct str end = arena_printf(adder->arena, "%.*s%c", STR_ARG(rest), last + 1);
    if (!end.p || !add_bound(adder, &(struct attr_datum){.text = end}, &high)) return false;
  }
  return add_piece(adder, low, high);
}

static bool add_folded_prefix(const struct adder *adder, struct str prefix) {
  char *folded = arena_alloc(adder->arena, prefix.n);
  if (!folded) return false;
  for (size_t i = 0; i < prefix.n; i++) folded[i] = ascii_lower(prefix.p[i]);
  return add_prefix(adder, str_make(folded, prefix.n));
}

static bool add_prefixes(const struct adder *adder, const struct leaf *leaf) {
  for (size_t i = 0; i < leaf->n; i++) {
    struct str prefix = leaf->with.texts[i];
    bool ok = leaf->ignore_case ? add_folded_prefix(adder, prefix) : add_prefix(adder, prefix);
    if (!ok) return false;
  }
  return true;
}

/* The path itself, and what begins with it and a slash. */
static bool add_paths(const struct adder *adder, const struct leaf *leaf) {
  for (size_t i = 0; i < leaf->n; i++) {
    struct str path = leaf->with.texts[i];
    struct str below = arena_printf(adder->arena, "%.*s/", STR_ARG(path));
    if (!below.p || !add_text(adder, path) || !add_prefix(adder, below)) return false;
  }
  return true;
}

static bool add_networks(const struct adder *adder, const struct leaf *leaf) {
  for (size_t i = 0; i < leaf->n; i++) {
    const struct ip_network *network = &leaf->with.networks[i];
    struct attr_datum first = {.as.ip = network->base}, last = first;
    uint32_t low, high;
    for (unsigned bit = network->bits; bit < 128; bit++) {
      last.as.ip.bytes[bit / 8] |= (uint8_t)(0x80u >> bit % 8);
    }
    if (!add_bound(adder, &first, &low) || !add_bound(adder, &last, &high) ||
        !add_piece(adder, low, high + 1)) {
      return false;
    }
  }
  return true;
}

bool index_draft_add(struct index_draft *draft, struct arena *arena, struct arena *scratch,
                     const struct leaf *leaf, uint32_t rule) {
  const struct adder adder = {draft, arena, scratch, rule};
  switch (leaf->test) {
    case TEST_STRING_EQUAL:
      return add_text(&adder, leaf->with.texts[0]);
    case TEST_STRING_IN:
      return add_texts(&adder, leaf->with.strings, leaf->n);
    case TEST_COMPARE:
      return add_comparison(&adder, leaf);
    case TEST_IN:
      return add_points(&adder, leaf);
    case TEST_BETWEEN:
      return add_between(&adder, leaf);
    case TEST_STARTS_WITH:
      return add_prefixes(&adder, leaf);
    case TEST_UNDER:
      return add_paths(&adder, leaf);
    case TEST_IN_CIDR:
      return add_networks(&adder, leaf);
    case TEST_EXISTS:
    case TEST_ENDS_WITH:
    case TEST_CONTAINS:
    case TEST_MATCHES:
    case TEST_BUCKET_IN:
      break; /* index_piece_count says that there are none */
  }
  return true;
}

/* ---- sorting --------------------------------------------------------------------------------- */

static int compare_bounds(const void *a, const void *b, void *context) {
  const struct index_draft *draft = context;
  return attr_datum_compare(draft->type, &draft->bounds.items[*(const uint32_t *)a],
                            &draft->bounds.items[*(const uint32_t *)b]);
}

/* Puts the bounds in order, once each; places[i] becomes the place of what was the i-th. */
static bool sort_bounds(struct index_draft *draft, struct arena *scratch, uint32_t *places) {
  size_t n = draft->bounds.n, kept = 0;
  uint32_t *order = ARENA_ARRAY(scratch, uint32_t, n);
  struct attr_datum *sorted = ARENA_ARRAY(scratch, struct attr_datum, n);
  if (!order || !sorted) return false;
  for (size_t i = 0; i < n; i++) order[i] = (uint32_t)i;
  qsort_r(order, n, sizeof(*order), compare_bounds, draft);
  for (size_t i = 0; i < n; i++) {
    const struct attr_datum *bound = &draft->bounds.items[order[i]];
    if (kept == 0 || attr_datum_compare(draft->type, &sorted[kept - 1], bound) != 0) {
      sorted[kept++] = *bound;
    }
    places[order[i]] = (uint32_t)(kept - 1);
  }
  draft->bounds.items = sorted;
  draft->bounds.n = kept;
  draft->element_count = 2 * kept + 1;
  return true;
}

static uint32_t element_at(const struct index_draft *draft, const uint32_t *places, uint32_t cut) {
  if (cut == 0) return 0;
  if (cut == CUT_END) return (uint32_t)draft->element_count;
  return 2 * places[(cut - 1) / 2] + 1 + (cut - 1) % 2;
}

/* Counts in the element behind, and then adds up. */
static bool count_ends(struct index_draft *draft, struct arena *scratch) {
  size_t n = draft->element_count;
  draft->begun = ARENA_ARRAY(scratch, uint32_t, n + 2);
  draft->ended = ARENA_ARRAY(scratch, uint32_t, n + 2);
  if (!draft->begun || !draft->ended) return false;
  for (size_t i = 0; i < draft->pieces.n; i++) {
    draft->begun[draft->pieces.items[i].from + 1]++;
    draft->ended[draft->pieces.items[i].to]++;
  }
  for (size_t i = 1; i <= n; i++) {
    draft->begun[i] += draft->begun[i - 1];
    draft->ended[i] += draft->ended[i - 1];
  }
  return true;
}

bool index_draft_sort(struct index_draft *draft, struct arena *scratch) {
  uint32_t *places = ARENA_ARRAY(scratch, uint32_t, draft->bounds.n);
  if (!places || !sort_bounds(draft, scratch, places)) return false;
  for (size_t i = 0; i < draft->pieces.n; i++) {
    struct index_piece *piece = &draft->pieces.items[i];
    piece->from = element_at(draft, places, piece->from);
    piece->to = element_at(draft, places, piece->to);
  }
  return count_ends(draft, scratch);
}

size_t index_draft_overlap(const struct index_draft *draft, const struct index_piece *piece) {
  return draft->begun[piece->to] - draft->ended[piece->from];
}

/* ---- the space ------------------------------------------------------------------------------- */

static bool is_point(const struct index_piece *piece) {
  return piece->from % 2 == 1 && piece->to == piece->from + 1;
}

static bool build_points(const struct index_draft *draft, struct arena *arena,
                         struct index_space *space) {
  if (!attr_type_is_text(draft->type) || draft->ignore_case) return true;
  for (size_t i = 0; i < draft->pieces.n; i++) {
    if (draft->pieces.items[i].chosen && !is_point(&draft->pieces.items[i])) return true;
  }
  struct str_set *points = str_set_new(arena, space->bound_count);
  if (!points) return false;
  for (size_t i = 0; i < space->bound_count; i++) {
    (void)str_set_add(points, space->bounds[i].text, i);
  }
  space->points = points;
  return true;
}

/* Counts (`rules` is NULL), or writes to where the node's rules begin, which moves on by one. */
static void place_rule(uint32_t *starts, uint32_t *rules, size_t node, uint32_t rule) {
  if (rules) {
    rules[starts[node + 1]++] = rule;
  } else {
    starts[node + 2]++;
  }
}

/* At the nodes that have all of the piece's elements, and none besides. */
static void place_piece(const struct index_piece *piece, size_t n, uint32_t *starts,
                        uint32_t *rules) {
  size_t from = piece->from + n, to = piece->to + n;
  for (; from < to; from /= 2, to /= 2) {
    if (from % 2 == 1) place_rule(starts, rules, from++, piece->rule);
    if (to % 2 == 1) place_rule(starts, rules, --to, piece->rule);
  }
}

static void place_all(const struct index_draft *draft, uint32_t *starts, uint32_t *rules) {
  for (size_t i = 0; i < draft->when_missing.n; i++) {
    place_rule(starts, rules, INDEX_NODE_MISSING, draft->when_missing.items[i]);
  }
  for (size_t i = 0; i < draft->pieces.n; i++) {
    if (!draft->pieces.items[i].chosen) continue;
    place_piece(&draft->pieces.items[i], draft->element_count, starts, rules);
  }
}

static bool build_tree(const struct index_draft *draft, struct arena *arena,
                       struct index_space *space) {
  size_t nodes = 2 * draft->element_count;
  uint32_t *starts = ARENA_ARRAY(arena, uint32_t, nodes + 2);
  if (!starts) return false;
  place_all(draft, starts, NULL);
  for (size_t i = 1; i < nodes + 2; i++) starts[i] += starts[i - 1];
  uint32_t *rules = ARENA_ARRAY(arena, uint32_t, starts[nodes + 1]);
  if (!rules) return false;
  place_all(draft, starts, rules);
  space->element_count = draft->element_count;
  space->starts = starts;
  space->rules = rules;
  return true;
}

static uint32_t first_rule(const struct index_draft *draft) {
  uint32_t first = draft->when_missing.n > 0 ? draft->when_missing.items[0] : UINT32_MAX;
  for (size_t i = 0; i < draft->pieces.n; i++) {
    const struct index_piece *piece = &draft->pieces.items[i];
    if (piece->chosen) return piece->rule < first ? piece->rule : first;
  }
  return first;
}

bool index_space_build(const struct index_draft *draft, struct arena *arena,
                       struct index_space *ret) {
  struct attr_datum *bounds = ARENA_ARRAY(arena, struct attr_datum, draft->bounds.n);
  if (!bounds) return false;
  memcpy(bounds, draft->bounds.items, draft->bounds.n * sizeof(*bounds));
  *ret = (struct index_space){
      .slot = draft->slot,
      .type = draft->type,
      .ignore_case = draft->ignore_case,
      .first_rule = first_rule(draft),
      .bounds = bounds,
      .bound_count = draft->bounds.n,
  };
  return build_points(draft, arena, ret) && build_tree(draft, arena, ret);
}

/* ---- finding --------------------------------------------------------------------------------- */

/* Bounds are folded already, and one that ends a prefix must not be again: '@' ends before 'A'. */
static int compare_folded(struct str value, struct str bound) {
  size_t n = value.n < bound.n ? value.n : bound.n;
  for (size_t i = 0; i < n; i++) {
    int difference = (unsigned char)ascii_lower(value.p[i]) - (unsigned char)bound.p[i];
    if (difference != 0) return difference;
  }
  return (value.n > bound.n) - (value.n < bound.n);
}

static int compare(const struct index_space *space, const struct attr_datum *value,
                   const struct attr_datum *bound) {
  return space->ignore_case ? compare_folded(value->text, bound->text)
                            : attr_datum_compare(space->type, value, bound);
}

size_t index_space_find(const struct index_space *space, const struct attr_datum *value) {
  if (space->points) {
    size_t i = str_set_find(space->points, value->text);
    return i == STR_SET_NONE ? INDEX_ELEMENT_NONE : 2 * i + 1;
  }
  size_t low = 0, high = space->bound_count;
  while (low < high) {
    size_t middle = low + (high - low) / 2;
    int sign = compare(space, value, &space->bounds[middle]);
    if (sign == 0) return 2 * middle + 1;
    if (sign < 0) {
      high = middle;
    } else {
      low = middle + 1;
    }
  }
  return 2 * low;
}
