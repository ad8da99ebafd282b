/*
 * distinct: how many different numbers were added, private to src/cli.
 *
 * Exact while they are few enough to keep; then an estimate (HyperLogLog of Flajolet, Fusy,
 * Gandouet and Meunier, 2^14 registers: 0.8 % off as a rule), which says that it is one. What two
 * counters hold together does not depend on how the numbers were divided between them.
 */
#ifndef ADIT_CLI_DISTINCT_H
#define ADIT_CLI_DISTINCT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct distinct {
  size_t max;      /* so many are kept */
  uint64_t *slots; /* a table of those that are kept; 0: free */
  size_t capacity, n;
  uint8_t *registers; /* NULL: they are all kept */
  bool failed;        /* memory was short: the count is too low */
};

/* Takes no memory yet. */
void distinct_init(struct distinct *distinct, size_t max);
void distinct_deinit(struct distinct *distinct);
/* `number`: a good hash of what is counted. */
void distinct_add(struct distinct *distinct, uint64_t number);
/* Adds all that the other one has. */
void distinct_merge(struct distinct *distinct, const struct distinct *other);
uint64_t distinct_count(const struct distinct *distinct);
bool distinct_is_exact(const struct distinct *distinct);

#endif
