/*
 * upgrade: which change of protocol is asked for, offered, and accepted (RFC 9110 7.8). Pure.
 *
 * Behind a 101 the connection is a tunnel that no rule looks into. So only protocols that the
 * configuration allows are offered to an origin, and only a 101 that accepts just that opens one.
 */
#ifndef ADIT_GATEWAY_UPGRADE_H
#define ADIT_GATEWAY_UPGRADE_H

#include "adit/config.h"
#include "adit/http.h"

/*
 * The protocol of a request that is to be offered: the first in its Upgrade fields that is allowed,
 * as it stands there; n == 0: none. A request with content offers none, and "websocket" is offered
 * only by a GET with one Sec-WebSocket-Key as RFC 6455 4.1 has it. To be asked before hop-by-hop
 * fields are removed.
 */
struct str upgrade_offer(const struct config *config, const struct http_request *request);

/*
 * Why a 101 does not open a tunnel for `offer`, or NULL when it does: it must name that protocol
 * alone, and accept the key of a websocket (RFC 6455 4.2.2), which an origin that was only brought
 * to echo a 101 does not.
 */
const char *upgrade_refusal(struct str offer, const struct http_request *request,
                            const struct http_response *response);

/* The protocol that a 426 asks for, when it is one that could have been offered; n == 0: none. */
struct str upgrade_wanted(const struct config *config, const struct http_response *response);

#endif
