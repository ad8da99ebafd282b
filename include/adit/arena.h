/*
 * arena: one bump allocator with a ceiling.
 *
 * Memory for things that live and die together: a snapshot, the rules of a file, one request. An
 * arena is given its limit at birth; reaching it, or the system's having no memory, gives NULL and
 * is remembered, so that a builder may check once at its end. Unused bytes are poisoned under ASan.
 */
#ifndef ADIT_ARENA_H
#define ADIT_ARENA_H

#include <stdalign.h>
#include <stdarg.h>

#include "adit/str.h"

struct arena;

/* A new arena that gives out at most `limit_bytes`. NULL: out of memory. Free with arena_free. */
struct arena *arena_new(size_t limit_bytes);
/* Frees it with all that came from it and nulls the pointer. A NULL inside is fine. */
void arena_free(struct arena **arena);
/* Takes everything back; keeps one block (of at most 256 KiB) for reuse, so that a steady user does
 * not allocate. */
void arena_reset(struct arena *arena);
/* Whether an allocation was refused since the last reset. */
bool arena_failed(const struct arena *arena);
/* Bytes given out since the last reset, padding included. */
size_t arena_used(const struct arena *arena);

/* `n` zeroed bytes, aligned for any type. NULL: limit or memory (n == 0 gives a valid pointer). */
void *arena_alloc(struct arena *arena, size_t n) __attribute__((warn_unused_result));
/* An array, zeroed; the product is checked. */
void *arena_alloc_array(struct arena *arena, size_t count, size_t size)
    __attribute__((warn_unused_result));
/* A copy. A failed copy has p == NULL. The copy is followed by a NUL that n does not count. */
struct str arena_dup(struct arena *arena, struct str s);
/* A formatted copy, NUL-terminated as above. */
struct str arena_printf(struct arena *arena, const char *format, ...)
    __attribute__((format(printf, 2, 3)));
struct str arena_vprintf(struct arena *arena, const char *format, va_list args)
    __attribute__((format(printf, 2, 0)));

/* Calls free_fn(object) when the arena is reset or freed, last one first: for objects of libraries
 * that live as long as the arena. On false (memory) free_fn has been called already. */
bool arena_defer(struct arena *arena, void (*free_fn)(void *object), void *object)
    __attribute__((warn_unused_result));

#define ARENA_NEW(arena, type)          ((type *)arena_alloc((arena), sizeof(type)))
#define ARENA_ARRAY(arena, type, count) ((type *)arena_alloc_array((arena), (count), sizeof(type)))

/*
 * A growing array in an arena: VEC(struct thing) things = {0}; VEC_PUSH(arena, &things, thing).
 * VEC_PUSH gives false when memory or the limit is reached; `things` is unchanged then.
 */
#define VEC(type)    \
  struct {           \
    type *items;     \
    size_t n;        \
    size_t capacity; \
  }
#define VEC_PUSH(arena, vec, ...)                                                                  \
  (vec_reserve((arena), (void **)&(vec)->items, (vec)->n, &(vec)->capacity, sizeof(*(vec)->items)) \
       ? ((vec)->items[(vec)->n++] = (__VA_ARGS__), true)                                          \
       : false)
bool vec_reserve(struct arena *arena, void **items, size_t n, size_t *capacity, size_t size);

#endif
