#include "line.h"

#if defined(__SSE2__) && !defined(ADIT_PORTABLE)
#include <emmintrin.h>
#endif

bool line_fail(struct line_scan *scan, const char *why) {
  if (scan->mistake) return false;
  scan->mistake = why;
  scan->mistake_at = scan->at;
  scan->is_cut = scan->at >= scan->n;
  return false;
}

bool line_take(struct line_scan *scan, char c, const char *why) {
  if (line_peek(scan) != c || scan->at >= scan->n) return line_fail(scan, why);
  scan->at++;
  return true;
}

/* ---- texts ----------------------------------------------------------------------------------- */

/* Index of the first byte from `at` on that is a quote, a backslash, a control or no ASCII. */
static size_t find_special(const char *p, size_t at, size_t n) {
#if defined(__SSE2__) && !defined(ADIT_PORTABLE)
  const __m128i quote = _mm_set1_epi8('"'), backslash = _mm_set1_epi8('\\');
  const __m128i blank = _mm_set1_epi8(0x20); /* as signed bytes, those beyond ASCII are below too */
  for (; at + 16 <= n; at += 16) {
    const __m128i bytes = _mm_loadu_si128((const __m128i *)(const void *)(p + at));
    const __m128i found =
        _mm_or_si128(_mm_or_si128(_mm_cmpeq_epi8(bytes, quote), _mm_cmpeq_epi8(bytes, backslash)),
                     _mm_cmplt_epi8(bytes, blank));
    const unsigned bits = (unsigned)_mm_movemask_epi8(found);
    if (bits != 0) return at + (size_t)__builtin_ctz(bits);
  }
#endif
  for (; at < n; at++) {
    const unsigned char c = (unsigned char)p[at];
    if (c == '"' || c == '\\' || c < 0x20 || c >= 0x80) break;
  }
  return at;
}

static int hex_digit(char c) {
  if (c >= '0' && c <= '9') return c - '0';
  c = ascii_lower(c);
  return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

/* Four digits behind \u. */
static bool take_unit(struct line_scan *scan, uint32_t *ret) {
  uint32_t unit = 0;
  for (int i = 0; i < 4; i++, scan->at++) {
    const int digit = scan->at < scan->n ? hex_digit(scan->p[scan->at]) : -1;
    if (digit < 0) return line_fail(scan, "\\u needs four hexadecimal digits");
    unit = unit << 4 | (uint32_t)digit;
  }
  *ret = unit;
  return true;
}

/* What stands behind \u, with the second half of a pair. */
static bool take_code(struct line_scan *scan, uint32_t *ret) {
  uint32_t second;
  if (!take_unit(scan, ret)) return false;
  if (*ret < 0xD800 || *ret > 0xDFFF) return true;
  if (*ret > 0xDBFF) return line_fail(scan, "half of a surrogate pair");
  for (const char *c = "\\u"; *c; c++, scan->at++)
    if (scan->at >= scan->n || scan->p[scan->at] != *c)
      return line_fail(scan, "half of a surrogate pair");
  if (!take_unit(scan, &second)) return false;
  if (second < 0xDC00 || second > 0xDFFF) return line_fail(scan, "half of a surrogate pair");
  *ret = 0x10000 + ((*ret - 0xD800) << 10) + (second - 0xDC00);
  return true;
}

/* Never longer than what stood for it. */
static size_t put_utf8(char *to, uint32_t code) {
  if (code < 0x80) {
    to[0] = (char)code;
    return 1;
  }
  const size_t more = code < 0x800 ? 1 : code < 0x10000 ? 2 : 3;
  static const unsigned char leads[] = {0, 0xC0, 0xE0, 0xF0};
  to[0] = (char)(leads[more] | code >> 6 * more);
  for (size_t i = 1; i <= more; i++) to[i] = (char)(0x80 | (code >> 6 * (more - i) & 0x3F));
  return more + 1;
}

/* One escape, from behind the backslash; writes it to `to`. 0: a mistake. */
static size_t take_escape(struct line_scan *scan, char *to, bool *plain) {
  static const char names[] = "\"\\/bfnrt", bytes[] = "\"\\/\b\f\n\r\t";
  const char c = scan->at < scan->n ? scan->p[scan->at] : '\0';
  if (c == 'u') {
    uint32_t code;
    scan->at++;
    if (!take_code(scan, &code)) return 0;
    *plain &= code < 0x80;
    return put_utf8(to, code);
  }
  const char *found = c ? memchr(names, c, sizeof(names) - 1) : NULL;
  if (!found) {
    line_fail(scan, "an escape that JSON does not have");
    return 0;
  }
  scan->at++;
  *to = bytes[found - names];
  return 1;
}

/* The rest of a text that has an escape or bytes beyond ASCII, moved down over its escapes. */
static bool take_special(struct line_scan *scan, size_t begin, struct str *ret, bool *plain) {
  char *to = scan->p + scan->at;
  for (;;) {
    const size_t from = scan->at;
    scan->at = find_special(scan->p, from, scan->n);
    if (to != scan->p + from) memmove(to, scan->p + from, scan->at - from);
    to += scan->at - from;
    if (scan->at >= scan->n) return line_fail(scan, "the string has no end");
    const unsigned char c = (unsigned char)scan->p[scan->at];
    if (c == '"') break;
    if (c == '\\') {
      scan->at++;
      const size_t n = take_escape(scan, to, plain);
      if (n == 0) return false;
      to += n;
    } else if (c < 0x20) {
      return line_fail(scan, "a control character in a string");
    } else {
      *plain = false;
      *to++ = scan->p[scan->at++];
    }
  }
  *ret = str_make(scan->p + begin, (size_t)(to - (scan->p + begin)));
  if (!*plain && !str_is_utf8(*ret)) return line_fail(scan, "a string that is not UTF-8");
  scan->at++;
  return true;
}

bool line_text(struct line_scan *scan, struct str *ret, bool *ret_plain) {
  bool plain = true;
  if (!line_take(scan, '"', "a string was expected")) return false;
  const size_t begin = scan->at;
  scan->at = find_special(scan->p, begin, scan->n);
  bool ok = true;
  if (scan->at < scan->n && scan->p[scan->at] == '"')
    *ret = str_make(scan->p + begin, scan->at++ - begin);
  else
    ok = take_special(scan, begin, ret, &plain);
  if (ret_plain) *ret_plain = plain;
  return ok;
}

/* ---- other values ---------------------------------------------------------------------------- */

bool line_word(struct line_scan *scan, struct str word) {
  line_peek(scan);
  for (size_t i = 0; i < word.n; i++, scan->at++)
    if (scan->at >= scan->n || scan->p[scan->at] != word.p[i])
      return line_fail(scan, "a value that JSON does not have");
  return true;
}

static size_t take_digits(struct line_scan *scan) {
  const size_t from = scan->at;
  while (scan->at < scan->n && ascii_is_digit(scan->p[scan->at])) scan->at++;
  return scan->at - from;
}

static bool take_one(struct line_scan *scan, const char *of) {
  if (scan->at >= scan->n || scan->p[scan->at] == '\0' || !strchr(of, scan->p[scan->at]))
    return false;
  scan->at++;
  return true;
}

bool line_number(struct line_scan *scan, struct str *ret) {
  line_peek(scan);
  const size_t begin = scan->at;
  take_one(scan, "-");
  const size_t first = scan->at;
  const size_t whole = take_digits(scan);
  if (whole == 0) return line_fail(scan, "a number was expected");
  if (whole > 1 && scan->p[first] == '0') return line_fail(scan, "a number with a leading zero");
  if (take_one(scan, ".") && take_digits(scan) == 0)
    return line_fail(scan, "a number without digits behind its point");
  if (take_one(scan, "eE")) {
    take_one(scan, "+-");
    if (take_digits(scan) == 0) return line_fail(scan, "a number without an exponent");
  }
  *ret = str_make(scan->p + begin, scan->at - begin);
  return true;
}

static bool skip(struct line_scan *scan, unsigned depth);

static bool skip_inside(struct line_scan *scan, char close, unsigned depth) {
  bool first = true;
  struct str name;
  scan->at++;
  while (line_next(scan, &first, close)) {
    if (close == '}' && !line_name(scan, &name)) return false;
    if (!skip(scan, depth + 1)) return false;
  }
  return !scan->mistake;
}

static bool skip(struct line_scan *scan, unsigned depth) {
  struct str ignored;
  if (depth > LINE_DEPTH_MAX) return line_fail(scan, "nested too deep");
  switch (line_peek(scan)) {
    case '"':
      return line_text(scan, &ignored, NULL);
    case '{':
      return skip_inside(scan, '}', depth);
    case '[':
      return skip_inside(scan, ']', depth);
    case 'n':
      return line_word(scan, STR("null"));
    case 't':
      return line_word(scan, STR("true"));
    case 'f':
      return line_word(scan, STR("false"));
    default:
      return line_number(scan, &ignored);
  }
}

bool line_skip(struct line_scan *scan) {
  return skip(scan, 1);
}

bool line_next(struct line_scan *scan, bool *first, char close) {
  if (scan->mistake) return false;
  if (line_peek(scan) == close && scan->at < scan->n) {
    scan->at++;
    return false;
  }
  if (!*first && !line_take(scan, ',', "a comma or the end was expected")) return false;
  *first = false;
  return true;
}

bool line_name(struct line_scan *scan, struct str *ret) {
  return line_text(scan, ret, NULL) && line_take(scan, ':', "a colon was expected");
}
