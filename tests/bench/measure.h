/*
 * measure: small pieces of work, timed here, and counted by callgrind for measure.py.
 *
 * A program calls measure() for each piece, which prints a line of columns divided by tabs: name,
 * octets, nanoseconds, cycles. measure_beside() has three more: nanoseconds and cycles of what it
 * is compared with, and how many times as long the work takes. With a number as the program's
 * argument each piece is done so often, once, and nothing is timed.
 *
 * Cycles are those of x86's time stamp counter: a clock of one rate, near the processor's nominal
 * one, whatever rate it runs at meanwhile. 0: another machine.
 */
#ifndef ADIT_BENCH_MEASURE_H
#define ADIT_BENCH_MEASURE_H

#include <stddef.h>

typedef void measure_fn(void *context);

/* Once per program, with main's arguments. Ends it when they are wrong. */
void measure_begin(int argc, char **argv);
/* `octets`: how many the work goes through, 0 when that says nothing. */
void measure(const char *name, size_t octets, measure_fn *work, void *context);
/* Also `base`, another way through the same octets: in turn, so that both see the same machine. */
void measure_beside(const char *name, size_t octets, measure_fn *work, measure_fn *base,
                    void *context);
/* Says what failed and ends the program. */
void measure_fail(const char *what) __attribute__((noreturn));

#endif
