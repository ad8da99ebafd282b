/*
 * lane: the access log of a run. A line is not written: it is read again by src/accesslog and
 * decided again, and must say of itself, and get, what the gateway decided.
 */
#ifndef ADIT_TESTS_FUZZ_LANE_H
#define ADIT_TESTS_FUZZ_LANE_H

#include <stddef.h>

#include "adit/policy.h"

struct access_log;

/* Once. What a worker is given as its log; `policy` is the one that every run is under. */
struct access_log *lane_init(struct policy *policy);
void lane_reset(void);
/* Lines of this run, and those of them that tell of an answer. */
size_t lane_lines(void);
size_t lane_answered(void);

#endif
