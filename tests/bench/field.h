/*
 * field: header fields of the requests that benchmarks ask.
 */
#ifndef ADIT_BENCH_FIELD_H
#define ADIT_BENCH_FIELD_H

#include "adit/http.h"

static inline struct http_field field(const char *name, const char *value) {
  const struct str s = str_from_cstr(name);
  return (struct http_field){.name = s, .value = str_from_cstr(value), .id = http_field_id(s)};
}

#endif
