/*
 * ranges: what a file says, what is refused in it, and the longest prefix beside a plain search
 * through all of them.
 */
#include <stdio.h>
#include <unistd.h>

#include "adit/geo.h"
#include "adit/text.h"
#include "unit.h"

static const char *scratch_path(void) {
  static char path[64];
  snprintf(path, sizeof(path), "/tmp/adit-ranges-%ld.json", (long)getpid());
  return path;
}

/* Diagnostics as they are printed with "ranges.json" for the path, until the next call. */
static const char *printed(const struct diags *diags) {
  static char buffer[8192];
  size_t n = 0;
  for (size_t i = 0; i < diags_size(diags); i++) {
    const struct diag *diag = diags_get(diags, i);
    n += (size_t)snprintf(buffer + n, sizeof(buffer) - n, "%u:%u: %s%s%s%s\n", diag->at.line,
                          diag->at.column, diag->message, diag->hint ? " (" : "",
                          diag->hint ? diag->hint : "", diag->hint ? ")" : "");
  }
  buffer[n] = '\0';
  return buffer;
}

static struct geo_ranges *load(struct str text, struct diags **diags) {
  FILE *file = fopen(scratch_path(), "wb");
  ck_assert(file && fwrite(text.p, 1, text.n, file) == text.n && fclose(file) == 0);
  *diags = diags_new();
  struct geo_ranges *ranges =
      geo_ranges_load(scratch_path(), (struct diag_place){.file = "adit.json"}, *diags);
  unlink(scratch_path());
  return ranges;
}

static struct geo_ranges *load_good(struct str text) {
  struct diags *diags;
  struct geo_ranges *ranges = load(text, &diags);
  ck_assert_msg(ranges && diags_size(diags) == 0, "%s", printed(diags));
  diags_free(&diags);
  return ranges;
}

/* The texts, each with a comma behind it; "-" for none. */
static const char *ask(const struct geo_ranges *ranges, const char *text) {
  static char buffer[256];
  struct ip_address ip;
  ck_assert_msg(ip_parse(str_from_cstr(text), &ip), "%s", text);
  const struct geo_value *value = geo_ranges_find(ranges, &ip);
  if (!value) return "-";
  size_t n = 0;
  for (size_t i = 0; i < value->n; i++)
    n += (size_t)snprintf(buffer + n, sizeof(buffer) - n, "%.*s,", STR_ARG(value->texts[i]));
  return buffer;
}

START_TEST(test_longest_prefix)
{
  struct geo_ranges *ranges =
      load_good(STR("{ // ranges of the company\n"
                    "  \"10.0.0.0/8\": \"office\",\n"
                    "  \"10.1.0.0\\/16\": [\"lab\", \"office\"],\n"
                    "  \"10.1.2.3\": \"printer\",\n"
                    "  \"10.1.255.0/24\": \"end\",\n"
                    "  \"192.0.2.0/25\": \"\",\n"
                    "  \"255.255.255.255/32\": \"last\",\n"
                    "  \"2001:db8::/32\": \"six\",\n"
                    "  \"2001:db8:ffff::/48\": \"end of six\",\n"
                    "  \"::/0\": \"any six\",\n"
                    "  \"ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff\": \"last six\",\n"
                    "  \"::ffff:198.51.100.0/120\": \"mapped\",\n"
                    "}"));
  static const char *const cases[][2] = {
      {"9.255.255.255", "-"},
      {"10.0.0.0", "office,"},
      {"10.0.255.255", "office,"},
      {"10.1.0.0", "lab,office,"},
      {"10.1.2.2", "lab,office,"},
      {"10.1.2.3", "printer,"},
      {"10.1.2.4", "lab,office,"},
      {"10.1.254.255", "lab,office,"},
      {"10.1.255.255", "end,"},
      {"10.2.0.0", "office,"},
      {"10.255.255.255", "office,"},
      {"11.0.0.0", "-"},
      {"192.0.2.127", ","},
      {"192.0.2.128", "-"},
      {"255.255.255.254", "-"},
      {"255.255.255.255", "last,"},
      {"0.0.0.0", "-"},
      {"198.51.100.9", "mapped,"},
      {"::ffff:10.1.2.3", "printer,"},
      {"::", "any six,"},
      {"::1", "any six,"},
      {"2001:db7:ffff:ffff:ffff:ffff:ffff:ffff", "any six,"},
      {"2001:db8::", "six,"},
      {"2001:db8:fffe:ffff:ffff:ffff:ffff:ffff", "six,"},
      {"2001:db8:ffff::", "end of six,"},
      {"2001:db8:ffff:ffff:ffff:ffff:ffff:ffff", "end of six,"},
      {"2001:db9::", "any six,"},
      {"ffff:ffff:ffff:ffff:ffff:ffff:ffff:fffe", "any six,"},
      {"ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff", "last six,"},
  };
  ck_assert_uint_eq(geo_ranges_size(ranges), 11);
  for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++)
    ck_assert_msg(strcmp(ask(ranges, cases[i][0]), cases[i][1]) == 0, "%s: %s", cases[i][0],
                  ask(ranges, cases[i][0]));
  geo_ranges_free(&ranges);
}
END_TEST

START_TEST(test_empty)
{
  struct geo_ranges *ranges = load_good(STR("{}"));
  ck_assert_uint_eq(geo_ranges_size(ranges), 0);
  ck_assert_str_eq(ask(ranges, "10.0.0.1"), "-");
  ck_assert_str_eq(ask(ranges, "::1"), "-");
  geo_ranges_free(&ranges);
  ranges = load_good(STR("{\"0.0.0.0/0\": \"all\"}"));
  ck_assert_str_eq(ask(ranges, "0.0.0.0"), "all,");
  ck_assert_str_eq(ask(ranges, "255.255.255.255"), "all,");
  ck_assert_str_eq(ask(ranges, "::1"), "-");
  geo_ranges_free(&ranges);
}
END_TEST

/* Equal values are kept once, whoever has them. */
START_TEST(test_equal_values)
{
  struct geo_ranges *ranges =
      load_good(STR("{\"10.0.0.0/8\": \"a\", \"11.0.0.0/8\": [\"a\"], \"12.0.0.0/8\": [\"a\",\"\"],"
                    " \"13.0.0.0/8\": \"b\"}"));
  struct ip_address ten = {{[10] = 0xFF, [11] = 0xFF, [12] = 10}};
  struct ip_address eleven = {{[10] = 0xFF, [11] = 0xFF, [12] = 11}};
  ck_assert_ptr_eq(geo_ranges_find(ranges, &ten), geo_ranges_find(ranges, &eleven));
  ck_assert_str_eq(ask(ranges, "12.0.0.0"), "a,,");
  ck_assert_str_eq(ask(ranges, "13.0.0.0"), "b,");
  geo_ranges_free(&ranges);
}
END_TEST

START_TEST(test_refused)
{
  static const struct {
    const char *text, *expected;
  } cases[] = {
      {"[]", "1:1: the file must be an object\n"},
      {"", NULL},
      {"{\"10.0.0.0/8\": \"a\"", NULL},
      {"{\"10.0.0.1/8\": \"a\"}",
       "1:2: '10.0.0.1/8' has bits set behind its prefix (did you mean '10.0.0.0/8'?)\n"},
      {"{\"2001:db8::1/32\": \"a\"}",
       "1:2: '2001:db8::1/32' has bits set behind its prefix (did you mean '2001:db8::/32'?)\n"},
      {"{\"office\": \"10.0.0.0/8\"}",
       "1:2: 'office' is not a range of addresses (\"10.0.0.0/8\" or \"2001:db8::/32\")\n"},
      {"{\"10.0.0.0/33\": \"a\"}",
       "1:2: '10.0.0.0/33' is not a range of addresses (\"10.0.0.0/8\" or \"2001:db8::/32\")\n"},
      {"{\"10.0.0.0/8\": 7}",
       "1:16: the value must be a string or a list of strings, not number (\"office\" or "
       "[\"office\", \"vpn\"])\n"},
      {"{\"10.0.0.0/8\": [\"a\", null]}",
       "1:16: the value must be a string or a list of strings, not a list with null (\"office\" or "
       "[\"office\", \"vpn\"])\n"},
      {"{\"10.0.0.0/8\": {\"11.0.0.0/8\": \"a\"}}",
       "1:16: the value must be a string or a list of strings, not object (\"office\" or "
       "[\"office\", \"vpn\"])\n"},
      {"{\"10.0.0.0/8\": []}", "1:16: the list of strings is empty (leave the range out)\n"},
      {"{\"10.0.0.0/8\": \"a\",\n \"11.0.0.0/8\": \"b\",\n \"10.0.0.0/8\": \"b\"}",
       "3:2: the range is in line 1 already, column 2\n"},
      {"{\"::ffff:10.0.0.0/104\": \"a\", \"10.0.0.0/8\": \"a\"}",
       "1:30: the range is in line 1 already, column 2\n"},
      {"{\"10.1.1.1\": \"a\", \"10.1.1.1/32\": \"a\", \"x\": \"y\"}",
       "1:39: 'x' is not a range of addresses (\"10.0.0.0/8\" or \"2001:db8::/32\")\n"},
  };
  for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
    struct diags *diags;
    struct geo_ranges *ranges = load(str_from_cstr(cases[i].text), &diags);
    ck_assert_msg(!ranges && diags_count(diags, DIAG_ERROR) > 0, "%s", cases[i].text);
    if (cases[i].expected)
      ck_assert_msg(strcmp(printed(diags), cases[i].expected) == 0, "%s: %s", cases[i].text,
                    printed(diags));
    diags_free(&diags);
  }
}
END_TEST

/* A list of `n` strings of `length` bytes for one range. */
static struct geo_ranges *load_list(size_t n, size_t length, struct diags **diags) {
  struct text text;
  text_init(&text, 1 << 20);
  text_add(&text, STR("{\"10.0.0.0/8\": ["));
  for (size_t i = 0; i < n; i++) text_printf(&text, "%s\"%0*d\"", i > 0 ? "," : "", (int)length, 7);
  text_add(&text, STR("]}"));
  struct geo_ranges *ranges = load(text_str(&text), diags);
  text_deinit(&text);
  return ranges;
}

START_TEST(test_limits)
{
  static const struct {
    size_t n, length;
    bool good;
  } cases[] = {{GEO_VALUE_TEXTS_MAX, 8, true},
               {GEO_VALUE_TEXTS_MAX + 1, 8, false},
               {1, GEO_VALUE_BYTES_MAX - 1, true},
               {1, GEO_VALUE_BYTES_MAX, false},
               {2, GEO_VALUE_BYTES_MAX / 2, false}};
  for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
    struct diags *diags;
    struct geo_ranges *ranges = load_list(cases[i].n, cases[i].length, &diags);
    ck_assert_msg((ranges != NULL) == cases[i].good, "%zu of %zu", cases[i].n, cases[i].length);
    if (!ranges) ck_assert_ptr_nonnull(strstr(printed(diags), "(make it shorter)"));
    geo_ranges_free(&ranges);
    diags_free(&diags);
  }
}
END_TEST

/* No more than twenty mistakes are shown, wherever they are. */
START_TEST(test_many_mistakes)
{
  struct text text;
  text_init(&text, 1 << 20);
  for (int i = 0; i < 1000; i++) text_printf(&text, "%c\n\"10.0.0.%d/8\": \"a\"", i ? ',' : '{', i);
  text_add(&text, STR("}"));
  struct diags *diags;
  ck_assert_ptr_null(load(text_str(&text), &diags));
  ck_assert_uint_eq(diags_count(diags, DIAG_ERROR), 20);
  diags_free(&diags);
  text_deinit(&text);
}
END_TEST

/* ---- beside a plain search ------------------------------------------------------------------- */

static uint64_t next_random(uint64_t *state) {
  *state = *state * UINT64_C(6364136223846793005) + UINT64_C(1442695040888963407);
  return *state >> 33;
}

enum { PREFIXES = 300 };

/* An address in a small corner, so that prefixes lie in each other. */
static struct ip_address random_address(uint64_t *state, bool v4) {
  struct ip_address ip = {{0}};
  if (v4) memset(ip.bytes + 10, 0xFF, 2);
  for (size_t i = v4 ? 12 : 0; i < 16; i++) {
    unsigned kind = (unsigned)next_random(state) % 8;
    ip.bytes[i] = kind < 4 ? 0 : kind < 6 ? 0xFF : (uint8_t)(next_random(state));
  }
  return ip;
}

static struct ip_network random_network(uint64_t *state) {
  bool v4 = next_random(state) % 2 == 0;
  unsigned bits = (unsigned)next_random(state) % (v4 ? 33 : 129);
  struct ip_address ip = random_address(state, v4);
  char text[64], with[80];
  struct str address = ip_format(&ip, text, sizeof(text));
  int n = snprintf(with, sizeof(with), "%.*s/%u", STR_ARG(address), bits);
  struct ip_network network;
  ck_assert(ip_network_parse(str_make(with, (size_t)n), &network) != IP_NETWORK_MALFORMED);
  return network; /* without host bits */
}

static bool is_known(const struct ip_network *networks, size_t n, const struct ip_network *one) {
  for (size_t i = 0; i < n; i++)
    if (networks[i].bits == one->bits && ip_eq(&networks[i].base, &one->base)) return true;
  return false;
}

static size_t find_plainly(const struct ip_network *networks, size_t n,
                           const struct ip_address *ip) {
  size_t best = SIZE_MAX;
  for (size_t i = 0; i < n; i++) {
    if (!ip_network_contains(&networks[i], ip)) continue;
    if (best == SIZE_MAX || networks[i].bits > networks[best].bits) best = i;
  }
  return best;
}

static void check_address(const struct geo_ranges *ranges, const struct ip_network *networks,
                          size_t n, const struct ip_address *ip) {
  char expected[32] = "";
  size_t best = find_plainly(networks, n, ip);
  /* Some neighbours share a value. */
  if (best != SIZE_MAX) snprintf(expected, sizeof(expected), "v%zu", best / 3);
  const struct geo_value *value = geo_ranges_find(ranges, ip);
  struct str found = value ? value->texts[0] : STR("");
  ck_assert_view_eq(found, expected);
}

START_TEST(test_like_plain_search)
{
  uint64_t state = (uint64_t)_i + 1;
  struct ip_network networks[PREFIXES];
  size_t n = 0;
  struct text text;
  text_init(&text, 1 << 20);
  for (size_t i = 0; i < PREFIXES; i++) {
    struct ip_network network = random_network(&state);
    if (is_known(networks, n, &network)) continue;
    char buffer[64];
    struct str shown = ip_network_format(&network, buffer, sizeof(buffer));
    text_printf(&text, "%c\"%.*s\": \"v%zu\"", n > 0 ? ',' : '{', STR_ARG(shown), n / 3);
    networks[n++] = network;
  }
  text_add(&text, STR("}"));
  struct geo_ranges *ranges = load_good(text_str(&text));
  for (size_t i = 0; i < 2000; i++) {
    struct ip_address ip = random_address(&state, i % 2 == 0);
    check_address(ranges, networks, n, &ip);
  }
  /* Where each begins. */
  for (size_t i = 0; i < n; i++) check_address(ranges, networks, n, &networks[i].base);
  geo_ranges_free(&ranges);
  text_deinit(&text);
}
END_TEST

int main(void) {
  Suite *suite = suite_create("geo ranges");
  TCase *tcase = tcase_create("ranges");
  tcase_set_timeout(tcase, 60);
  tcase_add_test(tcase, test_longest_prefix);
  tcase_add_test(tcase, test_empty);
  tcase_add_test(tcase, test_equal_values);
  tcase_add_test(tcase, test_refused);
  tcase_add_test(tcase, test_limits);
  tcase_add_test(tcase, test_many_mistakes);
  tcase_add_loop_test(tcase, test_like_plain_search, 0, 40);
  suite_add_tcase(suite, tcase);
  SRunner *runner = srunner_create(suite);
  srunner_run_all(runner, CK_ENV);
  int failed = srunner_ntests_failed(runner);
  srunner_free(runner);
  return failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
