/*
 * h1_body: reading a body off a connection's buffer, in either direction.
 *
 * The reader holds how far the body's framing has been followed; the bytes stay in the buffer. A
 * run of data always stands at the buffer's start, until it is consumed.
 */
#ifndef ADIT_GATEWAY_H1_BODY_H
#define ADIT_GATEWAY_H1_BODY_H

#include "adit/http.h"
#include "buffer.h"

struct h1_body {
  enum http_body_kind kind;
  uint64_t left; /* HTTP_BODY_LENGTH */
  struct http_chunked chunked;
  size_t run;  /* bytes at the buffer's start that are data */
  size_t held; /* ... or that belong to a trailer section and were looked at */
  bool complete;
  struct str trailers; /* when complete: the lines of the trailer section, in the buffer's memory,
                          until that is filled or released */
};

enum h1_body_read { H1_BODY_DATA, H1_BODY_MORE, H1_BODY_END, H1_BODY_BAD };

static inline void h1_body_init(struct h1_body *body, enum http_body_kind kind, uint64_t length) {
  *body = (struct h1_body){.kind = kind, .left = length};
  body->complete = kind == HTTP_BODY_NONE || (kind == HTTP_BODY_LENGTH && length == 0);
  http_chunked_init(&body->chunked);
}

/* The next run of data; H1_BODY_MORE: the buffer must be filled first. */
enum h1_body_read h1_body_next(struct h1_body *body, struct buffer *buffer, struct str *ret_data);
void h1_body_consume(struct h1_body *body, struct buffer *buffer, size_t n);

#endif
