/*
 * Response heads: the status line, then framing (RFC 9112 6.3) for the request's method.
 */
#include "head.h"

/* What every response begins with; checked before the line is over, so that an upstream that speaks
 * something else is found out at once. */
static bool begins_as_response(struct str input) {
  const struct str prefix = STR("HTTP/1.");
  return str_starts_with(prefix, str_take(input, prefix.n));
}

/* HTTP-version SP 3DIGIT [ SP reason ] */
static enum http_parse parse_line(struct str line, struct http_response *ret,
                                  const char **ret_why) {
  enum { VERSION_N = 8, STATUS_AT = 9, STATUS_END = 12 };
  if (line.n < STATUS_END || line.p[VERSION_N] != ' ')
    return head_bad(ret_why, "malformed status line");
  if (head_parse_version(str_take(line, VERSION_N), &ret->version_minor, ret_why) !=
      HTTP_PARSE_DONE) {
    return HTTP_PARSE_BAD;
  }
  int status = 0;
  for (size_t i = STATUS_AT; i < STATUS_END; i++) {
    if (!ascii_is_digit(line.p[i])) return head_bad(ret_why, "malformed status code");
    status = status * 10 + (line.p[i] - '0');
  }
  if (status < 100 || status > 599) return head_bad(ret_why, "status code outside 100..599");
  if (line.n > STATUS_END && line.p[STATUS_END] != ' ') {
    return head_bad(ret_why, "malformed status code");
  }
  ret->status = status;
  ret->reason = str_skip(line, STATUS_END + 1);
  return HTTP_PARSE_DONE;
}

/* Responses that end with their head whatever their fields say, which may then not be there at all
 * (RFC 9110 8.6, RFC 9112 6.1). */
static bool has_no_framing(enum http_method method, int status) {
  const bool tunnel = method == HTTP_METHOD_CONNECT && status / 100 == 2;
  return status / 100 == 1 || status == 204 || tunnel;
}

static enum http_parse parse_framing(enum http_method method, struct http_response *ret,
                                     const struct head_facts *facts, const char **ret_why) {
  const bool chunked = facts->transfer_encoding.p != NULL;
  const bool has_length = facts->content_length.p != NULL;
  if (chunked && has_length) return head_bad(ret_why, "Content-Length with Transfer-Encoding");
  if (chunked && ret->version_minor == 0) return head_bad(ret_why, "Transfer-Encoding in HTTP/1.0");
  if (chunked && !str_eq_nocase(facts->transfer_encoding, STR("chunked"))) {
    return head_bad(ret_why, "transfer coding other than chunked");
  }
  uint64_t length = 0;
  if (has_length && !head_parse_length(facts->content_length, &length)) {
    return head_bad(ret_why, "malformed Content-Length");
  }
  if (has_no_framing(method, ret->status)) {
    ret->body = HTTP_BODY_NONE;
    /* It announced a body that may follow all the same. */
    if (chunked || length > 0) ret->keep_alive = false;
    return HTTP_PARSE_DONE;
  }
  ret->has_content_length = has_length;
  ret->content_length = length;
  if (method == HTTP_METHOD_HEAD || ret->status == 304) {
    ret->body = HTTP_BODY_NONE;
  } else if (chunked) {
    ret->body = HTTP_BODY_CHUNKED;
  } else if (has_length) {
    ret->body = HTTP_BODY_LENGTH;
  } else {
    ret->body = HTTP_BODY_UNTIL_CLOSE;
    ret->keep_alive = false;
  }
  return HTTP_PARSE_DONE;
}

static enum http_parse parse_fields(struct str input, const struct http_head_scan *scan,
                                    const struct head_lines *lines, enum http_method method,
                                    struct http_response *ret, const char **ret_why) {
  struct head_facts facts;
  const enum http_parse outcome =
      head_parse_fields(input, scan, lines, ret->fields, &ret->field_count, &facts, ret_why);
  if (outcome != HTTP_PARSE_DONE) return outcome;
  ret->has_connection_field = facts.connection;
  ret->nominates = facts.nominates;
  ret->keep_alive = head_keeps_alive(&facts, ret->version_minor);
  ret->upgrade = facts.upgrade && facts.upgrade_option && ret->version_minor >= 1;
  return parse_framing(method, ret, &facts, ret_why);
}

enum http_parse http_parse_response(struct str input, size_t limit_bytes, enum http_method method,
                                    struct http_head_scan *scan, struct http_response *ret,
                                    size_t *ret_n, const char **ret_why) {
  const struct head_bounds bounds = {
      .start = 0,
      .start_line_max = SIZE_MAX,
      .line_long = HTTP_PARSE_HEAD_LONG,
      .limit_bytes = limit_bytes,
  };
  *ret_why = NULL;
  memset(ret, 0, offsetof(struct http_response, fields)); /* the fields alone are 4 KiB */
  if (input.n == 0) return HTTP_PARSE_MORE;
  if (!begins_as_response(input)) return head_bad(ret_why, "not an HTTP/1.x response");

  struct head_lines lines;
  const enum http_parse scanned = head_scan(input, &bounds, scan, &lines, ret_why);
  if (head_line_is_due(scan, scanned)) {
    const char *why = NULL;
    const enum http_parse outcome = parse_line(str_take(input, scan->line_end), ret, &why);
    if (outcome != HTTP_PARSE_DONE) {
      *ret_why = why;
      return outcome;
    }
    scan->line_checked = true;
  }
  if (scanned != HTTP_PARSE_DONE) return scanned;
  *ret_n = lines.head_end;
  return parse_fields(input, scan, &lines, method, ret, ret_why);
}
