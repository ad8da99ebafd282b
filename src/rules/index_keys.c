/*
 * Which leaves a rule can be found by.
 *
 * A rule that is skipped because its key is false or unknown is not asked, so asking it must not be
 * missed. Two things could be: *spending*, when a pattern is matched or an attribute is read
 * through one, since patterns of a request share a budget; and reading the time, which is noted.
 * Both happen when an attribute is read for the first time, or with each `matches`. Hence
 *
 *   settled   is a slot whose reading never spends, or that every request which comes this far has
 *             read: the first leaf of a rule before is on it. A node is *quiet* when it has no
 *             `matches` and all of its slots are settled.
 *   before    the key there may only be quiet members: they are not asked either. A first leaf
 * whose slot is not settled may itself be the key: asking the index reads it just there. behind it
 * there may be anything where the key is false, since a member that is false ends the AND. One that
 * is unknown does not: then the rule is asked all the same, unless it is quiet as a whole.
 */
#include "index_keys.h"

enum {
  PIECES_OF_KEY_MAX = 4096, /* a longer list is no way to tell rules apart */
  PIECES_MAX = 1 << 19      /* bounds the memory; rules behind are always asked */
};

/* ---- what asking spends ---------------------------------------------------------------------- */

static bool is_quiet(const struct index_keys *keys, const struct condition *node) {
  if (node->kind == CONDITION_LEAF) {
    return node->as.leaf.test != TEST_MATCHES && keys->settled[node->as.leaf.slot];
  }
  for (size_t i = 0; i < node->as.children.n; i++) {
    if (!is_quiet(keys, node->as.children.items[i])) return false;
  }
  return true;
}

static const struct leaf *first_leaf(const struct condition *node) {
  while (node->kind != CONDITION_LEAF) node = node->as.children.items[0];
  return &node->as.leaf;
}

/* ---- leaves of which one must hold ----------------------------------------------------------- */

enum cover { COVER_FOUND, COVER_NONE, COVER_NO_MEMORY };

static enum cover cover(struct index_keys *keys, const struct condition *node);

static enum cover cover_leaf(struct index_keys *keys, const struct leaf *leaf) {
  struct index_leaf entry = {.leaf = leaf, .piece_count = index_piece_count(leaf)};
  if (entry.piece_count == 0 || entry.piece_count > PIECES_OF_KEY_MAX) return COVER_NONE;
  return VEC_PUSH(keys->scratch, &keys->leaves, entry) ? COVER_FOUND : COVER_NO_MEMORY;
}

/* One member's will do: the first that has any. */
static enum cover cover_all(struct index_keys *keys, const struct condition *node) {
  size_t before = keys->leaves.n;
  for (size_t i = 0; i < node->as.children.n; i++) {
    enum cover found = cover(keys, node->as.children.items[i]);
    if (found != COVER_NONE) return found;
    keys->leaves.n = before;
  }
  return COVER_NONE;
}

/* Those of all members. */
static enum cover cover_any(struct index_keys *keys, const struct condition *node) {
  for (size_t i = 0; i < node->as.children.n; i++) {
    enum cover found = cover(keys, node->as.children.items[i]);
    if (found != COVER_FOUND) return found;
  }
  return COVER_FOUND;
}

/* Adds to `leaves` some of which one must hold for the node to hold. */
static enum cover cover(struct index_keys *keys, const struct condition *node) {
  switch (node->kind) {
    case CONDITION_LEAF:
      return cover_leaf(keys, &node->as.leaf);
    case CONDITION_ALL:
      return cover_all(keys, node);
    case CONDITION_ANY:
      return cover_any(keys, node);
    case CONDITION_NOT:
      return COVER_NONE;
  }
  return COVER_NONE;
}

/* ---- keys of one rule ------------------------------------------------------------------------ */

static struct index_draft *get_draft(struct index_keys *keys, const struct leaf *leaf) {
  struct index_draft **draft = &keys->drafts[2 * (size_t)leaf->slot + (leaf->ignore_case ? 1 : 0)];
  if (*draft) return *draft;
  *draft = ARENA_NEW(keys->scratch, struct index_draft);
  if (!*draft) return NULL;
  (*draft)->slot = leaf->slot;
  (*draft)->type = leaf->type;
  (*draft)->ignore_case = leaf->ignore_case;
  return *draft;
}

static bool add_pieces(struct index_keys *keys, struct index_leaf *entry, uint32_t rule) {
  entry->draft = get_draft(keys, entry->leaf);
  if (!entry->draft) return false;
  entry->piece_at = entry->draft->pieces.n;
  return index_draft_add(entry->draft, keys->arena, keys->scratch, entry->leaf, rule);
}

/* Makes the leaves from `at` on a key, or drops them where they are too many. False: memory. */
static bool add_key(struct index_keys *keys, size_t at, uint32_t rule) {
  size_t pieces = 0;
  for (size_t i = at; i < keys->leaves.n; i++) pieces += keys->leaves.items[i].piece_count;
  if (pieces > PIECES_OF_KEY_MAX || pieces > PIECES_MAX - keys->piece_count) {
    keys->leaves.n = at;
    return true;
  }
  keys->piece_count += pieces;
  for (size_t i = at; i < keys->leaves.n; i++) {
    if (!add_pieces(keys, &keys->leaves.items[i], rule)) return false;
  }
  struct index_key key = {.rule = rule, .leaf_at = at, .leaf_count = keys->leaves.n - at};
  return VEC_PUSH(keys->scratch, &keys->keys, key);
}

static bool add_cover(struct index_keys *keys, const struct condition *node, uint32_t rule) {
  size_t at = keys->leaves.n;
  switch (cover(keys, node)) {
    case COVER_FOUND:
      return add_key(keys, at, rule);
    case COVER_NONE:
      keys->leaves.n = at;
      return true;
    case COVER_NO_MEMORY:
      break;
  }
  return false;
}

/* The keys that a member of the rule's AND gives. *quiet becomes false when what stands behind it
 * must not be one. False: memory. */
static bool add_member(struct index_keys *keys, const struct condition *node, bool is_first,
                       uint32_t rule, bool *quiet) {
  if (node->kind == CONDITION_ALL) {
    for (size_t i = 0; i < node->as.children.n && *quiet; i++) {
      const struct condition *child = node->as.children.items[i];
      if (!add_member(keys, child, is_first && i == 0, rule, quiet)) return false;
    }
    return true;
  }
  *quiet = is_quiet(keys, node);
  if (!*quiet && !(is_first && node->kind == CONDITION_LEAF)) return true;
  return add_cover(keys, node, rule);
}

static bool add_rule(struct index_keys *keys, const struct condition *when, uint32_t rule) {
  size_t before = keys->keys.n;
  bool quiet = true;
  if (!add_member(keys, when, true, rule, &quiet)) return false;
  /* Only now: a key behind the first leaf would not have it read. */
  keys->settled[first_leaf(when)->slot] = true;
  if (keys->keys.n == before) return true;
  bool spends = !is_quiet(keys, when);
  for (size_t i = before; i < keys->keys.n; i++) keys->keys.items[i].spends = spends;
  return true;
}

bool index_keys_collect(struct index_keys *keys, const struct route *route, struct arena *arena,
                        struct arena *scratch) {
  size_t slots = attr_table_size(route->table);
  *keys = (struct index_keys){.arena = arena,
                              .scratch = scratch,
                              .table = route->table,
                              .settled = ARENA_ARRAY(scratch, bool, slots),
                              .drafts = ARENA_ARRAY(scratch, struct index_draft *, 2 * slots),
                              .draft_count = 2 * slots};
  if (!keys->settled || !keys->drafts) return false;
  for (size_t i = 0; i < slots; i++) {
    keys->settled[i] = !attr_table_is_noticed(route->table, (uint16_t)i);
  }
  for (size_t i = 0; i < route->rule_count; i++) {
    const struct condition *when = route->rules[i].when;
    if (when && !add_rule(keys, when, (uint32_t)i)) return false;
  }
  return true;
}
