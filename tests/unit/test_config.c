/*
 * config: every key of adit.json, right and wrong, and where its mistakes are shown.
 *
 * Most cases are a fragment that stands in the second line of an otherwise right file.
 */
#include "adit/config.h"

#include <stdarg.h>
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

#include "adit/text.h"
#include "printed.h"
#include "unit.h"

/* ---- helpers --------------------------------------------------------------------------------- */

static const char minimal[] =
    "{\"listen\": [{\"address\": \"127.0.0.1:0\"}], \"upstreams\": {\"a\": {\"endpoints\": "
    "[\"127.0.0.1:1\"]}},";

/* A folder of its own in which the test runs. */
static char folder[64];

static void enter_folder(void) {
  snprintf(folder, sizeof(folder), "/tmp/adit-test-config-XXXXXX");
  ck_assert_ptr_nonnull(mkdtemp(folder));
  ck_assert_int_eq(chdir(folder), 0);
}

static void leave_folder(void) {
  char command[128];
  snprintf(command, sizeof(command), "rm -rf -- '%s'", folder);
  ck_assert_int_eq(chdir("/"), 0);
  ck_assert_int_eq(system(command), 0);
}

static void write_bytes(const char *path, const char *bytes, size_t n, mode_t mode) {
  FILE *file = fopen(path, "w");
  ck_assert_ptr_nonnull(file);
  ck_assert_uint_eq(fwrite(bytes, 1, n, file), n);
  ck_assert_int_eq(fclose(file), 0);
  ck_assert_int_eq(chmod(path, mode), 0);
}

static void write_text(const char *path, const char *text) {
  write_bytes(path, text, strlen(text), 0600);
}

static void link_database(const char *path, const char *made) {
  char target[512];
  snprintf(target, sizeof(target), "%s/%s", GEO_FILES, made);
  ck_assert_int_eq(symlink(target, path), 0);
}

/* Databases of tests/support/mmdb.py (GEO_FILES is their folder), one cut off, one of ranges. */
static void write_geography(void) {
  char bytes[900];
  link_database("country.mmdb", "city.mmdb");
  link_database("asn.mmdb", "asn.mmdb");
  link_database("anonymous.mmdb", "anonymous.mmdb");
  FILE *file = fopen("country.mmdb", "r");
  ck_assert_ptr_nonnull(file);
  ck_assert_uint_eq(fread(bytes, 1, sizeof(bytes), file), sizeof(bytes));
  fclose(file);
  write_bytes("cut.mmdb", bytes, sizeof(bytes), 0600);
  write_text("nothing.mmdb", "");
  write_text("ranges.json", "{\"10.0.0.0/8\": \"office\"}");
}

/* Loads adit.json in the folder; what was said is in *ret_printed. */
static struct config *load(const char *path, const char **ret_printed) {
  struct diags *diags = diags_new();
  ck_assert_ptr_nonnull(diags);
  struct config *config = config_load(path, diags);
  *ret_printed = printed(diags);
  ck_assert_msg((config == NULL) == (diags_count(diags, DIAG_ERROR) > 0), "%s", *ret_printed);
  diags_free(&diags);
  return config;
}

static struct config *load_text(const char *text, const char **ret_printed) {
  write_text("adit.json", text);
  return load("adit.json", ret_printed);
}

static struct config *load_fragment(const char *fragment, const char **ret_printed) {
  char text[8192];
  snprintf(text, sizeof(text), "%s\n%s\n}", minimal, fragment);
  return load_text(text, ret_printed);
}

/* A right file that begins with `fragment`; nothing may be said. */
static struct config *want(const char *fragment) {
  const char *said = NULL;
  struct config *config = load_fragment(fragment, &said);
  ck_assert_msg(config != NULL && said[0] == '\0', "%s: %s", fragment, said);
  return config;
}

/* ---- the whole ------------------------------------------------------------------------------- */

START_TEST(has_defaults)
{
  enter_folder();
  struct config *config = want("");
  ck_assert_str_eq(config->path, "adit.json");
  ck_assert_str_eq(config->directory, ".");
  ck_assert_uint_eq(config->listen_count, 1);
  ck_assert_uint_eq(config->listens[0].port, 0);
  ck_assert(!config->has_admin);
  ck_assert_ptr_null(config->admin_token.p);
  ck_assert_uint_eq(config->workers, 0);
  ck_assert_uint_eq(config->rules_count, 0);
  ck_assert(!config->watch);
  ck_assert_uint_eq(config->trusted_proxy_count, 0);
  ck_assert_ptr_nonnull(config->catalog);
  ck_assert_ptr_null(config->segments);
  ck_assert_uint_eq(config->key_count, 0);
  ck_assert(config->limits.header_bytes == 32 * 1024);
  ck_assert(config->limits.header_fields == 100);
  ck_assert(config->limits.request_line_bytes == 8 * 1024);
  ck_assert(config->limits.body_bytes == 0);
  ck_assert(config->limits.body_rate == 100);
  ck_assert(config->limits.chunk_extension_bytes == 4 * 1024);
  ck_assert(config->limits.trailer_bytes == 8 * 1024);
  ck_assert(config->limits.connections == 0 && config->limits.connections_per_address == 0);
  ck_assert_uint_eq(config->limits.mirrors, 256);
  ck_assert_int_eq(config->timeouts.header_ms, 10000);
  ck_assert_int_eq(config->timeouts.idle_ms, 60000);
  ck_assert_int_eq(config->timeouts.body_ms, 30000);
  ck_assert_int_eq(config->timeouts.drain_ms, 30000);
  ck_assert_int_eq(config->timeouts.drain_delay_ms, 0);
  ck_assert_int_eq(config->timeouts.upgrade_ms, 60000);
  ck_assert_int_eq(config->timeouts.tunnel_ms, 3600000);
  ck_assert_int_eq(config->dns_refresh_ms, 5000);
  ck_assert(config->via && !config->drop_untrusted);
  ck_assert_uint_eq(config->upgrade_count, 1);
  ck_assert_view_eq(config->upgrades[0], "websocket");
  ck_assert_int_eq(config->traceparent, CONFIG_TRACEPARENT_START);
  ck_assert(config->sandbox && !config->state_file);
  ck_assert_ptr_null(config->user);
  ck_assert(!config->has_access_log);
  ck_assert_uint_eq(config->upstream_count, 1);
  ck_assert_int_eq(config->upstreams[0].connect_timeout_ms, 2000);
  ck_assert_int_eq(config->upstreams[0].timeout_ms, 30000);
  ck_assert_str_eq(config->upstream_names[0], "a");
  ck_assert_ptr_null(config->upstream_names[1]);
  config_free(&config);
  ck_assert_ptr_null(config);
  config_free(&config);
  leave_folder();
}
END_TEST

/* The contract's own example, with its comments. */
static const char example[] =
    "{\n"
    "  \"listen\": [{ \"address\": \"0.0.0.0:8080\" }, { \"address\": \"[::1]:8443\" }],\n"
    "  \"admin\": { \"address\": \"127.0.0.1:9901\" },              // omitted: no admin\n"
    "  \"workers\": 2,\n"
    "  \"rules\": [\"rules/*.json\", { \"files\": \"/srv/team-a/*.json\", \"hosts\": "
    "[\"*.a.example.com\", \"b.example.com.\", \"[::1]\"], \"upstreams\": [\"shop-v1\"] }],\n"
    "  \"watch\": true,\n"
    "  \"trusted_proxies\": [\"127.0.0.0/8\", \"10.0.0.0/24\", \"2001:db8::/32\", "
    "\"192.0.2.7\"],\n"
    "  \"attributes\": {\n"
    "    \"region\":             { \"type\": \"string\", \"from\": [{ \"header\": \"X-Region\" }] "
    "},\n"
    "    \"user.registered_at\": { \"type\": \"time\",   \"from\": [{ \"header\": "
    "\"X-User-Registered-At\" }] },\n"
    "    \"app.version\":        { \"type\": \"version\", \"from\": [{ \"header\": \"User-Agent\", "
    "\"regex\": \"ShopApp/([0-9.]+)\", \"trust\": \"anyone\" }] }\n"
    "  },\n"
    "  \"segments\": { \"staff\": { \"client_ip\": { \"in_cidr\": [\"10.1.0.0/16\"] } } },\n"
    "  \"upstreams\": {\n"
    "    \"shop-v1\":     { \"endpoints\": [\"127.0.0.1:9001\", \"[::1]:9001\", \"shop:80\"] },\n"
    "    \"shop-canary\": { \"endpoints\": [{ \"address\": \"127.0.0.1:9002\", \"weight\": 7 }, "
    "{ \"address\": \"unix:/run/canary.sock\", \"drain\": true }],\n"
    "      \"outlier_detection\": { \"consecutive_failures\": 3, \"failure_percent\": 20, "
    "\"minimum_requests\": 5, \"interval\": \"1s\", \"ejection_time\": \"2s\", "
    "\"max_ejection_time\": \"1m\", "
    "\"max_ejected_percent\": 0 },\n"
    "      \"circuit_breaker\": { \"max_connections\": 60, \"max_requests\": 50, \"max_pending\": "
    "0, "
    "\"pending_timeout\": \"250ms\" },\n"
    "      \"health_check\": { \"path\": \"/healthz?full=1\", \"host\": \"shop.internal:80\", "
    "\"status\": [200, \"204-299\"], \"body\": \"ok\", \"interval\": \"1s\", \"timeout\": "
    "\"500ms\", \"healthy\": 1, \"unhealthy\": 5, \"slow_start\": \"30s\" },\n"
    "      \"retry\": { \"attempts\": 2, \"statuses\": [503, \"520-599\"], \"try_timeout\": "
    "\"500ms\", \"budget_percent\": 10, \"budget_minimum\": 1, \"body_bytes\": \"16KiB\" },\n"
    "      \"load_balancing\": \"round_robin\", \"connect_timeout\": \"250ms\", "
    "\"timeout\": \"5m\" },\n"
    "    \"carts\": { \"endpoints\": [\"carts:80\"], \"load_balancing\": \"hash\",\n"
    "      \"hash_by\": [\"region\", \"header.X-Cart\", \"cookie.session\", \"client_ip\"] }\n"
    "  },\n"
    "  \"sticky\": { \"keys\": [{ \"id\": \"2026-11\", \"file\": \"sticky.key\" }, { \"id\": "
    "\"2026-10\", \"file\": \"old.key\" }] },\n"
    "  \"limits\": { \"header_bytes\": \"64KiB\", \"body_bytes\": \"10MiB\" /* 0: no limit */,\n"
    "    \"header_fields\": 50, \"request_line_bytes\": \"16KiB\", \"body_rate\": \"1KiB\",\n"
    "    \"chunk_extension_bytes\": \"0B\", \"trailer_bytes\": \"1KiB\",\n"
    "    \"connections\": 5000, \"connections_per_address\": 20, \"mirrors\": 30 },\n"
    "  \"timeouts\": { \"header\": \"5s\", \"idle\": \"1m\", \"body\": \"1h\", \"drain\": \"0s\", "
    "\"drain_delay\": \"10s\", \"tunnel\": \"7d\", \"upgrade\": \"3m\" },\n"
    "  \"dns\": { \"refresh\": \"1m\" },\n"
    "  \"via\": false, \"drop_untrusted_headers\": true, \"traceparent\": \"pass\", \"upgrades\": "
    "[\"websocket\", "
    "\"x-mux\"],\n"
    "  \"user\": \"adit\",\n"
    "  \"sandbox\": false,\n"
    "  \"state_file\": \"kept/state.json\",\n"
    "  \"access_log\": { \"path\": \"log/access\", \"format\": \"combined\",\n"
    "    \"attributes\": \"none\", \"redact\": [], \"redact_key_file\": \"old.key\" },\n"
    "}\n";

static void check_example_lists(const struct config *config) {
  ck_assert_uint_eq(config->listen_count, 2);
  ck_assert_view_eq(config->listens[0].text, "0.0.0.0:8080");
  ck_assert_uint_eq(config->listens[0].port, 8080);
  ck_assert(ip_is_v4(&config->listens[0].ip));
  ck_assert_uint_eq(config->listens[1].port, 8443);
  ck_assert(ip_is_loopback(&config->listens[1].ip) && !ip_is_v4(&config->listens[1].ip));
  ck_assert_uint_eq(config->rules_count, 2);
  ck_assert_view_eq(config->rules[0].pattern, "etc/rules/*.json");
  ck_assert_uint_eq(config->rules[0].at.line, 5);
  ck_assert_uint_eq(config->rules[0].at.column, 13);
  ck_assert_ptr_null(config->rules[0].hosts);
  ck_assert_ptr_null(config->rules[0].upstreams);
  ck_assert_view_eq(config->rules[1].pattern, "/srv/team-a/*.json");
  ck_assert_uint_eq(config->rules[1].host_count, 3);
  ck_assert_view_eq(config->rules[1].hosts[0], "*.a.example.com");
  ck_assert_view_eq(config->rules[1].hosts[1], "b.example.com");
  ck_assert_uint_eq(config->rules[1].upstream_count, 1);
  ck_assert_view_eq(config->rules[1].upstreams[0], "shop-v1");
}

static void check_example_upstreams(const struct config *config) {
  ck_assert_uint_eq(config->upstream_count, 3);
  ck_assert_uint_eq(config_find_upstream(config, STR("shop-canary")), 1);
  ck_assert_uint_eq(config_find_upstream(config, STR("shop")), SIZE_MAX);
  const struct config_upstream *upstream = &config->upstreams[0];
  ck_assert_view_eq(upstream->name, "shop-v1");
  ck_assert_uint_eq(upstream->endpoint_count, 3);
  ck_assert(upstream->endpoints[0].is_address && upstream->endpoints[0].port == 9001);
  ck_assert_view_eq(upstream->endpoints[0].host, "127.0.0.1");
  ck_assert(upstream->endpoints[1].is_address);
  ck_assert_view_eq(upstream->endpoints[1].host, "::1");
  ck_assert_view_eq(upstream->endpoints[1].text, "[::1]:9001");
  ck_assert(!upstream->endpoints[2].is_address && upstream->endpoints[2].port == 80);
  ck_assert_view_eq(upstream->endpoints[2].host, "shop");
  ck_assert(upstream->endpoints[0].weight == 1 && !upstream->endpoints[0].drains);
  ck_assert_int_eq(upstream->balance, BALANCE_LEAST_REQUESTS);
  upstream = &config->upstreams[1];
  ck_assert_int_eq(upstream->balance, BALANCE_ROUND_ROBIN);
  const struct config_outliers *outliers = &upstream->outliers;
  ck_assert(outliers->enabled && outliers->consecutive_failures == 3);
  ck_assert(outliers->failure_percent == 20 && outliers->minimum_requests == 5);
  ck_assert(outliers->interval_ms == 1000 && outliers->ejection_ms == 2000);
  ck_assert(outliers->ejection_max_ms == 60000 && outliers->max_ejected_percent == 0);
  ck_assert(!config->upstreams[0].outliers.enabled);
  const struct config_retry *retry = &upstream->retry;
  ck_assert(retry->enabled && retry->attempts == 2 && retry->try_timeout_ms == 500);
  ck_assert(retry->status_count == 2 && retry->statuses[1].from == 520);
  ck_assert(retry->budget_percent == 10 && retry->budget_minimum == 1);
  ck_assert(retry->body_bytes == 16384);
  retry = &config->upstreams[0].retry;
  ck_assert(!retry->enabled && retry->body_bytes == 65536);
  const struct config_breaker *breaker = &upstream->breaker;
  ck_assert(breaker->enabled && breaker->max_requests == 50 && breaker->max_connections == 60);
  ck_assert(breaker->max_pending == 0 && breaker->pending_timeout_ms == 250);
  ck_assert(!config->upstreams[0].breaker.enabled);
  ck_assert(upstream->endpoints[0].weight == 7 && upstream->endpoints[0].port == 9002);
  ck_assert(upstream->endpoints[1].is_unix && upstream->endpoints[1].drains);
  ck_assert_view_eq(upstream->endpoints[1].host, "/run/canary.sock");
  ck_assert_int_eq(config->upstreams[1].connect_timeout_ms, 250);
  ck_assert_int_eq(config->upstreams[1].timeout_ms, 300000);
}

static void check_example_health(const struct config *config) {
  const struct health_spec *spec = config->upstreams[1].health;
  ck_assert_ptr_null(config->upstreams[0].health);
  ck_assert_ptr_nonnull(spec);
  ck_assert_view_eq(spec->path, "/healthz?full=1");
  ck_assert_view_eq(spec->host, "shop.internal:80");
  ck_assert_view_eq(spec->body, "ok");
  ck_assert_uint_eq(spec->status_count, 2);
  ck_assert(spec->statuses[0].from == 200 && spec->statuses[0].to == 200);
  ck_assert(spec->statuses[1].from == 204 && spec->statuses[1].to == 299);
  ck_assert(spec->interval_ms == 1000 && spec->timeout_ms == 500 && spec->slow_start_ms == 30000);
  ck_assert(spec->healthy == 1 && spec->unhealthy == 5);
}

static void check_example_hash(const struct config *config) {
  static const char *const names[] = {"region", "header.x-cart", "cookie.session", "client_ip"};
  const struct config_upstream *upstream = &config->upstreams[2];
  ck_assert_int_eq(upstream->balance, BALANCE_HASH);
  ck_assert_uint_eq(upstream->hash_by_count, 4);
  for (size_t i = 0; i < 4; i++)
    ck_assert_view_eq(attr_table_name(config->hash_attributes, upstream->hash_by[i]), names[i]);
  ck_assert(config->upstreams[0].hash_by_count == 0 && config->upstreams[1].hash_by_count == 0);
}

static bool trusts(const struct config *config, const char *text) {
  struct ip_address ip;
  ck_assert(ip_parse(str_from_cstr(text), &ip));
  return config_trusts(config, &ip);
}

START_TEST(reads_the_example)
{
  enter_folder();
  ck_assert_int_eq(mkdir("etc", 0700), 0);
  write_text("etc/adit.json", example);
  write_text("etc/sticky.key", "0123456789abcdef0123456789abcdef\n");
  write_text("etc/old.key", "0123456789abcdef0123456789ABCDEF\n\n");
  const char *said = NULL;
  struct config *config = load("etc/adit.json", &said);
  ck_assert_msg(config != NULL && said[0] == '\0', "%s", said);
  ck_assert_str_eq(config->directory, "etc");
  check_example_lists(config);
  check_example_upstreams(config);
  check_example_health(config);
  check_example_hash(config);
  ck_assert(config->has_admin && config->admin.port == 9901 && config->admin_at.line == 3);
  ck_assert_uint_eq(config->workers, 2);
  ck_assert(config->watch && config->watch_at.line == 6 && config->watch_at.column == 3);
  ck_assert(trusts(config, "127.9.9.9") && trusts(config, "::ffff:10.0.0.255"));
  ck_assert(trusts(config, "2001:db8:1::1") && trusts(config, "192.0.2.7"));
  ck_assert(!trusts(config, "10.0.1.0") && !trusts(config, "::1") && !trusts(config, "192.0.2.8"));
  enum attr_type type;
  ck_assert(attr_catalog_find(config->catalog, STR("app.version"), &type) && type == ATTR_VERSION);
  ck_assert_ptr_nonnull(config->segments);
  ck_assert_uint_eq(config->key_count, 2);
  ck_assert_view_eq(config->keys[0].id, "2026-11");
  ck_assert_view_eq(config->keys[0].secret, "0123456789abcdef0123456789abcdef");
  ck_assert_view_eq(config->keys[1].secret, "0123456789abcdef0123456789ABCDEF\n");
  const struct config_limits *limits = &config->limits;
  ck_assert(limits->header_bytes == 65536 && limits->body_bytes == 10485760);
  ck_assert(limits->header_fields == 50 && limits->request_line_bytes == 16384);
  ck_assert(limits->body_rate == 1024 && limits->chunk_extension_bytes == 0);
  ck_assert(limits->trailer_bytes == 1024 && limits->connections == 5000);
  ck_assert(limits->connections_per_address == 20 && limits->mirrors == 30);
  ck_assert_int_eq(config->timeouts.header_ms, 5000);
  ck_assert_int_eq(config->timeouts.idle_ms, 60000);
  ck_assert_int_eq(config->timeouts.body_ms, 3600000);
  ck_assert_int_eq(config->timeouts.drain_ms, 0);
  ck_assert_int_eq(config->timeouts.drain_delay_ms, 10000);
  ck_assert_int_eq(config->timeouts.upgrade_ms, 180000);
  ck_assert_int_eq(config->timeouts.tunnel_ms, 7 * 24 * 3600000);
  ck_assert_int_eq(config->dns_refresh_ms, 60000);
  ck_assert_uint_eq(config->upgrade_count, 2);
  ck_assert_view_eq(config->upgrades[1], "x-mux");
  ck_assert_int_eq(config->traceparent, CONFIG_TRACEPARENT_PASS);
  ck_assert(!config->via && config->drop_untrusted);
  ck_assert_str_eq(config->user, "adit");
  ck_assert(!config->sandbox);
  ck_assert(config->has_access_log && config->access_log_at.line == 36);
  ck_assert(str_ends_with(str_from_cstr(config->state_file), STR("/kept/state.json")));
  ck_assert_str_eq(config->access_log.path, "etc/log/access");
  ck_assert_int_eq(config->access_log.format, CONFIG_LOG_COMBINED);
  ck_assert_int_eq(config->access_log.attributes, CONFIG_LOG_NONE);
  ck_assert(config->access_log.redact_count == 0 && config->access_log.redact_key.n == 33);
  config_free(&config);
  leave_folder();
}
END_TEST

/* ---- mistakes -------------------------------------------------------------------------------- */

#define SYSLOG_HINT                                                                         \
  " (\"syslog:server=unix:/dev/log\", or an address, then ,facility=local7 ,severity=info " \
  ",tag=adit)"

START_TEST(refuses_fragments)
{
  static const struct {
    const char *fragment;
    const char *said; /* without "adit.json:2:" */
  } cases[] = {
      /* Keys. */
      {"\"worker\": 2", "1: error: configuration: unknown key 'worker' (did you mean 'workers'?)"},
      {"\"workers\": 1, \"workers\": 2",
       "15: error: duplicate key 'workers' (it is in this line "
       "already)"},
      {"\"timeouts\": {\"heder\": \"1s\"}",
       "14: error: timeouts: unknown key 'heder' (did you mean 'header'?)"},
      {"\"timeouts\": {\"xxxxxxxx\": \"1s\"}",
       "14: error: timeouts: unknown key 'xxxxxxxx' (known here: header idle body tunnel "
       "drain drain_delay upgrade)"},
      {"\"timeouts\": [\"1s\"]", "13: error: timeouts must be an object, not array (write { … })"},
      {"\"$schema\": 7",
       "12: error: configuration: '$schema' must be a string, not number "
       "(\"adit.schema.json\")"},
      /* Workers. */
      {"\"workers\": -1",
       "12: error: configuration: 'workers' must be a whole number from 0 to 256"},
      {"\"workers\": 257",
       "12: error: configuration: 'workers' must be a whole number from 0 to 256"},
      {"\"workers\": 1.5",
       "12: error: configuration: 'workers' must be a whole number from 0 to 256"},
      {"\"workers\": \"2\"", "12: error: configuration: 'workers' must be a number, not string"},
      /* Booleans. */
      {"\"watch\": 1", "10: error: configuration: 'watch' must be true or false, not number"},
      {"\"user\": 0", "9: error: configuration: 'user' must be a string, not number (\"nobody\")"},
      {"\"user\": \"\"",
       "9: error: configuration: 'user' is empty (the name of a user, or leave it out)"},
      {"\"state_file\": \"kept/\"",
       "15: error: configuration: 'state_file' names no file (the path of a file, or leave it "
       "out)"},
      {"\"state_file\": \"\"",
       "15: error: configuration: 'state_file' names no file (the path of a file, or leave it "
       "out)"},
      {"\"state_file\": true",
       "15: error: configuration: 'state_file' must be a string, not boolean "
       "(\"/var/lib/adit/state.json\")"},
      {"\"sandbox\": \"no\"",
       "12: error: configuration: 'sandbox' must be true or false, not string"},
      {"\"via\": null", "8: error: configuration: 'via' must be true or false, not null"},
      /* Durations. */
      {"\"timeouts\": {\"header\": 10}",
       "24: error: timeouts: 'header' must be a string, not number (a whole number and one of ms s "
       "m h d, like \"10s\")"},
      {"\"timeouts\": {\"idle\": \"10\"}",
       "22: error: timeouts: 'idle': '10' is not a duration (a whole number and one of ms s m h d, "
       "like \"10s\")"},
      {"\"timeouts\": {\"idle\": \"-1s\"}",
       "22: error: timeouts: 'idle': '-1s' is not a duration (a whole number and one of ms s m h "
       "d, like \"10s\")"},
      {"\"dns\": {\"refresh\": \"99ms\"}", "20: error: dns: 'refresh' must be from 100ms to 1h"},
      {"\"dns\": {\"servers\": []}", "9: error: dns: unknown key 'servers' (known here: refresh)"},
      {"\"timeouts\": {\"header\": \"0s\"}",
       "24: error: timeouts: 'header' must be from 1ms to 1h"},
      {"\"timeouts\": {\"header\": \"2h\"}",
       "24: error: timeouts: 'header' must be from 1ms to 1h"},
      {"\"timeouts\": {\"idle\": \"2d\"}", "22: error: timeouts: 'idle' must be from 1ms to 1d"},
      {"\"timeouts\": {\"body\": \"0ms\"}", "22: error: timeouts: 'body' must be from 1ms to 1d"},
      {"\"timeouts\": {\"drain\": \"25h\"}", "23: error: timeouts: 'drain' must be from 0s to 1d"},
      {"\"timeouts\": {\"tunnel\": \"8d\"}",
       "24: error: timeouts: 'tunnel' must be from 1ms to 7d"},
      /* Protocols. */
      {"\"traceparent\": \"stop\"",
       "16: error: configuration: 'traceparent' cannot be 'stop' (\"start\", \"start_sampled\" or "
       "\"pass\")"},
      {"\"upgrades\": \"websocket\"",
       "13: error: upgrades must be a list, not string ([\"websocket\"])"},
      {"\"upgrades\": [1]",
       "14: error: upgrades: a protocol must be a string, not number (\"websocket\")"},
      {"\"upgrades\": [\"websocket\", \"H2C\"]",
       "27: error: upgrades: 'H2C' is never forwarded, as requests in it would pass the rules by "
       "(remove it: such clients go on in HTTP/1.1)"},
      {"\"upgrades\": [\"HTTP/2.0\"]",
       "14: error: upgrades: 'HTTP/2.0' is not the name of a protocol (a name without a version, "
       "like \"websocket\")"},
      {"\"timeouts\": {\"upgrade\": \"0s\"}",
       "25: error: timeouts: 'upgrade' must be from 1ms to 1h"},
      {"\"timeouts\": {\"drain_delay\": \"61m\"}",
       "29: error: timeouts: 'drain_delay' must be from 0s to 1h"},
      /* Sizes. */
      {"\"limits\": {\"header_bytes\": 1024}",
       "28: error: limits: 'header_bytes' must be a string, not number (a whole number and one of "
       "B KiB MiB GiB, like \"64KiB\")"},
      {"\"limits\": {\"header_bytes\": \"32kb\"}",
       "28: error: limits: 'header_bytes': '32kb' is not a size (a whole number and one of B KiB "
       "MiB GiB, like \"64KiB\")"},
      {"\"limits\": {\"header_bytes\": \"1023B\"}",
       "28: error: limits: 'header_bytes' must be from 1KiB to 1MiB"},
      {"\"limits\": {\"header_bytes\": \"2MiB\"}",
       "28: error: limits: 'header_bytes' must be from 1KiB to 1MiB"},
      {"\"limits\": {\"body_bytes\": \"none\"}",
       "26: error: limits: 'body_bytes': 'none' is not a size (a whole number and one of B KiB MiB "
       "GiB, like \"64KiB\")"},
      {"\"limits\": {\"header_fields\": 0}",
       "29: error: limits: 'header_fields' must be a whole number from 1 to 100"},
      {"\"limits\": {\"header_fields\": 101}",
       "29: error: limits: 'header_fields' must be a whole number from 1 to 100"},
      {"\"limits\": {\"request_line_bytes\": \"63B\"}",
       "34: error: limits: 'request_line_bytes' must be from 64B to 1MiB"},
      {"\"limits\": {\"trailer_bytes\": \"65KiB\"}",
       "29: error: limits: 'trailer_bytes' must be from 64B to 64KiB"},
      {"\"limits\": {\"connections\": -1}",
       "27: error: limits: 'connections' must be a whole number from 0 to 1048576"},
      {"\"limits\": {\"mirrors\": 65537}",
       "23: error: limits: 'mirrors' must be a whole number from 0 to 65536"},
      /* Admin. */
      {"\"admin\": {}",
       "1: error: admin: 'address' is missing (add \"address\": \"127.0.0.1:9901\")"},
      {"\"admin\": \"127.0.0.1:9901\"",
       "10: error: admin must be an object, not string (write { … })"},
      {"\"admin\": {\"address\": \"0.0.0.0:9901\"}",
       "22: error: admin: '0.0.0.0:9901' is not a loopback address and there is no token (add "
       "\"token_file\": \"FILE\" with a bearer token, or listen on 127.0.0.1)"},
      {"\"admin\": {\"address\": \"localhost:9901\"}",
       "22: error: admin: 'localhost:9901' names no IP address to listen on (write the address "
       "itself, like 127.0.0.1:8080)"},
      {"\"admin\": {\"address\": \"127.0.0.1:9901\", \"token_file\": \"empty\"}",
       "54: error: admin: 'token_file': the file is empty (write the token into it)"},
      {"\"admin\": {\"address\": \"127.0.0.1:9901\", \"token_file\": \"none\"}",
       "54: error: cannot read 'none': No such file or directory (create it, or correct the path)"},
      /* Proxies. */
      {"\"trusted_proxies\": \"10.0.0.0/8\"",
       "20: error: trusted_proxies must be a list, not string ([\"127.0.0.0/8\"])"},
      {"\"trusted_proxies\": [\"10.0.0.1/24\"]",
       "21: error: trusted_proxies: '10.0.0.1/24' has bits set behind its prefix (did you mean "
       "'10.0.0.0/24'?)"},
      {"\"trusted_proxies\": [\"2001:db8::1/32\"]",
       "21: error: trusted_proxies: '2001:db8::1/32' has bits set behind its prefix (did you mean "
       "'2001:db8::/32'?)"},
      {"\"trusted_proxies\": [\"10.0.0.0/33\"]",
       "21: error: trusted_proxies: '10.0.0.0/33' is neither a network nor an address (like "
       "10.0.0.0/24, 2001:db8::/32 or 10.0.0.7)"},
      {"\"trusted_proxies\": [10]",
       "21: error: trusted_proxies: a network must be a string, not "
       "number (\"10.0.0.0/24\")"},
      /* Attributes: one mistake shows that they are read; the rest is tested with attrs. */
      {"\"attributes\": {\"host\": {\"type\": \"string\", \"from\": [{\"header\": \"X\"}]}}",
       "16: error: attribute 'host' is built-in and cannot be declared (choose another name)"},
      /* Segments. */
      {"\"segments\": []",
       "13: error: segments must be an object of names, not array (\"segments\": { \"staff\": { "
       "CONDITION } })"},
      {"\"segments\": {\"a b\": {}}",
       "14: error: segment 'a b': this is not a name (1 to 64 of A-Z a-z 0-9 . _ -)"},
      /* Rules. */
      {"\"rules\": \"rules/*.json\"",
       "10: error: rules must be a list, not string ([\"rules/*.json\"])"},
      {"\"rules\": [1]",
       "11: error: rules: an entry must be a string or an object, not number (\"rules/*.json\" or "
       "{ \"files\": \"team-a/*.json\", \"hosts\": [\"a.example.com\"] })"},
      {"\"rules\": [\"\"]", "11: error: rules: an empty file name (\"rules/*.json\")"},
      {"\"rules\": [{\"hosts\": [\"a\"]}]",
       "11: error: rules: 'files' is missing (add \"files\": \"team-a/*.json\")"},
      {"\"rules\": [{\"files\": \"x\", \"host\": [\"a\"]}]",
       "26: error: rules: unknown key 'host' (did you mean 'hosts'?)"},
      {"\"rules\": [{\"files\": \"x\", \"hosts\": \"a\"}]",
       "35: error: rules: 'hosts' must be a list, not string"},
      {"\"rules\": [{\"files\": \"x\", \"hosts\": []}]",
       "35: error: rules: 'hosts' is empty: these files could claim nothing (leave it out to allow "
       "everything)"},
      {"\"rules\": [{\"files\": \"x\", \"hosts\": [\"a.*.b\"]}]",
       "36: error: rules: 'a.*.b' is not a host or a pattern of hosts (a host like "
       "shop.example.com, or *.example.com for what is under it)"},
      {"\"rules\": [{\"files\": \"x\", \"hosts\": [\"a:80\"]}]",
       "36: error: rules: 'a:80' is not a host or a pattern of hosts (a host like "
       "shop.example.com, or *.example.com for what is under it)"},
      {"\"rules\": [{\"files\": \"x\", \"hosts\": [\"*\"]}]",
       "36: error: rules: '*' is not a host or a pattern of hosts (a host like shop.example.com, "
       "or *.example.com for what is under it)"},
      {"\"rules\": [{\"files\": \"x\", \"upstreams\": [\"b\"]}]",
       "40: error: rules: unknown upstream 'b' (add it to \"upstreams\")"},
      /* Sticky. */
      {"\"sticky\": {\"key\": []}", "12: error: sticky: unknown key 'key' (did you mean 'keys'?)"},
      {"\"sticky\": {\"keys\": {}}",
       "20: error: sticky: 'keys' must be a list, not object (\"keys\": [{ \"id\": \"2026-11\", "
       "\"file\": \"sticky.key\" }])"},
      {"\"sticky\": {\"keys\": [{\"id\": \"x\"}]}",
       "21: error: sticky: a key: 'file' is missing (add \"file\": \"sticky.key\")"},
      {"\"sticky\": {\"keys\": [{\"file\": \"good.key\"}]}",
       "21: error: sticky: a key: 'id' is missing (add \"id\": \"2026-11\")"},
      {"\"sticky\": {\"keys\": [{\"id\": \"a/b\", \"file\": \"good.key\"}]}",
       "28: error: sticky: 'a/b' is not an id (1 to 64 of A-Z a-z 0-9 . _ -)"},
      {"\"sticky\": {\"keys\": [{\"id\": \"x\", \"file\": \"short.key\"}]}",
       "41: error: sticky key 'x': the file has 31 bytes, not at least 32 (make one: head -c 32 "
       "/dev/urandom | base64 > FILE)"},
      {"\"sticky\": {\"keys\": [{\"id\": \"x\", \"file\": \"none\"}]}",
       "41: error: cannot read 'none': No such file or directory (create it, or correct the path)"},
      {"\"sticky\": {\"keys\": [{\"id\": \"x\", \"file\": \".\"}]}",
       "41: error: cannot read '.': it is a directory (name a file in it)"},
      {"\"sticky\": {\"keys\": [{\"id\": \"x\", \"file\": \"good.key\"}, {\"id\": \"x\", \"file\": "
       "\"good.key\"}]}",
       "61: error: sticky: two keys have the id 'x' (give each key an id of its own)"},
      /* Directories. */
      {"\"lookups\": {}",
       "12: error: lookups must be an object of 1 to 64 names (\"lookups\": { \"users\": { "
       "\"url\": \"http://users.internal/{user.id}\" } })"},
      {"\"lookups\": {\"users\": {}}",
       "13: error: lookup 'users': 'url' is missing (\"url\": "
       "\"http://users.internal/{user.id}\")"},
      {"\"lookups\": {\"users\": {\"url\": \"http://{user.id}/\"}}",
       "30: error: lookup 'users': 'url' would take its host from a request (\"url\": "
       "\"http://users.internal/{user.id}\")"},
      {"\"lookups\": {\"users\": {\"url\": \"http://a@b/{user.id}\"}}",
       "30: error: lookup 'users': 'url' has credentials in it (\"url\": "
       "\"http://users.internal/{user.id}\")"},
      {"\"lookups\": {\"users\": {\"url\": \"ftp://b/{user.id}\"}}",
       "30: error: lookup 'users': 'url' begins neither with http:// nor with https:// nor with "
       "redis:// (\"url\": "
       "\"http://users.internal/{user.id}\")"},
      {"\"lookups\": {\"a b\": {\"url\": \"http://b/{user.id}\"}}",
       "13: error: lookup 'a b': this is not a name (1 to 64 of A-Z a-z 0-9 . _ -)"},
      {"\"lookups\": {\"users\": {\"url\": \"http://b/{user.id}\", \"on_error\": \"fail\"}}",
       "64: error: lookup 'users': 'on_error' can only be \"missing\" (a condition can say what a "
       "missing value means)"},
      {"\"lookups\": {\"users\": {\"url\": \"http://b/{user.id}\", \"timeout\": \"2m\"}}",
       "63: error: lookup 'users': 'timeout' must be from 1ms to 1m"},
      {"\"lookups\": {\"users\": {\"url\": \"http://b/{user.id}\", \"cache\": {\"size\": 1}}}",
       "62: error: lookup 'users': 'cache': unknown key 'size' (known here: entries bytes ttl "
       "negative_ttl)"},
      {"\"lookups\": {\"users\": {\"url\": \"http://b/{user.id}\", \"breaker\": {\"pause\": "
       "\"2m\"}}}",
       "52: error: lookup 'users': 'breaker': 'pause_max' is shorter than 'pause'"},
      {"\"lookups\": {\"users\": {\"url\": \"http://b/{user.id}\"}}, \"attributes\": {\"x\": "
       "{\"type\": \"string\", \"from\": [{\"lookup\": \"u\", \"field\": \"x\"}]}}",
       "113: error: attribute 'x': there is no such directory under \"lookups\" (the name of one "
       "of \"lookups\")"},
      {"\"lookups\": {\"users\": {\"url\": \"http://b/{path}\"}}, \"attributes\": {\"x\": "
       "{\"type\": \"string\", \"from\": [{\"lookup\": \"users\"}]}}",
       "99: error: attribute 'x': which 'field' of the answer? (\"field\": \"registered_at\", or "
       "\"plan.tier\" inside an object)"},
      {"\"lookups\": {\"users\": {\"url\": \"http://b/{path}\"}}, \"attributes\": {\"x\": "
       "{\"type\": \"string\", \"from\": [{\"lookup\": \"users\", \"field\": \"\"}]}}",
       "128: error: attribute 'x': 'field' must be a string of 1 to 256 bytes (\"field\": "
       "\"registered_at\", or \"plan.tier\" inside an object)"},
      {"\"lookups\": {\"users\": {\"url\": \"http://b/{user.id}\"}}, \"attributes\": {\"x\": "
       "{\"type\": \"string\", \"from\": [{\"lookup\": \"users\", \"field\": \"x\"}]}}",
       "74: error: attribute 'x': needs the attribute 'user.id', which is not declared (declare it "
       "beside this one)"},
      /* Geography. */
      {"\"geoip\": []", "10: error: geoip must be an object, not array (write { … })"},
      {"\"geoip\": {}",
       "1: error: geoip: 'databases' is missing (add \"databases\": [\"country.mmdb\"])"},
      {"\"geoip\": {\"databases\": [\"country.mmdb\"], \"path\": \"x\"}",
       "42: error: geoip: unknown key 'path' (known here: databases)"},
      {"\"geoip\": {\"databases\": \"country.mmdb\"}",
       "24: error: geoip: 'databases' must be a list, not string ([\"country.mmdb\"])"},
      {"\"geoip\": {\"databases\": []}",
       "24: error: geoip: 'databases' is empty ([\"country.mmdb\"])"},
      {"\"geoip\": {\"databases\": [7]}",
       "25: error: geoip: a database must be a string, not number (\"country.mmdb\")"},
      {"\"geoip\": {\"databases\": [\"\"]}",
       "25: error: cannot read '': No such file or directory (create it, or correct the path)"},
      {"\"geoip\": {\"databases\": [\"country.mmdb\", \"country.mmdb\", \"country.mmdb\", "
       "\"country.mmdb\", \"country.mmdb\", \"country.mmdb\", \"country.mmdb\", \"country.mmdb\", "
       "\"country.mmdb\"]}",
       "153: error: there are more than 8 databases"},
      {"\"geoip\": {\"databases\": [\"none.mmdb\"]}",
       "25: error: cannot read 'none.mmdb': No such file or directory (create it, or correct the "
       "path)"},
      {"\"geoip\": {\"databases\": [\".\"]}",
       "25: error: cannot read '.': it is a directory (name a file in it)"},
      {"\"geoip\": {\"databases\": [\"ranges.json\"]}",
       "25: error: 'ranges.json' is not a MaxMind DB file, or its end is missing (fetch it again; "
       "a new file is best written beside it and renamed into place)"},
      {"\"geoip\": {\"databases\": [\"cut.mmdb\"]}",
       "25: error: 'cut.mmdb' is not a MaxMind DB file, or its end is missing (fetch it again; a "
       "new file is best written beside it and renamed into place)"},
      {"\"geoip\": {\"databases\": [\"nothing.mmdb\"]}",
       "25: error: 'nothing.mmdb' is empty (fetch it again; a new file is best written beside it "
       "and renamed into place)"},
      {"\"geoip\": {\"databases\": [\"anonymous.mmdb\"]}",
       "25: error: 'anonymous.mmdb' (type 'GeoIP2-Anonymous-IP') knows no country, region, city or "
       "asn (a database of countries, cities or autonomous systems is meant)"},
      {"\"attributes\": {\"x\": {\"type\": \"string\", \"from\": [{\"geoip\": \"country\"}]}}",
       "50: error: attribute 'x': nothing answers for a 'geoip' source (name the databases under "
       "\"geoip\" in adit.json)"},
      {"\"geoip\": {\"databases\": [\"country.mmdb\"]}, \"attributes\": {\"x\": {\"type\": "
       "\"string\", \"from\": [{\"geoip\": \"contry\"}]}}",
       "101: error: attribute 'x': a database does not know 'contry' (did you mean 'country'?)"},
      {"\"geoip\": {\"databases\": [\"country.mmdb\"]}, \"attributes\": {\"x\": {\"type\": "
       "\"string\", \"from\": [{\"geoip\": \"planet\"}]}}",
       "101: error: attribute 'x': a database does not know 'planet' (one of country, region, "
       "city, asn)"},
      {"\"geoip\": {\"databases\": [\"country.mmdb\"]}, \"attributes\": {\"x\": {\"type\": "
       "\"string\", \"from\": [{\"geoip\": 7}]}}",
       "101: error: attribute 'x': 'geoip' must be a string that is not empty (one of country, "
       "region, city, asn)"},
      {"\"geoip\": {\"databases\": [\"country.mmdb\"]}, \"attributes\": {\"x\": {\"type\": "
       "\"string\", \"from\": [{\"geoip\": \"\"}]}}",
       "101: error: attribute 'x': 'geoip' must be a string that is not empty (one of country, "
       "region, city, asn)"},
      {"\"geoip\": {\"databases\": [\"asn.mmdb\"]}, \"attributes\": {\"x\": {\"type\": \"string\", "
       "\"from\": [{\"geoip\": \"city\"}]}}",
       "97: error: attribute 'x': no database knows 'city' (name one that does in \"geoip\", "
       "\"databases\")"},
      {"\"geoip\": {\"databases\": [\"none.mmdb\"]}, \"attributes\": {\"x\": {\"type\": "
       "\"string\", \"from\": [{\"geoip\": \"city\"}]}}",
       "25: error: cannot read 'none.mmdb': No such file or directory (create it, or correct the "
       "path)"},
      {"\"geoip\": {\"databases\": [\"country.mmdb\"]}, \"attributes\": {\"x\": {\"type\": "
       "\"string\", \"from\": [{\"geoip\": \"country\", \"trust\": \"anyone\"}]}}",
       "112: error: attribute 'x': unknown key 'trust' (known here: geoip)"},
      {"\"attributes\": {\"x\": {\"type\": \"string\", \"from\": [{\"cidr\": 7}]}}",
       "58: error: attribute 'x': 'cidr' must be a string that is not empty (a file, like "
       "\"ranges.json\")"},
      {"\"attributes\": {\"x\": {\"type\": \"string\", \"from\": [{\"cidr\": \"\"}]}}",
       "58: error: attribute 'x': 'cidr' must be a string that is not empty (a file, like "
       "\"ranges.json\")"},
      {"\"attributes\": {\"x\": {\"type\": \"string\", \"from\": [{\"cidr\": \"none.json\"}]}}",
       "58: error: cannot read 'none.json': No such file or directory (create it, or correct the "
       "path)"},
      {"\"attributes\": {\"x\": {\"type\": \"string\", \"from\": [{\"cidr\": \"ranges.json\", "
       "\"regex\": \"x\"}]}}",
       "73: error: attribute 'x': unknown key 'regex' (known here: cidr)"},
      /* Tokens. */
      {"\"jwt\": []", "8: error: jwt must be an object, not array (write { … })"},
      {"\"jwt\": {\"algorithms\": [\"RS256\"], \"keys\": {}}",
       "42: error: jwt: keys: give exactly one of 'file', 'secret_file' and 'url' (\"keys\": { "
       "\"url\": \"https://id.example.com/keys\" })"},
      {"\"jwt\": {\"algorithms\": [\"RS256\"], \"keys\": {\"file\": \"a\", \"url\": "
       "\"https://id/\"}}",
       "42: error: jwt: keys: give exactly one of 'file', 'secret_file' and 'url' (\"keys\": { "
       "\"url\": \"https://id.example.com/keys\" })"},
      {"\"jwt\": {\"algorithms\": [\"RS256\"], \"keys\": {\"file\": \"none\"}}",
       "51: error: cannot read 'none': No such file or directory (create it, or correct the path)"},
      {"\"jwt\": {\"algorithms\": [\"HS256\"], \"keys\": {\"secret_file\": \"short.key\"}}",
       "58: error: jwt: keys: 'secret_file': the file has 31 bytes, not at least 32 (make one: "
       "head -c 32 /dev/urandom | base64 > FILE)"},
      {"\"jwt\": {\"algorithms\": [\"RS256\", \"HS256\"], \"keys\": {\"url\": "
       "\"https://id/keys\"}}",
       "59: error: jwt: keys: the secret of HS256, HS384 or HS512 does not come from a URL (give a "
       "\"secret_file\", or other algorithms)"},
      {"\"jwt\": {\"algorithms\": [\"RS256\"], \"keys\": {\"url\": \"ftp://id/keys\"}}",
       "50: error: jwt: keys: 'url' begins neither with http:// nor https:// "
       "(\"https://id.example.com/keys\")"},
      {"\"jwt\": {\"algorithms\": [\"RS256\"], \"keys\": {\"url\": \"https:///keys\"}}",
       "50: error: jwt: keys: 'url' has no host (\"https://id.example.com/keys\")"},
      {"\"jwt\": {\"algorithms\": [\"RS256\"], \"keys\": {\"url\": \"https://a:b@id/keys\"}}",
       "50: error: jwt: keys: 'url' has a name or password in it "
       "(\"https://id.example.com/keys\")"},
      {"\"jwt\": {\"algorithms\": [\"RS256\"], \"keys\": {\"url\": \"https://id/keys#a\"}}",
       "50: error: jwt: keys: 'url' has a fragment (#) (\"https://id.example.com/keys\")"},
      {"\"jwt\": {\"algorithms\": [\"RS256\"], \"keys\": {\"url\": \"https://id/a b\"}}",
       "50: error: jwt: keys: 'url' has a byte that no URL has (\"https://id.example.com/keys\")"},
      {"\"jwt\": {\"algorithms\": [\"none\"], \"keys\": {\"url\": \"https://id/keys\"}}",
       "24: error: jwt: tokens of algorithm 'none' are never taken (one of HS256, HS384, HS512, "
       "RS256, PS256, ES256, EdDSA)"},
      {"\"jwt\": {\"algorithms\": [\"RS265\"], \"keys\": {\"url\": \"https://id/keys\"}}",
       "24: error: jwt: tokens of algorithm 'RS265' are never taken (did you mean 'RS256'?)"},
      {"\"jwt\": {\"algorithms\": [\"RS256\", \"RS256\"], \"keys\": {\"url\": "
       "\"https://id/keys\"}}",
       "33: error: jwt: algorithm 'RS256' is there twice"},
      {"\"jwt\": {\"algorithms\": [], \"keys\": {\"url\": \"https://id/keys\"}}",
       "23: error: jwt: without 'algorithms' no token is taken (\"algorithms\": [\"RS256\"])"},
      {"\"jwt\": {\"algorithms\": \"RS256\", \"keys\": {\"url\": \"https://id/keys\"}}",
       "23: error: jwt: 'algorithms' must be a list, not string (\"algorithms\": [\"RS256\"])"},
      {"\"jwt\": {\"keys\": {\"url\": \"https://id/keys\"}, \"algorithms\": [\"RS256\"], "
       "\"issuer\": \"\"}",
       "80: error: jwt: 'issuer' is empty (\"https://id.example.com\")"},
      {"\"jwt\": {\"keys\": {\"url\": \"https://id/keys\"}, \"algorithms\": [\"RS256\"], "
       "\"audience\": []}",
       "82: error: jwt: 'audience' must have 1 to 16 names (\"audience\": [\"shop\"])"},
      {"\"jwt\": {\"keys\": {\"url\": \"https://id/keys\"}, \"algorithms\": [\"RS256\"], "
       "\"audience\": [\"a\", 1]}",
       "88: error: jwt: an 'audience' must be a string, not number (\"audience\": [\"shop\"])"},
      {"\"jwt\": {\"keys\": {\"url\": \"https://id/keys\"}, \"algorithms\": [\"RS256\"], "
       "\"audience\": 1}",
       "82: error: jwt: 'audience' must be a list, not number (\"audience\": [\"shop\"])"},
      {"\"jwt\": {\"keys\": {\"url\": \"https://id/keys\"}, \"algorithms\": [\"RS256\"], "
       "\"clock_skew\": \"2h\"}",
       "84: error: jwt: 'clock_skew' must be from 0s to 1h"},
      {"\"jwt\": {\"keys\": {\"url\": \"https://id/keys\"}, \"algorithms\": [\"RS256\"], \"from\": "
       "{}}",
       "78: error: jwt: from: give exactly one of 'header' and 'cookie' (\"from\": { \"cookie\": "
       "\"session\" })"},
      {"\"jwt\": {\"keys\": {\"url\": \"https://id/keys\"}, \"algorithms\": [\"RS256\"], \"from\": "
       "{\"cookie\": \"a b\"}}",
       "89: error: jwt: from: 'cookie': 'a b' is not the name of one (\"from\": { \"cookie\": "
       "\"session\" })"},
      {"\"jwt\": {\"keys\": {\"url\": \"https://id/keys\"}, \"algorithms\": [\"RS256\"], \"from\": "
       "{\"header\": \"Cookie\"}}",
       "89: error: jwt: from: 'header': 'Cookie' is not the name of one (\"from\": { \"cookie\": "
       "\"session\" })"},
      {"\"jwt\": {\"keys\": {\"url\": \"https://id/keys\"}, \"algorithms\": [\"RS256\"], "
       "\"on_invalid\": 401}",
       "84: error: jwt: 'on_invalid' must be a string, not number (\"missing\" or \"401\")"},
      {"\"jwt\": {\"keys\": {\"url\": \"https://id/keys\"}, \"algorithms\": [\"RS256\"], "
       "\"on_invalid\": \"403\"}",
       "84: error: jwt: 'on_invalid' cannot be '403' (\"missing\" or \"401\")"},
      {"\"jwt\": {\"keys\": {\"url\": \"https://id/keys\"}, \"algorithms\": [\"RS256\"], "
       "\"on_absent\": \"401\"}",
       "70: error: jwt: with 'on_absent' alone anything that is no token would do (add "
       "\"on_invalid\": \"401\")"},
      {"\"jwt\": {\"keys\": {\"url\": \"https://id/keys\"}, \"algorithms\": [\"RS256\"]}, "
       "\"attributes\": {\"x\": {\"type\": \"string\", \"from\": [{\"jwt\": \"\"}]}}",
       "127: error: attribute 'x': 'jwt' must be the name of a claim, of 1 to 256 bytes (\"sub\", "
       "or \"realm_access.roles\" inside an object)"},
      {"\"jwt\": {\"keys\": {\"url\": \"https://id/keys\"}, \"algorithms\": [\"RS256\"]}, "
       "\"attributes\": {\"x\": {\"type\": \"string\", \"from\": [{\"jwt\": \"sub\", \"regex\": "
       "\"a\"}]}}",
       "134: error: attribute 'x': unknown key 'regex' (known here: jwt)"},
      {"\"via\": true, \"attributes\": {\"x\": {\"type\": \"string\", \"from\": [{\"jwt\": "
       "\"sub\"}]}}",
       "63: error: attribute 'x': nothing answers for a 'jwt' source (declare the tokens under "
       "\"jwt\" in adit.json)"},
      /* Access log. */
      {"\"access_log\": {\"format\": \"xml\"}",
       "26: error: access_log: 'format' cannot be 'xml' (\"json\" or \"combined\")"},
      {"\"access_log\": {\"path\": \"\"}",
       "24: error: access_log: 'path' is empty (\"-\" is standard output)"},
      {"\"access_log\": {\"path\": \"syslog:unix:/dev/log\"}",
       "24: error: access_log: 'path' names no server" SYSLOG_HINT},
      {"\"access_log\": {\"path\": \"syslog:server=log.example.com\"}",
       "24: error: access_log: 'path' has a server that is neither unix:/PATH nor an IP "
       "address" SYSLOG_HINT},
      {"\"access_log\": {\"path\": \"syslog:server=unix:log\"}",
       "24: error: access_log: 'path' has a server that is neither unix:/PATH nor an IP "
       "address" SYSLOG_HINT},
      {"\"access_log\": {\"path\": \"syslog:server=::1,facility=local8\"}",
       "24: error: access_log: 'path' has a facility that is none" SYSLOG_HINT},
      {"\"access_log\": {\"path\": \"syslog:server=::1,severity=warning\"}",
       "24: error: access_log: 'path' has a severity that is none" SYSLOG_HINT},
      {"\"access_log\": {\"path\": \"syslog:server=::1,tag=a-b\"}",
       "24: error: access_log: 'path' has a tag that is not 1 to 32 letters, digits and "
       "'_'" SYSLOG_HINT},
      {"\"access_log\": {\"path\": \"syslog:server=::1,nohostname\"}",
       "24: error: access_log: 'path' has a parameter that nobody knows" SYSLOG_HINT},
      {"\"access_log\": {\"attributes\": \"some\"}",
       "30: error: access_log: 'attributes' cannot be 'some' (\"none\", \"read\" or \"all\")"},
      {"\"access_log\": {\"format\": \"combined\", \"attributes\": \"read\"}",
       "52: error: access_log: only lines in JSON have attributes (\"format\": \"json\")"},
      {"\"access_log\": {\"format\": \"combined\", \"redact\": [\"a\"]}",
       "48: error: access_log: only lines in JSON are redacted (\"format\": \"json\")"},
      {"\"access_log\": {\"redact\": \"a\"}",
       "26: error: access_log: 'redact' must be a list, not string ([\"user.id\", \"cookie.*\"])"},
      {"\"access_log\": {\"redact\": [1]}",
       "27: error: access_log: a name in 'redact' must be a string, not number (\"user.id\")"},
      {"\"access_log\": {\"redact\": [\"\"]}",
       "27: error: access_log: a name in 'redact' is empty ([\"user.id\", \"cookie.*\"])"},
      {"\"access_log\": {\"redact_key_file\": \"short.key\"}",
       "35: error: access_log: 'redact_key_file': the file has 31 bytes, not at least 32 (make "
       "one: "
       "head -c 32 /dev/urandom | base64 > FILE)"},
      {"\"access_log\": \"-\"",
       "15: error: access_log must be an object, not string (write { … })"},
  };
  enter_folder();
  write_text("good.key", "0123456789abcdef0123456789abcdef");
  write_text("short.key", "0123456789abcdef0123456789abcde\n");
  write_text("empty", "\n");
  write_geography();
  for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
    const char *said = NULL;
    char expected[1024];
    struct config *config = load_fragment(cases[i].fragment, &said);
    ck_assert_msg(config == NULL, "%s is taken", cases[i].fragment);
    snprintf(expected, sizeof(expected), "adit.json:2:%s\n", cases[i].said);
    ck_assert_msg(strcmp(said, expected) == 0, "%s\n  says     %s  and not  %s", cases[i].fragment,
                  said, expected);
  }
  leave_folder();
}
END_TEST

/* A mistake in a file of ranges is shown there, and a source that lacks nothing else is not blamed.
 */
START_TEST(shows_mistakes_of_ranges)
{
  const char *said = NULL;
  enter_folder();
  write_text("bad.json", "{\n  \"10.0.0.0/8\": \"office\",\n  \"10.1.0.0/8\": \"lab\"\n}\n");
  ck_assert_ptr_null(
      load_fragment("\"attributes\": {\"x\": {\"type\": \"string\", \"from\": "
                    "[{\"cidr\": \"bad.json\"}]}}",
                    &said));
  ck_assert_str_eq(said,
                   "bad.json:3:3: error: '10.1.0.0/8' has bits set behind its prefix (did you "
                   "mean '10.0.0.0/8'?)\n");
  leave_folder();
}
END_TEST

/* A file that several attributes name is read once; fields are of whichever database has them. */
START_TEST(reads_geography)
{
  enter_folder();
  write_geography();
  struct config *config = want(
      "\"geoip\": {\"databases\": [\"asn.mmdb\", \"country.mmdb\"]}, \"attributes\": {"
      "\"a\": {\"type\": \"string\", \"from\": [{\"cidr\": \"ranges.json\"}, {\"geoip\": "
      "\"country\"}]}, \"b\": {\"type\": \"list\", \"from\": [{\"cidr\": \"ranges.json\"}]}, "
      "\"c\": {\"type\": \"number\", \"from\": [{\"geoip\": \"asn\"}]}}");
  ck_assert_uint_eq(geo_database_count(config->geo), 2);
  ck_assert_uint_eq(geo_ranges_size(geo_get_ranges(config->geo, 0)), 1);
  ck_assert_uint_eq(attr_catalog_size(config->catalog), 3);
  config_free(&config);
  leave_folder();
}
END_TEST

/* Addresses of `listen`, and endpoints; the message up to its hint. */
START_TEST(refuses_addresses)
{
  static const struct {
    const char *address;
    const char *listen;   /* NULL: it is one */
    const char *endpoint; /* NULL: it is one */
  } cases[] = {
      {"127.0.0.1:0", NULL, "has port 0"},
      {"127.0.0.1:65535", NULL, NULL},
      {"[::]:80", NULL, NULL},
      {"[::ffff:10.0.0.1]:80", NULL, NULL},
      {"shop:80", "names no IP address to listen on", NULL},
      {"Shop_1.example.com.:80", "names no IP address to listen on", NULL},
      {"", "has no port", "has no port"},
      {"8080", "has no port", "has no port"},
      {":8080", "names no IP address to listen on", "has no host"},
      {"*:8080", "names no IP address to listen on", "has a host that is no host name"},
      {"127.0.0.1", "has no port", "has no port"},
      {"127.0.0.1:", "has no port", "has no port"},
      {"127.0.0.1:65536", "has a port that is none", "has a port that is none"},
      {"127.0.0.1:000080", "has a port that is none", "has a port that is none"},
      {"127.0.0.1:+80", "has a port that is none", "has a port that is none"},
      {"127.0.0.1:80 ", "has a port that is none", "has a port that is none"},
      {"127.0.0.256:80", "names no IP address to listen on",
       "is neither a host name nor an address"},
      {"127.1:80", "names no IP address to listen on", "is neither a host name nor an address"},
      {"::1:80", "is not an address with a port", "is not an address with a port"},
      {"::1", "is not an address with a port", "is not an address with a port"},
      {"[::1]", "has no port", "has no port"},
      {"[::1]80", "has no port", "has no port"},
      {"[::1:80", "is not an address with a port", "is not an address with a port"},
      {"[127.0.0.1]:80", "is not an address with a port", "is not an address with a port"},
      {"[shop]:80", "is not an address with a port", "is not an address with a port"},
      {"[fe80::1%eth0]:80", "is not an address with a port", "is not an address with a port"},
      {"http://shop:80", "is not an address with a port", "is not an address with a port"},
      {"shop:80/", "is not an address with a port", "is not an address with a port"},
      {"-shop:80", "names no IP address to listen on", "has a host that is no host name"},
      {"shop..x:80", "names no IP address to listen on", "has a host that is no host name"},
      {"sh op:80", "names no IP address to listen on", "has a host that is no host name"},
      {"\xC3\xA9:80", "names no IP address to listen on", "has a host that is no host name"},
      {"a23456789012345678901234567890123456789012345678901234567890123.x:80",
       "names no IP address to listen on", NULL},
      {"a234567890123456789012345678901234567890123456789012345678901234.x:80",
       "names no IP address to listen on", "has a host that is no host name"},
  };
  enter_folder();
  for (size_t i = 0; i < 2 * sizeof(cases) / sizeof(*cases); i++) {
    const char *address = cases[i / 2].address;
    const char *why = i % 2 ? cases[i / 2].endpoint : cases[i / 2].listen;
    char text[512], expected[512];
    snprintf(text, sizeof(text),
             "{\"listen\": [{\"address\":\n\"%s\"}], \"upstreams\": {\"a\": {\"endpoints\": "
             "[\n\"%s\"]}}}",
             i % 2 ? "127.0.0.1:0" : address, i % 2 ? address : "127.0.0.1:1");
    const char *said = NULL;
    struct config *config = load_text(text, &said);
    snprintf(expected, sizeof(expected), "adit.json:%d:1: error: %s '%s' %s", i % 2 ? 3 : 2,
             i % 2 ? "upstream 'a': endpoint" : "listen:", address, why ? why : "");
    ck_assert_msg((config != NULL) == (why == NULL), "'%s': %s", address, said);
    if (why) {
      ck_assert_msg(strncmp(said, expected, strlen(expected)) == 0, "'%s': %s", address, said);
    }
    config_free(&config);
  }
  leave_folder();
}
END_TEST

static size_t lines_of(const char *text) {
  size_t n = 0;
  for (; *text; text++) n += *text == '\n';
  return n;
}

/* How endpoints are checked: each mistake alone; the message up to its hint. */
START_TEST(refuses_health_checks)
{
  static const struct {
    const char *keys;
    const char *said; /* NULL: nothing is wrong */
  } cases[] = {
      {"\"path\": \"/\"", NULL},
      {"\"path\": \"/\", \"host\": \"a:80\", \"status\": [599, \"200-200\"]", NULL},
      {"\"path\": \"/\", \"interval\": \"100ms\", \"timeout\": \"100ms\"", NULL},
      {"", "'health_check': 'path' is missing"},
      {"\"path\": 1", "'health_check': 'path' must be a string, not number"},
      {"\"path\": \"healthz\"", "'health_check': 'path' must begin with '/' and"},
      {"\"path\": \"/a b\"", "'health_check': 'path' must begin with '/' and"},
      {"\"path\": \"/a\\r\\nX: 1\"", "'health_check': 'path' must begin with '/' and"},
      {"\"path\": \"/#a\"", "'health_check': 'path' must begin with '/' and"},
      {"\"path\": \"/\u00e9\"", "'health_check': 'path' must begin with '/' and"},
      {"\"path\": \"/\", \"host\": \"a b\"", "'health_check': 'host': 'a b' has a host that is no"},
      {"\"path\": \"/\", \"host\": \"\"", "'health_check': 'host': '' has no host"},
      {"\"path\": \"/\", \"host\": \"a:x\"",
       "'health_check': 'host': 'a:x' has a port that is none"},
      {"\"path\": \"/\", \"host\": \"a\\r\\nX: 1\"", "'health_check': 'host': "},
      {"\"path\": \"/\", \"body\": \"\"", "'health_check': 'body' must have 1 to 256 bytes"},
      {"\"path\": \"/\", \"status\": 200", "'health_check': 'status' must be a list, not number"},
      {"\"path\": \"/\", \"status\": []", "'health_check': 'status' must have 1 to 16 entries"},
      {"\"path\": \"/\", \"status\": [199]", "'health_check': 'status': an entry must be a status"},
      {"\"path\": \"/\", \"status\": [600]", "'health_check': 'status': an entry must be a status"},
      {"\"path\": \"/\", \"status\": [200.5]", "'health_check': 'status': an entry must be a"},
      {"\"path\": \"/\", \"status\": [\"200\"]", "'health_check': 'status': an entry must be a"},
      {"\"path\": \"/\", \"status\": [\"200-\"]", "'health_check': 'status': an entry must be a"},
      {"\"path\": \"/\", \"status\": [\"2xx\"]", "'health_check': 'status': an entry must be a"},
      {"\"path\": \"/\", \"status\": [\"100-299\"]",
       "'health_check': 'status': an entry must be a"},
      {"\"path\": \"/\", \"status\": [\"299-200\"]",
       "'health_check': 'status': a range ends before"},
      {"\"path\": \"/\", \"interval\": \"99ms\"",
       "'health_check': 'interval' must be from 100ms to 1h"},
      {"\"path\": \"/\", \"timeout\": \"0s\"", "'health_check': 'timeout' must be from 1ms to 1m"},
      {"\"path\": \"/\", \"timeout\": \"6s\"",
       "'health_check': 'timeout' is longer than 'interval'"},
      {"\"path\": \"/\", \"healthy\": 0",
       "'health_check': 'healthy' must be a whole number from 1"},
      {"\"path\": \"/\", \"unhealthy\": 101", "'health_check': 'unhealthy' must be a whole number"},
      {"\"path\": \"/\", \"slow_start\": \"2h\"", "'health_check': 'slow_start' must be from 0s"},
      {"\"path\": \"/\", \"methode\": \"GET\"", "'health_check': unknown key 'methode'"},
  };
  enter_folder();
  for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
    char text[512];
    snprintf(
        text, sizeof(text),
        "{\"listen\": [{\"address\": \"127.0.0.1:0\"}], \"upstreams\": {\"a\": {\"endpoints\": "
        "[\"127.0.0.1:1\"], \"health_check\": {%s}}}}",
        cases[i].keys);
    const char *said = NULL;
    struct config *config = load_text(text, &said);
    ck_assert_msg((config != NULL) == (cases[i].said == NULL), "%s: %s", cases[i].keys, said);
    if (cases[i].said)
      ck_assert_msg(strstr(said, cases[i].said) && lines_of(said) == 1, "%s: %s", cases[i].keys,
                    said);
    config_free(&config);
  }
  leave_folder();
}
END_TEST

/* Files that are wrong as a whole, or in what the other cases take for granted. */
/* In the fourth line, behind an attribute and an upstream. */
START_TEST(refuses_keys_to_balance_by)
{
  static const struct {
    const char *fragment;
    const char *said; /* without "adit.json:4:"; of several each in a line */
  } cases[] = {
      {"\"load_balancing\": \"hash\"",
       "19: error: upstream 'a': 'load_balancing' is 'hash', and 'hash_by' is missing "
       "(\"hash_by\": "
       "[\"user.id\", \"client_ip\"])\n"},
      {"\"hash_by\": [\"path\"]",
       "1: error: upstream 'a': 'hash_by' is there, and 'load_balancing' is not 'hash' (remove it, "
       "or \"load_balancing\": \"hash\")\n"},
      {"\"hash_by\": [], \"load_balancing\": \"round_robin\"",
       "1: error: upstream 'a': 'hash_by' is there, and 'load_balancing' is not 'hash' (remove it, "
       "or \"load_balancing\": \"hash\")\n"},
      {"\"load_balancing\": \"hash\", \"hash_by\": \"path\"",
       "38: error: upstream 'a': 'hash_by' must be a list, not string (\"hash_by\": [\"user.id\", "
       "\"client_ip\"])\n"},
      {"\"load_balancing\": \"hash\", \"hash_by\": []",
       "38: error: upstream 'a': 'hash_by' must have 1 to 8 entries (\"hash_by\": [\"user.id\", "
       "\"client_ip\"])\n"},
      {"\"load_balancing\": \"hash\", \"hash_by\": [1,2,3,4,5,6,7,8,9]",
       "38: error: upstream 'a': 'hash_by' must have 1 to 8 entries (\"hash_by\": [\"user.id\", "
       "\"client_ip\"])\n"},
      {"\"load_balancing\": \"hash\", \"hash_by\": [\"user.di\", \"headers.x\", \"header.\", "
       "\"client_ip\", 7]",
       "39: error: upstream 'a': 'hash_by': unknown attribute 'user.di' (did you mean 'user.id'?)\n"
       "50: error: upstream 'a': 'hash_by': unknown attribute 'headers.x' (did you mean "
       "'header.'?)\n"
       "63: error: upstream 'a': 'hash_by': unknown attribute 'header.' (a name follows "
       "the dot, like header.x-tenant)\n"
       "87: error: upstream 'a': 'hash_by': a name must be a string, not number (\"user.id\")\n"},
      {"\"load_balancing\": \"hash\", \"hash_by\": [\"now\", \"now.time\", \"born.age\", \"born\"]",
       "39: error: upstream 'a': 'hash_by': 'now' depends on the time (a key stays the same from "
       "visit to visit)\n"
       "46: error: upstream 'a': 'hash_by': 'now.time' depends on the time (a key stays the same "
       "from visit to visit)\n"
       "58: error: upstream 'a': 'hash_by': 'born.age' depends on the time (a key stays the same "
       "from visit to visit)\n"},
      {"\"load_balancing\": \"hash\", \"hash_by\": [\"header.X-A\", \"cookie.a\", \"cookie.A\", "
       "\"header.x-a\"]",
       "77: error: upstream 'a': 'hash_by': 'header.x-a' is there twice (remove one of them)\n"},
  };
  enter_folder();
  for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
    char text[1024], wanted[1024];
    size_t n = 0;
    const char *said = NULL;
    snprintf(
        text, sizeof(text),
        "{\"listen\": [{\"address\": \"127.0.0.1:0\"}], \"attributes\": {\n\"user.id\": {\"type\": "
        "\"string\", \"from\": [{\"header\": \"X-User\"}]}, \"born\": {\"type\": \"time\", "
        "\"from\": [{\"header\": \"X-Born\"}]}},\n\"upstreams\": {\"a\": {\"endpoints\": "
        "[\"b:1\"],\n%s}}}",
        cases[i].fragment);
    struct str rest = str_from_cstr(cases[i].said), line;
    while (str_split_next(&rest, '\n', &line) && line.n > 0)
      n += (size_t)snprintf(wanted + n, sizeof(wanted) - n, "adit.json:4:%.*s\n", STR_ARG(line));
    struct config *config = load_text(text, &said);
    ck_assert_msg(config == NULL, "%s is taken", cases[i].fragment);
    ck_assert_str_eq(said, wanted);
  }
  leave_folder();
}
END_TEST

START_TEST(refuses_files)
{
  static const struct {
    const char *text;
    const char *said;
  } cases[] = {
      {"[]", "adit.json:1:1: error: configuration must be an object, not array (write { … })\n"},
      {"{\"listen\": 1,}\n x",
       "adit.json:2:2: error: 'x' behind the end of the value (only one value "
       "is expected)\n"},
      {"\n {}",
       "adit.json:2:2: error: configuration: 'listen' is missing (\"listen\": [{ \"address\": "
       "\"0.0.0.0:8080\" }])\n"
       "adit.json:2:2: error: configuration: 'upstreams' is missing (\"upstreams\": { \"shop-v1\": "
       "{ \"endpoints\": [\"127.0.0.1:9001\"] } })\n"},
      {"{\"listen\": [], \"upstreams\": {}}",
       "adit.json:1:12: error: listen must have from 1 to 64 addresses (\"listen\": [{ "
       "\"address\": \"0.0.0.0:8080\" }])\n"
       "adit.json:1:29: error: upstreams: there is none (\"upstreams\": { \"shop-v1\": { "
       "\"endpoints\": [\"127.0.0.1:9001\"] } })\n"},
      {"{\"listen\": [\"127.0.0.1:80\", {\"tls\": {}}],\n\"upstreams\": {\"a b\": {}, \"c\": "
       "{\"endpoints\": []}, \"d\": 1}}",
       "adit.json:1:13: error: listen must be an object, not string (write { … })\n"
       "adit.json:1:29: error: listen: 'address' is missing (add \"address\": "
       "\"0.0.0.0:8080\")\n"
       "adit.json:1:30: error: listen: TLS is not available in this version (leave it out, and end "
       "TLS in a load balancer before Adit)\n"
       "adit.json:2:15: error: upstream 'a b': this is not a name (1 to 64 of A-Z a-z 0-9 . _ -)\n"
       "adit.json:2:15: error: upstream 'a b': 'endpoints' is missing (\"endpoints\": "
       "[\"127.0.0.1:9001\"])\n"
       "adit.json:2:45: error: upstream 'c': 'endpoints' is empty (\"endpoints\": "
       "[\"127.0.0.1:9001\"])\n"
       "adit.json:2:55: error: upstream 'd' must be an object, not number (write { … })\n"},
      {"{\"listen\": [{\"address\": \"[::1]:80\"}, {\"address\": \"127.0.0.1:0\"}, {\"address\": "
       "\"127.0.0.1:0\"},\n{\"address\": \"[0:0::1]:80\"}],\n"
       "\"upstreams\": {\"a\": {\"endpoints\": [\"127.0.0.1:1\",\n\"[::ffff:127.0.0.1]:1\", "
       "\"x:1\", \"x:2\",\n\"X.:1\"], \"timeout\": \"0s\",\n\"connect_timeout\": \"11m\"}}}",
       "adit.json:2:13: error: listen: '[0:0::1]:80' is there twice (remove one of them)\n"
       "adit.json:4:1: error: upstream 'a': endpoint '[::ffff:127.0.0.1]:1' is there twice (remove "
       "one of them)\n"
       "adit.json:5:1: error: upstream 'a': endpoint 'X.:1' is there twice (remove one of them)\n"
       "adit.json:5:21: error: upstream 'a': 'timeout' must be from 1ms to 1d\n"
       "adit.json:6:20: error: upstream 'a': 'connect_timeout' must be from 1ms to 10m\n"},
      {"{\"listen\": [{\"address\": \"[::1]:80\"}], \"upstreams\": {\"a\": {\"endpoints\": "
       "[\"b:1\"],\n"
       "\"outlier_detection\": {\"ejection_time\": \"6m\", \"failure_percent\": 0}}}}",
       "adit.json:2:22: error: upstream 'a': 'outlier_detection': 'max_ejection_time' is shorter "
       "than 'ejection_time' (make it as long at least)\n"
       "adit.json:2:65: error: upstream 'a': 'outlier_detection': 'failure_percent' must be a "
       "whole number from 1 to 100\n"},
      {"{\"listen\": [{\"address\": \"[::1]:80\"}], \"upstreams\": {\"a\": {\"endpoints\": "
       "[\"b:1\"],\n"
       "\"circuit_breaker\": {\"max_pending\": 1000001}}, \"b\": {\"endpoints\": [\"b:1\"],\n"
       "\"circuit_breaker\": {\"max_requests\": -1, \"pending_timeout\": \"0s\", "
       "\"max_conns\": 1}}}}",
       "adit.json:2:20: error: upstream 'a': 'circuit_breaker' limits nothing: it has neither "
       "'max_connections' nor 'max_requests' (\"max_requests\": 100)\n"
       "adit.json:2:36: error: upstream 'a': 'circuit_breaker': 'max_pending' must be a whole "
       "number from 0 to 1000000\n"
       "adit.json:3:37: error: upstream 'b': 'circuit_breaker': 'max_requests' must be a whole "
       "number from 0 to 1000000\n"
       "adit.json:3:60: error: upstream 'b': 'circuit_breaker': 'pending_timeout' must be from 1ms "
       "to 10m\n"
       "adit.json:3:66: error: upstream 'b': 'circuit_breaker': unknown key 'max_conns' (known "
       "here: max_connections max_requests max_pending pending_timeout)\n"},
      {"{\"listen\": [{\"address\": \"[::1]:80\"}],\n"
       "\"upstreams\": {\"a\": {\"endpoints\": [\"unix:/a\", {\"address\": \"unix:/a\"}, "
       "{\"weight\": 1},"
       "\n{\"address\": \"b:1\", \"weight\": 257}, {\"address\": \"c:1\", \"drain\": 1}, "
       "\"unix:\",\n"
       "\"unix:a\", 7, {\"adress\": \"d:1\"}], \"load_balancing\": \"random\"}}}",
       "adit.json:2:46: error: upstream 'a': endpoint 'unix:/a' is there twice (remove one of "
       "them)\n"
       "adit.json:2:70: error: upstream 'a': an endpoint: 'address' is missing (add \"address\": "
       "\"127.0.0.1:9001\")\n"
       "adit.json:3:30: error: upstream 'a': an endpoint: 'weight' must be a whole number from 1 "
       "to 256\n"
       "adit.json:3:64: error: upstream 'a': an endpoint: 'drain' must be true or false, not "
       "number\n"
       "adit.json:3:68: error: upstream 'a': endpoint 'unix:' has no path (like "
       "unix:/run/shop.sock)\n"
       "adit.json:4:1: error: upstream 'a': endpoint 'unix:a' has no absolute path (like "
       "unix:/run/shop.sock)\n"
       "adit.json:4:11: error: upstream 'a' must be a string, not number (\"127.0.0.1:9001\")\n"
       "adit.json:4:14: error: upstream 'a': an endpoint: 'address' is missing (add \"address\": "
       "\"127.0.0.1:9001\")\n"
       "adit.json:4:15: error: upstream 'a': an endpoint: unknown key 'adress' (did you mean "
       "'address'?)\n"
       "adit.json:4:52: error: upstream 'a': 'load_balancing' cannot be 'random' "
       "(\"least_requests\", \"round_robin\" or \"hash\")\n"},
  };
  enter_folder();
  for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
    const char *said = NULL;
    struct config *config = load_text(cases[i].text, &said);
    ck_assert_msg(config == NULL, "%s is taken", cases[i].text);
    ck_assert_str_eq(said, cases[i].said);
  }
  const char *said = NULL;
  ck_assert_ptr_null(load("nowhere/adit.json", &said));
  ck_assert_str_eq(said,
                   "nowhere/adit.json: error: cannot read 'nowhere/adit.json': No such file or "
                   "directory (create it, or correct the path)\n");
  leave_folder();
}
END_TEST

/* ---- files beside it ------------------------------------------------------------------------- */

START_TEST(reads_secrets)
{
  static const struct {
    struct str content;
    size_t n; /* of the secret */
  } cases[] = {
      {STR_INIT("0123456789abcdef0123456789abcdef"), 32},
      {STR_INIT("0123456789abcdef0123456789abcdef\n"), 32},
      {STR_INIT("0123456789abcdef0123456789abcdef\n\n"), 33},
      {STR_INIT("0123456789abcdef0123456789abcdef\r\n"), 33},
      {STR_INIT("\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0"), 32},
  };
  enter_folder();
  for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
    write_bytes("k", cases[i].content.p, cases[i].content.n, 0600);
    struct config *config = want("\"sticky\": {\"keys\": [{\"id\": \"x\", \"file\": \"k\"}]}");
    ck_assert(str_eq(config->keys[0].secret, str_take(cases[i].content, cases[i].n)));
    config_free(&config);
  }
  struct config *config = want("\"sticky\": {\"keys\": []}");
  ck_assert_uint_eq(config->key_count, 0);
  config_free(&config);
  write_text("token", "s3cret\n");
  config = want("\"admin\": {\"address\": \"0.0.0.0:0\", \"token_file\": \"token\"}");
  ck_assert_view_eq(config->admin_token, "s3cret");
  ck_assert_str_eq(config->admin_token_file, "token");
  config_free(&config);
  leave_folder();
}
END_TEST

START_TEST(warns_of_public_secrets)
{
  enter_folder();
  write_bytes("k", "0123456789abcdef0123456789abcdef", 32, 0644);
  const char *said = NULL;
  struct config *config =
      load_fragment("\"sticky\": {\"keys\": [{\"id\": \"x\", \"file\": \"k\"}]}", &said);
  ck_assert_ptr_nonnull(config);
  ck_assert_str_eq(said,
                   "adit.json:2:41: warning: sticky key 'x': every user of this machine can read "
                   "'k' (take that right away: chmod o-r)\n");
  config_free(&config);
  ck_assert_int_eq(chmod("k", 0640), 0);
  config = want("\"sticky\": {\"keys\": [{\"id\": \"x\", \"file\": \"k\"}]}");
  config_free(&config);
  leave_folder();
}
END_TEST

/* Paths inside are relative to the file, whose folder is no pattern. */
START_TEST(syslog_servers)
{
  static const struct {
    const char *text, *unix_path;
    uint16_t port;
    unsigned priority;
    const char *tag;
  } cases[] = {
      {"syslog:server=unix:/dev/log", "/dev/log", 0, 190, "adit"},
      {"syslog:server=192.0.2.1", NULL, 514, 190, "adit"},
      {"syslog:server=[2001:db8::1]:5514,tag=A_1", NULL, 5514, 190, "A_1"},
      {"syslog:server=::1,facility=kern,severity=emerg", NULL, 514, 0, "adit"},
      {"syslog:server=192.0.2.1:0,severity=debug,severity=error,facility=daemon", NULL, 514, 27,
       "adit"},
  };
  enter_folder();
  for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
    char text[256];
    snprintf(text, sizeof(text), "\"access_log\": {\"path\": \"%s\"}", cases[i].text);
    struct config *config = want(text);
    const struct config_access_log *log = &config->access_log;
    ck_assert(log->is_syslog && strcmp(log->path, cases[i].text) == 0);
    ck_assert(!cases[i].unix_path ||
              str_eq(log->syslog.unix_path, str_from_cstr(cases[i].unix_path)));
    ck_assert(!log->syslog.unix_path.p == !cases[i].unix_path);
    ck_assert_uint_eq(log->syslog.port, cases[i].port);
    ck_assert_uint_eq(log->syslog.priority, cases[i].priority);
    ck_assert_view_eq(log->syslog.tag, cases[i].tag);
    config_free(&config);
  }
  leave_folder();
}
END_TEST

START_TEST(resolves_paths)
{
  enter_folder();
  ck_assert_int_eq(mkdir("a[b]*?\\", 0700), 0);
  char text[1024];
  snprintf(text, sizeof(text),
           "%s\"rules\": [\"r/*.json\", \"/x/*\"], \"access_log\": {\"path\": "
           "\"../log\"}}",
           minimal);
  write_text("a[b]*?\\/adit.json", text);
  const char *said = NULL;
  struct config *config = load("a[b]*?\\/adit.json", &said);
  ck_assert_msg(config != NULL, "%s", said);
  ck_assert_view_eq(config->rules[0].pattern, "a\\[b]\\*\\?\\\\/r/*.json");
  ck_assert_view_eq(config->rules[1].pattern, "/x/*");
  ck_assert_str_eq(config->access_log.path, "a[b]*?\\/../log");
  ck_assert_int_eq(config->access_log.format, CONFIG_LOG_JSON);
  config_free(&config);
  config = want("\"access_log\": {}, \"rules\": [\"r/*.json\"]");
  ck_assert_str_eq(config->access_log.path, "-");
  ck_assert(config->access_log.attributes == CONFIG_LOG_NONE && !config->access_log.redact_key.p);
  config_free(&config);
  config = want(
      "\"access_log\": {\"attributes\": \"all\", \"redact\": [\"a\",\n\"cookie.*\"]}, "
      "\"rules\": [\"r/*.json\"]");
  ck_assert_int_eq(config->access_log.attributes, CONFIG_LOG_ALL);
  ck_assert_uint_eq(config->access_log.redact_count, 2);
  ck_assert_view_eq(config->access_log.redact[1].name, "cookie.*");
  ck_assert_uint_eq(config->access_log.redact[1].at.line, config->access_log_at.line + 1);
  ck_assert_view_eq(config->rules[0].pattern, "r/*.json");
  config_free(&config);
  leave_folder();
}
END_TEST

/* ---- directories ------------------------------------------------------------------------------
 */

static const char lookups[] =
    "\"lookups\": {\"users\": {\"url\": \"http://b/{path}\", \"timeout\": \"80ms\", \"bytes\": "
    "\"4KiB\", \"concurrency\": 16, \"stale\": \"1h\", \"on_error\": \"missing\", \"cache\": "
    "{\"entries\": 1000, \"bytes\": \"1MiB\", \"ttl\": \"1m\", \"negative_ttl\": \"5s\"}, "
    "\"breaker\": {\"failures\": 3, \"pause\": \"500ms\", \"pause_max\": \"30s\"}}, \"more\": "
    "{\"url\": \"http://b/{a}/{path}\"}}, \"attributes\": {\"a\": {\"type\": \"string\", \"from\": "
    "[{\"lookup\": \"users\", \"field\": \"x\"}, {\"lookup\": \"users\", \"field\": "
    "\"y.z\"}]}, \"b\": {\"type\": \"list\", \"from\": [{\"lookup\": \"users\", \"field\": "
    "\"x\"}, {\"lookup\": \"more\", \"field\": \"x\"}]}}";

static void check_lookup(const struct lookup_spec *spec, const int64_t ms[6],
                         const uint64_t numbers[5]) {
  ck_assert_int_eq(spec->timeout_ms, ms[0]);
  ck_assert_int_eq(spec->ttl_ms, ms[1]);
  ck_assert_int_eq(spec->negative_ttl_ms, ms[2]);
  ck_assert_int_eq(spec->stale_ms, ms[3]);
  ck_assert_int_eq(spec->pause_ms, ms[4]);
  ck_assert_int_eq(spec->pause_max_ms, ms[5]);
  ck_assert_uint_eq(spec->entries, numbers[0]);
  ck_assert_uint_eq(spec->cache_bytes, numbers[1]);
  ck_assert_uint_eq(spec->answer_bytes, numbers[2]);
  ck_assert_uint_eq(spec->concurrency, numbers[3]);
  ck_assert_uint_eq(spec->failures, numbers[4]);
}

START_TEST(reads_lookups)
{
  enter_folder();
  struct config *config = want(lookups);
  ck_assert_uint_eq(config->lookup_count, 2);
  const struct lookup_spec *users = &config->lookups[0].spec, *more = &config->lookups[1].spec;
  check_lookup(users, (int64_t[]){80, 60000, 5000, 3600000, 500, 30000},
               (uint64_t[]){1000, 1 << 20, 4096, 16, 3});
  check_lookup(more, (int64_t[]){50, 600000, 30000, 0, 1000, 60000},
               (uint64_t[]){100000, 64 << 20, 64 << 10, 64, 5});
  ck_assert_view_eq(users->name, "users");
  ck_assert_uint_eq(users->field_count, 2); /* each once */
  ck_assert_view_eq(users->fields[1], "y.z");
  ck_assert_uint_eq(more->field_count, 1);
  ck_assert_uint_eq(config->lookups[1].template.key_count, 2);
  config_free(&config);
  leave_folder();
}
END_TEST

/* ---- tokens ----------------------------------------------------------------------------------
 */

static const char tokens[] =
    "\"jwt\": {\"keys\": {\"url\": \"https://id/keys\", \"refresh\": \"1h\", \"retry\": \"1s\", "
    "\"timeout\": \"2s\"}, \"algorithms\": [\"RS256\", \"EdDSA\"], \"issuer\": \"me\", "
    "\"audience\": "
    "[\"a\", \"b\"], \"clock_skew\": \"1500ms\", \"require_exp\": true, \"from\": {\"cookie\": "
    "\"c\"}, "
    "\"cache\": {\"entries\": 7, \"bytes\": \"1MiB\", \"ttl\": \"1m\", \"negative_ttl\": \"1s\"}, "
    "\"on_invalid\": \"401\", \"on_absent\": \"401\"}, \"attributes\": {\"a\": {\"type\": "
    "\"string\", "
    "\"from\": [{\"jwt\": \"sub\"}, {\"jwt\": \"x.y\"}]}, \"b\": {\"type\": \"list\", \"from\": "
    "[{\"jwt\": "
    "\"sub\"}]}}";

START_TEST(reads_tokens)
{
  enter_folder();
  struct config *config = want(tokens);
  const struct config_jwt *jwt = &config->jwt;
  ck_assert(config->has_jwt && jwt->refuse_invalid && jwt->refuse_absent && !jwt->keys);
  ck_assert_view_eq(jwt->fetched.url, "https://id/keys");
  ck_assert_uint_eq(jwt->fetched.algorithms, JWT_RS256 | JWT_EDDSA);
  ck_assert_int_eq(jwt->fetched.refresh_ms, 3600000);
  ck_assert_int_eq(jwt->fetched.retry_ms, 1000);
  ck_assert_int_eq(jwt->fetched.timeout_ms, 2000);
  ck_assert_uint_eq(jwt->spec.policy.algorithms, JWT_RS256 | JWT_EDDSA);
  ck_assert_view_eq(jwt->spec.policy.issuer, "me");
  ck_assert_uint_eq(jwt->spec.policy.audience_count, 2);
  ck_assert_view_eq(jwt->spec.policy.audiences[1], "b");
  ck_assert_int_eq(jwt->spec.policy.clock_skew_s, 2);
  ck_assert(jwt->spec.policy.require_exp);
  ck_assert_int_eq(jwt->spec.place, JWT_IN_COOKIE);
  ck_assert_view_eq(jwt->spec.name, "c");
  ck_assert_uint_eq(jwt->spec.entries, 7);
  ck_assert_uint_eq(jwt->spec.cache_bytes, 1 << 20);
  ck_assert_int_eq(jwt->spec.ttl_ms, 60000);
  ck_assert_int_eq(jwt->spec.negative_ttl_ms, 1000);
  ck_assert_uint_eq(jwt->spec.claim_count, 2); /* each once */
  ck_assert_view_eq(jwt->spec.claims[1], "x.y");
  config_free(&config);
  leave_folder();
}
END_TEST

START_TEST(reads_tokens_with_defaults)
{
  enter_folder();
  write_text("secret", "0123456789abcdef0123456789abcdef\n");
  struct config *config = want(
      "\"jwt\": {\"keys\": {\"secret_file\": \"secret\"}, \"algorithms\": [\"HS256\"], "
      "\"audience\": \"a\"}");
  const struct config_jwt *jwt = &config->jwt;
  ck_assert(jwt->keys && !jwt->refuse_invalid && !jwt->refuse_absent);
  ck_assert_ptr_null(jwt->spec.policy.issuer.p);
  ck_assert_uint_eq(jwt->spec.policy.audience_count, 1);
  ck_assert_view_eq(jwt->spec.policy.audiences[0], "a");
  ck_assert_int_eq(jwt->spec.policy.clock_skew_s, 60);
  ck_assert(!jwt->spec.policy.require_exp);
  ck_assert_int_eq(jwt->spec.place, JWT_IN_AUTHORIZATION);
  ck_assert_view_eq(jwt->spec.name, "Authorization");
  ck_assert_uint_eq(jwt->spec.entries, 10000);
  ck_assert_uint_eq(jwt->spec.cache_bytes, 32 << 20);
  ck_assert_int_eq(jwt->spec.ttl_ms, 300000);
  ck_assert_int_eq(jwt->spec.negative_ttl_ms, 10000);
  config_free(&config);
  leave_folder();
}
END_TEST

/* What is wrong with the files of keys, and mistakes that are several. */
START_TEST(refuses_keys_of_tokens)
{
  static const struct {
    const char *fragment, *said;
  } cases[] = {
      {"\"jwt\": {}",
       "adit.json:2:1: error: jwt: 'algorithms' is missing (\"algorithms\": "
       "[\"RS256\"])\nadit.json:2:1: error: jwt: 'keys' is missing (\"keys\": { \"url\": "
       "\"https://id.example.com/keys\" })\n"},
      {"\"jwt\": {\"algorithms\": [\"RS256\"], \"keys\": {\"file\": \"good.key\"}}",
       "good.key: error: the file is neither a PEM public key nor a JWKS (a secret is named in "
       "\"secret_file\")\n"},
      {"\"jwt\": {\"algorithms\": [\"RS256\"], \"keys\": {\"file\": \"good.key\", \"refresh\": "
       "\"1m\"}}",
       "adit.json:2:63: error: jwt: keys: 'refresh' is for a 'url' only (a file is read again by a "
       "reload)\ngood.key: error: the file is neither a PEM public key nor a JWKS (a secret is "
       "named in \"secret_file\")\n"},
      {"\"jwt\": {\"algorithms\": [\"HS256\", \"HS384\"], \"keys\": {\"secret_file\": "
       "\"good.key\"}}",
       "good.key: error: no key fits algorithm HS384 (add such a key, or do not allow the "
       "algorithm)\n"},
      {"\"jwt\": {\"algorithms\": [\"RS256\"], \"keys\": {\"secret_file\": \"good.key\"}}",
       "good.key: error: no key fits algorithm RS256 (add such a key, or do not allow the "
       "algorithm)\n"},
      {"\"jwt\": {\"algorithms\": [\"HS256\"], \"keys\": {\"secret_file\": \"public.pem\"}}",
       "public.pem: error: a public key is no secret (name it in \"file\")\n"},
      {"\"jwt\": {\"keys\": {\"url\": \"https://id/keys\"}, \"algorithms\": [\"RS256\"]}, "
       "\"attributes\": {\"x\": {\"type\": \"string\", \"from\": [{\"jwt\": \"sub\", \"cookie\": "
       "\"a\"}]}}",
       "adit.json:2:119: error: attribute 'x': a source has several of 'header', 'cookie', "
       "'query', 'jwt', 'geoip', 'cidr' and 'lookup' (give exactly one of them)\nadit.json:2:120: "
       "error: attribute 'x': unknown key 'jwt' (known here: header cookie query regex trust)\n"},
  };
  enter_folder();
  write_text("good.key", "0123456789abcdef0123456789abcdef");
  write_text("public.pem", "-----BEGIN PUBLIC KEY-----\nAAAA\n-----END PUBLIC KEY-----\n");
  for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
    const char *said = NULL;
    struct config *config = load_fragment(cases[i].fragment, &said);
    ck_assert_msg(config == NULL, "%s is taken", cases[i].fragment);
    ck_assert_str_eq(said, cases[i].said);
  }
  leave_folder();
}
END_TEST

/* ---- the table ------------------------------------------------------------------------------- */

static const char *const types[] = {"duration", "size", "string", "boolean",
                                    "number",   "list", "object", NULL};

START_TEST(lists_its_keys)
{
  size_t n = 0;
  const struct config_key_info *rows = config_keys(&n);
  ck_assert_uint_gt(n, 40);
  for (size_t i = 0; i < n; i++) {
    size_t type = 0;
    while (types[type] && strcmp(types[type], rows[i].type) != 0) type++;
    ck_assert_msg(types[type] != NULL, "%s has type %s", rows[i].key, rows[i].type);
    for (size_t k = 0; k < i; k++) ck_assert_str_ne(rows[i].key, rows[k].key);
    bool start_only =
        strncmp(rows[i].key, "listen", 6) == 0 || strcmp(rows[i].key, "admin") == 0 ||
        strcmp(rows[i].key, "admin.address") == 0 || strcmp(rows[i].key, "workers") == 0 ||
        strcmp(rows[i].key, "user") == 0 || strcmp(rows[i].key, "sandbox") == 0 ||
        strcmp(rows[i].key, "state_file") == 0 || strncmp(rows[i].key, "access_log", 10) == 0;
    ck_assert_msg(rows[i].reloadable == !start_only, "%s", rows[i].key);
  }
}
END_TEST

/* Every key of the table can be written; the example and the fragments have all of them. */
START_TEST(reads_every_key_of_the_table)
{
  static const char rest[] =
      "\"$schema\" \"tls\" \"token_file\" \"cookie\" \"query\" \"trust\" \"regex\" \"header\" "
      "\"geoip\" \"cidr\" \"databases\" \"file\" \"secret_file\"";
  size_t n = 0;
  const struct config_key_info *rows = config_keys(&n);
  for (size_t i = 0; i < n; i++) {
    const char *part = strrchr(rows[i].key, '.');
    char quoted[64];
    snprintf(quoted, sizeof(quoted), "\"%s\"", part ? part + 1 : rows[i].key);
    ck_assert_msg(strstr(example, quoted) || strstr(lookups, quoted) || strstr(tokens, quoted) ||
                      strstr(rest, quoted),
                  "%s is in no test", rows[i].key);
  }
  enter_folder();
  struct config *config = want(
      "\"attributes\": {\"x\": {\"type\": \"string\", \"from\": [{\"cookie\": \"c\", \"trust\": "
      "\"anyone\"}, {\"query\": \"q\", \"trust\": \"anyone\"}, {\"header\": \"H\", \"regex\": "
      "\"a\"}]}}");
  config_free(&config);
  leave_folder();
}
END_TEST

UNIT_MAIN("config", reads_lookups, reads_tokens, reads_tokens_with_defaults, refuses_keys_of_tokens,
          has_defaults, reads_the_example, refuses_fragments, shows_mistakes_of_ranges,
          reads_geography, refuses_health_checks, refuses_keys_to_balance_by, refuses_addresses,
          refuses_files, reads_secrets, warns_of_public_secrets, syslog_servers, resolves_paths,
          lists_its_keys, reads_every_key_of_the_table)
