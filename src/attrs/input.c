#include "input.h"

#include <assert.h>

void input_begin(struct attr_input *input, const struct attr_request *request,
                 struct arena *arena) {
  *input = (struct attr_input){.request = request, .arena = arena};
}

/* ---- headers --------------------------------------------------------------------------------- */

/* Most fields differ in length already, which is seen without a call. */
static bool is_field(const struct http_field *field, struct str name) {
  return field->name.n == name.n && str_eq_nocase(field->name, name);
}

static bool next_header(const struct attr_request *request, struct str name, size_t *cursor,
                        struct str *ret) {
  const struct http_field *fields = request->fields;
  size_t n = request->field_count;
  for (size_t i = *cursor; i < n; i++) {
    if (!is_field(&fields[i], name)) continue;
    *cursor = i + 1;
    *ret = fields[i].value;
    return true;
  }
  *cursor = n;
  return false;
}

bool attr_request_header(const struct attr_request *request, struct str name, size_t k,
                         struct str *ret) {
  size_t cursor = 0;
  struct str value;
  do {
    if (!next_header(request, name, &cursor, &value)) return false;
  } while (k-- > 0);
  *ret = value;
  return true;
}

/* ---- cookies and query ----------------------------------------------------------------------- */

static size_t count_char(struct str s, char c) {
  size_t n = 0;
  for (size_t i = 0; i < s.n; i++) n += s.p[i] == c;
  return n;
}

static size_t smaller(size_t a, size_t b) {
  return a < b ? a : b;
}

static bool reserve_pairs(struct attr_input *input, struct input_pairs *pairs, size_t n) {
  pairs->parsed = true;
  pairs->items = ARENA_ARRAY(input->arena, struct input_pair, n);
  pairs->failed = pairs->items == NULL;
  return !pairs->failed;
}

/* Each pair has its '=', and all but the last of a field have a ';': no more than either. */
static size_t count_cookies(const struct attr_request *request) {
  size_t n = 0, cursor = 0;
  struct str field;
  while (next_header(request, STR("Cookie"), &cursor, &field)) {
    n += smaller(count_char(field, ';') + 1, count_char(field, '='));
  }
  return n;
}

static void parse_cookies(struct attr_input *input) {
  struct input_pairs *cookies = &input->cookies;
  size_t most = count_cookies(input->request), cursor = 0;
  struct str field;
  if (!reserve_pairs(input, cookies, most)) return;
  while (next_header(input->request, STR("Cookie"), &cursor, &field)) {
    struct input_pair pair;
    while (http_cookie_next(&field, &pair.name, &pair.value)) {
      assert(cookies->n < most);
      cookies->items[cookies->n++] = pair;
    }
  }
}

/* Decodes to *scratch, and moves that on only when it was needed. */
static struct str decode(struct str encoded, char **scratch) {
  struct str decoded = http_query_decode(encoded, *scratch);
  if (decoded.p == *scratch) *scratch += decoded.n;
  return decoded;
}

static void parse_query(struct attr_input *input) {
  struct input_pairs *query = &input->query;
  struct str rest = input->request->query;
  size_t most = rest.p ? count_char(rest, '&') + 1 : 0;
  char *scratch = arena_alloc(input->arena, rest.n);
  if (!reserve_pairs(input, query, most)) return;
  query->failed = scratch == NULL;
  struct str name, value;
  while (scratch && rest.p && http_query_next(&rest, &name, &value)) {
    assert(query->n < most);
    struct str decoded = decode(name, &scratch);
    query->items[query->n++] = (struct input_pair){decoded, decode(value, &scratch)};
  }
}

bool input_prepare(struct attr_input *input, enum attr_source_kind kind) {
  switch (kind) {
    case SOURCE_HEADER:
      return true;
    case SOURCE_COOKIE:
      if (!input->cookies.parsed) parse_cookies(input);
      return !input->cookies.failed;
    case SOURCE_QUERY:
      if (!input->query.parsed) parse_query(input);
      return !input->query.failed;
    case SOURCE_JWT: /* these have a supplier */
    case SOURCE_GEOIP:
    case SOURCE_CIDR:
    case SOURCE_LOOKUP:
    case ATTR_SOURCE_KINDS:
      break;
  }
  return false;
}

static bool next_pair(const struct input_pairs *pairs, struct str name, size_t *cursor,
                      struct str *ret) {
  for (size_t i = *cursor; i < pairs->n; i++) {
    if (!str_eq(pairs->items[i].name, name)) continue;
    *cursor = i + 1;
    *ret = pairs->items[i].value;
    return true;
  }
  *cursor = pairs->n;
  return false;
}

bool input_next(const struct attr_input *input, enum attr_source_kind kind, struct str name,
                size_t *cursor, struct str *ret) {
  switch (kind) {
    case SOURCE_HEADER:
      return next_header(input->request, name, cursor, ret);
    case SOURCE_COOKIE:
      return next_pair(&input->cookies, name, cursor, ret);
    case SOURCE_QUERY:
      return next_pair(&input->query, name, cursor, ret);
    case SOURCE_JWT: /* these have a supplier */
    case SOURCE_GEOIP:
    case SOURCE_CIDR:
    case SOURCE_LOOKUP:
    case ATTR_SOURCE_KINDS:
      break;
  }
  return false;
}
