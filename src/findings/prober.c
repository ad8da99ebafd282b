/*
 * A request is made up from the aim and what is the route's, and decided. An earlier rule that
 * takes it is assumed not to match, and the next is made up. When none is left the earlier rules
 * take all.
 */
#include "adit/prober.h"

#include <stdlib.h>

#include "adit/text.h"
#include "analysis.h"

enum { TAKEN_MAX = 4096, REQUEST_BYTES_MAX = 1 << 16, TRACE_BYTES_MAX = 64 << 20 };

struct prober {
  struct analysis analysis;
  bool ready;          /* the route's domains are known */
  struct arena *asked; /* the last decision's trace */
  struct text json;
  struct decision decision;
  struct rules_trace trace;
  const struct probe *probe;
  size_t taken; /* requests of this probe that went to earlier rules */
};

struct prober *prober_new(const struct findings_input *input, const struct route *route) {
  struct prober *prober = calloc(1, sizeof(*prober));
  if (!prober) return NULL;
  text_init(&prober->json, REQUEST_BYTES_MAX);
  prober->asked = arena_new(TRACE_BYTES_MAX);
  prober->ready = analysis_open(&prober->analysis, input, route);
  if (!prober->asked || !analysis_has_means(&prober->analysis)) prober_free(&prober);
  return prober;
}

void prober_free(struct prober **prober) {
  struct prober *old = *prober;
  *prober = NULL;
  if (!old) return;
  analysis_close(&old->analysis);
  arena_free(&old->asked);
  text_deinit(&old->json);
  free(old);
}

/* ---- deciding -------------------------------------------------------------------------------- */

/* Whether the rule that is meant is asked at all. */
static bool is_reached(const struct prober *prober) {
  const struct rule *taker = prober->decision.rule;
  return prober->decision.reason != REASON_LIMIT && (!taker || taker >= prober->probe->rule);
}

static bool are_as_wanted(const struct probe *probe, const struct trace_rule *rule) {
  for (size_t i = 0; probe->leaves && i < rule->condition_count; i++) {
    enum tristate wanted = probe->leaves[i];
    if (wanted != TRISTATE_UNKNOWN && rule->conditions[i].result != wanted) return false;
  }
  return true;
}

static bool is_met(const struct prober *prober) {
  const struct probe *probe = prober->probe;
  const struct decision *decision = &prober->decision;
  size_t index = (size_t)(probe->rule - prober->analysis.route->rules);
  if (!is_reached(prober) || index >= prober->trace.rule_count) return false;
  const struct trace_rule *rule = &prober->trace.rules[index];
  bool has_leaf = probe->leaf < rule->condition_count;
  switch (probe->aim) {
    case PROBE_DECIDES:
      return decision->rule == probe->rule && are_as_wanted(probe, rule);
    case PROBE_FAILS:
      return rule->result == RULE_UNMATCHED || rule->result == RULE_UNKNOWN;
    case PROBE_LEAF_TRUE:
      return has_leaf && rule->conditions[probe->leaf].result == TRISTATE_TRUE;
    case PROBE_LEAF_FALSE:
      break;
  }
  return has_leaf && rule->conditions[probe->leaf].result == TRISTATE_FALSE;
}

static void charge(struct prober *prober, size_t steps) {
  struct analysis *analysis = &prober->analysis;
  analysis->steps -= steps < analysis->steps ? steps : analysis->steps;
}

/* What a decision costs without its trace, which asks few of the rules, and with it, which keeps
 * all leaves. */
static size_t price(const struct prober *prober, bool traced) {
  const struct route *route = prober->analysis.route;
  const struct rule *taker = prober->decision.rule;
  size_t rules = taker ? (size_t)(taker - route->rules) + 1 : route->rule_count;
  size_t leaves = 0;
  for (size_t i = 0; traced && i < prober->trace.rule_count; i++)
    leaves += prober->trace.rules[i].condition_count;
  return 8 + (traced ? 2 * (rules + leaves) : rules / 4);
}

/* Decides the request that is written, with its trace where the rule is reached. False: it is none
 * of the route. */
static bool ask(struct prober *prober) {
  const struct findings_input *input = prober->analysis.input;
  struct decide_request request;
  if (!input->read(input->context, text_str(&prober->json), &request)) return false;
  prober->trace = (struct rules_trace){0};
  decide(input->decider, &request, &prober->decision, NULL, NULL);
  charge(prober, price(prober, false));
  if (prober->decision.route != prober->analysis.route) return false;
  if (!is_reached(prober)) return true;
  arena_reset(prober->asked);
  decide(input->decider, &request, &prober->decision, &prober->trace, prober->asked);
  charge(prober, price(prober, true));
  return true;
}

static bool write_and_ask(struct prober *prober, struct search *search, bool says_now) {
  struct model_base base = prober->analysis.base;
  base.says_now = says_now;
  text_clear(&prober->json);
  return model_write(&base, search, &prober->json) && ask(prober);
}

static enum verdict reach(void *context, const struct search *search,
                          const struct goal **ret_more) {
  struct prober *prober = context;
  struct analysis *analysis = &prober->analysis;
  /* The end is told of the search that it belongs to. */
  struct search *own = (struct search *)(uintptr_t)search;
  if (!analysis->has_base || !write_and_ask(prober, own, false)) return VERDICT_OPEN;
  if (is_met(prober)) {
    /* Its outcome is to be the same tomorrow. */
    if (!prober->decision.time_was_read) return VERDICT_FOUND;
    return write_and_ask(prober, own, true) && is_met(prober) ? VERDICT_FOUND : VERDICT_OPEN;
  }
  const struct rule *taker = prober->decision.rule;
  if (!taker || taker >= prober->probe->rule || prober->decision.reason == REASON_LIMIT ||
      prober->taken++ == TAKEN_MAX)
    return VERDICT_OPEN;
  *ret_more = goal_add(analysis->tried, NULL, taker->when, ASSUME_NOT_TRUE);
  return VERDICT_OPEN;
}

/* ---- what is assumed ------------------------------------------------------------------------- */

static const struct condition *leaf_at(const struct condition *node, size_t leaf) {
  while (node && node->kind != CONDITION_LEAF) {
    const struct condition *within = NULL;
    for (size_t i = 0; i < node->as.children.n && !within; i++) {
      const struct condition *child = node->as.children.items[i];
      if (leaf < child->leaf_count) {
        within = child;
      } else {
        leaf -= child->leaf_count;
      }
    }
    node = within;
  }
  return node;
}

/* Adds what the leaves of the node, which begin at `leaves`, are to be. */
static const struct goal *leaf_goals(struct arena *arena, const struct goal *goals,
                                     const struct condition *node, const enum tristate *leaves) {
  if (node->kind == CONDITION_LEAF) {
    if (*leaves == TRISTATE_UNKNOWN) return goals;
    return goal_add(arena, goals, node, *leaves == TRISTATE_TRUE ? ASSUME_TRUE : ASSUME_FALSE);
  }
  for (size_t i = 0; goals && i < node->as.children.n; i++) {
    goals = leaf_goals(arena, goals, node->as.children.items[i], leaves);
    leaves += node->as.children.items[i]->leaf_count;
  }
  return goals;
}

static const struct goal *aim_goals(struct prober *prober) {
  const struct probe *probe = prober->probe;
  struct analysis *analysis = &prober->analysis;
  analysis_begin(analysis);
  const struct goal *base = base_goals(analysis, false);
  const struct condition *when = probe->rule->when;
  switch (probe->aim) {
    case PROBE_DECIDES:
      base = goal_add(analysis->tried, base, when, ASSUME_TRUE);
      if (!base || !probe->leaves) return base;
      return leaf_goals(analysis->tried, base, when, probe->leaves);
    case PROBE_FAILS:
      return goal_add(analysis->tried, base, when, ASSUME_NOT_TRUE);
    case PROBE_LEAF_TRUE:
      return goal_add(analysis->tried, base, leaf_at(when, probe->leaf), ASSUME_TRUE);
    case PROBE_LEAF_FALSE:
      break;
  }
  return goal_add(analysis->tried, base, leaf_at(when, probe->leaf), ASSUME_FALSE);
}

static enum probe_verdict find(struct prober *prober) {
  struct analysis *analysis = &prober->analysis;
  const struct goal *goals = prober->ready ? aim_goals(prober) : NULL;
  if (!goals) return PROBE_OPEN;
  if (analysis_search(analysis, goals, NULL, NULL) == VERDICT_IMPOSSIBLE) return PROBE_IMPOSSIBLE;
  goals = aim_goals(prober);
  if (!goals) return PROBE_OPEN;
  switch (analysis_search(analysis, goals, reach, prober)) {
    case VERDICT_FOUND:
      return PROBE_FOUND;
    case VERDICT_IMPOSSIBLE:
      return PROBE_TAKEN;
    case VERDICT_OPEN:
      break;
  }
  return PROBE_OPEN;
}

struct probe_answer prober_find(struct prober *prober, const struct probe *probe) {
  size_t before = prober->analysis.steps;
  prober->probe = probe;
  prober->taken = 0;
  struct probe_answer answer = {.verdict = find(prober)};
  answer.steps = before - prober->analysis.steps;
  if (answer.verdict == PROBE_FOUND) {
    answer.json = text_str(&prober->json);
    answer.decision = &prober->decision;
    answer.trace = &prober->trace;
  }
  return answer;
}
