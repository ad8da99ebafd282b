/* How far a value lies outside of what is not ordered: networks, paths, shares, values of a file.
 */
#include "adit/conditions.h"
#include "adit/hash.h"
#include "adit/text.h"
#include "cli/explanation.h"

enum { IPV4_PREFIX_BITS = 96, ADDRESS_BITS = 128 };

/* ---- networks -------------------------------------------------------------------------------- */

static bool is_ipv4(const uint8_t *bytes) {
  static const uint8_t mapped[12] = {[10] = 0xff, [11] = 0xff};
  return memcmp(bytes, mapped, sizeof(mapped)) == 0;
}

/* How many leading bits of the network's prefix the address has. */
static unsigned shared_bits(const struct ip_network *network, const struct ip_address *ip) {
  unsigned bits = 0;
  while (bits < network->bits) {
    unsigned mask = 0x80u >> bits % 8;
    if ((network->base.bytes[bits / 8] ^ ip->bytes[bits / 8]) & mask) break;
    bits++;
  }
  return bits;
}

/* The network that shares most bits with the address; NULL: none shares half of its own. */
static const struct ip_network *nearest_network(const struct leaf *leaf,
                                                const struct ip_address *ip) {
  const unsigned from = is_ipv4(ip->bytes) ? IPV4_PREFIX_BITS : 0;
  const struct ip_network *nearest = NULL;
  unsigned most = from;
  for (size_t i = 0; i < leaf->n; i++) {
    const struct ip_network *network = &leaf->with.networks[i];
    if (is_ipv4(network->base.bytes) != is_ipv4(ip->bytes)) continue;
    unsigned bits = shared_bits(network, ip);
    if (bits <= most || 2 * (bits - from) < network->bits - from) continue;
    most = bits;
    nearest = network;
  }
  return nearest;
}

static void add_networks(const struct leaf *leaf, const struct ip_address *ip, struct text *out) {
  char buffer[64];
  const unsigned from = is_ipv4(ip->bytes) ? IPV4_PREFIX_BITS : 0;
  if (leaf->n == 0) return;
  if (leaf->n > 1) text_printf(out, ": outside all %zu networks", leaf->n);
  if (leaf->n == 1)
    text_printf(out, ": outside %.*s",
                STR_ARG(ip_network_format(&leaf->with.networks[0], buffer, sizeof(buffer))));
  const struct ip_network *nearest = nearest_network(leaf, ip);
  if (!nearest) return;
  text_add(out, STR(", "));
  if (leaf->n > 1) {
    struct str name = ip_network_format(nearest, buffer, sizeof(buffer));
    text_printf(out, "nearest %.*s, ", STR_ARG(name));
  }
  text_printf(out, "alike in the first %u of %u bits", shared_bits(nearest, ip) - from,
              nearest->bits - from);
}

/* ---- paths and shares ------------------------------------------------------------------------ */

static void add_path(const struct leaf *leaf, struct str path, struct text *out) {
  for (size_t i = 0; i < leaf->n; i++) {
    struct str prefix = leaf->with.texts[i];
    if (str_starts_with(path, prefix)) {
      text_add(out, STR(": begins with it, but not as a whole segment"));
      return;
    }
    if (str_starts_with_nocase(path, prefix)) {
      text_add(out, STR(": only the case of letters differs from "));
      text_add_json(out, prefix);
      return;
    }
  }
}

static void add_share(const struct leaf *leaf, struct str value, struct text *out) {
  unsigned bucket = rules_bucket(leaf->with.share.salt, value);
  text_printf(out, ": bucket %u is not in [%u, %u)", bucket, leaf->with.share.from,
              leaf->with.share.to);
}

/* ---- one of several, none of several --------------------------------------------------------- */

static void add_count(const struct leaf *leaf, struct text *out) {
  size_t n = leaf->test == TEST_STRING_IN ? str_set_size(leaf->with.strings) : leaf->n;
  text_printf(out, ": none of the file's %zu value%s", n, n == 1 ? "" : "s");
}

void explanation_format_outside(const struct leaf *leaf, const struct attr_datum *value,
                                struct text *out) {
  switch (leaf->test) {
    case TEST_IN_CIDR:
      add_networks(leaf, &value->as.ip, out);
      break;
    case TEST_UNDER:
      add_path(leaf, value->text, out);
      break;
    case TEST_BUCKET_IN:
      add_share(leaf, value->text, out);
      break;
    case TEST_MATCHES:
      if (leaf->n > 1) text_printf(out, ": none of %zu patterns matches", leaf->n);
      break;
    case TEST_STRING_EQUAL:
    case TEST_STRING_IN:
    case TEST_COMPARE:
    case TEST_IN:
      if (strcmp(leaf->op, "in_file") == 0) add_count(leaf, out);
      break;
    case TEST_EXISTS:
    case TEST_BETWEEN:
    case TEST_STARTS_WITH:
    case TEST_ENDS_WITH:
    case TEST_CONTAINS:
      break;
  }
}

void explanation_format_excluded(const struct leaf *leaf, const struct attr_value *value,
                                 struct text *out) {
  if (value->n == 1 && leaf->n == 1 && leaf->test != TEST_STRING_IN) return; /* plain to see */
  for (size_t i = 0; i < value->n; i++) {
    if (!leaf_holds_for(leaf, &value->data[i])) continue;
    text_add(out, STR(": "));
    text_add_json(out, value->data[i].text);
    text_add(out, STR(" is excluded"));
    return;
  }
}

/* ---- several values -------------------------------------------------------------------------- */

const struct attr_datum *explanation_nearest_value(const struct leaf *leaf,
                                                   const struct attr_value *value) {
  const struct attr_datum *nearest = &value->data[0];
  if (!attr_type_is_ordered(leaf->type) ||
      (leaf->test != TEST_COMPARE && leaf->test != TEST_BETWEEN))
    return value->n == 1 ? nearest : NULL;
  const struct attr_datum *bound = &leaf->with.data[0];
  /* The highest of those below the bound, else the lowest of those that are not. */
  for (size_t i = 1; i < value->n; i++) {
    const struct attr_datum *datum = &value->data[i];
    bool below = attr_datum_compare(leaf->type, datum, bound) < 0;
    bool nearest_below = attr_datum_compare(leaf->type, nearest, bound) < 0;
    int order = attr_datum_compare(leaf->type, datum, nearest);
    if (below == nearest_below ? (below ? order > 0 : order < 0) : below) nearest = datum;
  }
  return nearest;
}
