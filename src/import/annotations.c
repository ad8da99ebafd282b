/*
 * annotations: a table of all that ingress-nginx has, and reading those that Adit can keep.
 *
 * annotations_read goes over an Ingress's annotations once and sorts them into settings by what
 * they are for; what has no place is said to be lost, with the reason in the table. Then each group
 * of settings is read as a whole, because they mean something together only.
 */
#include "annotations.h"

#include <stdio.h>

#include "adit/http.h"
#include "adit/regex.h"
#include "adit/units.h"

enum use {
  USE_CANARY,
  USE_HEADER,
  USE_VALUE,
  USE_PATTERN,
  USE_COOKIE,
  USE_WEIGHT,
  USE_TOTAL,
  USE_AFFINITY,
  USE_BEHAVIOR,
  USE_MAX_AGE,
  USE_EXPIRES,
  USE_SAME_SITE,
  USE_CONNECT,
  USE_READ,
  USE_PROTOCOL,
  USE_COUNT,
  USE_NOTHING = USE_COUNT, /* Adit does so without being told */
  USE_LOST,                /* unless it is switched off */
  USE_LOST_SESSION         /* of session affinity: counts on a canary, too */
};

#define PREFIX "nginx.ingress.kubernetes.io/"

static const char OPEN_NOW[] = "whoever was kept out before is let through; something else must";
static const char NO_REWRITE[] = "Adit sends the path as it came";
static const char NO_TLS[] = "this version of Adit has no TLS; something in front must";
static const char NO_REDIRECT[] = "Adit answers with no redirects; the service or a proxy must";
static const char NO_SNIPPET[] = "lines of nginx's configuration mean nothing to Adit";
static const char NO_LIMIT[] = "Adit does not limit rates; something in front must";
static const char NO_CORS[] = "Adit adds no CORS headers; the service must";
static const char NO_PODS[] =
    "Adit's endpoint is the Service, and Kubernetes chooses the pod: what is remembered is the "
    "version";
static const char NO_COOKIE[] = "Adit's cookie is adit_ROUTE, for all paths, HttpOnly";

/* Those with a setting first, by it. A name that ends in '*' stands for all that begin so; the
 * first row that fits counts. */
static const struct {
  const char *name;
  enum use use;
  const char *why;
} KNOWN[] = {
    [USE_CANARY] = {"canary", USE_CANARY, NULL},
    [USE_HEADER] = {"canary-by-header", USE_HEADER, NULL},
    [USE_VALUE] = {"canary-by-header-value", USE_VALUE, NULL},
    [USE_PATTERN] = {"canary-by-header-pattern", USE_PATTERN, NULL},
    [USE_COOKIE] = {"canary-by-cookie", USE_COOKIE, NULL},
    [USE_WEIGHT] = {"canary-weight", USE_WEIGHT, NULL},
    [USE_TOTAL] = {"canary-weight-total", USE_TOTAL, NULL},
    [USE_AFFINITY] = {"affinity", USE_AFFINITY, NULL},
    [USE_BEHAVIOR] = {"affinity-canary-behavior", USE_BEHAVIOR, NULL},
    [USE_MAX_AGE] = {"session-cookie-max-age", USE_MAX_AGE, NULL},
    [USE_EXPIRES] = {"session-cookie-expires", USE_EXPIRES, NULL},
    [USE_SAME_SITE] = {"session-cookie-samesite", USE_SAME_SITE, NULL},
    [USE_CONNECT] = {"proxy-connect-timeout", USE_CONNECT, NULL},
    [USE_READ] = {"proxy-read-timeout", USE_READ, NULL},
    [USE_PROTOCOL] = {"backend-protocol", USE_PROTOCOL, NULL},
    {"affinity-mode", USE_LOST_SESSION, NO_PODS},
    {"session-cookie-*", USE_LOST_SESSION, NO_COOKIE},
    {"service-upstream", USE_NOTHING, NULL},
    {"load-balance", USE_LOST_SESSION, NO_PODS},
    {"upstream-hash-by*", USE_LOST_SESSION, NO_PODS},
    {"auth-tls-*", USE_LOST, OPEN_NOW},
    {"auth-*", USE_LOST, OPEN_NOW},
    {"enable-global-auth", USE_LOST, OPEN_NOW},
    {"whitelist-source-range", USE_LOST, OPEN_NOW},
    {"allowlist-source-range", USE_LOST, OPEN_NOW},
    {"denylist-source-range", USE_LOST, OPEN_NOW},
    {"satisfy", USE_LOST, OPEN_NOW},
    {"enable-modsecurity", USE_LOST, OPEN_NOW},
    {"enable-owasp-*", USE_LOST, OPEN_NOW},
    {"modsecurity-*", USE_LOST, OPEN_NOW},
    {"limit-*", USE_LOST, NO_LIMIT},
    {"global-rate-limit*", USE_LOST, NO_LIMIT},
    {"rewrite-target", USE_LOST, NO_REWRITE},
    {"x-forwarded-prefix", USE_LOST, NO_REWRITE},
    {"use-regex", USE_LOST,
     "a route has a path prefix, on borders of segments and with case; what a pattern says beyond "
     "that is lost"},
    {"upstream-vhost", USE_LOST, "Adit sends the Host as it came"},
    {"app-root", USE_LOST, NO_REDIRECT},
    {"permanent-redirect*", USE_LOST, NO_REDIRECT},
    {"temporal-redirect*", USE_LOST, NO_REDIRECT},
    {"from-to-www-redirect", USE_LOST, NO_REDIRECT},
    {"ssl-redirect", USE_LOST, NO_TLS},
    {"force-ssl-redirect", USE_LOST, NO_TLS},
    {"preserve-trailing-slash", USE_LOST, NO_REDIRECT},
    {"ssl-*", USE_LOST, NO_TLS},
    {"proxy-ssl-*", USE_LOST, "Adit speaks plain HTTP with services"},
    {"enable-cors", USE_LOST, NO_CORS},
    {"cors-*", USE_LOST, NO_CORS},
    {"configuration-snippet", USE_LOST, NO_SNIPPET},
    {"server-snippet", USE_LOST, NO_SNIPPET},
    {"stream-snippet", USE_LOST, NO_SNIPPET},
    {"server-alias", USE_LOST, "write these hosts into \"match\" of the host's rule files"},
    {"default-backend", USE_LOST, "a canary that fails gives way to stable, and nothing else does"},
    {"custom-http-errors", USE_LOST, "Adit passes the service's errors on as they are"},
    {"disable-proxy-intercept-errors", USE_NOTHING, NULL},
    {"proxy-body-size", USE_LOST,
     "\"limits\": {\"body_bytes\": …} in adit.json is one limit for all routes; here there is "
     "none"},
    {"client-body-buffer-size", USE_NOTHING, NULL},
    {"proxy-buffering", USE_LOST, "Adit passes bodies on as they come"},
    {"proxy-request-buffering", USE_LOST, "Adit passes bodies on as they come"},
    {"proxy-buffer*", USE_NOTHING, NULL},
    {"proxy-max-temp-file-size", USE_NOTHING, NULL},
    {"proxy-send-timeout", USE_LOST, "\"timeouts\": {\"body\": …} in adit.json is for all routes"},
    {"proxy-next-upstream*", USE_LOST,
     "Adit sends a request again only when no byte of it can have been processed"},
    {"proxy-http-version", USE_LOST, "Adit speaks HTTP/1.1 with services"},
    {"proxy-cookie-*", USE_LOST, "Adit passes Set-Cookie on as it is"},
    {"proxy-redirect-*", USE_LOST, "Adit passes Location on as it is"},
    {"connection-proxy-header", USE_LOST, "Adit keeps connections as HTTP/1.1 says"},
    {"custom-headers", USE_LOST, "Adit adds no response headers of yours"},
    {"mirror-*", USE_LOST, "\"mirror\" in the rule file copies requests to another variant"},
    {"enable-access-log", USE_LOST, "this version of Adit writes no access log"},
    {"enable-rewrite-log", USE_NOTHING, NULL},
    {"enable-opentracing", USE_LOST, "Adit makes no traces"},
    {"opentracing-*", USE_LOST, "Adit makes no traces"},
    {"enable-opentelemetry", USE_LOST, "Adit makes no traces"},
    {"opentelemetry-*", USE_LOST, "Adit makes no traces"},
    {"enable-influxdb", USE_LOST, "Adit writes no metrics there"},
    {"influxdb-*", USE_LOST, "Adit writes no metrics there"},
    {"http2-push-preload", USE_LOST, "Adit pushes nothing"},
    {"fastcgi-*", USE_LOST, "Adit speaks HTTP/1.1 with services"},
};

enum { KNOWN_COUNT = sizeof(KNOWN) / sizeof(*KNOWN), SECONDS_MAX = 400 * 86400 };

struct reading {
  struct manifests *manifests;
  struct manifest_ingress *ingress;
  struct setting settings[USE_COUNT];
  struct annotations *ret;
};

#define LOSE(reading, place, ...) \
  manifest_lose((reading)->manifests, (reading)->ingress, (place), __VA_ARGS__)

/* ---- the table ------------------------------------------------------------------------------- */

static size_t find_known(struct str name) {
  size_t i = 0;
  for (; i < KNOWN_COUNT; i++) {
    struct str row = str_from_cstr(KNOWN[i].name);
    bool family = row.p[row.n - 1] == '*';
    if (family ? str_starts_with(name, str_take(row, row.n - 1)) : str_eq(name, row)) break;
  }
  return i;
}

static void lose_unknown(struct reading *reading, struct str name, struct diag_place at) {
  const char *names[KNOWN_COUNT + 1];
  char hint[80] = "";
  for (size_t i = 0; i < KNOWN_COUNT; i++) names[i] = KNOWN[i].name;
  names[KNOWN_COUNT] = NULL;
  bool near = diag_did_you_mean(name, names, hint, sizeof(hint));
  LOSE(reading, at, "%.*s: Adit knows no such annotation%s%s", STR_ARG(name), near ? "; " : "",
       near ? hint : "");
}

static bool is_off(struct str value) {
  return value.n == 0 || str_eq(value, STR("false")) || str_eq(value, STR("off"));
}

/* What Kubernetes takes for something else than a text, and so refuses. */
static bool is_no_text(const struct yaml_node *node) {
  static const char *const words[] = {"true", "false", "yes", "no", "on", "off"};
  if (!node->plain) return false;
  for (size_t i = 0; i < sizeof(words) / sizeof(*words); i++) {
    if (str_eq_nocase(node->text, str_from_cstr(words[i]))) return true;
  }
  for (size_t i = 0; i < node->text.n; i++) {
    if (!ascii_is_digit(node->text.p[i])) return false;
  }
  return true;
}

/* On a canary ingress-nginx itself reads only what is of the canary and of session affinity. */
static void take_known(struct reading *reading, size_t row, struct str name,
                       const struct setting *setting, bool on_canary) {
  enum use use = KNOWN[row].use;
  if (use < USE_COUNT) {
    reading->settings[use] = *setting;
  } else if (use != USE_NOTHING && !is_off(setting->text) &&
             (!on_canary || use == USE_LOST_SESSION)) {
    LOSE(reading, setting->at, "%.*s: %s", STR_ARG(name), KNOWN[row].why);
  }
}

static void take_annotation(struct reading *reading, const struct yaml_node *key,
                            const struct yaml_node *value, bool on_canary) {
  struct str name = str_skip(key->text, sizeof(PREFIX) - 1);
  struct setting setting = {.text = str_trim(value->text), .at = key->at};
  if (yaml_is_null(value)) return;
  if (is_no_text(value)) {
    diags_add(reading->manifests->diags, DIAG_WARNING, value->at, "put it in quotes",
              "annotation '%.*s' must be a text: Kubernetes refuses %.*s", STR_ARG(key->text),
              STR_ARG(value->text));
  }
  size_t row = find_known(name);
  if (row < KNOWN_COUNT) {
    take_known(reading, row, name, &setting, on_canary);
  } else if (!on_canary || str_starts_with(name, STR("canary"))) {
    lose_unknown(reading, name, setting.at);
  }
}

/* strconv.ParseBool of Go, which ingress-nginx reads with. */
static bool is_true(struct str text) {
  static const char *const words[] = {"1", "t", "T", "true", "TRUE", "True"};
  for (size_t i = 0; i < sizeof(words) / sizeof(*words); i++) {
    if (str_eq(text, str_from_cstr(words[i]))) return true;
  }
  return false;
}

/* ---- numbers --------------------------------------------------------------------------------- */

/* An integer as strconv.Atoi takes it; false, and said, when it is none. Below 0 is 0. */
static bool read_integer(struct reading *reading, enum use use, const char *instead,
                         uint64_t *ret) {
  const struct setting *setting = &reading->settings[use];
  if (!setting->text.p) return false;
  struct str digits = setting->text;
  bool negative = digits.n > 0 && digits.p[0] == '-';
  if (digits.n > 1 && (negative || digits.p[0] == '+')) digits = str_skip(digits, 1);
  if (str_to_u64(digits, INT32_MAX, ret)) {
    if (negative) *ret = 0;
    return true;
  }
  LOSE(reading, setting->at, "%s '%.*s' is not a number: ingress-nginx takes %s", KNOWN[use].name,
       STR_ARG(setting->text), instead);
  return false;
}

/* ---- canary ---------------------------------------------------------------------------------- */

static void lose_canary_of_main(struct reading *reading) {
  for (size_t i = USE_HEADER; i <= USE_TOTAL; i++) {
    const struct setting *setting = &reading->settings[i];
    if (!setting->text.p) continue;
    LOSE(reading, setting->at, "%s: without canary: \"true\" ingress-nginx ignores it",
         KNOWN[i].name);
  }
}

/* nginx takes '-' and '_' of a name for the same, and drops fields whose names have '_'. */
static void read_header(struct reading *reading) {
  struct canary_settings *canary = &reading->ret->canary;
  struct setting *setting = &reading->settings[USE_HEADER];
  if (setting->text.n == 0) {
    const struct setting *other = &reading->settings[USE_VALUE];
    if (!other->text.p) other = &reading->settings[USE_PATTERN];
    if (!other->text.p) return;
    LOSE(reading, other->at,
         "a value or pattern without canary-by-header: ingress-nginx "
         "ignores it");
    return;
  }
  if (!http_is_token(setting->text)) {
    LOSE(reading, setting->at,
         "canary-by-header '%.*s' is not the name of a header: no request "
         "has it",
         STR_ARG(setting->text));
    return;
  }
  char *name = arena_alloc(reading->manifests->arena, setting->text.n);
  if (!name) return;
  for (size_t i = 0; i < setting->text.n; i++) {
    name[i] = setting->text.p[i] == '_' ? '-' : setting->text.p[i];
  }
  canary->header = (struct setting){str_make(name, setting->text.n), setting->at};
}

static void read_pattern(struct reading *reading) {
  struct canary_settings *canary = &reading->ret->canary;
  struct regex_error error = {0};
  canary->pattern = reading->settings[USE_PATTERN];
  struct regex *regex = regex_new(canary->pattern.text, &error);
  canary->pattern_refused = !regex;
  if (!regex) {
    LOSE(reading, canary->pattern.at,
         "canary-by-header-pattern '%.*s': %s; whoever sends the header gets the stable version",
         STR_ARG(canary->pattern.text), error.message);
  }
  regex_free(&regex);
}

static void read_header_value(struct reading *reading) {
  struct canary_settings *canary = &reading->ret->canary;
  const struct setting *value = &reading->settings[USE_VALUE];
  const struct setting *pattern = &reading->settings[USE_PATTERN];
  if (!canary->header.text.p) return;
  if (value->text.n > 0) {
    canary->value = *value;
    if (!http_is_field_value(value->text)) {
      LOSE(reading, value->at, "canary-by-header-value: no header can have this value");
      canary->header.text.p = NULL;
    }
    if (pattern->text.n > 0) {
      LOSE(reading, pattern->at,
           "canary-by-header-pattern: ingress-nginx ignores it beside canary-by-header-value");
    }
  } else if (pattern->text.n > 0) {
    read_pattern(reading);
  }
}

static bool is_cookie_name(struct str name) {
  for (size_t i = 0; i < name.n; i++) {
    if (name.p[i] <= ' ' || name.p[i] == 0x7F || memchr(";=,", name.p[i], 3)) return false;
  }
  return name.n > 0;
}

static void read_cookie(struct reading *reading) {
  const struct setting *setting = &reading->settings[USE_COOKIE];
  if (setting->text.n == 0) return;
  if (is_cookie_name(setting->text)) {
    reading->ret->canary.cookie = *setting;
    return;
  }
  LOSE(reading, setting->at, "canary-by-cookie '%.*s' is not the name of a cookie",
       STR_ARG(setting->text));
}

/* weight of total as hundredths of a percent. A total of less than 100 counts as 100. */
static void read_weight(struct reading *reading) {
  struct canary_settings *canary = &reading->ret->canary;
  uint64_t weight = 0, total = 100;
  canary->weight = reading->settings[USE_WEIGHT];
  if (!read_integer(reading, USE_WEIGHT, "0", &weight)) return;
  if (!read_integer(reading, USE_TOTAL, "100", &total) || total < 100) total = 100;
  if (weight > total) weight = total;
  uint64_t share = (weight * 10000 + total / 2) / total;
  /* Rounding makes neither nobody nor everybody of some. */
  if (share == 0 && weight > 0) share = 1;
  if (share == 10000 && weight < total) share = 9999;
  canary->share = (unsigned)share;
  if (share * total != weight * 10000) {
    LOSE(reading, canary->weight.at,
         "canary-weight %llu of %llu is no whole number of hundredths "
         "of a percent: it becomes %llu.%02llu %%",
         (unsigned long long)weight, (unsigned long long)total, (unsigned long long)share / 100,
         (unsigned long long)share % 100);
  }
}

static void read_canary(struct reading *reading) {
  struct canary_settings *canary = &reading->ret->canary;
  const struct setting *behavior = &reading->settings[USE_BEHAVIOR];
  if (!canary->enabled) {
    lose_canary_of_main(reading);
    return;
  }
  canary->at = reading->settings[USE_CANARY].at;
  canary->legacy = str_eq(behavior->text, STR("legacy"));
  read_header(reading);
  read_header_value(reading);
  read_cookie(reading);
  read_weight(reading);
  if (!canary->header.text.p && !canary->cookie.text.p && canary->share == 0) {
    LOSE(reading, canary->at, "canary: no header, no cookie and no weight: nobody gets it");
  }
}

/* ---- session affinity ------------------------------------------------------------------------ */

static void read_ttl(struct reading *reading) {
  struct affinity_settings *affinity = &reading->ret->affinity;
  uint64_t seconds = 0;
  enum use use = reading->settings[USE_MAX_AGE].text.p ? USE_MAX_AGE : USE_EXPIRES;
  affinity->ttl = STR("");
  if (!read_integer(reading, use, "none", &seconds) || seconds == 0) return;
  if (seconds > SECONDS_MAX) {
    LOSE(reading, reading->settings[use].at, "a cookie of Adit lives 400 days at most");
    seconds = SECONDS_MAX;
  }
  char buffer[32];
  struct str ttl = duration_format((int64_t)seconds * 1000, buffer, sizeof(buffer));
  affinity->ttl = arena_dup(reading->manifests->arena, ttl);
}

static void read_affinity(struct reading *reading) {
  static const char *const known[] = {"Lax", "Strict", "None"};
  struct affinity_settings *affinity = &reading->ret->affinity;
  const struct setting *setting = &reading->settings[USE_AFFINITY];
  const struct setting *same_site = &reading->settings[USE_SAME_SITE];
  if (setting->text.n == 0) return;
  affinity->cookie = str_eq(setting->text, STR("cookie"));
  affinity->at = setting->at;
  if (!affinity->cookie) {
    LOSE(reading, setting->at, "affinity '%.*s': ingress-nginx knows only \"cookie\"",
         STR_ARG(setting->text));
    return;
  }
  if (!reading->ret->canary.enabled) LOSE(reading, setting->at, "affinity: %s", NO_PODS);
  read_ttl(reading);
  for (size_t i = 0; i < sizeof(known) / sizeof(*known); i++) {
    if (str_eq_nocase(same_site->text, str_from_cstr(known[i]))) {
      affinity->same_site = str_from_cstr(known[i]);
    }
  }
}

/* ---- timeouts, protocol ---------------------------------------------------------------------- */

static uint32_t read_seconds(struct reading *reading, enum use use, uint32_t max) {
  uint64_t seconds = 0;
  if (!read_integer(reading, use, "the default", &seconds) || seconds == 0) return 0;
  if (seconds <= max) return (uint32_t)seconds;
  LOSE(reading, reading->settings[use].at, "%s: at most %u seconds", KNOWN[use].name, max);
  return max;
}

static void read_upstream(struct reading *reading) {
  const struct setting *protocol = &reading->settings[USE_PROTOCOL];
  reading->ret->connect_s = read_seconds(reading, USE_CONNECT, 600);
  reading->ret->read_s = read_seconds(reading, USE_READ, 86400);
  if (protocol->text.n == 0 || str_eq_nocase(protocol->text, STR("HTTP")) ||
      str_eq_nocase(protocol->text, STR("AUTO_HTTP"))) {
    return;
  }
  LOSE(reading, protocol->at,
       "backend-protocol %.*s: Adit speaks plain HTTP/1.1 with services; this one will not answer",
       STR_ARG(protocol->text));
}

static void lose_tls(struct reading *reading) {
  for (size_t i = 0; i < reading->ingress->tls.n; i++) {
    const struct manifest_tls *tls = &reading->ingress->tls.items[i];
    const struct str secret = tls->secret.p ? tls->secret : STR("");
    LOSE(
        reading, tls->at,
        "tls%s%.*s: this version of Adit has no TLS and does not redirect http to https; something "
        "in front must",
        tls->secret.p ? " with secret " : "", STR_ARG(secret));
  }
}

/* ---- all of an Ingress ----------------------------------------------------------------------- */

/* What others read (cert-manager, external-dns, …) is theirs, but it hangs on the Ingress. */
static void note_foreign(struct reading *reading, const struct yaml_node *key) {
  static const char *const silent[] = {"kubectl.kubernetes.io/", "meta.helm.sh/",
                                       "kubernetes.io/ingress.class"};
  for (size_t i = 0; i < sizeof(silent) / sizeof(*silent); i++) {
    if (str_starts_with(key->text, str_from_cstr(silent[i]))) return;
  }
  diags_add(reading->manifests->diags, DIAG_NOTE, key->at, NULL,
            "annotation '%.*s' is not of ingress-nginx: whoever reads it still needs the Ingress",
            STR_ARG(key->text));
}

void annotations_read(struct manifests *manifests, struct manifest_ingress *ingress,
                      struct annotations *ret) {
  struct reading reading = {.manifests = manifests, .ingress = ingress, .ret = ret};
  const struct yaml_node *map = ingress->annotations;
  const struct yaml_node *canary = map ? yaml_find(map, PREFIX "canary") : NULL;
  *ret = (struct annotations){.affinity = {.ttl = STR(""), .same_site = STR("")}};
  ret->canary.enabled = canary && is_true(str_trim(canary->text));
  for (size_t i = 0; map && i < map->n; i += 2) {
    if (str_starts_with(map->items[i]->text, STR(PREFIX))) {
      take_annotation(&reading, map->items[i], map->items[i + 1], ret->canary.enabled);
    } else {
      note_foreign(&reading, map->items[i]);
    }
  }
  read_canary(&reading);
  read_affinity(&reading);
  if (ret->canary.enabled) return;
  read_upstream(&reading);
  lose_tls(&reading);
}
