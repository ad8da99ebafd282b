/*
 * worker: one thread, one loop, and all that it owns.
 *
 * Everything here belongs to the worker's thread, but for the mailbox. The loop (worker.c) is: wait
 * for events; note those of idle origins; dispatch, the mailbox too; run clients that can go on;
 * fire timers; free what was closed.
 */
#ifndef ADIT_GATEWAY_WORKER_H
#define ADIT_GATEWAY_WORKER_H

#include <pthread.h>
#include <semaphore.h>
#include <stdatomic.h>
#include <sys/queue.h>

#include "adit/breaker.h"
#include "adit/policy.h"
#include "adit/upstream.h"
#include "buffer.h"
#include "counters.h"
#include "series.h"
#include "stream.h"
#include "timer.h"

struct access_lane;
struct access_log;
struct access_plan;
struct client;
struct exchange;
struct listening;
struct mirror;
struct origin;
struct peers;

/* What epoll's data points at. */
enum watch_kind { WATCH_MAILBOX, WATCH_LISTENER, WATCH_CLIENT, WATCH_ORIGIN, WATCH_LOOKUPS };
struct watch {
  enum watch_kind kind;
};

struct listener {
  struct watch watch;
  struct worker *worker;
  int fd;
  bool shared; /* other workers take from the same queue */
  bool copy;   /* of another worker's descriptor */
};

/* The worker's view of one policy. Exchanges that began under it hold a reference. */
struct worker_policy {
  struct policy *policy;
  struct decider *decider;
  struct pool **pools; /* as config->upstreams */
  size_t pool_count;
  struct breaker **breakers; /* as config->upstreams; NULL: it has no limits */
  struct lookup **lookups;   /* as config->lookups */
  size_t lookup_count;
  struct jwt_verifier *tokens;        /* NULL: adit.json has no tokens */
  struct keyset *keyset;              /* NULL: their keys are not fetched */
  unsigned keyset_version;            /* of the keys that `tokens` has */
  struct route_series *series;        /* by policy_route_number() */
  struct upstream_series **upstreams; /* as config->upstreams */
  const struct access_plan *access;   /* NULL: no access log */
  struct arena *arena;                /* of these three */
  struct worker *worker;
  unsigned refs;
};

/* Questions to directories; made with the first policy that has any. */
struct worker_lookups {
  struct watch watch;
  struct lookup_loop *loop; /* NULL: none was needed yet */
  struct timer timer;
  struct lookup_waiter
      *waiter; /* who waits if a decision that is being made must; NULL: nobody can */
};

/* Copies of requests (mirror.h). */
struct worker_mirrors {
  LIST_HEAD(, mirror) all;                /* that hold memory */
  TAILQ_HEAD(mirror_queue, mirror) ready; /* that can go on, when everybody else has */
  size_t count;
  size_t body_bytes;         /* of all their bodies */
  struct counters uncounted; /* where their exchanges count what is counted of requests of users */
  struct upstream_counts uncounted_upstream;
};

/* How far a stop has come. Only ever grows. */
enum stop_stage {
  STOP_NONE,
  STOP_DRAIN, /* no new connections; connections end after their response */
  STOP_NOW
};

/* What a worker is asked to do between two events of its loop. */
struct worker_call {
  void (*run)(struct worker *worker, void *context);
  void *context;
  sem_t done; /* posted when it was run */
};

/* What other threads tell a worker. */
struct mailbox {
  struct watch watch;
  int fd;                          /* eventfd */
  _Atomic(struct policy *) policy; /* a reference, taken by exchange with NULL */
  _Atomic int stop;
  _Atomic(struct worker_call *) call; /* taken by exchange with NULL */
  sem_t *taken;                       /* posted when a policy was taken over; NULL: nobody waits */
};

/* What the workers of a process have in common; each has a thread of its own, and a lock. */
struct worker_shared {
  struct resolver *resolver;
  struct health *health;
  struct breakers *breakers;
  struct keysets *keysets;
  struct access_log *access_log; /* NULL: none is written */
};

struct worker {
  unsigned number;
  pthread_t thread;
  int epoll;
  struct mailbox mailbox;
  struct listener *listeners;
  size_t listener_count;
  bool accepting;
  struct timer accept_again; /* after it ran out of descriptors, memory or places */
  struct peers *peers;       /* connections of each address */

  uint64_t turn;       /* of the loop, counted from 1 */
  unsigned dispatched; /* events and clients of this turn that had their go */
  int64_t now_ms;      /* monotonic, of this turn of the loop */
  int64_t now_us;      /* the same */
  int64_t now_wall_ms; /* wall clock */
  int64_t date_second;
  char date[HTTP_DATE_BYTES]; /* of date_second */
  size_t date_n;

  struct timer_wheel timers;
  struct block_pool blocks;
  struct worker_policy *policy;
  struct worker_shared shared;
  struct target_table *targets;

  struct worker_lookups lookups;
  struct worker_mirrors mirrors;
  struct breaker_party party; /* its exchanges that wait for places */

  struct client *clients; /* all, linked */
  size_t client_count;
  size_t client_max;             /* that there are descriptors for */
  struct client *shed_hand;      /* where the search for an idle one goes on; NULL: at the start */
  struct origin *idle_origins;   /* all that no exchange uses */
  struct client *runnable;       /* those that have more to do than one event */
  struct client *closed_clients; /* freed at the end of the turn */
  struct origin *closed_origins;
  struct exchange *spare_exchanges;
  size_t spare_exchange_count;

  size_t kept_body_bytes; /* of all exchanges (exchange_upload.c) */

  char *scratch; /* for what lives no longer than one call: host, path, field values */
  size_t scratch_bytes;
  struct response_out *response_out; /* where heads are built */
  struct request_out *request_out;
  struct field_list *trailers_out;
  uint64_t random_state[4];
  int64_t log_second; /* how many lines about clients were logged in which second */
  unsigned log_lines;

  enum stop_stage stop;
  struct timer stop_timer;
  struct counters counters;
  _Atomic uint64_t parse_errors[GATEWAY_PARSE_ERRORS];
  struct series_histogram lag; /* in ns */
  unsigned time_in;            /* so many decisions from now one is timed; 0: the next */
  struct series_table series;
  struct access_lane *access;    /* NULL: no access log */
  _Atomic uint64_t open_clients; /* client_count after the last turn, for other threads */
};

/* Prepares a worker (not its thread); takes the descriptors over, copies `shared`. False: logged.
 */
bool worker_init(struct worker *worker, unsigned number, struct policy *policy,
                 const struct worker_shared *shared, struct listening *listening,
                 size_t listener_count, size_t client_max);
void worker_deinit(struct worker *worker);
bool worker_start(struct worker *worker);
/* From another thread: a policy to take over (one reference is given away), a stage of stopping. */
void worker_send_policy(struct worker *worker, struct policy *policy);
void worker_send_stop(struct worker *worker, enum stop_stage stage);
/* From one other thread: has the worker run `call`, whose `done` is not posted yet, and waits for
 * it until `until` of CLOCK_REALTIME, or longer where the worker has begun with it. False: it was
 * not run and will not be. worker_ask() only asks; each must be followed by worker_await(). */
void worker_ask(struct worker *worker, struct worker_call *call);
bool worker_await(struct worker *worker, struct worker_call *call, const struct timespec *until);

/* For the parts of a worker. */
bool worker_watch(struct worker *worker, int fd, struct watch *watch);
void worker_policy_unref(struct worker *worker, struct worker_policy **policy);
/* IMF-fixdate of now. */
struct str worker_date(struct worker *worker);
uint64_t worker_random(struct worker *worker);
/* A line about what a peer did; at most ten a second, so that no peer can fill the disk. */
void worker_log_peer(struct worker *worker, const char *format, ...)
    __attribute__((format(printf, 2, 3)));

#endif
