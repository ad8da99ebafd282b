/*
 * Normalising paths: one pass that decodes, merges slashes and resolves dot segments.
 *
 * The output is a stack of segments. An octet is decoded and pushed; a slash (only ever a literal
 * one: decoding makes none) first resolves the segment before it. Within a segment, encoded slashes
 * and backslashes divide pieces: an upstream that takes them for slashes would resolve a piece
 * ".." where we don't, so such a path is refused. Where they are to be read as slashes (`slashes`)
 * they end a segment as one does.
 */
#include "adit/http.h"
#include "chars.h"

/* What is a slash beside the literal one. */
enum path_slashes { ENCODED_SLASH = 1, BACKSLASH = 2 };

struct path_builder {
  unsigned slashes; /* of enum path_slashes */
  char *out;
  size_t n;
  size_t segment; /* where the segment begins, behind its slash */
  size_t piece;   /* where its last piece begins */
  bool divided;   /* whether it has more than one piece */
};

static bool is_dots(const struct path_builder *path, size_t from, size_t count) {
  return path->n - from == count && path->out[from] == '.' && path->out[path->n - 1] == '.';
}

static void push(struct path_builder *path, char c) {
  path->out[path->n++] = c;
}

/* Ends a piece at an encoded slash (three octets of output) or a backslash. */
static bool divide(struct path_builder *path, struct str divider) {
  if (is_dots(path, path->piece, 2)) return false;
  memcpy(path->out + path->n, divider.p, divider.n);
  path->n += divider.n;
  path->piece = path->n;
  path->divided = true;
  return true;
}

/* Resolves the segment at its end; false: above the root, or a ".." beside a divider. */
static bool end_segment(struct path_builder *path) {
  if (path->divided) return !is_dots(path, path->piece, 2);
  if (is_dots(path, path->segment, 1)) {
    path->n = path->segment;
  } else if (is_dots(path, path->segment, 2)) {
    if (path->segment <= 1) return false;
    path->n = path->segment - 1; /* on the slash before; back to behind the one before that */
    while (path->out[path->n - 1] != '/') path->n--;
  }
  return true;
}

static bool begin_segment(struct path_builder *path) {
  if (path->n > 0 && !end_segment(path)) return false;
  if (path->n == 0 || path->out[path->n - 1] != '/') push(path, '/');
  path->segment = path->piece = path->n;
  path->divided = false;
  return true;
}

/* Takes the octet or percent-encoded octet at raw.p[*i]. */
static bool take(struct path_builder *path, struct str raw, size_t *i) {
  int octet = (unsigned char)raw.p[*i];
  const bool encoded = octet == '%';
  if (!encoded && octet == '/') {
    *i += 1;
    return begin_segment(path);
  }
  if (encoded) octet = http_percent_octet(raw, *i);
  if (octet <= 0) return false;
  *i += encoded ? 3 : 1;
  if (octet == '/')
    return path->slashes & ENCODED_SLASH ? begin_segment(path) : divide(path, STR("%2F"));
  if (octet == '\\')
    return path->slashes & BACKSLASH ? begin_segment(path) : divide(path, STR("\\"));
  push(path, (char)octet);
  return true;
}

/* Nothing to decode, merge, resolve or refuse. */
static bool is_plain(struct str raw) {
  for (size_t i = 0; i < raw.n; i++) {
    const char c = raw.p[i];
    if (c == '%' || c == '\\' || c == '\0') return false;
    if (c == '/' && i + 1 < raw.n && (raw.p[i + 1] == '/' || raw.p[i + 1] == '.')) return false;
  }
  return true;
}

/* `raw` begins with a slash. */
static bool build(struct str raw, unsigned slashes, char *scratch, struct str *ret) {
  struct path_builder path = {.slashes = slashes, .out = scratch};
  for (size_t i = 0; i < raw.n;) {
    if (!take(&path, raw, &i)) return false;
  }
  if (!end_segment(&path)) return false;
  *ret = str_make(scratch, path.n);
  return true;
}

bool http_path_normalise(struct str raw, char *scratch, struct str *ret) {
  if (str_eq(raw, STR("*"))) {
    *ret = raw;
    return true;
  }
  if (raw.n == 0 || raw.p[0] != '/') return false;
  if (is_plain(raw)) {
    *ret = raw;
    return true;
  }
  struct str normal;
  if (!build(raw, 0, scratch, &normal)) return false;
  *ret = str_eq(normal, raw) ? raw : normal;
  return true;
}

/* Those that are there, of enum path_slashes. */
static unsigned slashes_in(struct str raw) {
  unsigned found = 0;
  for (size_t i = 0; i < raw.n; i++) {
    const int octet = raw.p[i] == '%' ? http_percent_octet(raw, i) : raw.p[i];
    if (octet == '\\') found |= BACKSLASH;
    if (octet == '/' && raw.p[i] == '%') found |= ENCODED_SLASH;
  }
  return found;
}

bool http_path_other_readings(struct str raw, char *scratch, struct str ret[HTTP_PATH_OTHERS_MAX],
                              size_t *ret_n) {
  *ret_n = 0;
  const unsigned found = slashes_in(raw);
  if (found & ENCODED_SLASH) {
    if (!build(raw, ENCODED_SLASH, scratch, &ret[(*ret_n)++])) return false;
    scratch += raw.n;
  }
  if (found & BACKSLASH) return build(raw, found, scratch, &ret[(*ret_n)++]);
  return true;
}
