/*
 * Hop-by-hop fields: what ends here, and what Connection may name beside (RFC 9110 7.6.1).
 */
#include "adit/http.h"

static bool is_hop_by_hop(enum http_field_id id) {
  return id == HTTP_FIELD_CONNECTION || id == HTTP_FIELD_KEEP_ALIVE ||
         id == HTTP_FIELD_PROXY_CONNECTION || id == HTTP_FIELD_TE ||
         id == HTTP_FIELD_TRANSFER_ENCODING || id == HTTP_FIELD_UPGRADE ||
         id == HTTP_FIELD_HTTP2_SETTINGS;
}

bool http_field_is_protected(struct str name) {
  enum http_field_id id = http_field_id(name);
  return id == HTTP_FIELD_HOST || id == HTTP_FIELD_CONTENT_LENGTH ||
         id == HTTP_FIELD_TRANSFER_ENCODING || id == HTTP_FIELD_COOKIE ||
         id == HTTP_FIELD_AUTHORIZATION || id == HTTP_FIELD_FORWARDED ||
         id == HTTP_FIELD_X_REQUEST_ID || id == HTTP_FIELD_TRACEPARENT ||
         id == HTTP_FIELD_TRACESTATE || str_starts_with_nocase(name, STR("x-forwarded-"));
}

/* Fields that must be acted upon, which a nomination would take out of our sight: a handshake's
 * origin would get an upgrade without its key, and a TRACE would go on for ever. */
static bool is_needed_here(struct str name) {
  return http_field_id(name) == HTTP_FIELD_MAX_FORWARDS ||
         str_starts_with_nocase(name, STR("sec-websocket-"));
}

/* Options whose fields go in any case; the common ones, which spares looking for them. */
static bool is_hop_option(struct str element) {
  return str_eq_nocase(element, STR("keep-alive")) || str_eq_nocase(element, STR("upgrade")) ||
         str_eq_nocase(element, STR("te"));
}

size_t http_remove_field(struct http_field *fields, size_t n, struct str name) {
  size_t kept = 0;
  for (size_t i = 0; i < n; i++) {
    if (!str_eq_nocase(fields[i].name, name)) fields[kept++] = fields[i];
  }
  return kept;
}

/* The work is bounded: a head has at most HTTP_CONNECTION_OPTIONS_MAX of these options. */
static size_t remove_nominated(struct http_field *fields, size_t n, http_protected_fn *is_protected,
                               void *context) {
  struct str values[HTTP_FIELDS_MAX];
  size_t value_count = 0;
  for (size_t i = 0; i < n; i++)
    if (fields[i].id == HTTP_FIELD_CONNECTION) values[value_count++] = fields[i].value;
  for (size_t i = 0; i < value_count; i++) {
    struct str rest = values[i], element;
    while (http_list_next(&rest, &element)) {
      if (is_hop_option(element) || http_field_is_protected(element)) continue;
      if (is_needed_here(element)) continue;
      if (is_protected && is_protected(context, element)) continue;
      n = http_remove_field(fields, n, element);
    }
  }
  return n;
}

size_t http_remove_hop_by_hop(struct http_field *fields, size_t n, bool has_connection,
                              http_protected_fn *is_protected, void *context) {
  if (has_connection) n = remove_nominated(fields, n, is_protected, context);
  size_t kept = 0;
  for (size_t i = 0; i < n; i++) {
    if (!is_hop_by_hop(fields[i].id)) fields[kept++] = fields[i];
  }
  return kept;
}
