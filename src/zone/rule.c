/* The TZ string at the end of a TZif file: what holds in all years to come. */
#include "adit/units.h"
#include "tz.h"

enum { OFFSET_HOURS_MAX = 24, TIME_HOURS_MAX = 167, TIME_DEFAULT_S = 2 * 3600, SUMMER_S = 3600 };

/* ---- reading --------------------------------------------------------------------------------- */

static bool take(struct str *rest, char wanted) {
  if (rest->n == 0 || rest->p[0] != wanted) return false;
  *rest = str_skip(*rest, 1);
  return true;
}

/* As many digits as there are, up to `digits_max`. */
static bool take_number(struct str *rest, size_t digits_max, unsigned min, unsigned max,
                        unsigned *ret) {
  size_t n = 0;
  uint64_t value;
  while (n < rest->n && n < digits_max && ascii_is_digit(rest->p[n])) n++;
  if (!str_to_u64(str_take(*rest, n), max, &value) || value < min) return false;
  *rest = str_skip(*rest, n);
  *ret = (unsigned)value;
  return true;
}

/* "CET", or "<+08>"; three characters or more, which nothing here is named by. */
static bool skip_name(struct str *rest) {
  bool quoted = take(rest, '<');
  size_t n = 0;
  while (n < rest->n &&
         (ascii_is_alpha(rest->p[n]) ||
          (quoted && (ascii_is_digit(rest->p[n]) || rest->p[n] == '+' || rest->p[n] == '-')))) {
    n++;
  }
  *rest = str_skip(*rest, n);
  return n >= 3 && (!quoted || take(rest, '>'));
}

/* "3", "-2:30", "+167:00:00". */
static bool take_hours(struct str *rest, unsigned hours_max, int *ret_s) {
  unsigned hours, minutes = 0, seconds = 0;
  int sign = take(rest, '-') ? -1 : 1;
  if (sign == 1) (void)take(rest, '+');
  if (!take_number(rest, 3, 0, hours_max, &hours)) return false;
  if (take(rest, ':')) {
    if (!take_number(rest, 2, 0, 59, &minutes)) return false;
    if (take(rest, ':') && !take_number(rest, 2, 0, 59, &seconds)) return false;
  }
  *ret_s = sign * (int)(hours * 3600 + minutes * 60 + seconds);
  return true;
}

static bool take_change(struct str *rest, struct tz_change *ret) {
  *ret = (struct tz_change){.form = TZ_DAY_COUNT, .second = TIME_DEFAULT_S};
  if (!take(rest, ',')) return false;
  if (take(rest, 'M')) {
    ret->form = TZ_DAY_WEEK;
    if (!take_number(rest, 2, 1, 12, &ret->month) || !take(rest, '.') ||
        !take_number(rest, 1, 1, 5, &ret->week) || !take(rest, '.') ||
        !take_number(rest, 1, 0, 6, &ret->day)) {
      return false;
    }
  } else if (take(rest, 'J')) {
    ret->form = TZ_DAY_JULIAN;
    if (!take_number(rest, 3, 1, 365, &ret->day)) return false;
  } else if (!take_number(rest, 3, 0, 365, &ret->day)) {
    return false;
  }
  return !take(rest, '/') || take_hours(rest, TIME_HOURS_MAX, &ret->second);
}

bool tz_rule_parse(struct str s, struct tz_rule *ret) {
  struct tz_rule rule = {0};
  int west_s; /* POSIX counts westward */
  if (!skip_name(&s) || !take_hours(&s, OFFSET_HOURS_MAX, &west_s)) return false;
  rule.standard_s = -west_s;
  if (s.n > 0) {
    rule.has_summer = true;
    rule.summer_s = rule.standard_s + SUMMER_S;
    if (!skip_name(&s)) return false;
    if (s.n > 0 && s.p[0] != ',') {
      if (!take_hours(&s, OFFSET_HOURS_MAX, &west_s)) return false;
      rule.summer_s = -west_s;
    }
    if (!take_change(&s, &rule.to_summer) || !take_change(&s, &rule.to_standard)) return false;
  }
  if (s.n > 0) return false;
  *ret = rule;
  return true;
}

/* ---- asking ---------------------------------------------------------------------------------- */

static int64_t first_of_next(int64_t year, unsigned month) {
  return month == 12 ? days_from_date(year + 1, 1, 1) : days_from_date(year, month + 1, 1);
}

/* Days since 1970. */
static int64_t day_of_change(const struct tz_change *change, int64_t year) {
  int64_t new_year = days_from_date(year, 1, 1);
  switch (change->form) {
    case TZ_DAY_COUNT:
      return new_year + change->day;
    case TZ_DAY_JULIAN:
      return new_year + change->day - 1 + (year_is_leap(year) && change->day >= 60);
    case TZ_DAY_WEEK:
      break;
  }
  int64_t first = days_from_date(year, change->month, 1);
  int64_t weekday = ((first + 4) % 7 + 7) % 7; /* 1970-01-01 was a Thursday; 0: Sunday */
  int64_t day = first + ((int64_t)change->day - weekday + 7) % 7 + 7 * ((int64_t)change->week - 1);
  return day < first_of_next(year, change->month) ? day : day - 7;
}

int tz_rule_offset(const struct tz_rule *rule, int64_t second) {
  if (!rule->has_summer) return rule->standard_s;
  int64_t year, latest = INT64_MIN;
  unsigned month, day;
  int offset_s = rule->standard_s;
  date_from_days(second / SECONDS_OF_DAY - (second % SECONDS_OF_DAY < 0), &year, &month, &day);
  /* The latest change decides. One of December may come a week into January, with both of a year
   * so none of the year before may be past yet. Where both come at once it is summer: so a rule
   * says that summer never ends ("EST5EDT,0/0,J365/25"). */
  for (int64_t y = year - 2; y <= year + 1; y++) {
    int64_t standard = day_of_change(&rule->to_standard, y) * SECONDS_OF_DAY +
                       rule->to_standard.second - rule->summer_s;
    int64_t summer = day_of_change(&rule->to_summer, y) * SECONDS_OF_DAY + rule->to_summer.second -
                     rule->standard_s;
    if (summer <= second && summer >= latest) {
      latest = summer;
      offset_s = rule->summer_s;
    }
    if (standard <= second && standard > latest) {
      latest = standard;
      offset_s = rule->standard_s;
    }
  }
  return offset_s;
}
