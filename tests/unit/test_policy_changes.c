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
    {"settings", BASE(""), BASE(", \"vary\": true"), "route 'shop': 'vary' added\n"},
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

/* As it is now; `written` is what is new. */
static struct policy *load_now(const char *written) {
  struct text said;
  struct policy *policy = load_policy(NULL, NULL, &said);
  ck_assert_msg(policy != NULL, "%.*s\n%s", STR_ARG(text_str(&said)), written);
  text_deinit(&said);
  return policy;
}

/* The same adit.json and this rule file. */
static struct policy *load_rules(const char *rules) {
  write_file("rules/shop.json", rules);
  return load_now(rules);
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

static void check_all(const struct change *changes, size_t n, struct policy *load(const char *)) {
  bench_open();
  write_file("rules/shop.json", BASE(""));
  for (size_t i = 0; i < n; i++) {
    struct policy *before = load(changes[i].before);
    struct policy *after = load(changes[i].after);
    check(changes[i].name, before, after, changes[i].told);
    policy_unref(&before);
    policy_unref(&after);
  }
  bench_close();
}

START_TEST(rules_that_change)
{ check_all(CHANGES, sizeof(CHANGES) / sizeof(*CHANGES), load_rules); }
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
        "adit.json: 'attributes' removed\n"
        "upstream 'c' removed\nupstream 'a': endpoint '127.0.0.1:1' removed\n"
        "upstream 'a': endpoint '127.0.0.1:9' added\nupstream 'd' added\n");
  policy_unref(&before);
  policy_unref(&after);
  bench_close();
}
END_TEST

/* Members beside those of SAME, before and after. */
#define SAME(a, b)                                                      \
  LISTEN ", \"rules\": [\"rules/*.json\"]" b                            \
         ", \"upstreams\": {\"a\": {\"endpoints\": [\"127.0.0.1:1\"]" a \
         "}, \"b\": {\"endpoints\": [\"127.0.0.1:2\"]}}"
#define DIRECTORY(port, members)                                                               \
  ", \"lookups\": {\"users\": {\"url\": \"http://127.0.0.1:" port "/{user}?k=secret\"" members \
  "}}, \"attributes\": {\"user\": {\"type\": \"string\", \"from\": "                           \
  "[{\"header\": \"X-User\"}]}, \"plan\": {\"type\": \"string\", \"from\": [{\"lookup\": "     \
  "\"users\", \"field\": \"plan\"}]}}"
static const struct change KEYS[] = {
    {"nothing but blanks and comments", SAME("", ""), "// again\n" SAME("", ""), ""},
    {"a key with a default", SAME("", ""), SAME("", ", \"timeouts\": {\"drain\": \"5s\"}"),
     "adit.json: 'timeouts.drain': 30s -> 5s\n"},
    {"a key that goes",
     SAME("", ", \"limits\": {\"body_bytes\": \"1MiB\", \"trailer_bytes\": \"1KiB\"}"),
     SAME("", ", \"limits\": {\"trailer_bytes\": \"2KiB\"}"),
     "adit.json: 'limits.body_bytes': 1MiB -> 0B\nadit.json: 'limits.trailer_bytes': 1KiB -> "
     "2KiB\n"},
    {"a default that is written down", SAME("", ""),
     SAME(", \"timeout\": \"30s\"", ", \"via\": true"), ""},
    {"a switch", SAME("", ""), SAME("", ", \"via\": false"), "adit.json: 'via': true -> false\n"},
    {"whom to trust", SAME("", ""), SAME("", ", \"trusted_proxies\": [\"10.0.0.0/8\"]"),
     "adit.json: 'trusted_proxies' added\n"},
    {"whom to trust then", SAME("", ", \"trusted_proxies\": [\"10.0.0.0/9\"]"),
     SAME("", ", \"trusted_proxies\": [\"10.0.0.0/8\"]"), "adit.json: 'trusted_proxies' changed\n"},
    {"where an attribute comes from",
     SAME("",
          ", \"attributes\": {\"team\": {\"type\": \"string\", \"from\": [{\"header\": "
          "\"X-Team\"}]}}"),
     SAME("",
          ", \"attributes\": {\"team\": {\"type\": \"string\", \"from\": [{\"header\": "
          "\"X-Crew\"}]}}"),
     "adit.json: 'attributes.team.from' changed\n"},
    {"a segment", SAME("", ", \"segments\": {\"qa\": {\"header.x-qa\": \"1\"}}"),
     SAME("", ", \"segments\": {\"qa\": {\"header.x-qa\": \"2\"}}"),
     "adit.json: 'segments.qa' changed\n"},
    {"an upstream's time", SAME("", ""), SAME(", \"timeout\": \"5s\"", ""),
     "adit.json: 'upstreams.a.timeout': 30s -> 5s\n"},
    {"retries that come", SAME("", ""), SAME(", \"retry\": {\"attempts\": 2}", ""),
     "adit.json: 'upstreams.a.retry' added\n"},
    {"retries that change", SAME(", \"retry\": {\"attempts\": 2}", ""),
     SAME(", \"retry\": {\"attempts\": 3, \"statuses\": [503]}", ""),
     "adit.json: 'upstreams.a.retry.attempts': 2 -> 3\nadit.json: 'upstreams.a.retry.statuses' "
     "added\n"},
    {"what waits for a start", SAME("", ""), SAME("", ", \"workers\": 3, \"sandbox\": false"), ""},
    {"a URL, which may hold a key", SAME("", DIRECTORY("1", "")), SAME("", DIRECTORY("2", "")),
     "adit.json: 'lookups.users.url' changed\n"},
    {"what an object has also where it is left out", SAME("", DIRECTORY("1", "")),
     SAME("", ", \"dns\": {\"refresh\": \"5s\"}" DIRECTORY(
                  "1", ", \"cache\": {\"ttl\": \"10m\", \"entries\": 10}, \"breaker\": {}")),
     "adit.json: 'lookups.users.cache.entries': 100000 -> 10\n"},
};

static struct policy *load_keys(const char *members) {
  struct text config;
  text_init(&config, 1 << 16);
  text_printf(&config, "{%s}%c", members, 0);
  write_file("adit.json", text_str(&config).p);
  text_deinit(&config);
  return load_now(members);
}

START_TEST(keys_that_change)
{ check_all(KEYS, sizeof(KEYS) / sizeof(*KEYS), load_keys); }
END_TEST

/* Weights, drains and secrets, none of which is shown. */
START_TEST(endpoints_and_keys)
{
  bench_open();
  write_file("rules/shop.json", BASE(""));
  static const char common[] = LISTEN
      ", \"rules\": [\"rules/*.json\"], " STICKY
      ", \"admin\": {\"address\": \"127.0.0.1:0\", \"token_file\": \"admin.token\"}"
      ", \"upstreams\": {\"b\": {\"endpoints\": [\"127.0.0.1:2\"]}, \"a\": {\"endpoints\": [";
  struct text members;
  text_init(&members, 1 << 16);
  text_printf(&members, "%s\"127.0.0.1:1\", {\"address\": \"127.0.0.1:3\", \"drain\": true}]}}%c",
              common, 0);
  write_file("admin.token", "a token of 32 bytes and some more\n");
  struct policy *before = load_keys(text_str(&members).p);
  text_clear(&members);
  text_printf(
      &members,
      "%s{\"address\": \"127.0.0.1:1\", \"weight\": 3, \"drain\": true}, \"127.0.0.1:3\"]}}%c",
      common, 0);
  write_file("sticky.key", "another one of at least 32 bytes\n");
  write_file("admin.token", "another one of 32 bytes and more\n");
  struct policy *after = load_keys(text_str(&members).p);
  check("both", before, after,
        "adit.json: 'sticky': key 'k' is another one\n"
        "adit.json: 'admin.token_file': the token is another one\n"
        "upstream 'a': endpoint '127.0.0.1:1': weight 1 -> 3, drains\n"
        "upstream 'a': endpoint '127.0.0.1:3': drains no more\n");
  text_deinit(&members);
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

UNIT_MAIN("policy changes", rules_that_change, files_routes_and_upstreams, keys_that_change,
          endpoints_and_keys, only_so_many)
