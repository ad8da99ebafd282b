/* Part of test_route.c: rules, default, splits and their properties, Vary. */

/* ---- rules and default ----------------------------------------------------------------------- */

START_TEST(test_rule_mistakes)
{
  static const struct said cases[] = {
      {SHOP ", 'rules': []}", ""},
      {SHOP ",\n'rules': [3, {'to': 'v1'}, {'id': 'a!', 'to': 'v1'}, {'id': 1, 'to': 'v1'}]}",
       "f:2:11: error: rule 1 must be an object, not a number\n"
       "f:2:14: error: rule 2: 'id' is missing (decisions and logs name the rule by it)\n"
       "f:2:35: error: 'id' of rule 3: 'a!' is not a name"
       " (1 to 64 letters, digits, '.', '_' and '-' of ASCII)\n"
       "f:2:61: error: 'id' of rule 4 must be a string, not a number\n"},
      {SHOP ",\n'rules': [{'id': 'a', 'to': 'v1'},\n{'id': 'a', 'to': 'v1'}]}",
       "f:3:8: error: the rule id 'a' is used twice\n"},
      {SHOP ",\n'rules': [{'id': 'a'},\n{'id': 'b', 'to': 'v1', 'split': {'canary': 1}},\n"
            "{'id': 'c', 'to': 'v1', 'by': []},\n{'id': 'd', 'by': []}]}",
       "f:2:11: error: rule 'a' has neither 'to' nor 'split'"
       " (it sends requests to one variant or splits)\n"
       "f:3:25: error: rule 'b' has both 'to' and 'split' (keep one of the two)\n"
       "f:4:25: error: rule 'c': 'by' stands beside 'split' only"
       " (it says what a split is drawn by)\n"
       "f:5:1: error: rule 'd' has neither 'to' nor 'split'"
       " (it sends requests to one variant or splits)\n"
       "f:5:13: error: rule 'd': 'by' stands beside 'split' only"
       " (it says what a split is drawn by)\n"},
      {SHOP ",\n'rules': [{'id': 'a', 'to': 'canry'}, {'id': 'b', 'to': 1}]}",
       "f:2:29: error: rule 'a': 'to': unknown variant 'canry' (did you mean 'canary'?)\n"
       "f:2:57: error: rule 'b': 'to': a variant is named by a string, not a number\n"},
      {SHOP ",\n'rules': [{'id': 'a', 'to': 'v1', 'wen': {}}]}",
       "f:2:35: error: rule 'a': unknown key 'wen' (did you mean 'when'?)\n"},
      {SHOP ",\n'rules': [{'id': 'a', 'split': {'canary': 1}, 'by': ['usr.id']}]}",
       "f:2:54: error: rule 'a': unknown attribute 'usr.id' in 'by' (did you mean 'user.id'?)\n"},
      {SHOP ",\n'default': {}}",
       "f:2:12: error: 'default' has no 'split' (without 'default' the rest goes to stable)\n"},
      {SHOP ",\n'default': {'to': 'v1'}}",
       "f:2:13: error: 'default': unknown key 'to' (known here: split by)\n"},
      {SHOP ",\n'default': {'by': []}}",
       "f:2:12: error: 'default' has no 'split' (without 'default' the rest goes to stable)\n"},
  };
  CHECK_SAID(cases);
}
END_TEST

START_TEST(test_rules_have_a_limit)
{
  for (size_t n = RULES_MAX; n <= RULES_MAX + 1; n++) {
    struct fixture fixture;
    struct text text;
    fixture_init(&fixture, NULL);
    text_init(&text, 16 << 20);
    text_add(&text, str_from_cstr(SHOP ", 'rules': ["));
    for (size_t i = 0; i < n; i++) {
      text_printf(&text, "%s{'id': 'r%zu', 'to': 'v1'}", i ? "," : "", i);
    }
    text_add(&text, STR("]}"));
    ck_assert(!text_failed(&text));
    struct route *route = compile_as(&fixture, text.p, "f");
    ck_assert_int_eq(route != NULL, n == RULES_MAX);
    if (route) {
      ck_assert_uint_eq(route->rule_count, RULES_MAX);
      ck_assert_view_eq(route->rules[RULES_MAX - 1].id, "r99999");
    }
    route_unref(&route);
    text_deinit(&text);
    fixture_deinit(&fixture);
  }
}
END_TEST

/* ---- splits ---------------------------------------------------------------------------------- */

START_TEST(test_placement)
{
  static const struct {
    const char *split;
    size_t n;
    struct split_range ranges[3]; /* a is 1, b is 2, c is 3 */
    uint16_t whole;
  } cases[] = {
      {"{'a': 25}", 1, {{0, 2500, 1}}, VARIANT_NONE},
      {"{'a': 0}", 0, {{0}}, VARIANT_NONE},
      {"{'a': 100}", 1, {{0, 10000, 1}}, 1},
      {"{'b': 100}", 1, {{0, 10000, 2}}, 2},
      {"{'c': 100}", 1, {{0, 10000, 3}}, 3},
      {"{'a': 100, 'b': 0, 'c': 0}", 1, {{0, 10000, 1}}, 1},
      {"{'b': 10}", 1, {{9000, 10000, 2}}, VARIANT_NONE},
      {"{'c': 10}", 1, {{0, 1000, 3}}, VARIANT_NONE},
      {"{'a': 0.01, 'b': 0.01}", 2, {{0, 1, 1}, {9999, 10000, 2}}, VARIANT_NONE},
      {"{'c': 30, 'b': 20, 'a': 10}",
       3,
       {{0, 1000, 1}, {1000, 4000, 3}, {8000, 10000, 2}},
       VARIANT_NONE},
      {"{'a': 33.33, 'b': 33.33, 'c': 33.34}",
       3,
       {{0, 3333, 1}, {3333, 6667, 3}, {6667, 10000, 2}},
       VARIANT_NONE},
      {"{'a': 0.29, 'c': 57.57}", 2, {{0, 29, 1}, {29, 5786, 3}}, VARIANT_NONE},
      {"{'a': [0, 33.33], 'b': [33.33, 66.66]}", 2, {{0, 3333, 1}, {3333, 6666, 2}}, VARIANT_NONE},
      {"{'a': [50, 60], 'b': [0, 10], 'c': [99.99, 100]}",
       3,
       {{0, 1000, 2}, {5000, 6000, 1}, {9999, 10000, 3}},
       VARIANT_NONE},
      {"{'a': [0, 100], 'b': [50, 50]}", 1, {{0, 10000, 1}}, 1},
      {"{'a': [0, 0]}", 0, {{0}}, VARIANT_NONE},
  };
  for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
    struct fixture fixture;
    char text[512];
    fixture_init(&fixture, NULL);
    (void)snprintf(text, sizeof(text), SHOP_3 ", 'default': {'split': %s}}", cases[i].split);
    struct route *route = compile(&fixture, text);
    const struct split *split = &route->default_split;
    ck_assert_msg(split->range_count == cases[i].n, "%s", cases[i].split);
    for (size_t k = 0; k < cases[i].n; k++) {
      ck_assert_msg(split->ranges[k].from == cases[i].ranges[k].from &&
                        split->ranges[k].to == cases[i].ranges[k].to &&
                        split->ranges[k].variant == cases[i].ranges[k].variant,
                    "%s: range %zu is [%u, %u) of %u", cases[i].split, k, split->ranges[k].from,
                    split->ranges[k].to, split->ranges[k].variant);
    }
    ck_assert_msg(split_whole(split) == cases[i].whole, "%s", cases[i].split);
    route_unref(&route);
    fixture_deinit(&fixture);
  }
}
END_TEST

START_TEST(test_split_mistakes)
{
#define SPLIT(text) SHOP_3 ",\n'default': {'split': " text "}}"
#define PERCENT                                     \
  " is not from 0 to 100 with at most two decimals" \
  " (25, 12.5, 0.01)\n"
  static const struct said cases[] = {
      {SPLIT("5"),
       "f:2:22: error: 'default': 'split' must be an object (\"split\": { \"canary\": 25 })\n"},
      {SPLIT("{}"),
       "f:2:22: error: 'default': 'split' names no canary (\"split\": { \"canary\": 25 })\n"},
      {SPLIT("{'v1': 50}"),
       "f:2:23: error: 'default': the split names the stable variant 'v1'"
       " (it gets what the canaries leave)\n"},
      {SPLIT("{'x': 1, 'aa': [0, 1]}"),
       "f:2:23: error: 'default': unknown variant 'x' in the split (known here: v1 a b c)\n"
       "f:2:31: error: 'default': unknown variant 'aa' in the split (known here: v1 a b c)\n"
       "f:2:37: error: 'default': the split mixes weights and ranges"
       " (all weights (25) or all ranges ([0, 25]))\n"},
      {SPLIT("{'a': 100.01}"), "f:2:28: error: 'default': 100.01 for 'a'" PERCENT},
      {SPLIT("{'a': -1}"), "f:2:28: error: 'default': -1 for 'a'" PERCENT},
      {SPLIT("{'a': 33.333}"), "f:2:28: error: 'default': 33.333 for 'a'" PERCENT},
      {SPLIT("{'a': '5', 'b': null}"),
       "f:2:28: error: 'default': 'a' needs a percentage (25, or for a range [0, 25])\n"
       "f:2:38: error: 'default': 'b' needs a percentage (25, or for a range [0, 25])\n"},
      {SPLIT("{'a': 50, 'b': 50, 'c': 0.01}"),
       "f:2:22: error: 'default': the weights add up to 100.01, more than 100\n"},
      {SPLIT("{'a': [0, 10], 'b': 5, 'c': 6}"),
       "f:2:42: error: 'default': the split mixes weights and ranges"
       " (all weights (25) or all ranges ([0, 25]))\n"},
      {SPLIT("{'a': [0], 'b': [1, 2, 3], 'c': []}"),
       "f:2:28: error: 'default': the range of 'a' needs two percentages, from and to"
       " ([0, 33.33])\n"
       "f:2:38: error: 'default': the range of 'b' needs two percentages, from and to"
       " ([0, 33.33])\n"
       "f:2:54: error: 'default': the range of 'c' needs two percentages, from and to"
       " ([0, 33.33])\n"},
      {SPLIT("{'a': [20, 10], 'b': [1.001, 200]}"),
       "f:2:28: error: 'default': the range of 'a' ends before it begins\n"
       "f:2:44: error: 'default': 1.001 for 'b'" PERCENT
       "f:2:51: error: 'default': 200 for 'b'" PERCENT},
      {SPLIT("{'a': [10, 20], 'b': [5, 10.01], 'c': [20, 30]}"),
       "f:2:43: error: 'default': the ranges of 'a' and 'b' overlap\n"},
      {SPLIT("{'c': [0, 100], 'a': [1, 2], 'b': [3, 4]}"),
       "f:2:43: error: 'default': the ranges of 'c' and 'a' overlap\n"},
  };
  CHECK_SAID(cases);
}
END_TEST

/* A route with canaries c1..cn and a default with these weights, in buckets. */
static struct route *compile_weights(struct fixture *fixture, const unsigned *weights, unsigned n) {
  struct text text;
  text_init(&text, 1 << 16);
  text_add(&text, STR("{'route': 'r', 'variants': {'v1': 'shop-v1'"));
  for (unsigned i = 1; i <= n; i++) text_printf(&text, ", 'c%u': 'shop-v1'", i);
  text_add(&text, STR("}, 'canaries': ["));
  for (unsigned i = 1; i <= n; i++) text_printf(&text, "%s'c%u'", i > 1 ? ", " : "", i);
  text_add(&text, STR("], 'default': {'split': {"));
  for (unsigned i = 1; i <= n; i++) {
    text_printf(&text, "%s'c%u': %u.%02u", i > 1 ? ", " : "", i, weights[i - 1] / 100,
                weights[i - 1] % 100);
  }
  text_add(&text, STR("}}}"));
  ck_assert(!text_failed(&text));
  struct route *route = compile(fixture, text.p);
  text_deinit(&text);
  return route;
}

START_TEST(test_shares_are_exact)
{
  unsigned random = 1;
  for (int round = 0; round < 200; round++) {
    struct fixture fixture;
    unsigned weights[VARIANTS_MAX] = {0}, counts[VARIANTS_MAX + 1] = {0}, left = BUCKETS;
    unsigned n = 1 + next_random(&random) % (VARIANTS_MAX - 1);
    for (unsigned i = 0; i < n; i++) {
      bool last = i + 1 == n && round % 2 == 0;
      weights[i] = last ? left : next_random(&random) % (left / (1 + n / 4) + 1);
      left -= weights[i];
    }
    fixture_init(&fixture, NULL);
    struct route *route = compile_weights(&fixture, weights, n);
    for (unsigned bucket = 0; bucket < BUCKETS; bucket++) {
      counts[split_variant(&route->default_split, bucket, route->stable)]++;
    }
    ck_assert_uint_eq(counts[0], left);
    for (unsigned i = 0; i < n; i++) ck_assert_uint_eq(counts[i + 1], weights[i]);
    route_unref(&route);
    fixture_deinit(&fixture);
  }
}
END_TEST

START_TEST(test_raising_a_weight_moves_from_stable_only)
{
  unsigned random = 7;
  for (int round = 0; round < 300; round++) {
    struct fixture fixture;
    unsigned n = 1 + next_random(&random) % 2, weights[2];
    weights[0] = next_random(&random) % (BUCKETS + 1);
    weights[1] = n > 1 ? next_random(&random) % (BUCKETS - weights[0] + 1) : 0;
    unsigned which = n > 1 ? next_random(&random) % 2 : 0;
    unsigned left = BUCKETS - weights[0] - weights[1];
    fixture_init(&fixture, NULL);
    struct route *before = compile_weights(&fixture, weights, n);
    weights[which] += next_random(&random) % (left + 1);
    struct route *after = compile_weights(&fixture, weights, n);
    for (unsigned bucket = 0; bucket < BUCKETS; bucket++) {
      uint16_t was = split_variant(&before->default_split, bucket, 0);
      uint16_t is = split_variant(&after->default_split, bucket, 0);
      if (is == was || (was == 0 && is == which + 1)) continue;
      ck_abort_msg("bucket %u: %u, then %u", bucket, was, is);
    }
    route_unref(&before);
    route_unref(&after);
    fixture_deinit(&fixture);
  }
}
END_TEST

/* ---- vary ------------------------------------------------------------------------------------ */

START_TEST(test_vary_fields)
{
  static const struct {
    const char *text;
    const char *fields; /* joined */
  } cases[] = {
      {SHOP "}", "X-Canary"},
      {SHOP ", 'force': false}", ""},
      {SHOP ", 'force': {'header': 'X-Q', 'cookie': 'q', 'allow_from': ['::1']}}",
       "X-Q Cookie X-Forwarded-For"},
      {SHOP ", 'force': false, 'rules': [{'id': 'a', 'when': {'region': 'eu',"
            " 'header.X-Region': 'eu'}, 'to': 'v1'}]}",
       "X-Region"},
      /* split keys: the header, and the cookie of user.id's second source */
      {SHOP ", 'force': false, 'default': {'split': {'canary': 5}}}", "X-User-Id Cookie"},
      {SHOP ", 'force': false, 'sticky': {'by': []}, 'default': {'split': {'canary': 5},"
            " 'by': ['client_ip']}}",
       "X-Forwarded-For Cookie"},
      {SHOP ", 'force': false, 'sticky': {'by': []}, 'default': {'split': {'canary': 5}}}",
       "Cookie"},
      /* not read: keys without a split, a segment without a rule */
      {SHOP ", 'force': false, 'sticky': {'by': ['region']},"
            " 'segments': {'s': {'header.x-a': 'b'}}}",
       ""},
      {SHOP ", 'force': false, 'segments': {'s': {'header.x-a': 'b'}},"
            " 'rules': [{'id': 'a', 'when': {'segment': 's', 'path': '/'}, 'to': 'v1'}]}",
       "x-a"},
  };
  for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
    struct fixture fixture;
    char fields[256] = "";
    fixture_init(&fixture, NULL);
    struct route *route = compile(&fixture, cases[i].text);
    for (size_t k = 0; k < route->vary_field_count; k++) {
      size_t used = strlen(fields);
      (void)snprintf(fields + used, sizeof(fields) - used, "%s%.*s", k ? " " : "",
                     STR_ARG(route->vary_fields[k]));
    }
    ck_assert_msg(strcasecmp(fields, cases[i].fields) == 0, "%s\ngives '%s', expected '%s'",
                  cases[i].text, fields, cases[i].fields);
    route_unref(&route);
    fixture_deinit(&fixture);
  }
}
END_TEST
