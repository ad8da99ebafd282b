/*
 * Splits that draw nobody or everybody: by their weights, or because the rule lets only some
 * buckets of the split's own key through.
 *
 * Who has a pin is not drawn. A weight of 0, or one of 100 beside another canary, lets those who
 * are in stay and nobody come in: that is how a release is wound down, and nothing is said of it.
 */
#include <cjson/cJSON.h>

#include "analysis.h"

static struct str variant_name(const struct route *route, uint16_t variant) {
  return route->variants[variant].name;
}

static struct diag_place place_of_split(const struct analysis *analysis, const struct rule *rule) {
  const cJSON *root = json_root(analysis->doc);
  const cJSON *owner =
      rule ? rule_node(analysis, rule) : cJSON_GetObjectItemCaseSensitive(root, "default");
  const cJSON *split = cJSON_GetObjectItemCaseSensitive(owner, "split");
  return json_place(analysis->doc, split ? split : root);
}

/* ---- which buckets come ---------------------------------------------------------------------- */

/* Buckets [from, to) of the split's key that the rule lets through. An empty value has a bucket,
 * but is no key: nothing is said of those who have only that. */
struct reach {
  const struct leaf *leaf; /* by which; NULL: all */
  uint16_t key;
  struct str salt;
  unsigned from, to;
};

static void narrow(struct reach *reach, const struct condition *condition) {
  if (condition->kind == CONDITION_ALL) {
    for (size_t i = 0; i < condition->as.children.n; i++)
      narrow(reach, condition->as.children.items[i]);
    return;
  }
  const struct leaf *leaf = &condition->as.leaf;
  if (condition->kind != CONDITION_LEAF || leaf->test != TEST_BUCKET_IN ||
      leaf->slot != reach->key || leaf->missing == TRISTATE_TRUE || leaf->negative ||
      !str_eq(leaf->with.share.salt, reach->salt))
    return;
  if (leaf->with.share.from > reach->from) reach->from = leaf->with.share.from;
  if (leaf->with.share.to < reach->to) reach->to = leaf->with.share.to;
  reach->leaf = leaf;
}

static struct reach reach_of(const struct analysis *analysis, const struct rule *rule,
                             const struct split *split) {
  const struct route *route = analysis->route;
  struct reach reach = {.key = ATTR_SLOT_NONE, .salt = route->sticky.salt, .to = BUCKETS};
  if (split->by_count > 0) {
    reach.key = split->by[0];
  } else if (route->sticky.by_count > 0) {
    reach.key = route->sticky.by[0];
  }
  if (rule && rule->when && reach.key != ATTR_SLOT_NONE &&
      attr_table_is_single(route->table, reach.key))
    narrow(&reach, rule->when);
  return reach;
}

/* The variant of all buckets [from, to), or VARIANT_NONE: they differ. */
static uint16_t only_variant(const struct split *split, uint16_t stable,
                             const struct reach *reach) {
  uint16_t first = split_variant(split, reach->from, stable);
  for (unsigned bucket = reach->from + 1; bucket < reach->to; bucket++)
    if (split_variant(split, bucket, stable) != first) return VARIANT_NONE;
  return first;
}

/* ---- pins ------------------------------------------------------------------------------------ */

/* Whether somebody can have a pin to another variant. */
static bool may_be_pinned(const struct route *route, uint16_t variant) {
  return route->sticky.cookie && (variant == route->stable || route->canary_count > 1);
}

/* What says the same as the split, for all of those whom it is asked for. */
static const char *hint_of(struct analysis *analysis, const struct rule *rule, uint16_t variant) {
  const struct route *route = analysis->route;
  bool pins = variant != route->stable && route->sticky.cookie;
  if (!rule && variant == route->stable) return "leave it out";
  struct str name = variant_name(route, variant);
  struct str hint = rule ? arena_printf(analysis->arena, "\"to\": \"%.*s\" says so%s",
                                        STR_ARG(name), pins ? ", but pins nobody" : "")
                         : arena_printf(analysis->arena, "a rule without \"when\" says so%s",
                                        pins ? ", but pins nobody" : "");
  return hint.p;
}

/* ---- reporting ------------------------------------------------------------------------------- */

static void report_split(struct analysis *analysis, const struct rule *rule, uint16_t variant,
                         const struct reach *reach) {
  const struct route *route = analysis->route;
  bool nobody = variant == route->stable;
  struct str name = variant_name(route, variant);
  struct str what =
      rule ? arena_printf(analysis->arena, "rule '%.*s'", STR_ARG(rule->id)) : STR("'default'");
  struct str why = STR(""), who = STR("");
  const char *hint = hint_of(analysis, rule, variant);
  char shown[LEAF_SHOWN_MAX];
  if (reach->leaf) {
    struct str key = attr_table_name(route->table, reach->key);
    who = arena_printf(analysis->arena, " who have '%.*s'%s", STR_ARG(key),
                       may_be_pinned(route, variant) ? " and no pin" : "");
    why = arena_printf(analysis->arena, ", because %s lets only buckets of the same draw through",
                       leaf_show(reach->leaf, shown));
    hint = "give bucket_in another \"salt\"";
  }
  struct str witness = {0};
  if (rule && analysis->examples) witness = analysis->examples[rule - route->rules];
  if (!analysis_confirms(analysis, witness, rule)) witness = (struct str){0};
  if (!what.p || !hint || !why.p || !who.p) return;
  report(analysis, nobody ? FINDING_NOBODY : FINDING_EVERYBODY, place_of_split(analysis, rule),
         rule, witness, hint, "%.*s: the split draws %s: all%.*s get '%.*s'%.*s", STR_ARG(what),
         nobody ? "nobody" : "everybody", STR_ARG(who), STR_ARG(name), STR_ARG(why));
}

static void check_split(struct analysis *analysis, const struct rule *rule,
                        const struct split *split) {
  struct reach reach = reach_of(analysis, rule, split);
  if (reach.from >= reach.to) return; /* the rule never matches */
  uint16_t variant = only_variant(split, analysis->route->stable, &reach);
  if (variant == VARIANT_NONE) return;
  if (!reach.leaf && may_be_pinned(analysis->route, variant)) return;
  report_split(analysis, rule, variant, &reach);
}

void find_in_splits(struct analysis *analysis) {
  const struct route *route = analysis->route;
  if (route->state == ROUTE_DRAIN) return; /* nobody is drawn, whatever a split says */
  for (size_t i = 0; i < route->rule_count; i++) {
    const struct rule *rule = &route->rules[i];
    if (rule->to == VARIANT_NONE) check_split(analysis, rule, &rule->split);
  }
  if (route->has_default_split) check_split(analysis, NULL, &route->default_split);
}
