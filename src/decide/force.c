/*
 * force: QA's header or cookie (contract §4, "Force").
 */
#include "decide_private.h"

static uint16_t find_value(const struct route_force *force, struct str value) {
  for (size_t i = 0; i < force->value_count; i++)
    if (str_eq(force->values[i].value, value)) return force->values[i].variant;
  return VARIANT_NONE;
}

/* The value of a header that came in exactly one field line; a repeated one counts as absent. */
static bool find_single_header(const struct attr_request *request, struct str name,
                               struct str *ret) {
  struct str second;
  return attr_request_header(request, name, 0, ret) &&
         !attr_request_header(request, name, 1, &second);
}

static uint16_t find_by_header(const struct route_force *force,
                               const struct decide_request *request) {
  struct str value;
  if (!find_single_header(&request->attr, force->header, &value)) return VARIANT_NONE;
  return find_value(force, value);
}

static uint16_t find_by_cookie(const struct route_force *force, struct attr_reader *reader) {
  struct str value, second;
  if (!force->cookie.p || !attr_reader_cookie(reader, force->cookie, 0, &value) ||
      attr_reader_cookie(reader, force->cookie, 1, &second))
    return VARIANT_NONE;
  return find_value(force, value);
}

bool force_is_open_to(const struct route_force *force, const struct ip_address *client) {
  for (size_t i = 0; i < force->allow_from_count; i++)
    if (ip_network_contains(&force->allow_from[i], client)) return true;
  return force->allow_from_count == 0;
}

static bool is_allowed(const struct route_force *force, const struct attr_request *request) {
  const bool from = force_is_open_to(force, &request->client_ip);
  if (!from || !force->token.p) return from;
  struct str token;
  return find_single_header(request, STR("X-Canary-Token"), &token) &&
         crypto_equal(token, force->token);
}

uint16_t force_find(struct decider *decider, const struct route *route,
                    const struct decide_request *request, bool *ret_by_cookie) {
  const struct route_force *force = &route->force;
  if (!force->enabled) return VARIANT_NONE;
  uint16_t variant = find_by_header(force, request);
  *ret_by_cookie = variant == VARIANT_NONE;
  if (variant == VARIANT_NONE) variant = find_by_cookie(force, decider->reader);
  if (variant == VARIANT_NONE || !is_allowed(force, &request->attr)) return VARIANT_NONE;
  return variant;
}
