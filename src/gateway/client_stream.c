/*
 * client_stream: a client's connection as the exchange sees it (stream.h): a request's body comes,
 * a response goes.
 */
#include <assert.h>

#include "client_parts.h"

static struct client *client_of(struct client_stream *stream) {
  assert(stream->operations == &client_operations);
  return (struct client *)(void *)((char *)stream - offsetof(struct client, stream));
}

static enum stream_read bad_body(const struct client *client) {
  switch (client->body.chunked.fault) {
    case HTTP_CHUNK_MALFORMED:
      return STREAM_READ_BAD;
    case HTTP_CHUNK_LONG_EXTENSIONS:
      return STREAM_READ_LONG_EXTENSIONS;
    case HTTP_CHUNK_LONG_TRAILERS:
      return STREAM_READ_LONG_TRAILERS;
  }
  return STREAM_READ_BAD;
}

static enum stream_read client_read_body(struct client_stream *stream, struct str *ret_data) {
  struct client *client = client_of(stream);
  if (client->body_is_slow) return STREAM_READ_SLOW;
  for (;;) {
    switch (h1_body_next(&client->body, &client->in, ret_data)) {
      case H1_BODY_DATA:
        client_await_no_body(client);
        return STREAM_READ_DATA;
      case H1_BODY_END:
        client_await_no_body(client);
        return STREAM_READ_END;
      case H1_BODY_BAD:
        return bad_body(client);
      case H1_BODY_MORE:
        break;
    }
    switch (client_fill(client, client->head_end)) {
      case FILL_OK:
        client->awaits_continue = false;
        client_await_no_body(client);
        continue;
      case FILL_WAIT:
        if (client->is_tunnel) {
          buffer_release(&client->worker->blocks, &client->in); /* an idle one holds no block */
          return STREAM_READ_WAIT;
        }
        /* The clock runs only while the client is waited for, and not for one that was told to
         * wait. */
        if (!client->awaits_continue) client_await_body(client);
        return STREAM_READ_WAIT;
      case FILL_END:
        if (!client->is_tunnel) return STREAM_READ_BAD;
        client->body.complete = true; /* and so it stays, until it can be passed on */
        return STREAM_READ_END;
      case FILL_FAILED:
        return STREAM_READ_FAILED;
    }
  }
}

static void client_consume_body(struct client_stream *stream, size_t n) {
  struct client *client = client_of(stream);
  h1_body_consume(&client->body, &client->in, n);
}

static void client_read_trailers(struct client_stream *stream, struct field_list *ret) {
  struct client *client = client_of(stream);
  ret->n = http_trailers_parse(client->body.trailers, ret->items);
}

static bool client_write_interim(struct client_stream *stream, const struct response_out *head) {
  struct client *client = client_of(stream);
  client->awaits_continue = false;
  return client_append_response(client, head, &(struct h1_framing){0});
}

static bool client_write_head(struct client_stream *stream, const struct response_out *head) {
  struct client *client = client_of(stream);
  client->awaits_continue = false;
  struct h1_framing framing = {.upgrade = head->upgrade};
  if (head->status == 101) return client_append_response(client, head, &framing);
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
  return client_append_response(client, head, &framing);
}

static size_t client_write_body(struct client_stream *stream, struct str data) {
  struct client *client = client_of(stream);
  if (!client->out.p && !buffer_reserve(&client->worker->blocks, &client->out, 0, 1)) return 0;
  return h1_append_body(&client->out, data, client->chunked_out);
}

static enum stream_write client_flush(struct client_stream *stream) {
  return client_send(client_of(stream));
}

static void client_run_again(struct client_stream *stream) {
  client_make_runnable(client_of(stream));
}

static void client_end(struct client_stream *stream, const struct field_list *trailers) {
  struct client *client = client_of(stream);
  client->exchange = NULL;
  client->head_end = 0;
  client->read_deadline_ms = client->ended_deadline_ms = 0;
  if (client->chunked_out) {
    struct block_pool *blocks = &client->worker->blocks;
    if (!buffer_reserve(blocks, &client->out, 0, h1_end_size(trailers))) {
      client_dispose(client);
      return;
    }
    client->out.end += h1_write_end(client->out.p + client->out.end, trailers);
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

/* ---- tunnel ---------------------------------------------------------------------------------- */

static void client_begin_tunnel(struct client_stream *stream) {
  struct client *client = client_of(stream);
  client->is_tunnel = true;
  client->keep_alive = client->chunked_out = false;
  client->close_delimited = true;
  client->head_end = 0;
  client->read_deadline_ms = client->ended_deadline_ms = 0;
  h1_body_init(&client->body, HTTP_BODY_UNTIL_CLOSE, 0); /* what came early is in `in` */
}

static bool client_end_writing(struct client_stream *stream) {
  struct client *client = client_of(stream);
  if (buffer_size(&client->out) > 0) return false;
  client_shutdown_write(client);
  return true;
}

const struct client_stream_operations client_operations = {
    .read_body = client_read_body,
    .consume_body = client_consume_body,
    .read_trailers = client_read_trailers,
    .write_interim = client_write_interim,
    .write_head = client_write_head,
    .write_body = client_write_body,
    .flush = client_flush,
    .run_again = client_run_again,
    .end = client_end,
    .cut = client_cut,
    .begin_tunnel = client_begin_tunnel,
    .end_writing = client_end_writing,
};
