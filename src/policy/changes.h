/*
 * changes: the lines in which what a reload changes is told, private to src/policy.
 *
 *   changes.c          upstreams, routes, rules
 *   config_changes.c   the keys of adit.json
 */
#ifndef ADIT_POLICY_CHANGES_H
#define ADIT_POLICY_CHANGES_H

#include "adit/policy.h"
#include "adit/text.h"

struct arena;

struct changes {
  policy_say_fn *say;
  void *context;
  size_t n;
  struct text line; /* the one that is being written */
  struct arena *arena;
};

/* Tells the line, if there have not been too many. */
void changes_end(struct changes *changes);

/*
 * Each key of adit.json that has another value: "adit.json: 'timeouts.drain': 30s -> 1m", or only
 * that it changed. Not told are keys that wait for a start, upstreams that are in one of the two
 * only and endpoints, which have lines of their own, and any value that could be a secret.
 */
void changes_compare_keys(struct changes *changes, const struct config *before,
                          const struct config *after);

#endif
