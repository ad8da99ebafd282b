/*
 * The file of ranges: members → prefixes, sorted → intervals.
 *
 *   geo_ranges_load ─ json_visit_members ─ take_member ─┬ take_prefix
 *                                                       └ take_value ─ intern
 *                   ─ find_duplicates ─ geo_intervals_build, once for each family
 *
 * Equal values are kept once. They are told apart by their texts joined with NUL, which no text of
 * JSON has.
 */
#include <cjson/cJSON.h>
#include <stdio.h>
#include <stdlib.h>

#include "adit/hash.h"
#include "adit/json.h"
#include "ranges.h"

enum { MISTAKES_MAX = 20, V4_BITS = 96, VALUES_FIRST = 256 };
/* The values' texts are no longer than the file; what is kept beside each is more. */
static const size_t values_bytes_max = (size_t)1 << 30;

struct loading {
  struct geo_ranges *ranges;
  const char *path;
  struct diags *diags;
  struct geo_prefix *prefixes;
  size_t capacity;
  struct arena *scratch;
  struct str_set *known; /* joined texts → value */
  size_t value_capacity;
  size_t mistakes;
};

/* False at the last mistake that is shown. */
static bool go_on(struct loading *loading) {
  return ++loading->mistakes < MISTAKES_MAX;
}

static bool fail_memory(const struct loading *loading) {
  diags_add(loading->diags, DIAG_ERROR, (struct diag_place){.file = loading->path}, NULL,
            "out of memory");
  return false;
}

/* ---- prefixes -------------------------------------------------------------------------------- */

static void report_network(struct loading *loading, const struct json_member *member,
                           enum ip_network_result result, const struct ip_network *network) {
  char text[64], hint[96];
  if (result == IP_NETWORK_MALFORMED) {
    diags_add(loading->diags, DIAG_ERROR, member->key_at, "\"10.0.0.0/8\" or \"2001:db8::/32\"",
              "'%.*s' is not a range of addresses", STR_ARG(member->key));
    return;
  }
  struct str meant = ip_network_format(network, text, sizeof(text));
  (void)snprintf(hint, sizeof(hint), "did you mean '%.*s'?", STR_ARG(meant));
  diags_add(loading->diags, DIAG_ERROR, member->key_at, hint,
            "'%.*s' has bits set behind its prefix", STR_ARG(member->key));
}

static struct geo_key last_of(struct geo_key first, unsigned bits) {
  if (bits < 64) return (struct geo_key){first.high | UINT64_MAX >> bits, UINT64_MAX};
  if (bits < 128) first.low |= UINT64_MAX >> (bits - 64);
  return first;
}

static struct geo_prefix prefix_of(const struct ip_network *network, struct diag_place at) {
  struct geo_prefix prefix = {
      .first = geo_key_of(&network->base),
      .line = at.line,
      .column = at.column,
      .bits = network->bits,
      .v4 = network->bits >= V4_BITS && ip_is_v4(&network->base),
  };
  prefix.last = last_of(prefix.first, network->bits);
  return prefix;
}

static bool push_prefix(struct loading *loading, struct geo_prefix prefix) {
  struct geo_ranges *ranges = loading->ranges;
  if (ranges->size == loading->capacity) {
    size_t capacity = loading->capacity > 0 ? loading->capacity * 2 : VALUES_FIRST;
    void *grown = reallocarray(loading->prefixes, capacity, sizeof(*loading->prefixes));
    if (!grown) return fail_memory(loading);
    loading->prefixes = grown;
    loading->capacity = capacity;
  }
  loading->prefixes[ranges->size++] = prefix;
  return true;
}

/* ---- values ---------------------------------------------------------------------------------- */

/* The texts of a value joined with NUL; false: reported. */
static bool join_texts(struct loading *loading, const struct json_member *member,
                       char joined[GEO_VALUE_BYTES_MAX], size_t *ret_bytes, size_t *ret_n) {
  const cJSON *list = member->value;
  size_t n = 0, bytes = 0;
  for (const cJSON *text = cJSON_IsArray(list) ? list->child : list; text;
       text = cJSON_IsArray(list) ? text->next : NULL) {
    if (!cJSON_IsString(text)) {
      diags_add(loading->diags, DIAG_ERROR, member->value_at, "\"office\" or [\"office\", \"vpn\"]",
                "the value must be a string or a list of strings, not %s%s",
                cJSON_IsArray(list) ? "a list with " : "", json_kind(text));
      return false;
    }
    struct str s = json_str(text);
    if (n == GEO_VALUE_TEXTS_MAX || s.n + 1 > GEO_VALUE_BYTES_MAX - bytes) {
      diags_add(loading->diags, DIAG_ERROR, member->value_at, "make it shorter",
                "the value is longer than %d bytes or has more than %d strings",
                GEO_VALUE_BYTES_MAX, GEO_VALUE_TEXTS_MAX);
      return false;
    }
    memcpy(joined + bytes, s.p, s.n + 1);
    bytes += s.n + 1;
    n++;
  }
  *ret_n = n;
  *ret_bytes = bytes;
  if (n > 0) return true;
  diags_add(loading->diags, DIAG_ERROR, member->value_at, "leave the range out",
            "the list of strings is empty");
  return false;
}

/* Room for one more value, in `known` too. */
static bool reserve_value(struct loading *loading) {
  struct geo_ranges *ranges = loading->ranges;
  if (ranges->value_count < loading->value_capacity) return true;
  size_t capacity = loading->value_capacity > 0 ? loading->value_capacity * 2 : VALUES_FIRST;
  struct geo_value *values = reallocarray(ranges->values, capacity, sizeof(*values));
  if (!values) return false;
  ranges->values = values;
  struct str_set *known = str_set_new(loading->scratch, capacity);
  if (!known) return false;
  for (size_t i = 0; i < ranges->value_count; i++)
    (void)str_set_add(known, str_set_key(loading->known, i), i);
  loading->known = known;
  loading->value_capacity = capacity;
  return true;
}

/* Divides `joined`, which lives as long as the ranges, at its NULs. */
static bool add_value(struct loading *loading, struct str joined, size_t n) {
  struct geo_ranges *ranges = loading->ranges;
  struct str *texts = ARENA_ARRAY(ranges->arena, struct str, n);
  if (!texts || !joined.p) return false;
  const char *p = joined.p;
  for (size_t i = 0; i < n; i++) {
    texts[i] = str_from_cstr(p);
    p += texts[i].n + 1;
  }
  ranges->values[ranges->value_count] = (struct geo_value){.texts = texts, .n = n};
  (void)str_set_add(loading->known, joined, ranges->value_count);
  ranges->value_count++;
  return true;
}

/* False: reported, unless *ret_memory. */
static bool take_value(struct loading *loading, const struct json_member *member, uint32_t *ret,
                       bool *ret_memory) {
  char joined[GEO_VALUE_BYTES_MAX];
  size_t bytes, n;
  if (!join_texts(loading, member, joined, &bytes, &n)) return false;
  size_t known =
      loading->known ? str_set_find(loading->known, str_make(joined, bytes)) : STR_SET_NONE;
  if (known == STR_SET_NONE) {
    known = loading->ranges->value_count;
    struct arena *arena = loading->ranges->arena;
    if (!reserve_value(loading) ||
        !add_value(loading, arena_dup(arena, str_make(joined, bytes)), n)) {
      *ret_memory = true;
      return false;
    }
  }
  *ret = (uint32_t)known;
  return true;
}

/* ---- members --------------------------------------------------------------------------------- */

static bool take_member(void *context, const struct json_member *member) {
  struct loading *loading = context;
  struct ip_network network;
  bool out_of_memory = false;
  if (loading->ranges->size == GEO_RANGES_MAX) {
    diags_add(loading->diags, DIAG_ERROR, member->key_at, "divide the file",
              "there are more than %d ranges", GEO_RANGES_MAX);
    loading->mistakes++;
    return false;
  }
  enum ip_network_result result = ip_network_parse(member->key, &network);
  if (result != IP_NETWORK_OK) {
    report_network(loading, member, result, &network);
    return go_on(loading);
  }
  struct geo_prefix prefix = prefix_of(&network, member->key_at);
  if (!take_value(loading, member, &prefix.value, &out_of_memory)) {
    if (out_of_memory) return fail_memory(loading);
    return go_on(loading);
  }
  return push_prefix(loading, prefix);
}

static void find_duplicates(struct loading *loading) {
  const struct geo_prefix *prefixes = loading->prefixes;
  for (size_t i = 1; i < loading->ranges->size; i++) {
    if (geo_prefix_compare(&prefixes[i - 1], &prefixes[i]) != 0) continue;
    bool later =
        prefixes[i].line > prefixes[i - 1].line ||
        (prefixes[i].line == prefixes[i - 1].line && prefixes[i].column > prefixes[i - 1].column);
    const struct geo_prefix *first = &prefixes[later ? i - 1 : i];
    const struct geo_prefix *second = &prefixes[later ? i : i - 1];
    struct diag_place at = {loading->path, second->line, second->column};
    diags_add(loading->diags, DIAG_ERROR, at, NULL, "the range is in line %u already, column %u",
              first->line, first->column);
    if (!go_on(loading)) return;
  }
}

static bool build(struct loading *loading) {
  struct geo_ranges *ranges = loading->ranges;
  size_t v4 = 0;
  if (ranges->size > 0)
    qsort(loading->prefixes, ranges->size, sizeof(*loading->prefixes), geo_prefix_compare);
  find_duplicates(loading);
  if (loading->mistakes > 0) return false;
  while (v4 < ranges->size && loading->prefixes[v4].v4) v4++;
  const struct geo_prefix *v6 = ranges->size > v4 ? loading->prefixes + v4 : NULL;
  bool built = geo_intervals_build(&ranges->v4, loading->prefixes, v4, true) &&
               geo_intervals_build(&ranges->v6, v6, ranges->size - v4, false);
  return built ? true : fail_memory(loading);
}

static bool load(struct loading *loading, struct diag_place at) {
  struct geo_ranges *ranges = loading->ranges;
  if (ranges) ranges->arena = arena_new(values_bytes_max);
  loading->scratch = arena_new(values_bytes_max);
  if (!ranges || !ranges->arena || !loading->scratch) return fail_memory(loading);
  bool read = json_visit_members(loading->path, JSON_EDITABLE, GEO_RANGES_BYTES_MAX, at,
                                 take_member, loading, loading->diags);
  return read && loading->mistakes == 0 && build(loading);
}

struct geo_ranges *geo_ranges_load(const char *path, struct diag_place at, struct diags *diags) {
  struct loading loading = {.path = path, .diags = diags};
  loading.ranges = calloc(1, sizeof(*loading.ranges));
  bool loaded = load(&loading, at);
  free(loading.prefixes);
  arena_free(&loading.scratch);
  if (!loaded) geo_ranges_free(&loading.ranges);
  return loading.ranges;
}

void geo_ranges_free(struct geo_ranges **ranges) {
  struct geo_ranges *r = *ranges;
  *ranges = NULL;
  if (!r) return;
  free(r->v4.starts);
  free(r->v4.values);
  free(r->v6.starts);
  free(r->v6.values);
  free(r->values);
  arena_free(&r->arena);
  free(r);
}
