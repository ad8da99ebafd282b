/*
 * maglev: which member of a pool a key belongs to, by a table as in Google's Maglev (Eisenbud et
 * al., NSDI 2016): every member has its own order of the table's places, and they take places in
 * turn until none is left. So each has as many as it weighs, and when one goes hardly a place of
 * the others changes hands.
 *
 * A table depends on its members and weights and on nothing else: every worker, and every other
 * Adit, has the same. The workers of a process share one; it is counted, and nobody changes it.
 */
#ifndef ADIT_UPSTREAM_MAGLEV_H
#define ADIT_UPSTREAM_MAGLEV_H

#include "adit/str.h"

/* The number of places, always: with another one nearly every key would belong to another member.
 * A prime, so that any step from place to place visits them all. */
enum { MAGLEV_PLACES = 65537, MAGLEV_MEMBERS_MAX = 65535 };

struct maglev;

struct maglev_member {
  uint64_t id;
  uint64_t weight;
};

/* What a member is known by: a hash of its address as text. */
uint64_t maglev_id(struct str text);

/*
 * The table of members in an order that is the same for all who ask; those beyond
 * MAGLEV_MEMBERS_MAX get no place. `turns` are indices of members, each as often as it weighs, in
 * the order in which they take places; NULL: each once. Must follow from the members alone. Takes a
 * lock; when nobody has the same table it is made, which takes some milliseconds. With a reference;
 * NULL: memory. Thread-safe, as is the release.
 */
struct maglev *maglev_get(const struct maglev_member *members, size_t n, const uint32_t *turns,
                          size_t turn_count) __attribute__((warn_unused_result));
void maglev_unref(struct maglev **table);

/* The index of the member that a key belongs to; with `nth` > 0 of one that it belongs to when
 * those before are not to be had, which may be one of them again. */
size_t maglev_find(const struct maglev *table, uint64_t key, unsigned nth);

/* How many tables there are, for tests. */
size_t maglev_count(void);

#endif
