/*
 * explain: what its files share, private to src/cli.
 */
#ifndef ADIT_CLI_EXPLAIN_H
#define ADIT_CLI_EXPLAIN_H

#include "adit/policy.h"
#include "cli/cli.h"

struct arena;
struct text;

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

/* Answers requests on `fd`, one JSON a line, with decisions on stdout. The exit status. */
int explain_batch(const struct cli_command *command, struct policy *policy, int fd,
                  bool with_trace);

#endif
