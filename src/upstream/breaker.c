/*
 * breaker: gates with places, and those who wait for one.
 *
 *   gates    one number each: how many have a place, how many wait; who waits goes by the list
 *   waiting  under the mutex of the table
 *   parties
 *   table
 *
 * No place is lost between one who leaves and one who begins to wait: both change the same number.
 * Who leaves before the other has announced himself has made room, which that one sees when he
 * tries to announce himself; who leaves after it sees that somebody waits.
 */
#include "adit/breaker.h"

#include <pthread.h>
#include <stdlib.h>

enum { LOG_EVERY_MS = 1000 };

#define ONE_WAITING ((uint64_t)1 << 32)

struct gate {
  _Atomic uint64_t state; /* those who have a place; in units of ONE_WAITING, those who wait */
  _Atomic uint32_t limit;
  struct breaker_waiter *first, *last; /* under the mutex */
};

struct breaker {
  struct gate gates[BREAKER_GATES];
  _Atomic uint32_t waiting_max; /* of requests */
  _Atomic unsigned refs;        /* 0 only with the mutex held */
  _Atomic int64_t logged_ms;
  struct breakers *breakers;
  struct breaker *next;
  struct str name;
  char text[];
};

struct breakers {
  pthread_mutex_t mutex;
  struct breaker *first;
  struct breaker_party *parties;
};

/* ---- gates ----------------------------------------------------------------------------------- */

static uint32_t used_of(uint64_t state) {
  return (uint32_t)state;
}

static uint32_t waiting_of(uint64_t state) {
  return (uint32_t)(state >> 32);
}

static uint64_t state_of(const struct gate *gate) {
  return atomic_load_explicit(&gate->state, memory_order_relaxed);
}

static uint32_t limit_of(const struct gate *gate) {
  return atomic_load_explicit(&gate->limit, memory_order_relaxed);
}

/* Changes *state from what was seen of it; else sees it anew. Relaxed: places guard no memory, and
 * the lists have the mutex. */
static bool change(struct gate *gate, uint64_t *seen, uint64_t to) {
  return atomic_compare_exchange_weak_explicit(&gate->state, seen, to, memory_order_relaxed,
                                               memory_order_relaxed);
}

static bool has_room(const struct gate *gate, uint64_t state) {
  return waiting_of(state) == 0 && used_of(state) < limit_of(gate);
}

static bool take_place(struct gate *gate) {
  uint64_t seen = state_of(gate);
  while (has_room(gate, seen))
    if (change(gate, &seen, seen + 1)) return true;
  return false;
}

/* ---- waiting --------------------------------------------------------------------------------- */

static void link_last(struct gate *gate, struct breaker_waiter *waiter) {
  waiter->previous = gate->last;
  waiter->next = NULL;
  if (gate->last)
    gate->last->next = waiter;
  else
    gate->first = waiter;
  gate->last = waiter;
}

static void unlink_waiting(struct gate *gate, struct breaker_waiter *waiter) {
  if (waiter->previous)
    waiter->previous->next = waiter->next;
  else
    gate->first = waiter->next;
  if (waiter->next)
    waiter->next->previous = waiter->previous;
  else
    gate->last = waiter->previous;
  waiter->previous = waiter->next = NULL;
}

static struct breaker_waiter *granted_of(const struct breaker_party *party) {
  return atomic_load_explicit(&party->granted, memory_order_acquire);
}

static void set_granted(struct breaker_party *party, struct breaker_waiter *waiter) {
  atomic_store_explicit(&party->granted, waiter, memory_order_release);
}

static void unlink_granted(struct breaker_waiter *waiter) {
  struct breaker_party *party = waiter->party;
  if (waiter->previous)
    waiter->previous->next = waiter->next;
  else
    set_granted(party, waiter->next);
  if (waiter->next)
    waiter->next->previous = waiter->previous;
  else
    party->last_granted = waiter->previous;
}

/* Behind those who were granted theirs before. The party is told when it may not know that there
 * are any. */
static void grant(struct breaker_waiter *waiter) {
  struct breaker_party *party = waiter->party;
  struct breaker_waiter *last = party->last_granted;
  atomic_store_explicit(&waiter->is_granted, true, memory_order_release);
  waiter->previous = last;
  waiter->next = NULL;
  party->last_granted = waiter;
  if (last) {
    last->next = waiter;
    return;
  }
  set_granted(party, waiter);
  party->notify(party->context);
}

/* With the mutex held: hands over what is free. */
static void hand_over(struct gate *gate) {
  while (gate->first) {
    uint64_t seen = state_of(gate);
    do {
      if (used_of(seen) >= limit_of(gate)) return;
    } while (!change(gate, &seen, seen - ONE_WAITING + 1));
    struct breaker_waiter *waiter = gate->first;
    unlink_waiting(gate, waiter);
    grant(waiter);
  }
}

/* With the mutex held: takes a place that has become free meanwhile, or announces a waiter. */
static enum breaker_pass announce(struct gate *gate, uint32_t waiting_max) {
  uint64_t seen = state_of(gate);
  for (;;) {
    const bool room = has_room(gate, seen);
    if (!room && waiting_of(seen) >= waiting_max) return BREAKER_FULL;
    if (change(gate, &seen, room ? seen + 1 : seen + ONE_WAITING))
      return room ? BREAKER_PASSED : BREAKER_WAITS;
  }
}

static void ask_others(struct breakers *breakers, const struct breaker_party *party) {
  for (struct breaker_party *other = breakers->parties; other; other = other->next) {
    if (other == party) continue;
    atomic_store_explicit(&other->is_asked, true, memory_order_release);
    other->notify(other->context);
  }
}

enum breaker_pass breaker_enter(struct breaker *breaker, enum breaker_gate gate,
                                struct breaker_party *party, struct breaker_waiter *waiter) {
  struct gate *at = &breaker->gates[gate];
  struct breakers *breakers = breaker->breakers;
  if (take_place(at)) return BREAKER_PASSED;
  if (!waiter) return BREAKER_FULL;
  /* Whoever waits for a connection runs already, so that they are few. */
  const bool bounded = gate == BREAKER_REQUESTS;
  pthread_mutex_lock(&breakers->mutex);
  const enum breaker_pass pass = announce(at, bounded ? breaker->waiting_max : UINT32_MAX);
  if (pass == BREAKER_WAITS) {
    *waiter = (struct breaker_waiter){.breaker = breaker, .party = party, .gate = gate};
    link_last(at, waiter);
    if (gate == BREAKER_CONNECTIONS) ask_others(breakers, party);
  }
  pthread_mutex_unlock(&breakers->mutex);
  return pass;
}

void breaker_leave(struct breaker *breaker, enum breaker_gate gate) {
  struct gate *at = &breaker->gates[gate];
  const uint64_t before = atomic_fetch_sub_explicit(&at->state, 1, memory_order_relaxed);
  if (waiting_of(before) == 0) return;
  pthread_mutex_lock(&breaker->breakers->mutex);
  hand_over(at);
  pthread_mutex_unlock(&breaker->breakers->mutex);
}

bool breaker_end_wait(struct breaker_waiter *waiter) {
  struct breaker *breaker = waiter->breaker;
  if (!breaker) return false;
  struct gate *gate = &breaker->gates[waiter->gate];
  pthread_mutex_lock(&breaker->breakers->mutex);
  const bool granted = breaker_is_granted(waiter);
  if (granted) {
    unlink_granted(waiter);
  } else {
    unlink_waiting(gate, waiter);
    atomic_fetch_sub_explicit(&gate->state, ONE_WAITING, memory_order_relaxed);
  }
  pthread_mutex_unlock(&breaker->breakers->mutex);
  waiter->breaker = NULL;
  return granted;
}

/* ---- parties --------------------------------------------------------------------------------- */

void breakers_join(struct breakers *breakers, struct breaker_party *party) {
  pthread_mutex_lock(&breakers->mutex);
  party->next = breakers->parties;
  breakers->parties = party;
  pthread_mutex_unlock(&breakers->mutex);
}

void breakers_leave(struct breakers *breakers, struct breaker_party *party) {
  pthread_mutex_lock(&breakers->mutex);
  struct breaker_party **at = &breakers->parties;
  while (*at && *at != party) at = &(*at)->next;
  if (*at) *at = party->next;
  pthread_mutex_unlock(&breakers->mutex);
}

struct breaker_waiter *breaker_first_granted(const struct breaker_party *party) {
  return granted_of(party);
}

bool breaker_take_asked(struct breaker_party *party) {
  if (!atomic_load_explicit(&party->is_asked, memory_order_relaxed)) return false;
  return atomic_exchange_explicit(&party->is_asked, false, memory_order_acquire);
}

bool breaker_wants_connections(const struct breaker *breaker) {
  return waiting_of(state_of(&breaker->gates[BREAKER_CONNECTIONS])) > 0;
}

struct breaker_load breaker_load(const struct breaker *breaker, enum breaker_gate gate) {
  const uint64_t state = state_of(&breaker->gates[gate]);
  return (struct breaker_load){.used = used_of(state), .waiting = waiting_of(state)};
}

bool breaker_is_full(const struct breaker *breaker) {
  const struct gate *requests = &breaker->gates[BREAKER_REQUESTS];
  return !has_room(requests, state_of(requests)) ||
         waiting_of(state_of(&breaker->gates[BREAKER_CONNECTIONS])) > 0;
}

bool breaker_may_log(struct breaker *breaker, int64_t now_ms) {
  int64_t last_ms = atomic_load_explicit(&breaker->logged_ms, memory_order_relaxed);
  return (last_ms == 0 || now_ms - last_ms >= LOG_EVERY_MS) &&
         atomic_compare_exchange_strong_explicit(&breaker->logged_ms, &last_ms, now_ms,
                                                 memory_order_relaxed, memory_order_relaxed);
}

/* ---- table ----------------------------------------------------------------------------------- */

struct breakers *breakers_new(void) {
  struct breakers *breakers = calloc(1, sizeof(*breakers));
  if (breakers) pthread_mutex_init(&breakers->mutex, NULL);
  return breakers;
}

void breakers_free(struct breakers **breakers) {
  struct breakers *gone = *breakers;
  *breakers = NULL;
  if (!gone) return;
  pthread_mutex_destroy(&gone->mutex);
  free(gone);
}

/* With the mutex held. NULL: memory. */
static struct breaker *find_or_add(struct breakers *breakers, struct str name) {
  for (struct breaker *at = breakers->first; at; at = at->next)
    if (str_eq(at->name, name)) return at;
  struct breaker *made = calloc(1, sizeof(*made) + name.n + 1);
  if (!made) return NULL;
  made->breakers = breakers;
  made->name = str_copy_to(name, made->text, name.n + 1);
  made->next = breakers->first;
  breakers->first = made;
  return made;
}

/* 0: no limit. */
static uint32_t least(unsigned a, unsigned b) {
  const uint32_t first = a ? a : UINT32_MAX, second = b ? b : UINT32_MAX;
  return first < second ? first : second;
}

struct breaker *breaker_ref(struct breakers *breakers, struct str name,
                            const struct config_breaker *config) {
  pthread_mutex_lock(&breakers->mutex);
  struct breaker *breaker = find_or_add(breakers, name);
  if (breaker) {
    breaker->refs++;
    breaker->gates[BREAKER_REQUESTS].limit = least(config->max_requests, config->max_connections);
    breaker->gates[BREAKER_CONNECTIONS].limit = least(config->max_connections, 0);
    breaker->waiting_max = config->max_pending;
    for (size_t i = 0; i < BREAKER_GATES; i++) hand_over(&breaker->gates[i]);
  }
  pthread_mutex_unlock(&breakers->mutex);
  return breaker;
}

struct breaker *breaker_ref_again(struct breaker *breaker) {
  atomic_fetch_add_explicit(&breaker->refs, 1, memory_order_relaxed);
  return breaker;
}

/* Drops a reference that is not the last, without the mutex. */
static bool drop_one_of_many(struct breaker *breaker) {
  unsigned refs = atomic_load_explicit(&breaker->refs, memory_order_relaxed);
  while (refs > 1)
    if (atomic_compare_exchange_weak_explicit(&breaker->refs, &refs, refs - 1, memory_order_release,
                                              memory_order_relaxed))
      return true;
  return false;
}

void breaker_unref(struct breaker **breaker) {
  struct breaker *gone = *breaker;
  *breaker = NULL;
  if (!gone || drop_one_of_many(gone)) return;
  struct breakers *breakers = gone->breakers;
  pthread_mutex_lock(&breakers->mutex);
  if (atomic_fetch_sub_explicit(&gone->refs, 1, memory_order_acquire) == 1) {
    struct breaker **at = &breakers->first;
    while (*at != gone) at = &(*at)->next;
    *at = gone->next;
    free(gone);
  }
  pthread_mutex_unlock(&breakers->mutex);
}
