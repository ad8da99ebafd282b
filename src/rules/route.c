/*
 * A rule file as a whole: its top level, and the life of a struct route.
 *
 * Everything that a route holds is in one arena, the route itself included; with the last reference
 * the arena goes. What only compiling needs is in a second one, the scratch.
 */
#include <assert.h>
#include <cjson/cJSON.h>

#include "adit/hash.h"
#include "index.h"
#include "route.h"

/* Lists of values that `in_file` reads are in it too. */
enum { ARENA_MAX_BYTES = 1 << 30 };

/* ---- references ------------------------------------------------------------------------------ */

struct route *route_ref(struct route *route) {
  atomic_fetch_add_explicit(&route->private_->references, 1, memory_order_relaxed);
  return route;
}

static void free_route(struct route *route) {
  struct arena *arena = route->private_->arena;
  attr_catalog_unref(&route->catalog);
  route_override_unref(&route->private_->override);
  arena_free(&arena);
}

void route_unref(struct route **route) {
  struct route *last = *route;
  *route = NULL;
  if (!last) return;
  if (atomic_fetch_sub_explicit(&last->private_->references, 1, memory_order_acq_rel) == 1) {
    free_route(last);
  }
}

/* A route that says nothing yet. NULL: memory. */
static struct route *new_route(void) {
  struct arena *arena = arena_new(ARENA_MAX_BYTES);
  if (!arena) return NULL;
  struct route *route = ARENA_NEW(arena, struct route);
  if (route) route->private_ = ARENA_NEW(arena, struct route_private);
  if (!route || !route->private_) {
    arena_free(&arena);
    return NULL;
  }
  route->private_->arena = arena;
  atomic_init(&route->private_->references, 1);
  return route;
}

/* ---- top level ------------------------------------------------------------------------------- */

static const char *const top_keys[] = {
    "$schema", "route",           "match",      "variants", "stable", "canaries", "state",
    "force",   "sticky",          "attributes", "segments", "rules",  "default",  "tests",
    "vary",    "expose_decision", "time_zone",  "mirror",   NULL};

const char *const route_settings[ROUTE_SETTINGS] = {
    "match",      "variants", "stable", "canaries",        "force",     "sticky",
    "attributes", "segments", "vary",   "expose_decision", "time_zone", "mirror"};
/* "$schema", "route", "state", "rules", "default" and "tests" are told apart, or change nothing. */
static_assert(sizeof(top_keys) / sizeof(*top_keys) - 1 == ROUTE_SETTINGS + 6,
              "a new member of rule files is one of route_settings[]");

static void compile_name(struct route_compiler *compiler) {
  struct route *route = compiler->route;
  const struct cJSON *node = route_member(compiler->root, "route");
  struct str name;
  route->name = STR("");
  route->name_place = route_place(compiler, node ? node : compiler->root);
  if (!node) {
    json_error(compiler->doc, compiler->root, compiler->diags, "\"route\": \"shop\"",
               "'route' is missing: the name of the route");
  } else if (route_want_name(compiler, node, "'route'", &name)) {
    route->name = route_keep(compiler, name);
  }
}

/* The catalog and the table of slots on it. */
static bool compile_attributes(struct route_compiler *compiler) {
  struct route *route = compiler->route;
  const struct cJSON *object = route_member(compiler->root, "attributes");
  route->catalog = attr_catalog_new(ATTR_SCOPE_RULE_FILE, compiler->environment->catalog);
  if (!route->catalog) return false;
  if (object && route_want_object(compiler, object, "'attributes'")) {
    (void)attr_catalog_declare(route->catalog, compiler->doc, object, compiler->diags);
  }
  compiler->table = attr_table_new(compiler->arena, route->catalog);
  route->table = compiler->table;
  return compiler->table != NULL;
}

static void compile_flags(struct route_compiler *compiler) {
  struct route *route = compiler->route;
  const struct cJSON *vary = route_member(compiler->root, "vary");
  const struct cJSON *expose = route_member(compiler->root, "expose_decision");
  const struct cJSON *schema = route_member(compiler->root, "$schema");
  const struct cJSON *tests = route_member(compiler->root, "tests");
  struct str text;
  if (vary) (void)route_want_bool(compiler, vary, "'vary'", &route->vary);
  if (expose) {
    (void)route_want_bool(compiler, expose, "'expose_decision'", &route->expose_decision);
  }
  if (schema) (void)route_want_string(compiler, schema, "'$schema'", &text);
  if (tests) (void)route_want_array(compiler, tests, "'tests'");
}

static void compile_digests(struct route_compiler *compiler) {
  for (size_t i = 0; i < ROUTE_SETTINGS; i++) {
    const cJSON *node = route_member(compiler->root, route_settings[i]);
    compiler->route->settings[i] = node ? route_digest(node) | 1 : 0;
  }
}

/* False: memory. Mistakes are in the list. */
static bool compile_parts(struct route_compiler *compiler) {
  (void)json_check_keys(compiler->doc, compiler->root, top_keys, "rule file", compiler->diags);
  compile_name(compiler);
  if (!compile_attributes(compiler)) return false;
  route_compile_variants(compiler);
  route_compile_match(compiler);
  route_compile_state(compiler);
  route_compile_sticky(compiler);
  route_compile_force(compiler);
  route_compile_zone(compiler);
  route_compile_mirror(compiler);
  compile_digests(compiler);
  route_compile_rules(compiler);
  size_t rule_slots = attr_table_size(compiler->table);
  route_compile_sticky_by(compiler);
  compile_flags(compiler);
  /* Without a split nothing is drawn, and sticky.by is never read. */
  route_compile_vary(compiler,
                     compiler->route->has_split ? attr_table_size(compiler->table) : rule_slots);
  return !arena_failed(compiler->arena) && !arena_failed(compiler->scratch);
}

/* False: memory. */
static bool compile(struct route_compiler *compiler) {
  struct str file = str_from_cstr(json_place(compiler->doc, compiler->root).file);
  compiler->route->file = route_keep(compiler, file).p;
  if (!compiler->route->file) return false;
  if (!route_want_object(compiler, compiler->root, "a rule file")) return true;
  return compile_parts(compiler);
}

struct route *route_compile(const struct json_doc *doc, const struct rules_environment *environment,
                            struct diags *diags) {
  size_t before = diags_count(diags, DIAG_ERROR);
  struct route *route = new_route();
  struct arena *scratch = arena_new(ARENA_MAX_BYTES);
  struct route_compiler compiler = {.doc = doc,
                                    .root = json_root(doc),
                                    .environment = environment,
                                    .diags = diags,
                                    .arena = route ? route->private_->arena : NULL,
                                    .scratch = scratch,
                                    .route = route};
  bool fits = route && scratch && compile(&compiler);
  if (fits && diags_count(diags, DIAG_ERROR) == before) {
    fits = rule_index_build(route, compiler.arena, scratch, &route->index);
  }
  if (!fits) {
    diags_add(diags, DIAG_ERROR, json_place(doc, json_root(doc)), NULL,
              "the rules do not fit into memory");
  }
  arena_free(&scratch);
  if (diags_count(diags, DIAG_ERROR) != before) route_unref(&route);
  return route;
}
