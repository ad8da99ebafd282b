/*
 * access_plan: from names that adit.json has hashed to slots of tables and fields of lines.
 *
 *   names    what is hashed: what adit.json names, what that is read from, and secrets
 *   fields   which fields of a line show any of it
 *   routes   the attributes of each route
 */
#include "access_plan.h"

#include "adit/arena.h"

struct build {
  struct arena *arena;
  const struct policy *policy;
  const struct config_access_log *options;
  VEC(struct str) names; /* that are hashed; "cookie.*" is each that begins with "cookie." */
  bool unsure;           /* what a name is read from is not known: all is hashed */
};

/* ---- names ----------------------------------------------------------------------------------- */

/* What nobody wants to find in a log. */
static const struct str secrets[] = {STR_INIT("header.authorization"),
                                     STR_INIT("header.proxy-authorization"),
                                     STR_INIT("header.cookie"), STR_INIT("header.x-canary-token")};

/* Hashing what differs in case only does no harm. */
static bool covers(struct str pattern, struct str name) {
  if (str_ends_with(pattern, STR(".*")))
    return str_starts_with_nocase(name, str_take(pattern, pattern.n - 1));
  return str_eq_nocase(name, pattern);
}

static bool is_hashed(const struct build *build, struct str name) {
  if (build->unsure) return true;
  for (size_t i = 0; i < build->names.n; i++)
    if (covers(build->names.items[i], name)) return true;
  return false;
}

static struct str source_name(const struct build *build, const char *kind, struct str name) {
  return arena_printf(build->arena, "%s.%.*s", kind, STR_ARG(name));
}

/* The k-th name of what a slot is read from, p == NULL where there are no more. Of claims and
 * answers it is none that a rule can use, but another attribute may be read from the same. */
static struct str read_from(const struct build *build, const struct attr_table *table,
                            uint16_t slot, size_t k) {
  struct attr_source_info source;
  struct str field;
  switch (attr_table_channel(table, slot)) {
    case ATTR_FROM_AGE:
      return read_from(build, table, attr_table_base(table, slot), k);
    case ATTR_FROM_AGENT:
      if (k >= attr_table_request_fields(table, slot, k, &field)) break;
      return source_name(build, "header", field);
    case ATTR_FROM_SOURCES:
      if (!attr_table_source(table, slot, k, &source)) break;
      /* A directory's name is not all. */
      return source_name(build, attr_source_kind_name(source.kind),
                         source.kind == SOURCE_LOOKUP ? source.json : source.name);
    case ATTR_FROM_CLIENT_IP:
      return k == 0 ? STR("header.x-forwarded-for") : (struct str){0};
    case ATTR_FROM_HOST:
      return k == 0 ? STR("header.host") : (struct str){0};
    case ATTR_FROM_METHOD:
    case ATTR_FROM_SCHEME:
    case ATTR_FROM_PATH:
    case ATTR_FROM_NOW:
    case ATTR_FROM_LOCAL_TIME:
      break;
  }
  return (struct str){0};
}

/* The address of a page, in Referer, is what the request for it had. */
static bool shows_page(struct str name) {
  return covers(name, STR("host")) || covers(name, STR("path")) ||
         covers(name, STR("header.host")) || str_starts_with_nocase(name, STR("query."));
}

/* With what holds the same. False: memory. */
static bool add_name(struct build *build, struct str name) {
  const struct str referer = STR("header.referer"), cookies = STR("cookie.*");
  if (shows_page(name) && !is_hashed(build, referer) &&
      !VEC_PUSH(build->arena, &build->names, referer))
    return false;
  if (covers(name, STR("header.cookie")) && !is_hashed(build, cookies) &&
      !VEC_PUSH(build->arena, &build->names, cookies))
    return false;
  return is_hashed(build, name) || VEC_PUSH(build->arena, &build->names, name);
}

/* Adds what the catalog's hashed attributes, used by a rule or not, are read from. False: memory.
 */
static bool add_sources(struct build *build, struct attr_catalog *catalog) {
  struct attr_table *table = attr_table_new(build->arena, catalog);
  if (!table) return false;
  for (const char *const *name = attr_catalog_names(catalog); *name; name++) {
    const struct str text = str_from_cstr(*name);
    if (str_ends_with(text, STR(".")) || !is_hashed(build, text)) continue;
    const uint16_t slot = attr_table_slot(table, text);
    if (slot == ATTR_SLOT_NONE) build->unsure = true;
    if (build->unsure) return !arena_failed(build->arena);
    struct str source;
    for (size_t k = 0; (source = read_from(build, table, slot, k)).p; k++)
      if (!add_name(build, source)) return false;
  }
  return !arena_failed(build->arena);
}

/* A token is a secret wherever it stands. */
static bool add_token(struct build *build) {
  const struct config *config = policy_config(build->policy);
  if (!config->has_jwt) return true;
  const char *kind = config->jwt.spec.place == JWT_IN_COOKIE ? "cookie" : "header";
  return VEC_PUSH(build->arena, &build->names, source_name(build, kind, config->jwt.spec.name));
}

/* False: memory. */
static bool find_names(struct build *build) {
  const struct config_access_log *options = build->options;
  for (size_t i = 0; i < sizeof(secrets) / sizeof(*secrets); i++)
    if (!VEC_PUSH(build->arena, &build->names, secrets[i])) return false;
  if (!add_token(build)) return false;
  for (size_t i = 0; i < options->redact_count; i++)
    if (!add_name(build, options->redact[i].name)) return false;
  if (options->redact_count == 0) return true;
  if (!add_sources(build, policy_config(build->policy)->catalog)) return false;
  for (size_t i = 0; i < policy_route_count(build->policy); i++)
    if (!add_sources(build, policy_route(build->policy, i)->catalog)) return false;
  return true;
}

/* ---- fields ---------------------------------------------------------------------------------- */

/* Fields that are attributes by themselves. */
static const struct {
  struct str name;
  unsigned hides;
} shown[] = {
    {STR_INIT("client_ip"), ACCESS_HIDES_CLIENT_IP},
    {STR_INIT("host"), ACCESS_HIDES_HOST},
    {STR_INIT("path"), ACCESS_HIDES_PATH},
    {STR_INIT("header.x-forwarded-for"), ACCESS_HIDES_CLIENT_IP},
    {STR_INIT("header.host"), ACCESS_HIDES_HOST},
    {STR_INIT("header.user-agent"), ACCESS_HIDES_USER_AGENT},
    {STR_INIT("header.referer"), ACCESS_HIDES_REFERER},
    {STR_INIT("header.x-request-id"), ACCESS_HIDES_REQUEST_ID},
};

static unsigned find_hides(const struct build *build) {
  unsigned hides = build->unsure ? ACCESS_HIDES_ALL : 0;
  for (size_t i = 0; i < sizeof(shown) / sizeof(*shown); i++)
    if (is_hashed(build, shown[i].name)) hides |= shown[i].hides;
  for (size_t i = 0; i < build->names.n; i++)
    if (str_starts_with_nocase(build->names.items[i], STR("query."))) hides |= ACCESS_HIDES_QUERY;
  return hides;
}

/* ---- routes ---------------------------------------------------------------------------------- */

/* Method, host, time and their like are fields of the line. */
static bool is_told_apart(const struct attr_table *table, uint16_t slot) {
  const enum attr_channel channel = attr_table_channel(table, slot);
  return channel == ATTR_FROM_AGENT || channel == ATTR_FROM_SOURCES;
}

/* By its name, or since it shows the same as what it is read from. */
static bool is_slot_hashed(const struct build *build, const struct attr_table *table,
                           uint16_t slot) {
  if (is_hashed(build, attr_table_name(table, slot))) return true;
  struct str source;
  for (size_t k = 0; (source = read_from(build, table, slot, k)).p; k++)
    if (is_hashed(build, source)) return true;
  return arena_failed(build->arena); /* then nothing is shown */
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
        .hashed = is_slot_hashed(build, table, slot),
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
  struct build build = {.arena = arena, .policy = policy, .options = options};
  struct access_plan *plan = ARENA_NEW(arena, struct access_plan);
  if (!plan || !find_names(&build)) return NULL;
  plan->hides = find_hides(&build);
  if (options->attributes == CONFIG_LOG_NONE) return plan;
  plan->routes = plan_routes(&build);
  return plan->routes ? plan : NULL;
}
