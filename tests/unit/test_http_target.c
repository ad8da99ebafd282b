/* Authorities and paths. */
#include "adit/http.h"
#include "unit.h"

#define COUNT(array) (sizeof(array) / sizeof(*(array)))

START_TEST(authorities)
{
  static const struct {
    const char *authority;
    const char *host;
    const char *port; /* NULL: absent */
  } cases[] = {
      {"a", "a", NULL},
      {"shop.example.com", "shop.example.com", NULL},
      {"Shop.Example.COM:8080", "Shop.Example.COM", "8080"},
      {"a:", "a", ""},
      {"a:0", "a", "0"},
      {"a:65535", "a", "65535"},
      {"a:00080", "a", "00080"},
      {"a.", "a.", NULL},
      {"a.:80", "a.", "80"},
      {"a..", "a..", NULL},
      {"127.0.0.1", "127.0.0.1", NULL},
      {"127.0.0.1:80", "127.0.0.1", "80"},
      {"[::1]", "[::1]", NULL},
      {"[::1]:80", "[::1]", "80"},
      {"[::1]:", "[::1]", ""},
      {"[2001:DB8::A]:443", "[2001:DB8::A]", "443"},
      {"[::ffff:192.0.2.1]", "[::ffff:192.0.2.1]", NULL},
      {"a_b-c~d", "a_b-c~d", NULL},
      {"a!$&'()*+,;=b", "a!$&'()*+,;=b", NULL},
      {"a%20b", "a%20b", NULL},
      {"%41", "%41", NULL},
  };
  for (size_t i = 0; i < COUNT(cases); i++) {
    struct str host;
    struct str port;
    ck_assert_msg(http_authority_parse(str_from_cstr(cases[i].authority), &host, &port), "%s",
                  cases[i].authority);
    ck_assert_view_eq(host, cases[i].host);
    ck_assert_msg((port.p == NULL) == (cases[i].port == NULL), "%s: port", cases[i].authority);
    if (cases[i].port != NULL) ck_assert_view_eq(port, cases[i].port);
  }
}
END_TEST

START_TEST(authorities_refused)
{
  static const struct str cases[] = {
      STR_INIT(""),
      STR_INIT(":"),
      STR_INIT(":80"),
      STR_INIT("."),
      STR_INIT(".:80"),
      STR_INIT("a:b"),
      STR_INIT("a:65536"),
      STR_INIT("a:-1"),
      STR_INIT("a:+80"),
      STR_INIT("a:80 "),
      STR_INIT("a:80:80"),
      STR_INIT("a::80"),
      STR_INIT("a:8\0"),
      STR_INIT("u@a"),
      STR_INIT("u:p@a"),
      STR_INIT("u:80@a"),
      STR_INIT("@a"),
      STR_INIT("a b"),
      STR_INIT(" a"),
      STR_INIT("a/"),
      STR_INIT("a/b"),
      STR_INIT("a?b"),
      STR_INIT("a#b"),
      STR_INIT("a\\b"),
      STR_INIT("a\tb"),
      STR_INIT("a\0b"),
      STR_INIT("a\x80"),
      STR_INIT("\xc3\xa9"),
      STR_INIT("a%"),
      STR_INIT("a%4"),
      STR_INIT("a%4g"),
      STR_INIT("a%g4b"),
      STR_INIT("a\"b"),
      STR_INIT("<a>"),
      STR_INIT("a^"),
      STR_INIT("a|b"),
      STR_INIT("{a}"),
      STR_INIT("a`"),
      STR_INIT("::1"),
      STR_INIT("["),
      STR_INIT("[]"),
      STR_INIT("[::1"),
      STR_INIT("::1]"),
      STR_INIT("[::1]a"),
      STR_INIT("[::1]80"),
      STR_INIT("[::1]]"),
      STR_INIT("[[::1]]"),
      STR_INIT("[::1]:a"),
      STR_INIT("[1.2.3.4]"),
      STR_INIT("[a]"),
      STR_INIT("[::g]"),
      STR_INIT("[::1%25e]"),
      STR_INIT("[::1%lo]"),
      STR_INIT("[v1.a:b]"),
      STR_INIT("[::1]:65536"),
      STR_INIT("[1:2]"),
      STR_INIT("a[::1]"),
      STR_INIT("[::1]:8:8"),
      STR_INIT("a]"),
      STR_INIT("[::1].:80"),
      STR_INIT("a:99999999999999999999"),
      STR_INIT("[::1]."),
  };
  for (size_t i = 0; i < COUNT(cases); i++) {
    struct str host;
    struct str port;
    ck_assert_msg(!http_authority_parse(cases[i], &host, &port), "%.*s", STR_ARG(cases[i]));
  }
}
END_TEST

START_TEST(paths)
{
  static const struct {
    struct str raw;
    struct str normal;
  } cases[] = {
      /* as they are */
      {STR_INIT("/"), STR_INIT("/")},
      {STR_INIT("*"), STR_INIT("*")},
      {STR_INIT("/a/b.c/d"), STR_INIT("/a/b.c/d")},
      {STR_INIT("/a/"), STR_INIT("/a/")},
      {STR_INIT("/.well-known/x"), STR_INIT("/.well-known/x")},
      {STR_INIT("/..a/.../b.."), STR_INIT("/..a/.../b..")},
      {STR_INIT("/a;b=c,d:e@f"), STR_INIT("/a;b=c,d:e@f")},
      {STR_INIT("/A"), STR_INIT("/A")},
      {STR_INIT("/a+b"), STR_INIT("/a+b")},
      {STR_INIT("/a\\b"), STR_INIT("/a\\b")},
      /* decoded once */
      {STR_INIT("/%41%62"), STR_INIT("/Ab")},
      {STR_INIT("/%7e%7E"), STR_INIT("/~~")},
      {STR_INIT("/a%20b"), STR_INIT("/a b")},
      {STR_INIT("/%c3%a9"), STR_INIT("/\xc3\xa9")},
      {STR_INIT("/%0d%0a%01%7f"), STR_INIT("/\r\n\x01\x7f")},
      {STR_INIT("/%3f%23"), STR_INIT("/?#")},
      {STR_INIT("/%2541"), STR_INIT("/%41")},
      {STR_INIT("/%252e%252e/a"), STR_INIT("/%2e%2e/a")},
      {STR_INIT("/%25"), STR_INIT("/%")},
      {STR_INIT("/%2500"), STR_INIT("/%00")},
      {STR_INIT("/%5c"), STR_INIT("/\\")},
      {STR_INIT("/a%5Cb"), STR_INIT("/a\\b")},
      /* an encoded slash stays */
      {STR_INIT("/a%2Fb"), STR_INIT("/a%2Fb")},
      {STR_INIT("/a%2fb"), STR_INIT("/a%2Fb")},
      {STR_INIT("/%2F"), STR_INIT("/%2F")},
      {STR_INIT("/%2F/%2F"), STR_INIT("/%2F/%2F")},
      {STR_INIT("/a%2F%2Fb"), STR_INIT("/a%2F%2Fb")},
      {STR_INIT("/a%2F.%2Fb"), STR_INIT("/a%2F.%2Fb")},
      {STR_INIT("/.%2F"), STR_INIT("/.%2F")},
      {STR_INIT("/a%252F../b"), STR_INIT("/a%2F../b")}, /* is "a%2F..", not a ".." */
      {STR_INIT("/a..%2Fb"), STR_INIT("/a..%2Fb")},
      {STR_INIT("/a%2F..b"), STR_INIT("/a%2F..b")},
      {STR_INIT("/a%2F...%5cb"), STR_INIT("/a%2F...\\b")},
      {STR_INIT("/x%2Fy/../b"), STR_INIT("/b")},
      /* slashes */
      {STR_INIT("//"), STR_INIT("/")},
      {STR_INIT("///a////b//"), STR_INIT("/a/b/")},
      {STR_INIT("//a"), STR_INIT("/a")},
      /* dot segments */
      {STR_INIT("/."), STR_INIT("/")},
      {STR_INIT("/./"), STR_INIT("/")},
      {STR_INIT("/./a/./b/."), STR_INIT("/a/b/")},
      {STR_INIT("/a/.."), STR_INIT("/")},
      {STR_INIT("/a/../"), STR_INIT("/")},
      {STR_INIT("/a/b/.."), STR_INIT("/a/")},
      {STR_INIT("/a/b/../.."), STR_INIT("/")},
      {STR_INIT("/a/b/../../c"), STR_INIT("/c")},
      {STR_INIT("/a/../b/../c"), STR_INIT("/c")},
      {STR_INIT("/a/%2e%2e/b"), STR_INIT("/b")},
      {STR_INIT("/a/%2E./b"), STR_INIT("/b")},
      {STR_INIT("/a/.%2e"), STR_INIT("/")},
      {STR_INIT("/%2e/a"), STR_INIT("/a")},
      {STR_INIT("/a/%2e%2e%2e"), STR_INIT("/a/...")},
      {STR_INIT("/a//../b"), STR_INIT("/b")}, /* merged first */
      {STR_INIT("/a/b//../c"), STR_INIT("/a/c")},
      {STR_INIT("/a/.//../b"), STR_INIT("/b")},
      {STR_INIT("/a/..//b"), STR_INIT("/b")},
      {STR_INIT("/a/..;/b"), STR_INIT("/a/..;/b")},
      {STR_INIT("/a/..\\x/../b"), {NULL, 0}},
      /* refused */
      {STR_INIT(""), {NULL, 0}},
      {STR_INIT("a"), {NULL, 0}},
      {STR_INIT("**"), {NULL, 0}},
      {STR_INIT("/%"), {NULL, 0}},
      {STR_INIT("/%4"), {NULL, 0}},
      {STR_INIT("/%4/"), {NULL, 0}},
      {STR_INIT("/%zz"), {NULL, 0}},
      {STR_INIT("/%%41"), {NULL, 0}},
      {STR_INIT("/a%2"), {NULL, 0}},
      {STR_INIT("/%u0041"), {NULL, 0}},
      {STR_INIT("/%00"), {NULL, 0}},
      {STR_INIT("/a%00.html"), {NULL, 0}},
      {STR_INIT("/a\0b"), {NULL, 0}},
      {STR_INIT("/.."), {NULL, 0}},
      {STR_INIT("/../"), {NULL, 0}},
      {STR_INIT("/../a"), {NULL, 0}},
      {STR_INIT("//.."), {NULL, 0}},
      {STR_INIT("/./.."), {NULL, 0}},
      {STR_INIT("/a/../.."), {NULL, 0}},
      {STR_INIT("/a/../../b"), {NULL, 0}},
      {STR_INIT("/a//../../b"), {NULL, 0}},
      {STR_INIT("/%2e%2e"), {NULL, 0}},
      {STR_INIT("/%2e%2e/a"), {NULL, 0}},
      {STR_INIT("/a/..%2fb"), {NULL, 0}},
      {STR_INIT("/a/..%2F"), {NULL, 0}},
      {STR_INIT("/a/%2e%2e%2fb"), {NULL, 0}},
      {STR_INIT("/a/.%2E%2Fb"), {NULL, 0}},
      {STR_INIT("/a/%2f.."), {NULL, 0}},
      {STR_INIT("/a%2f.."), {NULL, 0}},
      {STR_INIT("/a%2f../b"), {NULL, 0}},
      {STR_INIT("/a%2f..%2fb"), {NULL, 0}},
      {STR_INIT("/a%2F%2e%2e/b"), {NULL, 0}},
      {STR_INIT("/a/..%5cb"), {NULL, 0}},
      {STR_INIT("/a/%2e%2e%5Cb"), {NULL, 0}},
      {STR_INIT("/a/%5c.."), {NULL, 0}},
      {STR_INIT("/a/%5c../b"), {NULL, 0}},
      {STR_INIT("/a%5c..%5cb"), {NULL, 0}},
      {STR_INIT("/a%2f..%5cb"), {NULL, 0}},
      {STR_INIT("/a/..\\b"), {NULL, 0}},
      {STR_INIT("/a\\.."), {NULL, 0}},
      {STR_INIT("/a\\../b"), {NULL, 0}},
      {STR_INIT("/a%2fb\\..%2f"), {NULL, 0}},
  };
  for (size_t i = 0; i < COUNT(cases); i++) {
    char *scratch = malloc(cases[i].raw.n + 1); /* exact, so that a byte too many is seen */
    struct str normal = {NULL, 0};
    const bool taken = http_path_normalise(cases[i].raw, scratch, &normal);
    ck_assert_msg(taken == (cases[i].normal.p != NULL), "'%.*s': %s", STR_ARG(cases[i].raw),
                  taken ? "taken" : "refused");
    ck_assert_msg(!taken || str_eq(normal, cases[i].normal), "'%.*s' became '%.*s'",
                  STR_ARG(cases[i].raw), STR_ARG(normal));
    const bool same = taken && str_eq(normal, cases[i].raw);
    ck_assert_msg(!same || normal.p == cases[i].raw.p, "'%.*s' was copied", STR_ARG(cases[i].raw));
    free(scratch);
  }
}
END_TEST

/* Every path of up to six of these parts, a slash first, against a slow reading of the contract.
 */
static const struct str parts[] = {
    STR_INIT("/"),   STR_INIT("."),   STR_INIT("%2e"), STR_INIT("a"),
    STR_INIT("%2f"), STR_INIT("%5c"), STR_INIT("%61"),
};

/* Decoded octets, with an encoded slash and a backslash as octets that no case has otherwise. */
static size_t reference_decode(const size_t *picked, size_t count, char *ret) {
  static const char decoded[] = {'/', '.', '.', 'a', '\x01', '\x02', 'a'};
  size_t n = 0;
  for (size_t i = 0; i < count; i++) {
    const char c = decoded[picked[i]];
    if (c == '/' && n > 0 && ret[n - 1] == '/') continue;
    ret[n++] = c;
  }
  return n;
}

static bool reference_is_divider(char c) {
  return c == '\x01' || c == '\x02';
}

/* Whether a ".." between any slashes is beside an encoded one. */
static bool reference_touches(const char *p, size_t n) {
  for (size_t i = 1; i + 1 < n; i++) {
    const char before = p[i - 1];
    const char after = i + 2 < n ? p[i + 2] : '/';
    const bool alone = (before == '/' || reference_is_divider(before)) &&
                       (after == '/' || reference_is_divider(after));
    const bool touched = reference_is_divider(before) || reference_is_divider(after);
    if (p[i] == '.' && p[i + 1] == '.' && alone && touched) return true;
  }
  return false;
}

/* RFC 3986 5.2.4 over segments; false: above the root. */
static bool reference_resolve(const char *p, size_t n, char *ret, size_t *ret_n) {
  struct str segments[16];
  size_t count = 0;
  struct str rest = str_make(p + 1, n - 1);
  struct str segment;
  bool directory = false;
  while (str_split_next(&rest, '/', &segment)) {
    directory = str_eq(segment, STR(".")) || str_eq(segment, STR("..")) || segment.n == 0;
    if (str_eq(segment, STR("..")) && count-- == 0) return false;
    if (!directory) segments[count++] = segment;
  }
  *ret_n = 0;
  ret[(*ret_n)++] = '/';
  for (size_t i = 0; i < count; i++) {
    memcpy(ret + *ret_n, segments[i].p, segments[i].n);
    *ret_n += segments[i].n;
    if (i + 1 < count || directory) ret[(*ret_n)++] = '/';
  }
  return true;
}

/* The result's octets, with those that stand for an encoded slash and a backslash as they are
 * written. */
static void check_octets(struct str raw, struct str got, const char *resolved, size_t n) {
  size_t at = 0;
  for (size_t i = 0; i < n; i++) {
    struct str octet = str_make(&resolved[i], 1);
    if (resolved[i] == '\x01') octet = STR("%2F");
    if (resolved[i] == '\x02') octet = STR("\\");
    ck_assert_msg(str_starts_with(str_skip(got, at), octet), "'%.*s' became '%.*s'", STR_ARG(raw),
                  STR_ARG(got));
    at += octet.n;
  }
  ck_assert_msg(at == got.n, "'%.*s' became '%.*s'", STR_ARG(raw), STR_ARG(got));
}

/* What is a slash in a reading takes the place of one before the path is resolved. */
static bool reference_reading(const char *decoded, size_t n, bool backslash, char *ret,
                              size_t *ret_n) {
  char plain[16];
  size_t plain_n = 0;
  for (size_t i = 0; i < n; i++) {
    bool slash = decoded[i] == '/' || decoded[i] == '\x01' || (backslash && decoded[i] == '\x02');
    if (slash && plain_n > 0 && plain[plain_n - 1] == '/') continue;
    plain[plain_n++] = slash ? '/' : decoded[i];
  }
  return reference_resolve(plain, plain_n, ret, ret_n);
}

static void check_other_readings(struct str raw, const char *decoded, size_t n) {
  char scratch[128];
  char resolved[16];
  size_t resolved_n = 0;
  struct str others[HTTP_PATH_OTHERS_MAX];
  size_t count = 0;
  const bool has[] = {memchr(decoded, 1, n) != NULL, memchr(decoded, 2, n) != NULL};
  bool possible = true;
  for (size_t i = 0; i < 2; i++)
    possible &= !has[i] || reference_reading(decoded, n, i == 1, resolved, &resolved_n);
  const bool taken = http_path_other_readings(raw, scratch, others, &count);
  ck_assert_msg(taken == possible, "'%.*s': %s", STR_ARG(raw), taken ? "taken" : "refused");
  if (!taken) return;
  ck_assert_uint_eq(count, (size_t)has[0] + (size_t)has[1]);
  for (size_t i = 0, k = 0; i < 2; i++) {
    if (!has[i]) continue;
    reference_reading(decoded, n, i == 1, resolved, &resolved_n);
    check_octets(raw, others[k++], resolved, resolved_n);
  }
}

static void check_against_reference(const size_t *picked, size_t count) {
  char raw[64];
  size_t raw_n = 0;
  for (size_t i = 0; i < count; i++) {
    memcpy(raw + raw_n, parts[picked[i]].p, parts[picked[i]].n);
    raw_n += parts[picked[i]].n;
  }
  char decoded[16];
  char resolved[16];
  const size_t decoded_n = reference_decode(picked, count, decoded);
  size_t resolved_n = 0;
  const bool expected = !reference_touches(decoded, decoded_n) &&
                        reference_resolve(decoded, decoded_n, resolved, &resolved_n);
  char scratch[64];
  struct str normal;
  const bool taken = http_path_normalise(str_make(raw, raw_n), scratch, &normal);
  ck_assert_msg(taken == expected, "'%.*s': %s", (int)raw_n, raw, taken ? "taken" : "refused");
  if (!taken) return;
  check_octets(str_make(raw, raw_n), normal, resolved, resolved_n);
  check_other_readings(str_make(raw, raw_n), decoded, decoded_n);
}

START_TEST(paths_by_reference)
{
  enum { DEPTH = 6 };
  size_t picked[DEPTH] = {0}; /* the first is always the slash */
  for (size_t count = 1; count <= DEPTH; count++) {
    memset(picked, 0, sizeof(picked));
    for (size_t at = 1; at > 0;) {
      check_against_reference(picked, count);
      for (at = count - 1; at > 0; at--) { /* the next combination */
        if (++picked[at] < COUNT(parts)) break;
        picked[at] = 0;
      }
    }
  }
}
END_TEST

UNIT_MAIN("http target", authorities, authorities_refused, paths, paths_by_reference)
