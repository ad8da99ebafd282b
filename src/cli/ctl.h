/*
 * ctl: what its files share, private to src/cli.
 *
 *   ctl.c        arguments, where the gateway is, the subcommands
 *   ctl_print.c  the status for people
 */
#ifndef ADIT_CLI_CTL_H
#define ADIT_CLI_CTL_H

#include "adit/text.h"

struct cJSON;

/* Of /api/v1/status: everything in a page; or the table of endpoints alone. */
void ctl_print_status(const struct cJSON *status, struct text *out);
void ctl_print_endpoints(const struct cJSON *status, struct text *out);
/* Of /api/v1/routes/NAME/state: one line. */
void ctl_print_state(const struct cJSON *answer, struct text *out);
/* Of a load: its outcome, and a line for each finding, as a compiler's. */
void ctl_print_load(const struct cJSON *load, struct text *out);

#endif
