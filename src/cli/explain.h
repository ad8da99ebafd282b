/*
 * explain: what its files share, private to src/cli.
 */
#ifndef ADIT_CLI_EXPLAIN_H
#define ADIT_CLI_EXPLAIN_H

#include "adit/policy.h"
#include "adit/text.h"
#include "cli/cli.h"

struct arena;

enum { EXPLAIN_ARENA_BYTES = 64 << 20, EXPLAIN_TEXT_BYTES = 64 << 20 };

/* A request as the command line gives it. Views of argv. */
struct explain_request {
  struct str url;
  struct str method, client_ip, now, pin, bucket; /* p == NULL: not given */
  const struct str *headers;                      /* as after -H */
  size_t header_count;
  const struct str *attributes; /* as after --attribute: NAME=VALUE; repeated: several values */
  size_t attribute_count;
  bool untrusted;
};

/*
 * Writes it as a batch request (contract §2), so that flags and batch lines are read by one
 * function. False: *ret_why says what is wrong, for a usage error.
 */
bool explain_request_to_json(const struct explain_request *request, struct text *out,
                             struct text *ret_why) __attribute__((warn_unused_result));

/* Answers requests on `fd`, one JSON a line, with decisions on stdout. `other` (NULL: none) as in
 * explain_diff: then only what differs is answered. The exit status. */
int explain_batch(const struct cli_command *command, struct policy *policy, struct policy *other,
                  int fd, bool with_trace);

/* Decides a line of the access log again (`text`; "-": lines on stdin), explains it, and says
 * whether the log has the same. `assume_unchanged`: what a line of other files says of cookie,
 * bucket and force holds all the same. The exit status: the highest of all lines. */
int explain_log(const struct cli_command *command, struct policy *policy, const char *text,
                bool assume_unchanged, bool json);

/* False: the request gives an attribute that the route which answers it does not have; reported. */
bool explain_check_given(const struct cli_command *command, const struct decide_request *request,
                         const struct decision *decision);

/* What tries whether a rule of the decision's route can match, as of the request's time. NULL:
 * there is no route, or no memory. */
struct policy_prober *explain_prober(struct policy *policy, const struct decide_request *request,
                                     const struct decision *decision);

/* ---- two policies ---------------------------------------------------------------------------- */

/* The policy with the rule files `paths`, each in place of the file that has its route in `policy`.
 * NULL: reported. */
struct policy *explain_load_other(const struct cli_command *command, const char *config_path,
                                  const struct policy *policy, char *const *paths, size_t n);

/* Prints how one request is decided under both. CLI_OK: alike; CLI_FAILED: otherwise. */
int explain_diff(const struct cli_command *command, struct policy *policy, struct policy *other,
                 const struct decide_request *request, bool json);

/* Whether two decisions have the same route, variant, upstream, reason and rule, by their names. */
bool explain_same(const struct decision *before, const struct decision *after);
/* Whether both have a variant of the same name, that runs on different upstreams. */
bool explain_moves_upstream(const struct decision *before, const struct decision *after);
/* The upstream of the variant; p == NULL: no route. */
struct str explain_upstream(const struct decision *decision);
/* {"same":…,"before":…,"after":…} without the last brace: a batch adds its line. With "upstreams",
 * before and after, where only they differ of a variant. */
void explain_pair_to_json(const struct decision *before, const struct decision *after,
                          struct text *out);

/* "shop canary (rule 'a') → shop v1 (default)". */
void moves_describe(const struct decision *before, const struct decision *after, struct text *out);

/* How often decisions moved from where to where. */
struct moves;
struct moves *moves_new(struct arena *arena); /* NULL: memory */
void moves_add(struct moves *moves, const struct decision *before, const struct decision *after);
/* One line for each kind of move, the most frequent first. */
void moves_format(const struct moves *moves, struct text *out);
/* The number of those that moved, of all that were added. */
size_t moves_count(const struct moves *moves, size_t *ret_all);

/* ---- directories ----------------------------------------------------------------------------- */

/* Directories that one explanation asks, each for as long as its time-out. */
struct explain_lookups {
  struct lookup_loop *loop;
  struct lookup **items; /* as config->lookups */
  size_t n;
  int64_t now_ms; /* stands still, so that what was found stays */
};

/* Lets attributes that decider and reader read be asked of the policy's directories. False: memory
 * or descriptors; deinit in any case. */
bool explain_lookups_init(struct explain_lookups *lookups, const struct policy *policy,
                          struct decider *decider, struct attr_reader *reader)
    __attribute__((warn_unused_result));
/* After decider and reader have gone. */
void explain_lookups_deinit(struct explain_lookups *lookups);

/* ---- tokens ---------------------------------------------------------------------------------- */

struct explain_tokens {
  struct jwt_verifier *verifier;
  struct text text; /* what there is to say of the request's token, never the token; may be empty */
};

/* Judges the request's token (NULL: those of a batch, as they come), and lets attributes that
 * decider and reader (may be NULL) read be its claims. Keys behind a URL are fetched, for one
 * request only when it has a token. False: memory; deinit in any case. */
bool explain_tokens_init(struct explain_tokens *tokens, const struct policy *policy,
                         const struct attr_request *request, struct decider *decider,
                         struct attr_reader *reader) __attribute__((warn_unused_result));
/* After decider and reader have gone. */
void explain_tokens_deinit(struct explain_tokens *tokens);

#endif
