/*
 * decide: what a split gives to whom, and what the sticky cookie remembers of it.
 */
#include "decide_bench.h"

enum brought { NO_COOKIE, COOKIE, FORGED_COOKIE };
enum visitor_flags {
  AS_USER = 1,   /* X-User-Id is "u" */
  EXPLAINED = 2, /* nothing is drawn or set */
  TESTED = 4,    /* cookies are ignored */
  NO_RANDOM = 8  /* the system has no random bytes */
};
enum key { NO_BUCKET, OF_USER, OF_OLD_ID, OF_NEW_ID, AT_RANDOM };
enum remembered { NOTHING, ID, PIN };

/* A case is a line or two. */
/* clang-format off */

/* A cookie that is brought has the id 0xAA…, one that is made 0x01…. */
static const struct visit {
  const char *name;
  const char *members;
  const char *weight; /* of canary, in the default's split */
  struct {
    enum brought what;
    const char *pin; /* NULL: none */
    unsigned epoch;
    int64_t age_ms;
  } brings;
  unsigned flags;
  struct {
    const char *variant, *reason;
    enum key bucket;
  } gets;
  enum cookie_verdict verdict;
  struct {
    enum remembered what;
    bool new_id;
    unsigned epoch;
  } set;
} VISITS[] = {
    /* nothing known: an id is made, and becomes the key */
    {"first visit, drawn", "", "100", {NO_COOKIE}, 0,
     {"canary", "default", OF_NEW_ID}, COOKIE_ABSENT, {PIN, true, 1}},
    {"first visit, not drawn", "", "0", {NO_COOKIE}, 0,
     {"v1", "default", OF_NEW_ID}, COOKIE_ABSENT, {ID, true, 1}},
    {"no randomness, all", "", "100", {NO_COOKIE}, NO_RANDOM,
     {"canary", "default", NO_BUCKET}, COOKIE_ABSENT, {NOTHING}},
    {"no randomness, none", "", "0", {NO_COOKIE}, NO_RANDOM,
     {"v1", "default", NO_BUCKET}, COOKIE_ABSENT, {NOTHING}},
    /* a user is the key: an id is made only to carry a pin */
    {"user, drawn", "", "100", {NO_COOKIE}, AS_USER,
     {"canary", "default", OF_USER}, COOKIE_ABSENT, {PIN, true, 1}},
    {"user, not drawn", "", "0", {NO_COOKIE}, AS_USER,
     {"v1", "default", OF_USER}, COOKIE_ABSENT, {NOTHING}},
    {"user, drawn, no randomness", "", "100", {NO_COOKIE}, AS_USER | NO_RANDOM,
     {"canary", "default", OF_USER}, COOKIE_ABSENT, {NOTHING}},
    /* a known id without a pin */
    {"known, not drawn", "", "0", {COOKIE, NULL, 1}, 0,
     {"v1", "default", OF_OLD_ID}, COOKIE_VALID, {NOTHING}},
    {"known, drawn", "", "100", {COOKIE, NULL, 1}, 0,
     {"canary", "default", OF_OLD_ID}, COOKIE_VALID, {PIN, false, 1}},
    {"known, user drawn", "", "100", {COOKIE, NULL, 1}, AS_USER,
     {"canary", "default", OF_USER}, COOKIE_VALID, {PIN, false, 1}},
    {"known, old, not drawn", "", "0", {COOKIE, NULL, 1, 4 * DAY_MS}, 0,
     {"v1", "default", OF_OLD_ID}, COOKIE_VALID, {ID, false, 1}},
    {"known, old, user not drawn", "", "0", {COOKIE, NULL, 1, 4 * DAY_MS}, AS_USER,
     {"v1", "default", OF_USER}, COOKIE_VALID, {ID, false, 1}},
    /* a valid pin: whatever the weight and the key are */
    {"pinned", "", "0", {COOKIE, "canary", 1}, 0,
     {"canary", "pinned", NO_BUCKET}, COOKIE_VALID, {NOTHING}},
    {"pinned, user", "", "0", {COOKIE, "canary", 1}, AS_USER,
     {"canary", "pinned", NO_BUCKET}, COOKIE_VALID, {NOTHING}},
    {"pinned to the second, first at 100", "", "100", {COOKIE, "second", 1}, 0,
     {"second", "pinned", NO_BUCKET}, COOKIE_VALID, {NOTHING}},
    {"pinned, at half of ttl", "", "0", {COOKIE, "canary", 1, 84 * HOUR_MS}, 0,
     {"canary", "pinned", NO_BUCKET}, COOKIE_VALID, {NOTHING}},
    {"pinned, over half of ttl", "", "0", {COOKIE, "canary", 1, 84 * HOUR_MS + 1}, 0,
     {"canary", "pinned", NO_BUCKET}, COOKIE_VALID, {PIN, false, 1}},
    {"pinned in a later epoch", "", "0", {COOKIE, "canary", 9, 5 * DAY_MS}, 0,
     {"canary", "pinned", NO_BUCKET}, COOKIE_VALID, {PIN, false, 9}},
    {"pinned in this epoch", "\"sticky\": {\"epoch\": 2}", "0", {COOKIE, "canary", 2}, 0,
     {"canary", "pinned", NO_BUCKET}, COOKIE_VALID, {NOTHING}},
    /* void pins: the id stays */
    {"older epoch, not drawn", "\"sticky\": {\"epoch\": 2}", "0", {COOKIE, "canary", 1}, 0,
     {"v1", "default", OF_OLD_ID}, COOKIE_VOID_PIN, {NOTHING}},
    {"older epoch, drawn", "\"sticky\": {\"epoch\": 2}", "100", {COOKIE, "canary", 1}, 0,
     {"canary", "default", OF_OLD_ID}, COOKIE_VOID_PIN, {PIN, false, 2}},
    {"older epoch, old, not drawn: no variant", "\"sticky\": {\"epoch\": 2}", "0", {COOKIE, "canary", 1, 6 * DAY_MS}, 0,
     {"v1", "default", OF_OLD_ID}, COOKIE_VOID_PIN, {ID, false, 2}},
    {"pin to stable", "", "0", {COOKIE, "v1", 1}, 0,
     {"v1", "default", OF_OLD_ID}, COOKIE_VOID_PIN, {NOTHING}},
    {"pin to a variant that is gone", "", "100", {COOKIE, "gone", 1}, 0,
     {"canary", "default", OF_OLD_ID}, COOKIE_VOID_PIN, {PIN, false, 1}},
    /* refused cookies are absent, and overwritten only when one is set anyway */
    {"expired", "", "0", {COOKIE, "canary", 1, 7 * DAY_MS}, 0,
     {"v1", "default", OF_NEW_ID}, COOKIE_EXPIRED, {ID, true, 1}},
    {"not yet expired", "", "0", {COOKIE, "canary", 1, 7 * DAY_MS - 1}, 0,
     {"canary", "pinned", NO_BUCKET}, COOKIE_VALID, {PIN, false, 1}},
    {"forged", "", "0", {FORGED_COOKIE, "canary", 1}, 0,
     {"v1", "default", OF_NEW_ID}, COOKIE_FORGED, {ID, true, 1}},
    {"forged, user not drawn", "", "0", {FORGED_COOKIE, "canary", 1}, AS_USER,
     {"v1", "default", OF_USER}, COOKIE_FORGED, {NOTHING}},
    /* drain: pins run out */
    {"drain, pinned and old", "\"state\": \"drain\"", "100", {COOKIE, "canary", 1, 6 * DAY_MS}, 0,
     {"canary", "pinned", NO_BUCKET}, COOKIE_VALID, {NOTHING}},
    {"drain, first visit", "\"state\": \"drain\"", "100", {NO_COOKIE}, 0,
     {"v1", "default", NO_BUCKET}, COOKIE_ABSENT, {NOTHING}},
    {"drain, user", "\"state\": \"drain\"", "100", {NO_COOKIE}, AS_USER,
     {"v1", "default", NO_BUCKET}, COOKIE_ABSENT, {NOTHING}},
    {"drain, known and old", "\"state\": \"drain\"", "100", {COOKIE, NULL, 1, 6 * DAY_MS}, 0,
     {"v1", "default", NO_BUCKET}, COOKIE_VALID, {NOTHING}},
    /* no cookie: no pin, no id, drawn anew each time */
    {"cookieless, pinned", "\"sticky\": false", "0", {COOKIE, "canary", 1}, 0,
     {"v1", "default", AT_RANDOM}, COOKIE_NOT_READ, {NOTHING}},
    {"cookieless, drawn", "\"sticky\": false", "100", {NO_COOKIE}, 0,
     {"canary", "default", AT_RANDOM}, COOKIE_NOT_READ, {NOTHING}},
    {"cookieless, user", "\"sticky\": {\"cookie\": false}", "100", {NO_COOKIE}, AS_USER,
     {"canary", "default", OF_USER}, COOKIE_NOT_READ, {NOTHING}},
    {"cookieless, no randomness", "\"sticky\": false", "0", {NO_COOKIE}, NO_RANDOM,
     {"v1", "default", NO_BUCKET}, COOKIE_NOT_READ, {NOTHING}},
    {"cookieless, explained", "\"sticky\": false", "50", {NO_COOKIE}, EXPLAINED,
     {"v1", "default", NO_BUCKET}, COOKIE_NOT_READ, {NOTHING}},
    /* explain verifies but makes nothing */
    {"explained, pinned and old", "", "0", {COOKIE, "canary", 1, 6 * DAY_MS}, EXPLAINED,
     {"canary", "pinned", NO_BUCKET}, COOKIE_VALID, {NOTHING}},
    {"explained, known", "", "0", {COOKIE, NULL, 1}, EXPLAINED,
     {"v1", "default", OF_OLD_ID}, COOKIE_VALID, {NOTHING}},
    {"explained, unknown", "", "50", {NO_COOKIE}, EXPLAINED,
     {"v1", "default", NO_BUCKET}, COOKIE_ABSENT, {NOTHING}},
    {"explained, unknown, all", "", "100", {NO_COOKIE}, EXPLAINED,
     {"canary", "default", NO_BUCKET}, COOKIE_ABSENT, {NOTHING}},
    {"explained, user", "", "100", {NO_COOKIE}, AS_USER | EXPLAINED,
     {"canary", "default", OF_USER}, COOKIE_ABSENT, {NOTHING}},
    /* tests ignore cookies */
    {"tested, pinned", "", "0", {COOKIE, "canary", 1}, EXPLAINED | TESTED,
     {"v1", "default", NO_BUCKET}, COOKIE_NOT_READ, {NOTHING}},
};

/* clang-format on */

static struct str cookie_header(struct bench *bench, const struct visit *visit, char *buffer) {
  struct sticky_cookie cookie = {.variant = str_from_cstr(visit->brings.pin),
                                 .epoch = visit->brings.epoch,
                                 .issued_ms = NOW_MS - visit->brings.age_ms};
  memset(cookie.anonymous_id, 0xAA, ANONYMOUS_ID_BYTES);
  struct str prefix = STR("a=1; adit_shop=");
  memcpy(buffer, prefix.p, prefix.n);
  size_t n = sticky_cookie_write(bench->decider, STR("adit_shop"), &cookie, buffer + prefix.n);
  ck_assert_uint_gt(n, 0);
  if (visit->brings.what == FORGED_COOKIE) {
    char *last = &buffer[prefix.n + n - 2];
    *last = *last == 'A' ? 'B' : 'A';
  }
  return str_make(buffer, prefix.n + n);
}

static int bucket_of(const struct visit *visit) {
  char buffer[64];
  switch (visit->gets.bucket) {
    case NO_BUCKET:
      return -1;
    case OF_USER:
      return (int)rules_bucket(STR("shop"), STR("u"));
    case OF_OLD_ID:
      return (int)rules_bucket(STR("shop"), id_key(0xAA, buffer));
    case OF_NEW_ID:
      return (int)rules_bucket(STR("shop"), id_key(1, buffer));
    case AT_RANDOM:
      return (int)(((uint64_t)0x01010101 * BUCKETS) >> 32);
  }
  return -2;
}

/* The value inside a Set-Cookie field. */
static struct str cookie_value(struct str set_cookie) {
  size_t from = str_find_char(set_cookie, '=', 0) + 1;
  return str_skip(str_take(set_cookie, str_find_char(set_cookie, ';', 0)), from);
}

static void check_set(struct bench *bench, const struct visit *visit,
                      const struct decision *decision) {
  ck_assert_msg((decision->set_cookie.p != NULL) == (visit->set.what != NOTHING), "%s: sets '%.*s'",
                visit->name, (int)decision->set_cookie.n,
                decision->set_cookie.p ? decision->set_cookie.p : "");
  if (visit->set.what == NOTHING) return;
  struct sticky_cookie cookie;
  ck_assert_int_eq(sticky_cookie_read(bench->decider, STR("adit_shop"),
                                      cookie_value(decision->set_cookie), DAY_MS, NOW_MS, &cookie),
                   COOKIE_VALID);
  struct str pin = visit->set.what == PIN ? str_from_cstr(visit->gets.variant) : (struct str){0};
  ck_assert_msg(str_eq(cookie.variant, pin), "%s: pins '%.*s'", visit->name,
                STR_ARG(cookie.variant));
  ck_assert_msg(cookie.issued_ms == NOW_MS, "%s: issued", visit->name);
  ck_assert_msg(cookie.epoch == visit->set.epoch, "%s: epoch %u", visit->name, cookie.epoch);
  ck_assert_msg(cookie.anonymous_id[0] == (visit->set.new_id ? 1 : 0xAA), "%s: id %02x",
                visit->name, cookie.anonymous_id[0]);
  ck_assert_msg(decision->private_response, "%s: private", visit->name);
}

static void check_visit(const struct visit *visit) {
  char members[512], buffer[1024];
  snprintf(members, sizeof(members), "%s%s\"default\": {\"split\": {\"canary\": %s}}",
           visit->members, visit->members[0] ? ", " : "", visit->weight);
  struct bench bench;
  bench_init(&bench, members);
  bench.random_fails = (visit->flags & NO_RANDOM) != 0;
  struct http_field fields[2];
  size_t n = 0;
  if (visit->flags & AS_USER) fields[n++] = field("X-User-Id", STR("u"));
  if (visit->brings.what != NO_COOKIE)
    fields[n++] = field("Cookie", cookie_header(&bench, visit, buffer));
  struct decide_request request = request_of(fields, n);
  request.draw = !(visit->flags & EXPLAINED);
  request.ignore_cookie = (visit->flags & TESTED) != 0;
  request.random = visit->flags & EXPLAINED ? NULL : counted_random;
  request.random_context = &bench;
  struct decision decision;
  decide(bench.decider, &request, &decision, NULL, NULL);
  ck_assert_msg(str_eq(variant_of(&decision), str_from_cstr(visit->gets.variant)),
                "%s: variant %.*s", visit->name, STR_ARG(variant_of(&decision)));
  ck_assert_msg(strcmp(decide_reason_name(decision.reason), visit->gets.reason) == 0,
                "%s: reason %s", visit->name, decide_reason_name(decision.reason));
  ck_assert_msg(decision.bucket == bucket_of(visit), "%s: bucket %d", visit->name, decision.bucket);
  ck_assert_msg(decision.cookie == visit->verdict, "%s: cookie %s", visit->name,
                cookie_verdict_name(decision.cookie));
  bool refused = visit->verdict == COOKIE_FORGED || visit->verdict == COOKIE_EXPIRED;
  ck_assert_msg(decision.cookies_refused == refused, "%s: refused", visit->name);
  check_set(&bench, visit, &decision);
  bench_deinit(&bench);
}

START_TEST(test_visits)
{
  for (size_t i = 0; i < sizeof(VISITS) / sizeof(*VISITS); i++) check_visit(&VISITS[i]);
}
END_TEST

/* As the weight rises nobody who was drawn bounces, whatever order visits come in; lowering it
 * leaves the pinned where they are. */
START_TEST(test_raising_moves_nobody_back)
{
  static const char *const weights[] = {"1", "5", "25", "50.5", "75", "0"};
  enum { VISITORS = 150 };
  static char jars[VISITORS][COOKIE_VALUE_MAX + 16];
  static size_t jar_n[VISITORS];
  bool drawn[VISITORS] = {false};
  size_t moved = 0;
  for (size_t w = 0; w < sizeof(weights) / sizeof(*weights); w++) {
    char members[128];
    snprintf(members, sizeof(members), "\"default\": {\"split\": {\"canary\": %s}}", weights[w]);
    struct bench bench;
    bench_init(&bench, members);
    for (size_t i = 0; i < VISITORS; i++) {
      bench.randoms = (unsigned)i; /* visitor i's id is made of i + 1 */
      struct http_field fields[] = {field("Cookie", str_make(jars[i], jar_n[i]))};
      struct decide_request request = request_of(fields, jar_n[i] > 0);
      request.draw = true;
      request.random = counted_random;
      request.random_context = &bench;
      struct decision decision;
      decide(bench.decider, &request, &decision, NULL, NULL);
      bool canary = str_eq(variant_of(&decision), STR("canary"));
      ck_assert_msg(canary || !drawn[i], "visitor %zu bounced at %s", i, weights[w]);
      moved += canary && !drawn[i];
      drawn[i] = canary;
      if (!decision.set_cookie.p) continue;
      jar_n[i] = str_find_char(decision.set_cookie, ';', 0);
      memcpy(jars[i], decision.set_cookie.p, jar_n[i]);
    }
    bench_deinit(&bench);
  }
  ck_assert_uint_gt(moved, VISITORS / 2);
  ck_assert_uint_lt(moved, VISITORS);
}
END_TEST

START_TEST(test_several_cookies)
{
  static const struct {
    const char *jar; /* V valid, F forged, E expired, M malformed, O another name */
    bool pinned;
    unsigned refused;
    enum cookie_verdict verdict;
  } cases[] = {
      {"V", true, 0, COOKIE_VALID},          {"FV", true, 1, COOKIE_VALID},
      {"VF", true, 0, COOKIE_VALID},         {"FEMV", true, 3, COOKIE_VALID},
      {"MFFFV", false, 4, COOKIE_MALFORMED}, {"EFFFF", false, 4, COOKIE_EXPIRED},
      {"OOOOOV", true, 0, COOKIE_VALID},     {"OO", false, 0, COOKIE_ABSENT},
  };
  struct bench bench;
  bench_init(&bench, "\"default\": {\"split\": {\"canary\": 0}}");
  for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
    struct text jar;
    text_init(&jar, 1 << 14);
    for (const char *kind = cases[i].jar; *kind; kind++) {
      struct sticky_cookie cookie = {
          .variant = STR_INIT("canary"), .epoch = 1, .issued_ms = NOW_MS};
      if (*kind == 'E') cookie.issued_ms -= 8 * DAY_MS;
      char value[COOKIE_VALUE_MAX];
      size_t n = sticky_cookie_write(bench.decider, STR("adit_shop"), &cookie, value);
      if (*kind == 'F') value[n - 3] ^= 1;
      if (*kind == 'M') n = 5;
      text_printf(&jar, "adit_%s=%.*s; ", *kind == 'O' ? "Shop" : "shop", (int)n, value);
    }
    struct http_field fields[] = {field("Cookie", text_str(&jar))};
    struct decide_request request = request_of(fields, 1);
    struct decision decision;
    decide(bench.decider, &request, &decision, NULL, NULL);
    ck_assert_msg((decision.reason == REASON_PINNED) == cases[i].pinned, "%s", cases[i].jar);
    ck_assert_msg(decision.cookies_refused == cases[i].refused, "%s: %u refused", cases[i].jar,
                  decision.cookies_refused);
    ck_assert_msg(decision.cookie == cases[i].verdict, "%s: %s", cases[i].jar,
                  cookie_verdict_name(decision.cookie));
    text_deinit(&jar);
  }
  bench_deinit(&bench);
}
END_TEST

UNIT_MAIN("decide_visits", test_visits, test_raising_moves_nobody_back, test_several_cookies)
