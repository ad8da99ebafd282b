/*
 * draw: what a split gives, and what is remembered of it (contract §4, "Splits", "Stickiness").
 *
 *   visitor_read    the first sticky cookie that verifies, and whether its pin is valid
 *   draw_bucket     key → bucket: split.by, sticky.by, the anonymous id, a new one
 *   visitor_remember  the cookie, when there is something new to say
 */
#include "decide_private.h"

enum { ANONYMOUS_KEY_MAX = (ANONYMOUS_ID_BYTES * 4 + 2) / 3 };

/* Who asks, as far as the sticky cookie tells. */
struct visitor {
  bool has_id;     /* cookie.anonymous_id holds */
  bool id_is_new;  /* it was made just now */
  bool has_cookie; /* a cookie verified; `cookie` is what it says */
  uint16_t pinned; /* VARIANT_NONE: no valid pin */
  struct sticky_cookie cookie;
};

uint16_t find_canary(const struct route *route, struct str name) {
  uint16_t variant = route_find_variant(route, name);
  return variant != VARIANT_NONE && route_is_canary(route, variant) ? variant : VARIANT_NONE;
}

/* Of several cookies with the name the first that verifies counts; a few are tried. */
static bool read_cookie(struct decider *decider, const struct decide_request *request,
                        struct sticky_cookie *cookie, struct decision *ret) {
  const struct route_sticky *sticky = &ret->route->sticky;
  ret->cookie = COOKIE_ABSENT;
  struct str value;
  for (size_t k = 0; k < COOKIES_TRIED_MAX; k++) {
    if (!attr_reader_cookie(decider->reader, sticky->cookie_name, k, &value)) return false;
    enum cookie_verdict verdict = sticky_cookie_read(decider, sticky->cookie_name, value,
                                                     sticky->ttl_ms, request->attr.now_ms, cookie);
    if (verdict == COOKIE_VALID) {
      ret->cookie = verdict;
      return true;
    }
    if (ret->cookies_refused++ == 0) ret->cookie = verdict;
  }
  return false;
}

static void visitor_read(struct decider *decider, const struct decide_request *request,
                         struct visitor *visitor, struct decision *ret) {
  const struct route *route = ret->route;
  *visitor = (struct visitor){.pinned = VARIANT_NONE};
  if (!route->sticky.cookie) return;
  if (request->pin.p) {
    visitor->pinned = find_canary(route, request->pin);
    visitor->cookie.epoch = route->sticky.epoch;
    return;
  }
  if (request->ignore_cookie || !read_cookie(decider, request, &visitor->cookie, ret)) return;
  visitor->has_cookie = visitor->has_id = true;
  if (!visitor->cookie.variant.p) return;
  if (visitor->cookie.epoch >= route->sticky.epoch)
    visitor->pinned = find_canary(route, visitor->cookie.variant);
  if (visitor->pinned == VARIANT_NONE) ret->cookie = COOKIE_VOID_PIN;
}

static bool visitor_make_id(const struct decide_request *request, struct visitor *visitor) {
  if (!request->random(request->random_context, visitor->cookie.anonymous_id, ANONYMOUS_ID_BYTES))
    return false;
  visitor->has_id = visitor->id_is_new = true;
  return true;
}

/* The first slot that is present and not empty. One that a limit left undecided might be: the
 * search must not go on to a key that another request of the same user would not use. */
static enum decide_key find_key(struct attr_reader *reader, const uint16_t *slots, size_t n,
                                struct str *ret) {
  for (size_t i = 0; i < n; i++) {
    const struct attr_value *value = attr_read(reader, slots[i]);
    if (value->state == ATTR_UNDECIDED)
      return attr_reader_is_pending(reader) ? KEY_PENDING : KEY_UNDECIDED;
    if (value->state != ATTR_PRESENT || value->data[0].text.n == 0) continue;
    *ret = value->data[0].text;
    return KEY_FOUND;
  }
  return KEY_NONE;
}

enum decide_key decider_find_key(struct decider *decider, const struct attr_request *request,
                                 const struct attr_table *table, const uint16_t *slots, size_t n,
                                 struct str *ret) {
  attr_reader_begin(decider->reader, table, request);
  return find_key(decider->reader, slots, n, ret);
}

static int anonymous_bucket(const struct route *route, const struct visitor *visitor) {
  char text[ANONYMOUS_KEY_MAX];
  size_t n = base64url_encode(
      str_make((const char *)visitor->cookie.anonymous_id, ANONYMOUS_ID_BYTES), text);
  return (int)rules_bucket(route->sticky.salt, str_make(text, n));
}

/* A visitor without a key where the route keeps no cookie: drawn anew each time. */
static int fresh_bucket(const struct decide_request *request) {
  uint32_t number;
  if (!request->random(request->random_context, &number, sizeof(number))) return -1;
  return (int)(((uint64_t)number * BUCKETS) >> 32);
}

/* The key's bucket in *ret, -1 without a key. False: a limit left the key undecided. */
static bool draw_bucket(struct decider *decider, const struct decide_request *request,
                        const struct split *split, const struct route *route,
                        struct visitor *visitor, int *ret) {
  if (request->has_bucket) {
    *ret = (int)request->bucket;
    return true;
  }
  struct str key;
  enum decide_key result = find_key(decider->reader, split->by, split->by_count, &key);
  if (result == KEY_NONE)
    result = find_key(decider->reader, route->sticky.by, route->sticky.by_count, &key);
  switch (result) {
    case KEY_FOUND:
      *ret = (int)rules_bucket(route->sticky.salt, key);
      return true;
    case KEY_UNDECIDED:
    case KEY_PENDING:
      return false;
    case KEY_NONE:
      break;
  }
  if (!visitor->has_id && request->draw && route->sticky.cookie) visitor_make_id(request, visitor);
  if (visitor->has_id)
    *ret = anonymous_bucket(route, visitor);
  else
    *ret = request->draw && !route->sticky.cookie ? fresh_bucket(request) : -1;
  return true;
}

/* "Older than half of its ttl": renewed, so that a regular visitor never bounces. */
static bool visitor_is_due(const struct visitor *visitor, const struct route *route,
                           int64_t now_ms) {
  return visitor->has_cookie && now_ms - visitor->cookie.issued_ms > route->sticky.ttl_ms / 2;
}

/* Sets the cookie when it would say something new: an id, a pin, or a later time of issue. */
static void visitor_remember(struct decider *decider, const struct decide_request *request,
                             struct visitor *visitor, struct decision *ret) {
  const struct route *route = ret->route;
  bool pinned = visitor->pinned != VARIANT_NONE;
  bool drew_canary = !pinned && ret->variant != route->stable;
  int64_t now_ms = request->attr.now_ms;
  if (!visitor->id_is_new && !drew_canary && !visitor_is_due(visitor, route, now_ms)) return;
  if (!visitor->has_id && !visitor_make_id(request, visitor)) return;
  struct sticky_cookie *cookie = &visitor->cookie;
  /* A renewed pin stays the draw it was; anything else is of this file's epoch. */
  if (!pinned) cookie->epoch = route->sticky.epoch;
  cookie->variant = pinned || drew_canary ? route->variants[ret->variant].name : (struct str){0};
  cookie->issued_ms = now_ms;
  bool https = str_eq(request->attr.scheme, STR("https"));
  ret->set_cookie = set_cookie_format(decider, route, cookie, https);
}

/* The same of a record, whose cookie is not there to be read: its id is in the bucket. */
static void draw_recorded(struct decider *decider, const struct decide_request *request,
                          const struct split *split, struct decision *ret) {
  const struct route *route = ret->route;
  uint16_t pin;
  if (!recorded_pin(request->recorded, ret, &pin)) {
    recorded_leave_unknown(ret, UNKNOWN_PIN);
    return;
  }
  if (pin != VARIANT_NONE) {
    ret->variant = pin;
    ret->reason = REASON_PINNED;
    return;
  }
  if (ret->state == ROUTE_DRAIN) return;
  struct visitor visitor = {.pinned = VARIANT_NONE};
  const bool decided = draw_bucket(decider, request, split, route, &visitor, &ret->bucket);
  const bool limited = !decided && attr_reader_unknown(decider->reader) == ATTR_SLOT_NONE;
  if (ret->bucket < 0 && !limited) ret->bucket = recorded_bucket(request->recorded, route, split);
  const uint16_t whole = split_whole(split);
  if (ret->bucket >= 0)
    ret->variant = split_variant(split, (unsigned)ret->bucket, route->stable);
  else if (!decided)
    ret->reason = REASON_LIMIT; /* of a limit then, or of an attribute that the record lacks */
  else if (whole != VARIANT_NONE)
    ret->variant = whole;
  else
    recorded_leave_unknown(ret, UNKNOWN_BUCKET);
}

void draw_split(struct decider *decider, const struct decide_request *request,
                const struct split *split, struct decision *ret) {
  const struct route *route = ret->route;
  bool drains = ret->state == ROUTE_DRAIN;
  struct visitor visitor;
  if (request->recorded) {
    draw_recorded(decider, request, split, ret);
    return;
  }
  visitor_read(decider, request, &visitor, ret);
  if (visitor.pinned != VARIANT_NONE) {
    ret->variant = visitor.pinned;
    ret->reason = REASON_PINNED;
  } else if (!drains) {
    if (!draw_bucket(decider, request, split, route, &visitor, &ret->bucket)) {
      ret->reason = REASON_LIMIT;
      return;
    }
    uint16_t whole = split_whole(split);
    if (ret->bucket >= 0)
      ret->variant = split_variant(split, (unsigned)ret->bucket, route->stable);
    else if (whole != VARIANT_NONE)
      ret->variant = whole;
  }
  if (request->draw && route->sticky.cookie && !drains)
    visitor_remember(decider, request, &visitor, ret);
}
