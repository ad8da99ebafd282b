/*
 * lookup: templates, answers, and a directory that is played by this test: it answers,
 * hangs, fails, redirects and says garbage.
 */
#include <arpa/inet.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

#include "adit/lookup.h"
#include "adit/units.h"
#include "unit.h"

/* ---- template -------------------------------------------------------------------------------- */

START_TEST(test_template_refuses)
{
  static const char *const bad[] = {
      "ftp://users/{user.id}",
      "users/{user.id}",
      "file:///etc/{user.id}",
      "http://{user.id}/x",
      "http://users.{header.x}/x/{user.id}",
      "http://users:{user.port}/{user.id}",
      "http://a:b@users/{user.id}",
      "http://users{user.id}",
      "http:///{user.id}",
      "http://:80/{user.id}",
      "http://users/{user.id",
      "http://users/user.id}",
      "http://users/{}",
      "http://users/{a b}",
      "http://users/{a/b}",
      "http://users/../{user.id}",
      "http://users/a/./{user.id}",
      "http://users/{user.id}#x",
      "http://users/\n{user.id}",
      "http://us ers/{user.id}",
      "http://users/same-for-all",
      "redis://localhost:6379/0?key=user:{user.id}",
      "redis://127.0.0.1/0?key=user:{user.id}",
      "redis://127.0.0.1:0/0?key=user:{user.id}",
      "redis://127.0.0.1:65536/0?key=user:{user.id}",
      "redis://127.0.0.1:6379?key=user:{user.id}",
      "redis://127.0.0.1:6379/x?key=user:{user.id}",
      "redis://127.0.0.1:6379/0?user:{user.id}",
      "redis://127.0.0.1:6379/0?key=user",
      "redis://a@127.0.0.1:6379/0?key=user:{user.id}",
      "redis://{user.ip}:6379/0?key=user:{user.id}",
      "redis://",
      "rediss://127.0.0.1:6379/0?key=user:{user.id}",
      "http://users/{a}{b}{c}{d}{e}{f}{g}{h}{i}",
  };
  for (size_t i = 0; i < sizeof(bad) / sizeof(*bad); i++) {
    struct lookup_template template;
    const char *why = NULL;
    ck_assert_msg(!lookup_template_parse(str_from_cstr(bad[i]), &template, &why), "%s", bad[i]);
    ck_assert_ptr_nonnull(why);
  }
}
END_TEST

static enum lookup_fill fill(const char *url, struct str value, char *buffer, size_t *ret_n) {
  struct lookup_template template;
  const char *why = NULL;
  ck_assert_msg(lookup_template_parse(str_from_cstr(url), &template, &why), "%s: %s", url, why);
  ck_assert_uint_eq(template.key_count, 1);
  return lookup_template_fill(&template, &value, buffer, ret_n);
}

START_TEST(test_template_fills)
{
  static const struct {
    const char *url;
    struct str value;
    const char *filled;
  } cases[] = {
      {"http://u/{id}", STR_INIT("42"), "http://u/42"},
      {"http://u/{id}", STR_INIT("a-b._~Z"), "http://u/a-b._~Z"},
      {"http://u/{id}/x", STR_INIT("a/b"), "http://u/a%2Fb/x"},
      {"http://u/{id}", STR_INIT("?admin=1#x"), "http://u/%3Fadmin%3D1%23x"},
      {"http://u/{id}", STR_INIT("@evil.example:80"), "http://u/%40evil.example%3A80"},
      {"http://u/{id}", STR_INIT("//evil.example"), "http://u/%2F%2Fevil.example"},
      {"http://u/{id}", STR_INIT("%2e%2e"), "http://u/%252e%252e"},
      {"http://u/{id}", STR_INIT("\xC3\xA9 \xFF"), "http://u/%C3%A9%20%FF"},
      {"http://u/{id}", STR_INIT("..."), "http://u/..."},
      {"http://u/f?id={id}&b=1", STR_INIT("1&b=2"), "http://u/f?id=1%26b%3D2&b=1"},
      {"redis://[::1]:6379/3?key=user:{id}:x", STR_INIT("a@b/.."), "user:a@b/..:x"},
      {"https://[::1]:8443/{id}", STR_INIT("1"), "https://[::1]:8443/1"},
  };
  static char buffer[LOOKUP_FILLED_BYTES_MAX];
  for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
    size_t n;
    ck_assert_int_eq(fill(cases[i].url, cases[i].value, buffer, &n), LOOKUP_FILLED);
    ck_assert_str_eq(buffer, cases[i].filled);
    ck_assert_uint_eq(n, strlen(cases[i].filled));
  }
}
END_TEST

START_TEST(test_template_refuses_keys)
{
  static char buffer[LOOKUP_FILLED_BYTES_MAX], longer[10240];
  memset(longer, 'x', sizeof(longer));
  const struct {
    const char *url;
    struct str value;
    enum lookup_fill outcome;
  } cases[] = {
      {"http://u/{id}", STR_INIT(""), LOOKUP_KEY_EMPTY},
      {"http://u/{id}", {longer, 256}, LOOKUP_FILLED},
      {"http://u/{id}", {longer, 257}, LOOKUP_KEY_LONG},
      {"http://u/{id}", {longer, sizeof(longer)}, LOOKUP_KEY_LONG},
      {"http://u/{id}", STR_INIT("a\0b"), LOOKUP_KEY_CONTROL},
      {"http://u/{id}", STR_INIT("a\r\nHost: evil"), LOOKUP_KEY_CONTROL},
      {"http://u/{id}", STR_INIT("."), LOOKUP_KEY_DOTS},
      {"http://u/{id}", STR_INIT(".."), LOOKUP_KEY_DOTS},
      {"http://u/{id}", STR_INIT("../admin"), LOOKUP_KEY_DOTS},
      {"http://u/{id}", STR_INIT("a\\..\\admin"), LOOKUP_KEY_DOTS},
      {"http://u/{id}", STR_INIT("a/.."), LOOKUP_KEY_DOTS},
      {"redis://127.0.0.1:6379/0?key=u:{id}", STR_INIT("1:2"), LOOKUP_KEY_COLON},
      {"redis://127.0.0.1:6379/0?key=u:{id}", STR_INIT("1\r\n2"), LOOKUP_KEY_CONTROL},
      {"redis://127.0.0.1:6379/0?key=u:{id}", STR_INIT(""), LOOKUP_KEY_EMPTY},
      {"http://u/.{id}/x", STR_INIT("."), LOOKUP_KEY_DOTS},
      {"http://u/f?id={id}", STR_INIT(".."), LOOKUP_KEY_DOTS},
  };
  for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
    size_t n;
    ck_assert_int_eq(fill(cases[i].url, cases[i].value, buffer, &n), cases[i].outcome);
  }
}
END_TEST

/* ---- answer ---------------------------------------------------------------------------------- */

START_TEST(test_answer_fields)
{
  const struct str paths[] = {STR("name"), STR("plan.tier"), STR("roles"), STR("n"),
                              STR("ok"),   STR("none"),      STR("plan"),  STR("gone.deep")};
  struct lookup_answer *answer = lookup_answer_parse(
      STR("{\"name\":\"A\",\"plan\":{\"tier\":\"gold\"},\"roles\":[\"a\",7,true],\"n\":1.50,"
          "\"ok\":false,\"none\":null,\"other\":\"not kept\"}"),
      paths, 8);
  ck_assert_ptr_nonnull(answer);
  const size_t counts[] = {1, 1, 3, 1, 1, 0, 0, 0};
  for (size_t i = 0; i < 8; i++) ck_assert_uint_eq(answer->fields[i].n, counts[i]);
  ck_assert(str_eq(answer->fields[1].texts[0], STR("gold")));
  ck_assert(str_eq(answer->fields[2].texts[1], STR("7")));
  ck_assert(str_eq(answer->fields[2].texts[2], STR("true")));
  ck_assert(str_eq(answer->fields[3].texts[0], STR("1.50")));
  ck_assert(answer->fields[6].refused && !answer->fields[5].refused && !answer->fields[7].refused);
  free(answer);
}
END_TEST

START_TEST(test_answer_refuses)
{
  static const char *const bad[] = {"",
                                    "[]",
                                    "\"a\"",
                                    "{",
                                    "{}{}",
                                    "<html>",
                                    "{\"a\":1,}",
                                    "{\"a\":\"\\u0000\"}",
                                    "\xFF",
                                    "{\"a\":01}",
                                    "{\"a\":1,\"a\":2}",
                                    "null"};
  const struct str path = STR("a");
  for (size_t i = 0; i < sizeof(bad) / sizeof(*bad); i++)
    ck_assert_msg(!lookup_answer_parse(str_from_cstr(bad[i]), &path, 1), "%s", bad[i]);
  static char deep[4096];
  memset(deep, '[', sizeof(deep));
  memcpy(deep, "{\"a\":", 5);
  ck_assert_ptr_null(lookup_answer_parse(str_make(deep, sizeof(deep)), &path, 1));
}
END_TEST

START_TEST(test_answer_limits)
{
  static char json[8192];
  const struct str paths[] = {STR("long"), STR("many"), STR("b")};
  size_t n = (size_t)sprintf(json, "{\"b\":\"x\",\"long\":\"%0*d\",\"many\":[", 4097, 0);
  for (int i = 0; i < 65; i++) n += (size_t)sprintf(json + n, "%s1", i ? "," : "");
  n += (size_t)sprintf(json + n, "]}");
  struct lookup_answer *answer = lookup_answer_parse(str_make(json, n), paths, 3);
  ck_assert(answer->fields[0].refused && answer->fields[1].refused);
  ck_assert(answer->fields[0].n == 0 && answer->fields[1].n == 0 && answer->fields[2].n == 1);
  free(answer);
}
END_TEST

/* ---- a directory ----------------------------------------------------------------------------- */

enum { CONNECTIONS_MAX = 32 };

/* What is played, and what was seen. */
static struct {
  int listener, connections[CONNECTIONS_MAX];
  size_t connection_count;
  const char *answer; /* a whole response; NULL: hangs */
  unsigned requests;
  char last[4096];
  unsigned events[LOOKUP_EVENT_BROKEN + 1];
  struct lookup_loop *loop;
  int64_t skew_ms; /* how far the time has been turned on */
} played;

#define OK(body) "HTTP/1.1 200 OK\r\nContent-Length: " body

static void count_event(void *context, enum lookup_event event) {
  (void)context;
  played.events[event]++;
}

static int64_t now(void) {
  return clock_monotonic_ms() + played.skew_ms;
}

static struct lookup_spec spec_of_directory(char *url) {
  static const struct str fields[] = {STR_INIT("registered_at"), STR_INIT("roles")};
  struct sockaddr_in address = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
  socklen_t n = sizeof(address);
  memset(&played, 0, sizeof(played));
  played.listener = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
  ck_assert(bind(played.listener, (struct sockaddr *)&address, n) == 0);
  ck_assert(listen(played.listener, 64) == 0);
  ck_assert(getsockname(played.listener, (struct sockaddr *)&address, &n) == 0);
  sprintf(url, "http://127.0.0.1:%u/users/{user.id}", ntohs(address.sin_port));
  played.loop = lookup_loop_new(count_event, NULL);
  ck_assert_ptr_nonnull(played.loop);
  return (struct lookup_spec){.name = STR("users"),
                              .url = str_from_cstr(url),
                              .fields = fields,
                              .field_count = 2,
                              .timeout_ms = 20000,
                              .ttl_ms = 10000,
                              .negative_ttl_ms = 5000,
                              .entries = 100,
                              .cache_bytes = 100000,
                              .answer_bytes = 1000,
                              .concurrency = 8,
                              .failures = 3,
                              .pause_ms = 2000,
                              .pause_max_ms = 5000};
}

static void end_directory(struct lookup **lookup) {
  lookup_unref(lookup);
  lookup_loop_free(&played.loop);
  for (size_t i = 0; i < played.connection_count; i++) (void)close(played.connections[i]);
  (void)close(played.listener);
}

static void serve(int fd) {
  ssize_t n = recv(fd, played.last, sizeof(played.last) - 1, MSG_DONTWAIT);
  if (n <= 0) return;
  played.last[n] = '\0';
  ck_assert_ptr_nonnull(strstr(played.last, "\r\n\r\n"));
  played.requests++;
  if (played.answer) ck_assert_int_gt(send(fd, played.answer, strlen(played.answer), 0), 0);
}

/* Waits for the next thing that happens on either side, and deals with it. */
static void turn(void) {
  struct pollfd fds[CONNECTIONS_MAX + 2];
  nfds_t n = 0;
  fds[n++] = (struct pollfd){.fd = lookup_loop_fd(played.loop), .events = POLLIN};
  fds[n++] = (struct pollfd){.fd = played.listener, .events = POLLIN};
  for (size_t i = 0; i < played.connection_count; i++)
    fds[n++] = (struct pollfd){.fd = played.connections[i], .events = POLLIN};
  ck_assert_int_ge(poll(fds, n, (int)lookup_loop_wait_ms(played.loop, clock_monotonic_ms())), 0);
  for (nfds_t i = 2; i < n; i++)
    if (fds[i].revents & POLLIN) serve(fds[i].fd);
  if (fds[1].revents & POLLIN && played.connection_count < CONNECTIONS_MAX) {
    const int fd = accept(played.listener, NULL, NULL);
    ck_assert_int_ge(fd, 0);
    played.connections[played.connection_count++] = fd;
  }
  lookup_loop_run(played.loop, now());
}

static unsigned woken;
static void wake(struct lookup_waiter *waiter) {
  (void)waiter;
  woken++;
}

/* One question from its beginning to its end. */
static enum lookup_result ask_of(struct lookup *lookup, const char *id, size_t field,
                                 struct str *ret) {
  struct lookup_waiter waiter = {.done = wake};
  struct str value = str_from_cstr(id);
  const struct lookup_field *found = NULL;
  enum lookup_result result = lookup_get(lookup, &value, field, now(), &waiter, &found, ret);
  if (result == LOOKUP_PENDING) {
    while (lookup_waits(&waiter)) turn();
    result = lookup_get(lookup, &value, field, now(), NULL, &found, ret);
  }
  if (result == LOOKUP_FOUND) *ret = found->texts[0];
  return result;
}

static void ck_why(struct lookup *lookup, const char *id, const char *part) {
  struct str why;
  ck_assert_int_eq(ask_of(lookup, id, 0, &why), LOOKUP_MISSING);
  ck_assert_msg(str_contains_nocase(why, str_from_cstr(part)), "%.*s", STR_ARG(why));
}

static const char known[] =
    OK("48\r\n\r\n{\"registered_at\":\"2026-03-04\",\"roles\":[\"a\",\"b\"]}");

START_TEST(test_found_and_kept)
{
  char url[64];
  struct lookup_spec spec = spec_of_directory(url);
  struct lookup *lookup = lookup_new(played.loop, &spec);
  struct str text;
  played.answer = known;
  ck_assert_int_eq(ask_of(lookup, "4/2", 0, &text), LOOKUP_FOUND);
  ck_assert(str_eq(text, STR("2026-03-04")));
  ck_assert_ptr_nonnull(strstr(played.last, "GET /users/4%2F2 HTTP/1.1\r\n"));
  ck_assert_int_eq(ask_of(lookup, "4/2", 1, &text), LOOKUP_FOUND);
  ck_assert_uint_eq(played.requests, 1);
  played.skew_ms += spec.ttl_ms;
  ck_assert_int_eq(ask_of(lookup, "4/2", 0, &text), LOOKUP_FOUND);
  ck_assert_uint_eq(played.requests, 2);
  ck_assert_uint_eq(played.connection_count, 1); /* kept alive */
  end_directory(&lookup);
}
END_TEST

START_TEST(test_one_question_a_key)
{
  char url[64];
  struct lookup_spec spec = spec_of_directory(url);
  struct lookup *lookup = lookup_new(played.loop, &spec);
  struct lookup_waiter waiters[3] = {{.done = wake}, {.done = wake}, {.done = wake}};
  const struct lookup_field *found;
  struct str why, id = STR("42");
  woken = 0;
  played.answer = known;
  for (int i = 0; i < 3; i++)
    ck_assert_int_eq(lookup_get(lookup, &id, 0, now(), &waiters[i], &found, &why), LOOKUP_PENDING);
  lookup_cancel(&waiters[1]);
  while (lookup_waits(&waiters[2])) turn();
  ck_assert_uint_eq(woken, 2);
  ck_assert_uint_eq(played.requests, 1);
  ck_assert_uint_eq(played.events[LOOKUP_EVENT_JOINED], 2);
  end_directory(&lookup);
}
END_TEST

START_TEST(test_answers_that_are_none)
{
  static const struct {
    const char *answer, *why;
  } cases[] = {
      {"HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\n\r\n", "knows nobody"},
      {"HTTP/1.1 410 Gone\r\nContent-Length: 0\r\n\r\n", "knows nobody"},
      {"HTTP/1.1 500 Oops\r\nContent-Length: 0\r\n\r\n", "an error"},
      {"HTTP/1.1 302 Found\r\nLocation: http://127.0.0.1:1/\r\nContent-Length: 0\r\n\r\n",
       "redirect"},
      {OK("6\r\n\r\n<html>"), "something else"},
      {OK("0\r\n\r\n"), "something else"},
      {"garbage\r\n\r\n", "something else"},
      {OK("10485760\r\n\r\n") "{", "no answer in time"},
      {OK("2\r\n\r\n{}"), "does not give this field"},
      {OK("25\r\n\r\n{\"registered_at\":{\"a\":1}}"), "something else than texts"},
      {NULL, "no answer in time"},
  };
  char url[64], id[8];
  struct lookup_spec spec = spec_of_directory(url);
  spec.timeout_ms = 100;
  spec.failures = 100;
  struct lookup *lookup = lookup_new(played.loop, &spec);
  for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
    played.answer = cases[i].answer;
    sprintf(id, "%zu", i);
    ck_why(lookup, id, cases[i].why);
    ck_assert_uint_eq(played.requests, i + 1); /* the redirect was not followed */
  }
  end_directory(&lookup);
}
END_TEST

START_TEST(test_too_large)
{
  static char answer[4096];
  char url[64];
  struct lookup_spec spec = spec_of_directory(url);
  struct lookup *lookup = lookup_new(played.loop, &spec);
  sprintf(answer, "HTTP/1.1 200 OK\r\nContent-Length: 1001\r\n\r\n%01001d", 0);
  played.answer = answer;
  ck_why(lookup, "a", "more bytes");
  /* No length in its head either. */
  sprintf(answer, "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3e9\r\n%01001d\r\n", 0);
  ck_why(lookup, "b", "more bytes");
  end_directory(&lookup);
}
END_TEST

START_TEST(test_negative_and_failed_are_kept)
{
  char url[64];
  struct lookup_spec spec = spec_of_directory(url);
  struct lookup *lookup = lookup_new(played.loop, &spec);
  played.answer = "HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\n\r\n";
  ck_why(lookup, "a", "knows nobody");
  played.skew_ms += spec.negative_ttl_ms - 1000;
  ck_why(lookup, "a", "knows nobody");
  ck_assert_uint_eq(played.requests, 1);
  played.skew_ms += 1000;
  ck_why(lookup, "a", "knows nobody");
  ck_assert_uint_eq(played.requests, 2);
  ck_assert_uint_eq(played.events[LOOKUP_EVENT_UNKNOWN], 2);
  end_directory(&lookup);
}
END_TEST

START_TEST(test_concurrency)
{
  char url[64], ids[9][4];
  struct lookup_spec spec = spec_of_directory(url);
  struct lookup *lookup = lookup_new(played.loop, &spec);
  struct lookup_waiter waiters[9];
  const struct lookup_field *found;
  struct str why;
  for (int i = 0; i < 9; i++) {
    waiters[i] = (struct lookup_waiter){.done = wake};
    sprintf(ids[i], "%d", i);
    struct str id = str_from_cstr(ids[i]);
    ck_assert_int_eq(lookup_get(lookup, &id, 0, now(), &waiters[i], &found, &why),
                     i < 8 ? LOOKUP_PENDING : LOOKUP_MISSING);
  }
  ck_assert(str_contains(why, STR("too many questions")));
  ck_assert_uint_eq(played.events[LOOKUP_EVENT_BUSY], 1);
  ck_assert_uint_eq(played.events[LOOKUP_EVENT_ASKED], 8);
  for (int i = 0; i < 8; i++) lookup_cancel(&waiters[i]);
  end_directory(&lookup); /* with eight questions under way */
}
END_TEST

START_TEST(test_breaker)
{
  char url[64], id[8];
  struct lookup_spec spec = spec_of_directory(url);
  struct lookup *lookup = lookup_new(played.loop, &spec);
  played.answer = "HTTP/1.1 503 No\r\nContent-Length: 0\r\n\r\n";
  for (int i = 0; i < 3; i++) {
    sprintf(id, "%d", i);
    ck_why(lookup, id, "an error");
  }
  ck_why(lookup, "x", "failed too often");
  ck_assert_uint_eq(played.requests, 3);
  played.skew_ms += spec.pause_ms;
  ck_why(lookup, "y", "an error"); /* the one that finds out */
  ck_why(lookup, "z", "failed too often");
  played.skew_ms += spec.pause_ms; /* it is twice as long now */
  ck_why(lookup, "z", "failed too often");
  ck_assert_uint_eq(played.requests, 4);
  played.skew_ms += spec.pause_ms;
  played.answer = known;
  struct str text;
  ck_assert_int_eq(ask_of(lookup, "z", 0, &text), LOOKUP_FOUND);
  ck_assert_int_eq(ask_of(lookup, "v", 0, &text), LOOKUP_FOUND);
  ck_assert_uint_eq(played.events[LOOKUP_EVENT_BROKEN], 3);
  end_directory(&lookup);
}
END_TEST

START_TEST(test_stale)
{
  char url[64];
  struct lookup_spec spec = spec_of_directory(url);
  spec.stale_ms = 60000;
  struct lookup *lookup = lookup_new(played.loop, &spec);
  struct str text;
  played.answer = known;
  ck_assert_int_eq(ask_of(lookup, "a", 0, &text), LOOKUP_FOUND);
  played.skew_ms += spec.ttl_ms;
  played.answer = "HTTP/1.1 500 Oops\r\nContent-Length: 0\r\n\r\n";
  const unsigned before = woken;
  ck_assert_int_eq(ask_of(lookup, "a", 0, &text), LOOKUP_FOUND); /* at once */
  ck_assert(woken == before && played.requests == 1);
  ck_assert_uint_eq(played.events[LOOKUP_EVENT_STALE], 1);
  while (played.events[LOOKUP_EVENT_FAILED] == 0) turn();
  ck_assert_int_eq(ask_of(lookup, "a", 0, &text), LOOKUP_FOUND);
  ck_assert_uint_eq(played.requests, 2); /* and not again at once */
  played.skew_ms += spec.stale_ms;
  ck_why(lookup, "a", "an error");
  end_directory(&lookup);
}
END_TEST

START_TEST(test_unreached)
{
  char url[64];
  struct lookup_spec spec = spec_of_directory(url);
  (void)close(played.listener);
  played.listener = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0); /* not what is asked */
  setenv("http_proxy", "http://127.0.0.1:1", 1);
  struct lookup *lookup = lookup_new(played.loop, &spec);
  ck_why(lookup, "a", "cannot be reached");
  unsetenv("http_proxy");
  end_directory(&lookup);
}
END_TEST

START_TEST(test_same_spec)
{
  char url[64];
  struct lookup_spec spec = spec_of_directory(url), other = spec;
  struct lookup *lookup = lookup_new(played.loop, &spec);
  ck_assert(lookup_is_of(lookup, &other));
  other.ttl_ms++;
  ck_assert(!lookup_is_of(lookup, &other));
  end_directory(&lookup);
}
END_TEST

UNIT_MAIN("lookup", test_template_refuses, test_template_fills, test_template_refuses_keys,
          test_answer_fields, test_answer_refuses, test_answer_limits, test_found_and_kept,
          test_one_question_a_key, test_answers_that_are_none, test_too_large,
          test_negative_and_failed_are_kept, test_concurrency, test_breaker, test_stale,
          test_unreached, test_same_spec)
