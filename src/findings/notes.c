/* What needs no proof, but a look; and groups that are closed by their name only. */
#include <cjson/cJSON.h>
#include <stdio.h>

#include "analysis.h"

/* ---- who says so ----------------------------------------------------------------------------- */

enum word { WORD_NOBODYS, WORD_ANYONES, WORD_TRUSTED };

static bool is_anyones(const struct attr_table *table, uint16_t slot) {
  struct attr_source_info source;
  for (size_t k = 0; attr_table_source(table, slot, k, &source); k++)
    if (source.from_anyone) return true;
  return false;
}

/* Whose word a leaf takes. */
static enum word word_of(const struct attr_table *table, const struct leaf *leaf) {
  switch (attr_table_channel(table, leaf->slot)) {
    case ATTR_FROM_METHOD:
    case ATTR_FROM_SCHEME:
    case ATTR_FROM_HOST:
    case ATTR_FROM_PATH:
    case ATTR_FROM_NOW:
    case ATTR_FROM_LOCAL_TIME:
      return WORD_NOBODYS;
    case ATTR_FROM_CLIENT_IP:
      return WORD_TRUSTED;
    case ATTR_FROM_AGENT:
      return WORD_ANYONES;
    case ATTR_FROM_AGE:
    case ATTR_FROM_SOURCES:
      break;
  }
  uint16_t slot = leaf->slot;
  if (attr_table_channel(table, slot) == ATTR_FROM_AGE) slot = attr_table_base(table, slot);
  return is_anyones(table, slot) ? WORD_ANYONES : WORD_TRUSTED;
}

/* Whether no trusted word is needed for the condition to be `wanted`, and with which claim of the
 * client's (*ret_claim stays as it is: with none). */
static bool takes_claims(const struct attr_table *table, const struct condition *node, bool wanted,
                         const struct leaf **ret_claim) {
  if (node->kind == CONDITION_LEAF) {
    enum word word = word_of(table, &node->as.leaf);
    if (word == WORD_ANYONES && !*ret_claim) *ret_claim = &node->as.leaf;
    return word != WORD_TRUSTED;
  }
  if (node->kind == CONDITION_NOT)
    return takes_claims(table, node->as.children.items[0], !wanted, ret_claim);
  bool every = (node->kind == CONDITION_ALL) == wanted;
  for (size_t i = 0; i < node->as.children.n; i++) {
    const struct leaf *claim = NULL;
    bool takes = takes_claims(table, node->as.children.items[i], wanted, &claim);
    if (every && !takes) return false;
    if (takes && !*ret_claim) *ret_claim = claim;
    if (!every && takes && claim) return true;
  }
  return every;
}

static bool is_not_trusted(void *context, const struct leaf *leaf) {
  const struct analysis *analysis = context;
  return word_of(analysis->route->table, leaf) != WORD_TRUSTED;
}

static bool gives_canary(const struct route *route, const struct rule *rule) {
  return rule->to == VARIANT_NONE ? rule->split.range_count > 0 : rule->to != route->stable;
}

/* ---- groups that are closed by their name ---- */

static bool is_closed_group(struct str word) {
  static const char *const groups[] = {
      "staff",  "employee", "employees", "colleague",  "colleagues", "insider", "insiders",
      "intern", "internal", "developer", "developers", "tester",     "testers", "qa",
      "admin",  "admins",   "root",      "operator",   "operators"};
  for (size_t i = 0; i < sizeof(groups) / sizeof(*groups); i++)
    if (str_eq_nocase(word, str_from_cstr(groups[i]))) return true;
  return false;
}

/* The word of a name that says so; n == 0: none does. */
static struct str find_closed_group(struct str name) {
  while (name.n > 0) {
    size_t n = 0;
    while (n < name.n && name.p[n] != '-' && name.p[n] != '_' && name.p[n] != '.') n++;
    if (is_closed_group(str_take(name, n))) return str_take(name, n);
    name = str_skip(name, n < name.n ? n + 1 : n);
  }
  return name;
}

/* The same of the segments that a condition of the file names. */
static struct str find_closed_segment(const cJSON *node) {
  struct str found = {0};
  const cJSON *child = NULL;
  cJSON_ArrayForEach(child, node) {
    if (found.n > 0) break;
    bool names = cJSON_IsString(child) && child->string && strcmp(child->string, "segment") == 0;
    found = names ? find_closed_group(json_str(child)) : find_closed_segment(child);
  }
  return found;
}

/* A closed group that the rule is for by its name, its claim's or a segment's; n == 0: none. */
static struct str closed_group_of(const struct rule *rule, const struct leaf *claim,
                                  const cJSON *node) {
  struct str group = find_closed_group(rule->id);
  if (group.n == 0) group = find_closed_group(claim->attribute);
  if (group.n == 0) group = find_closed_segment(cJSON_GetObjectItemCaseSensitive(node, "when"));
  return group;
}

/* `node`: the rule as it is written. */
static void check_claims(struct analysis *analysis, const struct rule *rule, const cJSON *node) {
  const struct route *route = analysis->route;
  const struct leaf *claim = NULL;
  if (analysis->idle && analysis->idle[rule - route->rules]) return;
  if (!gives_canary(route, rule) || !rule->when ||
      !takes_claims(route->table, rule->when, true, &claim) || !claim)
    return;
  struct diag_place at = place_of_leaf(analysis, rule, claim);
  struct str group = closed_group_of(rule, claim, node);
  if (group.n > 0) {
    struct str witness = {0};
    /* The rule's example may be one of those that are trusted. */
    if (analysis->examples && visit_leaves(rule->when, is_not_trusted, analysis))
      witness = analysis->examples[rule - route->rules];
    report(analysis, FINDING_CLOSED_GROUP, at, rule, witness,
           "take it from a verified token, a trusted proxy or client_ip",
           "rule '%.*s': '%.*s' is a closed group by its name, but any client can join it by what "
           "it sends as '%.*s'",
           STR_ARG(rule->id), STR_ARG(group), STR_ARG(claim->attribute));
  } else if (analysis->input->notes) {
    report(analysis, NOTE_CLIENT_SAYS, at, rule, (struct str){0},
           "a source that only a trusted proxy may set is not the client's own word",
           "rule '%.*s': any client can get the canary by what it sends as '%.*s'",
           STR_ARG(rule->id), STR_ARG(claim->attribute));
  }
}

void find_claims(struct analysis *analysis) {
  const cJSON *node = rule_node(analysis, analysis->route->rules);
  for (size_t i = 0; i < analysis->route->rule_count; i++, node = node ? node->next : NULL)
    check_claims(analysis, &analysis->route->rules[i], node);
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
    (void)visit_leaves(at.rule->when, check_negative, &at);
    (void)visit_leaves(at.rule->when, check_networks, &at);
  }
}
