/*
 * launcher: a small process beside the gateway that starts its successor at an upgrade.
 *
 * The gateway itself may execute nothing (docs/adr/0006-sandbox.md), so this one is forked before
 * anything is read, opened or given up, and waits. It gives up the same rights as the gateway, but
 * for executing; it knows one command, which is fixed at the start, holds no socket while it waits,
 * and has no secret in its memory. It ends when the gateway does
 * (docs/adr/0025-upgrade.md).
 *
 *   gateway ──── control ──── launcher ──── link ──── successor
 *
 * Both are sockets that keep messages apart. What goes over the control is told below. Over the
 * link, and in the environment, two versions of the program meet, so it must stay as it is:
 *
 *   ADIT_UPGRADE=PID:SOCKETS:ADMIN   of the successor. Descriptor 3 is the link, then as many
 *                                    listening sockets come as SOCKETS says; ADMIN is 1 where the
 *                                    last one is the admin server's, else 0
 *   "READY"                          from the successor: it serves
 *   "GO", "GO RELOAD"                to it: the gateway that was here drains from now on; files may
 *                                    have changed since they were read
 *   the link is closed               before "GO": the upgrade was called off, and it has to go
 */
#ifndef ADIT_GATEWAY_LAUNCHER_H
#define ADIT_GATEWAY_LAUNCHER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define UPGRADE_VARIABLE  "ADIT_UPGRADE"
#define UPGRADE_READY     "READY"
#define UPGRADE_GO        "GO"
#define UPGRADE_GO_RELOAD "GO RELOAD"
enum { UPGRADE_LINK_FD = 3, UPGRADE_SOCKETS_MAX = 1024 };

enum launcher_word {
  /* From the gateway. */
  LAUNCHER_BECOME, /* text: the user, "" for none; answered by DONE or FAILED */
  LAUNCHER_SOCKET, /* to be handed over, some at a time; number: 1, the (only) admin server's */
  LAUNCHER_START,  /* number: how long it may take, in ms; answered by READY or FAILED */
  LAUNCHER_GO,     /* number: 1, it is to reload; answered by DONE or FAILED */
  /* To the gateway. */
  LAUNCHER_DONE,
  LAUNCHER_READY, /* number: the successor's process */
  LAUNCHER_FAILED /* text: why. Of an upgrade: there is no successor, and another can be tried */
};

struct launcher_message {
  uint32_t word;
  int32_t number;
  char text[256]; /* ends with a NUL */
};

/*
 * Starts the launcher, which will execute `command` (argv, ended by NULL; the program is looked for
 * in PATH) with the environment, signal mask, working directory and standard streams of now, which
 * must have numbers. To be called before there is a thread. Children of the caller are not waited
 * for from now on (SIGCHLD is ignored). Returns the control, non-blocking and closed on exec; -1:
 * errno.
 */
int launcher_start(const char *const *command);

/* Sends a message with `n` descriptors, which stay the caller's. `text`: NULL for "". False: the
 * launcher is gone. */
bool launcher_tell(int control, enum launcher_word word, int32_t number, const char *text,
                   const int *fds, size_t n);

enum launcher_heard { LAUNCHER_SAID, LAUNCHER_SILENT, LAUNCHER_GONE };
/* The next message, without waiting. */
enum launcher_heard launcher_hear(int control, struct launcher_message *ret);

#endif
