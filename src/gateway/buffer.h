/*
 * buffer: bytes on their way, in blocks that a worker reuses.
 *
 * A connection holds a block only while it has bytes; an idle one holds none. Blocks of the common
 * size are kept by the worker; a larger one, for a long head, goes back to the system.
 */
#ifndef ADIT_GATEWAY_BUFFER_H
#define ADIT_GATEWAY_BUFFER_H

#include "adit/str.h"

enum { BLOCK_BYTES = 16384, BLOCKS_KEPT_MAX = 1024 };

struct block_pool {
  struct free_block *free;
  size_t free_count;
};

struct buffer {
  char *p; /* NULL: holds no block */
  size_t capacity;
  size_t start; /* what is used of it: [start, end) */
  size_t end;
};

void block_pool_deinit(struct block_pool *pool);

static inline size_t buffer_size(const struct buffer *buffer) {
  return buffer->end - buffer->start;
}
static inline size_t buffer_room(const struct buffer *buffer) {
  return buffer->capacity - buffer->end;
}
static inline struct str buffer_str(const struct buffer *buffer) {
  return str_make(buffer->p + buffer->start, buffer->end - buffer->start);
}

/*
 * Makes room for `n` bytes at the end: takes a block, moves what is used to `base`, or grows to
 * hold base + size + n. Bytes before `base` stay where they are unless it grows. False: memory.
 */
bool buffer_reserve(struct block_pool *pool, struct buffer *buffer, size_t base, size_t n)
    __attribute__((warn_unused_result));
/* Gives the block back; the buffer is empty then. */
void buffer_release(struct block_pool *pool, struct buffer *buffer);

#endif
