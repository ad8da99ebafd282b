/*
 * The attributes that rules asked for: each with its value, and the sources it could come from, in
 * their order; the one whose word it is is marked, and for each whose word is believed.
 */
#include "adit/conditions.h"
#include "adit/text.h"
#include "cli/explanation.h"

enum { SLOTS_MAX = 4096, NAME_WIDTH = 18 };

/* ---- values ---------------------------------------------------------------------------------- */

void explanation_format_texts(const struct attr_value *value, struct text *out) {
  for (size_t i = 0; i < value->n; i++) {
    if (i) text_add(out, STR(", "));
    struct str whole = value->data[i].text;
    text_add_json(out, str_take(whole, EXPLANATION_VALUE_BYTES));
    if (whole.n > EXPLANATION_VALUE_BYTES) text_add(out, STR("..."));
  }
}

/* ---- why a value is missing ------------------------------------------------------------------ */

static uint16_t find_slot(const struct attr_table *table, struct str name) {
  for (size_t slot = 0; slot < attr_table_size(table); slot++) {
    if (str_eq(attr_table_name(table, (uint16_t)slot), name)) return (uint16_t)slot;
  }
  return ATTR_SLOT_NONE;
}

/* The field names that feed the attribute: all of them, or those that the request has. */
static size_t add_field_names(const struct explanation *shown, uint16_t slot, bool only_present,
                              struct text *out) {
  const struct attr_table *table = shown->decision->route->table;
  size_t added = 0;
  struct str name, value;
  size_t n = attr_table_request_fields(table, slot, 0, &name);
  for (size_t k = 0; k < n; k++) {
    attr_table_request_fields(table, slot, k, &name);
    if (only_present && !attr_request_header(&shown->request->attr, name, 0, &value)) continue;
    text_printf(out, "%s%.*s", added++ ? " or " : "", STR_ARG(name));
  }
  return added;
}

void explanation_format_missing(const struct explanation *shown, struct str attribute,
                                const struct attr_value *value, struct text *out) {
  const struct attr_table *table = shown->decision->route->table;
  uint16_t slot = find_slot(table, attribute);
  text_add(out, STR("missing: "));
  if (value->why == ATTR_MISSING_UNPARSABLE && slot != ATTR_SLOT_NONE) {
    text_add_json(out, str_take(value->refused, EXPLANATION_VALUE_BYTES));
    enum attr_type type = attr_table_type(table, slot);
    if (type == ATTR_DURATION) type = ATTR_TIME; /* an age is missing when its time is */
    text_printf(out, " does not parse as %s", attr_type_name(type));
    return;
  }
  if (value->why == ATTR_MISSING_NOT_SUPPLIED) {
    text_add(out, value->detail);
    return;
  }
  bool present = value->why == ATTR_MISSING_UNTRUSTED || value->why == ATTR_MISSING_REPEATED;
  if (slot == ATTR_SLOT_NONE || !add_field_names(shown, slot, present, out)) {
    text_add(out, attribute);
  }
  text_printf(out, " is %s", attr_missing_text(value->why));
}

/* ---- sources --------------------------------------------------------------------------------- */

/* Whose word a source takes, in words. */
static const char *trust_text(const struct attr_source_info *source) {
  switch (source->kind) {
    case SOURCE_HEADER:
      return source->from_anyone ? "anyone's word" : "a trusted proxy's word";
    case SOURCE_COOKIE:
    case SOURCE_QUERY:
      return "anyone's word";
    case SOURCE_JWT:
      return "verified by its signature";
    case SOURCE_GEOIP:
    case SOURCE_CIDR:
      return "by client_ip";
    case SOURCE_LOOKUP:
      return "as good as its key";
    case ATTR_SOURCE_KINDS:
      break;
  }
  return "";
}

static const char *source_mark(const struct attr_value *value, size_t k) {
  if (value->source != k) return EXPLANATION_SKIPPED;
  return value->state == ATTR_PRESENT ? EXPLANATION_TRUE : EXPLANATION_FALSE;
}

static void format_sources(const struct attr_table *table, uint16_t slot,
                           const struct attr_value *value, struct text *out) {
  struct attr_source_info source;
  for (size_t k = 0; attr_table_source(table, slot, k, &source); k++)
    text_printf(out, "      %s %.*s: %s\n", source_mark(value, k), STR_ARG(source.json),
                trust_text(&source));
}

/* Those of what the client says of itself. */
static void format_fields(const struct attr_table *table, uint16_t slot,
                          const struct attr_value *value, struct text *out) {
  struct str name;
  size_t n = attr_table_request_fields(table, slot, 0, &name);
  for (size_t k = 0; k < n; k++) {
    attr_table_request_fields(table, slot, k, &name);
    text_printf(out, "      %s %.*s: anyone's word\n", source_mark(value, k), STR_ARG(name));
  }
}

/* One that is given has no source: it stands for what they would say. */
static bool is_given(const struct explanation *shown, struct str name) {
  const struct attr_request *request = &shown->request->attr;
  for (size_t i = 0; i < request->given_count; i++)
    if (str_eq(request->given[i].name, name)) return true;
  return false;
}

static void format_attribute(const struct explanation *shown, uint16_t slot,
                             const struct attr_value *value, struct text *out) {
  const struct attr_table *table = shown->decision->route->table;
  struct str name = attr_table_name(table, slot);
  text_printf(out, "  %-*.*s ", NAME_WIDTH, STR_ARG(name));
  if (value->state == ATTR_PRESENT)
    explanation_format_texts(value, out);
  else if (value->state == ATTR_MISSING)
    explanation_format_missing(shown, name, value, out);
  else
    text_add(out, value->detail.p ? value->detail : STR("too costly to read"));
  if (is_given(shown, name)) {
    text_add(out, shown->request->recorded ? STR(", as logged\n") : STR(", as given\n"));
    return;
  }
  text_add_char(out, '\n');
  bool is_agent = attr_table_channel(table, slot) == ATTR_FROM_AGENT;
  (is_agent ? format_fields : format_sources)(table, slot, value, out);
}

/* What header., cookie. and query. are is in their names; what path and the like are, too. */
static bool has_story(const struct attr_table *table, uint16_t slot) {
  struct attr_source_info source;
  enum attr_channel channel = attr_table_channel(table, slot);
  if (channel == ATTR_FROM_AGENT) return true;
  return channel == ATTR_FROM_SOURCES && attr_table_source(table, slot, 0, &source) &&
         source.json.p;
}

void explanation_format_attributes(const struct explanation *shown, struct text *out) {
  const struct attr_table *table = shown->decision->route->table;
  bool listed[SLOTS_MAX] = {false};
  size_t count = 0;
  for (size_t i = 0; i < shown->trace->rule_count; i++) {
    const struct trace_rule *rule = &shown->trace->rules[i];
    for (size_t k = 0; k < rule->condition_count; k++) {
      uint16_t slot = rule->conditions[k].leaf->slot;
      if (attr_table_channel(table, slot) == ATTR_FROM_AGE) slot = attr_table_base(table, slot);
      if (listed[slot] || !has_story(table, slot)) continue;
      listed[slot] = true;
      if (count++ == 0) text_add(out, STR("\nattributes\n"));
      format_attribute(shown, slot, attr_read(shown->reader, slot), out);
    }
  }
}
