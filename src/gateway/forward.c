/*
 * forward: the heads that go on, built from the heads that came. Pure.
 *
 *   scratch          memory for composed values
 *   trailers         what may go on behind a body; Max-Forwards
 *   who is asking    client_ip, https
 *   request          its fields as they were, ours added
 *   response         the same way back, with what the decision adds
 */
#include "forward.h"

#include <stdio.h>

static const struct str comma_blank = STR_INIT(", ");

/* ---- scratch --------------------------------------------------------------------------------- */

struct str scratch_join(struct scratch *scratch, const struct str *parts, size_t n) {
  char *start = scratch->p + scratch->used;
  size_t size = 0;
  for (size_t i = 0; i < n; i++) {
    if (parts[i].n > scratch->capacity - scratch->used) {
      scratch->failed = true;
      return STR("");
    }
    if (parts[i].n > 0) memcpy(scratch->p + scratch->used, parts[i].p, parts[i].n);
    scratch->used += parts[i].n;
    size += parts[i].n;
  }
  return str_make(start, size);
}

static struct str scratch_number(struct scratch *scratch, uint64_t number) {
  char digits[24];
  int n = snprintf(digits, sizeof(digits), "%llu", (unsigned long long)number);
  struct str part = str_make(digits, (size_t)n);
  return scratch_join(scratch, &part, 1);
}

/* ---- field lists ----------------------------------------------------------------------------- */

static void fields_add(struct field_list *list, struct str name, struct str value) {
  list->items[list->n++] = (struct http_field){.name = name, .value = value};
}

static bool fields_have(const struct http_field *fields, size_t n, enum http_field_id id) {
  for (size_t i = 0; i < n; i++)
    if (fields[i].id == id) return true;
  return false;
}

/* All values of one field as one list (RFC 9110 5.3), with `last` behind them. */
static struct str fields_join(struct scratch *scratch, const struct http_field *fields, size_t n,
                              enum http_field_id id, struct str last) {
  struct str parts[2 * HTTP_FIELDS_MAX + 1];
  size_t count = 0;
  for (size_t i = 0; i < n; i++) {
    if (fields[i].id != id || fields[i].value.n == 0) continue;
    parts[count++] = fields[i].value;
    parts[count++] = comma_blank;
  }
  parts[count++] = last;
  return scratch_join(scratch, parts, count);
}

/* ---- trailers and Max-Forwards ----------------------------------------------------------------
 */

void forward_trailers(struct field_list *list, http_protected_fn *is_protected, void *context) {
  size_t kept = 0;
  for (size_t i = 0; i < list->n; i++) {
    const struct str name = list->items[i].name;
    if (http_field_may_trail(name) && !(is_protected && is_protected(context, name)))
      list->items[kept++] = list->items[i];
  }
  list->n = kept;
}

static bool heeds_max_forwards(const struct http_request *request) {
  return request->method_id == HTTP_METHOD_OPTIONS || request->method_id == HTTP_METHOD_TRACE;
}

/* False: no number. One that is too large to be held is as large as can be. */
static bool max_forwards_parse(struct str value, uint64_t *ret) {
  if (str_to_u64(value, UINT64_MAX, ret)) return true;
  for (size_t i = 0; i < value.n; i++)
    if (!ascii_is_digit(value.p[i])) return false;
  *ret = UINT64_MAX;
  return value.n > 0;
}

enum max_forwards forward_max_forwards(const struct http_request *request) {
  if (!heeds_max_forwards(request)) return MAX_FORWARDS_LEFT;
  enum max_forwards result = MAX_FORWARDS_LEFT;
  for (size_t i = 0; i < request->field_count; i++) {
    if (request->fields[i].id != HTTP_FIELD_MAX_FORWARDS) continue;
    uint64_t left = 0;
    if (!max_forwards_parse(request->fields[i].value, &left)) return MAX_FORWARDS_BAD;
    if (left == 0) result = MAX_FORWARDS_SPENT;
  }
  return result;
}

/* One less than it was. */
static struct str decrease(struct scratch *scratch, struct str value) {
  uint64_t left = 0;
  bool ok = max_forwards_parse(value, &left);
  return ok && left > 0 ? scratch_number(scratch, left - 1) : value;
}

/* ---- who is asking --------------------------------------------------------------------------- */

struct ip_address forward_client_ip(const struct config *config, const struct http_request *request,
                                    const struct ip_address *peer) {
  struct ip_address good = *peer;
  if (!config_trusts(config, peer)) return good;
  for (size_t i = request->field_count; i-- > 0;) {
    if (request->fields[i].id != HTTP_FIELD_X_FORWARDED_FOR) continue;
    struct str rest = request->fields[i].value;
    while (rest.n > 0) {
      size_t comma = rest.n;
      while (comma > 0 && rest.p[comma - 1] != ',') comma--;
      struct str element = str_trim(str_skip(rest, comma));
      rest = str_take(rest, comma > 0 ? comma - 1 : 0);
      if (element.n == 0) continue;
      struct ip_address one;
      if (!ip_parse_with_port(element, &one, NULL)) return good;
      good = one;
      if (!config_trusts(config, &one)) return good;
    }
  }
  return good;
}

bool forward_is_https(const struct http_request *request, bool secure, bool trusted) {
  if (!trusted) return secure;
  const struct http_field *proto = NULL;
  for (size_t i = 0; i < request->field_count; i++) {
    if (request->fields[i].id != HTTP_FIELD_X_FORWARDED_PROTO) continue;
    if (proto) return secure;
    proto = &request->fields[i];
  }
  if (!proto) return secure;
  if (str_eq_nocase(proto->value, STR("https"))) return true;
  if (str_eq_nocase(proto->value, STR("http"))) return false;
  return secure;
}

/* ---- request --------------------------------------------------------------------------------- */

/* Another spelling of what we set or drop: CGI and its heirs give X_Real_IP and X-Real-IP to the
 * application under one name. */
static bool is_disguised(struct str name) {
  char plain[sizeof("x-forwarded-proto") - 1];
  if (name.n > sizeof(plain) || memchr(name.p, '_', name.n) == NULL) return false;
  for (size_t i = 0; i < name.n; i++) plain[i] = (char)(name.p[i] == '_' ? '-' : name.p[i]);
  const enum http_field_id id = http_field_id(str_make(plain, name.n));
  return id == HTTP_FIELD_X_FORWARDED_FOR || id == HTTP_FIELD_X_FORWARDED_HOST ||
         id == HTTP_FIELD_X_FORWARDED_PROTO || id == HTTP_FIELD_X_REAL_IP ||
         id == HTTP_FIELD_X_REQUEST_ID;
}

/* Whether a field of the client's goes on as it is. */
static bool request_field_passes(const struct forward_request_input *input,
                                 const struct http_field *field) {
  const bool trusted = input->trusted;
  switch (field->id) {
    case HTTP_FIELD_X_ADIT_MIRROR:
    case HTTP_FIELD_X_ADIT_VARIANT:
    case HTTP_FIELD_X_ADIT_RULE:
    case HTTP_FIELD_X_FORWARDED_FOR:
      return false;
    case HTTP_FIELD_X_FORWARDED_HOST:
    case HTTP_FIELD_X_FORWARDED_PROTO:
    case HTTP_FIELD_FORWARDED:
    case HTTP_FIELD_X_REAL_IP:
    case HTTP_FIELD_X_REQUEST_ID:
      return trusted;
    case HTTP_FIELD_TRACEPARENT:
    case HTTP_FIELD_TRACESTATE:
      return !input->traceparent.p;
    case HTTP_FIELD_EXPECT:
      return input->request->version_minor > 0; /* RFC 9110 10.1.1: ignored in HTTP/1.0 */
    case HTTP_FIELD_OTHER:
      /* The force token is a secret of ours: no origin gets to see it. */
      if (str_eq_nocase(field->name, STR("x-canary-token")) || is_disguised(field->name))
        return false;
      return !input->is_dropped || !input->is_dropped(input->is_dropped_context, field->name);
    case HTTP_FIELD_CACHE_CONTROL:
    case HTTP_FIELD_CONNECTION:
    case HTTP_FIELD_CONTENT_LENGTH:
    case HTTP_FIELD_COOKIE:
    case HTTP_FIELD_DATE:
    case HTTP_FIELD_EXPIRES:
    case HTTP_FIELD_HOST:
    case HTTP_FIELD_AUTHORIZATION:
    case HTTP_FIELD_HTTP2_SETTINGS:
    case HTTP_FIELD_KEEP_ALIVE:
    case HTTP_FIELD_MAX_FORWARDS:
    case HTTP_FIELD_PROXY_AUTHENTICATE:
    case HTTP_FIELD_PROXY_AUTHORIZATION:
    case HTTP_FIELD_PROXY_CONNECTION:
    case HTTP_FIELD_SET_COOKIE:
    case HTTP_FIELD_TE:
    case HTTP_FIELD_TRAILER:
    case HTTP_FIELD_TRANSFER_ENCODING:
    case HTTP_FIELD_UPGRADE:
    case HTTP_FIELD_VARY:
    case HTTP_FIELD_VIA:
      return true;
  }
  return true;
}

static void add_forwarded(const struct forward_request_input *input, struct scratch *scratch,
                          struct field_list *list) {
  const struct http_request *request = input->request;
  char buffer[48];
  struct str peer = ip_format(input->peer, buffer, sizeof(buffer));
  struct str chain = input->trusted ? fields_join(scratch, request->fields, request->field_count,
                                                  HTTP_FIELD_X_FORWARDED_FOR, peer)
                                    : scratch_join(scratch, &peer, 1);
  fields_add(list, STR("X-Forwarded-For"), chain);
  bool trusted = input->trusted;
  if (!trusted || !fields_have(request->fields, request->field_count, HTTP_FIELD_X_FORWARDED_PROTO))
    fields_add(list, STR("X-Forwarded-Proto"), input->secure ? STR("https") : STR("http"));
  if (!trusted || !fields_have(request->fields, request->field_count, HTTP_FIELD_X_FORWARDED_HOST))
    fields_add(list, STR("X-Forwarded-Host"), request->authority);
}

void forward_request(const struct forward_request_input *input, struct scratch *scratch,
                     struct request_out *ret) {
  const struct http_request *request = input->request;
  ret->method = request->method;
  ret->target_prefix = request->origin_needs_slash ? STR("/") : STR("");
  ret->target = request->origin;
  ret->body = request->body;
  ret->content_length = request->content_length;
  ret->upgrade = input->upgrade;
  /* An offer stands alone in Connection, as clients write it. */
  ret->te_trailers = request->te_trailers && input->upgrade.n == 0;
  struct field_list *list = &ret->fields;
  list->n = 0;
  /* HTTP/1.0 may come without a Host; what goes on is HTTP/1.1 and must have one. */
  if (!fields_have(request->fields, request->field_count, HTTP_FIELD_HOST))
    fields_add(list, STR("Host"), request->authority);
  for (size_t i = 0; i < request->field_count; i++) {
    if (!request_field_passes(input, &request->fields[i])) continue;
    list->items[list->n] = request->fields[i];
    /* The authority of an absolute-form target replaces Host (RFC 9112 3.2.2). */
    if (request->fields[i].id == HTTP_FIELD_HOST) list->items[list->n].value = request->authority;
    if (request->fields[i].id == HTTP_FIELD_MAX_FORWARDS && heeds_max_forwards(request))
      list->items[list->n].value = decrease(scratch, request->fields[i].value);
    list->n++;
  }
  add_forwarded(input, scratch, list);
  if (!input->trusted ||
      !fields_have(request->fields, request->field_count, HTTP_FIELD_X_REQUEST_ID))
    fields_add(list, STR("X-Request-Id"), input->request_id);
  if (input->traceparent.p) fields_add(list, STR("traceparent"), input->traceparent);
  if (input->config->via)
    fields_add(list, STR("Via"), request->version_minor == 0 ? STR("1.0 adit") : STR("1.1 adit"));
  fields_add(list, STR("X-Adit-Variant"), input->variant);
  if (input->rule.p) fields_add(list, STR("X-Adit-Rule"), input->rule);
  if (input->is_mirror) fields_add(list, STR("X-Adit-Mirror"), STR("1"));
}

/* ---- response -------------------------------------------------------------------------------- */

/* A directive's name, without its argument: "max-age" of "max-age=60". */
static bool directive_is(struct str element, struct str name) {
  return str_starts_with_nocase(element, name) &&
         (element.n == name.n || element.p[name.n] == '=' || element.p[name.n] == ' ');
}

/* What a response says to shared caches. */
struct cacheability {
  bool forbidden; /* no-store, or private without field names */
  bool explicit_; /* public, s-maxage, max-age, Expires */
};

static struct cacheability read_cacheability(const struct http_response *response) {
  struct cacheability found = {0};
  for (size_t i = 0; i < response->field_count; i++) {
    const struct http_field *field = &response->fields[i];
    if (field->id == HTTP_FIELD_EXPIRES) found.explicit_ = true;
    if (field->id != HTTP_FIELD_CACHE_CONTROL) continue;
    struct str rest = field->value, element;
    while (http_list_next(&rest, &element)) {
      if (directive_is(element, STR("no-store")) || str_eq_nocase(element, STR("private")))
        found.forbidden = true;
      if (directive_is(element, STR("public")) || directive_is(element, STR("s-maxage")) ||
          directive_is(element, STR("max-age")))
        found.explicit_ = true;
    }
  }
  return found;
}

/* RFC 9110 15.1. */
static bool status_is_heuristically_cacheable(int status) {
  static const int statuses[] = {200, 203, 204, 206, 300, 301, 308, 404, 405, 410, 414, 501};
  for (size_t i = 0; i < sizeof(statuses) / sizeof(*statuses); i++)
    if (statuses[i] == status) return true;
  return false;
}

bool forward_is_storable(const struct http_request *request, const struct http_response *response) {
  struct cacheability said = read_cacheability(response);
  if (said.forbidden) return false;
  /* The fields of a 304 go into the response that the cache has (RFC 9111 3.2, 4.3.4). */
  if (said.explicit_ || response->status == 304) return true;
  return (request->method_id == HTTP_METHOD_GET || request->method_id == HTTP_METHOD_HEAD) &&
         status_is_heuristically_cacheable(response->status);
}

/* Copies the response's own fields, without those that end at this hop. */
static void response_fields_copy(const struct http_response *response, struct field_list *list) {
  memcpy(list->items, response->fields, response->field_count * sizeof(*list->items));
  list->n = response->field_count;
  list->n =
      http_remove_hop_by_hop(list->items, list->n, response->has_connection_field, NULL, NULL);
  /* RFC 9110 8.6: these must not have it, whatever the origin sent. */
  if (response->status < 200 || response->status == 204)
    list->n = http_remove_field(list->items, list->n, STR("content-length"));
}

static void response_start(const struct http_response *response, struct response_out *ret) {
  ret->status = response->status;
  ret->reason = response->reason;
  ret->upgrade = (struct str){0};
  ret->content_length = response->content_length;
  ret->body = response->body == HTTP_BODY_UNTIL_CLOSE ? HTTP_BODY_CHUNKED : response->body;
  response_fields_copy(response, &ret->fields);
}

static void add_vary(const struct route *route, struct scratch *scratch, struct field_list *list) {
  struct str value = STR("");
  for (size_t i = 0; i < route->vary_field_count; i++) {
    struct str parts[] = {value, i > 0 ? comma_blank : STR(""), route->vary_fields[i]};
    value = scratch_join(scratch, parts, 3);
  }
  if (value.n > 0) fields_add(list, STR("Vary"), value);
}

void forward_decision(const struct decision *decision, struct scratch *scratch,
                      struct field_list *list) {
  struct str parts[] = {STR("variant="), decision->route->variants[decision->variant].name,
                        STR("; reason="), str_from_cstr(decide_reason_name(decision->reason))};
  fields_add(list, STR("X-Adit-Decision"), scratch_join(scratch, parts, 4));
}

void forward_response(const struct forward_response_input *input, struct scratch *scratch,
                      struct response_out *ret) {
  response_start(input->response, ret);
  ret->upgrade = input->upgrade;
  struct field_list *list = &ret->fields;
  if (!fields_have(list->items, list->n, HTTP_FIELD_DATE))
    fields_add(list, STR("Date"), input->date);
  if (input->set_cookie.p) fields_add(list, STR("Set-Cookie"), input->set_cookie);
  if (input->private_response && forward_is_storable(input->request, input->response))
    fields_add(list, STR("Cache-Control"), STR("private"));
  if (input->route->vary) add_vary(input->route, scratch, list);
  if (input->decision) forward_decision(input->decision, scratch, list);
}

void forward_interim(const struct http_response *response, struct response_out *ret) {
  response_start(response, ret);
  ret->body = HTTP_BODY_NONE;
  ret->close = false;
}

/* ---- answers of our own ---------------------------------------------------------------------- */

/* RFC 9110 15.5.6, 9.3.7. */
static const struct str allowed_methods =
    STR_INIT("GET, HEAD, POST, PUT, PATCH, DELETE, OPTIONS, TRACE");

static void answer_start(int status, struct str type, struct str body, bool close, struct str date,
                         struct scratch *scratch, struct response_out *ret) {
  ret->status = status;
  ret->reason = http_reason(status);
  ret->body = HTTP_BODY_LENGTH;
  ret->content_length = body.n;
  ret->close = close;
  ret->upgrade = (struct str){0};
  struct field_list *list = &ret->fields;
  list->n = 0;
  fields_add(list, STR("Date"), date);
  fields_add(list, STR("Content-Type"), type);
  fields_add(list, STR("Content-Length"), scratch_number(scratch, body.n));
  fields_add(list, STR("Cache-Control"), STR("no-store"));
}

void forward_answer(int status, struct str why, bool close, struct str date,
                    struct scratch *scratch, struct response_out *ret, struct str *ret_body) {
  struct str parts[] = {STR("adit: "), why, STR("\n")};
  *ret_body = scratch_join(scratch, parts, 3);
  answer_start(status, STR("text/plain; charset=utf-8"), *ret_body, close, date, scratch, ret);
  /* The only 200 of our own answers an OPTIONS. */
  if (status == 405 || status == 200) fields_add(&ret->fields, STR("Allow"), allowed_methods);
}

void forward_retry_after(struct field_list *list) {
  fields_add(list, STR("Retry-After"), STR("1"));
}

void forward_challenge(struct str why, struct scratch *scratch, struct field_list *list) {
  struct str parts[] = {STR("Bearer realm=\"adit\", error=\"invalid_token\", error_description=\""),
                        why, STR("\"")};
  fields_add(list, STR("WWW-Authenticate"),
             why.p ? scratch_join(scratch, parts, 3) : STR("Bearer realm=\"adit\""));
}

static bool is_traced(const struct http_field *field, http_protected_fn *is_secret, void *context) {
  if (field->id == HTTP_FIELD_HOST) return true;
  return field->id != HTTP_FIELD_PROXY_AUTHORIZATION && !http_field_is_protected(field->name) &&
         !is_secret(context, field->name);
}

void forward_trace(const struct http_request *request, http_protected_fn *is_secret, void *context,
                   bool close, struct str date, struct scratch *scratch, struct response_out *ret,
                   struct str *ret_body) {
  const char *start = scratch->p + scratch->used;
  struct str version = request->version_minor == 0 ? STR(" HTTP/1.0\r\n") : STR(" HTTP/1.1\r\n");
  struct str line[] = {request->method, STR(" "), request->target, version};
  size_t n = scratch_join(scratch, line, 4).n;
  for (size_t i = 0; i < request->field_count; i++) {
    const struct http_field *field = &request->fields[i];
    struct str parts[] = {field->name, STR(": "), field->value, STR("\r\n")};
    const size_t size = field->name.n + field->value.n + 4;
    if (n + size > FORWARD_TRACE_MAX || !is_traced(field, is_secret, context)) continue;
    n += scratch_join(scratch, parts, 4).n;
  }
  struct str end = STR("\r\n");
  n += scratch_join(scratch, &end, 1).n;
  *ret_body = str_make(start, n);
  answer_start(200, STR("message/http"), *ret_body, close, date, scratch, ret);
}
