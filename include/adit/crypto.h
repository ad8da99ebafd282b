/*
 * crypto: HMAC-SHA256, base64url, random bytes and constant-time compare, on OpenSSL.
 */
#ifndef ADIT_CRYPTO_H
#define ADIT_CRYPTO_H

#include "adit/str.h"

enum { HMAC_TAG_BYTES = 32 };

/* HMAC-SHA256 under one key; reused for many messages by one thread. NULL: memory or no SHA-256. */
struct hmac;
struct hmac *hmac_new(struct str key);
void hmac_free(struct hmac **hmac);
/* The tag of the concatenated parts. False when OpenSSL fails (memory). */
bool hmac_tag(struct hmac *hmac, const struct str *parts, size_t n, uint8_t ret[HMAC_TAG_BYTES])
    __attribute__((warn_unused_result));

/* Whether two byte strings are equal; the time depends on their lengths only. */
bool crypto_equal(struct str a, struct str b);

/* Fills with random bytes of the system. False only when the system has none. */
bool crypto_random(void *ret, size_t n) __attribute__((warn_unused_result));

/* SHA-256 of `data`. False when OpenSSL fails. */
bool crypto_sha256(struct str data, uint8_t ret[32]) __attribute__((warn_unused_result));

enum { WEBSOCKET_ACCEPT_CHARS = 28 };
/* The Sec-WebSocket-Accept that answers a key (RFC 6455 4.2.2). False when OpenSSL fails. */
bool crypto_websocket_accept(struct str key, char ret[WEBSOCKET_ACCEPT_CHARS])
    __attribute__((warn_unused_result));

/* RFC 4648 base64url without padding. Encoding gives (n * 4 + 2) / 3 characters into `ret`, which
 * has room for them, and returns their number. Decoding is strict: alphabet, length, zero unused
 * bits; returns false otherwise or when `capacity` does not hold the result. */
size_t base64url_encode(struct str data, char *ret);
bool base64url_decode(struct str text, uint8_t *ret, size_t capacity, size_t *ret_n)
    __attribute__((warn_unused_result));

#endif
