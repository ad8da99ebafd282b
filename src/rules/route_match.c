/*
 * `match` of a rule file: hosts, path prefix, and what the file may claim.
 *
 * A host is kept as requests have it (lower case, no port, no trailing dot), a prefix in the normal
 * form of request paths and without its last slash, so that finding a route compares bytes only.
 */
#include <cjson/cJSON.h>

#include "adit/hash.h"
#include "adit/http.h"
#include "adit/ip.h"
#include "route.h"

enum { HOST_MAX = 253, HOST_LABEL_MAX = 63 };

/* ---- one host -------------------------------------------------------------------------------- */

static bool is_host_char(char c) {
  return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || ascii_is_digit(c) || c == '-' ||
         c == '_';
}

/* What is wrong with the labels of a host name, or NULL. */
static const char *find_label_mistake(struct str host, const char **ret_hint) {
  struct str rest = host, label;
  if (host.n > HOST_MAX) return "is longer than 253 bytes";
  while (str_split_next(&rest, '.', &label)) {
    if (label.n == 0) return "has an empty label";
    if (label.n > HOST_LABEL_MAX) return "has a label of more than 63 bytes";
    for (size_t i = 0; i < label.n; i++) {
      if (is_host_char(label.p[i])) continue;
      if (label.p[i] == '*') {
        *ret_hint = "a wildcard is '*.' before a host: '*.example.com'";
        return "has a '*' inside";
      }
      if ((unsigned char)label.p[i] >= 0x80) {
        *ret_hint = "write it as requests have it, in its ASCII form 'xn--…'";
        return "is not ASCII";
      }
      return "is not a host name";
    }
  }
  return NULL;
}

static bool is_ip_literal(struct str host) {
  struct ip_address ip;
  return host.n > 2 && host.p[0] == '[' && host.p[host.n - 1] == ']' &&
         str_find_char(host, ':', 0) < host.n && ip_parse(str_make(host.p + 1, host.n - 2), &ip);
}

static const char *find_host_mistake(struct str host, bool wildcard, const char **ret_hint) {
  bool has_wildcard = str_starts_with(host, STR("*."));
  if (host.n == 0) return "is empty";
  if (has_wildcard && !wildcard) return "may not be a wildcard";
  if (str_eq(host, STR("*"))) {
    *ret_hint = wildcard ? "without \"hosts\" a route takes every host" : NULL;
    return "is not a host name";
  }
  if (str_find_char(host, '/', 0) < host.n) {
    *ret_hint = "only the host name, without scheme and path";
    return "is not a host name";
  }
  if (is_ip_literal(host)) return NULL;
  if (str_find_char(host, ':', 0) < host.n) {
    struct ip_address ip;
    bool is_ip = ip_parse(host, &ip);
    *ret_hint = is_ip ? "an IPv6 address stands in brackets" : "a route takes every port";
    return is_ip ? "is not a host name" : "has a port";
  }
  return find_label_mistake(has_wildcard ? str_skip(host, 2) : host, ret_hint);
}

bool route_host_parse(struct arena *arena, struct str text, bool wildcard, struct str *ret,
                      const char **ret_why, const char **ret_hint) {
  struct str host = text;
  if (host.n > 1 && host.p[host.n - 1] == '.') host.n--;
  *ret_hint = NULL;
  *ret_why = find_host_mistake(host, wildcard, ret_hint);
  if (*ret_why) return false;
  char *lower = arena_alloc(arena, host.n + 1);
  if (!lower) {
    *ret_why = "does not fit into memory";
    return false;
  }
  for (size_t i = 0; i < host.n; i++) lower[i] = ascii_lower(host.p[i]);
  *ret = str_make(lower, host.n);
  return true;
}

bool route_host_covers(struct str claim, struct str pattern) {
  if (!str_starts_with(claim, STR("*."))) return str_eq_nocase(claim, pattern);
  struct str suffix = str_skip(claim, 1);
  /* "*.a.x" and "*.x" are both within "*.x", "x" is not. */
  return pattern.n > suffix.n && str_ends_with_nocase(pattern, suffix);
}

/* ---- hosts ----------------------------------------------------------------------------------- */

static bool may_claim_host(const struct rules_environment *environment, struct str host) {
  if (!environment->claim_hosts) return true;
  for (size_t i = 0; i < environment->claim_host_count; i++) {
    if (route_host_covers(environment->claim_hosts[i], host)) return true;
  }
  return false;
}

static const char claim_hint[] =
    "adit.json lists under \"rules\" which hosts these files may claim";

static bool compile_host(struct route_compiler *compiler, const struct cJSON *node,
                         struct str *ret) {
  const char *why, *hint;
  struct str text;
  if (!route_want_string(compiler, node, "a host", &text)) return false;
  if (!route_host_parse(compiler->arena, text, true, ret, &why, &hint)) {
    json_error(compiler->doc, node, compiler->diags, hint, "host '%.*s' %s", STR_ARG(text), why);
    return false;
  }
  if (!may_claim_host(compiler->environment, *ret)) {
    json_error(compiler->doc, node, compiler->diags, claim_hint,
               "this file may not claim host '%.*s'", STR_ARG(text));
    return false;
  }
  return true;
}

static void compile_hosts(struct route_compiler *compiler, const struct cJSON *list) {
  struct route *route = compiler->route;
  if (!route_want_array(compiler, list, "'match.hosts'")) return;
  size_t n = (size_t)cJSON_GetArraySize(list);
  if (n == 0) {
    json_error(compiler->doc, list, compiler->diags, "leave it out to take every host",
               "'match.hosts' is an empty list");
    return;
  }
  struct str *hosts = ARENA_ARRAY(compiler->arena, struct str, n);
  struct diag_place *places = ARENA_ARRAY(compiler->arena, struct diag_place, n);
  struct str_set *seen = str_set_new(compiler->scratch, n);
  if (!hosts || !places || !seen) return;
  size_t count = 0;
  const struct cJSON *node;
  cJSON_ArrayForEach(node, list) {
    struct str host;
    if (!compile_host(compiler, node, &host)) continue;
    places[count] = route_place(compiler, node);
    if (!str_set_add(seen, host, count)) {
      diags_add(compiler->diags, DIAG_WARNING, places[count], NULL, "host '%.*s' is listed twice",
                STR_ARG(host));
      continue;
    }
    hosts[count++] = host;
  }
  route->hosts = hosts;
  route->host_count = count;
  route->private_->host_places = places;
}

/* ---- path prefix ----------------------------------------------------------------------------- */

static bool is_hex_digit(char c) {
  return ascii_is_digit(c) || (ascii_lower(c) >= 'a' && ascii_lower(c) <= 'f');
}

/*
 * A '%' that begins no triplet is meant as itself (a request has it as %25). Gives the prefix as a
 * request would have it.
 */
static struct str encode_lone_percents(struct arena *arena, struct str prefix) {
  char *p = arena_alloc(arena, 3 * prefix.n + 1);
  if (!p) return (struct str){0};
  size_t n = 0;
  for (size_t i = 0; i < prefix.n; i++) {
    p[n++] = prefix.p[i];
    bool triplet =
        i + 2 < prefix.n && is_hex_digit(prefix.p[i + 1]) && is_hex_digit(prefix.p[i + 2]);
    if (prefix.p[i] == '%' && !triplet) {
      p[n++] = '2';
      p[n++] = '5';
    }
  }
  return str_make(p, n);
}

/* Whether a path can have this prefix; if not, says what to write instead. */
static bool check_normal(struct route_compiler *compiler, const struct cJSON *node,
                         struct str prefix) {
  struct str normal, raw = encode_lone_percents(compiler->scratch, prefix);
  char *buffer = arena_alloc(compiler->scratch, raw.n + 1);
  if (!raw.p || !buffer) return false;
  if (!http_path_normalise(raw, buffer, &normal)) {
    json_error(compiler->doc, node, compiler->diags, "requests with such a path are refused",
               "'match.path_prefix': no path begins with '%.*s'", STR_ARG(prefix));
    return false;
  }
  if (str_eq(normal, prefix)) return true;
  struct str hint = arena_printf(compiler->scratch, "write '%.*s'", STR_ARG(normal));
  json_error(compiler->doc, node, compiler->diags, hint.p,
             "'match.path_prefix': '%.*s' is not the normal form of a path", STR_ARG(prefix));
  return false;
}

static void compile_prefix(struct route_compiler *compiler, const struct cJSON *node) {
  struct str prefix;
  if (!route_want_string(compiler, node, "'match.path_prefix'", &prefix)) return;
  if (prefix.n == 0 || prefix.p[0] != '/') {
    json_error(compiler->doc, node, compiler->diags, "\"/\" takes every path",
               "'match.path_prefix' must begin with '/'");
    return;
  }
  if (str_find_char(prefix, '?', 0) < prefix.n) {
    json_error(compiler->doc, node, compiler->diags, "rules can look at 'query.NAME'",
               "'match.path_prefix' is a path, without '?' and a query");
    return;
  }
  if (!check_normal(compiler, node, prefix)) return;
  if (prefix.p[prefix.n - 1] == '/') prefix.n--;
  compiler->route->path_prefix = route_keep(compiler, prefix);
}

/* ---- match ----------------------------------------------------------------------------------- */

static const char *const match_keys[] = {"hosts", "path_prefix", NULL};

void route_compile_match(struct route_compiler *compiler) {
  const struct cJSON *match = route_member(compiler->root, "match");
  struct route *route = compiler->route;
  const struct cJSON *hosts = NULL;
  route->path_prefix = STR("");
  route->match_place = route_place(compiler, match ? match : compiler->root);
  if (match) {
    if (!route_want_object(compiler, match, "'match'")) return;
    (void)json_check_keys(compiler->doc, match, match_keys, "'match'", compiler->diags);
    hosts = route_member(match, "hosts");
    const struct cJSON *prefix = route_member(match, "path_prefix");
    if (hosts) compile_hosts(compiler, hosts);
    if (prefix) compile_prefix(compiler, prefix);
  }
  if (!hosts && compiler->environment->claim_hosts) {
    diags_add(compiler->diags, DIAG_ERROR, route->match_place, claim_hint,
              "this file may not claim every host: 'match.hosts' is missing");
  }
}
