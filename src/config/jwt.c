/* jwt: where tokens are found, what verifies them, and attributes that are their claims. */
#include <cjson/cJSON.h>
#include <stdlib.h>

#include "adit/http.h"
#include "reader.h"

enum { SECOND = 1000, MINUTE = 60 * SECOND, HOUR = 60 * MINUTE, DAY = 24 * HOUR };
enum { SECRET_MIN = 32, AUDIENCES_MAX = 16, PATH_MAX_BYTES = 256, ENTRIES_MAX = 10000000 };

static const unsigned WITH_SECRETS = JWT_HS256 | JWT_HS384 | JWT_HS512;

/* ---- keys ------------------------------------------------------------------------------------ */

static void read_file(struct config_reader *reader, const cJSON *node, unsigned algorithms,
                      struct config_jwt *jwt) {
  struct str text;
  if (!config_to_string(reader, node, "jwt: keys: 'file'", "\"jwks.json\"", &text)) return;
  struct str path = config_path(reader, node, text, false);
  char *content = NULL;
  size_t n = 0;
  if (!path.p || !file_read(path.p, JWT_KEY_FILE_MAX, json_place(reader->doc, node), reader->diags,
                            &content, &n)) {
    return;
  }
  jwt->keys =
      jwt_keys_parse(str_make(content, n), path.p, JWT_KEYS_FILE, algorithms, reader->diags);
  explicit_bzero(content, n); /* a JWKS may hold secrets */
  free(content);
}

static void read_secret(struct config_reader *reader, const cJSON *node, unsigned algorithms,
                        struct config_jwt *jwt) {
  const char *path = NULL;
  struct str secret;
  if (!config_read_secret(reader, node, "jwt: keys: 'secret_file'", SECRET_MIN, &path, &secret))
    return;
  jwt->keys = jwt_keys_parse(secret, path, JWT_KEYS_SECRET, algorithms, reader->diags);
}

static void read_url(struct config_reader *reader, const cJSON *node, unsigned algorithms,
                     struct config_jwt *jwt) {
  static const char hint[] = "\"https://id.example.com/keys\"";
  struct str text;
  if (!config_to_string(reader, node, "jwt: keys: 'url'", hint, &text)) return;
  const char *why = keyset_check_url(text);
  if (why) {
    json_error(reader->doc, node, reader->diags, hint, "jwt: keys: 'url' %s", why);
  } else if (algorithms & WITH_SECRETS) {
    json_error(reader->doc, node, reader->diags, "give a \"secret_file\", or other algorithms",
               "jwt: keys: the secret of HS256, HS384 or HS512 does not come from a URL");
  }
  jwt->fetched.url = text;
  jwt->fetched.algorithms = algorithms;
}

static void read_times(struct config_reader *reader, const struct config_scope *scope, bool has_url,
                       struct keyset_spec *fetched) {
  static const char *const keys[] = {"refresh", "retry", "timeout"};
  config_read_duration(reader, scope, "refresh", 1, 7LL * DAY, &fetched->refresh_ms);
  config_read_duration(reader, scope, "retry", 1, DAY, &fetched->retry_ms);
  config_read_duration(reader, scope, "timeout", 1, MINUTE, &fetched->timeout_ms);
  for (size_t i = 0; !has_url && i < sizeof(keys) / sizeof(*keys); i++) {
    const cJSON *node = config_find(scope, keys[i]);
    if (node)
      json_key_error(reader->doc, node, reader->diags, "a file is read again by a reload",
                     "jwt: keys: '%s' is for a 'url' only", keys[i]);
  }
}

static void read_keys(struct config_reader *reader, const struct config_scope *jwt_scope,
                      struct config_jwt *jwt) {
  static const char hint[] = "\"keys\": { \"url\": \"https://id.example.com/keys\" }";
  const unsigned algorithms = jwt->spec.policy.algorithms;
  const cJSON *node = config_want(reader, jwt_scope, "keys", hint);
  struct config_scope scope;
  if (!node || !config_open_scope(reader, node, "jwt.keys", "jwt: keys", &scope)) return;
  const cJSON *file = config_find(&scope, "file"), *url = config_find(&scope, "url"),
              *secret = config_find(&scope, "secret_file");
  read_times(reader, &scope, url != NULL, &jwt->fetched);
  if ((file != NULL) + (url != NULL) + (secret != NULL) != 1) {
    json_error(reader->doc, node, reader->diags, hint,
               "jwt: keys: give exactly one of 'file', 'secret_file' and 'url'");
    return;
  }
  if (file) read_file(reader, file, algorithms, jwt);
  if (secret) read_secret(reader, secret, algorithms, jwt);
  if (url) read_url(reader, url, algorithms, jwt);
}

/* ---- what a token must be -------------------------------------------------------------------- */

static void read_algorithm(struct config_reader *reader, const cJSON *node, unsigned *ret) {
  static const char *const names[] = {"HS256", "HS384", "HS512", "RS256",
                                      "PS256", "ES256", "EdDSA", NULL};
  static const char one_of[] = "one of HS256, HS384, HS512, RS256, PS256, ES256, EdDSA";
  struct str name;
  char buffer[64];
  if (!config_to_string(reader, node, "jwt: an algorithm", "\"RS256\"", &name)) return;
  unsigned bit = jwt_algorithm_by_name(name);
  if (bit == 0) {
    const char *hint = diag_did_you_mean(name, names, buffer, sizeof(buffer));
    json_error(reader->doc, node, reader->diags, hint ? hint : one_of,
               "jwt: tokens of algorithm '%.*s' are never taken", STR_ARG(name));
  } else if (*ret & bit) {
    json_error(reader->doc, node, reader->diags, NULL, "jwt: algorithm '%.*s' is there twice",
               STR_ARG(name));
  }
  *ret |= bit;
}

static void read_algorithms(struct config_reader *reader, const struct config_scope *scope,
                            unsigned *ret) {
  static const char hint[] = "\"algorithms\": [\"RS256\"]";
  const cJSON *list = config_want(reader, scope, "algorithms", hint);
  size_t n = 0;
  if (!list || !config_to_list(reader, list, "jwt: 'algorithms'", hint, &n)) return;
  if (n == 0)
    json_error(reader->doc, list, reader->diags, hint,
               "jwt: without 'algorithms' no token is taken");
  const cJSON *node;
  cJSON_ArrayForEach(node, list) {
    read_algorithm(reader, node, ret);
  }
}

/* A string that is not empty. */
static bool read_text(struct config_reader *reader, const cJSON *node, const char *what,
                      const char *hint, struct str *ret) {
  if (!config_to_string(reader, node, what, hint, ret)) return false;
  if (ret->n == 0) json_error(reader->doc, node, reader->diags, hint, "%s is empty", what);
  return ret->n > 0;
}

static void read_audience(struct config_reader *reader, const struct config_scope *scope,
                          struct jwt_policy *policy) {
  static const char hint[] = "\"audience\": [\"shop\"]";
  const cJSON *node = config_find(scope, "audience");
  size_t n = 1;
  if (!node) return;
  bool is_list = !cJSON_IsString(node);
  if (is_list && !config_to_list(reader, node, "jwt: 'audience'", hint, &n)) return;
  if (n == 0 || n > AUDIENCES_MAX) {
    json_error(reader->doc, node, reader->diags, hint, "jwt: 'audience' must have 1 to %d names",
               AUDIENCES_MAX);
    return;
  }
  struct str *audiences = ARENA_ARRAY(reader->arena, struct str, n);
  if (!audiences) return config_fail_memory(reader);
  const cJSON *item = is_list ? node->child : node;
  for (size_t i = 0; i < n; i++, item = item->next)
    (void)read_text(reader, item, "jwt: an 'audience'", hint, &audiences[i]);
  policy->audiences = audiences;
  policy->audience_count = n;
}

static void read_policy(struct config_reader *reader, const struct config_scope *scope,
                        struct jwt_policy *policy) {
  static const char hint[] = "\"https://id.example.com\"";
  const cJSON *issuer = config_find(scope, "issuer");
  int64_t skew_ms = 0;
  read_algorithms(reader, scope, &policy->algorithms);
  if (issuer) (void)read_text(reader, issuer, "jwt: 'issuer'", hint, &policy->issuer);
  read_audience(reader, scope, policy);
  config_read_duration(reader, scope, "clock_skew", 0, HOUR, &skew_ms);
  policy->clock_skew_s = (skew_ms + SECOND - 1) / SECOND;
  config_read_boolean(reader, scope, "require_exp", &policy->require_exp);
}

/* ---- where it is, and what follows ----------------------------------------------------------- */

static void read_place(struct config_reader *reader, const struct config_scope *jwt_scope,
                       struct jwt_spec *spec) {
  static const char hint[] = "\"from\": { \"cookie\": \"session\" }";
  const cJSON *node = config_find(jwt_scope, "from");
  struct config_scope scope;
  spec->place = JWT_IN_AUTHORIZATION;
  spec->name = STR("Authorization");
  if (!node || !config_open_scope(reader, node, "jwt.from", "jwt: from", &scope)) return;
  const cJSON *header = config_find(&scope, "header"), *cookie = config_find(&scope, "cookie");
  const cJSON *name = header ? header : cookie;
  if ((header != NULL) + (cookie != NULL) != 1) {
    json_error(reader->doc, node, reader->diags, hint,
               "jwt: from: give exactly one of 'header' and 'cookie'");
    return;
  }
  struct str text;
  const char *what = header ? "jwt: from: 'header'" : "jwt: from: 'cookie'";
  if (!config_to_string(reader, name, what, hint, &text)) return;
  if (!http_is_token(text) || (header && str_eq_nocase(text, STR("Cookie")))) {
    json_error(reader->doc, name, reader->diags, hint, "%s: '%.*s' is not the name of one", what,
               STR_ARG(text));
    return;
  }
  spec->name = text;
  if (cookie) spec->place = JWT_IN_COOKIE;
  if (header && !str_eq_nocase(text, STR("Authorization"))) spec->place = JWT_IN_HEADER;
}

static void read_cache(struct config_reader *reader, const struct config_scope *scope,
                       struct jwt_spec *spec) {
  static cJSON none = {.type = cJSON_Object};
  const cJSON *node = config_find(scope, "cache");
  struct config_scope cache;
  if (!config_open_scope(reader, node ? node : &none, "jwt.cache", "jwt: cache", &cache)) return;
  config_read_number(reader, &cache, "entries", 1, ENTRIES_MAX, &spec->entries);
  config_read_size(reader, &cache, "bytes", 1 << 16, 1ULL << 34, &spec->cache_bytes);
  config_read_duration(reader, &cache, "ttl", 1, DAY, &spec->ttl_ms);
  config_read_duration(reader, &cache, "negative_ttl", 1, HOUR, &spec->negative_ttl_ms);
}

/* Whether requests are answered 401. */
static bool read_outcome(struct config_reader *reader, const struct config_scope *scope,
                         const char *key) {
  static const char hint[] = "\"missing\" or \"401\"";
  const cJSON *node = config_find(scope, key);
  const char *what = config_printf(reader, "jwt: '%s'", key);
  struct str text;
  if (!node || !config_to_string(reader, node, what, hint, &text)) return false;
  if (str_eq(text, STR("401"))) return true;
  if (!str_eq(text, STR("missing")))
    json_error(reader->doc, node, reader->diags, hint, "%s cannot be '%.*s'", what, STR_ARG(text));
  return false;
}

static void read_outcomes(struct config_reader *reader, const struct config_scope *scope,
                          struct config_jwt *jwt) {
  jwt->refuse_invalid = read_outcome(reader, scope, "on_invalid");
  jwt->refuse_absent = read_outcome(reader, scope, "on_absent");
  if (!jwt->refuse_absent || jwt->refuse_invalid) return;
  json_key_error(reader->doc, config_find(scope, "on_absent"), reader->diags,
                 "add \"on_invalid\": \"401\"",
                 "jwt: with 'on_absent' alone anything that is no token would do");
}

/* ---- attributes from it ---------------------------------------------------------------------- */

/* The index of a path among those that are kept of a token; JWT_CLAIM_PATHS_MAX: no room. */
static size_t claim_index(struct config_jwt *jwt, struct str path) {
  struct jwt_spec *spec = &jwt->spec;
  for (size_t i = 0; i < spec->claim_count; i++)
    if (str_eq(spec->claims[i], path)) return i;
  if (spec->claim_count == JWT_CLAIM_PATHS_MAX) return JWT_CLAIM_PATHS_MAX;
  jwt->claims[spec->claim_count] = path;
  return spec->claim_count++;
}

/* struct attr_offer.read, for {"jwt": PATH} */
static bool read_source(void *context, const struct json_doc *doc, const cJSON *node,
                        const char *what, struct attr_offered *ret, struct diags *diags) {
  static const char *const keys[] = {"jwt", NULL};
  static const char hint[] = "\"sub\", or \"realm_access.roles\" inside an object";
  static const struct str cookie = STR_INIT("Cookie");
  const struct config_reader *reader = context;
  struct config_jwt *jwt = &reader->config->jwt;
  const cJSON *path = cJSON_GetObjectItemCaseSensitive(node, "jwt");
  if (!json_check_keys(doc, node, keys, what, diags)) return false;
  if (!cJSON_IsString(path) || json_str(path).n == 0 || json_str(path).n > PATH_MAX_BYTES) {
    json_error(doc, path, diags, hint, "%s: 'jwt' must be the name of a claim, of 1 to %d bytes",
               what, PATH_MAX_BYTES);
    return false;
  }
  const size_t index = claim_index(jwt, json_str(path));
  if (index == JWT_CLAIM_PATHS_MAX) {
    json_error(doc, path, diags, NULL, "%s: more than %d claims", what, JWT_CLAIM_PATHS_MAX);
    return false;
  }
  bool is_cookie = jwt->spec.place == JWT_IN_COOKIE;
  *ret = (struct attr_offered){
      .id = (uint32_t)index, .fields = is_cookie ? &cookie : &jwt->spec.name, .field_count = 1};
  return true;
}

void config_offer_jwt(struct config_reader *reader, struct attr_catalog *catalog) {
  if (!reader->config->has_jwt) return;
  attr_catalog_offer(catalog, SOURCE_JWT, (struct attr_offer){read_source, reader});
}

void config_read_jwt(struct config_reader *reader, const struct config_scope *root) {
  struct config_jwt *jwt = &reader->config->jwt;
  const cJSON *node = config_find(root, "jwt");
  struct config_scope scope;
  if (!node) return;
  jwt->claims = ARENA_ARRAY(reader->arena, struct str, JWT_CLAIM_PATHS_MAX);
  if (!jwt->claims) return config_fail_memory(reader);
  jwt->spec.claims = jwt->claims;
  reader->config->has_jwt = true;
  if (!config_open_scope(reader, node, "jwt", "jwt", &scope)) return;
  read_policy(reader, &scope, &jwt->spec.policy);
  read_keys(reader, &scope, jwt);
  read_place(reader, &scope, &jwt->spec);
  read_cache(reader, &scope, &jwt->spec);
  read_outcomes(reader, &scope, jwt);
}
