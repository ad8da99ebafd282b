/*
 * index_space: the values of one attribute in their order, divided by what rules ask of it; private
 * to src/rules.
 *
 * Every leaf that may be a key holds for *pieces* of that order: an equality for a point, `lt` for
 * all that is less, a network for its addresses, a prefix for what begins with it. The ends of
 * pieces are *bounds*. m different bounds divide the order into 2m + 1 *elements*: what is less
 * than the first, the first, what is between it and the second, … A piece is a run of elements, and
 * the rules for a value are those with a piece over its element.
 *
 *   draft   collects pieces, sorts their bounds, and knows how many pieces overlap one
 *   space   what is asked: a tree over the elements, each node with the rules of the pieces that
 *           have all of its elements, but not all of its parent's
 *
 * A piece is in two nodes a level at most, so a space is built in O(n log n), and a value is in one
 * node a level.
 */
#ifndef ADIT_RULES_INDEX_SPACE_H
#define ADIT_RULES_INDEX_SPACE_H

#include "adit/arena.h"
#include "condition_tree.h"

struct str_set;

/* In a draft that is not sorted `from` and `to` are cuts: before everything 0, before bound i 2i +
 * 1, behind it 2i + 2, behind everything CUT_END. Sorted, they are elements [from, to). */
struct index_piece {
  uint32_t rule;
  uint32_t from, to;
  bool chosen; /* it is to be in the space */
};

struct index_draft {
  uint16_t slot;
  enum attr_type type;
  bool ignore_case;
  VEC(struct attr_datum) bounds;
  VEC(struct index_piece) pieces; /* ascending by rule */
  VEC(uint32_t) when_missing;     /* rules to ask where the attribute is missing, ascending */
  /* Once sorted. */
  size_t element_count;
  uint32_t *begun; /* of each element: pieces with a lower `from` … */
  uint32_t *ended; /* … and with a `to` that is not higher */
};

/* How many pieces a leaf has; 0: it cannot be a key. */
size_t index_piece_count(const struct leaf *leaf);
/* Adds them. Texts that the space will view are made in `arena`, the rest in `scratch`. False:
 * memory. */
bool index_draft_add(struct index_draft *draft, struct arena *arena, struct arena *scratch,
                     const struct leaf *leaf, uint32_t rule);
bool index_draft_sort(struct index_draft *draft, struct arena *scratch);
/* How many pieces share an element with this one, itself included. */
size_t index_draft_overlap(const struct index_draft *draft, const struct index_piece *piece);

struct index_space {
  uint16_t slot;
  enum attr_type type;
  bool ignore_case;
  uint32_t first_rule;
  const struct attr_datum *bounds; /* ascending, without duplicates */
  size_t bound_count;
  const struct str_set *points; /* bounds by their texts, where nothing else is asked; else NULL */
  /* The tree, node 1 on top, the elements from node element_count on; the rules of node i are
   * rules[starts[i]] to rules[starts[i + 1]]. */
  size_t element_count;
  const uint32_t *starts;
  const uint32_t *rules;
};

enum { INDEX_NODE_MISSING = 0 }; /* no part of the tree: its rules are when_missing */
#define INDEX_ELEMENT_NONE SIZE_MAX

/* Makes a space of a sorted draft's chosen pieces. False: memory. */
bool index_space_build(const struct index_draft *draft, struct arena *arena,
                       struct index_space *ret);
/* The element of a value, or INDEX_ELEMENT_NONE where no piece has it. */
size_t index_space_find(const struct index_space *space, const struct attr_datum *value);

#endif
