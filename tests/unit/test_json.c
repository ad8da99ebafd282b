/*
 * json: what is taken and what is refused, where, and with which words.
 *
 *   grammar      accepts, refuses, editable, duplicates
 *   a document   places, raw text, numbers
 *   for walkers  known keys, errors, names, number syntax
 *   files        json_load and file_read; json_visit_members, file_copy
 */
#include "adit/json.h"

#include <cjson/cJSON.h>
#include <math.h>
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

#include "adit/text.h"
#include "printed.h"
#include "unit.h"

/* ---- helpers --------------------------------------------------------------------------------- */

static struct json_doc *parse(struct str text, enum json_style style, struct diags **diags) {
  *diags = diags_new();
  ck_assert_ptr_nonnull(*diags);
  return json_parse(text, "x.json", style, *diags);
}

static void nested(char *text, size_t depth) {
  memset(text, '[', depth);
  memset(text + depth, ']', depth);
  text[2 * depth] = '\0';
}

/* ---- grammar --------------------------------------------------------------------------------- */

START_TEST(accepts)
{
  static const struct str cases[] = {
      STR_INIT("{}"),
      STR_INIT("[]"),
      STR_INIT("null"),
      STR_INIT("true"),
      STR_INIT("false"),
      STR_INIT("0"),
      STR_INIT("-0"),
      STR_INIT("-0.0e-0"),
      STR_INIT("10"),
      STR_INIT("1.5E+3"),
      STR_INIT("1e308"),
      STR_INIT("1e-999"),
      STR_INIT("123456789012345678901234567890123456789012345678901234567890123456789012345"),
      STR_INIT("\"\""),
      STR_INIT(" \t\r\n[ 1 , 2 ]\r\n"),
      STR_INIT("[[[]],{\"a\":[{}]}]"),
      STR_INIT("\"\\\"\\\\\\/\\b\\f\\n\\r\\t\\u00e9\\uD83D\\uDE00\""),
      STR_INIT("\"\xC2\x80 \xDF\xBF \xE0\xA0\x80 \xED\x9F\xBF \xEF\xBF\xBF \xF0\x90\x80\x80 "
               "\xF4\x8F\xBF\xBF\""),
      STR_INIT("\"\x7F // no comment /* here */\""),
      STR_INIT("{\"\":1,\" \":2,\"a\":{\"a\":{\"a\":1}}}"),
      STR_INIT("{\"a\":1,\"A\":2}"),
  };
  for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
    for (int style = JSON_STRICT; style <= JSON_EDITABLE; style++) {
      struct diags *diags = NULL;
      struct json_doc *doc = parse(cases[i], (enum json_style)style, &diags);
      ck_assert_msg(doc != NULL, "'%.*s': %s", STR_ARG(cases[i]), printed(diags));
      ck_assert_uint_eq(diags_size(diags), 0);
      ck_assert(str_eq(json_text(doc), cases[i]));
      json_free(&doc);
      ck_assert_ptr_null(doc);
      diags_free(&diags);
    }
  }
}
END_TEST

/* In both styles; what is printed begins with `at` and holds `words`. */
START_TEST(refuses)
{
  static const struct {
    struct str text;
    const char *at;
    const char *words;
  } cases[] = {
      {STR_INIT(""), "1:1", "nothing"},
      {STR_INIT(" \n "), "1:1", "nothing"},
      {STR_INIT("\xEF\xBB\xBF{}"), "1:1", "byte order mark"},
      {STR_INIT("\xFF\xFE{\0}\0"), "1:1", "UTF-16"},
      {STR_INIT("\xFF{}"), "1:1", "0xFF"},
      {STR_INIT("{} {}"), "1:4", "behind the end"},
      {STR_INIT("{}\n]"), "2:1", "behind the end"},
      {STR_INIT("{}\0"), "1:3", "byte 0x00 behind the end"},
      {STR_INIT("1 2"), "1:3", "behind the end"},
      /* Numbers. */
      {STR_INIT("[01]"), "1:2", "leading zero"},
      {STR_INIT("[-01]"), "1:2", "leading zero"},
      {STR_INIT("[00]"), "1:2", "leading zero"},
      {STR_INIT("[1, -]"), "1:5", "malformed number"},
      {STR_INIT("[1.]"), "1:2", "malformed number"},
      {STR_INIT("[1.e5]"), "1:2", "malformed number"},
      {STR_INIT("[1e]"), "1:2", "malformed number"},
      {STR_INIT("[1e+]"), "1:2", "malformed number"},
      {STR_INIT("[.5]"), "1:2", "begins with a digit"},
      {STR_INIT("[+5]"), "1:2", "no plus sign"},
      {STR_INIT("[0x10]"), "1:3", "expected ',' or ']', found 'x'"},
      {STR_INIT("[1e999]"), "1:2", "out of range"},
      {STR_INIT("[-1e309]"), "1:2", "out of range"},
      {STR_INIT("[NaN]"), "1:2", "no such number"},
      {STR_INIT("[-Infinity]"), "1:2", "malformed number"},
      {STR_INIT("[Infinity]"), "1:2", "no such number"},
      /* Words. */
      {STR_INIT("[True]"), "1:2", "lower case"},
      {STR_INIT("[nul]"), "1:2", "expected a value, found 'n'"},
      {STR_INIT("[truex]"), "1:6", "expected ',' or ']', found 'x'"},
      {STR_INIT("[None]"), "1:2", "did you mean null?"},
      {STR_INIT("[abc]"), "1:2", "double quotes"},
      /* Strings. */
      {STR_INIT("[\"abc]"), "1:2", "string without an end"},
      {STR_INIT("[\"abc\ndef\"]"), "1:2", "a line break is written \\n"},
      {STR_INIT("[\"a\tb\"]"), "1:4", "a tab is written"},
      {STR_INIT("[\"a\x01\"]"), "1:4", "control byte 0x01"},
      {STR_INIT("[\"a\0b\"]"), "1:4", "control byte 0x00"},
      {STR_INIT("['abc']"), "1:2", "double quotes"},
      {STR_INIT("[\xE2\x80\x9C"
                "abc\xE2\x80\x9D]"),
       "1:2", "double quotes"},
      {STR_INIT("[\"\\x41\"]"), "1:3", "unknown escape"},
      {STR_INIT("[\"\\"), "1:3", "unknown escape"},
      {STR_INIT("[\"\\\0\"]"), "1:3", "unknown escape"},
      {STR_INIT("[\"\\'\"]"), "1:3", "unknown escape"},
      {STR_INIT("[\"\\u12\"]"), "1:3", "malformed"},
      {STR_INIT("[\"\\u12g4\"]"), "1:3", "malformed"},
      {STR_INIT("[\"\\u"), "1:3", "malformed"},
      {STR_INIT("[\"a\\u0000\"]"), "1:4", "\\u0000 is not allowed"},
      {STR_INIT("{\"\\u0000\":1}"), "1:3", "\\u0000 is not allowed"},
      {STR_INIT("[\"\\uD83D\"]"), "1:3", "lone surrogate \\ud83d"},
      {STR_INIT("[\"\\uD83Dx\"]"), "1:3", "lone surrogate"},
      {STR_INIT("[\"\\uDE00\"]"), "1:3", "lone surrogate"},
      {STR_INIT("[\"\\uDE00\\uD83D\"]"), "1:3", "lone surrogate"},
      {STR_INIT("[\"\\uD83D\\uD83D\"]"), "1:3", "lone surrogate"},
      {STR_INIT("[\"\\uD83D\\u0041\"]"), "1:3", "lone surrogate"},
      /* UTF-8: overlong, surrogates, beyond U+10FFFF, cut off, stray. */
      {STR_INIT("[\"\xC0\x80\"]"), "1:3", "0xC0 is not UTF-8"},
      {STR_INIT("[\"\xC1\xBF\"]"), "1:3", "not UTF-8"},
      {STR_INIT("[\"\xE0\x9F\xBF\"]"), "1:3", "not UTF-8"},
      {STR_INIT("[\"\xED\xA0\x80\"]"), "1:3", "not UTF-8"},
      {STR_INIT("[\"\xF0\x8F\xBF\xBF\"]"), "1:3", "not UTF-8"},
      {STR_INIT("[\"\xF4\x90\x80\x80\"]"), "1:3", "not UTF-8"},
      {STR_INIT("[\"\xF5\x80\x80\x80\"]"), "1:3", "not UTF-8"},
      {STR_INIT("[\"ab\xC3\"]"), "1:5", "not UTF-8"},
      {STR_INIT("[\"ab\xE2\x82"), "1:5", "not UTF-8"},
      {STR_INIT("[\"\xC3\xA9\x80\"]"), "1:5", "not UTF-8"},
      {STR_INIT("{\"\xFF\":1}"), "1:3", "not UTF-8"},
      /* Arrays and objects. */
      {STR_INIT("[1,\n 2"), "2:3", "the '[' in line 1 is not closed"},
      {STR_INIT("{\n\"a\": {\n"), "3:1", "the '{' in line 2 is not closed"},
      {STR_INIT("{\"a\":"), "1:6", "the '{' in this line is not closed"},
      {STR_INIT("{\"a\""), "1:5", "the '{' in this line is not closed"},
      {STR_INIT("[1,"), "1:4", "the '[' in this line is not closed"},
      {STR_INIT("{\"a\":1,"), "1:8", "the '{' in this line is not closed"},
      {STR_INIT("[1}"), "1:3", "expected ',' or ']', found '}'"},
      {STR_INIT("[1 2]"), "1:4", "expected ',' or ']', found '2'"},
      {STR_INIT("[,]"), "1:2", "expected a value, found ','"},
      {STR_INIT("[1,,2]"), "1:4", "expected a value, found ','"},
      {STR_INIT("[1,,]"), "1:4", "expected a value, found ','"},
      {STR_INIT("{,}"), "1:2", "expected a key"},
      {STR_INIT("{\"a\":1,,}"), "1:8", "expected a key"},
      {STR_INIT("{\"a\" 1}"), "1:6", "expected ':' after the key, found '1'"},
      {STR_INIT("{\"a\":}"), "1:6", "expected a value, found '}'"},
      {STR_INIT("{\"a\":1 \"b\":2}"), "1:8", "expected ',' or '}'"},
      {STR_INIT("{a:1}"), "1:2", "double quotes"},
      {STR_INIT("{1:1}"), "1:2", "expected a key"},
      {STR_INIT("{\"a\":1}}"), "1:8", "behind the end"},
      {STR_INIT("]"), "1:1", "expected a value"},
      {STR_INIT("[1]\f"), "1:4", "behind the end"},
      {STR_INIT("[\v1]"), "1:2", "byte 0x0B"},
      {STR_INIT("# x\n{}"), "1:1", "expected a value, found '#'"},
      {STR_INIT("{ /"), "1:3", "expected a key"},
  };
  for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
    for (int style = JSON_STRICT; style <= JSON_EDITABLE; style++) {
      struct diags *diags = NULL;
      struct json_doc *doc = parse(cases[i].text, (enum json_style)style, &diags);
      ck_assert_msg(doc == NULL, "'%.*s' is taken", STR_ARG(cases[i].text));
      ck_assert_uint_eq(diags_count(diags, DIAG_ERROR), 1);
      const char *text = printed(diags);
      char begin[64];
      snprintf(begin, sizeof(begin), "x.json:%s: error: ", cases[i].at);
      ck_assert_msg(strncmp(text, begin, strlen(begin)) == 0, "'%.*s' not at %s: %s",
                    STR_ARG(cases[i].text), cases[i].at, text);
      ck_assert_msg(strstr(text, cases[i].words) != NULL, "'%.*s' without '%s': %s",
                    STR_ARG(cases[i].text), cases[i].words, text);
      diags_free(&diags);
    }
  }
}
END_TEST

/* Strings are looked at in blocks: each byte at each place of one, among all kinds of plain ones.
 */
START_TEST(sees_each_byte_of_a_string)
{
  static const char plain[] = "\"a~ !#[]\x7f^`0 @azAZ09/";
  char text[sizeof(plain) + 1];
  for (size_t at = 1; at < sizeof(plain) - 1; at++) {
    for (unsigned byte = 0; byte < 256; byte++) {
      memcpy(text, plain, sizeof(plain) - 1);
      text[sizeof(plain) - 1] = '"';
      text[at] = (char)byte;
      struct diags *diags;
      struct json_doc *doc = parse(str_make(text, sizeof(plain)), JSON_STRICT, &diags);
      bool means_itself = byte >= 0x20 && byte < 0x80 && byte != '"' && byte != '\\';
      bool escapes = byte == '\\' && strchr("\"\\/bfnrt", text[at + 1]) && at + 2 < sizeof(plain);
      ck_assert_msg((doc != NULL) == (means_itself || escapes), "byte 0x%02X at %zu", byte, at);
      json_free(&doc);
      diags_free(&diags);
    }
  }
}
END_TEST

START_TEST(limits_depth)
{
  static char text[2 * JSON_DEPTH_MAX + 3];
  struct diags *diags = NULL;
  nested(text, JSON_DEPTH_MAX);
  struct json_doc *doc = parse(str_from_cstr(text), JSON_STRICT, &diags);
  ck_assert_ptr_nonnull(doc);
  json_free(&doc);
  diags_free(&diags);
  nested(text, JSON_DEPTH_MAX + 1);
  ck_assert_ptr_null(parse(str_from_cstr(text), JSON_STRICT, &diags));
  ck_assert_str_eq(printed(diags),
                   "x.json:1:65: error: more than 64 levels of nesting (nest less deeply)\n");
  diags_free(&diags);
  /* A hostile text ends there too, and not on the stack. */
  size_t n = 1000000;
  char *deep = malloc(n);
  memset(deep, '[', n);
  ck_assert_ptr_null(parse(str_make(deep, n), JSON_EDITABLE, &diags));
  free(deep);
  diags_free(&diags);
}
END_TEST

/* Taken in an editable file with the same meaning as `plain`; refused as strict JSON. */
START_TEST(takes_comments_and_trailing_commas)
{
  static const struct {
    struct str text;
    const char *plain;
  } cases[] = {
      {STR_INIT("// a\n{} // b"), "{}"},
      {STR_INIT("/* a */{/* b */}/**/"), "{}"},
      {STR_INIT("/***/[1]/* ** // */"), "[1]"},
      {STR_INIT("[1/*,2*/,3]"), "[1,3]"},
      {STR_INIT("[1, // \"x\n 2]"), "[1,2]"},
      {STR_INIT("[1, // x\r 2]"), "[1,2]"},
      {STR_INIT("[1,]"), "[1]"},
      {STR_INIT("[1,\n// last\n]"), "[1]"},
      {STR_INIT("[1/* a */,/* b */]"), "[1]"},
      {STR_INIT("{\"a\":1,}"), "{\"a\":1}"},
      {STR_INIT("{\"a\"/**/:/**/[{},],/**/}"), "{\"a\":[{}]}"},
      {STR_INIT("{\"a\":\"// x, ]\",}"), "{\"a\":\"// x, ]\"}"},
      {STR_INIT("[\"\\\"/*\",\"*/\"/**/]"), "[\"\\\"/*\",\"*/\"]"},
      {STR_INIT("/* \xC3\xA9 \xF0\x9F\x98\x80 */ 1"), "1"},
      {STR_INIT("//\n//\n1//"), "1"},
  };
  for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
    struct diags *diags = NULL;
    struct json_doc *doc = parse(cases[i].text, JSON_EDITABLE, &diags);
    ck_assert_msg(doc != NULL, "'%.*s': %s", STR_ARG(cases[i].text), printed(diags));
    char *text = cJSON_PrintUnformatted(json_root(doc));
    ck_assert_str_eq(text, cases[i].plain);
    ck_assert(str_eq(json_text(doc), cases[i].text));
    cJSON_free(text);
    json_free(&doc);
    diags_free(&diags);
    ck_assert_msg(parse(cases[i].text, JSON_STRICT, &diags) == NULL, "'%.*s' is taken as strict",
                  STR_ARG(cases[i].text));
    ck_assert_msg(strstr(printed(diags), "strict JSON") != NULL, "'%.*s': %s",
                  STR_ARG(cases[i].text), printed(diags));
    diags_free(&diags);
  }
}
END_TEST

START_TEST(refuses_bad_comments)
{
  static const struct {
    struct str text;
    const char *printed;
  } cases[] = {
      {STR_INIT("{} /* a"), "x.json:1:4: error: comment without an end (end it with */)\n"},
      {STR_INIT("{\n /*/ }"), "x.json:2:2: error: comment without an end (end it with */)\n"},
      {STR_INIT("1 // \xFF"),
       "x.json:1:6: error: byte 0xFF is not UTF-8 (save the file as UTF-8)\n"},
      {STR_INIT("/* \xED\xA0\x80 */1"),
       "x.json:1:4: error: byte 0xED is not UTF-8 (save the file as UTF-8)\n"},
      {STR_INIT("1 /* /* */ */"),
       "x.json:1:12: error: '*' behind the end of the value (only one "
       "value is expected)\n"},
      {STR_INIT("[1/**/2]"), "x.json:1:7: error: expected ',' or ']', found '2'\n"},
  };
  for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
    struct diags *diags = NULL;
    ck_assert_msg(parse(cases[i].text, JSON_EDITABLE, &diags) == NULL, "'%.*s' is taken",
                  STR_ARG(cases[i].text));
    ck_assert_str_eq(printed(diags), cases[i].printed);
    diags_free(&diags);
  }
}
END_TEST

START_TEST(reports_every_duplicate)
{
  static const struct {
    const char *text;
    const char *printed;
  } cases[] = {
      {"{\"a\":1,\"a\":2}", "x.json:1:8: error: duplicate key 'a' (it is in this line already)\n"},
      /* Compared unescaped. */
      {"{\n\"ab\":1,\n\"\\u0061b\":2}",
       "x.json:3:1: error: duplicate key 'ab' (it is in line 2 already)\n"},
      {"{\"/\":1,\n\"\\/\":2,\n\"\\u002F\":3}",
       "x.json:2:1: error: duplicate key '/' (it is in line 1 already)\n"
       "x.json:3:1: error: duplicate key '/' (it is in line 1 already)\n"},
      {"{\"\\uD83D\\uDE00\":1,\"\xF0\x9F\x98\x80\":2}",
       "x.json:1:19: error: duplicate key '\xF0\x9F\x98\x80' (it is in this line already)\n"},
      {"{\"\":1,\"\":2}", "x.json:1:7: error: duplicate key '' (it is in this line already)\n"},
      /* Several objects, several keys. */
      {"{\"b\":1,\n\"a\":{\"x\":1,\n\"x\":2},\n\"b\":[{\"y\":1,\n\"z\":2,\n\"y\":3}],\n\"a\":4}",
       "x.json:3:1: error: duplicate key 'x' (it is in line 2 already)\n"
       "x.json:4:1: error: duplicate key 'b' (it is in line 1 already)\n"
       "x.json:6:1: error: duplicate key 'y' (it is in line 4 already)\n"
       "x.json:7:1: error: duplicate key 'a' (it is in line 2 already)\n"},
  };
  for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
    struct diags *diags = NULL;
    ck_assert_msg(parse(str_from_cstr(cases[i].text), JSON_STRICT, &diags) == NULL, "%s",
                  cases[i].text);
    ck_assert_str_eq(printed(diags), cases[i].printed);
    diags_free(&diags);
  }
}
END_TEST

/* A hundred thousand keys: quadratic work would outlast the test's time limit many times. */
START_TEST(finds_duplicates_in_a_big_object)
{
  enum { KEYS = 100000 };
  struct text text;
  text_init(&text, 16 * 1024 * 1024);
  text_add_char(&text, '{');
  for (int i = 0; i < KEYS; i++) text_printf(&text, "\"key-%d\":%d,\n", i, i);
  size_t unique = text.n;
  text_printf(&text, "\"key-777\":0}");
  ck_assert(!text_failed(&text));
  struct diags *diags = NULL;
  ck_assert_ptr_null(parse(text_str(&text), JSON_STRICT, &diags));
  ck_assert_str_eq(printed(diags),
                   "x.json:100001:1: error: duplicate key 'key-777' (it is in line 778 already)\n");
  diags_free(&diags);
  text.p[unique] = '}';
  struct json_doc *doc = parse(str_make(text.p, unique + 1), JSON_EDITABLE, &diags);
  ck_assert_ptr_nonnull(doc);
  int i = 0;
  for (const cJSON *node = json_root(doc)->child; node; node = node->next, i++) {
    ck_assert_uint_eq(json_key_place(doc, node).line, (unsigned)i + 1);
  }
  ck_assert_int_eq(i, KEYS);
  json_free(&doc);
  diags_free(&diags);
  text_deinit(&text);
}
END_TEST

/* ---- a document ------------------------------------------------------------------------------ */

struct expected_node {
  const char *key; /* "": none */
  const char *raw;
  const char *at;
  const char *key_at;
};

static size_t check_nodes(const struct json_doc *doc, const cJSON *node,
                          const struct expected_node *expected) {
  char at[32];
  struct diag_place place = json_place(doc, node);
  ck_assert_str_eq(place.file, "x.json");
  ck_assert_str_eq(node->string ? node->string : "", expected->key);
  ck_assert_view_eq(json_raw(doc, node), expected->raw);
  snprintf(at, sizeof(at), "%u:%u", place.line, place.column);
  ck_assert_msg(strcmp(at, expected->at) == 0, "%s is at %s", expected->raw, at);
  place = json_key_place(doc, node);
  snprintf(at, sizeof(at), "%u:%u", place.line, place.column);
  ck_assert_msg(strcmp(at, expected->key_at) == 0, "key of %s is at %s", expected->raw, at);
  size_t n = 1;
  for (const cJSON *child = node->child; child; child = child->next) {
    n += check_nodes(doc, child, expected + n);
  }
  return n;
}

START_TEST(knows_places)
{
  static const char text[] =
      "// \xC3\xA9\r\n"
      "{ \"a\" : [ 1.50 , \"x\", {} ],\n"
      "\t\"\xC3\xA9\": true /* two\n"
      "lines */, \"n\": { \"b\": null, },\n"
      "}\n";
  static const struct expected_node expected[] = {
      {"",
       "{ \"a\" : [ 1.50 , \"x\", {} ],\n"
       "\t\"\xC3\xA9\": true /* two\n"
       "lines */, \"n\": { \"b\": null, },\n"
       "}",
       "2:1", "2:1"},
      {"a", "[ 1.50 , \"x\", {} ]", "2:9", "2:3"},
      {"", "1.50", "2:11", "2:11"},
      {"", "\"x\"", "2:18", "2:18"},
      {"", "{}", "2:23", "2:23"},
      {"\xC3\xA9", "true", "3:8", "3:2"},
      {"n", "{ \"b\": null, }", "4:16", "4:11"},
      {"b", "null", "4:23", "4:18"},
  };
  struct diags *diags = NULL;
  struct json_doc *doc = parse(str_from_cstr(text), JSON_EDITABLE, &diags);
  ck_assert_msg(doc != NULL, "%s", printed(diags));
  ck_assert_uint_eq(check_nodes(doc, json_root(doc), expected),
                    sizeof(expected) / sizeof(*expected));
  /* A node of somewhere else has no line. */
  cJSON *other = cJSON_CreateNull();
  ck_assert_uint_eq(json_place(doc, other).line, 0);
  ck_assert_uint_eq(json_key_place(doc, other).line, 0);
  ck_assert_uint_eq(json_raw(doc, other).n, 0);
  cJSON_Delete(other);
  json_free(&doc);
  diags_free(&diags);
}
END_TEST

START_TEST(reads_numbers_exactly)
{
  static const struct {
    const char *text;
    double value;
  } cases[] = {
      {"0", 0.0},
      {"-0", -0.0},
      {"0.1", 0.1},
      {"1E2", 100.0},
      {"9007199254740993", 9007199254740992.0},
      {"1767225600000", 1767225600000.0},
      {"0.00000000000000000000000000000000000000000000000000000000000000000000000000000001", 1e-80},
      {"1000000000000000000000000000000000000000000000000000000000000000000000000000000.5", 1e78},
      {"-1.797693134862315708145274237317043567980705675258449965989174768031572607800e308",
       -1.7976931348623157e308},
      {"1e-400", 0.0},
  };
  for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
    char text[256];
    snprintf(text, sizeof(text), "[%s]", cases[i].text);
    struct diags *diags = NULL;
    struct json_doc *doc = parse(str_from_cstr(text), JSON_STRICT, &diags);
    ck_assert_msg(doc != NULL, "%s: %s", text, printed(diags));
    const cJSON *node = json_root(doc)->child;
    ck_assert_msg(memcmp(&node->valuedouble, &cases[i].value, sizeof(double)) == 0, "%s is %a",
                  text, node->valuedouble);
    double value = 1;
    ck_assert(json_number_parse(str_from_cstr(cases[i].text), &value));
    ck_assert(memcmp(&value, &cases[i].value, sizeof(double)) == 0);
    ck_assert_view_eq(json_raw(doc, node), cases[i].text);
    json_free(&doc);
    diags_free(&diags);
  }
}
END_TEST

START_TEST(names_kinds)
{
  static const char *const kinds[] = {"object",  "array",   "string", "number",
                                      "boolean", "boolean", "null"};
  struct diags *diags = NULL;
  struct json_doc *doc = parse(STR("[{},[],\"a\\u0041\",1,true,false,null]"), JSON_STRICT, &diags);
  ck_assert_ptr_nonnull(doc);
  size_t i = 0;
  for (const cJSON *node = json_root(doc)->child; node; node = node->next) {
    ck_assert_str_eq(json_kind(node), kinds[i++]);
  }
  ck_assert_view_eq(json_str(cJSON_GetArrayItem(json_root(doc), 2)), "aA");
  json_free(&doc);
  diags_free(&diags);
}
END_TEST

/* ---- for walkers ----------------------------------------------------------------------------- */

START_TEST(checks_keys)
{
  static const char *const known[] = {"listen", "upstreams", "workers", NULL};
  struct diags *diags = NULL;
  struct json_doc *doc =
      parse(STR("{\"listen\":1,\n\"worker\":2,\n \"qqqq\":3}"), JSON_STRICT, &diags);
  ck_assert(!json_check_keys(doc, json_root(doc), known, "adit.json", diags));
  ck_assert_str_eq(printed(diags),
                   "x.json:2:1: error: adit.json: unknown key 'worker' (did you mean 'workers'?)\n"
                   "x.json:3:2: error: adit.json: unknown key 'qqqq' (known here: listen upstreams "
                   "workers)\n");
  json_free(&doc);
  diags_free(&diags);
  doc = parse(STR("{\"workers\":2}"), JSON_STRICT, &diags);
  ck_assert(json_check_keys(doc, json_root(doc), known, "adit.json", diags));
  ck_assert_uint_eq(diags_size(diags), 0);
  json_free(&doc);
  diags_free(&diags);
}
END_TEST

START_TEST(adds_errors)
{
  struct diags *diags = NULL;
  struct json_doc *doc = parse(STR("{\"a\": 5}"), JSON_STRICT, &diags);
  const cJSON *node = json_root(doc)->child;
  json_error(doc, node, diags, "try 6", "%s is %d", "a", 5);
  json_key_error(doc, node, diags, NULL, "bad '%s'", "a\nb");
  ck_assert_str_eq(printed(diags),
                   "x.json:1:2: error: bad 'a\\x0ab'\nx.json:1:7: error: a is 5 (try 6)\n");
  json_free(&doc);
  diags_free(&diags);
}
END_TEST

START_TEST(knows_names)
{
  char long_name[66];
  memset(long_name, 'x', sizeof(long_name));
  ck_assert(json_is_name(str_make(long_name, 64)));
  ck_assert(!json_is_name(str_make(long_name, 65)));
  static const char *const good[] = {"a", "Z9", "user.registered_at", "shop-v1", ".", "-", "_"};
  for (size_t i = 0; i < sizeof(good) / sizeof(*good); i++) {
    ck_assert_msg(json_is_name(str_from_cstr(good[i])), "'%s'", good[i]);
  }
  static const struct str bad[] = {STR_INIT(""),     STR_INIT("a b"),      STR_INIT("a/b"),
                                   STR_INIT("a\0b"), STR_INIT("\xC3\xA9"), STR_INIT("a\n"),
                                   STR_INIT("a:b"),  STR_INIT("@"),        STR_INIT("[")};
  for (size_t i = 0; i < sizeof(bad) / sizeof(*bad); i++) {
    ck_assert_msg(!json_is_name(bad[i]), "'%.*s'", STR_ARG(bad[i]));
  }
}
END_TEST

START_TEST(knows_number_syntax)
{
  static const char *const bad[] = {"",    " 1", "1 ",  "+1",  ".5",  "1.",  "01",  "1e",    "0x1",
                                    "--1", "-",  "1e+", "1,5", "inf", "NaN", "1_0", "1e5e5", "1\n"};
  for (size_t i = 0; i < sizeof(bad) / sizeof(*bad); i++) {
    double value = 7;
    ck_assert_msg(!json_number_parse(str_from_cstr(bad[i]), &value), "'%s'", bad[i]);
    ck_assert(value == 7);
  }
  double value = 0;
  ck_assert(!json_number_parse(STR("1\0002"), &value));
  ck_assert(json_number_parse(STR("-12.5e-1"), &value) && value == -1.25);
  /* What is no double is as strtod gives it; only a document refuses it. */
  ck_assert(json_number_parse(STR("1e999"), &value) && isinf(value));
  /* Long ones are read in full: only the last digit makes the difference. */
  char text[1002];
  memset(text, '0', sizeof(text));
  memcpy(text, "9007199254740993.", 17);
  text[1001] = '1';
  ck_assert(json_number_parse(str_make(text, 1001), &value) && value == 9007199254740992.0);
  ck_assert(json_number_parse(str_make(text, 1002), &value) && value == 9007199254740994.0);
}
END_TEST

/* ---- files ----------------------------------------------------------------------------------- */

static char folder[64];

static const char *file_in_folder(const char *name) {
  static char path[128];
  snprintf(path, sizeof(path), "%s/%s", folder, name);
  return path;
}

static void make_folder(void) {
  snprintf(folder, sizeof(folder), "/tmp/adit-test-json-XXXXXX");
  ck_assert_ptr_nonnull(mkdtemp(folder));
}

static void write_file(const char *name, const char *text) {
  FILE *file = fopen(file_in_folder(name), "w");
  ck_assert_ptr_nonnull(file);
  ck_assert_int_ge(fputs(text, file), 0);
  ck_assert_int_eq(fclose(file), 0);
}

START_TEST(loads_files)
{
  make_folder();
  write_file("good.json", "{\"a\": 1, // x\n}");
  write_file("bad.json", "{\n  \"a\" 1}");
  write_file("empty.json", "");
  ck_assert_int_eq(mkdir(file_in_folder("folder"), 0700), 0);
  ck_assert_int_eq(mkfifo(file_in_folder("pipe"), 0600), 0);
  static const struct {
    const char *name;
    size_t limit_bytes;
    const char *words; /* NULL: it loads */
  } cases[] = {
      {"good.json", 15, NULL},
      {"good.json", 14, "shown.json: error: cannot read '%s': it is larger than 14 bytes"},
      {"bad.json", 1000, "shown.json:2:7: error: expected ':' after the key"},
      {"empty.json", 1000, "shown.json:1:1: error: there is nothing in it"},
      {"none.json", 1000,
       "shown.json: error: cannot read '%s': No such file or directory (create it"},
      {"good.json/x", 1000, "shown.json: error: cannot read '%s': Not a directory (correct"},
      {"folder", 1000, "shown.json: error: cannot read '%s': it is a directory (name a file"},
      {"pipe", 1000, "shown.json: error: cannot read '%s': it is not a regular file (copy"},
  };
  for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
    struct diags *diags = diags_new();
    const char *path = file_in_folder(cases[i].name);
    struct json_doc *doc =
        json_load(path, "shown.json", JSON_EDITABLE, cases[i].limit_bytes, diags);
    ck_assert_msg((doc != NULL) == (cases[i].words == NULL), "%s: %s", path, printed(diags));
    if (cases[i].words) {
      char words[256];
      snprintf(words, sizeof(words), cases[i].words, path);
      ck_assert_uint_eq(diags_count(diags, DIAG_ERROR), 1);
      ck_assert_msg(strncmp(printed(diags), words, strlen(words)) == 0, "%s is not '%s'",
                    printed(diags), words);
    }
    json_free(&doc);
    diags_free(&diags);
  }
  static const char *const names[] = {"good.json", "bad.json", "empty.json", "pipe"};
  for (size_t i = 0; i < 4; i++) ck_assert_int_eq(unlink(file_in_folder(names[i])), 0);
  ck_assert_int_eq(rmdir(file_in_folder("folder")), 0);
  ck_assert_int_eq(rmdir(folder), 0);
}
END_TEST

START_TEST(reads_files)
{
  make_folder();
  write_file("list", "one\ntwo\n");
  struct diags *diags = diags_new();
  char *content = NULL;
  size_t n = 0;
  struct diag_place at = {"rules.json", 3, 14};
  ck_assert(file_read(file_in_folder("list"), 8, at, diags, &content, &n));
  ck_assert(str_eq(str_make(content, n), STR("one\ntwo\n")));
  free(content);
  ck_assert(!file_read(file_in_folder("missing"), 8, at, diags, &content, &n));
  ck_assert_ptr_nonnull(strstr(printed(diags), "rules.json:3:14: error: cannot read '"));
  diags_free(&diags);
  ck_assert_int_eq(unlink(file_in_folder("list")), 0);
  ck_assert_int_eq(rmdir(folder), 0);
}
END_TEST

/* ---- members without a tree ------------------------------------------------------------------ */

struct visited {
  struct text text;
  size_t n, most;
};

static bool visit(void *context, const struct json_member *member) {
  struct visited *visited = context;
  char *value = cJSON_PrintUnformatted(member->value);
  text_printf(&visited->text, "%u:%u %.*s=%u:%u %s\n", member->key_at.line, member->key_at.column,
              STR_ARG(member->key), member->value_at.line, member->value_at.column, value);
  free(value);
  return ++visited->n < visited->most;
}

static bool visit_text(struct str text, size_t most, struct visited *visited,
                       struct diags **diags) {
  char path[64];
  snprintf(path, sizeof(path), "/tmp/adit-members-%ld.json", (long)getpid());
  FILE *file = fopen(path, "wb");
  ck_assert(file && fwrite(text.p, 1, text.n, file) == text.n && fclose(file) == 0);
  *visited = (struct visited){.most = most};
  text_init(&visited->text, 1 << 16);
  *diags = diags_new();
  bool ok = json_visit_members(path, JSON_EDITABLE, 1 << 16, (struct diag_place){.file = "x.json"},
                               visit, visited, *diags);
  unlink(path);
  return ok;
}

START_TEST(test_members)
{
  struct visited visited;
  struct diags *diags;
  ck_assert(visit_text(STR("{ // first\n \"a\": [1, {\"in\": {}}], \"\": \"x\\ty\",\n"
                           "\"s\\/\\u00e9\\\"\" : {\"b\": [[]]} /* last */ , \"a\": null,\n}"),
                       SIZE_MAX, &visited, &diags));
  ck_assert_view_eq(text_str(&visited.text),
                    "2:2 a=2:7 [1,{\"in\":{}}]\n"
                    "2:24 =2:28 \"x\\ty\"\n"
                    "3:1 s/\xC3\xA9\"=3:17 {\"b\":[[]]}\n"
                    "3:42 a=3:47 null\n");
  text_deinit(&visited.text);
  diags_free(&diags);
}
END_TEST

START_TEST(test_members_refused)
{
  static const struct {
    const char *text, *expected;
  } cases[] = {
      {"{\"a\": 1, \"b\": 01}", ":1:15: error: "},
      {" [1]", ":1:2: error: the file must be an object\n"},
      {"7", ":1:1: error: the file must be an object\n"},
      {"", "error: "},
  };
  for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
    struct visited visited;
    struct diags *diags;
    ck_assert(!visit_text(str_from_cstr(cases[i].text), SIZE_MAX, &visited, &diags));
    ck_assert_uint_eq(visited.n, 0);
    ck_assert_msg(strstr(printed(diags), cases[i].expected), "%s", printed(diags));
    text_deinit(&visited.text);
    diags_free(&diags);
  }
}
END_TEST

START_TEST(test_members_stopped)
{
  struct visited visited;
  struct diags *diags;
  ck_assert(!visit_text(STR("{\"a\": 1, \"b\": 2, \"c\": 3}"), 2, &visited, &diags));
  ck_assert_uint_eq(visited.n, 2);
  ck_assert_uint_eq(diags_size(diags), 0);
  text_deinit(&visited.text);
  diags_free(&diags);
}
END_TEST

START_TEST(test_file_copy)
{
  char path[64], bytes[16];
  snprintf(path, sizeof(path), "/tmp/adit-copy-%ld", (long)getpid());
  FILE *file = fopen(path, "wb");
  ck_assert(file && fputs("as it was", file) >= 0 && fclose(file) == 0);
  struct diags *diags = diags_new();
  struct diag_place at = {.file = "x.json"};
  int fd = -1;
  ck_assert(file_copy(path, 9, at, diags, &fd));
  ck_assert_int_eq(truncate(path, 0), 0);
  ck_assert_int_eq(pread(fd, bytes, sizeof(bytes), 0), 9);
  ck_assert_int_eq(memcmp(bytes, "as it was", 9), 0);
  ck_assert_int_eq(pwrite(fd, "x", 1, 0), -1);
  ck_assert_int_eq(ftruncate(fd, 0), -1);
  close(fd);
  ck_assert_int_eq(truncate(path, 10), 0);
  ck_assert(!file_copy(path, 9, at, diags, &fd));
  ck_assert_ptr_nonnull(strstr(printed(diags), "it is larger than 9 bytes"));
  unlink(path);
  ck_assert(!file_copy(path, 9, at, diags, &fd) && !file_copy("/", 9, at, diags, &fd));
  ck_assert_ptr_nonnull(strstr(printed(diags), "it is a directory"));
  diags_free(&diags);
}
END_TEST

UNIT_MAIN("json", accepts, refuses, sees_each_byte_of_a_string, limits_depth,
          takes_comments_and_trailing_commas, refuses_bad_comments, reports_every_duplicate,
          finds_duplicates_in_a_big_object, knows_places, reads_numbers_exactly, names_kinds,
          checks_keys, adds_errors, knows_names, knows_number_syntax, loads_files, reads_files,
          test_members, test_members_refused, test_members_stopped, test_file_copy)
