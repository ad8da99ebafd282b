/*
 * Request heads: the request line, then what the fields say of host, body and connection.
 *
 * The line is looked at as soon as it is whole, so that a client that speaks something else has its
 * answer without waiting for the rest.
 */
#include "head.h"
#include "span.h"
#include "target.h"

/* ---- the request line ------------------------------------------------------------------------ */

static enum http_parse parse_line(struct str line, struct http_request *ret, const char **ret_why) {
  const size_t method_end = http_span_token(line.p, 0, line.n);
  if (method_end == 0 || method_end == line.n || line.p[method_end] != ' ') {
    return head_bad(ret_why, "malformed method");
  }
  const size_t target_begin = method_end + 1;
  const size_t target_end = http_span_target(line.p, target_begin, line.n);
  if (target_end == target_begin || target_end == line.n || line.p[target_end] != ' ') {
    return head_bad(ret_why, "malformed request line");
  }
  ret->method = str_take(line, method_end);
  ret->method_id = http_method_id(ret->method);
  ret->target = str_make(line.p + target_begin, target_end - target_begin);
  const enum http_parse outcome =
      head_parse_version(str_skip(line, target_end + 1), &ret->version_minor, ret_why);
  if (outcome != HTTP_PARSE_DONE) return outcome;
  return http_target_parse(ret) ? HTTP_PARSE_DONE : head_bad(ret_why, "malformed request target");
}

/* ---- framing --------------------------------------------------------------------------------- */

/*
 * A Transfer-Encoding that is not just "chunked": 501 when the message is well framed, by chunks,
 * in codings that we don't know; 400 when its end is not certain (RFC 9112 6.3), or it could be
 * read in two ways.
 */
static enum http_parse judge_codings(struct str value, const char **ret_why) {
  size_t unknown = 0;
  bool chunked = false;
  struct str element;
  while (http_list_next(&value, &element)) {
    const struct str name = str_trim(str_take(element, str_find_char(element, ';', 0)));
    if (chunked || !http_is_token(name)) return head_bad(ret_why, "malformed Transfer-Encoding");
    chunked = str_eq_nocase(name, STR("chunked"));
    if (chunked && name.n != element.n) return head_bad(ret_why, "chunked with parameters");
    if (!chunked) unknown++;
  }
  if (unknown == 0) return head_bad(ret_why, "malformed Transfer-Encoding");
  if (!chunked) return head_bad(ret_why, "chunked is not the last transfer coding");
  *ret_why = "unknown transfer coding";
  return HTTP_PARSE_CODING;
}

static enum http_parse parse_framing(struct http_request *ret, const struct head_facts *facts,
                                     const char **ret_why) {
  const bool has_length = facts->content_length.p != NULL;
  if (facts->transfer_encoding.p != NULL) {
    if (has_length) return head_bad(ret_why, "Content-Length with Transfer-Encoding");
    if (ret->version_minor == 0) return head_bad(ret_why, "Transfer-Encoding in HTTP/1.0");
    if (!str_eq_nocase(facts->transfer_encoding, STR("chunked"))) {
      return judge_codings(facts->transfer_encoding, ret_why);
    }
    ret->body = HTTP_BODY_CHUNKED;
    return HTTP_PARSE_DONE;
  }
  ret->body = has_length ? HTTP_BODY_LENGTH : HTTP_BODY_NONE;
  if (has_length && !head_parse_length(facts->content_length, &ret->content_length)) {
    return head_bad(ret_why, "malformed Content-Length");
  }
  return HTTP_PARSE_DONE;
}

/* ---- fields ---------------------------------------------------------------------------------- */

/* What a field that may come once, or be so long, was about. */
static enum http_fault fault_of_field(const struct head_facts *facts) {
  switch ((int)facts->refused) {
    case HTTP_FIELD_HOST:
      return HTTP_FAULT_HOST;
    case HTTP_FIELD_CONTENT_LENGTH:
    case HTTP_FIELD_TRANSFER_ENCODING:
      return HTTP_FAULT_FRAMING;
    default:
      return HTTP_FAULT_FIELD;
  }
}

/* RFC 9112 3.2: Host must be there and valid even where the target's authority replaces it. */
static enum http_parse parse_host(struct http_request *ret, const struct head_facts *facts,
                                  const char **ret_why) {
  struct str authority = STR("");
  struct str host = STR("");
  if (facts->host.p != NULL) {
    struct str port;
    authority = facts->host;
    if (!http_authority_parse(authority, &host, &port)) return head_bad(ret_why, "invalid Host");
  } else if (ret->version_minor >= 1) {
    return head_bad(ret_why, "no Host");
  }
  if (ret->form == HTTP_TARGET_ORIGIN || ret->form == HTTP_TARGET_ASTERISK) {
    ret->authority = authority;
    ret->host = http_target_host(host);
  }
  return HTTP_PARSE_DONE;
}

static enum http_parse parse_expect(struct http_request *ret, const struct head_facts *facts,
                                    const char **ret_why) {
  if (facts->expect.p == NULL) return HTTP_PARSE_DONE;
  if (facts->repeated_expect || !str_eq_nocase(facts->expect, STR("100-continue"))) {
    *ret_why = "unknown expectation";
    return HTTP_PARSE_EXPECTATION;
  }
  const bool content = ret->body == HTTP_BODY_CHUNKED || ret->content_length > 0;
  ret->expect_continue = content && ret->version_minor >= 1; /* RFC 9110 10.1.1 */
  return HTTP_PARSE_DONE;
}

static enum http_parse parse_fields(struct str input, const struct http_head_scan *scan,
                                    const struct head_lines *lines, struct http_request *ret,
                                    const char **ret_why) {
  struct head_facts facts;
  enum http_parse outcome =
      head_parse_fields(input, scan, lines, ret->fields, &ret->field_count, &facts, ret_why);
  if (outcome != HTTP_PARSE_DONE) {
    ret->fault = fault_of_field(&facts);
    return outcome;
  }
  ret->fault = HTTP_FAULT_HOST;
  outcome = parse_host(ret, &facts, ret_why);
  if (outcome != HTTP_PARSE_DONE) return outcome;
  ret->fault = HTTP_FAULT_FRAMING;
  outcome = parse_framing(ret, &facts, ret_why);
  if (outcome == HTTP_PARSE_DONE) outcome = parse_expect(ret, &facts, ret_why);
  if (outcome != HTTP_PARSE_DONE) return outcome;
  ret->has_connection_field = facts.connection;
  ret->nominates = facts.nominates;
  ret->keep_alive = head_keeps_alive(&facts, ret->version_minor);
  /* RFC 9110 7.8: Upgrade in HTTP/1.0 is ignored. */
  ret->upgrade = facts.upgrade && facts.upgrade_option && ret->version_minor >= 1;
  ret->te_trailers = facts.te_trailers && facts.te_option && ret->version_minor >= 1;
  return HTTP_PARSE_DONE;
}

enum http_parse http_parse_request(struct str input, const struct http_limits *limits,
                                   struct http_head_scan *scan, struct http_request *ret,
                                   size_t *ret_n, const char **ret_why) {
  const struct head_bounds bounds = {
      .start = str_starts_with(input, STR("\r\n")) ? 2 : 0, /* RFC 9112 2.2: one empty line */
      .start_line_max = limits->line_bytes,
      .line_long = HTTP_PARSE_LINE_LONG,
      .limit_bytes = limits->head_bytes,
  };
  *ret_why = NULL;
  memset(ret, 0, offsetof(struct http_request, fields)); /* the fields alone are 4 KiB */
  if (input.n == 0) return HTTP_PARSE_MORE;
  const struct str begun = str_skip(input, bounds.start);
  if (begun.n > 0 && begun.p[0] != '\r' && !http_char_is(begun.p[0], HTTP_CHAR_TOKEN)) {
    ret->fault = HTTP_FAULT_START;
    return head_bad(ret_why, "not an HTTP request");
  }
  struct head_lines lines;
  const enum http_parse scanned = head_scan(input, &bounds, scan, &lines, ret_why);
  if (head_line_is_due(scan, scanned)) {
    const struct str line = str_make(begun.p, scan->line_end - bounds.start);
    const char *why = NULL;
    const enum http_parse outcome = parse_line(line, ret, &why);
    if (outcome != HTTP_PARSE_DONE) {
      ret->fault = HTTP_FAULT_LINE;
      *ret_why = why;
      return outcome;
    }
    scan->line_checked = true;
  }
  ret->fault = HTTP_FAULT_OCTETS;
  if (scanned != HTTP_PARSE_DONE) return scanned;
  *ret_n = lines.head_end;
  const enum http_parse parsed = parse_fields(input, scan, &lines, ret, ret_why);
  if (parsed != HTTP_PARSE_DONE || ret->field_count <= limits->fields) return parsed;
  *ret_why = "too many fields";
  return HTTP_PARSE_HEAD_LONG;
}
