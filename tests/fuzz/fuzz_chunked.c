/*
 * fuzz_chunked: a chunked body has the same bytes, trailers and end whole and in pieces, and again
 * when these are written anew, the bytes as one chunk. The first byte chooses the size of the
 * pieces.
 */
#include <stdio.h>
#include <stdlib.h>

#include "adit/http.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void require(bool holds) {
  if (!holds) abort();
}

struct body {
  char *bytes; /* as large as the input */
  size_t n;
  size_t used;
  enum http_chunk outcome;
  struct str trailers; /* HTTP_CHUNK_END: the lines, in the input */
};

static void decode(struct str input, size_t step, struct body *ret) {
  struct http_chunked chunked;
  http_chunked_init(&chunked);
  ret->outcome = HTTP_CHUNK_MORE;
  while (ret->used < input.n) {
    const struct str piece = str_take(str_skip(input, ret->used), step);
    struct str data = {NULL, 0};
    size_t n = 0;
    ret->outcome = http_chunked_decode(&chunked, piece, &data, &n);
    require(n <= piece.n);
    ret->used += n;
    if (ret->outcome == HTTP_CHUNK_END) {
      const size_t section = (size_t)chunked.trailer_bytes + 1;
      require(section >= 2 && section <= ret->used);
      ret->trailers = str_make(input.p + ret->used - section, section - 2);
    }
    if (ret->outcome == HTTP_CHUNK_END || ret->outcome == HTTP_CHUNK_BAD) return;
    if (ret->outcome == HTTP_CHUNK_MORE) require(n == piece.n);
    if (ret->outcome == HTTP_CHUNK_DATA) {
      require(data.n > 0 && data.p + data.n == piece.p + n);
      memcpy(ret->bytes + ret->n, data.p, data.n);
      ret->n += data.n;
    }
  }
  ret->outcome = HTTP_CHUNK_MORE;
}

static void require_same(const struct body *a, const struct body *b) {
  require(a->outcome == b->outcome);
  require(str_eq(str_make(a->bytes, a->n), str_make(b->bytes, b->n)));
}

/* ---- trailers -------------------------------------------------------------------------------- */

struct fields {
  size_t n;
  struct http_field items[HTTP_FIELDS_MAX];
};

/* Each line of the section is a field, and a good one. */
static void read_trailers(struct str lines, struct fields *ret) {
  ret->n = http_trailers_parse(lines, ret->items);
  size_t line_count = 0;
  for (size_t i = 0; i < lines.n; i++) line_count += lines.p[i] == '\n';
  require(ret->n == line_count && ret->n <= HTTP_FIELDS_MAX);
  for (size_t i = 0; i < ret->n; i++) {
    const struct http_field *field = &ret->items[i];
    require(http_is_token(field->name) && http_is_field_value(field->value));
    require(field->id == http_field_id(field->name));
    require(str_eq(field->value, str_trim(field->value)));
  }
}

static void require_same_fields(const struct fields *a, const struct fields *b) {
  require(a->n == b->n);
  for (size_t i = 0; i < a->n; i++) {
    require(str_eq(a->items[i].name, b->items[i].name));
    require(str_eq(a->items[i].value, b->items[i].value));
  }
}

/* ---- written anew ---------------------------------------------------------------------------- */

static void add(struct str s, char *text, size_t *n) {
  if (s.n > 0) memcpy(text + *n, s.p, s.n);
  *n += s.n;
}

/* "5\r\nhello\r\n0\r\nA:b\r\n\r\n", or without data only the end. */
static struct str encode(const struct body *body, const struct fields *trailers, char *text) {
  char size[32];
  size_t n = 0;
  if (body->n > 0) {
    const int digits = snprintf(size, sizeof(size), "%zx\r\n", body->n);
    add(str_make(size, (size_t)digits), text, &n);
    add(str_make(body->bytes, body->n), text, &n);
    add(STR("\r\n"), text, &n);
  }
  add(STR("0\r\n"), text, &n);
  for (size_t i = 0; i < trailers->n; i++) {
    add(trailers->items[i].name, text, &n);
    add(STR(":"), text, &n);
    add(trailers->items[i].value, text, &n);
    add(STR("\r\n"), text, &n);
  }
  add(STR("\r\n"), text, &n);
  return str_make(text, n);
}

static void try_again(const struct body *whole, struct body *again, char *text) {
  static struct fields trailers, trailers_again;
  read_trailers(whole->trailers, &trailers);
  const struct str encoded = encode(whole, &trailers, text);
  decode(encoded, SIZE_MAX, again);
  require_same(whole, again);
  require(again->used == encoded.n);
  read_trailers(again->trailers, &trailers_again);
  require_same_fields(&trailers, &trailers_again);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
  if (size < 2) return 0;
  const struct str input = str_make((const char *)data + 1, size - 1);
  const size_t room = size + 64;
  struct body whole = {.bytes = malloc(room)};
  struct body pieces = {.bytes = malloc(room)};
  struct body again = {.bytes = malloc(room)};
  char *text = malloc(room);
  if (whole.bytes && pieces.bytes && again.bytes && text) {
    decode(input, SIZE_MAX, &whole);
    decode(input, 1 + data[0] % 40, &pieces);
    require_same(&whole, &pieces);
    require(whole.used == pieces.used);
    if (whole.outcome == HTTP_CHUNK_END) {
      require(str_eq(whole.trailers, pieces.trailers));
      try_again(&whole, &again, text);
    }
  }
  free(whole.bytes);
  free(pieces.bytes);
  free(again.bytes);
  free(text);
  return 0;
}
