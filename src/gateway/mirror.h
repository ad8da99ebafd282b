/*
 * mirror: copies of requests that go to another variant, whose answers nobody sees.
 *
 *   an exchange, whose decision names a mirror         its copy
 *
 *   DECIDE    mirror_begin()       chance, method, room
 *   REQUEST   mirror_copy_body()   what goes to the origin is kept
 *             mirror_note_sent()   the request is whole ──► waits for the end of the turn
 *                                                           mirrors_run(): an exchange like any,
 *             mirror_note_head()   status and time              whose client is a sink of ours
 *   OVER      mirror_exchange_over()                        … the same two, and over
 *
 * The copy holds what it needs, so that either may be over first. Who is second settles what has
 * become of both (counters.h). A copy never makes anybody wait: where there is no room for it, or
 * the gateway stops, there is none.
 */
#ifndef ADIT_GATEWAY_MIRROR_H
#define ADIT_GATEWAY_MIRROR_H

#include <sys/queue.h>

#include "buffer.h"
#include "stream.h"
#include "timer.h"

struct exchange;
struct worker;

enum {
  MIRROR_BODIES_MAX = 16 << 20, /* bytes of bodies that a worker's copies hold together */
  MIRROR_ANSWER_MAX = 1 << 20,  /* of an answer's body no more is read, */
  MIRROR_ANSWER_MS = 10000      /* and not for longer */
};

/* What came of the request on one side. */
struct mirror_side {
  int64_t sent_us; /* when it was given to its connection; 0: not yet */
  int64_t took_us; /* from then to the head that answered it */
  int status;      /* 0: none */
};

struct mirror {
  struct client_stream stream; /* the copy's client */
  struct worker *worker;
  struct exchange *original;      /* NULL: over */
  struct exchange *copy;          /* NULL: not begun, or over */
  struct upstream_counts *counts; /* of the upstream that it was sent to; set when it is begun */
  bool sent;                      /* it was begun */
  bool is_ready;                  /* stands in worker->mirrors.ready */
  bool stopped;
  LIST_ENTRY(mirror) of_all;
  TAILQ_ENTRY(mirror) of_ready;
  struct buffer head; /* what the copy's head has views of */
  struct buffer body;
  uint64_t body_bytes, answer_bytes;
  struct timer timer; /* until the copy's answer, then until its end */
  struct mirror_side of_original, of_copy;
};

/* For exchanges; but for the first, only where exchange->mirror is there. */

/* The decision has a mirror: exchange->mirror is there afterwards if a copy may be made. */
void mirror_begin(struct exchange *exchange);
/* The body's next bytes, which the origin's codec has taken. */
void mirror_copy_body(struct exchange *exchange, struct str data);
/* The whole request was given to the origin's codec, and no head has come yet. May be said again.
 */
void mirror_note_sent(struct exchange *exchange);
/* exchange->response is the head of the final response. */
void mirror_note_head(struct exchange *exchange);
/* The exchange, of either side, is being finished. */
void mirror_exchange_over(struct exchange *exchange);

bool mirror_body_is_empty(const struct mirror *mirror);

/* For the worker. */
void mirrors_init(struct worker *worker);
/* The turn's last requests: copies that can go on. */
void mirrors_run(struct worker *worker);
/* A user's request needs a descriptor: ends a copy that has one. False: there is none. */
bool mirrors_give_up_one(struct worker *worker);
/* The worker stops: gives up those that were begun. None begins any more. */
void mirrors_stop(struct worker *worker);

#endif
