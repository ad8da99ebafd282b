/* Part of test_route.c: routes together: finding one, conflicts. */

/* ---- finding routes -------------------------------------------------------------------------- */

static struct route *compile_match(struct fixture *fixture, const char *name, const char *match) {
  char text[512];
  (void)snprintf(text, sizeof(text),
                 "{'route': '%s', 'match': {%s}, 'variants': {'v1': 'shop-v1'}}", name, match);
  return compile_as(fixture, text, name);
}

START_TEST(test_finding)
{
  static const struct {
    const char *name, *match;
  } files[] = {
      {"exact-api", "'hosts': ['a.b.x'], 'path_prefix': '/api'"},
      {"exact-deep", "'hosts': ['a.b.x', 'c.x'], 'path_prefix': '/api/v1'"},
      {"wild-b", "'hosts': ['*.b.x'], 'path_prefix': '/api/v1/long'"},
      {"wild-b-root", "'hosts': ['*.b.x'], 'path_prefix': '/w'"},
      {"wild-x", "'hosts': ['*.x']"},
      {"any-any", "'path_prefix': '/any'"},
      {"root", ""},
      {"ip", "'hosts': ['[::1]']"},
  };
  static const struct {
    const char *host, *path, *route;
  } cases[] = {
      {"a.b.x", "/api", "exact-api"},
      {"a.b.x", "/api/", "exact-api"},
      {"a.b.x", "/api/v1", "exact-deep"},
      {"a.b.x", "/api/v1/long/x", "exact-deep"}, /* the host goes before the prefix */
      {"a.b.x", "/api/v10", "exact-api"},        /* segment borders */
      {"a.b.x", "/apis", "wild-x"},              /* no exact route takes the path */
      {"a.b.x", "/w/1", "wild-b-root"},          /* the longest wildcard that does */
      {"z.b.x", "/api/v1/long", "wild-b"},
      {"z.b.x", "/", "wild-x"},
      {"y.z.b.x", "/w", "wild-b-root"},
      {"b.x", "/w", "wild-x"}, /* *.b.x is not b.x */
      {"c.x", "/api/v1", "exact-deep"},
      {"c.x", "/", "wild-x"},
      {"x", "/", "root"},
      {".x", "/", "root"}, /* a label, not nothing */
      {"ax", "/any/where", "any-any"},
      {"", "/", "root"},
      {"other", "*", "root"}, /* OPTIONS * */
      {"other", "/anything", "root"},
      {"[::1]", "/any", "ip"},
      {"A.B.X", "/api", "root"}, /* the caller folds case */
  };
  struct fixture fixture;
  struct route *routes[8];
  fixture_init(&fixture, NULL);
  for (size_t i = 0; i < 8; i++) {
    routes[i] = compile_match(&fixture, files[i].name, files[i].match);
    ck_assert_msg(routes[i] != NULL, "%s", printed(fixture.diags));
  }
  struct arena *arena = arena_new(1 << 20);
  struct router *router = router_new(arena, routes, 8);
  ck_assert_ptr_nonnull(router);
  for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
    const struct route *route =
        router_find(router, str_from_cstr(cases[i].host), str_from_cstr(cases[i].path));
    ck_assert_ptr_nonnull(route);
    ck_assert_msg(str_eq(route->name, str_from_cstr(cases[i].route)), "%s%s goes to %.*s, not %s",
                  cases[i].host, cases[i].path, STR_ARG(route->name), cases[i].route);
  }
  /* Without the routes that take everything, and without any. */
  router = router_new(arena, routes, 5);
  ck_assert_ptr_null(router_find(router, STR("x"), STR("/")));
  ck_assert_ptr_null(router_find(router, STR("other"), STR("/api")));
  router = router_new(arena, routes, 0);
  ck_assert_ptr_nonnull(router);
  ck_assert_ptr_null(router_find(router, STR("a.b.x"), STR("/")));
  arena_free(&arena);
  for (size_t i = 0; i < 8; i++) route_unref(&routes[i]);
  fixture_deinit(&fixture);
}
END_TEST

/* The contract read aloud: 0 no match, more for a more specific host. */
static size_t host_rank(const struct route *route, struct str host) {
  size_t best = route->host_count == 0 ? 1 : 0;
  for (size_t i = 0; i < route->host_count; i++) {
    struct str pattern = route->hosts[i];
    size_t rank = 0;
    if (str_eq(pattern, host)) rank = 1000;
    if (pattern.p[0] == '*' && host.n >= pattern.n && str_ends_with(host, str_skip(pattern, 1))) {
      rank = 1 + pattern.n;
    }
    if (rank > best) best = rank;
  }
  return best;
}

static const struct route *find_slowly(struct route *const *routes, size_t n, struct str host,
                                       struct str path) {
  const struct route *best = NULL;
  size_t best_rank = 0;
  for (size_t i = 0; i < n; i++) {
    struct str prefix = routes[i]->path_prefix;
    size_t rank = host_rank(routes[i], host);
    bool takes = str_starts_with(path, prefix) && (path.n == prefix.n || path.p[prefix.n] == '/');
    if (!takes || rank == 0) continue;
    if (rank > best_rank || (rank == best_rank && prefix.n > best->path_prefix.n)) {
      best = routes[i];
      best_rank = rank;
    }
  }
  return best;
}

static struct str random_join(unsigned *random, const char *separator, size_t most, char *buffer,
                              size_t capacity) {
  static const char *const words[] = {"a", "b", "ab", "x"};
  size_t n = 0, parts = next_random(random) % (most + 1);
  for (size_t i = 0; i < parts; i++) {
    n += (size_t)snprintf(buffer + n, capacity - n, "%s%s", separator,
                          words[next_random(random) % 4]);
  }
  return str_make(buffer, n);
}

START_TEST(test_finding_many_as_the_contract_says)
{
  enum { ROUTES = 400, REQUESTS = 4000 };
  struct route *routes[ROUTES];
  struct fixture fixture;
  unsigned random = 3;
  size_t n = 0;
  fixture_init(&fixture, NULL);
  while (n < ROUTES) {
    char host[64], prefix[64], match[256], name[32];
    struct str labels = random_join(&random, ".", 4, host, sizeof(host));
    struct str path = random_join(&random, "/", 3, prefix, sizeof(prefix));
    bool wildcard = next_random(&random) % 2;
    (void)snprintf(name, sizeof(name), "r%zu", n);
    if (labels.n == 0) {
      (void)snprintf(match, sizeof(match), "'path_prefix': '%.*s/'", STR_ARG(path));
    } else {
      (void)snprintf(match, sizeof(match), "'hosts': ['%s%.*s'], 'path_prefix': '%.*s/'",
                     wildcard ? "*" : "", STR_ARG(str_skip(labels, wildcard ? 0 : 1)),
                     STR_ARG(path));
    }
    routes[n] = compile_match(&fixture, name, match);
    ck_assert_msg(routes[n] != NULL, "%s", printed(fixture.diags));
    struct diags *ignored = diags_new();
    struct route_conflict conflict;
    if (routes_find_conflict(routes, n + 1, &conflict, ignored)) {
      ck_assert_uint_eq(conflict.second, n);
      route_unref(&routes[n]);
    } else {
      n++;
    }
    diags_free(&ignored);
  }
  struct arena *arena = arena_new(1 << 24);
  struct router *router = router_new(arena, routes, n);
  size_t found = 0;
  for (size_t i = 0; i < REQUESTS; i++) {
    char host_buffer[64], path_buffer[64];
    struct str host = str_skip(random_join(&random, ".", 5, host_buffer, sizeof(host_buffer)), 1);
    struct str path = random_join(&random, "/", 5, path_buffer, sizeof(path_buffer));
    if (path.n == 0) path = STR("/");
    const struct route *route = router_find(router, host, path);
    ck_assert_msg(route == find_slowly(routes, n, host, path), "%.*s%.*s", STR_ARG(host),
                  STR_ARG(path));
    if (route) found++;
  }
  ck_assert_uint_gt(found, REQUESTS / 2);
  arena_free(&arena);
  for (size_t i = 0; i < n; i++) route_unref(&routes[i]);
  fixture_deinit(&fixture);
}
END_TEST

/* ---- conflicts ------------------------------------------------------------------------------- */

START_TEST(test_conflicts)
{
#define A(rest)     "{'route': 'a', " V ", " rest "}"
#define B(rest)     "{'route': 'b', " V ",\n" rest "}"
#define ON(host)    "'match': {'hosts': [" host "]}"
#define GROUP(rest) "'sticky': {'group': 'g'" rest "}"
#define DISAGREE    "routes of a group share one cookie and must agree in all of it"
  static const struct {
    const char *first, *second; /* files 1 and 2 */
    const char *diags;          /* "": no conflict */
  } cases[] = {
      {A(ON("'x'")), B(ON("'y'")), ""},
      {A(ON("'x'")), B("'match': {'path_prefix': '/'}"), ""},
      {A(ON("'x'")), B(ON("'*.x'")), ""},
      {A(ON("'x'")), B("'match': {'hosts': ['x'], 'path_prefix': '/p'}"), ""},
      {A(ON("'x'")), "{'route': 'a',\n" V ", 'match': {'hosts': ['y']}}",
       "2:1:11: error: the name 'a' is the route's in '1' too (rename one of the two)\n"},
      {A(ON("'x', 'y'")), B(ON("'z', 'Y.'")),
       "2:2:26: error: route 'b' and route 'a' (1) both take host 'y' with the path prefix '/'"
       " (give one of them another host or a longer prefix)\n"},
      {A("'match': {'hosts': ['*.x'], 'path_prefix': '/p/'}"),
       B("'match': {'hosts': ['*.x'], 'path_prefix': '/p'}"),
       "2:2:21: error: route 'b' and route 'a' (1) both take host '*.x' with the path prefix '/p'"
       " (give one of them another host or a longer prefix)\n"},
      {A("'match': {}"), B("'state': 'on'"),
       "2:1:1: error: route 'b' and route 'a' (1) both take every host with the path prefix '/'"
       " (give one of them hosts or a longer prefix)\n"},
      {A(ON("'x'") "," GROUP("")), B(ON("'y'") "," GROUP("")), ""},
      {A(ON("'x'") "," GROUP(", 'ttl': '1d'")), B(ON("'y'") "," GROUP(", 'ttl': '24h'")), ""},
      {A(ON("'x'") "," GROUP("")), B(ON("'y'") ", 'sticky': {'group': 'h', 'epoch': 2}"), ""},
      {A(ON("'x'") "," GROUP("")), B(GROUP(", 'epoch': 2")),
       "2:2:11: error: route 'b' and route 'a' (1) of group 'g' disagree in 'sticky.epoch'"
       " (" DISAGREE ")\n"},
      {A(ON("'x'") "," GROUP("")), B(GROUP(", 'ttl': '1d'")),
       "2:2:11: error: route 'b' and route 'a' (1) of group 'g' disagree in 'sticky.ttl'"
       " (" DISAGREE ")\n"},
      {A(ON("'x'") "," GROUP("")), B(GROUP(", 'by': ['region']")),
       "2:2:11: error: route 'b' and route 'a' (1) of group 'g' disagree in 'sticky.by'"
       " (" DISAGREE ")\n"},
      {A(ON("'x'") "," GROUP("")), B(GROUP(", 'by': []")),
       "2:2:11: error: route 'b' and route 'a' (1) of group 'g' disagree in 'sticky.by'"
       " (" DISAGREE ")\n"},
      {A(ON("'x'") "," GROUP("")), B(GROUP(", 'salt': 's'")),
       "2:2:11: error: route 'b' and route 'a' (1) of group 'g' disagree in 'sticky.salt'"
       " (" DISAGREE ")\n"},
      {A(ON("'x'") "," GROUP("")), B(GROUP(", 'cookie': false")),
       "2:2:11: error: route 'b' and route 'a' (1) of group 'g' disagree in 'sticky.cookie'"
       " (" DISAGREE ")\n"},
      {A(ON("'x'") "," GROUP("")), B(GROUP(", 'domain': 'x'")),
       "2:2:11: error: route 'b' and route 'a' (1) of group 'g' disagree in 'sticky.domain'"
       " (" DISAGREE ")\n"},
      {A(ON("'x'") "," GROUP("")), B(GROUP(", 'same_site': 'None'")),
       "2:2:11: error: route 'b' and route 'a' (1) of group 'g' disagree in 'sticky.same_site'"
       " (" DISAGREE ")\n"},
      {A(ON("'x'") "," GROUP("")),
       "{'route': 'b', 'variants': {'canary': 'shop-canary', 'v1': 'shop-v1'}, " GROUP("") "}", ""},
      {A(ON("'x'") "," GROUP("")),
       "{'route': 'b', 'variants': {'beta': 'shop-canary', 'v1': 'shop-v1'},\n" GROUP("") "}",
       "2:2:11: error: route 'b' and route 'a' (1) of group 'g' disagree in the names of their"
       " variants (" DISAGREE ")\n"},
      {A(ON("'x'")), B("'sticky': {'group': 'a'}"),
       "2:2:21: error: 'a' is the name of a group and of a route outside of it (see '1')"
       " (rename one of the two)\n"},
      {A(ON("'x'") ", 'sticky': {'group': 'b'}"), B("'state': 'on'"),
       "2:1:11: error: 'b' is the name of a group and of a route outside of it (see '1')"
       " (rename one of the two)\n"},
      {A(ON("'x'") ", 'sticky': {'group': 'a'}"), B("'sticky': {'group': 'a'}"), ""},
      {A(ON("'x'") ", 'sticky': {'group': 'b'}"), B("'sticky': {'group': 'b'}"), ""},
  };
  for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
    struct fixture fixture;
    struct route_conflict conflict = {.first = 9, .second = 9};
    fixture_init(&fixture, NULL);
    struct route *routes[2] = {compile_as(&fixture, cases[i].first, "1"),
                               compile_as(&fixture, cases[i].second, "2")};
    ck_assert_msg(routes[0] && routes[1], "case %zu: %s", i, printed(fixture.diags));
    bool found = routes_find_conflict(routes, 2, &conflict, fixture.diags);
    ck_assert_msg(strcmp(printed(fixture.diags), cases[i].diags) == 0,
                  "case %zu gives    %sexpected %s", i, printed(fixture.diags), cases[i].diags);
    ck_assert_int_eq(found, cases[i].diags[0] != '\0');
    if (found) {
      ck_assert_uint_eq(conflict.first, 0);
      ck_assert_uint_eq(conflict.second, 1);
    }
    route_unref(&routes[0]);
    route_unref(&routes[1]);
    fixture_deinit(&fixture);
  }
}
END_TEST

/* One more conflicting route behind 10,000 that agree: found, without comparing all with all. */
START_TEST(test_many_routes)
{
  enum { ROUTES = 10000 };
  struct route **routes = calloc(ROUTES + 1, sizeof(struct route *));
  struct fixture fixture;
  struct route_conflict conflict;
  char name[32], match[128];
  ck_assert_ptr_nonnull(routes);
  fixture_init(&fixture, NULL);
  for (size_t i = 0; i < ROUTES; i++) {
    (void)snprintf(name, sizeof(name), "r%zu", i);
    (void)snprintf(match, sizeof(match), "'hosts': ['h%zu.x', '*.all.x'], 'path_prefix': '/p%zu'",
                   i % 100, i);
    routes[i] = compile_match(&fixture, name, match);
    ck_assert_ptr_nonnull(routes[i]);
  }
  ck_assert(!routes_find_conflict(routes, ROUTES, &conflict, fixture.diags));
  struct arena *arena = arena_new(64 << 20);
  struct router *router = router_new(arena, routes, ROUTES);
  ck_assert_ptr_nonnull(router);
  for (size_t i = 0; i < ROUTES; i++) {
    int n = snprintf(match, sizeof(match), "/p%zu/x/y", i);
    ck_assert_ptr_eq(router_find(router, STR("any.all.x"), str_make(match, (size_t)n)), routes[i]);
  }
  arena_free(&arena);
  routes[ROUTES] = compile_match(&fixture, "late", "'hosts': ['*.all.x'], 'path_prefix': '/p77'");
  ck_assert(routes_find_conflict(routes, ROUTES + 1, &conflict, fixture.diags));
  ck_assert_uint_eq(conflict.first, 77);
  ck_assert_uint_eq(conflict.second, ROUTES);
  for (size_t i = 0; i <= ROUTES; i++) route_unref(&routes[i]);
  free(routes);
  fixture_deinit(&fixture);
}
END_TEST
