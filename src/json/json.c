/*
 * A document: the text, cJSON's tree of it, and for each node of the tree its token of the scan.
 *
 *   json_parse ─ scan (scan.c) ─ cJSON ─ match_node: nodes[i] belongs to tokens[i], since both are
 *   in document order ─ report_duplicates
 *
 * `slots` is a hash table from a node's address to i, for json_place.
 */
#include <assert.h>
#include <cjson/cJSON.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include "adit/text.h"
#include "scan.h"

struct json_doc {
  char *name;
  char *text; /* text_n bytes and a NUL */
  size_t text_n;
  cJSON *root;
  struct json_token *tokens;
  cJSON **nodes;
  size_t count;
  uint32_t *slots; /* index + 1; 0: free */
  size_t slot_mask;
  uint32_t *lines; /* offset of each line's start */
  size_t line_count;
};

/* ---- places ---------------------------------------------------------------------------------- */

/* Moves *at behind the next line break. */
static bool next_line(const struct json_doc *doc, size_t *at) {
  const char *found = memchr(doc->text + *at, '\n', doc->text_n - *at);
  if (found) *at = (size_t)(found - doc->text) + 1;
  return found != NULL;
}

static bool index_lines(struct json_doc *doc) {
  size_t count = 1;
  for (size_t at = 0; next_line(doc, &at);) count++;
  doc->lines = reallocarray(NULL, count, sizeof(*doc->lines));
  if (!doc->lines) return false;
  doc->lines[0] = 0;
  doc->line_count = 1;
  for (size_t at = 0; next_line(doc, &at);) doc->lines[doc->line_count++] = (uint32_t)at;
  return true;
}

static struct diag_place place_of(const struct json_doc *doc, size_t offset) {
  size_t low = 0;
  size_t high = doc->line_count;
  while (high - low > 1) {
    size_t middle = low + (high - low) / 2;
    if (doc->lines[middle] <= offset) {
      low = middle;
    } else {
      high = middle;
    }
  }
  return (struct diag_place){doc->name, (unsigned)(low + 1),
                             (unsigned)(offset - doc->lines[low] + 1)};
}

static size_t slot_of(const struct json_doc *doc, const cJSON *node) {
  uint64_t mixed = (uint64_t)(uintptr_t)node * UINT64_C(0x9E3779B97F4A7C15);
  return (size_t)(mixed >> 32) & doc->slot_mask;
}

static bool index_nodes(struct json_doc *doc) {
  size_t capacity = 16;
  while (capacity < doc->count * 2) capacity *= 2;
  doc->slots = calloc(capacity, sizeof(*doc->slots));
  if (!doc->slots) return false;
  doc->slot_mask = capacity - 1;
  for (size_t i = 0; i < doc->count; i++) {
    size_t slot = slot_of(doc, doc->nodes[i]);
    while (doc->slots[slot] != 0) slot = (slot + 1) & doc->slot_mask;
    doc->slots[slot] = (uint32_t)(i + 1);
  }
  return true;
}

/* NULL: not a node of this document. */
static const struct json_token *find_token(const struct json_doc *doc, const cJSON *node) {
  for (size_t slot = slot_of(doc, node); doc->slots[slot] != 0;
       slot = (slot + 1) & doc->slot_mask) {
    size_t i = doc->slots[slot] - 1;
    if (doc->nodes[i] == node) return &doc->tokens[i];
  }
  return NULL;
}

/* ---- duplicate keys -------------------------------------------------------------------------- */

struct member {
  const char *key;
  const struct json_token *token;
};

static int compare_members(const void *a, const void *b) {
  const struct member *first = a;
  const struct member *second = b;
  int order = strcmp(first->key, second->key);
  if (order != 0) return order;
  return (first->token->key > second->token->key) - (first->token->key < second->token->key);
}

enum { LINE_NAME_BYTES = 32 };

/* The line of an offset, for a message that is about `here`. */
static const char *name_line(const struct json_doc *doc, size_t offset, unsigned here,
                             char buffer[LINE_NAME_BYTES]) {
  unsigned line = place_of(doc, offset).line;
  if (line == here) return "this line";
  snprintf(buffer, LINE_NAME_BYTES, "line %u", line);
  return buffer;
}

enum { FEW_MEMBERS = 16 };

/* Whether no key comes twice, as far as that is told sooner by comparing each with each. */
static bool is_known_unique(const cJSON *object, size_t n) {
  if (n > FEW_MEMBERS) return false;
  for (const cJSON *a = object->child; a; a = a->next) {
    for (const cJSON *b = a->next; b; b = b->next) {
      if (strcmp(a->string, b->string) == 0) return false;
    }
  }
  return true;
}

/* Adds an error for each member that repeats a key. Sorting keeps this from being quadratic.
 * Returns false when memory is short. */
static bool report_duplicates(const struct json_doc *doc, const cJSON *object, size_t n,
                              struct diags *diags) {
  struct member *members = calloc(n, sizeof(*members));
  if (!members) return false;
  n = 0;
  for (const cJSON *child = object->child; child; child = child->next) {
    members[n++] = (struct member){child->string, find_token(doc, child)};
  }
  qsort(members, n, sizeof(*members), compare_members);
  for (size_t i = 1, first = 0; i < n; i++) {
    if (strcmp(members[i].key, members[first].key) != 0) {
      first = i;
      continue;
    }
    char line[LINE_NAME_BYTES], hint[64];
    struct diag_place at = place_of(doc, members[i].token->key);
    snprintf(hint, sizeof(hint), "it is in %s already",
             name_line(doc, members[first].token->key, at.line, line));
    diags_add(diags, DIAG_ERROR, at, hint, "duplicate key '%s'", members[i].key);
  }
  free(members);
  return true;
}

static bool check_object(const struct json_doc *doc, const cJSON *object, struct diags *diags) {
  size_t n = 0;
  for (const cJSON *child = object->child; child; child = child->next) n++;
  return is_known_unique(object, n) || report_duplicates(doc, object, n, diags);
}

static bool check_duplicates(const struct json_doc *doc, struct diags *diags) {
  for (size_t i = 0; i < doc->count; i++) {
    if (cJSON_IsObject(doc->nodes[i]) && !check_object(doc, doc->nodes[i], diags)) return false;
  }
  return true;
}

/* ---- parsing --------------------------------------------------------------------------------- */

/* Gives `node` and what is below it the next tokens. Recursion is bounded by JSON_DEPTH_MAX. */
static void match_node(struct json_doc *doc, cJSON *node, size_t *next) {
  size_t i = (*next)++;
  doc->nodes[i] = node;
  size_t length = doc->tokens[i].end - doc->tokens[i].begin;
  if (cJSON_IsNumber(node) && length > JSON_CJSON_NUMBER_MAX) {
    double value = 0;
    if (json_number_parse(str_make(doc->text + doc->tokens[i].begin, length), &value)) {
      cJSON_SetNumberHelper(node, value);
    }
  }
  for (cJSON *child = node->child; child; child = child->next) match_node(doc, child, next);
}

static void report_mistake(const struct json_doc *doc, const struct json_mistake *mistake,
                           struct diags *diags) {
  char line[LINE_NAME_BYTES], hint[64];
  bool open = mistake->open_at != SIZE_MAX;
  struct diag_place at = place_of(doc, mistake->at);
  if (open) {
    snprintf(hint, sizeof(hint), "the '%c' in %s is not closed", doc->text[mistake->open_at],
             name_line(doc, mistake->open_at, at.line, line));
  }
  diags_add(diags, DIAG_ERROR, at, open ? hint : mistake->hint, "%s", mistake->message);
}

static bool fail_memory(const struct json_doc *doc, struct diags *diags) {
  diags_add(diags, DIAG_ERROR, (struct diag_place){doc->name, 0, 0}, NULL, "out of memory");
  return false;
}

/* The scan; what it leaves in `scan` is the caller's in any case. */
static bool scan_doc(struct json_doc *doc, struct json_scan *scan, struct diags *diags) {
  scan->text = str_make(doc->text, doc->text_n);
  scan->copy = malloc(doc->text_n + 1);
  if (!scan->copy) return fail_memory(doc, diags);
  memcpy(scan->copy, doc->text, doc->text_n + 1);
  if (json_scan_text(scan)) return true;
  if (scan->out_of_memory) return fail_memory(doc, diags);
  report_mistake(doc, &scan->mistake, diags);
  return false;
}

static bool build_tree(struct json_doc *doc, const char *copy) {
  /* The NUL is given along: cJSON looks at one byte behind a value. */
  doc->root = cJSON_ParseWithLength(copy, doc->text_n + 1);
  doc->nodes = reallocarray(NULL, doc->count, sizeof(cJSON *));
  if (!doc->root || !doc->nodes) return false;
  size_t next = 0;
  match_node(doc, doc->root, &next);
  return index_nodes(doc);
}

static bool parse_doc(struct json_doc *doc, enum json_style style, struct diags *diags) {
  struct json_scan scan = {.style = style};
  bool ok = scan_doc(doc, &scan, diags);
  doc->tokens = scan.tokens;
  doc->count = scan.count;
  if (ok && !build_tree(doc, scan.copy)) ok = fail_memory(doc, diags);
  free(scan.copy);
  if (!ok) return false;
  size_t before = diags_count(diags, DIAG_ERROR);
  if (!check_duplicates(doc, diags)) return fail_memory(doc, diags);
  return diags_count(diags, DIAG_ERROR) == before;
}

struct json_doc *json_parse(struct str text, const char *name, enum json_style style,
                            struct diags *diags) {
  struct diag_place whole = {name, 0, 0};
  if (text.n >= UINT32_MAX) {
    diags_add(diags, DIAG_ERROR, whole, "divide it", "4 GiB of JSON or more");
    return NULL;
  }
  struct json_doc *doc = calloc(1, sizeof(*doc));
  if (doc) {
    doc->name = strdup(name);
    doc->text = malloc(text.n + 1);
  }
  if (!doc || !doc->name || !doc->text) {
    diags_add(diags, DIAG_ERROR, whole, NULL, "out of memory");
    json_free(&doc);
    return NULL;
  }
  if (text.n > 0) memcpy(doc->text, text.p, text.n);
  doc->text[text.n] = '\0';
  doc->text_n = text.n;
  bool ok = index_lines(doc) ? parse_doc(doc, style, diags) : fail_memory(doc, diags);
  if (!ok) json_free(&doc);
  return doc;
}

struct json_doc *json_load(const char *path, const char *name, enum json_style style,
                           size_t limit_bytes, struct diags *diags) {
  char *text = NULL;
  size_t n = 0;
  if (!file_read(path, limit_bytes, (struct diag_place){name, 0, 0}, diags, &text, &n)) {
    return NULL;
  }
  struct json_doc *doc = json_parse(str_make(text, n), name, style, diags);
  free(text);
  return doc;
}

void json_free(struct json_doc **doc) {
  struct json_doc *d = *doc;
  *doc = NULL;
  if (!d) return;
  cJSON_Delete(d->root);
  free(d->name);
  free(d->text);
  free(d->tokens);
  free(d->nodes);
  free(d->slots);
  free(d->lines);
  free(d);
}

/* ---- members without a tree ------------------------------------------------------------------ */

/* The key at a token, decoded where it has escapes: then *ret_decoded is to be deleted. */
static bool read_key(const char *copy, const struct json_token *token, struct str *ret,
                     cJSON **ret_decoded) {
  size_t n = 0;
  const char *key = copy + token->key + 1;
  while (key[n] != '"' && key[n] != '\\') n++;
  *ret = str_make(key, n);
  *ret_decoded = NULL;
  if (key[n] == '"') return true;
  *ret_decoded = cJSON_ParseWithLength(key - 1, token->begin - token->key);
  if (*ret_decoded) *ret = json_str(*ret_decoded);
  return *ret_decoded != NULL;
}

/* *ret_go_on is false when the visitor wants no more. False: memory. */
static bool visit_member(const struct json_doc *doc, const char *copy,
                         const struct json_token *token, json_member_fn visit, void *context,
                         bool *ret_go_on) {
  cJSON *decoded = NULL;
  struct json_member member = {.key_at = place_of(doc, token->key),
                               .value_at = place_of(doc, token->begin)};
  /* cJSON looks at one byte behind a value. */
  cJSON *value = cJSON_ParseWithLength(copy + token->begin, token->end - token->begin + 1);
  bool ok = value && read_key(copy, token, &member.key, &decoded);
  member.value = value;
  if (ok) *ret_go_on = visit(context, &member);
  cJSON_Delete(decoded);
  cJSON_Delete(value);
  return ok;
}

/* The tokens are in document order: what begins behind the end of a member is the next one. */
static bool visit_members(const struct json_doc *doc, const char *copy, json_member_fn visit,
                          void *context, struct diags *diags) {
  if (doc->text[doc->tokens[0].begin] != '{') {
    diags_add(diags, DIAG_ERROR, place_of(doc, doc->tokens[0].begin), NULL,
              "the file must be an object");
    return false;
  }
  bool go_on = true;
  uint32_t end = 0;
  for (size_t i = 1; go_on && i < doc->count; i++) {
    const struct json_token *token = &doc->tokens[i];
    if (token->begin < end) continue;
    end = token->end;
    if (!visit_member(doc, copy, token, visit, context, &go_on)) return fail_memory(doc, diags);
  }
  return go_on;
}

static bool visit_doc(struct json_doc *doc, enum json_style style, json_member_fn visit,
                      void *context, struct diags *diags) {
  struct json_scan scan = {.style = style};
  bool ok = index_lines(doc) ? scan_doc(doc, &scan, diags) : fail_memory(doc, diags);
  doc->tokens = scan.tokens;
  doc->count = scan.count;
  if (ok) ok = visit_members(doc, scan.copy, visit, context, diags);
  free(scan.copy);
  return ok;
}

bool json_visit_members(const char *path, enum json_style style, size_t limit_bytes,
                        struct diag_place at, json_member_fn visit, void *context,
                        struct diags *diags) {
  assert(limit_bytes < UINT32_MAX);
  struct json_doc *doc = calloc(1, sizeof(*doc));
  if (doc) doc->name = strdup(path);
  bool ok = doc && doc->name;
  if (!ok) {
    diags_add(diags, DIAG_ERROR, at, NULL, "out of memory");
  } else {
    ok = file_read(path, limit_bytes, at, diags, &doc->text, &doc->text_n) &&
         visit_doc(doc, style, visit, context, diags);
  }
  json_free(&doc);
  return ok;
}

/* ---- reading a document ---------------------------------------------------------------------- */

const struct cJSON *json_root(const struct json_doc *doc) {
  return doc->root;
}

struct str json_text(const struct json_doc *doc) {
  return str_make(doc->text, doc->text_n);
}

struct diag_place json_place(const struct json_doc *doc, const struct cJSON *node) {
  const struct json_token *token = find_token(doc, node);
  return token ? place_of(doc, token->begin) : (struct diag_place){doc->name, 0, 0};
}

struct diag_place json_key_place(const struct json_doc *doc, const struct cJSON *node) {
  const struct json_token *token = find_token(doc, node);
  return token ? place_of(doc, token->key) : (struct diag_place){doc->name, 0, 0};
}

struct str json_raw(const struct json_doc *doc, const struct cJSON *node) {
  const struct json_token *token = find_token(doc, node);
  if (!token) return STR("");
  return str_make(doc->text + token->begin, token->end - token->begin);
}

struct str json_str(const struct cJSON *node) {
  return str_from_cstr(node->valuestring);
}

const char *json_kind(const struct cJSON *node) {
  if (cJSON_IsObject(node)) return "object";
  if (cJSON_IsArray(node)) return "array";
  if (cJSON_IsString(node)) return "string";
  if (cJSON_IsNumber(node)) return "number";
  if (cJSON_IsBool(node)) return "boolean";
  return "null";
}
