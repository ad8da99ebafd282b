/*
 * zone: what a clock on the wall shows at an instant, in a named time zone. Pure.
 *
 * A zone is a TZif file (RFC 9636, versions 1 to 4) as the system has them under
 * /usr/share/zoneinfo. Only "instant → local time" is asked, which has exactly one answer; so local
 * times that do not exist, or exist twice, need no rule here. The C library's own zones are not
 * used: they are the process's, and set by its environment (docs/adr/0010-time-zones.md).
 */
#ifndef ADIT_ZONE_H
#define ADIT_ZONE_H

#include "adit/str.h"

struct arena;
struct zone; /* immutable */

enum { ZONE_NAME_MAX = 64, ZONE_FILE_BYTES_MAX = 256 * 1024, ZONE_OFFSET_LIMIT_S = 26 * 3600 };

/* Coordinated Universal Time, without a file. */
const struct zone *zone_utc(void);

/* Whether `name` may be one of a zone: parts of A-Z a-z 0-9 _ + -, divided by single '/', at most
 * ZONE_NAME_MAX bytes. So it stays within the folder of zones. */
bool zone_name_is_valid(struct str name) __attribute__((warn_unused_result));

/*
 * Reads the content of a TZif file into `arena`; nothing views `bytes` or `name` afterwards. NULL:
 * *ret_why says why, as the end of "the file …" (static). Refused is whatever is cut short or
 * contradicts itself, and files that count leap seconds ("right/…"): Unix time, which rules are
 * about, has none.
 */
const struct zone *zone_parse(struct arena *arena, struct str name, struct str bytes,
                              const char **ret_why) __attribute__((warn_unused_result));

/* As it was asked for: "Asia/Shanghai", "UTC". */
struct str zone_name(const struct zone *zone);

struct zone_local {
  unsigned weekday; /* 0: Monday … 6: Sunday */
  unsigned second;  /* of the day, 0 to 86399; parts of a second are cut off */
  int offset_s;     /* local time is UTC plus this; less than ZONE_OFFSET_LIMIT_S either way */
};

/* The local time of an instant, in milliseconds since 1970; for any instant there is one. */
struct zone_local zone_local(const struct zone *zone, int64_t ms);

/* ---- days and times of day ------------------------------------------------------------------- */

enum { WEEKDAYS = 7, SECONDS_OF_DAY = 86400 };

/* "mon" … "sun". */
struct str weekday_name(unsigned weekday);
bool weekday_parse(struct str name, unsigned *ret) __attribute__((warn_unused_result));

/* "HH:MM" or "HH:MM:SS", 00:00 to 23:59:59. */
bool time_of_day_parse(struct str s, unsigned *ret_second) __attribute__((warn_unused_result));
/* "HH:MM:SS" without a NUL. */
enum { TIME_OF_DAY_BYTES = 8 };
struct str time_of_day_format(unsigned second, char buffer[TIME_OF_DAY_BYTES]);

#endif
