/*
 * upstream: pools over names whose addresses change. The resolver's place is taken by this program:
 * it defines what pool.c calls of it.
 */
#include "upstream_bench.h"

enum { NOW_MS = 100000 };

struct resolved_name {
  char host[32];
  unsigned refs, version;
  const char *addresses; /* "10.0.0.1 10.0.0.2" */
  unsigned reads;
};

static struct resolved_name names[4];
static struct target_table *table;

struct resolved_name *resolver_name_ref(struct resolver *resolver, struct str host) {
  (void)resolver;
  for (size_t i = 0; i < sizeof(names) / sizeof(*names); i++) {
    struct resolved_name *name = &names[i];
    if (name->host[0] == '\0') (void)str_copy_to(host, name->host, sizeof(name->host));
    if (!str_eq(str_from_cstr(name->host), host)) continue;
    name->refs++;
    return name;
  }
  ck_abort_msg("too many names");
}

void resolver_name_unref(struct resolver *resolver, struct resolved_name **name) {
  (void)resolver;
  if (*name) (*name)->refs--;
  *name = NULL;
}

unsigned resolved_name_version(const struct resolved_name *name) {
  return name->version;
}

size_t resolved_name_read(struct resolver *resolver, struct resolved_name *name,
                          struct ip_address *ret, size_t capacity, unsigned *ret_version) {
  (void)resolver;
  struct str rest = str_from_cstr(name->addresses), one;
  size_t n = 0;
  while (rest.p && n < capacity && str_split_next(&rest, ' ', &one))
    if (one.n > 0) ck_assert(ip_parse(one, &ret[n++]));
  *ret_version = name->version;
  name->reads++;
  return n;
}

static void answer(size_t i, const char *addresses) {
  names[i].addresses = addresses;
  names[i].version++;
}

START_TEST(answers_come_and_change)
{
  struct bench_upstream upstream;
  table = target_table_new();
  bench_upstream("shop:80 10.0.0.9:81 other:82", &upstream);
  struct pool *pool = pool_new(NULL, NULL, table, &upstream.config);
  ck_assert_ptr_nonnull(pool);
  static const struct {
    const char *name;
    size_t which;
    const char *addresses; /* NULL: no news */
    const char *met;
  } steps[] = {
      {"no answer yet", 0, NULL, "10.0.0.9:81"},
      {"first answer", 0, "10.0.0.1 10.0.0.2", "10.0.0.2:80 10.0.0.9:81 10.0.0.1:80"},
      {"the other's", 1, "10.0.0.3", "10.0.0.9:81 10.0.0.3:82 10.0.0.1:80 10.0.0.2:80"},
      {"no news", 0, NULL, "10.0.0.3:82 10.0.0.1:80 10.0.0.2:80 10.0.0.9:81"},
      {"one goes, one comes", 0, "10.0.0.2 2001:db8::1",
       "10.0.0.2:80 [2001:db8::1]:80 10.0.0.9:81 10.0.0.3:82"},
      {"one address in two names", 1, "10.0.0.2 10.0.0.9",
       "10.0.0.2:80 [2001:db8::1]:80 10.0.0.9:81 10.0.0.2:82 10.0.0.9:82"},
  };
  for (size_t i = 0; i < sizeof(steps) / sizeof(*steps); i++) {
    if (steps[i].addresses) answer(steps[i].which, steps[i].addresses);
    const char *met = bench_attempt(pool, table, NOW_MS, false);
    ck_assert_msg(strcmp(met, steps[i].met) == 0, "%s: %s", steps[i].name, met);
  }
  ck_assert_uint_eq(names[0].reads, 1 + 4); /* when it was made, and after each answer */
  pool_free(&pool);
  ck_assert(names[0].refs == 0 && names[1].refs == 0);
  target_table_free(&table);
}
END_TEST

/* What stays keeps its idle connections; what goes lives as long as somebody uses it. */
START_TEST(idle_connections_stay)
{
  struct bench_upstream upstream;
  struct idle_link stays;
  table = target_table_new();
  answer(0, "10.0.0.1 10.0.0.2");
  bench_upstream("shop:80", &upstream);
  struct pool *pool = pool_new(NULL, NULL, table, &upstream.config);
  struct pool_attempt attempt = {0};
  struct target *used = pool_next(pool, &attempt, NOW_MS, false);
  ck_assert_str_eq(used->text, "10.0.0.1:80");
  struct target *kept = bench_target(table, "10.0.0.2:80");
  target_idle_push(kept, &stays);
  answer(0, "10.0.0.2 10.0.0.3");
  ck_assert_str_eq(bench_attempt(pool, table, NOW_MS, false), "10.0.0.3:80 10.0.0.2:80");
  ck_assert_ptr_eq(bench_target(table, "10.0.0.2:80"), kept);
  ck_assert_uint_eq(kept->idle_count, 1);
  ck_assert_uint_eq(used->refs, 1);
  target_unref(table, &used);
  ck_assert_ptr_eq(target_idle_pop(kept), &stays);
  pool_free(&pool);
  target_table_free(&table);
}
END_TEST

/* An attempt that is under way when the addresses change goes on without meeting what is not there.
 */
START_TEST(change_in_the_middle_of_an_attempt)
{
  struct bench_upstream upstream;
  table = target_table_new();
  answer(0, "10.0.0.1 10.0.0.2 10.0.0.3 10.0.0.4");
  bench_upstream("shop:80", &upstream);
  struct pool *pool = pool_new(NULL, NULL, table, &upstream.config);
  struct pool_attempt attempt = {0};
  for (int i = 0; i < 3; i++) {
    struct target *target = pool_next(pool, &attempt, NOW_MS, true);
    ck_assert_ptr_nonnull(target);
    target_unref(table, &target);
  }
  answer(0, "10.0.0.7");
  ck_assert_str_eq(bench_attempt(pool, table, NOW_MS, false), "10.0.0.7:80");
  ck_assert_str_eq(bench_rest_of(pool, table, &attempt, NOW_MS, true), "");
  pool_free(&pool);
  target_table_free(&table);
}
END_TEST

/* The same name in two pools is one entry; both see the change. */
START_TEST(pools_share_a_name)
{
  struct bench_upstream first, second;
  table = target_table_new();
  bench_upstream("shop:80", &first);
  bench_upstream("shop:81", &second);
  struct pool *a = pool_new(NULL, NULL, table, &first.config);
  struct pool *b = pool_new(NULL, NULL, table, &second.config);
  ck_assert_uint_eq(names[0].refs, 2);
  answer(0, "10.0.0.1");
  ck_assert_str_eq(bench_attempt(a, table, NOW_MS, false), "10.0.0.1:80");
  ck_assert_str_eq(bench_attempt(b, table, NOW_MS, false), "10.0.0.1:81");
  pool_free(&a);
  ck_assert_uint_eq(names[0].refs, 1);
  pool_free(&b);
  target_table_free(&table);
}
END_TEST

UNIT_MAIN("upstream names", answers_come_and_change, idle_connections_stay,
          change_in_the_middle_of_an_attempt, pools_share_a_name)
