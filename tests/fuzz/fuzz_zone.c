/*
 * fuzz_zone: any bytes may stand where a time zone is expected. Two bytes say where the instants
 * lie that are asked for; the rest is the file, or (an odd first byte) the TZ string at a file's
 * end.
 */
#include <stdlib.h>

#include "adit/arena.h"
#include "adit/zone.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void require(bool holds) {
  if (!holds) abort();
}

/* A file of one type, of an hour, without changes, and the rule; all else is 0. */
static struct str wrap(struct arena *arena, struct str rule) {
  enum { HEADER = 44, TYPES_AT = 39, NAMES_AT = 43, TYPE = 2 * HEADER, END = TYPE + 6 + 1 };
  static const struct str magic = STR_INIT("TZif2"), type = STR_INIT("\0\0\16\20");
  size_t n = END + 1 + rule.n + 1;
  char *p = arena_alloc(arena, n);
  if (!p) return (struct str){0};
  memcpy(p, magic.p, magic.n);
  memcpy(p + HEADER, magic.p, magic.n);
  p[HEADER + TYPES_AT] = p[HEADER + NAMES_AT] = 1;
  memcpy(p + TYPE, type.p, type.n);
  p[END] = p[n - 1] = '\n';
  if (rule.n > 0) memcpy(p + END + 1, rule.p, rule.n);
  return str_make(p, n);
}

static void ask(const struct zone *zone, int64_t ms) {
  char text[TIME_OF_DAY_BYTES];
  unsigned again;
  struct zone_local local = zone_local(zone, ms);
  require(local.weekday < WEEKDAYS && local.second < SECONDS_OF_DAY);
  require(local.offset_s > -ZONE_OFFSET_LIMIT_S && local.offset_s < ZONE_OFFSET_LIMIT_S);
  require(weekday_parse(weekday_name(local.weekday), &again) && again == local.weekday);
  require(time_of_day_parse(time_of_day_format(local.second, text), &again));
  require(again == local.second);
  /* What the clock shows is UTC and the offset, on the weekday as in the second. */
  int64_t second = ms / 1000 - (ms % 1000 < 0);
  if (second > INT64_MAX / 1000 - ZONE_OFFSET_LIMIT_S ||
      second < INT64_MIN / 1000 + ZONE_OFFSET_LIMIT_S)
    return;
  struct zone_local utc = zone_local(zone_utc(), (second + local.offset_s) * 1000);
  require(utc.weekday == local.weekday && utc.second == local.second && utc.offset_s == 0);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
  static const int64_t ends[] = {INT64_MIN, INT64_MIN + 1, -1, 0, 1, INT64_MAX - 1, INT64_MAX};
  if (size < 2) return 0;
  struct arena *arena = arena_new(16 << 20);
  if (!arena) return 0;
  const char *why = NULL;
  struct str file = str_make((const char *)data + 2, size - 2);
  (void)!zone_name_is_valid(file);
  if (data[0] % 2 == 1) file = wrap(arena, file);
  const struct zone *zone = zone_parse(arena, STR("Fuzzed"), file, &why);
  require((zone != NULL) == (why == NULL));
  for (size_t i = 0; zone && i < sizeof(ends) / sizeof(*ends); i++) ask(zone, ends[i]);
  int64_t ms = ((int64_t)data[0] - 128) * INT64_C(3155760000000) / 8;
  for (int i = 0; zone && i < 64; i++) {
    ask(zone, ms);
    ms += ((int64_t)data[1] + 1) * INT64_C(86399999);
  }
  arena_free(&arena);
  return 0;
}
