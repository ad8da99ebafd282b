/* accesslog: which kind a line is, what is read of it, and what it gives to a decision. */
#include "adit/accesslog.h"

#include <stdio.h>

#include "unit.h"

#define HEAD                                                                              \
  "{\"time\":\"2026-11-28T00:00:00.123Z\",\"client_ip\":\"10.0.0.1\",\"method\":\"GET\"," \
  "\"scheme\":\"https\",\"host\":\"Shop.Example\",\"path\":\"/a%20b\",\"query\":\"x=1\","
#define DECISION                                                                         \
  "\"status\":200,\"duration_ms\":1.250,\"route\":\"shop\",\"variant\":\"v1\",\"rule\":" \
  "\"plan\",\"reason\":\"failover\",\"bucket\":17,\"config\":\"aa\""
#define BEFORE                                                                     \
  ",\"now\":\"2026-11-28T00:00:00.250Z\",\"cookie\":\"valid\",\"pin\":\"canary\"," \
  "\"decided\":\"canary\",\"decided_reason\":\"rule\""
#define LINE(attributes, more) HEAD DECISION BEFORE ",\"attributes\":{" attributes "}" more "}"

struct bench {
  struct log_reader *reader;
  struct log_line line;
  char *text;
};

static void bench_read(struct bench *bench, struct str text) {
  bench->reader = log_reader_new();
  bench->text = malloc(text.n + 1);
  ck_assert(bench->reader && bench->text);
  memcpy(bench->text, text.p, text.n);
  log_read(bench->reader, bench->text, text.n, &bench->line);
}

static void bench_free(struct bench *bench) {
  log_reader_free(&bench->reader);
  free(bench->text);
}

START_TEST(test_whole)
{
  struct bench bench;
  bench_read(&bench, STR(LINE("\"region\":\"eu\"", "")));
  const struct log_line *line = &bench.line;
  const struct attr_request *request = &line->request.attr;
  ck_assert_msg(line->kind == LOG_REQUEST, "%s", line->why ? line->why : "");
  ck_assert_view_eq(request->method, "GET");
  ck_assert_view_eq(request->scheme, "https");
  ck_assert_view_eq(request->host, "shop.example");
  ck_assert_view_eq(request->path, "/a b");
  ck_assert_view_eq(request->query, "x=1");
  ck_assert_int_eq(request->client_ip.bytes[12], 10);
  ck_assert_int_eq(request->now_ms, INT64_C(1795824000250));
  ck_assert(request->recorded && line->request.recorded == &line->recorded);
  ck_assert_view_eq(line->recorded.pin, "canary");
  ck_assert_int_eq(line->recorded.cookie, COOKIE_VALID);
  ck_assert_int_eq(line->recorded.bucket, 17);
  ck_assert_ptr_null(line->recorded.forced.p);
  ck_assert_view_eq(line->decided, "canary");
  ck_assert_view_eq(line->variant, "v1");
  ck_assert_view_eq(line->reason, "failover");
  ck_assert_view_eq(line->decided_reason, "rule");
  ck_assert_view_eq(line->config, "aa");
  bench_free(&bench);
}
END_TEST

START_TEST(test_attributes)
{
  static const struct {
    const char *member;
    enum attr_given_state state;
    size_t n;
    const char *text, *hash; /* the first; NULL: none */
  } cases[] = {
      {"\"a\":\"x\"", GIVEN_TEXTS, 1, "x", NULL},
      {"\"a\":null", GIVEN_TEXTS, 0, NULL, NULL},
      {"\"a\":[]", GIVEN_TEXTS, 0, NULL, NULL},
      {"\"a\":[\"x\",\"y\"]", GIVEN_TEXTS, 2, "x", NULL},
      {"\"a\":\"\"", GIVEN_TEXTS, 1, "", NULL},
      {"\"a\" : \"\\u00e4\\ud83d\\ude00\\\"\\/\\n\"", GIVEN_TEXTS, 1,
       "\xC3\xA4\xF0\x9F\x98\x80\"/\n", NULL},
      {"\"\\u0061\":\"x\"", GIVEN_TEXTS, 1, "x", NULL},
      {"\"a\":{\"hash\":\"0011\"}", GIVEN_UNKNOWN, 0, NULL, "0011"},
      {"\"a\":[{\"hash\":\"0011\"},{\"hash\":\"22\"}]", GIVEN_UNKNOWN, 0, NULL, "0011"},
      {"\"a\":{\"undecided\":true}", GIVEN_UNDECIDED, 0, NULL, NULL},
      {"\"a\":{\"cut\":\"long\"}", GIVEN_UNKNOWN, 0, NULL, NULL},
      {"\"a\":[\"x\",{\"cut\":\"long\"}]", GIVEN_UNKNOWN, 1, "x", NULL},
      {"\"a\":{\"of a later version\":[1,{\"b\":2}]}", GIVEN_UNKNOWN, 0, NULL, NULL},
      /* bytes that were no UTF-8 are U+FFFD in the log: nobody knows what they were */
      {"\"a\":\"x\xEF\xBF\xBDy\"", GIVEN_UNKNOWN, 1, "x\xEF\xBF\xBDy", NULL},
      {"\"a\":\"\\ufffd\"", GIVEN_UNKNOWN, 1, "\xEF\xBF\xBD", NULL},
  };
  for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
    char text[1024];
    const int n = snprintf(text, sizeof(text), "%s%s}}", HEAD DECISION BEFORE ",\"attributes\":{",
                           cases[i].member);
    struct bench bench;
    bench_read(&bench, str_make(text, (size_t)n));
    ck_assert_msg(bench.line.kind == LOG_REQUEST, "%zu: %s", i, bench.line.why);
    ck_assert_uint_eq(bench.line.request.attr.given_count, 1);
    const struct attr_given *given = &bench.line.request.attr.given[0];
    ck_assert_view_eq(given->name, "a");
    ck_assert_int_eq(given->state, cases[i].state);
    ck_assert_uint_eq(given->n, cases[i].n);
    if (cases[i].text) ck_assert_view_eq(given->texts[0], cases[i].text);
    if (cases[i].hash) ck_assert_view_eq(bench.line.hashes[0], cases[i].hash);
    ck_assert(cases[i].hash || !bench.line.hashes[0].p);
    ck_assert_int_eq(bench.line.has_undecided, cases[i].state == GIVEN_UNDECIDED);
    bench_free(&bench);
  }
}
END_TEST

START_TEST(test_kinds)
{
  static const struct {
    const char *text;
    enum log_kind kind;
    size_t column; /* 0: of no place */
  } cases[] = {
      {"", LOG_BLANK, 0},
      {" \t\r", LOG_BLANK, 0},
      {HEAD DECISION "}", LOG_BARE, 0},
      {HEAD DECISION BEFORE "}", LOG_BARE, 0},
      {LINE("", ",\"cut\":true"), LOG_REQUEST, 0}, /* an attribute was left out */
      {HEAD DECISION BEFORE ",\"attributes\":null}", LOG_REQUEST, 0},
      {HEAD DECISION ",\"decided_reason\":null,\"attributes\":null}", LOG_BARE, 0},
      {LINE("", ",\"cut\":false") " ", LOG_REQUEST, 0},
      {LINE("", ",\"new member\":{\"a\":[true,false,null,-1.5e+7]}"), LOG_REQUEST, 0},
      {"{\"route\":null,\"reason\":null,\"config\":\"aa\",\"method\":null}", LOG_REFUSED, 0},
      {"10.0.0.1 - - [28/Nov/2026:00:00:00 +0000] \"GET / HTTP/1.1\" 200 1 \"-\" \"-\"",
       LOG_COMBINED, 0},
      {"{", LOG_HALF, 2},
      {"{\"time\":\"2026", LOG_HALF, 14},
      {HEAD, LOG_HALF, sizeof(HEAD)},
      {"{}", LOG_MALFORMED, 0},
      {"{\"level\":\"info\",\"message\":\"hello\"}", LOG_MALFORMED, 0},
      {"[]", LOG_MALFORMED, 1},
      {"hello", LOG_MALFORMED, 1},
      {"{\"a\":1,}", LOG_MALFORMED, 8},
      {"{\"a\":01}", LOG_MALFORMED, 8},
      {"{\"a\":1.}x", LOG_MALFORMED, 8},
      {"{\"a\":1e}", LOG_MALFORMED, 8},
      {"{\"a\":-}", LOG_MALFORMED, 7},
      {"{\"a\":nul}", LOG_MALFORMED, 9},
      {"{\"a\":\"\\x\"}", LOG_MALFORMED, 8},
      {"{\"a\":\"\\ud800\"}", LOG_MALFORMED, 13},
      {"{\"a\":\"\\udc00\"}", LOG_MALFORMED, 13},
      {"{\"a\":\"\\u12g4\"}", LOG_MALFORMED, 11},
      {"{\"a\":\"\t\"}", LOG_MALFORMED, 7},
      {"{\"a\":\"\xFF\"}", LOG_MALFORMED, 8},
      {"{\"a\":1}{}", LOG_MALFORMED, 8},
      {"{\"a\" 1}", LOG_MALFORMED, 6},
      {"{\"route\":1}", LOG_MALFORMED, 10},
      {"{\"route\":null,\"route\":null}", LOG_MALFORMED, 23},
      {"{\"bucket\":10000}", LOG_MALFORMED, 16},
      {LINE("\"a\":1", ""), LOG_MALFORMED, sizeof(HEAD DECISION BEFORE ",\"attributes\":{\"a\":")},
      {LINE("\"a\":null,\"a\":null", ""), LOG_MALFORMED,
       sizeof(HEAD DECISION BEFORE ",\"attributes\":{\"a\":null,\"a\":")},
      {"{\"a\":[[[[[[[[[[[[[[[[1]]]]]]]]]]]]]]]]}", LOG_MALFORMED, 22},
  };
  for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
    struct bench bench;
    bench_read(&bench, str_from_cstr(cases[i].text));
    const struct log_line *line = &bench.line;
    ck_assert_msg(line->kind == cases[i].kind, "%s is %s: %s", cases[i].text,
                  log_kind_name(line->kind), line->why ? line->why : "");
    ck_assert_msg(line->column == cases[i].column, "%s: column %zu", cases[i].text, line->column);
    bench_free(&bench);
  }
}
END_TEST

/* One member of a good line is another. */
START_TEST(test_members_refused)
{
  static const char *const cases[][2] = {
      {"\"scheme\":\"https\"", "\"scheme\":\"ftp\""},
      {"\"client_ip\":\"10.0.0.1\"", "\"client_ip\":\"10.0.0\""},
      {"\"client_ip\":\"10.0.0.1\"", "\"client_ip\":null"},
      {"\"path\":\"/a%20b\"", "\"path\":\"/..\""},
      {"\"path\":\"/a%20b\"", "\"path\":null"},
      {"\"method\":\"GET\"", "\"method\":null"},
      {"\"now\":\"2026-11-28T00:00:00.250Z\"", "\"now\":\"yesterday\""},
      {"\"cookie\":\"valid\"", "\"cookie\":\"fresh\""},
  };
  for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
    char text[2048];
    const char *line = LINE("", ""), *at = strstr(line, cases[i][0]);
    ck_assert_ptr_nonnull(at);
    const int n = snprintf(text, sizeof(text), "%.*s%s%s", (int)(at - line), line, cases[i][1],
                           at + strlen(cases[i][0]));
    struct bench bench;
    bench_read(&bench, str_make(text, (size_t)n));
    ck_assert_msg(bench.line.kind == LOG_MALFORMED && bench.line.why, "%s", cases[i][1]);
    bench_free(&bench);
  }
}
END_TEST

/* Texts of the line that are not as they were: where they decide the route, nothing can be decided.
 */
START_TEST(test_untold)
{
  static char query[LOG_VALUE_BYTES + 64], path[LOG_VALUE_BYTES + 64], other[LOG_VALUE_BYTES + 64];
  snprintf(query, sizeof(query), "\"query\":\"%0*d\",\"cut\":true", LOG_VALUE_BYTES, 0);
  snprintf(path, sizeof(path), "\"path\":\"/%0*d\",\"cut\":true", LOG_VALUE_BYTES - 1, 0);
  snprintf(other, sizeof(other), "\"path\":\"/%0*d\"", LOG_VALUE_BYTES - 1, 0);
  const struct {
    const char *member, *changed;
    enum log_kind kind;
    bool query, client_ip;
  } cases[] = {
      {"\"query\":\"x=1\"", "\"query\":{\"hash\":\"0011\"}", LOG_REQUEST, true, false},
      {"\"query\":\"x=1\"", "\"query\":\"x=\\ufffd\",\"cut\":true", LOG_REQUEST, true, false},
      {"\"query\":\"x=1\"", query, LOG_REQUEST, true, false},
      {"\"client_ip\":\"10.0.0.1\"", "\"client_ip\":{\"hash\":\"0011\"}", LOG_REQUEST, false, true},
      {"\"host\":\"Shop.Example\"", "\"host\":{\"hash\":\"0011\"}", LOG_CUT, false, false},
      {"\"path\":\"/a%20b\"", "\"path\":{\"hash\":\"0011\"}", LOG_CUT, false, false},
      {"\"path\":\"/a%20b\"", path, LOG_CUT, false, false},
      {"\"path\":\"/a%20b\"", other, LOG_REQUEST, false, false},
      {"\"method\":\"GET\"", "\"method\":\"G\xEF\xBF\xBD\"", LOG_CUT, false, false},
  };
  for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
    static char text[2 * LOG_VALUE_BYTES];
    const char *line = LINE("", ""), *at = strstr(line, cases[i].member);
    ck_assert_ptr_nonnull(at);
    const int n = snprintf(text, sizeof(text), "%.*s%s%s", (int)(at - line), line, cases[i].changed,
                           at + strlen(cases[i].member));
    struct bench bench;
    bench_read(&bench, str_make(text, (size_t)n));
    ck_assert_msg(bench.line.kind == cases[i].kind, "%zu: %s %s", i, log_kind_name(bench.line.kind),
                  bench.line.why ? bench.line.why : "");
    ck_assert_int_eq(bench.line.request.attr.untold_query, cases[i].query);
    ck_assert_int_eq(bench.line.request.attr.untold_client_ip, cases[i].client_ip);
    bench_free(&bench);
  }
}
END_TEST

START_TEST(test_forced)
{
  static const char line[] =
      "{\"method\":\"GET\",\"scheme\":\"http\",\"host\":null,\"path\":\"*\","
      "\"query\":null,\"client_ip\":\"::1\",\"route\":\"shop\",\"reason\":"
      "\"forced\",\"config\":\"\",\"now\":\"2026-11-28T00:00:00Z\","
      "\"cookie\":\"not_read\",\"pin\":null,\"decided\":\"canary\","
      "\"decided_reason\":\"forced\",\"attributes\":{}}";
  struct bench bench;
  bench_read(&bench, str_from_cstr(line));
  ck_assert_msg(bench.line.kind == LOG_REQUEST, "%s", bench.line.why);
  ck_assert_view_eq(bench.line.recorded.forced, "canary");
  ck_assert_view_eq(bench.line.request.attr.host, "");
  ck_assert_ptr_nonnull(bench.line.request.attr.host.p);
  ck_assert_ptr_null(bench.line.request.attr.query.p);
  ck_assert_int_eq(bench.line.recorded.bucket, -1);
  bench_free(&bench);
}
END_TEST

START_TEST(test_overridden)
{
  static const char *const states[] = {"\"off\"", "\"full\"", "null", "\"maybe\""};
  for (size_t i = 0; i < sizeof(states) / sizeof(*states); i++) {
    char line[512];
    snprintf(
        line, sizeof(line),
        "{\"method\":\"GET\",\"scheme\":\"http\",\"host\":null,\"path\":\"/\",\"query\":null,"
        "\"client_ip\":\"::1\",\"route\":\"shop\",\"reason\":\"off\",\"config\":\"\","
        "\"now\":\"2026-11-28T00:00:00Z\",\"cookie\":\"not_read\",\"pin\":null,\"decided\":\"v1\","
        "\"decided_reason\":\"off\",\"override\":%s,\"attributes\":{}}",
        states[i]);
    struct bench bench;
    bench_read(&bench, str_from_cstr(line));
    ck_assert_int_eq(bench.line.kind, i < 3 ? LOG_REQUEST : LOG_MALFORMED);
    if (i < 2) {
      ck_assert_view_eq(bench.line.recorded.overridden, "shop");
      ck_assert_int_eq(bench.line.recorded.state, i == 0 ? ROUTE_OFF : ROUTE_FULL);
    } else if (i == 2) {
      ck_assert_ptr_null(bench.line.recorded.overridden.p);
    } else {
      ck_assert_str_eq(bench.line.why, "its 'override' is no state");
    }
    bench_free(&bench);
  }
}
END_TEST

/* Limits are said, not passed. */
START_TEST(test_limits)
{
  static char text[LOG_LINE_BYTES_MAX + 4096];
  static const struct {
    size_t attributes, values;
    enum log_kind kind;
  } cases[] = {{LOG_ATTRIBUTES_MAX, 1, LOG_REQUEST},
               {LOG_ATTRIBUTES_MAX + 1, 1, LOG_TOO_LARGE},
               {1, LOG_TEXTS_MAX, LOG_REQUEST},
               {1, LOG_TEXTS_MAX + 1, LOG_TOO_LARGE}};
  for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
    size_t n = (size_t)snprintf(text, sizeof(text), "%s", HEAD DECISION BEFORE ",\"attributes\":{");
    for (size_t a = 0; a < cases[i].attributes; a++) {
      n += (size_t)snprintf(text + n, sizeof(text) - n, "%s\"a%zu\":[", a ? "," : "", a);
      for (size_t v = 0; v < cases[i].values; v++)
        n += (size_t)snprintf(text + n, sizeof(text) - n, "%s\"v\"", v ? "," : "");
      n += (size_t)snprintf(text + n, sizeof(text) - n, "]");
    }
    n += (size_t)snprintf(text + n, sizeof(text) - n, "}}");
    struct bench bench;
    bench_read(&bench, str_make(text, n));
    ck_assert_msg(bench.line.kind == cases[i].kind, "%zu: %s", i, bench.line.why);
    bench_free(&bench);
  }
  memset(text, ' ', sizeof(text));
  text[0] = '{';
  struct bench bench;
  bench_read(&bench, str_make(text, LOG_LINE_BYTES_MAX + 1));
  ck_assert_int_eq(bench.line.kind, LOG_TOO_LARGE);
  bench_free(&bench);
}
END_TEST

UNIT_MAIN("accesslog", test_whole, test_attributes, test_kinds, test_members_refused, test_untold,
          test_forced, test_overridden, test_limits)
