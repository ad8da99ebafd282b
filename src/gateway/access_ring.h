/*
 * access_ring: lines on their way from one thread to another, without a lock.
 *
 * One producer, one consumer, a fixed room. A line goes in whole or not at all, so what is in it
 * are whole lines; the consumer sees bytes, and may take them in any pieces.
 */
#ifndef ADIT_GATEWAY_ACCESS_RING_H
#define ADIT_GATEWAY_ACCESS_RING_H

#include <stdalign.h>
#include <stdatomic.h>

#include "adit/str.h"

enum { ACCESS_RING_LINE = 64 }; /* bytes that processors share as one */

/* Both positions only grow; their difference is what is in it. */
struct access_ring {
  char *bytes;
  size_t capacity;                                  /* a power of two */
  alignas(ACCESS_RING_LINE) _Atomic size_t written; /* by the producer */
  size_t taken_seen;                              /* the producer's: what it last saw of `taken` */
  alignas(ACCESS_RING_LINE) _Atomic size_t taken; /* by the consumer */
};

/* `capacity` is a power of two. False: memory; deinit in any case. */
bool access_ring_init(struct access_ring *ring, size_t capacity)
    __attribute__((warn_unused_result));
void access_ring_deinit(struct access_ring *ring);

/* The producer: puts a line in. False: it has no room. */
bool access_ring_push(struct access_ring *ring, struct str line)
    __attribute__((warn_unused_result));
/* Either: how many bytes are in it, or were a moment ago. */
size_t access_ring_size(const struct access_ring *ring);

/* The consumer: the bytes that are next, as far as they lie in one piece. Empty: there are none.
 * They stay until they are consumed. */
struct str access_ring_peek(const struct access_ring *ring);
/* The next line without its end, where there is one: a view of the ring, or of `buffer` when it
 * lies in two pieces, cut where that ends. *ret_n: its bytes in the ring, to be consumed. */
struct str access_ring_line(const struct access_ring *ring, char *buffer, size_t capacity,
                            size_t *ret_n);
void access_ring_consume(struct access_ring *ring, size_t n);

#endif
