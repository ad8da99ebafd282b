/* decide: the value of the sticky cookie, and the Set-Cookie field around it. */
#include "decide_bench.h"

static const struct sticky_cookie PINNED = {.variant = STR_INIT("canary"),
                                            .epoch = 7,
                                            .anonymous_id = {1, 2, 3, 250},
                                            .issued_ms = 1767225600000};

START_TEST(test_cookie_value)
{
  struct decider *decider = decider_new(NULL, KEYS, 2);
  char value[COOKIE_VALUE_MAX];
  size_t n = sticky_cookie_write(decider, STR("adit_shop"), &PINNED, value);
  struct str text = str_make(value, n);
  /* The layout is a promise to cookies that are out there; the tag is checked by its own rules. */
  struct str head = STR("1~new~canary~7~AQID-gAAAAAAAAAAAAAAAA~1767225600000~");
  ck_assert(str_starts_with(text, head));
  ck_assert_uint_eq(text.n, head.n + 43);
  static const uint8_t message[] =
      "\0\0\0\x12"
      "adit sticky cookie"
      "\0\0\0\x09"
      "adit_shop"
      "\0\0\0\x01"
      "1"
      "\0\0\0\x03"
      "new"
      "\0\0\0\x06"
      "canary"
      "\0\0\0\x01"
      "7"
      "\0\0\0\x16"
      "AQID-gAAAAAAAAAAAAAAAA"
      "\0\0\0\x0d"
      "1767225600000";
  struct str part = str_make((const char *)message, sizeof(message) - 1);
  uint8_t tag[HMAC_TAG_BYTES];
  char tag_text[64];
  struct hmac *hmac = hmac_new(KEYS[0].secret);
  ck_assert(hmac_tag(hmac, &part, 1, tag));
  size_t tag_n = base64url_encode(str_make((const char *)tag, sizeof(tag)), tag_text);
  ck_assert(str_eq(str_skip(text, head.n), str_make(tag_text, tag_n)));
  hmac_free(&hmac);

  for (size_t i = 0; i < n; i++) { /* cookie-octets of RFC 6265, and none that divides names */
    ck_assert_msg(value[i] > 0x20 && value[i] < 0x7f && !strchr("\",;\\=", value[i]), "octet %zu",
                  i);
  }
  struct sticky_cookie back;
  ck_assert_int_eq(sticky_cookie_read(decider, STR("adit_shop"), text, DAY_MS, NOW_MS, &back),
                   COOKIE_VALID);
  ck_assert_view_eq(back.variant, "canary");
  ck_assert_uint_eq(back.epoch, 7);
  ck_assert_int_eq(back.issued_ms, NOW_MS);
  ck_assert_mem_eq(back.anonymous_id, PINNED.anonymous_id, ANONYMOUS_ID_BYTES);
  decider_free(&decider);
}
END_TEST

START_TEST(test_cookie_without_pin)
{
  struct decider *decider = decider_new(NULL, KEYS, 1);
  struct sticky_cookie cookie = PINNED, back = PINNED;
  cookie.variant = (struct str){0};
  char value[COOKIE_VALUE_MAX];
  size_t n = sticky_cookie_write(decider, STR("a"), &cookie, value);
  ck_assert_int_eq(sticky_cookie_read(decider, STR("a"), str_make(value, n), 1, NOW_MS, &back),
                   COOKIE_VALID);
  ck_assert_ptr_null(back.variant.p);
  decider_free(&decider);
}
END_TEST

/* As long as a name of the contract may be. */
#define LONGEST "0123456789012345678901234567890123456789012345678901234567890123"

START_TEST(test_cookie_longest)
{
  struct sticky_key keys[] = {{STR_INIT(LONGEST), STR_INIT("0123456789abcdef0123456789abcdef")}};
  struct decider *decider = decider_new(NULL, keys, 1);
  struct sticky_cookie cookie = {.variant = STR_INIT(LONGEST),
                                 .epoch = UINT32_MAX,
                                 .issued_ms = INT64_MAX},
                       back;
  memset(cookie.anonymous_id, 0xff, ANONYMOUS_ID_BYTES);
  char value[COOKIE_VALUE_MAX];
  size_t n = sticky_cookie_write(decider, STR("a"), &cookie, value);
  ck_assert_uint_gt(n, 0);
  ck_assert_int_eq(sticky_cookie_read(decider, STR("a"), str_make(value, n), 1, INT64_MAX, &back),
                   COOKIE_VALID);
  ck_assert_uint_eq(back.epoch, UINT32_MAX);
  cookie.issued_ms = -1;
  ck_assert_uint_eq(sticky_cookie_write(decider, STR("a"), &cookie, value), 0);
  decider_free(&decider);
}
END_TEST

/* No octet can be changed, dropped or doubled, nor the cookie given another name. */
START_TEST(test_cookie_tampered)
{
  struct decider *decider = decider_new(NULL, KEYS, 2);
  char value[COOKIE_VALUE_MAX], changed[COOKIE_VALUE_MAX + 1];
  size_t n = sticky_cookie_write(decider, STR("adit_shop"), &PINNED, value);
  struct sticky_cookie back;
  for (size_t i = 0; i < n; i++) {
    for (int bit = 0; bit < 8; bit++) {
      memcpy(changed, value, n);
      changed[i] = (char)(changed[i] ^ (1 << bit));
      ck_assert_msg(sticky_cookie_read(decider, STR("adit_shop"), str_make(changed, n), DAY_MS,
                                       NOW_MS, &back) != COOKIE_VALID,
                    "octet %zu, bit %d", i, bit);
    }
    memcpy(changed, value, i);
    memcpy(changed + i, value + i + 1, n - i - 1);
    ck_assert_msg(sticky_cookie_read(decider, STR("adit_shop"), str_make(changed, n - 1), DAY_MS,
                                     NOW_MS, &back) != COOKIE_VALID,
                  "octet %zu dropped", i);
    memcpy(changed, value, i + 1);
    memcpy(changed + i + 1, value + i, n - i);
    ck_assert_msg(sticky_cookie_read(decider, STR("adit_shop"), str_make(changed, n + 1), DAY_MS,
                                     NOW_MS, &back) != COOKIE_VALID,
                  "octet %zu doubled", i);
  }
  static const char *const names[] = {"adit_shop2", "adit_sho", "Adit_shop", ""};
  for (size_t i = 0; i < 4; i++)
    ck_assert_int_eq(sticky_cookie_read(decider, str_from_cstr(names[i]), str_make(value, n),
                                        DAY_MS, NOW_MS, &back),
                     COOKIE_FORGED);
  decider_free(&decider);
}
END_TEST

START_TEST(test_cookie_keys)
{
  struct decider *both = decider_new(NULL, KEYS, 2);
  struct decider *old = decider_new(NULL, &KEYS[1], 1);
  struct decider *none = decider_new(NULL, NULL, 0);
  const struct sticky_key same_id = {KEYS[0].id, KEYS[1].secret};
  struct decider *other = decider_new(NULL, &same_id, 1);
  char value[COOKIE_VALUE_MAX];
  struct sticky_cookie back;
  struct str name = STR("adit_shop");
  struct str by_old = str_make(value, sticky_cookie_write(old, name, &PINNED, value));
  ck_assert_int_eq(sticky_cookie_read(both, name, by_old, 1, NOW_MS, &back), COOKIE_VALID);
  struct str by_both = str_make(value, sticky_cookie_write(both, name, &PINNED, value));
  ck_assert(str_starts_with(by_both, STR("1~new~")));
  ck_assert_int_eq(sticky_cookie_read(old, name, by_both, 1, NOW_MS, &back), COOKIE_FORGED);
  ck_assert_int_eq(sticky_cookie_read(other, name, by_both, 1, NOW_MS, &back), COOKIE_FORGED);
  ck_assert_int_eq(sticky_cookie_read(none, name, by_both, 1, NOW_MS, &back), COOKIE_FORGED);
  ck_assert_uint_eq(sticky_cookie_write(none, name, &PINNED, value), 0);
  decider_free(&both);
  decider_free(&old);
  decider_free(&none);
  decider_free(&other);
}
END_TEST

START_TEST(test_cookie_age)
{
  static const struct {
    int64_t now_ms, ttl_ms;
    enum cookie_verdict verdict;
  } cases[] = {
      {0, 1000, COOKIE_VALID},
      {999, 1000, COOKIE_VALID},
      {1000, 1000, COOKIE_EXPIRED},
      {1001, 1000, COOKIE_EXPIRED},
      {-86400000, 1000, COOKIE_VALID},
      {-86400001, 1000, COOKIE_MALFORMED},
      {INT64_MAX / 2, 1000, COOKIE_EXPIRED},
      {INT64_MIN / 2, 1000, COOKIE_MALFORMED},
  };
  struct decider *decider = decider_new(NULL, KEYS, 1);
  char value[COOKIE_VALUE_MAX];
  size_t n = sticky_cookie_write(decider, STR("a"), &PINNED, value);
  struct sticky_cookie back;
  for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++)
    ck_assert_msg(sticky_cookie_read(decider, STR("a"), str_make(value, n), cases[i].ttl_ms,
                                     NOW_MS + cases[i].now_ms, &back) == cases[i].verdict,
                  "case %zu", i);
  decider_free(&decider);
}
END_TEST

START_TEST(test_cookie_malformed)
{
  static const char *const values[] = {
      "",
      "1",
      "1~new~canary~7~AQID-gAAAAAAAAAAAAAAAA~1767225600000",
      "1~new~canary~7~AQID-gAAAAAAAAAAAAAAAA~1767225600000~",
      "1~new~canary~7~AQID-gAAAAAAAAAAAAAAAA~1767225600000~AAAA",
      "2~new~canary~7~AQID-gAAAAAAAAAAAAAAAA~1767225600000~"
      "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA",
      "1~new~canary~x~AQID-gAAAAAAAAAAAAAAAA~1767225600000~"
      "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA",
      "1~new~canary~4294967296~AQID-gAAAAAAAAAAAAAAAA~1767225600000~"
      "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA",
      "1~new~canary~7~AQID-gAAAAAAAAAAAAAA~1767225600000~"
      "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA",
      "1~new~canary~7~AQID-gAAAAAAAAAAAAAAAB~1767225600000~"
      "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA",
      "1~new~canary~7~AQID-gAAAAAAAAAAAAAAAA~9223372036854775808~"
      "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA",
      "1~new~canary~7~AQID-gAAAAAAAAAAAAAAAA~-1~"
      "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA",
      "1~new~canary~7~AQID-gAAAAAAAAAAAAAAAA~1767225600000~"
      "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA~",
  };
  struct decider *decider = decider_new(NULL, KEYS, 1);
  struct sticky_cookie back;
  for (size_t i = 0; i < sizeof(values) / sizeof(*values); i++)
    ck_assert_msg(sticky_cookie_read(decider, STR("a"), str_from_cstr(values[i]), DAY_MS, NOW_MS,
                                     &back) == COOKIE_MALFORMED,
                  "'%s'", values[i]);
  static char huge[COOKIE_VALUE_MAX + 1];
  memset(huge, 'a', sizeof(huge));
  ck_assert_int_eq(
      sticky_cookie_read(decider, STR("a"), str_make(huge, sizeof(huge)), DAY_MS, NOW_MS, &back),
      COOKIE_MALFORMED);
  decider_free(&decider);
}
END_TEST

START_TEST(test_set_cookie)
{
  static const struct {
    const char *sticky;
    const char *scheme;
    const char *name, *attributes;
  } cases[] = {
      {"{}", "http", "adit_shop", "; Path=/; Max-Age=604800; HttpOnly; SameSite=Lax"},
      {"{}", "https", "adit_shop", "; Path=/; Max-Age=604800; HttpOnly; SameSite=Lax; Secure"},
      {"{\"ttl\": \"1500ms\"}", "http", "adit_shop", "; Path=/; Max-Age=2; HttpOnly; SameSite=Lax"},
      {"{\"group\": \"release\", \"domain\": \"example.com\"}", "http", "adit_release",
       "; Path=/; Max-Age=604800; HttpOnly; SameSite=Lax; Domain=example.com"},
      {"{\"same_site\": \"strict\"}", "http", "adit_shop",
       "; Path=/; Max-Age=604800; HttpOnly; SameSite=Strict"},
      {"{\"same_site\": \"none\"}", "http", "adit_shop",
       "; Path=/; Max-Age=604800; HttpOnly; SameSite=None; Secure"},
  };
  for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
    char members[256];
    snprintf(members, sizeof(members),
             "\"sticky\": %s, \"default\": {\"split\": {\"canary\": 100}}", cases[i].sticky);
    struct bench bench;
    bench_init(&bench, members);
    struct decide_request request = request_of(NULL, 0);
    request.attr.scheme = str_from_cstr(cases[i].scheme);
    request.draw = true;
    request.random = counted_random;
    request.random_context = &bench;
    struct decision decision;
    decide(bench.decider, &request, &decision, NULL, NULL);
    struct str text = decision.set_cookie;
    ck_assert_msg(text.p != NULL, "case %zu", i);
    struct str attributes = str_skip(text, str_find_char(text, ';', 0));
    ck_assert_msg(str_eq(str_take(text, str_find_char(text, '=', 0)), str_from_cstr(cases[i].name)),
                  "case %zu: %.*s", i, STR_ARG(text));
    ck_assert_msg(str_eq(attributes, str_from_cstr(cases[i].attributes)), "case %zu: %.*s", i,
                  STR_ARG(attributes));
    bench_deinit(&bench);
  }
}
END_TEST

UNIT_MAIN("decide_cookie", test_cookie_value, test_cookie_without_pin, test_cookie_longest,
          test_cookie_tampered, test_cookie_keys, test_cookie_age, test_cookie_malformed,
          test_set_cookie)
