/*
 * client: one connection of a client, HTTP/1.1.
 *
 *   life       open, close, free; the list of the worker
 *   deadlines  one timer for reading, writing, and a peer that has ended its side
 *   bytes      fill `in`, send `out`
 *   closing    the last response, then nothing more of ours, then the end
 *   events     what the loop calls
 *
 * Heads are client_head.c's; what the exchange calls is in client_stream.c.
 */
#include "client.h"

#include <assert.h>
#include <stdlib.h>
#include <sys/epoll.h>

#include "client_parts.h"
#include "peers.h"

enum { LINGER_MS = 2000, LINGER_BYTES_MAX = 1 << 20, LINGER_READS_A_TURN_MAX = 64 };

/* ---- life ------------------------------------------------------------------------------------ */

static void client_fire(struct timer *timer);
static void linger_on(struct client *client);

bool client_open(struct worker *worker, int fd, const struct ip_address *peer, bool counted) {
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
  client->counted = counted;
  client->next = worker->clients;
  if (client->next) client->next->previous = client;
  worker->clients = client;
  worker->client_count++;
  client->read_deadline_ms = worker->now_ms + client_config(client)->timeouts.idle_ms;
  timer_set(&worker->timers, &client->timer, client->read_deadline_ms);
  return true;
}

void client_dispose(struct client *client) {
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
  if (worker->shed_hand == client) worker->shed_hand = client->next;
  if (client->counted) peers_remove(worker->peers, &client->stream.peer);
  client->next_closed = worker->closed_clients;
  worker->closed_clients = client;
}

void client_free(struct client *client) {
  assert(client->state == CLIENT_CLOSED);
  free(client);
}

void client_close_now(struct client *client) {
  struct exchange *exchange = client->exchange;
  bool cuts_body = client->close_delimited && (exchange || buffer_size(&client->out) > 0);
  client->exchange = NULL;
  if (exchange) exchange_abandon(exchange);
  if (cuts_body) transport_reset(&client->transport); /* as client_cut() does */
  client_dispose(client);
}

/* The client has left, or is given up. */
static void client_leave(struct client *client) {
  if (client->exchange) COUNT(&client->worker->counters, client_gone);
  client_close_now(client);
}

int64_t client_idle_ms(const struct client *client) {
  bool idle = client->state == CLIENT_READING && !client->in.p && !client->out.p;
  if (!idle) return -1;
  return client->worker->now_ms -
         (client->read_deadline_ms - client_config(client)->timeouts.idle_ms);
}

void client_make_runnable(struct client *client) {
  if (client->is_runnable) return;
  client->is_runnable = true;
  client->next_runnable = client->worker->runnable;
  client->worker->runnable = client;
}

/* ---- deadlines ------------------------------------------------------------------------------- */

void client_arm(struct client *client) {
  int64_t first = client->read_deadline_ms;
  if (client->outflow.deadline_ms && (!first || client->outflow.deadline_ms < first))
    first = client->outflow.deadline_ms;
  if (client->ended_deadline_ms && (!first || client->ended_deadline_ms < first))
    first = client->ended_deadline_ms;
  if (first) timer_set(&client->worker->timers, &client->timer, first);
}

void client_await_body(struct client *client) {
  if (client->waits_since_ms) return;
  client->waits_since_ms = client->worker->now_ms;
  client_expect_read(client, client_config(client)->timeouts.body_ms - client->waited_ms);
}

void client_await_no_body(struct client *client) {
  client->read_deadline_ms = 0;
  if (!client->waits_since_ms) return;
  client->waited_ms += client->worker->now_ms - client->waits_since_ms;
  client->waits_since_ms = 0;
  if (client->received_bytes < outflow_share(client_config(client))) return;
  client->received_bytes = 0;
  client->waited_ms = 0;
}

static int64_t body_deadline_ms(const struct client *client) {
  return client->worker->now_ms + client_config(client)->timeouts.body_ms;
}

static void outflow_deadline_passed(struct client *client) {
  const bool holds = buffer_size(&client->out) > 0;
  const uint64_t share = outflow_share(client_config(client));
  if (outflow_judge(&client->outflow, &client->transport, holds, share, body_deadline_ms(client)) !=
      OUTFLOW_SLOW)
    return;
  COUNT(&client->worker->counters, readers_slow);
  /* A clean end could pass for that of the response, and what is queued would stay with the kernel
   * for as long as the peer likes. */
  transport_reset(&client->transport);
  client_leave(client);
}

void client_expect_read(struct client *client, int64_t within_ms) {
  client->read_deadline_ms = client->worker->now_ms + within_ms;
  client_arm(client);
}

void client_expect_head(struct client *client) {
  const int64_t idle_ms = client_config(client)->timeouts.idle_ms;
  client_expect_read(client, client->worker->stop == STOP_NONE ? idle_ms : DRAIN_IDLE_MS);
}

static bool is_past(const struct client *client, int64_t deadline_ms) {
  return deadline_ms != 0 && deadline_ms <= client->worker->now_ms;
}

static void read_deadline_passed(struct client *client) {
  client->read_deadline_ms = 0;
  switch (client->state) {
    case CLIENT_READING:
      if (client->head_begun) {
        COUNT(&client->worker->counters, heads_slow);
        client_refuse(client, 408, "the request's head did not arrive in time");
      } else if (transport_queued(&client->transport) > 0) {
        client_expect_head(client); /* it is not idle while it takes a response */
      } else {
        COUNT(&client->worker->counters, idle_closed);
        client_dispose(client); /* nobody waits for an answer on an idle connection */
      }
      return;
    case CLIENT_EXCHANGE:
      COUNT(&client->worker->counters, bodies_slow);
      client->body_is_slow = true;
      exchange_run(client->exchange);
      return;
    case CLIENT_CLOSING:
      client_dispose(client);
      return;
    case CLIENT_LINGERING:
      linger_on(client);
      return;
    case CLIENT_CLOSED:
      return;
  }
}

void client_watch_end(struct client *client) {
  if (!client->transport.peer_ended || client->is_tunnel) return;
  if (!client->end_noted)
    client->taken_at_end_bytes = outflow_taken(&client->outflow, &client->transport);
  client->end_noted = true;
  client->ended_deadline_ms = client->worker->now_ms + HALF_CLOSED_MS;
  client_arm(client);
}

/*
 * TCP tells the end of a peer that reads on and of one that is gone in the same way. What is sent
 * to it makes the difference: one that reads takes it, one that is gone resets the connection, and
 * one that does neither is slow. So an answer is awaited where something is on its way; only while
 * there is nothing to send, and nothing was taken since the end, must silence do. False: it left.
 */
static bool ended_deadline_passed(struct client *client) {
  client->ended_deadline_ms = 0;
  if (outflow_taken(&client->outflow, &client->transport) > client->taken_at_end_bytes)
    return true; /* from now on the clocks of any other client are enough */
  if (buffer_size(&client->out) == 0 && transport_queued(&client->transport) == 0) {
    client_leave(client);
    return false;
  }
  client->ended_deadline_ms = client->worker->now_ms + HALF_CLOSED_MS;
  return true;
}

static void client_fire(struct timer *timer) {
  struct client *client = (struct client *)(void *)((char *)timer - offsetof(struct client, timer));
  if (is_past(client, client->ended_deadline_ms) && !ended_deadline_passed(client)) return;
  if (is_past(client, client->outflow.deadline_ms)) outflow_deadline_passed(client);
  if (is_past(client, client->read_deadline_ms)) read_deadline_passed(client);
  if (client->state != CLIENT_CLOSED) client_arm(client);
}

/* ---- bytes ----------------------------------------------------------------------------------- */

enum fill client_fill(struct client *client, size_t base) {
  if (!client->transport.readable) return FILL_WAIT;
  struct block_pool *blocks = &client->worker->blocks;
  if (!buffer_reserve(blocks, &client->in, base, 1)) return FILL_FAILED;
  size_t got = 0;
  switch (transport_recv(&client->transport, client->in.p + client->in.end,
                         buffer_room(&client->in), &got)) {
    case TRANSPORT_OK:
      client->in.end += got;
      client->received_bytes += got;
      return FILL_OK;
    case TRANSPORT_WAIT:
      return FILL_WAIT;
    case TRANSPORT_END:
      return FILL_END;
    case TRANSPORT_FAILED:
      client->stream.gone = true;
      return FILL_FAILED;
  }
  return FILL_FAILED;
}

enum stream_write client_send(struct client *client) {
  while (buffer_size(&client->out) > 0) {
    size_t sent = 0;
    if (client->transport.error) return STREAM_WRITE_FAILED; /* the kernel tells it only once */
    if (!client->transport.writable) break;
    enum transport_result result = transport_send(
        &client->transport, client->out.p + client->out.start, buffer_size(&client->out), &sent);
    if (result == TRANSPORT_FAILED) {
      client->stream.gone = true;
      return STREAM_WRITE_FAILED;
    }
    if (result != TRANSPORT_OK) break;
    client->out.start += sent;
    client->outflow.sent_bytes += sent;
  }
  if (buffer_size(&client->out) == 0) {
    client->out.start = client->out.end = 0;
    if (client->is_tunnel) buffer_release(&client->worker->blocks, &client->out);
    if (outflow_emptied(&client->outflow, body_deadline_ms(client))) client_arm(client);
    return STREAM_WRITE_DONE;
  }
  if (outflow_blocked(&client->outflow, &client->transport, body_deadline_ms(client)))
    client_arm(client);
  return STREAM_WRITE_WAIT;
}

void client_shutdown_write(struct client *client) {
  transport_shutdown_write(&client->transport);
  if (outflow_ended(&client->outflow, body_deadline_ms(client))) client_arm(client);
}

/* ---- closing --------------------------------------------------------------------------------- */

void client_linger(struct client *client) {
  char waste[4096];
  size_t got = 0;
  bool ended = client->transport.peer_ended, failed = false;
  for (unsigned reads = 0; client->transport.readable; reads++) {
    ended = false; /* not before that was read */
    if (reads == LINGER_READS_A_TURN_MAX) {
      client_make_runnable(client);
      break;
    }
    enum transport_result result = transport_recv(&client->transport, waste, sizeof(waste), &got);
    if (result == TRANSPORT_WAIT) break;
    failed = result == TRANSPORT_FAILED;
    ended = result == TRANSPORT_END;
    if (ended || failed) break;
    client->lingered_bytes += got;
  }
  const bool unwanted = client->lingered_bytes > LINGER_BYTES_MAX;
  if (!failed) {
    if (!ended && !unwanted) return;
    if (transport_queued(&client->transport) > 0) return; /* linger_on() looks again */
    if (unwanted) COUNT(&client->worker->counters, bodies_unwanted);
  }
  client_dispose(client);
}

/* A peer that is still taking the response must take as much of it as while we sent. */
static void linger_on(struct client *client) {
  if (transport_queued(&client->transport) == 0)
    client_dispose(client);
  else
    client_expect_read(client, LINGER_MS);
}

/* Everything is sent: ends our side, and reads on until the peer has ended too, so that what it
 * still sends does not reset the connection and eat the response (RFC 9112 9.6). The kernel may
 * hold megabytes of it: there is no end before the peer's kernel has them. */
static void client_shut(struct client *client) {
  client->state = CLIENT_LINGERING;
  client->ended_deadline_ms = 0;
  buffer_release(&client->worker->blocks, &client->in);
  buffer_release(&client->worker->blocks, &client->out);
  client_shutdown_write(client);
  client_expect_read(client, LINGER_MS);
  client_linger(client);
}

void client_continue_closing(struct client *client) {
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

/* ---- events ---------------------------------------------------------------------------------- */

static void exchange_event(struct client *client) {
  if (!client->end_noted) client_watch_end(client);
  exchange_run(client->exchange);
}

void client_handle_event(struct client *client, uint32_t events) {
  transport_note_events(&client->transport, events);
  /* Both sides of a tunnel may have ended with bytes still to be read. */
  const uint32_t breaks = client->is_tunnel ? EPOLLERR : EPOLLERR | EPOLLHUP;
  bool broken = (events & breaks) != 0;
  switch (client->state) {
    case CLIENT_READING:
      /* A reset is told of once: a request that came with it would be an exchange of nobody. */
      if (broken || (buffer_size(&client->out) > 0 && client_send(client) == STREAM_WRITE_FAILED)) {
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
      if (events & EPOLLERR) /* a read behind the peer's end would not tell */
        client_dispose(client);
      else
        client_linger(client);
      return;
    case CLIENT_CLOSED:
      return;
  }
}

void client_drain(struct client *client) {
  bool is_idle = client->state == CLIENT_READING && !client->head_begun;
  if (is_idle && buffer_size(&client->out) == 0) client_expect_read(client, DRAIN_IDLE_MS);
}
