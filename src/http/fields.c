/*
 * Names: of fields (http_field_id), methods and statuses; tokens, values and lists.
 *
 * A field's name is recognised in two steps: its length and first letter leave one candidate
 * (field_candidates), which is then compared (field_name_is).
 */
#include "adit/http.h"
#include "chars.h"

static const struct str field_names[] = {
    [HTTP_FIELD_CACHE_CONTROL] = STR_INIT("cache-control"),
    [HTTP_FIELD_CONNECTION] = STR_INIT("connection"),
    [HTTP_FIELD_CONTENT_LENGTH] = STR_INIT("content-length"),
    [HTTP_FIELD_COOKIE] = STR_INIT("cookie"),
    [HTTP_FIELD_DATE] = STR_INIT("date"),
    [HTTP_FIELD_EXPECT] = STR_INIT("expect"),
    [HTTP_FIELD_EXPIRES] = STR_INIT("expires"),
    [HTTP_FIELD_FORWARDED] = STR_INIT("forwarded"),
    [HTTP_FIELD_AUTHORIZATION] = STR_INIT("authorization"),
    [HTTP_FIELD_HOST] = STR_INIT("host"),
    [HTTP_FIELD_HTTP2_SETTINGS] = STR_INIT("http2-settings"),
    [HTTP_FIELD_KEEP_ALIVE] = STR_INIT("keep-alive"),
    [HTTP_FIELD_MAX_FORWARDS] = STR_INIT("max-forwards"),
    [HTTP_FIELD_PROXY_AUTHENTICATE] = STR_INIT("proxy-authenticate"),
    [HTTP_FIELD_PROXY_AUTHORIZATION] = STR_INIT("proxy-authorization"),
    [HTTP_FIELD_PROXY_CONNECTION] = STR_INIT("proxy-connection"),
    [HTTP_FIELD_SET_COOKIE] = STR_INIT("set-cookie"),
    [HTTP_FIELD_TE] = STR_INIT("te"),
    [HTTP_FIELD_TRAILER] = STR_INIT("trailer"),
    [HTTP_FIELD_TRANSFER_ENCODING] = STR_INIT("transfer-encoding"),
    [HTTP_FIELD_UPGRADE] = STR_INIT("upgrade"),
    [HTTP_FIELD_VARY] = STR_INIT("vary"),
    [HTTP_FIELD_VIA] = STR_INIT("via"),
    [HTTP_FIELD_X_ADIT_RULE] = STR_INIT("x-adit-rule"),
    [HTTP_FIELD_X_ADIT_VARIANT] = STR_INIT("x-adit-variant"),
    [HTTP_FIELD_X_FORWARDED_FOR] = STR_INIT("x-forwarded-for"),
    [HTTP_FIELD_X_FORWARDED_HOST] = STR_INIT("x-forwarded-host"),
    [HTTP_FIELD_X_FORWARDED_PROTO] = STR_INIT("x-forwarded-proto"),
    [HTTP_FIELD_X_REAL_IP] = STR_INIT("x-real-ip"),
    [HTTP_FIELD_X_REQUEST_ID] = STR_INIT("x-request-id"),
};

/* By length and first letter: the one field it can be (HTTP_FIELD_OTHER: none). */
enum { FIELD_NAME_MAX = 19 };
static const uint8_t field_candidates[FIELD_NAME_MAX + 1][26] = {
    [2]['t' - 'a'] = HTTP_FIELD_TE,
    [3]['v' - 'a'] = HTTP_FIELD_VIA,
    [4]['d' - 'a'] = HTTP_FIELD_DATE,
    [4]['h' - 'a'] = HTTP_FIELD_HOST,
    [4]['v' - 'a'] = HTTP_FIELD_VARY,
    [6]['c' - 'a'] = HTTP_FIELD_COOKIE,
    [6]['e' - 'a'] = HTTP_FIELD_EXPECT,
    [7]['e' - 'a'] = HTTP_FIELD_EXPIRES,
    [7]['t' - 'a'] = HTTP_FIELD_TRAILER,
    [7]['u' - 'a'] = HTTP_FIELD_UPGRADE,
    [9]['f' - 'a'] = HTTP_FIELD_FORWARDED,
    [9]['x' - 'a'] = HTTP_FIELD_X_REAL_IP,
    [10]['c' - 'a'] = HTTP_FIELD_CONNECTION,
    [10]['k' - 'a'] = HTTP_FIELD_KEEP_ALIVE,
    [10]['s' - 'a'] = HTTP_FIELD_SET_COOKIE,
    [11]['x' - 'a'] = HTTP_FIELD_X_ADIT_RULE,
    [12]['m' - 'a'] = HTTP_FIELD_MAX_FORWARDS,
    [12]['x' - 'a'] = HTTP_FIELD_X_REQUEST_ID,
    [13]['a' - 'a'] = HTTP_FIELD_AUTHORIZATION,
    [13]['c' - 'a'] = HTTP_FIELD_CACHE_CONTROL,
    [14]['c' - 'a'] = HTTP_FIELD_CONTENT_LENGTH,
    [14]['h' - 'a'] = HTTP_FIELD_HTTP2_SETTINGS,
    [14]['x' - 'a'] = HTTP_FIELD_X_ADIT_VARIANT,
    [15]['x' - 'a'] = HTTP_FIELD_X_FORWARDED_FOR,
    [16]['p' - 'a'] = HTTP_FIELD_PROXY_CONNECTION,
    [16]['x' - 'a'] = HTTP_FIELD_X_FORWARDED_HOST,
    [17]['t' - 'a'] = HTTP_FIELD_TRANSFER_ENCODING,
    [17]['x' - 'a'] = HTTP_FIELD_X_FORWARDED_PROTO,
    [18]['p' - 'a'] = HTTP_FIELD_PROXY_AUTHENTICATE,
    [19]['p' - 'a'] = HTTP_FIELD_PROXY_AUTHORIZATION,
};

/* `lower` is of the same length, in lower case. */
static bool field_name_is(struct str name, struct str lower, bool fold_underscore) {
  for (size_t i = 0; i < name.n; i++) {
    char c = ascii_lower(name.p[i]);
    if (fold_underscore && c == '_') c = '-';
    if (c != lower.p[i]) return false;
  }
  return true;
}

enum http_field_id http_field_id(struct str name) {
  if (name.n == 0 || name.n > FIELD_NAME_MAX) return HTTP_FIELD_OTHER;
  const char first = ascii_lower(name.p[0]);
  if (first < 'a' || first > 'z') return HTTP_FIELD_OTHER;
  const enum http_field_id id = (enum http_field_id)field_candidates[name.n][first - 'a'];
  if (id == HTTP_FIELD_OTHER) return HTTP_FIELD_OTHER;
  /* CGI and its heirs give X_Adit_Rule and X-Adit-Rule to the application under one name. */
  const bool fold = id == HTTP_FIELD_X_ADIT_RULE || id == HTTP_FIELD_X_ADIT_VARIANT;
  return field_name_is(name, field_names[id], fold) ? id : HTTP_FIELD_OTHER;
}

bool http_is_token(struct str s) {
  for (size_t i = 0; i < s.n; i++) {
    if (!http_char_is(s.p[i], HTTP_CHAR_TOKEN)) return false;
  }
  return s.n > 0;
}

bool http_is_field_value(struct str s) {
  return http_find_control(s.p, 0, s.n) == s.n;
}

/* Length of the list element at the start of `s`: up to a comma that is not quoted. */
static size_t list_element_length(struct str s) {
  bool quoted = false;
  for (size_t i = 0; i < s.n; i++) {
    if (s.p[i] == '"') quoted = !quoted;
    if (quoted && s.p[i] == '\\') i++;
    if (!quoted && s.p[i] == ',') return i;
  }
  return s.n;
}

bool http_list_next(struct str *rest, struct str *element) {
  while (rest->n > 0) {
    const size_t n = list_element_length(*rest);
    const struct str trimmed = str_trim(str_take(*rest, n));
    *rest = str_skip(*rest, n + 1);
    if (trimmed.n > 0) {
      *element = trimmed;
      return true;
    }
  }
  return false;
}

enum http_method http_method_id(struct str method) {
  static const struct {
    struct str name;
    enum http_method id;
  } known[] = {
      {STR_INIT("GET"), HTTP_METHOD_GET},         {STR_INIT("HEAD"), HTTP_METHOD_HEAD},
      {STR_INIT("POST"), HTTP_METHOD_POST},       {STR_INIT("PUT"), HTTP_METHOD_PUT},
      {STR_INIT("DELETE"), HTTP_METHOD_DELETE},   {STR_INIT("CONNECT"), HTTP_METHOD_CONNECT},
      {STR_INIT("OPTIONS"), HTTP_METHOD_OPTIONS}, {STR_INIT("TRACE"), HTTP_METHOD_TRACE},
      {STR_INIT("PATCH"), HTTP_METHOD_PATCH},
  };
  for (size_t i = 0; i < sizeof(known) / sizeof(*known); i++) {
    if (str_eq(method, known[i].name)) return known[i].id;
  }
  return HTTP_METHOD_OTHER;
}

bool http_method_is_idempotent(enum http_method method) {
  switch (method) {
    case HTTP_METHOD_GET:
    case HTTP_METHOD_HEAD:
    case HTTP_METHOD_OPTIONS:
    case HTTP_METHOD_TRACE:
    case HTTP_METHOD_PUT:
    case HTTP_METHOD_DELETE:
      return true;
    case HTTP_METHOD_POST:
    case HTTP_METHOD_CONNECT:
    case HTTP_METHOD_PATCH:
    case HTTP_METHOD_OTHER:
      return false;
  }
  return false;
}

struct str http_reason(int status) {
  static const struct str reasons[] = {
      [100] = STR_INIT("Continue"),
      [101] = STR_INIT("Switching Protocols"),
      [102] = STR_INIT("Processing"),
      [103] = STR_INIT("Early Hints"),
      [200] = STR_INIT("OK"),
      [201] = STR_INIT("Created"),
      [202] = STR_INIT("Accepted"),
      [203] = STR_INIT("Non-Authoritative Information"),
      [204] = STR_INIT("No Content"),
      [205] = STR_INIT("Reset Content"),
      [206] = STR_INIT("Partial Content"),
      [300] = STR_INIT("Multiple Choices"),
      [301] = STR_INIT("Moved Permanently"),
      [302] = STR_INIT("Found"),
      [303] = STR_INIT("See Other"),
      [304] = STR_INIT("Not Modified"),
      [307] = STR_INIT("Temporary Redirect"),
      [308] = STR_INIT("Permanent Redirect"),
      [400] = STR_INIT("Bad Request"),
      [401] = STR_INIT("Unauthorized"),
      [402] = STR_INIT("Payment Required"),
      [403] = STR_INIT("Forbidden"),
      [404] = STR_INIT("Not Found"),
      [405] = STR_INIT("Method Not Allowed"),
      [406] = STR_INIT("Not Acceptable"),
      [407] = STR_INIT("Proxy Authentication Required"),
      [408] = STR_INIT("Request Timeout"),
      [409] = STR_INIT("Conflict"),
      [410] = STR_INIT("Gone"),
      [411] = STR_INIT("Length Required"),
      [412] = STR_INIT("Precondition Failed"),
      [413] = STR_INIT("Content Too Large"),
      [414] = STR_INIT("URI Too Long"),
      [415] = STR_INIT("Unsupported Media Type"),
      [416] = STR_INIT("Range Not Satisfiable"),
      [417] = STR_INIT("Expectation Failed"),
      [421] = STR_INIT("Misdirected Request"),
      [422] = STR_INIT("Unprocessable Content"),
      [425] = STR_INIT("Too Early"),
      [426] = STR_INIT("Upgrade Required"),
      [428] = STR_INIT("Precondition Required"),
      [429] = STR_INIT("Too Many Requests"),
      [431] = STR_INIT("Request Header Fields Too Large"),
      [451] = STR_INIT("Unavailable For Legal Reasons"),
      [500] = STR_INIT("Internal Server Error"),
      [501] = STR_INIT("Not Implemented"),
      [502] = STR_INIT("Bad Gateway"),
      [503] = STR_INIT("Service Unavailable"),
      [504] = STR_INIT("Gateway Timeout"),
      [505] = STR_INIT("HTTP Version Not Supported"),
      [507] = STR_INIT("Insufficient Storage"),
      [511] = STR_INIT("Network Authentication Required"),
  };
  const int n = (int)(sizeof(reasons) / sizeof(*reasons));
  if (status < 0 || status >= n || reasons[status].p == NULL) return STR("");
  return reasons[status];
}
