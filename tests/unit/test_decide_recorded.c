/* decide: decisions made again of what a log tells, and what it does not tell. */
#include "decide_bench.h"

#define RULES                                                                                    \
  "\"rules\": [{\"id\": \"eu\", \"when\": {\"region\": \"eu\"}, \"to\": \"canary\"},"            \
  "{\"id\": \"any\", \"when\": {\"any\": [{\"region\": \"asia\"}, {\"header.x-beta\": \"1\"}]}," \
  "\"to\": \"second\"}]"
#define DRAW \
  RULES ", \"sticky\": {\"by\": [\"user.id\"]}, \"default\": {\"split\": {\"canary\": 10}}"
#define FORCE ", \"force\": {\"header\": \"X-Force\", \"values\": {\"always\": \"canary\"}}"

enum { LIST_MAX = 4 };

/* Each given as "name=value"; "name" alone is missing, "name?" unknown, "name!" undecided. */
static void give(const char *const *list, struct str *texts, struct attr_given *given,
                 struct attr_request *ret) {
  for (size_t i = 0; i < LIST_MAX && list[i]; i++) {
    struct str whole = str_from_cstr(list[i]);
    const size_t at = str_find_char(whole, '=', 0);
    given[i] = (struct attr_given){.name = str_take(whole, at), .texts = &texts[i]};
    texts[i] = str_skip(whole, at + 1);
    if (at < whole.n) given[i].n = 1;
    const char last = whole.p[whole.n - 1];
    if (at == whole.n && (last == '?' || last == '!')) {
      given[i].name.n--;
      given[i].state = last == '?' ? GIVEN_UNKNOWN : GIVEN_UNDECIDED;
    }
    ret->given_count = i + 1;
  }
  ret->given = given;
  ret->recorded = true;
}

static const struct recorded_case {
  const char *given[LIST_MAX];
  const char *forced, *pin;
  enum cookie_verdict cookie;
  int bucket;
  const char *variant, *reason; /* of a decision */
  enum decide_unknown unknown;
  const char *slot;
} CASES[] = {
    /* an attribute: given, missing, not told, redacted; only where it matters */
    {{"region=eu"}, NULL, NULL, COOKIE_ABSENT, -1, "canary", "rule", 0, NULL},
    {{NULL}, NULL, NULL, COOKIE_ABSENT, 5, NULL, NULL, UNKNOWN_ATTRIBUTE, "region"},
    {{"region?"}, NULL, NULL, COOKIE_ABSENT, 5, NULL, NULL, UNKNOWN_ATTRIBUTE, "region"},
    {{"region=asia"}, NULL, NULL, COOKIE_ABSENT, -1, "second", "rule", 0, NULL},
    {{"region=us"}, NULL, NULL, COOKIE_ABSENT, 5, NULL, NULL, UNKNOWN_ATTRIBUTE, "header.x-beta"},
    {{"region=us", "header.x-beta=1"}, NULL, NULL, 0, -1, "second", "rule", 0, NULL},
    {{"region!"}, NULL, NULL, COOKIE_ABSENT, 5, "v1", "limit", 0, NULL},
    /* a key that is told goes before the bucket, which stands for one that is not */
    {{"region", "header.x-beta", "user.id=anna"}, 0, 0, COOKIE_ABSENT, 5, "v1", "default", 0, NULL},
    {{"region", "header.x-beta", "user.id?"}, 0, 0, COOKIE_ABSENT, 5, "canary", "default", 0, NULL},
    {{"region", "header.x-beta", "user.id"}, 0, 0, COOKIE_ABSENT, 5, "canary", "default", 0, NULL},
    {{"region", "header.x-beta"}, NULL, NULL, COOKIE_ABSENT, 5, "canary", "default", 0, NULL},
    {{"region", "header.x-beta", "user.id"}, 0, 0, COOKIE_ABSENT, -1, 0, 0, UNKNOWN_BUCKET, NULL},
    {{"region", "header.x-beta"}, 0, 0, COOKIE_ABSENT, -1, 0, 0, UNKNOWN_ATTRIBUTE, "user.id"},
    /* pins */
    {{"region", "header.x-beta"}, 0, "second", COOKIE_VALID, 5, "second", "pinned", 0, NULL},
    {{"region", "header.x-beta"}, 0, "gone", COOKIE_VALID, 5, "canary", "default", 0, NULL},
    {{"region", "header.x-beta"}, 0, NULL, COOKIE_VALID, 9000, "v1", "default", 0, NULL},
    {{"region", "header.x-beta"}, 0, NULL, COOKIE_VOID_PIN, 9000, "v1", "default", 0, NULL},
    {{"region", "header.x-beta"}, 0, NULL, COOKIE_NOT_READ, 9000, NULL, NULL, UNKNOWN_PIN, NULL},
    /* forced: by its variant, whatever the rules would say */
    {{NULL}, "canary", NULL, COOKIE_NOT_READ, -1, "canary", "forced", 0, NULL},
    {{NULL}, "v1", NULL, COOKIE_NOT_READ, -1, "v1", "forced", 0, NULL},
    {{"region=eu"}, "gone", NULL, COOKIE_NOT_READ, -1, "canary", "rule", 0, NULL},
};

/* Decides, and expects what is unknown, or the variant. */
static struct decision expect_decision(struct bench *bench, const struct decide_request *request,
                                       size_t i, enum decide_unknown unknown, const char *variant) {
  struct decision decision;
  decide(bench->decider, request, &decision, NULL, NULL);
  ck_assert_msg(decision.unknown == unknown, "case %zu: %d", i, (int)decision.unknown);
  if (unknown == UNKNOWN_NOTHING)
    ck_assert_msg(str_eq(variant_of(&decision), str_from_cstr(variant)), "case %zu", i);
  return decision;
}

START_TEST(test_cases)
{
  struct bench bench;
  bench_init(&bench, DRAW FORCE);
  for (size_t i = 0; i < sizeof(CASES) / sizeof(*CASES); i++) {
    const struct recorded_case *c = &CASES[i];
    struct str texts[LIST_MAX];
    struct attr_given given[LIST_MAX];
    struct decide_request request = request_of(NULL, 0);
    give(c->given, texts, given, &request.attr);
    const struct decide_recorded recorded = {.forced = str_from_cstr(c->forced),
                                             .force_of = bench.route,
                                             .pin = str_from_cstr(c->pin),
                                             .cookie = c->cookie,
                                             .bucket = c->bucket,
                                             .route = bench.route,
                                             .split = &bench.route->default_split};
    request.recorded = &recorded;
    const struct decision decision = expect_decision(&bench, &request, i, c->unknown, c->variant);
    if (c->slot)
      ck_assert_view_eq(attr_table_name(bench.route->table, decision.unknown_slot), c->slot);
    if (c->unknown != UNKNOWN_NOTHING) continue;
    ck_assert_str_eq(decide_reason_name(decision.reason), c->reason);
  }
  bench_deinit(&bench);
}
END_TEST

/* What was drawn and pinned under one file, under another. */
#define TTL(span) ", \"ttl\": \"" span "\""
static const struct across_case {
  const char *then, *now;
  const char *pin;
  enum cookie_verdict cookie;
  const char *variant, *reason;
  enum decide_unknown unknown;
} ACROSS[] = {
    {"", "", NULL, COOKIE_ABSENT, "canary", "default", 0},
    {"", ", \"salt\": \"other\"", NULL, COOKIE_ABSENT, NULL, NULL, UNKNOWN_BUCKET},
    {"", ", \"by\": [\"region\"]", NULL, COOKIE_ABSENT, NULL, NULL, UNKNOWN_BUCKET},
    {"", ", \"epoch\": 2", NULL, COOKIE_ABSENT, "canary", "default", 0},
    {"", ", \"epoch\": 2", "second", COOKIE_VALID, "canary", "default", 0},
    {", \"epoch\": 2", "", "second", COOKIE_VALID, "second", "pinned", 0},
    {", \"epoch\": 2", "", NULL, COOKIE_VOID_PIN, NULL, NULL, UNKNOWN_PIN},
    {"", ", \"epoch\": 2", NULL, COOKIE_VOID_PIN, "canary", "default", 0},
    /* who kept no cookies may have kept some before; what drew without one draws otherwise */
    {", \"cookie\": false", "", NULL, COOKIE_NOT_READ, NULL, NULL, UNKNOWN_PIN},
    {", \"cookie\": false", ", \"cookie\": false", NULL, COOKIE_NOT_READ, "canary", "default", 0},
    {"", ", \"cookie\": false", "second", COOKIE_VALID, NULL, NULL, UNKNOWN_BUCKET},
    /* how old a cookie was is not told */
    {TTL("2d"), TTL("2d"), "second", COOKIE_VALID, "second", "pinned", 0},
    {TTL("2d"), TTL("1d"), "second", COOKIE_VALID, NULL, NULL, UNKNOWN_PIN},
    {TTL("2d"), TTL("3d"), "second", COOKIE_VALID, "second", "pinned", 0},
    {TTL("2d"), TTL("1d"), NULL, COOKIE_VALID, "canary", "default", 0},
    {TTL("2d"), TTL("1d"), NULL, COOKIE_EXPIRED, "canary", "default", 0},
    {TTL("2d"), TTL("3d"), NULL, COOKIE_EXPIRED, NULL, NULL, UNKNOWN_PIN},
    /* a cookie of another name was not looked for */
    {"", ", \"group\": \"g\"", "second", COOKIE_VALID, NULL, NULL, UNKNOWN_PIN},
};

static void init_sticky(struct bench *bench, const char *sticky) {
  char members[512];
  const char *by = strstr(sticky, "\"by\"") ? "\"same_site\": \"Lax\"" : "\"by\": [\"user.id\"]";
  snprintf(members, sizeof(members),
           "\"sticky\": {%s%s}, \"default\": {\"split\": {\"canary\": 10}}", by, sticky);
  bench_init(bench, members);
}

START_TEST(test_across)
{
  for (size_t i = 0; i < sizeof(ACROSS) / sizeof(*ACROSS); i++) {
    const struct across_case *c = &ACROSS[i];
    struct bench then, now;
    init_sticky(&then, c->then);
    init_sticky(&now, c->now);
    static const char *const list[LIST_MAX] = {"region", "user.id"};
    struct str texts[LIST_MAX];
    struct attr_given given[LIST_MAX];
    struct decide_request request = request_of(NULL, 0);
    give(list, texts, given, &request.attr);
    struct decide_recorded recorded = {.force_of = then.route,
                                       .pin = str_from_cstr(c->pin),
                                       .cookie = c->cookie,
                                       .bucket = 5,
                                       .route = then.route,
                                       .split = &then.route->default_split};
    request.recorded = &recorded;
    struct decision decision = expect_decision(&now, &request, i, c->unknown, c->variant);
    if (c->unknown == UNKNOWN_NOTHING)
      ck_assert_str_eq(decide_reason_name(decision.reason), c->reason);
    if (c->unknown == UNKNOWN_PIN && c->cookie != COOKIE_VALID) {
      recorded.assume_no_pin = true;
      decide(now.decider, &request, &decision, NULL, NULL);
      ck_assert_msg(decision.unknown != UNKNOWN_PIN, "case %zu", i);
    }
    bench_deinit(&then);
    bench_deinit(&now);
  }
}
END_TEST

/* Who forced a variant, or none, under one file, under another. The client is 203.0.113.7. */
#define VALUES(values) "\"force\": {\"values\": {" values "}}"
#define FROM(networks) "\"force\": {\"allow_from\": [" networks "]}"
static const struct force_case {
  const char *then, *now; /* `then` NULL: not known */
  const char *forced, *variant;
  enum decide_unknown unknown;
} FORCED[] = {
    {"", "", NULL, "v1", 0},
    {"", "", "canary", "canary", 0},
    {"", "", "v1", "v1", 0},
    /* the same, said otherwise: by default, or in another order */
    {"", VALUES("\"never\": \"v1\", \"always\": \"canary\""), "canary", "canary", 0},
    {FROM("\"203.0.113.0/24\", \"::/0\""), FROM("\"::/0\", \"203.0.113.0/24\""), "canary", "canary",
     0},
    /* by what a value says, or who may, or where it stands */
    {"", VALUES("\"never\": \"v1\", \"always\": \"second\""), "canary", NULL, UNKNOWN_FORCE},
    {"", VALUES("\"never\": \"v1\", \"always\": \"second\""), NULL, NULL, UNKNOWN_FORCE},
    {"", VALUES("\"yes\": \"canary\""), "v1", NULL, UNKNOWN_FORCE},
    {"", "\"force\": {\"header\": \"X-Other\"}", "canary", NULL, UNKNOWN_FORCE},
    {"", "\"force\": {\"cookie\": \"qa\"}", NULL, NULL, UNKNOWN_FORCE},
    {FROM("\"203.0.113.0/24\""), "", NULL, NULL, UNKNOWN_FORCE},
    {FROM("\"203.0.113.0/24\""), FROM("\"203.0.113.7/32\""), "canary", NULL, UNKNOWN_FORCE},
    /* nobody may, or nobody from there */
    {"", "\"force\": false", "canary", "v1", 0},
    {"", FROM("\"192.0.2.0/24\""), "canary", "v1", 0},
    {"", FROM("\"192.0.2.0/24\""), NULL, "v1", 0},
    {"\"force\": false", "", NULL, NULL, UNKNOWN_FORCE},
    {NULL, "", NULL, NULL, UNKNOWN_FORCE},
    {NULL, "", "canary", NULL, UNKNOWN_FORCE},
    {NULL, "\"force\": false", "canary", "v1", 0},
};

START_TEST(test_forced_across)
{
  for (size_t i = 0; i < sizeof(FORCED) / sizeof(*FORCED); i++) {
    const struct force_case *c = &FORCED[i];
    struct bench then, now;
    bench_init(&then, c->then ? c->then : "");
    bench_init(&now, c->now);
    struct decide_request request = request_of(NULL, 0);
    request.attr.recorded = true;
    struct decide_recorded recorded = {
        .forced = str_from_cstr(c->forced), .force_of = c->then ? then.route : NULL, .bucket = -1};
    request.recorded = &recorded;
    struct decision decision = expect_decision(&now, &request, i, c->unknown, c->variant);
    if (c->unknown != UNKNOWN_NOTHING) {
      recorded.assume_no_force = true; /* who did force is not known to do so no more */
      decide(now.decider, &request, &decision, NULL, NULL);
      ck_assert_msg((decision.unknown == UNKNOWN_FORCE) == (c->forced != NULL), "case %zu", i);
    }
    bench_deinit(&then);
    bench_deinit(&now);
  }
}
END_TEST

/* A client whose address is redacted may be one of those who may. */
START_TEST(test_forced_by_nobody_knows_whom)
{
  struct bench bench;
  bench_init(&bench, FROM("\"192.0.2.0/24\""));
  struct decide_request request = request_of(NULL, 0);
  const struct decide_recorded recorded = {.bucket = -1};
  request.attr.recorded = request.attr.untold_client_ip = true;
  request.recorded = &recorded;
  struct decision decision;
  decide(bench.decider, &request, &decision, NULL, NULL);
  ck_assert_int_eq(decision.unknown, UNKNOWN_FORCE);
  bench_deinit(&bench);
}
END_TEST

/* A query is in every line, so that what comes from it is known; a header's is not. */
START_TEST(test_told_by_the_line)
{
  struct bench bench;
  bench_init(&bench,
             "\"rules\": [{\"id\": \"q\", \"when\": {\"query.a\": \"1\"}, \"to\": \"canary\"},"
             "{\"id\": \"d\", \"when\": {\"phone\": \"b\"}, \"to\": \"second\"},"
             "{\"id\": \"c\", \"when\": {\"cookie.a\": \"b\"}, \"to\": \"second\"}]");
  static const struct {
    const char *query, *variant;
  } cases[] = {{"a=1", "canary"}, {"d=b", "second"}, {"", NULL}, {NULL, NULL}};
  for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
    struct decide_request request = request_of(NULL, 0);
    const struct decide_recorded recorded = {.force_of = bench.route, .bucket = -1};
    request.attr.recorded = true;
    request.attr.query = str_from_cstr(cases[i].query);
    request.recorded = &recorded;
    struct decision decision;
    decide(bench.decider, &request, &decision, NULL, NULL);
    if (cases[i].variant) {
      ck_assert_int_eq(decision.unknown, UNKNOWN_NOTHING);
      ck_assert_view_eq(variant_of(&decision), cases[i].variant);
      ck_assert(decider_has_read(bench.decider, 0));
      ck_assert(!decider_has_read(bench.decider, 2));
    } else {
      ck_assert_int_eq(decision.unknown, UNKNOWN_ATTRIBUTE);
      ck_assert_view_eq(attr_table_name(bench.route->table, decision.unknown_slot), "cookie.a");
    }
  }
  bench_deinit(&bench);
}
END_TEST

/* What is redacted of the line itself. */
START_TEST(test_untold_by_the_line)
{
  static const struct {
    const char *when;
    const char *name; /* what is not known */
  } cases[] = {{"{\"client_ip\": {\"in_cidr\": \"203.0.113.0/24\"}}", "client_ip"},
               {"{\"query.a\": \"1\"}", "query.a"},
               {"{\"phone\": \"b\"}", "phone"}};
  for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
    char members[256];
    snprintf(members, sizeof(members),
             "\"rules\": [{\"id\": \"r\", \"when\": %s, \"to\": \"canary\"}]", cases[i].when);
    struct bench bench;
    bench_init(&bench, members);
    struct decide_request request = request_of(NULL, 0);
    const struct decide_recorded recorded = {.force_of = bench.route, .bucket = -1};
    request.attr.recorded = true;
    request.attr.query = STR("a=1&d=b");
    request.recorded = &recorded;
    struct decision decision;
    decide(bench.decider, &request, &decision, NULL, NULL);
    ck_assert_int_eq(decision.unknown, UNKNOWN_NOTHING);
    ck_assert_view_eq(variant_of(&decision), "canary");
    request.attr.untold_query = request.attr.untold_client_ip = true;
    decide(bench.decider, &request, &decision, NULL, NULL);
    ck_assert_int_eq(decision.unknown, UNKNOWN_ATTRIBUTE);
    ck_assert_view_eq(attr_table_name(bench.route->table, decision.unknown_slot), cases[i].name);
    bench_deinit(&bench);
  }
}
END_TEST

/* Two readings of the path, of which one needs what the log does not have. */
START_TEST(test_ambiguous_path)
{
  struct bench bench;
  bench_init(&bench,
             "\"rules\": [{\"id\": \"p\", \"when\": {\"path\": {\"under\": \"/a\"},"
             "\"region\": \"eu\"}, \"to\": \"canary\"}]");
  struct decide_request request = request_of(NULL, 0);
  const struct decide_recorded recorded = {.force_of = bench.route, .bucket = -1};
  request.attr.recorded = true;
  request.recorded = &recorded;
  request.attr.path = STR("/x%2F..%2Fa");
  request.attr.other_paths[0] = STR("/a");
  request.attr.other_path_count = 1;
  struct decision decision;
  decide(bench.decider, &request, &decision, NULL, NULL);
  ck_assert_int_eq(decision.unknown, UNKNOWN_ATTRIBUTE);
  struct str text = STR("eu");
  const struct attr_given given = {.name = STR_INIT("region"), .texts = &text, .n = 1};
  request.attr.given = &given;
  request.attr.given_count = 1;
  decide(bench.decider, &request, &decision, NULL, NULL);
  ck_assert_int_eq(decision.unknown, UNKNOWN_NOTHING);
  ck_assert_int_eq(decision.reason, REASON_AMBIGUOUS);
  bench_deinit(&bench);
}
END_TEST

UNIT_MAIN("decide_recorded", test_cases, test_across, test_forced_across,
          test_forced_by_nobody_knows_whom, test_told_by_the_line, test_untold_by_the_line,
          test_ambiguous_path)
