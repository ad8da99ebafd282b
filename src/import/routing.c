/*
 * routing: where the same requests would go elsewhere than under ingress-nginx.
 *
 * Adit looks for the route among all whose host and path fit; nginx finds the host first, and then
 * a path of that host only. And ingress-nginx hangs a canary on the main *service*, so that it
 * counts wherever that service is used.
 */
#include "adit/hash.h"
#include "plan_private.h"

/* ---- hosts ----------------------------------------------------------------------------------- */

static bool index_hosts(struct planner *planner) {
  struct str_set *hosts = str_set_new(planner->arena, planner->claims.n);
  planner->plan->hosts = hosts;
  if (!hosts) return false;
  for (size_t i = 0; i < planner->claims.n; i++) {
    (void)str_set_add(hosts, planner->claims.items[i].path->host, i);
  }
  return true;
}

/* The next less specific host that has routes: of a.b.c *.b.c, then *.c, then any (""). False:
 * there is none. */
static bool find_wider(const struct str_set *hosts, struct str host, char *buffer,
                       struct str *ret) {
  struct str rest = str_starts_with(host, STR("*.")) ? str_skip(host, 2) : host;
  for (size_t dot; (dot = str_find_char(rest, '.', 0)) < rest.n; rest = str_skip(rest, dot + 1)) {
    struct str suffix = str_skip(rest, dot);
    buffer[0] = '*';
    memcpy(buffer + 1, suffix.p, suffix.n);
    *ret = str_make(buffer, suffix.n + 1);
    if (str_set_find(hosts, *ret) != STR_SET_NONE) return true;
  }
  *ret = STR("");
  return str_set_find(hosts, *ret) != STR_SET_NONE;
}

static bool compare_host(struct planner *planner, const struct claim *claim) {
  char buffer[256];
  struct str wider, host = claim->path->host;
  struct str key = PLAN_KEY(planner, host, STR("/"));
  if (!key.p) return false;
  if (str_set_find(planner->places, key) != STR_SET_NONE) return true;
  if (!find_wider(planner->plan->hosts, host, buffer, &wider)) return true;
  plan_lose(planner, claim,
            "host '%.*s' has no path '/': other requests for it go on to the routes of %s%.*s "
            "here, and to the default backend under ingress-nginx",
            STR_ARG(host), wider.n > 0 ? "host " : "any host", STR_ARG(wider));
  return true;
}

/* ---- services -------------------------------------------------------------------------------- */

static void compare_spread(struct planner *planner, const struct claim *claim,
                           const struct claim *owner) {
  struct plan_route *route = &planner->plan->routes.items[claim->route];
  if (!owner || claim->canary == owner->canary || route->spread_said) return;
  route->spread_said = true;
  plan_lose(planner, claim,
            "its service has the canary '%.*s' at %.*s%.*s, which ingress-nginx uses here, too; "
            "this route has %s",
            STR_ARG(owner->canary->ingress->name), STR_ARG(owner->path->host),
            STR_ARG(owner->path->path), claim->canary ? "its own" : "none");
}

/* Of several canaries beside one service ingress-nginx takes that of the oldest Ingress. */
static bool compare_services(struct planner *planner) {
  size_t n = planner->claims.n;
  const struct claim **first =
      ARENA_ARRAY(planner->arena, const struct claim *, planner->plan->upstreams.n);
  if (!first) return false;
  for (size_t i = 0; i < n; i++) {
    const struct claim *claim = &planner->claims.items[i];
    if (claim->canary &&
        (!first[claim->upstream] || claim->canary < first[claim->upstream]->canary)) {
      first[claim->upstream] = claim;
    }
  }
  for (size_t i = 0; i < n; i++) {
    const struct claim *claim = &planner->claims.items[i];
    compare_spread(planner, claim, first[claim->upstream]);
  }
  return true;
}

bool plan_compare_routing(struct planner *planner) {
  if (!index_hosts(planner)) return false;
  for (size_t i = 0; i < planner->claims.n; i++) {
    const struct claim *claim = &planner->claims.items[i];
    bool first = str_set_find(planner->plan->hosts, claim->path->host) == i;
    if (first && claim->path->host.n > 0 && !compare_host(planner, claim)) return false;
  }
  return compare_services(planner);
}
