/*
 * http_pieces: parses one head in every way its bytes may arrive, and checks that nothing depends
 * on it.
 */
#ifndef ADIT_TESTS_HTTP_PIECES_H
#define ADIT_TESTS_HTTP_PIECES_H

#include "adit/http.h"
#include "unit.h"

#define COUNT(array) (sizeof(array) / sizeof(*(array)))
/* A head of these lines, with the empty line behind them. */
#define HEAD(literal) STR_INIT(literal "\r\n")
#define LIMIT         4096

/* A parse: its outcome, and after how many bytes it was known. */
struct pieces_result {
  enum http_parse outcome;
  size_t known_at;
  size_t n; /* HTTP_PARSE_DONE: the head's length */
  const char *why;
};

/* An exact copy on the heap, so that the address sanitizer sees a read past its end. */
static inline struct str pieces_copy(struct str s) {
  char *p = malloc(s.n > 0 ? s.n : 1);
  ck_assert_ptr_nonnull(p);
  if (s.n > 0) memcpy(p, s.p, s.n);
  return str_make(p, s.n);
}

typedef enum http_parse pieces_parse_fn(struct str input, size_t limit_bytes,
                                        struct http_head_scan *scan, size_t *ret_n,
                                        const char **ret_why);

/* Gives `step` bytes more each time (each time at another address). */
static inline struct pieces_result pieces_parse(pieces_parse_fn *parse, struct str input,
                                                size_t limit_bytes, size_t step) {
  struct http_head_scan scan = {0};
  struct pieces_result result = {HTTP_PARSE_MORE, 0, 0, NULL};
  for (size_t given = 0; given < input.n && result.outcome == HTTP_PARSE_MORE;) {
    given = given + step < input.n ? given + step : input.n;
    struct str piece = pieces_copy(str_take(input, given));
    result.outcome = parse(piece, limit_bytes, &scan, &result.n, &result.why);
    result.known_at = given;
    free((void *)(uintptr_t)piece.p);
  }
  return result;
}

/* Checks whole, byte by byte and in steps; gives the byte by byte result. */
static inline struct pieces_result pieces_check(const char *name, pieces_parse_fn *parse,
                                                struct str input, size_t limit_bytes) {
  static const size_t steps[] = {1, 2, 3, 7, 16, 17, 64};
  const struct pieces_result whole = pieces_parse(parse, input, limit_bytes, input.n);
  for (size_t i = 0; i < sizeof(steps) / sizeof(*steps); i++) {
    const struct pieces_result result = pieces_parse(parse, input, limit_bytes, steps[i]);
    ck_assert_msg(result.outcome == whole.outcome, "%s: outcome %d whole, %d in steps of %zu", name,
                  (int)whole.outcome, (int)result.outcome, steps[i]);
    ck_assert_msg(result.n == whole.n, "%s: length in steps of %zu", name, steps[i]);
    ck_assert_msg(str_eq(str_from_cstr(result.why), str_from_cstr(whole.why)),
                  "%s: '%s' whole, '%s' in steps of %zu", name, whole.why, result.why, steps[i]);
  }
  return pieces_parse(parse, input, limit_bytes, 1);
}

#endif
