/*
 * configuration: adit.json as it counts, with the defaults of what it leaves out. Which keys there
 * are, and which objects have defaults where they are left out, is in the table of keys.
 *
 * Secrets are in files of their own, of which only the names stand there; the query of a URL may
 * hold a key, and is left out. Names and passwords in URLs are refused when they are read.
 */
#include <cjson/cJSON.h>
#include <stdio.h>
#include <stdlib.h>

#include "adit/config.h"
#include "adit/json.h"
#include "admin_private.h"

enum { KEY_BYTES_MAX = 512 };

/* ---- defaults -------------------------------------------------------------------------------- */

/* Some keys have a meaning, and so a default, only beside another, or only without it. */
static bool has_meaning(const cJSON *object, const char *key) {
  if (config_key_last_part(key, "jwt.keys")) return cJSON_HasObjectItem(object, "url");
  if (strcmp(key, "jwt.from.header") == 0) return !cJSON_HasObjectItem(object, "cookie");
  return true;
}

/* NULL: memory. */
static cJSON *default_of(const struct config_key_info *row) {
  const char *text = row->default_text;
  if (strcmp(row->type, "object") == 0) return cJSON_CreateObject();
  if (strcmp(row->type, "number") == 0) return cJSON_CreateRaw(text);
  if (strcmp(row->type, "boolean") == 0) return cJSON_CreateBool(strcmp(text, "true") == 0);
  if (strcmp(row->type, "list") == 0) return cJSON_CreateStringArray(&text, 1);
  return cJSON_CreateString(text);
}

static bool has_default(const struct config_key_info *row) {
  if (config_key_is_implied(row->key)) return true;
  return row->default_text[0] != '\0' && strcmp(row->default_text, "required") != 0;
}

/* The members that an object leaves out; `key`: its own, as the table has it. */
static bool add_defaults(cJSON *object, const char *key) {
  size_t n;
  const struct config_key_info *rows = config_keys(&n);
  for (size_t i = 0; i < n; i++) {
    const char *name = config_key_last_part(rows[i].key, key);
    if (!name || cJSON_HasObjectItem(object, name)) continue;
    if (!has_default(&rows[i]) || !has_meaning(object, rows[i].key)) continue;
    cJSON *value = default_of(&rows[i]);
    if (!value || !cJSON_AddItemToObject(object, name, value)) {
      cJSON_Delete(value);
      return false;
    }
  }
  return true;
}

/* ---- secrets --------------------------------------------------------------------------------- */

static bool has_query(const char *key) {
  static const char *const keys[] = {"jwt.keys.url", "lookups.*.url",
                                     "upstreams.*.health_check.path"};
  for (size_t i = 0; i < sizeof(keys) / sizeof(*keys); i++)
    if (strcmp(keys[i], key) == 0) return true;
  return false;
}

/* What stands behind the "?". False: memory. */
static bool hide_query(cJSON *url) {
  const char *query = cJSON_IsString(url) ? strchr(url->valuestring, '?') : NULL;
  if (!query) return true;
  struct text shown;
  text_init(&shown, 1 << 16);
  text_printf(&shown, "%.*s?hidden%c", (int)(query - url->valuestring), url->valuestring, 0);
  const bool ok = !text_failed(&shown) && cJSON_SetValuestring(url, text_str(&shown).p);
  text_deinit(&shown);
  return ok;
}

/* ---- the whole ------------------------------------------------------------------------------- */

static bool show_object(cJSON *object, const char *key);

/* As deep as the table goes: what is in a condition of a segment is no key. */
static bool show_member(cJSON *member, const char *key) {
  char elements[KEY_BYTES_MAX];
  cJSON *element;
  bool ok = true;
  if (has_query(key)) return hide_query(member);
  if (cJSON_IsObject(member)) return !config_key_has_members(key) || show_object(member, key);
  (void)snprintf(elements, sizeof(elements), "%.400s[]", key);
  cJSON_ArrayForEach(element, member) {
    if (ok && cJSON_IsObject(element)) ok = show_object(element, elements);
  }
  return ok;
}

static bool show_object(cJSON *object, const char *key) {
  char below[KEY_BYTES_MAX];
  cJSON *member;
  bool ok = add_defaults(object, key);
  cJSON_ArrayForEach(member, object) {
    config_key_of_member(key, member->string, below, sizeof(below));
    ok = ok && show_member(member, below);
  }
  return ok;
}

void configuration_write(const struct config *config, struct text *out) {
  cJSON *root = cJSON_Duplicate(json_root(config->doc), true);
  cJSON_DeleteItemFromObjectCaseSensitive(root, "$schema"); /* for editors: it does not count */
  char *printed = root && show_object(root, "") ? cJSON_PrintUnformatted(root) : NULL;
  if (printed)
    text_add(out, str_from_cstr(printed));
  else
    out->failed = true;
  cJSON_free(printed);
  cJSON_Delete(root);
}
