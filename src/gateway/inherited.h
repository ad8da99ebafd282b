/*
 * inherited: listening sockets that were bound before this process began. They belong to the
 * `listen` that has their very address.
 *
 * By a service manager, as sd_listen_fds(3) has it: LISTEN_PID is this process, LISTEN_FDS the
 * number of descriptors, of which the first is 3. So a port below 1024 needs no right of ours, and
 * connections wait in the socket's queue while the service is restarted.
 *
 * Or by the gateway whose successor this one is (handover.h). Of such an address there may be
 * several sockets, and all of them have to be served: connections wait in the queue of each, and
 * would be lost with it.
 */
#ifndef ADIT_GATEWAY_INHERITED_H
#define ADIT_GATEWAY_INHERITED_H

#include <sys/socket.h>

#include "adit/ip.h"
#include "handover.h"

struct inherited_socket {
  int fd;        /* -1: taken */
  bool is_admin; /* of the gateway before this one */
  struct sockaddr_storage address;
  socklen_t length;
};

struct inherited {
  struct inherited_socket *sockets;
  size_t count;
  bool from_gateway; /* the one before this one */
};

/*
 * Finds out what was handed over, and removes the variables, which mean this process only. False:
 * what LISTEN_FDS or `handover` announces is not there, or no listening TCP socket; logged. To be
 * deinitialised in either case.
 */
bool inherited_init(struct inherited *inherited, const struct handover *handover);
/* Closes what is not taken. */
void inherited_deinit(struct inherited *inherited);
/*
 * A socket that is bound to this address, non-blocking and closed on exec; it is the caller's from
 * now on. -1: none, or none any more. Port 0 has any that the gateway before this one had for the
 * same use: ask for it last.
 */
int inherited_take(struct inherited *inherited, const struct ip_address *ip, uint16_t port,
                   bool admin);
/* What is left over. Of the gateway before this one: an address that is not listened on any more,
 * where that gateway serves who waits; logged. Of a service manager: clients would never be
 * answered, so it is false; logged. */
bool inherited_all_taken(const struct inherited *inherited);

#endif
