/* The cache: bounded, and it forgets what is not used. */
#include "adit/cache.h"

#include <stdio.h>
#include <stdlib.h>

#include "unit.h"

START_TEST(stays_bounded)
{
  enum { IDS = 100000, ENTRIES = 1000 };
  struct cache cache;
  char key[32];
  ck_assert(cache_init(&cache, ENTRIES, 16000));
  for (uint64_t i = 0; i < IDS; i++) {
    const size_t n = (size_t)snprintf(key, sizeof(key), "user-%llu", (unsigned long long)i);
    ck_assert_ptr_nonnull(cache_put(&cache, i * 0x9E3779B97F4A7C15u, str_make(key, n), NULL, 0, 1));
    ck_assert(cache.entry_count <= ENTRIES && cache.bytes <= 16000 && cache.used <= ENTRIES);
  }
  ck_assert_uint_ge(cache.entry_count, 900);
  ck_assert_ptr_nonnull(cache_find(&cache, (IDS - 1) * 0x9E3779B97F4A7C15u, STR("user-99999")));
  ck_assert_ptr_null(cache_find(&cache, 0, STR("user-0")));
  cache_deinit(&cache);
}
END_TEST

START_TEST(keeps_what_is_used)
{
  struct cache cache;
  ck_assert(cache_init(&cache, 3, 1000));
  /* All in one bucket: a stranger who could make hashes equal would still get his own entry. */
  (void)cache_put(&cache, 7, STR("a"), NULL, 0, 1);
  (void)cache_put(&cache, 7, STR("b"), NULL, 0, 2);
  (void)cache_put(&cache, 7, STR("c"), NULL, 0, 3);
  ck_assert_uint_eq(cache_find(&cache, 7, STR("a"))->why, 1);
  (void)cache_put(&cache, 7, STR("d"), NULL, 0, 4);
  ck_assert_ptr_null(cache_find(&cache, 7, STR("b")));
  ck_assert_uint_eq(cache_find(&cache, 7, STR("a"))->why, 1);
  (void)cache_put(&cache, 7, STR("a"), NULL, 0, 5);
  ck_assert_uint_eq(cache_find(&cache, 7, STR("a"))->why, 5);
  ck_assert_uint_eq(cache.entry_count, 3);
  cache_deinit(&cache);
}
END_TEST

START_TEST(frees_what_it_was_given)
{
  struct cache cache;
  ck_assert(cache_init(&cache, 3, 1000));
  for (unsigned i = 0; i < 5; i++) {
    void *value = malloc(100);
    ck_assert_ptr_nonnull(value);
    struct cache_entry *entry = cache_put(&cache, i, str_make(&"abcde"[i], 1), value, 100, 0);
    ck_assert_ptr_eq(entry->value, value);
    ck_assert_int_eq(entry->fresh_until_ms, 0);
  }
  ck_assert_uint_eq(cache.bytes, 3 * 101);
  cache_clear(&cache);
  ck_assert_uint_eq(cache.entry_count, 0);
  ck_assert_uint_eq(cache.bytes, 0);
  ck_assert_ptr_null(cache_find(&cache, 4, STR("e")));
  (void)cache_put(&cache, 4, STR("e"), NULL, 0, 9);
  ck_assert_uint_eq(cache_find(&cache, 4, STR("e"))->why, 9);
  cache_deinit(&cache);
}
END_TEST

UNIT_MAIN("cache", stays_bounded, keeps_what_is_used, frees_what_it_was_given)
