/*
 * A decision as text for people.
 *
 *   explanation_format ─► format_summary   variant, reason, route, upstream
 *                      ─► format_draw      the bucket and where it came from (explanation_draw.c)
 *                      ─► format_rules     every rule, every condition (explanation_rules.c)
 */
#include "cli/explanation.h"

#include "adit/text.h"
#include "adit/units.h"
#include "adit/zone.h"
#include "cli/logged.h"

void explanation_format_percent(unsigned buckets, struct text *out) {
  split_add_percent(buckets, out);
  text_add(out, STR(" %"));
}

void explanation_label(struct text *out, const char *label) {
  text_printf(out, "%-9s", label);
}

/* "of the header X-Canary", "of the cookie canary": what forced. */
static void format_force_source(const struct explanation *shown, struct text *out) {
  const struct route_force *force = &shown->decision->route->force;
  struct str value = {0};
  if (shown->request->recorded) {
    text_add(out, STR("the request, as the log says"));
  } else if (shown->decision->forced_by_cookie) {
    text_printf(out, "the cookie %.*s", STR_ARG(force->cookie));
  } else {
    (void)attr_request_header(&shown->request->attr, force->header, 0, &value);
    text_printf(out, "the header %.*s: %.*s", STR_ARG(force->header), STR_ARG(value));
  }
}

void explanation_format_reason(const struct explanation *shown, struct text *out) {
  const struct decision *decision = shown->decision;
  const struct route *route = decision->route;
  struct str rule = decision->rule ? decision->rule->id : STR("");
  text_printf(out, "%s: ", decide_reason_name(decision->reason));
  switch (decision->reason) {
    case REASON_NO_ROUTE:
      text_add(out, STR("no route has this host and path; the gateway answers 404"));
      break;
    case REASON_AMBIGUOUS:
      text_add(out, STR("with its encoded slashes or backslashes as slashes the path is another "
                        "rule's or route's; the gateway answers 400"));
      break;
    case REASON_OFF:
      text_add(out, STR("the route is off, everyone gets stable"));
      break;
    case REASON_FORCED:
      text_add(out, STR("asked for by "));
      format_force_source(shown, out);
      break;
    case REASON_FULL:
      text_add(out, STR("the route is full, everyone gets the first canary"));
      break;
    case REASON_RULE:
      text_printf(out, "rule '%.*s' matches", STR_ARG(rule));
      if (decision->rule->to == VARIANT_NONE) text_add(out, STR(", and its split decides"));
      break;
    case REASON_PINNED:
      text_printf(out, "%s remembers an earlier draw",
                  shown->request->pin.p ? "--pin stands for a cookie that" : "the sticky cookie");
      if (rule.n) text_printf(out, "; rule '%.*s' matches", STR_ARG(rule));
      break;
    case REASON_DEFAULT:
      text_add(out, route->has_default_split ? STR("no rule matches, and the default split decides")
                                             : STR("no rule matches, so stable"));
      break;
    case REASON_LIMIT:
      if (rule.n)
        text_printf(out, "rule '%.*s' is too costly to decide", STR_ARG(rule));
      else
        text_add(out, STR("a split's key is too costly to read"));
      text_add(out, STR(", so stable"));
      break;
    case REASON_FAILOVER: /* the gateway's, never decide's */
      text_add(out, STR("the canary has no healthy endpoint"));
      break;
  }
  text_add_char(out, '\n');
}

static bool is_one_of(const struct route_force *force, struct str value) {
  for (size_t i = 0; i < force->value_count; i++) {
    if (str_eq(force->values[i].value, value)) return true;
  }
  return false;
}

static bool is_allowed(const struct route_force *force, const struct ip_address *ip) {
  for (size_t i = 0; i < force->allow_from_count; i++) {
    if (ip_network_contains(&force->allow_from[i], ip)) return true;
  }
  return force->allow_from_count == 0;
}

/* A force header or cookie that is there. */
static void format_refused(const struct explanation *shown, struct str name, struct str value,
                           bool repeated, struct text *out) {
  const struct route_force *force = &shown->decision->route->force;
  explanation_label(out, "force");
  text_printf(out, "%.*s is there but does not count: ", STR_ARG(name));
  if (repeated) {
    text_add(out, STR("it comes more than once\n"));
  } else if (!is_one_of(force, value)) {
    text_printf(out, "'%.*s' is none of its values\n", STR_ARG(value));
  } else if (!is_allowed(force, &shown->request->attr.client_ip)) {
    text_add(out, STR("client_ip is not in allow_from\n"));
  } else {
    text_add(out, STR("X-Canary-Token does not match\n"));
  }
}

/* The header or cookie of a QA engineer who wonders why it has no effect. */
static void format_force_refused(const struct explanation *shown, struct text *out) {
  const struct route_force *force = &shown->decision->route->force;
  const struct attr_request *request = &shown->request->attr;
  struct str value, second;
  if (!force->enabled || shown->decision->reason == REASON_FORCED ||
      shown->decision->reason == REASON_OFF)
    return;
  if (attr_request_header(request, force->header, 0, &value))
    format_refused(shown, force->header, value,
                   attr_request_header(request, force->header, 1, &second), out);
  if (force->cookie.p && attr_reader_cookie(shown->reader, force->cookie, 0, &value))
    format_refused(shown, force->cookie, value,
                   attr_reader_cookie(shown->reader, force->cookie, 1, &second), out);
}

static void format_mirror(const struct explanation *shown, struct text *out) {
  const struct decision *decision = shown->decision;
  const struct route_mirror *mirror = decision->mirror;
  const enum http_method method = http_method_id(shown->request->attr.method);
  if (!mirror || mirror->to == decision->variant || !(mirror->methods >> method & 1)) return;
  explanation_label(out, "mirror");
  explanation_format_percent(mirror->buckets, out);
  struct str to = decision->route->variants[mirror->to].name;
  text_printf(out, " of such requests, drawn one by one, are copied to %.*s\n", STR_ARG(to));
}

/* A --pin that stands for no pin of this route. */
static void format_pin(const struct explanation *shown, struct text *out) {
  const struct route *route = shown->decision->route;
  struct str pin = shown->request->pin;
  if (!pin.p || route_is_canary(route, route_find_variant(route, pin))) return;
  explanation_label(out, "pin");
  text_printf(out, "'%.*s' is no canary of this route, so it does not count\n", STR_ARG(pin));
}

static void format_token(const struct explanation *shown, struct text *out) {
  if (shown->token.n == 0) return;
  explanation_label(out, "token");
  text_printf(out, "%.*s\n", STR_ARG(shown->token));
}

static void format_cookie(const struct explanation *shown, struct text *out) {
  const struct decision *decision = shown->decision;
  if (decision->cookie == COOKIE_NOT_READ || decision->cookie == COOKIE_ABSENT) return;
  explanation_label(out, "cookie");
  text_printf(out, "%.*s: %s", STR_ARG(decision->route->sticky.cookie_name),
              cookie_verdict_name(decision->cookie));
  if (decision->cookie == COOKIE_FORGED && policy_config(shown->policy)->key_count == 0) {
    text_add(out, STR("; adit.json has no sticky.keys, so a running gateway has a random key that "
                      "is not known here"));
  }
  text_add_char(out, '\n');
}

/* " (fri 23:30:00 in Asia/Shanghai)", where a rule may ask for it. */
static void format_local_time(const struct explanation *shown, struct text *out) {
  const struct attr_table *table = shown->decision->route->table;
  bool is_asked = false;
  for (size_t i = 0; i < attr_table_size(table); i++)
    is_asked |= attr_table_channel(table, (uint16_t)i) == ATTR_FROM_LOCAL_TIME;
  if (!is_asked) return;
  char buffer[TIME_OF_DAY_BYTES];
  const struct zone *zone = attr_table_zone(table);
  struct zone_local local = zone_local(zone, shown->request->attr.now_ms);
  struct str weekday = weekday_name(local.weekday), name = zone_name(zone);
  struct str time = time_of_day_format(local.second, buffer);
  text_printf(out, " (%.*s %.*s in %.*s)", STR_ARG(weekday), STR_ARG(time), STR_ARG(name));
}

static void format_time(const struct explanation *shown, struct text *out) {
  char buffer[32];
  if (!shown->decision->time_was_read) return;
  explanation_label(out, "time");
  struct str now = time_format(shown->request->attr.now_ms, buffer, sizeof(buffer));
  text_printf(out, "as of %.*s", STR_ARG(now));
  format_local_time(shown, out);
  text_add(out, STR("; another time may give another answer\n"));
}

/* The log does not tell enough: what can be said all the same. */
static void format_unknown(const struct explanation *shown, struct text *out) {
  const struct route *route = shown->decision->route;
  explanation_label(out, "variant");
  text_add(out, STR("not known\n"));
  explanation_label(out, "reason");
  logged_format_unknown(shown->request, shown->decision, out);
  text_add_char(out, '\n');
  explanation_label(out, "route");
  text_printf(out, "%.*s (%s), state %s\n", STR_ARG(route->name), route->file,
              route_state_name(route->state));
  explanation_format_rules(shown, out);
}

void explanation_format(const struct explanation *shown, struct text *out) {
  const struct decision *decision = shown->decision;
  const struct route *route = decision->route;
  if (route && decision->unknown != UNKNOWN_NOTHING) {
    format_unknown(shown, out);
    return;
  }
  if (!route) {
    explanation_label(out, "route");
    text_printf(out, "none\n");
    explanation_label(out, "reason");
    explanation_format_reason(shown, out);
    return;
  }
  const struct route_variant *variant = &route->variants[decision->variant];
  explanation_label(out, "variant");
  text_printf(out, "%.*s (upstream %.*s)\n", STR_ARG(variant->name), STR_ARG(variant->upstream));
  explanation_label(out, "reason");
  explanation_format_reason(shown, out);
  explanation_label(out, "route");
  text_printf(out, "%.*s (%s), state %s\n", STR_ARG(route->name), route->file,
              route_state_name(route->state));
  explanation_format_draw(shown, out);
  format_mirror(shown, out);
  format_token(shown, out);
  format_cookie(shown, out);
  format_force_refused(shown, out);
  format_pin(shown, out);
  format_time(shown, out);
  explanation_format_rules(shown, out);
}
