#include "timer.h"

#include <stddef.h>

static int64_t slot_number(int64_t ms) {
  return ms / TIMER_SLOT_MS;
}

void timer_wheel_init(struct timer_wheel *wheel, int64_t now_ms) {
  for (unsigned i = 0; i < TIMER_SLOTS; i++)
    wheel->slots[i].previous = wheel->slots[i].next = &wheel->slots[i];
  for (unsigned i = 0; i < TIMER_SLOTS / 64; i++) wheel->occupied[i] = 0;
  wheel->now_slot = slot_number(now_ms);
}

void timer_init(struct timer *timer, void (*fire)(struct timer *timer)) {
  *timer = (struct timer){.fire = fire};
}

void timer_stop(struct timer_wheel *wheel, struct timer *timer) {
  if (!timer->next) return;
  timer->previous->next = timer->next;
  timer->next->previous = timer->previous;
  timer->previous = timer->next = NULL;
  const struct timer *head = &wheel->slots[timer->slot];
  if (head->next == head) wheel->occupied[timer->slot / 64] &= ~(1ULL << (timer->slot % 64));
}

/* Into the slot of its deadline, or the farthest there is: it is moved on when that comes round. */
static void timer_link(struct timer_wheel *wheel, struct timer *timer) {
  int64_t number = slot_number(timer->deadline_ms + TIMER_SLOT_MS - 1);
  if (number <= wheel->now_slot) number = wheel->now_slot + 1;
  if (number > wheel->now_slot + TIMER_SLOTS - 1) number = wheel->now_slot + TIMER_SLOTS - 1;
  timer->slot = (unsigned)(number % TIMER_SLOTS);
  timer->slot_ms = number * TIMER_SLOT_MS;
  struct timer *head = &wheel->slots[timer->slot];
  timer->next = head->next;
  timer->previous = head;
  head->next->previous = timer;
  head->next = timer;
  wheel->occupied[timer->slot / 64] |= 1ULL << (timer->slot % 64);
}

void timer_set(struct timer_wheel *wheel, struct timer *timer, int64_t deadline_ms) {
  timer->deadline_ms = deadline_ms;
  if (timer->next && timer->slot_ms <= deadline_ms) return;
  timer_stop(wheel, timer);
  timer_link(wheel, timer);
}

static void slot_advance(struct timer_wheel *wheel, unsigned slot, int64_t now_ms) {
  struct timer *head = &wheel->slots[slot];
  /* Timers that are set while others fire go to later slots, never into this one. */
  while (head->next != head) {
    struct timer *timer = head->next;
    timer_stop(wheel, timer);
    if (timer->deadline_ms <= now_ms)
      timer->fire(timer);
    else
      timer_link(wheel, timer);
  }
}

void timer_wheel_advance(struct timer_wheel *wheel, int64_t now_ms) {
  int64_t until = slot_number(now_ms);
  /* After a long stop (a suspended machine) one turn of the wheel meets every timer. */
  if (until - wheel->now_slot > TIMER_SLOTS) wheel->now_slot = until - TIMER_SLOTS;
  while (wheel->now_slot < until) {
    wheel->now_slot++;
    unsigned slot = (unsigned)(wheel->now_slot % TIMER_SLOTS);
    if (wheel->occupied[slot / 64] >> (slot % 64) & 1) slot_advance(wheel, slot, now_ms);
  }
}

int timer_wheel_wait(const struct timer_wheel *wheel, int64_t now_ms) {
  unsigned start = (unsigned)((wheel->now_slot + 1) % TIMER_SLOTS);
  for (unsigned step = 0; step < TIMER_SLOTS;) {
    unsigned slot = (start + step) % TIMER_SLOTS;
    uint64_t word = wheel->occupied[slot / 64] >> (slot % 64);
    if (word) {
      step += (unsigned)__builtin_ctzll(word);
      int64_t wait_ms = (wheel->now_slot + 1 + step) * TIMER_SLOT_MS - now_ms;
      return wait_ms > 0 ? (int)wait_ms : 0;
    }
    step += 64 - slot % 64;
  }
  return -1;
}
