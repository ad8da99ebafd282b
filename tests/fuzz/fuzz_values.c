/*
 * fuzz_values: any bytes may be read as a time, a duration, a size, an address or a network; what
 * is taken is written in one form only, and that form is read as the same value.
 */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

#include "adit/ip.h"
#include "adit/units.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void require(bool holds) {
  if (!holds) abort();
}

static void try_units(struct str s) {
  char text[64];
  int64_t ms, again;
  uint64_t bytes, same;
  if (time_parse(s, &ms) && ms >= INT64_C(-62167219200000) && ms < INT64_C(253402300800000)) {
    require(time_parse(time_format(ms, text, sizeof(text)), &again) && again == ms);
  }
  if (duration_parse(s, true, &ms)) {
    struct str shortest = duration_format(ms, text, sizeof(text));
    require(duration_parse(shortest, true, &again) && again == ms);
    require(duration_parse(s, false, &again) == (s.p[0] != '-'));
  }
  if (size_parse(s, &bytes)) {
    int n = snprintf(text, sizeof(text), "%" PRIu64 "B", bytes);
    require(size_parse(str_make(text, (size_t)n), &same) && same == bytes);
  }
}

static void try_addresses(struct str s) {
  char text[64];
  struct ip_address ip, again;
  struct ip_network network, reread;
  uint16_t port;
  if (ip_parse(s, &ip)) {
    struct str canonical = ip_format(&ip, text, sizeof(text));
    require(canonical.n < 46 && ip_parse(canonical, &again) && ip_eq(&ip, &again));
    require(ip_parse_with_port(s, &again, &port) && ip_eq(&ip, &again) && port == 0);
  }
  if (ip_network_parse(s, &network) != IP_NETWORK_MALFORMED) {
    struct str canonical = ip_network_format(&network, text, sizeof(text));
    require(ip_network_parse(canonical, &reread) == IP_NETWORK_OK);
    require(reread.bits == network.bits && ip_eq(&reread.base, &network.base));
  }
  (void)!ip_parse_with_port(s, &ip, NULL);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
  struct str s = str_make((const char *)data, size);
  try_units(s);
  try_addresses(s);
  bool valid;
  for (size_t at = 0; at < s.n;) at += str_utf8_next(s, at, &valid);
  return 0;
}
