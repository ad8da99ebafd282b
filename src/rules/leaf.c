/* One leaf of a condition against one request: reading the attribute, and the tests. */
#include <assert.h>

#include "adit/hash.h"
#include "condition_tree.h"

enum { MATCHED_VALUES_MAX = 16 };

static unsigned truth(bool holds) {
  return holds ? MAY_BE_TRUE : MAY_BE_FALSE;
}

/* ---- tests of one value ---------------------------------------------------------------------- */

static bool is_in(const struct leaf *leaf, const struct attr_datum *value) {
  size_t low = 0, high = leaf->n;
  while (low < high) {
    size_t middle = low + (high - low) / 2;
    int sign = attr_datum_compare(leaf->type, value, &leaf->with.data[middle]);
    if (sign == 0) return true;
    if (sign < 0) {
      high = middle;
    } else {
      low = middle + 1;
    }
  }
  return false;
}

static bool is_accepted(const struct leaf *leaf, const struct attr_datum *value) {
  int sign = attr_datum_compare(leaf->type, value, &leaf->with.data[0]);
  unsigned place = sign < 0 ? ACCEPT_LESS : sign > 0 ? ACCEPT_GREATER : ACCEPT_EQUAL;
  return (leaf->accepts & place) != 0;
}

static bool is_between(const struct leaf *leaf, const struct attr_datum *value) {
  return attr_datum_compare(leaf->type, value, &leaf->with.data[0]) >= 0 &&
         attr_datum_compare(leaf->type, value, &leaf->with.data[1]) < 0;
}

typedef bool text_test(struct str value, struct str text);

static bool any_text(const struct leaf *leaf, struct str value, text_test *test) {
  for (size_t i = 0; i < leaf->n; i++) {
    if (test(value, leaf->with.texts[i])) return true;
  }
  return false;
}

/* "/api" holds for "/api" and all below it, and "" for everything. */
static bool is_under(struct str path, struct str prefix) {
  return str_starts_with(path, prefix) && (path.n == prefix.n || path.p[prefix.n] == '/');
}

static bool is_in_networks(const struct leaf *leaf, const struct ip_address *ip) {
  for (size_t i = 0; i < leaf->n; i++) {
    if (ip_network_contains(&leaf->with.networks[i], ip)) return true;
  }
  return false;
}

static bool is_in_share(const struct leaf *leaf, struct str value) {
  unsigned bucket = rules_bucket(leaf->with.share.salt, value);
  return leaf->with.share.from <= bucket && bucket < leaf->with.share.to;
}

bool leaf_holds_for(const struct leaf *leaf, const struct attr_datum *value) {
  bool ignore_case = leaf->ignore_case;
  switch (leaf->test) {
    case TEST_STRING_EQUAL:
      return str_eq(value->text, leaf->with.texts[0]);
    case TEST_STRING_IN:
      return str_set_find(leaf->with.strings, value->text) != STR_SET_NONE;
    case TEST_COMPARE:
      return is_accepted(leaf, value);
    case TEST_IN:
      return is_in(leaf, value);
    case TEST_BETWEEN:
      return is_between(leaf, value);
    case TEST_STARTS_WITH:
      return any_text(leaf, value->text, ignore_case ? str_starts_with_nocase : str_starts_with);
    case TEST_ENDS_WITH:
      return any_text(leaf, value->text, ignore_case ? str_ends_with_nocase : str_ends_with);
    case TEST_CONTAINS:
      return any_text(leaf, value->text, ignore_case ? str_contains_nocase : str_contains);
    case TEST_UNDER:
      return any_text(leaf, value->text, is_under);
    case TEST_IN_CIDR:
      return is_in_networks(leaf, &value->as.ip);
    case TEST_BUCKET_IN:
      return is_in_share(leaf, value->text);
    case TEST_EXISTS:
    case TEST_MATCHES:
      break; /* tested as a whole below */
  }
  assert(false && "not a test of one value");
  return false;
}

/* ---- tests of all values --------------------------------------------------------------------- */

static enum attr_match match_value(const struct leaf *leaf, struct attr_reader *reader,
                                   struct str value) {
  enum attr_match result = ATTR_UNMATCHED;
  for (size_t i = 0; i < leaf->n; i++) {
    enum attr_match match = attr_reader_match(reader, leaf->with.patterns[i], value, NULL);
    if (match == ATTR_MATCHED) return ATTR_MATCHED;
    if (match == ATTR_MATCH_LIMIT) result = ATTR_MATCH_LIMIT;
  }
  return result;
}

/* A value that matches decides, whatever a limit left open of the others. */
static unsigned eval_matches(const struct leaf *leaf, struct attr_reader *reader,
                             const struct attr_value *value) {
  bool limit = value->n > MATCHED_VALUES_MAX;
  size_t n = limit ? MATCHED_VALUES_MAX : value->n;
  for (size_t i = 0; i < n; i++) {
    enum attr_match match = match_value(leaf, reader, value->data[i].text);
    if (match == ATTR_MATCHED) return MAY_BE_TRUE;
    if (match == ATTR_MATCH_LIMIT) limit = true;
  }
  return limit ? MAY_BE_TRUE | MAY_BE_FALSE : MAY_BE_FALSE;
}

static unsigned eval_present(const struct leaf *leaf, struct attr_reader *reader,
                             const struct attr_value *value) {
  if (leaf->test == TEST_EXISTS) return truth(leaf->with.exists);
  if (leaf->test == TEST_MATCHES) return eval_matches(leaf, reader, value);
  for (size_t i = 0; i < value->n; i++) {
    if (leaf_holds_for(leaf, &value->data[i])) return truth(!leaf->negative);
  }
  return truth(leaf->negative);
}

static unsigned eval_missing(const struct leaf *leaf) {
  if (leaf->test == TEST_EXISTS) return truth(!leaf->with.exists);
  switch (leaf->missing) {
    case TRISTATE_FALSE:
      return MAY_BE_FALSE;
    case TRISTATE_TRUE:
      return MAY_BE_TRUE;
    case TRISTATE_UNKNOWN:
      break;
  }
  return MAY_BE_UNKNOWN;
}

unsigned leaf_eval(const struct leaf *leaf, struct attr_reader *reader) {
  const struct attr_value *value = attr_read(reader, leaf->slot);
  switch (value->state) {
    case ATTR_PRESENT:
      return eval_present(leaf, reader, value);
    case ATTR_MISSING:
      return eval_missing(leaf);
    case ATTR_UNREAD:
    case ATTR_UNDECIDED:
      break;
  }
  /* Present with any value, or missing: a limit keeps it from being known. */
  return eval_missing(leaf) | MAY_BE_TRUE | MAY_BE_FALSE;
}
