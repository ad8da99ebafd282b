/* index_keys: what rules can be found by; private to src/rules. */
#ifndef ADIT_RULES_INDEX_KEYS_H
#define ADIT_RULES_INDEX_KEYS_H

#include "index_space.h"

/* A leaf that one of a key's must hold, and its pieces in the draft of its attribute. */
struct index_leaf {
  const struct leaf *leaf;
  struct index_draft *draft;
  size_t piece_at, piece_count;
};

/* One way to find a rule: leaves of which one must be true for the rule to be true. */
struct index_key {
  uint32_t rule;
  size_t leaf_at, leaf_count; /* in `leaves` */
  bool spends; /* the rule may spend budget though the key is unknown: then it is to be asked */
};

struct index_keys {
  struct arena *arena, *scratch;
  const struct attr_table *table;
  /* Of each slot: reading it where a rule is asked changes nothing that could be noticed. */
  bool *settled;
  struct index_draft **drafts; /* of slot s: 2s, and without regard to case 2s + 1; or NULL */
  size_t draft_count;
  VEC(struct index_leaf) leaves;
  VEC(struct index_key) keys; /* ascending by rule; a rule may have several or none */
  size_t piece_count;
};

/* Collects the keys of a route's rules. False: memory. */
bool index_keys_collect(struct index_keys *keys, const struct route *route, struct arena *arena,
                        struct arena *scratch);

#endif
