/*
 * peers: how many connections each client address has, of one worker.
 *
 * A table of fixed size, made once: it has room for every connection that the worker may have, so
 * no flood fills it, and counting allocates nothing. Its hash has a random key, so nobody can
 * choose addresses that collide. An IPv6 host commonly has a /64 of its own and all the addresses
 * in it: they count as one.
 */
#ifndef ADIT_GATEWAY_PEERS_H
#define ADIT_GATEWAY_PEERS_H

#include "adit/ip.h"

struct peers;

/* Room for `connections`. NULL: memory, or no random key. */
struct peers *peers_new(size_t connections);
void peers_free(struct peers **peers);

/* Counts one more of this address unless it has `limit` already: false then. There are never more
 * than `connections` counted. */
bool peers_add(struct peers *peers, const struct ip_address *ip, unsigned limit);
/* One that was counted has ended. */
void peers_remove(struct peers *peers, const struct ip_address *ip);

#endif
