#include "adit/text.h"

#include <stdio.h>
#include <stdlib.h>

void text_init(struct text *text, size_t limit_bytes) {
  *text = (struct text){.limit_bytes = limit_bytes};
}

void text_deinit(struct text *text) {
  free(text->p);
  *text = (struct text){0};
}

void text_clear(struct text *text) {
  text->n = 0;
  text->failed = false;
  if (text->p) text->p[0] = '\0';
}

bool text_failed(const struct text *text) {
  return text->failed;
}

struct str text_str(const struct text *text) {
  return text->p ? str_make(text->p, text->n) : STR("");
}

bool text_reserve(struct text *text, size_t more) {
  if (text->failed) return false;
  if (more > text->limit_bytes - text->n || text->n + more == SIZE_MAX) {
    text->failed = true;
    return false;
  }
  size_t needed = text->n + more + 1;
  if (needed <= text->capacity) return true;
  size_t capacity = text->capacity <= SIZE_MAX / 2 ? text->capacity * 2 : needed;
  if (capacity < 128) capacity = 128;
  if (capacity < needed) capacity = needed;
  if (capacity - 1 > text->limit_bytes) capacity = text->limit_bytes + 1;
  char *larger = realloc(text->p, capacity);
  if (!larger) {
    text->failed = true;
    return false;
  }
  text->p = larger;
  text->capacity = capacity;
  return true;
}

void text_add(struct text *text, struct str s) {
  if (!text_reserve(text, s.n)) return;
  if (s.n > 0) memcpy(text->p + text->n, s.p, s.n);
  text->n += s.n;
  text->p[text->n] = '\0';
}

void text_add_char(struct text *text, char c) {
  text_add(text, str_make(&c, 1));
}

void text_vprintf(struct text *text, const char *format, va_list args) {
  if (text->failed) return;
  va_list again;
  va_copy(again, args);
  size_t room = text->capacity - text->n;
  int length = vsnprintf(text->p ? text->p + text->n : NULL, room, format, args);
  if (length < 0) {
    text->failed = true;
  } else if (text_reserve(text, (size_t)length)) {
    if ((size_t)length >= room) {
      (void)vsnprintf(text->p + text->n, (size_t)length + 1, format, again);
    }
    text->n += (size_t)length;
  }
  if (text->p) text->p[text->n] = '\0';
  va_end(again);
}

void text_printf(struct text *text, const char *format, ...) {
  va_list args;
  va_start(args, format);
  text_vprintf(text, format, args);
  va_end(args);
}

/* The letter after the backslash in JSON's short escapes, or NUL. */
static char json_short_escape(unsigned char c) {
  switch (c) {
    case '"':
      return '"';
    case '\\':
      return '\\';
    case '\b':
      return 'b';
    case '\f':
      return 'f';
    case '\n':
      return 'n';
    case '\r':
      return 'r';
    case '\t':
      return 't';
    default:
      return '\0';
  }
}

static bool is_json_plain(unsigned char c) {
  return c >= 0x20 && c < 0x7F && c != '"' && c != '\\';
}

static void add_json_ascii(struct text *text, unsigned char c) {
  char letter = json_short_escape(c);
  if (letter) {
    text_add(text, str_make((char[]){'\\', letter}, 2));
  } else {
    text_printf(text, "\\u%04x", c);
  }
}

void text_add_json(struct text *text, struct str s) {
  text_add_char(text, '"');
  size_t i = 0;
  while (i < s.n) {
    size_t from = i;
    while (i < s.n && is_json_plain((unsigned char)s.p[i])) i++;
    if (i > from) text_add(text, str_make(s.p + from, i - from));
    if (i == s.n) break;
    bool valid;
    size_t n = str_utf8_next(s, i, &valid);
    if (!valid) {
      text_add(text, STR("\xEF\xBF\xBD"));
    } else if (n == 1) {
      add_json_ascii(text, (unsigned char)s.p[i]);
    } else {
      text_add(text, str_make(s.p + i, n));
    }
    i += n;
  }
  text_add_char(text, '"');
}

static void hex_escape(unsigned char c, char out[4]) {
  static const char digits[] = "0123456789abcdef";
  out[0] = '\\';
  out[1] = 'x';
  out[2] = digits[c >> 4];
  out[3] = digits[c & 15];
}

void text_add_escaped(struct text *text, struct str s) {
  size_t i = 0;
  while (i < s.n) {
    size_t from = i;
    while (i < s.n && s.p[i] >= 0x20 && s.p[i] < 0x7F) i++;
    text_add(text, str_make(s.p + from, i - from));
    if (i == s.n) break;
    char hex[4];
    hex_escape((unsigned char)s.p[i++], hex);
    text_add(text, str_make(hex, sizeof(hex)));
  }
}

/* U+0080 to U+009F are terminal controls too (U+009B starts an escape sequence). */
static bool is_shown_as_it_is(struct str character, bool valid) {
  unsigned char first = (unsigned char)character.p[0];
  if (!valid) return false;
  if (character.n == 1) return first >= 0x20 && first != 0x7F;
  return !(first == 0xC2 && (unsigned char)character.p[1] < 0xA0);
}

size_t text_escape_controls(struct str s, char *buffer, size_t capacity, size_t *ret_n) {
  size_t taken = 0;
  size_t n = 0;
  while (taken < s.n) {
    bool valid;
    size_t length = str_utf8_next(s, taken, &valid);
    struct str character = str_make(s.p + taken, length);
    bool as_it_is = is_shown_as_it_is(character, valid);
    if (capacity - n < (as_it_is ? length : length * 4)) break;
    for (size_t i = 0; i < length && !as_it_is; i++) {
      hex_escape((unsigned char)character.p[i], buffer + n + i * 4);
    }
    if (as_it_is) memcpy(buffer + n, character.p, length);
    n += as_it_is ? length : length * 4;
    taken += length;
  }
  *ret_n = n;
  return taken;
}
