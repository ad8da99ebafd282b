/*
 * overrides: what an operator has said beside the files, for as long as it holds: today the state
 * of a route (the emergency stop).
 *
 * An override belongs to a route's name. It remembers the state that the file had when it was said,
 * and ends when a load brings another one: then the file has the last word. A route whose file
 * comes back later finds its override again.
 *
 * With a state file it outlives the process: the whole table is written anew at each change, beside
 * the file, and put into its place. Without one, or when it cannot be written, an override holds
 * all the same, until the process ends.
 *
 * All functions but those of the start and the end may be called from any thread. None is called on
 * a request's way: there is route_state() (adit/rules.h) for that.
 */
#ifndef ADIT_OVERRIDES_H
#define ADIT_OVERRIDES_H

#include "adit/rules.h"

struct diags;
struct overrides;
struct policy;

enum { OVERRIDES_MAX = 4096, OVERRIDE_NAME_MAX = 64 };

/* ---- start and end --------------------------------------------------------------------------- */

/* An empty table. `path` is the state file's, which is not touched yet; NULL: there is none. NULL:
 * memory. */
struct overrides *overrides_new(const char *path);
void overrides_free(struct overrides **overrides);

/*
 * Reads the state file; one that is not there is an empty one. False: it cannot be read, or is
 * none; at least one error is in `diags`. What it said is not known then, and an emergency stop may
 * have been in it: nobody is to be served as if there had been none.
 */
bool overrides_load(struct overrides *overrides, struct diags *diags)
    __attribute__((warn_unused_result));

/* Why the state file could not be written at present: a directory that is not there, or not ours.
 * False: it could. */
bool overrides_cannot_be_kept(const struct overrides *overrides, char *ret_why, size_t capacity);

/* ---- by whom routes are served --------------------------------------------------------------- */

typedef void overrides_say_fn(void *context, struct str line);
/*
 * Makes the routes of a policy, which nobody has been given yet, follow what was said of their
 * names. Overrides whose route has another state in its file than they remember end, and those that
 * the policy has no route for wait; `say` is told of both, and of what does not fit. Saves the
 * table if it has changed. False: memory; nothing has changed.
 */
bool overrides_adopt(struct overrides *overrides, const struct policy *policy,
                     overrides_say_fn *say, void *context) __attribute__((warn_unused_result));

/* From now on the state file is left to another process, which takes this one's place, */
void overrides_stop_saving(struct overrides *overrides);
/* or after all does not; or whose place this one takes. */
void overrides_resume_saving(struct overrides *overrides);
/*
 * The other process has stopped saving, and leaves the state file to this one, which has loaded it
 * before: what was changed there since counts, in all threads, but for routes whose file has
 * another state here. False: as with overrides_load(); what was known goes on. Not to be called
 * while another thread may say anything.
 */
bool overrides_take_over(struct overrides *overrides, struct diags *diags)
    __attribute__((warn_unused_result));

/* ---- saying ---------------------------------------------------------------------------------- */

enum override_outcome {
  OVERRIDE_DONE,
  OVERRIDE_NO_ROUTE,  /* none of that name is served, nor waited for */
  OVERRIDE_NO_CANARY, /* a route without one cannot be full */
  OVERRIDE_TOO_MANY,  /* OVERRIDES_MAX */
};
/* The route has this state from now on, in all threads, and whoever asks it later finds it so. */
enum override_outcome overrides_set_state(struct overrides *overrides, struct str route,
                                          enum route_state state, int64_t now_ms);
/* The route has its file's state again. Done also where there was no override. */
enum override_outcome overrides_take_back(struct overrides *overrides, struct str route);

/* Writes the table into the state file, if it has changed since. Waits for the disk. False: it is
 * not kept; overrides_read() says why. */
bool overrides_save(struct overrides *overrides);

/* Sees to it that whoever reads the state file next finds all that holds: writes it where anything
 * does, changed or not, as somebody may have taken it away. Waits for the disk. False: *ret_why. */
bool overrides_keep(struct overrides *overrides, char *ret_why, size_t capacity);

/* ---- asking ---------------------------------------------------------------------------------- */

struct override_info {
  char route[OVERRIDE_NAME_MAX + 1];
  enum route_state state, file_state; /* the latter as the file said when it was overridden */
  int64_t since_ms;
  bool is_waiting; /* there is no route of that name at present */
};

struct overrides_report {
  struct override_info *items;
  size_t n;
  const char *path; /* of the state file; NULL: none */
  bool is_kept;     /* all of this is in the state file */
  char why_not[512];
};
/* Everything at this moment. False: memory. Deinit in any case. */
bool overrides_read(struct overrides *overrides, struct overrides_report *ret)
    __attribute__((warn_unused_result));
void overrides_report_deinit(struct overrides_report *report);
/* NULL: there is none for this route. */
const struct override_info *overrides_find(const struct overrides_report *report, struct str route);

#endif
