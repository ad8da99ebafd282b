/* fixed: what a reload cannot change (struct fixed, gateway_private.h). */
#include "adit/hash.h"
#include "adit/log.h"
#include "gateway_private.h"

static const char *const fixed_keys[FIXED_COUNT] = {"listen",  "workers",    "admin",     "user",
                                                    "sandbox", "access_log", "state_file"};

static void fix_access_log(struct text *text, const struct config_access_log *log) {
  text_printf(text, "%d %d %s\n", log->format, log->attributes, log->path);
  for (size_t i = 0; i < log->redact_count; i++)
    text_printf(text, "%.*s\n", STR_ARG(log->redact[i].name));
  /* Not the key itself, which is wiped with its configuration. */
  if (log->redact_key.p) text_printf(text, "%llx", (unsigned long long)digest_of(log->redact_key));
}

void fixed_init(struct fixed *fixed, const struct config *config) {
  for (size_t i = 0; i < FIXED_COUNT; i++) text_init(&fixed->values[i], SIZE_MAX - 1);
  for (size_t i = 0; i < config->listen_count; i++)
    text_printf(&fixed->values[FIXED_LISTEN], "%.*s\n", STR_ARG(config->listens[i].text));
  text_printf(&fixed->values[FIXED_WORKERS], "%u", config->workers);
  if (config->has_admin) text_add(&fixed->values[FIXED_ADMIN], config->admin.text);
  if (config->user) text_add(&fixed->values[FIXED_USER], str_from_cstr(config->user));
  text_printf(&fixed->values[FIXED_SANDBOX], "%d", config->sandbox);
  if (config->has_access_log) fix_access_log(&fixed->values[FIXED_ACCESS_LOG], &config->access_log);
  if (config->state_file)
    text_add(&fixed->values[FIXED_STATE_FILE], str_from_cstr(config->state_file));
}

void fixed_deinit(struct fixed *fixed) {
  for (size_t i = 0; i < FIXED_COUNT; i++) text_deinit(&fixed->values[i]);
}

void fixed_say_what_waits(const struct fixed *fixed, const struct config *config) {
  struct fixed now;
  fixed_init(&now, config);
  for (size_t i = 0; i < FIXED_COUNT; i++) {
    const struct text *at_start = &fixed->values[i];
    if (text_failed(&now.values[i]) || text_failed(at_start)) continue;
    if (str_eq(text_str(&now.values[i]), text_str(at_start))) continue;
    log_write(LOG_WARNING, "%s: a change of '%s' is taken up at the next start", config->path,
              fixed_keys[i]);
  }
  fixed_deinit(&now);
}
