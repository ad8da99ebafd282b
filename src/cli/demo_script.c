/*
 * What there is to try in the demo. One table of visits is both printed as curl lines and, for
 * `adit demo --check`, asked and compared.
 */
#include <stdio.h>
#include <stdlib.h>

#include "adit/client.h"
#include "adit/text.h"
#include "cli/demo.h"

enum { FIELDS_MAX = 3, USERS = 10, TIMEOUT_MS = 5000, SHARE_BUCKETS = 2000 };

struct visit {
  const char *title;
  struct client_field fields[FIELDS_MAX];
  const char *variant;
  const char *reason;
  bool by_address; /* only where there is a database of countries */
};

#define FIELD(name, value) \
  { STR_INIT(name), STR_INIT(value) }

static const struct visit visits[] = {
    {"QA asks for the canary", {FIELD("X-Canary", "always")}, "canary", "forced"},
    {"QA asks for the stable version", {FIELD("X-Canary", "never")}, "v1", "forced"},
    {"a new user of the region cn-east: a rule sends this one to the canary",
     {FIELD("X-Region", "cn-east"), FIELD("X-User-Registered-At", "2026-03-04"),
      FIELD("X-User-Id", "user-1")},
     "canary",
     "rule"},
    {"an old user of the same region: no rule matches, the draw gives the stable version",
     {FIELD("X-Region", "cn-east"), FIELD("X-User-Registered-At", "2019-05-06"),
      FIELD("X-User-Id", "user-1")},
     "v1",
     "default"},
    {"a visitor from China: no header says so, a database of addresses does",
     {FIELD("X-Forwarded-For", "202.112.0.36")},
     "canary",
     "rule",
     .by_address = true},
    {"a bot: always the stable version", {FIELD("User-Agent", "ExampleBot/2.1")}, "v1", "rule"},
    {"another user, who was drawn for the canary",
     {FIELD("X-User-Id", "user-3")},
     "canary",
     "default"},
    {"the same user again: the same version", {FIELD("X-User-Id", "user-3")}, "canary", "default"},
};
enum { VISITS = sizeof(visits) / sizeof(*visits) };

static size_t field_count(const struct visit *visit) {
  size_t n = 0;
  while (n < FIELDS_MAX && visit->fields[n].name.p) n++;
  return n;
}

static bool is_possible(const struct visit *visit, const struct demo_files *files) {
  return !visit->by_address || files->database[0];
}

/* ---- as curl lines --------------------------------------------------------------------------- */

/* A word for a POSIX shell. */
static void add_quoted(struct text *out, struct str word) {
  text_add_char(out, '\'');
  for (size_t i = 0; i < word.n; i++) {
    if (word.p[i] == '\'') {
      text_add(out, STR("'\\''"));
    } else {
      text_add_char(out, word.p[i]);
    }
  }
  text_add_char(out, '\'');
}

/* Where the environment has a proxy, curl would ask that for our address. */
static const char *curl(void) {
  static const char *const names[] = {"http_proxy", "all_proxy", "ALL_PROXY"};
  for (size_t i = 0; i < 3; i++) {
    const char *value = getenv(names[i]);
    if (value && value[0]) return "curl -s --noproxy '*'";
  }
  return "curl -s";
}

static void add_curl(struct text *out, const struct client_field *fields, size_t n, uint16_t port) {
  text_add(out, str_from_cstr(curl()));
  for (size_t i = 0; i < n; i++) {
    text_printf(out, " -H '%.*s: %.*s'", STR_ARG(fields[i].name), STR_ARG(fields[i].value));
  }
  text_printf(out, " http://127.0.0.1:%u/", port);
}

static void add_visit(struct text *out, const struct visit *visit, uint16_t port) {
  text_printf(out, "  # %s\n  ", visit->title);
  add_curl(out, visit->fields, field_count(visit), port);
  text_add(out, STR("\n\n"));
}

static void add_explain(struct text *out, const struct demo_files *files, const char *adit,
                        uint16_t port) {
  const struct visit *visit = &visits[2];
  text_add(out, STR("  # why? every rule and every condition with the value seen\n  "));
  add_quoted(out, str_from_cstr(adit));
  text_add(out, STR(" explain -c "));
  add_quoted(out, str_from_cstr(files->config));
  for (size_t i = 0; i < field_count(visit); i++) {
    text_printf(out, " -H '%.*s: %.*s'", STR_ARG(visit->fields[i].name),
                STR_ARG(visit->fields[i].value));
  }
  text_printf(out, " http://127.0.0.1:%u/\n\n", port);
}

void demo_script_print(const struct demo_files *files, const char *adit, uint16_t port) {
  struct text out;
  text_init(&out, 1 << 16);
  text_add(&out, STR("  # anyone: 20 % get the canary, and a cookie remembers who\n  "));
  text_printf(&out, "%s -b ", curl());
  add_quoted(&out, str_from_cstr(files->jar));
  text_add(&out, STR(" -c "));
  add_quoted(&out, str_from_cstr(files->jar));
  text_printf(&out, " http://127.0.0.1:%u/\n\n", port);
  for (size_t i = 0; i < VISITS; i++) {
    if (is_possible(&visits[i], files)) add_visit(&out, &visits[i], port);
  }
  text_printf(&out,
              "  # ten users: each has a version of its own, the same every time\n"
              "  for i in 1 2 3 4 5 6 7 8 9 10; do %s -H \"X-User-Id: user-$i\" "
              "http://127.0.0.1:%u/; done\n\n",
              curl(), port);
  add_explain(&out, files, adit, port);
  printf("%.*s", STR_ARG(text_str(&out)));
  text_deinit(&out);
}

/* ---- asked and checked ----------------------------------------------------------------------- */

struct check {
  uint16_t port;
  unsigned passed, failed;
};

/* Asks and shows. False: no answer. Deinit the response in any case. */
static bool ask(const struct check *check, const struct client_field *fields, size_t n,
                struct client_response *ret) {
  struct text line;
  char url[64];
  text_init(&line, 4096);
  add_curl(&line, fields, n, check->port);
  printf("  %.*s\n", STR_ARG(text_str(&line)));
  text_deinit(&line);

  snprintf(url, sizeof(url), "http://127.0.0.1:%u/", check->port);
  struct client_request request = {
      .url = url, .fields = fields, .field_count = n, .timeout_ms = TIMEOUT_MS};
  if (client_fetch(&request, ret) != CLIENT_DONE) {
    printf("  no answer: %s\n", ret->why);
    return false;
  }
  struct str decision = STR("none");
  client_response_field(ret, STR("X-Adit-Decision"), 0, &decision);
  struct str body = text_str(&ret->body);
  if (str_ends_with(body, STR("\n"))) body.n--;
  printf("  %d %.*s  [X-Adit-Decision: %.*s]\n", ret->status, STR_ARG(body), STR_ARG(decision));
  return true;
}

static bool is_from(const struct client_response *response, struct str variant) {
  struct str body = text_str(&response->body);
  return response->status == 200 && str_starts_with(body, variant) &&
         str_starts_with(str_skip(body, variant.n), STR(" says hello: "));
}

static void conclude(struct check *check, bool ok, const char *title, const char *expected) {
  if (ok) {
    check->passed++;
    printf("ok: %s\n\n", title);
  } else {
    check->failed++;
    printf("FAILED: %s (expected %s)\n\n", title, expected);
  }
}

static void check_visit(struct check *check, const struct visit *visit) {
  struct client_response response;
  char expected[64];
  struct str decision = STR("");
  snprintf(expected, sizeof(expected), "variant=%s; reason=%s", visit->variant, visit->reason);
  bool ok = ask(check, visit->fields, field_count(visit), &response) &&
            is_from(&response, str_from_cstr(visit->variant)) &&
            client_response_field(&response, STR("X-Adit-Decision"), 0, &decision) &&
            str_starts_with(decision, str_from_cstr(expected));
  conclude(check, ok, visit->title, expected);
  client_response_deinit(&response);
}

/* Ten users, each of whom must get what the bucket of the id says. */
static void check_users(struct check *check) {
  bool ok = true;
  for (unsigned i = 1; i <= USERS; i++) {
    struct client_response response;
    char id[16];
    int n = snprintf(id, sizeof(id), "user-%u", i);
    struct client_field field = {STR("X-User-Id"), str_make(id, (size_t)n)};
    bool drawn = rules_bucket(STR("demo"), field.value) < SHARE_BUCKETS;
    ok = ask(check, &field, 1, &response) &&
         is_from(&response, drawn ? STR("canary") : STR("v1")) && ok;
    client_response_deinit(&response);
  }
  conclude(check, ok, "ten users: each has a version of its own",
           "the canary where the bucket is below 2000, else v1");
}

/* Whoever has no id is drawn once; the cookie of that answer leads to the same version again. */
static void check_anyone(struct check *check) {
  struct client_response first, again;
  struct str cookie = STR("");
  bool ok = ask(check, NULL, 0, &first) &&
            client_response_field(&first, STR("Set-Cookie"), 0, &cookie) &&
            str_starts_with(cookie, STR("adit_demo="));
  struct str variant = is_from(&first, STR("canary")) ? STR("canary") : STR("v1");
  struct client_field field = {STR("Cookie"), str_take(cookie, str_find_char(cookie, ';', 0))};
  ok = ok && is_from(&first, variant);
  for (int i = 0; ok && i < 2; i++) {
    struct str another;
    ok = ask(check, &field, 1, &again) && is_from(&again, variant) &&
         !client_response_field(&again, STR("Set-Cookie"), 0, &another);
    client_response_deinit(&again);
  }
  conclude(check, ok, "anyone: drawn once, and a cookie remembers it",
           "one cookie, and the same version with it");
  client_response_deinit(&first);
}

bool demo_script_check(const struct demo_files *files, uint16_t port) {
  struct check check = {.port = port};
  check_anyone(&check);
  for (size_t i = 0; i < VISITS; i++) {
    if (is_possible(&visits[i], files)) {
      check_visit(&check, &visits[i]);
    } else {
      printf("left out, without a database of countries: %s\n\n", visits[i].title);
    }
  }
  check_users(&check);
  printf("%u passed, %u failed\n", check.passed, check.failed);
  return check.failed == 0;
}
