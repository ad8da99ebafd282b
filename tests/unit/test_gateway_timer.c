/*
 * The wheel of timers on a clock of its own: when each fires, and in which turn.
 */
#include "gateway/timer.h"
#include "unit.h"

enum { SLOT = TIMER_SLOT_MS, TURN = TIMER_SLOTS * TIMER_SLOT_MS, START_MS = 1000003 };

static struct timer_wheel wheel;
static int64_t now_ms;

struct alarm {
  struct timer timer;
  unsigned fired;
  int64_t fired_ms;
  /* What it does when it fires. */
  int64_t again_ms; /* sets itself for so much later; 0: not */
  struct alarm *stops, *sets;
  int64_t sets_ms;
};

static void ring(struct timer *timer) {
  struct alarm *alarm = (struct alarm *)(void *)timer;
  ck_assert_msg(!timer->next, "a timer that fires is stopped");
  alarm->fired++;
  alarm->fired_ms = now_ms;
  if (alarm->again_ms) timer_set(&wheel, timer, now_ms + alarm->again_ms);
  if (alarm->stops) timer_stop(&wheel, &alarm->stops->timer);
  if (alarm->sets) timer_set(&wheel, &alarm->sets->timer, alarm->sets_ms);
}

static void begin(struct alarm *alarms, size_t n) {
  now_ms = START_MS;
  timer_wheel_init(&wheel, now_ms);
  for (size_t i = 0; i < n; i++) {
    alarms[i] = (struct alarm){.fired = 0};
    timer_init(&alarms[i].timer, ring);
  }
}

static void advance(int64_t to_ms) {
  now_ms = to_ms;
  timer_wheel_advance(&wheel, now_ms);
}

/* Goes on as the loop does: sleeps as long as the wheel says. Until nothing is left, or the time is
 * reached. */
static unsigned run_until(int64_t until_ms) {
  unsigned turns = 0;
  for (;; turns++) {
    int wait_ms = timer_wheel_wait(&wheel, now_ms);
    if (wait_ms < 0 || now_ms + wait_ms > until_ms) return turns;
    if (turns > 1000000) ck_abort_msg("the wheel never comes to rest");
    advance(now_ms + wait_ms);
  }
}

START_TEST(each_in_its_time)
{
  static const int64_t after_ms[] = {
      -5,       0,    1,        SLOT - 1,     SLOT,  SLOT + 1, 1000,          TURN - 2 * SLOT,
      TURN - 1, TURN, TURN + 1, 2 * TURN + 7, 30000, 60000,    10 * TURN + 3, 3600000};
  enum { N = sizeof(after_ms) / sizeof(*after_ms) };
  static struct alarm alarms[N];
  begin(alarms, N);
  for (size_t i = 0; i < N; i++) timer_set(&wheel, &alarms[i].timer, START_MS + after_ms[i]);
  (void)run_until(INT64_MAX / 2);
  for (size_t i = 0; i < N; i++) {
    int64_t late_ms = alarms[i].fired_ms - (START_MS + after_ms[i]);
    ck_assert_msg(alarms[i].fired == 1, "after %d ms: fired %u times", (int)after_ms[i],
                  alarms[i].fired);
    int64_t most_ms = after_ms[i] < 0 ? SLOT - after_ms[i] : SLOT;
    ck_assert_msg(late_ms >= 0 && late_ms <= most_ms, "after %d ms: %d ms late", (int)after_ms[i],
                  (int)late_ms);
  }
}
END_TEST

START_TEST(in_order)
{
  enum { N = 2000 };
  static struct alarm alarms[N];
  begin(alarms, N);
  /* 7919 is prime: every delay from 0 to N-1 slots, in no order. */
  for (int64_t i = 0; i < N; i++)
    timer_set(&wheel, &alarms[i].timer, START_MS + i * 7919 % N * SLOT);
  unsigned turns = run_until(INT64_MAX / 2);
  ck_assert_uint_le(turns, 2 * N); /* it does not wake in vain */
  for (int64_t i = 0; i < N; i++) {
    int64_t late_ms = alarms[i].fired_ms - (START_MS + i * 7919 % N * SLOT);
    if (alarms[i].fired != 1 || late_ms < 0 || late_ms > SLOT)
      ck_abort_msg("%d: fired %u times, %d ms late", (int)i, alarms[i].fired, (int)late_ms);
  }
}
END_TEST

START_TEST(nothing_fires_early)
{
  struct alarm alarm;
  begin(&alarm, 1);
  timer_set(&wheel, &alarm.timer, START_MS + 100);
  for (int64_t ms = 0; ms < 100; ms++) {
    advance(START_MS + ms);
    ck_assert_uint_eq(alarm.fired, 0);
  }
  advance(START_MS + 100 + SLOT);
  ck_assert_uint_eq(alarm.fired, 1);
}
END_TEST

START_TEST(set_again)
{
  static const struct {
    const char *name;
    int64_t first_ms, second_ms;
  } cases[] = {
      {"later", 100, 5000},
      {"earlier", 5000, 100},
      {"a little later", 100, 101},
      {"a little earlier", 101, 100},
      {"to the past", 5000, -5},
      {"from the past", -5, 5000},
      {"beyond the wheel", 100, 3 * TURN},
      {"back from beyond the wheel", 3 * TURN, 100},
      {"farther beyond the wheel", 3 * TURN, 5 * TURN},
      {"less far beyond the wheel", 5 * TURN, 3 * TURN},
  };
  for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
    struct alarm alarm;
    begin(&alarm, 1);
    timer_set(&wheel, &alarm.timer, START_MS + cases[i].first_ms);
    timer_set(&wheel, &alarm.timer, START_MS + cases[i].second_ms);
    (void)run_until(INT64_MAX / 2);
    int64_t late_ms = alarm.fired_ms - (START_MS + cases[i].second_ms);
    ck_assert_msg(alarm.fired == 1, "%s: fired %u times", cases[i].name, alarm.fired);
    ck_assert_msg(late_ms >= 0 && late_ms <= SLOT + 5, "%s: %d ms late", cases[i].name,
                  (int)late_ms);
  }
}
END_TEST

/* A deadline that every request moves away costs a wake in a while, and never fires. */
START_TEST(always_set_later)
{
  struct alarm alarm;
  begin(&alarm, 1);
  unsigned wakes = 0;
  for (int64_t ms = 0; ms < 100000; ms++) {
    now_ms = START_MS + ms;
    timer_set(&wheel, &alarm.timer, now_ms + 10000);
    if (timer_wheel_wait(&wheel, now_ms) > 0) continue;
    advance(now_ms);
    wakes++;
  }
  ck_assert_uint_eq(alarm.fired, 0);
  ck_assert_uint_le(wakes, 11);
  (void)run_until(INT64_MAX / 2);
  ck_assert_uint_eq(alarm.fired, 1);
  ck_assert_int_ge(alarm.fired_ms, START_MS + 99999 + 10000);
}
END_TEST

START_TEST(stopped)
{
  struct alarm alarms[2];
  begin(alarms, 2);
  timer_stop(&wheel, &alarms[0].timer); /* not on the wheel */
  timer_set(&wheel, &alarms[0].timer, START_MS + 100);
  timer_set(&wheel, &alarms[1].timer, START_MS + 100);
  timer_stop(&wheel, &alarms[0].timer);
  timer_stop(&wheel, &alarms[0].timer);
  (void)run_until(INT64_MAX / 2);
  ck_assert_uint_eq(alarms[0].fired, 0);
  ck_assert_uint_eq(alarms[1].fired, 1);
  ck_assert_int_eq(timer_wheel_wait(&wheel, now_ms), -1);
  timer_set(&wheel, &alarms[0].timer, now_ms + 100);
  (void)run_until(INT64_MAX / 2);
  ck_assert_uint_eq(alarms[0].fired, 1);
}
END_TEST

/* Of timers that come round together one may stop or set the others. */
START_TEST(stopped_and_set_while_firing)
{
  for (int order = 0; order < 2; order++) {
    struct alarm alarms[2];
    begin(alarms, 2);
    struct alarm *first = &alarms[order], *second = &alarms[1 - order];
    first->stops = second;
    second->stops = first;
    timer_set(&wheel, &alarms[0].timer, START_MS + 50);
    timer_set(&wheel, &alarms[1].timer, START_MS + 50);
    (void)run_until(START_MS + 1000);
    ck_assert_uint_eq(alarms[0].fired + alarms[1].fired, 1);

    begin(alarms, 2);
    first->sets = second;
    first->sets_ms = START_MS + 3000;
    timer_set(&wheel, &first->timer, START_MS + 20);
    timer_set(&wheel, &second->timer, START_MS + 50);
    (void)run_until(INT64_MAX / 2);
    ck_assert_uint_eq(second->fired, 1);
    ck_assert_int_ge(second->fired_ms, START_MS + 3000);
  }
}
END_TEST

START_TEST(sets_itself_again)
{
  struct alarm alarm;
  begin(&alarm, 1);
  alarm.again_ms = 1000;
  timer_set(&wheel, &alarm.timer, START_MS + 1000);
  (void)run_until(START_MS + 60000);
  ck_assert_uint_ge(alarm.fired, 59);
  ck_assert_uint_le(alarm.fired, 60);
}
END_TEST

/* The machine slept: everything that is due fires at once, what is not does not. */
START_TEST(long_sleep)
{
  static const int64_t sleeps_ms[] = {TURN - SLOT, TURN, TURN + 1, 5 * TURN + 77, 86400000};
  for (size_t i = 0; i < sizeof(sleeps_ms) / sizeof(*sleeps_ms); i++) {
    struct alarm alarms[4];
    begin(alarms, 4);
    timer_set(&wheel, &alarms[0].timer, START_MS + 10);
    timer_set(&wheel, &alarms[1].timer, START_MS + TURN - 2 * SLOT);
    timer_set(&wheel, &alarms[2].timer, START_MS + sleeps_ms[i] - SLOT);
    timer_set(&wheel, &alarms[3].timer, START_MS + sleeps_ms[i] + 500);
    alarms[0].again_ms = 700;
    advance(START_MS + sleeps_ms[i]);
    for (size_t k = 0; k < 3; k++)
      ck_assert_msg(alarms[k].fired == 1, "a sleep of %d ms: %zu fired %u times", (int)sleeps_ms[i],
                    k, alarms[k].fired);
    ck_assert_uint_eq(alarms[3].fired, 0);
    alarms[0].again_ms = 0;
    (void)run_until(INT64_MAX / 2);
    ck_assert_uint_eq(alarms[0].fired, 2);
    ck_assert_int_le(alarms[0].fired_ms, START_MS + sleeps_ms[i] + 700 + SLOT);
    ck_assert_uint_eq(alarms[3].fired, 1);
    ck_assert_int_le(alarms[3].fired_ms, START_MS + sleeps_ms[i] + 500 + SLOT);
  }
}
END_TEST

START_TEST(how_long_to_wait)
{
  struct alarm alarm;
  begin(&alarm, 1);
  ck_assert_int_eq(timer_wheel_wait(&wheel, START_MS), -1);
  for (int64_t after_ms = 0; after_ms < TURN - 2 * SLOT; after_ms += 37) {
    timer_set(&wheel, &alarm.timer, START_MS + after_ms);
    int wait_ms = timer_wheel_wait(&wheel, START_MS);
    if (wait_ms < after_ms || wait_ms > after_ms + SLOT)
      ck_abort_msg("after %d ms: waits %d", (int)after_ms, wait_ms);
    timer_stop(&wheel, &alarm.timer);
  }
  timer_set(&wheel, &alarm.timer, START_MS + 100);
  ck_assert_int_eq(timer_wheel_wait(&wheel, START_MS + 5000), 0); /* overdue */
  timer_stop(&wheel, &alarm.timer);
}
END_TEST

UNIT_MAIN("gateway timer", each_in_its_time, in_order, nothing_fires_early, set_again,
          always_set_later, stopped, stopped_and_set_while_firing, sets_itself_again, long_sleep,
          how_long_to_wait)
