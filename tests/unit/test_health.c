/*
 * health: checks of endpoints that are played by this test, in every way that they can be well and
 * unwell. What the checker says is read back from a file in the place of standard error.
 */
#include <arpa/inet.h>
#include <errno.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "adit/health.h"
#include "adit/units.h"
#include "health/health_private.h"
#include "unit.h"

/* ---- an endpoint ----------------------------------------------------------------------------- */

enum { CONNECTIONS_MAX = 512, LOG_BYTES = 1 << 16 };

enum manner {
  ANSWERS,
  HANGS,  /* takes the question and says nothing */
  DRIPS,  /* a field of a head without end, byte after byte */
  FLOODS, /* the answer, and then bytes without end */
  ENDS,   /* the connection, behind the answer if there is one */
  RESETS
};

struct connection {
  int fd;
  bool asked;
};

static struct {
  int listener, log;
  char text[128]; /* the endpoint's */
  struct connection connections[CONNECTIONS_MAX];
  size_t count, count_max;
  enum manner manner;
  const char *answer;
  const char *script; /* 'g' and 'b': what each question gets, the last one for ever; NULL: none */
  unsigned requests;
  char last[4096];
  struct health *health;
  struct health_spec spec;
} played;

#define OK(body) "HTTP/1.1 200 OK\r\nContent-Length: " body
static const char fine[] = OK("0\r\n\r\n");
static const char broken[] = "HTTP/1.1 500 Oops\r\nContent-Length: 0\r\n\r\n";

static void listen_at(const struct sockaddr *address, socklen_t n) {
  played.listener = socket(address->sa_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
  ck_assert(bind(played.listener, address, n) == 0);
  ck_assert(listen(played.listener, 512) == 0);
}

static unsigned port_of(int fd) {
  struct sockaddr_in6 address; /* has its port where IPv4 has it */
  socklen_t n = sizeof(address);
  ck_assert(getsockname(fd, (struct sockaddr *)&address, &n) == 0);
  return ntohs(address.sin6_port);
}

static void begin_without_endpoint(void) {
  memset(&played, 0, sizeof(played));
  played.answer = fine;
  played.log = memfd_create("log", 0);
  ck_assert(dup2(played.log, STDERR_FILENO) == STDERR_FILENO);
  played.health = health_new();
  ck_assert_ptr_nonnull(played.health);
  played.spec = (struct health_spec){.path = STR("/healthz"),
                                     .statuses = {{200, 299}},
                                     .status_count = 1,
                                     .interval_ms = 20,
                                     .timeout_ms = 20000,
                                     .healthy = 1,
                                     .unhealthy = 1};
}

static void begin(void) {
  struct sockaddr_in address = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
  begin_without_endpoint();
  listen_at((struct sockaddr *)&address, sizeof(address));
  snprintf(played.text, sizeof(played.text), "127.0.0.1:%u", port_of(played.listener));
}

static void end(void) {
  health_free(&played.health);
  ck_assert_ptr_null(played.health);
  for (size_t i = 0; i < played.count; i++) (void)close(played.connections[i].fd);
  (void)close(played.listener);
}

static struct health_endpoint *ref_as(const char *upstream) {
  struct health_endpoint *endpoint =
      health_ref(played.health, &played.spec, str_from_cstr(upstream), str_from_cstr(played.text));
  ck_assert_ptr_nonnull(endpoint);
  return endpoint;
}

static void connection_close(struct connection *connection, bool reset) {
  const struct linger linger = {.l_onoff = 1};
  if (reset) (void)setsockopt(connection->fd, SOL_SOCKET, SO_LINGER, &linger, sizeof(linger));
  (void)close(connection->fd);
  *connection = played.connections[--played.count];
}

static void say(const struct connection *connection, const char *bytes, size_t n) {
  (void)send(connection->fd, bytes, n, MSG_NOSIGNAL | MSG_DONTWAIT);
}

/* What the endpoint does with a question. False: the connection is gone. */
static bool reply(struct connection *connection) {
  const char *answer = played.answer;
  played.requests++;
  connection->asked = true;
  if (played.script) {
    answer = *played.script == 'g' ? fine : broken;
    if (played.script[1]) played.script++;
  }
  if (answer && played.manner != HANGS && played.manner != RESETS)
    say(connection, answer, strlen(answer));
  if (played.manner != ENDS && played.manner != RESETS) return true;
  connection_close(connection, played.manner == RESETS);
  return false;
}

/* False: the connection is gone. */
static bool hear(struct connection *connection) {
  ssize_t n = recv(connection->fd, played.last, sizeof(played.last) - 1, MSG_DONTWAIT);
  if (n < 0 && errno == EAGAIN) return true;
  if (n <= 0) {
    connection_close(connection, false);
    return false;
  }
  played.last[n] = '\0';
  ck_assert_ptr_nonnull(strstr(played.last, "\r\n\r\n"));
  return reply(connection);
}

static void go_on(const struct connection *connection) {
  static char flood[1 << 16];
  memset(flood, 'x', sizeof(flood));
  if (!connection->asked) return;
  if (played.manner == DRIPS) say(connection, "x", 1);
  if (played.manner == FLOODS) say(connection, flood, sizeof(flood));
}

static void turn(void) {
  struct pollfd fds[CONNECTIONS_MAX + 1];
  nfds_t n = 0;
  for (size_t i = 0; i < played.count; i++)
    fds[n++] = (struct pollfd){.fd = played.connections[i].fd, .events = POLLIN};
  fds[n++] = (struct pollfd){.fd = played.listener, .events = POLLIN};
  (void)poll(fds, n, 1);
  for (size_t i = played.count; i-- > 0;)
    if (hear(&played.connections[i])) go_on(&played.connections[i]);
  while (played.count < CONNECTIONS_MAX) {
    const int fd = accept(played.listener, NULL, NULL);
    if (fd < 0) break;
    played.connections[played.count++] = (struct connection){.fd = fd};
    if (played.count > played.count_max) played.count_max = played.count;
  }
}

static const char *log_text(void) {
  static char text[LOG_BYTES];
  ssize_t n = pread(played.log, text, sizeof(text) - 1, 0);
  ck_assert_int_ge(n, 0);
  text[n] = '\0';
  return text;
}

static bool is_healthy(const struct health_endpoint *endpoint) {
  return health_share(endpoint, clock_monotonic_ms()) > 0;
}

static void wait_for(const struct health_endpoint *endpoint, bool healthy) {
  while (is_healthy(endpoint) != healthy) turn();
}

static void wait_for_checks(uint64_t n) {
  while (health_counts(played.health).health_checks < n) turn();
}

/* ---- what is asked --------------------------------------------------------------------------- */

START_TEST(question)
{
  begin();
  char host[160];
  (void)setenv("http_proxy", "http://127.0.0.1:1", 1);
  (void)setenv("all_proxy", "http://127.0.0.1:1", 1);
  played.spec.path = STR("/a/../b?x=%20{y}[z]");
  struct health_endpoint *endpoint = ref_as("shop");
  wait_for_checks(2);
  ck_assert(is_healthy(endpoint));
  ck_assert_uint_eq(health_share(endpoint, clock_monotonic_ms()), HEALTH_SHARE_WHOLE);
  ck_assert(
      str_starts_with(str_from_cstr(played.last), STR("GET /a/../b?x=%20{y}[z] HTTP/1.1\r\n")));
  snprintf(host, sizeof(host), "\r\nHost: %s\r\n", played.text);
  ck_assert_ptr_nonnull(strstr(played.last, host));
  ck_assert_ptr_nonnull(strstr(played.last, "\r\nConnection: close\r\n"));
  ck_assert_ptr_nonnull(strstr(played.last, "\r\nUser-Agent: adit/"));
  ck_assert_str_eq(log_text(), "");
  health_unref(played.health, &endpoint);
  ck_assert_ptr_null(endpoint);
  end();
}
END_TEST

START_TEST(unix_socket)
{
  char folder[] = "/tmp/adit-health-XXXXXX";
  struct sockaddr_un address = {.sun_family = AF_UNIX};
  begin_without_endpoint();
  ck_assert_ptr_nonnull(mkdtemp(folder));
  snprintf(address.sun_path, sizeof(address.sun_path), "%s/s", folder);
  listen_at((struct sockaddr *)&address, sizeof(address));
  snprintf(played.text, sizeof(played.text), "unix:%s", address.sun_path);
  played.spec.host = STR("shop.internal");
  struct health_endpoint *named = ref_as("shop");
  wait_for_checks(1);
  ck_assert_ptr_nonnull(strstr(played.last, "\r\nHost: shop.internal\r\n"));
  health_unref(played.health, &named);
  played.spec.host = (struct str){0};
  struct health_endpoint *endpoint = ref_as("shop");
  while (!strstr(played.last, "\r\nHost: localhost\r\n")) turn();
  ck_assert(is_healthy(endpoint));
  ck_assert(unlink(address.sun_path) == 0);
  wait_for(endpoint, false);
  while (!strstr(log_text(), "/s is unhealthy: ")) turn(); /* the line comes after the state */
  ck_assert_msg(strstr(log_text(), "/s is unhealthy: No such file or directory\n") != NULL, "%s",
                log_text());
  health_unref(played.health, &endpoint);
  (void)rmdir(folder);
  end();
}
END_TEST

START_TEST(ipv6)
{
  struct sockaddr_in6 address = {.sin6_family = AF_INET6, .sin6_addr = IN6ADDR_LOOPBACK_INIT};
  begin_without_endpoint();
  listen_at((struct sockaddr *)&address, sizeof(address));
  snprintf(played.text, sizeof(played.text), "[::1]:%u", port_of(played.listener));
  struct health_endpoint *endpoint = ref_as("shop");
  wait_for_checks(1);
  ck_assert(is_healthy(endpoint));
  ck_assert_ptr_nonnull(strstr(played.last, "\r\nHost: [::1]:"));
  health_unref(played.health, &endpoint);
  end();
}
END_TEST

/* ---- what is made of the answer -------------------------------------------------------------- */

START_TEST(unwell)
{
  static const struct {
    enum manner manner;
    const char *answer, *body, *why;
  } cases[] = {
      {ANSWERS, broken, NULL, "its answer has status 500"},
      {ANSWERS, "HTTP/1.1 302 Found\r\nLocation: /healthz\r\nContent-Length: 0\r\n\r\n", NULL,
       "its answer has status 302, which is not followed"},
      {ANSWERS, OK("3\r\n\r\nbad"), "ok", "its answer does not contain the text of 'body'"},
      {ANSWERS, fine, "ok", "its answer does not contain the text of 'body'"},
      {FLOODS, OK("10485760\r\n\r\n"), "ok", "its answer does not contain the text of 'body'"},
      {FLOODS, "HTTP/1.1 200 OK\r\n\r\n", "ok", "its answer does not contain the text of 'body'"},
      {FLOODS, "HTTP/1.1 200 OK\r\nX: ", NULL, "the head of its answer is over 32 KiB"},
      {ANSWERS, OK("10\r\n\r\no"), "ok", "no answer within 150ms"},
      {ENDS, OK("10\r\n\r\no"), "ok", "it broke the connection off"},
      {HANGS, NULL, NULL, "no answer within 150ms"},
      {DRIPS, "HTTP/1.1 200 OK\r\nX: ", NULL, "no answer within 150ms"},
      {ENDS, NULL, NULL, "it ended the connection without an answer"},
      {RESETS, NULL, NULL, "it broke the connection off"},
      {ENDS, "ok\r\n", NULL, "its answer is not HTTP/1.1"},
      {ANSWERS, "SSH-2.0-OpenSSH_9.2\r\n", NULL, "its answer is not HTTP/1.1"},
      {ANSWERS, "HTTP/1.1 100 Continue\r\n\r\n", NULL, "no answer within 150ms"},
  };
  begin();
  for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
    char upstream[16], line[256];
    snprintf(upstream, sizeof(upstream), "shop-%zu", i);
    played.spec.timeout_ms = strstr(cases[i].why, "150ms") ? 150 : 20000;
    played.manner = cases[i].manner;
    played.answer = cases[i].answer;
    played.spec.body = cases[i].body ? str_from_cstr(cases[i].body) : (struct str){0};
    struct health_endpoint *endpoint = ref_as(upstream);
    wait_for(endpoint, false);
    snprintf(line, sizeof(line), "adit: warning: upstream '%s': endpoint %s is unhealthy: %s\n",
             upstream, played.text, cases[i].why);
    while (!strstr(log_text(), upstream)) turn();
    ck_assert_msg(strstr(log_text(), line) != NULL, "%zu: %s\n%s", i, line, log_text());
    health_unref(played.health, &endpoint);
  }
  end();
}
END_TEST

START_TEST(refuses)
{
  char line[256];
  begin();
  (void)close(played.listener);
  struct health_endpoint *endpoint = ref_as("shop");
  wait_for(endpoint, false);
  snprintf(line, sizeof(line), "endpoint %s is unhealthy: Connection refused\n", played.text);
  while (!strstr(log_text(), line)) turn();
  health_unref(played.health, &endpoint);
  end();
}
END_TEST

START_TEST(well)
{
  static const struct {
    enum manner manner;
    const char *answer, *body;
  } cases[] = {
      {ANSWERS, "HTTP/1.1 204 No Content\r\n\r\n", NULL},
      {ANSWERS, "HTTP/1.0 200 OK\r\n\r\n", NULL},
      {ANSWERS, "HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n", NULL},
      {ANSWERS, "HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\n\r\n", NULL},
      {ANSWERS, OK("100\r\n\r\n") "the status decides, the rest never comes", NULL},
      {ANSWERS, OK("9\r\n\r\nall is ok"), "ok"},
      {ANSWERS, OK("99\r\n\r\nall is ok, and the rest never comes"), "ok"},
      {FLOODS, OK("10485760\r\n\r\nok"), "ok"},
      {FLOODS, OK("10485760\r\n\r\n"), NULL},
      {ENDS, "HTTP/1.1 200 OK\r\n\r\nall is ok", "ok"},
      {ENDS, "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n1\r\no\r\n1\r\nk\r\n0\r\n\r\n",
       "ok"},
  };
  begin();
  played.spec.status_count = 2;
  played.spec.statuses[1] = (struct http_statuses){404, 404};
  for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
    char upstream[16];
    snprintf(upstream, sizeof(upstream), "shop-%zu", i);
    played.manner = cases[i].manner;
    played.answer = cases[i].answer;
    played.spec.body = cases[i].body ? str_from_cstr(cases[i].body) : (struct str){0};
    struct health_endpoint *endpoint = ref_as(upstream);
    wait_for_checks(health_counts(played.health).health_checks + 1);
    health_unref(played.health, &endpoint);
    ck_assert_msg(health_counts(played.health).health_failures == 0, "%zu: %s", i, log_text());
  }
  end();
}
END_TEST

/* ---- states ---------------------------------------------------------------------------------- */

static size_t lines_with(const char *part) {
  size_t n = 0;
  for (const char *at = log_text(); (at = strstr(at, part)); at++) n++;
  return n;
}

START_TEST(thresholds)
{
  begin();
  played.spec.unhealthy = 3;
  played.spec.healthy = 2;
  played.script = "bbgbbgbbg";
  struct health_endpoint *endpoint = ref_as("shop-canary");
  wait_for_checks(9);
  ck_assert(is_healthy(endpoint));
  ck_assert_str_eq(log_text(), "");
  played.script = "bbbgbgbgb";
  wait_for(endpoint, false);
  const uint64_t checks = health_counts(played.health).health_checks;
  wait_for_checks(checks + 6);
  ck_assert(!is_healthy(endpoint));
  played.script = "g";
  wait_for(endpoint, true);
  while (!lines_with("is healthy again")) turn();
  ck_assert_uint_eq(lines_with("shop-canary': endpoint 127.0.0.1:"), 2);
  ck_assert_uint_eq(lines_with("is unhealthy: its answer has status 500"), 1);
  const struct health_counts counts = health_counts(played.health);
  ck_assert_uint_eq(counts.health_unhealthy, 1);
  ck_assert_uint_eq(counts.health_recovered, 1);
  ck_assert_uint_ge(counts.health_failures, 12);
  health_unref(played.health, &endpoint);
  end();
}
END_TEST

START_TEST(slow_start)
{
  begin();
  played.spec.slow_start_ms = 1000000;
  played.script = "bg";
  struct health_endpoint *endpoint = ref_as("shop");
  /* Who has never been unhealthy has nothing to begin slowly. */
  ck_assert_uint_eq(health_share(endpoint, clock_monotonic_ms()), HEALTH_SHARE_WHOLE);
  wait_for(endpoint, false);
  ck_assert_uint_eq(health_share(endpoint, INT64_MAX), 0);
  wait_for(endpoint, true);
  const int64_t since_ms = atomic_load(&endpoint->state);
  ck_assert_int_le(since_ms, clock_monotonic_ms());
  static const struct {
    int64_t after_ms;
    unsigned share;
  } cases[] = {{-5, 0},      {0, 10},      {99999, 10},    {110000, 11},
               {500000, 50}, {999999, 99}, {1000000, 100}, {2000000, 100}};
  for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++)
    ck_assert_uint_eq(health_share(endpoint, since_ms + cases[i].after_ms), cases[i].share);
  health_unref(played.health, &endpoint);
  end();
}
END_TEST

/* ---- the table ------------------------------------------------------------------------------- */

START_TEST(shared_and_kept)
{
  begin();
  played.answer = broken;
  struct health_endpoint *a = ref_as("shop"), *b = ref_as("shop"), *other = ref_as("shop-v2");
  ck_assert_ptr_eq(a, b);
  ck_assert_ptr_ne(a, other);
  wait_for(a, false);
  health_unref(played.health, &a);
  /* A reload that changes how is asked: what is known stays, until it is found out anew. */
  played.spec.interval_ms = 3600000;
  played.spec.path = STR("/other");
  a = ref_as("shop");
  ck_assert_ptr_ne(a, b);
  ck_assert(!is_healthy(a));
  health_unref(played.health, &b);
  health_unref(played.health, &other);
  health_unref(played.health, &a);
  /* Referenced anew it is found out anew, whether or not a check was still under way. */
  played.answer = fine;
  played.spec.interval_ms = 20;
  a = ref_as("shop");
  wait_for(a, true);
  health_unref(played.health, &a);
  end();
}
END_TEST

START_TEST(ends_in_the_middle_of_checks)
{
  begin();
  played.manner = HANGS;
  struct health_endpoint *a = ref_as("shop"), *b = ref_as("shop-v2");
  while (played.requests < 2) turn();
  health_unref(played.health, &a);
  health_unref(played.health, &b);
  const int64_t began_ms = clock_monotonic_ms();
  end();
  ck_assert_int_lt(clock_monotonic_ms() - began_ms, played.spec.timeout_ms / 2);
}
END_TEST

START_TEST(dropped_while_it_is_checked)
{
  begin();
  played.manner = HANGS;
  struct health_endpoint *gone = ref_as("shop"), *stays = ref_as("shop-v2");
  while (played.requests < 2) turn();
  health_unref(played.health, &gone);
  played.manner = ENDS;
  while (played.count > 0) connection_close(&played.connections[0], false);
  wait_for(stays, false);
  wait_for_checks(health_counts(played.health).health_checks + 2);
  ck_assert_uint_eq(lines_with("'shop'"), 0);
  health_unref(played.health, &stays);
  end();
}
END_TEST

START_TEST(many_endpoints)
{
  enum { MANY = 400 };
  static struct health_endpoint *endpoints[MANY];
  begin();
  played.manner = HANGS;
  played.spec.interval_ms = 60000;
  played.spec.timeout_ms = 200;
  for (size_t i = 0; i < MANY; i++) {
    char upstream[16];
    snprintf(upstream, sizeof(upstream), "shop-%zu", i);
    endpoints[i] = ref_as(upstream);
  }
  for (size_t i = 0; i < MANY; i++) wait_for(endpoints[i], false);
  ck_assert_uint_ge(played.requests, MANY / 2); /* what is late is not even asked for */
  ck_assert_uint_le(played.count_max, 2 * HEALTH_CHECKS_AT_ONCE); /* ended, and not yet seen here */
  ck_assert_uint_eq(health_counts(played.health).health_unhealthy, MANY);
  for (size_t i = 0; i < MANY; i++) health_unref(played.health, &endpoints[i]);
  end();
}
END_TEST

/* Whether a check waits to be accepted, which needs a descriptor. */
static bool is_called(void) {
  struct pollfd listener = {.fd = played.listener, .events = POLLIN};
  return poll(&listener, 1, 0) == 1;
}

START_TEST(shortage)
{
  struct rlimit limit, none;
  begin();
  struct health_endpoint *endpoint = ref_as("shop");
  wait_for_checks(1);
  ck_assert(getrlimit(RLIMIT_NOFILE, &limit) == 0);
  none = (struct rlimit){.rlim_cur = 3, .rlim_max = limit.rlim_max};
  ck_assert(setrlimit(RLIMIT_NOFILE, &none) == 0);
  while (health_counts(played.health).health_shortages < 3) {
    /* One that had begun before must not hang, as it would fail then. */
    const bool called = is_called();
    if (called) ck_assert(setrlimit(RLIMIT_NOFILE, &limit) == 0);
    turn();
    if (called) ck_assert(setrlimit(RLIMIT_NOFILE, &none) == 0);
  }
  ck_assert(setrlimit(RLIMIT_NOFILE, &limit) == 0);
  ck_assert(is_healthy(endpoint));
  const struct health_counts counts = health_counts(played.health);
  ck_assert_uint_eq(counts.health_failures, 0);
  wait_for_checks(counts.health_checks + 2);
  ck_assert(is_healthy(endpoint));
  health_unref(played.health, &endpoint);
  end();
}
END_TEST

START_TEST(nothing_to_check)
{
  begin();
  ck_assert_uint_eq(health_counts(played.health).health_checks, 0);
  end();
}
END_TEST

/* ---- schedule -------------------------------------------------------------------------------- */

START_TEST(schedule_keeps_order)
{
  enum { N = 500 };
  static struct health_endpoint endpoints[N];
  struct schedule schedule = {0};
  unsigned random = 7;
  ck_assert(schedule_reserve(&schedule, N));
  for (size_t i = 0; i < N; i++) {
    random = random * 1103515245 + 12345;
    endpoints[i].due_ms = random >> 16 & 0xFF;
    schedule_add(&schedule, &endpoints[i]);
  }
  for (size_t i = 0; i < N; i += 3) schedule_remove(&schedule, &endpoints[i]);
  schedule_remove(&schedule, &endpoints[0]); /* is not there */
  int64_t last_ms = 0;
  size_t n = 0;
  for (struct health_endpoint *first; (first = schedule_first(&schedule)); n++) {
    ck_assert_int_ge(first->due_ms, last_ms);
    last_ms = first->due_ms;
    schedule_remove(&schedule, first);
  }
  ck_assert_uint_eq(n, N - (N + 2) / 3);
  free(schedule.items);
}
END_TEST

UNIT_MAIN("health", question, unix_socket, ipv6, unwell, refuses, well, thresholds, slow_start,
          shared_and_kept, ends_in_the_middle_of_checks, dropped_while_it_is_checked,
          many_endpoints, shortage, nothing_to_check, schedule_keeps_order)
