/*
 * policy_bench: an empty directory to work in, with an adit.json and rule files written as a test
 * needs them.
 */
#ifndef ADIT_TESTS_POLICY_BENCH_H
#define ADIT_TESTS_POLICY_BENCH_H

#include <ftw.h>
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

#include "adit/policy.h"
#include "adit/text.h"
#include "unit.h"

static char bench_directory[] = "/tmp/adit-policy-XXXXXX";

static inline void write_file(const char *path, const char *text) {
  FILE *file = fopen(path, "w");
  ck_assert_msg(file && fputs(text, file) >= 0 && fclose(file) == 0, "%s", path);
}

#define UPSTREAMS                                              \
  "\"upstreams\": {\"a\": {\"endpoints\": [\"127.0.0.1:1\"]}," \
  " \"b\": {\"endpoints\": [\"127.0.0.1:2\"]}, \"c\": {\"endpoints\": [\"127.0.0.1:3\"]}}"
#define ATTRIBUTES                                                                              \
  "\"attributes\": {\"user.id\": {\"type\": \"string\", \"from\": [{\"header\": \"X-User\"}]}," \
  " \"born\": {\"type\": \"time\", \"from\": [{\"header\": \"X-Born\"}]}}"
#define LISTEN "\"listen\": [{\"address\": \"127.0.0.1:0\"}]"
#define STICKY "\"sticky\": {\"keys\": [{\"id\": \"k\", \"file\": \"sticky.key\"}]}"
#define CONFIG_OF(rules) \
  "{" LISTEN ", \"rules\": " rules ", " ATTRIBUTES ", " UPSTREAMS ", " STICKY "}"
#define CONFIG CONFIG_OF("[\"rules/*.json\"]")

/* A route of v1 on upstream a and canary on b. */
#define ROUTE(name, host, more)                               \
  "{\"route\": \"" name "\", \"match\": {\"hosts\": [\"" host \
  "\"]}, \"stable\": "                                        \
  "\"v1\", \"variants\": {\"v1\": \"a\", \"canary\": \"b\"}" more "}"

/* Works in a fresh directory with adit.json, a sticky key and an empty folder for rules. */
static inline void bench_open(void) {
  ck_assert_ptr_nonnull(mkdtemp(bench_directory));
  ck_assert_int_eq(chdir(bench_directory), 0);
  ck_assert_int_eq(mkdir("rules", 0700), 0);
  write_file("sticky.key", "0123456789abcdef0123456789abcdef\n");
  ck_assert_int_eq(chmod("sticky.key", 0600), 0);
  write_file("adit.json", CONFIG);
}

static inline int remove_one(const char *path, const struct stat *status, int kind,
                             struct FTW *walk) {
  (void)status, (void)kind, (void)walk;
  return remove(path);
}

static inline void bench_close(void) {
  ck_assert_int_eq(nftw(bench_directory, remove_one, 8, FTW_DEPTH | FTW_PHYS), 0);
  memcpy(bench_directory + sizeof(bench_directory) - sizeof("XXXXXX"), "XXXXXX", sizeof("XXXXXX"));
}

/* Empties the folder for rules. */
static inline void remove_rules(void) {
  ck_assert_int_eq(nftw("rules", remove_one, 8, FTW_DEPTH | FTW_PHYS), 0);
  ck_assert_int_eq(mkdir("rules", 0700), 0);
}

/* Loads ./adit.json. `said` receives the diagnostics, and is the caller's to deinit. */
static inline struct policy *load_policy(struct policy *previous, const char *const *paths,
                                         struct text *said) {
  struct policy_options options = {
      .config_path = "adit.json", .rule_paths = paths, .previous = previous};
  while (paths && paths[options.rule_path_count]) options.rule_path_count++;
  struct diags *diags = diags_new();
  struct policy *policy = policy_load(&options, diags);
  text_init(said, 1 << 20);
  diags_format(diags, said);
  ck_assert_msg(policy || diags_count(diags, DIAG_ERROR) > 0, "no policy, and no error");
  diags_free(&diags);
  return policy;
}

/* What is served, in order: "name host upstream-of-stable; …". */
static inline struct str served(const struct policy *policy, struct text *out) {
  text_clear(out);
  for (size_t i = 0; i < policy_route_count(policy); i++) {
    const struct route *route = policy_route(policy, i);
    size_t upstream = policy_upstream(policy, route, route->stable);
    text_printf(out, "%s%.*s %.*s %.*s", i ? "; " : "", STR_ARG(route->name),
                STR_ARG(route->hosts[0]), STR_ARG(policy_config(policy)->upstreams[upstream].name));
  }
  return text_str(out);
}

#endif
