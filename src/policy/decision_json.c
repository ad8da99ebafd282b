#include "adit/policy.h"
#include "adit/text.h"

/* A member whose value is a text, or null. */
static void add_name(struct text *out, struct str key, struct str name) {
  text_add(out, key);
  if (name.p)
    text_add_json(out, name);
  else
    text_add(out, STR("null"));
}

/* The text seen, of a list the texts, else null. */
static void add_seen(struct text *out, const struct attr_value *seen) {
  text_add(out, STR(",\"seen\":"));
  if (!seen || seen->state != ATTR_PRESENT) {
    text_add(out, STR("null"));
    return;
  }
  if (!seen->is_list) {
    text_add_json(out, seen->data[0].text);
    return;
  }
  for (size_t i = 0; i < seen->n; i++) {
    text_add_char(out, i == 0 ? '[' : ',');
    text_add_json(out, seen->data[i].text);
  }
  text_add_char(out, ']');
}

static struct str tristate_text(enum tristate value) {
  switch (value) {
    case TRISTATE_FALSE:
      return STR("false");
    case TRISTATE_TRUE:
      return STR("true");
    case TRISTATE_UNKNOWN:
      break;
  }
  return STR("null");
}

static void add_condition(struct text *out, const struct trace_condition *condition) {
  text_add_char(out, '{');
  add_name(out, STR("\"attribute\":"), condition->attribute);
  add_name(out, STR(",\"op\":"), str_from_cstr(condition->op));
  text_add(out, STR(",\"value\":"));
  text_add(out, condition->value_json);
  add_seen(out, condition->seen);
  text_add(out, STR(",\"result\":"));
  text_add(out, tristate_text(condition->result));
  text_add_char(out, '}');
}

static void add_rule(struct text *out, const struct trace_rule *rule) {
  text_add_char(out, '{');
  add_name(out, STR("\"id\":"), rule->rule->id);
  add_name(out, STR(",\"result\":"), str_from_cstr(rule_result_name(rule->result)));
  text_add(out, STR(",\"conditions\":["));
  for (size_t i = 0; i < rule->condition_count; i++) {
    if (i > 0) text_add_char(out, ',');
    add_condition(out, &rule->conditions[i]);
  }
  text_add(out, STR("]}"));
}

void decision_to_json(const struct decision *decision, const struct rules_trace *trace,
                      struct text *out) {
  const struct route *route = decision->route;
  struct str absent = {0};
  text_add_char(out, '{');
  add_name(out, STR("\"route\":"), route ? route->name : absent);
  add_name(out, STR(",\"variant\":"), route ? route->variants[decision->variant].name : absent);
  add_name(out, STR(",\"reason\":"), str_from_cstr(decide_reason_name(decision->reason)));
  add_name(out, STR(",\"rule\":"), decision->rule ? decision->rule->id : absent);
  if (decision->bucket >= 0)
    text_printf(out, ",\"bucket\":%d", decision->bucket);
  else
    text_add(out, STR(",\"bucket\":null"));
  if (route && decision->is_overridden)
    text_printf(out, ",\"override\":{\"state\":\"%s\",\"file_state\":\"%s\"}",
                route_state_name(decision->state), route_state_name(route->state));
  if (trace) {
    text_add(out, STR(",\"rules\":["));
    for (size_t i = 0; i < trace->rule_count; i++) {
      if (i > 0) text_add_char(out, ',');
      add_rule(out, &trace->rules[i]);
    }
    text_add_char(out, ']');
  }
  text_add_char(out, '}');
}
