/* explain_lookups: directories, asked and waited for on the spot. */
#include <poll.h>
#include <stdlib.h>

#include "adit/lookup.h"
#include "adit/units.h"
#include "cli/explain.h"

static void count_nothing(void *context, enum lookup_event event) {
  (void)context;
  (void)event;
}

static void done(struct lookup_waiter *waiter) {
  (void)waiter;
}

static void wait_for(const struct explain_lookups *lookups, const struct lookup_waiter *waiter) {
  struct pollfd fd = {.fd = lookup_loop_fd(lookups->loop), .events = POLLIN};
  while (lookup_waits(waiter)) {
    (void)poll(&fd, 1, (int)lookup_loop_wait_ms(lookups->loop, clock_monotonic_ms()));
    lookup_loop_run(lookups->loop, lookups->now_ms);
  }
}

/* struct attr_supplier.supply */
static enum attr_supply supply(void *context, const struct attr_request *request, uint32_t id,
                               const struct str *keys, struct attr_supplied *ret) {
  (void)request;
  const struct explain_lookups *lookups = context;
  struct lookup *lookup = lookups->items[id >> CONFIG_LOOKUP_FIELD_BITS];
  const size_t index = id & ((1U << CONFIG_LOOKUP_FIELD_BITS) - 1);
  struct lookup_waiter waiter = {.done = done};
  const struct lookup_field *field = NULL;
  enum lookup_result result =
      lookup_get(lookup, keys, index, lookups->now_ms, &waiter, &field, &ret->why);
  if (result == LOOKUP_PENDING) {
    wait_for(lookups, &waiter);
    result = lookup_get(lookup, keys, index, lookups->now_ms, NULL, &field, &ret->why);
  }
  if (result != LOOKUP_FOUND) return SUPPLY_ABSENT;
  ret->texts = field->texts;
  ret->n = field->n;
  return SUPPLY_PRESENT;
}

bool explain_lookups_init(struct explain_lookups *lookups, const struct policy *policy,
                          struct decider *decider, struct attr_reader *reader) {
  const struct config *config = policy_config(policy);
  *lookups = (struct explain_lookups){.now_ms = clock_monotonic_ms()};
  if (config->lookup_count == 0) return true;
  lookups->loop = lookup_loop_new(count_nothing, NULL);
  lookups->items = calloc(config->lookup_count, sizeof(*lookups->items));
  if (!lookups->loop || !lookups->items) return false;
  for (; lookups->n < config->lookup_count; lookups->n++) {
    lookups->items[lookups->n] = lookup_new(lookups->loop, &config->lookups[lookups->n].spec);
    if (!lookups->items[lookups->n]) return false;
  }
  const struct attr_supplier supplier = {supply, lookups};
  decider_supply(decider, SOURCE_LOOKUP, supplier);
  attr_reader_supply(reader, SOURCE_LOOKUP, supplier);
  return true;
}

void explain_lookups_deinit(struct explain_lookups *lookups) {
  for (size_t i = 0; i < lookups->n; i++) lookup_unref(&lookups->items[i]);
  free(lookups->items);
  lookup_loop_free(&lookups->loop);
}
