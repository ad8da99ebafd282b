/*
 * What routes must not have in common, found in one pass: each route is compared with what is known
 * of those before it, by name, by host with prefix, and by group.
 */
#include "adit/arena.h"
#include "adit/hash.h"
#include "route.h"

enum { ARENA_MAX_BYTES = 1 << 30 };

struct known {
  struct arena *arena;
  struct route *const *routes;
  struct str_set *names;   /* name → the route */
  struct str_set *matches; /* host and prefix → the first route with them */
  struct str_set *groups;  /* group → its first route */
  struct diags *diags;
};

/* The outcome of comparing one route: the earlier one it conflicts with, NONE, or no memory. */
enum { NONE = -1, NO_MEMORY = -2 };

/* ---- names ----------------------------------------------------------------------------------- */

static long check_name(struct known *known, size_t i) {
  const struct route *route = known->routes[i];
  size_t first = str_set_find(known->names, route->name);
  if (first == STR_SET_NONE) return NONE;
  diags_add(known->diags, DIAG_ERROR, route->name_place, "rename one of the two",
            "the name '%.*s' is the route's in '%s' too", STR_ARG(route->name),
            known->routes[first]->file);
  return (long)first;
}

/* ---- host and prefix ------------------------------------------------------------------------- */

static void add_match_error(struct known *known, const struct route *route, size_t host,
                            const struct route *first) {
  struct str prefix = route->path_prefix.n > 0 ? route->path_prefix : STR("/");
  if (route->host_count == 0) {
    diags_add(known->diags, DIAG_ERROR, route->match_place,
              "give one of them hosts or a longer prefix",
              "route '%.*s' and route '%.*s' (%s) both take every host with the path prefix '%.*s'",
              STR_ARG(route->name), STR_ARG(first->name), first->file, STR_ARG(prefix));
    return;
  }
  diags_add(known->diags, DIAG_ERROR, route->private_->host_places[host],
            "give one of them another host or a longer prefix",
            "route '%.*s' and route '%.*s' (%s) both take host '%.*s' with the path prefix '%.*s'",
            STR_ARG(route->name), STR_ARG(first->name), first->file, STR_ARG(route->hosts[host]),
            STR_ARG(prefix));
}

/* Compares and takes up route i's hosts, each with its prefix. */
static long check_matches(struct known *known, size_t i) {
  const struct route *route = known->routes[i];
  for (size_t k = 0; k < route->host_count || k == 0; k++) {
    struct str host = route->host_count > 0 ? route->hosts[k] : STR("");
    /* A host has no slash, a prefix begins with one or is empty. */
    struct str key =
        arena_printf(known->arena, "%.*s%.*s", STR_ARG(host), STR_ARG(route->path_prefix));
    if (!key.p) return NO_MEMORY;
    size_t first = str_set_find(known->matches, key);
    if (first == STR_SET_NONE) {
      (void)str_set_add(known->matches, key, i);
    } else if (first != i) {
      add_match_error(known, route, k, known->routes[first]);
      return (long)first;
    }
  }
  return NONE;
}

/* ---- groups ---------------------------------------------------------------------------------- */

static bool same_keys(const struct route_sticky *a, const struct route_sticky *b) {
  if (a->by_count != b->by_count) return false;
  for (size_t i = 0; i < a->by_count; i++) {
    if (!str_eq(a->by_names[i], b->by_names[i])) return false;
  }
  return true;
}

/* In whatever order. */
static bool same_variants(const struct route *a, const struct route *b) {
  if (a->variant_count != b->variant_count) return false;
  for (uint16_t i = 0; i < a->variant_count; i++) {
    if (route_find_variant(b, a->variants[i].name) == VARIANT_NONE) return false;
  }
  return true;
}

/* What two routes of a group disagree in, or NULL. */
static const char *find_disagreement(const struct route *a, const struct route *b) {
  const struct route_sticky *x = &a->sticky, *y = &b->sticky;
  if (x->cookie != y->cookie) return "'sticky.cookie'";
  if (x->ttl_ms != y->ttl_ms) return "'sticky.ttl'";
  if (x->epoch != y->epoch) return "'sticky.epoch'";
  if (!same_keys(x, y)) return "'sticky.by'";
  if (!str_eq(x->salt, y->salt)) return "'sticky.salt'";
  if (!str_eq(x->domain, y->domain)) return "'sticky.domain'";
  if (x->same_site != y->same_site) return "'sticky.same_site'";
  return same_variants(a, b) ? NULL : "the names of their variants";
}

static bool is_in_group(const struct route *route, struct str group) {
  return route->sticky.group.p && str_eq(route->sticky.group, group);
}

/* A route's cookie is named after the route, a group's after the group: they must differ. */
static void add_group_name_error(struct known *known, struct diag_place at, struct str name,
                                 const char *other_file) {
  diags_add(known->diags, DIAG_ERROR, at, "rename one of the two",
            "'%.*s' is the name of a group and of a route outside of it (see '%s')", STR_ARG(name),
            other_file);
}

static long check_group_name(struct known *known, size_t i) {
  const struct route *route = known->routes[i];
  size_t first = str_set_find(known->groups, route->name);
  if (first != STR_SET_NONE && !is_in_group(route, route->name)) {
    add_group_name_error(known, route->name_place, route->name, known->routes[first]->file);
    return (long)first;
  }
  struct str group = route->sticky.group;
  if (!group.p) return NONE;
  first = str_set_find(known->names, group);
  if (first != STR_SET_NONE && !is_in_group(known->routes[first], group)) {
    add_group_name_error(known, route->private_->group_place, group, known->routes[first]->file);
    return (long)first;
  }
  return NONE;
}

static long check_group(struct known *known, size_t i) {
  const struct route *route = known->routes[i];
  if (!route->sticky.group.p) return NONE;
  size_t first = str_set_find(known->groups, route->sticky.group);
  if (first == STR_SET_NONE) return NONE;
  const char *what = find_disagreement(known->routes[first], route);
  if (!what) return NONE;
  diags_add(known->diags, DIAG_ERROR, route->sticky_place,
            "routes of a group share one cookie and must agree in all of it",
            "route '%.*s' and route '%.*s' (%s) of group '%.*s' disagree in %s",
            STR_ARG(route->name), STR_ARG(known->routes[first]->name), known->routes[first]->file,
            STR_ARG(route->sticky.group), what);
  return (long)first;
}

/* ---- all ------------------------------------------------------------------------------------- */

static long check_route(struct known *known, size_t i) {
  long first = check_name(known, i);
  if (first == NONE) first = check_matches(known, i);
  if (first == NONE) first = check_group_name(known, i);
  if (first == NONE) first = check_group(known, i);
  return first;
}

static bool known_init(struct known *known, struct route *const *routes, size_t n) {
  size_t matches = n;
  for (size_t i = 0; i < n; i++) matches += routes[i]->host_count;
  known->names = str_set_new(known->arena, n);
  known->groups = str_set_new(known->arena, n);
  known->matches = str_set_new(known->arena, matches);
  return known->names && known->groups && known->matches;
}

/* The first route that conflicts with one before it. */
static bool find_conflict(struct known *known, size_t n, struct route_conflict *ret) {
  for (size_t i = 0; i < n; i++) {
    const struct route *route = known->routes[i];
    long first = check_route(known, i);
    if (first >= 0) {
      *ret = (struct route_conflict){.first = (size_t)first, .second = i};
      return true;
    }
    if (first == NO_MEMORY) {
      diags_add(known->diags, DIAG_ERROR, route->name_place, NULL, "out of memory");
      *ret = (struct route_conflict){.first = i, .second = i};
      return true;
    }
    (void)str_set_add(known->names, route->name, i);
    if (route->sticky.group.p) (void)str_set_add(known->groups, route->sticky.group, i);
  }
  return false;
}

bool routes_find_conflict(struct route *const *routes, size_t n, struct route_conflict *ret,
                          struct diags *diags) {
  if (n == 0) return false;
  struct known known = {.arena = arena_new(ARENA_MAX_BYTES), .routes = routes, .diags = diags};
  bool found = true;
  if (known.arena && known_init(&known, routes, n)) {
    found = find_conflict(&known, n, ret);
  } else {
    diags_add(diags, DIAG_ERROR, routes[0]->name_place, NULL, "out of memory");
    *ret = (struct route_conflict){0};
  }
  arena_free(&known.arena);
  return found;
}
