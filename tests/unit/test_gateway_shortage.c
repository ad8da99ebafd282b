/*
 * A worker with its thread and real sockets, between a client and an origin that are this test,
 * while memory runs out at each allocation of a request's way in turn, or no connection can be
 * made. Nothing crashes or leaks (with the address sanitizer) or is stuck: the client gets answers,
 * or the end of its connection; and when there is memory again the worker serves as ever.
 */
#include <arpa/inet.h>
#include <fcntl.h>
#include <poll.h>
#include <sys/socket.h>

#include "adit/log.h"
#include "adit/units.h"
#include "failing_memory.h"
#include "gateway/listeners.h"
#include "gateway/worker.h"
#include "policy_bench.h"

enum { DEADLINE_MS = 10000, CONNECTIONS_MAX = 16, BYTES_MAX = 1 << 20 };

void log_write(enum log_level level, const char *format, ...) {
  (void)level, (void)format;
}

/* ---- connections that cannot be made --------------------------------------------------------- */

static struct { _Atomic int socket_error, connect_error; } network;

int __real_socket(int domain, int type, int protocol);
int __real_connect(int fd, const struct sockaddr *address, socklen_t length);
int __wrap_socket(int domain, int type, int protocol);
int __wrap_connect(int fd, const struct sockaddr *address, socklen_t length);

int __wrap_socket(int domain, int type, int protocol) {
  if (memory_is_exempt || network.socket_error == 0) return __real_socket(domain, type, protocol);
  errno = network.socket_error;
  return -1;
}
int __wrap_connect(int fd, const struct sockaddr *address, socklen_t length) {
  if (memory_is_exempt || network.connect_error == 0) return __real_connect(fd, address, length);
  errno = network.connect_error;
  return -1;
}

/* ---- the two sides --------------------------------------------------------------------------- */

struct side {
  int fd; /* -1: none, or it has ended */
  size_t n;
  char bytes[BYTES_MAX];
};

static struct wire {
  int origin_listener;
  uint16_t origin_port;
  uint16_t port;
  struct side client;
  struct side origins[CONNECTIONS_MAX];
  size_t origin_count;
  const char *answer; /* of the origin, to every request */
} wire;

static int listen_somewhere(uint16_t *ret_port) {
  struct sockaddr_in at = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
  socklen_t length = sizeof(at);
  int fd = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
  ck_assert_int_ge(fd, 0);
  ck_assert_int_eq(bind(fd, (struct sockaddr *)(void *)&at, length), 0);
  ck_assert_int_eq(listen(fd, 16), 0);
  ck_assert_int_eq(getsockname(fd, (struct sockaddr *)(void *)&at, &length), 0);
  *ret_port = ntohs(at.sin_port);
  return fd;
}

static void send_all(int fd, struct str data) {
  while (data.n > 0) {
    ssize_t n = send(fd, data.p, data.n, MSG_NOSIGNAL);
    if (n <= 0) return; /* it has gone: what it said before is read all the same */
    data = str_skip(data, (size_t)n);
  }
}

/* Reads once. At the end, of either kind, the side is closed. */
static void side_read(struct side *side) {
  ck_assert_uint_lt(side->n, sizeof(side->bytes));
  ssize_t n = recv(side->fd, side->bytes + side->n, sizeof(side->bytes) - side->n, 0);
  if (n > 0) {
    side->n += (size_t)n;
    return;
  }
  (void)close(side->fd);
  side->fd = -1;
}

static struct str side_text(const struct side *side) {
  return str_make(side->bytes, side->n);
}

/* A request is over with an empty line; one in chunks, that behind its last chunk. */
static bool is_whole(struct str text) {
  bool is_chunked = memmem(text.p, text.n, "chunked", 7) != NULL;
  bool has_last = memmem(text.p, text.n, "\r\n0\r\n", 5) != NULL;
  return str_ends_with(text, STR("\r\n\r\n")) && (!is_chunked || has_last);
}

static void origin_act(struct side *origin) {
  side_read(origin);
  if (origin->fd < 0 || !is_whole(side_text(origin))) return;
  origin->n = 0;
  send_all(origin->fd, str_from_cstr(wire.answer));
}

static void origin_accept(void) {
  int fd = accept(wire.origin_listener, NULL, NULL);
  if (fd < 0) return;
  ck_assert_uint_lt(wire.origin_count, CONNECTIONS_MAX);
  struct side *origin = &wire.origins[wire.origin_count++];
  origin->fd = fd;
  origin->n = 0;
}

/* Moves both sides until the client's connection has ended; false: it does not. */
static bool wire_run(void) {
  int64_t deadline_ms = clock_monotonic_ms() + DEADLINE_MS;
  while (wire.client.fd >= 0) {
    struct pollfd polled[2 + CONNECTIONS_MAX] = {{.fd = wire.client.fd, .events = POLLIN},
                                                 {.fd = wire.origin_listener, .events = POLLIN}};
    size_t n = wire.origin_count;
    for (size_t i = 0; i < n; i++)
      polled[2 + i] = (struct pollfd){.fd = wire.origins[i].fd, .events = POLLIN};
    int64_t left_ms = deadline_ms - clock_monotonic_ms();
    if (left_ms <= 0 || poll(polled, 2 + n, (int)left_ms) <= 0) return false;
    if (polled[0].revents) side_read(&wire.client);
    if (polled[1].revents) origin_accept();
    for (size_t i = 0; i < n; i++)
      if (polled[2 + i].revents) origin_act(&wire.origins[i]);
  }
  return true;
}

/* One client's whole connection. Its last request asks for the end. */
static bool ask(struct str sent) {
  struct sockaddr_in at = {.sin_family = AF_INET,
                           .sin_addr.s_addr = htonl(INADDR_LOOPBACK),
                           .sin_port = htons(wire.port)};
  wire.client.n = 0;
  wire.client.fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
  ck_assert_int_eq(connect(wire.client.fd, (struct sockaddr *)(void *)&at, sizeof(at)), 0);
  send_all(wire.client.fd, sent);
  return wire_run();
}

static size_t count_of(struct str text, const char *part) {
  size_t n = 0;
  for (const char *at = text.p;
       (at = memmem(at, text.n - (size_t)(at - text.p), part, strlen(part))); at++)
    n++;
  return n;
}

/* ---- the worker ------------------------------------------------------------------------------ */

static struct worker worker;
static struct breakers *breakers;

static void worker_begin(struct policy *policy) {
  breakers = breakers_new();
  const struct worker_shared shared = {.breakers = breakers};
  struct listening listening = {.fd = listen_somewhere(&wire.port)};
  ck_assert(worker_init(&worker, 0, policy, &shared, &listening, 1, 16));
  ck_assert(worker_start(&worker));
}

static void worker_end(void) {
  worker_send_stop(&worker, STOP_NOW);
  ck_assert_int_eq(pthread_join(worker.thread, NULL), 0);
  worker_deinit(&worker);
  breakers_free(&breakers);
  for (size_t i = 0; i < wire.origin_count; i++)
    if (wire.origins[i].fd >= 0) (void)close(wire.origins[i].fd);
  wire.origin_count = 0;
}

static struct policy *policy_begin(void) {
  char config[1024];
  struct text said;
  memory_is_exempt = true;
  wire.origin_listener = listen_somewhere(&wire.origin_port);
  bench_open();
  snprintf(config, sizeof(config),
           "{\"listen\": [{\"address\": \"127.0.0.1:0\"}], \"rules\": [\"rules/*.json\"],"
           " \"attributes\": {\"user.id\": {\"type\": \"string\","
           " \"from\": [{\"query\": \"u\", \"trust\": \"anyone\"}]}},"
           " \"upstreams\": {\"a\": {\"endpoints\": [\"127.0.0.1:%u\"],"
           " \"circuit_breaker\": {\"max_connections\": 2}}},"
           " \"sticky\": {\"keys\": [{\"id\": \"k\", \"file\": \"sticky.key\"}]}}",
           wire.origin_port);
  write_file("adit.json", config);
  write_file("rules/shop.json",
             "{\"route\": \"shop\", \"match\": {\"hosts\": [\"shop\"]}, \"stable\": \"v1\","
             " \"variants\": {\"v1\": \"a\", \"canary\": \"a\"}, \"rules\": ["
             "{\"id\": \"list\", \"when\": {\"query.a\": [\"x\", \"y\"], \"user.id\": \"u 1\"},"
             " \"to\": \"canary\"},"
             "{\"id\": \"copied\", \"when\": {\"path\": \"/copied\"}, \"to\": \"v1\","
             " \"mirror\": {\"to\": \"canary\", \"methods\": [\"GET\", \"PUT\"]}},"
             "{\"id\": \"draw\", \"when\": {\"header.x-draw\": \"1\"}, \"split\": {\"canary\": 50}}"
             "]}");
  struct policy *policy = load_policy(NULL, NULL, &said);
  ck_assert_msg(policy && text_str(&said).n == 0, "%.*s", STR_ARG(text_str(&said)));
  text_deinit(&said);
  return policy;
}

static void policy_end(struct policy **policy) {
  policy_unref(policy);
  bench_close();
  (void)close(wire.origin_listener);
}

/* ---- tests ----------------------------------------------------------------------------------- */

#define CLOSE  "Host: shop\r\nConnection: close\r\n\r\n"
#define PLAIN  "GET / HTTP/1.1\r\n" CLOSE
#define ANSWER "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nhi"

struct way {
  const char *name;
  const char *before; /* the request, */
  size_t filler;      /* so many bytes more, */
  const char *after;  /* and its end */
  const char *answer; /* of the origin */
  size_t answers;     /* of status 200, in peace */
  bool reloads;       /* a policy is taken over at the same time */
  unsigned at_least;  /* allocations on the way */
};

static struct str way_request(const struct way *way) {
  static char text[BYTES_MAX];
  size_t n = strlen(way->before), m = strlen(way->after);
  memcpy(text, way->before, n);
  memset(text + n, 'x', way->filler);
  memcpy(text + n + way->filler, way->after, m);
  return str_make(text, n + way->filler + m);
}

/* One worker, and the n-th allocation. False: it was not asked for so many. */
static bool go_in_need(struct policy *policy, const struct way *way, unsigned n, bool lasting) {
  struct str sent = way_request(way);
  wire.answer = way->answer;
  worker_begin(policy);
  arm(n, lasting);
  if (way->reloads) worker_send_policy(&worker, policy_ref(policy));
  bool ended = ask(sent);
  bool granted = disarm();
  struct str got = side_text(&wire.client);
  ck_assert_msg(ended, "%s: stuck at allocation %u, after\n%.*s", way->name, n, STR_ARG(got));
  ck_assert_msg(got.n == 0 || str_starts_with(got, STR("HTTP/1.1 ")), "%s: %u", way->name, n);
  if (granted)
    ck_assert_msg(count_of(got, "HTTP/1.1 200 ") == way->answers, "%s:\n%.*s", way->name,
                  STR_ARG(got));
  /* There is memory again. */
  wire.answer = ANSWER;
  ended = ask(STR(PLAIN));
  got = side_text(&wire.client);
  ck_assert_msg(ended && count_of(got, "HTTP/1.1 200 ") == 1,
                "%s: not served after allocation %u:\n%.*s", way->name, n, STR_ARG(got));
  worker_end();
  return !granted;
}

static const struct way ways[] = {
    {"plain", PLAIN, 0, "", ANSWER, 1, false, 5},
    {"kept alive, and pipelined",
     "GET /1 HTTP/1.1\r\nHost: shop\r\n\r\nGET /2 HTTP/1.1\r\nHost: shop\r\n\r\n", 0, PLAIN, ANSWER,
     3, false, 5},
    {"of a rule", "GET /?a=%20&a=y&u=u+1 HTTP/1.1\r\n" CLOSE, 0, "", ANSWER, 1, false, 6},
    {"drawn", "GET / HTTP/1.1\r\nX-Draw: 1\r\nCookie: a=1; adit-shop=x\r\n" CLOSE, 0, "", ANSWER, 1,
     false, 6},
    {"a long head", "GET / HTTP/1.1\r\nX: ", 30000, "\r\n" CLOSE, ANSWER, 1, false, 7},
    {"a long head with a body", "PUT / HTTP/1.1\r\nTransfer-Encoding: chunked\r\nX: ", 14000,
     "\r\n" CLOSE "3\r\nabc\r\n0\r\nX-Trailer: 1\r\n\r\n", ANSWER, 1, false, 6},
    {"a body", "PUT / HTTP/1.1\r\nTransfer-Encoding: chunked\r\n" CLOSE "30d40\r\n", 200000,
     "\r\n0\r\n\r\n", ANSWER, 1, false, 5},
    {"chunks back", PLAIN, 0, "",
     "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"
     "5\r\nhello\r\n0\r\nX-Trailer: 1\r\n\r\n",
     1, false, 5},
    {"an interim response", PLAIN, 0, "", "HTTP/1.1 103 Early Hints\r\n\r\n" ANSWER, 1, false, 5},
    {"until close", PLAIN, 0, "",
     "HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: 3\r\n\r\nabc", 1, false, 5},
    {"copied", "GET /copied HTTP/1.1\r\n" CLOSE, 0, "", ANSWER, 1, false, 7},
    {"copied with a body",
     "PUT /copied HTTP/1.1\r\nTransfer-Encoding: chunked\r\n" CLOSE "9c40\r\n", 40000,
     "\r\n0\r\n\r\n", ANSWER, 1, false, 9},
    {"no route", "GET / HTTP/1.1\r\nHost: other\r\nConnection: close\r\n\r\n", 0, "", ANSWER, 0,
     false, 3},
    {"refused", "nonsense\r\n\r\n", 0, "", ANSWER, 0, false, 3},
    {"a reload", PLAIN, 0, "", ANSWER, 1, true, 10},
};

START_TEST(memory_runs_out)
{
  struct policy *policy = policy_begin();
  const struct way *way = &ways[_i];
  for (int lasting = 0; lasting < 2; lasting++) {
    unsigned n = 0;
    while (go_in_need(policy, way, n, lasting)) n++;
    ck_assert_msg(n >= way->at_least, "%s: only %u allocations", way->name, n);
  }
  policy_end(&policy);
}
END_TEST

/* What the kernel says when it has no more descriptors, memory or ports: 503, whatever it was, and
 * the connection stays. */
START_TEST(no_connection_can_be_made)
{
  static const int errors[] = {EMFILE, ENFILE, ENOMEM, ENOBUFS, EADDRNOTAVAIL};
  struct policy *policy = policy_begin();
  for (size_t i = 0; i < sizeof(errors) / sizeof(*errors); i++) {
    for (int which = 0; which < 2; which++) {
      worker_begin(policy);
      wire.answer = ANSWER;
      *(which ? &network.socket_error : &network.connect_error) = errors[i];
      ck_assert(ask(STR("GET / HTTP/1.1\r\nHost: shop\r\n\r\n" PLAIN)));
      struct str got = side_text(&wire.client);
      ck_assert_msg(count_of(got, "HTTP/1.1 503 ") == 2, "%s:\n%.*s", strerror(errors[i]),
                    STR_ARG(got));
      ck_assert_uint_eq(atomic_load(&worker.counters.shortages), 2);
      network.socket_error = network.connect_error = 0;
      ck_assert(ask(STR(PLAIN)));
      ck_assert_uint_eq(count_of(side_text(&wire.client), "HTTP/1.1 200 "), 1);
      worker_end();
    }
  }
  policy_end(&policy);
}
END_TEST

int main(void) {
  Suite *suite = suite_create("gateway shortage");
  TCase *tcase = tcase_create("shortage");
  tcase_set_timeout(tcase, 120);
  tcase_add_loop_test(tcase, memory_runs_out, 0, sizeof(ways) / sizeof(*ways));
  tcase_add_test(tcase, no_connection_can_be_made);
  suite_add_tcase(suite, tcase);
  SRunner *runner = srunner_create(suite);
  srunner_run_all(runner, CK_ENV);
  int failed = srunner_ntests_failed(runner);
  srunner_free(runner);
  return failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
