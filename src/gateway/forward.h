/*
 * forward: the heads that go on, built from the heads that came. Pure.
 *
 * What is sent is made anew from the parsed form. Values that are composed are written to the
 * scratch memory given, and hold as long as that does.
 */
#ifndef ADIT_GATEWAY_FORWARD_H
#define ADIT_GATEWAY_FORWARD_H

#include "adit/config.h"
#include "adit/decide.h"
#include "stream.h"

/* Memory for composed values: `used` grows; running out is remembered and gives empty values. */
struct scratch {
  char *p;
  size_t capacity;
  size_t used;
  bool failed;
};
/* The concatenation of `n` parts. */
struct str scratch_join(struct scratch *scratch, const struct str *parts, size_t n);

/* Removes from a trailer section what may not be there (http_field_may_trail), and protected names;
 * also the force token, which no origin gets to see. */
void forward_trailers(struct field_list *list, bool (*is_protected)(void *context, struct str name),
                      void *context);

/* Whether OPTIONS or TRACE may be forwarded once more (RFC 9110 7.6.2); others always may. */
enum max_forwards {
  MAX_FORWARDS_LEFT,
  MAX_FORWARDS_SPENT, /* it is to be answered here */
  MAX_FORWARDS_BAD    /* no number: 400 */
};
enum max_forwards forward_max_forwards(const struct http_request *request);

/* client_ip: the peer, or behind trusted proxies the first address in X-Forwarded-For, from the
 * right, that is not trusted (all trusted: the leftmost; at one that does not parse: the last
 * good). */
struct ip_address forward_client_ip(const struct config *config, const struct http_request *request,
                                    const struct ip_address *peer);
/* Whether the request came by https: the connection's own, or a trusted X-Forwarded-Proto. */
bool forward_is_https(const struct http_request *request, bool secure, bool trusted);

struct forward_request_input {
  const struct http_request *request;
  const struct config *config;
  const struct ip_address *peer;
  bool trusted;
  bool secure;
  struct str variant;
  struct str rule;        /* p == NULL: no rule decided */
  struct str request_id;  /* used when no trusted proxy sent one */
  struct str traceparent; /* in place of whatever came; p == NULL: what came goes on */
  struct str upgrade;     /* the protocol to be offered; n == 0: none */
  bool is_mirror;         /* it is a copy, and says so */
  /* Of the fields that neither HTTP nor Adit knows, those that do not go on. NULL: all do. */
  http_protected_fn *is_dropped;
  void *is_dropped_context;
};
void forward_request(const struct forward_request_input *input, struct scratch *scratch,
                     struct request_out *ret);

struct forward_response_input {
  const struct http_request *request;
  const struct http_response *response;
  const struct route *route;
  struct str set_cookie;           /* p == NULL: none */
  bool private_response;           /* Cache-Control: private where the response could be stored */
  const struct decision *decision; /* to be told in X-Adit-Decision; NULL: it is not */
  struct str date;                 /* for a response that has none (RFC 9110 6.6.1) */
  struct str upgrade;              /* n > 0: of a 101 or 426 */
};
void forward_response(const struct forward_response_input *input, struct scratch *scratch,
                      struct response_out *ret);
/* Adds X-Adit-Decision. */
void forward_decision(const struct decision *decision, struct scratch *scratch,
                      struct field_list *list);
/* The head of an interim response. */
void forward_interim(const struct http_response *response, struct response_out *ret);

/* Whether a shared cache could store the response (RFC 9111 3): neither no-store nor private, and
 * either explicitly cacheable or of a status that is heuristically so, to a GET or HEAD. */
bool forward_is_storable(const struct http_request *request, const struct http_response *response);

/* The answer to a TRACE that ends here (RFC 9110 9.3.8): its request line and fields but for those
 * that are secret, as far as they fit FORWARD_TRACE_MAX bytes. The body is written to `scratch`. */
enum { FORWARD_TRACE_MAX = 8192 };
void forward_trace(const struct http_request *request, http_protected_fn *is_secret, void *context,
                   bool close, struct str date, struct scratch *scratch, struct response_out *ret,
                   struct str *ret_body);

/* Adds that it is worth while to come again soon. */
void forward_retry_after(struct field_list *list);

/* Adds what a 401 must say (RFC 6750 3). `why` is for people; p == NULL: there was no token, and
 * nothing is wrong with it. */
void forward_challenge(struct str why, struct scratch *scratch, struct field_list *list);

/* An answer of our own: text that says what is wrong. The body is written to `scratch`. */
void forward_answer(int status, struct str why, bool close, struct str date,
                    struct scratch *scratch, struct response_out *ret, struct str *ret_body);

#endif
