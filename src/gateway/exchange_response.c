/*
 * exchange_response: the response goes to the client, the rest of the request to the origin.
 */
#include "exchange_steps.h"
#include "forward.h"
#include "upgrade.h"

static void begin_tunnel(struct exchange *exchange) {
  exchange_log_keep_request(exchange);
  exchange->client->operations->begin_tunnel(exchange->client);
  exchange->origin->operations->begin_tunnel(exchange->origin);
  exchange->state = EXCHANGE_TUNNEL;
  COUNT(exchange_counters(exchange), tunnels);
}

/* What a service that is not well, or a proxy before it, answers. A 500 may be one request's fault.
 */
static bool is_failure(int status) {
  return status == 502 || status == 503 || status == 504;
}

enum step exchange_begin_response(struct exchange *exchange) {
  struct worker *worker = exchange->worker;
  const struct decision *decision = &exchange->decision;
  struct scratch scratch = {.p = worker->scratch, .capacity = worker->scratch_bytes};
  struct forward_response_input input = {
      .request = &exchange->request,
      .response = &exchange->response,
      .route = decision->route,
      .set_cookie = decision->set_cookie,
      .private_response = decision->private_response,
      .decision = exchange_shows_decision(exchange) ? decision : NULL,
      .date = worker_date(worker),
      .upgrade = exchange->response.status == 101
                     ? exchange->upgrade
                     : upgrade_wanted(exchange_config(exchange), &exchange->response),
  };
  forward_response(&input, &scratch, worker->response_out);
  /* A response to a request that is not complete: what is still to come may never be wanted. */
  worker->response_out->close = !exchange->request_read;
  if (scratch.failed ||
      !exchange->client->operations->write_head(exchange->client, worker->response_out))
    return exchange_answer_shortage(exchange, "out of memory");
  exchange_note_head(exchange, worker->response_out->status);
  exchange_keep_no_body(exchange);
  if (exchange->mirror) mirror_note_head(exchange);
  exchange_note_result(exchange, is_failure(exchange->response.status));
  if (decision->set_cookie.p) COUNT(exchange_counters(exchange), cookies_set);
  exchange_wait_no_more(exchange);
  exchange->state = EXCHANGE_RESPONSE;
  if (exchange->response.status == 101) begin_tunnel(exchange);
  return STEP_NEXT;
}

/* The response cannot be completed. `why`: it is the endpoint's fault; NULL: it is not. */
static enum step cut(struct exchange *exchange, const char *why) {
  if (why) {
    exchange_note_result(exchange, true);
    const struct route *route = exchange->decision.route;
    if (!exchange->is_mirror)
      worker_log_peer(exchange->worker, "route '%.*s': response cut: %s", STR_ARG(route->name),
                      why);
  }
  return exchange_answer(exchange, 502, STR(""));
}

/* Those of the origin's body that may go on, to a client that said it would take them. */
static const struct field_list *response_trailers(struct exchange *exchange) {
  struct field_list *list = exchange->worker->trailers_out;
  list->n = 0;
  if (exchange->request.te_trailers && exchange->response.body == HTTP_BODY_CHUNKED &&
      !exchange->response.nominates)
    exchange->origin->operations->read_trailers(exchange->origin, list);
  forward_trailers(list, NULL, NULL);
  return list;
}

static enum step complete(struct exchange *exchange) {
  struct client_stream *client = exchange->client;
  exchange->state = EXCHANGE_OVER;
  COUNT(exchange_counters(exchange), responses);
  exchange_log(exchange, ACCESS_COMPLETE);
  client->operations->end(client, response_trailers(exchange));
  exchange_drop_origin(exchange, exchange->request_sent &&
                                     !exchange->is_beside); /* the trailers stood in its buffer */
  return STEP_NEXT;
}

/* Waits for the origin; an upload that is still under way goes on. */
static enum step await_origin(struct exchange *exchange) {
  if (exchange->client->operations->flush(exchange->client) == STREAM_WRITE_FAILED)
    return cut(exchange, NULL);
  if (exchange->timed_out) return cut(exchange, "the service sent nothing more for too long");
  enum pump pumped = exchange->request_sent ? PUMP_DONE : exchange_pump_request(exchange);
  if (pumped == PUMP_ENDED) return STEP_NEXT;
  /* Its clock stands still while it may be waiting for the rest of the upload. */
  if (pumped == PUMP_AWAITS_CLIENT)
    exchange_wait_no_more(exchange);
  else if (!exchange->timer.next)
    exchange_wait_at_most(exchange, exchange_config(exchange)->timeouts.body_ms);
  return STEP_WAIT;
}

enum step exchange_step_response(struct exchange *exchange) {
  struct origin_stream *origin = exchange->origin;
  struct client_stream *client = exchange->client;
  for (unsigned runs = 0;; runs++) {
    if (runs == RUNS_A_TURN_MAX) {
      client->operations->run_again(client);
      return STEP_WAIT;
    }
    struct str data;
    switch (origin->operations->read_body(origin, &data)) {
      case STREAM_READ_DATA:
        break;
      case STREAM_READ_WAIT:
        return await_origin(exchange);
      case STREAM_READ_END:
        return complete(exchange);
      case STREAM_READ_BAD:
        return cut(exchange, "the service broke off or broke the protocol in mid-body");
      case STREAM_READ_LONG_EXTENSIONS:
      case STREAM_READ_LONG_TRAILERS:
      case STREAM_READ_SLOW:
      case STREAM_READ_FAILED:
        return cut(exchange, "the connection to the service broke in mid-body");
    }
    /* The origin's clock stands still while the client is the slow one. */
    exchange_wait_no_more(exchange);
    size_t taken = client->operations->write_body(client, data);
    origin->operations->consume_body(origin, taken);
    exchange->sent_bytes += taken;
    if (taken == data.n) continue;
    enum stream_write flushed = client->operations->flush(client);
    if (flushed == STREAM_WRITE_FAILED) return cut(exchange, NULL);
    if (flushed == STREAM_WRITE_DONE) continue;
    if (!exchange->request_sent && exchange_pump_request(exchange) == PUMP_ENDED) return STEP_NEXT;
    return STEP_WAIT;
  }
}
