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

/* Lines of every size, one after the other over the end of the ring. */
START_TEST(line_by_line)
{
  char line[64], buffer[40];
  static struct access_ring ring; /* aligned also where a sanitizer moves the stack */
  size_t n;
  ck_assert(access_ring_init(&ring, 64));
  for (size_t size = 0; size < 60; size++) {
    memset(line, 'a' + (int)(size % 26), size);
    line[size] = '\n';
    ck_assert(access_ring_push(&ring, str_make(line, size + 1)));
    const bool beside = access_ring_push(&ring, STR("b\n"));
    const bool joined = access_ring_peek(&ring).n < size + 1;
    const struct str got = access_ring_line(&ring, buffer, sizeof(buffer), &n);
    ck_assert_uint_eq(n, size + 1);
    ck_assert(str_eq(got, str_make(line, joined && size > sizeof(buffer) ? sizeof(buffer) : size)));
    access_ring_consume(&ring, n);
    if (!beside) continue;
    ck_assert_view_eq(access_ring_line(&ring, buffer, sizeof(buffer), &n), "b");
    access_ring_consume(&ring, n);
  }
  ck_assert_uint_eq(access_ring_size(&ring), 0);
  access_ring_deinit(&ring);
}
END_TEST

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

static void expect_line_with(enum config_log_format format, enum config_log_attributes attributes,
                             const struct access_entry *entry, const char *expected) {
  const struct config_access_log config = {.format = format, .attributes = attributes};
  struct access_line line;
  ck_assert(access_line_init(&line, &config, STR("key")));
  for (int twice = 0; twice < 2; twice++) { /* the second is kept */
    const struct str made = access_line_make(&line, entry);
    ck_assert_msg(str_eq(made, str_from_cstr(expected)), "%.*s", STR_ARG(made));
  }
  access_line_deinit(&line);
}

static void expect_line(enum config_log_format format, const struct access_entry *entry,
                        const char *expected) {
  expect_line_with(format, CONFIG_LOG_NONE, entry, expected);
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

#define BEGINNING                                                                                \
  "{\"time\":\"2000-02-29T00:00:00.005Z\",\"client_ip\":%s,\"method\":\"GET\",\"scheme\":"       \
  "\"http\","                                                                                    \
  "\"host\":%s,\"path\":%s,\"query\":%s,\"protocol\":\"HTTP/1.0\",\"user_agent\":%s,"            \
  "\"referer\":null,\"request_id\":null,\"status\":200,\"end\":\"complete\",\"error\":null,"     \
  "\"bytes_received\":3,\"bytes_sent\":1234,\"duration_ms\":1234.567,\"first_byte_ms\":0.089,"   \
  "\"connect_ms\":null,\"upstream\":null,\"endpoint\":null,\"retries\":0,\"route\":null,"        \
  "\"variant\":null,\"rule\":null,\"reason\":null,\"bucket\":null,\"config\":null,\"trace_id\":" \
  "null"

static const char plain_head[] = "GET /a?q HTTP/1.0\r\nHost: a\r\nUser-Agent: u\r\n\r\n";

START_TEST(what_was_decided)
{
  char expected[2048];
  struct access_entry entry = entry_of(plain_head);
  snprintf(expected, sizeof(expected),
           BEGINNING
           ",\"now\":null,\"cookie\":null,\"pin\":null,\"decided\":null,"
           "\"decided_reason\":null,\"override\":null,\"attributes\":null,\"cut\":false}\n",
           "\"192.0.2.7\"", "\"a\"", "\"/a\"", "\"q\"", "\"u\"");
  expect_line_with(CONFIG_LOG_JSON, CONFIG_LOG_READ, &entry, expected);
  const struct access_decision decision = {.now_ms = 951782399999, /* a second before */
                                           .cookie = STR("valid"),
                                           .pin = STR("canary"),
                                           .variant = STR("canary"),
                                           .reason = STR("pinned"),
                                           .override = STR("on"),
                                           .attributes = STR("{\"a\":1}"),
                                           .left_out = true};
  entry.decision = &decision;
  snprintf(expected, sizeof(expected),
           BEGINNING
           ",\"now\":\"2000-02-28T23:59:59.999Z\",\"cookie\":\"valid\",\"pin\":\"canary\","
           "\"decided\":\"canary\",\"decided_reason\":\"pinned\",\"override\":\"on\","
           "\"attributes\":{\"a\":1},"
           "\"cut\":true}\n",
           "\"192.0.2.7\"", "\"a\"", "\"/a\"", "\"q\"", "\"u\"");
  expect_line_with(CONFIG_LOG_JSON, CONFIG_LOG_ALL, &entry, expected);
}
END_TEST

/* HMAC-SHA-256 with the key "key", by Python's hmac. */
START_TEST(hidden_fields)
{
  char expected[2048];
  struct access_entry entry = entry_of(plain_head);
  entry.hides = ACCESS_HIDES_ALL;
  snprintf(expected, sizeof(expected), BEGINNING "}\n", "{\"hash\":\"25b8e0716cbcc8a0\"}",
           "{\"hash\":\"780c3db4ce3de5b9\"}", "{\"hash\":\"b22dfc7784919d26\"}",
           "{\"hash\":\"ea0edfb5091a6ed4\"}", "{\"hash\":\"74fc58364b1e33d0\"}");
  expect_line(CONFIG_LOG_JSON, &entry, expected);
}
END_TEST

/* What a line shows otherwise than it was is marked. */
START_TEST(cut_fields)
{
  static const struct config_access_log config = {.attributes = CONFIG_LOG_READ};
  static char long_path[ACCESS_VALUE_BYTES_MAX + 1];
  memset(long_path, '/', sizeof(long_path));
  const struct str odd[] = {str_make(long_path, sizeof(long_path)), STR("/\xff")};
  struct access_line line;
  ck_assert(access_line_init(&line, &config, STR("key")));
  struct access_entry entry = entry_of(plain_head);
  entry.request.path = str_make(long_path, ACCESS_VALUE_BYTES_MAX);
  ck_assert(str_ends_with(access_line_make(&line, &entry), STR("\"cut\":false}\n")));
  for (size_t i = 0; i < 2; i++) {
    entry.request.path = odd[i];
    ck_assert(str_ends_with(access_line_make(&line, &entry), STR("\"cut\":true}\n")));
  }
  access_line_deinit(&line);
}
END_TEST

/* ---- attributes ------------------------------------------------------------------------------ */

struct built {
  struct text text;
  struct hmac *hmac;
  struct access_attributes attributes;
};

static void build_begin(struct built *built) {
  text_init(&built->text, ACCESS_LINE_BYTES_MAX);
  built->hmac = hmac_new(STR("key"));
  access_attributes_begin(&built->attributes, &built->text, built->hmac);
}

/* So many values that are all the same. */
static void build_add(struct built *built, const char *name, struct str text, size_t n,
                      bool hashed) {
  struct attr_datum *data = calloc(n, sizeof(*data));
  for (size_t i = 0; i < n; i++) data[i].text = text;
  const struct attr_value value = {.state = ATTR_PRESENT, .n = n, .data = data};
  access_attributes_add(&built->attributes, str_from_cstr(name), &value, hashed);
  free(data);
}

static void build_end(struct built *built, const char *expected, bool left_out) {
  const struct str made = access_attributes_end(&built->attributes);
  ck_assert_msg(str_eq(made, str_from_cstr(expected)), "%.*s", STR_ARG(made));
  ck_assert(built->attributes.left_out == left_out && !text_failed(&built->text));
  hmac_free(&built->hmac);
  text_deinit(&built->text);
}

START_TEST(attributes_as_json)
{
  struct built built;
  build_begin(&built);
  build_end(&built, "{}", false);
  build_begin(&built);
  build_add(&built, "a", STR("\"\n\xc3\xa9"), 1, false);
  build_add(&built, "b", STR(""), 1, false);
  build_add(&built, "c", STR("x"), 3, false);
  build_add(&built, "d", STR("caf\xe9"), 1, false); /* no JSON can say it */
  build_add(&built, "e", STR("\xff"), 2, false);
  build_add(&built, "f", STR("q"), 1, true);
  build_add(&built, "g", STR("q"), 2, true);
  build_add(&built, "h\"", STR("q"), 1, false);
  const struct attr_value missing = {.state = ATTR_MISSING}, open = {.state = ATTR_UNDECIDED};
  access_attributes_add(&built.attributes, STR("i"), &missing, true);
  access_attributes_add(&built.attributes, STR("j"), &open, true);
  build_end(&built,
            "{\"a\":\"\\\"\\n\xc3\xa9\",\"b\":\"\",\"c\":[\"x\",\"x\",\"x\"],"
            "\"d\":{\"cut\":\"caf\xEF\xBF\xBD\"},\"e\":{\"cut\":\"\xEF\xBF\xBD\"},"
            "\"f\":{\"hash\":\"ea0edfb5091a6ed4\"},\"g\":[{\"hash\":\"ea0edfb5091a6ed4\"},{"
            "\"hash\":\"ea0edfb5091a6ed4\"}],"
            "\"h\\\"\":\"q\",\"i\":null,\"j\":{\"undecided\":true}}",
            false);
}
END_TEST

/* The room is shared: what does not fit is cut, what comes behind may fit again; in the end even
 * names do not. */
START_TEST(attributes_have_an_end)
{
  static char text[1 << 20];
  struct built built;
  memset(text, 1, sizeof(text)); /* six bytes each */
  build_begin(&built);
  build_add(&built, "whole", str_make(text, 1000), 1, false);
  build_add(&built, "over", str_make(text, 1000), 1, false);
  build_add(&built, "long", str_make(text, sizeof(text)), 1, false);
  build_add(&built, "many", str_make(text, 1), 100000, false);
  build_add(&built, "hashed", str_make(text, 1), 100000, true);
  build_add(&built, "hash", str_make(text, sizeof(text)), 1, true);
  ck_assert(!built.attributes.left_out && built.text.n < ACCESS_ATTRIBUTES_BYTES_MAX);
  ck_assert(str_contains_nocase(text_str(&built.text), STR(",\"over\":{\"cut\":\"\\u0001")));
  ck_assert(str_contains_nocase(text_str(&built.text), STR(",\"long\":{\"cut\":\"\\u0001")));
  ck_assert(str_contains_nocase(text_str(&built.text), STR(",\"many\":{\"cut\":\"\\u0001\"}")));
  ck_assert(str_contains_nocase(text_str(&built.text), STR(",\"hashed\":{\"cut\":\"\"}")));
  ck_assert(str_ends_with(text_str(&built.text), STR("\"}")));
  for (int i = 0; i < 1000; i++) build_add(&built, "another", STR("value"), 1, false);
  ck_assert(built.attributes.left_out);
  const struct str made = access_attributes_end(&built.attributes);
  ck_assert(made.n <= ACCESS_ATTRIBUTES_BYTES_MAX && made.n > ACCESS_ATTRIBUTES_BYTES_MAX - 30);
  ck_assert(str_ends_with(made, STR("\"another\":\"value\"}")) ||
            str_ends_with(made, STR("{\"cut\":\"value\"}}")));
  hmac_free(&built.hmac);
  text_deinit(&built.text);
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
  static char object[ACCESS_ATTRIBUTES_BYTES_MAX + 1];
  memset(object, ' ', sizeof(object));
  const struct access_decision decision = {.attributes = str_make(object, sizeof(object))};
  struct access_entry entry = {.request = {value, value, value, value, value, value, value, value},
                               .request_id = value,
                               .error = value,
                               .decision = &decision};
  for (enum config_log_format format = CONFIG_LOG_JSON; format <= CONFIG_LOG_COMBINED; format++) {
    struct access_line line;
    const struct config_access_log config = {.format = format, .attributes = CONFIG_LOG_ALL};
    ck_assert(access_line_init(&line, &config, STR("key")));
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

UNIT_MAIN("access_log", a_line_goes_in_whole_or_not_at_all, it_goes_round, line_by_line,
          two_threads, json, what_was_decided, hidden_fields, cut_fields, attributes_as_json,
          attributes_have_an_end, combined, a_line_has_an_end, a_copy_outlives_the_request)
