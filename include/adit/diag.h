/*
 * diag: what is wrong with what a person wrote, where, and what to do.
 *
 * Pure modules do not log and do not stop at the first mistake; they add to a list of diagnostics
 * which a command prints as a compiler would:
 *
 *   rules/shop.json:14:31: error: rule 'a': unknown operator 'befor' (did you mean 'before'?)
 */
#ifndef ADIT_DIAG_H
#define ADIT_DIAG_H

#include "adit/str.h"

struct text;

enum diag_level { DIAG_ERROR, DIAG_WARNING, DIAG_NOTE };
const char *diag_level_name(enum diag_level level); /* "error", … */

/* Where. Line and column count from 1, the column in bytes; line 0: the file as a whole. */
struct diag_place {
  const char *file; /* as the user named it; copied by diags_add */
  unsigned line;
  unsigned column;
};

struct diag {
  enum diag_level level;
  struct diag_place at;
  const char *message; /* one line, no full stop */
  const char *hint;    /* what to do, shown in parentheses; NULL: none */
};

struct diags;

/* An empty list. NULL: out of memory. Free with diags_free. */
struct diags *diags_new(void);
void diags_free(struct diags **diags);

/*
 * Adds one. `hint` may be NULL. Text is copied; control bytes in it are escaped, a message
 * is cut at 2 KiB. Of each level the first 200 are kept, of more only the number (printed as "and N
 * more"). Never fails: short of memory it keeps the count, so that diags_count stays true.
 */
void diags_add(struct diags *diags, enum diag_level level, struct diag_place at, const char *hint,
               const char *format, ...) __attribute__((format(printf, 5, 6)));

size_t diags_count(const struct diags *diags, enum diag_level level);
/* Whether a further one would only be counted: looking for its hint would be in vain. */
bool diags_is_full(const struct diags *diags, enum diag_level level);
/* Number kept, and the i-th of them in the order of addition; it stays where it is. */
size_t diags_size(const struct diags *diags);
const struct diag *diags_get(const struct diags *diags, size_t i);
/* Copies all of `from` behind `to`. */
void diags_append(struct diags *to, const struct diags *from);

/* "file:line:col: error: message (hint)" without a newline. */
void diag_format(const struct diag *diag, struct text *out);
/* All, each with a newline, by file (in order of first appearance) and then by place. */
void diags_format(const struct diags *diags, struct text *out);

/*
 * For a word that is not in `candidates` (an array of C strings ended by NULL): the nearest one,
 * when it is near enough to be meant (edit distance with transpositions, case ignored, of at most a
 * third of the longer one's length), else NULL. Words over 64 bytes are not compared.
 */
const char *diag_nearest(struct str word, const char *const *candidates);
/* Writes "did you mean 'X'?" to `buffer` and returns it, or NULL when nothing is near. */
const char *diag_did_you_mean(struct str word, const char *const *candidates, char *buffer,
                              size_t capacity);

#endif
