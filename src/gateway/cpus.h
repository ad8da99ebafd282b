/*
 * cpus: how many processors this process may use.
 */
#ifndef ADIT_GATEWAY_CPUS_H
#define ADIT_GATEWAY_CPUS_H

/* By the affinity mask and the cgroup's quota (version 2, or version 1), rounded up; at least 1. */
unsigned cpus_usable(void);

#endif
