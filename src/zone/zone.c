/* The local time of an instant; names of zones, weekdays and times of day. */
#include "adit/zone.h"

#include "adit/units.h"
#include "tz.h"

enum { MONDAY_TO_THURSDAY = 3 /* 1970-01-01 was a Thursday */ };

const struct zone *zone_utc(void) {
  static const struct zone utc = {.name = STR_INIT("UTC")};
  return &utc;
}

struct str zone_name(const struct zone *zone) {
  return zone->name;
}

static bool is_name_char(char c) {
  return ascii_is_digit(c) || ascii_is_alpha(c) || c == '_' || c == '+' || c == '-';
}

bool zone_name_is_valid(struct str name) {
  bool at_part = true; /* one begins here */
  if (name.n == 0 || name.n > ZONE_NAME_MAX) return false;
  for (size_t i = 0; i < name.n; i++) {
    if (name.p[i] == '/' ? at_part : !is_name_char(name.p[i])) return false;
    at_part = name.p[i] == '/';
  }
  return !at_part;
}

/* ---- local time ------------------------------------------------------------------------------ */

static int offset_at(const struct zone *zone, int64_t second) {
  size_t low = 0, high = zone->change_count;
  while (low < high) {
    size_t middle = low + (high - low) / 2;
    if (zone->changes[middle] <= second) {
      low = middle + 1;
    } else {
      high = middle;
    }
  }
  /* The rule is for what comes after the last change, and for all time where there is none. */
  bool is_last = low == zone->change_count;
  bool at_last = low > 0 && zone->changes[low - 1] == second;
  if (zone->has_rule && is_last && !at_last) return tz_rule_offset(&zone->rule, second);
  return low > 0 ? zone->offsets[low - 1] : zone->first_s;
}

struct zone_local zone_local(const struct zone *zone, int64_t ms) {
  int64_t second = ms / 1000 - (ms % 1000 < 0);
  int offset_s = offset_at(zone, second);
  int64_t local = second + offset_s;
  int64_t in_day = (local % SECONDS_OF_DAY + SECONDS_OF_DAY) % SECONDS_OF_DAY;
  int64_t day = (local - in_day) / SECONDS_OF_DAY;
  int64_t weekday = ((day + MONDAY_TO_THURSDAY) % WEEKDAYS + WEEKDAYS) % WEEKDAYS;
  return (struct zone_local){
      .weekday = (unsigned)weekday, .second = (unsigned)in_day, .offset_s = offset_s};
}

/* ---- days and times of day ------------------------------------------------------------------- */

static const struct str weekdays[WEEKDAYS] = {
    STR_INIT("mon"), STR_INIT("tue"), STR_INIT("wed"), STR_INIT("thu"),
    STR_INIT("fri"), STR_INIT("sat"), STR_INIT("sun"),
};

struct str weekday_name(unsigned weekday) {
  return weekdays[weekday];
}

bool weekday_parse(struct str name, unsigned *ret) {
  for (unsigned i = 0; i < WEEKDAYS; i++) {
    if (!str_eq(name, weekdays[i])) continue;
    *ret = i;
    return true;
  }
  return false;
}

bool time_of_day_parse(struct str s, unsigned *ret_second) {
  uint64_t hour, minute, second = 0;
  if (s.n != 5 && s.n != 8) return false;
  if (s.p[2] != ':' || !str_to_u64(str_take(s, 2), 23, &hour) ||
      !str_to_u64(str_take(str_skip(s, 3), 2), 59, &minute)) {
    return false;
  }
  if (s.n == 8 && (s.p[5] != ':' || !str_to_u64(str_skip(s, 6), 59, &second))) return false;
  *ret_second = (unsigned)(hour * 3600 + minute * 60 + second);
  return true;
}

struct str time_of_day_format(unsigned second, char buffer[TIME_OF_DAY_BYTES]) {
  const unsigned fields[] = {second / 3600, second / 60 % 60, second % 60};
  for (size_t i = 0; i < 3; i++) {
    if (i > 0) buffer[3 * i - 1] = ':';
    buffer[3 * i] = (char)('0' + fields[i] / 10);
    buffer[3 * i + 1] = (char)('0' + fields[i] % 10);
  }
  return str_make(buffer, TIME_OF_DAY_BYTES);
}
