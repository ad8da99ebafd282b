#include "values.h"

static void spend(const struct values_maker *maker, size_t n) {
  *maker->steps -= n < *maker->steps ? n : *maker->steps;
}

/* ---- sets of values -------------------------------------------------------------------------- */

static bool contradicts(const struct value_set *set) {
  for (const struct leaf_list *held = set->held; held; held = held->next) {
    for (const struct leaf_list *refused = set->refused; refused; refused = refused->next)
      if (leaf_implies(held->leaf, refused->leaf)) return true;
    for (const struct leaf_list *other = held->next; other; other = other->next)
      if (leaf_excludes(held->leaf, other->leaf)) return true;
  }
  return false;
}

static bool is_without_buckets(const uint64_t *buckets) {
  for (size_t i = 0; i < BUCKET_WORDS; i++)
    if (buckets[i]) return false;
  return true;
}

/* Nothing is left between bounds; those themselves are asked one by one. */
static bool keep_bounds_only(const struct values_maker *maker, const struct domain *domain,
                             struct value_set *set) {
  uint64_t *cells = ARENA_ARRAY(maker->arena, uint64_t, domain->word_count);
  if (!cells) return false;
  for (size_t i = 0; i < domain->word_count; i++) cells[i] = set->cells[i] & ~OPEN_CELLS;
  set->cells = cells;
  return true;
}

static bool restrict_cells(const struct values_maker *maker, const struct domain *domain,
                           struct value_set *set, const struct leaf *leaf, bool holds) {
  uint64_t *cells = ARENA_ARRAY(maker->arena, uint64_t, domain->word_count);
  if (!cells) return false;
  spend(maker, domain->word_count / 16 + leaf->n);
  domain_cells_of(domain, leaf, cells);
  for (size_t i = 0; i < domain->word_count; i++)
    cells[i] = set->cells[i] & (holds ? cells[i] : ~cells[i]);
  set->cells = cells;
  return true;
}

static bool restrict_buckets(const struct values_maker *maker, const struct domain *domain,
                             struct value_set *set, const struct leaf *leaf, bool holds) {
  size_t salt = domain_salt_of(domain, leaf);
  const uint64_t *before = set->buckets[salt];
  uint64_t *buckets = ARENA_ARRAY(maker->arena, uint64_t, BUCKET_WORDS);
  if (!buckets) return false;
  unsigned from = leaf->with.share.from, to = leaf->with.share.to;
  if (holds) {
    bits_set_range(buckets, from, to);
  } else {
    bits_set_range(buckets, 0, from);
    bits_set_range(buckets, to, BUCKETS);
  }
  for (size_t i = 0; before && i < BUCKET_WORDS; i++) buckets[i] &= before[i];
  set->buckets[salt] = buckets;
  spend(maker, 8);
  return !is_without_buckets(buckets) || keep_bounds_only(maker, domain, set);
}

static bool restrict_opaque(const struct values_maker *maker, const struct domain *domain,
                            struct value_set *set, const struct leaf *leaf, bool holds) {
  struct leaf_list *link = ARENA_NEW(maker->arena, struct leaf_list);
  if (!link) return false;
  const struct leaf_list **list = holds ? &set->held : &set->refused;
  *link = (struct leaf_list){leaf, *list};
  *list = link;
  spend(maker, 8);
  return !contradicts(set) || keep_bounds_only(maker, domain, set);
}

static bool restrict_set(const struct values_maker *maker, const struct domain *domain,
                         struct value_set *set, const struct leaf *leaf, bool holds) {
  switch (domain_shape(domain, leaf)) {
    case SHAPE_CELLS:
      return restrict_cells(maker, domain, set, leaf, holds);
    case SHAPE_BUCKETS:
      return restrict_buckets(maker, domain, set, leaf, holds);
    case SHAPE_OPAQUE:
      break;
  }
  return restrict_opaque(maker, domain, set, leaf, holds);
}

const struct value_set *value_set_with(const struct values_maker *maker,
                                       const struct domain *domain, const struct value_set *set,
                                       const struct leaf *leaf, bool holds) {
  struct value_set *more = ARENA_NEW(maker->arena, struct value_set);
  if (!more) return NULL;
  *more = *set;
  return restrict_set(maker, domain, more, leaf, holds) ? more : NULL;
}

/* Opaque leaves and buckets, asked of one value. A limit leaves it open: it may be. */
static bool passes(const struct values_maker *maker, const struct domain *domain,
                   const struct value_set *set, const struct attr_datum *value) {
  for (const struct leaf_list *list = set->held; list; list = list->next) {
    bool limit = false;
    spend(maker, 1);
    if (!leaf_test_value(list->leaf, value, maker->scratch, &limit) && !limit) return false;
  }
  for (const struct leaf_list *list = set->refused; list; list = list->next) {
    spend(maker, 1);
    if (leaf_test_value(list->leaf, value, maker->scratch, NULL)) return false;
  }
  for (size_t i = 0; i < domain->salt_count; i++) {
    if (set->buckets[i] && !bit_get(set->buckets[i], rules_bucket(domain->salts[i], value->text)))
      return false;
  }
  return true;
}

bool value_set_has(const struct values_maker *maker, const struct domain *domain,
                   const struct value_set *set, const struct attr_datum *value) {
  return bit_get(set->cells, domain_cell_of(domain, value)) && passes(maker, domain, set, value);
}

/*
 * Buckets and opaque tests look at a value's text, which a bound stands for only where equal values
 * have equal texts.
 */
bool value_set_is_empty(const struct values_maker *maker, const struct domain *domain,
                        const struct value_set *set) {
  uint64_t bounds = 0;
  for (size_t i = 0; i < domain->word_count; i++) {
    if (set->cells[i] & OPEN_CELLS) return false;
    bounds |= set->cells[i];
  }
  if (!bounds) return true;
  if (!attr_type_is_text(domain->type)) {
    /* Only lists that are too long to be cells are opaque here. */
    return false;
  }
  for (size_t i = 0; i < domain->word_count; i++) {
    for (uint64_t left = set->cells[i]; left; left &= left - 1) {
      size_t cell = i * 64 + (size_t)__builtin_ctzll(left);
      if (passes(maker, domain, set, &domain->bounds[cell / 2])) return false;
    }
  }
  return true;
}

/* ---- slots ----------------------------------------------------------------------------------- */

const struct slot_values *values_any(const struct values_maker *maker,
                                     const struct domain *domain) {
  struct slot_values *values = ARENA_NEW(maker->arena, struct slot_values);
  if (!values) return NULL;
  *values = (struct slot_values){
      .may_miss = !domain->always, .may_be = true, .each = {.cells = domain->inhabited}};
  return values;
}

static bool allows(enum assumption assumption, enum tristate result) {
  switch (assumption) {
    case ASSUME_TRUE:
      return result == TRISTATE_TRUE;
    case ASSUME_FALSE:
      return result == TRISTATE_FALSE;
    case ASSUME_NOT_TRUE:
      return result != TRISTATE_TRUE;
    case ASSUME_NOT_FALSE:
      break;
  }
  return result != TRISTATE_FALSE;
}

static enum tristate tristate_of(bool holds) {
  return holds ? TRISTATE_TRUE : TRISTATE_FALSE;
}

/* Of the values that are there: one has the leaf's test (`holds`), or none. */
static bool assume_present(const struct values_maker *maker, const struct domain *domain,
                           struct slot_values *values, const struct leaf *leaf, bool holds) {
  if (domain->single || !holds) return restrict_set(maker, domain, &values->each, leaf, holds);
  struct leaf_list *link = ARENA_NEW(maker->arena, struct leaf_list);
  if (!link) return false;
  *link = (struct leaf_list){leaf, values->some};
  values->some = link;
  return true;
}

const struct slot_values *values_assume(const struct values_maker *maker,
                                        const struct domain *domain,
                                        const struct slot_values *values, const struct leaf *leaf,
                                        enum assumption assumption) {
  struct slot_values *left = ARENA_NEW(maker->arena, struct slot_values);
  if (!left) return NULL;
  spend(maker, 1);
  *left = *values;
  if (leaf->test == TEST_EXISTS) {
    left->may_miss &= allows(assumption, tristate_of(!leaf->with.exists));
    left->may_be &= allows(assumption, tristate_of(leaf->with.exists));
    return left;
  }
  left->may_miss &= allows(assumption, leaf->missing);
  bool wanted = assumption == ASSUME_TRUE || assumption == ASSUME_NOT_FALSE;
  if (left->may_be && !assume_present(maker, domain, left, leaf, wanted != leaf->negative))
    return NULL;
  return left;
}

/* A value must be there, and one for each leaf that some value has. Short of memory: not known. */
static bool is_without_values(const struct values_maker *maker, const struct domain *domain,
                              const struct slot_values *values) {
  if (value_set_is_empty(maker, domain, &values->each)) return true;
  for (const struct leaf_list *list = values->some; list; list = list->next) {
    const struct value_set *one = value_set_with(maker, domain, &values->each, list->leaf, true);
    if (one && value_set_is_empty(maker, domain, one)) return true;
  }
  return false;
}

bool values_are_impossible(const struct values_maker *maker, const struct domain *domain,
                           const struct slot_values *values) {
  return !values->may_miss && (!values->may_be || is_without_values(maker, domain, values));
}
