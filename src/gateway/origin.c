/*
 * origin: one connection to an endpoint, HTTP/1.1.
 *
 *   life    connect, reuse, rest, close
 *   bytes   fill `in`, send `out`
 *   stream  what the exchange calls (stream.h)
 *   events  what the loop calls
 */
#include "origin.h"

#include <assert.h>
#include <errno.h>
#include <stdlib.h>
#include <sys/epoll.h>
#include <sys/socket.h>

#include "h1_write.h"

enum {
  RESPONSE_HEAD_MAX = 64 * 1024,
  HEARD_OF_NOW_MAX = 4 /* events since the loop asked the kernel */
};

static const struct origin_stream_operations origin_operations;

static struct origin *origin_of(struct origin_stream *stream) {
  assert(stream->operations == &origin_operations);
  return (struct origin *)(void *)((char *)stream - offsetof(struct origin, stream));
}

/* ---- life ------------------------------------------------------------------------------------ */

/* Behind the close: the place is given to a connection that is opened then. */
static void leave_breaker(struct origin *origin) {
  if (!origin->breaker) return;
  breaker_leave(origin->breaker, BREAKER_CONNECTIONS);
  breaker_unref(&origin->breaker);
}

static void origin_dispose(struct origin *origin) {
  struct worker *worker = origin->worker;
  assert(origin->state != ORIGIN_CLOSED);
  origin->state = ORIGIN_CLOSED;
  if (origin->exchange) origin->target->active--;
  origin->exchange = NULL;
  transport_close(&origin->transport);
  leave_breaker(origin);
  timer_stop(&worker->timers, &origin->timer);
  buffer_release(&worker->blocks, &origin->in);
  buffer_release(&worker->blocks, &origin->out);
  target_unref(worker->targets, &origin->target);
  origin->next_closed = worker->closed_origins;
  worker->closed_origins = origin;
}

void origin_free(struct origin *origin) {
  assert(origin->state == ORIGIN_CLOSED);
  free(origin);
}

static void idle_unlink(struct origin *origin) {
  struct worker *worker = origin->worker;
  if (origin->previous)
    origin->previous->next = origin->next;
  else
    worker->idle_origins = origin->next;
  if (origin->next) origin->next->previous = origin->previous;
  origin->previous = origin->next = NULL;
}

void origin_close_idle(struct origin *origin) {
  assert(origin->state == ORIGIN_IDLE);
  target_idle_remove(origin->target, &origin->idle);
  idle_unlink(origin);
  origin_dispose(origin);
}

static int64_t outflow_deadline_ms(const struct origin *origin) {
  const struct config *config = policy_config(origin->exchange->policy->policy);
  return origin->worker->now_ms + config->timeouts.body_ms;
}

/* A tunnel's endpoint must take something of what is sent to it. */
static void outflow_deadline_passed(struct origin *origin) {
  const bool holds = buffer_size(&origin->out) > 0;
  if (outflow_judge(&origin->outflow, &origin->transport, holds, 1, outflow_deadline_ms(origin)) ==
      OUTFLOW_SLOW) {
    COUNT(&origin->worker->counters, origins_slow);
    transport_reset(&origin->transport); /* what is queued would stay with the kernel */
    origin->stream.slow = true;
    exchange_run(origin->exchange);
  } else if (origin->outflow.deadline_ms) {
    timer_set(&origin->worker->timers, &origin->timer, origin->outflow.deadline_ms);
  }
}

static void origin_fire(struct timer *timer) {
  struct origin *origin = (struct origin *)(void *)((char *)timer - offsetof(struct origin, timer));
  if (origin->state == ORIGIN_IDLE)
    origin_close_idle(origin);
  else if (origin->is_tunnel)
    outflow_deadline_passed(origin);
}

/* After a flush of a tunnel: begins to watch how fast the endpoint takes what was sent. */
static void watch_outflow(struct origin *origin) {
  const int64_t deadline_ms = outflow_deadline_ms(origin);
  const bool began = buffer_size(&origin->out) > 0
                         ? outflow_blocked(&origin->outflow, &origin->transport, deadline_ms)
                         : outflow_emptied(&origin->outflow, deadline_ms);
  if (began) timer_set(&origin->worker->timers, &origin->timer, origin->outflow.deadline_ms);
}

static void origin_begin(struct origin *origin, struct exchange *exchange) {
  origin->exchange = exchange;
  origin->target->active++;
  origin->scan = (struct http_head_scan){0};
  origin->chunked_out = false;
  origin->keep_alive = false;
  origin->asked = false;
  origin->stream.received = origin->stream.head_begun = false;
}

struct origin_stream *origin_connect(struct exchange *exchange, struct target *target,
                                     int *ret_error) {
  struct worker *worker = exchange->worker;
  struct origin *origin = calloc(1, sizeof(*origin));
  if (!origin) {
    *ret_error = ENOMEM;
    return NULL;
  }
  int fd = target_connect(target);
  if (fd < 0) {
    *ret_error = -fd;
    free(origin);
    return NULL;
  }
  origin->watch.kind = WATCH_ORIGIN;
  origin->worker = worker;
  origin->stream.operations = &origin_operations;
  transport_init_plain(&origin->transport, fd);
  timer_init(&origin->timer, origin_fire);
  if (!worker_watch(worker, fd, &origin->watch)) {
    *ret_error = errno;
    transport_close(&origin->transport);
    free(origin);
    return NULL;
  }
  origin->target = target;
  if (exchange->has_connection) origin->breaker = breaker_ref_again(exchange->place);
  exchange->has_connection = false;
  origin->state = ORIGIN_CONNECTING;
  origin_begin(origin, exchange);
  return &origin->stream;
}

/* Whether the kernel holds nothing more of the peer's. The flag says so in all but the rare case
 * that the last read filled its room to the brim. */
static bool is_silent(struct origin *origin) {
  if (!origin->transport.readable) return true;
  char byte;
  size_t got;
  return transport_recv(&origin->transport, &byte, 1, &got) == TRANSPORT_WAIT;
}

/* Whether the loop heard of it so lately that looking again would tell nothing new. What it says
 * while a request is on its way to it cannot be told from an answer in any case; but a turn may be
 * long, and a second response comes right behind the first. */
static bool was_heard_of_now(const struct origin *origin) {
  const struct worker *worker = origin->worker;
  return origin->idle_since < worker->turn && worker->dispatched <= HEARD_OF_NOW_MAX;
}

struct origin_stream *origin_reuse(struct exchange *exchange, struct target *target) {
  struct origin *origin;
  for (;;) {
    struct idle_link *link = target_idle_pop(target);
    if (!link) return NULL;
    origin = (struct origin *)(void *)((char *)link - offsetof(struct origin, idle));
    assert(origin->state == ORIGIN_IDLE);
    idle_unlink(origin);
    if (was_heard_of_now(origin)) break;
    /* What came since cannot be the answer to a request that is still to be sent, and once that is
     * sent nobody could tell. */
    origin->transport.readable = true;
    if (is_silent(origin)) break;
    origin_dispose(origin);
  }
  origin->state = ORIGIN_ACTIVE;
  origin->stream.reused = true;
  origin_begin(origin, exchange);
  COUNT(&exchange->worker->counters, reuses);
  COUNT(&exchange->upstream->counts, reuses);
  return &origin->stream;
}

static void origin_rest(struct origin *origin) {
  struct worker *worker = origin->worker;
  origin->state = ORIGIN_IDLE;
  origin->idle_since = worker->turn;
  origin->target->active--;
  origin->exchange = NULL;
  buffer_release(&worker->blocks, &origin->in);
  buffer_release(&worker->blocks, &origin->out);
  target_idle_push(origin->target, &origin->idle);
  origin->previous = NULL;
  origin->next = worker->idle_origins;
  if (origin->next) origin->next->previous = origin;
  worker->idle_origins = origin;
  const struct config *config = policy_config(worker->policy->policy);
  timer_set(&worker->timers, &origin->timer, worker->now_ms + config->timeouts.idle_ms);
}

static bool is_wanted(const struct origin *origin) {
  return origin->breaker && breaker_wants_connections(origin->breaker);
}

static void origin_release(struct origin_stream *stream, bool clean) {
  struct origin *origin = origin_of(stream);
  bool reusable = clean && origin->keep_alive && !stream->failed &&
                  origin->state == ORIGIN_ACTIVE && origin->worker->stop == STOP_NONE &&
                  buffer_size(&origin->in) == 0 && buffer_size(&origin->out) == 0 &&
                  !origin->transport.peer_ended && origin->target->idle_count < TARGET_IDLE_MAX &&
                  !is_wanted(origin) && is_silent(origin);
  if (reusable)
    origin_rest(origin);
  else
    origin_dispose(origin);
}

/* ---- bytes ----------------------------------------------------------------------------------- */

/* Reads into `in`. */
static enum transport_result origin_fill(struct origin *origin) {
  if (!origin->transport.readable) return TRANSPORT_WAIT;
  if (!buffer_reserve(&origin->worker->blocks, &origin->in, 0, 1)) {
    origin->transport.error = ENOMEM;
    return TRANSPORT_FAILED;
  }
  size_t got = 0;
  enum transport_result result = transport_recv(&origin->transport, origin->in.p + origin->in.end,
                                                buffer_room(&origin->in), &got);
  if (result == TRANSPORT_OK) {
    origin->in.end += got;
    origin->stream.received = true;
  }
  return result;
}

static enum stream_write origin_flush(struct origin_stream *stream) {
  struct origin *origin = origin_of(stream);
  while (buffer_size(&origin->out) > 0 && origin->transport.writable) {
    size_t sent = 0;
    enum transport_result result = transport_send(
        &origin->transport, origin->out.p + origin->out.start, buffer_size(&origin->out), &sent);
    if (result == TRANSPORT_FAILED) {
      /* What the origin said before it closed is still to be read; the read tells the rest. */
      origin->transport.readable = true;
      origin->out.start = origin->out.end = 0;
      if (!stream->failed) stream->error = origin->transport.error; /* the first says what it was */
      stream->failed = true;
      return STREAM_WRITE_FAILED;
    }
    if (result != TRANSPORT_OK) break;
    origin->out.start += sent;
    origin->outflow.sent_bytes += sent;
    origin->asked = true;
  }
  if (origin->is_tunnel) watch_outflow(origin);
  if (buffer_size(&origin->out) > 0) return STREAM_WRITE_WAIT;
  origin->out.start = origin->out.end = 0;
  if (origin->is_tunnel) buffer_release(&origin->worker->blocks, &origin->out);
  return STREAM_WRITE_DONE;
}

/* ---- stream ---------------------------------------------------------------------------------- */

static bool origin_write_head(struct origin_stream *stream, const struct request_out *head) {
  struct origin *origin = origin_of(stream);
  const bool last = origin->worker->stop != STOP_NONE && head->upgrade.n == 0; /* RFC 9112 9.6 */
  struct h1_framing framing = {.chunked = head->body == HTTP_BODY_CHUNKED,
                               .connection = last ? STR("close") : (struct str){0},
                               .upgrade = head->upgrade,
                               .te_trailers = head->te_trailers};
  origin->method = http_method_id(head->method);
  origin->chunked_out = framing.chunked;
  if (!buffer_reserve(&origin->worker->blocks, &origin->out, 0, h1_request_size(head)))
    return false;
  origin->out.end += h1_write_request(origin->out.p + origin->out.end, head, &framing);
  return true;
}

static size_t origin_write_body(struct origin_stream *stream, struct str data) {
  struct origin *origin = origin_of(stream);
  if (!origin->out.p && !buffer_reserve(&origin->worker->blocks, &origin->out, 0, 1)) return 0;
  return h1_append_body(&origin->out, data, origin->chunked_out);
}

static bool origin_end_body(struct origin_stream *stream, const struct field_list *trailers) {
  struct origin *origin = origin_of(stream);
  if (!origin->chunked_out) return true;
  if (!buffer_reserve(&origin->worker->blocks, &origin->out, 0, h1_end_size(trailers)))
    return false;
  origin->out.end += h1_write_end(origin->out.p + origin->out.end, trailers);
  return true;
}

static enum origin_head origin_take_head(struct origin *origin, struct http_response *ret,
                                         const char **ret_why) {
  size_t n = 0;
  enum http_parse outcome = http_parse_response(buffer_str(&origin->in), RESPONSE_HEAD_MAX,
                                                origin->method, &origin->scan, ret, &n, ret_why);
  origin->stream.head_begun = outcome == HTTP_PARSE_MORE;
  if (outcome == HTTP_PARSE_MORE) return ORIGIN_HEAD_WAIT;
  if (outcome != HTTP_PARSE_DONE) return ORIGIN_HEAD_BAD;
  origin->scan = (struct http_head_scan){0};
  origin->in.start += n; /* its views hold until the next read */
  if (ret->status >= 200) {
    origin->keep_alive = ret->keep_alive && ret->body != HTTP_BODY_UNTIL_CLOSE;
    h1_body_init(&origin->body, ret->body, ret->content_length);
  }
  return ORIGIN_HEAD_DONE;
}

static enum origin_head origin_read_head(struct origin_stream *stream, struct http_response *ret,
                                         const char **ret_why) {
  struct origin *origin = origin_of(stream);
  /* What comes before a byte of the request has gone answers something else. */
  if (!origin->asked) return origin->transport.readable ? ORIGIN_HEAD_CLOSED : ORIGIN_HEAD_WAIT;
  for (;;) {
    if (buffer_size(&origin->in) > 0) {
      enum origin_head head = origin_take_head(origin, ret, ret_why);
      if (head != ORIGIN_HEAD_WAIT) return head;
    }
    switch (origin_fill(origin)) {
      case TRANSPORT_OK:
        continue;
      case TRANSPORT_WAIT:
        return ORIGIN_HEAD_WAIT;
      case TRANSPORT_END:
      case TRANSPORT_FAILED:
        stream->error = origin->transport.error;
        return ORIGIN_HEAD_CLOSED;
    }
  }
}

/* What the end of the connection means for the body. A reset is told to one call only: when a write
 * was told of it the read sees an end. EPIPE is the reset of a peer that had ended its side before,
 * and said all (tcp_reset() in the kernel). */
static enum stream_read body_ended(struct origin *origin) {
  if (origin->body.kind != HTTP_BODY_UNTIL_CLOSE) return STREAM_READ_BAD;
  if (origin->stream.failed && origin->stream.error != EPIPE) return STREAM_READ_FAILED;
  origin->body.complete = true;
  return STREAM_READ_END;
}

static enum stream_read origin_read_body(struct origin_stream *stream, struct str *ret_data) {
  struct origin *origin = origin_of(stream);
  for (;;) {
    switch (h1_body_next(&origin->body, &origin->in, ret_data)) {
      case H1_BODY_DATA:
        return STREAM_READ_DATA;
      case H1_BODY_END:
        return STREAM_READ_END;
      case H1_BODY_BAD:
        return STREAM_READ_BAD;
      case H1_BODY_MORE:
        break;
    }
    switch (origin_fill(origin)) {
      case TRANSPORT_OK:
        continue;
      case TRANSPORT_WAIT:
        if (origin->is_tunnel) buffer_release(&origin->worker->blocks, &origin->in);
        return STREAM_READ_WAIT;
      case TRANSPORT_END:
        return body_ended(origin);
      case TRANSPORT_FAILED:
        return STREAM_READ_FAILED;
    }
  }
}

static void origin_consume_body(struct origin_stream *stream, size_t n) {
  struct origin *origin = origin_of(stream);
  h1_body_consume(&origin->body, &origin->in, n);
}

static void origin_read_trailers(struct origin_stream *stream, struct field_list *ret) {
  struct origin *origin = origin_of(stream);
  ret->n = http_trailers_parse(origin->body.trailers, ret->items);
}

static void origin_begin_tunnel(struct origin_stream *stream) {
  struct origin *origin = origin_of(stream);
  origin->is_tunnel = true;
  origin->outflow = (struct outflow){0};
  origin->keep_alive = false;
  h1_body_init(&origin->body, HTTP_BODY_UNTIL_CLOSE, 0); /* what came early is in `in` */
}

static bool origin_end_writing(struct origin_stream *stream) {
  struct origin *origin = origin_of(stream);
  if (buffer_size(&origin->out) > 0) return false;
  transport_shutdown_write(&origin->transport);
  return true;
}

static const struct origin_stream_operations origin_operations = {
    .write_head = origin_write_head,
    .write_body = origin_write_body,
    .end_body = origin_end_body,
    .flush = origin_flush,
    .read_head = origin_read_head,
    .read_body = origin_read_body,
    .consume_body = origin_consume_body,
    .read_trailers = origin_read_trailers,
    .begin_tunnel = origin_begin_tunnel,
    .end_writing = origin_end_writing,
    .release = origin_release,
};

/* ---- events ---------------------------------------------------------------------------------- */

static void connecting_event(struct origin *origin, uint32_t events) {
  if (!(events & (EPOLLOUT | EPOLLERR | EPOLLHUP))) return;
  int error = 0;
  socklen_t size = sizeof(error);
  if (getsockopt(origin->transport.fd, SOL_SOCKET, SO_ERROR, &error, &size) != 0) error = errno;
  if (error == 0 && (events & EPOLLOUT)) {
    origin->state = ORIGIN_ACTIVE;
    origin->stream.connected = true;
    COUNT(&origin->worker->counters, connects);
    COUNT(&origin->exchange->upstream->counts, connects);
  } else {
    origin->stream.failed = true;
    origin->stream.error = error ? error : ECONNREFUSED;
  }
}

void origin_handle_event(struct origin *origin, uint32_t events) {
  if (origin->state == ORIGIN_CLOSED) return;
  transport_note_events(&origin->transport, events);
  if (origin->state == ORIGIN_IDLE) {
    if (origin->transport.readable) origin_close_idle(origin);
    return;
  }
  if (origin->state == ORIGIN_CONNECTING) connecting_event(origin, events);
  exchange_run(origin->exchange);
}
