/*
 * client: one connection of a client, HTTP/1.1.
 *
 *   life       open, close, free; the list of the worker
 *   deadlines  one timer for reading, writing, and a peer that has ended its side
 *   bytes      fill `in`, send `out`
 *   requests   heads in, one at a time; refused ones are answered here
 *   stream     what the exchange calls (stream.h)
 *   events     what the loop calls
 *
 * `in` holds the head of the running request before head_end: the exchange's views stand there, so
 * the bytes before it do not move until the exchange is over.
 */
#include "client.h"

#include <assert.h>
#include <stdlib.h>
#include <sys/epoll.h>

#include "forward.h"
#include "h1_write.h"

enum {
  BODY_ROOM_MIN = 4096, /* behind a head in the same block */
  LINGER_MS = 2000,
  LINGER_BYTES_MAX = 1 << 20,
  HALF_CLOSED_MS = 1000, /* a client that ended its side and takes nothing for so long has gone */
  DRAIN_IDLE_MS = 1000,  /* an idle connection may be about to send */
  REQUESTS_A_TURN_MAX = 64, /* of one connection, so that others get theirs */
  READS_A_TURN_MAX = 16
};

static const struct client_stream_operations client_operations;

static struct client *client_of(struct client_stream *stream) {
  assert(stream->operations == &client_operations);
  return (struct client *)(void *)((char *)stream - offsetof(struct client, stream));
}

static const struct config *config_of(const struct client *client) {
  return policy_config(client->worker->policy->policy);
}

/* ---- life ------------------------------------------------------------------------------------ */

static void client_fire(struct timer *timer);

bool client_open(struct worker *worker, int fd, const struct ip_address *peer) {
  struct client *client = calloc(1, sizeof(*client));
  if (client) {
    client->watch.kind = WATCH_CLIENT;
    client->worker = worker;
    client->stream = (struct client_stream){.operations = &client_operations, .peer = *peer};
    transport_init_plain(&client->transport, fd);
    timer_init(&client->timer, client_fire);
  }
  if (!client || !worker_watch(worker, fd, &client->watch)) {
    struct transport transport;
    transport_init_plain(&transport, fd);
    transport_close(&transport);
    free(client);
    return false;
  }
  client->next = worker->clients;
  if (client->next) client->next->previous = client;
  worker->clients = client;
  worker->client_count++;
  client->read_deadline_ms = worker->now_ms + config_of(client)->timeouts.idle_ms;
  timer_set(&worker->timers, &client->timer, client->read_deadline_ms);
  return true;
}

/* From now on nothing refers to it but the list of what is to be freed. */
static void client_dispose(struct client *client) {
  struct worker *worker = client->worker;
  if (client->state == CLIENT_CLOSED) return;
  assert(!client->exchange);
  client->state = CLIENT_CLOSED;
  transport_close(&client->transport);
  timer_stop(&worker->timers, &client->timer);
  buffer_release(&worker->blocks, &client->in);
  buffer_release(&worker->blocks, &client->out);
  if (client->previous)
    client->previous->next = client->next;
  else
    worker->clients = client->next;
  if (client->next) client->next->previous = client->previous;
  worker->client_count--;
  client->next_closed = worker->closed_clients;
  worker->closed_clients = client;
}

void client_free(struct client *client) {
  assert(client->state == CLIENT_CLOSED);
  free(client);
}

void client_close_now(struct client *client) {
  struct exchange *exchange = client->exchange;
  client->exchange = NULL;
  if (exchange) exchange_abandon(exchange);
  client_dispose(client);
}

/* The client has left in the middle of an exchange. */
static void client_leave(struct client *client) {
  if (client->exchange) COUNT(&client->worker->counters, client_gone);
  client_close_now(client);
}

static void client_make_runnable(struct client *client) {
  if (client->is_runnable) return;
  client->is_runnable = true;
  client->next_runnable = client->worker->runnable;
  client->worker->runnable = client;
}

/* ---- deadlines ------------------------------------------------------------------------------- */

static void arm(struct client *client) {
  int64_t first = client->read_deadline_ms;
  if (client->write_deadline_ms && (!first || client->write_deadline_ms < first))
    first = client->write_deadline_ms;
  if (client->ended_deadline_ms && (!first || client->ended_deadline_ms < first))
    first = client->ended_deadline_ms;
  if (first) timer_set(&client->worker->timers, &client->timer, first);
}

static void expect_read(struct client *client, int64_t within_ms) {
  client->read_deadline_ms = client->worker->now_ms + within_ms;
  arm(client);
}

static bool is_past(const struct client *client, int64_t deadline_ms) {
  return deadline_ms != 0 && deadline_ms <= client->worker->now_ms;
}

static void client_refuse(struct client *client, int status, const char *why);

static void read_deadline_passed(struct client *client) {
  client->read_deadline_ms = 0;
  switch (client->state) {
    case CLIENT_READING:
      if (client->head_begun)
        client_refuse(client, 408, "the request's head did not arrive in time");
      else
        client_dispose(client); /* nobody waits for an answer on an idle connection */
      return;
    case CLIENT_EXCHANGE:
      client->body_is_slow = true;
      exchange_run(client->exchange);
      return;
    case CLIENT_CLOSING:
    case CLIENT_LINGERING:
      client_dispose(client);
      return;
    case CLIENT_CLOSED:
      return;
  }
}

static void client_fire(struct timer *timer) {
  struct client *client = (struct client *)(void *)((char *)timer - offsetof(struct client, timer));
  if (is_past(client, client->write_deadline_ms) || is_past(client, client->ended_deadline_ms)) {
    client_leave(client);
    return;
  }
  if (is_past(client, client->read_deadline_ms)) read_deadline_passed(client);
  if (client->state != CLIENT_CLOSED) arm(client);
}

/* ---- bytes ----------------------------------------------------------------------------------- */

enum fill { FILL_OK, FILL_WAIT, FILL_END, FILL_FAILED };

/* Reads into `in`, without moving the first `base` bytes. */
static enum fill client_fill(struct client *client, size_t base) {
  if (!client->transport.readable) return FILL_WAIT;
  struct block_pool *blocks = &client->worker->blocks;
  size_t start = client->in.start;
  if (!buffer_reserve(blocks, &client->in, base, 1)) return FILL_FAILED;
  if (client->in.start != start) client->body_moved = true;
  size_t got = 0;
  switch (transport_recv(&client->transport, client->in.p + client->in.end,
                         buffer_room(&client->in), &got)) {
    case TRANSPORT_OK:
      client->in.end += got;
      return FILL_OK;
    case TRANSPORT_WAIT:
      return FILL_WAIT;
    case TRANSPORT_END:
      return FILL_END;
    case TRANSPORT_FAILED:
      return FILL_FAILED;
  }
  return FILL_FAILED;
}

static enum stream_write client_send(struct client *client) {
  bool moved = false;
  while (buffer_size(&client->out) > 0) {
    size_t sent = 0;
    if (!client->transport.writable) break;
    enum transport_result result = transport_send(
        &client->transport, client->out.p + client->out.start, buffer_size(&client->out), &sent);
    if (result == TRANSPORT_FAILED) return STREAM_WRITE_FAILED;
    if (result != TRANSPORT_OK) break;
    client->out.start += sent;
    moved = true;
  }
  if (moved && client->ended_deadline_ms)
    client->ended_deadline_ms = client->worker->now_ms + HALF_CLOSED_MS;
  if (buffer_size(&client->out) == 0) {
    client->out.start = client->out.end = 0;
    client->write_deadline_ms = 0;
    return STREAM_WRITE_DONE;
  }
  if (moved || !client->write_deadline_ms) {
    client->write_deadline_ms = client->worker->now_ms + config_of(client)->timeouts.body_ms;
    arm(client);
  }
  return STREAM_WRITE_WAIT;
}

/* ---- closing --------------------------------------------------------------------------------- */

static void client_linger(struct client *client) {
  char waste[4096];
  size_t got = 0;
  for (;;) {
    if (!client->transport.readable) return;
    enum transport_result result = transport_recv(&client->transport, waste, sizeof(waste), &got);
    if (result == TRANSPORT_WAIT) return;
    if (result != TRANSPORT_OK) break;
    client->lingered_bytes += got;
    if (client->lingered_bytes > LINGER_BYTES_MAX) break;
  }
  client_dispose(client);
}

/* Everything is sent: ends our side, and reads on until the peer has ended too, so that what it
 * still sends does not reset the connection and eat the response (RFC 9112 9.6). */
static void client_shut(struct client *client) {
  client->state = CLIENT_LINGERING;
  client->write_deadline_ms = client->ended_deadline_ms = 0;
  buffer_release(&client->worker->blocks, &client->in);
  buffer_release(&client->worker->blocks, &client->out);
  transport_shutdown_write(&client->transport);
  expect_read(client, LINGER_MS);
  client_linger(client);
}

static void client_continue_closing(struct client *client) {
  client->state = CLIENT_CLOSING;
  client->read_deadline_ms = 0;
  switch (client_send(client)) {
    case STREAM_WRITE_DONE:
      client_shut(client);
      return;
    case STREAM_WRITE_WAIT:
      return;
    case STREAM_WRITE_FAILED:
      client_dispose(client);
      return;
  }
}

/* ---- requests -------------------------------------------------------------------------------- */

static bool append_response(struct client *client, const struct response_out *head,
                            const struct h1_framing *framing) {
  if (!buffer_reserve(&client->worker->blocks, &client->out, 0, h1_response_size(head)))
    return false;
  client->out.end += h1_write_response(client->out.p + client->out.end, head, framing);
  return true;
}

static bool append_bytes(struct client *client, struct str data) {
  if (!buffer_reserve(&client->worker->blocks, &client->out, 0, data.n)) return false;
  memcpy(client->out.p + client->out.end, data.p, data.n);
  client->out.end += data.n;
  return true;
}

/* Answers a head that cannot be an exchange, and ends the connection. */
static void client_refuse(struct client *client, int status, const char *why) {
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
  if (!append_response(client, worker->response_out, &framing) || !append_bytes(client, body)) {
    client_dispose(client);
    return;
  }
  client_continue_closing(client);
}

static int parse_status(enum http_parse outcome) {
  switch (outcome) {
    case HTTP_PARSE_DONE:
    case HTTP_PARSE_MORE:
    case HTTP_PARSE_BAD:
      return 400;
    case HTTP_PARSE_LINE_LONG:
      return 414;
    case HTTP_PARSE_HEAD_LONG:
      return 431;
    case HTTP_PARSE_VERSION:
      return 505;
    case HTTP_PARSE_CODING:
      return 501;
    case HTTP_PARSE_EXPECTATION:
      return 417;
  }
  return 400;
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
  h1_body_init(&client->body, request->body, request->content_length);
  client->body_moved = false;
  client->awaits_continue = request->expect_continue;
  client->version_minor = request->version_minor;
  client->keep_alive = request->keep_alive;
  client->chunked_out = client->close_delimited = client->body_is_slow = false;
  COUNT(&client->worker->counters, requests);
  if (client->transport.peer_ended && !client->ended_deadline_ms) {
    client->ended_deadline_ms = client->worker->now_ms + HALF_CLOSED_MS;
    arm(client);
  }
  exchange_start(exchange, client->worker, &client->stream);
}

enum head_step { HEAD_BEGUN, HEAD_MORE, HEAD_REFUSED };

/* Parses the head at the start of `in`. */
static enum head_step client_take_head(struct client *client) {
  struct worker *worker = client->worker;
  if (buffer_size(&client->in) == 0) return HEAD_MORE;
  struct exchange *exchange = exchange_acquire(worker);
  if (!exchange) {
    client_refuse(client, 503, "out of memory");
    return HEAD_REFUSED;
  }
  size_t limit = (size_t)config_of(client)->limits.header_bytes;
  for (;;) {
    size_t n = 0;
    const char *why = "";
    enum http_parse outcome = http_parse_request(buffer_str(&client->in), limit, &client->scan,
                                                 &exchange->request, &n, &why);
    if (outcome == HTTP_PARSE_DONE) {
      if (has_body_room(client, &exchange->request, n)) {
        client_begin_exchange(client, exchange, n);
        return HEAD_BEGUN;
      }
      client->scan = (struct http_head_scan){0};
      if (buffer_reserve(&worker->blocks, &client->in, 0, buffer_room(&client->in) + BODY_ROOM_MIN))
        continue;
      outcome = HTTP_PARSE_BAD;
      why = "out of memory";
    }
    exchange_release(worker, exchange);
    if (outcome == HTTP_PARSE_MORE) return HEAD_MORE;
    client_refuse(client, parse_status(outcome), why);
    return HEAD_REFUSED;
  }
}

/* The connection waits for a first byte, or for the rest of a head. */
static void client_rest(struct client *client) {
  struct worker *worker = client->worker;
  const struct config_timeouts *timeouts = &config_of(client)->timeouts;
  if (buffer_size(&client->in) > 0) {
    if (!client->head_begun) expect_read(client, timeouts->header_ms);
    client->head_begun = true;
    return;
  }
  buffer_release(&worker->blocks, &client->in);
  client->scan = (struct http_head_scan){0};
  client->head_begun = false;
  expect_read(client, worker->stop == STOP_NONE ? timeouts->idle_ms : DRAIN_IDLE_MS);
}

/* What ended while a head was awaited. */
static void client_ended_reading(struct client *client) {
  if (buffer_size(&client->in) > 0)
    client_refuse(client, 400, "the request was cut off");
  else
    client_dispose(client);
}

void client_run(struct client *client) {
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

/* ---- stream ---------------------------------------------------------------------------------- */

static enum stream_read client_read_body(struct client_stream *stream, struct str *ret_data) {
  struct client *client = client_of(stream);
  if (client->body_is_slow) return STREAM_READ_SLOW;
  for (;;) {
    switch (h1_body_next(&client->body, &client->in, ret_data)) {
      case H1_BODY_DATA:
        client->read_deadline_ms = 0;
        return STREAM_READ_DATA;
      case H1_BODY_END:
        client->read_deadline_ms = 0;
        return STREAM_READ_END;
      case H1_BODY_BAD:
        return STREAM_READ_BAD;
      case H1_BODY_MORE:
        break;
    }
    switch (client_fill(client, client->head_end)) {
      case FILL_OK:
        client->awaits_continue = false;
        client->read_deadline_ms = 0;
        continue;
      case FILL_WAIT:
        /* The clock runs only while the client is waited for, and not for one that was told to
         * wait. */
        if (!client->read_deadline_ms && !client->awaits_continue)
          expect_read(client, config_of(client)->timeouts.body_ms);
        return STREAM_READ_WAIT;
      case FILL_END:
        return STREAM_READ_BAD;
      case FILL_FAILED:
        return STREAM_READ_FAILED;
    }
  }
}

static void client_consume_body(struct client_stream *stream, size_t n) {
  struct client *client = client_of(stream);
  h1_body_consume(&client->body, &client->in, n);
}

static bool client_rewind_body(struct client_stream *stream) {
  struct client *client = client_of(stream);
  if (client->body_moved) return false;
  client->in.start = client->head_end;
  h1_body_init(&client->body, client->body.kind, client->body_length);
  return true;
}

static bool client_write_interim(struct client_stream *stream, const struct response_out *head) {
  struct client *client = client_of(stream);
  client->awaits_continue = false;
  return append_response(client, head, &(struct h1_framing){0});
}

static bool client_write_head(struct client_stream *stream, const struct response_out *head) {
  struct client *client = client_of(stream);
  client->awaits_continue = false;
  struct h1_framing framing = {0};
  if (head->close || client->worker->stop != STOP_NONE) client->keep_alive = false;
  if (head->body == HTTP_BODY_CHUNKED) {
    framing.chunked = client->version_minor > 0;
    client->close_delimited = !framing.chunked; /* HTTP/1.0 */
    if (client->close_delimited) client->keep_alive = false;
  }
  client->chunked_out = framing.chunked;
  if (!client->keep_alive)
    framing.connection = STR("close");
  else if (client->version_minor == 0)
    framing.connection = STR("keep-alive");
  return append_response(client, head, &framing);
}

static size_t client_write_body(struct client_stream *stream, struct str data) {
  struct client *client = client_of(stream);
  struct buffer *out = &client->out;
  size_t overhead = client->chunked_out ? H1_CHUNK_OVERHEAD : 0;
  if (!out->p && !buffer_reserve(&client->worker->blocks, out, 0, 1)) return 0;
  size_t room = buffer_room(out);
  if (room <= overhead || data.n == 0) return 0;
  struct str part = str_take(data, room - overhead);
  if (client->chunked_out) {
    out->end += h1_write_chunk(out->p + out->end, part);
  } else {
    memcpy(out->p + out->end, part.p, part.n);
    out->end += part.n;
  }
  return part.n;
}

static enum stream_write client_flush(struct client_stream *stream) {
  return client_send(client_of(stream));
}

static void client_end(struct client_stream *stream) {
  struct client *client = client_of(stream);
  client->exchange = NULL;
  client->head_end = 0;
  client->read_deadline_ms = client->ended_deadline_ms = 0;
  if (client->chunked_out) {
    char last[H1_LAST_CHUNK_BYTES];
    if (!append_bytes(client, str_make(last, h1_write_last_chunk(last)))) {
      client_dispose(client);
      return;
    }
  }
  if (!client->keep_alive || !client->body.complete) {
    client_continue_closing(client);
    return;
  }
  if (client_send(client) == STREAM_WRITE_FAILED) {
    client_dispose(client);
    return;
  }
  if (buffer_size(&client->out) == 0) buffer_release(&client->worker->blocks, &client->out);
  client->state = CLIENT_READING;
  client_make_runnable(client);
}

static void client_cut(struct client_stream *stream) {
  struct client *client = client_of(stream);
  client->exchange = NULL;
  if (!client->close_delimited) {
    /* A length not reached or a missing last chunk shows the cut; what was sent may arrive. */
    client->keep_alive = false;
    client_continue_closing(client);
    return;
  }
  /* Where the end of the connection ends the body a clean end would lie (RFC 9112 8). */
  (void)client_send(client);
  transport_reset(&client->transport);
  client_dispose(client);
}

static const struct client_stream_operations client_operations = {
    .read_body = client_read_body,
    .consume_body = client_consume_body,
    .rewind_body = client_rewind_body,
    .write_interim = client_write_interim,
    .write_head = client_write_head,
    .write_body = client_write_body,
    .flush = client_flush,
    .end = client_end,
    .cut = client_cut,
};

/* ---- events ---------------------------------------------------------------------------------- */

static void exchange_event(struct client *client) {
  const struct transport *transport = &client->transport;
  if (transport->peer_ended && !client->ended_deadline_ms) {
    client->ended_deadline_ms = client->worker->now_ms + HALF_CLOSED_MS;
    arm(client);
  }
  exchange_run(client->exchange);
}

void client_handle_event(struct client *client, uint32_t events) {
  transport_note_events(&client->transport, events);
  bool broken = (events & (EPOLLERR | EPOLLHUP)) != 0;
  switch (client->state) {
    case CLIENT_READING:
      if (buffer_size(&client->out) > 0 && client_send(client) == STREAM_WRITE_FAILED) {
        client_dispose(client);
        return;
      }
      client_run(client);
      return;
    case CLIENT_EXCHANGE:
      if (broken)
        client_leave(client);
      else
        exchange_event(client);
      return;
    case CLIENT_CLOSING:
      if (broken)
        client_dispose(client);
      else
        client_continue_closing(client);
      return;
    case CLIENT_LINGERING:
      client_linger(client);
      return;
    case CLIENT_CLOSED:
      return;
  }
}

void client_drain(struct client *client) {
  bool is_idle = client->state == CLIENT_READING && !client->head_begun;
  if (is_idle && buffer_size(&client->out) == 0) expect_read(client, DRAIN_IDLE_MS);
}
