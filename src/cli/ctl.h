/*
 * ctl: what its files share, private to src/cli.
 *
 *   ctl.c          arguments, the subcommands
 *   ctl_call.c     where the gateway is, asking it
 *   ctl_explain.c  requests as lines, decided by it
 *   ctl_print.c    the status for people
 */
#ifndef ADIT_CLI_CTL_H
#define ADIT_CLI_CTL_H

#include "adit/client.h"
#include "cli/cli.h"

struct cJSON;

enum { CTL_TOKEN_BYTES_MAX = 64 << 10, CTL_ANSWER_BYTES_MAX = 64 << 20 };

/* What the command line says, and where that leads. */
struct ctl {
  const struct cli_command *command;
  const char *config_path, *address, *token_path; /* NULL: not given */
  bool json, watch, trace;
  bool clears;        /* the terminal, before an answer is printed */
  char base[320];     /* http://ADDRESS */
  char *token;        /* of the file; NULL: none is sent */
  struct text bearer; /* the value of Authorization */
};

/* ---- asking (ctl_call.c) --------------------------------------------------------------------- */

/* Finds address and token. CLI_OK, or what was reported. */
int ctl_find_gateway(struct ctl *ctl);
/* Makes a call of a path. False: it could not be made, or was not answered by a gateway; reported.
 * *ret is to be deinited in any case. */
bool ctl_call(const struct ctl *ctl, const char *path, struct client_request *request,
              struct client_response *ret);
/* Says what an answer says that is not what was asked for. CLI_FAILED. */
int ctl_report(const struct ctl *ctl, const struct client_response *response);
/* Adds just that. */
void ctl_add_error(const struct client_response *response, struct text *out);
/* CLI_OK, or that standard output cannot be written was reported. */
int ctl_flush(const struct ctl *ctl);

/* ---- subcommands ----------------------------------------------------------------------------- */

/* With an operand that request, else each line of standard input. */
int ctl_explain(const struct ctl *ctl, int argc, char **argv);

/* ---- for people (ctl_print.c) ---------------------------------------------------------------- */

/* Of /api/v1/status: everything in a page; or the table of endpoints alone. */
void ctl_print_status(const struct cJSON *status, struct text *out);
void ctl_print_endpoints(const struct cJSON *status, struct text *out);
/* Of /api/v1/routes/NAME/state: one line. */
void ctl_print_state(const struct cJSON *answer, struct text *out);
/* Of a load: its outcome, and a line for each finding, as a compiler's. */
void ctl_print_load(const struct cJSON *load, struct text *out);

#endif
