/*
 * Routes that take each other's requests against what a reader expects: the more specific host goes
 * before the longer prefix, so that a route's prefix may never come to bear.
 *
 *   route a: host shop.example.com, prefix /        takes shop.example.com/api
 *   route b: every host,            prefix /api     although its prefix is the longer one
 */
#include "adit/text.h"
#include "analysis.h"

enum { PAIRS_MAX = 200000, ROUTES_REPORTED_MAX = 8 };

static bool is_wildcard(struct str host) {
  return str_starts_with(host, STR("*."));
}

/* A host that both patterns hold for, where `wins` is the more specific. Absent: none. */
static struct str common_host(struct analysis *analysis, struct str wins, struct str loses) {
  bool is_inner = !loses.p;
  if (loses.p && is_wildcard(loses)) {
    struct str end = str_skip(loses, 1);
    /* "*.a.x" within "*.x"; "a.x" within "*.x". */
    is_inner = wins.n > end.n && str_ends_with(wins, end) && !str_eq(wins, loses);
  }
  if (!is_inner) return (struct str){0};
  if (!is_wildcard(wins)) return wins;
  struct str end = str_skip(wins, 1);
  return arena_printf(analysis->arena, "any%.*s", STR_ARG(end));
}

static bool is_longer_within(struct str inner, struct str outer) {
  return inner.n > outer.n && str_starts_with(inner, outer) && inner.p[outer.n] == '/';
}

static bool report_taken(struct analysis *analysis, const struct route *winner, struct str host) {
  const struct route *route = analysis->route;
  struct str prefix = route->path_prefix;
  if (router_find(analysis->input->router, host, prefix) != winner) return false;
  struct text json;
  text_init(&json, 1 << 16);
  struct model_base base = {
      .route = route, .host = host, .path = prefix, .now_ms = analysis->input->now_ms};
  bool ok = model_write_plain(&base, analysis->tried, &json);
  struct decide_request request;
  ok = ok && analysis->input->read(analysis->input->context, text_str(&json), &request) &&
       router_find(analysis->input->router, request.attr.host, request.attr.path) == winner;
  if (ok) {
    report(
        analysis, FINDING_ROUTES, route->match_place, NULL, text_str(&json),
        "a more specific host goes before a longer prefix",
        "route '%.*s' does not get http://%.*s%.*s: route '%.*s' (%s) has the more specific host",
        STR_ARG(route->name), STR_ARG(host), STR_ARG(prefix), STR_ARG(winner->name), winner->file);
  }
  text_deinit(&json);
  return ok;
}

/* Whether something was reported: one example for each pair of routes. */
static bool check_pair(struct analysis *analysis, const struct route *winner, size_t *pairs_left) {
  const struct route *route = analysis->route;
  for (size_t i = 0; i < winner->host_count; i++) {
    for (size_t k = 0; k < route->host_count || k == 0; k++) {
      if ((*pairs_left)-- == 1) return false;
      struct str loses = route->host_count > 0 ? route->hosts[k] : (struct str){0};
      struct str host = common_host(analysis, winner->hosts[i], loses);
      if (host.p && report_taken(analysis, winner, host)) return true;
    }
  }
  return false;
}

void find_in_routes(struct analysis *analysis) {
  const struct findings_input *input = analysis->input;
  size_t pairs_left = PAIRS_MAX, reported = 0;
  analysis_begin(analysis);
  for (size_t i = 0; i < input->route_count && pairs_left > 1; i++) {
    const struct route *other = input->routes[i];
    if (other == analysis->route || reported == ROUTES_REPORTED_MAX ||
        !is_longer_within(analysis->route->path_prefix, other->path_prefix))
      continue;
    reported += check_pair(analysis, other, &pairs_left);
  }
}
