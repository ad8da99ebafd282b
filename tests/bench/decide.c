/*
 * What a decision costs: finding the route, asking its rules in order, the variant.
 *
 * Two kinds of rule files, of 10 and of 1,000 rules. "pairs": each rule wants a region and a plan,
 * two equalities. "mixed": lists, networks, versions, times, paths, prefixes, patterns, cookies and
 * query in turn. In each file the request's region fits the first rule, the last, or none.
 */
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "adit/diag.h"
#include "adit/policy.h"
#include "adit/text.h"
#include "measure.h"

enum { KINDS = 8 };

/* Condition of the rule i, of `kind`; none but kind 0 holds for the request below. */
static void write_condition(FILE *file, size_t kind, size_t i) {
  switch (kind) {
    case 0:
      fprintf(file, "{\"region\": \"region-%zu\", \"header.x-plan\": \"gold\"}", i);
      return;
    case 1:
      fprintf(file, "{\"client_ip\": {\"in_cidr\": [\"10.%zu.%zu.0/24\"]}}", i / 250, i % 250);
      return;
    case 2:
      fprintf(file, "{\"app.version\": {\"gte\": \"9.%zu\"}}", i);
      return;
    case 3:
      fprintf(file, "{\"user.registered_at\": {\"after\": \"%zu-01-01\"}}", 2030 + i % 60);
      return;
    case 4:
      fprintf(file, "{\"path\": {\"under\": \"/area-%zu\"}}", i);
      return;
    case 5:
      fprintf(file, "{\"user.id\": {\"starts_with\": \"tester-%zu-\"}}", i);
      return;
    case 6:
      fprintf(file, "{\"header.user-agent\": {\"matches\": \"(?i)probe-%zu\\\\b\"}}", i);
      return;
    default:
      fprintf(file, "{\"any\": [{\"cookie.lab\": \"lab-%zu\"}, {\"query.lab\": \"lab-%zu\"}]}", i,
              i);
  }
}

static FILE *create(const char *path) {
  FILE *file = fopen(path, "w");
  if (!file) measure_fail(path);
  return file;
}

/* A file of n rules for the host "NAME-N". The last rule is like the first of kind 0. */
static void write_rules(const char *name, size_t n, bool mixed) {
  char path[64];
  snprintf(path, sizeof(path), "%s-%zu.rules.json", name, n);
  FILE *file = create(path);
  fprintf(file,
          "{\"route\": \"%s-%zu\", \"match\": {\"hosts\": [\"%s-%zu\"]},"
          " \"variants\": {\"v1\": \"v1\", \"canary\": \"canary\"}, \"rules\": [",
          name, n, name, n);
  for (size_t i = 0; i < n; i++) {
    const size_t kind = mixed && i + 1 < n ? i % KINDS : 0;
    fprintf(file, "%s\n  {\"id\": \"r%zu\", \"to\": \"canary\", \"when\": ", i ? "," : "", i);
    write_condition(file, kind, i);
    fputs("}", file);
  }
  fputs("]}\n", file);
  if (fclose(file) != 0) measure_fail(path);
}

static void write_config(void) {
  FILE *file = create("adit.json");
  fputs(
      "{\"listen\": [{\"address\": \"127.0.0.1:0\"}], \"rules\": [\"*.rules.json\"],"
      " \"attributes\": {"
      "  \"region\": {\"type\": \"string\", \"from\": [{\"header\": \"X-Region\"}]},"
      "  \"user.id\": {\"type\": \"string\", \"from\": [{\"header\": \"X-User-Id\"}]},"
      "  \"user.registered_at\": {\"type\": \"time\","
      "    \"from\": [{\"header\": \"X-User-Registered-At\"}]},"
      "  \"app.version\": {\"type\": \"version\", \"from\": [{\"header\": \"User-Agent\","
      "    \"regex\": \"ShopApp/([0-9.]+)\", \"trust\": \"anyone\"}]}},"
      " \"upstreams\": {\"v1\": {\"endpoints\": [\"127.0.0.1:1\"]},"
      "  \"canary\": {\"endpoints\": [\"127.0.0.1:2\"]}}}\n",
      file);
  if (fclose(file) != 0) measure_fail("adit.json");
}

static struct policy *load(void) {
  char directory[] = "/tmp/adit-bench-XXXXXX";
  if (!mkdtemp(directory) || chdir(directory) != 0) measure_fail("no directory to work in");
  static const struct {
    const char *name;
    size_t rules;
  } files[] = {{"pairs", 10}, {"pairs", 1000}, {"mixed", 10}, {"mixed", 1000}};
  write_config();
  for (size_t i = 0; i < 4; i++) write_rules(files[i].name, files[i].rules, i >= 2);

  struct diags *diags = diags_new();
  const struct policy_options options = {.config_path = "adit.json"};
  struct policy *policy = policy_load(&options, diags);
  struct text said;
  text_init(&said, 1 << 20);
  diags_format(diags, &said);
  if (!policy) measure_fail(said.p);
  text_deinit(&said);
  diags_free(&diags);

  for (size_t i = 0; i < 4; i++) {
    char path[64];
    snprintf(path, sizeof(path), "%s-%zu.rules.json", files[i].name, files[i].rules);
    (void)unlink(path);
  }
  (void)unlink("adit.json");
  (void)rmdir(directory);
  return policy;
}

/* ---- the request ----------------------------------------------------------------------------- */

static struct http_field field(const char *name, const char *value) {
  const struct str s = str_from_cstr(name);
  return (struct http_field){.name = s, .value = str_from_cstr(value), .id = http_field_id(s)};
}

struct asked {
  struct decider *decider;
  struct decide_request request;
  struct http_field fields[10];
  struct decision decision;
};

static void ask(void *context) {
  struct asked *asked = context;
  decide(asked->decider, &asked->request, &asked->decision, NULL, NULL);
}

static void fill(struct asked *asked, const char *host, const char *region) {
  const struct http_field fields[] = {
      field("Host", host),
      field("User-Agent", "Mozilla/5.0 (Linux; Android 14) AppleWebKit/537.36 ShopApp/8.12.1"),
      field("Accept", "text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8"),
      field("Accept-Encoding", "gzip, deflate, br"),
      field("Accept-Language", "en-US,en;q=0.9"),
      field("Cookie", "session=0123456789abcdef; theme=dark; lab=none"),
      field("X-User-Id", "u-1729"),
      field("X-User-Registered-At", "2026-03-04T05:06:07Z"),
      field("X-Plan", "gold"),
      field("X-Region", region),
  };
  _Static_assert(sizeof(fields) == sizeof(asked->fields), "one for each");
  memcpy(asked->fields, fields, sizeof(fields));
  asked->request.attr = (struct attr_request){
      .method = STR("GET"),
      .scheme = STR("https"),
      .host = str_from_cstr(host),
      .path = STR("/product/42"),
      .query = STR("colour=red&lab=none"),
      .client_ip.bytes = {[10] = 0xff, [11] = 0xff, [12] = 203, [14] = 113, [15] = 7},
      .trusted = true,
      .now_ms = 1767225600000,
      .fields = asked->fields,
      .field_count = sizeof(fields) / sizeof(*fields),
  };
}

/* One case, checked before it is measured: a benchmark of the wrong answer says nothing. */
static void measure_case(struct decider *decider, const char *kind, size_t rules, const char *which,
                         size_t fits) {
  char host[32], region[32], name[64];
  snprintf(host, sizeof(host), "%s-%zu", kind, rules);
  snprintf(region, sizeof(region), "region-%zu", fits);
  snprintf(name, sizeof(name), "%zu %s rules, %s", rules, kind, which);
  struct asked asked = {.decider = decider};
  fill(&asked, host, region);
  ask(&asked);
  const struct decision *decision = &asked.decision;
  const size_t decided = decision->rule ? (size_t)(decision->rule - decision->route->rules) : rules;
  if (decision->reason != (fits < rules ? REASON_RULE : REASON_DEFAULT) || decided != fits)
    measure_fail(name);
  measure(name, 0, ask, &asked);
}

int main(int argc, char **argv) {
  measure_begin(argc, argv);
  struct policy *policy = load();
  struct decider *decider = policy_decider_new(policy);
  if (!decider) measure_fail("out of memory");
  static const char *const kinds[] = {"pairs", "mixed"};
  static const size_t sizes[] = {10, 1000};
  for (size_t k = 0; k < 2; k++) {
    for (size_t s = 0; s < 2; s++) {
      measure_case(decider, kinds[k], sizes[s], "the first matches", 0);
      measure_case(decider, kinds[k], sizes[s], "the last matches", sizes[s] - 1);
      measure_case(decider, kinds[k], sizes[s], "none matches", sizes[s]);
    }
  }
  decider_free(&decider);
  policy_unref(&policy);
  return 0;
}
