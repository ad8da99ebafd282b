/*
 * origin: one connection to an endpoint, HTTP/1.1: the codec on the origin's side.
 *
 *   CONNECTING ──► ACTIVE ──clean──► IDLE ──► ACTIVE …
 *                    └──────────────── or closed
 *
 * An idle one stays watched: a byte or an end on it closes it, so that nothing which an origin says
 * unasked is ever taken for an answer.
 */
#ifndef ADIT_GATEWAY_ORIGIN_H
#define ADIT_GATEWAY_ORIGIN_H

#include "adit/transport.h"
#include "exchange.h"
#include "h1_body.h"
#include "outflow.h"
#include "worker.h"

enum origin_state { ORIGIN_CONNECTING, ORIGIN_ACTIVE, ORIGIN_IDLE, ORIGIN_CLOSED };

struct origin {
  struct watch watch;
  struct origin_stream stream;
  struct transport transport;
  struct worker *worker;
  struct target *target;     /* with a reference */
  struct exchange *exchange; /* NULL when idle */
  struct breaker *breaker;   /* with a reference: it has a place among its connections; or NULL */
  enum origin_state state;
  struct idle_link idle;
  struct timer timer;             /* of an idle one, and of a tunnel's outflow */
  uint64_t idle_since;            /* the worker's turn */
  struct origin *previous, *next; /* of the worker's idle ones */
  struct origin *next_closed;

  struct buffer in, out;
  struct outflow outflow; /* of a tunnel */
  struct http_head_scan scan;
  enum http_method method; /* of the request, which the response's framing depends on */
  bool asked;              /* a byte of the request has gone */
  bool chunked_out;
  bool keep_alive; /* what the final response's head said */
  bool is_tunnel;  /* the protocol has changed */
  struct h1_body body;
};

/* A new connection for an exchange; takes one reference to `target`, and over the place for a
 * connection that the exchange may have. On failure NULL, *ret_error is
 * the errno, and the reference stays with the caller. */
struct origin_stream *origin_connect(struct exchange *exchange, struct target *target,
                                     int *ret_error);
/* The idle connection to `target` that was used last and on which nothing has come since, for an
 * exchange; others are closed on the way. NULL: there is none. */
struct origin_stream *origin_reuse(struct exchange *exchange, struct target *target);
/* An idle connection has news: it is closed. Also called for all idle ones when the worker stops.
 */
void origin_close_idle(struct origin *origin);
void origin_handle_event(struct origin *origin, uint32_t events);
void origin_free(struct origin *origin);

#endif
