/*
 * breaker: how much an upstream is given at once, by all workers of the process together.
 *
 * A breaker has two gates: the requests that run, and the connections that are open. Whoever passes
 * a gate has a place and gives it back; where there is none, a waiter may wait for it. Places that
 * become free are handed over to those who wait, in the order in which they came, whichever worker
 * they belong to: nobody overtakes, and nobody has to be woken to try again.
 *
 *   leave() ──place──► first waiter ──► its party's granted ones ──notify()──► its worker
 *
 * While nobody waits a gate costs one atomic operation and no lock. All that waits is behind the
 * mutex of the table. Breakers are found by their upstream's name and counted, so that policies
 * before and after a reload have the same one.
 */
#ifndef ADIT_BREAKER_H
#define ADIT_BREAKER_H

#include <stdatomic.h>

#include "adit/config.h"

struct breakers;
struct breaker;
struct breaker_waiter;

/* ---- table ----------------------------------------------------------------------------------- */

/* NULL: memory. */
struct breakers *breakers_new(void);
/* All references must have been dropped, and all parties have left. */
void breakers_free(struct breakers **breakers);

/* The breaker of a named upstream (copied), made when it is new, with its limits as `config` says
 * from now on; those who wait and now may pass do. NULL: memory. Thread-safe, as is all below. */
struct breaker *breaker_ref(struct breakers *breakers, struct str name,
                            const struct config_breaker *config);
/* One reference more. Takes no lock. */
struct breaker *breaker_ref_again(struct breaker *breaker);
/* All places that were taken under the reference must have been given back. */
void breaker_unref(struct breaker **breaker);

/* ---- parties --------------------------------------------------------------------------------- */

/* One worker's part. */
struct breaker_party {
  void (*notify)(void *context); /* there is news; from any thread, with the mutex held */
  void *context;
  struct breaker_waiter *_Atomic granted; /* the first of them, in the order of their places */
  struct breaker_waiter *last_granted;    /* under the mutex */
  atomic_bool is_asked;                   /* others wait for connections: to close idle ones */
  struct breaker_party *next;
};

/* `party` has its notify and context. It takes part until it leaves; nothing of it waits then. */
void breakers_join(struct breakers *breakers, struct breaker_party *party);
void breakers_leave(struct breakers *breakers, struct breaker_party *party);

/* Whether the party has something to do. Costs two relaxed loads. */
static inline bool breaker_party_has_news(const struct breaker_party *party) {
  return atomic_load_explicit(&party->granted, memory_order_relaxed) != NULL ||
         atomic_load_explicit(&party->is_asked, memory_order_relaxed);
}

/* ---- gates ----------------------------------------------------------------------------------- */

enum breaker_gate {
  BREAKER_REQUESTS,   /* that run: at most max_requests, and max_connections, as each has one */
  BREAKER_CONNECTIONS /* that are open, idle or not */
};
enum { BREAKER_GATES = 2 };

enum breaker_pass {
  BREAKER_PASSED, /* a place was taken: to be given back with breaker_leave() */
  BREAKER_WAITS,  /* the waiter waits, until it is granted a place or breaker_end_wait() */
  BREAKER_FULL    /* there is no place, and none to wait in */
};

/* Who waits; belongs to the thread of its party. Zero-initialise. */
struct breaker_waiter {
  struct breaker *breaker; /* NULL: it does not wait */
  struct breaker_party *party;
  enum breaker_gate gate;
  atomic_bool is_granted; /* it has a place */
  struct breaker_waiter *previous, *next;
};

/* Takes a place. Without one, or behind others who wait, `waiter` waits as one of `party`; NULL: it
 * does not. Requests wait at most max_pending at a time. For connections the other parties are
 * asked to close idle ones. */
enum breaker_pass breaker_enter(struct breaker *breaker, enum breaker_gate gate,
                                struct breaker_party *party, struct breaker_waiter *waiter);
/* Gives a place back. */
void breaker_leave(struct breaker *breaker, enum breaker_gate gate);

static inline bool breaker_is_granted(const struct breaker_waiter *waiter) {
  return atomic_load_explicit(&waiter->is_granted, memory_order_acquire);
}
/* It waits no more. Whether it has been granted a place, which is the caller's then. */
bool breaker_end_wait(struct breaker_waiter *waiter);
/* The party's first waiter that was granted a place, and stays in the list until its
 * breaker_end_wait(). NULL: none. */
struct breaker_waiter *breaker_first_granted(const struct breaker_party *party);
/* Whether the party was asked to close idle connections since it last looked here. */
bool breaker_take_asked(struct breaker_party *party);
/* Whether somebody waits for a connection: one that would rest is to be closed. */
bool breaker_wants_connections(const struct breaker *breaker);

struct breaker_load {
  unsigned used, waiting;
};
struct breaker_load breaker_load(const struct breaker *breaker, enum breaker_gate gate);
/* Whether it has no place for a request, or somebody waits for one or for a connection. */
bool breaker_is_full(const struct breaker *breaker);
/* Whether a line about it may be logged: one a second, from all workers. */
bool breaker_may_log(struct breaker *breaker, int64_t now_ms);

#endif
