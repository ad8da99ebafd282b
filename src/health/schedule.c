/* schedule: a binary heap of endpoints, the one that is due first on top. */
#include <stdlib.h>

#include "health_private.h"

bool schedule_reserve(struct schedule *schedule, size_t n) {
  if (n <= schedule->capacity) return true;
  size_t capacity = schedule->capacity ? schedule->capacity : 64;
  while (capacity < n) capacity *= 2;
  struct health_endpoint **items = reallocarray(schedule->items, capacity, sizeof(*items));
  if (!items) return false;
  schedule->items = items;
  schedule->capacity = capacity;
  return true;
}

static void put(struct schedule *schedule, size_t at, struct health_endpoint *endpoint) {
  schedule->items[at] = endpoint;
  endpoint->place = at;
}

/* Finds the place of `endpoint`, beginning at the free one `at`: up past those that are due later,
 * or down past those that are due earlier. */
static void settle(struct schedule *schedule, size_t at, struct health_endpoint *endpoint) {
  struct health_endpoint **items = schedule->items;
  for (; at > 0 && items[(at - 1) / 2]->due_ms > endpoint->due_ms; at = (at - 1) / 2)
    put(schedule, at, items[(at - 1) / 2]);
  for (size_t child; (child = 2 * at + 1) < schedule->n; at = child) {
    if (child + 1 < schedule->n && items[child + 1]->due_ms < items[child]->due_ms) child++;
    if (items[child]->due_ms >= endpoint->due_ms) break;
    put(schedule, at, items[child]);
  }
  put(schedule, at, endpoint);
}

void schedule_add(struct schedule *schedule, struct health_endpoint *endpoint) {
  settle(schedule, schedule->n++, endpoint);
}

void schedule_remove(struct schedule *schedule, struct health_endpoint *endpoint) {
  const size_t at = endpoint->place;
  if (at == SCHEDULE_NONE) return;
  endpoint->place = SCHEDULE_NONE;
  struct health_endpoint *last = schedule->items[--schedule->n];
  if (last != endpoint) settle(schedule, at, last);
}

struct health_endpoint *schedule_first(const struct schedule *schedule) {
  return schedule->n > 0 ? schedule->items[0] : NULL;
}
