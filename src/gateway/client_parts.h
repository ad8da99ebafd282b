/*
 * client_parts: what the parts of a client's connection share. Private to client*.c.
 *
 *   client.c         life, deadlines, bytes, closing, events
 *   client_head.c    heads in, one at a time; those that are refused are answered here
 *   client_stream.c  what the exchange calls (stream.h)
 */
#ifndef ADIT_GATEWAY_CLIENT_PARTS_H
#define ADIT_GATEWAY_CLIENT_PARTS_H

#include "client.h"
#include "h1_write.h"

enum {
  HALF_CLOSED_MS = 1000, /* for a client that ended its side to show that it is there */
  DRAIN_IDLE_MS = 1000   /* an idle connection may be about to send */
};

static inline const struct config *client_config(const struct client *client) {
  return policy_config(client->worker->policy->policy);
}

extern const struct client_stream_operations client_operations;

/* From now on nothing refers to it but the list of what is to be freed. */
void client_dispose(struct client *client);
/* It will be run once more this turn, or the next. */
void client_make_runnable(struct client *client);

/* Sets the timer to the first of the deadlines. */
void client_arm(struct client *client);
void client_expect_read(struct client *client, int64_t within_ms);
/* Nothing of a request is there: one may come within timeouts.idle. */
void client_expect_head(struct client *client);
/* The exchange runs: if the peer has ended its side, finds out whether it has gone. */
void client_watch_end(struct client *client);
/* The clock of a body runs while the client is waited for. */
void client_await_body(struct client *client);
void client_await_no_body(struct client *client);

enum fill { FILL_OK, FILL_WAIT, FILL_END, FILL_FAILED };
/* Reads into `in`, without moving the first `base` bytes. */
enum fill client_fill(struct client *client, size_t base);
/* Sends what waits in `out`, as far as it goes. */
enum stream_write client_send(struct client *client);
/* Ends our side; all is sent. */
void client_shutdown_write(struct client *client);
/* Sends the rest, then ends our side and lingers. */
void client_continue_closing(struct client *client);

/* Into `out`. False: memory. */
bool client_append_response(struct client *client, const struct response_out *head,
                            const struct h1_framing *framing);
bool client_append_bytes(struct client *client, struct str data);
/* At the first byte of a request's body. */
void client_begin_body(struct client *client, enum http_body_kind kind, uint64_t length);
/* LINGERING: reads on, and throws away. */
void client_linger(struct client *client);
/* Answers a head that cannot be an exchange, and ends the connection. */
void client_refuse(struct client *client, int status, const char *why);

#endif
