/*
 * link: routes of different files together.
 */
#include <stdlib.h>

#include "policy_private.h"

/* Who gives way in a conflict: a file that is new, before one that has changed, before one that has
 * not; a kept route never. The later rank does. */
static int rank_of(const struct policy_file *file) {
  switch (file->state) {
    case FILE_KEPT:
      return 0;
    case FILE_FRESH:
      return file->is_new ? 3 : file->changed ? 2 : 1;
    case FILE_DROPPED:
      break;
  }
  return -1;
}

/* The served files by rank, each rank in order of files. */
static size_t order_by_rank(const struct policy *policy, struct policy_file **files,
                            struct route **routes) {
  size_t n = 0;
  for (int rank = 0; rank <= 3; rank++) {
    for (size_t i = 0; i < policy->file_count; i++) {
      struct policy_file *file = &policy->files[i];
      if (rank_of(file) != rank) continue;
      files[n] = file;
      routes[n++] = file->route;
    }
  }
  return n;
}

/* Ends: each turn refuses a fresh file, and kept routes were served together before. */
bool link_drop_conflicts(struct loader *loader) {
  struct policy *policy = loader->policy;
  struct policy_file **files =
      ARENA_ARRAY(loader->scratch, struct policy_file *, policy->file_count);
  struct route **routes = ARENA_ARRAY(loader->scratch, struct route *, policy->file_count);
  if (!files || !routes) return false;
  for (;;) {
    size_t n = order_by_rank(policy, files, routes);
    struct route_conflict conflict;
    if (!routes_find_conflict(routes, n, &conflict, loader->diags)) return true;
    if (files[conflict.second]->state != FILE_FRESH) return false;
    loader_refuse_file(loader, files[conflict.second]);
  }
}

static int compare_route_addresses(const void *a, const void *b) {
  const struct policy_file *const *left = a, *const *right = b;
  uintptr_t x = (uintptr_t)(*left)->route, y = (uintptr_t)(*right)->route;
  return x < y ? -1 : x > y;
}

static bool resolve_upstreams(struct loader *loader, struct policy_file *file) {
  const struct config *config = loader->policy->config;
  const struct route *route = file->route;
  size_t *upstreams = ARENA_ARRAY(loader->policy->arena, size_t, route->variant_count);
  if (!upstreams) return false;
  for (uint16_t i = 0; i < route->variant_count; i++) {
    struct str name = route->variants[i].upstream;
    upstreams[i] = config_find_upstream(config, name);
    if (upstreams[i] != SIZE_MAX) continue;
    diags_add(loader->diags, DIAG_ERROR, (struct diag_place){config->path, 0, 0},
              "mend the rule file first, or keep the upstream until then",
              "upstream '%.*s' is gone, but route '%.*s' of '%s' is kept as it was and uses it",
              STR_ARG(name), STR_ARG(route->name), file->path);
    return false;
  }
  file->upstreams = upstreams;
  return true;
}

bool link_routes(struct loader *loader) {
  struct policy *policy = loader->policy;
  policy->routes = ARENA_ARRAY(policy->arena, struct route *, policy->file_count);
  policy->by_route = ARENA_ARRAY(policy->arena, const struct policy_file *, policy->file_count);
  if (!policy->routes || !policy->by_route) return false;
  policy->route_count = 0;
  for (size_t i = 0; i < policy->file_count; i++) {
    struct policy_file *file = &policy->files[i];
    if (!file->route) continue;
    if (!resolve_upstreams(loader, file)) return false;
    policy->by_route[policy->route_count] = file;
    policy->routes[policy->route_count++] = file->route;
  }
  if (policy->route_count == 0) {
    diags_add(loader->diags, DIAG_ERROR, (struct diag_place){policy->config->path, 0, 0}, NULL,
              "no rule file could be loaded, so nothing can be served");
    return false;
  }
  qsort(policy->by_route, policy->route_count, sizeof(const struct policy_file *),
        compare_route_addresses);
  policy->router = router_new(policy->arena, policy->routes, policy->route_count);
  return policy->router != NULL && protected_names_collect(policy);
}
