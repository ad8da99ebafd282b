/*
 * What the parts of src/lookup share: a question under way, and the loop that carries it.
 *
 *   lookup.c  cache, one question a key, concurrency, breaker
 *   loop.c    libcurl: sockets, clock, the bytes of an answer
 */
#ifndef ADIT_LOOKUP_PRIVATE_H
#define ADIT_LOOKUP_PRIVATE_H

#include "adit/lookup.h"

/* Why there is no value. The texts are in lookup.c. */
enum lookup_why {
  WHY_NONE,
  WHY_UNKNOWN,
  WHY_TIMEOUT,
  WHY_UNREACHED,
  WHY_STATUS,
  WHY_REDIRECT,
  WHY_LARGE,
  WHY_GARBAGE,
  WHY_MEMORY,
  WHY_BUSY,
  WHY_BROKEN,
  WHY_NO_WAIT,
  WHY_NO_FIELD,
  WHY_FIELD_REFUSED,
  WHY_KEY_EMPTY,
  WHY_KEY_LONG,
  WHY_KEY_CONTROL,
  WHY_KEY_DOTS,
  WHY_KEY_COLON,
  WHYS
};

struct flight {
  struct lookup *lookup;
  struct flight *previous, *next; /* those under way; `next` also of the spare ones */
  uint64_t hash;
  char *url;
  size_t url_n;
  struct lookup_waiter waiters; /* head of a ring */
  bool is_probe;                /* the one question that finds out whether a directory is back */
  uint64_t connection;          /* redis: what carries it, and until when */
  int64_t deadline_ms;
  void *easy; /* libcurl's handle, kept for the next question */
  char *body;
  size_t body_n, body_capacity;
  bool too_large, no_memory;
};

struct redis_link;

/* In an epoll event's data, beside the descriptor: it is no socket of libcurl's. */
#define LOOP_REDIS (1ULL << 32)

struct lookup_loop {
  int epoll;
  void *multi;
  int64_t due_ms; /* when libcurl wants to be called; -1: not */
  int64_t now_ms; /* of the run */
  struct redis_link *links;
  void (*count)(void *context, enum lookup_event event);
  void *context;
};

const struct lookup_spec *lookup_spec_of(const struct lookup *lookup);
const struct lookup_template *lookup_template_of(const struct lookup *lookup);
/* The one that was sent first; NULL: none is under way. */
struct flight *lookup_first_flight(const struct lookup *lookup);
/* A question has ended, with an answer (which is taken over) if `why` is WHY_NONE. */
void lookup_take(struct lookup *lookup, struct flight *flight, enum lookup_why why,
                 struct lookup_answer *answer, int64_t now_ms);

/* ---- redis.c --------------------------------------------------------------------------------- */

/* NULL: memory. */
struct redis_link *redis_link_new(struct lookup_loop *loop, struct lookup *lookup);
void redis_link_free(struct redis_link *link);
/* Sends HMGET of the flight's key. False: memory, or no connection can be begun. */
bool redis_start(struct redis_link *link, struct flight *flight);
/* News of a socket; when the first question will be late (-1: never); those that are. */
void redis_move(struct lookup_loop *loop, int fd, uint32_t events);
int64_t redis_due_ms(const struct lookup_loop *loop);
void redis_expire(struct lookup_loop *loop, int64_t now_ms);
/* An answer of one text a field; p == NULL: it has none. NULL: memory. */
struct lookup_answer *lookup_answer_of(const struct str *texts, size_t n);

/* ---- loop.c ---------------------------------------------------------------------------------- */

/* Sends the flight's URL. False: memory. */
bool flight_start(struct lookup_loop *loop, struct flight *flight);
/* Stops it if it is under way, and frees it. */
void flight_free(struct lookup_loop *loop, struct flight *flight);

#endif
