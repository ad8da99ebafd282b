/*
 * fuzz_rule_file: any bytes are a rule file or make errors. What compiles is found by the router,
 * is evaluated alike with and without a trace, and its splits give each bucket one variant.
 */
#include <stdlib.h>

#include "adit/arena.h"
#include "adit/json.h"
#include "adit/rules.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void require(bool holds) {
  if (!holds) abort();
}

/* What adit.json gives, made once. */
static const struct rules_environment *get_environment(void) {
  static const char attributes[] =
      "{\"region\":{\"type\":\"string\",\"from\":[{\"header\":\"X-Region\"}]},"
      "\"user.id\":{\"type\":\"string\",\"from\":[{\"header\":\"X-User-Id\"}]},"
      "\"user.registered_at\":{\"type\":\"time\",\"from\":[{\"header\":\"X-Registered\"}]},"
      "\"app.version\":{\"type\":\"version\",\"from\":[{\"header\":\"X-Version\"}]},"
      "\"peer\":{\"type\":\"ip\",\"from\":[{\"header\":\"X-Peer\"}]},"
      "\"langs\":{\"type\":\"list\",\"from\":[{\"header\":\"X-Region\"}]}}";
  static const char segments[] = "{\"staff\":{\"client_ip\":{\"in_cidr\":\"10.0.0.0/8\"}}}";
  static const char *const upstreams[] = {"shop-v1", "shop-canary", NULL};
  static struct rules_environment environment;
  if (environment.catalog) return &environment;
  struct diags *diags = diags_new();
  struct json_doc *declared =
      json_parse(str_from_cstr(attributes), "attributes", JSON_STRICT, diags);
  struct json_doc *named = json_parse(str_from_cstr(segments), "segments", JSON_STRICT, diags);
  struct attr_catalog *catalog = attr_catalog_new(ATTR_SCOPE_GATEWAY, NULL);
  require(attr_catalog_declare(catalog, declared, json_root(declared), diags));
  environment = (struct rules_environment){
      .catalog = catalog,
      .segments = {.doc = named, .object = json_root(named), .directory = "/nonexistent"},
      .upstreams = upstreams,
      .directory = "/nonexistent"};
  json_free(&declared);
  diags_free(&diags);
  return &environment;
}

static void check_split(const struct route *route, const struct split *split) {
  unsigned end = 0;
  for (size_t i = 0; i < split->range_count; i++) {
    const struct split_range *range = &split->ranges[i];
    require(range->from >= end && range->from < range->to && range->to <= BUCKETS);
    require(route_is_canary(route, range->variant));
    require(split_variant(split, range->from, route->stable) == range->variant);
    require(split_variant(split, range->to - 1u, route->stable) == range->variant);
    end = range->to;
  }
}

static void evaluate(const struct route *route, struct arena *arena, bool trusted) {
  static const struct http_field fields[] = {
      {STR_INIT("X-Region"), STR_INIT("cn-east, cn-north"), HTTP_FIELD_OTHER},
      {STR_INIT("X-User-Id"), STR_INIT("u-17"), HTTP_FIELD_OTHER},
      {STR_INIT("X-Registered"), STR_INIT("2026-03-04"), HTTP_FIELD_OTHER},
      {STR_INIT("X-Version"), STR_INIT("2.10.1"), HTTP_FIELD_OTHER},
      {STR_INIT("Cookie"), STR_INIT("a=b; a=c"), HTTP_FIELD_COOKIE}};
  const struct attr_request request = {.method = STR("GET"),
                                       .scheme = STR("https"),
                                       .host = STR("shop.example.com"),
                                       .path = STR("/cart/1"),
                                       .query = STR("a=1&a=&b"),
                                       .trusted = trusted,
                                       .now_ms = INT64_C(1795000000000),
                                       .fields = fields,
                                       .field_count = sizeof(fields) / sizeof(*fields)};
  struct rules_trace trace;
  struct attr_reader *reader = attr_reader_new();
  require(reader != NULL);
  attr_reader_begin(reader, route->table, &request);
  struct rules_outcome plain = rules_eval(route, reader, NULL, NULL);
  attr_reader_begin(reader, route->table, &request);
  struct rules_outcome traced = rules_eval(route, reader, &trace, arena);
  require(plain.rule == traced.rule && plain.limit == traced.limit);
  attr_reader_free(&reader);
}

static void check_route(struct route *route) {
  struct arena *arena = arena_new(64 << 20);
  struct diags *diags = diags_new();
  struct route_conflict conflict;
  require(arena && diags && !routes_find_conflict(&route, 1, &conflict, diags));
  struct router *router = router_new(arena, &route, 1);
  struct str host = route->host_count > 0 ? route->hosts[0] : STR("any");
  if (str_starts_with(host, STR("*.")))
    host = arena_printf(arena, "a%.*s", STR_ARG(str_skip(host, 1)));
  struct str path = route->path_prefix.n > 0 ? route->path_prefix : STR("/");
  require(router && router_find(router, host, path) == route);
  for (size_t i = 0; i < route->rule_count; i++) check_split(route, &route->rules[i].split);
  check_split(route, &route->default_split);
  evaluate(route, arena, false);
  evaluate(route, arena, true);
  diags_free(&diags);
  arena_free(&arena);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
  struct diags *diags = diags_new();
  require(diags != NULL);
  struct str text = str_make((const char *)data, size);
  struct json_doc *doc = json_parse(text, "fuzz.json", JSON_EDITABLE, diags);
  require((doc == NULL) == (diags_count(diags, DIAG_ERROR) > 0));
  struct route *route = doc ? route_compile(doc, get_environment(), diags) : NULL;
  require((route == NULL) == (diags_count(diags, DIAG_ERROR) > 0));
  json_free(&doc);
  if (route) check_route(route);
  route_unref(&route);
  diags_free(&diags);
  return 0;
}
