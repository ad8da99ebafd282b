/*
 * access_plan: from names that adit.json has hashed to slots of tables and fields of lines.
 *
 *   names    whether a name is one of those
 *   hides    which fields show an attribute
 *   routes   the attributes of each route
 */
#include "access_plan.h"

#include "adit/arena.h"

struct build {
  struct arena *arena;
  const struct policy *policy;
  const struct config_access_log *options;
};

/* ---- names ----------------------------------------------------------------------------------- */

/* What nobody wants to find in a log. */
static const struct str secrets[] = {STR_INIT("header.authorization"),
                                     STR_INIT("header.proxy-authorization"),
                                     STR_INIT("header.cookie"), STR_INIT("header.x-canary-token")};

/* "cookie.*" is each that begins with "cookie.". Hashing what differs in case only does no harm. */
static bool covers(struct str pattern, struct str name) {
  if (str_ends_with(pattern, STR(".*")))
    return str_starts_with_nocase(name, str_take(pattern, pattern.n - 1));
  return str_eq_nocase(name, pattern);
}

static bool is_hashed(const struct build *build, struct str name) {
  for (size_t i = 0; i < sizeof(secrets) / sizeof(*secrets); i++)
    if (str_eq_nocase(name, secrets[i])) return true;
  for (size_t i = 0; i < build->options->redact_count; i++)
    if (covers(build->options->redact[i].name, name)) return true;
  return false;
}

/* Whether an attribute is read from what has such a name: it shows the same. */
static bool is_source_hashed(const struct build *build, const struct attr_table *table,
                             uint16_t slot) {
  struct attr_source_info source;
  const enum attr_channel channel = attr_table_channel(table, slot);
  if (channel == ATTR_FROM_AGENT) return is_hashed(build, STR("header.user-agent"));
  if (channel != ATTR_FROM_SOURCES) return false;
  for (size_t k = 0; attr_table_source(table, slot, k, &source); k++) {
    if (source.kind != SOURCE_HEADER && source.kind != SOURCE_COOKIE && source.kind != SOURCE_QUERY)
      continue;
    const struct str name = arena_printf(build->arena, "%s.%.*s",
                                         attr_source_kind_name(source.kind), STR_ARG(source.name));
    if (!name.p || is_hashed(build, name)) return true; /* short of memory nothing is shown */
  }
  return false;
}

/* ---- hides ----------------------------------------------------------------------------------- */

/* Fields that are attributes by themselves. */
static const struct {
  struct str name;
  unsigned hides;
} shown[] = {
    {STR_INIT("client_ip"), ACCESS_HIDES_CLIENT_IP},
    {STR_INIT("host"), ACCESS_HIDES_HOST},
    {STR_INIT("path"), ACCESS_HIDES_PATH},
    {STR_INIT("header.host"), ACCESS_HIDES_HOST},
    {STR_INIT("header.user-agent"), ACCESS_HIDES_USER_AGENT},
    {STR_INIT("header.referer"), ACCESS_HIDES_REFERER},
    {STR_INIT("header.x-request-id"), ACCESS_HIDES_REQUEST_ID},
};

static unsigned hides_of_source(const struct attr_source_info *source) {
  static const struct str prefix = STR_INIT("header.");
  if (source->kind == SOURCE_QUERY) return ACCESS_HIDES_QUERY;
  if (source->kind != SOURCE_HEADER) return 0;
  for (size_t i = 0; i < sizeof(shown) / sizeof(*shown); i++)
    if (str_starts_with(shown[i].name, prefix) &&
        str_eq_nocase(str_skip(shown[i].name, prefix.n), source->name))
      return shown[i].hides;
  return 0;
}

/* Which fields show what a slot is read from. */
static unsigned hides_of_slot(const struct attr_table *table, uint16_t slot) {
  struct attr_source_info source;
  unsigned hides = 0;
  switch (attr_table_channel(table, slot)) {
    case ATTR_FROM_AGE:
      return hides_of_slot(table, attr_table_base(table, slot));
    case ATTR_FROM_AGENT:
      return ACCESS_HIDES_USER_AGENT;
    case ATTR_FROM_SOURCES:
      for (size_t k = 0; attr_table_source(table, slot, k, &source); k++)
        hides |= hides_of_source(&source);
      return hides;
    case ATTR_FROM_METHOD:
    case ATTR_FROM_SCHEME:
    case ATTR_FROM_HOST: /* these are among `shown` */
    case ATTR_FROM_PATH:
    case ATTR_FROM_CLIENT_IP:
    case ATTR_FROM_NOW:
    case ATTR_FROM_LOCAL_TIME:
      break;
  }
  return 0;
}

/* Adds those of a catalog's names, used by a rule or not. False: memory. */
static bool add_hides(const struct build *build, struct attr_catalog *catalog, unsigned *hides) {
  struct attr_table *table = attr_table_new(build->arena, catalog);
  if (!table) return false;
  for (const char *const *name = attr_catalog_names(catalog); *name; name++) {
    const struct str text = str_from_cstr(*name);
    if (str_ends_with(text, STR(".")) || !is_hashed(build, text)) continue;
    const uint16_t slot = attr_table_slot(table, text);
    *hides |= slot == ATTR_SLOT_NONE ? ACCESS_HIDES_ALL : hides_of_slot(table, slot);
  }
  return true;
}

static bool find_hides(const struct build *build, unsigned *ret) {
  const struct config_access_log *options = build->options;
  *ret = 0;
  if (options->redact_count == 0) return true;
  for (size_t i = 0; i < sizeof(shown) / sizeof(*shown); i++)
    if (is_hashed(build, shown[i].name)) *ret |= shown[i].hides;
  for (size_t i = 0; i < options->redact_count; i++)
    if (str_starts_with_nocase(options->redact[i].name, STR("query."))) *ret |= ACCESS_HIDES_QUERY;
  if (!add_hides(build, policy_config(build->policy)->catalog, ret)) return false;
  for (size_t i = 0; i < policy_route_count(build->policy); i++)
    if (!add_hides(build, policy_route(build->policy, i)->catalog, ret)) return false;
  return true;
}

/* ---- routes ---------------------------------------------------------------------------------- */

/* Method, host, time and their like are fields of the line. */
static bool is_told_apart(const struct attr_table *table, uint16_t slot) {
  const enum attr_channel channel = attr_table_channel(table, slot);
  return channel == ATTR_FROM_AGENT || channel == ATTR_FROM_SOURCES;
}

static bool asks_somebody(const struct attr_table *table, uint16_t slot) {
  struct attr_source_info source;
  if (attr_table_channel(table, slot) != ATTR_FROM_SOURCES) return false;
  for (size_t k = 0; attr_table_source(table, slot, k, &source); k++)
    if (source.kind == SOURCE_LOOKUP) return true;
  return false;
}

static bool plan_route(const struct build *build, const struct route *route,
                       struct access_route_plan *ret) {
  const struct attr_table *table = route->table;
  const size_t slots = attr_table_size(table);
  struct access_planned *items = ARENA_ARRAY(build->arena, struct access_planned, slots + 1);
  if (!items) return false;
  *ret = (struct access_route_plan){.items = items};
  for (size_t i = 0; i < slots; i++) {
    const uint16_t slot = (uint16_t)i;
    if (!is_told_apart(table, slot)) continue;
    items[ret->n++] = (struct access_planned){
        .slot = slot,
        .hashed =
            is_hashed(build, attr_table_name(table, slot)) || is_source_hashed(build, table, slot),
        .only_read = build->options->attributes == CONFIG_LOG_READ || asks_somebody(table, slot)};
  }
  return true;
}

static const struct access_route_plan *plan_routes(const struct build *build) {
  const struct policy *policy = build->policy;
  const size_t count = policy_route_count(policy);
  struct access_route_plan *routes = ARENA_ARRAY(build->arena, struct access_route_plan, count + 1);
  for (size_t i = 0; routes && i < count; i++) {
    const struct route *route = policy_route(policy, i);
    if (!plan_route(build, route, &routes[policy_route_number(policy, route)])) return NULL;
  }
  return routes;
}

const struct access_plan *access_plan_new(struct arena *arena, const struct policy *policy,
                                          const struct config_access_log *options) {
  const struct build build = {.arena = arena, .policy = policy, .options = options};
  struct access_plan *plan = ARENA_NEW(arena, struct access_plan);
  if (!plan || !find_hides(&build, &plan->hides)) return NULL;
  if (options->attributes == CONFIG_LOG_NONE) return plan;
  plan->routes = plan_routes(&build);
  return plan->routes ? plan : NULL;
}
