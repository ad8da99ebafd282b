/*
 * timer: deadlines of a worker's connections, on a wheel.
 *
 * Setting a deadline further away, as every request does, only stores it; the timer moves to its
 * new slot when the old one comes round. So a deadline costs nothing on the way of a request, and
 * fires at most one slot (TIMER_SLOT_MS) late.
 */
#ifndef ADIT_GATEWAY_TIMER_H
#define ADIT_GATEWAY_TIMER_H

#include <stdbool.h>
#include <stdint.h>

enum { TIMER_SLOT_MS = 16, TIMER_SLOTS = 1024 };

struct timer {
  struct timer *previous, *next; /* NULL: not on the wheel */
  int64_t deadline_ms;
  int64_t slot_ms; /* when its slot comes round */
  unsigned slot;
  void (*fire)(struct timer *timer);
};

struct timer_wheel {
  struct timer slots[TIMER_SLOTS]; /* heads */
  uint64_t occupied[TIMER_SLOTS / 64];
  int64_t now_slot; /* the slot number that was dealt with last */
};

void timer_wheel_init(struct timer_wheel *wheel, int64_t now_ms);
void timer_init(struct timer *timer, void (*fire)(struct timer *timer));
/* Fires at or soon after `deadline_ms` (monotonic), instead of any deadline set before. */
void timer_set(struct timer_wheel *wheel, struct timer *timer, int64_t deadline_ms);
/* It will not fire. Must be called before the timer's memory goes. */
void timer_stop(struct timer_wheel *wheel, struct timer *timer);
/* Fires what is due. A fired timer is stopped first; `fire` may set or stop any timer. */
void timer_wheel_advance(struct timer_wheel *wheel, int64_t now_ms);
/* Milliseconds until the next slot that holds a timer; -1: none does. */
int timer_wheel_wait(const struct timer_wheel *wheel, int64_t now_ms);

#endif
