/*
 * exchange: one request's life, from its parsed head to the last byte of its response.
 *
 *     ┌─► LOOKUP
 *     ▼   │
 *   DECIDE ──► PICK ──► CONNECT ──► REQUEST ──┬─► RESPONSE ──┬─► OVER
 *              ▲ ▲ │       │           │        └─► TUNNEL ────┘
 *         QUEUE◄─│─┘       │           │
 *                └─────────┴───────────┘
 *          next endpoint, stable, or once more
 *
 * From each state an answer of our own leads to OVER; once a response has begun, a cut does.
 *
 * docs/architecture.md draws the same machine. exchange.c holds the table of steps; each step
 * either moves to another state, waits for news of a stream, or ends the exchange.
 */
#ifndef ADIT_GATEWAY_EXCHANGE_H
#define ADIT_GATEWAY_EXCHANGE_H

#include "buffer.h"
#include "mirror.h"
#include "stream.h"
#include "trace_context.h"
#include "worker.h"

struct access_request;

enum exchange_state {
  EXCHANGE_DECIDE,   /* route, rules, limits: where it goes, or an answer of our own */
  EXCHANGE_LOOKUP,   /* a directory is asked for what a rule needs */
  EXCHANGE_PICK,     /* the next endpoint: an idle connection or a new one; a directory may be asked
                        for what the upstream balances by */
  EXCHANGE_QUEUE,    /* the upstream is at its limits: a place is waited for */
  EXCHANGE_CONNECT,  /* a connect is under way */
  EXCHANGE_REQUEST,  /* head and body go to the origin; its head is awaited */
  EXCHANGE_RESPONSE, /* the response goes to the client; the rest of the request to the origin */
  EXCHANGE_TUNNEL,   /* behind a 101: bytes go both ways */
  EXCHANGE_OVER
};

enum {
  INTERIM_MAX = 16,
  SET_COOKIE_MAX = 1024,
  RUNS_A_TURN_MAX = 64 /* of one body, in one direction: a fast pair must not hold up the others */
};

/* What was read of a request's body, as long as it may have to be sent once more. */
struct kept_body {
  struct buffer bytes;
  size_t sent; /* of them, to the present endpoint */
  bool lost;   /* some of the body was not kept */
};

struct exchange {
  struct worker *worker;
  struct worker_policy *policy;
  struct client_stream *client;
  struct origin_stream *origin; /* NULL: none */
  struct target *target;        /* that `origin` goes to, and holds the reference of */
  enum exchange_state state;
  struct counters *counters;
  struct mirror *mirror; /* NULL: no copy of this request is made, and it is none */
  bool is_mirror;        /* it is the copy: nobody waits for the answer, and nobody may suffer */
  bool is_beside;        /* ... for an upstream with limits, in which it does not count */

  int64_t began_us; /* by the clock of the worker's turns */
  int status;       /* of the answer, once its head was given to the client's codec; 0 before */

  /* What the access log says beside; mostly kept up whether there is one or not. */
  int64_t first_byte_us;   /* from the beginning to the answer's head; -1: none yet */
  int64_t connect_us;      /* how long the last connect took; -1: none was needed, or it failed */
  int64_t connect_from_us; /* when it began */
  uint64_t sent_bytes;     /* of the answer's body, given to the client's codec */
  unsigned resent;         /* how often the request was sent once more */
  struct target *tried; /* the last that was to be asked, with a reference; NULL: none, or no log */
  struct str error;     /* what an answer of our own says; holds until it was sent */
  bool told;            /* its line is made */
  bool recorded;        /* what stands behind the exchange, for its line, is of its decision */
  struct access_request *noted; /* of a tunnel, as the views of `request` do not hold any more */

  /* The decision, and what it says of both heads. */
  bool decided;
  struct decision decision;
  struct ip_address client_ip;
  bool trusted; /* the peer is a trusted proxy */
  bool https;
  char set_cookie[SET_COOKIE_MAX];
  char request_id[32];                 /* made with the first head that is sent */
  char traceparent[TRACEPARENT_CHARS]; /* likewise, where none came; else it begins with NUL */

  /* What a rule needs to know of a directory. */
  struct lookup_waiter lookup;
  unsigned lookups; /* how often it was waited for one */

  /* The way to an endpoint. */
  struct pool *pool; /* of the variant that an endpoint is picked of; NULL before */
  struct pool_attempt attempt;
  struct upstream_series *upstream; /* of the pool; NULL before */
  struct breaker *breaker;          /* of the pool; NULL: it has no limits */
  struct breaker *place;  /* that the exchange is one of the running requests of; NULL: none */
  bool has_connection;    /* a place among its connections that origin_connect() is to take over */
  struct target *awaited; /* with a reference: it goes there when it may connect */
  int connect_error;      /* why the last connect failed; 0: none was tried */
  bool retried;           /* an idle connection was dead: once is enough */
  bool only_fresh;        /* no idle connection, therefore */
  unsigned tries;         /* how often it was sent once more, of the upstream's `retry.attempts` */
  bool has_budget;        /* ... and counts in the pool's retry budget */
  bool started_over;      /* there was no other endpoint for the last of them */

  /* Progress. */
  bool head_sent;      /* the request's head was given to the origin's codec */
  bool request_read;   /* the client's body was read to its end */
  bool request_sent;   /* ... and given to the origin's codec, end included */
  bool head_is_timed;  /* the clock is that of a head of the response that has begun */
  bool response_begun; /* a byte of the final response was given to the client's codec */
  uint64_t body_bytes; /* of the request, read from the client */
  struct kept_body kept;
  unsigned interims;
  struct str upgrade; /* the protocol that is offered to the origin, a view of `request`; or none */
  bool tunnel_ended[2]; /* by enum tunnel_side: what comes from there has all gone on */
  int64_t due_ms;       /* the response is waited for until then; 0: its clock stands still */
  struct timer timer;   /* what the present state waits for */
  bool timed_out;

  struct exchange *next_spare;
  struct http_request request;
  struct http_response response;
  struct breaker_waiter
      waiter; /* in EXCHANGE_QUEUE; else only its `breaker` counts, which is NULL */
};

/* From the worker's spares. NULL: memory. Only `request` may be used until exchange_start. */
struct exchange *exchange_acquire(struct worker *worker);
void exchange_release(struct worker *worker, struct exchange *exchange);

/* Begins: `exchange->request` is parsed and its views hold until the stream's end() or cut(). Then
 * runs it; it may be over on return. */
void exchange_start(struct exchange *exchange, struct worker *worker, struct client_stream *client);
/* Begins a copy of the request of `original`, decided as that was, for `mirror->to`; it runs when
 * exchange_run() is called. `copy->request` is made already. */
void exchange_begin_copy(struct exchange *copy, const struct exchange *original,
                         struct mirror *mirror);
/* Something has changed on one of its streams: goes as far as it can. */
void exchange_run(struct exchange *exchange);
/* Runs the worker's exchanges that were granted what they waited for in EXCHANGE_QUEUE, and closes
 * idle connections whose places other workers wait for. */
void exchange_queue_run(struct worker *worker);
static inline void exchange_queue_turn(struct worker *worker) {
  if (breaker_party_has_news(&worker->party)) exchange_queue_run(worker);
}

/* A head that became no exchange: it could not be read, or did not come whole. */
struct refused_head {
  const struct ip_address *peer;
  int64_t began_us;  /* its first byte, by the clock of the worker's turns */
  int status;        /* of its answer; 0: there was no memory for one */
  size_t sent_bytes; /* of the answer's body */
  struct str why;
};
/* Counts it among the requests of no route, and makes its line of the access log, if there is one.
 */
void exchange_note_refused(struct worker *worker, const struct refused_head *head);
/* The client has gone: nothing more is written to it, the origin's connection is closed. The stream
 * is not called again. */
void exchange_abandon(struct exchange *exchange);

#endif
