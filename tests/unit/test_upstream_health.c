/*
 * upstream: pools over endpoints that are unhealthy, or that are back and start slowly. The
 * checker's place is taken by this program: it says what share each endpoint is to get.
 */
#include "upstream_bench.h"

enum { NOW_MS = 100000, ATTEMPTS = 20000, ENDPOINTS_MAX = 4 };

struct health_endpoint {
  char text[32];
  unsigned share, refs;
};

static struct health_endpoint endpoints[ENDPOINTS_MAX];
static size_t refs_left = SIZE_MAX; /* that are given out before memory is short */
static unsigned flips_after; /* so many questions the first endpoint is unhealthy; 0: as it says */
static const struct health_spec spec = {.path = STR_INIT("/")};

struct health_endpoint *health_ref(struct health *health, const struct health_spec *asked,
                                   struct str upstream, struct str endpoint) {
  (void)health;
  (void)upstream;
  ck_assert_ptr_eq(asked, &spec);
  if (refs_left-- == 0) return NULL;
  size_t i = 0;
  while (i < ENDPOINTS_MAX && !str_eq(str_from_cstr(endpoints[i].text), endpoint)) i++;
  ck_assert_uint_lt(i, ENDPOINTS_MAX);
  endpoints[i].refs++;
  return &endpoints[i];
}

void health_unref(struct health *health, struct health_endpoint **endpoint) {
  (void)health;
  if (*endpoint) (*endpoint)->refs--;
  *endpoint = NULL;
}

unsigned health_share(const struct health_endpoint *endpoint, int64_t now_ms) {
  if (now_ms != NOW_MS) ck_abort_msg("asked of another time"); /* an assertion writes to a pipe */
  if (flips_after > 0 && --flips_after == 0) endpoints[0].share = 100;
  return endpoint->share;
}

static struct target_table *table;
static struct bench_upstream upstream;

/* Endpoints 127.0.0.1:1 and so on, one for each share. */
static struct pool *pool_with(enum config_balance balance, size_t n, const unsigned *shares) {
  static const char *const lists[] = {"127.0.0.1:1", "127.0.0.1:1 127.0.0.1:2",
                                      "127.0.0.1:1 127.0.0.1:2 127.0.0.1:3"};
  table = target_table_new();
  bench_upstream(lists[n - 1], &upstream);
  upstream.config.balance = balance;
  upstream.config.health = &spec;
  for (size_t i = 0; i < n; i++) {
    snprintf(endpoints[i].text, sizeof(endpoints[i].text), "127.0.0.1:%zu", i + 1);
    endpoints[i].share = shares[i];
    endpoints[i].refs = 0;
  }
  return pool_new(NULL, NULL, table, &upstream.config);
}

static void done(struct pool **pool) {
  pool_free(pool);
  target_table_free(&table);
  for (size_t i = 0; i < ENDPOINTS_MAX; i++) ck_assert_uint_eq(endpoints[i].refs, 0);
}

/* How often each endpoint is the first of an attempt, in percent of them all. */
static void count_first(struct pool *pool, bool desperate, double *ret, size_t n) {
  uint64_t random = 1;
  for (size_t i = 0; i < n; i++) ret[i] = 0;
  for (int i = 0; i < ATTEMPTS; i++) {
    random = random * 6364136223846793005u + 1442695040888963407u;
    struct pool_attempt attempt = {.random = random ^ random >> 33};
    struct target *target = pool_next(pool, &attempt, NOW_MS, desperate);
    if (!target) ck_abort_msg("nothing is met");
    ret[target->port - 1] += 100.0 / ATTEMPTS;
    target_unref(table, &target);
  }
}

START_TEST(unhealthy_come_last)
{
  static const enum config_balance balances[] = {BALANCE_ROUND_ROBIN, BALANCE_LEAST_REQUESTS};
  for (size_t i = 0; i < 2; i++) {
    double got[3];
    struct pool *pool = pool_with(balances[i], 3, (const unsigned[]){100, 0, 100});
    count_first(pool, true, got, 3);
    ck_assert(got[0] > 30 && got[1] == 0 && got[2] > 30);
    endpoints[2].share = 0;
    count_first(pool, false, got, 3);
    ck_assert(got[0] > 99.9);
    ck_assert_str_eq(bench_attempt(pool, table, NOW_MS, false), "127.0.0.1:1");
    const char *all = bench_attempt(pool, table, NOW_MS, true);
    ck_assert(str_starts_with(str_from_cstr(all), STR("127.0.0.1:1 ")));
    ck_assert_uint_eq(strlen(all), 3 * strlen("127.0.0.1:1") + 2);
    done(&pool);
  }
}
END_TEST

/* A canary's attempt finds nothing; stable's is as if all were healthy. */
START_TEST(all_unhealthy)
{
  double got[2];
  struct pool *pool = pool_with(BALANCE_LEAST_REQUESTS, 2, (const unsigned[]){0, 0});
  ck_assert_str_eq(bench_attempt(pool, table, NOW_MS, false), "");
  count_first(pool, true, got, 2);
  ck_assert(got[0] > 45 && got[1] > 45);
  done(&pool);
}
END_TEST

/* Who becomes healthy between an attempt's questions is not passed over for that. */
START_TEST(healthy_all_of_a_sudden)
{
  for (unsigned questions = 1; questions < 8; questions++) {
    struct pool *pool = pool_with(BALANCE_ROUND_ROBIN, 1, (const unsigned[]){0});
    flips_after = questions;
    ck_assert_str_eq(bench_attempt(pool, table, NOW_MS, true), "127.0.0.1:1");
    flips_after = 0;
    done(&pool);
  }
}
END_TEST

START_TEST(slow_start)
{
  static const struct {
    enum config_balance balance;
    unsigned share;
    double least, most; /* of the requests, in percent */
  } cases[] = {
      {BALANCE_LEAST_REQUESTS, 10, 4, 6},     {BALANCE_LEAST_REQUESTS, 50, 23, 27},
      {BALANCE_LEAST_REQUESTS, 99, 47, 52},   {BALANCE_LEAST_REQUESTS, 100, 48, 52},
      {BALANCE_ROUND_ROBIN, 10, 8, 10},       {BALANCE_ROUND_ROBIN, 50, 32, 35},
      {BALANCE_ROUND_ROBIN, 100, 49.9, 50.1},
  };
  for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
    double got[2];
    struct pool *pool = pool_with(cases[i].balance, 2, (const unsigned[]){100, cases[i].share});
    count_first(pool, false, got, 2);
    ck_assert_msg(got[1] >= cases[i].least && got[1] <= cases[i].most, "%zu: %f", i, got[1]);
    done(&pool);
  }
}
END_TEST

/* Slowly or not: who is alone, or beside unhealthy ones, gets everything. */
START_TEST(slow_start_alone)
{
  static const enum config_balance balances[] = {BALANCE_ROUND_ROBIN, BALANCE_LEAST_REQUESTS};
  for (size_t i = 0; i < 2; i++) {
    double got[3];
    struct pool *pool = pool_with(balances[i], 1, (const unsigned[]){10});
    count_first(pool, false, got, 1);
    done(&pool);
    pool = pool_with(balances[i], 3, (const unsigned[]){0, 10, 0});
    count_first(pool, false, got, 3);
    ck_assert(got[1] > 99.9);
    done(&pool);
  }
}
END_TEST

/* ---- by hash ---- */

/* Which endpoint a key begins with; 0: none. */
static unsigned first_of(struct pool *pool, uint64_t key) {
  struct pool_attempt attempt = {.random = key * 0xD1342543DE82EF95u, .hashed = true};
  struct target *target = pool_next(pool, &attempt, NOW_MS, false);
  if (!target) return 0;
  const unsigned port = target->port;
  target_unref(table, &target);
  return port;
}

/* An endpoint that is unhealthy loses its keys; while it starts slowly it gets them back one after
 * the other, none twice, and no other key moves. */
START_TEST(keys_come_back)
{
  enum { SOME = 10000 };
  static unsigned home[SOME], before[SOME];
  static const unsigned shares[] = {0, 10, 30, 70, 100};
  struct pool *pool = pool_with(BALANCE_HASH, 3, (const unsigned[]){100, 100, 100});
  unsigned own = 0;
  for (uint64_t i = 0; i < SOME; i++) own += (home[i] = first_of(pool, i + 1)) == 2;
  for (size_t step = 0; step < sizeof(shares) / sizeof(*shares); step++) {
    unsigned there = 0, wrong = 0;
    endpoints[1].share = shares[step];
    for (uint64_t i = 0; i < SOME; i++) {
      const unsigned now = first_of(pool, i + 1);
      there += now == 2;
      wrong += now != first_of(pool, i + 1) || (home[i] == 2) < (now == 2) ||
               (home[i] != 2 && now != home[i]) || (step > 0 && before[i] == 2 && now != 2);
      before[i] = now;
    }
    ck_assert_uint_eq(wrong, 0);
    const double percent = 100.0 * there / own;
    ck_assert_msg(percent > shares[step] - 2.0 && percent < shares[step] + 2.0, "%u: %f",
                  shares[step], percent);
  }
  done(&pool);
}
END_TEST

/* Who starts slowly stands in only when nobody else does, and before those that are unhealthy. */
START_TEST(slow_start_by_hash_alone)
{
  struct pool *pool = pool_with(BALANCE_HASH, 3, (const unsigned[]){0, 10, 0});
  for (uint64_t i = 0; i < 100; i++) ck_assert_uint_eq(first_of(pool, i + 1), 2);
  struct pool_attempt attempt = {.random = 1, .hashed = true};
  const char *met = bench_rest_of(pool, table, &attempt, NOW_MS, true);
  ck_assert(str_starts_with(str_from_cstr(met), STR("127.0.0.1:2 ")));
  ck_assert_uint_eq(strlen(met), 3 * strlen("127.0.0.1:1") + 2);
  done(&pool);
}
END_TEST

START_TEST(no_memory)
{
  for (refs_left = 0; refs_left < 3;) {
    const size_t left = refs_left;
    struct pool *pool = pool_with(BALANCE_ROUND_ROBIN, 3, (const unsigned[]){100, 100, 100});
    ck_assert_ptr_null(pool);
    done(&pool);
    refs_left = left + 1;
  }
}
END_TEST

UNIT_MAIN("upstream_health", unhealthy_come_last, all_unhealthy, healthy_all_of_a_sudden,
          slow_start, slow_start_alone, keys_come_back, slow_start_by_hash_alone, no_memory)
