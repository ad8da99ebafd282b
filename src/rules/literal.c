/*
 * What stands behind an operator in a rule file, compiled by its form; and what all forms share.
 * Values of the attribute's type are in literal_values.c, texts and the like in literal_texts.c.
 */
#include "literal.h"

#include <cjson/cJSON.h>
#include <stdio.h>

#include "adit/arena.h"
#include "adit/json.h"
#include "adit/text.h"

enum { SHOWN_MAX = LITERAL_SHOWN_BYTES - 8 };

bool condition_no_memory(const struct condition_compiler *compiler, const struct cJSON *node,
                         const char *what) {
  json_error(compiler->doc, node, compiler->diags, NULL, "%s: out of memory, or too large", what);
  return false;
}

bool literal_no_memory(const struct literal_context *context, const struct cJSON *node) {
  return condition_no_memory(context->compiler, node, context->what);
}

/* ---- showing literals ------------------------------------------------------------------------ */

const char *literal_shown(const struct json_doc *doc, const struct cJSON *node, char *buffer) {
  if (cJSON_IsArray(node)) return "a list";
  if (cJSON_IsObject(node)) return "an object";
  struct str raw = json_raw(doc, node);
  size_t n = raw.n;
  if (n > SHOWN_MAX) {
    n = SHOWN_MAX;
    while (n > 0 && ((unsigned char)raw.p[n] & 0xC0) == 0x80) n--; /* not within a character */
  }
  (void)snprintf(buffer, LITERAL_SHOWN_BYTES, "%.*s%s", (int)n, raw.p, n < raw.n ? "..." : "");
  return buffer;
}

bool literal_refuse(const struct literal_context *context, const struct cJSON *node,
                    const char *wanted, const char *hint) {
  char buffer[LITERAL_SHOWN_BYTES], count[LITERAL_SHOWN_BYTES];
  const char *shown = literal_shown(context->compiler->doc, node, buffer);
  if (cJSON_IsArray(node)) {
    (void)snprintf(count, sizeof(count), "a list of %zu", literal_count(node));
    shown = count;
  }
  json_error(context->compiler->doc, node, context->compiler->diags, hint,
             "%s: operator '%s' takes %s, not %s", context->what, context->info->name, wanted,
             shown);
  return false;
}

bool literal_refuse_empty(const struct literal_context *context, const struct cJSON *node) {
  json_error(context->compiler->doc, node, context->compiler->diags,
             "a list needs at least one value", "%s: empty list for '%.*s'", context->what,
             STR_ARG(context->attribute));
  return false;
}

static void add_json(const struct json_doc *doc, const struct cJSON *node, struct text *text) {
  if (cJSON_IsString(node)) {
    text_add_json(text, json_str(node));
  } else if (cJSON_IsArray(node)) {
    text_add_char(text, '[');
    for (const struct cJSON *item = node->child; item; item = item->next) {
      if (item != node->child) text_add_char(text, ',');
      add_json(doc, item, text);
    }
    text_add_char(text, ']');
  } else {
    text_add(text, json_raw(doc, node)); /* numbers with the digits that were written */
  }
}

/* The literal as compact JSON, for traces. */
static bool keep_json(const struct literal_context *context, const struct cJSON *node,
                      struct leaf *leaf) {
  struct text text;
  text_init(&text, (size_t)1 << 30);
  add_json(context->compiler->doc, node, &text);
  if (!text_failed(&text)) {
    leaf->value_json = arena_dup(context->compiler->arena, text_str(&text));
  }
  text_deinit(&text);
  return leaf->value_json.p ? true : literal_no_memory(context, node);
}

/* ---- one literal or several ------------------------------------------------------------------ */

const struct cJSON *literal_first(const struct cJSON *node) {
  return cJSON_IsArray(node) ? node->child : node;
}

const struct cJSON *literal_next(const struct cJSON *node, const struct cJSON *item) {
  return cJSON_IsArray(node) ? item->next : NULL;
}

size_t literal_count(const struct cJSON *node) {
  size_t n = 0;
  for (const struct cJSON *item = literal_first(node); item; item = literal_next(node, item)) n++;
  return n;
}

bool literal_check_strings(const struct literal_context *context, const struct cJSON *node) {
  if (cJSON_IsArray(node) && !node->child) return literal_refuse_empty(context, node);
  bool ok = true;
  for (const struct cJSON *item = literal_first(node); item; item = literal_next(node, item)) {
    if (!cJSON_IsString(item))
      ok = literal_refuse(context, item, "a string or a list of strings", NULL);
  }
  return ok;
}

/* ---- the forms ---- */

static bool compile_boolean(const struct literal_context *context, const struct cJSON *node,
                            struct leaf *leaf) {
  if (!cJSON_IsBool(node)) return literal_refuse(context, node, "true or false", NULL);
  leaf->test = TEST_EXISTS;
  leaf->with.exists = cJSON_IsTrue(node);
  return true;
}

static bool compile_form(const struct literal_context *context, const struct cJSON *node,
                         struct leaf *leaf) {
  switch (context->info->form) {
    case LITERAL_ONE:
      return literal_compile_one(context, node, leaf);
    case LITERAL_LIST:
      return literal_compile_list(context, node, leaf);
    case LITERAL_PAIR:
      return literal_compile_pair(context, node, leaf);
    case LITERAL_BOOLEAN:
      return compile_boolean(context, node, leaf);
    case LITERAL_FILE:
      return value_file_compile(context, node, leaf);
    case LITERAL_TEXTS:
      return literal_compile_texts(context, node, leaf);
    case LITERAL_PATTERNS:
      return literal_compile_patterns(context, node, leaf);
    case LITERAL_PREFIXES:
      return literal_compile_prefixes(context, node, leaf);
    case LITERAL_NETWORKS:
      return literal_compile_networks(context, node, leaf);
    case LITERAL_SHARE:
      return literal_compile_share(context, node, leaf);
  }
  return false;
}

bool literal_compile(const struct literal_context *context, const struct cJSON *node,
                     struct leaf *leaf) {
  leaf->op = context->info->name;
  leaf->negative = context->info->negative;
  return compile_form(context, node, leaf) && keep_json(context, node, leaf);
}
