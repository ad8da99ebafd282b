/*
 * Names: declarations and their mistakes, what names mean, the slots of a table.
 */
#include <stdio.h>

#include "adit/arena.h"
#include "adit/attrs.h"
#include "adit/json.h"
#include "adit/text.h"
#include "adit/zone.h"
#include "unit.h"

#define COUNT(array) (sizeof(array) / sizeof(*(array)))

/* A catalog with what `json` declares. The diagnostics go to `diags`. */
static struct attr_catalog *declare(enum attr_scope scope, struct attr_catalog *parent,
                                    const char *json, struct diags *diags, bool *ret_ok) {
  struct json_doc *doc = json_parse(str_from_cstr(json), "f", JSON_EDITABLE, diags);
  ck_assert_msg(doc != NULL, "%s", json);
  struct attr_catalog *catalog = attr_catalog_new(scope, parent);
  ck_assert_ptr_nonnull(catalog);
  *ret_ok = attr_catalog_declare(catalog, doc, json_root(doc), diags);
  json_free(&doc);
  return catalog;
}

static struct attr_catalog *declare_well(enum attr_scope scope, struct attr_catalog *parent,
                                         const char *json) {
  struct diags *diags = diags_new();
  bool ok;
  struct attr_catalog *catalog = declare(scope, parent, json, diags, &ok);
  ck_assert_msg(ok && diags_size(diags) == 0, "%s: %s", json,
                diags_size(diags) ? diags_get(diags, 0)->message : "no diagnostics");
  diags_free(&diags);
  return catalog;
}

static const char gateway_json[] =
    "{ 'region': { 'type': 'string', 'from': [{ 'header': 'X-Region' }] },"
    "  'joined': { 'type': 'time', 'from': [{ 'header': 'X-Joined' },"
    "              { 'cookie': 'joined', 'trust': 'anyone' },"
    "              { 'query': 'joined', 'trust': 'anyone' }] },"
    "  'app': { 'type': 'version', 'from': [{ 'header': 'User-Agent', 'regex': 'App/([0-9.]+)',"
    "           'trust': 'anyone' }] } }";

/* The tables write JSON with ' for ", which none of them needs for itself. */
static const char *quoted(const char *json) {
  static char buffer[4096];
  size_t i = 0;
  for (; json[i] != '\0' && i + 1 < sizeof(buffer); i++)
    buffer[i] = json[i] == '\'' ? '"' : json[i];
  buffer[i] = '\0';
  return buffer;
}

static struct attr_catalog *gateway_catalog(void) {
  return declare_well(ATTR_SCOPE_GATEWAY, NULL, quoted(gateway_json));
}

START_TEST(mistakes)
{
  static const struct {
    const char *json, *expected; /* the start of the only diagnostic */
  } cases[] = {
      {"[]", "f:1:1: error: attributes: the value must be an object of names, not array"},
      {"{'a b': {'type':'string','from':[{'header':'X'}]}}",
       "f:1:2: error: attribute 'a b' is not a name"},
      {"{'': {'type':'string','from':[{'header':'X'}]}}",
       "f:1:2: error: attribute '' is not a name"},
      {"{'path': {'type':'string','from':[{'header':'X'}]}}",
       "f:1:2: error: attribute 'path' is built-in"},
      {"{'now': {'type':'time','from':[{'header':'X'}]}}",
       "f:1:2: error: attribute 'now' is built-in"},
      {"{'now.weekday': {'type':'time','from':[{'header':'X'}]}}",
       "f:1:2: error: attribute 'now.weekday' is built-in"},
      {"{'now.time': {'type':'time','from':[{'header':'X'}]}}",
       "f:1:2: error: attribute 'now.time' is built-in"},
      {"{'language': {'type':'string','from':[{'header':'X'}]}}",
       "f:1:2: error: attribute 'language' is built-in"},
      {"{'device': {'type':'string','from':[{'header':'X'}]}}",
       "f:1:2: error: attribute 'device' is built-in"},
      {"{'os': {'type':'string','from':[{'header':'X'}]}}",
       "f:1:2: error: attribute 'os' is built-in"},
      {"{'os.version': {'type':'version','from':[{'header':'X'}]}}",
       "f:1:2: error: attribute 'os.version' is built-in"},
      {"{'browser': {'type':'string','from':[{'header':'X'}]}}",
       "f:1:2: error: attribute 'browser' is built-in"},
      {"{'browser.version': {'type':'version','from':[{'header':'X'}]}}",
       "f:1:2: error: attribute 'browser.version' is built-in"},
      {"{'header.x': {'type':'string','from':[{'header':'X'}]}}",
       "f:1:2: error: attribute 'header.x' is built-in"},
      {"{'query.': {'type':'string','from':[{'header':'X'}]}}",
       "f:1:2: error: attribute 'query.' is built-in"},
      {"{'all': {'type':'string','from':[{'header':'X'}]}}",
       "f:1:2: error: attribute 'all' is a word"},
      {"{'any': {'type':'string','from':[{'header':'X'}]}}",
       "f:1:2: error: attribute 'any' is a word"},
      {"{'not': {'type':'string','from':[{'header':'X'}]}}",
       "f:1:2: error: attribute 'not' is a word"},
      {"{'segment': {'type':'string','from':[{'header':'X'}]}}",
       "f:1:2: error: attribute 'segment' is a word"},
      {"{'x.age': {'type':'string','from':[{'header':'X'}]}}",
       "f:1:2: error: attribute 'x.age' ends in '.age'"},
      {"{'a': 5}", "f:1:7: error: attribute 'a': its declaration must be an object"},
      {"{'a': {'from':[{'header':'X'}]}}", "f:1:2: error: attribute 'a' has no type"},
      {"{'a': {'type':5,'from':[{'header':'X'}]}}",
       "f:1:15: error: attribute 'a': 'type' must be a string, not number"},
      {"{'a': {'type':'sting','from':[{'header':'X'}]}}",
       "f:1:15: error: attribute 'a': unknown type 'sting' (did you mean 'string'?)"},
      {"{'a': {'type':'duration','from':[{'header':'X'}]}}",
       "f:1:15: error: attribute 'a': unknown type 'duration'"},
      {"{'a': {'type':'string'}}", "f:1:2: error: attribute 'a' has no sources"},
      {"{'a': {'type':'string','from':[]}}", "f:1:24: error: attribute 'a' has no sources"},
      {"{'a': {'type':'string','from':{'header':'X'}}}",
       "f:1:31: error: attribute 'a': 'from' must be a list of sources, not object"},
      {"{'a': {'type':'string','from':[{'header':'X'}],'form':1}}",
       "f:1:48: error: attribute 'a': unknown key 'form'"},
      {"{'a': {'type':'string','from':['X']}}",
       "f:1:32: error: attribute 'a': a source must be an object like"},
      {"{'a': {'type':'string','from':[{}]}}",
       "f:1:32: error: attribute 'a': a source has none of"},
      {"{'a': {'type':'string','from':[{'header':'X','query':'x','trust':'anyone'}]}}",
       "f:1:32: error: attribute 'a': a source has several of"},
      {"{'a': {'type':'string','from':[{'header':'X Y'}]}}",
       "f:1:42: error: attribute 'a': 'X Y' is not a name of a header"},
      {"{'a': {'type':'string','from':[{'header':''}]}}",
       "f:1:42: error: attribute 'a': '' is not a name of a header"},
      {"{'a': {'type':'string','from':[{'header':true}]}}",
       "f:1:42: error: attribute 'a': the source's name must be a string"},
      {"{'a': {'type':'string','from':[{'cookie':'','trust':'anyone'}]}}",
       "f:1:42: error: attribute 'a': '' is not a name of a cookie"},
      {"{'a': {'type':'string','from':[{'header':'X','regexp':'x'}]}}",
       "f:1:46: error: attribute 'a': unknown key 'regexp'"},
      {"{'a': {'type':'string','from':[{'header':'X','regex':'(x'}]}}",
       "f:1:54: error: attribute 'a': regex does not compile"},
      {"{'a': {'type':'string','from':[{'header':'X','regex':'(x)\\\\1'}]}}",
       "f:1:54: error: attribute 'a': regex does not compile"},
      {"{'a': {'type':'string','from':[{'header':'X','regex':1}]}}",
       "f:1:54: error: attribute 'a': 'regex' must be a string"},
      {"{'a': {'type':'string','from':[{'cookie':'c'}]}}",
       "f:1:32: error: attribute 'a': a cookie is the client's own word (add \"trust\": "
       "\"anyone\")"},
      {"{'a': {'type':'string','from':[{'query':'q'}]}}",
       "f:1:32: error: attribute 'a': a query parameter is the client's own word"},
      {"{'a': {'type':'string','from':[{'header':'X','trust':'proxy'}]}}",
       "f:1:54: error: attribute 'a': 'trust' can only be \"anyone\""},
      {"{'a': {'type':'string','from':[{'header':'X','trust':true}]}}",
       "f:1:54: error: attribute 'a': 'trust' can only be \"anyone\""},
  };
  for (size_t i = 0; i < COUNT(cases); i++) {
    struct diags *diags = diags_new();
    bool ok;
    struct attr_catalog *catalog =
        declare(ATTR_SCOPE_GATEWAY, NULL, quoted(cases[i].json), diags, &ok);
    ck_assert_msg(!ok, "%s", cases[i].json);
    struct text text;
    text_init(&text, 4096);
    diags_format(diags, &text);
    ck_assert_msg(str_starts_with(text_str(&text), str_from_cstr(cases[i].expected)),
                  "%s gives '%s'", cases[i].json, text.p);
    ck_assert_msg(diags_size(diags) == 1, "%s gives more: '%s'", cases[i].json, text.p);
    text_deinit(&text);
    attr_catalog_unref(&catalog);
    diags_free(&diags);
  }
}
END_TEST

START_TEST(several_mistakes_are_told_at_once)
{
  struct diags *diags = diags_new();
  bool ok;
  struct attr_catalog *catalog = declare(
      ATTR_SCOPE_GATEWAY, NULL,
      quoted("{'path': {'type':'x','from':[{'header':'a b'},{'cookie':'c','regex':'('}]},"
             " 'b': {'type':'time','from':[]}, 'c': {'type':'ip','from':[{'header':'C'}]}}"),
      diags, &ok);
  ck_assert(!ok);
  ck_assert_uint_eq(diags_count(diags, DIAG_ERROR), 6);
  /* So that conditions on it are not wrong for that alone. */
  enum attr_type type;
  ck_assert(attr_catalog_find(catalog, STR("b"), &type) && type == ATTR_TIME);
  ck_assert(attr_catalog_find(catalog, STR("c"), &type) && type == ATTR_IP);
  attr_catalog_unref(&catalog);
  diags_free(&diags);
}
END_TEST

START_TEST(rule_files_declare_on_top)
{
  struct attr_catalog *gateway = gateway_catalog();
  struct attr_catalog *file = declare_well(
      ATTR_SCOPE_RULE_FILE, gateway,
      quoted("{'plan': "
             "{'type':'string','from':[{'cookie':'plan'},{'query':'p'},{'header':'X-Plan'}]}}"));
  struct attr_catalog *kept = gateway;
  attr_catalog_unref(&kept);
  ck_assert_ptr_null(kept);

  ck_assert(attr_catalog_declares(file, STR("plan")));
  ck_assert(attr_catalog_declares(file, STR("region")));
  ck_assert(!attr_catalog_declares(file, STR("path")));
  ck_assert(!attr_catalog_declares(file, STR("joined.age")));
  ck_assert(!attr_catalog_declares(gateway, STR("plan")));
  ck_assert_uint_eq(attr_catalog_size(file), 4);
  ck_assert_uint_eq(attr_catalog_size(gateway), 3);

  static const struct {
    const char *json, *expected;
  } cases[] = {
      {"{'region': {'type':'string','from':[{'header':'R'}]}}",
       "attribute 'region' is declared in adit.json already"},
      {"{'a': {'type':'string','from':[{'header':'R','trust':'anyone'}]}}",
       "attribute 'a': a rule file's sources always count from anyone"},
  };
  for (size_t i = 0; i < COUNT(cases); i++) {
    struct diags *diags = diags_new();
    bool ok;
    struct attr_catalog *catalog =
        declare(ATTR_SCOPE_RULE_FILE, gateway, quoted(cases[i].json), diags, &ok);
    ck_assert(!ok);
    ck_assert_str_eq(diags_get(diags, 0)->message, cases[i].expected);
    attr_catalog_unref(&catalog);
    diags_free(&diags);
  }
  attr_catalog_unref(&file);
}
END_TEST

START_TEST(meaning_of_names)
{
  static const struct {
    const char *name;
    bool known;
    enum attr_type type;
  } cases[] = {
      {"method", true, ATTR_STRING},
      {"scheme", true, ATTR_STRING},
      {"host", true, ATTR_STRING},
      {"path", true, ATTR_STRING},
      {"client_ip", true, ATTR_IP},
      {"now", true, ATTR_TIME},
      {"now.age", true, ATTR_DURATION},
      {"now.weekday", true, ATTR_WEEKDAY},
      {"now.time", true, ATTR_TIME_OF_DAY},
      {"now.time.age", false, ATTR_STRING},
      {"language", true, ATTR_STRING},
      {"device", true, ATTR_STRING},
      {"os", true, ATTR_STRING},
      {"os.version", true, ATTR_VERSION},
      {"os.version.age", false, ATTR_STRING},
      {"browser", true, ATTR_STRING},
      {"browser.version", true, ATTR_VERSION},
      {"now.date", false, ATTR_STRING},
      {"header.x-anything", true, ATTR_STRING},
      {"header.X-Anything", true, ATTR_STRING},
      {"header.age", true, ATTR_STRING},
      {"header.joined.age", true, ATTR_STRING},
      {"cookie.a b", true, ATTR_STRING},
      {"query.age", true, ATTR_STRING},
      {"region", true, ATTR_STRING},
      {"joined", true, ATTR_TIME},
      {"joined.age", true, ATTR_DURATION},
      {"app", true, ATTR_VERSION},
      {"", false, ATTR_STRING},
      {"Path", false, ATTR_STRING},
      {"header", false, ATTR_STRING},
      {"header.", false, ATTR_STRING},
      {"header.a b", false, ATTR_STRING},
      {"Header.x", false, ATTR_STRING},
      {"cookie.", false, ATTR_STRING},
      {"query.", false, ATTR_STRING},
      {".age", false, ATTR_STRING},
      {"region.age", false, ATTR_STRING},
      {"client_ip.age", false, ATTR_STRING},
      {"joined.age.age", false, ATTR_STRING},
      {"Region", false, ATTR_STRING},
  };
  struct attr_catalog *catalog = gateway_catalog();
  struct arena *arena = arena_new(1 << 20);
  struct attr_table *table = attr_table_new(arena, catalog);
  for (size_t i = 0; i < COUNT(cases); i++) {
    struct str name = str_from_cstr(cases[i].name);
    enum attr_type type;
    ck_assert_msg(attr_catalog_find(catalog, name, &type) == cases[i].known, "%s", cases[i].name);
    uint16_t slot = attr_table_slot(table, name);
    ck_assert_msg((slot != ATTR_SLOT_NONE) == cases[i].known, "%s", cases[i].name);
    if (!cases[i].known) continue;
    ck_assert_msg(type == cases[i].type, "%s", cases[i].name);
    ck_assert_msg(attr_table_type(table, slot) == type, "%s", cases[i].name);
    ck_assert_msg(str_eq_nocase(attr_table_name(table, slot), name), "%s", cases[i].name);
  }
  arena_free(&arena);
  attr_catalog_unref(&catalog);
}
END_TEST

static bool has_name(const char *const *names, const char *name) {
  for (; *names; names++) {
    if (str_eq(str_from_cstr(*names), str_from_cstr(name))) return true;
  }
  return false;
}

START_TEST(names_for_suggestions)
{
  struct attr_catalog *gateway = gateway_catalog();
  struct attr_catalog *plain = attr_catalog_new(ATTR_SCOPE_RULE_FILE, gateway);
  struct attr_catalog *file =
      declare_well(ATTR_SCOPE_RULE_FILE, gateway,
                   quoted("{'plan': {'type':'string','from':[{'cookie':'plan'}]}}"));
  static const char *const common[] = {"method", "client_ip", "header.",
                                       "region", "joined",    "joined.age"};
  for (size_t i = 0; i < COUNT(common); i++) {
    ck_assert_msg(has_name(attr_catalog_names(gateway), common[i]), "%s", common[i]);
    ck_assert_msg(has_name(attr_catalog_names(plain), common[i]), "%s", common[i]);
    ck_assert_msg(has_name(attr_catalog_names(file), common[i]), "%s", common[i]);
  }
  ck_assert(has_name(attr_catalog_names(file), "plan"));
  ck_assert(!has_name(attr_catalog_names(gateway), "plan"));
  ck_assert(!has_name(attr_catalog_names(gateway), "region.age"));
  attr_catalog_unref(&plain);
  attr_catalog_unref(&file);
  attr_catalog_unref(&gateway);
}
END_TEST

static void append_header(void *context, struct str field_name) {
  text_printf(context, "%.*s ", STR_ARG(field_name));
}

static void check_headers(const struct attr_catalog *catalog, const char *expected) {
  struct text names;
  text_init(&names, 1000);
  attr_catalog_visit_headers(catalog, append_header, &names);
  ck_assert_view_eq(text_str(&names), expected);
  text_deinit(&names);
}

START_TEST(headers_that_are_read)
{
  struct attr_catalog *gateway =
      declare_well(ATTR_SCOPE_GATEWAY, NULL,
                   quoted("{'region': {'type':'string','from':[{'header':'X-Region'},"
                          "{'header':'X-Joined'}]},"
                          "'seen': {'type':'string','from':[{'cookie':'c','trust':'anyone'}]}}"));
  struct attr_catalog *file = declare_well(
      ATTR_SCOPE_RULE_FILE, gateway,
      quoted("{'plan': {'type':'string','from':[{'cookie':'C'},{'header':'X-Plan'}]}}"));
  check_headers(gateway, "X-Region X-Joined ");
  check_headers(file, "X-Plan ");
  attr_catalog_unref(&file);
  attr_catalog_unref(&gateway);
}
END_TEST

START_TEST(slots_are_shared_by_name)
{
  struct attr_catalog *catalog = gateway_catalog();
  struct arena *arena = arena_new(1 << 20);
  struct attr_table *table = attr_table_new(arena, catalog);
  struct attr_catalog *kept = catalog;
  attr_catalog_unref(&kept); /* the table has a reference of its own */

  uint16_t path = attr_table_slot(table, STR("path"));
  uint16_t header = attr_table_slot(table, STR("header.X-A"));
  ck_assert_uint_eq(attr_table_slot(table, STR("path")), path);
  ck_assert_uint_eq(attr_table_slot(table, STR("header.x-a")), header);
  ck_assert_uint_eq(attr_table_slot(table, STR("HEADER.x-a")), ATTR_SLOT_NONE);
  ck_assert_uint_eq(attr_table_size(table), 2);
  ck_assert_view_eq(attr_table_name(table, header), "header.x-a");
  ck_assert_uint_ne(attr_table_slot(table, STR("cookie.a")),
                    attr_table_slot(table, STR("cookie.A")));
  ck_assert_uint_ne(attr_table_slot(table, STR("query.a")), attr_table_slot(table, STR("query.A")));

  uint16_t age = attr_table_slot(table, STR("joined.age"));
  uint16_t joined = attr_table_slot(table, STR("joined"));
  uint16_t now = attr_table_slot(table, STR("now"));
  ck_assert_uint_eq(attr_table_size(table), 9);
  ck_assert(attr_table_is_timed(table, age) && attr_table_is_timed(table, now));
  uint16_t weekday = attr_table_slot(table, STR("now.weekday"));
  ck_assert(attr_table_is_timed(table, weekday) && attr_table_is_noticed(table, weekday));
  ck_assert(attr_table_is_single(table, weekday) && attr_table_is_always(table, weekday));
  ck_assert_view_eq(zone_name(attr_table_zone(table)), "UTC");
  ck_assert(!attr_table_is_timed(table, joined) && !attr_table_is_timed(table, path));
  ck_assert(attr_table_is_path(table, path) && !attr_table_is_path(table, header));
  arena_free(&arena);
}
END_TEST

START_TEST(slots_are_limited)
{
  struct attr_catalog *catalog = attr_catalog_new(ATTR_SCOPE_GATEWAY, NULL);
  struct arena *arena = arena_new(16 << 20);
  struct attr_table *table = attr_table_new(arena, catalog);
  attr_catalog_unref(&catalog);
  char name[32];
  for (unsigned i = 0; i < 4096; i++) {
    int n = snprintf(name, sizeof(name), "header.x-%u", i);
    ck_assert_uint_eq(attr_table_slot(table, str_make(name, (size_t)n)), i);
  }
  ck_assert_uint_eq(attr_table_slot(table, STR("header.x-4096")), ATTR_SLOT_NONE);
  ck_assert_uint_eq(attr_table_slot(table, STR("header.x-4095")), 4095);
  ck_assert_uint_eq(attr_table_slot(table, STR("header.x-0")), 0);
  ck_assert_uint_eq(attr_table_size(table), 4096);
  arena_free(&arena);
}
END_TEST

START_TEST(fields_for_vary)
{
  static const struct {
    const char *name;
    size_t n;
    const char *fields[3];
  } cases[] = {
      {"method", 0, {0}},
      {"host", 0, {0}},
      {"path", 0, {0}},
      {"now", 0, {0}},
      {"now.age", 0, {0}},
      {"query.a", 0, {0}},
      {"scheme", 1, {"X-Forwarded-Proto"}},
      {"client_ip", 1, {"X-Forwarded-For"}},
      {"header.X-A", 1, {"x-a"}},
      {"cookie.a", 1, {"Cookie"}},
      {"language", 1, {"Accept-Language"}},
      {"device", 3, {"Sec-CH-UA-Mobile", "Sec-CH-UA-Platform", "User-Agent"}},
      {"os", 2, {"Sec-CH-UA-Platform", "User-Agent"}},
      {"os.version", 3, {"Sec-CH-UA-Platform-Version", "Sec-CH-UA-Platform", "User-Agent"}},
      {"browser", 2, {"Sec-CH-UA", "User-Agent"}},
      {"browser.version", 2, {"Sec-CH-UA", "User-Agent"}},
      {"region", 1, {"X-Region"}},
      {"joined", 2, {"X-Joined", "Cookie"}},
      {"joined.age", 2, {"X-Joined", "Cookie"}},
  };
  struct attr_catalog *catalog = gateway_catalog();
  struct arena *arena = arena_new(1 << 20);
  struct attr_table *table = attr_table_new(arena, catalog);
  for (size_t i = 0; i < COUNT(cases); i++) {
    uint16_t slot = attr_table_slot(table, str_from_cstr(cases[i].name));
    for (size_t k = 0; k < 3; k++) {
      struct str field = {0};
      size_t n = attr_table_request_fields(table, slot, k, &field);
      ck_assert_msg(n == cases[i].n, "%s has %zu", cases[i].name, n);
      ck_assert_msg(str_eq(field, str_from_cstr(cases[i].fields[k])), "%s, field %zu: '%.*s'",
                    cases[i].name, k, STR_ARG(field));
    }
  }
  arena_free(&arena);
  attr_catalog_unref(&catalog);
}
END_TEST

UNIT_MAIN("attrs_catalog", mistakes, several_mistakes_are_told_at_once, rule_files_declare_on_top,
          meaning_of_names, names_for_suggestions, headers_that_are_read, slots_are_shared_by_name,
          slots_are_limited, fields_for_vary)
