#include "buffer.h"

#include <assert.h>
#include <stdlib.h>

struct free_block {
  struct free_block *next;
};

void block_pool_deinit(struct block_pool *pool) {
  while (pool->free) {
    struct free_block *block = pool->free;
    pool->free = block->next;
    free(block);
  }
  pool->free_count = 0;
}

static char *block_take(struct block_pool *pool) {
  struct free_block *block = pool->free;
  if (!block) return malloc(BLOCK_BYTES);
  pool->free = block->next;
  pool->free_count--;
  return (char *)block;
}

static void block_give(struct block_pool *pool, char *p, size_t capacity) {
  if (capacity != BLOCK_BYTES || pool->free_count >= BLOCKS_KEPT_MAX) {
    free(p);
    return;
  }
  struct free_block *block = (struct free_block *)(void *)p;
  block->next = pool->free;
  pool->free = block;
  pool->free_count++;
}

static bool buffer_grow(struct block_pool *pool, struct buffer *buffer, size_t need) {
  size_t capacity = buffer->capacity;
  while (capacity < need) {
    if (__builtin_mul_overflow(capacity, (size_t)2, &capacity)) return false;
  }
  char *p = malloc(capacity);
  if (!p) return false;
  memcpy(p, buffer->p, buffer->end);
  block_give(pool, buffer->p, buffer->capacity);
  buffer->p = p;
  buffer->capacity = capacity;
  return true;
}

bool buffer_reserve(struct block_pool *pool, struct buffer *buffer, size_t base, size_t n) {
  if (!buffer->p) {
    assert(base == 0);
    buffer->p = block_take(pool);
    if (!buffer->p) return false;
    buffer->capacity = BLOCK_BYTES;
    buffer->start = buffer->end = 0;
  }
  if (buffer_room(buffer) >= n) return true;
  assert(base <= buffer->start);
  if (buffer->start > base) {
    size_t used = buffer_size(buffer);
    memmove(buffer->p + base, buffer->p + buffer->start, used);
    buffer->start = base;
    buffer->end = base + used;
    if (buffer_room(buffer) >= n) return true;
  }
  size_t need;
  if (__builtin_add_overflow(buffer->end, n, &need)) return false;
  return buffer_grow(pool, buffer, need);
}

void buffer_release(struct block_pool *pool, struct buffer *buffer) {
  if (buffer->p) block_give(pool, buffer->p, buffer->capacity);
  *buffer = (struct buffer){0};
}
