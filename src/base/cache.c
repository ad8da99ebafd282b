#include "adit/cache.h"

#include <stdlib.h>

bool cache_init(struct cache *cache, unsigned entries, uint64_t bytes) {
  uint32_t buckets = 16;
  while (buckets < entries) buckets *= 2;
  *cache = (struct cache){.entry_max = entries, .bytes_max = bytes, .bucket_mask = buckets - 1};
  /* Zeroed by the kernel when first touched: a large cache that is little used takes little. */
  cache->entries = calloc((size_t)entries + 1, sizeof(*cache->entries));
  cache->buckets = calloc(buckets, sizeof(*cache->buckets));
  return cache->entries && cache->buckets;
}

void cache_deinit(struct cache *cache) {
  for (uint32_t i = 1; cache->entries && i <= cache->used; i++) {
    free(cache->entries[i].key);
    free(cache->entries[i].value);
  }
  free(cache->entries);
  free(cache->buckets);
}

/* ---- lists ----------------------------------------------------------------------------------- */

static void unlink_use(struct cache *cache, uint32_t i) {
  struct cache_entry *entry = &cache->entries[i];
  *(entry->newer ? &cache->entries[entry->newer].older : &cache->newest) = entry->older;
  *(entry->older ? &cache->entries[entry->older].newer : &cache->oldest) = entry->newer;
}

static void link_newest(struct cache *cache, uint32_t i) {
  struct cache_entry *entry = &cache->entries[i];
  entry->newer = 0;
  entry->older = cache->newest;
  *(cache->newest ? &cache->entries[cache->newest].newer : &cache->oldest) = i;
  cache->newest = i;
}

static uint32_t *bucket_of(struct cache *cache, uint64_t hash) {
  return &cache->buckets[(uint32_t)hash & cache->bucket_mask];
}

/* ---- entries --------------------------------------------------------------------------------- */

static size_t bytes_of(const struct cache_entry *entry) {
  return entry->key_n + entry->value_bytes;
}

static void drop(struct cache *cache, uint32_t i) {
  struct cache_entry *entry = &cache->entries[i];
  uint32_t *at = bucket_of(cache, entry->hash);
  while (*at != i) at = &cache->entries[*at].chain;
  *at = entry->chain;
  unlink_use(cache, i);
  cache->entry_count--;
  cache->bytes -= bytes_of(entry);
  free(entry->key);
  free(entry->value);
  *entry = (struct cache_entry){.chain = cache->spare};
  cache->spare = i;
}

struct cache_entry *cache_find(struct cache *cache, uint64_t hash, struct str key) {
  uint32_t i = *bucket_of(cache, hash);
  for (; i; i = cache->entries[i].chain) {
    struct cache_entry *entry = &cache->entries[i];
    if (entry->hash == hash && str_eq(str_make(entry->key, entry->key_n), key)) break;
  }
  if (i == 0) return NULL;
  if (cache->newest != i) {
    unlink_use(cache, i);
    link_newest(cache, i);
  }
  return &cache->entries[i];
}

/* A free place; there is one after make_room(). */
static uint32_t take_place(struct cache *cache) {
  uint32_t i = cache->spare;
  if (i == 0) return ++cache->used;
  cache->spare = cache->entries[i].chain;
  return i;
}

void cache_clear(struct cache *cache) {
  while (cache->oldest) drop(cache, cache->oldest);
}

static void make_room(struct cache *cache, size_t bytes) {
  while (cache->oldest &&
         (cache->entry_count >= cache->entry_max || cache->bytes + bytes > cache->bytes_max))
    drop(cache, cache->oldest);
}

struct cache_entry *cache_put(struct cache *cache, uint64_t hash, struct str key, void *value,
                              size_t value_bytes, unsigned why) {
  struct cache_entry *old = cache_find(cache, hash, key);
  if (old) drop(cache, (uint32_t)(old - cache->entries));
  struct cache_entry made = {
      .hash = hash, .key_n = key.n, .value = value, .value_bytes = value_bytes, .why = why};
  made.key = malloc(key.n + 1);
  if (!made.key) {
    free(value);
    return NULL;
  }
  memcpy(made.key, key.p, key.n);
  made.key[key.n] = '\0';
  make_room(cache, bytes_of(&made));
  const uint32_t i = take_place(cache);
  uint32_t *bucket = bucket_of(cache, hash);
  made.chain = *bucket;
  cache->entries[i] = made;
  *bucket = i;
  link_newest(cache, i);
  cache->entry_count++;
  cache->bytes += bytes_of(&made);
  return &cache->entries[i];
}
