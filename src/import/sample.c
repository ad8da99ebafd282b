/*
 * sample: reading a pattern as the simplest text it could mean.
 *
 * Of alternatives the first, of a class its first character, of what may be missing nothing. It
 * does not know every pattern; what comes out is tried on the real one.
 */
#include "sample.h"

#include "adit/http.h"
#include "adit/regex.h"

struct guess {
  struct str rest;
  char *p;
  size_t n;
};

static bool peek(const struct guess *guess, char c) {
  return guess->rest.n > 0 && guess->rest.p[0] == c;
}

static char take(struct guess *guess) {
  char c = guess->rest.p[0];
  guess->rest = str_skip(guess->rest, 1);
  return c;
}

/* What stands behind an atom: * ? {…} allow to leave it out (or ask for it a number of times). */
static void take_quantifier(struct guess *guess, bool has_char, char c) {
  uint64_t times = 1;
  if (peek(guess, '*') || peek(guess, '?')) {
    (void)take(guess);
    times = 0;
  } else if (peek(guess, '+')) {
    (void)take(guess);
  } else if (peek(guess, '{')) {
    size_t end = str_find_char(guess->rest, '}', 0);
    struct str inside = str_skip(str_take(guess->rest, end), 1);
    if (!str_to_u64(str_take(inside, str_find_char(inside, ',', 0)), SAMPLE_BYTES_MAX, &times)) {
      times = 1;
    }
    guess->rest = str_skip(guess->rest, end + 1);
  }
  if (peek(guess, '?') || peek(guess, '+')) (void)take(guess); /* lazy, possessive */
  for (; has_char && times > 0 && guess->n < SAMPLE_BYTES_MAX; times--) guess->p[guess->n++] = c;
}

static void take_escape(struct guess *guess) {
  if (guess->rest.n == 0) return;
  char c = take(guess);
  bool has_char = c != 'b' && c != 'A' && c != 'z' && c != 'Z';
  if (c == 'd') c = '0';
  if (c == 'w') c = 'a';
  if (c == 's') c = ' ';
  take_quantifier(guess, has_char, c);
}

static void take_class(struct guess *guess) {
  bool negative = peek(guess, '^');
  if (negative) (void)take(guess);
  char c = guess->rest.n > 0 ? take(guess) : 'x';
  if (c == '\\' && guess->rest.n > 0) c = take(guess);
  if (c == 'd') c = '0';
  if (c == 'w') c = 'a';
  guess->rest = str_skip(guess->rest, str_find_char(guess->rest, ']', 0) + 1);
  take_quantifier(guess, true, negative ? '~' : c);
}

/* Past the alternatives that were not taken, to the end of the group or of the pattern. */
static void skip_alternatives(struct guess *guess) {
  size_t depth = 0;
  while (guess->rest.n > 0) {
    if (peek(guess, ')') && depth == 0) return;
    char c = take(guess);
    if (c == '\\' && guess->rest.n > 0) (void)take(guess);
    if (c == '(') depth++;
    if (c == ')') depth--;
  }
}

static void take_group_start(struct guess *guess) {
  if (!peek(guess, '?')) return;
  while (guess->rest.n > 0 && !peek(guess, ')') && !peek(guess, ':')) (void)take(guess);
  if (peek(guess, ':')) (void)take(guess);
}

static void take_atom(struct guess *guess) {
  char c = take(guess);
  switch (c) {
    case '\\':
      take_escape(guess);
      break;
    case '[':
      take_class(guess);
      break;
    case '(':
      take_group_start(guess);
      break;
    case '|':
      skip_alternatives(guess);
      break;
    case ')':
      take_quantifier(guess, false, c);
      break;
    case '^':
    case '$':
      break;
    case '.':
      take_quantifier(guess, true, 'x');
      break;
    default:
      take_quantifier(guess, true, c);
  }
}

/* Matched, not matched, or not decided. */
static enum regex_result try_pattern(struct str pattern, struct str text) {
  struct regex_error error;
  struct regex *regex = regex_new(pattern, &error);
  struct regex_scratch *scratch = regex_scratch_new();
  enum regex_result result = REGEX_LIMIT;
  if (regex && scratch) result = regex_match(regex, scratch, text, NULL);
  regex_scratch_free(&scratch);
  regex_free(&regex);
  return result;
}

bool sample_of_pattern(struct str pattern, char *buffer, struct str *ret) {
  struct guess guess = {.rest = pattern, .p = buffer};
  while (guess.rest.n > 0 && guess.n < SAMPLE_BYTES_MAX) take_atom(&guess);
  struct str text = str_make(buffer, guess.n);
  *ret = text;
  return guess.n < SAMPLE_BYTES_MAX && str_eq(str_trim(text), text) && str_is_utf8(text) &&
         http_is_field_value(text) && try_pattern(pattern, text) == REGEX_MATCHED;
}

bool sample_is_refused(struct str pattern, struct str text) {
  return try_pattern(pattern, text) == REGEX_UNMATCHED;
}
