/*
 * import: another gateway's configuration as files of Adit's.
 *
 * Nothing is written before everything is known to be writable: no error in the manifests, and no
 * file in the way. What was written is then loaded as `adit check` would, with its tests.
 */
#include "adit/import.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "adit/json.h"
#include "adit/text.h"
#include "cli/cli.h"

struct import_command {
  const struct cli_command *command;
  const char *directory;
  bool force;
  struct import_options options;
  struct import_source *sources;
  size_t source_count;
};

/* ---- reading --------------------------------------------------------------------------------- */

/* Standard input to its end, within the limit of a file. */
static bool read_stdin(struct diags *diags, char **ret, size_t *ret_n) {
  size_t n = 0, capacity = 1 << 16;
  char *buffer = malloc(capacity);
  ssize_t got = 0;
  while (buffer && n <= IMPORT_SOURCE_MAX && (got = read(0, buffer + n, capacity - n)) != 0) {
    if (got < 0 && errno == EINTR) continue;
    if (got < 0) break;
    n += (size_t)got;
    if (n < capacity) continue;
    char *larger = realloc(buffer, capacity *= 2);
    if (!larger) free(buffer);
    buffer = larger;
  }
  *ret = buffer;
  *ret_n = n;
  if (buffer && got >= 0 && n <= IMPORT_SOURCE_MAX) return true;
  diags_add(diags, DIAG_ERROR, (struct diag_place){"stdin", 0, 0}, NULL,
            "cannot read standard input: %s",
            !buffer   ? "out of memory"
            : got < 0 ? strerrordesc_np(errno)
                      : "it is too large");
  free(buffer);
  *ret = NULL;
  return false;
}

static bool read_sources(struct import_command *self, char **paths, struct diags *diags) {
  bool ok = true;
  for (size_t i = 0; i < self->source_count; i++) {
    char *text = NULL;
    size_t n = 0;
    struct diag_place at = {paths[i], 0, 0};
    bool from_stdin = strcmp(paths[i], "-") == 0;
    if (!(from_stdin ? read_stdin(diags, &text, &n)
                     : file_read(paths[i], IMPORT_SOURCE_MAX, at, diags, &text, &n))) {
      ok = false;
    }
    self->sources[i] = (struct import_source){from_stdin ? "stdin" : paths[i], str_make(text, n)};
  }
  return ok;
}

static void free_sources(struct import_command *self) {
  for (size_t i = 0; i < self->source_count; i++) free((void *)(uintptr_t)self->sources[i].text.p);
  free(self->sources);
}

/* ---- writing --------------------------------------------------------------------------------- */

static int fail_path(const struct import_command *self, const char *path, int error) {
  if (error == EEXIST) {
    return cli_error(self->command, "%s exists: nothing was written (--force overwrites)", path);
  }
  return cli_error(self->command, "cannot write %s: %s", path, strerrordesc_np(error));
}

static void join(const struct import_command *self, struct str name, struct text *ret) {
  text_clear(ret);
  text_printf(ret, "%s/%.*s", self->directory, STR_ARG(name));
}

static int check_free(const struct import_command *self, const struct import_file *files, size_t n,
                      struct text *path) {
  struct stat status;
  for (size_t i = 0; i < n && !self->force; i++) {
    join(self, files[i].path, path);
    if (lstat(path->p, &status) == 0) return fail_path(self, path->p, EEXIST);
    if (errno != ENOENT) return fail_path(self, path->p, errno);
  }
  return CLI_OK;
}

static int make_directory(const struct import_command *self, struct str name, struct text *path) {
  join(self, name, path);
  if (mkdir(path->p, 0777) == 0 || errno == EEXIST) return CLI_OK;
  return fail_path(self, path->p, errno);
}

static int write_file(const struct import_command *self, const struct import_file *file,
                      struct text *path) {
  join(self, file->path, path);
  int flags = O_WRONLY | O_CREAT | O_CLOEXEC | (self->force ? O_TRUNC : O_EXCL);
  int fd = open(path->p, flags, 0666);
  if (fd < 0) return fail_path(self, path->p, errno);
  int error = 0;
  for (struct str rest = file->text; rest.n > 0 && error == 0;) {
    ssize_t put = write(fd, rest.p, rest.n);
    if (put < 0 && errno != EINTR) error = errno;
    if (put > 0) rest = str_skip(rest, (size_t)put);
  }
  if (close(fd) != 0 && error == 0) error = errno;
  return error == 0 ? CLI_OK : fail_path(self, path->p, error);
}

static int write_files(const struct import_command *self, const struct import_file *files, size_t n,
                       struct text *path) {
  int status = check_free(self, files, n, path);
  if (status == CLI_OK) status = make_directory(self, STR(""), path);
  if (status == CLI_OK) status = make_directory(self, STR("rules"), path);
  for (size_t i = 0; i < n && status == CLI_OK; i++) status = write_file(self, &files[i], path);
  return status;
}

/* ---- trying ---------------------------------------------------------------------------------- */

static size_t count_passed(const struct policy *policy, size_t *ret_n) {
  const struct policy_test *tests = policy_tests(policy, ret_n);
  size_t passed = 0;
  for (size_t i = 0; i < *ret_n; i++) passed += tests[i].passed;
  return passed;
}

/* Loads what was written. Other files of the folder count, too, so that a conflict with them shows
 * now. */
static int try_files(const struct import_command *self, size_t n, struct text *path) {
  struct diags *diags = NULL;
  join(self, STR("adit.json"), path);
  struct policy *policy = cli_load_policy(self->command, path->p, NULL, 0, &diags);
  if (!policy) return CLI_FAILED;
  size_t tests;
  size_t passed = count_passed(policy, &tests);
  if (passed < tests) cli_print_diags(diags);
  printf("%s and %zu rule file%s; of %zu test%s %zu pass%s\n", path->p, n - 1, n == 2 ? "" : "s",
         tests, tests == 1 ? "" : "s", passed, passed == 1 ? "es" : "");
  policy_unref(&policy);
  diags_free(&diags);
  return passed == tests ? CLI_OK : CLI_FAILED;
}

static int import_sources(const struct import_command *self, struct diags *diags) {
  struct import *import =
      import_ingress_nginx(self->sources, self->source_count, &self->options, diags);
  cli_print_diags(diags);
  if (!import && diags_count(diags, DIAG_ERROR) == 0) {
    return cli_error(self->command, "out of memory");
  }
  if (!import) return cli_error(self->command, "nothing was written");
  size_t n;
  const struct import_file *files = import_files(import, &n);
  struct text path;
  text_init(&path, 1 << 16);
  int status = write_files(self, files, n, &path);
  if (status == CLI_OK) status = try_files(self, n, &path);
  text_deinit(&path);
  import_free(&import);
  return status;
}

/* ---- the command ----------------------------------------------------------------------------- */

static bool parse_options(struct import_command *self, int argc, char **argv) {
  static const struct option names[] = {{"output", required_argument, NULL, 'o'},
                                        {"force", no_argument, NULL, 'f'},
                                        {"namespace", required_argument, NULL, 'n'},
                                        {"class", required_argument, NULL, 'c'},
                                        {0}};
  int option;
  while ((option = cli_next_option(self->command, argc, argv, ":o:n:", names)) != -1) {
    if (option == '?') return false;
    if (option == 'o') self->directory = optarg;
    if (option == 'f') self->force = true;
    if (option == 'n') self->options.default_namespace = optarg;
    if (option == 'c') self->options.class_name = optarg;
  }
  if (optind >= argc) {
    cli_usage_error(self->command, "import from what? 'ingress-nginx' is known");
  } else if (strcmp(argv[optind], "ingress-nginx") != 0) {
    cli_usage_error(self->command, "cannot import from '%s': only 'ingress-nginx' is known",
                    argv[optind]);
  } else if (optind + 1 >= argc) {
    cli_usage_error(self->command, "which manifests? give FILE... or - for standard input");
  } else {
    return true;
  }
  return false;
}

static int run_import(const struct cli_command *command, int argc, char **argv) {
  struct import_command self = {.command = command, .directory = "."};
  if (!parse_options(&self, argc, argv)) return CLI_USAGE;
  char **paths = &argv[optind + 1];
  self.source_count = (size_t)(argc - optind - 1);
  self.sources = calloc(self.source_count, sizeof(*self.sources));
  struct diags *diags = diags_new();
  if (!self.sources || !diags) {
    free(self.sources);
    diags_free(&diags);
    return cli_error(command, "out of memory");
  }
  int status = CLI_FAILED;
  if (read_sources(&self, paths, diags)) {
    status = import_sources(&self, diags);
  } else {
    cli_print_diags(diags);
  }
  free_sources(&self);
  diags_free(&diags);
  return status;
}

const struct cli_command cli_import = {
    .name = "import",
    .synopsis = "ingress-nginx [-o DIR] [--force] [-n NAMESPACE] [--class NAME] FILE...",
    .summary = "turns Kubernetes Ingresses of ingress-nginx into adit.json and rule files",
    .details =
        "  FILE                  manifests in YAML (- is standard input): Ingresses, and "
        "Services,\n"
        "                        which say the numbers of named ports\n"
        "  -o, --output DIR      where to write adit.json and rules/; by default here\n"
        "      --force           overwrites files that are there\n"
        "  -n, --namespace NAME  of objects that name none; by default 'default'\n"
        "      --class NAME      only Ingresses of this class\n"
        "\n"
        "Canary annotations become rules, weights become splits, with tests for each. What Adit\n"
        "cannot keep is a warning, and a comment in the rule file. After an error nothing is\n"
        "written. Exit status: 0 written, and all tests pass; 1 otherwise.\n",
    .run = run_import,
};
