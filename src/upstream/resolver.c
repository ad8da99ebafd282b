/*
 * resolver: threads that keep host names' addresses fresh.
 *
 * Names are in a list under one mutex. A thread takes the name that is due first, looks it up
 * without the mutex, and stores what it got. There are several, as a look-up may hang for long, and
 * one name's server must not hold up the others. Workers see that something changed by a counter
 * and take the mutex only then.
 */
#include <errno.h>
#include <netdb.h>
#include <netinet/in.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <time.h>

#include "adit/log.h"
#include "adit/units.h"
#include "adit/upstream.h"

enum {
  RETRY_MS = 1000, /* after a failure, at most */
  STOP_WAIT_MS = 200,
  THREADS = 4
};

struct resolved_name {
  char *host;
  unsigned refs;
  atomic_uint version;
  struct ip_address *addresses;
  size_t address_count;
  int64_t looked_up_ms, due_ms;
  bool tried;
  bool is_lost; /* the last look-up found nothing */
  bool busy;    /* being looked up: that thread frees it when refs is 0 */
  struct resolved_name *next;
};

struct resolver {
  pthread_t threads[THREADS];
  unsigned thread_count;
  pthread_mutex_t mutex;
  pthread_cond_t wake;  /* for the threads */
  pthread_cond_t tried; /* for resolver_wait_first */
  struct resolved_name *names;
  int64_t
      refresh_ms; /* getaddrinfo() tells no TTL; this is what a headless Service's change costs */
  bool stop;
};

static void name_free(struct resolved_name *name) {
  free(name->host);
  free(name->addresses);
  free(name);
}

static bool address_is_known(const struct ip_address *set, size_t n, const struct ip_address *one) {
  for (size_t i = 0; i < n; i++)
    if (ip_eq(&set[i], one)) return true;
  return false;
}

static bool address_from(const struct addrinfo *info, struct ip_address *ret) {
  if (info->ai_family == AF_INET) {
    const struct sockaddr_in *in = (const struct sockaddr_in *)(const void *)info->ai_addr;
    *ret = (struct ip_address){.bytes = {[10] = 0xff, [11] = 0xff}};
    memcpy(ret->bytes + 12, &in->sin_addr, 4);
    return true;
  }
  if (info->ai_family == AF_INET6) {
    const struct sockaddr_in6 *in6 = (const struct sockaddr_in6 *)(const void *)info->ai_addr;
    memcpy(ret->bytes, &in6->sin6_addr, 16);
    return true;
  }
  return false;
}

static int address_compare(const void *a, const void *b) {
  return memcmp(a, b, sizeof(struct ip_address));
}

/* Sorted and without doubles, so that an answer in another order is not a change. */
static size_t look_up(const char *host, struct ip_address *ret, const char **ret_why) {
  struct addrinfo hints = {.ai_family = AF_UNSPEC, .ai_socktype = SOCK_STREAM};
  struct addrinfo *answer = NULL;
  int error = getaddrinfo(host, NULL, &hints, &answer);
  *ret_why = error ? gai_strerror(error) : "it has no address";
  if (error) return 0;
  size_t n = 0;
  for (const struct addrinfo *info = answer; info && n < RESOLVED_ADDRESSES_MAX;
       info = info->ai_next) {
    struct ip_address one;
    if (address_from(info, &one) && !address_is_known(ret, n, &one)) ret[n++] = one;
  }
  freeaddrinfo(answer);
  qsort(ret, n, sizeof(*ret), address_compare);
  return n;
}

/* With the mutex held. An empty answer and one that cannot be kept leave the last good set. */
static void name_store(struct resolved_name *name, const struct ip_address *addresses, size_t n,
                       int64_t refresh_ms) {
  const int64_t retry_ms = refresh_ms < RETRY_MS ? refresh_ms : RETRY_MS;
  name->tried = true;
  name->looked_up_ms = clock_monotonic_ms();
  name->due_ms = name->looked_up_ms + (n > 0 ? refresh_ms : retry_ms);
  if (n == 0) return;
  if (n == name->address_count && memcmp(name->addresses, addresses, n * sizeof(*addresses)) == 0)
    return;
  struct ip_address *copy = malloc(n * sizeof(*copy));
  if (!copy) return;
  memcpy(copy, addresses, n * sizeof(*copy));
  free(name->addresses);
  name->addresses = copy;
  name->address_count = n;
  atomic_fetch_add_explicit(&name->version, 1, memory_order_relaxed);
}

/* Says that a name is lost, and that it is found again: once each, however often it is tried. The
 * thread's own; the mutex is not needed. */
static void name_log(struct resolved_name *name, bool found, const char *why) {
  if (name->is_lost == !found) return;
  name->is_lost = !found;
  if (found)
    log_write(LOG_INFO, "host '%s' can be resolved again", name->host);
  else
    log_write(LOG_WARNING, "host '%s' cannot be resolved: %s%s", name->host, why,
              name->address_count > 0 ? "; its last addresses stay" : "");
}

static struct resolved_name *name_due_first(const struct resolver *resolver) {
  struct resolved_name *first = NULL;
  for (struct resolved_name *name = resolver->names; name; name = name->next)
    if (!name->busy && (!first || name->due_ms < first->due_ms)) first = name;
  return first;
}

static void wait_until(struct resolver *resolver, int64_t due_ms) {
  struct timespec until = {.tv_sec = due_ms / 1000, .tv_nsec = due_ms % 1000 * 1000000};
  (void)pthread_cond_timedwait(&resolver->wake, &resolver->mutex, &until);
}

static void name_remove(struct resolver *resolver, struct resolved_name *name) {
  for (struct resolved_name **at = &resolver->names; *at; at = &(*at)->next) {
    if (*at == name) {
      *at = name->next;
      return;
    }
  }
}

static void *resolver_main(void *argument) {
  struct resolver *resolver = argument;
  struct ip_address found[RESOLVED_ADDRESSES_MAX];
  pthread_mutex_lock(&resolver->mutex);
  while (!resolver->stop) {
    struct resolved_name *name = name_due_first(resolver);
    if (!name) {
      pthread_cond_wait(&resolver->wake, &resolver->mutex);
      continue;
    }
    if (name->due_ms > clock_monotonic_ms()) {
      wait_until(resolver, name->due_ms);
      continue;
    }
    name->busy = true;
    pthread_mutex_unlock(&resolver->mutex);
    const char *why = "";
    size_t n = look_up(name->host, found, &why);
    name_log(name, n > 0, why);
    pthread_mutex_lock(&resolver->mutex);
    name->busy = false;
    name_store(name, found, n, resolver->refresh_ms);
    if (name->refs == 0) {
      name_remove(resolver, name);
      name_free(name);
    }
    pthread_cond_broadcast(&resolver->tried);
  }
  pthread_mutex_unlock(&resolver->mutex);
  return NULL;
}

struct resolver *resolver_start(int64_t refresh_ms) {
  struct resolver *resolver = calloc(1, sizeof(*resolver));
  if (!resolver) return NULL;
  resolver->refresh_ms = refresh_ms;
  pthread_condattr_t monotonic;
  pthread_condattr_init(&monotonic);
  pthread_condattr_setclock(&monotonic, CLOCK_MONOTONIC);
  pthread_mutex_init(&resolver->mutex, NULL);
  pthread_cond_init(&resolver->wake, &monotonic);
  pthread_cond_init(&resolver->tried, &monotonic);
  pthread_condattr_destroy(&monotonic);
  while (resolver->thread_count < THREADS &&
         pthread_create(&resolver->threads[resolver->thread_count], NULL, resolver_main,
                        resolver) == 0)
    resolver->thread_count++;
  if (resolver->thread_count > 0) return resolver;
  free(resolver);
  return NULL;
}

void resolver_set_refresh(struct resolver *resolver, int64_t refresh_ms) {
  pthread_mutex_lock(&resolver->mutex);
  resolver->refresh_ms = refresh_ms;
  for (struct resolved_name *name = resolver->names; name; name = name->next)
    if (name->due_ms > name->looked_up_ms + refresh_ms)
      name->due_ms = name->looked_up_ms + refresh_ms;
  pthread_cond_signal(&resolver->wake);
  pthread_mutex_unlock(&resolver->mutex);
}

void resolver_stop(struct resolver **resolver) {
  struct resolver *gone = *resolver;
  *resolver = NULL;
  if (!gone) return;
  pthread_mutex_lock(&gone->mutex);
  gone->stop = true;
  pthread_cond_broadcast(&gone->wake);
  pthread_mutex_unlock(&gone->mutex);
  struct timespec until;
  clock_gettime(CLOCK_REALTIME, &until);
  until.tv_nsec += STOP_WAIT_MS * 1000000L;
  until.tv_sec += until.tv_nsec / 1000000000L;
  until.tv_nsec %= 1000000000L;
  /* A look-up cannot be interrupted. The process is about to end: what a thread still uses is
   * left to it. */
  bool all_ended = true;
  for (unsigned i = 0; i < gone->thread_count; i++)
    all_ended = pthread_timedjoin_np(gone->threads[i], NULL, &until) == 0 && all_ended;
  if (!all_ended) return;
  while (gone->names) {
    struct resolved_name *name = gone->names;
    gone->names = name->next;
    name_free(name);
  }
  pthread_cond_destroy(&gone->wake);
  pthread_cond_destroy(&gone->tried);
  pthread_mutex_destroy(&gone->mutex);
  free(gone);
}

static struct resolved_name *name_new(struct str host) {
  struct resolved_name *name = calloc(1, sizeof(*name));
  if (!name) return NULL;
  name->host = strndup(host.p, host.n);
  if (!name->host) {
    free(name);
    return NULL;
  }
  return name;
}

struct resolved_name *resolver_name_ref(struct resolver *resolver, struct str host) {
  pthread_mutex_lock(&resolver->mutex);
  struct resolved_name *name = resolver->names;
  while (name && !str_eq_nocase(str_from_cstr(name->host), host)) name = name->next;
  if (!name) {
    name = name_new(host);
    if (name) {
      name->next = resolver->names;
      resolver->names = name;
      pthread_cond_signal(&resolver->wake);
    }
  }
  if (name) name->refs++;
  pthread_mutex_unlock(&resolver->mutex);
  return name;
}

void resolver_name_unref(struct resolver *resolver, struct resolved_name **name) {
  struct resolved_name *gone = *name;
  *name = NULL;
  if (!gone) return;
  pthread_mutex_lock(&resolver->mutex);
  if (--gone->refs == 0 && !gone->busy) {
    name_remove(resolver, gone);
    name_free(gone);
  }
  pthread_mutex_unlock(&resolver->mutex);
}

unsigned resolved_name_version(const struct resolved_name *name) {
  return atomic_load_explicit(&name->version, memory_order_relaxed);
}

size_t resolved_name_read(struct resolver *resolver, struct resolved_name *name,
                          struct ip_address *ret, size_t capacity, unsigned *ret_version) {
  pthread_mutex_lock(&resolver->mutex);
  size_t n = name->address_count < capacity ? name->address_count : capacity;
  if (n > 0) memcpy(ret, name->addresses, n * sizeof(*ret));
  *ret_version = resolved_name_version(name);
  pthread_mutex_unlock(&resolver->mutex);
  return n;
}

static bool all_tried(const struct resolver *resolver) {
  for (const struct resolved_name *name = resolver->names; name; name = name->next)
    if (!name->tried) return false;
  return true;
}

void resolver_wait_first(struct resolver *resolver, int timeout_ms) {
  int64_t until_ms = clock_monotonic_ms() + timeout_ms;
  struct timespec until = {.tv_sec = until_ms / 1000, .tv_nsec = until_ms % 1000 * 1000000};
  pthread_mutex_lock(&resolver->mutex);
  int waited = 0;
  while (waited == 0 && !all_tried(resolver))
    waited = pthread_cond_timedwait(&resolver->tried, &resolver->mutex, &until);
  pthread_mutex_unlock(&resolver->mutex);
}

/* ---- names of a configuration ---------------------------------------------------------------- */

struct name_set {
  size_t n;
  struct resolved_name *items[];
};

static bool is_name(const struct config_endpoint *endpoint) {
  return !endpoint->is_address && !endpoint->is_unix;
}

static size_t count_names(const struct config *config) {
  size_t n = 0;
  for (size_t u = 0; u < config->upstream_count; u++)
    for (size_t i = 0; i < config->upstreams[u].endpoint_count; i++)
      n += is_name(&config->upstreams[u].endpoints[i]);
  return n;
}

struct name_set *name_set_new(struct resolver *resolver, const struct config *config) {
  struct name_set *set = calloc(1, sizeof(*set) + count_names(config) * sizeof(*set->items));
  if (!set) return NULL;
  for (size_t u = 0; u < config->upstream_count; u++) {
    const struct config_upstream *upstream = &config->upstreams[u];
    for (size_t i = 0; i < upstream->endpoint_count; i++) {
      if (!is_name(&upstream->endpoints[i])) continue;
      struct resolved_name *name = resolver_name_ref(resolver, upstream->endpoints[i].host);
      if (name) set->items[set->n++] = name;
    }
  }
  return set;
}

void name_set_free(struct resolver *resolver, struct name_set **set) {
  struct name_set *gone = *set;
  *set = NULL;
  if (!gone) return;
  for (size_t i = 0; i < gone->n; i++) resolver_name_unref(resolver, &gone->items[i]);
  free(gone);
}
