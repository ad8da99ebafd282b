/* crypto: HMAC-SHA256 and its kin on OpenSSL 3. */
#include "adit/crypto.h"

#include <limits.h>
#include <openssl/core_names.h>
#include <openssl/crypto.h>
#include <openssl/evp.h>
#include <openssl/params.h>
#include <openssl/rand.h>
#include <stdlib.h>

struct hmac {
  EVP_MAC_CTX *context; /* keyed once; EVP_MAC_init without a key begins the next message */
};

static EVP_MAC_CTX *new_context(struct str key) {
  EVP_MAC *mac = EVP_MAC_fetch(NULL, "HMAC", NULL);
  EVP_MAC_CTX *context = mac ? EVP_MAC_CTX_new(mac) : NULL;
  EVP_MAC_free(mac); /* the context holds a reference of its own */
  if (!context) return NULL;
  char digest[] = "SHA256";
  const OSSL_PARAM parameters[] = {
      OSSL_PARAM_construct_utf8_string(OSSL_MAC_PARAM_DIGEST, digest, 0),
      OSSL_PARAM_construct_end(),
  };
  /* A NULL key would mean "as before", hence "" for the empty one. */
  const unsigned char *bytes = (const unsigned char *)(key.n > 0 ? key.p : "");
  if (EVP_MAC_init(context, bytes, key.n, parameters) == 1 &&
      EVP_MAC_CTX_get_mac_size(context) == HMAC_TAG_BYTES) {
    return context;
  }
  EVP_MAC_CTX_free(context);
  return NULL;
}

struct hmac *hmac_new(struct str key) {
  struct hmac *hmac = calloc(1, sizeof(*hmac));
  if (!hmac) return NULL;
  hmac->context = new_context(key);
  if (!hmac->context) {
    free(hmac);
    return NULL;
  }
  return hmac;
}

void hmac_free(struct hmac **hmac) {
  if (*hmac) EVP_MAC_CTX_free((*hmac)->context);
  free(*hmac);
  *hmac = NULL;
}

bool hmac_tag(struct hmac *hmac, const struct str *parts, size_t n, uint8_t ret[HMAC_TAG_BYTES]) {
  if (EVP_MAC_init(hmac->context, NULL, 0, NULL) != 1) return false;
  for (size_t i = 0; i < n; i++) {
    if (parts[i].n == 0) continue;
    if (EVP_MAC_update(hmac->context, (const unsigned char *)parts[i].p, parts[i].n) != 1) {
      return false;
    }
  }
  uint8_t tag[HMAC_TAG_BYTES];
  size_t length = 0;
  if (EVP_MAC_final(hmac->context, tag, &length, sizeof(tag)) != 1 || length != sizeof(tag)) {
    return false;
  }
  memcpy(ret, tag, sizeof(tag));
  return true;
}

bool crypto_equal(struct str a, struct str b) {
  return a.n == b.n && (a.n == 0 || CRYPTO_memcmp(a.p, b.p, a.n) == 0);
}

bool crypto_random(void *ret, size_t n) {
  return n <= INT_MAX && RAND_bytes(ret, (int)n) == 1;
}

bool crypto_sha256(struct str data, uint8_t ret[32]) {
  unsigned length = 0;
  uint8_t digest[32];
  const void *bytes = data.n > 0 ? data.p : "";
  if (EVP_Digest(bytes, data.n, digest, &length, EVP_sha256(), NULL) != 1 ||
      length != sizeof(digest)) {
    return false;
  }
  memcpy(ret, digest, sizeof(digest));
  return true;
}

bool crypto_websocket_accept(struct str key, char ret[WEBSOCKET_ACCEPT_CHARS]) {
  static const char guid[] = "258EAFA5-E914-47DA-95CA-C5AB0DC85B11";
  enum { SHA1_BYTES = 20 };
  uint8_t digest[SHA1_BYTES];
  unsigned length = 0;
  EVP_MD_CTX *context = EVP_MD_CTX_new();
  bool ok = context && EVP_DigestInit_ex(context, EVP_sha1(), NULL) == 1 &&
            EVP_DigestUpdate(context, key.n > 0 ? key.p : "", key.n) == 1 &&
            EVP_DigestUpdate(context, guid, sizeof(guid) - 1) == 1 &&
            EVP_DigestFinal_ex(context, digest, &length) == 1 && length == SHA1_BYTES;
  EVP_MD_CTX_free(context);
  if (!ok) return false;
  unsigned char text[WEBSOCKET_ACCEPT_CHARS + 1];
  if (EVP_EncodeBlock(text, digest, SHA1_BYTES) != WEBSOCKET_ACCEPT_CHARS) return false;
  memcpy(ret, text, WEBSOCKET_ACCEPT_CHARS);
  return true;
}
