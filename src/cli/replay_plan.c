/*
 * replay_plan: what is found out once, before any line is read: which attributes are users, and
 * which names mean something else under the proposed files.
 */
#include <cjson/cJSON.h>
#include <stdlib.h>

#include "adit/arena.h"
#include "adit/hash.h"
#include "adit/json.h"
#include "cli/replay.h"

/* ---- users ----------------------------------------------------------------------------------- */

struct key_list {
  VEC(struct replay_key) keys;
  struct arena *arena;
  bool failed;
};

static void add_key(struct key_list *list, struct str name) {
  for (size_t i = 0; i < list->keys.n; i++)
    if (str_eq(list->keys.items[i].name, name)) return;
  const struct replay_key key = {name, digest_of(name)};
  list->failed |= !VEC_PUSH(list->arena, &list->keys, key);
}

static void add_slots(struct key_list *list, const struct route *route, const uint16_t *slots,
                      size_t n) {
  for (size_t i = 0; i < n; i++) add_key(list, attr_table_name(route->table, slots[i]));
}

static void add_route(struct key_list *list, const struct route *route) {
  add_slots(list, route, route->sticky.by, route->sticky.by_count);
  if (route->has_default_split)
    add_slots(list, route, route->default_split.by, route->default_split.by_count);
  for (size_t i = 0; i < route->rule_count; i++)
    if (route->rules[i].to == VARIANT_NONE)
      add_slots(list, route, route->rules[i].split.by, route->rules[i].split.by_count);
}

static const struct route *find_route(const struct policy *policy, struct str name) {
  for (size_t i = 0; i < policy_route_count(policy); i++)
    if (str_eq(policy_route(policy, i)->name, name)) return policy_route(policy, i);
  return NULL;
}

/* Whom the route draws by is who its users are: sticky.by first, then the keys of splits. */
static bool find_keys(struct replay_plan *plan) {
  const size_t n = policy_route_count(plan->before);
  struct replay_keys *all = ARENA_ARRAY(plan->arena, struct replay_keys, n + 1);
  struct key_list list = {.arena = plan->arena, .failed = !all};
  for (size_t i = 0; !list.failed && i < n; i++) {
    const struct route *route = policy_route(plan->before, i);
    const struct route *other = find_route(plan->after, route->name);
    list = (struct key_list){.arena = plan->arena};
    add_route(&list, route);
    if (other) add_route(&list, other);
    all[policy_route_number(plan->before, route)] =
        (struct replay_keys){list.keys.items, list.keys.n};
  }
  plan->keys = all;
  return !list.failed;
}

/* ---- what no log can tell -------------------------------------------------------------------- */

/* A cookie that was good then would not be. */
static bool loses_key(const struct config *before, const struct config *after) {
  for (size_t i = 0; i < before->key_count; i++) {
    bool kept = false;
    for (size_t k = 0; k < after->key_count; k++)
      kept |= str_eq(before->keys[i].id, after->keys[k].id) &&
              str_eq(before->keys[i].secret, after->keys[k].secret);
    if (!kept) return true;
  }
  return false;
}

const char *replay_plan_obstacle(const struct replay_plan *plan) {
  /* By these the gateway knows whom to believe, and what. */
  static const char *const keys[] = {"trusted_proxies", "jwt", "geoip", "lookups"};
  const struct config *before = policy_config(plan->before), *after = policy_config(plan->after);
  for (size_t i = 0; i < sizeof(keys) / sizeof(*keys); i++) {
    const cJSON *left = cJSON_GetObjectItemCaseSensitive(json_root(before->doc), keys[i]);
    const cJSON *right = cJSON_GetObjectItemCaseSensitive(json_root(after->doc), keys[i]);
    if ((left || right) && !cJSON_Compare(left, right, true)) return keys[i];
  }
  return loses_key(before, after) ? "sticky.keys" : NULL;
}

/* ---- names that mean something else ---------------------------------------------------------- */

static uint16_t find_slot(const struct attr_table *table, struct str name) {
  for (size_t i = 0; i < attr_table_size(table); i++)
    if (str_eq(attr_table_name(table, (uint16_t)i), name)) return (uint16_t)i;
  return ATTR_SLOT_NONE;
}

/* Whether both read the same under one name: type and sources. */
static bool is_same_source(const struct attr_table *a, uint16_t x, const struct attr_table *b,
                           uint16_t y) {
  struct attr_source_info left, right;
  if (attr_table_type(a, x) != attr_table_type(b, y)) return false;
  for (size_t k = 0;; k++) {
    const bool more = attr_table_source(a, x, k, &left);
    if (more != attr_table_source(b, y, k, &right)) return false;
    if (!more) return true;
    if (left.kind != right.kind || left.from_anyone != right.from_anyone ||
        !str_eq(left.name, right.name) || !str_eq(left.pattern, right.pattern) ||
        !str_eq(left.json, right.json))
      return false;
  }
}

static bool differs_from(const struct route *before, const struct route *route, uint16_t slot) {
  const uint16_t other = find_slot(before->table, attr_table_name(route->table, slot));
  return other != ATTR_SLOT_NONE && !is_same_source(before->table, other, route->table, slot);
}

/* Against the present route of the same name, or against all. */
static bool is_foreign(const struct replay_plan *plan, const struct route *route, uint16_t slot,
                       bool elsewhere) {
  struct attr_source_info source;
  if (attr_table_channel(route->table, slot) != ATTR_FROM_SOURCES ||
      !attr_table_source(route->table, slot, 0, &source) || !source.json.p)
    return false; /* what is built in means the same everywhere */
  for (size_t i = 0; i < policy_route_count(plan->before); i++) {
    const struct route *before = policy_route(plan->before, i);
    if ((elsewhere || str_eq(before->name, route->name)) && differs_from(before, route, slot))
      return true;
  }
  return false;
}

/* By the client's address alone: the line has that, and these ranges may be others. */
static bool is_found_anew(const struct replay_plan *plan, const struct attr_table *table,
                          uint16_t slot) {
  struct attr_source_info source;
  if (!plan->options->new_config_path || attr_table_channel(table, slot) != ATTR_FROM_SOURCES)
    return false;
  size_t k = 0;
  for (; attr_table_source(table, slot, k, &source); k++)
    if (source.kind != SOURCE_CIDR) return false;
  return k > 0;
}

/* Whether the route draws by the attribute. False: memory. */
static bool find_draw(struct replay_plan *plan, const struct route *route, struct str name,
                      bool *ret) {
  struct key_list list = {.arena = plan->arena};
  add_route(&list, route);
  for (size_t i = 0; i < list.keys.n; i++) *ret |= str_eq(list.keys.items[i].name, name);
  return !list.failed;
}

static bool find_foreign(struct replay_plan *plan, bool elsewhere,
                         const struct replay_foreign **ret) {
  const size_t n = policy_route_count(plan->after);
  struct replay_foreign *all = ARENA_ARRAY(plan->arena, struct replay_foreign, n + 1);
  *ret = all;
  for (size_t i = 0; all && i < n; i++) {
    const struct route *route = policy_route(plan->after, i);
    VEC(struct replay_name) names = {0};
    bool draws = false;
    for (size_t slot = 0; slot < attr_table_size(route->table); slot++) {
      const bool anew = is_found_anew(plan, route->table, (uint16_t)slot);
      if (!anew && !is_foreign(plan, route, (uint16_t)slot, elsewhere)) continue;
      const struct replay_name one = {attr_table_name(route->table, (uint16_t)slot), anew};
      if (!VEC_PUSH(plan->arena, &names, one)) return false;
      if (!anew && !find_draw(plan, route, one.name, &draws)) return false;
    }
    all[policy_route_number(plan->after, route)] =
        (struct replay_foreign){names.items, names.n, draws};
    plan->has_foreign |= names.n > 0;
  }
  return all != NULL;
}

bool replay_plan_init(struct replay_plan *plan) {
  plan->index = logged_index_new(plan->arena, plan->before);
  return plan->index && find_keys(plan) && find_foreign(plan, false, &plan->foreign) &&
         find_foreign(plan, true, &plan->foreign_elsewhere);
}
