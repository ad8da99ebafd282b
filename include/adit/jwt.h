/*
 * jwt: verifies signed JSON Web Tokens (RFC 7515, 7518, 7519, 8037) and reads their claims.
 *
 * What a token says about its own algorithm never widens what is taken: an algorithm must be
 * allowed by the policy and fit the type of the key. A key is RSA, P-256, Ed25519 or a secret, and
 * nothing else; a PEM or DER public key is never taken as a secret.
 */
#ifndef ADIT_JWT_H
#define ADIT_JWT_H

#include "adit/diag.h"
#include "adit/str.h"

struct json_doc;
struct jwt_keys;

/* Bits of a set. */
enum jwt_algorithm {
  JWT_HS256 = 1 << 0,
  JWT_HS384 = 1 << 1,
  JWT_HS512 = 1 << 2,
  JWT_RS256 = 1 << 3,
  JWT_PS256 = 1 << 4,
  JWT_ES256 = 1 << 5,
  JWT_EDDSA = 1 << 6 /* with Ed25519 */
};

enum {
  JWT_TOKEN_BYTES_MAX = 8 * 1024,
  JWT_CLAIMS_MAX = 128,  /* members of the payload itself */
  JWT_DEPTH_MAX = 16,    /* objects and arrays within each other */
  JWT_STRING_MAX = 2048, /* bytes of a name or a text */
  JWT_KEYS_MAX = 64,     /* keys in a JWKS */
  JWT_KEY_FILE_MAX = 256 * 1024
};

enum jwt_outcome {
  JWT_VERIFIED,
  JWT_TOO_LARGE, /* any limit above */
  JWT_MALFORMED, /* not a compact JWS, not strict JSON, or it has "crit" */
  JWT_WRONG_ALGORITHM,
  JWT_NO_KEY, /* no key, or not one key alone, is meant */
  JWT_BAD_SIGNATURE,
  JWT_EXPIRED,
  JWT_NOT_YET_VALID,
  JWT_WRONG_ISSUER,
  JWT_WRONG_AUDIENCE,
  JWT_FAILED, /* memory */
  JWT_OUTCOMES
};

struct jwt_policy {
  unsigned algorithms;  /* set of enum jwt_algorithm */
  struct str issuer;    /* p == NULL: any */
  struct str audience;  /* p == NULL: any */
  int64_t clock_skew_s; /* not negative */
};

/* The bit of "HS256" and so on; 0 for any other name, "none" included. */
unsigned jwt_algorithm_by_name(struct str name);
/* One short sentence part for `explain`: "its signature is wrong". */
const char *jwt_outcome_text(enum jwt_outcome outcome);

/*
 * Reads one PEM public key, a JWKS (the file begins with "{") or else a raw secret (a newline at
 * its end does not count). Each of `algorithms` must have a key that fits it. RSA keys have 2048 to
 * 8192 bits, a secret is at least as long as its hash, private keys are refused; keys of a JWKS for
 * other uses, types or algorithms are passed over. NULL: errors are in `diags`.
 */
struct jwt_keys *jwt_keys_load(const char *path, unsigned algorithms, struct diags *diags);
/* The same of a file's content; `name` is for messages. */
struct jwt_keys *jwt_keys_parse(struct str content, const char *name, unsigned algorithms,
                                struct diags *diags);
/* Wipes secrets. A NULL inside is fine. */
void jwt_keys_free(struct jwt_keys **keys);

/*
 * Verifies one token at `now_s` (seconds since 1970). A token without "exp" does not expire. On
 * JWT_VERIFIED *ret_claims is the payload, to be freed with json_free; else it is NULL. Allocates;
 * safe to call from several threads with the same keys.
 */
enum jwt_outcome jwt_verify(const struct jwt_keys *keys, const struct jwt_policy *policy,
                            struct str token, int64_t now_s, struct json_doc **ret_claims);

/*
 * The texts of a claim: of a string itself, of a number or boolean as written, of an array each of
 * its items. `path` is a claim's name or names joined by dots ("realm_access.roles"); at each step
 * a name with dots in it comes before the way through objects. Views live as long as `claims`.
 * False: the claim is absent, null, an object, an array with such an item, or has more than
 * `capacity`.
 */
bool jwt_claim(const struct json_doc *claims, struct str path, struct str *ret, size_t capacity,
               size_t *ret_n) __attribute__((warn_unused_result));

#endif
