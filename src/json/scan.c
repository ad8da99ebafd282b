/*
 * The strict scan. One function for each rule of the grammar, recursive (JSON_DEPTH_MAX levels at
 * most); `scan->at` is where the next one begins. The first mistake stops it.
 *
 *   json_scan_text ─ scan_value ─┬─ scan_object ─ scan_member ─ scan_value …
 *                                ├─ scan_array ─ scan_value …
 *                                ├─ scan_string ─ scan_escape
 *                                ├─ scan_number
 *                                └─ scan_literal
 *   scan_space between all of them blanks comments; scan_separator blanks a trailing comma.
 */
#include "scan.h"

#include <math.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

static bool scan_value(struct json_scan *scan, size_t key_at);

/* ---- bytes ----------------------------------------------------------------------------------- */

static bool at_end(const struct json_scan *scan) {
  return scan->at >= scan->text.n;
}

/* The byte at `at`, or NUL at the end: no rule of the grammar accepts a NUL. */
static char peek(const struct json_scan *scan) {
  return at_end(scan) ? '\0' : scan->text.p[scan->at];
}

static struct str rest(const struct json_scan *scan) {
  return str_skip(scan->text, scan->at);
}

/* The length of the well-formed UTF-8 sequence at the start of `s`, or 0. */
static size_t utf8_length(struct str s) {
  bool valid = false;
  if (s.n == 0) return 0;
  if ((uint8_t)s.p[0] < 0x80) return 1;
  size_t n = str_utf8_next(s, 0, &valid);
  return valid ? n : 0;
}

/* ---- mistakes -------------------------------------------------------------------------------- */

static bool fail(struct json_scan *scan, size_t at, const char *hint, const char *format, ...)
    __attribute__((format(printf, 4, 5)));

/* Always false, so that a rule may end with it. */
static bool fail(struct json_scan *scan, size_t at, const char *hint, const char *format, ...) {
  scan->mistake.at = at;
  scan->mistake.hint = hint;
  va_list args;
  va_start(args, format);
  vsnprintf(scan->mistake.message, sizeof(scan->mistake.message), format, args);
  va_end(args);
  return false;
}

/* What stands at `at`, for a message; `buffer` holds 32 bytes. */
static const char *describe(const struct json_scan *scan, char *buffer, size_t capacity) {
  if (at_end(scan)) return "the end of the text";
  uint8_t byte = (uint8_t)peek(scan);
  size_t length = utf8_length(rest(scan));
  if (length == 0 || byte < 0x20 || byte == 0x7F) {
    snprintf(buffer, capacity, "byte 0x%02X", byte);
  } else {
    snprintf(buffer, capacity, "'%.*s'", (int)length, scan->text.p + scan->at);
  }
  return buffer;
}

/* What was probably meant by the byte at `at`, where a value or a key is expected. */
static const char *guess(const struct json_scan *scan) {
  struct str s = rest(scan);
  if (s.n == 0) return NULL;
  if (s.p[0] == '\'' || str_starts_with(s, STR("\xE2\x80\x9C")) ||
      str_starts_with(s, STR("\xE2\x80\x9D"))) {
    return "strings and keys are written in double quotes: \"";
  }
  if (str_starts_with(s, STR("//")) || str_starts_with(s, STR("/*"))) {
    return "comments are not allowed here: this is strict JSON";
  }
  if (s.p[0] == '+') return "a number has no plus sign";
  if (s.p[0] == '.') return "a number begins with a digit: 0.5";
  static const struct {
    struct str word;
    const char *hint;
  } words[] = {
      {STR_INIT("true"), "true is written in lower case"},
      {STR_INIT("false"), "false is written in lower case"},
      {STR_INIT("null"), "null is written in lower case"},
      {STR_INIT("none"), "did you mean null?"},
      {STR_INIT("nan"), "JSON has no such number"},
      {STR_INIT("infinity"), "JSON has no such number"},
  };
  for (size_t i = 0; i < sizeof(words) / sizeof(*words); i++) {
    if (str_starts_with_nocase(s, words[i].word)) return words[i].hint;
  }
  char c = ascii_lower(s.p[0]);
  return (c >= 'a' && c <= 'z') ? "strings and keys are written in double quotes: \"" : NULL;
}

static bool fail_expected(struct json_scan *scan, const char *expected) {
  char buffer[32];
  const char *what = describe(scan, buffer, sizeof(buffer));
  return fail(scan, scan->at, guess(scan), "expected %s, found %s", expected, what);
}

/* The end of the text, or something else, where the bracket at `open_at` wants more. */
static bool fail_open(struct json_scan *scan, size_t open_at, const char *expected) {
  if (at_end(scan)) scan->mistake.open_at = open_at;
  return fail_expected(scan, expected);
}

static bool fail_utf8(struct json_scan *scan) {
  return fail(scan, scan->at, "save the file as UTF-8", "byte 0x%02X is not UTF-8",
              (unsigned)(uint8_t)peek(scan));
}

/* ---- blanks and comments --------------------------------------------------------------------- */

static void blank(struct json_scan *scan, size_t from, size_t to) {
  memset(scan->copy + from, ' ', to - from);
}

/* Moves behind the comment that begins at `at`. */
static bool scan_comment(struct json_scan *scan) {
  size_t begin = scan->at;
  bool block = scan->text.p[begin + 1] == '*';
  scan->at += 2;
  for (;;) {
    if (at_end(scan)) {
      if (!block) break;
      return fail(scan, begin, "end it with */", "comment without an end");
    }
    if (!block && (peek(scan) == '\n' || peek(scan) == '\r')) break;
    if (block && str_starts_with(rest(scan), STR("*/"))) {
      scan->at += 2;
      break;
    }
    size_t length = utf8_length(rest(scan));
    if (length == 0) return fail_utf8(scan);
    scan->at += length;
  }
  blank(scan, begin, scan->at);
  return true;
}

static bool scan_space(struct json_scan *scan) {
  for (;;) {
    char c = peek(scan);
    if (c == ' ' || c == '\t' || c == '\n' || c == '\r') {
      scan->at++;
    } else if (scan->style == JSON_EDITABLE &&
               (str_starts_with(rest(scan), STR("//")) || str_starts_with(rest(scan), STR("/*")))) {
      if (!scan_comment(scan)) return false;
    } else {
      return true;
    }
  }
}

/* ---- strings --------------------------------------------------------------------------------- */

/* The value of \uXXXX at `at`; false: it is none. */
static bool hex4(const struct json_scan *scan, size_t at, unsigned *ret) {
  struct str s = str_take(str_skip(scan->text, at), 6);
  if (s.n < 6 || s.p[0] != '\\' || s.p[1] != 'u') return false;
  unsigned value = 0;
  for (size_t i = 2; i < 6; i++) {
    char c = ascii_lower(s.p[i]);
    if (ascii_is_digit(c)) {
      value = value * 16 + (unsigned)(c - '0');
    } else if (c >= 'a' && c <= 'f') {
      value = value * 16 + (unsigned)(c - 'a') + 10;
    } else {
      return false;
    }
  }
  *ret = value;
  return true;
}

static bool scan_unicode_escape(struct json_scan *scan) {
  unsigned unit = 0;
  unsigned low = 0;
  if (!hex4(scan, scan->at, &unit)) {
    return fail(scan, scan->at, "four hexadecimal digits follow \\u: \\u00e9",
                "malformed \\u escape");
  }
  if (unit == 0) {
    return fail(scan, scan->at, "leave it out: no value may hold it", "\\u0000 is not allowed");
  }
  if (unit < 0xD800 || unit > 0xDFFF) {
    scan->at += 6;
    return true;
  }
  bool paired = unit <= 0xDBFF && hex4(scan, scan->at + 6, &low) && low >= 0xDC00 && low <= 0xDFFF;
  if (!paired) {
    return fail(scan, scan->at, "write the character itself, or both halves of its pair",
                "lone surrogate \\u%04x", unit);
  }
  scan->at += 12;
  return true;
}

static bool scan_escape(struct json_scan *scan) {
  struct str s = rest(scan);
  if (s.n >= 2 && s.p[1] == 'u') return scan_unicode_escape(scan);
  if (s.n < 2 || s.p[1] == '\0' || !strchr("\"\\/bfnrt", s.p[1])) {
    return fail(scan, scan->at, "a backslash itself is written \\\\", "unknown escape");
  }
  scan->at += 2;
  return true;
}

/* The first byte lowest, whatever the machine; compilers make one load of it where they can. */
static uint64_t load_64(const char *p) {
  uint64_t bytes = 0;
  for (size_t i = 0; i < sizeof(bytes); i++) bytes |= (uint64_t)(uint8_t)p[i] << (8 * i);
  return bytes;
}

/* Of 8 bytes the highest bit of the first quote, backslash, control or byte that is not ASCII; of
 * those behind it some others too. 0: there is none. */
static uint64_t find_special(uint64_t bytes) {
  const uint64_t ones = UINT64_C(0x0101010101010101);
  uint64_t quotes = bytes ^ ones * '"', backslashes = bytes ^ ones * '\\';
  uint64_t below_zero = (bytes - ones * 0x20) | (quotes - ones) | (backslashes - ones);
  return (bytes | below_zero) & ones << 7;
}

/* Moves over characters that stand for themselves, eight at a time: most of any text. */
static void skip_plain(struct json_scan *scan) {
  while (scan->text.n - scan->at >= sizeof(uint64_t)) {
    uint64_t special = find_special(load_64(scan->text.p + scan->at));
    if (special != 0) {
      scan->at += (unsigned)__builtin_ctzll(special) / 8;
      return;
    }
    scan->at += sizeof(uint64_t);
  }
}

static bool scan_string(struct json_scan *scan) {
  size_t begin = scan->at++;
  for (;;) {
    skip_plain(scan);
    uint8_t byte = (uint8_t)peek(scan);
    if (at_end(scan)) return fail(scan, begin, "end it with \"", "string without an end");
    if (byte == '"') break;
    if (byte == '\\') {
      if (!scan_escape(scan)) return false;
    } else if (byte == '\n' || byte == '\r') {
      return fail(scan, begin, "end it with \" in the same line; a line break is written \\n",
                  "string without an end");
    } else if (byte < 0x20) {
      return fail(scan, scan->at, byte == '\t' ? "a tab is written \\t" : "write it as \\u00XX",
                  "control byte 0x%02X in a string", byte);
    } else {
      size_t length = utf8_length(rest(scan));
      if (length == 0) return fail_utf8(scan);
      scan->at += length;
    }
  }
  scan->at++;
  return true;
}

/* ---- numbers and words ----------------------------------------------------------------------- */

static size_t digits(struct str s) {
  size_t n = 0;
  while (n < s.n && ascii_is_digit(s.p[n])) n++;
  return n;
}

size_t json_scan_number(struct str s) {
  size_t n = s.n > 0 && s.p[0] == '-' ? 1 : 0;
  size_t integer = digits(str_skip(s, n));
  if (integer == 0) return 0;
  n += s.p[n] == '0' ? 1 : integer;
  if (n < s.n && s.p[n] == '.') {
    size_t fraction = digits(str_skip(s, n + 1));
    if (fraction == 0) return n;
    n += 1 + fraction;
  }
  if (n < s.n && (s.p[n] == 'e' || s.p[n] == 'E')) {
    size_t sign = n + 1 < s.n && (s.p[n + 1] == '+' || s.p[n + 1] == '-') ? 1 : 0;
    size_t exponent = digits(str_skip(s, n + 1 + sign));
    if (exponent == 0) return n;
    n += 1 + sign + exponent;
  }
  return n;
}

static bool scan_number(struct json_scan *scan) {
  size_t begin = scan->at;
  struct str s = rest(scan);
  size_t length = json_scan_number(s);
  if (length == 0) {
    return fail(scan, begin, "a digit follows the minus sign", "malformed number");
  }
  char after = length < s.n ? s.p[length] : '\0';
  if (ascii_is_digit(after)) {
    return fail(scan, begin, "leave out the zeros before it", "number with a leading zero");
  }
  if (after == '.' || after == 'e' || after == 'E') {
    return fail(scan, begin, "a digit follows the point and the exponent", "malformed number");
  }
  double value = 0;
  struct str number = str_take(s, length);
  if (!json_number_parse(number, &value)) {
    scan->out_of_memory = true;
    return false;
  }
  if (!isfinite(value)) {
    return fail(scan, begin, "the largest is about 1.8e308", "number out of range");
  }
  scan->at += length;
  if (length > JSON_CJSON_NUMBER_MAX) {
    blank(scan, begin, scan->at);
    scan->copy[begin] = '0';
  }
  return true;
}

static bool scan_literal(struct json_scan *scan, struct str word) {
  if (!str_starts_with(rest(scan), word)) return fail_expected(scan, "a value");
  scan->at += word.n;
  return true;
}

/* ---- arrays and objects ---------------------------------------------------------------------- */

/*
 * Behind an element: the comma to the next one, or the closing bracket, which is left in place.
 * A comma right before the bracket is a mistake, or blanked in an editable file.
 */
static bool scan_separator(struct json_scan *scan, size_t open_at, char close,
                           const char *expected) {
  if (!scan_space(scan)) return false;
  if (peek(scan) == close) return true;
  if (peek(scan) != ',') return fail_open(scan, open_at, expected);
  size_t comma = scan->at++;
  if (!scan_space(scan)) return false;
  if (peek(scan) != close) return true;
  if (scan->style == JSON_STRICT) {
    return fail(scan, comma, "remove it: this is strict JSON", "comma before '%c'", close);
  }
  blank(scan, comma, comma + 1);
  return true;
}

static bool scan_array(struct json_scan *scan) {
  size_t open_at = scan->at++;
  if (!scan_space(scan)) return false;
  while (peek(scan) != ']') {
    if (at_end(scan)) return fail_open(scan, open_at, "a value or ']'");
    if (!scan_value(scan, scan->at)) return false;
    if (!scan_separator(scan, open_at, ']', "',' or ']'")) return false;
  }
  scan->at++;
  return true;
}

static bool scan_member(struct json_scan *scan, size_t open_at) {
  size_t key_at = scan->at;
  if (peek(scan) != '"') return fail_open(scan, open_at, "a key in double quotes or '}'");
  if (!scan_string(scan) || !scan_space(scan)) return false;
  if (peek(scan) != ':') return fail_open(scan, open_at, "':' after the key");
  scan->at++;
  if (!scan_space(scan)) return false;
  if (at_end(scan)) return fail_open(scan, open_at, "a value");
  return scan_value(scan, key_at);
}

static bool scan_object(struct json_scan *scan) {
  size_t open_at = scan->at++;
  if (!scan_space(scan)) return false;
  while (peek(scan) != '}') {
    if (!scan_member(scan, open_at)) return false;
    if (!scan_separator(scan, open_at, '}', "',' or '}'")) return false;
  }
  scan->at++;
  return true;
}

/* ---- values ---------------------------------------------------------------------------------- */

static bool push_token(struct json_scan *scan, size_t key_at) {
  if (scan->count == scan->capacity) {
    size_t capacity = scan->capacity ? scan->capacity * 2 : 64;
    struct json_token *grown = reallocarray(scan->tokens, capacity, sizeof(*grown));
    if (!grown) {
      scan->out_of_memory = true;
      return false;
    }
    scan->tokens = grown;
    scan->capacity = capacity;
  }
  scan->tokens[scan->count++] = (struct json_token){(uint32_t)key_at, (uint32_t)scan->at, 0};
  return true;
}

static bool scan_nested(struct json_scan *scan) {
  if (scan->depth == JSON_DEPTH_MAX) {
    return fail(scan, scan->at, "nest less deeply", "more than %d levels of nesting",
                JSON_DEPTH_MAX);
  }
  scan->depth++;
  bool ok = peek(scan) == '{' ? scan_object(scan) : scan_array(scan);
  scan->depth--;
  return ok;
}

static bool scan_any(struct json_scan *scan) {
  char c = peek(scan);
  if (c == '{' || c == '[') return scan_nested(scan);
  if (c == '"') return scan_string(scan);
  if (c == '-' || ascii_is_digit(c)) return scan_number(scan);
  if (c == 't') return scan_literal(scan, STR("true"));
  if (c == 'f') return scan_literal(scan, STR("false"));
  if (c == 'n') return scan_literal(scan, STR("null"));
  return fail_expected(scan, "a value");
}

static bool scan_value(struct json_scan *scan, size_t key_at) {
  size_t index = scan->count;
  if (index == JSON_VALUES_MAX) {
    return fail(scan, scan->at, "divide it, or put lists of values into files of their own",
                "more than %d values in one text", JSON_VALUES_MAX);
  }
  if (!push_token(scan, key_at) || !scan_any(scan)) return false;
  scan->tokens[index].end = (uint32_t)scan->at;
  return true;
}

bool json_scan_text(struct json_scan *scan) {
  scan->mistake.open_at = SIZE_MAX;
  if (str_starts_with(scan->text, STR("\xEF\xBB\xBF"))) {
    return fail(scan, 0, "save the file as UTF-8 without BOM", "byte order mark at the start");
  }
  if (str_starts_with(scan->text, STR("\xFF\xFE")) ||
      str_starts_with(scan->text, STR("\xFE\xFF"))) {
    return fail(scan, 0, "save the file as UTF-8", "the text is UTF-16");
  }
  if (!scan_space(scan)) return false;
  if (at_end(scan)) {
    return fail(scan, 0, "a JSON value is expected, usually { … }", "there is nothing in it");
  }
  if (!scan_value(scan, scan->at) || !scan_space(scan)) return false;
  if (!at_end(scan)) {
    char buffer[32];
    bool comment = peek(scan) == '/';
    return fail(scan, scan->at, comment ? guess(scan) : "only one value is expected",
                "%s behind the end of the value", describe(scan, buffer, sizeof(buffer)));
  }
  return true;
}
