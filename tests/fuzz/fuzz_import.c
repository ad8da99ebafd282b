/*
 * fuzz_import: any bytes are manifests or make errors. What is imported loads as `adit check` loads
 * it, and every test in it passes.
 */
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "adit/import.h"
#include "adit/policy.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void require(bool holds) {
  if (!holds) abort();
}

static char folder[64], rules_folder[80];

static void remove_folder(void) {
  rmdir(rules_folder);
  rmdir(folder);
}

/* Made once; every run leaves it empty. */
static void make_folder(void) {
  if (folder[0]) return;
  snprintf(folder, sizeof(folder), "%s/adit-fuzz-XXXXXX", P_tmpdir);
  require(mkdtemp(folder) != NULL);
  snprintf(rules_folder, sizeof(rules_folder), "%s/rules", folder);
  require(mkdir(rules_folder, 0700) == 0);
  atexit(remove_folder);
}

static const char *path_of(const struct import_file *file, char *buffer, size_t capacity) {
  snprintf(buffer, capacity, "%s/%.*s", folder, STR_ARG(file->path));
  return buffer;
}

static void write_files(const struct import_file *files, size_t n) {
  char path[256];
  for (size_t i = 0; i < n; i++) {
    FILE *out = fopen(path_of(&files[i], path, sizeof(path)), "wx");
    require(out && fwrite(files[i].text.p, 1, files[i].text.n, out) == files[i].text.n);
    require(fclose(out) == 0);
  }
}

static void remove_files(const struct import_file *files, size_t n) {
  char path[256];
  for (size_t i = 0; i < n; i++) unlink(path_of(&files[i], path, sizeof(path)));
}

static void check_files(const struct import *import) {
  size_t n, tests;
  const struct import_file *files = import_files(import, &n);
  make_folder();
  write_files(files, n);
  char path[256];
  struct diags *diags = diags_new();
  struct policy_options options = {.config_path = path_of(&files[0], path, sizeof(path))};
  struct policy *policy = policy_load(&options, diags);
  remove_files(files, n);
  require(policy && diags_count(diags, DIAG_ERROR) == 0 && policy_route_count(policy) == n - 1);
  const struct policy_test *test = policy_tests(policy, &tests);
  for (size_t i = 0; i < tests; i++) require(test[i].passed);
  policy_unref(&policy);
  diags_free(&diags);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
  struct import_source source = {"fuzz.yaml", str_make((const char *)data, size)};
  struct import_options options = {0};
  struct diags *diags = diags_new();
  require(diags != NULL);
  struct import *import = import_ingress_nginx(&source, 1, &options, diags);
  require((import == NULL) == (diags_count(diags, DIAG_ERROR) > 0));
  if (import) check_files(import);
  import_free(&import);
  diags_free(&diags);
  return 0;
}
