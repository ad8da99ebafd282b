/*
 * tokens: what a worker knows of its requests' tokens. Each policy that has tokens has a verifier;
 * fetched keys are taken over between requests.
 */
#ifndef ADIT_GATEWAY_TOKENS_H
#define ADIT_GATEWAY_TOKENS_H

#include "worker.h"

/* Gives a new policy its verifier, and its decider what tokens say. False: memory. */
bool worker_tokens_take(struct worker *worker, struct worker_policy *policy);
void worker_tokens_drop(struct worker_policy *policy);
/* Takes keys over that were fetched meanwhile; in each turn, before its requests. */
void worker_tokens_turn(struct worker *worker);

/* Of a request under a policy that answers 401: what is wrong with its token. JWT_VERIFIED: it goes
 * on. */
enum jwt_outcome worker_tokens_refuse(struct worker_policy *policy,
                                      const struct http_request *request);

#endif
