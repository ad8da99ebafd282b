/*
 * cli: what of the commands is a function: lines of a stream, flags as a batch request, percents,
 * options. What the commands print is in tests/cli.
 */
#include <fcntl.h>
#include <stdio.h>
#include <sys/mman.h>
#include <unistd.h>

#include "adit/text.h"
#include "cli/explain.h"
#include "cli/explanation.h"
#include "cli/lines.h"
#include "unit.h"

/* ---- lines ----------------------------------------------------------------------------------- */

/* A descriptor that gives `parts` one after the other, each `repeat` times. */
static int open_bytes(const char *const *parts, const size_t *repeat, size_t n) {
  int fd = memfd_create("lines", MFD_CLOEXEC);
  ck_assert_int_ge(fd, 0);
  for (size_t i = 0; i < n; i++) {
    struct text text;
    struct str part = str_from_cstr(parts[i]);
    text_init(&text, 8 << 20);
    for (size_t k = 0; k < repeat[i]; k++) text_add(&text, part);
    ck_assert(!text_failed(&text));
    ck_assert_int_eq((long)write(fd, text.p ? text.p : "", text.n), (long)text.n);
    text_deinit(&text);
  }
  ck_assert_int_eq((long)lseek(fd, 0, SEEK_SET), 0);
  return fd;
}

static enum line next(struct lines *lines, struct str *ret) {
  enum line line = lines_next(lines, ret);
  while (line == LINE_MORE) {
    ck_assert_int_eq(lines_fill(lines), 0);
    line = lines_next(lines, ret);
  }
  return line;
}

START_TEST(test_lines)
{
  enum { PARTS = 3, LINES = 4 };
  static const struct {
    const char *name;
    const char *parts[PARTS];
    size_t repeat[PARTS];
    struct {
      enum line line;
      size_t n;
    } expected[LINES]; /* and then LINE_END */
    size_t count;
  } cases[] = {
      {"nothing", {""}, {1}, {{0}}, 0},
      {"one", {"abc\n"}, {1}, {{LINE_WHOLE, 3}}, 1},
      {"the last newline is missing", {"a\nbc"}, {1}, {{LINE_WHOLE, 1}, {LINE_WHOLE, 2}}, 2},
      {"empty ones", {"\n\n"}, {1}, {{LINE_WHOLE, 0}, {LINE_WHOLE, 0}}, 2},
      {"exactly as long as allowed",
       {"x", "\nyy\n"},
       {LINE_BYTES_MAX, 1},
       {{LINE_WHOLE, LINE_BYTES_MAX}, {LINE_WHOLE, 2}},
       2},
      {"as long as allowed, and no newline",
       {"x"},
       {LINE_BYTES_MAX},
       {{LINE_WHOLE, LINE_BYTES_MAX}},
       1},
      {"one byte too long",
       {"x", "\nyy\n"},
       {LINE_BYTES_MAX + 1, 1},
       {{LINE_TOO_LONG, 0}, {LINE_WHOLE, 2}},
       2},
      {"one byte too long, and no newline", {"x"}, {LINE_BYTES_MAX + 1}, {{LINE_TOO_LONG, 0}}, 1},
      {"much too long, between two",
       {"a\n", "0123456789", "\nyy"},
       {1, 300000, 1},
       {{LINE_WHOLE, 1}, {LINE_TOO_LONG, 0}, {LINE_WHOLE, 2}},
       3},
      {"much too long, at the end",
       {"a\n", "0123456789"},
       {1, 300000},
       {{LINE_WHOLE, 1}, {LINE_TOO_LONG, 0}},
       2},
  };
  for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
    size_t parts = 0;
    while (parts < PARTS && cases[i].parts[parts]) parts++;
    int fd = open_bytes(cases[i].parts, cases[i].repeat, parts);
    struct lines lines;
    struct str line;
    ck_assert(lines_init(&lines, fd));
    for (size_t k = 0; k < cases[i].count; k++) {
      enum line got = next(&lines, &line);
      ck_assert_msg(got == cases[i].expected[k].line, "%s: line %zu is %d", cases[i].name, k + 1,
                    (int)got);
      ck_assert_msg(lines.number == k + 1, "%s: line %zu has number %llu", cases[i].name, k + 1,
                    (unsigned long long)lines.number);
      if (got == LINE_WHOLE) {
        ck_assert_msg(line.n == cases[i].expected[k].n, "%s: line %zu has %zu bytes", cases[i].name,
                      k + 1, line.n);
      }
    }
    ck_assert_msg(next(&lines, &line) == LINE_END, "%s: does not end", cases[i].name);
    ck_assert_msg(next(&lines, &line) == LINE_END, "%s: does not stay at its end", cases[i].name);
    lines_deinit(&lines);
    close(fd);
  }
}
END_TEST

START_TEST(test_lines_in_pieces)
{
  int ends[2];
  struct lines lines;
  struct str line;
  ck_assert_int_eq(pipe2(ends, O_CLOEXEC), 0);
  ck_assert(lines_init(&lines, ends[0]));
  ck_assert_int_eq(lines_next(&lines, &line), LINE_MORE);
  ck_assert(lines_would_wait(&lines));
  ck_assert_int_eq((long)write(ends[1], "ab", 2), 2);
  ck_assert(!lines_would_wait(&lines));
  ck_assert_int_eq(lines_fill(&lines), 0);
  ck_assert_int_eq(lines_next(&lines, &line), LINE_MORE);
  ck_assert_int_eq((long)write(ends[1], "c\nd\ne", 5), 5);
  ck_assert_int_eq(lines_fill(&lines), 0);
  ck_assert_int_eq(lines_next(&lines, &line), LINE_WHOLE);
  ck_assert_view_eq(line, "abc");
  ck_assert_int_eq(lines_next(&lines, &line), LINE_WHOLE);
  ck_assert_view_eq(line, "d");
  ck_assert_int_eq(lines_next(&lines, &line), LINE_MORE);
  ck_assert(lines_would_wait(&lines));
  close(ends[1]);
  ck_assert(!lines_would_wait(&lines));
  ck_assert_int_eq(lines_fill(&lines), 0);
  ck_assert_int_eq(lines_next(&lines, &line), LINE_WHOLE);
  ck_assert_view_eq(line, "e");
  ck_assert_int_eq(lines_next(&lines, &line), LINE_END);
  lines_deinit(&lines);
  close(ends[0]);
}
END_TEST

START_TEST(test_lines_bad_descriptor)
{
  struct lines lines;
  ck_assert(lines_init(&lines, -1));
  ck_assert_int_lt(lines_fill(&lines), 0);
  lines_deinit(&lines);
}
END_TEST

/* ---- flags of explain ------------------------------------------------------------------------ */

#define URL "http://a.example/"

START_TEST(test_request_to_json)
{
  static const struct {
    const char *name;
    const char *headers[3];
    const char *method, *client_ip, *now, *pin, *bucket;
    bool untrusted;
    const char *json; /* NULL: refused */
    const char *why;  /* holds this */
  } cases[] = {
      {.name = "a URL alone", .json = "{\"url\":\"" URL "\",\"trusted\":true}"},
      {.name = "untrusted", .untrusted = true, .json = "{\"url\":\"" URL "\",\"trusted\":false}"},
      {.name = "all",
       .method = "PUT",
       .client_ip = "::1",
       .now = "2026-01-01",
       .pin = "canary",
       .bucket = "0042",
       .headers = {"A: b"},
       .json = "{\"url\":\"" URL
               "\",\"method\":\"PUT\",\"headers\":[[\"A\",\"b\"]],\"client_ip\":\"::1\","
               "\"now\":\"2026-01-01\",\"pin\":\"canary\",\"bucket\":42,\"trusted\":true}"},
      {.name = "headers keep order and colons, lose blanks",
       .headers = {"A:b:c", "A: \t\"d\"\t ", "Empty;"},
       .json = "{\"url\":\"" URL
               "\",\"headers\":[[\"A\",\"b:c\"],[\"A\",\"\\\"d\\\"\"],[\"Empty\",\"\"]],"
               "\"trusted\":true}"},
      {.name = "a semicolon in a value",
       .headers = {"Cookie: a=b;"},
       .json = "{\"url\":\"" URL "\",\"headers\":[[\"Cookie\",\"a=b;\"]],\"trusted\":true}"},
      {.name = "no colon", .headers = {"Region"}, .why = "'Region' has no colon"},
      {.name = "no value", .headers = {"Region:"}, .why = "write 'Name;' to send it empty"},
      {.name = "blank value", .headers = {"Region: "}, .why = "has no value"},
      {.name = "not UTF-8", .headers = {"Region: \xE9"}, .why = "is not UTF-8"},
      {.name = "a method that is not UTF-8", .method = "\xFF", .why = "is not UTF-8"},
      {.name = "a bucket too high", .bucket = "10000", .why = "from 0 to 9999"},
      {.name = "a negative bucket", .bucket = "-1", .why = "from 0 to 9999"},
      {.name = "an empty bucket", .bucket = "", .why = "from 0 to 9999"},
  };
  for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
    struct str headers[3];
    struct explain_request request = {.url = STR(URL),
                                      .method = str_from_cstr(cases[i].method),
                                      .client_ip = str_from_cstr(cases[i].client_ip),
                                      .now = str_from_cstr(cases[i].now),
                                      .pin = str_from_cstr(cases[i].pin),
                                      .bucket = str_from_cstr(cases[i].bucket),
                                      .headers = headers,
                                      .untrusted = cases[i].untrusted};
    while (request.header_count < 3 && cases[i].headers[request.header_count]) {
      headers[request.header_count] = str_from_cstr(cases[i].headers[request.header_count]);
      request.header_count++;
    }
    struct text json, why;
    text_init(&json, 4096);
    text_init(&why, 4096);
    bool ok = explain_request_to_json(&request, &json, &why);
    ck_assert_msg(ok == (cases[i].json != NULL), "%s: %s", cases[i].name, why.p ? why.p : "");
    if (ok) {
      ck_assert_msg(str_eq(text_str(&json), str_from_cstr(cases[i].json)), "%s: %s", cases[i].name,
                    json.p);
    } else {
      ck_assert_msg(str_contains(text_str(&why), str_from_cstr(cases[i].why)), "%s: %s",
                    cases[i].name, why.p ? why.p : "");
    }
    text_deinit(&json);
    text_deinit(&why);
  }
}
END_TEST

START_TEST(test_percent)
{
  static const struct {
    unsigned buckets;
    const char *text;
  } cases[] = {{0, "0 %"},       {1, "0.01 %"},   {10, "0.1 %"},     {50, "0.5 %"},
               {100, "1 %"},     {105, "1.05 %"}, {3333, "33.33 %"}, {2500, "25 %"},
               {9990, "99.9 %"}, {10000, "100 %"}};
  for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
    struct text text;
    text_init(&text, 64);
    explanation_format_percent(cases[i].buckets, &text);
    ck_assert_msg(str_eq(text_str(&text), str_from_cstr(cases[i].text)), "%u is '%s'",
                  cases[i].buckets, text.p);
    text_deinit(&text);
  }
}
END_TEST

/* ---- commands -------------------------------------------------------------------------------- */

START_TEST(test_commands)
{
  size_t n = 0;
  for (; cli_commands[n]; n++) {
    const struct cli_command *command = cli_commands[n];
    ck_assert_ptr_eq(cli_find_command(command->name), command);
    ck_assert_msg(command->run != NULL, "%s does nothing", command->name);
    ck_assert_msg(command->summary[0] && !strchr(command->summary, '\n'), "%s: summary",
                  command->name);
    struct str details = str_from_cstr(command->details);
    ck_assert_msg(details.n == 0 || str_ends_with(details, STR("\n")), "%s: details",
                  command->name);
  }
  ck_assert_uint_gt(n, 5);
  ck_assert_ptr_null(cli_find_command("chekc"));
  ck_assert_ptr_null(cli_find_command(""));
}
END_TEST

UNIT_MAIN("cli", test_lines, test_lines_in_pieces, test_lines_bad_descriptor, test_request_to_json,
          test_percent, test_commands)
