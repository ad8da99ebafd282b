/*
 * fuzz_request_head: a head means the same whole and in pieces, and the same again when it is
 * written anew from its parsed form. The first two bytes choose the size of the pieces and the
 * limit.
 */
#include <stdlib.h>

#include "adit/http.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void require(bool holds) {
  if (!holds) abort();
}

static enum http_parse parse(struct str input, size_t limit_bytes, size_t step,
                             struct http_request *ret, size_t *ret_n, const char **ret_why) {
  const struct http_limits limits = http_limits_usual(limit_bytes);
  struct http_head_scan scan = {0};
  enum http_parse outcome = HTTP_PARSE_MORE;
  for (size_t given = 0; given < input.n && outcome == HTTP_PARSE_MORE;) {
    given = input.n - given > step ? given + step : input.n;
    outcome = http_parse_request(str_take(input, given), &limits, &scan, ret, ret_n, ret_why);
    if (outcome == HTTP_PARSE_MORE) require(given < limit_bytes);
  }
  return outcome;
}

static void require_same(const struct http_request *a, const struct http_request *b) {
  require(str_eq(a->method, b->method) && str_eq(a->target, b->target));
  require(str_eq(a->host, b->host) && str_eq(a->authority, b->authority));
  require(str_eq(a->origin, b->origin) && str_eq(a->raw_path, b->raw_path));
  require(a->form == b->form && str_eq(a->query, b->query));
  require(a->body == b->body && a->content_length == b->content_length);
  require(a->keep_alive == b->keep_alive && a->upgrade == b->upgrade);
  require(a->version_minor == b->version_minor && a->expect_continue == b->expect_continue);
  require(a->field_count == b->field_count);
  for (size_t i = 0; i < a->field_count; i++) {
    require(str_eq(a->fields[i].name, b->fields[i].name) && a->fields[i].id == b->fields[i].id);
    require(str_eq(a->fields[i].value, b->fields[i].value));
  }
}

static void add(struct str s, char *text, size_t *n) {
  memcpy(text + *n, s.p, s.n);
  *n += s.n;
}

/* The head from its parts. At most a blank a field longer than it was. */
static struct str write_anew(const struct http_request *request, char *text) {
  size_t n = 0;
  add(request->method, text, &n);
  add(STR(" "), text, &n);
  add(request->target, text, &n);
  add(request->version_minor == 0 ? STR(" HTTP/1.0\r\n") : STR(" HTTP/1.1\r\n"), text, &n);
  for (size_t i = 0; i < request->field_count; i++) {
    require(http_is_token(request->fields[i].name));
    require(http_is_field_value(request->fields[i].value));
    add(request->fields[i].name, text, &n);
    add(STR(": "), text, &n);
    add(request->fields[i].value, text, &n);
    add(STR("\r\n"), text, &n);
  }
  add(STR("\r\n"), text, &n);
  return str_make(text, n);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
  static struct http_request whole, pieces, again;
  if (size < 2) return 0;
  const size_t step = 1 + data[0] % 40;
  const size_t limit_bytes = data[1] < 128 ? 32768 : (size_t)data[1] * 2;
  const struct str input = str_make((const char *)data + 2, size - 2);
  size_t whole_n = 0, pieces_n = 0, again_n = 0;
  const char *whole_why = NULL, *pieces_why = NULL, *again_why = NULL;
  const enum http_parse outcome = parse(input, limit_bytes, SIZE_MAX, &whole, &whole_n, &whole_why);
  require(parse(input, limit_bytes, step, &pieces, &pieces_n, &pieces_why) == outcome);
  require(whole_n == pieces_n && whole_why == pieces_why);
  if (outcome != HTTP_PARSE_DONE) return 0;
  require_same(&whole, &pieces);
  char *text = malloc(whole_n + HTTP_FIELDS_MAX);
  if (text == NULL) return 0;
  const struct str anew = write_anew(&whole, text);
  require(parse(anew, SIZE_MAX, SIZE_MAX, &again, &again_n, &again_why) == HTTP_PARSE_DONE);
  require(again_n == anew.n);
  require_same(&whole, &again);
  free(text);
  return 0;
}
