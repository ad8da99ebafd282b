/*
 * plan: from Ingresses to routes, as ingress-nginx would put them together.
 *
 *   1. read the annotations; take the Ingresses of the class asked for, the older ones first
 *   2. paths of main Ingresses become claims: one for each host and prefix (claim_paths)
 *   3. each canary's paths look for the claim with their host, path and type (attach_canaries)
 *   4. claims of an Ingress that differ in their host only become one route (make_routes)
 *   5. what the two programs would route differently is said (routing.c)
 *
 * Sets of strings are made of keys whose parts end in a NUL, which no text of a manifest holds.
 */
#include "plan.h"

#include <stdlib.h>

#include "adit/hash.h"
#include "adit/http.h"
#include "plan_private.h"

/* ---- paths ----------------------------------------------------------------------------------- */

/*
 * The literal part of a path that is a pattern, when what follows only says "and what is below it":
 * the usual ways to write a prefix for rewrite-target. False: it says more.
 */
static bool prefix_of_pattern(struct str pattern, struct str *ret) {
  static const char *const tails[] = {
      "",        "$",  "/?",  "/?$",       "(.*)",   "(.*)$",   "/(.*)",   "/(.*)$",   "/?(.*)",
      "/?(.*)$", ".*", "/.*", "(/|$)(.*)", "(/.*)?", "(/.*)?$", "(/|$).*", "($|/)(.*)"};
  size_t n = 0;
  while (n < pattern.n && !memchr("\\^$.[|()?*+{", pattern.p[n], 12)) n++;
  /* A dot is nearly always meant as itself: /v1.0/(.*) */
  struct str rest = str_skip(pattern, n);
  while (rest.n > 1 && rest.p[0] == '.' && !memchr("*+?{", rest.p[1], 4)) {
    n++;
    while (n < pattern.n && !memchr("\\^$.[|()?*+{", pattern.p[n], 12)) n++;
    rest = str_skip(pattern, n);
  }
  *ret = str_take(pattern, n);
  if (n > 1 && pattern.p[n - 1] == '/' && rest.n > 0) *ret = str_take(pattern, n - 1);
  for (size_t i = 0; i < sizeof(tails) / sizeof(*tails); i++) {
    if (str_eq(rest, str_from_cstr(tails[i]))) return n > 0;
  }
  return false;
}

static bool is_pattern(const struct plan_ingress *main, struct str path) {
  static const char regex[] = "nginx.ingress.kubernetes.io/use-regex";
  static const char rewrite[] = "nginx.ingress.kubernetes.io/rewrite-target";
  const struct yaml_node *map = main->ingress->annotations;
  if (!map || !(yaml_find(map, regex) || yaml_find(map, rewrite))) return false;
  for (size_t i = 0; i < path.n; i++) {
    if (memchr("\\^$[|()?*+{", path.p[i], 11)) return true;
  }
  return false;
}

/* What a path's prefix cannot be in a rule file; NULL: it can be one. */
static const char *find_path_mistake(struct planner *planner, struct str path) {
  struct str normal;
  for (size_t i = 0; i < path.n; i++) {
    if ((unsigned char)path.p[i] < 0x20 || path.p[i] == 0x7F) return "has control characters";
    if (memchr("%?#\\", path.p[i], 4)) return "has one of % ? # \\";
  }
  char *scratch = arena_alloc(planner->arena, path.n);
  if (!scratch || !http_path_normalise(path, scratch, &normal) || !str_eq(normal, path)) {
    return "is no path that a request can have";
  }
  return NULL;
}

/* The prefix that a path is. False: it cannot be kept, and that was said. */
static bool find_prefix(struct planner *planner, struct plan_ingress *main,
                        const struct manifest_path *path, struct str *ret) {
  *ret = path->path;
  if (is_pattern(main, path->path) && !prefix_of_pattern(path->path, ret)) {
    manifest_lose(planner->manifests, main->ingress, path->at,
                  "left out: the path '%.*s' is a regular expression, and a route has a prefix",
                  STR_ARG(path->path));
    return false;
  }
  const char *mistake = find_path_mistake(planner, *ret);
  if (mistake) {
    manifest_lose(planner->manifests, main->ingress, path->at, "left out: the path '%.*s' %s",
                  STR_ARG(path->path), mistake);
    return false;
  }
  if (ret->n > 1 && ret->p[ret->n - 1] == '/') ret->n--;
  return true;
}

/* ---- claims ---------------------------------------------------------------------------------- */

static int rank(const struct manifest_path *path) {
  return path->is_default ? 0 : path->type == PATH_EXACT ? 1 : 2;
}

/* Two claims of one host and prefix: a Prefix comes before an Exact, any before a default backend,
 * then the older one. */
static void settle(struct planner *planner, struct claim *holder, const struct claim *other) {
  struct claim winner = *holder, loser = *other;
  if (rank(other->path) > rank(holder->path)) {
    winner = *other;
    loser = *holder;
  }
  *holder = winner;
  if (loser.path->is_default || loser.upstream == winner.upstream) return;
  manifest_lose(planner->manifests, loser.main->ingress, loser.path->at,
                "left out: %.*s%.*s is already taken in line %u of %s", STR_ARG(loser.path->host),
                STR_ARG(loser.path->path), winner.path->at.line, winner.path->at.file);
}

static bool claim_path(struct planner *planner, struct plan_ingress *main,
                       const struct manifest_path *path) {
  struct claim claim = {.main = main, .path = path};
  if (!find_prefix(planner, main, path, &claim.prefix)) return !arena_failed(planner->arena);
  claim.upstream = plan_find_upstream(planner, main->ingress, &path->backend);
  if (claim.upstream == STR_SET_NONE) return !arena_failed(planner->arena);
  struct str key = PLAN_KEY(planner, path->host, claim.prefix);
  if (!key.p) return false;
  size_t i = str_set_find(planner->places, key);
  if (i != STR_SET_NONE) {
    settle(planner, &planner->claims.items[i], &claim);
    return true;
  }
  str_set_add(planner->places, key, planner->claims.n);
  return VEC_PUSH(planner->arena, &planner->claims, claim);
}

static bool claim_paths(struct planner *planner) {
  for (size_t i = 0; i < planner->plan->ingress_count; i++) {
    struct plan_ingress *main = &planner->plan->ingresses[i];
    if (main->annotations.canary.enabled) continue;
    for (size_t k = 0; k < main->ingress->paths.n; k++) {
      if (!claim_path(planner, main, &main->ingress->paths.items[k])) return false;
    }
  }
  return true;
}

/* ---- canaries -------------------------------------------------------------------------------- */

static struct str path_key(struct planner *planner, const struct manifest_path *path) {
  bool exact = path->type == PATH_EXACT;
  return PLAN_KEY(planner, path->host, path->path, exact ? STR("=") : STR("/"));
}

static bool index_paths(struct planner *planner) {
  planner->exact_places = str_set_new(planner->arena, planner->claims.n);
  if (!planner->exact_places) return false;
  for (size_t i = 0; i < planner->claims.n; i++) {
    struct str key = path_key(planner, planner->claims.items[i].path);
    if (!key.p) return false;
    (void)str_set_add(planner->exact_places, key, i);
  }
  return true;
}

static void attach(struct planner *planner, struct plan_ingress *canary,
                   const struct manifest_path *path, struct claim *claim, size_t upstream) {
  struct manifests *manifests = planner->manifests;
  if (upstream == claim->upstream) {
    manifest_lose(manifests, canary->ingress, path->at,
                  "left out: its service is the main one's, too; ingress-nginx ignores it");
  } else if (claim->canary) {
    manifest_lose(manifests, canary->ingress, path->at,
                  "left out: %.*s%.*s has the canary '%.*s' already, and ingress-nginx takes one",
                  STR_ARG(path->host), STR_ARG(path->path), STR_ARG(claim->canary->ingress->name));
  } else {
    claim->canary = canary;
    claim->canary_path = path;
    claim->canary_upstream = upstream;
  }
}

static bool attach_canary(struct planner *planner, struct plan_ingress *canary,
                          const struct manifest_path *path) {
  struct str key = path_key(planner, path);
  size_t i = key.p ? str_set_find(planner->exact_places, key) : STR_SET_NONE;
  if (i == STR_SET_NONE) {
    manifest_lose(planner->manifests, canary->ingress, path->at,
                  "left out: no other Ingress has host '%.*s' with the %s '%.*s'; ingress-nginx "
                  "ignores such a canary",
                  STR_ARG(path->host), path->type == PATH_EXACT ? "exact path" : "path",
                  STR_ARG(path->path));
    return !arena_failed(planner->arena);
  }
  size_t upstream = plan_find_upstream(planner, canary->ingress, &path->backend);
  if (upstream != STR_SET_NONE) {
    attach(planner, canary, path, &planner->claims.items[i], upstream);
  }
  return !arena_failed(planner->arena);
}

static bool attach_canaries(struct planner *planner) {
  if (!index_paths(planner)) return false;
  for (size_t i = 0; i < planner->plan->ingress_count; i++) {
    struct plan_ingress *canary = &planner->plan->ingresses[i];
    if (!canary->annotations.canary.enabled) continue;
    for (size_t k = 0; k < canary->ingress->paths.n; k++) {
      if (!attach_canary(planner, canary, &canary->ingress->paths.items[k])) return false;
    }
  }
  return true;
}

/* ---- routes ---------------------------------------------------------------------------------- */

/* "/api/v1" is "api-v1". */
static struct str slug(struct planner *planner, struct str prefix) {
  struct str text = arena_dup(planner->arena, str_skip(prefix, 1));
  if (!text.p) return text;
  char *p = arena_alloc(planner->arena, text.n + 1);
  if (!p) return (struct str){0};
  for (size_t i = 0; i < text.n; i++) p[i] = text.p[i] == '/' ? '-' : text.p[i];
  return str_make(p, text.n);
}

/* The Ingress's name; where that is taken, with the path, the host, the namespace. */
static struct str name_route(struct planner *planner, const struct claim *claim) {
  struct arena *arena = planner->arena;
  const struct manifest_ingress *ingress = claim->main->ingress;
  struct str path = slug(planner, claim->prefix);
  struct str host = claim->path->host.n > 0 ? claim->path->host : STR("any");
  const char *dash = path.n > 0 ? "-" : "";
  struct str candidates[] = {
      ingress->name, arena_printf(arena, "%.*s%s%.*s", STR_ARG(ingress->name), dash, STR_ARG(path)),
      arena_printf(arena, "%.*s-%.*s%s%.*s", STR_ARG(ingress->name), STR_ARG(host), dash,
                   STR_ARG(path)),
      arena_printf(arena, "%.*s-%.*s-%.*s%s%.*s", STR_ARG(ingress->namespace_),
                   STR_ARG(ingress->name), STR_ARG(host), dash, STR_ARG(path))};
  enum { N = sizeof(candidates) / sizeof(*candidates) };
  struct str identity =
      PLAN_KEY(planner, ingress->namespace_, ingress->name, claim->path->host, claim->prefix);
  if (!candidates[1].p || !candidates[2].p || !candidates[3].p || !identity.p) {
    return (struct str){0};
  }
  return plan_choose_name(arena, planner->route_names, candidates, N, identity);
}

void plan_lose(struct planner *planner, const struct claim *claim, const char *format, ...) {
  struct manifest_loss loss;
  struct plan_route *route = &planner->plan->routes.items[claim->route];
  va_list args;
  va_start(args, format);
  bool made = manifest_make_loss(planner->manifests, claim->main->ingress, claim->path->at, &loss,
                                 format, args);
  va_end(args);
  if (made) (void)VEC_PUSH(planner->arena, &route->losses, loss);
}

static bool add_route(struct planner *planner, const struct claim *claim) {
  struct plan_route route = {.main = claim->main,
                             .canary = claim->canary,
                             .prefix = claim->prefix,
                             .stable_upstream = claim->upstream,
                             .canary_upstream = claim->canary_upstream,
                             .at = claim->path->at};
  if (claim->canary) route.canary_at = claim->canary_path->at;
  route.name = name_route(planner, claim);
  claim->main->routes++;
  if (claim->canary) claim->canary->routes++;
  return route.name.p && VEC_PUSH(planner->arena, &planner->plan->routes, route);
}

static struct str number(struct planner *planner, size_t n) {
  return arena_printf(planner->arena, "%zu", n);
}

bool plan_is_sticky(const struct plan_route *route) {
  return route->canary && route->main->annotations.affinity.cookie &&
         !route->canary->annotations.canary.legacy;
}

/* What a new route cannot be as the Ingress is. */
static void lose_of_route(struct planner *planner, const struct claim *claim) {
  const struct plan_route *route = &planner->plan->routes.items[claim->route];
  if (claim->path->type == PATH_EXACT) {
    plan_lose(planner, claim, "pathType Exact: a route takes what is below '%.*s', too",
              STR_ARG(claim->prefix));
  }
  if (route->canary && route->canary->annotations.affinity.cookie &&
      !route->main->annotations.affinity.cookie) {
    plan_lose(
        planner, claim,
        "affinity: only the canary has it, and the main Ingress's is what remembers a visitor");
  }
  if (!plan_is_sticky(route)) return;
  plan_lose(planner, claim,
            "affinity: a visitor whom ingress-nginx remembers keeps the version, main or canary, "
            "whatever else the request says; Adit asks the rules first, and remembers a canary "
            "that was drawn%s",
            route->main->annotations.affinity.ttl.n > 0
                ? ""
                : " (for a week, and not until the browser is closed)");
}

/* Finds the route that a claim belongs to; makes it when there is none yet. False: memory. */
static bool find_route(struct planner *planner, struct claim *claim) {
  size_t main = (size_t)(claim->main - planner->plan->ingresses);
  size_t canary = claim->canary ? (size_t)(claim->canary - planner->plan->ingresses) : main;
  bool exact = claim->path->type == PATH_EXACT;
  struct str key =
      PLAN_KEY(planner, number(planner, main), number(planner, canary), claim->prefix,
               number(planner, claim->upstream), number(planner, claim->canary_upstream),
               claim->path->host.n > 0 ? STR("host") : STR("any"), exact ? STR("=") : STR("/"));
  if (!key.p) return false;
  claim->route = str_set_find(planner->routes, key);
  if (claim->route != STR_SET_NONE) return true;
  claim->route = planner->plan->routes.n;
  if (!add_route(planner, claim)) return false;
  str_set_add(planner->routes, key, claim->route);
  lose_of_route(planner, claim);
  return true;
}

static bool make_routes(struct planner *planner) {
  planner->routes = str_set_new(planner->arena, planner->claims.n);
  planner->route_names = str_set_new(planner->arena, planner->claims.n);
  if (!planner->routes || !planner->route_names) return false;
  for (size_t i = 0; i < planner->claims.n; i++) {
    struct claim *claim = &planner->claims.items[i];
    if (!find_route(planner, claim)) return false;
    struct plan_route *route = &planner->plan->routes.items[claim->route];
    if (claim->path->host.n > 0 && !VEC_PUSH(planner->arena, &route->hosts, claim->path->host)) {
      return false;
    }
    plan_grant(planner, claim->upstream, claim->main);
    if (claim->canary) plan_grant(planner, claim->canary_upstream, claim->main);
  }
  return true;
}

/* ---- Ingresses ------------------------------------------------------------------------------- */

static int compare_age(const void *a, const void *b) {
  const struct plan_ingress *first = a, *second = b;
  int order = str_cmp(first->ingress->created, second->ingress->created);
  if (order != 0) return order;
  /* They stand in the order of `ingresses` as long as they are not moved. */
  return first->routes < second->routes ? -1 : first->routes > second->routes;
}

/* What is older comes first, as to ingress-nginx, where all say their age. */
static void sort_by_age(struct plan *plan) {
  for (size_t i = 0; i < plan->ingress_count; i++) {
    if (!plan->ingresses[i].ingress->created.p) return;
  }
  for (size_t i = 0; i < plan->ingress_count; i++) plan->ingresses[i].routes = i;
  qsort(plan->ingresses, plan->ingress_count, sizeof(*plan->ingresses), compare_age);
  for (size_t i = 0; i < plan->ingress_count; i++) plan->ingresses[i].routes = 0;
}

static void note_classes(struct planner *planner) {
  const struct manifest_ingress *first = NULL;
  for (size_t i = 0; i < planner->plan->ingress_count; i++) {
    const struct manifest_ingress *ingress = planner->plan->ingresses[i].ingress;
    if (!first) first = ingress;
    if (str_eq(manifest_class(first), manifest_class(ingress))) continue;
    diags_add(planner->manifests->diags, DIAG_WARNING, ingress->at,
              "--class NAME takes those of one class",
              "Ingresses of several classes are imported: '%.*s' and '%.*s'",
              STR_ARG(manifest_class(first)), STR_ARG(manifest_class(ingress)));
    return;
  }
}

static bool take_ingresses(struct planner *planner, const char *class_name) {
  struct manifests *manifests = planner->manifests;
  struct plan *plan = planner->plan;
  size_t n = 0;
  plan->ingresses = ARENA_ARRAY(planner->arena, struct plan_ingress, manifests->ingresses.n);
  if (!plan->ingresses) return false;
  for (size_t i = 0; i < manifests->ingresses.n; i++) {
    struct manifest_ingress *ingress = manifests->ingresses.items[i];
    struct str class_of_it = manifest_class(ingress);
    if (class_name && !str_eq(class_of_it, str_from_cstr(class_name))) {
      diags_add(manifests->diags, DIAG_NOTE, ingress->at, NULL,
                "Ingress '%.*s' is of class '%.*s': passed over", STR_ARG(ingress->name),
                STR_ARG(class_of_it));
      continue;
    }
    plan->ingresses[n].ingress = ingress;
    annotations_read(manifests, ingress, &plan->ingresses[n++].annotations);
  }
  plan->ingress_count = n;
  sort_by_age(plan);
  note_classes(planner);
  return true;
}

/* ---- all ------------------------------------------------------------------------------------- */

struct str plan_key(const struct planner *planner, const struct str *parts, size_t n) {
  size_t bytes = 0;
  for (size_t i = 0; i < n; i++) bytes += parts[i].n + 1;
  char *p = arena_alloc(planner->arena, bytes);
  if (!p) return (struct str){0};
  size_t at = 0;
  for (size_t i = 0; i < n; i++) {
    if (parts[i].n > 0) memcpy(p + at, parts[i].p, parts[i].n);
    at += parts[i].n + 1;
  }
  return str_make(p, bytes);
}

bool plan_make(struct manifests *manifests, const char *class_name, struct plan *ret) {
  struct planner planner = {.manifests = manifests, .plan = ret, .arena = manifests->arena};
  size_t paths = manifests->path_count;
  *ret = (struct plan){0};
  planner.upstreams = str_set_new(planner.arena, paths);
  planner.upstream_names = str_set_new(planner.arena, paths);
  planner.places = str_set_new(planner.arena, paths);
  return planner.upstreams && planner.upstream_names && planner.places &&
         plan_index_services(&planner) && take_ingresses(&planner, class_name) &&
         claim_paths(&planner) && attach_canaries(&planner) && make_routes(&planner) &&
         plan_compare_routing(&planner);
}
