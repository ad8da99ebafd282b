/* Views (str) and growing texts (text). */
#include <stdio.h>

#include "adit/text.h"
#include "unit.h"

#define VIEW(literal) STR_INIT(literal)

START_TEST(equality_and_order)
{
  static const struct {
    struct str a, b;
    int order;
    bool nocase_eq;
  } cases[] = {
      {VIEW(""), VIEW(""), 0, true},
      {VIEW("a"), VIEW(""), 1, false},
      {VIEW("abc"), VIEW("abc"), 0, true},
      {VIEW("abc"), VIEW("abd"), -1, false},
      {VIEW("abc"), VIEW("ab"), 1, false},
      {VIEW("ABC"), VIEW("abc"), -1, true},
      {VIEW("a\0b"), VIEW("a\0b"), 0, true},
      {VIEW("a\0b"), VIEW("a\0c"), -1, false},
      {VIEW("\xFF"), VIEW("a"), 1, false},
      /* Bytes that differ by 0x20 only, but are no letters. */
      {VIEW("@"), VIEW("`"), -1, false},
      {VIEW("["), VIEW("{"), -1, false},
      {VIEW("\xC4"), VIEW("\xE4"), -1, false},
  };
  for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
    struct str a = cases[i].a;
    struct str b = cases[i].b;
    int order = str_cmp(a, b);
    int back = str_cmp(b, a);
    ck_assert_msg((order > 0) - (order < 0) == cases[i].order, "case %zu: %d", i, order);
    ck_assert_msg((back > 0) - (back < 0) == -cases[i].order, "case %zu: %d", i, back);
    ck_assert_msg(str_eq(a, b) == (cases[i].order == 0), "case %zu", i);
    ck_assert_msg(str_eq_nocase(a, b) == cases[i].nocase_eq, "case %zu", i);
    ck_assert_msg(str_eq_nocase(b, a) == cases[i].nocase_eq, "case %zu", i);
  }
  /* An absent view is empty for every comparison. */
  struct str absent = str_from_cstr(NULL);
  ck_assert_ptr_null(absent.p);
  ck_assert(str_eq(absent, STR("")));
  ck_assert_int_eq(str_cmp(absent, STR("")), 0);
  ck_assert(str_eq_nocase(absent, STR("")));
}
END_TEST

START_TEST(affixes_and_substrings)
{
  static const struct {
    struct str s, part;
    bool starts, ends, contains;
    bool starts_nocase, ends_nocase, contains_nocase;
  } cases[] = {
      {VIEW(""), VIEW(""), 1, 1, 1, 1, 1, 1},
      {VIEW("abc"), VIEW(""), 1, 1, 1, 1, 1, 1},
      {VIEW(""), VIEW("a"), 0, 0, 0, 0, 0, 0},
      {VIEW("abc"), VIEW("abc"), 1, 1, 1, 1, 1, 1},
      {VIEW("abc"), VIEW("abcd"), 0, 0, 0, 0, 0, 0},
      {VIEW("abcab"), VIEW("ab"), 1, 1, 1, 1, 1, 1},
      {VIEW("xABc"), VIEW("abC"), 0, 0, 0, 0, 1, 1},
      {VIEW("ABcx"), VIEW("abC"), 0, 0, 0, 1, 0, 1},
      {VIEW("xabcx"), VIEW("abc"), 0, 0, 1, 0, 0, 1},
      {VIEW("aab"), VIEW("ab"), 0, 1, 1, 0, 1, 1},
      {VIEW("a\0b"), VIEW("\0"), 0, 0, 1, 0, 0, 1},
      {VIEW("a\0B"), VIEW("\0b"), 0, 0, 0, 0, 1, 1},
      {VIEW("aaaaaaaab"), VIEW("aaab"), 0, 1, 1, 0, 1, 1},
      {VIEW("aaaaaaaa"), VIEW("aaab"), 0, 0, 0, 0, 0, 0},
  };
  for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
    struct str s = cases[i].s;
    struct str part = cases[i].part;
    ck_assert_msg(str_starts_with(s, part) == cases[i].starts, "case %zu", i);
    ck_assert_msg(str_ends_with(s, part) == cases[i].ends, "case %zu", i);
    ck_assert_msg(str_contains(s, part) == cases[i].contains, "case %zu", i);
    ck_assert_msg(str_starts_with_nocase(s, part) == cases[i].starts_nocase, "case %zu", i);
    ck_assert_msg(str_ends_with_nocase(s, part) == cases[i].ends_nocase, "case %zu", i);
    ck_assert_msg(str_contains_nocase(s, part) == cases[i].contains_nocase, "case %zu", i);
  }
}
END_TEST

START_TEST(parts_of_a_view)
{
  struct str s = STR("abcdef");
  ck_assert_view_eq(str_skip(s, 2), "cdef");
  ck_assert_view_eq(str_skip(s, 6), "");
  ck_assert_ptr_eq(str_skip(s, SIZE_MAX).p, s.p + 6);
  ck_assert_view_eq(str_take(s, 2), "ab");
  ck_assert_view_eq(str_take(s, SIZE_MAX), "abcdef");
  ck_assert_uint_eq(str_find_char(s, 'a', 0), 0);
  ck_assert_uint_eq(str_find_char(s, 'a', 1), 6);
  ck_assert_uint_eq(str_find_char(s, 'f', 5), 5);
  ck_assert_uint_eq(str_find_char(s, 'x', 0), 6);
  ck_assert_uint_eq(str_find_char(s, 'a', 7), 6);
  ck_assert_uint_eq(str_find_char(STR(""), 'a', 0), 0);
  ck_assert_uint_eq(str_find_char(STR("a\xFF"), '\xFF', 0), 1);
}
END_TEST

START_TEST(trim)
{
  static const struct {
    struct str s;
    const char *expected;
  } cases[] = {
      {VIEW(""), ""},
      {VIEW(" \t "), ""},
      {VIEW("a"), "a"},
      {VIEW("\t a b\t "), "a b"},
      {VIEW("\r\na\v\f"), "\r\na\v\f"},
      {VIEW("\xA0"
            "a"),
       "\xA0"
       "a"},
  };
  for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
    ck_assert_view_eq(str_trim(cases[i].s), cases[i].expected);
  }
}
END_TEST

START_TEST(split)
{
  static const struct {
    struct str s;
    const char *parts[5];
  } cases[] = {
      {VIEW(""), {""}},
      {VIEW("a"), {"a"}},
      {VIEW(","), {"", ""}},
      {VIEW("a,,b"), {"a", "", "b"}},
      {VIEW(",a,"), {"", "a", ""}},
      {{NULL, 0}, {NULL}},
  };
  for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
    struct str rest = cases[i].s;
    struct str part = STR("untouched");
    size_t n = 0;
    while (str_split_next(&rest, ',', &part)) {
      ck_assert_msg(cases[i].parts[n] != NULL, "case %zu: too many parts", i);
      ck_assert_view_eq(part, cases[i].parts[n]);
      n++;
    }
    ck_assert_msg(cases[i].parts[n] == NULL, "case %zu: only %zu parts", i, n);
    ck_assert(!str_split_next(&rest, ',', &part));
  }
}
END_TEST

START_TEST(numbers)
{
  static const struct {
    struct str s;
    uint64_t max;
    bool ok;
    uint64_t expected;
  } cases[] = {
      {VIEW("0"), 0, true, 0},
      {VIEW("1"), 0, false, 0},
      {VIEW("007"), 7, true, 7},
      {VIEW("65535"), 65535, true, 65535},
      {VIEW("65536"), 65535, false, 0},
      {VIEW("70000"), 65535, false, 0},
      {VIEW("18446744073709551615"), UINT64_MAX, true, UINT64_MAX},
      {VIEW("18446744073709551616"), UINT64_MAX, false, 0},
      {VIEW("18446744073709551620"), UINT64_MAX, false, 0},
      {VIEW("99999999999999999999"), UINT64_MAX, false, 0},
      {VIEW("000000000000000000000000001"), UINT64_MAX, true, 1},
      {VIEW("9223372036854775808"), INT64_MAX, false, 0},
      {VIEW(""), 10, false, 0},
      {VIEW("+1"), 10, false, 0},
      {VIEW("-1"), 10, false, 0},
      {VIEW(" 1"), 10, false, 0},
      {VIEW("1 "), 10, false, 0},
      {VIEW("1a"), 10, false, 0},
      {VIEW("1\0"), 10, false, 0},
      {VIEW("\xB2"), 10, false, 0},
  };
  for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
    uint64_t value = 4711;
    ck_assert_msg(str_to_u64(cases[i].s, cases[i].max, &value) == cases[i].ok, "case %zu", i);
    ck_assert_msg(value == (cases[i].ok ? cases[i].expected : 4711), "case %zu", i);
  }
}
END_TEST

/* Parts as Unicode 15 (3.9, D93b and table 3-8) divides them, each '1' well-formed, '0' not. */
START_TEST(utf8)
{
  static const struct {
    struct str s;
    const char *parts;
  } cases[] = {
      {VIEW(""), ""},
      {VIEW("abc"), "111"},
      {VIEW("a\0b"), "111"},
      {VIEW("\xC3\xA4"), "1"},
      {VIEW("\xE2\x82\xAC"), "1"},
      {VIEW("\xF0\x9F\x98\x80"), "1"},
      {VIEW("\xED\x9F\xBF\xEE\x80\x80"), "11"},
      {VIEW("\xF4\x8F\xBF\xBF"), "1"},
      {VIEW("\xEF\xBF\xBF"), "1"},
      {VIEW("\x80"), "0"},
      {VIEW("\xC0\x80"), "00"},
      {VIEW("\xC1\xBF"), "00"},
      {VIEW("\xE0\x80\x80"), "000"},
      {VIEW("\xE0\x9F\xBF"), "000"},
      {VIEW("\xF0\x80\x80\x80"), "0000"},
      {VIEW("\xF0\x8F\xBF\xBF"), "0000"},
      {VIEW("\xED\xA0\x80"), "000"},
      {VIEW("\xED\xBF\xBF"), "000"},
      {VIEW("\xF4\x90\x80\x80"), "0000"},
      {VIEW("\xF5\x80"), "00"},
      {VIEW("\xFE\xFF"), "00"},
      {VIEW("\xC3"), "0"},
      {VIEW("\xC3"
            "a"),
       "01"},
      {VIEW("\xE2\x82"), "0"},
      {VIEW("\xE2\x82"
            "a"),
       "01"},
      {VIEW("\xF0\x9F\x98"), "0"},
      {VIEW("\xF1\x80\x80\xE1\x80\xC2"
            "b\x80"
            "c\x80\xBF"
            "d"),
       "000101001"},
  };
  for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
    struct str s = cases[i].s;
    bool all_valid = true;
    size_t part = 0;
    for (size_t at = 0; at < s.n; part++) {
      bool valid;
      at += str_utf8_next(s, at, &valid);
      all_valid = all_valid && valid;
      ck_assert_msg(at <= s.n, "case %zu: past the end", i);
      ck_assert_msg(cases[i].parts[part] == (valid ? '1' : '0'), "case %zu, part %zu", i, part);
    }
    ck_assert_msg(cases[i].parts[part] == '\0', "case %zu: only %zu parts", i, part);
    ck_assert_msg(str_is_utf8(s) == all_valid, "case %zu", i);
  }
}
END_TEST

/* A wrong byte is seen wherever it stands to the words that ASCII is skipped by. */
START_TEST(utf8_at_every_offset)
{
  char buffer[40];
  for (size_t n = 1; n <= sizeof(buffer); n++) {
    memset(buffer, 'a', sizeof(buffer));
    ck_assert(str_is_utf8(str_make(buffer, n)));
    for (size_t bad = 0; bad < n; bad++) {
      buffer[bad] = '\x80';
      ck_assert_msg(!str_is_utf8(str_make(buffer, n)), "%zu of %zu", bad, n);
      buffer[bad] = 'a';
    }
  }
}
END_TEST

START_TEST(copy_to)
{
  char buffer[4] = "zzz";
  ck_assert_view_eq(str_copy_to(STR("abc"), buffer, sizeof(buffer)), "abc");
  ck_assert_str_eq(buffer, "abc");
  ck_assert_view_eq(str_copy_to(STR("wxyz"), buffer, sizeof(buffer)), "wxy");
  ck_assert_str_eq(buffer, "wxy");
  ck_assert_view_eq(str_copy_to(str_make(NULL, 0), buffer, 1), "");
  ck_assert_str_eq(buffer, "");
  buffer[0] = '!';
  ck_assert_uint_eq(str_copy_to(STR("a"), buffer, 0).n, 0);
  ck_assert_int_eq(buffer[0], '!');
}
END_TEST

/* --- text ------------------------------------------------------------------------------------ */

START_TEST(text_grows)
{
  struct text text;
  text_init(&text, 100000);
  ck_assert_view_eq(text_str(&text), "");
  for (unsigned i = 0; i < 10000; i++) text_add_char(&text, (char)('a' + i % 26));
  text_printf(&text, "<%d|%s>", -7, "x");
  ck_assert(!text_failed(&text));
  ck_assert_uint_eq(text.n, 10000 + 6);
  ck_assert_int_eq(text.p[9999], 'a' + 9999 % 26);
  ck_assert_str_eq(text.p + 10000, "<-7|x>");
  text_clear(&text);
  ck_assert_view_eq(text_str(&text), "");
  text_add(&text, STR("again"));
  ck_assert_str_eq(text.p, "again");
  text_deinit(&text);
  ck_assert_ptr_null(text.p);
  text_deinit(&text);
}
END_TEST

START_TEST(text_printf_at_every_length)
{
  struct text text;
  text_init(&text, SIZE_MAX);
  char expected[600];
  memset(expected, ' ', sizeof(expected));
  for (int n = 0; n < 600; n++) {
    struct text fresh;
    text_init(&fresh, SIZE_MAX);
    text_printf(&fresh, "%*s", n, "");
    ck_assert(!text_failed(&fresh));
    ck_assert(str_eq(text_str(&fresh), str_make(expected, (size_t)n)));
    text_add(&text, text_str(&fresh));
    text_printf(&text, "%*d", n + 1, 7);
    text_deinit(&fresh);
  }
  ck_assert(!text_failed(&text));
  ck_assert_uint_eq(text.n, 600 * 599 / 2 + 600 * 601 / 2);
  text_deinit(&text);
}
END_TEST

START_TEST(text_stays_as_it_is_when_full)
{
  struct text text;
  text_init(&text, 5);
  text_add(&text, STR("abcde"));
  ck_assert(!text_failed(&text));
  text_add(&text, STR(""));
  ck_assert(!text_failed(&text));
  text_add_char(&text, 'f');
  ck_assert(text_failed(&text));
  ck_assert_str_eq(text.p, "abcde");
  text_clear(&text);
  text_add(&text, STR("ab"));
  text_printf(&text, "%s", "cdef");
  ck_assert(text_failed(&text));
  ck_assert_str_eq(text.p, "ab");
  /* Over is over: nothing that would fit comes in behind a gap. */
  text_add_char(&text, 'c');
  text_printf(&text, "d");
  ck_assert_view_eq(text_str(&text), "ab");
  text_clear(&text);
  text_printf(&text, "%s", "vwxyz");
  ck_assert(!text_failed(&text));
  ck_assert_str_eq(text.p, "vwxyz");
  text_deinit(&text);

  text_init(&text, 0);
  text_add(&text, STR(""));
  ck_assert(!text_failed(&text));
  text_add_char(&text, 'a');
  ck_assert(text_failed(&text));
  ck_assert_view_eq(text_str(&text), "");
  text_deinit(&text);
}
END_TEST

START_TEST(text_escapes)
{
  static const struct {
    struct str s;
    const char *json, *escaped, *line;
  } cases[] = {
      {VIEW(""), "\"\"", "", ""},
      {VIEW("plain text"), "\"plain text\"", "plain text", "plain text"},
      {VIEW("\"\\/"), "\"\\\"\\\\/\"", "\"\\/", "\"\\/"},
      {VIEW("\b\f\n\r\t"), "\"\\b\\f\\n\\r\\t\"", "\\x08\\x0c\\x0a\\x0d\\x09",
       "\\x08\\x0c\\x0a\\x0d\\x09"},
      {VIEW("a\0\x01\x1F\x7F"), "\"a\\u0000\\u0001\\u001f\\u007f\"", "a\\x00\\x01\\x1f\\x7f",
       "a\\x00\\x01\\x1f\\x7f"},
      {VIEW("\x1B[31m"), "\"\\u001b[31m\"", "\\x1b[31m", "\\x1b[31m"},
      {VIEW("gr\xC3\xBC\xC3\x9F"), "\"gr\xC3\xBC\xC3\x9F\"", "gr\\xc3\\xbc\\xc3\\x9f",
       "gr\xC3\xBC\xC3\x9F"},
      {VIEW("\xC2\x9B"
            "31m"),
       "\"\xC2\x9B"
       "31m\"",
       "\\xc2\\x9b31m", "\\xc2\\x9b31m"},
      {VIEW("\xC2\xA0\xF0\x9F\x98\x80"), "\"\xC2\xA0\xF0\x9F\x98\x80\"",
       "\\xc2\\xa0\\xf0\\x9f\\x98\\x80", "\xC2\xA0\xF0\x9F\x98\x80"},
      {VIEW("a\xE2\x82"
            "b\xFF"),
       "\"a\xEF\xBF\xBD"
       "b\xEF\xBF\xBD\"",
       "a\\xe2\\x82b\\xff", "a\\xe2\\x82b\\xff"},
  };
  for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
    struct text text;
    text_init(&text, 1000);
    text_add_json(&text, cases[i].s);
    ck_assert_view_eq(text_str(&text), cases[i].json);
    text_clear(&text);
    text_add_escaped(&text, cases[i].s);
    ck_assert_view_eq(text_str(&text), cases[i].escaped);
    text_deinit(&text);
    char line[100];
    size_t n;
    ck_assert_uint_eq(text_escape_controls(cases[i].s, line, sizeof(line), &n), cases[i].s.n);
    ck_assert_view_eq(str_make(line, n), cases[i].line);
  }
}
END_TEST

/* Every byte alone: what is escaped can be read back, and nothing else than ASCII comes out. */
START_TEST(text_escapes_every_byte)
{
  for (unsigned byte = 0; byte < 256; byte++) {
    char c = (char)byte;
    struct text text;
    text_init(&text, 100);
    text_add_escaped(&text, str_make(&c, 1));
    char expected[8];
    bool printable = byte >= 0x20 && byte < 0x7F;
    snprintf(expected, sizeof(expected), printable ? "%c" : "\\x%02x", byte);
    ck_assert_view_eq(text_str(&text), expected);
    text_clear(&text);
    text_add_json(&text, str_make(&c, 1));
    ck_assert(str_is_utf8(text_str(&text)));
    for (size_t i = 0; i < text.n; i++) ck_assert((unsigned char)text.p[i] >= 0x20);
    text_deinit(&text);
  }
}
END_TEST

START_TEST(escape_controls_stops_at_whole_characters)
{
  struct str s = STR("a\n\xE2\x82\xAC\xFF");
  static const struct {
    size_t capacity, taken;
    const char *expected;
  } cases[] = {
      {0, 0, ""},
      {1, 1, "a"},
      {4, 1, "a"},
      {5, 2, "a\\x0a"},
      {7, 2, "a\\x0a"},
      {8, 5, "a\\x0a\xE2\x82\xAC"},
      {11, 5, "a\\x0a\xE2\x82\xAC"},
      {12, 6, "a\\x0a\xE2\x82\xAC\\xff"},
  };
  for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
    char *buffer = malloc(cases[i].capacity + 1);
    size_t n;
    size_t taken = text_escape_controls(s, buffer, cases[i].capacity, &n);
    ck_assert_msg(taken == cases[i].taken, "case %zu: %zu", i, taken);
    ck_assert_view_eq(str_make(buffer, n), cases[i].expected);
    free(buffer);
  }
}
END_TEST

UNIT_MAIN("base_str", equality_and_order, affixes_and_substrings, parts_of_a_view, trim, split,
          numbers, utf8, utf8_at_every_offset, copy_to, text_grows, text_printf_at_every_length,
          text_stays_as_it_is_when_full, text_escapes, text_escapes_every_byte,
          escape_controls_stops_at_whole_characters)
