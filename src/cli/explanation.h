/*
 * explanation: a decision as text for people, private to src/cli.
 */
#ifndef ADIT_CLI_EXPLANATION_H
#define ADIT_CLI_EXPLANATION_H

#include "adit/policy.h"

struct text;

struct explanation {
  const struct policy *policy;
  const struct decide_request *request;
  const struct decision *decision;
  const struct rules_trace *trace;
  struct attr_reader *reader;   /* has begun the request when there is a route: reads split keys */
  struct policy_prober *prober; /* of the route; NULL: what a rule needs is not tried */
  struct str token;             /* what there is to say of its token; empty: nothing */
};

/* The decision first, then every rule in order and every condition with the value seen. */
void explanation_format(const struct explanation *shown, struct text *out);

/* Long lists and long values are cut for the eye; --json has them whole. */
enum { EXPLANATION_VALUE_BYTES = 200 };

#define EXPLANATION_TRUE    "\xE2\x9C\x93" /* ✓ */
#define EXPLANATION_FALSE   "\xE2\x9C\x97" /* ✗ */
#define EXPLANATION_UNKNOWN "?"
#define EXPLANATION_SKIPPED "\xC2\xB7" /* · */

/* ---- parts ----------------------------------------------------------------------------------- */

/* The line on the bucket: what chose it, or why there is none. Nothing where no split was asked. */
void explanation_format_draw(const struct explanation *shown, struct text *out);
void explanation_format_rules(const struct explanation *shown, struct text *out);
/* One of the trace's rules, and the default: a line with what it gives, and its conditions. */
void explanation_format_rule(const struct explanation *shown, const struct trace_rule *rule,
                             struct text *out);
void explanation_format_default(const struct explanation *shown, struct text *out);
/* One line on the i-th setting of the route (state, variants, force, sticky), with two blanks
 * before it. False: there are no more. The decision must have a route. */
bool explanation_format_setting(const struct explanation *shown, size_t i, struct text *out);
/* Behind the rules: which attributes they asked for, and whose word each is. */
void explanation_format_attributes(const struct explanation *shown, struct text *out);
/* A present value's texts, quoted. */
void explanation_format_texts(const struct attr_value *value, struct text *out);
/* "missing: ", and why: which field is not there or does not count, or what was refused. */
void explanation_format_missing(const struct explanation *shown, struct str attribute,
                                const struct attr_value *value, struct text *out);
/* "rule 'x' matches, …": the reason in words, with a newline. */
void explanation_format_reason(const struct explanation *shown, struct text *out);
/* Behind a value that was seen, by how much the condition fails, where that can be said: ": 2 days
 * before 2026-01-01". */
void explanation_format_distance(const struct trace_condition *condition, struct text *out);
/* The same for what is not ordered: networks, paths, shares, values of a file, several patterns. */
void explanation_format_outside(const struct leaf *leaf, const struct attr_datum *value,
                                struct text *out);
/* Of a negative operator: which of the values it is that is not wanted. */
void explanation_format_excluded(const struct leaf *leaf, const struct attr_value *value,
                                 struct text *out);
/* The value that is nearest to what the leaf asks for; NULL: there is none to name. */
const struct attr_datum *explanation_nearest_value(const struct leaf *leaf,
                                                   const struct attr_value *value);
/* One line: the conditions that would have to be otherwise for the rule to decide, as few as can
 * be, or that none would help. Nothing where one condition says so itself. */
void explanation_format_needs(const struct explanation *shown, const struct trace_rule *rule,
                              struct text *out);
/* "25 %", "0.5 %", "33.33 %" of a number of buckets. */
void explanation_format_percent(unsigned buckets, struct text *out);
/* The beginning of a line of the summary, as wide as all are. */
void explanation_label(struct text *out, const char *label);

#endif
