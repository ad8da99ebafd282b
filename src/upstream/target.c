/*
 * target: one address and port or Unix socket, and its idle connections. Belongs to one worker.
 */
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/un.h>
#include <unistd.h>

#include "adit/hash.h"
#include "target.h"

enum { TABLE_BUCKETS = 256 };

struct target_table {
  struct target *buckets[TABLE_BUCKETS];
  int64_t ejected_until_ms;
};

struct target_table *target_table_new(void) {
  return calloc(1, sizeof(struct target_table));
}

void target_table_free(struct target_table **table) {
  free(*table);
  *table = NULL;
}

int64_t target_table_ejected_until_ms(const struct target_table *table) {
  return table->ejected_until_ms;
}

void target_table_note_ejection(struct target_table *table, int64_t until_ms) {
  if (until_ms > table->ejected_until_ms) table->ejected_until_ms = until_ms;
}

/* Unix sockets are told apart by their texts, addresses by what they are. */
static struct target **bucket_of(struct target_table *table, const struct target *target) {
  bool is_unix = target->address.ss_family == AF_UNIX;
  const void *key = is_unix ? (const void *)target->text : target->ip.bytes;
  size_t n = is_unix ? strlen(target->text) : sizeof(target->ip.bytes);
  return &table->buckets[murmur3_x86_32(key, n, target->port) % TABLE_BUCKETS];
}

static bool is_same(const struct target *a, const struct target *b) {
  if (a->address.ss_family == AF_UNIX || b->address.ss_family == AF_UNIX)
    return strcmp(a->text, b->text) == 0;
  return a->port == b->port && ip_eq(&a->ip, &b->ip);
}

static void address_fill(struct target *target) {
  if (ip_is_v4(&target->ip)) {
    struct sockaddr_in *in = (struct sockaddr_in *)(void *)&target->address;
    in->sin_family = AF_INET;
    in->sin_port = htons(target->port);
    memcpy(&in->sin_addr, target->ip.bytes + 12, 4);
    target->address_length = sizeof(*in);
    return;
  }
  struct sockaddr_in6 *in6 = (struct sockaddr_in6 *)(void *)&target->address;
  in6->sin6_family = AF_INET6;
  in6->sin6_port = htons(target->port);
  memcpy(&in6->sin6_addr, target->ip.bytes, 16);
  target->address_length = sizeof(*in6);
}

/* A reference to the target that is as `wanted`. */
static struct target *find_or_add(struct target_table *table, const struct target *wanted) {
  struct target **bucket = bucket_of(table, wanted);
  for (struct target *target = *bucket; target; target = target->hash_next) {
    if (!is_same(target, wanted)) continue;
    target->refs++;
    return target;
  }
  struct target *target = malloc(sizeof(*target));
  if (!target) return NULL;
  *target = *wanted;
  target->refs = 1;
  target->idle.previous = target->idle.next = &target->idle;
  target->hash_next = *bucket;
  *bucket = target;
  return target;
}

struct target *target_get(struct target_table *table, const struct ip_address *ip, uint16_t port) {
  struct target wanted = {.ip = *ip, .port = port};
  char buffer[48];
  struct str text = ip_format(ip, buffer, sizeof(buffer));
  snprintf(wanted.text, sizeof(wanted.text), ip_is_v4(ip) ? "%.*s:%u" : "[%.*s]:%u", STR_ARG(text),
           port);
  address_fill(&wanted);
  return find_or_add(table, &wanted);
}

struct target *target_get_unix(struct target_table *table, struct str path) {
  struct target wanted = {0};
  struct sockaddr_un *un = (struct sockaddr_un *)(void *)&wanted.address;
  un->sun_family = AF_UNIX;
  memcpy(un->sun_path, path.p, path.n);
  wanted.address_length = (socklen_t)(offsetof(struct sockaddr_un, sun_path) + path.n + 1);
  snprintf(wanted.text, sizeof(wanted.text), "unix:%.*s", STR_ARG(path));
  return find_or_add(table, &wanted);
}

void target_ref(struct target *target) {
  target->refs++;
}

void target_unref(struct target_table *table, struct target **target) {
  struct target *gone = *target;
  *target = NULL;
  if (!gone || --gone->refs > 0) return;
  for (struct target **at = bucket_of(table, gone); *at; at = &(*at)->hash_next) {
    if (*at == gone) {
      *at = gone->hash_next;
      break;
    }
  }
  free(gone);
}

void target_idle_push(struct target *target, struct idle_link *link) {
  link->previous = &target->idle;
  link->next = target->idle.next;
  link->next->previous = link;
  target->idle.next = link;
  target->idle_count++;
}

void target_idle_remove(struct target *target, struct idle_link *link) {
  link->previous->next = link->next;
  link->next->previous = link->previous;
  link->previous = link->next = NULL;
  target->idle_count--;
}

struct idle_link *target_idle_pop(struct target *target) {
  struct idle_link *link = target->idle.next;
  if (link == &target->idle) return NULL;
  target_idle_remove(target, link);
  return link;
}

void target_note_timeout(struct target *target, int64_t now_ms) {
  target->avoid_until_ms = now_ms + TARGET_AVOID_MS;
}

int target_connect(const struct target *target) {
  int fd = socket(target->address.ss_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
  if (fd < 0) return -errno;
  int on = 1;
  if (target->address.ss_family != AF_UNIX)
    (void)setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on));
  const struct sockaddr *address = (const struct sockaddr *)(const void *)&target->address;
  if (connect(fd, address, target->address_length) == 0 || errno == EINPROGRESS) return fd;
  int error = errno;
  (void)close(fd);
  return -error;
}
