/*
 * span: how far octets of one class reach.
 *
 * Octet by octet by the table of chars.h, and on x86-64 by SSE2 in blocks before that. Both give
 * the same: what a block is not sure of is left to the table.
 */
#ifndef ADIT_HTTP_SPAN_H
#define ADIT_HTTP_SPAN_H

#include "chars.h"

#if defined(__SSE2__) && !defined(ADIT_PORTABLE)
#define HTTP_SPAN_SSE2 1
#include <emmintrin.h>
#else
#define HTTP_SPAN_SSE2 0
#endif

/*
 * http_span_CLASS(p, from, to): index in [from, to) of the first octet that is not of the class;
 * `to` when there is none. Any of p[0, to) may be read. The portable one is how they go without
 * SIMD.
 */
static inline size_t http_span_portable(const char *p, size_t from, size_t to,
                                        enum http_char class) {
  while (from < to && http_char_is(p[from], class)) from++;
  return from;
}

/*
 * Which of the 64 octets from `from` on, as far as they are below `to`, are not HTTP_CHAR_VALUE:
 * the lowest bit is p[from]'s. `from` is not above `to`; any of p[0, to) may be read.
 */
uint64_t http_find_controls(const char *p, size_t from, size_t to);
uint64_t http_find_controls_portable(const char *p, size_t from, size_t to);

#if HTTP_SPAN_SSE2

enum { SPAN_BLOCK = 16 };
/* A bit for each octet of a block that is not of a class, or may not be. */
typedef unsigned span_stops_fn(__m128i octets);

static inline unsigned span_stops_at(const char *p, size_t at, span_stops_fn *stops) {
  return stops(_mm_loadu_si128((const __m128i *)(const void *)(p + at)));
}

static inline unsigned span_bits(__m128i octets) {
  return (unsigned)_mm_movemask_epi8(octets);
}

static inline __m128i span_is(__m128i octets, char c) {
  return _mm_cmpeq_epi8(octets, _mm_set1_epi8(c));
}

/* Both included; as unsigned octets, which SSE2 compares only by their minimum. */
static inline __m128i span_is_between(__m128i octets, char low, char high) {
  const __m128i above = _mm_sub_epi8(octets, _mm_set1_epi8(low));
  return _mm_cmpeq_epi8(_mm_min_epu8(above, _mm_set1_epi8((char)(high - low))), above);
}

static inline unsigned span_value_stops(__m128i octets) {
  const __m128i low = _mm_andnot_si128(span_is(octets, '\t'), span_is_between(octets, 0, 0x1f));
  return span_bits(_mm_or_si128(low, span_is(octets, 0x7f)));
}

static inline unsigned span_target_stops(__m128i octets) {
  const __m128i visible = span_is_between(octets, '!', '~');
  return span_bits(_mm_andnot_si128(span_is(octets, '#'), visible)) ^ 0xffff;
}

/* For tokens and reg-names: all but letters, digits, '-' and '.', which both are mostly made of. */
static inline unsigned span_name_stops(__m128i octets) {
  const __m128i lower = _mm_or_si128(octets, _mm_set1_epi8(0x20));
  const __m128i letters = span_is_between(lower, 'a', 'z');
  const __m128i others = _mm_andnot_si128(span_is(octets, '/'), span_is_between(octets, '-', '9'));
  return span_bits(_mm_or_si128(letters, others)) ^ 0xffff;
}

static inline __attribute__((always_inline)) size_t span_blocks(const char *p, size_t from,
                                                                size_t to, span_stops_fn *stops) {
  if (to < SPAN_BLOCK || from >= to) return from;
  const size_t last = to - SPAN_BLOCK;
  for (; from <= last; from += SPAN_BLOCK) {
    const unsigned found = span_stops_at(p, from, stops);
    if (found != 0) return from + (size_t)__builtin_ctz(found);
  }
  /* What is left, in a block that begins before it. */
  const unsigned found = span_stops_at(p, last, stops) >> (from - last);
  return found != 0 ? from + (size_t)__builtin_ctz(found) : to;
}

#else
#define span_blocks(p, from, to, stops) (from)
#endif

static inline size_t http_span_value(const char *p, size_t from, size_t to) {
  from = span_blocks(p, from, to, span_value_stops);
  return http_span_portable(p, from, to, HTTP_CHAR_VALUE);
}

static inline size_t http_span_target(const char *p, size_t from, size_t to) {
  from = span_blocks(p, from, to, span_target_stops);
  return http_span_portable(p, from, to, HTTP_CHAR_TARGET);
}

static inline size_t http_span_token(const char *p, size_t from, size_t to) {
  from = span_blocks(p, from, to, span_name_stops);
  return http_span_portable(p, from, to, HTTP_CHAR_TOKEN);
}

static inline size_t http_span_reg_name(const char *p, size_t from, size_t to) {
  from = span_blocks(p, from, to, span_name_stops);
  return http_span_portable(p, from, to, HTTP_CHAR_REG_NAME);
}

#endif
