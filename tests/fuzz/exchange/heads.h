/*
 * heads: what a head that was sent on has kept, lost and gained.
 *
 * Each function compares what came with what was sent, and says what is wrong; NULL: nothing is.
 */
#ifndef ADIT_TESTS_FUZZ_HEADS_H
#define ADIT_TESTS_FUZZ_HEADS_H

#include "strict.h"

const char *heads_request_wrong(const struct strict_head *came, const struct strict_head *sent);
/* The same of a mirror's copy, whose body has a framing of its own. */
const char *heads_copy_wrong(const struct strict_head *came, const struct strict_head *sent);
/* Of a final response, or a 101. */
const char *heads_response_wrong(const struct strict_head *came, const struct strict_head *sent);
const char *heads_trailers_wrong(const struct strict_fields *came,
                                 const struct strict_fields *sent);

/* Whether the field is there, and Connection names it. */
bool heads_nominate(const struct strict_head *head, const char *name);

#endif
