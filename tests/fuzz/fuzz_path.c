/*
 * fuzz_path: a path that is taken has no empty and no dot segment left, is its own normal form
 * unless decoding made a '%' of it, and is what a second, simpler way to it gives: decode all,
 * divide, drop, join. What that way refuses is refused. The same holds for its other readings.
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

/* ---- the second way -------------------------------------------------------------------------- */

enum { ENCODED_SLASH = 256 }; /* an octet that no octet is */

/* What is a slash beside '/'. */
struct reading {
  bool encoded, backslash;
};

static int hex_value(char c) {
  static const char digits[] = "0123456789abcdef";
  const char *at = c ? strchr(digits, c >= 'A' && c <= 'F' ? c + 32 : c) : NULL;
  return at ? (int)(at - digits) : -1;
}

/* Percent-decodes once. False: a malformed '%', or a NUL. */
static bool decode_all(struct str raw, struct reading reading, int *octets, size_t *ret_n) {
  *ret_n = 0;
  for (size_t i = 0; i < raw.n; i++) {
    int octet = (unsigned char)raw.p[i];
    if (octet == '%') {
      if (raw.n - i < 3 || hex_value(raw.p[i + 1]) < 0 || hex_value(raw.p[i + 2]) < 0) return false;
      octet = hex_value(raw.p[i + 1]) * 16 + hex_value(raw.p[i + 2]);
      if (octet == '/' && !reading.encoded) octet = ENCODED_SLASH;
      i += 2;
    }
    if (octet == '\\' && reading.backslash) octet = '/';
    if (octet == 0) return false;
    octets[(*ret_n)++] = octet;
  }
  return true;
}

struct segment {
  const int *octets;
  size_t n;
};

static bool is_divider(int octet) {
  return octet == ENCODED_SLASH || octet == '\\';
}

static bool is_dots(struct segment segment, size_t count) {
  if (segment.n != count) return false;
  for (size_t i = 0; i < count; i++)
    if (segment.octets[i] != '.') return false;
  return true;
}

/* Whether one of several pieces, divided by what some take for a slash, is "..". */
static bool hides_parent(struct segment segment) {
  size_t from = 0;
  bool divided = false, found = false;
  for (size_t i = 0; i <= segment.n; i++) {
    if (i < segment.n && !is_divider(segment.octets[i])) continue;
    if (i < segment.n) divided = true;
    if (is_dots((struct segment){segment.octets + from, i - from}, 2)) found = true;
    from = i + 1;
  }
  return divided && found;
}

static size_t join(const struct segment *segments, size_t n, bool open, char *out) {
  size_t size = 0;
  for (size_t i = 0; i < n; i++) {
    out[size++] = '/';
    for (size_t k = 0; k < segments[i].n; k++) {
      const int octet = segments[i].octets[k];
      if (octet != ENCODED_SLASH) {
        out[size++] = (char)octet;
        continue;
      }
      memcpy(out + size, "%2F", 3);
      size += 3;
    }
  }
  if (open || n == 0) out[size++] = '/';
  return size;
}

/* The path's normal form into `out` (raw.n bytes). False: refused. */
static bool second_way(struct str raw, struct reading reading, char *out, struct str *ret) {
  int *octets = calloc(raw.n + 1, sizeof(*octets));
  struct segment *segments = calloc(raw.n + 1, sizeof(*segments));
  size_t octet_count = 0, n = 0;
  bool good =
      octets && segments && raw.p[0] == '/' && decode_all(raw, reading, octets, &octet_count);
  bool open = false; /* it ends with a slash */
  for (size_t i = 1; good && i <= octet_count;) {
    struct segment segment = {octets + i, 0};
    while (i + segment.n < octet_count && octets[i + segment.n] != '/') segment.n++;
    i += segment.n + 1;
    if (hides_parent(segment)) good = false;
    open = segment.n == 0 || is_dots(segment, 1) || is_dots(segment, 2);
    if (!open) segments[n++] = segment;
    if (is_dots(segment, 2) && n-- == 0) good = false;
  }
  if (good) *ret = str_make(out, join(segments, n, open, out));
  free(octets);
  free(segments);
  return good;
}

/* ---- both ------------------------------------------------------------------------------------ */

static bool has(struct str raw, char octet, const char *encoded) {
  return (octet != '/' && memchr(raw.p, octet, raw.n) != NULL) ||
         str_contains_nocase(raw, str_from_cstr(encoded));
}

/* `raw` is one that is taken; `scratch` holds HTTP_PATH_OTHERS_MAX paths and one more. */
static void try_other_readings(struct str raw, char *scratch) {
  struct str others[HTTP_PATH_OTHERS_MAX], expected;
  size_t n = 0, at = 0;
  const struct reading found = {has(raw, '/', "%2f"), has(raw, '\\', "%5c")};
  const struct reading readings[HTTP_PATH_OTHERS_MAX] = {{found.encoded, false}, found};
  const bool taken = http_path_other_readings(raw, scratch, others, &n);
  for (size_t i = 0; i < HTTP_PATH_OTHERS_MAX; i++) {
    if (i == 0 ? !found.encoded : !found.backslash) continue;
    if (!second_way(raw, readings[i], scratch + HTTP_PATH_OTHERS_MAX * raw.n, &expected)) {
      require(!taken);
      return;
    }
    require(at < n && (!taken || str_eq(others[at], expected)));
    at++;
    require_normal(expected);
  }
  require(taken && at == n);
}

static void try_path(struct str raw, char *scratch, char *second) {
  struct str path, again;
  const bool taken = http_path_normalise(raw, scratch, &path);
  if (str_eq(raw, STR("*"))) {
    require(taken && str_eq(path, raw));
    return;
  }
  require(second_way(raw, (struct reading){0}, second, &again) == taken);
  if (!taken) return;
  require(str_eq(path, again));
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
  char *second = malloc((HTTP_PATH_OTHERS_MAX + 1) * size + 1);
  if (scratch != NULL && second != NULL && size > 0) {
    try_path(s, scratch, second);
    try_pairs(s, scratch);
  }
  free(scratch);
  free(second);
  return 0;
}
