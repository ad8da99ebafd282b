/*
 * gateway_bench: heads in and heads out as text, for the tests of what the gateway sends on.
 */
#ifndef ADIT_TESTS_GATEWAY_BENCH_H
#define ADIT_TESTS_GATEWAY_BENCH_H

#include <stdio.h>

#include "gateway/forward.h"
#include "gateway/h1_write.h"
#include "unit.h"

#define ITEMS(array) (sizeof(array) / sizeof(*(array)))

/* Parses the head of `lines` (each with its CRLF); the views hold until the next call. */
static inline void bench_request(const char *lines, struct http_request *ret) {
  static char text[1 << 15];
  const struct http_limits limits = http_limits_usual(sizeof(text));
  int n = snprintf(text, sizeof(text), "%s\r\n", lines);
  struct http_head_scan scan = {0};
  size_t used;
  const char *why = "";
  enum http_parse outcome =
      http_parse_request(str_make(text, (size_t)n), &limits, &scan, ret, &used, &why);
  ck_assert_msg(outcome == HTTP_PARSE_DONE && used == (size_t)n, "%s: %s", lines, why);
}

static inline void bench_response(const char *lines, enum http_method method,
                                  struct http_response *ret) {
  static char text[1 << 15];
  int n = snprintf(text, sizeof(text), "%s\r\n", lines);
  struct http_head_scan scan = {0};
  size_t used;
  const char *why = "";
  enum http_parse outcome =
      http_parse_response(str_make(text, (size_t)n), sizeof(text), method, &scan, ret, &used, &why);
  ck_assert_msg(outcome == HTTP_PARSE_DONE && used == (size_t)n, "%s: %s", lines, why);
}

/* Both write into no more memory than was announced, and compare with the lines expected. */
static inline void bench_expect_request(const char *name, const struct request_out *head,
                                        const struct h1_framing *framing, const char *lines) {
  char *text = malloc(h1_request_size(head));
  ck_assert_ptr_nonnull(text);
  size_t n = h1_write_request(text, head, framing);
  ck_assert_uint_le(n, h1_request_size(head));
  ck_assert_msg(n >= 2 && str_eq(str_make(text, n - 2), str_from_cstr(lines)) &&
                    memcmp(text + n - 2, "\r\n", 2) == 0,
                "%s:\n%.*sinstead of\n%s", name, (int)n, text, lines);
  free(text);
}

static inline void bench_expect_response(const char *name, const struct response_out *head,
                                         const struct h1_framing *framing, const char *lines) {
  char *text = malloc(h1_response_size(head));
  ck_assert_ptr_nonnull(text);
  size_t n = h1_write_response(text, head, framing);
  ck_assert_uint_le(n, h1_response_size(head));
  ck_assert_msg(n >= 2 && str_eq(str_make(text, n - 2), str_from_cstr(lines)) &&
                    memcmp(text + n - 2, "\r\n", 2) == 0,
                "%s:\n%.*sinstead of\n%s", name, (int)n, text, lines);
  free(text);
}

#endif
