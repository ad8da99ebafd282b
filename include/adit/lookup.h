/*
 * lookup: attributes that a directory knows: the company's own user service, asked over HTTP, or
 * in Redis.
 *
 *   lookup_template   a URL with {attribute} in it: checked once, filled safely for each question
 *   lookup_answer     what a directory said: the fields that somebody wants, and nothing else
 *   lookup_loop       a thread's questions that are under way (libcurl's multi interface); it has
 *                     one descriptor to be waited on, and never blocks
 *   lookup            one directory: cache, one question for each key, concurrency, breaker
 *
 * Everything is bounded: a key's length, an answer's bytes and depth, the cache's entries and
 * bytes, questions at once, and the time of each. No redirect is followed, no proxy used, and a
 * value can never change host or path: it is one segment of a path, or one value of a query.
 * All of it belongs to one thread, but for templates and specs, which nobody changes.
 */
#ifndef ADIT_LOOKUP_H
#define ADIT_LOOKUP_H

#include "adit/arena.h"
#include "adit/str.h"

/* ---- template -------------------------------------------------------------------------------- */

enum {
  LOOKUP_KEYS_MAX = 8,         /* placeholders of a template */
  LOOKUP_KEY_BYTES_MAX = 256,  /* of one value */
  LOOKUP_URL_BYTES_MAX = 2048, /* of a template */
  /* Of a filled template: each byte of a value may become three. */
  LOOKUP_FILLED_BYTES_MAX = LOOKUP_URL_BYTES_MAX + 3 * LOOKUP_KEYS_MAX * LOOKUP_KEY_BYTES_MAX + 1
};

struct lookup_template {
  struct str literals[LOOKUP_KEYS_MAX + 1]; /* around the placeholders */
  struct str keys[LOOKUP_KEYS_MAX];         /* names of attributes, each once or more */
  size_t key_count;
  bool is_redis;
  struct str host; /* redis: an address without brackets */
  uint16_t port;
  unsigned database;
};

/*
 * Reads "http://host[:port]/path/{attribute}?a={attribute}"; *ret views `text`. Refused: another
 * scheme, credentials, a placeholder in the host or port, a fragment, bytes that a URL cannot have,
 * dot segments, more than LOOKUP_KEYS_MAX placeholders. Or "redis://ADDRESS:PORT/DATABASE?key=" and
 * a key with placeholders: its literals are the key's. False: *ret_why says what is wrong.
 */
bool lookup_template_parse(struct str text, struct lookup_template *ret, const char **ret_why)
    __attribute__((warn_unused_result));

enum lookup_fill {
  LOOKUP_FILLED,
  LOOKUP_KEY_EMPTY,
  LOOKUP_KEY_LONG,    /* over LOOKUP_KEY_BYTES_MAX */
  LOOKUP_KEY_CONTROL, /* a NUL or another control character, which no id has */
  LOOKUP_KEY_COLON,   /* redis: a ':', which separates the parts of keys */
  LOOKUP_KEY_DOTS     /* "." or "..", alone or between slashes: a way up, once decoded */
};
/* Writes the URL for values (as many as `keys`) and a NUL to `buffer` of LOOKUP_FILLED_BYTES_MAX;
 * every byte of a value that is not unreserved (RFC 3986 2.3) is percent-encoded. For Redis: the
 * key, with values as they are. */
enum lookup_fill lookup_template_fill(const struct lookup_template *template,
                                      const struct str *values, char *buffer, size_t *ret_n)
    __attribute__((warn_unused_result));

/* ---- answer ---------------------------------------------------------------------------------- */

enum { LOOKUP_FIELDS_MAX = 64, LOOKUP_TEXTS_MAX = 64, LOOKUP_TEXT_BYTES_MAX = 4096 };

/* The texts of one field; n == 0: the answer does not have it (or null). */
struct lookup_field {
  const struct str *texts;
  size_t n;
  bool refused; /* it has one that is no scalar or list of scalars, or is over a limit */
};

/* One block of memory that holds itself; free() frees it. */
struct lookup_answer {
  size_t bytes;
  size_t field_count;
  struct lookup_field fields[];
};

/*
 * Reads an answer, a JSON object, and keeps of it the fields of these dotted paths: a string, a
 * number as written, true or false, or a list of at most LOOKUP_TEXTS_MAX of these. A text is at
 * most LOOKUP_TEXT_BYTES_MAX. NULL: it is no JSON object, or memory.
 */
struct lookup_answer *lookup_answer_parse(struct str json, const struct str *paths, size_t n);

/* ---- loop ------------------------------------------------------------------------------------ */

enum lookup_event {
  LOOKUP_EVENT_ASKED,       /* a question was sent */
  LOOKUP_EVENT_HIT,         /* the cache knew, also that there is nobody */
  LOOKUP_EVENT_STALE,       /* the cache knew what had been true, and asks again */
  LOOKUP_EVENT_JOINED,      /* another request had asked already */
  LOOKUP_EVENT_UNKNOWN,     /* an answer: there is nobody of this key */
  LOOKUP_EVENT_TIMEOUT,     /* no answer in time */
  LOOKUP_EVENT_FAILED,      /* no connection, an error, or an answer that cannot be used */
  LOOKUP_EVENT_REFUSED_KEY, /* not asked: no directory has such a key */
  LOOKUP_EVENT_BUSY,        /* not asked: as many questions as `concurrency` are under way */
  LOOKUP_EVENT_BROKEN       /* not asked: the directory has failed too often */
};

struct lookup_loop;

/* `count` is told of each event. NULL: no memory or descriptors. */
struct lookup_loop *lookup_loop_new(void (*count)(void *context, enum lookup_event event),
                                    void *context);
/* After all its directories have gone. */
void lookup_loop_free(struct lookup_loop **loop);
/* Readable when there is something to do. */
int lookup_loop_fd(const struct lookup_loop *loop);
/* Whether lookup_loop_run() has work now, and milliseconds until it has some (-1: never), both
 * without asking the kernel. */
bool lookup_loop_is_due(const struct lookup_loop *loop, int64_t now_ms);
int64_t lookup_loop_wait_ms(const struct lookup_loop *loop, int64_t now_ms);
/* Goes on with all questions, without waiting; calls back whoever waited for one that has ended. */
void lookup_loop_run(struct lookup_loop *loop, int64_t now_ms);

/* ---- directory ------------------------------------------------------------------------------- */

/* What adit.json says of a directory. */
struct lookup_spec {
  struct str name;
  struct str url;
  const struct str *fields; /* dotted paths, each once */
  size_t field_count;
  int64_t timeout_ms;
  int64_t ttl_ms, negative_ttl_ms;
  int64_t stale_ms;      /* after `ttl_ms`: how long an answer may be used while it is renewed */
  unsigned entries;      /* of the cache */
  uint64_t cache_bytes;  /* of the answers in it */
  uint64_t answer_bytes; /* at most, of one answer's body */
  unsigned concurrency;  /* questions at once */
  unsigned failures;     /* in a row, after which it is not asked for a while */
  int64_t pause_ms;      /* how long at first; doubled each time that it fails again */
  int64_t pause_max_ms;
};

struct lookup;

/* Copies the spec. Starts with one reference. NULL: memory. */
struct lookup *lookup_new(struct lookup_loop *loop, const struct lookup_spec *spec);
struct lookup *lookup_ref(struct lookup *lookup);
/* The last one ends questions under way; nobody waits for one by then. */
void lookup_unref(struct lookup **lookup);
/* Whether it was made from the same spec: then it can serve on, with all it knows. */
bool lookup_is_of(const struct lookup *lookup, const struct lookup_spec *spec);

/* Who waits for an answer. Zero-initialise; `done` is called once, from lookup_loop_run(). */
struct lookup_waiter {
  void (*done)(struct lookup_waiter *waiter);
  struct lookup_waiter *previous, *next; /* NULL: waits for nothing */
};
static inline bool lookup_waits(const struct lookup_waiter *waiter) {
  return waiter->next != NULL;
}
/* It is not called any more; the question goes on, for the cache. */
void lookup_cancel(struct lookup_waiter *waiter);

enum lookup_result {
  LOOKUP_FOUND,   /* *ret_field, of which n may be 0 */
  LOOKUP_MISSING, /* *ret_why: a sentence part */
  LOOKUP_PENDING  /* the waiter waits now */
};

/*
 * What the directory says of `values` (as the template's keys) in its `field`-th field. Does not
 * block, and does not allocate for what the cache has. `waiter` must not wait for anything yet;
 * NULL: whoever asks cannot wait (LOOKUP_MISSING instead of _PENDING). What *ret_field and *ret_why
 * view holds until lookup_loop_run() or lookup_unref().
 */
enum lookup_result lookup_get(struct lookup *lookup, const struct str *values, size_t field,
                              int64_t now_ms, struct lookup_waiter *waiter,
                              const struct lookup_field **ret_field, struct str *ret_why)
    __attribute__((warn_unused_result));

/* Entries and bytes of the cache, for tests. */
void lookup_cache_size(const struct lookup *lookup, size_t *ret_entries, size_t *ret_bytes);

#endif
