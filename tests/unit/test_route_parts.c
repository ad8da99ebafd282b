/* Part of test_route.c: match with its claims, force, sticky. */

/* ---- match ----------------------------------------------------------------------------------- */

START_TEST(test_prefixes)
{
  static const struct {
    const char *prefix, *kept; /* NULL: refused */
    const char *hint;
  } cases[] = {
      {"/", "", NULL},
      {"/api", "/api", NULL},
      {"/api/", "/api", NULL},
      {"/a b", "/a b", NULL},
      {"/a%2Fb", "/a%2Fb", NULL},
      {"/100%", "/100%", NULL}, /* as rules see /100%25 */
      {"/%zz/%", "/%zz/%", NULL},
      {"/...", "/...", NULL},
      {"/caf\xc3\xa9", "/caf\xc3\xa9", NULL},
      {"", NULL, "\"/\" takes every path"},
      {"api", NULL, "\"/\" takes every path"},
      {"*", NULL, "\"/\" takes every path"},
      {"/a?b=c", NULL, "rules can look at 'query.NAME'"},
      {"//api", NULL, "write '/api'"},
      {"/api//", NULL, "write '/api/'"},
      {"/a/../b", NULL, "write '/b'"},
      {"/a/.", NULL, "write '/a/'"},
      {"/a%20b", NULL, "write '/a b'"},
      {"/100%25", NULL, "write '/100%'"},
      {"/a%2fb", NULL, "write '/a%2Fb'"},
      {"/..", NULL, "requests with such a path are refused"},
      {"/%00", NULL, "requests with such a path are refused"},
      {"/a%2f..", NULL, "requests with such a path are refused"},
  };
  for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
    struct fixture fixture;
    char text[256];
    fixture_init(&fixture, NULL);
    (void)snprintf(text, sizeof(text), SHOP ", 'match': {\n'path_prefix': \"%s\"}}",
                   cases[i].prefix);
    struct route *route = compile_as(&fixture, text, "f");
    ck_assert_msg((route != NULL) == (cases[i].kept != NULL), "%s", cases[i].prefix);
    if (route) {
      ck_assert_view_eq(route->path_prefix, cases[i].kept);
    } else {
      const struct diag *diag = diags_get(fixture.diags, 0);
      ck_assert_uint_eq(diags_size(fixture.diags), 1);
      ck_assert_uint_eq(diag->at.line, 2);
      ck_assert_uint_eq(diag->at.column, 16);
      ck_assert_str_eq(diag->hint, cases[i].hint);
    }
    route_unref(&route);
    fixture_deinit(&fixture);
  }
}
END_TEST

START_TEST(test_hosts)
{
  static const struct {
    const char *host, *kept; /* NULL: refused */
    const char *message;
  } cases[] = {
      {"a", "a", NULL},
      {"A.b-C.d_e", "a.b-c.d_e", NULL},
      {"a.b.", "a.b", NULL},
      {"127.0.0.1", "127.0.0.1", NULL},
      {"[::1]", "[::1]", NULL},
      {"[2001:DB8::1]", "[2001:db8::1]", NULL},
      {"*.X", "*.x", NULL},
      {"*.a.b.", "*.a.b", NULL},
      {"", NULL, "is empty"},
      {".", NULL, "has an empty label"},
      {"*", NULL, "is not a host name"},
      {"*.", NULL, "is not a host name"},
      {"a..b", NULL, "has an empty label"},
      {".a", NULL, "has an empty label"},
      {"a.b..", NULL, "has an empty label"},
      {"a.*", NULL, "has a '*' inside"},
      {"*a.b", NULL, "has a '*' inside"},
      {"*.*.a", NULL, "has a '*' inside"},
      {"a:80", NULL, "has a port"},
      {"*.a:80", NULL, "has a port"},
      {"::1", NULL, "is not a host name"},
      {"[::1]:80", NULL, "has a port"},
      {"[1.2.3.4]", NULL, "is not a host name"},
      {"http://a", NULL, "is not a host name"},
      {"a/b", NULL, "is not a host name"},
      {"a b", NULL, "is not a host name"},
      {"m\xc3\xbcller.de", NULL, "is not ASCII"},
      {"x123456789012345678901234567890123456789012345678901234567890123.y", NULL,
       "has a label of more than 63 bytes"},
  };
  for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
    struct fixture fixture;
    char text[256], message[128];
    fixture_init(&fixture, NULL);
    (void)snprintf(text, sizeof(text), SHOP ", 'match': {\n'hosts': ['z', \"%s\"]}}",
                   cases[i].host);
    struct route *route = compile_as(&fixture, text, "f");
    ck_assert_msg((route != NULL) == (cases[i].kept != NULL), "%s", cases[i].host);
    if (route) {
      ck_assert_view_eq(route->hosts[1], cases[i].kept);
    } else {
      const struct diag *diag = diags_get(fixture.diags, 0);
      ck_assert_uint_eq(diags_size(fixture.diags), 1);
      (void)snprintf(message, sizeof(message), "host '%s' %s", cases[i].host, cases[i].message);
      ck_assert_uint_eq(diag->at.line, 2);
      ck_assert_uint_eq(diag->at.column, 16);
      if (str_is_utf8(str_from_cstr(cases[i].host)) && cases[i].host[0] != 'm') {
        ck_assert_str_eq(diag->message, message);
      }
    }
    route_unref(&route);
    fixture_deinit(&fixture);
  }
}
END_TEST

START_TEST(test_match_mistakes)
{
  static const struct said cases[] = {
      {SHOP ", 'match': {}}", ""},
      {SHOP ",\n'match': '/'}", "f:2:10: error: 'match' must be an object, not a string\n"},
      {SHOP ",\n'match': {'host': ['a'], 'path_prefix': 3}}",
       "f:2:11: error: 'match': unknown key 'host' (did you mean 'hosts'?)\n"
       "f:2:41: error: 'match.path_prefix' must be a string, not a number\n"},
      {SHOP ",\n'match': {'hosts': 'a'}}",
       "f:2:20: error: 'match.hosts' must be a list, not a string\n"},
      {SHOP ",\n'match': {'hosts': []}}",
       "f:2:20: error: 'match.hosts' is an empty list (leave it out to take every host)\n"},
      {SHOP ",\n'match': {'hosts': [null]}}", "f:2:21: error: a host must be a string, not null\n"},
      {SHOP ",\n'match': {'hosts': ['a.b', 'A.B.']}}",
       "f:2:28: warning: host 'a.b' is listed twice\n"},
      {SHOP ",\n'match': {'hosts': ['a:1']}}",
       "f:2:21: error: host 'a:1' has a port (a route takes every port)\n"},
      {SHOP ",\n'match': {'hosts': ['*']}}",
       "f:2:21: error: host '*' is not a host name"
       " (without \"hosts\" a route takes every host)\n"},
  };
  CHECK_SAID(cases);
}
END_TEST

START_TEST(test_claims)
{
  static const struct str hosts[] = {STR_INIT("shop.x"), STR_INIT("*.Team-A.x")};
  static const struct str one_upstream[] = {STR_INIT("shop-v1")};
  static const struct {
    const char *match; /* of a file with upstream shop-v1 and canary's */
    const char *canary;
    bool loads;
  } cases[] = {
      {"'match': {'hosts': ['shop.x']},", "shop-v1", true},
      {"'match': {'hosts': ['SHOP.X.']},", "shop-v1", true},
      {"'match': {'hosts': ['a.team-a.x', 'b.c.team-a.x']},", "shop-v1", true},
      {"'match': {'hosts': ['*.team-a.x']},", "shop-v1", true},
      {"'match': {'hosts': ['*.b.team-a.x']},", "shop-v1", true},
      {"'match': {'hosts': ['team-a.x']},", "shop-v1", false},
      {"'match': {'hosts': ['bteam-a.x']},", "shop-v1", false},
      {"'match': {'hosts': ['*.x']},", "shop-v1", false},
      {"'match': {'hosts': ['*.shop.x']},", "shop-v1", false},
      {"'match': {'hosts': ['a.shop.x']},", "shop-v1", false},
      {"'match': {'hosts': ['shop.x', 'other.x']},", "shop-v1", false},
      {"'match': {'path_prefix': '/a'},", "shop-v1", false},
      {"", "shop-v1", false},
      {"'match': {'hosts': ['shop.x']},", "shop-canary", false},
  };
  for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
    struct fixture fixture;
    char text[512];
    fixture_init(&fixture, NULL);
    fixture.environment.claim_hosts = hosts;
    fixture.environment.claim_host_count = 2;
    fixture.environment.claim_upstreams = one_upstream;
    fixture.environment.claim_upstream_count = 1;
    (void)snprintf(text, sizeof(text),
                   "{'route': 'a', %s 'variants': {'v1': 'shop-v1', 'canary': '%s'}}",
                   cases[i].match, cases[i].canary);
    struct route *route = compile_as(&fixture, text, "f");
    ck_assert_msg((route != NULL) == cases[i].loads, "%s: %s", text, printed(fixture.diags));
    route_unref(&route);
    fixture_deinit(&fixture);
  }
}
END_TEST

START_TEST(test_claim_messages)
{
  static const struct str hosts[] = {STR_INIT("shop.x")};
  struct fixture fixture;
  fixture_init(&fixture, NULL);
  fixture.environment.claim_hosts = hosts;
  fixture.environment.claim_host_count = 1;
  fixture.environment.claim_upstreams = hosts;
  fixture.environment.claim_upstream_count = 1;
  ck_assert_ptr_null(
      compile_as(&fixture, "{'route': 'a',\n" V ",\n'match': {'hosts': ['y']}}", "f"));
  ck_assert_str_eq(printed(fixture.diags),
                   "f:2:20: error: variant 'v1': this file may not claim upstream 'shop-v1'"
                   " (adit.json lists under \"rules\" which upstreams these files may claim)\n"
                   "f:2:41: error: variant 'canary': this file may not claim upstream 'shop-canary'"
                   " (adit.json lists under \"rules\" which upstreams these files may claim)\n"
                   "f:3:21: error: this file may not claim host 'y'"
                   " (adit.json lists under \"rules\" which hosts these files may claim)\n");
  fixture_deinit(&fixture);
}
END_TEST

/* ---- force ----------------------------------------------------------------------------------- */

START_TEST(test_force_forms)
{
  struct fixture fixture;
  fixture_init(&fixture, NULL);
  struct route *route = compile(&fixture, SHOP ", 'force': false}");
  ck_assert(!route->force.enabled);
  route_unref(&route);

  route = compile(&fixture, "{'route': 'a', 'variants': {'v1': 'shop-v1'}}");
  ck_assert_uint_eq(route->force.value_count, 1);
  ck_assert_view_eq(route->force.values[0].value, "never");
  ck_assert_uint_eq(route->force.values[0].variant, 0);
  route_unref(&route);

  route = compile(&fixture, SHOP_3 ", 'force': {'cookie': 'c'}, 'stable': 'v1'}");
  ck_assert(route->force.enabled);
  ck_assert_view_eq(route->force.header, "X-Canary");
  ck_assert_view_eq(route->force.cookie, "c");
  ck_assert_uint_eq(route->force.values[0].variant, 1);
  route_unref(&route);
  fixture_deinit(&fixture);
}
END_TEST

START_TEST(test_force_mistakes)
{
  static const struct said cases[] = {
      {SHOP ",\n'force': true}", "f:2:10: error: 'force' must be an object or false\n"},
      {SHOP ",\n'force': {'headers': 'X'}}",
       "f:2:11: error: 'force': unknown key 'headers' (did you mean 'header'?)\n"},
      {SHOP ",\n'force': {'header': 'X Y', 'cookie': ''}}",
       "f:2:21: error: 'force.header': 'X Y' is not a name of HTTP\n"
       "f:2:38: error: 'force.cookie': '' is not a name of HTTP\n"},
      {SHOP ",\n'force': {'header': 'transfer-encoding'}}",
       "f:2:21: error: 'force.header': 'transfer-encoding' has a meaning of its own"
       " (a name of your own: \"X-Canary\")\n"},
      {SHOP ",\n'force': {'header': 'x-canary-token'}}",
       "f:2:21: error: 'force.header': 'x-canary-token' has a meaning of its own"
       " (a name of your own: \"X-Canary\")\n"},
      {SHOP ",\n'force': {'cookie': 'adit_shop'}}",
       "f:2:21: error: 'force.cookie': 'adit_shop' is the name of the sticky cookie\n"},
      {SHOP ",\n'force': {'values': {'always': 'cannary', ' x': 'v1', '': 'v1', 'y': 2}}}",
       "f:2:32: error: 'force.values': unknown variant 'cannary' (did you mean 'canary'?)\n"
       "f:2:43: error: 'force.values': ' x' cannot be the value of a header"
       " (not empty, no blanks around it, no control characters)\n"
       "f:2:55: error: 'force.values': '' cannot be the value of a header"
       " (not empty, no blanks around it, no control characters)\n"
       "f:2:70: error: 'force.values': a variant is named by a string, not a number\n"},
      {SHOP ",\n'force': {'values': {}}}",
       "f:2:21: error: 'force.values' has no value (\"force\": false switches it off)\n"},
      {"{'route': 'a', 'variants': {'v1': 'shop-v1'},\n'force': {'values': {'1': 'canary'}}}",
       "f:2:27: error: 'force.values': unknown variant 'canary' (known here: v1)\n"},
      {SHOP ",\n'force': {'allow_from': ['10.0.0.1/8', '1.2.3', 1]}}",
       "f:2:26: error: 'force.allow_from': '10.0.0.1/8' has host bits set"
       " (did you mean '10.0.0.0/8'?)\n"
       "f:2:40: error: 'force.allow_from': '1.2.3' is not a network"
       " (\"10.1.0.0/16\" or \"10.1.2.3\")\n"
       "f:2:49: error: a network in 'force.allow_from' must be a string, not a number\n"},
      {SHOP ",\n'force': {'allow_from': []}}",
       "f:2:25: error: 'force.allow_from' is an empty list"
       " (leave it out to let anyone force; \"force\": false lets nobody)\n"},
      {SHOP ",\n'force': {'allow_from': '10.0.0.0/8'}}",
       "f:2:25: error: 'force.allow_from' must be a list, not a string\n"},
  };
  CHECK_SAID(cases);
}
END_TEST

START_TEST(test_token_file)
{
  static const struct {
    struct str bytes;
    const char *token; /* NULL: an error with `message` */
    const char *message;
  } cases[] = {
      {STR_INIT("secret"), "secret", NULL},
      {STR_INIT("secret\n"), "secret", NULL},
      {STR_INIT("se cret\r\n"), "se cret", NULL},
      {STR_INIT(""), NULL, "'force.token_file': 'token' is empty"},
      {STR_INIT("\n"), NULL, "'force.token_file': 'token' is empty"},
      {STR_INIT("a\nb\n"), NULL,
       "'force.token_file': what 'token' holds cannot be the value of a header"},
      {STR_INIT("a \n"), NULL,
       "'force.token_file': what 'token' holds cannot be the value of a header"},
  };
  char directory[] = "/tmp/adit-test-XXXXXX", path[64];
  ck_assert_ptr_nonnull(mkdtemp(directory));
  (void)snprintf(path, sizeof(path), "%s/token", directory);
  for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
    struct fixture fixture;
    fixture_init(&fixture, NULL);
    fixture.environment.directory = directory;
    FILE *file = fopen(path, "wb");
    ck_assert_ptr_nonnull(file);
    ck_assert_uint_eq(fwrite(cases[i].bytes.p, 1, cases[i].bytes.n, file), cases[i].bytes.n);
    ck_assert_int_eq(fclose(file), 0);
    struct route *route = compile_as(&fixture, SHOP ", 'force': {'token_file': 'token'}}", "f");
    ck_assert_msg((route != NULL) == (cases[i].token != NULL), "case %zu", i);
    if (route) {
      ck_assert_view_eq(route->force.token, cases[i].token);
    } else {
      ck_assert_str_eq(diags_get(fixture.diags, 0)->message, cases[i].message);
    }
    route_unref(&route);
    fixture_deinit(&fixture);
  }
  ck_assert_int_eq(unlink(path), 0);
  ck_assert_int_eq(rmdir(directory), 0);
  struct fixture fixture;
  fixture_init(&fixture, NULL);
  ck_assert_ptr_null(
      compile_as(&fixture, SHOP ", 'force': {'token_file': '/nonexistent/token'}}", "f"));
  ck_assert_uint_eq(diags_get(fixture.diags, 0)->at.column, 99);
  fixture_deinit(&fixture);
}
END_TEST

/* ---- sticky ---------------------------------------------------------------------------------- */

START_TEST(test_sticky_forms)
{
  struct fixture fixture;
  fixture_init(&fixture, NULL);
  struct route *route = compile(&fixture, SHOP ", 'sticky': false}");
  ck_assert(!route->sticky.cookie);
  ck_assert_uint_eq(route->sticky.by_count, 1);
  ck_assert_view_eq(route->sticky.salt, "shop");
  route_unref(&route);

  route = compile(&fixture, SHOP ", 'sticky': {'by': [], 'group': 'G', 'same_site': 'strict'}}");
  ck_assert(route->sticky.cookie);
  ck_assert_uint_eq(route->sticky.by_count, 0);
  ck_assert_view_eq(route->sticky.salt, "G");
  ck_assert_view_eq(route->sticky.group, "G");
  ck_assert_view_eq(route->sticky.cookie_name, "adit_G");
  ck_assert_int_eq(route->sticky.same_site, SAME_SITE_STRICT);
  route_unref(&route);

  route = compile(&fixture, SHOP ", 'sticky': {'salt': '', 'epoch': 0, 'ttl': '400d'}}");
  ck_assert_ptr_nonnull(route->sticky.salt.p);
  ck_assert_uint_eq(route->sticky.salt.n, 0);
  ck_assert_uint_eq(route->sticky.epoch, 0);
  route_unref(&route);
  fixture_deinit(&fixture);

  fixture_init(&fixture, "{}");
  route = compile(&fixture, SHOP "}");
  ck_assert_uint_eq(route->sticky.by_count, 0);
  route_unref(&route);
  route = compile(&fixture, SHOP
                  ", 'attributes': {'user.id': {'type': 'string', 'from':"
                  " [{'query': 'u'}]}}}");
  ck_assert_uint_eq(route->sticky.by_count, 1);
  route_unref(&route);
  fixture_deinit(&fixture);
}
END_TEST

START_TEST(test_sticky_mistakes)
{
  static const struct said cases[] = {
      {SHOP ",\n'sticky': true}", "f:2:11: error: 'sticky' must be an object or false\n"},
      {SHOP ",\n'sticky': null}", "f:2:11: error: 'sticky' must be an object or false\n"},
      {SHOP ",\n'sticky': {'tll': '7d', 'cookie': 0, 'salt': 1, 'group': ''}}",
       "f:2:12: error: 'sticky': unknown key 'tll' (did you mean 'ttl'?)\n"
       "f:2:35: error: 'sticky.cookie' must be true or false, not a number\n"
       "f:2:46: error: 'sticky.salt' must be a string, not a number\n"
       "f:2:58: error: 'sticky.group': '' is not a name"
       " (1 to 64 letters, digits, '.', '_' and '-' of ASCII)\n"},
      {SHOP ",\n'sticky': {'ttl': 7}}",
       "f:2:19: error: 'sticky.ttl' must be a string, not a number\n"},
      {SHOP ",\n'sticky': {'ttl': '1w'}}",
       "f:2:19: error: 'sticky.ttl': '1w' is not a duration (\"7d\", \"12h\", \"30m\")\n"},
      {SHOP ",\n'sticky': {'ttl': '-1d'}}",
       "f:2:19: error: 'sticky.ttl': '-1d' is not a duration (\"7d\", \"12h\", \"30m\")\n"},
      {SHOP ",\n'sticky': {'ttl': '999ms'}}",
       "f:2:19: error: 'sticky.ttl': '999ms' is too short (from \"1s\" to \"400d\")\n"},
      {SHOP ",\n'sticky': {'ttl': '401d'}}",
       "f:2:19: error: 'sticky.ttl': '401d' is too long (from \"1s\" to \"400d\")\n"},
      {SHOP ",\n'sticky': {'epoch': 1.5}}",
       "f:2:21: error: 'sticky.epoch' must be a whole number from 0 to 2147483647\n"},
      {SHOP ",\n'sticky': {'epoch': -1}}",
       "f:2:21: error: 'sticky.epoch' must be a whole number from 0 to 2147483647\n"},
      {SHOP ",\n'sticky': {'epoch': 2147483648}}",
       "f:2:21: error: 'sticky.epoch' must be a whole number from 0 to 2147483647\n"},
      {SHOP ",\n'sticky': {'epoch': '1'}}",
       "f:2:21: error: 'sticky.epoch' must be a whole number from 0 to 2147483647\n"},
      {SHOP ", 'sticky': {'epoch': 2147483647}}", ""},
      {SHOP ",\n'sticky': {'by': 'user.id'}}",
       "f:2:18: error: 'sticky': 'by' must be a list of attributes (\"by\": [\"user.id\"])\n"},
      {SHOP ",\n'sticky': {'by': ['user.di', 'now', 'user.registered_at.age', 3]}}",
       "f:2:19: error: 'sticky': unknown attribute 'user.di' in 'by' (did you mean 'user.id'?)\n"
       "f:2:30: error: 'sticky': 'now' in 'by' depends on the time"
       " (a key stays the same from visit to visit)\n"
       "f:2:37: error: 'sticky': 'user.registered_at.age' in 'by' depends on the time"
       " (a key stays the same from visit to visit)\n"
       "f:2:63: error: 'sticky': a name in 'by' must be a string, not a number\n"},
      {SHOP ",\n'sticky': {'domain': '*.x'}}",
       "f:2:22: error: 'sticky.domain': '*.x' may not be a wildcard\n"},
      {SHOP ",\n'sticky': {'domain': 'x:1'}}",
       "f:2:22: error: 'sticky.domain': 'x:1' has a port (a route takes every port)\n"},
      {SHOP
       ",\n'sticky': {'domain': 'b.x'}, 'match': {'hosts': ['b.x', '*.b.x', 'a.b.x', 'ab.x']}}",
       "f:2:22: warning: 'sticky.domain': host 'ab.x' is not in 'b.x'"
       " (browsers refuse the cookie there)\n"},
      {SHOP ",\n'sticky': {'same_site': 'Never'}}",
       "f:2:25: error: 'sticky.same_site': unknown value 'Never' (Lax, Strict or None)\n"},
  };
  CHECK_SAID(cases);
}
END_TEST

/* ---- mirror ---------------------------------------------------------------------------------- */

static bool copies(const struct route_mirror *mirror, enum http_method method) {
  return mirror->methods >> method & 1;
}

START_TEST(test_mirror_forms)
{
  struct fixture fixture;
  fixture_init(&fixture, NULL);
  struct route *route =
      compile(&fixture, SHOP
              ", 'mirror': {'to': 'canary'}, 'rules': ["
              "{'id': 'a', 'to': 'v1'}, {'id': 'b', 'to': 'v1', 'mirror': false},"
              "{'id': 'c', 'split': {'canary': 1}, 'mirror': {'to': 'v1', 'percent': 0.29,"
              " 'methods': ['DELETE', 'GET'], 'body_bytes': '1MiB'}}]}");
  const struct route_mirror *mirror = route->mirror;
  ck_assert_uint_eq(mirror->to, route_find_variant(route, STR("canary")));
  ck_assert_uint_eq(mirror->buckets, BUCKETS);
  ck_assert_uint_eq(mirror->body_bytes, 65536);
  for (int method = HTTP_METHOD_OTHER; method <= HTTP_METHOD_PATCH; method++) {
    const bool is_safe =
        method == HTTP_METHOD_GET || method == HTTP_METHOD_HEAD || method == HTTP_METHOD_OPTIONS;
    ck_assert_msg(copies(mirror, (enum http_method)method) == is_safe, "method %d", method);
  }
  ck_assert_ptr_eq(route->rules[0].mirror, mirror);
  ck_assert_ptr_null(route->rules[1].mirror);
  mirror = route->rules[2].mirror;
  ck_assert(mirror->to == route->stable && mirror->buckets == 29);
  ck_assert(mirror->body_bytes == MIRROR_BODY_BYTES_MAX);
  ck_assert(copies(mirror, HTTP_METHOD_DELETE) && copies(mirror, HTTP_METHOD_GET));
  ck_assert(!copies(mirror, HTTP_METHOD_HEAD));
  route_unref(&route);
  route = compile(&fixture, SHOP ", 'mirror': false, 'rules': [{'id': 'a', 'to': 'v1'}]}");
  ck_assert(!route->mirror && !route->rules[0].mirror);
  route_unref(&route);
  fixture_deinit(&fixture);
}
END_TEST
