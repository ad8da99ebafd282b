/*
 * Every rule in order, with a mark, and every condition that was asked: attribute, operator, value,
 * and the value seen or why there is none.
 */
#include "adit/conditions.h"
#include "adit/text.h"
#include "adit/zone.h"
#include "cli/explanation.h"

static const char *const ARROW = "\xE2\x86\x92"; /* → */

static const char *rule_mark(enum rule_result result) {
  switch (result) {
    case RULE_SKIPPED:
      return EXPLANATION_SKIPPED;
    case RULE_UNMATCHED:
      return EXPLANATION_FALSE;
    case RULE_MATCHED:
      return EXPLANATION_TRUE;
    case RULE_UNKNOWN:
      return EXPLANATION_UNKNOWN;
  }
  return EXPLANATION_UNKNOWN;
}

static const char *condition_mark(enum tristate result) {
  switch (result) {
    case TRISTATE_FALSE:
      return EXPLANATION_FALSE;
    case TRISTATE_TRUE:
      return EXPLANATION_TRUE;
    case TRISTATE_UNKNOWN:
      return EXPLANATION_UNKNOWN;
  }
  return EXPLANATION_UNKNOWN;
}

static void add_cut(struct text *out, struct str s) {
  if (s.n <= EXPLANATION_VALUE_BYTES) {
    text_add(out, s);
    return;
  }
  size_t n = EXPLANATION_VALUE_BYTES;
  while (n > 0 && ((unsigned char)s.p[n] & 0xC0) == 0x80) n--;
  text_add(out, str_take(s, n));
  text_add(out, STR("..."));
}

/* ---- what a rule gives ----------------------------------------------------------------------- */

static void format_split(const struct route *route, const struct split *split, struct text *out) {
  for (size_t i = 0; i < route->canary_count; i++) {
    const unsigned buckets = split_weight(split, route->canaries[i]);
    if (buckets == 0) continue;
    explanation_format_percent(buckets, out);
    text_printf(out, " %.*s, ", STR_ARG(route->variants[route->canaries[i]].name));
  }
  text_printf(out, "the rest %.*s", STR_ARG(route->variants[route->stable].name));
}

static void format_target(const struct route *route, const struct rule *rule, struct text *out) {
  if (rule->to == VARIANT_NONE) {
    format_split(route, &rule->split, out);
  } else {
    text_add(out, route->variants[rule->to].name);
  }
}

/* ---- what was seen ----------------------------------------------------------------------------
 */

/* The zone that a local time is of. */
static void format_zone(const struct explanation *shown, const struct leaf *leaf,
                        struct text *out) {
  const struct attr_table *table = shown->decision->route->table;
  if (attr_table_channel(table, leaf->slot) != ATTR_FROM_LOCAL_TIME) return;
  struct str zone = zone_name(attr_table_zone(table));
  text_printf(out, "; in %.*s", STR_ARG(zone));
}

static void format_seen(const struct explanation *shown, const struct trace_condition *condition,
                        struct text *out) {
  const struct attr_value *value = condition->seen;
  switch (value ? value->state : ATTR_UNREAD) {
    case ATTR_UNREAD:
      text_add(out, STR("not read"));
      break;
    case ATTR_UNDECIDED:
      text_add(out, value->detail.p ? value->detail : STR("too costly to read"));
      break;
    case ATTR_MISSING:
      explanation_format_missing(shown, condition->attribute, value, out);
      break;
    case ATTR_PRESENT:
      text_add(out, STR("saw "));
      explanation_format_texts(value, out);
      explanation_format_distance(condition, out);
      format_zone(shown, condition->leaf, out);
      break;
  }
}

/* ---- rules ----------------------------------------------------------------------------------- */

static void format_condition(const struct explanation *shown,
                             const struct trace_condition *condition, struct text *out) {
  text_printf(out, "      %s %.*s %s ", condition_mark(condition->result),
              STR_ARG(condition->attribute), condition->op);
  add_cut(out, condition->value_json);
  text_add(out, STR("  ("));
  format_seen(shown, condition, out);
  text_add(out, STR(")\n"));
}

void explanation_format_rule(const struct explanation *shown, const struct trace_rule *rule,
                             struct text *out) {
  text_printf(out, "  %s %.*s %s ", rule_mark(rule->result), STR_ARG(rule->rule->id), ARROW);
  format_target(shown->decision->route, rule->rule, out);
  if (rule->result == RULE_SKIPPED) text_add(out, STR("  (not asked)"));
  if (rule->result != RULE_SKIPPED && !rule->rule->when) {
    text_add(out, STR("  (matches everything)"));
  }
  text_add_char(out, '\n');
  for (size_t i = 0; i < rule->condition_count; i++) {
    format_condition(shown, &rule->conditions[i], out);
  }
  explanation_format_needs(shown, rule, out);
}

void explanation_format_default(const struct explanation *shown, struct text *out) {
  const struct decision *decision = shown->decision;
  const struct route *route = decision->route;
  bool decided =
      !decision->rule && (decision->reason == REASON_DEFAULT || decision->reason == REASON_PINNED);
  text_printf(out, "  %s default %s ", decided ? EXPLANATION_TRUE : EXPLANATION_SKIPPED, ARROW);
  if (route->has_default_split) {
    format_split(route, &route->default_split, out);
  } else {
    text_add(out, route->variants[route->stable].name);
  }
  text_add(out, decided ? STR("\n") : STR("  (not asked)\n"));
}

void explanation_format_rules(const struct explanation *shown, struct text *out) {
  text_add_char(out, '\n');
  for (size_t i = 0; i < shown->trace->rule_count; i++) {
    explanation_format_rule(shown, &shown->trace->rules[i], out);
  }
  explanation_format_default(shown, out);
  explanation_format_attributes(shown, out);
}
