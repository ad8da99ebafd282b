#include "version.h"

/* A version taken apart; of an absent part p is NULL. */
struct parts {
  struct str core; /* "1.2.3" */
  struct str pre;  /* "rc.1" */
};

static struct parts divide(struct str text) {
  size_t dash = str_find_char(text, '-', 0);
  struct parts parts = {.core = str_take(text, dash)};
  if (dash < text.n) parts.pre = str_skip(text, dash + 1);
  return parts;
}

static struct str without_v(struct str text) {
  return text.n > 0 && text.p[0] == 'v' ? str_skip(text, 1) : text;
}

static struct str without_build(struct str text) {
  return str_take(text, str_find_char(text, '+', 0));
}

static bool is_numeric(struct str part) {
  for (size_t i = 0; i < part.n; i++) {
    if (!ascii_is_digit(part.p[i])) return false;
  }
  return part.n > 0;
}

static bool has_leading_zero(struct str digits) {
  return digits.n > 1 && digits.p[0] == '0';
}

static bool is_identifier(struct str part) {
  for (size_t i = 0; i < part.n; i++) {
    char c = ascii_lower(part.p[i]);
    if (!ascii_is_digit(c) && !(c >= 'a' && c <= 'z') && c != '-') return false;
  }
  return part.n > 0;
}

/* SemVer 9 and 10: the identifiers of a pre-release or of build metadata. */
static bool are_identifiers(struct str text, bool leading_zeros) {
  struct str part;
  while (str_split_next(&text, '.', &part)) {
    if (!is_identifier(part)) return false;
    if (!leading_zeros && is_numeric(part) && has_leading_zero(part)) return false;
  }
  return true;
}

bool version_is_valid(struct str text) {
  struct str unprefixed = without_v(text);
  if (unprefixed.n == 0) return false;
  struct parts parts = divide(unprefixed);
  struct str part;
  while (str_split_next(&parts.core, '.', &part)) {
    if (!is_numeric(part)) return false;
  }
  return parts.pre.p == NULL || are_identifiers(parts.pre, true);
}

bool semver_is_valid(struct str text) {
  if (text.n == 0) return false;
  size_t plus = str_find_char(text, '+', 0);
  if (plus < text.n && !are_identifiers(str_skip(text, plus + 1), true)) return false;
  struct parts parts = divide(str_take(text, plus));
  struct str part;
  size_t count = 0;
  while (str_split_next(&parts.core, '.', &part)) {
    if (!is_numeric(part) || has_leading_zero(part)) return false;
    count++;
  }
  return count == 3 && (parts.pre.p == NULL || are_identifiers(parts.pre, false));
}

/* Numbers of any length: no integer type is wide enough, so the digits are compared. */
static int compare_digits(struct str a, struct str b) {
  while (a.n > 0 && a.p[0] == '0') a = str_skip(a, 1);
  while (b.n > 0 && b.p[0] == '0') b = str_skip(b, 1);
  if (a.n != b.n) return a.n < b.n ? -1 : 1;
  return str_cmp(a, b);
}

static int compare_cores(struct str a, struct str b) {
  bool more_a, more_b;
  int order = 0;
  do {
    struct str part_a = STR("0"), part_b = STR("0");
    more_a = str_split_next(&a, '.', &part_a);
    more_b = str_split_next(&b, '.', &part_b);
    order = compare_digits(part_a, part_b);
  } while (order == 0 && (more_a || more_b));
  return order;
}

/* SemVer 11.4.1 to 11.4.3. */
static int compare_identifiers(struct str a, struct str b) {
  bool numeric_a = is_numeric(a), numeric_b = is_numeric(b);
  if (numeric_a && numeric_b) return compare_digits(a, b);
  if (numeric_a != numeric_b) return numeric_a ? -1 : 1;
  return str_cmp(a, b);
}

/* SemVer 11.3 and 11.4: none is above any; of two, the first that differs decides, then length. */
static int compare_pre_releases(struct str a, struct str b) {
  if (a.p == NULL || b.p == NULL) return (a.p == NULL) - (b.p == NULL);
  for (;;) {
    struct str part_a, part_b;
    bool more_a = str_split_next(&a, '.', &part_a);
    bool more_b = str_split_next(&b, '.', &part_b);
    if (!more_a || !more_b) return (int)more_a - (int)more_b;
    int order = compare_identifiers(part_a, part_b);
    if (order != 0) return order;
  }
}

static int compare_parts(struct parts a, struct parts b) {
  int order = compare_cores(a.core, b.core);
  return order != 0 ? order : compare_pre_releases(a.pre, b.pre);
}

int version_compare(struct str a, struct str b) {
  return compare_parts(divide(without_v(a)), divide(without_v(b)));
}

int semver_compare(struct str a, struct str b) {
  return compare_parts(divide(without_build(a)), divide(without_build(b)));
}
