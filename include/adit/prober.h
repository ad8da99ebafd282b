/*
 * prober: requests made up for a rule, for who writes tests. Pure.
 *
 * What findings know of a route's conditions gives a request that ought to do what is wanted; the
 * program's own decision on it says whether it does. So a request that is found does what it was
 * looked for, one that cannot be is proved not to be, and else nothing is claimed.
 */
#ifndef ADIT_PROBER_H
#define ADIT_PROBER_H

#include "adit/findings.h"

struct prober;

/* What a request is to do. It reaches the rule: no earlier one matches it. */
enum probe_aim {
  PROBE_DECIDES,   /* the rule decides */
  PROBE_FAILS,     /* the rule does not match */
  PROBE_LEAF_TRUE, /* one of its conditions holds */
  PROBE_LEAF_FALSE /* one of its conditions fails, and is not unknown */
};

struct probe {
  const struct rule *rule;
  enum probe_aim aim;
  size_t leaf; /* of PROBE_LEAF_…: depth first, segments opened, as in a trace */
  /* Of PROBE_DECIDES: what each of the rule's conditions is to be, UNKNOWN where it may be
   * anything. NULL: all may. */
  const enum tristate *leaves;
};

enum probe_verdict {
  PROBE_FOUND,
  PROBE_IMPOSSIBLE, /* proved: no request can */
  PROBE_TAKEN,      /* proved: earlier rules take every request that could */
  PROBE_OPEN        /* neither, within `steps`; 0 steps: the prober's are spent */
};

/* What a request and its decision view lives until the next prober_find, or the prober's end. */
struct probe_answer {
  enum probe_verdict verdict;
  struct str json; /* PROBE_FOUND: a test's `request`, with `now` where its outcome needs one */
  const struct decision *decision; /* PROBE_FOUND: what decide() said to it, and its trace */
  const struct rules_trace *trace;
  size_t steps; /* spent on it */
};

/* For one route of the input, which must outlive the prober. NULL: memory. */
struct prober *prober_new(const struct findings_input *input, const struct route *route);
void prober_free(struct prober **prober);
/* `probe->rule` is one of the route's. Steps and memory are bounded, for a probe and for all. */
struct probe_answer prober_find(struct prober *prober, const struct probe *probe);

#endif
