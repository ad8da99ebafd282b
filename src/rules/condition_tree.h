/*
 * condition_tree: what a compiled condition is, shared by those who build and those who evaluate.
 *
 * Nodes are immutable once built. A node may have several parents (segments are shared), but no
 * cycle is ever built.
 */
#ifndef ADIT_RULES_CONDITION_TREE_H
#define ADIT_RULES_CONDITION_TREE_H

#include "condition.h"

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

/* ---- operators.c: the table of operators ----------------------------------------------------- */

/* What stands behind an operator in the file. */
enum literal_form {
  LITERAL_ONE,      /* one value of the attribute's type */
  LITERAL_LIST,     /* a list of such values, not empty */
  LITERAL_PAIR,     /* [low, high] */
  LITERAL_BOOLEAN,  /* true or false */
  LITERAL_FILE,     /* the name of a file of values */
  LITERAL_TEXTS,    /* a string or a list of them, not empty */
  LITERAL_PATTERNS, /* the same, as regular expressions */
  LITERAL_PREFIXES, /* the same, as prefixes of a path */
  LITERAL_NETWORKS, /* the same, as networks */
  LITERAL_SHARE     /* [from, to] in percent */
};

struct operator_info {
  const char *name;
  unsigned types; /* bits 1 << enum attr_type */
  enum literal_form form;
  enum leaf_test test; /* of typed values; strings that are equal or in a list have their own */
  uint8_t accepts;
  bool negative;
  bool only_path;
  bool takes_case; /* "ignore_case" may stand beside it */
};

enum { OPERATORS_MAX = 32 };

/* The operator of a name, whatever it applies to; NULL: there is none. */
const struct operator_info *operator_find(struct str name);
bool operator_applies(const struct operator_info *info, enum attr_type type, bool is_path);
/* Names of those that apply, NULL at the end, to `ret` (OPERATORS_MAX). */
void operator_names(enum attr_type type, bool is_path, const char **ret);

/* Adds the error that memory is short. Always false. */
bool condition_no_memory(const struct condition_compiler *compiler, const struct cJSON *node,
                         const char *what);

/* ---- segments.c ---- */

/* The compiled segment that `node` names. NULL: an error was added. */
const struct condition *segment_open(struct condition_compiler *compiler, const struct cJSON *node,
                                     const char *what);

/* ---- condition_parse.c ---- */

/* condition_compile without the file's bound: for segments, which count where they are used. */
const struct condition *condition_compile_part(struct condition_compiler *compiler,
                                               const struct cJSON *node, const char *what);

/* ---- leaf.c ---- */

/* Which results are possible: a bit for each; more than one where a limit left it undecided. */
enum { MAY_BE_FALSE = 1, MAY_BE_UNKNOWN = 2, MAY_BE_TRUE = 4 };

/* Reads the leaf's attribute, unless that was done, and tests it. */
unsigned leaf_eval(const struct leaf *leaf, struct attr_reader *reader);

#endif
