/*
 * failing_memory: memory that runs out at a chosen allocation.
 *
 * The linker sends our own calls of malloc() and its kin here, and those of the arenas (see
 * unit_wrapped in meson.build).
 */
#ifndef ADIT_TESTS_FAILING_MEMORY_H
#define ADIT_TESTS_FAILING_MEMORY_H

#include <errno.h>
#include <stdatomic.h>
#include <stdlib.h>

#include "adit/arena.h"

static struct {
  _Atomic bool armed;
  _Atomic bool lasting;  /* all that come later are refused too */
  _Atomic unsigned left; /* allocations until then */
  _Atomic bool refused;  /* it has happened */
} memory;

/* A thread whose own allocations are granted and not counted. */
static __thread bool memory_is_exempt;

static bool refuses(void) {
  if (!memory.armed || memory_is_exempt || (memory.refused && !memory.lasting)) return false;
  if (!memory.refused && memory.left-- > 0) return false;
  memory.refused = true;
  errno = ENOMEM;
  return true;
}

static void arm(unsigned after, bool lasting) {
  memory.armed = true;
  memory.lasting = lasting;
  memory.left = after;
  memory.refused = false;
}

/* Whether all allocations were granted. */
static bool disarm(void) {
  memory.armed = false;
  return !memory.refused;
}

void *__real_malloc(size_t n);
void *__real_calloc(size_t count, size_t size);
void *__real_realloc(void *p, size_t n);
void *__real_reallocarray(void *p, size_t count, size_t size);
char *__real_strdup(const char *text);
char *__real_strndup(const char *text, size_t n);
char *__real_realpath(const char *path, char *resolved);

void *__wrap_malloc(size_t n);
void *__wrap_calloc(size_t count, size_t size);
void *__wrap_realloc(void *p, size_t n);
void *__wrap_reallocarray(void *p, size_t count, size_t size);
char *__wrap_strdup(const char *text);
char *__wrap_strndup(const char *text, size_t n);
char *__wrap_realpath(const char *path, char *resolved);

void *__wrap_malloc(size_t n) {
  return refuses() ? NULL : __real_malloc(n);
}
void *__wrap_calloc(size_t count, size_t size) {
  return refuses() ? NULL : __real_calloc(count, size);
}
void *__wrap_realloc(void *p, size_t n) {
  return refuses() ? NULL : __real_realloc(p, n);
}
void *__wrap_reallocarray(void *p, size_t count, size_t size) {
  return refuses() ? NULL : __real_reallocarray(p, count, size);
}
char *__wrap_strdup(const char *text) {
  return refuses() ? NULL : __real_strdup(text);
}
char *__wrap_strndup(const char *text, size_t n) {
  return refuses() ? NULL : __real_strndup(text, n);
}
char *__wrap_realpath(const char *path, char *resolved) {
  return refuses() ? NULL : __real_realpath(path, resolved);
}

/* Arenas are asked far more often than they ask the system. What refuses is remembered there, so an
 * arena is made to refuse by asking it for more than there is. */
void *__real_arena_alloc(struct arena *arena, size_t n);
void *__real_arena_alloc_array(struct arena *arena, size_t count, size_t size);
struct str __real_arena_dup(struct arena *arena, struct str s);
bool __real_arena_defer(struct arena *arena, void (*free_fn)(void *object), void *object);
bool __real_vec_reserve(struct arena *arena, void **items, size_t n, size_t *capacity, size_t size);

void *__wrap_arena_alloc(struct arena *arena, size_t n);
void *__wrap_arena_alloc_array(struct arena *arena, size_t count, size_t size);
struct str __wrap_arena_dup(struct arena *arena, struct str s);
struct str __wrap_arena_printf(struct arena *arena, const char *format, ...)
    __attribute__((format(printf, 2, 3)));
bool __wrap_arena_defer(struct arena *arena, void (*free_fn)(void *object), void *object);
bool __wrap_vec_reserve(struct arena *arena, void **items, size_t n, size_t *capacity, size_t size);

static bool arena_refuses(struct arena *arena) {
  if (!refuses()) return false;
  /* Check itself allocates, and would come here again. */
  if (__real_arena_alloc(arena, SIZE_MAX / 2) || !arena_failed(arena)) abort();
  return true;
}

void *__wrap_arena_alloc(struct arena *arena, size_t n) {
  return arena_refuses(arena) ? NULL : __real_arena_alloc(arena, n);
}
void *__wrap_arena_alloc_array(struct arena *arena, size_t count, size_t size) {
  return arena_refuses(arena) ? NULL : __real_arena_alloc_array(arena, count, size);
}
struct str __wrap_arena_dup(struct arena *arena, struct str s) {
  return arena_refuses(arena) ? (struct str){0} : __real_arena_dup(arena, s);
}
struct str __wrap_arena_printf(struct arena *arena, const char *format, ...) {
  if (arena_refuses(arena)) return (struct str){0};
  va_list args;
  va_start(args, format);
  struct str text = arena_vprintf(arena, format, args);
  va_end(args);
  return text;
}
bool __wrap_arena_defer(struct arena *arena, void (*free_fn)(void *object), void *object) {
  if (!arena_refuses(arena)) return __real_arena_defer(arena, free_fn, object);
  free_fn(object);
  return false;
}
bool __wrap_vec_reserve(struct arena *arena, void **items, size_t n, size_t *capacity,
                        size_t size) {
  if (n < *capacity) return true; /* nothing is allocated */
  return arena_refuses(arena) ? false : __real_vec_reserve(arena, items, n, capacity, size);
}

#endif
