/*
 * json: strict JSON (RFC 8259) with positions, on cJSON.
 *
 * cJSON is lax and forgets where things stood. This module checks strictness in a scan of its own
 * (grammar, UTF-8, no \u0000, no lone surrogates, duplicate keys, depth), optionally blanks
 * comments and trailing commas, lets cJSON build the tree, and keeps the offset of every node, so
 * that every mistake can be shown with line and column. Code that walks a tree includes
 * <cjson/cJSON.h> itself.
 */
#ifndef ADIT_JSON_H
#define ADIT_JSON_H

#include "adit/diag.h"
#include "adit/str.h"

struct cJSON;
struct json_doc;
struct text;

enum json_style {
  JSON_STRICT,  /* RFC 8259 as it stands */
  JSON_EDITABLE /* also // and block comments, and one trailing comma in an array or object */
};

/* Values: a file of 64 MiB could hold 33 million, each of which takes 100 bytes of memory. */
enum { JSON_DEPTH_MAX = 64, JSON_VALUES_MAX = 4000000 };

/*
 * Parses one text. `name` is what diagnostics call it. On a mistake returns NULL and adds at least
 * one error to `diags` (all duplicate keys; at the first mistake of grammar it stops). A byte order
 * mark at the start is an error with its own message, as are more than JSON_VALUES_MAX values. Free
 * with json_free.
 */
struct json_doc *json_parse(struct str text, const char *name, enum json_style style,
                            struct diags *diags);
/*
 * Reads and parses a file of at most `limit_bytes`. Missing, unreadable, too large and not a
 * regular file are errors in `diags` with what to do. `name` as above; `path` is what is opened.
 */
struct json_doc *json_load(const char *path, const char *name, enum json_style style,
                           size_t limit_bytes, struct diags *diags);
void json_free(struct json_doc **doc);

/* One member of an object; all of it holds during the call only. */
struct json_member {
  struct str key;
  const struct cJSON *value;
  struct diag_place key_at, value_at;
};
/* False stops the reading. */
typedef bool (*json_member_fn)(void *context, const struct json_member *member);
/*
 * Reads a file that is one object of perhaps a million members, without making a tree of the whole:
 * calls `visit` for each member in order, after all of the text was found to be correct but for
 * keys that come twice, which are the visitor's matter. `at` is where a file that cannot be read is
 * named. False: an error is in `diags`, or the visitor stopped it.
 */
bool json_visit_members(const char *path, enum json_style style, size_t limit_bytes,
                        struct diag_place at, json_member_fn visit, void *context,
                        struct diags *diags) __attribute__((warn_unused_result));

const struct cJSON *json_root(const struct json_doc *doc);
/* The text as it was parsed (without comment blanking). */
struct str json_text(const struct json_doc *doc);
/* Where the value of `node` begins; where its key begins (for a member of an object; else as
 * json_place). `node` must belong to `doc`. */
struct diag_place json_place(const struct json_doc *doc, const struct cJSON *node);
struct diag_place json_key_place(const struct json_doc *doc, const struct cJSON *node);
/* The value's own bytes in the text: for a number "1e3" as written. */
struct str json_raw(const struct json_doc *doc, const struct cJSON *node);

/* The string value of a cJSON string node (never NULL there; json refuses \u0000). */
struct str json_str(const struct cJSON *node);
/* "object", "array", "string", "number", "true"/"false" as "boolean", "null": for messages. */
const char *json_kind(const struct cJSON *node);

/*
 * Adds an error at the key of each member of `object` whose key is not in `known` (C strings, NULL
 * at the end), with the nearest known key as a hint. `what` begins the message: "%s: unknown key
 * 'x'". Returns whether all are known.
 */
bool json_check_keys(const struct json_doc *doc, const struct cJSON *object,
                     const char *const *known, const char *what, struct diags *diags);

/* Adds an error at the value's (or key's) place. */
void json_error(const struct json_doc *doc, const struct cJSON *node, struct diags *diags,
                const char *hint, const char *format, ...) __attribute__((format(printf, 5, 6)));
void json_key_error(const struct json_doc *doc, const struct cJSON *node, struct diags *diags,
                    const char *hint, const char *format, ...)
    __attribute__((format(printf, 5, 6)));

/* Whether `s` is a number in JSON's syntax; *ret on success only, as strtod would without locale: a
 * number of any length is read exactly, one that is too large gives infinity (in a document that is
 * an error). */
bool json_number_parse(struct str s, double *ret) __attribute__((warn_unused_result));
/* Whether `name` is one of the contract's names: [A-Za-z0-9._-]{1,64}. */
bool json_is_name(struct str name);

/* From now on this thread tells `note` of each file that it reads, before it opens it. NULL: of
 * none. */
typedef void file_note_fn(void *context, const char *path);
void file_note_reads(file_note_fn *note, void *context);

/* Reads a whole file for the same limits and messages as json_load, for lists of values and keys.
 * NULL: an error is in `diags`, at `at`. The caller frees *ret with free(). */
bool file_read(const char *path, size_t limit_bytes, struct diag_place at, struct diags *diags,
               char **ret, size_t *ret_n) __attribute__((warn_unused_result));
/*
 * The same as a descriptor of a copy in memory, for what is to be mapped: nobody can change or
 * shorten it any more, whatever becomes of the file. (Who touches a mapping of a file behind its
 * new end is ended by SIGBUS.) The caller closes *ret_fd.
 */
bool file_copy(const char *path, size_t limit_bytes, struct diag_place at, struct diags *diags,
               int *ret_fd) __attribute__((warn_unused_result));

#endif
