/*
 * What the parts of src/health share.
 *
 *   health.c    the table, the thread, what states are
 *   check.c     one check: what is asked, and what is made of the answer
 *   schedule.c  which endpoint is due next
 */
#ifndef ADIT_HEALTH_PRIVATE_H
#define ADIT_HEALTH_PRIVATE_H

#include <stdatomic.h>

#include "adit/health.h"

struct health_endpoint {
  /* Since when it is healthy again (monotonic ms), or, negative, since when it is unhealthy; 0: it
   * has never been anything but healthy. Written by the thread, read by all. */
  _Atomic int64_t state;
  struct health_spec spec; /* its texts are in `texts`, each with a NUL behind it */
  struct str upstream, endpoint;
  struct health_endpoint *bucket_next;
  unsigned refs;
  unsigned in_a_row; /* checks that speak against the state */
  bool is_busy;      /* being checked: the thread frees it when refs is 0 */
  int64_t due_ms;
  size_t place; /* in the schedule; SCHEDULE_NONE: not there */
  char texts[];
};

/* ---- schedule.c ------------------------------------------------------------------------------ */

#define SCHEDULE_NONE SIZE_MAX

/* A binary heap by `due_ms`. Has room for whatever has been reserved. */
struct schedule {
  struct health_endpoint **items;
  size_t n, capacity;
};

/* Room for `n` in all. False: memory. */
bool schedule_reserve(struct schedule *schedule, size_t n);
void schedule_add(struct schedule *schedule, struct health_endpoint *endpoint);
/* What is not there is passed over. */
void schedule_remove(struct schedule *schedule, struct health_endpoint *endpoint);
/* The one that is due first; NULL: none. */
struct health_endpoint *schedule_first(const struct schedule *schedule);

/* ---- check.c --------------------------------------------------------------------------------- */

enum verdict {
  VERDICT_GOOD,
  VERDICT_BAD,
  VERDICT_NONE /* a shortage of our own */
};

struct check {
  struct health_endpoint *endpoint; /* NULL: spare */
  struct check *next_spare;
  void *easy;   /* libcurl's handle, kept for the next check */
  void *fields; /* of the request */
  int socket_error;
  size_t head_n, body_n;
  bool head_done; /* of the final answer */
  bool is_over;   /* nothing more of the answer is needed */
  bool has_text;  /* the body's, which is looked for */
  char why[160];  /* of VERDICT_BAD, for people */
  char body[HEALTH_BODY_BYTES_MAX];
};

/* NULL: memory. */
struct check *check_new(void);
void check_free(struct check *check);
/* Begins to check the endpoint. False: a shortage; nothing runs. */
bool check_begin(struct check *check, void *multi, struct health_endpoint *endpoint);
/* libcurl is done with it, with this CURLcode. */
enum verdict check_end(struct check *check, void *multi, int code);

#endif
