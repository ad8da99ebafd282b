/*
 * lookups: a worker's questions to directories, on its loop. They are made with the first policy
 * that has a directory; a reload keeps those that stay as they are, with all they know.
 */
#ifndef ADIT_GATEWAY_LOOKUPS_H
#define ADIT_GATEWAY_LOOKUPS_H

#include "worker.h"

void worker_lookups_init(struct worker *worker);
/* After the last policy has gone. */
void worker_lookups_deinit(struct worker *worker);
/* Gives a new policy its directories, and its decider their answers. False: memory, descriptors. */
bool worker_lookups_take(struct worker *worker, struct worker_policy *policy);
/* Goes on with questions: when there is news of one; and, in each turn, where one has begun. */
void worker_lookups_run(struct worker *worker);
void worker_lookups_turn(struct worker *worker);

#endif
