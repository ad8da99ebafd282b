/*
 * The access log's parts: the ring between two threads, and how one request becomes a line. The
 * writer is tested from outside (tests/integration/test_access_log.py).
 */
#include <pthread.h>
#include <sched.h>
#include <stdio.h>

#include "gateway/access_line.h"
#include "gateway/access_ring.h"
#include "unit.h"

/* ---- ring ------------------------------------------------------------------------------------ */

static struct str taken(struct access_ring *ring, char *to) {
  size_t n = 0;
  for (struct str part; (part = access_ring_peek(ring)).n > 0; n += part.n) {
    memcpy(to + n, part.p, part.n);
    access_ring_consume(ring, part.n);
  }
  return str_make(to, n);
}

START_TEST(a_line_goes_in_whole_or_not_at_all)
{
  static struct access_ring ring; /* aligned also where a sanitizer moves the stack */
  char out[16];
  ck_assert(access_ring_init(&ring, 16));
  ck_assert(access_ring_peek(&ring).n == 0);
  ck_assert(!access_ring_push(&ring, STR("seventeen bytes!\n")));
  ck_assert(access_ring_push(&ring, STR("ten bytes\n")));
  ck_assert(!access_ring_push(&ring, STR("seven!\n")));
  ck_assert(access_ring_push(&ring, STR("- six\n")));
  ck_assert_uint_eq(access_ring_size(&ring), 16);
  ck_assert(!access_ring_push(&ring, STR("\n")));
  ck_assert(str_eq(taken(&ring, out), STR("ten bytes\n- six\n")));
  access_ring_deinit(&ring);
}
END_TEST

/* Behind the end of its memory it goes on at the beginning: from each place, with each length. */
START_TEST(it_goes_round)
{
  static const char digits[] = "0123456789abcdef";
  static struct access_ring ring; /* aligned also where a sanitizer moves the stack */
  char out[16];
  ck_assert(access_ring_init(&ring, 16));
  for (size_t i = 0; i < 16 * 17 * 3; i++) {
    const struct str line = str_make(digits, i % 17);
    ck_assert(access_ring_push(&ring, line));
    ck_assert_uint_eq(access_ring_size(&ring), line.n);
    ck_assert(str_eq(taken(&ring, out), line));
  }
  access_ring_deinit(&ring);
}
END_TEST

enum { LINES = 200000 };

/* Numbers of lines; those for which there is no room are tried again, and so none may be missing.
 */
static void *produce(void *argument) {
  struct access_ring *ring = argument;
  char line[32];
  for (unsigned i = 0; i < LINES; i++) {
    const int n = snprintf(line, sizeof(line), "%0*u\n", (int)(1 + i % 20), i);
    while (!access_ring_push(ring, str_make(line, (size_t)n))) sched_yield();
  }
  return NULL;
}

START_TEST(two_threads)
{
  static struct access_ring ring; /* aligned also where a sanitizer moves the stack */
  pthread_t thread;
  ck_assert(access_ring_init(&ring, 1024));
  ck_assert_int_eq(pthread_create(&thread, NULL, produce, &ring), 0);
  unsigned expected = 0, number = 0;
  while (expected < LINES) {
    const struct str part = access_ring_peek(&ring);
    if (part.n == 0) sched_yield();
    for (size_t i = 0; i < part.n; i++) {
      if (part.p[i] != '\n') {
        number = number * 10 + (unsigned)(part.p[i] - '0');
        continue;
      }
      ck_assert_uint_eq(number, expected);
      expected++;
      number = 0;
    }
    access_ring_consume(&ring, part.n);
  }
  ck_assert_int_eq(pthread_join(thread, NULL), 0);
  ck_assert_uint_eq(access_ring_size(&ring), 0);
  access_ring_deinit(&ring);
}
END_TEST

/* ---- lines ----------------------------------------------------------------------------------- */

static struct http_request parsed; /* large */

static struct access_entry entry_of(const char *head) {
  const struct http_limits limits = {.head_bytes = 65536, .line_bytes = 8192, .fields = 100};
  struct http_head_scan scan = {0};
  struct access_entry entry = {.began_ms = 951782400005, /* 2000-02-29 */
                               .status = 200,
                               .bytes_received = 3,
                               .bytes_sent = 1234,
                               .duration_us = 1234567,
                               .first_byte_us = 89,
                               .connect_us = -1,
                               .bucket = -1};
  const char *why;
  size_t n;
  ck_assert_int_eq(http_parse_request(str_from_cstr(head), &limits, &scan, &parsed, &n, &why),
                   HTTP_PARSE_DONE);
  access_request_read(&parsed, &entry.request);
  ck_assert(ip_parse(STR("192.0.2.7"), &entry.client_ip));
  return entry;
}

static void expect_line(enum config_log_format format, const struct access_entry *entry,
                        const char *expected) {
  struct access_line line;
  ck_assert(access_line_init(&line, format));
  for (int twice = 0; twice < 2; twice++) { /* the second is kept */
    const struct str made = access_line_make(&line, entry);
    ck_assert_msg(str_eq(made, str_from_cstr(expected)), "%.*s", STR_ARG(made));
  }
  access_line_deinit(&line);
}

static const char head[] =
    "GET /a%22b?q=1&r HTTP/1.0\r\nHost: Shop.test:80\r\nUSER-AGENT: \xc3\xa9\xff\t\"x\"\\\r\n\r\n";

START_TEST(json)
{
  struct access_entry entry = entry_of(head);
  entry.rule = STR("beta");
  entry.bucket = 0;
  entry.retries = 2;
  expect_line(CONFIG_LOG_JSON, &entry,
              "{\"time\":\"2000-02-29T00:00:00.005Z\",\"client_ip\":\"192.0.2.7\","
              "\"method\":\"GET\",\"scheme\":\"http\",\"host\":\"Shop.test\","
              "\"path\":\"/a%22b\",\"query\":\"q=1&r\",\"protocol\":\"HTTP/1.0\","
              "\"user_agent\":\"\xc3\xa9\xEF\xBF\xBD\\t\\\"x\\\"\\\\\",\"referer\":null,\"request_"
              "id\":null,"
              "\"status\":200,\"end\":\"complete\",\"error\":null,\"bytes_received\":3,"
              "\"bytes_sent\":1234,\"duration_ms\":1234.567,\"first_byte_ms\":0.089,"
              "\"connect_ms\":null,\"upstream\":null,\"endpoint\":null,\"retries\":2,"
              "\"route\":null,\"variant\":null,\"rule\":\"beta\",\"reason\":null,\"bucket\":0,"
              "\"config\":null,\"trace_id\":null}\n");
}
END_TEST

START_TEST(combined)
{
  struct access_entry entry = entry_of(head);
  expect_line(CONFIG_LOG_COMBINED, &entry,
              "192.0.2.7 - - [29/Feb/2000:00:00:00 +0000] \"GET /a%22b?q=1&r HTTP/1.0\" "
              "200 1234 \"-\" \"\\xc3\\xa9\\xff\\x09\\\"x\\\"\\\\\"\n");
  entry.request = (struct access_request){0};
  entry.bytes_sent = -1;
  entry.status = 0;
  expect_line(CONFIG_LOG_COMBINED, &entry,
              "192.0.2.7 - - [29/Feb/2000:00:00:00 +0000] \"-\" 0 - \"-\" \"-\"\n");
}
END_TEST

/* The worst that a peer can send fits, in either format, and is cut. */
START_TEST(a_line_has_an_end)
{
  static char worst[ACCESS_VALUE_BYTES_MAX + 1];
  memset(worst, 1, sizeof(worst));
  const struct str value = str_make(worst, sizeof(worst));
  struct access_entry entry = {.request = {value, value, value, value, value, value, value, value},
                               .request_id = value,
                               .error = value};
  for (enum config_log_format format = CONFIG_LOG_JSON; format <= CONFIG_LOG_COMBINED; format++) {
    struct access_line line;
    ck_assert(access_line_init(&line, format));
    const char *memory = line.text.p;
    const struct str made = access_line_make(&line, &entry);
    ck_assert(!text_failed(&line.text) && line.text.p == memory);
    ck_assert(made.p[made.n - 1] == '\n');
    access_line_deinit(&line);
  }
}
END_TEST

START_TEST(a_copy_outlives_the_request)
{
  char *copy_of_head = strdup(head);
  ck_assert_ptr_nonnull(copy_of_head);
  struct access_entry entry = entry_of(copy_of_head);
  struct access_request *copy = access_request_copy(&entry.request);
  memset(copy_of_head, '#', sizeof(head) - 1);
  free(copy_of_head);
  ck_assert(str_eq(copy->method, STR("GET")) && str_eq(copy->host, STR("Shop.test")));
  ck_assert(str_eq(copy->query, STR("q=1&r")) && copy->referer.p == NULL);
  ck_assert(str_eq(copy->user_agent, STR("\xc3\xa9\xff\t\"x\"\\")) && copy->version_minor == 0);
  free(copy);
}
END_TEST

UNIT_MAIN("access_log", a_line_goes_in_whole_or_not_at_all, it_goes_round, two_threads, json,
          combined, a_line_has_an_end, a_copy_outlives_the_request)
