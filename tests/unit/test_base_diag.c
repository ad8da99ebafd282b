/* Diagnostics, "did you mean", and the log on stderr. */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <unistd.h>

#include "adit/diag.h"
#include "adit/log.h"
#include "adit/text.h"
#include "unit.h"

static void assert_formatted(const struct diags *diags, const char *expected) {
  struct text text;
  text_init(&text, 1 << 20);
  diags_format(diags, &text);
  ck_assert(!text_failed(&text));
  ck_assert_view_eq(text_str(&text), expected);
  text_deinit(&text);
}

START_TEST(one_diagnostic)
{
  static const struct {
    enum diag_level level;
    struct diag_place at;
    const char *hint, *message, *expected;
  } cases[] = {
      {DIAG_ERROR,
       {"a.json", 14, 31},
       "did you mean 'before'?",
       "rule 'a': unknown operator 'befor'",
       "a.json:14:31: error: rule 'a': unknown operator 'befor' (did you mean 'before'?)\n"},
      {DIAG_WARNING, {"a.json", 1, 1}, NULL, "w", "a.json:1:1: warning: w\n"},
      {DIAG_NOTE, {"a.json", 2, 0}, NULL, "n", "a.json:2: note: n\n"},
      {DIAG_ERROR, {"a.json", 0, 0}, NULL, "cannot be read", "a.json: error: cannot be read\n"},
      {DIAG_ERROR, {NULL, 0, 0}, "h", "no file at all", "error: no file at all (h)\n"},
      {DIAG_ERROR,
       {"a\n.json", 1, 2},
       "\x1B[0m",
       "a\tb\x7F gr\xC3\xBC\xC3\x9F \xFF",
       "a\\x0a.json:1:2: error: a\\x09b\\x7f gr\xC3\xBC\xC3\x9F \\xff (\\x1b[0m)\n"},
  };
  for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
    struct diags *diags = diags_new();
    diags_add(diags, cases[i].level, cases[i].at, cases[i].hint, "%s", cases[i].message);
    assert_formatted(diags, cases[i].expected);
    ck_assert_uint_eq(diags_size(diags), 1);
    ck_assert_uint_eq(diags_count(diags, cases[i].level), 1);
    ck_assert(diags_get(diags, 0)->level == cases[i].level);
    ck_assert_uint_eq(diags_get(diags, 0)->at.line, cases[i].at.line);
    diags_free(&diags);
    ck_assert_ptr_null(diags);
  }
}
END_TEST

START_TEST(texts_are_copied)
{
  struct diags *diags = diags_new();
  assert_formatted(diags, "");
  char file[] = "a.json";
  char hint[] = "hint";
  char word[] = "word";
  diags_add(diags, DIAG_ERROR, (struct diag_place){file, 1, 2}, hint, "%s %d", word, 7);
  memset(file, 'x', sizeof(file) - 1);
  memset(hint, 'x', sizeof(hint) - 1);
  memset(word, 'x', sizeof(word) - 1);
  assert_formatted(diags, "a.json:1:2: error: word 7 (hint)\n");
  diags_free(&diags);
  diags_free(&diags);
}
END_TEST

START_TEST(printed_by_file_and_place)
{
  static const struct {
    struct diag_place at;
    const char *message;
  } added[] = {
      {{"b.json", 9, 1}, "1"}, {{"a.json", 2, 7}, "2"},  {{"b.json", 1, 5}, "3"},
      {{"a.json", 2, 3}, "4"}, {{"b.json", 1, 5}, "5"},  {{"a.json", 0, 0}, "6"},
      {{NULL, 0, 0}, "7"},     {{"b.json", 10, 1}, "8"}, {{"b.json", 1, 5}, "9"},
  };
  struct diags *diags = diags_new();
  for (size_t i = 0; i < sizeof(added) / sizeof(*added); i++) {
    diags_add(diags, DIAG_ERROR, added[i].at, NULL, "%s", added[i].message);
  }
  for (size_t i = 0; i < sizeof(added) / sizeof(*added); i++) {
    ck_assert_str_eq(diags_get(diags, i)->message, added[i].message);
  }
  assert_formatted(diags,
                   "b.json:1:5: error: 3\n"
                   "b.json:1:5: error: 5\n"
                   "b.json:1:5: error: 9\n"
                   "b.json:9:1: error: 1\n"
                   "b.json:10:1: error: 8\n"
                   "a.json: error: 6\n"
                   "a.json:2:3: error: 4\n"
                   "a.json:2:7: error: 2\n"
                   "error: 7\n");
  diags_free(&diags);
}
END_TEST

START_TEST(only_so_many_are_kept)
{
  struct diags *diags = diags_new();
  for (unsigned i = 1; i <= 250; i++) {
    ck_assert_int_eq(diags_is_full(diags, DIAG_WARNING), i > 200);
    diags_add(diags, DIAG_WARNING, (struct diag_place){"a", i, 1}, NULL, "w");
  }
  /* Warnings, however many, don't hide an error. */
  diags_add(diags, DIAG_ERROR, (struct diag_place){"a", 999, 1}, NULL, "e");
  ck_assert_uint_eq(diags_count(diags, DIAG_WARNING), 250);
  ck_assert_uint_eq(diags_count(diags, DIAG_ERROR), 1);
  ck_assert_uint_eq(diags_count(diags, DIAG_NOTE), 0);
  ck_assert_uint_eq(diags_size(diags), 201);
  ck_assert(!diags_is_full(diags, DIAG_ERROR));
  struct text text;
  text_init(&text, 1 << 20);
  diags_format(diags, &text);
  ck_assert(str_ends_with(text_str(&text),
                          STR("\na:200:1: warning: w\na:999:1: error: e\nand 50 more\n")));
  text_deinit(&text);

  struct diags *all = diags_new();
  diags_add(all, DIAG_NOTE, (struct diag_place){"z", 1, 1}, "h", "n");
  diags_append(all, diags);
  diags_append(all, diags);
  ck_assert_uint_eq(diags_count(all, DIAG_WARNING), 500);
  ck_assert_uint_eq(diags_count(all, DIAG_ERROR), 2);
  ck_assert_uint_eq(diags_size(all), 1 + 200 + 2);
  ck_assert_str_eq(diags_get(all, 0)->hint, "h");
  ck_assert_str_eq(diags_get(all, 1)->message, "w");
  text_init(&text, 1 << 20);
  diags_format(all, &text);
  ck_assert(str_starts_with(text_str(&text), STR("z:1:1: note: n (h)\na:1:1: warning: w\n")));
  ck_assert(str_ends_with(text_str(&text), STR("error: e\nand 300 more\n")));
  text_deinit(&text);
  diags_free(&diags);
  diags_free(&all);
}
END_TEST

START_TEST(long_messages_are_cut)
{
  struct diags *diags = diags_new();
  char euros[3 * 1000 + 1];
  for (size_t i = 0; i < 1000; i++) memcpy(euros + 3 * i, "\xE2\x82\xAC", 3);
  euros[3000] = '\0';
  for (size_t offset = 0; offset < 3; offset++) {
    diags_add(diags, DIAG_ERROR, (struct diag_place){0}, NULL, "%.*s%s", (int)offset, "aaa", euros);
    struct str message = str_from_cstr(diags_get(diags, offset)->message);
    ck_assert_uint_le(message.n, 2048);
    ck_assert_uint_ge(message.n, 2040);
    ck_assert(str_is_utf8(message));
    ck_assert(str_ends_with(message, STR("\xE2\x82\xAC...")));
  }
  diags_free(&diags);
}
END_TEST

START_TEST(nearest_word)
{
  static const char *const operators[] = {"eq",     "ne",    "in",       "not_in",  "exists",
                                          "before", "after", "contains", "matches", "between",
                                          "gt",     "gte",   NULL};
  static const struct {
    struct str word;
    const char *expected;
  } cases[] = {
      {STR_INIT("befor"), "before"},
      {STR_INIT("beofre"), "before"},
      {STR_INIT("befroe"), "before"},
      {STR_INIT("Before"), "before"},
      {STR_INIT("AFTER"), "after"},
      {STR_INIT("afterr"), "after"},
      {STR_INIT("xfter"), "after"},
      {STR_INIT("contians"), "contains"},
      {STR_INIT("contain"), "contains"},
      {STR_INIT("match"), "matches"},
      {STR_INIT("notin"), "not_in"},
      {STR_INIT("not-in"), "not_in"},
      {STR_INIT("gtee"), "gte"},
      {STR_INIT("exist"), "exists"},
      {STR_INIT("betwene"), "between"},
      {STR_INIT(""), NULL},
      {STR_INIT("x"), NULL},
      {STR_INIT("qe"), NULL},
      {STR_INIT("matcher_of"), NULL},
      {STR_INIT("startswith"), NULL},
      {STR_INIT("be"), NULL},
  };
  for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
    const char *nearest = diag_nearest(cases[i].word, operators);
    ck_assert_msg((nearest == NULL) == (cases[i].expected == NULL), "'%.*s' gives '%s'",
                  STR_ARG(cases[i].word), nearest ? nearest : "nothing");
    if (nearest) ck_assert_str_eq(nearest, cases[i].expected);
  }
  static const char *const none[] = {NULL};
  ck_assert_ptr_null(diag_nearest(STR("a"), none));
}
END_TEST

START_TEST(nearest_of_long_words)
{
  char longest[65];
  char longer[66];
  memset(longest, 'a', 64);
  memset(longer, 'a', 65);
  longest[64] = '\0';
  longer[65] = '\0';
  const char *const candidates[] = {longer, longest, NULL};
  ck_assert_ptr_eq(diag_nearest(str_make(longer, 64), candidates), longest);
  ck_assert_ptr_eq(diag_nearest(str_make(longer, 50), candidates), longest);
  ck_assert_ptr_null(diag_nearest(str_make(longer, 65), candidates));
  ck_assert_ptr_null(diag_nearest(str_make(longer, SIZE_MAX), candidates));
}
END_TEST

START_TEST(did_you_mean)
{
  static const char *const words[] = {"canary", "stable", NULL};
  char buffer[32];
  ck_assert_str_eq(diag_did_you_mean(STR("canray"), words, buffer, sizeof(buffer)),
                   "did you mean 'canary'?");
  ck_assert_ptr_null(diag_did_you_mean(STR("blue"), words, buffer, sizeof(buffer)));
  ck_assert_ptr_nonnull(diag_did_you_mean(STR("canray"), words, buffer, 23));
  ck_assert_ptr_null(diag_did_you_mean(STR("canray"), words, buffer, 22));
}
END_TEST

/* --- log ------------------------------------------------------------------------------------- */

/* Runs `body` with stderr in a packet pipe; each write comes back as one read. */
#define CAPTURE(fds, body)                           \
  do {                                               \
    fflush(stderr);                                  \
    int saved = dup(STDERR_FILENO);                  \
    ck_assert_int_eq(pipe2((fds), O_DIRECT), 0);     \
    ck_assert_int_ge(dup2((fds)[1], 2), 0);          \
    body;                                            \
    ck_assert_int_ge(dup2(saved, STDERR_FILENO), 0); \
    close(saved);                                    \
    close((fds)[1]);                                 \
  } while (0)

static struct str next_write(int fd, char *buffer, size_t capacity) {
  ssize_t n = read(fd, buffer, capacity);
  ck_assert_int_ge(n, 0);
  return str_make(buffer, (size_t)n);
}

START_TEST(a_line_is_a_write)
{
  int fds[2];
  char buffer[8192];
  errno = 1234;
  CAPTURE(fds, {
    log_write(LOG_ERROR, "cannot %s", "open");
    log_write(LOG_WARNING, "%d left", 3);
    log_write(LOG_INFO, "ready");
    log_write(LOG_INFO, "a\nb\x1B[0m gr\xC3\xBC\xC3\x9F \xFF");
    log_write(LOG_INFO, "%s", "");
  });
  ck_assert_view_eq(next_write(fds[0], buffer, sizeof(buffer)), "adit: error: cannot open\n");
  ck_assert_view_eq(next_write(fds[0], buffer, sizeof(buffer)), "adit: warning: 3 left\n");
  ck_assert_view_eq(next_write(fds[0], buffer, sizeof(buffer)), "adit: ready\n");
  ck_assert_view_eq(next_write(fds[0], buffer, sizeof(buffer)),
                    "adit: a\\x0ab\\x1b[0m gr\xC3\xBC\xC3\x9F \\xff\n");
  ck_assert_view_eq(next_write(fds[0], buffer, sizeof(buffer)), "adit: \n");
  ck_assert_view_eq(next_write(fds[0], buffer, sizeof(buffer)), "");
  close(fds[0]);
}
END_TEST

START_TEST(errno_survives_a_line)
{
  int fds[2];
  int after;
  CAPTURE(fds, {
    close(STDERR_FILENO);
    errno = ENOENT;
    log_write(LOG_ERROR, "to nobody");
    after = errno;
  });
  ck_assert_int_eq(after, ENOENT);
  close(fds[0]);
}
END_TEST

START_TEST(long_lines_are_cut_with_a_mark)
{
  char message[10001];
  char buffer[8192];
  for (size_t n = 4000; n < 4200; n++) {
    /* Plain, of characters of three bytes, and of bytes that grow to four. */
    static const char *const parts[] = {"x", "\xE2\x82\xAC", "\x01"};
    static const size_t widths[] = {1, 3, 4};
    for (size_t k = 0; k < 3; k++) {
      size_t width = strlen(parts[k]);
      size_t count = n / widths[k];
      for (size_t i = 0; i < count; i++) memcpy(message + i * width, parts[k], width);
      message[count * width] = '\0';
      int fds[2];
      CAPTURE(fds, log_write(LOG_INFO, "%s", message));
      struct str line = next_write(fds[0], buffer, sizeof(buffer));
      close(fds[0]);
      bool whole = !str_ends_with(line, STR("...\n"));
      ck_assert_uint_le(line.n, 4096);
      ck_assert(str_is_utf8(line) && str_ends_with(line, STR("\n")));
      ck_assert_msg(whole ? line.n == 7 + count * widths[k] : line.n > 4080, "%zu, %zu", n, k);
      ck_assert_msg(whole == (n <= 4085) || (n > 4080 && n < 4095), "%zu, %zu", n, k);
    }
  }
}
END_TEST

START_TEST(diagnostics_as_lines)
{
  struct diags *diags = diags_new();
  diags_add(diags, DIAG_WARNING, (struct diag_place){"a", 2, 1}, "h", "w\nx");
  diags_add(diags, DIAG_ERROR, (struct diag_place){"a", 1, 1}, NULL, "e");
  int fds[2];
  char buffer[8192];
  CAPTURE(fds, log_diags(diags));
  ck_assert_view_eq(next_write(fds[0], buffer, sizeof(buffer)), "a:1:1: error: e\n");
  ck_assert_view_eq(next_write(fds[0], buffer, sizeof(buffer)), "a:2:1: warning: w\\x0ax (h)\n");
  ck_assert_view_eq(next_write(fds[0], buffer, sizeof(buffer)), "");
  close(fds[0]);
  diags_free(&diags);
}
END_TEST

UNIT_MAIN("base_diag", one_diagnostic, texts_are_copied, printed_by_file_and_place,
          only_so_many_are_kept, long_messages_are_cut, nearest_word, nearest_of_long_words,
          did_you_mean, a_line_is_a_write, errno_survives_a_line, long_lines_are_cut_with_a_mark,
          diagnostics_as_lines)
