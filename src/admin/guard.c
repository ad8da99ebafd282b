#include "guard.h"

#include "adit/crypto.h"
#include "adit/http.h"
#include "adit/ip.h"

static void note(struct str value, struct str *ret, unsigned *ret_n) {
  if ((*ret_n)++ == 0) *ret = value;
}

void guard_note(struct guard_head *head, struct str name, struct str value) {
  struct str ignored;
  if (str_eq_nocase(name, STR("Host"))) note(value, &head->host, &head->hosts);
  if (str_eq_nocase(name, STR("Origin"))) note(value, &head->origin, &head->origins);
  if (str_eq_nocase(name, STR("Authorization")))
    note(value, &head->authorization, &head->authorizations);
  if (str_eq_nocase(name, STR("Content-Length")))
    note(value, &head->content_length, &head->content_lengths);
  if (str_eq_nocase(name, STR("Transfer-Encoding")))
    note(value, &ignored, &head->transfer_encodings);
  /* libmicrohttpd takes a blank before the colon for a part of the name. */
  if (name.n > 0 && (name.p[name.n - 1] == ' ' || name.p[name.n - 1] == '\t')) head->hosts += 2;
}

static bool is_ambiguous(const struct guard_head *head) {
  return head->hosts > 1 || head->origins > 1 || head->authorizations > 1 ||
         head->content_lengths + head->transfer_encodings > 1;
}

/* "localhost", 127.0.0.0/8 or [::1], with a port or without. */
static bool names_loopback(struct str authority) {
  struct str host, port;
  struct ip_address ip;
  if (!authority.p || !http_authority_parse(authority, &host, &port)) return false;
  if (str_eq_nocase(host, STR("localhost"))) return true;
  if (str_starts_with(host, STR("["))) host = str_take(str_skip(host, 1), host.n - 2);
  return ip_parse(host, &ip) && ip_is_loopback(&ip);
}

/* A page that this very address has given: another port of the machine is somebody else's. */
static bool is_own_origin(struct str origin, struct str host) {
  const struct str scheme = STR("http://");
  return str_starts_with_nocase(origin, scheme) && str_eq_nocase(str_skip(origin, scheme.n), host);
}

static bool has_token(struct str authorization, struct str token) {
  const struct str scheme = STR("Bearer ");
  if (!authorization.p || !str_starts_with_nocase(authorization, scheme)) return false;
  return crypto_equal(str_trim(str_skip(authorization, scheme.n)), token);
}

enum guard_verdict guard_check(const struct guard_head *head, bool loopback, struct str token) {
  if (is_ambiguous(head)) return GUARD_AMBIGUOUS;
  if (loopback && !names_loopback(head->host)) return GUARD_FOREIGN_HOST;
  if (loopback && head->origin.p && !is_own_origin(head->origin, head->host))
    return GUARD_FOREIGN_ORIGIN;
  if (!token.p) return loopback ? GUARD_PASSES : GUARD_CLOSED;
  return has_token(head->authorization, token) ? GUARD_PASSES : GUARD_NO_TOKEN;
}
