/*
 * Variants of a rule file: which there are, which is stable, the order of the others; and the
 * state, which needs them. Where a part is unusable, what depends on it is left out instead of
 * adding mistakes that are none.
 */
#include <cjson/cJSON.h>

#include "route.h"

static const char *const state_names[] = {
    [ROUTE_ON] = "on", [ROUTE_DRAIN] = "drain", [ROUTE_OFF] = "off", [ROUTE_FULL] = "full", NULL};

const char *route_state_name(enum route_state state) {
  return state_names[state];
}

bool route_state_find(struct str name, enum route_state *ret) {
  for (int i = 0; state_names[i]; i++) {
    if (!str_eq(name, str_from_cstr(state_names[i]))) continue;
    *ret = (enum route_state)i;
    return true;
  }
  return false;
}

uint16_t route_find_variant(const struct route *route, struct str name) {
  for (uint16_t i = 0; i < route->variant_count; i++) {
    if (str_eq(route->variants[i].name, name)) return i;
  }
  return VARIANT_NONE;
}

bool route_is_canary(const struct route *route, uint16_t variant) {
  return variant < route->variant_count && variant != route->stable;
}

/* ---- variants -------------------------------------------------------------------------------- */

static bool is_upstream(const struct rules_environment *environment, struct str name) {
  for (const char *const *known = environment->upstreams; *known; known++) {
    if (str_eq(name, str_from_cstr(*known))) return true;
  }
  return false;
}

static bool may_use_upstream(const struct rules_environment *environment, struct str name) {
  if (!environment->claim_upstreams) return true;
  for (size_t i = 0; i < environment->claim_upstream_count; i++) {
    if (str_eq(name, environment->claim_upstreams[i])) return true;
  }
  return false;
}

static struct str compile_upstream(struct route_compiler *compiler, const struct cJSON *node) {
  struct str name;
  const char *what =
      arena_printf(compiler->scratch, "the upstream of variant '%s'", node->string).p;
  if (!what || !route_want_string(compiler, node, what, &name)) return (struct str){0};
  if (!is_upstream(compiler->environment, name)) {
    char hint[160];
    const char *meant =
        diag_did_you_mean(name, compiler->environment->upstreams, hint, sizeof(hint));
    json_error(compiler->doc, node, compiler->diags,
               meant ? meant : "upstreams are defined in adit.json",
               "variant '%s': unknown upstream '%.*s'", node->string, STR_ARG(name));
  } else if (!may_use_upstream(compiler->environment, name)) {
    json_error(compiler->doc, node, compiler->diags,
               "adit.json lists under \"rules\" which upstreams these files may claim",
               "variant '%s': this file may not claim upstream '%.*s'", node->string,
               STR_ARG(name));
  }
  return route_keep(compiler, name);
}

static void compile_variant_list(struct route_compiler *compiler, const struct cJSON *object) {
  struct route *route = compiler->route;
  size_t n = (size_t)cJSON_GetArraySize(object);
  if (n == 0) {
    json_error(compiler->doc, object, compiler->diags, "\"variants\": { \"v1\": \"shop-v1\" }",
               "'variants' needs at least one variant");
    return;
  }
  if (n > VARIANTS_MAX) {
    json_error(compiler->doc, object, compiler->diags, NULL,
               "%zu variants are more than the limit of %d", n, VARIANTS_MAX);
    return;
  }
  struct route_variant *variants = ARENA_ARRAY(compiler->arena, struct route_variant, n);
  const char **names = ARENA_ARRAY(compiler->scratch, const char *, n + 1);
  if (!variants || !names) return;
  size_t i = 0;
  const struct cJSON *node;
  cJSON_ArrayForEach(node, object) {
    struct str name = str_from_cstr(node->string);
    if (!json_is_name(name)) {
      json_key_error(compiler->doc, node, compiler->diags,
                     "1 to 64 letters, digits, '.', '_' and '-' of ASCII",
                     "'%.*s' is not a variant's name", STR_ARG(name));
    }
    variants[i].name = route_keep(compiler, name);
    variants[i].upstream = compile_upstream(compiler, node);
    names[i++] = node->string;
  }
  route->variants = variants;
  route->variant_count = (uint16_t)n;
  compiler->variant_names = names;
}

/* ---- stable, canaries ------------------------------------------------------------------------ */

static void compile_stable(struct route_compiler *compiler, const struct cJSON *variants) {
  const struct cJSON *node = route_member(compiler->root, "stable");
  if (node) {
    compiler->route->stable = route_want_variant(compiler, node, "'stable'");
    return;
  }
  compiler->route->stable = route_find_variant(compiler->route, STR("v1"));
  if (compiler->route->stable == VARIANT_NONE && compiler->variant_names) {
    json_error(compiler->doc, variants, compiler->diags,
               "say which variant is \"stable\"; without it that is 'v1'",
               "there is no variant 'v1' to be stable");
  }
}

/* The non-stable variants as they stand: for the default, and as what the user probably wants. */
static void default_canaries(struct route_compiler *compiler, const struct cJSON *variants) {
  struct route *route = compiler->route;
  uint16_t *canaries = ARENA_ARRAY(compiler->arena, uint16_t, route->variant_count);
  if (!canaries) return;
  for (uint16_t i = 0; i < route->variant_count; i++) {
    if (i != route->stable) canaries[route->canary_count++] = i;
  }
  route->canaries = canaries;
  if (route->canary_count > 1) {
    json_error(compiler->doc, variants, compiler->diags,
               "their order decides who moves when a weight changes",
               "several variants beside stable need a list 'canaries'");
  }
}

/* Takes one name of the list; `listed` is by variant. */
static void add_canary(struct route_compiler *compiler, const struct cJSON *node, bool *listed,
                       uint16_t *canaries) {
  struct route *route = compiler->route;
  uint16_t variant = route_want_variant(compiler, node, "'canaries'");
  if (variant == VARIANT_NONE) return;
  if (variant == route->stable) {
    json_error(compiler->doc, node, compiler->diags, NULL, "'canaries': '%s' is the stable variant",
               node->valuestring);
  } else if (listed[variant]) {
    json_error(compiler->doc, node, compiler->diags, NULL, "'canaries': '%s' is listed twice",
               node->valuestring);
  } else {
    listed[variant] = true;
    canaries[route->canary_count++] = variant;
  }
}

static void compile_canaries(struct route_compiler *compiler, const struct cJSON *list) {
  struct route *route = compiler->route;
  bool listed[VARIANTS_MAX] = {false};
  uint16_t *canaries = ARENA_ARRAY(compiler->arena, uint16_t, route->variant_count);
  if (!canaries || !route_want_array(compiler, list, "'canaries'")) return;
  size_t before = diags_count(compiler->diags, DIAG_ERROR);
  const struct cJSON *node;
  cJSON_ArrayForEach(node, list) add_canary(compiler, node, listed, canaries);
  route->canaries = canaries;
  /* A misspelled name is one mistake, not two. */
  if (diags_count(compiler->diags, DIAG_ERROR) != before) return;
  for (uint16_t i = 0; i < route->variant_count; i++) {
    if (i == route->stable || listed[i]) continue;
    json_error(compiler->doc, list, compiler->diags,
               "every variant but the stable one is listed once", "'canaries' leaves out '%.*s'",
               STR_ARG(route->variants[i].name));
  }
}

void route_compile_variants(struct route_compiler *compiler) {
  const struct cJSON *variants = route_member(compiler->root, "variants");
  compiler->route->stable = VARIANT_NONE;
  if (!variants) {
    json_error(compiler->doc, compiler->root, compiler->diags,
               "\"variants\": { \"v1\": \"shop-v1\", \"canary\": \"shop-canary\" }",
               "'variants' is missing");
  } else if (route_want_object(compiler, variants, "'variants'")) {
    compile_variant_list(compiler, variants);
  }
  compile_stable(compiler, variants);
  const struct cJSON *canaries = route_member(compiler->root, "canaries");
  if (compiler->route->stable == VARIANT_NONE) return;
  if (canaries) {
    compile_canaries(compiler, canaries);
  } else {
    default_canaries(compiler, variants);
  }
}

/* ---- state ----------------------------------------------------------------------------------- */

void route_compile_state(struct route_compiler *compiler) {
  struct route *route = compiler->route;
  const struct cJSON *node = route_member(compiler->root, "state");
  struct str name;
  if (!node || !route_want_string(compiler, node, "'state'", &name)) return;
  for (size_t i = 0; state_names[i]; i++) {
    if (!str_eq(name, str_from_cstr(state_names[i]))) continue;
    route->state = (enum route_state)i;
    if (route->state == ROUTE_FULL && route->stable != VARIANT_NONE && route->variant_count == 1) {
      json_error(compiler->doc, node, compiler->diags, "add a second variant",
                 "'state' cannot be 'full' without a canary");
    }
    return;
  }
  char hint[160];
  const char *meant = diag_did_you_mean(name, state_names, hint, sizeof(hint));
  json_error(compiler->doc, node, compiler->diags, meant ? meant : "on, drain, off or full",
             "unknown state '%.*s'", STR_ARG(name));
}
