/*
 * decide: off, force, full, rules, pin, default → one decision; and the sticky cookie. Pure: time
 * and randomness are arguments.
 */
#ifndef ADIT_DECIDE_H
#define ADIT_DECIDE_H

#include "adit/rules.h"

struct arena;

enum decide_reason {
  REASON_NO_ROUTE,
  REASON_AMBIGUOUS, /* the path's other readings are another rule's, or another route's */
  REASON_OFF,
  REASON_FORCED,
  REASON_FULL,
  REASON_RULE,
  REASON_PINNED,
  REASON_DEFAULT,
  REASON_LIMIT,
  REASON_FAILOVER /* given by the gateway, never by decide() */
};
const char *decide_reason_name(enum decide_reason reason); /* "no_route", … */

/* ---- the sticky cookie ----------------------------------------------------------------------- */

/* Keys that sign (the first) and verify (all) cookies. Immutable. */
struct sticky_key {
  struct str id; /* a name of the contract */
  struct str secret;
};

enum { ANONYMOUS_ID_BYTES = 16, COOKIE_VALUE_MAX = 512, COOKIES_TRIED_MAX = 4 };

/* What a cookie says. */
struct sticky_cookie {
  struct str variant; /* p == NULL: no pin */
  uint32_t epoch;
  uint8_t anonymous_id[ANONYMOUS_ID_BYTES];
  int64_t issued_ms;
};

enum cookie_verdict {
  COOKIE_NOT_READ, /* no split was reached, or the route has no cookie */
  COOKIE_ABSENT,
  COOKIE_VALID,    /* pin valid, or a valid cookie without a pin */
  COOKIE_VOID_PIN, /* verified; its pin is of an older epoch or of no canary */
  COOKIE_EXPIRED,
  COOKIE_FORGED, /* the tag does not fit, or an unknown key id */
  COOKIE_MALFORMED
};
const char *cookie_verdict_name(enum cookie_verdict verdict);

/* ---- deciding -------------------------------------------------------------------------------- */

/*
 * What a log tells of a decision that is to be made again, beside the attributes. The log does not
 * have the header or cookie that forces: whoever forced a variant does so again where `force` is
 * the same, and so nobody else does.
 */
struct decide_recorded {
  struct str forced; /* the variant that was forced; p == NULL: none */
  /* The route whose `force` found `forced`, or that there was none; NULL: not known, or nobody
   * looked. */
  const struct route *force_of;
  struct str overridden;      /* the route whose state was overridden; p == NULL: none was */
  enum route_state state;     /* with `overridden`: by the override */
  enum cookie_verdict cookie; /* COOKIE_NOT_READ: nobody knows what the cookie would have said */
  struct str pin;             /* of a valid cookie; p == NULL: none */
  int bucket;                 /* of the key of `split`; -1: not told */
  /* The route and the split that cookie, pin and bucket are of; NULL: not known, so that they tell
   * nothing of another one. */
  const struct route *route;
  const struct split *split;
  bool assume_no_force; /* where it is not known whether somebody who forced nothing would do so
                           now, he would not */
  bool assume_no_pin;   /* where it is not known whether there was a pin, there was none */
  bool was_ambiguous;   /* the path was: nothing else is told */
};

/* What is missing in a record for a decision to be made again. */
enum decide_unknown {
  UNKNOWN_NOTHING,
  UNKNOWN_ATTRIBUTE, /* decision.unknown_slot */
  UNKNOWN_FORCE,     /* whether the request forces a variant, or which */
  UNKNOWN_PIN,       /* whether a cookie pinned a variant */
  UNKNOWN_BUCKET     /* what the visitor draws */
};

/* What is asked. Zero-initialise and fill; `attr` must hold. */
struct decide_request {
  struct attr_request attr;
  const struct decide_recorded *recorded; /* with attr.recorded; NULL: not of a log */
  bool ignore_cookie;                     /* tests */
  struct str pin;  /* batch and tests: stands for a valid pin to this variant; p == NULL: none */
  bool has_bucket; /* batch and tests: the key's bucket */
  unsigned bucket;
  bool draw; /* run: make an anonymous id when there is none, and a cookie */
  /* With `draw`: gives random bytes; false fails (then no id is made). */
  bool (*random)(void *context, void *ret, size_t n);
  void *random_context;
};

struct decision {
  const struct route *route; /* NULL: REASON_NO_ROUTE, REASON_AMBIGUOUS; all else is meaningless */
  uint16_t variant;
  enum decide_reason reason;
  enum route_state state;            /* of the route, by which it was decided */
  bool is_overridden;                /* it was an override's, not the file's */
  const struct rule *rule;           /* NULL: none decided */
  int bucket;                        /* -1: the bucket did not choose */
  const struct route_mirror *mirror; /* by which a copy of the request may go to another variant;
                                        the share is for the caller to draw. NULL: none */
  enum cookie_verdict cookie;
  bool forced_by_cookie;    /* REASON_FORCED: the cookie counted, not the header */
  unsigned cookies_refused; /* forged, expired or malformed ones that were looked at */
  struct str set_cookie; /* the value of a Set-Cookie field; p == NULL: none. Valid until the next
                            decide() */
  bool private_response; /* set_cookie, forced or pinned: Cache-Control: private where storable */
  bool time_was_read;    /* a present attribute that depends on the time was read */
  bool pending; /* an attribute that matters is being fetched: decide again when it has come; what
                   else stands here is meaningless */
  /* With request.recorded: the record does not tell enough; what else stands here is meaningless,
   * but for the route. */
  enum decide_unknown unknown;
  uint16_t unknown_slot; /* UNKNOWN_ATTRIBUTE: of route->table */
};

/* One thread's means to decide under one snapshot: reader, HMAC contexts, memory. */
struct decider;

/* `router` and `keys` (copied by reference) must outlive it. Without a router only the cookie's
 * parts below may be used. NULL: memory. */
struct decider *decider_new(const struct router *router, const struct sticky_key *keys,
                            size_t key_count);
void decider_free(struct decider **decider);
/* Who answers for sources of a kind (adit/attrs.h). */
void decider_supply(struct decider *decider, enum attr_source_kind kind,
                    struct attr_supplier supplier);

/* Whether the last decision, made without a trace, looked at the slot of its route's table. */
bool decider_has_read(const struct decider *decider, uint16_t slot);

/*
 * Decides (contract §4, "Order of decision"). `trace` may be NULL; else it is recorded into
 * `trace_arena`, and what it views is valid until the next call. Never fails: short of memory the
 * answer is on the safe side (stable).
 */
void decide(struct decider *decider, const struct decide_request *request, struct decision *ret,
            struct rules_trace *trace, struct arena *trace_arena);

/*
 * What the last decide() saw of an attribute of its route, whose table has the slot, and which is
 * asked for before the decider is used again: NULL when it did not look. `read` looks now, for who
 * keeps a record of more than that. Only where a route was found.
 */
const struct attr_value *decider_attribute(struct decider *decider, uint16_t slot, bool read);

/* ---- keys --------------------------------------------------------------------------------- */

enum decide_key {
  KEY_FOUND,
  KEY_NONE,
  KEY_UNDECIDED, /* a limit left one undecided: whoever took another would not do so each time */
  KEY_PENDING    /* one is being fetched: ask again when it has come */
};

/*
 * The text of the first of `slots` of a table that is present and not empty, as for a split: for
 * who treats requests of one user alike. Read as rules read it, by the decider's suppliers; what
 * was read for the last decision is gone. *ret is valid until the decider's next use.
 */
enum decide_key decider_find_key(struct decider *decider, const struct attr_request *request,
                                 const struct attr_table *table, const uint16_t *slots, size_t n,
                                 struct str *ret);

/* ---- parts, for tests and fuzzers ------------------------------------------------------------ */

/* Writes a cookie's value (not its name) signed by keys[0] to `ret` (COOKIE_VALUE_MAX). 0: failed.
 */
size_t sticky_cookie_write(struct decider *decider, struct str cookie_name,
                           const struct sticky_cookie *cookie, char *ret);
/* Parses and verifies a value. COOKIE_VALID, _EXPIRED, _FORGED or _MALFORMED; *ret views `value` or
 * the decider's memory and holds for _VALID only. Expired: now_ms >= issued + ttl; issued in the
 * future by more than a day: malformed. */
enum cookie_verdict sticky_cookie_read(struct decider *decider, struct str cookie_name,
                                       struct str value, int64_t ttl_ms, int64_t now_ms,
                                       struct sticky_cookie *ret);

#endif
