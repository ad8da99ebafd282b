/*
 * upstream: the table that keys find their endpoints by, and pools that balance by hash.
 *
 * All keys are fixed, so that each count here is the same in every run; the bounds are what is
 * promised of any.
 */
#include <pthread.h>

#include "failing_memory.h"
#include "upstream/maglev.h"
#include "upstream_bench.h"

enum { NOW_MS = 100000, KEYS = 200000, MEMBERS_MAX = 1000 };

/* The i-th of some evenly spread hashes. */
static uint64_t key_of(size_t i) {
  return (i + 1) * 0xD1342543DE82EF95u;
}

/* ---- the table ------------------------------------------------------------------------------- */

static struct maglev_member members[70000];
static size_t counts[MEMBERS_MAX];

/* Endpoints 10.0.0.1:80 and so on, all of weight 1. */
static void describe(size_t n) {
  for (size_t i = 0; i < n; i++) {
    char text[32];
    int length = snprintf(text, sizeof(text), "10.%zu.%zu.%zu:80", i >> 16, i >> 8 & 255, i & 255);
    members[i] = (struct maglev_member){maglev_id(str_make(text, (size_t)length)), 1};
  }
}

static struct maglev *table_of(size_t n) {
  struct maglev *table = maglev_get(members, n, NULL, 0);
  ck_assert_ptr_nonnull(table);
  return table;
}

START_TEST(all_get_the_same)
{
  static const struct {
    size_t n;
    double most; /* by which a member's keys may differ from its share, of that */
  } cases[] = {{1, 0}, {2, 0.01}, {3, 0.01}, {10, 0.025}, {100, 0.1}, {MEMBERS_MAX, 0.3}};
  for (size_t c = 0; c < sizeof(cases) / sizeof(*cases); c++) {
    const size_t n = cases[c].n;
    const double share = (double)KEYS / (double)n;
    describe(n);
    memset(counts, 0, sizeof(counts));
    struct maglev *table = table_of(n);
    for (size_t i = 0; i < KEYS; i++) counts[maglev_find(table, key_of(i), 0)]++;
    for (size_t i = 0; i < n; i++) {
      const double off = ((double)counts[i] - share) / share;
      ck_assert_msg(off <= cases[c].most && off >= -cases[c].most, "%zu of %zu: %f", i, n, off);
    }
    maglev_unref(&table);
  }
}
END_TEST

/* Whose member goes is spread over the others; of the others' keys hardly any moves. */
START_TEST(one_of_many_goes)
{
  static const struct {
    size_t n;
    double most; /* of the others' keys that move */
  } cases[] = {{2, 0}, {3, 0.015}, {10, 0.015}, {100, 0.015}, {MEMBERS_MAX, 0.015}};
  for (size_t c = 0; c < sizeof(cases) / sizeof(*cases); c++) {
    const size_t n = cases[c].n, gone = n / 2;
    describe(n);
    struct maglev *before = table_of(n);
    for (size_t i = gone; i + 1 < n; i++) members[i] = members[i + 1];
    struct maglev *after = table_of(n - 1);
    size_t lost = 0, moved = 0;
    for (size_t i = 0; i < KEYS; i++) {
      const size_t was = maglev_find(before, key_of(i), 0);
      const size_t is = maglev_find(after, key_of(i), 0);
      lost += was == gone;
      moved += was != gone && is != (was > gone ? was - 1 : was);
    }
    const double rate = (double)moved / (double)(KEYS - lost);
    ck_assert_msg(rate <= cases[c].most, "%f of the others' keys move, of %zu", rate, n);
    ck_assert_uint_gt(lost, 0);
    maglev_unref(&before);
    maglev_unref(&after);
  }
}
END_TEST

START_TEST(more_members_than_places)
{
  enum { N = 70000 };
  describe(N);
  struct maglev *table = table_of(N);
  size_t beyond = 0;
  for (size_t i = 0; i < KEYS; i++)
    beyond += maglev_find(table, key_of(i), 0) >= MAGLEV_MEMBERS_MAX;
  ck_assert_uint_eq(beyond, 0);
  maglev_unref(&table);
}
END_TEST

static void *get_and_drop(void *argument) {
  struct maglev *const wanted = argument;
  for (int i = 0; i < 2000; i++) {
    struct maglev *table = maglev_get(members, 3, NULL, 0);
    if (table != wanted) return table;
    maglev_unref(&table);
    struct maglev *other = maglev_get(members, 1, NULL, 0);
    maglev_unref(&other);
  }
  return NULL;
}

START_TEST(one_table_for_all)
{
  enum { THREADS = 4 };
  pthread_t threads[THREADS];
  describe(3);
  struct maglev *table = table_of(3), *again = table_of(3), *single = table_of(1);
  ck_assert_ptr_eq(table, again);
  ck_assert_ptr_ne(table, single);
  ck_assert_uint_eq(maglev_count(), 2);
  for (size_t i = 0; i < THREADS; i++)
    ck_assert_int_eq(pthread_create(&threads[i], NULL, get_and_drop, table), 0);
  for (size_t i = 0; i < THREADS; i++) {
    void *wrong;
    ck_assert_int_eq(pthread_join(threads[i], &wrong), 0);
    ck_assert_ptr_null(wrong);
  }
  ck_assert_uint_eq(maglev_count(), 2);
  members[2].weight = 2;
  struct maglev *weighted = maglev_get(members, 3, (const uint32_t[]){0, 2, 1, 2}, 4);
  ck_assert_ptr_ne(weighted, table);
  maglev_unref(&weighted);
  maglev_unref(&again);
  maglev_unref(&single);
  ck_assert_uint_eq(maglev_count(), 1);
  maglev_unref(&table);
  ck_assert_ptr_null(table);
  maglev_unref(&table);
  ck_assert_uint_eq(maglev_count(), 0);
}
END_TEST

/* ---- pools ----------------------------------------------------------------------------------- */

static struct target_table *table;
static struct bench_upstream upstream;

static void describe_pool(const char *endpoints) {
  table = target_table_new();
  bench_upstream(endpoints, &upstream);
  upstream.config.balance = BALANCE_HASH;
}

static struct pool *make_pool(void) {
  struct pool *pool = pool_new(NULL, NULL, table, &upstream.config);
  ck_assert_ptr_nonnull(pool);
  return pool;
}

static struct pool *pool_of(const char *endpoints) {
  describe_pool(endpoints);
  return make_pool();
}

static void done(struct pool **pool) {
  pool_free(pool);
  target_table_free(&table);
  ck_assert_uint_eq(maglev_count(), 0);
}

/* All that an attempt for a key meets. */
static const char *meets(struct pool *pool, uint64_t key, int64_t now_ms, bool desperate) {
  struct pool_attempt attempt = {.random = key, .hashed = true};
  return bench_rest_of(pool, table, &attempt, now_ms, desperate);
}

/* The last digit of what a key meets first; 0: nothing. */
static unsigned first_of(struct pool *pool, uint64_t key) {
  struct pool_attempt attempt = {.random = key, .hashed = true};
  struct target *target = pool_next(pool, &attempt, NOW_MS, false);
  if (!target) return 0;
  const unsigned port = target->port;
  target_unref(table, &target);
  return port;
}

#define FIVE "127.0.0.1:1 127.0.0.1:2 127.0.0.1:3 127.0.0.1:4 127.0.0.1:5"

/* Also what other processes and later versions say: else an update would move everybody. */
START_TEST(a_key_stays)
{
  static const char *const met[] = {
      "127.0.0.1:1 unix:/run/four.sock 127.0.0.1:2 [::1]:3",
      "[::1]:3 unix:/run/four.sock 127.0.0.1:1 127.0.0.1:2",
      "127.0.0.1:2 127.0.0.1:1 unix:/run/four.sock [::1]:3",
      "127.0.0.1:1 [::1]:3 unix:/run/four.sock 127.0.0.1:2",
      "127.0.0.1:2 unix:/run/four.sock 127.0.0.1:1 [::1]:3",
      "127.0.0.1:1 127.0.0.1:2 [::1]:3 unix:/run/four.sock",
  };
  struct pool *pool = pool_of("127.0.0.1:1 127.0.0.1:2 [::1]:3 unix:/run/four.sock");
  for (size_t i = 0; i < sizeof(met) / sizeof(*met); i++) {
    for (int again = 0; again < 3; again++) {
      const char *now = meets(pool, key_of(i), NOW_MS, again == 1);
      ck_assert_msg(strcmp(now, met[i]) == 0, "%zu: %s", i, now);
    }
  }
  done(&pool);
}
END_TEST

/* Nor does the order in the file, or a reload that adds what drains. */
START_TEST(the_order_does_not_matter)
{
  struct pool *pool = pool_of(FIVE);
  struct bench_upstream other;
  bench_upstream("127.0.0.1:4 127.0.0.1:2 127.0.0.1:6 127.0.0.1:5 127.0.0.1:1 127.0.0.1:3", &other);
  other.config.balance = BALANCE_HASH;
  other.endpoints[2].drains = true;
  struct pool *shuffled = pool_new(NULL, NULL, table, &other.config);
  ck_assert_uint_eq(maglev_count(), 1);
  for (size_t i = 0; i < 300; i++) {
    char met[128];
    snprintf(met, sizeof(met), "%s", meets(pool, key_of(i), NOW_MS, true));
    ck_assert_str_eq(meets(shuffled, key_of(i), NOW_MS, true), met);
  }
  pool_free(&shuffled);
  done(&pool);
}
END_TEST

START_TEST(each_is_met_once)
{
  struct pool *pool = pool_of(FIVE);
  for (size_t i = 0; i < 300; i++) {
    const char *met = meets(pool, key_of(i), NOW_MS, i % 2 == 0);
    ck_assert_uint_eq(strlen(met), strlen(FIVE));
    for (char port = '1'; port <= '5'; port++) {
      char text[] = "127.0.0.1:x";
      text[10] = port;
      ck_assert_msg(str_contains(str_from_cstr(met), str_from_cstr(text)), "%s", met);
    }
  }
  done(&pool);
}
END_TEST

START_TEST(weights_are_shares_of_keys)
{
  static const unsigned weights[] = {5, 2, 1};
  size_t got[3] = {0};
  describe_pool("127.0.0.1:1 127.0.0.1:2 127.0.0.1:3");
  for (size_t i = 0; i < 3; i++) upstream.endpoints[i].weight = weights[i];
  struct pool *pool = make_pool();
  for (size_t i = 0; i < KEYS; i++) got[first_of(pool, key_of(i)) - 1]++;
  for (size_t i = 0; i < 3; i++) {
    const double share = (double)got[i] / KEYS * 8 / weights[i];
    ck_assert_msg(share > 0.98 && share < 1.02, "%zu: %f of its share", i, share);
  }
  /* A third more of one takes from all, and moves little else. */
  size_t to_one = 0, between = 0;
  struct bench_upstream heavier = upstream;
  heavier.config.endpoints = heavier.endpoints;
  heavier.endpoints[2].weight = 4;
  struct pool *after = pool_new(NULL, NULL, table, &heavier.config);
  for (size_t i = 0; i < KEYS; i++) {
    const unsigned was = first_of(pool, key_of(i)), is = first_of(after, key_of(i));
    to_one += was != is && is == 3;
    between += was != is && is != 3;
  }
  ck_assert_msg(to_one > KEYS / 5 && to_one < KEYS / 4 + KEYS / 20, "%zu", to_one);
  ck_assert_msg(between < KEYS / 25, "%zu", between);
  pool_free(&after);
  done(&pool);
}
END_TEST

/* Its keys go to all the others alike and the same each time, nobody else's move, and when it is
 * back so are they. */
START_TEST(one_is_away)
{
  enum { SOME = 50000, AWAY = 3 };
  static unsigned before[SOME];
  size_t got[6] = {0}, moved = 0;
  struct pool *pool = pool_of(FIVE);
  for (size_t i = 0; i < SOME; i++) before[i] = first_of(pool, key_of(i));
  target_note_timeout(bench_target(table, "127.0.0.1:3"), NOW_MS - 1);
  for (size_t i = 0; i < SOME; i++) {
    const unsigned now = first_of(pool, key_of(i)), again = first_of(pool, key_of(i));
    if (now != again || now == AWAY || (before[i] != AWAY && now != before[i]))
      ck_abort_msg("%zu: %u, then %u, then %u", i, before[i], now, again);
    if (before[i] == AWAY) got[now]++, moved++;
  }
  for (unsigned port = 1; port <= 5; port++) {
    if (port == AWAY) continue;
    const double share = (double)got[port] * 4 / (double)moved;
    ck_assert_msg(share > 0.95 && share < 1.05, "%u has %f of its share", port, share);
  }
  bench_target(table, "127.0.0.1:3")->avoid_until_ms = 0;
  size_t back = 0;
  for (size_t i = 0; i < SOME; i++) back += first_of(pool, key_of(i)) == before[i];
  ck_assert_uint_eq(back, SOME);
  done(&pool);
}
END_TEST

/* Who has nothing to fall back to tries those at the end, still in the key's order. */
START_TEST(avoided_come_last)
{
  struct pool *pool = pool_of(FIVE);
  char met[128], all[128];
  snprintf(all, sizeof(all), "%s", meets(pool, key_of(7), NOW_MS, true));
  char first[32];
  snprintf(first, sizeof(first), "%.11s", all);
  target_note_timeout(bench_target(table, first), NOW_MS - 1);
  snprintf(met, sizeof(met), "%s", meets(pool, key_of(7), NOW_MS, false));
  ck_assert_str_eq(met, all + 12);
  snprintf(met, sizeof(met), "%s %s", all + 12, first);
  ck_assert_str_eq(meets(pool, key_of(7), NOW_MS, true), met);
  for (size_t i = 0; i < upstream.config.endpoint_count; i++) {
    char text[32];
    snprintf(text, sizeof(text), "127.0.0.1:%zu", i + 1);
    target_note_timeout(bench_target(table, text), NOW_MS - 1);
  }
  ck_assert_str_eq(meets(pool, key_of(7), NOW_MS, false), "");
  ck_assert_str_eq(meets(pool, key_of(7), NOW_MS, true), all);
  done(&pool);
}
END_TEST

/* Who has no key goes where there is least to do. */
START_TEST(without_a_key)
{
  struct pool *pool = pool_of("127.0.0.1:1 127.0.0.1:2 127.0.0.1:3");
  size_t got[4] = {0};
  bench_target(table, "127.0.0.1:2")->active = 100;
  for (size_t i = 0; i < 900; i++) {
    struct pool_attempt attempt = {.random = key_of(i)};
    struct target *target = pool_next(pool, &attempt, NOW_MS, false);
    got[target->port]++;
    target_unref(table, &target);
  }
  ck_assert(got[1] > 350 && got[2] == 0 && got[3] > 350);
  done(&pool);
}
END_TEST

/* A hash means nothing to another balance. */
START_TEST(a_hash_elsewhere)
{
  describe_pool("127.0.0.1:1 127.0.0.1:2");
  upstream.config.balance = BALANCE_ROUND_ROBIN;
  struct pool *pool = make_pool();
  ck_assert_str_eq(meets(pool, 1, NOW_MS, false), "127.0.0.1:1 127.0.0.1:2");
  ck_assert_str_eq(meets(pool, 1, NOW_MS, false), "127.0.0.1:2 127.0.0.1:1");
  done(&pool);
}
END_TEST

START_TEST(nobody_is_there)
{
  describe_pool("127.0.0.1:1");
  upstream.endpoints[0].drains = true;
  struct pool *pool = make_pool();
  ck_assert_str_eq(meets(pool, 1, NOW_MS, true), "");
  ck_assert_uint_eq(maglev_count(), 0);
  done(&pool);
}
END_TEST

START_TEST(no_memory)
{
  bool complete = false;
  unsigned refusals = 0;
  describe_pool(FIVE);
  upstream.endpoints[0].weight = 2;
  for (unsigned after = 0; !complete; after++) {
    arm(after, false);
    struct pool *pool = pool_new(NULL, NULL, table, &upstream.config);
    complete = disarm();
    ck_assert((pool != NULL) == complete);
    refusals += !complete;
    pool_free(&pool);
    ck_assert_uint_eq(maglev_count(), 0);
  }
  ck_assert_uint_ge(refusals, 8);
  target_table_free(&table);
}
END_TEST

UNIT_MAIN("upstream_hash", all_get_the_same, one_of_many_goes, more_members_than_places,
          one_table_for_all, a_key_stays, the_order_does_not_matter, each_is_met_once,
          weights_are_shares_of_keys, one_is_away, avoided_come_last, without_a_key,
          a_hash_elsewhere, nobody_is_there, no_memory)
