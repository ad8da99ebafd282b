/* The index of rules: it decides as asking one by one does, asks few, and fits or says so. */
#include <stdio.h>

#include "random_rules.h"
#include "unit.h"

enum { ARENA_BYTES = 64 << 20 };

struct fixture {
  struct random_environment environment;
  struct attr_reader *reader;
  struct arena *arena;
  struct text file, said;
};

static void setup(struct fixture *fixture) {
  ck_assert(random_environment_init(&fixture->environment));
  fixture->reader = attr_reader_new();
  fixture->arena = arena_new(ARENA_BYTES);
  text_init(&fixture->file, 1 << 20);
  text_init(&fixture->said, 1 << 20);
}

static void teardown(struct fixture *fixture) {
  text_deinit(&fixture->said);
  text_deinit(&fixture->file);
  arena_free(&fixture->arena);
  attr_reader_free(&fixture->reader);
  attr_catalog_unref(&fixture->environment.catalog);
}

/* Compiles `file`. */
static struct route *compile(struct fixture *fixture) {
  text_clear(&fixture->said);
  struct route *route =
      random_compile(&fixture->environment, text_str(&fixture->file), &fixture->said);
  ck_assert_msg(route != NULL, "%s\n%s", fixture->said.p, fixture->file.p);
  return route;
}

START_TEST(it_decides_as_one_by_one)
{
  static struct random_request request;
  struct fixture fixture;
  struct chance chance = {.state = UINT64_C(88172645463325252)};
  size_t matches = 0, limits = 0, timed = 0, undecided_keys = 0, rules = 0, candidates = 0;
  setup(&fixture);
  for (size_t round = 0; round < 500; round++) {
    text_clear(&fixture.file);
    random_rule_file(&chance, 16 + chance_below(&chance, 48), &fixture.file);
    struct route *route = compile(&fixture);
    for (size_t i = 0; i < 40; i++) {
      struct random_outcome outcome;
      random_request(&chance, &request);
      ck_assert_msg(random_index_agrees(route, &request, fixture.reader, fixture.arena, &outcome),
                    "round %zu, request %zu", round, i);
      matches += outcome.rules.rule && !outcome.rules.limit;
      limits += outcome.rules.limit;
      timed += outcome.time_was_read;
      undecided_keys += outcome.key == ATTR_UNDECIDED && !outcome.rules.limit;
      arena_reset(fixture.arena);
      if (!route->index) continue;
      rules += route->rule_count;
      candidates += random_count_candidates(route, &request, fixture.reader);
    }
    route_unref(&route);
  }
  /* Each outcome came, and the index left many rules out: something was proved. */
  ck_assert_uint_gt(matches, 1000);
  ck_assert_uint_gt(limits, 500);
  ck_assert_uint_gt(timed, 500);
  ck_assert_uint_gt(undecided_keys, 100);
  ck_assert_uint_gt(rules, 200000);
  ck_assert_uint_lt(candidates, rules - rules / 4);
  teardown(&fixture);
}
END_TEST

/* ---- what it asks ---------------------------------------------------------------------------- */

/* A file of n rules, each with `when`, where every '#' is the rule's number plus 1000. */
static struct route *compile_many(struct fixture *fixture, size_t n, const char *when) {
  struct text *file = &fixture->file;
  text_clear(file);
  text_add(file, STR("{'route': 'r', 'variants': {'v1': 'v1', 'canary': 'canary'}, 'rules': ["));
  for (size_t i = 0; i < n; i++) {
    text_printf(file, "%s\n{'id': 'r%zu', 'to': 'canary', 'when': {", i ? "," : "", i);
    for (const char *p = when; *p; p++) {
      if (*p == '#') text_printf(file, "%zu", i + 1000);
      if (*p != '#') text_add_char(file, *p);
    }
    text_add(file, STR("}}"));
  }
  text_add(file, STR("]}"));
  for (size_t i = 0; i < file->n; i++) {
    if (file->p[i] == '\'') file->p[i] = '"';
  }
  return compile(fixture);
}

/* The request that the rules below ask about. */
static void fill_request(struct random_request *request) {
  *request = (struct random_request){0};
  request->attr = (struct attr_request){.method = STR("GET"),
                                        .path = STR("/a/1500/b"),
                                        .query = STR("q=x1500"),
                                        .trusted = true,
                                        .now_ms = 1500,
                                        .fields = request->fields};
  ck_assert(ip_parse(STR("10.0.5.220"), &request->attr.client_ip)); /* 1500 = 5 * 256 + 220 */
  static const char *const fields[][2] = {
      {"X-Region", "x1500"},
      {"X-Score", "1500"},
      {"X-App", "1.1500.7"},
      {"X-Langs", "y, x1500,z"},
      {"X-Peer", "2001:db8:1500::1"},
      {"X-Part", "p=a n=1500"},
      {"X-B", "x1500"},
      {"X-B", "x1600"},
  };
  for (size_t i = 0; i < sizeof(fields) / sizeof(*fields); i++) {
    add_field(request, fields[i][0], str_from_cstr(fields[i][1]));
  }
}

START_TEST(few_rules_are_asked)
{
  enum { RULES = 1000 };
  static const struct {
    const char *when;
    size_t asked;
  } cases[] = {
      {"'region': 'x#'", 1},
      {"'region': ['x#', 'y#', 'z#']", 1},
      {"'region': {'starts_with': 'x#'}", 1},
      {"'region': {'starts_with': ['X#', 'Y#'], 'ignore_case': true}", 1},
      {"'path': {'under': '/a/#'}", 1},
      {"'path': {'under': ['/#', '/a/#/b', '/a/#/c']}", 1},
      {"'score': #", 1},
      {"'score': {'between': [#, #.5]}", 1},
      {"'app': {'gte': '1.#', 'lt': '1.#.99'}", 1}, /* for half of the rules each is the key */
      {"'app': {'between': ['1.#', '1.#.99']}", 1},
      {"'joined': {'after': '2026-01-01'}, 'langs': 'x#'", 1},
      {"'peer': {'in_cidr': '2001:db8:#::/48'}", 1},
      {"'header.x-b': 'x#'", 2}, /* of two values */
      {"'query.q': 'x#', 'method': 'GET'", 1},
      /* The key that fewer rules have in common. */
      {"'method': 'GET', 'region': 'x#', 'score': {'gt': 1}", 1},
      {"'all': [{'all': [{'score': {'gt': 1}}, {'region': 'x#'}]}]", 1},
      {"'any': [{'region': 'x#'}, {'query.q': 'y#'}, {'all': [{'score': #}, {'beta': true}]}]", 1},
      /* Reading it takes from the budget: where it stands first, the index may. */
      {"'build': #", 1},
      {"'build': #, 'region': {'matches': 'x'}", 1},
      {"'method': 'GET', 'build': #", RULES},
      /* Behind what takes from the budget there is no key, */
      {"'region': {'matches': 'y'}, 'score': #", RULES},
      /* and before it one whose attribute is there. */
      {"'score': #, 'region': {'matches': 'y'}", 1},
      {"'user': #, 'region': {'matches': 'y'}", RULES},
      {"'user': #, 'region': 'y'", 0},
      {"'user': {'eq': #, 'missing': true}", RULES},
      {"'user': {'eq': #, 'missing': false}", 0},
      /* What is no key. */
      {"'region': {'ne': 'x#'}", RULES},
      {"'not': {'region': 'x#'}", RULES},
      {"'region': {'ends_with': '#'}", RULES},
      {"'any': [{'region': 'x#'}, {'region': {'contains': '#'}}]", RULES},
      {"'region': {'exists': true}", RULES},
  };
  static struct random_request request;
  struct fixture fixture;
  setup(&fixture);
  fill_request(&request);
  for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
    struct route *route = compile_many(&fixture, RULES, cases[i].when);
    size_t asked = route->index ? random_count_candidates(route, &request, fixture.reader) : RULES;
    ck_assert_msg(asked == cases[i].asked, "%s: %zu", cases[i].when, asked);
    struct random_outcome outcome;
    ck_assert_msg(random_index_agrees(route, &request, fixture.reader, fixture.arena, &outcome),
                  "%s", cases[i].when);
    arena_reset(fixture.arena);
    route_unref(&route);
  }
  teardown(&fixture);
}
END_TEST

/* Each value has lists on several levels of the tree; what only the last one has is found too. */
START_TEST(more_lists_than_it_can_merge_are_asked_one_by_one)
{
  static struct random_request request;
  struct fixture fixture;
  char values[RANDOM_FIELDS_MAX][8];
  setup(&fixture);
  struct route *route =
      compile_many(&fixture, 500, "'build': {'gt': #}, 'region': {'contains': '#'}");
  for (size_t n = 1; n < RANDOM_FIELDS_MAX; n++) {
    request = (struct random_request){0};
    request.attr = (struct attr_request){.fields = request.fields, .trusted = true};
    add_field(&request, "X-Region", STR("1450"));
    for (size_t i = 1; i <= n; i++) {
      (void)snprintf(values[i], sizeof(values[i]), "n=%zu", i == n ? 1451 : 1000 + 9 * i);
      add_field(&request, "X-Part", str_from_cstr(values[i]));
    }
    struct random_outcome outcome;
    ck_assert(random_index_agrees(route, &request, fixture.reader, fixture.arena, &outcome));
    ck_assert_ptr_eq(outcome.rules.rule, &route->rules[450]);
    arena_reset(fixture.arena);
  }
  route_unref(&route);
  teardown(&fixture);
}
END_TEST

START_TEST(few_rules_have_no_index)
{
  struct fixture fixture;
  setup(&fixture);
  for (size_t n = 1; n < 40; n++) {
    struct route *route = compile_many(&fixture, n, "'region': '#'");
    ck_assert_msg((route->index != NULL) == (n >= INDEX_RULES_MIN), "%zu rules", n);
    route_unref(&route);
  }
  teardown(&fixture);
}
END_TEST

/* An arena that is too small: it says so, and no index is half built. */
START_TEST(without_memory_there_is_none)
{
  struct fixture fixture;
  setup(&fixture);
  struct route *route =
      compile_many(&fixture, 20, "'region': ['x#', 'y#'], 'path': {'under': '/#'}, 'part': 'a'");
  const struct rule_index *index = NULL;
  for (int which = 0; which < 2; which++) {
    size_t limit = 0;
    for (bool built = false; !built; limit += 32) {
      struct arena *arena = arena_new(which == 0 ? limit : ARENA_BYTES);
      struct arena *scratch = arena_new(which == 0 ? ARENA_BYTES : limit);
      built = rule_index_build(route, arena, scratch, &index);
      ck_assert(built == (index != NULL));
      ck_assert(built || arena_failed(arena) || arena_failed(scratch));
      arena_free(&scratch);
      arena_free(&arena);
    }
    ck_assert_uint_gt(limit, 1024);
  }
  route_unref(&route);
  teardown(&fixture);
}
END_TEST

UNIT_MAIN("rules_index", it_decides_as_one_by_one, few_rules_are_asked,
          more_lists_than_it_can_merge_are_asked_one_by_one, few_rules_have_no_index,
          without_memory_there_is_none)
