/*
 * condition: compiled conditions, private to src/rules.
 *
 * Parsing and compiling (condition_parse.c, operators.c) and evaluation (condition_eval.c). A
 * condition is a tree: all, any, not over leaves; a leaf is one operator on one slot. Segments are
 * opened while compiling.
 */
#ifndef ADIT_RULES_CONDITION_H
#define ADIT_RULES_CONDITION_H

#include "adit/rules.h"

/* Where conditions of one rule file are compiled. */
struct condition_compiler {
  struct arena *arena;      /* the route's */
  struct attr_table *table; /* slots are made here */
  struct attr_catalog *catalog;
  const struct json_doc
      *doc; /* of the condition being compiled; changes inside adit.json's segments */
  struct segment_source file_segments;
  struct segment_source gateway_segments;
  const char *directory; /* for in_file */
  struct str salt;       /* of bucket_in without one */
  struct diags *diags;
  struct segment_use *open; /* segments being opened, to find one that leads to itself */
};

/*
 * Compiles one condition object; `what` begins messages ("rule 'a'", "segment 'b'"). NULL: at least
 * one error was added. Everything lives in compiler->arena.
 */
const struct condition *condition_compile(struct condition_compiler *compiler,
                                          const struct cJSON *node, const char *what);

/* Compiles every segment of the file on its own, so that mistakes in unused ones are found too. */
bool segments_compile_all(struct condition_compiler *compiler);

#endif
