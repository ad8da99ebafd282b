/*
 * http: messages of HTTP/1.1, without sockets.
 *
 * Parsing (RFC 9112) is strict and done once; what is sent on is written anew from the parsed form
 * and never copied by line. All views point into the caller's buffer.
 */
#ifndef ADIT_HTTP_H
#define ADIT_HTTP_H

#include "adit/str.h"

/* ---- fields ---------------------------------------------------------------------------------- */

/* Fields that an intermediary must know. Others are HTTP_FIELD_OTHER. Case is ignored. */
enum http_field_id {
  HTTP_FIELD_OTHER,
  HTTP_FIELD_CACHE_CONTROL,
  HTTP_FIELD_CONNECTION,
  HTTP_FIELD_CONTENT_LENGTH,
  HTTP_FIELD_COOKIE,
  HTTP_FIELD_DATE,
  HTTP_FIELD_EXPECT,
  HTTP_FIELD_EXPIRES,
  HTTP_FIELD_FORWARDED,
  HTTP_FIELD_AUTHORIZATION,
  HTTP_FIELD_HOST,
  HTTP_FIELD_HTTP2_SETTINGS,
  HTTP_FIELD_KEEP_ALIVE,
  HTTP_FIELD_MAX_FORWARDS,
  HTTP_FIELD_PROXY_AUTHENTICATE,
  HTTP_FIELD_PROXY_AUTHORIZATION,
  HTTP_FIELD_PROXY_CONNECTION,
  HTTP_FIELD_SET_COOKIE,
  HTTP_FIELD_TE,
  HTTP_FIELD_TRACEPARENT,
  HTTP_FIELD_TRACESTATE,
  HTTP_FIELD_TRAILER,
  HTTP_FIELD_TRANSFER_ENCODING,
  HTTP_FIELD_UPGRADE,
  HTTP_FIELD_VARY,
  HTTP_FIELD_VIA,
  HTTP_FIELD_X_ADIT_MIRROR,  /* with '_' taken as '-' */
  HTTP_FIELD_X_ADIT_RULE,    /* with '_' taken as '-' */
  HTTP_FIELD_X_ADIT_VARIANT, /* with '_' taken as '-' */
  HTTP_FIELD_X_FORWARDED_FOR,
  HTTP_FIELD_X_FORWARDED_HOST,
  HTTP_FIELD_X_FORWARDED_PROTO,
  HTTP_FIELD_X_REAL_IP,
  HTTP_FIELD_X_REQUEST_ID
};

struct http_field {
  struct str name;  /* as received */
  struct str value; /* without OWS around it */
  enum http_field_id id;
};

enum http_field_id http_field_id(struct str name);
bool http_is_token(struct str s); /* RFC 9110 5.6.2 */
/* RFC 9110 5.5: no CR, LF, NUL or other control but HTAB. Blanks around it are not looked at. */
bool http_is_field_value(struct str s);

/* ---- heads ----------------------------------------------------------------------------------- */

enum http_method {
  HTTP_METHOD_OTHER,
  HTTP_METHOD_GET,
  HTTP_METHOD_HEAD,
  HTTP_METHOD_POST,
  HTTP_METHOD_PUT,
  HTTP_METHOD_DELETE,
  HTTP_METHOD_CONNECT,
  HTTP_METHOD_OPTIONS,
  HTTP_METHOD_TRACE,
  HTTP_METHOD_PATCH
};
/* Methods are case-sensitive (RFC 9110 9.1). */
enum http_method http_method_id(struct str method);
/* RFC 9110 9.2.2: GET HEAD OPTIONS TRACE PUT DELETE. */
bool http_method_is_idempotent(enum http_method method);

/* A range of statuses. */
struct http_statuses {
  unsigned from, to; /* both count */
};
static inline bool http_statuses_have(const struct http_statuses *ranges, size_t n, int status) {
  for (size_t i = 0; i < n; i++)
    if (status >= (int)ranges[i].from && status <= (int)ranges[i].to) return true;
  return false;
}

enum http_target_form {
  HTTP_TARGET_ORIGIN,
  HTTP_TARGET_ABSOLUTE,
  HTTP_TARGET_AUTHORITY,
  HTTP_TARGET_ASTERISK
};

/* How a message's end is found (RFC 9112 6.3). */
enum http_body_kind { HTTP_BODY_NONE, HTTP_BODY_LENGTH, HTTP_BODY_CHUNKED, HTTP_BODY_UNTIL_CLOSE };

enum { HTTP_FIELDS_MAX = 100, HTTP_REQUEST_LINE_MAX = 8192, HTTP_CONNECTION_OPTIONS_MAX = 100 };

/* What of a request's head HTTP_PARSE_BAD is about: for whoever counts. */
enum http_fault {
  HTTP_FAULT_START,  /* its first byte begins no HTTP request */
  HTTP_FAULT_OCTETS, /* a control, or a CR or LF by itself */
  HTTP_FAULT_LINE,   /* method, target or version */
  HTTP_FAULT_FIELD,  /* a field line, or Connection */
  HTTP_FAULT_HOST,
  HTTP_FAULT_FRAMING /* Content-Length, Transfer-Encoding */
};

struct http_request {
  struct str method;
  enum http_method method_id;
  struct str target; /* as received */
  enum http_target_form form;
  struct str origin; /* the target in origin-form ("/p?q"), a view into `target`; of an absolute
                        form without path: "/" or "?q" with origin_needs_slash, and of OPTIONS "*"
                        (RFC 9112 3.2.4); of an authority form "/"; of an asterisk form "*" */
  bool origin_needs_slash;
  struct str raw_path;  /* of origin, before '?'; "/" when empty */
  struct str query;     /* after '?'; p == NULL when there is no '?' */
  struct str authority; /* host[:port]: of an absolute or authority form, else the Host field's
                           value; empty only in HTTP/1.0 without Host */
  struct str host;   /* authority without port and without one trailing dot; as received in case; an
                        IPv6 address in its brackets */
  int version_minor; /* HTTP/1.x; 1 for anything above */
  bool keep_alive;   /* what version and Connection say */
  bool expect_continue; /* HTTP/1.1 with content to come */
  bool upgrade;         /* HTTP/1.1, Connection nominates Upgrade and an Upgrade field is there */
  bool te_trailers;     /* HTTP/1.1, Connection nominates TE and TE has "trailers" */
  enum http_body_kind body;
  uint64_t content_length; /* HTTP_BODY_LENGTH only */
  bool has_connection_field;
  bool nominates;        /* Connection names more than close, keep-alive, Upgrade and TE */
  enum http_fault fault; /* with HTTP_PARSE_BAD only */
  size_t field_count;
  struct http_field fields[HTTP_FIELDS_MAX];
};

struct http_response {
  int status;        /* 100..599 */
  struct str reason; /* may be empty */
  int version_minor;
  bool keep_alive;
  bool has_connection_field;
  bool nominates;           /* as of a request */
  bool upgrade;             /* likewise */
  enum http_body_kind body; /* for the request's method: HEAD, 1xx, 204, 304 have none */
  uint64_t content_length;
  bool has_content_length; /* also of HEAD and 304; never of 1xx and 204, which must not have it
                              (RFC 9110 8.6): the field is not to be sent on then */
  size_t field_count;
  struct http_field fields[HTTP_FIELDS_MAX];
};

/* What a request's head may be. */
struct http_limits {
  size_t head_bytes; /* all of it, with its empty line */
  size_t line_bytes; /* the request line, without its CRLF */
  size_t fields;     /* at most HTTP_FIELDS_MAX */
};

/* Those that are usual, for a head of so many bytes. */
static inline struct http_limits http_limits_usual(size_t head_bytes) {
  return (struct http_limits){head_bytes, HTTP_REQUEST_LINE_MAX, HTTP_FIELDS_MAX};
}

enum http_parse {
  HTTP_PARSE_DONE,
  HTTP_PARSE_MORE,       /* the head is not complete and not yet wrong */
  HTTP_PARSE_BAD,        /* malformed or ambiguous: 400, close */
  HTTP_PARSE_LINE_LONG,  /* request line over line_bytes or head_bytes: 414 */
  HTTP_PARSE_HEAD_LONG,  /* over head_bytes, or more fields than there may be: 431 */
  HTTP_PARSE_VERSION,    /* HTTP/2.0 and the like: 505 */
  HTTP_PARSE_CODING,     /* transfer-coding before chunked: 501 */
  HTTP_PARSE_EXPECTATION /* an Expect other than 100-continue: 417 */
};

/* One parse of a head that comes in pieces. Zero-initialise, and again for the next head. */
struct http_head_scan {
  size_t scanned;    /* bytes that were searched for the end of the head */
  size_t line_end;   /* where the start line's CRLF is; 0: not seen yet */
  bool line_checked; /* the start line was parsed and is right */
};

/*
 * Parses a request head at the start of `input` (one empty line before it is skipped, RFC
 * 9112 2.2). Call again with more bytes after HTTP_PARSE_MORE (`input` begins at the same byte, but
 * may have moved); bytes already searched are not searched again, but once when the head is whole.
 * The outcome does not depend on how the bytes were divided. It is never HTTP_PARSE_MORE when
 * input.n >= limits->head_bytes.
 *
 * On HTTP_PARSE_DONE *ret_n is where the head with its empty line ends in `input`. On an error
 * *ret_why is a short static text for log and body, and of *ret only `method` and `target` hold, if
 * they were understood (else p == NULL), and with HTTP_PARSE_BAD `fault`.
 *
 * What is wrong with the octets (a bare CR or LF, NUL, any control but HTAB, a first byte that no
 * method begins with) or with the request line is said as soon as it is seen, before the head is
 * complete. A target may hold any visible ASCII but '#': what browsers leave unencoded in queries
 * (RFC 3986 does not allow " < > \ ^ ` { | }) is passed as it is.
 * Refused, beyond grammar: Content-Length with Transfer-Encoding, either twice, a length that is
 * not 1*DIGIT or over 2^63-1, Transfer-Encoding in HTTP/1.0, none (1.1) or several Host, an invalid
 * or empty Host, userinfo in an authority, a scheme other than http and https, CONNECT without a
 * port, whitespace before a colon, obs-fold, more than HTTP_CONNECTION_OPTIONS_MAX options in
 * Connection, a Transfer-Encoding whose last coding is not chunked. One of other codings before a
 * final chunked is HTTP_PARSE_CODING.
 */
enum http_parse http_parse_request(struct str input, const struct http_limits *limits,
                                   struct http_head_scan *scan, struct http_request *ret,
                                   size_t *ret_n, const char **ret_why)
    __attribute__((warn_unused_result));

/*
 * The same for a response to a request of `method`; an error is HTTP_PARSE_BAD or
 * HTTP_PARSE_HEAD_LONG (then nothing of *ret holds). HTTP_PARSE_BAD also for what is no HTTP/1.x
 * (as soon as it is seen), a status outside 100..599, Content-Length with Transfer-Encoding,
 * repeated lengths even when equal, a Transfer-Encoding in HTTP/1.0, a coding other than one
 * "chunked" (RFC 9112 6.3), too many options in Connection. A status line without reason and its
 * blank is accepted. keep_alive is false also where the body ends with the connection, and where a
 * 1xx or 204 announces a body.
 */
enum http_parse http_parse_response(struct str input, size_t limit_bytes, enum http_method method,
                                    struct http_head_scan *scan, struct http_response *ret,
                                    size_t *ret_n, const char **ret_why)
    __attribute__((warn_unused_result));

/* The next element of a comma-separated list (RFC 9110 5.6.1), trimmed; empty ones are skipped.
 * Call first with *rest = the value; false at the end. Quoted strings are not split. */
bool http_list_next(struct str *rest, struct str *element);

/* ---- hop-by-hop fields (RFC 9110 7.6.1) ------------------------------------------------------ */

/* Whether a field of that name stays though Connection names it. */
typedef bool http_protected_fn(void *context, struct str name);

/* Those that stay in any case: Host, Content-Length, Transfer-Encoding, Cookie, Authorization,
 * Forwarded, X-Forwarded-* and X-Request-Id (contract §5). */
bool http_field_is_protected(struct str name);

/*
 * Removes the hop-by-hop fields of a head and, with `has_connection`, what its Connection fields
 * name, but for protected names; `is_protected` (NULL: none) says which are beside those that
 * always are. Returns how many fields are left, in their order.
 */
size_t http_remove_hop_by_hop(struct http_field *fields, size_t n, bool has_connection,
                              http_protected_fn *is_protected, void *context)
    __attribute__((warn_unused_result));
/* Removes every field of the name; returns how many are left, in their order. */
size_t http_remove_field(struct http_field *fields, size_t n, struct str name)
    __attribute__((warn_unused_result));

/* ---- chunked coding (RFC 9112 7.1) ----------------------------------------------------------- */

/* What is wrong with a chunked body. */
enum http_chunk_fault {
  HTTP_CHUNK_MALFORMED,
  HTTP_CHUNK_LONG_EXTENSIONS,
  HTTP_CHUNK_LONG_TRAILERS
};

struct http_chunked {
  int state;
  uint64_t left;          /* bytes of the current chunk still to come */
  uint32_t line_bytes;    /* of the current size line, extensions included */
  uint32_t trailer_bytes; /* of the trailer section, without the LF of its empty line */
  uint32_t trailer_fields;
  uint32_t size_digits;
  uint32_t extension_bytes; /* so far, without those that data has outweighed */
  /* Limits, the usual ones after http_chunked_init; they may be set before the first octet. */
  uint32_t extension_max, trailer_max;
  enum http_chunk_fault fault; /* with HTTP_CHUNK_BAD */
};

enum { HTTP_CHUNK_LINE_MAX = 256, HTTP_EXTENSION_MAX = 4096, HTTP_TRAILER_MAX = 8192 };

enum http_chunk {
  HTTP_CHUNK_DATA, /* *ret_data is a run of body bytes */
  HTTP_CHUNK_MORE, /* all input was used, the body is not at its end */
  HTTP_CHUNK_END,  /* the last chunk and the trailer section are over; *ret_n ends there */
  HTTP_CHUNK_BAD   /* and so it stays */
};

void http_chunked_init(struct http_chunked *chunked);
/*
 * Decodes from the start of `input`; *ret_n is what was used, *ret_data (for HTTP_CHUNK_DATA) views
 * into it. Call again with what is left after HTTP_CHUNK_DATA, and with more after HTTP_CHUNK_MORE.
 * Strict CRLF; sizes of at most 16 digits and 2^63-1; HTTP_CHUNK_LINE_MAX bytes of size line
 * without its CRLF (extensions are dropped, unread but for controls); in all, extensions have
 * extension_max bytes more than there is data (a body of nothing but extensions keeps its reader
 * busy and goes nowhere). The trailer section is checked as fields are; at most trailer_max bytes
 * and HTTP_FIELDS_MAX of them. At HTTP_CHUNK_END it is the last trailer_bytes + 1 octets that were
 * used: whoever wants its fields keeps those.
 */
enum http_chunk http_chunked_decode(struct http_chunked *chunked, struct str input,
                                    struct str *ret_data, size_t *ret_n)
    __attribute__((warn_unused_result));

/*
 * The fields of a trailer section that http_chunked_decode has been over, without its empty line:
 * fills `fields` (HTTP_FIELDS_MAX) and returns how many.
 */
size_t http_trailers_parse(struct str lines, struct http_field *fields);

/* Whether a field may be sent in a trailer section (RFC 9110 6.5.1): it neither frames nor routes
 * the message, nor says how it is to be handled, who asks, or what its content is. */
bool http_field_may_trail(struct str name);

/* ---- targets, hosts, cookies, queries -------------------------------------------------------- */

/*
 * The path as rules and routes see it: percent-decoded once (an encoded slash stays, always as
 * "%2F"), repeated slashes merged, then dot segments resolved. "*" is "*". A path that is normal
 * already is returned as it is, a view of `raw`; else the result is in `scratch` (at least raw.n
 * bytes, not overlapping). False, 400: not beginning with '/', malformed '%', NUL or %00, above the
 * root, a ".." between slashes of which one at least is an encoded slash or a backslash (encoded or
 * not).
 */
bool http_path_normalise(struct str raw, char *scratch, struct str *ret)
    __attribute__((warn_unused_result));

/*
 * The other readings of a path with encoded slashes or backslashes, by upstreams that take these
 * for slashes: the encoded slashes alone (as nginx does), then the backslashes too. ret[0..*ret_n)
 * are views of `scratch` (at least HTTP_PATH_OTHERS_MAX * raw.n bytes); none for most paths. `raw`
 * must be one that http_path_normalise takes. False, 400: above the root in one of them.
 */
enum { HTTP_PATH_OTHERS_MAX = 2 };
bool http_path_other_readings(struct str raw, char *scratch, struct str ret[HTTP_PATH_OTHERS_MAX],
                              size_t *ret_n) __attribute__((warn_unused_result));

/*
 * uri-host [":" port] (RFC 3986 3.2): splits and validates. *ret_host is a reg-name, an IPv4
 * address or an IPv6 address in its brackets, as received; *ret_port is absent without ':', empty
 * when nothing follows it, and at most 65535. Refused: userinfo, an empty host, the host ".",
 * zones.
 */
bool http_authority_parse(struct str authority, struct str *ret_host, struct str *ret_port)
    __attribute__((warn_unused_result));

/* One cookie-pair of a Cookie field's value (RFC 6265 5.4 as servers read it): divided at ';',
 * trimmed, the first '=' divides, quotes stay; a pair without '=' is skipped. */
bool http_cookie_next(struct str *rest, struct str *name, struct str *value);
/* One parameter of a query: divided at '&', still encoded; a name without '=' has the value "",
 * empty parts are skipped. For both: call first with *rest = the whole; false at the end. */
bool http_query_next(struct str *rest, struct str *name, struct str *value);
/* Percent-decodes, '+' is a blank, a malformed '%' stays. Without anything to decode the view
 * itself; else written to `scratch` (at least s.n bytes). */
struct str http_query_decode(struct str s, char *scratch);

/* The standard reason phrase of a status, "" when there is none. */
struct str http_reason(int status);
/* The status of the answer to a request's head of which that came; of what is no error, 400. */
int http_parse_status(enum http_parse outcome);

enum { HTTP_DATE_BYTES = 32 };
/* An IMF-fixdate (RFC 9110 5.6.7) of Unix time, in `buffer`; "" where no calendar has it. */
struct str http_date(int64_t unix_seconds, char buffer[HTTP_DATE_BYTES]);

#endif
