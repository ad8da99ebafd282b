/*
 * head: what heads of requests and responses have in common. Inside of http only.
 */
#ifndef ADIT_HTTP_HEAD_H
#define ADIT_HTTP_HEAD_H

#include "adit/http.h"

/* Where a head may lie within its input. */
struct head_bounds {
  size_t start;              /* of the start line */
  size_t start_line_max;     /* octets of it, without CRLF; SIZE_MAX: limit_bytes only */
  enum http_parse line_long; /* outcome when the start line does not fit */
  size_t limit_bytes;        /* of the whole head */
};

/* What a scan finds of a whole head. */
struct head_lines {
  size_t head_end;                  /* behind the empty line */
  size_t count;                     /* of field lines; at most one more than a head may have */
  size_t ends[HTTP_FIELDS_MAX + 1]; /* where each line's CRLF is */
};

/*
 * Searches on for the head's end and refuses every control octet but HTAB and CRLF as soon as it is
 * seen. Sets scan->line_end as soon as the start line is over, and *lines on HTTP_PARSE_DONE.
 */
enum http_parse head_scan(struct str input, const struct head_bounds *bounds,
                          struct http_head_scan *scan, struct head_lines *lines,
                          const char **ret_why);

/*
 * Whether the start line is to be parsed after head_scan gave `outcome`: once it is over, and again
 * with what ends the head, when the caller's result is filled.
 */
static inline bool head_line_is_due(const struct http_head_scan *scan, enum http_parse outcome) {
  return scan->line_end != 0 && (outcome != HTTP_PARSE_MORE || !scan->line_checked);
}

static inline enum http_parse head_bad(const char **ret_why, const char *why) {
  *ret_why = why;
  return HTTP_PARSE_BAD;
}

/* What the fields of a head say about its message. Views are absent where no field is. */
struct head_facts {
  struct str content_length;
  struct str transfer_encoding;
  struct str host;
  struct str expect;
  bool repeated_expect;
  bool connection; /* there is a Connection field; its options: */
  unsigned connection_options;
  bool close;
  bool keep_alive;
  bool upgrade_option;
  bool upgrade; /* there is an Upgrade field */
  bool te_option;
  bool nominates;             /* others than these */
  bool te_trailers;           /* a TE field has "trailers" */
  enum http_field_id refused; /* with HTTP_PARSE_BAD: by which field; _OTHER: a malformed line */
};

/*
 * Parses the field lines that head_scan found. Fills `fields` (of HTTP_FIELDS_MAX) and *ret_facts.
 * A second Content-Length, Transfer-Encoding or Host is HTTP_PARSE_BAD, and so are more than
 * HTTP_CONNECTION_OPTIONS_MAX options in Connection.
 */
enum http_parse head_parse_fields(struct str input, const struct http_head_scan *scan,
                                  const struct head_lines *lines, struct http_field *fields,
                                  size_t *ret_count, struct head_facts *ret_facts,
                                  const char **ret_why);

/* "HTTP/1.x": HTTP_PARSE_DONE, _VERSION or _BAD. *ret_minor is 0 or 1 (1 also for what is above).
 */
enum http_parse head_parse_version(struct str version, int *ret_minor, const char **ret_why);

/* RFC 9112 9.3. */
bool head_keeps_alive(const struct head_facts *facts, int version_minor);

/* 1*DIGIT up to 2^63-1. */
bool head_parse_length(struct str value, uint64_t *ret);

#endif
