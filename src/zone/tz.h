/* tz: what a zone is made of; private to src/zone. */
#ifndef ADIT_ZONE_TZ_H
#define ADIT_ZONE_TZ_H

#include "adit/zone.h"

/* Which day of every year, in the three forms of POSIX. */
enum tz_day_form {
  TZ_DAY_WEEK,   /* Mm.w.d: weekday d (0: Sunday) of week w of month m; week 5 is the last one */
  TZ_DAY_JULIAN, /* Jn: 1 to 365, February 29 is never counted */
  TZ_DAY_COUNT   /* n: 0 to 365, February 29 is counted */
};

struct tz_change {
  enum tz_day_form form;
  unsigned month, week, day;
  int second; /* of that day, on the clock before the change; -167 h to 167 h */
};

/* A TZ string of POSIX: what holds each year. */
struct tz_rule {
  int standard_s; /* what local time is ahead of UTC */
  bool has_summer;
  int summer_s;
  struct tz_change to_summer, to_standard;
};

/* "CET-1CEST,M3.5.0,M10.5.0/3". False: it is none, or its summer time has no dates. */
bool tz_rule_parse(struct str s, struct tz_rule *ret) __attribute__((warn_unused_result));
/* What local time is ahead of UTC at an instant, in seconds since 1970. */
int tz_rule_offset(const struct tz_rule *rule, int64_t second);

struct zone {
  struct str name;
  const int64_t *changes; /* instants in seconds since 1970, ascending */
  const int *offsets;     /* from each change on */
  size_t change_count;
  int first_s; /* before the first change */
  bool has_rule;
  struct tz_rule rule; /* after the last change */
};

#endif
