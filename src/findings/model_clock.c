/*
 * An instant at which the clock shows what is wanted: now, the weekday and the time of day are
 * chosen together, because they are of one instant.
 *
 * What speaks against one alone is known before; whether there is an instant for all three is
 * found by trying: the days around one that is good for now, at times of day that are good.
 */
#include "adit/units.h"
#include "adit/zone.h"
#include "model.h"

enum { DAYS_AWAY_MAX = 8, TIMES_MAX = 48 };

struct times {
  unsigned seconds[TIMES_MAX]; /* of the day */
  size_t n;
};

static bool has(const struct values_maker *maker, const struct model_wish *wish,
                const struct attr_datum *datum) {
  return !wish->domain || value_set_has(maker, wish->domain, wish->set, datum);
}

static bool shows(const struct values_maker *maker, const struct model_clock *clock, int64_t ms) {
  char now_text[40], time_text[TIME_OF_DAY_BYTES];
  struct zone_local local = zone_local(clock->zone, ms);
  struct attr_datum now = {.text = time_format(ms, now_text, sizeof(now_text)), .as.ms = ms};
  struct attr_datum weekday = {.text = weekday_name(local.weekday), .as.weekday = local.weekday};
  struct attr_datum time = {.text = time_of_day_format(local.second, time_text),
                            .as.ms = (int64_t)local.second * 1000};
  if (*maker->steps > 0) (*maker->steps)--;
  return has(maker, &clock->now, &now) && has(maker, &clock->weekday, &weekday) &&
         has(maker, &clock->time_of_day, &time);
}

static void add_time(const struct values_maker *maker, const struct model_wish *wish,
                     int64_t second, struct times *times) {
  char text[TIME_OF_DAY_BYTES];
  if (second < 0 || second >= SECONDS_OF_DAY || times->n == TIMES_MAX) return;
  struct attr_datum datum = {.text = time_of_day_format((unsigned)second, text),
                             .as.ms = second * 1000};
  if (has(maker, wish, &datum)) times->seconds[times->n++] = (unsigned)second;
}

/* One that is picked as of any attribute, and those at the ends of what may be. */
static void list_times(const struct values_maker *maker, const struct model_wish *wish,
                       struct times *times) {
  struct attr_datum datum;
  if (!wish->domain) return;
  if (model_pick(maker, wish->domain, wish->set, &datum))
    add_time(maker, wish, datum.as.ms / 1000, times);
  for (size_t i = 0; i < wish->domain->bound_count; i++) {
    int64_t bound = wish->domain->bounds[i].as.ms / 1000;
    for (int64_t step = -1; step <= 1; step++) add_time(maker, wish, bound + step, times);
  }
  add_time(maker, wish, 0, times);
  add_time(maker, wish, SECONDS_OF_DAY - 1, times);
}

/* On the local day of `ms`, at its own time or at one of `times`. */
static bool find_in_day(const struct values_maker *maker, const struct model_clock *clock,
                        const struct times *times, int64_t ms, int64_t *ret_ms) {
  struct zone_local local = zone_local(clock->zone, ms);
  *ret_ms = ms;
  if (shows(maker, clock, ms)) return true;
  for (size_t i = 0; i<times->n && * maker->steps> 0; i++) {
    *ret_ms = ms + ((int64_t)times->seconds[i] - local.second) * 1000;
    if (shows(maker, clock, *ret_ms)) return true;
  }
  return false;
}

bool model_find_now(const struct values_maker *maker, const struct model_clock *clock,
                    int64_t near_ms, int64_t *ret_ms) {
  struct times times = {.n = 0};
  list_times(maker, &clock->time_of_day, &times);
  for (int64_t days = 0; days <= DAYS_AWAY_MAX; days++) {
    int64_t away_ms = days * SECONDS_OF_DAY * 1000;
    if (find_in_day(maker, clock, &times, near_ms + away_ms, ret_ms) ||
        find_in_day(maker, clock, &times, near_ms - away_ms, ret_ms))
      return true;
  }
  return false;
}
