/* Time zones: TZif files made up here; tests/rules/zones.py compares real ones with Python's. */
#include "adit/zone.h"

#include <stdio.h>

#include "adit/arena.h"
#include "adit/units.h"
#include "unit.h"

#define DAY_MS INT64_C(86400000)

/* ---- making files ---------------------------------------------------------------------------- */

struct file {
  char bytes[2048];
  size_t n;
};

static void put(struct file *file, struct str s) {
  ck_assert_uint_le(file->n + s.n, sizeof(file->bytes));
  memcpy(file->bytes + file->n, s.p, s.n);
  file->n += s.n;
}

static void put_number(struct file *file, int64_t value, size_t size) {
  char bytes[8];
  for (size_t i = 0; i < size; i++) bytes[i] = (char)((uint64_t)value >> (8 * (size - 1 - i)));
  put(file, str_make(bytes, size));
}

/* What a test's file says; times, types and flags as many as the counts say. */
struct content {
  char version;
  uint32_t ut_flags, standard_flags, leaps, times, types, name_bytes;
  int64_t time[4];
  uint8_t index[4];
  int32_t offset[3];
  uint8_t summer, name_at;
  const char *footer; /* with its newlines */
};

static void put_header(struct file *file, const struct content *content) {
  const uint32_t counts[] = {content->ut_flags, content->standard_flags, content->leaps,
                             content->times,    content->types,          content->name_bytes};
  static const char reserved[15];
  put(file, STR("TZif"));
  put(file, str_make(&content->version, 1));
  put(file, str_make(reserved, sizeof(reserved)));
  for (size_t i = 0; i < 6; i++) put_number(file, counts[i], 4);
}

static void put_block(struct file *file, const struct content *content, size_t size) {
  for (uint32_t i = 0; i < content->times; i++) put_number(file, content->time[i], size);
  for (uint32_t i = 0; i < content->times; i++) put_number(file, content->index[i], 1);
  for (uint32_t i = 0; i < content->types; i++) {
    put_number(file, content->offset[i], 4);
    put_number(file, content->summer, 1);
    put_number(file, content->name_at, 1);
  }
  for (uint32_t i = 0; i < content->name_bytes; i++) put(file, STR("A"));
  for (uint32_t i = 0; i < content->leaps; i++) {
    put_number(file, 0, size);
    put_number(file, 0, 4);
  }
  for (uint32_t i = 0; i < content->standard_flags + content->ut_flags; i++) put_number(file, 0, 1);
}

static void put_all(struct file *file, const struct content *content) {
  put_header(file, content);
  if (content->version == '\0') {
    put_block(file, content, 4);
    return;
  }
  put_block(file, content, 4); /* passed over, whatever it says */
  put_header(file, content);
  put_block(file, content, 8);
  put(file, str_from_cstr(content->footer));
}

/* One type of one hour, and nothing else. */
static struct content plain(void) {
  return (struct content){
      .version = '2', .types = 1, .name_bytes = 4, .offset = {3600}, .footer = "\n\n"};
}

static const struct zone *parse(struct arena *arena, const struct content *content,
                                const char **ret_why) {
  struct file file = {0};
  put_all(&file, content);
  return zone_parse(arena, STR("Test/Zone"), str_make(file.bytes, file.n), ret_why);
}

static const struct zone *parse_rule(struct arena *arena, const char *rule) {
  char footer[128];
  const char *why = NULL;
  struct content content = plain();
  snprintf(footer, sizeof(footer), "\n%s\n", rule);
  content.footer = footer;
  return parse(arena, &content, &why);
}

/* ---- reading --------------------------------------------------------------------------------- */

START_TEST(changes_and_what_is_around_them)
{
  struct arena *arena = arena_new(1 << 20);
  struct content content = plain();
  const char *why = NULL;
  content.types = 3;
  content.times = 2;
  content.time[0] = -1000;
  content.time[1] = 1000;
  content.index[0] = 1;
  content.index[1] = 2;
  content.offset[0] = 60;
  content.offset[1] = -7200;
  content.offset[2] = 19800;
  content.standard_flags = content.ut_flags = 3;
  for (int version = 0; version < 4; version++) {
    static const char versions[] = {'\0', '2', '3', '4'};
    content.version = versions[version];
    content.footer = "\n<+01>-1\n";
    const struct zone *zone = parse(arena, &content, &why);
    ck_assert_msg(zone != NULL, "%s", why);
    ck_assert_view_eq(zone_name(zone), "Test/Zone");
    ck_assert_int_eq(zone_local(zone, INT64_MIN).offset_s, 60);
    ck_assert_int_eq(zone_local(zone, -1000001).offset_s, 60);
    ck_assert_int_eq(zone_local(zone, -1000000).offset_s, -7200);
    ck_assert_int_eq(zone_local(zone, 999999).offset_s, -7200);
    ck_assert_int_eq(zone_local(zone, 1000000).offset_s, 19800);
    ck_assert_int_eq(zone_local(zone, 1000999).offset_s, 19800);
    ck_assert_int_eq(zone_local(zone, 1001000).offset_s, version == 0 ? 19800 : 3600);
    ck_assert_int_eq(zone_local(zone, INT64_MAX).offset_s, version == 0 ? 19800 : 3600);
  }
  arena_free(&arena);
}
END_TEST

START_TEST(without_changes)
{
  struct arena *arena = arena_new(1 << 20);
  struct content content = plain();
  const char *why = NULL;
  const struct zone *zone = parse(arena, &content, &why);
  ck_assert_int_eq(zone_local(zone, 0).offset_s, 3600);
  content.footer = "\nEST5\n"; /* the rule is for all time then */
  zone = parse(arena, &content, &why);
  ck_assert_int_eq(zone_local(zone, 0).offset_s, -5 * 3600);
  ck_assert_int_eq(zone_local(zone, INT64_MIN).offset_s, -5 * 3600);
  arena_free(&arena);
}
END_TEST

/* The largest that a file may say, at the ends of time. */
START_TEST(extremes)
{
  struct arena *arena = arena_new(1 << 20);
  struct content content = plain();
  const char *why = NULL;
  for (int sign = -1; sign <= 1; sign += 2) {
    content.offset[0] = sign * (26 * 3600 - 1);
    const struct zone *zone = parse(arena, &content, &why);
    struct zone_local first = zone_local(zone, INT64_MIN), last = zone_local(zone, INT64_MAX);
    ck_assert_int_eq(first.offset_s, content.offset[0]);
    ck_assert_uint_lt(first.second, 86400);
    ck_assert_uint_lt(last.second, 86400);
    ck_assert_uint_lt(first.weekday, 7);
    ck_assert_uint_lt(last.weekday, 7);
  }
  arena_free(&arena);
}
END_TEST

START_TEST(utc)
{
  static const struct {
    const char *time, *weekday, *time_of_day;
  } cases[] = {
      {"1970-01-01", "thu", "00:00:00"},           {"1969-12-31T23:59:59.999Z", "wed", "23:59:59"},
      {"1969-12-31T00:00:00Z", "wed", "00:00:00"}, {"2000-02-29T12:34:56.789Z", "tue", "12:34:56"},
      {"2024-02-29T00:00:00Z", "thu", "00:00:00"}, {"2100-03-01T00:00:00Z", "mon", "00:00:00"},
      {"2026-11-29T23:59:59Z", "sun", "23:59:59"}, {"0000-01-01T00:00:00Z", "sat", "00:00:00"},
      {"9999-12-31T23:59:59Z", "fri", "23:59:59"},
  };
  for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
    int64_t ms;
    char text[TIME_OF_DAY_BYTES];
    ck_assert(time_parse(str_from_cstr(cases[i].time), &ms));
    struct zone_local local = zone_local(zone_utc(), ms);
    ck_assert_view_eq(weekday_name(local.weekday), cases[i].weekday);
    ck_assert_view_eq(time_of_day_format(local.second, text), cases[i].time_of_day);
    ck_assert_int_eq(local.offset_s, 0);
  }
  ck_assert_view_eq(zone_name(zone_utc()), "UTC");
}
END_TEST

START_TEST(names)
{
  static const char *const good[] = {
      "UTC",       "Asia/Shanghai",          "America/Argentina/Buenos_Aires",
      "Etc/GMT+5", "America/Port-au-Prince", "EST5EDT"};
  static const char *const bad[] = {"",
                                    "/",
                                    "/etc/passwd",
                                    "Asia/",
                                    "/Asia",
                                    "Asia//Shanghai",
                                    ".",
                                    "..",
                                    "../etc/passwd",
                                    "Asia/../Shanghai",
                                    "Asia/Shanghai ",
                                    "Asia\\Shanghai",
                                    "Zürich",
                                    "posixrules.",
                                    "a%2Fb"};
  char name[ZONE_NAME_MAX + 1];
  for (size_t i = 0; i < sizeof(good) / sizeof(*good); i++)
    ck_assert_msg(zone_name_is_valid(str_from_cstr(good[i])), "%s", good[i]);
  for (size_t i = 0; i < sizeof(bad) / sizeof(*bad); i++)
    ck_assert_msg(!zone_name_is_valid(str_from_cstr(bad[i])), "%s", bad[i]);
  memset(name, 'a', sizeof(name));
  ck_assert(zone_name_is_valid(str_make(name, ZONE_NAME_MAX)));
  ck_assert(!zone_name_is_valid(str_make(name, ZONE_NAME_MAX + 1)));
  ck_assert(!zone_name_is_valid(str_make("a\0b", 3)));
}
END_TEST

/* ---- refusing -------------------------------------------------------------------------------- */

/* Every part of a good file that ends earlier is refused, and says so. */
START_TEST(files_cut_short)
{
  struct content content = plain();
  struct file file = {0};
  content.types = 2;
  content.times = 2;
  content.time[1] = 5;
  content.index[1] = 1;
  content.footer = "\nCET-1CEST,M3.5.0,M10.5.0/3\n";
  put_all(&file, &content);
  for (size_t n = 0; n <= file.n; n++) {
    struct arena *arena = arena_new(1 << 20);
    const char *why = NULL;
    const struct zone *zone = zone_parse(arena, STR("x"), str_make(file.bytes, n), &why);
    ck_assert_msg((zone != NULL) == (n == file.n), "%zu bytes", n);
    if (!zone) ck_assert_str_eq(why, "is cut short");
    arena_free(&arena);
  }
}
END_TEST

static void check_refused(const struct content *content, const char *expected) {
  struct arena *arena = arena_new(1 << 20);
  const char *why = NULL;
  ck_assert_msg(!parse(arena, content, &why), "'%s' was taken", expected);
  ck_assert_msg(strstr(why, expected) == why, "'%s', not '%s'", why, expected);
  arena_free(&arena);
}

START_TEST(files_that_contradict_themselves)
{
  struct content content = plain();
  content.types = 0;
  check_refused(&content, "contradicts itself: numbers");
  content = plain();
  content.name_bytes = 0;
  check_refused(&content, "contradicts itself: numbers");
  content = plain();
  content.ut_flags = 2;
  check_refused(&content, "contradicts itself: numbers");
  content = plain();
  content.standard_flags = 2;
  check_refused(&content, "contradicts itself: numbers");
  content = plain();
  content.leaps = 1;
  check_refused(&content, "counts leap seconds");
  content = plain();
  content.version = '5';
  check_refused(&content, "is of a version");
  content = plain();
  content.version = '1';
  check_refused(&content, "is of a version");
  content = plain();
  content.footer = "\nCET-1CEST\n";
  check_refused(&content, "has a rule at its end");
  content = plain();
  content.summer = 2;
  check_refused(&content, "contradicts itself: a type is not one");
  content = plain();
  content.name_at = 4;
  check_refused(&content, "contradicts itself: a type is not one");
  content = plain();
  content.times = 1;
  content.index[0] = 1;
  check_refused(&content, "contradicts itself: a type is missing");
  for (int64_t step = -1; step <= 0; step++) {
    content = plain();
    content.times = 2;
    content.time[0] = 7;
    content.time[1] = 7 + step;
    check_refused(&content, "contradicts itself: its times do not ascend");
  }
  static const int32_t offsets[] = {26 * 3600, -26 * 3600, INT32_MAX, INT32_MIN};
  for (size_t i = 0; i < sizeof(offsets) / sizeof(*offsets); i++) {
    content = plain();
    content.offset[0] = offsets[i];
    check_refused(&content, "has an offset of 26 hours or more");
  }
  content = plain();
  content.footer = "\n\n\n";
  check_refused(&content, "has something behind its end");
  content = plain();
  content.footer = "UTC0\n";
  check_refused(&content, "is cut short");
  content = plain();
  content.version = '\0';
  content.times = 1;
  struct file file = {0};
  put_all(&file, &content);
  put(&file, STR("x"));
  struct arena *arena = arena_new(1 << 20);
  const char *why = NULL;
  ck_assert(!zone_parse(arena, STR("x"), STR("This is no zone."), &why));
  ck_assert_str_eq(why, "is not a time zone (TZif)");
  ck_assert(!zone_parse(arena, STR("x"), str_make(file.bytes, file.n), &why));
  ck_assert_str_eq(why, "has something behind its end");
  arena_free(&arena);
}
END_TEST

/* Headers that promise more than any memory has, and two that differ. */
START_TEST(files_that_lie)
{
  struct file good = {0};
  struct content content = plain();
  put_all(&good, &content);
  struct arena *arena = arena_new(1 << 20);
  const char *why = NULL;
  size_t second = good.n - 44 - (6 + 4) - 2; /* one type, names, an empty rule */
  ck_assert(memcmp(good.bytes + second, "TZif", 4) == 0);
  for (size_t header = 0; header <= second; header += second) {
    for (size_t i = 0; i < 6; i++) {
      struct file file = good;
      memset(file.bytes + header + 20 + 4 * i, 0xFF, 4);
      ck_assert(!zone_parse(arena, STR("x"), str_make(file.bytes, file.n), &why));
    }
  }
  struct file file = good;
  file.bytes[second + 4] = '3';
  ck_assert(!zone_parse(arena, STR("x"), str_make(file.bytes, file.n), &why));
  ck_assert_str_eq(why, "contradicts itself: it is of two versions");
  char *large = calloc(1, ZONE_FILE_BYTES_MAX + 1);
  ck_assert(!zone_parse(arena, STR("x"), str_make(large, ZONE_FILE_BYTES_MAX + 1), &why));
  ck_assert_str_eq(why, "is too large");
  free(large);
  arena_free(&arena);
  arena = arena_new(1);
  ck_assert(!zone_parse(arena, STR("x"), str_make(good.bytes, good.n), &why));
  ck_assert_str_eq(why, "does not fit into memory");
  arena_free(&arena);
}
END_TEST

/* ---- rules ----------------------------------------------------------------------------------- */

START_TEST(rules_of_all_years)
{
  static const struct {
    const char *rule, *time;
    int offset_s;
  } cases[] = {
      /* Half past one on the last Sunday of October is there twice; instants are not. */
      {"CET-1CEST,M3.5.0,M10.5.0/3", "2026-03-29T00:59:59Z", 3600},
      {"CET-1CEST,M3.5.0,M10.5.0/3", "2026-03-29T01:00:00Z", 7200},
      {"CET-1CEST,M3.5.0,M10.5.0/3", "2026-10-25T00:59:59Z", 7200},
      {"CET-1CEST,M3.5.0,M10.5.0/3", "2026-10-25T01:00:00Z", 3600},
      {"CET-1CEST,M3.5.0,M10.5.0/3", "2026-01-01T00:00:00Z", 3600},
      {"CET-1CEST,M3.5.0,M10.5.0/3", "9999-07-01T00:00:00Z", 7200},
      /* South: summer is over New Year. */
      {"AEST-10AEDT,M10.1.0,M4.1.0/3", "2026-01-01T00:00:00Z", 39600},
      {"AEST-10AEDT,M10.1.0,M4.1.0/3", "2026-04-04T15:59:59Z", 39600},
      {"AEST-10AEDT,M10.1.0,M4.1.0/3", "2026-04-04T16:00:00Z", 36000},
      {"AEST-10AEDT,M10.1.0,M4.1.0/3", "2026-10-03T16:00:00Z", 39600},
      /* Half an hour of summer; a summer time that is behind (Dublin). */
      {"<+1030>-10:30<+11>-11,M10.1.0,M4.1.0", "2026-01-01T00:00:00Z", 39600},
      {"IST-1GMT0,M10.5.0,M3.5.0/1", "2026-01-01T00:00:00Z", 0},
      {"IST-1GMT0,M10.5.0,M3.5.0/1", "2026-07-01T00:00:00Z", 3600},
      /* Changes a day before the date (Godthab) and days after it. */
      {"<-02>2<-01>,M3.5.0/-1,M10.5.0/0", "2026-03-29T00:59:59Z", -7200},
      {"<-02>2<-01>,M3.5.0/-1,M10.5.0/0", "2026-03-29T01:00:00Z", -3600},
      {"AAA0BBB,M3.1.0/167,M10.1.0/-167", "2026-03-07T22:59:59Z", 0},
      {"AAA0BBB,M3.1.0/167,M10.1.0/-167", "2026-03-07T23:00:00Z", 3600},
      {"AAA0BBB,M3.1.0/167,M10.1.0/-167", "2026-09-26T23:59:59Z", 3600},
      {"AAA0BBB,M3.1.0/167,M10.1.0/-167", "2026-09-27T00:00:00Z", 0},
      /* Both of a year in its last week, a week late: in January those of the year before that
         count. */
      {"AAA0BBB,J364/167,J365/167", "2026-01-01T00:00:00Z", 0},
      {"AAA0BBB,J365/167,J364/167", "2026-01-01T00:00:00Z", 3600},
      /* Days by number, with and without a leap day. */
      {"AAA0BBB,J60,J300", "2024-03-01T01:59:59Z", 0},
      {"AAA0BBB,J60,J300", "2024-03-01T02:00:00Z", 3600},
      {"AAA0BBB,J60,J300", "2026-03-01T02:00:00Z", 3600},
      {"AAA0BBB,59,300", "2024-02-29T02:00:00Z", 3600},
      {"AAA0BBB,59,300", "2026-02-28T02:00:00Z", 0},
      {"AAA0BBB,59,300", "2026-03-01T02:00:00Z", 3600},
      /* Weeks: the fifth is the last, if there are five or not. */
      {"AAA0BBB,M2.5.0/0,M10.1.0/0", "2026-02-21T23:59:59Z", 0},
      {"AAA0BBB,M2.5.0/0,M10.1.0/0", "2026-02-22T00:00:00Z", 3600},
      {"AAA0BBB,M12.5.4/0,M2.1.0/0", "2026-12-31T00:00:00Z", 3600},
      /* Summer that never ends, in the two ways in which files say it. */
      {"EST5EDT,0/0,J365/25", "2026-01-01T04:59:59Z", -14400},
      {"EST5EDT,0/0,J365/25", "2026-01-01T05:00:00Z", -14400},
      {"EST5EDT,0/0,J365/25", "2024-12-31T23:00:00Z", -14400},
      {"XXX3EDT4,0/0,J365/23", "2026-01-01T03:00:00Z", -14400},
      {"XXX3EDT4,0/0,J365/23", "2026-07-01T00:00:00Z", -14400},
      {"AAA+24:59:59", "2026-01-01T00:00:00Z", -(24 * 3600 + 59 * 60 + 59)},
      {"AAA-24:59:59BBB,0,300", "2026-03-01T00:00:00Z", 25 * 3600 + 59 * 60 + 59},
  };
  struct arena *arena = arena_new(1 << 20);
  for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
    int64_t ms;
    const struct zone *zone = parse_rule(arena, cases[i].rule);
    ck_assert_msg(zone != NULL, "%s", cases[i].rule);
    ck_assert(time_parse(str_from_cstr(cases[i].time), &ms));
    int offset_s = zone_local(zone, ms).offset_s;
    ck_assert_msg(offset_s == cases[i].offset_s, "%s at %s is %d", cases[i].rule, cases[i].time,
                  offset_s);
  }
  arena_free(&arena);
}
END_TEST

START_TEST(rules_refused)
{
  static const char *const cases[] = {
      "C",
      "CE1",
      "CET",
      "CET-",
      "CET--1",
      "CET25",
      "CET1:60",
      "CET1:00:60",
      "CET1:",
      "CET1:0:0:0",
      "<CET-1",
      "<>1",
      "<+8>-8",
      "CET-1CEST",
      "CET-1CEST,",
      "CET-1CEST,M3.5.0",
      "CET-1CEST,M3.5.0,",
      "CET-1CEST,M3.5.0,M10.5.0/",
      "CET-1CEST,M3.5.0,M10.5.0/168",
      "CET-1CEST,M0.5.0,M10.5.0",
      "CET-1CEST,M13.5.0,M10.5.0",
      "CET-1CEST,M3.0.0,M10.5.0",
      "CET-1CEST,M3.6.0,M10.5.0",
      "CET-1CEST,M3.5.7,M10.5.0",
      "CET-1CEST,J0,J1",
      "CET-1CEST,J366,J1",
      "CET-1CEST,366,1",
      "CET-1CEST,-1,1",
      "CET-1CEST,M3.5.0,M10.5.0,M1.1.1",
      "CET-1 ",
      " CET-1",
      "CET-1C,M3.5.0,M10.5.0",
      "CET-1,M3.5.0,M10.5.0",
      "CET-1CEST25,M3.5.0,M10.5.0",
  };
  struct arena *arena = arena_new(1 << 20);
  for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++)
    ck_assert_msg(!parse_rule(arena, cases[i]), "'%s' was taken", cases[i]);
  arena_free(&arena);
}
END_TEST

/* ---- weekdays and times of day --------------------------------------------------------------- */

START_TEST(weekdays)
{
  unsigned weekday;
  for (unsigned i = 0; i < WEEKDAYS; i++) {
    ck_assert(weekday_parse(weekday_name(i), &weekday));
    ck_assert_uint_eq(weekday, i);
  }
  static const char *const bad[] = {"", "Mon", "MON", "monday", "mo", "1", "mon ", "mo\0"};
  for (size_t i = 0; i < sizeof(bad) / sizeof(*bad); i++)
    ck_assert_msg(!weekday_parse(str_from_cstr(bad[i]), &weekday), "%s", bad[i]);
  ck_assert(!weekday_parse(str_make("mon\0", 4), &weekday));
  ck_assert(!weekday_parse((struct str){0}, &weekday));
}
END_TEST

START_TEST(times_of_day)
{
  unsigned second;
  char text[TIME_OF_DAY_BYTES];
  for (unsigned i = 0; i < SECONDS_OF_DAY; i++) {
    struct str shown = time_of_day_format(i, text);
    if (shown.n != 8 || !time_of_day_parse(shown, &second) || second != i)
      ck_abort_msg("second %u is '%.*s'", i, STR_ARG(shown));
    if (i % 60 == 0 && (!time_of_day_parse(str_take(shown, 5), &second) || second != i))
      ck_abort_msg("second %u without seconds", i);
  }
  static const char *const bad[] = {"",         "9:00",      "09:0",       "24:00",  "23:60",
                                    "23:59:60", "09-00",     "09:00:0",    "09:00:", "0900",
                                    "09:00Z",   "09:00:00Z", " 09:00",     "09:00 ", "+9:00",
                                    "-1:00",    "09:00.00",  "09:00:00.5", "9 am",   "12345"};
  for (size_t i = 0; i < sizeof(bad) / sizeof(*bad); i++)
    ck_assert_msg(!time_of_day_parse(str_from_cstr(bad[i]), &second), "%s", bad[i]);
  ck_assert(!time_of_day_parse((struct str){0}, &second));
}
END_TEST

UNIT_MAIN("zone", changes_and_what_is_around_them, without_changes, extremes, utc, names,
          files_cut_short, files_that_contradict_themselves, files_that_lie, rules_of_all_years,
          rules_refused, weekdays, times_of_day)
