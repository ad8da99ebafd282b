#include "adit/str.h"

int str_cmp(struct str a, struct str b) {
  size_t common = a.n < b.n ? a.n : b.n;
  int order = common == 0 ? 0 : memcmp(a.p, b.p, common);
  if (order != 0) return order;
  return (a.n > b.n) - (a.n < b.n);
}

static bool eq_nocase(const char *a, const char *b, size_t n) {
  for (size_t i = 0; i < n; i++) {
    if (a[i] != b[i] && ascii_lower(a[i]) != ascii_lower(b[i])) return false;
  }
  return true;
}

bool str_eq_nocase(struct str a, struct str b) {
  return a.n == b.n && eq_nocase(a.p, b.p, a.n);
}

bool str_starts_with_nocase(struct str s, struct str prefix) {
  return s.n >= prefix.n && eq_nocase(s.p, prefix.p, prefix.n);
}

bool str_ends_with_nocase(struct str s, struct str suffix) {
  return s.n >= suffix.n && str_eq_nocase(str_skip(s, s.n - suffix.n), suffix);
}

bool str_contains_nocase(struct str s, struct str needle) {
  if (needle.n == 0) return true;
  if (s.n < needle.n) return false;
  char first = ascii_lower(needle.p[0]);
  size_t last_start = s.n - needle.n;
  for (size_t i = 0; i <= last_start; i++) {
    if (ascii_lower(s.p[i]) == first && eq_nocase(s.p + i + 1, needle.p + 1, needle.n - 1)) {
      return true;
    }
  }
  return false;
}

size_t str_find_char(struct str s, char c, size_t from) {
  if (from >= s.n) return s.n;
  const char *found = memchr(s.p + from, (unsigned char)c, s.n - from);
  return found ? (size_t)(found - s.p) : s.n;
}

bool str_contains(struct str s, struct str needle) {
  if (needle.n == 0) return true;
  return s.n >= needle.n && memmem(s.p, s.n, needle.p, needle.n) != NULL;
}

static bool is_blank(char c) {
  return c == ' ' || c == '\t';
}

struct str str_trim(struct str s) {
  while (s.n > 0 && is_blank(s.p[0])) s = str_skip(s, 1);
  while (s.n > 0 && is_blank(s.p[s.n - 1])) s.n--;
  return s;
}

bool str_split_next(struct str *rest, char separator, struct str *part) {
  if (!rest->p) return false;
  size_t end = str_find_char(*rest, separator, 0);
  *part = str_take(*rest, end);
  *rest = end < rest->n ? str_skip(*rest, end + 1) : str_make(NULL, 0);
  return true;
}

bool str_to_u64(struct str s, uint64_t max, uint64_t *ret) {
  if (s.n == 0) return false;
  uint64_t value = 0;
  for (size_t i = 0; i < s.n; i++) {
    if (!ascii_is_digit(s.p[i])) return false;
    unsigned digit = (unsigned)(s.p[i] - '0');
    if (value > max / 10 || digit > max - value * 10) return false;
    value = value * 10 + digit;
  }
  *ret = value;
  return true;
}

struct str str_copy_to(struct str s, char *buffer, size_t capacity) {
  if (capacity == 0) return str_make(buffer, 0);
  size_t n = s.n < capacity ? s.n : capacity - 1;
  if (n > 0) memcpy(buffer, s.p, n);
  buffer[n] = '\0';
  return str_make(buffer, n);
}

/* Unicode 15, table 3-7: how many bytes follow a first byte and what the second one may be. */
struct utf8_lead {
  unsigned following;
  unsigned char low, high;
};

static struct utf8_lead utf8_lead_of(unsigned char first) {
  if (first >= 0xC2 && first <= 0xDF) return (struct utf8_lead){1, 0x80, 0xBF};
  if (first == 0xE0) return (struct utf8_lead){2, 0xA0, 0xBF};
  if (first == 0xED) return (struct utf8_lead){2, 0x80, 0x9F};
  if (first >= 0xE1 && first <= 0xEF) return (struct utf8_lead){2, 0x80, 0xBF};
  if (first == 0xF0) return (struct utf8_lead){3, 0x90, 0xBF};
  if (first >= 0xF1 && first <= 0xF3) return (struct utf8_lead){3, 0x80, 0xBF};
  if (first == 0xF4) return (struct utf8_lead){3, 0x80, 0x8F};
  return (struct utf8_lead){0, 0, 0};
}

size_t str_utf8_next(struct str s, size_t from, bool *ret_valid) {
  unsigned char first = (unsigned char)s.p[from];
  struct utf8_lead lead = utf8_lead_of(first);
  *ret_valid = first < 0x80;
  size_t n = 1;
  for (; n <= lead.following; n++) {
    if (from + n >= s.n) return n;
    unsigned char next = (unsigned char)s.p[from + n];
    if (next < lead.low || next > lead.high) return n;
    lead.low = 0x80;
    lead.high = 0xBF;
  }
  if (lead.following > 0) *ret_valid = true;
  return n;
}

/* How many ASCII bytes follow from `from` on, eight at a time: nearly all text is ASCII. */
static size_t skip_ascii(struct str s, size_t from) {
  size_t i = from;
  for (; s.n - i >= 8; i += 8) {
    uint64_t word;
    memcpy(&word, s.p + i, 8);
    if (word & UINT64_C(0x8080808080808080)) break;
  }
  while (i < s.n && (unsigned char)s.p[i] < 0x80) i++;
  return i;
}

bool str_is_utf8(struct str s) {
  for (size_t i = skip_ascii(s, 0); i < s.n; i = skip_ascii(s, i)) {
    bool valid;
    i += str_utf8_next(s, i, &valid);
    if (!valid) return false;
  }
  return true;
}
