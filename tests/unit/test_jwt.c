/* jwt: published vectors, tokens of another maker, and everything that must be refused. */
#include "adit/jwt.h"

#include "adit/json.h"
#include "jwt_vectors.h"
#include "unit.h"

static const int64_t NOW = 1700000000;
static const unsigned ANY =
    JWT_HS256 | JWT_HS384 | JWT_HS512 | JWT_RS256 | JWT_PS256 | JWT_ES256 | JWT_EDDSA;

static struct jwt_keys *parse(const char *content, unsigned algorithms, size_t *ret_errors) {
  struct diags *diags = diags_new();
  bool is_public = content[0] == '{' || strstr(content, "-----BEGIN");
  struct jwt_keys *keys =
      jwt_keys_parse(str_from_cstr(content), "keys", is_public ? JWT_KEYS_FILE : JWT_KEYS_SECRET,
                     algorithms, diags);
  *ret_errors = diags_count(diags, DIAG_ERROR);
  ck_assert((keys == NULL) == (*ret_errors > 0));
  diags_free(&diags);
  return keys;
}

static enum jwt_outcome verify(const char *keys_text, struct jwt_policy policy, struct str token,
                               int64_t now_s, struct json_doc **ret) {
  size_t errors = 0;
  struct jwt_keys *keys = parse(keys_text, 0, &errors);
  ck_assert_ptr_nonnull(keys);
  enum jwt_outcome outcome = jwt_verify(keys, &policy, token, now_s, ret);
  ck_assert((outcome == JWT_VERIFIED) == (*ret != NULL));
  jwt_keys_unref(&keys);
  return outcome;
}

static struct jwt_policy strict(void) {
  static const struct str audiences[] = {STR_INIT("web"), STR_INIT("shop")};
  return (struct jwt_policy){ANY, STR("https://id.example"), audiences, 2, 60, false};
}

START_TEST(judges_tokens)
{
  for (size_t i = 0; i < sizeof(TOKENS) / sizeof(*TOKENS); i++) {
    struct json_doc *claims = NULL;
    enum jwt_outcome outcome =
        verify(TOKENS[i].keys, strict(), str_from_cstr(TOKENS[i].token), NOW, &claims);
    ck_assert_msg(outcome == TOKENS[i].outcome, "%s: %s, not: %s", TOKENS[i].name,
                  jwt_outcome_text(outcome).p, jwt_outcome_text(TOKENS[i].outcome).p);
    json_free(&claims);
  }
}
END_TEST

/* Each token that is right is right under its own algorithm only. */
START_TEST(takes_allowed_algorithms_only)
{
  for (size_t i = 0; i < 7; i++) {
    struct jwt_policy policy = strict();
    policy.algorithms &= ~jwt_algorithm_by_name(str_from_cstr(TOKENS[i].name));
    ck_assert_uint_ne(policy.algorithms, ANY);
    struct json_doc *claims = NULL;
    ck_assert_int_eq(verify(TOKENS[i].keys, policy, str_from_cstr(TOKENS[i].token), NOW, &claims),
                     JWT_WRONG_ALGORITHM);
  }
}
END_TEST

/* No character of a token can be another, and no token ends early. */
START_TEST(notices_every_change)
{
  for (size_t i = 0; i < 7; i++) {
    char token[2048];
    struct str whole = str_copy_to(str_from_cstr(TOKENS[i].token), token, sizeof(token));
    struct json_doc *claims = NULL;
    for (size_t at = 0; at < whole.n; at += 3) {
      char was = token[at];
      token[at] = was == 'A' ? 'B' : 'A';
      ck_assert_int_ne(verify(TOKENS[i].keys, strict(), whole, NOW, &claims), JWT_VERIFIED);
      token[at] = was;
    }
    ck_assert_int_ne(verify(TOKENS[i].keys, strict(), str_take(whole, whole.n - 1), NOW, &claims),
                     JWT_VERIFIED);
  }
}
END_TEST

#define RFC_PAYLOAD                                                                          \
  "eyJpc3MiOiJqb2UiLA0KICJleHAiOjEzMDA4MTkzODAsDQogImh0dHA6Ly9leGFtcGxlLmNvbS9pc19yb290Ijp0" \
  "cnVlfQ"

START_TEST(verifies_rfc_vectors)
{
  const struct {
    const char *keys, *token;
    enum jwt_outcome outcome;
  } cases[] = {
      /* RFC 7515 A.1 and A.3 */
      {"{\"keys\":[{\"kty\":\"oct\",\"k\":\"AyM1SysPpbyDfgZld3umj1qzKObwVMkoqQ-EstJQLr_T-"
       "1qS0gZH75aKtMN3Yj0iPS4hcgUuTwjAzZr1Z9CAow\"}]}",
       "eyJ0eXAiOiJKV1QiLA0KICJhbGciOiJIUzI1NiJ9." RFC_PAYLOAD
       ".dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk",
       JWT_VERIFIED},
      {"{\"keys\":[{\"kty\":\"EC\",\"crv\":\"P-256\",\"x\":\"f83OJ3D2xF1Bg8vub9tLe1gHMzV76e8Tus9"
       "uPHvRVEU\",\"y\":\"x_FEzRu9m36HLN_tue659LNpXW6pCyStikYjKIWI5a0\"}]}",
       "eyJhbGciOiJFUzI1NiJ9." RFC_PAYLOAD ".DtEhU3ljbEg8L38VWAfUAqOyKAM6-Xx-F4GawxaepmXFCgfTjDxw5"
       "djxLa8ISlSApmWQxfKTUJqPP3-Kg6NU1Q",
       JWT_VERIFIED},
      /* RFC 8037 A.4: the signature is right, the payload is a sentence and not claims. */
      {"{\"keys\":[{\"kty\":\"OKP\",\"crv\":\"Ed25519\",\"x\":\"11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlr"
       "wIaaPcHURo\"}]}",
       "eyJhbGciOiJFZERTQSJ9.RXhhbXBsZSBvZiBFZDI1NTE5IHNpZ25pbmc.hgyY0il_MGCjP0JzlnLWG1PPOt7-09PGc"
       "vMg3AIbQR6dWbhijcNR4ki4iylGjg5BhVsPt9g7sVvpAr_MuM0KAg",
       JWT_MALFORMED},
  };
  struct jwt_policy policy = {.algorithms = ANY};
  for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
    struct json_doc *claims = NULL;
    ck_assert_int_eq(
        verify(cases[i].keys, policy, str_from_cstr(cases[i].token), 1300819379, &claims),
        cases[i].outcome);
    json_free(&claims);
  }
  struct json_doc *claims = NULL;
  ck_assert_int_eq(
      verify(cases[0].keys, policy, str_from_cstr(cases[0].token), 1300819380, &claims),
      JWT_EXPIRED);
}
END_TEST

START_TEST(refuses_100_kb_unread)
{
  static char token[100 * 1024];
  memset(token, 'A', sizeof(token));
  struct json_doc *claims = NULL;
  ck_assert_int_eq(verify(SECRET, strict(), str_make(token, sizeof(token)), NOW, &claims),
                   JWT_TOO_LARGE);
  ck_assert_int_eq(verify(SECRET, strict(), str_make(token, JWT_TOKEN_BYTES_MAX + 1), NOW, &claims),
                   JWT_TOO_LARGE);
  ck_assert_int_eq(verify(SECRET, strict(), str_make(token, JWT_TOKEN_BYTES_MAX), NOW, &claims),
                   JWT_MALFORMED);
}
END_TEST

START_TEST(loads_fit_keys_only)
{
  const struct {
    const char *content;
    unsigned algorithms;
    bool loads;
  } cases[] = {
      {RSA_PEM, JWT_RS256 | JWT_PS256, true},
      {RSA_PEM, JWT_RS256 | JWT_HS256, false}, /* a public key is no secret */
      {RSA_PEM, JWT_ES256, false},
      {EC_PEM, JWT_ES256, true},
      {ED_PEM, JWT_EDDSA, true},
      {SMALL_PEM, 0, false},
      {P384_PEM, 0, false},
      {JWKS, JWT_RS256 | JWT_ES256 | JWT_EDDSA, true},
      {JWKS, JWT_HS256, false},
      {JWKS_SMALL, 0, false},
      {JWKS_TWICE, 0, false},
      {JWKS_E1, 0, false},
      {JWKS_OFF_CURVE, 0, false},
      {JWKS_PRIVATE, 0, false},
      {SECRET, JWT_HS256 | JWT_HS384 | JWT_HS512, true},
      {"0123456789abcdef0123456789abcdef\n", JWT_HS256, true},
      {"0123456789abcdef0123456789abcdef\n", JWT_HS384, false},
      {"0123456789abcdef0123456789abcde\n", 0, false},
      {"-----BEGIN PUBLIC KEY-----\nAAAA\n-----END PUBLIC KEY-----\n", 0, false},
      {"{\"keys\":[{\"kty\":\"oct\",\"k\":\"AAAA\"}]}", 0, false},
      {"{\"keys\":1}", 0, false},
      {"{\"keys\":[1]}", 0, false},
      {"{", 0, false},
      {"", 0, false},
  };
  for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
    size_t errors = 0;
    struct jwt_keys *keys = parse(cases[i].content, cases[i].algorithms, &errors);
    ck_assert_msg((keys != NULL) == cases[i].loads, "case %zu", i);
    jwt_keys_unref(&keys);
  }
}
END_TEST

/* What came over the network is used as far as it can be, but for secrets. */
START_TEST(takes_what_it_can_of_fetched_keys)
{
  const struct {
    const char *content;
    unsigned algorithms;
    bool loads;
  } cases[] = {
      {JWKS, JWT_RS256, true},
      {JWKS, JWT_RS256 | JWT_HS256, true},
      {JWKS, JWT_HS256, false},
      {JWKS_SMALL, JWT_RS256, false},
      {JWKS_TWICE, JWT_RS256, true}, /* the first of a kid */
      {JWKS_TWICE, JWT_ES256, false},
      {JWKS_E1, JWT_RS256, false},
      {JWKS_OFF_CURVE, JWT_ES256, false},
      {JWKS_PRIVATE, JWT_ES256, false},
      {RSA_PEM, JWT_RS256, false},
      {SECRET, JWT_HS256, false},
      {"{\"keys\":[{\"kty\":\"oct\",\"k\":\"AyM1SysPpbyDfgZld3umj1qzKObwVMkoqQ-EstJQLr_T-"
       "1qS0gZH75aKtMN3Yj0iPS4hcgUuTwjAzZr1Z9CAow\"}]}",
       JWT_HS256, false},
      {"{\"keys\":[1, {\"kty\":\"OKP\",\"crv\":\"Ed25519\",\"x\":\"11qYAYKxCrfVS_7TyWQHOg7hcv"
       "PapiMlrwIaaPcHURo\"}]}",
       JWT_EDDSA, true},
      {"{\"keys\":[]}", JWT_RS256, false},
      {"{}", JWT_RS256, false},
      {"[]", JWT_RS256, false},
      {"<html>", JWT_RS256, false},
  };
  for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
    struct diags *diags = diags_new();
    struct jwt_keys *keys = jwt_keys_parse(str_from_cstr(cases[i].content), "url", JWT_KEYS_FETCHED,
                                           cases[i].algorithms, diags);
    ck_assert_msg((keys != NULL) == cases[i].loads, "case %zu", i);
    ck_assert((diags_count(diags, DIAG_ERROR) > 0) == !cases[i].loads);
    jwt_keys_unref(&keys);
    diags_free(&diags);
  }
}
END_TEST

/* A file is what it is named for: no public key serves as a secret, and no secret as keys. */
START_TEST(tells_secrets_from_keys)
{
  const struct {
    const char *content;
    enum jwt_keys_kind kind;
  } cases[] = {{RSA_PEM, JWT_KEYS_SECRET}, {JWKS, JWT_KEYS_SECRET}, {SECRET, JWT_KEYS_FILE}};
  for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
    struct diags *diags = diags_new();
    ck_assert_ptr_null(
        jwt_keys_parse(str_from_cstr(cases[i].content), "keys", cases[i].kind, 0, diags));
    ck_assert_uint_eq(diags_count(diags, DIAG_ERROR), 1);
    diags_free(&diags);
  }
}
END_TEST

START_TEST(reads_claims_by_path)
{
  struct json_doc *claims = NULL;
  ck_assert_int_eq(verify(SECRET, strict(), str_from_cstr(TOKENS[0].token), NOW, &claims),
                   JWT_VERIFIED);
  struct str texts[2];
  size_t n = 0;
  ck_assert(jwt_claim(claims, STR("realm_access.roles"), texts, 2, &n));
  ck_assert_uint_eq(n, 2);
  ck_assert_view_eq(texts[0], "staff");
  ck_assert_view_eq(texts[1], "beta");
  ck_assert(jwt_claim(claims, STR("https://x.example/roles"), texts, 2, &n));
  ck_assert_uint_eq(n, 1);
  ck_assert_view_eq(texts[0], "boss");
  ck_assert(jwt_claim(claims, STR("level"), texts, 2, &n));
  ck_assert_view_eq(texts[0], "7");
  ck_assert(jwt_claim(claims, STR("staff"), texts, 2, &n));
  ck_assert_view_eq(texts[0], "true");
  ck_assert(jwt_claim(claims, STR("exp"), texts, 2, &n));
  ck_assert_view_eq(texts[0], "1700000300");
  ck_assert(!jwt_claim(claims, STR("realm_access.roles"), texts, 1, &n));
  ck_assert(!jwt_claim(claims, STR("realm_access"), texts, 2, &n));
  ck_assert(!jwt_claim(claims, STR("sub.x"), texts, 2, &n));
  ck_assert(!jwt_claim(claims, STR("realm_access."), texts, 2, &n));
  ck_assert(!jwt_claim(claims, STR(""), texts, 2, &n));
  json_free(&claims);
}
END_TEST

UNIT_MAIN("jwt", judges_tokens, takes_allowed_algorithms_only, notices_every_change,
          verifies_rfc_vectors, refuses_100_kb_unread, loads_fit_keys_only,
          takes_what_it_can_of_fetched_keys, tells_secrets_from_keys, reads_claims_by_path)
