/*
 * What the client says of itself, as attributes: whose word counts, what is missing and why, that
 * it is read when it is asked for, once, and without memory.
 */
#include <string.h>

#include "adit/arena.h"
#include "adit/attrs.h"
#include "failing_memory.h"
#include "field_lines.h"
#include "unit.h"

#define COUNT(array) (sizeof(array) / sizeof(*(array)))

#define IPHONE                                                           \
  "Mozilla/5.0 (iPhone; CPU iPhone OS 17_1 like Mac OS X) "              \
  "AppleWebKit/605.1.15 (KHTML, like Gecko) Version/17.1 Mobile/15E148 " \
  "Safari/604.1"
#define LINUX  "Mozilla/5.0 (X11; Linux x86_64; rv:133.0) Gecko/20100101 Firefox/133.0"
#define CHROME "\"Google Chrome\";v=\"131\", \"Chromium\";v=\"131\", \"Not_A Brand\";v=\"24\""

enum { AGENT_NAMES = 6 };

struct fixture {
  struct attr_catalog *catalog;
  struct arena *arena;
  struct attr_table *table;
  struct attr_reader *reader;
  struct http_field fields[16];
  struct attr_request request;
};

static const char *const names[] = {"language",          "device",  "os",
                                    "os.version",        "browser", "browser.version",
                                    "header.user-agent", "cookie.a"};

static void setup(struct fixture *it) {
  *it = (struct fixture){.catalog = attr_catalog_new(ATTR_SCOPE_GATEWAY, NULL),
                         .arena = arena_new(1 << 20),
                         .reader = attr_reader_new()};
  it->table = attr_table_new(it->arena, it->catalog);
  it->request.fields = it->fields;
  ck_assert(it->table && it->reader);
  /* A table is complete before requests are read by it. */
  for (size_t i = 0; i < COUNT(names); i++)
    ck_assert_uint_eq(attr_table_slot(it->table, str_from_cstr(names[i])), i);
}

static void teardown(struct fixture *it) {
  attr_reader_free(&it->reader);
  arena_free(&it->arena);
  attr_catalog_unref(&it->catalog);
}

static void set_fields(struct fixture *it, const char *lines) {
  it->request.field_count = field_lines(lines, it->fields, COUNT(it->fields));
}

static void begin(struct fixture *it) {
  attr_reader_begin(it->reader, it->table, &it->request);
}

static const struct attr_value *read_name(struct fixture *it, const char *name) {
  uint16_t slot = attr_table_slot(it->table, str_from_cstr(name));
  ck_assert_uint_ne(slot, ATTR_SLOT_NONE);
  return attr_read(it->reader, slot);
}

/* ---- values and whose word they are ---------------------------------------------------------- */

static const char absent[] = "-absent", untold[] = "-untold";

static const struct {
  const char *fields, *attribute, *expected, *whose;
} cases[] = {
    {"", "language", absent, NULL},
    {"Accept-Language: de-ch, en;q=0.5", "language", "de-CH", "Accept-Language"},
    {"accept-language: en;q=0.5\nX: 1\nAccept-Language: fr", "language", "fr", "Accept-Language"},
    {"Accept-Language: *", "language", untold, NULL},
    {"Accept-Language: en;q=0", "language", untold, NULL},
    {"Accept-Language: en;q=high", "language", untold, NULL},
    {"Accept-Language:", "language", untold, NULL},

    {"", "device", absent, NULL},
    {"User-Agent: " IPHONE, "device", "mobile", "User-Agent"},
    {"User-Agent: " IPHONE, "os", "ios", "User-Agent"},
    {"User-Agent: " IPHONE, "os.version", "17.1", "User-Agent"},
    {"User-Agent: " IPHONE, "browser", "safari", "User-Agent"},
    {"User-Agent: " IPHONE, "browser.version", "17.1", "User-Agent"},
    {"User-Agent: " LINUX, "os.version", untold, NULL},
    {"User-Agent: who knows", "device", untold, NULL},
    {"User-Agent:", "browser", untold, NULL},
    {"User-Agent: " IPHONE "\nUser-Agent: " IPHONE, "device", untold, NULL},
    /* Of what does not bear on it there is nothing to tell. */
    {"Sec-CH-UA: " CHROME, "device", absent, NULL},
    {"Sec-CH-UA-Mobile: ?1", "browser", absent, NULL},

    {"User-Agent: " LINUX "\nSec-CH-UA: " CHROME, "browser", "chrome", "Sec-CH-UA"},
    {"User-Agent: " LINUX "\nSec-CH-UA: " CHROME, "browser.version", "131", "Sec-CH-UA"},
    {"User-Agent: " LINUX "\nSec-CH-UA: " CHROME, "device", "desktop", "User-Agent"},
    {"User-Agent: " LINUX "\nSec-CH-UA: \"Grease)\";v=\"9\"", "browser", "firefox", "User-Agent"},
    {"User-Agent: " LINUX "\nSec-CH-UA: Chrome", "browser", "firefox", "User-Agent"},
    {"User-Agent: " LINUX "\nSec-CH-UA: " CHROME "\nSec-CH-UA: " CHROME, "browser", "firefox",
     "User-Agent"},
    {"User-Agent: " LINUX "\nSec-CH-UA-Mobile: ?1", "device", "mobile", "Sec-CH-UA-Mobile"},
    {"Sec-CH-UA-Mobile: ?0\nSec-CH-UA-Platform: \"Android\"", "device", "tablet",
     "Sec-CH-UA-Mobile"},
    {"User-Agent: curl/8\nSec-CH-UA-Mobile: ?1", "device", "bot", "User-Agent"},
    {"User-Agent: " LINUX "\nSec-CH-UA-Platform: \"Linux\"", "os", "linux", "Sec-CH-UA-Platform"},
    {"User-Agent: " IPHONE "\nSec-CH-UA-Platform: \"iOS\"", "os.version", "17.1", "User-Agent"},
    /* Another system's version is not this one's. */
    {"User-Agent: " IPHONE "\nSec-CH-UA-Platform: \"macOS\"", "os.version", untold, NULL},
    {"Sec-CH-UA-Platform: \"Windows\"\nSec-CH-UA-Platform-Version: \"15.0.0\"", "os.version", "11",
     "Sec-CH-UA-Platform-Version"},
};

/* The request field that the value is of. */
static struct str whose(struct attr_table *table, const char *name,
                        const struct attr_value *value) {
  struct str field = {0};
  if (value->source != ATTR_SOURCE_NONE)
    attr_table_request_fields(table, attr_table_slot(table, str_from_cstr(name)), value->source,
                              &field);
  return field;
}

START_TEST(values)
{
  struct fixture it;
  setup(&it);
  for (size_t i = 0; i < COUNT(cases); i++) {
    set_fields(&it, cases[i].fields);
    begin(&it);
    const struct attr_value *value = read_name(&it, cases[i].attribute);
    struct str said = str_from_cstr(absent);
    if (value->state == ATTR_PRESENT)
      said = value->data->text;
    else if (value->why == ATTR_MISSING_NOT_SUPPLIED)
      said = str_from_cstr(untold);
    ck_assert_msg(str_eq(said, str_from_cstr(cases[i].expected)), "%s of %s is %.*s",
                  cases[i].attribute, cases[i].fields, STR_ARG(said));
    ck_assert(value->why != ATTR_MISSING_NOT_SUPPLIED || value->detail.n > 0);
    ck_assert(value->state == ATTR_MISSING || (value->n == 1 && !value->is_list));
    struct str field = whose(it.table, cases[i].attribute, value);
    ck_assert_msg(str_eq(field, str_from_cstr(cases[i].whose)), "%s of %s is %.*s's word",
                  cases[i].attribute, cases[i].fields, STR_ARG(field));
  }
  teardown(&it);
}
END_TEST

START_TEST(trust_does_not_count)
{
  struct fixture it;
  setup(&it);
  set_fields(&it, "User-Agent: " IPHONE "\nAccept-Language: en");
  for (int trusted = 0; trusted < 2; trusted++) {
    it.request.trusted = trusted;
    begin(&it);
    ck_assert_view_eq(read_name(&it, "device")->data->text, "mobile");
    ck_assert_view_eq(read_name(&it, "language")->data->text, "en");
  }
  teardown(&it);
}
END_TEST

START_TEST(versions_are_compared_as_versions)
{
  struct fixture it;
  struct attr_datum nine;
  setup(&it);
  set_fields(&it, "User-Agent: Firefox/133.0");
  begin(&it);
  const struct attr_value *value = read_name(&it, "browser.version");
  ck_assert(attr_datum_parse(ATTR_VERSION, STR("9.9"), &nine));
  ck_assert_int_gt(attr_datum_compare(ATTR_VERSION, value->data, &nine), 0);
  teardown(&it);
}
END_TEST

START_TEST(given_values_stand_for_what_is_sent)
{
  struct fixture it;
  setup(&it);
  const struct str two[] = {STR_INIT("tablet"), STR_INIT("bot")};
  const struct str version[] = {STR_INIT("new")};
  const struct attr_given given[] = {{STR_INIT("device"), two, 2},
                                     {STR_INIT("os"), NULL, 0},
                                     {STR_INIT("os.version"), version, 1},
                                     {STR_INIT("language"), two, 1}};
  set_fields(&it, "User-Agent: " IPHONE "\nAccept-Language: en");
  it.request.given = given;
  it.request.given_count = COUNT(given);
  begin(&it);
  const struct attr_value *device = read_name(&it, "device");
  ck_assert_view_eq(device->data->text, "tablet");
  ck_assert(device->n == 1 && device->source == ATTR_SOURCE_NONE);
  ck_assert_view_eq(read_name(&it, "language")->data->text, "tablet");
  ck_assert_int_eq(read_name(&it, "os")->why, ATTR_MISSING_ABSENT);
  ck_assert_int_eq(read_name(&it, "os.version")->why, ATTR_MISSING_UNPARSABLE);
  ck_assert_view_eq(read_name(&it, "browser")->data->text, "safari");
  teardown(&it);
}
END_TEST

/* ---- what it costs --------------------------------------------------------------------------- */

START_TEST(read_when_it_is_asked_for_and_once)
{
  struct fixture it;
  setup(&it);
  set_fields(&it, "User-Agent: " LINUX "\nAccept-Language: de");
  begin(&it);
  (void)read_name(&it, "header.user-agent");
  /* Reading the header itself has read nothing of these. */
  set_fields(&it, "User-Agent: " IPHONE "\nAccept-Language: fr");
  ck_assert_view_eq(read_name(&it, "device")->data->text, "mobile");
  ck_assert_view_eq(read_name(&it, "language")->data->text, "fr");
  /* Now all of it has, but for what was asked before. */
  set_fields(&it, "User-Agent: " LINUX "\nAccept-Language: it");
  ck_assert_view_eq(read_name(&it, "os")->data->text, "ios");
  ck_assert_view_eq(read_name(&it, "browser.version")->data->text, "17.1");
  ck_assert_view_eq(read_name(&it, "language")->data->text, "fr");
  begin(&it);
  ck_assert_view_eq(read_name(&it, "os")->data->text, "linux");
  ck_assert_view_eq(read_name(&it, "language")->data->text, "it");
  teardown(&it);
}
END_TEST

/* Without a ck_assert, which itself asks for memory. */
static bool read_all(struct fixture *it) {
  bool ok = true;
  for (uint16_t slot = 0; slot < AGENT_NAMES; slot++)
    ok &= attr_read(it->reader, slot)->state == ATTR_PRESENT;
  return ok;
}

START_TEST(no_memory_is_asked_for)
{
  struct fixture it;
  setup(&it);
  set_fields(&it, "User-Agent: " IPHONE "\nAccept-Language: de, en;q=0.5\nSec-CH-UA: " CHROME
                  "\nSec-CH-UA-Mobile: ?1\nSec-CH-UA-Platform: \"Android\""
                  "\nSec-CH-UA-Platform-Version: \"14\"\nCookie: a=1");
  begin(&it);
  uint16_t cookie = attr_table_slot(it.table, STR("cookie.a"));
  arm(0, true);
  bool all_read = read_all(&it), granted = disarm();
  ck_assert(all_read && granted);
  /* A cookie does ask, so that this would have been noticed. */
  arm(0, true);
  enum attr_state state = attr_read(it.reader, cookie)->state;
  granted = disarm();
  ck_assert(!granted);
  ck_assert_int_eq(state, ATTR_UNDECIDED);
  teardown(&it);
}
END_TEST

/* `n` bytes of `pattern` again and again. */
static struct str repeat(char *bytes, const char *pattern, size_t n) {
  for (size_t i = 0; i < n; i++) bytes[i] = pattern[i % strlen(pattern)];
  return str_make(bytes, n);
}

START_TEST(long_fields)
{
  enum { BYTES = 64 * 1024 };
  static char bytes[6][BYTES];
  static const char *const patterns[] = {"a;q=0.1,", "Bot Chrome/1.", "\"\\\"",
                                         "?",        "\"x\";v=",      "\"1."};
  static const struct str fields[] = {
      STR_INIT("Accept-Language"),    STR_INIT("User-Agent"),
      STR_INIT("Sec-CH-UA"),          STR_INIT("Sec-CH-UA-Mobile"),
      STR_INIT("Sec-CH-UA-Platform"), STR_INIT("Sec-CH-UA-Platform-Version")};
  struct fixture it;
  setup(&it);
  it.request.field_count = COUNT(fields);
  for (size_t i = 0; i < COUNT(fields); i++)
    it.fields[i] =
        (struct http_field){.name = fields[i], .value = repeat(bytes[i], patterns[i], BYTES)};
  begin(&it);
  ck_assert_view_eq(read_name(&it, "language")->data->text, "a");
  ck_assert_view_eq(read_name(&it, "device")->data->text, "bot");
  ck_assert_view_eq(read_name(&it, "browser")->data->text, "chrome");
  ck_assert_int_eq(read_name(&it, "os")->state, ATTR_MISSING);
  ck_assert_int_eq(read_name(&it, "os.version")->state, ATTR_MISSING);
  teardown(&it);
}
END_TEST

UNIT_MAIN("attrs_agent", values, trust_does_not_count, versions_are_compared_as_versions,
          given_values_stand_for_what_is_sent, read_when_it_is_asked_for_and_once,
          no_memory_is_asked_for, long_fields)
