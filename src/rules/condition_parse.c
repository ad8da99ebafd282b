/*
 * Conditions of a rule file, checked and compiled into a tree.
 *
 *   condition_compile   a rule's condition: `when`, and behind it what its window says
 *   parse_object        one condition object: the AND of its members
 *     parse_member      all, any, not, segment, or an attribute with a value, a list or operators
 *       parse_operators an object of operators and what may stand beside them
 *         add_leaf      one operator, its literal compiled (literal.c)
 *
 * AND within AND is one list, so that a node has as few levels as its meaning; a segment stays a
 * node of its own because it is shared. Mistakes are collected: one does not hide the next.
 */
#include <cjson/cJSON.h>

#include "adit/arena.h"
#include "adit/json.h"
#include "adit/text.h"
#include "literal.h"

/* For VEC_PUSH. */
struct condition_list {
  const struct condition **items;
  size_t n;
  size_t capacity;
};

/* One attribute's member of a condition object. */
struct member {
  const char *what;
  const struct cJSON *node;
  struct str name;
  enum attr_type type;
  uint16_t slot;
  bool is_path;
  enum tristate missing;
  bool ignore_case;
  bool opens_window;
  struct str salt;
};

static bool parse_object(struct condition_compiler *compiler, const struct cJSON *node,
                         const char *what, struct condition_list *list);

/* ---- nodes ----------------------------------------------------------------------------------- */

static bool push(struct condition_compiler *compiler, struct condition_list *list,
                 const struct condition *condition, const struct cJSON *node, const char *what) {
  return VEC_PUSH(compiler->arena, list, condition) ? true
                                                    : condition_no_memory(compiler, node, what);
}

static unsigned add_counts(unsigned a, unsigned b) {
  return a + b > CONDITIONS_MAX ? CONDITIONS_MAX + 1 : a + b;
}

static const struct condition *make_node(struct condition_compiler *compiler,
                                         enum condition_kind kind,
                                         const struct condition_list *list,
                                         const struct cJSON *node, const char *what) {
  struct condition *condition = ARENA_NEW(compiler->arena, struct condition);
  if (!condition) {
    condition_no_memory(compiler, node, what);
    return NULL;
  }
  condition->kind = kind;
  condition->as.children.items = list->items;
  condition->as.children.n = list->n;
  for (size_t i = 0; i < list->n; i++) {
    const struct condition *child = list->items[i];
    condition->leaf_count = add_counts(condition->leaf_count, child->leaf_count);
    if (child->depth >= condition->depth) condition->depth = child->depth + 1;
  }
  if (condition->depth > CONDITION_DEPTH_MAX) {
    json_error(compiler->doc, node, compiler->diags, NULL,
               "%s: conditions are nested more than %d deep, segments opened", what,
               CONDITION_DEPTH_MAX);
    return NULL;
  }
  return condition;
}

/* A list of one is that one. */
static const struct condition *make_list(struct condition_compiler *compiler,
                                         enum condition_kind kind,
                                         const struct condition_list *list,
                                         const struct cJSON *node, const char *what) {
  return list->n == 1 ? list->items[0] : make_node(compiler, kind, list, node, what);
}

/* ---- operators ------------------------------------------------------------------------------- */

static bool add_leaf(struct condition_compiler *compiler, const struct member *member,
                     const struct operator_info *info, const struct cJSON *literal,
                     struct condition_list *list) {
  struct condition *condition = ARENA_NEW(compiler->arena, struct condition);
  if (!condition) return condition_no_memory(compiler, literal, member->what);
  condition->kind = CONDITION_LEAF;
  condition->leaf_count = 1;
  condition->depth = 1;
  struct leaf *leaf = &condition->as.leaf;
  leaf->slot = member->slot;
  leaf->type = member->type;
  leaf->missing = member->missing;
  leaf->ignore_case = member->ignore_case && info->takes_case;
  leaf->attribute = attr_table_name(compiler->table, member->slot);
  struct diag_place at = json_key_place(compiler->doc, literal);
  leaf->line = at.line;
  leaf->column = at.column;
  leaf->in_gateway = compiler->in_gateway;
  leaf->opens_window = member->opens_window;
  struct literal_context context = {
      .compiler = compiler,
      .what = member->what,
      .attribute = member->name,
      .info = info,
      .salt = member->salt,
  };
  return literal_compile(&context, literal, leaf) &&
         push(compiler, list, condition, literal, member->what);
}

/* What may stand beside operators. */
static const char *const modifiers[] = {"missing", "ignore_case", "salt", NULL};

/* "time attributes have eq, ne, …" */
static void write_operators(const struct member *member, const char *const *names,
                            struct text *out) {
  if (member->is_path) {
    text_printf(out, "%.*s has", STR_ARG(member->name));
  } else {
    text_printf(out, "%s attributes have", attr_type_name(member->type));
  }
  for (size_t i = 0; names[i]; i++) text_printf(out, "%s %s", i == 0 ? "" : ",", names[i]);
}

static void report_operator(const struct condition_compiler *compiler, const struct member *member,
                            const struct cJSON *node, bool exists) {
  const char *names[OPERATORS_MAX];
  operator_names(member->type, member->is_path, names);
  struct str name = str_from_cstr(node->string);
  struct text list;
  char buffer[64];
  text_init(&list, 1024);
  write_operators(member, names, &list);
  const char *hint = exists ? NULL : diag_did_you_mean(name, names, buffer, sizeof(buffer));
  if (!exists && !hint) hint = diag_did_you_mean(name, modifiers, buffer, sizeof(buffer));
  if (!hint && !text_failed(&list)) hint = list.p;
  const char *format = exists ? "%s: operator '%.*s' does not apply to %s attribute '%.*s'"
                              : "%s: unknown operator '%.*s' for %s attribute '%.*s'";
  json_key_error(compiler->doc, node, compiler->diags, hint, format, member->what, STR_ARG(name),
                 attr_type_name(member->type), STR_ARG(member->name));
  text_deinit(&list);
}

/* ---- what stands beside operators ------------------------------------------------------------ */

static bool is_modifier(struct str key) {
  return str_eq(key, STR("missing")) || str_eq(key, STR("ignore_case")) || str_eq(key, STR("salt"));
}

/* Whether one of the operators in `object` takes `modifier`. */
static bool has_taker(const struct cJSON *object, struct str modifier) {
  for (const struct cJSON *node = object->child; node; node = node->next) {
    const struct operator_info *info = operator_find(str_from_cstr(node->string));
    if (!info) continue;
    if (str_eq(modifier, STR("ignore_case")) && info->takes_case) return true;
    if (str_eq(modifier, STR("salt")) && info->form == LITERAL_SHARE) return true;
  }
  return str_eq(modifier, STR("missing"));
}

static bool parse_modifier(const struct condition_compiler *compiler, struct member *member,
                           const struct cJSON *object, const struct cJSON *node) {
  struct str key = str_from_cstr(node->string);
  bool is_salt = str_eq(key, STR("salt"));
  char buffer[LITERAL_SHOWN_BYTES];
  if (!has_taker(object, key)) {
    json_key_error(compiler->doc, node, compiler->diags,
                   is_salt ? "only bucket_in takes it"
                           : "only starts_with, ends_with, contains and matches take it",
                   "%s: '%s' stands beside no operator that takes it", member->what, node->string);
    return false;
  }
  if (is_salt ? !cJSON_IsString(node) : !cJSON_IsBool(node)) {
    json_error(compiler->doc, node, compiler->diags, NULL, "%s: '%s' must be %s, not %s",
               member->what, node->string, is_salt ? "a string" : "true or false",
               literal_shown(compiler->doc, node, buffer));
    return false;
  }
  if (is_salt) {
    member->salt = json_str(node);
  } else if (str_eq(key, STR("missing"))) {
    member->missing = cJSON_IsTrue(node) ? TRISTATE_TRUE : TRISTATE_FALSE;
  } else {
    member->ignore_case = cJSON_IsTrue(node);
  }
  return true;
}

static bool parse_operator(struct condition_compiler *compiler, const struct member *member,
                           const struct cJSON *node, struct condition_list *list) {
  const struct operator_info *info = operator_find(str_from_cstr(node->string));
  if (!info || !operator_applies(info, member->type, member->is_path)) {
    report_operator(compiler, member, node, info != NULL);
    return false;
  }
  return add_leaf(compiler, member, info, node, list);
}

static bool parse_operators(struct condition_compiler *compiler, struct member *member,
                            struct condition_list *list) {
  bool ok = true;
  size_t operators = 0;
  for (const struct cJSON *node = member->node->child; node; node = node->next) {
    if (!is_modifier(str_from_cstr(node->string))) {
      operators++;
    } else {
      ok = parse_modifier(compiler, member, member->node, node) && ok;
    }
  }
  if (operators == 0 && ok) {
    json_error(compiler->doc, member->node, compiler->diags, "for instance {\"exists\": true}",
               "%s: no operator for '%.*s'", member->what, STR_ARG(member->name));
    return false;
  }
  for (const struct cJSON *node = member->node->child; node; node = node->next) {
    if (is_modifier(str_from_cstr(node->string))) continue;
    ok = parse_operator(compiler, member, node, list) && ok;
  }
  return ok;
}

/* ---- attributes ------------------------------------------------------------------------------ */

static bool is_keyword(struct str key) {
  return str_eq(key, STR("all")) || str_eq(key, STR("any")) || str_eq(key, STR("not")) ||
         str_eq(key, STR("segment"));
}

/* What to do about a name that is no attribute; may be written to `buffer`. */
static const char *attribute_hint(const struct condition_compiler *compiler, struct str name,
                                  char *buffer, size_t capacity) {
  static const char *const keywords[] = {"all", "any", "not", "segment", NULL};
  if (is_modifier(name) || operator_find(name)) {
    return "it belongs within an attribute's object";
  }
  if (str_ends_with(name, STR("."))) return "a name follows the dot, as in header.user-agent";
  if (diags_is_full(compiler->diags, DIAG_ERROR)) return NULL;
  const char *hint =
      diag_did_you_mean(name, attr_catalog_names(compiler->catalog), buffer, capacity);
  if (!hint) hint = diag_did_you_mean(name, keywords, buffer, capacity);
  if (!hint && str_ends_with(name, STR(".age"))) return "only attributes of type time have an age";
  return hint ? hint : "declare it under \"attributes\", or use header., cookie. or query.";
}

static void report_attribute(const struct condition_compiler *compiler, const struct cJSON *node,
                             const char *what) {
  struct str name = str_from_cstr(node->string);
  char buffer[160];
  json_key_error(compiler->doc, node, compiler->diags,
                 attribute_hint(compiler, name, buffer, sizeof(buffer)),
                 "%s: unknown attribute '%.*s'", what, STR_ARG(name));
}

static bool parse_attribute(struct condition_compiler *compiler, const struct cJSON *node,
                            const char *what, struct condition_list *list) {
  struct member member = {
      .what = what,
      .node = node,
      .name = str_from_cstr(node->string),
      .missing = TRISTATE_UNKNOWN,
      .salt = compiler->salt,
  };
  if (!attr_catalog_find(compiler->catalog, member.name, &member.type)) {
    report_attribute(compiler, node, what);
    return false;
  }
  member.slot = attr_table_slot(compiler->table, member.name);
  if (member.slot == ATTR_SLOT_NONE) {
    json_key_error(compiler->doc, node, compiler->diags, NULL, "%s: too many attributes", what);
    return false;
  }
  member.is_path = attr_table_is_path(compiler->table, member.slot);
  if (cJSON_IsObject(node)) return parse_operators(compiler, &member, list);
  const struct operator_info *info = operator_find(cJSON_IsArray(node) ? STR("in") : STR("eq"));
  return add_leaf(compiler, &member, info, node, list);
}

/* ---- all, any, not, segment ------------------------------------------------------------------ */

static bool check_list(const struct condition_compiler *compiler, const struct cJSON *node,
                       const char *what) {
  char buffer[LITERAL_SHOWN_BYTES];
  if (cJSON_IsArray(node) && node->child) return true;
  if (cJSON_IsArray(node)) {
    json_error(compiler->doc, node, compiler->diags, "a list needs at least one condition",
               "%s: empty list for '%s'", what, node->string);
  } else {
    json_error(compiler->doc, node, compiler->diags, NULL,
               "%s: '%s' takes a list of conditions, not %s", what, node->string,
               literal_shown(compiler->doc, node, buffer));
  }
  return false;
}

static bool parse_all(struct condition_compiler *compiler, const struct cJSON *node,
                      const char *what, struct condition_list *list) {
  if (!check_list(compiler, node, what)) return false;
  bool ok = true;
  for (const struct cJSON *item = node->child; item; item = item->next) {
    ok = parse_object(compiler, item, what, list) && ok;
  }
  return ok;
}

static bool parse_any(struct condition_compiler *compiler, const struct cJSON *node,
                      const char *what, struct condition_list *list) {
  if (!check_list(compiler, node, what)) return false;
  struct condition_list items = {0};
  bool ok = true;
  for (const struct cJSON *item = node->child; item; item = item->next) {
    const struct condition *condition = condition_compile_part(compiler, item, what);
    ok = condition && push(compiler, &items, condition, item, what) && ok;
  }
  if (!ok) return false;
  const struct condition *any = make_list(compiler, CONDITION_ANY, &items, node, what);
  return any && push(compiler, list, any, node, what);
}

static bool parse_not(struct condition_compiler *compiler, const struct cJSON *node,
                      const char *what, struct condition_list *list) {
  struct condition_list items = {0};
  const struct condition *condition = condition_compile_part(compiler, node, what);
  if (!condition || !push(compiler, &items, condition, node, what)) return false;
  const struct condition *negation = make_node(compiler, CONDITION_NOT, &items, node, what);
  return negation && push(compiler, list, negation, node, what);
}

static bool parse_member(struct condition_compiler *compiler, const struct cJSON *node,
                         const char *what, struct condition_list *list) {
  struct str key = str_from_cstr(node->string);
  if (!is_keyword(key)) return parse_attribute(compiler, node, what, list);
  if (str_eq(key, STR("all"))) return parse_all(compiler, node, what, list);
  if (str_eq(key, STR("any"))) return parse_any(compiler, node, what, list);
  if (str_eq(key, STR("not"))) return parse_not(compiler, node, what, list);
  const struct condition *segment = segment_open(compiler, node, what);
  return segment && push(compiler, list, segment, node, what);
}

/* ---- objects --------------------------------------------------------------------------------- */

static bool parse_members(struct condition_compiler *compiler, const struct cJSON *node,
                          const char *what, struct condition_list *list) {
  bool ok = true;
  for (const struct cJSON *member = node->child; member; member = member->next) {
    ok = parse_member(compiler, member, what, list) && ok;
  }
  return ok;
}

/* Adds the members of a condition object to `list`, which is an AND. */
static bool parse_object(struct condition_compiler *compiler, const struct cJSON *node,
                         const char *what, struct condition_list *list) {
  char buffer[LITERAL_SHOWN_BYTES];
  if (!cJSON_IsObject(node)) {
    json_error(compiler->doc, node, compiler->diags, "for instance {\"method\": \"GET\"}",
               "%s: a condition is an object, not %s", what,
               literal_shown(compiler->doc, node, buffer));
    return false;
  }
  if (!node->child) {
    json_error(compiler->doc, node, compiler->diags, "a rule without 'when' matches everything",
               "%s: empty condition", what);
    return false;
  }
  if (compiler->depth == CONDITION_DEPTH_MAX) {
    json_error(compiler->doc, node, compiler->diags, NULL,
               "%s: conditions are nested more than %d deep, segments opened", what,
               CONDITION_DEPTH_MAX);
    return false;
  }
  compiler->depth++;
  bool ok = parse_members(compiler, node, what, list);
  compiler->depth--;
  return ok;
}

const struct condition *condition_compile_part(struct condition_compiler *compiler,
                                               const struct cJSON *node, const char *what) {
  struct condition_list list = {0};
  if (!parse_object(compiler, node, what, &list)) return NULL;
  return make_list(compiler, CONDITION_ALL, &list, node, what);
}

/* ---- a rule's window ------------------------------------------------------------------------- */

/* `from` or `until`, if it is there. False: an error was added. */
static bool add_window_end(struct condition_compiler *compiler, const struct cJSON *window,
                           const struct operator_info *info, const char *key, const char *what,
                           struct condition_list *list) {
  const struct cJSON *node = cJSON_GetObjectItemCaseSensitive(window, key);
  if (!node) return true;
  bool has_until = cJSON_GetObjectItemCaseSensitive(window, "until") != NULL;
  struct str what_end = arena_printf(compiler->arena, "%s: '%s' of 'window'", what, key);
  struct member member = {.what = what_end.p ? what_end.p : what,
                          .node = node,
                          .name = STR("now"),
                          .type = ATTR_TIME,
                          .missing = TRISTATE_UNKNOWN,
                          .opens_window = has_until && info->accepts != ACCEPT_LESS};
  member.slot = attr_table_slot(compiler->table, member.name);
  if (member.slot == ATTR_SLOT_NONE) return condition_no_memory(compiler, node, what);
  return add_leaf(compiler, &member, info, node, list);
}

static bool check_window(struct condition_compiler *compiler, const struct cJSON *window,
                         const char *what, const struct leaf *from, const struct leaf *until) {
  const struct attr_datum *low = from->with.data, *high = until->with.data;
  if (attr_datum_compare(ATTR_TIME, low, high) < 0) return true;
  json_error(compiler->doc, cJSON_GetObjectItemCaseSensitive(window, "until"), compiler->diags,
             "the window is [from, until)", "%s: 'window' is over before it begins", what);
  return false;
}

static bool parse_window(struct condition_compiler *compiler, const struct cJSON *window,
                         const char *what, struct condition_list *list) {
  static const char *const keys[] = {"from", "until", NULL};
  static const struct operator_info from = {"window from", 1u << ATTR_TIME, LITERAL_ONE,
                                            TEST_COMPARE, .accepts = ACCEPT_GREATER | ACCEPT_EQUAL};
  static const struct operator_info until = {"window until", 1u << ATTR_TIME, LITERAL_ONE,
                                             TEST_COMPARE, .accepts = ACCEPT_LESS};
  static const char hint[] = "{ \"from\": \"2026-01-01\", \"until\": \"2026-02-01\" }";
  struct str what_keys = arena_printf(compiler->arena, "%s: 'window'", what);
  char buffer[LITERAL_SHOWN_BYTES];
  size_t before = list->n;
  if (!cJSON_IsObject(window)) {
    json_error(compiler->doc, window, compiler->diags, hint, "%s: 'window' is an object, not %s",
               what, literal_shown(compiler->doc, window, buffer));
    return false;
  }
  bool ok = json_check_keys(compiler->doc, window, keys, what_keys.p ? what_keys.p : what,
                            compiler->diags);
  ok = add_window_end(compiler, window, &from, "from", what, list) && ok;
  ok = add_window_end(compiler, window, &until, "until", what, list) && ok;
  if (!ok) return false;
  if (list->n == before) {
    json_error(compiler->doc, window, compiler->diags, hint,
               "%s: 'window' has neither 'from' nor 'until'", what);
    return false;
  }
  return list->n - before == 1 ||
         check_window(compiler, window, what, &list->items[before]->as.leaf,
                      &list->items[before + 1]->as.leaf);
}

/* ---- a whole condition ----------------------------------------------------------------------- */

static const struct condition *count_condition(struct condition_compiler *compiler,
                                               const struct condition *condition,
                                               const struct cJSON *node, const char *what) {
  if (!condition) return NULL;
  if (condition->leaf_count > CONDITIONS_MAX - compiler->condition_count) {
    json_error(compiler->doc, node, compiler->diags, "'in' and 'in_file' take many values as one",
               "%s: more than %d conditions in the file, segments opened", what, CONDITIONS_MAX);
    return NULL;
  }
  compiler->condition_count += condition->leaf_count;
  return condition;
}

const struct condition *condition_compile(struct condition_compiler *compiler,
                                          const struct cJSON *when, const struct cJSON *window,
                                          const char *what) {
  const struct cJSON *node = when ? when : window;
  struct condition_list list = {0};
  bool ok = !when || parse_object(compiler, when, what, &list);
  ok = (!window || parse_window(compiler, window, what, &list)) && ok;
  if (!ok) return NULL;
  const struct condition *condition = make_list(compiler, CONDITION_ALL, &list, node, what);
  return count_condition(compiler, condition, node, what);
}
