/*
 * What a decision costs that rests on a claim of a token, beside one that rests on a header: when
 * the token is known, and when it is not and has to be verified.
 *
 * Both are asked in the same request; the host chooses which of two routes, alike but for that.
 */
#include "adit/jwt.h"
#include "field.h"
#include "rule_files.h"
#include "unit/jwt_vectors.h"

static const int64_t NOW_MS = INT64_C(1700000000) * 1000; /* of the vectors' tokens */
static const struct str CLAIMS[] = {STR_INIT("sub")};

/* ---- two routes ------------------------------------------------------------------------------ */

static struct policy *load(void) {
  open_directory();
  FILE *file = create("key.pem");
  fputs(RSA_PEM, file);
  if (fclose(file) != 0) measure_fail("key.pem");
  file = create("adit.json");
  fputs(
      "{\"listen\": [{\"address\": \"127.0.0.1:0\"}], \"rules\": [\"*.rules.json\"],"
      " \"jwt\": {\"keys\": {\"file\": \"key.pem\"}, \"algorithms\": [\"RS256\"]},"
      " \"attributes\": {"
      "  \"user.id\": {\"type\": \"string\", \"from\": [{\"header\": \"X-User-Id\"}]},"
      "  \"token.id\": {\"type\": \"string\", \"from\": [{\"jwt\": \"sub\"}]}},"
      " \"upstreams\": {\"v1\": {\"endpoints\": [\"127.0.0.1:1\"]},"
      "  \"canary\": {\"endpoints\": [\"127.0.0.1:2\"]}}}\n",
      file);
  if (fclose(file) != 0) measure_fail("adit.json");
  write_route("header", "user.id", "u-17");
  write_route("token", "token.id", "u-17");
  struct policy *policy = load_policy();
  (void)unlink("key.pem");
  (void)unlink("header.rules.json");
  (void)unlink("token.rules.json");
  close_directory();
  return policy;
}

/* ---- the request ----------------------------------------------------------------------------- */

struct asked {
  struct decider *decider;
  struct http_field fields[7];
  char bearer[2048];
  struct decide_request request;
  struct decision decision;
};

static void fill(struct asked *asked, const char *token) {
  snprintf(asked->bearer, sizeof(asked->bearer), "Bearer %s", token);
  const struct http_field fields[] = {
      field("Host", "token"),
      field("User-Agent", "Mozilla/5.0 (Linux; Android 14) AppleWebKit/537.36 ShopApp/8.12.1"),
      field("Accept", "text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8"),
      field("Accept-Encoding", "gzip, deflate, br"),
      field("Accept-Language", "en-US,en;q=0.9"),
      field("Authorization", asked->bearer),
      field("X-User-Id", "u-17"),
  };
  _Static_assert(sizeof(fields) == sizeof(asked->fields), "one for each");
  memcpy(asked->fields, fields, sizeof(fields));
  asked->request.attr = (struct attr_request){.method = STR("GET"),
                                              .scheme = STR("https"),
                                              .path = STR("/product/42"),
                                              .trusted = true,
                                              .now_ms = NOW_MS,
                                              .fields = asked->fields,
                                              .field_count = sizeof(fields) / sizeof(*fields)};
}

static void ask(struct asked *asked, struct str host) {
  asked->request.attr.host = host;
  decide(asked->decider, &asked->request, &asked->decision, NULL, NULL);
}

static void ask_token(void *context) {
  ask(context, STR("token"));
}

static void ask_header(void *context) {
  ask(context, STR("header"));
}

/* ---- measuring ------------------------------------------------------------------------------- */

static const char *token_of(const char *name) {
  for (size_t i = 0; i < sizeof(TOKENS) / sizeof(*TOKENS); i++)
    if (strcmp(TOKENS[i].name, name) == 0) return TOKENS[i].token;
  measure_fail(name);
}

/* Both ways are checked before they are measured. */
static void measure_case(struct asked *asked, const char *name, const char *algorithm,
                         const char *pem, int64_t ttl_ms) {
  struct diags *diags = diags_new();
  struct jwt_keys *keys = jwt_keys_parse(str_from_cstr(pem), "key", JWT_KEYS_FILE, 0, diags);
  const struct jwt_spec spec = {
      .policy = {.algorithms = jwt_algorithm_by_name(str_from_cstr(algorithm))},
      .name = STR("Authorization"),
      .claims = CLAIMS,
      .claim_count = 1,
      .entries = 1000,
      .cache_bytes = 1 << 20,
      .ttl_ms = ttl_ms, /* 0: it has to be verified again each time */
      .negative_ttl_ms = 1000};
  struct jwt_verifier *verifier = keys ? jwt_verifier_new(&spec, keys, NULL, NULL) : NULL;
  if (!verifier) measure_fail("no keys, or out of memory");
  decider_supply(asked->decider, SOURCE_JWT, jwt_verifier_supplier(verifier));
  fill(asked, token_of(algorithm));
  for (int i = 0; i < 2; i++) {
    (i == 0 ? ask_token : ask_header)(asked);
    if (asked->decision.reason != REASON_RULE) measure_fail(name);
  }
  measure_beside(name, 0, ask_token, ask_header, asked);
  jwt_verifier_free(&verifier);
  jwt_keys_unref(&keys);
  diags_free(&diags);
}

int main(int argc, char **argv) {
  measure_begin(argc, argv);
  struct policy *policy = load();
  struct asked asked = {.decider = policy_decider_new(policy)};
  if (!asked.decider) measure_fail("out of memory");
  measure_case(&asked, "RS256, known", "RS256", RSA_PEM, 60000);
  measure_case(&asked, "ES256, known", "ES256", EC_PEM, 60000);
  measure_case(&asked, "RS256, fresh", "RS256", RSA_PEM, 0);
  measure_case(&asked, "ES256, fresh", "ES256", EC_PEM, 0);
  decider_free(&asked.decider);
  policy_unref(&policy);
  return 0;
}
