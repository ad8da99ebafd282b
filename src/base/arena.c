/*
 * An arena is a list of blocks; `at`..`end` is the free part of the current one.
 *
 *   take         the fast path: bump inside the current block
 *   take_slow    a new block: current, twice as large as the one before; or, for what would fill a
 *                quarter of it, one of its own, so that the rest of the current block is not lost
 *   arena_reset  runs what was deferred, keeps the largest block that is not excessive
 *
 * `used` is counted as if all were one block, so that it does not depend on where blocks end. Under
 * ASan everything that was not given out is poisoned, and a gap follows each allocation.
 */
#include "adit/arena.h"

#include <stdio.h>
#include <stdlib.h>

#if defined(__SANITIZE_ADDRESS__)
#define ARENA_ASAN 1
#elif defined(__has_feature)
#if __has_feature(address_sanitizer)
#define ARENA_ASAN 1
#endif
#endif

#ifdef ARENA_ASAN
#include <sanitizer/asan_interface.h>
#define POISON(p, n)   ASAN_POISON_MEMORY_REGION((p), (n))
#define UNPOISON(p, n) ASAN_UNPOISON_MEMORY_REGION((p), (n))
enum { GAP = 8 };
#else
#define POISON(p, n)   ((void)(p), (void)(n))
#define UNPOISON(p, n) ((void)(p), (void)(n))
enum { GAP = 0 };
#endif

enum {
  ALIGN_ANY = alignof(max_align_t),
  FIRST_BLOCK_BYTES = 4000, /* with its header and malloc's it stays within a page */
  LARGEST_BLOCK_BYTES = 1 << 20,
  LARGEST_KEPT_BYTES = 1 << 18,
};

struct block {
  struct block *next;
  size_t capacity;
  alignas(max_align_t) char bytes[];
};

struct deferred {
  struct deferred *next;
  void (*free_fn)(void *object);
  void *object;
};

struct arena {
  char *at;
  char *end;
  size_t used;
  size_t limit_bytes;
  struct block *blocks;
  struct deferred *deferred;
  size_t next_block_bytes;
  bool failed;
};

struct arena *arena_new(size_t limit_bytes) {
  struct arena *arena = calloc(1, sizeof(*arena));
  if (!arena) return NULL;
  /* Far from SIZE_MAX, so that adding a padding never wraps around. */
  arena->limit_bytes = limit_bytes < PTRDIFF_MAX / 2 ? limit_bytes : PTRDIFF_MAX / 2;
  arena->next_block_bytes = FIRST_BLOCK_BYTES;
  return arena;
}

static void run_deferred(struct arena *arena) {
  while (arena->deferred) {
    struct deferred *last = arena->deferred;
    arena->deferred = last->next;
    last->free_fn(last->object);
  }
}

static struct block *block_to_keep(struct arena *arena) {
  struct block *keep = NULL;
  for (struct block *block = arena->blocks; block; block = block->next) {
    if (block->capacity > LARGEST_KEPT_BYTES) continue;
    if (!keep || block->capacity > keep->capacity) keep = block;
  }
  return keep;
}

static void free_blocks_except(struct arena *arena, struct block *keep) {
  struct block *block = arena->blocks;
  while (block) {
    struct block *next = block->next;
    if (block != keep) {
      UNPOISON(block->bytes, block->capacity);
      free(block);
    }
    block = next;
  }
  arena->blocks = keep;
  if (keep) keep->next = NULL;
}

static size_t grown(size_t block_bytes) {
  return block_bytes < LARGEST_BLOCK_BYTES / 2 ? block_bytes * 2 : LARGEST_BLOCK_BYTES;
}

static void use_block(struct arena *arena, struct block *block) {
  arena->at = block ? block->bytes : NULL;
  arena->end = block ? block->bytes + block->capacity : NULL;
}

void arena_reset(struct arena *arena) {
  run_deferred(arena);
  struct block *keep = block_to_keep(arena);
  free_blocks_except(arena, keep);
  if (keep) POISON(keep->bytes, keep->capacity);
  use_block(arena, keep);
  arena->next_block_bytes = keep ? grown(keep->capacity) : FIRST_BLOCK_BYTES;
  arena->used = 0;
  arena->failed = false;
}

void arena_free(struct arena **arena) {
  if (!*arena) return;
  run_deferred(*arena);
  free_blocks_except(*arena, NULL);
  free(*arena);
  *arena = NULL;
}

bool arena_failed(const struct arena *arena) {
  return arena->failed;
}

size_t arena_used(const struct arena *arena) {
  return arena->used;
}

static void *refuse(struct arena *arena) {
  arena->failed = true;
  return NULL;
}

static struct block *add_block(struct arena *arena, size_t capacity) {
  struct block *block = malloc(sizeof(*block) + capacity);
  if (!block) return NULL;
  block->next = arena->blocks;
  block->capacity = capacity;
  arena->blocks = block;
  arena->next_block_bytes = grown(arena->next_block_bytes);
  POISON(block->bytes, capacity);
  return block;
}

/* `left` is what the limit still allows, `n` included. */
static char *take_slow(struct arena *arena, size_t n, size_t left) {
  size_t planned = arena->next_block_bytes < left ? arena->next_block_bytes : left;
  bool of_its_own = n > planned / 4;
  struct block *block = add_block(arena, (of_its_own ? n : planned) + GAP);
  if (!block) return refuse(arena);
  if (!of_its_own) {
    use_block(arena, block);
    arena->at += n + GAP;
  }
  return block->bytes;
}

static inline size_t padding(uintptr_t position, size_t align) {
  return (size_t)(-position & (align - 1));
}

/* Bytes as they are; `align` is a power of two, at most ALIGN_ANY. */
static char *take(struct arena *arena, size_t n, size_t align) {
  size_t start = arena->used + padding(arena->used, align);
  if (start > arena->limit_bytes || n > arena->limit_bytes - start) return refuse(arena);
  size_t skip = padding((uintptr_t)arena->at, align) + GAP;
  size_t room = (size_t)(arena->end - arena->at);
  char *p;
  if (arena->at && n <= room && skip <= room - n) {
    p = arena->at + skip - GAP;
    arena->at = p + n + GAP;
  } else {
    p = take_slow(arena, n, arena->limit_bytes - start);
    if (!p) return NULL;
  }
  arena->used = start + n;
  UNPOISON(p, n);
  return p;
}

void *arena_alloc(struct arena *arena, size_t n) {
  char *p = take(arena, n, ALIGN_ANY);
  return p ? memset(p, 0, n) : NULL;
}

void *arena_alloc_array(struct arena *arena, size_t count, size_t size) {
  size_t n;
  if (__builtin_mul_overflow(count, size, &n)) return refuse(arena);
  return arena_alloc(arena, n);
}

static char *take_text(struct arena *arena, size_t n) {
  if (n == SIZE_MAX) return refuse(arena);
  char *p = take(arena, n + 1, 1);
  if (p) p[n] = '\0';
  return p;
}

struct str arena_dup(struct arena *arena, struct str s) {
  char *p = take_text(arena, s.n);
  if (!p) return str_make(NULL, 0);
  if (s.n > 0) memcpy(p, s.p, s.n);
  return str_make(p, s.n);
}

struct str arena_vprintf(struct arena *arena, const char *format, va_list args) {
  char brief[256];
  va_list again;
  va_copy(again, args);
  int length = vsnprintf(brief, sizeof(brief), format, args);
  char *p = length < 0 ? refuse(arena) : take_text(arena, (size_t)length);
  if (p && (size_t)length < sizeof(brief)) {
    memcpy(p, brief, (size_t)length);
  } else if (p) {
    (void)vsnprintf(p, (size_t)length + 1, format, again);
  }
  va_end(again);
  return str_make(p, p ? (size_t)length : 0);
}

struct str arena_printf(struct arena *arena, const char *format, ...) {
  va_list args;
  va_start(args, format);
  struct str s = arena_vprintf(arena, format, args);
  va_end(args);
  return s;
}

bool arena_defer(struct arena *arena, void (*free_fn)(void *object), void *object) {
  struct deferred *deferred = ARENA_NEW(arena, struct deferred);
  if (!deferred) {
    free_fn(object);
    return false;
  }
  *deferred = (struct deferred){arena->deferred, free_fn, object};
  arena->deferred = deferred;
  return true;
}

/* `items` points at a pointer of another type, hence memcpy: C's aliasing rules allow that. */
bool vec_reserve(struct arena *arena, void **items, size_t n, size_t *capacity, size_t size) {
  if (n < *capacity) return true;
  size_t wanted = 8;
  size_t bytes;
  if ((*capacity >= 8 && __builtin_mul_overflow(*capacity, 2, &wanted)) ||
      __builtin_mul_overflow(wanted, size, &bytes)) {
    (void)refuse(arena);
    return false;
  }
  char *larger = take(arena, bytes, ALIGN_ANY);
  if (!larger) return false;
  char *old;
  memcpy(&old, items, sizeof(old));
  if (n > 0) memcpy(larger, old, n * size);
  memcpy(items, &larger, sizeof(larger));
  *capacity = wanted;
  return true;
}
