/* The chunked coding: bodies that end well, bodies that are refused, each in all divisions. */
#include <stdio.h>
#include "adit/http.h"

#include "unit.h"

#define COUNT(array) (sizeof(array) / sizeof(*(array)))
#define X8           "xxxxxxxx"
#define X64          X8 X8 X8 X8 X8 X8 X8 X8
#define X248         X64 X64 X64 X8 X8 X8 X8 X8 X8 X8

struct decoded {
  enum http_chunk outcome; /* HTTP_CHUNK_MORE: the input did not bring the end */
  char body[512];
  size_t body_n;
  size_t used;
};

/* Decodes `input`, given in pieces of `step` bytes. */
static struct decoded decode(struct str input, size_t step) {
  struct http_chunked chunked;
  http_chunked_init(&chunked);
  struct decoded result = {.outcome = HTTP_CHUNK_MORE};
  while (result.used < input.n) {
    char piece[1024];
    const struct str rest = str_take(str_skip(input, result.used), step);
    ck_assert_uint_le(rest.n, sizeof(piece));
    memcpy(piece, rest.p, rest.n);
    struct str left = str_make(piece, rest.n);
    do {
      struct str data = {NULL, 0};
      size_t n = 0;
      result.outcome = http_chunked_decode(&chunked, left, &data, &n);
      ck_assert_uint_le(n, left.n);
      result.used += n;
      left = str_skip(left, n);
      if (result.outcome == HTTP_CHUNK_END || result.outcome == HTTP_CHUNK_BAD) return result;
      if (result.outcome == HTTP_CHUNK_MORE) ck_assert_uint_eq(left.n, 0);
      if (result.outcome == HTTP_CHUNK_DATA) {
        ck_assert_uint_gt(data.n, 0);
        ck_assert_uint_le(result.body_n + data.n, sizeof(result.body));
        memcpy(result.body + result.body_n, data.p, data.n);
        result.body_n += data.n;
      }
    } while (left.n > 0);
  }
  return result;
}

START_TEST(bodies)
{
  static const struct {
    const char *name;
    struct str input;
    const char *body;
    size_t surplus; /* bytes behind the end */
  } cases[] = {
      {"nothing", STR_INIT("0\r\n\r\n"), "", 0},
      {"one", STR_INIT("5\r\nhello\r\n0\r\n\r\n"), "hello", 0},
      {"two", STR_INIT("5\r\nhello\r\n1\r\n!\r\n0\r\n\r\n"), "hello!", 0},
      {"hexadecimal, both cases", STR_INIT("a\r\n0123456789\r\nB\r\n0123456789a\r\n0\r\n\r\n"),
       "01234567890123456789a", 0},
      {"leading zeros", STR_INIT("0005\r\nhello\r\n000\r\n\r\n"), "hello", 0},
      {"16 digits", STR_INIT("0000000000000005\r\nhello\r\n0000000000000000\r\n\r\n"), "hello", 0},
      {"CRLF in data", STR_INIT("4\r\n\r\n\r\n\r\n0\r\n\r\n"), "\r\n\r\n", 0},
      {"extension", STR_INIT("5;a\r\nhello\r\n0\r\n\r\n"), "hello", 0},
      {"extension with value", STR_INIT("5;a=b;c=\"d e\"\r\nhello\r\n0;x=y\r\n\r\n"), "hello", 0},
      {"blanks before extension", STR_INIT("5 \t;a = b\r\nhello\r\n0\r\n\r\n"), "hello", 0},
      {"longest size line", STR_INIT("5;12345" X248 "x\r\nhello\r\n0\r\n\r\n"), "hello", 0},
      {"trailer", STR_INIT("5\r\nhello\r\n0\r\nX-Sum: 1\r\n\r\n"), "hello", 0},
      {"trailers", STR_INIT("0\r\nA: 1\r\nB:2\r\nC:\r\nD: \tx \x80\r\n\r\n"), "", 0},
      {"framing in trailers is no framing",
       STR_INIT("0\r\nContent-Length: 5\r\nTransfer-Encoding: x\r\n\r\nhello"), "", 5},
      {"what follows is left", STR_INIT("1\r\na\r\n0\r\n\r\nGET / HTTP/1.1\r\n"), "a", 16},
      {"CRLF that follows is left", STR_INIT("0\r\n\r\n\r\n"), "", 2},
  };
  for (size_t i = 0; i < COUNT(cases); i++) {
    for (size_t step = 1; step <= 300; step = step < 40 ? step + 1 : step + 130) {
      const struct decoded got = decode(cases[i].input, step);
      ck_assert_msg(got.outcome == HTTP_CHUNK_END, "%s by %zu: %d", cases[i].name, step,
                    (int)got.outcome);
      ck_assert_msg(str_eq(str_make(got.body, got.body_n), str_from_cstr(cases[i].body)),
                    "%s by %zu: '%.*s'", cases[i].name, step, (int)got.body_n, got.body);
      ck_assert_msg(got.used + cases[i].surplus == cases[i].input.n, "%s by %zu: used %zu",
                    cases[i].name, step, got.used);
    }
  }
}
END_TEST

START_TEST(refused)
{
  static const struct {
    const char *name;
    struct str input;
    size_t at; /* refused with this many bytes */
  } cases[] = {
      {"no digit", STR_INIT("\r\n"), 1},
      {"letter", STR_INIT("g\r\n"), 1},
      {"0x", STR_INIT("0x5\r\n"), 2},
      {"sign", STR_INIT("+5\r\nhello"), 1},
      {"minus", STR_INIT("-1\r\n"), 1},
      {"underscore", STR_INIT("1_0\r\n"), 2},
      {"blank first", STR_INIT(" 5\r\nhello"), 1},
      {"blank after size", STR_INIT("5 \r\nhello"), 3},
      {"tab after size", STR_INIT("5\t\r\nhello"), 3},
      {"digit after blank", STR_INIT("5 5\r\nhello"), 3},
      {"17 digits", STR_INIT("00000000000000005\r\nhello"), 17},
      {"over 2^63-1", STR_INIT("8000000000000000\r\n"), 16},
      {"wraps to 1", STR_INIT("10000000000000001\r\n"), 17},
      {"all ones", STR_INIT("ffffffffffffffff\r\n"), 16},
      {"LF after size", STR_INIT("5\nhello\n0\n\n"), 2},
      {"CR alone after size", STR_INIT("5\rhello"), 3},
      {"CR CR after size", STR_INIT("5\r\r\nhello"), 3},
      {"only an extension", STR_INIT(";a\r\n"), 1},
      {"LF in extension", STR_INIT("5;a\nhello"), 4},
      {"LF in quoted extension", STR_INIT("5;a=\"\n\"\r\nhello"), 6},
      {"CR in extension", STR_INIT("5;a\rb\r\nhello"), 5},
      {"NUL in extension", STR_INIT("5;\0\r\nhello"), 3},
      {"control in extension", STR_INIT("5;\x01\r\nhello"), 3},
      {"size line too long", STR_INIT("5;12345" X248 "xx\r\nhello"), 257},
      {"size line without end", STR_INIT("5;" X248 X248), 257},
      {"data too long", STR_INIT("5\r\nhelloo\r\n0\r\n\r\n"), 9},
      {"data too short", STR_INIT("5\r\nhell\r\n0\r\n\r\n"), 9},
      {"LF after data", STR_INIT("5\r\nhello\n0\r\n\r\n"), 9},
      {"CR alone after data", STR_INIT("5\r\nhello\r0\r\n\r\n"), 10},
      {"two octets that are no CRLF after data", STR_INIT("5\r\nhelloXX0\r\n\r\n"), 9},
      {"LF for the end", STR_INIT("0\r\n\n"), 4},
      {"CR for the end", STR_INIT("0\r\n\rX"), 5},
      {"LF after last size", STR_INIT("0\n\r\n"), 2},
      {"trailer without colon", STR_INIT("0\r\nabc\r\n\r\n"), 7},
      {"trailer without name", STR_INIT("0\r\n: a\r\n\r\n"), 4},
      {"blank before a trailer's colon", STR_INIT("0\r\na : b\r\n\r\n"), 5},
      {"folded trailer", STR_INIT("0\r\na: b\r\n c\r\n\r\n"), 10},
      {"blank first trailer", STR_INIT("0\r\n a: b\r\n\r\n"), 4},
      {"LF in trailer", STR_INIT("0\r\na: b\n\r\n"), 8},
      {"CR in trailer", STR_INIT("0\r\na: b\rc\r\n\r\n"), 9},
      {"NUL in trailer", STR_INIT("0\r\na: \0\r\n\r\n"), 7},
      {"DEL in trailer", STR_INIT("0\r\na: \x7f\r\n\r\n"), 7},
  };
  for (size_t i = 0; i < COUNT(cases); i++) {
    for (size_t step = 1; step <= 300; step = step < 40 ? step + 1 : step + 130) {
      const struct decoded got = decode(cases[i].input, step);
      ck_assert_msg(got.outcome == HTTP_CHUNK_BAD, "%s by %zu: %d", cases[i].name, step,
                    (int)got.outcome);
      ck_assert_msg(got.used == cases[i].at, "%s by %zu: refused at %zu", cases[i].name, step,
                    got.used);
    }
  }
}
END_TEST

START_TEST(unfinished)
{
  const struct str whole = STR("5;a=b\r\nhello\r\n0\r\nX: y\r\n\r\n");
  for (size_t n = 1; n < whole.n; n++) {
    const struct decoded got = decode(str_take(whole, n), n);
    ck_assert_msg(got.outcome == HTTP_CHUNK_MORE || got.outcome == HTTP_CHUNK_DATA, "cut at %zu",
                  n);
    ck_assert_uint_eq(got.used, n);
  }
}
END_TEST

/* Gives the section up to its size; the outcome of the last byte. */
static enum http_chunk feed_trailer(size_t section_n, uint32_t limit) {
  struct http_chunked chunked;
  struct str data;
  size_t n;
  http_chunked_init(&chunked);
  if (limit > 0) chunked.trailer_max = limit;
  ck_assert_int_eq(http_chunked_decode(&chunked, STR("0\r\nname:"), &data, &n), HTTP_CHUNK_MORE);
  enum http_chunk outcome = HTTP_CHUNK_MORE;
  for (size_t given = 5; given < section_n && outcome == HTTP_CHUNK_MORE; given++) {
    outcome = http_chunked_decode(&chunked, STR("v"), &data, &n);
  }
  if (outcome == HTTP_CHUNK_BAD) ck_assert_int_eq(chunked.fault, HTTP_CHUNK_LONG_TRAILERS);
  return outcome;
}

START_TEST(trailer_limit)
{
  ck_assert_int_eq(feed_trailer(HTTP_TRAILER_MAX, 0), HTTP_CHUNK_MORE);
  ck_assert_int_eq(feed_trailer(HTTP_TRAILER_MAX + 1, 0), HTTP_CHUNK_BAD);
  ck_assert_int_eq(feed_trailer(100, 100), HTTP_CHUNK_MORE);
  ck_assert_int_eq(feed_trailer(101, 100), HTTP_CHUNK_BAD);
}
END_TEST

/* Feeds `n` chunks of one size line each, with `data_n` bytes; the outcome of the last. */
static enum http_chunk feed_extensions(struct http_chunked *chunked, unsigned n, size_t data_n) {
  char text[512];
  enum http_chunk outcome = HTTP_CHUNK_MORE;
  for (unsigned i = 0; i < n && outcome == HTTP_CHUNK_MORE; i++) {
    int line = snprintf(text, sizeof(text), "%zx;%s\r\n", data_n, "extension=123456789");
    memset(text + line, 'x', data_n);
    memcpy(text + (size_t)line + data_n, "\r\n", 2);
    struct str rest = str_make(text, (size_t)line + data_n + 2);
    while (rest.n > 0 && (outcome == HTTP_CHUNK_MORE || outcome == HTTP_CHUNK_DATA)) {
      struct str data;
      size_t used;
      outcome = http_chunked_decode(chunked, rest, &data, &used);
      rest = str_skip(rest, used);
    }
  }
  return outcome;
}

START_TEST(extension_limit)
{
  enum { EXTENSION = 20, LIMIT = 100 };
  struct http_chunked chunked;
  http_chunked_init(&chunked);
  chunked.extension_max = LIMIT;
  /* Each of one byte outweighs one of the extension's. */
  ck_assert_int_eq(feed_extensions(&chunked, LIMIT / (EXTENSION - 1), 1), HTTP_CHUNK_MORE);
  ck_assert_int_eq(feed_extensions(&chunked, 1, 1), HTTP_CHUNK_BAD);
  ck_assert_int_eq(chunked.fault, HTTP_CHUNK_LONG_EXTENSIONS);
  /* As much data as extensions: for ever. */
  http_chunked_init(&chunked);
  chunked.extension_max = 0;
  ck_assert_int_eq(feed_extensions(&chunked, 10000, EXTENSION), HTTP_CHUNK_MORE);
  ck_assert_int_eq(feed_extensions(&chunked, 1, EXTENSION - 1), HTTP_CHUNK_BAD);
  /* One line that is too long, and one that is malformed. */
  char line[HTTP_CHUNK_LINE_MAX + 8];
  memset(line, 'x', sizeof(line));
  memcpy(line, "5;", 2);
  struct str data;
  size_t n;
  http_chunked_init(&chunked);
  ck_assert_int_eq(http_chunked_decode(&chunked, str_make(line, sizeof(line)), &data, &n),
                   HTTP_CHUNK_BAD);
  ck_assert_int_eq(chunked.fault, HTTP_CHUNK_LONG_EXTENSIONS);
  http_chunked_init(&chunked);
  ck_assert_int_eq(http_chunked_decode(&chunked, STR("5;\n"), &data, &n), HTTP_CHUNK_BAD);
  ck_assert_int_eq(chunked.fault, HTTP_CHUNK_MALFORMED);
}
END_TEST

START_TEST(large_chunk)
{
  struct http_chunked chunked;
  struct str data;
  size_t n;
  http_chunked_init(&chunked);
  const struct str start = STR("7fffffffffffffff\r\n");
  ck_assert_int_eq(http_chunked_decode(&chunked, start, &data, &n), HTTP_CHUNK_MORE);
  ck_assert(chunked.left == INT64_MAX);
  ck_assert_int_eq(http_chunked_decode(&chunked, STR("abc"), &data, &n), HTTP_CHUNK_DATA);
  ck_assert_view_eq(data, "abc");
  ck_assert(chunked.left == INT64_MAX - 3);
}
END_TEST

START_TEST(ends_stay)
{
  struct http_chunked chunked;
  struct str data;
  size_t n;
  http_chunked_init(&chunked);
  ck_assert_int_eq(http_chunked_decode(&chunked, STR(""), &data, &n), HTTP_CHUNK_MORE);
  ck_assert_uint_eq(n, 0);
  ck_assert_int_eq(http_chunked_decode(&chunked, STR("0\r\n\r\n"), &data, &n), HTTP_CHUNK_END);
  ck_assert_int_eq(http_chunked_decode(&chunked, STR("5\r\nhello"), &data, &n), HTTP_CHUNK_END);
  ck_assert_uint_eq(n, 0);

  http_chunked_init(&chunked);
  ck_assert_int_eq(http_chunked_decode(&chunked, STR("x"), &data, &n), HTTP_CHUNK_BAD);
  ck_assert_int_eq(http_chunked_decode(&chunked, STR("0\r\n\r\n"), &data, &n), HTTP_CHUNK_BAD);
  ck_assert_uint_eq(n, 0);
}
END_TEST

UNIT_MAIN("http chunked", bodies, refused, unfinished, trailer_limit, extension_limit, large_chunk,
          ends_stay)
