/* hash_by: the attributes that an upstream balances by. */
#include <cjson/cJSON.h>

#include "reader.h"

static const char hint_of_list[] = "\"hash_by\": [\"user.id\", \"client_ip\"]";

/* One table for all upstreams: a request's reader goes from a route's to this one. NULL: memory. */
static struct attr_table *table_of(struct config_reader *reader) {
  struct config *config = reader->config;
  if (!config->hash_attributes && config->catalog)
    config->hash_attributes = attr_table_new(reader->arena, config->catalog);
  return config->hash_attributes;
}

static bool is_there(const struct config_upstream *upstream, uint16_t slot) {
  for (size_t i = 0; i < upstream->hash_by_count; i++)
    if (upstream->hash_by[i] == slot) return true;
  return false;
}

static bool read_attribute(struct config_reader *reader, const cJSON *node, const char *what,
                           const struct config_upstream *upstream, uint16_t *ret) {
  const char *const *names = attr_catalog_names(reader->config->catalog);
  struct attr_table *table = reader->config->hash_attributes;
  enum attr_type type;
  struct str name;
  char hint[160];
  if (!config_to_string(reader, node, config_printf(reader, "%s: a name", what), "\"user.id\"",
                        &name))
    return false;
  if (!attr_catalog_find(reader->config->catalog, name, &type)) {
    const bool is_family = str_ends_with(name, STR("."));
    json_error(reader->doc, node, reader->diags,
               is_family ? "a name follows the dot, like header.x-tenant"
                         : diag_did_you_mean(name, names, hint, sizeof(hint)),
               "%s: unknown attribute '%.*s'", what, STR_ARG(name));
    return false;
  }
  *ret = attr_table_slot(table, name);
  if (*ret == ATTR_SLOT_NONE) {
    json_error(reader->doc, node, reader->diags, "at most 4096 in all", "%s: too many attributes",
               what);
  } else if (attr_table_is_timed(table, *ret)) {
    json_error(reader->doc, node, reader->diags, "a key stays the same from visit to visit",
               "%s: '%.*s' depends on the time", what, STR_ARG(name));
  } else if (is_there(upstream, *ret)) {
    json_error(reader->doc, node, reader->diags, "remove one of them", "%s: '%.*s' is there twice",
               what, STR_ARG(name));
  } else {
    return true;
  }
  return false;
}

/* False: an error was added. */
static bool check_balance(struct config_reader *reader, const struct config_scope *scope,
                          const struct config_upstream *upstream, const cJSON *list) {
  if (!list) {
    if (upstream->balance != BALANCE_HASH) return false;
    json_error(reader->doc, config_find(scope, "load_balancing"), reader->diags, hint_of_list,
               "%s: 'load_balancing' is 'hash', and 'hash_by' is missing", scope->what);
    return false;
  }
  if (upstream->balance == BALANCE_HASH) return true;
  json_key_error(reader->doc, list, reader->diags, "remove it, or \"load_balancing\": \"hash\"",
                 "%s: 'hash_by' is there, and 'load_balancing' is not 'hash'", scope->what);
  return false;
}

void config_read_hash_by(struct config_reader *reader, const struct config_scope *scope,
                         struct config_upstream *upstream) {
  const cJSON *list = config_find(scope, "hash_by"), *node;
  const char *what = config_printf(reader, "%s: 'hash_by'", scope->what);
  size_t n = 0;
  if (!check_balance(reader, scope, upstream, list)) return;
  if (!config_to_list(reader, list, what, hint_of_list, &n)) return;
  if (n == 0 || n > CONFIG_HASH_BY_MAX) {
    json_error(reader->doc, list, reader->diags, hint_of_list, "%s must have 1 to %d entries", what,
               CONFIG_HASH_BY_MAX);
    return;
  }
  uint16_t *slots = ARENA_ARRAY(reader->arena, uint16_t, n);
  if (!slots || !table_of(reader)) return config_fail_memory(reader);
  upstream->hash_by = slots;
  cJSON_ArrayForEach(node, list) {
    if (read_attribute(reader, node, what, upstream, &slots[upstream->hash_by_count]))
      upstream->hash_by_count++;
  }
}
