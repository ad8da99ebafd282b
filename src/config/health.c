/* health: how an upstream's endpoints are checked. */
#include "adit/health.h"

#include <cjson/cJSON.h>

#include "reader.h"

enum { SECOND = 1000, MINUTE = 60 * SECOND, HOUR = 60 * MINUTE };
enum { INTERVAL_MIN_MS = 100, CHECKS_MAX = 100 };

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

static void read_statuses(struct config_reader *reader, const struct config_scope *scope,
                          struct health_spec *spec) {
  spec->statuses[0] = (struct http_statuses){200, 299};
  spec->status_count = 1;
  config_read_statuses(reader, scope, "status", 200, HEALTH_STATUSES_MAX, spec->statuses,
                       &spec->status_count);
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
