/*
 * protected: the fields of a policy that no Connection may nominate away (contract §5): those that
 * force a variant and those that attributes are read from.
 */
#ifndef ADIT_GATEWAY_PROTECTED_H
#define ADIT_GATEWAY_PROTECTED_H

#include "adit/policy.h"

struct protected_names;

/* Collects the names once, so that a hostile Connection costs no walk over all routes. In `arena`;
 * NULL: memory. */
struct protected_names *protected_names_new(struct arena *arena, const struct policy *policy);
/* In any case. `context` is a struct protected_names, as forward_remove_hop_by_hop() passes it. */
bool protected_names_hold(void *context, struct str name);

#endif
