/*
 * index: which rules of a route a request can match at all; private to src/rules.
 *
 * A rule is found by a *key*: leaves of which one must be true for the rule to be true. Where all
 * of them are false or unknown the rule cannot match, whatever a limit leaves open of the rest, and
 * is not asked. Keys that look at one attribute are kept as a space of its values (index_space.h);
 * which leaves may be a key is decided in index_keys.c; rules without a key are always asked.
 *
 * Nobody can tell an index from asking all rules in order: not by the outcome, nor by what is left
 * of the request's budget for patterns, nor by whether the time was read. (Compared in
 * tests/unit/test_rules_index.c and tests/fuzz/fuzz_rules_index.c; docs/adr/0009-rule-index.md.)
 */
#ifndef ADIT_RULES_INDEX_H
#define ADIT_RULES_INDEX_H

#include "adit/rules.h"

struct index_space;

struct rule_index {
  size_t rule_count;
  const struct index_space *spaces; /* in ascending order of the first rule in them */
  size_t space_count;
  const uint32_t *unkeyed; /* rules that are always asked, ascending */
  size_t unkeyed_count;
};

enum {
  INDEX_RULES_MIN = 16, /* fewer are asked one by one sooner than they are looked up */
  WALK_RUNS_MAX = 128
};

/*
 * Builds the index of route->rules in `arena`; `scratch` may be reset afterwards. *ret is NULL when
 * there is nothing to gain. False: memory, which the arenas remember.
 */
bool rule_index_build(const struct route *route, struct arena *arena, struct arena *scratch,
                      const struct rule_index **ret);

/* Ascending numbers of rules. */
struct rule_run {
  const uint32_t *at, *end;
};

/* The rules to ask of one request, in order. */
struct rule_walk {
  const struct rule_index *index;
  size_t next_space; /* this one and those behind it have not been looked at */
  size_t next_rule;  /* all before it have been given, or cannot match */
  bool all;          /* every rule from there on is given */
  size_t run_count;
  struct rule_run runs[WALK_RUNS_MAX]; /* none is empty; a heap, the lowest number on top */
};

void rule_walk_begin(struct rule_walk *walk, const struct rule_index *index);
/* The next rule to ask; from index->rule_count on there are none. Reads attributes that decide
 * whether it is to be asked. */
size_t rule_walk_next(struct rule_walk *walk, struct attr_reader *reader);

#endif
