/*
 * jwt: verifies signed JSON Web Tokens (RFC 7515, 7518, 7519, 8037) and reads their claims.
 *
 * What a token says about its own algorithm never widens what is taken: an algorithm must be
 * allowed by the policy and fit the type of the key. A key is RSA, P-256, Ed25519 or a secret, and
 * nothing else; a PEM or DER public key is never taken as a secret.
 *
 *   jwt_keys      what verifies: immutable, counted, shared by threads
 *   jwt_verify    one token → its claims
 *   jwt_verifier  a thread's: where tokens are in requests, what is known of them, and the
 *                 attributes that are their claims
 */
#ifndef ADIT_JWT_H
#define ADIT_JWT_H

#include "adit/attrs.h"
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
  JWT_ABSENT,    /* the request has none */
  JWT_REPEATED,  /* it has several */
  JWT_TOO_LARGE, /* any limit above */
  JWT_MALFORMED, /* not a compact JWS, not strict JSON, or it has "crit" */
  JWT_WRONG_ALGORITHM,
  JWT_NO_KEY, /* no key, or not one key alone, is meant */
  JWT_BAD_SIGNATURE,
  JWT_NO_EXPIRY, /* where the policy wants one */
  JWT_EXPIRED,
  JWT_NOT_YET_VALID,
  JWT_WRONG_ISSUER,
  JWT_WRONG_AUDIENCE,
  JWT_NO_KEYS, /* none have been fetched yet */
  JWT_FAILED,  /* memory */
  JWT_OUTCOMES
};
/* Whose fault an outcome is: these two are ours, and say nothing of the token. */
static inline bool jwt_outcome_is_ours(enum jwt_outcome outcome) {
  return outcome == JWT_NO_KEYS || outcome == JWT_FAILED;
}

struct jwt_policy {
  unsigned algorithms;         /* set of enum jwt_algorithm */
  struct str issuer;           /* p == NULL: any */
  const struct str *audiences; /* the token is for one of these */
  size_t audience_count;       /* 0: for anybody */
  int64_t clock_skew_s;        /* not negative */
  bool require_exp;
};

/* The bit of "HS256" and so on; 0 for any other name, "none" included. */
unsigned jwt_algorithm_by_name(struct str name);
/* One short sentence part for `explain`: "the token's signature is wrong". */
struct str jwt_outcome_text(enum jwt_outcome outcome);

/* ---- keys ------------------------------------------------------------------------------------ */

enum jwt_keys_kind {
  JWT_KEYS_FILE,   /* one PEM public key, or a JWKS (it begins with "{") */
  JWT_KEYS_SECRET, /* the bytes of a secret; a newline at the end does not count */
  JWT_KEYS_FETCHED /* a JWKS that came over the network */
};

/*
 * Reads keys; `name` is for messages. Each of `algorithms` must have a key that fits it. RSA keys
 * have 2048 to 8192 bits, a secret is at least as long as its hash, private keys are refused; keys
 * of a JWKS for other uses, types or algorithms are passed over. Of fetched keys also those that
 * are wrong, and secrets, and one that fits one of `algorithms` is enough. Immutable; starts with
 * one reference. NULL: errors are in `diags`.
 */
struct jwt_keys *jwt_keys_parse(struct str content, const char *name, enum jwt_keys_kind kind,
                                unsigned algorithms, struct diags *diags);
/* Both take NULL, and any thread. The last one to go wipes secrets. */
struct jwt_keys *jwt_keys_ref(struct jwt_keys *keys);
void jwt_keys_unref(struct jwt_keys **keys);

/* ---- one token ------------------------------------------------------------------------------- */

/*
 * Verifies one token at `now_s` (seconds since 1970). A token without "exp" does not expire, unless
 * the policy wants one. On JWT_VERIFIED *ret_claims is the payload, to be freed with json_free;
 * else it is NULL. Allocates; safe to call from several threads with the same keys.
 */
enum jwt_outcome jwt_verify(const struct jwt_keys *keys, const struct jwt_policy *policy,
                            struct str token, int64_t now_s, struct json_doc **ret_claims);

/* When verified claims expire, the skew included, in milliseconds since 1970; INT64_MAX: never. */
int64_t jwt_expires_ms(const struct json_doc *claims, const struct jwt_policy *policy);

/*
 * The texts of a claim: of a string itself, of a number or boolean as written, of an array each of
 * its items. `path` is a claim's name or names joined by dots ("realm_access.roles"); at each step
 * a name with dots in it comes before the way through objects. Views live as long as `claims`.
 * False: the claim is absent, null, an object, an array with such an item, or has more than
 * `capacity`.
 */
bool jwt_claim(const struct json_doc *claims, struct str path, struct str *ret, size_t capacity,
               size_t *ret_n) __attribute__((warn_unused_result));

/* ---- a thread's tokens ----------------------------------------------------------------------- */

enum { JWT_CLAIM_PATHS_MAX = 64, JWT_CLAIM_TEXTS_MAX = 256 };

enum jwt_place {
  JWT_IN_AUTHORIZATION, /* "Authorization: Bearer TOKEN" */
  JWT_IN_HEADER,        /* the whole value, or what follows "Bearer" in it */
  JWT_IN_COOKIE
};

/* What adit.json says of tokens. */
struct jwt_spec {
  struct jwt_policy policy;
  enum jwt_place place;
  struct str name;          /* of the header (also "Authorization") or the cookie */
  const struct str *claims; /* paths, each once: what attributes want of a token */
  size_t claim_count;
  unsigned entries;     /* of the cache */
  uint64_t cache_bytes; /* of the tokens and claims in it */
  int64_t ttl_ms;       /* how long a verified token is taken without verifying it again */
  int64_t negative_ttl_ms;
};

/* Told of each token that is asked for. `cached`: the outcome was known. */
typedef void jwt_count_fn(void *context, enum jwt_outcome outcome, bool cached);

/*
 * Verifies the tokens of one thread's requests and remembers the outcomes: of verified tokens by
 * the whole token, until it expires or `ttl_ms` are over; of others by their SHA-256, in a table of
 * fixed size, for `negative_ttl_ms`. So a flood of bad tokens takes no memory and drives out no
 * good one.
 */
struct jwt_verifier;

/* `spec` must outlive it, `keys` is referenced (NULL: none yet), `count` may be NULL. NULL: memory.
 */
struct jwt_verifier *jwt_verifier_new(const struct jwt_spec *spec, struct jwt_keys *keys,
                                      jwt_count_fn *count, void *context);
void jwt_verifier_free(struct jwt_verifier **verifier);
/* From now on these keys count; what was known is forgotten. */
void jwt_verifier_set_keys(struct jwt_verifier *verifier, struct jwt_keys *keys);
/* Of the request's token: whether it is taken, and when it expires (jwt_expires_ms; may be NULL).
 * Reads `fields` and `now_ms` only. Allocates nothing when the outcome is known. */
enum jwt_outcome jwt_verifier_judge(struct jwt_verifier *verifier,
                                    const struct attr_request *request, int64_t *ret_expires_ms);
/* Answers for sources of SOURCE_JWT, whose ids are indexes into `claims`. What it supplies holds
 * until the verifier is asked of another request, or is given other keys. */
struct attr_supplier jwt_verifier_supplier(struct jwt_verifier *verifier);
/* Entries and bytes of the cache of verified tokens, for tests. */
void jwt_verifier_size(const struct jwt_verifier *verifier, size_t *ret_entries, size_t *ret_bytes);

#endif
