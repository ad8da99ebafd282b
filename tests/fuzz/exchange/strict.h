/*
 * strict: a second reader of HTTP/1.1, that shares nothing with src/http.
 *
 * It is slow and simple: a message is looked at as a whole, and anything that two readers could
 * take in two ways is bad. Where it takes more than the gateway does, nothing is lost: what the
 * gateway has sent on must be good here, and equal to what came.
 */
#ifndef ADIT_TESTS_FUZZ_STRICT_H
#define ADIT_TESTS_FUZZ_STRICT_H

#include <stdint.h>

#include "kernel.h"

enum { STRICT_FIELDS_MAX = 160 };

enum strict_verdict {
  STRICT_PART, /* good so far, or not to be known yet */
  STRICT_WHOLE,
  STRICT_BAD
};

struct strict_field {
  struct str name, value;
};

struct strict_fields {
  size_t n;
  struct strict_field items[STRICT_FIELDS_MAX];
};

enum strict_framing { STRICT_NONE, STRICT_LENGTH, STRICT_CHUNKED, STRICT_UNTIL_CLOSE };

struct strict_head {
  enum strict_verdict verdict;
  size_t n; /* bytes; WHOLE only, as all that follows */
  struct str method, target;
  int version_minor;
  int status; /* of a response */
  bool close; /* the connection ends after this message */
  enum strict_framing framing;
  uint64_t length;
  struct strict_fields fields;
};

struct strict_body {
  enum strict_verdict verdict;
  size_t n;                      /* bytes of input; WHOLE only */
  struct str data;               /* also of a part */
  struct bytes copy;             /* holds `data` where it is not a view of the input */
  struct strict_fields trailers; /* WHOLE only */
};

/* A request's head at the start of `input`; one empty line before it is skipped. */
void strict_read_request(struct str input, struct strict_head *ret);
/* A response's head, to a request of `method`. */
void strict_read_response(struct str input, struct str method, struct strict_head *ret);
/* The body behind a head. `ended`: nothing follows `input`, and the end was not a reset. */
void strict_read_body(const struct strict_head *head, struct str input, bool ended,
                      struct strict_body *ret);
void strict_body_free(struct strict_body *body);

/* The only field of the name; p == NULL: there is none, or there are several. */
struct str strict_field(const struct strict_fields *fields, const char *name);
size_t strict_field_count(const struct strict_fields *fields, const char *name);
/* Whether the list in the fields of that name has the element, in any case. */
bool strict_list_has(const struct strict_fields *fields, const char *name, struct str element);

#endif
