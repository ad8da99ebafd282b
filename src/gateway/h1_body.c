#include "h1_body.h"

#include <assert.h>

/* The bytes of a trailer section stay in the buffer until it is whole; all others go as they are
 * decoded. */
static void pass(struct h1_body *body, struct buffer *buffer, size_t used) {
  size_t trailer = body->chunked.trailer_bytes;
  buffer->start += body->held + used - trailer;
  body->held = trailer;
}

static void end_chunked(struct h1_body *body, struct buffer *buffer, size_t used) {
  enum { EMPTY_LINE = 2 };
  size_t section = body->chunked.trailer_bytes + 1;
  buffer->start += body->held + used;
  body->trailers = str_make(buffer->p + buffer->start - section, section - EMPTY_LINE);
  body->complete = true;
}

static enum h1_body_read chunked_next(struct h1_body *body, struct buffer *buffer) {
  while (buffer_size(buffer) > body->held) {
    struct str data = {0};
    size_t used = 0;
    switch (http_chunked_decode(&body->chunked, str_skip(buffer_str(buffer), body->held), &data,
                                &used)) {
      case HTTP_CHUNK_DATA:
        assert(data.n <= used);
        buffer->start += used - data.n;
        assert(data.p == buffer->p + buffer->start);
        body->run = data.n;
        if (data.n > 0) return H1_BODY_DATA;
        break;
      case HTTP_CHUNK_MORE:
        pass(body, buffer, used);
        return H1_BODY_MORE;
      case HTTP_CHUNK_END:
        end_chunked(body, buffer, used);
        return H1_BODY_END;
      case HTTP_CHUNK_BAD:
        return H1_BODY_BAD;
    }
  }
  return H1_BODY_MORE;
}

static enum h1_body_read find_run(struct h1_body *body, struct buffer *buffer) {
  size_t n = buffer_size(buffer);
  switch (body->kind) {
    case HTTP_BODY_NONE:
      return H1_BODY_END;
    case HTTP_BODY_LENGTH:
      body->run = n < body->left ? n : (size_t)body->left;
      break;
    case HTTP_BODY_CHUNKED:
      return chunked_next(body, buffer);
    case HTTP_BODY_UNTIL_CLOSE:
      body->run = n;
      break;
  }
  return body->run > 0 ? H1_BODY_DATA : H1_BODY_MORE;
}

enum h1_body_read h1_body_next(struct h1_body *body, struct buffer *buffer, struct str *ret_data) {
  if (body->complete) return H1_BODY_END;
  enum h1_body_read result = body->run > 0 ? H1_BODY_DATA : find_run(body, buffer);
  if (result == H1_BODY_DATA) *ret_data = str_make(buffer->p + buffer->start, body->run);
  return result;
}

void h1_body_consume(struct h1_body *body, struct buffer *buffer, size_t n) {
  assert(n <= body->run);
  buffer->start += n;
  body->run -= n;
  if (body->kind != HTTP_BODY_LENGTH) return;
  body->left -= n;
  body->complete = body->left == 0;
}
