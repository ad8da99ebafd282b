/*
 * exchange_pick: the way to an endpoint: each of the pool's in turn, idle connections first; a
 * canary that none accepts gives way to stable, which gives way to nobody.
 */
#include <errno.h>

#include "adit/log.h"
#include "adit/units.h"
#include "exchange_steps.h"
#include "origin.h"

void exchange_log_endpoint(struct exchange *exchange, struct target *target, const char *what,
                           const char *so) {
  struct worker *worker = exchange->worker;
  if (target->logged_until_ms > worker->now_ms) return;
  target->logged_until_ms = worker->now_ms + 1000;
  const struct route *route = exchange->decision.route;
  struct str variant = route->variants[exchange->decision.variant].name;
  log_write(LOG_WARNING, "route '%.*s', variant '%.*s': endpoint %s: %s%s", STR_ARG(route->name),
            STR_ARG(variant), target->text, what, so);
}

/* Not the endpoint's fault: no descriptor, no memory, no port of our own to connect from. (ENOSPC:
 * epoll watches no more.) */
static bool is_own_shortage(int error) {
  return error == EMFILE || error == ENFILE || error == ENOMEM || error == ENOBUFS ||
         error == ENOSPC || error == EADDRNOTAVAIL;
}

/* Closes the connection that has been idle for longest. False: there is none. */
static bool shed_idle_origin(struct worker *worker) {
  struct origin *origin = worker->idle_origins;
  if (!origin) return false;
  while (origin->next) origin = origin->next;
  origin_close_idle(origin);
  return true;
}

/* A new connection, for which an idle one gives its descriptor where none is left, or a copy's. */
static struct origin_stream *connect_to(struct exchange *exchange, struct target *target,
                                        int *ret_error) {
  struct origin_stream *origin = origin_connect(exchange, target, ret_error);
  const bool may_shed = *ret_error == EMFILE && !exchange->is_mirror;
  if (!origin && may_shed &&
      (shed_idle_origin(exchange->worker) || mirrors_give_up_one(exchange->worker)))
    origin = origin_connect(exchange, target, ret_error);
  return origin;
}

void exchange_fail_over(struct exchange *exchange) {
  struct decision *decision = &exchange->decision;
  EXCHANGE_COUNT_UPSTREAM(exchange, failovers);
  exchange_leave_retry_budget(exchange);
  decision->variant = decision->route->stable;
  decision->reason = REASON_FAILOVER;
  decision->set_cookie = (struct str){0};
  decision->private_response = false;
  exchange->attempt = (struct pool_attempt){0};
  exchange->connect_error = 0;
  exchange->retried = exchange->only_fresh = exchange->started_over = false;
  exchange->tries = 0;
  exchange->due_ms = 0;
}

/* A request that is sent once more may go where it has been, when there is no other endpoint. */
static bool may_start_over(const struct exchange *exchange) {
  return exchange->tries > 0 && !exchange->started_over && !exchange_has_stable_left(exchange);
}

/* No endpoint is left to be tried. */
static enum step out_of_endpoints(struct exchange *exchange) {
  const struct decision *decision = &exchange->decision;
  if (exchange_has_stable_left(exchange)) {
    exchange_fail_over(exchange);
    return STEP_NEXT;
  }
  if (may_start_over(exchange)) {
    exchange->started_over = true;
    pool_attempt_again(&exchange->attempt);
    return STEP_NEXT;
  }
  if (decision->reason == REASON_FORCED && decision->variant != decision->route->stable)
    return exchange_answer(exchange, 503, STR("no endpoint of the forced variant is reachable"));
  if (exchange->connect_error == 0)
    return exchange_answer(exchange, 503, STR("the service has no endpoint"));
  if (is_own_shortage(exchange->connect_error))
    return exchange_answer_shortage(exchange, "the gateway is out of connections");
  if (exchange->connect_error == ETIMEDOUT)
    return exchange_answer(exchange, 504, STR("the service did not accept a connection in time"));
  return exchange_answer(exchange, 502, STR("the service refused the connection"));
}

/* An attempt begins: which upstream it is at. */
static void note_upstream(struct exchange *exchange) {
  const struct decision *decision = &exchange->decision;
  const struct worker_policy *policy = exchange->policy;
  const size_t upstream = policy_upstream(policy->policy, decision->route, decision->variant);
  exchange->pool = policy->pools[upstream];
  exchange->upstream = policy->upstreams[upstream];
  exchange->breaker = policy->breakers[upstream];
  /* A copy takes none of the places that users may want, and no connection either. */
  exchange->is_beside = exchange->is_mirror && exchange->breaker;
  if (!exchange->is_beside) return;
  exchange->breaker = NULL;
  exchange->only_fresh = true;
}

static void note(struct exchange *exchange, struct target *target, bool failed) {
  struct pool *pool = exchange->pool;
  if (exchange->is_mirror) return; /* what only copies meet must not take it from users */
  int64_t ejected_ms = pool_note(pool, target, failed, exchange->worker->now_ms);
  if (ejected_ms == 0) return;
  EXCHANGE_COUNT_UPSTREAM(exchange, ejections);
  char buffer[32];
  struct str time = duration_format(ejected_ms, buffer, sizeof(buffer));
  log_write(LOG_WARNING, "upstream '%.*s': endpoint %s is left out for %.*s: it fails too often",
            STR_ARG(pool_config(pool)->name), target->text, STR_ARG(time));
}

void exchange_note_result(struct exchange *exchange, bool failed) {
  if (exchange->target) note(exchange, exchange->target, failed);
}

static const char *consequence_of_failure(const struct exchange *exchange) {
  if (exchange->is_mirror) return "; copies of requests get no answer";
  if (exchange_has_stable_left(exchange)) return "; its users get stable when no endpoint accepts";
  return "";
}

static void connect_failed(struct exchange *exchange, struct target *target, int error) {
  exchange->connect_error = error;
  EXCHANGE_COUNT_UPSTREAM(exchange, connect_failures);
  exchange_log_endpoint(exchange, target, strerror(error), consequence_of_failure(exchange));
  if (!is_own_shortage(error)) note(exchange, target, true);
}

/* A copy is no reason to bother those who are not well; and a request that is sent once more goes
 * rather where it has been than to one of them. */
static bool is_desperate(const struct exchange *exchange) {
  if (exchange->tries > 0 && !exchange->started_over) return false;
  return !exchange_has_stable_left(exchange) && !exchange->is_mirror;
}

/* Connects that time out, one after the other, end with `timeout`. */
static bool has_tried_for_too_long(const struct exchange *exchange) {
  return exchange->connect_error == ETIMEDOUT && exchange->attempt.started &&
         exchange->worker->now_ms - exchange->attempt.started_ms >=
             pool_config(exchange->pool)->timeout_ms;
}

enum step exchange_step_pick(struct exchange *exchange) {
  struct worker *worker = exchange->worker;
  if (!exchange->attempt.started) {
    note_upstream(exchange);
    exchange->attempt.random = worker_random(worker);
    if (!exchange_find_key(exchange)) return STEP_WAIT;
  }
  if (exchange->place != exchange->breaker) return exchange_enter_upstream(exchange);
  struct pool *pool = exchange->pool;
  struct target *target = exchange->awaited;
  exchange->awaited = NULL;
  if (!target && !has_tried_for_too_long(exchange))
    target = pool_next(pool, &exchange->attempt, worker->now_ms, is_desperate(exchange));
  if (!target) return out_of_endpoints(exchange);
  exchange_note_target(exchange, target);
  exchange->head_sent = false;
  exchange->request_sent = false;
  if (!exchange->only_fresh) {
    exchange->origin = origin_reuse(exchange, target);
    if (exchange->origin) {
      if (exchange->has_connection) exchange_spare_connection(exchange);
      exchange->target = target;
      target_unref(worker->targets, &target); /* the connection holds its own */
      exchange->state = EXCHANGE_REQUEST;
      return STEP_NEXT;
    }
  }
  if (exchange->breaker && !exchange->has_connection)
    return exchange_enter_connections(exchange, target);
  int error = 0;
  exchange->origin = connect_to(exchange, target, &error);
  if (!exchange->origin) {
    connect_failed(exchange, target, error);
    target_unref(worker->targets, &target);
    return STEP_NEXT;
  }
  exchange->target = target;
  exchange->connect_from_us = worker->now_us;
  exchange_wait_at_most(exchange, pool_config(pool)->connect_timeout_ms);
  exchange->state = EXCHANGE_CONNECT;
  return STEP_NEXT;
}

enum step exchange_step_connect(struct exchange *exchange) {
  const struct origin_stream *origin = exchange->origin;
  if (origin->connected) {
    exchange_wait_no_more(exchange);
    exchange->connect_us = exchange->worker->now_us - exchange->connect_from_us;
    exchange->state = EXCHANGE_REQUEST;
    return STEP_NEXT;
  }
  if (!origin->failed && !exchange->timed_out) return STEP_WAIT;
  if (exchange->timed_out && !exchange->is_mirror)
    target_note_timeout(exchange->target, exchange->worker->now_ms);
  connect_failed(exchange, exchange->target, exchange->timed_out ? ETIMEDOUT : origin->error);
  exchange_drop_origin(exchange, false);
  exchange->state = EXCHANGE_PICK;
  return STEP_NEXT;
}
