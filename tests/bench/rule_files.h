/*
 * rule_files: the rule files that benchmarks decide by and load, made in a directory of their own.
 *
 * Rules of one file differ by one kind of condition: an equality on a header (with another on a
 * header that they have in common), a set, a prefix, a network, a number, a date; or by all of
 * these in turn and some more. "patterns" has regular expressions among them, which no index can
 * leave out.
 */
#ifndef ADIT_BENCH_RULE_FILES_H
#define ADIT_BENCH_RULE_FILES_H

#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "adit/diag.h"
#include "adit/policy.h"
#include "adit/text.h"
#include "measure.h"

/* ---- the rules ------------------------------------------------------------------------------- */

/* Each writes the condition of rule i. */
typedef void condition_fn(FILE *file, size_t i);

static inline void write_equality(FILE *file, size_t i) {
  fprintf(file, "{\"region\": \"region-%zu\", \"header.x-plan\": \"gold\"}", i);
}

static inline void write_set(FILE *file, size_t i) {
  fprintf(file, "{\"region\": [\"region-%zu\", \"area-%zu\", \"zone-%zu\"]}", i, i, i);
}

static inline void write_prefix(FILE *file, size_t i) {
  fprintf(file, "{\"user.id\": {\"starts_with\": \"team-%zu-\"}}", i);
}

static inline void write_network(FILE *file, size_t i) {
  fprintf(file, "{\"client_ip\": {\"in_cidr\": \"10.%zu.%zu.0/24\"}}", i / 250, i % 250);
}

static inline void write_number(FILE *file, size_t i) {
  fprintf(file, "{\"score\": {\"between\": [%zu, %zu]}}", i, i + 1);
}

/* A day each, from 2001-09-09T01:46:40Z on. */
static inline void write_date(FILE *file, size_t i) {
  const size_t day = 86400, first = 1000000000 + i * day;
  fprintf(file, "{\"user.registered_at\": {\"between\": [%zu, %zu]}}", first, first + day);
}

static inline void write_path(FILE *file, size_t i) {
  fprintf(file, "{\"path\": {\"under\": \"/area-%zu\"}}", i);
}

static inline void write_version(FILE *file, size_t i) {
  fprintf(file, "{\"app.version\": {\"between\": [\"9.%zu\", \"9.%zu\"]}}", i, i + 1);
}

static inline void write_any(FILE *file, size_t i) {
  fprintf(file, "{\"any\": [{\"cookie.lab\": \"lab-%zu\"}, {\"query.lab\": \"lab-%zu\"}]}", i, i);
}

static inline void write_pattern(FILE *file, size_t i) {
  fprintf(file, "{\"header.user-agent\": {\"matches\": \"(?i)probe-%zu\\\\b\"}}", i);
}

static inline void write_one_of(condition_fn *const *kinds, size_t n, FILE *file, size_t i) {
  kinds[i % n](file, i);
}

static inline void write_mixed(FILE *file, size_t i) {
  static condition_fn *const kinds[] = {write_equality, write_set,  write_prefix,
                                        write_network,  write_date, write_number,
                                        write_path,     write_any,  write_version};
  write_one_of(kinds, sizeof(kinds) / sizeof(*kinds), file, i);
}

static inline void write_patterns(FILE *file, size_t i) {
  static condition_fn *const kinds[] = {write_equality, write_pattern, write_network, write_date};
  write_one_of(kinds, sizeof(kinds) / sizeof(*kinds), file, i);
}

static const struct kind {
  const char *name;
  condition_fn *write;
  size_t most; /* rules in a file */
} kinds[] = {
    {"equality", write_equality, 10000}, {"set", write_set, 10000},
    {"prefix", write_prefix, 10000},     {"network", write_network, 10000},
    {"number", write_number, 10000},     {"date", write_date, 10000},
    {"mixed", write_mixed, 10000},       {"patterns", write_patterns, 1000},
};
static const size_t sizes[] = {10, 100, 1000, 10000};

enum { KIND_COUNT = sizeof(kinds) / sizeof(*kinds), SIZE_COUNT = sizeof(sizes) / sizeof(*sizes) };

/* ---- files ----------------------------------------------------------------------------------- */

static inline FILE *create(const char *path) {
  FILE *file = fopen(path, "w");
  if (!file) measure_fail(path);
  return file;
}

/* "NAME-N" is the file's route and host, PATH is it with ".rules.json". The first and the last rule
 * are equalities, so that the request can choose them. */
static inline void write_rules(const struct kind *kind, size_t n, const char *path) {
  FILE *file = create(path);
  fprintf(file,
          "{\"route\": \"%s-%zu\", \"match\": {\"hosts\": [\"%s-%zu\"]},"
          " \"variants\": {\"v1\": \"v1\", \"canary\": \"canary\"}, \"rules\": [",
          kind->name, n, kind->name, n);
  for (size_t i = 0; i < n; i++) {
    fprintf(file, "%s\n  {\"id\": \"r%zu\", \"to\": \"canary\", \"when\": ", i ? "," : "", i);
    (i == 0 || i + 1 == n ? write_equality : kind->write)(file, i);
    fputs("}", file);
  }
  fputs("]}\n", file);
  if (fclose(file) != 0) measure_fail(path);
}

static inline void write_config(void) {
  FILE *file = create("adit.json");
  fputs(
      "{\"listen\": [{\"address\": \"127.0.0.1:0\"}], \"rules\": [\"*.rules.json\"],"
      " \"attributes\": {"
      "  \"region\": {\"type\": \"string\", \"from\": [{\"header\": \"X-Region\"}]},"
      "  \"user.id\": {\"type\": \"string\", \"from\": [{\"header\": \"X-User-Id\"}]},"
      "  \"user.registered_at\": {\"type\": \"time\","
      "    \"from\": [{\"header\": \"X-User-Registered-At\"}]},"
      "  \"score\": {\"type\": \"number\", \"from\": [{\"header\": \"X-Score\"}]},"
      "  \"app.version\": {\"type\": \"version\", \"from\": [{\"header\": \"User-Agent\","
      "    \"regex\": \"ShopApp/([0-9.]+)\", \"trust\": \"anyone\"}]}},"
      " \"upstreams\": {\"v1\": {\"endpoints\": [\"127.0.0.1:1\"]},"
      "  \"canary\": {\"endpoints\": [\"127.0.0.1:2\"]}}}\n",
      file);
  if (fclose(file) != 0) measure_fail("adit.json");
}

/* NAME.rules.json: a route of the host `name`, whose one rule asks for a value of an attribute. */
static inline void write_route(const char *name, const char *attribute, const char *value) {
  char path[48];
  snprintf(path, sizeof(path), "%s.rules.json", name);
  FILE *file = create(path);
  fprintf(file,
          "{\"route\": \"%s\", \"match\": {\"hosts\": [\"%s\"]}, \"variants\": {\"v1\": \"v1\","
          " \"canary\": \"canary\"}, \"rules\": [{\"id\": \"r\", \"when\": {\"%s\": \"%s\"},"
          " \"to\": \"canary\"}]}",
          name, name, attribute, value);
  if (fclose(file) != 0) measure_fail(path);
}

/* Works in a new directory with an adit.json that takes all rule files in it. */
static inline void open_directory(void) {
  static char directory[] = "/tmp/adit-bench-XXXXXX";
  if (!mkdtemp(directory) || chdir(directory) != 0) measure_fail("no directory to work in");
  write_config();
}

/* After all rule files were removed. */
static inline void close_directory(void) {
  char directory[64];
  if (!getcwd(directory, sizeof(directory))) measure_fail("where are we?");
  (void)unlink("adit.json");
  (void)rmdir(directory);
}

static inline struct policy *load_policy(void) {
  const struct policy_options options = {.config_path = "adit.json"};
  struct diags *diags = diags_new();
  struct policy *policy = policy_load(&options, diags);
  struct text said;
  text_init(&said, 1 << 20);
  diags_format(diags, &said);
  if (!policy) measure_fail(said.p);
  text_deinit(&said);
  diags_free(&diags);
  return policy;
}

#endif
