/*
 * text: a growing text with a ceiling, on the heap.
 *
 * For output that is built and then printed or sent: diagnostics, JSON, explanations. Once it is
 * full or memory is short it stays as it is and says so (text_failed), so that a builder may check
 * once at its end. Not for the request path: that uses fixed buffers.
 */
#ifndef ADIT_TEXT_H
#define ADIT_TEXT_H

#include <stdarg.h>

#include "adit/str.h"

struct text {
  char *p; /* NUL-terminated when not NULL */
  size_t n;
  size_t capacity;
  size_t limit_bytes;
  bool failed;
};

void text_init(struct text *text, size_t limit_bytes);
void text_deinit(struct text *text);
/* Empties it and forgets a failure; keeps the memory. */
void text_clear(struct text *text);
bool text_failed(const struct text *text);
struct str text_str(const struct text *text);
/* Takes the memory for `more` bytes now. False: it is full, or memory is short; it has failed then.
 */
bool text_reserve(struct text *text, size_t more);

void text_add(struct text *text, struct str s);
void text_add_char(struct text *text, char c);
void text_printf(struct text *text, const char *format, ...) __attribute__((format(printf, 2, 3)));
void text_vprintf(struct text *text, const char *format, va_list args)
    __attribute__((format(printf, 2, 0)));

/*
 * Adds `s` as a JSON string with its quotes (RFC 8259). Bytes that are not UTF-8 become U+FFFD, one
 * for each maximal ill-formed part.
 */
void text_add_json(struct text *text, struct str s);
/* Adds `s` for a person's terminal or a log: control and non-ASCII bytes as \xNN. */
void text_add_escaped(struct text *text, struct str s);

/* No byte grows to more than this when it is escaped. */
enum { TEXT_ESCAPED_BYTES_MAX = 4 };
/*
 * Copies `s` to `buffer` for one line of a log: control characters and bytes that are not UTF-8
 * as \xNN, all other text as it is. No NUL is added. Stops before a character that does not fit.
 * Returns how many bytes of `s` went in; *ret_n is how many were written.
 */
size_t text_escape_controls(struct str s, char *buffer, size_t capacity, size_t *ret_n);

#endif
