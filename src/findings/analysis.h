/*
 * analysis: one route while it is looked at; what the files of src/findings share.
 *
 *   findings.c     the order of things
 *   analysis.c     asking: is it possible, and for which request
 *   territory.c    which requests are the route's, as a condition
 *   rules.c        rules that never match, are shadowed, are over, change nothing
 *   contradiction.c  why a rule can never match
 *   splits.c       splits that draw nobody or everybody
 *   patterns.c     regular expressions
 *   unused.c       variants, segments, attributes
 *   routes.c       routes that take each other's requests
 *   notes.c        what needs no proof
 *   prober.c       requests for who writes tests (adit/prober.h)
 *   below them: search, values, domain (what can be), model (a request for it), pattern
 */
#ifndef ADIT_FINDINGS_ANALYSIS_H
#define ADIT_FINDINGS_ANALYSIS_H

#include "adit/findings.h"
#include "adit/json.h"
#include "model.h"

enum {
  /* Of one file; a step is about the cost of asking a few leaves. */
  ANALYSIS_STEPS = 6000000,
  STEP_BYTES = 128, /* of memory that a search takes cost as much */
  ANALYSIS_LEAVES_MAX = 200000,
  ANALYSIS_BYTES_MAX = 512 << 20,
  SEARCH_BYTES_MAX = 64 << 20,
  LEAF_SHOWN_MAX = 160
};

struct analysis {
  const struct findings_input *input;
  const struct route *route;
  const struct json_doc *doc;
  struct findings *findings;
  struct arena *arena; /* as long as the route is looked at */
  struct arena *tried; /* one search's */
  struct regex_scratch *scratch;
  struct attr_reader *reader;
  struct domains domains;
  const struct slot_values **values; /* by slot, before anything is assumed */
  const struct condition
      *territory;                /* what is true of each of the route's requests; NULL: nothing */
  const struct condition *clock; /* now is not before input->now_ms; NULL: nobody asks */
  struct model_base base;
  bool has_base;        /* a request of the route is known */
  size_t steps;         /* left */
  size_t *costs;        /* by rule: of asking all rules before it, in leaves */
  struct str *examples; /* by rule: a request that it decides; p == NULL: none is known */
  bool *idle;           /* by rule: it was found never to decide; NULL: nothing is known */
};

/* ---- opening (findings.c) ---- */

/* Learns the domains of the route's conditions. False: they are not known, or there are no means.
 * `doc` and `findings` are the caller's to set. To be closed in any case. */
bool analysis_open(struct analysis *analysis, const struct findings_input *input,
                   const struct route *route);
void analysis_close(struct analysis *analysis);
/* Whether there was memory for what all parts need. */
bool analysis_has_means(const struct analysis *analysis);

/* ---- reporting ---- */

void report(struct analysis *analysis, enum finding_kind kind, struct diag_place at,
            const struct rule *rule, struct str witness, const char *hint, const char *format, ...)
    __attribute__((format(printf, 7, 8)));
struct diag_place place_of_rule(const struct analysis *analysis, const struct rule *rule);
/* The leaf's own place where that is in the rule file, else the rule's. */
struct diag_place place_of_leaf(const struct analysis *analysis, const struct rule *rule,
                                const struct leaf *leaf);
/* "'region' eq "a"", cut; `buffer`: LEAF_SHOWN_MAX. */
const char *leaf_show(const struct leaf *leaf, char *buffer);
const struct cJSON *rule_node(const struct analysis *analysis, const struct rule *rule);
/* Calls `visit` with each leaf, segments opened; stops when it returns false. */
bool visit_leaves(const struct condition *condition,
                  bool (*visit)(void *context, const struct leaf *leaf), void *context);

/* ---- asking ---- */

/* The goals that hold for each request of the route that is asked from now on (`clocked`) or ever.
 */
const struct goal *base_goals(struct analysis *analysis, bool clocked);
/* Runs a search for `goals`, which are of analysis->tried; what was tried stays until the next
 * analysis_begin. */
enum verdict analysis_search(struct analysis *analysis, const struct goal *goals, search_end *end,
                             void *context);
/* Takes from what the file may still cost. */
void analysis_spend(struct analysis *analysis, size_t steps);
/* Forgets what was tried before. */
void analysis_begin(struct analysis *analysis);
/* Reads a request and begins it with analysis->reader. False: it is not a request of the route. */
bool analysis_ask(struct analysis *analysis, struct str json);
/* Whether the program as it decides says so of a witness: the rule (NULL: any) is what decides. */
bool analysis_confirms(struct analysis *analysis, struct str json, const struct rule *rule);
struct str keep(struct analysis *analysis, struct str s);

/* ---- parts ---- */

bool territory_build(struct analysis *analysis);
void find_in_rules(struct analysis *analysis);
/* Reports why a rule can never match. */
void report_contradiction(struct analysis *analysis, const struct rule *rule);
void find_in_splits(struct analysis *analysis);
void find_in_patterns(struct analysis *analysis);
void find_unused(struct analysis *analysis);
void find_in_routes(struct analysis *analysis);
void find_claims(struct analysis *analysis);
void find_notes(struct analysis *analysis);

#endif
