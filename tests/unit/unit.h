/*
 * unit: what every unit test needs around Check.
 *
 * A test program is tables and START_TEST blocks, and at its end UNIT_MAIN("name", test_a, test_b).
 */
#ifndef ADIT_TESTS_UNIT_H
#define ADIT_TESTS_UNIT_H

#include <check.h>
#include <stdlib.h>

#include "adit/str.h"

static inline int unit_run(const char *name, const TTest *const *tests, size_t n) {
  Suite *suite = suite_create(name);
  for (size_t i = 0; i < n; i++) {
    TCase *tcase = tcase_create(tests[i]->name);
    tcase_set_timeout(tcase, 60);
    tcase_add_test(tcase, tests[i]);
    suite_add_tcase(suite, tcase);
  }
  SRunner *runner = srunner_create(suite);
  srunner_run_all(runner, CK_ENV);
  int failed = srunner_ntests_failed(runner);
  srunner_free(runner);
  return failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}

#define UNIT_MAIN(name, ...)                                        \
  int main(void) {                                                  \
    const TTest *const tests[] = {__VA_ARGS__};                     \
    return unit_run((name), tests, sizeof(tests) / sizeof(*tests)); \
  }

/* Compares a view with a C string literal and shows both. */
#define ck_assert_view_eq(view, expected)                                                         \
  do {                                                                                            \
    struct str ck_view = (view);                                                                  \
    ck_assert_msg(str_eq(ck_view, str_from_cstr(expected)), "%s is '%.*s', expected '%s'", #view, \
                  STR_ARG(ck_view), (expected));                                                  \
  } while (0)

#endif
