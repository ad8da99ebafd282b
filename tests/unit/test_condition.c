/*
 * Conditions: what each operator says of each type, one table for each; and what is around them:
 * files of values, segments, buckets, bounds, and memory that fails.
 */
#include <unistd.h>

#include "adit/hash.h"
#include "condition_bench.h"

/* ---- operators ------------------------------------------------------------------------------- */

struct ask {
  const char *when;
  const char *request;
  const char *expected;
};

static void ask_all(const struct ask *asks, size_t n) {
  struct bench bench;
  bench_init(&bench);
  for (size_t i = 0; i < n; i++) {
    bench_begin(&bench);
    bench_rule(&bench, asks[i].when);
    const char *result = bench_ask(&bench, asks[i].request);
    ck_assert_msg(strcmp(result, asks[i].expected) == 0, "%s of [%s]: %s, expected %s",
                  asks[i].when, asks[i].request, result, asks[i].expected);
  }
  bench_deinit(&bench);
}

START_TEST(strings_are_compared_as_they_are)
{
  static const struct ask asks[] = {
      {"{ 'region': 'cn' }", "X-Region: cn", "matched"},
      {"{ 'region': 'cn' }", "X-Region: CN", "unmatched"},
      {"{ 'region': 'cn' }", "X-Region: cn2", "unmatched"},
      {"{ 'region': 'cn' }", "", "unknown"},
      {"{ 'region': '' }", "X-Region:", "matched"},
      {"{ 'region': { 'eq': 'cn' } }", "X-Region: cn", "matched"},
      {"{ 'region': { 'ne': 'cn' } }", "X-Region: cn", "unmatched"},
      {"{ 'region': { 'ne': 'cn' } }", "X-Region: us", "matched"},
      {"{ 'region': { 'ne': 'cn' } }", "", "unknown"},
      {"{ 'region': ['cn', 'us'] }", "X-Region: us", "matched"},
      {"{ 'region': ['cn', 'us'] }", "X-Region: de", "unmatched"},
      {"{ 'region': ['cn'] }", "X-Region: cn", "matched"},
      {"{ 'region': ['cn', 'cn', 'us'] }", "X-Region: us", "matched"},
      {"{ 'region': ['cn', 'cn'] }", "X-Region: us", "unmatched"},
      {"{ 'region': { 'in': ['cn', 'us'] } }", "X-Region: cn", "matched"},
      {"{ 'region': { 'not_in': ['cn', 'us'] } }", "X-Region: cn", "unmatched"},
      {"{ 'region': { 'not_in': ['cn', 'us'] } }", "X-Region: de", "matched"},
      {"{ 'region': { 'not_in': ['cn'] } }", "X-Region: cn", "unmatched"},
      {"{ 'region': { 'not_in': ['cn', 'us'] } }", "", "unknown"},
      {"{ 'region': { 'starts_with': 'cn-' } }", "X-Region: cn-east", "matched"},
      {"{ 'region': { 'starts_with': 'CN-' } }", "X-Region: cn-east", "unmatched"},
      {"{ 'region': { 'starts_with': ['us-', 'cn-'] } }", "X-Region: cn-east", "matched"},
      {"{ 'region': { 'ends_with': 'east' } }", "X-Region: cn-east", "matched"},
      {"{ 'region': { 'ends_with': ['west', 'north'] } }", "X-Region: cn-east", "unmatched"},
      {"{ 'region': { 'contains': '-e' } }", "X-Region: cn-east", "matched"},
      {"{ 'region': { 'contains': ['x', 'y'] } }", "X-Region: cn-east", "unmatched"},
      {"{ 'region': { 'starts_with': 'CN', 'ignore_case': true } }", "X-Region: cn-e", "matched"},
      {"{ 'region': { 'starts_with': 'CN', 'ignore_case': false } }", "X-Region: cn-e",
       "unmatched"},
      {"{ 'region': { 'ends_with': 'EaSt', 'ignore_case': true } }", "X-Region: cn-eAst",
       "matched"},
      {"{ 'region': { 'contains': 'N-E', 'ignore_case': true } }", "X-Region: cn-east", "matched"},
      {"{ 'region': { 'starts_with': '\u00c4', 'ignore_case': true } }", "X-Region: \xc3\xa4",
       "unmatched"},
      {"{ 'region': { 'eq': 'cn', 'starts_with': 'C', 'ignore_case': true } }", "X-Region: cn",
       "matched"},
      {"{ 'region': { 'eq': 'CN', 'starts_with': 'C', 'ignore_case': true } }", "X-Region: cn",
       "unmatched"},
      {"{ 'host': 'shop.example.com' }", "", "matched"},
      {"{ 'method': ['GET', 'HEAD'] }", ":method HEAD", "matched"},
      {"{ 'scheme': 'https' }", "", "unmatched"},
      {"{ 'header.x-a': 'b' }", "X-A: b", "matched"},
      {"{ 'header.X-A': 'b' }", "x-a: b", "matched"},
      {"{ 'cookie.theme': 'dark' }", "Cookie: a=b; theme=dark", "matched"},
      {"{ 'query.v': '2' }", ":query v=2", "matched"},
      {"{ 'query.V': '2' }", ":query v=2", "unknown"},
  };
  ask_all(asks, COUNT(asks));
}
END_TEST

START_TEST(patterns_are_searched_for)
{
  static const struct ask asks[] = {
      {"{ 'region': { 'matches': 'n-(e|w)' } }", "X-Region: cn-east", "matched"},
      {"{ 'region': { 'matches': '^n' } }", "X-Region: cn-east", "unmatched"},
      {"{ 'region': { 'matches': ['^n', 't$'] } }", "X-Region: cn-east", "matched"},
      {"{ 'region': { 'matches': 'EAST' } }", "X-Region: cn-east", "unmatched"},
      {"{ 'region': { 'matches': '(?i)EAST' } }", "X-Region: cn-east", "matched"},
      {"{ 'region': { 'matches': 'EAST', 'ignore_case': true } }", "X-Region: cn-east", "matched"},
      {"{ 'region': { 'matches': 'X|EAST', 'ignore_case': true } }", "X-Region: cn-east",
       "matched"},
      {"{ 'region': { 'matches': 'EAST|X', 'ignore_case': true } }", "X-Region: cn-east",
       "matched"},
      {"{ 'region': { 'matches': '(*ANYCRLF)(*FAIL)|EAST', 'ignore_case': true } }",
       "X-Region: cn-east", "matched"},
      {"{ 'region': { 'matches': ['X', '^CN'], 'ignore_case': true } }", "X-Region: cn", "matched"},
      {"{ 'region': { 'matches': '' } }", "X-Region: cn", "matched"},
      {"{ 'region': { 'matches': 'a' } }", "", "unknown"},
  };
  ask_all(asks, COUNT(asks));
}
END_TEST

START_TEST(paths_are_prefixes_on_borders)
{
  static const struct ask asks[] = {
      {"{ 'path': { 'under': '/api' } }", ":path /api", "matched"},
      {"{ 'path': { 'under': '/api' } }", ":path /api/", "matched"},
      {"{ 'path': { 'under': '/api' } }", ":path /api/v1", "matched"},
      {"{ 'path': { 'under': '/api' } }", ":path /apix", "unmatched"},
      {"{ 'path': { 'under': '/api' } }", ":path /ap", "unmatched"},
      {"{ 'path': { 'under': '/api' } }", ":path /API/v1", "unmatched"},
      {"{ 'path': { 'under': '/api/' } }", ":path /api", "matched"},
      {"{ 'path': { 'under': '/api/' } }", ":path /api/x", "matched"},
      {"{ 'path': { 'under': '/api/' } }", ":path /apix", "unmatched"},
      {"{ 'path': { 'under': '/' } }", ":path /", "matched"},
      {"{ 'path': { 'under': '/' } }", ":path /x", "matched"},
      {"{ 'path': { 'under': ['/a', '/b'] } }", ":path /b/c", "matched"},
      {"{ 'path': { 'under': ['/a', '/b'] } }", ":path /c", "unmatched"},
      {"{ 'path': { 'starts_with': '/api' } }", ":path /apix", "matched"},
      {"{ 'path': '/api' }", ":path /api/", "unmatched"},
  };
  ask_all(asks, COUNT(asks));
}
END_TEST

START_TEST(numbers_and_bools_are_values)
{
  static const struct ask asks[] = {
      {"{ 'score': 7 }", "X-Score: 7", "matched"},
      {"{ 'score': 7 }", "X-Score: 7.0", "matched"},
      {"{ 'score': 7 }", "X-Score: 70e-1", "matched"},
      {"{ 'score': 7 }", "X-Score: +7", "unknown"},
      {"{ 'score': 7 }", "X-Score: 07", "unknown"},
      {"{ 'score': 7 }", "X-Score:", "unknown"},
      {"{ 'score': -0 }", "X-Score: 0", "matched"},
      {"{ 'score': { 'ne': 7 } }", "X-Score: 8", "matched"},
      {"{ 'score': { 'gt': 7 } }", "X-Score: 7", "unmatched"},
      {"{ 'score': { 'gt': 7 } }", "X-Score: 7.5", "matched"},
      {"{ 'score': { 'gte': 7 } }", "X-Score: 7", "matched"},
      {"{ 'score': { 'gte': 7 } }", "X-Score: 6.9", "unmatched"},
      {"{ 'score': { 'lt': 7 } }", "X-Score: 7", "unmatched"},
      {"{ 'score': { 'lt': 7 } }", "X-Score: -8", "matched"},
      {"{ 'score': { 'lte': 7 } }", "X-Score: 7", "matched"},
      {"{ 'score': { 'lte': 7 } }", "X-Score: 7.1", "unmatched"},
      {"{ 'score': { 'between': [1, 7] } }", "X-Score: 1", "matched"},
      {"{ 'score': { 'between': [1, 7] } }", "X-Score: 7", "unmatched"},
      {"{ 'score': { 'between': [1, 7] } }", "X-Score: 0.5", "unmatched"},
      {"{ 'score': { 'gte': 1, 'lt': 7 } }", "X-Score: 3", "matched"},
      {"{ 'score': { 'gte': 1, 'lt': 7 } }", "X-Score: 9", "unmatched"},
      {"{ 'score': [9, -1, 3, 3, 1e2] }", "X-Score: 100", "matched"},
      {"{ 'score': [9, -1, 3, 3, 1e2] }", "X-Score: -1", "matched"},
      {"{ 'score': [9, -1, 3, 3, 1e2] }", "X-Score: 4", "unmatched"},
      {"{ 'score': [3, 3.0] }", "X-Score: 3", "matched"},
      {"{ 'score': { 'not_in': [9, -1, 3] } }", "X-Score: 4", "matched"},
      {"{ 'score': { 'not_in': [9, -1, 3] } }", "X-Score: 9", "unmatched"},
      {"{ 'beta': true }", "X-Beta: true", "matched"},
      {"{ 'beta': true }", "X-Beta: false", "unmatched"},
      {"{ 'beta': true }", "X-Beta: True", "unknown"},
      {"{ 'beta': { 'ne': true } }", "X-Beta: false", "matched"},
      {"{ 'beta': [true, false] }", "X-Beta: false", "matched"},
  };
  ask_all(asks, COUNT(asks));
}
END_TEST

START_TEST(times_are_points_however_written)
{
  static const struct ask asks[] = {
      {"{ 'joined': '2026-01-01' }", "X-Joined: 1767225600", "matched"},
      {"{ 'joined': 1767225600 }", "X-Joined: 2026-01-01T08:00:00+08:00", "matched"},
      {"{ 'joined': 1767225600000 }", "X-Joined: 2026-01-01", "matched"},
      {"{ 'joined': '1767225600' }", "X-Joined: 2026-01-01t00:00:00z", "matched"},
      {"{ 'joined': { 'after': '2026-01-01' } }", "X-Joined: 2026-01-01", "unmatched"},
      {"{ 'joined': { 'after': '2026-01-01' } }", "X-Joined: 2026-01-01T00:00:00.001Z", "matched"},
      {"{ 'joined': { 'before': '2026-01-01' } }", "X-Joined: 2026-01-01", "unmatched"},
      {"{ 'joined': { 'before': '2026-01-01' } }", "X-Joined: 2025-12-31", "matched"},
      {"{ 'joined': { 'gte': '2026-01-01' } }", "X-Joined: 2026-01-01", "matched"},
      {"{ 'joined': { 'lt': '2026-01-01' } }", "X-Joined: 2026-01-01", "unmatched"},
      {"{ 'joined': { 'between': ['2026-01-01', '2026-02-01'] } }", "X-Joined: 2026-01-15",
       "matched"},
      {"{ 'joined': { 'between': ['2026-01-01', 1769904000] } }", "X-Joined: 2026-02-01",
       "unmatched"},
      {"{ 'joined': ['2026-01-01', '2026-01-02'] }", "X-Joined: 2026-01-02", "matched"},
      {"{ 'joined': { 'after': '2026-01-01' } }", "X-Joined: soon", "unknown"},
      {"{ 'now': { 'after': '2026-11-22T09:59:59Z' } }", "", "matched"},
      {"{ 'now': { 'before': '2026-11-22T10:00:00Z' } }", "", "unmatched"},
      {"{ 'joined.age': { 'lt': '7d' } }", "X-Joined: 2026-11-20", "matched"},
      {"{ 'joined.age': { 'lt': '7d' } }", "X-Joined: 2026-11-01", "unmatched"},
      {"{ 'joined.age': '10h' }", "X-Joined: 2026-11-22", "matched"},
      {"{ 'joined.age': ['1h', '600m'] }", "X-Joined: 2026-11-22", "matched"},
      {"{ 'joined.age': { 'between': ['-1d', '0s'] } }", "X-Joined: 2026-11-22T20:00:00Z",
       "matched"},
      {"{ 'joined.age': { 'gt': '7d' } }", "", "unknown"},
  };
  ask_all(asks, COUNT(asks));
}
END_TEST

START_TEST(versions_have_an_order)
{
  static const struct ask asks[] = {
      {"{ 'app': '1.2' }", "X-App: 1.2.0", "matched"},
      {"{ 'app': '1.2' }", "X-App: v1.2", "matched"},
      {"{ 'app': { 'gte': '1.9' } }", "X-App: 1.10", "matched"},
      {"{ 'app': { 'lt': '1.10.0' } }", "X-App: 1.10.0-rc.1", "matched"},
      {"{ 'app': ['2', '1.10', '1.9'] }", "X-App: 1.9.0.0", "matched"},
      {"{ 'app': ['1.0', '1', '1.0.0'] }", "X-App: v1", "matched"},
      {"{ 'app': ['2', '1.10', '1.9'] }", "X-App: 1.1", "unmatched"},
      {"{ 'app': { 'between': ['1.9', '1.10'] } }", "X-App: 1.9.99", "matched"},
      {"{ 'app': { 'gt': '1' } }", "X-App: one", "unknown"},
      {"{ 'lib': { 'lt': '1.0.0' } }", "X-Lib: 1.0.0-alpha", "matched"},
      {"{ 'lib': '1.0.0' }", "X-Lib: 1.0.0+build.7", "matched"},
      {"{ 'lib': ['1.0.0+a', '1.0.0+b', '2.0.0'] }", "X-Lib: 1.0.0+c", "matched"},
      {"{ 'lib': '1.0.0' }", "X-Lib: 1.0", "unknown"},
  };
  ask_all(asks, COUNT(asks));
}
END_TEST

START_TEST(addresses_are_in_networks)
{
  static const struct ask asks[] = {
      {"{ 'client_ip': '10.1.2.3' }", ":ip 10.1.2.3", "matched"},
      {"{ 'client_ip': '::ffff:10.1.2.3' }", ":ip 10.1.2.3", "matched"},
      {"{ 'client_ip': ['::1', '10.1.2.3', '10.1.2.4'] }", ":ip 10.1.2.4", "matched"},
      {"{ 'client_ip': { 'ne': '10.1.2.3' } }", ":ip 10.1.2.3", "unmatched"},
      {"{ 'client_ip': { 'not_in': ['10.1.2.3', '::1'] } }", ":ip ::2", "matched"},
      {"{ 'client_ip': { 'in_cidr': '10.1.0.0/16' } }", ":ip 10.1.255.255", "matched"},
      {"{ 'client_ip': { 'in_cidr': '10.1.0.0/16' } }", ":ip 10.2.0.0", "unmatched"},
      {"{ 'client_ip': { 'in_cidr': ['192.0.2.1', '2001:db8::/32'] } }", ":ip 2001:db8::7",
       "matched"},
      {"{ 'client_ip': { 'in_cidr': '192.0.2.1' } }", ":ip 192.0.2.1", "matched"},
      {"{ 'client_ip': { 'in_cidr': '192.0.2.1' } }", ":ip 192.0.2.0", "unmatched"},
      {"{ 'client_ip': { 'in_cidr': '0.0.0.0/0' } }", ":ip 2001:db8::7", "unmatched"},
      {"{ 'client_ip': { 'in_cidr': '::/0' } }", ":ip 1.2.3.4", "unmatched"},
      {"{ 'peer': { 'in_cidr': '10.0.0.0/8' } }", "X-Peer: 10.9.9.9", "matched"},
      {"{ 'peer': '2001:DB8::1' }", "X-Peer: 2001:db8:0:0::1", "matched"},
      {"{ 'peer': '10.9.9.9' }", "X-Peer: 10.9.9", "unknown"},
  };
  ask_all(asks, COUNT(asks));
}
END_TEST

START_TEST(of_several_values_one_holds_or_all)
{
  static const struct ask asks[] = {
      {"{ 'header.x-a': 'b' }", "X-A: a\nX-A: b", "matched"},
      {"{ 'header.x-a': ['c', 'b'] }", "X-A: a\nX-A: b", "matched"},
      {"{ 'header.x-a': { 'ne': 'b' } }", "X-A: a\nX-A: b", "unmatched"},
      {"{ 'header.x-a': { 'ne': 'c' } }", "X-A: a\nX-A: b", "matched"},
      {"{ 'header.x-a': { 'not_in': ['b', 'c'] } }", "X-A: a\nX-A: b", "unmatched"},
      {"{ 'header.x-a': { 'not_in': ['c', 'd'] } }", "X-A: a\nX-A: b", "matched"},
      {"{ 'header.x-a': { 'matches': '^b' } }", "X-A: a\nX-A: b", "matched"},
      /* Each operator is a condition of its own: one value is above 1, another below 3. */
      {"{ 'score': { 'gt': 4, 'lt': 2 } }", "X-Score: 1\nX-Score: 5", "matched"},
      {"{ 'score': { 'between': [2, 4] } }", "X-Score: 1\nX-Score: 5", "unmatched"},
      {"{ 'score': { 'gt': 0 } }", "X-Score: 1\nX-Score: five", "unknown"},
      {"{ 'langs': 'en' }", "X-Langs: de, en ,fr", "matched"},
      {"{ 'langs': 'EN' }", "X-Langs: de, en ,fr", "unmatched"},
      {"{ 'langs': { 'ne': 'en' } }", "X-Langs: de,en", "unmatched"},
      {"{ 'langs': { 'ne': 'fr' } }", "X-Langs: de,en", "matched"},
      {"{ 'langs': { 'starts_with': 'e' } }", "X-Langs: de,en", "matched"},
      {"{ 'langs': ['fr', 'en'] }", "X-Langs: de,en", "matched"},
      {"{ 'langs': { 'exists': false } }", "X-Langs: ,, ,", "matched"},
      {"{ 'header.x-langs': 'en' }", "X-Langs: de,en", "unmatched"},
      /* A trusted header that is repeated is missing. */
      {"{ 'region': 'cn' }", "X-Region: cn\nX-Region: cn", "unknown"},
      {"{ 'query.q': ['b'] }", ":query q=a&q=b", "matched"},
  };
  ask_all(asks, COUNT(asks));
}
END_TEST

START_TEST(a_missing_attribute_is_unknown_unless_said)
{
  static const struct ask asks[] = {
      {"{ 'region': { 'exists': true } }", "X-Region: cn", "matched"},
      {"{ 'region': { 'exists': true } }", "X-Region:", "matched"},
      {"{ 'region': { 'exists': true } }", "", "unmatched"},
      {"{ 'region': { 'exists': false } }", "", "matched"},
      {"{ 'region': { 'exists': false } }", "X-Region: cn", "unmatched"},
      {"{ 'region': { 'exists': true } }", ":untrusted\nX-Region: cn", "unmatched"},
      {"{ 'score': { 'exists': true } }", "X-Score: many", "unmatched"},
      {"{ 'region': { 'eq': 'cn', 'missing': true } }", "", "matched"},
      {"{ 'region': { 'eq': 'cn', 'missing': false } }", "", "unmatched"},
      {"{ 'region': { 'missing': true, 'ne': 'cn' } }", "", "matched"},
      {"{ 'region': { 'eq': 'cn', 'missing': true } }", "X-Region: us", "unmatched"},
      {"{ 'region': { 'exists': true, 'missing': true } }", "", "unmatched"},
      {"{ 'region': { 'starts_with': 'a', 'ends_with': 'b', 'missing': true } }", "", "matched"},
      {"{ 'not': { 'region': { 'eq': 'cn', 'missing': false } } }", "", "matched"},
      {"{ 'not': { 'region': 'cn' } }", "", "unknown"},
      {"{ 'region': 'cn', 'method': 'GET' }", "", "unknown"},
      {"{ 'region': 'cn', 'method': 'PUT' }", "", "unmatched"},
      {"{ 'any': [{ 'region': 'cn' }, { 'method': 'GET' }] }", "", "matched"},
      {"{ 'any': [{ 'region': 'cn' }, { 'method': 'PUT' }] }", "", "unknown"},
      {"{ 'all': [{ 'method': 'GET' }, { 'region': 'cn' }] }", "", "unknown"},
      {"{ 'all': [{ 'method': 'GET' }, { 'any': [{ 'path': '/' }] }] }", "", "matched"},
      {"{ 'not': { 'any': [{ 'region': 'cn' }, { 'method': 'GET' }] } }", "", "unmatched"},
      {"{ 'not': { 'all': [{ 'region': 'cn' }, { 'method': 'PUT' }] } }", "", "matched"},
      {"{ 'region': 'cn' }", ":untrusted\nX-Region: cn", "unknown"},
  };
  ask_all(asks, COUNT(asks));
}
END_TEST

/* ---- buckets --------------------------------------------------------------------------------- */

START_TEST(buckets_are_murmur3_of_salt_and_key)
{
  static const struct {
    const char *salt, *key;
    unsigned bucket;
  } cases[] = {
      {"shop", "u-17", 3769},
      {"shop", "u-18", 2332},
      {"shop", "", 954},
      {"", "u-17", 3951},
      {"spring", "u-17", 2485},
      {"shop",
       "\xc3\xbcn\xc3\xaf"
       "code",
       7325},
  };
  for (size_t i = 0; i < COUNT(cases); i++) {
    unsigned bucket = rules_bucket(str_from_cstr(cases[i].salt), str_from_cstr(cases[i].key));
    ck_assert_msg(bucket == cases[i].bucket, "%s:%s: %u", cases[i].salt, cases[i].key, bucket);
  }
  /* However the parts are cut, the hash is that of all bytes. */
  const struct str text = STR("abcdefghijkl");
  for (size_t a = 0; a <= text.n; a++) {
    for (size_t b = a; b <= text.n; b++) {
      const struct str parts[] = {str_take(text, a), str_skip(str_take(text, b), a),
                                  str_skip(text, b)};
      ck_assert_uint_eq(murmur3_x86_32_parts(parts, 3, 7), murmur3_x86_32(text.p, text.n, 7));
    }
  }
}
END_TEST

START_TEST(shares_are_of_the_attribute_s_own_bucket)
{
  static const struct ask asks[] = {
      {"{ 'user.id': { 'bucket_in': [37.69, 37.7] } }", "X-User-Id: u-17", "matched"},
      {"{ 'user.id': { 'bucket_in': [0, 37.69] } }", "X-User-Id: u-17", "unmatched"},
      {"{ 'user.id': { 'bucket_in': [37.7, 100] } }", "X-User-Id: u-17", "unmatched"},
      {"{ 'user.id': { 'bucket_in': [0, 100] } }", "X-User-Id: anyone", "matched"},
      {"{ 'user.id': { 'bucket_in': [24.85, 24.86], 'salt': 'spring' } }", "X-User-Id: u-17",
       "matched"},
      {"{ 'user.id': { 'bucket_in': [37.69, 37.7], 'salt': 'spring' } }", "X-User-Id: u-17",
       "unmatched"},
      {"{ 'user.id': { 'bucket_in': [39.51, 39.52], 'salt': '' } }", "X-User-Id: u-17", "matched"},
      {"{ 'user.id': { 'bucket_in': [0, 50] } }", "", "unknown"},
      {"{ 'header.x-a': { 'bucket_in': [23.32, 23.33] } }", "X-A: u-17\nX-A: u-18", "matched"},
      {"{ 'langs': { 'bucket_in': [23.32, 23.33] } }", "X-Langs: u-17,u-18", "matched"},
  };
  ask_all(asks, COUNT(asks));
}
END_TEST

START_TEST(percentages_have_two_decimals)
{
  static const struct {
    const char *raw;
    unsigned buckets; /* BUCKETS + 1: refused */
  } cases[] = {{"0", 0},          {"100", 10000},    {"0.01", 1},      {"33.33", 3333},
               {"1e1", 1000},     {"99.990", 9999},  {"0.29", 29},     {"57.0", 5700},
               {"-0", 0},         {"100.01", 10001}, {"-0.01", 10001}, {"0.001", 10001},
               {"33.333", 10001}, {"1e3", 10001},    {"", 10001},      {"05", 10001},
               {"true", 10001},   {"\"5\"", 10001}};
  for (size_t i = 0; i < COUNT(cases); i++) {
    unsigned buckets = BUCKETS + 1;
    bool ok = percent_parse(str_from_cstr(cases[i].raw), &buckets);
    ck_assert_msg(ok == (cases[i].buckets <= BUCKETS) && buckets == cases[i].buckets, "%s: %u",
                  cases[i].raw, buckets);
  }
  for (unsigned b = 0; b <= BUCKETS; b++) {
    char raw[16];
    unsigned buckets;
    (void)snprintf(raw, sizeof(raw), "%u.%02u", b / 100, b % 100);
    ck_assert_msg(percent_parse(str_from_cstr(raw), &buckets) && buckets == b, "%s", raw);
  }
}
END_TEST

/* ---- files of values ------------------------------------------------------------------------- */

struct folder {
  char path[64];
  char file[96];
};

static void folder_init(struct folder *folder, const char *content, size_t n) {
  (void)snprintf(folder->path, sizeof(folder->path), "/tmp/adit-condition-XXXXXX");
  ck_assert_ptr_nonnull(mkdtemp(folder->path));
  (void)snprintf(folder->file, sizeof(folder->file), "%s/v.txt", folder->path);
  FILE *file = fopen(folder->file, "wb");
  ck_assert_ptr_nonnull(file);
  ck_assert_uint_eq(fwrite(content, 1, n, file), n);
  ck_assert_int_eq(fclose(file), 0);
}

static void folder_deinit(const struct folder *folder) {
  ck_assert_int_eq(unlink(folder->file), 0);
  ck_assert_int_eq(rmdir(folder->path), 0);
}

START_TEST(files_hold_a_value_a_line)
{
  static const struct {
    const char *content, *when, *request, *expected;
  } cases[] = {
      {"u-1\nu-2\n", "{ 'user.id': { 'in_file': 'v.txt' } }", "X-User-Id: u-2", "matched"},
      {"u-1\nu-2", "{ 'user.id': { 'in_file': 'v.txt' } }", "X-User-Id: u-2", "matched"},
      {"u-1\nu-2\n", "{ 'user.id': { 'in_file': 'v.txt' } }", "X-User-Id: u-3", "unmatched"},
      {"u-1\nu-2\n", "{ 'user.id': { 'in_file': 'v.txt' } }", "", "unknown"},
      {"u-1\n", "{ 'user.id': { 'in_file': 'v.txt', 'missing': true } }", "", "matched"},
      {"\r\n \tu-1 \r\n\r\nu-2\r\n", "{ 'user.id': { 'in_file': 'v.txt' } }", "X-User-Id: u-1",
       "matched"},
      {"# u-1\n  # u-1\nu-2 # u-1\n", "{ 'user.id': { 'in_file': 'v.txt' } }", "X-User-Id: u-1",
       "unmatched"},
      {"u-2 # u-1\nx\n", "{ 'user.id': { 'in_file': 'v.txt' } }", "X-User-Id: u-2 # u-1",
       "matched"},
      {"\n\n", "{ 'user.id': { 'in_file': 'v.txt' } }", "X-User-Id:", "unmatched"},
      {"", "{ 'score': { 'in_file': 'v.txt' } }", "X-Score: 1", "unmatched"},
      {"", "{ 'user.id': { 'in_file': 'v.txt' } }", "", "unknown"},
      {"a\na\nb\n", "{ 'user.id': { 'in_file': 'v.txt' } }", "X-User-Id: b", "matched"},
      {"\xEF\xBB\xBFu-1\nu-2\n", "{ 'user.id': { 'in_file': 'v.txt' } }", "X-User-Id: u-1",
       "matched"},
      {"7\n1e2\n-3.5\n", "{ 'score': { 'in_file': 'v.txt' } }", "X-Score: 100", "matched"},
      {"7\n1e2\n-3.5\n", "{ 'score': { 'in_file': 'v.txt' } }", "X-Score: 8", "unmatched"},
      {"1.10\n1.9\n", "{ 'app': { 'in_file': 'v.txt' } }", "X-App: v1.9.0", "matched"},
      {"2026-01-01\n1767312000\n", "{ 'joined': { 'in_file': 'v.txt' } }", "X-Joined: 2026-01-02",
       "matched"},
      {"10.0.0.1\n::1\n", "{ 'client_ip': { 'in_file': 'v.txt' } }", ":ip ::1", "matched"},
      {"en\n", "{ 'langs': { 'in_file': 'v.txt' } }", "X-Langs: de,en", "matched"},
      {"true\n", "{ 'beta': { 'in_file': 'v.txt' } }", "X-Beta: true", "matched"},
      {"7d\n", "{ 'joined.age': { 'in_file': 'v.txt' } }", "X-Joined: 2026-11-15T10:00:00Z",
       "matched"},
      /* One file, read as two types and twice as one. */
      {"7\n8\n",
       "{ 'score': { 'in_file': 'v.txt' }, 'region': { 'in_file': 'v.txt' },"
       "  'user.id': { 'in_file': 'v.txt' } }",
       "X-Score: 7.0\nX-Region: 8\nX-User-Id: 7", "matched"},
  };
  struct bench bench;
  bench_init(&bench);
  for (size_t i = 0; i < COUNT(cases); i++) {
    struct folder folder;
    folder_init(&folder, cases[i].content, strlen(cases[i].content));
    bench.directory = folder.path;
    bench_begin(&bench);
    bench_rule(&bench, cases[i].when);
    const char *result = bench_ask(&bench, cases[i].request);
    ck_assert_msg(strcmp(result, cases[i].expected) == 0, "%zu %s of [%s]: %s, expected %s", i,
                  cases[i].when, cases[i].request, result, cases[i].expected);
    size_t warnings = cases[i].content[strspn(cases[i].content, "\n")] == '\0' ? 1 : 0;
    ck_assert_uint_eq(diags_count(bench.diags, DIAG_WARNING), warnings);
    folder_deinit(&folder);
  }
  bench_deinit(&bench);
}
END_TEST

START_TEST(files_have_limits_and_are_not_quoted)
{
  struct folder folder;
  struct bench bench;
  struct text text;
  enum { LINES = VALUE_FILE_VALUES_MAX + 1 };
  char *lines = malloc(LINES * 2);
  ck_assert_ptr_nonnull(lines);
  for (size_t i = 0; i < LINES; i++) memcpy(lines + 2 * i, "7\n", 2);
  bench_init(&bench);
  text_init(&text, 1 << 16);

  folder_init(&folder, lines, LINES * 2);
  bench.directory = folder.path;
  ck_assert_ptr_null(bench_compile(&bench, "{ 'score': { 'in_file': 'v.txt' } }"));
  diags_format(bench.diags, &text);
  ck_assert_ptr_nonnull(strstr(text.p, "has more than 1000000 values"));
  folder_deinit(&folder);

  folder_init(&folder, lines, (LINES - 1) * 2);
  bench_begin(&bench);
  bench_rule(&bench, "{ 'score': { 'in_file': 'v.txt' } }");
  ck_assert_str_eq(bench_ask(&bench, "X-Score: 7"), "matched");
  folder_deinit(&folder);

  folder_init(&folder, "1\nsecret\n", 9);
  bench_begin(&bench);
  ck_assert_ptr_null(bench_compile(&bench, "{ 'score': { 'in_file': 'v.txt' } }"));
  text_clear(&text);
  diags_format(bench.diags, &text);
  ck_assert_ptr_nonnull(strstr(text.p, "/v.txt:2:1: error: rule 'r': "));
  ck_assert_ptr_null(strstr(text.p, "secret"));
  folder_deinit(&folder);

  text_deinit(&text);
  bench_deinit(&bench);
  free(lines);
}
END_TEST

/* ---- segments -------------------------------------------------------------------------------- */

START_TEST(segments_are_named_conditions)
{
  static const char file[] =
      "{ 'east': { 'region': ['cn', 'jp'] }, 'new': { 'joined': { 'after': '2026-01-01' } },"
      "  'new-east': { 'segment': 'east', 'all': [{ 'segment': 'new' }] },"
      "  'old': { 'not': { 'segment': 'new' } }, 'unused': { 'header.x-unused': 'a' } }";
  static const char gateway[] =
      "{ 'staff': { 'client_ip': { 'in_cidr': '10.1.0.0/16' } },"
      "  'hq': { 'segment': 'staff', 'region': 'hq' } }";
  static const struct ask asks[] = {
      {"{ 'segment': 'east' }", "X-Region: jp", "matched"},
      {"{ 'segment': 'east' }", "X-Region: de", "unmatched"},
      {"{ 'segment': 'east' }", "", "unknown"},
      {"{ 'segment': 'new-east' }", "X-Region: jp\nX-Joined: 2026-02-01", "matched"},
      {"{ 'segment': 'new-east' }", "X-Region: jp\nX-Joined: 2025-02-01", "unmatched"},
      {"{ 'segment': 'old', 'region': 'cn' }", "X-Region: cn\nX-Joined: 2025-02-01", "matched"},
      {"{ 'segment': 'staff' }", ":ip 10.1.2.3", "matched"},
      {"{ 'segment': 'hq' }", ":ip 10.1.2.3\nX-Region: hq", "matched"},
      {"{ 'any': [{ 'segment': 'old' }, { 'segment': 'hq' }] }", ":ip 10.1.2.3\nX-Region: hq",
       "matched"},
  };
  struct bench bench;
  bench_init(&bench);
  for (size_t i = 0; i < COUNT(asks); i++) {
    bench_begin(&bench);
    bench_segments(&bench, file, gateway);
    bench_rule(&bench, asks[i].when);
    size_t slots = attr_table_size(bench.table);
    ck_assert(segments_compile_all(&bench.compiler));
    ck_assert_uint_eq(attr_table_size(bench.table), slots);
    const char *result = bench_ask(&bench, asks[i].request);
    ck_assert_msg(strcmp(result, asks[i].expected) == 0, "%s of [%s]: %s, expected %s",
                  asks[i].when, asks[i].request, result, asks[i].expected);
  }
  bench_deinit(&bench);
}
END_TEST

START_TEST(gateway_segments_see_only_each_other)
{
  static const struct {
    const char *gateway;
    const char *message; /* NULL: it is fine */
  } cases[] = {
      {NULL, NULL},
      {"{}", NULL},
      {"{ 'a': { 'segment': 'b' }, 'b': { 'region': 'cn' } }", NULL},
      {"{ 'a': { 'segment': 'mine' } }", "segment 'a': unknown segment 'mine'"},
      {"{ 'a': { 'segment': 'b' }, 'b': { 'segment': 'a' } }",
       "segment 'b': segment leads to itself: a -> b -> a"},
      {"{ 'a': { 'regoin': 'cn' } }", "segment 'a': unknown attribute 'regoin'"},
      {"{ 'a b': { 'region': 'cn' } }", "bad name for a segment: 'a b'"},
      {"[]", "'segments' must be an object"},
  };
  struct bench bench;
  bench_init(&bench);
  for (size_t i = 0; i < COUNT(cases); i++) {
    bench_begin(&bench);
    bench_segments(&bench, "{ 'mine': { 'region': 'cn' } }", cases[i].gateway);
    struct rules_environment environment = {.catalog = bench.catalog,
                                            .segments = bench.gateway_segments};
    bool ok = rules_check_segments(&environment, bench.diags);
    ck_assert_msg(ok == (cases[i].message == NULL), "%s", cases[i].gateway);
    ck_assert_uint_eq(diags_count(bench.diags, DIAG_ERROR), ok ? 0 : 1);
    if (ok) continue;
    const char *message = diags_get(bench.diags, 0)->message;
    ck_assert_msg(strstr(message, cases[i].message) == message, "%s", message);
  }
  bench_deinit(&bench);
}
END_TEST

START_TEST(files_of_gateway_segments_are_beside_adit_json)
{
  struct folder folder, other;
  struct bench bench;
  folder_init(&folder, "u-1\n", 4);
  folder_init(&other, "u-2\n", 4);
  bench_init(&bench);
  bench.directory = folder.path;
  bench_segments(&bench, "{ 'mine': { 'user.id': { 'in_file': 'v.txt' } } }", NULL);
  bench.directory = other.path;
  bench_segments(&bench, NULL, "{ 'theirs': { 'user.id': { 'in_file': 'v.txt' } } }");
  bench.directory = folder.path;
  bench_rule(&bench,
             "{ 'any': [{ 'segment': 'theirs', 'region': 'cn' },"
             "          { 'segment': 'mine', 'region': 'us' }] }");
  ck_assert_str_eq(bench_ask(&bench, "X-Region: us\nX-User-Id: u-1"), "matched");
  ck_assert_str_eq(bench_ask(&bench, "X-Region: cn\nX-User-Id: u-2"), "matched");
  ck_assert_str_eq(bench_ask(&bench, "X-Region: us\nX-User-Id: u-2"), "unmatched");
  bench_deinit(&bench);
  folder_deinit(&folder);
  folder_deinit(&other);
}
END_TEST

START_TEST(one_mistake_in_a_segment_is_told_once)
{
  struct bench bench;
  bench_init(&bench);
  bench_segments(&bench, "{ 'a': { 'regoin': 'cn' }, 'b': { 'segment': 'a' } }", NULL);
  ck_assert_ptr_null(bench_compile(&bench, "{ 'segment': 'a' }"));
  ck_assert_ptr_null(bench_compile(&bench, "{ 'segment': 'b' }"));
  ck_assert(!segments_compile_all(&bench.compiler));
  ck_assert_uint_eq(diags_count(bench.diags, DIAG_ERROR), 1);
  bench_deinit(&bench);
}
END_TEST

/* ---- memory ---------------------------------------------------------------------------------- */

/* At every limit compiling either works or gives NULL with an error. */
START_TEST(compiling_survives_every_limit_of_memory)
{
  static const char segments[] = "{ 's': { 'region': { 'starts_with': ['a', 'b'] } } }";
  static const char when[] =
      "{ 'region': ['a', 'b'], 'score': { 'between': [1, 2], 'in': [1, 2, 3] },"
      "  'any': [{ 'segment': 's' }, { 'not': { 'path': { 'under': '/a' } } },"
      "          { 'region': { 'matches': ['a', 'b'], 'ignore_case': true } }],"
      "  'client_ip': { 'in_cidr': ['10.0.0.0/8'] }, 'user.id': { 'bucket_in': [0, 10] } }";
  struct bench bench;
  bench_init(&bench);
  bench_segments(&bench, segments, NULL);
  const struct json_doc *doc = bench_parse(&bench, when);
  bool done = false;
  for (size_t limit = 0; !done; limit += 16) {
    struct arena *arena = arena_new(limit);
    struct attr_table *table = arena ? attr_table_new(arena, bench.catalog) : NULL;
    if (table) {
      struct diags *diags = diags_new();
      struct condition_compiler compiler = *bench_compiler(&bench);
      compiler.arena = arena;
      compiler.table = table;
      compiler.doc = doc;
      compiler.diags = diags;
      done = condition_compile(&compiler, json_root(doc), NULL, "rule 'r'") != NULL;
      ck_assert_msg(done || diags_count(diags, DIAG_ERROR) > 0, "limit %zu", limit);
      diags_free(&diags);
    }
    arena_free(&arena);
    ck_assert_uint_lt(limit, 1 << 20);
  }
  bench_deinit(&bench);
}
END_TEST

UNIT_MAIN("condition", strings_are_compared_as_they_are, patterns_are_searched_for,
          paths_are_prefixes_on_borders, numbers_and_bools_are_values,
          times_are_points_however_written, versions_have_an_order, addresses_are_in_networks,
          of_several_values_one_holds_or_all, a_missing_attribute_is_unknown_unless_said,
          buckets_are_murmur3_of_salt_and_key, shares_are_of_the_attribute_s_own_bucket,
          percentages_have_two_decimals, files_hold_a_value_a_line,
          files_have_limits_and_are_not_quoted, segments_are_named_conditions,
          gateway_segments_see_only_each_other, files_of_gateway_segments_are_beside_adit_json,
          one_mistake_in_a_segment_is_told_once, compiling_survives_every_limit_of_memory)
