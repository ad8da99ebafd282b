/*
 * exchange_queue: an upstream's limits (adit/breaker.h). An exchange has a place among its
 * upstream's running requests from its first endpoint to its end, retries included; and, from the
 * moment that it may open a connection until origin_connect() takes that over, one among the
 * connections. Where it has to wait for either it is in EXCHANGE_QUEUE.
 *
 * Both are given back here alone: exchange_leave_upstream(), which every end comes by.
 */
#include "adit/log.h"
#include "exchange_steps.h"
#include "origin.h"

static struct exchange *exchange_of(struct breaker_waiter *waiter) {
  return (struct exchange *)(void *)((char *)waiter - offsetof(struct exchange, waiter));
}

/* ---- places ---------------------------------------------------------------------------------- */

static void note_place(struct exchange *exchange, enum breaker_gate gate) {
  switch (gate) {
    case BREAKER_REQUESTS:
      exchange->place = exchange->breaker;
      return;
    case BREAKER_CONNECTIONS:
      exchange->has_connection = true;
      return;
  }
}

void exchange_spare_connection(struct exchange *exchange) {
  exchange->has_connection = false;
  breaker_leave(exchange->place, BREAKER_CONNECTIONS);
}

void exchange_leave_upstream(struct exchange *exchange) {
  if (breaker_end_wait(&exchange->waiter)) note_place(exchange, exchange->waiter.gate);
  if (exchange->has_connection) exchange_spare_connection(exchange);
  if (exchange->awaited) target_unref(exchange->worker->targets, &exchange->awaited);
  if (exchange->place) breaker_leave(exchange->place, BREAKER_REQUESTS);
  exchange->place = NULL;
}

/* ---- over the limits ------------------------------------------------------------------------- */

static void log_over(const struct exchange *exchange) {
  if (!breaker_may_log(exchange->breaker, exchange->worker->now_ms)) return;
  const struct breaker_load load = breaker_load(exchange->breaker, BREAKER_REQUESTS);
  const struct str name = pool_config(exchange->pool)->name;
  log_write(LOG_WARNING, "upstream '%.*s' is over its limits: %u requests run, %u wait%s",
            STR_ARG(name), load.used, load.waiting,
            exchange_has_stable_left(exchange) ? "; a canary's users get stable" : "");
}

static enum step over_limits(struct exchange *exchange) {
  log_over(exchange);
  exchange_leave_upstream(exchange);
  if (!exchange_has_stable_left(exchange)) return exchange_answer_overload(exchange);
  exchange_fail_over(exchange);
  exchange->state = EXCHANGE_PICK;
  return STEP_NEXT;
}

/* ---- the way in ------------------------------------------------------------------------------ */

/* Goes on in EXCHANGE_PICK with a place, or waits for one. */
static enum step enter(struct exchange *exchange, enum breaker_gate gate) {
  struct breaker *breaker = exchange->breaker;
  switch (breaker_enter(breaker, gate, &exchange->worker->party, &exchange->waiter)) {
    case BREAKER_PASSED:
      note_place(exchange, gate);
      return STEP_NEXT;
    case BREAKER_FULL:
      EXCHANGE_COUNT_UPSTREAM(exchange, queue_overflows);
      return over_limits(exchange);
    case BREAKER_WAITS:
      break;
  }
  EXCHANGE_COUNT_UPSTREAM(exchange, queued);
  exchange_wait_at_most(exchange, pool_config(exchange->pool)->breaker.pending_timeout_ms);
  exchange->state = EXCHANGE_QUEUE;
  return STEP_WAIT;
}

enum step exchange_enter_upstream(struct exchange *exchange) {
  exchange_leave_upstream(exchange); /* a canary's, which has given way */
  return exchange->breaker ? enter(exchange, BREAKER_REQUESTS) : STEP_NEXT;
}

/* Closes the connection of the breaker that has been idle for longest. At the limit only, where a
 * connection is to be opened: the walk costs less than that. False: there is none. */
static bool close_idle_of(struct worker *worker, const struct breaker *breaker) {
  struct origin *found = NULL;
  for (struct origin *origin = worker->idle_origins; origin; origin = origin->next)
    if (origin->breaker == breaker) found = origin;
  if (found) origin_close_idle(found);
  return found != NULL;
}

enum step exchange_enter_connections(struct exchange *exchange, struct target *target) {
  struct breaker *breaker = exchange->breaker;
  struct worker *worker = exchange->worker;
  exchange->awaited = target;
  while (breaker_enter(breaker, BREAKER_CONNECTIONS, NULL, NULL) != BREAKER_PASSED)
    if (!close_idle_of(worker, breaker)) return enter(exchange, BREAKER_CONNECTIONS);
  note_place(exchange, BREAKER_CONNECTIONS);
  return STEP_NEXT;
}

enum step exchange_step_queue(struct exchange *exchange) {
  const bool granted = breaker_is_granted(&exchange->waiter);
  if (!granted && !exchange->timed_out) return STEP_WAIT;
  exchange_wait_no_more(exchange);
  if (breaker_end_wait(&exchange->waiter)) {
    note_place(exchange, exchange->waiter.gate);
    exchange->state = EXCHANGE_PICK;
    return STEP_NEXT;
  }
  EXCHANGE_COUNT_UPSTREAM(exchange, queue_timeouts);
  return over_limits(exchange);
}

/* ---- the worker's part ----------------------------------------------------------------------- */

/* Others wait for connections of breakers that this worker has idle ones of: the oldest go first.
 */
static void close_wanted(struct worker *worker) {
  struct origin *origin = worker->idle_origins;
  while (origin && origin->next) origin = origin->next;
  while (origin) {
    struct origin *previous = origin->previous;
    if (origin->breaker && breaker_wants_connections(origin->breaker)) origin_close_idle(origin);
    origin = previous;
  }
}

void exchange_queue_run(struct worker *worker) {
  struct breaker_waiter *waiter;
  if (breaker_take_asked(&worker->party)) close_wanted(worker);
  while ((waiter = breaker_first_granted(&worker->party))) exchange_run(exchange_of(waiter));
}
