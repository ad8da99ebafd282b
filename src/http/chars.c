#include "chars.h"

#ifdef __SSE2__
#include <emmintrin.h>
#endif

#define T HTTP_CHAR_TOKEN
#define U HTTP_CHAR_TARGET
#define R HTTP_CHAR_REG_NAME
#define V HTTP_CHAR_VALUE

const uint8_t http_chars[256] = {
    ['\t'] = V,
    [' '] = V,
    ['0' ... '9'] = T | U | R | V,
    ['A' ... 'Z'] = T | U | R | V,
    ['a' ... 'z'] = T | U | R | V,
    ['!'] = T | U | R | V,
    ['"'] = U | V,
    ['#'] = T | V,
    ['$'] = T | U | R | V,
    ['%'] = T | U | V,
    ['&'] = T | U | R | V,
    ['\''] = T | U | R | V,
    ['('] = U | R | V,
    [')'] = U | R | V,
    ['*'] = T | U | R | V,
    ['+'] = T | U | R | V,
    [','] = U | R | V,
    ['-'] = T | U | R | V,
    ['.'] = T | U | R | V,
    ['/'] = U | V,
    [':'] = U | V,
    [';'] = U | R | V,
    ['<'] = U | V,
    ['='] = U | R | V,
    ['>'] = U | V,
    ['?'] = U | V,
    ['@'] = U | V,
    ['['] = U | V,
    ['\\'] = U | V,
    [']'] = U | V,
    ['^'] = T | U | V,
    ['_'] = T | U | R | V,
    ['`'] = T | U | V,
    ['{'] = U | V,
    ['|'] = T | U | V,
    ['}'] = U | V,
    ['~'] = T | U | R | V,
    [0x80 ... 0xff] = V,
};

#undef T
#undef U
#undef R
#undef V

size_t http_find_control(const char *p, size_t from, size_t to) {
#ifdef __SSE2__
  const __m128i highest_control = _mm_set1_epi8(0x1f);
  const __m128i tab = _mm_set1_epi8('\t');
  const __m128i del = _mm_set1_epi8(0x7f);
  while (from < to && to - from >= 16) {
    const __m128i octets = _mm_loadu_si128((const __m128i *)(const void *)(p + from));
    const __m128i low = _mm_cmpeq_epi8(_mm_min_epu8(octets, highest_control), octets);
    const __m128i control = _mm_or_si128(_mm_andnot_si128(_mm_cmpeq_epi8(octets, tab), low),
                                         _mm_cmpeq_epi8(octets, del));
    const int mask = _mm_movemask_epi8(control);
    if (mask != 0) return from + (size_t)__builtin_ctz((unsigned)mask);
    from += 16;
  }
#endif
  while (from < to && http_char_is(p[from], HTTP_CHAR_VALUE)) from++;
  return from;
}
