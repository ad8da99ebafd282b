/*
 * conditions: what a compiled condition is, for those who build, evaluate, or prove something of
 * it.
 *
 * A condition is a tree: all, any, not over leaves; a leaf is one operator on one slot. Nodes are
 * immutable once built. A node may have several parents (segments are shared), but no cycle is ever
 * built. Only src/rules writes them.
 */
#ifndef ADIT_CONDITIONS_H
#define ADIT_CONDITIONS_H

#include "adit/rules.h"

struct regex;
struct str_set;

/* How one value is tested; what the leaf's `with` holds is named for each. */
enum leaf_test {
  TEST_EXISTS,       /* exists */
  TEST_STRING_EQUAL, /* texts, one */
  TEST_STRING_IN,    /* strings */
  TEST_COMPARE,      /* data, one: its place relative to the value is in `accepts` */
  TEST_IN,           /* data, ascending, without duplicates; none is possible (an empty file) */
  TEST_BETWEEN,      /* data, two: [low, high) */
  TEST_STARTS_WITH,  /* texts */
  TEST_ENDS_WITH,    /* texts */
  TEST_CONTAINS,     /* texts */
  TEST_MATCHES,      /* patterns */
  TEST_UNDER,        /* texts without a slash at the end */
  TEST_IN_CIDR,      /* networks */
  TEST_BUCKET_IN     /* share */
};

/* Where a value may stand relative to a bound. */
enum { ACCEPT_LESS = 1, ACCEPT_EQUAL = 2, ACCEPT_GREATER = 4 };

/* One operator on one attribute. */
struct leaf {
  uint16_t slot;
  enum attr_type type;
  enum leaf_test test;
  enum tristate missing; /* what it gives for a missing attribute */
  uint8_t accepts;
  bool negative; /* holds when `test` holds for none of the values */
  bool ignore_case;
  bool in_gateway;   /* it stands in a segment of adit.json */
  bool opens_window; /* `from` of a window that has an `until`: to be past is its purpose */
  unsigned line, column;
  const char *op;
  struct str attribute;
  struct str value_json;
  size_t n; /* of what `with` points to */
  union {
    bool exists;
    const struct str *texts;
    const struct str_set *strings;
    const struct attr_datum *data;
    const struct regex *const *patterns;
    const struct ip_network *networks;
    struct {
      struct str salt;
      unsigned from, to; /* buckets [from, to) */
    } share;
  } with;
};

enum condition_kind { CONDITION_LEAF, CONDITION_ALL, CONDITION_ANY, CONDITION_NOT };

struct condition {
  enum condition_kind kind;
  unsigned leaf_count; /* segments opened; at most CONDITIONS_MAX + 1, which is too many */
  unsigned depth;
  union {
    struct leaf leaf;
    struct {
      const struct condition *const *items; /* of NOT one */
      size_t n;
    } children;
  } as;
};

/*
 * Whether the leaf's test holds for one value of its type, `negative` not considered. Not for
 * TEST_EXISTS, which asks for no value, nor for TEST_MATCHES, which needs a matcher.
 */
bool leaf_holds_for(const struct leaf *leaf, const struct attr_datum *value);

#endif
