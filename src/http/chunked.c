/*
 * Decoding the chunked coding (RFC 9112 7.1): runs of data are handed out as they are, every other
 * octet goes through one small machine.
 *
 *   SIZE ─► BLANK ─► EXTENSION ─► SIZE_LF ─► DATA ─► DATA_CR ─► DATA_LF ─► SIZE …
 *     └────────┴──────────┴──────────┘ └─ size 0 ─► LINE ─► NAME ─► VALUE ─► VALUE_LF ─► LINE …
 *                                                     └─► LAST_LF ─► END
 */
#include "adit/http.h"
#include "chars.h"

enum chunk_state {
  CHUNK_SIZE,
  CHUNK_BLANK, /* "bad whitespace" before a ';' */
  CHUNK_EXTENSION,
  CHUNK_SIZE_LF,
  CHUNK_DATA,
  CHUNK_DATA_CR,
  CHUNK_DATA_LF,
  CHUNK_LINE, /* at the start of a trailer line */
  CHUNK_NAME,
  CHUNK_VALUE,
  CHUNK_VALUE_LF,
  CHUNK_LAST_LF,
  CHUNK_END,
  CHUNK_BAD
};

enum { SIZE_DIGITS_MAX = 16 };

void http_chunked_init(struct http_chunked *chunked) {
  *chunked = (struct http_chunked){
      .state = CHUNK_SIZE, .extension_max = HTTP_EXTENSION_MAX, .trailer_max = HTTP_TRAILER_MAX};
}

static enum chunk_state too_long(struct http_chunked *chunked, enum http_chunk_fault fault) {
  chunked->fault = fault;
  return CHUNK_BAD;
}

/* ---- size lines ------------------------------------------------------------------------------ */

static enum chunk_state after_size(char c) {
  switch (c) {
    case '\r':
      return CHUNK_SIZE_LF;
    case ';':
      return CHUNK_EXTENSION;
    case ' ':
    case '\t':
      return CHUNK_BLANK;
    default:
      return CHUNK_BAD;
  }
}

static enum chunk_state in_size(struct http_chunked *chunked, char c) {
  const int digit = http_hex_digit(c);
  if (digit < 0) return chunked->size_digits > 0 ? after_size(c) : CHUNK_BAD;
  if (++chunked->size_digits > SIZE_DIGITS_MAX) return CHUNK_BAD;
  chunked->left = chunked->left * 16 + (uint64_t)digit;
  return chunked->left <= INT64_MAX ? CHUNK_SIZE : CHUNK_BAD;
}

static enum chunk_state in_size_line(struct http_chunked *chunked, enum chunk_state state, char c) {
  if (c != '\r' && ++chunked->line_bytes > HTTP_CHUNK_LINE_MAX)
    return too_long(chunked, HTTP_CHUNK_LONG_EXTENSIONS);
  if (state == CHUNK_SIZE) return in_size(chunked, c);
  if (state == CHUNK_BLANK) return c == '\r' ? CHUNK_BAD : after_size(c);
  if (c == '\r') return CHUNK_SIZE_LF;
  return http_char_is(c, HTTP_CHAR_VALUE) ? CHUNK_EXTENSION : CHUNK_BAD;
}

static enum chunk_state end_size_line(struct http_chunked *chunked, char c) {
  if (c != '\n') return CHUNK_BAD;
  chunked->extension_bytes += chunked->line_bytes - chunked->size_digits;
  chunked->extension_bytes -=
      chunked->left < chunked->extension_bytes ? (uint32_t)chunked->left : chunked->extension_bytes;
  if (chunked->extension_bytes > chunked->extension_max)
    return too_long(chunked, HTTP_CHUNK_LONG_EXTENSIONS);
  chunked->line_bytes = 0;
  chunked->size_digits = 0;
  return chunked->left > 0 ? CHUNK_DATA : CHUNK_LINE;
}

/* ---- trailers -------------------------------------------------------------------------------- */

static enum chunk_state in_trailer(struct http_chunked *chunked, enum chunk_state state, char c) {
  if (++chunked->trailer_bytes > chunked->trailer_max)
    return too_long(chunked, HTTP_CHUNK_LONG_TRAILERS);
  if (state == CHUNK_VALUE_LF) return c == '\n' ? CHUNK_LINE : CHUNK_BAD;
  if (state == CHUNK_VALUE) {
    if (c == '\r') return CHUNK_VALUE_LF;
    return http_char_is(c, HTTP_CHAR_VALUE) ? CHUNK_VALUE : CHUNK_BAD;
  }
  if (state == CHUNK_LINE) {
    if (c == '\r') return CHUNK_LAST_LF;
    if (++chunked->trailer_fields > HTTP_FIELDS_MAX)
      return too_long(chunked, HTTP_CHUNK_LONG_TRAILERS);
  }
  if (state == CHUNK_NAME && c == ':') return CHUNK_VALUE;
  return http_char_is(c, HTTP_CHAR_TOKEN) ? CHUNK_NAME : CHUNK_BAD;
}

/* ---- the machine ----------------------------------------------------------------------------- */

static enum chunk_state next_state(struct http_chunked *chunked, char c) {
  const enum chunk_state state = (enum chunk_state)chunked->state;
  switch (state) {
    case CHUNK_SIZE:
    case CHUNK_BLANK:
    case CHUNK_EXTENSION:
      return in_size_line(chunked, state, c);
    case CHUNK_SIZE_LF:
      return end_size_line(chunked, c);
    case CHUNK_DATA_CR:
      return c == '\r' ? CHUNK_DATA_LF : CHUNK_BAD;
    case CHUNK_DATA_LF:
      return c == '\n' ? CHUNK_SIZE : CHUNK_BAD;
    case CHUNK_LINE:
    case CHUNK_NAME:
    case CHUNK_VALUE:
    case CHUNK_VALUE_LF:
      return in_trailer(chunked, state, c);
    case CHUNK_LAST_LF:
      return c == '\n' ? CHUNK_END : CHUNK_BAD;
    case CHUNK_DATA: /* not octet by octet */
    case CHUNK_END:
    case CHUNK_BAD:
      return state;
  }
  return CHUNK_BAD;
}

static struct str take_data(struct http_chunked *chunked, struct str input) {
  const struct str data =
      str_take(input, chunked->left < input.n ? (size_t)chunked->left : input.n);
  chunked->left -= data.n;
  if (chunked->left == 0) chunked->state = CHUNK_DATA_CR;
  return data;
}

enum http_chunk http_chunked_decode(struct http_chunked *chunked, struct str input,
                                    struct str *ret_data, size_t *ret_n) {
  size_t i = 0;
  while (i < input.n && chunked->state != CHUNK_END && chunked->state != CHUNK_BAD) {
    if (chunked->state == CHUNK_DATA) {
      *ret_data = take_data(chunked, str_skip(input, i));
      *ret_n = i + ret_data->n;
      return HTTP_CHUNK_DATA;
    }
    chunked->state = (int)next_state(chunked, input.p[i++]);
  }
  *ret_n = i;
  if (chunked->state == CHUNK_BAD) return HTTP_CHUNK_BAD;
  return chunked->state == CHUNK_END ? HTTP_CHUNK_END : HTTP_CHUNK_MORE;
}
