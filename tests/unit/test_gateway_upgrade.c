/*
 * Changes of protocol and trailers: what is offered, which 101 accepts it, what may stand behind a
 * body.
 */
#include "gateway/upgrade.h"

#include "gateway_bench.h"

#define GET "GET / HTTP/1.1\r\nHost: shop\r\n"
#define KEY "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n" /* RFC 6455 1.3 */
#define WS  GET "Connection: upgrade\r\nUpgrade: websocket\r\n" KEY

static const struct str allowed[] = {STR_INIT("websocket"), STR_INIT("x-mux")};
static const struct config config = {.upgrades = allowed, .upgrade_count = ITEMS(allowed)};
static struct http_request request;
static struct http_response response;

/* ---- offers ---------------------------------------------------------------------------------- */

START_TEST(offers)
{
  static const struct {
    const char *name, *head, *offer;
  } cases[] = {
      {"a websocket", WS, "websocket"},
      {"as it was written", GET "Connection: Upgrade\r\nUpgrade: WebSocket\r\n" KEY, "WebSocket"},
      {"another that is allowed", GET "Connection: upgrade\r\nUpgrade: x-mux/2\r\n", "x-mux/2"},
      {"the first that is allowed",
       GET "Connection: upgrade\r\nUpgrade: h2c\r\nUpgrade: foo, x-mux , websocket\r\n" KEY,
       "x-mux"},
      {"no content is no content", WS "Content-Length: 0\r\n", "websocket"},
      {"none that is allowed", GET "Connection: upgrade\r\nUpgrade: h2c\r\n", ""},
      {"a name that only begins so", GET "Connection: upgrade\r\nUpgrade: x-muxer\r\n", ""},
      {"not nominated", GET "Upgrade: x-mux\r\n", ""},
      {"nothing named", GET "Connection: upgrade\r\n", ""},
      {"HTTP/1.0", "GET / HTTP/1.0\r\nConnection: upgrade\r\nUpgrade: x-mux\r\n", ""},
      {"content", GET "Connection: upgrade\r\nUpgrade: x-mux\r\nContent-Length: 1\r\n", ""},
      {"content in chunks",
       GET "Connection: upgrade\r\nUpgrade: x-mux\r\nTransfer-Encoding: chunked\r\n", ""},
      {"CONNECT", "CONNECT a:1 HTTP/1.1\r\nHost: a:1\r\nConnection: upgrade\r\nUpgrade: x-mux\r\n",
       ""},
      {"a websocket by POST",
       "POST / HTTP/1.1\r\nHost: a\r\nConnection: upgrade\r\nUpgrade: websocket\r\n" KEY, ""},
      {"without a key", GET "Connection: upgrade\r\nUpgrade: websocket\r\n", ""},
      {"with two", WS KEY, ""},
      {"with a short one",
       GET "Connection: upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Key: c2hvcnQ=\r\n", ""},
      {"with one that is no base64",
       GET "Connection: upgrade\r\nUpgrade: websocket\r\n"
           "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25j*Q==\r\n",
       ""},
  };
  for (size_t i = 0; i < ITEMS(cases); i++) {
    bench_request(cases[i].head, &request);
    struct str offer = upgrade_offer(&config, &request);
    ck_assert_msg(str_eq(offer, str_from_cstr(cases[i].offer)), "%s: '%.*s'", cases[i].name,
                  STR_ARG(offer));
  }
  const struct config none = {0};
  bench_request(WS, &request);
  ck_assert_uint_eq(upgrade_offer(&none, &request).n, 0);
}
END_TEST

/* ---- answers --------------------------------------------------------------------------------- */

#define SWITCHING "HTTP/1.1 101 x\r\nConnection: upgrade\r\n"
#define ACCEPT    "Sec-WebSocket-Accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo=\r\n"

START_TEST(accepts)
{
  static const struct {
    const char *name, *offer, *head;
    bool opens;
  } cases[] = {
      {"a websocket", "websocket", SWITCHING "Upgrade: websocket\r\n" ACCEPT, true},
      {"in another case", "websocket", SWITCHING "upgrade: WebSocket\r\n" ACCEPT, true},
      {"another protocol needs no key", "x-mux", SWITCHING "Upgrade: x-mux\r\n", true},
      {"nothing was offered", "", SWITCHING "Upgrade: websocket\r\n" ACCEPT, false},
      {"another one", "x-mux", SWITCHING "Upgrade: websocket\r\n" ACCEPT, false},
      {"another version", "x-mux/1", SWITCHING "Upgrade: x-mux/2\r\n", false},
      {"two", "x-mux", SWITCHING "Upgrade: x-mux, websocket\r\n", false},
      {"two fields", "x-mux", SWITCHING "Upgrade: x-mux\r\nUpgrade: x-mux\r\n", false},
      {"none", "x-mux", SWITCHING, false},
      {"not nominated", "x-mux", "HTTP/1.1 101 x\r\nUpgrade: x-mux\r\n", false},
      {"HTTP/1.0", "x-mux", "HTTP/1.0 101 x\r\nConnection: upgrade\r\nUpgrade: x-mux\r\n", false},
      {"no accept", "websocket", SWITCHING "Upgrade: websocket\r\n", false},
      {"the accept of another key", "websocket",
       SWITCHING "Upgrade: websocket\r\nSec-WebSocket-Accept: AAAALMBiTxaQ9kYGzzhZRbK+xOo=\r\n",
       false},
      {"the accept twice", "websocket", SWITCHING "Upgrade: websocket\r\n" ACCEPT ACCEPT, false},
  };
  bench_request(WS, &request);
  for (size_t i = 0; i < ITEMS(cases); i++) {
    bench_response(cases[i].head, HTTP_METHOD_GET, &response);
    const char *why = upgrade_refusal(str_from_cstr(cases[i].offer), &request, &response);
    ck_assert_msg((why == NULL) == cases[i].opens, "%s: %s", cases[i].name, why ? why : "opens");
  }
}
END_TEST

START_TEST(wants)
{
  static const struct {
    const char *head, *wanted;
  } cases[] = {
      {"HTTP/1.1 426 x\r\nConnection: upgrade\r\nUpgrade: h2c, WebSocket\r\n", "WebSocket"},
      {"HTTP/1.1 426 x\r\nConnection: upgrade\r\nUpgrade: h2c\r\n", ""},
      {"HTTP/1.1 426 x\r\nUpgrade: websocket\r\n", ""},
      {"HTTP/1.1 200 x\r\nConnection: upgrade\r\nUpgrade: websocket\r\n", ""},
  };
  for (size_t i = 0; i < ITEMS(cases); i++) {
    bench_response(cases[i].head, HTTP_METHOD_GET, &response);
    ck_assert_view_eq(upgrade_wanted(&config, &response), cases[i].wanted);
  }
}
END_TEST

/* ---- trailers -------------------------------------------------------------------------------- */

static bool is_region(void *context, struct str name) {
  (void)context;
  return str_eq_nocase(name, STR("x-region"));
}

START_TEST(trailers)
{
  static struct field_list list;
  struct str lines =
      STR("A:1\r\nContent-Length: 5\r\nb: \t 2 \r\nX-Region: x\r\nX_Forwarded_For: y\r\n"
          "x-adit-anything: z\r\nX-Forwarded: kept\r\nC:\r\n");
  list.n = http_trailers_parse(lines, list.items);
  ck_assert_uint_eq(list.n, 8);
  ck_assert_view_eq(list.items[2].value, "2");
  ck_assert_int_eq(list.items[1].id, HTTP_FIELD_CONTENT_LENGTH);
  forward_trailers(&list, NULL, NULL);
  ck_assert_uint_eq(list.n, 5);
  forward_trailers(&list, is_region, NULL);
  static const char *const kept[] = {"A", "b", "X-Forwarded", "C"};
  ck_assert_uint_eq(list.n, ITEMS(kept));
  for (size_t i = 0; i < list.n; i++) ck_assert_view_eq(list.items[i].name, kept[i]);
  ck_assert_uint_eq(http_trailers_parse(STR(""), list.items), 0);
}
END_TEST

UNIT_MAIN("gateway upgrade", offers, accepts, wants, trailers)
