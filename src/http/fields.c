/*
 * Names: of fields (http_field_id), methods and statuses; tokens, values, dates and lists.
 *
 * A field's name is recognised in two steps: its length and first letter leave one candidate
 * (field_candidates), which is then compared.
 */
#include <time.h>

#include "adit/http.h"
#include "span.h"

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
    [HTTP_FIELD_TRACEPARENT] = STR_INIT("traceparent"),
    [HTTP_FIELD_TRACESTATE] = STR_INIT("tracestate"),
    [HTTP_FIELD_TRAILER] = STR_INIT("trailer"),
    [HTTP_FIELD_TRANSFER_ENCODING] = STR_INIT("transfer-encoding"),
    [HTTP_FIELD_UPGRADE] = STR_INIT("upgrade"),
    [HTTP_FIELD_VARY] = STR_INIT("vary"),
    [HTTP_FIELD_VIA] = STR_INIT("via"),
    [HTTP_FIELD_X_ADIT_MIRROR] = STR_INIT("x-adit-mirror"),
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
#define LETTER(c) ((c)&0x1f) /* in either case; of other octets some letter's */
static const uint8_t field_candidates[FIELD_NAME_MAX + 1][32] = {
    [2][LETTER('t')] = HTTP_FIELD_TE,
    [3][LETTER('v')] = HTTP_FIELD_VIA,
    [4][LETTER('d')] = HTTP_FIELD_DATE,
    [4][LETTER('h')] = HTTP_FIELD_HOST,
    [4][LETTER('v')] = HTTP_FIELD_VARY,
    [6][LETTER('c')] = HTTP_FIELD_COOKIE,
    [6][LETTER('e')] = HTTP_FIELD_EXPECT,
    [7][LETTER('e')] = HTTP_FIELD_EXPIRES,
    [7][LETTER('t')] = HTTP_FIELD_TRAILER,
    [7][LETTER('u')] = HTTP_FIELD_UPGRADE,
    [9][LETTER('f')] = HTTP_FIELD_FORWARDED,
    [9][LETTER('x')] = HTTP_FIELD_X_REAL_IP,
    [10][LETTER('c')] = HTTP_FIELD_CONNECTION,
    [10][LETTER('k')] = HTTP_FIELD_KEEP_ALIVE,
    [10][LETTER('s')] = HTTP_FIELD_SET_COOKIE,
    [10][LETTER('t')] = HTTP_FIELD_TRACESTATE,
    [11][LETTER('t')] = HTTP_FIELD_TRACEPARENT,
    [11][LETTER('x')] = HTTP_FIELD_X_ADIT_RULE,
    [12][LETTER('m')] = HTTP_FIELD_MAX_FORWARDS,
    [12][LETTER('x')] = HTTP_FIELD_X_REQUEST_ID,
    [13][LETTER('a')] = HTTP_FIELD_AUTHORIZATION,
    [13][LETTER('c')] = HTTP_FIELD_CACHE_CONTROL,
    [13][LETTER('x')] = HTTP_FIELD_X_ADIT_MIRROR,
    [14][LETTER('c')] = HTTP_FIELD_CONTENT_LENGTH,
    [14][LETTER('h')] = HTTP_FIELD_HTTP2_SETTINGS,
    [14][LETTER('x')] = HTTP_FIELD_X_ADIT_VARIANT,
    [15][LETTER('x')] = HTTP_FIELD_X_FORWARDED_FOR,
    [16][LETTER('p')] = HTTP_FIELD_PROXY_CONNECTION,
    [16][LETTER('x')] = HTTP_FIELD_X_FORWARDED_HOST,
    [17][LETTER('t')] = HTTP_FIELD_TRANSFER_ENCODING,
    [17][LETTER('x')] = HTTP_FIELD_X_FORWARDED_PROTO,
    [18][LETTER('p')] = HTTP_FIELD_PROXY_AUTHENTICATE,
    [19][LETTER('p')] = HTTP_FIELD_PROXY_AUTHORIZATION,
};

/* CGI and its heirs give X_Adit_Rule and X-Adit-Rule to the application under one name. */
static bool is_adit_name(struct str name, struct str lower) {
  for (size_t i = 0; i < name.n; i++) {
    const char c = name.p[i] == '_' ? '-' : ascii_lower(name.p[i]);
    if (c != lower.p[i]) return false;
  }
  return true;
}

enum http_field_id http_field_id(struct str name) {
  if (name.n == 0 || name.n > FIELD_NAME_MAX) return HTTP_FIELD_OTHER;
  const enum http_field_id id = (enum http_field_id)field_candidates[name.n][LETTER(name.p[0])];
  if (id == HTTP_FIELD_OTHER) return HTTP_FIELD_OTHER;
  const bool ours = id == HTTP_FIELD_X_ADIT_RULE || id == HTTP_FIELD_X_ADIT_VARIANT ||
                    id == HTTP_FIELD_X_ADIT_MIRROR;
  const struct str lower = field_names[id];
  const bool is = ours ? is_adit_name(name, lower) : str_eq_nocase(name, lower);
  return is ? id : HTTP_FIELD_OTHER;
}

bool http_is_token(struct str s) {
  return s.n > 0 && http_span_token(s.p, 0, s.n) == s.n;
}

bool http_is_field_value(struct str s) {
  return http_span_value(s.p, 0, s.n) == s.n;
}

/* Length of the list element at the start of `s`: up to a comma that is not quoted. */
static size_t list_element_length(struct str s) {
  bool quoted = false;
  for (size_t i = http_span_token(s.p, 0, s.n); i < s.n; i++) { /* most elements are tokens */
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

int http_parse_status(enum http_parse outcome) {
  switch (outcome) {
    case HTTP_PARSE_DONE:
    case HTTP_PARSE_MORE:
    case HTTP_PARSE_BAD:
      break;
    case HTTP_PARSE_LINE_LONG:
      return 414;
    case HTTP_PARSE_HEAD_LONG:
      return 431;
    case HTTP_PARSE_VERSION:
      return 505;
    case HTTP_PARSE_CODING:
      return 501;
    case HTTP_PARSE_EXPECTATION:
      return 417;
  }
  return 400;
}

struct str http_date(int64_t unix_seconds, char buffer[HTTP_DATE_BYTES]) {
  const time_t at = (time_t)unix_seconds;
  struct tm utc;
  size_t n = 0;
  if (gmtime_r(&at, &utc)) n = strftime(buffer, HTTP_DATE_BYTES, "%a, %d %b %Y %H:%M:%S GMT", &utc);
  return str_make(buffer, n);
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
