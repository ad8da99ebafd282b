/*
 * health: the table of endpoints and the thread that has them checked.
 *
 *   table    entries, found by what is checked; under the mutex, as are references and the schedule
 *   states   what a verdict makes of one
 *   thread   begins what is due, as much at once as may be; takes what has ended
 *   life
 */
#include <curl/curl.h>
#include <pthread.h>
#include <stdlib.h>

#include "adit/client.h"
#include "adit/hash.h"
#include "adit/log.h"
#include "adit/units.h"
#include "health_private.h"

enum { BUCKETS = 1024, FIRST_WITHIN_MS = 1000, SLEEP_MAX_MS = 60000, SHORTAGE_PAUSE_MS = 1000 };

struct health {
  pthread_mutex_t mutex;
  struct health_endpoint *buckets[BUCKETS];
  size_t endpoint_count;
  struct schedule schedule;
  struct health_counts counts;
  uint64_t random;
  bool has_thread;
  pthread_t thread;
  atomic_bool stop;
  void *multi; /* libcurl's; but for waking it up the thread's own, as is what follows */
  struct check *checks[HEALTH_CHECKS_AT_ONCE];
  size_t check_count;
  struct check *spare;
};

/* ---- table ----------------------------------------------------------------------------------- */

/* xorshift64 (Marsaglia): for times that only have to differ. From 0 to `below` - 1. */
static int64_t random_below(struct health *health, int64_t below) {
  health->random ^= health->random << 13;
  health->random ^= health->random >> 7;
  health->random ^= health->random << 17;
  return (int64_t)(health->random % (uint64_t)below);
}

static struct health_endpoint **bucket_of(struct health *health, struct str upstream,
                                          struct str endpoint) {
  const struct str parts[] = {upstream, endpoint};
  return &health->buckets[murmur3_x86_32_parts(parts, 2, 0) % BUCKETS];
}

static bool is_same_spec(const struct health_spec *a, const struct health_spec *b) {
  if (a->status_count != b->status_count) return false;
  for (size_t i = 0; i < a->status_count; i++)
    if (a->statuses[i].from != b->statuses[i].from || a->statuses[i].to != b->statuses[i].to)
      return false;
  return str_eq(a->path, b->path) && str_eq(a->host, b->host) && str_eq(a->body, b->body) &&
         a->interval_ms == b->interval_ms && a->timeout_ms == b->timeout_ms &&
         a->healthy == b->healthy && a->unhealthy == b->unhealthy &&
         a->slow_start_ms == b->slow_start_ms;
}

/* Copies `from` and a NUL to *to, and moves *to behind it. */
static struct str keep_text(char **to, struct str from) {
  struct str kept = str_copy_to(from, *to, from.n + 1);
  *to += from.n + 1;
  return kept;
}

static struct health_endpoint *endpoint_new(const struct health_spec *spec, struct str upstream,
                                            struct str text) {
  const size_t bytes = upstream.n + text.n + spec->path.n + spec->host.n + spec->body.n + 5;
  struct health_endpoint *endpoint = malloc(sizeof(*endpoint) + bytes);
  if (!endpoint) return NULL;
  *endpoint = (struct health_endpoint){.spec = *spec, .place = SCHEDULE_NONE};
  char *at = endpoint->texts;
  endpoint->upstream = keep_text(&at, upstream);
  endpoint->endpoint = keep_text(&at, text);
  endpoint->spec.path = keep_text(&at, spec->path);
  endpoint->spec.host = keep_text(&at, spec->host);
  endpoint->spec.body = keep_text(&at, spec->body);
  return endpoint;
}

/* The entry with these checks; else *ret_other is one of the same endpoint with others, or NULL. */
static struct health_endpoint *find(struct health_endpoint *bucket, const struct health_spec *spec,
                                    struct str upstream, struct str text,
                                    const struct health_endpoint **ret_other) {
  *ret_other = NULL;
  for (struct health_endpoint *at = bucket; at; at = at->bucket_next) {
    if (!str_eq(at->endpoint, text) || !str_eq(at->upstream, upstream)) continue;
    if (is_same_spec(&at->spec, spec)) return at;
    *ret_other = at;
  }
  return NULL;
}

/* With the mutex held. */
static struct health_endpoint *add(struct health *health, struct health_endpoint **bucket,
                                   const struct health_spec *spec, struct str upstream,
                                   struct str text, const struct health_endpoint *other) {
  if (!schedule_reserve(&health->schedule, health->endpoint_count + 1)) return NULL;
  struct health_endpoint *made = endpoint_new(spec, upstream, text);
  if (!made) return NULL;
  if (other) made->state = other->state;
  const int64_t within = spec->interval_ms < FIRST_WITHIN_MS ? spec->interval_ms : FIRST_WITHIN_MS;
  made->due_ms = clock_monotonic_ms() + random_below(health, within);
  made->bucket_next = *bucket;
  *bucket = made;
  health->endpoint_count++;
  schedule_add(&health->schedule, made);
  return made;
}

/* With the mutex held, of one that nobody refers to and that is not being checked. */
static void drop(struct health *health, struct health_endpoint *gone) {
  struct health_endpoint **at = bucket_of(health, gone->upstream, gone->endpoint);
  while (*at != gone) at = &(*at)->bucket_next;
  *at = gone->bucket_next;
  schedule_remove(&health->schedule, gone);
  health->endpoint_count--;
  free(gone);
}

static bool thread_begin(struct health *health);

struct health_endpoint *health_ref(struct health *health, const struct health_spec *spec,
                                   struct str upstream, struct str endpoint) {
  struct health_endpoint **bucket = bucket_of(health, upstream, endpoint);
  const struct health_endpoint *other;
  pthread_mutex_lock(&health->mutex);
  struct health_endpoint *found = find(*bucket, spec, upstream, endpoint, &other);
  if (!found && thread_begin(health)) {
    found = add(health, bucket, spec, upstream, endpoint, other);
    (void)curl_multi_wakeup(health->multi);
  }
  if (found) found->refs++;
  pthread_mutex_unlock(&health->mutex);
  return found;
}

void health_unref(struct health *health, struct health_endpoint **endpoint) {
  struct health_endpoint *gone = *endpoint;
  *endpoint = NULL;
  if (!gone) return;
  pthread_mutex_lock(&health->mutex);
  if (--gone->refs == 0 && !gone->is_busy) drop(health, gone);
  pthread_mutex_unlock(&health->mutex);
}

struct health_counts health_counts(struct health *health) {
  pthread_mutex_lock(&health->mutex);
  const struct health_counts counts = health->counts;
  pthread_mutex_unlock(&health->mutex);
  return counts;
}

/* ---- states ---------------------------------------------------------------------------------- */

unsigned health_share(const struct health_endpoint *endpoint, int64_t now_ms) {
  const int64_t state = atomic_load_explicit(&endpoint->state, memory_order_relaxed);
  const int64_t slow_ms = endpoint->spec.slow_start_ms;
  if (state < 0) return now_ms < -state ? HEALTH_SHARE_WHOLE : 0;
  if (state == 0) return HEALTH_SHARE_WHOLE;
  if (now_ms < state) return 0;
  if (now_ms - state >= slow_ms) return HEALTH_SHARE_WHOLE;
  const int64_t share = (now_ms - state) * HEALTH_SHARE_WHOLE / slow_ms;
  return share < HEALTH_SHARE_FIRST ? HEALTH_SHARE_FIRST : (unsigned)share;
}

/* Takes a verdict up, with the mutex held. Whether the state has changed. */
static bool take_verdict(struct health *health, struct health_endpoint *endpoint,
                         enum verdict verdict) {
  if (verdict == VERDICT_NONE) {
    health->counts.health_shortages++;
    return false;
  }
  const bool good = verdict == VERDICT_GOOD;
  const bool was_good = endpoint->state >= 0;
  health->counts.health_checks++;
  if (!good) health->counts.health_failures++;
  if (good == was_good) endpoint->in_a_row = 0;
  if (good == was_good ||
      ++endpoint->in_a_row < (good ? endpoint->spec.healthy : endpoint->spec.unhealthy))
    return false;
  endpoint->in_a_row = 0;
  const int64_t since_ms = clock_monotonic_ms();
  atomic_store_explicit(&endpoint->state, good ? since_ms : -since_ms, memory_order_relaxed);
  if (good)
    health->counts.health_recovered++;
  else
    health->counts.health_unhealthy++;
  return true;
}

static void log_change(const struct health_endpoint *endpoint, bool good, const char *why) {
  if (good)
    log_write(LOG_INFO, "upstream '%.*s': endpoint %.*s is healthy again",
              STR_ARG(endpoint->upstream), STR_ARG(endpoint->endpoint));
  else
    log_write(LOG_WARNING, "upstream '%.*s': endpoint %.*s is unhealthy: %s",
              STR_ARG(endpoint->upstream), STR_ARG(endpoint->endpoint), why);
}

/* ---- thread ---------------------------------------------------------------------------------- */

/* A spare check; NULL: as many run as may, or memory. */
static struct check *check_get(struct health *health) {
  struct check *check = health->spare;
  if (check) {
    health->spare = check->next_spare;
    return check;
  }
  if (health->check_count == HEALTH_CHECKS_AT_ONCE) return NULL;
  check = check_new();
  if (check) health->checks[health->check_count++] = check;
  return check;
}

static void check_put(struct health *health, struct check *check) {
  check->endpoint = NULL;
  check->next_spare = health->spare;
  health->spare = check;
}

/* A check is over, or could not be begun. The mutex is free when the line is written. */
static void take(struct health *health, struct check *check, enum verdict verdict) {
  struct health_endpoint *endpoint = check->endpoint;
  pthread_mutex_lock(&health->mutex);
  const bool is_wanted = endpoint->refs > 0;
  const bool changed = is_wanted && take_verdict(health, endpoint, verdict);
  pthread_mutex_unlock(&health->mutex);
  if (changed) log_change(endpoint, verdict == VERDICT_GOOD, check->why);
  pthread_mutex_lock(&health->mutex);
  endpoint->is_busy = false;
  if (endpoint->refs == 0) {
    drop(health, endpoint);
  } else {
    const int64_t now_ms = clock_monotonic_ms();
    if (endpoint->due_ms < now_ms) endpoint->due_ms = now_ms;
    schedule_add(&health->schedule, endpoint);
  }
  pthread_mutex_unlock(&health->mutex);
  check_put(health, check);
}

/* The endpoint that is due, if one is, taken out of the schedule; *ret_wait_ms: how long until the
 * next. */
static struct health_endpoint *next_due(struct health *health, int64_t *ret_wait_ms) {
  pthread_mutex_lock(&health->mutex);
  const int64_t now_ms = clock_monotonic_ms();
  struct health_endpoint *first = schedule_first(&health->schedule);
  *ret_wait_ms = first ? first->due_ms - now_ms : SLEEP_MAX_MS;
  if (first && first->due_ms <= now_ms) {
    const int64_t interval_ms = first->spec.interval_ms;
    schedule_remove(&health->schedule, first);
    first->is_busy = true;
    first->due_ms =
        now_ms + interval_ms - interval_ms / 10 + random_below(health, interval_ms / 5 + 1);
  } else {
    first = NULL;
  }
  pthread_mutex_unlock(&health->mutex);
  return first;
}

/* Begins what is due. How long the thread may sleep: at least until libcurl has news, which wakes
 * it. */
static int begin_due(struct health *health) {
  for (;;) {
    int64_t wait_ms = 0;
    struct check *check = check_get(health);
    if (!check) return health->check_count > 0 ? SLEEP_MAX_MS : SHORTAGE_PAUSE_MS;
    struct health_endpoint *endpoint = next_due(health, &wait_ms);
    if (!endpoint) {
      check_put(health, check);
      return wait_ms < SLEEP_MAX_MS ? (int)wait_ms : SLEEP_MAX_MS;
    }
    if (!check_begin(check, health->multi, endpoint)) take(health, check, VERDICT_NONE);
  }
}

static void take_ended(struct health *health) {
  int left;
  for (CURLMsg *message; (message = curl_multi_info_read(health->multi, &left));) {
    if (message->msg != CURLMSG_DONE) continue;
    struct check *check = NULL;
    const CURLcode code = message->data.result;
    (void)curl_easy_getinfo(message->easy_handle, CURLINFO_PRIVATE, (char **)(void *)&check);
    take(health, check, check_end(check, health->multi, (int)code));
  }
}

static void *health_main(void *argument) {
  struct health *health = argument;
  while (!atomic_load_explicit(&health->stop, memory_order_relaxed)) {
    int running;
    const int wait_ms = begin_due(health);
    (void)curl_multi_poll(health->multi, NULL, 0, wait_ms, NULL);
    (void)curl_multi_perform(health->multi, &running);
    take_ended(health);
  }
  return NULL;
}

/* ---- life ------------------------------------------------------------------------------------ */

/* With the mutex held: who checks nothing has neither a thread nor libcurl. */
static bool thread_begin(struct health *health) {
  if (health->has_thread) return true;
  if (!health->multi && client_library_init()) health->multi = curl_multi_init();
  if (!health->multi) return false;
  /* No connection is used again. */
  (void)curl_multi_setopt(health->multi, CURLMOPT_MAXCONNECTS, 1L);
  health->has_thread = pthread_create(&health->thread, NULL, health_main, health) == 0;
  return health->has_thread;
}

struct health *health_new(void) {
  struct health *health = calloc(1, sizeof(*health));
  if (!health) return NULL;
  pthread_mutex_init(&health->mutex, NULL);
  health->random = (uint64_t)clock_wall_ms() | 1;
  return health;
}

static void end_check(struct health *health, struct check *check) {
  if (check->endpoint) {
    (void)curl_multi_remove_handle(health->multi, check->easy);
    drop(health, check->endpoint);
  }
  check_free(check);
}

void health_free(struct health **health) {
  struct health *gone = *health;
  *health = NULL;
  if (!gone) return;
  if (gone->has_thread) {
    atomic_store(&gone->stop, true);
    (void)curl_multi_wakeup(gone->multi);
    pthread_join(gone->thread, NULL);
  }
  for (size_t i = 0; i < gone->check_count; i++) end_check(gone, gone->checks[i]);
  if (gone->multi) (void)curl_multi_cleanup(gone->multi);
  free(gone->schedule.items);
  pthread_mutex_destroy(&gone->mutex);
  free(gone);
}
