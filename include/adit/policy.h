/*
 * policy: adit.json and its rule files, loaded whole: what all workers share and nobody changes.
 *
 * Loading reads files, compiles, checks routes against each other and runs the tests that rule
 * files carry. A file that does not load on a reload leaves its route as the previous policy had
 * it.
 */
#ifndef ADIT_POLICY_H
#define ADIT_POLICY_H

#include "adit/config.h"
#include "adit/decide.h"
#include "adit/diag.h"

struct arena;
struct policy;
struct text;

/* How one test of a rule file ended. */
struct policy_test {
  const struct route *route;
  struct str name;
  bool passed;
  struct str message; /* what was expected and what came; empty when passed */
  struct diag_place at;
};

/* What a loading looks for beside mistakes (adit/findings.h). */
enum policy_findings { POLICY_FINDINGS_NONE, POLICY_FINDINGS_WARNINGS, POLICY_FINDINGS_ALL };

struct policy_options {
  const char *config_path;
  const char *const
      *rule_paths; /* instead of those that adit.json names (check, test); NULL: those */
  size_t rule_path_count;
  /* Told of each test that was run, with its trace; both hold during the call. NULL: nobody. */
  void (*on_test)(void *context, const struct decision *decision, const struct rules_trace *trace);
  void *on_test_context;
  struct policy *previous; /* reload: what a broken file's route is taken from; NULL at start */
  enum policy_findings findings; /* added to the diagnostics; notes only by _ALL */
  int64_t now_ms;                /* for findings: what is over by now */
};

/*
 * Loads. NULL: nothing can be served (adit.json does not load; there is no rule file, or none that
 * can be served; a directory of rule files cannot be read; without `previous` also: a rule file
 * does not load; memory); the reasons are in `diags`. With `previous`, errors of single rule files
 * are in `diags`, each such file with a note on what is served in its place: the route that the
 * previous policy has from that path, or none. Of routes that conflict the one whose file has
 * changed gives way (both have: the later). An upstream that a kept route needs and adit.json no
 * longer has refuses the whole. Failing tests are errors in `diags` on reload (their file is not
 * taken over) and warnings otherwise; see policy_tests. A test whose outcome could depend on the
 * time without `now` is an error of the file. Starts with one reference; thread-safe counting.
 */
struct policy *policy_load(const struct policy_options *options, struct diags *diags);
struct policy *policy_ref(struct policy *policy);
void policy_unref(struct policy **policy);

const struct config *policy_config(const struct policy *policy);
size_t policy_route_count(const struct policy *policy);
const struct route *policy_route(const struct policy *policy, size_t i);
const struct router *policy_router(const struct policy *policy);
/* Index into config->upstreams of a route's variant; the route must be one of this policy. */
size_t policy_upstream(const struct policy *policy, const struct route *route, uint16_t variant);
/* A number below policy_route_count() for each route of this policy, in no order. */
size_t policy_route_number(const struct policy *policy, const struct route *route);
/* Hexadecimal, of the texts of adit.json and of the rule files as they are served: the same for two
 * processes that serve the same files. Not of files that those name. */
struct str policy_hash(const struct policy *policy);
/* Signing keys: config's, or the random one (made once, kept over reloads). */
const struct sticky_key *policy_keys(const struct policy *policy, size_t *ret_n);
/* Tests of the files that were read and are served, in order of files: on a reload those of a file
 * that is not taken over are in `diags` only, and those of a kept route are not run again. */
const struct policy_test *policy_tests(const struct policy *policy, size_t *ret_n);

/* Tells, a line each, what `after` serves otherwise than `before`: keys of adit.json that a reload
 * takes up, upstreams and their endpoints, routes, states, rules, weights from and to ("route
 * 'shop': rule 'beta': canary 5% -> 25%"), files of values. No secret is told. At most 50 lines,
 * and one that says how many more there are. Short of memory less is told. */
typedef void policy_say_fn(void *context, struct str line);
void policy_tell_changes(const struct policy *before, const struct policy *after,
                         policy_say_fn *tell, void *context);

/* A decider for one thread under this policy, with all that answers for its attributes; refs it
 * not. NULL: memory. */
struct decider *policy_decider_new(const struct policy *policy);
/* The same for who reads attributes without deciding. */
struct attr_reader *policy_reader_new(const struct policy *policy);

/* Whether Connection may not name a field away (contract §5): it forces a variant, or a declared
 * attribute is read from it. In any case of letters; an http_protected_fn. */
bool policy_protects_field(void *policy, struct str name);
/* Whether a header of a client that is no trusted proxy is to go no further:
 * `drop_untrusted_headers` is set, and adit.json believes it of trusted proxies only. In any case
 * of letters, `_` taken as
 * `-`; an http_protected_fn. */
bool policy_drops_field(void *policy, struct str name);
/* Takes from a request of batch, tests or explain the fields that end at the gateway and that `run`
 * therefore decides without. The fields left are in `arena`. False: memory. */
bool policy_strip_request(struct policy *policy, struct arena *arena,
                          struct decide_request *request) __attribute__((warn_unused_result));

/* ---- requests for tests ---------------------------------------------------------------------- */

struct policy_prober;
struct probe;
struct probe_answer;
/* Makes up requests, as tests of rule files ask them, for one route of the policy, which must
 * outlive it (adit/prober.h). `now_ms` is what they take for now unless a rule wants another time.
 * NULL: memory. */
struct policy_prober *policy_prober_new(struct policy *policy, const struct route *route,
                                        int64_t now_ms);
void policy_prober_free(struct policy_prober **prober);
struct probe_answer policy_probe(struct policy_prober *prober, const struct probe *probe);

/* ---- requests and decisions as JSON (batch, tests, explain) ---------------------------------- */

/*
 * Reads a batch request or a test's `request` (contract §2) into *ret, which views `doc` and
 * `arena`. `now_ms` is used where it gives no `now`; *ret_has_now (may be NULL) says whether it
 * did. Returns false with at least one error in `diags`.
 */
bool request_from_json(const struct json_doc *doc, const struct cJSON *object, struct arena *arena,
                       int64_t now_ms, struct decide_request *ret, bool *ret_has_now,
                       struct diags *diags) __attribute__((warn_unused_result));

/* What the answer to such a request says of its first mistake: the message, the hint, the column.
 */
void request_mistake(const struct diags *diags, struct text *out);

/*
 * Decides such a request under `policy`, of which `decider` is: without the fields that end at the
 * gateway. *ret and the trace (NULL: none is wanted) hold until the next decision. False: there is
 * no decision, *ret_why, static or in `arena`, says why: the route cannot be given an attribute
 * that the request gives, or memory is short.
 */
bool request_decide(struct policy *policy, struct decider *decider,
                    const struct decide_request *request, struct arena *arena, struct decision *ret,
                    struct rules_trace *trace, struct str *ret_why)
    __attribute__((warn_unused_result));

/* The first attribute that a request gives ("attributes") and that the route that answers it cannot
 * be given; p == NULL: none. */
struct str request_refused_attribute(const struct attr_request *request, const struct route *route);

/*
 * Fills attr's scheme, host, path and query from a URL ("http://host[:port]/path?query"; a fragment
 * is dropped), and its fields with the Host that a client would send. *ret views `url` and `arena`.
 * False: *ret_why is static.
 */
bool request_from_url(struct str url, struct arena *arena, struct decide_request *ret,
                      const char **ret_why) __attribute__((warn_unused_result));

/* A decision as one line of JSON without newline, as batch prints it; with `trace` its "rules" too.
 */
void decision_to_json(const struct decision *decision, const struct rules_trace *trace,
                      struct text *out);

#endif
