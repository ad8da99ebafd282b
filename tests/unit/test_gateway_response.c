/*
 * The response as it goes back, interim responses, and answers of our own; head for head.
 */
#include "gateway_bench.h"

static struct http_request request;
static struct http_response response;
static struct response_out out;
static char memory[4096];

static const struct h1_framing NO_FRAMING;
#define DATE   "Sun, 06 Nov 1994 08:49:37 GMT"
#define OK     "HTTP/1.1 200 OK\r\n"
#define DATED  "Date: x\r\n"
#define LENGTH "Content-Length: 2\r\n"

/* ---- what a shared cache may keep ------------------------------------------------------------ */

static void parse(const char *method, const char *head) {
  char line[128];
  snprintf(line, sizeof(line), "%s / HTTP/1.1\r\nHost: shop\r\n", method);
  bench_request(line, &request);
  bench_response(head, request.method_id, &response);
}

START_TEST(storable)
{
  static const struct {
    const char *method, *head;
    bool storable;
  } cases[] = {
      {"GET", OK, true},
      {"HEAD", OK, true},
      {"POST", OK, false},
      {"PUT", OK, false},
      {"DELETE", OK, false},
      {"OPTIONS", OK, false},
      {"PATCH", OK, false},
      {"GET", "HTTP/1.1 201 x\r\n", false},
      {"GET", "HTTP/1.1 203 x\r\n", true},
      {"GET", "HTTP/1.1 204 x\r\n", true},
      {"GET", "HTTP/1.1 206 x\r\n", true},
      {"GET", "HTTP/1.1 300 x\r\n", true},
      {"GET", "HTTP/1.1 301 x\r\n", true},
      {"GET", "HTTP/1.1 302 x\r\n", false},
      {"GET", "HTTP/1.1 304 x\r\n", true}, /* freshens what is stored */
      {"GET", "HTTP/1.1 307 x\r\n", false},
      {"GET", "HTTP/1.1 308 x\r\n", true},
      {"GET", "HTTP/1.1 403 x\r\n", false},
      {"GET", "HTTP/1.1 404 x\r\n", true},
      {"GET", "HTTP/1.1 405 x\r\n", true},
      {"GET", "HTTP/1.1 410 x\r\n", true},
      {"GET", "HTTP/1.1 414 x\r\n", true},
      {"GET", "HTTP/1.1 500 x\r\n", false},
      {"GET", "HTTP/1.1 501 x\r\n", true},
      {"GET", "HTTP/1.1 503 x\r\n", false},
      {"GET", OK "Cache-Control: no-store\r\n", false},
      {"GET", OK "cache-control: No-Store\r\n", false},
      {"GET", OK "Cache-Control: private\r\n", false},
      {"GET", OK "Cache-Control: PRIVATE, max-age=60\r\n", false},
      {"GET", OK "Cache-Control: max-age=60, private\r\n", false},
      {"GET", OK "Cache-Control: max-age=60\r\nCache-Control: private\r\n", false},
      {"GET", OK "Cache-Control: private=\"Set-Cookie\"\r\n", true},
      {"GET", OK "Cache-Control: no-cache\r\n", true},
      {"GET", OK "Cache-Control: no-storey\r\n", true},
      {"GET", OK "Cache-Control: x=\"no-store, private\"\r\n", true},
      {"GET", "HTTP/1.1 302 x\r\nCache-Control: max-age=60\r\n", true},
      {"GET", "HTTP/1.1 302 x\r\nCache-Control: s-maxage=60\r\n", true},
      {"GET", "HTTP/1.1 302 x\r\nCache-Control: public\r\n", true},
      {"GET", "HTTP/1.1 302 x\r\nCache-Control: publicity\r\n", false},
      {"GET", "HTTP/1.1 302 x\r\nExpires: 0\r\n", true},
      {"POST", OK "Cache-Control: max-age=60\r\n", true},
      {"POST", OK "Expires: " DATE "\r\n", true},
      {"POST", OK "Cache-Control: public, no-store\r\n", false},
  };
  for (size_t i = 0; i < ITEMS(cases); i++) {
    parse(cases[i].method, cases[i].head);
    ck_assert_msg(forward_is_storable(&request, &response) == cases[i].storable, "%s %s",
                  cases[i].method, cases[i].head);
  }
}
END_TEST

/* ---- what goes back -------------------------------------------------------------------------- */

enum { COOKIE = 1, PRIVATE = 2, EXPOSE = 4, VARY = 8 };

static const struct head_case {
  const char *name, *method;
  int flags;
  const char *in;
  enum http_body_kind body;
  const char *out;
} HEADS[] = {
    {"as it came", "GET", 0,
     "HTTP/1.1 299 d\xc3\xa9j\xc3\xa0\r\nserver: a\r\nDate: x\r\nX-A: 1\r\nContent-Length: 02\r\n"
     "X-A: 2\r\nSet-Cookie: a=1\r\nSet-Cookie: b=2\r\nVia: 1.1 b\r\n",
     HTTP_BODY_LENGTH,
     "HTTP/1.1 299 d\xc3\xa9j\xc3\xa0\r\nserver: a\r\nDate: x\r\nX-A: 1\r\nContent-Length: 02\r\n"
     "X-A: 2\r\nSet-Cookie: a=1\r\nSet-Cookie: b=2\r\nVia: 1.1 b\r\n"},
    {"a date where there is none", "GET", 0, OK LENGTH, HTTP_BODY_LENGTH,
     OK LENGTH "Date: " DATE "\r\n"},
    {"no reason", "GET", 0, "HTTP/1.1 200\r\n" DATED LENGTH, HTTP_BODY_LENGTH,
     "HTTP/1.1 200 \r\n" DATED LENGTH},
    {"HTTP/1.0 until close goes on in chunks", "GET", 0, "HTTP/1.0 200 OK\r\n" DATED,
     HTTP_BODY_CHUNKED, OK DATED},
    {"hop-by-hop fields end here", "GET", 0,
     OK DATED "Connection: close, x-a\r\nX-A: 1\r\nKeep-Alive: 5\r\nUpgrade: h2c\r\nX-B: 2\r\n"
              "Proxy-Connection: x\r\n" LENGTH,
     HTTP_BODY_LENGTH, OK DATED "X-B: 2\r\n" LENGTH},
    {"the length is no hop's", "GET", 0, OK DATED "Connection: content-length\r\n" LENGTH,
     HTTP_BODY_LENGTH, OK DATED LENGTH},
    {"chunked is framed anew", "GET", 0, OK DATED "Transfer-Encoding: chunked\r\n",
     HTTP_BODY_CHUNKED, OK DATED},
    {"HEAD keeps the length", "HEAD", 0, OK DATED LENGTH, HTTP_BODY_NONE, OK DATED LENGTH},
    {"HEAD of what would be chunked", "HEAD", 0, OK DATED "Transfer-Encoding: chunked\r\n",
     HTTP_BODY_NONE, OK DATED},
    {"304 keeps the length", "GET", 0, "HTTP/1.1 304 x\r\n" DATED LENGTH, HTTP_BODY_NONE,
     "HTTP/1.1 304 x\r\n" DATED LENGTH},
    {"204 has none", "GET", 0, "HTTP/1.1 204 x\r\n" DATED LENGTH "A: 1\r\n", HTTP_BODY_NONE,
     "HTTP/1.1 204 x\r\n" DATED "A: 1\r\n"},
    {"a cookie, kept from caches", "GET", COOKIE | PRIVATE, OK DATED LENGTH, HTTP_BODY_LENGTH,
     OK DATED LENGTH "Set-Cookie: adit_shop=1\r\nCache-Control: private\r\n"},
    {"a cookie beside others", "GET", COOKIE | PRIVATE, OK DATED LENGTH "Set-Cookie: a=1\r\n",
     HTTP_BODY_LENGTH,
     OK DATED LENGTH "Set-Cookie: a=1\r\nSet-Cookie: adit_shop=1\r\nCache-Control: private\r\n"},
    {"forced or pinned, without a cookie", "GET", PRIVATE, OK DATED LENGTH, HTTP_BODY_LENGTH,
     OK DATED LENGTH "Cache-Control: private\r\n"},
    {"what may be kept for a while", "GET", PRIVATE,
     OK DATED LENGTH "Cache-Control: max-age=60\r\n", HTTP_BODY_LENGTH,
     OK DATED LENGTH "Cache-Control: max-age=60\r\nCache-Control: private\r\n"},
    {"what nobody keeps stays as it is", "GET", COOKIE | PRIVATE,
     OK DATED LENGTH "Cache-Control: no-store\r\n", HTTP_BODY_LENGTH,
     OK DATED LENGTH "Cache-Control: no-store\r\nSet-Cookie: adit_shop=1\r\n"},
    {"a POST is not kept", "POST", COOKIE | PRIVATE, OK DATED LENGTH, HTTP_BODY_LENGTH,
     OK DATED LENGTH "Set-Cookie: adit_shop=1\r\n"},
    {"the origin's nomination leaves our fields", "GET", COOKIE | PRIVATE,
     OK DATED LENGTH "Connection: set-cookie, cache-control\r\nSet-Cookie: a=1\r\n",
     HTTP_BODY_LENGTH, OK DATED LENGTH "Set-Cookie: adit_shop=1\r\nCache-Control: private\r\n"},
    {"the decision is shown", "GET", EXPOSE, OK DATED LENGTH, HTTP_BODY_LENGTH,
     OK DATED LENGTH "X-Adit-Decision: variant=canary; reason=forced\r\n"},
    {"vary", "GET", VARY, OK DATED LENGTH "Vary: Accept\r\n", HTTP_BODY_LENGTH,
     OK DATED LENGTH "Vary: Accept\r\nVary: X-Canary, x-region, Cookie\r\n"},
    {"all at once", "GET", COOKIE | PRIVATE | EXPOSE | VARY, OK LENGTH, HTTP_BODY_LENGTH,
     OK LENGTH "Date: " DATE "\r\nSet-Cookie: adit_shop=1\r\nCache-Control: private\r\n"
               "Vary: X-Canary, x-region, Cookie\r\n"
               "X-Adit-Decision: variant=canary; reason=forced\r\n"},
};

static const struct route_variant VARIANTS[] = {{.name = STR_INIT("v1")},
                                                {.name = STR_INIT("canary")}};

static void forward(int flags, const struct route *route, struct scratch *scratch) {
  const struct route decided = {.variants = VARIANTS};
  const struct decision decision = {.route = &decided, .variant = 1, .reason = REASON_FORCED};
  struct forward_response_input input = {
      .request = &request,
      .response = &response,
      .route = route,
      .set_cookie = flags & COOKIE ? STR("adit_shop=1") : (struct str){0},
      .private_response = flags & PRIVATE,
      .decision = flags & EXPOSE ? &decision : NULL,
      .date = STR(DATE),
  };
  forward_response(&input, scratch, &out);
}

static const struct str VARY_FIELDS[] = {STR_INIT("X-Canary"), STR_INIT("x-region"),
                                         STR_INIT("Cookie")};

START_TEST(response_heads)
{
  for (size_t i = 0; i < ITEMS(HEADS); i++) {
    const struct head_case *c = &HEADS[i];
    const struct route route = {.vary = c->flags & VARY,
                                .vary_fields = VARY_FIELDS,
                                .vary_field_count = 3,
                                .variants = VARIANTS};
    struct scratch scratch = {.p = memory, .capacity = sizeof(memory)};
    parse(c->method, c->in);
    forward(c->flags, &route, &scratch);
    ck_assert_msg(!scratch.failed, "%s: memory", c->name);
    ck_assert_msg(out.body == c->body, "%s: framing %d", c->name, (int)out.body);
    if (c->body == HTTP_BODY_LENGTH) ck_assert_msg(out.content_length == 2, "%s: length", c->name);
    bench_expect_response(c->name, &out, &NO_FRAMING, c->out);
  }
}
END_TEST

/* "vary" in a rule file that can read no field. */
START_TEST(vary_of_nothing)
{
  const struct route route = {.vary = true};
  struct scratch scratch = {.p = memory, .capacity = sizeof(memory)};
  parse("GET", OK DATED LENGTH);
  forward(0, &route, &scratch);
  bench_expect_response("vary of nothing", &out, &NO_FRAMING, OK DATED LENGTH);
}
END_TEST

START_TEST(scratch_runs_out)
{
  const struct route route = {.vary = true, .vary_fields = VARY_FIELDS, .vary_field_count = 3};
  parse("GET", OK DATED LENGTH);
  bool failed = true;
  for (size_t capacity = 0; capacity <= 200; capacity++) {
    char *p = malloc(capacity + 1);
    ck_assert_ptr_nonnull(p);
    struct scratch scratch = {.p = p, .capacity = capacity};
    forward(EXPOSE | VARY, &route, &scratch);
    ck_assert_msg(failed || !scratch.failed, "%zu bytes do not suffice, fewer did", capacity);
    failed = scratch.failed;
    free(p);
  }
  ck_assert(!failed);
}
END_TEST

START_TEST(a_full_head)
{
  char lines[4096];
  const struct route route = {.vary = true, .vary_fields = VARY_FIELDS, .vary_field_count = 3};
  int n = snprintf(lines, sizeof(lines), OK);
  for (int i = 0; i < HTTP_FIELDS_MAX; i++)
    n += snprintf(lines + n, sizeof(lines) - (size_t)n, "X: %d\r\n", i);
  parse("GET", lines);
  struct scratch scratch = {.p = memory, .capacity = sizeof(memory)};
  forward(COOKIE | PRIVATE | EXPOSE | VARY, &route, &scratch);
  ck_assert_uint_eq(out.fields.n, HTTP_FIELDS_MAX + 5);
  ck_assert_uint_le(out.fields.n, ITEMS(out.fields.items));
}
END_TEST

START_TEST(interim)
{
  static const struct {
    const char *in, *out;
  } cases[] = {
      {"HTTP/1.1 100 Continue\r\n", "HTTP/1.1 100 Continue\r\n"},
      {"HTTP/1.1 103 x\r\nLink: </a>\r\nConnection: x-a\r\nX-A: 1\r\nKeep-Alive: 1\r\n",
       "HTTP/1.1 103 x\r\nLink: </a>\r\n"},
      {"HTTP/1.1 102 x\r\nContent-Length: 5\r\nA: 1\r\n", "HTTP/1.1 102 x\r\nA: 1\r\n"},
  };
  for (size_t i = 0; i < ITEMS(cases); i++) {
    parse("GET", cases[i].in);
    out.close = true;
    forward_interim(&response, &out);
    ck_assert(out.body == HTTP_BODY_NONE && !out.close);
    bench_expect_response(cases[i].in, &out, &NO_FRAMING, cases[i].out);
  }
}
END_TEST

/* ---- answers of our own ---------------------------------------------------------------------- */

START_TEST(answers)
{
  static const struct {
    int status;
    const char *line, *why, *body;
    bool close;
    const char *more;
  } cases[] = {
      {400, "400 Bad Request", "bare LF", "adit: bare LF\n", true, ""},
      {404, "404 Not Found", "no route", "adit: no route\n", false, ""},
      {405, "405 Method Not Allowed", "no", "adit: no\n", true,
       "Allow: GET, HEAD, POST, PUT, PATCH, DELETE, OPTIONS, TRACE\r\n"},
      {408, "408 Request Timeout", "late", "adit: late\n", true, ""},
      {413, "413 Content Too Large", "big", "adit: big\n", true, ""},
      {414, "414 URI Too Long", "long", "adit: long\n", true, ""},
      {417, "417 Expectation Failed", "no", "adit: no\n", true, ""},
      {421, "421 Misdirected Request", "https", "adit: https\n", false, ""},
      {431, "431 Request Header Fields Too Large", "long", "adit: long\n", true, ""},
      {501, "501 Not Implemented", "coding", "adit: coding\n", true, ""},
      {502, "502 Bad Gateway", "refused", "adit: refused\n", false, ""},
      {503, "503 Service Unavailable", "", "adit: \n", false, ""},
      {504, "504 Gateway Timeout", "late", "adit: late\n", false, ""},
      {505, "505 HTTP Version Not Supported", "2", "adit: 2\n", true, ""},
  };
  for (size_t i = 0; i < ITEMS(cases); i++) {
    struct scratch scratch = {.p = memory, .capacity = sizeof(memory)};
    struct str body;
    char lines[512];
    forward_answer(cases[i].status, str_from_cstr(cases[i].why), cases[i].close, STR(DATE),
                   &scratch, &out, &body);
    ck_assert_view_eq(body, cases[i].body);
    ck_assert(out.body == HTTP_BODY_LENGTH && out.content_length == body.n && !scratch.failed);
    ck_assert_msg(out.close == cases[i].close, "%s: close", cases[i].line);
    snprintf(lines, sizeof(lines),
             "HTTP/1.1 %s\r\nDate: " DATE
             "\r\nContent-Type: text/plain; charset=utf-8\r\n"
             "Content-Length: %zu\r\nCache-Control: no-store\r\n%s",
             cases[i].line, body.n, cases[i].more);
    bench_expect_response(cases[i].line, &out, &NO_FRAMING, lines);
  }
}
END_TEST

UNIT_MAIN("gateway response", storable, response_heads, vary_of_nothing, scratch_runs_out,
          a_full_head, interim, answers)
