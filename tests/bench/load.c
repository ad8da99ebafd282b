/* What loading costs: adit.json and one rule file, of 10 rules to 10,000. */
#include "rule_files.h"

static void load(void *context) {
  (void)context;
  struct policy *policy = load_policy();
  policy_unref(&policy);
}

static void measure_kind(const struct kind *kind) {
  static const char path[] = "this.rules.json";
  for (size_t s = 0; s < SIZE_COUNT && sizes[s] <= kind->most; s++) {
    char name[64];
    snprintf(name, sizeof(name), "%s: %zu rules", kind->name, sizes[s]);
    write_rules(kind, sizes[s], path);
    measure(name, 0, load, NULL);
    (void)unlink(path);
  }
}

int main(int argc, char **argv) {
  measure_begin(argc, argv);
  open_directory();
  for (size_t k = 0; k < KIND_COUNT; k++) measure_kind(&kinds[k]);
  close_directory();
  return 0;
}
