/*
 * guard: who may ask the admin server. Pure.
 *
 * A page in a browser on this machine can reach a loopback address, too: it is told by its Origin,
 * and by the Host when a name of its own was made to point here (DNS rebinding). Elsewhere the
 * token tells. What could be read in two ways by libmicrohttpd and somebody before it is refused.
 */
#ifndef ADIT_ADMIN_GUARD_H
#define ADIT_ADMIN_GUARD_H

#include "adit/str.h"

/* What it goes by of a request's fields. Zero-initialise; then guard_note() each field. */
struct guard_head {
  struct str host, origin, authorization, content_length; /* p == NULL: none */
  unsigned hosts, origins, authorizations, content_lengths, transfer_encodings;
};
void guard_note(struct guard_head *head, struct str name, struct str value);

enum guard_verdict {
  GUARD_PASSES,
  GUARD_AMBIGUOUS,      /* a field twice, or lengths that contradict each other */
  GUARD_FOREIGN_HOST,   /* not the name of a loopback address */
  GUARD_FOREIGN_ORIGIN, /* of a page from elsewhere */
  GUARD_NO_TOKEN,       /* a token is wanted, and none or another one was given */
  GUARD_CLOSED          /* a token is wanted, and adit.json has none any more */
};
/* `loopback`: of the address that is served on. `token`: adit.json's, p == NULL: none. */
enum guard_verdict guard_check(const struct guard_head *head, bool loopback, struct str token);

#endif
