/* status: what is served, and how well, as JSON: /api/v1/status and /api/v1/routes. */
#include "adit/arena.h"
#include "adit/config.h"
#include "adit/policy.h"
#include "adit/units.h"
#include "admin_private.h"

enum { STATUS_ARENA_BYTES = 256 << 20 };

/* ---- parts ----------------------------------------------------------------------------------- */

/* ,"key":"text" or, for the first of an object, without the comma. */
static void add_text(struct text *out, const char *key, struct str value) {
  text_add(out, str_from_cstr(key));
  text_add_json(out, value);
}

static void add_names(struct text *out, const char *key, const struct str *names, size_t n) {
  text_add(out, str_from_cstr(key));
  for (size_t i = 0; i < n; i++) {
    text_add_char(out, i == 0 ? '[' : ',');
    text_add_json(out, names[i]);
  }
  text_add(out, n == 0 ? STR("[]") : STR("]"));
}

static void add_finding(struct text *out, const struct diag *diag) {
  text_printf(out, "{\"level\":\"%s\"", diag_level_name(diag->level));
  add_text(out, ",\"file\":", str_from_cstr(diag->at.file));
  text_printf(out, ",\"line\":%u,\"column\":%u", diag->at.line, diag->at.column);
  add_text(out, ",\"message\":", str_from_cstr(diag->message));
  if (diag->hint) add_text(out, ",\"hint\":", str_from_cstr(diag->hint));
  text_add_char(out, '}');
}

void status_add_load(struct admin *admin, struct text *out) {
  char at[32];
  struct gateway_load *load = gateway_load_ref(admin->gateway);
  if (!load) { /* memory was short when it ended */
    text_add(out, STR("null"));
    return;
  }
  text_printf(out, "{\"outcome\":\"%s\"", gateway_outcome_name(load->outcome));
  add_text(out, ",\"at\":", time_format(load->at_ms, at, sizeof(at)));
  text_add(out, STR(",\"findings\":["));
  for (size_t i = 0; i < diags_size(load->diags); i++) {
    if (i > 0) text_add_char(out, ',');
    add_finding(out, diags_get(load->diags, i));
  }
  text_add(out, STR("]}"));
  gateway_load_unref(&load);
}

/* ---- routes ---------------------------------------------------------------------------------- */

static void add_variant(struct text *out, const struct route *route, uint16_t variant) {
  const struct route_variant *one = &route->variants[variant];
  add_text(out, "{\"name\":", one->name);
  add_text(out, ",\"upstream\":", one->upstream);
  text_printf(out, ",\"stable\":%s}", variant == route->stable ? "true" : "false");
}

/* Shares in percent, by variant; what is left is stable's. */
static void add_split(struct text *out, const struct route *route, const struct split *split) {
  text_add(out, STR("{"));
  bool any = false;
  for (uint16_t v = 0; v < route->variant_count; v++) {
    const unsigned buckets = split_weight(split, v);
    if (buckets == 0) continue;
    if (any) text_add_char(out, ',');
    any = true;
    text_add_json(out, route->variants[v].name);
    text_add_char(out, ':');
    split_add_percent(buckets, out);
  }
  text_add_char(out, '}');
}

static void add_rule(struct text *out, const struct route *route, const struct rule *rule) {
  add_text(out, "{\"id\":", rule->id);
  text_printf(out, ",\"line\":%u", rule->line);
  if (rule->to != VARIANT_NONE) {
    add_text(out, ",\"to\":", route->variants[rule->to].name);
  } else {
    text_add(out, STR(",\"split\":"));
    add_split(out, route, &rule->split);
  }
  text_add_char(out, '}');
}

static void add_rules(struct text *out, const struct route *route) {
  text_add(out, STR(",\"rules\":["));
  for (size_t i = 0; i < route->rule_count; i++) {
    if (i > 0) text_add_char(out, ',');
    add_rule(out, route, &route->rules[i]);
  }
  text_add(out, STR("],\"default\":{"));
  if (route->has_default_split) {
    text_add(out, STR("\"split\":"));
    add_split(out, route, &route->default_split);
  }
  text_add_char(out, '}');
}

static void add_route(struct text *out, const struct route *route,
                      const struct overrides_report *overrides, bool whole) {
  add_text(out, "{\"name\":", route->name);
  add_text(out, ",\"file\":", str_from_cstr(route->file));
  route_state_add(out, route, overrides_find(overrides, route->name));
  add_names(out, ",\"hosts\":", route->hosts, route->host_count);
  add_text(out, ",\"path_prefix\":", route->path_prefix.n > 0 ? route->path_prefix : STR("/"));
  text_add(out, STR(",\"variants\":["));
  for (uint16_t v = 0; v < route->variant_count; v++) {
    if (v > 0) text_add_char(out, ',');
    add_variant(out, route, v);
  }
  text_add_char(out, ']');
  if (whole)
    add_rules(out, route);
  else
    text_printf(out, ",\"rules\":%zu", route->rule_count);
  text_add_char(out, '}');
}

static void add_routes(struct text *out, const struct policy *policy,
                       const struct overrides_report *overrides) {
  text_add_char(out, '[');
  for (size_t i = 0; i < policy_route_count(policy); i++) {
    if (i > 0) text_add_char(out, ',');
    add_route(out, policy_route(policy, i), overrides, false);
  }
  text_add_char(out, ']');
}

/* What is overridden, for one answer; memory that is short fails the answer. */
static struct overrides_report report_of(struct admin *admin, struct text *out) {
  struct overrides_report report;
  if (!overrides_read(gateway_overrides(admin->gateway), &report)) out->failed = true;
  return report;
}

void ask_routes(struct admin *admin, const struct request *request, struct answer *answer) {
  (void)request;
  struct policy *policy = gateway_policy_ref(admin->gateway);
  struct overrides_report overrides = report_of(admin, &answer->body);
  text_add(&answer->body, STR("{\"routes\":"));
  add_routes(&answer->body, policy, &overrides);
  text_add(&answer->body, STR("}\n"));
  answer_json(answer, 200);
  overrides_report_deinit(&overrides);
  policy_unref(&policy);
}

void ask_route(struct admin *admin, const struct request *request, struct answer *answer) {
  struct policy *policy = gateway_policy_ref(admin->gateway);
  struct overrides_report overrides = report_of(admin, &answer->body);
  const struct route *route = NULL;
  for (size_t i = 0; i < policy_route_count(policy) && !route; i++)
    if (str_eq(policy_route(policy, i)->name, request->name)) route = policy_route(policy, i);
  if (route) {
    add_route(&answer->body, route, &overrides, true);
    text_add_char(&answer->body, '\n');
    answer_json(answer, 200);
  } else {
    answer_no_route(policy, request->name, answer);
  }
  overrides_report_deinit(&overrides);
  policy_unref(&policy);
}

/* Where overrides are kept, and those whose route is not served at present. */
static void add_overrides(struct text *out, const struct overrides_report *overrides) {
  bool any = false;
  text_printf(out, ",\"overrides\":{\"routes\":%zu", overrides->n);
  overrides_kept_add(out, overrides);
  text_add(out, STR(",\"waiting\":["));
  for (size_t i = 0; i < overrides->n; i++) {
    if (!overrides->items[i].is_waiting) continue;
    add_text(out, any ? ",{\"route\":" : "{\"route\":", str_from_cstr(overrides->items[i].route));
    route_state_add(out, NULL, &overrides->items[i]);
    text_add_char(out, '}');
    any = true;
  }
  text_add(out, STR("]}"));
}

/* ---- upstreams ------------------------------------------------------------------------------- */

static const char *health_name(const struct gateway_endpoint *endpoint) {
  if (!endpoint->is_checked) return "unchecked";
  return endpoint->share > 0 ? "healthy" : "unhealthy";
}

static void add_endpoint(struct text *out, const struct gateway_endpoint *endpoint) {
  add_text(out, "{\"address\":", endpoint->address);
  text_printf(out, ",\"weight\":%u,\"health\":\"%s\",\"share\":%u", endpoint->weight,
              health_name(endpoint), endpoint->share);
  text_printf(out, ",\"ejected_by\":%u,\"ejected_ms\":%lld", endpoint->ejected_by,
              (long long)endpoint->ejected_ms);
  text_printf(out, ",\"active\":%llu,\"idle\":%llu}", (unsigned long long)endpoint->active,
              (unsigned long long)endpoint->idle);
}

/* As the file names them, those that drain, too. */
static void add_configured(struct text *out, const struct config_upstream *upstream) {
  for (size_t i = 0; i < upstream->endpoint_count; i++) {
    const struct config_endpoint *one = &upstream->endpoints[i];
    add_text(out, i == 0 ? "{\"address\":" : ",{\"address\":", one->text);
    text_printf(out, ",\"weight\":%u,\"drain\":%s}", one->weight, one->drains ? "true" : "false");
  }
}

static void add_upstream(struct text *out, const struct config_upstream *upstream,
                         const struct gateway_endpoints *all) {
  bool any = false;
  add_text(out, "{\"name\":", upstream->name);
  text_add(out, STR(",\"configured\":["));
  add_configured(out, upstream);
  text_add(out, STR("],\"endpoints\":["));
  for (size_t i = 0; i < all->n; i++) {
    if (!str_eq(all->items[i].upstream, upstream->name)) continue;
    if (any) text_add_char(out, ',');
    any = true;
    add_endpoint(out, &all->items[i]);
  }
  text_add(out, STR("]}"));
}

static void add_upstreams(struct admin *admin, const struct config *config, struct text *out) {
  struct gateway_endpoints endpoints;
  struct arena *arena = arena_new(STATUS_ARENA_BYTES);
  if (!arena || !gateway_endpoints_read(admin->gateway, arena, &endpoints)) {
    out->failed = true;
  } else {
    text_printf(out, ",\"workers_asked\":%u,\"upstreams\":[", endpoints.workers);
    for (size_t i = 0; i < config->upstream_count; i++) {
      if (i > 0) text_add_char(out, ',');
      add_upstream(out, &config->upstreams[i], &endpoints);
    }
    text_add_char(out, ']');
  }
  arena_free(&arena);
}

/* ---- the whole ------------------------------------------------------------------------------- */

static struct str stage_name(enum gateway_stage stage) {
  switch (stage) {
    case GATEWAY_STARTING:
      return STR("starting");
    case GATEWAY_SERVING:
      return STR("serving");
    case GATEWAY_UPGRADING:
      return STR("upgrading");
    case GATEWAY_SUCCEEDED:
      return STR("succeeded");
    case GATEWAY_DRAINING:
      break;
  }
  return STR("draining");
}

void ask_status(struct admin *admin, const struct request *request, struct answer *answer) {
  (void)request;
  struct text *out = &answer->body;
  struct policy *policy = gateway_policy_ref(admin->gateway);
  const struct config *config = policy_config(policy);
  struct gateway_gauges gauges = gateway_gauges(admin->gateway);
  struct overrides_report overrides = report_of(admin, out);
  add_text(out, "{\"version\":", STR(ADIT_VERSION));
  add_text(out, ",\"stage\":", stage_name(gateway_stage(admin->gateway)));
  text_printf(out, ",\"uptime_ms\":%lld,\"workers\":%u,\"open_connections\":%llu",
              (long long)gauges.uptime_ms, gauges.workers, (unsigned long long)gauges.clients);
  add_text(out, ",\"config\":", str_from_cstr(config->path));
  add_text(out, ",\"hash\":", policy_hash(policy));
  text_add(out, STR(",\"load\":"));
  status_add_load(admin, out);
  text_add(out, STR(",\"routes\":"));
  add_routes(out, policy, &overrides);
  add_overrides(out, &overrides);
  add_upstreams(admin, config, out);
  text_add(out, STR(",\"configuration\":"));
  configuration_write(config, out);
  text_add(out, STR("}\n"));
  answer_json(answer, 200);
  overrides_report_deinit(&overrides);
  policy_unref(&policy);
}
