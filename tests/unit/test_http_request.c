/* Request heads: what is taken and how it is understood, what is refused early, limits. */
#include <stdio.h>

#include "http_pieces.h"

#define HOST     "Host: a\r\n"
#define GET      "GET / HTTP/1.1\r\n" HOST
#define POST     "POST / HTTP/1.1\r\n" HOST
#define POST_OLD "POST / HTTP/1.0\r\n"

static enum http_parse parse(struct str input, size_t limit_bytes, struct http_head_scan *scan,
                             size_t *ret_n, const char **ret_why) {
  static struct http_request request;
  const struct http_limits limits = http_limits_usual(limit_bytes);
  return http_parse_request(input, &limits, scan, &request, ret_n, ret_why);
}

static const struct http_limits usual = {LIMIT, HTTP_REQUEST_LINE_MAX, HTTP_FIELDS_MAX};

/* ---- taken ----------------------------------------------------------------------------------- */

struct taken {
  const char *name;
  struct str head;
  const char *method, *target, *origin, *raw_path, *query, *authority, *host;
  bool needs_slash;
  enum http_target_form form;
};

START_TEST(targets)
{
  static const struct taken cases[] = {
      {"origin-form", HEAD("GET /a/b?x=1 HTTP/1.1\r\nHost: Shop.example:80\r\n"), "GET", "/a/b?x=1",
       "/a/b?x=1", "/a/b", "x=1", "Shop.example:80", "Shop.example"},
      {"no query", HEAD("GET / HTTP/1.1\r\n" HOST), "GET", "/", "/", "/", NULL, "a", "a"},
      {"empty query", HEAD("GET /? HTTP/1.1\r\n" HOST), "GET", "/?", "/?", "/", "", "a", "a"},
      {"second question mark", HEAD("GET /a?b?c HTTP/1.1\r\n" HOST), "GET", "/a?b?c", "/a?b?c",
       "/a", "b?c", "a", "a"},
      {"two slashes are a path", HEAD("GET //b/c HTTP/1.1\r\n" HOST), "GET", "//b/c", "//b/c",
       "//b/c", NULL, "a", "a"},
      {"what browsers leave", HEAD("GET /\"<>\\^`{|}?\"<>\\^`{|}'[] HTTP/1.1\r\n" HOST), "GET",
       "/\"<>\\^`{|}?\"<>\\^`{|}'[]", "/\"<>\\^`{|}?\"<>\\^`{|}'[]", "/\"<>\\^`{|}",
       "\"<>\\^`{|}'[]", "a", "a"},
      {"any bytes encoded", HEAD("GET /%00%ff%zz HTTP/1.1\r\n" HOST), "GET", "/%00%ff%zz",
       "/%00%ff%zz", "/%00%ff%zz", NULL, "a", "a"},
      {"unknown method", HEAD("M-SEARCH!#$%&'*+.^_`|~9 / HTTP/1.1\r\n" HOST),
       "M-SEARCH!#$%&'*+.^_`|~9", "/", "/", "/", NULL, "a", "a"},
      {"asterisk-form", HEAD("OPTIONS * HTTP/1.1\r\n" HOST), "OPTIONS", "*", "*", "*", NULL, "a",
       "a", .form = HTTP_TARGET_ASTERISK},
      {"absolute-form", HEAD("GET http://b:81/c?d HTTP/1.1\r\n" HOST), "GET", "http://b:81/c?d",
       "/c?d", "/c", "d", "b:81", "b", .form = HTTP_TARGET_ABSOLUTE},
      {"absolute-form, https, capitals", HEAD("GET HttpS://B.c/ HTTP/1.1\r\n" HOST), "GET",
       "HttpS://B.c/", "/", "/", NULL, "B.c", "B.c", .form = HTTP_TARGET_ABSOLUTE},
      {"absolute-form without path", HEAD("GET http://b HTTP/1.1\r\n" HOST), "GET", "http://b", "/",
       "/", NULL, "b", "b", .form = HTTP_TARGET_ABSOLUTE},
      {"absolute-form, query without path", HEAD("GET http://b?q=/ HTTP/1.1\r\n" HOST), "GET",
       "http://b?q=/", "?q=/", "/", "q=/", "b", "b", true, HTTP_TARGET_ABSOLUTE},
      {"absolute-form, OPTIONS without path", HEAD("OPTIONS http://b:1 HTTP/1.1\r\n" HOST),
       "OPTIONS", "http://b:1", "*", "*", NULL, "b:1", "b", .form = HTTP_TARGET_ABSOLUTE},
      {"absolute-form, OPTIONS of the root", HEAD("OPTIONS http://b/ HTTP/1.1\r\n" HOST), "OPTIONS",
       "http://b/", "/", "/", NULL, "b", "b", .form = HTTP_TARGET_ABSOLUTE},
      {"absolute-form, HTTP/1.0 without Host", HEAD("GET http://b/ HTTP/1.0\r\n"), "GET",
       "http://b/", "/", "/", NULL, "b", "b", .form = HTTP_TARGET_ABSOLUTE},
      {"absolute-form, IPv6", HEAD("GET http://[::1]:8/ HTTP/1.1\r\n" HOST), "GET",
       "http://[::1]:8/", "/", "/", NULL, "[::1]:8", "[::1]", .form = HTTP_TARGET_ABSOLUTE},
      {"authority-form", HEAD("CONNECT b:443 HTTP/1.1\r\n" HOST), "CONNECT", "b:443", "/", "/",
       NULL, "b:443", "b", .form = HTTP_TARGET_AUTHORITY},
      {"HTTP/1.0 without Host", HEAD("GET /x HTTP/1.0\r\n"), "GET", "/x", "/x", "/x", NULL, "", ""},
      {"HTTP/1.0 with Host", HEAD("GET /x HTTP/1.0\r\nHost: b:\r\n"), "GET", "/x", "/x", "/x", NULL,
       "b:", "b"},
      {"one trailing dot", HEAD("GET / HTTP/1.1\r\nHost: a.b.:80\r\n"), "GET", "/", "/", "/", NULL,
       "a.b.:80", "a.b"},
      {"of two trailing dots one", HEAD("GET / HTTP/1.1\r\nhost:a..\r\n"), "GET", "/", "/", "/",
       NULL, "a..", "a."},
      {"IPv6 Host", HEAD("GET / HTTP/1.1\r\nHOST:\t[::1]:80 \r\n"), "GET", "/", "/", "/", NULL,
       "[::1]:80", "[::1]"},
      {"empty line before", STR_INIT("\r\nGET / HTTP/1.1\r\n" HOST "\r\n"), "GET", "/", "/", "/",
       NULL, "a", "a"},
  };
  for (size_t i = 0; i < COUNT(cases); i++) {
    const struct taken *test = &cases[i];
    const struct pieces_result result = pieces_check(test->name, parse, test->head, LIMIT);
    ck_assert_msg(result.outcome == HTTP_PARSE_DONE, "%s: %s", test->name, result.why);
    ck_assert_msg(result.n == test->head.n, "%s: length", test->name);

    struct http_head_scan scan = {0};
    struct http_request request;
    size_t n;
    const char *why;
    ck_assert_int_eq(http_parse_request(test->head, &usual, &scan, &request, &n, &why),
                     HTTP_PARSE_DONE);
    ck_assert_view_eq(request.method, test->method);
    ck_assert_view_eq(request.target, test->target);
    ck_assert_view_eq(request.origin, test->origin);
    ck_assert_view_eq(request.raw_path, test->raw_path);
    ck_assert_view_eq(request.authority, test->authority);
    ck_assert_view_eq(request.host, test->host);
    ck_assert_msg(request.form == test->form, "%s: form", test->name);
    ck_assert_msg(request.origin_needs_slash == test->needs_slash, "%s: slash", test->name);
    ck_assert_msg((request.query.p == NULL) == (test->query == NULL), "%s: query", test->name);
    if (test->query != NULL) ck_assert_view_eq(request.query, test->query);
    ck_assert_msg(why == NULL, "%s: why", test->name);
  }
}
END_TEST

START_TEST(facts)
{
  enum { OLD = 1, KEEP = 2, EXPECT = 4, UPGRADE = 8, CONNECTION = 16 };
  static const struct {
    const char *name;
    struct str head;
    enum http_body_kind body;
    uint64_t length;
    int flags;
  } cases[] = {
      {"plain", HEAD(GET), HTTP_BODY_NONE, 0, KEEP},
      {"HTTP/1.2 is 1.1", HEAD("GET / HTTP/1.2\r\n" HOST), HTTP_BODY_NONE, 0, KEEP},
      {"HTTP/1.9 is 1.1", HEAD("GET / HTTP/1.9\r\n" HOST), HTTP_BODY_NONE, 0, KEEP},
      {"HTTP/1.0", HEAD("GET / HTTP/1.0\r\n"), HTTP_BODY_NONE, 0, OLD},
      {"length", HEAD(POST "Content-Length: 5\r\n"), HTTP_BODY_LENGTH, 5, KEEP},
      {"length 0", HEAD(POST "Content-Length: 0\r\n"), HTTP_BODY_LENGTH, 0, KEEP},
      {"leading zeros", HEAD(POST "content-length:\t007 \r\n"), HTTP_BODY_LENGTH, 7, KEEP},
      {"2^63-1", HEAD(POST "Content-Length: 9223372036854775807\r\n"), HTTP_BODY_LENGTH, INT64_MAX,
       KEEP},
      {"length of GET", HEAD(GET "Content-Length: 1\r\n"), HTTP_BODY_LENGTH, 1, KEEP},
      {"length in HTTP/1.0", HEAD(POST_OLD "Content-Length: 3\r\n"), HTTP_BODY_LENGTH, 3, OLD},
      {"chunked", HEAD(POST "Transfer-Encoding: chunked\r\n"), HTTP_BODY_CHUNKED, 0, KEEP},
      {"chunked, capitals", HEAD(POST "TRANSFER-ENCODING: \tCHUNKED\t \r\n"), HTTP_BODY_CHUNKED, 0,
       KEEP},
      {"close", HEAD(GET "Connection: close\r\n"), HTTP_BODY_NONE, 0, CONNECTION},
      {"close, capitals, among others", HEAD(GET "Connection: a, CLOSE ,b\r\n"), HTTP_BODY_NONE, 0,
       CONNECTION},
      {"close in a second line", HEAD(GET "Connection: a\r\nConnection: close\r\n"), HTTP_BODY_NONE,
       0, CONNECTION},
      {"close beats keep-alive", HEAD(GET "Connection: keep-alive, close\r\n"), HTTP_BODY_NONE, 0,
       CONNECTION},
      {"closed is not close", HEAD(GET "Connection: closed\r\n"), HTTP_BODY_NONE, 0,
       KEEP | CONNECTION},
      {"empty Connection", HEAD(GET "Connection:\r\n"), HTTP_BODY_NONE, 0, KEEP | CONNECTION},
      {"keep-alive of HTTP/1.0", HEAD("GET / HTTP/1.0\r\nConnection: Keep-Alive\r\n"),
       HTTP_BODY_NONE, 0, OLD | KEEP | CONNECTION},
      {"keep-alive and close of HTTP/1.0",
       HEAD("GET / HTTP/1.0\r\nConnection: keep-alive\r\nConnection: close\r\n"), HTTP_BODY_NONE, 0,
       OLD | CONNECTION},
      {"Proxy-Connection says nothing", HEAD("GET / HTTP/1.0\r\nProxy-Connection: keep-alive\r\n"),
       HTTP_BODY_NONE, 0, OLD},
      {"expect", HEAD(POST "Expect: 100-continue\r\nContent-Length: 1\r\n"), HTTP_BODY_LENGTH, 1,
       KEEP | EXPECT},
      {"expect, capitals", HEAD(POST "Expect: 100-CONTINUE\r\nTransfer-Encoding: chunked\r\n"),
       HTTP_BODY_CHUNKED, 0, KEEP | EXPECT},
      {"expect without body", HEAD(POST "Expect: 100-continue\r\n"), HTTP_BODY_NONE, 0, KEEP},
      {"expect with no content", HEAD(POST "Expect: 100-continue\r\nContent-Length: 0\r\n"),
       HTTP_BODY_LENGTH, 0, KEEP},
      {"expect in HTTP/1.0", HEAD(POST_OLD "Expect: 100-continue\r\nContent-Length: 1\r\n"),
       HTTP_BODY_LENGTH, 1, OLD},
      {"upgrade", HEAD(GET "Connection: Upgrade\r\nUpgrade: websocket\r\n"), HTTP_BODY_NONE, 0,
       KEEP | UPGRADE | CONNECTION},
      {"upgrade, field first", HEAD(GET "Upgrade: h2c\r\nConnection: x, upgrade\r\n"),
       HTTP_BODY_NONE, 0, KEEP | UPGRADE | CONNECTION},
      {"Upgrade not nominated", HEAD(GET "Upgrade: websocket\r\n"), HTTP_BODY_NONE, 0, KEEP},
      {"upgrade without field", HEAD(GET "Connection: upgrade\r\n"), HTTP_BODY_NONE, 0,
       KEEP | CONNECTION},
      {"upgrade in HTTP/1.0",
       HEAD("GET / HTTP/1.0\r\nConnection: upgrade, keep-alive\r\nUpgrade: websocket\r\n"),
       HTTP_BODY_NONE, 0, OLD | KEEP | CONNECTION},
  };
  for (size_t i = 0; i < COUNT(cases); i++) {
    struct http_head_scan scan = {0};
    struct http_request request;
    size_t n;
    const char *why;
    const enum http_parse outcome =
        http_parse_request(cases[i].head, &usual, &scan, &request, &n, &why);
    const char *name = cases[i].name;
    const int flags = cases[i].flags;
    ck_assert_msg(outcome == HTTP_PARSE_DONE, "%s: %s", name, why);
    ck_assert_msg(request.body == cases[i].body, "%s: body", name);
    ck_assert_msg(request.content_length == cases[i].length, "%s: length", name);
    ck_assert_msg(request.version_minor == (flags & OLD ? 0 : 1), "%s: version", name);
    ck_assert_msg(request.keep_alive == !!(flags & KEEP), "%s: keep-alive", name);
    ck_assert_msg(request.expect_continue == !!(flags & EXPECT), "%s: expect", name);
    ck_assert_msg(request.upgrade == !!(flags & UPGRADE), "%s: upgrade", name);
    ck_assert_msg(request.has_connection_field == !!(flags & CONNECTION), "%s: connection", name);
    pieces_check(name, parse, cases[i].head, LIMIT);
  }
}
END_TEST

START_TEST(fields)
{
  static const struct str head = STR_INIT(
      "GET / HTTP/1.1\r\nHost: a\r\nX-Empty:\r\nX-Blank: \t \r\ncookie:a=1\r\n"
      "X-Text: \t a \t b \t\r\nx_adit_rule: z\r\nX-High: \x80\xff\r\n!#$%&'*+-.^_`|~: :\r\n"
      "X-Empty: again\r\nX_Adit-mirror: 1\r\n\r\nGET /next HTTP/1.1\r\n");
  static const struct {
    const char *name;
    const char *value;
    enum http_field_id id;
  } expected[] = {
      {"Host", "a", HTTP_FIELD_HOST},           {"X-Empty", "", HTTP_FIELD_OTHER},
      {"X-Blank", "", HTTP_FIELD_OTHER},        {"cookie", "a=1", HTTP_FIELD_COOKIE},
      {"X-Text", "a \t b", HTTP_FIELD_OTHER},   {"x_adit_rule", "z", HTTP_FIELD_X_ADIT_RULE},
      {"X-High", "\x80\xff", HTTP_FIELD_OTHER}, {"!#$%&'*+-.^_`|~", ":", HTTP_FIELD_OTHER},
      {"X-Empty", "again", HTTP_FIELD_OTHER},   {"X_Adit-mirror", "1", HTTP_FIELD_X_ADIT_MIRROR},
  };
  struct http_head_scan scan = {0};
  struct http_request request;
  size_t n;
  const char *why;
  ck_assert_int_eq(http_parse_request(head, &usual, &scan, &request, &n, &why), HTTP_PARSE_DONE);
  ck_assert_uint_eq(request.field_count, COUNT(expected));
  for (size_t i = 0; i < COUNT(expected); i++) {
    ck_assert_view_eq(request.fields[i].name, expected[i].name);
    ck_assert_view_eq(request.fields[i].value, expected[i].value);
    ck_assert_msg(request.fields[i].id == expected[i].id, "%s", expected[i].name);
    ck_assert_ptr_nonnull(request.fields[i].value.p);
  }
  ck_assert(str_eq(str_skip(head, n), STR("GET /next HTTP/1.1\r\n")));
}
END_TEST

/* ---- early ----------------------------------------------------------------------------------- */

/* What is said before the head is complete, and with which byte. */
START_TEST(early)
{
  static const struct {
    struct str input;
    size_t at;
    enum http_parse outcome;
  } cases[] = {
      {STR_INIT("\x16\x03\x01\x02"), 1, HTTP_PARSE_BAD}, /* TLS */
      {STR_INIT("\x80\x2e\x01"), 1, HTTP_PARSE_BAD},     /* SSLv2 */
      {STR_INIT("\0\0"), 1, HTTP_PARSE_BAD},
      {STR_INIT("\nGET"), 1, HTTP_PARSE_BAD},
      {STR_INIT(" GET"), 1, HTTP_PARSE_BAD},
      {STR_INIT("{\"a\":1}"), 1, HTTP_PARSE_BAD},
      {STR_INIT("\rGET"), 2, HTTP_PARSE_BAD},
      {STR_INIT("\r\r\n"), 2, HTTP_PARSE_BAD},
      {STR_INIT("\r\n\r\nGET"), 4, HTTP_PARSE_BAD},
      {STR_INIT("\r\n\nGET"), 3, HTTP_PARSE_BAD},
      {STR_INIT("\r\n\x16\x03"), 3, HTTP_PARSE_BAD},
      {STR_INIT("GET / HTTP/1.1\nHost: x\n\n"), 15, HTTP_PARSE_BAD},
      {STR_INIT("GET / HTTP/1.1\r\nHost: x\n\n"), 24, HTTP_PARSE_BAD},
      {STR_INIT("GET / HTTP/1.1\rHost"), 16, HTTP_PARSE_BAD},
      {STR_INIT("GET /\0"), 6, HTTP_PARSE_BAD},
      {STR_INIT("GET /\x01"), 6, HTTP_PARSE_BAD},
      {STR_INIT("GET / HTTP/1.1\r\nHost: a\0"), 24, HTTP_PARSE_BAD},
      {STR_INIT("GET /\r\n"), 7, HTTP_PARSE_BAD},
      {STR_INIT("HELO there\r\n"), 12, HTTP_PARSE_BAD},
      {STR_INIT("GET / HTTP/2.0\r\n"), 16, HTTP_PARSE_VERSION},
      {STR_INIT("GET / HTTP/2.0\r\n\n"), 16, HTTP_PARSE_VERSION},
      {STR_INIT("CONNECT / HTTP/1.1\r\n"), 20, HTTP_PARSE_BAD},
  };
  for (size_t i = 0; i < COUNT(cases); i++) {
    char name[32];
    snprintf(name, sizeof(name), "case %zu", i);
    const struct pieces_result result = pieces_check(name, parse, cases[i].input, LIMIT);
    ck_assert_msg(result.outcome == cases[i].outcome, "%s: %d", name, (int)result.outcome);
    ck_assert_msg(result.known_at == cases[i].at, "%s: at %zu", name, result.known_at);
  }
}
END_TEST

START_TEST(unfinished)
{
  const struct str head = STR("\r\nGET /a HTTP/1.1\r\nHost: a\r\nX: y\r\n\r\n");
  for (size_t n = 0; n < head.n; n++) {
    const struct pieces_result result = pieces_parse(parse, str_take(head, n), LIMIT, 1);
    ck_assert_msg(result.outcome == HTTP_PARSE_MORE, "cut at %zu: %d", n, (int)result.outcome);
    ck_assert_msg(result.why == NULL, "cut at %zu", n);
  }
  struct http_head_scan scan = {0};
  size_t n;
  const char *why;
  ck_assert_int_eq(parse((struct str){NULL, 0}, LIMIT, &scan, &n, &why), HTTP_PARSE_MORE);
}
END_TEST

/* ---- limits ---------------------------------------------------------------------------------- */

static struct str long_head(char *text, size_t target_n, size_t value_n, const char *end) {
  size_t n = 0;
  memcpy(text, "GET /", 5);
  memset(text + 5, 'a', target_n - 1);
  n = 4 + target_n;
  const struct str middle = STR(" HTTP/1.1\r\nHost: a\r\nX: ");
  memcpy(text + n, middle.p, middle.n);
  n += middle.n;
  memset(text + n, 'v', value_n);
  n += value_n;
  const struct str tail = str_from_cstr(end);
  memcpy(text + n, tail.p, tail.n);
  return str_make(text, n + tail.n);
}

/* Limits other than the usual ones. */
START_TEST(given_limits)
{
  static const struct {
    const char *head;
    struct http_limits limits;
    enum http_parse outcome;
  } cases[] = {
      {"GET /123 HTTP/1.1\r\nHost: a\r\n\r\n", {1024, 17, 1}, HTTP_PARSE_DONE},
      {"GET /1234 HTTP/1.1\r\nHost: a\r\n\r\n", {1024, 17, 1}, HTTP_PARSE_LINE_LONG},
      {"GET /1234 HTTP/1.1", {1024, 17, 1}, HTTP_PARSE_LINE_LONG},
      {"GET / HTTP/1.1\r\nHost: a\r\nA: 1\r\n\r\n", {1024, 17, 2}, HTTP_PARSE_DONE},
      {"GET / HTTP/1.1\r\nHost: a\r\nA: 1\r\n\r\n", {1024, 17, 1}, HTTP_PARSE_HEAD_LONG},
  };
  static struct http_request request;
  for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
    struct http_head_scan scan = {0};
    size_t n;
    const char *why;
    ck_assert_int_eq(http_parse_request(str_from_cstr(cases[i].head), &cases[i].limits, &scan,
                                        &request, &n, &why),
                     cases[i].outcome);
  }
}
END_TEST

START_TEST(line_limit)
{
  static char text[20000];
  const size_t longest = HTTP_REQUEST_LINE_MAX - 13; /* "GET " and " HTTP/1.1" */
  struct str head = long_head(text, longest, 1, "\r\n\r\n");
  struct pieces_result result = pieces_parse(parse, head, 32768, 1);
  ck_assert_int_eq(result.outcome, HTTP_PARSE_DONE);
  ck_assert_int_eq(pieces_parse(parse, head, 32768, head.n).outcome, HTTP_PARSE_DONE);

  head = long_head(text, longest + 1, 1, "\r\n\r\n");
  result = pieces_parse(parse, head, 32768, 1);
  ck_assert_int_eq(result.outcome, HTTP_PARSE_LINE_LONG);
  ck_assert_uint_eq(result.known_at, HTTP_REQUEST_LINE_MAX + 1);
  ck_assert_int_eq(pieces_parse(parse, head, 32768, head.n).outcome, HTTP_PARSE_LINE_LONG);

  /* The empty line before it does not count. */
  static char padded[20000] = "\r\n";
  head = long_head(padded + 2, longest, 1, "\r\n\r\n");
  ck_assert_int_eq(pieces_parse(parse, str_make(padded, head.n + 2), 32768, 1).outcome,
                   HTTP_PARSE_DONE);
  head = long_head(padded + 2, longest + 1, 1, "\r\n\r\n");
  ck_assert_int_eq(pieces_parse(parse, str_make(padded, head.n + 2), 32768, 1).outcome,
                   HTTP_PARSE_LINE_LONG);

  /* A line that alone is over the head's limit. */
  head = long_head(text, 2000, 1, "\r\n\r\n");
  result = pieces_parse(parse, head, 1024, 1);
  ck_assert_int_eq(result.outcome, HTTP_PARSE_LINE_LONG);
  ck_assert_uint_eq(result.known_at, 1024);
  ck_assert_int_eq(pieces_parse(parse, head, 1024, head.n).outcome, HTTP_PARSE_LINE_LONG);
}
END_TEST

START_TEST(head_limit)
{
  static char text[8192];
  const struct str head = long_head(text, 10, 4000, "\r\n\r\n");
  ck_assert_int_eq(pieces_parse(parse, head, head.n, 1).outcome, HTTP_PARSE_DONE);
  ck_assert_int_eq(pieces_parse(parse, head, head.n, head.n).outcome, HTTP_PARSE_DONE);
  for (size_t limit = 100; limit < head.n; limit += limit < head.n - 50 ? 37 : 1) {
    const struct pieces_result slow = pieces_parse(parse, head, limit, 1);
    ck_assert_msg(slow.outcome == HTTP_PARSE_HEAD_LONG, "limit %zu: %d", limit, (int)slow.outcome);
    ck_assert_msg(slow.known_at == limit, "limit %zu: at %zu", limit, slow.known_at);
    ck_assert_int_eq(pieces_parse(parse, head, limit, head.n).outcome, HTTP_PARSE_HEAD_LONG);
  }
  /* Octets behind the head don't count. */
  const struct str more = long_head(text, 10, 4000, "\r\n\r\nGET / HTTP/1.1\r\n");
  ck_assert_int_eq(pieces_parse(parse, more, head.n, more.n).outcome, HTTP_PARSE_DONE);
  /* Nor is looked at what is behind the limit. */
  const struct str wrong = long_head(text, 10, 4000, "\n\r\n\r\n");
  ck_assert_int_eq(pieces_parse(parse, wrong, 2000, wrong.n).outcome, HTTP_PARSE_HEAD_LONG);
}
END_TEST

START_TEST(field_limit)
{
  static char text[4096];
  for (size_t extra = 0; extra <= 2; extra++) {
    const struct str start = STR(GET);
    size_t n = start.n;
    memcpy(text, start.p, n);
    for (size_t i = 1; i < HTTP_FIELDS_MAX + extra; i++) {
      memcpy(text + n, "A:b\r\n", 5);
      n += 5;
    }
    memcpy(text + n, "\r\n", 2);
    const struct str head = str_make(text, n + 2);
    const enum http_parse outcome = pieces_parse(parse, head, LIMIT, head.n).outcome;
    ck_assert_msg(outcome == (extra == 0 ? HTTP_PARSE_DONE : HTTP_PARSE_HEAD_LONG), "%zu fields",
                  HTTP_FIELDS_MAX + extra);
  }
}
END_TEST

/* What of a refused request can be logged. */
/* Each option of Connection costs a search through the fields, so they are counted, wherever they
 * stand. */
START_TEST(connection_option_limit)
{
  static char text[4096];
  for (unsigned count = HTTP_CONNECTION_OPTIONS_MAX - 1; count <= HTTP_CONNECTION_OPTIONS_MAX + 1;
       count++) {
    int n = snprintf(text, sizeof(text), GET "Connection: close, ");
    for (unsigned i = 2; i < count; i++)
      n += snprintf(text + n, sizeof(text) - (size_t)n, ", x%u", i);
    n += snprintf(text + n, sizeof(text) - (size_t)n, "\r\nConnection: last,,\r\n\r\n");
    const enum http_parse outcome =
        pieces_parse(parse, str_make(text, (size_t)n), LIMIT, (size_t)n).outcome;
    ck_assert_msg(
        outcome == (count <= HTTP_CONNECTION_OPTIONS_MAX ? HTTP_PARSE_DONE : HTTP_PARSE_BAD),
        "%u options", count);
  }
}
END_TEST

START_TEST(refused_line_is_kept)
{
  static const struct {
    struct str head;
    const char *target; /* NULL: none */
  } cases[] = {
      {HEAD("GET /x HTTP/1.1\r\n"), "/x"},
      {HEAD("GET /x HTTP/2.0\r\n"), "/x"},
      {HEAD("GET /x HTTP/1.1\r\nHost: a\n"), "/x"},
      {HEAD("GET x HTTP/1.1\r\n"), "x"},
      {HEAD("GET /x\r\n"), NULL},
      {HEAD("\x16"), NULL},
  };
  for (size_t i = 0; i < COUNT(cases); i++) {
    for (size_t first = 1; first <= cases[i].head.n; first++) {
      struct http_head_scan scan = {0};
      struct http_request request;
      size_t n;
      const char *why;
      enum http_parse outcome =
          http_parse_request(str_take(cases[i].head, first), &usual, &scan, &request, &n, &why);
      if (outcome == HTTP_PARSE_MORE) {
        outcome = http_parse_request(cases[i].head, &usual, &scan, &request, &n, &why);
      }
      ck_assert_msg(outcome != HTTP_PARSE_MORE && outcome != HTTP_PARSE_DONE, "case %zu", i);
      ck_assert_msg((request.target.p == NULL) == (cases[i].target == NULL), "case %zu", i);
      if (cases[i].target != NULL) {
        ck_assert_view_eq(request.target, cases[i].target);
        ck_assert_view_eq(request.method, "GET");
      }
    }
  }
}
END_TEST

UNIT_MAIN("http request", targets, facts, fields, early, unfinished, given_limits, line_limit,
          head_limit, field_limit, connection_option_limit, refused_line_is_kept)
