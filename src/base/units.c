/*
 * Four parts:
 *
 *   time_parse      take_date, take_time_of_day, take_zone: each takes its part from the front
 *   time_format     the calendar backwards
 *   parse_quantity  digits and a unit from a table, for durations and sizes
 *   clock_*         the only functions here that are not pure
 */
#include "adit/units.h"

#include <assert.h>
#include <time.h>

enum { MS_PER_SECOND = 1000, SECONDS_PER_DAY = 86400 };

/* --- time ------------------------------------------------------------------------------------ */

/* What is still to be read. Every take_* is false, and the cursor of no more use, on a mismatch. */
struct cursor {
  struct str rest;
};

static bool take_char(struct cursor *c, char wanted) {
  if (c->rest.n == 0 || c->rest.p[0] != wanted) return false;
  c->rest = str_skip(c->rest, 1);
  return true;
}

static bool take_digits(struct cursor *c, size_t digits, unsigned max, unsigned *ret) {
  uint64_t value;
  if (c->rest.n < digits || !str_to_u64(str_take(c->rest, digits), max, &value)) return false;
  c->rest = str_skip(c->rest, digits);
  *ret = (unsigned)value;
  return true;
}

bool year_is_leap(int64_t year) {
  return year % 4 == 0 && (year % 100 != 0 || year % 400 == 0);
}

static unsigned days_in_month(unsigned year, unsigned month) {
  static const unsigned char days[] = {31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31};
  return month == 2 && year_is_leap(year) ? 29 : days[month - 1];
}

/* The calendar is counted from 0000-03-01, so that a leap day is the last day of its year. */
enum { DAYS_FROM_0000_03_01_TO_1970 = 719468, DAYS_PER_ERA = 146097 };

int64_t days_from_date(int64_t year, unsigned month, unsigned day) {
  int64_t y = year - (month <= 2);
  int64_t era = (y >= 0 ? y : y - 399) / 400;
  int64_t year_of_era = y - era * 400;
  int64_t months_since_march = ((int64_t)month + 9) % 12;
  int64_t day_of_year = (153 * months_since_march + 2) / 5 + day - 1;
  int64_t day_of_era = year_of_era * 365 + year_of_era / 4 - year_of_era / 100 + day_of_year;
  return era * DAYS_PER_ERA + day_of_era - DAYS_FROM_0000_03_01_TO_1970;
}

static bool take_date(struct cursor *c, int64_t *ret_days) {
  unsigned year, month, day;
  if (!take_digits(c, 4, 9999, &year) || !take_char(c, '-') || !take_digits(c, 2, 12, &month) ||
      !take_char(c, '-') || !take_digits(c, 2, 31, &day)) {
    return false;
  }
  if (month == 0 || day == 0 || day > days_in_month(year, month)) return false;
  *ret_days = days_from_date(year, month, day);
  return true;
}

/* ".250": any number of digits, at least one; what is beyond milliseconds is cut off. */
static bool take_fraction(struct cursor *c, int64_t *ret_ms) {
  *ret_ms = 0;
  if (!take_char(c, '.')) return true;
  size_t n = 0;
  int64_t unit_ms = 100;
  for (; n < c->rest.n && ascii_is_digit(c->rest.p[n]); n++) {
    *ret_ms += unit_ms * (c->rest.p[n] - '0');
    unit_ms /= 10;
  }
  c->rest = str_skip(c->rest, n);
  return n > 0;
}

static bool take_time_of_day(struct cursor *c, int64_t *ret_ms) {
  unsigned hour, minute, second;
  int64_t fraction_ms;
  if (!take_digits(c, 2, 23, &hour) || !take_char(c, ':') || !take_digits(c, 2, 59, &minute) ||
      !take_char(c, ':') || !take_digits(c, 2, 59, &second) || !take_fraction(c, &fraction_ms)) {
    return false;
  }
  *ret_ms = ((int64_t)hour * 3600 + minute * 60 + second) * MS_PER_SECOND + fraction_ms;
  return true;
}

/* What is to be subtracted to get UTC; no zone is UTC. */
static bool take_zone(struct cursor *c, int64_t *ret_ms) {
  *ret_ms = 0;
  if (c->rest.n == 0 || take_char(c, 'Z') || take_char(c, 'z')) return true;
  int64_t sign = c->rest.p[0] == '-' ? -1 : 1;
  if (!take_char(c, '+') && !take_char(c, '-')) return false;
  unsigned hours, minutes;
  if (!take_digits(c, 2, 23, &hours) || !take_char(c, ':') || !take_digits(c, 2, 59, &minutes)) {
    return false;
  }
  *ret_ms = sign * ((int64_t)hours * 3600 + minutes * 60) * MS_PER_SECOND;
  return true;
}

static bool parse_rfc3339(struct str s, int64_t *ret_ms) {
  struct cursor c = {s};
  int64_t days;
  int64_t time_ms = 0;
  int64_t zone_ms = 0;
  if (!take_date(&c, &days)) return false;
  if (c.rest.n > 0) {
    if (!take_char(&c, 'T') && !take_char(&c, 't')) return false;
    if (!take_time_of_day(&c, &time_ms) || !take_zone(&c, &zone_ms)) return false;
  }
  if (c.rest.n > 0) return false;
  *ret_ms = days * SECONDS_PER_DAY * MS_PER_SECOND + time_ms - zone_ms;
  return true;
}

bool time_parse(struct str s, int64_t *ret_ms) {
  uint64_t number;
  if (s.n == 9 || s.n == 10 || s.n == 13) {
    if (str_to_u64(s, INT64_MAX, &number)) {
      *ret_ms = (int64_t)number * (s.n == 13 ? 1 : MS_PER_SECOND);
      return true;
    }
  }
  return parse_rfc3339(s, ret_ms);
}

void date_from_days(int64_t days, int64_t *ret_year, unsigned *ret_month, unsigned *ret_day) {
  int64_t z = days + DAYS_FROM_0000_03_01_TO_1970;
  int64_t era = (z >= 0 ? z : z - (DAYS_PER_ERA - 1)) / DAYS_PER_ERA;
  int64_t day_of_era = z - era * DAYS_PER_ERA;
  int64_t year_of_era =
      (day_of_era - day_of_era / 1460 + day_of_era / 36524 - day_of_era / 146096) / 365;
  int64_t day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
  int64_t months_since_march = (5 * day_of_year + 2) / 153;
  *ret_day = (unsigned)(day_of_year - (153 * months_since_march + 2) / 5 + 1);
  *ret_month =
      (unsigned)(months_since_march < 10 ? months_since_march + 3 : months_since_march - 9);
  *ret_year = era * 400 + year_of_era + (*ret_month <= 2);
}

/* Writes at least `digits` digits of `value` at `p`; returns the place behind them. */
static char *put_digits(char *p, uint64_t value, size_t digits) {
  size_t n = 1;
  for (uint64_t v = value; v >= 10; v /= 10) n++;
  if (n < digits) n = digits;
  for (size_t i = n; i > 0; i--) {
    p[i - 1] = (char)('0' + value % 10);
    value /= 10;
  }
  return p + n;
}

static char *put_field(char *p, char before, unsigned value, size_t digits) {
  *p = before;
  return put_digits(p + 1, value, digits);
}

struct str time_format(int64_t ms, char *buffer, size_t capacity) {
  const int64_t ms_per_day = (int64_t)SECONDS_PER_DAY * MS_PER_SECOND;
  int64_t days = ms / ms_per_day - (ms % ms_per_day < 0);
  unsigned in_day = (unsigned)((ms % ms_per_day + ms_per_day) % ms_per_day);
  int64_t year;
  unsigned month, day;
  date_from_days(days, &year, &month, &day);

  char text[40];
  char *p = text;
  if (year < 0) *p++ = '-';
  p = put_digits(p, (uint64_t)(year < 0 ? -year : year), 4);
  p = put_field(p, '-', month, 2);
  p = put_field(p, '-', day, 2);
  p = put_field(p, 'T', in_day / 3600000, 2);
  p = put_field(p, ':', in_day / 60000 % 60, 2);
  p = put_field(p, ':', in_day / 1000 % 60, 2);
  if (in_day % 1000 != 0) p = put_field(p, '.', in_day % 1000, 3);
  *p++ = 'Z';
  return str_copy_to(str_make(text, (size_t)(p - text)), buffer, capacity);
}

/* --- durations and sizes --------------------------------------------------------------------- */

struct unit {
  struct str name;
  uint64_t factor;
};

/* From the largest to the smallest; "s" stands before "ms" for duration_format. */
static const struct unit duration_units[] = {
    {STR_INIT("d"), 86400000}, {STR_INIT("h"), 3600000}, {STR_INIT("m"), 60000},
    {STR_INIT("s"), 1000},     {STR_INIT("ms"), 1},
};

static const struct unit size_units[] = {
    {STR_INIT("B"), 1},
    {STR_INIT("KiB"), UINT64_C(1) << 10},
    {STR_INIT("MiB"), UINT64_C(1) << 20},
    {STR_INIT("GiB"), UINT64_C(1) << 30},
};

#define COUNT_OF(array) (sizeof(array) / sizeof(*(array)))

static bool parse_quantity(struct str s, const struct unit *units, size_t n_units, uint64_t max,
                           uint64_t *ret) {
  size_t digits = 0;
  while (digits < s.n && ascii_is_digit(s.p[digits])) digits++;
  struct str name = str_skip(s, digits);
  for (size_t i = 0; i < n_units; i++) {
    if (!str_eq(name, units[i].name)) continue;
    uint64_t number;
    if (!str_to_u64(str_take(s, digits), max / units[i].factor, &number)) return false;
    *ret = number * units[i].factor;
    return true;
  }
  return false;
}

bool duration_parse(struct str s, bool allow_negative, int64_t *ret_ms) {
  bool negative = allow_negative && str_starts_with(s, STR("-"));
  uint64_t max = (uint64_t)INT64_MAX + negative;
  uint64_t value;
  if (!parse_quantity(str_skip(s, negative), duration_units, COUNT_OF(duration_units), max,
                      &value)) {
    return false;
  }
  if (negative && value > 0) {
    *ret_ms = -(int64_t)(value - 1) - 1;
  } else {
    *ret_ms = (int64_t)value;
  }
  return true;
}

struct str duration_format(int64_t ms, char *buffer, size_t capacity) {
  uint64_t size = ms < 0 ? ~(uint64_t)ms + 1 : (uint64_t)ms;
  size_t i = 0;
  while (size % duration_units[i].factor != 0) i++;
  if (size == 0) i = 3;
  char text[32];
  char *p = text;
  if (ms < 0) *p++ = '-';
  p = put_digits(p, size / duration_units[i].factor, 1);
  struct str unit = duration_units[i].name;
  memcpy(p, unit.p, unit.n);
  return str_copy_to(str_make(text, (size_t)(p - text) + unit.n), buffer, capacity);
}

bool size_parse(struct str s, uint64_t *ret_bytes) {
  return parse_quantity(s, size_units, COUNT_OF(size_units), UINT64_MAX, ret_bytes);
}

/* --- clocks ---------------------------------------------------------------------------------- */

static struct timespec clock_now(clockid_t clock) {
  struct timespec now;
  int failed = clock_gettime(clock, &now);
  assert(failed == 0);
  (void)failed;
  return now;
}

static int64_t clock_us(clockid_t clock) {
  const struct timespec now = clock_now(clock);
  return (int64_t)now.tv_sec * 1000000 + now.tv_nsec / 1000;
}

int64_t clock_wall_ms(void) {
  return clock_us(CLOCK_REALTIME) / 1000;
}

int64_t clock_monotonic_ms(void) {
  return clock_us(CLOCK_MONOTONIC) / 1000;
}

int64_t clock_monotonic_us(void) {
  return clock_us(CLOCK_MONOTONIC);
}

int64_t clock_monotonic_ns(void) {
  const struct timespec now = clock_now(CLOCK_MONOTONIC);
  return (int64_t)now.tv_sec * 1000000000 + now.tv_nsec;
}
