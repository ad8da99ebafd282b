/* decide: the order of decision, force, keys, limits, and whether the time matters. */
#include "decide_bench.h"

/* ---- order of decision ----------------------------------------------------------------------- */

#define RULES                                                                           \
  "\"rules\": [{\"id\": \"stay\", \"when\": {\"region\": \"north\"}, \"to\": \"v1\"},"  \
  "{\"id\": \"move\", \"when\": {\"region\": \"east\"}, \"to\": \"second\"},"           \
  "{\"id\": \"draw\", \"when\": {\"region\": \"west\"}, \"split\": {\"canary\": 10}}]," \
  "\"default\": {\"split\": {\"canary\": 5}}"

static const struct order_case {
  const char *state;
  const char *region;
  const char *force;
  const char *pin;
  int bucket; /* -1: none given */
  const char *variant, *reason, *rule;
  int decided_bucket;
} ORDER[] = {
    /* off wins over all */
    {"off", NULL, NULL, NULL, 1, "v1", "off", "-", -1},
    {"off", "east", "always", "canary", 1, "v1", "off", "-", -1},
    /* force wins over full and rules; it may force stable */
    {"on", "east", "always", "canary", 1, "canary", "forced", "-", -1},
    {"on", "east", "never", "canary", 1, "v1", "forced", "-", -1},
    {"full", NULL, "never", NULL, 1, "v1", "forced", "-", -1},
    {"drain", "west", "always", NULL, 1, "canary", "forced", "-", -1},
    /* full: the first canary, whatever the rules say */
    {"full", NULL, NULL, NULL, -1, "canary", "full", "-", -1},
    {"full", "north", NULL, "second", 9999, "canary", "full", "-", -1},
    /* `to` is absolute, with a pin too */
    {"on", "north", NULL, "canary", 1, "v1", "rule", "stay", -1},
    {"on", "east", NULL, "canary", 1, "second", "rule", "move", -1},
    {"drain", "east", NULL, NULL, 1, "second", "rule", "move", -1},
    /* a split: the pin, else the bucket */
    {"on", "west", NULL, NULL, 999, "canary", "rule", "draw", 999},
    {"on", "west", NULL, NULL, 1000, "v1", "rule", "draw", 1000},
    {"on", "west", NULL, "canary", 9999, "canary", "pinned", "draw", -1},
    {"on", "west", NULL, "second", 1, "second", "pinned", "draw", -1},
    {"on", "west", NULL, "v1", 9999, "v1", "rule", "draw", 9999},
    {"on", "west", NULL, "gone", 1, "canary", "rule", "draw", 1},
    /* the default */
    {"on", NULL, NULL, NULL, 499, "canary", "default", "-", 499},
    {"on", NULL, NULL, NULL, 500, "v1", "default", "-", 500},
    {"on", NULL, NULL, "canary", 500, "canary", "pinned", "-", -1},
    {"on", NULL, NULL, NULL, -1, "v1", "default", "-", -1},
    /* drain: stable unless pinned, the reason stays */
    {"drain", "west", NULL, NULL, 1, "v1", "rule", "draw", -1},
    {"drain", NULL, NULL, NULL, 1, "v1", "default", "-", -1},
    {"drain", "west", NULL, "canary", 1, "canary", "pinned", "draw", -1},
    {"drain", NULL, NULL, "canary", 1, "canary", "pinned", "-", -1},
    {"drain", NULL, NULL, "v1", 1, "v1", "default", "-", -1},
};

static void check_order(const struct order_case *c, size_t i) {
  char members[1024];
  snprintf(members, sizeof(members), "\"state\": \"%s\", " RULES, c->state);
  struct bench bench;
  bench_init(&bench, members);
  struct http_field fields[2];
  size_t n = 0;
  if (c->region) fields[n++] = field("X-Region", str_from_cstr(c->region));
  if (c->force) fields[n++] = field("x-canary", str_from_cstr(c->force));
  struct decide_request request = request_of(fields, n);
  request.pin = str_from_cstr(c->pin);
  request.has_bucket = c->bucket >= 0;
  request.bucket = c->bucket >= 0 ? (unsigned)c->bucket : 0;
  struct decision decision, traced;
  struct rules_trace trace;
  decide(bench.decider, &request, &decision, NULL, NULL);
  ck_assert_msg(str_eq(variant_of(&decision), str_from_cstr(c->variant)), "case %zu: variant %.*s",
                i, STR_ARG(variant_of(&decision)));
  ck_assert_msg(strcmp(decide_reason_name(decision.reason), c->reason) == 0, "case %zu: reason %s",
                i, decide_reason_name(decision.reason));
  ck_assert_msg(str_eq(rule_of(&decision), str_from_cstr(c->rule)), "case %zu: rule %.*s", i,
                STR_ARG(rule_of(&decision)));
  ck_assert_msg(decision.bucket == c->decided_bucket, "case %zu: bucket %d", i, decision.bucket);
  ck_assert_msg(!decision.set_cookie.p, "case %zu: nothing is drawn, so nothing is set", i);
  bool is_private = decision.reason == REASON_FORCED || decision.reason == REASON_PINNED;
  ck_assert_msg(decision.private_response == is_private, "case %zu: private", i);
  /* The trace changes nothing, and has a line for each rule. */
  decide(bench.decider, &request, &traced, &trace, bench.arena);
  ck_assert_msg(traced.variant == decision.variant && traced.reason == decision.reason &&
                    traced.rule == decision.rule && traced.bucket == decision.bucket,
                "case %zu: decides otherwise when traced", i);
  ck_assert_msg(trace.rule_count == 3, "case %zu: %zu rules traced", i, trace.rule_count);
  bool asked = strcmp(c->reason, "off") && strcmp(c->reason, "forced") && strcmp(c->reason, "full");
  ck_assert_msg((trace.rules[0].result == RULE_SKIPPED) == !asked, "case %zu: rules asked", i);
  bench_deinit(&bench);
}

START_TEST(test_order_of_decision)
{
  for (size_t i = 0; i < sizeof(ORDER) / sizeof(*ORDER); i++) check_order(&ORDER[i], i);
}
END_TEST

START_TEST(test_default_without_split_reads_no_cookie)
{
  struct bench bench;
  bench_init(&bench, "");
  struct http_field fields[] = {field("Cookie", STR("adit_shop=rubbish"))};
  struct decide_request request = request_of(fields, 1);
  request.draw = true;
  request.random = counted_random;
  request.random_context = &bench;
  struct decision decision;
  decide(bench.decider, &request, &decision, NULL, NULL);
  ck_assert_view_eq(variant_of(&decision), "v1");
  ck_assert_int_eq(decision.reason, REASON_DEFAULT);
  ck_assert_int_eq(decision.cookie, COOKIE_NOT_READ);
  ck_assert_uint_eq(decision.cookies_refused, 0);
  ck_assert_uint_eq(bench.randoms, 0);
  bench_deinit(&bench);
}
END_TEST

START_TEST(test_no_route)
{
  struct bench bench;
  bench_init(&bench, RULES);
  struct decide_request request = request_of(NULL, 0);
  request.attr.host = STR("other.example.com");
  struct decision decision;
  struct rules_trace trace = {.rule_count = 7};
  decide(bench.decider, &request, &decision, &trace, bench.arena);
  ck_assert_ptr_null(decision.route);
  ck_assert_int_eq(decision.reason, REASON_NO_ROUTE);
  ck_assert_int_eq(decision.bucket, -1);
  ck_assert_uint_eq(trace.rule_count, 0);
  bench_deinit(&bench);
}
END_TEST

START_TEST(test_names)
{
  static const char *const reasons[] = {"no_route", "ambiguous", "off",     "forced", "full",
                                        "rule",     "pinned",    "default", "limit",  "failover"};
  for (int i = 0; i <= REASON_FAILOVER; i++)
    ck_assert_str_eq(decide_reason_name((enum decide_reason)i), reasons[i]);
  for (int i = 0; i <= COOKIE_MALFORMED; i++)
    for (int k = 0; k < i; k++)
      ck_assert_str_ne(cookie_verdict_name((enum cookie_verdict)i),
                       cookie_verdict_name((enum cookie_verdict)k));
}
END_TEST

/* ---- force ----------------------------------------------------------------------------------- */

static const struct force_case {
  const char *name;
  const char *force;      /* the file's, "" for the default */
  const char *headers[6]; /* name, value … */
  const char *client_ip;
  const char *variant; /* NULL: not forced */
} FORCE[] = {
    {"default values", "", {"X-Canary", "always"}, NULL, "canary"},
    {"default values", "", {"X-Canary", "never"}, NULL, "v1"},
    {"any case of the name", "", {"x-CANARY", "always"}, NULL, "canary"},
    {"exact value", "", {"X-Canary", "Always"}, NULL, NULL},
    {"a longer value", "", {"X-Canary", "always1"}, NULL, NULL},
    {"an empty value", "", {"X-Canary", ""}, NULL, NULL},
    {"repeated", "", {"X-Canary", "always", "X-Canary", "always"}, NULL, NULL},
    {"repeated, one unlisted", "", {"X-Canary", "always", "x-canary", "x"}, NULL, NULL},
    {"no cookie by default", "", {"Cookie", "X-Canary=always"}, NULL, NULL},
    {"none", "\"force\": false", {"X-Canary", "always"}, NULL, NULL},
    {"own values replace",
     "\"force\": {\"values\": {\"2\": \"second\"}}",
     {"X-Canary", "2"},
     NULL,
     "second"},
    {"own values replace",
     "\"force\": {\"values\": {\"2\": \"second\"}}",
     {"X-Canary", "always"},
     NULL,
     NULL},
    {"own header", "\"force\": {\"header\": \"X-QA\"}", {"X-QA", "always"}, NULL, "canary"},
    {"cookie", "\"force\": {\"cookie\": \"qa\"}", {"Cookie", "a=1; qa=always"}, NULL, "canary"},
    {"cookie's case", "\"force\": {\"cookie\": \"qa\"}", {"Cookie", "QA=always"}, NULL, NULL},
    {"cookie twice",
     "\"force\": {\"cookie\": \"qa\"}",
     {"Cookie", "qa=always; qa=always"},
     NULL,
     NULL},
    {"header before cookie",
     "\"force\": {\"cookie\": \"qa\"}",
     {"Cookie", "qa=always", "X-Canary", "never"},
     NULL,
     "v1"},
    {"an unlisted header is absent",
     "\"force\": {\"cookie\": \"qa\"}",
     {"Cookie", "qa=always", "X-Canary", "x"},
     NULL,
     "canary"},
    {"a repeated header is absent",
     "\"force\": {\"cookie\": \"qa\"}",
     {"Cookie", "qa=always", "X-Canary", "never", "X-Canary", "never"},
     NULL,
     "canary"},
    {"allow_from",
     "\"force\": {\"allow_from\": [\"10.0.0.0/8\", \"203.0.113.0/24\"]}",
     {"X-Canary", "always"},
     "203.0.113.9",
     "canary"},
    {"allow_from, elsewhere",
     "\"force\": {\"allow_from\": [\"10.0.0.0/8\"]}",
     {"X-Canary", "always"},
     "203.0.113.9",
     NULL},
    {"allow_from for the cookie too",
     "\"force\": {\"cookie\": \"qa\", \"allow_from\": [\"10.0.0.0/8\"]}",
     {"Cookie", "qa=always"},
     "203.0.113.9",
     NULL},
};

static void check_force(const struct force_case *c) {
  struct bench bench;
  bench_init(&bench, c->force);
  struct http_field fields[3];
  size_t n = 0;
  for (size_t k = 0; k < 6 && c->headers[k]; k += 2)
    fields[n++] = field(c->headers[k], str_from_cstr(c->headers[k + 1]));
  struct decide_request request = request_of(fields, n);
  if (c->client_ip) ck_assert(ip_parse(str_from_cstr(c->client_ip), &request.attr.client_ip));
  struct decision decision;
  decide(bench.decider, &request, &decision, NULL, NULL);
  const char *expected = c->variant ? c->variant : "v1";
  enum decide_reason reason = c->variant ? REASON_FORCED : REASON_DEFAULT;
  ck_assert_msg(decision.reason == reason, "%s: %s", c->name, decide_reason_name(decision.reason));
  ck_assert_msg(str_eq(variant_of(&decision), str_from_cstr(expected)), "%s: %.*s", c->name,
                STR_ARG(variant_of(&decision)));
  bench_deinit(&bench);
}

START_TEST(test_force)
{
  for (size_t i = 0; i < sizeof(FORCE) / sizeof(*FORCE); i++) check_force(&FORCE[i]);
}
END_TEST

START_TEST(test_force_token)
{
  static const struct {
    const char *tokens[2];
    bool forced;
  } cases[] = {
      {{NULL, NULL}, false},
      {{"s3cret-token", NULL}, true},
      {{"s3cret-toke", NULL}, false},
      {{"s3cret-token2", NULL}, false},
      {{"", NULL}, false},
      {{"s3cret-token", "s3cret-token"}, false},
  };
  struct bench bench;
  bench_init(&bench, "");
  /* The file of a token is the rules module's to read; here it is put where that leaves it. */
  bench.route->force.token = STR("s3cret-token");
  for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
    struct http_field fields[3] = {field("X-Canary", STR("always"))};
    size_t n = 1;
    for (size_t k = 0; k < 2 && cases[i].tokens[k]; k++)
      fields[n++] = field("x-canary-token", str_from_cstr(cases[i].tokens[k]));
    struct decide_request request = request_of(fields, n);
    struct decision decision;
    decide(bench.decider, &request, &decision, NULL, NULL);
    ck_assert_msg((decision.reason == REASON_FORCED) == cases[i].forced, "case %zu", i);
  }
  bench_deinit(&bench);
}
END_TEST

/* ---- keys ------------------------------------------------------------------------------------ */

static const struct key_case {
  const char *name;
  const char *members;
  const char *headers[4];
  const char *query;
  const char *salt, *key; /* key NULL: no bucket */
} KEYS_OF[] = {
    {"user.id by default", "", {"X-User-Id", "u-17"}, NULL, "shop", "u-17"},
    {"as received", "", {"X-User-Id", "Ü 1"}, NULL, "shop", "Ü 1"},
    {"none", "", {NULL}, NULL, "shop", NULL},
    {"by is []", "\"sticky\": {\"by\": []}", {"X-User-Id", "u"}, NULL, "shop", NULL},
    {"salt", "\"sticky\": {\"salt\": \"pepper\"}", {"X-User-Id", "u"}, NULL, "pepper", "u"},
    {"the group's name is the salt",
     "\"sticky\": {\"group\": \"release\"}",
     {"X-User-Id", "u"},
     NULL,
     "release",
     "u"},
    {"the first present",
     "\"sticky\": {\"by\": [\"region\", \"user.id\"]}",
     {"X-User-Id", "u"},
     NULL,
     "shop",
     "u"},
    {"in order",
     "\"sticky\": {\"by\": [\"region\", \"user.id\"]}",
     {"X-User-Id", "u", "X-Region", "r"},
     NULL,
     "shop",
     "r"},
    {"an empty value is no key",
     "\"sticky\": {\"by\": [\"region\", \"user.id\"]}",
     {"X-User-Id", "u", "X-Region", ""},
     NULL,
     "shop",
     "u"},
    {"of a list the first",
     "\"sticky\": {\"by\": [\"tags\"]}",
     {"X-Tags", " , b, a"},
     NULL,
     "shop",
     "b"},
    {"of repeated queries the first",
     "\"sticky\": {\"by\": [\"query.k\"]}",
     {NULL},
     "k=2&k=1",
     "shop",
     "2"},
    {"decoded", "\"sticky\": {\"by\": [\"query.k\"]}", {NULL}, "k=%41+b", "shop", "A b"},
    {"a number is its text",
     "\"sticky\": {\"by\": [\"born\"]}",
     {"X-Born", "1767225600"},
     NULL,
     "shop",
     "1767225600"},
};

START_TEST(test_keys)
{
  for (size_t i = 0; i < sizeof(KEYS_OF) / sizeof(*KEYS_OF); i++) {
    const struct key_case *c = &KEYS_OF[i];
    char members[512];
    snprintf(members, sizeof(members), "%s%s\"default\": {\"split\": {\"canary\": 50}}", c->members,
             c->members[0] ? ", " : "");
    struct bench bench;
    bench_init(&bench, members);
    struct http_field fields[2];
    size_t n = 0;
    for (size_t k = 0; k < 4 && c->headers[k]; k += 2)
      fields[n++] = field(c->headers[k], str_from_cstr(c->headers[k + 1]));
    struct decide_request request = request_of(fields, n);
    request.attr.query = str_from_cstr(c->query);
    struct decision decision;
    decide(bench.decider, &request, &decision, NULL, NULL);
    int expected = c->key ? (int)rules_bucket(str_from_cstr(c->salt), str_from_cstr(c->key)) : -1;
    ck_assert_msg(decision.bucket == expected, "%s: bucket %d", c->name, decision.bucket);
    ck_assert_msg(
        str_eq(variant_of(&decision), expected >= 0 && expected < 5000 ? STR("canary") : STR("v1")),
        "%s: %.*s", c->name, STR_ARG(variant_of(&decision)));
    bench_deinit(&bench);
  }
}
END_TEST

START_TEST(test_split_by_goes_before_sticky_by)
{
  struct bench bench;
  bench_init(&bench,
             "\"rules\": [{\"id\": \"a\", \"split\": {\"canary\": 50}, \"by\": [\"region\"]}]");
  struct http_field fields[] = {field("X-User-Id", STR("u")), field("X-Region", STR("east"))};
  struct decide_request request = request_of(fields, 2);
  struct decision decision;
  decide(bench.decider, &request, &decision, NULL, NULL);
  ck_assert_int_eq(decision.bucket, (int)rules_bucket(STR("shop"), STR("east")));
  request.attr.field_count = 1;
  decide(bench.decider, &request, &decision, NULL, NULL);
  ck_assert_int_eq(decision.bucket, (int)rules_bucket(STR("shop"), STR("u")));
  bench_deinit(&bench);
}
END_TEST

/* A limit leaves a condition or a key undecided: stable, and nothing is remembered. */
START_TEST(test_limit)
{
  static const struct {
    const char *members;
    const char *rule;
  } cases[] = {
      {"\"rules\": [{\"id\": \"a\", \"when\": {\"query.d\": {\"matches\": \"x$\"}},"
       " \"to\": \"canary\"}], \"default\": {\"split\": {\"canary\": 100}}",
       "a"},
      {"\"rules\": [{\"id\": \"b\", \"split\": {\"canary\": 100}, \"by\": [\"phone\"]}]", "b"},
      {"\"default\": {\"split\": {\"canary\": 100}, \"by\": [\"phone\"]}", "-"},
  };
  static char query[3000] = "d=";
  memset(query + 2, 'a', sizeof(query) - 2);
  for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
    struct bench bench;
    bench_init(&bench, cases[i].members);
    struct http_field fields[] = {field("X-User-Id", STR("u"))};
    struct decide_request request = request_of(fields, 1);
    request.attr.query = str_make(query, sizeof(query));
    request.draw = true;
    request.random = counted_random;
    request.random_context = &bench;
    struct decision decision;
    decide(bench.decider, &request, &decision, NULL, NULL);
    ck_assert_msg(decision.reason == REASON_LIMIT, "case %zu: %s", i,
                  decide_reason_name(decision.reason));
    ck_assert_msg(str_eq(variant_of(&decision), STR("v1")), "case %zu", i);
    ck_assert_msg(str_eq(rule_of(&decision), str_from_cstr(cases[i].rule)), "case %zu", i);
    ck_assert_msg(decision.bucket == -1 && !decision.set_cookie.p && bench.randoms == 0, "case %zu",
                  i);
    bench_deinit(&bench);
  }
}
END_TEST

/* Forty patterns on a subject of 2000 bytes are over the request's budget of 64 KiB. The trace
 * starts with a budget of its own, and comes to the same rule. */
START_TEST(test_budget_is_not_shared_with_trace)
{
  enum { COUNT = 40, WITHIN = 64 * 1024 / 2000 };
  struct text members;
  text_init(&members, 1 << 16);
  text_add(&members, STR("\"rules\": ["));
  for (int i = 0; i < COUNT; i++)
    text_printf(&members,
                "%s{\"id\": \"r%d\", \"when\": {\"query.q\": {\"matches\": \"^b%d\"}},"
                " \"to\": \"canary\"}",
                i ? "," : "", i, i);
  text_add_char(&members, ']');
  struct bench bench;
  bench_init(&bench, members.p);
  static char query[2002] = "q=";
  memset(query + 2, 'a', 2000);
  struct decide_request request = request_of(NULL, 0);
  request.attr.query = str_make(query, sizeof(query));
  struct decision decision, traced;
  struct rules_trace trace;
  decide(bench.decider, &request, &decision, NULL, NULL);
  decide(bench.decider, &request, &traced, &trace, bench.arena);
  ck_assert_int_eq(decision.reason, REASON_LIMIT);
  ck_assert_ptr_eq(decision.rule, &bench.route->rules[WITHIN]);
  ck_assert_ptr_eq(traced.rule, decision.rule);
  for (size_t i = 0; i < WITHIN; i++)
    ck_assert_msg(trace.rules[i].result == RULE_UNMATCHED, "rule %zu", i);
  ck_assert_int_eq(trace.rules[WITHIN + 1].result, RULE_SKIPPED);
  bench_deinit(&bench);
  text_deinit(&members);
}
END_TEST

/* ---- time ------------------------------------------------------------------------------------ */

START_TEST(test_time_was_read)
{
  static const struct {
    const char *born, *region;
    bool read;
  } cases[] = {
      {NULL, "east", false}, /* a missing one depends on nothing */
      {"2025-12-31", "east", true},
      {"2025-12-31", "west", false}, /* the region is false already */
  };
  struct bench bench;
  bench_init(&bench,
             "\"rules\": [{\"id\": \"young\", \"when\": {\"region\": \"east\","
             " \"born.age\": {\"lt\": \"7d\"}}, \"to\": \"canary\"}]");
  for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
    struct http_field fields[] = {field("X-Region", str_from_cstr(cases[i].region)),
                                  field("X-Born", str_from_cstr(cases[i].born))};
    struct decide_request request = request_of(fields, cases[i].born ? 2 : 1);
    struct decision decision, traced;
    struct rules_trace trace;
    decide(bench.decider, &request, &decision, NULL, NULL);
    ck_assert_msg(decision.time_was_read == cases[i].read, "case %zu", i);
    /* The trace tries every condition, which decides nothing. */
    decide(bench.decider, &request, &traced, &trace, bench.arena);
    ck_assert_msg(traced.time_was_read == cases[i].read, "case %zu, traced", i);
  }
  bench_deinit(&bench);
}
END_TEST

/* ---- mirror ---------------------------------------------------------------------------------- */

/* A rule's own, else the route's; none where somebody forced, the route is off, or a limit ended
 * it.
 */
START_TEST(test_mirror)
{
  static const struct {
    const char *state, *region, *force, *copied_to;
  } cases[] = {
      {"on", NULL, NULL, "canary"},      {"on", "east", NULL, "canary"},
      {"on", "west", NULL, "second"},    {"on", "north", NULL, NULL},
      {"on", "costly", NULL, NULL},      {"on", NULL, "never", NULL},
      {"drain", "west", NULL, "second"}, {"off", "west", NULL, NULL},
      {"full", "west", NULL, "canary"},  {"full", "west", "always", NULL},
  };
  for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
    char members[1024];
    snprintf(
        members, sizeof(members),
        "\"state\": \"%s\", \"mirror\": {\"to\": \"canary\"}, \"rules\": ["
        "{\"id\": \"a\", \"when\": {\"region\": \"east\"}, \"to\": \"v1\"},"
        "{\"id\": \"b\", \"when\": {\"region\": \"west\"}, \"split\": {\"canary\": 5},"
        " \"mirror\": {\"to\": \"second\"}},"
        "{\"id\": \"c\", \"when\": {\"region\": \"north\"}, \"to\": \"v1\", \"mirror\": false},"
        "{\"id\": \"d\", \"when\": {\"user.id\": {\"matches\": \"^(a+)+$\"}}, \"to\": \"v1\"}]",
        cases[i].state);
    struct bench bench;
    bench_init(&bench, members);
    struct http_field fields[3];
    size_t n = 0;
    if (cases[i].region) fields[n++] = field("X-Region", str_from_cstr(cases[i].region));
    if (cases[i].force) fields[n++] = field("X-Canary", str_from_cstr(cases[i].force));
    if (cases[i].region && strcmp(cases[i].region, "costly") == 0)
      fields[n++] = field("X-User-Id", STR("aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaab"));
    struct decide_request request = request_of(fields, n);
    struct decision decision;
    decide(bench.decider, &request, &decision, NULL, NULL);
    const struct route_mirror *mirror = decision.mirror;
    struct str to = mirror ? bench.route->variants[mirror->to].name : STR("");
    ck_assert_msg(str_eq(to, str_from_cstr(cases[i].copied_to)), "case %zu: %.*s", i, STR_ARG(to));
    bench_deinit(&bench);
  }
}
END_TEST

UNIT_MAIN("decide", test_order_of_decision, test_default_without_split_reads_no_cookie,
          test_no_route, test_names, test_force, test_force_token, test_keys,
          test_split_by_goes_before_sticky_by, test_limit, test_budget_is_not_shared_with_trace,
          test_time_was_read, test_mirror)
