/* What needs no proof, but a look. */
#include <stdio.h>

#include "analysis.h"

/* ---- who says so ----------------------------------------------------------------------------- */

/* Whose word a rule takes. */
struct sources {
  const struct analysis *analysis;
  const struct leaf *claim; /* an attribute that any client can send; NULL: none */
  bool trusted;             /* one that no client can choose */
};

static bool is_anyones(const struct attr_table *table, uint16_t slot) {
  struct attr_source_info source;
  for (size_t k = 0; attr_table_source(table, slot, k, &source); k++)
    if (source.from_anyone) return true;
  return false;
}

static bool add_source(void *context, const struct leaf *leaf) {
  struct sources *sources = context;
  const struct attr_table *table = sources->analysis->route->table;
  switch (attr_table_channel(table, leaf->slot)) {
    case ATTR_FROM_METHOD:
    case ATTR_FROM_SCHEME:
    case ATTR_FROM_HOST:
    case ATTR_FROM_PATH:
    case ATTR_FROM_NOW:
    case ATTR_FROM_LOCAL_TIME:
      return true;
    case ATTR_FROM_CLIENT_IP:
      sources->trusted = true;
      return true;
    case ATTR_FROM_AGE:
    case ATTR_FROM_SOURCES:
      break;
  }
  uint16_t slot = leaf->slot;
  if (attr_table_channel(table, slot) == ATTR_FROM_AGE) slot = attr_table_base(table, slot);
  if (!is_anyones(table, slot)) {
    sources->trusted = true;
  } else if (!sources->claim) {
    sources->claim = leaf;
  }
  return true;
}

static bool gives_canary(const struct route *route, const struct rule *rule) {
  return rule->to == VARIANT_NONE ? rule->split.range_count > 0 : rule->to != route->stable;
}

static void check_sources(struct analysis *analysis, const struct rule *rule) {
  struct sources sources = {.analysis = analysis};
  if (!gives_canary(analysis->route, rule)) return;
  (void)visit_leaves(rule->when, add_source, &sources);
  if (!sources.claim || sources.trusted) return;
  report(analysis, NOTE_CLIENT_SAYS, place_of_leaf(analysis, rule, sources.claim), rule,
         (struct str){0}, "a source that only a trusted proxy may set is not the client's own word",
         "rule '%.*s': any client can get the canary by what it sends as '%.*s'", STR_ARG(rule->id),
         STR_ARG(sources.claim->attribute));
}

/* ---- force ----------------------------------------------------------------------------------- */

static void check_force(struct analysis *analysis) {
  const struct route_force *force = &analysis->route->force;
  if (!force->enabled || force->allow_from_count > 0 || force->token.p) return;
  bool gives = false;
  for (size_t i = 0; i < force->value_count; i++)
    gives |= force->values[i].variant != analysis->route->stable;
  if (!gives) return;
  report(analysis, NOTE_OPEN_FORCE, analysis->route->name_place, NULL, (struct str){0},
         "\"force\" takes \"allow_from\" and \"token_file\", or is false",
         "any client can force the canary with the header '%.*s'", STR_ARG(force->header));
}

/* ---- missing --------------------------------------------------------------------------------- */

struct slot_count {
  uint16_t slot;
  size_t n;
};

static bool count_slot(void *context, const struct leaf *leaf) {
  struct slot_count *count = context;
  count->n += leaf->slot == count->slot;
  return true;
}

struct rule_context {
  struct analysis *analysis;
  const struct rule *rule;
};

/* Who asks an attribute twice has thought of it. */
static bool check_negative(void *context, const struct leaf *leaf) {
  struct rule_context *at = context;
  const struct attr_table *table = at->analysis->route->table;
  if (!leaf->negative || leaf->missing != TRISTATE_UNKNOWN || leaf->in_gateway ||
      attr_table_is_always(table, leaf->slot))
    return true;
  struct slot_count count = {.slot = leaf->slot};
  (void)visit_leaves(at->rule->when, count_slot, &count);
  if (count.n > 1) return true;
  report(at->analysis, NOTE_MISSING, place_of_leaf(at->analysis, at->rule, leaf), at->rule,
         (struct str){0}, "\"missing\": true or false says what is meant",
         "rule '%.*s': '%s' does not hold where '%.*s' is missing", STR_ARG(at->rule->id), leaf->op,
         STR_ARG(leaf->attribute));
  return true;
}

/* ---- proxies --------------------------------------------------------------------------------- */

static bool overlap(const struct ip_network *a, const struct ip_network *b) {
  return ip_network_contains(a, &b->base) || ip_network_contains(b, &a->base);
}

static bool check_networks(void *context, const struct leaf *leaf) {
  struct rule_context *at = context;
  const struct findings_input *input = at->analysis->input;
  if (leaf->test != TEST_IN_CIDR ||
      attr_table_channel(at->analysis->route->table, leaf->slot) != ATTR_FROM_CLIENT_IP)
    return true;
  for (size_t i = 0; i < leaf->n; i++) {
    for (size_t k = 0; k < input->trusted_proxy_count; k++) {
      if (!overlap(&leaf->with.networks[i], &input->trusted_proxies[k])) continue;
      char network[64], proxies[64];
      struct str a = ip_network_format(&leaf->with.networks[i], network, sizeof(network));
      struct str b = ip_network_format(&input->trusted_proxies[k], proxies, sizeof(proxies));
      report(at->analysis, NOTE_PROXIES, place_of_leaf(at->analysis, at->rule, leaf), at->rule,
             (struct str){0}, "people who come from there can say any address",
             "rule '%.*s': network %.*s overlaps the trusted proxies %.*s", STR_ARG(at->rule->id),
             STR_ARG(a), STR_ARG(b));
      return true;
    }
  }
  return true;
}

void find_notes(struct analysis *analysis) {
  check_force(analysis);
  for (size_t i = 0; i < analysis->route->rule_count; i++) {
    struct rule_context at = {analysis, &analysis->route->rules[i]};
    check_sources(analysis, at.rule);
    (void)visit_leaves(at.rule->when, check_negative, &at);
    (void)visit_leaves(at.rule->when, check_networks, &at);
  }
}
