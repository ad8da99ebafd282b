/*
 * admin: the control plane: an HTTP server on a port of its own, on libmicrohttpd, in a thread of
 * its own. The data plane does not notice it: what it reads of workers they have stored for it, or
 * are asked for between two turns of their loops.
 *
 * Only gateway_run() starts and stops it, as adit.json's "admin" says. On a loopback address it
 * answers whoever names that address (no other Host, no foreign Origin); on any other one, and
 * wherever there is a token, whoever has the token. Each connection carries one request.
 */
#ifndef ADIT_ADMIN_H
#define ADIT_ADMIN_H

#include "adit/gateway.h"

/* What a client can make grow. */
enum {
  ADMIN_CONNECTIONS_MAX = 128,            /* then the oldest whose request has not come gives way */
  ADMIN_CONNECTIONS_PER_ADDRESS_MAX = 32, /* where it is no loopback address */
  ADMIN_HEAD_BYTES_MAX = 16 << 10,        /* of a request */
  ADMIN_BODY_BYTES_MAX = 256 << 10,
  ADMIN_ANSWER_BYTES_MAX = 64 << 20,
  ADMIN_REQUEST_MS = 5000, /* for a whole request to come */
  ADMIN_ANSWER_MS = 30000  /* for its answer to be taken */
};

/* What each of its answers has in the field Server, so that `adit ctl` knows whom it has asked. */
#define ADMIN_SERVER_NAME "adit-admin"

extern const struct gateway_admin admin_server;

#endif
