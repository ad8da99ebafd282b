/*
 * pattern: a regular expression read as far as something can be proved of it. Private to
 * src/findings.
 *
 * Letters, classes, groups, alternatives, repetitions and anchors are read. Whatever else PCRE2 has
 * makes a pattern unreadable here, and nothing is claimed of it.
 */
#ifndef ADIT_FINDINGS_PATTERN_H
#define ADIT_FINDINGS_PATTERN_H

#include "adit/arena.h"

struct pattern;
struct text;

/* NULL: it is not understood, or memory is short. `ignore_case`: as if "(?i)" stood before it. */
const struct pattern *pattern_read(struct arena *arena, struct str source, bool ignore_case);

/* Whether every value matches it. False: not known. */
bool pattern_matches_all(const struct pattern *pattern);

/* What else says the same. */
enum pattern_form {
  PATTERN_OTHER,
  PATTERN_EQUAL,
  PATTERN_STARTS_WITH,
  PATTERN_ENDS_WITH,
  PATTERN_CONTAINS
};
/* The form of a pattern that is one text or a few alternatives, which are written to *ret_texts. */
enum pattern_form pattern_form(struct arena *arena, const struct pattern *pattern,
                               struct str **ret_texts, size_t *ret_n);
bool pattern_ignores_case(const struct pattern *pattern);

/* A text that may match: the `variant`-th alternatives are taken. `group` (p == NULL: none) stands
 * for what the first group matches. */
void pattern_sample(const struct pattern *pattern, size_t variant, struct str group,
                    struct text *out);

/* What may make it backtrack: the k-th text that it repeats without a
 * bound. False: there are no more. */
bool pattern_repeats(const struct pattern *pattern, size_t k, struct text *out);

#endif
