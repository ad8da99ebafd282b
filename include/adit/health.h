/*
 * health: asks endpoints over HTTP whether they are well; once for the whole process.
 *
 * One thread with libcurl's multi interface checks every endpoint that somebody holds a reference
 * to, each in its interval, a bounded number at once. Workers take the table's mutex only to take
 * and to drop references; on the way of a request they ask health_share(), which costs one relaxed
 * load. Whoever asks for the same checks of the same endpoint gets the same entry, so that a reload
 * keeps what is known; one that asks for other checks begins with what the old ones have found.
 *
 *   health thread ──► health_endpoint (state) ◄── members of pools
 */
#ifndef ADIT_HEALTH_H
#define ADIT_HEALTH_H

#include "adit/http.h"

enum {
  HEALTH_STATUSES_MAX = 16,
  HEALTH_BODY_BYTES_MAX = 16 << 10, /* of an answer's body are looked at */
  HEALTH_HEAD_BYTES_MAX = 32 << 10, /* of an answer's heads are read */
  HEALTH_TEXT_MAX = 256,            /* bytes of a spec's path, host and body */
  HEALTH_CHECKS_AT_ONCE = 128
};

/* How an upstream's endpoints are checked. Texts hold no control bytes. */
struct health_spec {
  struct str path; /* begins with "/"; with a query if need be; visible ASCII; sent as it is */
  struct str host; /* the Host field; n == 0: the endpoint's text, of a Unix socket "localhost" */
  struct str body; /* what the body's first bytes must contain; n == 0: anything */
  struct http_statuses statuses[HEALTH_STATUSES_MAX];
  size_t status_count;
  int64_t interval_ms; /* from the beginning of a check to that of the next, a tenth more or less */
  int64_t timeout_ms;  /* of a whole check; at most the interval */
  unsigned healthy, unhealthy; /* how many in a row change the state; from 1 on */
  int64_t slow_start_ms;       /* how long the share of one that is back grows; 0: not at all */
};

struct health;
struct health_endpoint;

/* The table; its thread begins with the first reference. NULL: memory. */
struct health *health_new(void);
/* Ends the thread, also in the middle of checks. All references must have been dropped. */
void health_free(struct health **health);

/*
 * The entry of an endpoint ("127.0.0.1:9001", "[::1]:80", "unix:/run/shop.sock") of a named
 * upstream. It is healthy until checks have proved otherwise; the first is made at once, within a
 * second and no later than its interval. Everything is copied. NULL: memory, or no thread.
 * Thread-safe, as is the release.
 */
struct health_endpoint *health_ref(struct health *health, const struct health_spec *spec,
                                   struct str upstream, struct str endpoint);
void health_unref(struct health *health, struct health_endpoint **endpoint);

/* HEALTH_SHARE_WHOLE and the least that one which is back gets. */
enum { HEALTH_SHARE_WHOLE = 100, HEALTH_SHARE_FIRST = 10 };
/* The share of its weight, in percent, that an endpoint is to get: 0 while it is unhealthy, growing
 * while it starts slowly, else the whole. `now_ms` is of the monotonic clock; if it lies before the
 * last change, the answer is that of then, so that who asks twice with one time hears the same. */
unsigned health_share(const struct health_endpoint *endpoint, int64_t now_ms);

struct health_counts {
  uint64_t health_checks;    /* that have ended, but for shortages */
  uint64_t health_failures;  /* of them */
  uint64_t health_shortages; /* not made: no memory, descriptors or ports; they change nothing */
  uint64_t health_unhealthy; /* times that an endpoint became unhealthy */
  uint64_t health_recovered; /* times that one became healthy again */
};
struct health_counts health_counts(struct health *health);

#endif
