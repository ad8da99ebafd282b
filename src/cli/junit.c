/*
 * JUnit XML, as Jenkins and GitLab read it: testsuites, a testsuite for each rule file, a testcase
 * for each test.
 */
#include <errno.h>
#include <stdio.h>

#include "adit/text.h"
#include "cli/tests.h"

enum { JUNIT_BYTES_MAX = 256 << 20 };

static struct str entity_of(char c) {
  switch (c) {
    case '&':
      return STR("&amp;");
    case '<':
      return STR("&lt;");
    case '>':
      return STR("&gt;");
    case '"':
      return STR("&quot;");
    case '\t':
      return STR("&#9;");
    case '\n':
      return STR("&#10;");
    case '\r':
      return STR("&#13;");
    default:
      return str_make(NULL, 0);
  }
}

/* Text and attributes alike. What XML 1.0 has no way to say (2.2: controls, U+FFFE, U+FFFF, bytes
 * that are not UTF-8) is U+FFFD. */
static void add_xml(struct text *out, struct str s) {
  static const struct str unknown = STR_INIT("\xEF\xBF\xBD");
  for (size_t i = 0; i < s.n;) {
    bool valid;
    size_t n = str_utf8_next(s, i, &valid);
    struct str character = str_make(s.p + i, n);
    struct str entity = n == 1 ? entity_of(s.p[i]) : str_make(NULL, 0);
    bool is_control = n == 1 && (unsigned char)s.p[i] < 0x20;
    bool is_noncharacter =
        str_eq(character, STR("\xEF\xBF\xBE")) || str_eq(character, STR("\xEF\xBF\xBF"));
    if (entity.p) {
      text_add(out, entity);
    } else {
      text_add(out, !valid || is_control || is_noncharacter ? unknown : character);
    }
    i += n;
  }
}

static void add_attribute(struct text *out, const char *name, struct str value) {
  text_printf(out, " %s=\"", name);
  add_xml(out, value);
  text_add_char(out, '"');
}

static void add_case(struct text *out, const struct policy_test *test) {
  text_add(out, STR("    <testcase"));
  add_attribute(out, "name", test->name);
  add_attribute(out, "classname", test->route->name);
  add_attribute(out, "file", str_from_cstr(test->route->file));
  if (test->passed) {
    text_add(out, STR("/>\n"));
    return;
  }
  text_add(out, STR(">\n      <failure type=\"expectation\""));
  add_attribute(out, "message", test->message);
  text_add_char(out, '>');
  add_xml(out, str_from_cstr(test->at.file));
  text_printf(out, ":%u:%u: ", test->at.line, test->at.column);
  add_xml(out, test->message);
  text_add(out, STR("</failure>\n    </testcase>\n"));
}

static void add_counts(struct text *out, const struct policy_test *tests, size_t n,
                       const struct route *route) {
  size_t count = 0, failed = 0;
  for (size_t i = 0; i < n; i++) {
    if (route && tests[i].route != route) continue;
    count++;
    failed += !tests[i].passed;
  }
  text_printf(out, " tests=\"%zu\" failures=\"%zu\" errors=\"0\" skipped=\"0\">\n", count, failed);
}

static void add_property(struct text *out, const char *name, size_t value) {
  text_printf(out, "      <property name=\"coverage.%s\" value=\"%zu\"/>\n", name, value);
}

static void add_properties(struct text *out, const struct coverage_sums *sums) {
  text_add(out, STR("    <properties>\n"));
  add_property(out, "rules", sums->rules);
  add_property(out, "rules.decided", sums->decided);
  add_property(out, "conditions", sums->conditions);
  add_property(out, "conditions.both_ways", sums->both);
  text_add(out, STR("    </properties>\n"));
}

static void add_document(struct text *out, const struct policy *policy, struct coverage *coverage) {
  size_t n;
  const struct policy_test *tests = policy_tests(policy, &n);
  text_add(out, STR("<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<testsuites name=\"adit\""));
  add_counts(out, tests, n, NULL);
  for (size_t i = 0; i < policy_route_count(policy); i++) {
    const struct route *route = policy_route(policy, i);
    text_add(out, STR("  <testsuite"));
    add_attribute(out, "name", str_from_cstr(route->file));
    add_counts(out, tests, n, route);
    const struct coverage_sums sums = coverage_sum(coverage, route);
    add_properties(out, &sums);
    for (size_t k = 0; k < n; k++)
      if (tests[k].route == route) add_case(out, &tests[k]);
    text_add(out, STR("  </testsuite>\n"));
  }
  text_add(out, STR("</testsuites>\n"));
}

static int write_file(const char *path, struct str s) {
  FILE *file = fopen(path, "we");
  if (!file) return -errno;
  int error = fwrite(s.p, 1, s.n, file) == s.n ? 0 : -errno;
  if (fclose(file) != 0 && !error) error = -errno;
  return error;
}

int junit_write(const char *path, const struct policy *policy, struct coverage *coverage) {
  struct text out;
  text_init(&out, JUNIT_BYTES_MAX);
  add_document(&out, policy, coverage);
  int error = text_failed(&out) ? -ENOMEM : write_file(path, text_str(&out));
  text_deinit(&out);
  return error;
}
