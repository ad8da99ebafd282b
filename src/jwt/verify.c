/*
 * verify: from a compact JWS to its claims.
 *
 * The order is cheap before dear: size, form, header, key, signature; the payload is parsed only
 * when its signature is right, so that strangers cannot feed it to the JSON parser.
 */
#include <cjson/cJSON.h>
#include <openssl/crypto.h>
#include <openssl/ecdsa.h>
#include <openssl/err.h>
#include <openssl/hmac.h>
#include <openssl/rsa.h>
#include <stdlib.h>

#include "adit/crypto.h"
#include "adit/json.h"
#include "keys.h"

enum { ES256_BYTES = 64, HALF = ES256_BYTES / 2, DER_BYTES_MAX = 80, SIGNATURE_BYTES_MAX = 1024 };

struct str jwt_outcome_text(enum jwt_outcome outcome) {
  static const struct str texts[JWT_OUTCOMES] = {
      [JWT_VERIFIED] = STR_INIT("the token is verified"),
      [JWT_ABSENT] = STR_INIT("the request has no token"),
      [JWT_REPEATED] = STR_INIT("the request has several tokens"),
      [JWT_TOO_LARGE] = STR_INIT("the token is too large, or its claims are too many or too deep"),
      [JWT_MALFORMED] = STR_INIT("the token is not well-formed"),
      [JWT_WRONG_ALGORITHM] = STR_INIT("the token's algorithm is not allowed, or not for its key"),
      [JWT_NO_KEY] = STR_INIT("no key is known for the token"),
      [JWT_BAD_SIGNATURE] = STR_INIT("the token's signature is wrong"),
      [JWT_NO_EXPIRY] = STR_INIT("the token never expires"),
      [JWT_EXPIRED] = STR_INIT("the token has expired"),
      [JWT_NOT_YET_VALID] = STR_INIT("the token is not valid yet"),
      [JWT_WRONG_ISSUER] = STR_INIT("the token is of another issuer"),
      [JWT_WRONG_AUDIENCE] = STR_INIT("the token is for another audience"),
      [JWT_NO_KEYS] = STR_INIT("the keys that verify tokens could not be fetched yet"),
      [JWT_FAILED] = STR_INIT("there is no memory to verify the token"),
  };
  return texts[outcome];
}

/* ---- JSON in base64url ----------------------------------------------------------------------- */

static bool is_within(const cJSON *node, unsigned depth) {
  if (depth > JWT_DEPTH_MAX) return false;
  if (node->string && strlen(node->string) > JWT_STRING_MAX) return false;
  if (cJSON_IsString(node) && strlen(node->valuestring) > JWT_STRING_MAX) return false;
  for (const cJSON *child = node->child; child; child = child->next) {
    if (!is_within(child, depth + (child->child ? 1 : 0))) return false;
  }
  return true;
}

static enum jwt_outcome check_object(const cJSON *root) {
  if (!cJSON_IsObject(root)) return JWT_MALFORMED;
  if (cJSON_GetArraySize(root) > JWT_CLAIMS_MAX) return JWT_TOO_LARGE;
  return is_within(root, 1) ? JWT_VERIFIED : JWT_TOO_LARGE;
}

static enum jwt_outcome parse_part(struct str part, struct json_doc **ret) {
  uint8_t bytes[JWT_TOKEN_BYTES_MAX];
  size_t n = 0;
  if (!base64url_decode(part, bytes, sizeof(bytes), &n)) return JWT_MALFORMED;
  struct diags *diags = diags_new();
  if (!diags) return JWT_FAILED;
  struct json_doc *doc = json_parse(str_make((const char *)bytes, n), "token", JSON_STRICT, diags);
  /* A mistake in the text has a place; what has none was want of memory. */
  bool is_mistake = diags_size(diags) > 0 && diags_get(diags, 0)->at.line > 0;
  diags_free(&diags);
  if (!doc) return is_mistake ? JWT_MALFORMED : JWT_FAILED;
  enum jwt_outcome outcome = check_object(json_root(doc));
  if (outcome == JWT_VERIFIED) {
    *ret = doc;
  } else {
    json_free(&doc);
  }
  return outcome;
}

/* ---- header and key -------------------------------------------------------------------------- */

/* One key alone must be meant: trying several would multiply what a wrong token costs. A key
 * without a "kid" is meant by any; a token without one means any key. */
static enum jwt_outcome choose_key(const struct jwt_keys *keys, const cJSON *kid,
                                   unsigned algorithm, const struct jwt_key **ret) {
  size_t named = 0, fitting = 0;
  for (size_t i = 0; i < keys->n; i++) {
    const struct jwt_key *key = &keys->items[i];
    if (kid && key->kid && strcmp(key->kid, kid->valuestring) != 0) continue;
    named++;
    if ((key->algorithms & algorithm) == 0) continue;
    fitting++;
    *ret = key;
  }
  if (named == 0 || fitting > 1) return JWT_NO_KEY;
  return fitting == 1 ? JWT_VERIFIED : JWT_WRONG_ALGORITHM;
}

static enum jwt_outcome read_header(const struct jwt_keys *keys, const struct jwt_policy *policy,
                                    const cJSON *header, unsigned *ret_algorithm,
                                    const struct jwt_key **ret_key) {
  const cJSON *alg = cJSON_GetObjectItemCaseSensitive(header, "alg");
  const cJSON *kid = cJSON_GetObjectItemCaseSensitive(header, "kid");
  if (!cJSON_IsString(alg) || (kid && !cJSON_IsString(kid))) return JWT_MALFORMED;
  /* No extension is understood here, and "crit" names those that must be (RFC 7515 4.1.11). */
  if (cJSON_GetObjectItemCaseSensitive(header, "crit")) return JWT_MALFORMED;
  *ret_algorithm = jwt_algorithm_by_name(json_str(alg)) & policy->algorithms;
  if (*ret_algorithm == 0) return JWT_WRONG_ALGORITHM;
  return choose_key(keys, kid, *ret_algorithm, ret_key);
}

/* ---- signatures ------------------------------------------------------------------------------ */

static bool is_tag(const struct jwt_key *key, unsigned algorithm, struct str input,
                   struct str signature) {
  const EVP_MD *digest = algorithm == JWT_HS256   ? EVP_sha256()
                         : algorithm == JWT_HS384 ? EVP_sha384()
                                                  : EVP_sha512();
  unsigned char tag[EVP_MAX_MD_SIZE];
  unsigned n = 0;
  if (!HMAC(digest, key->secret, (int)key->secret_n, (const unsigned char *)input.p, input.n, tag,
            &n)) {
    return false;
  }
  return crypto_equal(str_make((const char *)tag, n), signature);
}

/* JWS has r and s bare, OpenSSL wants them in DER. 0: not r and s. */
static size_t ecdsa_to_der(struct str signature, unsigned char ret[DER_BYTES_MAX]) {
  if (signature.n != ES256_BYTES) return 0;
  const unsigned char *bytes = (const unsigned char *)signature.p;
  ECDSA_SIG *pair = ECDSA_SIG_new();
  BIGNUM *r = BN_bin2bn(bytes, HALF, NULL);
  BIGNUM *s = BN_bin2bn(bytes + HALF, HALF, NULL);
  int n = 0;
  if (pair && r && s && !BN_is_zero(r) && !BN_is_zero(s) && ECDSA_SIG_set0(pair, r, s) == 1) {
    r = s = NULL; /* the pair has them now */
    unsigned char *end = ret;
    n = i2d_ECDSA_SIG(pair, &end); /* at most 72 bytes for 32-byte numbers */
  }
  BN_free(r);
  BN_free(s);
  ECDSA_SIG_free(pair);
  return n > 0 ? (size_t)n : 0;
}

static bool is_signed(const struct jwt_key *key, unsigned algorithm, struct str input,
                      struct str signature) {
  unsigned char der[DER_BYTES_MAX];
  if (algorithm == JWT_ES256) signature = str_make((char *)der, ecdsa_to_der(signature, der));
  if (signature.n == 0) return false;
  EVP_MD_CTX *context = EVP_MD_CTX_new();
  EVP_PKEY_CTX *options = NULL; /* the context's own */
  const EVP_MD *digest = algorithm == JWT_EDDSA ? NULL : EVP_sha256();
  bool ok = context && EVP_DigestVerifyInit(context, &options, digest, NULL, key->public_) == 1;
  if (ok && algorithm == JWT_PS256) {
    ok = EVP_PKEY_CTX_set_rsa_padding(options, RSA_PKCS1_PSS_PADDING) == 1 &&
         EVP_PKEY_CTX_set_rsa_pss_saltlen(options, RSA_PSS_SALTLEN_DIGEST) == 1;
  }
  ok = ok && EVP_DigestVerify(context, (const unsigned char *)signature.p, signature.n,
                              (const unsigned char *)input.p, input.n) == 1;
  EVP_MD_CTX_free(context);
  ERR_clear_error(); /* a wrong signature leaves its errors behind in the thread */
  return ok;
}

static enum jwt_outcome check_signature(const struct jwt_key *key, unsigned algorithm,
                                        struct str input, struct str part) {
  uint8_t bytes[SIGNATURE_BYTES_MAX];
  size_t n = 0;
  if (!base64url_decode(part, bytes, sizeof(bytes), &n)) return JWT_MALFORMED;
  struct str signature = str_make((const char *)bytes, n);
  bool ok = key->public_ ? is_signed(key, algorithm, input, signature)
                         : is_tag(key, algorithm, input, signature);
  return ok ? JWT_VERIFIED : JWT_BAD_SIGNATURE;
}

/* ---- claims ---------------------------------------------------------------------------------- */

static enum jwt_outcome check_times(const struct jwt_policy *policy, const cJSON *claims,
                                    int64_t now_s) {
  const cJSON *exp = cJSON_GetObjectItemCaseSensitive(claims, "exp");
  const cJSON *nbf = cJSON_GetObjectItemCaseSensitive(claims, "nbf");
  if ((exp && !cJSON_IsNumber(exp)) || (nbf && !cJSON_IsNumber(nbf))) return JWT_MALFORMED;
  if (!exp && policy->require_exp) return JWT_NO_EXPIRY;
  double now = (double)now_s, skew = (double)policy->clock_skew_s;
  if (exp && now >= exp->valuedouble + skew) return JWT_EXPIRED;
  if (nbf && now < nbf->valuedouble - skew) return JWT_NOT_YET_VALID;
  return JWT_VERIFIED;
}

static bool is_text(const cJSON *node, struct str text) {
  return cJSON_IsString(node) && str_eq(json_str(node), text);
}

static bool is_wanted(const struct jwt_policy *policy, const cJSON *audience) {
  for (size_t i = 0; i < policy->audience_count; i++)
    if (is_text(audience, policy->audiences[i])) return true;
  return false;
}

static bool is_for_us(const struct jwt_policy *policy, const cJSON *aud) {
  if (policy->audience_count == 0) return true;
  if (!cJSON_IsArray(aud)) return is_wanted(policy, aud);
  const cJSON *item;
  cJSON_ArrayForEach(item, aud) {
    if (is_wanted(policy, item)) return true;
  }
  return false;
}

static enum jwt_outcome check_claims(const struct jwt_policy *policy, const cJSON *claims,
                                     int64_t now_s) {
  enum jwt_outcome outcome = check_times(policy, claims, now_s);
  if (outcome != JWT_VERIFIED) return outcome;
  const cJSON *iss = cJSON_GetObjectItemCaseSensitive(claims, "iss");
  const cJSON *aud = cJSON_GetObjectItemCaseSensitive(claims, "aud");
  if (policy->issuer.p && !is_text(iss, policy->issuer)) return JWT_WRONG_ISSUER;
  return is_for_us(policy, aud) ? JWT_VERIFIED : JWT_WRONG_AUDIENCE;
}

int64_t jwt_expires_ms(const struct json_doc *claims, const struct jwt_policy *policy) {
  const cJSON *exp = cJSON_GetObjectItemCaseSensitive(json_root(claims), "exp");
  if (!exp) return INT64_MAX;
  double ms = (exp->valuedouble + (double)policy->clock_skew_s) * 1000;
  /* One that was just verified is not in the past by much. */
  return ms >= 9e18 ? INT64_MAX : ms <= 0 ? 0 : (int64_t)ms;
}

/* ---- a token --------------------------------------------------------------------------------- */

static enum jwt_outcome authenticate(const struct jwt_keys *keys, const struct jwt_policy *policy,
                                     struct str token, struct str *ret_payload) {
  struct str rest = token, header_part, signature_part;
  if (!str_split_next(&rest, '.', &header_part) || !str_split_next(&rest, '.', ret_payload) ||
      !str_split_next(&rest, '.', &signature_part) || rest.p) {
    return JWT_MALFORMED;
  }
  struct json_doc *header = NULL;
  enum jwt_outcome outcome = parse_part(header_part, &header);
  if (outcome != JWT_VERIFIED) return outcome;
  unsigned algorithm = 0;
  const struct jwt_key *key = NULL;
  outcome = read_header(keys, policy, json_root(header), &algorithm, &key);
  json_free(&header);
  if (outcome != JWT_VERIFIED) return outcome;
  struct str input = str_take(token, header_part.n + 1 + ret_payload->n);
  return check_signature(key, algorithm, input, signature_part);
}

enum jwt_outcome jwt_verify(const struct jwt_keys *keys, const struct jwt_policy *policy,
                            struct str token, int64_t now_s, struct json_doc **ret_claims) {
  *ret_claims = NULL;
  if (token.n > JWT_TOKEN_BYTES_MAX) return JWT_TOO_LARGE;
  struct str payload;
  enum jwt_outcome outcome = authenticate(keys, policy, token, &payload);
  if (outcome != JWT_VERIFIED) return outcome;
  struct json_doc *claims = NULL;
  outcome = parse_part(payload, &claims);
  if (outcome == JWT_VERIFIED) outcome = check_claims(policy, json_root(claims), now_s);
  if (outcome == JWT_VERIFIED) {
    *ret_claims = claims;
  } else {
    json_free(&claims);
  }
  return outcome;
}
