/* ctl_print: the status of a gateway for people. */
#include <cjson/cJSON.h>

#include "adit/json.h"
#include "adit/units.h"
#include "cli/ctl.h"

/* What a gateway of another version leaves out is shown as nothing. */
static struct str text_of(const cJSON *object, const char *key) {
  const cJSON *node = cJSON_GetObjectItemCaseSensitive(object, key);
  return cJSON_IsString(node) ? json_str(node) : STR("?");
}

static long long number_of(const cJSON *object, const char *key) {
  const cJSON *node = cJSON_GetObjectItemCaseSensitive(object, key);
  return cJSON_IsNumber(node) ? (long long)node->valuedouble : 0;
}

static const cJSON *list_of(const cJSON *object, const char *key) {
  return cJSON_GetObjectItemCaseSensitive(object, key);
}

/* In a column; text of the gateway is not let at the terminal as it is. */
static void add_column(struct text *out, struct str value, int width) {
  size_t before = out->n;
  text_add_escaped(out, value);
  int written = (int)(out->n - before);
  text_printf(out, "%*s", written < width ? width - written : 0, "");
}

/* Whole seconds, minutes or hours. */
static void add_age(struct text *out, long long ms) {
  if (ms < 120000)
    text_printf(out, "%lld s", ms / 1000);
  else if (ms < 7200000)
    text_printf(out, "%lld min", ms / 60000);
  else
    text_printf(out, "%lld h", ms / 3600000);
}

/* ---- loads ----------------------------------------------------------------------------------- */

static void add_finding(struct text *out, const cJSON *finding) {
  const cJSON *hint = cJSON_GetObjectItemCaseSensitive(finding, "hint");
  text_add_escaped(out, text_of(finding, "file"));
  if (number_of(finding, "line") > 0)
    text_printf(out, ":%lld:%lld", number_of(finding, "line"), number_of(finding, "column"));
  text_printf(out, ": %.*s: ", STR_ARG(text_of(finding, "level")));
  text_add_escaped(out, text_of(finding, "message"));
  if (cJSON_IsString(hint)) {
    text_add(out, STR(" ("));
    text_add_escaped(out, json_str(hint));
    text_add_char(out, ')');
  }
  text_add_char(out, '\n');
}

static struct str outcome_text(struct str outcome) {
  if (str_eq(outcome, STR("loaded"))) return STR("all files were taken over");
  if (str_eq(outcome, STR("in_part"))) return STR("routes with errors stay as they were");
  return STR("refused: everything stays as it was");
}

void ctl_print_load(const struct cJSON *load, struct text *out) {
  const cJSON *finding;
  text_printf(out, "%.*s, ", STR_ARG(text_of(load, "at")));
  text_add(out, outcome_text(text_of(load, "outcome")));
  text_add_char(out, '\n');
  cJSON_ArrayForEach(finding, list_of(load, "findings")) add_finding(out, finding);
}

/* ---- endpoints ------------------------------------------------------------------------------- */

static void add_endpoint(struct text *out, struct str upstream, const cJSON *endpoint) {
  add_column(out, upstream, 20);
  text_add_char(out, ' ');
  add_column(out, text_of(endpoint, "address"), 24);
  text_printf(out, " %6lld  %-9.*s  %4lld%%  %6lld  %5lld", number_of(endpoint, "weight"),
              STR_ARG(text_of(endpoint, "health")), number_of(endpoint, "share"),
              number_of(endpoint, "active"), number_of(endpoint, "idle"));
  if (number_of(endpoint, "ejected_by") > 0) {
    text_printf(out, "  left out by %lld workers, for up to ", number_of(endpoint, "ejected_by"));
    add_age(out, number_of(endpoint, "ejected_ms"));
  }
  text_add_char(out, '\n');
}

static void add_draining(struct text *out, struct str upstream, const cJSON *upstreams_endpoint) {
  if (!cJSON_IsTrue(cJSON_GetObjectItemCaseSensitive(upstreams_endpoint, "drain"))) return;
  add_column(out, upstream, 20);
  text_add_char(out, ' ');
  add_column(out, text_of(upstreams_endpoint, "address"), 24);
  text_add(out, STR("  drains: no new requests\n"));
}

void ctl_print_endpoints(const struct cJSON *status, struct text *out) {
  const cJSON *upstream, *endpoint;
  text_printf(out, "%-20s %-24s %6s  %-9s  %5s  %6s  %5s\n", "upstream", "endpoint", "weight",
              "health", "share", "active", "idle");
  cJSON_ArrayForEach(upstream, list_of(status, "upstreams")) {
    struct str name = text_of(upstream, "name");
    cJSON_ArrayForEach(endpoint, list_of(upstream, "endpoints")) add_endpoint(out, name, endpoint);
    cJSON_ArrayForEach(endpoint, list_of(upstream, "configured")) add_draining(out, name, endpoint);
  }
}

/* ---- the page -------------------------------------------------------------------------------- */

/* Of a route whose state is not its file's. */
static void add_override(struct text *out, const cJSON *route) {
  const cJSON *override = list_of(route, "override");
  if (!cJSON_IsObject(override)) return;
  text_printf(out, "  [overridden since %.*s, the file says %.*s]",
              STR_ARG(text_of(override, "since")), STR_ARG(text_of(route, "file_state")));
}

static void add_route(struct text *out, const cJSON *route) {
  const cJSON *variant;
  bool first = true;
  add_column(out, text_of(route, "name"), 20);
  text_printf(out, " %-6.*s %6lld  ", STR_ARG(text_of(route, "state")), number_of(route, "rules"));
  cJSON_ArrayForEach(variant, list_of(route, "variants")) {
    bool stable = cJSON_IsTrue(cJSON_GetObjectItemCaseSensitive(variant, "stable"));
    text_printf(out, "%s%.*s = %.*s%s", first ? "" : ", ", STR_ARG(text_of(variant, "name")),
                STR_ARG(text_of(variant, "upstream")), stable ? " (stable)" : "");
    first = false;
  }
  add_override(out, route);
  text_add_char(out, '\n');
}

void ctl_print_state(const struct cJSON *answer, struct text *out) {
  text_add(out, STR("route '"));
  text_add_escaped(out, text_of(answer, "route"));
  text_printf(out, "': state %.*s", STR_ARG(text_of(answer, "state")));
  add_override(out, answer);
  text_add_char(out, '\n');
}

/* Overrides that have no route at present. */
static void add_waiting(struct text *out, const cJSON *overrides) {
  const cJSON *waiting;
  cJSON_ArrayForEach(waiting, list_of(overrides, "waiting")) {
    add_column(out, text_of(waiting, "route"), 20);
    text_printf(out, " is not served; an override waits for it: %.*s\n",
                STR_ARG(text_of(list_of(waiting, "override"), "state")));
  }
}

/* That there are some is not all: a restart would lift them. */
static void add_kept(struct text *out, const cJSON *overrides) {
  if (number_of(overrides, "routes") == 0 || !cJSON_IsFalse(list_of(overrides, "kept"))) return;
  text_add(out, STR("overrides are not kept over a restart: "));
  text_add_escaped(out, text_of(overrides, "why"));
  text_add_char(out, '\n');
}

void ctl_print_status(const struct cJSON *status, struct text *out) {
  const cJSON *route;
  text_printf(out, "gateway    %.*s, version %.*s, up ", STR_ARG(text_of(status, "stage")),
              STR_ARG(text_of(status, "version")));
  add_age(out, number_of(status, "uptime_ms"));
  text_printf(out, ", %lld workers, %lld connections\nfiles      ", number_of(status, "workers"),
              number_of(status, "open_connections"));
  text_add_escaped(out, text_of(status, "config"));
  text_printf(out, ", hash %.12s\nlast load  ", text_of(status, "hash").p);
  ctl_print_load(list_of(status, "load"), out);
  text_printf(out, "\n%-20s %-6s %6s  %s\n", "route", "state", "rules", "variants");
  cJSON_ArrayForEach(route, list_of(status, "routes")) add_route(out, route);
  add_waiting(out, list_of(status, "overrides"));
  add_kept(out, list_of(status, "overrides"));
  text_add_char(out, '\n');
  ctl_print_endpoints(status, out);
}
