/* jwt_sign: HS256 tokens made on the spot, for tests that need many. */
#ifndef ADIT_TESTS_JWT_SIGN_H
#define ADIT_TESTS_JWT_SIGN_H

#include <stdlib.h>

#include "adit/crypto.h"

#define JWT_SIGN_SECRET "0123456789abcdef0123456789abcdef"

/* Writes header.payload.tag to `buffer`, which has room for it. */
static inline struct str jwt_sign(struct str header, struct str payload, char *buffer) {
  size_t n = base64url_encode(header, buffer);
  buffer[n++] = '.';
  n += base64url_encode(payload, buffer + n);
  struct str input = str_make(buffer, n);
  struct hmac *hmac = hmac_new(STR(JWT_SIGN_SECRET));
  uint8_t tag[HMAC_TAG_BYTES];
  if (!hmac || !hmac_tag(hmac, &input, 1, tag)) abort();
  hmac_free(&hmac);
  buffer[n++] = '.';
  return str_make(buffer, n + base64url_encode(str_make((char *)tag, sizeof(tag)), buffer + n));
}

#endif
