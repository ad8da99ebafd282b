/*
 * exchange_tunnel: what follows a 101. Bytes go both ways as they come, each way no faster than it
 * is taken, and each ends by itself: an end that is read is passed on once all before it was sent.
 */
#include "exchange_steps.h"

enum flow {
  FLOW_WAITS,
  FLOW_YIELDS, /* there is more, but others go first */
  FLOW_ENDS,
  FLOW_FAILS
};

/* ---- either side ----------------------------------------------------------------------------- */

static enum stream_read read_from(struct exchange *exchange, enum tunnel_side side,
                                  struct str *ret_data) {
  struct client_stream *client = exchange->client;
  struct origin_stream *origin = exchange->origin;
  return side == TUNNEL_CLIENT ? client->operations->read_body(client, ret_data)
                               : origin->operations->read_body(origin, ret_data);
}

static void consume_from(struct exchange *exchange, enum tunnel_side side, size_t n) {
  if (side == TUNNEL_CLIENT)
    exchange->client->operations->consume_body(exchange->client, n);
  else
    exchange->origin->operations->consume_body(exchange->origin, n);
}

static size_t write_to(struct exchange *exchange, enum tunnel_side side, struct str data) {
  return side == TUNNEL_CLIENT ? exchange->client->operations->write_body(exchange->client, data)
                               : exchange->origin->operations->write_body(exchange->origin, data);
}

static enum stream_write flush_to(struct exchange *exchange, enum tunnel_side side) {
  return side == TUNNEL_CLIENT ? exchange->client->operations->flush(exchange->client)
                               : exchange->origin->operations->flush(exchange->origin);
}

static bool end_writing_to(struct exchange *exchange, enum tunnel_side side) {
  return side == TUNNEL_CLIENT ? exchange->client->operations->end_writing(exchange->client)
                               : exchange->origin->operations->end_writing(exchange->origin);
}

/* ---- one way --------------------------------------------------------------------------------- */

/* Nothing more comes for now, or (`ended`) for ever: sends what is there. */
static enum flow settle(struct exchange *exchange, enum tunnel_side to, bool ended) {
  switch (flush_to(exchange, to)) {
    case STREAM_WRITE_DONE:
      return ended && end_writing_to(exchange, to) ? FLOW_ENDS : FLOW_WAITS;
    case STREAM_WRITE_WAIT:
      return FLOW_WAITS;
    case STREAM_WRITE_FAILED:
      return FLOW_FAILS;
  }
  return FLOW_FAILS;
}

/* Moves what comes from one side to the other, as far as both go; notes in *moved that some did. */
static enum flow pump(struct exchange *exchange, enum tunnel_side from, bool *moved) {
  const enum tunnel_side to = from == TUNNEL_CLIENT ? TUNNEL_ORIGIN : TUNNEL_CLIENT;
  bool is_empty = false; /* nothing is left to be sent */
  for (unsigned runs = 0; runs < RUNS_A_TURN_MAX; runs++) {
    struct str data;
    switch (read_from(exchange, from, &data)) {
      case STREAM_READ_DATA:
        break;
      case STREAM_READ_WAIT:
        return settle(exchange, to, false);
      case STREAM_READ_END:
        return settle(exchange, to, true);
      case STREAM_READ_BAD:
      case STREAM_READ_LONG_EXTENSIONS:
      case STREAM_READ_LONG_TRAILERS:
      case STREAM_READ_SLOW:
      case STREAM_READ_FAILED:
        return FLOW_FAILS;
    }
    const size_t taken = write_to(exchange, to, data);
    consume_from(exchange, from, taken);
    if (from == TUNNEL_CLIENT)
      exchange->body_bytes += taken;
    else
      exchange->sent_bytes += taken;
    if (taken > 0) *moved = true;
    /* Where all was sent before and yet there is no room, there is no memory. */
    if (taken == 0 && is_empty) return FLOW_FAILS;
    is_empty = false;
    if (taken == data.n) continue;
    switch (flush_to(exchange, to)) {
      case STREAM_WRITE_DONE:
        is_empty = true;
        break;
      case STREAM_WRITE_WAIT:
        return FLOW_WAITS;
      case STREAM_WRITE_FAILED:
        return FLOW_FAILS;
    }
  }
  return FLOW_YIELDS;
}

/* ---- both ways ------------------------------------------------------------------------------- */

static enum step tunnel_is_over(struct exchange *exchange) {
  struct client_stream *client = exchange->client;
  exchange->state = EXCHANGE_OVER;
  COUNT(exchange_counters(exchange), responses);
  exchange_log(exchange, ACCESS_COMPLETE);
  exchange->worker->trailers_out->n = 0;
  client->operations->end(client, exchange->worker->trailers_out);
  return STEP_NEXT;
}

/* A tunnel of which one way has ended is on its way out, and has no longer than a body. */
static int64_t idle_timeout_ms(const struct exchange *exchange) {
  const struct config_timeouts *timeouts = &exchange_config(exchange)->timeouts;
  const bool half = exchange->tunnel_ended[TUNNEL_CLIENT] || exchange->tunnel_ended[TUNNEL_ORIGIN];
  return half ? timeouts->body_ms : timeouts->tunnel_ms;
}

enum step exchange_step_tunnel(struct exchange *exchange) {
  if (exchange->timed_out) return tunnel_is_over(exchange);
  if (exchange->origin->slow) return exchange_answer(exchange, 502, STR("")); /* cuts it */
  bool moved = false;
  for (enum tunnel_side from = TUNNEL_CLIENT; from <= TUNNEL_ORIGIN; from++) {
    if (exchange->tunnel_ended[from]) continue;
    switch (pump(exchange, from, &moved)) {
      case FLOW_WAITS:
        break;
      case FLOW_YIELDS:
        exchange->client->operations->run_again(exchange->client);
        break;
      case FLOW_ENDS:
        exchange->tunnel_ended[from] = moved = true;
        break;
      case FLOW_FAILS:
        return exchange_answer(exchange, 502, STR("")); /* cuts what has begun */
    }
  }
  if (exchange->tunnel_ended[TUNNEL_CLIENT] && exchange->tunnel_ended[TUNNEL_ORIGIN])
    return tunnel_is_over(exchange);
  if (moved || !exchange->timer.next) exchange_wait_at_most(exchange, idle_timeout_ms(exchange));
  return STEP_WAIT;
}
