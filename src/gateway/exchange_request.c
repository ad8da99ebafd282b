/*
 * exchange_request: head and body go to the origin; its response's head is awaited.
 *
 * Both directions are open at once: an origin may respond while the client still sends.
 */
#include <errno.h>

#include "exchange_steps.h"
#include "forward.h"
#include "upgrade.h"

/* One id for all attempts and the copy: who sees the request twice can tell that it is the same. */
static struct str request_id(struct exchange *exchange) {
  static const char hex[] = "0123456789abcdef";
  char *id = exchange->request_id;
  bool is_made = id[0] != '\0';
  for (int half = 0; half < 2 && !is_made; half++) {
    uint64_t word = worker_random(exchange->worker);
    for (int i = 0; i < 16; i++, word >>= 4) id[half * 16 + i] = hex[word & 15];
  }
  return str_make(id, sizeof(exchange->request_id));
}

/* The one that is to stand in place of what came; absent: that goes on. The same for all attempts
 * and the copy, too. */
static struct str traceparent(struct exchange *exchange) {
  const struct http_request *request = &exchange->request;
  const enum config_traceparent wish = exchange_config(exchange)->traceparent;
  char *value = exchange->traceparent;
  if (wish == CONFIG_TRACEPARENT_PASS) return (struct str){0};
  if (value[0] == '\0') {
    if (trace_context_find(request->fields, request->field_count).p) return (struct str){0};
    uint64_t random[3];
    for (int i = 0; i < 3; i++) random[i] = worker_random(exchange->worker);
    trace_context_begin(random, wish == CONFIG_TRACEPARENT_SAMPLED, value);
  }
  return str_make(value, sizeof(exchange->traceparent));
}

static bool send_head(struct exchange *exchange) {
  struct worker *worker = exchange->worker;
  const struct decision *decision = &exchange->decision;
  struct scratch scratch = {.p = worker->scratch, .capacity = worker->scratch_bytes};
  struct forward_request_input input = {
      .request = &exchange->request,
      .config = exchange_config(exchange),
      .peer = &exchange->client->peer,
      .trusted = exchange->trusted,
      .secure = exchange->client->secure,
      .variant = decision->route->variants[decision->variant].name,
      .rule = decision->rule ? decision->rule->id : (struct str){0},
      .request_id = request_id(exchange),
      .traceparent = traceparent(exchange),
      .upgrade = exchange->upgrade,
      .is_mirror = exchange->is_mirror,
      .is_dropped_context = exchange->policy->policy,
  };
  if (input.config->drop_untrusted && !exchange->trusted) input.is_dropped = policy_drops_field;
  forward_request(&input, &scratch, worker->request_out);
  if (scratch.failed) return false;
  exchange->head_sent = true;
  return exchange->origin->operations->write_head(exchange->origin, worker->request_out);
}

static enum step origin_closed(struct exchange *exchange) {
  if (exchange->origin->error == ENOMEM) return exchange_answer_shortage(exchange, "out of memory");
  const bool was_idle = exchange->origin->reused;
  if (!exchange->origin->received &&
      exchange_retry(exchange, was_idle ? RETRY_IDLE_CLOSED : RETRY_CLOSED))
    return STEP_NEXT;
  EXCHANGE_COUNT_UPSTREAM(exchange, bad_responses);
  exchange_note_result(exchange, true);
  return exchange_answer_and_log(exchange, 502,
                                 "the service closed the connection without a response");
}

static enum step bad_response(struct exchange *exchange, const char *why) {
  struct str parts[] = {STR("the service sent a bad response: "), str_from_cstr(why)};
  char message[200];
  struct scratch scratch = {.p = message, .capacity = sizeof(message) - 1};
  struct str text = scratch_join(&scratch, parts, 2);
  message[text.n] = '\0';
  EXCHANGE_COUNT_UPSTREAM(exchange, bad_responses);
  exchange_note_result(exchange, true);
  return exchange_answer_and_log(exchange, 502, message);
}

static enum step switching_protocols(struct exchange *exchange) {
  const char *why = upgrade_refusal(exchange->upgrade, &exchange->request, &exchange->response);
  return why ? bad_response(exchange, why) : exchange_begin_response(exchange);
}

static enum step interim_response(struct exchange *exchange) {
  struct worker *worker = exchange->worker;
  struct client_stream *client = exchange->client;
  exchange->head_is_timed = false;
  exchange_wait_anew(exchange); /* the response has not begun */
  if (++exchange->interims > INTERIM_MAX)
    return bad_response(exchange, "too many interim responses");
  if (exchange->request.version_minor == 0) return STEP_NEXT; /* RFC 9110 15.2 */
  forward_interim(&exchange->response, worker->response_out);
  if (!client->operations->write_interim(client, worker->response_out))
    return exchange_answer_shortage(exchange, "out of memory");
  (void)client->operations->flush(client); /* a client that has gone is told of by its own event */
  return STEP_NEXT;
}

/* How long the response may still be waited for: by this try, and by all that are made. */
static int64_t response_wait_ms(struct exchange *exchange) {
  const int64_t now_ms = exchange->worker->now_ms;
  if (exchange->due_ms == 0) exchange->due_ms = now_ms + pool_config(exchange->pool)->timeout_ms;
  const int64_t left_ms = exchange->due_ms - now_ms, try_ms = exchange_try_timeout_ms(exchange);
  if (try_ms > 0 && try_ms < left_ms) return try_ms;
  return left_ms > 0 ? left_ms : 0;
}

/* The clock for the first byte runs while the origin is waited for, and not while a client takes
 * its time to send (unless the origin was asked first whether it should). Behind that byte the rest
 * of the head must come within the time of a body. */
static void watch_head(struct exchange *exchange, enum pump pumped) {
  if (exchange->origin->head_begun) {
    if (!exchange->head_is_timed)
      exchange_wait_at_most(exchange, exchange_config(exchange)->timeouts.body_ms);
    exchange->head_is_timed = true;
    return;
  }
  bool asked_first = exchange->request.expect_continue && exchange->body_bytes == 0;
  if (pumped == PUMP_AWAITS_CLIENT && !asked_first)
    exchange_wait_anew(exchange);
  else if (!exchange->timer.next)
    exchange_wait_at_most(exchange, response_wait_ms(exchange));
}

static enum step response_is_late(struct exchange *exchange) {
  const struct origin_stream *origin = exchange->origin;
  const int64_t now_ms = exchange->worker->now_ms;
  if (!origin->received && exchange_retry(exchange, RETRY_TIMEOUT)) return STEP_NEXT;
  if (!origin->received && exchange->due_ms > now_ms) { /* it was only this try's time */
    exchange_wait_at_most(exchange, exchange->due_ms - now_ms);
    return STEP_WAIT;
  }
  exchange_note_result(exchange, true);
  return exchange_answer_and_log(exchange, 504, "the service did not respond in time");
}

static enum step response_head(struct exchange *exchange) {
  const int status = exchange->response.status;
  if (status == 101) return switching_protocols(exchange);
  if (status < 200) return interim_response(exchange);
  if (status >= 400 && exchange_retry(exchange, RETRY_STATUS)) return STEP_NEXT;
  return exchange_begin_response(exchange);
}

enum step exchange_step_request(struct exchange *exchange) {
  if (!exchange->head_sent && !send_head(exchange))
    return exchange_answer_shortage(exchange, "out of memory");
  enum pump pumped = exchange_pump_request(exchange);
  if (pumped == PUMP_ENDED) return STEP_NEXT;
  if (exchange->mirror && exchange->request_sent) mirror_note_sent(exchange);
  struct origin_stream *origin = exchange->origin;
  const char *why = "";
  switch (origin->operations->read_head(origin, &exchange->response, &why)) {
    case ORIGIN_HEAD_DONE:
      return response_head(exchange);
    case ORIGIN_HEAD_WAIT:
      break;
    case ORIGIN_HEAD_BAD:
      return bad_response(exchange, why);
    case ORIGIN_HEAD_CLOSED:
      return origin_closed(exchange);
  }
  if (exchange->timed_out) return response_is_late(exchange);
  watch_head(exchange, pumped);
  return STEP_WAIT;
}
