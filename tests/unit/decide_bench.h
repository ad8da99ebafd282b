/*
 * decide_bench: one route "shop", compiled from JSON, and a decider whose randomness is counted up,
 * so that every case can say what is made anew.
 */
#ifndef ADIT_TESTS_DECIDE_BENCH_H
#define ADIT_TESTS_DECIDE_BENCH_H

#include <cjson/cJSON.h>
#include <stdio.h>

#include "adit/arena.h"
#include "adit/crypto.h"
#include "adit/decide.h"
#include "adit/json.h"
#include "adit/text.h"
#include "unit.h"

static const int64_t NOW_MS = 1767225600000; /* 2026-01-01 */
static const int64_t HOUR_MS = 3600 * 1000;
static const int64_t DAY_MS = 24 * 3600 * 1000;

static const struct sticky_key KEYS[] = {
    {STR_INIT("new"), STR_INIT("0123456789abcdef0123456789abcdef")},
    {STR_INIT("old"), STR_INIT("fedcba9876543210fedcba9876543210")},
};

struct bench {
  struct arena *arena;
  struct diags *diags;
  struct json_doc *attributes_doc;
  struct attr_catalog *catalog;
  struct route *route;
  struct decider *decider;
  unsigned randoms; /* how often randomness was asked for */
  bool random_fails;
};

static const char ATTRIBUTES[] =
    "{\"region\": {\"type\": \"string\", \"from\": [{\"header\": \"X-Region\"}]},"
    " \"user.id\": {\"type\": \"string\", \"from\": [{\"header\": \"X-User-Id\"}]},"
    " \"born\": {\"type\": \"time\", \"from\": [{\"header\": \"X-Born\"}]},"
    " \"tags\": {\"type\": \"list\", \"from\": [{\"header\": \"X-Tags\"}]},"
    " \"phone\": {\"type\": \"string\","
    "   \"from\": [{\"query\": \"d\", \"regex\": \"^[a-z]+$\", \"trust\": \"anyone\"}]}}";

static inline void require_none(struct diags *diags, const char *what) {
  struct text text;
  text_init(&text, 1 << 16);
  diags_format(diags, &text);
  ck_assert_msg(diags_size(diags) == 0, "%s: %s", what, text.p ? text.p : "");
  text_deinit(&text);
}

/* A route "shop" of v1, canary and second with `members` in its file beside the usual ones. */
static inline void bench_init(struct bench *bench, const char *members) {
  *bench = (struct bench){.arena = arena_new(1 << 20), .diags = diags_new()};
  bench->attributes_doc =
      json_parse(str_from_cstr(ATTRIBUTES), "attributes", JSON_STRICT, bench->diags);
  bench->catalog = attr_catalog_new(ATTR_SCOPE_GATEWAY, NULL);
  ck_assert(attr_catalog_declare(bench->catalog, bench->attributes_doc,
                                 json_root(bench->attributes_doc), bench->diags));
  struct text text;
  text_init(&text, 1 << 16);
  text_printf(&text,
              "{\"route\": \"shop\", \"match\": {\"hosts\": [\"shop.example.com\"]},"
              " \"variants\": {\"v1\": \"a\", \"canary\": \"b\", \"second\": \"c\"},"
              " \"stable\": \"v1\", \"canaries\": [\"canary\", \"second\"]%s%s}",
              members[0] ? ", " : "", members);
  struct json_doc *doc = json_parse(text_str(&text), "shop.json", JSON_EDITABLE, bench->diags);
  static const char *const upstreams[] = {"a", "b", "c", NULL};
  const struct rules_environment environment = {
      .catalog = bench->catalog, .upstreams = upstreams, .directory = "."};
  bench->route = doc ? route_compile(doc, &environment, bench->diags) : NULL;
  require_none(bench->diags, members);
  ck_assert_ptr_nonnull(bench->route);
  json_free(&doc);
  text_deinit(&text);
  struct route *routes[] = {bench->route};
  struct router *router = router_new(bench->arena, routes, 1);
  bench->decider = decider_new(router, KEYS, 2);
  ck_assert_ptr_nonnull(bench->decider);
}

static inline void bench_deinit(struct bench *bench) {
  decider_free(&bench->decider);
  route_unref(&bench->route);
  attr_catalog_unref(&bench->catalog);
  json_free(&bench->attributes_doc);
  diags_free(&bench->diags);
  arena_free(&bench->arena);
}

/* The n-th call fills with the byte n. */
static inline bool counted_random(void *context, void *ret, size_t n) {
  struct bench *bench = context;
  bench->randoms++;
  if (bench->random_fails) return false;
  memset(ret, (int)bench->randoms, n);
  return true;
}

static inline struct decide_request request_of(const struct http_field *fields, size_t n) {
  struct decide_request request = {0};
  request.attr = (struct attr_request){.method = STR_INIT("GET"),
                                       .scheme = STR_INIT("http"),
                                       .host = STR_INIT("shop.example.com"),
                                       .path = STR_INIT("/"),
                                       .trusted = true,
                                       .now_ms = NOW_MS,
                                       .fields = fields,
                                       .field_count = n};
  ck_assert(ip_parse(STR("203.0.113.7"), &request.attr.client_ip));
  return request;
}

static inline struct http_field field(const char *name, struct str value) {
  struct str text = str_from_cstr(name);
  return (struct http_field){.name = text, .value = value, .id = http_field_id(text)};
}

static inline struct str variant_of(const struct decision *decision) {
  return decision->route->variants[decision->variant].name;
}

static inline struct str rule_of(const struct decision *decision) {
  return decision->rule ? decision->rule->id : STR("-");
}

static inline struct str id_key(uint8_t byte, char *buffer) {
  uint8_t id[ANONYMOUS_ID_BYTES];
  memset(id, byte, sizeof(id));
  return str_make(buffer, base64url_encode(str_make((const char *)id, sizeof(id)), buffer));
}

#endif
