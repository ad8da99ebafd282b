/*
 * access_log: a line for each request, written by a thread of its own.
 *
 *   worker 0 ──line──► ring ──┐
 *   worker 1 ──line──► ring ──┼──► writer ──► file, standard output or syslog
 *   …                         ┘
 *
 * A worker never waits for it: a line for which its ring has no room is lost, and counted. The
 * writer waits as long as whoever reads the log does; what cannot be written is lost, counted, and
 * warned of once a minute. Lines of one worker are in the order in which their exchanges ended.
 */
#ifndef ADIT_GATEWAY_ACCESS_LOG_H
#define ADIT_GATEWAY_ACCESS_LOG_H

#include <stdint.h>

#include "access_line.h"

struct access_log;
/* A worker's end of it. */
struct access_lane;

/* What the writer has counted. */
struct access_counts {
  uint64_t access_log_written;
  uint64_t access_log_lost;
};

/* Opens the file and starts the writer, with the rights that are left: those it will have when it
 * opens the file again. NULL: logged. */
struct access_log *access_log_start(const struct config_access_log *config, unsigned workers);
/* Any thread: opens the file again, so that one which was renamed can be left. What was told before
 * may go to either. A syslog server is connected to again. Not for standard output. */
void access_log_reopen(struct access_log *log);
/* Writes what is in the rings, waiting for a slow reader no longer than a second, and ends the
 * writer. What is told from now on is lost. */
void access_log_stop(struct access_log *log);
void access_log_free(struct access_log **log); /* stops it, too; workers must be gone */

/* NULL: none. */
struct access_counts access_log_counts(const struct access_log *log);

/* What it was started with. */
const struct config_access_log *access_log_options(const struct access_log *log);

/* ---- the worker's side ----------------------------------------------------------------------- */

/* NULL when `log` is. */
struct access_lane *access_log_lane(struct access_log *log, unsigned worker);
/* For the attributes of a decision: builds their object in the lane's memory, where it stays until
 * anything else is done with the lane. */
void access_lane_begin_attributes(struct access_lane *lane, struct access_attributes *ret);
/* Makes a line and puts it in. False: it is lost. */
bool access_lane_tell(struct access_lane *lane, const struct access_entry *entry);
/* Once at the end of a turn: wakes the writer where it has to be. */
void access_lane_end_turn(struct access_lane *lane);

#endif
