/*
 * exchange_upload: the request's body, from the client to the origin.
 *
 * What has been read of it is kept, up to a limit, while the request may have to be sent once more;
 * another endpoint gets that first, and then what the client still sends.
 */
#include "exchange_steps.h"
#include "forward.h"

/* Of all exchanges of a worker: who sends many bodies at once must not make it grow for ever. */
enum { KEPT_BYTES_MAX = 16 << 20 };

/* ---- what is kept ---------------------------------------------------------------------------- */

void exchange_keep_no_body(struct exchange *exchange) {
  exchange->worker->kept_body_bytes -= exchange->kept.bytes.end;
  buffer_release(&exchange->worker->blocks, &exchange->kept.bytes);
  exchange->kept.sent = 0;
  exchange->kept.lost = true;
}

/* Whether what is read now may be wanted again: the request may be sent once more, by option, or as
 * an idle connection may turn out dead. */
static bool is_worth_keeping(const struct exchange *exchange) {
  return !exchange->kept.lost && !exchange->response_begun &&
         http_method_is_idempotent(exchange->request.method_id) &&
         (exchange->origin->reused || pool_config(exchange->pool)->retry.enabled);
}

static void keep(struct exchange *exchange, struct str data) {
  struct worker *worker = exchange->worker;
  struct buffer *bytes = &exchange->kept.bytes;
  const uint64_t limit = pool_config(exchange->pool)->retry.body_bytes;
  if (!is_worth_keeping(exchange) || data.n > limit || bytes->end > limit - data.n ||
      worker->kept_body_bytes + data.n > KEPT_BYTES_MAX ||
      !buffer_reserve(&worker->blocks, bytes, 0, data.n)) {
    exchange_keep_no_body(exchange);
    return;
  }
  memcpy(bytes->p + bytes->end, data.p, data.n);
  bytes->end += data.n;
  exchange->kept.sent = bytes->end;
  worker->kept_body_bytes += data.n;
}

/* The body's next bytes for the present endpoint. */
static enum stream_read next_run(struct exchange *exchange, struct str *ret_data) {
  struct client_stream *client = exchange->client;
  const struct kept_body *kept = &exchange->kept;
  /* Where nothing is kept there is no memory to count from. */
  *ret_data = kept->bytes.p ? str_skip(buffer_str(&kept->bytes), kept->sent) : STR("");
  if (ret_data->n > 0) return STREAM_READ_DATA;
  return exchange->request_read ? STREAM_READ_END : client->operations->read_body(client, ret_data);
}

/* The origin has taken so much of a run. */
static void run_taken(struct exchange *exchange, struct str data) {
  struct client_stream *client = exchange->client;
  if (exchange->kept.sent < exchange->kept.bytes.end) {
    exchange->kept.sent += data.n;
    return;
  }
  if (data.n == 0) return;
  if (exchange->mirror) mirror_copy_body(exchange, data);
  keep(exchange, data);
  client->operations->consume_body(client, data.n);
  exchange->body_bytes += data.n;
}

/* ---- moving ---------------------------------------------------------------------------------- */

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
    case STREAM_READ_FAILED:
      if (exchange->client->gone)
        (void)exchange_leave_client(exchange);
      else
        (void)exchange_answer_shortage(exchange, "out of memory");
      return PUMP_ENDED;
    case STREAM_READ_DATA:
    case STREAM_READ_WAIT:
    case STREAM_READ_END:
    case STREAM_READ_BAD:
      break;
  }
  exchange_count_unread(exchange, GATEWAY_PARSE_BODY);
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
    enum stream_read result = next_run(exchange, &data);
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
    run_taken(exchange, str_take(data, taken));
    if (exchange_is_too_large(exchange, exchange->body_bytes)) {
      COUNT(exchange_counters(exchange), bodies_large);
      (void)exchange_answer_and_log(exchange, 413, "the request's body is over the limit");
      return PUMP_ENDED;
    }
    /* Progress of an upload moves the wait for the response, but for the rest of its head. */
    if (taken > 0 && (exchange->response_begun || !exchange->head_is_timed))
      exchange_wait_anew(exchange);
    if (taken == data.n) continue;
    if (origin->operations->flush(origin) != STREAM_WRITE_DONE) return PUMP_AWAITS_ORIGIN;
  }
  enum stream_write flushed = origin->operations->flush(origin);
  return exchange->request_sent && flushed == STREAM_WRITE_DONE ? PUMP_DONE : PUMP_AWAITS_ORIGIN;
}
