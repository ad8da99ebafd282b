/* What chose the bucket: the flag, a key, the anonymous id in the cookie, or nothing. */
#include "adit/text.h"
#include "cli/explanation.h"

/* The split that was asked, or NULL. */
static const struct split *split_of(const struct decision *decision) {
  const struct route *route = decision->route;
  bool asked = decision->reason == REASON_RULE || decision->reason == REASON_PINNED ||
               decision->reason == REASON_DEFAULT;
  if (!asked) return NULL;
  if (decision->rule) return decision->rule->to == VARIANT_NONE ? &decision->rule->split : NULL;
  return route->has_default_split ? &route->default_split : NULL;
}

/* The first key that is there, as decide() finds it. */
static bool find_key(const struct explanation *shown, const struct split *split, uint16_t *ret_slot,
                     struct str *ret_key) {
  const struct route_sticky *sticky = &shown->decision->route->sticky;
  for (size_t i = 0; i < split->by_count + sticky->by_count; i++) {
    uint16_t slot = i < split->by_count ? split->by[i] : sticky->by[i - split->by_count];
    const struct attr_value *value = attr_read(shown->reader, slot);
    if (value->state != ATTR_PRESENT || value->data[0].text.n == 0) continue;
    *ret_slot = slot;
    *ret_key = value->data[0].text;
    return true;
  }
  return false;
}

static void add_key_names(const struct explanation *shown, const struct split *split,
                          struct text *out) {
  const struct route *route = shown->decision->route;
  const struct route_sticky *sticky = &route->sticky;
  size_t n = split->by_count + sticky->by_count;
  for (size_t i = 0; i < n; i++) {
    uint16_t slot = i < split->by_count ? split->by[i] : sticky->by[i - split->by_count];
    struct str name = attr_table_name(route->table, slot);
    text_printf(out, "%s%.*s", i ? ", " : "", STR_ARG(name));
  }
}

static void format_bucket_source(const struct explanation *shown, const struct split *split,
                                 struct text *out) {
  const struct decision *decision = shown->decision;
  struct str salt = decision->route->sticky.salt;
  uint16_t slot;
  struct str key;
  if (shown->request->has_bucket) {
    text_add(out, STR("as --bucket says"));
  } else if (find_key(shown, split, &slot, &key)) {
    struct str name = attr_table_name(decision->route->table, slot);
    text_printf(out, "the bucket of %.*s ", STR_ARG(name));
    text_add_json(out, key);
    text_printf(out, " with salt '%.*s'", STR_ARG(salt));
  } else if (shown->request->recorded) {
    text_add(out, STR("as the log says"));
  } else {
    text_printf(out, "the bucket of the anonymous id in the cookie %.*s with salt '%.*s'",
                STR_ARG(decision->route->sticky.cookie_name), STR_ARG(salt));
  }
}

/* A split was asked, and no bucket chose. */
static void format_no_bucket(const struct explanation *shown, const struct split *split,
                             struct text *out) {
  const struct route *route = shown->decision->route;
  text_add(out, STR("none: "));
  if (shown->decision->reason == REASON_PINNED) {
    text_add(out, STR("the pin goes before the bucket"));
  } else if (route->state == ROUTE_DRAIN) {
    text_add(out, STR("the route drains, so that a split gives stable to all who are not pinned"));
  } else {
    bool keys = split->by_count + route->sticky.by_count > 0;
    if (keys) {
      text_add(out, STR("no key is there ("));
      add_key_names(shown, split, out);
      text_add(out, STR("), "));
    }
    text_printf(out, "%s; ",
                keys ? "nor a valid sticky cookie" : "there is no valid sticky cookie");
    text_add(out, route->sticky.cookie ? STR("'adit run' would draw an anonymous id and set one")
                                       : STR("'adit run' would draw anew for each request"));
    if (split_whole(split) != VARIANT_NONE) text_add(out, STR("; one canary has 100 %"));
  }
}

void explanation_format_draw(const struct explanation *shown, struct text *out) {
  const struct decision *decision = shown->decision;
  const struct split *split = split_of(decision);
  if (!split) return;
  explanation_label(out, "bucket");
  if (decision->bucket >= 0) {
    text_printf(out, "%d of 0..%d: ", decision->bucket, BUCKETS - 1);
    format_bucket_source(shown, split, out);
  } else {
    format_no_bucket(shown, split, out);
  }
  text_add_char(out, '\n');
}
