/*
 * condition_tree: what the files of src/rules share that build and evaluate conditions; what a
 * compiled condition is, is in adit/conditions.h.
 */
#ifndef ADIT_RULES_CONDITION_TREE_H
#define ADIT_RULES_CONDITION_TREE_H

#include "adit/conditions.h"
#include "condition.h"

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
