/*
 * Intervals: made of sorted prefixes by one sweep with a stack of those that are open, and asked.
 */
#include "ranges.h"

#include <stdlib.h>

/* ---- keys ------------------------------------------------------------------------------------ */

static uint64_t load_big_endian(const uint8_t bytes[8]) {
  uint64_t value;
  memcpy(&value, bytes, sizeof(value));
  return __BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__ ? __builtin_bswap64(value) : value;
}

struct geo_key geo_key_of(const struct ip_address *ip) {
  struct geo_key key = {load_big_endian(ip->bytes), load_big_endian(ip->bytes + 8)};
  if (ip_is_v4(ip)) key.low = (uint32_t)key.low;
  return key;
}

int geo_key_compare(struct geo_key a, struct geo_key b) {
  if (a.high != b.high) return a.high < b.high ? -1 : 1;
  return (a.low > b.low) - (a.low < b.low);
}

int geo_prefix_compare(const void *a, const void *b) {
  const struct geo_prefix *first = a;
  const struct geo_prefix *second = b;
  if (first->v4 != second->v4) return first->v4 ? -1 : 1;
  int order = geo_key_compare(first->first, second->first);
  return order != 0 ? order : (int)first->bits - (int)second->bits;
}

/* ---- building -------------------------------------------------------------------------------- */

/* No more prefixes can be open at once than there are lengths of them. */
enum { LENGTHS = 129 };

struct sweep {
  struct geo_intervals *intervals;
  bool v4;
  const struct geo_prefix *open[LENGTHS];
  size_t open_count;
};

static struct geo_key start_at(const struct sweep *sweep, size_t i) {
  if (sweep->v4) return (struct geo_key){0, ((const uint32_t *)sweep->intervals->starts)[i]};
  return ((const struct geo_key *)sweep->intervals->starts)[i];
}

/* From `start` on the value is another one. */
static void begin_interval(struct sweep *sweep, struct geo_key start, uint32_t value) {
  struct geo_intervals *intervals = sweep->intervals;
  size_t n = intervals->n;
  if (n > 0 && geo_key_compare(start_at(sweep, n - 1), start) == 0) n--;
  if (n == 0 || intervals->values[n - 1] != value) {
    if (sweep->v4) {
      ((uint32_t *)intervals->starts)[n] = (uint32_t)start.low;
    } else {
      ((struct geo_key *)intervals->starts)[n] = start;
    }
    intervals->values[n++] = value;
  }
  intervals->n = n;
}

/* Ends the innermost prefix: behind it goes on what it is in. */
static void end_prefix(struct sweep *sweep) {
  struct geo_key last = sweep->open[--sweep->open_count]->last;
  const struct geo_prefix *outer =
      sweep->open_count > 0 ? sweep->open[sweep->open_count - 1] : NULL;
  struct geo_key next = {last.high + (last.low == UINT64_MAX), last.low + 1};
  bool is_highest = sweep->v4 ? last.low == UINT32_MAX : next.high == 0 && next.low == 0;
  if (!is_highest) begin_interval(sweep, next, outer ? outer->value : (uint32_t)GEO_NO_VALUE);
}

static void sweep_prefixes(struct sweep *sweep, const struct geo_prefix *prefixes, size_t n) {
  begin_interval(sweep, (struct geo_key){0, 0}, GEO_NO_VALUE);
  for (size_t i = 0; i < n; i++) {
    const struct geo_prefix *prefix = &prefixes[i];
    while (sweep->open_count > 0 &&
           geo_key_compare(sweep->open[sweep->open_count - 1]->last, prefix->first) < 0) {
      end_prefix(sweep);
    }
    sweep->open[sweep->open_count++] = prefix;
    begin_interval(sweep, prefix->first, prefix->value);
  }
  while (sweep->open_count > 0) end_prefix(sweep);
}

/* Gives back what the sweep did not need; where that fails all is kept. */
static void *shrink(void *array, size_t n, size_t size) {
  void *smaller = reallocarray(array, n, size);
  return smaller ? smaller : array;
}

bool geo_intervals_build(struct geo_intervals *intervals, const struct geo_prefix *prefixes,
                         size_t n, bool v4) {
  size_t size = v4 ? sizeof(uint32_t) : sizeof(struct geo_key);
  struct sweep sweep = {.intervals = intervals, .v4 = v4};
  intervals->starts = reallocarray(NULL, 2 * n + 1, size);
  intervals->values = reallocarray(NULL, 2 * n + 1, sizeof(uint32_t));
  if (!intervals->starts || !intervals->values) return false;
  sweep_prefixes(&sweep, prefixes, n);
  intervals->starts = shrink(intervals->starts, intervals->n, size);
  intervals->values = shrink(intervals->values, intervals->n, sizeof(uint32_t));
  return true;
}

/* ---- asking ---------------------------------------------------------------------------------- */

/* The last start that is not behind the address: without a branch that could be guessed wrong. */
static size_t find_v4(const struct geo_intervals *intervals, uint32_t address) {
  const uint32_t *base = intervals->starts;
  for (size_t n = intervals->n; n > 1; n -= n / 2) {
    base += base[n / 2] <= address ? n / 2 : 0;
  }
  return (size_t)(base - (const uint32_t *)intervals->starts);
}

static bool is_not_behind(struct geo_key start, struct geo_key address) {
  return start.high < address.high || (start.high == address.high && start.low <= address.low);
}

static size_t find_v6(const struct geo_intervals *intervals, struct geo_key address) {
  const struct geo_key *base = intervals->starts;
  for (size_t n = intervals->n; n > 1; n -= n / 2) {
    base += is_not_behind(base[n / 2], address) ? n / 2 : 0;
  }
  return (size_t)(base - (const struct geo_key *)intervals->starts);
}

const struct geo_value *geo_ranges_find(const struct geo_ranges *ranges,
                                        const struct ip_address *ip) {
  struct geo_key key = geo_key_of(ip);
  uint32_t value = ip_is_v4(ip) ? ranges->v4.values[find_v4(&ranges->v4, (uint32_t)key.low)]
                                : ranges->v6.values[find_v6(&ranges->v6, key)];
  return value == (uint32_t)GEO_NO_VALUE ? NULL : &ranges->values[value];
}

size_t geo_ranges_size(const struct geo_ranges *ranges) {
  return ranges->size;
}

size_t geo_ranges_bytes(const struct geo_ranges *ranges) {
  return sizeof(*ranges) + arena_used(ranges->arena) +
         ranges->v4.n * (sizeof(uint32_t) + sizeof(uint32_t)) +
         ranges->v6.n * (sizeof(struct geo_key) + sizeof(uint32_t)) +
         ranges->value_count * sizeof(struct geo_value);
}
