/*
 * lookup: one directory.
 *
 *   lookup_get ─► template ─► cache ─► (stale: ask again, answer now)
 *                                   └► flight under way: join ─┐
 *                                   └► breaker, concurrency ─► flight ─► lookup_take ─► cache
 *                                                                             └► waiters
 *
 * A failure goes into the cache, too, for a second: who waited finds it there when he asks again,
 * and a directory that is in trouble is not asked for the same key by every request.
 */
#include <assert.h>
#include <stdlib.h>

#include "adit/cache.h"
#include "adit/crypto.h"
#include "adit/hash.h"
#include "lookup_private.h"

enum { FAILURE_TTL_MS = 1000, SPEC_BYTES_MAX = 1 << 20 };

struct lookup {
  unsigned refs;
  struct lookup_loop *loop;
  struct arena *arena; /* of the copied spec and the texts */
  struct lookup_spec spec;
  struct lookup_template template;
  struct cache cache;
  uint64_t hash_key[2];
  struct str whys[WHYS];

  struct flight flights; /* head of a ring */
  unsigned flight_count;
  struct flight *spares;
  struct redis_link *link; /* NULL: it speaks HTTP */

  unsigned failures; /* in a row */
  bool broken;       /* it is not asked before: */
  int64_t again_ms;
  int64_t pause_ms; /* of the last time */
  bool probing;

  char url[LOOKUP_FILLED_BYTES_MAX];
};

static void count(const struct lookup *lookup, enum lookup_event event) {
  lookup->loop->count(lookup->loop->context, event);
}

const struct lookup_spec *lookup_spec_of(const struct lookup *lookup) {
  return &lookup->spec;
}

const struct lookup_template *lookup_template_of(const struct lookup *lookup) {
  return &lookup->template;
}

struct flight *lookup_first_flight(const struct lookup *lookup) {
  return lookup->flight_count > 0 ? lookup->flights.next : NULL;
}

/* ---- life ------------------------------------------------------------------------------------ */

static const char *const why_formats[WHYS] = {
    [WHY_NONE] = "directory '%.*s' has it",
    [WHY_UNKNOWN] = "directory '%.*s' knows nobody of this key",
    [WHY_TIMEOUT] = "directory '%.*s' gave no answer in time",
    [WHY_UNREACHED] = "directory '%.*s' cannot be reached",
    [WHY_STATUS] = "directory '%.*s' answered with an error",
    [WHY_REDIRECT] = "directory '%.*s' answered with a redirect, which is not followed",
    [WHY_LARGE] = "directory '%.*s' answered with more bytes than allowed",
    [WHY_GARBAGE] = "directory '%.*s' answered with something else than a JSON object",
    [WHY_MEMORY] = "there was no memory or descriptor to ask directory '%.*s'",
    [WHY_BUSY] = "directory '%.*s' was not asked: too many questions to it are under way",
    [WHY_BROKEN] = "directory '%.*s' was not asked: it has failed too often of late",
    [WHY_NO_WAIT] = "directory '%.*s' was not asked: its answer cannot be waited for",
    [WHY_NO_FIELD] = "directory '%.*s' does not give this field",
    [WHY_FIELD_REFUSED] =
        "directory '%.*s' gives something else than texts, or too much, in this field",
    [WHY_KEY_EMPTY] = "directory '%.*s' was not asked: a key is empty",
    [WHY_KEY_LONG] = "directory '%.*s' was not asked: a key is longer than 256 bytes",
    [WHY_KEY_CONTROL] = "directory '%.*s' was not asked: a key has a control character in it",
    [WHY_KEY_COLON] = "directory '%.*s' was not asked: a key has a ':' in it",
    [WHY_KEY_DOTS] =
        "directory '%.*s' was not asked: a key is, or has between slashes, '.' or '..'",
};

static bool copy_spec(struct lookup *lookup, const struct lookup_spec *spec) {
  struct arena *arena = lookup->arena;
  const char *why;
  struct str *fields = ARENA_ARRAY(arena, struct str, spec->field_count);
  lookup->spec = *spec;
  lookup->spec.name = arena_dup(arena, spec->name);
  lookup->spec.url = arena_dup(arena, spec->url);
  lookup->spec.fields = fields;
  for (size_t i = 0; fields && i < spec->field_count; i++)
    fields[i] = arena_dup(arena, spec->fields[i]);
  for (size_t i = 0; i < WHYS; i++)
    lookup->whys[i] = arena_printf(arena, why_formats[i], STR_ARG(spec->name));
  return !arena_failed(arena) && lookup_template_parse(lookup->spec.url, &lookup->template, &why);
}

static void lookup_free(struct lookup *lookup) {
  while (lookup->flight_count > 0) {
    struct flight *flight = lookup->flights.next;
    assert(!lookup_waits(&flight->waiters) || flight->waiters.next == &flight->waiters);
    lookup->flights.next = flight->next;
    lookup->flight_count--;
    flight_free(lookup->loop, flight);
  }
  while (lookup->spares) {
    struct flight *flight = lookup->spares;
    lookup->spares = flight->next;
    flight_free(lookup->loop, flight);
  }
  redis_link_free(lookup->link);
  cache_deinit(&lookup->cache);
  arena_free(&lookup->arena);
  free(lookup);
}

struct lookup *lookup_new(struct lookup_loop *loop, const struct lookup_spec *spec) {
  struct lookup *lookup = calloc(1, sizeof(*lookup));
  if (!lookup) return NULL;
  lookup->refs = 1;
  lookup->loop = loop;
  lookup->flights.previous = lookup->flights.next = &lookup->flights;
  lookup->pause_ms = spec->pause_ms;
  lookup->arena = arena_new(SPEC_BYTES_MAX);
  bool ok = lookup->arena && copy_spec(lookup, spec) &&
            crypto_random(lookup->hash_key, sizeof(lookup->hash_key));
  ok = ok && cache_init(&lookup->cache, spec->entries, spec->cache_bytes);
  if (ok && lookup->template.is_redis) {
    lookup->link = redis_link_new(loop, lookup);
    ok = lookup->link != NULL;
  }
  if (ok) return lookup;
  lookup_free(lookup);
  return NULL;
}

struct lookup *lookup_ref(struct lookup *lookup) {
  lookup->refs++;
  return lookup;
}

void lookup_unref(struct lookup **lookup) {
  struct lookup *gone = *lookup;
  *lookup = NULL;
  if (gone && --gone->refs == 0) lookup_free(gone);
}

bool lookup_is_of(const struct lookup *lookup, const struct lookup_spec *spec) {
  const struct lookup_spec *own = &lookup->spec;
  bool same = str_eq(own->name, spec->name) && str_eq(own->url, spec->url) &&
              own->field_count == spec->field_count && own->timeout_ms == spec->timeout_ms &&
              own->ttl_ms == spec->ttl_ms && own->negative_ttl_ms == spec->negative_ttl_ms &&
              own->stale_ms == spec->stale_ms && own->entries == spec->entries &&
              own->cache_bytes == spec->cache_bytes && own->answer_bytes == spec->answer_bytes &&
              own->concurrency == spec->concurrency && own->failures == spec->failures &&
              own->pause_ms == spec->pause_ms && own->pause_max_ms == spec->pause_max_ms;
  for (size_t i = 0; same && i < own->field_count; i++)
    same = str_eq(own->fields[i], spec->fields[i]);
  return same;
}

void lookup_cache_size(const struct lookup *lookup, size_t *ret_entries, size_t *ret_bytes) {
  *ret_entries = lookup->cache.entry_count;
  *ret_bytes = lookup->cache.bytes;
}

/* ---- waiters --------------------------------------------------------------------------------- */

static void wait_for(struct flight *flight, struct lookup_waiter *waiter) {
  waiter->next = &flight->waiters;
  waiter->previous = flight->waiters.previous;
  waiter->previous->next = waiter;
  flight->waiters.previous = waiter;
}

void lookup_cancel(struct lookup_waiter *waiter) {
  if (!waiter->next) return;
  waiter->previous->next = waiter->next;
  waiter->next->previous = waiter->previous;
  waiter->previous = waiter->next = NULL;
}

/* ---- breaker --------------------------------------------------------------------------------- */

/* Whether it may be asked now; then *ret_probe says whether all depends on this question. */
static bool may_ask(const struct lookup *lookup, int64_t now_ms, bool *ret_probe) {
  *ret_probe = lookup->broken;
  return !lookup->broken || (now_ms >= lookup->again_ms && !lookup->probing);
}

static void note_success(struct lookup *lookup) {
  lookup->failures = 0;
  lookup->broken = false;
  lookup->pause_ms = lookup->spec.pause_ms;
}

static void note_failure(struct lookup *lookup, bool was_probe, int64_t now_ms) {
  if (lookup->failures < lookup->spec.failures) lookup->failures++;
  if (lookup->broken && !was_probe) return; /* asked before it was called broken */
  if (lookup->failures < lookup->spec.failures) return;
  if (was_probe && lookup->pause_ms <= lookup->spec.pause_max_ms / 2)
    lookup->pause_ms *= 2;
  else if (was_probe)
    lookup->pause_ms = lookup->spec.pause_max_ms;
  lookup->broken = true;
  lookup->again_ms = now_ms + lookup->pause_ms;
}

/* ---- flights --------------------------------------------------------------------------------- */

static struct flight *find_flight(struct lookup *lookup, uint64_t hash, struct str url) {
  for (struct flight *flight = lookup->flights.next; flight != &lookup->flights;
       flight = flight->next)
    if (flight->hash == hash && str_eq(str_make(flight->url, flight->url_n), url)) return flight;
  return NULL;
}

static struct flight *take_spare(struct lookup *lookup) {
  struct flight *flight = lookup->spares;
  if (!flight) return calloc(1, sizeof(*flight));
  lookup->spares = flight->next;
  return flight;
}

/* Keeps what makes the next question cheap, but not the memory of a large answer. */
static void give_spare(struct lookup *lookup, struct flight *flight) {
  free(flight->url);
  free(flight->body);
  *flight = (struct flight){.lookup = lookup, .easy = flight->easy, .next = lookup->spares};
  lookup->spares = flight;
}

static struct flight *begin_flight(struct lookup *lookup, uint64_t hash, struct str url,
                                   int64_t now_ms) {
  struct flight *flight = take_spare(lookup);
  if (!flight) return NULL;
  flight->lookup = lookup;
  flight->hash = hash;
  flight->waiters.previous = flight->waiters.next = &flight->waiters;
  flight->url = malloc(url.n + 1);
  if (flight->url) {
    memcpy(flight->url, url.p, url.n);
    flight->url[url.n] = '\0';
    flight->url_n = url.n;
    flight->deadline_ms = now_ms + lookup->spec.timeout_ms;
    if (lookup->link ? redis_start(lookup->link, flight) : flight_start(lookup->loop, flight)) {
      flight->next = &lookup->flights;
      flight->previous = lookup->flights.previous;
      flight->previous->next = lookup->flights.previous = flight;
      lookup->flight_count++;
      return flight;
    }
  }
  give_spare(lookup, flight);
  return NULL;
}

/* A new question. NULL: it is not asked, as *ret_why says. */
static struct flight *ask(struct lookup *lookup, uint64_t hash, struct str url, int64_t now_ms,
                          enum lookup_why *ret_why) {
  bool is_probe;
  if (!may_ask(lookup, now_ms, &is_probe)) {
    count(lookup, LOOKUP_EVENT_BROKEN);
    *ret_why = WHY_BROKEN;
    return NULL;
  }
  if (lookup->flight_count >= lookup->spec.concurrency) {
    count(lookup, LOOKUP_EVENT_BUSY);
    *ret_why = WHY_BUSY;
    return NULL;
  }
  struct flight *flight = begin_flight(lookup, hash, url, now_ms);
  if (!flight) {
    count(lookup, LOOKUP_EVENT_FAILED);
    *ret_why = WHY_MEMORY;
    return NULL;
  }
  flight->is_probe = is_probe;
  if (is_probe) lookup->probing = true;
  count(lookup, LOOKUP_EVENT_ASKED);
  return flight;
}

/* ---- answers --------------------------------------------------------------------------------- */

static void remember(struct lookup *lookup, const struct flight *flight,
                     struct lookup_answer *answer, enum lookup_why why, int64_t now_ms) {
  const struct lookup_spec *spec = &lookup->spec;
  struct str url = str_make(flight->url, flight->url_n);
  if (why != WHY_NONE && why != WHY_UNKNOWN) {
    struct cache_entry *old = cache_find(&lookup->cache, flight->hash, url);
    if (old && now_ms < old->usable_until_ms) { /* stale, and better than nothing */
      old->fresh_until_ms = now_ms + FAILURE_TTL_MS;
      if (old->fresh_until_ms > old->usable_until_ms) old->fresh_until_ms = old->usable_until_ms;
      return;
    }
  }
  struct cache_entry *entry =
      cache_put(&lookup->cache, flight->hash, url, answer, answer ? answer->bytes : 0, why);
  if (!entry) return;
  entry->fresh_until_ms = now_ms + (why == WHY_NONE      ? spec->ttl_ms
                                    : why == WHY_UNKNOWN ? spec->negative_ttl_ms
                                                         : FAILURE_TTL_MS);
  entry->usable_until_ms = entry->fresh_until_ms + (why == WHY_NONE ? spec->stale_ms : 0);
}

static void count_end(const struct lookup *lookup, enum lookup_why why) {
  if (why == WHY_UNKNOWN) count(lookup, LOOKUP_EVENT_UNKNOWN);
  if (why == WHY_TIMEOUT) count(lookup, LOOKUP_EVENT_TIMEOUT);
  if (why > WHY_TIMEOUT) count(lookup, LOOKUP_EVENT_FAILED);
}

void lookup_take(struct lookup *lookup, struct flight *flight, enum lookup_why why,
                 struct lookup_answer *answer, int64_t now_ms) {
  struct lookup *held = lookup_ref(lookup); /* its last user may go in a callback */
  flight->previous->next = flight->next;
  flight->next->previous = flight->previous;
  lookup->flight_count--;
  if (flight->is_probe) lookup->probing = false;
  if (why == WHY_NONE || why == WHY_UNKNOWN)
    note_success(lookup);
  else if (why != WHY_MEMORY)
    note_failure(lookup, flight->is_probe, now_ms);
  count_end(lookup, why);
  remember(lookup, flight, answer, why, now_ms);
  while (flight->waiters.next != &flight->waiters) {
    struct lookup_waiter *waiter = flight->waiters.next;
    lookup_cancel(waiter);
    waiter->done(waiter);
  }
  give_spare(lookup, flight);
  lookup_unref(&held);
}

/* ---- asking ---------------------------------------------------------------------------------- */

static enum lookup_result missing(const struct lookup *lookup, enum lookup_why why,
                                  struct str *ret_why) {
  *ret_why = lookup->whys[why];
  return LOOKUP_MISSING;
}

static enum lookup_result answer_from(const struct lookup *lookup, const struct cache_entry *entry,
                                      size_t field, const struct lookup_field **ret_field,
                                      struct str *ret_why) {
  const struct lookup_answer *answer = entry->value;
  if (!answer) return missing(lookup, (enum lookup_why)entry->why, ret_why);
  const struct lookup_field *found = &answer->fields[field];
  if (found->refused) return missing(lookup, WHY_FIELD_REFUSED, ret_why);
  if (found->n == 0) return missing(lookup, WHY_NO_FIELD, ret_why);
  *ret_field = found;
  return LOOKUP_FOUND;
}

static enum lookup_why refused_key(enum lookup_fill outcome) {
  switch (outcome) {
    case LOOKUP_KEY_EMPTY:
      return WHY_KEY_EMPTY;
    case LOOKUP_KEY_LONG:
      return WHY_KEY_LONG;
    case LOOKUP_KEY_CONTROL:
      return WHY_KEY_CONTROL;
    case LOOKUP_KEY_DOTS:
      return WHY_KEY_DOTS;
    case LOOKUP_KEY_COLON:
      return WHY_KEY_COLON;
    case LOOKUP_FILLED:
      break;
  }
  return WHY_NONE;
}

enum lookup_result lookup_get(struct lookup *lookup, const struct str *values, size_t field,
                              int64_t now_ms, struct lookup_waiter *waiter,
                              const struct lookup_field **ret_field, struct str *ret_why) {
  struct str url = {.p = lookup->url};
  enum lookup_why why =
      refused_key(lookup_template_fill(&lookup->template, values, lookup->url, &url.n));
  if (why != WHY_NONE) {
    count(lookup, LOOKUP_EVENT_REFUSED_KEY);
    return missing(lookup, why, ret_why);
  }
  const uint64_t hash = siphash_2_4(lookup->hash_key, url.p, url.n);
  const struct cache_entry *entry = cache_find(&lookup->cache, hash, url);
  if (entry && now_ms < entry->fresh_until_ms) {
    count(lookup, LOOKUP_EVENT_HIT);
    return answer_from(lookup, entry, field, ret_field, ret_why);
  }
  struct flight *flight = find_flight(lookup, hash, url);
  if (entry && now_ms < entry->usable_until_ms) {
    count(lookup, LOOKUP_EVENT_STALE);
    if (!flight) (void)ask(lookup, hash, url, now_ms, &why);
    return answer_from(lookup, entry, field, ret_field, ret_why);
  }
  if (!waiter) return missing(lookup, WHY_NO_WAIT, ret_why);
  if (flight)
    count(lookup, LOOKUP_EVENT_JOINED);
  else
    flight = ask(lookup, hash, url, now_ms, &why);
  if (!flight) return missing(lookup, why, ret_why);
  wait_for(flight, waiter);
  return LOOKUP_PENDING;
}
