#include "adit/attrs.h"
#include "unit.h"

#define COUNT(array) (sizeof(array) / sizeof(*(array)))

START_TEST(names_of_types)
{
  static const struct {
    const char *name;
    enum attr_type type;
  } cases[] = {
      {"string", ATTR_STRING},   {"number", ATTR_NUMBER}, {"bool", ATTR_BOOL}, {"time", ATTR_TIME},
      {"version", ATTR_VERSION}, {"semver", ATTR_SEMVER}, {"ip", ATTR_IP},     {"list", ATTR_LIST},
  };
  for (size_t i = 0; i < COUNT(cases); i++) {
    enum attr_type type = ATTR_DURATION;
    ck_assert_msg(attr_type_parse(str_from_cstr(cases[i].name), &type), "%s", cases[i].name);
    ck_assert_msg(type == cases[i].type, "%s", cases[i].name);
    ck_assert_str_eq(attr_type_name(type), cases[i].name);
  }
  static const char *const unknown[] = {"",       "duration", "weekday", "time of day",
                                        "String", "str",      "strings", "integer"};
  for (size_t i = 0; i < COUNT(unknown); i++) {
    enum attr_type type;
    ck_assert_msg(!attr_type_parse(str_from_cstr(unknown[i]), &type), "'%s'", unknown[i]);
  }
  ck_assert_str_eq(attr_type_name(ATTR_DURATION), "duration");
  ck_assert_str_eq(attr_type_name(ATTR_WEEKDAY), "weekday");
  ck_assert_str_eq(attr_type_name(ATTR_TIME_OF_DAY), "time of day");
}
END_TEST

START_TEST(ordered_types)
{
  static const bool expected[] = {
      [ATTR_STRING] = false,  [ATTR_NUMBER] = true,   [ATTR_BOOL] = false,       [ATTR_TIME] = true,
      [ATTR_DURATION] = true, [ATTR_VERSION] = true,  [ATTR_SEMVER] = true,      [ATTR_IP] = false,
      [ATTR_LIST] = false,    [ATTR_WEEKDAY] = false, [ATTR_TIME_OF_DAY] = true,
  };
  for (size_t i = 0; i < COUNT(expected); i++) {
    ck_assert_msg(attr_type_is_ordered((enum attr_type)i) == expected[i], "%s",
                  attr_type_name((enum attr_type)i));
  }
}
END_TEST

static const struct {
  enum attr_type type;
  const char *text;
  bool valid;
} parse_cases[] = {
    {ATTR_STRING, "", true},
    {ATTR_STRING, " any \xff bytes ", true},
    {ATTR_LIST, "one element", true},
    {ATTR_NUMBER, "0", true},
    {ATTR_NUMBER, "-1.5e-3", true},
    {ATTR_NUMBER, "1e308", true},
    {ATTR_NUMBER, "1e999", false},
    {ATTR_NUMBER, "-1e999", false},
    {ATTR_NUMBER, "", false},
    {ATTR_NUMBER, "01", false},
    {ATTR_NUMBER, "+1", false},
    {ATTR_NUMBER, ".5", false},
    {ATTR_NUMBER, "5.", false},
    {ATTR_NUMBER, " 5", false},
    {ATTR_NUMBER, "0x10", false},
    {ATTR_NUMBER, "nan", false},
    {ATTR_NUMBER, "Infinity", false},
    {ATTR_BOOL, "true", true},
    {ATTR_BOOL, "false", true},
    {ATTR_BOOL, "True", false},
    {ATTR_BOOL, "1", false},
    {ATTR_BOOL, "", false},
    {ATTR_TIME, "2026-01-01", true},
    {ATTR_TIME, "2026-01-01T08:00:00+08:00", true},
    {ATTR_TIME, "1767225600", true},
    {ATTR_TIME, "1767225600000", true},
    {ATTR_TIME, "2026-02-30", false},
    {ATTR_TIME, "2026-01-01T00:00:60Z", false},
    {ATTR_TIME, "", false},
    {ATTR_DURATION, "7d", true},
    {ATTR_DURATION, "-5m", true},
    {ATTR_DURATION, "7", false},
    {ATTR_DURATION, "", false},
    {ATTR_WEEKDAY, "mon", true},
    {ATTR_WEEKDAY, "sun", true},
    {ATTR_WEEKDAY, "Mon", false},
    {ATTR_WEEKDAY, "", false},
    {ATTR_TIME_OF_DAY, "00:00", true},
    {ATTR_TIME_OF_DAY, "23:59:59", true},
    {ATTR_TIME_OF_DAY, "24:00", false},
    {ATTR_TIME_OF_DAY, "9:00", false},
    {ATTR_TIME_OF_DAY, "", false},
    {ATTR_VERSION, "1", true},
    {ATTR_VERSION, "v1", true},
    {ATTR_VERSION, "1.2.3.4.5.6.7", true},
    {ATTR_VERSION, "01.002", true},
    {ATTR_VERSION, "1.0-rc.1", true},
    {ATTR_VERSION, "v2-alpha-1.0x", true},
    {ATTR_VERSION, "1.0-rc.01", true},
    {ATTR_VERSION, "99999999999999999999999999999999.1", true},
    {ATTR_VERSION, "", false},
    {ATTR_VERSION, "v", false},
    {ATTR_VERSION, "V1", false},
    {ATTR_VERSION, "vv1", false},
    {ATTR_VERSION, "1.", false},
    {ATTR_VERSION, ".1", false},
    {ATTR_VERSION, "1..2", false},
    {ATTR_VERSION, "1.0-", false},
    {ATTR_VERSION, "1.0-a..b", false},
    {ATTR_VERSION, "1.0-a.", false},
    {ATTR_VERSION, "1.0-a_b", false},
    {ATTR_VERSION, "-rc", false},
    {ATTR_VERSION, "1.0+build", false},
    {ATTR_VERSION, "1.x", false},
    {ATTR_VERSION, " 1.0", false},
    {ATTR_VERSION, "1.0 ", false},
    {ATTR_SEMVER, "0.0.0", true},
    {ATTR_SEMVER, "1.0.0-alpha.1", true},
    {ATTR_SEMVER, "1.0.0-0A.is.legal", true},
    {ATTR_SEMVER, "1.0.0--", true},
    {ATTR_SEMVER, "1.0.0+001", true},
    {ATTR_SEMVER, "1.0.0-rc.1+a-b.7", true},
    {ATTR_SEMVER, "1.0.0+a-b", true},
    {ATTR_SEMVER, "99999999999999999999999.999999999999999999.99999999999999999", true},
    {ATTR_SEMVER, "", false},
    {ATTR_SEMVER, "1", false},
    {ATTR_SEMVER, "1.2", false},
    {ATTR_SEMVER, "1.2.3.4", false},
    {ATTR_SEMVER, "v1.2.3", false},
    {ATTR_SEMVER, "01.2.3", false},
    {ATTR_SEMVER, "1.02.3", false},
    {ATTR_SEMVER, "1.2.03", false},
    {ATTR_SEMVER, "1.2.3-", false},
    {ATTR_SEMVER, "1.2.3-01", false},
    {ATTR_SEMVER, "1.2.3-a..b", false},
    {ATTR_SEMVER, "1.2.3+", false},
    {ATTR_SEMVER, "1.2.3+a+b", false},
    {ATTR_SEMVER, "1.2.3-a+", false},
    {ATTR_SEMVER, "+1.2.3", false},
    {ATTR_IP, "203.0.113.7", true},
    {ATTR_IP, " 2001:db8::1 ", true},
    {ATTR_IP, "203.0.113.07", false},
    {ATTR_IP, "203.0.113.7:80", false},
    {ATTR_IP, "", false},
};

START_TEST(parsing)
{
  for (size_t i = 0; i < COUNT(parse_cases); i++) {
    struct str text = str_from_cstr(parse_cases[i].text);
    struct attr_datum datum = {0};
    bool valid = attr_datum_parse(parse_cases[i].type, text, &datum);
    ck_assert_msg(valid == parse_cases[i].valid, "%s '%s'", attr_type_name(parse_cases[i].type),
                  parse_cases[i].text);
    ck_assert_msg(!valid || (datum.text.p == text.p && datum.text.n == text.n), "%s views its text",
                  parse_cases[i].text);
    ck_assert_msg(valid || datum.text.p == NULL, "'%s' leaves *ret alone", parse_cases[i].text);
  }
}
END_TEST

START_TEST(parsed_values)
{
  struct attr_datum datum;
  ck_assert(attr_datum_parse(ATTR_NUMBER, STR("-2.5e1"), &datum));
  ck_assert_double_eq(datum.as.number, -25.0);
  ck_assert(attr_datum_parse(ATTR_BOOL, STR("true"), &datum));
  ck_assert(datum.as.boolean);
  ck_assert(attr_datum_parse(ATTR_TIME, STR("2026-01-01T08:00:00.25+08:00"), &datum));
  ck_assert_int_eq(datum.as.ms, 1767225600250);
  ck_assert(attr_datum_parse(ATTR_DURATION, STR("-2h"), &datum));
  ck_assert_int_eq(datum.as.ms, -7200000);
  ck_assert(attr_datum_parse(ATTR_IP, STR("::ffff:203.0.113.7"), &datum));
  ck_assert(ip_is_v4(&datum.as.ip));
}
END_TEST

static void check_order(enum attr_type type, const char *a, const char *b, int expected) {
  struct attr_datum left, right;
  ck_assert_msg(attr_datum_parse(type, str_from_cstr(a), &left), "%s", a);
  ck_assert_msg(attr_datum_parse(type, str_from_cstr(b), &right), "%s", b);
  int order = attr_datum_compare(type, &left, &right);
  ck_assert_msg((order > 0) - (order < 0) == expected, "%s %s : %s gives %d", attr_type_name(type),
                a, b, order);
}

/* Each row in ascending order: every pair is compared, both ways. */
static const struct {
  enum attr_type type;
  const char *ascending[16];
} order_cases[] = {
    {ATTR_STRING, {"", "10", "9", "A", "a", "aa", "b", "\xff"}},
    {ATTR_NUMBER, {"-1e300", "-1", "0", "0.5", "9", "10", "1e300"}},
    {ATTR_BOOL, {"false", "true"}},
    {ATTR_TIME, {"1969-12-31T23:59:59Z", "1970-01-01", "2026-01-01", "1767225600001"}},
    {ATTR_DURATION, {"-1d", "-1ms", "0s", "999ms", "1s", "1m", "1h", "1d"}},
    {ATTR_VERSION,
     {"0", "1-0", "1-1", "v1-2", "1-10", "1-99999999999999999999999", "1-A", "1-a", "1-a.0", "1-b",
      "1", "1.0.0.1", "1.9", "1.10", "18446744073709551616", "v18446744073709551617"}},
    {ATTR_SEMVER,
     {"1.0.0-alpha", "1.0.0-alpha.1", "1.0.0-alpha.beta", "1.0.0-beta", "1.0.0-beta.2",
      "1.0.0-beta.11", "1.0.0-rc.1", "1.0.0", "1.0.1", "1.9.0", "1.10.0", "2.0.0-0", "2.0.0",
      "18446744073709551616.0.0", "18446744073709551617.0.0"}},
    {ATTR_WEEKDAY, {"mon", "tue", "wed", "thu", "fri", "sat", "sun"}},
    {ATTR_TIME_OF_DAY, {"00:00", "00:00:01", "09:59", "10:00", "23:59", "23:59:59"}},
    {ATTR_IP, {"0.0.0.0", "9.255.255.255", "10.0.0.0", "2001:db8::1", "2001:db8::2"}},
};

START_TEST(ordering)
{
  for (size_t i = 0; i < COUNT(order_cases); i++) {
    const char *const *row = order_cases[i].ascending;
    for (size_t a = 0; a < 16 && row[a]; a++) {
      for (size_t b = 0; b < 16 && row[b]; b++) {
        check_order(order_cases[i].type, row[a], row[b], (a > b) - (a < b));
      }
    }
  }
}
END_TEST

START_TEST(equality)
{
  static const struct {
    enum attr_type type;
    const char *a, *b;
  } cases[] = {
      {ATTR_NUMBER, "1.0", "1"},
      {ATTR_NUMBER, "0", "-0"},
      {ATTR_NUMBER, "9007199254740993", "9007199254740992"},
      {ATTR_TIME, "2026-01-01", "1767225600"},
      {ATTR_TIME, "2026-01-01T08:00:00+08:00", "2026-01-01t00:00:00z"},
      {ATTR_DURATION, "60m", "1h"},
      {ATTR_VERSION, "1.0", "1.0.0"},
      {ATTR_VERSION, "v1", "1.0.0.0.0"},
      {ATTR_VERSION, "01.2", "1.02"},
      {ATTR_VERSION, "0", "00.0"},
      {ATTR_VERSION, "1.0-rc.1", "v1-rc.01"},
      {ATTR_SEMVER, "1.0.0+a", "1.0.0+b-c"},
      {ATTR_SEMVER, "1.0.0-rc.1+a", "1.0.0-rc.1"},
      {ATTR_IP, "::ffff:10.0.0.1", "10.0.0.1"},
      {ATTR_IP, "2001:DB8:0::1", "2001:db8::1"},
      {ATTR_LIST, "a", "a"},
      {ATTR_TIME_OF_DAY, "09:00", "09:00:00"},
  };
  for (size_t i = 0; i < COUNT(cases); i++) {
    check_order(cases[i].type, cases[i].a, cases[i].b, 0);
    check_order(cases[i].type, cases[i].b, cases[i].a, 0);
  }
}
END_TEST

UNIT_MAIN("attrs_types", names_of_types, ordered_types, parsing, parsed_values, ordering, equality)
