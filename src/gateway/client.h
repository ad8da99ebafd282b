/*
 * client: one connection of a client, HTTP/1.1: the codec on the client's side.
 *
 *   READING ──head──► EXCHANGE ──end──► READING | CLOSING ──sent──► LINGERING ──► closed
 */
#ifndef ADIT_GATEWAY_CLIENT_H
#define ADIT_GATEWAY_CLIENT_H

#include "adit/transport.h"
#include "exchange.h"
#include "h1_body.h"
#include "outflow.h"
#include "worker.h"

enum client_state {
  CLIENT_READING,   /* between requests, or in the middle of a head */
  CLIENT_EXCHANGE,  /* an exchange is running */
  CLIENT_CLOSING,   /* the last response is being sent */
  CLIENT_LINGERING, /* our side is shut; what still comes is read and thrown away (RFC 9112 9.6) */
  CLIENT_CLOSED     /* waits to be freed at the end of the turn */
};

struct client {
  struct watch watch;
  struct client_stream stream;
  struct transport transport;
  struct worker *worker;
  struct client *previous, *next; /* of the worker's clients */
  struct client *next_runnable;
  struct client *next_closed;
  bool is_runnable;
  bool counted; /* among the connections of its address */
  enum client_state state;
  struct timer timer;
  /* Deadlines, 0: none. The timer is set to the first of them, and of that of `outflow`. */
  int64_t read_deadline_ms;  /* head, idle time, or body: by state */
  int64_t ended_deadline_ms; /* the peer has ended its side: has it gone? */

  struct buffer in, out;
  struct http_head_scan scan;
  bool head_begun;       /* READING: bytes of a head have come, the deadline is the head's */
  int64_t head_began_us; /* ... when the first of them did */
  size_t head_end;       /* EXCHANGE: the head's views stand before it in `in` */
  struct exchange *exchange;
  struct h1_body body;
  uint64_t body_length;
  bool body_is_slow;
  /* How fast bytes move while the client is waited for (limits.body_rate): once enough of them
   * have, the time that was waited is forgiven. */
  uint64_t received_bytes; /* of the body */
  int64_t waited_ms;       /* for them */
  int64_t waits_since_ms;  /* 0: the client is not waited for */
  struct outflow outflow;  /* the other way */
  bool end_noted;          /* the peer has ended its side, when it had taken: */
  uint64_t taken_at_end_bytes;
  bool awaits_continue; /* the client sends nothing before an interim or final response */

  /* Of the request that is being answered. */
  int version_minor;
  bool keep_alive;
  bool chunked_out;
  bool close_delimited; /* the response's end is the connection's end */
  bool is_tunnel;       /* the protocol has changed */
  size_t lingered_bytes;
};

/* A connection that was accepted; takes the descriptor over. `counted`: worker->peers has it, and
 * is told when it ends. False: memory, it was closed. */
bool client_open(struct worker *worker, int fd, const struct ip_address *peer, bool counted);
void client_handle_event(struct client *client, uint32_t events);
/* Goes on with what is buffered: further requests of a pipeline, or an exchange that gave way. */
void client_run(struct client *client);
/* The worker drains: an idle one is closed soon, others after their response. */
void client_drain(struct client *client);
/* How long it has been without a request; -1: it has one, or the beginning of one, or is not done
 * with its last. */
int64_t client_idle_ms(const struct client *client);
/* Closes it at once, whatever it is doing. */
void client_close_now(struct client *client);
/* Frees a CLIENT_CLOSED one. */
void client_free(struct client *client);

#endif
