/* keys: PEM, JWKS (RFC 7517) and secrets, and what each may be used for. */
#include "keys.h"

#include <cjson/cJSON.h>
#include <openssl/bio.h>
#include <openssl/core_names.h>
#include <openssl/crypto.h>
#include <openssl/err.h>
#include <openssl/param_build.h>
#include <openssl/pem.h>
#include <openssl/x509.h>
#include <stdlib.h>

#include "adit/crypto.h"
#include "adit/json.h"

enum { RSA_BITS_MIN = 2048, RSA_BITS_MAX = 8192, COORDINATE_BYTES = 32, NUMBER_BYTES_MAX = 1024 };

static const struct {
  const char *name;
  unsigned bit;
} ALGORITHMS[] = {
    {"HS256", JWT_HS256}, {"HS384", JWT_HS384}, {"HS512", JWT_HS512}, {"RS256", JWT_RS256},
    {"PS256", JWT_PS256}, {"ES256", JWT_ES256}, {"EdDSA", JWT_EDDSA},
};

unsigned jwt_algorithm_by_name(struct str name) {
  for (size_t i = 0; i < sizeof(ALGORITHMS) / sizeof(*ALGORITHMS); i++) {
    if (str_eq(name, str_from_cstr(ALGORITHMS[i].name))) return ALGORITHMS[i].bit;
  }
  return 0;
}

static void key_clear(struct jwt_key *key) {
  EVP_PKEY_free(key->public_);
  if (key->secret) OPENSSL_cleanse(key->secret, key->secret_n);
  free(key->secret);
  free(key->kid);
  *key = (struct jwt_key){0};
}

struct jwt_keys *jwt_keys_ref(struct jwt_keys *keys) {
  if (keys) atomic_fetch_add_explicit(&keys->references, 1, memory_order_relaxed);
  return keys;
}

void jwt_keys_unref(struct jwt_keys **keys) {
  struct jwt_keys *old = *keys;
  *keys = NULL;
  if (!old || atomic_fetch_sub_explicit(&old->references, 1, memory_order_acq_rel) > 1) return;
  for (size_t i = 0; i < old->n; i++) key_clear(&old->items[i]);
  free(old);
}

/* ---- what a key is good for ------------------------------------------------------------------ */

/* A secret shorter than the hash weakens it (RFC 7518 3.2). */
static unsigned secret_algorithms(size_t n) {
  return (n >= 32 ? JWT_HS256 : 0U) | (n >= 48 ? JWT_HS384 : 0U) | (n >= 64 ? JWT_HS512 : 0U);
}

/* NULL and *ret, or what is wrong with the key. */
static const char *public_algorithms(EVP_PKEY *key, unsigned *ret) {
  char group[32] = "";
  size_t n = 0;
  switch (EVP_PKEY_get_base_id(key)) {
    case EVP_PKEY_RSA:
      if (EVP_PKEY_get_bits(key) < RSA_BITS_MIN) return "an RSA key has fewer than 2048 bits";
      if (EVP_PKEY_get_bits(key) > RSA_BITS_MAX) return "an RSA key has more than 8192 bits";
      *ret = JWT_RS256 | JWT_PS256;
      return NULL;
    case EVP_PKEY_EC:
      if (EVP_PKEY_get_group_name(key, group, sizeof(group), &n) != 1 ||
          strcmp(group, "prime256v1") != 0) {
        return "the curve of an EC key is not P-256";
      }
      *ret = JWT_ES256;
      return NULL;
    case EVP_PKEY_ED25519:
      *ret = JWT_EDDSA;
      return NULL;
    default:
      return "a key is not RSA, EC or Ed25519";
  }
}

static void fail(struct diags *diags, const char *name, const char *hint, const char *message) {
  diags_add(diags, DIAG_ERROR, (struct diag_place){name, 0, 0}, hint, "%s", message);
}

/* ---- a secret, a PEM file -------------------------------------------------------------------- */

static bool set_secret(struct jwt_key *key, const char *bytes, size_t n) {
  key->secret = malloc(n + 1);
  if (!key->secret) return false;
  memcpy(key->secret, bytes, n);
  key->secret_n = n;
  key->algorithms = secret_algorithms(n);
  return true;
}

/* Whoever knows a public key could sign with it. */
static bool is_public(struct str content) {
  const unsigned char *der = (const unsigned char *)content.p;
  EVP_PKEY *public_ = content.n > 0 ? d2i_PUBKEY(NULL, &der, (long)content.n) : NULL;
  EVP_PKEY_free(public_);
  return public_ || str_contains(content, STR("-----BEGIN")) ||
         str_starts_with(str_trim(content), STR("{"));
}

static bool read_secret(struct jwt_keys *keys, struct str content, const char *name,
                        struct diags *diags) {
  if (is_public(content)) {
    fail(diags, name, "name it in \"file\"", "a public key is no secret");
    return false;
  }
  if (str_ends_with(content, STR("\n"))) content.n--;
  if (secret_algorithms(content.n) == 0) {
    fail(diags, name, "make one: head -c 48 /dev/urandom | base64 -w0 > FILE",
         "the secret has fewer than 32 bytes");
    return false;
  }
  if (set_secret(&keys->items[keys->n++], content.p, content.n)) return true;
  fail(diags, name, NULL, "out of memory");
  return false;
}

static bool read_pem(struct jwt_keys *keys, struct str content, const char *name,
                     struct diags *diags) {
  size_t begin = 0;
  while (!str_starts_with(str_skip(content, begin), STR("-----BEGIN"))) begin++;
  if (str_contains(str_skip(content, begin + 1), STR("-----BEGIN"))) {
    fail(diags, name, "use a JWKS for several keys", "the file has more than one PEM block");
    return false;
  }
  BIO *bio = BIO_new_mem_buf(content.p, (int)content.n);
  struct jwt_key *key = &keys->items[keys->n++];
  key->public_ = bio ? PEM_read_bio_PUBKEY(bio, NULL, NULL, NULL) : NULL;
  BIO_free(bio);
  if (!key->public_) {
    fail(diags, name, "make one: openssl pkey -pubout, or openssl x509 -pubkey -noout",
         "the file holds no PEM public key");
    return false;
  }
  const char *wrong = public_algorithms(key->public_, &key->algorithms);
  if (wrong) fail(diags, name, "use RSA of 2048 bits or more, P-256 or Ed25519", wrong);
  return !wrong;
}

/* ---- JWKS ------------------------------------------------------------------------------------ */

static struct str member(const cJSON *object, const char *name) {
  const cJSON *node = cJSON_GetObjectItemCaseSensitive(object, name);
  return cJSON_IsString(node) ? json_str(node) : (struct str){NULL, 0};
}

static bool member_bytes(const cJSON *jwk, const char *name, uint8_t *ret, size_t capacity,
                         size_t *ret_n) {
  struct str text = member(jwk, name);
  return text.p && text.n > 0 && base64url_decode(text, ret, capacity, ret_n);
}

/* OpenSSL checks that a point is on its curve. */
static EVP_PKEY *from_parameters(const char *type, OSSL_PARAM *parameters) {
  EVP_PKEY *key = NULL;
  EVP_PKEY_CTX *context = EVP_PKEY_CTX_new_from_name(NULL, type, NULL);
  if (!context || !parameters || EVP_PKEY_fromdata_init(context) != 1 ||
      EVP_PKEY_fromdata(context, &key, EVP_PKEY_PUBLIC_KEY, parameters) != 1) {
    key = NULL;
  }
  EVP_PKEY_CTX_free(context);
  return key;
}

static EVP_PKEY *rsa_of(const cJSON *jwk) {
  uint8_t n[NUMBER_BYTES_MAX], e[8];
  size_t n_n = 0, e_n = 0;
  if (!member_bytes(jwk, "n", n, sizeof(n), &n_n) || !member_bytes(jwk, "e", e, sizeof(e), &e_n)) {
    return NULL;
  }
  BIGNUM *modulus = BN_bin2bn(n, (int)n_n, NULL);
  BIGNUM *exponent = BN_bin2bn(e, (int)e_n, NULL);
  OSSL_PARAM_BLD *build = OSSL_PARAM_BLD_new();
  OSSL_PARAM *parameters = NULL;
  /* With an exponent of 1 everything is its own signature. */
  if (modulus && exponent && build && BN_is_odd(exponent) && !BN_is_one(exponent) &&
      OSSL_PARAM_BLD_push_BN(build, OSSL_PKEY_PARAM_RSA_N, modulus) == 1 &&
      OSSL_PARAM_BLD_push_BN(build, OSSL_PKEY_PARAM_RSA_E, exponent) == 1) {
    parameters = OSSL_PARAM_BLD_to_param(build);
  }
  EVP_PKEY *key = parameters ? from_parameters("RSA", parameters) : NULL;
  OSSL_PARAM_free(parameters);
  OSSL_PARAM_BLD_free(build);
  BN_free(modulus);
  BN_free(exponent);
  return key;
}

static EVP_PKEY *ec_of(const cJSON *jwk) {
  uint8_t point[1 + 2 * COORDINATE_BYTES] = {4}; /* uncompressed */
  size_t x = 0, y = 0;
  if (!member_bytes(jwk, "x", point + 1, COORDINATE_BYTES, &x) || x != COORDINATE_BYTES ||
      !member_bytes(jwk, "y", point + 1 + x, COORDINATE_BYTES, &y) || y != COORDINATE_BYTES) {
    return NULL;
  }
  char group[] = "prime256v1";
  OSSL_PARAM parameters[] = {
      OSSL_PARAM_construct_utf8_string(OSSL_PKEY_PARAM_GROUP_NAME, group, 0),
      OSSL_PARAM_construct_octet_string(OSSL_PKEY_PARAM_PUB_KEY, point, sizeof(point)),
      OSSL_PARAM_construct_end(),
  };
  return from_parameters("EC", parameters);
}

static EVP_PKEY *ed25519_of(const cJSON *jwk) {
  uint8_t x[COORDINATE_BYTES];
  size_t n = 0;
  if (!member_bytes(jwk, "x", x, sizeof(x), &n) || n != sizeof(x)) return NULL;
  return EVP_PKEY_new_raw_public_key(EVP_PKEY_ED25519, NULL, x, n);
}

static const char *read_public(const cJSON *jwk, struct jwt_key *key, EVP_PKEY *public_) {
  if (cJSON_GetObjectItemCaseSensitive(jwk, "d")) {
    EVP_PKEY_free(public_);
    return "a key has its private part";
  }
  key->public_ = public_;
  if (!public_) return "a key's numbers are missing or wrong";
  return public_algorithms(public_, &key->algorithms);
}

static const char *read_oct(const cJSON *jwk, struct jwt_key *key) {
  uint8_t secret[NUMBER_BYTES_MAX];
  size_t n = 0;
  bool ok = member_bytes(jwk, "k", secret, sizeof(secret), &n);
  const char *wrong = !ok                         ? "a secret (\"k\") is missing or wrong"
                      : secret_algorithms(n) == 0 ? "a secret has fewer than 32 bytes"
                      : !set_secret(key, (const char *)secret, n) ? "out of memory"
                                                                  : NULL;
  OPENSSL_cleanse(secret, sizeof(secret));
  return wrong;
}

/* Fills *key; what is of another type or curve keeps no algorithm. */
static const char *read_type(const cJSON *jwk, struct jwt_key *key) {
  struct str kty = member(jwk, "kty"), crv = member(jwk, "crv");
  if (!kty.p) return "a key has no \"kty\"";
  if (str_eq(kty, STR("oct"))) return read_oct(jwk, key);
  if (str_eq(kty, STR("RSA"))) return read_public(jwk, key, rsa_of(jwk));
  if (str_eq(kty, STR("EC")) && crv.p && str_eq(crv, STR("P-256"))) {
    return read_public(jwk, key, ec_of(jwk));
  }
  if (str_eq(kty, STR("OKP")) && crv.p && str_eq(crv, STR("Ed25519"))) {
    return read_public(jwk, key, ed25519_of(jwk));
  }
  return NULL;
}

static bool is_for_signatures(const cJSON *jwk) {
  const cJSON *use = cJSON_GetObjectItemCaseSensitive(jwk, "use");
  if (use && !(cJSON_IsString(use) && str_eq(json_str(use), STR("sig")))) return false;
  const cJSON *operations = cJSON_GetObjectItemCaseSensitive(jwk, "key_ops");
  if (!operations) return true;
  const cJSON *item;
  cJSON_ArrayForEach(item, operations) {
    if (cJSON_IsString(item) && str_eq(json_str(item), STR("verify"))) return true;
  }
  return false;
}

static const char *read_kid(struct jwt_keys *keys, const cJSON *jwk, struct jwt_key *key) {
  const cJSON *kid = cJSON_GetObjectItemCaseSensitive(jwk, "kid");
  if (!kid) return NULL;
  if (!cJSON_IsString(kid)) return "a key's \"kid\" is not a string";
  for (size_t i = 0; i < keys->n; i++) {
    if (keys->items[i].kid && strcmp(keys->items[i].kid, kid->valuestring) == 0) {
      return "two keys have the same \"kid\"";
    }
  }
  key->kid = strdup(kid->valuestring);
  return key->kid ? NULL : "out of memory";
}

static const char *read_jwk(struct jwt_keys *keys, const cJSON *jwk, bool is_fetched) {
  if (!cJSON_IsObject(jwk)) return "a key is not an object";
  if (!is_for_signatures(jwk)) return NULL;
  struct jwt_key key = {0};
  const char *wrong = read_type(jwk, &key);
  if (is_fetched && key.secret) wrong = "a secret does not come over the network";
  const cJSON *alg = cJSON_GetObjectItemCaseSensitive(jwk, "alg");
  if (alg) key.algorithms &= cJSON_IsString(alg) ? jwt_algorithm_by_name(json_str(alg)) : 0;
  if (!wrong && key.algorithms != 0) wrong = read_kid(keys, jwk, &key);
  if (!wrong && key.algorithms != 0 && keys->n == JWT_KEYS_MAX) wrong = "there are over 64 keys";
  if (wrong || key.algorithms == 0) {
    key_clear(&key);
    return wrong;
  }
  keys->items[keys->n++] = key;
  return NULL;
}

/* Who fetches keys takes what he can use (RFC 7517 5); who names a file is told what is wrong. */
static bool read_jwks(struct jwt_keys *keys, struct str content, const char *name, bool is_fetched,
                      struct diags *diags) {
  struct json_doc *doc = json_parse(content, name, JSON_STRICT, diags);
  if (!doc) return false;
  const cJSON *list = cJSON_GetObjectItemCaseSensitive(json_root(doc), "keys");
  bool ok = cJSON_IsArray(list);
  if (!ok) fail(diags, name, "write {\"keys\": [...]}", "a JWKS has an array \"keys\"");
  const cJSON *jwk;
  cJSON_ArrayForEach(jwk, list) {
    const char *wrong = read_jwk(keys, jwk, is_fetched);
    if (!wrong || is_fetched) continue;
    json_error(doc, jwk, diags, NULL, "%s", wrong);
    ok = false;
  }
  json_free(&doc);
  return ok;
}

/* ---- a file ---------------------------------------------------------------------------------- */

static bool fit_any(const struct jwt_keys *keys, unsigned algorithms, const char *name,
                    struct diags *diags) {
  for (size_t i = 0; i < keys->n; i++)
    if (keys->items[i].algorithms & algorithms) return true;
  fail(diags, name, NULL, "no key in it is of use for the algorithms allowed");
  return false;
}

static bool fit_all(const struct jwt_keys *keys, unsigned algorithms, const char *name,
                    struct diags *diags) {
  unsigned fitting = 0;
  for (size_t i = 0; i < keys->n; i++) fitting |= keys->items[i].algorithms;
  for (size_t i = 0; i < sizeof(ALGORITHMS) / sizeof(*ALGORITHMS); i++) {
    if ((algorithms & ~fitting & ALGORITHMS[i].bit) == 0) continue;
    diags_add(diags, DIAG_ERROR, (struct diag_place){name, 0, 0},
              "add such a key, or do not allow the algorithm", "no key fits algorithm %s",
              ALGORITHMS[i].name);
  }
  return (algorithms & ~fitting) == 0;
}

static bool read_file(struct jwt_keys *keys, struct str content, const char *name,
                      struct diags *diags) {
  if (str_contains(content, STR("-----BEGIN"))) return read_pem(keys, content, name, diags);
  if (str_starts_with(str_trim(content), STR("{")))
    return read_jwks(keys, content, name, false, diags);
  fail(diags, name, "a secret is named in \"secret_file\"",
       "the file is neither a PEM public key nor a JWKS");
  return false;
}

static bool read_kind(struct jwt_keys *keys, struct str content, const char *name,
                      enum jwt_keys_kind kind, unsigned algorithms, struct diags *diags) {
  switch (kind) {
    case JWT_KEYS_FILE:
      return read_file(keys, content, name, diags) && fit_all(keys, algorithms, name, diags);
    case JWT_KEYS_SECRET:
      return read_secret(keys, content, name, diags) && fit_all(keys, algorithms, name, diags);
    case JWT_KEYS_FETCHED:
      break;
  }
  return read_jwks(keys, content, name, true, diags) && fit_any(keys, algorithms, name, diags);
}

struct jwt_keys *jwt_keys_parse(struct str content, const char *name, enum jwt_keys_kind kind,
                                unsigned algorithms, struct diags *diags) {
  struct jwt_keys *keys = calloc(1, sizeof(*keys));
  if (!keys) {
    fail(diags, name, NULL, "out of memory");
    return NULL;
  }
  atomic_init(&keys->references, 1);
  bool ok = content.n <= JWT_KEY_FILE_MAX;
  if (ok)
    ok = read_kind(keys, content, name, kind, algorithms, diags);
  else
    fail(diags, name, NULL, "the keys are larger than 256 KiB");
  ERR_clear_error(); /* trying formats leaves errors behind in the thread */
  if (!ok) jwt_keys_unref(&keys);
  return keys;
}
