/*
 * random_rules: rule files and requests that chance made, from few values so that they meet; and
 * whether a route's index decides as its rules in order do. For test_rules_index.c and
 * fuzz_rules_index.c, which bring their own chance. In JSON texts ' stands for ".
 */
#ifndef ADIT_TESTS_RANDOM_RULES_H
#define ADIT_TESTS_RANDOM_RULES_H

#include <stdlib.h>

#include "adit/arena.h"
#include "adit/json.h"
#include "adit/rules.h"
#include "adit/text.h"
#include "rules/index.h"

/* ---- chance ---------------------------------------------------------------------------------- */

struct chance {
  uint64_t state;     /* xorshift64*: the same numbers on every machine … */
  struct str choices; /* … or, where p is not NULL, a byte each, and then zeros */
};

static inline unsigned chance_below(struct chance *chance, unsigned n) {
  if (chance->choices.p) {
    if (chance->choices.n == 0) return 0;
    unsigned byte = (unsigned char)chance->choices.p[0];
    chance->choices = str_skip(chance->choices, 1);
    return byte % n;
  }
  chance->state ^= chance->state >> 12;
  chance->state ^= chance->state << 25;
  chance->state ^= chance->state >> 27;
  return (unsigned)((chance->state * UINT64_C(2685821657736338717)) >> 40) % n;
}

#define CHANCE_OF(chance, array) ((array)[chance_below((chance), sizeof(array) / sizeof(*(array)))])

/* ---- rules ----------------------------------------------------------------------------------- */

static const char random_attributes[] =
    "{'region': {'type': 'string', 'from': [{'header': 'X-Region'}]},"
    " 'user': {'type': 'number', 'from': [{'header': 'X-User'}]},"
    " 'score': {'type': 'number', 'from': [{'header': 'X-Score'}]},"
    " 'joined': {'type': 'time', 'from': [{'header': 'X-Joined'}]},"
    " 'app': {'type': 'version', 'from': [{'header': 'X-App'}]},"
    " 'lib': {'type': 'semver', 'from': [{'header': 'X-Lib'}]},"
    " 'beta': {'type': 'bool', 'from': [{'header': 'X-Beta'}]},"
    " 'peer': {'type': 'ip', 'from': [{'header': 'X-Peer'}]},"
    " 'langs': {'type': 'list', 'from': [{'header': 'X-Langs'}]},"
    " 'part': {'type': 'string',"
    "          'from': [{'header': 'X-Part', 'regex': 'p=([a-z]+)', 'trust': 'anyone'}]},"
    " 'build': {'type': 'number',"
    "           'from': [{'header': 'X-Part', 'regex': 'n=([0-9]+)', 'trust': 'anyone'}]},"
    " 'key': {'type': 'string',"
    "         'from': [{'header': 'X-Key', 'regex': '.*', 'trust': 'anyone'}]}}";

static const char *const random_texts[] = {"''",  "'a'",  "'ab'", "'abc'", "'abd'",    "'b'",
                                           "'A'", "'Ab'", "'@'",  "'a@'",  "'\\u00e9'"};
static const char *const random_paths[] = {"'/'", "'/a'", "'/a/'", "'/a/b'", "'/ab'", "'/a/b/c'"};
static const char *const random_numbers[] = {"-1", "0", "-0", "1", "1.5", "2", "1e2"};
static const char *const random_times[] = {"'2026-01-01'", "'2026-02-01'", "'2026-02-01T08:00:00Z'",
                                           "1767225600", "'2027-01-01'"};
static const char *const random_ages[] = {"'1h'", "'1d'", "'30d'", "'31d'", "'365d'"};
static const char *const random_versions[] = {"'1'",    "'1.0'", "'1.2'",
                                              "'1.10'", "'2'",   "'v1.2-rc.1'"};
static const char *const random_semvers[] = {"'1.0.0'", "'1.2.0'", "'1.10.0'", "'1.2.0-rc.1'",
                                             "'1.2.0+b'"};
static const char *const random_flags[] = {"true", "false"};
static const char *const random_addresses[] = {"'10.0.0.1'", "'10.1.0.1'", "'::1'",
                                               "'2001:db8::1'"};
static const char *const random_networks[] = {"'10.0.0.0/8'",   "'10.1.0.0/16'", "'10.0.0.1'",
                                              "'0.0.0.0/0'",    "'::/0'",        "'2001:db8::/32'",
                                              "'::ffff:0:0/96'"};
static const char *const random_patterns[] = {"'a'", "'^b'", "'x{3}b'", "'^$'"};

/* The operators of a kind of attributes, and the values that they take. */
struct random_kind {
  const char *const *values;
  size_t value_count;
  const char *one[8];  /* operators that take one value, NULL at the end */
  const char *list[8]; /* operators that take a list */
};

#define VALUES(array) (array), sizeof(array) / sizeof(*(array))
#define ORDER_OPERATORS                     \
  {"eq", "ne", "gt", "gte", "lt", "lte"}, { \
    "in", "not_in", "between"               \
  }

static const struct random_kind kind_text = {VALUES(random_texts),
                                             {"eq", "ne", "starts_with", "ends_with", "contains"},
                                             {"in", "not_in", "starts_with", "contains"}};
static const struct random_kind kind_path = {
    VALUES(random_paths), {"eq", "under", "starts_with"}, {"in", "under", "starts_with", "not_in"}};
static const struct random_kind kind_number = {VALUES(random_numbers), ORDER_OPERATORS};
static const struct random_kind kind_time = {VALUES(random_times), ORDER_OPERATORS};
static const struct random_kind kind_age = {VALUES(random_ages), ORDER_OPERATORS};
static const struct random_kind kind_version = {VALUES(random_versions), ORDER_OPERATORS};
static const struct random_kind kind_semver = {VALUES(random_semvers), ORDER_OPERATORS};
static const struct random_kind kind_flag = {VALUES(random_flags), {"eq", "ne"}, {"in"}};
static const struct random_kind kind_address = {
    VALUES(random_addresses), {"eq", "ne"}, {"in", "not_in"}};
static const struct random_kind kind_network = {VALUES(random_networks), {"in_cidr"}, {"in_cidr"}};
static const struct random_kind kind_pattern = {VALUES(random_patterns), {"matches"}, {"matches"}};

static const struct {
  const char *name;
  const struct random_kind *kind;
} random_leaves[] = {
    {"region", &kind_text},     {"region", &kind_pattern},     {"langs", &kind_text},
    {"cookie.c", &kind_text},   {"query.q", &kind_text},       {"header.x-b", &kind_text},
    {"part", &kind_text},       {"build", &kind_number},       {"header.x-a", &kind_pattern},
    {"path", &kind_path},       {"score", &kind_number},       {"joined", &kind_time},
    {"now", &kind_time},        {"joined.age", &kind_age},     {"app", &kind_version},
    {"lib", &kind_semver},      {"beta", &kind_flag},          {"peer", &kind_address},
    {"peer", &kind_network},    {"client_ip", &kind_network},  {"client_ip", &kind_address},
    {"header.x-c", &kind_text}, {"header.x-c", &kind_pattern}, {"region", &kind_text},
};

static inline size_t count_names(const char *const *names) {
  size_t n = 0;
  while (names[n]) n++;
  return n;
}

static inline void add_values(struct chance *chance, const struct random_kind *kind, const char *op,
                              struct text *out) {
  bool is_pair = strcmp(op, "between") == 0; /* the first and the last, which are in order */
  size_t n = is_pair ? 2 : 1 + chance_below(chance, 3), last = kind->value_count - 1;
  text_add_char(out, '[');
  for (size_t i = 0; i < n; i++) {
    size_t at = is_pair ? i * last : chance_below(chance, (unsigned)kind->value_count);
    text_printf(out, "%s%s", i ? ", " : "", kind->values[at]);
  }
  text_add_char(out, ']');
}

static inline void add_leaf(struct chance *chance, struct text *out) {
  size_t which = chance_below(chance, sizeof(random_leaves) / sizeof(*random_leaves));
  const struct random_kind *kind = random_leaves[which].kind;
  bool is_list = chance_below(chance, 3) == 0;
  const char *const *ops = is_list ? kind->list : kind->one;
  text_printf(out, "'%s': {", random_leaves[which].name);
  if (chance_below(chance, 24) == 0) {
    text_printf(out, "'exists': %s}", CHANCE_OF(chance, random_flags));
    return;
  }
  const char *op = ops[chance_below(chance, (unsigned)count_names(ops))];
  text_printf(out, "'%s': ", op);
  if (is_list) {
    add_values(chance, kind, op, out);
  } else {
    text_add(out, str_from_cstr(kind->values[chance_below(chance, (unsigned)kind->value_count)]));
  }
  if (chance_below(chance, 8) == 0) {
    text_printf(out, ", 'missing': %s", CHANCE_OF(chance, random_flags));
  }
  bool takes_case = strchr(op, '_') ? strcmp(op, "starts_with") == 0 || strcmp(op, "ends_with") == 0
                                    : strcmp(op, "contains") == 0 || strcmp(op, "matches") == 0;
  if (takes_case && chance_below(chance, 3) == 0) text_add(out, STR(", 'ignore_case': true"));
  text_add_char(out, '}');
}

static inline void add_member(struct chance *chance, unsigned depth, struct text *out);

static inline void add_list(struct chance *chance, const char *key, unsigned depth,
                            struct text *out) {
  unsigned n = 1 + chance_below(chance, 3);
  text_printf(out, "'%s': [", key);
  for (unsigned i = 0; i < n; i++) {
    text_add(out, i == 0 ? STR("{") : STR(", {"));
    add_member(chance, depth - 1, out);
    text_add_char(out, '}');
  }
  text_add_char(out, ']');
}

static inline void add_member(struct chance *chance, unsigned depth, struct text *out) {
  unsigned kind = depth == 0 ? 9 : chance_below(chance, 10);
  if (kind == 0) {
    text_add(out, STR("'not': {"));
    add_member(chance, depth - 1, out);
    text_add_char(out, '}');
  } else if (kind <= 2) {
    add_list(chance, "any", depth, out);
  } else if (kind <= 5) {
    add_list(chance, "all", depth, out);
  } else if (kind == 6) {
    text_printf(out, "'segment': 's%u'", chance_below(chance, 3));
  } else {
    add_leaf(chance, out);
  }
}

static inline void add_condition(struct chance *chance, unsigned depth, struct text *out) {
  text_add(out, STR("{'all': [{"));
  add_member(chance, depth, out);
  for (unsigned n = 1 + chance_below(chance, 4); n > 0; n--) {
    text_add(out, STR("}, {"));
    add_member(chance, depth, out);
  }
  text_add(out, STR("}]}"));
}

/* A whole rule file of n rules and three segments, the last of which has a segment in it. */
static inline void random_rule_file(struct chance *chance, size_t n, struct text *out) {
  text_add(out, STR("{'route': 'r', 'variants': {'v1': 'v1', 'canary': 'canary'},"
                    " 'sticky': {'by': ['key']}, 'segments': {"));
  for (unsigned i = 0; i < 3; i++) {
    text_printf(out, "%s's%u': {", i ? ", " : "", i);
    if (i == 2) text_add(out, STR("'segment': 's1', "));
    add_leaf(chance, out);
    text_add_char(out, '}');
  }
  text_add(out, STR("}, 'rules': ["));
  for (size_t i = 0; i < n; i++) {
    text_printf(out, "%s\n{'id': 'r%zu', 'to': 'canary', 'when': ", i ? "," : "", i);
    add_condition(chance, 2, out);
    text_add_char(out, '}');
  }
  text_add(out, STR("]}"));
  for (size_t i = 0; i < out->n; i++) {
    if (out->p[i] == '\'') out->p[i] = '"';
  }
}

/* ---- compiling ------------------------------------------------------------------------------- */

struct random_environment {
  struct attr_catalog *catalog;
  const char *upstreams[3];
};

static inline bool random_environment_init(struct random_environment *environment) {
  char json[sizeof(random_attributes)];
  memcpy(json, random_attributes, sizeof(json));
  for (char *p = json; *p; p++) {
    if (*p == '\'') *p = '"';
  }
  *environment = (struct random_environment){.upstreams = {"v1", "canary", NULL}};
  environment->catalog = attr_catalog_new(ATTR_SCOPE_GATEWAY, NULL);
  struct diags *diags = diags_new();
  struct json_doc *doc = json_parse(str_from_cstr(json), "attributes", JSON_STRICT, diags);
  bool ok = doc && environment->catalog &&
            attr_catalog_declare(environment->catalog, doc, json_root(doc), diags);
  json_free(&doc);
  diags_free(&diags);
  return ok;
}

/* NULL: it has mistakes, which are in `said`. */
static inline struct route *random_compile(const struct random_environment *environment,
                                           struct str file, struct text *said) {
  const struct rules_environment given = {
      .catalog = environment->catalog, .upstreams = environment->upstreams, .directory = "."};
  struct diags *diags = diags_new();
  struct json_doc *doc = json_parse(file, "r.json", JSON_STRICT, diags);
  struct route *route = doc ? route_compile(doc, &given, diags) : NULL;
  diags_format(diags, said);
  json_free(&doc);
  diags_free(&diags);
  return route;
}

/* ---- requests -------------------------------------------------------------------------------- */

enum { RANDOM_FIELDS_MAX = 48, RANDOM_LONG_BYTES = 2100 };

struct random_request {
  struct attr_request attr;
  struct http_field fields[RANDOM_FIELDS_MAX];
  char xs[RANDOM_LONG_BYTES];
};

static inline void add_field(struct random_request *request, const char *name, struct str value) {
  if (request->attr.field_count == RANDOM_FIELDS_MAX) return;
  struct str text = str_from_cstr(name);
  request->fields[request->attr.field_count++] =
      (struct http_field){.name = text, .value = value, .id = http_field_id(text)};
}

/* A field with one of the values, or mostly. */
static inline void add_some(struct chance *chance, struct random_request *request, const char *name,
                            const char *const *values, size_t n) {
  if (chance_below(chance, 4) == 0) return;
  add_field(request, name, str_from_cstr(values[chance_below(chance, (unsigned)n)]));
}

#define ADD_SOME(chance, request, name, ...)                                   \
  do {                                                                         \
    static const char *const some[] = {__VA_ARGS__};                           \
    add_some((chance), (request), (name), some, sizeof(some) / sizeof(*some)); \
  } while (0)

static inline void add_long(struct chance *chance, struct random_request *request, const char *name,
                            unsigned most) {
  size_t n = chance_below(chance, 256) * RANDOM_LONG_BYTES / 255;
  for (unsigned i = chance_below(chance, most + 1); i > 0; i--) {
    add_field(request, name, str_make(request->xs, n));
  }
}

/* The request views itself. */
static inline void random_request(struct chance *chance, struct random_request *request) {
  static const char *const paths[] = {"/", "/a", "/a/b", "/ab", "/a/bc", "/b", "*", "/a/b/c/d"};
  static const char *const queries[] = {"q=a", "q=ab&q=b", "q=", "r=1", "q=%41b"};
  static const char *const ips[] = {"10.0.0.1", "10.1.0.1", "::1", "2001:db8::1", "192.0.2.1"};
  static const int64_t times_ms[] = {1767225600000, 1769904000000, 1769932800000, 1798761600000,
                                     1769904000001};
  *request = (struct random_request){0};
  memset(request->xs, 'x', sizeof(request->xs));
  request->attr = (struct attr_request){.method = STR("GET"),
                                        .scheme = STR("http"),
                                        .host = STR("h"),
                                        .trusted = chance_below(chance, 8) > 0,
                                        .fields = request->fields};
  request->attr.path = str_from_cstr(CHANCE_OF(chance, paths));
  request->attr.query = str_from_cstr(CHANCE_OF(chance, queries));
  request->attr.now_ms = CHANCE_OF(chance, times_ms);
  if (!ip_parse(str_from_cstr(CHANCE_OF(chance, ips)), &request->attr.client_ip)) abort();
  ADD_SOME(chance, request, "X-Region", "", "a", "ab", "abc", "b", "A", "AB", "a\xff\xff", "aA",
           "[");
  ADD_SOME(chance, request, "X-Score", "-1", "0", "1", "1.5", "1.7", "2", "100", "1000", "none");
  ADD_SOME(chance, request, "X-Joined", "2026-01-01", "1769904000", "2026-02-01T08:00:00.001Z",
           "2025-01-01", "2028-01-01", "soon");
  ADD_SOME(chance, request, "X-App", "1", "1.2", "1.2.0-rc.1", "1.3", "1.10", "2.0.0", "0", "one");
  ADD_SOME(chance, request, "X-Lib", "1.0.0", "1.2.0-rc.1", "1.2.0", "1.9.9", "2.0.0", "1");
  ADD_SOME(chance, request, "X-Beta", "true", "false", "yes");
  ADD_SOME(chance, request, "X-Peer", "10.0.0.1", "10.1.0.1", "::1", "2001:db8::2", "192.0.2.1",
           "x");
  ADD_SOME(chance, request, "X-Langs", "a, b", "ab,,abc", ",", "A", "abd , @");
  ADD_SOME(chance, request, "Cookie", "c=a", "c=ab; c=b", "d=1", "c=", "c=abcd");
  for (unsigned i = chance_below(chance, 3); i > 0; i--) {
    ADD_SOME(chance, request, "X-B", "a", "ab", "abc", "b", "B", "aB", "a@b");
  }
  ADD_SOME(chance, request, "X-C", "a", "xxxb", "b", "\xc3\xa9");
  ADD_SOME(chance, request, "X-Part", "p=a", "p=ab n=1", "n=2", "n=0 p=abc", "q");
  if (chance_below(chance, 8) == 0) add_long(chance, request, "X-Part", 1);
  add_long(chance, request, "X-Key", 3);
  if (chance_below(chance, 3) > 0) add_long(chance, request, "X-A", 20);
}

/* ---- asking ---------------------------------------------------------------------------------- */

/* What can be told of an evaluation. */
struct random_outcome {
  struct rules_outcome rules;
  bool time_was_read;
  enum attr_state key; /* whether enough of the budget is left to read a draw's key */
};

static inline struct random_outcome random_ask(const struct route *route,
                                               const struct random_request *request,
                                               struct attr_reader *reader,
                                               struct rules_trace *trace, struct arena *arena) {
  attr_reader_begin(reader, route->table, &request->attr);
  struct random_outcome outcome = {.rules = rules_eval(route, reader, trace, arena)};
  outcome.time_was_read = attr_reader_time_was_read(reader);
  if (!trace && route->sticky.by_count > 0) {
    outcome.key = attr_read(reader, route->sticky.by[0])->state;
  }
  return outcome;
}

static inline bool random_outcomes_agree(const struct random_outcome *a,
                                         const struct random_outcome *b) {
  return a->rules.rule == b->rules.rule && a->rules.limit == b->rules.limit &&
         a->time_was_read == b->time_was_read && a->key == b->key;
}

/* Whether the route decides the same with and without its index, and when it explains. */
static inline bool random_index_agrees(const struct route *route,
                                       const struct random_request *request,
                                       struct attr_reader *reader, struct arena *arena,
                                       struct random_outcome *ret) {
  struct route unindexed = *route;
  struct rules_trace trace;
  unindexed.index = NULL;
  struct random_outcome plain = random_ask(&unindexed, request, reader, NULL, NULL);
  struct random_outcome traced = random_ask(route, request, reader, &trace, arena);
  *ret = random_ask(route, request, reader, NULL, NULL);
  traced.key = plain.key;
  return random_outcomes_agree(ret, &plain) && random_outcomes_agree(&traced, &plain);
}

/* How many rules the index would have asked if none of them matched. */
static inline size_t random_count_candidates(const struct route *route,
                                             const struct random_request *request,
                                             struct attr_reader *reader) {
  struct rule_walk walk;
  size_t n = 0;
  attr_reader_begin(reader, route->table, &request->attr);
  rule_walk_begin(&walk, route->index);
  while (rule_walk_next(&walk, reader) < route->rule_count) n++;
  return n;
}

#endif
