/*
 * What a decision costs: finding the route, asking its rules, the variant; and how that grows from
 * 10 rules to 10,000. Beside it the same rules asked one by one.
 *
 * In each file the request fits the first rule, the last, or none: all before it are asked for
 * nothing.
 */
#include "adit/arena.h"
#include "field.h"
#include "rule_files.h"

/* ---- the policy ------------------------------------------------------------------------------ */

/* A policy of all files, which are gone afterwards. */
static struct policy *load(void) {
  char paths[KIND_COUNT * SIZE_COUNT][48];
  size_t n = 0;
  open_directory();
  for (size_t k = 0; k < KIND_COUNT; k++) {
    for (size_t s = 0; s < SIZE_COUNT && sizes[s] <= kinds[k].most; s++, n++) {
      snprintf(paths[n], sizeof(paths[n]), "%s-%zu.rules.json", kinds[k].name, sizes[s]);
      write_rules(&kinds[k], sizes[s], paths[n]);
    }
  }
  struct policy *policy = load_policy();
  while (n > 0) (void)unlink(paths[--n]);
  close_directory();
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
