/* keys: what a key file holds, for those who verify with it. */
#ifndef ADIT_JWT_KEYS_H
#define ADIT_JWT_KEYS_H

#include <openssl/evp.h>
#include <stdatomic.h>

#include "adit/jwt.h"

struct jwt_key {
  char *kid;           /* NULL: none */
  unsigned algorithms; /* those that its type, size and "alg" permit */
  EVP_PKEY *public_;   /* NULL: a secret */
  uint8_t *secret;
  size_t secret_n;
};

struct jwt_keys {
  atomic_uint references;
  struct jwt_key items[JWT_KEYS_MAX];
  size_t n;
};

#endif
