/* sample: a text that a pattern matches; private to src/import. */
#ifndef ADIT_IMPORT_SAMPLE_H
#define ADIT_IMPORT_SAMPLE_H

#include "adit/str.h"

enum { SAMPLE_BYTES_MAX = 128 };

/*
 * A header value that `pattern` matches, in `buffer` (SAMPLE_BYTES_MAX), or false: none was found.
 * It is guessed from simple patterns, and then tried, so that what is given does match.
 */
bool sample_of_pattern(struct str pattern, char *buffer, struct str *ret)
    __attribute__((warn_unused_result));
/* Whether the pattern certainly does not match `text`. */
bool sample_is_refused(struct str pattern, struct str text) __attribute__((warn_unused_result));

#endif
