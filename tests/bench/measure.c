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

struct moment {
  int64_t ns;
  uint64_t cycles;
};

static struct moment now(void) {
  struct timespec time;
  clock_gettime(CLOCK_MONOTONIC, &time);
  struct moment moment = {.ns = (int64_t)time.tv_sec * 1000000000 + time.tv_nsec};
#ifdef __x86_64__
  moment.cycles = __builtin_ia32_rdtsc();
#endif
  return moment;
}

#ifdef __clang__
#define LEFT_AS_IT_IS __attribute__((noinline))
#else
#define LEFT_AS_IT_IS __attribute__((noipa)) /* also no copy of it under another name */
#endif

/* measure.py counts what happens between its entry and its return: a function it must stay. */
LEFT_AS_IT_IS static void measure_pass(measure_fn *work, void *context, size_t count) {
  for (size_t i = 0; i < count; i++) work(context);
}

static struct moment timed_pass(measure_fn *work, void *context, size_t count) {
  const struct moment start = now();
  measure_pass(work, context, count);
  const struct moment end = now();
  return (struct moment){end.ns - start.ns, end.cycles - start.cycles};
}

/* How often the work is done in one pass. */
static size_t pass_count(measure_fn *work, void *context) {
  size_t count = 1;
  while (timed_pass(work, context, count).ns < pass_ns) count *= 2;
  return count;
}

/* One piece of work in each of the passes. */
struct timing {
  double ns[PASSES];
  double cycles[PASSES];
};

static void time_pass(struct timing *timing, size_t pass, measure_fn *work, void *context,
                      size_t count) {
  const struct moment taken = timed_pass(work, context, count);
  timing->ns[pass] = (double)taken.ns / (double)count;
  timing->cycles[pass] = (double)taken.cycles / (double)count;
}

static int compare(const void *a, const void *b) {
  const double left = *(const double *)a, right = *(const double *)b;
  return (left > right) - (left < right);
}

static double median(double *of_passes) {
  qsort(of_passes, PASSES, sizeof(*of_passes), compare);
  return of_passes[PASSES / 2];
}

void measure(const char *name, size_t octets, measure_fn *work, void *context) {
  work(context); /* what is done once only: memory, caches */
  if (fixed_count > 0) {
    measure_pass(work, context, fixed_count);
    return;
  }
  struct timing timing;
  const size_t count = pass_count(work, context);
  for (size_t i = 0; i < PASSES; i++) time_pass(&timing, i, work, context, count);
  printf("%s\t%zu\t%.1f\t%.1f\n", name, octets, median(timing.ns), median(timing.cycles));
}

void measure_beside(const char *name, size_t octets, measure_fn *work, measure_fn *base,
                    void *context) {
  work(context);
  base(context);
  if (fixed_count > 0) {
    measure_pass(work, context, fixed_count);
    measure_pass(base, context, fixed_count);
    return;
  }
  struct timing timing, base_timing;
  double ratios[PASSES];
  const size_t count = pass_count(work, context), base_count = pass_count(base, context);
  for (size_t i = 0; i < PASSES; i++) {
    time_pass(&timing, i, work, context, count);
    time_pass(&base_timing, i, base, context, base_count);
    ratios[i] = timing.ns[i] / base_timing.ns[i];
  }
  printf("%s\t%zu\t%.1f\t%.1f\t%.1f\t%.1f\t%.2f\n", name, octets, median(timing.ns),
         median(timing.cycles), median(base_timing.ns), median(base_timing.cycles), median(ratios));
}
