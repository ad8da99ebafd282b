/*
 * The reader: one table of requests and what each attribute then is, written as render() writes it;
 * and what does not fit a table: budgets, memory, laziness, time.
 */
#include <stdio.h>

#include "adit/arena.h"
#include "adit/attrs.h"
#include "adit/json.h"
#include "adit/regex.h"
#include "adit/text.h"
#include "field_lines.h"
#include "unit.h"

#define COUNT(array) (sizeof(array) / sizeof(*(array)))

/* 2026-01-02T00:00:00Z */
enum { DAY_MS = 86400000 };
static const int64_t now_ms = INT64_C(1767312000000);

/* ' stands for ". */
static const char gateway_json[] =
    "{ 'region':  { 'type': 'string', 'from': [{ 'header': 'X-Region' }] },"
    "  'joined':  { 'type': 'time', 'from': [{ 'header': 'X-Joined' },"
    "               { 'query': 'joined', 'trust': 'anyone' }] },"
    "  'times':   { 'type': 'time', 'from': [{ 'query': 't', 'trust': 'anyone' }] },"
    "  'level':   { 'type': 'number', 'from': [{ 'header': 'X-Level', 'trust': 'anyone' },"
    "               { 'cookie': 'level', 'trust': 'anyone' }] },"
    "  'beta':    { 'type': 'bool', 'from': [{ 'cookie': 'beta', 'trust': 'anyone' }] },"
    "  'groups':  { 'type': 'list', 'from': [{ 'header': 'X-Groups', 'trust': 'anyone' },"
    "               { 'query': 'groups', 'trust': 'anyone' }] },"
    "  'app':     { 'type': 'version', 'from': [{ 'header': 'User-Agent',"
    "               'regex': 'App/([0-9.]+)', 'trust': 'anyone' },"
    "               { 'query': 'app', 'trust': 'anyone' }] },"
    "  'sem':     { 'type': 'semver', 'from': [{ 'query': 'sem', 'trust': 'anyone' }] },"
    "  'tier':    { 'type': 'string', 'from': [{ 'header': 'X-Tier', 'regex': 'gold|silver' }] },"
    "  'mark':    { 'type': 'string', 'from': [{ 'cookie': 'mark', 'regex': '^m(-?)',"
    "               'trust': 'anyone' }] },"
    "  'peer':    { 'type': 'ip', 'from': [{ 'header': 'X-Peer' }, { 'header': 'X-Peer-2' },"
    "               { 'cookie': 'peer', 'trust': 'anyone' }] } }";
static const char file_json[] =
    "{ 'plan':    { 'type': 'string', 'from': [{ 'header': 'X-Plan' }, { 'cookie': 'plan' }] } }";

struct fixture {
  struct attr_catalog *catalog;
  struct arena *arena;
  struct attr_table *table;
  struct attr_reader *reader;
  struct http_field fields[16];
  struct attr_request request;
};

static struct attr_catalog *declare(enum attr_scope scope, struct attr_catalog *parent,
                                    const char *json) {
  char text[4096];
  size_t n = 0;
  for (; json[n] != '\0' && n < sizeof(text); n++) text[n] = json[n] == '\'' ? '"' : json[n];
  struct diags *diags = diags_new();
  struct json_doc *doc = json_parse(str_make(text, n), "f", JSON_STRICT, diags);
  ck_assert_ptr_nonnull(doc);
  struct attr_catalog *catalog = attr_catalog_new(scope, parent);
  ck_assert(attr_catalog_declare(catalog, doc, json_root(doc), diags));
  json_free(&doc);
  diags_free(&diags);
  return catalog;
}

static void setup(struct fixture *it) {
  struct attr_catalog *gateway = declare(ATTR_SCOPE_GATEWAY, NULL, gateway_json);
  *it = (struct fixture){0};
  it->catalog = declare(ATTR_SCOPE_RULE_FILE, gateway, file_json);
  attr_catalog_unref(&gateway);
  it->arena = arena_new(1 << 20);
  it->table = attr_table_new(it->arena, it->catalog);
  it->reader = attr_reader_new();
  it->request = (struct attr_request){
      .method = STR("GET"),
      .scheme = STR("https"),
      .host = STR("shop.example.com"),
      .path = STR("/cart"),
      .trusted = true,
      .now_ms = now_ms,
      .fields = it->fields,
  };
  ck_assert(ip_parse(STR("203.0.113.7"), &it->request.client_ip));
}

static void teardown(struct fixture *it) {
  attr_reader_free(&it->reader);
  ck_assert_ptr_null(it->reader);
  arena_free(&it->arena);
  attr_catalog_unref(&it->catalog);
}

static uint16_t slot_of(struct fixture *it, const char *name) {
  uint16_t slot = attr_table_slot(it->table, str_from_cstr(name));
  ck_assert_msg(slot != ATTR_SLOT_NONE, "%s", name);
  return slot;
}

static void set_fields(struct fixture *it, const char *lines) {
  it->request.field_count = field_lines(lines, it->fields, COUNT(it->fields));
}

static void begin(struct fixture *it) {
  attr_reader_begin(it->reader, it->table, &it->request);
}

static const char *missing_word(enum attr_missing why) {
  switch (why) {
    case ATTR_MISSING_ABSENT:
      return "absent";
    case ATTR_MISSING_UNTRUSTED:
      return "untrusted";
    case ATTR_MISSING_UNPARSABLE:
      return "unparsable";
    case ATTR_MISSING_REPEATED:
      return "repeated";
    case ATTR_MISSING_EMPTY_LIST:
      return "empty list";
    case ATTR_MISSING_NOT_SUPPLIED:
      return "not supplied";
  }
  return "?";
}

/* "value", "[one|two]", "-untrusted", "-unparsable 'x'", "?" for undecided. */
static void render(const struct attr_value *value, struct text *out) {
  text_clear(out);
  switch (value->state) {
    case ATTR_UNREAD:
      text_add(out, STR("unread"));
      break;
    case ATTR_UNDECIDED:
      text_add(out, STR("?"));
      break;
    case ATTR_MISSING:
      text_printf(out, "-%s", missing_word(value->why));
      if (value->refused.p) text_printf(out, " '%.*s'", STR_ARG(value->refused));
      break;
    case ATTR_PRESENT:
      ck_assert_uint_ge(value->n, 1);
      ck_assert(value->is_list || value->n == 1);
      if (value->is_list) text_add_char(out, '[');
      for (size_t i = 0; i < value->n; i++) {
        text_printf(out, "%s%.*s", i ? "|" : "", STR_ARG(value->data[i].text));
      }
      if (value->is_list) text_add_char(out, ']');
      break;
  }
}

static void check_value(struct fixture *it, const char *what, const char *name,
                        const char *expected) {
  uint16_t slot = slot_of(it, name);
  struct text text;
  text_init(&text, 4096);
  begin(it);
  render(attr_read(it->reader, slot), &text);
  ck_assert_msg(str_eq(text_str(&text), str_from_cstr(expected)), "%s: %s is %s, expected %s", what,
                name, text.p, expected);
  text_deinit(&text);
}

static const struct {
  const char *what;
  bool untrusted;
  const char *fields, *query, *attribute, *expected;
} cases[] = {
    {"built-in", .attribute = "method", .expected = "GET"},
    {"built-in", .attribute = "scheme", .expected = "https"},
    {"built-in", .attribute = "host", .expected = "shop.example.com"},
    {"built-in", .attribute = "path", .expected = "/cart"},
    {"built-in", .attribute = "client_ip", .expected = "203.0.113.7"},
    {"built-in", .attribute = "now", .expected = "2026-01-02T00:00:00Z"},
    {"built-in", .attribute = "now.age", .expected = "0s"},
    {"built-in", .attribute = "now.weekday", .expected = "fri"},
    {"built-in", .attribute = "now.time", .expected = "00:00:00"},

    {"header, any case", .fields = "x-A: 1", .attribute = "header.X-a", .expected = "1"},
    {"header counts always", .untrusted = true, .fields = "X-A: 1", .attribute = "header.x-a",
     .expected = "1"},
    {"header repeated", .fields = "X-A: 1\nB: 2\nx-a: 3", .attribute = "header.x-a",
     .expected = "[1|3]"},
    {"header is not divided", .fields = "X-A: 1, 2", .attribute = "header.x-a", .expected = "1, 2"},
    {"header empty", .fields = "X-A:", .attribute = "header.x-a", .expected = ""},
    {"header absent", .fields = "X-Ab: 1\nX-: 2", .attribute = "header.x-a", .expected = "-absent"},
    {"no fields", .attribute = "header.x-a", .expected = "-absent"},

    {"cookie", .fields = "Cookie: a=1; b=2", .attribute = "cookie.b", .expected = "2"},
    {"cookie counts always", .untrusted = true, .fields = "Cookie: a=1", .attribute = "cookie.a",
     .expected = "1"},
    {"cookie name has case", .fields = "Cookie: a=1", .attribute = "cookie.A",
     .expected = "-absent"},
    {"cookie field has none", .fields = "cookie: a=1", .attribute = "cookie.a", .expected = "1"},
    {"all Cookie fields", .fields = "Cookie: a=1; b=2\nX: a=9\nCookie: a=3",
     .attribute = "cookie.a", .expected = "[1|3]"},
    {"first '=' divides", .fields = "Cookie: a=1=2", .attribute = "cookie.a", .expected = "1=2"},
    {"quotes stay", .fields = "Cookie: a=\"1\"", .attribute = "cookie.a", .expected = "\"1\""},
    {"cookies are raw", .fields = "Cookie: a=%41+b", .attribute = "cookie.a", .expected = "%41+b"},
    {"trimmed", .fields = "Cookie: b=2; \t a= 1 2 \t;c=3", .attribute = "cookie.a",
     .expected = " 1 2"},
    {"cookie empty", .fields = "Cookie: a=; b=2", .attribute = "cookie.a", .expected = ""},
    {"without '='", .fields = "Cookie: a; b=2", .attribute = "cookie.a", .expected = "-absent"},
    {"only separators", .fields = "Cookie: ;;;;", .attribute = "cookie.a", .expected = "-absent"},

    {"query", .query = "a=1&b=2", .attribute = "query.b", .expected = "2"},
    {"query name has case", .query = "a=1", .attribute = "query.A", .expected = "-absent"},
    {"query repeated", .query = "a=1&b=2&a=3", .attribute = "query.a", .expected = "[1|3]"},
    {"query decoded", .query = "%61+b=c%2bd+e%zz", .attribute = "query.a b",
     .expected = "c+d e%zz"},
    {"several decoded", .query = "x=%41&%79=%42&z=%43", .attribute = "query.y", .expected = "B"},
    {"query without '='", .query = "x&a", .attribute = "query.a", .expected = ""},
    {"query empty value", .query = "a=", .attribute = "query.a", .expected = ""},
    {"no query", .attribute = "query.a", .expected = "-absent"},
    {"empty query", .query = "", .attribute = "query.a", .expected = "-absent"},

    {"trusted header", .fields = "X-Region: eu", .attribute = "region", .expected = "eu"},
    {"from anyone it does not count", .untrusted = true, .fields = "X-Region: eu",
     .attribute = "region", .expected = "-untrusted 'eu'"},
    {"untrusted and absent", .untrusted = true, .attribute = "region", .expected = "-absent"},
    {"untrusted and repeated", .untrusted = true, .fields = "X-Region: eu\nX-Region: us",
     .attribute = "region", .expected = "-untrusted 'eu'"},
    {"trusted header repeated", .fields = "X-Region: eu\nX-Region: us", .attribute = "region",
     .expected = "-repeated"},
    {"even when they agree", .fields = "X-Region: eu\nx-region: eu", .attribute = "region",
     .expected = "-repeated"},
    {"one line with a comma", .fields = "X-Region: eu, us", .attribute = "region",
     .expected = "eu, us"},
    {"a rule file's header counts", .untrusted = true, .fields = "X-Plan: pro", .attribute = "plan",
     .expected = "pro"},
    {"a rule file's header may repeat", .untrusted = true, .fields = "X-Plan: a\nX-Plan: b",
     .attribute = "plan", .expected = "[a|b]"},
    {"a rule file's cookie", .untrusted = true, .fields = "Cookie: plan=pro", .attribute = "plan",
     .expected = "pro"},

    {"first source", .fields = "X-Joined: 2026-01-01", .query = "joined=2025-01-01",
     .attribute = "joined", .expected = "2026-01-01"},
    {"second source", .query = "joined=2025-01-01", .attribute = "joined",
     .expected = "2025-01-01"},
    {"first does not count", .untrusted = true, .fields = "X-Joined: 2026-01-01",
     .query = "joined=2025-01-01", .attribute = "joined", .expected = "2025-01-01"},
    {"first is repeated", .fields = "X-Joined: 1767225600\nX-Joined: 1767225600",
     .query = "joined=2025-01-01", .attribute = "joined", .expected = "-repeated"},
    {"first wins and does not parse", .fields = "X-Joined: soon", .query = "joined=2025-01-01",
     .attribute = "joined", .expected = "-unparsable 'soon'"},
    {"first wins and is empty", .fields = "X-Joined:", .query = "joined=2025-01-01",
     .attribute = "joined", .expected = "-unparsable ''"},
    {"the first reason is told", .fields = "X-Peer: ::1\nX-Peer: ::1\nX-Peer-2: ::1\nX-Peer-2: ::2",
     .attribute = "peer", .expected = "-repeated"},
    {"the first text is told", .untrusted = true, .fields = "X-Peer-2: ::2\nX-Peer: ::1",
     .attribute = "peer", .expected = "-untrusted '::1'"},
    {"a later one that counts", .untrusted = true, .fields = "X-Peer: ::1\nCookie: peer=::2",
     .attribute = "peer", .expected = "::2"},

    {"number", .fields = "X-Level: 1.50", .attribute = "level", .expected = "1.50"},
    {"numbers", .fields = "X-Level: 1\nX-Level: 2", .attribute = "level", .expected = "[1|2]"},
    {"one of them is none", .fields = "X-Level: 1\nX-Level: two\nX-Level: three",
     .attribute = "level", .expected = "-unparsable 'two'"},
    {"a number does not divide", .fields = "X-Level: 1,2", .attribute = "level",
     .expected = "-unparsable '1,2'"},
    {"bool", .fields = "Cookie: beta=true", .attribute = "beta", .expected = "true"},
    {"bool empty", .fields = "Cookie: beta=", .attribute = "beta", .expected = "-unparsable ''"},
    {"semver", .query = "sem=1.0.0%2Bx", .attribute = "sem", .expected = "1.0.0+x"},
    {"semver that is a version", .query = "sem=1.0", .attribute = "sem",
     .expected = "-unparsable '1.0'"},

    {"list", .fields = "X-Groups: a, b ,,c,", .attribute = "groups", .expected = "[a|b|c]"},
    {"list of one", .fields = "X-Groups: a", .attribute = "groups", .expected = "[a]"},
    {"lists together", .fields = "X-Groups: a,b\nX-Groups: c", .attribute = "groups",
     .expected = "[a|b|c]"},
    {"one is empty", .fields = "X-Groups: ,\nX-Groups: c", .attribute = "groups",
     .expected = "[c]"},
    {"without elements", .fields = "X-Groups: , ,", .attribute = "groups",
     .expected = "-empty list"},
    {"empty", .fields = "X-Groups:", .attribute = "groups", .expected = "-empty list"},
    {"an empty list wins too", .fields = "X-Groups:", .query = "groups=a", .attribute = "groups",
     .expected = "-empty list"},
    {"repeated query", .query = "groups=a,b&groups=c", .attribute = "groups",
     .expected = "[a|b|c]"},

    {"first group", .fields = "User-Agent: My App/5.2 (x)", .attribute = "app", .expected = "5.2"},
    {"no match is not present", .fields = "User-Agent: curl/8", .attribute = "app",
     .expected = "-absent"},
    {"then the next", .fields = "User-Agent: curl/8", .query = "app=7", .attribute = "app",
     .expected = "7"},
    {"what does not match is left out", .fields = "User-Agent: curl/8\nUser-Agent: App/5",
     .attribute = "app", .expected = "5"},
    {"of three, two", .fields = "User-Agent: App/4\nUser-Agent: curl/8\nUser-Agent: App/5",
     .attribute = "app", .expected = "[4|5]"},
    {"a capture that does not parse", .fields = "User-Agent: App/5.2.", .attribute = "app",
     .expected = "-unparsable '5.2.'"},
    {"whole match", .fields = "X-Tier: is gold!", .attribute = "tier", .expected = "gold"},
    {"trusted header with regex repeated", .fields = "X-Tier: gold\nX-Tier: tin",
     .attribute = "tier", .expected = "-repeated"},
    {"an empty group", .fields = "Cookie: mark=m", .attribute = "mark", .expected = ""},

    {"age", .fields = "X-Joined: 2026-01-01", .attribute = "joined.age", .expected = "1d"},
    {"age in the future", .fields = "X-Joined: 2026-01-02T00:00:30Z", .attribute = "joined.age",
     .expected = "-30s"},
    {"ages", .query = "t=2026-01-01&t=2026-01-02&t=2026-01-03", .attribute = "times.age",
     .expected = "[1d|0s|-1d]"},
    {"age of what is absent", .attribute = "joined.age", .expected = "-absent"},
    {"age of what does not count", .untrusted = true, .fields = "X-Joined: 2026-01-01",
     .attribute = "joined.age", .expected = "-untrusted '2026-01-01'"},
    {"age of what does not parse", .query = "t=2026-01-01&t=x", .attribute = "times.age",
     .expected = "-unparsable 'x'"},
};

START_TEST(reading)
{
  struct fixture it;
  setup(&it);
  for (size_t i = 0; i < COUNT(cases); i++) {
    it.request.trusted = !cases[i].untrusted;
    it.request.field_count = 0;
    if (cases[i].fields) set_fields(&it, cases[i].fields);
    it.request.query = str_from_cstr(cases[i].query);
    check_value(&it, cases[i].what, cases[i].attribute, cases[i].expected);
  }
  teardown(&it);
}
END_TEST

START_TEST(values_are_typed)
{
  struct fixture it;
  setup(&it);
  set_fields(&it,
             "X-Level: -2.5\nX-Joined: 2026-01-01\nX-Peer: ::ffff:10.0.0.1\nCookie: beta=true");
  uint16_t level = slot_of(&it, "level"), joined = slot_of(&it, "joined"),
           age = slot_of(&it, "joined.age"), beta = slot_of(&it, "beta"),
           peer = slot_of(&it, "peer"), ip = slot_of(&it, "client_ip"), now = slot_of(&it, "now");
  begin(&it);
  ck_assert_double_eq(attr_read(it.reader, level)->data->as.number, -2.5);
  ck_assert_int_eq(attr_read(it.reader, joined)->data->as.ms, now_ms - DAY_MS);
  ck_assert_int_eq(attr_read(it.reader, age)->data->as.ms, DAY_MS);
  ck_assert(attr_read(it.reader, beta)->data->as.boolean);
  ck_assert(ip_is_v4(&attr_read(it.reader, peer)->data->as.ip));
  ck_assert(ip_eq(&attr_read(it.reader, ip)->data->as.ip, &it.request.client_ip));
  ck_assert_int_eq(attr_read(it.reader, now)->data->as.ms, now_ms);
  teardown(&it);
}
END_TEST

START_TEST(absent_host)
{
  struct fixture it;
  setup(&it);
  it.request.host = (struct str){0}; /* HTTP/1.0 */
  check_value(&it, "no host", "host", "-absent");
  it.request.host = STR("");
  check_value(&it, "empty host", "host", "");
  teardown(&it);
}
END_TEST

START_TEST(a_slot_is_read_once_a_request)
{
  struct fixture it;
  setup(&it);
  uint16_t slot = slot_of(&it, "header.x-a");
  set_fields(&it, "X-A: 1");
  begin(&it);
  const struct attr_value *value = attr_read(it.reader, slot);
  ck_assert_view_eq(value->data[0].text, "1");
  set_fields(&it, "X-A: 2");
  ck_assert_ptr_eq(attr_read(it.reader, slot), value);
  ck_assert_view_eq(attr_read(it.reader, slot)->data[0].text, "1");
  begin(&it);
  ck_assert_view_eq(attr_read(it.reader, slot)->data[0].text, "2");
  teardown(&it);
}
END_TEST

START_TEST(tables_of_any_size)
{
  struct fixture it;
  setup(&it);
  set_fields(&it, "X-A: 1\nX-300: 2");
  uint16_t first = slot_of(&it, "header.x-a");
  begin(&it);
  ck_assert_view_eq(attr_read(it.reader, first)->data->text, "1");
  for (unsigned i = 0; i < 1000; i++) {
    char name[32];
    snprintf(name, sizeof(name), "header.x-%u", i);
    (void)slot_of(&it, name);
  }
  begin(&it);
  ck_assert_view_eq(attr_read(it.reader, slot_of(&it, "header.x-300"))->data->text, "2");
  ck_assert_view_eq(attr_read(it.reader, first)->data->text, "1");

  struct attr_table *small = attr_table_new(it.arena, it.catalog);
  uint16_t only = attr_table_slot(small, STR("header.x-300"));
  attr_reader_begin(it.reader, small, &it.request);
  ck_assert_view_eq(attr_read(it.reader, only)->data->text, "2");
  teardown(&it);
}
END_TEST

START_TEST(time_that_was_read)
{
  static const struct {
    const char *attribute;
    bool timed;
  } timed_cases[] = {
      {"now", true},        {"now.weekday", true}, {"now.time", true},
      {"joined.age", true}, {"times.age", false}, /* missing */
      {"joined", false},    {"path", false},       {"header.x-joined", false},
  };
  struct fixture it;
  setup(&it);
  set_fields(&it, "X-Joined: 2026-01-01");
  for (size_t i = 0; i < COUNT(timed_cases); i++) {
    uint16_t slot = slot_of(&it, timed_cases[i].attribute);
    begin(&it);
    ck_assert(!attr_reader_time_was_read(it.reader));
    (void)attr_read(it.reader, slot);
    ck_assert_msg(attr_reader_time_was_read(it.reader) == timed_cases[i].timed, "%s",
                  timed_cases[i].attribute);
    begin(&it);
    attr_reader_begin_trace(it.reader);
    (void)attr_read(it.reader, slot);
    ck_assert_msg(!attr_reader_time_was_read(it.reader), "%s, by the trace only",
                  timed_cases[i].attribute);
  }
  teardown(&it);
}
END_TEST

START_TEST(ages_do_not_overflow)
{
  struct fixture it;
  setup(&it);
  uint16_t age = slot_of(&it, "joined.age");
  set_fields(&it, "X-Joined: 1969-12-31");
  it.request.now_ms = INT64_MAX;
  begin(&it);
  ck_assert_int_eq(attr_read(it.reader, age)->data->as.ms, INT64_MAX);
  set_fields(&it, "X-Joined: 2026-01-01");
  it.request.now_ms = INT64_MIN;
  begin(&it);
  ck_assert_int_eq(attr_read(it.reader, age)->data->as.ms, INT64_MIN);
  teardown(&it);
}
END_TEST

/* ---- limits ---------------------------------------------------------------------------------- */

static char subject_bytes[REGEX_SUBJECT_MAX];

static struct str subject(size_t n) {
  memset(subject_bytes, 'a', sizeof(subject_bytes));
  return str_make(subject_bytes, n);
}

START_TEST(subjects_have_a_budget)
{
  struct fixture it;
  setup(&it);
  struct regex_error error;
  struct regex *regex = regex_new(STR("b|(a)"), &error);
  struct str capture;
  begin(&it);
  for (unsigned i = 0; i < 32; i++) {
    ck_assert_int_eq(attr_reader_match(it.reader, regex, subject(2048), &capture), ATTR_MATCHED);
    ck_assert_view_eq(capture, "a");
  }
  ck_assert_int_eq(attr_reader_match(it.reader, regex, subject(1), NULL), ATTR_MATCH_LIMIT);
  ck_assert_int_eq(attr_reader_match(it.reader, regex, subject(0), NULL), ATTR_UNMATCHED);
  attr_reader_begin_trace(it.reader);
  ck_assert_int_eq(attr_reader_match(it.reader, regex, subject(1), NULL), ATTR_MATCHED);
  begin(&it);
  for (unsigned i = 0; i < 32; i++) {
    ck_assert_int_eq(attr_reader_match(it.reader, regex, subject(2047), NULL), ATTR_MATCHED);
  }
  ck_assert_int_eq(attr_reader_match(it.reader, regex, subject(33), NULL), ATTR_MATCH_LIMIT);
  ck_assert_int_eq(attr_reader_match(it.reader, regex, subject(32), NULL), ATTR_MATCHED);
  begin(&it);
  ck_assert_int_eq(attr_reader_match(it.reader, regex, subject(2048), NULL), ATTR_MATCHED);
  regex_free(&regex);
  teardown(&it);
}
END_TEST

START_TEST(limits_leave_a_source_undecided)
{
  struct fixture it;
  setup(&it);
  static char agent[REGEX_SUBJECT_MAX + 1];
  memset(agent, 'x', sizeof(agent));
  uint16_t app = slot_of(&it, "app");
  struct text text;
  text_init(&text, 64);

  /* A subject that is too long decides nothing, whatever the next source says. */
  it.request.query = STR("app=7");
  it.fields[0] =
      (struct http_field){.name = STR("User-Agent"), .value = str_make(agent, sizeof(agent))};
  it.request.field_count = 1;
  check_value(&it, "too long", "app", "?");
  /* One undecided among those that match. */
  it.fields[1] = (struct http_field){.name = STR("User-Agent"), .value = STR("App/5")};
  it.request.field_count = 2;
  check_value(&it, "one of two too long", "app", "?");
  it.fields[0].value.n--;
  check_value(&it, "both short enough", "app", "5");

  /* The budget is used up before the source is read; a trace does not read it again. */
  struct regex_error error;
  struct regex *regex = regex_new(STR("a"), &error);
  begin(&it);
  for (unsigned i = 0; i < 32; i++) {
    ck_assert_int_eq(attr_reader_match(it.reader, regex, subject(2048), NULL), ATTR_MATCHED);
  }
  ck_assert_int_eq(attr_read(it.reader, app)->state, ATTR_UNDECIDED);
  attr_reader_begin_trace(it.reader);
  ck_assert_int_eq(attr_read(it.reader, app)->state, ATTR_UNDECIDED);
  begin(&it);
  render(attr_read(it.reader, app), &text);
  ck_assert_view_eq(text_str(&text), "5");
  regex_free(&regex);
  text_deinit(&text);
  teardown(&it);
}
END_TEST

/* `n` bytes of `pattern` again and again. */
static struct str repeat(const char *pattern, size_t n) {
  size_t period = str_from_cstr(pattern).n;
  char *bytes = malloc(n);
  ck_assert_ptr_nonnull(bytes);
  for (size_t i = 0; i < n; i++) bytes[i] = pattern[i % period];
  return str_make(bytes, n);
}

static void drop(struct str repeated) {
  free((void *)(uintptr_t)repeated.p);
}

START_TEST(memory_is_bounded)
{
  enum { MIB = 1 << 20 };
  struct fixture it;
  setup(&it);
  uint16_t cookie = slot_of(&it, "cookie.a"), missing = slot_of(&it, "cookie.b"),
           groups = slot_of(&it, "groups"), method = slot_of(&it, "method"),
           query = slot_of(&it, "query.a");
  struct str cookies = repeat("a=;", MIB), list = repeat("a,", MIB), keys = repeat("a&", MIB);
  struct str ret;

  it.fields[0] = (struct http_field){.name = STR("Cookie"), .value = cookies};
  it.fields[1] = (struct http_field){.name = STR("X-Groups"), .value = list};
  it.request.field_count = 2;
  begin(&it);
  ck_assert_int_eq(attr_read(it.reader, missing)->state, ATTR_MISSING);
  ck_assert(attr_reader_cookie(it.reader, STR("a"), 1000, &ret));
  /* Together they are more than a request may take: undecided, never wrongly absent. */
  ck_assert_int_eq(attr_read(it.reader, cookie)->state, ATTR_UNDECIDED);
  ck_assert_int_eq(attr_read(it.reader, groups)->state, ATTR_UNDECIDED);
  ck_assert_int_eq(attr_read(it.reader, method)->state, ATTR_PRESENT);

  it.request.query = keys;
  begin(&it);
  ck_assert_int_eq(attr_read(it.reader, query)->state, ATTR_UNDECIDED);
  it.request.query = str_take(keys, 65536);
  begin(&it);
  ck_assert_uint_eq(attr_read(it.reader, query)->n, 32768);

  struct str more = repeat("a=;", 3 * MIB);
  it.fields[0].value = more;
  begin(&it);
  ck_assert_int_eq(attr_read(it.reader, missing)->state, ATTR_UNDECIDED);
  ck_assert(!attr_reader_cookie(it.reader, STR("a"), 0, &ret));

  /* And the next request is as if nothing had been. */
  set_fields(&it, "Cookie: a=1");
  begin(&it);
  ck_assert_view_eq(attr_read(it.reader, cookie)->data->text, "1");
  drop(cookies);
  drop(list);
  drop(keys);
  drop(more);
  teardown(&it);
}
END_TEST

/* ---- lookups --------------------------------------------------------------------------------- */

START_TEST(cookies_and_headers_by_number)
{
  struct fixture it;
  setup(&it);
  struct str value = {0};
  set_fields(&it, "Cookie: s=1; t=2; s=3\nX-A: one\nCookie: S=4; s=5\nx-a: two");
  begin(&it);
  static const char *const expected[] = {"1", "3", "5"};
  for (size_t k = 0; k < COUNT(expected); k++) {
    ck_assert(attr_reader_cookie(it.reader, STR("s"), k, &value));
    ck_assert_view_eq(value, expected[k]);
  }
  ck_assert(!attr_reader_cookie(it.reader, STR("s"), 3, &value));
  ck_assert(!attr_reader_cookie(it.reader, STR("u"), 0, &value));
  ck_assert_view_eq(value, "5");

  ck_assert(attr_request_header(&it.request, STR("X-A"), 0, &value));
  ck_assert_view_eq(value, "one");
  ck_assert(attr_request_header(&it.request, STR("X-A"), 1, &value));
  ck_assert_view_eq(value, "two");
  ck_assert(!attr_request_header(&it.request, STR("X-A"), 2, &value));
  ck_assert(!attr_request_header(&it.request, STR("X-B"), 0, &value));
  teardown(&it);
}
END_TEST

START_TEST(reasons_have_words)
{
  for (int why = ATTR_MISSING_ABSENT; why <= ATTR_MISSING_NOT_SUPPLIED; why++) {
    ck_assert_str_ne(attr_missing_text((enum attr_missing)why), "");
  }
}
END_TEST

UNIT_MAIN("attrs_reader", reading, values_are_typed, absent_host, a_slot_is_read_once_a_request,
          tables_of_any_size, time_that_was_read, ages_do_not_overflow, subjects_have_a_budget,
          limits_leave_a_source_undecided, memory_is_bounded, cookies_and_headers_by_number,
          reasons_have_words)
