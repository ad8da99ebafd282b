/*
 * ranges: prefixes flattened to intervals, private to src/geo.
 *
 * Nested prefixes become disjoint intervals that cover the whole space of a family; of each only
 * the first address and the value are kept, since it ends where the next one begins. So an address
 * is found by one binary search, however deep it is nested, and a prefix costs at most two
 * intervals: of 8 bytes for IPv4, of 20 for IPv6.
 */
#ifndef ADIT_GEO_RANGES_H
#define ADIT_GEO_RANGES_H

#include "adit/arena.h"
#include "adit/geo.h"

/* An address as numbers; IPv4 in the low 32 bits of `low`. */
struct geo_key {
  uint64_t high, low;
};

enum { GEO_NO_VALUE = UINT32_MAX };

/* Intervals of one family: the i-th begins at starts[i] and has value values[i]. The first begins
 * at the lowest address. */
struct geo_intervals {
  void *starts; /* uint32_t of IPv4, struct geo_key of IPv6 */
  uint32_t *values;
  size_t n;
};

struct geo_ranges {
  struct arena *arena; /* the values' */
  struct geo_intervals v4, v6;
  struct geo_value *values;
  size_t value_count;
  size_t size; /* prefixes */
};

/* A prefix on its way to intervals. */
struct geo_prefix {
  struct geo_key first, last;
  uint32_t value;
  uint32_t line, column; /* of its text */
  uint8_t bits;          /* over 128, as in struct ip_network */
  bool v4;
};

struct geo_key geo_key_of(const struct ip_address *ip);
int geo_key_compare(struct geo_key a, struct geo_key b);
/* By family, then by first address, the shorter first: a prefix comes behind those it is in. */
int geo_prefix_compare(const void *a, const void *b);
/* Makes intervals of `n` prefixes of one family, in that order and each only once. False: memory.
 */
bool geo_intervals_build(struct geo_intervals *intervals, const struct geo_prefix *prefixes,
                         size_t n, bool v4) __attribute__((warn_unused_result));

#endif
