/*
 * policy: what a reload has changed, as the log tells it.
 */
#include "policy_bench.h"

#define BASE(more)                                                                            \
  "{\"route\": \"shop\", \"stable\": \"v1\", \"variants\": {\"v1\": \"a\", \"canary\": \"b\"" \
  "}" more "}"
#define RULE(id, more) "{\"id\": \"" id "\", \"when\": {\"region\": \"x\"}, " more "}"
#define RULES(list)                                                                          \
  ", \"attributes\": {\"region\": {\"type\": \"string\", \"from\": [{\"query\": \"r\"}]}}, " \
  "\"rules\": [" list "]"

static const struct change {
  const char *name, *before, *after, *told;
} CHANGES[] = {
    {"nothing but blanks and comments", BASE(RULES(RULE("a", "\"to\": \"canary\""))),
     "// again\n" BASE(RULES("\n" RULE("a", "\"to\":    \"canary\""))), ""},
    {"tests and places of members", BASE(", \"state\": \"on\", \"vary\": true"),
     BASE(", \"vary\": true, \"state\": \"on\", \"tests\": []"), ""},
    {"a state", BASE(""), BASE(", \"state\": \"drain\""), "route 'shop': state on -> drain\n"},
    {"settings", BASE(""), BASE(", \"vary\": true"), "route 'shop' has other settings\n"},
    {"weights", BASE(RULES(RULE("a", "\"split\": {\"canary\": 5}"))),
     BASE(RULES(RULE("a", "\"split\": {\"canary\": 12.5}"))),
     "route 'shop': rule 'a': canary 5% -> 12.5%\n"},
    {"a weight of two decimals", BASE(", \"default\": {\"split\": {\"canary\": 0.25}}"),
     BASE(", \"default\": {\"split\": {\"canary\": 100}}"),
     "route 'shop': default: canary 0.25% -> 100%\n"},
    {"a default that comes", BASE(""), BASE(", \"default\": {\"split\": {\"canary\": 1}}"),
     "route 'shop': default: none -> split, canary 0% -> 1%\n"},
    {"a default that goes", BASE(", \"default\": {\"split\": {\"canary\": 1}}"), BASE(""),
     "route 'shop': default: split -> none, canary 1% -> 0%\n"},
    {"where to", BASE(RULES(RULE("a", "\"to\": \"canary\""))),
     BASE(RULES(RULE("a", "\"to\": \"v1\""))), "route 'shop': rule 'a': to 'canary' -> to 'v1'\n"},
    {"a split for one place", BASE(RULES(RULE("a", "\"to\": \"canary\""))),
     BASE(RULES(RULE("a", "\"split\": {\"canary\": 50}"))),
     "route 'shop': rule 'a': to 'canary' -> split, canary 0% -> 50%\n"},
    {"a condition", BASE(RULES(RULE("a", "\"to\": \"canary\""))),
     BASE(RULES("{\"id\": \"a\", \"to\": \"canary\"}")), "route 'shop': rule 'a': changed\n"},
    {"rules that come and go", BASE(RULES(RULE("a", "\"to\": \"canary\""))),
     BASE(RULES(RULE("b", "\"to\": \"canary\""))),
     "route 'shop': rule 'a' removed\nroute 'shop': rule 'b' added\n"},
    {"another order", BASE(RULES(RULE("a", "\"to\": \"canary\"") "," RULE("b", "\"to\": \"v1\""))),
     BASE(RULES(RULE("b", "\"to\": \"v1\"") "," RULE("a", "\"to\": \"canary\""))),
     "route 'shop' has its rules in another order\n"},
};

static void tell(void *context, struct str line) {
  text_printf(context, "%.*s\n", STR_ARG(line));
}

/* The same adit.json and this rule file. */
static struct policy *load_rules(const char *rules) {
  struct text said;
  write_file("rules/shop.json", rules);
  struct policy *policy = load_policy(NULL, NULL, &said);
  ck_assert_msg(policy != NULL, "%.*s\n%s", STR_ARG(text_str(&said)), rules);
  text_deinit(&said);
  return policy;
}

static void check(const char *name, const struct policy *before, const struct policy *after,
                  const char *wanted) {
  struct text told;
  text_init(&told, 1 << 16);
  policy_tell_changes(before, after, tell, &told);
  ck_assert_msg(str_eq(text_str(&told), str_from_cstr(wanted)), "%s:\n%.*sinstead of\n%s", name,
                STR_ARG(text_str(&told)), wanted);
  text_deinit(&told);
}

START_TEST(rules_that_change)
{
  bench_open();
  for (size_t i = 0; i < sizeof(CHANGES) / sizeof(*CHANGES); i++) {
    struct policy *before = load_rules(CHANGES[i].before);
    struct policy *after = load_rules(CHANGES[i].after);
    check(CHANGES[i].name, before, after, CHANGES[i].told);
    policy_unref(&before);
    policy_unref(&after);
  }
  bench_close();
}
END_TEST

START_TEST(files_routes_and_upstreams)
{
  bench_open();
  write_file("rules/users.txt", "anna\n");
  const char *rules = BASE(RULES(
      "{\"id\": \"a\", \"when\": {\"region\": {\"in_file\": \"users.txt\"}}, \"to\": \"canary\"}"));
  struct policy *before = load_rules(rules);
  write_file("rules/users.txt", "bert\n");
  write_file("rules/more.json", ROUTE("more", "more", ""));
  struct policy *after = load_rules(rules);
  check("more", before, after,
        "route 'more' added\nroute 'shop': file 'rules/users.txt' changed\n");
  check("less", after, before,
        "route 'more' removed\nroute 'shop': file 'rules/users.txt' changed\n");
  policy_unref(&before);
  write_file("adit.json",
             "{" LISTEN
             ", \"rules\": [\"rules/*.json\"], \"upstreams\": {\"a\": "
             "{\"endpoints\": [\"127.0.0.1:9\"]}, \"b\": {\"endpoints\": [\"127.0.0.1:2\"]},"
             " \"d\": {\"endpoints\": [\"127.0.0.1:3\"]}}, " STICKY "}");
  before = load_rules(rules);
  check("upstreams", after, before,
        "upstream 'c' removed\nupstream 'a': endpoint '127.0.0.1:1' removed\n"
        "upstream 'a': endpoint '127.0.0.1:9' added\nupstream 'd' added\n");
  policy_unref(&before);
  policy_unref(&after);
  bench_close();
}
END_TEST

START_TEST(only_so_many)
{
  struct text many;
  bench_open();
  text_init(&many, 1 << 16);
  text_printf(
      &many,
      "{\"route\": \"shop\", \"stable\": \"v1\", \"variants\": {\"v1\": \"a\"}, \"rules\": [");
  for (int i = 0; i < 60; i++)
    text_printf(&many, "%s{\"id\": \"r%d\", \"to\": \"v1\"}", i ? "," : "", i);
  text_printf(&many, "]}%c", 0);
  struct policy *before = load_rules(text_str(&many).p);
  struct policy *after =
      load_rules("{\"route\": \"shop\", \"stable\": \"v1\", \"variants\": {\"v1\": \"a\"}}");
  struct text told;
  text_init(&told, 1 << 16);
  policy_tell_changes(before, after, tell, &told);
  ck_assert(str_starts_with(text_str(&told), STR("route 'shop': rule 'r0' removed\n")));
  ck_assert(str_ends_with(text_str(&told), STR("rule 'r49' removed\n10 changes more\n")));
  text_deinit(&told);
  text_deinit(&many);
  policy_unref(&before);
  policy_unref(&after);
  bench_close();
}
END_TEST

UNIT_MAIN("policy changes", rules_that_change, files_routes_and_upstreams, only_so_many)
