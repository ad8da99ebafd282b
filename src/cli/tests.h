/*
 * tests: what `adit test` says of the tests in rule files, private to src/cli.
 */
#ifndef ADIT_CLI_TESTS_H
#define ADIT_CLI_TESTS_H

#include "adit/policy.h"

struct text;

/*
 * Which rules and conditions the tests decide. A rule is decided by a test whose decision it makes
 * (one that a limit leaves undecided makes none), and passed over by one that asks it in vain.
 * A condition is decided both ways when, of the tests that asked its rule, one found it true and
 * one false; unknown is neither.
 */
struct coverage;
struct coverage *coverage_new(void); /* NULL: memory */
void coverage_free(struct coverage **coverage);
/* Notes one test: policy_options.on_test, with a struct coverage. */
void coverage_note(void *coverage, const struct decision *decision,
                   const struct rules_trace *trace);
/* One line of sums, then a line for each gap, followed by tests that would close it, of which each
 * was decided; or why there is none. */
void coverage_format(struct coverage *coverage, struct policy *policy, struct text *out);

struct coverage_sums {
  size_t rules, decided;   /* of them */
  size_t conditions, both; /* of them, decided both ways */
};
/* Short of memory all are 0. */
struct coverage_sums coverage_sum(struct coverage *coverage, const struct route *route);

/* Writes the results as JUnit XML, one testsuite a rule file, its coverage as properties. 0, or
 * -errno. */
int junit_write(const char *path, const struct policy *policy, struct coverage *coverage)
    __attribute__((warn_unused_result));

#endif
