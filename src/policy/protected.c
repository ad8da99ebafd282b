/*
 * The fields that no Connection may name away, and requests as the rules of `run` see them.
 */
#include "adit/hash.h"
#include "policy_private.h"

enum { NAME_MAX_BYTES = 256 }; /* a longer one is nobody's */

/* Collected once, so that a hostile Connection costs no walk over all routes. */
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

bool protected_names_collect(struct policy *policy) {
  struct protected_names *names = ARENA_NEW(policy->arena, struct protected_names);
  if (!names) return false;
  names->arena = policy->arena;
  add_all(names, policy);
  names->set = str_set_new(policy->arena, names->count);
  if (!names->set) return false;
  add_all(names, policy);
  policy->protected_names = names;
  return !names->failed;
}

bool policy_protects_field(void *policy, struct str name) {
  const struct protected_names *names = ((const struct policy *)policy)->protected_names;
  char buffer[NAME_MAX_BYTES];
  return name.n <= NAME_MAX_BYTES && str_set_find(names->set, lower(name, buffer)) != STR_SET_NONE;
}

bool policy_strip_request(struct policy *policy, struct arena *arena,
                          struct decide_request *request) {
  size_t n = request->attr.field_count;
  struct http_field *fields = ARENA_ARRAY(arena, struct http_field, n + 1);
  if (!fields) return false;
  if (n > 0) memcpy(fields, request->attr.fields, n * sizeof(*fields));
  request->attr.fields = fields;
  request->attr.field_count =
      http_remove_hop_by_hop(fields, n, true, policy_protects_field, policy);
  return true;
}
