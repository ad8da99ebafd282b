/* upstreams: named pools of endpoints, and what rule files may claim of them. */
#include <cjson/cJSON.h>
#include <stdio.h>

#include "reader.h"

enum { SECOND = 1000, MINUTE = 60 * SECOND, HOUR = 60 * MINUTE };
enum { BREAKER_MAX = 1000000 };

/* ---- upstreams ------------------------------------------------------------------------------- */

/* The same for all spellings of one endpoint. p == NULL: memory. */
static struct str canonical(struct config_reader *reader, const struct config_endpoint *endpoint) {
  char buffer[64];
  struct str host = endpoint->host;
  if (endpoint->is_unix) return endpoint->text;
  if (endpoint->is_address) {
    host = ip_format(&endpoint->ip, buffer, sizeof(buffer));
  } else if (host.p[host.n - 1] == '.') {
    host.n--;
  }
  char *p = arena_alloc(reader->arena, host.n + 2);
  if (!p) return (struct str){0};
  for (size_t i = 0; i < host.n; i++) p[i] = ascii_lower(host.p[i]);
  p[host.n] = (char)(endpoint->port >> 8);
  p[host.n + 1] = (char)(endpoint->port & 0xFF);
  return str_make(p, host.n + 2);
}

static bool is_new_endpoint(struct config_reader *reader, const cJSON *node, const char *what,
                            const struct config_endpoint *endpoint, struct str_set *seen) {
  struct str key = canonical(reader, endpoint);
  if (!key.p) {
    config_fail_memory(reader);
    return false;
  }
  if (str_set_add(seen, key, 0)) return true;
  json_error(reader->doc, node, reader->diags, "remove one of them",
             "%s: endpoint '%.*s' is there twice", what, STR_ARG(endpoint->text));
  return false;
}

static void read_endpoints(struct config_reader *reader, const struct config_scope *scope,
                           struct config_upstream *upstream) {
  static const char hint[] = "\"endpoints\": [\"127.0.0.1:9001\"]";
  const cJSON *list = config_want(reader, scope, "endpoints", hint);
  size_t n = 0;
  const char *what = config_printf(reader, "%s: 'endpoints'", scope->what);
  if (!list || !config_to_list(reader, list, what, hint, &n)) return;
  if (n == 0) {
    json_error(reader->doc, list, reader->diags, hint, "%s is empty", what);
    return;
  }
  struct config_endpoint *endpoints = ARENA_ARRAY(reader->arena, struct config_endpoint, n);
  struct str_set *seen = str_set_new(reader->arena, n);
  if (!endpoints || !seen) return config_fail_memory(reader);
  const cJSON *node;
  cJSON_ArrayForEach(node, list) {
    struct config_endpoint *endpoint = &endpoints[upstream->endpoint_count];
    if (!config_parse_endpoint(reader, node, scope->what, endpoint)) continue;
    if (is_new_endpoint(reader, node, scope->what, endpoint, seen)) upstream->endpoint_count++;
  }
  upstream->endpoints = endpoints;
}

static void read_balance(struct config_reader *reader, const struct config_scope *scope,
                         struct config_upstream *upstream) {
  static const char *const names[] = {[BALANCE_LEAST_REQUESTS] = "least_requests",
                                      [BALANCE_ROUND_ROBIN] = "round_robin",
                                      [BALANCE_HASH] = "hash",
                                      NULL};
  upstream->balance = (enum config_balance)config_read_word(
      reader, scope, "load_balancing", names, "\"least_requests\", \"round_robin\" or \"hash\"");
}

static void read_outliers(struct config_reader *reader, const struct config_scope *scope,
                          struct config_outliers *outliers) {
  const cJSON *node = config_find(scope, "outlier_detection");
  const char *what = config_printf(reader, "%s: 'outlier_detection'", scope->what);
  struct config_scope own;
  if (!node || !config_open_scope(reader, node, "upstreams.*.outlier_detection", what, &own))
    return;
  outliers->enabled = true;
  config_read_number(reader, &own, "consecutive_failures", 1, 1000000,
                     &outliers->consecutive_failures);
  config_read_number(reader, &own, "failure_percent", 1, 100, &outliers->failure_percent);
  config_read_number(reader, &own, "minimum_requests", 1, 1000000, &outliers->minimum_requests);
  config_read_duration(reader, &own, "interval", 1, HOUR, &outliers->interval_ms);
  config_read_duration(reader, &own, "ejection_time", 1, 24 * HOUR, &outliers->ejection_ms);
  config_read_duration(reader, &own, "max_ejection_time", 1, 24 * HOUR, &outliers->ejection_max_ms);
  config_read_number(reader, &own, "max_ejected_percent", 0, 100, &outliers->max_ejected_percent);
  if (outliers->ejection_max_ms < outliers->ejection_ms)
    json_error(reader->doc, node, reader->diags, "make it as long at least",
               "%s: 'max_ejection_time' is shorter than 'ejection_time'", what);
}

static void read_breaker(struct config_reader *reader, const struct config_scope *scope,
                         struct config_breaker *breaker) {
  const cJSON *node = config_find(scope, "circuit_breaker");
  const char *what = config_printf(reader, "%s: 'circuit_breaker'", scope->what);
  struct config_scope own;
  if (!node || !config_open_scope(reader, node, "upstreams.*.circuit_breaker", what, &own)) return;
  breaker->enabled = true;
  config_read_number(reader, &own, "max_connections", 0, BREAKER_MAX, &breaker->max_connections);
  config_read_number(reader, &own, "max_requests", 0, BREAKER_MAX, &breaker->max_requests);
  config_read_number(reader, &own, "max_pending", 0, BREAKER_MAX, &breaker->max_pending);
  config_read_duration(reader, &own, "pending_timeout", 1, 10 * MINUTE,
                       &breaker->pending_timeout_ms);
  if (!config_find(&own, "max_connections") && !config_find(&own, "max_requests"))
    json_error(reader->doc, node, reader->diags, "\"max_requests\": 100",
               "%s limits nothing: it has neither 'max_connections' nor 'max_requests'", what);
}

static void read_upstream(struct config_reader *reader, const cJSON *node,
                          struct config_upstream *upstream) {
  const char *what = config_printf(reader, "upstream '%s'", node->string);
  struct config_scope scope;
  upstream->name = str_from_cstr(node->string);
  if (!json_is_name(upstream->name)) {
    json_key_error(reader->doc, node, reader->diags, "1 to 64 of A-Z a-z 0-9 . _ -",
                   "%s: this is not a name", what);
  }
  if (!config_open_scope(reader, node, "upstreams.*", what, &scope)) return;
  read_endpoints(reader, &scope, upstream);
  read_balance(reader, &scope, upstream);
  config_read_hash_by(reader, &scope, upstream);
  config_read_health_check(reader, &scope, &upstream->health);
  read_outliers(reader, &scope, &upstream->outliers);
  config_read_retry(reader, &scope, &upstream->retry);
  read_breaker(reader, &scope, &upstream->breaker);
  config_read_duration(reader, &scope, "connect_timeout", 1, 10 * MINUTE,
                       &upstream->connect_timeout_ms);
  config_read_duration(reader, &scope, "timeout", 1, 24 * HOUR, &upstream->timeout_ms);
}

void config_read_upstreams(struct config_reader *reader, const struct config_scope *root) {
  static const char hint[] =
      "\"upstreams\": { \"shop-v1\": { \"endpoints\": [\"127.0.0.1:9001\"] } }";
  struct config *config = reader->config;
  const cJSON *object = config_want(reader, root, "upstreams", hint);
  if (!object) return;
  if (!cJSON_IsObject(object) || !object->child) {
    json_error(reader->doc, object, reader->diags, hint,
               cJSON_IsObject(object) ? "upstreams: there is none"
                                      : "upstreams must be an object of names");
    return;
  }
  size_t n = (size_t)cJSON_GetArraySize(object);
  struct config_upstream *upstreams = ARENA_ARRAY(reader->arena, struct config_upstream, n);
  const char **names = arena_alloc_array(reader->arena, n + 1, sizeof(*names));
  struct str_set *index = str_set_new(reader->arena, n);
  if (!upstreams || !names || !index) return config_fail_memory(reader);
  const cJSON *node;
  cJSON_ArrayForEach(node, object) {
    size_t i = config->upstream_count++;
    names[i] = node->string;
    read_upstream(reader, node, &upstreams[i]);
    (void)str_set_add(index, upstreams[i].name, i); /* json has refused duplicate keys */
  }
  config->upstreams = upstreams;
  config->upstream_names = names;
  config->private_->upstream_index = index;
}

/* ---- rules: files, and what they may claim --------------------------------------------------- */

static bool read_claimed_host(struct config_reader *reader, const cJSON *node, struct str *ret) {
  if (!config_to_string(reader, node, "rules: a host", "\"*.example.com\"", ret)) return false;
  struct str host = *ret;
  struct ip_address ip;
  bool bracketed = str_starts_with(host, STR("[")) && str_ends_with(host, STR("]")) &&
                   ip_parse(str_make(host.p + 1, host.n - 2), &ip);
  if (bracketed) return true;
  const char *why = config_check_host(str_starts_with(host, STR("*.")) ? str_skip(host, 2) : host);
  if (!why) {
    /* Hosts of requests have no trailing dot. */
    if (host.p[host.n - 1] == '.') ret->n--;
    return true;
  }
  json_error(reader->doc, node, reader->diags,
             "a host like shop.example.com, or *.example.com for what is under it",
             "rules: '%.*s' is not a host or a pattern of hosts", STR_ARG(host));
  return false;
}

static bool read_claimed_upstream(struct config_reader *reader, const cJSON *node,
                                  struct str *ret) {
  if (!config_to_string(reader, node, "rules: an upstream", "\"shop-v1\"", ret)) return false;
  /* Without any upstream there is an error already. */
  if (!reader->config->upstream_names) return false;
  if (config_find_upstream(reader->config, *ret) != SIZE_MAX) return true;
  char buffer[128];
  const char *hint =
      diag_did_you_mean(*ret, reader->config->upstream_names, buffer, sizeof(buffer));
  json_error(reader->doc, node, reader->diags, hint ? hint : "add it to \"upstreams\"",
             "rules: unknown upstream '%.*s'", STR_ARG(*ret));
  return false;
}

typedef bool (*read_claim_fn)(struct config_reader *reader, const cJSON *node, struct str *ret);

/* A list of claims. When it is not there *ret stays NULL: anything may be claimed. */
static void read_claims(struct config_reader *reader, const struct config_scope *scope,
                        const char *key, read_claim_fn read_claim, const struct str **ret,
                        size_t *ret_n) {
  const cJSON *list = config_find(scope, key);
  size_t n = 0;
  const char *what = config_printf(reader, "rules: '%s'", key);
  if (!list || !config_to_list(reader, list, what, NULL, &n)) return;
  if (n == 0) {
    json_error(reader->doc, list, reader->diags, "leave it out to allow everything",
               "%s is empty: these files could claim nothing", what);
    return;
  }
  struct str *claims = ARENA_ARRAY(reader->arena, struct str, n);
  if (!claims) return config_fail_memory(reader);
  const cJSON *node;
  cJSON_ArrayForEach(node, list) {
    if (read_claim(reader, node, &claims[*ret_n])) (*ret_n)++;
  }
  *ret = claims;
}

static bool read_pattern(struct config_reader *reader, const cJSON *node,
                         struct config_rules *rules) {
  struct str text;
  if (!config_to_string(reader, node, "rules: a pattern of files", "\"rules/*.json\"", &text)) {
    return false;
  }
  rules->at = json_place(reader->doc, node);
  if (text.n == 0) {
    json_error(reader->doc, node, reader->diags, "\"rules/*.json\"", "rules: an empty file name");
    return false;
  }
  rules->pattern = config_path(reader, node, text, true);
  return rules->pattern.p != NULL;
}

static bool read_rules_entry(struct config_reader *reader, const cJSON *node,
                             struct config_rules *rules) {
  struct config_scope scope;
  if (cJSON_IsString(node)) return read_pattern(reader, node, rules);
  if (!cJSON_IsObject(node)) {
    json_error(
        reader->doc, node, reader->diags,
        "\"rules/*.json\" or { \"files\": \"team-a/*.json\", \"hosts\": [\"a.example.com\"] }",
        "rules: an entry must be a string or an object, not %s", json_kind(node));
    return false;
  }
  if (!config_open_scope(reader, node, "rules[]", "rules", &scope)) return false;
  read_claims(reader, &scope, "hosts", read_claimed_host, &rules->hosts, &rules->host_count);
  read_claims(reader, &scope, "upstreams", read_claimed_upstream, &rules->upstreams,
              &rules->upstream_count);
  const cJSON *files = config_want(reader, &scope, "files", "add \"files\": \"team-a/*.json\"");
  return files && read_pattern(reader, files, rules);
}

void config_read_rules(struct config_reader *reader, const struct config_scope *root) {
  const cJSON *list = config_find(root, "rules");
  size_t n = 0;
  if (!list || !config_to_list(reader, list, "rules", "[\"rules/*.json\"]", &n)) return;
  struct config_rules *rules = ARENA_ARRAY(reader->arena, struct config_rules, n);
  if (!rules) return config_fail_memory(reader);
  size_t count = 0;
  const cJSON *node;
  cJSON_ArrayForEach(node, list) {
    if (read_rules_entry(reader, node, &rules[count])) count++;
  }
  reader->config->rules = rules;
  reader->config->rules_count = count;
}
