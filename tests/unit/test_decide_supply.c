/* Sources that have a supplier, and attributes that a request gives in their place. */
#include <cjson/cJSON.h>

#include "adit/arena.h"
#include "adit/decide.h"
#include "adit/json.h"
#include "adit/text.h"
#include "unit.h"

#define COUNT(array) (sizeof(array) / sizeof(*(array)))

/* A directory of fields by user id, a token that refuses, an address list without a key. */
struct world {
  struct arena *arena;
  struct diags *diags;
  struct attr_catalog *catalog;
  struct route *route;
  struct decider *decider;
  bool pending;       /* the directory is still asked */
  unsigned questions; /* that the directory got */
  struct str asked;   /* the last key it got */
};

static const char ATTRIBUTES[] =
    "{'user.id': {'type':'string','from':[{'header':'X-User'},{'jwt':'sub'}]},"
    " 'plan': {'type':'string','from':[{'lookup':'users'}]},"
    " 'born': {'type':'time','from':[{'lookup':'born'}]},"
    " 'tags': {'type':'list','from':[{'cidr':'tags'},{'header':'X-Tags'}]}}";

static const struct str USER_ID = STR_INIT("user.id");
static const struct str AUTHORIZATION = STR_INIT("Authorization");

/* ---- offers and suppliers -------------------------------------------------------------------- */

static bool read_source(void *context, const struct json_doc *doc, const struct cJSON *node,
                        const char *what, struct attr_offered *ret, struct diags *diags) {
  const cJSON *value = node->child;
  ck_assert_ptr_nonnull(strchr(what, '\''));
  if (!cJSON_IsString(value)) {
    json_error(doc, value, diags, NULL, "%s: not a string", what);
    return false;
  }
  if (strcmp(value->string, "lookup") == 0)
    *ret = (struct attr_offered){
        .id = strcmp(value->valuestring, "born") == 0, .keys = &USER_ID, .key_count = 1};
  if (strcmp(value->string, "jwt") == 0)
    *ret = (struct attr_offered){.fields = &AUTHORIZATION, .field_count = 1};
  return true;
}

/* What the directory says of the user whose id ends in '!': nobody it knows. */
static enum attr_supply ask_directory(void *context, const struct attr_request *request,
                                      uint32_t id, const struct str *keys,
                                      struct attr_supplied *ret) {
  static const struct str plan = STR_INIT("pro"), born = STR_INIT("2026-01-01");
  struct world *world = context;
  world->questions++;
  world->asked = keys[0];
  if (world->pending) return SUPPLY_PENDING;
  if (str_ends_with(keys[0], STR("!"))) {
    ret->why = STR("the directory does not know the user");
    return SUPPLY_ABSENT;
  }
  ret->texts = id == 1 ? &born : &plan;
  ret->n = 1;
  return SUPPLY_PRESENT;
}

static enum attr_supply refuse_token(void *context, const struct attr_request *request, uint32_t id,
                                     const struct str *keys, struct attr_supplied *ret) {
  ret->why = STR("the token expired");
  return SUPPLY_REFUSED;
}

static enum attr_supply find_range(void *context, const struct attr_request *request, uint32_t id,
                                   const struct str *keys, struct attr_supplied *ret) {
  static const struct str tags[] = {STR_INIT("office, lab"), STR_INIT("vpn")};
  if (request->client_ip.bytes[0] == 0) return SUPPLY_ABSENT; /* IPv4 */
  ret->texts = tags;
  ret->n = 2;
  return SUPPLY_PRESENT;
}

/* ---- a route --------------------------------------------------------------------------------- */

/* JSON with ' for ". */
static struct json_doc *parse(struct world *world, const char *text) {
  char *quoted = strdup(text);
  for (char *p = quoted; *p; p++)
    if (*p == '\'') *p = '"';
  struct json_doc *doc = json_parse(str_from_cstr(quoted), "f", JSON_STRICT, world->diags);
  free(quoted);
  ck_assert_ptr_nonnull(doc);
  return doc;
}

static void offer_all(struct attr_catalog *catalog) {
  for (int kind = SOURCE_JWT; kind < ATTR_SOURCE_KINDS; kind++)
    attr_catalog_offer(catalog, (enum attr_source_kind)kind,
                       (struct attr_offer){read_source, NULL});
}

static void world_init(struct world *world, const char *rules) {
  *world = (struct world){.arena = arena_new(1 << 20), .diags = diags_new()};
  world->catalog = attr_catalog_new(ATTR_SCOPE_GATEWAY, NULL);
  offer_all(world->catalog);
  struct json_doc *doc = parse(world, ATTRIBUTES);
  ck_assert(attr_catalog_declare(world->catalog, doc, json_root(doc), world->diags));
  json_free(&doc);
  doc = parse(world, rules);
  static const char *const upstreams[] = {"a", "b", NULL};
  const struct rules_environment environment = {
      .catalog = world->catalog, .upstreams = upstreams, .directory = "."};
  world->route = route_compile(doc, &environment, world->diags);
  ck_assert_ptr_nonnull(world->route);
  json_free(&doc);
  struct route *routes[] = {world->route};
  world->decider = decider_new(router_new(world->arena, routes, 1), NULL, 0);
  decider_supply(world->decider, SOURCE_LOOKUP, (struct attr_supplier){ask_directory, world});
  decider_supply(world->decider, SOURCE_JWT, (struct attr_supplier){refuse_token, NULL});
  decider_supply(world->decider, SOURCE_CIDR, (struct attr_supplier){find_range, NULL});
}

static void world_deinit(struct world *world) {
  decider_free(&world->decider);
  route_unref(&world->route);
  attr_catalog_unref(&world->catalog);
  diags_free(&world->diags);
  arena_free(&world->arena);
}

static struct decide_request request_of(const struct http_field *fields, size_t n) {
  struct decide_request request = {0};
  request.attr = (struct attr_request){.method = STR("GET"),
                                       .scheme = STR("http"),
                                       .host = STR("h"),
                                       .path = STR("/"),
                                       .trusted = true,
                                       .now_ms = 1767225600000, /* 2026-01-01 */
                                       .fields = fields,
                                       .field_count = n};
  return request;
}

#define ROUTE "{'route':'r','variants':{'v1':'a','canary':'b'},'stable':'v1','rules':["

static const char BY_PLAN[] = ROUTE
    "{'id':'x','when':{'header.x':'1'},'to':'v1'},"
    "{'id':'any','when':{'any':[{'plan':'pro'},{'header.y':'1'}]},'to':'canary'}]}";

static const struct http_field USER = {.name = STR_INIT("X-User"), .value = STR_INIT("u1")};
static const struct http_field X = {.name = STR_INIT("X"), .value = STR_INIT("1")};
static const struct http_field Y = {.name = STR_INIT("Y"), .value = STR_INIT("1")};

static void check_rule(const struct decision *decision, const char *rule) {
  ck_assert(!decision->pending);
  ck_assert_msg(
      rule ? decision->rule && str_eq(decision->rule->id, str_from_cstr(rule)) : !decision->rule,
      "decided by '%.*s'", STR_ARG(decision->rule ? decision->rule->id : STR("none")));
}

/* ---- pending --------------------------------------------------------------------------------- */

START_TEST(pending_only_where_it_matters)
{
  struct world world;
  world_init(&world, BY_PLAN);
  world.pending = true;
  struct decision decision;
  struct http_field fields[] = {USER, X};
  struct decide_request request = request_of(fields, 2);

  decide(world.decider, &request, &decision, NULL, NULL);
  check_rule(&decision, "x");
  ck_assert_uint_eq(world.questions, 0); /* no evaluation got there */

  request.attr.field_count = 1;
  decide(world.decider, &request, &decision, NULL, NULL);
  ck_assert(decision.pending);
  ck_assert_uint_eq(world.questions, 1);
  ck_assert(str_eq(world.asked, STR("u1")));

  fields[1] = Y; /* true whatever the directory says */
  request.attr.field_count = 2;
  decide(world.decider, &request, &decision, NULL, NULL);
  check_rule(&decision, "any");

  world.pending = false;
  request.attr.field_count = 1;
  decide(world.decider, &request, &decision, NULL, NULL);
  check_rule(&decision, "any");
  world_deinit(&world);
}
END_TEST

START_TEST(pending_in_another_reading_of_the_path)
{
  struct world world;
  world_init(&world, ROUTE
             "{'id':'admin','when':{'path':{'under':'/a/b'},'plan':'pro'},"
             "'to':'canary'}]}");
  world.pending = true;
  struct decision decision;
  struct decide_request request = request_of(&USER, 1);
  request.attr.path = STR("/a%2Fb");
  request.attr.other_paths[0] = STR("/a/b");
  request.attr.other_path_count = 1;
  decide(world.decider, &request, &decision, NULL, NULL);
  ck_assert(decision.pending);
  world.pending = false;
  decide(world.decider, &request, &decision, NULL, NULL);
  ck_assert(!decision.pending);
  ck_assert_int_eq(decision.reason, REASON_AMBIGUOUS);
  world_deinit(&world);
}
END_TEST

START_TEST(pending_key_of_a_split)
{
  struct world world;
  world_init(&world,
             "{'route':'r','variants':{'v1':'a','canary':'b'},'stable':'v1',"
             "'sticky':{'by':['plan'],'cookie':false},"
             "'default':{'split':{'canary':50}}}");
  world.pending = true;
  struct decision decision;
  struct decide_request request = request_of(&USER, 1);
  decide(world.decider, &request, &decision, NULL, NULL);
  ck_assert(decision.pending);
  world.pending = false;
  decide(world.decider, &request, &decision, NULL, NULL);
  ck_assert(!decision.pending);
  ck_assert_int_ge(decision.bucket, 0);
  world_deinit(&world);
}
END_TEST

/* ---- what is read ---------------------------------------------------------------------------- */

static const struct {
  const char *what, *attribute, *fields, *expected; /* texts divided by '|', or the reason */
} READ[] = {
    {"found", "plan", "X-User: u1", "pro"},
    {"typed", "born", "X-User: u1", "2026-01-01"},
    {"its age", "born.age", "X-User: u1", "0s"},
    {"not known", "plan", "X-User: who!", "the directory does not know the user"},
    {"without its key", "plan", "", "an attribute that its source needs is missing"},
    {"an empty key", "plan", "X-User:", "an attribute that its source needs is missing"},
    {"the source before", "user.id", "X-User: u1", "u1"},
    {"refused", "user.id", "", "the token expired"},
    {"absent without words: the next source", "tags", "X-Tags: a,b", "a|b"},
};

static void render(const struct attr_value *value, struct text *out) {
  if (value->state == ATTR_MISSING) text_add(out, value->detail);
  for (size_t i = 0; value->state == ATTR_PRESENT && i < value->n; i++)
    text_printf(out, "%s%.*s", i ? "|" : "", STR_ARG(value->data[i].text));
}

static void check_read(struct world *world, const struct attr_request *request, const char *what,
                       const char *attribute, const char *expected) {
  struct attr_table *table = attr_table_new(world->arena, world->catalog);
  struct attr_reader *reader = attr_reader_new();
  struct text text;
  text_init(&text, 4096);
  attr_reader_supply(reader, SOURCE_LOOKUP, (struct attr_supplier){ask_directory, world});
  attr_reader_supply(reader, SOURCE_JWT, (struct attr_supplier){refuse_token, NULL});
  attr_reader_supply(reader, SOURCE_CIDR, (struct attr_supplier){find_range, NULL});
  uint16_t slot = attr_table_slot(table, str_from_cstr(attribute));
  attr_reader_begin(reader, table, request);
  render(attr_read(reader, slot), &text);
  ck_assert_msg(str_eq(text_str(&text), str_from_cstr(expected)), "%s: '%s', expected '%s'", what,
                text.p ? text.p : "", expected);
  text_deinit(&text);
  attr_reader_free(&reader);
}

/* Keys for others than a split, of a table of their own. */
START_TEST(finding_a_key)
{
  static const char *const names[] = {"plan", "tags", "cookie.s", "host"};
  static const struct {
    struct http_field fields[2];
    size_t n, from; /* from which name on is asked */
    bool distrusted, is_pending;
    enum decide_key result;
    const char *key;
  } cases[] = {
      {{{STR_INIT("X-User"), STR_INIT("u")}}, 1, 0, false, false, KEY_FOUND, "pro"},
      {{{STR_INIT("X-User"), STR_INIT("u")}}, 1, 0, false, true, KEY_PENDING, ""},
      {{{STR_INIT("X-User"), STR_INIT("u")}}, 1, 1, false, true, KEY_FOUND, "h"},
      {{{STR_INIT("X-User"), STR_INIT("u!")}, {STR_INIT("X-Tags"), STR_INIT(", a, b")}},
       2,
       0,
       false,
       false,
       KEY_FOUND,
       "a"},
      {{{STR_INIT("X-User"), STR_INIT("u")}, {STR_INIT("X-Tags"), STR_INIT("a, b")}},
       2,
       0,
       true,
       false,
       KEY_FOUND,
       "h"},
      {{{STR_INIT("Cookie"), STR_INIT("s=")}}, 1, 0, false, false, KEY_FOUND, "h"},
      {{{STR_INIT("Cookie"), STR_INIT("s=1; s=2")}}, 1, 0, false, false, KEY_FOUND, "1"},
      {{{STR_INIT("Cookie"), STR_INIT("s=")}}, 1, 4, false, false, KEY_NONE, ""},
  };
  struct world world;
  world_init(&world, BY_PLAN);
  struct attr_table *table = attr_table_new(world.arena, world.catalog);
  uint16_t slots[COUNT(names)];
  for (size_t i = 0; i < COUNT(names); i++)
    slots[i] = attr_table_slot(table, str_from_cstr(names[i]));
  for (size_t i = 0; i < COUNT(cases); i++) {
    struct decide_request request = request_of(cases[i].fields, cases[i].n);
    request.attr.trusted = !cases[i].distrusted;
    request.attr.client_ip.bytes[0] = 0;
    world.pending = cases[i].is_pending;
    struct str key = STR("");
    const size_t from = cases[i].from;
    enum decide_key result = decider_find_key(world.decider, &request.attr, table, slots + from,
                                              COUNT(names) - from, &key);
    ck_assert_msg(result == cases[i].result, "%zu: %d", i, (int)result);
    ck_assert_view_eq(key, cases[i].key);
  }
  world_deinit(&world);
}
END_TEST

START_TEST(reading)
{
  struct world world;
  world_init(&world, BY_PLAN);
  for (size_t i = 0; i < COUNT(READ); i++) {
    struct http_field field;
    struct str line = str_from_cstr(READ[i].fields);
    size_t colon = str_find_char(line, ':', 0);
    field = (struct http_field){.name = str_take(line, colon),
                                .value = str_trim(str_skip(line, colon + 1))};
    struct decide_request request = request_of(&field, line.n > 0);
    check_read(&world, &request.attr, READ[i].what, READ[i].attribute, READ[i].expected);
  }
  struct decide_request request = request_of(NULL, 0);
  request.attr.client_ip.bytes[0] = 0x20;
  check_read(&world, &request.attr, "several texts", "tags", "office|lab|vpn");
  world_deinit(&world);
}
END_TEST

START_TEST(given_stands_for_all_sources)
{
  struct world world;
  world_init(&world, BY_PLAN);
  static const struct str team[] = {STR_INIT("team")}, late[] = {STR_INIT("soon")},
                          user[] = {STR_INIT("u9")};
  const struct attr_given given[] = {
      {STR_INIT("plan"), team, 1}, {STR_INIT("born"), late, 1}, {STR_INIT("tags"), NULL, 0}};
  struct http_field fields[] = {USER, {.name = STR_INIT("X-Tags"), .value = STR_INIT("a")}};
  struct decide_request request = request_of(fields, 2);
  request.attr.given = given;
  request.attr.given_count = COUNT(given);
  check_read(&world, &request.attr, "in place of the look-up", "plan", "team");
  check_read(&world, &request.attr, "of another type", "born", "");
  check_read(&world, &request.attr, "missing", "tags", "");
  ck_assert_uint_eq(world.questions, 0);
  const struct attr_given id = {STR_INIT("user.id"), user, 1};
  request.attr.given = &id;
  request.attr.given_count = 1;
  check_read(&world, &request.attr, "as a key", "plan", "pro");
  ck_assert(str_eq(world.asked, STR("u9")));
  const struct attr_table *table = world.route->table;
  ck_assert(attr_table_takes_given(table, STR("plan")));
  ck_assert(!attr_table_takes_given(table, STR("path")));
  ck_assert(!attr_table_takes_given(table, STR("header.x")));
  ck_assert(!attr_table_takes_given(table, STR("plam")));
  world_deinit(&world);
}
END_TEST

START_TEST(fields_for_vary)
{
  struct world world;
  world_init(&world, BY_PLAN);
  struct attr_table *table = attr_table_new(world.arena, world.catalog);
  uint16_t slot = attr_table_slot(table, STR("plan"));
  struct str name = {0};
  /* The look-up itself none; its key the header and the token. */
  ck_assert_uint_eq(attr_table_request_fields(table, slot, 0, &name), 2);
  ck_assert(str_eq(name, STR("X-User")));
  attr_table_request_fields(table, slot, 1, &name);
  ck_assert(str_eq(name, STR("Authorization")));
  ck_assert(attr_table_is_noticed(table, slot));
  slot = attr_table_slot(table, STR("tags"));
  ck_assert_uint_eq(attr_table_request_fields(table, slot, 0, &name), 2);
  ck_assert(str_eq(name, STR("X-Forwarded-For")));
  ck_assert(!attr_table_is_single(table, slot));
  world_deinit(&world);
}
END_TEST

/* ---- mistakes -------------------------------------------------------------------------------- */

static const struct {
  enum attr_scope scope;
  bool offered;
  const char *json, *expected; /* the start of the first diagnostic */
} MISTAKES[] = {
    {ATTR_SCOPE_GATEWAY, false, "{'a':{'type':'string','from':[{'jwt':'sub'}]}}",
     "f:1:32: error: attribute 'a': nothing answers for a 'jwt' source (declare the tokens"},
    {ATTR_SCOPE_RULE_FILE, true, "{'a':{'type':'string','from':[{'jwt':'sub'}]}}",
     "f:1:32: error: attribute 'a': a rule file cannot have a 'jwt' source (declare it in"},
    {ATTR_SCOPE_GATEWAY, true, "{'a':{'type':'string','from':[{'jwt':1}]}}",
     "f:1:38: error: attribute 'a': not a string"},
    {ATTR_SCOPE_GATEWAY, true, "{'a':{'type':'string','from':[{'jwt':'x','header':'Y'}]}}",
     "f:1:31: error: attribute 'a': a source has several of"},
    {ATTR_SCOPE_GATEWAY, true, "{'a':{'type':'string','from':[{'lookup':'x'}]}}",
     "f:1:6: error: attribute 'a': needs the attribute 'user.id', which is not declared"},
    {ATTR_SCOPE_GATEWAY, true, "{'user.id':{'type':'string','from':[{'lookup':'x'}]}}",
     "f:1:2: error: attribute 'user.id': its source needs the attribute itself"},
};

START_TEST(mistakes)
{
  struct world world = {.arena = arena_new(1 << 20)};
  for (size_t i = 0; i < COUNT(MISTAKES); i++) {
    struct text text;
    text_init(&text, 1 << 16);
    world.diags = diags_new();
    struct attr_catalog *catalog = attr_catalog_new(MISTAKES[i].scope, NULL);
    if (MISTAKES[i].offered) offer_all(catalog);
    struct json_doc *doc = parse(&world, MISTAKES[i].json);
    ck_assert(!attr_catalog_declare(catalog, doc, json_root(doc), world.diags));
    diags_format(world.diags, &text);
    ck_assert_msg(str_starts_with(text_str(&text), str_from_cstr(MISTAKES[i].expected)), "%s: %s",
                  MISTAKES[i].json, text.p);
    json_free(&doc);
    attr_catalog_unref(&catalog);
    diags_free(&world.diags);
    text_deinit(&text);
  }
  arena_free(&world.arena);
}
END_TEST

UNIT_MAIN("decide_supply", pending_only_where_it_matters, pending_in_another_reading_of_the_path,
          pending_key_of_a_split, finding_a_key, reading, given_stands_for_all_sources,
          fields_for_vary, mistakes)
