/* parts: what the files of src/agent share. Private. */
#ifndef ADIT_AGENT_PARTS_H
#define ADIT_AGENT_PARTS_H

#include "adit/agent.h"

/* Copies the dotted numbers at the start of `text` ('_' counts as a point). p == NULL: none. */
struct str agent_version(struct str text, char buffer[AGENT_VERSION_BYTES]);
/* Overwrites with what well-formed Client Hints say. */
void agent_apply_hints(const struct agent_input *input, struct agent *agent);

#endif
