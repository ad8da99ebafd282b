/* lookups: directories that know more of a user than his request says, and attributes from them. */
#include <cjson/cJSON.h>

#include "reader.h"

enum { SECOND = 1000, MINUTE = 60 * SECOND, HOUR = 60 * MINUTE, DAY = 24 * HOUR };
enum { LOOKUPS_MAX = 64, ENTRIES_MAX = 10000000, CONCURRENCY_MAX = 1024 };

/* ---- directories ----------------------------------------------------------------------------- */

static void read_url(struct config_reader *reader, const struct config_scope *scope,
                     struct config_lookup *lookup) {
  static const char hint[] = "\"url\": \"http://users.internal/{user.id}\"";
  const cJSON *node = config_want(reader, scope, "url", hint);
  const char *what = config_printf(reader, "%s: 'url'", scope->what), *why = NULL;
  if (!node || !config_to_string(reader, node, what, hint, &lookup->spec.url)) return;
  if (lookup_template_parse(lookup->spec.url, &lookup->template, &why)) return;
  json_error(reader->doc, node, reader->diags, hint, "%s %s", what, why);
}

static void read_on_error(struct config_reader *reader, const struct config_scope *scope) {
  const cJSON *node = config_find(scope, "on_error");
  const char *what = config_printf(reader, "%s: 'on_error'", scope->what);
  struct str text;
  if (!node || !config_to_string(reader, node, what, "\"missing\"", &text)) return;
  if (str_eq(text, STR("missing"))) return;
  json_error(reader->doc, node, reader->diags, "a condition can say what a missing value means",
             "%s can only be \"missing\"", what);
}

static void read_cache(struct config_reader *reader, const struct config_scope *scope,
                       struct lookup_spec *spec) {
  static cJSON none = {.type = cJSON_Object};
  const cJSON *node = config_find(scope, "cache");
  const char *what = config_printf(reader, "%s: 'cache'", scope->what);
  struct config_scope cache;
  if (!config_open_scope(reader, node ? node : &none, "lookups.*.cache", what, &cache)) return;
  config_read_number(reader, &cache, "entries", 1, ENTRIES_MAX, &spec->entries);
  config_read_size(reader, &cache, "bytes", 1 << 16, 1ULL << 34, &spec->cache_bytes);
  config_read_duration(reader, &cache, "ttl", 1, 7LL * DAY, &spec->ttl_ms);
  config_read_duration(reader, &cache, "negative_ttl", 1, 7LL * DAY, &spec->negative_ttl_ms);
}

static void read_breaker(struct config_reader *reader, const struct config_scope *scope,
                         struct lookup_spec *spec) {
  static cJSON none = {.type = cJSON_Object};
  const cJSON *node = config_find(scope, "breaker");
  const char *what = config_printf(reader, "%s: 'breaker'", scope->what);
  struct config_scope breaker;
  if (!config_open_scope(reader, node ? node : &none, "lookups.*.breaker", what, &breaker)) return;
  config_read_number(reader, &breaker, "failures", 1, 1000000, &spec->failures);
  config_read_duration(reader, &breaker, "pause", 1, HOUR, &spec->pause_ms);
  config_read_duration(reader, &breaker, "pause_max", 1, DAY, &spec->pause_max_ms);
  if (spec->pause_max_ms >= spec->pause_ms) return;
  json_key_error(reader->doc, node ? node : scope->object, reader->diags, NULL,
                 "%s: 'pause_max' is shorter than 'pause'", what);
}

static void read_lookup(struct config_reader *reader, const cJSON *node,
                        struct config_lookup *lookup) {
  const char *what = config_printf(reader, "lookup '%s'", node->string);
  struct lookup_spec *spec = &lookup->spec;
  struct config_scope scope;
  uint64_t bytes = 0;
  spec->name = str_from_cstr(node->string);
  if (!json_is_name(spec->name))
    json_key_error(reader->doc, node, reader->diags, "1 to 64 of A-Z a-z 0-9 . _ -",
                   "%s: this is not a name", what);
  if (!config_open_scope(reader, node, "lookups.*", what, &scope)) return;
  read_url(reader, &scope, lookup);
  config_read_duration(reader, &scope, "timeout", 1, MINUTE, &spec->timeout_ms);
  config_read_size(reader, &scope, "bytes", 64, 1 << 20, &bytes);
  config_read_number(reader, &scope, "concurrency", 1, CONCURRENCY_MAX, &spec->concurrency);
  config_read_duration(reader, &scope, "stale", 0, 7LL * DAY, &spec->stale_ms);
  spec->answer_bytes = bytes;
  read_on_error(reader, &scope);
  read_cache(reader, &scope, spec);
  read_breaker(reader, &scope, spec);
}

/* ---- attributes from them -------------------------------------------------------------------- */

static struct config_lookup *find_lookup(const struct config_reader *reader, struct str name) {
  for (size_t i = 0; i < reader->config->lookup_count; i++)
    if (str_eq(reader->config->lookups[i].spec.name, name)) return &reader->config->lookups[i];
  return NULL;
}

/* The index of a path among those that are kept of an answer; LOOKUP_FIELDS_MAX: no room. */
static size_t field_index(struct config_lookup *lookup, struct str path) {
  struct lookup_spec *spec = &lookup->spec;
  for (size_t i = 0; i < spec->field_count; i++)
    if (str_eq(spec->fields[i], path)) return i;
  if (spec->field_count == LOOKUP_FIELDS_MAX) return LOOKUP_FIELDS_MAX;
  lookup->fields[spec->field_count] = path;
  return spec->field_count++;
}

static bool read_field(const struct json_doc *doc, const cJSON *node, const char *what,
                       struct str *ret, struct diags *diags) {
  const cJSON *field = cJSON_GetObjectItemCaseSensitive(node, "field");
  static const char hint[] = "\"field\": \"registered_at\", or \"plan.tier\" inside an object";
  if (!field) {
    json_error(doc, node, diags, hint, "%s: which 'field' of the answer?", what);
    return false;
  }
  if (cJSON_IsString(field) && json_str(field).n > 0 && json_str(field).n <= 256) {
    *ret = json_str(field);
    return true;
  }
  json_error(doc, field, diags, hint, "%s: 'field' must be a string of 1 to 256 bytes", what);
  return false;
}

/* struct attr_offer.read, for {"lookup": NAME, "field": PATH} */
static bool read_source(void *context, const struct json_doc *doc, const cJSON *node,
                        const char *what, struct attr_offered *ret, struct diags *diags) {
  static const char *const keys[] = {"lookup", "field", NULL};
  struct config_reader *reader = context;
  const cJSON *name = cJSON_GetObjectItemCaseSensitive(node, "lookup");
  struct config_lookup *lookup = cJSON_IsString(name) ? find_lookup(reader, json_str(name)) : NULL;
  struct str path;
  bool known = json_check_keys(doc, node, keys, what, diags);
  if (!lookup)
    json_error(doc, name, diags, "the name of one of \"lookups\"",
               "%s: there is no such directory under \"lookups\"", what);
  if (!read_field(doc, node, what, &path, diags) || !lookup || !known) return false;
  const size_t field = field_index(lookup, path);
  if (field == LOOKUP_FIELDS_MAX) {
    json_error(doc, node, diags, NULL, "%s: more than %d fields of one directory", what,
               LOOKUP_FIELDS_MAX);
    return false;
  }
  *ret = (struct attr_offered){.id = CONFIG_LOOKUP_ID(lookup - reader->config->lookups, field),
                               .keys = lookup->template.keys,
                               .key_count = lookup->template.key_count};
  return true;
}

void config_offer_lookups(struct config_reader *reader, struct attr_catalog *catalog) {
  if (reader->config->lookup_count == 0) return;
  attr_catalog_offer(catalog, SOURCE_LOOKUP, (struct attr_offer){read_source, reader});
}

void config_read_lookups(struct config_reader *reader, const struct config_scope *root) {
  static const char hint[] =
      "\"lookups\": { \"users\": { \"url\": \"http://users.internal/{user.id}\" } }";
  struct config *config = reader->config;
  const cJSON *object = config_find(root, "lookups");
  if (!object) return;
  size_t n = cJSON_IsObject(object) ? (size_t)cJSON_GetArraySize(object) : 0;
  if (n == 0 || n > LOOKUPS_MAX) {
    json_error(reader->doc, object, reader->diags, hint,
               "lookups must be an object of 1 to %d names", LOOKUPS_MAX);
    return;
  }
  config->lookups = ARENA_ARRAY(reader->arena, struct config_lookup, n);
  if (!config->lookups) return config_fail_memory(reader);
  const cJSON *node;
  cJSON_ArrayForEach(node, object) {
    struct config_lookup *lookup = &config->lookups[config->lookup_count];
    lookup->fields = ARENA_ARRAY(reader->arena, struct str, LOOKUP_FIELDS_MAX);
    if (!lookup->fields) return config_fail_memory(reader);
    lookup->spec.fields = lookup->fields;
    config->lookup_count++;
    read_lookup(reader, node, lookup);
  }
}
