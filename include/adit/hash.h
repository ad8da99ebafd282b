/*
 * hash: MurmurHash3 (x86, 32 bit), which the contract names for buckets; SipHash, for tables whose
 * keys strangers choose; and a table of strings.
 */
#ifndef ADIT_HASH_H
#define ADIT_HASH_H

#include "adit/arena.h"

/* MurmurHash3_x86_32 of Austin Appleby (public domain algorithm, own code). */
uint32_t murmur3_x86_32(const void *data, size_t n, uint32_t seed);
/* The same of the parts one behind the other, without joining them. */
uint32_t murmur3_x86_32_parts(const struct str *parts, size_t n, uint32_t seed);

/* Another number for each `nth`, in which each bit depends on every bit of both (splitmix64 of
 * Steele, Lea and Flood). */
static inline uint64_t mix_64(uint64_t number, uint64_t nth) {
  uint64_t x = number + nth * UINT64_C(0x9E3779B97F4A7C15);
  x = (x ^ x >> 30) * UINT64_C(0xBF58476D1CE4E5B9);
  x = (x ^ x >> 27) * UINT64_C(0x94D049BB133111EB);
  return x ^ x >> 31;
}

/* SipHash-2-4 of Aumasson and Bernstein: without the key nobody can choose what collides. */
uint64_t siphash_2_4(const uint64_t key[2], const void *data, size_t n);
/* The same with a key that everybody knows: to tell whether something has changed. */
uint64_t digest_of(struct str bytes);

/*
 * A set of byte strings that is built once and then only asked; each has the index of its
 * insertion. Lives in an arena; keys are not copied.
 */
struct str_set;

#define STR_SET_NONE SIZE_MAX

/* An empty set for up to `capacity` keys. NULL: memory. */
struct str_set *str_set_new(struct arena *arena, size_t capacity)
    __attribute__((warn_unused_result));
/* Adds a key with a value. Returns false when it is there already (the old value stays). Adding
 * more than `capacity` keys is a programming error. */
bool str_set_add(struct str_set *set, struct str key, size_t value);
/* The key's value, or STR_SET_NONE. */
size_t str_set_find(const struct str_set *set, struct str key);
/* The number of keys, and the i-th of them in the order of addition. */
size_t str_set_size(const struct str_set *set);
struct str str_set_key(const struct str_set *set, size_t i);

#endif
