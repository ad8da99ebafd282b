/*
 * Addresses: where we listen (ADDRESS:PORT), whom we ask (HOST:PORT), whom we believe (networks).
 */
#include <cjson/cJSON.h>
#include <stdio.h>

#include "reader.h"

enum { LISTENS_MAX = 64, HOST_MAX = 253, LABEL_MAX = 63, TOKEN_MIN = 1 };

/* "host:port" taken apart. */
struct host_port {
  struct str host; /* without brackets */
  uint16_t port;
  bool is_address;
  struct ip_address ip;
};

/* ---- HOST:PORT ------------------------------------------------------------------------------- */

/* What is wrong with a port, or NULL. */
static const char *parse_port(struct str text, uint16_t *ret, const char **ret_hint) {
  uint64_t value = 0;
  *ret_hint = "a port is a number up to 65535";
  if (text.n == 0) return "has no port";
  if (text.n > 5 || !str_to_u64(text, 65535, &value)) return "has a port that is none";
  *ret = (uint16_t)value;
  return NULL;
}

/* "[::1]:80" */
static const char *parse_bracketed(struct str text, struct host_port *ret, const char **ret_hint) {
  size_t close = str_find_char(text, ']', 0);
  struct str behind = str_skip(text, close + 1);
  ret->host = str_take(str_skip(text, 1), close - 1);
  *ret_hint = "an IPv6 address stands in brackets: [::1]:8080";
  if (close == text.n || str_find_char(ret->host, ':', 0) == ret->host.n ||
      !ip_parse(ret->host, &ret->ip)) {
    return "is not an address with a port";
  }
  ret->is_address = true;
  if (!str_starts_with(behind, STR(":"))) {
    *ret_hint = "add it: [::1]:8080";
    return "has no port";
  }
  return parse_port(str_skip(behind, 1), &ret->port, ret_hint);
}

/* What is wrong, or NULL. The host may still be no host name. */
static const char *parse_host_port(struct str text, struct host_port *ret, const char **ret_hint) {
  *ret = (struct host_port){0};
  *ret_hint = NULL;
  if (str_find_char(text, '/', 0) < text.n) {
    *ret_hint = "only host and port, without scheme and path";
    return "is not an address with a port";
  }
  if (str_starts_with(text, STR("["))) return parse_bracketed(text, ret, ret_hint);
  size_t colon = str_find_char(text, ':', 0);
  if (str_find_char(text, ':', colon + 1) < text.n) {
    *ret_hint = "an IPv6 address stands in brackets: [::1]:8080";
    return "is not an address with a port";
  }
  if (colon == text.n) {
    *ret_hint = "add it: 127.0.0.1:8080";
    return "has no port";
  }
  ret->host = str_take(text, colon);
  ret->is_address = ip_parse(ret->host, &ret->ip);
  return parse_port(str_skip(text, colon + 1), &ret->port, ret_hint);
}

/* ---- host names ------------------------------------------------------------------------------ */

static bool is_host_char(char c) {
  return ascii_is_alpha(c) || ascii_is_digit(c) || c == '-' || c == '_';
}

static bool is_number(struct str label) {
  for (size_t i = 0; i < label.n; i++) {
    if (!ascii_is_digit(label.p[i])) return false;
  }
  return true;
}

const char *config_check_host(struct str host) {
  if (host.n > 1 && host.p[host.n - 1] == '.') host.n--;
  if (host.n == 0) return "has no host";
  if (host.n > HOST_MAX) return "has a host of more than 253 bytes";
  struct str rest = host;
  struct str label = {0};
  while (str_split_next(&rest, '.', &label)) {
    if (label.n == 0 || label.n > LABEL_MAX || label.p[0] == '-' || label.p[label.n - 1] == '-') {
      return "has a host that is no host name";
    }
    for (size_t i = 0; i < label.n; i++) {
      if (!is_host_char(label.p[i])) return "has a host that is no host name";
    }
  }
  /* What ends in a number is an address or a mistake in one, never a name (RFC 3696 2). */
  struct ip_address ip;
  if (is_number(label) && !ip_parse(host, &ip)) return "is neither a host name nor an address";
  return NULL;
}

/* ---- where we listen ------------------------------------------------------------------------- */

bool config_parse_listen(struct config_reader *reader, const struct cJSON *node, const char *what,
                         struct config_listen *ret) {
  struct str text;
  struct host_port parsed;
  const char *hint;
  if (!config_to_string(reader, node, what, "\"0.0.0.0:8080\"", &text)) return false;
  const char *why = parse_host_port(text, &parsed, &hint);
  if (!why && !parsed.is_address) {
    why = "names no IP address to listen on";
    hint = parsed.host.n == 0 || str_eq(parsed.host, STR("*"))
               ? "every IPv4 interface is 0.0.0.0, every IPv6 interface [::]"
               : "write the address itself, like 127.0.0.1:8080";
  }
  if (why) {
    json_error(reader->doc, node, reader->diags, hint, "%s: '%.*s' %s", what, STR_ARG(text), why);
    return false;
  }
  *ret = (struct config_listen){.text = text, .ip = parsed.ip, .port = parsed.port};
  return true;
}

static void check_listen_is_new(struct config_reader *reader, const cJSON *node,
                                const struct config_listen *listens, size_t n,
                                const struct config_listen *listen) {
  for (size_t i = 0; i < n; i++) {
    if (listen->port == 0 || listens[i].port != listen->port) continue;
    if (!ip_eq(&listens[i].ip, &listen->ip)) continue;
    json_error(reader->doc, node, reader->diags, "remove one of them",
               "listen: '%.*s' is there twice", STR_ARG(listen->text));
    return;
  }
}

static bool read_listen(struct config_reader *reader, const cJSON *node, struct config_listen *ret,
                        const cJSON **ret_address) {
  struct config_scope scope;
  if (!config_open_scope(reader, node, "listen[]", "listen", &scope)) return false;
  const cJSON *tls = config_find(&scope, "tls");
  if (tls) {
    json_key_error(reader->doc, tls, reader->diags,
                   "leave it out, and end TLS in a load balancer before Adit",
                   "listen: TLS is not available in this version");
  }
  *ret_address = config_want(reader, &scope, "address", "add \"address\": \"0.0.0.0:8080\"");
  return *ret_address && config_parse_listen(reader, *ret_address, "listen", ret);
}

void config_read_listens(struct config_reader *reader, const struct config_scope *root) {
  static const char hint[] = "\"listen\": [{ \"address\": \"0.0.0.0:8080\" }]";
  size_t n = 0;
  const cJSON *list = config_want(reader, root, "listen", hint);
  if (!list || !config_to_list(reader, list, "listen", hint, &n)) return;
  if (n == 0 || n > LISTENS_MAX) {
    json_error(reader->doc, list, reader->diags, hint, "listen must have from 1 to %d addresses",
               LISTENS_MAX);
    return;
  }
  struct config_listen *listens = ARENA_ARRAY(reader->arena, struct config_listen, n);
  if (!listens) return config_fail_memory(reader);
  size_t count = 0;
  const cJSON *node, *address;
  cJSON_ArrayForEach(node, list) {
    if (!read_listen(reader, node, &listens[count], &address)) continue;
    check_listen_is_new(reader, address, listens, count, &listens[count]);
    count++;
  }
  reader->config->listens = listens;
  reader->config->listen_count = count;
}

void config_read_admin(struct config_reader *reader, const struct config_scope *root) {
  struct config *config = reader->config;
  struct config_scope scope;
  const cJSON *node = config_find(root, "admin");
  if (!node) return;
  config->has_admin = true;
  config->admin_at = json_key_place(reader->doc, node);
  if (!config_open_scope(reader, node, "admin", "admin", &scope)) return;
  const cJSON *token_file = config_find(&scope, "token_file");
  if (token_file) {
    (void)config_read_secret(reader, token_file, "admin: 'token_file'", TOKEN_MIN,
                             &config->admin_token_file, &config->admin_token);
  }
  const cJSON *address =
      config_want(reader, &scope, "address", "add \"address\": \"127.0.0.1:9901\"");
  if (!address || !config_parse_listen(reader, address, "admin", &config->admin)) return;
  if (!token_file && !ip_is_loopback(&config->admin.ip)) {
    json_error(reader->doc, address, reader->diags,
               "add \"token_file\": \"FILE\" with a bearer token, or listen on 127.0.0.1",
               "admin: '%.*s' is not a loopback address and there is no token",
               STR_ARG(config->admin.text));
  }
}

/* ---- whom we ask ----------------------------------------------------------------------------- */

/* NULL: it is well. */
static const char *check_unix_path(struct str path, const char **ret_hint) {
  *ret_hint = "like unix:/run/shop.sock";
  if (path.n == 0) return "has no path";
  if (path.p[0] != '/') return "has no absolute path";
  if (memchr(path.p, '\0', path.n)) return "has a NUL in its path";
  *ret_hint = "the kernel takes up to 107 bytes";
  return path.n > CONFIG_UNIX_PATH_MAX ? "has too long a path" : NULL;
}

static const char *check_endpoint(struct str text, struct config_endpoint *ret,
                                  const char **ret_hint) {
  struct host_port parsed;
  *ret = (struct config_endpoint){.text = text, .weight = 1};
  if (str_starts_with(text, STR("unix:"))) {
    ret->is_unix = true;
    ret->host = str_skip(text, 5);
    return check_unix_path(ret->host, ret_hint);
  }
  const char *why = parse_host_port(text, &parsed, ret_hint);
  if (why) return why;
  ret->host = parsed.host;
  ret->port = parsed.port;
  ret->is_address = parsed.is_address;
  ret->ip = parsed.ip;
  if (!parsed.is_address) {
    *ret_hint = "like 127.0.0.1:9001, [::1]:9001, shop:9001 or unix:/run/shop.sock";
    why = config_check_host(parsed.host);
  }
  if (!why && parsed.port == 0) {
    *ret_hint = "a port from 1 to 65535";
    why = "has port 0";
  }
  return why;
}

static bool parse_endpoint_text(struct config_reader *reader, const cJSON *node, const char *what,
                                struct config_endpoint *ret) {
  struct str text;
  const char *hint = NULL;
  if (!config_to_string(reader, node, what, "\"127.0.0.1:9001\"", &text)) return false;
  const char *why = check_endpoint(text, ret, &hint);
  if (!why) return true;
  json_error(reader->doc, node, reader->diags, hint, "%s: endpoint '%.*s' %s", what, STR_ARG(text),
             why);
  return false;
}

bool config_parse_endpoint(struct config_reader *reader, const struct cJSON *node, const char *what,
                           struct config_endpoint *ret) {
  struct config_scope scope;
  if (!cJSON_IsObject(node)) return parse_endpoint_text(reader, node, what, ret);
  const char *of = config_printf(reader, "%s: an endpoint", what);
  if (!config_open_scope(reader, node, "upstreams.*.endpoints[]", of, &scope)) return false;
  const cJSON *address =
      config_want(reader, &scope, "address", "add \"address\": \"127.0.0.1:9001\"");
  if (!address || !parse_endpoint_text(reader, address, what, ret)) return false;
  config_read_number(reader, &scope, "weight", 1, CONFIG_WEIGHT_MAX, &ret->weight);
  config_read_boolean(reader, &scope, "drain", &ret->drains);
  return true;
}

/* ---- whom we believe ------------------------------------------------------------------------- */

static bool read_proxy(struct config_reader *reader, const cJSON *node, struct ip_network *ret) {
  struct str text;
  if (!config_to_string(reader, node, "trusted_proxies: a network", "\"10.0.0.0/24\"", &text)) {
    return false;
  }
  char buffer[64], hint[96];
  switch (ip_network_parse(text, ret)) {
    case IP_NETWORK_OK:
      return true;
    case IP_NETWORK_MALFORMED:
      json_error(reader->doc, node, reader->diags, "like 10.0.0.0/24, 2001:db8::/32 or 10.0.0.7",
                 "trusted_proxies: '%.*s' is neither a network nor an address", STR_ARG(text));
      return false;
    case IP_NETWORK_HOST_BITS:
      snprintf(hint, sizeof(hint), "did you mean '%.*s'?",
               STR_ARG(ip_network_format(ret, buffer, sizeof(buffer))));
      json_error(reader->doc, node, reader->diags, hint,
                 "trusted_proxies: '%.*s' has bits set behind its prefix", STR_ARG(text));
      return false;
  }
  return false;
}

void config_read_proxies(struct config_reader *reader, const struct config_scope *root) {
  const cJSON *list = config_find(root, "trusted_proxies");
  size_t n = 0;
  if (!list || !config_to_list(reader, list, "trusted_proxies", "[\"127.0.0.0/8\"]", &n)) return;
  struct ip_network *networks = ARENA_ARRAY(reader->arena, struct ip_network, n);
  if (!networks) return config_fail_memory(reader);
  size_t count = 0;
  const cJSON *node;
  cJSON_ArrayForEach(node, list) {
    if (read_proxy(reader, node, &networks[count])) count++;
  }
  reader->config->trusted_proxies = networks;
  reader->config->trusted_proxy_count = count;
}
