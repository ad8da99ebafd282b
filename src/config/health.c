/* health: how an upstream's endpoints are checked. */
#include "adit/health.h"

#include <cjson/cJSON.h>

#include "reader.h"

enum { SECOND = 1000, MINUTE = 60 * SECOND, HOUR = 60 * MINUTE };
enum { INTERVAL_MIN_MS = 100, CHECKS_MAX = 100, STATUS_MIN = 200, STATUS_MAX = 599 };

/* ---- path, host, body ------------------------------------------------------------------------ */

static bool is_path(struct str text) {
  if (text.n == 0 || text.n > HEALTH_TEXT_MAX || text.p[0] != '/') return false;
  for (size_t i = 0; i < text.n; i++)
    if (text.p[i] <= ' ' || text.p[i] > '~' || text.p[i] == '#') return false;
  return true;
}

static void read_path(struct config_reader *reader, const struct config_scope *scope,
                      struct health_spec *spec) {
  static const char hint[] = "\"path\": \"/healthz\"";
  const cJSON *node = config_want(reader, scope, "path", hint);
  const char *what = config_printf(reader, "%s: 'path'", scope->what);
  if (!node || !config_to_string(reader, node, what, hint, &spec->path)) return;
  if (is_path(spec->path)) return;
  json_error(reader->doc, node, reader->diags, hint,
             "%s must begin with '/' and have at most %d visible ASCII characters, without '#'",
             what, HEALTH_TEXT_MAX);
}

/* What is wrong with "host" or "host:port", or NULL. */
static const char *check_host(struct str text) {
  const size_t colon = str_find_char(text, ':', 0);
  uint64_t port = 0;
  if (colon < text.n && !str_to_u64(str_skip(text, colon + 1), 65535, &port))
    return "has a port that is none";
  return config_check_host(str_take(text, colon));
}

static void read_host(struct config_reader *reader, const struct config_scope *scope,
                      struct health_spec *spec) {
  static const char hint[] = "\"host\": \"shop.internal\"";
  const cJSON *node = config_find(scope, "host");
  const char *what = config_printf(reader, "%s: 'host'", scope->what);
  if (!node || !config_to_string(reader, node, what, hint, &spec->host)) return;
  const char *why = check_host(spec->host);
  if (!why && spec->host.n <= HEALTH_TEXT_MAX) return;
  json_error(reader->doc, node, reader->diags, hint, "%s: '%.*s' %s", what, STR_ARG(spec->host),
             why ? why : "is too long");
}

static void read_body(struct config_reader *reader, const struct config_scope *scope,
                      struct health_spec *spec) {
  static const char hint[] = "\"body\": \"ok\", or leave it out";
  const cJSON *node = config_find(scope, "body");
  const char *what = config_printf(reader, "%s: 'body'", scope->what);
  if (!node || !config_to_string(reader, node, what, hint, &spec->body)) return;
  if (spec->body.n > 0 && spec->body.n <= HEALTH_TEXT_MAX) return;
  json_error(reader->doc, node, reader->diags, hint, "%s must have 1 to %d bytes", what,
             HEALTH_TEXT_MAX);
}

/* ---- statuses -------------------------------------------------------------------------------- */

/* "200-299" */
static bool parse_range(struct str text, struct health_statuses *ret) {
  const size_t dash = str_find_char(text, '-', 0);
  const struct str low = str_take(text, dash), high = str_skip(text, dash + 1);
  uint64_t from = 0, to = 0;
  if (low.n != 3 || high.n != 3 || !str_to_u64(low, STATUS_MAX, &from) ||
      !str_to_u64(high, STATUS_MAX, &to) || from < STATUS_MIN || to < STATUS_MIN)
    return false;
  *ret = (struct health_statuses){(unsigned)from, (unsigned)to};
  return true;
}

/* 204, or "200-299". */
static bool parse_statuses(const cJSON *node, struct health_statuses *ret) {
  if (cJSON_IsNumber(node)) {
    const double value = node->valuedouble;
    if (!(value >= STATUS_MIN && value <= STATUS_MAX) || value != (double)(unsigned)value)
      return false;
    *ret = (struct health_statuses){(unsigned)value, (unsigned)value};
    return true;
  }
  return cJSON_IsString(node) && parse_range(json_str(node), ret);
}

static void read_statuses(struct config_reader *reader, const struct config_scope *scope,
                          struct health_spec *spec) {
  static const char hint[] = "\"status\": [200, 204], or [\"200-299\"]";
  const cJSON *list = config_find(scope, "status");
  const char *what = config_printf(reader, "%s: 'status'", scope->what);
  size_t n = 0;
  spec->statuses[0] = (struct health_statuses){200, 299};
  spec->status_count = 1;
  if (!list || !config_to_list(reader, list, what, hint, &n)) return;
  if (n == 0 || n > HEALTH_STATUSES_MAX) {
    json_error(reader->doc, list, reader->diags, hint, "%s must have 1 to %d entries", what,
               HEALTH_STATUSES_MAX);
    return;
  }
  spec->status_count = 0;
  const cJSON *node;
  cJSON_ArrayForEach(node, list) {
    struct health_statuses *statuses = &spec->statuses[spec->status_count++];
    const bool parsed = parse_statuses(node, statuses);
    if (parsed && statuses->to < statuses->from)
      json_error(reader->doc, node, reader->diags, hint, "%s: a range ends before it begins", what);
    if (parsed) continue;
    json_error(reader->doc, node, reader->diags, hint,
               "%s: an entry must be a status from %d to %d, or a range of them", what, STATUS_MIN,
               STATUS_MAX);
  }
}

/* ---- all of it ------------------------------------------------------------------------------- */

void config_read_health_check(struct config_reader *reader, const struct config_scope *upstream,
                              const struct health_spec **ret) {
  const cJSON *node = config_find(upstream, "health_check");
  const char *what = config_printf(reader, "%s: 'health_check'", upstream->what);
  struct config_scope scope;
  if (!node || !config_open_scope(reader, node, "upstreams.*.health_check", what, &scope)) return;
  struct health_spec *spec = ARENA_ARRAY(reader->arena, struct health_spec, 1);
  if (!spec) return config_fail_memory(reader);
  read_path(reader, &scope, spec);
  read_host(reader, &scope, spec);
  read_body(reader, &scope, spec);
  read_statuses(reader, &scope, spec);
  config_read_duration(reader, &scope, "interval", INTERVAL_MIN_MS, HOUR, &spec->interval_ms);
  config_read_duration(reader, &scope, "timeout", 1, MINUTE, &spec->timeout_ms);
  config_read_number(reader, &scope, "healthy", 1, CHECKS_MAX, &spec->healthy);
  config_read_number(reader, &scope, "unhealthy", 1, CHECKS_MAX, &spec->unhealthy);
  config_read_duration(reader, &scope, "slow_start", 0, HOUR, &spec->slow_start_ms);
  if (spec->timeout_ms > spec->interval_ms)
    json_key_error(reader->doc, node, reader->diags, "at most as long: the next check is due then",
                   "%s: 'timeout' is longer than 'interval'", what);
  *ret = spec;
}
