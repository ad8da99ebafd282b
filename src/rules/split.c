/*
 * Splits: weights or ranges of a rule file become ranges of buckets.
 *
 * Of weights the first canary grows upward from 0, the second downward from 10000, further ones
 * follow the first. So with up to two canaries a weight that is raised takes buckets from stable
 * only. Places are by the order of `canaries`, so that naming one more changes nobody's place.
 */
#include <cjson/cJSON.h>
#include <stdlib.h>

#include "adit/text.h"
#include "condition.h"
#include "route.h"

/* ---- asking ---------------------------------------------------------------------------------- */

uint16_t split_variant(const struct split *split, unsigned bucket, uint16_t stable) {
  size_t low = 0, high = split->range_count;
  while (low < high) {
    size_t middle = low + (high - low) / 2;
    if (bucket < split->ranges[middle].to) {
      high = middle;
    } else {
      low = middle + 1;
    }
  }
  if (low < split->range_count && bucket >= split->ranges[low].from) {
    return split->ranges[low].variant;
  }
  return stable;
}

unsigned split_weight(const struct split *split, uint16_t variant) {
  unsigned buckets = 0;
  for (size_t i = 0; i < split->range_count; i++)
    if (split->ranges[i].variant == variant)
      buckets += (unsigned)(split->ranges[i].to - split->ranges[i].from);
  return buckets;
}

void split_add_percent(unsigned buckets, struct text *out) {
  text_printf(out, "%u", buckets / 100);
  if (buckets % 100 == 0) return;
  if (buckets % 10 == 0)
    text_printf(out, ".%u", buckets % 100 / 10);
  else
    text_printf(out, ".%02u", buckets % 100);
}

uint16_t split_whole(const struct split *split) {
  if (split->range_count == 1 && split->ranges[0].from == 0 && split->ranges[0].to == BUCKETS) {
    return split->ranges[0].variant;
  }
  return VARIANT_NONE;
}

/* ---- compiling ------------------------------------------------------------------------------- */

struct share {
  const struct cJSON *node; /* NULL: not named */
  unsigned from, to;        /* of a weight: 0 and its buckets */
};

struct split_compiler {
  struct route_compiler *base;
  const char *what;
  struct share shares[VARIANTS_MAX]; /* by variant */
  bool has_ranges, has_weights;
};

/* A percentage as buckets; an error otherwise. */
static bool parse_percent(struct split_compiler *compiler, const struct cJSON *node,
                          const char *name, unsigned *ret) {
  const struct json_doc *doc = compiler->base->doc;
  struct diags *diags = compiler->base->diags;
  if (!cJSON_IsNumber(node)) {
    json_error(doc, node, diags, "25, or for a range [0, 25]", "%s: '%s' needs a percentage",
               compiler->what, name);
    return false;
  }
  struct str raw = json_raw(doc, node);
  if (percent_parse(raw, ret)) return true;
  json_error(doc, node, diags, "25, 12.5, 0.01",
             "%s: %.*s for '%s' is not from 0 to 100 with at most two decimals", compiler->what,
             STR_ARG(raw), name);
  return false;
}

static void parse_range(struct split_compiler *compiler, const struct cJSON *node,
                        struct share *ret) {
  struct share share = {.node = node};
  if (cJSON_GetArraySize(node) != 2) {
    json_error(compiler->base->doc, node, compiler->base->diags, "[0, 33.33]",
               "%s: the range of '%s' needs two percentages, from and to", compiler->what,
               node->string);
    return;
  }
  bool from_fits = parse_percent(compiler, node->child, node->string, &share.from);
  bool to_fits = parse_percent(compiler, node->child->next, node->string, &share.to);
  if (!from_fits || !to_fits) return;
  if (share.from > share.to) {
    json_error(compiler->base->doc, node, compiler->base->diags, NULL,
               "%s: the range of '%s' ends before it begins", compiler->what, node->string);
    return;
  }
  *ret = share;
}

/* The canary that a member names, or VARIANT_NONE with an error at its key. */
static uint16_t find_canary(struct split_compiler *compiler, const struct cJSON *node) {
  const struct route *route = compiler->base->route;
  struct str name = str_from_cstr(node->string);
  if (!compiler->base->variant_names) return VARIANT_NONE;
  uint16_t variant = route_find_variant(route, name);
  if (variant == VARIANT_NONE) {
    char hint[ROUTE_HINT_MAX];
    json_key_error(compiler->base->doc, node, compiler->base->diags,
                   route_variant_hint(compiler->base, name, hint, sizeof(hint)),
                   "%s: unknown variant '%.*s' in the split", compiler->what, STR_ARG(name));
  } else if (variant == route->stable) {
    json_key_error(compiler->base->doc, node, compiler->base->diags,
                   "it gets what the canaries leave", "%s: the split names the stable variant '%s'",
                   compiler->what, node->string);
    return VARIANT_NONE;
  }
  return variant;
}

static void parse_share(struct split_compiler *compiler, const struct cJSON *node) {
  struct share ignored = {0};
  uint16_t variant = find_canary(compiler, node);
  struct share *share = variant == VARIANT_NONE ? &ignored : &compiler->shares[variant];
  bool is_range = cJSON_IsArray(node);
  if (is_range ? compiler->has_weights : compiler->has_ranges) {
    if (!(compiler->has_weights && compiler->has_ranges)) {
      json_error(compiler->base->doc, node, compiler->base->diags,
                 "all weights (25) or all ranges ([0, 25])",
                 "%s: the split mixes weights and ranges", compiler->what);
    }
  }
  *(is_range ? &compiler->has_ranges : &compiler->has_weights) = true;
  if (is_range) {
    parse_range(compiler, node, share);
  } else if (parse_percent(compiler, node, node->string, &share->to)) {
    share->node = node;
  }
}

static void add_range(struct split *split, struct split_range *ranges, unsigned from, unsigned to,
                      uint16_t variant) {
  if (from == to) return;
  ranges[split->range_count++] =
      (struct split_range){.from = (uint16_t)from, .to = (uint16_t)to, .variant = variant};
}

static void place_weights(struct split_compiler *compiler, const struct cJSON *node,
                          struct split_range *ranges, struct split *ret) {
  const struct route *route = compiler->base->route;
  unsigned sum = 0, position = 0;
  for (size_t i = 0; i < route->variant_count; i++) sum += compiler->shares[i].to;
  if (sum > BUCKETS) {
    json_error(compiler->base->doc, node, compiler->base->diags, NULL,
               "%s: the weights add up to %u.%02u, more than 100", compiler->what, sum / 100,
               sum % 100);
    return;
  }
  for (size_t i = 0; i < route->canary_count; i++) {
    if (i == 1) continue; /* comes down from the top: its range is the last */
    unsigned weight = compiler->shares[route->canaries[i]].to;
    add_range(ret, ranges, position, position + weight, route->canaries[i]);
    position += weight;
  }
  if (route->canary_count > 1) {
    unsigned weight = compiler->shares[route->canaries[1]].to;
    add_range(ret, ranges, BUCKETS - weight, BUCKETS, route->canaries[1]);
  }
}

static int compare_ranges(const void *left, const void *right) {
  const struct split_range *a = left, *b = right;
  return (a->from > b->from) - (a->from < b->from);
}

/* Neighbours in order of buckets; the error is at the one that stands later in the file. */
static void check_overlap(struct split_compiler *compiler, const struct split_range *a,
                          const struct split_range *b) {
  if (a->to <= b->from) return;
  const struct json_doc *doc = compiler->base->doc;
  const struct cJSON *first = compiler->shares[a->variant].node;
  const struct cJSON *second = compiler->shares[b->variant].node;
  if (json_raw(doc, first).p > json_raw(doc, second).p) {
    const struct cJSON *swap = first;
    first = second;
    second = swap;
  }
  json_error(doc, second, compiler->base->diags, NULL, "%s: the ranges of '%s' and '%s' overlap",
             compiler->what, first->string, second->string);
}

static void place_ranges(struct split_compiler *compiler, struct split_range *ranges,
                         struct split *ret) {
  const struct route *route = compiler->base->route;
  for (uint16_t i = 0; i < route->variant_count; i++) {
    add_range(ret, ranges, compiler->shares[i].from, compiler->shares[i].to, i);
  }
  qsort(ranges, ret->range_count, sizeof(*ranges), compare_ranges);
  for (size_t i = 1; i < ret->range_count; i++) {
    check_overlap(compiler, &ranges[i - 1], &ranges[i]);
  }
}

static void compile_shares(struct split_compiler *compiler, const struct cJSON *node,
                           struct split *ret) {
  if (!cJSON_IsObject(node)) {
    json_error(compiler->base->doc, node, compiler->base->diags, "\"split\": { \"canary\": 25 }",
               "%s: 'split' must be an object", compiler->what);
    return;
  }
  if (!node->child) {
    json_error(compiler->base->doc, node, compiler->base->diags, "\"split\": { \"canary\": 25 }",
               "%s: 'split' names no canary", compiler->what);
    return;
  }
  const struct cJSON *member;
  cJSON_ArrayForEach(member, node) parse_share(compiler, member);
  if (compiler->has_ranges && compiler->has_weights) return;
  struct split_range *ranges =
      ARENA_ARRAY(compiler->base->arena, struct split_range, compiler->base->route->variant_count);
  if (!ranges) return;
  ret->ranges = ranges;
  if (compiler->has_ranges) {
    place_ranges(compiler, ranges, ret);
  } else {
    place_weights(compiler, node, ranges, ret);
  }
}

void split_compile(struct route_compiler *compiler, const struct cJSON *split,
                   const struct cJSON *by, const char *what, struct split *ret) {
  struct split_compiler inner = {.base = compiler, .what = what};
  compile_shares(&inner, split, ret);
  if (by) route_compile_keys(compiler, by, what, &ret->by, &ret->by_count, NULL);
  compiler->route->has_split = true;
}
