/*
 * inherited: listening sockets that a service manager has bound for us, as sd_listen_fds(3) has it:
 * LISTEN_PID is this process, LISTEN_FDS the number of descriptors, of which the first is 3.
 *
 * So a port below 1024 needs no right of ours, and connections wait in the socket's queue while the
 * service is restarted. They belong to the `listen` that has their very address.
 */
#ifndef ADIT_GATEWAY_INHERITED_H
#define ADIT_GATEWAY_INHERITED_H

#include <sys/socket.h>

#include "adit/ip.h"

struct inherited_socket {
  int fd; /* -1: taken */
  struct sockaddr_storage address;
  socklen_t length;
};

struct inherited {
  struct inherited_socket *sockets;
  size_t count;
};

/*
 * Finds out what was handed over, and removes the variables, which mean this process only. False:
 * what LISTEN_FDS announces is not there, or no listening TCP socket; logged. To be deinitialised
 * in either case.
 */
bool inherited_init(struct inherited *inherited);
/* Closes what is not taken. */
void inherited_deinit(struct inherited *inherited);
/* The socket that is bound to this address, non-blocking and closed on exec; it is the caller's
 * from now on. -1: none. */
int inherited_take(struct inherited *inherited, const struct ip_address *ip, uint16_t port);
/* False: some are left over, whose clients would never be answered; logged. */
bool inherited_all_taken(const struct inherited *inherited);

#endif
