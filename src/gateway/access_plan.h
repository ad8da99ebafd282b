/*
 * access_plan: what lines of the access log say of requests under one policy: which attributes, and
 * what of them is hashed. Made when a policy is taken over, so that a request asks no names.
 */
#ifndef ADIT_GATEWAY_ACCESS_PLAN_H
#define ADIT_GATEWAY_ACCESS_PLAN_H

#include "adit/policy.h"

/* Fields of a line that would show what is to be hashed, and are hashed themselves. */
enum access_hides {
  ACCESS_HIDES_CLIENT_IP = 1,
  ACCESS_HIDES_HOST = 2,
  ACCESS_HIDES_PATH = 4,
  ACCESS_HIDES_QUERY = 8,
  ACCESS_HIDES_USER_AGENT = 16,
  ACCESS_HIDES_REFERER = 32,
  ACCESS_HIDES_REQUEST_ID = 64,
  ACCESS_HIDES_ALL = 127
};

/* An attribute that other fields of a line do not give. */
struct access_planned {
  uint16_t slot;
  bool hashed;
  bool only_read; /* reading it may ask a directory: only the decision does */
};

struct access_route_plan {
  const struct access_planned *items; /* in order of slots */
  size_t n;
};

struct access_plan {
  unsigned hides;                         /* of enum access_hides */
  const struct access_route_plan *routes; /* by policy_route_number(); NULL: lines have none */
};

/* In `arena`, which must be freed before the policy is. NULL: memory. */
const struct access_plan *access_plan_new(struct arena *arena, const struct policy *policy,
                                          const struct config_access_log *options);

#endif
