/* Response heads: framing for each method and status, and what makes an upstream's answer a 502. */
#include <stdio.h>

#include "http_pieces.h"

#define OK "HTTP/1.1 200 OK\r\n"

static enum http_parse parse(struct str input, size_t limit_bytes, struct http_head_scan *scan,
                             size_t *ret_n, const char **ret_why) {
  static struct http_response response;
  return http_parse_response(input, limit_bytes, HTTP_METHOD_GET, scan, &response, ret_n, ret_why);
}

START_TEST(status_lines)
{
  static const struct {
    struct str head;
    int status;
    const char *reason;
    int version_minor;
  } cases[] = {
      {HEAD("HTTP/1.1 200 OK\r\n"), 200, "OK", 1},
      {HEAD("HTTP/1.0 404 Not Found\r\n"), 404, "Not Found", 0},
      {HEAD("HTTP/1.2 200 OK\r\n"), 200, "OK", 1},
      {HEAD("HTTP/1.1 200 \r\n"), 200, "", 1},
      {HEAD("HTTP/1.1 200\r\n"), 200, "", 1},
      {HEAD("HTTP/1.1 100 Continue\r\n"), 100, "Continue", 1},
      {HEAD("HTTP/1.1 599 x\r\n"), 599, "x", 1},
      {HEAD("HTTP/1.1 299  two blanks\r\n"), 299, " two blanks", 1},
      {HEAD("HTTP/1.1 200 d\xe9j\xc3\xa0 \tvu: 5\r\n"), 200, "d\xe9j\xc3\xa0 \tvu: 5", 1},
  };
  for (size_t i = 0; i < COUNT(cases); i++) {
    struct http_head_scan scan = {0};
    struct http_response response;
    size_t n;
    const char *why;
    const enum http_parse outcome =
        http_parse_response(cases[i].head, LIMIT, HTTP_METHOD_GET, &scan, &response, &n, &why);
    ck_assert_msg(outcome == HTTP_PARSE_DONE, "%zu: %s", i, why);
    ck_assert_int_eq(response.status, cases[i].status);
    ck_assert_view_eq(response.reason, cases[i].reason);
    ck_assert_int_eq(response.version_minor, cases[i].version_minor);
    ck_assert_uint_eq(n, cases[i].head.n);
    pieces_check("status line", parse, cases[i].head, LIMIT);
  }
}
END_TEST

START_TEST(framings)
{
  enum { KEEP = 1, LENGTH = 2, CONNECTION = 4 };
  static const struct {
    const char *name;
    enum http_method method;
    struct str head;
    enum http_body_kind body;
    uint64_t length;
    int flags;
  } cases[] = {
      {"length", HTTP_METHOD_GET, HEAD(OK "Content-Length: 5\r\n"), HTTP_BODY_LENGTH, 5,
       KEEP | LENGTH},
      {"length 0", HTTP_METHOD_GET, HEAD(OK "Content-Length: 0\r\n"), HTTP_BODY_LENGTH, 0,
       KEEP | LENGTH},
      {"2^63-1", HTTP_METHOD_GET, HEAD(OK "Content-Length: 9223372036854775807\r\n"),
       HTTP_BODY_LENGTH, INT64_MAX, KEEP | LENGTH},
      {"chunked", HTTP_METHOD_GET, HEAD(OK "Transfer-Encoding: Chunked\r\n"), HTTP_BODY_CHUNKED, 0,
       KEEP},
      {"until close", HTTP_METHOD_GET, HEAD(OK), HTTP_BODY_UNTIL_CLOSE, 0, 0},
      {"until close though kept alive", HTTP_METHOD_GET, HEAD(OK "Connection: keep-alive\r\n"),
       HTTP_BODY_UNTIL_CLOSE, 0, CONNECTION},
      {"close", HTTP_METHOD_GET, HEAD(OK "Content-Length: 5\r\nConnection: close\r\n"),
       HTTP_BODY_LENGTH, 5, LENGTH | CONNECTION},
      {"HTTP/1.0", HTTP_METHOD_GET, HEAD("HTTP/1.0 200 OK\r\nContent-Length: 5\r\n"),
       HTTP_BODY_LENGTH, 5, LENGTH},
      {"HTTP/1.0 kept alive", HTTP_METHOD_GET,
       HEAD("HTTP/1.0 200 OK\r\nContent-Length: 5\r\nConnection: keep-alive\r\n"), HTTP_BODY_LENGTH,
       5, KEEP | LENGTH | CONNECTION},
      {"HEAD, nothing said", HTTP_METHOD_HEAD, HEAD(OK), HTTP_BODY_NONE, 0, KEEP},
      {"HEAD, length", HTTP_METHOD_HEAD, HEAD(OK "Content-Length: 5\r\n"), HTTP_BODY_NONE, 5,
       KEEP | LENGTH},
      {"HEAD, chunked", HTTP_METHOD_HEAD, HEAD(OK "Transfer-Encoding: chunked\r\n"), HTTP_BODY_NONE,
       0, KEEP},
      {"304, nothing said", HTTP_METHOD_GET, HEAD("HTTP/1.1 304 Not Modified\r\n"), HTTP_BODY_NONE,
       0, KEEP},
      {"304, length", HTTP_METHOD_GET, HEAD("HTTP/1.1 304 Not Modified\r\nContent-Length: 5\r\n"),
       HTTP_BODY_NONE, 5, KEEP | LENGTH},
      {"304, chunked", HTTP_METHOD_GET, HEAD("HTTP/1.1 304 x\r\nTransfer-Encoding: chunked\r\n"),
       HTTP_BODY_NONE, 0, KEEP},
      {"204", HTTP_METHOD_DELETE, HEAD("HTTP/1.1 204 No Content\r\n"), HTTP_BODY_NONE, 0, KEEP},
      {"204, length 0", HTTP_METHOD_GET, HEAD("HTTP/1.1 204 x\r\nContent-Length: 0\r\n"),
       HTTP_BODY_NONE, 0, KEEP},
      {"204 announces a body", HTTP_METHOD_GET, HEAD("HTTP/1.1 204 x\r\nContent-Length: 5\r\n"),
       HTTP_BODY_NONE, 0, 0},
      {"204 announces chunks", HTTP_METHOD_GET,
       HEAD("HTTP/1.1 204 x\r\nTransfer-Encoding: chunked\r\n"), HTTP_BODY_NONE, 0, 0},
      {"100", HTTP_METHOD_POST, HEAD("HTTP/1.1 100 Continue\r\n"), HTTP_BODY_NONE, 0, KEEP},
      {"103, length", HTTP_METHOD_GET, HEAD("HTTP/1.1 103 x\r\nContent-Length: 5\r\n"),
       HTTP_BODY_NONE, 0, 0},
      {"101", HTTP_METHOD_GET,
       HEAD("HTTP/1.1 101 x\r\nConnection: upgrade\r\nUpgrade: websocket\r\n"), HTTP_BODY_NONE, 0,
       KEEP | CONNECTION},
      {"205 is framed as others", HTTP_METHOD_GET, HEAD("HTTP/1.1 205 x\r\nContent-Length: 0\r\n"),
       HTTP_BODY_LENGTH, 0, KEEP | LENGTH},
      {"2xx to CONNECT", HTTP_METHOD_CONNECT, HEAD(OK "Content-Length: 5\r\n"), HTTP_BODY_NONE, 0,
       0},
      {"4xx to CONNECT", HTTP_METHOD_CONNECT, HEAD("HTTP/1.1 405 x\r\nContent-Length: 5\r\n"),
       HTTP_BODY_LENGTH, 5, KEEP | LENGTH},
  };
  for (size_t i = 0; i < COUNT(cases); i++) {
    struct http_head_scan scan = {0};
    struct http_response response;
    size_t n;
    const char *why;
    const char *name = cases[i].name;
    const int flags = cases[i].flags;
    const enum http_parse outcome =
        http_parse_response(cases[i].head, LIMIT, cases[i].method, &scan, &response, &n, &why);
    ck_assert_msg(outcome == HTTP_PARSE_DONE, "%s: %s", name, why);
    ck_assert_msg(response.body == cases[i].body, "%s: body", name);
    ck_assert_msg(response.content_length == cases[i].length, "%s: length", name);
    ck_assert_msg(response.has_content_length == !!(flags & LENGTH), "%s: has length", name);
    ck_assert_msg(response.keep_alive == !!(flags & KEEP), "%s: keep-alive", name);
    ck_assert_msg(response.has_connection_field == !!(flags & CONNECTION), "%s: connection", name);
  }
}
END_TEST

START_TEST(fields)
{
  const struct str head = STR(OK
                              "Content-Length: 1\r\nSet-Cookie: a=1\r\nset-cookie:b=2\r\n"
                              "X:\r\nX-Adit_Variant: z\r\n\r\n!");
  struct http_head_scan scan = {0};
  struct http_response response;
  size_t n;
  const char *why;
  ck_assert_int_eq(http_parse_response(head, LIMIT, HTTP_METHOD_GET, &scan, &response, &n, &why),
                   HTTP_PARSE_DONE);
  ck_assert_uint_eq(n, head.n - 1);
  ck_assert_uint_eq(response.field_count, 5);
  ck_assert_view_eq(response.fields[1].value, "a=1");
  ck_assert_int_eq(response.fields[1].id, HTTP_FIELD_SET_COOKIE);
  ck_assert_view_eq(response.fields[2].name, "set-cookie");
  ck_assert_view_eq(response.fields[2].value, "b=2");
  ck_assert_view_eq(response.fields[3].value, "");
  ck_assert_int_eq(response.fields[4].id, HTTP_FIELD_X_ADIT_VARIANT);
}
END_TEST

START_TEST(refused)
{
  static const struct {
    const char *name;
    struct str head;
  } cases[] = {
      {"two digits", HEAD("HTTP/1.1 20 OK\r\n")},
      {"four digits", HEAD("HTTP/1.1 2000 OK\r\n")},
      {"no status", HEAD("HTTP/1.1\r\n")},
      {"blank for a status", HEAD("HTTP/1.1 \r\n")},
      {"letters", HEAD("HTTP/1.1 2x0 OK\r\n")},
      {"sign", HEAD("HTTP/1.1 +20 OK\r\n")},
      {"two blanks", HEAD("HTTP/1.1  200 OK\r\n")},
      {"tab", HEAD("HTTP/1.1\t200 OK\r\n")},
      {"tab after status", HEAD("HTTP/1.1 200\tOK\r\n")},
      {"letter after status", HEAD("HTTP/1.1 200OK\r\n")},
      {"status 099", HEAD("HTTP/1.1 099 x\r\n")},
      {"status 000", HEAD("HTTP/1.1 000 x\r\n")},
      {"status 600", HEAD("HTTP/1.1 600 x\r\n")},
      {"status 999", HEAD("HTTP/1.1 999 x\r\n")},
      {"HTTP/2.0", HEAD("HTTP/2.0 200 OK\r\n")},
      {"HTTP/0.9", HEAD("HTTP/0.9 200 OK\r\n")},
      {"HTTP/1.10", HEAD("HTTP/1.10 200 OK\r\n")},
      {"HTTP/1", HEAD("HTTP/1 200 OK\r\n")},
      {"HTTP/1.x", HEAD("HTTP/1.x 200 OK\r\n")},
      {"small letters", HEAD("http/1.1 200 OK\r\n")},
      {"ICY", HEAD("ICY 200 OK\r\n")},
      {"HTTP/0.9 body", STR_INIT("<html>")},
      {"empty line first", STR_INIT("\r\nHTTP/1.1 200 OK\r\n\r\n")},
      {"blank first", HEAD(" HTTP/1.1 200 OK\r\n")},
      {"left of a body", STR_INIT("0\r\n\r\nHTTP/1.1 200 OK\r\n\r\n")},
      {"NUL in reason", HEAD("HTTP/1.1 200 O\0K\r\n")},
      {"CR in reason", HEAD("HTTP/1.1 200 O\rK\r\n")},
      {"control in reason", HEAD("HTTP/1.1 200 \x1b[0m\r\n")},
      {"LF", STR_INIT("HTTP/1.1 200 OK\n\n")},
      {"LF after fields", STR_INIT(OK "Content-Length: 0\n\n")},
      {"NUL in value", HEAD(OK "X: \0\r\n")},
      {"CR in value", HEAD(OK "X: a\rb\r\n")},
      {"folded", HEAD(OK "X: a\r\n b\r\n")},
      {"folded first", HEAD(OK " X: a\r\n")},
      {"blank before colon", HEAD(OK "Content-Length : 5\r\n")},
      {"no colon", HEAD(OK "Content-Length\r\n")},
      {"no name", HEAD(OK ": 5\r\n")},
      {"two lengths", HEAD(OK "Content-Length: 5\r\nContent-Length: 6\r\n")},
      {"two equal lengths", HEAD(OK "Content-Length: 5\r\nContent-Length: 5\r\n")},
      {"list of equal lengths", HEAD(OK "Content-Length: 5, 5\r\n")},
      {"empty length", HEAD(OK "Content-Length:\r\n")},
      {"sign in length", HEAD(OK "Content-Length: +5\r\n")},
      {"2^63", HEAD(OK "Content-Length: 9223372036854775808\r\n")},
      {"length and chunked", HEAD(OK "Content-Length: 5\r\nTransfer-Encoding: chunked\r\n")},
      {"chunked twice", HEAD(OK "Transfer-Encoding: chunked, chunked\r\n")},
      {"chunked in two lines",
       HEAD(OK "Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n")},
      {"chunked with parameter", HEAD(OK "Transfer-Encoding: chunked;a=b\r\n")},
      {"gzip, chunked", HEAD(OK "Transfer-Encoding: gzip, chunked\r\n")},
      {"gzip", HEAD(OK "Transfer-Encoding: gzip\r\n")},
      {"identity", HEAD(OK "Transfer-Encoding: identity\r\n")},
      {"empty coding", HEAD(OK "Transfer-Encoding:\r\n")},
      {"vertical tab in coding", HEAD(OK "Transfer-Encoding: \x0b"
                                         "chunked\r\n")},
      {"chunked in HTTP/1.0", HEAD("HTTP/1.0 200 OK\r\nTransfer-Encoding: chunked\r\n")},
      {"two lengths of a 204",
       HEAD("HTTP/1.1 204 x\r\nContent-Length: 0\r\nContent-Length: 0\r\n")},
      {"malformed length of a 304", HEAD("HTTP/1.1 304 x\r\nContent-Length: x\r\n")},
      {"length and chunked of a 304",
       HEAD("HTTP/1.1 304 x\r\nContent-Length: 0\r\nTransfer-Encoding: chunked\r\n")},
  };
  for (size_t i = 0; i < COUNT(cases); i++) {
    const struct pieces_result result = pieces_check(cases[i].name, parse, cases[i].head, LIMIT);
    ck_assert_msg(result.outcome == HTTP_PARSE_BAD, "%s: %d", cases[i].name, (int)result.outcome);
    ck_assert_msg(result.why != NULL && *result.why != '\0', "%s: why", cases[i].name);
  }
}
END_TEST

START_TEST(early)
{
  static const struct {
    struct str input;
    size_t at;
  } cases[] = {
      {STR_INIT("<html>"), 1},
      {STR_INIT("\r\nHTTP/1.1"), 1},
      {STR_INIT("HTTPS"), 5},
      {STR_INIT("HTTP/2 200"), 6},
      {STR_INIT("HTTP/1.1 20 OK\r\n"), 16},
      {STR_INIT("HTTP/1.1 200 OK\nX"), 16},
      {STR_INIT("HTTP/1.1 200 OK\r\nX: \0"), 21},
  };
  for (size_t i = 0; i < COUNT(cases); i++) {
    char name[32];
    snprintf(name, sizeof(name), "case %zu", i);
    const struct pieces_result result = pieces_check(name, parse, cases[i].input, LIMIT);
    ck_assert_msg(result.outcome == HTTP_PARSE_BAD, "%s: %d", name, (int)result.outcome);
    ck_assert_msg(result.known_at == cases[i].at, "%s: at %zu", name, result.known_at);
  }
}
END_TEST

START_TEST(limits)
{
  const struct str head = STR(OK "Content-Length: 5\r\nX: 0123456789\r\n\r\n");
  for (size_t limit = 1; limit <= head.n; limit++) {
    const struct pieces_result result = pieces_check("limit", parse, head, limit);
    ck_assert_msg(result.outcome == (limit < head.n ? HTTP_PARSE_HEAD_LONG : HTTP_PARSE_DONE),
                  "limit %zu: %d", limit, (int)result.outcome);
    ck_assert_uint_eq(result.known_at, limit);
  }
  for (size_t n = 0; n < head.n; n++) {
    ck_assert_int_eq(pieces_parse(parse, str_take(head, n), LIMIT, 1).outcome, HTTP_PARSE_MORE);
  }
}
END_TEST

START_TEST(field_limit)
{
  static char text[4096];
  for (size_t count = HTTP_FIELDS_MAX - 1; count <= HTTP_FIELDS_MAX + 1; count++) {
    size_t n = STR(OK).n;
    memcpy(text, OK, n);
    for (size_t i = 0; i < count; i++) {
      memcpy(text + n, "A:b\r\n", 5);
      n += 5;
    }
    memcpy(text + n, "\r\n", 2);
    const struct str head = str_make(text, n + 2);
    const enum http_parse outcome = pieces_parse(parse, head, LIMIT, head.n).outcome;
    ck_assert_msg(outcome == (count <= HTTP_FIELDS_MAX ? HTTP_PARSE_DONE : HTTP_PARSE_HEAD_LONG),
                  "%zu fields", count);
  }
}
END_TEST

UNIT_MAIN("http response", status_lines, framings, fields, refused, early, limits, field_limit)
