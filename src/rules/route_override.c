/* route_override: the one thing about a compiled route that changes while it is served. */
#include <stdatomic.h>
#include <stdlib.h>

#include "route.h"

enum { SAYS_NOTHING }; /* else a state, and one */

struct route_override {
  _Atomic uint8_t said;
  atomic_uint references;
};

struct route_override *route_override_new(void) {
  struct route_override *override = malloc(sizeof(*override));
  if (!override) return NULL;
  atomic_init(&override->said, SAYS_NOTHING);
  atomic_init(&override->references, 1);
  return override;
}

struct route_override *route_override_ref(struct route_override *override) {
  atomic_fetch_add_explicit(&override->references, 1, memory_order_relaxed);
  return override;
}

void route_override_unref(struct route_override **override) {
  struct route_override *last = *override;
  *override = NULL;
  if (last && atomic_fetch_sub_explicit(&last->references, 1, memory_order_acq_rel) == 1)
    free(last);
}

bool route_override_is_shared(const struct route_override *override) {
  return atomic_load_explicit(&override->references, memory_order_acquire) > 1;
}

/* Relaxed: nothing else is handed over with it. Whoever was told that it is set, and then asks the
 * gateway for something, does so through the kernel, which orders the two. */
void route_override_set(struct route_override *override, enum route_state state) {
  atomic_store_explicit(&override->said, (uint8_t)(state + 1), memory_order_relaxed);
}

void route_override_clear(struct route_override *override) {
  atomic_store_explicit(&override->said, SAYS_NOTHING, memory_order_relaxed);
}

void route_follow(const struct route *route, struct route_override *override) {
  if (!route->private_->override) route->private_->override = route_override_ref(override);
}

enum route_state route_state(const struct route *route, bool *ret_overridden) {
  const struct route_override *override = route->private_->override;
  unsigned said =
      override ? atomic_load_explicit(&override->said, memory_order_relaxed) : SAYS_NOTHING;
  if (ret_overridden) *ret_overridden = said != SAYS_NOTHING;
  return said == SAYS_NOTHING ? route->state : (enum route_state)(said - 1);
}
