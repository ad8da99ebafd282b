/*
 * model: a request for what a search assumed, as a line of `explain --batch`. Private to
 * src/findings.
 *
 * It is a guess: attributes may share a header, a pattern may want more than its sample. Who uses
 * it asks the rules what they say to it.
 */
#ifndef ADIT_FINDINGS_MODEL_H
#define ADIT_FINDINGS_MODEL_H

#include "search.h"

struct text;
struct zone;

/* Where a request of the route goes when nothing says more. */
struct model_base {
  const struct route *route;
  struct str host; /* a host and a path that are the route's */
  struct str path;
  int64_t now_ms;
  bool says_now; /* the time is written even where nothing asked for it */
};

/* Writes one JSON object without a newline. False: no value was found for a slot, or memory. */
bool model_write(const struct model_base *base, struct search *search, struct text *out);

/* A value of a set, which lives in the maker's arena. False: none was found. */
bool model_pick(const struct values_maker *maker, const struct domain *domain,
                const struct value_set *set, struct attr_datum *ret);

/* What is wanted of a slot; without a domain: anything. */
struct model_wish {
  const struct domain *domain;
  const struct value_set *set;
};

struct model_clock {
  const struct zone *zone;
  struct model_wish now, weekday, time_of_day;
};

/* An instant that is as wanted, in the week before or after `near_ms`. False: none was found. */
bool model_find_now(const struct values_maker *maker, const struct model_clock *clock,
                    int64_t near_ms, int64_t *ret_ms);

/* Writes a request by which only the first source of `slot` says `value`. False: it cannot. */
bool model_write_one(const struct model_base *base, struct arena *arena, uint16_t slot,
                     struct str value, struct text *out);

/* Writes a request for the base's host and path, and nothing else. */
bool model_write_plain(const struct model_base *base, struct arena *arena, struct text *out);

#endif
