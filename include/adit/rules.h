/*
 * rules: a rule file, compiled; which of its rules a request matches. Pure.
 *
 * A struct route is all that one rule file says, checked and compiled into an arena of its own, and
 * never changed afterwards. It is counted by reference, because a route whose file no longer loads
 * lives on in the next snapshot. The structs here are to be read; only this module writes them.
 */
#ifndef ADIT_RULES_H
#define ADIT_RULES_H

#include "adit/attrs.h"
#include "adit/diag.h"
#include "adit/ip.h"
#include "adit/str.h"

struct arena;
struct cJSON;
struct condition; /* compiled; private to src/rules */
struct json_doc;
struct leaf;
struct text;
struct rule_index; /* private to src/rules */

enum { BUCKETS = 10000, VARIANT_NONE = 0xFFFF, VARIANTS_MAX = 64, RULES_MAX = 100000 };
enum { MIRROR_BODY_BYTES = 64 << 10, MIRROR_BODY_BYTES_MAX = 1 << 20 };

/* bucket = (murmur3_x86_32(salt + ":" + key, seed 0) × 10000) >> 32; 0..9999. */
unsigned rules_bucket(struct str salt, struct str key);

/* ---- what a rule file says ------------------------------------------------------------------- */

enum route_state { ROUTE_ON, ROUTE_DRAIN, ROUTE_OFF, ROUTE_FULL };
const char *route_state_name(enum route_state state);
/* False: there is no state of that name. */
bool route_state_find(struct str name, enum route_state *ret) __attribute__((warn_unused_result));

struct route_variant {
  struct str name;
  struct str upstream;
};

struct split_range {
  uint16_t from, to; /* buckets [from, to) */
  uint16_t variant;
};

/* A draw: ranges in ascending order, not overlapping; a bucket in none of them is stable's. */
struct split {
  const struct split_range *ranges; /* of weight 0 there is none */
  size_t range_count;
  const uint16_t *by; /* slots of keys that go before sticky.by */
  size_t by_count;
};

/* The variant of a bucket. */
uint16_t split_variant(const struct split *split, unsigned bucket, uint16_t stable);
/* How many buckets a variant has; stable's are those that are left. */
unsigned split_weight(const struct split *split, uint16_t variant);
/* Buckets as percent: 5, 12.5, 0.25. */
void split_add_percent(unsigned buckets, struct text *out);
/* The canary that has all 10000 buckets, or VARIANT_NONE: needs no key. */
uint16_t split_whole(const struct split *split);

/* A share of requests of which a copy goes to another variant, whose answer nobody sees. */
struct route_mirror {
  uint16_t to;
  uint16_t buckets;    /* the share, of BUCKETS; drawn for each request */
  uint32_t methods;    /* bits, by enum http_method */
  uint32_t body_bytes; /* of a request that has more no copy goes */
};

struct rule {
  struct str id;
  const struct condition *when; /* NULL: matches everything */
  uint16_t to;                  /* VARIANT_NONE: split holds */
  struct split split;
  const struct route_mirror *mirror; /* the rule's own, else the route's; NULL: none */
  unsigned line, column;             /* in the file */
  uint64_t digest;                   /* of what the file says of it, blanks and comments aside */
};

/* A file of values that a rule file names. */
struct route_file {
  struct str path;
  uint64_t digest; /* of its bytes */
};

struct force_value {
  struct str value;
  uint16_t variant;
};

struct route_force {
  bool enabled;
  struct str header;
  struct str cookie; /* p == NULL: none */
  const struct force_value *values;
  size_t value_count;
  const struct ip_network *allow_from;
  size_t allow_from_count; /* 0: anyone */
  struct str token;        /* p == NULL: none is asked for; else X-Canary-Token must equal it */
  uint64_t digest; /* the same where the same requests force the same variants, by their names */
};

enum same_site { SAME_SITE_LAX, SAME_SITE_STRICT, SAME_SITE_NONE };

struct route_sticky {
  bool cookie;            /* false: no pin and no anonymous id */
  struct str cookie_name; /* adit_<route> or adit_<group> */
  int64_t ttl_ms;
  uint32_t epoch;
  const uint16_t *by; /* slots */
  size_t by_count;
  const struct str *by_names; /* the same as written, for the agreement of groups */
  struct str salt;
  struct str group;  /* p == NULL: none */
  struct str domain; /* p == NULL: none */
  enum same_site same_site;
};

/* Members of a rule file, but for the route's name, state, rules, default and tests. */
enum { ROUTE_SETTINGS = 12 };
extern const char *const route_settings[ROUTE_SETTINGS];

struct route {
  struct str name;
  const char *file;        /* as diagnostics call it */
  const struct str *hosts; /* lower case; "*.x" as written; none: every host */
  size_t host_count;
  struct str path_prefix; /* "" for "/"; no slash at the end */
  const struct route_variant *variants;
  uint16_t variant_count;
  uint16_t stable;
  const uint16_t *canaries; /* in their order */
  size_t canary_count;
  enum route_state state; /* as the file says; route_state() says what counts */
  struct route_force force;
  struct route_sticky sticky;
  const struct rule *rules;
  size_t rule_count;
  const struct rule_index *index; /* NULL: the rules are asked one by one */
  const struct route_file *files; /* each once */
  size_t file_count;
  uint64_t settings[ROUTE_SETTINGS]; /* digests, as route_settings[] names them; 0: not there */
  uint64_t default_digest;           /* 0: none */
  bool has_default_split;
  struct split default_split;
  bool has_split;                    /* any */
  const struct route_mirror *mirror; /* for the default, and for rules without one; NULL: none */
  bool expose_decision;
  bool vary;
  /* For Vary when `vary`: what rules, split keys and force can read, Cookie where there is a split;
   * in any case once. */
  const struct str *vary_fields;
  size_t vary_field_count;
  const struct attr_table *table;
  struct attr_catalog *catalog;
  /* Values of "match", "route" and "sticky"; without them the file's first object. */
  struct diag_place match_place, name_place, sticky_place;
  struct route_private *private_; /* reference count, arena */
};

/* ---- compiling ------------------------------------------------------------------------------- */

/* Segments of adit.json: named conditions for all rule files. */
struct segment_source {
  const struct json_doc *doc;
  const struct cJSON *object; /* NULL: none */
  const char *directory;      /* of the file: what in_file is relative to; NULL: "." */
};

/* What a rule file is compiled against. */
struct rules_environment {
  struct attr_catalog *catalog; /* adit.json's */
  struct segment_source segments;
  const char *const *upstreams; /* names, NULL at the end */
  const char *directory; /* of the rule file: what its in_file and token_file are relative to */
  const struct str *claim_hosts; /* what these files may claim; NULL: anything */
  size_t claim_host_count;
  const struct str *claim_upstreams; /* NULL: anything */
  size_t claim_upstream_count;
};

/* Adds an error for each mistake in adit.json's segments, by compiling them on their own. */
bool rules_check_segments(const struct rules_environment *environment, struct diags *diags);

/*
 * Compiles a parsed rule file. NULL: at least one error was added. `tests` are not looked at but
 * for being an array (see policy). Starts with one reference.
 */
struct route *route_compile(const struct json_doc *doc, const struct rules_environment *environment,
                            struct diags *diags);
struct route *route_ref(struct route *route);
void route_unref(struct route **route);

/* The variant of a name, or VARIANT_NONE. */
uint16_t route_find_variant(const struct route *route, struct str name);
bool route_is_canary(const struct route *route, uint16_t variant);

/* ---- overrides ------------------------------------------------------------------------------- */

/* A state that somebody gave to routes while they are served, beside what their file says. The one
 * thing about a route that changes: any thread may set it, and whoever asks next sees it. Counted
 * by reference. */
struct route_override;
struct route_override *route_override_new(void); /* says nothing; NULL: memory */
struct route_override *route_override_ref(struct route_override *override);
void route_override_unref(struct route_override **override);
/* Whether anybody else has a reference. */
bool route_override_is_shared(const struct route_override *override);
void route_override_set(struct route_override *override, enum route_state state);
void route_override_clear(struct route_override *override);

/* From now on `override`, of which it takes a reference, goes before the file's state; a route that
 * follows one already goes on with that. To be called before other threads have the route. */
void route_follow(const struct route *route, struct route_override *override);
/* The state that counts at this moment. *ret_overridden (may be NULL): it is not the file's word.
 * Whoever asks twice may be told otherwise the second time. */
enum route_state route_state(const struct route *route, bool *ret_overridden);

/* ---- routes together ------------------------------------------------------------------------- */

/* A conflict between two routes; `second` is the index of the later one in the array given. */
struct route_conflict {
  size_t first, second;
};
/*
 * Looks for what routes must not have in common: a name; a host together with a path prefix; a
 * group's disagreement in a sticky key or in variants' names; a group named like a route outside
 * it. The first conflict found (with the smallest `second`) is described in `diags` at the later
 * route's place. True: there is one, or memory was short, which is an error in `diags` as well.
 */
bool routes_find_conflict(struct route *const *routes, size_t n, struct route_conflict *ret,
                          struct diags *diags);

struct router;
/* An index over routes without conflicts; refs none of them. In `arena`. NULL: memory. */
struct router *router_new(struct arena *arena, struct route *const *routes, size_t n);
/* The route of a lower-case host and a normalised path: most specific host (exact, longest
 * wildcard, none), then longest prefix on a segment border, among the routes where both match.
 * NULL: none. */
const struct route *router_find(const struct router *router, struct str host, struct str path);

/* ---- evaluating ------------------------------------------------------------------------------ */

enum rule_result { RULE_SKIPPED, RULE_UNMATCHED, RULE_MATCHED, RULE_UNKNOWN };
const char *rule_result_name(enum rule_result result); /* "skipped", … */

enum tristate { TRISTATE_FALSE, TRISTATE_TRUE, TRISTATE_UNKNOWN };

/* One condition of a rule that was asked, for people. */
struct trace_condition {
  struct str attribute;
  const char *op;                /* as written; "eq" for a plain value, "in" for a list */
  struct str value_json;         /* the literal, as compact JSON */
  const struct attr_value *seen; /* as read; state says whether it is there */
  enum tristate result;
  const struct leaf *leaf; /* adit/conditions.h */
};

struct trace_rule {
  const struct rule *rule;
  enum rule_result result;
  const struct trace_condition *conditions; /* none when skipped */
  size_t condition_count;
};

struct rules_trace {
  const struct trace_rule *rules; /* as many as the route has */
  size_t rule_count;
};

struct rules_outcome {
  const struct rule *rule; /* the first that matches, or that a limit left undecided; NULL: none */
  bool limit;              /* the latter */
};

/*
 * Asks the route's rules in order. `reader` has begun the request with route->table. With `trace`
 * (NULL: none) what was asked is recorded into `trace_arena` (conditions that the decision did not
 * need are tried afterwards on the trace's own budget); the outcome is the same either way.
 */
struct rules_outcome rules_eval(const struct route *route, struct attr_reader *reader,
                                struct rules_trace *trace, struct arena *trace_arena);
/* What one rule says by itself, whatever stands before it. As above; a limit gives RULE_UNKNOWN. */
enum rule_result rule_ask(const struct rule *rule, struct attr_reader *reader);
/* A trace in which every rule is skipped (off, forced, full). */
void rules_trace_skipped(const struct route *route, struct rules_trace *trace,
                         struct arena *trace_arena);

#endif
