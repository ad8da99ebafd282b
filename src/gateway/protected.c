#include "protected.h"

#include "adit/arena.h"
#include "adit/hash.h"

enum { NAME_MAX_BYTES = 256 }; /* a longer one is nobody's */

struct protected_names {
  struct arena *arena;
  struct str_set *set; /* lower-case names; NULL while they are counted */
  size_t count;
  bool failed;
};

static struct str lower(struct str name, char buffer[NAME_MAX_BYTES]) {
  for (size_t i = 0; i < name.n; i++) buffer[i] = ascii_lower(name.p[i]);
  return str_make(buffer, name.n);
}

static void add(void *context, struct str name) {
  struct protected_names *names = context;
  if (name.n > NAME_MAX_BYTES) return;
  if (!names->set) {
    names->count++;
    return;
  }
  char buffer[NAME_MAX_BYTES];
  struct str copy = lower(name, buffer);
  if (str_set_find(names->set, copy) != STR_SET_NONE) return;
  copy = arena_dup(names->arena, copy);
  if (copy.p)
    str_set_add(names->set, copy, 0);
  else
    names->failed = true;
}

static void add_all(struct protected_names *names, const struct policy *policy) {
  add(names, STR("X-Canary-Token"));
  attr_catalog_visit_headers(policy_config(policy)->catalog, add, names);
  for (size_t i = 0; i < policy_route_count(policy); i++) {
    const struct route *route = policy_route(policy, i);
    if (route->force.enabled) add(names, route->force.header);
    attr_catalog_visit_headers(route->catalog, add, names);
  }
}

struct protected_names *protected_names_new(struct arena *arena, const struct policy *policy) {
  struct protected_names *names = ARENA_NEW(arena, struct protected_names);
  if (!names) return NULL;
  names->arena = arena;
  add_all(names, policy);
  names->set = str_set_new(arena, names->count);
  if (!names->set) return NULL;
  add_all(names, policy);
  return names->failed ? NULL : names;
}

bool protected_names_hold(void *context, struct str name) {
  const struct protected_names *names = context;
  char buffer[NAME_MAX_BYTES];
  return name.n <= NAME_MAX_BYTES && str_set_find(names->set, lower(name, buffer)) != STR_SET_NONE;
}
