/*
 * regex: patterns of rule files with their limits, on PCRE2 (JIT).
 *
 * Bytes, not UTF-8; unanchored. Back-references, callouts, \C and settings at the start that touch
 * limits, JIT or UTF, such as (*LIMIT_MATCH=…), are refused at compile time (conditions on a group
 * and recursion are not), as is every pattern where the system forbids JIT. A match is bounded:
 * 20,000 steps, 2 KiB of subject.
 */
#ifndef ADIT_REGEX_H
#define ADIT_REGEX_H

#include "adit/str.h"

struct regex;
struct regex_scratch;

enum {
  REGEX_SUBJECT_MAX = 2048,
  REGEX_MATCH_LIMIT = 20000,
  REGEX_FILE_BYTES_MAX = 256 << 20 /* all patterns of one file, for those who compile them */
};

struct regex_error {
  size_t offset; /* in the pattern */
  char message[200];
};

/* Compiles. NULL: *ret_error says why. Immutable and usable by any thread. */
struct regex *regex_new(struct str pattern, struct regex_error *ret_error);
void regex_free(struct regex **regex);
/* What it takes of memory: a short pattern can become a thousand times as large. */
size_t regex_size_bytes(const struct regex *regex);

/* One thread's means to match: match data, match context and a JIT stack of 1 MiB. NULL: memory. */
struct regex_scratch *regex_scratch_new(void);
void regex_scratch_free(struct regex_scratch **scratch);

enum regex_result {
  REGEX_MATCHED,
  REGEX_UNMATCHED,
  REGEX_LIMIT /* the match limit, the JIT stack or REGEX_SUBJECT_MAX: not decided */
};

/*
 * Matches. `ret_capture` may be NULL; on REGEX_MATCHED it views the first group in `subject` when
 * that took part in the match, else the whole match.
 */
enum regex_result regex_match(const struct regex *regex, struct regex_scratch *scratch,
                              struct str subject, struct str *ret_capture)
    __attribute__((warn_unused_result));

#endif
