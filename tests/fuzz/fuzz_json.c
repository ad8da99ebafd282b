/*
 * What the strict scan takes, cJSON takes too and keeps whole; every node has its place; and an
 * editable file with the same text means the same.
 */
#include <cjson/cJSON.h>
#include <stdlib.h>

#include "adit/json.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void require(bool holds) {
  if (!holds) abort();
}

/* Returns the length of the longest number. */
static size_t check_node(const struct json_doc *doc, const cJSON *node) {
  struct str raw = json_raw(doc, node);
  struct diag_place place = json_place(doc, node);
  struct diag_place key = json_key_place(doc, node);
  require(raw.n > 0 && place.line > 0 && place.column > 0 && key.line > 0);
  require(node->string ? raw.p > json_text(doc).p : key.column == place.column);
  require(!cJSON_IsString(node) || json_str(node).n < raw.n);
  size_t longest = cJSON_IsNumber(node) ? raw.n : 0;
  for (const cJSON *child = node->child; child; child = child->next) {
    size_t n = check_node(doc, child);
    if (n > longest) longest = n;
  }
  return longest;
}

static void check_strict(const struct json_doc *doc, struct str text, size_t longest_number,
                         struct diags *diags) {
  cJSON *plain = cJSON_ParseWithLength(json_text(doc).p, text.n + 1);
  require(str_is_utf8(text));
  /* cJSON itself reads no longer number. */
  require(plain ? cJSON_Compare(plain, json_root(doc), true) : longest_number > 63);
  cJSON_Delete(plain);
  struct json_doc *editable = json_parse(text, "fuzz", JSON_EDITABLE, diags);
  require(editable && cJSON_Compare(json_root(editable), json_root(doc), true));
  json_free(&editable);
  struct json_doc *again = json_parse(json_raw(doc, json_root(doc)), "fuzz", JSON_STRICT, diags);
  require(again && cJSON_Compare(json_root(again), json_root(doc), true));
  json_free(&again);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
  struct str text = str_make((const char *)data, size);
  struct diags *diags = diags_new();
  if (!diags) return 0;
  for (int style = JSON_STRICT; style <= JSON_EDITABLE; style++) {
    size_t before = diags_count(diags, DIAG_ERROR);
    struct json_doc *doc = json_parse(text, "fuzz", (enum json_style)style, diags);
    require((doc == NULL) == (diags_count(diags, DIAG_ERROR) > before));
    if (!doc) continue;
    size_t longest_number = check_node(doc, json_root(doc));
    if (style == JSON_STRICT) check_strict(doc, text, longest_number, diags);
    json_free(&doc);
  }
  diags_free(&diags);
  return 0;
}
