#include "adit/agent.h"

#include <stdio.h>
#include <string.h>

#include "unit.h"

#define COUNT(array) (sizeof(array) / sizeof(*(array)))

/* ---- languages ------------------------------------------------------------------------------- */

static const struct {
  const char *field;
  const char *tag; /* "": none */
} language_cases[] = {
    {"en", "en"},
    {"EN-gb", "en-GB"},
    {"zh-cn,zh;q=0.9", "zh-CN"},
    {"ZH-HANS-cn", "zh-Hans-CN"},
    {"sl-ROZAJ-1994", "sl-rozaj-1994"},
    {"es-419", "es-419"},
    {"x-US-abcd", "x-us-abcd"},
    {"en-a-US-x-AB", "en-a-us-x-ab"},
    {"de;q=0.5, fr;q=0.8", "fr"},
    {"de;q=0.8, fr;q=0.8", "de"},
    {"de;q=0.8,fr;q=0.801", "fr"},
    {"*, fr;q=0.1", "fr"},
    {"*", ""},
    {"en;q=0", ""},
    {"en;q=0.000, fr;q=0.001", "fr"},
    {"en ; Q=0.5 , fr;q=0.4", "en"},
    {"en;q=1.000", "en"},
    {"en;q=1.", "en"},
    {"en;q=1.001, fr;q=0.1", "fr"},
    {"en;q=0.1234, fr;q=0.1", "fr"},
    {"en;q=2, fr;q=0.1", "fr"},
    {"en;q=, fr;q=0.1", "fr"},
    {"en;q=-1, fr;q=0.1", "fr"},
    {"en;x=1, fr;q=0.1", "fr"},
    {"en;q=0.5;q=1, fr;q=0.1", "fr"},
    {"e n, fr;q=0.1", "fr"},
    {"en_GB, fr;q=0.1", "fr"},
    {"en-, fr;q=0.1", "fr"},
    {"-en, fr;q=0.1", "fr"},
    {"en--GB, fr;q=0.1", "fr"},
    {"abcdefghi, fr;q=0.1", "fr"},
    {"12, fr;q=0.1", "fr"},
    {"\x01\x02, fr;q=0.1", "fr"},
    {"\xc3\xa9, fr;q=0.1", "fr"},
    {"", ""},
    {",,;,", ""},
    {", ,fr", "fr"},
    {"aa-bbbbbbbb-cccccccc-dddddddd-eeeeeeee", ""},
};

START_TEST(languages)
{
  for (size_t i = 0; i < COUNT(language_cases); i++) {
    struct language best = {0};
    language_offer(&best, str_from_cstr(language_cases[i].field));
    ck_assert_msg(str_eq(best.tag, str_from_cstr(language_cases[i].tag)), "%s: '%.*s'",
                  language_cases[i].field, STR_ARG(best.tag));
  }
}
END_TEST

START_TEST(languages_in_several_lines)
{
  struct language best = {0};
  language_offer(&best, STR("de;q=0.5"));
  language_offer(&best, STR("fr;q=0.7"));
  language_offer(&best, STR("it;q=0.7"));
  ck_assert_view_eq(best.tag, "fr");
}
END_TEST

START_TEST(a_thousand_languages)
{
  static char field[16 * 1024];
  size_t n = 0;
  for (int i = 0; i < 1000; i++) n += (size_t)sprintf(field + n, "de;q=0.5,");
  strcpy(field + n, "fr");
  struct language best = {0};
  language_offer(&best, str_from_cstr(field));
  ck_assert_view_eq(best.tag, "de");
  ck_assert_uint_eq(best.ranges, LANGUAGE_RANGES_MAX);
}
END_TEST

/* ---- agents ---------------------------------------------------------------------------------- */

#define WEBKIT "AppleWebKit/537.36 (KHTML, like Gecko) "

struct agent_case {
  struct agent_input input;
  const char *expected[AGENT_FIELDS]; /* device, os, its version, browser, its version */
};

#define UA(text) \
  { .user_agent = STR_INIT("Mozilla/5.0 " text) }

static const struct agent_case agent_cases[] = {
    {UA("(Windows NT 10.0; Win64; x64) " WEBKIT "Chrome/120.0.0.0 Safari/537.36"),
     {"desktop", "windows", "10", "chrome", "120.0.0.0"}},
    {UA("(Windows NT 6.1) " WEBKIT "Chrome/120.0.0.0 Safari/537.36 Edg/120.0.2210.91"),
     {"desktop", "windows", "7", "edge", "120.0.2210.91"}},
    {UA("(Windows NT 6.1; WOW64; Trident/7.0; rv:11.0) like Gecko"),
     {"desktop", "windows", "7", "ie", "11.0"}},
    {UA("(compatible; MSIE 9.0; Windows NT 6.0; Trident/5.0)"),
     {"desktop", "windows", "6.0", "ie", "9.0"}},
    {UA("(Macintosh; Intel Mac OS X 10_15_7) AppleWebKit/605.1.15 (KHTML, like Gecko) "
        "Version/17.1 Safari/605.1.15"),
     {"desktop", "macos", "10.15.7", "safari", "17.1"}},
    {UA("(X11; Ubuntu; Linux x86_64; rv:121.0) Gecko/20100101 Firefox/121.0"),
     {"desktop", "linux", "", "firefox", "121.0"}},
    {UA("(X11; CrOS x86_64 14541.0.0) " WEBKIT "Chrome/119.0.0.0 Safari/537.36"),
     {"desktop", "chromeos", "", "chrome", "119.0.0.0"}},
    {UA("(iPhone; CPU iPhone OS 17_1_2 like Mac OS X) AppleWebKit/605.1.15 (KHTML, like Gecko) "
        "Version/17.1 Mobile/15E148 Safari/604.1"),
     {"mobile", "ios", "17.1.2", "safari", "17.1"}},
    {UA("(iPad; CPU OS 16_6 like Mac OS X) AppleWebKit/605.1.15 (KHTML, like Gecko) "
        "CriOS/120.0.6099.50 Mobile/15E148 Safari/604.1"),
     {"tablet", "ios", "16.6", "chrome", "120.0.6099.50"}},
    {UA("(Linux; Android 13; SM-S901B) " WEBKIT "SamsungBrowser/23.0 Chrome/115.0.0.0 Mobile "
        "Safari/537.36"),
     {"mobile", "android", "13", "samsung", "23.0"}},
    {UA("(Linux; Android 12; SM-T870) " WEBKIT "Chrome/120.0.0.0 Safari/537.36"),
     {"tablet", "android", "12", "chrome", "120.0.0.0"}},
    {UA("(Linux; Android 11; CUBOT_X30) " WEBKIT "Chrome/120.0.0.0 Mobile Safari/537.36"),
     {"mobile", "android", "11", "chrome", "120.0.0.0"}},
    {UA("(Linux; U; Android 4.0.3; en-us) AppleWebKit/534.30 (KHTML, like Gecko) Version/4.0 "
        "Mobile Safari/534.30"),
     {"mobile", "android", "4.0.3", "android", "4.0"}},
    {UA("(compatible; Googlebot/2.1; +http://www.google.com/bot.html)"), {"bot", "", "", "", ""}},
    {UA("(compatible; Baiduspider/2.0)"), {"bot", "", "", "", ""}},
    {UA("AdsBot-Google"), {"bot", "", "", "", ""}},
    {{.user_agent = STR_INIT("curl/8.4.0")}, {"bot", "", "", "", ""}},
    {UA("(SMART-TV; Linux; Tizen 6.0) AppleWebKit/537.36 (KHTML, like Gecko) Version/6.0 TV "
        "Safari/537.36"),
     {"", "", "", "safari", "6.0"}},
    {{.user_agent = STR_INIT("")}, {"", "", "", "", ""}},
    {{.user_agent = STR_INIT("\x01\xff\x7f / ;; Chrome/ Windows NT x")},
     {"desktop", "windows", "", "chrome", ""}},
    {{.user_agent = STR_INIT("Chromebook Androids mobiles xChrome/1")}, {"", "", "", "", ""}},
    {{.user_agent = STR_INIT("Chrome/1..2 Android 1.2.")},
     {"tablet", "android", "1.2", "chrome", "1"}},
    {{.user_agent = STR_INIT("Firefox/1111111111.2222222222.33333333333")},
     {"", "", "", "firefox", "1111111111.2222222222"}},
    {{.user_agent = STR_INIT("Firefox/111111111122222222223333333333444")},
     {"", "", "", "firefox", ""}},
    {{.mobile = {0}}, {"", "", "", "", ""}},
};

#define FROZEN                                                        \
  .user_agent = STR_INIT("Mozilla/5.0 (Linux; Android 10; K) " WEBKIT \
                         "Chrome/119.0.0.0 Mobile Safari/537.36")
#define STAYS \
  { "mobile", "android", "10", "chrome", "119.0.0.0" }

static const struct agent_case hint_cases[] = {
    {{FROZEN, .brands = STR_INIT("\"Not?A_Brand\";v=\"8\", \"Chromium\";v=\"120\", "
                                 "\"Microsoft Edge\";v=\"121\"")},
     {"mobile", "android", "10", "edge", "121"}},
    {{FROZEN, .brands = STR_INIT("\"Opera\";v=\"9\";x,\"Chromium\";v=\"120\"")},
     {"mobile", "android", "10", "opera", "9"}},
    {{FROZEN, .brands = STR_INIT("\"Chromium\";v=\"120\"")},
     {"mobile", "android", "10", "chromium", "120"}},
    {{FROZEN, .brands = STR_INIT("\"(Not;\\\"Brand\";v=\"8\"")}, STAYS},
    {{FROZEN, .brands = STR_INIT("\"Opera\";v=\"9")}, STAYS},
    {{FROZEN, .brands = STR_INIT("\"Opera\";v=\"9\",")}, STAYS},
    {{FROZEN, .brands = STR_INIT("\"Opera\" \"Brave\"")}, STAYS},
    {{FROZEN, .brands = STR_INIT("Opera;v=\"9\"")}, STAYS},
    {{FROZEN, .brands = STR_INIT("\"Opera\x01\";v=\"9\"")}, STAYS},
    {{FROZEN, .brands = STR_INIT("\"Opera\";V=\"9\"")}, STAYS},
    {{FROZEN, .brands = STR_INIT("")}, STAYS},
    {{FROZEN, .mobile = STR_INIT("?0")}, {"tablet", "android", "10", "chrome", "119.0.0.0"}},
    {{FROZEN, .mobile = STR_INIT("?1")}, STAYS},
    {{FROZEN, .mobile = STR_INIT("?2")}, STAYS},
    {{FROZEN, .mobile = STR_INIT("1")}, STAYS},
    {{FROZEN, .platform = STR_INIT("\"Windows\""), .mobile = STR_INIT("?0")},
     {"desktop", "windows", "", "chrome", "119.0.0.0"}},
    {{FROZEN, .platform = STR_INIT("\"Windows\""), .platform_version = STR_INIT("\"15.0.0\"")},
     {"mobile", "windows", "11", "chrome", "119.0.0.0"}},
    {{FROZEN, .platform = STR_INIT("\"Windows\""), .platform_version = STR_INIT("\"10.0.0\"")},
     {"mobile", "windows", "10", "chrome", "119.0.0.0"}},
    {{FROZEN, .platform = STR_INIT("\"Windows\""), .platform_version = STR_INIT("\"0.3.0\"")},
     {"mobile", "windows", "8.1", "chrome", "119.0.0.0"}},
    {{FROZEN, .platform_version = STR_INIT("\"14.0.0\"")},
     {"mobile", "android", "14.0.0", "chrome", "119.0.0.0"}},
    {{FROZEN, .platform_version = STR_INIT("\"\"")}, STAYS},
    {{FROZEN, .platform = STR_INIT("Windows")}, STAYS},
    {{FROZEN, .platform = STR_INIT("\"Unknown\"")}, STAYS},
    {{FROZEN, .platform = STR_INIT("\"Windows\" x")}, STAYS},
    {{.user_agent = STR_INIT("Googlebot/2.1"), .mobile = STR_INIT("?1")}, {"bot", "", "", "", ""}},
    {{.mobile = STR_INIT("?0")}, {"desktop", "", "", "", ""}},
};

static void check_agents(const struct agent_case *cases, size_t n) {
  for (size_t i = 0; i < n; i++) {
    struct agent agent;
    agent_parse(&cases[i].input, &agent);
    for (size_t k = 0; k < AGENT_FIELDS; k++)
      ck_assert_msg(str_eq(agent.fields[k], str_from_cstr(cases[i].expected[k])),
                    "case %zu (%.*s), field %zu: '%.*s', expected '%s'", i,
                    STR_ARG(cases[i].input.user_agent), k, STR_ARG(agent.fields[k]),
                    cases[i].expected[k]);
  }
}

START_TEST(user_agents)
{ check_agents(agent_cases, COUNT(agent_cases)); }
END_TEST

START_TEST(client_hints)
{ check_agents(hint_cases, COUNT(hint_cases)); }
END_TEST

START_TEST(what_stands_far_behind_is_not_looked_at)
{
  static char text[10 * 1024];
  memset(text, ' ', sizeof(text));
  memcpy(text, "Firefox/1", 9);
  memcpy(text + sizeof(text) - 9, "Googlebot", 9);
  struct agent_input input = {.user_agent = str_make(text, sizeof(text)),
                              .brands = str_make(text, sizeof(text)),
                              .platform = str_make(text, sizeof(text))};
  struct agent agent;
  agent_parse(&input, &agent);
  ck_assert_view_eq(agent.fields[AGENT_BROWSER], "firefox");
  ck_assert_view_eq(agent.fields[AGENT_BROWSER_VERSION], "1");
  ck_assert(!agent.fields[AGENT_DEVICE].p);
}
END_TEST

UNIT_MAIN("agent", languages, languages_in_several_lines, a_thousand_languages, user_agents,
          client_hints, what_stands_far_behind_is_not_looked_at)
