/* Arenas, arrays in arenas, hashes and sets of strings. */
#include "adit/arena.h"
#include "adit/hash.h"
#include "unit.h"

#if defined(__SANITIZE_ADDRESS__)
#define UNIT_ASAN 1
#elif defined(__has_feature)
#if __has_feature(address_sanitizer)
#define UNIT_ASAN 1
#endif
#endif

#ifdef UNIT_ASAN
#include <sanitizer/asan_interface.h>
/* A refused malloc is NULL, as without the sanitizer, and not an abort. */
__attribute__((visibility("default"))) const char *__asan_default_options(void);
const char *__asan_default_options(void) {
  return "allocator_may_return_null=1";
}
#endif

/* In long loops one assertion for all: each of Check's costs a write. */
static bool is_all(const unsigned char *p, size_t n, unsigned byte) {
  for (size_t i = 0; i < n; i++) {
    if (p[i] != byte) return false;
  }
  return true;
}

START_TEST(alloc_is_aligned_zeroed_and_apart)
{
  struct arena *arena = arena_new(1 << 24);
  unsigned char *pieces[500];
  for (int round = 0; round < 3; round++) {
    for (size_t i = 0; i < 500; i++) {
      size_t n = i * 37 % 901 + (i % 100 == 99 ? 70000 : 0);
      pieces[i] = arena_alloc(arena, n);
      ck_assert_ptr_nonnull(pieces[i]);
      ck_assert_uint_eq((uintptr_t)pieces[i] % alignof(max_align_t), 0);
      ck_assert(is_all(pieces[i], n, 0));
      memset(pieces[i], (int)(i % 255 + 1), n);
      /* Texts between them leave odd positions. */
      ck_assert(arena_dup(arena, str_make("abcdefgh", i % 8)).p);
    }
    for (size_t i = 0; i < 500; i++) {
      size_t n = i * 37 % 901 + (i % 100 == 99 ? 70000 : 0);
      ck_assert(is_all(pieces[i], n, (unsigned)(i % 255 + 1)));
    }
    ck_assert(!arena_failed(arena));
    arena_reset(arena);
    ck_assert_uint_eq(arena_used(arena), 0);
  }
  arena_free(&arena);
  ck_assert_ptr_null(arena);
  arena_free(&arena);
}
END_TEST

START_TEST(limit_is_exact_and_remembered)
{
  static const size_t limits[] = {0, 1, 16, 100, 4000, 5000, 100000};
  for (size_t i = 0; i < sizeof(limits) / sizeof(*limits); i++) {
    size_t limit = limits[i];
    struct arena *arena = arena_new(limit);
    ck_assert_ptr_nonnull(arena_alloc(arena, limit));
    ck_assert_uint_eq(arena_used(arena), limit);
    ck_assert(!arena_failed(arena));
    ck_assert_ptr_null(arena_alloc(arena, 1));
    ck_assert(arena_failed(arena));
    ck_assert_uint_eq(arena_used(arena), limit);
    arena_reset(arena);
    ck_assert(!arena_failed(arena));
    ck_assert_ptr_null(arena_alloc(arena, limit + 1));
    ck_assert(arena_failed(arena));
    arena_reset(arena);
    size_t taken = 0;
    while (arena_dup(arena, STR("7 bytes")).p) taken += 8;
    ck_assert_uint_eq(taken, limit / 8 * 8);
    ck_assert(arena_used(arena) <= limit);
    arena_free(&arena);
  }
}
END_TEST

START_TEST(used_counts_padding)
{
  struct arena *arena = arena_new(1000);
  ck_assert(arena_dup(arena, STR("abcd")).p);
  ck_assert_uint_eq(arena_used(arena), 5);
  ck_assert_ptr_nonnull(arena_alloc(arena, 3));
  ck_assert_uint_eq(arena_used(arena), alignof(max_align_t) + 3);
  ck_assert_ptr_nonnull(arena_alloc(arena, 0));
  ck_assert_uint_eq(arena_used(arena), 2 * alignof(max_align_t));
  arena_free(&arena);
}
END_TEST

START_TEST(sizes_do_not_wrap_around)
{
  static const struct {
    size_t count, size;
  } cases[] = {
      {SIZE_MAX, 1},           {SIZE_MAX, 2},      {SIZE_MAX / 2 + 1, 2}, {2, SIZE_MAX},
      {SIZE_MAX / 16 + 2, 16}, {SIZE_MAX - 15, 1}, {PTRDIFF_MAX, 1},
  };
  for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
    struct arena *arena = arena_new(SIZE_MAX);
    ck_assert_ptr_nonnull(arena_alloc(arena, 1));
    ck_assert_msg(!arena_alloc_array(arena, cases[i].count, cases[i].size), "case %zu", i);
    ck_assert(arena_failed(arena));
    /* What fits is given out even then; the failure stays. */
    ck_assert_ptr_nonnull(arena_alloc_array(arena, 3, 5));
    ck_assert(arena_failed(arena));
    arena_free(&arena);
  }
  struct arena *arena = arena_new(SIZE_MAX);
  ck_assert_ptr_nonnull(arena_alloc_array(arena, 0, SIZE_MAX));
  ck_assert_ptr_null(arena_dup(arena, str_make("", SIZE_MAX)).p);
  arena_free(&arena);
}
END_TEST

START_TEST(no_memory_is_a_refusal)
{
  struct arena *arena = arena_new(SIZE_MAX);
  ck_assert_ptr_null(arena_alloc(arena, (size_t)1 << 60));
  ck_assert(arena_failed(arena));
  ck_assert_uint_eq(arena_used(arena), 0);
  ck_assert_ptr_nonnull(arena_alloc(arena, 1));
  arena_free(&arena);
}
END_TEST

START_TEST(copies_end_in_nul)
{
  struct arena *arena = arena_new(100000);
  struct str copy = arena_dup(arena, STR("a\0b"));
  ck_assert(str_eq(copy, STR("a\0b")));
  ck_assert_int_eq(copy.p[3], '\0');
  struct str empty = arena_dup(arena, str_make(NULL, 0));
  ck_assert_ptr_nonnull(empty.p);
  ck_assert_uint_eq(empty.n, 0);
  ck_assert_int_eq(empty.p[0], '\0');
  struct str text = arena_printf(arena, "%s-%d", "x", 12);
  ck_assert_view_eq(text, "x-12");
  ck_assert_int_eq(text.p[4], '\0');
  arena_free(&arena);
}
END_TEST

START_TEST(printf_at_every_length)
{
  struct arena *arena = arena_new(1 << 20);
  for (int n = 0; n < 600; n++) {
    struct str s = arena_printf(arena, "%0*d", n + 1, 7);
    ck_assert_uint_eq(s.n, (size_t)n + 1);
    ck_assert_int_eq(s.p[n], '7');
    ck_assert_int_eq(s.p[n + 1], '\0');
  }
  arena_free(&arena);
  arena = arena_new(8);
  ck_assert_view_eq(arena_printf(arena, "%s", "1234567"), "1234567");
  arena_reset(arena);
  ck_assert_ptr_null(arena_printf(arena, "%s", "12345678").p);
  ck_assert(arena_failed(arena));
  arena_free(&arena);
}
END_TEST

/* One page, and no more, is kept and used again. */
START_TEST(reset_keeps_a_block)
{
  struct arena *arena = arena_new(1 << 20);
  char *first = arena_alloc(arena, 100);
  arena_reset(arena);
  ck_assert_ptr_eq(arena_alloc(arena, 100), first);
  /* After some rounds of one size everything comes from one block: the places repeat. */
  char *places[64];
  for (int round = 0; round < 8; round++) {
    arena_reset(arena);
    for (size_t i = 0; i < 64; i++) {
      char *p = arena_alloc(arena, 1000 + i);
      if (round == 7) ck_assert_ptr_eq(p, places[i]);
      places[i] = p;
    }
  }
  for (size_t i = 1; i < 64; i++) ck_assert(places[i] > places[i - 1]);
  ck_assert(places[63] - places[0] < 64 * 1200);
  arena_free(&arena);
}
END_TEST

START_TEST(large_pieces_do_not_waste_the_block)
{
  struct arena *arena = arena_new(1 << 20);
  char *before = arena_alloc(arena, 16);
  ck_assert_ptr_nonnull(arena_alloc(arena, 100000));
  char *after = arena_alloc(arena, 16);
  ck_assert(after > before && after - before < 64);
  arena_free(&arena);
}
END_TEST

#ifdef UNIT_ASAN
static bool is_poisoned(const void *p) {
  return __asan_address_is_poisoned(p) != 0;
}

START_TEST(unused_bytes_are_poisoned)
{
  struct arena *arena = arena_new(10000);
  const char *text = arena_dup(arena, STR("abc")).p;
  char *array = arena_alloc(arena, 24);
  ck_assert(!is_poisoned(text + 3));
  ck_assert(is_poisoned(text + 4));
  ck_assert(is_poisoned(array - 1));
  ck_assert(!is_poisoned(array + 23));
  ck_assert(is_poisoned(array + 24));
  arena_reset(arena);
  ck_assert(is_poisoned(text));
  ck_assert(is_poisoned(array));
  arena_free(&arena);
}
END_TEST
#define ONLY_WITH_ASAN unused_bytes_are_poisoned,
#else
#define ONLY_WITH_ASAN
#endif

/* --- deferred -------------------------------------------------------------------------------- */

static char order[16];
static size_t n_order;

static void note_letter(void *object) {
  order[n_order++] = *(char *)object;
}

START_TEST(deferred_last_first)
{
  struct arena *arena = arena_new(1000);
  n_order = 0;
  for (const char *p = "abc"; *p; p++) {
    char *letter = ARENA_NEW(arena, char);
    *letter = *p;
    ck_assert(arena_defer(arena, note_letter, letter));
  }
  arena_reset(arena);
  ck_assert_view_eq(str_make(order, n_order), "cba");
  char d = 'd';
  ck_assert(arena_defer(arena, note_letter, &d));
  ck_assert_uint_eq(n_order, 3);
  arena_free(&arena);
  ck_assert_view_eq(str_make(order, n_order), "cbad");
}
END_TEST

START_TEST(deferred_without_memory_runs_at_once)
{
  struct arena *arena = arena_new(8);
  char a = 'a';
  n_order = 0;
  ck_assert(!arena_defer(arena, note_letter, &a));
  ck_assert_view_eq(str_make(order, n_order), "a");
  ck_assert(arena_failed(arena));
  arena_free(&arena);
  ck_assert_uint_eq(n_order, 1);
}
END_TEST

/* --- VEC ------------------------------------------------------------------------------------- */

struct point {
  long long x, y;
};

START_TEST(vec_grows)
{
  struct arena *arena = arena_new(1 << 20);
  VEC(struct point) points = {0};
  for (int i = 0; i < 5000; i++) {
    if (!VEC_PUSH(arena, &points, (struct point){i, -i})) ck_abort_msg("%d", i);
  }
  ck_assert_uint_eq(points.n, 5000);
  for (int i = 0; i < 5000; i++) {
    if (points.items[i].x != i || points.items[i].y != -i) ck_abort_msg("%d", i);
  }
  arena_free(&arena);
}
END_TEST

START_TEST(vec_is_unchanged_when_full)
{
  struct arena *arena = arena_new(8 * sizeof(int));
  VEC(int) numbers = {0};
  for (int i = 0; i < 8; i++) ck_assert(VEC_PUSH(arena, &numbers, i));
  int *items = numbers.items;
  ck_assert(!VEC_PUSH(arena, &numbers, 8));
  ck_assert(arena_failed(arena));
  ck_assert_uint_eq(numbers.n, 8);
  ck_assert_ptr_eq(numbers.items, items);
  ck_assert_int_eq(numbers.items[7], 7);

  size_t capacity = SIZE_MAX / 2 + 1;
  void *none = NULL;
  ck_assert(!vec_reserve(arena, &none, capacity, &capacity, 1));
  capacity = SIZE_MAX / 4;
  ck_assert(!vec_reserve(arena, &none, capacity, &capacity, 8));
  ck_assert_uint_eq(capacity, SIZE_MAX / 4);
  arena_free(&arena);
}
END_TEST

/* --- hash ------------------------------------------------------------------------------------ */

/* Published vectors: Wikipedia, and the test programs of the algorithm's ports. */
START_TEST(murmur3_vectors)
{
  static const struct {
    struct str key;
    uint32_t seed, expected;
  } cases[] = {
      {STR_INIT(""), 0, 0},
      {STR_INIT(""), 1, 0x514e28b7},
      {STR_INIT(""), 0xffffffff, 0x81f16f39},
      {STR_INIT("\xff\xff\xff\xff"), 0, 0x76293b50},
      {STR_INIT("\x21\x43\x65\x87"), 0, 0xf55b516b},
      {STR_INIT("\x21\x43\x65\x87"), 0x5082edee, 0x2362f9de},
      {STR_INIT("\x21\x43\x65"), 0, 0x7e4a8634},
      {STR_INIT("\x21\x43"), 0, 0xa0f7b07a},
      {STR_INIT("\x21"), 0, 0x72661cf4},
      {STR_INIT("\0\0\0\0"), 0, 0x2362f9de},
      {STR_INIT("\0\0\0"), 0, 0x85f0b427},
      {STR_INIT("\0\0"), 0, 0x30f4c306},
      {STR_INIT("\0"), 0, 0x514e28b7},
      {STR_INIT("test"), 0, 0xba6bd213},
      {STR_INIT("test"), 0x9747b28c, 0x704b81dc},
      {STR_INIT("Hello, world!"), 0, 0xc0363e43},
      {STR_INIT("Hello, world!"), 0x9747b28c, 0x24884cba},
      {STR_INIT("The quick brown fox jumps over the lazy dog"), 0, 0x2e4ff723},
      {STR_INIT("The quick brown fox jumps over the lazy dog"), 0x9747b28c, 0x2fa826cd},
      {STR_INIT("aaaa"), 0x9747b28c, 0x5a97808a},
      {STR_INIT("aaa"), 0x9747b28c, 0x283e0130},
      {STR_INIT("aa"), 0x9747b28c, 0x5d211726},
      {STR_INIT("a"), 0x9747b28c, 0x7fa09ea6},
      {STR_INIT("abcd"), 0x9747b28c, 0xf0478627},
      {STR_INIT("abc"), 0x9747b28c, 0xc84a62dd},
      {STR_INIT("ab"), 0x9747b28c, 0x74875592},
  };
  for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
    struct str key = cases[i].key;
    /* At every alignment: the bytes count, not where they are. */
    for (size_t offset = 0; offset < 8; offset++) {
      char buffer[64];
      memcpy(buffer + offset, key.p, key.n);
      uint32_t hash = murmur3_x86_32(buffer + offset, key.n, cases[i].seed);
      ck_assert_msg(hash == cases[i].expected, "case %zu, offset %zu: %08x", i, offset, hash);
    }
  }
  ck_assert_uint_eq(murmur3_x86_32(NULL, 0, 1), 0x514e28b7);
}
END_TEST

/* The check that comes with the algorithm: keys {0}, {0,1}, … with falling seeds, hashed again. */
/* Those of the authors: key 00 01 … 0f, of the first n bytes of 00 01 02 …. */
START_TEST(siphash_vectors)
{
  static const struct {
    size_t n;
    uint64_t hash;
  } cases[] = {
      {0, 0x726fdb47dd0e0e31},  {1, 0x74f839c593dc67fd},  {7, 0xab0200f58b01d137},
      {8, 0x93f5f5799a932462},  {15, 0xa129ca6149be45e5}, {16, 0x3f2acc7f57c29bdb},
      {63, 0x958a324ceb064572},
  };
  static const uint64_t key[2] = {0x0706050403020100, 0x0f0e0d0c0b0a0908};
  uint8_t bytes[64];
  for (size_t i = 0; i < sizeof(bytes); i++) bytes[i] = (uint8_t)i;
  for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++)
    ck_assert_msg(siphash_2_4(key, bytes, cases[i].n) == cases[i].hash, "%zu bytes", cases[i].n);
}
END_TEST

START_TEST(murmur3_verification_value)
{
  uint8_t key[256];
  uint8_t hashes[256 * 4];
  for (unsigned i = 0; i < 256; i++) {
    key[i] = (uint8_t)i;
    uint32_t hash = murmur3_x86_32(key, i, 256 - i);
    for (unsigned k = 0; k < 4; k++) hashes[i * 4 + k] = (uint8_t)(hash >> 8 * k);
  }
  ck_assert_uint_eq(murmur3_x86_32(hashes, sizeof(hashes), 0), 0xB0F57EE3);
}
END_TEST

/* However the bytes are divided, also into empty parts: the hash is that of the joined ones. */
START_TEST(murmur3_of_parts)
{
  struct str whole = STR("salt:The quick brown fox");
  for (size_t n = 0; n <= whole.n; n++) {
    struct str key = str_take(whole, n);
    uint32_t expected = murmur3_x86_32(key.p, key.n, 42);
    for (size_t i = 0; i <= n; i++) {
      for (size_t k = i; k <= n; k++) {
        const struct str parts[] = {str_take(key, i), str_skip(str_take(key, k), i),
                                    str_skip(key, k)};
        bool same = murmur3_x86_32_parts(parts, 3, 42) == expected;
        if (!same) ck_abort_msg("%zu bytes, divided at %zu and %zu", n, i, k);
      }
    }
  }
  ck_assert_uint_eq(murmur3_x86_32_parts(NULL, 0, 1), 0x514e28b7);
}
END_TEST

START_TEST(set_finds_what_was_added)
{
  enum { N = 1000 };
  struct arena *arena = arena_new(1 << 22);
  struct str_set *set = str_set_new(arena, N);
  struct str keys[N];
  for (size_t i = 0; i < N; i++) {
    keys[i] = arena_printf(arena, "%0*zu", (int)(i % 100), i);
    ck_assert_uint_eq(str_set_find(set, keys[i]), STR_SET_NONE);
    ck_assert(str_set_add(set, keys[i], i * 3));
  }
  for (size_t i = 0; i < N; i++) {
    char copy[128];
    memcpy(copy, keys[i].p, keys[i].n);
    ck_assert_uint_eq(str_set_find(set, str_make(copy, keys[i].n)), i * 3);
    ck_assert(!str_set_add(set, keys[i], 7));
    ck_assert_uint_eq(str_set_find(set, keys[i]), i * 3);
    copy[keys[i].n - 1] = 'x';
    ck_assert_uint_eq(str_set_find(set, str_make(copy, keys[i].n)), STR_SET_NONE);
  }
  arena_free(&arena);
}
END_TEST

START_TEST(set_of_few)
{
  struct arena *arena = arena_new(1000);
  struct str_set *none = str_set_new(arena, 0);
  ck_assert_ptr_nonnull(none);
  ck_assert_uint_eq(str_set_find(none, STR("")), STR_SET_NONE);
  ck_assert_uint_eq(str_set_find(none, STR("a")), STR_SET_NONE);
  struct str_set *set = str_set_new(arena, 3);
  ck_assert(str_set_add(set, STR(""), 10));
  ck_assert(str_set_add(set, STR("a\0b"), 0));
  ck_assert(str_set_add(set, STR("a\0c"), 12));
  ck_assert(!str_set_add(set, STR("a\0c"), 13));
  ck_assert_uint_eq(str_set_find(set, STR("")), 10);
  ck_assert_uint_eq(str_set_find(set, str_make(NULL, 0)), 10);
  ck_assert_uint_eq(str_set_find(set, STR("a\0b")), 0);
  ck_assert_uint_eq(str_set_find(set, STR("a\0c")), 12);
  ck_assert_uint_eq(str_set_find(set, STR("a\0d")), STR_SET_NONE);
  ck_assert_uint_eq(str_set_find(set, STR("A\0b")), STR_SET_NONE);
  ck_assert_uint_eq(str_set_find(set, STR("longer than every key")), STR_SET_NONE);
  ck_assert_ptr_null(str_set_new(arena, 1000));
  ck_assert(arena_failed(arena));
  arena_reset(arena);
  ck_assert_ptr_null(str_set_new(arena, SIZE_MAX));
  ck_assert(arena_failed(arena));
  arena_free(&arena);
}
END_TEST

/* Lengths around 63 share one bit of the set's filter. */
START_TEST(set_of_long_keys)
{
  struct arena *arena = arena_new(100000);
  struct str_set *set = str_set_new(arena, 3);
  char bytes[300];
  memset(bytes, 'k', sizeof(bytes));
  ck_assert(str_set_add(set, str_make(bytes, 62), 62));
  ck_assert(str_set_add(set, str_make(bytes, 64), 64));
  ck_assert(str_set_add(set, str_make(bytes, 200), 200));
  for (size_t n = 0; n <= sizeof(bytes); n++) {
    size_t expected = n == 62 || n == 64 || n == 200 ? n : STR_SET_NONE;
    ck_assert_uint_eq(str_set_find(set, str_make(bytes, n)), expected);
  }
  arena_free(&arena);
}
END_TEST

UNIT_MAIN("base_arena", alloc_is_aligned_zeroed_and_apart, limit_is_exact_and_remembered,
          used_counts_padding, sizes_do_not_wrap_around, no_memory_is_a_refusal, copies_end_in_nul,
          printf_at_every_length, reset_keeps_a_block, large_pieces_do_not_waste_the_block,
          ONLY_WITH_ASAN deferred_last_first, deferred_without_memory_runs_at_once, vec_grows,
          vec_is_unchanged_when_full, murmur3_vectors, siphash_vectors, murmur3_verification_value,
          murmur3_of_parts, set_finds_what_was_added, set_of_few, set_of_long_keys)
