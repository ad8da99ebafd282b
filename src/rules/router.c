/*
 * Finding a request's route among many.
 *
 * Routes with one host pattern are a group; groups are found by the host, exact ones and wildcards
 * apart; within a group a route is found by its prefix. Both a wildcard and a prefix are "the
 * longest of known texts that ends on a border", which a struct lengths answers: one look into a
 * hash table for each length that occurs, so that the cost is bounded by the rule files and not by
 * how many labels or segments a request has.
 */
#include <stdlib.h>

#include "adit/arena.h"
#include "adit/hash.h"
#include "adit/rules.h"

/* Texts of known lengths, each with a value. */
struct lengths {
  struct str_set *set;
  size_t *items; /* descending, without duplicates */
  size_t n;
};

struct group {
  const struct route **routes;
  size_t n;
  struct lengths prefixes; /* value: index into routes */
};

struct router {
  struct str_set *exact;    /* host → group */
  struct lengths wildcards; /* host without "*." → group */
  struct group *groups;
  size_t group_count;
  size_t any; /* the group of routes without hosts, or STR_SET_NONE */
};

/* ---- lengths --------------------------------------------------------------------------------- */

/* `items` has room for `capacity` lengths. */
static bool lengths_init(struct arena *arena, struct lengths *lengths, size_t capacity) {
  lengths->set = str_set_new(arena, capacity);
  lengths->items = ARENA_ARRAY(arena, size_t, capacity);
  return lengths->set && lengths->items;
}

static void lengths_add(struct lengths *lengths, struct str text, size_t value) {
  if (str_set_add(lengths->set, text, value)) lengths->items[lengths->n++] = text.n;
}

static int compare_descending(const void *left, const void *right) {
  size_t a = *(const size_t *)left, b = *(const size_t *)right;
  return (a < b) - (a > b);
}

static void lengths_finish(struct lengths *lengths) {
  size_t n = 0;
  qsort(lengths->items, lengths->n, sizeof(*lengths->items), compare_descending);
  for (size_t i = 0; i < lengths->n; i++) {
    if (n == 0 || lengths->items[n - 1] != lengths->items[i]) {
      lengths->items[n++] = lengths->items[i];
    }
  }
  lengths->n = n;
}

/* ---- building -------------------------------------------------------------------------------- */

static size_t count_hosts(struct route *const *routes, size_t n) {
  size_t count = 0;
  for (size_t i = 0; i < n; i++) count += routes[i]->host_count;
  return count;
}

static bool is_wildcard(struct str host) {
  return str_starts_with(host, STR("*."));
}

/* The group of a host pattern, made when it is new. */
static struct group *get_group(struct router *router, struct str host) {
  bool wildcard = is_wildcard(host);
  struct str key = wildcard ? str_skip(host, 2) : host;
  size_t index = str_set_find(wildcard ? router->wildcards.set : router->exact, key);
  if (index != STR_SET_NONE) return &router->groups[index];
  index = router->group_count++;
  if (wildcard) {
    lengths_add(&router->wildcards, key, index);
  } else {
    (void)str_set_add(router->exact, key, index);
  }
  return &router->groups[index];
}

static struct group *get_group_of_any(struct router *router) {
  if (router->any == STR_SET_NONE) router->any = router->group_count++;
  return &router->groups[router->any];
}

/* Twice over all pairs of host and route: the first counts, the second fills. */
static void add_routes(struct router *router, struct route *const *routes, size_t n, bool fill) {
  for (size_t i = 0; i < n; i++) {
    const struct route *route = routes[i];
    for (size_t k = 0; k < route->host_count || k == 0; k++) {
      struct group *group =
          route->host_count == 0 ? get_group_of_any(router) : get_group(router, route->hosts[k]);
      if (fill) group->routes[group->n] = route;
      group->n++;
    }
  }
}

static bool alloc_groups(struct arena *arena, struct router *router) {
  for (size_t i = 0; i < router->group_count; i++) {
    struct group *group = &router->groups[i];
    group->routes = ARENA_ARRAY(arena, const struct route *, group->n);
    if (!group->routes || !lengths_init(arena, &group->prefixes, group->n)) return false;
    group->n = 0;
  }
  return true;
}

static void index_prefixes(struct router *router) {
  for (size_t i = 0; i < router->group_count; i++) {
    struct group *group = &router->groups[i];
    for (size_t k = 0; k < group->n; k++) {
      lengths_add(&group->prefixes, group->routes[k]->path_prefix, k);
    }
    lengths_finish(&group->prefixes);
  }
}

struct router *router_new(struct arena *arena, struct route *const *routes, size_t n) {
  struct router *router = ARENA_NEW(arena, struct router);
  if (!router) return NULL;
  size_t host_count = count_hosts(routes, n);
  router->any = STR_SET_NONE;
  router->exact = str_set_new(arena, host_count);
  router->groups = ARENA_ARRAY(arena, struct group, host_count + 1);
  if (!router->exact || !router->groups || !lengths_init(arena, &router->wildcards, host_count)) {
    return NULL;
  }
  add_routes(router, routes, n, false);
  if (!alloc_groups(arena, router)) return NULL;
  add_routes(router, routes, n, true);
  index_prefixes(router);
  lengths_finish(&router->wildcards);
  return router;
}

/* ---- finding --------------------------------------------------------------------------------- */

static const struct route *find_prefix(const struct group *group, struct str path) {
  const struct lengths *prefixes = &group->prefixes;
  for (size_t i = 0; i < prefixes->n; i++) {
    size_t length = prefixes->items[i];
    if (length > path.n) continue;
    /* "" takes everything, the "*" of OPTIONS included. */
    if (length > 0 && length < path.n && path.p[length] != '/') continue;
    size_t index = str_set_find(prefixes->set, str_take(path, length));
    if (index != STR_SET_NONE) return group->routes[index];
  }
  return NULL;
}

static const struct route *find_wildcard(const struct router *router, struct str host,
                                         struct str path) {
  const struct lengths *wildcards = &router->wildcards;
  for (size_t i = 0; i < wildcards->n; i++) {
    size_t length = wildcards->items[i];
    /* One label at least and its dot stand before. */
    if (host.n < length + 2 || host.p[host.n - length - 1] != '.') continue;
    size_t index = str_set_find(wildcards->set, str_skip(host, host.n - length));
    const struct route *route =
        index == STR_SET_NONE ? NULL : find_prefix(&router->groups[index], path);
    if (route) return route;
  }
  return NULL;
}

const struct route *router_find(const struct router *router, struct str host, struct str path) {
  size_t index = str_set_find(router->exact, host);
  const struct route *route = NULL;
  if (index != STR_SET_NONE) route = find_prefix(&router->groups[index], path);
  if (!route) route = find_wildcard(router, host, path);
  if (!route && router->any != STR_SET_NONE) {
    route = find_prefix(&router->groups[router->any], path);
  }
  return route;
}
