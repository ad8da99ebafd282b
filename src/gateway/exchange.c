/*
 * exchange: one request's life: memory, answers of our own, what is counted of it, and the machine.
 * exchange_steps.h says where the steps are.
 *
 * A step returns STEP_NEXT after it has set another state, STEP_WAIT when a stream or the timer
 * must move first. Only exchange_finish() frees.
 */
#include "exchange.h"

#include <stdlib.h>

#include "exchange_steps.h"
#include "forward.h"

enum { SPARE_EXCHANGES_MAX = 1024 };

/* ---- spares ---------------------------------------------------------------------------------- */

struct exchange *exchange_acquire(struct worker *worker) {
  struct exchange *exchange = worker->spare_exchanges;
  if (!exchange) return malloc(sizeof(struct exchange) + exchange_log_bytes(worker));
  worker->spare_exchanges = exchange->next_spare;
  worker->spare_exchange_count--;
  return exchange;
}

void exchange_release(struct worker *worker, struct exchange *exchange) {
  if (worker->spare_exchange_count >= SPARE_EXCHANGES_MAX) {
    free(exchange);
    return;
  }
  exchange->next_spare = worker->spare_exchanges;
  worker->spare_exchanges = exchange;
  worker->spare_exchange_count++;
}

static void exchange_fire(struct timer *timer) {
  struct exchange *exchange =
      (struct exchange *)(void *)((char *)timer - offsetof(struct exchange, timer));
  exchange->timed_out = true;
  exchange_run(exchange);
}

void exchange_wait_at_most(struct exchange *exchange, int64_t ms) {
  exchange->timed_out = false;
  timer_set(&exchange->worker->timers, &exchange->timer, exchange->worker->now_ms + ms);
}

void exchange_wait_no_more(struct exchange *exchange) {
  timer_stop(&exchange->worker->timers, &exchange->timer);
  exchange->timed_out = false;
}

void exchange_wait_anew(struct exchange *exchange) {
  exchange_wait_no_more(exchange);
  exchange->due_ms = 0;
}

void exchange_drop_origin(struct exchange *exchange, bool clean) {
  if (exchange->origin) exchange->origin->operations->release(exchange->origin, clean);
  exchange->origin = NULL;
  exchange_wait_no_more(exchange);
}

/* ---- series ---------------------------------------------------------------------------------- */

const struct route_series *exchange_route_series(const struct exchange *exchange) {
  const struct worker_policy *policy = exchange->policy;
  const struct route *route = exchange->decision.route;
  if (!exchange->decided || !route) return NULL;
  return &policy->series[policy_route_number(policy->policy, route)];
}

/* Where it is counted: by the variant that answers, stable's after a failover. */
static struct variant_series *series_of(const struct exchange *exchange,
                                        const struct route_series *route) {
  return route ? route->variants[exchange->decision.variant]
               : series_unnamed(&exchange->worker->series);
}

void exchange_note_head(struct exchange *exchange, int status) {
  exchange->response_begun = true;
  exchange->status = status;
  if (exchange->is_mirror) return;
  exchange->first_byte_us = exchange->worker->now_us - exchange->began_us;
  series_observe(&series_of(exchange, exchange_route_series(exchange))->first_byte,
                 exchange->first_byte_us);
}

static void count_end(const struct exchange *exchange) {
  const struct decision *decision = &exchange->decision;
  const struct route_series *route = exchange_route_series(exchange);
  struct variant_series *series = series_of(exchange, route);
  unsigned reason = exchange->decided ? decision->reason : GATEWAY_REASON_NONE;
  series_count_request(series, reason, exchange->status);
  if (exchange->state != EXCHANGE_TUNNEL && exchange->status != 101)
    series_observe(&series->duration, exchange->worker->now_us - exchange->began_us);
  if (route && decision->rule)
    series_add(&route->rules[decision->rule - decision->route->rules]->requests, 1);
}

void exchange_note_refused(struct worker *worker, const struct refused_head *head) {
  series_count_request(series_unnamed(&worker->series), GATEWAY_REASON_NONE, head->status);
  exchange_log_refused(worker, head);
}

/* ---- end ------------------------------------------------------------------------------------- */

static void exchange_finish(struct exchange *exchange) {
  struct worker *worker = exchange->worker;
  if (exchange->mirror) mirror_exchange_over(exchange);
  if (!exchange->is_mirror) count_end(exchange);
  lookup_cancel(&exchange->lookup);
  exchange_drop_origin(exchange, false);
  exchange_log_deinit(exchange);
  exchange_keep_no_body(exchange);
  exchange_leave_retry_budget(exchange);
  if (exchange_has_places(exchange)) exchange_leave_upstream(exchange);
  worker_policy_unref(worker, &exchange->policy);
  exchange_release(worker, exchange);
}

/* ---- answers of our own ---------------------------------------------------------------------- */

/* What is malformed may be misunderstood in what follows it, an unread body stands in the way, and
 * behind a CONNECT may come what was meant for the tunnel. */
static bool must_close(const struct exchange *exchange, int status) {
  return status == 400 || !exchange->request_read ||
         exchange->request.method_id == HTTP_METHOD_CONNECT;
}

/* The head is in response_out. */
static enum step send_answer(struct exchange *exchange, struct str body) {
  struct worker *worker = exchange->worker;
  struct client_stream *client = exchange->client;
  COUNT(exchange_counters(exchange), answers);
  exchange->state = EXCHANGE_OVER;
  if (!client->operations->write_head(client, worker->response_out)) {
    exchange_log(exchange, ACCESS_CUT);
    client->operations->cut(client);
    return STEP_NEXT;
  }
  exchange_note_head(exchange, worker->response_out->status);
  if (exchange->request.method_id != HTTP_METHOD_HEAD)
    exchange->sent_bytes = client->operations->write_body(client, body);
  worker->trailers_out->n = 0;
  exchange_log(exchange, ACCESS_COMPLETE);
  client->operations->end(client, worker->trailers_out);
  return STEP_NEXT;
}

/* `busy`: it is worth while to come again soon. */
static enum step answer(struct exchange *exchange, int status, struct str why, bool busy) {
  struct worker *worker = exchange->worker;
  struct scratch scratch = {.p = worker->scratch, .capacity = worker->scratch_bytes};
  struct str body;
  exchange->error = why;
  forward_answer(status, why, must_close(exchange, status), worker_date(worker), &scratch,
                 worker->response_out, &body);
  if (busy) forward_retry_after(&worker->response_out->fields);
  if (exchange_shows_decision(exchange))
    forward_decision(&exchange->decision, &scratch, &worker->response_out->fields);
  return send_answer(exchange, body);
}

enum step exchange_leave_client(struct exchange *exchange) {
  exchange_drop_origin(exchange, false);
  exchange->state = EXCHANGE_OVER;
  COUNT(exchange_counters(exchange), client_gone);
  exchange_log(exchange, ACCESS_CLIENT_GONE);
  exchange->client->operations->cut(exchange->client);
  return STEP_NEXT;
}

enum step exchange_answer(struct exchange *exchange, int status, struct str why) {
  exchange_drop_origin(exchange, false);
  if (exchange->client->gone) return exchange_leave_client(exchange);
  const bool is_heard = !exchange->response_begun && !exchange->is_mirror;
  if (is_heard) return answer(exchange, status, why, false);
  exchange->state = EXCHANGE_OVER;
  COUNT(exchange_counters(exchange), cut);
  if (!exchange->is_mirror)
    series_add(&series_of(exchange, exchange_route_series(exchange))->cut, 1);
  exchange_log(exchange, ACCESS_CUT);
  exchange->client->operations->cut(exchange->client);
  return STEP_NEXT;
}

enum step exchange_answer_overload(struct exchange *exchange) {
  EXCHANGE_COUNT_UPSTREAM(exchange, overloads);
  return answer(exchange, 503, STR("the service has too much to do: try again soon"), true);
}

enum step exchange_answer_challenge(struct exchange *exchange, enum jwt_outcome outcome) {
  struct worker *worker = exchange->worker;
  struct str why = jwt_outcome_text(outcome);
  struct scratch scratch = {.p = worker->scratch, .capacity = worker->scratch_bytes};
  struct str body;
  if (jwt_outcome_is_ours(outcome)) return exchange_answer_and_log(exchange, 503, why.p);
  COUNT(exchange_counters(exchange), tokens_answered);
  exchange->error = why;
  forward_answer(401, why, must_close(exchange, 401), worker_date(worker), &scratch,
                 worker->response_out, &body);
  forward_challenge(outcome == JWT_ABSENT ? (struct str){0} : why, &scratch,
                    &worker->response_out->fields);
  return send_answer(exchange, body);
}

enum step exchange_answer_as_last(struct exchange *exchange) {
  struct worker *worker = exchange->worker;
  if (exchange->request.method_id == HTTP_METHOD_OPTIONS)
    return exchange_answer(exchange, 200, STR("Max-Forwards lets the request go no further"));
  struct scratch scratch = {.p = worker->scratch, .capacity = worker->scratch_bytes};
  struct str body;
  forward_trace(&exchange->request, policy_protects_field, exchange->policy->policy,
                must_close(exchange, 200), worker_date(worker), &scratch, worker->response_out,
                &body);
  return send_answer(exchange, body);
}

enum step exchange_answer_and_log(struct exchange *exchange, int status, const char *why) {
  char buffer[48];
  struct str peer = ip_format(&exchange->client_ip, buffer, sizeof(buffer));
  if (!exchange->is_mirror)
    worker_log_peer(exchange->worker, "%d to %.*s: %s", status, STR_ARG(peer), why);
  return exchange_answer(exchange, status, str_from_cstr(why));
}

enum step exchange_answer_shortage(struct exchange *exchange, const char *why) {
  COUNT(exchange_counters(exchange), shortages);
  return exchange_answer_and_log(exchange, 503, why);
}

/* ---- machine --------------------------------------------------------------------------------- */

static enum step step_over(struct exchange *exchange) {
  (void)exchange;
  return STEP_WAIT;
}

static enum step (*const steps[])(struct exchange *exchange) = {
    [EXCHANGE_DECIDE] = exchange_step_decide,
    [EXCHANGE_LOOKUP] = exchange_step_lookup,
    [EXCHANGE_PICK] = exchange_step_pick,
    [EXCHANGE_QUEUE] = exchange_step_queue,
    [EXCHANGE_CONNECT] = exchange_step_connect,
    [EXCHANGE_REQUEST] = exchange_step_request,
    [EXCHANGE_RESPONSE] = exchange_step_response,
    [EXCHANGE_TUNNEL] = exchange_step_tunnel,
    [EXCHANGE_OVER] = step_over,
};

void exchange_run(struct exchange *exchange) {
  while (exchange->state != EXCHANGE_OVER) {
    if (steps[exchange->state](exchange) == STEP_WAIT) return;
  }
  exchange_finish(exchange);
}

static void exchange_init(struct exchange *exchange, struct worker *worker,
                          struct worker_policy *policy, struct client_stream *client) {
  memset(exchange, 0, offsetof(struct exchange, request));
  exchange->waiter.breaker = NULL;
  exchange->worker = worker;
  exchange->client = client;
  exchange->counters = &worker->counters;
  exchange->policy = policy;
  exchange->policy->refs++;
  exchange->began_us = worker->now_us;
  exchange->first_byte_us = exchange->connect_us = -1;
  timer_init(&exchange->timer, exchange_fire);
}

void exchange_start(struct exchange *exchange, struct worker *worker,
                    struct client_stream *client) {
  exchange_init(exchange, worker, worker->policy, client);
  exchange_run(exchange);
}

void exchange_begin_copy(struct exchange *copy, const struct exchange *original,
                         struct mirror *mirror) {
  exchange_init(copy, original->worker, original->policy, &mirror->stream);
  copy->counters = &original->worker->mirrors.uncounted;
  copy->mirror = mirror;
  copy->is_mirror = true;
  copy->client_ip = original->client_ip;
  copy->trusted = original->trusted;
  copy->https = original->https;
  memcpy(copy->request_id, original->request_id, sizeof(copy->request_id));
  memcpy(copy->traceparent, original->traceparent, sizeof(copy->traceparent));
  copy->decision = original->decision;
  copy->decision.variant = original->decision.mirror->to;
  copy->decision.set_cookie = (struct str){0};
  copy->kept.lost = true; /* so that it is never sent again */
  copy->request_read = mirror_body_is_empty(mirror);
  copy->state = EXCHANGE_PICK;
}

void exchange_abandon(struct exchange *exchange) {
  exchange_log(exchange, exchange->worker->stop == STOP_NOW ? ACCESS_STOPPED : ACCESS_CLIENT_GONE);
  exchange_finish(exchange);
}
