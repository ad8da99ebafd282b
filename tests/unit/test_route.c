/*
 * Rule files: what is kept of a file, each mistake with its place, splits and their properties,
 * finding routes, conflicts between routes. This file has what all need, the file as a whole and
 * its variants; the rest is in test_route_*.c.
 *
 * Files are written with ' for " and compiled against upstreams, attributes and a segment as a
 * small adit.json would give them. The document is freed before a route is looked at.
 */
#include <stdio.h>
#include <unistd.h>

#include "adit/arena.h"
#include "adit/json.h"
#include "adit/rules.h"
#include "adit/text.h"
#include "printed.h"
#include "unit.h"

#define V "'variants': {'v1': 'shop-v1', 'canary': 'shop-canary'}"
#define V3 \
  "'variants': {'v1': 'shop-v1', 'a': 'shop-canary', 'b': 'shop-canary2', 'c': 'shop-canary'}"
#define SHOP   "{'route': 'shop', " V
#define SHOP_3 "{'route': 'shop', " V3 ", 'canaries': ['a', 'b', 'c']"

/* ---- compiling ------------------------------------------------------------------------------- */

static const char *const upstreams[] = {"shop-v1", "shop-canary", "shop-canary2", NULL};

struct fixture {
  struct json_doc *gateway; /* adit.json's attributes and segments */
  struct attr_catalog *catalog;
  struct rules_environment environment;
  struct diags *diags;
};

/* Puts " for ' into `buffer`. */
static struct str unquote(const char *text, char *buffer, size_t capacity) {
  size_t n = strlen(text);
  ck_assert_uint_lt(n, capacity);
  for (size_t i = 0; i < n; i++) buffer[i] = (char)(text[i] == '\'' ? '"' : text[i]);
  return str_make(buffer, n);
}

static struct json_doc *parse(const char *text, const char *name, struct diags *diags) {
  size_t capacity = strlen(text) + 1;
  char *buffer = malloc(capacity);
  ck_assert_ptr_nonnull(buffer);
  struct json_doc *doc = json_parse(unquote(text, buffer, capacity), name, JSON_EDITABLE, diags);
  free(buffer);
  return doc;
}

/* `attributes` is adit.json's; NULL: the usual ones. */
static void fixture_init(struct fixture *fixture, const char *attributes) {
  static const char usual[] =
      "{'region': {'type': 'string', 'from': [{'header': 'X-Region'}]},"
      " 'user.id': {'type': 'string', 'from': [{'header': 'X-User-Id'},"
      "             {'cookie': 'uid', 'trust': 'anyone'}]},"
      " 'user.registered_at': {'type': 'time', 'from': [{'header': 'X-Registered'}]}}";
  *fixture = (struct fixture){.diags = diags_new()};
  ck_assert_ptr_nonnull(fixture->diags);
  fixture->gateway = parse(attributes ? attributes : usual, "adit.json", fixture->diags);
  ck_assert_ptr_nonnull(fixture->gateway);
  fixture->catalog = attr_catalog_new(ATTR_SCOPE_GATEWAY, NULL);
  ck_assert(attr_catalog_declare(fixture->catalog, fixture->gateway, json_root(fixture->gateway),
                                 fixture->diags));
  fixture->environment = (struct rules_environment){
      .catalog = fixture->catalog, .upstreams = upstreams, .directory = "."};
}

static void fixture_deinit(struct fixture *fixture) {
  attr_catalog_unref(&fixture->catalog);
  json_free(&fixture->gateway);
  diags_free(&fixture->diags);
}

/* NULL: mistakes, which are in fixture->diags. */
static struct route *compile_as(struct fixture *fixture, const char *text, const char *name) {
  struct json_doc *doc = parse(text, name, fixture->diags);
  if (!doc) return NULL;
  struct route *route = route_compile(doc, &fixture->environment, fixture->diags);
  json_free(&doc);
  return route;
}

static struct route *compile(struct fixture *fixture, const char *text) {
  struct route *route = compile_as(fixture, text, "f");
  ck_assert_msg(route != NULL, "%s\n%s", text, printed(fixture->diags));
  return route;
}

/* A table's case: what a file gives, warnings and errors, one a line; "" when nothing. */
struct said {
  const char *text;
  const char *diags;
};

static void check_said(const struct said *cases, size_t n) {
  for (size_t i = 0; i < n; i++) {
    struct fixture fixture;
    fixture_init(&fixture, NULL);
    struct route *route = compile_as(&fixture, cases[i].text, "f");
    const char *diags = printed(fixture.diags);
    ck_assert_msg(strcmp(diags, cases[i].diags) == 0, "%s\ngives    %sexpected %s", cases[i].text,
                  diags, cases[i].diags);
    ck_assert_msg((route == NULL) == (diags_count(fixture.diags, DIAG_ERROR) > 0), "%s",
                  cases[i].text);
    route_unref(&route);
    fixture_deinit(&fixture);
  }
}
#define CHECK_SAID(cases) check_said((cases), sizeof(cases) / sizeof(*(cases)))

/* Numbers without a pattern, the same in each run. */
static unsigned next_random(unsigned *state) {
  *state = *state * 1664525u + 1013904223u;
  return *state >> 8;
}

/* ---- the file as a whole --------------------------------------------------------------------- */

START_TEST(test_defaults)
{
  struct fixture fixture;
  fixture_init(&fixture, NULL);
  struct route *route = compile(&fixture, SHOP "}");
  ck_assert_view_eq(route->name, "shop");
  ck_assert_str_eq(route->file, "f");
  ck_assert_uint_eq(route->host_count, 0);
  ck_assert_uint_eq(route->path_prefix.n, 0);
  ck_assert_uint_eq(route->variant_count, 2);
  ck_assert_view_eq(route->variants[1].name, "canary");
  ck_assert_view_eq(route->variants[1].upstream, "shop-canary");
  ck_assert_uint_eq(route->stable, 0);
  ck_assert_uint_eq(route->canary_count, 1);
  ck_assert_uint_eq(route->canaries[0], 1);
  ck_assert_int_eq(route->state, ROUTE_ON);
  ck_assert_uint_eq(route->rule_count, 0);
  ck_assert(!route->has_split && !route->has_default_split);
  ck_assert(!route->vary && !route->expose_decision);

  ck_assert(route->force.enabled);
  ck_assert_view_eq(route->force.header, "X-Canary");
  ck_assert_ptr_null(route->force.cookie.p);
  ck_assert_ptr_null(route->force.token.p);
  ck_assert_uint_eq(route->force.allow_from_count, 0);
  ck_assert_uint_eq(route->force.value_count, 2);
  ck_assert_view_eq(route->force.values[0].value, "always");
  ck_assert_uint_eq(route->force.values[0].variant, 1);
  ck_assert_view_eq(route->force.values[1].value, "never");
  ck_assert_uint_eq(route->force.values[1].variant, 0);

  ck_assert(route->sticky.cookie);
  ck_assert_view_eq(route->sticky.cookie_name, "adit_shop");
  ck_assert_int_eq(route->sticky.ttl_ms, INT64_C(7) * 86400 * 1000);
  ck_assert_uint_eq(route->sticky.epoch, 1);
  ck_assert_view_eq(route->sticky.salt, "shop");
  ck_assert_ptr_null(route->sticky.group.p);
  ck_assert_ptr_null(route->sticky.domain.p);
  ck_assert_int_eq(route->sticky.same_site, SAME_SITE_LAX);
  ck_assert_uint_eq(route->sticky.by_count, 1);
  ck_assert_view_eq(route->sticky.by_names[0], "user.id");
  ck_assert_view_eq(attr_table_name(route->table, route->sticky.by[0]), "user.id");
  route_unref(&route);
  ck_assert_ptr_null(route);
  route_unref(&route);
  fixture_deinit(&fixture);
}
END_TEST

START_TEST(test_everything_said)
{
  static const char text[] =
      "{'$schema': 'x', 'route': 'cart', 'match': {'hosts': ['Shop.Example.COM.', '*.b.x'],"
      " 'path_prefix': '/cart/'},"
      " 'variants': {'new': 'shop-canary', 'old': 'shop-v1', 'next': 'shop-canary2'},"
      " 'stable': 'old', 'canaries': ['next', 'new'], 'state': 'drain',"
      " 'force': {'header': 'X-Q', 'cookie': 'q', 'values': {'1': 'new', '0': 'old'},"
      "           'allow_from': ['10.0.0.0/8', '::1']},"
      " 'sticky': {'ttl': '36h', 'epoch': 4, 'by': ['header.X-A', 'region'], 'salt': 's:1',"
      "            'group': 'g', 'domain': '.B.x', 'same_site': 'None', 'cookie': true},"
      " 'attributes': {'tenant': {'type': 'string', 'from': [{'cookie': 't'}]}},"
      " 'segments': {'here': {'region': 'eu'}},\n"
      " 'rules': [{'id': 'one', 'when': {'segment': 'here'}, 'to': 'next'},\n"
      "           {'id': 'two', 'split': {'new': 10}, 'by': ['tenant']}],"
      " 'default': {'split': {'next': [0, 50]}, 'by': ['user.id', 'client_ip']},"
      " 'tests': [], 'vary': true, 'expose_decision': true}";
  struct fixture fixture;
  fixture_init(&fixture, NULL);
  struct route *route = compile(&fixture, text);
  ck_assert_uint_eq(route->host_count, 2);
  ck_assert_view_eq(route->hosts[0], "shop.example.com");
  ck_assert_view_eq(route->hosts[1], "*.b.x");
  ck_assert_view_eq(route->path_prefix, "/cart");
  ck_assert_uint_eq(route->stable, 1);
  ck_assert_uint_eq(route->canaries[0], 2);
  ck_assert_uint_eq(route->canaries[1], 0);
  ck_assert_int_eq(route->state, ROUTE_DRAIN);
  ck_assert(route_is_canary(route, 0) && route_is_canary(route, 2));
  ck_assert(!route_is_canary(route, 1) && !route_is_canary(route, 3));
  ck_assert(!route_is_canary(route, VARIANT_NONE));
  ck_assert_uint_eq(route_find_variant(route, STR("next")), 2);
  ck_assert_uint_eq(route_find_variant(route, STR("Next")), VARIANT_NONE);

  ck_assert_view_eq(route->force.header, "X-Q");
  ck_assert_view_eq(route->force.cookie, "q");
  ck_assert_uint_eq(route->force.value_count, 2);
  ck_assert_uint_eq(route->force.values[1].variant, 1);
  ck_assert_uint_eq(route->force.allow_from_count, 2);
  ck_assert_uint_eq(route->force.allow_from[1].bits, 128);

  ck_assert_view_eq(route->sticky.cookie_name, "adit_g");
  ck_assert_view_eq(route->sticky.salt, "s:1");
  ck_assert_view_eq(route->sticky.domain, "b.x");
  ck_assert_int_eq(route->sticky.ttl_ms, INT64_C(36) * 3600 * 1000);
  ck_assert_uint_eq(route->sticky.epoch, 4);
  ck_assert_int_eq(route->sticky.same_site, SAME_SITE_NONE);
  ck_assert_uint_eq(route->sticky.by_count, 2);
  ck_assert_view_eq(route->sticky.by_names[0], "header.X-A");

  ck_assert_uint_eq(route->rule_count, 2);
  ck_assert_view_eq(route->rules[0].id, "one");
  ck_assert_ptr_nonnull(route->rules[0].when);
  ck_assert_uint_eq(route->rules[0].to, 2);
  ck_assert_uint_eq(route->rules[0].line, 2);
  ck_assert_ptr_null(route->rules[1].when);
  ck_assert_uint_eq(route->rules[1].to, VARIANT_NONE);
  ck_assert_uint_eq(route->rules[1].line, 3);
  ck_assert_uint_eq(route->rules[1].split.by_count, 1);
  ck_assert_view_eq(attr_table_name(route->table, route->rules[1].split.by[0]), "tenant");
  ck_assert(route->has_split && route->has_default_split);
  ck_assert_uint_eq(route->default_split.by_count, 2);
  ck_assert_uint_eq(split_variant(&route->default_split, 4999, 1), 2);
  ck_assert_uint_eq(split_variant(&route->default_split, 5000, 1), 1);
  ck_assert(route->vary && route->expose_decision);
  route_unref(&route);
  fixture_deinit(&fixture);
}
END_TEST

START_TEST(test_references)
{
  struct fixture fixture;
  fixture_init(&fixture, NULL);
  struct route *first = compile(&fixture, SHOP "}");
  struct route *second = route_ref(first);
  fixture_deinit(&fixture); /* a route outlives what it was compiled against */
  route_unref(&first);
  ck_assert_view_eq(second->name, "shop");
  ck_assert_view_eq(attr_table_name(second->table, second->sticky.by[0]), "user.id");
  route_unref(&second);
}
END_TEST

START_TEST(test_top_level_mistakes)
{
  static const struct said cases[] = {
      {"[]", "f:1:1: error: a rule file must be an object, not a list\n"},
      {"{}",
       "f:1:1: error: 'route' is missing: the name of the route (\"route\": \"shop\")\n"
       "f:1:1: error: 'variants' is missing"
       " (\"variants\": { \"v1\": \"shop-v1\", \"canary\": \"shop-canary\" })\n"},
      {"{'route': 'a b', " V "}",
       "f:1:11: error: 'route': 'a b' is not a name"
       " (1 to 64 letters, digits, '.', '_' and '-' of ASCII)\n"},
      {"{'route': 7, " V "}", "f:1:11: error: 'route' must be a string, not a number\n"},
      {SHOP ",\n'rule': []}",
       "f:2:1: error: rule file: unknown key 'rule' (did you mean 'rules'?)\n"},
      {SHOP ",\n'vary': 1, 'expose_decision': null, '$schema': [], 'tests': {}}",
       "f:2:9: error: 'vary' must be true or false, not a number\n"
       "f:2:31: error: 'expose_decision' must be true or false, not null\n"
       "f:2:48: error: '$schema' must be a string, not a list\n"
       "f:2:61: error: 'tests' must be a list, not an object\n"},
      {SHOP ",\n'state': 'drian'}",
       "f:2:10: error: unknown state 'drian' (did you mean 'drain'?)\n"},
      {SHOP ",\n'state': 'x'}", "f:2:10: error: unknown state 'x' (on, drain, off or full)\n"},
      {SHOP ",\n'state': 'full'}", ""},
      {"{'route': 'a', 'variants': {'v1': 'shop-v1'},\n'state': 'full'}",
       "f:2:10: error: 'state' cannot be 'full' without a canary (add a second variant)\n"},
      {SHOP ",\n'attributes': [], 'segments': [], 'rules': {}, 'default': []}",
       "f:2:15: error: 'attributes' must be an object, not a list\n"
       "f:2:31: error: 'segments' must be an object, not a list\n"
       "f:2:44: error: 'rules' must be a list, not an object\n"
       "f:2:59: error: 'default' must be an object, not a list\n"},
  };
  CHECK_SAID(cases);
}
END_TEST

START_TEST(test_state_names)
{
  ck_assert_str_eq(route_state_name(ROUTE_ON), "on");
  ck_assert_str_eq(route_state_name(ROUTE_DRAIN), "drain");
  ck_assert_str_eq(route_state_name(ROUTE_OFF), "off");
  ck_assert_str_eq(route_state_name(ROUTE_FULL), "full");
}
END_TEST

START_TEST(test_variant_mistakes)
{
  static const struct said cases[] = {
      {"{'route': 'a', 'variants': 1}",
       "f:1:28: error: 'variants' must be an object, not a number\n"},
      {"{'route': 'a', 'variants': {}}",
       "f:1:28: error: 'variants' needs at least one variant"
       " (\"variants\": { \"v1\": \"shop-v1\" })\n"},
      /* what cannot be known makes no mistakes of its own */
      {"{'route': 'a', 'variants': {}, 'stable': 'x', 'canaries': ['y'], 'state': 'full',"
       " 'rules': [{'id': 'r', 'to': 'z'}], 'default': {'split': {'q': 1}}}",
       "f:1:28: error: 'variants' needs at least one variant"
       " (\"variants\": { \"v1\": \"shop-v1\" })\n"},
      {"{'route': 'a',\n'variants': {'v1': 'shop_v1', 'c': 'nowhere', 'd d': 3}, 'canaries': ['c', "
       "'d d']}",
       "f:2:20: error: variant 'v1': unknown upstream 'shop_v1' (did you mean 'shop-v1'?)\n"
       "f:2:36: error: variant 'c': unknown upstream 'nowhere'"
       " (upstreams are defined in adit.json)\n"
       "f:2:47: error: 'd d' is not a variant's name"
       " (1 to 64 letters, digits, '.', '_' and '-' of ASCII)\n"
       "f:2:54: error: the upstream of variant 'd d' must be a string, not a number\n"},
      {"{'route': 'a',\n'variants': {'old': 'shop-v1', 'new': 'shop-canary'}}",
       "f:2:13: error: there is no variant 'v1' to be stable"
       " (say which variant is \"stable\"; without it that is 'v1')\n"},
      {SHOP ",\n'stable': 'v2'}",
       "f:2:11: error: 'stable': unknown variant 'v2' (known here: v1 canary)\n"},
      {"{'route': 'a',\n" V3 "}",
       "f:2:13: error: several variants beside stable need a list 'canaries'"
       " (their order decides who moves when a weight changes)\n"},
      {"{'route': 'a', " V3 ",\n'canaries': ['a', 'c']}",
       "f:2:13: error: 'canaries' leaves out 'b'"
       " (every variant but the stable one is listed once)\n"},
      {"{'route': 'a', " V3 ",\n'canaries': ['a', 'v1', 'a', 'x', 4]}",
       "f:2:19: error: 'canaries': 'v1' is the stable variant\n"
       "f:2:25: error: 'canaries': 'a' is listed twice\n"
       "f:2:30: error: 'canaries': unknown variant 'x' (known here: v1 a b c)\n"
       "f:2:35: error: 'canaries': a variant is named by a string, not a number\n"},
      {SHOP ",\n'canaries': 'canary'}", "f:2:13: error: 'canaries' must be a list, not a string\n"},
      {SHOP ",\n'canaries': []}",
       "f:2:13: error: 'canaries' leaves out 'canary'"
       " (every variant but the stable one is listed once)\n"},
      {SHOP ", 'canaries': ['canary']}", ""},
      {"{'route': 'a', 'variants': {'v1': 'shop-v1'}, 'canaries': []}", ""},
  };
  CHECK_SAID(cases);
}
END_TEST

START_TEST(test_variants_have_a_limit)
{
  for (int n = VARIANTS_MAX; n <= VARIANTS_MAX + 1; n++) {
    struct fixture fixture;
    fixture_init(&fixture, NULL);
    char list[4096] = "", names[4096] = "", text[16384];
    for (int i = 0; i < n; i++) {
      size_t used = strlen(list), named = strlen(names);
      (void)snprintf(list + used, sizeof(list) - used, "%s'v%d': 'shop-v1'", i ? ", " : "", i + 1);
      if (i == 0) continue;
      (void)snprintf(names + named, sizeof(names) - named, "%s'v%d'", i > 1 ? ", " : "", i + 1);
    }
    (void)snprintf(text, sizeof(text), "{'route': 'a', 'variants': {%s}, 'canaries': [%s]}", list,
                   names);
    struct route *route = compile_as(&fixture, text, "f");
    ck_assert_int_eq(route != NULL, n == VARIANTS_MAX);
    if (!route) {
      ck_assert_str_eq(printed(fixture.diags),
                       "f:1:28: error: 65 variants are more than the limit of 64\n");
    }
    route_unref(&route);
    fixture_deinit(&fixture);
  }
}
END_TEST

/* ---- the rest -------------------------------------------------------------------------------- */

#include "test_route_find.c"
#include "test_route_parts.c"
#include "test_route_split.c"

UNIT_MAIN("route", test_defaults, test_everything_said, test_references, test_top_level_mistakes,
          test_state_names, test_variant_mistakes, test_variants_have_a_limit, test_prefixes,
          test_hosts, test_match_mistakes, test_claims, test_claim_messages, test_force_forms,
          test_force_mistakes, test_token_file, test_mirror_forms, test_sticky_forms,
          test_sticky_mistakes, test_rule_mistakes, test_rules_have_a_limit, test_placement,
          test_split_mistakes, test_shares_are_exact, test_raising_a_weight_moves_from_stable_only,
          test_vary_fields, test_finding, test_finding_many_as_the_contract_says, test_conflicts,
          test_many_routes)
