/*
 * client against a scripted server: each case is the bytes that the server sends, and what must
 * come of them. The server keeps what it was sent, so that requests are checked as bytes, too.
 */
#include <arpa/inet.h>
#include <pthread.h>
#include <stdio.h>
#include <sys/socket.h>
#include <unistd.h>

#include "adit/client.h"
#include "unit.h"

struct server {
  int listener;
  uint16_t port;
  struct str answer; /* p == NULL: none, the connection is held until the client leaves */
  pthread_t thread;
  char seen[8192];
  size_t seen_n;
};

static bool seen_whole(const struct server *server) {
  struct str seen = str_make(server->seen, server->seen_n);
  bool has_body = str_contains(seen, STR("Content-Length: 5"));
  return str_contains(seen, STR("\r\n\r\n")) && (!has_body || str_ends_with(seen, STR("hello")));
}

static void *server_run(void *context) {
  struct server *server = context;
  int fd = accept(server->listener, NULL, NULL);
  if (fd < 0) return NULL;
  ssize_t n = 1;
  while (n > 0 && !seen_whole(server) && server->seen_n < sizeof(server->seen)) {
    n = read(fd, server->seen + server->seen_n, sizeof(server->seen) - server->seen_n);
    if (n > 0) server->seen_n += (size_t)n;
  }
  if (server->answer.p) {
    n = send(fd, server->answer.p, server->answer.n, MSG_NOSIGNAL);
    shutdown(fd, SHUT_WR);
  }
  char rest[4096];
  while (read(fd, rest, sizeof(rest)) > 0) {
  }
  close(fd);
  return NULL;
}

static void server_start(struct server *server, struct str answer) {
  struct sockaddr_in address = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
  socklen_t size = sizeof(address);
  *server = (struct server){.answer = answer, .listener = socket(AF_INET, SOCK_STREAM, 0)};
  ck_assert_int_ge(server->listener, 0);
  ck_assert_int_eq(bind(server->listener, (struct sockaddr *)&address, size), 0);
  ck_assert_int_eq(listen(server->listener, 4), 0);
  ck_assert_int_eq(getsockname(server->listener, (struct sockaddr *)&address, &size), 0);
  server->port = ntohs(address.sin_port);
  ck_assert_int_eq(pthread_create(&server->thread, NULL, server_run, server), 0);
}

static void server_stop(struct server *server) {
  shutdown(server->listener, SHUT_RDWR); /* wakes an accept that nobody came to */
  pthread_join(server->thread, NULL);
  close(server->listener);
}

/* One call to a server of its own. The caller deinits the response. */
static enum client_outcome ask(struct client_request request, struct str answer,
                               struct server *server, struct client_response *response) {
  char url[64];
  server_start(server, answer);
  snprintf(url, sizeof(url), "http://127.0.0.1:%u/a/../b?c", server->port);
  request.url = url;
  enum client_outcome outcome = client_fetch(&request, response);
  server_stop(server);
  return outcome;
}

START_TEST(test_answers)
{
  static char large_head[CLIENT_HEAD_LIMIT_BYTES + 2000];
  int begun = snprintf(large_head, sizeof(large_head), "HTTP/1.1 200 OK\r\n");
  for (size_t i = (size_t)begun; i < sizeof(large_head) - 1; i++) {
    large_head[i] = (i - (size_t)begun) % 500 == 499   ? '\n'
                    : (i - (size_t)begun) % 500 == 498 ? '\r'
                    : (i - (size_t)begun) % 500 == 1   ? ':'
                                                       : 'a';
  }
  const struct {
    const char *name;
    const char *answer; /* NULL: none */
    enum client_outcome outcome;
    int status;
    const char *body;
  } cases[] = {
      {"length", "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nhi", CLIENT_DONE, 200, "hi"},
      {"until close", "HTTP/1.1 404 No\r\n\r\nwhat", CLIENT_DONE, 404, "what"},
      {"chunked", "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nhi\r\n0\r\n\r\n",
       CLIENT_DONE, 200, "hi"},
      {"interim answers are not the answer",
       "HTTP/1.1 103 Early\r\nX-A: interim\r\n\r\nHTTP/1.1 204 No\r\n\r\n", CLIENT_DONE, 204, ""},
      {"a redirect is an answer",
       "HTTP/1.1 302 Found\r\nLocation: http://127.0.0.1:1/\r\nContent-Length: 0\r\n\r\n",
       CLIENT_DONE, 302, ""},
      {"exactly the limit", "HTTP/1.1 200 OK\r\nContent-Length: 16\r\n\r\n0123456789abcdef",
       CLIENT_DONE, 200, "0123456789abcdef"},
      {"over the limit, announced",
       "HTTP/1.1 200 OK\r\nContent-Length: 17\r\n\r\n0123456789abcdefg", CLIENT_TOO_LARGE, 0, ""},
      {"over the limit, until close", "HTTP/1.1 200 OK\r\n\r\n0123456789abcdefg", CLIENT_TOO_LARGE,
       0, ""},
      {"a head over its limit", large_head, CLIENT_TOO_LARGE, 0, ""},
      {"HTTP/0.9", "hello, I am no HTTP\r\n", CLIENT_BROKEN, 0, ""},
      {"nothing", "", CLIENT_BROKEN, 0, ""},
      {"cut off", "HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nhi", CLIENT_BROKEN, 0, ""},
      {"silent", NULL, CLIENT_TIMEOUT, 0, ""},
  };
  for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
    struct server server;
    struct client_response response;
    struct client_request request = {.body_limit_bytes = 16};
    if (!cases[i].answer) request.timeout_ms = 50;
    enum client_outcome outcome = ask(request, str_from_cstr(cases[i].answer), &server, &response);
    ck_assert_msg(outcome == cases[i].outcome, "%s: outcome %d, expected %d (%s)", cases[i].name,
                  (int)outcome, (int)cases[i].outcome, response.why);
    ck_assert_msg((response.why[0] == 0) == (outcome == CLIENT_DONE), "%s: why is '%s'",
                  cases[i].name, response.why);
    ck_assert_msg(response.status == cases[i].status, "%s: status %d", cases[i].name,
                  response.status);
    if (outcome == CLIENT_DONE) {
      ck_assert_msg(str_eq(text_str(&response.body), str_from_cstr(cases[i].body)), "%s: body",
                    cases[i].name);
    }
    client_response_deinit(&response);
  }
}
END_TEST

START_TEST(test_response_fields)
{
  struct server server;
  struct client_response response;
  struct str value;
  struct str answer =
      STR("HTTP/1.1 100 Continue\r\nX-A: interim\r\n\r\n"
          "HTTP/1.1 200 OK\r\nx-a:  one \r\nX-AB: no\r\nX-A: two\r\nX-Empty:\r\n"
          "Transfer-Encoding: chunked\r\n\r\n0\r\nX-A: trailer\r\n\r\n");
  ck_assert_int_eq(ask((struct client_request){0}, answer, &server, &response), CLIENT_DONE);
  ck_assert(client_response_field(&response, STR("X-A"), 0, &value));
  ck_assert_view_eq(value, "one");
  ck_assert(client_response_field(&response, STR("X-A"), 1, &value));
  ck_assert_view_eq(value, "two");
  ck_assert(!client_response_field(&response, STR("X-A"), 2, &value));
  ck_assert(client_response_field(&response, STR("x-empty"), 0, &value));
  ck_assert_view_eq(value, "");
  ck_assert(!client_response_field(&response, STR("HTTP/1.1 200 OK"), 0, &value));
  client_response_deinit(&response);
}
END_TEST

START_TEST(test_request_bytes)
{
  static const struct client_field fields[] = {
      {STR_INIT("Host"), STR_INIT("demo.example.com")},
      {STR_INIT("X-Twice"), STR_INIT("1")},
      {STR_INIT("X-Twice"), STR_INIT("2")},
      {STR_INIT("X-Empty"), STR_INIT("")},
  };
  static const struct {
    const char *name;
    const char *method;
    const char *body;
    const char *begins, *holds, *ends;
  } cases[] = {
      {"plain", NULL, NULL, "GET /a/../b?c HTTP/1.1\r\nHost: demo.example.com\r\n",
       "\r\nX-Twice: 1\r\nX-Twice: 2\r\nX-Empty:\r\n", "\r\n\r\n"},
      {"a body makes a POST", NULL, "hello", "POST /a/../b?c ", "\r\nContent-Length: 5\r\n",
       "\r\n\r\nhello"},
      {"a PUT", "PUT", "hello", "PUT /", "\r\nContent-Length: 5\r\n", "\r\n\r\nhello"},
      {"an empty POST", "POST", NULL, "POST /", "\r\nContent-Length: 0\r\n", "\r\n\r\n"},
      {"a HEAD", "HEAD", NULL, "HEAD /", "\r\nUser-Agent: adit/", "\r\n\r\n"},
  };
  for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
    struct server server;
    struct client_response response;
    struct client_request request = {.method = cases[i].method,
                                     .body = str_from_cstr(cases[i].body),
                                     .fields = fields,
                                     .field_count = sizeof(fields) / sizeof(*fields)};
    struct str answer = STR("HTTP/1.1 204 No Content\r\n\r\n");
    ck_assert_msg(ask(request, answer, &server, &response) == CLIENT_DONE, "%s: %s", cases[i].name,
                  response.why);
    struct str seen = str_make(server.seen, server.seen_n);
    ck_assert_msg(str_starts_with(seen, str_from_cstr(cases[i].begins)), "%s: %.*s", cases[i].name,
                  STR_ARG(seen));
    ck_assert_msg(str_contains(seen, str_from_cstr(cases[i].holds)), "%s: %.*s", cases[i].name,
                  STR_ARG(seen));
    ck_assert_msg(str_ends_with(seen, str_from_cstr(cases[i].ends)), "%s: %.*s", cases[i].name,
                  STR_ARG(seen));
    ck_assert_msg(!str_contains(seen, STR("Expect:")), "%s: expects", cases[i].name);
    ck_assert_msg(!str_contains(seen, STR("Content-Type:")), "%s: has a type", cases[i].name);
    client_response_deinit(&response);
  }
}
END_TEST

START_TEST(test_environment_is_ignored)
{
  /* Nobody listens on port 1: a call that took this proxy would be refused. */
  static const char *const names[] = {"http_proxy", "HTTP_PROXY", "ALL_PROXY", "all_proxy"};
  for (size_t i = 0; i < 4; i++) setenv(names[i], "http://127.0.0.1:1", 1);
  struct server server;
  struct client_response response;
  struct str answer = STR("HTTP/1.1 204 No Content\r\n\r\n");
  ck_assert_msg(ask((struct client_request){0}, answer, &server, &response) == CLIENT_DONE, "%s",
                response.why);
  client_response_deinit(&response);
}
END_TEST

START_TEST(test_refusals)
{
  static const struct {
    const char *url;
    struct client_field field;
    enum client_outcome outcome;
  } cases[] = {
      {"http://127.0.0.1:1/", {STR_INIT("A"), STR_INIT("b")}, CLIENT_REFUSED},
      {"http://user:pass@127.0.0.1:1/", {STR_INIT("A"), STR_INIT("b")}, CLIENT_BAD_REQUEST},
      {"file:///etc/hostname", {STR_INIT("A"), STR_INIT("b")}, CLIENT_BAD_REQUEST},
      {"ftp://127.0.0.1:1/", {STR_INIT("A"), STR_INIT("b")}, CLIENT_BAD_REQUEST},
      {"http://", {STR_INIT("A"), STR_INIT("b")}, CLIENT_BAD_REQUEST},
      {"http://127.0.0.1:1/", {STR_INIT("A"), STR_INIT("b\r\nC: d")}, CLIENT_BAD_REQUEST},
      {"http://127.0.0.1:1/", {STR_INIT("A:"), STR_INIT("b")}, CLIENT_BAD_REQUEST},
      {"http://127.0.0.1:1/", {STR_INIT("A B"), STR_INIT("b")}, CLIENT_BAD_REQUEST},
      {"http://127.0.0.1:1/", {STR_INIT(""), STR_INIT("b")}, CLIENT_BAD_REQUEST},
  };
  for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
    struct client_response response;
    struct client_request request = {
        .url = cases[i].url, .fields = &cases[i].field, .field_count = 1};
    enum client_outcome outcome = client_fetch(&request, &response);
    ck_assert_msg(outcome == cases[i].outcome, "%zu: outcome %d, expected %d (%s)", i, (int)outcome,
                  (int)cases[i].outcome, response.why);
    ck_assert_msg(response.why[0] != 0, "%zu: says nothing", i);
    client_response_deinit(&response);
  }
}
END_TEST

UNIT_MAIN("client", test_answers, test_response_fields, test_request_bytes,
          test_environment_is_ignored, test_refusals)
