/*
 * client: HTTP calls of Adit's own, on libcurl: the demo's check, `ctl`, health checks.
 *
 * One call, one answer, both bounded. The environment's proxies are not used, redirects are not
 * followed, nothing but http and https is spoken, credentials in a URL are refused.
 */
#ifndef ADIT_CLIENT_H
#define ADIT_CLIENT_H

#include <stdatomic.h>

#include "adit/str.h"
#include "adit/text.h"

/* What a zero in a request stands for. */
enum {
  CLIENT_CONNECT_TIMEOUT_MS = 2000,
  CLIENT_TIMEOUT_MS = 10000,
  CLIENT_BODY_LIMIT_BYTES = 1 << 20,
  CLIENT_HEAD_LIMIT_BYTES = 64 << 10
};

struct client_field {
  struct str name;
  struct str value; /* may be empty */
};

/* Zero-initialise and fill; only `url` is needed. Views must outlive the call. */
struct client_request {
  const char *url;    /* "http://…" or "https://…"; its path is sent as it is, dots and all */
  const char *method; /* NULL: GET, or POST when there is a body */
  const struct client_field *fields; /* also Host and Content-Type, which have no default */
  size_t field_count;
  struct str body;            /* p == NULL: none */
  int64_t connect_timeout_ms; /* 0: CLIENT_CONNECT_TIMEOUT_MS; resolving included */
  int64_t timeout_ms;         /* 0: CLIENT_TIMEOUT_MS; for the whole call */
  size_t body_limit_bytes;    /* 0: CLIENT_BODY_LIMIT_BYTES */
  const atomic_bool *stop;    /* once true, the call ends within about a second; NULL: never */
};

enum client_outcome {
  CLIENT_DONE,        /* a whole answer, whatever its status */
  CLIENT_BAD_REQUEST, /* the URL, the method or a field cannot be sent */
  CLIENT_UNRESOLVED,  /* the host's name has no address */
  CLIENT_REFUSED,     /* no connection */
  CLIENT_TIMEOUT,
  CLIENT_TOO_LARGE, /* the answer's body is over body_limit_bytes, or its head over
                       CLIENT_HEAD_LIMIT_BYTES */
  CLIENT_STOPPED,   /* as `stop` said */
  CLIENT_BROKEN,    /* the peer broke off, or does not speak HTTP/1 or TLS properly */
  CLIENT_MEMORY
};

struct client_response {
  int status;       /* CLIENT_DONE: 200..999 */
  struct text head; /* field lines of the final answer, as received; see client_response_field */
  struct text body;
  char why[256]; /* other than CLIENT_DONE: one line for people */
};

/*
 * Makes one call and waits for its end. *ret is initialised in any case and is the caller's to
 * deinit; head and body are complete for CLIENT_DONE only. Callable from any thread.
 */
enum client_outcome client_fetch(const struct client_request *request, struct client_response *ret)
    __attribute__((warn_unused_result));

/* The k-th (from 0) field of a name, in any case, without blanks around it; views `response`. False
 * when there are no more. */
bool client_response_field(const struct client_response *response, struct str name, size_t k,
                           struct str *ret);
void client_response_deinit(struct client_response *response);

/* ---- for modules that drive libcurl themselves ----------------------------------------------- */

/* Prepares libcurl, once for the process, from any thread. False: it cannot be. */
bool client_library_init(void);
/*
 * Sets on a handle what every call of Adit's has: without it the environment's http_proxy would
 * take the call, a redirect would lead it anywhere, a signal would interrupt another thread, and a
 * hanging resolver would hold up the caller after the timeout. False: memory.
 */
bool client_set_guards(void *easy);

#endif
