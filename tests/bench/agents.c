/*
 * What a decision costs that rests on what the client says of itself (language, device, system and
 * browser), beside one that rests on a header of the same request: by User-Agent alone, and by
 * Client Hints too. The host chooses which of the routes, alike but for their conditions.
 */
#include "rule_files.h"

static const struct {
  const char *name, *condition;
} routes[] = {
    {"header", "\"user.id\": \"u-17\""},
    {"language", "\"language\": \"en-US\""},
    {"device", "\"device\": \"mobile\""},
    {"browser.version", "\"browser.version\": {\"gte\": \"100\"}"},
    {"all-six",
     "\"language\": \"en-US\", \"device\": \"mobile\", \"os\": \"android\","
     " \"os.version\": {\"gte\": \"10\"}, \"browser\": \"chrome\","
     " \"browser.version\": {\"gte\": \"100\"}"},
    {"pattern", "\"header.user-agent\": {\"matches\": \"\\\\b(iPhone|Android.*Mobile)\\\\b\"}"},
};

enum { ROUTES = sizeof(routes) / sizeof(*routes) };

static struct policy *load(void) {
  char path[64];
  open_directory();
  for (size_t i = 0; i < ROUTES; i++) {
    snprintf(path, sizeof(path), "%s.rules.json", routes[i].name);
    FILE *file = create(path);
    fprintf(file,
            "{\"route\": \"%s\", \"match\": {\"hosts\": [\"%s\"]}, \"variants\": {\"v1\": \"v1\","
            " \"canary\": \"canary\"}, \"rules\": [{\"id\": \"r\", \"when\": {%s},"
            " \"to\": \"canary\"}]}",
            routes[i].name, routes[i].name, routes[i].condition);
    if (fclose(file) != 0) measure_fail(path);
  }
  struct policy *policy = load_policy();
  for (size_t i = 0; i < ROUTES; i++) {
    snprintf(path, sizeof(path), "%s.rules.json", routes[i].name);
    (void)unlink(path);
  }
  close_directory();
  return policy;
}

/* ---- the request ----------------------------------------------------------------------------- */

static const struct http_field plain[] = {
    {.name = STR_INIT("Host"), .value = STR_INIT("shop.example.com")},
    {.name = STR_INIT("User-Agent"),
     .value = STR_INIT("Mozilla/5.0 (Linux; Android 10; K) AppleWebKit/537.36 (KHTML, like Gecko) "
                       "Chrome/131.0.0.0 Mobile Safari/537.36")},
    {.name = STR_INIT("Accept"),
     .value = STR_INIT("text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8")},
    {.name = STR_INIT("Accept-Encoding"), .value = STR_INIT("gzip, deflate, br")},
    {.name = STR_INIT("Accept-Language"), .value = STR_INIT("en-US,en;q=0.9,de;q=0.8")},
    {.name = STR_INIT("X-User-Id"), .value = STR_INIT("u-17")},
    /* hints */
    {.name = STR_INIT("Sec-CH-UA"),
     .value = STR_INIT("\"Google Chrome\";v=\"131\", \"Chromium\";v=\"131\", "
                       "\"Not_A Brand\";v=\"24\"")},
    {.name = STR_INIT("Sec-CH-UA-Mobile"), .value = STR_INIT("?1")},
    {.name = STR_INIT("Sec-CH-UA-Platform"), .value = STR_INIT("\"Android\"")},
    {.name = STR_INIT("Sec-CH-UA-Platform-Version"), .value = STR_INIT("\"14.0.0\"")},
};

enum { HINTS = 4, FIELDS = sizeof(plain) / sizeof(*plain) };

struct asked {
  struct decider *decider;
  struct http_field fields[FIELDS];
  struct decide_request request;
  struct decision decision;
  struct str host;
};

static void ask(struct asked *asked, struct str host) {
  asked->request.attr.host = host;
  decide(asked->decider, &asked->request, &asked->decision, NULL, NULL);
}

static void ask_header(void *context) {
  ask(context, STR("header"));
}

static void ask_route(void *context) {
  struct asked *asked = context;
  ask(asked, asked->host);
}

/* ---- measuring ------------------------------------------------------------------------------- */

/* Both ways are checked before they are measured. */
static void measure_requests(struct asked *asked, const char *what, size_t field_count) {
  char name[64];
  asked->request.attr.field_count = field_count;
  for (size_t i = 0; i < ROUTES; i++) {
    asked->host = str_from_cstr(routes[i].name);
    ask_route(asked);
    if (asked->decision.reason != REASON_RULE) measure_fail(routes[i].name);
    snprintf(name, sizeof(name), "%s, %s", routes[i].name, what);
    if (i > 0) measure_beside(name, 0, ask_route, ask_header, asked);
  }
}

int main(int argc, char **argv) {
  measure_begin(argc, argv);
  struct policy *policy = load();
  struct asked asked = {.decider = policy_decider_new(policy)};
  if (!asked.decider) measure_fail("out of memory");
  memcpy(asked.fields, plain, sizeof(plain));
  for (size_t i = 0; i < FIELDS; i++) asked.fields[i].id = http_field_id(asked.fields[i].name);
  asked.request.attr = (struct attr_request){.method = STR("GET"),
                                             .scheme = STR("https"),
                                             .path = STR("/product/42"),
                                             .trusted = true,
                                             .now_ms = INT64_C(1700000000000),
                                             .fields = asked.fields};
  measure_requests(&asked, "User-Agent", FIELDS - HINTS);
  measure_requests(&asked, "with hints", FIELDS);
  decider_free(&asked.decider);
  policy_unref(&policy);
  return 0;
}
