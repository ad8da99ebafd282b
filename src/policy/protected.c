/*
 * The fields that no Connection may name away, those that go no further when a stranger sends them,
 * and requests as the rules of `run` see them.
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

static bool collect_protected(struct policy *policy) {
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

/* ---- dropped --------------------------------------------------------------------------------- */

/* As applications see it that know no "-". */
static struct str fold(struct str name, char buffer[NAME_MAX_BYTES]) {
  struct str folded = lower(name, buffer);
  for (size_t i = 0; i < name.n; i++)
    if (buffer[i] == '_') buffer[i] = '-';
  return folded;
}

/* What is believed of anyone is nobody's secret, even where another attribute is more careful. */
struct dropped_names {
  struct arena *arena;
  struct str_set *of_anyone, *of_proxies;
  size_t count;
  bool failed;
};

static void add_trust(void *context, struct str name, bool from_anyone) {
  struct dropped_names *names = context;
  char buffer[NAME_MAX_BYTES];
  names->count++;
  if (name.n > NAME_MAX_BYTES || !names->of_anyone) return;
  struct str_set *set = from_anyone ? names->of_anyone : names->of_proxies;
  struct str folded = fold(name, buffer);
  if (str_set_find(set, folded) != STR_SET_NONE) return;
  struct str copy = arena_dup(names->arena, folded);
  if (copy.p)
    str_set_add(set, copy, 0);
  else
    names->failed = true;
}

static bool collect_dropped(struct policy *policy) {
  struct arena *arena = policy->arena;
  const struct attr_catalog *catalog = policy_config(policy)->catalog;
  struct dropped_names names = {.arena = arena};
  if (!policy_config(policy)->drop_untrusted) return true;
  attr_catalog_visit_trust(catalog, add_trust, &names);
  names.of_anyone = str_set_new(arena, names.count);
  names.of_proxies = str_set_new(arena, names.count);
  policy->dropped_names = str_set_new(arena, names.count);
  if (!names.of_anyone || !names.of_proxies || !policy->dropped_names) return false;
  attr_catalog_visit_trust(catalog, add_trust, &names);
  for (size_t i = 0; i < str_set_size(names.of_proxies); i++) {
    struct str name = str_set_key(names.of_proxies, i);
    if (str_set_find(names.of_anyone, name) == STR_SET_NONE)
      str_set_add(policy->dropped_names, name, 0);
  }
  return !names.failed;
}

bool policy_drops_field(void *policy, struct str name) {
  const struct str_set *names = ((const struct policy *)policy)->dropped_names;
  char buffer[NAME_MAX_BYTES];
  return names && name.n <= NAME_MAX_BYTES &&
         str_set_find(names, fold(name, buffer)) != STR_SET_NONE;
}

bool protected_names_collect(struct policy *policy) {
  return collect_protected(policy) && collect_dropped(policy);
}

/* ---- asking ---------------------------------------------------------------------------------- */

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
