/*
 * trace_context: the field traceparent of W3C Trace Context, levels 1 and 2. Pure.
 *
 * The gateway makes no spans: a trace that came goes on as it is, its tracestate too; one that is
 * missing or malformed may be begun.
 */
#ifndef ADIT_GATEWAY_TRACE_CONTEXT_H
#define ADIT_GATEWAY_TRACE_CONTEXT_H

#include "adit/http.h"

enum { TRACE_ID_CHARS = 32, TRACEPARENT_CHARS = 55 };

/* The trace-id of a value. False: it is malformed, or of the version that never is. */
bool trace_context_parse(struct str value, struct str *ret_trace_id)
    __attribute__((warn_unused_result));
/* The trace-id that fields carry: there is one traceparent, and it is good. Else p == NULL. */
struct str trace_context_find(const struct http_field *fields, size_t n);

/* Writes the value that begins a trace, from random numbers. */
void trace_context_begin(const uint64_t random[3], bool sampled, char ret[TRACEPARENT_CHARS]);
/* The trace-id of a value that trace_context_begin() made. */
static inline struct str trace_context_id(const char value[TRACEPARENT_CHARS]) {
  return str_make(value + 3, TRACE_ID_CHARS);
}

#endif
