/*
 * upstream: targets and their idle connections, pools of addresses, and names as the system's
 * resolver knows them.
 */
#include <arpa/inet.h>
#include <errno.h>
#include <poll.h>
#include <unistd.h>

#include <stdlib.h>

#include "upstream_bench.h"

enum { NOW_MS = 100000 };

static struct target_table *table;

static struct pool *pool_of(struct bench_upstream *upstream, const char *endpoints) {
  bench_upstream(endpoints, upstream);
  struct pool *pool = pool_new(NULL, NULL, table, &upstream->config);
  ck_assert_ptr_nonnull(pool);
  ck_assert_ptr_eq(pool_config(pool), &upstream->config);
  return pool;
}

/* ---- targets --------------------------------------------------------------------------------- */

START_TEST(one_target_for_an_address)
{
  static const struct {
    const char *address, *same, *text;
    int family;
  } cases[] = {
      {"127.0.0.1:80", "::ffff:127.0.0.1", "127.0.0.1:80", AF_INET},
      {"[2001:db8::1]:80", "2001:db8:0::1", "[2001:db8::1]:80", AF_INET6},
  };
  table = target_table_new();
  for (size_t i = 0; i < 2; i++) {
    struct ip_address ip, same;
    uint16_t port;
    ck_assert(ip_parse_with_port(str_from_cstr(cases[i].address), &ip, &port));
    ck_assert(ip_parse(str_from_cstr(cases[i].same), &same));
    struct target *a = target_get(table, &ip, port);
    struct target *b = target_get(table, &same, port);
    struct target *c = target_get(table, &ip, 81);
    ck_assert_ptr_eq(a, b);
    ck_assert_ptr_ne(a, c);
    ck_assert_uint_eq(a->refs, 2);
    ck_assert_str_eq(a->text, cases[i].text);
    ck_assert_int_eq(a->address.ss_family, cases[i].family);
    ck_assert_uint_eq(a->address_length, cases[i].family == AF_INET ? sizeof(struct sockaddr_in)
                                                                    : sizeof(struct sockaddr_in6));
    target_unref(table, &b);
    ck_assert_ptr_null(b);
    ck_assert_uint_eq(a->refs, 1);
    target_unref(table, &a);
    target_unref(table, &a); /* nothing */
    target_unref(table, &c);
  }
  target_table_free(&table);
  ck_assert_ptr_null(table);
}
END_TEST

/* More targets than the table has buckets: each is found, and leaves without taking others along.
 */
START_TEST(many_targets)
{
  enum { N = 2000 };
  static struct target *targets[N];
  struct ip_address ip = {.bytes = {[10] = 0xff, [11] = 0xff, [12] = 10}};
  table = target_table_new();
  for (uint16_t i = 0; i < N; i++) {
    targets[i] = target_get(table, &ip, i);
    if (!targets[i]) ck_abort_msg("memory");
  }
  for (unsigned i = 0; i < N; i += 2) target_unref(table, &targets[i]);
  for (uint16_t i = 1; i < N; i += 2) {
    struct target *again = target_get(table, &ip, i);
    if (again != targets[i]) ck_abort_msg("%u is another", i);
    target_unref(table, &again);
    target_unref(table, &targets[i]);
  }
  target_table_free(&table);
}
END_TEST

START_TEST(idle_last_in_first_out)
{
  table = target_table_new();
  struct ip_address ip = {.bytes = {[15] = 1}};
  struct target *target = target_get(table, &ip, 80);
  struct idle_link a, b, c, d;
  ck_assert_ptr_null(target_idle_pop(target));
  target_idle_push(target, &a);
  target_idle_push(target, &b);
  target_idle_push(target, &c);
  target_idle_push(target, &d);
  ck_assert_uint_eq(target->idle_count, 4);
  target_idle_remove(target, &b); /* it was closed */
  ck_assert_ptr_eq(target_idle_pop(target), &d);
  target_idle_remove(target, &a);
  ck_assert_uint_eq(target->idle_count, 1);
  target_idle_push(target, &d);
  ck_assert_ptr_eq(target_idle_pop(target), &d);
  ck_assert_ptr_eq(target_idle_pop(target), &c);
  ck_assert_ptr_null(target_idle_pop(target));
  ck_assert_uint_eq(target->idle_count, 0);
  target_unref(table, &target);
  target_table_free(&table);
}
END_TEST

static int listen_on_loopback(uint16_t *ret_port) {
  struct sockaddr_in address = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
  socklen_t length = sizeof(address);
  int fd = socket(AF_INET, SOCK_STREAM, 0);
  ck_assert_int_ge(fd, 0);
  ck_assert_int_eq(bind(fd, (struct sockaddr *)&address, length), 0);
  ck_assert_int_eq(listen(fd, 1), 0);
  ck_assert_int_eq(getsockname(fd, (struct sockaddr *)&address, &length), 0);
  *ret_port = ntohs(address.sin_port);
  return fd;
}

/* The outcome of a connect: 0, or the errno. */
static int connect_outcome(const struct target *target) {
  int fd = target_connect(target), error = 0;
  if (fd < 0) return -fd;
  struct pollfd watched = {.fd = fd, .events = POLLOUT};
  ck_assert_int_eq(poll(&watched, 1, 5000), 1);
  socklen_t size = sizeof(error);
  ck_assert_int_eq(getsockopt(fd, SOL_SOCKET, SO_ERROR, &error, &size), 0);
  close(fd);
  return error;
}

START_TEST(connects)
{
  uint16_t port;
  int listener = listen_on_loopback(&port);
  struct ip_address ip = {.bytes = {[10] = 0xff, [11] = 0xff, [12] = 127, [15] = 1}};
  table = target_table_new();
  struct target *target = target_get(table, &ip, port);
  ck_assert_int_eq(connect_outcome(target), 0);
  close(listener);
  ck_assert_int_eq(connect_outcome(target), ECONNREFUSED);
  target_unref(table, &target);
  target_table_free(&table);
}
END_TEST

/* ---- pools ----------------------------------------------------------------------------------- */

START_TEST(round_robin)
{
  struct bench_upstream upstream;
  table = target_table_new();
  struct pool *pool = pool_of(&upstream, "127.0.0.1:1 127.0.0.1:2 [::1]:3");
  for (int turn = 0; turn < 3; turn++) {
    ck_assert_str_eq(bench_attempt(pool, table, NOW_MS, false), "127.0.0.1:1 127.0.0.1:2 [::1]:3");
    ck_assert_str_eq(bench_attempt(pool, table, NOW_MS, true), "127.0.0.1:2 [::1]:3 127.0.0.1:1");
    ck_assert_str_eq(bench_attempt(pool, table, NOW_MS, false), "[::1]:3 127.0.0.1:1 127.0.0.1:2");
  }
  /* Attempts that run at the same time start one behind the other. */
  struct pool_attempt first = {0}, second = {0};
  struct target *a = pool_next(pool, &first, NOW_MS, false);
  struct target *b = pool_next(pool, &second, NOW_MS, false);
  ck_assert_str_eq(a->text, "127.0.0.1:1");
  ck_assert_str_eq(b->text, "127.0.0.1:2");
  ck_assert_uint_eq(a->refs, 2);
  target_unref(table, &a);
  target_unref(table, &b);
  ck_assert_str_eq(bench_rest_of(pool, table, &first, NOW_MS, false), "127.0.0.1:2 [::1]:3");
  ck_assert_str_eq(bench_rest_of(pool, table, &second, NOW_MS, false), "[::1]:3 127.0.0.1:1");
  pool_free(&pool);
  ck_assert_ptr_null(pool);
  pool_free(&pool);
  target_table_free(&table);
}
END_TEST

START_TEST(an_endpoint_named_twice)
{
  struct bench_upstream upstream;
  table = target_table_new();
  struct pool *pool = pool_of(&upstream, "127.0.0.1:1 127.0.0.1:2 127.0.0.1:1");
  ck_assert_str_eq(bench_attempt(pool, table, NOW_MS, true), "127.0.0.1:1 127.0.0.1:2");
  ck_assert_str_eq(bench_attempt(pool, table, NOW_MS, true), "127.0.0.1:2 127.0.0.1:1");
  pool_free(&pool);
  target_table_free(&table);
}
END_TEST

/* How often each endpoint begins one of `n` attempts, one after the other; `held`: they stay. */
static void count_starts(struct pool *pool, size_t n, bool held, const char *texts[],
                         size_t counts[], size_t endpoints) {
  uint64_t random = 1;
  for (size_t i = 0; i < endpoints; i++) counts[i] = 0;
  for (size_t i = 0; i < n; i++) {
    random = random * 6364136223846793005u + 1442695040888963407u;
    struct pool_attempt attempt = {.random = random ^ random >> 29};
    struct target *target = pool_next(pool, &attempt, NOW_MS, true);
    ck_assert_ptr_nonnull(target);
    if (held) target->active++;
    for (size_t k = 0; k < endpoints; k++) counts[k] += strcmp(target->text, texts[k]) == 0;
    target_unref(table, &target);
  }
}

static const char *three[] = {"127.0.0.1:1", "127.0.0.1:2", "unix:/run/three.sock"};

START_TEST(weights_are_shares)
{
  struct bench_upstream upstream;
  size_t counts[3];
  table = target_table_new();
  bench_upstream("127.0.0.1:1 127.0.0.1:2 unix:/run/three.sock", &upstream);
  upstream.endpoints[0].weight = 5;
  upstream.endpoints[1].weight = 2;
  struct pool *pool = pool_new(NULL, NULL, table, &upstream.config);
  count_starts(pool, 800, false, three, counts, 3);
  ck_assert_uint_eq(counts[0], 500);
  ck_assert_uint_eq(counts[1], 200);
  ck_assert_uint_eq(counts[2], 100);
  /* Evenly spread: of 8 in a row never more than its share and one. */
  for (size_t i = 0; i < 10; i++) {
    count_starts(pool, 8, false, three, counts, 3);
    ck_assert_uint_eq(counts[0], 5);
    ck_assert_uint_eq(counts[2], 1);
  }
  pool_free(&pool);
  /* Where none has anything to do weights are chances. */
  upstream.config.balance = BALANCE_LEAST_REQUESTS;
  pool = pool_new(NULL, NULL, table, &upstream.config);
  count_starts(pool, 8000, false, three, counts, 3);
  ck_assert_uint_ge(counts[0], 4600);
  ck_assert_uint_le(counts[0], 5400);
  ck_assert_uint_ge(counts[2], 800);
  ck_assert_uint_le(counts[2], 1200);
  pool_free(&pool);
  /* Those that stay with their requests get as many as they weigh, whoever began. */
  upstream.config.balance = BALANCE_LEAST_REQUESTS;
  pool = pool_new(NULL, NULL, table, &upstream.config);
  count_starts(pool, 1600, true, three, counts, 3);
  ck_assert_uint_ge(counts[0], 1600 * 5 / 8 - 16);
  ck_assert_uint_le(counts[0], 1600 * 5 / 8 + 16);
  ck_assert_uint_ge(counts[2], 1600 / 8 - 16);
  ck_assert_uint_le(counts[2], 1600 / 8 + 16);
  pool_free(&pool);
  target_table_free(&table);
}
END_TEST

/* One that is busy gets little: it must be drawn twice. */
START_TEST(least_requests)
{
  struct bench_upstream upstream;
  size_t counts[3];
  table = target_table_new();
  bench_upstream("127.0.0.1:1 127.0.0.1:2 unix:/run/three.sock", &upstream);
  upstream.config.balance = BALANCE_LEAST_REQUESTS;
  struct pool *pool = pool_new(NULL, NULL, table, &upstream.config);
  bench_target(table, "127.0.0.1:2")->active = 100;
  count_starts(pool, 900, false, three, counts, 3);
  ck_assert_uint_eq(counts[1], 0);
  ck_assert_uint_gt(counts[0], 350);
  ck_assert_uint_gt(counts[2], 350);
  /* One that is avoided is not begun with, and does not make another one busier. */
  target_note_timeout(bench_target(table, "127.0.0.1:1"), NOW_MS - 1);
  count_starts(pool, 300, false, three, counts, 3);
  ck_assert_uint_eq(counts[2], 300);
  pool_free(&pool);
  target_table_free(&table);
}
END_TEST

static const struct config_outliers some_outliers = {.enabled = true,
                                                     .consecutive_failures = 3,
                                                     .failure_percent = 50,
                                                     .minimum_requests = 10,
                                                     .interval_ms = 10000,
                                                     .ejection_ms = 1000,
                                                     .ejection_max_ms = 3000,
                                                     .max_ejected_percent = 50};

/* "fffof": failures and answers, one a millisecond from NOW_MS on: how long the last ejects. */
static int64_t note_all(struct pool *pool, struct target *target, const char *results,
                        int64_t now_ms) {
  int64_t ms = 0;
  for (; *results; results++) ms = pool_note(pool, target, *results == 'f', now_ms++);
  return ms;
}

START_TEST(outliers)
{
  static const struct {
    const char *results;
    int64_t ejected_ms;
  } cases[] = {
      {"f", 0},
      {"ff", 0},
      {"fff", 1000},
      {"ffoff", 0},
      {"ffofff", 1000},
      {"foooofofof", 0},
      {"ofofofofof", 1000},
      {"ofofofofo", 0},
      {"ofofofooof", 0},
      {"oooooooooofff", 1000},
  };
  struct bench_upstream upstream;
  for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
    table = target_table_new();
    bench_upstream("127.0.0.1:1 127.0.0.1:2", &upstream);
    upstream.config.outliers = some_outliers;
    struct pool *pool = pool_new(NULL, NULL, table, &upstream.config);
    struct target *target = bench_target(table, "127.0.0.1:1");
    int64_t ms = note_all(pool, target, cases[i].results, NOW_MS);
    ck_assert_msg(ms == cases[i].ejected_ms, "%s: %lld", cases[i].results, (long long)ms);
    pool_free(&pool);
    target_table_free(&table);
  }
}
END_TEST

/* Twice as long each time, up to the most; short again after it has been well for as long. */
START_TEST(ejections_grow)
{
  struct bench_upstream upstream;
  table = target_table_new();
  bench_upstream("127.0.0.1:1 127.0.0.1:2", &upstream);
  upstream.config.outliers = some_outliers;
  struct pool *pool = pool_new(NULL, NULL, table, &upstream.config);
  struct target *target = bench_target(table, "127.0.0.1:1");
  ck_assert_int_eq(note_all(pool, target, "fff", NOW_MS), 1000);
  ck_assert_str_eq(bench_attempt(pool, table, NOW_MS + 3, false), "127.0.0.1:2");
  ck_assert_str_eq(bench_attempt(pool, table, NOW_MS + 3, true), "127.0.0.1:2 127.0.0.1:1");
  /* What was under way says nothing new. */
  ck_assert_int_eq(note_all(pool, target, "fff", NOW_MS + 10), 0);
  ck_assert_str_eq(bench_attempt(pool, table, NOW_MS + 1002, false), "127.0.0.1:1 127.0.0.1:2");
  /* Back, one failure is enough. */
  ck_assert_int_eq(note_all(pool, target, "f", NOW_MS + 1100), 2000);
  ck_assert_int_eq(note_all(pool, target, "f", NOW_MS + 3200), 3000);
  ck_assert_int_eq(note_all(pool, target, "f", NOW_MS + 6300), 3000);
  ck_assert_int_eq(note_all(pool, target, "off", NOW_MS + 9400), 0);
  ck_assert_int_eq(note_all(pool, target, "f", NOW_MS + 9500), 3000);
  ck_assert_int_eq(note_all(pool, target, "offf", NOW_MS + 15600), 1000);
  pool_free(&pool);
  target_table_free(&table);
}
END_TEST

/* Where there is nothing else, too many of them are as if there were none. */
START_TEST(ejected_beyond_the_share)
{
  struct bench_upstream upstream;
  table = target_table_new();
  bench_upstream("127.0.0.1:1 127.0.0.1:2 127.0.0.1:3", &upstream);
  upstream.config.outliers = some_outliers;
  struct pool *pool = pool_new(NULL, NULL, table, &upstream.config);
  note_all(pool, bench_target(table, "127.0.0.1:1"), "fff", NOW_MS);
  ck_assert_str_eq(bench_attempt(pool, table, NOW_MS + 9, true),
                   "127.0.0.1:2 127.0.0.1:3 127.0.0.1:1");
  note_all(pool, bench_target(table, "127.0.0.1:2"), "fff", NOW_MS);
  ck_assert_str_eq(bench_attempt(pool, table, NOW_MS + 9, true),
                   "127.0.0.1:3 127.0.0.1:1 127.0.0.1:2");
  ck_assert_str_eq(bench_attempt(pool, table, NOW_MS + 9, false), "127.0.0.1:3");
  note_all(pool, bench_target(table, "127.0.0.1:3"), "fff", NOW_MS);
  ck_assert_str_eq(bench_attempt(pool, table, NOW_MS + 9, false), "");
  ck_assert_str_eq(bench_attempt(pool, table, NOW_MS + 9, true),
                   "127.0.0.1:2 127.0.0.1:3 127.0.0.1:1");
  pool_free(&pool);
  target_table_free(&table);
}
END_TEST

START_TEST(retry_budget)
{
  struct bench_upstream upstream;
  table = target_table_new();
  bench_upstream("127.0.0.1:1 127.0.0.1:2", &upstream);
  upstream.config.retry = (struct config_retry){.budget_percent = 20, .budget_minimum = 2};
  struct pool *pool = pool_new(NULL, NULL, table, &upstream.config);
  struct target *first = bench_target(table, "127.0.0.1:1");
  ck_assert(pool_retry_begin(pool) && pool_retry_begin(pool) && !pool_retry_begin(pool));
  first->active = 9;
  bench_target(table, "127.0.0.1:2")->active = 5;
  ck_assert(!pool_retry_begin(pool));
  first->active = 10; /* a fifth of 15 is 3 */
  ck_assert(pool_retry_begin(pool) && !pool_retry_begin(pool));
  pool_retry_end(pool);
  ck_assert(pool_retry_begin(pool));
  upstream.config.retry.budget_minimum = 4;
  ck_assert(pool_retry_begin(pool) && !pool_retry_begin(pool));
  first->active = 0;
  bench_target(table, "127.0.0.1:2")->active = 0;
  pool_free(&pool);
  target_table_free(&table);
}
END_TEST

/* How often each of ten endpoints, of which the first five are ejected, comes first. */
static void count_first(enum config_balance balance, unsigned ret[10], bool busy) {
  struct bench_upstream upstream;
  table = target_table_new();
  bench_upstream(
      "10.0.0.1:1 10.0.0.2:1 10.0.0.3:1 10.0.0.4:1 10.0.0.5:1 "
      "10.0.0.6:1 10.0.0.7:1 10.0.0.8:1 10.0.0.9:1 10.0.0.10:1",
      &upstream);
  upstream.config.outliers = some_outliers;
  upstream.config.outliers.max_ejected_percent = 100;
  upstream.config.balance = balance;
  struct pool *pool = pool_new(NULL, NULL, table, &upstream.config);
  char text[32];
  for (int i = 1; i <= 5; i++) {
    snprintf(text, sizeof(text), "10.0.0.%d:1", i);
    note_all(pool, bench_target(table, text), "fff", NOW_MS);
  }
  uint64_t random = 1;
  for (unsigned i = 0; i < 10; i++) ret[i] = 0;
  for (unsigned k = 0; k < 1000; k++) {
    random = random * 6364136223846793005u + 1442695040888963407u;
    struct pool_attempt attempt = {.random = random ^ random >> 33};
    struct target *target = pool_next(pool, &attempt, NOW_MS + 9, true);
    ret[(unsigned)atoi(target->text + 7) - 1]++;
    if (busy) { /* it refuses: the next one */
      struct target *next = pool_next(pool, &attempt, NOW_MS + 9, true);
      ret[(unsigned)atoi(target->text + 7) - 1]--;
      ret[(unsigned)atoi(next->text + 7) - 1]++;
      target_unref(table, &next);
    }
    target_unref(table, &target);
  }
  pool_free(&pool);
  target_table_free(&table);
}

/* Nobody gets the share of those that are left out. */
START_TEST(fair_without_those_that_are_out)
{
  static const enum config_balance balances[] = {BALANCE_ROUND_ROBIN, BALANCE_LEAST_REQUESTS};
  unsigned counts[10];
  for (size_t b = 0; b < 2; b++) {
    for (int again = 0; again < 2; again++) {
      count_first(balances[b], counts, again);
      for (size_t i = 0; i < 10; i++) {
        const unsigned low = i < 5 ? 0 : 150, high = i < 5 ? 0 : 250;
        ck_assert_msg(counts[i] >= low && counts[i] <= high, "%zu of balance %zu: %u", i, b,
                      counts[i]);
      }
    }
  }
}
END_TEST

/* Over a reload, and where another upstream has the same endpoints. */
START_TEST(ejections_and_other_pools)
{
  struct bench_upstream upstream, without;
  table = target_table_new();
  bench_upstream("127.0.0.1:1 127.0.0.1:2", &upstream);
  upstream.config.outliers = some_outliers;
  bench_upstream("127.0.0.1:1 127.0.0.1:2", &without);
  struct pool *old = pool_new(NULL, NULL, table, &upstream.config);
  note_all(old, bench_target(table, "127.0.0.1:1"), "fff", NOW_MS);
  note_all(old, bench_target(table, "127.0.0.1:2"), "fff", NOW_MS);
  struct pool *new = pool_new(NULL, NULL, table, &upstream.config);
  struct pool *other = pool_new(NULL, NULL, table, &without.config);
  pool_free(&old);
  ck_assert_str_eq(bench_attempt(new, table, NOW_MS + 9, false), "");
  ck_assert_str_eq(bench_attempt(new, table, NOW_MS + 9, true), "127.0.0.1:2 127.0.0.1:1");
  ck_assert_str_eq(bench_attempt(new, table, NOW_MS + 9, true), "127.0.0.1:1 127.0.0.1:2");
  ck_assert_str_eq(bench_attempt(other, table, NOW_MS + 9, false), "127.0.0.1:1 127.0.0.1:2");
  pool_free(&new);
  pool_free(&other);
  target_table_free(&table);
}
END_TEST

START_TEST(what_drains_gets_nothing)
{
  struct bench_upstream upstream;
  table = target_table_new();
  bench_upstream("127.0.0.1:1 127.0.0.1:2", &upstream);
  upstream.endpoints[0].drains = true;
  struct pool *pool = pool_new(NULL, NULL, table, &upstream.config);
  for (int i = 0; i < 3; i++)
    ck_assert_str_eq(bench_attempt(pool, table, NOW_MS, true), "127.0.0.1:2");
  pool_free(&pool);
  upstream.endpoints[1].drains = true;
  pool = pool_new(NULL, NULL, table, &upstream.config);
  ck_assert_str_eq(bench_attempt(pool, table, NOW_MS, true), "");
  pool_free(&pool);
  target_table_free(&table);
}
END_TEST

/* What a connect timed out on is left out for a while; stable tries it all the same, last. */
START_TEST(avoided_targets)
{
  struct bench_upstream upstream;
  table = target_table_new();
  struct pool *pool = pool_of(&upstream, "127.0.0.1:1 127.0.0.1:2 127.0.0.1:3");
  target_note_timeout(bench_target(table, "127.0.0.1:1"), NOW_MS);
  static const struct {
    const char *name;
    int64_t now_ms;
    bool desperate;
    const char *met;
  } cases[] = {
      {"at once", NOW_MS, false, "127.0.0.1:2 127.0.0.1:3"},
      {"later", NOW_MS + TARGET_AVOID_MS - 1, false, "127.0.0.1:3 127.0.0.1:2"},
      {"later, its turn goes by", NOW_MS + 1, false, "127.0.0.1:2 127.0.0.1:3"},
      {"desperate", NOW_MS + 1, true, "127.0.0.1:3 127.0.0.1:2 127.0.0.1:1"},
      {"desperate, its turn goes by", NOW_MS + 1, true, "127.0.0.1:2 127.0.0.1:3 127.0.0.1:1"},
      {"desperate, begun at the last", NOW_MS + 1, true, "127.0.0.1:3 127.0.0.1:2 127.0.0.1:1"},
      {"no more", NOW_MS + TARGET_AVOID_MS, false, "127.0.0.1:1 127.0.0.1:2 127.0.0.1:3"},
  };
  for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
    const char *met = bench_attempt(pool, table, cases[i].now_ms, cases[i].desperate);
    ck_assert_msg(strcmp(met, cases[i].met) == 0, "%s: %s", cases[i].name, met);
  }
  pool_free(&pool);
  target_table_free(&table);
}
END_TEST

START_TEST(all_are_avoided)
{
  struct bench_upstream upstream;
  table = target_table_new();
  struct pool *pool = pool_of(&upstream, "127.0.0.1:1 127.0.0.1:2");
  target_note_timeout(bench_target(table, "127.0.0.1:1"), NOW_MS);
  target_note_timeout(bench_target(table, "127.0.0.1:2"), NOW_MS);
  ck_assert_str_eq(bench_attempt(pool, table, NOW_MS + 1, false), "");
  ck_assert_str_eq(bench_attempt(pool, table, NOW_MS + 1, true), "127.0.0.1:2 127.0.0.1:1");
  pool_free(&pool);
  target_table_free(&table);
}
END_TEST

/* A target that times out on the attempt itself is not met twice. */
START_TEST(a_timeout_of_the_attempt_itself)
{
  struct bench_upstream upstream;
  table = target_table_new();
  struct pool *pool = pool_of(&upstream, "127.0.0.1:1 127.0.0.1:2");
  struct pool_attempt attempt = {0};
  struct target *target = pool_next(pool, &attempt, NOW_MS, true);
  ck_assert_str_eq(target->text, "127.0.0.1:1");
  target_note_timeout(target, NOW_MS + 2000);
  target_unref(table, &target);
  ck_assert_str_eq(bench_rest_of(pool, table, &attempt, NOW_MS + 2000, true), "127.0.0.1:2");
  pool_free(&pool);
  target_table_free(&table);
}
END_TEST

/* Pools of one address, also of two snapshots, share its target and what is idle there. */
START_TEST(pools_share_targets)
{
  struct bench_upstream before, after;
  struct idle_link link;
  table = target_table_new();
  struct pool *old = pool_of(&before, "127.0.0.1:1 127.0.0.1:2");
  struct target *kept = bench_target(table, "127.0.0.1:1");
  target_idle_push(kept, &link);
  struct pool *new = pool_of(&after, "127.0.0.1:3 127.0.0.1:1");
  pool_free(&old);
  ck_assert_ptr_eq(bench_target(table, "127.0.0.1:1"), kept);
  ck_assert_ptr_eq(target_idle_pop(kept), &link);
  ck_assert_str_eq(bench_attempt(new, table, NOW_MS, false), "127.0.0.1:3 127.0.0.1:1");
  pool_free(&new);
  target_table_free(&table);
}
END_TEST

/* ---- names ----------------------------------------------------------------------------------- */

START_TEST(localhost)
{
  struct bench_upstream upstream;
  table = target_table_new();
  struct resolver *resolver = resolver_start(5000);
  ck_assert_ptr_nonnull(resolver);
  bench_upstream("localhost:8080", &upstream);
  struct pool *pool = pool_new(resolver, NULL, table, &upstream.config);
  ck_assert_ptr_nonnull(pool);
  resolver_wait_first(resolver, 10000);
  struct resolved_name *name = resolver_name_ref(resolver, STR("LocalHost"));
  struct ip_address addresses[RESOLVED_ADDRESSES_MAX];
  unsigned version = 0;
  size_t n = resolved_name_read(resolver, name, addresses, RESOLVED_ADDRESSES_MAX, &version);
  ck_assert_uint_ge(n, 1);
  for (size_t i = 0; i < n; i++) ck_assert(ip_is_loopback(&addresses[i]));
  ck_assert_uint_eq(version,
                    resolved_name_version(name)); /* of the same entry, whatever its case */
  ck_assert_uint_ge(version, 1);
  ck_assert_uint_eq(resolved_name_read(resolver, name, addresses, 0, &version), 0);
  struct pool_attempt attempt = {0};
  for (size_t i = 0; i < n; i++) {
    struct target *target = pool_next(pool, &attempt, NOW_MS, false);
    ck_assert_ptr_nonnull(target);
    ck_assert_uint_eq(target->port, 8080);
    ck_assert(ip_is_loopback(&target->ip));
    target_unref(table, &target);
  }
  ck_assert_ptr_null(pool_next(pool, &attempt, NOW_MS, false));
  resolver_name_unref(resolver, &name);
  ck_assert_ptr_null(name);
  resolver_name_unref(resolver, &name);
  pool_free(&pool);
  resolver_stop(&resolver);
  ck_assert_ptr_null(resolver);
  resolver_stop(&resolver);
  target_table_free(&table);
}
END_TEST

START_TEST(resolver_without_names)
{
  struct resolver *resolver = resolver_start(5000);
  ck_assert_ptr_nonnull(resolver);
  resolver_wait_first(resolver, 10000); /* for nothing: at once */
  struct resolved_name *name = resolver_name_ref(resolver, STR("localhost"));
  resolver_name_unref(resolver, &name); /* perhaps while it is looked up */
  resolver_stop(&resolver);
}
END_TEST

UNIT_MAIN("upstream", one_target_for_an_address, many_targets, idle_last_in_first_out, connects,
          round_robin, weights_are_shares, least_requests, retry_budget,
          fair_without_those_that_are_out, ejections_and_other_pools, what_drains_gets_nothing,
          outliers, ejections_grow, ejected_beyond_the_share, an_endpoint_named_twice,
          avoided_targets, all_are_avoided, a_timeout_of_the_attempt_itself, pools_share_targets,
          localhost, resolver_without_names)
