#include "span.h"

uint64_t http_find_controls_portable(const char *p, size_t from, size_t to) {
  uint64_t found = 0;
  for (size_t i = 0; i < 64 && from + i < to; i++) {
    found |= (uint64_t)!http_char_is(p[from + i], HTTP_CHAR_VALUE) << i;
  }
  return found;
}

#if HTTP_SPAN_SSE2

static uint64_t controls_at(const char *p, size_t at, unsigned shift) {
  return (uint64_t)span_stops_at(p, at, span_value_stops) << shift;
}

uint64_t http_find_controls(const char *p, size_t from, size_t to) {
  if (to - from >= 64) {
    return controls_at(p, from, 0) | controls_at(p, from + 16, 16) | controls_at(p, from + 32, 32) |
           controls_at(p, from + 48, 48);
  }
  uint64_t found = 0;
  size_t at = from;
  for (; at + SPAN_BLOCK <= to; at += SPAN_BLOCK)
    found |= controls_at(p, at, (unsigned)(at - from));
  if (at >= to) return found;
  if (to < SPAN_BLOCK) return http_find_controls_portable(p, from, to);
  /* What is left, in a block that begins before it. */
  const size_t last = to - SPAN_BLOCK;
  return found | controls_at(p, last, 0) >> (at - last) << (at - from);
}

#else

uint64_t http_find_controls(const char *p, size_t from, size_t to) {
  return http_find_controls_portable(p, from, to);
}

#endif
