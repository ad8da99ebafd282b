/*
 * test: the tests inside rule files, and what they leave open.
 *
 *   load (runs the tests, each noted by coverage.c) ─► failures ─► coverage ─► JUnit (junit.c)
 */
#include <stdio.h>

#include "adit/text.h"
#include "cli/cli.h"
#include "cli/tests.h"

struct test_options {
  const char *config_path;
  const char *junit_path; /* NULL: none */
};

static bool parse_options(const struct cli_command *command, int argc, char **argv,
                          struct test_options *ret) {
  static const struct option names[] = {
      {"config", required_argument, NULL, 'c'}, {"junit", required_argument, NULL, 'j'}, {0}};
  int option;
  while ((option = cli_next_option(command, argc, argv, ":c:", names)) != -1) {
    if (option == '?') return false;
    if (option == 'c') ret->config_path = optarg;
    if (option == 'j') ret->junit_path = optarg;
  }
  if (!ret->config_path) cli_usage_error(command, "which adit.json? give -c FILE");
  return ret->config_path != NULL;
}

static void print_failure(const struct policy_test *test) {
  struct text line;
  text_init(&line, 1 << 20);
  text_printf(&line, "%s:%u:%u: test '", test->at.file ? test->at.file : "", test->at.line,
              test->at.column);
  text_add(&line, test->name);
  text_add(&line, STR("' failed: "));
  text_add(&line, test->message);
  printf("%.*s\n", STR_ARG(text_str(&line)));
  text_deinit(&line);
}

static void print_coverage(struct coverage *coverage, struct policy *policy) {
  struct text out;
  text_init(&out, 16 << 20);
  coverage_format(coverage, policy, &out);
  printf("%.*s", STR_ARG(text_str(&out)));
  text_deinit(&out);
}

static int conclude(const struct cli_command *command, const struct test_options *options,
                    struct policy *policy, struct coverage *coverage) {
  size_t n, failed = 0;
  const struct policy_test *tests = policy_tests(policy, &n);
  for (size_t i = 0; i < n; i++) {
    failed += !tests[i].passed;
    if (!tests[i].passed) print_failure(&tests[i]);
  }
  print_coverage(coverage, policy);
  int error = options->junit_path ? junit_write(options->junit_path, policy, coverage) : 0;
  printf("%zu passed, %zu failed\n", n - failed, failed);
  if (error) return cli_error(command, "%s: %s", options->junit_path, strerror(-error));
  return failed ? CLI_FAILED : CLI_OK;
}

static int run_test(const struct cli_command *command, int argc, char **argv) {
  struct test_options options = {0};
  if (!parse_options(command, argc, argv, &options)) return CLI_USAGE;
  struct diags *diags = NULL;
  struct coverage *coverage = coverage_new();
  if (!coverage) return cli_error(command, "out of memory");
  struct policy_options load = {
      .config_path = options.config_path, .on_test = coverage_note, .on_test_context = coverage};
  struct policy *policy =
      cli_load_policy_with(command, &load, &argv[optind], (size_t)(argc - optind), &diags);
  int status = policy ? conclude(command, &options, policy, coverage) : CLI_FAILED;
  policy_unref(&policy);
  coverage_free(&coverage);
  diags_free(&diags);
  return status;
}

const struct cli_command cli_test = {
    .name = "test",
    .synopsis = "-c adit.json [--junit FILE] [RULES...]",
    .summary = "runs only the tests inside rule files",
    .details =
        "  -c, --config FILE   the configuration\n"
        "      --junit FILE    the results as JUnit XML, too, for a pipeline\n"
        "  RULES               rule files, instead of those that adit.json names\n"
        "\n"
        "Each failure is shown with what was expected and what came, then which rules no test\n"
        "reaches, matches or passes over, and which conditions no test shows both true and false.\n"
        "Below each, 'add:' begins a test to be put into the file's \"tests\" as it is, with what\n"
        "the rules decide now; where there is none it says why. The closing line is\n"
        "'N passed, N failed'.\n"
        "Exit status: 0 all passed, 1 a test failed or a file does not load.\n",
    .run = run_test,
};
