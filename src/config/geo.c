/*
 * geoip, and the sources that are asked for the client's address: {"geoip": "country"} of the
 * databases there, {"cidr": "ranges.json"} of a file of its own.
 */
#include <cjson/cJSON.h>

#include "reader.h"

/* Both look at the address, which a trusted proxy says. */
static const struct str request_fields[] = {STR_INIT("X-Forwarded-For")};

/* The string of a source that has nothing beside it; p == NULL: reported. */
static struct str source_text(const struct config_reader *reader, const cJSON *node,
                              const char *key, const char *what, const char *hint) {
  const char *const keys[] = {key, NULL};
  const cJSON *value = cJSON_GetObjectItemCaseSensitive(node, key);
  if (!json_check_keys(reader->doc, node, keys, what, reader->diags)) return (struct str){0};
  if (cJSON_IsString(value) && json_str(value).n > 0) return json_str(value);
  json_error(reader->doc, value, reader->diags, hint, "%s: '%s' must be a string that is not empty",
             what, key);
  return (struct str){0};
}

static bool read_field_source(void *context, const struct json_doc *doc, const cJSON *node,
                              const char *what, struct attr_offered *ret, struct diags *diags) {
  static const char one_of[] = "one of country, region, city, asn";
  const struct config_reader *reader = context;
  const cJSON *value = cJSON_GetObjectItemCaseSensitive(node, "geoip");
  struct str name = source_text(reader, node, "geoip", what, one_of);
  enum geo_field field;
  char buffer[128];
  if (!name.p) return false;
  if (!geo_field_parse(name, &field)) {
    const char *hint = diag_did_you_mean(name, geo_field_names, buffer, sizeof(buffer));
    json_error(doc, value, diags, hint ? hint : one_of, "%s: a database does not know '%.*s'", what,
               STR_ARG(name));
    return false;
  }
  /* One that was not loaded was reported, and might have had it. */
  size_t named = (size_t)cJSON_GetArraySize(cJSON_GetObjectItemCaseSensitive(
      cJSON_GetObjectItemCaseSensitive(json_root(doc), "geoip"), "databases"));
  if (!geo_has(reader->config->geo, field) && geo_database_count(reader->config->geo) == named) {
    json_error(doc, value, diags, "name one that does in \"geoip\", \"databases\"",
               "%s: no database knows '%.*s'", what, STR_ARG(name));
    return false;
  }
  *ret = (struct attr_offered){.id = field, .fields = request_fields, .field_count = 1};
  return true;
}

static bool read_range_source(void *context, const struct json_doc *doc, const cJSON *node,
                              const char *what, struct attr_offered *ret, struct diags *diags) {
  struct config_reader *reader = context;
  const cJSON *value = cJSON_GetObjectItemCaseSensitive(node, "cidr");
  struct str name = source_text(reader, node, "cidr", what, "a file, like \"ranges.json\"");
  size_t index;
  if (!name.p) return false;
  struct str path = config_path(reader, value, name, false);
  if (!path.p ||
      !geo_add_ranges(reader->config->geo, path.p, json_place(doc, value), diags, &index)) {
    return false;
  }
  *ret = (struct attr_offered){.id = (uint32_t)index, .fields = request_fields, .field_count = 1};
  return true;
}

static void read_databases(struct config_reader *reader, const struct config_scope *scope) {
  static const char example[] = "[\"country.mmdb\"]";
  const cJSON *list =
      config_want(reader, scope, "databases", "add \"databases\": [\"country.mmdb\"]");
  size_t n;
  if (!list || !config_to_list(reader, list, "geoip: 'databases'", example, &n)) return;
  if (n == 0) {
    json_error(reader->doc, list, reader->diags, example, "geoip: 'databases' is empty");
    return;
  }
  const cJSON *node;
  cJSON_ArrayForEach(node, list) {
    struct str text;
    if (!config_to_string(reader, node, "geoip: a database", "\"country.mmdb\"", &text)) continue;
    struct str path = config_path(reader, node, text, false);
    struct diag_place at = json_place(reader->doc, node);
    if (path.p && !geo_add_database(reader->config->geo, path.p, at, reader->diags) &&
        geo_database_count(reader->config->geo) == GEO_DATABASES_MAX) {
      return;
    }
  }
}

void config_read_geo(struct config_reader *reader, const struct config_scope *root,
                     struct attr_catalog *catalog) {
  struct config_scope scope;
  reader->config->geo = geo_new();
  if (!reader->config->geo) return config_fail_memory(reader);
  attr_catalog_offer(catalog, SOURCE_CIDR, (struct attr_offer){read_range_source, reader});
  const cJSON *node = config_find(root, "geoip");
  if (!node) return;
  attr_catalog_offer(catalog, SOURCE_GEOIP, (struct attr_offer){read_field_source, reader});
  if (config_open_scope(reader, node, "geoip", "geoip", &scope)) read_databases(reader, &scope);
}
