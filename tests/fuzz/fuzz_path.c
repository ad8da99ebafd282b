/*
 * fuzz_path: a path that is taken has no empty and no dot segment left, and is its own normal form
 * unless decoding made a '%' of it; so are its other readings, which have no encoded slash left.
 * Authorities, queries and cookies beside it.
 */
#include <stdlib.h>

#include "adit/http.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void require(bool holds) {
  if (!holds) abort();
}

static void require_normal(struct str path) {
  require(path.n > 0 && path.p[0] == '/' && memchr(path.p, '\0', path.n) == NULL);
  struct str rest = str_skip(path, 1);
  struct str segment;
  while (str_split_next(&rest, '/', &segment)) {
    require(segment.n > 0 || rest.p == NULL); /* empty only as the last */
    require(!str_eq(segment, STR(".")) && !str_eq(segment, STR("..")));
  }
}

static void try_other_readings(struct str raw, char *scratch) {
  struct str others[HTTP_PATH_OTHERS_MAX];
  size_t n = 0;
  if (!http_path_other_readings(raw, scratch, others, &n)) return;
  require(n <= HTTP_PATH_OTHERS_MAX);
  for (size_t i = 0; i < n; i++) {
    require(others[i].n <= raw.n);
    require_normal(others[i]);
  }
}

static void try_path(struct str raw, char *scratch, char *second) {
  struct str path, again;
  if (!http_path_normalise(raw, scratch, &path) || str_eq(path, STR("*"))) return;
  require(path.n <= raw.n);
  require_normal(path);
  try_other_readings(raw, second);
  if (memchr(path.p, '%', path.n) != NULL) return;
  require(http_path_normalise(path, second, &again) && again.p == path.p && again.n == path.n);
}

static void try_pairs(struct str s, char *scratch) {
  struct str name, value, host, port;
  struct str rest = s;
  while (http_query_next(&rest, &name, &value)) {
    require(http_query_decode(name, scratch).n <= name.n);
    require(http_query_decode(value, scratch).n <= value.n);
  }
  rest = s;
  while (http_cookie_next(&rest, &name, &value)) require(name.n + value.n < s.n);
  rest = s;
  while (http_list_next(&rest, &value)) require(value.n > 0);
  if (http_authority_parse(s, &host, &port)) {
    require(host.n > 0 && host.n + port.n + (port.p != NULL) == s.n);
    require(http_is_field_value(s) && memchr(s.p, '@', s.n) == NULL);
  }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
  const struct str s = str_make((const char *)data, size);
  char *scratch = malloc(size + 1);
  char *second = malloc(HTTP_PATH_OTHERS_MAX * size + 1);
  if (scratch != NULL && second != NULL && size > 0) {
    try_path(s, scratch, second);
    try_pairs(s, scratch);
  }
  free(scratch);
  free(second);
  return 0;
}
