/*
 * gate: where connections wait until the head of their request is whole; private to src/admin.
 *
 * Heads are looked at in the socket, and stay in it: what is right is libmicrohttpd's to read, what
 * is wrong is answered here, with a reason. libmicrohttpd 0.9.75 would answer a request without
 * Host, or with a Content-Length that is no number, by two heads, others by a page of HTML, and an
 * unknown transfer coding not at all.
 *
 * Whoever has not sent a whole head gives way to whoever comes: connections that say nothing cannot
 * keep a probe of /healthz out.
 */
#ifndef ADIT_ADMIN_GATE_H
#define ADIT_ADMIN_GATE_H

#include <stdbool.h>
#include <stdint.h>

struct admin;
struct gate;

/* Takes over the listening socket (non-blocking), in any case. NULL: memory, or descriptors. */
struct gate *gate_new(struct admin *admin, int listener);
/* Closes everything that waits, and the listening socket. */
void gate_free(struct gate **gate);

/* Readable when gate_run() has something to do. */
int gate_descriptor(const struct gate *gate);
/* When it has, whatever happens; INT64_MAX: never. */
int64_t gate_deadline_ms(const struct gate *gate);
/* Accepts, looks at what has come, and hands whole heads over to admin->daemon, which is to be run
 * next. */
void gate_run(struct gate *gate);
/* Of a connection that was handed over in this turn: until when it has time for its whole request,
 * and whether it has come already. */
int64_t gate_deadline_of(const struct gate *gate, int fd, bool *ret_whole);
/* Accepts no more: closes the listening socket. */
void gate_leave(struct gate *gate);

#endif
