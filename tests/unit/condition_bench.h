/*
 * condition_bench: conditions from text, requests from lines, for the tests of conditions.
 *
 * In conditions ' stands for ". A request is lines: "Name: value" is a header field; ":path /x",
 * ":host", ":query", ":method", ":scheme", ":ip", ":now" (RFC 3339) set what their names say, and
 * ":untrusted" takes the trusted proxy away. "*N" at the end of a value stands for N bytes of 'x'.
 */
#ifndef ADIT_TESTS_CONDITION_BENCH_H
#define ADIT_TESTS_CONDITION_BENCH_H

#include <cjson/cJSON.h>
#include <stdio.h>

#include "adit/arena.h"
#include "adit/json.h"
#include "adit/rules.h"
#include "adit/text.h"
#include "adit/units.h"
#include "rules/literal.h"
#include "unit.h"

#define COUNT(array) (sizeof(array) / sizeof(*(array)))

enum { BENCH_FIELDS = 64, BENCH_RULES = 8, BENCH_ARENA_BYTES = 64 << 20 };

static const char bench_attributes[] =
    "{ 'region': { 'type': 'string', 'from': [{ 'header': 'X-Region' }] },"
    "  'user.id': { 'type': 'string', 'from': [{ 'header': 'X-User-Id' }] },"
    "  'joined': { 'type': 'time', 'from': [{ 'header': 'X-Joined', 'trust': 'anyone' }] },"
    "  'app': { 'type': 'version', 'from': [{ 'header': 'X-App', 'trust': 'anyone' }] },"
    "  'lib': { 'type': 'semver', 'from': [{ 'header': 'X-Lib', 'trust': 'anyone' }] },"
    "  'score': { 'type': 'number', 'from': [{ 'header': 'X-Score', 'trust': 'anyone' }] },"
    "  'beta': { 'type': 'bool', 'from': [{ 'header': 'X-Beta', 'trust': 'anyone' }] },"
    "  'peer': { 'type': 'ip', 'from': [{ 'header': 'X-Peer', 'trust': 'anyone' }] },"
    "  'langs': { 'type': 'list', 'from': [{ 'header': 'X-Langs', 'trust': 'anyone' }] },"
    "  'part': { 'type': 'string',"
    "            'from': [{ 'header': 'X-Part', 'regex': 'p=([a-z]+)', 'trust': 'anyone' }] } }";

struct bench {
  struct arena *arena;
  struct diags *diags;
  struct attr_catalog *catalog;
  struct attr_table *table;
  struct attr_reader *reader;
  struct json_doc *docs[16];
  size_t doc_count;
  struct segment_source file_segments, gateway_segments;
  const char *directory;
  struct condition_compiler compiler; /* of the last bench_begin_file */
  struct rule rules[BENCH_RULES];
  struct route route;
  struct http_field fields[BENCH_FIELDS];
  struct attr_request request;
};

/* A document of the bench: ' becomes ". */
static inline const struct json_doc *bench_parse(struct bench *bench, const char *json) {
  struct str text = arena_dup(bench->arena, str_from_cstr(json));
  char *bytes = arena_alloc(bench->arena, text.n + 1);
  for (size_t i = 0; i < text.n; i++) bytes[i] = text.p[i] == '\'' ? '"' : text.p[i];
  struct json_doc *doc = json_parse(str_make(bytes, text.n), "t", JSON_EDITABLE, bench->diags);
  ck_assert_msg(doc != NULL, "not JSON: %s", json);
  ck_assert(bench->doc_count < COUNT(bench->docs));
  bench->docs[bench->doc_count++] = doc;
  return doc;
}

/* Forgets conditions, segments, documents and diagnostics. */
static inline void bench_begin(struct bench *bench) {
  while (bench->doc_count > 0) json_free(&bench->docs[--bench->doc_count]);
  diags_free(&bench->diags);
  bench->diags = diags_new();
  arena_reset(bench->arena);
  bench->table = attr_table_new(bench->arena, bench->catalog);
  ck_assert_ptr_nonnull(bench->table);
  bench->file_segments = bench->gateway_segments = (struct segment_source){0};
  bench->route = (struct route){.table = bench->table, .rules = bench->rules};
  bench->compiler = (struct condition_compiler){0};
}

static inline void bench_init(struct bench *bench) {
  *bench = (struct bench){.directory = "."};
  bench->arena = arena_new(BENCH_ARENA_BYTES);
  bench->diags = diags_new();
  bench->reader = attr_reader_new();
  bench->catalog = attr_catalog_new(ATTR_SCOPE_GATEWAY, NULL);
  const struct json_doc *doc = bench_parse(bench, bench_attributes);
  ck_assert(attr_catalog_declare(bench->catalog, doc, json_root(doc), bench->diags));
  bench_begin(bench);
}

static inline void bench_deinit(struct bench *bench) {
  while (bench->doc_count > 0) json_free(&bench->docs[--bench->doc_count]);
  attr_reader_free(&bench->reader);
  arena_free(&bench->arena);
  attr_catalog_unref(&bench->catalog);
  diags_free(&bench->diags);
}

static inline void bench_segments(struct bench *bench, const char *file, const char *gateway) {
  if (file) {
    const struct json_doc *doc = bench_parse(bench, file);
    bench->file_segments = (struct segment_source){doc, json_root(doc), bench->directory};
  }
  if (gateway) {
    const struct json_doc *doc = bench_parse(bench, gateway);
    bench->gateway_segments = (struct segment_source){doc, json_root(doc), bench->directory};
  }
}

/* The compiler of the file; salt "shop". */
static inline struct condition_compiler *bench_compiler(struct bench *bench) {
  if (bench->compiler.arena) return &bench->compiler;
  bench->compiler = (struct condition_compiler){
      .arena = bench->arena,
      .table = bench->table,
      .catalog = bench->catalog,
      .file_segments = bench->file_segments,
      .gateway_segments = bench->gateway_segments,
      .directory = bench->directory,
      .salt = STR("shop"),
      .diags = bench->diags,
  };
  return &bench->compiler;
}

/* Compiles it as the condition of rule 'r'. NULL: it has mistakes. */
static inline const struct condition *bench_compile(struct bench *bench, const char *when) {
  struct condition_compiler *compiler = bench_compiler(bench);
  compiler->doc = bench_parse(bench, when);
  return condition_compile(compiler, json_root(compiler->doc), NULL, "rule 'r'");
}

/* Adds a rule with the condition (NULL: none) behind the others. */
static inline void bench_rule(struct bench *bench, const char *when) {
  struct rule *rule = &bench->rules[bench->route.rule_count++];
  *rule = (struct rule){.id = STR("r")};
  if (!when) return;
  rule->when = bench_compile(bench, when);
  struct text text;
  text_init(&text, 4096);
  diags_format(bench->diags, &text);
  ck_assert_msg(rule->when != NULL, "%s: %s", when, text.p ? text.p : "");
  text_deinit(&text);
}

static inline struct str bench_value(struct bench *bench, struct str value) {
  size_t star = str_find_char(value, '*', 0);
  uint64_t n;
  if (star == value.n || !str_to_u64(str_skip(value, star + 1), 100000, &n)) return value;
  char *bytes = arena_alloc(bench->arena, star + n + 1);
  memcpy(bytes, value.p, star);
  memset(bytes + star, 'x', n);
  return str_make(bytes, star + n);
}

static inline void bench_set(struct bench *bench, struct str name, struct str value) {
  struct attr_request *request = &bench->request;
  if (str_eq(name, STR(":path"))) {
    request->path = value;
  } else if (str_eq(name, STR(":host"))) {
    request->host = value;
  } else if (str_eq(name, STR(":query"))) {
    request->query = value;
  } else if (str_eq(name, STR(":method"))) {
    request->method = value;
  } else if (str_eq(name, STR(":scheme"))) {
    request->scheme = value;
  } else if (str_eq(name, STR(":untrusted"))) {
    request->trusted = false;
  } else if (str_eq(name, STR(":ip"))) {
    ck_assert(ip_parse(value, &request->client_ip));
  } else {
    ck_assert_msg(str_eq(name, STR(":now")), "%.*s", STR_ARG(name));
    ck_assert(time_parse(value, &request->now_ms));
  }
}

/* Begins a request: 2026-11-22T10:00:00Z, GET http://shop.example.com/ from 127.0.0.1 unless the
 * lines say otherwise. */
static inline void bench_request(struct bench *bench, const char *lines) {
  bench->request = (struct attr_request){.method = STR("GET"),
                                         .scheme = STR("http"),
                                         .host = STR("shop.example.com"),
                                         .path = STR("/"),
                                         .trusted = true,
                                         .now_ms = INT64_C(1795341600000),
                                         .fields = bench->fields};
  ck_assert(ip_parse(STR("127.0.0.1"), &bench->request.client_ip));
  struct str rest = str_from_cstr(lines), line;
  while (lines[0] != '\0' && str_split_next(&rest, '\n', &line)) {
    bool is_field = !str_starts_with(line, STR(":"));
    size_t end = str_find_char(line, is_field ? ':' : ' ', 0);
    struct str name = str_take(line, end);
    struct str value = bench_value(bench, str_trim(str_skip(line, end + 1)));
    if (!is_field) {
      bench_set(bench, name, value);
      continue;
    }
    ck_assert(bench->request.field_count < BENCH_FIELDS);
    bench->fields[bench->request.field_count++] =
        (struct http_field){.name = name, .value = value, .id = http_field_id(name)};
  }
  attr_reader_begin(bench->reader, bench->table, &bench->request);
}

/* What rule 0 says to a request, asked with a trace: "matched", "unmatched", "unknown", "limit". */
static inline const char *bench_ask(struct bench *bench, const char *lines) {
  struct rules_trace trace;
  bench_request(bench, lines);
  struct rules_outcome outcome = rules_eval(&bench->route, bench->reader, &trace, bench->arena);
  ck_assert_uint_eq(trace.rule_count, bench->route.rule_count);
  if (outcome.limit) return "limit";
  return rule_result_name(trace.rules[0].result);
}

#endif
