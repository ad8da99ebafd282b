/*
 * Typed members of one object. Each function says what is wrong at the value, or at the object's
 * key when a member is missing.
 */
#include "reader.h"

#include <cjson/cJSON.h>
#include <stdio.h>

#include "adit/units.h"

static const char duration_hint[] = "a whole number and one of ms s m h d, like \"10s\"";
static const char size_hint[] = "a whole number and one of B KiB MiB GiB, like \"64KiB\"";

/* ---- scopes ---------------------------------------------------------------------------------- */

bool config_open_scope(struct config_reader *reader, const struct cJSON *node, const char *path,
                       const char *what, struct config_scope *ret) {
  if (!cJSON_IsObject(node)) {
    json_error(reader->doc, node, reader->diags, "write { … }", "%s must be an object, not %s",
               what, json_kind(node));
    return false;
  }
  const char *known[CONFIG_KEYS_MAX];
  config_keys_under(path, known);
  (void)json_check_keys(reader->doc, node, known, what, reader->diags);
  *ret = (struct config_scope){node, path, what};
  return true;
}

const struct cJSON *config_find(const struct config_scope *scope, const char *key) {
  (void)config_key_get(scope, key);
  return cJSON_GetObjectItemCaseSensitive(scope->object, key);
}

const struct cJSON *config_want(struct config_reader *reader, const struct config_scope *scope,
                                const char *key, const char *hint) {
  const cJSON *node = config_find(scope, key);
  if (!node) {
    json_key_error(reader->doc, scope->object, reader->diags, hint, "%s: '%s' is missing",
                   scope->what, key);
  }
  return node;
}

/* ---- plain types ----------------------------------------------------------------------------- */

static bool fail_kind(struct config_reader *reader, const cJSON *node, const char *what,
                      const char *expected, const char *hint) {
  json_error(reader->doc, node, reader->diags, hint, "%s must be %s, not %s", what, expected,
             json_kind(node));
  return false;
}

bool config_to_string(struct config_reader *reader, const struct cJSON *node, const char *what,
                      const char *hint, struct str *ret) {
  if (!cJSON_IsString(node)) return fail_kind(reader, node, what, "a string", hint);
  *ret = json_str(node);
  return true;
}

bool config_to_list(struct config_reader *reader, const struct cJSON *node, const char *what,
                    const char *hint, size_t *ret_n) {
  if (!cJSON_IsArray(node)) return fail_kind(reader, node, what, "a list", hint);
  *ret_n = (size_t)cJSON_GetArraySize(node);
  return true;
}

static const char *member_name(struct config_reader *reader, const struct config_scope *scope,
                               const char *key) {
  return config_printf(reader, "%s: '%s'", scope->what, key);
}

void config_read_boolean(struct config_reader *reader, const struct config_scope *scope,
                         const char *key, bool *ret) {
  const struct config_key_info *row = config_key_get(scope, key);
  const cJSON *node = config_find(scope, key);
  *ret = strcmp(row->default_text, "true") == 0;
  if (!node) return;
  if (cJSON_IsBool(node)) {
    *ret = cJSON_IsTrue(node);
  } else {
    fail_kind(reader, node, member_name(reader, scope, key), "true or false", NULL);
  }
}

void config_read_number(struct config_reader *reader, const struct config_scope *scope,
                        const char *key, unsigned min, unsigned max, unsigned *ret) {
  uint64_t value = 0;
  bool has_default =
      str_to_u64(str_from_cstr(config_key_get(scope, key)->default_text), max, &value);
  *ret = has_default ? (unsigned)value : min;
  const cJSON *node = config_find(scope, key);
  if (!node) return;
  const char *name = member_name(reader, scope, key);
  if (!cJSON_IsNumber(node)) {
    fail_kind(reader, node, name, "a number", NULL);
  } else if (node->valuedouble < min || node->valuedouble > max ||
             (double)(unsigned)node->valuedouble != node->valuedouble) {
    json_error(reader->doc, node, reader->diags, NULL, "%s must be a whole number from %u to %u",
               name, min, max);
  } else {
    *ret = (unsigned)node->valuedouble;
  }
}

/* ---- durations and sizes --------------------------------------------------------------------- */

void config_read_duration(struct config_reader *reader, const struct config_scope *scope,
                          const char *key, int64_t min_ms, int64_t max_ms, int64_t *ret_ms) {
  struct str text = str_from_cstr(config_key_get(scope, key)->default_text);
  if (!duration_parse(text, false, ret_ms)) *ret_ms = min_ms;
  const cJSON *node = config_find(scope, key);
  if (!node) return;
  const char *name = member_name(reader, scope, key);
  int64_t value = 0;
  if (!config_to_string(reader, node, name, duration_hint, &text)) return;
  if (!duration_parse(text, false, &value)) {
    json_error(reader->doc, node, reader->diags, duration_hint, "%s: '%.*s' is not a duration",
               name, STR_ARG(text));
  } else if (value < min_ms || value > max_ms) {
    char low[32], high[32];
    json_error(reader->doc, node, reader->diags, NULL, "%s must be from %.*s to %.*s", name,
               STR_ARG(duration_format(min_ms, low, sizeof(low))),
               STR_ARG(duration_format(max_ms, high, sizeof(high))));
  } else {
    *ret_ms = value;
  }
}

/* As size_parse reads it; `buffer` holds 32 bytes. */
static const char *format_size(uint64_t bytes, char *buffer, size_t capacity) {
  static const char *const units[] = {"B", "KiB", "MiB", "GiB"};
  size_t unit = 0;
  while (unit < 3 && bytes > 0 && bytes % 1024 == 0) {
    bytes /= 1024;
    unit++;
  }
  snprintf(buffer, capacity, "%llu%s", (unsigned long long)bytes, units[unit]);
  return buffer;
}

void config_read_size(struct config_reader *reader, const struct config_scope *scope,
                      const char *key, uint64_t min, uint64_t max, uint64_t *ret) {
  struct str text = str_from_cstr(config_key_get(scope, key)->default_text);
  if (!size_parse(text, ret)) *ret = min;
  const cJSON *node = config_find(scope, key);
  if (!node) return;
  const char *name = member_name(reader, scope, key);
  uint64_t value = 0;
  if (!config_to_string(reader, node, name, size_hint, &text)) return;
  if (!size_parse(text, &value)) {
    json_error(reader->doc, node, reader->diags, size_hint, "%s: '%.*s' is not a size", name,
               STR_ARG(text));
  } else if (value < min || value > max) {
    char low[32], high[32];
    json_error(reader->doc, node, reader->diags, NULL, "%s must be from %s to %s", name,
               format_size(min, low, sizeof(low)), format_size(max, high, sizeof(high)));
  } else {
    *ret = value;
  }
}

/* ---- words ----------------------------------------------------------------------------------- */

unsigned config_read_word(struct config_reader *reader, const struct config_scope *scope,
                          const char *key, const char *const *words, const char *hint) {
  const char *name = member_name(reader, scope, key);
  struct str text = str_from_cstr(config_key_get(scope, key)->default_text);
  const cJSON *node = config_find(scope, key);
  if (node && !config_to_string(reader, node, name, hint, &text)) return 0;
  for (unsigned i = 0; words[i]; i++)
    if (str_eq(text, str_from_cstr(words[i]))) return i;
  json_error(reader->doc, node, reader->diags, hint, "%s cannot be '%.*s'", name, STR_ARG(text));
  return 0;
}

/* ---- texts ----------------------------------------------------------------------------------- */

void config_fail_memory(struct config_reader *reader) {
  diags_add(reader->diags, DIAG_ERROR, (struct diag_place){reader->config->path, 0, 0},
            "make the file smaller", "not enough memory to load it");
}

const char *config_printf(struct config_reader *reader, const char *format, ...) {
  va_list args;
  va_start(args, format);
  struct str text = arena_vprintf(reader->arena, format, args);
  va_end(args);
  return text.p ? text.p : "…"; /* the arena remembers: config_load looks at its end */
}

static struct str escape_glob(struct arena *arena, struct str directory) {
  char *p = arena_alloc(arena, 2 * directory.n + 1);
  size_t n = 0;
  for (size_t i = 0; p && i < directory.n; i++) {
    if (memchr("*?[\\", directory.p[i], 4)) p[n++] = '\\';
    p[n++] = directory.p[i];
  }
  return str_make(p, n);
}

struct str config_path(struct config_reader *reader, const struct cJSON *node, struct str text,
                       bool glob) {
  struct str directory = str_from_cstr(reader->config->directory);
  struct str path;
  if (str_starts_with(text, STR("/")) || str_eq(directory, STR("."))) {
    path = arena_dup(reader->arena, text);
  } else {
    const char *slash = str_ends_with(directory, STR("/")) ? "" : "/";
    if (glob) directory = escape_glob(reader->arena, directory);
    path = arena_printf(reader->arena, "%.*s%s%.*s", STR_ARG(directory), slash, STR_ARG(text));
  }
  if (!path.p) json_error(reader->doc, node, reader->diags, NULL, "out of memory");
  return path;
}
