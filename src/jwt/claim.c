/* claim: the texts that a path into the payload leads to. */
#include <cjson/cJSON.h>

#include "adit/json.h"
#include "adit/jwt.h"

static const cJSON *find_member(const cJSON *object, struct str name) {
  if (!cJSON_IsObject(object)) return NULL;
  for (const cJSON *child = object->child; child; child = child->next) {
    if (str_eq(str_from_cstr(child->string), name)) return child;
  }
  return NULL;
}

static const cJSON *find(const cJSON *node, struct str path) {
  while (node) {
    const cJSON *whole = find_member(node, path);
    size_t dot = str_find_char(path, '.', 0);
    if (whole || dot == path.n) return whole;
    node = find_member(node, str_take(path, dot));
    path = str_skip(path, dot + 1);
  }
  return NULL;
}

static bool text_of(const struct json_doc *claims, const cJSON *node, struct str *ret) {
  if (cJSON_IsString(node)) {
    *ret = json_str(node);
  } else if (cJSON_IsNumber(node) || cJSON_IsBool(node)) {
    *ret = json_raw(claims, node);
  } else {
    return false;
  }
  return true;
}

bool jwt_claim(const struct json_doc *claims, struct str path, struct str *ret, size_t capacity,
               size_t *ret_n) {
  const cJSON *node = find(json_root(claims), path);
  if (!node) return false;
  bool is_list = cJSON_IsArray(node);
  size_t n = 0;
  for (const cJSON *item = is_list ? node->child : node; item; item = is_list ? item->next : NULL) {
    if (n == capacity || !text_of(claims, item, &ret[n])) return false;
    n++;
  }
  *ret_n = n;
  return true;
}
