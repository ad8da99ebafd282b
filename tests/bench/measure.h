/*
 * measure: small pieces of work, timed here, and counted by callgrind for measure.py.
 *
 * A program calls measure() for each piece, which prints a line: name, octets, nanoseconds. With a
 * number as the program's argument each piece is done so often, once, and nothing is timed.
 */
#ifndef ADIT_BENCH_MEASURE_H
#define ADIT_BENCH_MEASURE_H

#include <stddef.h>

/* Once per program, with main's arguments. Ends it when they are wrong. */
void measure_begin(int argc, char **argv);
/* `octets`: how many the work goes through, 0 when that says nothing. */
void measure(const char *name, size_t octets, void (*work)(void *context), void *context);
/* Says what failed and ends the program. */
void measure_fail(const char *what) __attribute__((noreturn));

#endif
