/*
 * Which requests are the route's, as far as its rules look at host and path: a condition that is
 * true of each of them.
 */
#include "adit/hash.h"
#include "adit/text.h"
#include "adit/units.h"
#include "analysis.h"

enum { EXCLUSIONS_MAX = 256 };

struct territory {
  struct analysis *analysis;
  VEC(const struct condition *) all;
};

static uint16_t find_channel(const struct analysis *analysis, enum attr_channel channel) {
  const struct attr_table *table = analysis->route->table;
  for (size_t i = 0; i < attr_table_size(table); i++)
    if (attr_table_channel(table, (uint16_t)i) == channel) return (uint16_t)i;
  return ATTR_SLOT_NONE;
}

static struct str json_list(struct analysis *analysis, const struct str *texts, size_t n) {
  struct text text;
  text_init(&text, 1 << 20);
  text_add_char(&text, '[');
  for (size_t i = 0; i < n; i++) {
    if (i > 0) text_add_char(&text, ',');
    text_add_json(&text, texts[i]);
  }
  text_add_char(&text, ']');
  struct str kept = keep(analysis, text_str(&text));
  text_deinit(&text);
  return kept;
}

/* A leaf without a place: nobody wrote it. */
static struct condition *make_leaf(struct analysis *analysis, uint16_t slot, enum leaf_test test,
                                   const char *op, struct str value_json) {
  struct condition *condition = ARENA_NEW(analysis->arena, struct condition);
  if (!condition) return NULL;
  condition->kind = CONDITION_LEAF;
  condition->leaf_count = condition->depth = 1;
  condition->as.leaf = (struct leaf){
      .slot = slot,
      .type = attr_table_type(analysis->route->table, slot),
      .test = test,
      .missing = TRISTATE_FALSE,
      .op = op,
      .attribute = attr_table_name(analysis->route->table, slot),
      .value_json = value_json,
  };
  return condition;
}

static const struct condition *make_texts(struct analysis *analysis, uint16_t slot,
                                          enum leaf_test test, const char *op,
                                          const struct str *texts, size_t n) {
  struct condition *condition = make_leaf(analysis, slot, test, op, json_list(analysis, texts, n));
  if (!condition) return NULL;
  condition->as.leaf.with.texts = texts;
  condition->as.leaf.n = n;
  return condition;
}

static const struct condition *make_node(struct analysis *analysis, enum condition_kind kind,
                                         const struct condition *const *items, size_t n) {
  struct condition *condition = ARENA_NEW(analysis->arena, struct condition);
  if (!condition) return NULL;
  condition->kind = kind;
  condition->as.children.items = items;
  condition->as.children.n = n;
  return condition;
}

static bool add(struct territory *territory, const struct condition *condition) {
  return condition && VEC_PUSH(territory->analysis->arena, &territory->all, condition);
}

/* ---- hosts ----------------------------------------------------------------------------------- */

static bool is_wildcard(struct str host) {
  return str_starts_with(host, STR("*."));
}

static const struct condition *make_exact_hosts(struct analysis *analysis, uint16_t slot,
                                                struct str *hosts, size_t n) {
  struct condition *condition =
      make_leaf(analysis, slot, TEST_STRING_IN, "in", json_list(analysis, hosts, n));
  struct str_set *set = str_set_new(analysis->arena, n);
  if (!condition || !set) return NULL;
  for (size_t i = 0; i < n; i++) (void)str_set_add(set, hosts[i], i);
  condition->as.leaf.with.strings = set;
  condition->as.leaf.n = n;
  return condition;
}

static bool add_hosts(struct territory *territory, uint16_t slot) {
  struct analysis *analysis = territory->analysis;
  const struct route *route = analysis->route;
  struct str *exact = ARENA_ARRAY(analysis->arena, struct str, route->host_count);
  struct str *ends = ARENA_ARRAY(analysis->arena, struct str, route->host_count);
  const struct condition **ways = ARENA_ARRAY(analysis->arena, const struct condition *, 2);
  size_t exact_count = 0, end_count = 0, n = 0;
  if (!exact || !ends || !ways) return false;
  for (size_t i = 0; i < route->host_count; i++) {
    if (is_wildcard(route->hosts[i])) {
      ends[end_count++] = str_skip(route->hosts[i], 1);
    } else {
      exact[exact_count++] = route->hosts[i];
    }
  }
  if (exact_count > 0) ways[n++] = make_exact_hosts(analysis, slot, exact, exact_count);
  if (end_count > 0)
    ways[n++] = make_texts(analysis, slot, TEST_ENDS_WITH, "ends_with", ends, end_count);
  for (size_t i = 0; i < n; i++)
    if (!ways[i]) return false;
  return add(territory, make_node(analysis, CONDITION_ANY, ways, n));
}

/* ---- paths ----------------------------------------------------------------------------------- */

static const struct condition *make_under(struct analysis *analysis, uint16_t slot,
                                          struct str prefix) {
  struct str *text = ARENA_NEW(analysis->arena, struct str);
  if (!text) return NULL;
  *text = prefix;
  return make_texts(analysis, slot, TEST_UNDER, "under", text, 1);
}

static bool has_host(const struct route *route, struct str host) {
  for (size_t i = 0; i < route->host_count; i++)
    if (str_eq(route->hosts[i], host)) return true;
  return false;
}

/* Whether `other` takes what is under its prefix, whatever the host is. */
static bool takes_from(const struct route *other, const struct route *route) {
  struct str inner = other->path_prefix, outer = route->path_prefix;
  if (other == route || inner.n <= outer.n || !str_starts_with(inner, outer) ||
      inner.p[outer.n] != '/')
    return false;
  if (route->host_count == 0) return other->host_count == 0;
  for (size_t i = 0; i < route->host_count; i++)
    if (!has_host(other, route->hosts[i])) return false;
  return true;
}

static bool add_paths(struct territory *territory, uint16_t slot) {
  struct analysis *analysis = territory->analysis;
  const struct findings_input *input = analysis->input;
  struct str prefix = analysis->route->path_prefix;
  if (prefix.n > 0 && !add(territory, make_under(analysis, slot, prefix))) return false;
  size_t left = EXCLUSIONS_MAX;
  for (size_t i = 0; i < input->route_count && left > 0; i++) {
    const struct route *other = input->routes[i];
    if (!takes_from(other, analysis->route)) continue;
    left--;
    const struct condition **item = ARENA_NEW(analysis->arena, const struct condition *);
    if (!item) return false;
    *item = make_under(analysis, slot, other->path_prefix);
    if (!*item || !add(territory, make_node(analysis, CONDITION_NOT, item, 1))) return false;
  }
  return true;
}

/* ---- now ------------------------------------------------------------------------------------- */

static bool make_clock(struct analysis *analysis, uint16_t slot) {
  struct attr_datum *datum = ARENA_NEW(analysis->arena, struct attr_datum);
  char buffer[40];
  if (!datum) return false;
  datum->as.ms = analysis->input->now_ms;
  datum->text = keep(analysis, time_format(datum->as.ms, buffer, sizeof(buffer)));
  struct condition *clock = make_leaf(analysis, slot, TEST_COMPARE, "gte", datum->text);
  if (!clock || !datum->text.p) return false;
  clock->as.leaf.accepts = ACCEPT_GREATER | ACCEPT_EQUAL;
  clock->as.leaf.with.data = datum;
  clock->as.leaf.n = 1;
  analysis->clock = clock;
  return true;
}

/* ---- one request ----------------------------------------------------------------------------- */

static bool is_own(const struct analysis *analysis, struct str host, struct str path) {
  return router_find(analysis->input->router, host, path) == analysis->route;
}

/* A host and a path of the route: where other routes take nearly all there may be none. */
static bool find_base(struct analysis *analysis) {
  const struct route *route = analysis->route;
  struct model_base *base = &analysis->base;
  *base = (struct model_base){.route = route, .now_ms = analysis->input->now_ms};
  base->path = route->path_prefix.n > 0 ? route->path_prefix : STR("/");
  for (size_t i = 0; i < route->host_count || i == 0; i++) {
    struct str host = route->host_count > 0 ? route->hosts[i] : STR("any.example");
    if (is_wildcard(host)) {
      struct str rest = str_skip(host, 1);
      host = arena_printf(analysis->arena, "any%.*s", STR_ARG(rest));
      if (!host.p) return false;
    }
    if (!is_own(analysis, host, base->path)) continue;
    base->host = host;
    return true;
  }
  return false;
}

bool territory_build(struct analysis *analysis) {
  struct territory territory = {.analysis = analysis};
  uint16_t host = find_channel(analysis, ATTR_FROM_HOST);
  uint16_t path = find_channel(analysis, ATTR_FROM_PATH);
  uint16_t now = find_channel(analysis, ATTR_FROM_NOW);
  analysis->has_base = find_base(analysis);
  if (host != ATTR_SLOT_NONE && analysis->route->host_count > 0 && !add_hosts(&territory, host))
    return false;
  if (path != ATTR_SLOT_NONE && !add_paths(&territory, path)) return false;
  if (now != ATTR_SLOT_NONE && !make_clock(analysis, now)) return false;
  if (territory.all.n == 0) return true;
  analysis->territory = make_node(analysis, CONDITION_ALL, territory.all.items, territory.all.n);
  return analysis->territory != NULL;
}
