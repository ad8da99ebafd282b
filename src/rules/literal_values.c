/*
 * Values of an attribute's type as rule files and files of values have them: one, a list, a pair.
 *
 * Equality with one value is a comparison; with many it is a sorted array, of strings a set.
 */
#include <cjson/cJSON.h>
#include <stdlib.h>

#include "adit/arena.h"
#include "adit/hash.h"
#include "adit/json.h"
#include "literal.h"

/* ---- values of the attribute's type ---------------------------------------------------------- */

static const char *type_hint(enum attr_type type) {
  switch (type) {
    case ATTR_STRING:
      return "it takes a string, in quotes";
    case ATTR_LIST:
      return "its elements are strings, in quotes";
    case ATTR_NUMBER:
      return "it takes a number, without quotes";
    case ATTR_BOOL:
      return "it takes true or false, without quotes";
    case ATTR_TIME:
      return "it takes \"2026-01-01\", \"2026-01-01T08:00:00+08:00\", Unix seconds or milliseconds";
    case ATTR_DURATION:
      return "it takes one whole number and one unit of ms, s, m, h, d, as in \"7d\"";
    case ATTR_VERSION:
      return "it takes a version, in quotes, as in \"1.20.3\"";
    case ATTR_SEMVER:
      return "it takes a SemVer 2.0.0 version, in quotes, as in \"1.20.3-rc.1\"";
    case ATTR_IP:
      return "it takes an address, in quotes, as in \"203.0.113.7\"; networks: in_cidr";
    case ATTR_WEEKDAY:
      return "it takes \"mon\", \"tue\", \"wed\", \"thu\", \"fri\", \"sat\" or \"sun\"";
    case ATTR_TIME_OF_DAY:
      return "it takes \"HH:MM\" or \"HH:MM:SS\", from \"00:00\" to \"23:59:59\"";
  }
  return NULL;
}

static bool fits(const struct json_doc *doc, enum attr_type type, const struct cJSON *node,
                 struct attr_datum *ret) {
  bool as_number = type == ATTR_NUMBER || type == ATTR_TIME;
  bool as_string = type != ATTR_NUMBER && type != ATTR_BOOL;
  struct str text;
  if (as_string && cJSON_IsString(node)) {
    text = json_str(node);
  } else if ((as_number && cJSON_IsNumber(node)) || (type == ATTR_BOOL && cJSON_IsBool(node))) {
    text = json_raw(doc, node); /* the digits as written: a double would blur them */
  } else {
    return false;
  }
  return attr_datum_parse(type, text, ret);
}

static bool literal_datum(const struct literal_context *context, enum attr_type type,
                          const struct cJSON *node, struct attr_datum *ret) {
  if (!fits(context->compiler->doc, type, node, ret)) {
    char buffer[LITERAL_SHOWN_BYTES];
    json_error(context->compiler->doc, node, context->compiler->diags, type_hint(type),
               "%s: %s does not fit %s attribute '%.*s'", context->what,
               literal_shown(context->compiler->doc, node, buffer), attr_type_name(type),
               STR_ARG(context->attribute));
    return false;
  }
  ret->text = arena_dup(context->compiler->arena, ret->text);
  return ret->text.p ? true : literal_no_memory(context, node);
}

static int compare_data(const void *a, const void *b, void *type) {
  return attr_datum_compare(*(const enum attr_type *)type, a, b);
}

static size_t sort_unique(enum attr_type type, struct attr_datum *data, size_t n) {
  qsort_r(data, n, sizeof(*data), compare_data, &type);
  size_t kept = 0;
  for (size_t i = 0; i < n; i++) {
    if (kept == 0 || attr_datum_compare(type, &data[kept - 1], &data[i]) != 0) {
      data[kept++] = data[i];
    }
  }
  return kept;
}

static bool set_strings(struct arena *arena, struct leaf *leaf, const struct attr_datum *data,
                        size_t n) {
  if (n == 1) {
    struct str *text = ARENA_NEW(arena, struct str);
    if (!text) return false;
    *text = data[0].text;
    leaf->test = TEST_STRING_EQUAL;
    leaf->with.texts = text;
    leaf->n = 1;
    return true;
  }
  struct str_set *strings = str_set_new(arena, n);
  if (!strings) return false;
  leaf->n = 0;
  for (size_t i = 0; i < n; i++) leaf->n += str_set_add(strings, data[i].text, i) ? 1 : 0;
  leaf->test = TEST_STRING_IN;
  leaf->with.strings = strings;
  return true;
}

bool literal_set_values(struct arena *arena, struct leaf *leaf, struct attr_datum *data, size_t n) {
  if (n > 0 && attr_type_is_text(leaf->type)) {
    return set_strings(arena, leaf, data, n);
  }
  leaf->n = sort_unique(leaf->type, data, n);
  leaf->with.data = data;
  leaf->test = TEST_IN;
  if (leaf->n == 1) {
    leaf->test = TEST_COMPARE;
    leaf->accepts = ACCEPT_EQUAL;
  }
  return true;
}
/* ---- the forms ---- */

bool literal_compile_one(const struct literal_context *context, const struct cJSON *node,
                         struct leaf *leaf) {
  if (cJSON_IsArray(node)) {
    return literal_refuse(
        context, node, "one value",
        context->info->accepts == ACCEPT_EQUAL ? "use 'in' or 'not_in' for a list" : NULL);
  }
  struct attr_datum *datum = ARENA_NEW(context->compiler->arena, struct attr_datum);
  if (!datum) return literal_no_memory(context, node);
  if (!literal_datum(context, leaf->type, node, datum)) return false;
  if (context->info->accepts == ACCEPT_EQUAL) {
    return literal_set_values(context->compiler->arena, leaf, datum, 1)
               ? true
               : literal_no_memory(context, node);
  }
  leaf->test = TEST_COMPARE;
  leaf->accepts = context->info->accepts;
  leaf->with.data = datum;
  leaf->n = 1;
  return true;
}

bool literal_compile_list(const struct literal_context *context, const struct cJSON *node,
                          struct leaf *leaf) {
  if (!cJSON_IsArray(node)) {
    return literal_refuse(context, node, "a list", "use 'eq' or 'ne' for one value");
  }
  if (!node->child) return literal_refuse_empty(context, node);
  size_t n = literal_count(node);
  struct attr_datum *data = ARENA_ARRAY(context->compiler->arena, struct attr_datum, n);
  if (!data) return literal_no_memory(context, node);
  bool ok = true;
  size_t i = 0;
  for (const struct cJSON *item = node->child; item; item = item->next) {
    ok = literal_datum(context, leaf->type, item, &data[i++]) && ok;
  }
  if (!ok) return false;
  return literal_set_values(context->compiler->arena, leaf, data, n)
             ? true
             : literal_no_memory(context, node);
}

static bool refuse_order(const struct literal_context *context, const struct cJSON *node,
                         enum attr_type type) {
  bool is_clock = type == ATTR_TIME_OF_DAY;
  json_error(context->compiler->doc, node, context->compiler->diags,
             is_clock ? "[from, until) includes from and not until"
                      : "[low, high) includes low and not high",
             is_clock ? "%s: '%.*s' between two times that are the same is all day or never"
                      : "%s: nothing of '%.*s' is between these: low is not below high",
             context->what, STR_ARG(context->attribute));
  return false;
}

/* Puts a pair in order: a time of day may go over midnight. */
static bool check_order(const struct literal_context *context, const struct cJSON *node,
                        struct leaf *leaf, struct attr_datum *data) {
  int sign = attr_datum_compare(leaf->type, &data[0], &data[1]);
  if (sign < 0) return true;
  if (sign == 0 || leaf->type != ATTR_TIME_OF_DAY) return refuse_order(context, node, leaf->type);
  /* All but what lies between the two; exact, because there is always a time of day, and one. */
  struct attr_datum from = data[0];
  data[0] = data[1];
  data[1] = from;
  leaf->negative = true;
  return true;
}

bool literal_compile_pair(const struct literal_context *context, const struct cJSON *node,
                          struct leaf *leaf) {
  if (!cJSON_IsArray(node) || literal_count(node) != 2) {
    return literal_refuse(context, node, "two values", "a list [low, high)");
  }
  struct attr_datum *data = ARENA_ARRAY(context->compiler->arena, struct attr_datum, 2);
  if (!data) return literal_no_memory(context, node);
  bool low = literal_datum(context, leaf->type, node->child, &data[0]);
  bool high = literal_datum(context, leaf->type, node->child->next, &data[1]);
  if (!low || !high) return false;
  if (!check_order(context, node, leaf, data)) return false;
  leaf->test = TEST_BETWEEN;
  leaf->with.data = data;
  leaf->n = 2;
  return true;
}
