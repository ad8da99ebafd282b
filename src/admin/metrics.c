/*
 * metrics: GET /metrics, in Prometheus' text format 0.0.4.
 *
 * What is read was stored by whoever counts, relaxed, each number by itself: a scrape may see one
 * request's parts in two scrapes.
 */
#include "adit/config.h"
#include "adit/policy.h"
#include "adit/text.h"
#include "admin_private.h"

/* ---- the format ------------------------------------------------------------------------------ */

/* HELP and TYPE of a metric, whose samples follow. `name` without "adit_". */
static void begin(struct text *out, const char *name, const char *suffix, const char *type,
                  const char *help) {
  text_printf(out, "# HELP adit_%s%s %s\n# TYPE adit_%s%s %s\n", name, suffix, help, name, suffix,
              type);
}

static void add_gauge(struct text *out, const char *name, const char *help, uint64_t value) {
  begin(out, name, "", "gauge", help);
  text_printf(out, "adit_%s %llu\n", name, (unsigned long long)value);
}

/* In seconds, with the milliseconds. */
static void add_seconds(struct text *out, const char *name, const char *help, int64_t ms) {
  begin(out, name, "", "gauge", help);
  text_printf(out, "adit_%s %lld.%03d\n", name, (long long)(ms / 1000), (int)(ms % 1000));
}

/* gateway_counter_fn */
static void add_counter(void *out, const char *name, const char *meaning, uint64_t value) {
  begin(out, name, "_total", "counter", meaning);
  text_printf(out, "adit_%s_total %llu\n", name, (unsigned long long)value);
}

/* ---- the process ----------------------------------------------------------------------------- */

static void add_loads(struct admin *admin, struct text *out) {
  uint64_t counts[GATEWAY_OUTCOMES];
  gateway_load_counts(admin->gateway, counts);
  begin(out, "loads", "_total", "counter",
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
  gateway_load_unref(&load);
}

static void add_process(struct admin *admin, struct text *out) {
  struct gateway_gauges gauges = gateway_gauges(admin->gateway);
  struct policy *policy = gateway_policy_ref(admin->gateway);
  begin(out, "build_info", "", "gauge", "1, with the version of the program");
  text_printf(out, "adit_build_info{version=\"%s\"} 1\n", ADIT_VERSION);
  begin(out, "config_info", "", "gauge",
        "1, with a hash of adit.json and the rule files as they are served");
  text_printf(out, "adit_config_info{hash=\"%.*s\"} 1\n", STR_ARG(policy_hash(policy)));
  add_gauge(out, "ready", "whether new requests are welcome, as /readyz says",
            gateway_stage(admin->gateway) == GATEWAY_SERVING);
  add_seconds(out, "uptime_seconds", "since the start", gauges.uptime_ms);
  add_gauge(out, "workers", "threads that serve", gauges.workers);
  add_gauge(out, "routes", "routes that are served", policy_route_count(policy));
  add_gauge(out, "open_connections", "connections of clients that are open", gauges.clients);
  policy_unref(&policy);
}

void metrics_write(struct admin *admin, struct text *out) {
  add_process(admin, out);
  add_loads(admin, out);
  gateway_visit_counters(admin->gateway, add_counter, out);
}
