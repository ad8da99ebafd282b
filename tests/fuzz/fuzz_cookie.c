/*
 * fuzz_cookie: any bytes are a cookie of ours or are refused. One that verifies is written back to
 * the same bytes; one that is written verifies, and no more once a byte is another.
 */
#include <stdlib.h>

#include "adit/decide.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static const struct sticky_key KEYS[] = {
    {STR_INIT("new"), STR_INIT("0123456789abcdef0123456789abcdef")},
    {STR_INIT("old"), STR_INIT("fedcba9876543210fedcba9876543210")},
};
static const int64_t TTL_MS = INT64_C(604800000);
static const int64_t NOW_MS = INT64_C(1767225600000);

static void require(bool holds) {
  if (!holds) abort();
}

static void try_value(struct decider *decider, struct str value) {
  struct sticky_cookie cookie;
  char again[COOKIE_VALUE_MAX];
  if (sticky_cookie_read(decider, STR("adit_a"), value, TTL_MS, NOW_MS, &cookie) != COOKIE_VALID)
    return;
  size_t n = sticky_cookie_write(decider, STR("adit_a"), &cookie, again);
  require(n > 0 && (str_eq(value, str_make(again, n)) || str_starts_with(value, STR("1~old~"))));
  require(sticky_cookie_read(decider, STR("adit_b"), value, TTL_MS, NOW_MS, &cookie) ==
          COOKIE_FORGED);
}

/* The first bytes are a cookie's numbers, the others its variant. */
static void try_cookie(struct decider *decider, const uint8_t *data, size_t size) {
  struct sticky_cookie cookie = {.issued_ms = NOW_MS - data[0] * INT64_C(1000000)}, back;
  memcpy(&cookie.epoch, data + 1, sizeof(cookie.epoch));
  memcpy(cookie.anonymous_id, data + 8, ANONYMOUS_ID_BYTES);
  struct str variant = str_make((const char *)data + 24, size - 24);
  cookie.variant = variant.n > 0 ? variant : (struct str){0};
  char value[COOKIE_VALUE_MAX];
  size_t n = sticky_cookie_write(decider, STR("adit_a"), &cookie, value);
  if (n == 0) return; /* too long */
  enum cookie_verdict verdict =
      sticky_cookie_read(decider, STR("adit_a"), str_make(value, n), TTL_MS, NOW_MS, &back);
  if (str_find_char(variant, '~', 0) < variant.n) {
    require(verdict != COOKIE_VALID); /* no name holds the separator; it cannot move a field */
    return;
  }
  require(verdict == COOKIE_VALID);
  require(str_eq(back.variant, cookie.variant) && back.epoch == cookie.epoch);
  require(memcmp(back.anonymous_id, cookie.anonymous_id, ANONYMOUS_ID_BYTES) == 0);
  require(back.issued_ms == cookie.issued_ms);
  value[data[5] % n] ^= (char)(data[6] | 1);
  require(sticky_cookie_read(decider, STR("adit_a"), str_make(value, n), TTL_MS, NOW_MS, &back) !=
          COOKIE_VALID);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
  static struct decider *decider;
  if (!decider) decider = decider_new(NULL, KEYS, 2);
  require(decider != NULL);
  try_value(decider, str_make((const char *)data, size));
  if (size >= 24) try_cookie(decider, data, size);
  return 0;
}
