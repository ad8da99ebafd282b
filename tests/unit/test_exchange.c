/*
 * exchange: the walk over the table of states, by transcripts of what happens on both sides.
 */
#include "exchange_bench.h"

#define CONFIG_TEXT                                                                           \
  "{\"listen\": [{\"address\": \"127.0.0.1:0\"}], \"rules\": [\"rules/*.json\"],"             \
  " \"trusted_proxies\": [\"10.0.0.0/8\"], \"limits\": {\"body_bytes\": \"8B\"},"             \
  " \"timeouts\": {\"body\": \"30s\", \"tunnel\": \"40s\"}, \"upgrades\": [\"x-mux\"],"       \
  " \"upstreams\": {"                                                                         \
  "\"stable\": {\"endpoints\": [\"127.0.0.1:1\", \"127.0.0.1:2\"], \"load_balancing\": "      \
  "\"round_robin\","                                                                          \
  " \"connect_timeout\": \"2s\", \"timeout\": \"10s\"},"                                      \
  "\"canary\": {\"endpoints\": [\"127.0.0.1:3\", \"127.0.0.1:4\"], \"load_balancing\": "      \
  "\"round_robin\","                                                                          \
  " \"connect_timeout\": \"1s\", \"timeout\": \"5s\"},"                                       \
  "\"keyed\": {\"endpoints\": [\"127.0.0.1:5\", \"127.0.0.1:6\", \"127.0.0.1:7\"],"           \
  " \"load_balancing\": \"hash\", \"hash_by\": [\"header.x-key\", \"client_ip\"]},"           \
  "\"patient\": {\"endpoints\": [\"127.0.0.1:5\", \"127.0.0.1:6\"], \"load_balancing\": "     \
  "\"round_robin\", \"timeout\": \"10s\", \"retry\": {\"attempts\": 2, \"statuses\": [503], " \
  "\"try_timeout\": \"2s\", \"body_bytes\": \"3B\"}},"                                        \
  "\"sick\": {\"endpoints\": [\"127.0.0.1:7\", \"127.0.0.1:8\"], \"load_balancing\": "        \
  "\"round_robin\", \"timeout\": \"5s\", \"retry\": {\"statuses\": [503], \"try_timeout\": "  \
  "\"1s\"}},"                                                                                 \
  "\"distant\": {\"endpoints\": [\"127.0.0.1:12\", \"127.0.0.1:13\"], "                       \
  "\"load_balancing\": \"round_robin\", \"connect_timeout\": \"2s\", \"timeout\": \"1s\"},"   \
  "\"full\": {\"endpoints\": [\"127.0.0.1:9\"], \"timeout\": \"5s\","                         \
  " \"circuit_breaker\": {\"max_requests\": 1, \"max_pending\": 0}},"                         \
  "\"narrow\": {\"endpoints\": [\"127.0.0.1:10\", \"127.0.0.1:11\"], \"load_balancing\": "    \
  "\"round_robin\", \"circuit_breaker\": {\"max_connections\": 1, \"max_pending\": 1,"        \
  " \"pending_timeout\": \"3s\"}}},"                                                          \
  " \"sticky\": {\"keys\": [{\"id\": \"k\", \"file\": \"sticky.key\"}]}}"
#define AGAIN_RULES_TEXT                                                            \
  "{\"route\": \"again\", \"match\": {\"hosts\": [\"again\"]}, \"stable\": \"v1\"," \
  " \"variants\": {\"v1\": \"patient\", \"canary\": \"sick\"}, \"rules\": ["        \
  "{\"id\": \"to\", \"when\": {\"header.x-to\": \"canary\"}, \"to\": \"canary\"},"  \
  "{\"id\": \"draw\", \"when\": {\"header.x-draw\": \"1\"}, \"split\": {\"canary\": 100}}]}"
#define RULES_TEXT                                                                 \
  "{\"route\": \"shop\", \"match\": {\"hosts\": [\"shop\"]}, \"stable\": \"v1\","  \
  " \"variants\": {\"v1\": \"stable\", \"canary\": \"canary\"}, \"rules\": ["      \
  "{\"id\": \"to\", \"when\": {\"header.x-to\": \"canary\"}, \"to\": \"canary\"}," \
  "{\"id\": \"draw\", \"when\": {\"header.x-draw\": \"1\"}, \"split\": {\"canary\": 100}}]}"

#define KEYED_RULES_TEXT                                        \
  "{\"route\": \"keyed\", \"match\": {\"hosts\": [\"keyed\"]}," \
  " \"variants\": {\"v1\": \"keyed\", \"canary\": \"canary\"}," \
  " \"rules\": [{\"id\": \"to\", \"when\": {\"header.x-to\": \"canary\"}, \"to\": \"canary\"}]}"
#define DISTANT_TEXT                                                                        \
  "{\"route\": \"distant\", \"match\": {\"hosts\": [\"distant\"]}, \"variants\": {\"v1\": " \
  "\"distant\"}, \"stable\": \"v1\"}"
#define BUSY_TEXT                                                                  \
  "{\"route\": \"busy\", \"match\": {\"hosts\": [\"busy\"]}, \"stable\": \"v1\","  \
  " \"variants\": {\"v1\": \"full\", \"canary\": \"narrow\"}, \"rules\": ["        \
  "{\"id\": \"to\", \"when\": {\"header.x-to\": \"canary\"}, \"to\": \"canary\"}," \
  "{\"id\": \"draw\", \"when\": {\"header.x-draw\": \"1\"}, \"split\": {\"canary\": 100}}]}"

#define GET     "GET / HTTP/1.1\r\nHost: shop\r\n"
#define AGAIN   "GET / HTTP/1.1\r\nHost: again\r\n"
#define OLD_GET "GET / HTTP/1.0\r\nHost: shop\r\n"
#define POST    "POST / HTTP/1.1\r\nHost: shop\r\nContent-Length: 4\r\n"
#define PUT     "PUT / HTTP/1.1\r\nHost: shop\r\nContent-Length: 4\r\n"
#define CHUNKS  "POST / HTTP/1.1\r\nHost: shop\r\nTransfer-Encoding: chunked\r\n"
#define ASKS    "POST / HTTP/1.1\r\nHost: shop\r\nContent-Length: 4\r\nExpect: 100-continue\r\n"
#define MUX     GET "Connection: upgrade\r\nUpgrade: x-mux\r\n"
#define CANARY  "X-To: canary\r\n"
#define FORCED  "X-Canary: always\r\n"
#define DRAWN   "X-Draw: 1\r\n"

#define SENT "connect :1; send GET / to v1; done; "

struct walk {
  const char *name;
  const char *head;
  const char *before; /* said before it starts */
  const char *script;
  const char *transcript;
};

static void play_all(const struct walk *walks, size_t n) {
  bench_open();
  write_file("adit.json", CONFIG_TEXT);
  write_file("rules/shop.json", RULES_TEXT);
  write_file("rules/again.json", AGAIN_RULES_TEXT);
  write_file("rules/keyed.json", KEYED_RULES_TEXT);
  write_file("rules/busy.json", BUSY_TEXT);
  write_file("rules/distant.json", DISTANT_TEXT);
  struct text said;
  struct policy *policy = load_policy(NULL, NULL, &said);
  ck_assert_msg(policy && text_str(&said).n == 0, "%.*s", STR_ARG(text_str(&said)));
  for (size_t i = 0; i < n; i++) {
    const struct walk *walk = &walks[i];
    bench_begin(policy, "192.0.2.1");
    bench_play(walk->head, walk->before, walk->script);
    bench_note_counters();
    ck_assert_msg(strcmp(bench.transcript, walk->transcript) == 0, "%s:\n%s\ninstead of\n%s",
                  walk->name, bench.transcript, walk->transcript);
    bench_end(walk->name);
  }
  text_deinit(&said);
  policy_unref(&policy);
  bench_close();
}

#define PLAY(walks) play_all((walks), sizeof(walks) / sizeof(*(walks)))

/* ---- decide ---------------------------------------------------------------------------------- */

START_TEST(decide_walks)
{
  static const struct walk walks[] = {
      {"stable", GET, "", "up head:200,data:hi,end",
       SENT "head 200; body hi; end; release clean; [responses]"},
      {"by a rule", GET CANARY, "", "up head:200,data:hi,end",
       "connect :3; send GET / to canary; done; head 200; body hi; end; release clean; "
       "[responses]"},
      {"forced, and shown", GET FORCED, "", "up head:200,data:hi,end",
       "connect :3; send GET / to canary; done; "
       "head 200 private (variant=canary; reason=forced); body hi; end; release clean; "
       "[responses forced]"},
      {"drawn, and remembered", GET DRAWN, "", "up head:200,data:hi,end",
       "connect :3; send GET / to canary; done; head 200 cookie private; body hi; end; "
       "release clean; [responses cookies_set]"},
      {"no route", "GET / HTTP/1.1\r\nHost: other\r\n", "", "",
       "head 404; body adit: no route for this host and path; end; [answers]"},
      {"no route, a body to come", "POST / HTTP/1.1\r\nHost: other\r\nContent-Length: 1\r\n", "",
       "", "head 404 close; body adit: no route for this host and path; end; [answers]"},
      {"no route, HEAD", "HEAD / HTTP/1.1\r\nHost: other\r\n", "", "", "head 404; end; [answers]"},
      {"above the root", "GET /../a HTTP/1.1\r\nHost: shop\r\n", "", "",
       "head 400 close; body adit: the path is malformed or leads above the root; end; [answers]"},
      {"CONNECT", "CONNECT shop:80 HTTP/1.1\r\nHost: shop:80\r\n", "", "",
       "head 405 close; body adit: CONNECT is not offered here; end; [answers]"},
      {"a length over the limit", "POST / HTTP/1.1\r\nHost: shop\r\nContent-Length: 9\r\n", "", "",
       "head 413 close; body adit: the request's body is over the limit; end; [bodies_large "
       "answers]"},
      {"memory", "GET / HTTP/1.1\r\nHost: other\r\n", "short", "", "head 404; cut; [answers]"},
  };
  PLAY(walks);
}
END_TEST

/* ---- pick and connect ------------------------------------------------------------------------ */

START_TEST(connect_walks)
{
  static const struct walk walks[] = {
      {"it takes a while", GET, "", "+1999 up head:200,data:hi,end",
       SENT "head 200; body hi; end; release clean; [responses]"},
      {"an idle connection", GET, "idle:1", "head:200,data:hi,end",
       "reuse :1; send GET / to v1; done; head 200; body hi; end; release clean; [responses]"},
      {"refused at once: the next", GET, "refused:1", "up head:200,data:hi,end",
       "connect :1; connect :2; send GET / to v1; done; head 200; body hi; end; release clean; "
       "[responses connect_failures]"},
      {"refused later: the next", GET, "", "down up head:200,data:hi,end",
       "connect :1; release; connect :2; send GET / to v1; done; head 200; body hi; end; "
       "release clean; [responses connect_failures]"},
      {"timed out: the next", GET, "", "+2016 up head:200,data:hi,end",
       "connect :1; release; connect :2; send GET / to v1; done; head 200; body hi; end; "
       "release clean; [responses connect_failures]"},
      {"a POST too: nothing was sent", POST, "refused:1,put:body,put-end",
       "up head:200,data:hi,end",
       "connect :1; connect :2; send POST / to v1; put body; done; head 200; body hi; "
       "end; release clean; [responses connect_failures]"},
      {"all refuse", GET, "refused:2", "",
       "connect :1; connect :2; head 502; body adit: the service refused the connection; end; "
       "[answers connect_failures=2]"},
      {"all time out", GET, "", "+2016 +2016",
       "connect :1; release; connect :2; release; head 504; "
       "body adit: the service did not accept a connection in time; end; "
       "[answers connect_failures=2]"},
      {"for as long as the whole may take", "GET / HTTP/1.1\r\nHost: distant\r\n", "", "+2016",
       "connect :12; release; head 504; "
       "body adit: the service did not accept a connection in time; end; "
       "[answers connect_failures]"},
      {"the last one's reason is told", GET, "", "+2016 down",
       "connect :1; release; connect :2; release; head 502; "
       "body adit: the service refused the connection; end; [answers connect_failures=2]"},
      {"an unread body stands in the way", POST, "refused:2", "",
       "connect :1; connect :2; head 502 close; body adit: the service refused the connection; "
       "end; "
       "[answers connect_failures=2]"},
      {"the client leaves", GET, "", "leaves", "connect :1; release; []"},
  };
  PLAY(walks);
}
END_TEST

/* Which endpoint it is stays so for ever, else an update would move everybody. */
START_TEST(keyed_walks)
{
#define KEYED "GET / HTTP/1.1\r\nHost: keyed\r\n"
  static const struct walk walks[] = {
      {"a key", KEYED "X-Key: a\r\n", "", "up head:200,end",
       "connect :7; send GET / to v1; done; head 200; end; release clean; [responses]"},
      {"another key", KEYED "X-Key: b\r\n", "", "up head:200,end",
       "connect :5; send GET / to v1; done; head 200; end; release clean; [responses]"},
      {"the address", KEYED "X-Key: \r\n", "", "up head:200,end",
       "connect :5; send GET / to v1; done; head 200; end; release clean; [responses]"},
      {"the next two are the key's own", KEYED "X-Key: a\r\n", "refused:3", "",
       "connect :7; connect :5; connect :6; head 502; body adit: the service refused the "
       "connection; end; [answers connect_failures=3]"},
      {"once more where it was", KEYED "X-Key: a\r\n", "idle:1", "closed up head:200,end",
       "reuse :7; send GET / to v1; done; release; connect :7; send GET / to v1; done; head 200; "
       "end; release clean; [responses retries]"},
      {"stable's key, when a canary refuses", KEYED CANARY "X-Key: a\r\n", "refused:2",
       "up head:200,end",
       "connect :3; connect :4; connect :7; send GET / to v1; done; head 200; end; release clean; "
       "[responses connect_failures=2 failovers]"},
  };
  PLAY(walks);
}
END_TEST

START_TEST(failover_walks)
{
  static const struct walk walks[] = {
      {"a canary's users get stable", GET CANARY, "refused:2", "up head:200,data:hi,end",
       "connect :3; connect :4; connect :1; send GET / to v1; done; head 200; body hi; "
       "end; release clean; [responses connect_failures=2 failovers]"},
      {"after both have timed out", GET CANARY, "", "+1016 +1016 up head:200,data:hi,end",
       "connect :3; release; connect :4; release; connect :1; send GET / to v1; done; head 200; "
       "body hi; end; release clean; [responses connect_failures=2 failovers]"},
      {"no cookie is set then", GET DRAWN, "refused:2", "up head:200,data:hi,end",
       "connect :3; connect :4; connect :1; send GET / to v1; done; head 200; body hi; "
       "end; release clean; [responses connect_failures=2 failovers]"},
      {"stable fails too", GET CANARY, "refused:4", "",
       "connect :3; connect :4; connect :1; connect :2; head 502; "
       "body adit: the service refused the connection; end; "
       "[answers connect_failures=4 failovers]"},
      {"a forced one is not replaced", GET FORCED, "refused:2", "",
       "connect :3; connect :4; head 503 (variant=canary; reason=forced); "
       "body adit: no endpoint of the forced variant is reachable; end; "
       "[answers connect_failures=2 forced]"},
      {"stable is not replaced when forced", GET "X-Canary: never\r\n", "refused:2", "",
       "connect :1; connect :2; head 502 (variant=v1; reason=forced); body adit: the service "
       "refused the connection; end; "
       "[answers connect_failures=2 forced]"},
      {"not after the request was sent", GET CANARY, "", "up closed",
       "connect :3; send GET / to canary; done; release; head 502; "
       "body adit: the service closed the connection without a response; end; "
       "[answers bad_responses]"},
      {"not by an answer", GET CANARY, "", "up head:503,data:no,end",
       "connect :3; send GET / to canary; done; head 503; body no; end; release clean; "
       "[responses]"},
  };
  PLAY(walks);
}
END_TEST

/* ---- request --------------------------------------------------------------------------------- */

START_TEST(request_walks)
{
  static const struct walk walks[] = {
      {"a body in pieces", POST, "", "up put:bo put:dy put-end head:200,end",
       "connect :1; send POST / to v1; put bo; put dy; done; head 200; end; release clean; "
       "[responses]"},
      {"a body that was there before", POST, "put:body,put-end", "up head:200,end",
       "connect :1; send POST / to v1; put body; done; head 200; end; release clean; [responses]"},
      {"the origin is slow to take it", CHUNKS, "put:12345678,put-end",
       "origin-full:3,up +100 origin-drained head:200,end",
       "connect :1; send POST / to v1; put 123; put 45678; done; head 200; end; release clean; "
       "[responses]"},
      {"no room for the end", CHUNKS, "put:123,put-end",
       "origin-full:3,up origin-drained head:200,end",
       "connect :1; send POST / to v1; put 123; done; head 200; end; release clean; [responses]"},
      {"over the limit in mid-body", CHUNKS, "", "up put:12345678 put:9",
       "connect :1; send POST / to v1; put 12345678; put 9; release; head 413 close; "
       "body adit: the request's body is over the limit; end; [bodies_large answers]"},
      {"as much as the limit", CHUNKS, "put:12345678,put-end", "up head:200,end",
       "connect :1; send POST / to v1; put 12345678; done; head 200; end; release clean; "
       "[responses]"},
      {"malformed in mid-body", CHUNKS, "", "up put:12 put-bad",
       "connect :1; send POST / to v1; put 12; release; head 400 close; "
       "body adit: the request's body is malformed or was cut off; end; [answers]"},
      {"too many chunk extensions", CHUNKS, "", "up put:12 put-extensions",
       "connect :1; send POST / to v1; put 12; release; head 413 close; "
       "body adit: the request's chunk extensions are too long; end; [extensions_long answers]"},
      {"too many trailers", CHUNKS, "", "up put:12 put-trailers",
       "connect :1; send POST / to v1; put 12; release; head 431 close; "
       "body adit: the request's trailers are too long; end; [trailers_long answers]"},
      {"too slow", POST, "", "up put:b put-slow",
       "connect :1; send POST / to v1; put b; release; head 408 close; "
       "body adit: the request's body did not arrive in time; end; [answers]"},
      {"the client leaves", POST, "", "up put:b leaves",
       "connect :1; send POST / to v1; put b; release; []"},
      {"the client has gone", POST, "", "up put:b put-failed",
       "connect :1; send POST / to v1; put b; release; cut; [client_gone]"},
      {"no memory for its body", POST, "", "up put:b short,put-failed",
       "connect :1; send POST / to v1; put b; release; head 503 close; cut; [answers shortages]"},
      {"no first byte in time", GET, "", "up +9999 +17",
       SENT "release; head 504; body adit: the service did not respond in time; end; [answers]"},
      {"the canary's own time", GET CANARY, "", "up +4999 +17",
       "connect :3; send GET / to canary; done; release; head 504; "
       "body adit: the service did not respond in time; end; [answers]"},
      {"a slow client is not the origin's fault", POST, "", "up +60000 put:body,put-end +9999 +17",
       "connect :1; send POST / to v1; put body; done; release; head 504; "
       "body adit: the service did not respond in time; end; [answers]"},
      {"an upload that moves is waited for", CHUNKS, "put:12345678,put-end",
       "origin-full:1,up +9000 origin-full:1 +9000 origin-full:1 +9999 +17",
       "connect :1; send POST / to v1; put 1; put 2; put 3; release; head 504 close; "
       "body adit: the service did not respond in time; end; [answers]"},
      {"no response", GET, "", "up closed",
       SENT "release; head 502; body adit: the service closed the connection without a response; "
            "end; [answers bad_responses]"},
      {"no HTTP", GET, "", "up bad-head",
       SENT "release; head 502; body adit: the service sent a bad response: it rambles; end; "
            "[answers bad_responses]"},
      {"a write that fails, and nothing to read", POST, "", "up origin-write-failed,put:b,closed",
       "connect :1; send POST / to v1; put b; release; head 502 close; "
       "body adit: the service closed the connection without a response; end; "
       "[answers bad_responses]"},
      {"memory", GET, "", "short,up",
       "connect :1; send GET / to v1; release; head 503; cut; "
       "[answers shortages]"},
  };
  PLAY(walks);
}
END_TEST

START_TEST(interim_walks)
{
  static const struct walk walks[] = {
      {"continue", ASKS, "", "up head:100 put:body,put-end head:200,end",
       "connect :1; send POST / to v1; interim 100; put body; done; head 200; end; release clean; "
       "[responses]"},
      {"the origin says no before the body", ASKS, "", "up head:417,data:no,end",
       "connect :1; send POST / to v1; head 417 close; body no; end; release; [responses]"},
      {"the origin does not answer the question", ASKS, "", "up +9999 +17",
       "connect :1; send POST / to v1; release; head 504 close; "
       "body adit: the service did not respond in time; end; [answers]"},
      {"several, with the final one behind them", GET, "",
       "up head:102,head:103,head:200,data:hi,end",
       SENT "interim 102; interim 103; head 200; body hi; end; release clean; [responses]"},
      {"not to HTTP/1.0", OLD_GET, "", "up head:103,head:200,data:hi,end",
       SENT "head 200; body hi; end; release clean; [responses]"},
      {"101 that nobody asked for", GET, "", "up head:101",
       SENT "release; head 502; "
            "body adit: the service sent a bad response: 101 that nobody asked for; end; "
            "[answers bad_responses]"},
      {"sixteen", GET, "",
       "up head:102,head:102,head:102,head:102,head:102,head:102,head:102,head:102 "
       "head:102,head:102,head:102,head:102,head:102,head:102,head:102,head:102 "
       "head:200,data:hi,end",
       SENT "interim 102; interim 102; interim 102; interim 102; interim 102; interim 102; "
            "interim 102; interim 102; interim 102; interim 102; interim 102; interim 102; "
            "interim 102; interim 102; interim 102; interim 102; head 200; body hi; "
            "end; release clean; [responses]"},
      {"seventeen", OLD_GET, "",
       "up head:102,head:102,head:102,head:102,head:102,head:102,head:102,head:102 "
       "head:102,head:102,head:102,head:102,head:102,head:102,head:102,head:102 head:102",
       SENT "release; head 502; "
            "body adit: the service sent a bad response: too many interim responses; end; "
            "[answers bad_responses]"},
      {"an interim one starts the clock anew", GET, "", "up +9000 head:102 +9999 +17",
       SENT "interim 102; release; head 504; body adit: the service did not respond in time; end; "
            "[answers]"},
      {"half a head", GET, "", "up half-head +29999 +17",
       SENT "release; head 504; body adit: the service did not respond in time; end; [answers]"},
      {"half a head behind an interim one", GET, "", "up head:102 +9000 half-head +29999 +17",
       SENT "interim 102; release; head 504; body adit: the service did not respond in time; end; "
            "[answers]"},
      {"the origin dies after one", GET, "idle:1", "head:102 closed",
       "reuse :1; send GET / to v1; done; interim 102; release; head 502; "
       "body adit: the service closed the connection without a response; end; "
       "[answers bad_responses]"},
  };
  PLAY(walks);
}
END_TEST

START_TEST(retry_walks)
{
  static const struct walk walks[] = {
      {"an idle connection was dead", GET, "idle:1", "closed up head:200,data:hi,end",
       "reuse :1; send GET / to v1; done; release; connect :2; send GET / to v1; done; head 200; "
       "body hi; end; release clean; [responses retries]"},
      {"only once, and then on a fresh one", GET, "idle:2", "closed up closed",
       "reuse :1; send GET / to v1; done; release; connect :2; send GET / to v1; done; release; "
       "head 502; body adit: the service closed the connection without a response; end; "
       "[answers retries bad_responses]"},
      {"with its body", PUT, "idle:1,put:body,put-end", "closed up head:200,end",
       "reuse :1; send PUT / to v1; put body; done; release; connect :2; send PUT / to v1; "
       "put body; done; head 200; end; release clean; [responses retries]"},
      {"with half a body, the rest to come", PUT, "idle:1,put:bo",
       "closed up put:dy,put-end head:200,end",
       "reuse :1; send PUT / to v1; put bo; release; connect :2; send PUT / to v1; put bo; put dy; "
       "done; head 200; end; release clean; [responses retries]"},
      {"not a POST", POST, "idle:1,put:body,put-end", "closed",
       "reuse :1; send POST / to v1; put body; done; release; head 502; "
       "body adit: the service closed the connection without a response; end; "
       "[answers bad_responses]"},
      {"not after a byte of a response", GET, "idle:1", "half-head,closed",
       "reuse :1; send GET / to v1; done; release; head 502; "
       "body adit: the service closed the connection without a response; end; "
       "[answers bad_responses]"},
      {"not on a fresh connection", GET, "", "up closed",
       SENT "release; head 502; body adit: the service closed the connection without a response; "
            "end; [answers bad_responses]"},
      {"not after a time-out", GET, "idle:1", "+10016",
       "reuse :1; send GET / to v1; done; release; head 504; "
       "body adit: the service did not respond in time; end; [answers]"},
      {"every endpoint is tried again", GET, "idle:1,refused:1", "closed up head:200,data:hi,end",
       "reuse :1; send GET / to v1; done; release; connect :2; connect :1; send GET / to v1; done; "
       "head 200; body hi; end; release clean; [responses connect_failures retries]"},
      {"none accepts then", GET, "idle:1,refused:2", "closed",
       "reuse :1; send GET / to v1; done; release; connect :2; connect :1; head 502; "
       "body adit: the service refused the connection; end; "
       "[answers connect_failures=2 retries]"},
      {"a canary's, and then stable", GET CANARY, "idle:1,refused:2",
       "closed up head:200,data:hi,end",
       "reuse :3; send GET / to canary; done; release; connect :4; connect :3; connect :1; "
       "send GET / to v1; done; head 200; body hi; end; release clean; "
       "[responses connect_failures=2 retries failovers]"},
      {"the limit counts its body once",
       "PUT / HTTP/1.1\r\nHost: shop\r\nTransfer-Encoding: chunked\r\n",
       "idle:1,put:12345678,put-end", "closed up head:200,end",
       "reuse :1; send PUT / to v1; put 12345678; done; release; connect :2; send PUT / to v1; "
       "put 12345678; done; head 200; end; release clean; [responses retries]"},
  };
  PLAY(walks);
}
END_TEST

#define TO(port, variant) "connect :" port "; send GET / to " variant "; done; "
#define OK                "head 200; body hi; end; release clean; "
#define CLOSED_502 \
  "release; head 502; body adit: the service closed the connection without a response; end; "

START_TEST(option_walks)
{
  static const struct walk walks[] = {
      {"a fresh connection ended", AGAIN, "", "up closed up head:200,data:hi,end",
       TO("5", "v1") "release; " TO("6", "v1") OK "[responses retries]"},
      {"so often, and where it has been for want of another", AGAIN, "",
       "up closed up closed up closed",
       TO("5", "v1") "release; " TO("6", "v1") "release; " TO("5", "v1") CLOSED_502
       "[answers retries=2 bad_responses]"},
      {"the others refuse, so where it has been", AGAIN, "",
       "up refused:1,closed up head:200,data:hi,end",
       TO("5", "v1") "release; connect :6; " TO("5", "v1") OK
       "[responses connect_failures retries]"},
      {"all refuse", AGAIN, "", "up refused:3,closed",
       TO("5", "v1") "release; connect :6; connect :5; connect :6; head 502; "
                     "body adit: the service refused the connection; end; [answers "
                     "connect_failures=3 retries]"},
      {"a dead idle connection does not count", AGAIN, "idle:1",
       "closed up closed up closed up head:200,data:hi,end",
       "reuse :5; send GET / to v1; done; release; " TO("6", "v1") "release; " TO(
           "5", "v1") "release; " TO("6", "v1") OK "[responses retries=3]"},
      {"not a POST", "POST / HTTP/1.1\r\nHost: again\r\nContent-Length: 0\r\n", "", "up closed",
       "connect :5; send POST / to v1; done; " CLOSED_502 "[answers bad_responses]"},
      {"not after a byte of a response", AGAIN, "", "up half-head,closed",
       TO("5", "v1") CLOSED_502 "[answers bad_responses]"},
      {"not after an interim response", AGAIN, "", "up head:103 closed",
       TO("5", "v1") "interim 103; " CLOSED_502 "[answers bad_responses]"},
      {"a status", AGAIN, "", "up head:503 up head:200,data:hi,end",
       TO("5", "v1") "release; " TO("6", "v1") OK "[responses retries]"},
      {"the last status is the client's", AGAIN, "",
       "up head:503 up head:503 up head:503,data:hi,end",
       TO("5", "v1") "release; " TO("6", "v1") "release; " TO(
           "5", "v1") "head 503; body hi; end; release clean; [responses retries=2]"},
      {"another status is", AGAIN, "", "up head:500,data:hi,end",
       TO("5", "v1") "head 500; body hi; end; release clean; [responses]"},
      {"a time-out", AGAIN, "", "up +1999 +17 up head:200,data:hi,end",
       TO("5", "v1") "release; " TO("6", "v1") OK "[responses retries]"},
      {"the last try has the rest of the time", AGAIN, "", "up +2016 up +2016 up +5936 +48",
       TO("5", "v1") "release; " TO("6", "v1") "release; " TO(
           "5", "v1") "release; head 504; body adit: the service did not respond in time; end; "
                      "[answers retries=2]"},
      {"with the body that is kept", "PUT / HTTP/1.1\r\nHost: again\r\nContent-Length: 3\r\n",
       "put:ab", "up closed up put:c,put-end head:200,end",
       "connect :5; send PUT / to v1; put ab; release; connect :6; send PUT / to v1; put ab; put "
       "c; "
       "done; head 200; end; release clean; [responses retries]"},
      {"which the next endpoint takes bit by bit",
       "PUT / HTTP/1.1\r\nHost: again\r\nContent-Length: 3\r\n", "put:ab",
       "up origin-full:1,closed up origin-drained put:c,put-end head:200,end",
       "connect :5; send PUT / to v1; put ab; release; connect :6; send PUT / to v1; put a; put b; "
       "put c; done; head 200; end; release clean; [responses retries]"},
      {"not without its body", "PUT / HTTP/1.1\r\nHost: again\r\nContent-Length: 4\r\n",
       "put:abc,put:d,put-end", "up closed",
       "connect :5; send PUT / to v1; put abcd; done; " CLOSED_502 "[answers bad_responses]"},
  };
  PLAY(walks);
}
END_TEST

/* A sick canary hurts nobody: what may be sent again ends at stable. */
START_TEST(option_canary_walks)
{
  static const struct walk walks[] = {
      {"its endpoints, and then stable", AGAIN CANARY, "",
       "up closed up closed up head:200,data:hi,end",
       TO("7", "canary") "release; " TO("8", "canary") "release; " TO("5", "v1") OK
       "[responses retries=2 failovers]"},
      {"no cookie then", AGAIN DRAWN, "", "up closed up closed up head:200,data:hi,end",
       TO("7", "canary") "release; " TO("8", "canary") "release; " TO("5", "v1") OK
       "[responses retries=2 failovers]"},
      {"the other one refuses", AGAIN CANARY, "", "up refused:1,closed up head:200,data:hi,end",
       TO("7", "canary") "release; connect :8; " TO("5", "v1") OK
       "[responses connect_failures retries failovers]"},
      {"stable's own tries", AGAIN CANARY, "",
       "up closed up closed up closed up closed up head:200,data:hi,end",
       TO("7", "canary") "release; " TO("8", "canary") "release; " TO("5", "v1") "release; " TO(
           "6", "v1") "release; " TO("5", "v1") OK "[responses retries=4 failovers]"},
      {"a status", AGAIN CANARY, "", "up head:503 up head:503 up head:200,data:hi,end",
       TO("7", "canary") "release; " TO("8", "canary") "release; " TO("5", "v1") OK
       "[responses retries=2 failovers]"},
      {"it hangs", AGAIN CANARY, "", "up +1016 up +1016 up +1999 head:200,data:hi,end",
       TO("7", "canary") "release; " TO("8", "canary") "release; " TO("5", "v1") OK
       "[responses retries=2 failovers]"},
      {"forced, it is told", "GET / HTTP/1.1\r\nHost: again\r\n" FORCED, "", "up closed up closed",
       TO("7", "canary") "release; " TO(
           "8", "canary") "release; head 502 (variant=canary; reason=forced); "
                          "body adit: the service closed the connection without a response; end; "
                          "[answers retries bad_responses forced]"},
      {"without the option it is told, too", GET CANARY, "", "up closed",
       TO("3", "canary") CLOSED_502 "[answers bad_responses]"},
  };
  PLAY(walks);
}
END_TEST

/* ---- response -------------------------------------------------------------------------------- */

START_TEST(response_walks)
{
  static const struct walk walks[] = {
      {"in pieces", GET, "", "up head:200 data:h +100 data:i end",
       SENT "head 200; body h; body i; end; release clean; [responses]"},
      {"no body", GET, "", "up head:204,end", SENT "head 204; end; release clean; [responses]"},
      {"a slow client", GET, "", "up full:1,head:200,data:hi,end +60000 drained",
       SENT "head 200; body h; body i; end; release clean; [responses]"},
      {"a client that has gone", GET, "", "up head:200,data:h gone,data:i",
       SENT "head 200; body h; release; cut; [client_gone]"},
      {"a client that has gone, while the origin is waited for", GET, "", "up head:200,gone",
       SENT "head 200; release; cut; [client_gone]"},
      {"a client that has gone, and an origin that ends too early", GET, "",
       "up head:200,full:1,data:hi gone,bad", SENT "head 200; body h; release; cut; [client_gone]"},
      {"a client that has gone, with the rest of its request", POST, "",
       "up put:bo head:200,data:h put-failed",
       "connect :1; send POST / to v1; put bo; head 200 close; body h; release; cut; "
       "[client_gone]"},
      {"the client leaves", GET, "", "up head:200,data:h leaves",
       SENT "head 200; body h; release; []"},
      {"the origin dies", GET, "", "up head:200,data:h failed",
       SENT "head 200; body h; release; cut; [cut]"},
      {"the origin ends too early or is malformed", GET, "", "up head:200,data:h bad",
       SENT "head 200; body h; release; cut; [cut]"},
      {"the origin falls silent", GET, "", "up head:200,data:h +29999 +17",
       SENT "head 200; body h; release; cut; [cut]"},
      {"a byte now and then", GET, "", "up head:200,data:h +29000 data:i +29000 end",
       SENT "head 200; body h; body i; end; release clean; [responses]"},
      {"before the request is complete", POST, "", "up put:bo head:200,data:hi,end",
       "connect :1; send POST / to v1; put bo; head 200 close; body hi; end; release; [responses]"},
      {"the rest of the request still goes", POST, "",
       "up put:bo head:200,data:h put:dy,put-end data:i,end",
       "connect :1; send POST / to v1; put bo; head 200 close; body h; put dy; done; body i; "
       "end; release clean; [responses]"},
      {"the rest goes while the client is slow to read", POST, "",
       "up put:bo full:1,head:200,data:hi,end put:dy,put-end drained",
       "connect :1; send POST / to v1; put bo; head 200 close; body h; put dy; done; body i; "
       "end; release clean; [responses]"},
      {"the origin waits for the rest", POST, "",
       "up put:bo head:200,data:h +60000 put:dy,put-end +29000 data:i,end",
       "connect :1; send POST / to v1; put bo; head 200 close; body h; put dy; done; body i; "
       "end; release clean; [responses]"},
      {"the rest does not come", POST, "", "up put:bo head:200,data:h +60000 put-slow",
       "connect :1; send POST / to v1; put bo; head 200 close; body h; release; cut; [cut]"},
      {"the origin falls silent behind the rest", POST, "",
       "up put:bo head:200,data:h +60000 put:dy,put-end +29999 +17",
       "connect :1; send POST / to v1; put bo; head 200 close; body h; put dy; done; release; cut; "
       "[cut]"},
      {"the rest is malformed", CHUNKS, "", "up put:bo head:200,data:h put-bad",
       "connect :1; send POST / to v1; put bo; head 200 close; body h; release; cut; [cut]"},
      {"the rest is over the limit", CHUNKS, "", "up put:12345678 head:200,data:h put:9",
       "connect :1; send POST / to v1; put 12345678; head 200 close; body h; put 9; release; cut; "
       "[bodies_large cut]"},
      {"the rest is not wanted", POST, "",
       "up put:bo head:200,data:h origin-write-failed,put:d data:i,end",
       "connect :1; send POST / to v1; put bo; head 200 close; body h; put d; body i; end; "
       "release; "
       "[responses]"},
      {"memory", GET, "", "up short,head:200",
       SENT "head 200; release; head 503; cut; [answers shortages]"},
  };
  PLAY(walks);
}
END_TEST

/* ---- beside the walk ------------------------------------------------------------------------- */

/* Who is asking: a trusted proxy's word about client and scheme, and its request id. */
#define TUNNEL SENT "head 101; tunnel; "

START_TEST(tunnel_walks)
{
  static const struct walk walks[] = {
      {"both ways, then one end after the other", MUX, "",
       "up head:101,data:hi put:yo end put:more put-end",
       TUNNEL "body hi; put yo; ended; put more; put-ended; end; release; [responses tunnels]"},
      {"the client ends first", MUX, "", "up head:101 put:yo,put-end data:hi end",
       TUNNEL "put yo; put-ended; body hi; ended; end; release; [responses tunnels]"},
      {"an end waits for what is before it", MUX, "",
       "up full:1,head:101,data:hi,end drained put-end",
       TUNNEL "body h; body i; ended; put-ended; end; release; [responses tunnels]"},
      {"the origin takes nothing", MUX, "",
       "up head:101 origin-full:1,put:yo origin-drained data:hi,end,put-end",
       TUNNEL "put y; put o; put-ended; body hi; ended; end; release; [responses tunnels]"},
      {"idle for too long", MUX, "", "up head:101 +39999 +17",
       TUNNEL "end; release; [responses tunnels]"},
      {"a byte keeps it", MUX, "", "up head:101 +39999 data:h +39999 put:y +39999 +17",
       TUNNEL "body h; put y; end; release; [responses tunnels]"},
      {"half of it has as long as a body", MUX, "", "up head:101 put-end +29999 +17",
       TUNNEL "put-ended; end; release; [responses tunnels]"},
      {"the origin breaks", MUX, "", "up head:101,data:hi failed",
       TUNNEL "body hi; release; cut; [cut tunnels]"},
      {"the origin takes no more", MUX, "", "up head:101 put:yo,origin-write-failed",
       TUNNEL "put yo; release; cut; [cut tunnels]"},
      {"the client takes no more", MUX, "", "up head:101 gone,data:hi",
       TUNNEL "release; cut; [client_gone tunnels]"},
      {"the client has gone, and nothing is sent to it", MUX, "", "up head:101 put-failed",
       TUNNEL "release; cut; [client_gone tunnels]"},
      {"the client leaves", MUX, "", "up head:101 leaves", TUNNEL "release; [tunnels]"},
  };
  PLAY(walks);
}
END_TEST

/* ---- an upstream's limits -------------------------------------------------------------------- */

#define BUSY     "GET / HTTP/1.1\r\nHost: busy\r\n"
#define TO_FULL  "connect :9; send GET / to v1; done; "
#define ANSWERED "head 200; body hi; end; release clean; "
#define REFUSED  "body adit: the service has too much to do: try again soon; end; "

START_TEST(limit_walks)
{
  static const struct walk walks[] = {
      {"there is room", BUSY, "", "up head:200,data:hi,end", TO_FULL ANSWERED "[responses]"},
      {"there is none, nor to wait", BUSY, "busy:full", "",
       "head 503; " REFUSED "[answers queue_overflows overloads]"},
      {"a canary's user waits", BUSY CANARY, "busy:narrow", "free:narrow up head:200,data:hi,end",
       "connect :10; send GET / to canary; done; " ANSWERED "[responses queued]"},
      {"too long: stable", BUSY CANARY, "busy:narrow", "+2900 +116 up head:200,data:hi,end",
       TO_FULL ANSWERED "[responses failovers queued queue_timeouts]"},
      {"stable, and no cookie", BUSY DRAWN, "busy:narrow", "+3016 up head:200,data:hi,end",
       TO_FULL ANSWERED "[responses failovers queued queue_timeouts]"},
      {"stable has no room either", BUSY CANARY, "busy:narrow,busy:full", "+3016",
       "head 503; " REFUSED "[answers failovers queued queue_overflows queue_timeouts overloads]"},
      {"a forced one has no other way", BUSY FORCED, "busy:narrow", "+3016",
       "head 503 (variant=canary; reason=forced); " REFUSED
       "[answers queued queue_timeouts overloads forced]"},
      {"room in the last moment", BUSY CANARY, "busy:narrow",
       "at-last:narrow +3016 up head:200,data:hi,end",
       "connect :10; send GET / to canary; done; " ANSWERED "[responses queued]"},
      {"the client leaves", BUSY CANARY, "busy:narrow", "leaves", "[queued]"},
      {"the client leaves with a place", BUSY CANARY, "busy:narrow", "at-last:narrow leaves",
       "[queued]"},
      {"the client leaves later", BUSY CANARY, "", "leaves", "connect :10; release; []"},
      {"the endpoints refuse: stable's place", BUSY CANARY, "refused:2", "up head:200,data:hi,end",
       "connect :10; connect :11; " TO_FULL ANSWERED "[responses connect_failures=2 failovers]"},
      {"they refuse later", BUSY CANARY, "", "down down up head:200,data:hi,end",
       "connect :10; release; connect :11; release; " TO_FULL ANSWERED
       "[responses connect_failures=2 failovers]"},
      {"an idle connection takes no place", BUSY CANARY, "idle:1", "head:200,data:hi,end",
       "reuse :10; send GET / to canary; done; " ANSWERED "[responses]"},
      {"sent again, in the same place", BUSY CANARY, "idle:1", "closed up head:200,data:hi,end",
       "reuse :10; send GET / to canary; done; release; connect :11; send GET / to canary; "
       "done; " ANSWERED "[responses retries]"},
      {"no answer in time", BUSY, "", "up +5016",
       TO_FULL "release; head 504; body adit: the service did not respond in time; end; [answers]"},
      {"cut", BUSY, "", "up head:200,data:hi,bad",
       TO_FULL "head 200; body hi; release; cut; [cut]"},
  };
  PLAY(walks);
}
END_TEST

START_TEST(behind_a_proxy)
{
  bench_open();
  write_file("adit.json", CONFIG_TEXT);
  write_file("rules/shop.json", RULES_TEXT);
  write_file("rules/busy.json", BUSY_TEXT);
  struct text said;
  char buffer[48];
  struct policy *policy = load_policy(NULL, NULL, &said);
  bench_begin(policy, "10.0.0.1");
  bench_play(GET "X-Forwarded-For: 203.0.113.7\r\nX-Forwarded-Proto: https\r\nX-Request-Id: 7\r\n",
             "", "up");
  ck_assert_view_eq(ip_format(&bench.exchange->client_ip, buffer, sizeof(buffer)), "203.0.113.7");
  ck_assert(bench.exchange->trusted && bench.exchange->https);
  ck_assert_str_eq(bench.request_id, "7");
  bench_step(STR("head:200,data:hi,end"));
  bench_end("behind a proxy");
  text_deinit(&said);
  policy_unref(&policy);
  bench_close();
}
END_TEST

START_TEST(failures_are_logged)
{
  bench_open();
  write_file("adit.json", CONFIG_TEXT);
  write_file("rules/shop.json", RULES_TEXT);
  write_file("rules/busy.json", BUSY_TEXT);
  struct text said;
  struct policy *policy = load_policy(NULL, NULL, &said);
  bench_begin(policy, "192.0.2.1");
  bench_play(GET CANARY, "refused:1", "");
  ck_assert_str_eq(bench.logged,
                   "route 'shop', variant 'canary': endpoint 127.0.0.1:3: Connection "
                   "refused; its users get stable when no endpoint accepts");
  bench.logged[0] = '\0';
  bench_step(STR("up"));
  bench_step(STR("bad-head"));
  ck_assert_str_eq(bench.logged, "502 to 192.0.2.1: the service sent a bad response: it rambles");
  bench_end("logged");
  text_deinit(&said);
  policy_unref(&policy);
  bench_close();
}
END_TEST

UNIT_MAIN("exchange", decide_walks, connect_walks, keyed_walks, failover_walks, request_walks,
          interim_walks, retry_walks, option_walks, option_canary_walks, response_walks,
          tunnel_walks, limit_walks, behind_a_proxy, failures_are_logged)
