/*
 * fuzz_response_head: a head means the same whole and in pieces, and its framing holds together.
 * The first two bytes choose the size of the pieces, and the limit with the request's method.
 */
#include <stdlib.h>

#include "adit/http.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void require(bool holds) {
  if (!holds) abort();
}

struct exchange {
  enum http_method method;
  size_t limit_bytes;
};

static enum http_parse parse(struct str input, const struct exchange *exchange, size_t step,
                             struct http_response *ret, size_t *ret_n, const char **ret_why) {
  struct http_head_scan scan = {0};
  enum http_parse outcome = HTTP_PARSE_MORE;
  for (size_t given = 0; given < input.n && outcome == HTTP_PARSE_MORE;) {
    given = input.n - given > step ? given + step : input.n;
    outcome = http_parse_response(str_take(input, given), exchange->limit_bytes, exchange->method,
                                  &scan, ret, ret_n, ret_why);
    if (outcome == HTTP_PARSE_MORE) require(given < exchange->limit_bytes);
  }
  return outcome;
}

static void require_same(const struct http_response *a, const struct http_response *b) {
  require(a->status == b->status && str_eq(a->reason, b->reason));
  require(a->version_minor == b->version_minor && a->keep_alive == b->keep_alive);
  require(a->body == b->body && a->content_length == b->content_length);
  require(a->has_content_length == b->has_content_length && a->field_count == b->field_count);
  for (size_t i = 0; i < a->field_count; i++) {
    require(str_eq(a->fields[i].name, b->fields[i].name) && a->fields[i].id == b->fields[i].id);
    require(str_eq(a->fields[i].value, b->fields[i].value));
  }
}

static void require_sound(const struct http_response *response, enum http_method method) {
  const int status = response->status;
  require(status >= 100 && status <= 599 && http_is_field_value(response->reason));
  const bool bodiless = method == HTTP_METHOD_HEAD || status < 200 || status == 204 ||
                        status == 304 || (method == HTTP_METHOD_CONNECT && status < 300);
  require((response->body == HTTP_BODY_NONE) == bodiless);
  if (response->body == HTTP_BODY_LENGTH) require(response->has_content_length);
  if (response->body == HTTP_BODY_CHUNKED) require(!response->has_content_length);
  if (response->body == HTTP_BODY_UNTIL_CLOSE) require(!response->keep_alive);
  require(response->content_length <= INT64_MAX);
  size_t lengths = 0, codings = 0;
  for (size_t i = 0; i < response->field_count; i++) {
    require(http_is_token(response->fields[i].name));
    require(http_is_field_value(response->fields[i].value));
    lengths += response->fields[i].id == HTTP_FIELD_CONTENT_LENGTH;
    codings += response->fields[i].id == HTTP_FIELD_TRANSFER_ENCODING;
  }
  require(lengths + codings <= 1);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
  static struct http_response whole, pieces;
  static const enum http_method methods[] = {HTTP_METHOD_GET, HTTP_METHOD_HEAD, HTTP_METHOD_POST,
                                             HTTP_METHOD_CONNECT};
  if (size < 2) return 0;
  const size_t step = 1 + data[0] % 40;
  const struct exchange exchange = {methods[data[1] % 4],
                                    data[1] < 128 ? 32768 : (size_t)data[1] * 2};
  const struct str input = str_make((const char *)data + 2, size - 2);
  size_t whole_n = 0, pieces_n = 0;
  const char *whole_why = NULL, *pieces_why = NULL;
  const enum http_parse outcome = parse(input, &exchange, SIZE_MAX, &whole, &whole_n, &whole_why);
  require(parse(input, &exchange, step, &pieces, &pieces_n, &pieces_why) == outcome);
  require(whole_n == pieces_n && whole_why == pieces_why);
  if (outcome != HTTP_PARSE_DONE) return 0;
  require_same(&whole, &pieces);
  require_sound(&whole, exchange.method);
  return 0;
}
