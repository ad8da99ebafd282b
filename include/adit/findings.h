/*
 * findings: what the author of a rule file cannot have meant, proved from the compiled rules. Pure.
 *
 * A finding is made only when it is proved, and shown by a request where there is one (a witness,
 * asked of the rules before it is shown). Everything is bounded by steps, not by time: beyond them
 * nothing is claimed. A note needs no proof; it says what is worth a look.
 */
#ifndef ADIT_FINDINGS_H
#define ADIT_FINDINGS_H

#include "adit/arena.h"
#include "adit/decide.h"
#include "adit/diag.h"

struct json_doc;

enum finding_kind {
  FINDING_NEVER,         /* a rule that contradicts itself, or the route's match */
  FINDING_SHADOWED,      /* a rule whose requests earlier ones take, all of them */
  FINDING_EXPIRED,       /* a rule that matches at no time to come */
  FINDING_PASSED,        /* a condition on now that holds at every time to come */
  FINDING_NOBODY,        /* a split that draws nobody */
  FINDING_EVERYBODY,     /* a split that draws everybody */
  FINDING_NO_EFFECT,     /* a rule that gives what follows it would give */
  FINDING_UNUSED,        /* a variant, segment or attribute */
  FINDING_ROUTES,        /* a longer prefix that loses to a more specific host */
  FINDING_PATTERN_TEXT,  /* a pattern that another operator says */
  FINDING_PATTERN_ALL,   /* a pattern that everything matches */
  FINDING_PATTERN_LIMIT, /* a pattern that a short text drives to the match limit */
  FINDING_CLOSED_GROUP,  /* a canary for staff or the like, and for whoever says that he is */
  NOTE_CLIENT_SAYS,      /* a canary for whoever says so */
  NOTE_OPEN_FORCE,       /* anyone may force */
  NOTE_MISSING,          /* a negative operator on what may be missing */
  NOTE_PROXIES           /* trusted proxies within networks that rules ask for */
};

struct finding {
  enum finding_kind kind;
  enum diag_level level; /* DIAG_WARNING or DIAG_NOTE */
  struct diag_place at;
  const struct rule *rule; /* NULL: it is of none */
  const char *message;
  const char *hint;   /* NULL: none */
  struct str witness; /* a request as `explain --batch` takes it; p == NULL: none */
};

/* In order of discovery. */
struct findings {
  struct arena *arena; /* the caller's; holds all that is found */
  VEC(struct finding) list;
};

struct findings_input {
  const struct route *const *routes; /* all that are served together */
  size_t route_count;
  const struct router *router;
  struct decider *decider; /* of that router */
  int64_t now_ms;          /* what is over, and what a witness takes for now */
  bool notes;
  const struct ip_network *trusted_proxies;
  size_t trusted_proxy_count;
  /* Reads a request as `explain --batch` would; it is valid until the next call. */
  bool (*read)(void *context, struct str json, struct decide_request *ret);
  void *context;
};

/*
 * Adds what is found in one of the routes, whose file is `doc`. A route is taken as if its state
 * were `on`. False: memory ran out; what is in the list holds all the same.
 */
bool findings_of_route(const struct findings_input *input, const struct route *route,
                       const struct json_doc *doc, struct findings *findings);

/* Each as a diagnostic, followed by a note with its witness. */
void findings_report(const struct findings *findings, struct diags *diags);

#endif
