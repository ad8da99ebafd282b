/* statuses: a list of response statuses, and ranges of them. */
#include <cjson/cJSON.h>

#include "reader.h"

enum { STATUS_MAX = 599 };

/* "200-299" */
static bool parse_range(struct str text, unsigned min, struct http_statuses *ret) {
  const size_t dash = str_find_char(text, '-', 0);
  const struct str low = str_take(text, dash), high = str_skip(text, dash + 1);
  uint64_t from = 0, to = 0;
  if (low.n != 3 || high.n != 3 || !str_to_u64(low, STATUS_MAX, &from) ||
      !str_to_u64(high, STATUS_MAX, &to) || from < min || to < min)
    return false;
  *ret = (struct http_statuses){(unsigned)from, (unsigned)to};
  return true;
}

/* 204, or "200-299". */
static bool parse_statuses(const cJSON *node, unsigned min, struct http_statuses *ret) {
  if (cJSON_IsNumber(node)) {
    const double value = node->valuedouble;
    if (!(value >= min && value <= STATUS_MAX) || value != (double)(unsigned)value) return false;
    *ret = (struct http_statuses){(unsigned)value, (unsigned)value};
    return true;
  }
  return cJSON_IsString(node) && parse_range(json_str(node), min, ret);
}

void config_read_statuses(struct config_reader *reader, const struct config_scope *scope,
                          const char *key, unsigned min, size_t max_n, struct http_statuses *ret,
                          size_t *ret_n) {
  const cJSON *list = config_find(scope, key);
  const char *what = config_printf(reader, "%s: '%s'", scope->what, key);
  const char *hint = config_printf(reader, "\"%s\": [%d], or [\"%u-%u\"]", key,
                                   min == 200 ? 204 : 503, min, min + 99);
  size_t n = 0;
  if (!list || !config_to_list(reader, list, what, hint, &n)) return;
  if (n == 0 || n > max_n) {
    json_error(reader->doc, list, reader->diags, hint, "%s must have 1 to %zu entries", what,
               max_n);
    return;
  }
  *ret_n = 0;
  const cJSON *node;
  cJSON_ArrayForEach(node, list) {
    struct http_statuses *statuses = &ret[(*ret_n)++];
    const bool parsed = parse_statuses(node, min, statuses);
    if (parsed && statuses->to < statuses->from)
      json_error(reader->doc, node, reader->diags, hint, "%s: a range ends before it begins", what);
    if (parsed) continue;
    json_error(reader->doc, node, reader->diags, hint,
               "%s: an entry must be a status from %u to %d, or a range of them", what, min,
               STATUS_MAX);
  }
}
