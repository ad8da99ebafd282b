/*
 * write_tests: tests that pin what was imported, on both sides of every border.
 *
 * Each is a request of the route's first host and prefix. The tests of a rule send only what that
 * rule asks for, so the rule that decides is known from the settings alone.
 */
#include <stdio.h>

#include "adit/hash.h"
#include "adit/text.h"
#include "sample.h"
#include "write.h"

enum { HOST_BYTES_MAX = 253, BUCKET_LAST = 9999 };

struct test_writer {
  struct text *out;
  const struct plan_route *route;
  struct str host;
  bool begun;
};

/* ---- a host that the route owns -------------------------------------------------------------- */

/* For a wildcard, or any host, one that no other route has. */
static bool choose_host(const struct plan *plan, struct str pattern, char *buffer,
                        struct str *ret) {
  struct str suffix = pattern.n > 0 ? str_skip(pattern, 1) : STR(".invalid");
  *ret = pattern;
  if (pattern.n > 0 && !str_starts_with(pattern, STR("*."))) return true;
  if (pattern.n == 0 && str_set_find(plan->hosts, STR("*.invalid")) != STR_SET_NONE) return false;
  static const char *const labels[] = {"any", "a", "b", "c", "d", "e", "f", "g"};
  for (size_t i = 0; i < sizeof(labels) / sizeof(*labels); i++) {
    struct str label = str_from_cstr(labels[i]);
    if (label.n + suffix.n > HOST_BYTES_MAX) continue;
    memcpy(buffer, label.p, label.n);
    memcpy(buffer + label.n, suffix.p, suffix.n);
    *ret = str_make(buffer, label.n + suffix.n);
    if (str_set_find(plan->hosts, *ret) == STR_SET_NONE) return true;
  }
  return false;
}

static void write_url(struct test_writer *writer) {
  struct str path = writer->route->prefix;
  text_printf(writer->out, "\"http://%.*s", STR_ARG(writer->host));
  for (size_t i = 0; i < path.n; i++) {
    char c = path.p[i];
    bool plain = (ascii_lower(c) >= 'a' && ascii_lower(c) <= 'z') || ascii_is_digit(c) ||
                 (c != 0 && strchr("/-._~", c));
    if (plain) {
      text_add_char(writer->out, c);
    } else {
      text_printf(writer->out, "%%%02X", (unsigned char)c);
    }
  }
  text_add_char(writer->out, '"');
}

/* ---- one test -------------------------------------------------------------------------------- */

struct test {
  const char *name;
  struct str header, header_value; /* p == NULL: none */
  struct str cookie;               /* the Cookie field: this … */
  const char *cookie_value;        /* … = this; NULL: none */
  int bucket;                      /* -1: none */
  const char *rule;                /* NULL: none */
  const char *variant;
};

static void write_cookie(struct text *out, const struct test *test) {
  struct text pair;
  text_init(&pair, 1 << 20);
  text_add(&pair, test->cookie);
  text_printf(&pair, "=%s", test->cookie_value);
  text_add(out, STR("\"Cookie\": "));
  write_json(out, text_str(&pair));
  if (text_failed(&pair)) out->failed = true;
  text_deinit(&pair);
}

static void write_headers(struct text *out, const struct test *test) {
  if (!test->header_value.p && !test->cookie_value) return;
  text_add(out, STR(", \"headers\": { "));
  if (test->header_value.p) {
    write_json(out, test->header);
    text_add(out, STR(": "));
    write_json(out, test->header_value);
    if (test->cookie_value) text_add(out, STR(", "));
  }
  if (test->cookie_value) write_cookie(out, test);
  text_add(out, STR(" }"));
}

static void write_test(struct test_writer *writer, struct test test) {
  struct text *out = writer->out;
  text_add(out, writer->begun ? STR("") : STR("\n  \"tests\": [\n"));
  writer->begun = true;
  text_printf(out, "    { \"name\": \"%s\",\n      \"request\": { \"url\": ", test.name);
  write_url(writer);
  write_headers(out, &test);
  if (test.bucket >= 0) text_printf(out, ", \"bucket\": %d", test.bucket);
  text_add(out, STR(" },\n      \"expect\": { \"route\": "));
  write_json(out, writer->route->name);
  text_printf(out, ", \"variant\": \"%s\", \"rule\": %s%s%s } },\n", test.variant,
              test.rule ? "\"" : "", test.rule ? test.rule : "null", test.rule ? "\"" : "");
}

/* ---- the tests of a canary ------------------------------------------------------------------- */

/* What the last bucket gets when no rule matches. */
static const char *last_variant(const struct canary_settings *canary) {
  return canary->share > BUCKET_LAST ? "canary" : "v1";
}

static void test_header(struct test_writer *writer, const struct canary_settings *canary,
                        const char *name, struct str value, const char *rule, const char *variant) {
  write_test(writer, (struct test){.name = name,
                                   .header = canary->header.text,
                                   .header_value = value,
                                   .bucket = rule ? -1 : BUCKET_LAST,
                                   .rule = rule,
                                   .variant = variant});
}

static void test_pattern(struct test_writer *writer, const struct canary_settings *canary) {
  char buffer[SAMPLE_BYTES_MAX];
  struct str text;
  if (sample_of_pattern(canary->pattern.text, buffer, &text)) {
    test_header(writer, canary, "a header that matches", text, "header-pattern", "canary");
  }
  if (sample_is_refused(canary->pattern.text, STR("-"))) {
    test_header(writer, canary, "a header that does not match", STR("-"), NULL,
                last_variant(canary));
  }
}

static void test_headers(struct test_writer *writer, const struct canary_settings *canary) {
  if (!canary->header.text.p) return;
  if (canary->value.text.p) {
    bool same = str_eq(canary->value.text, STR("another"));
    test_header(writer, canary, "the header's value", canary->value.text, "header-value", "canary");
    test_header(writer, canary, "another value is no answer", same ? STR("other") : STR("another"),
                NULL, last_variant(canary));
  } else if (canary->pattern_refused) {
    test_header(writer, canary, "any value of the header", STR("any"), "header-pattern", "v1");
  } else if (canary->pattern.text.p) {
    test_pattern(writer, canary);
  } else {
    test_header(writer, canary, "the header says always", STR("always"), "header-always", "canary");
    test_header(writer, canary, "the header says never", STR("never"), "header-never", "v1");
    test_header(writer, canary, "another value is no answer", STR("Always"), NULL,
                last_variant(canary));
  }
}

static void test_cookie(struct test_writer *writer, const struct canary_settings *canary,
                        const char *name, const char *value, const char *rule,
                        const char *variant) {
  write_test(writer, (struct test){.name = name,
                                   .cookie = canary->cookie.text,
                                   .cookie_value = value,
                                   .bucket = rule ? -1 : BUCKET_LAST,
                                   .rule = rule,
                                   .variant = variant});
}

static void test_cookies(struct test_writer *writer, const struct canary_settings *canary) {
  if (!canary->cookie.text.p) return;
  test_cookie(writer, canary, "the cookie says always", "always", "cookie-always", "canary");
  test_cookie(writer, canary, "the cookie says never", "never", "cookie-never", "v1");
  test_cookie(writer, canary, "another cookie is no answer", "Always", NULL, last_variant(canary));
  if (!canary->header.text.p || canary->value.text.p || canary->pattern.text.p) return;
  write_test(writer, (struct test){.name = "the header comes before the cookie",
                                   .header = canary->header.text,
                                   .header_value = STR("never"),
                                   .cookie = canary->cookie.text,
                                   .cookie_value = "always",
                                   .bucket = -1,
                                   .rule = "header-never",
                                   .variant = "v1"});
}

static void test_weight(struct test_writer *writer, const struct canary_settings *canary) {
  int share = (int)canary->share;
  if (share > 0) {
    write_test(writer, (struct test){.name = "the last bucket of the weight",
                                     .bucket = share - 1,
                                     .variant = "canary"});
  }
  if (share <= BUCKET_LAST) {
    write_test(writer,
               (struct test){.name = share > 0 ? "the first one behind it" : "no weight, no canary",
                             .bucket = share,
                             .variant = "v1"});
  }
}

/* Whether a test may send the header without being another request by it. */
static bool can_be_tested(const struct canary_settings *canary) {
  struct str header = canary->header.text;
  return !header.p ||
         (!str_eq_nocase(header, STR("Host")) && !str_eq_nocase(header, STR("Cookie")));
}

void write_tests(struct text *out, const struct plan *plan, const struct plan_route *route) {
  char buffer[HOST_BYTES_MAX];
  struct test_writer writer = {.out = out, .route = route};
  struct str pattern = route->hosts.n > 0 ? route->hosts.items[0] : STR("");
  if (!choose_host(plan, pattern, buffer, &writer.host)) return;
  if (!route->canary) {
    write_test(&writer, (struct test){.name = "every request", .bucket = -1, .variant = "v1"});
  } else if (can_be_tested(&route->canary->annotations.canary)) {
    const struct canary_settings *canary = &route->canary->annotations.canary;
    test_headers(&writer, canary);
    test_cookies(&writer, canary);
    test_weight(&writer, canary);
  }
  if (writer.begun) text_add(out, STR("  ],\n"));
}
