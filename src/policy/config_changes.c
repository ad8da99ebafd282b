/*
 * config_changes: two adit.json, key by key. What there is to compare and how deep it goes is in
 * the table of keys (config_keys()): a condition of a segment is one value.
 */
#include <cjson/cJSON.h>
#include <stdio.h>

#include "adit/config.h"
#include "adit/json.h"
#include "changes.h"

enum { PATH_BYTES_MAX = 512, VALUE_BYTES_MAX = 100 };

/* A key on the way down: as people read it, and as the table has it, with "*" for names. */
struct path {
  char shown[PATH_BYTES_MAX], key[PATH_BYTES_MAX];
};

struct comparison {
  struct changes *changes;
  const struct config *config; /* the new one */
};

static struct path below(const struct path *parent, const char *name) {
  struct path path;
  (void)snprintf(path.shown, sizeof(path.shown), "%.200s%s%.200s", parent->shown,
                 parent->key[0] ? "." : "", name);
  config_key_of_member(parent->key, name, path.key, sizeof(path.key));
  return path;
}

/* ---- what is told ---------------------------------------------------------------------------- */

/* Whether no value of the key is long, or can hold a secret, as a URL can. */
static bool may_be_shown(const struct config_key_info *row) {
  static const char *const shown[] = {"duration", "size", "number", "boolean"};
  static const char *const words[] = {"upstreams.*.load_balancing", "traceparent", "jwt.on_invalid",
                                      "jwt.on_absent"};
  for (size_t i = 0; row && i < sizeof(shown) / sizeof(*shown); i++)
    if (strcmp(row->type, shown[i]) == 0) return true;
  for (size_t i = 0; row && i < sizeof(words) / sizeof(*words); i++)
    if (strcmp(row->key, words[i]) == 0) return true;
  return false;
}

/* A side that leaves the key out has its default. */
static void add_value(struct text *line, const cJSON *value, const struct config_key_info *row) {
  if (!value)
    text_printf(line, "%s", row->default_text[0] ? row->default_text : "none");
  else if (cJSON_IsString(value))
    text_printf(line, "%s", value->valuestring);
  else if (cJSON_IsBool(value))
    text_printf(line, "%s", cJSON_IsTrue(value) ? "true" : "false");
  else
    text_printf(line, "%.15g", value->valuedouble);
}

/* False: they are the same, as a default that is written down is. */
static bool add_values(struct text *line, const struct config_key_info *row, const cJSON *before,
                       const cJSON *after) {
  struct text from, to;
  text_init(&from, VALUE_BYTES_MAX);
  text_init(&to, VALUE_BYTES_MAX);
  add_value(&from, before, row);
  add_value(&to, after, row);
  const bool differ = !str_eq(text_str(&from), text_str(&to));
  text_printf(line, ": %.*s -> %.*s", STR_ARG(text_str(&from)), STR_ARG(text_str(&to)));
  text_deinit(&from);
  text_deinit(&to);
  return differ;
}

static void tell(const struct comparison *all, const struct path *path, const cJSON *before,
                 const cJSON *after) {
  const struct config_key_info *row = config_key_find(path->key);
  struct text *line = &all->changes->line;
  if (row && !row->reloadable) return;
  text_clear(line);
  text_printf(line, "%s: '%s'", all->config->path, path->shown);
  if (!may_be_shown(row))
    text_add(line, before && after ? STR(" changed") : after ? STR(" added") : STR(" removed"));
  else if (!add_values(line, row, before, after))
    return;
  changes_end(all->changes);
}

/* ---- objects --------------------------------------------------------------------------------- */

static void compare_objects(const struct comparison *all, const struct path *path,
                            const cJSON *before, const cJSON *after);

static bool is_told_elsewhere(const struct path *path, const cJSON *before, const cJSON *after) {
  if (strcmp(path->key, "upstreams.*") == 0) return !before || !after;
  return strcmp(path->key, "upstreams.*.endpoints") == 0 || strcmp(path->key, "$schema") == 0;
}

static void compare(const struct comparison *all, const struct path *parent, const char *name,
                    const cJSON *before, const cJSON *after) {
  if (before && after && cJSON_Compare(before, after, true)) return;
  const struct path path = below(parent, name);
  if (is_told_elsewhere(&path, before, after)) return;
  const bool both = cJSON_IsObject(before) && cJSON_IsObject(after);
  if (config_key_is_implied(path.key) || (both && config_key_has_members(path.key)))
    compare_objects(all, &path, before, after);
  else
    tell(all, &path, before, after);
}

static void compare_objects(const struct comparison *all, const struct path *path,
                            const cJSON *before, const cJSON *after) {
  const cJSON *member;
  cJSON_ArrayForEach(member, before) {
    const cJSON *other = cJSON_GetObjectItemCaseSensitive(after, member->string);
    compare(all, path, member->string, member, other);
  }
  cJSON_ArrayForEach(member, after) {
    if (!cJSON_GetObjectItemCaseSensitive(before, member->string))
      compare(all, path, member->string, NULL, member);
  }
}

/* ---- secrets --------------------------------------------------------------------------------- */

/* By what they are: another file may hold the same, and the same file another. */
static void compare_secrets(const struct comparison *all, const struct config *before,
                            const struct config *after) {
  struct text *line = &all->changes->line;
  for (size_t i = 0; i < after->key_count; i++)
    for (size_t k = 0; k < before->key_count; k++) {
      if (!str_eq(before->keys[k].id, after->keys[i].id) ||
          str_eq(before->keys[k].secret, after->keys[i].secret))
        continue;
      text_clear(line);
      text_printf(line, "%s: 'sticky': key '%.*s' is another one", after->path,
                  STR_ARG(after->keys[i].id));
      changes_end(all->changes);
    }
  if (!before->admin_token.p || !after->admin_token.p ||
      str_eq(before->admin_token, after->admin_token))
    return;
  text_clear(line);
  text_printf(line, "%s: 'admin.token_file': the token is another one", after->path);
  changes_end(all->changes);
}

void changes_compare_keys(struct changes *changes, const struct config *before,
                          const struct config *after) {
  const struct comparison all = {.changes = changes, .config = after};
  const struct path root = {"", ""};
  compare_objects(&all, &root, json_root(before->doc), json_root(after->doc));
  compare_secrets(&all, before, after);
}
