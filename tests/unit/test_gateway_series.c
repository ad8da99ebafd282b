/* series: names that stay, and what becomes of more than there may be. */
#include <stdio.h>

#include "gateway/series.h"
#include "unit.h"

static struct str name_of(unsigned i, char *buffer, size_t capacity) {
  int n = snprintf(buffer, capacity, "name-%u", i);
  return str_make(buffer, (size_t)n);
}

/* The same name is the same series, whatever else was added; kinds and routes are kept apart, also
 * where their texts run together. */
START_TEST(names)
{
  struct series_table table;
  ck_assert(series_init(&table));
  struct variant_series *a = series_variant(&table, STR("shop"), STR("v1"));
  struct rule_series *rule = series_rule(&table, STR("shop"), STR("v1"));
  struct variant_series *b = series_variant(&table, STR("sho"), STR("pv1"));
  ck_assert_ptr_ne(a, b);
  ck_assert_ptr_ne(&a->series, &rule->series);
  ck_assert_ptr_ne(a, series_unnamed(&table));
  char buffer[32];
  for (unsigned i = 0; i < 5000; i++)
    (void)series_variant(&table, STR("shop"), name_of(i, buffer, sizeof(buffer)));
  ck_assert_ptr_eq(series_variant(&table, STR("shop"), STR("v1")), a);
  ck_assert_ptr_eq(series_rule(&table, STR("shop"), STR("v1")), rule);
  ck_assert_view_eq(a->series.route, "shop");
  ck_assert_view_eq(a->series.name, "v1");
  size_t n = 0;
  for (const struct series *one = table.first; one; one = atomic_load(&one->next)) n++;
  ck_assert_uint_eq(n, SERIES_KINDS + 3 + 5000);
  ck_assert_uint_eq(n, table.count);
  series_deinit(&table);
}
END_TEST

/* What comes when all places are taken is counted together. */
START_TEST(too_many)
{
  struct series_table table;
  ck_assert(series_init(&table));
  char buffer[32];
  for (unsigned i = 0; i < SERIES_MAX - SERIES_KINDS; i++) {
    struct rule_series *one = series_rule(&table, STR("r"), name_of(i, buffer, sizeof(buffer)));
    ck_assert_ptr_ne(&one->series, table.unnamed[SERIES_RULE]);
  }
  ck_assert_uint_eq(table.count, SERIES_MAX);
  ck_assert_ptr_eq(&series_rule(&table, STR("r"), STR("one more"))->series,
                   table.unnamed[SERIES_RULE]);
  ck_assert_ptr_eq(series_variant(&table, STR("r"), STR("one more")), series_unnamed(&table));
  ck_assert_ptr_ne(&series_rule(&table, STR("r"), STR("name-7"))->series,
                   table.unnamed[SERIES_RULE]);
  ck_assert_uint_eq(table.count, SERIES_MAX);
  series_deinit(&table);
}
END_TEST

START_TEST(times)
{
  struct series_histogram seen = {0};
  series_observe(&seen, 0);
  series_observe(&seen, -5); /* a clock that stood still is no reason to count nonsense */
  for (size_t i = 0; i < GATEWAY_BUCKETS; i++) {
    series_observe(&seen, gateway_buckets_us[i]); /* an upper bound belongs to its bucket */
    series_observe(&seen, gateway_buckets_us[i] + 1);
    if (i > 0) ck_assert_int_gt(gateway_buckets_us[i], gateway_buckets_us[i - 1]);
  }
  uint64_t sum = 0;
  for (size_t i = 0; i < GATEWAY_BUCKETS; i++) {
    ck_assert_uint_eq(seen.buckets[i], i == 0 ? 3 : 2);
    sum += 2 * (uint64_t)gateway_buckets_us[i] + 1;
  }
  ck_assert_uint_eq(seen.buckets[GATEWAY_BUCKETS], 1);
  ck_assert_uint_eq(seen.sum, sum);
}
END_TEST

UNIT_MAIN("gateway series", names, too_many, times)
