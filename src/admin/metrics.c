/*
 * metrics: GET /metrics, in Prometheus' text format 0.0.4.
 *
 * What is read was stored by whoever counts, relaxed, each number by itself: a scrape may see one
 * request's parts in two scrapes.
 */
#include <string.h>

#include "adit/config.h"
#include "adit/diag.h"
#include "adit/policy.h"
#include "adit/text.h"
#include "admin_private.h"

/* ---- the format ------------------------------------------------------------------------------ */

void metrics_begin(struct text *out, const char *name, const char *suffix, const char *type,
                   const char *help) {
  text_printf(out, "# HELP adit_%s%s %s\n# TYPE adit_%s%s %s\n", name, suffix, help, name, suffix,
              type);
}

static void add_gauge(struct text *out, const char *name, const char *help, uint64_t value) {
  metrics_begin(out, name, "", "gauge", help);
  text_printf(out, "adit_%s %llu\n", name, (unsigned long long)value);
}

/* In seconds, with the milliseconds. */
static void add_seconds(struct text *out, const char *name, const char *help, int64_t ms) {
  metrics_begin(out, name, "", "gauge", help);
  text_printf(out, "adit_%s %lld.%03d\n", name, (long long)(ms / 1000), (int)(ms % 1000));
}

/* A sample's value, and its end: Prometheus counts time in seconds. */
static void add_us(struct text *out, uint64_t us) {
  text_printf(out, " %llu.%06llu\n", (unsigned long long)(us / 1000000),
              (unsigned long long)(us % 1000000));
}

static void add_time(struct text *out, struct str name, const char *meaning, uint64_t us) {
  char base[64];
  (void)str_copy_to(name, base, sizeof(base));
  metrics_begin(out, base, "_seconds_total", "counter", meaning);
  text_printf(out, "adit_%s_seconds_total", base);
  add_us(out, us);
}

/* gateway_counter_fn */
static void add_counter(void *out, const char *name, const char *meaning, uint64_t value) {
  const struct str text = str_from_cstr(name);
  if (str_ends_with(text, STR("_us"))) {
    add_time(out, str_take(text, text.n - 3), meaning, value);
    return;
  }
  metrics_begin(out, name, "_total", "counter", meaning);
  text_printf(out, "adit_%s_total %llu\n", name, (unsigned long long)value);
}

/* In nanoseconds, as a sample's value. */
static void add_ns(struct text *out, uint64_t ns) {
  text_printf(out, " %llu.%09llu\n", (unsigned long long)(ns / 1000000000),
              (unsigned long long)(ns % 1000000000));
}

void metrics_add_quoted(struct text *out, struct str value) {
  text_add_char(out, '"');
  for (size_t i = 0; i < value.n; i++) {
    const char c = value.p[i];
    if (c == '"' || c == '\\') text_add_char(out, '\\');
    if (c == '\n')
      text_add(out, STR("\\n"));
    else
      text_add_char(out, c);
  }
  text_add_char(out, '"');
}

/* ---- histograms ------------------------------------------------------------------------------ */

enum unit { IN_US, IN_NS };

/* `labels`: all but le. */
static void add_histogram(struct text *out, const char *name, const struct text *labels,
                          const struct gateway_histogram *histogram, enum unit unit) {
  const int64_t *bounds = unit == IN_US ? gateway_buckets_us : gateway_buckets_ns;
  const double per_second = unit == IN_US ? 1e6 : 1e9;
  const struct str said = text_str(labels);
  uint64_t sum = 0;
  for (size_t i = 0; i < GATEWAY_BUCKETS; i++) {
    sum += histogram->buckets[i];
    text_printf(out, "adit_%s_bucket{%.*s,le=\"%g\"} %llu\n", name, STR_ARG(said),
                (double)bounds[i] / per_second, (unsigned long long)sum);
  }
  sum += histogram->buckets[GATEWAY_BUCKETS];
  text_printf(out, "adit_%s_bucket{%.*s,le=\"+Inf\"} %llu\n", name, STR_ARG(said),
              (unsigned long long)sum);
  text_printf(out, "adit_%s_sum{%.*s}", name, STR_ARG(said));
  if (unit == IN_US)
    add_us(out, histogram->sum);
  else
    add_ns(out, histogram->sum);
  text_printf(out, "adit_%s_count{%.*s} %llu\n", name, STR_ARG(said), (unsigned long long)sum);
}

/* ---- the process ----------------------------------------------------------------------------- */

static void add_findings(struct text *out, const struct diags *diags) {
  metrics_begin(out, "last_load_findings", "", "gauge",
                "what the last load has said, by its level");
  for (int level = DIAG_ERROR; level <= DIAG_NOTE; level++)
    text_printf(out, "adit_last_load_findings{level=\"%s\"} %zu\n",
                diag_level_name((enum diag_level)level),
                diags_count(diags, (enum diag_level)level));
}

static void add_loads(struct admin *admin, struct text *out) {
  uint64_t counts[GATEWAY_OUTCOMES];
  gateway_load_counts(admin->gateway, counts);
  metrics_begin(out, "loads", "_total", "counter",
                "times that the configuration was read, the start included, by what came of it");
  for (int i = 0; i < GATEWAY_OUTCOMES; i++)
    text_printf(out, "adit_loads_total{outcome=\"%s\"} %llu\n",
                gateway_outcome_name((enum gateway_outcome)i), (unsigned long long)counts[i]);
  struct gateway_load *load = gateway_load_ref(admin->gateway);
  if (!load) return;
  add_gauge(out, "last_load_successful", "whether the last load was taken over whole",
            load->outcome == GATEWAY_LOADED);
  add_seconds(out, "last_load_timestamp_seconds", "when the last load ended, in Unix time",
              load->at_ms);
  add_findings(out, load->diags);
  gateway_load_unref(&load);
}

static void add_process(struct admin *admin, struct text *out) {
  struct gateway_gauges gauges = gateway_gauges(admin->gateway);
  struct policy *policy = gateway_policy_ref(admin->gateway);
  metrics_begin(out, "build_info", "", "gauge", "1, with the version of the program");
  text_printf(out, "adit_build_info{version=\"%s\"} 1\n", ADIT_VERSION);
  metrics_begin(out, "config_info", "", "gauge",
                "1, with a hash of adit.json and the rule files as they are served");
  text_printf(out, "adit_config_info{hash=\"%.*s\"} 1\n", STR_ARG(policy_hash(policy)));
  add_gauge(out, "ready", "whether new requests are welcome, as /readyz says",
            gateway_is_ready(admin->gateway));
  add_seconds(out, "uptime_seconds", "since the start", gauges.uptime_ms);
  add_gauge(out, "workers", "threads that serve", gauges.workers);
  add_gauge(out, "routes", "routes that are served", policy_route_count(policy));
  add_gauge(out, "open_connections", "connections of clients that are open", gauges.clients);
  policy_unref(&policy);
}

/* Which variant is stable is nowhere else to be seen, and upstreams are known by their own names.
 */
static void add_variants(struct admin *admin, struct text *out) {
  struct policy *policy = gateway_policy_ref(admin->gateway);
  metrics_begin(out, "variant_info", "", "gauge",
                "1, with what a variant is for its route, and its upstream");
  for (size_t i = 0; i < policy_route_count(policy); i++) {
    const struct route *route = policy_route(policy, i);
    for (uint16_t v = 0; v < route->variant_count; v++) {
      text_printf(out, "adit_variant_info{route=\"%.*s\",variant=\"%.*s\",role=\"%s\",upstream=",
                  STR_ARG(route->name), STR_ARG(route->variants[v].name),
                  v == route->stable ? "stable" : "canary");
      metrics_add_quoted(out, route->variants[v].upstream);
      text_add(out, STR("} 1\n"));
    }
  }
  policy_unref(&policy);
}

/* ---- requests by route, variant and rule ----------------------------------------------------- */

static const char *const classes[GATEWAY_CLASSES] = {"none", "1xx", "2xx", "3xx", "4xx", "5xx"};

/* gateway_variant_fn. What never happened has no sample: of 60 that there could be a few do. */
static void add_requests(void *out, const struct gateway_variant *variant) {
  for (unsigned i = 0; i < GATEWAY_REASONS; i++)
    for (unsigned k = 0; k < GATEWAY_CLASSES; k++)
      if (variant->requests[i][k] > 0)
        text_printf(out,
                    "adit_route_requests_total{route=\"%.*s\",variant=\"%.*s\",reason=\"%s\","
                    "status=\"%s\"} %llu\n",
                    STR_ARG(variant->route), STR_ARG(variant->variant), gateway_reason_name(i),
                    classes[k], (unsigned long long)variant->requests[i][k]);
}

/* gateway_variant_fn. The same without the reasons, and so few that each can be there before it
 * happens: what begins with its first burst has no increase that tells of it. */
static void add_classes(void *out, const struct gateway_variant *variant) {
  for (unsigned k = 0; k < GATEWAY_CLASSES; k++) {
    uint64_t requests = 0;
    for (unsigned i = 0; i < GATEWAY_REASONS; i++) requests += variant->requests[i][k];
    text_printf(out,
                "adit_variant_requests_total{route=\"%.*s\",variant=\"%.*s\",status=\"%s\"} %llu\n",
                STR_ARG(variant->route), STR_ARG(variant->variant), classes[k],
                (unsigned long long)requests);
  }
}

/* gateway_variant_fn. Their class tells of a head that may have been a good one. */
static void add_cut(void *out, const struct gateway_variant *variant) {
  text_printf(out, "adit_variant_cut_total{route=\"%.*s\",variant=\"%.*s\"} %llu\n",
              STR_ARG(variant->route), STR_ARG(variant->variant), (unsigned long long)variant->cut);
}

static void add_times(struct text *out, const char *name, const struct gateway_variant *variant,
                      const struct gateway_histogram *histogram) {
  struct text labels;
  text_init(&labels, 512);
  text_printf(&labels, "route=\"%.*s\",variant=\"%.*s\"", STR_ARG(variant->route),
              STR_ARG(variant->variant));
  add_histogram(out, name, &labels, histogram, IN_US);
  text_deinit(&labels);
}

/* gateway_variant_fn */
static void add_first_byte(void *out, const struct gateway_variant *variant) {
  add_times(out, "route_first_byte_seconds", variant, &variant->first_byte);
}

/* gateway_variant_fn */
static void add_duration(void *out, const struct gateway_variant *variant) {
  add_times(out, "route_duration_seconds", variant, &variant->duration);
}

/* gateway_rule_fn */
static void add_rule(void *out, struct str route, struct str rule, uint64_t requests) {
  text_printf(out, "adit_rule_requests_total{route=\"%.*s\",rule=\"%.*s\"} %llu\n", STR_ARG(route),
              STR_ARG(rule), (unsigned long long)requests);
}

/* gateway_route_fn */
static void add_cookies(void *out, const struct gateway_route *route) {
  if (route->route.n == 0) return; /* no cookie is read where there is no route */
  for (int verdict = COOKIE_NOT_READ + 1; verdict < GATEWAY_VERDICTS; verdict++)
    text_printf(out, "adit_route_cookies_total{route=\"%.*s\",verdict=\"%s\"} %llu\n",
                STR_ARG(route->route), cookie_verdict_name((enum cookie_verdict)verdict),
                (unsigned long long)route->cookies[verdict]);
}

/* gateway_route_fn */
static void add_deciding(void *out, const struct gateway_route *route) {
  struct text labels;
  text_init(&labels, 512);
  text_printf(&labels, "route=\"%.*s\"", STR_ARG(route->route));
  add_histogram(out, "route_decision_seconds", &labels, &route->deciding, IN_NS);
  text_deinit(&labels);
}

static void begin_upstreams(void *out, const char *name, const char *meaning) {
  char base[64] = "upstream_";
  (void)str_copy_to(str_from_cstr(name), base + strlen(base), sizeof(base) - strlen(base));
  metrics_begin(out, base, "_total", "counter", meaning);
}

static void add_upstream(void *out, const char *name, struct str upstream, uint64_t value) {
  text_printf(out, "adit_upstream_%s_total{upstream=", name);
  metrics_add_quoted(out, upstream);
  text_printf(out, "} %llu\n", (unsigned long long)value);
}

static void add_traffic(struct admin *admin, struct text *out) {
  struct gateway_traffic *traffic = gateway_traffic_read(admin->gateway);
  if (!traffic) {
    out->failed = true;
    return;
  }
  metrics_begin(out, "route_requests", "_total", "counter",
                "requests that have ended, by what was decided and by the class of the status");
  gateway_visit_variants(traffic, add_requests, out);
  metrics_begin(out, "variant_requests", "_total", "counter",
                "the same requests by variant and class of the status, each from 0 on");
  gateway_visit_variants(traffic, add_classes, out);
  metrics_begin(out, "variant_cut", "_total", "counter",
                "of these requests, whose answer had begun and could not be completed");
  gateway_visit_variants(traffic, add_cut, out);
  metrics_begin(out, "route_first_byte_seconds", "", "histogram",
                "from the whole head of a request to that of its answer");
  gateway_visit_variants(traffic, add_first_byte, out);
  metrics_begin(out, "route_duration_seconds", "", "histogram",
                "from the whole head of a request to the end of its answer");
  gateway_visit_variants(traffic, add_duration, out);
  metrics_begin(out, "rule_requests", "_total", "counter", "requests that a rule has decided");
  gateway_visit_rules(traffic, add_rule, out);
  metrics_begin(out, "route_cookies", "_total", "counter",
                "sticky cookies that were asked for, by what was found of them");
  gateway_visit_routes(traffic, add_cookies, out);
  metrics_begin(
      out, "route_decision_seconds", "", "histogram",
      "what deciding takes: route, rules, split and cookie; sampled: of one decision in 64");
  gateway_visit_routes(traffic, add_deciding, out);
  const struct gateway_upstream_visitor visitor = {begin_upstreams, add_upstream};
  gateway_visit_upstreams(traffic, &visitor, out);
  gateway_traffic_free(&traffic);
}

/* Routes that nobody overrides have no sample: an alert on any is an alert on what was said and
 * not taken back. */
static void add_overrides(struct admin *admin, struct text *out) {
  struct overrides_report report;
  if (!overrides_read(gateway_overrides(admin->gateway), &report)) {
    out->failed = true;
    return;
  }
  metrics_begin(out, "route_state_override", "", "gauge",
                "1 for a route whose state is not its file's, with that state");
  for (size_t i = 0; i < report.n; i++)
    if (!report.items[i].is_waiting)
      text_printf(out, "adit_route_state_override{route=\"%s\",state=\"%s\"} 1\n",
                  report.items[i].route, route_state_name(report.items[i].state));
  if (report.path)
    add_gauge(out, "state_file_current", "whether the state file has all that is overridden",
              report.is_kept);
  overrides_report_deinit(&report);
}

/* ---- what cannot be read, limits, the workers' loops ----------------------------------------- */

static void add_parse_errors(struct admin *admin, struct text *out) {
  uint64_t counts[GATEWAY_PARSE_ERRORS];
  gateway_parse_errors(admin->gateway, counts);
  metrics_begin(out, "parse_errors", "_total", "counter",
                "requests that could not be read, by what is wrong with them");
  for (int i = 0; i < GATEWAY_PARSE_ERRORS; i++)
    text_printf(out, "adit_parse_errors_total{kind=\"%s\"} %llu\n",
                gateway_parse_error_name((enum gateway_parse_error)i),
                (unsigned long long)counts[i]);
}

/* Those of the counters that tell of a limit that was reached. */
static bool is_of_limit(const char *name) {
  static const char *const names[] = {
      "address_refused", "idle_shed",      "heads_slow",      "heads_long",      "lines_long",
      "bodies_slow",     "bodies_large",   "bodies_unwanted", "extensions_long", "trailers_long",
      "readers_slow",    "origins_slow",   "retries_refused", "mirrors_large",   "mirrors_busy",
      "queue_overflows", "queue_timeouts", "lookups_busy",    "limits"};
  for (size_t i = 0; i < sizeof(names) / sizeof(*names); i++)
    if (strcmp(name, names[i]) == 0) return true;
  return false;
}

/* gateway_counter_fn */
static void add_limit(void *out, const char *name, const char *meaning, uint64_t value) {
  (void)meaning;
  if (is_of_limit(name))
    text_printf(out, "adit_limit_hits_total{limit=\"%s\"} %llu\n", name, (unsigned long long)value);
}

static void add_loop_lag(struct admin *admin, struct text *out) {
  struct gateway_histogram lag;
  metrics_begin(
      out, "worker_loop_lag_seconds", "", "histogram",
      "how long a turn of a worker's loop takes, and so an event may wait that comes meanwhile");
  for (unsigned w = 0; gateway_loop_lag(admin->gateway, w, &lag); w++) {
    struct text labels;
    text_init(&labels, 64);
    text_printf(&labels, "worker=\"%u\"", w);
    add_histogram(out, "worker_loop_lag_seconds", &labels, &lag, IN_NS);
    text_deinit(&labels);
  }
}

void metrics_write(struct admin *admin, struct text *out) {
  add_process(admin, out);
  add_loads(admin, out);
  add_overrides(admin, out);
  add_variants(admin, out);
  gateway_visit_counters(admin->gateway, add_counter, out);
  metrics_begin(out, "limit_hits", "_total", "counter",
                "times that a limit was reached, by the name of its counter");
  gateway_visit_counters(admin->gateway, add_limit, out);
  add_parse_errors(admin, out);
  add_traffic(admin, out);
  add_loop_lag(admin, out);
  metrics_add_endpoints(admin, out);
}
