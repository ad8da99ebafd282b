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
  void *easy;                   /* libcurl's handle, kept for the next question */
  char *body;
  size_t body_n, body_capacity;
  bool too_large, no_memory;
};

struct lookup_loop {
  int epoll;
  void *multi;
  int64_t due_ms; /* when libcurl wants to be called; -1: not */
  void (*count)(void *context, enum lookup_event event);
  void *context;
};

const struct lookup_spec *lookup_spec_of(const struct lookup *lookup);
/* A question has ended: `why` is WHY_NONE when there is a whole answer of a 2xx in its body. */
void lookup_take(struct lookup *lookup, struct flight *flight, enum lookup_why why, int64_t now_ms);

/* Sends the flight's URL. False: memory. */
bool flight_start(struct lookup_loop *loop, struct flight *flight);
/* Stops it if it is under way, and frees it. */
void flight_free(struct lookup_loop *loop, struct flight *flight);

#endif
