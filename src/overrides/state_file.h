/*
 * state_file: overrides as a file, private to src/overrides.
 *
 *   { "version": 1,
 *     "overrides": {
 *       "route_states": [
 *         { "route": "shop", "state": "off", "file_state": "on", "since": "2026-11-28T03:12:45Z" }
 * ] } }
 *
 * Each kind of control has a list of its own in "overrides". What this version does not know is a
 * mistake: a control that is quietly passed over would be lost.
 */
#ifndef ADIT_OVERRIDES_STATE_FILE_H
#define ADIT_OVERRIDES_STATE_FILE_H

#include "adit/json.h"
#include "adit/overrides.h"
#include "adit/text.h"

enum { STATE_FILE_BYTES_MAX = 1 << 20 };

/* What stands in a document, as `ret_items` (freed by the caller, also NULL for none). False: at
 * least one error is in `diags`. */
bool state_file_parse(const struct json_doc *doc, struct override_info **ret_items, size_t *ret_n,
                      struct diags *diags) __attribute__((warn_unused_result));
void state_file_format(const struct override_info *items, size_t n, struct text *out);

/* As above, of the file; one that is not there is an empty one. */
bool state_file_load(const char *path, struct override_info **ret_items, size_t *ret_n,
                     struct diags *diags) __attribute__((warn_unused_result));

/*
 * Puts `text` in the file's place, so that there is the old one or the new one whatever happens,
 * and waits until the disk has it. What lies beside it from a try that was cut off is removed.
 * False: *ret_why.
 */
bool state_file_write(const char *path, struct str text, char *ret_why, size_t capacity)
    __attribute__((warn_unused_result));
/* Whether its directory is there and may be written to. False: *ret_why. */
bool state_file_may_be_written(const char *path, char *ret_why, size_t capacity)
    __attribute__((warn_unused_result));

#endif
