/*
 * policy: what a start makes of adit.json and its rule files, and their tests.
 */
#include "policy_bench.h"

struct file {
  const char *path, *text;
};

/* ---- starting -------------------------------------------------------------------------------- */

#define SHOP  ROUTE("shop", "shop.example.com", "")
#define DOCS  ROUTE("docs", "docs.example.com", "")
#define ADMIN ROUTE("admin", "shop.example.com", "")

static const struct start_case {
  const char *name;
  const char *config; /* NULL: CONFIG */
  struct file files[4];
  const char *paths[3]; /* instead of adit.json's */
  const char *served;   /* NULL: nothing */
  const char *said;
} STARTS[] = {
    {"one file", NULL, {{"rules/shop.json", SHOP}}, {NULL}, "shop shop.example.com a", ""},
    {"files are sorted",
     NULL,
     {{"rules/b.json", DOCS}, {"rules/a.json", SHOP}, {"rules/c.txt", "no"}},
     {NULL},
     "shop shop.example.com a; docs docs.example.com a",
     ""},
    {"patterns stay in their order, files are read once",
     CONFIG_OF("[\"rules/b.json\", \"rules/*.json\", \"./rules/a.json\"]"),
     {{"rules/b.json", DOCS}, {"rules/a.json", SHOP}},
     {NULL},
     "docs docs.example.com a; shop shop.example.com a",
     ""},
    {"no rule files",
     NULL,
     {{0}},
     {NULL},
     NULL,
     "adit.json:1:52: error: there are no rule files, so nothing can be served (name at least one "
     "rule file in \"rules\")\n"},
    {"a pattern for nothing",
     CONFIG_OF("[\"rules/*.json\", \"rules/*.jsn\"]"),
     {{"rules/shop.json", SHOP}},
     {NULL},
     "shop shop.example.com a",
     "adit.json:1:68: warning: no rule file matches 'rules/*.jsn'\n"},
    {"a file that is not there",
     CONFIG_OF("[\"rules/*.json\", \"other/x.json\"]"),
     {{"rules/shop.json", SHOP}},
     {NULL},
     NULL,
     "adit.json:1:68: error: rule file 'other/x.json' does not exist (create it, or remove it from "
     "\"rules\")\n"},
    {"a directory that is not there",
     CONFIG_OF("[\"rules/*.json\", \"other/*.json\"]"),
     {{"rules/shop.json", SHOP}},
     {NULL},
     NULL,
     "adit.json:1:68: error: 'other/*.json': its directory cannot be read (check that it exists "
     "and may be read)\n"},
    {"two conflicts",
     NULL,
     {{"rules/a.json", SHOP},
      {"rules/b.json", ADMIN},
      {"rules/c.json", ROUTE("shop", "other.example.com", "")}},
     {NULL},
     NULL,
     "rules/b.json:1:40: error: "},
    {"given files replace those of adit.json",
     NULL,
     {{"rules/a.json", "broken"}, {"new.json", DOCS}},
     {"new.json"},
     "docs docs.example.com a",
     ""},
    {"a given file that is not there",
     NULL,
     {{"rules/a.json", SHOP}},
     {"gone.json"},
     NULL,
     "gone.json: error: "},
    {"claims",
     CONFIG_OF("[{\"files\": \"rules/*.json\", \"hosts\": [\"docs.example.com\"]}]"),
     {{"rules/a.json", SHOP}},
     {NULL},
     NULL,
     "rules/a.json:1:39: error: "},
    {"claims hold for given files too",
     CONFIG_OF("[{\"files\": \"rules/*.json\", \"hosts\": [\"docs.example.com\"]}]"),
     {{"rules/a.json", SHOP}},
     {"./rules/a.json"},
     NULL,
     "./rules/a.json:1:39: error: "},
    {"claims of the first pattern",
     CONFIG_OF("[{\"files\": \"rules/*.json\", \"hosts\": [\"shop.example.com\"]}, \"rules/a*\"]"),
     {{"rules/a.json", SHOP}},
     {NULL},
     "shop shop.example.com a",
     "adit.json:1:110: warning: 'rules/a.json' is named by an earlier pattern too, and only what "
     "that one allows holds for it (let one pattern name it)\n"},
    {"no keys, a split with a cookie",
     "{" LISTEN ", \"rules\": [\"rules/*.json\"], " UPSTREAMS "}",
     {{"rules/a.json",
       ROUTE("shop", "shop.example.com", ", \"default\": {\"split\": {\"canary\": 5}}")}},
     {NULL},
     "shop shop.example.com a",
     "adit.json: warning: no sticky keys: cookies are signed with a random one and end with this "
     "process (name key files in \"sticky\", \"keys\")\n"},
    {"no keys, nothing to sign",
     "{" LISTEN ", \"rules\": [\"rules/*.json\"], " UPSTREAMS "}",
     {{"rules/a.json", ROUTE("shop", "shop.example.com",
                             ", \"sticky\": false, \"default\": {\"split\": {\"canary\": 5}}")},
      {"rules/b.json", DOCS}},
     {NULL},
     "shop shop.example.com a; docs docs.example.com a",
     ""},
    {"adit.json does not load",
     "{",
     {{"rules/a.json", SHOP}},
     {NULL},
     NULL,
     "adit.json:1:2: error: "},
    {"segments of adit.json are checked",
     "{" LISTEN
     ", \"rules\": [\"rules/*.json\"], \"segments\": {\"s\": {\"regoin\": \"x\"}}, " UPSTREAMS "}",
     {{"rules/a.json", SHOP}},
     {NULL},
     NULL,
     "adit.json:1:88: error: "},
};

static void check_start(const struct start_case *c) {
  remove_rules();
  unlink("new.json");
  write_file("adit.json", c->config ? c->config : CONFIG);
  for (size_t i = 0; i < 4 && c->files[i].path; i++) write_file(c->files[i].path, c->files[i].text);
  struct text said, list;
  struct policy *policy = load_policy(NULL, c->paths[0] ? c->paths : NULL, &said);
  text_init(&list, 1 << 16);
  ck_assert_msg((policy != NULL) == (c->served != NULL), "%s: said: %s", c->name,
                said.p ? said.p : "");
  if (policy)
    ck_assert_msg(str_eq(served(policy, &list), str_from_cstr(c->served)), "%s: serves %.*s",
                  c->name, STR_ARG(text_str(&list)));
  /* Messages that are other modules' own are only begun here. */
  struct str expected = str_from_cstr(c->said);
  bool begun = !str_ends_with(expected, STR("\n")) && expected.n > 0;
  ck_assert_msg(
      begun ? str_starts_with(text_str(&said), expected) : str_eq(text_str(&said), expected),
      "%s: said: %s", c->name, said.p ? said.p : "");
  text_deinit(&said);
  text_deinit(&list);
  policy_unref(&policy);
}

START_TEST(test_start)
{
  bench_open();
  for (size_t i = 0; i < sizeof(STARTS) / sizeof(*STARTS); i++) check_start(&STARTS[i]);
  bench_close();
}
END_TEST

START_TEST(test_all_broken_files_are_told)
{
  bench_open();
  write_file("rules/a.json", "{");
  write_file("rules/b.json", SHOP);
  write_file("rules/c.json", ROUTE("x", "x", ", \"z\": 1"));
  struct text said;
  struct policy *policy = load_policy(NULL, NULL, &said);
  ck_assert_ptr_null(policy);
  ck_assert_msg(str_starts_with(text_str(&said), STR("rules/a.json:1:2: error: ")), "%s", said.p);
  ck_assert_msg(str_contains(text_str(&said), STR("rules/c.json:1:99: error: ")), "%s", said.p);
  ck_assert_msg(!str_contains(text_str(&said), STR("rules/b.json")), "%s", said.p);
  text_deinit(&said);
  bench_close();
}
END_TEST

START_TEST(test_all_conflicts_are_told)
{
  bench_open();
  write_file("rules/a.json", SHOP);
  write_file("rules/b.json", ADMIN);
  write_file("rules/c.json", ROUTE("shop", "other.example.com", ""));
  struct text said;
  struct policy *policy = load_policy(NULL, NULL, &said);
  ck_assert_ptr_null(policy);
  ck_assert_msg(str_contains(text_str(&said), STR("rules/b.json:1:")), "%s", said.p);
  ck_assert_msg(str_contains(text_str(&said), STR("rules/c.json:1:")), "%s", said.p);
  ck_assert_msg(!str_contains(text_str(&said), STR("rules/a.json:1:")), "%s", said.p);
  text_deinit(&said);
  bench_close();
}
END_TEST

/* The index by address: every route's own upstreams, however many there are. */
START_TEST(test_upstreams_of_many_routes)
{
  enum { ROUTES = 60 };
  bench_open();
  for (unsigned i = 0; i < ROUTES; i++) {
    char path[64], text[512];
    snprintf(path, sizeof(path), "rules/%02u.json", i);
    snprintf(text, sizeof(text),
             "{\"route\": \"r%u\", \"match\": {\"hosts\": [\"h%u\"]}, \"stable\": \"v\","
             " \"variants\": {\"v\": \"%c\", \"w\": \"%c\"}}",
             i, i, "abc"[i % 3], "abc"[(i + 1) % 3]);
    write_file(path, text);
  }
  struct text said;
  struct policy *policy = load_policy(NULL, NULL, &said);
  ck_assert_msg(policy != NULL, "%s", said.p);
  ck_assert_uint_eq(policy_route_count(policy), ROUTES);
  for (unsigned i = 0; i < ROUTES; i++) {
    const struct route *route = policy_route(policy, i);
    for (uint16_t v = 0; v < 2; v++) {
      char name[] = {"abc"[(i + v) % 3], 0};
      struct str upstream =
          policy_config(policy)->upstreams[policy_upstream(policy, route, v)].name;
      ck_assert_msg(str_eq(upstream, str_from_cstr(name)), "route %u, variant %u", i, v);
    }
  }
  text_deinit(&said);
  policy_unref(&policy);
  bench_close();
}
END_TEST

/* ---- tests of rule files --------------------------------------------------------------------- */

#define RULES                                                                               \
  ", \"rules\": [{\"id\": \"named\", \"when\": {\"user.id\": \"u1\"}, \"to\": \"canary\"}," \
  "{\"id\": \"young\", \"when\": {\"born.age\": {\"lt\": \"7d\"}}, \"to\": \"canary\"}],"   \
  "\"default\": {\"split\": {\"canary\": 10}}"
#define TESTED(tests) ROUTE("shop", "shop.example.com", RULES ", \"tests\": [\n" tests "]")
#define URL           "\"url\": \"http://shop.example.com/\""

/* Each test stands at the start of line 2. */
static const struct tested {
  const char *test;
  const char *message; /* NULL: passes; else of the failure */
  const char *said;    /* NULL: the file loads; else how the errors begin */
} TESTED_FILES[] = {
    {"{\"name\": \"t\", \"request\": {" URL "}, \"expect\": {\"variant\": \"v1\"}}", NULL, NULL},
    {"{\"name\": \"t\", \"request\": {" URL ", \"bucket\": 999}, \"expect\": {\"route\": \"shop\","
     " \"variant\": \"canary\", \"reason\": \"default\", \"rule\": null, \"bucket\": 999}}",
     NULL, NULL},
    {"{\"name\": \"t\", \"request\": {" URL ", \"pin\": \"canary\"},"
     " \"expect\": {\"reason\": \"pinned\", \"bucket\": null}}",
     NULL, NULL},
    {"{\"name\": \"t\", \"request\": {" URL ", \"headers\": {\"X-User\": \"u1\"}},"
     " \"expect\": {\"rule\": \"named\"}}",
     NULL, NULL},
    {"{\"name\": \"t\", \"request\": {" URL ", \"headers\": {\"X-User\": \"u1\"},"
     " \"trusted\": false}, \"expect\": {\"rule\": null}}",
     NULL, NULL},
    {"{\"name\": \"t\", \"request\": {\"url\": \"http://else.example.com/\"},"
     " \"expect\": {\"route\": null, \"variant\": null, \"reason\": \"no_route\"}}",
     NULL, NULL},
    {"{\"name\": \"t\", \"request\": {\"url\": \"http://docs.example.com/\"},"
     " \"expect\": {\"route\": \"docs\", \"variant\": \"blue\"}}",
     NULL, NULL},
    {"{\"request\": {" URL "}, \"expect\": {\"variant\": \"v1\"}}", NULL, NULL},
    /* time */
    {"{\"name\": \"t\", \"request\": {" URL ", \"now\": \"2026-01-03T00:00:00Z\","
     " \"headers\": {\"X-Born\": \"2026-01-01\"}}, \"expect\": {\"rule\": \"young\"}}",
     NULL, NULL},
    {"{\"name\": \"t\", \"request\": {" URL ", \"headers\": {\"X-Born\": \"2026-01-01\"}},"
     " \"expect\": {\"rule\": null}}",
     NULL,
     "rules/a.json:2:1: error: test 't': its outcome could depend on the time (give its request a "
     "\"now\", such as \"2026-01-01T00:00:00Z\")\n"},
    {"{\"name\": \"t\", \"request\": {" URL ", \"headers\": {\"X-User\": \"u1\","
     " \"X-Born\": \"2026-01-01\"}}, \"expect\": {\"rule\": \"named\"}}",
     NULL, NULL},
    /* failures */
    {"{\"name\": \"t\", \"request\": {" URL "}, \"expect\": {\"variant\": \"canary\"}}",
     "expected variant canary; got route shop, variant v1, reason default, rule null, bucket null",
     NULL},
    {"{\"name\": \"t\", \"request\": {" URL ", \"bucket\": 5}, \"expect\": {\"variant\": "
     "\"canary\", \"rule\": \"named\", \"bucket\": 6}}",
     "expected rule named, bucket 6; got route shop, variant canary, reason default, rule null, "
     "bucket 5",
     NULL},
    {"{\"name\": \"t\", \"request\": {\"url\": \"http://docs.example.com/\"},"
     " \"expect\": {\"variant\": \"v1\"}}",
     "expected variant v1; got route docs, variant blue, reason default, rule null, bucket null",
     NULL},
    {"{\"name\": \"t\", \"request\": {\"url\": \"http://else.example.com/\"},"
     " \"expect\": {\"route\": \"shop\"}}",
     "expected route shop; got route null, variant null, reason no_route, rule null, bucket null",
     NULL},
    {"{\"name\": \"t\", \"request\": {" URL "}, \"expect\": {\"route\": null}}",
     "expected route null; got route shop, variant v1, reason default, rule null, bucket null",
     NULL},
    /* mistakes */
    {"7", NULL, "rules/a.json:2:1: error: test 1: must be an object, not number\n"},
    {"{\"name\": 7}", NULL,
     "rules/a.json:2:10: error: test 1: 'name' must be a string, not number\n"},
    {"{\"name\": \"t\", \"request\": {" URL "}}", NULL,
     "rules/a.json:2:1: error: test 't': has no 'expect' (any of \"route\", \"variant\", "
     "\"reason\", \"rule\", \"bucket\")\n"},
    {"{\"name\": \"t\", \"expect\": {\"variant\": \"v1\"}}", NULL,
     "rules/a.json:2:1: error: test 't': has no 'request' (at least { \"url\": "
     "\"http://host/path\" "
     "})\n"},
    {"{\"name\": \"t\", \"request\": {" URL "}, \"expect\": {}}", NULL,
     "rules/a.json:2:73: error: test 't': 'expect' must be an object that is not empty (any of "
     "\"route\", \"variant\", \"reason\", \"rule\", \"bucket\")\n"},
    {"{\"name\": \"t\", \"request\": {" URL "}, \"expect\": {\"variant\": \"v1\"}, \"now\": 1}",
     NULL, "rules/a.json:2:92: error: test 't': unknown key 'now' (known here: "},
    {"{\"name\": \"t\", \"request\": {" URL "}, \"expect\": {\"varaint\": \"v1\"}}", NULL,
     "rules/a.json:2:74: error: test 't': unknown key 'varaint' (did you mean 'variant'?)\n"},
    {"{\"name\": \"t\", \"request\": {" URL "}, \"expect\": {\"variant\": \"canray\"}}", NULL,
     "rules/a.json:2:85: error: test 't': unknown variant 'canray' (did you mean 'canary'?)\n"},
    {"{\"name\": \"t\", \"request\": {" URL "}, \"expect\": {\"rule\": \"name\"}}", NULL,
     "rules/a.json:2:82: error: test 't': unknown rule 'name' (did you mean 'named'?)\n"},
    {"{\"name\": \"t\", \"request\": {" URL "}, \"expect\": {\"route\": \"shop\","
     " \"rule\": \"gone\"}}",
     NULL, "rules/a.json:2:99: error: test 't': unknown rule 'gone'\n"},
    {"{\"name\": \"t\", \"request\": {" URL "}, \"expect\": {\"reason\": \"failover\"}}", NULL,
     "rules/a.json:2:84: error: test 't': unknown reason 'failover'\n"},
    {"{\"name\": \"t\", \"request\": {" URL "}, \"expect\": {\"reason\": null}}", NULL,
     "rules/a.json:2:84: error: test 't': 'reason' must be a string, not null\n"},
    {"{\"name\": \"t\", \"request\": {" URL "}, \"expect\": {\"variant\": 1}}", NULL,
     "rules/a.json:2:85: error: test 't': 'variant' must be a string or null, not number\n"},
    {"{\"name\": \"t\", \"request\": {" URL "}, \"expect\": {\"bucket\": 10000}}", NULL,
     "rules/a.json:2:84: error: test 't': 'bucket' must be a whole number from 0 to 9999, or "
     "null\n"},
    {"{\"name\": \"t\", \"request\": {" URL ", \"buckte\": 1}, \"expect\": {\"bucket\": \"1\"}}",
     NULL,
     "rules/a.json:2:62: error: request: unknown key 'buckte' (did you mean 'bucket'?)\n"
     "rules/a.json:2:97: error: test 't': 'bucket' must be a whole number from 0 to 9999, or "
     "null\n"},
};

static void check_tested(const struct tested *c, size_t i) {
  char text[2048], warning[1024];
  snprintf(text, sizeof(text), TESTED("%s"), c->test);
  write_file("rules/a.json", text);
  struct text said;
  struct policy *policy = load_policy(NULL, NULL, &said);
  snprintf(warning, sizeof(warning), "rules/a.json:2:1: warning: test 't' failed: %s\n",
           c->message ? c->message : "");
  const char *expected = c->said ? c->said : c->message ? warning : "";
  struct str all = text_str(&said);
  ck_assert_msg(c->said ? str_starts_with(all, str_from_cstr(expected))
                        : str_eq(all, str_from_cstr(expected)),
                "case %zu: said: %s", i, said.p ? said.p : "");
  ck_assert_msg((policy != NULL) == (c->said == NULL), "case %zu", i);
  if (policy) {
    size_t n;
    const struct policy_test *tests = policy_tests(policy, &n);
    ck_assert_uint_eq(n, 1);
    ck_assert_msg(tests[0].passed == (c->message == NULL), "case %zu", i);
    ck_assert_view_eq(tests[0].route->name, "shop");
    ck_assert_str_eq(tests[0].at.file, "rules/a.json");
    ck_assert_uint_eq(tests[0].at.line, 2);
    ck_assert_msg(str_eq(tests[0].message, str_from_cstr(c->message)), "case %zu", i);
  }
  text_deinit(&said);
  policy_unref(&policy);
}

START_TEST(test_tests)
{
  bench_open();
  write_file("rules/docs.json",
             "{\"route\": \"docs\", \"match\": {\"hosts\": [\"docs.example.com\"]}, \"stable\": "
             "\"blue\", \"variants\": {\"blue\": \"c\"}}");
  for (size_t i = 0; i < sizeof(TESTED_FILES) / sizeof(*TESTED_FILES); i++)
    check_tested(&TESTED_FILES[i], i);
  bench_close();
}
END_TEST

/* A cookie that `run` would believe does not make a test pinned, and without a key there is no id.
 */
START_TEST(test_tests_ignore_cookies_and_draw_nothing)
{
  static const struct sticky_key key = {STR_INIT("k"),
                                        STR_INIT("0123456789abcdef0123456789abcdef")};
  struct decider *decider = decider_new(NULL, &key, 1);
  const struct sticky_cookie cookie = {
      .variant = STR_INIT("canary"), .epoch = 1, .issued_ms = 1767225600000};
  char value[COOKIE_VALUE_MAX], text[2048];
  size_t n = sticky_cookie_write(decider, STR("adit_shop"), &cookie, value);
  snprintf(
      text, sizeof(text),
      ROUTE("shop", "shop.example.com",
            ", \"default\": {\"split\": {\"canary\": 99.99}}, \"tests\": [{\"request\":"
            " {" URL ", \"now\": \"2026-01-02\", \"headers\": {\"Cookie\": \"adit_shop=%.*s\"}},"
            " \"expect\": {\"variant\": \"v1\", \"reason\": \"default\", \"bucket\": null}}]"),
      (int)n, value);
  decider_free(&decider);
  bench_open();
  write_file("rules/a.json", text);
  struct text said;
  struct policy *policy = load_policy(NULL, NULL, &said);
  ck_assert_ptr_nonnull(policy);
  ck_assert_msg(said.n == 0, "%s", said.p);
  text_deinit(&said);
  policy_unref(&policy);
  bench_close();
}
END_TEST

UNIT_MAIN("policy", test_start, test_all_broken_files_are_told, test_all_conflicts_are_told,
          test_upstreams_of_many_routes, test_tests, test_tests_ignore_cookies_and_draw_nothing)
