/* retry: when a request is sent to an upstream once more. */
#include <cjson/cJSON.h>

#include "reader.h"

enum { ATTEMPTS_MAX = 10, HOUR_MS = 60 * 60 * 1000, BODY_BYTES_MAX = 1 << 20 };

void config_read_retry(struct config_reader *reader, const struct config_scope *upstream,
                       struct config_retry *ret) {
  const cJSON *node = config_find(upstream, "retry");
  const char *what = config_printf(reader, "%s: 'retry'", upstream->what);
  struct config_scope scope = {NULL, "upstreams.*.retry", what};
  if (node && !config_open_scope(reader, node, scope.path, what, &scope)) return;
  ret->enabled = node != NULL;
  config_read_number(reader, &scope, "attempts", 1, ATTEMPTS_MAX, &ret->attempts);
  config_read_statuses(reader, &scope, "statuses", 400, CONFIG_RETRY_STATUSES_MAX, ret->statuses,
                       &ret->status_count);
  config_read_duration(reader, &scope, "try_timeout", 0, HOUR_MS, &ret->try_timeout_ms);
  config_read_number(reader, &scope, "budget_percent", 0, 100, &ret->budget_percent);
  config_read_number(reader, &scope, "budget_minimum", 0, 1000000, &ret->budget_minimum);
  config_read_size(reader, &scope, "body_bytes", 0, BODY_BYTES_MAX, &ret->body_bytes);
}
