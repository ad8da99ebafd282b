/*
 * overrides: what is said of routes beside their files, over reloads; the state file.
 */
#include "adit/overrides.h"

#include "overrides/state_file.h"
#include "policy_bench.h"

#define STATE(name, state) ROUTE(name, name ".test", ", \"state\": \"" state "\"")
#define ITEM(route, state)                        \
  "{\"route\":\"" route "\",\"state\":\"" state   \
  "\",\"file_state\":\"on\",\"since\":\"2026-01-" \
  "01\"}"
#define FILE_OF(items) "{\"version\":1,\"overrides\":{\"route_states\":[" items "]}}"

static struct text said_of_overrides;

static void note(void *context, struct str line) {
  (void)context;
  text_add(&said_of_overrides, line);
  text_add_char(&said_of_overrides, '\n');
}

/* Loads the files, and makes their routes follow. */
static struct policy *adopt(struct overrides *overrides, struct policy *previous) {
  struct text said;
  struct policy *policy = load_policy(previous, NULL, &said);
  ck_assert_msg(policy != NULL, "%s", said.p);
  text_deinit(&said);
  text_clear(&said_of_overrides);
  ck_assert(overrides_adopt(overrides, policy, note, NULL));
  return policy;
}

static const struct route *route_of(const struct policy *policy, const char *name) {
  for (size_t i = 0; i < policy_route_count(policy); i++)
    if (str_eq(policy_route(policy, i)->name, str_from_cstr(name))) return policy_route(policy, i);
  ck_abort_msg("no route %s", name);
}

static void expect_state(const struct policy *policy, const char *name, enum route_state state,
                         bool overridden) {
  bool is_overridden;
  enum route_state found = route_state(route_of(policy, name), &is_overridden);
  ck_assert_str_eq(route_state_name(found), route_state_name(state));
  ck_assert_int_eq(is_overridden, overridden);
}

static enum override_outcome set(struct overrides *overrides, const char *name,
                                 enum route_state state) {
  return overrides_set_state(overrides, str_from_cstr(name), state, 1767225600000);
}

static struct overrides *open_table(const char *path) {
  text_init(&said_of_overrides, 1 << 20);
  bench_open();
  struct overrides *overrides = overrides_new(path);
  ck_assert_ptr_nonnull(overrides);
  return overrides;
}

static void close_table(struct overrides **overrides) {
  overrides_free(overrides);
  text_deinit(&said_of_overrides);
  bench_close();
}

/* ---- over reloads ---------------------------------------------------------------------------- */

START_TEST(an_override_counts_for_every_policy)
{
  struct overrides *overrides = open_table(NULL);
  write_file("rules/a.json", STATE("a", "on"));
  write_file("rules/b.json", STATE("b", "on"));
  struct policy *first = adopt(overrides, NULL);
  expect_state(first, "a", ROUTE_ON, false);
  ck_assert_int_eq(set(overrides, "a", ROUTE_OFF), OVERRIDE_DONE);
  expect_state(first, "a", ROUTE_OFF, true);
  expect_state(first, "b", ROUTE_ON, false);
  ck_assert_int_eq(route_of(first, "a")->state, ROUTE_ON); /* the file's word stays known */
  struct policy *second = adopt(overrides, first);
  ck_assert_uint_eq(said_of_overrides.n, 0);
  expect_state(second, "a", ROUTE_OFF, true);
  ck_assert_int_eq(set(overrides, "a", ROUTE_DRAIN), OVERRIDE_DONE);
  expect_state(first, "a", ROUTE_DRAIN, true);
  expect_state(second, "a", ROUTE_DRAIN, true);
  ck_assert_int_eq(overrides_take_back(overrides, STR("a")), OVERRIDE_DONE);
  expect_state(first, "a", ROUTE_ON, false);
  expect_state(second, "a", ROUTE_ON, false);
  policy_unref(&first);
  policy_unref(&second);
  close_table(&overrides);
}
END_TEST

/* Who still decides by the old file does not lose the stop before it has the new one. */
START_TEST(another_state_of_the_file_ends_it_for_the_new_policy)
{
  struct overrides *overrides = open_table(NULL);
  write_file("rules/a.json", STATE("a", "on"));
  struct policy *first = adopt(overrides, NULL);
  ck_assert_int_eq(set(overrides, "a", ROUTE_OFF), OVERRIDE_DONE);
  write_file("rules/a.json", STATE("a", "drain"));
  struct policy *second = adopt(overrides, first);
  ck_assert_str_eq(said_of_overrides.p,
                   "route 'a': the override 'off' of 2026-01-01T00:00:00Z ends: the file's state "
                   "was 'on' then and is 'drain' now\n");
  expect_state(first, "a", ROUTE_OFF, true);
  expect_state(second, "a", ROUTE_DRAIN, false);
  /* What is said now is said to both. */
  ck_assert_int_eq(set(overrides, "a", ROUTE_FULL), OVERRIDE_DONE);
  expect_state(first, "a", ROUTE_FULL, true);
  expect_state(second, "a", ROUTE_FULL, true);
  policy_unref(&first);
  /* The file's state goes back: that is another one, too. */
  write_file("rules/a.json", STATE("a", "on"));
  struct policy *third = adopt(overrides, second);
  expect_state(third, "a", ROUTE_ON, false);
  policy_unref(&second);
  policy_unref(&third);
  close_table(&overrides);
}
END_TEST

START_TEST(a_file_that_does_not_load_leaves_it)
{
  struct overrides *overrides = open_table(NULL);
  write_file("rules/a.json", STATE("a", "on"));
  write_file("rules/b.json", STATE("b", "on"));
  struct policy *first = adopt(overrides, NULL);
  ck_assert_int_eq(set(overrides, "a", ROUTE_OFF), OVERRIDE_DONE);
  write_file("rules/a.json", "{");
  struct policy *second = adopt(overrides, first);
  policy_unref(&first);
  expect_state(second, "a", ROUTE_OFF, true);
  ck_assert_int_eq(set(overrides, "a", ROUTE_DRAIN), OVERRIDE_DONE);
  expect_state(second, "a", ROUTE_DRAIN, true);
  policy_unref(&second);
  close_table(&overrides);
}
END_TEST

START_TEST(a_route_that_is_gone_is_waited_for)
{
  struct overrides_report report;
  struct overrides *overrides = open_table(NULL);
  write_file("rules/a.json", STATE("a", "on"));
  write_file("rules/b.json", STATE("b", "on"));
  struct policy *policy = adopt(overrides, NULL);
  ck_assert_int_eq(set(overrides, "a", ROUTE_OFF), OVERRIDE_DONE);
  remove_rules();
  write_file("rules/b.json", STATE("b", "on"));
  struct policy *next = adopt(overrides, policy);
  policy_unref(&policy);
  ck_assert(overrides_read(overrides, &report));
  ck_assert(report.n == 1 && report.items[0].is_waiting && !report.is_kept);
  ck_assert_ptr_nonnull(overrides_find(&report, STR("a")));
  overrides_report_deinit(&report);
  ck_assert_int_eq(set(overrides, "a", ROUTE_ON), OVERRIDE_NO_ROUTE);
  write_file("rules/a.json", STATE("a", "on"));
  policy = adopt(overrides, next);
  policy_unref(&next);
  ck_assert_str_eq(said_of_overrides.p,
                   "route 'a' is overridden: state 'off', whatever its file says\n");
  expect_state(policy, "a", ROUTE_OFF, true);
  /* Away again, taken back, and here again. */
  remove_rules();
  write_file("rules/b.json", STATE("b", "on"));
  next = adopt(overrides, policy);
  policy_unref(&policy);
  ck_assert_int_eq(overrides_take_back(overrides, STR("a")), OVERRIDE_DONE);
  ck_assert_int_eq(overrides_take_back(overrides, STR("a")), OVERRIDE_NO_ROUTE);
  write_file("rules/a.json", STATE("a", "on"));
  policy = adopt(overrides, next);
  expect_state(policy, "a", ROUTE_ON, false);
  policy_unref(&policy);
  policy_unref(&next);
  close_table(&overrides);
}
END_TEST

START_TEST(what_cannot_be_said)
{
  struct overrides *overrides = open_table(NULL);
  write_file("rules/a.json", "{\"route\": \"a\", \"stable\": \"v\", \"variants\": {\"v\": \"a\"}}");
  struct policy *policy = adopt(overrides, NULL);
  ck_assert_int_eq(set(overrides, "a", ROUTE_FULL), OVERRIDE_NO_CANARY);
  ck_assert_int_eq(set(overrides, "b", ROUTE_OFF), OVERRIDE_NO_ROUTE);
  ck_assert_int_eq(overrides_take_back(overrides, STR("b")), OVERRIDE_NO_ROUTE);
  expect_state(policy, "a", ROUTE_ON, false);
  ck_assert(!overrides_save(overrides));
  policy_unref(&policy);
  close_table(&overrides);
}
END_TEST

/* ---- the file -------------------------------------------------------------------------------- */

/* As many as there may be, all of routes that are not there. */
static void write_many(void) {
  struct override_info *items = calloc(OVERRIDES_MAX, sizeof(*items));
  struct text text;
  text_init(&text, STATE_FILE_BYTES_MAX);
  ck_assert_ptr_nonnull(items);
  for (int i = 0; i < OVERRIDES_MAX; i++)
    (void)snprintf(items[i].route, sizeof(items[i].route),
                   "a-name-as-long-as-a-name-may-be---------------------------%06d", i);
  state_file_format(items, OVERRIDES_MAX, &text);
  ck_assert_msg(!text_failed(&text), "the largest table does not fit into the largest file");
  write_file("state.json", text.p);
  free(items);
  text_deinit(&text);
}

START_TEST(there_is_a_limit)
{
  struct overrides *overrides = open_table("state.json");
  struct diags *diags = diags_new();
  write_many();
  write_file("rules/a.json", STATE("a", "on"));
  ck_assert(overrides_load(overrides, diags));
  struct policy *policy = adopt(overrides, NULL);
  ck_assert_int_eq(set(overrides, "a", ROUTE_OFF), OVERRIDE_TOO_MANY);
  expect_state(policy, "a", ROUTE_ON, false);
  ck_assert_int_eq(
      overrides_take_back(overrides,
                          STR("a-name-as-long-as-a-name-may-be---------------------------000007")),
      OVERRIDE_DONE);
  ck_assert_int_eq(set(overrides, "a", ROUTE_OFF), OVERRIDE_DONE);
  ck_assert(overrides_save(overrides));
  policy_unref(&policy);
  diags_free(&diags);
  close_table(&overrides);
}
END_TEST

START_TEST(the_file_says_it_again)
{
  struct overrides_report report;
  struct diags *diags = diags_new();
  struct overrides *overrides = open_table("state.json");
  write_file("rules/a.json", STATE("a", "on"));
  ck_assert(overrides_load(overrides, diags)); /* there is none */
  struct policy *policy = adopt(overrides, NULL);
  ck_assert(access("state.json", F_OK) != 0); /* nothing was said: nothing is written */
  ck_assert_int_eq(set(overrides, "a", ROUTE_FULL), OVERRIDE_DONE);
  ck_assert(overrides_save(overrides));
  overrides_free(&overrides);
  expect_state(policy, "a", ROUTE_FULL, true); /* whoever has the policy goes on as it was */
  policy_unref(&policy);
  overrides = overrides_new("state.json");
  ck_assert(overrides_load(overrides, diags));
  policy = adopt(overrides, NULL);
  expect_state(policy, "a", ROUTE_FULL, true);
  ck_assert(overrides_read(overrides, &report));
  ck_assert(report.n == 1 && report.is_kept && report.items[0].since_ms == 1767225600000);
  overrides_report_deinit(&report);
  policy_unref(&policy);
  diags_free(&diags);
  close_table(&overrides);
}
END_TEST

START_TEST(another_process_has_the_file)
{
  struct diags *diags = diags_new();
  struct overrides_report report;
  struct overrides *overrides = open_table("state.json");
  write_file("rules/a.json", STATE("a", "on"));
  struct policy *policy = adopt(overrides, NULL);
  overrides_stop_saving(overrides);
  ck_assert_int_eq(set(overrides, "a", ROUTE_OFF), OVERRIDE_DONE);
  expect_state(policy, "a", ROUTE_OFF, true);
  ck_assert(!overrides_save(overrides) && access("state.json", F_OK) != 0);
  ck_assert(overrides_read(overrides, &report) && !report.is_kept);
  ck_assert(str_contains(str_from_cstr(report.why_not), STR("drains")));
  overrides_report_deinit(&report);
  policy_unref(&policy);
  diags_free(&diags);
  close_table(&overrides);
}
END_TEST

static const struct {
  const char *text, *said; /* NULL: nothing */
} FILES[] = {
    {FILE_OF(""), NULL},
    {FILE_OF(ITEM("b", "on") "," ITEM("a", "off")), NULL},
    {"", "s:1:1: error: "},
    {"[]", "s:1:1: error: state file: it must be an object\n"},
    {"{\"overrides\":{\"route_states\":[]}}", "'version' must be a number"},
    {"{\"version\":\"1\",\"overrides\":{}}", "s:1:12: error: state file: 'version' must be"},
    {"{\"version\":2,\"controls\":{}}", "another version than this program knows (start the"},
    {"{\"version\":1}", "'overrides' must be an object"},
    {"{\"version\":1,\"overrides\":[]}", "'overrides' must be an object"},
    {"{\"version\":1,\"overrides\":{}}", "'route_states' must be a list"},
    {"{\"version\":1,\"overrides\":{\"route_states\":{}}}", "'route_states' must be a list"},
    {"{\"version\":1,\"more\":1,\"overrides\":{\"route_states\":[]}}", "unknown key 'more'"},
    {"{\"version\":1,\"overrides\":{\"route_states\":[],\"x\":1}}", "unknown key 'x'"},
    {"{\"version\":1,\"overrides\":{\"route_states\":[]},}", "error: "}, /* no editable file */
    {FILE_OF("1"), "s:1:43: error: state file: a state of a route must be an object\n"},
    {FILE_OF("{}"), "'route' must be the name of a route"},
    {FILE_OF(ITEM("", "on")), "this is not a name"},
    {FILE_OF(ITEM("a/b", "on")), "this is not a name"},
    {FILE_OF(ITEM("a", "file")), "there is no such state (on, drain, off or full)"},
    {FILE_OF(ITEM("a", "on") "," ITEM("b", "on") "," ITEM("a", "off")), "stands in it twice"},
    {FILE_OF("{\"route\":\"a\",\"state\":\"on\",\"file_state\":\"on\",\"since\":1}"),
     "'since' must be a time"},
    {FILE_OF("{\"route\":\"a\",\"state\":\"on\",\"file_state\":\"on\",\"since\":\"x\"}"),
     "this is not a time"},
    {FILE_OF("{\"route\":\"a\",\"state\":\"on\",\"since\":\"2026-01-01\"}"),
     "'file_state' must be a state"},
    {FILE_OF("{\"route\":\"a\",\"state\":1,\"file_state\":null,\"since\":\"2026-01-01\"}"),
     "'state' must be a state"},
};

START_TEST(bad_files_are_refused)
{
  for (size_t i = 0; i < sizeof(FILES) / sizeof(*FILES); i++) {
    struct override_info *items = NULL;
    struct text said;
    size_t n = 0;
    struct diags *diags = diags_new();
    text_init(&said, 1 << 16);
    struct json_doc *doc = json_parse(str_from_cstr(FILES[i].text), "s", JSON_STRICT, diags);
    bool ok = doc && state_file_parse(doc, &items, &n, diags);
    diags_format(diags, &said);
    ck_assert_msg(ok == (FILES[i].said == NULL), "%s: %s", FILES[i].text, said.p);
    ck_assert_msg(ok || str_contains(text_str(&said), str_from_cstr(FILES[i].said)), "%s: %s",
                  FILES[i].text, said.p);
    ck_assert(ok || (!items && n == 0));
    if (ok && n == 2) ck_assert_str_eq(items[0].route, "a"); /* sorted */
    free(items);
    json_free(&doc);
    diags_free(&diags);
    text_deinit(&said);
  }
}
END_TEST

START_TEST(a_file_that_cannot_be_written)
{
  char why[256];
  struct overrides *overrides = open_table("x/state.json");
  ck_assert(overrides_cannot_be_kept(overrides, why, sizeof(why)));
  ck_assert_str_eq(why, "cannot write to the directory 'x': No such file or directory");
  ck_assert(!state_file_write("x/s", STR("a"), why, sizeof(why)));
  ck_assert_str_eq(why, "cannot open the directory 'x': No such file or directory");
  ck_assert_int_eq(mkdir("x", 0700), 0);
  ck_assert(!overrides_cannot_be_kept(overrides, why, sizeof(why)));
  ck_assert_int_eq(mkdir("x/s", 0700), 0);
  ck_assert(!state_file_write("x/s", STR("a"), why, sizeof(why)));
  ck_assert_str_eq(why, "cannot write 'x/s': Is a directory");
  ck_assert(access("x/.s.new", F_OK) != 0);
  ck_assert(state_file_write("x/t", STR("a"), why, sizeof(why)));
  ck_assert(state_file_write("t", STR("a"), why, sizeof(why)));
  close_table(&overrides);
}
END_TEST

UNIT_MAIN("overrides", an_override_counts_for_every_policy,
          another_state_of_the_file_ends_it_for_the_new_policy, a_file_that_does_not_load_leaves_it,
          a_route_that_is_gone_is_waited_for, what_cannot_be_said, there_is_a_limit,
          the_file_says_it_again, another_process_has_the_file, bad_files_are_refused,
          a_file_that_cannot_be_written)
