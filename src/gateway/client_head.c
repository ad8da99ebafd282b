/*
 * client_head: the heads of requests, one at a time.
 *
 * `in` holds the head of the running request before head_end: the exchange's views stand there, so
 * the bytes before it do not move until the exchange is over.
 */
#include "client_parts.h"
#include "forward.h"

enum {
  BODY_ROOM_MIN = 4096,     /* behind a head in the same block */
  REQUESTS_A_TURN_MAX = 64, /* of one connection, so that others get theirs */
  READS_A_TURN_MAX = 16
};

bool client_append_response(struct client *client, const struct response_out *head,
                            const struct h1_framing *framing) {
  if (!buffer_reserve(&client->worker->blocks, &client->out, 0, h1_response_size(head)))
    return false;
  client->out.end += h1_write_response(client->out.p + client->out.end, head, framing);
  return true;
}

bool client_append_bytes(struct client *client, struct str data) {
  if (!buffer_reserve(&client->worker->blocks, &client->out, 0, data.n)) return false;
  memcpy(client->out.p + client->out.end, data.p, data.n);
  client->out.end += data.n;
  return true;
}

/* Of a head that may be malformed or cut off. */
static bool asks_for_head_only(const struct client *client) {
  struct str begun = buffer_str(&client->in);
  if (str_starts_with(begun, STR("\r\n"))) begun = str_skip(begun, 2);
  return str_starts_with(begun, STR("HEAD "));
}

void client_refuse(struct client *client, int status, const char *why) {
  struct worker *worker = client->worker;
  struct scratch scratch = {.p = worker->scratch, .capacity = worker->scratch_bytes};
  char buffer[48];
  struct str peer = ip_format(&client->stream.peer, buffer, sizeof(buffer));
  worker_log_peer(worker, "%d to %.*s: %s", status, STR_ARG(peer), why);
  COUNT(&worker->counters, requests_refused);
  COUNT(&worker->counters, answers);
  struct str body;
  forward_answer(status, str_from_cstr(why), true, worker_date(worker), &scratch,
                 worker->response_out, &body);
  struct h1_framing framing = {.connection = STR("close")};
  if (asks_for_head_only(client)) body = STR(""); /* RFC 9110 9.3.2 */
  const bool is_answered = client_append_response(client, worker->response_out, &framing) &&
                           client_append_bytes(client, body);
  const struct refused_head head = {
      .peer = &client->stream.peer,
      .began_us = client->head_begun ? client->head_began_us : worker->now_us,
      .status = is_answered ? status : 0,
      .sent_bytes = is_answered ? body.n : 0,
      .why = str_from_cstr(why)};
  exchange_note_refused(worker, &head);
  if (is_answered)
    client_continue_closing(client);
  else
    client_dispose(client);
}

void client_begin_body(struct client *client, enum http_body_kind kind, uint64_t length) {
  const struct config_limits *limits = &client_config(client)->limits;
  h1_body_init(&client->body, kind, length);
  client->body.chunked.extension_max = (uint32_t)limits->chunk_extension_bytes;
  client->body.chunked.trailer_max = (uint32_t)limits->trailer_bytes;
}

static enum gateway_parse_error kind_of_fault(enum http_fault fault) {
  switch (fault) {
    case HTTP_FAULT_START:
      return GATEWAY_PARSE_START;
    case HTTP_FAULT_OCTETS:
      return GATEWAY_PARSE_OCTETS;
    case HTTP_FAULT_LINE:
      return GATEWAY_PARSE_LINE;
    case HTTP_FAULT_FIELD:
      return GATEWAY_PARSE_FIELD;
    case HTTP_FAULT_HOST:
      return GATEWAY_PARSE_HOST;
    case HTTP_FAULT_FRAMING:
      break;
  }
  return GATEWAY_PARSE_FRAMING;
}

static enum gateway_parse_error kind_of(enum http_parse outcome, enum http_fault fault) {
  switch (outcome) {
    case HTTP_PARSE_DONE:
    case HTTP_PARSE_MORE:
    case HTTP_PARSE_BAD:
      break;
    case HTTP_PARSE_LINE_LONG:
      return GATEWAY_PARSE_LINE_LONG;
    case HTTP_PARSE_HEAD_LONG:
      return GATEWAY_PARSE_HEAD_LONG;
    case HTTP_PARSE_VERSION:
      return GATEWAY_PARSE_VERSION;
    case HTTP_PARSE_CODING:
      return GATEWAY_PARSE_CODING;
    case HTTP_PARSE_EXPECTATION:
      return GATEWAY_PARSE_EXPECTATION;
  }
  return kind_of_fault(fault);
}

static void count_parse_error(struct worker *worker, enum gateway_parse_error kind) {
  if (kind == GATEWAY_PARSE_LINE_LONG) COUNT(&worker->counters, lines_long);
  if (kind == GATEWAY_PARSE_HEAD_LONG) COUNT(&worker->counters, heads_long);
  series_add(&worker->parse_errors[kind], 1);
}

static void refuse_for_memory(struct client *client) {
  COUNT(&client->worker->counters, shortages);
  client_refuse(client, 503, "out of memory");
}

/* The head stays where it is while the exchange runs; the body needs some room behind it. A head
 * that leaves too little is moved and parsed again: rare, and cheaper than a copy of every head. */
static bool has_body_room(const struct client *client, const struct http_request *request,
                          size_t head_bytes) {
  if (request->body == HTTP_BODY_NONE) return true;
  return client->in.capacity - client->in.start - head_bytes >= BODY_ROOM_MIN;
}

static void client_begin_exchange(struct client *client, struct exchange *exchange,
                                  size_t head_bytes) {
  const struct http_request *request = &exchange->request;
  client->state = CLIENT_EXCHANGE;
  client->exchange = exchange;
  client->read_deadline_ms = 0;
  client->head_begun = false;
  client->scan = (struct http_head_scan){0};
  client->in.start += head_bytes;
  client->head_end = client->in.start;
  client->body_length = request->content_length;
  client_begin_body(client, request->body, request->content_length);
  client->received_bytes = 0;
  client->waited_ms = client->waits_since_ms = 0;
  client->awaits_continue = request->expect_continue && buffer_size(&client->in) == 0;
  client->version_minor = request->version_minor;
  client->keep_alive = request->keep_alive;
  client->chunked_out = client->close_delimited = client->body_is_slow = client->is_tunnel = false;
  COUNT(&client->worker->counters, requests);
  client_watch_end(client);
  exchange_start(exchange, client->worker, &client->stream);
}

enum head_step { HEAD_BEGUN, HEAD_MORE, HEAD_REFUSED };

/* Parses the head at the start of `in`. */
static enum head_step client_take_head(struct client *client) {
  struct worker *worker = client->worker;
  if (buffer_size(&client->in) == 0) return HEAD_MORE;
  struct exchange *exchange = exchange_acquire(worker);
  if (!exchange) {
    refuse_for_memory(client);
    return HEAD_REFUSED;
  }
  const struct config_limits *configured = &client_config(client)->limits;
  const struct http_limits limits = {.head_bytes = (size_t)configured->header_bytes,
                                     .line_bytes = (size_t)configured->request_line_bytes,
                                     .fields = configured->header_fields};
  for (;;) {
    size_t n = 0;
    const char *why = "";
    enum http_parse outcome = http_parse_request(buffer_str(&client->in), &limits, &client->scan,
                                                 &exchange->request, &n, &why);
    if (outcome == HTTP_PARSE_DONE) {
      if (has_body_room(client, &exchange->request, n)) {
        client_begin_exchange(client, exchange, n);
        return HEAD_BEGUN;
      }
      client->scan = (struct http_head_scan){0};
      if (buffer_reserve(&worker->blocks, &client->in, 0, buffer_room(&client->in) + BODY_ROOM_MIN))
        continue;
      exchange_release(worker, exchange);
      refuse_for_memory(client);
      return HEAD_REFUSED;
    }
    const enum http_fault fault = exchange->request.fault;
    exchange_release(worker, exchange);
    if (outcome == HTTP_PARSE_MORE) return HEAD_MORE;
    count_parse_error(worker, kind_of(outcome, fault));
    client_refuse(client, http_parse_status(outcome), why);
    return HEAD_REFUSED;
  }
}

/* The connection waits for a first byte, or for the rest of a head. */
static void client_rest(struct client *client) {
  struct worker *worker = client->worker;
  if (buffer_size(&client->in) > 0) {
    if (client->head_begun) return;
    client->head_begun = true;
    client->head_began_us = worker->now_us;
    client_expect_read(client, client_config(client)->timeouts.header_ms);
    return;
  }
  buffer_release(&worker->blocks, &client->in);
  client->scan = (struct http_head_scan){0};
  client->head_begun = false;
  client_expect_head(client);
}

/* What ended while a head was awaited. */
static void client_ended_reading(struct client *client) {
  if (buffer_size(&client->in) > 0) {
    count_parse_error(client->worker, GATEWAY_PARSE_CUT_OFF);
    client_refuse(client, 400, "the request was cut off");
  } else if (transport_queued(&client->transport) > 0) {
    client_continue_closing(client); /* it still takes what was sent */
  } else {
    client_dispose(client);
  }
}

void client_run(struct client *client) {
  if (client->state == CLIENT_EXCHANGE) exchange_run(client->exchange);
  if (client->state == CLIENT_LINGERING) client_linger(client);
  unsigned requests = 0, reads = 0;
  while (client->state == CLIENT_READING) {
    /* A client that does not read its answers gets no more of them: they would pile up here. */
    if (buffer_size(&client->out) > 0) return;
    enum head_step step = client_take_head(client);
    if (step == HEAD_REFUSED) return;
    if (step == HEAD_BEGUN) {
      if (++requests < REQUESTS_A_TURN_MAX) continue;
      if (client->state == CLIENT_READING) client_make_runnable(client);
      return;
    }
    if (++reads > READS_A_TURN_MAX && client->transport.readable) {
      client_make_runnable(client);
      break;
    }
    enum fill filled = client_fill(client, 0);
    if (filled == FILL_OK) continue;
    if (filled == FILL_END) {
      client_ended_reading(client);
      return;
    }
    if (filled == FILL_FAILED) {
      client_dispose(client);
      return;
    }
    break;
  }
  if (client->state == CLIENT_READING) client_rest(client);
}
