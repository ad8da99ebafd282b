/*
 * The gateway's small parts: heads and chunks as text, bodies off a buffer in pieces, buffers,
 * CPUs.
 */
#include <sched.h>

#include "gateway/buffer.h"
#include "gateway/cpus.h"
#include "gateway/h1_body.h"
#include "gateway_bench.h"

/* ---- h1_write -------------------------------------------------------------------------------- */

START_TEST(request_framing)
{
  struct request_out head = {.method = STR("GET"),
                             .target_prefix = STR("/"),
                             .target = STR("?a"),
                             .fields = {.n = 1, .items = {{STR("A"), STR("1"), 0}}}};
  bench_expect_request("plain", &head, &(struct h1_framing){0}, "GET /?a HTTP/1.1\r\nA: 1\r\n");
  struct h1_framing framing = {.chunked = true, .connection = STR("close")};
  bench_expect_request("chunked", &head, &framing,
                       "GET /?a HTTP/1.1\r\nA: 1\r\nTransfer-Encoding: chunked\r\n"
                       "Connection: close\r\n");
  head.target_prefix = STR("");
  head.target = STR("/");
  head.fields.n = 0;
  bench_expect_request("no fields", &head, &(struct h1_framing){0}, "GET / HTTP/1.1\r\n");
}
END_TEST

START_TEST(response_framing)
{
  static const struct {
    int status;
    struct str reason;
    struct h1_framing framing;
    const char *lines;
  } cases[] = {
      {200, STR_INIT("OK"), {0}, "HTTP/1.1 200 OK\r\nA: 1\r\n"},
      {599, STR_INIT(""), {0}, "HTTP/1.1 599 \r\nA: 1\r\n"},
      {107,
       STR_INIT("x"),
       {.connection = STR_INIT("keep-alive")},
       "HTTP/1.1 107 x\r\nA: 1\r\nConnection: keep-alive\r\n"},
      {200,
       STR_INIT("OK"),
       {.chunked = true, .connection = STR_INIT("close")},
       "HTTP/1.1 200 OK\r\nA: 1\r\nTransfer-Encoding: chunked\r\nConnection: close\r\n"},
  };
  for (size_t i = 0; i < ITEMS(cases); i++) {
    struct response_out head = {.status = cases[i].status,
                                .reason = cases[i].reason,
                                .fields = {.n = 1, .items = {{STR("A"), STR("1"), 0}}}};
    bench_expect_response(cases[i].lines, &head, &cases[i].framing, cases[i].lines);
  }
}
END_TEST

START_TEST(chunks)
{
  static const struct {
    size_t n;
    const char *size;
  } cases[] = {{1, "1"},        {9, "9"},         {10, "a"},       {15, "f"},
               {16, "10"},      {255, "ff"},      {256, "100"},    {4095, "fff"},
               {16364, "3fec"}, {65536, "10000"}, {70000, "11170"}};
  for (size_t i = 0; i < ITEMS(cases); i++) {
    size_t n = cases[i].n, digits = strlen(cases[i].size);
    char *data = malloc(n), *text = malloc(n + H1_CHUNK_OVERHEAD);
    ck_assert(data && text);
    memset(data, 'x', n);
    size_t written = h1_write_chunk(text, str_make(data, n));
    ck_assert_uint_eq(written, digits + 2 + n + 2);
    ck_assert_msg(memcmp(text, cases[i].size, digits) == 0 &&
                      memcmp(text + digits, "\r\n", 2) == 0 &&
                      memcmp(text + digits + 2, data, n) == 0 &&
                      memcmp(text + digits + 2 + n, "\r\n", 2) == 0,
                  "a chunk of %zu", n);
    free(data);
    free(text);
  }
  char last[64];
  struct field_list trailers = {.n = 0};
  ck_assert_uint_le(h1_end_size(&trailers), sizeof(last));
  ck_assert_view_eq(str_make(last, h1_write_end(last, &trailers)), "0\r\n\r\n");
  trailers.n = 2;
  trailers.items[0] = (struct http_field){.name = STR("A"), .value = STR("1")};
  trailers.items[1] = (struct http_field){.name = STR("B"), .value = STR("")};
  ck_assert_uint_le(h1_end_size(&trailers), sizeof(last));
  ck_assert_view_eq(str_make(last, h1_write_end(last, &trailers)), "0\r\nA: 1\r\nB: \r\n\r\n");
}
END_TEST

/* ---- h1_body --------------------------------------------------------------------------------- */

/* What was read of a body. */
struct taken {
  char p[256];
  size_t n;
};

/* Takes at most `bite` bytes of the run that is there. */
static void take(struct h1_body *body, struct buffer *buffer, struct str data, size_t bite,
                 struct taken *taken) {
  struct str again = {0};
  ck_assert(data.n > 0 && data.p == buffer->p + buffer->start);
  ck_assert_int_eq(h1_body_next(body, buffer, &again), H1_BODY_DATA);
  ck_assert(again.p == data.p && again.n == data.n);
  struct str part = str_take(data, bite);
  memcpy(taken->p + taken->n, part.p, part.n);
  taken->n += part.n;
  h1_body_consume(body, buffer, part.n);
}

/* Reads a body whose bytes come `step` at a time. What stands behind it stays in the buffer. */
static enum h1_body_read read_body(struct h1_body *body, struct str input, size_t step, size_t bite,
                                   struct buffer *buffer, struct taken *taken) {
  for (;;) {
    struct str data;
    enum h1_body_read result = h1_body_next(body, buffer, &data);
    if (result == H1_BODY_DATA) {
      take(body, buffer, data, bite, taken);
      continue;
    }
    if (result != H1_BODY_MORE || input.n == 0) return result;
    struct str piece = str_take(input, step);
    memcpy(buffer->p + buffer->end, piece.p, piece.n);
    buffer->end += piece.n;
    input = str_skip(input, step);
  }
}

START_TEST(bodies_in_pieces)
{
  static const struct {
    const char *name;
    enum http_body_kind kind;
    uint64_t length;
    const char *input;
    enum h1_body_read result;
    const char *data;
    size_t left; /* bytes behind the body */
  } cases[] = {
      {"none", HTTP_BODY_NONE, 0, "", H1_BODY_END, "", 0},
      {"length 0", HTTP_BODY_LENGTH, 0, "", H1_BODY_END, "", 0},
      {"length", HTTP_BODY_LENGTH, 5, "hello", H1_BODY_END, "hello", 0},
      {"more is to come", HTTP_BODY_LENGTH, 6, "hello", H1_BODY_MORE, "hello", 0},
      {"2^63-1 is to come", HTTP_BODY_LENGTH, INT64_MAX, "hello", H1_BODY_MORE, "hello", 0},
      {"chunks", HTTP_BODY_CHUNKED, 0, "2;x\r\nhe\r\n3\r\nllo\r\n0\r\nA: 1\r\n\r\n", H1_BODY_END,
       "hello", 0},
      {"no chunk but the last", HTTP_BODY_CHUNKED, 0, "0\r\n\r\n", H1_BODY_END, "", 0},
      {"the last chunk is to come", HTTP_BODY_CHUNKED, 0, "5\r\nhello\r\n0\r\n", H1_BODY_MORE,
       "hello", 0},
      {"until close", HTTP_BODY_UNTIL_CLOSE, 0, "hello", H1_BODY_MORE, "hello", 0},
      {"bad size", HTTP_BODY_CHUNKED, 0, "x", H1_BODY_BAD, "", 1},
      {"bad end of a chunk", HTTP_BODY_CHUNKED, 0, "2\r\nhex", H1_BODY_BAD, "he", 1},
  };
  for (size_t i = 0; i < ITEMS(cases); i++) {
    for (size_t step = 1; step <= 40; step += step < 8 ? 1 : 32) {
      for (size_t bite = 1; bite <= 3; bite++) {
        char memory[256];
        struct buffer buffer = {.p = memory, .capacity = sizeof(memory), .start = 3, .end = 3};
        struct taken out = {.n = 0};
        struct h1_body body;
        h1_body_init(&body, cases[i].kind, cases[i].length);
        enum h1_body_read result =
            read_body(&body, str_from_cstr(cases[i].input), step, bite, &buffer, &out);
        const char *name = cases[i].name;
        ck_assert_msg(result == cases[i].result, "%s: %d in steps of %zu", name, (int)result, step);
        ck_assert_msg(body.complete == (result == H1_BODY_END), "%s: complete", name);
        ck_assert_msg(str_eq(str_make(out.p, out.n), str_from_cstr(cases[i].data)), "%s: '%.*s'",
                      name, (int)out.n, out.p);
        if (cases[i].left == 0)
          ck_assert_msg(buffer_size(&buffer) == 0, "%s: %zu bytes are left in steps of %zu", name,
                        buffer_size(&buffer), step);
      }
    }
  }
}
END_TEST

/* What stands behind a body is another's: the next request, or a reason to close. */
START_TEST(bodies_end_where_they_end)
{
  static const struct {
    enum http_body_kind kind;
    uint64_t length;
    const char *input, *data, *behind;
  } cases[] = {
      {HTTP_BODY_NONE, 0, "GET /", "", "GET /"},
      {HTTP_BODY_LENGTH, 0, "GET /", "", "GET /"},
      {HTTP_BODY_LENGTH, 5, "helloGET /", "hello", "GET /"},
      {HTTP_BODY_CHUNKED, 0, "5\r\nhello\r\n0\r\n\r\nGET /", "hello", "GET /"},
  };
  for (size_t i = 0; i < ITEMS(cases); i++) {
    char memory[256];
    struct buffer buffer = {.p = memory, .capacity = sizeof(memory)};
    struct taken out = {.n = 0};
    struct h1_body body;
    h1_body_init(&body, cases[i].kind, cases[i].length);
    buffer.end = strlen(cases[i].input);
    memcpy(memory, cases[i].input, buffer.end);
    ck_assert_int_eq(read_body(&body, STR(""), 1, 100, &buffer, &out), H1_BODY_END);
    ck_assert_view_eq(str_make(out.p, out.n), cases[i].data);
    ck_assert_view_eq(buffer_str(&buffer), cases[i].behind);
    struct str data;
    ck_assert_int_eq(h1_body_next(&body, &buffer, &data), H1_BODY_END);
  }
}
END_TEST

/* ---- buffers --------------------------------------------------------------------------------- */

static void fill(struct buffer *buffer, size_t n) {
  for (size_t i = 0; i < n; i++) buffer->p[buffer->end + i] = (char)('a' + (buffer->end + i) % 23);
  buffer->end += n;
}

START_TEST(blocks_are_reused)
{
  struct block_pool pool = {0};
  struct buffer a = {0}, b = {0};
  ck_assert(buffer_reserve(&pool, &a, 0, 1));
  ck_assert_uint_eq(buffer_room(&a), BLOCK_BYTES);
  const char *p = a.p;
  fill(&a, 10);
  buffer_release(&pool, &a);
  ck_assert(!a.p && buffer_size(&a) == 0 && buffer_room(&a) == 0 && pool.free_count == 1);
  buffer_release(&pool, &a);
  ck_assert_uint_eq(pool.free_count, 1);
  ck_assert(buffer_reserve(&pool, &b, 0, BLOCK_BYTES));
  ck_assert_ptr_eq(b.p, p);
  ck_assert_uint_eq(pool.free_count, 0);
  buffer_release(&pool, &b);
  block_pool_deinit(&pool);
  ck_assert(!pool.free && pool.free_count == 0);
}
END_TEST

/* A pool keeps as many as it may, and larger ones not at all. */
START_TEST(blocks_that_are_not_kept)
{
  enum { MORE = BLOCKS_KEPT_MAX + 3 };
  static struct buffer buffers[MORE];
  struct block_pool pool = {0};
  struct buffer large = {0};
  ck_assert(buffer_reserve(&pool, &large, 0, BLOCK_BYTES + 1));
  ck_assert_uint_eq(large.capacity, 2 * BLOCK_BYTES);
  ck_assert_uint_eq(pool.free_count, 1); /* the one that it grew out of */
  buffer_release(&pool, &large);
  ck_assert_uint_eq(pool.free_count, 1);
  for (size_t i = 0; i < MORE; i++)
    if (!buffer_reserve(&pool, &buffers[i], 0, 1)) ck_abort_msg("memory");
  for (size_t i = 0; i < MORE; i++) buffer_release(&pool, &buffers[i]);
  ck_assert_uint_eq(pool.free_count, BLOCKS_KEPT_MAX);
  block_pool_deinit(&pool);
}
END_TEST

/* Room is found without a move, by moving to the base, or by growing; bytes keep their order. */
START_TEST(room)
{
  static const struct {
    const char *name;
    size_t base, start, end, n;
    size_t new_start, capacity;
  } cases[] = {
      {"there is room", 0, 10, 20, BLOCK_BYTES - 20, 10, BLOCK_BYTES},
      {"moved", 0, 10, 20, BLOCK_BYTES - 19, 0, BLOCK_BYTES},
      {"moved, exactly", 0, 10, BLOCK_BYTES, 10, 0, BLOCK_BYTES},
      {"moved to the base", 7, 10, 20, BLOCK_BYTES - 17, 7, BLOCK_BYTES},
      {"overlapping", 0, 1, BLOCK_BYTES, 1, 0, BLOCK_BYTES},
      {"empty", 5, 100, 100, BLOCK_BYTES - 5, 5, BLOCK_BYTES},
      {"grown", 0, 0, BLOCK_BYTES, 1, 0, 2 * BLOCK_BYTES},
      {"moved and grown", 0, 10, BLOCK_BYTES, 11, 0, 2 * BLOCK_BYTES},
      {"grown behind the base", 8, 10, BLOCK_BYTES, 3, 8, 2 * BLOCK_BYTES},
      {"grown twice", 0, 0, 10, 3 * BLOCK_BYTES, 0, 4 * BLOCK_BYTES},
  };
  struct block_pool pool = {0};
  for (size_t i = 0; i < ITEMS(cases); i++) {
    struct buffer buffer = {0};
    if (!buffer_reserve(&pool, &buffer, 0, 1)) ck_abort_msg("memory");
    fill(&buffer, cases[i].end);
    buffer.start = cases[i].start;
    size_t size = buffer_size(&buffer);
    ck_assert_msg(buffer_reserve(&pool, &buffer, cases[i].base, cases[i].n), "%s", cases[i].name);
    ck_assert_msg(buffer.start == cases[i].new_start, "%s: start %zu", cases[i].name, buffer.start);
    ck_assert_msg(buffer.capacity == cases[i].capacity, "%s: capacity %zu", cases[i].name,
                  buffer.capacity);
    ck_assert_msg(buffer_size(&buffer) == size && buffer_room(&buffer) >= cases[i].n, "%s: room",
                  cases[i].name);
    for (size_t k = 0; k < size; k++) {
      if (buffer.p[buffer.start + k] != (char)('a' + (cases[i].start + k) % 23))
        ck_abort_msg("%s: byte %zu is another", cases[i].name, k);
    }
    for (size_t k = 0; k < cases[i].base; k++) { /* a head whose views hold */
      if (buffer.p[k] != (char)('a' + k % 23)) ck_abort_msg("%s: before the base", cases[i].name);
    }
    buffer_release(&pool, &buffer);
  }
  block_pool_deinit(&pool);
}
END_TEST

START_TEST(too_much_room)
{
  struct block_pool pool = {0};
  struct buffer buffer = {0};
  ck_assert(buffer_reserve(&pool, &buffer, 0, 1));
  fill(&buffer, 10);
  ck_assert(!buffer_reserve(&pool, &buffer, 0, SIZE_MAX));
  ck_assert(!buffer_reserve(&pool, &buffer, 0, SIZE_MAX - 100));
  ck_assert(buffer.capacity == BLOCK_BYTES && buffer_size(&buffer) == 10);
  buffer_release(&pool, &buffer);
  block_pool_deinit(&pool);
}
END_TEST

/* ---- CPUs ------------------------------------------------------------------------------------ */

START_TEST(cpus_follow_the_affinity)
{
  cpu_set_t all, one;
  ck_assert_int_eq(sched_getaffinity(0, sizeof(all), &all), 0);
  unsigned usable = cpus_usable();
  ck_assert_uint_ge(usable, 1);
  ck_assert_uint_le(usable, (unsigned)CPU_COUNT(&all));
  size_t first = 0;
  while (!CPU_ISSET(first, &all)) first++;
  CPU_ZERO(&one);
  CPU_SET(first, &one);
  ck_assert_int_eq(sched_setaffinity(0, sizeof(one), &one), 0);
  ck_assert_uint_eq(cpus_usable(), 1);
}
END_TEST

UNIT_MAIN("gateway parts", request_framing, response_framing, chunks, bodies_in_pieces,
          bodies_end_where_they_end, blocks_are_reused, blocks_that_are_not_kept, room,
          too_much_room, cpus_follow_the_affinity)
