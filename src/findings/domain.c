#include "domain.h"

#include <math.h>
#include <stdlib.h>

#include "adit/hash.h"
#include "adit/regex.h"
#include "adit/zone.h"

enum { SECOND_MS = 1000, DAY_MS = SECONDS_OF_DAY * SECOND_MS };

/* ---- bits ------------------------------------------------------------------------------------ */

void bits_set_range(uint64_t *words, size_t from, size_t to) {
  for (; from < to && from % 64 != 0; from++) bit_set(words, from);
  for (; from + 64 <= to; from += 64) words[from / 64] = ~UINT64_C(0);
  for (; from < to; from++) bit_set(words, from);
}

/* ---- bounds ---------------------------------------------------------------------------------- */

struct bounds {
  VEC(struct attr_datum) list;
};

struct builder {
  struct arena *arena;
  struct domains *domains;
  const struct attr_table *table;
  struct bounds *bounds; /* by slot */
  size_t leaves_left;
  VEC(const struct leaf *) leaves;
};

static bool add_bound(struct builder *builder, uint16_t slot, struct attr_datum datum) {
  return VEC_PUSH(builder->arena, &builder->bounds[slot].list, datum);
}

static bool add_text(struct builder *builder, uint16_t slot, struct str text) {
  return add_bound(builder, slot, (struct attr_datum){.text = text});
}

/* The least string that is greater than all that begin with `prefix`; absent: there is none. */
static bool prefix_end(struct arena *arena, struct str prefix, struct str *ret) {
  size_t n = prefix.n;
  while (n > 0 && (unsigned char)prefix.p[n - 1] == 0xFF) n--;
  *ret = (struct str){0};
  if (n == 0) return true;
  struct str end = arena_dup(arena, str_take(prefix, n));
  if (!end.p) return false;
  ((char *)(uintptr_t)end.p)[n - 1]++;
  *ret = end;
  return true;
}

static bool add_prefix(struct builder *builder, uint16_t slot, struct str prefix) {
  struct str end;
  if (!prefix_end(builder->arena, prefix, &end) || !add_text(builder, slot, prefix)) return false;
  return !end.p || add_text(builder, slot, end);
}

static struct ip_address last_address(const struct ip_network *network) {
  struct ip_address last = network->base;
  for (size_t bit = network->bits; bit < 128; bit++)
    last.bytes[bit / 8] |= (uint8_t)(0x80 >> (bit % 8));
  return last;
}

static struct attr_datum ip_datum(struct ip_address ip) {
  return (struct attr_datum){.text = STR_INIT(""), .as.ip = ip};
}

static const struct ip_network v4_network = {.base = {.bytes = {[10] = 0xFF, [11] = 0xFF}},
                                             .bits = 96};

static bool add_network(struct builder *builder, uint16_t slot, const struct ip_network *network) {
  return add_bound(builder, slot, ip_datum(network->base)) &&
         add_bound(builder, slot, ip_datum(last_address(network)));
}

/* IPv6 networks hold no IPv4 address: where those begin and end are bounds of every list. */
static bool add_networks(struct builder *builder, const struct leaf *leaf) {
  bool ok = add_network(builder, leaf->slot, &v4_network);
  for (size_t i = 0; ok && i < leaf->n; i++)
    ok = add_network(builder, leaf->slot, &leaf->with.networks[i]);
  return ok;
}

static bool add_texts(struct builder *builder, const struct leaf *leaf) {
  bool ok = true;
  for (size_t i = 0; ok && i < leaf->n; i++) {
    struct str text = leaf->with.texts[i];
    if (leaf->test == TEST_STARTS_WITH) {
      ok = add_prefix(builder, leaf->slot, text);
    } else {
      struct str below = arena_printf(builder->arena, "%.*s/", STR_ARG(text));
      ok = below.p && add_text(builder, leaf->slot, text) && add_prefix(builder, leaf->slot, below);
    }
  }
  return ok;
}

static bool add_salt(struct domain *domain, struct str salt) {
  for (size_t i = 0; i < domain->salt_count; i++)
    if (str_eq(domain->salts[i], salt)) return true;
  if (domain->salt_count < DOMAIN_SALTS_MAX) domain->salts[domain->salt_count++] = salt;
  return true;
}

static bool add_bounds(struct builder *builder, const struct leaf *leaf) {
  bool ok = true;
  switch (leaf->test) {
    case TEST_STRING_EQUAL:
      return add_text(builder, leaf->slot, leaf->with.texts[0]);
    case TEST_STRING_IN:
      for (size_t i = 0; ok && i < leaf->n; i++)
        ok = add_text(builder, leaf->slot, str_set_key(leaf->with.strings, i));
      return ok;
    case TEST_COMPARE:
    case TEST_IN:
    case TEST_BETWEEN:
      for (size_t i = 0; ok && i < leaf->n; i++)
        ok = add_bound(builder, leaf->slot, leaf->with.data[i]);
      return ok;
    case TEST_STARTS_WITH:
    case TEST_UNDER:
      return add_texts(builder, leaf);
    case TEST_IN_CIDR:
      return add_networks(builder, leaf);
    case TEST_BUCKET_IN:
      return add_salt(&builder->domains->items[leaf->slot], leaf->with.share.salt);
    case TEST_EXISTS:
    case TEST_ENDS_WITH:
    case TEST_CONTAINS:
    case TEST_MATCHES:
      break;
  }
  return true;
}

/* ---- shapes ---------------------------------------------------------------------------------- */

/* A leaf has the same shape however often it is asked: by itself alone. */
static bool is_small(const struct leaf *leaf) {
  return leaf->n <= LEAF_VALUES_MAX;
}

enum leaf_shape domain_shape(const struct domain *domain, const struct leaf *leaf) {
  switch (leaf->test) {
    case TEST_STRING_EQUAL:
    case TEST_COMPARE:
    case TEST_BETWEEN:
      return SHAPE_CELLS;
    case TEST_STRING_IN:
    case TEST_IN:
    case TEST_IN_CIDR:
    case TEST_UNDER:
      return is_small(leaf) ? SHAPE_CELLS : SHAPE_OPAQUE;
    case TEST_STARTS_WITH:
      return is_small(leaf) && !leaf->ignore_case ? SHAPE_CELLS : SHAPE_OPAQUE;
    case TEST_BUCKET_IN:
      return domain_salt_of(domain, leaf) < domain->salt_count ? SHAPE_BUCKETS : SHAPE_OPAQUE;
    case TEST_EXISTS:
    case TEST_ENDS_WITH:
    case TEST_CONTAINS:
    case TEST_MATCHES:
      break;
  }
  return SHAPE_OPAQUE;
}

size_t domain_salt_of(const struct domain *domain, const struct leaf *leaf) {
  size_t i = 0;
  while (i < domain->salt_count && !str_eq(domain->salts[i], leaf->with.share.salt)) i++;
  return i;
}

static bool take_leaf(struct builder *builder, const struct leaf *leaf) {
  if (builder->leaves_left == 0) return false;
  builder->leaves_left--;
  struct domain *domain = &builder->domains->items[leaf->slot];
  domain->used = true;
  /* Buckets have to be known as a salt before they have that shape. */
  if (leaf->test != TEST_BUCKET_IN && domain_shape(domain, leaf) == SHAPE_OPAQUE) return true;
  return add_bounds(builder, leaf);
}

static bool take_condition(struct builder *builder, const struct condition *condition) {
  if (condition->kind == CONDITION_LEAF) return take_leaf(builder, &condition->as.leaf);
  for (size_t i = 0; i < condition->as.children.n; i++)
    if (!take_condition(builder, condition->as.children.items[i])) return false;
  return true;
}

/* ---- cells ----------------------------------------------------------------------------------- */

static int compare_data(const void *a, const void *b, void *type) {
  return attr_datum_compare(*(const enum attr_type *)type, a, b);
}

static bool is_all(const struct ip_address *ip, uint8_t byte) {
  for (size_t i = 0; i < sizeof(ip->bytes); i++)
    if (ip->bytes[i] != byte) return false;
  return true;
}

static bool is_next_address(const struct ip_address *a, const struct ip_address *b) {
  struct ip_address next = *a;
  for (size_t i = sizeof(next.bytes); i-- > 0 && ++next.bytes[i] == 0;) continue;
  return ip_eq(&next, b);
}

/* Whether anything may lie between two neighbours; NULL: before the first, after the last. True
 * where it is not known. */
static bool has_between(enum attr_type type, const struct attr_datum *a,
                        const struct attr_datum *b) {
  switch (type) {
    case ATTR_BOOL:
    case ATTR_WEEKDAY:
      return false; /* all are bounds */
    case ATTR_STRING:
      return a || b->text.n > 0;
    case ATTR_LIST:
      /* An empty element is dropped. */
      return a || b->text.n > 0;
    case ATTR_NUMBER:
      return !a || !b || nextafter(a->as.number, INFINITY) < b->as.number;
    case ATTR_TIME:
    case ATTR_DURATION:
      return !a || !b || b->as.ms - 1 > a->as.ms;
    case ATTR_TIME_OF_DAY:
      /* Whole seconds, from 00:00:00 to 23:59:59. */
      return (a ? a->as.ms : -SECOND_MS) + SECOND_MS < (b ? b->as.ms : DAY_MS);
    case ATTR_IP:
      if (!a) return !is_all(&b->as.ip, 0);
      return b ? !is_next_address(&a->as.ip, &b->as.ip) : !is_all(&a->as.ip, 0xFF);
    case ATTR_VERSION:
    case ATTR_SEMVER:
      break;
  }
  return true;
}

static bool make_cells(struct arena *arena, struct domain *domain) {
  size_t n = domain->bound_count;
  const struct attr_datum *bounds = domain->bounds;
  domain->cell_count = 2 * n + 1;
  domain->word_count = (domain->cell_count + 63) / 64;
  uint64_t *inhabited = ARENA_ARRAY(arena, uint64_t, domain->word_count);
  if (!inhabited) return false;
  for (size_t i = 0; i < n; i++) bit_set(inhabited, 2 * i + 1);
  for (size_t i = 0; i <= n; i++) {
    const struct attr_datum *before = i > 0 ? &bounds[i - 1] : NULL;
    const struct attr_datum *after = i < n ? &bounds[i] : NULL;
    if (n == 0 || has_between(domain->type, before, after)) bit_set(inhabited, 2 * i);
  }
  domain->inhabited = inhabited;
  return true;
}

/* Of a type that has a few: all are bounds. False: memory. */
static bool add_all_values(struct builder *builder, const struct domain *domain) {
  if (domain->type == ATTR_BOOL) {
    struct attr_datum no = {.text = STR_INIT("false")};
    struct attr_datum yes = {.text = STR_INIT("true"), .as.boolean = true};
    return add_bound(builder, domain->slot, no) && add_bound(builder, domain->slot, yes);
  }
  bool ok = true;
  for (unsigned i = 0; domain->type == ATTR_WEEKDAY && ok && i < WEEKDAYS; i++) {
    struct attr_datum day = {.text = weekday_name(i), .as.weekday = i};
    ok = add_bound(builder, domain->slot, day);
  }
  return ok;
}

static bool make_domain(struct builder *builder, struct domain *domain) {
  struct bounds *bounds = &builder->bounds[domain->slot];
  if (domain->used && !add_all_values(builder, domain)) return false;
  size_t n = bounds->list.n, kept = 0;
  struct attr_datum *data = bounds->list.items;
  if (n > DOMAIN_BOUNDS_MAX) return false;
  if (n > 0) qsort_r(data, n, sizeof(*data), compare_data, &domain->type);
  for (size_t i = 0; i < n; i++) {
    if (kept == 0 || attr_datum_compare(domain->type, &data[kept - 1], &data[i]) != 0)
      data[kept++] = data[i];
  }
  domain->bounds = data;
  domain->bound_count = kept;
  return make_cells(builder->arena, domain);
}

bool domains_build(struct domains *domains, struct arena *arena, const struct attr_table *table,
                   const struct condition *const *conditions, size_t n, size_t leaf_limit) {
  struct builder builder = {
      .arena = arena, .domains = domains, .table = table, .leaves_left = leaf_limit};
  *domains = (struct domains){.n = attr_table_size(table)};
  domains->items = ARENA_ARRAY(arena, struct domain, domains->n);
  builder.bounds = ARENA_ARRAY(arena, struct bounds, domains->n);
  if (!domains->items || !builder.bounds) return false;
  for (size_t i = 0; i < domains->n; i++) {
    domains->items[i] = (struct domain){.slot = (uint16_t)i,
                                        .type = attr_table_type(table, (uint16_t)i),
                                        .single = attr_table_is_single(table, (uint16_t)i),
                                        .always = attr_table_is_always(table, (uint16_t)i),
                                        .path = attr_table_is_path(table, (uint16_t)i)};
  }
  for (size_t i = 0; i < n; i++)
    if (conditions[i] && !take_condition(&builder, conditions[i])) return false;
  for (size_t i = 0; i < domains->n; i++)
    if (!make_domain(&builder, &domains->items[i])) return false;
  return true;
}

/* ---- where a leaf holds ---------------------------------------------------------------------- */

/* The number of bounds below `value`; *ret_equal: whether the next one is it. */
static size_t bound_of(const struct domain *domain, const struct attr_datum *value,
                       bool *ret_equal) {
  size_t low = 0, high = domain->bound_count;
  *ret_equal = false;
  while (low < high) {
    size_t middle = low + (high - low) / 2;
    int sign = attr_datum_compare(domain->type, &domain->bounds[middle], value);
    if (sign == 0) *ret_equal = true;
    if (sign < 0) {
      low = middle + 1;
    } else {
      high = middle;
    }
  }
  return low;
}

size_t domain_cell_of(const struct domain *domain, const struct attr_datum *value) {
  bool equal;
  size_t i = bound_of(domain, value, &equal);
  return equal ? 2 * i + 1 : 2 * i;
}

static size_t cell_of_text(const struct domain *domain, struct str text) {
  struct attr_datum datum = {.text = text};
  return domain_cell_of(domain, &datum);
}

/* From a prefix's own cell on to the last that begins with it. */
static void set_prefix(const struct domain *domain, struct str prefix, uint64_t *ret) {
  size_t from = cell_of_text(domain, prefix), to = from;
  /* Its end is a bound, or there is none: all bounds that begin with it lie before. */
  size_t low = from / 2, high = domain->bound_count;
  while (low < high) {
    size_t middle = low + (high - low) / 2;
    struct str bound = domain->bounds[middle].text;
    if (str_cmp(bound, prefix) < 0 || str_starts_with(bound, prefix)) {
      low = middle + 1;
    } else {
      high = middle;
    }
  }
  to = 2 * low + 1;
  bits_set_range(ret, from, to);
}

static void set_compared(const struct domain *domain, const struct leaf *leaf, uint64_t *ret) {
  size_t cell = domain_cell_of(domain, &leaf->with.data[0]);
  if (leaf->accepts & ACCEPT_LESS) bits_set_range(ret, 0, cell);
  if (leaf->accepts & ACCEPT_EQUAL) bit_set(ret, cell);
  if (leaf->accepts & ACCEPT_GREATER) bits_set_range(ret, cell + 1, domain->cell_count);
}

static void set_network(const struct domain *domain, const struct ip_network *network,
                        uint64_t *ret) {
  struct attr_datum first = ip_datum(network->base), last = ip_datum(last_address(network));
  struct attr_datum v4_first = ip_datum(v4_network.base);
  struct attr_datum v4_last = ip_datum(last_address(&v4_network));
  size_t from = domain_cell_of(domain, &first), to = domain_cell_of(domain, &last) + 1;
  size_t v4_from = domain_cell_of(domain, &v4_first), v4_to = domain_cell_of(domain, &v4_last) + 1;
  if (network->bits >= 96 || to <= v4_from || v4_to <= from) {
    bits_set_range(ret, from, to);
  } else {
    bits_set_range(ret, from, v4_from);
    bits_set_range(ret, v4_to, to);
  }
}

static void set_under(const struct domain *domain, struct str prefix, uint64_t *ret) {
  size_t low = 0, high = domain->bound_count;
  bit_set(ret, cell_of_text(domain, prefix));
  /* "prefix/" is a bound: the first that is neither less nor equal and goes on with a slash. */
  while (low < high) {
    size_t middle = low + (high - low) / 2;
    struct str bound = domain->bounds[middle].text;
    bool before =
        str_cmp(bound, prefix) <= 0 ||
        (str_starts_with(bound, prefix) && (unsigned char)bound.p[prefix.n] < (unsigned char)'/');
    if (before) {
      low = middle + 1;
    } else {
      high = middle;
    }
  }
  if (low < domain->bound_count) set_prefix(domain, domain->bounds[low].text, ret);
}

void domain_cells_of(const struct domain *domain, const struct leaf *leaf, uint64_t *ret) {
  switch (leaf->test) {
    case TEST_STRING_EQUAL:
      bit_set(ret, cell_of_text(domain, leaf->with.texts[0]));
      break;
    case TEST_STRING_IN:
      for (size_t i = 0; i < leaf->n; i++)
        bit_set(ret, cell_of_text(domain, str_set_key(leaf->with.strings, i)));
      break;
    case TEST_COMPARE:
      set_compared(domain, leaf, ret);
      break;
    case TEST_IN:
      for (size_t i = 0; i < leaf->n; i++)
        bit_set(ret, domain_cell_of(domain, &leaf->with.data[i]));
      break;
    case TEST_BETWEEN:
      bits_set_range(ret, domain_cell_of(domain, &leaf->with.data[0]),
                     domain_cell_of(domain, &leaf->with.data[1]));
      break;
    case TEST_STARTS_WITH:
      for (size_t i = 0; i < leaf->n; i++) set_prefix(domain, leaf->with.texts[i], ret);
      break;
    case TEST_UNDER:
      for (size_t i = 0; i < leaf->n; i++) set_under(domain, leaf->with.texts[i], ret);
      break;
    case TEST_IN_CIDR:
      for (size_t i = 0; i < leaf->n; i++) set_network(domain, &leaf->with.networks[i], ret);
      break;
    case TEST_EXISTS:
    case TEST_ENDS_WITH:
    case TEST_CONTAINS:
    case TEST_MATCHES:
    case TEST_BUCKET_IN:
      break;
  }
  for (size_t i = 0; i < domain->word_count; i++) ret[i] &= domain->inhabited[i];
}

/* ---- opaque leaves --------------------------------------------------------------------------- */

bool leaf_is_same(const struct leaf *a, const struct leaf *b) {
  if (a == b) return true;
  if (a->test != b->test || a->ignore_case != b->ignore_case || a->n != b->n) return false;
  /* What a file holds is not in its name. */
  if (a->test == TEST_IN || a->test == TEST_STRING_IN) return false;
  if (a->test == TEST_BUCKET_IN && !str_eq(a->with.share.salt, b->with.share.salt)) return false;
  return str_eq(a->value_json, b->value_json);
}

static bool text_implies(const struct leaf *a, struct str x, const struct leaf *b, struct str y) {
  bool fold = b->ignore_case;
  switch (b->test) {
    case TEST_STARTS_WITH:
      return a->test == TEST_STARTS_WITH &&
             (fold ? str_starts_with_nocase(x, y) : str_starts_with(x, y));
    case TEST_ENDS_WITH:
      return a->test == TEST_ENDS_WITH && (fold ? str_ends_with_nocase(x, y) : str_ends_with(x, y));
    case TEST_CONTAINS:
      return fold ? str_contains_nocase(x, y) : str_contains(x, y);
    case TEST_EXISTS:
    case TEST_STRING_EQUAL:
    case TEST_STRING_IN:
    case TEST_COMPARE:
    case TEST_IN:
    case TEST_BETWEEN:
    case TEST_MATCHES:
    case TEST_UNDER:
    case TEST_IN_CIDR:
    case TEST_BUCKET_IN:
      break;
  }
  return false;
}

static bool has_texts(const struct leaf *leaf) {
  return (leaf->test == TEST_STARTS_WITH || leaf->test == TEST_ENDS_WITH ||
          leaf->test == TEST_CONTAINS) &&
         leaf->n <= 64;
}

bool leaf_implies(const struct leaf *a, const struct leaf *b) {
  if (leaf_is_same(a, b)) return true;
  if (!has_texts(a) || !has_texts(b) || (a->ignore_case && !b->ignore_case)) return false;
  for (size_t i = 0; i < a->n; i++) {
    bool found = false;
    for (size_t k = 0; k < b->n && !found; k++)
      found = text_implies(a, a->with.texts[i], b, b->with.texts[k]);
    if (!found) return false;
  }
  return true;
}

/* Of two ends of one text one is the other's. */
static bool ends_agree(struct str x, struct str y) {
  return str_ends_with_nocase(x, y) || str_ends_with_nocase(y, x);
}

static bool starts_agree(struct str x, struct str y) {
  return str_starts_with_nocase(x, y) || str_starts_with_nocase(y, x);
}

bool leaf_excludes(const struct leaf *a, const struct leaf *b) {
  if (!has_texts(a) || a->test != b->test || !has_texts(b) || a->test == TEST_CONTAINS)
    return false;
  for (size_t i = 0; i < a->n; i++) {
    for (size_t k = 0; k < b->n; k++) {
      struct str x = a->with.texts[i], y = b->with.texts[k];
      if (a->test == TEST_ENDS_WITH ? ends_agree(x, y) : starts_agree(x, y)) return false;
    }
  }
  return true;
}

bool leaf_test_value(const struct leaf *leaf, const struct attr_datum *value,
                     struct regex_scratch *scratch, bool *ret_limit) {
  if (leaf->test != TEST_MATCHES) return leaf_holds_for(leaf, value);
  for (size_t i = 0; i < leaf->n; i++) {
    enum regex_result result = regex_match(leaf->with.patterns[i], scratch, value->text, NULL);
    if (result == REGEX_MATCHED) return true;
    if (result == REGEX_LIMIT && ret_limit) *ret_limit = true;
  }
  return false;
}
