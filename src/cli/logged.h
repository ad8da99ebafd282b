/*
 * logged: a line of the access log under a policy, private to src/cli.
 */
#ifndef ADIT_CLI_LOGGED_H
#define ADIT_CLI_LOGGED_H

#include "adit/accesslog.h"
#include "adit/policy.h"

struct arena;
struct text;

/* Finds routes and rules by the names that lines have; read-only once it was made. */
struct logged_index;
/* In `arena`; views the policy. NULL: memory. */
struct logged_index *logged_index_new(struct arena *arena, const struct policy *policy);
/* Whether the line was logged under the very files of the index's policy. */
bool logged_is_current(const struct logged_index *index, const struct log_line *line);
/*
 * Says of which route and split cookie, pin, bucket and force of the line are, as the index's
 * policy has them. With `as_now` it is taken that these were the same then; else they are not
 * known, but for who forced nothing then and is taken to force nothing by the same `force` now.
 */
void logged_find_then(const struct logged_index *index, bool as_now, struct log_line *line);
/* The rule that the line names of its route; NULL: there is none. */
const struct rule *logged_find_rule(const struct logged_index *index, const struct log_line *line);
/* Whether a decision is the one that the line has, before any failover. */
bool logged_is_same(const struct log_line *line, const struct decision *decision);

/* Why the decision of a recorded request is not known, as a sentence part. */
void logged_format_unknown(const struct decide_request *request, const struct decision *decision,
                           struct text *out);

#endif
