/*
 * listeners: the sockets on which clients connect, opened before any worker runs.
 *
 * Each worker has a socket of its own for each address (SO_REUSEPORT): the kernel spreads
 * connections over them, and workers share no queue. Only where the address is bound already
 * (inherited.h) there may be fewer sockets than workers, which then have descriptors of one, or
 * more, of which a worker then has several.
 */
#ifndef ADIT_GATEWAY_LISTENERS_H
#define ADIT_GATEWAY_LISTENERS_H

#include <sys/socket.h>

#include "adit/config.h"
#include "inherited.h"

/* One worker's descriptor for one address. */
struct listening {
  int fd;      /* non-blocking, closed on exec; -1: none, or taken over by a worker */
  bool shared; /* other workers take from the same queue */
  bool copy;   /* of another worker's descriptor */
};

struct listeners {
  struct listening *items; /* worker w's: per_worker of them from [w * per_worker] on */
  uint16_t *ports;         /* as config->listens; what the kernel has chosen for 0 */
  size_t per_worker;
  unsigned worker_count;
};

/* Listens on every address of `config`, with what is inherited for it. False: logged, and nothing
 * is left open. */
bool listeners_open(struct listeners *listeners, const struct config *config, unsigned workers,
                    struct inherited *inherited);
/* Closes what no worker has taken over. */
void listeners_close(struct listeners *listeners);

/* A non-blocking socket that nobody shares, closed on exec; the caller's. -1: logged. */
int listener_open_alone(const struct config_listen *listen_at);
/* The port of a listening socket; 0: it has none. */
uint16_t listener_port(int fd);
/* An address as the kernel has it; returns its length. */
socklen_t socket_address(const struct ip_address *ip, uint16_t port, struct sockaddr_storage *ret);

#endif
