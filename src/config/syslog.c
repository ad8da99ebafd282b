/*
 * syslog: "syslog:server=ADDRESS,facility=F,severity=S,tag=T", as nginx writes it. An address is
 * "unix:PATH" or an IP address, with a port or without.
 */
#include <cjson/cJSON.h>

#include "reader.h"

enum { PORT_DEFAULT = 514, FACILITY_LOCAL7 = 23, SEVERITY_INFO = 6, TAG_MAX = 32 };

/* By their numbers in RFC 3164. */
static const char *const facilities[] = {
    "kern",   "user",     "mail",   "daemon", "auth",   "intern", "lpr",  "news",   "uucp",
    "clock",  "authpriv", "ftp",    "ntp",    "audit",  "alert",  "cron", "local0", "local1",
    "local2", "local3",   "local4", "local5", "local6", "local7", NULL};
static const char *const severities[] = {"emerg",  "alert", "crit",  "error", "warn",
                                         "notice", "info",  "debug", NULL};

static bool find_word(const char *const *words, struct str text, unsigned *ret) {
  for (unsigned i = 0; words[i]; i++) {
    if (!str_eq(text, str_from_cstr(words[i]))) continue;
    *ret = i;
    return true;
  }
  return false;
}

static bool take_prefix(struct str *text, struct str prefix) {
  if (!str_starts_with(*text, prefix)) return false;
  *text = str_skip(*text, prefix.n);
  return true;
}

static bool read_server(struct str text, struct config_syslog *ret) {
  if (take_prefix(&text, STR("unix:"))) {
    ret->unix_path = text;
    return text.n > 0 && text.n <= CONFIG_UNIX_PATH_MAX && text.p[0] == '/';
  }
  if (!ip_parse_with_port(text, &ret->ip, &ret->port)) return false;
  if (ret->port == 0) ret->port = PORT_DEFAULT;
  return true;
}

static bool is_tag(struct str text) {
  if (text.n == 0 || text.n > TAG_MAX) return false;
  for (size_t i = 0; i < text.n; i++)
    if (!ascii_is_alpha(text.p[i]) && !ascii_is_digit(text.p[i]) && text.p[i] != '_') return false;
  return true;
}

/* What is wrong with one of the parameters behind the address, or NULL. */
static const char *read_parameter(struct str text, unsigned *facility, unsigned *severity,
                                  struct str *tag) {
  if (take_prefix(&text, STR("facility=")))
    return find_word(facilities, text, facility) ? NULL : "has a facility that is none";
  if (take_prefix(&text, STR("severity=")))
    return find_word(severities, text, severity) ? NULL : "has a severity that is none";
  if (!take_prefix(&text, STR("tag="))) return "has a parameter that nobody knows";
  *tag = text;
  return is_tag(text) ? NULL : "has a tag that is not 1 to 32 letters, digits and '_'";
}

static const char *read_all(struct str text, struct config_syslog *ret) {
  unsigned facility = FACILITY_LOCAL7, severity = SEVERITY_INFO;
  struct str part, rest = text;
  ret->tag = STR("adit");
  if (!take_prefix(&rest, STR("server=")) || !str_split_next(&rest, ',', &part))
    return "names no server";
  if (!read_server(part, ret)) return "has a server that is neither unix:/PATH nor an IP address";
  while (str_split_next(&rest, ',', &part)) {
    const char *wrong = read_parameter(part, &facility, &severity, &ret->tag);
    if (wrong) return wrong;
  }
  ret->priority = facility * 8 + severity;
  return NULL;
}

bool config_read_syslog(struct config_reader *reader, const struct cJSON *node, struct str text,
                        struct config_syslog *ret) {
  if (!take_prefix(&text, STR("syslog:"))) return false;
  const char *wrong = read_all(text, ret);
  if (wrong)
    json_error(reader->doc, node, reader->diags,
               "\"syslog:server=unix:/dev/log\", or an address, then ,facility=local7 "
               ",severity=info ,tag=adit",
               "access_log: 'path' %s", wrong);
  return true;
}
