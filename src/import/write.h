/* write: the plan as adit.json and rule files; private to src/import. */
#ifndef ADIT_IMPORT_WRITE_H
#define ADIT_IMPORT_WRITE_H

#include "plan.h"

struct text;

/* adit.json. */
void write_config(struct text *out, const struct plan *plan);
/* The rule file of one route, with tests for each of its rules. */
void write_route(struct text *out, const struct plan *plan, const struct plan_route *route);
/* The tests alone: what write_route puts last. */
void write_tests(struct text *out, const struct plan *plan, const struct plan_route *route);

/* "file:line:column", for a comment: with controls escaped. */
void write_place(struct text *out, struct diag_place at);
/* What was lost, one comment line each. */
void write_losses(struct text *out, const struct manifest_loss *losses, size_t n);
/* A text as JSON has it. */
void write_json(struct text *out, struct str s);

#endif
