/*
 * gateway: the data plane: listeners, workers, exchanges.
 *
 * Whoever watches and steers it (the admin server) lies above this module, and is called through
 * struct gateway_admin. What it may ask stands below; it asks from a thread of its own.
 */
#ifndef ADIT_GATEWAY_H
#define ADIT_GATEWAY_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "adit/decide.h"

struct arena;
struct diags;
struct jwt_keys;
struct overrides;
struct policy;

/* A gateway that runs. */
struct gateway;

/* A server beside the data plane. Its functions are called on the main thread. */
struct gateway_admin {
  size_t descriptors; /* that it may need at once, beside its listening socket */
  /* Takes over the listening socket (non-blocking) of adit.json's "admin" and serves on it in a
   * thread of its own, which may call what stands below. The process has given its rights up
   * already; workers do not run yet. NULL: it cannot; logged, and the socket is closed. */
  void *(*start)(struct gateway *gateway, int fd);
  /* A load has ended, or the gateway drains: answers that wait for it can be given. */
  void (*notify)(void *admin);
  /* Returns when everything that was begun to be answered has been, so that what is asked from now
   * on sees the gateway's stage of now. */
  void (*settle)(void *admin);
  /* Accepts no connection any more: from now on another process does, from the same socket. Who is
   * connected already is answered. Returns when that holds. */
  void (*leave)(void *admin);
  /* Ends its thread. The workers have ended, or are about to; what it has asked of them is gone. */
  void (*stop)(void *admin);
};

struct gateway_options {
  const char *config_path;           /* adit.json */
  const struct gateway_admin *admin; /* NULL: "admin" is not served */
  /* The command (argv, ended by NULL) that SIGUSR2 starts, which runs the gateway with the same
   * options; valid until gateway_run() returns. NULL: there are no upgrades. */
  const char *const *restart;
};

/*
 * Runs the gateway until a signal ends it: loads the policy, listens, starts workers, prints the
 * ready line on stderr, reloads on SIGHUP, upgrades on SIGUSR2, drains on SIGTERM or SIGINT (a
 * second one stops at once). Returns the exit status: 0 after a clean stop, 1 when it could not
 * start (the reason is logged). Takes over the process's signals; to be called once, from the main
 * thread.
 */
int gateway_run(const struct gateway_options *options);

/* ---- for the admin server -------------------------------------------------------------------- */

enum gateway_stage {
  GATEWAY_STARTING, /* workers do not run yet */
  GATEWAY_SERVING,
  GATEWAY_UPGRADING, /* as well; but a successor starts, and may not see what is changed now */
  GATEWAY_SUCCEEDED, /* another process serves instead, and is ready; this one drains */
  GATEWAY_DRAINING   /* from the first signal to stop on, drain_delay included */
};
enum gateway_stage gateway_stage(const struct gateway *gateway);
/* Whether requests are welcome, to this process or its successor: what /readyz says. */
bool gateway_is_ready(const struct gateway *gateway);

/* The policy that counts for new requests, with a reference for the caller. */
struct policy *gateway_policy_ref(struct gateway *gateway);

/* The keys that tokens are verified with at present, fetched ones too, with a reference for the
 * caller. NULL: there are none. */
struct jwt_keys *gateway_token_keys(struct gateway *gateway);

/* What was said beside the files. */
struct overrides *gateway_overrides(struct gateway *gateway);

/* What came of reading the files. */
enum gateway_outcome {
  GATEWAY_LOADED,
  GATEWAY_LOADED_IN_PART, /* some rule files stay as they were */
  GATEWAY_REFUSED         /* everything stays as it was */
};
enum { GATEWAY_OUTCOMES = 3 };
const char *gateway_outcome_name(enum gateway_outcome outcome); /* "loaded", "in_part", "refused" */

struct gateway_load {
  enum gateway_outcome outcome;
  int64_t at_ms;       /* wall clock, of its end */
  struct diags *diags; /* what was said; never NULL, not to be changed */
};
/* The last load, the start's at first, with a reference. */
struct gateway_load *gateway_load_ref(struct gateway *gateway);
void gateway_load_unref(struct gateway_load **load);
/* How many loads have ended in each way, the start's included. */
void gateway_load_counts(struct gateway *gateway, uint64_t ret[GATEWAY_OUTCOMES]);

/* Asks for a reload, as SIGHUP does. A number for gateway_reload_is_over(): there is no need to ask
 * again while others wait for one that has not begun. */
uint64_t gateway_ask_reload(struct gateway *gateway);
/* Whether a reload that began after that was asked has ended, or none will come since it drains. */
bool gateway_reload_is_over(struct gateway *gateway, uint64_t asked);

/* Every counter of src/gateway/counters.h in its order, summed over workers. */
typedef void (*gateway_counter_fn)(void *context, const char *name, const char *meaning,
                                   uint64_t value);
void gateway_visit_counters(const struct gateway *gateway, gateway_counter_fn visit, void *context);

/* ---- requests by route, variant and rule ----------------------------------------------------- */

enum {
  GATEWAY_REASON_NONE = REASON_FAILOVER + 1, /* answered before there was a decision */
  GATEWAY_REASONS,
  GATEWAY_CLASSES = 6, /* of the status: 1xx to 5xx in their places, 0: there was no answer */
  GATEWAY_VERDICTS = COOKIE_MALFORMED + 1,
  GATEWAY_BUCKETS = 14
};
/* Upper bounds of histograms: of those in us, and of those in ns. */
extern const int64_t gateway_buckets_us[GATEWAY_BUCKETS];
extern const int64_t gateway_buckets_ns[GATEWAY_BUCKETS];
const char *gateway_reason_name(unsigned reason); /* "rule", …, "none" */

struct gateway_histogram {
  uint64_t buckets[GATEWAY_BUCKETS + 1]; /* each by itself; the last: longer than all */
  uint64_t sum;                          /* in the unit of its bounds */
};

/* All requests that have ended. Names are empty for what no route was found for. Times, in us, are
 * from the whole head of a request, each as of its turn of the worker's loop. */
struct gateway_variant {
  struct str route, variant;
  uint64_t requests[GATEWAY_REASONS][GATEWAY_CLASSES];
  uint64_t cut; /* of those, whose answer had begun and could not be completed */
  struct gateway_histogram first_byte; /* to the head of the answer */
  struct gateway_histogram duration;   /* to its end; not of those that became tunnels */
};

/* A sum over all workers, made once and read several times. NULL: memory. */
struct gateway_traffic;
struct gateway_traffic *gateway_traffic_read(const struct gateway *gateway);
void gateway_traffic_free(struct gateway_traffic **traffic);
typedef void (*gateway_variant_fn)(void *context, const struct gateway_variant *variant);
void gateway_visit_variants(const struct gateway_traffic *traffic, gateway_variant_fn visit,
                            void *context);
/* Requests that a rule has decided. */
typedef void (*gateway_rule_fn)(void *context, struct str route, struct str rule,
                                uint64_t requests);
void gateway_visit_rules(const struct gateway_traffic *traffic, gateway_rule_fn visit,
                         void *context);

/* What is known of all requests of a route. */
struct gateway_route {
  struct str route; /* empty: of none */
  uint64_t cookies[GATEWAY_VERDICTS];
  struct gateway_histogram deciding; /* in ns: what decide() takes, of one request in 64 or so */
};
typedef void (*gateway_route_fn)(void *context, const struct gateway_route *route);
void gateway_visit_routes(const struct gateway_traffic *traffic, gateway_route_fn visit,
                          void *context);

/* Each counter of upstreams (UPSTREAM_COUNTERS in src/gateway/series.h), and for each all
 * upstreams, those of former configurations, too. */
struct gateway_upstream_visitor {
  void (*begin)(void *context, const char *name, const char *meaning);
  void (*value)(void *context, const char *name, struct str upstream, uint64_t value);
};
void gateway_visit_upstreams(const struct gateway_traffic *traffic,
                             const struct gateway_upstream_visitor *visitor, void *context);

/* ---- requests that cannot be read ------------------------------------------------------------ */

enum gateway_parse_error {
  GATEWAY_PARSE_START, /* as enum http_fault, to _FRAMING */
  GATEWAY_PARSE_OCTETS,
  GATEWAY_PARSE_LINE,
  GATEWAY_PARSE_FIELD,
  GATEWAY_PARSE_HOST,
  GATEWAY_PARSE_FRAMING,
  GATEWAY_PARSE_LINE_LONG,
  GATEWAY_PARSE_HEAD_LONG,
  GATEWAY_PARSE_VERSION,
  GATEWAY_PARSE_CODING,
  GATEWAY_PARSE_EXPECTATION,
  GATEWAY_PARSE_CUT_OFF,
  GATEWAY_PARSE_PATH,
  GATEWAY_PARSE_BODY
};
enum { GATEWAY_PARSE_ERRORS = GATEWAY_PARSE_BODY + 1 };
const char *gateway_parse_error_name(enum gateway_parse_error kind); /* "start", … */
/* Over all workers. */
void gateway_parse_errors(const struct gateway *gateway, uint64_t ret[GATEWAY_PARSE_ERRORS]);

/* ---- workers --------------------------------------------------------------------------------- */

/* How long turns of a worker's loop take, in ns: as long an event may wait that comes meanwhile.
 * False: there is no such worker. */
bool gateway_loop_lag(const struct gateway *gateway, unsigned worker,
                      struct gateway_histogram *ret);

/* ---- endpoints ------------------------------------------------------------------------------- */

/* One address of an upstream, over the workers that have answered. */
struct gateway_endpoint {
  struct str upstream, address;
  unsigned weight;
  bool is_checked;
  unsigned share;      /* of its weight, in percent; 0: unhealthy; without checks 100 */
  unsigned ejected_by; /* so many workers leave it out, */
  int64_t ejected_ms;  /* the last of them for so long */
  uint64_t active;     /* requests that are with it */
  uint64_t idle;       /* connections that wait for the next one */
};

struct gateway_endpoints {
  const struct gateway_endpoint *items; /* those of one upstream stand together */
  size_t n;
  unsigned workers; /* that have answered */
};
/* Asks each worker between two events of its loop, and waits for as long as a second. `arena`:
 * where the answer stands. False: memory. */
bool gateway_endpoints_read(struct gateway *gateway, struct arena *arena,
                            struct gateway_endpoints *ret) __attribute__((warn_unused_result));

/* ---- gauges ---------------------------------------------------------------------------------- */

struct gateway_gauges {
  unsigned workers;
  uint64_t clients; /* connections that are open, as each worker's last turn has left them */
  int64_t uptime_ms;
};
struct gateway_gauges gateway_gauges(const struct gateway *gateway);

#endif
