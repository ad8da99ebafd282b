/*
 * Addresses as text. Parsers read from a cursor and give false at the first byte that does not fit:
 *
 *   take_quad      "203.0.113.7", also as the end of an IPv6 text
 *   parse_v6       groups before and after "::", then the zeros between them
 *   ip_format      RFC 5952
 *   networks       address "/" bits, over the 16 bytes
 */
#include "adit/ip.h"

static const uint8_t v4_prefix[12] = {0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xFF, 0xFF};

enum { V4_PREFIX_BITS = 96, IP_BITS = 128, IP_TEXT_MAX = 46 };

/* A number as it is written by everyone: no sign, no leading zero. */
static bool parse_canonical(struct str s, uint64_t max, uint64_t *ret) {
  if (s.n > 1 && s.p[0] == '0') return false;
  return str_to_u64(s, max, ret);
}

static bool parse_quad(struct str s, uint8_t ret[4]) {
  struct str part;
  size_t n = 0;
  if (s.n > 15) return false;
  for (struct str rest = s; str_split_next(&rest, '.', &part); n++) {
    uint64_t value;
    if (n == 4 || !parse_canonical(part, 255, &value)) return false;
    ret[n] = (uint8_t)value;
  }
  return n == 4;
}

static int hex_value(char c) {
  if (ascii_is_digit(c)) return c - '0';
  char lower = ascii_lower(c);
  return lower >= 'a' && lower <= 'f' ? lower - 'a' + 10 : -1;
}

static bool parse_group(struct str s, uint8_t ret[2]) {
  if (s.n < 1 || s.n > 4) return false;
  unsigned value = 0;
  for (size_t i = 0; i < s.n; i++) {
    int digit = hex_value(s.p[i]);
    if (digit < 0) return false;
    value = value << 4 | (unsigned)digit;
  }
  ret[0] = (uint8_t)(value >> 8);
  ret[1] = (uint8_t)value;
  return true;
}

/* Groups divided at single colons, none for the empty text; the last may be a dotted quad. */
static bool parse_groups(struct str s, bool quad_allowed, uint8_t bytes[16], size_t *ret_n) {
  struct str part;
  size_t n = 0;
  struct str rest = s.n > 0 ? s : str_make(NULL, 0);
  while (str_split_next(&rest, ':', &part)) {
    bool last = !rest.p;
    if (last && quad_allowed && n <= 12 && parse_quad(part, bytes + n)) {
      n += 4;
    } else if (n <= 14 && parse_group(part, bytes + n)) {
      n += 2;
    } else {
      return false;
    }
  }
  *ret_n = n;
  return true;
}

static size_t find_double_colon(struct str s) {
  for (size_t i = 0; i + 1 < s.n; i++) {
    if (s.p[i] == ':' && s.p[i + 1] == ':') return i;
  }
  return s.n;
}

static bool parse_v6(struct str s, uint8_t ret[16]) {
  uint8_t head[16];
  uint8_t tail[16];
  size_t n_head;
  size_t n_tail = 0;
  size_t gap = find_double_colon(s);
  if (!parse_groups(str_take(s, gap), gap == s.n, head, &n_head)) return false;
  if (gap == s.n) {
    if (n_head != 16) return false;
  } else {
    if (!parse_groups(str_skip(s, gap + 2), true, tail, &n_tail)) return false;
    if (n_head + n_tail > 14) return false;
  }
  memset(ret, 0, 16);
  memcpy(ret, head, n_head);
  memcpy(ret + 16 - n_tail, tail, n_tail);
  return true;
}

bool ip_parse(struct str s, struct ip_address *ret) {
  struct ip_address ip;
  if (s.n == 0 || s.n >= IP_TEXT_MAX) return false;
  if (str_find_char(s, ':', 0) < s.n) {
    if (!parse_v6(s, ip.bytes)) return false;
  } else {
    memcpy(ip.bytes, v4_prefix, sizeof(v4_prefix));
    if (!parse_quad(s, ip.bytes + sizeof(v4_prefix))) return false;
  }
  *ret = ip;
  return true;
}

bool ip_is_v4(const struct ip_address *ip) {
  return memcmp(ip->bytes, v4_prefix, sizeof(v4_prefix)) == 0;
}

bool ip_is_loopback(const struct ip_address *ip) {
  static const struct ip_address one = {{[15] = 1}};
  return ip_is_v4(ip) ? ip->bytes[12] == 127 : ip_eq(ip, &one);
}

static char *put_decimal(char *p, unsigned value) {
  if (value >= 100) *p++ = (char)('0' + value / 100);
  if (value >= 10) *p++ = (char)('0' + value / 10 % 10);
  *p++ = (char)('0' + value % 10);
  return p;
}

static char *put_quad(char *p, const uint8_t bytes[4]) {
  for (size_t i = 0; i < 4; i++) {
    if (i > 0) *p++ = '.';
    p = put_decimal(p, bytes[i]);
  }
  return p;
}

static char *put_group(char *p, unsigned value) {
  static const char digits[] = "0123456789abcdef";
  unsigned shift = 12;
  while (shift > 0 && value >> shift == 0) shift -= 4;
  for (;; shift -= 4) {
    *p++ = digits[value >> shift & 15];
    if (shift == 0) return p;
  }
}

static unsigned group_at(const struct ip_address *ip, size_t i) {
  return (unsigned)ip->bytes[2 * i] << 8 | ip->bytes[2 * i + 1];
}

/* The longest run of two or more zero groups, the first of equals (RFC 5952 4.2); else *ret_n 0. */
static void find_zero_run(const struct ip_address *ip, size_t *ret_start, size_t *ret_n) {
  *ret_start = 8;
  *ret_n = 0;
  size_t n = 0;
  for (size_t i = 0; i < 8; i++) {
    n = group_at(ip, i) == 0 ? n + 1 : 0;
    if (n >= 2 && n > *ret_n) {
      *ret_n = n;
      *ret_start = i + 1 - n;
    }
  }
}

static char *put_v6(char *p, const struct ip_address *ip) {
  size_t start, n;
  find_zero_run(ip, &start, &n);
  for (size_t i = 0; i < 8; i++) {
    if (n > 0 && i == start) {
      *p++ = ':';
      *p++ = ':';
      i += n - 1;
      continue;
    }
    if (i > 0 && i != start + n) *p++ = ':';
    p = put_group(p, group_at(ip, i));
  }
  return p;
}

static char *put_ip(char *p, const struct ip_address *ip) {
  return ip_is_v4(ip) ? put_quad(p, ip->bytes + 12) : put_v6(p, ip);
}

struct str ip_format(const struct ip_address *ip, char *buffer, size_t capacity) {
  char text[IP_TEXT_MAX];
  char *end = put_ip(text, ip);
  return str_copy_to(str_make(text, (size_t)(end - text)), buffer, capacity);
}

/* Clears the bits behind the first `bits`; whether any was set. */
static bool clear_host_bits(struct ip_address *ip, unsigned bits) {
  unsigned any = 0;
  for (unsigned i = 0; i < 16; i++) {
    unsigned kept = bits <= i * 8 ? 0 : bits - i * 8;
    unsigned mask = kept >= 8 ? 0 : 0xFFU >> kept;
    any |= ip->bytes[i] & mask;
    ip->bytes[i] = (uint8_t)(ip->bytes[i] & ~mask);
  }
  return any != 0;
}

enum ip_network_result ip_network_parse(struct str s, struct ip_network *ret) {
  struct ip_network network = {.bits = IP_BITS};
  size_t slash = str_find_char(s, '/', 0);
  struct str address = str_take(s, slash);
  if (!ip_parse(address, &network.base)) return IP_NETWORK_MALFORMED;
  if (slash == s.n) {
    *ret = network;
    return IP_NETWORK_OK;
  }
  bool v4_text = str_find_char(address, ':', 0) == address.n;
  unsigned before = v4_text ? V4_PREFIX_BITS : 0;
  uint64_t bits;
  if (!parse_canonical(str_skip(s, slash + 1), IP_BITS - before, &bits)) {
    return IP_NETWORK_MALFORMED;
  }
  network.bits = (uint8_t)(before + bits);
  bool host_bits = clear_host_bits(&network.base, network.bits);
  *ret = network;
  return host_bits ? IP_NETWORK_HOST_BITS : IP_NETWORK_OK;
}

bool ip_network_contains(const struct ip_network *network, const struct ip_address *ip) {
  /* "::/0" is all of IPv6; an IPv4 address is not in it only because of how it is kept. */
  if (network->bits < V4_PREFIX_BITS && ip_is_v4(ip)) return false;
  size_t bytes = network->bits / 8;
  if (memcmp(network->base.bytes, ip->bytes, bytes) != 0) return false;
  unsigned rest = network->bits % 8;
  if (rest == 0) return true;
  return ((network->base.bytes[bytes] ^ ip->bytes[bytes]) >> (8 - rest)) == 0;
}

struct str ip_network_format(const struct ip_network *network, char *buffer, size_t capacity) {
  bool v4 = network->bits >= V4_PREFIX_BITS && ip_is_v4(&network->base);
  char text[IP_TEXT_MAX + 4];
  char *p = put_ip(text, &network->base);
  *p++ = '/';
  p = put_decimal(p, v4 ? network->bits - (unsigned)V4_PREFIX_BITS : network->bits);
  return str_copy_to(str_make(text, (size_t)(p - text)), buffer, capacity);
}

static bool parse_port(struct str s, uint16_t *ret) {
  uint64_t port;
  if (!parse_canonical(s, UINT16_MAX, &port)) return false;
  *ret = (uint16_t)port;
  return true;
}

/* "[::1]" and "[::1]:80". */
static bool parse_bracketed(struct str s, struct ip_address *ret, uint16_t *ret_port) {
  size_t close = str_find_char(s, ']', 0);
  if (close == s.n) return false;
  struct str inside = str_make(s.p + 1, close - 1);
  struct str after = str_skip(s, close + 1);
  if (str_find_char(inside, ':', 0) == inside.n || !ip_parse(inside, ret)) return false;
  if (after.n == 0) return true;
  return after.p[0] == ':' && parse_port(str_skip(after, 1), ret_port);
}

bool ip_parse_with_port(struct str s, struct ip_address *ret, uint16_t *ret_port) {
  struct ip_address ip;
  uint16_t port = 0;
  if (s.n > 0 && s.p[0] == '[') {
    if (!parse_bracketed(s, &ip, &port)) return false;
  } else if (!ip_parse(s, &ip)) {
    size_t colon = str_find_char(s, ':', 0);
    if (colon == s.n || !ip_parse(str_take(s, colon), &ip)) return false;
    if (!parse_port(str_skip(s, colon + 1), &port)) return false;
  }
  *ret = ip;
  if (ret_port) *ret_port = port;
  return true;
}
