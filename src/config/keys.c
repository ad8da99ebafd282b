/* keys: the table of every key of adit.json. The parser and docs/operations.md go by it. */
#include <assert.h>
#include <stdio.h>

#include "reader.h"

static const struct config_key_info rows[] = {
    {"$schema", "string", "", true},
    {"listen", "list", "required", false},
    {"listen[].address", "string", "required", false},
    {"listen[].tls", "object", "", false},
    {"admin", "object", "", false},
    {"admin.address", "string", "required", false},
    {"admin.token_file", "string", "", true},
    {"workers", "number", "0", false},
    {"rules", "list", "", true},
    {"rules[].files", "string", "required", true},
    {"rules[].hosts", "list", "", true},
    {"rules[].upstreams", "list", "", true},
    {"watch", "boolean", "false", true},
    {"trusted_proxies", "list", "", true},
    {"attributes", "object", "", true},
    {"attributes.*.type", "string", "required", true},
    {"attributes.*.from", "list", "required", true},
    {"attributes.*.from[].header", "string", "", true},
    {"attributes.*.from[].cookie", "string", "", true},
    {"attributes.*.from[].query", "string", "", true},
    {"attributes.*.from[].regex", "string", "", true},
    {"attributes.*.from[].trust", "string", "", true},
    {"attributes.*.from[].lookup", "string", "", true},
    {"attributes.*.from[].field", "string", "", true},
    {"attributes.*.from[].jwt", "string", "", true},
    {"jwt", "object", "", true},
    {"jwt.keys", "object", "required", true},
    {"jwt.keys.file", "string", "", true},
    {"jwt.keys.secret_file", "string", "", true},
    {"jwt.keys.url", "string", "", true},
    {"jwt.keys.refresh", "duration", "10m", true},
    {"jwt.keys.retry", "duration", "30s", true},
    {"jwt.keys.timeout", "duration", "5s", true},
    {"jwt.algorithms", "list", "required", true},
    {"jwt.issuer", "string", "", true},
    {"jwt.audience", "list", "", true},
    {"jwt.clock_skew", "duration", "60s", true},
    {"jwt.require_exp", "boolean", "false", true},
    {"jwt.from", "object", "", true},
    {"jwt.from.header", "string", "Authorization", true},
    {"jwt.from.cookie", "string", "", true},
    {"jwt.cache", "object", "", true},
    {"jwt.cache.entries", "number", "10000", true},
    {"jwt.cache.bytes", "size", "32MiB", true},
    {"jwt.cache.ttl", "duration", "5m", true},
    {"jwt.cache.negative_ttl", "duration", "10s", true},
    {"jwt.on_invalid", "string", "missing", true},
    {"jwt.on_absent", "string", "missing", true},
    {"lookups", "object", "", true},
    {"lookups.*.url", "string", "required", true},
    {"lookups.*.timeout", "duration", "50ms", true},
    {"lookups.*.bytes", "size", "64KiB", true},
    {"lookups.*.concurrency", "number", "64", true},
    {"lookups.*.stale", "duration", "0s", true},
    {"lookups.*.on_error", "string", "missing", true},
    {"lookups.*.cache", "object", "", true},
    {"lookups.*.cache.entries", "number", "100000", true},
    {"lookups.*.cache.bytes", "size", "64MiB", true},
    {"lookups.*.cache.ttl", "duration", "10m", true},
    {"lookups.*.cache.negative_ttl", "duration", "30s", true},
    {"lookups.*.breaker", "object", "", true},
    {"lookups.*.breaker.failures", "number", "5", true},
    {"lookups.*.breaker.pause", "duration", "1s", true},
    {"lookups.*.breaker.pause_max", "duration", "1m", true},
    {"attributes.*.from[].geoip", "string", "", true},
    {"attributes.*.from[].cidr", "string", "", true},
    {"geoip", "object", "", true},
    {"geoip.databases", "list", "required", true},
    {"segments", "object", "", true},
    {"upstreams", "object", "required", true},
    {"upstreams.*.endpoints", "list", "required", true},
    {"upstreams.*.endpoints[].address", "string", "required", true},
    {"upstreams.*.endpoints[].weight", "number", "1", true},
    {"upstreams.*.endpoints[].drain", "boolean", "false", true},
    {"upstreams.*.load_balancing", "string", "least_requests", true},
    {"upstreams.*.hash_by", "list", "", true},
    {"upstreams.*.outlier_detection", "object", "", true},
    {"upstreams.*.outlier_detection.consecutive_failures", "number", "5", true},
    {"upstreams.*.outlier_detection.failure_percent", "number", "50", true},
    {"upstreams.*.outlier_detection.minimum_requests", "number", "20", true},
    {"upstreams.*.outlier_detection.interval", "duration", "10s", true},
    {"upstreams.*.outlier_detection.ejection_time", "duration", "30s", true},
    {"upstreams.*.outlier_detection.max_ejection_time", "duration", "5m", true},
    {"upstreams.*.outlier_detection.max_ejected_percent", "number", "50", true},
    {"upstreams.*.circuit_breaker", "object", "", true},
    {"upstreams.*.circuit_breaker.max_connections", "number", "0", true},
    {"upstreams.*.circuit_breaker.max_requests", "number", "0", true},
    {"upstreams.*.circuit_breaker.max_pending", "number", "1024", true},
    {"upstreams.*.circuit_breaker.pending_timeout", "duration", "1s", true},
    {"upstreams.*.health_check", "object", "", true},
    {"upstreams.*.health_check.path", "string", "required", true},
    {"upstreams.*.health_check.host", "string", "", true},
    {"upstreams.*.health_check.status", "list", "200-299", true},
    {"upstreams.*.health_check.body", "string", "", true},
    {"upstreams.*.health_check.interval", "duration", "5s", true},
    {"upstreams.*.health_check.timeout", "duration", "1s", true},
    {"upstreams.*.health_check.healthy", "number", "2", true},
    {"upstreams.*.health_check.unhealthy", "number", "3", true},
    {"upstreams.*.health_check.slow_start", "duration", "0s", true},
    {"upstreams.*.retry", "object", "", true},
    {"upstreams.*.retry.attempts", "number", "1", true},
    {"upstreams.*.retry.statuses", "list", "", true},
    {"upstreams.*.retry.try_timeout", "duration", "0s", true},
    {"upstreams.*.retry.budget_percent", "number", "20", true},
    {"upstreams.*.retry.budget_minimum", "number", "3", true},
    {"upstreams.*.retry.body_bytes", "size", "64KiB", true},
    {"upstreams.*.connect_timeout", "duration", "2s", true},
    {"upstreams.*.timeout", "duration", "30s", true},
    {"dns", "object", "", true},
    {"dns.refresh", "duration", "5s", true},
    {"sticky", "object", "", true},
    {"sticky.keys", "list", "", true},
    {"sticky.keys[].id", "string", "required", true},
    {"sticky.keys[].file", "string", "required", true},
    {"limits", "object", "", true},
    {"limits.header_bytes", "size", "32KiB", true},
    {"limits.header_fields", "number", "100", true},
    {"limits.request_line_bytes", "size", "8KiB", true},
    {"limits.body_bytes", "size", "0B", true},
    {"limits.body_rate", "size", "100B", true},
    {"limits.chunk_extension_bytes", "size", "4KiB", true},
    {"limits.trailer_bytes", "size", "8KiB", true},
    {"limits.connections", "number", "0", true},
    {"limits.connections_per_address", "number", "0", true},
    {"limits.mirrors", "number", "256", true},
    {"timeouts", "object", "", true},
    {"timeouts.header", "duration", "10s", true},
    {"timeouts.idle", "duration", "60s", true},
    {"timeouts.body", "duration", "30s", true},
    {"timeouts.tunnel", "duration", "1h", true},
    {"timeouts.drain", "duration", "30s", true},
    {"timeouts.drain_delay", "duration", "0s", true},
    {"timeouts.upgrade", "duration", "60s", true},
    {"via", "boolean", "true", true},
    {"drop_untrusted_headers", "boolean", "false", true},
    {"traceparent", "string", "start", true},
    {"upgrades", "list", "websocket", true},
    {"user", "string", "", false},
    {"sandbox", "boolean", "true", false},
    {"state_file", "string", "", false},
    {"access_log", "object", "", false},
    {"access_log.path", "string", "-", false},
    {"access_log.format", "string", "json", false},
    {"access_log.attributes", "string", "none", false},
    {"access_log.redact", "list", "", false},
    {"access_log.redact_key_file", "string", "", false},
};

enum { ROWS = sizeof(rows) / sizeof(*rows) };

const struct config_key_info *config_keys(size_t *ret_n) {
  *ret_n = ROWS;
  return rows;
}

const struct config_key_info *config_key_find(const char *key) {
  for (size_t i = 0; i < ROWS; i++)
    if (strcmp(rows[i].key, key) == 0) return &rows[i];
  return NULL;
}

/* Of segments the table does not know any. */
bool config_key_has_members(const char *key) {
  const size_t n = strlen(key);
  for (size_t i = 0; i < ROWS; i++)
    if (strncmp(rows[i].key, key, n) == 0 && rows[i].key[n] == '.') return true;
  return n == 0 || strcmp(key, "segments") == 0;
}

void config_key_of_member(const char *parent, const char *name, char *ret, size_t ret_bytes) {
  const char *dot = parent[0] ? "." : "";
  (void)snprintf(ret, ret_bytes, "%.200s%s*", parent, dot);
  if (!config_key_find(ret) && !config_key_has_members(ret))
    (void)snprintf(ret, ret_bytes, "%.200s%s%.200s", parent, dot, name);
}

bool config_key_is_implied(const char *key) {
  static const char *const implied[] = {
      "limits", "timeouts", "dns", "jwt.from", "jwt.cache", "lookups.*.cache", "lookups.*.breaker"};
  for (size_t i = 0; i < sizeof(implied) / sizeof(*implied); i++)
    if (strcmp(implied[i], key) == 0) return true;
  return false;
}

const char *config_key_last_part(const char *key, const char *parent) {
  size_t n = strlen(parent);
  if (n > 0) {
    if (strncmp(key, parent, n) != 0 || key[n] != '.') return NULL;
    key += n + 1;
  }
  return strpbrk(key, ".[") ? NULL : key;
}

void config_keys_under(const char *path, const char *ret[CONFIG_KEYS_MAX]) {
  size_t n = 0;
  for (size_t i = 0; i < ROWS; i++) {
    const char *part = config_key_last_part(rows[i].key, path);
    if (!part) continue;
    assert(n < CONFIG_KEYS_MAX - 1);
    ret[n++] = part;
  }
  ret[n] = NULL;
}

const struct config_key_info *config_key_get(const struct config_scope *scope, const char *key) {
  const struct config_key_info *row = NULL;
  for (size_t i = 0; i < ROWS && !row; i++) {
    const char *part = config_key_last_part(rows[i].key, scope->path);
    if (part && strcmp(part, key) == 0) row = &rows[i];
  }
  assert(row); /* the parser reads no key that has no row */
  return row;
}
