/* peers: connections counted for each address, against a plain list. */
#include "gateway/peers.h"

#include <stdlib.h>

#include "unit.h"

static struct ip_address ip(const char *text) {
  struct ip_address address;
  ck_assert_msg(ip_parse(str_from_cstr(text), &address), "%s", text);
  return address;
}

START_TEST(limits)
{
  struct peers *peers = peers_new(8);
  struct ip_address a = ip("192.0.2.1"), b = ip("192.0.2.2");
  ck_assert(peers_add(peers, &a, 2) && peers_add(peers, &a, 2));
  ck_assert(!peers_add(peers, &a, 2));
  ck_assert(peers_add(peers, &b, 2));
  ck_assert(peers_add(peers, &a, 3)); /* a reload allows more */
  ck_assert(!peers_add(peers, &a, 1));
  for (int i = 0; i < 3; i++) peers_remove(peers, &a);
  ck_assert(peers_add(peers, &a, 1) && !peers_add(peers, &a, 1));
  peers_free(&peers);
}
END_TEST

/* An IPv6 /64 is one; IPv4 addresses, mapped ones too, are themselves. */
START_TEST(networks)
{
  static const struct {
    const char *a, *b;
    bool same;
  } cases[] = {
      {"2001:db8:1:2::1", "2001:db8:1:2:ffff:ffff:ffff:ffff", true},
      {"2001:db8:1:2::1", "2001:db8:1:3::1", false},
      {"192.0.2.1", "::ffff:192.0.2.1", true},
      {"192.0.2.1", "192.0.2.129", false},
      {"::1", "192.0.2.1", false},
      {"10.0.0.1", "11.0.0.1", false},
  };
  for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
    struct peers *peers = peers_new(4);
    struct ip_address a = ip(cases[i].a), b = ip(cases[i].b);
    ck_assert(peers_add(peers, &a, 1));
    ck_assert_msg(peers_add(peers, &b, 1) == !cases[i].same, "%s %s", cases[i].a, cases[i].b);
    peers_free(&peers);
  }
}
END_TEST

/* As full as it may be, with connections that come and go in any order: every count stays right
 * while entries move up into gaps. */
START_TEST(comes_and_goes)
{
  enum { ROOM = 64, ADDRESSES = 96, STEPS = 200000, LIMIT = 3 };
  struct peers *peers = peers_new(ROOM);
  unsigned counts[ADDRESSES] = {0}, all = 0;
  unsigned seed = 1;
  for (unsigned step = 0; step < STEPS; step++) {
    seed = seed * 1103515245u + 12345u;
    unsigned which = (seed >> 8) % ADDRESSES;
    bool comes = (seed >> 24 & 1) != 0;
    struct ip_address address = {.bytes = {[10] = 0xff, [11] = 0xff, [12] = 10}};
    address.bytes[15] = (uint8_t)which;
    if (comes && all < ROOM) {
      bool added = peers_add(peers, &address, LIMIT);
      ck_assert_msg(added == (counts[which] < LIMIT), "step %u: %u has %u", step, which,
                    counts[which]);
      counts[which] += added;
      all += added;
    } else if (!comes && counts[which] > 0) {
      peers_remove(peers, &address);
      counts[which]--;
      all--;
    }
  }
  peers_free(&peers);
}
END_TEST

UNIT_MAIN("gateway peers", limits, networks, comes_and_goes)
