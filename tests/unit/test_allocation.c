/*
 * Memory runs out at each allocation in turn, while a configuration is loaded, loaded again, and
 * asked. Nothing crashes or leaks (with the address sanitizer); what does not load says so; what
 * loads all the same decides as ever; a decision that memory was short for is on the safe side.
 *
 * cJSON is told to allocate as the rest does here.
 */
#include <cjson/cJSON.h>

#include "adit/json.h"
#include "failing_memory.h"
#include "policy_bench.h"

/* ---- what is loaded and asked
 * --------------------------------------------------------------------- */

#define CONFIG_TEXT                                                                  \
  "{\"listen\": [{\"address\": \"127.0.0.1:0\"}], \"rules\": [\"rules/*.json\"],\n"  \
  " \"trusted_proxies\": [\"10.0.0.0/8\", \"fd00::/8\"],\n"                          \
  " \"attributes\": {\"region\": {\"type\": \"string\", \"from\": [{\"header\": "    \
  "\"X-Region\"}]},\n"                                                               \
  "  \"user.id\": {\"type\": \"string\", \"from\": [{\"header\": \"X-User\"}]},\n"   \
  "  \"born\": {\"type\": \"time\", \"from\": [{\"header\": \"X-Born\"}]},\n"        \
  "  \"app\": {\"type\": \"version\", \"from\": [{\"header\": \"User-Agent\",\n"     \
  "    \"regex\": \"App/([0-9.]+)\", \"trust\": \"anyone\"}]}},\n"                   \
  " \"segments\": {\"staff\": {\"client_ip\": {\"in_cidr\": [\"10.1.0.0/16\"]}}},\n" \
  " \"upstreams\": {\"a\": {\"endpoints\": [\"127.0.0.1:1\", \"shop:80\"]},\n"       \
  "  \"b\": {\"endpoints\": [\"127.0.0.1:2\"]}},\n"                                  \
  " \"sticky\": {\"keys\": [{\"id\": \"k\", \"file\": \"sticky.key\"}]}}"
#define SHOP_TEXT                                                                                  \
  "{\"route\": \"shop\", \"match\": {\"hosts\": [\"shop\", \"*.shop\"], \"path_prefix\": "         \
  "\"/a\"},\n"                                                                                     \
  " \"variants\": {\"v1\": \"a\", \"canary\": \"b\", \"other\": \"b\"}, \"stable\": \"v1\",\n"     \
  " \"canaries\": [\"canary\", \"other\"], \"vary\": true,\n"                                      \
  " \"force\": {\"cookie\": \"force\", \"values\": {\"c\": \"canary\"}, \"allow_from\": "          \
  "[\"10.0.0.0/8\"], \"token_file\": \"token\"},\n"                                                \
  " \"sticky\": {\"ttl\": \"7d\", \"epoch\": 3, \"by\": [\"user.id\"], \"salt\": \"s\"},\n"        \
  " \"segments\": {\"young\": {\"born\": {\"after\": \"2026-01-01\"}}},\n"                         \
  " \"rules\": [\n"                                                                                \
  "  {\"id\": \"bots\", \"when\": {\"header.user-agent\": {\"matches\": \"(?i)bot\"}}, "           \
  "\"to\": \"v1\"},\n"                                                                             \
  "  {\"id\": \"staff\", \"when\": {\"segment\": \"staff\"}, \"to\": \"other\"},\n"                \
  "  {\"id\": \"beta\", \"when\": {\"user.id\": {\"in_file\": \"beta.txt\"}}, \"to\": "            \
  "\"canary\"},\n"                                                                                 \
  "  {\"id\": \"app\", \"when\": {\"app\": {\"gte\": \"2.1\"}, \"path\": {\"under\": \"/a/b\"}}, " \
  "\"to\": \"other\"},\n"                                                                          \
  "  {\"id\": \"east\", \"when\": {\"region\": [\"e1\", \"e2\", \"e3\"], \"segment\": \"young\", " \
  "\"not\": {\"any\": [{\"query.a\": {\"starts_with\": [\"x\", \"y\"], \"ignore_case\": true}}, "  \
  "{\"cookie.b\": {\"exists\": true}}]}}, \"split\": {\"canary\": 25, \"other\": 0.5}}],\n"        \
  " \"default\": {\"split\": {\"canary\": 5}, \"by\": [\"user.id\"]},\n"                           \
  " \"tests\": [{\"name\": \"t\", \"request\": {\"url\": \"http://shop/a\", \"headers\": "         \
  "{\"X-User\": \"u-1\"}}, \"expect\": {\"variant\": \"canary\"}}]}"
#define DOCS_TEXT                                                                            \
  "{\"route\": \"docs\", \"match\": {\"hosts\": [\"docs\"]}, \"variants\": {\"v1\": \"a\", " \
  "\"canary\": \"b\"}, \"stable\": \"v1\", \"sticky\": {\"group\": \"g\"}}"

static const char *const REQUESTS[] = {
    "{\"url\": \"http://shop/a\", \"headers\": {\"X-User\": \"u-1\"}}",
    "{\"url\": \"http://x.shop/a/b\", \"headers\": [[\"User-Agent\", \"App/2.10\"]]}",
    "{\"url\": \"http://shop/a\", \"client_ip\": \"10.1.2.3\"}",
    "{\"url\": \"http://shop/a?a=q&c=%20\", \"headers\": {\"X-Region\": \"e2\", \"X-User\": "
    "\"u-9\","
    " \"X-Born\": \"2026-03-04\"}, \"bucket\": 100, \"now\": \"2026-06-01\"}",
    "{\"url\": \"http://shop/a\", \"headers\": {\"User-Agent\": [\"a Bot\", \"b\"]}}",
    "{\"url\": \"http://docs/\", \"headers\": {\"X-Canary\": \"always\"}}",
    "{\"url\": \"http://none/\"}",
};
enum { REQUEST_COUNT = sizeof(REQUESTS) / sizeof(*REQUESTS) };

static void write_files(void) {
  bench_open();
  write_file("adit.json", CONFIG_TEXT);
  write_file("rules/shop.json", SHOP_TEXT);
  write_file("rules/docs.json", DOCS_TEXT);
  write_file("rules/beta.txt", "# users\nu-1\nu-2\n");
  write_file("rules/token", "0123456789abcdef0123456789abcdef\n");
  ck_assert_int_eq(chmod("rules/token", 0600), 0);
  cJSON_InitHooks(&(cJSON_Hooks){.malloc_fn = __wrap_malloc, .free_fn = free});
}

static struct policy *load(struct policy *previous, struct diags *diags) {
  struct policy_options options = {.config_path = "adit.json", .previous = previous};
  return policy_load(&options, diags);
}

/* A policy that was loaded in peace. */
static struct policy *load_in_peace(void) {
  struct text said;
  struct policy *policy = load_policy(NULL, NULL, &said);
  ck_assert_msg(policy && text_str(&said).n == 0, "%.*s", STR_ARG(text_str(&said)));
  text_deinit(&said);
  return policy;
}

/* Asks one request, and adds the decision with its trace to `out`. False: it could not be asked,
 * and `diags` says why. */
static bool ask(struct decider *decider, const char *text, struct arena *arena, struct diags *diags,
                struct text *out, struct decision *ret) {
  struct json_doc *doc = json_parse(str_from_cstr(text), "request", JSON_STRICT, diags);
  struct decide_request request;
  struct rules_trace trace = {0};
  bool ok =
      doc && request_from_json(doc, json_root(doc), arena, 1800000000000, &request, NULL, diags);
  if (ok) {
    decide(decider, &request, ret, &trace, arena);
    decision_to_json(ret, &trace, out);
    text_add_char(out, '\n');
  }
  json_free(&doc);
  return ok;
}

/* All that is decided, in peace. */
static void ask_all(const struct policy *policy, struct text *out) {
  struct decider *decider = policy_decider_new(policy);
  struct diags *diags = diags_new();
  ck_assert(decider && diags);
  text_clear(out);
  for (size_t i = 0; i < REQUEST_COUNT; i++) {
    struct arena *arena = arena_new(1 << 20);
    struct decision decision;
    ck_assert_msg(ask(decider, REQUESTS[i], arena, diags, out, &decision), "%s", REQUESTS[i]);
    arena_free(&arena);
  }
  ck_assert(!text_failed(out));
  diags_free(&diags);
  decider_free(&decider);
}

/* ---- tests
 * ---------------------------------------------------------------------------------------- */

/* Loads with every allocation refused in turn; `previous` as policy_load takes it. */
static void load_in_need(struct policy *previous, bool lasting, struct str expected) {
  struct text said;
  unsigned n = 0;
  text_init(&said, 1 << 20);
  for (bool granted = false; !granted; n++) {
    struct diags *diags = diags_new();
    arm(n, lasting);
    struct policy *policy = load(previous, diags);
    granted = disarm();
    size_t errors = diags_count(diags, DIAG_ERROR);
    ck_assert_msg(policy || errors > 0, "allocation %u: no policy, and nothing is said", n);
    ck_assert_msg(!granted || (policy && errors == 0), "no policy in the end");
    if (policy && errors == 0) {
      ask_all(policy, &said);
      ck_assert_msg(str_eq(text_str(&said), expected), "allocation %u: decides\n%s", n, said.p);
    }
    policy_unref(&policy);
    diags_free(&diags);
  }
  ck_assert_uint_gt(n, 500);
  text_deinit(&said);
}

START_TEST(loading)
{
  struct text expected;
  text_init(&expected, 1 << 20);
  write_files();
  struct policy *policy = load_in_peace();
  ask_all(policy, &expected);
  policy_unref(&policy);
  load_in_need(NULL, false, text_str(&expected));
  load_in_need(NULL, true, text_str(&expected));
  text_deinit(&expected);
  bench_close();
}
END_TEST

START_TEST(reloading)
{
  struct text expected, after;
  text_init(&expected, 1 << 20);
  text_init(&after, 1 << 20);
  write_files();
  struct policy *policy = load_in_peace();
  ask_all(policy, &expected);
  load_in_need(policy, false, text_str(&expected));
  load_in_need(policy, true, text_str(&expected));
  ask_all(policy, &after);
  ck_assert_msg(str_eq(text_str(&after), text_str(&expected)), "the old policy has changed");
  policy_unref(&policy);
  text_deinit(&expected);
  text_deinit(&after);
  bench_close();
}
END_TEST

#define FOUND_TEXT                                                                                \
  "{\"route\": \"found\", \"variants\": {\"v1\": \"a\", \"canary\": \"b\"},\n"                    \
  " \"rules\": [{\"id\": \"1\", \"when\": {\"region\": [\"a\", \"b\"]}, \"to\": \"canary\"},\n"   \
  "  {\"id\": \"2\", \"when\": {\"region\": \"a\", \"query.q\": {\"matches\": \"^x\"}}, \"to\": " \
  "\"v1\"},\n"                                                                                    \
  "  {\"id\": \"3\", \"when\": {\"not\": {\"any\": [{\"path\": \"/\"}, {\"path\": "               \
  "{\"starts_with\": "                                                                            \
  "\"/\"}}]}}, \"split\": {\"canary\": 100}}]}"

/* What is found while memory is short is found with it, too. */
static void find_in_need(bool lasting) {
  const struct policy_options options = {
      .config_path = "adit.json", .findings = POLICY_FINDINGS_ALL, .now_ms = 1780272000000};
  struct diags *expected = diags_new();
  struct policy *policy = policy_load(&options, expected);
  ck_assert(policy && diags_count(expected, DIAG_WARNING) >= 3);
  policy_unref(&policy);
  unsigned n = 0;
  for (bool granted = false; !granted; n++) {
    struct diags *diags = diags_new();
    arm(n, lasting);
    policy = policy_load(&options, diags);
    granted = disarm();
    for (size_t i = 0; i < diags_size(diags) && policy; i++) {
      const struct diag *diag = diags_get(diags, i);
      bool known = diag->level != DIAG_WARNING; /* a witness may be another */
      for (size_t k = 0; k < diags_size(expected) && !known; k++)
        known = strcmp(diag->message, diags_get(expected, k)->message) == 0;
      ck_assert_msg(known, "allocation %u: %s", n, diag->message);
    }
    policy_unref(&policy);
    diags_free(&diags);
  }
  diags_free(&expected);
}

START_TEST(finding)
{
  write_files();
  ck_assert_int_eq(remove("rules/shop.json"), 0);
  ck_assert_int_eq(remove("rules/docs.json"), 0);
  write_file("rules/found.json", FOUND_TEXT);
  find_in_need(false);
  find_in_need(true);
  bench_close();
}
END_TEST

/* One request, with a decider made anew, while each allocation is refused. */
static void ask_in_need(const struct policy *policy, const char *request, bool lasting) {
  struct text expected, said;
  struct decision decision, safe;
  struct diags *diags = diags_new();
  text_init(&expected, 1 << 16);
  text_init(&said, 1 << 16);
  struct arena *arena = arena_new(1 << 20);
  struct decider *decider = policy_decider_new(policy);
  ck_assert(ask(decider, request, arena, diags, &expected, &decision));
  for (unsigned n = 0;; n++) {
    arena_free(&arena);
    decider_free(&decider);
    arena = arena_new(1 << 20);
    text_deinit(&said);
    text_init(&said, 1 << 16);
    size_t before = diags_count(diags, DIAG_ERROR);
    arm(n, lasting);
    decider = policy_decider_new(policy);
    bool asked = decider && ask(decider, request, arena, diags, &said, &safe);
    bool granted = disarm();
    if (granted) break;
    if (!decider) continue;
    if (!asked)
      ck_assert_msg(diags_count(diags, DIAG_ERROR) > before, "%u: nothing is said", n);
    else if (!text_failed(&said) && !str_eq(text_str(&said), text_str(&expected)))
      ck_assert_msg(
          !safe.route || safe.variant == decision.variant || safe.variant == safe.route->stable,
          "allocation %u: %s", n, said.p);
    /* Memory is back: the same decider decides as ever. */
    text_clear(&said);
    ck_assert(ask(decider, request, arena, diags, &said, &safe));
    ck_assert_msg(safe.route == decision.route && safe.variant == decision.variant &&
                      safe.reason == decision.reason,
                  "allocation %u, afterwards: %s", n, said.p);
  }
  ck_assert_msg(str_eq(text_str(&said), text_str(&expected)), "%s", said.p);
  decider_free(&decider);
  arena_free(&arena);
  diags_free(&diags);
  text_deinit(&expected);
  text_deinit(&said);
}

START_TEST(asking)
{
  write_files();
  struct policy *policy = load_in_peace();
  for (size_t i = 0; i < REQUEST_COUNT; i++) {
    ask_in_need(policy, REQUESTS[i], false);
    ask_in_need(policy, REQUESTS[i], true);
  }
  policy_unref(&policy);
  bench_close();
}
END_TEST

/* Nothing is allocated where much is decided: among a thousand rules, and among none that fits. */
START_TEST(deciding)
{
  struct text rules;
  write_files();
  text_init(&rules, 1 << 20);
  text_add(&rules, STR("{\"route\": \"docs\", \"match\": {\"hosts\": [\"docs\"]}, \"variants\": "
                       "{\"v1\": \"a\", \"canary\": \"b\"}, \"stable\": \"v1\", \"rules\": ["));
  for (unsigned i = 0; i < 1000; i++) {
    text_printf(&rules, "%s{\"id\": \"r%u\", \"to\": \"canary\", \"when\": {", i ? "," : "", i);
    if (i % 3 == 0) text_printf(&rules, "\"region\": [\"e%u\", \"w%u\"]}}", i, i);
    if (i % 3 == 1) text_printf(&rules, "\"path\": {\"under\": \"/%u\"}}}", i);
    if (i % 3 == 2) text_printf(&rules, "\"app\": {\"between\": [\"1.%u\", \"1.%u\"]}}}", i, i + 1);
  }
  text_add(&rules, STR("]}"));
  write_file("rules/docs.json", rules.p);
  struct policy *policy = load_in_peace();
  struct decider *decider = policy_decider_new(policy);
  struct diags *diags = diags_new();
  static const struct {
    const char *request, *rule;
  } cases[] = {
      {"{\"url\": \"http://docs/\", \"headers\": {\"X-Region\": \"w999\"}}", "r999"},
      {"{\"url\": \"http://docs/997/a\", \"headers\": {\"X-Region\": \"w1\"}}", "r997"},
      {"{\"url\": \"http://docs/\", \"headers\": {\"User-Agent\": \"App/1.998\"}}", "r998"},
      {"{\"url\": \"http://docs/\", \"headers\": {\"User-Agent\": \"App/7\"}}", NULL},
  };
  for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
    struct arena *arena = arena_new(1 << 20);
    struct decision decision;
    struct decide_request request;
    struct json_doc *doc =
        json_parse(str_from_cstr(cases[i].request), "request", JSON_STRICT, diags);
    ck_assert(doc && request_from_json(doc, json_root(doc), arena, 0, &request, NULL, diags));
    decide(decider, &request, &decision, NULL, NULL); /* what is allocated once */
    arm(0, true);
    decide(decider, &request, &decision, NULL, NULL);
    ck_assert_msg(disarm(), "%s", cases[i].request);
    ck_assert(decision.reason == (cases[i].rule ? REASON_RULE : REASON_DEFAULT));
    if (cases[i].rule) ck_assert(str_eq(decision.rule->id, str_from_cstr(cases[i].rule)));
    json_free(&doc);
    arena_free(&arena);
  }
  diags_free(&diags);
  decider_free(&decider);
  policy_unref(&policy);
  text_deinit(&rules);
  bench_close();
}
END_TEST

/* What is wrong is said even then, or at least counted. */
START_TEST(mistakes)
{
  static const char text[] = "{\"listen\": [], \"rulez\": 1, \"workers\": -1, \"upstreams\": {}}";
  write_files();
  write_file("adit.json", text);
  for (unsigned n = 0;; n++) {
    struct diags *diags = diags_new();
    arm(n, true);
    struct policy *policy = load(NULL, diags);
    bool granted = disarm();
    ck_assert_msg(!policy && diags_count(diags, DIAG_ERROR) > 0, "allocation %u", n);
    diags_free(&diags);
    if (granted) break;
  }
  bench_close();
}
END_TEST

UNIT_MAIN("allocation", loading, reloading, finding, asking, deciding, mistakes)
