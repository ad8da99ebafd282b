#include "cli/distinct.h"

#include <math.h>
#include <stdlib.h>

#include "adit/hash.h"

enum { FIRST_CAPACITY = 64, REGISTER_BITS = 14, REGISTERS = 1 << REGISTER_BITS };

void distinct_init(struct distinct *distinct, size_t max) {
  *distinct = (struct distinct){.max = max};
}

void distinct_deinit(struct distinct *distinct) {
  free(distinct->slots);
  free(distinct->registers);
  *distinct = (struct distinct){0};
}

/* Its slot, or the free one where it belongs. */
static uint64_t *find_slot(uint64_t *slots, size_t capacity, uint64_t number) {
  size_t i = (size_t)mix_64(number, 1) & (capacity - 1);
  while (slots[i] != 0 && slots[i] != number) i = (i + 1) & (capacity - 1);
  return &slots[i];
}

static void note_register(uint8_t *registers, uint64_t number) {
  const uint64_t bits = mix_64(number, 2);
  const uint64_t rest = bits << REGISTER_BITS | UINT64_C(1) << (REGISTER_BITS - 1);
  const uint8_t rank = (uint8_t)(__builtin_clzll(rest) + 1);
  uint8_t *at = &registers[bits >> (64 - REGISTER_BITS)];
  if (rank > *at) *at = rank;
}

/* From now on they are estimated. */
static void estimate(struct distinct *distinct) {
  distinct->registers = calloc(REGISTERS, 1);
  distinct->failed |= !distinct->registers;
  for (size_t i = 0; distinct->registers && i < distinct->capacity; i++)
    if (distinct->slots[i] != 0) note_register(distinct->registers, distinct->slots[i]);
  free(distinct->slots);
  distinct->slots = NULL;
  distinct->capacity = 0;
}

/* Room for one more at half full. False: memory. */
static bool grow(struct distinct *distinct) {
  if (2 * (distinct->n + 1) <= distinct->capacity) return true;
  const size_t capacity = distinct->capacity ? 2 * distinct->capacity : FIRST_CAPACITY;
  uint64_t *slots = calloc(capacity, sizeof(*slots));
  if (!slots) return false;
  for (size_t i = 0; i < distinct->capacity; i++)
    if (distinct->slots[i] != 0)
      *find_slot(slots, capacity, distinct->slots[i]) = distinct->slots[i];
  free(distinct->slots);
  distinct->slots = slots;
  distinct->capacity = capacity;
  return true;
}

void distinct_add(struct distinct *distinct, uint64_t number) {
  if (number == 0) number = 1;
  if (distinct->registers) {
    note_register(distinct->registers, number);
    return;
  }
  if (distinct->failed) return;
  uint64_t *slot = distinct->slots ? find_slot(distinct->slots, distinct->capacity, number) : NULL;
  if (slot && *slot == number) return;
  if (distinct->n == distinct->max || !grow(distinct)) {
    estimate(distinct);
    if (distinct->registers) note_register(distinct->registers, number);
    return;
  }
  *find_slot(distinct->slots, distinct->capacity, number) = number;
  distinct->n++;
}

void distinct_merge(struct distinct *distinct, const struct distinct *other) {
  distinct->failed |= other->failed;
  for (size_t i = 0; i < other->capacity; i++)
    if (other->slots[i] != 0) distinct_add(distinct, other->slots[i]);
  if (!other->registers) return;
  if (!distinct->registers) estimate(distinct);
  for (size_t i = 0; distinct->registers && i < REGISTERS; i++)
    if (other->registers[i] > distinct->registers[i]) distinct->registers[i] = other->registers[i];
}

uint64_t distinct_count(const struct distinct *distinct) {
  if (!distinct->registers) return distinct->n;
  double sum = 0;
  size_t zeros = 0;
  for (size_t i = 0; i < REGISTERS; i++) {
    sum += ldexp(1, -distinct->registers[i]);
    zeros += distinct->registers[i] == 0;
  }
  const double m = REGISTERS, alpha = 0.7213 / (1 + 1.079 / m);
  const double raw = alpha * m * m / sum;
  /* Few, as after two small counters have become one: linear counting is better. */
  if (raw <= 2.5 * m && zeros > 0) return (uint64_t)llround(m * log(m / (double)zeros));
  return (uint64_t)llround(raw);
}

bool distinct_is_exact(const struct distinct *distinct) {
  return !distinct->registers && !distinct->failed;
}
