/*
 * peers: open addressing with linear probing, at most half full. An entry whose count is 0 is free:
 * what stands behind it in its run moves up, so that there are no graves to be probed over.
 */
#include "peers.h"

#include <assert.h>
#include <stdlib.h>

#include "adit/crypto.h"
#include "adit/hash.h"

struct entry {
  struct ip_address network;
  uint32_t count;
};

struct peers {
  uint64_t key[2];
  size_t mask;
  struct entry *entries;
};

struct peers *peers_new(size_t connections) {
  size_t slots = 16;
  while (slots / 2 < connections) slots *= 2;
  struct peers *peers = calloc(1, sizeof(*peers));
  if (!peers) return NULL;
  peers->mask = slots - 1;
  peers->entries =
      calloc(slots, sizeof(struct entry)); /* the system gives pages as they are used */
  if (!peers->entries || !crypto_random(peers->key, sizeof(peers->key))) peers_free(&peers);
  return peers;
}

void peers_free(struct peers **peers) {
  struct peers *gone = *peers;
  *peers = NULL;
  if (!gone) return;
  free(gone->entries);
  free(gone);
}

static struct ip_address network_of(const struct ip_address *ip) {
  struct ip_address network = *ip;
  if (!ip_is_v4(ip)) memset(network.bytes + 8, 0, 8);
  return network;
}

static size_t home_of(const struct peers *peers, const struct ip_address *network) {
  return (size_t)siphash_2_4(peers->key, network->bytes, sizeof(network->bytes)) & peers->mask;
}

/* Where the network's entry is, or the free one where it would go. */
static size_t find(const struct peers *peers, const struct ip_address *network) {
  size_t i = home_of(peers, network);
  while (peers->entries[i].count != 0 && !ip_eq(&peers->entries[i].network, network))
    i = (i + 1) & peers->mask;
  return i;
}

bool peers_add(struct peers *peers, const struct ip_address *ip, unsigned limit) {
  struct ip_address network = network_of(ip);
  struct entry *entry = &peers->entries[find(peers, &network)];
  if (entry->count >= limit) return false;
  entry->network = network;
  entry->count++;
  return true;
}

/* Fills the gap at `i` with what would not be found over it. */
static void close_gap(struct peers *peers, size_t i) {
  size_t gap = i;
  for (;;) {
    i = (i + 1) & peers->mask;
    if (peers->entries[i].count == 0) return;
    size_t home = home_of(peers, &peers->entries[i].network);
    if (((i - home) & peers->mask) < ((i - gap) & peers->mask))
      continue; /* begins behind the gap */
    peers->entries[gap] = peers->entries[i];
    peers->entries[i].count = 0;
    gap = i;
  }
}

void peers_remove(struct peers *peers, const struct ip_address *ip) {
  struct ip_address network = network_of(ip);
  size_t i = find(peers, &network);
  assert(peers->entries[i].count > 0);
  if (--peers->entries[i].count == 0) close_gap(peers, i);
}
