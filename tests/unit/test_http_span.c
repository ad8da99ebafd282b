/* Blocks of SIMD find what the table finds, wherever a run begins and ends. */
#include "http/span.h"
#include "unit.h"

#define COUNT(array) (sizeof(array) / sizeof(*(array)))

static const struct {
  const char *name;
  size_t (*span)(const char *p, size_t from, size_t to);
  enum http_char class;
} spans[] = {
    {"value", http_span_value, HTTP_CHAR_VALUE},
    {"target", http_span_target, HTTP_CHAR_TARGET},
    {"token", http_span_token, HTTP_CHAR_TOKEN},
    {"reg-name", http_span_reg_name, HTTP_CHAR_REG_NAME},
};

/* `p` has `n` octets and not one more, which the address sanitizer sees to. */
static void check_from(const char *p, size_t from, size_t n) {
  for (size_t i = 0; i < COUNT(spans); i++) {
    const size_t found = spans[i].span(p, from, n);
    const size_t expected = http_span_portable(p, from, n, spans[i].class);
    ck_assert_msg(found == expected, "%s of %zu from %zu on: %zu, by table %zu", spans[i].name, n,
                  from, found, expected);
  }
  const uint64_t found = http_find_controls(p, from, n);
  ck_assert_msg(found == http_find_controls_portable(p, from, n), "controls of %zu from %zu on", n,
                from);
}

/* Octets that begin `offset` behind an address that 16 divides. */
struct octets {
  char *block;
  char *p;
};

static struct octets octets_at(size_t offset, size_t n) {
  struct octets octets = {.block = malloc(offset + n)};
  if (offset + n > 0) ck_assert_ptr_nonnull(octets.block);
  octets.p = octets.block + offset;
  return octets;
}

START_TEST(every_octet_at_every_place)
{
  static const size_t lengths[] = {1, 15, 16, 17, 33, 64, 65, 81};
  for (size_t k = 0; k < COUNT(lengths); k++) {
    const size_t n = lengths[k];
    struct octets octets = octets_at(0, n);
    memset(octets.p, 'a', n);
    for (size_t at = 0; at < n; at++) {
      for (unsigned c = 0; c < 256; c++) {
        octets.p[at] = (char)c;
        check_from(octets.p, 0, n);
        check_from(octets.p, at > 0 ? at - 1 : 0, n);
      }
      octets.p[at] = 'a';
    }
    free(octets.block);
  }
}
END_TEST

/* The same numbers in each run. */
static uint32_t next_random(uint32_t *state) {
  *state = *state * 1664525 + 1013904223;
  return *state >> 8;
}

START_TEST(random_octets_of_every_length_at_every_address)
{
  static const char ordinary[] = "abcXYZ019-.";
  uint32_t state = 1;
  for (size_t n = 0; n <= 100; n++) {
    for (size_t offset = 0; offset < 16; offset++) {
      struct octets octets = octets_at(offset, n);
      for (size_t i = 0; i < n; i++) {
        const bool any = next_random(&state) % 20 == 0;
        const uint32_t c = next_random(&state);
        octets.p[i] = any ? (char)c : ordinary[c % (sizeof(ordinary) - 1)];
      }
      for (size_t from = 0; from <= n; from++) check_from(octets.p, from, n);
      free(octets.block);
    }
  }
}
END_TEST

UNIT_MAIN("http_span", every_octet_at_every_place, random_octets_of_every_length_at_every_address)
