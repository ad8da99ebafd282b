/* base64url: RFC 4648 section 5, without padding. */
#include "adit/crypto.h"

static const char ALPHABET[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";

size_t base64url_encode(struct str data, char *ret) {
  const uint8_t *bytes = (const uint8_t *)data.p;
  size_t n = 0;
  uint32_t bits = 0; /* the low `held` bits are still to be written */
  unsigned held = 0;
  for (size_t i = 0; i < data.n; i++) {
    bits = (bits << 8 | bytes[i]) & 0xFFFF;
    held += 8;
    while (held >= 6) {
      held -= 6;
      ret[n++] = ALPHABET[bits >> held & 0x3F];
    }
  }
  if (held > 0) ret[n++] = ALPHABET[bits << (6 - held) & 0x3F];
  return n;
}

/* 0..63, or -1 for a byte outside the alphabet. */
static int value_of(char c) {
  if (c >= 'A' && c <= 'Z') return c - 'A';
  if (c >= 'a' && c <= 'z') return c - 'a' + 26;
  if (c >= '0' && c <= '9') return c - '0' + 52;
  if (c == '-') return 62;
  if (c == '_') return 63;
  return -1;
}

bool base64url_decode(struct str text, uint8_t *ret, size_t capacity, size_t *ret_n) {
  size_t length = text.n / 4 * 3 + text.n % 4 * 3 / 4;
  if (text.n % 4 == 1 || length > capacity) return false;
  size_t n = 0;
  uint32_t bits = 0;
  unsigned held = 0;
  for (size_t i = 0; i < text.n; i++) {
    int value = value_of(text.p[i]);
    if (value < 0) return false;
    bits = (bits << 6 | (uint32_t)value) & 0xFFFF;
    held += 6;
    if (held < 8) continue;
    held -= 8;
    ret[n++] = (uint8_t)(bits >> held & 0xFF);
  }
  /* The unused bits of the last character must be 0: one value, one spelling. */
  if ((bits & ((1U << held) - 1)) != 0) return false;
  *ret_n = n;
  return true;
}
