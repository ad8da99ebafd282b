/*
 * The order of decision (contract §4): off, force, full, rules, default.
 *
 * What a split gives is draw.c's, the force header force.c's, the cookie sticky_cookie.c's. The
 * decision is always made without a trace; a trace is recorded by asking the rules a second time
 * from the start, so that nothing that explains can change what is decided.
 */
#include "adit/decide.h"

#include <stdlib.h>

#include "decide_private.h"

const char *decide_reason_name(enum decide_reason reason) {
  switch (reason) {
    case REASON_NO_ROUTE:
      return "no_route";
    case REASON_AMBIGUOUS:
      return "ambiguous";
    case REASON_OFF:
      return "off";
    case REASON_FORCED:
      return "forced";
    case REASON_FULL:
      return "full";
    case REASON_RULE:
      return "rule";
    case REASON_PINNED:
      return "pinned";
    case REASON_DEFAULT:
      return "default";
    case REASON_LIMIT:
      return "limit";
    case REASON_FAILOVER:
      return "failover";
  }
  return "";
}

const char *cookie_verdict_name(enum cookie_verdict verdict) {
  switch (verdict) {
    case COOKIE_NOT_READ:
      return "not_read";
    case COOKIE_ABSENT:
      return "absent";
    case COOKIE_VALID:
      return "valid";
    case COOKIE_VOID_PIN:
      return "void_pin";
    case COOKIE_EXPIRED:
      return "expired";
    case COOKIE_FORGED:
      return "forged";
    case COOKIE_MALFORMED:
      return "malformed";
  }
  return "";
}

struct decider *decider_new(const struct router *router, const struct sticky_key *keys,
                            size_t key_count) {
  struct decider *decider = calloc(1, sizeof(*decider));
  if (!decider) return NULL;
  decider->router = router;
  decider->keys = keys;
  decider->key_count = key_count;
  decider->reader = attr_reader_new();
  decider->hmacs = calloc(key_count ? key_count : 1, sizeof(*decider->hmacs));
  bool complete = decider->reader && decider->hmacs;
  for (size_t i = 0; complete && i < key_count; i++) {
    decider->hmacs[i] = hmac_new(keys[i].secret);
    complete = decider->hmacs[i] != NULL;
  }
  if (!complete) decider_free(&decider);
  return decider;
}

void decider_free(struct decider **decider) {
  struct decider *old = *decider;
  *decider = NULL;
  if (!old) return;
  for (size_t i = 0; old->hmacs && i < old->key_count; i++) hmac_free(&old->hmacs[i]);
  free(old->hmacs);
  attr_reader_free(&old->reader);
  free(old);
}

void decider_supply(struct decider *decider, enum attr_source_kind kind,
                    struct attr_supplier supplier) {
  attr_reader_supply(decider->reader, kind, supplier);
}

const struct attr_value *decider_attribute(struct decider *decider, uint16_t slot, bool read) {
  return read ? attr_read(decider->reader, slot) : attr_reader_peek(decider->reader, slot);
}

/* Steps 4 and 5: the first rule that matches, else the default. */
static void decide_by_rules(struct decider *decider, const struct decide_request *request,
                            struct decision *ret) {
  const struct route *route = ret->route;
  struct rules_outcome outcome = rules_eval(route, decider->reader, NULL, NULL);
  ret->rule = outcome.rule;
  if (outcome.limit) {
    ret->reason = REASON_LIMIT;
  } else if (outcome.rule) {
    ret->reason = REASON_RULE;
    if (outcome.rule->to != VARIANT_NONE)
      ret->variant = outcome.rule->to;
    else
      draw_split(decider, request, &outcome.rule->split, ret);
  } else {
    ret->reason = REASON_DEFAULT;
    if (route->has_default_split) draw_split(decider, request, &route->default_split, ret);
  }
}

/* False: a record does not tell. */
static bool find_forced(struct decider *decider, const struct decide_request *request,
                        struct decision *ret, uint16_t *ret_variant) {
  if (request->recorded) return recorded_force(request, ret, ret_variant);
  *ret_variant = force_find(decider, ret->route, request, &ret->forced_by_cookie);
  return true;
}

/* Whether the rules were asked. */
static bool decide_route(struct decider *decider, const struct decide_request *request,
                         struct decision *ret) {
  const struct route *route = ret->route;
  ret->variant = route->stable;
  if (ret->state == ROUTE_OFF) {
    ret->reason = REASON_OFF;
    return false;
  }
  uint16_t forced;
  if (!find_forced(decider, request, ret, &forced)) {
    recorded_leave_unknown(ret, UNKNOWN_FORCE);
    return false;
  }
  if (forced != VARIANT_NONE) {
    ret->variant = forced;
    ret->reason = REASON_FORCED;
    return false;
  }
  /* A file that is full without a canary does not compile, but an override may have outlived the
   * canary: stable is safe. */
  if (ret->state == ROUTE_FULL) {
    if (route->canary_count > 0) ret->variant = route->canaries[0];
    ret->reason = REASON_FULL;
    return false;
  }
  decide_by_rules(decider, request, ret);
  return true;
}

/* By which mirror the request may be copied. Who forces a variant wants that one and no other, a
 * route that is off is in trouble, and what a limit ended is suspicious: nothing of these is. */
static const struct route_mirror *find_mirror(const struct decision *decision) {
  switch (decision->reason) {
    case REASON_RULE:
    case REASON_PINNED:
    case REASON_DEFAULT:
      return decision->rule ? decision->rule->mirror : decision->route->mirror;
    case REASON_FULL:
      return decision->route->mirror;
    case REASON_NO_ROUTE:
    case REASON_AMBIGUOUS:
    case REASON_OFF:
    case REASON_FORCED:
    case REASON_LIMIT:
    case REASON_FAILOVER:
      break;
  }
  return NULL;
}

static void note_state(struct decider *decider, const struct decide_request *request,
                       struct decision *ret) {
  if (request->recorded && recorded_state(request->recorded, ret)) return;
  if (decider->stated != ret->route) {
    decider->state = route_state(ret->route, &decider->is_overridden);
    decider->stated = ret->route;
  }
  ret->state = decider->state;
  ret->is_overridden = decider->is_overridden;
}

/* Finds the route, and decides by it. Whether the rules were asked. */
static bool decide_request(struct decider *decider, const struct decide_request *request,
                           struct decision *ret) {
  *ret = (struct decision){.variant = VARIANT_NONE, .reason = REASON_NO_ROUTE, .bucket = -1};
  ret->route = router_find(decider->router, request->attr.host, request->attr.path);
  if (!ret->route) return false;
  note_state(decider, request, ret);
  attr_reader_begin(decider->reader, ret->route->table, &request->attr);
  bool asked = decide_route(decider, request, ret);
  ret->mirror = find_mirror(ret);
  /* What was pending, or is not in the record, matters only where it left something undecided. */
  ret->pending = ret->reason == REASON_LIMIT && attr_reader_is_pending(decider->reader);
  if (request->recorded) recorded_note_unknown(decider, ret);
  return asked;
}

/* Whether the same rule of the same route decides however the path is read: an upstream that takes
 * an encoded slash for a slash must not serve what another rule was to keep from it. Otherwise
 * *ret is the decision; it may be that this is not known yet, or not at all. */
static bool readings_agree(struct decider *decider, const struct decide_request *request,
                           struct decision *ret) {
  struct decide_request reading = *request;
  reading.draw = false;
  struct decision first, other;
  decide_request(decider, &reading, &first);
  *ret = (struct decision){
      .variant = VARIANT_NONE, .reason = REASON_AMBIGUOUS, .bucket = -1, .pending = first.pending};
  for (size_t i = 0; i < request->attr.other_path_count; i++) {
    reading.attr.path = request->attr.other_paths[i];
    decide_request(decider, &reading, &other);
    ret->pending |= other.pending;
    if (ret->pending) return false;
    if (first.unknown != UNKNOWN_NOTHING || other.unknown != UNKNOWN_NOTHING) {
      *ret = first.unknown != UNKNOWN_NOTHING ? first : other;
      return false;
    }
    if (other.route != first.route || other.rule != first.rule || other.reason != first.reason)
      return false;
  }
  return true;
}

bool decider_has_read(const struct decider *decider, uint16_t slot) {
  return attr_reader_has_read(decider->reader, slot);
}

void decide(struct decider *decider, const struct decide_request *request, struct decision *ret,
            struct rules_trace *trace, struct arena *trace_arena) {
  if (trace) *trace = (struct rules_trace){0};
  decider->stated = NULL;
  if (request->attr.other_path_count > 0 && !readings_agree(decider, request, ret)) return;
  bool asked = decide_request(decider, request, ret);
  if (!ret->route || ret->pending) return;
  ret->time_was_read = attr_reader_time_was_read(decider->reader);
  ret->private_response =
      ret->set_cookie.p || ret->reason == REASON_FORCED || ret->reason == REASON_PINNED;
  if (!trace) return;
  if (!asked) {
    rules_trace_skipped(ret->route, trace, trace_arena);
    return;
  }
  attr_reader_begin(decider->reader, ret->route->table, &request->attr);
  rules_eval(ret->route, decider->reader, trace, trace_arena);
}
