#include "access_ring.h"

#include <assert.h>
#include <stdlib.h>

bool access_ring_init(struct access_ring *ring, size_t capacity) {
  assert((capacity & (capacity - 1)) == 0);
  memset(ring, 0, sizeof(*ring));
  ring->capacity = capacity;
  ring->bytes = malloc(capacity);
  return ring->bytes != NULL;
}

void access_ring_deinit(struct access_ring *ring) {
  free(ring->bytes);
  ring->bytes = NULL;
}

static bool has_room(struct access_ring *ring, size_t written, size_t n) {
  if (n <= ring->capacity - (written - ring->taken_seen)) return true;
  /* Acquire: the consumer has read what was there before. */
  ring->taken_seen = atomic_load_explicit(&ring->taken, memory_order_acquire);
  return n <= ring->capacity - (written - ring->taken_seen);
}

bool access_ring_push(struct access_ring *ring, struct str line) {
  const size_t written = atomic_load_explicit(&ring->written, memory_order_relaxed);
  if (!has_room(ring, written, line.n)) return false;
  const size_t at = written & (ring->capacity - 1);
  const size_t first = line.n < ring->capacity - at ? line.n : ring->capacity - at;
  memcpy(ring->bytes + at, line.p, first);
  memcpy(ring->bytes, line.p + first, line.n - first);
  atomic_store_explicit(&ring->written, written + line.n, memory_order_release);
  return true;
}

size_t access_ring_size(const struct access_ring *ring) {
  /* In this order: in the other, the difference could be less than zero. */
  const size_t taken = atomic_load_explicit(&ring->taken, memory_order_acquire);
  return atomic_load_explicit(&ring->written, memory_order_acquire) - taken;
}

struct str access_ring_peek(const struct access_ring *ring) {
  const size_t n = access_ring_size(ring);
  const size_t at = atomic_load_explicit(&ring->taken, memory_order_relaxed) & (ring->capacity - 1);
  const size_t whole = ring->capacity - at;
  return str_make(ring->bytes + at, n < whole ? n : whole);
}

struct str access_ring_line(const struct access_ring *ring, char *buffer, size_t capacity,
                            size_t *ret_n) {
  const struct str first = access_ring_peek(ring);
  const size_t end = str_find_char(first, '\n', 0);
  if (end < first.n) {
    *ret_n = end + 1;
    return str_take(first, end);
  }
  struct str second = str_make(ring->bytes, access_ring_size(ring) - first.n);
  second = str_take(second, str_find_char(second, '\n', 0));
  *ret_n = first.n + second.n + 1;
  const size_t before = first.n < capacity ? first.n : capacity;
  second = str_take(second, capacity - before);
  memcpy(buffer, first.p, before);
  memcpy(buffer + before, second.p, second.n);
  return str_make(buffer, before + second.n);
}

void access_ring_consume(struct access_ring *ring, size_t n) {
  const size_t taken = atomic_load_explicit(&ring->taken, memory_order_relaxed);
  atomic_store_explicit(&ring->taken, taken + n, memory_order_release);
}
