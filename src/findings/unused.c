/* Names of a rule file that nothing in it uses, from the document. */
#include <cjson/cJSON.h>

#include "adit/hash.h"
#include "analysis.h"

struct usage {
  struct analysis *analysis;
  const cJSON *segments;
  struct str_set *attributes, *named; /* attribute and segment names that conditions have */
  size_t left;                        /* members that are still looked at */
};

enum { MEMBERS_MAX = 1000000, NAMES_MAX = 8192 };

static const cJSON *member(const cJSON *object, const char *key) {
  return cJSON_GetObjectItemCaseSensitive(object, key);
}

/* A full set is no proof of anything: then nothing is looked at any more. */
static bool add_name(struct usage *usage, struct str_set *set, struct str name) {
  if (str_set_size(set) == NAMES_MAX) usage->left = 0;
  return usage->left > 0 && str_set_add(set, name, 0);
}

/* ---- what conditions use --------------------------------------------------------------------- */

static void visit_condition(struct usage *usage, const cJSON *condition);

static void visit_list(struct usage *usage, const cJSON *list) {
  const cJSON *item;
  cJSON_ArrayForEach(item, list) visit_condition(usage, item);
}

/* A segment is looked into when it is first named. */
static void visit_segment(struct usage *usage, const cJSON *node) {
  if (!cJSON_IsString(node) || !add_name(usage, usage->named, json_str(node))) return;
  visit_condition(usage, member(usage->segments, node->valuestring));
}

static void use_attribute(struct usage *usage, struct str name) {
  (void)add_name(usage, usage->attributes, name);
  if (str_ends_with(name, STR(".age")))
    (void)add_name(usage, usage->attributes, str_take(name, name.n - 4));
}

static void visit_condition(struct usage *usage, const cJSON *condition) {
  const cJSON *node;
  if (!cJSON_IsObject(condition)) return;
  cJSON_ArrayForEach(node, condition) {
    struct str key = str_from_cstr(node->string);
    if (usage->left == 0) return;
    usage->left--;
    if (str_eq(key, STR("all")) || str_eq(key, STR("any"))) {
      visit_list(usage, node);
    } else if (str_eq(key, STR("not"))) {
      visit_condition(usage, node);
    } else if (str_eq(key, STR("segment"))) {
      visit_segment(usage, node);
    } else {
      use_attribute(usage, key);
    }
  }
}

static void visit_keys(struct usage *usage, const cJSON *keys) {
  const cJSON *key;
  cJSON_ArrayForEach(key, keys) {
    if (cJSON_IsString(key)) use_attribute(usage, json_str(key));
  }
}

static void visit_all(struct usage *usage, const cJSON *root) {
  const cJSON *rule;
  cJSON_ArrayForEach(rule, member(root, "rules")) {
    visit_condition(usage, member(rule, "when"));
    visit_keys(usage, member(rule, "by"));
  }
  visit_keys(usage, member(member(root, "default"), "by"));
  visit_keys(usage, member(member(root, "sticky"), "by"));
}

/* ---- variants -------------------------------------------------------------------------------- */

static bool is_in_split(const cJSON *owner, const char *variant) {
  return member(member(owner, "split"), variant) != NULL;
}

static bool is_forced(const struct route *route, uint16_t variant) {
  for (size_t i = 0; route->force.enabled && i < route->force.value_count; i++)
    if (route->force.values[i].variant == variant) return true;
  return false;
}

static bool is_copied_to(const struct route_mirror *mirror, uint16_t variant) {
  return mirror && mirror->to == variant;
}

static bool is_used(const struct analysis *analysis, uint16_t variant, const char *name) {
  const struct route *route = analysis->route;
  const cJSON *root = json_root(analysis->doc);
  bool is_first = route->canary_count > 0 && route->canaries[0] == variant;
  if (variant == route->stable || is_forced(route, variant)) return true;
  if (is_first && route->state == ROUTE_FULL) return true;
  if (is_copied_to(route->mirror, variant)) return true;
  for (size_t i = 0; i < route->rule_count; i++)
    if (route->rules[i].to == variant || is_copied_to(route->rules[i].mirror, variant)) return true;
  const cJSON *rule;
  cJSON_ArrayForEach(rule, member(root, "rules")) {
    if (is_in_split(rule, name)) return true;
  }
  return is_in_split(member(root, "default"), name);
}

static void report_unused(struct analysis *analysis, const cJSON *node, const char *what,
                          const char *why) {
  report(analysis, FINDING_UNUSED, json_key_place(analysis->doc, node), NULL, (struct str){0},
         "remove it", "%s '%s' is not used: %s", what, node->string, why);
}

static void find_variants(struct analysis *analysis, const cJSON *root) {
  const cJSON *node;
  uint16_t variant = 0;
  cJSON_ArrayForEach(node, member(root, "variants")) {
    if (variant < analysis->route->variant_count && !is_used(analysis, variant, node->string))
      report_unused(analysis, node, "variant", "no rule, split, force or mirror gives it");
    variant++;
  }
}

/* ---- names ----------------------------------------------------------------------------------- */

static void find_names(struct usage *usage, const cJSON *object, const struct str_set *used,
                       const char *what, const char *why) {
  const cJSON *node;
  cJSON_ArrayForEach(node, object) {
    if (str_set_find(used, str_from_cstr(node->string)) == STR_SET_NONE)
      report_unused(usage->analysis, node, what, why);
  }
}

void find_unused(struct analysis *analysis) {
  const cJSON *root = json_root(analysis->doc);
  struct usage usage = {
      .analysis = analysis,
      .segments = member(root, "segments"),
      .attributes = str_set_new(analysis->arena, NAMES_MAX),
      .named = str_set_new(analysis->arena, NAMES_MAX),
      .left = MEMBERS_MAX,
  };
  if (!usage.attributes || !usage.named) return;
  visit_all(&usage, root);
  if (usage.left > 0) {
    find_names(&usage, usage.segments, usage.named, "segment", "no rule has it");
    find_names(&usage, member(root, "attributes"), usage.attributes, "attribute",
               "no rule or split asks for it");
  }
  find_variants(analysis, root);
}
