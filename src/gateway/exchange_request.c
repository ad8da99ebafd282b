/*
 * exchange_request: head and body go to the origin; its response's head is awaited.
 *
 * Both directions are open at once: an origin may respond while the client still sends.
 */
#include <errno.h>

#include "exchange_steps.h"
#include "forward.h"
#include "upgrade.h"

/* One id for all attempts: an origin that sees the request twice can tell that it is the same. */
static struct str request_id(struct exchange *exchange) {
  static const char hex[] = "0123456789abcdef";
  char *id = exchange->request_id;
  for (int half = 0; half < 2 && !exchange->retried; half++) {
    uint64_t word = worker_random(exchange->worker);
    for (int i = 0; i < 16; i++, word >>= 4) id[half * 16 + i] = hex[word & 15];
  }
  return str_make(id, sizeof(exchange->request_id));
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
      .upgrade = exchange->upgrade,
      .is_dropped_context = exchange->policy->policy,
  };
  if (input.config->drop_untrusted && !exchange->trusted) input.is_dropped = policy_drops_field;
  forward_request(&input, &scratch, worker->request_out);
  if (scratch.failed) return false;
  exchange->head_sent = true;
  return exchange->origin->operations->write_head(exchange->origin, worker->request_out);
}

static enum pump request_body_failed(struct exchange *exchange, enum stream_read why) {
  struct counters *counters = exchange_counters(exchange);
  switch (why) {
    case STREAM_READ_SLOW:
      (void)exchange_answer_and_log(exchange, 408, "the request's body did not arrive in time");
      return PUMP_ENDED;
    case STREAM_READ_LONG_EXTENSIONS:
      COUNT(counters, extensions_long);
      (void)exchange_answer_and_log(exchange, 413, "the request's chunk extensions are too long");
      return PUMP_ENDED;
    case STREAM_READ_LONG_TRAILERS:
      COUNT(counters, trailers_long);
      (void)exchange_answer_and_log(exchange, 431, "the request's trailers are too long");
      return PUMP_ENDED;
    case STREAM_READ_DATA:
    case STREAM_READ_WAIT:
    case STREAM_READ_END:
    case STREAM_READ_BAD:
    case STREAM_READ_FAILED:
      break;
  }
  (void)exchange_answer_and_log(exchange, 400, "the request's body is malformed or was cut off");
  return PUMP_ENDED;
}

/* Those of the client's body that may go on: none without a chunked body, and none where Connection
 * names fields, as it may mean them (RFC 9110 7.6.1). */
static const struct field_list *request_trailers(struct exchange *exchange) {
  struct field_list *list = exchange->worker->trailers_out;
  list->n = 0;
  if (exchange->request.body == HTTP_BODY_CHUNKED && !exchange->request.nominates)
    exchange->client->operations->read_trailers(exchange->client, list);
  forward_trailers(list, policy_protects_field, exchange->policy->policy);
  return list;
}

enum pump exchange_pump_request(struct exchange *exchange) {
  struct client_stream *client = exchange->client;
  struct origin_stream *origin = exchange->origin;
  for (unsigned runs = 0; !exchange->request_sent; runs++) {
    if (runs == RUNS_A_TURN_MAX) {
      client->operations->run_again(client);
      break;
    }
    struct str data;
    enum stream_read result =
        exchange->request_read ? STREAM_READ_END : client->operations->read_body(client, &data);
    if (result == STREAM_READ_WAIT) {
      (void)origin->operations->flush(origin);
      return PUMP_AWAITS_CLIENT;
    }
    if (result == STREAM_READ_END) {
      exchange->request_read = true;
      exchange->request_sent = origin->operations->end_body(origin, request_trailers(exchange));
      if (exchange->request_sent) break;
      if (origin->operations->flush(origin) != STREAM_WRITE_DONE) return PUMP_AWAITS_ORIGIN;
      /* All was sent before, so there is room, or no memory: nothing more would tell of any. */
      exchange->request_sent = origin->operations->end_body(origin, request_trailers(exchange));
      if (exchange->request_sent) break;
      (void)exchange_answer_shortage(exchange, "out of memory");
      return PUMP_ENDED;
    }
    if (result != STREAM_READ_DATA) return request_body_failed(exchange, result);
    size_t taken = origin->operations->write_body(origin, data);
    client->operations->consume_body(client, taken);
    exchange->body_bytes += taken;
    if (exchange_is_too_large(exchange, exchange->body_bytes)) {
      COUNT(exchange_counters(exchange), bodies_large);
      (void)exchange_answer_and_log(exchange, 413, "the request's body is over the limit");
      return PUMP_ENDED;
    }
    /* Progress of an upload moves the wait for the response, but for the rest of its head. */
    if (taken > 0 && (exchange->response_begun || !exchange->head_is_timed))
      exchange_wait_no_more(exchange);
    if (taken == data.n) continue;
    if (origin->operations->flush(origin) != STREAM_WRITE_DONE) return PUMP_AWAITS_ORIGIN;
  }
  enum stream_write flushed = origin->operations->flush(origin);
  return exchange->request_sent && flushed == STREAM_WRITE_DONE ? PUMP_DONE : PUMP_AWAITS_ORIGIN;
}

/* Whether the request may be sent once more (contract §5): nothing of it can have been processed.
 */
static bool may_retry(struct exchange *exchange) {
  const struct origin_stream *origin = exchange->origin;
  return origin->reused && !origin->received && !exchange->retried && !exchange->response_begun &&
         http_method_is_idempotent(exchange->request.method_id) &&
         exchange->client->operations->rewind_body(exchange->client);
}

static enum step origin_closed(struct exchange *exchange) {
  if (exchange->origin->error == ENOMEM) return exchange_answer_shortage(exchange, "out of memory");
  if (may_retry(exchange)) {
    COUNT(exchange_counters(exchange), retries);
    exchange->retried = true;
    exchange->only_fresh = true;
    exchange->request_read = exchange->request.body == HTTP_BODY_NONE;
    exchange->body_bytes = 0;
    exchange->attempt = (struct pool_attempt){0};
    exchange_drop_origin(exchange, false);
    exchange->state = EXCHANGE_PICK;
    return STEP_NEXT;
  }
  COUNT(exchange_counters(exchange), bad_responses);
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
  COUNT(exchange_counters(exchange), bad_responses);
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
  exchange_wait_no_more(exchange); /* the response has not begun: its time begins anew */
  if (++exchange->interims > INTERIM_MAX)
    return bad_response(exchange, "too many interim responses");
  if (exchange->request.version_minor == 0) return STEP_NEXT; /* RFC 9110 15.2 */
  forward_interim(&exchange->response, worker->response_out);
  if (!client->operations->write_interim(client, worker->response_out))
    return exchange_answer_shortage(exchange, "out of memory");
  (void)client->operations->flush(client); /* a client that has gone is told of by its own event */
  return STEP_NEXT;
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
    exchange_wait_no_more(exchange);
  else if (!exchange->timer.next)
    exchange_wait_at_most(exchange, pool_config(exchange->pool)->timeout_ms);
}

enum step exchange_step_request(struct exchange *exchange) {
  if (!exchange->head_sent && !send_head(exchange))
    return exchange_answer_shortage(exchange, "out of memory");
  enum pump pumped = exchange_pump_request(exchange);
  if (pumped == PUMP_ENDED) return STEP_NEXT;
  struct origin_stream *origin = exchange->origin;
  const char *why = "";
  switch (origin->operations->read_head(origin, &exchange->response, &why)) {
    case ORIGIN_HEAD_DONE:
      if (exchange->response.status == 101) return switching_protocols(exchange);
      return exchange->response.status < 200 ? interim_response(exchange)
                                             : exchange_begin_response(exchange);
    case ORIGIN_HEAD_WAIT:
      break;
    case ORIGIN_HEAD_BAD:
      return bad_response(exchange, why);
    case ORIGIN_HEAD_CLOSED:
      return origin_closed(exchange);
  }
  if (exchange->timed_out) {
    exchange_note_result(exchange, true);
    return exchange_answer_and_log(exchange, 504, "the service did not respond in time");
  }
  watch_head(exchange, pumped);
  return STEP_WAIT;
}
