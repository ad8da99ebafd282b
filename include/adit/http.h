/*
 * http: messages of HTTP/1.1, without sockets.
 *
 * Parsing (RFC 9112) is strict and done once; what is sent on is written anew from the parsed form
 * and never copied by line. All views point into the caller's buffer.
 */
#ifndef ADIT_HTTP_H
#define ADIT_HTTP_H

#include "adit/str.h"

/* ---- fields -------------------------------------------------------------------------------- */

/* Fields that an intermediary must know. Others are HTTP_FIELD_OTHER. */
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
  HTTP_FIELD_TRAILER,
  HTTP_FIELD_TRANSFER_ENCODING,
  HTTP_FIELD_UPGRADE,
  HTTP_FIELD_VARY,
  HTTP_FIELD_VIA,
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
bool http_is_token(struct str s);       /* RFC 9110 5.6.2 */
bool http_is_field_value(struct str s); /* RFC 9110 5.5: no CR, LF, NUL or other control but HTAB */

/* ---- heads --------------------------------------------------------------------------------- */

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
enum http_method http_method_id(struct str method);
/* RFC 9110 9.2.2: GET HEAD OPTIONS TRACE PUT DELETE. */
bool http_method_is_idempotent(enum http_method method);

enum http_target_form {
  HTTP_TARGET_ORIGIN,
  HTTP_TARGET_ABSOLUTE,
  HTTP_TARGET_AUTHORITY,
  HTTP_TARGET_ASTERISK
};

/* How a message's end is found (RFC 9112 6.3). */
enum http_body_kind { HTTP_BODY_NONE, HTTP_BODY_LENGTH, HTTP_BODY_CHUNKED, HTTP_BODY_UNTIL_CLOSE };

enum { HTTP_FIELDS_MAX = 100, HTTP_REQUEST_LINE_MAX = 8192 };

struct http_request {
  struct str method;
  enum http_method method_id;
  struct str target; /* as received */
  enum http_target_form form;
  struct str origin; /* the target in origin-form ("/p?q"), a view into `target`; of an absolute
                        form without path: "/" or "?q" with origin_needs_slash; "*" */
  bool origin_needs_slash;
  struct str raw_path;  /* of origin, before '?'; "/" when empty; "*" for asterisk-form */
  struct str query;     /* after '?'; p == NULL when there is no '?' */
  struct str authority; /* host[:port]: of an absolute form, else the Host field's value */
  struct str host;   /* authority without port and without one trailing dot; as received in case */
  int version_minor; /* HTTP/1.x; 1 for anything above */
  bool keep_alive;   /* what version and Connection say */
  bool expect_continue;
  bool upgrade; /* Connection nominates Upgrade and an Upgrade field is there */
  enum http_body_kind body;
  uint64_t content_length; /* HTTP_BODY_LENGTH only */
  bool has_connection_field;
  size_t field_count;
  struct http_field fields[HTTP_FIELDS_MAX];
};

struct http_response {
  int status; /* 100..999 */
  struct str reason;
  int version_minor;
  bool keep_alive;
  bool has_connection_field;
  enum http_body_kind body; /* for the request's method: HEAD, 1xx, 204, 304 have none */
  uint64_t content_length;
  bool has_content_length; /* also where no body follows */
  size_t field_count;
  struct http_field fields[HTTP_FIELDS_MAX];
};

enum http_parse {
  HTTP_PARSE_DONE,
  HTTP_PARSE_MORE,       /* the head is not complete and not yet wrong */
  HTTP_PARSE_BAD,        /* malformed or ambiguous: 400, close */
  HTTP_PARSE_LINE_LONG,  /* request line over HTTP_REQUEST_LINE_MAX: 414 */
  HTTP_PARSE_HEAD_LONG,  /* over limit_bytes, or more than HTTP_FIELDS_MAX fields: 431 */
  HTTP_PARSE_VERSION,    /* HTTP/2.0 and the like: 505 */
  HTTP_PARSE_CODING,     /* transfer-coding other than chunked: 501 */
  HTTP_PARSE_EXPECTATION /* an Expect other than 100-continue: 417 */
};

/* One parse of a head that comes in pieces. Zero-initialise, and again for the next head. */
struct http_head_scan {
  size_t scanned; /* bytes that were searched for the end of the head */
  size_t line_end;
};

/*
 * Parses a request head at the start of `input` (empty lines before it are skipped, at most one
 * CRLF, RFC 9112 2.2). Call again with more bytes after HTTP_PARSE_MORE; bytes already searched are
 * not searched again. On HTTP_PARSE_DONE *ret_n is the head's length with its empty line. On an
 * outcome that is an error *ret_why is a short static text for log and body.
 * Refused, beyond grammar: Content-Length with Transfer-Encoding, either twice, a length that is
 * not 1*DIGIT or over 2^63-1, Transfer-Encoding in HTTP/1.0, none (1.1) or several Host, an invalid
 * Host, userinfo in an authority, whitespace before a colon, obs-fold, bare CR or LF, NUL.
 */
enum http_parse http_parse_request(struct str input, size_t limit_bytes,
                                   struct http_head_scan *scan, struct http_request *ret,
                                   size_t *ret_n, const char **ret_why)
    __attribute__((warn_unused_result));

/*
 * The same for a response to a request of `method`. HTTP_PARSE_BAD also for Content-Length with
 * Transfer-Encoding, differing or repeated lengths, a Transfer-Encoding in HTTP/1.0, a coding other
 * than one "chunked" (RFC 9112 6.3). A status line without reason and its blank is accepted.
 */
enum http_parse http_parse_response(struct str input, size_t limit_bytes, enum http_method method,
                                    struct http_head_scan *scan, struct http_response *ret,
                                    size_t *ret_n, const char **ret_why)
    __attribute__((warn_unused_result));

/* The k-th (from 0) element of a comma-separated list (RFC 9110 5.6.1), trimmed; empty ones are
 * skipped. Call with *rest = the value; false at the end. Quoted strings are not split. */
bool http_list_next(struct str *rest, struct str *element);

/* ---- chunked coding (RFC 9112 7.1) ---------------------------------------------------------- */

struct http_chunked {
  int state;
  uint64_t left;          /* bytes of the current chunk still to come */
  uint32_t line_bytes;    /* of the current size line, extensions included */
  uint32_t trailer_bytes; /* of the whole trailer section */
  uint32_t size_digits;
};

enum { HTTP_CHUNK_LINE_MAX = 256, HTTP_TRAILER_MAX = 8192 };

enum http_chunk {
  HTTP_CHUNK_DATA, /* *ret_data is a run of body bytes */
  HTTP_CHUNK_MORE, /* all input was used, the body is not at its end */
  HTTP_CHUNK_END,  /* the last chunk and the trailer section are over; *ret_n ends there */
  HTTP_CHUNK_BAD
};

void http_chunked_init(struct http_chunked *chunked);
/*
 * Decodes from the start of `input`; *ret_n is what was used, *ret_data (for HTTP_CHUNK_DATA) views
 * into it. Strict CRLF; at most 16 size digits and HTTP_CHUNK_LINE_MAX bytes of size line
 * (extensions are dropped); the trailer section is checked as fields are and dropped.
 */
enum http_chunk http_chunked_decode(struct http_chunked *chunked, struct str input,
                                    struct str *ret_data, size_t *ret_n)
    __attribute__((warn_unused_result));

/* ---- targets, hosts, cookies, queries ------------------------------------------------------- */

/*
 * The path as rules and routes see it: percent-decoded once (%2F stays), repeated slashes merged,
 * then dot segments resolved. A path that is normal already is returned as it is, without a copy;
 * else it is written to `scratch` (at least raw.n bytes). False: malformed '%', %00, above the
 * root, a ".." segment that touches an encoded slash or backslash: 400.
 */
bool http_path_normalise(struct str raw, char *scratch, struct str *ret)
    __attribute__((warn_unused_result));

/* uri-host [":" port] (RFC 3986): splits and validates; userinfo is refused. */
bool http_authority_parse(struct str authority, struct str *ret_host, struct str *ret_port)
    __attribute__((warn_unused_result));

/* One cookie-pair of a Cookie field's value (RFC 6265 5.4 as servers read it): divided at ';',
 * trimmed, the first '=' divides, quotes stay; a pair without '=' is skipped. */
bool http_cookie_next(struct str *rest, struct str *name, struct str *value);
/* One parameter of a query: divided at '&', still encoded; a name without '=' has the value "". */
bool http_query_next(struct str *rest, struct str *name, struct str *value);
/* Percent-decodes, '+' is a blank, a malformed '%' stays. Without anything to decode the view
 * itself; else written to `scratch` (at least s.n bytes). */
struct str http_query_decode(struct str s, char *scratch);

/* The standard reason phrase of a status, "" when there is none. */
struct str http_reason(int status);

#endif
