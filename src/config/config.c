/*
 * adit.json from file to struct config. Each top-level key has its function, here or in
 *
 *   keys.c       the table of keys, types and defaults
 *   reader.c     typed members, after that table
 *   address.c    listen, admin, trusted_proxies; endpoints' addresses
 *   hash_by.c    what upstreams balance by
 *   geo.c        geoip, and sources that are asked for the client's address
 *   upstreams.c  upstreams, rules
 *   secrets.c    sticky, and files that hold secrets
 */
#include <cjson/cJSON.h>
#include <stdlib.h>

#include "adit/http.h"
#include "reader.h"

enum {
  FILE_MAX = 16 * 1024 * 1024,
  ARENA_MAX = 256 * 1024 * 1024,
  WORKERS_MAX = 256,
  HEADER_BYTES_MIN = 1024,
  HEADER_BYTES_MAX = 1024 * 1024,
  LINE_BYTES_MIN = 64,
  TRAILER_BYTES_MIN = 64,
  TRAILER_BYTES_MAX = 64 * 1024, /* they are held until they are whole */
  EXTENSION_BYTES_MAX = 1024 * 1024,
  BODY_RATE_MAX = 1024 * 1024,
  CONNECTIONS_MAX = 1 << 20,
  MIRRORS_MAX = 1 << 16,
};
enum { SECOND = 1000, MINUTE = 60 * SECOND, HOUR = 60 * MINUTE };

/* ---- small parts ----------------------------------------------------------------------------- */

static void read_limits(struct config_reader *reader, const struct config_scope *root) {
  struct config_limits *limits = &reader->config->limits;
  struct config_scope scope = {NULL, "limits", "limits"};
  const cJSON *node = config_find(root, "limits");
  /* Without the object, or with something else in its place, every member has its default. */
  if (node) (void)config_open_scope(reader, node, "limits", "limits", &scope);
  config_read_size(reader, &scope, "header_bytes", HEADER_BYTES_MIN, HEADER_BYTES_MAX,
                   &limits->header_bytes);
  config_read_number(reader, &scope, "header_fields", 1, HTTP_FIELDS_MAX, &limits->header_fields);
  config_read_size(reader, &scope, "request_line_bytes", LINE_BYTES_MIN, HEADER_BYTES_MAX,
                   &limits->request_line_bytes);
  config_read_size(reader, &scope, "body_bytes", 0, INT64_MAX, &limits->body_bytes);
  config_read_size(reader, &scope, "body_rate", 0, BODY_RATE_MAX, &limits->body_rate);
  config_read_size(reader, &scope, "chunk_extension_bytes", 0, EXTENSION_BYTES_MAX,
                   &limits->chunk_extension_bytes);
  config_read_size(reader, &scope, "trailer_bytes", TRAILER_BYTES_MIN, TRAILER_BYTES_MAX,
                   &limits->trailer_bytes);
  config_read_number(reader, &scope, "connections", 0, CONNECTIONS_MAX, &limits->connections);
  config_read_number(reader, &scope, "connections_per_address", 0, CONNECTIONS_MAX,
                     &limits->connections_per_address);
  config_read_number(reader, &scope, "mirrors", 0, MIRRORS_MAX, &limits->mirrors);
}

static void read_timeouts(struct config_reader *reader, const struct config_scope *root) {
  struct config_timeouts *timeouts = &reader->config->timeouts;
  struct config_scope scope = {NULL, "timeouts", "timeouts"};
  const cJSON *node = config_find(root, "timeouts");
  if (node) (void)config_open_scope(reader, node, "timeouts", "timeouts", &scope);
  config_read_duration(reader, &scope, "header", 1, HOUR, &timeouts->header_ms);
  config_read_duration(reader, &scope, "idle", 1, 24 * HOUR, &timeouts->idle_ms);
  config_read_duration(reader, &scope, "body", 1, 24 * HOUR, &timeouts->body_ms);
  config_read_duration(reader, &scope, "tunnel", 1, 7 * 24 * (int64_t)HOUR, &timeouts->tunnel_ms);
  config_read_duration(reader, &scope, "drain", 0, 24 * HOUR, &timeouts->drain_ms);
  config_read_duration(reader, &scope, "drain_delay", 0, HOUR, &timeouts->drain_delay_ms);
  config_read_duration(reader, &scope, "upgrade", 1, HOUR, &timeouts->upgrade_ms);
}

static void read_dns(struct config_reader *reader, const struct config_scope *root) {
  struct config_scope scope = {.what = "dns", .path = "dns"};
  const cJSON *node = config_find(root, "dns");
  if (node) (void)config_open_scope(reader, node, "dns", "dns", &scope);
  config_read_duration(reader, &scope, "refresh", 100, HOUR, &reader->config->dns_refresh_ms);
}

static void read_state_file(struct config_reader *reader, const struct config_scope *root) {
  const cJSON *node = config_find(root, "state_file");
  struct str text;
  if (!node || !config_to_string(reader, node, "configuration: 'state_file'",
                                 "\"/var/lib/adit/state.json\"", &text))
    return;
  if (text.n == 0 || str_ends_with(text, STR("/")))
    json_error(reader->doc, node, reader->diags, "the path of a file, or leave it out",
               "configuration: 'state_file' names no file");
  else
    reader->config->state_file = config_path(reader, node, text, false).p;
}

static void read_traceparent(struct config_reader *reader, const struct config_scope *root) {
  static const char *const words[] = {[CONFIG_TRACEPARENT_START] = "start",
                                      [CONFIG_TRACEPARENT_SAMPLED] = "start_sampled",
                                      [CONFIG_TRACEPARENT_PASS] = "pass",
                                      NULL};
  reader->config->traceparent = (enum config_traceparent)config_read_word(
      reader, root, "traceparent", words, "\"start\", \"start_sampled\" or \"pass\"");
}

static void read_watch(struct config_reader *reader, const struct config_scope *root) {
  const cJSON *node = config_find(root, "watch");
  config_read_boolean(reader, root, "watch", &reader->config->watch);
  if (node) reader->config->watch_at = json_key_place(reader->doc, node);
}

/* What may never be spoken through a tunnel: requests in it would pass the rules by. */
static bool carries_requests(struct str protocol) {
  static const struct str names[] = {STR_INIT("h2c"), STR_INIT("h2"), STR_INIT("http"),
                                     STR_INIT("tls")};
  for (size_t i = 0; i < sizeof(names) / sizeof(*names); i++)
    if (str_eq_nocase(protocol, names[i])) return true;
  return false;
}

static bool read_upgrade(struct config_reader *reader, const cJSON *node, struct str *ret) {
  if (!config_to_string(reader, node, "upgrades: a protocol", "\"websocket\"", ret)) return false;
  if (!json_is_name(*ret)) {
    json_error(reader->doc, node, reader->diags, "a name without a version, like \"websocket\"",
               "upgrades: '%.*s' is not the name of a protocol", STR_ARG(*ret));
  } else if (carries_requests(*ret)) {
    json_error(reader->doc, node, reader->diags, "remove it: such clients go on in HTTP/1.1",
               "upgrades: '%.*s' is never forwarded, as requests in it would pass the rules by",
               STR_ARG(*ret));
  } else {
    return true;
  }
  return false;
}

static void read_upgrades(struct config_reader *reader, const struct config_scope *root) {
  struct config *config = reader->config;
  const cJSON *list = config_find(root, "upgrades");
  size_t n = 1;
  if (list && !config_to_list(reader, list, "upgrades", "[\"websocket\"]", &n)) return;
  struct str *upgrades = ARENA_ARRAY(reader->arena, struct str, n);
  if (!upgrades) return config_fail_memory(reader);
  config->upgrades = upgrades;
  if (!list) {
    upgrades[config->upgrade_count++] =
        str_from_cstr(config_key_get(root, "upgrades")->default_text);
    return;
  }
  const cJSON *node;
  cJSON_ArrayForEach(node, list) {
    if (read_upgrade(reader, node, &upgrades[config->upgrade_count])) config->upgrade_count++;
  }
}

static void read_user(struct config_reader *reader, const struct config_scope *root) {
  const cJSON *node = config_find(root, "user");
  struct str text;
  if (!node || !config_to_string(reader, node, "configuration: 'user'", "\"nobody\"", &text))
    return;
  if (text.n == 0)
    json_error(reader->doc, node, reader->diags, "the name of a user, or leave it out",
               "configuration: 'user' is empty");
  reader->config->user = arena_dup(reader->arena, text).p;
}

/* For editors only, but what is no string would be a mistake in their eyes, too. */
static void read_schema(struct config_reader *reader, const struct config_scope *root) {
  const cJSON *node = config_find(root, "$schema");
  struct str text;
  if (!node) return;
  (void)config_to_string(reader, node, "configuration: '$schema'", "\"adit.schema.json\"", &text);
}

static void read_attributes(struct config_reader *reader, const struct config_scope *root) {
  struct attr_catalog *catalog = attr_catalog_new(ATTR_SCOPE_GATEWAY, NULL);
  if (!catalog) return config_fail_memory(reader);
  reader->config->catalog = catalog;
  config_offer_lookups(reader, catalog);
  config_read_geo(reader, root, catalog);
  config_offer_jwt(reader, catalog);
  const cJSON *node = config_find(root, "attributes");
  if (node) (void)attr_catalog_declare(catalog, reader->doc, node, reader->diags);
}

/* What the conditions say is looked at when rules are compiled. */
static void read_segments(struct config_reader *reader, const struct config_scope *root) {
  const cJSON *node = config_find(root, "segments");
  if (!node) return;
  if (!cJSON_IsObject(node)) {
    json_error(reader->doc, node, reader->diags, "\"segments\": { \"staff\": { CONDITION } }",
               "segments must be an object of names, not %s", json_kind(node));
    return;
  }
  reader->config->segments = node;
  cJSON_ArrayForEach(node, reader->config->segments) {
    if (json_is_name(str_from_cstr(node->string))) continue;
    json_key_error(reader->doc, node, reader->diags, "1 to 64 of A-Z a-z 0-9 . _ -",
                   "segment '%s': this is not a name", node->string);
  }
}

/* ---- loading --------------------------------------------------------------------------------- */

/* Upstreams come before rules, which may claim only those, lookups and tokens before
 * attributes. */
static void read_all(struct config_reader *reader) {
  struct config *config = reader->config;
  struct config_scope root;
  if (!config_open_scope(reader, json_root(reader->doc), "", "configuration", &root)) return;
  read_schema(reader, &root);
  config_read_listens(reader, &root);
  config_read_admin(reader, &root);
  config_read_number(reader, &root, "workers", 0, WORKERS_MAX, &config->workers);
  config_read_boolean(reader, &root, "via", &config->via);
  config_read_boolean(reader, &root, "drop_untrusted_headers", &config->drop_untrusted);
  read_traceparent(reader, &root);
  read_upgrades(reader, &root);
  config_read_boolean(reader, &root, "sandbox", &config->sandbox);
  read_user(reader, &root);
  read_watch(reader, &root);
  config_read_proxies(reader, &root);
  config_read_lookups(reader, &root);
  config_read_jwt(reader, &root);
  read_attributes(reader, &root);
  read_segments(reader, &root);
  config_read_upstreams(reader, &root);
  config_read_rules(reader, &root);
  config_read_sticky(reader, &root);
  read_limits(reader, &root);
  read_timeouts(reader, &root);
  read_dns(reader, &root);
  read_state_file(reader, &root);
  config_read_access_log(reader, &root);
}

static const char *directory_of(struct arena *arena, const char *path) {
  const char *slash = strrchr(path, '/');
  if (!slash) return ".";
  size_t n = slash == path ? 1 : (size_t)(slash - path);
  return arena_dup(arena, str_make(path, n)).p;
}

/* NULL: memory. */
static struct config *config_new(const char *path) {
  struct arena *arena = arena_new(ARENA_MAX);
  if (!arena) return NULL;
  struct config *config = ARENA_NEW(arena, struct config);
  struct config_private *private_ = ARENA_NEW(arena, struct config_private);
  const char *copy = arena_dup(arena, str_from_cstr(path)).p;
  const char *directory = directory_of(arena, path);
  if (!config || !private_ || !copy || !directory) {
    arena_free(&arena);
    return NULL;
  }
  private_->arena = arena;
  config->private_ = private_;
  config->path = copy;
  config->directory = directory;
  return config;
}

struct config *config_load(const char *path, struct diags *diags) {
  size_t before = diags_count(diags, DIAG_ERROR);
  struct config *config = config_new(path);
  if (!config) {
    diags_add(diags, DIAG_ERROR, (struct diag_place){path, 0, 0}, NULL, "out of memory");
    return NULL;
  }
  struct config_private *private_ = config->private_;
  private_->doc = json_load(path, path, JSON_EDITABLE, FILE_MAX, diags);
  config->doc = private_->doc;
  if (config->doc) {
    struct config_reader reader = {config, private_->arena, config->doc, diags};
    read_all(&reader);
    bool said = diags_count(diags, DIAG_ERROR) != before;
    if (arena_failed(private_->arena) && !said) config_fail_memory(&reader);
  }
  if (diags_count(diags, DIAG_ERROR) != before) config_free(&config);
  return config;
}

void config_free(struct config **config) {
  struct config *c = *config;
  *config = NULL;
  if (!c) return;
  struct config_private *private_ = c->private_;
  for (size_t i = 0; i < private_->secrets.n; i++) {
    explicit_bzero(private_->secrets.items[i].p, private_->secrets.items[i].n);
  }
  attr_catalog_unref(&c->catalog);
  geo_free(&c->geo);
  jwt_keys_unref(&c->jwt.keys);
  json_free(&private_->doc);
  struct arena *arena = private_->arena;
  arena_free(&arena);
}

/* ---- asking ---------------------------------------------------------------------------------- */

size_t config_find_upstream(const struct config *config, struct str name) {
  size_t i = str_set_find(config->private_->upstream_index, name);
  return i == STR_SET_NONE ? SIZE_MAX : i;
}

bool config_trusts(const struct config *config, const struct ip_address *peer) {
  for (size_t i = 0; i < config->trusted_proxy_count; i++) {
    if (ip_network_contains(&config->trusted_proxies[i], peer)) return true;
  }
  return false;
}
