/*
 * exchange_steps: the steps of an exchange, and what they share. Private to exchange*.c.
 *
 *   exchange.c           spares, answers of our own, the table of steps and the loop over it
 *   exchange_decide.c    DECIDE, LOOKUP: who is asking, which variant; what is refused
 *   exchange_pick.c      PICK, CONNECT: endpoints in turn, idle connections first, then stable
 *   exchange_key.c       PICK: what an upstream that balances by hash goes by
 *   exchange_queue.c     QUEUE: an upstream's limits, and the wait for a place
 *   exchange_request.c   REQUEST: head and body to the origin, until its head comes
 *   exchange_upload.c    the request's body, in either of these two; what is kept of it
 *   exchange_retry.c     sending a request once more
 *   exchange_response.c  RESPONSE: head and body to the client
 *   exchange_tunnel.c    TUNNEL: what follows a 101
 *   exchange_log.c       its line of the access log
 */
#ifndef ADIT_GATEWAY_EXCHANGE_STEPS_H
#define ADIT_GATEWAY_EXCHANGE_STEPS_H

#include "access_log.h"
#include "exchange.h"

struct scratch;

/* STEP_NEXT: another state was set. STEP_WAIT: a stream or the timer must move first. */
enum step { STEP_NEXT, STEP_WAIT };

enum step exchange_step_decide(struct exchange *exchange);
enum step exchange_step_lookup(struct exchange *exchange);
enum step exchange_step_pick(struct exchange *exchange);
enum step exchange_step_queue(struct exchange *exchange);
enum step exchange_step_connect(struct exchange *exchange);
enum step exchange_step_request(struct exchange *exchange);
enum step exchange_step_response(struct exchange *exchange);
enum step exchange_step_tunnel(struct exchange *exchange);

static inline const struct config *exchange_config(const struct exchange *exchange) {
  return policy_config(exchange->policy->policy);
}

static inline struct counters *exchange_counters(const struct exchange *exchange) {
  return exchange->counters;
}

/* Of a request of a user; once it has been at PICK. */
static inline struct upstream_counts *exchange_upstream_counts(const struct exchange *exchange) {
  return exchange->is_mirror ? &exchange->worker->mirrors.uncounted_upstream
                             : &exchange->upstream->counts;
}
/* Of the process and of the upstream. */
#define EXCHANGE_COUNT_UPSTREAM(exchange, name)      \
  do {                                               \
    COUNT(exchange_counters(exchange), name);        \
    COUNT(exchange_upstream_counts(exchange), name); \
  } while (0)

/* A request that could not be read. */
static inline void exchange_count_unread(const struct exchange *exchange,
                                         enum gateway_parse_error kind) {
  if (!exchange->is_mirror) series_add(&exchange->worker->parse_errors[kind], 1);
}

/* The series of the route that was found; NULL: none was, or none was looked for. */
const struct route_series *exchange_route_series(const struct exchange *exchange);

/* Whether a request's body of so many bytes is over limits.body_bytes. */
static inline bool exchange_is_too_large(const struct exchange *exchange, uint64_t bytes) {
  uint64_t limit = exchange_config(exchange)->limits.body_bytes;
  return limit != 0 && bytes > limit;
}

/* Whether whoever asked is told what was decided. */
static inline bool exchange_shows_decision(const struct exchange *exchange) {
  const struct decision *decision = &exchange->decision;
  return decision->route && (decision->route->expose_decision || decision->reason == REASON_FORCED);
}

/* What the request says, as attributes are read from it: views of the request and of `scratch`.
 * Until the exchange is over. False: its path cannot be normalised. */
bool exchange_question(struct exchange *exchange, struct scratch *scratch,
                       struct decide_request *ret);
/* What is read of attributes between the two may come from a directory: while it is asked,
 * lookup_waits() holds of exchange->lookup, and its answer runs the exchange, unless nobody `waits`
 * for it after all. */
void exchange_begin_lookups(struct exchange *exchange);
void exchange_end_lookups(struct exchange *exchange, bool waits);

/* Finds what the exchange's pool balances by, where that is a key: exchange->attempt goes by its
 * hash. Before its first endpoint. False: a directory is asked; again when it has answered. */
bool exchange_find_key(struct exchange *exchange);
/* How much memory lines need right behind each exchange. */
size_t exchange_log_bytes(const struct worker *worker);
/* Keeps what its line is to say of the decision that was just made, as of `now_ms`: the decider is
 * the next request's. A later call takes the place of this. */
void exchange_log_keep_decision(struct exchange *exchange, int64_t now_ms);
/* The line of the access log, once for an exchange: before its stream's end() or cut(), as what it
 * says of the request are views. Nothing where there is no log. */
void exchange_log(struct exchange *exchange, enum access_end end);
/* The views of the request hold for the last time, and the exchange goes on. */
void exchange_log_keep_request(struct exchange *exchange);
/* The line of a head that became no exchange. */
void exchange_log_refused(struct worker *worker, const struct refused_head *head);
/* It is going to ask `target`. */
void exchange_note_target(struct exchange *exchange, struct target *target);
void exchange_log_deinit(struct exchange *exchange);

/* The head of the response was given to the client's codec. */
void exchange_note_head(struct exchange *exchange, int status);

/* The exchange's one clock: from now on `timed_out` will be set after `ms`, or not at all. */
void exchange_wait_at_most(struct exchange *exchange, int64_t ms);
void exchange_wait_no_more(struct exchange *exchange);

/* The clock stops, and the time for the response begins anew: something else is waited for. */
void exchange_wait_anew(struct exchange *exchange);

/* What came of the request at its endpoint, for the pool to know. Nothing comes of it where
 * the upstream detects no outliers. */
void exchange_note_result(struct exchange *exchange, bool failed);
/* Something is wrong with an endpoint, and `so` is what comes of it: a line in the log, at most one
 * a second for each endpoint. */
void exchange_log_endpoint(struct exchange *exchange, struct target *target, const char *what,
                           const char *so);
/* Gives the origin's stream back (origin_stream.release) and stops the clock. */
void exchange_drop_origin(struct exchange *exchange, bool clean);

/* In EXCHANGE_PICK, where `place` is not `breaker`: gives back what the exchange has of another
 * upstream's limits, and takes a place among the requests of this one. Else it waits in
 * EXCHANGE_QUEUE, or the upstream is over its limits: stable, or 503. */
enum step exchange_enter_upstream(struct exchange *exchange);
/* The same for a connection to `target`, whose reference the exchange keeps in `awaited`. An idle
 * one of the same upstream gives its place. */
enum step exchange_enter_connections(struct exchange *exchange, struct target *target);
/* The place for a connection was not needed. */
void exchange_spare_connection(struct exchange *exchange);
/* Whether it has, or waits for, anything of this. */
static inline bool exchange_has_places(const struct exchange *exchange) {
  return exchange->place || exchange->waiter.breaker;
}
/* Gives all of this back, wherever the exchange stands. */
void exchange_leave_upstream(struct exchange *exchange);

/* Ends the exchange, whose client->gone: nobody is left to be answered, and nothing was cut. */
enum step exchange_leave_client(struct exchange *exchange);
/* Ends the exchange with a response of our own, or by a cut when another has begun; unless the
 * client has gone meanwhile. */
enum step exchange_answer(struct exchange *exchange, int status, struct str why);
/* The same with 503 and Retry-After: the upstream is over its limits. Counted. */
enum step exchange_answer_overload(struct exchange *exchange);
/* The same with 503: something of the gateway's own runs short. */
enum step exchange_answer_shortage(struct exchange *exchange, const char *why);
/* The same, with a line in the log. */
enum step exchange_answer_and_log(struct exchange *exchange, int status, const char *why);
/* 401: the request's token is not taken, or it has none; where that is our fault, 503. */
enum step exchange_answer_challenge(struct exchange *exchange, enum jwt_outcome outcome);
/* Answers an OPTIONS or TRACE whose Max-Forwards is spent, before an origin was chosen. */
enum step exchange_answer_as_last(struct exchange *exchange);

/* Whether the request is a canary's, and not forced to be: stable can have it. */
static inline bool exchange_has_stable_left(const struct exchange *exchange) {
  const struct decision *decision = &exchange->decision;
  return decision->variant != decision->route->stable && decision->reason != REASON_FORCED &&
         !exchange->is_mirror;
}
/* The canary, which has stable left, has failed: PICK is to look for one of stable's endpoints. */
void exchange_fail_over(struct exchange *exchange);

/* Why a request might be sent once more. */
enum retry_cause {
  RETRY_IDLE_CLOSED, /* a reused connection ended before a byte of a response: it had been dead */
  RETRY_CLOSED,      /* a fresh one did */
  RETRY_TIMEOUT,     /* no byte of a response came in time */
  RETRY_STATUS       /* the head in exchange->response says that the endpoint cannot */
};
/*
 * Sends the request once more, to another endpoint where there is one, or at last to stable, where
 * contract §5 or the upstream's "retry" lets it; nothing of a response may have gone to the client.
 * The present origin is dropped then, and PICK is next. False: it may not, and nothing has changed.
 */
bool exchange_retry(struct exchange *exchange, enum retry_cause cause);
/* How long one try may take until the first byte of its response; 0: there is no limit beside the
 * upstream's `timeout`, as nothing would come of it. */
int64_t exchange_try_timeout_ms(const struct exchange *exchange);
/* The request is no longer with its pool: gives back what it had of the budget. */
void exchange_leave_retry_budget(struct exchange *exchange);

/* Nothing of the request's body has to be kept any more. */
void exchange_keep_no_body(struct exchange *exchange);

/* The two sides of a tunnel. */
enum tunnel_side { TUNNEL_CLIENT, TUNNEL_ORIGIN };

enum pump {
  PUMP_DONE,
  PUMP_AWAITS_CLIENT,
  PUMP_AWAITS_ORIGIN,
  PUMP_ENDED /* the exchange was ended here */
};
/* Moves what the client has sent to the origin, as far as both go. */
enum pump exchange_pump_request(struct exchange *exchange);
/* The head of the final response, or of a 101, is in exchange->response: gives it to the client. */
enum step exchange_begin_response(struct exchange *exchange);

#endif
