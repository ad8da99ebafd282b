/*
 * A token as it stands, and header and payload of any kind (divided by the first NUL) under a right
 * signature, without which nothing would reach the second parser: claims come with JWT_VERIFIED and
 * never else, a raw token is never verified, and a claim's texts lie within the limits. A key file
 * of any kind is keys or errors.
 */
#include <stdlib.h>

#include "adit/crypto.h"
#include "adit/json.h"
#include "adit/jwt.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

#define SECRET "0123456789abcdef0123456789abcdef"
enum { INPUT_MAX = 16 * 1024, TEXTS_MAX = 8 };

static void require(bool holds) {
  if (!holds) abort();
}

static struct jwt_keys *parse_keys(struct str content, unsigned algorithms) {
  struct diags *diags = diags_new();
  require(diags != NULL);
  struct jwt_keys *keys = jwt_keys_parse(content, "fuzz", algorithms, diags);
  require((keys == NULL) == (diags_count(diags, DIAG_ERROR) > 0));
  diags_free(&diags);
  return keys;
}

static enum jwt_outcome judge(const struct jwt_keys *keys, struct str token) {
  const struct jwt_policy policy = {JWT_HS256, {NULL, 0}, {NULL, 0}, 60};
  struct json_doc *claims = NULL;
  enum jwt_outcome outcome = jwt_verify(keys, &policy, token, 1700000000, &claims);
  require((outcome == JWT_VERIFIED) == (claims != NULL));
  struct str texts[TEXTS_MAX];
  size_t n = 0;
  if (claims && jwt_claim(claims, STR("a.b"), texts, TEXTS_MAX, &n)) {
    require(n <= TEXTS_MAX);
    for (size_t i = 0; i < n; i++) require(texts[i].n <= JWT_TOKEN_BYTES_MAX);
  }
  json_free(&claims);
  return outcome;
}

static struct str sign(struct str header, struct str payload, char *buffer) {
  size_t n = base64url_encode(header, buffer);
  buffer[n++] = '.';
  n += base64url_encode(payload, buffer + n);
  struct str input = str_make(buffer, n);
  struct hmac *hmac = hmac_new(STR(SECRET));
  uint8_t tag[HMAC_TAG_BYTES];
  require(hmac && hmac_tag(hmac, &input, 1, tag));
  hmac_free(&hmac);
  buffer[n++] = '.';
  return str_make(buffer, n + base64url_encode(str_make((char *)tag, sizeof(tag)), buffer + n));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
  static struct jwt_keys *secret = NULL;
  static char token[2 * INPUT_MAX];
  if (!secret) secret = parse_keys(STR(SECRET), JWT_HS256);
  if (size > INPUT_MAX) return 0;
  struct str input = str_make((const char *)data, size);
  struct jwt_keys *keys = parse_keys(input, 0);
  jwt_keys_free(&keys);
  require(judge(secret, input) != JWT_VERIFIED);
  size_t end = str_find_char(input, '\0', 0);
  (void)judge(secret, sign(STR("{\"alg\":\"HS256\"}"), input, token));
  (void)judge(secret, sign(str_take(input, end), str_skip(input, end + 1), token));
  return 0;
}
