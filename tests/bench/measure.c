#include "measure.h"

#include <errno.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

enum { PASSES = 15 };
static const int64_t pass_ns =
    4 * 1000 * 1000; /* long beside the clock, short beside a time slice */

static size_t fixed_count; /* 0: as many as fill a pass */

void measure_fail(const char *what) {
  fprintf(stderr, "cannot measure: %s\n", what);
  exit(1);
}

void measure_begin(int argc, char **argv) {
#ifndef __OPTIMIZE__
  fputs("built without optimisation: these figures say little of the product\n", stderr);
#endif
  if (argc == 1) return;
  char *end = NULL;
  errno = 0;
  const unsigned long count = strtoul(argv[1], &end, 10);
  if (argc != 2 || *end != '\0' || errno != 0 || count == 0)
    measure_fail("the one argument is how often each piece of work is done");
  fixed_count = count;
}

static int64_t now_ns(void) {
  struct timespec now;
  clock_gettime(CLOCK_MONOTONIC, &now);
  return (int64_t)now.tv_sec * 1000000000 + now.tv_nsec;
}

#ifdef __clang__
#define LEFT_AS_IT_IS __attribute__((noinline))
#else
#define LEFT_AS_IT_IS __attribute__((noipa)) /* also no copy of it under another name */
#endif

/* measure.py counts what happens between its entry and its return: a function it must stay. */
LEFT_AS_IT_IS static void measure_pass(void (*work)(void *context), void *context, size_t count) {
  for (size_t i = 0; i < count; i++) work(context);
}

static int64_t timed_pass(void (*work)(void *context), void *context, size_t count) {
  const int64_t start = now_ns();
  measure_pass(work, context, count);
  return now_ns() - start;
}

static int compare(const void *a, const void *b) {
  const double left = *(const double *)a, right = *(const double *)b;
  return (left > right) - (left < right);
}

static double median_ns(void (*work)(void *context), void *context) {
  size_t count = 1;
  while (timed_pass(work, context, count) < pass_ns) count *= 2;
  double each[PASSES];
  for (size_t i = 0; i < PASSES; i++)
    each[i] = (double)timed_pass(work, context, count) / (double)count;
  qsort(each, PASSES, sizeof(*each), compare);
  return each[PASSES / 2];
}

void measure(const char *name, size_t octets, void (*work)(void *context), void *context) {
  work(context); /* what is done once only: memory, caches */
  if (fixed_count > 0)
    measure_pass(work, context, fixed_count);
  else
    printf("%s\t%zu\t%.1f\n", name, octets, median_ns(work, context));
}
