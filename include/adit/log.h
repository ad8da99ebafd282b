/*
 * log: lines about the gateway itself, on stderr.
 *
 * One line an event: "adit: warning: text". A line is written with one write(2), so that lines of
 * several threads do not mix; control bytes are escaped. Pure modules never log.
 *
 * A line that cannot be written, for the disk is full, is lost; the next that can be says how many.
 */
#ifndef ADIT_LOG_H
#define ADIT_LOG_H

enum log_level { LOG_ERROR, LOG_WARNING, LOG_INFO };

/* "adit: error: …", "adit: warning: …", and plain "adit: …" for LOG_INFO. Never fails. */
void log_write(enum log_level level, const char *format, ...) __attribute__((format(printf, 2, 3)));

/* From now on a line that nobody takes (a full pipe) is lost too instead of being waited with: who
 * serves others must not wait for the reader of a log. */
void log_stop_waiting(void);

struct diags;
/* Every diagnostic as a line of its own, in diags_format's form, errors and warnings alike. */
void log_diags(const struct diags *diags);

#endif
