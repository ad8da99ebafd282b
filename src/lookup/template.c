/*
 * template: a URL with {attribute} in it.
 *
 * A value is percent-encoded but for RFC 3986's unreserved characters, so that it cannot end its
 * segment, begin a query or name another host. What a lax server could still take for a way up once
 * it has decoded it ("..%2Fadmin") is not sent at all.
 */
#include "adit/ip.h"
#include "adit/lookup.h"

static bool is_unreserved(char c) {
  return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || ascii_is_digit(c) || c == '-' ||
         c == '.' || c == '_' || c == '~';
}

static bool is_control(char c) {
  return (unsigned char)c < 0x20 || c == 0x7F;
}

static bool is_dots(struct str s) {
  return str_eq(s, STR(".")) || str_eq(s, STR(".."));
}

/* ---- parsing --------------------------------------------------------------------------------- */

static const char *check_bytes(struct str text) {
  for (size_t i = 0; i < text.n; i++) {
    const unsigned char c = (unsigned char)text.p[i];
    if (c <= 0x20 || c >= 0x7F || strchr("\"<>\\^`|", c)) return "has a byte that no URL has";
    if (c == '#') return "has a fragment, which is never sent";
  }
  return NULL;
}

/* The host and port, without placeholders. */
static const char *check_authority(struct str authority) {
  if (authority.n == 0 || authority.p[0] == ':') return "has no host";
  for (size_t i = 0; i < authority.n; i++) {
    const char c = authority.p[i];
    if (c == '@') return "has credentials in it";
    if (c == '{' || c == '}') return "would take its host from a request";
    if (!is_unreserved(c) && !strchr(":[]", c)) return "has a host that is none";
  }
  return NULL;
}

/* Literal dot segments: nobody means them. */
static const char *check_path(struct str path) {
  struct str rest = str_take(path, str_find_char(path, '?', 0)), segment;
  while (str_split_next(&rest, '/', &segment))
    if (is_dots(segment)) return "has a '.' or '..' in its path";
  return NULL;
}

static bool is_attribute(struct str name) {
  if (name.n == 0 || name.n > 128) return false;
  for (size_t i = 0; i < name.n; i++)
    if (!is_unreserved(name.p[i]) || name.p[i] == '~') return false;
  return true;
}

/* Cuts `text` from `from` on into literals and placeholders. */
static const char *cut(struct str text, size_t from, struct lookup_template *ret) {
  size_t begin = 0;
  for (size_t i = from; i < text.n; i++) {
    if (text.p[i] == '}') return "has a '}' without its '{'";
    if (text.p[i] != '{') continue;
    size_t end = str_find_char(text, '}', i);
    struct str name = str_take(str_skip(text, i + 1), end - i - 1);
    if (end == text.n) return "has a '{' without its '}'";
    if (!is_attribute(name)) return "has something else than an attribute's name between { and }";
    if (ret->key_count == LOOKUP_KEYS_MAX) return "has more than 8 placeholders";
    ret->literals[ret->key_count] = str_take(str_skip(text, begin), i - begin);
    ret->keys[ret->key_count++] = name;
    begin = end + 1;
    i = end;
  }
  ret->literals[ret->key_count] = str_skip(text, begin);
  return ret->key_count == 0 ? "asks the same of everybody: put an {attribute} into it" : NULL;
}

/* "ADDRESS:PORT/DATABASE?key=KEY", behind the scheme: an address, since resolving a name would hold
 * up who asks. */
static const char *parse_redis(struct str text, struct lookup_template *ret) {
  static const char form[] = "is not redis://ADDRESS:PORT/DATABASE?key=KEY";
  const size_t slash = str_find_char(text, '/', 0);
  struct str authority = str_take(text, slash), rest = str_skip(text, slash + 1);
  const struct str key = STR("?key=");
  size_t colon = authority.n;
  uint64_t port, database;
  struct ip_address ip;
  while (colon > 0 && authority.p[colon - 1] != ':') colon--;
  if (colon == 0 || slash == text.n) return form;
  if (!str_to_u64(str_skip(authority, colon), 65535, &port) || port == 0) return form;
  ret->host = str_take(authority, colon - 1);
  if (str_starts_with(ret->host, STR("[")) && str_ends_with(ret->host, STR("]")))
    ret->host = str_take(str_skip(ret->host, 1), ret->host.n - 2);
  if (!ip_parse(ret->host, &ip)) return "has a host that is no address";
  const size_t query = str_find_char(rest, '?', 0);
  if (!str_to_u64(str_take(rest, query), 65535, &database)) return form;
  rest = str_skip(rest, query);
  if (!str_starts_with(rest, key)) return form;
  ret->is_redis = true;
  ret->port = (uint16_t)port;
  ret->database = (unsigned)database;
  return cut(str_skip(rest, key.n), 0, ret);
}

bool lookup_template_parse(struct str text, struct lookup_template *ret, const char **ret_why) {
  *ret = (struct lookup_template){0};
  size_t scheme = str_starts_with(text, STR("http://"))    ? sizeof("http://") - 1
                  : str_starts_with(text, STR("https://")) ? sizeof("https://") - 1
                                                           : 0;
  const size_t host_end = str_find_char(text, '/', scheme);
  const struct str redis = STR("redis://");
  if (text.n > LOOKUP_URL_BYTES_MAX) {
    *ret_why = "is longer than 2048 bytes";
    return false;
  }
  if (str_starts_with(text, redis)) {
    *ret_why = check_bytes(text);
    if (!*ret_why) *ret_why = parse_redis(str_skip(text, redis.n), ret);
    return *ret_why == NULL;
  }
  if (scheme == 0)
    *ret_why = "begins neither with http:// nor with https:// nor with redis://";
  else if (host_end == text.n)
    *ret_why = "has no path";
  else
    *ret_why = check_authority(str_take(str_skip(text, scheme), host_end - scheme));
  if (!*ret_why) *ret_why = check_bytes(text);
  if (!*ret_why) *ret_why = check_path(str_skip(text, host_end));
  if (!*ret_why) *ret_why = cut(text, host_end, ret);
  return *ret_why == NULL;
}

/* ---- filling --------------------------------------------------------------------------------- */

static enum lookup_fill check_value(struct str value, bool is_redis) {
  if (value.n == 0) return LOOKUP_KEY_EMPTY;
  if (value.n > LOOKUP_KEY_BYTES_MAX) return LOOKUP_KEY_LONG;
  size_t begin = 0;
  for (size_t i = 0; i <= value.n; i++) {
    if (i < value.n && is_control(value.p[i])) return LOOKUP_KEY_CONTROL;
    if (is_redis && i < value.n && value.p[i] == ':') return LOOKUP_KEY_COLON;
    if (i < value.n && value.p[i] != '/' && value.p[i] != '\\') continue;
    if (!is_redis && is_dots(str_take(str_skip(value, begin), i - begin))) return LOOKUP_KEY_DOTS;
    begin = i + 1;
  }
  return LOOKUP_FILLED;
}

static size_t put_encoded(struct str value, char *at) {
  static const char digits[] = "0123456789ABCDEF";
  size_t n = 0;
  for (size_t i = 0; i < value.n; i++) {
    const unsigned char c = (unsigned char)value.p[i];
    if (is_unreserved((char)c)) {
      at[n++] = (char)c;
      continue;
    }
    at[n++] = '%';
    at[n++] = digits[c >> 4];
    at[n++] = digits[c & 15];
  }
  return n;
}

/* Dots of the template and of a value may have come together. */
static bool has_dot_segment(struct str url) {
  struct str rest = str_take(url, str_find_char(url, '?', 0)), segment;
  while (str_split_next(&rest, '/', &segment))
    if (is_dots(segment)) return true;
  return false;
}

enum lookup_fill lookup_template_fill(const struct lookup_template *template,
                                      const struct str *values, char *buffer, size_t *ret_n) {
  size_t n = 0;
  for (size_t i = 0; i <= template->key_count; i++) {
    memcpy(buffer + n, template->literals[i].p, template->literals[i].n);
    n += template->literals[i].n;
    if (i == template->key_count) break;
    enum lookup_fill outcome = check_value(values[i], template->is_redis);
    if (outcome != LOOKUP_FILLED) return outcome;
    if (template->is_redis) {
      memcpy(buffer + n, values[i].p, values[i].n);
      n += values[i].n;
      continue;
    }
    n += put_encoded(values[i], buffer + n);
  }
  buffer[n] = '\0';
  *ret_n = n;
  return !template->is_redis && has_dot_segment(str_make(buffer, n)) ? LOOKUP_KEY_DOTS
                                                                     : LOOKUP_FILLED;
}
