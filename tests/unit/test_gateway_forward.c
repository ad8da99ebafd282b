/*
 * The request as it goes on: what ends at this hop, who is asking, what is added; head for head.
 */
#include "gateway_bench.h"

static struct http_request request;
static struct request_out out;
static char memory[4096];

#define GET "GET / HTTP/1.1\r\nHost: shop\r\n"

static struct ip_address ip(const char *text) {
  struct ip_address address;
  ck_assert_msg(ip_parse(str_from_cstr(text), &address), "%s", text);
  return address;
}

/* ---- what ends here -------------------------------------------------------------------------- */

static bool is_region(void *context, struct str name) {
  return str_eq_nocase(name, str_from_cstr(context));
}

/* The fields' names and values, one a line, as they would be written. */
static struct str fields_text(const struct http_field *fields, size_t n, char *text,
                              size_t capacity) {
  struct scratch scratch = {.p = text, .capacity = capacity};
  for (size_t i = 0; i < n; i++) {
    struct str parts[] = {fields[i].name, STR(": "), fields[i].value, STR("\r\n")};
    (void)scratch_join(&scratch, parts, 4);
  }
  ck_assert(!scratch.failed);
  return str_make(text, scratch.used);
}

static void strip(http_protected_fn *is_protected, void *context) {
  request.field_count = http_remove_hop_by_hop(request.fields, request.field_count,
                                               request.has_connection_field, is_protected, context);
}

START_TEST(hop_by_hop)
{
  static const struct {
    const char *name, *in, *out;
  } cases[] = {
      {"nothing ends", "A: 1\r\nB: 2\r\nA: 3\r\n", "A: 1\r\nB: 2\r\nA: 3\r\n"},
      {"those that always do",
       "Keep-Alive: 5\r\nA: 1\r\nProxy-Connection: x\r\nTE: trailers\r\nUpgrade: h2c\r\n"
       "HTTP2-Settings: AA\r\nB: 2\r\n",
       "A: 1\r\nB: 2\r\n"},
      {"in any case", "KEEP-ALIVE: 5\r\nte: trailers\r\nA: 1\r\n", "A: 1\r\n"},
      {"the transfer coding is the hop's", "Transfer-Encoding: chunked\r\nA: 1\r\n", "A: 1\r\n"},
      {"close is an option and a name", "Connection: close\r\nClose: 1\r\nA: 1\r\n", "A: 1\r\n"},
      {"keep-alive and upgrade are options", "Connection: Keep-Alive, upgrade\r\nA: 1\r\n",
       "A: 1\r\n"},
      {"nominated, each time it is there", "A: 1\r\nConnection: a\r\nB: 2\r\na: 3\r\n", "B: 2\r\n"},
      {"a list", "Connection: a ,,\tC\r\nA: 1\r\nB: 2\r\nC: 3\r\n", "B: 2\r\n"},
      {"several Connection fields", "Connection: a\r\nA: 1\r\nB: 2\r\nConnection: b\r\nC: 3\r\n",
       "C: 3\r\n"},
      {"only whole names", "Connection: a\r\nAB: 1\r\nX-A: 2\r\n", "AB: 1\r\nX-A: 2\r\n"},
      {"Connection nominates itself", "Connection: connection, a\r\nA: 1\r\nB: 2\r\n", "B: 2\r\n"},
      {"protected: cookie, authorization",
       "Connection: Cookie, authorization, a\r\nCookie: x=1\r\n"
       "A: 1\r\nAuthorization: Basic eA==\r\n",
       "Cookie: x=1\r\nAuthorization: Basic eA==\r\n"},
      {"protected: forwarded",
       "Connection: forwarded, x-forwarded-for, X-Forwarded-Proto, x-forwarded-host, "
       "X-Forwarded-Port\r\nForwarded: for=a\r\nX-Forwarded-For: 1.1.1.1\r\n"
       "X-Forwarded-Proto: https\r\nX-Forwarded-Host: a\r\nX-Forwarded-Port: 1\r\n",
       "Forwarded: for=a\r\nX-Forwarded-For: 1.1.1.1\r\nX-Forwarded-Proto: https\r\n"
       "X-Forwarded-Host: a\r\nX-Forwarded-Port: 1\r\n"},
      {"protected: the trace",
       "Connection: traceparent, TraceState\r\ntraceparent: 1\r\ntracestate: 2\r\n",
       "traceparent: 1\r\ntracestate: 2\r\n"},
      {"protected: the request's id", "Connection: x-request-id\r\nX-Request-Id: 7\r\n",
       "X-Request-Id: 7\r\n"},
      {"protected: the length", "Connection: content-length\r\nContent-Length: 5\r\n",
       "Content-Length: 5\r\n"},
      {"protected by the policy", "Connection: x-region, x-regio, a\r\nX-Region: e\r\nA: 1\r\n",
       "X-Region: e\r\n"},
      {"not protected: X-Real-IP", "Connection: x-real-ip\r\nX-Real-IP: 1.1.1.1\r\nA: 1\r\n",
       "A: 1\r\n"},
  };
  for (size_t i = 0; i < ITEMS(cases); i++) {
    char lines[1024], text[1024];
    snprintf(lines, sizeof(lines), "POST / HTTP/1.1\r\nHost: shop\r\n%s", cases[i].in);
    bench_request(lines, &request);
    strip(is_region, (void *)(uintptr_t) "x-region");
    struct str left = fields_text(request.fields, request.field_count, text, sizeof(text));
    ck_assert_msg(str_starts_with(left, STR("Host: shop\r\n")), "%s: Host", cases[i].name);
    left = str_skip(left, sizeof("Host: shop\r\n") - 1);
    ck_assert_msg(str_eq(left, str_from_cstr(cases[i].out)), "%s: left is\n%.*s", cases[i].name,
                  STR_ARG(left));
  }
}
END_TEST

START_TEST(host_is_protected)
{
  char text[256];
  bench_request("GET / HTTP/1.1\r\nConnection: host\r\nHost: shop\r\n", &request);
  strip(NULL, NULL);
  ck_assert_view_eq(fields_text(request.fields, request.field_count, text, sizeof(text)),
                    "Host: shop\r\n");
}
END_TEST

/* A Connection field may nominate as many fields as a head may have. */
START_TEST(many_nominations)
{
  char lines[4096], text[256];
  int n = snprintf(lines, sizeof(lines), GET "Connection: ");
  for (int i = 0; i < 99; i++)
    n += snprintf(lines + n, sizeof(lines) - (size_t)n, "x%d%s", i, i < 98 ? "," : ", last\r\n");
  for (int i = 0; i < 48; i++)
    n += snprintf(lines + n, sizeof(lines) - (size_t)n, "X%d: 1\r\nY%d: 2\r\n", i, i);
  snprintf(lines + n, sizeof(lines) - (size_t)n, "Last: 1\r\nZ: 1\r\n");
  bench_request(lines, &request);
  strip(NULL, NULL);
  ck_assert_uint_eq(request.field_count, 1 + 48 + 1);
  ck_assert_view_eq(fields_text(request.fields, 3, text, sizeof(text)),
                    "Host: shop\r\nY0: 2\r\nY1: 2\r\n");
  ck_assert_view_eq(request.fields[49].name, "Z");
}
END_TEST

/* ---- who is asking --------------------------------------------------------------------------- */

/* Trusts 10/8, 192.0.2.1 and fd00::/8. */
static const struct config *trusting(void) {
  static struct ip_network networks[3];
  static const struct config config = {
      .trusted_proxies = networks, .trusted_proxy_count = 3, .via = true};
  static const struct str texts[] = {STR_INIT("10.0.0.0/8"), STR_INIT("192.0.2.1"),
                                     STR_INIT("fd00::/8")};
  for (size_t i = 0; i < 3; i++)
    ck_assert_int_eq(ip_network_parse(texts[i], &networks[i]), IP_NETWORK_OK);
  return &config;
}

START_TEST(client_ip)
{
  static const struct {
    const char *name, *peer, *fields, *client;
  } cases[] = {
      {"nobody in between", "203.0.113.7", "", "203.0.113.7"},
      {"a stranger's word is not taken", "203.0.113.7", "X-Forwarded-For: 1.1.1.1\r\n",
       "203.0.113.7"},
      {"a proxy without a word", "10.0.0.1", "", "10.0.0.1"},
      {"a proxy with an empty word", "10.0.0.1", "X-Forwarded-For: \r\n", "10.0.0.1"},
      {"a proxy's client", "10.0.0.1", "X-Forwarded-For: 1.1.1.1\r\n", "1.1.1.1"},
      {"the right-most that is not trusted", "10.0.0.1",
       "X-Forwarded-For: 3.3.3.3, 2.2.2.2, 10.9.9.9, 192.0.2.1\r\n", "2.2.2.2"},
      {"all are trusted: the leftmost", "10.0.0.1", "X-Forwarded-For: 10.0.0.3, 10.0.0.2\r\n",
       "10.0.0.3"},
      {"over several fields", "10.0.0.1",
       "X-Forwarded-For: 3.3.3.3\r\nA: 1\r\nX-Forwarded-For: 10.0.0.2\r\n", "3.3.3.3"},
      {"the last field counts first", "10.0.0.1",
       "X-Forwarded-For: 3.3.3.3\r\nX-Forwarded-For: 2.2.2.2\r\n", "2.2.2.2"},
      {"no address at the right end", "10.0.0.1", "X-Forwarded-For: 1.1.1.1, unknown\r\n",
       "10.0.0.1"},
      {"no address behind a good one", "10.0.0.1", "X-Forwarded-For: 1.1.1.1, _x, 10.0.0.2\r\n",
       "10.0.0.2"},
      {"empty elements are nothing", "10.0.0.1", "X-Forwarded-For: , 1.1.1.1 ,,\t10.0.0.2,\r\n",
       "1.1.1.1"},
      {"with ports", "10.0.0.1", "X-Forwarded-For: 1.1.1.1:4711, [fd00::1]:80\r\n", "1.1.1.1"},
      {"IPv6", "fd00::1", "X-Forwarded-For: 2001:db8::7\r\n", "2001:db8::7"},
      {"a mapped address is IPv4", "10.0.0.1", "X-Forwarded-For: 1.1.1.1, ::ffff:10.0.0.2\r\n",
       "1.1.1.1"},
      {"one that is nearly trusted", "192.0.2.2", "X-Forwarded-For: 1.1.1.1\r\n", "192.0.2.2"},
  };
  for (size_t i = 0; i < ITEMS(cases); i++) {
    char lines[512], buffer[48];
    snprintf(lines, sizeof(lines), GET "%s", cases[i].fields);
    bench_request(lines, &request);
    struct ip_address peer = ip(cases[i].peer);
    struct ip_address client = forward_client_ip(trusting(), &request, &peer);
    struct str text = ip_format(&client, buffer, sizeof(buffer));
    ck_assert_msg(str_eq(text, str_from_cstr(cases[i].client)), "%s: %.*s", cases[i].name,
                  STR_ARG(text));
  }
}
END_TEST

START_TEST(https)
{
  static const struct {
    const char *fields;
    bool secure, trusted, https;
  } cases[] = {
      {"", false, false, false},
      {"", true, false, true},
      {"", false, true, false},
      {"", true, true, true},
      {"X-Forwarded-Proto: https\r\n", false, false, false},
      {"X-Forwarded-Proto: http\r\n", true, false, true},
      {"X-Forwarded-Proto: https\r\n", false, true, true},
      {"X-Forwarded-Proto: http\r\n", true, true, false},
      {"X-Forwarded-Proto: HTTPS\r\n", false, true, true},
      {"X-Forwarded-Proto: wss\r\n", true, true, true},
      {"X-Forwarded-Proto: https,http\r\n", false, true, false},
      {"X-Forwarded-Proto: https\r\nX-Forwarded-Proto: https\r\n", false, true, false},
      {"X-Forwarded-Proto: http\r\nX-Forwarded-Proto: http\r\n", true, true, true},
      {"X-Forwarded-Proto: \r\n", true, true, true},
  };
  for (size_t i = 0; i < ITEMS(cases); i++) {
    char lines[512];
    snprintf(lines, sizeof(lines), GET "%s", cases[i].fields);
    bench_request(lines, &request);
    ck_assert_msg(forward_is_https(&request, cases[i].secure, cases[i].trusted) == cases[i].https,
                  "%zu: '%s'", i, cases[i].fields);
  }
}
END_TEST

/* ---- the head that goes on ------------------------------------------------------------------- */

enum { TRUSTED = 1, SECURE = 2, NO_RULE = 4, NO_VIA = 8, CHUNKED = 16, COPY = 32, TRACE = 64 };

static const struct head_case {
  const char *name;
  int flags;
  const char *in, *out;
} HEADS[] = {
    {"all that is added", 0, GET,
     GET "X-Forwarded-For: 192.0.2.1\r\nX-Forwarded-Proto: http\r\nX-Forwarded-Host: shop\r\n"
         "X-Request-Id: made\r\nVia: 1.1 adit\r\nX-Adit-Variant: canary\r\nX-Adit-Rule: east\r\n"},
    {"no rule, no Via, TLS", NO_RULE | NO_VIA | SECURE, GET,
     GET "X-Forwarded-For: 192.0.2.1\r\nX-Forwarded-Proto: https\r\nX-Forwarded-Host: shop\r\n"
         "X-Request-Id: made\r\nX-Adit-Variant: canary\r\n"},
    {"order, case, doubles and blanks inside stay", NO_RULE | NO_VIA,
     "PATCH /%7Ea//b?x=%20&&y HTTP/1.1\r\naccept: a\r\nHoSt: Shop:80\r\nX-B:  1  2 \r\n"
     "Accept: b\r\nX-Empty:\r\nCookie: a=b\r\nCookie: adit_shop=1\r\nContent-Length: 03\r\n",
     "PATCH /%7Ea//b?x=%20&&y HTTP/1.1\r\naccept: a\r\nHoSt: Shop:80\r\nX-B: 1  2\r\n"
     "Accept: b\r\nX-Empty: \r\nCookie: a=b\r\nCookie: adit_shop=1\r\nContent-Length: 03\r\n"
     "X-Forwarded-For: 192.0.2.1\r\nX-Forwarded-Proto: http\r\nX-Forwarded-Host: Shop:80\r\n"
     "X-Request-Id: made\r\nX-Adit-Variant: canary\r\n"},
    {"a stranger's word is replaced or dropped", NO_RULE | NO_VIA,
     GET
     "X-Forwarded-For: 1.1.1.1\r\nA: 1\r\nX-Forwarded-Proto: https\r\nX-Forwarded-Host: evil\r\n"
     "Forwarded: for=1.1.1.1\r\nX-Real-IP: 1.1.1.1\r\nX-Request-Id: mine\r\nB: 2\r\n",
     GET "A: 1\r\nB: 2\r\nX-Forwarded-For: 192.0.2.1\r\nX-Forwarded-Proto: http\r\n"
         "X-Forwarded-Host: shop\r\nX-Request-Id: made\r\nX-Adit-Variant: canary\r\n"},
    {"nobody's word counts in another spelling", TRUSTED | NO_RULE | NO_VIA,
     GET "X_Forwarded_For: 1.1.1.1\r\nX-Forwarded_Proto: https\r\nX_FORWARDED-HOST: evil\r\n"
         "X_Real_IP: 1.1.1.1\r\nX_Request-Id: mine\r\nX_Forwarded: stays\r\nX_Real_IPs: too\r\n",
     GET "X_Forwarded: stays\r\nX_Real_IPs: too\r\nX-Forwarded-For: 192.0.2.1\r\n"
         "X-Forwarded-Proto: http\r\nX-Forwarded-Host: shop\r\nX-Request-Id: made\r\n"
         "X-Adit-Variant: canary\r\n"},
    {"a proxy's word is appended to or kept", TRUSTED | NO_RULE | NO_VIA,
     GET "X-Forwarded-For: 1.1.1.1\r\nA: 1\r\nX-Forwarded-Proto: https\r\nX-Forwarded-Host: www\r\n"
         "Forwarded: for=1.1.1.1\r\nX-Real-IP: 1.1.1.1\r\nX-Request-Id: mine\r\n",
     GET "A: 1\r\nX-Forwarded-Proto: https\r\nX-Forwarded-Host: www\r\nForwarded: for=1.1.1.1\r\n"
         "X-Real-IP: 1.1.1.1\r\nX-Request-Id: mine\r\nX-Forwarded-For: 1.1.1.1, 192.0.2.1\r\n"
         "X-Adit-Variant: canary\r\n"},
    {"a proxy that says nothing", TRUSTED | NO_RULE | NO_VIA, GET,
     GET "X-Forwarded-For: 192.0.2.1\r\nX-Forwarded-Proto: http\r\nX-Forwarded-Host: shop\r\n"
         "X-Request-Id: made\r\nX-Adit-Variant: canary\r\n"},
    {"several X-Forwarded-For are one list", TRUSTED | NO_RULE | NO_VIA,
     GET "X-Forwarded-For: 1.1.1.1, 2.2.2.2\r\nX-Forwarded-For:\r\nX-Forwarded-For: 3.3.3.3\r\n",
     GET "X-Forwarded-For: 1.1.1.1, 2.2.2.2, 3.3.3.3, 192.0.2.1\r\nX-Forwarded-Proto: http\r\n"
         "X-Forwarded-Host: shop\r\nX-Request-Id: made\r\nX-Adit-Variant: canary\r\n"},
    {"nobody else speaks for us, nor gets the token", TRUSTED | NO_VIA,
     GET "X-Adit-Variant: v1\r\nx-adit-rule: a\r\nX_Adit_Variant: v1\r\nX-Adit_Rule: b\r\n"
         "X-Adit-Mirror: 1\r\nX_Adit_Mirror: 1\r\n"
         "X-Canary-Token: secret\r\nx-canary-token: secret\r\nX-Canary: always\r\n",
     GET "X-Canary: always\r\nX-Forwarded-For: 192.0.2.1\r\nX-Forwarded-Proto: http\r\n"
         "X-Forwarded-Host: shop\r\nX-Request-Id: made\r\nX-Adit-Variant: canary\r\n"
         "X-Adit-Rule: east\r\n"},
    {"a copy says so", NO_RULE | NO_VIA | COPY, GET,
     GET "X-Forwarded-For: 192.0.2.1\r\nX-Forwarded-Proto: http\r\nX-Forwarded-Host: shop\r\n"
         "X-Request-Id: made\r\nX-Adit-Variant: canary\r\nX-Adit-Mirror: 1\r\n"},
    {"Via is added behind others", NO_RULE, GET "Via: 1.0 fred\r\n",
     GET "Via: 1.0 fred\r\nX-Forwarded-For: 192.0.2.1\r\nX-Forwarded-Proto: http\r\n"
         "X-Forwarded-Host: shop\r\nX-Request-Id: made\r\nVia: 1.1 adit\r\n"
         "X-Adit-Variant: canary\r\n"},
    {"absolute-form: its authority replaces Host", NO_RULE | NO_VIA,
     "GET http://Other:81/a?b HTTP/1.1\r\nA: 1\r\nHost: shop\r\n",
     "GET /a?b HTTP/1.1\r\nA: 1\r\nHost: Other:81\r\nX-Forwarded-For: 192.0.2.1\r\n"
     "X-Forwarded-Proto: http\r\nX-Forwarded-Host: Other:81\r\nX-Request-Id: made\r\n"
     "X-Adit-Variant: canary\r\n"},
    {"absolute-form without a path", NO_RULE | NO_VIA,
     "GET http://shop?b HTTP/1.1\r\nHost: shop\r\n",
     "GET /?b HTTP/1.1\r\nHost: shop\r\nX-Forwarded-For: 192.0.2.1\r\nX-Forwarded-Proto: http\r\n"
     "X-Forwarded-Host: shop\r\nX-Request-Id: made\r\nX-Adit-Variant: canary\r\n"},
    {"asterisk-form", NO_RULE | NO_VIA, "OPTIONS * HTTP/1.1\r\nHost: shop\r\n",
     "OPTIONS * HTTP/1.1\r\nHost: shop\r\nX-Forwarded-For: 192.0.2.1\r\nX-Forwarded-Proto: http\r\n"
     "X-Forwarded-Host: shop\r\nX-Request-Id: made\r\nX-Adit-Variant: canary\r\n"},
    {"chunked is framed anew", CHUNKED | NO_RULE | NO_VIA,
     "POST / HTTP/1.1\r\nHost: shop\r\nTransfer-Encoding: CHUNKED\r\nA: 1\r\n",
     "POST / HTTP/1.1\r\nHost: shop\r\nA: 1\r\nX-Forwarded-For: 192.0.2.1\r\n"
     "X-Forwarded-Proto: http\r\nX-Forwarded-Host: shop\r\nX-Request-Id: made\r\n"
     "X-Adit-Variant: canary\r\nTransfer-Encoding: chunked\r\n"},
    {"HTTP/1.0 goes on as 1.1, without its Expect", NO_RULE,
     "POST / HTTP/1.0\r\nHost: shop\r\nExpect: 100-continue\r\nContent-Length: 1\r\n",
     "POST / HTTP/1.1\r\nHost: shop\r\nContent-Length: 1\r\nX-Forwarded-For: 192.0.2.1\r\n"
     "X-Forwarded-Proto: http\r\nX-Forwarded-Host: shop\r\nX-Request-Id: made\r\nVia: 1.0 adit\r\n"
     "X-Adit-Variant: canary\r\n"},
    {"an expectation goes on", NO_RULE | NO_VIA,
     "POST / HTTP/1.1\r\nHost: shop\r\nExpect: 100-continue\r\nContent-Length: 1\r\n",
     "POST / HTTP/1.1\r\nHost: shop\r\nExpect: 100-continue\r\nContent-Length: 1\r\n"
     "X-Forwarded-For: 192.0.2.1\r\nX-Forwarded-Proto: http\r\nX-Forwarded-Host: shop\r\n"
     "X-Request-Id: made\r\nX-Adit-Variant: canary\r\n"},
    {"a trace goes on as it is", NO_RULE | NO_VIA,
     GET "TraceParent: 1\r\ntracestate: a=1\r\ntracestate: b=2\r\n",
     GET "TraceParent: 1\r\ntracestate: a=1\r\ntracestate: b=2\r\nX-Forwarded-For: 192.0.2.1\r\n"
         "X-Forwarded-Proto: http\r\nX-Forwarded-Host: shop\r\nX-Request-Id: made\r\n"
         "X-Adit-Variant: canary\r\n"},
    {"a new trace stands in place of all that came", NO_RULE | NO_VIA | TRACE,
     GET "TraceParent: 1\r\ntraceparent: 2\r\ntracestate: a=1\r\n",
     GET "X-Forwarded-For: 192.0.2.1\r\nX-Forwarded-Proto: http\r\nX-Forwarded-Host: shop\r\n"
         "X-Request-Id: made\r\ntraceparent: new\r\nX-Adit-Variant: canary\r\n"},
    {"HTTP/1.0 without a Host", NO_RULE | NO_VIA, "GET / HTTP/1.0\r\nA: 1\r\n",
     "GET / HTTP/1.1\r\nHost: \r\nA: 1\r\nX-Forwarded-For: 192.0.2.1\r\nX-Forwarded-Proto: http\r\n"
     "X-Forwarded-Host: \r\nX-Request-Id: made\r\nX-Adit-Variant: canary\r\n"},
};

static void forward(int flags, struct scratch *scratch) {
  static struct ip_address peer;
  struct config config = *trusting();
  config.via = !(flags & NO_VIA);
  peer = ip("192.0.2.1");
  struct forward_request_input input = {
      .request = &request,
      .config = &config,
      .peer = &peer,
      .trusted = flags & TRUSTED,
      .secure = flags & SECURE,
      .variant = STR("canary"),
      .rule = flags & NO_RULE ? (struct str){0} : STR("east"),
      .request_id = STR("made"),
      .traceparent = flags & TRACE ? STR("new") : (struct str){0},
      .is_mirror = flags & COPY,
  };
  forward_request(&input, scratch, &out);
}

START_TEST(request_heads)
{
  for (size_t i = 0; i < ITEMS(HEADS); i++) {
    const struct head_case *c = &HEADS[i];
    struct scratch scratch = {.p = memory, .capacity = sizeof(memory)};
    bench_request(c->in, &request);
    strip(NULL, NULL);
    forward(c->flags, &scratch);
    ck_assert_msg(!scratch.failed, "%s: memory", c->name);
    ck_assert_msg((out.body == HTTP_BODY_CHUNKED) == ((c->flags & CHUNKED) != 0), "%s: framing",
                  c->name);
    struct h1_framing framing = {.chunked = out.body == HTTP_BODY_CHUNKED};
    bench_expect_request(c->name, &out, &framing, c->out);
  }
}
END_TEST

/* The hundred fields that a head may have, and all of ours. */
START_TEST(a_full_head)
{
  char lines[4096];
  int n = snprintf(lines, sizeof(lines), "GET / HTTP/1.0\r\n");
  for (int i = 0; i < HTTP_FIELDS_MAX; i++)
    n += snprintf(lines + n, sizeof(lines) - (size_t)n, "X: %d\r\n", i);
  bench_request(lines, &request);
  struct scratch scratch = {.p = memory, .capacity = sizeof(memory)};
  forward(0, &scratch);
  ck_assert_uint_eq(out.fields.n, HTTP_FIELDS_MAX + 8);
  ck_assert_uint_le(out.fields.n, ITEMS(out.fields.items));
  ck_assert_view_eq(out.fields.items[HTTP_FIELDS_MAX].value, "99");
  ck_assert_view_eq(out.fields.items[HTTP_FIELDS_MAX + 7].name, "X-Adit-Rule");
}
END_TEST

/* Memory that does not suffice is told, and nothing is written past its end. */
START_TEST(scratch_runs_out)
{
  bench_request(GET "X-Forwarded-For: 1.1.1.1\r\n", &request);
  for (size_t capacity = 0; capacity <= 20; capacity++) {
    char *p = malloc(capacity + 1);
    ck_assert_ptr_nonnull(p);
    struct scratch scratch = {.p = p, .capacity = capacity};
    forward(TRUSTED, &scratch);
    ck_assert_msg(scratch.failed == (capacity < sizeof("1.1.1.1, 192.0.2.1") - 1), "%zu bytes",
                  capacity);
    ck_assert_uint_le(scratch.used, capacity);
    free(p);
  }
}
END_TEST

UNIT_MAIN("gateway forward", hop_by_hop, host_is_protected, many_nominations, client_ip, https,
          request_heads, a_full_head, scratch_runs_out)
