/* Times, durations and sizes. */
#include <stdio.h>
#include <time.h>

#include "adit/units.h"
#include "unit.h"

#define DAY_MS INT64_C(86400000)

START_TEST(times)
{
  static const struct {
    const char *text;
    int64_t ms;
  } cases[] = {
      {"1970-01-01", 0},
      {"1970-01-01T00:00:00Z", 0},
      {"1970-01-01T00:00:00", 0},
      {"1970-01-01t00:00:00z", 0},
      {"1969-12-31", -DAY_MS},
      {"1969-12-31T23:59:59.999Z", -1},
      {"1969-12-31T23:59:59.9999Z", -1},
      {"1969-12-31T23:59:59.0001Z", -1000},
      {"2026-01-01", INT64_C(1767225600000)},
      {"2026-01-01T08:00:00+08:00", INT64_C(1767225600000)},
      {"2026-01-01T08:00:00.250+08:00", INT64_C(1767225600250)},
      {"2025-12-31T16:00:00-08:00", INT64_C(1767225600000)},
      {"2026-01-01T00:00:00-00:00", INT64_C(1767225600000)},
      {"2026-01-01T00:00:00+00:00", INT64_C(1767225600000)},
      {"2026-01-01T23:59:00+23:59", INT64_C(1767225600000)},
      {"2025-12-31T00:01:00-23:59", INT64_C(1767225600000)},
      {"2026-01-01T00:00:00.1", INT64_C(1767225600100)},
      {"2026-01-01T00:00:00.12Z", INT64_C(1767225600120)},
      {"2026-01-01T00:00:00.123Z", INT64_C(1767225600123)},
      {"2026-01-01T00:00:00.1239Z", INT64_C(1767225600123)},
      {"2026-01-01T00:00:00.00099999999999999999999999999Z", INT64_C(1767225600000)},
      {"2026-01-01T23:59:59Z", INT64_C(1767225600000) + DAY_MS - 1000},
      {"2000-02-29", INT64_C(951782400000)},
      {"2024-02-29T12:00:00Z", INT64_C(1709208000000)},
      {"2024-12-31", INT64_C(1735603200000)},
      {"0000-01-01", INT64_C(-62167219200000)},
      {"0000-02-29", INT64_C(-62162121600000)},
      {"0000-03-01", INT64_C(-62162035200000)},
      {"0001-01-01", INT64_C(-62135596800000)},
      {"0000-01-01T00:00:00+23:59", INT64_C(-62167219200000) - 23 * 3600000 - 59 * 60000},
      {"9999-12-31T23:59:59.999Z", INT64_C(253402300799999)},
      {"9999-12-31T23:59:59.999-23:59", INT64_C(253402300799999) + 23 * 3600000 + 59 * 60000},
      {"100000000", INT64_C(100000000000)},
      {"000000000", 0},
      {"1767225600", INT64_C(1767225600000)},
      {"9999999999", INT64_C(9999999999000)},
      {"1767225600250", INT64_C(1767225600250)},
      {"0000000000001", 1},
  };
  for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
    int64_t ms = -4711;
    ck_assert_msg(time_parse(str_from_cstr(cases[i].text), &ms), "%s", cases[i].text);
    ck_assert_msg(ms == cases[i].ms, "%s is %lld", cases[i].text, (long long)ms);
  }
}
END_TEST

START_TEST(times_refused)
{
  static const char *const cases[] = {
      "",
      " ",
      "now",
      "2026",
      "2026-01",
      "2026-1-1",
      "26-01-01",
      "02026-01-01",
      "-2026-01-01",
      "+2026-01-01",
      "2026/01/01",
      "20260101",
      "2026-01-01 ",
      " 2026-01-01",
      "2026-01-01Z",
      "2026-01-01+08:00",
      "2026-00-01",
      "2026-13-01",
      "2026-01-00",
      "2026-01-32",
      "2026-04-31",
      "2026-06-31",
      "2026-09-31",
      "2026-11-31",
      "2026-02-29",
      "2026-02-30",
      "1900-02-29",
      "2100-02-29",
      "2024-02-30",
      "2026-01-01T",
      "2026-01-01T00",
      "2026-01-01T00:00",
      "2026-01-01T00:00Z",
      "2026-01-01 00:00:00Z",
      "2026-01-01_00:00:00Z",
      "2026-01-01T0:00:00Z",
      "2026-01-01T24:00:00Z",
      "2026-01-01T25:00:00Z",
      "2026-01-01T00:60:00Z",
      "2026-01-01T23:59:60Z",
      "2016-12-31T23:59:60Z",
      "2026-01-01T00:00:61Z",
      "2026-01-01T00:00:00.Z",
      "2026-01-01T00:00:00.",
      "2026-01-01T00:00:00,5Z",
      "2026-01-01T00:00:00.5.5Z",
      "2026-01-01T00:00:00ZZ",
      "2026-01-01T00:00:00Z ",
      "2026-01-01T00:00:00 Z",
      "2026-01-01T00:00:00+",
      "2026-01-01T00:00:00+08",
      "2026-01-01T00:00:00+0800",
      "2026-01-01T00:00:00+8:00",
      "2026-01-01T00:00:00+24:00",
      "2026-01-01T00:00:00+08:60",
      "2026-01-01T00:00:00+08:00Z",
      "2026-01-01T00:00:00+-8:00",
      "2026-01-01T00:00:00UTC",
      "2026-01-01T00:00:00 +08:00",
      "2026-01-01T-1:00:00Z",
      "2026-01-01T00:00:0xZ",
      "2026-01-01T00:00:00.xZ",
      "1",
      "12345678",
      "12345678901",
      "123456789012",
      "12345678901234",
      "-123456789",
      "+123456789",
      "123456789.",
      "1234567.9",
      "12345678x",
      "-176722560025",
      "17672256002.5",
      "1e8",
      "0x12345678",
  };
  for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
    int64_t ms = -4711;
    ck_assert_msg(!time_parse(str_from_cstr(cases[i]), &ms), "'%s' was taken", cases[i]);
    ck_assert_msg(ms == -4711, "'%s' was written", cases[i]);
  }
  int64_t ms;
  ck_assert(!time_parse(STR("2026-01-01\0"), &ms));
  ck_assert(!time_parse(STR("2026-01-01T00:00:00\0Z"), &ms));
  ck_assert(!time_parse(str_make(NULL, 0), &ms));
}
END_TEST

/* Every prefix of a good one is refused, but the few that are good themselves. */
START_TEST(times_cut_short)
{
  struct str whole = STR("2026-01-01T08:00:00.25+08:00");
  for (size_t n = 0; n <= whole.n; n++) {
    int64_t ms;
    bool good = n == 10 || n == 19 || n == 21 || n == 22 || n == whole.n;
    ck_assert_msg(time_parse(str_take(whole, n), &ms) == good, "%zu bytes", n);
  }
}
END_TEST

/* The C library's calendar is the judge. No assertion of Check's in here: each costs a write. */
static void compare_day(int64_t day) {
  time_t seconds = (time_t)day * 86400;
  struct tm tm;
  char expected[64];
  char buffer[32];
  int64_t ms;
  if (!gmtime_r(&seconds, &tm)) ck_abort_msg("no day %lld", (long long)day);
  snprintf(expected, sizeof(expected), "%04d-%02d-%02dT00:00:00Z", tm.tm_year + 1900, tm.tm_mon + 1,
           tm.tm_mday);
  struct str text = time_format(day * DAY_MS, buffer, sizeof(buffer));
  if (!str_eq(text, str_from_cstr(expected))) {
    ck_abort_msg("day %lld is '%s', expected '%s'", (long long)day, buffer, expected);
  }
  if (!time_parse(str_take(text, 10), &ms) || ms != day * DAY_MS) {
    ck_abort_msg("'%s' is not day %lld", buffer, (long long)day);
  }
}

/* Each day of a whole cycle of the calendar, and one in 37 of the year 0 to the year 9999. */
START_TEST(times_of_days)
{
  for (int64_t day = 0; day < 146097; day++) compare_day(day);
  for (int64_t day = -719528; day <= 2932896; day += 37) compare_day(day);
  compare_day(2932896);
}
END_TEST

START_TEST(time_formats)
{
  static const struct {
    int64_t ms;
    const char *text;
  } cases[] = {
      {0, "1970-01-01T00:00:00Z"},
      {1, "1970-01-01T00:00:00.001Z"},
      {-1, "1969-12-31T23:59:59.999Z"},
      {-DAY_MS, "1969-12-31T00:00:00Z"},
      {INT64_C(1767225600250), "2026-01-01T00:00:00.250Z"},
      {INT64_C(1767225600000) + 23 * 3600000 + 59 * 60000 + 58007, "2026-01-01T23:59:58.007Z"},
      {INT64_C(-62167219200000), "0000-01-01T00:00:00Z"},
      {INT64_C(253402300800000), "10000-01-01T00:00:00Z"},
      {INT64_C(-62167219200001), "-0001-12-31T23:59:59.999Z"},
      {INT64_MAX, "292278994-08-17T07:12:55.807Z"},
      {INT64_MIN, "-292275055-05-16T16:47:04.192Z"},
  };
  for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
    char buffer[32];
    struct str text = time_format(cases[i].ms, buffer, sizeof(buffer));
    ck_assert_view_eq(text, cases[i].text);
    ck_assert_str_eq(buffer, cases[i].text);
    int64_t ms;
    bool years_of_four = text.n == 20 || text.n == 24;
    if (years_of_four) {
      ck_assert(time_parse(text, &ms));
      ck_assert_int_eq(ms, cases[i].ms);
    }
  }
  char small[8];
  ck_assert_view_eq(time_format(0, small, sizeof(small)), "1970-01");
}
END_TEST

START_TEST(durations)
{
  static const struct {
    const char *text;
    int64_t ms;
    const char *shortest;
  } cases[] = {
      {"0s", 0, "0s"},
      {"0ms", 0, "0s"},
      {"0d", 0, "0s"},
      {"1ms", 1, "1ms"},
      {"250ms", 250, "250ms"},
      {"1000ms", 1000, "1s"},
      {"1001ms", 1001, "1001ms"},
      {"2s", 2000, "2s"},
      {"60s", 60000, "1m"},
      {"90s", 90000, "90s"},
      {"5m", 300000, "5m"},
      {"90m", 5400000, "90m"},
      {"1h", 3600000, "1h"},
      {"24h", 86400000, "1d"},
      {"36h", 129600000, "36h"},
      {"7d", 604800000, "7d"},
      {"007d", 604800000, "7d"},
      {"106751991167d", INT64_C(106751991167) * DAY_MS, "106751991167d"},
      {"9223372036854775807ms", INT64_MAX, "9223372036854775807ms"},
  };
  for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
    char buffer[32];
    char negative[40];
    int64_t ms = -1;
    ck_assert_msg(duration_parse(str_from_cstr(cases[i].text), false, &ms), "%s", cases[i].text);
    ck_assert_msg(ms == cases[i].ms, "%s is %lld", cases[i].text, (long long)ms);
    ck_assert_view_eq(duration_format(ms, buffer, sizeof(buffer)), cases[i].shortest);

    snprintf(negative, sizeof(negative), "-%s", cases[i].text);
    ck_assert_msg(!duration_parse(str_from_cstr(negative), false, &ms), "%s", negative);
    ck_assert_msg(duration_parse(str_from_cstr(negative), true, &ms), "%s", negative);
    ck_assert_msg(ms == -cases[i].ms, "%s is %lld", negative, (long long)ms);
    snprintf(negative, sizeof(negative), "%s%s", ms == 0 ? "" : "-", cases[i].shortest);
    ck_assert_view_eq(duration_format(ms, buffer, sizeof(buffer)), negative);
  }
  char buffer[32];
  int64_t ms;
  ck_assert(duration_parse(STR("-9223372036854775808ms"), true, &ms));
  ck_assert(ms == INT64_MIN);
  ck_assert_view_eq(duration_format(INT64_MIN, buffer, sizeof(buffer)), "-9223372036854775808ms");
}
END_TEST

START_TEST(durations_refused)
{
  static const char *const cases[] = {
      "",
      "s",
      "ms",
      "1",
      "0",
      "-",
      "-s",
      "--1s",
      "+1s",
      " 1s",
      "1s ",
      "1 s",
      "1S",
      "1MS",
      "1M",
      "1H",
      "1D",
      "1w",
      "1y",
      "1us",
      "1ns",
      "1sec",
      "1m30s",
      "1h 30m",
      "1.5s",
      "1,5s",
      "0x1s",
      "1e3s",
      "9223372036854775808ms",
      "-9223372036854775809ms",
      "9223372036854776s",
      "106751991168d",
      "99999999999999999999d",
      "18446744073709551616ms",
      "1sms",
      "1mss",
      "s1",
  };
  for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
    int64_t ms = -4711;
    ck_assert_msg(!duration_parse(str_from_cstr(cases[i]), true, &ms), "'%s' was taken", cases[i]);
    ck_assert_msg(!duration_parse(str_from_cstr(cases[i]), false, &ms), "'%s'", cases[i]);
    ck_assert_msg(ms == -4711, "'%s' was written", cases[i]);
  }
  int64_t ms;
  ck_assert(!duration_parse(STR("1s\0"), true, &ms));
}
END_TEST

START_TEST(sizes)
{
  static const struct {
    const char *text;
    uint64_t bytes;
  } cases[] = {
      {"0B", 0},
      {"1B", 1},
      {"0GiB", 0},
      {"64KiB", 65536},
      {"10MiB", 10485760},
      {"2GiB", UINT64_C(2147483648)},
      {"18446744073709551615B", UINT64_MAX},
      {"17179869183GiB", UINT64_C(17179869183) << 30},
  };
  for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
    uint64_t bytes = 1;
    ck_assert_msg(size_parse(str_from_cstr(cases[i].text), &bytes), "%s", cases[i].text);
    ck_assert_msg(bytes == cases[i].bytes, "%s", cases[i].text);
  }
  static const char *const refused[] = {
      "",
      "0",
      "64",
      "B",
      "KiB",
      "64K",
      "64KB",
      "64kib",
      "64kB",
      "64k",
      "1b",
      "1 KiB",
      " 1KiB",
      "1KiB ",
      "-1B",
      "+1B",
      "1.5KiB",
      "1TiB",
      "1KiBB",
      "1BKiB",
      "18446744073709551616B",
      "18014398509481984KiB",
      "17179869184GiB",
      "99999999999999999999999GiB",
  };
  for (size_t i = 0; i < sizeof(refused) / sizeof(*refused); i++) {
    uint64_t bytes = 4711;
    ck_assert_msg(!size_parse(str_from_cstr(refused[i]), &bytes), "'%s' was taken", refused[i]);
    ck_assert_uint_eq(bytes, 4711);
  }
}
END_TEST

UNIT_MAIN("base_units", times, times_refused, times_cut_short, times_of_days, time_formats,
          durations, durations_refused, sizes)
