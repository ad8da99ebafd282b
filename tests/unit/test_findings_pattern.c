/* What is read out of a regular expression, and what is not understood. */
#include "findings/pattern.h"

#include "adit/regex.h"
#include "adit/text.h"
#include "unit.h"

static const struct {
  const char *source;
  enum pattern_form form;
  const char *texts; /* divided by blanks */
} FORMS[] = {
    {"abc", PATTERN_CONTAINS, "abc"},
    {"^abc", PATTERN_STARTS_WITH, "abc"},
    {"abc$", PATTERN_ENDS_WITH, "abc"},
    {"^abc$", PATTERN_EQUAL, "abc"},
    {"^$", PATTERN_EQUAL, ""},
    {"a|b", PATTERN_CONTAINS, "a b"},
    {"^a|^b", PATTERN_STARTS_WITH, "a b"},
    {"^(?:a|bc)$", PATTERN_EQUAL, "a bc"},
    {"^(a|bc)", PATTERN_STARTS_WITH, "a bc"},
    {"(?i)bot", PATTERN_CONTAINS, "bot"},
    {"^v1\\.2", PATTERN_STARTS_WITH, "v1.2"},
    {"^a.*", PATTERN_STARTS_WITH, "a"},
    {".*a", PATTERN_CONTAINS, "a"},
    {"^.*a$", PATTERN_ENDS_WITH, "a"},
    {"^a|b", PATTERN_OTHER, ""},
    {"a.c", PATTERN_OTHER, ""},
    {"[ab]", PATTERN_OTHER, ""},
    {"ab?", PATTERN_OTHER, ""},
    {"^a(b|c)", PATTERN_OTHER, ""},
    {"\\d", PATTERN_OTHER, ""},
    {"^", PATTERN_OTHER, ""},
    {".*", PATTERN_OTHER, ""},
};

START_TEST(forms)
{
  for (size_t i = 0; i < sizeof(FORMS) / sizeof(*FORMS); i++) {
    struct arena *arena = arena_new(1 << 20);
    const struct pattern *pattern = pattern_read(arena, str_from_cstr(FORMS[i].source), false);
    ck_assert_msg(pattern != NULL, "%s", FORMS[i].source);
    struct str *texts;
    size_t n = 0;
    enum pattern_form form = pattern_form(arena, pattern, &texts, &n);
    ck_assert_msg(form == FORMS[i].form, "%s is %d", FORMS[i].source, (int)form);
    struct text joined;
    text_init(&joined, 256);
    for (size_t k = 0; form != PATTERN_OTHER && k < n; k++) {
      if (k > 0) text_add_char(&joined, ' ');
      text_add(&joined, texts[k]);
    }
    ck_assert_msg(str_eq(text_str(&joined), str_from_cstr(FORMS[i].texts)), "%s: %s",
                  FORMS[i].source, joined.p ? joined.p : "");
    text_deinit(&joined);
    arena_free(&arena);
  }
}
END_TEST

static const struct {
  const char *source;
  bool all;
} ALL[] = {
    {"", true},        {".*", true},         {"^.*$", true},  {"^", true},      {"$", true},
    {"x*", true},      {"^x*", true},        {"x*$", true},   {"abc|", true},   {"(a?b*)*", true},
    {"a|x*", true},    {"x{0,3}", true},     {"a*+b?", true}, {".*?", true},    {"^x*$", false},
    {".+", false},     {"a", false},         {"^.?$", false}, {"x{1,}", false}, {"^$", false},
    {"[^\\n]*", true}, {"^[^\\n]*$", false},
};

/* What is said to match everything does so. */
START_TEST(all)
{
  static const char *const values[] = {"", "a", "xx", "abc\n", "-"};
  struct regex_scratch *scratch = regex_scratch_new();
  for (size_t i = 0; i < sizeof(ALL) / sizeof(*ALL); i++) {
    struct arena *arena = arena_new(1 << 20);
    struct str source = str_from_cstr(ALL[i].source);
    const struct pattern *pattern = pattern_read(arena, source, false);
    bool is_all = pattern && pattern_matches_all(pattern);
    ck_assert_msg(is_all == (ALL[i].all && pattern), "%s", ALL[i].source);
    struct regex_error error;
    struct regex *regex = regex_new(source, &error);
    for (size_t k = 0; is_all && k < sizeof(values) / sizeof(*values); k++)
      ck_assert_int_eq(regex_match(regex, scratch, str_from_cstr(values[k]), NULL), REGEX_MATCHED);
    regex_free(&regex);
    arena_free(&arena);
  }
  regex_scratch_free(&scratch);
}
END_TEST

START_TEST(not_understood)
{
  static const char *const sources[] = {"a\\b",  "(?=a)",  "(?<n>a)", "[[:alpha:]]", "\\Qa\\E",
                                        "a{x}",  "(?x)a",  "*a",      "(a",          "a)",
                                        "\\x41", "(*UCP)", "a**",     "[b-a]",       "^*"};
  for (size_t i = 0; i < sizeof(sources) / sizeof(*sources); i++) {
    struct arena *arena = arena_new(1 << 20);
    ck_assert_msg(!pattern_read(arena, str_from_cstr(sources[i]), false), "%s", sources[i]);
    arena_free(&arena);
  }
}
END_TEST

/* A sample is matched by its own pattern, and has the group that it was given. */
START_TEST(samples)
{
  static const char *const sources[] = {"ShopApp/([0-9.]+)", "^a[^b]*$", "(?i)x{3}|y", "[ab]+\\d",
                                        "^(?:a|(b|c))d?"};
  struct regex_scratch *scratch = regex_scratch_new();
  for (size_t i = 0; i < sizeof(sources) / sizeof(*sources); i++) {
    struct arena *arena = arena_new(1 << 20);
    struct str source = str_from_cstr(sources[i]);
    struct regex_error error;
    struct regex *regex = regex_new(source, &error);
    for (size_t variant = 0; variant < 3; variant++) {
      struct text sample;
      text_init(&sample, 256);
      pattern_sample(pattern_read(arena, source, false), variant, (struct str){0}, &sample);
      ck_assert_msg(regex_match(regex, scratch, text_str(&sample), NULL) == REGEX_MATCHED, "%s: %s",
                    sources[i], sample.p);
      text_deinit(&sample);
    }
    regex_free(&regex);
    arena_free(&arena);
  }
  struct arena *arena = arena_new(1 << 20);
  struct text sample;
  text_init(&sample, 256);
  pattern_sample(pattern_read(arena, str_from_cstr(sources[0]), false), 0, STR("2.10"), &sample);
  ck_assert_view_eq(text_str(&sample), "ShopApp/2.10");
  text_deinit(&sample);
  arena_free(&arena);
  regex_scratch_free(&scratch);
}
END_TEST

UNIT_MAIN("findings_pattern", forms, all, not_understood, samples)
