/*
 * access_line: one request as a line of the access log. Pure, but that it keeps its memory.
 *
 * docs/operations.md says what each member means.
 */
#ifndef ADIT_GATEWAY_ACCESS_LINE_H
#define ADIT_GATEWAY_ACCESS_LINE_H

#include "access_attributes.h"
#include "access_plan.h"
#include "adit/http.h"
#include "adit/ip.h"

/* Of a value that whoever asks has chosen, no more than so many bytes go into a line. */
enum { ACCESS_VALUE_BYTES_MAX = 8192, ACCESS_LINE_BYTES_MAX = 512 * 1024 };

/* How an exchange has ended. */
enum access_end {
  ACCESS_COMPLETE,    /* the whole answer was given to the connection */
  ACCESS_CUT,         /* it had begun and could not be completed */
  ACCESS_CLIENT_GONE, /* the client left, or was given up */
  ACCESS_STOPPED      /* the gateway stopped */
};

/* What a line says of the request; views. All absent (p == NULL): its head could not be read. */
struct access_request {
  struct str method;
  struct str target;
  struct str host;
  struct str path;
  struct str query;
  struct str user_agent;
  struct str referer;
  struct str request_id; /* that came with it */
  struct str trace_id;   /* likewise, of a traceparent that is good */
  int version_minor;
};
/* Views of `request`. */
void access_request_read(const struct http_request *request, struct access_request *ret);
/* A copy in one piece of memory, to be freed with free(). NULL: memory. */
struct access_request *access_request_copy(const struct access_request *request);

/* What was decided, before anything happened to it. */
struct access_decision {
  int64_t now_ms; /* what the decision took as now */
  struct str cookie, pin, variant, reason;
  struct str override;   /* the state that an override gave the route; p == NULL: none did */
  struct str attributes; /* an object in JSON; p == NULL: nobody knows what was looked at */
  bool left_out;         /* some of them */
};

/* Absent views and numbers below 0 become null. */
struct access_entry {
  int64_t began_ms; /* wall clock */
  struct ip_address client_ip;
  struct access_request request;
  bool https;
  int status; /* 0: no answer has begun */
  enum access_end end;
  int64_t bytes_received; /* of the request's body */
  int64_t bytes_sent;     /* of the answer's */
  int64_t duration_us, first_byte_us, connect_us;
  struct str upstream, endpoint;
  unsigned retries;
  struct str route, variant, rule, reason;
  int bucket;
  struct str request_id;                  /* the one that was made for it; p == NULL: none */
  struct str trace_id;                    /* the one that the endpoint got; p == NULL: none */
  struct str error;                       /* what an answer of our own says */
  struct str config;                      /* the hash of the configuration */
  unsigned hides;                         /* of enum access_hides: these fields are hashed */
  const struct access_decision *decision; /* NULL: there was none */
};

/* What a line is made in, and the last second as text. */
struct access_line {
  struct text text;
  struct hmac *hmac; /* for what is hashed */
  enum config_log_format format;
  bool has_decision; /* in JSON */
  int64_t second;
  char date[32];
};
/* Takes all memory that a line can need; `key` is for hashes. False: there is none; deinit in any
 * case. */
bool access_line_init(struct access_line *line, const struct config_access_log *config,
                      struct str key) __attribute__((warn_unused_result));
void access_line_deinit(struct access_line *line);
/* The line with its end, until the next is made; nothing else may be in its text meanwhile.
 * Allocates nothing. */
struct str access_line_make(struct access_line *line, const struct access_entry *entry);

#endif
