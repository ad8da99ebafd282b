/*
 * h1_write: heads and chunks as HTTP/1.1 text (RFC 9112), into memory that is known to suffice.
 */
#ifndef ADIT_GATEWAY_H1_WRITE_H
#define ADIT_GATEWAY_H1_WRITE_H

#include "buffer.h"
#include "stream.h"

/* What the connection adds to a head. */
struct h1_framing {
  bool chunked;
  struct str connection; /* value of a Connection field; n == 0: none */
  struct str upgrade;    /* value of an Upgrade field, which the connection then nominates */
  bool te_trailers;      /* TE: trailers, which the connection then nominates */
};

/* An upper bound of what writing takes. */
size_t h1_request_size(const struct request_out *head);
size_t h1_response_size(const struct response_out *head);
/* Writes, and returns the number of bytes. */
size_t h1_write_request(char *to, const struct request_out *head, const struct h1_framing *framing);
size_t h1_write_response(char *to, const struct response_out *head,
                         const struct h1_framing *framing);

enum { H1_CHUNK_OVERHEAD = 16 + 4 };
/* Appends body bytes, as a chunk where `chunked`, as far as there is room; returns how many of
 * `data`. The buffer holds a block. */
size_t h1_append_body(struct buffer *out, struct str data, bool chunked);
/* A chunk of n > 0 bytes. */
size_t h1_write_chunk(char *to, struct str data);
/* The last chunk with its trailer section; an upper bound first. */
size_t h1_end_size(const struct field_list *trailers);
size_t h1_write_end(char *to, const struct field_list *trailers);

#endif
