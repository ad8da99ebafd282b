/*
 * policy: requests and decisions as JSON.
 */
#include <cjson/cJSON.h>
#include <stdio.h>

#include "adit/arena.h"
#include "adit/json.h"
#include "adit/policy.h"
#include "adit/text.h"
#include "unit.h"

static const int64_t NOW_MS = 1767225600000;

/* "method scheme host path?query client_ip trusted now pin bucket | Name=value | …" */
static void describe(const struct decide_request *request, struct text *out) {
  const struct attr_request *attr = &request->attr;
  char ip[64];
  text_add(out, attr->method);
  text_add_char(out, ' ');
  text_add(out, attr->scheme);
  text_add_char(out, ' ');
  text_add(out, attr->host);
  text_add_char(out, ' ');
  text_add(out, attr->path);
  if (attr->query.p) text_printf(out, "?%.*s", STR_ARG(attr->query));
  text_add_char(out, ' ');
  text_add(out, ip_format(&attr->client_ip, ip, sizeof(ip)));
  if (!attr->trusted) text_add(out, STR(" untrusted"));
  if (attr->now_ms != NOW_MS) text_printf(out, " %lld", (long long)attr->now_ms);
  if (request->pin.p) text_printf(out, " pin=%.*s", STR_ARG(request->pin));
  if (request->has_bucket) text_printf(out, " bucket=%u", request->bucket);
  for (size_t i = 0; i < attr->given_count; i++) {
    text_printf(out, " %.*s:", STR_ARG(attr->given[i].name));
    for (size_t k = 0; k < attr->given[i].n; k++)
      text_printf(out, "<%.*s>", STR_ARG(attr->given[i].texts[k]));
  }
  for (size_t i = 0; i < attr->field_count; i++)
    text_printf(out, " | %.*s=%.*s", STR_ARG(attr->fields[i].name), STR_ARG(attr->fields[i].value));
}

/* ---- requests -------------------------------------------------------------------------------- */

#define U "{\"url\":\"http://a.b/\""

static const struct valid {
  const char *json, *expected;
} VALID[] = {
    {U "}", "GET http a.b / 127.0.0.1 | Host=a.b"},
    {"{\"url\":\"HTTPS://Shop.Example.COM.:8443/a//b/../c%41?x=1&y#z\"}",
     "GET https shop.example.com /a/cA?x=1&y 127.0.0.1 | Host=Shop.Example.COM.:8443"},
    {"{\"url\":\"http://a.b\"}", "GET http a.b / 127.0.0.1 | Host=a.b"},
    {"{\"url\":\"http://a.b?q=/\"}", "GET http a.b /?q=/ 127.0.0.1 | Host=a.b"},
    {"{\"url\":\"http://a.b/?\"}", "GET http a.b /? 127.0.0.1 | Host=a.b"},
    {"{\"url\":\"http://a.b/x#?y\"}", "GET http a.b /x 127.0.0.1 | Host=a.b"},
    {"{\"url\":\"http://[::1]:80/\"}", "GET http [::1] / 127.0.0.1 | Host=[::1]:80"},
    {"{\"url\":\"http://a.b/%2f\"}", "GET http a.b /%2F 127.0.0.1 | Host=a.b"},
    {U ",\"method\":\"PURGE\"}", "PURGE http a.b / 127.0.0.1 | Host=a.b"},
    {U ",\"client_ip\":\"203.0.113.7\"}", "GET http a.b / 203.0.113.7 | Host=a.b"},
    {U ",\"client_ip\":\"::ffff:203.0.113.7\"}", "GET http a.b / 203.0.113.7 | Host=a.b"},
    {U ",\"client_ip\":\"2001:db8::1\"}", "GET http a.b / 2001:db8::1 | Host=a.b"},
    {U ",\"attributes\":{}}", "GET http a.b / 127.0.0.1 | Host=a.b"},
    {U ",\"attributes\":{\"a\":\"x\",\"b\":[1.50,true],\"c\":null,\"d\":[]}}",
     "GET http a.b / 127.0.0.1 a:<x> b:<1.50><true> c: d: | Host=a.b"},
    {U ",\"trusted\":false}", "GET http a.b / 127.0.0.1 untrusted | Host=a.b"},
    {U ",\"trusted\":true}", "GET http a.b / 127.0.0.1 | Host=a.b"},
    {U ",\"now\":\"2026-11-22T10:00:00Z\"}", "GET http a.b / 127.0.0.1 1795341600000 | Host=a.b"},
    {U ",\"now\":\"2026-11-22\"}", "GET http a.b / 127.0.0.1 1795305600000 | Host=a.b"},
    {U ",\"now\":1795341600}", "GET http a.b / 127.0.0.1 1795341600000 | Host=a.b"},
    {U ",\"now\":1795341600001}", "GET http a.b / 127.0.0.1 1795341600001 | Host=a.b"},
    {U ",\"pin\":\"canary\",\"bucket\":0}",
     "GET http a.b / 127.0.0.1 pin=canary bucket=0 | Host=a.b"},
    {U ",\"bucket\":9999}", "GET http a.b / 127.0.0.1 bucket=9999 | Host=a.b"},
    /* headers */
    {U ",\"headers\":{}}", "GET http a.b / 127.0.0.1 | Host=a.b"},
    {U ",\"headers\":[]}", "GET http a.b / 127.0.0.1 | Host=a.b"},
    {U ",\"headers\":{\"X-A\":\" 1\\t\",\"X-B\":\"\"}}",
     "GET http a.b / 127.0.0.1 | Host=a.b | X-A=1 | X-B="},
    {U ",\"headers\":{\"X-A\":[\"1\",\"2\"],\"X-B\":[]}}",
     "GET http a.b / 127.0.0.1 | Host=a.b | X-A=1 | X-A=2"},
    {U ",\"headers\":[[\"X-A\",\"2\"],[\"x-a\",\"1\"]]}",
     "GET http a.b / 127.0.0.1 | Host=a.b | X-A=2 | x-a=1"},
    {U ",\"headers\":{\"X-A\":\"\\u00fc\"}}", "GET http a.b / 127.0.0.1 | Host=a.b | X-A=\u00fc"},
    /* a Host header replaces the URL's, wherever it stands */
    {"{\"headers\":{\"X-A\":\"1\",\"host\":\"C.D:1\"},\"url\":\"http://a.b/\"}",
     "GET http c.d / 127.0.0.1 | X-A=1 | host=C.D:1"},
    /* X-Forwarded-* are headers like others */
    {U ",\"headers\":{\"X-Forwarded-For\":\"1.2.3.4\",\"X-Forwarded-Proto\":\"https\","
       "\"X-Forwarded-Host\":\"e.f\"}}",
     "GET http a.b / 127.0.0.1 | Host=a.b | X-Forwarded-For=1.2.3.4 | X-Forwarded-Proto=https | "
     "X-Forwarded-Host=e.f"},
};

static const struct invalid {
  const char *json, *message; /* the first message's begin, or part */
} INVALID[] = {
    {"[]", "a request must be an object, not array"},
    {"\"http://a.b/\"", "a request must be an object, not string"},
    {"{}", "request: has no 'url'"},
    {U ",\"Url\":1}", "request: unknown key 'Url'"},
    {U ",\"headers\":{},\"cookie\":1}", "request: unknown key 'cookie'"},
    {"{\"url\":7}", "request: 'url' must be a string, not number"},
    {"{\"url\":\"\"}", "it must begin with http:// or https://"},
    {"{\"url\":\"/path\"}", "it must begin with http:// or https://"},
    {"{\"url\":\"ftp://a.b/\"}", "it must begin with http:// or https://"},
    {"{\"url\":\"http:/a.b/\"}", "it must begin with http:// or https://"},
    {"{\"url\":\"httpsx://a.b/\"}", "it must begin with http:// or https://"},
    {"{\"url\":\"http:///\"}", "host is missing or malformed"},
    {"{\"url\":\"http://\"}", "host is missing or malformed"},
    {"{\"url\":\"http://./\"}", "host is missing or malformed"},
    {"{\"url\":\"http://u@a.b/\"}", "host is missing or malformed"},
    {"{\"url\":\"http://a.b:x/\"}", "host is missing or malformed"},
    {"{\"url\":\"http://[::1/\"}", "host is missing or malformed"},
    {"{\"url\":\"http://a.b/a b\"}", "percent-encode"},
    {"{\"url\":\"http://a.b/\\u00fc\"}", "percent-encode"},
    {"{\"url\":\"http://a.b/\\n\"}", "percent-encode"},
    {"{\"url\":\"http://a.b/%4\"}", "cannot be normalised"},
    {"{\"url\":\"http://a.b/%00\"}", "cannot be normalised"},
    {"{\"url\":\"http://a.b/../x\"}", "cannot be normalised"},
    {"{\"url\":\"http://a.b/x/%2e%2e%2fy\"}", "cannot be normalised"},
    {U ",\"method\":\"\"}", "method '' is not a token"},
    {U ",\"method\":\"G ET\"}", "method 'G ET' is not a token"},
    {U ",\"method\":null}", "'method' must be a string, not null"},
    {U ",\"client_ip\":\"203.0.113.256\"}", "client_ip '203.0.113.256' is not an IP address"},
    {U ",\"client_ip\":\"10.0.0.0/8\"}", "is not an IP address"},
    {U ",\"client_ip\":\"\"}", "is not an IP address"},
    {U ",\"attributes\":[]}", "'attributes' must be an object of names, not array"},
    {U ",\"attributes\":{\"a\":{}}}", "the value of attribute 'a' must be a string, a number"},
    {U ",\"attributes\":{\"a\":[\"x\",[]]}}", "the value of attribute 'a' must be a string"},
    {U ",\"attributes\":{\"a\":[null]}}", "the value of attribute 'a' must be a string"},
    {U ",\"client_ip\":7}", "'client_ip' must be a string, not number"},
    {U ",\"trusted\":\"true\"}", "'trusted' must be true or false, not string"},
    {U ",\"trusted\":1}", "'trusted' must be true or false, not number"},
    {U ",\"now\":\"yesterday\"}", "now 'yesterday' is not a time"},
    {U ",\"now\":\"2026-02-30\"}", "now '2026-02-30' is not a time"},
    {U ",\"now\":1.5e9}", "now '1.5e9' is not a time"},
    {U ",\"now\":true}", "'now' must be a time, not boolean"},
    {U ",\"pin\":7}", "'pin' must be a variant's name, not number"},
    {U ",\"bucket\":10000}", "'bucket' must be a whole number from 0 to 9999"},
    {U ",\"bucket\":-1}", "'bucket' must be a whole number from 0 to 9999"},
    {U ",\"bucket\":1.5}", "'bucket' must be a whole number from 0 to 9999"},
    {U ",\"bucket\":\"1\"}", "'bucket' must be a whole number from 0 to 9999"},
    {U ",\"headers\":\"X-A: 1\"}", "'headers' must be an object or a list of pairs, not string"},
    {U ",\"headers\":{\"X-A\":1}}", "the value of header 'X-A' must be a string, not number"},
    {U ",\"headers\":{\"X-A\":[1]}}", "the value of header 'X-A' must be a string, not number"},
    {U ",\"headers\":{\"X A\":\"1\"}}", "bad header 'X A': its name is not a token"},
    {U ",\"headers\":{\"\":\"1\"}}", "bad header '': its name is not a token"},
    {U ",\"headers\":{\"X-A\":\"1\\r\\nX-B: 2\"}}", "bad header 'X-A': its value holds control"},
    {U ",\"headers\":[\"X-A\",\"1\"]}", "each of 'headers' must be a pair"},
    {U ",\"headers\":[[\"X-A\"]]}", "each of 'headers' must be a pair"},
    {U ",\"headers\":[[\"X-A\",\"1\",\"2\"]]}", "each of 'headers' must be a pair"},
    {U ",\"headers\":[[1,\"1\"]]}", "each of 'headers' must be a pair"},
    {U ",\"headers\":[[\"X-A\",[\"1\"]]]}",
     "the value of header 'X-A' must be a string, not array"},
    {U ",\"headers\":{\"Host\":\"a\",\"host\":\"b\"}}", "Host is given twice"},
    {U ",\"headers\":{\"Host\":\"\"}}", "Host is malformed"},
    {U ",\"headers\":{\"Host\":\"a b\"}}", "Host is malformed"},
};

static bool read_request(const char *json, struct arena *arena, struct text *ret,
                         bool *ret_has_now) {
  struct diags *diags = diags_new();
  struct json_doc *doc = json_parse(str_from_cstr(json), "line", JSON_STRICT, diags);
  ck_assert_msg(doc != NULL, "%s: is no JSON", json);
  struct decide_request request;
  text_clear(ret);
  bool ok = request_from_json(doc, json_root(doc), arena, NOW_MS, &request, ret_has_now, diags);
  if (ok)
    describe(&request, ret);
  else
    diags_format(diags, ret);
  ck_assert_msg((diags_count(diags, DIAG_ERROR) == 0) == ok, "%s: an error is said", json);
  json_free(&doc);
  diags_free(&diags);
  arena_reset(arena);
  return ok;
}

START_TEST(test_valid_requests)
{
  struct arena *arena = arena_new(1 << 20);
  struct text text;
  text_init(&text, 1 << 16);
  for (size_t i = 0; i < sizeof(VALID) / sizeof(*VALID); i++) {
    bool has_now = false;
    ck_assert_msg(read_request(VALID[i].json, arena, &text, &has_now), "%s: %s", VALID[i].json,
                  text.p);
    ck_assert_msg(str_eq(text_str(&text), str_from_cstr(VALID[i].expected)), "%s: %s",
                  VALID[i].json, text.p);
    ck_assert_msg(has_now == (strstr(VALID[i].json, "\"now\"") != NULL), "%s: now", VALID[i].json);
  }
  text_deinit(&text);
  arena_free(&arena);
}
END_TEST

START_TEST(test_invalid_requests)
{
  struct arena *arena = arena_new(1 << 20);
  struct text text;
  text_init(&text, 1 << 16);
  for (size_t i = 0; i < sizeof(INVALID) / sizeof(*INVALID); i++) {
    ck_assert_msg(!read_request(INVALID[i].json, arena, &text, NULL), "%s: %s", INVALID[i].json,
                  text.p);
    ck_assert_msg(str_contains(text_str(&text), str_from_cstr(INVALID[i].message)), "%s: %s",
                  INVALID[i].json, text.p);
  }
  text_deinit(&text);
  arena_free(&arena);
}
END_TEST

START_TEST(test_number_of_headers)
{
  struct arena *arena = arena_new(1 << 20);
  struct text json, text;
  text_init(&json, 1 << 16);
  text_init(&text, 1 << 16);
  for (size_t n = HTTP_FIELDS_MAX; n <= HTTP_FIELDS_MAX + 1; n++) {
    text_clear(&json);
    text_add(&json, STR(U ",\"headers\":{\"X-A\":["));
    for (size_t i = 0; i < n; i++) text_add(&json, i ? STR(",\"\"") : STR("\"\""));
    text_add(&json, STR("]}}"));
    ck_assert_msg(read_request(json.p, arena, &text, NULL) == (n == HTTP_FIELDS_MAX), "%zu: %s", n,
                  text.p);
  }
  ck_assert(str_contains(text_str(&text), STR("more than 100 fields")));
  text_deinit(&json);
  text_deinit(&text);
  arena_free(&arena);
}
END_TEST

/* Short of memory a request is refused, at whatever allocation that comes. */
START_TEST(test_request_short_of_memory)
{
  static const char json[] =
      "{\"url\":\"http://A.b/%41\",\"headers\":{\"X-A\":\"1\",\"Host\":\"C.d\"}}";
  bool succeeded = false;
  for (size_t limit = 0; limit < 4096 && !succeeded; limit += 8) {
    struct arena *arena = arena_new(limit);
    if (!arena) continue;
    struct text text;
    text_init(&text, 1 << 16);
    succeeded = read_request(json, arena, &text, NULL);
    text_deinit(&text);
    arena_free(&arena);
  }
  ck_assert(succeeded);
}
END_TEST

/* ---- decisions ------------------------------------------------------------------------------- */

static const struct route_variant VARIANTS[] = {{STR_INIT("v1"), STR_INIT("a")},
                                                {STR_INIT("canary"), STR_INIT("b")}};
static const struct rule RULE = {.id = STR_INIT("east")};
static const struct route ROUTE = {
    .name = STR_INIT("shop"), .variants = VARIANTS, .variant_count = 2};

START_TEST(test_decisions)
{
  static const struct {
    struct decision decision;
    const char *json;
  } cases[] = {
      {{.reason = REASON_NO_ROUTE, .variant = VARIANT_NONE, .bucket = -1},
       "{\"route\":null,\"variant\":null,\"reason\":\"no_route\",\"rule\":null,\"bucket\":null}"},
      {{.route = &ROUTE, .variant = 1, .reason = REASON_RULE, .rule = &RULE, .bucket = 1234},
       "{\"route\":\"shop\",\"variant\":\"canary\",\"reason\":\"rule\",\"rule\":\"east\","
       "\"bucket\":1234}"},
      {{.route = &ROUTE, .variant = 0, .reason = REASON_OFF, .bucket = -1},
       "{\"route\":\"shop\",\"variant\":\"v1\",\"reason\":\"off\",\"rule\":null,\"bucket\":null}"},
      {{.route = &ROUTE, .variant = 0, .reason = REASON_DEFAULT, .bucket = 0},
       "{\"route\":\"shop\",\"variant\":\"v1\",\"reason\":\"default\",\"rule\":null,\"bucket\":0}"},
  };
  struct text text;
  text_init(&text, 1 << 16);
  for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
    text_clear(&text);
    decision_to_json(&cases[i].decision, NULL, &text);
    ck_assert_str_eq(text.p, cases[i].json);
  }
  text_deinit(&text);
}
END_TEST

START_TEST(test_trace)
{
  const struct attr_datum data[] = {{.text = STR_INIT("a\xff\"b")}, {.text = STR_INIT("")}};
  const struct attr_value one = {.state = ATTR_PRESENT, .n = 1, .data = data};
  const struct attr_value list = {.state = ATTR_PRESENT, .is_list = true, .n = 2, .data = data};
  const struct attr_value missing = {.state = ATTR_MISSING, .refused = STR_INIT("x")};
  const struct trace_condition conditions[] = {
      {STR_INIT("region"), "eq", STR_INIT("\"x\""), &one, TRISTATE_TRUE},
      {STR_INIT("query.q"), "in", STR_INIT("[1,2]"), &list, TRISTATE_FALSE},
      {STR_INIT("user.id"), "exists", STR_INIT("true"), &missing, TRISTATE_UNKNOWN},
  };
  const struct rule other = {.id = STR_INIT("later")};
  const struct trace_rule rules[] = {{&RULE, RULE_UNKNOWN, conditions, 3},
                                     {&other, RULE_SKIPPED, NULL, 0}};
  const struct rules_trace trace = {rules, 2}, none = {NULL, 0};
  const struct decision decision = {
      .route = &ROUTE, .variant = 0, .reason = REASON_DEFAULT, .bucket = -1};
  struct text text;
  text_init(&text, 1 << 16);
  decision_to_json(&decision, &trace, &text);
  ck_assert_str_eq(
      text.p,
      "{\"route\":\"shop\",\"variant\":\"v1\",\"reason\":\"default\",\"rule\":null,\"bucket\":null,"
      "\"rules\":[{\"id\":\"east\",\"result\":\"unknown\",\"conditions\":["
      "{\"attribute\":\"region\",\"op\":\"eq\",\"value\":\"x\",\"seen\":\"a\uFFFD\\\"b\","
      "\"result\":true},"
      "{\"attribute\":\"query.q\",\"op\":\"in\",\"value\":[1,2],\"seen\":[\"a\uFFFD\\\"b\",\"\"],"
      "\"result\":false},"
      "{\"attribute\":\"user.id\",\"op\":\"exists\",\"value\":true,\"seen\":null,\"result\":null}]}"
      ","
      "{\"id\":\"later\",\"result\":\"skipped\",\"conditions\":[]}]}");
  text_clear(&text);
  decision_to_json(&decision, &none, &text);
  ck_assert(str_ends_with(text_str(&text), STR(",\"bucket\":null,\"rules\":[]}")));
  text_deinit(&text);
}
END_TEST

UNIT_MAIN("policy_request", test_valid_requests, test_invalid_requests, test_number_of_headers,
          test_request_short_of_memory, test_decisions, test_trace)
