/*
 * check: what can be said of adit.json and rule files without running them.
 *
 * Loading a policy finds every mistake and runs the tests inside rule files. At a start a failing
 * test is only a warning (the gateway serves), for `check` it is an error.
 */
#include <stdio.h>

#include "adit/text.h"
#include "adit/units.h"
#include "cli/cli.h"

struct check_options {
  const char *config_path;
  bool strict;
  bool notes;
  int64_t now_ms;
};

/* Operands begin at optind. */
static bool parse_options(const struct cli_command *command, int argc, char **argv,
                          struct check_options *ret) {
  static const struct option names[] = {{"config", required_argument, NULL, 'c'},
                                        {"strict", no_argument, NULL, 's'},
                                        {"notes", no_argument, NULL, 'n'},
                                        {"now", required_argument, NULL, 't'},
                                        {0}};
  int option;
  ret->now_ms = clock_wall_ms() / 1000 * 1000;
  while ((option = cli_next_option(command, argc, argv, ":c:", names)) != -1) {
    if (option == '?') return false;
    if (option == 'c') ret->config_path = optarg;
    if (option == 's') ret->strict = true;
    if (option == 'n') ret->notes = true;
    if (option == 't' && !time_parse(str_from_cstr(optarg), &ret->now_ms)) {
      cli_usage_error(command, "--now '%s' is not a time, as 2026-01-01T00:00:00Z is", optarg);
      return false;
    }
  }
  if (!ret->config_path) cli_usage_error(command, "which adit.json? give -c FILE");
  return ret->config_path != NULL;
}

static size_t count_failed(const struct policy_test *tests, size_t n) {
  size_t failed = 0;
  for (size_t i = 0; i < n; i++) failed += !tests[i].passed;
  return failed;
}

/* ---- check ----------------------------------------------------------------------------------- */

static bool is_same_place(const struct diag_place *a, const struct diag_place *b) {
  bool files = a->file && b->file ? strcmp(a->file, b->file) == 0 : a->file == b->file;
  return files && a->line == b->line && a->column == b->column;
}

static bool is_failed_test(const struct diag *diag, const struct policy_test *tests, size_t n) {
  if (diag->level != DIAG_WARNING) return false;
  for (size_t i = 0; i < n; i++) {
    if (!tests[i].passed && is_same_place(&diag->at, &tests[i].at)) return true;
  }
  return false;
}

/* The same list with the warnings about failed tests as errors. NULL: memory. */
static struct diags *judge(const struct diags *diags, const struct policy_test *tests, size_t n) {
  struct diags *judged = diags_new();
  if (!judged) return NULL;
  for (size_t i = 0; i < diags_size(diags); i++) {
    const struct diag *diag = diags_get(diags, i);
    enum diag_level level = is_failed_test(diag, tests, n) ? DIAG_ERROR : diag->level;
    diags_add(judged, level, diag->at, diag->hint, "%s", diag->message);
  }
  return judged;
}

static const char *plural(size_t n) {
  return n == 1 ? "" : "s";
}

static int conclude(const struct check_options *options, const char *loaded, size_t errors,
                    size_t warnings) {
  printf("%s:%s %zu error%s, %zu warning%s\n", options->config_path, loaded, errors, plural(errors),
         warnings, plural(warnings));
  return errors > 0 || (options->strict && warnings > 0) ? CLI_FAILED : CLI_OK;
}

static int conclude_loaded(const struct check_options *options, const struct policy *policy,
                           const struct diags *diags) {
  size_t n;
  const struct policy_test *tests = policy_tests(policy, &n);
  size_t failed = count_failed(tests, n);
  size_t routes = policy_route_count(policy);
  struct diags *judged = judge(diags, tests, n);
  cli_print_diags(judged ? judged : diags);
  size_t lost = diags_count(diags, DIAG_ERROR) + diags_count(diags, DIAG_WARNING) +
                diags_count(diags, DIAG_NOTE) - diags_size(diags);
  if (judged && lost) fprintf(stderr, "and %zu more\n", lost);
  diags_free(&judged);

  char loaded[80];
  snprintf(loaded, sizeof(loaded), " %zu route%s, %zu test%s:", routes, plural(routes), n,
           plural(n));
  size_t warned = diags_count(diags, DIAG_WARNING);
  return conclude(options, loaded, diags_count(diags, DIAG_ERROR) + failed,
                  warned > failed ? warned - failed : 0);
}

static int run_check(const struct cli_command *command, int argc, char **argv) {
  struct check_options options = {0};
  if (!parse_options(command, argc, argv, &options)) return CLI_USAGE;
  struct policy_options load = {
      .config_path = options.config_path,
      .findings = options.notes ? POLICY_FINDINGS_ALL : POLICY_FINDINGS_WARNINGS,
      .now_ms = options.now_ms};
  if (optind < argc) {
    load.rule_paths = (const char *const *)&argv[optind];
    load.rule_path_count = (size_t)(argc - optind);
  }
  struct diags *diags = diags_new();
  if (!diags) return cli_error(command, "out of memory");
  struct policy *policy = policy_load(&load, diags);
  int status = CLI_FAILED;
  if (policy) {
    status = conclude_loaded(&options, policy, diags);
  } else if (diags_count(diags, DIAG_ERROR) == 0) {
    cli_error(command, "%s: out of memory", options.config_path);
  } else {
    cli_print_diags(diags);
    status =
        conclude(&options, "", diags_count(diags, DIAG_ERROR), diags_count(diags, DIAG_WARNING));
  }
  policy_unref(&policy);
  diags_free(&diags);
  return status;
}

const struct cli_command cli_check = {
    .name = "check",
    .synopsis = "-c adit.json [--strict] [--notes] [--now TIME] [RULES...]",
    .summary = "validates the configuration and rule files, and runs their tests",
    .details =
        "  -c, --config FILE   the configuration\n"
        "      --strict        warnings are a failure, too\n"
        "      --notes         also what is no mistake, but worth a look\n"
        "      --now TIME      what will be over then, instead of by now\n"
        "  RULES               rule files, instead of those that adit.json names\n"
        "\n"
        "Findings go to stderr, the closing line to stdout. A failing test is an error; what the\n"
        "author cannot have meant is a warning, with a request that shows it where there is one\n"
        "(a line for 'adit explain --batch').\n"
        "Exit status: 0 fine, 1 errors.\n",
    .run = run_check,
};
