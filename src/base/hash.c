#include "adit/hash.h"

#include <assert.h>

static inline uint32_t rotate_left(uint32_t x, unsigned bits) {
  return (x << bits) | (x >> (32 - bits));
}

/* Little-endian whatever the machine; compilers make one load of it where they can. */
static inline uint32_t load_32(const uint8_t *p) {
  return (uint32_t)p[0] | (uint32_t)p[1] << 8 | (uint32_t)p[2] << 16 | (uint32_t)p[3] << 24;
}

static inline uint32_t mix_block(uint32_t k) {
  return rotate_left(k * UINT32_C(0xcc9e2d51), 15) * UINT32_C(0x1b873593);
}

static inline uint32_t mix_end(uint32_t h) {
  h = (h ^ (h >> 16)) * UINT32_C(0x85ebca6b);
  h = (h ^ (h >> 13)) * UINT32_C(0xc2b2ae35);
  return h ^ (h >> 16);
}

static inline uint32_t add_block(uint32_t h, const uint8_t *p) {
  return rotate_left(h ^ mix_block(load_32(p)), 13) * 5 + UINT32_C(0xe6546b64);
}

static inline uint32_t add_tail(uint32_t h, const uint8_t *p, size_t n) {
  uint32_t tail = 0;
  if (n >= 3) tail |= (uint32_t)p[2] << 16;
  if (n >= 2) tail |= (uint32_t)p[1] << 8;
  return n >= 1 ? h ^ mix_block(tail | p[0]) : h;
}

uint32_t murmur3_x86_32(const void *data, size_t n, uint32_t seed) {
  const uint8_t *p = data;
  uint32_t h = seed;
  size_t left = n;
  for (; left >= 4; left -= 4, p += 4) h = add_block(h, p);
  return mix_end(add_tail(h, p, left) ^ (uint32_t)n);
}

uint32_t murmur3_x86_32_parts(const struct str *parts, size_t n, uint32_t seed) {
  uint8_t block[4]; /* bytes that the parts so far left over */
  size_t held = 0, total = 0;
  uint32_t h = seed;
  for (size_t i = 0; i < n; i++) {
    total += parts[i].n;
    for (size_t k = 0; k < parts[i].n; k++) {
      block[held++] = (uint8_t)parts[i].p[k];
      if (held < sizeof(block)) continue;
      h = add_block(h, block);
      held = 0;
    }
  }
  return mix_end(add_tail(h, block, held) ^ (uint32_t)total);
}

/* ---- SipHash ----------------------------------------------------------------------------------
 */

static inline uint64_t rotate_left_64(uint64_t x, unsigned bits) {
  return (x << bits) | (x >> (64 - bits));
}

static inline void sip_rounds(uint64_t v[4], unsigned rounds) {
  for (; rounds > 0; rounds--) {
    v[0] += v[1];
    v[2] += v[3];
    v[1] = rotate_left_64(v[1], 13) ^ v[0];
    v[3] = rotate_left_64(v[3], 16) ^ v[2];
    v[0] = rotate_left_64(v[0], 32);
    v[2] += v[1];
    v[0] += v[3];
    v[1] = rotate_left_64(v[1], 17) ^ v[2];
    v[3] = rotate_left_64(v[3], 21) ^ v[0];
    v[2] = rotate_left_64(v[2], 32);
  }
}

static inline void sip_word(uint64_t v[4], uint64_t word) {
  v[3] ^= word;
  sip_rounds(v, 2);
  v[0] ^= word;
}

uint64_t siphash_2_4(const uint64_t key[2], const void *data, size_t n) {
  const uint8_t *p = data;
  uint64_t v[4] = {key[0] ^ UINT64_C(0x736f6d6570736575), key[1] ^ UINT64_C(0x646f72616e646f6d),
                   key[0] ^ UINT64_C(0x6c7967656e657261), key[1] ^ UINT64_C(0x7465646279746573)};
  size_t left = n;
  for (; left >= 8; left -= 8, p += 8)
    sip_word(v, (uint64_t)load_32(p) | (uint64_t)load_32(p + 4) << 32);
  uint64_t last = (uint64_t)(n & 0xff) << 56;
  for (size_t i = 0; i < left; i++) last |= (uint64_t)p[i] << (8 * i);
  sip_word(v, last);
  v[2] ^= 0xff;
  sip_rounds(v, 4);
  return v[0] ^ v[1] ^ v[2] ^ v[3];
}

uint64_t digest_of(struct str bytes) {
  static const uint64_t key[2] = {0x6164697420646967u, 0x6573742031000000u};
  return siphash_2_4(key, bytes.p, bytes.n);
}

/* ---- the set ----------------------------------------------------------------------------------
 */

/*
 * Open addressing with linear probing, at most half full. A slot holds the whole hash, so that a
 * key is compared only where it nearly certainly is; an entry's number counts from 1, 0 is free.
 */
struct slot {
  uint32_t hash;
  uint32_t number;
};

struct entry {
  struct str key;
  size_t value;
};

struct str_set {
  /* Bit min(n, 63) of each key's length n: most strings that are not in the set go here. */
  uint64_t lengths;
  size_t longest;
  uint32_t mask;
  uint32_t n;
  size_t capacity;
  struct slot *slots;
  struct entry *entries;
};

enum { SET_CAPACITY_MAX = 1 << 30 };

struct str_set *str_set_new(struct arena *arena, size_t capacity) {
  /* More than that is more than any memory: let the arena refuse, and remember it. */
  if (capacity > SET_CAPACITY_MAX) return arena_alloc_array(arena, SIZE_MAX, SIZE_MAX);
  uint32_t slots = 2;
  while (slots / 2 < capacity) slots *= 2;
  struct str_set *set = ARENA_NEW(arena, struct str_set);
  if (!set) return NULL;
  set->slots = ARENA_ARRAY(arena, struct slot, slots);
  set->entries = ARENA_ARRAY(arena, struct entry, capacity);
  if (!set->slots || !set->entries) return NULL;
  set->mask = slots - 1;
  set->capacity = capacity;
  return set;
}

static inline uint64_t length_bit(size_t n) {
  return UINT64_C(1) << (n < 63 ? n : 63);
}

/* The slot of the key, or the free one where it would go. */
static inline uint32_t probe(const struct str_set *set, struct str key, uint32_t hash) {
  uint32_t i = hash & set->mask;
  for (; set->slots[i].number != 0; i = (i + 1) & set->mask) {
    if (set->slots[i].hash == hash && str_eq(set->entries[set->slots[i].number - 1].key, key))
      break;
  }
  return i;
}

bool str_set_add(struct str_set *set, struct str key, size_t value) {
  uint32_t hash = murmur3_x86_32(key.p, key.n, 0);
  struct slot *slot = &set->slots[probe(set, key, hash)];
  if (slot->number != 0) return false;
  assert(set->n < set->capacity);
  set->entries[set->n] = (struct entry){key, value};
  set->n++;
  *slot = (struct slot){hash, set->n};
  set->lengths |= length_bit(key.n);
  if (key.n > set->longest) set->longest = key.n;
  return true;
}

size_t str_set_find(const struct str_set *set, struct str key) {
  if (!(set->lengths & length_bit(key.n)) || key.n > set->longest) return STR_SET_NONE;
  uint32_t hash = murmur3_x86_32(key.p, key.n, 0);
  uint32_t number = set->slots[probe(set, key, hash)].number;
  return number == 0 ? STR_SET_NONE : set->entries[number - 1].value;
}

size_t str_set_size(const struct str_set *set) {
  return set->n;
}

struct str str_set_key(const struct str_set *set, size_t i) {
  assert(i < set->n);
  return set->entries[i].key;
}
