/*
 * Asking rules: their order, limits, the trace; and random conditions against a reference that
 * tries every way in which limits could have gone.
 */
#include "condition_bench.h"

/* ---- order and outcome ----------------------------------------------------------------------- */

START_TEST(the_first_rule_that_matches_ends_it)
{
  static const struct {
    const char *rules[4]; /* "": without `when` */
    const char *request;
    int decided; /* -1: none */
    bool limit;
    const char *results;
  } cases[] = {
      {{"{ 'region': 'a' }", "{ 'region': 'b' }", ""}, "X-Region: a", 0, false, "m--"},
      {{"{ 'region': 'a' }", "{ 'region': 'b' }", ""}, "X-Region: b", 1, false, "fm-"},
      {{"{ 'region': 'a' }", "{ 'region': 'b' }", ""}, "X-Region: c", 2, false, "ffm"},
      {{"{ 'region': 'a' }", "{ 'region': 'b' }", ""}, "", 2, false, "uum"},
      {{"{ 'region': 'a' }", "{ 'region': 'b' }"}, "", -1, false, "uu"},
      {{"{ 'region': 'a' }", "{ 'region': 'b' }"}, "X-Region: c", -1, false, "ff"},
      /* A limit ends it, whatever `missing` says and whatever comes later. */
      {{"{ 'region': 'a' }", "{ 'region': { 'matches': 'b' } }", ""},
       "X-Region: *2049",
       1,
       true,
       "fu-"},
      {{"{ 'region': { 'matches': 'b', 'missing': false } }", ""},
       "X-Region: *2049",
       0,
       true,
       "u-"},
      /* A limit that cannot change the result is none. */
      {{"{ 'region': { 'matches': 'b' }, 'method': 'PUT' }", ""},
       "X-Region: *2049",
       1,
       false,
       "fm"},
      {{"{ 'any': [{ 'region': { 'matches': 'b' } }, { 'method': 'GET' }] }", ""},
       "X-Region: *2049",
       0,
       false,
       "m-"},
      {{"{ 'region': { 'matches': 'b' }, 'user.id': 'a' }", ""}, "X-Region: *2049", 1, false, "um"},
      {{"{ 'not': { 'region': { 'matches': 'b' } } }", ""}, "X-Region: *2049", 0, true, "u-"},
      /* A subject of 2048 is within the limit. */
      {{"{ 'region': { 'matches': 'b' } }", ""}, "X-Region: *2048", 1, false, "fm"},
      /* A regex source that met a limit is neither present nor missing. */
      {{"{ 'part': { 'exists': true } }", ""}, "X-Part: *2049", 0, true, "u-"},
      {{"{ 'part': { 'exists': false } }", ""}, "X-Part: *2049", 0, true, "u-"},
      {{"{ 'part': { 'eq': 'a', 'missing': true } }", ""}, "X-Part: *2049", 0, true, "u-"},
      {{"{ 'part': 'a' }", ""}, "X-Part: p=a", 0, false, "m-"},
  };
  struct bench bench;
  bench_init(&bench);
  for (size_t i = 0; i < COUNT(cases); i++) {
    bench_begin(&bench);
    for (size_t k = 0; k < 4 && cases[i].rules[k]; k++) {
      bench_rule(&bench, cases[i].rules[k][0] != '\0' ? cases[i].rules[k] : NULL);
    }
    bench_request(&bench, cases[i].request);
    struct rules_outcome bare = rules_eval(&bench.route, bench.reader, NULL, NULL);
    struct rules_trace trace;
    bench_request(&bench, cases[i].request);
    struct rules_outcome outcome = rules_eval(&bench.route, bench.reader, &trace, bench.arena);
    ck_assert_ptr_eq(bare.rule, outcome.rule);
    ck_assert_int_eq(bare.limit, outcome.limit);
    int decided = outcome.rule ? (int)(outcome.rule - bench.rules) : -1;
    ck_assert_msg(decided == cases[i].decided && outcome.limit == cases[i].limit,
                  "case %zu: rule %d, limit %d", i, decided, outcome.limit);
    ck_assert_uint_eq(trace.rule_count, strlen(cases[i].results));
    for (size_t k = 0; k < trace.rule_count; k++) {
      static const char letters[] = {
          [RULE_SKIPPED] = '-', [RULE_UNMATCHED] = 'f', [RULE_MATCHED] = 'm', [RULE_UNKNOWN] = 'u'};
      ck_assert_ptr_eq(trace.rules[k].rule, &bench.rules[k]);
      ck_assert_msg(letters[trace.rules[k].result] == cases[i].results[k],
                    "case %zu: rule %zu is %c", i, k, letters[trace.rules[k].result]);
      if (trace.rules[k].result == RULE_SKIPPED) {
        ck_assert_uint_eq(trace.rules[k].condition_count, 0);
      }
    }
  }
  bench_deinit(&bench);
}
END_TEST

START_TEST(sixteen_values_are_matched)
{
  struct bench bench;
  bench_init(&bench);
  for (size_t n = 1; n <= 20; n++) {
    for (size_t at = 0; at <= n; at++) { /* the value that matches; at == n: none */
      char lines[512] = "";
      for (size_t i = 0; i < n; i++) {
        strcat(lines, i == at ? "X-A: yes" : "X-A: no");
        if (i + 1 < n) strcat(lines, "\n");
      }
      bench_begin(&bench);
      bench_rule(&bench, "{ 'header.x-a': { 'matches': 'yes' } }");
      const char *expected = at < 16 && at < n ? "matched" : n > 16 ? "limit" : "unmatched";
      const char *result = bench_ask(&bench, lines);
      ck_assert_msg(strcmp(result, expected) == 0, "%zu of %zu: %s", at, n, result);
    }
  }
  bench_deinit(&bench);
}
END_TEST

START_TEST(a_request_has_64_kib_of_subjects)
{
  static const char field[] = "X-A: *2000\n";
  char lines[1024] = "";
  for (int i = 0; i < 16; i++) strcat(lines, field);
  strcat(lines, "X-B: b");
  struct bench bench;
  bench_init(&bench);
  /* 16 values of 2000 bytes, twice: 64000 bytes; the third time 1536 are left. */
  bench_rule(&bench, "{ 'header.x-a': { 'matches': 'a' } }");
  bench_rule(&bench, "{ 'header.x-a': { 'matches': 'b' } }");
  bench_rule(&bench, "{ 'header.x-b': { 'matches': 'c' } }");
  bench_rule(&bench, "{ 'header.x-a': { 'matches': 'd' } }");
  bench_rule(&bench, NULL);
  struct rules_trace trace;
  for (int traced = 0; traced < 2; traced++) {
    bench_request(&bench, lines);
    struct rules_outcome outcome =
        rules_eval(&bench.route, bench.reader, traced ? &trace : NULL, bench.arena);
    ck_assert(outcome.limit);
    ck_assert_ptr_eq(outcome.rule, &bench.rules[3]);
  }
  bench_deinit(&bench);
}
END_TEST

START_TEST(the_trace_has_a_budget_of_its_own)
{
  char lines[1024] = "X-Part: p=ok\n";
  for (int i = 0; i < 16; i++) strcat(lines, "X-A: *2000\n");
  strcat(lines, "X-B: b");
  struct bench bench;
  bench_init(&bench);
  bench_rule(&bench, "{ 'header.x-a': { 'matches': 'a' } }");
  bench_rule(&bench, "{ 'header.x-a': { 'matches': 'b' } }");
  bench_rule(&bench,
             "{ 'method': 'PUT', 'header.x-a': { 'matches': '^x' }, 'part': 'ok',"
             "  'now': { 'after': '2020-01-01' } }");
  struct rules_trace trace;
  bench_request(&bench, lines);
  struct rules_outcome outcome = rules_eval(&bench.route, bench.reader, &trace, bench.arena);
  ck_assert_ptr_null(outcome.rule);
  const struct trace_rule *rule = &trace.rules[2];
  ck_assert_uint_eq(rule->condition_count, 4);
  ck_assert_int_eq(rule->result, RULE_UNMATCHED);
  ck_assert_int_eq(rule->conditions[1].result, TRISTATE_TRUE);
  ck_assert_int_eq(rule->conditions[2].result, TRISTATE_TRUE);
  ck_assert_int_eq(rule->conditions[3].result, TRISTATE_TRUE);
  /* What only the trace asked makes nothing depend on the time. */
  ck_assert(!attr_reader_time_was_read(bench.reader));
  bench_deinit(&bench);
}
END_TEST

/* A split's key is read on the request's budget, also when a trace spends another before. */
START_TEST(the_trace_does_not_make_keys_present)
{
  char lines[2048] = "X-Part: p=ok*40\nX-Region: r\n";
  for (int i = 0; i < 16; i++) strcat(lines, "X-A: *2048\n");
  strcat(lines, "X-B: b");
  for (int traced = 0; traced < 2; traced++) {
    struct bench bench;
    bench_init(&bench);
    bench_rule(&bench, "{ 'header.x-a': { 'matches': 'a' } }");
    bench_rule(&bench, "{ 'header.x-a': { 'matches': 'b' } }");
    bench_rule(&bench, "{ 'any': [{ 'method': 'GET' }, { 'part': 'ok' }] }");
    uint16_t by = attr_table_slot(bench.table, STR("part"));
    bench.rules[2].to = VARIANT_NONE;
    bench.rules[2].split.by = &by;
    bench.rules[2].split.by_count = 1;
    struct rules_trace trace;
    bench_request(&bench, lines);
    struct rules_outcome outcome =
        rules_eval(&bench.route, bench.reader, traced ? &trace : NULL, bench.arena);
    ck_assert_ptr_eq(outcome.rule, &bench.rules[2]);
    ck_assert_int_eq(attr_read(bench.reader, by)->state, ATTR_UNDECIDED);
    bench_deinit(&bench);
  }
}
END_TEST

START_TEST(reading_the_time_is_noticed)
{
  static const struct {
    const char *when, *request;
    bool read;
  } cases[] = {
      {"{ 'now': { 'after': '2026-01-01' } }", "", true},
      {"{ 'now.weekday': 'mon' }", "", true},
      {"{ 'now.time': { 'gt': '12:00' } }", "", true},
      {"{ 'method': 'PUT', 'now.time': { 'gt': '12:00' } }", "", false},
      {"{ 'joined.age': { 'gt': '1d' } }", "X-Joined: 2026-01-01", true},
      {"{ 'joined.age': { 'gt': '1d' } }", "", false},
      {"{ 'joined': { 'after': '2026-01-01' } }", "X-Joined: 2026-01-01", false},
      {"{ 'method': 'PUT', 'now': { 'after': '2026-01-01' } }", "", false},
  };
  struct bench bench;
  bench_init(&bench);
  for (size_t i = 0; i < COUNT(cases); i++) {
    bench_begin(&bench);
    bench_rule(&bench, cases[i].when);
    bench_request(&bench, cases[i].request);
    (void)rules_eval(&bench.route, bench.reader, NULL, NULL);
    ck_assert_msg(attr_reader_time_was_read(bench.reader) == cases[i].read, "%s", cases[i].when);
  }
  bench_deinit(&bench);
}
END_TEST

/* ---- the trace ------------------------------------------------------------------------------- */

/* "attribute op value = seen: result" for each condition. */
static void render(const struct trace_rule *rule, struct text *out) {
  static const char *const results[] = {
      [TRISTATE_FALSE] = "false", [TRISTATE_TRUE] = "true", [TRISTATE_UNKNOWN] = "null"};
  for (size_t i = 0; i < rule->condition_count; i++) {
    const struct trace_condition *condition = &rule->conditions[i];
    const struct attr_value *seen = condition->seen;
    text_printf(out, "%.*s %s %.*s =", STR_ARG(condition->attribute), condition->op,
                STR_ARG(condition->value_json));
    for (size_t k = 0; seen->state == ATTR_PRESENT && k < seen->n; k++) {
      text_printf(out, " %.*s", STR_ARG(seen->data[k].text));
    }
    text_printf(out, ": %s\n", results[condition->result]);
  }
}

START_TEST(the_trace_lists_every_condition)
{
  static const struct {
    const char *when, *request, *lines;
  } cases[] = {
      {"{ 'region': 'cn' }", "X-Region: us", "region eq \"cn\" = us: false\n"},
      {"{ 'region': [ 'cn' , /* c */ 'u\\u0073', ] }", "X-Region: us",
       "region in [\"cn\",\"us\"] = us: true\n"},
      {"{ 'score': { 'between': [ 1.50, 1e2 ] , 'missing': false } }", "",
       "score between [1.50,1e2] =: false\n"},
      {"{ 'joined': { 'after': 1767225600000 } }", "X-Joined: 2026-01-02",
       "joined after 1767225600000 = 2026-01-02: true\n"},
      {"{ 'beta': true, 'region': { 'exists': false } }", "",
       "beta eq true =: null\nregion exists false =: true\n"},
      {"{ 'user.id': { 'bucket_in': [0, 10], 'salt': 's' } }", "",
       "user.id bucket_in [0,10] =: null\n"},
      /* Depth first, segments opened, nothing cut short, each operator on its own. */
      {"{ 'method': 'PUT', 'segment': 'outer', 'not': { 'any': [{ 'path': '/' },"
       "  { 'host': 'h' }] }, 'all': [{ 'score': { 'gte': 1, 'lt': 3 } }] }",
       "X-Region: cn\nX-Score: 2",
       "method eq \"PUT\" = GET: false\nregion eq \"cn\" = cn: true\nscheme eq \"https\" = http: "
       "false\npath eq \"/\" = /: true\nhost eq \"h\" = shop.example.com: false\nscore gte 1 = 2: "
       "true\nscore lt 3 = 2: true\n"},
      {"{ 'any': [{ 'segment': 'inner' }, { 'segment': 'inner' }] }", "",
       "scheme eq \"https\" = http: false\nscheme eq \"https\" = http: false\n"},
      {"{ 'header.X-A': { 'ne': '\\u00e4\\n' } }", "X-A: a\nX-A: b",
       "header.x-a ne \"\xc3\xa4\\n\" = a b: true\n"},
      {"{ 'region': { 'matches': 'b' } }", "X-Region: *2049", NULL},
  };
  struct bench bench;
  struct text text;
  bench_init(&bench);
  text_init(&text, 1 << 16);
  for (size_t i = 0; i < COUNT(cases); i++) {
    bench_begin(&bench);
    bench_segments(&bench,
                   "{ 'outer': { 'region': 'cn', 'segment': 'inner' },"
                   "  'inner': { 'scheme': 'https' } }",
                   NULL);
    bench_rule(&bench, cases[i].when);
    bench_request(&bench, cases[i].request);
    struct rules_trace trace;
    (void)rules_eval(&bench.route, bench.reader, &trace, bench.arena);
    if (!cases[i].lines) {
      ck_assert_int_eq(trace.rules[0].conditions[0].result, TRISTATE_UNKNOWN);
      continue;
    }
    text_clear(&text);
    render(&trace.rules[0], &text);
    ck_assert_str_eq(text.p, cases[i].lines);
  }
  text_deinit(&text);
  bench_deinit(&bench);
}
END_TEST

START_TEST(a_trace_can_be_skipped_as_a_whole)
{
  struct bench bench;
  bench_init(&bench);
  bench_rule(&bench, "{ 'region': 'cn' }");
  bench_rule(&bench, NULL);
  struct rules_trace trace;
  rules_trace_skipped(&bench.route, &trace, bench.arena);
  ck_assert_uint_eq(trace.rule_count, 2);
  for (size_t i = 0; i < 2; i++) {
    ck_assert_ptr_eq(trace.rules[i].rule, &bench.rules[i]);
    ck_assert_int_eq(trace.rules[i].result, RULE_SKIPPED);
    ck_assert_uint_eq(trace.rules[i].condition_count, 0);
  }
  bench_deinit(&bench);
}
END_TEST

START_TEST(a_trace_without_memory_is_cut_and_decides_nothing)
{
  struct bench bench;
  bench_init(&bench);
  bench_rule(&bench, "{ 'any': [{ 'region': 'a' }, { 'region': 'b' }] }");
  bench_rule(&bench, "{ 'region': 'c', 'method': 'GET' }");
  bool whole = false;
  for (size_t limit = 0; !whole; limit += 16) {
    struct arena *arena = arena_new(limit);
    struct rules_trace trace = {.rule_count = 99};
    bench_request(&bench, "X-Region: c");
    struct rules_outcome outcome = rules_eval(&bench.route, bench.reader, &trace, arena);
    ck_assert_ptr_eq(outcome.rule, &bench.rules[1]);
    ck_assert(trace.rule_count == 0 || trace.rule_count == 2);
    whole = trace.rule_count == 2 && trace.rules[0].condition_count == 2 &&
            trace.rules[1].condition_count == 2;
    rules_trace_skipped(&bench.route, &trace, arena);
    arena_free(&arena);
    ck_assert_uint_lt(limit, 4096);
  }
  bench_deinit(&bench);
}
END_TEST

START_TEST(results_have_names)
{
  ck_assert_str_eq(rule_result_name(RULE_SKIPPED), "skipped");
  ck_assert_str_eq(rule_result_name(RULE_UNMATCHED), "unmatched");
  ck_assert_str_eq(rule_result_name(RULE_MATCHED), "matched");
  ck_assert_str_eq(rule_result_name(RULE_UNKNOWN), "unknown");
}
END_TEST

/* ---- random conditions ----------------------------------------------------------------------- */

enum value { FALSE, UNKNOWN, TRUE };

/* Leaves whose results on the request below are known. */
static const char random_request[] = "X-Region: cn\nX-Score: 5\nX-Long: *2049\nX-Part: *2049";
static const struct known {
  const char *json;
  bool can_be[3];
} known_leaves[] = {
    {"'region': 'us'", {[FALSE] = true}},
    {"'score': { 'gt': 5 }", {[FALSE] = true}},
    {"'user.id': { 'eq': 'a', 'missing': false }", {[FALSE] = true}},
    {"'user.id': 'a'", {[UNKNOWN] = true}},
    {"'langs': { 'ne': 'a' }", {[UNKNOWN] = true}},
    {"'region': 'cn'", {[TRUE] = true}},
    {"'score': [4, 5]", {[TRUE] = true}},
    {"'user.id': { 'eq': 'a', 'missing': true }", {[TRUE] = true}},
    {"'header.x-long': { 'matches': 'z' }", {[FALSE] = true, [TRUE] = true}},
    {"'part': 'a'", {true, true, true}},
    {"'part': { 'exists': true }", {[FALSE] = true, [TRUE] = true}},
};

enum node_kind { NODE_LEAF, NODE_ALL, NODE_ANY, NODE_NOT, NODE_SEGMENT };

struct node {
  enum node_kind kind;
  const struct known *leaf;
  size_t n;
  struct node *children[4];
  enum value choice; /* of a leaf, in one way that limits could have gone */
};

struct forest {
  uint64_t state;
  struct node nodes[256];
  size_t node_count;
  struct node *open[256]; /* leaves with more than one possible result */
  size_t open_count;
  struct text segments;
  size_t segment_count;
};

/* xorshift64*: the same numbers on every machine. */
static unsigned random_below(struct forest *forest, unsigned n) {
  forest->state ^= forest->state >> 12;
  forest->state ^= forest->state << 25;
  forest->state ^= forest->state >> 27;
  return (unsigned)((forest->state * UINT64_C(2685821657736338717)) >> 40) % n;
}

static struct node *grow(struct forest *forest, unsigned depth) {
  struct node *node = &forest->nodes[forest->node_count++];
  *node = (struct node){0};
  if (depth == 0 || random_below(forest, 4) == 0) {
    node->leaf = &known_leaves[random_below(forest, COUNT(known_leaves))];
    bool is_open =
        node->leaf->can_be[FALSE] + node->leaf->can_be[UNKNOWN] + node->leaf->can_be[TRUE] > 1;
    if (is_open) forest->open[forest->open_count++] = node;
    return node;
  }
  node->kind = NODE_ALL + random_below(forest, 4);
  bool is_list = node->kind == NODE_ALL || node->kind == NODE_ANY;
  node->n = is_list ? 1 + random_below(forest, 3) : 1;
  for (size_t i = 0; i < node->n; i++) node->children[i] = grow(forest, depth - 1);
  return node;
}

static void write_member(struct forest *forest, const struct node *node, struct text *out);

static void write_list(struct forest *forest, const char *key, const struct node *node,
                       struct text *out) {
  text_printf(out, "'%s': [", key);
  for (size_t i = 0; i < node->n; i++) {
    text_add(out, i == 0 ? STR("{ ") : STR(", { "));
    write_member(forest, node->children[i], out);
    text_add(out, STR(" }"));
  }
  text_add_char(out, ']');
}

static void write_segment(struct forest *forest, const struct node *node, struct text *out) {
  struct text body;
  text_init(&body, 1 << 20);
  write_member(forest, node->children[0], &body);
  size_t number = forest->segment_count++;
  text_printf(&forest->segments, "%s's%zu': { %s }", number == 0 ? "" : ", ", number, body.p);
  text_printf(out, "'segment': 's%zu'", number);
  text_deinit(&body);
}

static void write_member(struct forest *forest, const struct node *node, struct text *out) {
  switch (node->kind) {
    case NODE_LEAF:
      text_add(out, str_from_cstr(node->leaf->json));
      break;
    case NODE_ALL:
      write_list(forest, "all", node, out);
      break;
    case NODE_ANY:
      write_list(forest, "any", node, out);
      break;
    case NODE_NOT:
      text_add(out, STR("'not': { "));
      write_member(forest, node->children[0], out);
      text_add(out, STR(" }"));
      break;
    case NODE_SEGMENT:
      write_segment(forest, node, out);
      break;
  }
}

/* Three values by the book: AND is the least, OR the greatest, NOT turns around. */
static enum value reference(const struct node *node) {
  enum value least = TRUE, greatest = FALSE;
  for (size_t i = 0; i < node->n; i++) {
    enum value value = reference(node->children[i]);
    if (value < least) least = value;
    if (value > greatest) greatest = value;
  }
  switch (node->kind) {
    case NODE_LEAF:
      return node->choice;
    case NODE_ALL:
    case NODE_SEGMENT:
      return least;
    case NODE_ANY:
      return greatest;
    case NODE_NOT:
      return TRUE - least;
  }
  return UNKNOWN;
}

/* Every result that the tree may have, each open leaf taking each of its values. */
static void try_choices(struct forest *forest, const struct node *root, size_t i, bool *can_be) {
  if (i == forest->open_count) {
    can_be[reference(root)] = true;
    return;
  }
  for (int value = FALSE; value <= TRUE; value++) {
    if (!forest->open[i]->leaf->can_be[value]) continue;
    forest->open[i]->choice = (enum value)value;
    try_choices(forest, root, i + 1, can_be);
  }
}

static void choose_certain(struct forest *forest) {
  for (size_t i = 0; i < forest->node_count; i++) {
    struct node *node = &forest->nodes[i];
    for (int value = FALSE; node->leaf && value <= TRUE; value++) {
      if (node->leaf->can_be[value]) node->choice = (enum value)value;
    }
  }
}

static size_t count_leaves(const struct node *node) {
  size_t n = node->kind == NODE_LEAF ? 1 : 0;
  for (size_t i = 0; i < node->n; i++) n += count_leaves(node->children[i]);
  return n;
}

/* The leaf's part of the trace, depth first. */
static void check_trace(const struct node *node, const struct trace_condition **next,
                        const char *when) {
  if (node->kind == NODE_LEAF) {
    const bool *can_be = node->leaf->can_be;
    bool certain = can_be[FALSE] + can_be[UNKNOWN] + can_be[TRUE] == 1;
    enum tristate expected = !certain || can_be[UNKNOWN] ? TRISTATE_UNKNOWN
                             : can_be[TRUE]              ? TRISTATE_TRUE
                                                         : TRISTATE_FALSE;
    struct str name = (*next)->attribute;
    ck_assert_msg(str_starts_with(str_from_cstr(node->leaf->json + 1), name), "%.*s for %s in %s",
                  STR_ARG(name), node->leaf->json, when);
    ck_assert_msg((*next)->result == expected, "%s in %s", node->leaf->json, when);
    (*next)++;
  }
  for (size_t i = 0; i < node->n; i++) check_trace(node->children[i], next, when);
}

static const char *expected_result(const bool *can_be) {
  if (can_be[TRUE]) return can_be[FALSE] || can_be[UNKNOWN] ? "limit" : "matched";
  return can_be[UNKNOWN] ? "unknown" : "unmatched";
}

static void check_random(struct bench *bench, struct forest *forest, const struct node *root) {
  struct text when;
  bool can_be[3] = {false};
  choose_certain(forest);
  try_choices(forest, root, 0, can_be);
  text_init(&when, 1 << 20);
  text_add(&when, STR("{ "));
  text_add(&forest->segments, STR("{ "));
  write_member(forest, root, &when);
  text_add(&when, STR(" }"));
  text_add(&forest->segments, STR(" }"));

  bench_begin(bench);
  bench_segments(bench, forest->segments.p, NULL);
  bench_rule(bench, when.p);
  bench_request(bench, random_request);
  struct rules_outcome bare = rules_eval(&bench->route, bench->reader, NULL, NULL);
  struct rules_trace trace;
  bench_request(bench, random_request);
  struct rules_outcome outcome = rules_eval(&bench->route, bench->reader, &trace, bench->arena);
  ck_assert_msg(bare.rule == outcome.rule && bare.limit == outcome.limit, "%s", when.p);
  const char *result = outcome.limit ? "limit" : rule_result_name(trace.rules[0].result);
  ck_assert_msg(strcmp(result, expected_result(can_be)) == 0, "%s, expected %s: %s [%s]", result,
                expected_result(can_be), when.p, forest->segments.p);
  ck_assert_uint_eq(trace.rules[0].condition_count, count_leaves(root));
  const struct trace_condition *next = trace.rules[0].conditions;
  check_trace(root, &next, when.p);
  text_deinit(&when);
}

START_TEST(random_conditions_agree_with_the_reference)
{
  static struct forest forest;
  struct bench bench;
  size_t results[4] = {0};
  bench_init(&bench);
  text_init(&forest.segments, 1 << 20);
  forest.state = UINT64_C(88172645463325252);
  for (size_t made = 0; made < 3000;) {
    forest.node_count = forest.open_count = forest.segment_count = 0;
    text_clear(&forest.segments);
    const struct node *root = grow(&forest, 4);
    if (forest.open_count > 7) continue; /* 3^7 ways are enough */
    check_random(&bench, &forest, root);
    made++;
    bool can_be[3] = {false};
    try_choices(&forest, root, 0, can_be);
    results[can_be[TRUE] ? (can_be[FALSE] || can_be[UNKNOWN] ? 3 : 2) : can_be[UNKNOWN]]++;
  }
  for (size_t i = 0; i < 4; i++) ck_assert_uint_gt(results[i], 100);
  text_deinit(&forest.segments);
  bench_deinit(&bench);
}
END_TEST

/* Several rules on one budget: with and without a trace they end alike. */
START_TEST(a_trace_never_changes_the_outcome)
{
  static const char *const leaves[] = {
      "{ 'header.x-a': { 'matches': 'a' } }",
      "{ 'header.x-a': { 'matches': ['a', 'b'] }, 'part': 'ok' }",
      "{ 'any': [{ 'header.x-a': { 'matches': 'c' } }, { 'part': 'ok' }], 'method': 'PUT' }",
      "{ 'not': { 'header.x-a': { 'matches': ['^x', 'd'] } } }",
      "{ 'method': 'PUT', 'header.x-a': { 'matches': 'e' } }",
      "{ 'region': 'cn', 'any': [{ 'part': 'no' }, { 'header.x-a': { 'matches': 'f' } }] }",
      "{ 'joined.age': { 'gt': '1d' } }",
  };
  static struct forest forest;
  struct bench bench;
  size_t limits = 0;
  bench_init(&bench);
  forest.state = UINT64_C(2463534242);
  for (size_t round = 0; round < 400; round++) {
    char lines[2048] = "X-Part: p=no\nX-Region: cn";
    unsigned fields = random_below(&forest, 20), bytes = 1 + random_below(&forest, 2048);
    for (unsigned i = 0; i < fields; i++) {
      size_t n = strlen(lines);
      (void)snprintf(lines + n, sizeof(lines) - n, "\nX-A: *%u", bytes);
    }
    bench_begin(&bench);
    for (size_t i = 0; i < BENCH_RULES; i++) {
      bench_rule(&bench, leaves[random_below(&forest, COUNT(leaves))]);
    }
    bench_request(&bench, lines);
    struct rules_outcome bare = rules_eval(&bench.route, bench.reader, NULL, NULL);
    bool time_was_read = attr_reader_time_was_read(bench.reader);
    struct rules_trace trace;
    bench_request(&bench, lines);
    struct rules_outcome outcome = rules_eval(&bench.route, bench.reader, &trace, bench.arena);
    ck_assert_msg(bare.rule == outcome.rule && bare.limit == outcome.limit, "round %zu", round);
    ck_assert_int_eq(time_was_read, attr_reader_time_was_read(bench.reader));
    limits += bare.limit;
  }
  ck_assert_uint_gt(limits, 40);
  ck_assert_uint_lt(limits, 360);
  bench_deinit(&bench);
}
END_TEST

UNIT_MAIN("condition_eval", the_first_rule_that_matches_ends_it, sixteen_values_are_matched,
          a_request_has_64_kib_of_subjects, the_trace_has_a_budget_of_its_own,
          the_trace_does_not_make_keys_present, reading_the_time_is_noticed,
          the_trace_lists_every_condition, a_trace_can_be_skipped_as_a_whole,
          a_trace_without_memory_is_cut_and_decides_nothing, results_have_names,
          random_conditions_agree_with_the_reference, a_trace_never_changes_the_outcome)
