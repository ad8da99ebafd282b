/*
 * What a decision costs: finding the route, asking its rules, the variant; and how that grows from
 * 10 rules to 10,000. Beside it the same rules asked one by one.
 *
 * Rules of one file differ by one kind of condition: an equality on a header (with another on a
 * header that they have in common), a set, a prefix, a network, a number, a date; or by all of
 * these in turn and some more. "patterns" has regular expressions among them, which no index can
 * leave out. In each file the request fits the first rule, the last, or none: all the rest are
 * asked for nothing.
 */
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "adit/arena.h"
#include "adit/diag.h"
#include "adit/policy.h"
#include "adit/text.h"
#include "measure.h"

/* ---- the rules ------------------------------------------------------------------------------- */

/* Each writes the condition of rule i. */
typedef void condition_fn(FILE *file, size_t i);

static void write_equality(FILE *file, size_t i) {
  fprintf(file, "{\"region\": \"region-%zu\", \"header.x-plan\": \"gold\"}", i);
}

static void write_set(FILE *file, size_t i) {
  fprintf(file, "{\"region\": [\"region-%zu\", \"area-%zu\", \"zone-%zu\"]}", i, i, i);
}

static void write_prefix(FILE *file, size_t i) {
  fprintf(file, "{\"user.id\": {\"starts_with\": \"team-%zu-\"}}", i);
}

static void write_network(FILE *file, size_t i) {
  fprintf(file, "{\"client_ip\": {\"in_cidr\": \"10.%zu.%zu.0/24\"}}", i / 250, i % 250);
}

static void write_number(FILE *file, size_t i) {
  fprintf(file, "{\"score\": {\"between\": [%zu, %zu]}}", i, i + 1);
}

/* A day each, from 2001-09-09T01:46:40Z on. */
static void write_date(FILE *file, size_t i) {
  const size_t day = 86400, first = 1000000000 + i * day;
  fprintf(file, "{\"user.registered_at\": {\"between\": [%zu, %zu]}}", first, first + day);
}

static void write_path(FILE *file, size_t i) {
  fprintf(file, "{\"path\": {\"under\": \"/area-%zu\"}}", i);
}

static void write_version(FILE *file, size_t i) {
  fprintf(file, "{\"app.version\": {\"between\": [\"9.%zu\", \"9.%zu\"]}}", i, i + 1);
}

static void write_any(FILE *file, size_t i) {
  fprintf(file, "{\"any\": [{\"cookie.lab\": \"lab-%zu\"}, {\"query.lab\": \"lab-%zu\"}]}", i, i);
}

static void write_pattern(FILE *file, size_t i) {
  fprintf(file, "{\"header.user-agent\": {\"matches\": \"(?i)probe-%zu\\\\b\"}}", i);
}

static void write_one_of(condition_fn *const *kinds, size_t n, FILE *file, size_t i) {
  kinds[i % n](file, i);
}

static void write_mixed(FILE *file, size_t i) {
  static condition_fn *const kinds[] = {write_equality, write_set,  write_prefix,
                                        write_network,  write_date, write_number,
                                        write_path,     write_any,  write_version};
  write_one_of(kinds, sizeof(kinds) / sizeof(*kinds), file, i);
}

static void write_patterns(FILE *file, size_t i) {
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

/* ---- the policy ------------------------------------------------------------------------------ */

static FILE *create(const char *path) {
  FILE *file = fopen(path, "w");
  if (!file) measure_fail(path);
  return file;
}

/* "NAME-N" is the file's route and host. The first and the last rule are equalities, so that the
 * request can choose them. */
static void write_rules(const struct kind *kind, size_t n, const char *path) {
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

static void write_config(void) {
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

static struct policy *load_policy(void) {
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

/* A policy of all files, which are written to a directory of their own and gone afterwards. */
static struct policy *load(void) {
  char directory[] = "/tmp/adit-bench-XXXXXX", paths[KIND_COUNT * SIZE_COUNT][48];
  size_t n = 0;
  if (!mkdtemp(directory) || chdir(directory) != 0) measure_fail("no directory to work in");
  write_config();
  for (size_t k = 0; k < KIND_COUNT; k++) {
    for (size_t s = 0; s < SIZE_COUNT && sizes[s] <= kinds[k].most; s++, n++) {
      snprintf(paths[n], sizeof(paths[n]), "%s-%zu.rules.json", kinds[k].name, sizes[s]);
      write_rules(&kinds[k], sizes[s], paths[n]);
    }
  }
  struct policy *policy = load_policy();
  while (n > 0) (void)unlink(paths[--n]);
  (void)unlink("adit.json");
  (void)rmdir(directory);
  return policy;
}

/* A decider under the same routes without their indexes. Everything is in `arena`. */
static struct decider *make_one_by_one(const struct policy *policy, struct arena *arena) {
  size_t n = policy_route_count(policy), key_count;
  struct route **routes = ARENA_ARRAY(arena, struct route *, n);
  for (size_t i = 0; routes && i < n; i++) {
    routes[i] = ARENA_NEW(arena, struct route);
    if (!routes[i]) return NULL;
    *routes[i] = *policy_route(policy, i);
    routes[i]->index = NULL;
  }
  struct router *router = routes ? router_new(arena, routes, n) : NULL;
  const struct sticky_key *keys = policy_keys(policy, &key_count);
  return router ? decider_new(router, keys, key_count) : NULL;
}

/* ---- the request ----------------------------------------------------------------------------- */

static struct http_field field(const char *name, const char *value) {
  const struct str s = str_from_cstr(name);
  return (struct http_field){.name = s, .value = str_from_cstr(value), .id = http_field_id(s)};
}

struct asked {
  struct decider *indexed, *one_by_one;
  struct decide_request request;
  struct http_field fields[11];
  struct decision decision;
};

static void ask(void *context) {
  struct asked *asked = context;
  decide(asked->indexed, &asked->request, &asked->decision, NULL, NULL);
}

static void ask_one_by_one(void *context) {
  struct asked *asked = context;
  decide(asked->one_by_one, &asked->request, &asked->decision, NULL, NULL);
}

/* The request's region alone fits a rule. */
static void fill(struct asked *asked, const char *host, const char *region) {
  const struct http_field fields[] = {
      field("Host", host),
      field("User-Agent", "Mozilla/5.0 (Linux; Android 14) AppleWebKit/537.36 ShopApp/8.12.1"),
      field("Accept", "text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8"),
      field("Accept-Encoding", "gzip, deflate, br"),
      field("Accept-Language", "en-US,en;q=0.9"),
      field("Cookie", "session=0123456789abcdef; theme=dark; lab=none"),
      field("X-User-Id", "team-x-1729"),
      field("X-User-Registered-At", "2126-03-04T05:06:07Z"),
      field("X-Plan", "gold"),
      field("X-Score", "-17.25"),
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
static void measure_case(struct asked *asked, const struct kind *kind, size_t rules,
                         const char *which, size_t fits) {
  char host[32], region[32], name[64];
  snprintf(host, sizeof(host), "%s-%zu", kind->name, rules);
  snprintf(region, sizeof(region), "region-%zu", fits);
  snprintf(name, sizeof(name), "%s, %s: %zu rules", kind->name, which, rules);
  fill(asked, host, region);
  for (int i = 0; i < 2; i++) {
    (i == 0 ? ask : ask_one_by_one)(asked);
    const struct decision *decision = &asked->decision;
    size_t decided = decision->rule ? (size_t)(decision->rule - decision->route->rules) : rules;
    if (decision->reason != (fits < rules ? REASON_RULE : REASON_DEFAULT) || decided != fits)
      measure_fail(name);
  }
  measure_beside(name, 0, ask, ask_one_by_one, asked);
}

static void measure_kind(struct asked *asked, const struct kind *kind) {
  static const char *const which[] = {"the first matches", "the last matches", "none matches"};
  for (size_t w = 0; w < 3; w++) {
    for (size_t s = 0; s < SIZE_COUNT && sizes[s] <= kind->most; s++) {
      const size_t fits[] = {0, sizes[s] - 1, sizes[s]};
      measure_case(asked, kind, sizes[s], which[w], fits[w]);
    }
  }
}

int main(int argc, char **argv) {
  measure_begin(argc, argv);
  struct policy *policy = load();
  struct arena *arena = arena_new(1 << 20);
  struct asked asked = {.indexed = policy_decider_new(policy)};
  if (arena) asked.one_by_one = make_one_by_one(policy, arena);
  if (!asked.indexed || !asked.one_by_one) measure_fail("out of memory");
  for (size_t k = 0; k < KIND_COUNT; k++) measure_kind(&asked, &kinds[k]);
  decider_free(&asked.one_by_one);
  decider_free(&asked.indexed);
  arena_free(&arena);
  policy_unref(&policy);
  return 0;
}
