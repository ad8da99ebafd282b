/*
 * Request targets (RFC 9112 3.2) and authorities (RFC 3986 3.2).
 *
 *   origin-form     /path?query            any method but CONNECT
 *   absolute-form   http://host/path?query any method but CONNECT
 *   authority-form  host:port              CONNECT only
 *   asterisk-form   *                      OPTIONS only
 */
#include "target.h"

#include "adit/ip.h"
#include "span.h"

/* ---- authorities ----------------------------------------------------------------------------- */

static bool is_reg_name(struct str s) {
  size_t i = 0;
  while ((i = http_span_reg_name(s.p, i, s.n)) < s.n) {
    if (s.p[i] != '%' || http_percent_octet(s, i) < 0) return false;
    i += 3;
  }
  return s.n > 0;
}

/* "[" IPv6address "]". IPvFuture has no meaning to anybody, and zones none beyond one machine. */
static bool is_ip_literal(struct str s) {
  if (s.n < 2 || s.p[s.n - 1] != ']') return false;
  const struct str inside = str_make(s.p + 1, s.n - 2);
  struct ip_address ip;
  return str_find_char(inside, ':', 0) < inside.n && ip_parse(inside, &ip);
}

static bool is_port(struct str s) {
  uint64_t port;
  return s.n == 0 || str_to_u64(s, UINT16_MAX, &port);
}

bool http_authority_parse(struct str authority, struct str *ret_host, struct str *ret_port) {
  const bool literal = authority.n > 0 && authority.p[0] == '[';
  const size_t closing = literal ? str_find_char(authority, ']', 0) : 0;
  const size_t colon = str_find_char(authority, ':', closing);
  const struct str host = str_take(authority, colon);
  struct str port = {NULL, 0};
  if (colon < authority.n) port = str_skip(authority, colon + 1);
  if (!(literal ? is_ip_literal(host) : is_reg_name(host)) || !is_port(port)) return false;
  if (http_target_host(host).n == 0) return false;
  *ret_host = host;
  *ret_port = port;
  return true;
}

struct str http_target_host(struct str host) {
  const bool dotted = host.n > 0 && host.p[host.n - 1] == '.';
  return str_take(host, host.n - dotted);
}

/* ---- forms ----------------------------------------------------------------------------------- */

static void split_origin(struct http_request *ret, struct str origin) {
  const size_t mark = str_find_char(origin, '?', 0);
  ret->origin = origin;
  ret->raw_path = mark > 0 ? str_take(origin, mark) : STR("/");
  if (mark < origin.n) ret->query = str_skip(origin, mark + 1);
}

static bool parse_authority_form(struct http_request *ret) {
  struct str port;
  ret->form = HTTP_TARGET_AUTHORITY;
  ret->authority = ret->target;
  if (!http_authority_parse(ret->target, &ret->host, &port) || port.n == 0) return false;
  ret->host = http_target_host(ret->host);
  split_origin(ret, STR("/"));
  return true;
}

/* Octets of "http://" or "https://" at the start (the scheme in any case); 0: another scheme. */
static size_t scheme_length(struct str target) {
  if (str_starts_with_nocase(target, STR("http://"))) return 7;
  if (str_starts_with_nocase(target, STR("https://"))) return 8;
  return 0;
}

static bool parse_absolute_form(struct http_request *ret) {
  const size_t scheme_n = scheme_length(ret->target);
  if (scheme_n == 0) return false;
  const struct str rest = str_skip(ret->target, scheme_n);
  size_t n = 0;
  while (n < rest.n && rest.p[n] != '/' && rest.p[n] != '?') n++;
  struct str port;
  ret->form = HTTP_TARGET_ABSOLUTE;
  ret->authority = str_take(rest, n);
  if (!http_authority_parse(ret->authority, &ret->host, &port)) return false;
  ret->host = http_target_host(ret->host);

  const struct str path = str_skip(rest, n);
  if (path.n > 0) {
    ret->origin_needs_slash = path.p[0] == '?';
    split_origin(ret, path);
  } else {
    /* RFC 9112 3.2.4: OPTIONS of a server as a whole. */
    split_origin(ret, ret->method_id == HTTP_METHOD_OPTIONS ? STR("*") : STR("/"));
  }
  return true;
}

bool http_target_parse(struct http_request *ret) {
  if (ret->method_id == HTTP_METHOD_CONNECT) return parse_authority_form(ret);
  if (ret->target.p[0] == '/') {
    ret->form = HTTP_TARGET_ORIGIN;
    split_origin(ret, ret->target);
    return true;
  }
  if (str_eq(ret->target, STR("*"))) {
    ret->form = HTTP_TARGET_ASTERISK;
    split_origin(ret, ret->target);
    return ret->method_id == HTTP_METHOD_OPTIONS;
  }
  return parse_absolute_form(ret);
}
