/* Addresses and networks; the C library's inet_pton and inet_ntop are the judges of random texts.
 */
#include <arpa/inet.h>
#include <stdio.h>

#include "adit/ip.h"
#include "unit.h"

START_TEST(addresses)
{
  static const struct {
    const char *text, *canonical;
    bool v4, loopback;
  } cases[] = {
      {"0.0.0.0", NULL, true, false},
      {"203.0.113.7", NULL, true, false},
      {"255.255.255.255", NULL, true, false},
      {"127.0.0.1", NULL, true, true},
      {"127.255.0.9", NULL, true, true},
      {"126.0.0.1", NULL, true, false},
      {"128.0.0.1", NULL, true, false},
      {"::", NULL, false, false},
      {"::1", NULL, false, true},
      {"::2", NULL, false, false},
      {"1::1", NULL, false, false},
      {"0:0:0:0:0:0:0:1", "::1", false, true},
      {"::7f00:1", NULL, false, false},
      {"::127.0.0.1", "::7f00:1", false, false},
      {"::ffff:127.0.0.1", "127.0.0.1", true, true},
      {"::FFFF:7F00:1", "127.0.0.1", true, true},
      {"0:0:0:0:0:ffff:203.0.113.7", "203.0.113.7", true, false},
      {"::ffff:0:0", "0.0.0.0", true, false},
      {"::fffe:1.2.3.4", "::fffe:102:304", false, false},
      {"2001:DB8::A", "2001:db8::a", false, false},
      {"2001:0db8:0000:0000:0000:0000:0002:0001", "2001:db8::2:1", false, false},
      /* RFC 5952: not one group, the longest run, the first of equals, either end. */
      {"2001:db8:0:1:1:1:1:1", NULL, false, false},
      {"2001:db8::1:1:1:1:1", "2001:db8:0:1:1:1:1:1", false, false},
      {"2001:0:0:1:0:0:0:1", "2001:0:0:1::1", false, false},
      {"2001:db8:0:0:1:0:0:1", "2001:db8::1:0:0:1", false, false},
      {"0:0:1:2:3:4:5:6", "::1:2:3:4:5:6", false, false},
      {"1:2:3:4:5:6:0:0", "1:2:3:4:5:6::", false, false},
      {"1:2:3:4:5:6:7::", "1:2:3:4:5:6:7:0", false, false},
      {"::2:3:4:5:6:7:8", "0:2:3:4:5:6:7:8", false, false},
      {"1:0:0:0:0:0:0:0", "1::", false, false},
      {"ffff:ffff:ffff:ffff:ffff:ffff:255.255.255.255", "ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff",
       false, false},
      {"64:ff9b::192.0.2.33", "64:ff9b::c000:221", false, false},
      {"fe80::1", NULL, false, false},
      {"1:20:300:4000:5:60:700:8000", NULL, false, false},
  };
  for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
    const char *text = cases[i].text;
    struct ip_address ip;
    char buffer[46];
    ck_assert_msg(ip_parse(str_from_cstr(text), &ip), "%s", text);
    ck_assert_view_eq(ip_format(&ip, buffer, sizeof(buffer)),
                      cases[i].canonical ? cases[i].canonical : text);
    ck_assert_msg(ip_is_v4(&ip) == cases[i].v4, "%s", text);
    ck_assert_msg(ip_is_loopback(&ip) == cases[i].loopback, "%s", text);
    struct ip_address again;
    ck_assert(ip_parse(str_from_cstr(buffer), &again));
    ck_assert(ip_eq(&ip, &again));
  }
}
END_TEST

START_TEST(addresses_refused)
{
  static const char *const cases[] = {
      "",
      " ",
      ".",
      ":",
      "1",
      "1.2.3",
      "1.2.3.",
      ".1.2.3",
      "1..2.3",
      "1.2.3.4.",
      "1.2.3.4.5",
      "1.2.3.256",
      "1.2.3.1000",
      "01.2.3.4",
      "1.2.3.04",
      "1.2.3.00",
      "0x1.2.3.4",
      "1.2.3.4 ",
      " 1.2.3.4",
      "1.2.3.a",
      "+1.2.3.4",
      "-1.2.3.4",
      "1.2.3.4/8",
      "1.2.3.4:80",
      "16909060",
      ":::",
      "::::",
      "1::2::3",
      "::1::",
      "1:",
      ":1",
      ":1:2:3:4:5:6:7",
      "1:2:3:4:5:6:7:",
      "1:2:3:4:5:6:7",
      "1:2:3:4:5:6:7:8:9",
      "1:2:3:4:5:6:7:8::",
      "::1:2:3:4:5:6:7:8",
      "1:2:3:4::5:6:7:8",
      ":::1",
      "1:::2",
      "::12345",
      "::00001",
      "::g",
      "::-1",
      ":: 1",
      "::1 ",
      " ::1",
      "[::1]",
      "::1%eth0",
      "fe80::1%1",
      "::1.2.3",
      "::1.2.3.256",
      "::01.2.3.4",
      "::1.2.3.4:5",
      "1.2.3.4::",
      "1:2:3:4:5:6:7:1.2.3.4",
      "1:2:3:4:5:1.2.3.4",
      "::1:2:3:4:5:6:1.2.3.4",
      "1.2.3.4:1::",
      "::ffff:1.2.3.4.5",
      "::/0",
      "localhost",
      "1:2:3:4:5:6:7:8888888888888888888888888888888888888",
  };
  for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
    struct ip_address ip;
    memset(&ip, 0x5A, sizeof(ip));
    struct ip_address before = ip;
    ck_assert_msg(!ip_parse(str_from_cstr(cases[i]), &ip), "'%s' was taken", cases[i]);
    ck_assert_msg(ip_eq(&ip, &before), "'%s' was written", cases[i]);
  }
  struct ip_address ip;
  ck_assert(!ip_parse(STR("1.2.3.4\0"), &ip));
  ck_assert(!ip_parse(STR("::1\0"), &ip));
  ck_assert(!ip_parse(str_make(NULL, 0), &ip));
}
END_TEST

static uint32_t next_random(uint32_t *state) {
  *state = *state * UINT32_C(1664525) + UINT32_C(1013904223);
  return *state >> 16;
}

/* Bytes of the address by the C library, IPv4 mapped; false when it refuses the text. */
static bool judge(const char *text, uint8_t bytes[16]) {
  static const uint8_t mapped[12] = {[10] = 0xFF, [11] = 0xFF};
  memcpy(bytes, mapped, sizeof(mapped));
  return inet_pton(AF_INET, text, bytes + 12) == 1 || inet_pton(AF_INET6, text, bytes) == 1;
}

START_TEST(random_texts_as_the_library_reads_them)
{
  static const char alphabet[] = "::::::....0011259afF";
  uint32_t random = 1;
  unsigned accepted = 0;
  for (unsigned round = 0; round < 400000; round++) {
    char text[24];
    size_t n = 2 + next_random(&random) % 18;
    for (size_t i = 0; i < n; i++) {
      text[i] = alphabet[next_random(&random) % (sizeof(alphabet) - 1)];
    }
    text[n] = '\0';
    uint8_t expected[16];
    struct ip_address ip;
    bool ok = judge(text, expected);
    bool same = ip_parse(str_make(text, n), &ip) == ok;
    if (!same || (ok && memcmp(ip.bytes, expected, 16) != 0)) ck_abort_msg("'%s'", text);
    accepted += ok;
  }
  ck_assert_uint_gt(accepted, 1000);
}
END_TEST

START_TEST(random_addresses_as_the_library_writes_them)
{
  uint32_t random = 7;
  for (unsigned round = 0; round < 100000; round++) {
    struct ip_address ip;
    for (size_t i = 0; i < 16; i++) {
      /* Many zero groups and short ones. */
      bool zero = (round >> (i / 2) & 1) != 0 || (i % 2 == 0 && next_random(&random) % 2 == 0);
      ip.bytes[i] = zero ? 0 : (uint8_t)next_random(&random);
    }
    /* Of "::a.b.c.d" RFC 5952 says nothing, and the library writes a quad. */
    static const uint8_t zeros[12];
    if (memcmp(ip.bytes, zeros, sizeof(zeros)) == 0) continue;
    char expected[INET6_ADDRSTRLEN];
    char buffer[46];
    bool v4 = ip_is_v4(&ip);
    (void)inet_ntop(v4 ? AF_INET : AF_INET6, ip.bytes + (v4 ? 12 : 0), expected, sizeof(expected));
    struct str text = ip_format(&ip, buffer, sizeof(buffer));
    if (!str_eq(text, str_from_cstr(expected))) ck_abort_msg("'%s', not '%s'", buffer, expected);
    struct ip_address again;
    if (!ip_parse(text, &again) || !ip_eq(&ip, &again)) ck_abort_msg("'%s'", buffer);
  }
}
END_TEST

START_TEST(networks)
{
  static const struct {
    const char *text;
    enum ip_network_result result;
    unsigned bits;
    const char *canonical;
  } cases[] = {
      {"10.0.0.0/8", IP_NETWORK_OK, 104, "10.0.0.0/8"},
      {"0.0.0.0/0", IP_NETWORK_OK, 96, "0.0.0.0/0"},
      {"1.2.3.4", IP_NETWORK_OK, 128, "1.2.3.4/32"},
      {"1.2.3.4/32", IP_NETWORK_OK, 128, "1.2.3.4/32"},
      {"1.2.3.4/31", IP_NETWORK_OK, 127, "1.2.3.4/31"},
      {"1.2.3.5/31", IP_NETWORK_HOST_BITS, 127, "1.2.3.4/31"},
      {"10.1.2.3/8", IP_NETWORK_HOST_BITS, 104, "10.0.0.0/8"},
      {"192.168.255.0/20", IP_NETWORK_HOST_BITS, 116, "192.168.240.0/20"},
      {"::ffff:10.0.0.0/104", IP_NETWORK_OK, 104, "10.0.0.0/8"},
      {"::ffff:0:0/96", IP_NETWORK_OK, 96, "0.0.0.0/0"},
      {"::ffff:10.0.0.1", IP_NETWORK_OK, 128, "10.0.0.1/32"},
      {"::ffff:10.0.0.1/104", IP_NETWORK_HOST_BITS, 104, "10.0.0.0/8"},
      {"::ffff:0:0/95", IP_NETWORK_HOST_BITS, 95, "::fffe:0:0/95"},
      {"::/0", IP_NETWORK_OK, 0, "::/0"},
      {"::1", IP_NETWORK_OK, 128, "::1/128"},
      {"2001:db8::/32", IP_NETWORK_OK, 32, "2001:db8::/32"},
      {"2001:DB8:0::/33", IP_NETWORK_OK, 33, "2001:db8::/33"},
      {"2001:db8::1/64", IP_NETWORK_HOST_BITS, 64, "2001:db8::/64"},
      {"fe80::/10", IP_NETWORK_OK, 10, "fe80::/10"},
      {"ff80::/9", IP_NETWORK_OK, 9, "ff80::/9"},
      {"ffc0::/9", IP_NETWORK_HOST_BITS, 9, "ff80::/9"},
      {"8000::/0", IP_NETWORK_HOST_BITS, 0, "::/0"},
      {"10.0.0.0/33", IP_NETWORK_MALFORMED, 0, NULL},
      {"::/129", IP_NETWORK_MALFORMED, 0, NULL},
      {"10.0.0.0/", IP_NETWORK_MALFORMED, 0, NULL},
      {"10.0.0.0/08", IP_NETWORK_MALFORMED, 0, NULL},
      {"10.0.0.0/00", IP_NETWORK_MALFORMED, 0, NULL},
      {"10.0.0.0/+8", IP_NETWORK_MALFORMED, 0, NULL},
      {"10.0.0.0/-1", IP_NETWORK_MALFORMED, 0, NULL},
      {"10.0.0.0/ 8", IP_NETWORK_MALFORMED, 0, NULL},
      {"10.0.0.0 /8", IP_NETWORK_MALFORMED, 0, NULL},
      {"10.0.0.0/8/8", IP_NETWORK_MALFORMED, 0, NULL},
      {"10.0.0.0/255.0.0.0", IP_NETWORK_MALFORMED, 0, NULL},
      {"10.0.0.0/4294967304", IP_NETWORK_MALFORMED, 0, NULL},
      {"10/8", IP_NETWORK_MALFORMED, 0, NULL},
      {"10.0.0/24", IP_NETWORK_MALFORMED, 0, NULL},
      {"/8", IP_NETWORK_MALFORMED, 0, NULL},
      {"", IP_NETWORK_MALFORMED, 0, NULL},
      {"[::]/0", IP_NETWORK_MALFORMED, 0, NULL},
  };
  for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
    struct ip_network network;
    char buffer[50];
    const char *text = cases[i].text;
    ck_assert_msg(ip_network_parse(str_from_cstr(text), &network) == cases[i].result, "%s", text);
    if (cases[i].result == IP_NETWORK_MALFORMED) continue;
    ck_assert_msg(network.bits == cases[i].bits, "%s: %u bits", text, network.bits);
    ck_assert_view_eq(ip_network_format(&network, buffer, sizeof(buffer)), cases[i].canonical);
    ck_assert(ip_network_parse(str_from_cstr(buffer), &network) == IP_NETWORK_OK);
  }
}
END_TEST

START_TEST(network_contains)
{
  static const struct {
    const char *network, *ip;
    bool expected;
  } cases[] = {
      {"10.0.0.0/8", "10.0.0.0", true},
      {"10.0.0.0/8", "10.255.255.255", true},
      {"10.0.0.0/8", "11.0.0.0", false},
      {"10.0.0.0/8", "9.255.255.255", false},
      {"10.0.0.0/8", "::ffff:10.1.2.3", true},
      {"10.0.0.0/8", "::a00:1", false},
      {"::ffff:10.0.0.0/104", "10.1.2.3", true},
      {"192.168.240.0/20", "192.168.255.255", true},
      {"192.168.240.0/20", "192.168.239.255", false},
      {"0.0.0.0/0", "255.0.255.0", true},
      {"0.0.0.0/0", "::1", false},
      {"0.0.0.0/0", "::", false},
      {"1.2.3.4", "1.2.3.4", true},
      {"1.2.3.4", "1.2.3.5", false},
      {"1.2.3.4/31", "1.2.3.5", true},
      {"1.2.3.4/31", "1.2.3.6", false},
      {"::/0", "::1", true},
      {"::/0", "ffff::", true},
      {"::/0", "10.0.0.1", false},
      {"::/1", "::ffff:10.0.0.1", false},
      {"::/80", "10.0.0.1", false},
      {"::/80", "::fffe:1", true},
      {"::fffe:0:0/95", "10.0.0.1", false},
      {"::1", "::1", true},
      {"::1", "::2", false},
      {"::1", "127.0.0.1", false},
      {"2001:db8::/33", "2001:db8:7fff::1", true},
      {"2001:db8::/33", "2001:db8:8000::1", false},
  };
  for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
    struct ip_network network;
    struct ip_address ip;
    ck_assert(ip_network_parse(str_from_cstr(cases[i].network), &network) == IP_NETWORK_OK);
    ck_assert(ip_parse(str_from_cstr(cases[i].ip), &ip));
    ck_assert_msg(ip_network_contains(&network, &ip) == cases[i].expected, "%s in %s", cases[i].ip,
                  cases[i].network);
  }
}
END_TEST

/* One flipped bit: inside the prefix it leads out, behind it it stays in. */
START_TEST(network_borders)
{
  for (unsigned bits = 0; bits <= 128; bits++) {
    char text[64];
    struct ip_network network;
    snprintf(text, sizeof(text), "aaaa:5555:aaaa:5555:aaaa:5555:aaaa:5555/%u", bits);
    ck_assert(ip_network_parse(str_from_cstr(text), &network) != IP_NETWORK_MALFORMED);
    for (unsigned flipped = 0; flipped < 128; flipped++) {
      struct ip_address ip = network.base;
      ip.bytes[flipped / 8] = (uint8_t)(ip.bytes[flipped / 8] ^ (0x80U >> flipped % 8));
      bool expected = flipped >= bits;
      if (ip_network_contains(&network, &ip) != expected) ck_abort_msg("bit %u, %s", flipped, text);
    }
  }
}
END_TEST

START_TEST(with_port)
{
  static const struct {
    const char *text, *ip;
    unsigned port;
  } cases[] = {
      {"1.2.3.4", "1.2.3.4", 0},
      {"1.2.3.4:80", "1.2.3.4", 80},
      {"1.2.3.4:0", "1.2.3.4", 0},
      {"1.2.3.4:65535", "1.2.3.4", 65535},
      {"::1", "::1", 0},
      {"[::1]", "::1", 0},
      {"[::1]:80", "::1", 80},
      {"1::80", "1::80", 0},
      {"[::ffff:1.2.3.4]:8080", "1.2.3.4", 8080},
      {"::ffff:1.2.3.4", "1.2.3.4", 0},
      {"1.2.3.4:", NULL, 0},
      {"1.2.3.4:65536", NULL, 0},
      {"1.2.3.4:080", NULL, 0},
      {"1.2.3.4:-1", NULL, 0},
      {"1.2.3.4:80:80", NULL, 0},
      {"1.2.3.4:http", NULL, 0},
      {"1.2.3.4 :80", NULL, 0},
      {":80", NULL, 0},
      {"[1.2.3.4]", NULL, 0},
      {"[1.2.3.4]:80", NULL, 0},
      {"[::1", NULL, 0},
      {"[]", NULL, 0},
      {"[", NULL, 0},
      {"[]:80", NULL, 0},
      {"::1]:80", NULL, 0},
      {"[::1]80", NULL, 0},
      {"[::1]:", NULL, 0},
      {"[::1]:65536", NULL, 0},
      {"[::1] :80", NULL, 0},
      {"[[::1]]", NULL, 0},
      {"[::1%eth0]:80", NULL, 0},
      {"::1:80:", NULL, 0},
      {"1:2:3:4:5:6:7:8:80", NULL, 0},
      {"unknown", NULL, 0},
      {"_hidden:80", NULL, 0},
      {"", NULL, 0},
  };
  for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
    struct str text = str_from_cstr(cases[i].text);
    struct ip_address ip;
    uint16_t port = 4711;
    bool ok = cases[i].ip != NULL;
    ck_assert_msg(ip_parse_with_port(text, &ip, &port) == ok, "'%s'", cases[i].text);
    ck_assert_msg(port == (ok ? cases[i].port : 4711), "'%s': %u", cases[i].text, port);
    if (!ok) continue;
    char buffer[46];
    ck_assert_view_eq(ip_format(&ip, buffer, sizeof(buffer)), cases[i].ip);
    ck_assert(ip_parse_with_port(text, &ip, NULL));
  }
}
END_TEST

UNIT_MAIN("base_ip", addresses, addresses_refused, random_texts_as_the_library_reads_them,
          random_addresses_as_the_library_writes_them, networks, network_contains, network_borders,
          with_port)
