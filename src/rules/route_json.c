/* What the parts of a rule file's compiler share: members, kinds, names. */
#include <cjson/cJSON.h>
#include <stdio.h>

#include "adit/hash.h"
#include "route.h"

const struct cJSON *route_member(const struct cJSON *object, const char *key) {
  return cJSON_GetObjectItemCaseSensitive(object, key);
}

uint64_t route_digest(const struct cJSON *node) {
  char *text = cJSON_PrintUnformatted(node);
  const uint64_t digest = text ? digest_of(str_from_cstr(text)) : 0;
  cJSON_free(text);
  return digest;
}

static const char *kind_text(const struct cJSON *node) {
  if (cJSON_IsObject(node)) return "an object";
  if (cJSON_IsArray(node)) return "a list";
  if (cJSON_IsString(node)) return "a string";
  if (cJSON_IsNumber(node)) return "a number";
  if (cJSON_IsTrue(node)) return "true";
  if (cJSON_IsFalse(node)) return "false";
  return "null";
}

static void add_kind_error(struct route_compiler *compiler, const struct cJSON *node,
                           const char *what, const char *wanted) {
  json_error(compiler->doc, node, compiler->diags, NULL, "%s must be %s, not %s", what, wanted,
             kind_text(node));
}

bool route_want_object(struct route_compiler *compiler, const struct cJSON *node,
                       const char *what) {
  if (cJSON_IsObject(node)) return true;
  add_kind_error(compiler, node, what, "an object");
  return false;
}

bool route_want_array(struct route_compiler *compiler, const struct cJSON *node, const char *what) {
  if (cJSON_IsArray(node)) return true;
  add_kind_error(compiler, node, what, "a list");
  return false;
}

bool route_want_string(struct route_compiler *compiler, const struct cJSON *node, const char *what,
                       struct str *ret) {
  if (!cJSON_IsString(node)) {
    add_kind_error(compiler, node, what, "a string");
    return false;
  }
  *ret = json_str(node);
  return true;
}

bool route_want_name(struct route_compiler *compiler, const struct cJSON *node, const char *what,
                     struct str *ret) {
  struct str name;
  if (!route_want_string(compiler, node, what, &name)) return false;
  if (!json_is_name(name)) {
    json_error(compiler->doc, node, compiler->diags,
               "1 to 64 letters, digits, '.', '_' and '-' of ASCII", "%s: '%.*s' is not a name",
               what, STR_ARG(name));
    return false;
  }
  *ret = name;
  return true;
}

bool route_want_bool(struct route_compiler *compiler, const struct cJSON *node, const char *what,
                     bool *ret) {
  if (!cJSON_IsBool(node)) {
    add_kind_error(compiler, node, what, "true or false");
    return false;
  }
  *ret = cJSON_IsTrue(node);
  return true;
}

const char *route_variant_hint(struct route_compiler *compiler, struct str name, char *buffer,
                               size_t capacity) {
  enum { LISTED_MAX = 4 };
  const struct route *route = compiler->route;
  const char *meant = diag_did_you_mean(name, compiler->variant_names, buffer, capacity);
  if (meant || route->variant_count > LISTED_MAX) return meant;
  size_t n = 0;
  for (uint16_t i = 0; i < route->variant_count && n < capacity; i++) {
    int written = snprintf(buffer + n, capacity - n, "%s %.*s", i == 0 ? "known here:" : "",
                           STR_ARG(route->variants[i].name));
    n += written > 0 ? (size_t)written : 0;
  }
  return buffer;
}

uint16_t route_want_variant(struct route_compiler *compiler, const struct cJSON *node,
                            const char *what) {
  if (!cJSON_IsString(node)) {
    json_error(compiler->doc, node, compiler->diags, NULL,
               "%s: a variant is named by a string, not %s", what, kind_text(node));
    return VARIANT_NONE;
  }
  if (!compiler->variant_names) return VARIANT_NONE;
  struct str name = json_str(node);
  uint16_t variant = route_find_variant(compiler->route, name);
  if (variant == VARIANT_NONE) {
    char hint[ROUTE_HINT_MAX];
    json_error(compiler->doc, node, compiler->diags,
               route_variant_hint(compiler, name, hint, sizeof(hint)), "%s: unknown variant '%.*s'",
               what, STR_ARG(name));
  }
  return variant;
}

struct str route_keep(struct route_compiler *compiler, struct str s) {
  return arena_dup(compiler->arena, s);
}

struct diag_place route_place(const struct route_compiler *compiler, const struct cJSON *node) {
  struct diag_place place = json_place(compiler->doc, node);
  place.file = compiler->route->file;
  return place;
}
