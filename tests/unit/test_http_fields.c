/* Names of fields, methods and statuses; tokens, values, lists, cookies and queries. */
#include "adit/http.h"
#include "unit.h"

#define COUNT(array) (sizeof(array) / sizeof(*(array)))

START_TEST(field_ids)
{
  static const struct {
    const char *name;
    enum http_field_id id;
  } cases[] = {
      {"cache-control", HTTP_FIELD_CACHE_CONTROL},
      {"connection", HTTP_FIELD_CONNECTION},
      {"content-length", HTTP_FIELD_CONTENT_LENGTH},
      {"cookie", HTTP_FIELD_COOKIE},
      {"date", HTTP_FIELD_DATE},
      {"expect", HTTP_FIELD_EXPECT},
      {"expires", HTTP_FIELD_EXPIRES},
      {"forwarded", HTTP_FIELD_FORWARDED},
      {"authorization", HTTP_FIELD_AUTHORIZATION},
      {"host", HTTP_FIELD_HOST},
      {"http2-settings", HTTP_FIELD_HTTP2_SETTINGS},
      {"keep-alive", HTTP_FIELD_KEEP_ALIVE},
      {"max-forwards", HTTP_FIELD_MAX_FORWARDS},
      {"proxy-authenticate", HTTP_FIELD_PROXY_AUTHENTICATE},
      {"proxy-authorization", HTTP_FIELD_PROXY_AUTHORIZATION},
      {"proxy-connection", HTTP_FIELD_PROXY_CONNECTION},
      {"set-cookie", HTTP_FIELD_SET_COOKIE},
      {"te", HTTP_FIELD_TE},
      {"traceparent", HTTP_FIELD_TRACEPARENT},
      {"tracestate", HTTP_FIELD_TRACESTATE},
      {"trailer", HTTP_FIELD_TRAILER},
      {"transfer-encoding", HTTP_FIELD_TRANSFER_ENCODING},
      {"upgrade", HTTP_FIELD_UPGRADE},
      {"vary", HTTP_FIELD_VARY},
      {"via", HTTP_FIELD_VIA},
      {"x-adit-mirror", HTTP_FIELD_X_ADIT_MIRROR},
      {"x-adit-rule", HTTP_FIELD_X_ADIT_RULE},
      {"x-adit-variant", HTTP_FIELD_X_ADIT_VARIANT},
      {"x-forwarded-for", HTTP_FIELD_X_FORWARDED_FOR},
      {"x-forwarded-host", HTTP_FIELD_X_FORWARDED_HOST},
      {"x-forwarded-proto", HTTP_FIELD_X_FORWARDED_PROTO},
      {"x-real-ip", HTTP_FIELD_X_REAL_IP},
      {"x-request-id", HTTP_FIELD_X_REQUEST_ID},
  };
  ck_assert_uint_eq(COUNT(cases), HTTP_FIELD_X_REQUEST_ID); /* one for each but OTHER */
  for (size_t i = 0; i < COUNT(cases); i++) {
    struct str name = str_from_cstr(cases[i].name);
    char text[32];
    memcpy(text, name.p, name.n);
    ck_assert_msg(http_field_id(str_make(text, name.n)) == cases[i].id, "%s", cases[i].name);
    for (size_t k = 0; k < name.n; k++) {
      if (text[k] >= 'a' && text[k] <= 'z') text[k] = (char)(text[k] - 'a' + 'A');
    }
    ck_assert_msg(http_field_id(str_make(text, name.n)) == cases[i].id, "%s upper", cases[i].name);
    /* Every other octet in one place is another name. */
    for (size_t k = 0; k < name.n; k++) {
      memcpy(text, name.p, name.n);
      text[k] = (char)(text[k] ^ 0x41);
      ck_assert_msg(http_field_id(str_make(text, name.n)) != cases[i].id, "%s changed at %zu",
                    cases[i].name, k);
    }
    ck_assert_msg(http_field_id(str_take(name, name.n - 1)) != cases[i].id, "%s cut",
                  cases[i].name);
  }
}
END_TEST

START_TEST(field_ids_of_others)
{
  static const struct {
    struct str name;
    enum http_field_id id;
  } cases[] = {
      {STR_INIT(""), HTTP_FIELD_OTHER},
      {STR_INIT("a"), HTTP_FIELD_OTHER},
      {STR_INIT("hosts"), HTTP_FIELD_OTHER},
      {STR_INIT("hose"), HTTP_FIELD_OTHER},
      {STR_INIT("\x80ost"), HTTP_FIELD_OTHER},
      {STR_INIT("1234"), HTTP_FIELD_OTHER},
      {STR_INIT("[ost"), HTTP_FIELD_OTHER},
      {STR_INIT("proxy-authorizations"), HTTP_FIELD_OTHER},
      {STR_INIT("a-name-that-is-longer-than-any-of-those-that-are-known"), HTTP_FIELD_OTHER},
      {STR_INIT("content\rlength"), HTTP_FIELD_OTHER},
      {STR_INIT("content_length"), HTTP_FIELD_OTHER},
      {STR_INIT("transfer_encoding"), HTTP_FIELD_OTHER},
      {STR_INIT("x_forwarded_for"), HTTP_FIELD_OTHER},
      {STR_INIT("x_adit_rule"), HTTP_FIELD_X_ADIT_RULE},
      {STR_INIT("X-Adit_Rule"), HTTP_FIELD_X_ADIT_RULE},
      {STR_INIT("X_ADIT_VARIANT"), HTTP_FIELD_X_ADIT_VARIANT},
      {STR_INIT("x_adit-variant"), HTTP_FIELD_X_ADIT_VARIANT},
      {STR_INIT("x adit rule"), HTTP_FIELD_OTHER},
  };
  for (size_t i = 0; i < COUNT(cases); i++) {
    ck_assert_msg(http_field_id(cases[i].name) == cases[i].id, "%.*s", STR_ARG(cases[i].name));
  }
}
END_TEST

START_TEST(tokens)
{
  const struct str symbols = STR("!#$%&'*+-.^_`|~");
  for (int c = 0; c < 256; c++) {
    const char octet = (char)c;
    const bool alphanumeric =
        (c >= '0' && c <= '9') || (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z');
    const bool expected = alphanumeric || memchr(symbols.p, c, symbols.n) != NULL;
    ck_assert_msg(http_is_token(str_make(&octet, 1)) == expected, "octet %d", c);
  }
  ck_assert(!http_is_token(STR("")));
  ck_assert(http_is_token(STR("X-Canary")));
  ck_assert(!http_is_token(STR("X Canary")));
  ck_assert(!http_is_token(STR("X-Canary:")));
}
END_TEST

START_TEST(field_values)
{
  /* Each octet at each place of a value of 40: the places that are looked at 16 at a time, and the
   * rest. */
  for (int c = 0; c < 256; c++) {
    const bool expected = c == '\t' || (c >= ' ' && c != 0x7f);
    for (size_t at = 0; at < 40; at++) {
      char value[40];
      memset(value, 'v', sizeof(value));
      value[at] = (char)c;
      ck_assert_msg(http_is_field_value(str_make(value, sizeof(value))) == expected,
                    "octet %d at %zu", c, at);
    }
  }
  ck_assert(http_is_field_value(STR("")));
}
END_TEST

START_TEST(lists)
{
  static const struct {
    const char *value;
    const char *elements[5];
  } cases[] = {
      {"", {NULL}},
      {" \t ", {NULL}},
      {",", {NULL}},
      {" , ,, ", {NULL}},
      {"close", {"close"}},
      {"close, upgrade", {"close", "upgrade"}},
      {" a ,\tb\t,c", {"a", "b", "c"}},
      {"a,,b,", {"a", "b"}},
      {"a b, c", {"a b", "c"}},
      {"\"a,b\", c", {"\"a,b\"", "c"}},
      {"x=\"a\\\",b\", c", {"x=\"a\\\",b\"", "c"}},
      {"\"a\\\\\",b", {"\"a\\\\\"", "b"}},
      {"\"a,b", {"\"a,b"}},
      {"\"a\\", {"\"a\\"}},
      {"a\\,b", {"a\\", "b"}},
  };
  for (size_t i = 0; i < COUNT(cases); i++) {
    struct str rest = str_from_cstr(cases[i].value);
    struct str element;
    size_t k = 0;
    while (http_list_next(&rest, &element)) {
      ck_assert_msg(cases[i].elements[k] != NULL, "'%s': too many", cases[i].value);
      ck_assert_view_eq(element, cases[i].elements[k]);
      k++;
    }
    ck_assert_msg(cases[i].elements[k] == NULL, "'%s': too few", cases[i].value);
    ck_assert(!http_list_next(&rest, &element));
  }
}
END_TEST

START_TEST(methods)
{
  static const struct {
    const char *name;
    enum http_method id;
    bool idempotent;
  } cases[] = {
      {"GET", HTTP_METHOD_GET, true},         {"HEAD", HTTP_METHOD_HEAD, true},
      {"POST", HTTP_METHOD_POST, false},      {"PUT", HTTP_METHOD_PUT, true},
      {"DELETE", HTTP_METHOD_DELETE, true},   {"CONNECT", HTTP_METHOD_CONNECT, false},
      {"OPTIONS", HTTP_METHOD_OPTIONS, true}, {"TRACE", HTTP_METHOD_TRACE, true},
      {"PATCH", HTTP_METHOD_PATCH, false},    {"get", HTTP_METHOD_OTHER, false},
      {"GETS", HTTP_METHOD_OTHER, false},     {"GE", HTTP_METHOD_OTHER, false},
      {"PROPFIND", HTTP_METHOD_OTHER, false}, {"", HTTP_METHOD_OTHER, false},
  };
  for (size_t i = 0; i < COUNT(cases); i++) {
    const enum http_method id = http_method_id(str_from_cstr(cases[i].name));
    ck_assert_msg(id == cases[i].id, "%s", cases[i].name);
    ck_assert_msg(http_method_is_idempotent(id) == cases[i].idempotent, "%s", cases[i].name);
  }
}
END_TEST

START_TEST(reasons)
{
  ck_assert_view_eq(http_reason(200), "OK");
  ck_assert_view_eq(http_reason(100), "Continue");
  ck_assert_view_eq(http_reason(431), "Request Header Fields Too Large");
  ck_assert_view_eq(http_reason(511), "Network Authentication Required");
  static const int ours[] = {400, 403, 404, 405, 408, 413, 414, 417, 431, 501, 502, 503, 504, 505};
  for (size_t i = 0; i < COUNT(ours); i++) {
    ck_assert_msg(http_reason(ours[i]).n > 0, "%d", ours[i]);
  }
  static const int without[] = {-1, 0, 99, 299, 418, 512, 599, 600, 1000};
  for (size_t i = 0; i < COUNT(without); i++) {
    const struct str reason = http_reason(without[i]);
    ck_assert_msg(reason.p != NULL && reason.n == 0, "%d", without[i]);
  }
}
END_TEST

struct pair_case {
  struct str input;
  const char *pairs[9]; /* name, value, … */
};

static void check_pairs(const struct pair_case *test,
                        bool (*next)(struct str *, struct str *, struct str *)) {
  struct str rest = test->input;
  struct str name;
  struct str value;
  size_t k = 0;
  while (next(&rest, &name, &value)) {
    ck_assert_msg(test->pairs[k] != NULL, "'%.*s': too many", STR_ARG(test->input));
    ck_assert_view_eq(name, test->pairs[k]);
    ck_assert_view_eq(value, test->pairs[k + 1]);
    k += 2;
  }
  ck_assert_msg(test->pairs[k] == NULL, "'%.*s': too few", STR_ARG(test->input));
  ck_assert(!next(&rest, &name, &value));
}

START_TEST(cookies)
{
  static const struct pair_case cases[] = {
      {{NULL, 0}, {NULL}},
      {STR_INIT(""), {NULL}},
      {STR_INIT("a=1"), {"a", "1"}},
      {STR_INIT("a=1; b=2"), {"a", "1", "b", "2"}},
      {STR_INIT("a=1;b=2;\tc=3 "), {"a", "1", "b", "2", "c", "3"}},
      {STR_INIT("a=1; a=2"), {"a", "1", "a", "2"}},
      {STR_INIT("a=b=c"), {"a", "b=c"}},
      {STR_INIT("a=\"x y\""), {"a", "\"x y\""}},
      {STR_INIT("a=\"x;y\""), {"a", "\"x"}}, /* quotes protect nothing */
      {STR_INIT("a="), {"a", ""}},
      {STR_INIT("a; b=2; c"), {"b", "2"}},
      {STR_INIT(";; a=1 ;; ; b=2;"), {"a", "1", "b", "2"}},
      {STR_INIT("=v"), {"", "v"}},
      {STR_INIT("a=%41"), {"a", "%41"}},
      {STR_INIT("A=1; a=2"), {"A", "1", "a", "2"}},
      {STR_INIT("a=1, b=2"), {"a", "1, b=2"}},
  };
  for (size_t i = 0; i < COUNT(cases); i++) check_pairs(&cases[i], http_cookie_next);
}
END_TEST

START_TEST(queries)
{
  static const struct pair_case cases[] = {
      {{NULL, 0}, {NULL}},
      {STR_INIT(""), {NULL}},
      {STR_INIT("a=1"), {"a", "1"}},
      {STR_INIT("a=1&b=2&a=3"), {"a", "1", "b", "2", "a", "3"}},
      {STR_INIT("a"), {"a", ""}},
      {STR_INIT("a&b="), {"a", "", "b", ""}},
      {STR_INIT("&&a=1&&"), {"a", "1"}},
      {STR_INIT("a=b=c"), {"a", "b=c"}},
      {STR_INIT("=v"), {"", "v"}},
      {STR_INIT("a=1;b=2"), {"a", "1;b=2"}},
      {STR_INIT("%61=%41+b"), {"%61", "%41+b"}},
      {STR_INIT("a=%26b"), {"a", "%26b"}},
      {STR_INIT("a=?x"), {"a", "?x"}},
  };
  for (size_t i = 0; i < COUNT(cases); i++) check_pairs(&cases[i], http_query_next);
}
END_TEST

START_TEST(query_decoding)
{
  static const struct {
    struct str input;
    struct str decoded;
  } cases[] = {
      {STR_INIT("plain"), STR_INIT("plain")}, {STR_INIT(""), STR_INIT("")},
      {STR_INIT("a+b"), STR_INIT("a b")},     {STR_INIT("+"), STR_INIT(" ")},
      {STR_INIT("%41%62"), STR_INIT("Ab")},   {STR_INIT("%2B%20"), STR_INIT("+ ")},
      {STR_INIT("%2f%2F"), STR_INIT("//")},   {STR_INIT("%c3%A9"), STR_INIT("\xc3\xa9")},
      {STR_INIT("a%00b"), STR_INIT("a\0b")},  {STR_INIT("%"), STR_INIT("%")},
      {STR_INIT("100%"), STR_INIT("100%")},   {STR_INIT("%4"), STR_INIT("%4")},
      {STR_INIT("%4g%41"), STR_INIT("%4gA")}, {STR_INIT("%%41"), STR_INIT("%A")},
      {STR_INIT("%+1"), STR_INIT("% 1")},     {STR_INIT("%2541"), STR_INIT("%41")}, /* once */
  };
  for (size_t i = 0; i < COUNT(cases); i++) {
    char scratch[32];
    const struct str decoded = http_query_decode(cases[i].input, scratch);
    ck_assert_msg(str_eq(decoded, cases[i].decoded), "%.*s", STR_ARG(cases[i].input));
  }
  const struct str plain = STR("nothing-to-decode");
  char scratch[32];
  ck_assert_ptr_eq(http_query_decode(plain, scratch).p, plain.p);
}
END_TEST

START_TEST(dates)
{
  char buffer[HTTP_DATE_BYTES];
  ck_assert_view_eq(http_date(784111777, buffer), "Sun, 06 Nov 1994 08:49:37 GMT");
  ck_assert_view_eq(http_date(INT64_MAX, buffer), "");
}
END_TEST

UNIT_MAIN("http fields", field_ids, field_ids_of_others, tokens, field_values, lists, methods,
          reasons, dates, cookies, queries, query_decoding)
