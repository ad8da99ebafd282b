/*
 * accept: who comes in, and who does not.
 *
 * A worker has as many clients as there are descriptors for, or limits.connections. Beyond those a
 * connection that has been idle for a while makes room; where there is none, accepting is paused,
 * and who comes waits in the kernel's queue. An address that has limits.connections_per_address
 * already gets a 503.
 */
#ifndef ADIT_GATEWAY_ACCEPT_H
#define ADIT_GATEWAY_ACCEPT_H

#include "listeners.h"
#include "worker.h"

/* Watches these, whose descriptors it takes over. worker->client_max is set. False: memory. */
bool accept_init(struct worker *worker, struct listening *listening, size_t n);
void accept_deinit(struct worker *worker);
/* Connections wait at this one. */
void accept_event(struct listener *listener);
/* What is queued was accepted by the kernel already: it is served before the listeners go. */
void accept_stop(struct worker *worker);

#endif
