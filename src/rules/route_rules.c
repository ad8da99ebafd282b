/* Rules, segments and the default of a rule file, and what `vary` names. */
#include <cjson/cJSON.h>
#include <stdio.h>

#include "adit/hash.h"
#include "condition.h"
#include "route.h"

enum { WHAT_MAX = 96 };

/* ---- one rule -------------------------------------------------------------------------------- */

static const char *const rule_keys[] = {"id",    "when", "window", "to",
                                        "split", "by",   "mirror", NULL};

/* Fills in the id, and how messages call the rule. */
static void compile_id(struct route_compiler *compiler, const struct cJSON *node, size_t index,
                       struct str_set *ids, char *what, struct rule *rule) {
  const struct cJSON *id = route_member(node, "id");
  struct str name;
  (void)snprintf(what, WHAT_MAX, "rule %zu", index + 1);
  if (!id) {
    json_error(compiler->doc, node, compiler->diags, "decisions and logs name the rule by it",
               "%s: 'id' is missing", what);
    return;
  }
  char what_id[WHAT_MAX];
  (void)snprintf(what_id, WHAT_MAX, "'id' of rule %zu", index + 1);
  if (!route_want_name(compiler, id, what_id, &name)) return;
  (void)snprintf(what, WHAT_MAX, "rule '%.*s'", STR_ARG(name));
  rule->id = route_keep(compiler, name);
  if (rule->id.p && !str_set_add(ids, rule->id, index)) {
    json_error(compiler->doc, id, compiler->diags, NULL, "the rule id '%.*s' is used twice",
               STR_ARG(name));
  }
}

static void compile_to(struct route_compiler *compiler, const struct cJSON *node, const char *what,
                       struct rule *rule) {
  char what_to[WHAT_MAX + 8];
  (void)snprintf(what_to, sizeof(what_to), "%s: 'to'", what);
  rule->to = route_want_variant(compiler, node, what_to);
}

static void compile_outcome(struct route_compiler *compiler, const struct cJSON *node,
                            const char *what, struct rule *rule) {
  const struct cJSON *to = route_member(node, "to");
  const struct cJSON *split = route_member(node, "split");
  const struct cJSON *by = route_member(node, "by");
  if (to && split) {
    json_key_error(compiler->doc, split, compiler->diags, "keep one of the two",
                   "%s has both 'to' and 'split'", what);
    return;
  }
  if (!to && !split) {
    json_error(compiler->doc, node, compiler->diags, "it sends requests to one variant or splits",
               "%s has neither 'to' nor 'split'", what);
  }
  if (by && !split) {
    json_key_error(compiler->doc, by, compiler->diags, "it says what a split is drawn by",
                   "%s: 'by' stands beside 'split' only", what);
  }
  if (to) compile_to(compiler, to, what, rule);
  if (split) split_compile(compiler, split, by, what, &rule->split);
}

static void compile_rule(struct condition_compiler *conditions, struct route_compiler *compiler,
                         const struct cJSON *node, size_t index, struct str_set *ids,
                         struct rule *rule) {
  char what[WHAT_MAX];
  rule->to = VARIANT_NONE;
  struct diag_place at = json_place(compiler->doc, node);
  rule->digest = route_digest(node);
  rule->line = at.line;
  rule->column = at.column;
  (void)snprintf(what, WHAT_MAX, "rule %zu", index + 1);
  if (!route_want_object(compiler, node, what)) return;
  compile_id(compiler, node, index, ids, what, rule);
  (void)json_check_keys(compiler->doc, node, rule_keys, what, compiler->diags);
  const struct cJSON *when = route_member(node, "when");
  const struct cJSON *window = route_member(node, "window");
  if (when || window) rule->when = condition_compile(conditions, when, window, what);
  compile_outcome(compiler, node, what, rule);
  const struct cJSON *mirror = route_member(node, "mirror");
  rule->mirror =
      mirror ? mirror_compile(compiler, mirror, what, rule->to) : compiler->route->mirror;
}

static void compile_list(struct condition_compiler *conditions, struct route_compiler *compiler,
                         const struct cJSON *list) {
  size_t n = (size_t)cJSON_GetArraySize(list);
  if (n > RULES_MAX) {
    json_error(compiler->doc, list, compiler->diags, "'in_file' takes long lists of values",
               "%zu rules are more than the limit of %d", n, RULES_MAX);
    return;
  }
  struct rule *rules = ARENA_ARRAY(compiler->arena, struct rule, n);
  struct str_set *ids = str_set_new(compiler->scratch, n);
  if (!rules || !ids) return;
  size_t i = 0;
  const struct cJSON *node;
  cJSON_ArrayForEach(node, list) {
    compile_rule(conditions, compiler, node, i, ids, &rules[i]);
    i++;
  }
  compiler->route->rules = rules;
  compiler->route->rule_count = n;
}

/* ---- default --------------------------------------------------------------------------------- */

static const char *const default_keys[] = {"split", "by", NULL};

static void compile_default(struct route_compiler *compiler, const struct cJSON *node) {
  struct route *route = compiler->route;
  if (!route_want_object(compiler, node, "'default'")) return;
  bool known = json_check_keys(compiler->doc, node, default_keys, "'default'", compiler->diags);
  const struct cJSON *split = route_member(node, "split");
  if (!split) {
    if (!known) return;
    json_error(compiler->doc, node, compiler->diags, "without 'default' the rest goes to stable",
               "'default' has no 'split'");
    return;
  }
  split_compile(compiler, split, route_member(node, "by"), "'default'", &route->default_split);
  route->has_default_split = true;
  route->default_digest = route_digest(node);
}

/* ---- segments, rules, default ---------------------------------------------------------------- */

static struct condition_compiler make_conditions(struct route_compiler *compiler,
                                                 const struct cJSON *segments) {
  return (struct condition_compiler){
      .arena = compiler->arena,
      .table = compiler->table,
      .catalog = compiler->route->catalog,
      .doc = compiler->doc,
      .file_segments = {.doc = compiler->doc,
                        .object = segments,
                        .directory = compiler->environment->directory},
      .gateway_segments = compiler->environment->segments,
      .directory = compiler->environment->directory,
      .salt = compiler->route->sticky.salt,
      .diags = compiler->diags,
  };
}

/* Short of memory the arena remembers it and the route is given up. */
static void keep_files(struct route_compiler *compiler,
                       const struct condition_compiler *conditions) {
  const size_t n = value_files_read(conditions, NULL);
  struct route_file *files = ARENA_ARRAY(compiler->arena, struct route_file, n);
  if (!files || n == 0) return;
  compiler->route->files = files;
  compiler->route->file_count = value_files_read(conditions, files);
}

void route_compile_rules(struct route_compiler *compiler) {
  const struct cJSON *segments = route_member(compiler->root, "segments");
  const struct cJSON *rules = route_member(compiler->root, "rules");
  const struct cJSON *rest = route_member(compiler->root, "default");
  if (segments && !route_want_object(compiler, segments, "'segments'")) segments = NULL;
  struct condition_compiler conditions = make_conditions(compiler, segments);
  if (rules && route_want_array(compiler, rules, "'rules'")) {
    compile_list(&conditions, compiler, rules);
  }
  keep_files(compiler, &conditions);
  if (segments) (void)segments_compile_all(&conditions);
  if (rest) compile_default(compiler, rest);
}

/* ---- vary ------------------------------------------------------------------------------------ */

struct field_names {
  VEC(struct str) names;
};

static void add_field(struct route_compiler *compiler, struct field_names *fields,
                      struct str name) {
  for (size_t i = 0; i < fields->names.n; i++) {
    if (str_eq_nocase(fields->names.items[i], name)) return;
  }
  struct str kept = route_keep(compiler, name);
  /* Short of memory the arena remembers it and the route is given up. */
  (void)VEC_PUSH(compiler->arena, &fields->names, kept);
}

static void add_force_fields(struct route_compiler *compiler, struct field_names *fields) {
  const struct route_force *force = &compiler->route->force;
  if (!force->enabled) return;
  add_field(compiler, fields, force->header);
  if (force->cookie.p) add_field(compiler, fields, STR("Cookie"));
  if (force->token.p) add_field(compiler, fields, STR("X-Canary-Token"));
  /* client_ip, as the table names its field */
  if (force->allow_from_count > 0) add_field(compiler, fields, STR("X-Forwarded-For"));
}

void route_compile_vary(struct route_compiler *compiler, size_t read_count) {
  struct route *route = compiler->route;
  struct field_names fields = {0};
  for (size_t slot = 0; slot < read_count; slot++) {
    struct str name;
    size_t n = attr_table_request_fields(compiler->table, (uint16_t)slot, 0, &name);
    for (size_t k = 0; k < n; k++) {
      (void)attr_table_request_fields(compiler->table, (uint16_t)slot, k, &name);
      add_field(compiler, &fields, name);
    }
  }
  add_force_fields(compiler, &fields);
  if (route->has_split) add_field(compiler, &fields, STR("Cookie"));
  route->vary_fields = fields.names.items;
  route->vary_field_count = fields.names.n;
}
