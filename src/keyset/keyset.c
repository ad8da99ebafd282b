/*
 * keyset: the thread that fetches, and what it has fetched.
 *
 * The mutex guards everything that is not atomic; it is not held during a fetch. Workers take it
 * when a version has changed, between their requests.
 */
#include "adit/keyset.h"

#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>

#include "adit/client.h"
#include "adit/crypto.h"
#include "adit/log.h"
#include "adit/units.h"

enum { URL_BYTES_MAX = 2048, DIGEST_BYTES = 32 };

struct keyset {
  struct keyset *next;
  struct keyset_spec spec; /* the times of it may change; the URL is its own */
  char *url;
  unsigned refs;
  bool busy;  /* the thread is at it, and frees it when nobody wants it any more */
  bool tried; /* once at least */
  int64_t due_ms;
  atomic_llong wanted_from_ms; /* before, keyset_want() is not listened to */
  atomic_uint version;
  struct jwt_keys *keys; /* NULL: none yet */
  uint8_t digest[DIGEST_BYTES];
  bool is_lost; /* the thread's own: it was said that it cannot be fetched */
};

struct keysets {
  pthread_mutex_t mutex;
  pthread_cond_t wake;  /* for the thread */
  pthread_cond_t tried; /* for keyset_wait_first */
  struct keyset *first;
  pthread_t thread;
  bool has_thread;
  atomic_bool stop;
};

/* ---- one fetch ------------------------------------------------------------------------------- */

const char *keyset_check_url(struct str url) {
  struct str rest = url;
  if (url.n > URL_BYTES_MAX) return "is longer than 2048 bytes";
  for (size_t i = 0; i < url.n; i++)
    if ((unsigned char)url.p[i] <= ' ' || (unsigned char)url.p[i] >= 0x7f)
      return "has a byte that no URL has";
  if (str_starts_with_nocase(url, STR("http://")))
    rest = str_skip(url, 7);
  else if (str_starts_with_nocase(url, STR("https://")))
    rest = str_skip(url, 8);
  else
    return "begins neither with http:// nor https://";
  struct str authority = str_take(rest, str_find_char(rest, '/', 0));
  authority = str_take(authority, str_find_char(authority, '?', 0));
  if (authority.n == 0 || authority.p[0] == ':') return "has no host";
  if (str_find_char(authority, '@', 0) < authority.n) return "has a name or password in it";
  if (str_find_char(rest, '#', 0) < rest.n) return "has a fragment (#)";
  return NULL;
}

static struct jwt_keys *parse(const struct keyset_spec *spec, struct str body,
                              char ret_why[KEYSET_WHY_BYTES]) {
  struct diags *diags = diags_new();
  struct jwt_keys *keys = NULL;
  snprintf(ret_why, KEYSET_WHY_BYTES, "out of memory");
  if (diags) keys = jwt_keys_parse(body, "the answer", JWT_KEYS_FETCHED, spec->algorithms, diags);
  if (!keys && diags && diags_size(diags) > 0)
    snprintf(ret_why, KEYSET_WHY_BYTES, "the answer is no JWKS of use: %s",
             diags_get(diags, 0)->message);
  diags_free(&diags);
  return keys;
}

static struct jwt_keys *fetch(const struct keyset_spec *spec, const atomic_bool *stop,
                              uint8_t ret_digest[DIGEST_BYTES], char ret_why[KEYSET_WHY_BYTES]) {
  const struct client_field accept = {STR("Accept"),
                                      STR("application/json, application/jwk-set+json")};
  const struct client_request request = {.url = spec->url.p,
                                         .fields = &accept,
                                         .field_count = 1,
                                         .connect_timeout_ms = spec->timeout_ms,
                                         .timeout_ms = spec->timeout_ms,
                                         .body_limit_bytes = JWT_KEY_FILE_MAX,
                                         .stop = stop};
  struct client_response response;
  struct jwt_keys *keys = NULL;
  if (client_fetch(&request, &response) != CLIENT_DONE)
    snprintf(ret_why, KEYSET_WHY_BYTES, "%s", response.why);
  else if (response.status != 200)
    snprintf(ret_why, KEYSET_WHY_BYTES, "the answer has status %d, not 200", response.status);
  else if (crypto_sha256(text_str(&response.body), ret_digest))
    keys = parse(spec, text_str(&response.body), ret_why);
  else
    snprintf(ret_why, KEYSET_WHY_BYTES, "out of memory");
  client_response_deinit(&response);
  return keys;
}

struct jwt_keys *keyset_fetch(const struct keyset_spec *spec, const atomic_bool *stop,
                              char ret_why[KEYSET_WHY_BYTES]) {
  uint8_t digest[DIGEST_BYTES];
  return fetch(spec, stop, digest, ret_why);
}

/* ---- the thread ------------------------------------------------------------------------------ */

static void keyset_free(struct keyset *keyset) {
  jwt_keys_unref(&keyset->keys);
  free(keyset->url);
  free(keyset);
}

static void unlink_keyset(struct keysets *keysets, struct keyset *keyset) {
  struct keyset **at = &keysets->first;
  while (*at != keyset) at = &(*at)->next;
  *at = keyset->next;
}

static struct keyset *due_first(const struct keysets *keysets) {
  struct keyset *first = keysets->first;
  for (struct keyset *keyset = first; keyset; keyset = keyset->next)
    if (keyset->due_ms < first->due_ms) first = keyset;
  return first;
}

/* With the mutex held. Takes `keys` over; NULL: they could not be fetched. Returns whether what was
 * there has changed. */
static bool store(struct keyset *keyset, struct jwt_keys *keys,
                  const uint8_t digest[DIGEST_BYTES]) {
  const struct keyset_spec *spec = &keyset->spec;
  const int64_t now_ms = clock_monotonic_ms();
  const int64_t pause_ms =
      keys || spec->refresh_ms < spec->retry_ms ? spec->refresh_ms : spec->retry_ms;
  keyset->tried = true;
  keyset->due_ms = now_ms + pause_ms;
  atomic_store(&keyset->wanted_from_ms, now_ms + spec->retry_ms);
  if (!keys) return false;
  if (keyset->keys && memcmp(keyset->digest, digest, DIGEST_BYTES) == 0) {
    jwt_keys_unref(&keys);
    return false;
  }
  bool had_some = keyset->keys != NULL;
  jwt_keys_unref(&keyset->keys);
  keyset->keys = keys;
  memcpy(keyset->digest, digest, DIGEST_BYTES);
  atomic_fetch_add_explicit(&keyset->version, 1, memory_order_release);
  return had_some;
}

/* Without the query, which may hold a key. */
static struct str shown_url(const struct keyset *keyset) {
  const struct str url = str_from_cstr(keyset->url);
  return str_take(url, str_find_char(url, '?', 0));
}

/* Says that they are lost, and that they are found again: once each, however often it is tried. */
static void tell(struct keyset *keyset, bool found, bool changed, const char *why) {
  const struct str url = shown_url(keyset);
  if (!found && !keyset->is_lost)
    log_write(LOG_WARNING, "the keys of tokens cannot be fetched from '%.*s': %s%s", STR_ARG(url),
              why, keyset->keys ? "; the last ones stay" : "; no token is taken until they are");
  if (found && keyset->is_lost)
    log_write(LOG_INFO, "the keys of tokens can be fetched from '%.*s' again", STR_ARG(url));
  if (changed) log_write(LOG_INFO, "the keys of tokens at '%.*s' have changed", STR_ARG(url));
  keyset->is_lost = !found;
}

/* With the mutex held, which is let go for the fetch. */
static void renew(struct keysets *keysets, struct keyset *keyset) {
  const struct keyset_spec spec = keyset->spec;
  uint8_t digest[DIGEST_BYTES] = {0};
  char why[KEYSET_WHY_BYTES] = "";
  keyset->busy = true;
  atomic_store(&keyset->wanted_from_ms, INT64_MAX);
  pthread_mutex_unlock(&keysets->mutex);
  struct jwt_keys *keys = fetch(&spec, &keysets->stop, digest, why);
  pthread_mutex_lock(&keysets->mutex);
  const bool found = keys != NULL;
  const bool changed = store(keyset, keys, digest);
  keyset->busy = false;
  if (!atomic_load(&keysets->stop)) tell(keyset, found, changed, why);
  if (keyset->refs == 0) {
    unlink_keyset(keysets, keyset);
    keyset_free(keyset);
  }
  pthread_cond_broadcast(&keysets->tried);
}

static void wait_until(pthread_cond_t *condition, pthread_mutex_t *mutex, int64_t due_ms) {
  struct timespec until = {.tv_sec = due_ms / 1000, .tv_nsec = due_ms % 1000 * 1000000};
  (void)pthread_cond_timedwait(condition, mutex, &until);
}

static void *thread_main(void *argument) {
  struct keysets *keysets = argument;
  pthread_mutex_lock(&keysets->mutex);
  while (!atomic_load(&keysets->stop)) {
    struct keyset *keyset = due_first(keysets);
    if (!keyset)
      pthread_cond_wait(&keysets->wake, &keysets->mutex);
    else if (keyset->due_ms > clock_monotonic_ms())
      wait_until(&keysets->wake, &keysets->mutex, keyset->due_ms);
    else
      renew(keysets, keyset);
  }
  pthread_mutex_unlock(&keysets->mutex);
  return NULL;
}

struct keysets *keysets_new(void) {
  struct keysets *keysets = calloc(1, sizeof(*keysets));
  if (!keysets) return NULL;
  pthread_condattr_t monotonic;
  pthread_condattr_init(&monotonic);
  pthread_condattr_setclock(&monotonic, CLOCK_MONOTONIC);
  pthread_mutex_init(&keysets->mutex, NULL);
  pthread_cond_init(&keysets->wake, &monotonic);
  pthread_cond_init(&keysets->tried, &monotonic);
  pthread_condattr_destroy(&monotonic);
  return keysets;
}

void keysets_free(struct keysets **keysets) {
  struct keysets *gone = *keysets;
  *keysets = NULL;
  if (!gone) return;
  pthread_mutex_lock(&gone->mutex);
  atomic_store(&gone->stop, true);
  pthread_cond_signal(&gone->wake);
  pthread_mutex_unlock(&gone->mutex);
  if (gone->has_thread) pthread_join(gone->thread, NULL);
  while (gone->first) {
    struct keyset *keyset = gone->first;
    gone->first = keyset->next;
    keyset_free(keyset);
  }
  pthread_cond_destroy(&gone->wake);
  pthread_cond_destroy(&gone->tried);
  pthread_mutex_destroy(&gone->mutex);
  free(gone);
}

/* ---- key sets -------------------------------------------------------------------------------- */

static struct keyset *find(struct keysets *keysets, const struct keyset_spec *spec) {
  struct keyset *keyset = keysets->first;
  while (keyset &&
         !(str_eq(keyset->spec.url, spec->url) && keyset->spec.algorithms == spec->algorithms)) {
    keyset = keyset->next;
  }
  return keyset;
}

/* With the mutex held. */
static struct keyset *make(struct keysets *keysets, const struct keyset_spec *spec) {
  if (!keysets->has_thread)
    keysets->has_thread = pthread_create(&keysets->thread, NULL, thread_main, keysets) == 0;
  struct keyset *keyset = keysets->has_thread ? calloc(1, sizeof(*keyset)) : NULL;
  if (!keyset) return NULL;
  keyset->url = strndup(spec->url.p, spec->url.n);
  if (!keyset->url) {
    free(keyset);
    return NULL;
  }
  keyset->due_ms = clock_monotonic_ms();
  keyset->next = keysets->first;
  keysets->first = keyset;
  return keyset;
}

struct keyset *keyset_ref(struct keysets *keysets, const struct keyset_spec *spec) {
  pthread_mutex_lock(&keysets->mutex);
  struct keyset *keyset = find(keysets, spec);
  if (!keyset) keyset = make(keysets, spec);
  if (keyset) {
    const int64_t due_ms = clock_monotonic_ms() + spec->refresh_ms;
    keyset->refs++;
    keyset->spec = *spec;
    keyset->spec.url = str_from_cstr(keyset->url);
    if (keyset->due_ms > due_ms) keyset->due_ms = due_ms;
    pthread_cond_signal(&keysets->wake);
  }
  pthread_mutex_unlock(&keysets->mutex);
  return keyset;
}

void keyset_unref(struct keysets *keysets, struct keyset **keyset) {
  struct keyset *gone = *keyset;
  *keyset = NULL;
  if (!gone) return;
  pthread_mutex_lock(&keysets->mutex);
  if (--gone->refs == 0 && !gone->busy) {
    unlink_keyset(keysets, gone);
    keyset_free(gone);
  }
  pthread_mutex_unlock(&keysets->mutex);
}

unsigned keyset_version(const struct keyset *keyset) {
  return atomic_load_explicit(&keyset->version, memory_order_acquire);
}

struct jwt_keys *keyset_keys(struct keysets *keysets, struct keyset *keyset,
                             unsigned *ret_version) {
  pthread_mutex_lock(&keysets->mutex);
  struct jwt_keys *keys = jwt_keys_ref(keyset->keys);
  *ret_version = keyset_version(keyset);
  pthread_mutex_unlock(&keysets->mutex);
  return keys;
}

void keyset_want(struct keysets *keysets, struct keyset *keyset) {
  const int64_t now_ms = clock_monotonic_ms();
  if (now_ms < atomic_load_explicit(&keyset->wanted_from_ms, memory_order_relaxed)) return;
  pthread_mutex_lock(&keysets->mutex);
  if (!keyset->busy && keyset->due_ms > now_ms) {
    keyset->due_ms = now_ms;
    pthread_cond_signal(&keysets->wake);
  }
  atomic_store(&keyset->wanted_from_ms, INT64_MAX); /* until it has been fetched */
  pthread_mutex_unlock(&keysets->mutex);
}

void keyset_wait_first(struct keysets *keysets, struct keyset *keyset, int64_t timeout_ms) {
  const int64_t until_ms = clock_monotonic_ms() + timeout_ms;
  pthread_mutex_lock(&keysets->mutex);
  while (!keyset->tried && clock_monotonic_ms() < until_ms)
    wait_until(&keysets->tried, &keysets->mutex, until_ms);
  pthread_mutex_unlock(&keysets->mutex);
}
