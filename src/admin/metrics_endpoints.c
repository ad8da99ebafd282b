/*
 * metrics_endpoints: gauges of the endpoints that there are now. What has gone has no sample.
 *
 * Unlike counters they are asked for: each worker answers between two turns of its loop.
 */
#include "adit/arena.h"
#include "adit/config.h"
#include "adit/policy.h"
#include "admin_private.h"

enum { ENDPOINTS_ARENA_BYTES = 256 << 20 };

static bool is_usable(const struct gateway_endpoint *endpoint, unsigned workers) {
  return endpoint->share > 0 && endpoint->ejected_by < workers;
}

static void begin_sample(struct text *out, const char *name,
                         const struct gateway_endpoint *endpoint) {
  text_printf(out, "adit_upstream_endpoint_%s{upstream=", name);
  metrics_add_quoted(out, endpoint->upstream);
  text_add(out, STR(",endpoint="));
  metrics_add_quoted(out, endpoint->address);
  text_add(out, STR("} "));
}

static void add_healthy(struct text *out, const struct gateway_endpoints *all) {
  metrics_begin(out, "upstream_endpoint_healthy", "", "gauge",
                "0 while health checks say that it is not well; without checks 1");
  for (size_t i = 0; i < all->n; i++) {
    begin_sample(out, "healthy", &all->items[i]);
    text_printf(out, "%d\n", all->items[i].share > 0);
  }
}

static void add_ejected(struct text *out, const struct gateway_endpoints *all) {
  metrics_begin(out, "upstream_endpoint_ejected_ratio", "", "gauge",
                "how many of the workers leave it out, as it has failed too often: 0 to 1");
  for (size_t i = 0; i < all->n; i++) {
    begin_sample(out, "ejected_ratio", &all->items[i]);
    text_printf(out, "%g\n", (double)all->items[i].ejected_by / all->workers);
  }
}

static void add_numbers(struct text *out, const struct gateway_endpoints *all) {
  metrics_begin(out, "upstream_endpoint_active_requests", "", "gauge", "requests that are with it");
  for (size_t i = 0; i < all->n; i++) {
    begin_sample(out, "active_requests", &all->items[i]);
    text_printf(out, "%llu\n", (unsigned long long)all->items[i].active);
  }
  metrics_begin(out, "upstream_endpoint_idle_connections", "", "gauge",
                "connections to it that wait for the next request");
  for (size_t i = 0; i < all->n; i++) {
    begin_sample(out, "idle_connections", &all->items[i]);
    text_printf(out, "%llu\n", (unsigned long long)all->items[i].idle);
  }
}

/* Where those of an upstream begin, looked for from `hint` on: mostly they are there, as workers
 * tell of upstreams in the policy's order. `all->n`: it has none. */
static size_t find_first(const struct gateway_endpoints *all, size_t hint, struct str upstream) {
  for (size_t i = 0; i < all->n; i++) {
    const size_t at = (hint + i) % all->n;
    const bool is_first = at == 0 || !str_eq(all->items[at - 1].upstream, upstream);
    if (is_first && str_eq(all->items[at].upstream, upstream)) return at;
  }
  return all->n;
}

/* Upstreams without an address stand here, too. */
static void add_usable(struct text *out, const struct config *config,
                       const struct gateway_endpoints *all) {
  size_t next = 0;
  metrics_begin(out, "upstream_usable_endpoints", "", "gauge",
                "addresses of an upstream that are well and not left out by every worker");
  for (size_t u = 0; u < config->upstream_count; u++) {
    const struct str name = config->upstreams[u].name;
    size_t usable = 0, i = find_first(all, next, name);
    for (; i < all->n && str_eq(all->items[i].upstream, name); i++)
      usable += is_usable(&all->items[i], all->workers);
    if (i < all->n) next = i;
    text_add(out, STR("adit_upstream_usable_endpoints{upstream="));
    metrics_add_quoted(out, name);
    text_printf(out, "} %zu\n", usable);
  }
}

void metrics_add_endpoints(struct admin *admin, struct text *out) {
  struct gateway_endpoints all;
  const enum gateway_stage stage = gateway_stage(admin->gateway);
  if (stage != GATEWAY_SERVING && stage != GATEWAY_UPGRADING) return;
  struct arena *arena = arena_new(ENDPOINTS_ARENA_BYTES);
  if (arena && gateway_endpoints_read(admin->gateway, arena, &all) && all.workers > 0) {
    struct policy *policy = gateway_policy_ref(admin->gateway);
    add_usable(out, policy_config(policy), &all);
    add_healthy(out, &all);
    add_ejected(out, &all);
    add_numbers(out, &all);
    policy_unref(&policy);
  }
  arena_free(&arena);
}
