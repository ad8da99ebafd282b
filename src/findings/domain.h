/*
 * domain: what values one attribute can have, cut into finitely many cells. Private to
 * src/findings.
 *
 * Every type has a total order. The literals that a route's rules compare an attribute with are
 * *bounds* b0 < b1 < …; they cut the order into cells: 2i+1 is the bound bi itself, 2i all that
 * lies between b(i-1) and bi. Each comparison, list, prefix and network holds on whole cells.
 *
 *        cell 0 │ 1 │ 2 │ 3 │ 4
 *        ───────b0──────b1───────
 *
 * What an order cannot say (a suffix, a part, a pattern) is *opaque*: on a bound it is asked,
 * between bounds only its name is known, and what it implies. Buckets are a second order beside the
 * first.
 */
#ifndef ADIT_FINDINGS_DOMAIN_H
#define ADIT_FINDINGS_DOMAIN_H

#include "adit/arena.h"
#include "adit/conditions.h"

struct regex_scratch;
struct str_set;

enum {
  DOMAIN_BOUNDS_MAX = 1 << 17, /* of one attribute; what would need more is opaque */
  LEAF_VALUES_MAX = 1 << 14,   /* the same, of one leaf */
  DOMAIN_SALTS_MAX = 4,
  BUCKET_WORDS = (BUCKETS + 63) / 64
};

struct domain {
  uint16_t slot;
  enum attr_type type;
  bool single; /* a request gives at most one value */
  bool always; /* and at least one */
  bool path;   /* values begin with a slash, which its cells do not say */
  const struct attr_datum *bounds;
  size_t bound_count;
  size_t cell_count, word_count;
  const uint64_t *inhabited; /* cells that may hold a value; others are dropped everywhere */
  struct str salts[DOMAIN_SALTS_MAX];
  size_t salt_count;
  bool used; /* some leaf asks it */
};

/* What a leaf is to its domain. */
enum leaf_shape { SHAPE_CELLS, SHAPE_BUCKETS, SHAPE_OPAQUE };

struct domains {
  struct domain *items; /* one for each slot of the table */
  size_t n;
};

/*
 * Cuts the attributes of a table by all leaves of `conditions` (NULLs are passed over).
 * False: memory, or more than `leaf_limit` leaves.
 */
bool domains_build(struct domains *domains, struct arena *arena, const struct attr_table *table,
                   const struct condition *const *conditions, size_t n, size_t leaf_limit);

enum leaf_shape domain_shape(const struct domain *domain, const struct leaf *leaf);
/* The cells on which a leaf of SHAPE_CELLS holds, to `ret` (word_count words, zeroed). */
void domain_cells_of(const struct domain *domain, const struct leaf *leaf, uint64_t *ret);
/* The salt of a leaf of SHAPE_BUCKETS. */
size_t domain_salt_of(const struct domain *domain, const struct leaf *leaf);
/* The cell that a value lies in. */
size_t domain_cell_of(const struct domain *domain, const struct attr_datum *value);
/* Whether two opaque leaves test the same. */
bool leaf_is_same(const struct leaf *a, const struct leaf *b);
/* Whether whatever value `a` holds for, `b` holds for; false: not known. Opaque leaves. */
bool leaf_implies(const struct leaf *a, const struct leaf *b);
/* Whether no value has both; false: not known. Opaque leaves. */
bool leaf_excludes(const struct leaf *a, const struct leaf *b);
/* Whether the leaf's test holds for one value, patterns included. *ret_limit (may be NULL) is set
 * when a match limit left it open. */
bool leaf_test_value(const struct leaf *leaf, const struct attr_datum *value,
                     struct regex_scratch *scratch, bool *ret_limit);

/* ---- sets of bits ---- */

static inline bool bit_get(const uint64_t *words, size_t i) {
  return words[i / 64] >> (i % 64) & 1;
}

static inline void bit_set(uint64_t *words, size_t i) {
  words[i / 64] |= UINT64_C(1) << (i % 64);
}

/* Bits [from, to). */
void bits_set_range(uint64_t *words, size_t from, size_t to);

/* Cells between bounds have even numbers. */
#define OPEN_CELLS UINT64_C(0x5555555555555555)

#endif
