/*
 * redactions: names whose values are to be hashed in the access log, and that no attribute has. A
 * slip there would show what was to be hidden.
 */
#include "policy_private.h"

static bool is_family_of(struct str pattern, struct attr_catalog *catalog) {
  const struct str start = str_take(pattern, pattern.n - 1);
  for (const char *const *name = attr_catalog_names(catalog); *name; name++)
    if (str_starts_with_nocase(str_from_cstr(*name), start)) return true;
  return false;
}

static bool is_known_to(struct attr_catalog *catalog, struct str name) {
  enum attr_type type;
  return str_ends_with(name, STR(".*")) ? is_family_of(name, catalog)
                                        : attr_catalog_find(catalog, name, &type);
}

static bool is_known(const struct policy *policy, struct str name) {
  if (is_known_to(policy->config->catalog, name)) return true;
  for (size_t i = 0; i < policy->route_count; i++)
    if (is_known_to(policy->routes[i]->catalog, name)) return true;
  return false;
}

void redactions_check(struct loader *loader) {
  const struct config_access_log *log = &loader->policy->config->access_log;
  for (size_t i = 0; i < log->redact_count; i++) {
    const struct config_redaction *redaction = &log->redact[i];
    if (is_known(loader->policy, redaction->name)) continue;
    diags_add(loader->diags, DIAG_WARNING, redaction->at, "as rules name it",
              "access_log: 'redact' names '%.*s', which is no attribute", STR_ARG(redaction->name));
  }
}
