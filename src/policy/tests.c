/*
 * tests: the `tests` of rule files (contract §4, "Tests").
 *
 * They are parsed with their file, whose mistakes theirs are, and run on the whole that would be
 * served: whether another route takes a request is part of what a test says.
 */
#include <cjson/cJSON.h>
#include <stdio.h>

#include "adit/json.h"
#include "adit/text.h"
#include "policy_private.h"

enum { SAME_TESTS_MAX = 1000 };

/* What a test may expect of a decision, as it is called in JSON. */
enum expectation {
  EXPECT_ROUTE,
  EXPECT_VARIANT,
  EXPECT_REASON,
  EXPECT_RULE,
  EXPECT_BUCKET,
  EXPECT_COUNT
};
static const char *const EXPECTATIONS[EXPECT_COUNT + 1] = {"route", "variant", "reason", "rule",
                                                           "bucket"};

struct test_case {
  struct str name;
  struct diag_place at;
  struct decide_request request;
  bool has_now;
  bool expects[EXPECT_COUNT];
  struct str expected[EXPECT_COUNT]; /* p == NULL: null */
  struct str request_json, expect_json;
};

/* ---- parsing --------------------------------------------------------------------------------- */

struct test_parser {
  struct loader *loader;
  const struct json_doc *doc;
  const struct route *route;
  const char *what; /* begins messages */
};

typedef struct str (*name_at)(const struct route *route, size_t i);

static struct str variant_name_at(const struct route *route, size_t i) {
  return route->variants[i].name;
}

static struct str rule_id_at(const struct route *route, size_t i) {
  return route->rules[i].id;
}

static struct str reason_name_at(const struct route *route, size_t i) {
  (void)route;
  return str_from_cstr(decide_reason_name((enum decide_reason)i));
}

/* Whether `name` is one of the `n`; if not an error says what may have been meant. */
static bool check_name(const struct test_parser *parser, const cJSON *node, const char *noun,
                       name_at at, size_t n) {
  struct str name = json_str(node);
  for (size_t i = 0; i < n; i++)
    if (str_eq(at(parser->route, i), name)) return true;
  if (diags_is_full(parser->loader->diags, DIAG_ERROR)) n = 0;
  const char **names = ARENA_ARRAY(parser->loader->scratch, const char *, n + 1);
  if (!names) n = 0;
  for (size_t i = 0; i < n; i++)
    names[i] = arena_dup(parser->loader->scratch, at(parser->route, i)).p;
  char hint[128];
  json_error(parser->doc, node, parser->loader->diags,
             names ? diag_did_you_mean(name, names, hint, sizeof(hint)) : NULL,
             "%s: unknown %s '%.*s'", parser->what, noun, STR_ARG(name));
  return false;
}

static bool parse_bucket(const struct test_parser *parser, const cJSON *node, struct str *ret) {
  double number = cJSON_IsNumber(node) ? cJSON_GetNumberValue(node) : -1;
  if (number < 0 || number >= BUCKETS || number != (double)(int)number) {
    json_error(parser->doc, node, parser->loader->diags, NULL,
               "%s: 'bucket' must be a whole number from 0 to 9999, or null", parser->what);
    return false;
  }
  *ret = arena_printf(parser->loader->scratch, "%d", (int)number);
  return ret->p != NULL;
}

static bool parse_name(const struct test_parser *parser, const cJSON *node, enum expectation which,
                       bool own_route, struct str *ret) {
  if (!cJSON_IsString(node)) {
    json_error(parser->doc, node, parser->loader->diags, NULL,
               "%s: '%s' must be a string%s, not %s", parser->what, EXPECTATIONS[which],
               which == EXPECT_REASON ? "" : " or null", json_kind(node));
    return false;
  }
  *ret = json_str(node);
  switch (which) {
    case EXPECT_REASON:
      return check_name(parser, node, "reason", reason_name_at, REASON_FAILOVER);
    case EXPECT_VARIANT:
      return !own_route ||
             check_name(parser, node, "variant", variant_name_at, parser->route->variant_count);
    case EXPECT_RULE:
      return !own_route || check_name(parser, node, "rule", rule_id_at, parser->route->rule_count);
    case EXPECT_ROUTE:
    case EXPECT_BUCKET:
    case EXPECT_COUNT:
      break;
  }
  return true;
}

/* Whether names in `expect` are this route's: it may say that another route, or none, answers. */
static bool expects_own_route(const struct test_parser *parser, const cJSON *expect) {
  const cJSON *route = cJSON_GetObjectItemCaseSensitive(expect, "route");
  return !route || (cJSON_IsString(route) && str_eq(json_str(route), parser->route->name));
}

static bool parse_expect(const struct test_parser *parser, const cJSON *test,
                         struct test_case *ret) {
  struct diags *diags = parser->loader->diags;
  const cJSON *expect = cJSON_GetObjectItemCaseSensitive(test, "expect");
  if (!cJSON_IsObject(expect) || !expect->child) {
    json_error(parser->doc, expect ? expect : test, diags,
               "any of \"route\", \"variant\", \"reason\", \"rule\", \"bucket\"",
               expect ? "%s: 'expect' must be an object that is not empty" : "%s: has no 'expect'",
               parser->what);
    return false;
  }
  ret->expect_json = json_raw(parser->doc, expect);
  bool ok = json_check_keys(parser->doc, expect, EXPECTATIONS, parser->what, diags);
  bool own_route = expects_own_route(parser, expect);
  for (int i = 0; i < EXPECT_COUNT; i++) {
    const cJSON *node = cJSON_GetObjectItemCaseSensitive(expect, EXPECTATIONS[i]);
    if (!node) continue;
    ret->expects[i] = true;
    if (cJSON_IsNull(node) && i != EXPECT_REASON) continue;
    ok &= i == EXPECT_BUCKET
              ? parse_bucket(parser, node, &ret->expected[i])
              : parse_name(parser, node, (enum expectation)i, own_route, &ret->expected[i]);
  }
  return ok;
}

static bool parse_request(const struct test_parser *parser, const cJSON *test,
                          struct test_case *ret) {
  struct loader *loader = parser->loader;
  const cJSON *request = cJSON_GetObjectItemCaseSensitive(test, "request");
  if (!request) {
    json_error(parser->doc, test, loader->diags, "at least { \"url\": \"http://host/path\" }",
               "%s: has no 'request'", parser->what);
    return false;
  }
  if (!request_from_json(parser->doc, request, loader->scratch, 0, &ret->request, &ret->has_now,
                         loader->diags))
    return false;
  struct str refused = request_refused_attribute(&ret->request.attr, parser->route);
  if (refused.p) {
    json_error(parser->doc, request, loader->diags, "declare it, or give headers",
               "%s: the request gives '%.*s', which is not a declared attribute", parser->what,
               STR_ARG(refused));
    return false;
  }
  ret->request.ignore_cookie = true;
  ret->request_json = json_raw(parser->doc, request);
  return true;
}

/* Nameless tests are called by their number. */
static bool parse_test_name(struct test_parser *parser, const cJSON *test, size_t number,
                            struct test_case *ret) {
  struct loader *loader = parser->loader;
  const cJSON *name = cJSON_GetObjectItemCaseSensitive(test, "name");
  if (name && !cJSON_IsString(name)) {
    json_error(parser->doc, name, loader->diags, NULL, "test %zu: 'name' must be a string, not %s",
               number, json_kind(name));
    return false;
  }
  struct arena *arena = loader->policy->arena;
  ret->name = name ? arena_dup(arena, json_str(name)) : arena_printf(arena, "%zu", number);
  parser->what = arena_printf(loader->scratch, "test '%.*s'", STR_ARG(ret->name)).p;
  return ret->name.p && parser->what;
}

static bool parse_test(struct loader *loader, const struct policy_file *file, const cJSON *test,
                       size_t number, struct test_case *ret) {
  static const char *const known[] = {"name", "request", "expect", NULL};
  struct test_parser parser = {.loader = loader, .doc = file->doc, .route = file->route};
  if (!cJSON_IsObject(test)) {
    json_error(file->doc, test, loader->diags, NULL, "test %zu: must be an object, not %s", number,
               json_kind(test));
    return false;
  }
  if (!parse_test_name(&parser, test, number, ret)) return false;
  ret->at = json_place(file->doc, test);
  ret->at.file = file->path; /* outlives the document */
  bool ok = json_check_keys(file->doc, test, known, parser.what, loader->diags);
  ok &= parse_request(&parser, test, ret);
  ok &= parse_expect(&parser, test, ret);
  return ok;
}

static bool parse_tests(struct loader *loader, struct policy_file *file, const cJSON *tests) {
  size_t n = 0;
  const cJSON *test;
  cJSON_ArrayForEach(test, tests) n++;
  file->tests = ARENA_ARRAY(loader->scratch, struct test_case, n);
  if (!file->tests) return false;
  bool ok = true;
  size_t number = 0;
  cJSON_ArrayForEach(test, tests) {
    ok &= parse_test(loader, file, test, number + 1, &file->tests[number]);
    number++;
  }
  file->test_count = n;
  return ok;
}

bool tests_parse(struct loader *loader, struct policy_file *file) {
  const cJSON *tests = cJSON_GetObjectItemCaseSensitive(json_root(file->doc), "tests");
  if (!cJSON_IsArray(tests)) return true; /* an absent one; route_compile refuses others */
  size_t errors = diags_count(loader->diags, DIAG_ERROR);
  if (parse_tests(loader, file, tests)) return true;
  /* What fails without a word fails for want of memory. */
  if (diags_count(loader->diags, DIAG_ERROR) == errors)
    diags_add(loader->diags, DIAG_ERROR, (struct diag_place){file->path, 0, 0}, NULL,
              "not enough memory to load its tests");
  return false;
}

/* ---- running --------------------------------------------------------------------------------- */

/* What a decision says, by EXPECTATIONS. `buffer` holds a number's text. */
static struct str actual_of(const struct decision *decision, enum expectation which, char *buffer,
                            size_t capacity) {
  const struct route *route = decision->route;
  switch (which) {
    case EXPECT_ROUTE:
      return route ? route->name : (struct str){0};
    case EXPECT_VARIANT:
      return route ? route->variants[decision->variant].name : (struct str){0};
    case EXPECT_REASON:
      return str_from_cstr(decide_reason_name(decision->reason));
    case EXPECT_RULE:
      return decision->rule ? decision->rule->id : (struct str){0};
    case EXPECT_BUCKET: {
      if (decision->bucket < 0) return (struct str){0};
      int n = snprintf(buffer, capacity, "%d", decision->bucket);
      return str_make(buffer, (size_t)n);
    }
    case EXPECT_COUNT:
      break;
  }
  return (struct str){0};
}

static bool same(struct str a, struct str b) {
  return a.p && b.p ? str_eq(a, b) : a.p == b.p;
}

static void add_value(struct text *text, const char *before, enum expectation which,
                      struct str value) {
  text_printf(text, "%s%s ", before, EXPECTATIONS[which]);
  text_add(text, value.p ? value : STR("null"));
}

/* "expected variant canary, got route shop, variant v1, reason …"; empty when all holds. */
static void compare(const struct test_case *test, const struct decision *decision,
                    struct text *out) {
  char buffer[16];
  const char *before = "expected ";
  for (int i = 0; i < EXPECT_COUNT; i++) {
    enum expectation which = (enum expectation)i;
    if (!test->expects[i] ||
        same(test->expected[i], actual_of(decision, which, buffer, sizeof(buffer))))
      continue;
    add_value(out, before, which, test->expected[i]);
    before = ", ";
  }
  if (out->n == 0) return;
  before = "; got ";
  for (int i = 0; i < EXPECT_COUNT; i++) {
    enum expectation which = (enum expectation)i;
    add_value(out, before, which, actual_of(decision, which, buffer, sizeof(buffer)));
    before = ", ";
  }
}

static bool run_test(struct loader *loader, struct decider *decider, const struct policy_file *file,
                     const struct test_case *test, struct policy_test *ret, bool *ret_timed) {
  struct decision decision;
  struct decide_request request = test->request;
  if (!policy_strip_request(loader->policy, loader->scratch, &request)) return false;
  const struct policy_options *options = loader->options;
  struct rules_trace trace = {0};
  decide(decider, &request, &decision, options->on_test ? &trace : NULL, loader->scratch);
  if (options->on_test) options->on_test(options->on_test_context, &decision, &trace);
  *ret_timed = decision.time_was_read && !test->has_now;
  struct text text;
  text_init(&text, 4096);
  compare(test, &decision, &text);
  *ret = (struct policy_test){
      .route = file->route, .name = test->name, .passed = text.n == 0, .at = test->at};
  if (!ret->passed) ret->message = arena_dup(loader->policy->arena, text_str(&text));
  bool complete = (ret->passed || ret->message.p) && !text_failed(&text);
  text_deinit(&text);
  return complete;
}

static void report(struct loader *loader, const struct policy_test *test, bool timed) {
  if (timed) {
    diags_add(loader->diags, DIAG_ERROR, test->at,
              "give its request a \"now\", such as \"2026-01-01T00:00:00Z\"",
              "test '%.*s': its outcome could depend on the time", STR_ARG(test->name));
  } else if (!test->passed) {
    enum diag_level level = loader->options->previous ? DIAG_ERROR : DIAG_WARNING;
    diags_add(loader->diags, level, test->at, NULL, "test '%.*s' failed: %.*s", STR_ARG(test->name),
              STR_ARG(test->message));
  }
}

/* Runs a file's tests. *ret_bad: the file must not be taken over. */
static bool run_file(struct loader *loader, struct decider *decider, const struct policy_file *file,
                     bool *ret_bad) {
  struct policy *policy = loader->policy;
  *ret_bad = false;
  for (size_t i = 0; i < file->test_count; i++) {
    struct policy_test *test = &policy->tests[policy->test_count];
    bool timed;
    if (!run_test(loader, decider, file, &file->tests[i], test, &timed)) return false;
    policy->test_count++;
    report(loader, test, timed);
    *ret_bad |= timed || (loader->options->previous && !test->passed);
  }
  return true;
}

/* ---- tests that test nothing ----------------------------------------------------------------- */

/* Whether the rules and the default can come to no other variant. */
static bool gives_only(const struct route *route, struct str variant) {
  uint16_t only = route_find_variant(route, variant);
  for (size_t i = 0; i < route->rule_count; i++)
    if (route->rules[i].to != only) return false;
  return only == route->stable && !route->has_default_split;
}

/* Whether what is expected holds for whatever the rules say. Only of a variant that can be known
 * where there are rules: each says its id, and its reason. */
static bool expects_anything(const struct route *route, const struct test_case *test) {
  bool only_variant = test->expects[EXPECT_VARIANT] && !test->expects[EXPECT_ROUTE] &&
                      !test->expects[EXPECT_REASON] && !test->expects[EXPECT_RULE] &&
                      !test->expects[EXPECT_BUCKET];
  return only_variant && route->rule_count > 0 && test->expected[EXPECT_VARIANT].p &&
         gives_only(route, test->expected[EXPECT_VARIANT]);
}

/* One that forces tests that; a header that must not force, too. */
static bool speaks_of_force(const struct route *route, const struct test_case *test) {
  struct str value;
  return route->force.enabled &&
         (route->force.cookie.p ||
          attr_request_header(&test->request.attr, route->force.header, 0, &value));
}

static bool is_answered_here(struct decider *decider, const struct route *route,
                             const struct test_case *test) {
  struct decision decision;
  decide(decider, &test->request, &decision, NULL, NULL);
  return decision.route == route;
}

static const struct test_case *find_same(const struct policy_file *file, size_t i) {
  const struct test_case *test = &file->tests[i];
  for (size_t k = 0; k < i && k < SAME_TESTS_MAX; k++) {
    const struct test_case *earlier = &file->tests[k];
    if (str_eq(earlier->request_json, test->request_json) &&
        str_eq(earlier->expect_json, test->expect_json))
      return earlier;
  }
  return NULL;
}

static void find_idle_test(struct loader *loader, struct decider *decider,
                           const struct policy_file *file, size_t i) {
  const struct test_case *test = &file->tests[i];
  const struct test_case *same = find_same(file, i);
  if (same) {
    diags_add(loader->diags, DIAG_WARNING, test->at, "remove it, or ask something else",
              "test '%.*s' is the test '%.*s' once more", STR_ARG(test->name), STR_ARG(same->name));
    return;
  }
  const struct route *route = file->route;
  if (route->state != ROUTE_ON || !expects_anything(route, test) || speaks_of_force(route, test) ||
      !is_answered_here(decider, route, test))
    return;
  diags_add(loader->diags, DIAG_WARNING, test->at, "expect a rule, too",
            "test '%.*s' tests nothing: whatever the rules say, the variant is '%.*s'",
            STR_ARG(test->name), STR_ARG(test->expected[EXPECT_VARIANT]));
}

void tests_find_idle(struct loader *loader, const struct policy_file *file) {
  struct decider *decider = file->test_count > 0 ? policy_decider_new(loader->policy) : NULL;
  for (size_t i = 0; decider && i < file->test_count; i++) find_idle_test(loader, decider, file, i);
  decider_free(&decider);
}

/* ---- all files ------------------------------------------------------------------------------- */

static bool run_files(struct loader *loader, struct decider *decider, bool *ret_refused) {
  struct policy *policy = loader->policy;
  for (size_t i = 0; i < policy->file_count; i++) {
    struct policy_file *file = &policy->files[i];
    bool bad;
    if (!run_file(loader, decider, file, &bad)) return false;
    if (bad) loader_refuse_file(loader, file);
    *ret_refused |= bad;
  }
  return true;
}

bool tests_run(struct loader *loader, bool *ret_refused) {
  struct policy *policy = loader->policy;
  *ret_refused = false;
  size_t n = 0;
  for (size_t i = 0; i < policy->file_count; i++) n += policy->files[i].test_count;
  policy->test_count = 0;
  policy->tests = ARENA_ARRAY(policy->arena, struct policy_test, n);
  struct decider *decider = policy_decider_new(policy);
  bool ok = policy->tests && decider && run_files(loader, decider, ret_refused);
  decider_free(&decider);
  return ok;
}
