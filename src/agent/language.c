/* Accept-Language (RFC 9110 12.5.4): the preferred tag. */
#include <string.h>

#include "adit/agent.h"

enum { SUBTAG_BYTES_MAX = 8, WEIGHT_ONE = 1000 };

/* "0.8" → 800. At most three digits behind the point, and none but zeros behind "1". */
static bool parse_weight(struct str text, unsigned *ret) {
  if (text.n == 0 || text.n > 5 || (text.p[0] != '0' && text.p[0] != '1')) return false;
  unsigned weight = text.p[0] == '1' ? WEIGHT_ONE : 0, unit = WEIGHT_ONE / 10;
  if (text.n > 1 && text.p[1] != '.') return false;
  for (size_t i = 2; i < text.n; i++, unit /= 10) {
    if (!ascii_is_digit(text.p[i])) return false;
    weight += (unsigned)(text.p[i] - '0') * unit;
  }
  *ret = weight;
  return weight <= WEIGHT_ONE;
}

/* language-range of RFC 4647 2.1 without "*". */
static bool is_tag(struct str tag) {
  size_t subtag = 0;
  bool first = true;
  if (tag.n > LANGUAGE_TAG_BYTES) return false;
  for (size_t i = 0; i <= tag.n; i++) {
    if (i == tag.n || tag.p[i] == '-') {
      if (subtag == 0) return false;
      subtag = 0;
      first = false;
    } else if (++subtag > SUBTAG_BYTES_MAX ||
               !(ascii_is_alpha(tag.p[i]) || (!first && ascii_is_digit(tag.p[i])))) {
      return false;
    }
  }
  return true;
}

static char upper(char c) {
  return ascii_is_alpha(c) ? (char)(ascii_lower(c) - 'a' + 'A') : c;
}

/* BCP 47 2.1.1: regions of two letters in upper case and scripts of four in title case, but neither
 * first nor anywhere behind a subtag of one character. */
static void write_tag(struct str tag, char *out) {
  bool plain = true;
  struct str rest = tag, subtag;
  while (str_split_next(&rest, '-', &subtag)) {
    size_t at = (size_t)(subtag.p - tag.p);
    for (size_t i = 0; i < subtag.n; i++) {
      bool is_upper = !plain && (subtag.n == 2 || (subtag.n == 4 && i == 0));
      out[at + i] = is_upper ? upper(subtag.p[i]) : ascii_lower(subtag.p[i]);
    }
    if (at + subtag.n < tag.n) out[at + subtag.n] = '-';
    plain = at == 0 ? subtag.n == 1 : plain || subtag.n == 1;
  }
}

/* "tag;q=0.5" → both. False: malformed. */
static bool parse_range(struct str element, struct str *ret_tag, unsigned *ret_weight) {
  struct str rest = element, parameter;
  *ret_weight = WEIGHT_ONE;
  if (!str_split_next(&rest, ';', ret_tag)) return false;
  *ret_tag = str_trim(*ret_tag);
  if (!is_tag(*ret_tag)) return false;
  if (!str_split_next(&rest, ';', &parameter)) return true;
  parameter = str_trim(parameter);
  return str_starts_with_nocase(parameter, STR("q=")) &&
         parse_weight(str_skip(parameter, 2), ret_weight) &&
         !str_split_next(&rest, ';', &parameter);
}

void language_offer(struct language *best, struct str field) {
  struct str element, tag;
  unsigned weight;
  while (best->ranges < LANGUAGE_RANGES_MAX && str_split_next(&field, ',', &element)) {
    best->ranges++;
    if (!parse_range(str_trim(element), &tag, &weight) || weight <= best->weight) continue;
    write_tag(tag, best->text);
    best->tag = str_make(best->text, tag.n);
    best->weight = weight;
  }
}
