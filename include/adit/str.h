/*
 * str: a view of bytes.
 *
 * A struct str points at bytes that somebody else owns. It never owns, never
 * ends in NUL by promise, and is passed by value. Everything that comes from
 * the network is one of these; strlen() and friends never see such bytes.
 */
#ifndef ADIT_STR_H
#define ADIT_STR_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

struct str {
  const char *p; /* NULL only where a function says so: "absent" */
  size_t n;
};

/* A view of a string literal. */
#define STR(literal) ((struct str){"" literal, sizeof(literal) - 1})
/* The same for initialisers of static data. */
#define STR_INIT(literal) \
  { "" literal, sizeof(literal) - 1 }
/* Arguments for a "%.*s" conversion. */
#define STR_ARG(s) (int)((s).n < 0x7FFFFFFF ? (s).n : 0x7FFFFFFF), (s).p

static inline struct str str_make(const char *p, size_t n) {
  return (struct str){p, n};
}

/* A view of a C string of our own (never of network data). NULL gives the absent view. */
static inline struct str str_from_cstr(const char *text) {
  return (struct str){text, text ? strlen(text) : 0};
}

static inline bool str_eq(struct str a, struct str b) {
  return a.n == b.n && (a.n == 0 || memcmp(a.p, b.p, a.n) == 0);
}

static inline bool str_starts_with(struct str s, struct str prefix) {
  return s.n >= prefix.n && (prefix.n == 0 || memcmp(s.p, prefix.p, prefix.n) == 0);
}

static inline bool str_ends_with(struct str s, struct str suffix) {
  return s.n >= suffix.n &&
         (suffix.n == 0 || memcmp(s.p + s.n - suffix.n, suffix.p, suffix.n) == 0);
}

/* Bytes [from, s.n); an offset past the end gives an empty view at the end. */
static inline struct str str_skip(struct str s, size_t from) {
  size_t k = from < s.n ? from : s.n;
  return (struct str){s.p + k, s.n - k};
}

/* The first `n` bytes, or all when there are fewer. */
static inline struct str str_take(struct str s, size_t n) {
  return (struct str){s.p, n < s.n ? n : s.n};
}

static inline char ascii_lower(char c) {
  return (c >= 'A' && c <= 'Z') ? (char)(c | 0x20) : c;
}

static inline bool ascii_is_alpha(char c) {
  return ascii_lower(c) >= 'a' && ascii_lower(c) <= 'z';
}

static inline bool ascii_is_digit(char c) {
  return c >= '0' && c <= '9';
}

/* Like memcmp over the common length, then by length: a total order of byte strings. */
int str_cmp(struct str a, struct str b);

/* ASCII case is ignored; other bytes compare as they are. */
bool str_eq_nocase(struct str a, struct str b);
bool str_starts_with_nocase(struct str s, struct str prefix);
bool str_ends_with_nocase(struct str s, struct str suffix);
bool str_contains_nocase(struct str s, struct str needle);

/* Index of the first occurrence at or after `from`, or s.n when there is none. */
size_t str_find_char(struct str s, char c, size_t from);
/* Whether `needle` occurs in `s`; the empty needle always does. */
bool str_contains(struct str s, struct str needle);

/* Without blanks and tabs (RFC 9110 5.6.3, OWS) at both ends. */
struct str str_trim(struct str s);

/*
 * Takes the part of *rest before the next `separator` and moves *rest behind it.
 * Returns false when *rest was used up (rest->p == NULL). "a,,b" gives "a", "", "b";
 * "" gives one empty part.
 */
bool str_split_next(struct str *rest, char separator, struct str *part);

/*
 * Decimal digits only, at least one, no sign; false when that does not hold or the value exceeds
 * `max`. *ret is written on success only.
 */
bool str_to_u64(struct str s, uint64_t max, uint64_t *ret);

/* Whether the bytes are well-formed UTF-8 (RFC 3629: no surrogates, no overlong forms). */
bool str_is_utf8(struct str s);

/*
 * Bytes of the UTF-8 character at `from` (less than s.n). When it is not well-formed *ret_valid is
 * false and the result the length of the maximal ill-formed part, which one U+FFFD stands for.
 */
size_t str_utf8_next(struct str s, size_t from, bool *ret_valid);

/* Copies `s` and a NUL to `buffer`, cut when it does not fit; returns a view of the copy. */
struct str str_copy_to(struct str s, char *buffer, size_t capacity);

#endif
