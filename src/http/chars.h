/*
 * chars: classes of octets in HTTP/1.1 and URIs, looked up in one table.
 */
#ifndef ADIT_HTTP_CHARS_H
#define ADIT_HTTP_CHARS_H

#include "adit/str.h"

enum http_char {
  HTTP_CHAR_TOKEN = 1,    /* tchar, RFC 9110 5.6.2 */
  HTTP_CHAR_TARGET = 2,   /* what a request-target may hold: visible ASCII but '#' */
  HTTP_CHAR_REG_NAME = 4, /* unreserved and sub-delims, RFC 3986 3.2.2; '%' is looked at apart */
  HTTP_CHAR_VALUE = 8     /* what a field value may hold: all but controls, HTAB included */
};

extern const uint8_t http_chars[256];

static inline bool http_char_is(char c, enum http_char class) {
  return (http_chars[(unsigned char)c] & class) != 0;
}

/* 0..15, or -1 for what is not a hexadecimal digit. */
static inline int http_hex_digit(char c) {
  if (c >= '0' && c <= '9') return c - '0';
  const char lower = (char)(c | 0x20);
  return lower >= 'a' && lower <= 'f' ? lower - 'a' + 10 : -1;
}

/*
 * The octet that "%XX" at s.p[i] stands for, or -1 where '%' is not followed by two hexadecimal
 * digits.
 */
static inline int http_percent_octet(struct str s, size_t i) {
  if (s.n - i < 3) return -1;
  const int high = http_hex_digit(s.p[i + 1]);
  const int low = http_hex_digit(s.p[i + 2]);
  return high < 0 || low < 0 ? -1 : high * 16 + low;
}

#endif
