/* access_log: where lines go, what they say, and what of that is hashed. */
#include <cjson/cJSON.h>

#include "reader.h"

static void read_path(struct config_reader *reader, const struct config_scope *scope,
                      struct config_access_log *log) {
  const cJSON *node = config_find(scope, "path");
  struct str text;
  log->path = config_key_get(scope, "path")->default_text;
  if (!node || !config_to_string(reader, node, "access_log: 'path'", "\"-\"", &text)) return;
  if (text.n == 0) {
    json_error(reader->doc, node, reader->diags, "\"-\" is standard output",
               "access_log: 'path' is empty");
  } else if (config_read_syslog(reader, node, text, &log->syslog)) {
    log->is_syslog = true;
    log->path = text.p;
  } else if (!str_eq(text, STR("-"))) {
    log->path = config_path(reader, node, text, false).p;
  }
}

static void read_redactions(struct config_reader *reader, const struct config_scope *scope,
                            struct config_access_log *log) {
  static const char hint[] = "[\"user.id\", \"cookie.*\"]";
  const cJSON *list = config_find(scope, "redact"), *node;
  size_t n = 0;
  if (!list || !config_to_list(reader, list, "access_log: 'redact'", hint, &n)) return;
  if (n > CONFIG_REDACTIONS_MAX) {
    json_error(reader->doc, list, reader->diags, "\"cookie.*\" stands for all cookies",
               "access_log: 'redact' has more than %d names", CONFIG_REDACTIONS_MAX);
    return;
  }
  struct config_redaction *redactions = ARENA_ARRAY(reader->arena, struct config_redaction, n + 1);
  if (!redactions) return config_fail_memory(reader);
  cJSON_ArrayForEach(node, list) {
    struct str name;
    if (!config_to_string(reader, node, "access_log: a name in 'redact'", "\"user.id\"", &name))
      continue;
    if (name.n == 0 || !str_is_utf8(name))
      json_error(reader->doc, node, reader->diags, hint, "access_log: a name in 'redact' is empty");
    redactions[log->redact_count++] =
        (struct config_redaction){.name = name, .at = json_place(reader->doc, node)};
  }
  log->redact = redactions;
}

/* Combined lines have no place for either. */
static void check_format(struct config_reader *reader, const struct config_scope *scope,
                         const struct config_access_log *log) {
  if (log->format == CONFIG_LOG_JSON) return;
  if (log->attributes != CONFIG_LOG_NONE)
    json_error(reader->doc, config_find(scope, "attributes"), reader->diags, "\"format\": \"json\"",
               "access_log: only lines in JSON have attributes");
  if (log->redact_count > 0)
    json_error(reader->doc, config_find(scope, "redact"), reader->diags, "\"format\": \"json\"",
               "access_log: only lines in JSON are redacted");
}

void config_read_access_log(struct config_reader *reader, const struct config_scope *root) {
  static const char *const formats[] = {
      [CONFIG_LOG_JSON] = "json", [CONFIG_LOG_COMBINED] = "combined", NULL};
  static const char *const attributes[] = {
      [CONFIG_LOG_NONE] = "none", [CONFIG_LOG_READ] = "read", [CONFIG_LOG_ALL] = "all", NULL};
  struct config_access_log *log = &reader->config->access_log;
  struct config_scope scope;
  const char *key_path;
  const cJSON *node = config_find(root, "access_log"), *key;
  if (!node) return;
  reader->config->has_access_log = true;
  reader->config->access_log_at = json_key_place(reader->doc, node);
  if (!config_open_scope(reader, node, "access_log", "access_log", &scope)) return;
  log->format = (enum config_log_format)config_read_word(reader, &scope, "format", formats,
                                                         "\"json\" or \"combined\"");
  log->attributes = (enum config_log_attributes)config_read_word(
      reader, &scope, "attributes", attributes, "\"none\", \"read\" or \"all\"");
  read_path(reader, &scope, log);
  read_redactions(reader, &scope, log);
  key = config_find(&scope, "redact_key_file");
  if (key)
    (void)config_read_secret(reader, key, "access_log: 'redact_key_file'", CONFIG_KEY_BYTES_MIN,
                             &key_path, &log->redact_key);
  check_format(reader, &scope, log);
}
