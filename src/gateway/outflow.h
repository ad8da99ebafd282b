/*
 * outflow: how fast a peer takes what is sent to it (timeouts.body, limits.body_rate).
 *
 * What it took is what was sent and is not in the kernel's hands any more: a socket of megabytes
 * takes long to be writable again, however well its peer reads, and it takes the whole of a
 * response that nobody reads. To ask the kernel costs a system call, so it is asked when a window
 * of time is over, or when it has no room for more.
 *
 * A peer is slow when bytes waited for it during the whole of a window, and it took less than the
 * share that is asked of it.
 */
#ifndef ADIT_GATEWAY_OUTFLOW_H
#define ADIT_GATEWAY_OUTFLOW_H

#include "adit/config.h"
#include "adit/transport.h"

struct outflow {
  uint64_t sent_bytes;      /* since the connection began */
  uint64_t taken_bytes;     /* of these, as far as known when the window began */
  uint64_t caught_up_bytes; /* a peer that took so many of them had everything at some time in the
                               window; OUTFLOW_BEHIND: it never had */
  int64_t deadline_ms;      /* of the window; 0: there is none, as nothing waits for the peer */
};

#define OUTFLOW_BEHIND UINT64_MAX

/* Bytes that timeouts.body is enough for, at least 1. */
uint64_t outflow_share(const struct config *config);
/* Asks the kernel how many of the bytes sent the peer has taken. */
uint64_t outflow_taken(const struct outflow *outflow, const struct transport *transport);

/* All that we hold was sent, so that the kernel has it: a window that would be over at
 * `deadline_ms` begins, unless one is running or nothing was sent. True: it began. */
bool outflow_emptied(struct outflow *outflow, int64_t deadline_ms);
/* The kernel has no room: the same, and from what the peer has taken now. */
bool outflow_blocked(struct outflow *outflow, const struct transport *transport,
                     int64_t deadline_ms);

/* Our end was sent behind everything: the peer's kernel must have that too, and it counts as a byte
 * (in SIOCOUTQ, so that it must here). */
bool outflow_ended(struct outflow *outflow, int64_t deadline_ms);

/* What a window that is over says. But for OUTFLOW_SLOW, the next is set (or none). */
enum outflow_verdict {
  OUTFLOW_DONE,    /* the peer has taken everything */
  OUTFLOW_GOES_ON, /* it is fast enough */
  OUTFLOW_SLOW
};
/* `holds`: we have more for the peer than what was sent. */
enum outflow_verdict outflow_judge(struct outflow *outflow, const struct transport *transport,
                                   bool holds, uint64_t share, int64_t next_deadline_ms);

#endif
