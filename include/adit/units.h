/*
 * units: times, durations, sizes and percentages as people write them. Pure.
 */
#ifndef ADIT_UNITS_H
#define ADIT_UNITS_H

#include "adit/str.h"

/*
 * A point in time: RFC 3339 date or date-time ("2026-01-01", "2026-01-01T08:00:00.250+08:00";
 * without a zone UTC; 't' and 'z' in either case; no second 60), Unix seconds (9 or 10 digits) or
 * milliseconds (13 digits). *ret_ms: milliseconds since 1970-01-01T00:00:00Z, rounded down.
 * False when `s` is none of these, a field is out of range or the day does not exist.
 */
bool time_parse(struct str s, int64_t *ret_ms) __attribute__((warn_unused_result));

/* "2026-01-01T00:00:00Z", with ".250" when the milliseconds are not 0. `buffer`: 32 bytes or more.
 */
struct str time_format(int64_t ms, char *buffer, size_t capacity);

/*
 * The calendar (proleptic Gregorian, with a year 0), for any day that milliseconds in 64 bits can
 * reach. Days are counted from 1970-01-01; months and days from 1, and `day` must be one of the
 * month. The two functions are each other's inverse.
 */
int64_t days_from_date(int64_t year, unsigned month, unsigned day);
void date_from_days(int64_t days, int64_t *ret_year, unsigned *ret_month, unsigned *ret_day);
bool year_is_leap(int64_t year);

/* One whole number and one unit: "250ms" "2s" "5m" "1h" "7d". Negative with a leading '-' when
 * `allow_negative`. False on anything else or on overflow. */
bool duration_parse(struct str s, bool allow_negative, int64_t *ret_ms)
    __attribute__((warn_unused_result));
/* The shortest exact form duration_parse reads back: "90s", "36h". */
struct str duration_format(int64_t ms, char *buffer, size_t capacity);

/* One whole number and one of B KiB MiB GiB: "0B", "64KiB". */
bool size_parse(struct str s, uint64_t *ret_bytes) __attribute__((warn_unused_result));

/* Wall clock, milliseconds since 1970, and monotonic clock. Not for pure modules, which take the
 * time as an argument. */
int64_t clock_wall_ms(void);
int64_t clock_monotonic_ms(void);
int64_t clock_monotonic_us(void);
int64_t clock_monotonic_ns(void);

#endif
