/*
 * A token as it stands, and header and payload of any kind (divided by the first NUL) under a right
 * signature, without which nothing would reach the second parser: claims come with JWT_VERIFIED and
 * never else, a raw token is never verified, and a claim's texts lie within the limits. A verifier
 * that is asked twice says the same from its cache. Key files of every kind are keys or errors.
 */
#include "adit/json.h"
#include "adit/jwt.h"
#include "unit/jwt_sign.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

enum { INPUT_MAX = 16 * 1024, TEXTS_MAX = 8 };

static const int64_t NOW_MS = INT64_C(1700000000) * 1000;
static const struct str CLAIMS[] = {STR_INIT("a.b"), STR_INIT("sub")};
static const struct jwt_spec SPEC = {
    .policy = {.algorithms = JWT_HS256, .clock_skew_s = 60},
    .place = JWT_IN_HEADER,
    .name = STR_INIT("Token"),
    .claims = CLAIMS,
    .claim_count = 2,
    .entries = 100,
    .cache_bytes = 100000,
    .ttl_ms = 60000,
    .negative_ttl_ms = 60000,
};

static void require(bool holds) {
  if (!holds) abort();
}

static struct jwt_keys *parse_keys(struct str content, enum jwt_keys_kind kind,
                                   unsigned algorithms) {
  struct diags *diags = diags_new();
  require(diags != NULL);
  struct jwt_keys *keys = jwt_keys_parse(content, "fuzz", kind, algorithms, diags);
  require((keys == NULL) == (diags_count(diags, DIAG_ERROR) > 0));
  diags_free(&diags);
  return keys;
}

static enum jwt_outcome judge(const struct jwt_keys *keys, struct str token) {
  struct json_doc *claims = NULL;
  enum jwt_outcome outcome = jwt_verify(keys, &SPEC.policy, token, NOW_MS / 1000, &claims);
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

/* Asks twice, where the second answer is known. */
static void ask(struct jwt_verifier *verifier, struct str token, enum jwt_outcome expected) {
  struct http_field field = {.name = STR("Token"), .value = token};
  const struct attr_request request = {.fields = &field, .field_count = 1, .now_ms = NOW_MS};
  struct attr_supplier supplier = jwt_verifier_supplier(verifier);
  struct attr_supplied first = {0}, second = {0};
  require(jwt_verifier_judge(verifier, &request, NULL) == expected);
  for (uint32_t id = 0; id < 2; id++) {
    enum attr_supply is = supplier.supply(supplier.context, &request, id, NULL, &first);
    require(supplier.supply(supplier.context, &request, id, NULL, &second) == is);
    require(expected == JWT_VERIFIED ? is != SUPPLY_REFUSED : is == SUPPLY_REFUSED);
    require(first.n == second.n && first.n <= JWT_CLAIM_TEXTS_MAX);
    for (size_t i = 0; i < first.n; i++) require(str_eq(first.texts[i], second.texts[i]));
  }
}

static void judge_both(const struct jwt_keys *keys, struct jwt_verifier *verifier,
                       struct str token) {
  enum jwt_outcome outcome = judge(keys, token);
  /* A header's value has no blanks around it, and "Bearer" in front is not of the token. */
  if (str_trim(token).n == token.n && !str_starts_with_nocase(token, STR("Bearer")))
    ask(verifier, token, outcome);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
  static struct jwt_keys *secret = NULL;
  static struct jwt_verifier *verifier = NULL;
  static char token[2 * INPUT_MAX];
  if (!secret) {
    secret = parse_keys(STR(JWT_SIGN_SECRET), JWT_KEYS_SECRET, JWT_HS256);
    verifier = jwt_verifier_new(&SPEC, secret, NULL, NULL);
    require(verifier != NULL);
  }
  if (size > INPUT_MAX) return 0;
  struct str input = str_make((const char *)data, size);
  for (int kind = JWT_KEYS_FILE; kind <= JWT_KEYS_FETCHED; kind++) {
    struct jwt_keys *keys = parse_keys(input, (enum jwt_keys_kind)kind,
                                       kind == JWT_KEYS_FETCHED ? JWT_RS256 | JWT_EDDSA : 0);
    jwt_keys_unref(&keys);
  }
  require(judge(secret, input) != JWT_VERIFIED);
  if (size > 0) judge_both(secret, verifier, input);
  size_t end = str_find_char(input, '\0', 0);
  judge_both(secret, verifier, jwt_sign(STR("{\"alg\":\"HS256\"}"), input, token));
  judge_both(secret, verifier, jwt_sign(str_take(input, end), str_skip(input, end + 1), token));
  return 0;
}
