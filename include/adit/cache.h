/*
 * cache: what was found out, by key; bounded in entries and bytes, the longest unused goes first.
 * It belongs to one thread, and knows no time: what its entries are good for is their user's to
 * say. Finding allocates nothing.
 */
#ifndef ADIT_CACHE_H
#define ADIT_CACHE_H

#include "adit/str.h"

struct cache_entry {
  uint64_t hash;
  char *key;
  size_t key_n;
  void *value; /* one block; NULL: there is none, as `why` says */
  size_t value_bytes;
  unsigned why;
  int64_t fresh_until_ms;  /* before: used as it is */
  int64_t usable_until_ms; /* before: used while it is renewed */
  uint32_t chain;          /* the next of its bucket; indices count from 1 */
  uint32_t newer, older;   /* by last use */
};

struct cache {
  struct cache_entry *entries; /* 1 .. entry_max; 0 is the end of a list */
  uint32_t *buckets;
  uint32_t bucket_mask;
  uint32_t entry_max, used, spare; /* how many were ever used; those that are free again */
  uint32_t newest, oldest;
  size_t entry_count, bytes;
  uint64_t bytes_max;
};

/* False: memory. */
bool cache_init(struct cache *cache, unsigned entries, uint64_t bytes)
    __attribute__((warn_unused_result));
void cache_deinit(struct cache *cache);
void cache_clear(struct cache *cache);
/*
 * The entry of a key, used now; NULL: there is none. Holds until the next put. `hash` is of the key
 * or a part of it, and of a kind in which strangers cannot make keys that collide (siphash_2_4);
 * keys are compared whole.
 */
struct cache_entry *cache_find(struct cache *cache, uint64_t hash, struct str key);
/*
 * Takes `value` (of malloc; NULL: `why`) over in place of what the key had, and makes room for it.
 * The new entry's times are 0. NULL: no memory, nothing is kept, `value` is freed.
 */
struct cache_entry *cache_put(struct cache *cache, uint64_t hash, struct str key, void *value,
                              size_t value_bytes, unsigned why);

#endif
