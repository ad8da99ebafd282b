/*
 * ip: addresses and networks. Pure.
 *
 * An address is kept as 16 bytes, IPv4 as ::ffff:a.b.c.d, so that an IPv4-mapped address is the
 * IPv4 address everywhere.
 */
#ifndef ADIT_IP_H
#define ADIT_IP_H

#include "adit/str.h"

struct ip_address {
  uint8_t bytes[16];
};

struct ip_network {
  struct ip_address base;
  uint8_t bits; /* prefix length over the 16 bytes: an IPv4 /24 is 120 */
};

/* Strict: dotted quad without leading zeros, or RFC 4291 text, no zone, no brackets, no port. */
bool ip_parse(struct str s, struct ip_address *ret) __attribute__((warn_unused_result));
/* "203.0.113.7" or RFC 5952 text. `buffer`: 46 bytes or more. */
struct str ip_format(const struct ip_address *ip, char *buffer, size_t capacity);
bool ip_is_v4(const struct ip_address *ip);
bool ip_is_loopback(const struct ip_address *ip);
static inline bool ip_eq(const struct ip_address *a, const struct ip_address *b) {
  return memcmp(a->bytes, b->bytes, 16) == 0;
}

enum ip_network_result { IP_NETWORK_OK, IP_NETWORK_MALFORMED, IP_NETWORK_HOST_BITS };
/* "10.0.0.0/8", "2001:db8::/32"; a bare address is one address. Host bits that are set are an error
 * of their own, *ret then holds the network that was probably meant. */
enum ip_network_result ip_network_parse(struct str s, struct ip_network *ret)
    __attribute__((warn_unused_result));
/* An IPv6 network (shorter than /96) holds no IPv4 address: not even "::/0". */
bool ip_network_contains(const struct ip_network *network, const struct ip_address *ip);
/* Always with its prefix length: "10.1.2.3/32". `buffer`: 50 bytes or more. */
struct str ip_network_format(const struct ip_network *network, char *buffer, size_t capacity);

/*
 * One element of X-Forwarded-For, or an endpoint's address: "1.2.3.4", "1.2.3.4:80", "::1",
 * "[::1]", "[::1]:80". *ret_port (may be NULL) is 0 when none is given, and for a
 * port that is 0.
 */
bool ip_parse_with_port(struct str s, struct ip_address *ret, uint16_t *ret_port)
    __attribute__((warn_unused_result));

#endif
