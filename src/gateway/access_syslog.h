/*
 * access_syslog: lines as messages to a syslog server (RFC 3164), one a datagram.
 *
 * Used by the writer's thread only; nothing here waits.
 */
#ifndef ADIT_GATEWAY_ACCESS_SYSLOG_H
#define ADIT_GATEWAY_ACCESS_SYSLOG_H

#include "adit/config.h"

/* A datagram of UDP can be no larger than that over IPv4. */
enum { ACCESS_SYSLOG_BYTES_MAX = 65507 };

struct access_syslog;

/* NULL: memory. Connects with the first message. */
struct access_syslog *access_syslog_new(const struct config_syslog *config);
void access_syslog_free(struct access_syslog **syslog);
/* The next message goes over a new socket. */
void access_syslog_close(struct access_syslog *syslog);
/* To be polled for room; -1: there is none. */
int access_syslog_fd(const struct access_syslog *syslog);

enum syslog_sent {
  SYSLOG_SENT,
  SYSLOG_FULL,  /* the server has no room now */
  SYSLOG_LARGE, /* the message is too large for a datagram */
  SYSLOG_FAILED /* errno; also of a new socket */
};
/* Sends a line, without its end. A server that has gone and come again is found again. */
enum syslog_sent access_syslog_send(struct access_syslog *syslog, struct str line);

#endif
