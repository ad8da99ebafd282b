/*
 * Trailer sections: fields behind a body. A recipient may read them long after it has acted on the
 * head, or merge them into it all the same, so most of what a head may say has no place here.
 */
#include <assert.h>

#include "adit/http.h"

size_t http_trailers_parse(struct str lines, struct http_field *fields) {
  size_t count = 0;
  while (lines.n > 0) {
    const size_t colon = str_find_char(lines, ':', 0);
    const size_t end = str_find_char(lines, '\r', colon);
    assert(colon < end && end + 1 < lines.n && count < HTTP_FIELDS_MAX);
    const struct str name = str_take(lines, colon);
    fields[count++] = (struct http_field){
        .name = name,
        .value = str_trim(str_make(lines.p + colon + 1, end - colon - 1)),
        .id = http_field_id(name),
    };
    lines = str_skip(lines, end + 2);
  }
  return count;
}

enum { LONGEST_BYTES = 32 }; /* of the names below */

/* In lower case, '_' taken as '-' as CGI and its heirs do; the start of a longer one. */
static struct str fold(struct str name, char buffer[LONGEST_BYTES]) {
  const struct str start = str_take(name, LONGEST_BYTES);
  for (size_t i = 0; i < start.n; i++)
    buffer[i] = start.p[i] == '_' ? '-' : ascii_lower(start.p[i]);
  return str_make(buffer, start.n);
}

bool http_field_may_trail(struct str name) {
  static const struct str heads_only[] = {
      /* framing and connections */
      STR_INIT("connection"), STR_INIT("content-length"), STR_INIT("http2-settings"),
      STR_INIT("keep-alive"), STR_INIT("proxy-connection"), STR_INIT("te"), STR_INIT("trailer"),
      STR_INIT("transfer-encoding"), STR_INIT("upgrade"),
      /* routing, and what proxies say of it */
      STR_INIT("forwarded"), STR_INIT("host"), STR_INIT("max-forwards"), STR_INIT("via"),
      STR_INIT("x-real-ip"), STR_INIT("x-request-id"), STR_INIT("traceparent"),
      STR_INIT("tracestate"),
      /* modifiers of a request */
      STR_INIT("cache-control"), STR_INIT("expect"), STR_INIT("if-match"),
      STR_INIT("if-modified-since"), STR_INIT("if-none-match"), STR_INIT("if-range"),
      STR_INIT("if-unmodified-since"), STR_INIT("pragma"), STR_INIT("range"),
      /* who asks */
      STR_INIT("authorization"), STR_INIT("cookie"), STR_INIT("proxy-authenticate"),
      STR_INIT("proxy-authorization"), STR_INIT("set-cookie"), STR_INIT("www-authenticate"),
      /* control of a response */
      STR_INIT("age"), STR_INIT("date"), STR_INIT("expires"), STR_INIT("location"),
      STR_INIT("retry-after"), STR_INIT("vary"), STR_INIT("warning"),
      /* what the content is */
      STR_INIT("content-encoding"), STR_INIT("content-range"), STR_INIT("content-type")};
  char buffer[LONGEST_BYTES];
  const struct str folded = fold(name, buffer);
  for (size_t i = 0; i < sizeof(heads_only) / sizeof(*heads_only); i++)
    if (str_eq(folded, heads_only[i])) return false;
  return !str_starts_with(folded, STR("x-forwarded-")) && !str_starts_with(folded, STR("x-adit-"));
}
