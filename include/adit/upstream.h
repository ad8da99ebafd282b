/*
 * upstream: where requests are sent: names, addresses, pools, idle connections.
 *
 * A resolver (a few threads for the process) keeps the addresses of every host name fresh; workers
 * only read its results. All else here belongs to one worker and has no lock: a table of targets
 * (one address and port, with its idle connections), and pools (one named upstream of one snapshot,
 * over targets). Targets are shared by the pools of all snapshots, so that a reload keeps
 * connections.
 *
 *   resolver thread ──► resolved_name ◄── pool ──► target ──► idle connections
 */
#ifndef ADIT_UPSTREAM_H
#define ADIT_UPSTREAM_H

#include <sys/socket.h>

#include "adit/config.h"
#include "adit/health.h"
#include "adit/ip.h"

/* ---- resolver -------------------------------------------------------------------------------- */

struct resolver;
struct resolved_name;

enum { RESOLVED_ADDRESSES_MAX = 256 };

/* Starts its threads; they look each name up anew `refresh_ms` after it has been answered, and one
 * that was not found after a second at the latest. NULL: it could not be started. */
struct resolver *resolver_start(int64_t refresh_ms);
/* Another time from look-up to look-up; counts from the last one of each name on. Thread-safe. */
void resolver_set_refresh(struct resolver *resolver, int64_t refresh_ms);
/* Ends it. A look-up that hangs is not waited for. */
void resolver_stop(struct resolver **resolver);

/* The entry of a host name, shared by all who ask for it; asks for a first look-up. NULL: memory.
 * Thread-safe, as is the release. */
struct resolved_name *resolver_name_ref(struct resolver *resolver, struct str host);
void resolver_name_unref(struct resolver *resolver, struct resolved_name **name);
/* Changes whenever the addresses do; 0 until a first look-up has answered. Costs one relaxed load.
 */
unsigned resolved_name_version(const struct resolved_name *name);
/* Copies the addresses that go with *ret_version; returns their number. An empty or failed answer
 * has left the last good set in place. */
size_t resolved_name_read(struct resolver *resolver, struct resolved_name *name,
                          struct ip_address *ret, size_t capacity, unsigned *ret_version);
/* Waits until every name has been looked up once, at most `timeout_ms`. For the start, and for a
 * reload. */
void resolver_wait_first(struct resolver *resolver, int timeout_ms);

/* References to all host names of a configuration's endpoints, so that they are looked up before
 * pools ask for them; those that there is no memory for are left out. NULL: memory. */
struct name_set;
struct name_set *name_set_new(struct resolver *resolver, const struct config *config);
void name_set_free(struct resolver *resolver, struct name_set **set);

/* ---- targets --------------------------------------------------------------------------------- */

/* A connection that waits for its next request links itself here. */
struct idle_link {
  struct idle_link *previous, *next;
};

/* What is known of a target's failures. */
struct outlier {
  unsigned in_a_row;
  unsigned requests, failed; /* of the window that began at window_ms */
  int64_t window_ms;
  int64_t until_ms; /* it is left out, while others are there */
  int64_t last_ms;  /* for how long it was last */
};

struct target {
  struct ip_address ip; /* of a Unix socket: nothing */
  uint16_t port;
  struct sockaddr_storage address;
  socklen_t address_length;
  char text[sizeof("unix:") + CONFIG_UNIX_PATH_MAX]; /* "127.0.0.1:9001", "unix:/run/shop.sock" */
  struct idle_link idle;                             /* head of a list, the last used first */
  size_t idle_count;
  unsigned active;        /* exchanges of this worker that are with it */
  int64_t avoid_until_ms; /* a connect timed out: not tried before, while others are there */
  struct outlier outlier;
  int64_t logged_until_ms; /* one line about a failing target a second is enough */
  unsigned refs;
  struct target *hash_next;
};

struct target_table;

struct target_table *target_table_new(void);
/* All targets must have been unreferenced. */
void target_table_free(struct target_table **table);
void target_ref(struct target *target);
/* The last reference frees it; it has no idle connections then (they hold one each). */
void target_unref(struct target_table *table, struct target **target);

enum { TARGET_IDLE_MAX = 256, TARGET_AVOID_MS = 1000 };
/* A connect timed out: the target is avoided for TARGET_AVOID_MS. */
void target_note_timeout(struct target *target, int64_t now_ms);
void target_idle_push(struct target *target, struct idle_link *link);
/* The connection that was used last, taken out; NULL: none. */
struct idle_link *target_idle_pop(struct target *target);
void target_idle_remove(struct target *target, struct idle_link *link);

/* Starts a non-blocking connect with TCP_NODELAY. The descriptor (connected or connecting), or
 * -errno. */
int target_connect(const struct target *target);

/* ---- pools ----------------------------------------------------------------------------------- */

struct pool;

/* A pool over an upstream's endpoints; `upstream` must outlive it. NULL: memory, or `health` has no
 * thread. */
struct pool *pool_new(struct resolver *resolver, struct health *health, struct target_table *table,
                      const struct config_upstream *upstream);
void pool_free(struct pool **pool);
const struct config_upstream *pool_config(const struct pool *pool);

/* One request's way through a pool's targets, each at most once. Zero-initialise but for `random`
 * and `hashed`. */
struct pool_attempt {
  uint64_t random; /* any number; another one for each attempt */
  bool hashed; /* in a pool that balances by hash: `random` is a key's hash, the same each time */
  size_t start;
  size_t tried;
  int64_t started_ms;
  bool started;
  bool has_given;
  bool heeds_ejections; /* not where there are too many, nor where the upstream knows none */
};

/*
 * The next target, with a reference for the caller: at first as the upstream balances its load, by
 * weight; then those behind it in the list. Those that are ejected or unhealthy, or that a connect
 * timed out on lately, come after the others and only with `desperate` (who has nothing to fall
 * back to). Where more than the upstream's max_ejected_percent are ejected, that counts for no
 * desperate attempt. One that starts slowly is left out by as many attempts as its share says,
 * while there are others. Where the attempt is by a hash, all that holds for the hash: its target,
 * those that it goes to instead, and whether it leaves one out that starts slowly are the same
 * each time, in every worker; without one, a pool that balances by hash takes least requests. NULL:
 * none is left.
 */
struct target *pool_next(struct pool *pool, struct pool_attempt *attempt, int64_t now_ms,
                         bool desperate);

/* An attempt that has come to its end begins again, with the target that it began with. */
static inline void pool_attempt_again(struct pool_attempt *attempt) {
  attempt->tried = 0;
  attempt->has_given = false;
}

/* One of its requests is to be sent once more: whether the upstream's retry budget has room for it.
 * Then pool_retry_end() must follow. */
bool pool_retry_begin(struct pool *pool);
void pool_retry_end(struct pool *pool);

/* What a pool's worker knows of one of its targets. */
struct pool_target {
  const char *text; /* of its address; as long as the pool's list stays as it is */
  unsigned weight;
  bool is_checked;
  unsigned share;     /* of its weight, in percent; 0: unhealthy */
  int64_t ejected_ms; /* it is left out for so long; 0: it is not */
  unsigned active;    /* requests that are with it */
  size_t idle;        /* connections that wait for the next one */
};
/* How many targets there are now, names resolved, without endpoints that drain; and the i-th. */
size_t pool_target_count(struct pool *pool);
struct pool_target pool_target_get(const struct pool *pool, size_t i, int64_t now_ms);

/* What came of a request to one of its targets. For how many ms the target is left out from now on;
 * 0: it is not, or is already. */
int64_t pool_note(struct pool *pool, struct target *target, bool failed, int64_t now_ms);

#endif
