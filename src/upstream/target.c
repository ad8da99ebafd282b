/*
 * target: one address and port, and its idle connections. Belongs to one worker.
 */
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "adit/hash.h"
#include "target.h"

enum { TABLE_BUCKETS = 256 };

struct target_table {
  struct target *buckets[TABLE_BUCKETS];
};

struct target_table *target_table_new(void) {
  return calloc(1, sizeof(struct target_table));
}

void target_table_free(struct target_table **table) {
  free(*table);
  *table = NULL;
}

static struct target **bucket_of(struct target_table *table, const struct ip_address *ip,
                                 uint16_t port) {
  return &table->buckets[murmur3_x86_32(ip->bytes, sizeof(ip->bytes), port) % TABLE_BUCKETS];
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

struct target *target_get(struct target_table *table, const struct ip_address *ip, uint16_t port) {
  struct target **bucket = bucket_of(table, ip, port);
  for (struct target *target = *bucket; target; target = target->hash_next) {
    if (target->port == port && ip_eq(&target->ip, ip)) {
      target->refs++;
      return target;
    }
  }
  struct target *target = calloc(1, sizeof(*target));
  if (!target) return NULL;
  target->ip = *ip;
  target->port = port;
  target->refs = 1;
  target->idle.previous = target->idle.next = &target->idle;
  address_fill(target);
  char buffer[48];
  struct str text = ip_format(ip, buffer, sizeof(buffer));
  snprintf(target->text, sizeof(target->text), ip_is_v4(ip) ? "%.*s:%u" : "[%.*s]:%u",
           STR_ARG(text), port);
  target->hash_next = *bucket;
  *bucket = target;
  return target;
}

void target_ref(struct target *target) {
  target->refs++;
}

void target_unref(struct target_table *table, struct target **target) {
  struct target *gone = *target;
  *target = NULL;
  if (!gone || --gone->refs > 0) return;
  for (struct target **at = bucket_of(table, &gone->ip, gone->port); *at; at = &(*at)->hash_next) {
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
  (void)setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on));
  const struct sockaddr *address = (const struct sockaddr *)(const void *)&target->address;
  if (connect(fd, address, target->address_length) == 0 || errno == EINPROGRESS) return fd;
  int error = errno;
  (void)close(fd);
  return -error;
}
