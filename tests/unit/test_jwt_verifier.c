/*
 * A thread's tokens: where they are found, what is known of them for how long and in how much
 * memory, and the attributes that they are.
 */
#include <cjson/cJSON.h>
#include <stdio.h>

#include "adit/http.h"
#include "adit/jwt.h"
#include "jwt_sign.h"
#include "jwt_vectors.h"
#include "unit.h"

static const int64_t NOW_MS = INT64_C(1700000000) * 1000;

/* ---- our own allocations are counted --------------------------------------------------------- */

static size_t allocations, refused_from = SIZE_MAX; /* the number of the first that is refused */

void *__real_malloc(size_t n);
void *__real_calloc(size_t count, size_t size);
void *__wrap_malloc(size_t n);
void *__wrap_calloc(size_t count, size_t size);

void *__wrap_malloc(size_t n) {
  return allocations++ < refused_from ? __real_malloc(n) : NULL;
}

void *__wrap_calloc(size_t count, size_t size) {
  return allocations++ < refused_from ? __real_calloc(count, size) : NULL;
}

/* ---- a verifier and its requests ------------------------------------------------------------- */

struct world {
  struct jwt_spec spec;
  struct jwt_verifier *verifier;
  struct attr_supplier supplier;
  struct http_field fields[4];
  struct attr_request request;
  /* What was counted last. */
  enum jwt_outcome outcome;
  bool cached;
  unsigned counted;
};

static const struct str AUDIENCES[] = {STR_INIT("shop")};
static const struct str CLAIMS[] = {STR_INIT("sub"), STR_INIT("realm_access.roles"),
                                    STR_INIT("level"), STR_INIT("aud"), STR_INIT("none")};
enum { SUB, ROLES, LEVEL, AUD, NONE };

static void count(void *context, enum jwt_outcome outcome, bool cached) {
  struct world *world = context;
  world->outcome = outcome;
  world->cached = cached;
  world->counted++;
}

static struct jwt_keys *parse(const char *content, enum jwt_keys_kind kind) {
  struct diags *diags = diags_new();
  unsigned algorithms = kind == JWT_KEYS_FETCHED ? JWT_RS256 | JWT_ES256 : 0;
  struct jwt_keys *keys = jwt_keys_parse(str_from_cstr(content), "keys", kind, algorithms, diags);
  diags_free(&diags);
  return keys;
}

/* `keys` is given away. */
static void begin(struct world *world, struct jwt_keys *keys) {
  world->spec.policy = (struct jwt_policy){.algorithms = JWT_HS256 | JWT_RS256,
                                           .issuer = STR("https://id.example"),
                                           .audiences = AUDIENCES,
                                           .audience_count = 1,
                                           .clock_skew_s = 60};
  if (!world->spec.name.p) world->spec.name = STR("Authorization");
  world->spec.claims = CLAIMS;
  world->spec.claim_count = sizeof(CLAIMS) / sizeof(*CLAIMS);
  if (world->spec.entries == 0) world->spec.entries = 100;
  if (world->spec.cache_bytes == 0) world->spec.cache_bytes = 1 << 20;
  world->spec.ttl_ms = 60000;
  world->spec.negative_ttl_ms = 5000;
  world->verifier = jwt_verifier_new(&world->spec, keys, count, world);
  ck_assert_ptr_nonnull(world->verifier);
  jwt_keys_unref(&keys);
  world->supplier = jwt_verifier_supplier(world->verifier);
  world->request = (struct attr_request){.fields = world->fields, .now_ms = NOW_MS};
}

static void add(struct world *world, const char *name, struct str value) {
  ck_assert_uint_lt(world->request.field_count, 4);
  world->fields[world->request.field_count++] =
      (struct http_field){.name = str_from_cstr(name), .value = value};
}

static enum jwt_outcome ask(struct world *world, struct str value) {
  world->request.field_count = 0;
  add(world, "Accept", STR("*/*"));
  add(world, "authorization", value);
  return jwt_verifier_judge(world->verifier, &world->request, NULL);
}

static struct str bearer(const char *token) {
  static char value[16 * 1024];
  return str_make(value, (size_t)snprintf(value, sizeof(value), "Bearer %s", token));
}

static const char *token_named(const char *name) {
  for (size_t i = 0; i < sizeof(TOKENS) / sizeof(*TOKENS); i++)
    if (strcmp(TOKENS[i].name, name) == 0) return TOKENS[i].token;
  ck_abort_msg("no token is named %s", name);
  return "";
}

static enum attr_supply supply(struct world *world, uint32_t id, struct attr_supplied *ret) {
  *ret = (struct attr_supplied){0};
  return world->supplier.supply(world->supplier.context, &world->request, id, NULL, ret);
}

/* ---- where it is ----------------------------------------------------------------------------- */

START_TEST(takes_bearers_only)
{
  struct world world = {0};
  begin(&world, parse(RSA_PEM, JWT_KEYS_FILE));
  const char *token = token_named("RS256");
  const struct {
    const char *before;
    enum jwt_outcome outcome;
  } cases[] = {{"Bearer ", JWT_VERIFIED}, {"bearer ", JWT_VERIFIED},  {"BEARER   ", JWT_VERIFIED},
               {"Basic ", JWT_ABSENT},    {"", JWT_ABSENT},           {"Bearer", JWT_ABSENT},
               {"BearerX ", JWT_ABSENT},  {"Bearer x", JWT_MALFORMED}};
  for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
    char value[2048];
    size_t n = (size_t)snprintf(value, sizeof(value), "%s%s", cases[i].before, token);
    enum jwt_outcome outcome = ask(&world, str_make(value, n));
    /* One more byte in front is in the header of the token, which then is no JSON. */
    ck_assert_msg(outcome == cases[i].outcome, "'%s': %s", cases[i].before,
                  jwt_outcome_text(outcome).p);
  }
  ck_assert_int_eq(ask(&world, STR("Bearer")), JWT_MALFORMED);
  world.request.field_count = 0;
  unsigned counted = world.counted;
  ck_assert_int_eq(jwt_verifier_judge(world.verifier, &world.request, NULL), JWT_ABSENT);
  ck_assert_uint_eq(world.counted, counted); /* no token, nothing to count */
  jwt_verifier_free(&world.verifier);
}
END_TEST

/* Whoever comes second may be read by the origin. */
START_TEST(refuses_several)
{
  struct world world = {0};
  begin(&world, parse(RSA_PEM, JWT_KEYS_FILE));
  (void)ask(&world, bearer(token_named("RS256")));
  add(&world, "Authorization", STR("Basic eDp5"));
  ck_assert_int_eq(jwt_verifier_judge(world.verifier, &world.request, NULL), JWT_REPEATED);
  ck_assert_int_eq(world.outcome, JWT_REPEATED);
  jwt_verifier_free(&world.verifier);
}
END_TEST

START_TEST(reads_headers_and_cookies)
{
  struct world world = {.spec = {.place = JWT_IN_HEADER, .name = STR("X-Token")}};
  begin(&world, parse(RSA_PEM, JWT_KEYS_FILE));
  struct str token = str_from_cstr(token_named("RS256"));
  add(&world, "x-token", token);
  ck_assert_int_eq(jwt_verifier_judge(world.verifier, &world.request, NULL), JWT_VERIFIED);
  world.fields[0].value = bearer(token_named("RS256"));
  ck_assert_int_eq(jwt_verifier_judge(world.verifier, &world.request, NULL), JWT_VERIFIED);
  jwt_verifier_free(&world.verifier);

  world = (struct world){.spec = {.place = JWT_IN_COOKIE, .name = STR("session")}};
  begin(&world, parse(RSA_PEM, JWT_KEYS_FILE));
  char value[4096];
  size_t n = (size_t)snprintf(value, sizeof(value), "a=b; session=%s; Session=x", token.p);
  add(&world, "Cookie", str_make(value, n));
  add(&world, "cookie", STR("c=d"));
  ck_assert_int_eq(jwt_verifier_judge(world.verifier, &world.request, NULL), JWT_VERIFIED);
  world.fields[1].value = STR("session=other");
  ck_assert_int_eq(jwt_verifier_judge(world.verifier, &world.request, NULL), JWT_REPEATED);
  world.request.field_count = 0;
  add(&world, "Authorization", bearer(token.p));
  ck_assert_int_eq(jwt_verifier_judge(world.verifier, &world.request, NULL), JWT_ABSENT);
  jwt_verifier_free(&world.verifier);
}
END_TEST

/* ---- what is known --------------------------------------------------------------------------- */

START_TEST(supplies_claims)
{
  struct world world = {0};
  struct attr_supplied supplied;
  begin(&world, parse(SECRET, JWT_KEYS_SECRET));
  int64_t expires_ms = 0;
  (void)ask(&world, bearer(token_named("HS256")));
  ck_assert_int_eq(jwt_verifier_judge(world.verifier, &world.request, &expires_ms), JWT_VERIFIED);
  ck_assert_int_eq(expires_ms, NOW_MS + (300 + 60) * 1000);
  ck_assert_int_eq(supply(&world, SUB, &supplied), SUPPLY_PRESENT);
  ck_assert_uint_eq(supplied.n, 1);
  ck_assert_view_eq(supplied.texts[0], "u-17");
  ck_assert_int_eq(supply(&world, ROLES, &supplied), SUPPLY_PRESENT);
  ck_assert_uint_eq(supplied.n, 2);
  ck_assert_view_eq(supplied.texts[0], "staff");
  ck_assert_view_eq(supplied.texts[1], "beta");
  ck_assert_int_eq(supply(&world, LEVEL, &supplied), SUPPLY_PRESENT);
  ck_assert_view_eq(supplied.texts[0], "7");
  ck_assert_int_eq(supply(&world, NONE, &supplied), SUPPLY_ABSENT);
  ck_assert(str_starts_with(supplied.why, STR("the token has no such claim")));
  ck_assert(world.cached);
  world.request.field_count = 0;
  ck_assert_int_eq(supply(&world, SUB, &supplied), SUPPLY_ABSENT);
  ck_assert_view_eq(supplied.why, "the request has no token");
  (void)ask(&world, bearer(token_named("another secret")));
  ck_assert_int_eq(supply(&world, SUB, &supplied), SUPPLY_REFUSED);
  ck_assert_view_eq(supplied.why, "the token's signature is wrong");
  jwt_verifier_free(&world.verifier);
}
END_TEST

START_TEST(remembers_for_a_time)
{
  struct world world = {0};
  begin(&world, parse(SECRET, JWT_KEYS_SECRET));
  const char *good = token_named("HS256"), *bad = token_named("another secret");
  const struct {
    const char *token;
    int64_t at_ms;
    enum jwt_outcome outcome;
    bool cached;
  } cases[] = {
      {good, 0, JWT_VERIFIED, false},
      {good, 59999, JWT_VERIFIED, true},
      {good, 60000, JWT_VERIFIED, false}, /* ttl: verified again */
      {good, 119999, JWT_VERIFIED, true},
      {good, 359000, JWT_VERIFIED, false}, /* exp and the skew in a second */
      {good, 359999, JWT_VERIFIED, true},
      {good, 360000, JWT_EXPIRED, false},
      {good, 364999, JWT_EXPIRED, true},
      {good, 365000, JWT_EXPIRED, false},
      {bad, 0, JWT_BAD_SIGNATURE, false},
      {bad, 4999, JWT_BAD_SIGNATURE, true},
      {bad, 5000, JWT_BAD_SIGNATURE, false},
      {token_named("from the future"), 0, JWT_NOT_YET_VALID, false},
      {token_named("from the future"), 999, JWT_NOT_YET_VALID, true},
      {token_named("from the future"), 1000, JWT_VERIFIED, false},
  };
  for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
    world.request.now_ms = NOW_MS + cases[i].at_ms;
    ck_assert_int_eq(ask(&world, bearer(cases[i].token)), cases[i].outcome);
    ck_assert_msg(world.cached == cases[i].cached, "case %zu", i);
    ck_assert_int_eq(world.outcome, cases[i].outcome);
  }
  jwt_verifier_free(&world.verifier);
}
END_TEST

START_TEST(allocates_nothing_for_what_it_knows)
{
  struct world world = {0};
  struct attr_supplied supplied;
  begin(&world, parse(SECRET, JWT_KEYS_SECRET));
  const char *tokens[] = {token_named("HS256"), token_named("another secret")};
  for (size_t i = 0; i < 2; i++) {
    (void)ask(&world, bearer(tokens[i]));
    size_t before = allocations;
    for (uint32_t id = SUB; id <= NONE; id++) (void)supply(&world, id, &supplied);
    size_t after = allocations; /* the checks have some of their own */
    ck_assert(world.cached);
    ck_assert_uint_eq(after, before);
  }
  jwt_verifier_free(&world.verifier);
}
END_TEST

START_TEST(forgets_with_the_keys)
{
  struct world world = {0};
  begin(&world, NULL);
  const char *token = token_named("RS256");
  ck_assert_int_eq(ask(&world, bearer(token)), JWT_NO_KEYS);
  ck_assert_int_eq(ask(&world, bearer(token)), JWT_NO_KEYS);
  ck_assert(!world.cached);
  struct jwt_keys *rsa = parse(RSA_PEM, JWT_KEYS_FILE), *other = parse(EC_PEM, JWT_KEYS_FETCHED);
  ck_assert_ptr_null(other); /* a PEM file does not come over the network */
  other = parse(SECRET, JWT_KEYS_SECRET);
  jwt_verifier_set_keys(world.verifier, rsa);
  ck_assert_int_eq(ask(&world, bearer(token)), JWT_VERIFIED);
  ck_assert_int_eq(ask(&world, bearer(token_named("HS256"))), JWT_WRONG_ALGORITHM);
  jwt_verifier_set_keys(world.verifier, other);
  ck_assert_int_eq(ask(&world, bearer(token)), JWT_WRONG_ALGORITHM);
  ck_assert_int_eq(ask(&world, bearer(token_named("HS256"))), JWT_VERIFIED);
  ck_assert(!world.cached);
  jwt_keys_unref(&rsa);
  jwt_keys_unref(&other);
  jwt_verifier_free(&world.verifier);
}
END_TEST

/* Neither good tokens without end nor bad ones take more memory than there is for them, and bad
 * ones drive no good one out. */
START_TEST(stays_bounded)
{
  enum { TOKENS_MADE = 20000, BYTES = 20000 };
  static char token[2048], last[2048], payload[512];
  struct world world = {.spec = {.entries = 50, .cache_bytes = BYTES}};
  begin(&world, parse(JWT_SIGN_SECRET, JWT_KEYS_SECRET));
  size_t entries = 0, bytes = 0;
  for (int i = 0; i < TOKENS_MADE; i++) {
    int n = snprintf(payload, sizeof(payload),
                     "{\"iss\":\"https://id.example\",\"aud\":\"shop\",\"sub\":\"user-%d\"}", i);
    struct str made = jwt_sign(STR("{\"alg\":\"HS256\"}"), str_make(payload, (size_t)n), token);
    token[made.n] = '\0';
    ck_assert_int_eq(ask(&world, bearer(token)), JWT_VERIFIED);
    jwt_verifier_size(world.verifier, &entries, &bytes);
    ck_assert(entries <= 50 && bytes <= BYTES);
  }
  ck_assert_uint_gt(entries, 40);
  memcpy(last, token, sizeof(token));
  for (int i = 0; i < TOKENS_MADE; i++) {
    token[i % 100] = token[i % 100] == 'A' ? 'B' : 'A'; /* its end, which is hashed, stays */
    ck_assert_int_ne(ask(&world, bearer(token)), JWT_VERIFIED);
  }
  ck_assert_int_eq(ask(&world, bearer(last)), JWT_VERIFIED);
  ck_assert(world.cached);
  jwt_verifier_free(&world.verifier);
}
END_TEST

START_TEST(refuses_too_large_ones_unread)
{
  static char token[100 * 1024];
  struct world world = {.spec = {.place = JWT_IN_HEADER, .name = STR("X-Token")}};
  begin(&world, parse(SECRET, JWT_KEYS_SECRET));
  memset(token, 'A', sizeof(token));
  add(&world, "X-Token", str_make(token, sizeof(token)));
  size_t before = allocations;
  enum jwt_outcome outcome = jwt_verifier_judge(world.verifier, &world.request, NULL);
  ck_assert_uint_eq(allocations, before);
  ck_assert_int_eq(outcome, JWT_TOO_LARGE);
  jwt_verifier_free(&world.verifier);
}
END_TEST

/* Memory runs out at each of our allocations in turn: that is never said to be the token's fault,
 * and is not remembered as if it were. */
START_TEST(survives_want_of_memory)
{
  struct world world = {0};
  struct jwt_keys *keys = parse(SECRET, JWT_KEYS_SECRET);
  const char *token = token_named("HS256");
  cJSON_InitHooks(&(cJSON_Hooks){.malloc_fn = malloc, .free_fn = free});
  begin(&world, jwt_keys_ref(keys));
  (void)ask(&world, bearer(token));
  enum jwt_outcome outcome = JWT_FAILED;
  size_t granted = 0;
  for (; outcome != JWT_VERIFIED && granted < 1000; granted++) {
    jwt_verifier_set_keys(world.verifier, keys);
    refused_from = allocations + granted;
    outcome = jwt_verifier_judge(world.verifier, &world.request, NULL);
    refused_from = SIZE_MAX; /* the checks need memory, too */
    ck_assert_msg(outcome == JWT_VERIFIED || outcome == JWT_FAILED, "%zu granted: %s", granted,
                  jwt_outcome_text(outcome).p);
    ck_assert_int_eq(ask(&world, bearer(token)), JWT_VERIFIED);
  }
  ck_assert_uint_gt(granted, 10);
  ck_assert_int_eq(outcome, JWT_VERIFIED);
  jwt_verifier_free(&world.verifier);
  for (granted = 0; !world.verifier && granted < 1000; granted++) {
    refused_from = allocations + granted;
    world.verifier = jwt_verifier_new(&world.spec, keys, NULL, NULL);
    refused_from = SIZE_MAX;
  }
  ck_assert_uint_gt(granted, 3);
  jwt_verifier_free(&world.verifier);
  jwt_keys_unref(&keys);
}
END_TEST

/* Without exp it never expires, and is verified anew after ttl; where it must have one it is
 * refused. */
START_TEST(knows_tokens_without_expiry)
{
  static char token[2048];
  struct world world = {0};
  begin(&world, parse(JWT_SIGN_SECRET, JWT_KEYS_SECRET));
  struct str made =
      jwt_sign(STR("{\"alg\":\"HS256\"}"),
               STR("{\"iss\":\"https://id.example\",\"aud\":\"shop\",\"sub\":\"x\"}"), token);
  token[made.n] = '\0';
  int64_t expires_ms = 0;
  ck_assert_int_eq(ask(&world, bearer(token)), JWT_VERIFIED);
  ck_assert_int_eq(jwt_verifier_judge(world.verifier, &world.request, &expires_ms), JWT_VERIFIED);
  ck_assert_int_eq(expires_ms, INT64_MAX);
  ck_assert(world.cached);
  world.request.now_ms += 60000;
  ck_assert_int_eq(ask(&world, bearer(token)), JWT_VERIFIED);
  ck_assert(!world.cached);
  jwt_verifier_free(&world.verifier);
  world.spec.policy.require_exp = true;
  struct jwt_keys *keys = parse(JWT_SIGN_SECRET, JWT_KEYS_SECRET);
  world.verifier = jwt_verifier_new(&world.spec, keys, NULL, NULL);
  jwt_keys_unref(&keys);
  ck_assert_int_eq(ask(&world, bearer(token)), JWT_NO_EXPIRY);
  jwt_verifier_free(&world.verifier);
}
END_TEST

/* Whose last second is not a whole one is verified all the same, and stays for the request: what
 * its first claim said must hold when the second is asked for. */
START_TEST(keeps_a_token_for_its_request)
{
  static char token[2048];
  struct world world = {0};
  struct attr_supplied first, second;
  begin(&world, parse(JWT_SIGN_SECRET, JWT_KEYS_SECRET));
  struct str made =
      jwt_sign(STR("{\"alg\":\"HS256\"}"),
               STR("{\"iss\":\"https://id.example\",\"aud\":\"shop\",\"sub\":\"someone\","
                   "\"exp\":1699999940.5}"),
               token);
  token[made.n] = '\0';
  world.request.now_ms = NOW_MS + 700; /* 200 ms late, of which the skew of 60 s is taken off */
  add(&world, "Authorization", bearer(token));
  ck_assert_int_eq(supply(&world, SUB, &first), SUPPLY_PRESENT);
  ck_assert(!world.cached);
  ck_assert_int_eq(supply(&world, AUD, &second), SUPPLY_PRESENT);
  ck_assert(world.cached);
  ck_assert_view_eq(first.texts[0], "someone");
  ck_assert_view_eq(second.texts[0], "shop");
  world.request.now_ms += 300;
  ck_assert_int_eq(supply(&world, SUB, &first), SUPPLY_REFUSED);
  jwt_verifier_free(&world.verifier);
}
END_TEST

/* Times that no clock has do not become others. */
START_TEST(survives_strange_times)
{
  static char token[2048], payload[256];
  const struct {
    const char *exp;
    enum jwt_outcome outcome;
  } cases[] = {{"1e300", JWT_VERIFIED},
               {"99999999999999999999", JWT_VERIFIED},
               {"1700000001.5", JWT_VERIFIED},
               {"-1e300", JWT_EXPIRED},
               {"-1", JWT_EXPIRED},
               {"0", JWT_EXPIRED},
               {"true", JWT_MALFORMED},
               {"1e999", JWT_MALFORMED}};
  struct world world = {0};
  begin(&world, parse(JWT_SIGN_SECRET, JWT_KEYS_SECRET));
  for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
    int n = snprintf(payload, sizeof(payload),
                     "{\"iss\":\"https://id.example\",\"aud\":\"shop\",\"exp\":%s}", cases[i].exp);
    struct str made = jwt_sign(STR("{\"alg\":\"HS256\"}"), str_make(payload, (size_t)n), token);
    token[made.n] = '\0';
    for (int k = 0; k < 2; k++) {
      enum jwt_outcome outcome = ask(&world, bearer(token));
      ck_assert_msg(outcome == cases[i].outcome, "%s: %s", cases[i].exp,
                    jwt_outcome_text(outcome).p);
      ck_assert(world.cached == (k == 1));
    }
  }
  jwt_verifier_free(&world.verifier);
}
END_TEST

UNIT_MAIN("jwt_verifier", takes_bearers_only, refuses_several, reads_headers_and_cookies,
          supplies_claims, remembers_for_a_time, allocates_nothing_for_what_it_knows,
          forgets_with_the_keys, stays_bounded, refuses_too_large_ones_unread,
          survives_want_of_memory, knows_tokens_without_expiry, keeps_a_token_for_its_request,
          survives_strange_times)
