/*
 * line: one line of JSON, read member by member in a single pass. Private to src/accesslog.
 *
 * Strict (RFC 8259, UTF-8). Texts are unescaped in place, so that a value is a view of the line.
 * After a mistake everything fails, and the first mistake stays.
 */
#ifndef ADIT_ACCESSLOG_LINE_H
#define ADIT_ACCESSLOG_LINE_H

#include "adit/str.h"

enum { LINE_DEPTH_MAX = 16 };

struct line_scan {
  char *p;
  size_t at, n;
  const char *mistake; /* static; NULL: none */
  size_t mistake_at;
  bool is_cut; /* it was not a mistake but the end of the line */
};

/* Always false. The first mistake, at scan->at, stays. */
bool line_fail(struct line_scan *scan, const char *why);
/* The next byte that is no blank; '\0' at the end. */
static inline char line_peek(struct line_scan *scan) {
  while (scan->at < scan->n) {
    char c = scan->p[scan->at];
    if (c != ' ' && c != '\t' && c != '\r') return c;
    scan->at++;
  }
  return '\0';
}
/* Takes one byte. False: it is another; `why` is the mistake. */
bool line_take(struct line_scan *scan, char c, const char *why);
/* A string. *ret_plain (may be NULL): it is ASCII. */
bool line_text(struct line_scan *scan, struct str *ret, bool *ret_plain);
/* A word such as true or null. */
bool line_word(struct line_scan *scan, struct str word);
/* A number, as it is written. */
bool line_number(struct line_scan *scan, struct str *ret);
/* Any value, checked and passed over. */
bool line_skip(struct line_scan *scan);
/* Before each member of an object or element of an array that was opened: whether there is one
 * more. `first` is true at first; `close` is '}' or ']'. False also on a mistake. */
bool line_next(struct line_scan *scan, bool *first, char close);
/* A member's name with its colon. */
bool line_name(struct line_scan *scan, struct str *ret);

#endif
