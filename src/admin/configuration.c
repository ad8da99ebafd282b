/*
 * configuration: adit.json as it counts, with the defaults of what it leaves out.
 *
 * Secrets are in files of their own, of which only the names stand there; the query of a URL may
 * hold a key, and is left out.
 */
#include <cjson/cJSON.h>
#include <stdlib.h>

#include "adit/config.h"
#include "adit/json.h"
#include "admin_private.h"

/* An object of the defaults that are known without it: its members stand in it alone. */
static bool is_plain_object(struct str name) {
  return str_eq(name, STR("limits")) || str_eq(name, STR("timeouts"));
}

static cJSON *default_of(const struct config_key_info *row) {
  const char *text = row->default_text;
  if (strcmp(row->type, "number") == 0) return cJSON_CreateRaw(text);
  if (strcmp(row->type, "boolean") == 0) return cJSON_CreateBool(strcmp(text, "true") == 0);
  if (strcmp(row->type, "list") == 0) return cJSON_CreateStringArray(&text, 1);
  return cJSON_CreateString(text);
}

/* "timeouts.header": the object that it stands in, and its own name. NULL: it has no place. */
static cJSON *parent_of(cJSON *root, const char *key, const char **ret_name) {
  const char *dot = strchr(key, '.');
  *ret_name = key;
  if (!dot) return root;
  *ret_name = dot + 1;
  char name[64];
  struct str parent = str_copy_to(str_make(key, (size_t)(dot - key)), name, sizeof(name));
  if (strchr(dot + 1, '.')) return NULL;
  cJSON *object = cJSON_GetObjectItemCaseSensitive(root, name);
  if (!object && is_plain_object(parent)) object = cJSON_AddObjectToObject(root, name);
  return cJSON_IsObject(object) ? object : NULL;
}

static bool add_defaults(cJSON *root) {
  size_t n;
  const struct config_key_info *rows = config_keys(&n);
  for (size_t i = 0; i < n; i++) {
    const char *name, *text = rows[i].default_text;
    if (text[0] == '\0' || strcmp(text, "required") == 0 || strpbrk(rows[i].key, "*[")) continue;
    cJSON *parent = parent_of(root, rows[i].key, &name);
    if (!parent || cJSON_HasObjectItem(parent, name)) continue;
    cJSON *value = default_of(&rows[i]);
    if (!value || !cJSON_AddItemToObject(parent, name, value)) {
      cJSON_Delete(value);
      return false;
    }
  }
  return true;
}

/* What stands behind the "?" of the URL in an object, if it has one. */
static bool hide_query(cJSON *object) {
  const cJSON *url = cJSON_GetObjectItemCaseSensitive(object, "url");
  const char *query = cJSON_IsString(url) ? strchr(url->valuestring, '?') : NULL;
  if (!query) return true;
  struct text shown;
  text_init(&shown, 1 << 16);
  text_printf(&shown, "%.*s?hidden", (int)(query - url->valuestring), url->valuestring);
  cJSON *copy = text_failed(&shown) ? NULL : cJSON_CreateString(shown.p);
  text_deinit(&shown);
  if (copy && cJSON_ReplaceItemInObjectCaseSensitive(object, "url", copy)) return true;
  cJSON_Delete(copy);
  return false;
}

static bool hide_queries(cJSON *root) {
  cJSON *jwt = cJSON_GetObjectItemCaseSensitive(root, "jwt");
  cJSON *lookup;
  bool ok = hide_query(cJSON_GetObjectItemCaseSensitive(jwt, "keys"));
  cJSON_ArrayForEach(lookup, cJSON_GetObjectItemCaseSensitive(root, "lookups")) {
    ok = ok && hide_query(lookup);
  }
  return ok;
}

void configuration_write(const struct config *config, struct text *out) {
  cJSON *root = cJSON_Duplicate(json_root(config->doc), true);
  char *printed =
      root && add_defaults(root) && hide_queries(root) ? cJSON_PrintUnformatted(root) : NULL;
  if (printed)
    text_add(out, str_from_cstr(printed));
  else
    out->failed = true;
  cJSON_free(printed);
  cJSON_Delete(root);
}
