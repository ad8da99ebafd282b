/* answer: of a directory's JSON, the fields that somebody wants, in one block of memory. */
#include <cjson/cJSON.h>
#include <stdlib.h>

#include "adit/json.h"
#include "lookup_private.h"

/* The member of a dotted path; NULL: there is none. */
static const cJSON *find(const cJSON *node, struct str path) {
  struct str part;
  while (node && str_split_next(&path, '.', &part)) {
    const cJSON *member = cJSON_IsObject(node) ? node->child : NULL;
    while (member && !str_eq(str_from_cstr(member->string), part)) member = member->next;
    node = member;
  }
  return node;
}

static bool is_scalar(const cJSON *node) {
  return cJSON_IsString(node) || cJSON_IsNumber(node) || cJSON_IsBool(node);
}

static struct str text_of(const struct json_doc *doc, const cJSON *scalar) {
  return cJSON_IsString(scalar) ? json_str(scalar) : json_raw(doc, scalar);
}

/* The first of a field's scalars; *ret_n: how many there are. NULL: none, or *ret_refused. */
static const cJSON *scalars(const struct json_doc *doc, const cJSON *node, size_t *ret_n,
                            bool *ret_refused) {
  const bool is_list = cJSON_IsArray(node);
  const cJSON *first = is_list ? node->child : node;
  *ret_n = 0;
  *ret_refused = false;
  if (!first || cJSON_IsNull(first)) {
    *ret_refused = is_list && first != NULL;
    return NULL;
  }
  for (const cJSON *item = first; item; item = is_list ? item->next : NULL) {
    *ret_refused |= !is_scalar(item) || text_of(doc, item).n > LOOKUP_TEXT_BYTES_MAX;
    ++*ret_n;
  }
  *ret_refused |= *ret_n > LOOKUP_TEXTS_MAX;
  if (!*ret_refused) return first;
  *ret_n = 0;
  return NULL;
}

struct plan {
  const cJSON *first[LOOKUP_FIELDS_MAX];
  size_t n[LOOKUP_FIELDS_MAX];
  bool refused[LOOKUP_FIELDS_MAX];
  size_t texts, bytes;
};

static void make_plan(const struct json_doc *doc, const struct str *paths, size_t n,
                      struct plan *ret) {
  ret->texts = ret->bytes = 0;
  for (size_t i = 0; i < n; i++) {
    ret->first[i] = scalars(doc, find(json_root(doc), paths[i]), &ret->n[i], &ret->refused[i]);
    const cJSON *item = ret->first[i];
    for (size_t k = 0; k < ret->n[i]; k++, item = item->next) {
      ret->texts++;
      ret->bytes += text_of(doc, item).n;
    }
  }
}

/* field heads, then texts, then their bytes */
static struct lookup_answer *build(const struct json_doc *doc, const struct plan *plan, size_t n) {
  const size_t heads = sizeof(struct lookup_answer) + n * sizeof(struct lookup_field);
  const size_t bytes = heads + plan->texts * sizeof(struct str) + plan->bytes;
  struct lookup_answer *answer = malloc(bytes);
  if (!answer) return NULL;
  *answer = (struct lookup_answer){.bytes = bytes, .field_count = n};
  struct str *text = (struct str *)(void *)((char *)answer + heads);
  char *at = (char *)(text + plan->texts);
  for (size_t i = 0; i < n; i++) {
    answer->fields[i] =
        (struct lookup_field){.texts = text, .n = plan->n[i], .refused = plan->refused[i]};
    const cJSON *item = plan->first[i];
    for (size_t k = 0; k < plan->n[i]; k++, item = item->next) {
      struct str from = text_of(doc, item);
      if (from.n > 0) memcpy(at, from.p, from.n);
      *text++ = str_make(at, from.n);
      at += from.n;
    }
  }
  return answer;
}

struct lookup_answer *lookup_answer_of(const struct str *texts, size_t n) {
  const size_t heads = sizeof(struct lookup_answer) + n * sizeof(struct lookup_field);
  size_t bytes = heads + n * sizeof(struct str);
  for (size_t i = 0; i < n; i++) bytes += texts[i].n;
  struct lookup_answer *answer = malloc(bytes);
  if (!answer) return NULL;
  *answer = (struct lookup_answer){.bytes = bytes, .field_count = n};
  struct str *text = (struct str *)(void *)((char *)answer + heads);
  char *at = (char *)(text + n);
  for (size_t i = 0; i < n; i++, text++) {
    const bool refused = texts[i].n > LOOKUP_TEXT_BYTES_MAX;
    answer->fields[i] = (struct lookup_field){
        .texts = text, .n = texts[i].p && !refused ? 1 : 0, .refused = refused};
    *text = str_make(at, texts[i].n);
    if (texts[i].n > 0) memcpy(at, texts[i].p, texts[i].n);
    at += texts[i].n;
  }
  return answer;
}

struct lookup_answer *lookup_answer_parse(struct str json, const struct str *paths, size_t n) {
  struct diags *diags = diags_new();
  struct json_doc *doc = diags ? json_parse(json, "answer", JSON_STRICT, diags) : NULL;
  struct lookup_answer *answer = NULL;
  if (doc && cJSON_IsObject(json_root(doc)) && n <= LOOKUP_FIELDS_MAX) {
    struct plan plan;
    make_plan(doc, paths, n, &plan);
    answer = build(doc, &plan, n);
  }
  json_free(&doc);
  diags_free(&diags);
  return answer;
}
