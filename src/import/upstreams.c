/*
 * upstreams: the services that routes need, and names for what is made.
 *
 * ingress-nginx asks the API for a Service's ports. Here they are known when the Service is in the
 * files; without it a number has to be the port's.
 */
#include <stdio.h>

#include "adit/hash.h"
#include "adit/json.h"
#include "plan_private.h"

/* ---- names ----------------------------------------------------------------------------------- */

enum { NAME_MAX_BYTES = 64, HASH_DIGITS = 8 };

/* `text` as one of the contract's names: other bytes become '-', and a long one is cut, or any when
 * `attempt` is not 0, and marked by what it is the name of. */
static struct str make_name(struct arena *arena, struct str text, struct str identity,
                            uint32_t attempt) {
  char *p = arena_alloc(arena, NAME_MAX_BYTES + 1);
  if (!p) return (struct str){0};
  bool marked = attempt > 0 || text.n > NAME_MAX_BYTES;
  struct str kept = marked ? str_take(text, NAME_MAX_BYTES - HASH_DIGITS - 1) : text;
  for (size_t i = 0; i < kept.n; i++) {
    p[i] = json_is_name(str_make(kept.p + i, 1)) ? kept.p[i] : '-';
  }
  if (!marked) return str_make(p, kept.n);
  snprintf(p + kept.n, HASH_DIGITS + 2, "-%08x", murmur3_x86_32(identity.p, identity.n, attempt));
  return str_make(p, kept.n + HASH_DIGITS + 1);
}

struct str plan_choose_name(struct arena *arena, struct str_set *taken,
                            const struct str *candidates, size_t n, struct str identity) {
  for (size_t i = 0; i < n; i++) {
    struct str name = make_name(arena, candidates[i], identity, 0);
    if (!name.p || str_set_add(taken, name, 0)) return name;
  }
  for (uint32_t attempt = 1;; attempt++) {
    struct str name = make_name(arena, candidates[n - 1], identity, attempt);
    if (!name.p || str_set_add(taken, name, 0)) return name;
  }
}

/* ---- upstreams ------------------------------------------------------------------------------- */

static bool is_number(struct str port, struct str *ret) {
  uint64_t number;
  *ret = port;
  return str_to_u64(port, 65535, &number) && number > 0;
}

static const struct manifest_service *find_service(const struct planner *planner,
                                                   struct str namespace_, struct str name) {
  struct str key = PLAN_KEY(planner, namespace_, name);
  size_t i = key.p ? str_set_find(planner->services, key) : STR_SET_NONE;
  return i == STR_SET_NONE ? NULL : &planner->manifests->services.items[i];
}

/*
 * The number of the Service's port, as ingress-nginx finds it: by number, target or name. Without
 * the Service a number stands for itself. False: it is not known; *ret_why says what is missing.
 */
static bool find_port(const struct planner *planner, const struct manifest_ingress *ingress,
                      const struct manifest_backend *backend, struct str *ret,
                      const char **ret_why) {
  const struct manifest_service *service =
      find_service(planner, ingress->namespace_, backend->service);
  for (size_t i = 0; service && i < service->ports.n; i++) {
    const struct manifest_port *port = &service->ports.items[i];
    bool named = str_eq(port->number, backend->port) || str_eq(port->target, backend->port) ||
                 str_eq(port->name, backend->port);
    if (named && is_number(port->number, ret)) return true;
  }
  *ret_why = service ? "the Service has no such port"
                     : "the Service is not in these files, so the port's number is not known: "
                       "import it with them";
  return !service && is_number(backend->port, ret);
}

size_t plan_find_upstream(struct planner *planner, struct manifest_ingress *ingress,
                          const struct manifest_backend *backend) {
  struct str port;
  const char *why;
  if (!backend->service.p) {
    manifest_lose(planner->manifests, ingress, backend->at,
                  "left out: the backend is a resource and not a Service");
    return STR_SET_NONE;
  }
  if (!find_port(planner, ingress, backend, &port, &why)) {
    manifest_lose(planner->manifests, ingress, backend->at, "left out: port '%.*s' of %.*s: %s",
                  STR_ARG(backend->port), STR_ARG(backend->service), why);
    return STR_SET_NONE;
  }
  struct str key = PLAN_KEY(planner, ingress->namespace_, backend->service, port);
  if (!key.p) return STR_SET_NONE;
  size_t i = str_set_find(planner->upstreams, key);
  if (i != STR_SET_NONE) return i;
  struct str wanted = arena_printf(planner->arena, "%.*s-%.*s-%.*s", STR_ARG(ingress->namespace_),
                                   STR_ARG(backend->service), STR_ARG(port));
  struct plan_upstream upstream = {.service = backend->service,
                                   .namespace_ = ingress->namespace_,
                                   .port = port,
                                   .at = backend->at};
  if (!wanted.p) return STR_SET_NONE;
  upstream.name = plan_choose_name(planner->arena, planner->upstream_names, &wanted, 1, key);
  if (!upstream.name.p || !VEC_PUSH(planner->arena, &planner->plan->upstreams, upstream)) {
    return STR_SET_NONE;
  }
  str_set_add(planner->upstreams, key, planner->plan->upstreams.n - 1);
  return planner->plan->upstreams.n - 1;
}

void plan_grant(struct planner *planner, size_t index, struct plan_ingress *main) {
  struct plan_upstream *upstream = &planner->plan->upstreams.items[index];
  uint32_t connect_s = main->annotations.connect_s, read_s = main->annotations.read_s;
  if (connect_s == 0) connect_s = INGRESS_NGINX_CONNECT_S;
  if (read_s == 0) read_s = INGRESS_NGINX_READ_S;
  if ((upstream->connect_s != 0 && upstream->connect_s != connect_s) ||
      (upstream->read_s != 0 && upstream->read_s != read_s)) {
    manifest_lose(planner->manifests, main->ingress, main->ingress->at,
                  "timeouts of service %.*s differ between Ingresses: it gets the longer ones",
                  STR_ARG(upstream->service));
  }
  if (connect_s > upstream->connect_s) upstream->connect_s = connect_s;
  if (read_s > upstream->read_s) upstream->read_s = read_s;
}

/* ---- services -------------------------------------------------------------------------------- */

bool plan_index_services(struct planner *planner) {
  struct manifests *manifests = planner->manifests;
  planner->services = str_set_new(planner->arena, manifests->services.n);
  if (!planner->services) return false;
  for (size_t i = 0; i < manifests->services.n; i++) {
    const struct manifest_service *service = &manifests->services.items[i];
    struct str key = PLAN_KEY(planner, service->namespace_, service->name);
    if (!key.p) return false;
    (void)str_set_add(planner->services, key, i);
  }
  return true;
}
