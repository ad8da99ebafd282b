/*
 * policy: reloads. "A rule file that does not load leaves that route as it was, while the others go
 * on."
 */
#include "policy_bench.h"

#define TO(name, host, upstream)                              \
  "{\"route\": \"" name "\", \"match\": {\"hosts\": [\"" host \
  "\"]}, \"stable\": \"v\","                                  \
  " \"variants\": {\"v\": \"" upstream "\", \"w\": \"c\"}}"
#define FAILING(name, host, upstream)                                                            \
  "{\"route\": \"" name "\", \"match\": {\"hosts\": [\"" host                                    \
  "\"]}, \"stable\": \"v\","                                                                     \
  " \"variants\": {\"v\": \"" upstream "\"}, \"tests\": [{\"request\": {\"url\": \"http://" host \
  "/\"}, \"expect\": {\"variant\": null}}]}"
#define WITHOUT_B                                                           \
  "{" LISTEN                                                                \
  ", \"rules\": [\"rules/*.json\"], \"upstreams\": {\"a\": {\"endpoints\":" \
  " [\"127.0.0.1:1\"]}, \"c\": {\"endpoints\": [\"127.0.0.1:3\"]}}, " STICKY "}"
#define WITHOUT_USER "{" LISTEN ", \"rules\": [\"rules/*.json\"], " UPSTREAMS ", " STICKY "}"
/* Two of these agree while sticky.by is user.id by default. */
#define GROUPED(name, more)                                   \
  "{\"route\": \"" name "\", \"match\": {\"hosts\": [\"" name \
  "\"]}, \"stable\": \"v\","                                  \
  " \"variants\": {\"v\": \"a\"}, \"sticky\": {\"group\": \"g\"" more "}}"
#define GONE ""

struct step {
  const char *a, *b, *c; /* rules/a.json …: NULL leaves it, GONE removes it */
  const char *config;    /* NULL leaves it */
  const char *served;    /* NULL: the reload fails, and the policy before stays */
  const char *said[4];   /* parts of what is said; none: nothing is */
};

static const struct story {
  const char *name;
  struct step steps[5];
} STORIES[] = {
    {"files change, come and go",
     {{TO("x", "x", "a"), TO("y", "y", "a"), NULL, NULL, "x x a; y y a", {NULL}},
      {TO("x", "x", "b"), NULL, NULL, NULL, "x x b; y y a", {NULL}},
      {NULL, GONE, TO("z", "z", "c"), NULL, "x x b; z z c", {NULL}},
      {NULL, TO("y", "y", "c"), GONE, NULL, "x x b; y y c", {NULL}}}},
    {"a broken file leaves its route as it was, for as long as it is broken",
     {{TO("x", "x", "a"), TO("y", "y", "a"), NULL, NULL, "x x a; y y a", {NULL}},
      {"{",
       TO("y", "y", "b"),
       NULL,
       NULL,
       "x x a; y y b",
       {"rules/a.json:1:2: error: ", "rules/a.json: note: route 'x' stays as it was\n"}},
      {"[]",
       TO("y", "y", "c"),
       NULL,
       NULL,
       "x x a; y y c",
       {"rules/a.json:1:1: error: ", "rules/a.json: note: route 'x' stays as it was\n"}},
      {TO("x", "x", "c"), NULL, NULL, NULL, "x x c; y y c", {NULL}}}},
    {"a new broken file is an error only",
     {{TO("x", "x", "a"), NULL, NULL, NULL, "x x a", {NULL}},
      {NULL,
       "{",
       NULL,
       NULL,
       "x x a",
       {"rules/b.json:1:2: error: ", "rules/b.json: note: the file is not served\n"}}}},
    {"nothing is left to serve",
     {{TO("x", "x", "a"), NULL, NULL, NULL, "x x a", {NULL}},
      {GONE, NULL, NULL, NULL, NULL, {"error: there are no rule files"}},
      {NULL,
       "{",
       NULL,
       NULL,
       NULL,
       {"rules/b.json:1:2: error: ", "rules/b.json: note: the file is not served\n",
        "error: no rule file could be loaded"}},
      {TO("x", "x", "b"), GONE, NULL, NULL, "x x b", {NULL}}}},
    {"adit.json does not load: nothing changes",
     {{TO("x", "x", "a"), NULL, NULL, NULL, "x x a", {NULL}},
      {TO("x", "x", "b"), NULL, NULL, "{", NULL, {"adit.json:1:2: error: "}},
      {NULL, NULL, NULL, CONFIG, "x x b", {NULL}}}},
    {"a file named without a pattern is missing: its route stays",
     {{TO("x", "x", "a"),
       TO("y", "y", "a"),
       NULL,
       CONFIG_OF("[\"rules/a.json\", \"rules/b.json\"]"),
       "x x a; y y a",
       {NULL}},
      {GONE,
       TO("y", "y", "b"),
       NULL,
       NULL,
       "x x a; y y b",
       {"adit.json:1:52: error: rule file 'rules/a.json' does not exist",
        "rules/a.json: note: route 'x' stays as it was\n"}}}},
    {"a failing test: the file is not taken over",
     {{FAILING("x", "x", "a"),
       TO("y", "y", "a"),
       NULL,
       NULL,
       "x x a; y y a",
       {"rules/a.json:1:", ": warning: test '1' failed: expected variant null"}},
      {FAILING("x", "x", "b"),
       FAILING("y", "y", "b"),
       FAILING("z", "z", "b"),
       NULL,
       "x x a; y y a",
       {": error: test '1' failed: ", "rules/a.json: note: route 'x' stays as it was\n",
        "rules/b.json: note: route 'y' stays as it was\n",
        "rules/c.json: note: the file is not served\n"}},
      {TO("x", "x", "b"),
       NULL,
       NULL,
       NULL,
       "x x b; y y a",
       {"rules/b.json: note: route 'y' stays as it was\n",
        "rules/c.json: note: the file is not served\n"}}}},
    {"a conflict is laid to the file that changed",
     {{TO("x", "x", "a"), TO("y", "y", "a"), NULL, NULL, "x x a; y y a", {NULL}},
      {TO("x", "y", "b"),
       NULL,
       NULL,
       NULL,
       "x x a; y y a",
       {"rules/a.json:1:", "rules/a.json: note: route 'x' stays as it was\n"}},
      {NULL, TO("y", "z", "b"), NULL, NULL, "x y b; y z b", {NULL}}}},
    {"both changed: to the later; a new one too",
     {{TO("x", "x", "a"), TO("y", "y", "a"), NULL, NULL, "x x a; y y a", {NULL}},
      {TO("x", "n", "b"),
       TO("y", "n", "b"),
       NULL,
       NULL,
       "x n b; y y a",
       {"rules/b.json:1:", "rules/b.json: note: route 'y' stays as it was\n"}},
      {NULL,
       TO("y", "y", "c"),
       TO("z", "n", "c"),
       NULL,
       "x n b; y y c",
       {"rules/c.json:1:", "rules/c.json: note: the file is not served\n"}}}},
    {"routes change places, and one of them is broken: the other gives way",
     {{TO("x", "x", "a"), TO("y", "y", "a"), NULL, NULL, "x x a; y y a", {NULL}},
      {TO("x", "y", "b"), TO("y", "x", "b"), NULL, NULL, "x y b; y x b", {NULL}},
      {TO("x", "x", "c"),
       "{",
       NULL,
       NULL,
       "x y b; y x b",
       {"rules/b.json:1:2: error: ", "rules/a.json: note: route 'x' stays as it was\n",
        "rules/b.json: note: route 'y' stays as it was\n"}}}},
    {"a file that is mended to what is served has not changed",
     {{TO("x", "x", "a"), TO("y", "y", "a"), NULL, NULL, "x x a; y y a", {NULL}},
      {NULL,
       "{",
       NULL,
       NULL,
       "x x a; y y a",
       {"rules/b.json:1:2: error: ", "rules/b.json: note: route 'y' stays as it was\n"}},
      {TO("x", "y", "b"),
       TO("y", "y", "a"),
       NULL,
       NULL,
       "x x a; y y a",
       {"rules/a.json:1:", "rules/a.json: note: route 'x' stays as it was\n"}}}},
    {"what adit.json makes of an unchanged file conflicts with a kept one",
     {{GROUPED("x", ""),
       GROUPED("y", ", \"by\": [\"user.id\"]"),
       NULL,
       NULL,
       "x x a; y y a",
       {NULL}},
      {NULL,
       NULL,
       NULL,
       WITHOUT_USER,
       "x x a; y y a",
       {"rules/b.json:1:", "rules/a.json:1:", "rules/a.json: note: route 'x' stays as it was\n",
        "rules/b.json: note: route 'y' stays as it was\n"}}}},
    {"an upstream is gone that a kept route needs",
     {{TO("x", "x", "b"), TO("y", "y", "a"), NULL, NULL, "x x b; y y a", {NULL}},
      {"{",
       NULL,
       NULL,
       WITHOUT_B,
       NULL,
       {"rules/a.json: note: route 'x' stays as it was\n",
        "adit.json: error: upstream 'b' is gone, but route 'x' of 'rules/a.json' is kept as it was "
        "and uses it"}},
      {TO("x", "x", "a"), NULL, NULL, NULL, "x x a; y y a", {NULL}}}},
};

static void put(const char *path, const char *text) {
  if (!text) return;
  if (text[0] == 0)
    ck_assert_int_eq(unlink(path), 0);
  else
    write_file(path, text);
}

static size_t count_notes(struct str said) {
  size_t n = 0;
  struct str line;
  while (str_split_next(&said, '\n', &line)) n += str_contains(line, STR(": note: "));
  return n;
}

static struct policy *take_step(const struct story *story, size_t number, struct policy *previous) {
  const struct step *step = &story->steps[number];
  put("rules/a.json", step->a);
  put("rules/b.json", step->b);
  put("rules/c.json", step->c);
  put("adit.json", step->config);
  struct text said, list;
  text_init(&list, 1 << 16);
  struct policy *policy = load_policy(previous, NULL, &said);
  ck_assert_msg((policy != NULL) == (step->served != NULL), "%s, step %zu: said: %s", story->name,
                number, said.p ? said.p : "");
  if (policy)
    ck_assert_msg(str_eq(served(policy, &list), str_from_cstr(step->served)),
                  "%s, step %zu: serves %.*s; said: %s", story->name, number,
                  STR_ARG(text_str(&list)), said.p ? said.p : "");
  for (size_t i = 0; i < 4 && step->said[i]; i++)
    ck_assert_msg(str_contains(text_str(&said), str_from_cstr(step->said[i])),
                  "%s, step %zu: said: %s", story->name, number, said.p ? said.p : "");
  ck_assert_msg(step->said[0] || said.n == 0, "%s, step %zu: said: %s", story->name, number,
                said.p ? said.p : "");
  /* Of no other file it is said that it is not taken over. */
  size_t notes = 0;
  for (size_t i = 0; i < 4 && step->said[i]; i++) notes += strstr(step->said[i], "note: ") != NULL;
  ck_assert_msg(count_notes(text_str(&said)) == notes, "%s, step %zu: said: %s", story->name,
                number, said.p ? said.p : "");
  text_deinit(&said);
  text_deinit(&list);
  if (!policy) return previous;
  policy_unref(&previous); /* what is kept lives on without it */
  return policy;
}

START_TEST(test_stories)
{
  bench_open();
  for (size_t i = 0; i < sizeof(STORIES) / sizeof(*STORIES); i++) {
    remove_rules();
    write_file("adit.json", CONFIG);
    struct policy *policy = NULL;
    for (size_t k = 0; k < 5 && (STORIES[i].steps[k].served || STORIES[i].steps[k].said[0]); k++)
      policy = take_step(&STORIES[i], k, policy);
    policy_unref(&policy);
  }
  bench_close();
}
END_TEST

/* A kept route decides as it did, with its own attributes, and next to its new neighbours. */
START_TEST(test_kept_route_decides)
{
  bench_open();
  write_file("rules/a.json",
             ROUTE("shop", "shop.example.com",
                   ", \"attributes\": {\"tier\": {\"type\": \"string\", \"from\": [{\"header\": "
                   "\"X-Tier\"}]}}, \"rules\": [{\"id\": \"gold\", \"when\": {\"tier\": \"gold\"},"
                   " \"to\": \"canary\"}]"));
  struct text said;
  struct policy *first = load_policy(NULL, NULL, &said);
  ck_assert_msg(first && said.n == 0, "%s", said.p);
  text_deinit(&said);
  write_file("rules/a.json", "broken");
  struct policy *second = load_policy(first, NULL, &said);
  ck_assert_ptr_nonnull(second);
  text_deinit(&said);
  ck_assert_ptr_eq(policy_route(first, 0), policy_route(second, 0));
  policy_unref(&first);

  struct decider *decider = policy_decider_new(second);
  struct http_field fields[] = {{STR_INIT("X-Tier"), STR_INIT("gold"), HTTP_FIELD_OTHER}};
  struct decide_request request = {.attr = {.method = STR_INIT("GET"),
                                            .scheme = STR_INIT("http"),
                                            .host = STR_INIT("shop.example.com"),
                                            .path = STR_INIT("/"),
                                            .fields = fields,
                                            .field_count = 1}};
  struct decision decision;
  decide(decider, &request, &decision, NULL, NULL);
  ck_assert_view_eq(decision.route->variants[decision.variant].name, "canary");
  decider_free(&decider);
  policy_unref(&second);
  bench_close();
}
END_TEST

/* The random key is made once: cookies outlive reloads. */
START_TEST(test_random_key_is_kept)
{
  static const char without_keys[] = "{" LISTEN ", \"rules\": [\"rules/*.json\"], " UPSTREAMS "}";
  bench_open();
  write_file("rules/a.json", TO("x", "x", "a"));
  struct policy *policies[4] = {NULL};
  struct text said;
  for (size_t i = 0; i < 4; i++) { /* the third has keys of its own in between */
    write_file("adit.json", i == 2 ? CONFIG : without_keys);
    policies[i] = load_policy(i ? policies[i - 1] : NULL, NULL, &said);
    ck_assert_msg(policies[i] != NULL, "%s", said.p);
    text_deinit(&said);
  }
  struct str secrets[4];
  for (size_t i = 0; i < 4; i++) {
    size_t n;
    const struct sticky_key *keys = policy_keys(policies[i], &n);
    ck_assert_uint_eq(n, 1);
    secrets[i] = keys[0].secret;
    ck_assert_uint_eq(secrets[i].n, 32);
  }
  ck_assert(str_eq(secrets[0], secrets[1]) && str_eq(secrets[0], secrets[3]));
  ck_assert_view_eq(secrets[2], "0123456789abcdef0123456789abcdef");
  struct policy *other = load_policy(NULL, NULL, &said);
  size_t n;
  ck_assert(!str_eq(policy_keys(other, &n)[0].secret, secrets[0]));
  text_deinit(&said);
  for (size_t i = 0; i < 4; i++) policy_unref(&policies[i]);
  policy_unref(&other);
  bench_close();
}
END_TEST

START_TEST(test_references)
{
  bench_open();
  write_file("rules/a.json", TO("x", "x", "a"));
  struct text said;
  struct policy *policy = load_policy(NULL, NULL, &said);
  struct policy *again = policy_ref(policy);
  ck_assert_ptr_eq(policy, again);
  policy_unref(&policy);
  ck_assert_ptr_null(policy);
  ck_assert_uint_eq(policy_route_count(again), 1);
  policy_unref(&again);
  policy_unref(&again);
  text_deinit(&said);
  bench_close();
}
END_TEST

UNIT_MAIN("policy_reload", test_stories, test_kept_route_decides, test_random_key_is_kept,
          test_references)
