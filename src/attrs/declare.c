/*
 * Declarations: "attributes" of adit.json or of a rule file → struct attr_declared.
 *
 *   attr_catalog_declare ─► declare_one ─► check_name
 *                                       ├► parse_type
 *                                       └► parse_sources ─► parse_source ─► origin, trust, regex
 *
 * Every mistake is reported and none stops the reading. An attribute that has a type is declared
 * in spite of other mistakes, so that conditions on it do not make errors of their own.
 */
#include <cjson/cJSON.h>

#include "adit/json.h"
#include "adit/regex.h"
#include "catalog.h"

struct declaration {
  struct attr_catalog *catalog;
  const struct json_doc *doc;
  struct diags *diags;
  const char *what; /* "attribute 'x'", begins each message */
};

static void report_memory(const struct declaration *declaration, const cJSON *node) {
  json_error(declaration->doc, node, declaration->diags, NULL, "%s: out of memory",
             declaration->what);
}

static void report_kind(const struct declaration *declaration, const cJSON *node,
                        const char *subject, const char *expected) {
  json_error(declaration->doc, node, declaration->diags, NULL, "%s: %s must be %s, not %s",
             declaration->what, subject, expected, json_kind(node));
}

/* ---- names ----------------------------------------------------------------------------------- */

static bool is_reserved(struct str name) {
  static const struct str words[] = {STR_INIT("all"), STR_INIT("any"), STR_INIT("not"),
                                     STR_INIT("segment")};
  for (size_t i = 0; i < sizeof(words) / sizeof(*words); i++) {
    if (str_eq(name, words[i])) return true;
  }
  return false;
}

/* Why a name cannot be declared, as the end of a sentence; NULL: it can. */
static const char *refuse_name(const struct attr_catalog *catalog, struct str name) {
  if (!json_is_name(name)) return "is not a name: 1 to 64 of A-Z a-z 0-9 . _ -";
  if (attr_name_is_builtin(name)) return "is built-in and cannot be declared";
  if (is_reserved(name)) return "is a word of the condition language and cannot be declared";
  if (str_ends_with(name, STR(".age"))) return "ends in '.age', which every time attribute has";
  if (attr_catalog_find_declared(catalog->parent, name)) return "is declared in adit.json already";
  if (attr_catalog_find_declared(catalog, name)) return "is declared already";
  return NULL;
}

static bool check_name(const struct declaration *declaration, const cJSON *node) {
  const char *why = refuse_name(declaration->catalog, str_from_cstr(node->string));
  if (!why) return true;
  json_key_error(declaration->doc, node, declaration->diags, "choose another name", "%s %s",
                 declaration->what, why);
  return false;
}

/* ---- type ------------------------------------------------------------------------------------ */

static bool parse_type(const struct declaration *declaration, const cJSON *node,
                       enum attr_type *ret) {
  static const char *const types[] = {"string", "number", "bool", "time", "version",
                                      "semver", "ip",     "list", NULL};
  static const char one_of[] = "one of string, number, bool, time, version, semver, ip, list";
  const cJSON *type = cJSON_GetObjectItemCaseSensitive(node, "type");
  if (!type) {
    json_key_error(declaration->doc, node, declaration->diags, one_of, "%s has no type",
                   declaration->what);
    return false;
  }
  if (!cJSON_IsString(type)) {
    report_kind(declaration, type, "'type'", "a string");
    return false;
  }
  if (attr_type_parse(json_str(type), ret)) return true;
  char buffer[128];
  const char *hint = diag_did_you_mean(json_str(type), types, buffer, sizeof(buffer));
  json_error(declaration->doc, type, declaration->diags, hint ? hint : one_of,
             "%s: unknown type '%s'", declaration->what, type->valuestring);
  return false;
}

/* ---- sources --------------------------------------------------------------------------------- */

/* The one key that says what kind of source it is. NULL: reported. */
static const cJSON *find_kind(const struct declaration *declaration, const cJSON *node,
                              enum attr_source_kind *ret) {
  const cJSON *found = NULL;
  size_t count = 0;
  for (int kind = 0; kind < ATTR_SOURCE_KINDS; kind++) {
    const cJSON *value =
        cJSON_GetObjectItemCaseSensitive(node, attr_source_kind_name((enum attr_source_kind)kind));
    if (!value) continue;
    found = value;
    *ret = (enum attr_source_kind)kind;
    count++;
  }
  if (count == 1) return found;
  bool few = declaration->catalog->scope == ATTR_SCOPE_RULE_FILE;
  json_error(declaration->doc, node, declaration->diags, "give exactly one of them",
             "%s: a source has %s of 'header', 'cookie'%s 'query'%s", declaration->what,
             count == 0 ? "none" : "several", few ? " and" : ",",
             few ? "" : ", 'jwt', 'geoip', 'cidr' and 'lookup'");
  return NULL;
}

/* What of adit.json a kind of source needs. */
static const char *need_of(enum attr_source_kind kind) {
  switch (kind) {
    case SOURCE_JWT:
      return "declare the tokens under \"jwt\" in adit.json";
    case SOURCE_GEOIP:
      return "name the databases under \"geoip\" in adit.json";
    case SOURCE_LOOKUP:
      return "declare the directory under \"lookups\" in adit.json";
    case SOURCE_HEADER:
    case SOURCE_COOKIE:
    case SOURCE_QUERY:
    case SOURCE_CIDR:
    case ATTR_SOURCE_KINDS:
      break;
  }
  return NULL;
}

/* A source that has a supplier is read by who offers it. */
static bool parse_supplied(const struct declaration *declaration, const cJSON *node,
                           const cJSON *kind, struct attr_source *source) {
  const struct attr_offer *offer = &declaration->catalog->offers[source->kind];
  if (declaration->catalog->scope == ATTR_SCOPE_RULE_FILE) {
    json_key_error(declaration->doc, kind, declaration->diags, "declare it in adit.json",
                   "%s: a rule file cannot have a '%s' source", declaration->what, kind->string);
    return false;
  }
  if (!offer->read) {
    json_key_error(declaration->doc, kind, declaration->diags, need_of(source->kind),
                   "%s: nothing answers for a '%s' source", declaration->what, kind->string);
    return false;
  }
  return offer->read(offer->context, declaration->doc, node, declaration->what, &source->offered,
                     declaration->diags);
}

/* The name of the header, cookie or query key. */
static bool parse_origin(const struct declaration *declaration, const cJSON *found,
                         struct attr_source *source) {
  if (!cJSON_IsString(found)) {
    report_kind(declaration, found, "the source's name", "a string");
    return false;
  }
  struct str name = json_str(found);
  if (source->kind == SOURCE_HEADER ? !http_is_token(name) : name.n == 0) {
    json_error(declaration->doc, found, declaration->diags, NULL, "%s: '%s' is not a name of a %s",
               declaration->what, found->valuestring, found->string);
    return false;
  }
  source->name = arena_dup(declaration->catalog->arena, name);
  if (!source->name.p) report_memory(declaration, found);
  return source->name.p != NULL;
}

static bool parse_trust_given(const struct declaration *declaration, const cJSON *trust) {
  if (declaration->catalog->scope == ATTR_SCOPE_RULE_FILE) {
    json_key_error(declaration->doc, trust, declaration->diags, "leave it out",
                   "%s: a rule file's sources always count from anyone", declaration->what);
    return false;
  }
  if (cJSON_IsString(trust) && str_eq(json_str(trust), STR("anyone"))) return true;
  json_error(declaration->doc, trust, declaration->diags,
             "leave it out for a header that only a trusted proxy may set",
             "%s: 'trust' can only be \"anyone\"", declaration->what);
  return false;
}

static bool parse_trust(const struct declaration *declaration, const cJSON *node,
                        struct attr_source *source) {
  const cJSON *trust = cJSON_GetObjectItemCaseSensitive(node, "trust");
  source->from_anyone = declaration->catalog->scope == ATTR_SCOPE_RULE_FILE || trust != NULL;
  if (trust) return parse_trust_given(declaration, trust);
  if (source->from_anyone || source->kind == SOURCE_HEADER) return true;
  json_error(declaration->doc, node, declaration->diags, "add \"trust\": \"anyone\"",
             "%s: a %s is the client's own word", declaration->what,
             source->kind == SOURCE_COOKIE ? "cookie" : "query parameter");
  return false;
}

static void free_regex(void *object) {
  struct regex *regex = object;
  regex_free(&regex);
}

/* Counts a pattern's memory. False: there is too much of it; the first one that is says so. */
static bool charge_pattern(const struct declaration *declaration, const cJSON *node, size_t bytes) {
  struct attr_catalog *catalog = declaration->catalog;
  if (catalog->pattern_bytes > REGEX_FILE_BYTES_MAX) return false;
  catalog->pattern_bytes += bytes;
  if (catalog->pattern_bytes <= REGEX_FILE_BYTES_MAX) return true;
  json_error(declaration->doc, node, declaration->diags, "write fewer of them, or simpler ones",
             "%s: the patterns of the attributes take more than %d MiB of memory",
             declaration->what, REGEX_FILE_BYTES_MAX >> 20);
  return false;
}

static bool parse_regex(const struct declaration *declaration, const cJSON *node,
                        struct attr_source *source) {
  const cJSON *pattern = cJSON_GetObjectItemCaseSensitive(node, "regex");
  if (!pattern) return true;
  if (!cJSON_IsString(pattern)) {
    report_kind(declaration, pattern, "'regex'", "a string");
    return false;
  }
  if (!charge_pattern(declaration, pattern, 0)) return false;
  struct regex_error error;
  struct regex *regex = regex_new(json_str(pattern), &error);
  if (!regex) {
    json_error(declaration->doc, pattern, declaration->diags, NULL,
               "%s: regex does not compile, at offset %zu: %s", declaration->what, error.offset,
               error.message);
    return false;
  }
  if (!arena_defer(declaration->catalog->arena, free_regex, regex)) {
    report_memory(declaration, pattern);
    return false;
  }
  if (!charge_pattern(declaration, pattern, regex_size_bytes(regex))) return false;
  source->regex = regex;
  source->pattern = arena_dup(declaration->catalog->arena, json_str(pattern));
  if (!source->pattern.p) report_memory(declaration, pattern);
  return source->pattern.p != NULL;
}

/* For explain. */
static bool keep_json(const struct declaration *declaration, const cJSON *node,
                      struct attr_source *source) {
  char *json = cJSON_PrintUnformatted(node);
  if (json) source->json = arena_dup(declaration->catalog->arena, str_from_cstr(json));
  cJSON_free(json);
  if (!source->json.p) report_memory(declaration, node);
  return source->json.p != NULL;
}

static bool parse_source(const struct declaration *declaration, const cJSON *node,
                         struct attr_source *source) {
  static const char *const keys[] = {"header", "cookie", "query", "regex", "trust", NULL};
  if (!cJSON_IsObject(node)) {
    report_kind(declaration, node, "a source", "an object like {\"header\": \"X-Name\"}");
    return false;
  }
  if (!keep_json(declaration, node, source)) return false;
  const cJSON *kind = find_kind(declaration, node, &source->kind);
  if (kind && source_is_supplied(source)) return parse_supplied(declaration, node, kind, source);
  bool known = json_check_keys(declaration->doc, node, keys, declaration->what, declaration->diags);
  bool origin = kind && parse_origin(declaration, kind, source);
  bool trust = !kind || parse_trust(declaration, node, source);
  bool regex = parse_regex(declaration, node, source);
  return known && origin && trust && regex;
}

/* Only sources without mistakes are kept: with one the catalog is not used. */
static void parse_sources(const struct declaration *declaration, const cJSON *node,
                          struct attr_declared *declared) {
  const cJSON *from = cJSON_GetObjectItemCaseSensitive(node, "from");
  if (from && !cJSON_IsArray(from)) {
    report_kind(declaration, from, "'from'", "a list of sources");
    return;
  }
  if (!from || !from->child) {
    json_key_error(declaration->doc, from ? from : node, declaration->diags,
                   "give it at least one, like {\"header\": \"X-Name\"}", "%s has no sources",
                   declaration->what);
    return;
  }
  struct attr_source *sources = ARENA_ARRAY(declaration->catalog->arena, struct attr_source,
                                            (size_t)cJSON_GetArraySize(from));
  if (!sources) {
    report_memory(declaration, from);
    return;
  }
  const cJSON *source;
  cJSON_ArrayForEach(source, from) {
    if (parse_source(declaration, source, &sources[declared->source_count])) {
      declared->source_count++;
    }
  }
  declared->sources = sources;
}

/* ---- attributes ------------------------------------------------------------------------------ */

static void declare_one(struct declaration *declaration, const cJSON *node) {
  static const char *const keys[] = {"type", "from", NULL};
  struct attr_catalog *catalog = declaration->catalog;
  struct str what = arena_printf(catalog->arena, "attribute '%s'", node->string);
  declaration->what = what.p ? what.p : "an attribute";

  bool name = check_name(declaration, node);
  if (!cJSON_IsObject(node)) {
    report_kind(declaration, node, "its declaration", "an object with 'type' and 'from'");
    return;
  }
  (void)json_check_keys(declaration->doc, node, keys, declaration->what, declaration->diags);
  struct attr_declared declared = {
      .name = arena_dup(catalog->arena, str_from_cstr(node->string)),
  };
  bool type = parse_type(declaration, node, &declared.type);
  parse_sources(declaration, node, &declared);
  if (!name || !type) return;
  if (!declared.name.p || !VEC_PUSH(catalog->arena, &catalog->declared, declared)) {
    report_memory(declaration, node);
  }
}

/* ---- attributes that need attributes --------------------------------------------------------- */

/* The declared attribute that a key stands for; NULL: a built-in one, which needs nothing. */
static const struct attr_declared *find_needed(const struct attr_catalog *catalog, struct str key) {
  struct attr_resolved resolved;
  if (!attr_resolve(catalog, key, &resolved)) return NULL;
  if (resolved.origin == ORIGIN_AGE) return attr_catalog_find_declared(catalog, resolved.rest);
  return resolved.declared;
}

/* Whether all that an attribute needs is settled. */
static bool can_settle(const struct attr_catalog *catalog, const struct attr_declared *declared,
                       const bool *settled) {
  for (size_t i = 0; i < declared->source_count; i++) {
    const struct attr_offered *offered = &declared->sources[i].offered;
    for (size_t k = 0; k < offered->key_count; k++) {
      const struct attr_declared *needed = find_needed(catalog, offered->keys[k]);
      if (needed && !settled[needed - catalog->declared.items]) return false;
    }
  }
  return true;
}

static void report_unknown_keys(struct declaration *declaration, const cJSON *node,
                                const struct attr_declared *declared) {
  struct attr_resolved resolved;
  for (size_t i = 0; i < declared->source_count; i++) {
    const struct attr_offered *offered = &declared->sources[i].offered;
    for (size_t k = 0; k < offered->key_count; k++) {
      if (attr_resolve(declaration->catalog, offered->keys[k], &resolved)) continue;
      json_error(declaration->doc, node, declaration->diags, "declare it beside this one",
                 "attribute '%.*s': needs the attribute '%.*s', which is not declared",
                 STR_ARG(declared->name), STR_ARG(offered->keys[k]));
    }
  }
}

/* Settles attributes as long as there are any whose needs are settled; what is left goes in
 * circles. Only a catalog without a parent has supplied sources. */
static void check_needs(struct declaration *declaration, const cJSON *object) {
  struct attr_catalog *catalog = declaration->catalog;
  size_t n = catalog->declared.n;
  bool *settled = ARENA_ARRAY(catalog->arena, bool, n);
  bool moved = settled != NULL && n > 0;
  if (!settled) report_memory(declaration, object);
  while (moved) {
    moved = false;
    for (size_t i = 0; i < n; i++) {
      if (settled[i] || !can_settle(catalog, &catalog->declared.items[i], settled)) continue;
      settled[i] = moved = true;
    }
  }
  const cJSON *node;
  cJSON_ArrayForEach(node, object) {
    const struct attr_declared *declared =
        attr_catalog_find_declared(catalog, str_from_cstr(node->string));
    if (!settled || !declared) continue;
    report_unknown_keys(declaration, node, declared);
    if (settled[declared - catalog->declared.items]) continue;
    json_key_error(declaration->doc, node, declaration->diags, NULL,
                   "attribute '%.*s': its source needs the attribute itself",
                   STR_ARG(declared->name));
  }
}

bool attr_catalog_declare(struct attr_catalog *catalog, const struct json_doc *doc,
                          const struct cJSON *object, struct diags *diags) {
  struct declaration declaration = {
      .catalog = catalog, .doc = doc, .diags = diags, .what = "attributes"};
  size_t errors = diags_count(diags, DIAG_ERROR);
  if (!cJSON_IsObject(object)) {
    report_kind(&declaration, object, "the value", "an object of names");
    return false;
  }
  const cJSON *node;
  cJSON_ArrayForEach(node, object) {
    declare_one(&declaration, node);
  }
  declaration.what = "attributes";
  if (!attr_catalog_index(catalog))
    report_memory(&declaration, object);
  else if (catalog->scope == ATTR_SCOPE_GATEWAY)
    check_needs(&declaration, object);
  return diags_count(diags, DIAG_ERROR) == errors;
}
