/*
 * fuzz_findings: what is found in any rule file that compiles must hold for requests made of the
 * file's own literals, and each witness must show what it is said to show.
 */
#include <stdlib.h>

#include "adit/arena.h"
#include "adit/conditions.h"
#include "adit/findings.h"
#include "adit/hash.h"
#include "adit/json.h"
#include "adit/policy.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

enum { REQUESTS = 200, TEXTS_MAX = 256, FIELDS_MAX = 64, FILE_BYTES_MAX = 4096 };
static const int64_t NOW_MS = INT64_C(1780272000000); /* 2026-06-01 */

static void require(bool holds) {
  if (!holds) abort();
}

/* What adit.json gives, made once. */
static const struct rules_environment *get_environment(void) {
  static const char attributes[] =
      "{\"region\":{\"type\":\"string\",\"from\":[{\"header\":\"X-Region\"}]},"
      "\"user.id\":{\"type\":\"string\",\"from\":[{\"header\":\"X-User-Id\"}]},"
      "\"born\":{\"type\":\"time\",\"from\":[{\"header\":\"X-Born\"}]},"
      "\"app\":{\"type\":\"version\",\"from\":[{\"header\":\"X-App\",\"regex\":\"v=([0-9.]+)\"}]},"
      "\"score\":{\"type\":\"number\",\"from\":[{\"header\":\"X-Score\"}]},"
      "\"flag\":{\"type\":\"bool\",\"from\":[{\"header\":\"X-Flag\"}]},"
      "\"peer\":{\"type\":\"ip\",\"from\":[{\"header\":\"X-Peer\"}]},"
      "\"langs\":{\"type\":\"list\",\"from\":[{\"header\":\"X-Langs\"}]}}";
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

/* ---- requests of the file's literals --------------------------------------------------------- */

struct maker {
  const struct route *route;
  struct arena *arena;
  uint32_t state; /* of a generator */
  struct str texts[TEXTS_MAX];
  size_t text_count;
};

static uint32_t draw(struct maker *maker, size_t below) {
  maker->state = maker->state * 1664525u + 1013904223u;
  return below ? (maker->state >> 8) % (uint32_t)below : 0;
}

static void take_text(struct maker *maker, struct str text) {
  if (maker->text_count < TEXTS_MAX) maker->texts[maker->text_count++] = text;
}

static void take_leaf(struct maker *maker, const struct leaf *leaf) {
  size_t n = leaf->n < 8 ? leaf->n : 8;
  for (size_t i = 0; i < n; i++) {
    switch (leaf->test) {
      case TEST_STRING_EQUAL:
      case TEST_STARTS_WITH:
      case TEST_ENDS_WITH:
      case TEST_CONTAINS:
      case TEST_UNDER:
        take_text(maker, leaf->with.texts[i]);
        break;
      case TEST_STRING_IN:
        take_text(maker, str_set_key(leaf->with.strings, i));
        break;
      case TEST_COMPARE:
      case TEST_IN:
      case TEST_BETWEEN:
        take_text(maker, leaf->with.data[i].text);
        break;
      case TEST_EXISTS:
      case TEST_MATCHES:
      case TEST_IN_CIDR:
      case TEST_BUCKET_IN:
        break;
    }
  }
}

static void take_texts(struct maker *maker, const struct condition *condition) {
  if (!condition) return;
  if (condition->kind == CONDITION_LEAF) {
    take_leaf(maker, &condition->as.leaf);
    return;
  }
  for (size_t i = 0; i < condition->as.children.n; i++)
    take_texts(maker, condition->as.children.items[i]);
}

static struct str pick(struct maker *maker) {
  static const struct str others[] = {
      STR_INIT(""),         STR_INIT("a"),           STR_INIT("x"),          STR_INIT("0"),
      STR_INIT("1.5"),      STR_INIT("2026-01-01"),  STR_INIT("2027-01-01"), STR_INIT("true"),
      STR_INIT("10.1.2.3"), STR_INIT("2001:db8::1"), STR_INIT("v=1.2"),      STR_INIT("false")};
  size_t n = sizeof(others) / sizeof(*others);
  size_t i = draw(maker, maker->text_count + n);
  if (i < n) return others[i];
  struct str text = maker->texts[i - n];
  if (draw(maker, 4) > 0) return text;
  struct str end = others[draw(maker, n)];
  return arena_printf(maker->arena, "%.*s%.*s", STR_ARG(text), STR_ARG(end));
}

static void add_field(struct maker *maker, struct http_field *fields, size_t *n, struct str name,
                      struct str value) {
  if (*n == FIELDS_MAX || !http_is_field_value(value)) return;
  (void)maker;
  fields[(*n)++] =
      (struct http_field){.name = name, .value = str_trim(value), .id = http_field_id(name)};
}

static void add_slot(struct maker *maker, uint16_t slot, struct attr_request *request,
                     struct http_field *fields) {
  struct attr_source_info source;
  struct str value = pick(maker);
  struct attr_datum datum;
  switch (attr_table_channel(maker->route->table, slot)) {
    case ATTR_FROM_METHOD:
      if (http_is_token(value)) request->method = value;
      return;
    case ATTR_FROM_PATH:
      if (str_starts_with(value, STR("/"))) request->path = value;
      return;
    case ATTR_FROM_CLIENT_IP:
      if (attr_datum_parse(ATTR_IP, value, &datum)) request->client_ip = datum.as.ip;
      return;
    case ATTR_FROM_NOW:
      if (attr_datum_parse(ATTR_TIME, value, &datum)) request->now_ms = datum.as.ms;
      return;
    case ATTR_FROM_SCHEME:
    case ATTR_FROM_HOST:
    case ATTR_FROM_LOCAL_TIME:
    case ATTR_FROM_AGENT:
    case ATTR_FROM_AGE:
      return;
    case ATTR_FROM_SOURCES:
      break;
  }
  if (!attr_table_source(maker->route->table, slot, 0, &source)) return;
  if (source.kind == SOURCE_HEADER)
    add_field(maker, fields, &request->field_count, source.name, value);
  if (source.kind == SOURCE_COOKIE) {
    struct str pair = arena_printf(maker->arena, "%.*s=%.*s", STR_ARG(source.name), STR_ARG(value));
    add_field(maker, fields, &request->field_count, STR("Cookie"), pair);
  }
  if (source.kind == SOURCE_QUERY)
    request->query = arena_printf(maker->arena, "%.*s&%.*s=%.*s", STR_ARG(request->query),
                                  STR_ARG(source.name), STR_ARG(value));
}

static void make_request(struct maker *maker, const struct router *router,
                         struct attr_request *request, struct http_field *fields) {
  const struct route *route = maker->route;
  struct str host = route->host_count > 0 ? route->hosts[0] : STR("any");
  if (str_starts_with(host, STR("*.")))
    host = arena_printf(maker->arena, "a%.*s", STR_ARG(str_skip(host, 1)));
  *request = (struct attr_request){.method = STR("GET"),
                                   .scheme = STR("http"),
                                   .host = host,
                                   .path = STR("/"),
                                   .query = STR(""),
                                   .trusted = true,
                                   .now_ms = NOW_MS,
                                   .fields = fields};
  for (uint16_t slot = 0; slot < attr_table_size(route->table); slot++)
    for (size_t times = draw(maker, 3); times > 0; times--) add_slot(maker, slot, request, fields);
  if (router_find(router, request->host, request->path) != route)
    request->path = route->path_prefix.n > 0 ? route->path_prefix : STR("/");
}

/* ---- what must hold -------------------------------------------------------------------------- */

struct answer {
  const struct rule *rule, *next;
  bool limit;
  int64_t now_ms;
};

static struct answer ask(const struct route *route, struct attr_reader *reader,
                         const struct attr_request *request) {
  attr_reader_begin(reader, route->table, request);
  struct rules_outcome outcome = rules_eval(route, reader, NULL, NULL);
  struct answer answer = {.rule = outcome.rule, .limit = outcome.limit, .now_ms = request->now_ms};
  if (!outcome.rule || outcome.limit) return answer;
  for (const struct rule *rule = outcome.rule + 1; rule < route->rules + route->rule_count;
       rule++) {
    enum rule_result result = rule_ask(rule, reader);
    if (result != RULE_MATCHED) continue;
    answer.next = rule;
    break;
  }
  return answer;
}

static uint16_t variant_of(const struct route *route, const struct rule *rule, unsigned bucket) {
  if (rule && rule->to != VARIANT_NONE) return rule->to;
  if (rule) return split_variant(&rule->split, bucket, route->stable);
  if (!route->has_default_split) return route->stable;
  return split_variant(&route->default_split, bucket, route->stable);
}

static void check_answer(const struct route *route, const struct finding *finding,
                         const struct answer *answer) {
  if (!finding->rule || answer->rule != finding->rule || answer->limit) return;
  require(finding->kind != FINDING_NEVER && finding->kind != FINDING_SHADOWED);
  require(finding->kind != FINDING_EXPIRED || answer->now_ms < NOW_MS);
  if (finding->kind != FINDING_NO_EFFECT) return;
  for (unsigned bucket = 0; bucket < BUCKETS; bucket += 33)
    require(variant_of(route, answer->rule, bucket) == variant_of(route, answer->next, bucket));
}

struct reading {
  struct arena *arena;
  struct json_doc *doc;
};

static bool read_request(void *context, struct str json, struct decide_request *ret) {
  struct reading *reading = context;
  struct diags *diags = diags_new();
  json_free(&reading->doc);
  reading->doc = json_parse(json, "witness", JSON_STRICT, diags);
  bool ok = reading->doc && request_from_json(reading->doc, json_root(reading->doc), reading->arena,
                                              NOW_MS, ret, NULL, diags);
  diags_free(&diags);
  return ok;
}

static void check_witness(const struct route *route, const struct finding *finding,
                          struct reading *reading, struct attr_reader *reader) {
  struct decide_request request;
  if (!finding->witness.p || !finding->rule) return;
  require(read_request(reading, finding->witness, &request));
  struct answer answer = ask(route, reader, &request.attr);
  if (finding->kind == FINDING_SHADOWED) {
    require(answer.rule < finding->rule && rule_ask(finding->rule, reader) == RULE_MATCHED);
  } else {
    require(answer.rule == finding->rule);
  }
}

static void check_findings(struct route *route, const struct json_doc *doc) {
  struct arena *arena = arena_new(256 << 20);
  struct reading reading = {.arena = arena};
  const struct router *router = router_new(arena, &route, 1);
  static const struct sticky_key key = {STR_INIT("k"),
                                        STR_INIT("0123456789abcdef0123456789abcdef")};
  struct decider *decider = decider_new(router, &key, 1);
  struct attr_reader *reader = attr_reader_new();
  const struct findings_input input = {.routes = (const struct route *const *)&route,
                                       .route_count = 1,
                                       .router = router,
                                       .decider = decider,
                                       .now_ms = NOW_MS,
                                       .notes = true,
                                       .read = read_request,
                                       .context = &reading};
  struct findings findings = {.arena = arena};
  require(findings_of_route(&input, route, doc, &findings));
  struct maker maker = {.route = route, .arena = arena, .state = 1};
  for (size_t i = 0; i < route->rule_count; i++) take_texts(&maker, route->rules[i].when);
  for (size_t i = 0; i < REQUESTS && findings.list.n > 0; i++) {
    struct http_field fields[FIELDS_MAX];
    struct attr_request request;
    make_request(&maker, router, &request, fields);
    if (router_find(router, request.host, request.path) != route) continue;
    struct answer answer = ask(route, reader, &request);
    for (size_t k = 0; k < findings.list.n; k++)
      check_answer(route, &findings.list.items[k], &answer);
  }
  for (size_t k = 0; k < findings.list.n; k++)
    check_witness(route, &findings.list.items[k], &reading, reader);
  attr_reader_free(&reader);
  decider_free(&decider);
  json_free(&reading.doc);
  arena_free(&arena);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
  if (size > FILE_BYTES_MAX) return 0;
  struct diags *diags = diags_new();
  struct str text = str_make((const char *)data, size);
  struct json_doc *doc = json_parse(text, "fuzz.json", JSON_EDITABLE, diags);
  struct route *route = doc ? route_compile(doc, get_environment(), diags) : NULL;
  if (route) check_findings(route, doc);
  route_unref(&route);
  json_free(&doc);
  diags_free(&diags);
  return 0;
}
