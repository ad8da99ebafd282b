/* What plan.c and routing.c share. */
#ifndef ADIT_IMPORT_PLAN_PRIVATE_H
#define ADIT_IMPORT_PLAN_PRIVATE_H

#include "plan.h"

struct str_set;

/* One host and prefix, who has it, and the canary beside it. */
struct claim {
  struct plan_ingress *main, *canary;
  const struct manifest_path *path, *canary_path;
  struct str prefix;
  size_t upstream, canary_upstream;
  size_t route; /* of the plan's, once it is made */
};

struct planner {
  struct manifests *manifests;
  struct plan *plan;
  struct arena *arena;
  struct str_set *services;  /* namespace, name */
  struct str_set *upstreams; /* namespace, service, port */
  struct str_set *upstream_names, *route_names;
  struct str_set *places;       /* host, prefix → claim */
  struct str_set *exact_places; /* host, path as written, type → claim */
  struct str_set *routes;       /* what claims of one route have in common → route */
  VEC(struct claim) claims;
};

/* A key of several parts. p == NULL: memory. */
struct str plan_key(const struct planner *planner, const struct str *parts, size_t n);
#define PLAN_KEY(planner, ...)                           \
  plan_key((planner), (const struct str[]){__VA_ARGS__}, \
           sizeof((const struct str[]){__VA_ARGS__}) / sizeof(struct str))

/*
 * A name of the contract that is not in `taken`, and adds it: the first of `candidates` that is
 * new, else the last, marked by a hash of `identity`, which is of nothing else. p == NULL: memory.
 */
struct str plan_choose_name(struct arena *arena, struct str_set *taken,
                            const struct str *candidates, size_t n, struct str identity);

/* False: memory. */
bool plan_index_services(struct planner *planner) __attribute__((warn_unused_result));
/* The upstream of a backend, made when it is new. STR_SET_NONE: there can be none, and that was
 * said; or memory (arena_failed). */
size_t plan_find_upstream(struct planner *planner, struct manifest_ingress *ingress,
                          const struct manifest_backend *backend);
/* Gives an upstream the timeouts of an Ingress that uses it: of several it has the longest. */
void plan_grant(struct planner *planner, size_t upstream, struct plan_ingress *main);

/* As manifest_lose, for what is lost of one route only. */
void plan_lose(struct planner *planner, const struct claim *claim, const char *format, ...)
    __attribute__((format(printf, 3, 4)));

/* Says where requests go elsewhere than under ingress-nginx. False: memory. */
bool plan_compare_routing(struct planner *planner) __attribute__((warn_unused_result));

#endif
