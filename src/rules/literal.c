/*
 * What stands behind an operator in a rule file, checked against the attribute's type and compiled.
 *
 *   literal_compile        picks the form: one value, a list, a pair, texts, patterns, networks, …
 *   literal_datum          one JSON value as a value of the attribute's type
 *   literal_set_values     one or many such values: equality, a sorted array, or a set of strings
 *
 * Nothing refers to the document afterwards: texts are copied into the arena.
 */
#include <cjson/cJSON.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>

#include "adit/arena.h"
#include "adit/hash.h"
#include "adit/json.h"
#include "adit/regex.h"
#include "adit/text.h"
#include "condition_tree.h"

enum { SHOWN_MAX = 40 };

bool condition_no_memory(const struct condition_compiler *compiler, const struct cJSON *node,
                         const char *what) {
  json_error(compiler->doc, node, compiler->diags, NULL, "%s: out of memory, or too large", what);
  return false;
}

static bool no_memory(const struct literal_context *context, const struct cJSON *node) {
  return condition_no_memory(context->compiler, node, context->what);
}

/* ---- showing literals -------------------------------------------------------------------------
 */

/* The literal as a message shows it: as written when it is short. */
static const char *shown(const struct literal_context *context, const struct cJSON *node,
                         char *buffer, size_t capacity) {
  if (cJSON_IsArray(node)) return "a list";
  if (cJSON_IsObject(node)) return "an object";
  struct str raw = json_raw(context->compiler->doc, node);
  size_t n = raw.n;
  if (n > SHOWN_MAX) {
    n = SHOWN_MAX;
    while (n > 0 && ((unsigned char)raw.p[n] & 0xC0) == 0x80) n--; /* not within a character */
  }
  (void)snprintf(buffer, capacity, "%.*s%s", (int)n, raw.p, n < raw.n ? "..." : "");
  return buffer;
}

/* "operator 'in' takes a list, not "x"" at the value. Always false. */
static bool refuse(const struct literal_context *context, const struct cJSON *node,
                   const char *wanted, const char *hint) {
  char buffer[SHOWN_MAX + 8];
  json_error(context->compiler->doc, node, context->compiler->diags, hint,
             "%s: operator '%s' takes %s, not %s", context->what, context->info->name, wanted,
             shown(context, node, buffer, sizeof(buffer)));
  return false;
}

static bool refuse_empty(const struct literal_context *context, const struct cJSON *node) {
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
  return leaf->value_json.p ? true : no_memory(context, node);
}

/* ---- one literal or several -------------------------------------------------------------------
 */

static const struct cJSON *items_first(const struct cJSON *node) {
  return cJSON_IsArray(node) ? node->child : node;
}

static const struct cJSON *items_next(const struct cJSON *node, const struct cJSON *item) {
  return cJSON_IsArray(node) ? item->next : NULL;
}

static size_t items_count(const struct cJSON *node) {
  size_t n = 0;
  for (const struct cJSON *item = items_first(node); item; item = items_next(node, item)) n++;
  return n;
}

/* Whether `node` is a string or a list of strings, not empty; else errors are added. */
static bool check_strings(const struct literal_context *context, const struct cJSON *node) {
  if (cJSON_IsArray(node) && !node->child) return refuse_empty(context, node);
  bool ok = true;
  for (const struct cJSON *item = items_first(node); item; item = items_next(node, item)) {
    if (!cJSON_IsString(item)) ok = refuse(context, item, "a string or a list of strings", NULL);
  }
  return ok;
}

/* ---- values of the attribute's type -----------------------------------------------------------
 */

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
      return "it takes an address, in quotes, as in \"203.0.113.7\"";
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
  return attr_datum_parse(type, text, ret) && (type != ATTR_NUMBER || isfinite(ret->as.number));
}

static bool literal_datum(const struct literal_context *context, enum attr_type type,
                          const struct cJSON *node, struct attr_datum *ret) {
  if (!fits(context->compiler->doc, type, node, ret)) {
    char buffer[SHOWN_MAX + 8];
    json_error(context->compiler->doc, node, context->compiler->diags, type_hint(type),
               "%s: %s does not fit %s attribute '%.*s'", context->what,
               shown(context, node, buffer, sizeof(buffer)), attr_type_name(type),
               STR_ARG(context->attribute));
    return false;
  }
  ret->text = arena_dup(context->compiler->arena, ret->text);
  return ret->text.p ? true : no_memory(context, node);
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
  if (n > 0 && (leaf->type == ATTR_STRING || leaf->type == ATTR_LIST)) {
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

/* ---- the forms --------------------------------------------------------------------------------
 */

static bool compile_one(const struct literal_context *context, const struct cJSON *node,
                        struct leaf *leaf) {
  if (cJSON_IsArray(node)) {
    return refuse(
        context, node, "one value",
        context->info->accepts == ACCEPT_EQUAL ? "use 'in' or 'not_in' for a list" : NULL);
  }
  struct attr_datum *datum = ARENA_NEW(context->compiler->arena, struct attr_datum);
  if (!datum) return no_memory(context, node);
  if (!literal_datum(context, leaf->type, node, datum)) return false;
  if (context->info->accepts == ACCEPT_EQUAL) {
    return literal_set_values(context->compiler->arena, leaf, datum, 1) ? true
                                                                        : no_memory(context, node);
  }
  leaf->test = TEST_COMPARE;
  leaf->accepts = context->info->accepts;
  leaf->with.data = datum;
  leaf->n = 1;
  return true;
}

static bool compile_list(const struct literal_context *context, const struct cJSON *node,
                         struct leaf *leaf) {
  if (!cJSON_IsArray(node)) {
    return refuse(context, node, "a list", "use 'eq' or 'ne' for one value");
  }
  if (!node->child) return refuse_empty(context, node);
  size_t n = items_count(node);
  struct attr_datum *data = ARENA_ARRAY(context->compiler->arena, struct attr_datum, n);
  if (!data) return no_memory(context, node);
  bool ok = true;
  size_t i = 0;
  for (const struct cJSON *item = node->child; item; item = item->next) {
    ok = literal_datum(context, leaf->type, item, &data[i++]) && ok;
  }
  if (!ok) return false;
  return literal_set_values(context->compiler->arena, leaf, data, n) ? true
                                                                     : no_memory(context, node);
}

static bool compile_pair(const struct literal_context *context, const struct cJSON *node,
                         struct leaf *leaf) {
  if (!cJSON_IsArray(node) || items_count(node) != 2) {
    return refuse(context, node, "a list of two values, [low, high)", NULL);
  }
  struct attr_datum *data = ARENA_ARRAY(context->compiler->arena, struct attr_datum, 2);
  if (!data) return no_memory(context, node);
  bool low = literal_datum(context, leaf->type, node->child, &data[0]);
  bool high = literal_datum(context, leaf->type, node->child->next, &data[1]);
  if (!low || !high) return false;
  if (attr_datum_compare(leaf->type, &data[0], &data[1]) >= 0) {
    json_error(context->compiler->doc, node, context->compiler->diags,
               "[low, high) includes low and not high",
               "%s: nothing of '%.*s' is between these: low is not below high", context->what,
               STR_ARG(context->attribute));
    return false;
  }
  leaf->test = TEST_BETWEEN;
  leaf->with.data = data;
  leaf->n = 2;
  return true;
}

static bool compile_boolean(const struct literal_context *context, const struct cJSON *node,
                            struct leaf *leaf) {
  if (!cJSON_IsBool(node)) return refuse(context, node, "true or false", NULL);
  leaf->test = TEST_EXISTS;
  leaf->with.exists = cJSON_IsTrue(node);
  return true;
}

static bool compile_texts(const struct literal_context *context, const struct cJSON *node,
                          struct leaf *leaf) {
  if (!check_strings(context, node)) return false;
  struct str *texts = ARENA_ARRAY(context->compiler->arena, struct str, items_count(node));
  if (!texts) return no_memory(context, node);
  for (const struct cJSON *item = items_first(node); item; item = items_next(node, item)) {
    struct str text = arena_dup(context->compiler->arena, json_str(item));
    if (!text.p) return no_memory(context, item);
    texts[leaf->n++] = text;
  }
  leaf->test = context->info->test;
  leaf->with.texts = texts;
  return true;
}

static bool compile_prefixes(const struct literal_context *context, const struct cJSON *node,
                             struct leaf *leaf) {
  if (!check_strings(context, node)) return false;
  for (const struct cJSON *item = items_first(node); item; item = items_next(node, item)) {
    if (!str_starts_with(json_str(item), STR("/"))) {
      return refuse(context, item, "a path", "a path begins with '/'");
    }
  }
  struct str *texts = ARENA_ARRAY(context->compiler->arena, struct str, items_count(node));
  if (!texts) return no_memory(context, node);
  for (const struct cJSON *item = items_first(node); item; item = items_next(node, item)) {
    struct str text = json_str(item);
    if (str_ends_with(text, STR("/"))) text.n--; /* "/api/" is "/api", "/" holds for all */
    text = arena_dup(context->compiler->arena, text);
    if (!text.p) return no_memory(context, item);
    texts[leaf->n++] = text;
  }
  leaf->test = TEST_UNDER;
  leaf->with.texts = texts;
  return true;
}

static void free_regex(void *object) {
  struct regex *regex = object;
  regex_free(&regex);
}

/*
 * The pattern with "(?i)" behind the "(*WORD)" items that it may begin with: those count at the
 * very start only. At the top level the option holds for all alternatives that follow.
 */
static struct str caseless(struct arena *arena, struct str pattern, size_t *ret_at) {
  size_t at = 0;
  while (pattern.n - at > 2 && pattern.p[at] == '(' && pattern.p[at + 1] == '*' &&
         pattern.p[at + 2] >= 'A' && pattern.p[at + 2] <= 'Z') {
    size_t end = str_find_char(pattern, ')', at);
    if (end == pattern.n) break;
    at = end + 1;
  }
  *ret_at = at;
  struct str rest = str_skip(pattern, at);
  return arena_printf(arena, "%.*s(?i)%.*s", (int)at, pattern.p, STR_ARG(rest));
}

static const struct regex *compile_pattern(const struct literal_context *context,
                                           const struct cJSON *node, bool ignore_case) {
  struct arena *arena = context->compiler->arena;
  struct str pattern = json_str(node);
  size_t inserted_at = SIZE_MAX;
  if (ignore_case) pattern = caseless(arena, pattern, &inserted_at);
  if (!pattern.p) {
    no_memory(context, node);
    return NULL;
  }
  struct regex_error error;
  struct regex *regex = regex_new(pattern, &error);
  if (!regex) {
    size_t offset = error.offset > inserted_at ? error.offset - sizeof("(?i)") + 1 : error.offset;
    json_error(context->compiler->doc, node, context->compiler->diags, NULL,
               "%s: bad pattern for '%.*s': %s (at byte %zu of it)", context->what,
               STR_ARG(context->attribute), error.message, offset);
    return NULL;
  }
  if (!arena_defer(arena, free_regex, regex)) {
    no_memory(context, node);
    return NULL;
  }
  return regex;
}

static bool compile_patterns(const struct literal_context *context, const struct cJSON *node,
                             struct leaf *leaf) {
  if (!check_strings(context, node)) return false;
  const struct regex **patterns =
      ARENA_ARRAY(context->compiler->arena, const struct regex *, items_count(node));
  if (!patterns) return no_memory(context, node);
  bool ok = true;
  for (const struct cJSON *item = items_first(node); item; item = items_next(node, item)) {
    const struct regex *regex = compile_pattern(context, item, leaf->ignore_case);
    ok = regex && ok;
    patterns[leaf->n++] = regex;
  }
  leaf->test = TEST_MATCHES;
  leaf->with.patterns = patterns;
  return ok;
}

static bool compile_network(const struct literal_context *context, const struct cJSON *node,
                            struct ip_network *ret) {
  switch (ip_network_parse(json_str(node), ret)) {
    case IP_NETWORK_OK:
      return true;
    case IP_NETWORK_MALFORMED:
      return refuse(context, node, "an address or a network", "as in \"10.1.0.0/16\"");
    case IP_NETWORK_HOST_BITS:
      break;
  }
  char meant[64], hint[96], buffer[SHOWN_MAX + 8];
  struct str network = ip_network_format(ret, meant, sizeof(meant));
  (void)snprintf(hint, sizeof(hint), "did you mean '%.*s'?", STR_ARG(network));
  json_error(context->compiler->doc, node, context->compiler->diags, hint,
             "%s: %s has bits set behind its prefix", context->what,
             shown(context, node, buffer, sizeof(buffer)));
  return false;
}

static bool compile_networks(const struct literal_context *context, const struct cJSON *node,
                             struct leaf *leaf) {
  if (!check_strings(context, node)) return false;
  struct ip_network *networks =
      ARENA_ARRAY(context->compiler->arena, struct ip_network, items_count(node));
  if (!networks) return no_memory(context, node);
  bool ok = true;
  for (const struct cJSON *item = items_first(node); item; item = items_next(node, item)) {
    ok = compile_network(context, item, &networks[leaf->n++]) && ok;
  }
  leaf->test = TEST_IN_CIDR;
  leaf->with.networks = networks;
  return ok;
}

static bool compile_share(const struct literal_context *context, const struct cJSON *node,
                          struct leaf *leaf) {
  const char *wanted = "a list of two percentages, [from, to)";
  if (!cJSON_IsArray(node) || items_count(node) != 2) return refuse(context, node, wanted, NULL);
  unsigned bounds[2];
  size_t i = 0;
  for (const struct cJSON *item = node->child; item; item = item->next, i++) {
    if (!percent_parse(json_raw(context->compiler->doc, item), &bounds[i])) {
      return refuse(context, item, "percentages", "numbers from 0 to 100, at most two decimals");
    }
  }
  if (bounds[0] >= bounds[1]) {
    json_error(context->compiler->doc, node, context->compiler->diags,
               "[from, to) includes from and not to",
               "%s: no bucket of '%.*s' is in these: from is not below to", context->what,
               STR_ARG(context->attribute));
    return false;
  }
  leaf->with.share.salt = arena_dup(context->compiler->arena, context->salt);
  leaf->with.share.from = bounds[0];
  leaf->with.share.to = bounds[1];
  leaf->test = TEST_BUCKET_IN;
  return leaf->with.share.salt.p ? true : no_memory(context, node);
}

static bool compile_form(const struct literal_context *context, const struct cJSON *node,
                         struct leaf *leaf) {
  switch (context->info->form) {
    case LITERAL_ONE:
      return compile_one(context, node, leaf);
    case LITERAL_LIST:
      return compile_list(context, node, leaf);
    case LITERAL_PAIR:
      return compile_pair(context, node, leaf);
    case LITERAL_BOOLEAN:
      return compile_boolean(context, node, leaf);
    case LITERAL_FILE:
      return value_file_compile(context, node, leaf);
    case LITERAL_TEXTS:
      return compile_texts(context, node, leaf);
    case LITERAL_PATTERNS:
      return compile_patterns(context, node, leaf);
    case LITERAL_PREFIXES:
      return compile_prefixes(context, node, leaf);
    case LITERAL_NETWORKS:
      return compile_networks(context, node, leaf);
    case LITERAL_SHARE:
      return compile_share(context, node, leaf);
  }
  return false;
}

bool literal_compile(const struct literal_context *context, const struct cJSON *node,
                     struct leaf *leaf) {
  leaf->op = context->info->name;
  leaf->negative = context->info->negative;
  return compile_form(context, node, leaf) && keep_json(context, node, leaf);
}
