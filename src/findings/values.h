/*
 * values: what a slot may hold, given the leaves that were assumed of it. Private to src/findings.
 *
 * A slot is missing or holds values; the two are kept apart, so that no leaf has to branch. Sets
 * are immutable, in an arena; what is assumed makes a new one.
 */
#ifndef ADIT_FINDINGS_VALUES_H
#define ADIT_FINDINGS_VALUES_H

#include "domain.h"

/* How a condition's value is restricted: three-valued, so that "not true" is more than "false". */
enum assumption { ASSUME_TRUE, ASSUME_FALSE, ASSUME_NOT_TRUE, ASSUME_NOT_FALSE };

/* Leaves in a list that only grows in front. */
struct leaf_list {
  const struct leaf *leaf;
  const struct leaf_list *next;
};

/* Values one by one. */
struct value_set {
  const uint64_t *cells;
  const uint64_t *buckets[DOMAIN_SALTS_MAX]; /* by salt; NULL: all */
  const struct leaf_list *held, *refused;    /* opaque leaves that hold, that do not */
};

/* What a slot may hold: all of its values are of `each`, and for every leaf of `some` one has it.
 */
struct slot_values {
  bool may_miss, may_be;
  struct value_set each;
  const struct leaf_list *some; /* empty where a slot has at most one value */
};

struct values_maker {
  struct arena *arena;
  struct regex_scratch *scratch;
  size_t *steps; /* what is left to be spent */
};

/* Anything that the slot can hold. */
const struct slot_values *values_any(const struct values_maker *maker, const struct domain *domain);
/* With the leaf assumed. NULL: memory. */
const struct slot_values *values_assume(const struct values_maker *maker,
                                        const struct domain *domain,
                                        const struct slot_values *values, const struct leaf *leaf,
                                        enum assumption assumption);
/* Whether nothing is left: surely, when true. */
bool values_are_impossible(const struct values_maker *maker, const struct domain *domain,
                           const struct slot_values *values);
/* With one leaf more that a value holds; NULL: memory. */
const struct value_set *value_set_with(const struct values_maker *maker,
                                       const struct domain *domain, const struct value_set *set,
                                       const struct leaf *leaf, bool holds);
bool value_set_is_empty(const struct values_maker *maker, const struct domain *domain,
                        const struct value_set *set);
/* Whether a value is of the set: exactly, where no match limit is hit. */
bool value_set_has(const struct values_maker *maker, const struct domain *domain,
                   const struct value_set *set, const struct attr_datum *value);

#endif
