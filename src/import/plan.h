/*
 * plan: which routes and upstreams there will be; private to src/import.
 *
 * A route is what a product team has in mind: some hosts, one path prefix, the service behind it
 * and the canary beside it. Paths of one Ingress that differ in the host only are one route.
 */
#ifndef ADIT_IMPORT_PLAN_H
#define ADIT_IMPORT_PLAN_H

#include "annotations.h"

struct str_set;

struct plan_ingress {
  struct manifest_ingress *ingress;
  struct annotations annotations;
  size_t routes; /* how many are made of it */
};

struct plan_upstream {
  struct str name;
  struct str service, namespace_, port; /* the port's number */
  uint32_t connect_s, read_s;           /* 0: no route uses it */
  struct diag_place at;                 /* the backend that named it first */
};

struct plan_route {
  struct str name;
  struct plan_ingress *main;
  struct plan_ingress *canary; /* NULL: none */
  VEC(struct str) hosts;       /* empty: any */
  struct str prefix;
  size_t stable_upstream, canary_upstream; /* of the plan's */
  struct diag_place at;                    /* of the first path */
  struct diag_place canary_at;             /* of the canary's */
  VEC(struct manifest_loss) losses;        /* of this route alone */
  bool spread_said;                        /* that ingress-nginx would use another's canary here */
};

struct plan {
  struct plan_ingress *ingresses;
  size_t ingress_count;
  VEC(struct plan_upstream) upstreams;
  VEC(struct plan_route) routes;
  struct str_set *hosts; /* all that have a route, wildcards as they are written */
};

/* Whether a canary that was drawn is remembered: the main Ingress has session affinity, and the
 * canary follows it. */
bool plan_is_sticky(const struct plan_route *route);

/* Makes the plan. False: memory. Mistakes that leave something out are said with manifest_lose. */
bool plan_make(struct manifests *manifests, const char *class_name, struct plan *ret)
    __attribute__((warn_unused_result));

#endif
