/*
 * file_watch: tells when the files that a policy was loaded from have changed (`watch` in
 * adit.json).
 *
 *   events of their directories (inotify) ──quiet for a moment──► are the files what they were?
 *
 * Directories are watched, not files: editors and Kubernetes put another file, or another symbolic
 * link, in a file's place. What an event says is not believed: only that somebody should look.
 * Belongs to the main thread.
 */
#ifndef ADIT_GATEWAY_FILE_WATCH_H
#define ADIT_GATEWAY_FILE_WATCH_H

#include "adit/config.h"

struct file_watch;

/* NULL: memory. It watches nothing yet. */
struct file_watch *file_watch_new(void);
void file_watch_free(struct file_watch **watch);

/* A loading begins: until its end all files that this thread reads (adit/json.h) are noted, each as
 * it is before it is read. */
void file_watch_begin(struct file_watch *watch);
/* It has ended. `config` is what was loaded, and says whether there is anything to watch; NULL: the
 * loading failed, so that what was watched still is, and what was read this time, too. What cannot
 * be watched is in the log. */
void file_watch_end(struct file_watch *watch, const struct config *config);

/* Readable when there are events; -1: nothing is watched. */
int file_watch_fd(const struct file_watch *watch);
/* Takes the events. */
void file_watch_take(struct file_watch *watch, int64_t now_ms);
/* When to call file_watch_has_changed(); 0: not before there are events. */
int64_t file_watch_due_ms(const struct file_watch *watch);
/* Whether a file, or which files there are, is another than when the last loading began. */
bool file_watch_has_changed(struct file_watch *watch);

#endif
