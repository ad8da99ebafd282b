/*
 * fuzz_chunked: a chunked body has the same bytes and the same end whole and in pieces, and again
 * when those bytes are sent as one chunk. The first byte chooses the size of the pieces.
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

/* "5\r\nhello\r\n0\r\n\r\n", or without data only the end. */
static struct str encode(const struct body *body, char *text, size_t capacity) {
  int n = body->n > 0 ? snprintf(text, capacity, "%zx\r\n", body->n) : 0;
  memcpy(text + n, body->bytes, body->n);
  size_t at = (size_t)n + body->n;
  if (body->n > 0) at += (size_t)snprintf(text + at, capacity - at, "\r\n");
  at += (size_t)snprintf(text + at, capacity - at, "0\r\n\r\n");
  return str_make(text, at);
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
      const struct str encoded = encode(&whole, text, room);
      decode(encoded, SIZE_MAX, &again);
      require_same(&whole, &again);
      require(again.used == encoded.n);
    }
  }
  free(whole.bytes);
  free(pieces.bytes);
  free(again.bytes);
  free(text);
  return 0;
}
