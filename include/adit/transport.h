/*
 * transport: bytes over a connected socket, edge-triggered.
 *
 * The seam where TLS comes in: codecs above it see bytes in and bytes out. A transport remembers
 * whether reading or writing may make progress, so that nobody asks the kernel in vain:
 * `readable` and `writable` are set by an event of the loop and cleared when the kernel had no
 * more.
 */
#ifndef ADIT_TRANSPORT_H
#define ADIT_TRANSPORT_H

#include <sys/types.h>
#include <sys/uio.h>

#include "adit/str.h"

enum transport_result {
  TRANSPORT_OK,    /* *ret_n > 0 bytes were moved */
  TRANSPORT_WAIT,  /* nothing can be moved until the next event */
  TRANSPORT_END,   /* reading: the peer has ended its side */
  TRANSPORT_FAILED /* the connection is broken; transport->error says why */
};

struct transport_ops;

struct transport {
  const struct transport_ops *ops;
  int fd;    /* -1: closed */
  int error; /* errno of a failure */
  bool readable;
  bool writable;
  bool peer_ended; /* the end is known to stand behind what is still to be read */
};

struct transport_ops {
  enum transport_result (*recv)(struct transport *transport, char *buffer, size_t n, size_t *ret_n);
  enum transport_result (*send)(struct transport *transport, const char *data, size_t n,
                                size_t *ret_n);
  void (*shutdown_write)(struct transport *transport);
  void (*close)(struct transport *transport);
};

/* A plain socket: connected, or connecting; non-blocking. Takes the descriptor over. */
void transport_init_plain(struct transport *transport, int fd);

static inline enum transport_result transport_recv(struct transport *transport, char *buffer,
                                                   size_t n, size_t *ret_n) {
  return transport->ops->recv(transport, buffer, n, ret_n);
}

static inline enum transport_result transport_send(struct transport *transport, const char *data,
                                                   size_t n, size_t *ret_n) {
  return transport->ops->send(transport, data, n, ret_n);
}

/* Ends our side of the stream: the peer reads an end, and may go on sending. */
static inline void transport_shutdown_write(struct transport *transport) {
  transport->ops->shutdown_write(transport);
}

/* Bytes that were sent and that the peer has not acknowledged; 0 when there is no connection. */
size_t transport_queued(const struct transport *transport);

/* Closes the descriptor. A closed transport may be closed again. */
static inline void transport_close(struct transport *transport) {
  transport->ops->close(transport);
}

/* Closes so that the peer sees a reset and not a clean end: for a message that was cut. */
void transport_reset(struct transport *transport);

/* Takes what epoll reported (EPOLLIN, EPOLLOUT, EPOLLRDHUP, EPOLLERR, EPOLLHUP) into the flags. */
void transport_note_events(struct transport *transport, uint32_t events);

#endif
