/*
 * recorded: what a log tells of cookie, pin, bucket, force and override, for a decision that is
 * made again.
 *
 * A log does not have the cookie. What it tells was found under one route and one split; it holds
 * under another where that would have found the same, and is unknown elsewhere.
 */
#include "decide_private.h"

/* Whether nobody like this client may force anything of the route. */
static bool is_closed(const struct route_force *force, const struct attr_request *client) {
  return !force->enabled ||
         (!client->untold_client_ip && !force_is_open_to(force, &client->client_ip));
}

bool recorded_force(const struct decide_request *request, struct decision *ret,
                    uint16_t *ret_variant) {
  const struct decide_recorded *recorded = request->recorded;
  const struct route *then = recorded->force_of, *route = ret->route;
  *ret_variant = VARIANT_NONE;
  if (is_closed(&route->force, &request->attr)) return true;
  if (then && then->force.enabled && then->force.digest == route->force.digest) {
    if (recorded->forced.p) *ret_variant = route_find_variant(route, recorded->forced);
    return true;
  }
  return !recorded->forced.p && recorded->assume_no_force;
}

bool recorded_state(const struct decide_recorded *recorded, struct decision *ret) {
  if (!recorded->overridden.p || !str_eq(recorded->overridden, ret->route->name)) return false;
  ret->state = recorded->state;
  ret->is_overridden = true;
  return true;
}

/* A pin that did not count then could count now: its epoch and variant are not told. */
static bool may_revive(const struct route *then, const struct route *route) {
  bool may = route->sticky.epoch < then->sticky.epoch;
  for (size_t i = 0; i < route->canary_count; i++)
    may |= find_canary(then, route->variants[route->canaries[i]].name) == VARIANT_NONE;
  return may;
}

bool recorded_pin(const struct decide_recorded *recorded, struct decision *ret, uint16_t *ret_pin) {
  const struct route *then = recorded->route, *route = ret->route;
  *ret_pin = VARIANT_NONE;
  if (!route->sticky.cookie) return true;
  /* A route that kept no cookies may have done so before: people have them still. */
  if (!then || !then->sticky.cookie || !str_eq(then->sticky.cookie_name, route->sticky.cookie_name))
    return recorded->assume_no_pin;
  ret->cookie = recorded->cookie;
  switch (recorded->cookie) {
    case COOKIE_NOT_READ:
      return recorded->assume_no_pin;
    case COOKIE_VOID_PIN:
      return recorded->assume_no_pin || !may_revive(then, route);
    case COOKIE_VALID:
      if (recorded->pin.p && route->sticky.epoch <= then->sticky.epoch)
        *ret_pin = find_canary(route, recorded->pin);
      /* How old it was is not told. */
      return *ret_pin == VARIANT_NONE || route->sticky.ttl_ms >= then->sticky.ttl_ms;
    case COOKIE_EXPIRED:
      return recorded->assume_no_pin || route->sticky.ttl_ms <= then->sticky.ttl_ms;
    case COOKIE_ABSENT:
    case COOKIE_FORGED:
    case COOKIE_MALFORMED:
      break;
  }
  return true;
}

static bool same_slots(const struct route *a, const uint16_t *as, size_t a_count,
                       const struct route *b, const uint16_t *bs, size_t b_count) {
  if (a_count != b_count) return false;
  for (size_t i = 0; i < a_count; i++)
    if (!str_eq(attr_table_name(a->table, as[i]), attr_table_name(b->table, bs[i]))) return false;
  return true;
}

int recorded_bucket(const struct decide_recorded *recorded, const struct route *route,
                    const struct split *split) {
  const struct route *then = recorded->route;
  const struct split *drawn = recorded->split;
  if (!then || !drawn || recorded->bucket < 0) return -1;
  if (drawn == split) return recorded->bucket;
  const bool same =
      str_eq(then->sticky.salt, route->sticky.salt) &&
      then->sticky.cookie == route->sticky.cookie &&
      same_slots(then, drawn->by, drawn->by_count, route, split->by, split->by_count) &&
      same_slots(then, then->sticky.by, then->sticky.by_count, route, route->sticky.by,
                 route->sticky.by_count);
  return same ? recorded->bucket : -1;
}

void recorded_leave_unknown(struct decision *ret, enum decide_unknown what) {
  ret->reason = REASON_LIMIT;
  ret->unknown = what;
}

void recorded_note_unknown(const struct decider *decider, struct decision *ret) {
  const uint16_t slot = attr_reader_unknown(decider->reader);
  if (ret->reason != REASON_LIMIT || ret->unknown != UNKNOWN_NOTHING || slot == ATTR_SLOT_NONE)
    return;
  recorded_leave_unknown(ret, UNKNOWN_ATTRIBUTE);
  ret->unknown_slot = slot;
}
