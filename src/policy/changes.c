/*
 * changes: what a reload serves otherwise than before, for the log.
 *
 *   adit.json ─► its keys (config_changes.c)
 *   upstreams ─► added, removed; endpoints added, removed; their weights, and which drain
 *   routes    ─► added, removed; state, settings, files of values
 *   rules     ─► added, removed, in another order; from a variant to another; weights from and to
 */
#include "changes.h"
#include "adit/arena.h"
#include "adit/hash.h"
#include "adit/text.h"
#include "policy_private.h"

enum { LINES_MAX = 50, LINE_BYTES_MAX = 512, ARENA_MAX_BYTES = 64 << 20 };

static void begin(struct changes *changes, const char *kind, struct str name) {
  text_clear(&changes->line);
  text_printf(&changes->line, "%s '%.*s'", kind, STR_ARG(name));
}

void changes_end(struct changes *changes) {
  if (changes->n++ < LINES_MAX) changes->say(changes->context, text_str(&changes->line));
}

static void say(struct changes *changes, const char *kind, struct str name, const char *what) {
  begin(changes, kind, name);
  text_printf(&changes->line, " %s", what);
  changes_end(changes);
}

static void say_part(struct changes *changes, const char *kind, struct str name, const char *part,
                     struct str part_name, const char *what) {
  begin(changes, kind, name);
  text_printf(&changes->line, ": %s '%.*s' %s", part, STR_ARG(part_name), what);
  changes_end(changes);
}

/* ---- upstreams ------------------------------------------------------------------------------- */

/* NULL: it has none. */
static const struct config_endpoint *find_endpoint(const struct config_upstream *upstream,
                                                   struct str text) {
  for (size_t i = 0; i < upstream->endpoint_count; i++)
    if (str_eq(upstream->endpoints[i].text, text)) return &upstream->endpoints[i];
  return NULL;
}

static void compare_endpoint(struct changes *changes, const struct config_upstream *upstream,
                             const struct config_endpoint *before,
                             const struct config_endpoint *after) {
  if (before->weight == after->weight && before->drains == after->drains) return;
  begin(changes, "upstream", upstream->name);
  text_printf(&changes->line, ": endpoint '%.*s': ", STR_ARG(after->text));
  if (before->weight != after->weight)
    text_printf(&changes->line, "weight %u -> %u%s", before->weight, after->weight,
                before->drains != after->drains ? ", " : "");
  if (before->drains != after->drains)
    text_add(&changes->line, after->drains ? STR("drains") : STR("drains no more"));
  changes_end(changes);
}

/* Endpoints of `a` that `b` lacks. */
static void compare_endpoints(struct changes *changes, const struct config_upstream *a,
                              const struct config_upstream *b, const char *what) {
  for (size_t i = 0; i < a->endpoint_count; i++)
    if (!find_endpoint(b, a->endpoints[i].text))
      say_part(changes, "upstream", a->name, "endpoint", a->endpoints[i].text, what);
}

static void compare_upstreams(struct changes *changes, const struct config *before,
                              const struct config *after) {
  for (size_t i = 0; i < before->upstream_count; i++)
    if (config_find_upstream(after, before->upstreams[i].name) == SIZE_MAX)
      say(changes, "upstream", before->upstreams[i].name, "removed");
  for (size_t i = 0; i < after->upstream_count; i++) {
    const struct config_upstream *upstream = &after->upstreams[i];
    const size_t old = config_find_upstream(before, upstream->name);
    if (old == SIZE_MAX) {
      say(changes, "upstream", upstream->name, "added");
      continue;
    }
    compare_endpoints(changes, &before->upstreams[old], upstream, "removed");
    compare_endpoints(changes, upstream, &before->upstreams[old], "added");
    for (size_t k = 0; k < upstream->endpoint_count; k++) {
      const struct config_endpoint *now = &upstream->endpoints[k];
      const struct config_endpoint *then = find_endpoint(&before->upstreams[old], now->text);
      if (then) compare_endpoint(changes, upstream, then, now);
    }
  }
}

/* ---- one rule, or the default ---------------------------------------------------------------- */

static struct str variant_name(const struct route *route, uint16_t variant) {
  return route->variants[variant].name;
}

/* By name, as a variant's number may be another one in the other route. */
static unsigned weight_of(const struct route *route, const struct split *split, struct str name) {
  const uint16_t variant = route_find_variant(route, name);
  return split && variant != VARIANT_NONE ? split_weight(split, variant) : 0;
}

static void add_percent(struct text *line, unsigned buckets) {
  split_add_percent(buckets, line);
  text_add_char(line, '%');
}

/* One of the two routes, and what one of its rules, or its default, does there. */
struct outcome {
  const struct route *route;
  const struct split *split; /* NULL: */
  uint16_t to;               /* ... VARIANT_NONE: nothing */
};

static void add_outcome(struct text *line, const struct outcome *outcome) {
  if (outcome->to != VARIANT_NONE)
    text_printf(line, "to '%.*s'", STR_ARG(variant_name(outcome->route, outcome->to)));
  else
    text_add(line, outcome->split ? STR("split") : STR("none"));
}

/* ", canary 5% -> 25%" for each canary whose weight is another one. Returns how many. */
static size_t add_weights(struct text *line, const struct outcome *before,
                          const struct outcome *after) {
  size_t n = 0;
  for (int side = 0; side < 2; side++) {
    const struct route *route = side == 0 ? after->route : before->route;
    for (size_t i = 0; i < route->canary_count; i++) {
      const struct str name = variant_name(route, route->canaries[i]);
      if (side == 1 && route_find_variant(after->route, name) != VARIANT_NONE) continue;
      const unsigned from = weight_of(before->route, before->split, name);
      const unsigned to = weight_of(after->route, after->split, name);
      if (from == to) continue;
      text_printf(line, "%s%.*s ", n++ == 0 ? "" : ", ", STR_ARG(name));
      add_percent(line, from);
      text_add(line, STR(" -> "));
      add_percent(line, to);
    }
  }
  return n;
}

/* The line begins with whose outcome it is. */
static void compare_outcomes(struct changes *changes, const struct outcome *before,
                             const struct outcome *after, const char *otherwise) {
  struct text *line = &changes->line;
  const bool both_split = before->split && after->split;
  const bool same_to =
      before->to != VARIANT_NONE && after->to != VARIANT_NONE &&
      str_eq(variant_name(before->route, before->to), variant_name(after->route, after->to));
  if (both_split) {
    if (add_weights(line, before, after) == 0) text_add(line, str_from_cstr(otherwise));
  } else if (same_to) {
    text_add(line, str_from_cstr(otherwise));
  } else {
    add_outcome(line, before);
    text_add(line, STR(" -> "));
    add_outcome(line, after);
    if (before->split || after->split) {
      text_add(line, STR(", "));
      (void)add_weights(line, before, after);
    }
  }
  changes_end(changes);
}

static struct outcome outcome_of(const struct route *route, const struct rule *rule) {
  return (struct outcome){route, rule->to == VARIANT_NONE ? &rule->split : NULL, rule->to};
}

/* ---- rules of a route ------------------------------------------------------------------------ */

static struct str_set *ids_of(struct changes *changes, const struct route *route) {
  struct str_set *ids = str_set_new(changes->arena, route->rule_count);
  for (size_t i = 0; ids && i < route->rule_count; i++)
    (void)str_set_add(ids, route->rules[i].id, i);
  return ids;
}

static void compare_rules(struct changes *changes, const struct route *before,
                          const struct route *after) {
  struct str_set *old_ids = ids_of(changes, before), *new_ids = ids_of(changes, after);
  size_t last = 0;
  bool in_order = true;
  if (!old_ids || !new_ids) return; /* memory: the log is the poorer for it */
  for (size_t i = 0; i < before->rule_count; i++)
    if (str_set_find(new_ids, before->rules[i].id) == STR_SET_NONE)
      say_part(changes, "route", after->name, "rule", before->rules[i].id, "removed");
  for (size_t i = 0; i < after->rule_count; i++) {
    const struct rule *rule = &after->rules[i];
    const size_t old = str_set_find(old_ids, rule->id);
    if (old == STR_SET_NONE) {
      say_part(changes, "route", after->name, "rule", rule->id, "added");
      continue;
    }
    in_order = in_order && old >= last;
    last = old;
    if (before->rules[old].digest == rule->digest) continue;
    const struct outcome from = outcome_of(before, &before->rules[old]);
    const struct outcome to = outcome_of(after, rule);
    begin(changes, "route", after->name);
    text_printf(&changes->line, ": rule '%.*s': ", STR_ARG(rule->id));
    compare_outcomes(changes, &from, &to, "changed");
  }
  if (!in_order) say(changes, "route", after->name, "has its rules in another order");
}

static void compare_defaults(struct changes *changes, const struct route *before,
                             const struct route *after) {
  const struct outcome from = {before, before->has_default_split ? &before->default_split : NULL,
                               VARIANT_NONE};
  const struct outcome to = {after, after->has_default_split ? &after->default_split : NULL,
                             VARIANT_NONE};
  if (before->default_digest == after->default_digest) return;
  begin(changes, "route", after->name);
  text_add(&changes->line, STR(": default: "));
  compare_outcomes(changes, &from, &to, "changed");
}

static void compare_files(struct changes *changes, const struct route *before,
                          const struct route *after) {
  for (size_t i = 0; i < after->file_count; i++)
    for (size_t k = 0; k < before->file_count; k++)
      if (str_eq(before->files[k].path, after->files[i].path) &&
          before->files[k].digest != after->files[i].digest)
        say_part(changes, "route", after->name, "file", after->files[i].path, "changed");
}

/* The digests are 0 where it is not there. */
static void say_setting(struct changes *changes, const struct route *route, const char *setting,
                        uint64_t before, uint64_t after) {
  begin(changes, "route", route->name);
  text_printf(&changes->line, ": '%s' %s", setting,
              before == 0  ? "added"
              : after == 0 ? "removed"
                           : "changed");
  changes_end(changes);
}

static void compare_route(struct changes *changes, const struct route *before,
                          const struct route *after) {
  if (before == after) return; /* kept, as its file does not load */
  if (before->state != after->state) {
    begin(changes, "route", after->name);
    text_printf(&changes->line, ": state %s -> %s", route_state_name(before->state),
                route_state_name(after->state));
    changes_end(changes);
  }
  for (size_t i = 0; i < ROUTE_SETTINGS; i++)
    if (before->settings[i] != after->settings[i])
      say_setting(changes, after, route_settings[i], before->settings[i], after->settings[i]);
  compare_rules(changes, before, after);
  compare_defaults(changes, before, after);
  compare_files(changes, before, after);
}

/* ---- routes ---------------------------------------------------------------------------------- */

static struct str_set *names_of(struct changes *changes, const struct policy *policy) {
  struct str_set *names = str_set_new(changes->arena, policy_route_count(policy));
  for (size_t i = 0; names && i < policy_route_count(policy); i++)
    (void)str_set_add(names, policy_route(policy, i)->name, i);
  return names;
}

static void compare_routes(struct changes *changes, const struct policy *before,
                           const struct policy *after) {
  struct str_set *old_names = names_of(changes, before), *new_names = names_of(changes, after);
  if (!old_names || !new_names) return;
  for (size_t i = 0; i < policy_route_count(before); i++) {
    const struct str name = policy_route(before, i)->name;
    if (str_set_find(new_names, name) == STR_SET_NONE) say(changes, "route", name, "removed");
  }
  for (size_t i = 0; i < policy_route_count(after); i++) {
    const struct route *route = policy_route(after, i);
    const size_t old = str_set_find(old_names, route->name);
    if (old == STR_SET_NONE)
      say(changes, "route", route->name, "added");
    else
      compare_route(changes, policy_route(before, old), route);
  }
}

void policy_tell_changes(const struct policy *before, const struct policy *after,
                         policy_say_fn *tell, void *context) {
  struct changes changes = {.say = tell, .context = context, .arena = arena_new(ARENA_MAX_BYTES)};
  if (!changes.arena) return;
  text_init(&changes.line, LINE_BYTES_MAX);
  changes_compare_keys(&changes, policy_config(before), policy_config(after));
  compare_upstreams(&changes, policy_config(before), policy_config(after));
  compare_routes(&changes, before, after);
  if (changes.n > LINES_MAX) {
    text_clear(&changes.line);
    text_printf(&changes.line, "%zu changes more", changes.n - LINES_MAX);
    tell(context, text_str(&changes.line));
  }
  text_deinit(&changes.line);
  arena_free(&changes.arena);
}
