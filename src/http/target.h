/*
 * target: forms of the request target. Inside of http only.
 */
#ifndef ADIT_HTTP_TARGET_H
#define ADIT_HTTP_TARGET_H

#include "adit/http.h"

/*
 * Takes ret->target apart for ret->method_id (RFC 9112 3.2): form, origin, raw_path, query, and of
 * absolute and authority form also authority and host. False: 400.
 */
bool http_target_parse(struct http_request *ret) __attribute__((warn_unused_result));

/* A host without one trailing dot. */
struct str http_target_host(struct str host);

#endif
