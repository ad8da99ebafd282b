/*
 * manager: what the service manager (systemd) is told of the process, as sd_notify(3) has it: one
 * datagram for each piece of news, to the socket that NOTIFY_SOCKET names. Where there is none,
 * nothing happens. Used by the main thread only.
 */
#ifndef ADIT_GATEWAY_MANAGER_H
#define ADIT_GATEWAY_MANAGER_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/socket.h>
#include <sys/types.h>
#include <sys/un.h>

struct manager {
  int fd;      /* -1: there is nobody to be told */
  bool speaks; /* this process is the service; else nothing is told */
  bool fails;  /* the last message could not be sent: said */
  struct sockaddr_un address;
  socklen_t length;
  int64_t ping_every_ms; /* half of what the watchdog allows; 0: there is none */
  int64_t ping_at_ms;
};

/* Before a sandbox. A NOTIFY_SOCKET that cannot be used is logged, and nobody is told anything. */
void manager_init(struct manager *manager, bool speaks);
void manager_deinit(struct manager *manager);
/* From now on this process is the service. */
void manager_speak(struct manager *manager);

/* The process serves, for the first time or after manager_reloading(). `but`: what else people
 * should know, or "". */
void manager_ready(struct manager *manager, size_t routes, const char *but);
void manager_reloading(struct manager *manager);
void manager_stopping(struct manager *manager);
/* A line for people. */
void manager_status(struct manager *manager, const char *status);
/* Process `pid` is the service from now on, and serves. It is the last that this one tells. */
void manager_hand_over(struct manager *manager, pid_t pid);

/* Says that the main thread is alive, if it is time to. Returns in how many milliseconds it will be
 * again; -1: never. */
int manager_ping(struct manager *manager);

#endif
