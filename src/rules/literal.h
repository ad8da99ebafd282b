/* literal: what stands behind an operator in a rule file; private to src/rules. */
#ifndef ADIT_RULES_LITERAL_H
#define ADIT_RULES_LITERAL_H

#include "condition_tree.h"

/* One operator on one attribute as it is being compiled. */
struct literal_context {
  struct condition_compiler *compiler;
  const char *what;
  struct str attribute; /* as written */
  const struct operator_info *info;
  struct str salt; /* of bucket_in */
};

/* Fills the leaf's test, `with` and value_json; its slot, type and ignore_case are set already.
 * Nothing refers to the document afterwards. False: an error was added. */
bool literal_compile(const struct literal_context *context, const struct cJSON *node,
                     struct leaf *leaf);

/* ---- what the forms share ---- */

enum { LITERAL_SHOWN_BYTES = 48 };

/* A JSON value as a message shows it: as written, cut when it is long; "a list", "an object".
 * `buffer`: LITERAL_SHOWN_BYTES. */
const char *literal_shown(const struct json_doc *doc, const struct cJSON *node, char *buffer);

/* These add an error and are always false. */
bool literal_no_memory(const struct literal_context *context, const struct cJSON *node);
/* "operator 'in' takes WANTED, not "x"" */
bool literal_refuse(const struct literal_context *context, const struct cJSON *node,
                    const char *wanted, const char *hint);
bool literal_refuse_empty(const struct literal_context *context, const struct cJSON *node);

/* The elements of a list, or the one value that stands in its place. */
const struct cJSON *literal_first(const struct cJSON *node);
const struct cJSON *literal_next(const struct cJSON *node, const struct cJSON *item);
size_t literal_count(const struct cJSON *node);
/* Whether `node` is a string or a list of strings, not empty; else errors are added. */
bool literal_check_strings(const struct literal_context *context, const struct cJSON *node);

/* ---- literal_values.c ---- */

/* Fills a leaf's test and `with` from values of its type: one, some, or none (an empty file).
 * `data` is reordered. False: memory. */
bool literal_set_values(struct arena *arena, struct leaf *leaf, struct attr_datum *data, size_t n);

bool literal_compile_one(const struct literal_context *context, const struct cJSON *node,
                         struct leaf *leaf);
bool literal_compile_list(const struct literal_context *context, const struct cJSON *node,
                          struct leaf *leaf);
bool literal_compile_pair(const struct literal_context *context, const struct cJSON *node,
                          struct leaf *leaf);

/* ---- literal_texts.c ---- */

bool literal_compile_texts(const struct literal_context *context, const struct cJSON *node,
                           struct leaf *leaf);
bool literal_compile_prefixes(const struct literal_context *context, const struct cJSON *node,
                              struct leaf *leaf);
bool literal_compile_patterns(const struct literal_context *context, const struct cJSON *node,
                              struct leaf *leaf);
bool literal_compile_networks(const struct literal_context *context, const struct cJSON *node,
                              struct leaf *leaf);
bool literal_compile_share(const struct literal_context *context, const struct cJSON *node,
                           struct leaf *leaf);

/* ---- value_file.c ---- */

enum { VALUE_FILE_BYTES_MAX = 64 << 20, VALUE_FILE_VALUES_MAX = 1000000 };

/* The values of the file that `node` names. */
bool value_file_compile(const struct literal_context *context, const struct cJSON *node,
                        struct leaf *leaf);

#endif
