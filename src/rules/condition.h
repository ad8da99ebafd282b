/*
 * condition: compiled conditions, private to src/rules.
 *
 * A condition is a tree: all, any, not over leaves; a leaf is one operator on one slot. Segments
 * are compiled once for each rule file and shared by the conditions that name them. Parsing and
 * compiling: condition_parse.c, literal*.c, operators.c, value_file.c, segments.c; evaluating:
 * eval.c, leaf.c.
 */
#ifndef ADIT_RULES_CONDITION_H
#define ADIT_RULES_CONDITION_H

#include "adit/rules.h"

struct segment_scope; /* segments of one file by name, compiled when first asked for */
struct segment_use;   /* a segment being opened */
struct value_file;    /* a file of values that was read */

enum {
  /* Conditions of one rule file, segments opened: bounds what one request can cost. */
  CONDITIONS_MAX = 1000000,
  /* Nesting, segments opened: bounds the stack of whoever walks a condition. */
  CONDITION_DEPTH_MAX = 128
};

/* Where conditions of one rule file are compiled. What is not named is to be zero. */
struct condition_compiler {
  struct arena *arena;      /* the route's */
  struct attr_table *table; /* slots are made here */
  struct attr_catalog *catalog;
  const struct json_doc *doc; /* of the condition being compiled; another in adit.json's segments */
  struct segment_source file_segments;
  struct segment_source gateway_segments;
  const char *directory; /* for in_file */
  struct str salt;       /* of bucket_in without one */
  struct diags *diags;

  /* Private to the compiler of conditions. */
  struct segment_use *open; /* innermost first */
  struct segment_scope *file_scope, *gateway_scope;
  struct value_file *value_files;
  size_t condition_count; /* compiled so far, segments opened */
  size_t pattern_bytes;   /* of memory, by all patterns so far */
  unsigned depth;
  bool in_gateway; /* within adit.json's segments, which do not see the file's */
  bool trial;      /* compiling segments that no rule uses, for their mistakes only */
};

/*
 * Compiles a rule's condition: `when` AND `window` (from, until: conditions on `now`), of which one
 * may be NULL. The window stands behind, so that `now` is read only where all else holds. `what`
 * begins messages ("rule 'a'"). NULL: at least one error was added. Everything lives in
 * compiler->arena (which must allow for value files).
 */
const struct condition *condition_compile(struct condition_compiler *compiler,
                                          const struct cJSON *when, const struct cJSON *window,
                                          const char *what);

/*
 * Checks the names of the file's segments and compiles those that no condition has used, so that
 * mistakes in them are found too; they leave nothing behind in arena and table. Call it after the
 * file's conditions. False: at least one error was added, here or by a use.
 */
bool segments_compile_all(struct condition_compiler *compiler);

/* The files of values that were read for these conditions, each once, into `ret` unless it is NULL.
 * Returns how many. */
size_t value_files_read(const struct condition_compiler *compiler, struct route_file *ret);

/*
 * A percentage as it stands in the file (json_raw), as buckets: a number from 0 to 100 with at most
 * two decimals. False: it is something else, and nothing was added to any list.
 */
bool percent_parse(struct str raw, unsigned *ret_buckets) __attribute__((warn_unused_result));

#endif
