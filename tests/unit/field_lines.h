/*
 * field_lines: a request's fields, written as lines.
 */
#ifndef ADIT_TESTS_FIELD_LINES_H
#define ADIT_TESTS_FIELD_LINES_H

#include "adit/http.h"
#include "unit.h"

/* "Name: value\nName: value", whose text must hold. Returns how many. */
static inline size_t field_lines(const char *lines, struct http_field *ret, size_t capacity) {
  struct str rest = str_from_cstr(lines), line;
  size_t n = 0;
  while (str_split_next(&rest, '\n', &line)) {
    size_t colon = str_find_char(line, ':', 0);
    ck_assert_uint_lt(n, capacity);
    ret[n++] = (struct http_field){.name = str_take(line, colon),
                                   .value = str_trim(str_skip(line, colon + 1))};
  }
  return n;
}

#endif
