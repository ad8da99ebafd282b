/*
 * verifier: a thread's tokens.
 *
 *   look ─► find_token ─► cache of verified tokens ──► (known)
 *                      └► table of refused ones ─────► (known)
 *                      └► jwt_verify ─► claims that attributes want ─► cache
 *                                    └► table of refused ones
 *
 * A verified token is found by the hash of its end, which is of its signature and thus as good as
 * random, and is then compared whole. What a stranger sends can collide there with nothing but what
 * he sent himself. Refused tokens, of which he can make as many as he likes, have a table of their
 * own, with SHA-256 in place of the tokens.
 */
#include <stdlib.h>

#include "adit/cache.h"
#include "adit/crypto.h"
#include "adit/hash.h"
#include "adit/http.h"
#include "adit/json.h"
#include "adit/jwt.h"

enum {
  HASHED_BYTES = 32,
  REFUSED_MAX = 1024, /* a power of two */
  EARLY_TTL_MS = 1000 /* of a token that is going to be valid */
};

/* The texts of one claim; n == 0: the token has none. */
struct claim {
  const struct str *texts;
  size_t n;
};

/* What is kept of a verified token. One block of memory that holds itself. */
struct verified {
  int64_t expires_ms;
  size_t bytes;
  struct claim claims[]; /* as spec->claims */
};

struct refused {
  uint8_t digest[32];
  int64_t until_ms;
  enum jwt_outcome outcome;
};

struct jwt_verifier {
  const struct jwt_spec *spec;
  struct jwt_keys *keys; /* NULL: none yet */
  jwt_count_fn *count;
  void *context;
  uint64_t hash_key[2];
  struct cache cache;
  struct refused *refused; /* REFUSED_MAX of them */
};

struct jwt_verifier *jwt_verifier_new(const struct jwt_spec *spec, struct jwt_keys *keys,
                                      jwt_count_fn *count, void *context) {
  struct jwt_verifier *verifier = calloc(1, sizeof(*verifier));
  if (!verifier) return NULL;
  verifier->spec = spec;
  verifier->keys = jwt_keys_ref(keys);
  verifier->count = count;
  verifier->context = context;
  verifier->refused = calloc(REFUSED_MAX, sizeof(*verifier->refused));
  bool ok = cache_init(&verifier->cache, spec->entries, spec->cache_bytes);
  if (ok && verifier->refused && crypto_random(verifier->hash_key, sizeof(verifier->hash_key)))
    return verifier;
  jwt_verifier_free(&verifier);
  return NULL;
}

void jwt_verifier_free(struct jwt_verifier **verifier) {
  struct jwt_verifier *gone = *verifier;
  *verifier = NULL;
  if (!gone) return;
  jwt_keys_unref(&gone->keys);
  cache_deinit(&gone->cache);
  free(gone->refused);
  free(gone);
}

void jwt_verifier_set_keys(struct jwt_verifier *verifier, struct jwt_keys *keys) {
  struct jwt_keys *before = verifier->keys;
  verifier->keys = jwt_keys_ref(keys);
  jwt_keys_unref(&before);
  cache_clear(&verifier->cache);
  memset(verifier->refused, 0, REFUSED_MAX * sizeof(*verifier->refused));
}

void jwt_verifier_size(const struct jwt_verifier *verifier, size_t *ret_entries,
                       size_t *ret_bytes) {
  *ret_entries = verifier->cache.entry_count;
  *ret_bytes = verifier->cache.bytes;
}

/* ---- where it is ----------------------------------------------------------------------------- */

/* What follows "Bearer" in a value (RFC 6750 2.1). False: it is of another scheme. */
static bool strip_bearer(struct str *value) {
  if (!str_starts_with_nocase(*value, STR("Bearer"))) return false;
  struct str rest = str_skip(*value, STR("Bearer").n);
  if (rest.n > 0 && rest.p[0] != ' ') return false;
  *value = str_trim(rest);
  return true;
}

static enum jwt_outcome find_in_header(const struct jwt_spec *spec,
                                       const struct attr_request *request, struct str *ret) {
  struct str other;
  if (!attr_request_header(request, spec->name, 0, ret)) return JWT_ABSENT;
  if (attr_request_header(request, spec->name, 1, &other)) return JWT_REPEATED;
  bool is_bearer = strip_bearer(ret);
  return is_bearer || spec->place == JWT_IN_HEADER ? JWT_VERIFIED : JWT_ABSENT;
}

static enum jwt_outcome find_in_cookies(const struct jwt_spec *spec,
                                        const struct attr_request *request, struct str *ret) {
  struct str field, name, value;
  size_t found = 0;
  for (size_t i = 0; i < request->field_count; i++) {
    if (!str_eq_nocase(request->fields[i].name, STR("Cookie"))) continue;
    field = request->fields[i].value;
    while (http_cookie_next(&field, &name, &value)) {
      if (!str_eq(name, spec->name)) continue;
      *ret = value;
      found++;
    }
  }
  return found == 0 ? JWT_ABSENT : found > 1 ? JWT_REPEATED : JWT_VERIFIED;
}

/* JWT_VERIFIED: *ret, which is still to be verified. */
static enum jwt_outcome find_token(const struct jwt_verifier *verifier,
                                   const struct attr_request *request, struct str *ret) {
  const struct jwt_spec *spec = verifier->spec;
  enum jwt_outcome outcome = spec->place == JWT_IN_COOKIE ? find_in_cookies(spec, request, ret)
                                                          : find_in_header(spec, request, ret);
  if (outcome == JWT_VERIFIED && ret->n > JWT_TOKEN_BYTES_MAX) return JWT_TOO_LARGE;
  return outcome;
}

/* ---- what is kept of it ---------------------------------------------------------------------- */

struct gathered {
  struct str texts[JWT_CLAIM_TEXTS_MAX];
  size_t n;
};

/* Without those that the attribute could not be told of. */
static void gather(const struct json_doc *claims, struct str path, struct gathered *ret) {
  if (!jwt_claim(claims, path, ret->texts, JWT_CLAIM_TEXTS_MAX, &ret->n)) ret->n = 0;
}

static size_t size_of(const struct jwt_spec *spec, const struct json_doc *claims) {
  struct gathered found;
  size_t bytes = sizeof(struct verified) + spec->claim_count * sizeof(struct claim);
  for (size_t i = 0; i < spec->claim_count; i++) {
    gather(claims, spec->claims[i], &found);
    for (size_t k = 0; k < found.n; k++) bytes += sizeof(struct str) + found.texts[k].n;
  }
  return bytes;
}

/* All views first, which have to be aligned, and behind them all bytes. NULL: memory. */
static struct verified *keep(const struct jwt_spec *spec, const struct json_doc *claims) {
  struct gathered found;
  size_t bytes = size_of(spec, claims), count = 0;
  struct verified *kept = malloc(bytes);
  if (!kept) return NULL;
  struct str *views = (struct str *)(void *)&kept->claims[spec->claim_count];
  kept->expires_ms = jwt_expires_ms(claims, &spec->policy);
  kept->bytes = bytes;
  for (size_t i = 0; i < spec->claim_count; i++) {
    gather(claims, spec->claims[i], &found);
    kept->claims[i] = (struct claim){.texts = views + count, .n = found.n};
    for (size_t k = 0; k < found.n; k++) views[count++] = found.texts[k];
  }
  char *at = (char *)(views + count);
  for (size_t i = 0; i < count; i++) {
    memcpy(at, views[i].p, views[i].n);
    views[i].p = at;
    at += views[i].n;
  }
  return kept;
}

/* ---- what is known of it --------------------------------------------------------------------- */

static uint64_t hash_of(const struct jwt_verifier *verifier, struct str token) {
  size_t n = token.n < HASHED_BYTES ? token.n : HASHED_BYTES;
  return siphash_2_4(verifier->hash_key, token.p + token.n - n, n);
}

static struct refused *refused_place(struct jwt_verifier *verifier, const uint8_t digest[32]) {
  return &verifier->refused[(digest[0] | (unsigned)digest[1] << 8) & (REFUSED_MAX - 1)];
}

static void remember_refused(struct jwt_verifier *verifier, const uint8_t digest[32],
                             enum jwt_outcome outcome, int64_t now_ms) {
  int64_t ttl_ms = verifier->spec->negative_ttl_ms;
  if (jwt_outcome_is_ours(outcome)) return;
  if (outcome == JWT_NOT_YET_VALID && ttl_ms > EARLY_TTL_MS) ttl_ms = EARLY_TTL_MS;
  struct refused *place = refused_place(verifier, digest);
  memcpy(place->digest, digest, sizeof(place->digest));
  place->outcome = outcome;
  place->until_ms = now_ms + ttl_ms;
}

/* NULL: memory. */
static const struct verified *remember(struct jwt_verifier *verifier, uint64_t hash,
                                       struct str token, const struct json_doc *claims,
                                       int64_t now_ms) {
  struct verified *kept = keep(verifier->spec, claims);
  if (!kept) return NULL;
  int64_t until_ms = now_ms + verifier->spec->ttl_ms;
  if (until_ms > kept->expires_ms) until_ms = kept->expires_ms;
  /* Seconds decide whether a token is good, and one that ends within a second may be over by the
   * milliseconds: it stays for the request, which views its claims while it asks for others. */
  if (until_ms <= now_ms && kept->expires_ms <= now_ms) until_ms = now_ms + 1;
  struct cache_entry *entry = cache_put(&verifier->cache, hash, token, kept, kept->bytes, 0);
  if (!entry) return NULL;
  entry->fresh_until_ms = until_ms;
  return kept;
}

/* ---- looking --------------------------------------------------------------------------------- */

static enum jwt_outcome verify(struct jwt_verifier *verifier, uint64_t hash, struct str token,
                               const uint8_t digest[32], int64_t now_ms,
                               const struct verified **ret) {
  struct json_doc *claims = NULL;
  enum jwt_outcome outcome =
      jwt_verify(verifier->keys, &verifier->spec->policy, token, now_ms / 1000, &claims);
  if (outcome == JWT_VERIFIED) {
    *ret = remember(verifier, hash, token, claims, now_ms);
    if (!*ret) outcome = JWT_FAILED;
  } else {
    remember_refused(verifier, digest, outcome, now_ms);
  }
  json_free(&claims);
  return outcome;
}

/* Of the token itself; *ret for JWT_VERIFIED. */
static enum jwt_outcome judge(struct jwt_verifier *verifier, struct str token, int64_t now_ms,
                              const struct verified **ret, bool *ret_cached) {
  const uint64_t hash = hash_of(verifier, token);
  const struct cache_entry *entry = cache_find(&verifier->cache, hash, token);
  *ret_cached = entry && now_ms < entry->fresh_until_ms;
  if (*ret_cached) {
    *ret = entry->value;
    return JWT_VERIFIED;
  }
  uint8_t digest[32];
  if (!verifier->keys) return JWT_NO_KEYS;
  if (!crypto_sha256(token, digest)) return JWT_FAILED;
  const struct refused *place = refused_place(verifier, digest);
  *ret_cached = now_ms < place->until_ms && memcmp(place->digest, digest, sizeof(digest)) == 0;
  if (*ret_cached) return place->outcome;
  return verify(verifier, hash, token, digest, now_ms, ret);
}

static enum jwt_outcome look(struct jwt_verifier *verifier, const struct attr_request *request,
                             const struct verified **ret) {
  struct str token;
  bool cached = false;
  enum jwt_outcome outcome = find_token(verifier, request, &token);
  if (outcome == JWT_ABSENT) return outcome;
  if (outcome == JWT_VERIFIED) outcome = judge(verifier, token, request->now_ms, ret, &cached);
  if (verifier->count) verifier->count(verifier->context, outcome, cached);
  return outcome;
}

enum jwt_outcome jwt_verifier_judge(struct jwt_verifier *verifier,
                                    const struct attr_request *request, int64_t *ret_expires_ms) {
  const struct verified *verified = NULL;
  enum jwt_outcome outcome = look(verifier, request, &verified);
  if (verified && ret_expires_ms) *ret_expires_ms = verified->expires_ms;
  return outcome;
}

/* struct attr_supplier.supply */
static enum attr_supply supply(void *context, const struct attr_request *request, uint32_t id,
                               const struct str *keys, struct attr_supplied *ret) {
  (void)keys;
  const struct verified *verified = NULL;
  enum jwt_outcome outcome = look(context, request, &verified);
  if (outcome != JWT_VERIFIED) {
    ret->why = jwt_outcome_text(outcome);
    return outcome == JWT_ABSENT ? SUPPLY_ABSENT : SUPPLY_REFUSED;
  }
  const struct claim *claim = &verified->claims[id];
  ret->texts = claim->texts;
  ret->n = claim->n;
  ret->why =
      STR("the token has no such claim, or none that is a text, a number, a boolean or a "
          "list of these");
  return claim->n > 0 ? SUPPLY_PRESENT : SUPPLY_ABSENT;
}

struct attr_supplier jwt_verifier_supplier(struct jwt_verifier *verifier) {
  return (struct attr_supplier){.supply = supply, .context = verifier};
}
