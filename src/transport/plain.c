#include <errno.h>
#include <linux/sockios.h>
#include <sys/epoll.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <unistd.h>

#include "adit/transport.h"

static enum transport_result plain_recv(struct transport *transport, char *buffer, size_t n,
                                        size_t *ret_n) {
  for (;;) {
    ssize_t got = recv(transport->fd, buffer, n, 0);
    if (got > 0) {
      *ret_n = (size_t)got;
      /* A short read means that the queue is empty (epoll(7)): the next event will say when it is
       * not, and one recv() a request is saved. An end that is known must still be read. */
      if ((size_t)got < n && !transport->peer_ended) transport->readable = false;
      return TRANSPORT_OK;
    }
    if (got == 0) {
      transport->peer_ended = true;
      transport->readable = false;
      return TRANSPORT_END;
    }
    if (errno == EINTR) continue;
    transport->readable = false;
    if (errno == EAGAIN || errno == EWOULDBLOCK) return TRANSPORT_WAIT;
    transport->error = errno;
    return TRANSPORT_FAILED;
  }
}

static enum transport_result plain_send(struct transport *transport, const char *data, size_t n,
                                        size_t *ret_n) {
  for (;;) {
    ssize_t sent = send(transport->fd, data, n, MSG_NOSIGNAL);
    if (sent >= 0) {
      *ret_n = (size_t)sent;
      if ((size_t)sent < n) transport->writable = false;
      return TRANSPORT_OK;
    }
    if (errno == EINTR) continue;
    transport->writable = false;
    if (errno == EAGAIN || errno == EWOULDBLOCK) return TRANSPORT_WAIT;
    transport->error = errno;
    return TRANSPORT_FAILED;
  }
}

static void plain_shutdown_write(struct transport *transport) {
  if (transport->fd >= 0) (void)shutdown(transport->fd, SHUT_WR);
}

static void plain_close(struct transport *transport) {
  if (transport->fd >= 0) (void)close(transport->fd);
  transport->fd = -1;
  transport->readable = false;
  transport->writable = false;
}

static const struct transport_ops plain_ops = {
    .recv = plain_recv,
    .send = plain_send,
    .shutdown_write = plain_shutdown_write,
    .close = plain_close,
};

void transport_init_plain(struct transport *transport, int fd) {
  *transport = (struct transport){.ops = &plain_ops, .fd = fd};
}

void transport_reset(struct transport *transport) {
  struct linger at_once = {.l_onoff = 1, .l_linger = 0};
  if (transport->fd >= 0)
    (void)setsockopt(transport->fd, SOL_SOCKET, SO_LINGER, &at_once, sizeof(at_once));
  transport_close(transport);
}

size_t transport_queued(const struct transport *transport) {
  int bytes = 0;
  if (transport->fd < 0 || ioctl(transport->fd, SIOCOUTQ, &bytes) != 0 || bytes < 0) return 0;
  return (size_t)bytes;
}

void transport_note_events(struct transport *transport, uint32_t events) {
  if (events & (EPOLLIN | EPOLLRDHUP | EPOLLHUP | EPOLLERR)) transport->readable = true;
  if (events & (EPOLLOUT | EPOLLHUP | EPOLLERR)) transport->writable = true;
  if (events & (EPOLLRDHUP | EPOLLHUP | EPOLLERR)) transport->peer_ended = true;
}
