#include "manager.h"

#include <errno.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/time.h>
#include <unistd.h>

#include "adit/log.h"
#include "adit/str.h"
#include "adit/units.h"

enum { SEND_WITHIN_S = 5, MESSAGE_BYTES_MAX = 256 };

/* ---- whom to tell ---------------------------------------------------------------------------- */

/* A path, or "@" and a name in the abstract namespace. */
static bool read_address(struct manager *manager, const char *text) {
  size_t n = strlen(text);
  if ((text[0] != '/' && text[0] != '@') || n < 2 || n >= sizeof(manager->address.sun_path))
    return false;
  manager->address.sun_family = AF_UNIX;
  memcpy(manager->address.sun_path, text, n);
  if (text[0] == '@') manager->address.sun_path[0] = 0;
  manager->length = (socklen_t)(offsetof(struct sockaddr_un, sun_path) + n);
  return true;
}

/* Twice in the time that the watchdog allows, as systemd advises. */
static void read_watchdog(struct manager *manager) {
  const char *pid = getenv("WATCHDOG_PID"), *limit = getenv("WATCHDOG_USEC");
  uint64_t number;
  if (!limit) return;
  if (pid && (!str_to_u64(str_from_cstr(pid), INT32_MAX, &number) || number != (uint64_t)getpid()))
    return;
  if (!str_to_u64(str_from_cstr(limit), INT64_MAX, &number) || number < 2000) {
    log_write(LOG_WARNING, "watchdog: WATCHDOG_USEC is '%s', not a number from 2000", limit);
    return;
  }
  manager->ping_every_ms = (int64_t)(number / 2000);
}

void manager_init(struct manager *manager, bool speaks) {
  const struct timeval patience = {.tv_sec = SEND_WITHIN_S};
  const char *text = getenv("NOTIFY_SOCKET");
  *manager = (struct manager){.fd = -1, .speaks = speaks};
  if (!text) return;
  if (!read_address(manager, text)) {
    log_write(LOG_WARNING, "the service manager is told nothing: NOTIFY_SOCKET is '%s'", text);
    return;
  }
  manager->fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);
  if (manager->fd < 0) {
    log_write(LOG_WARNING, "the service manager is told nothing: %s", strerror(errno));
    return;
  }
  (void)setsockopt(manager->fd, SOL_SOCKET, SO_SNDTIMEO, &patience, sizeof(patience));
  read_watchdog(manager);
}

void manager_deinit(struct manager *manager) {
  if (manager->fd >= 0) (void)close(manager->fd);
  manager->fd = -1;
}

void manager_speak(struct manager *manager) {
  manager->speaks = true;
  /* The one before has pinged, and the manager may not have heard yet who this is. */
  manager->ping_at_ms = clock_monotonic_ms() + manager->ping_every_ms;
}

/* ---- what to tell ---------------------------------------------------------------------------- */

/* `flags` of sendto(): without MSG_DONTWAIT a manager that is busy is waited for. */
static void tell_with(struct manager *manager, int flags, const char *message, size_t n) {
  if (manager->fd < 0 || !manager->speaks) return;
  /* By its address each time: a manager that has started anew listens there again. */
  ssize_t sent;
  do
    sent = sendto(manager->fd, message, n, flags | MSG_NOSIGNAL,
                  (const struct sockaddr *)(const void *)&manager->address, manager->length);
  while (sent < 0 && errno == EINTR);
  if (sent < 0 && !manager->fails)
    log_write(LOG_WARNING, "cannot tell the service manager: %s", strerror(errno));
  manager->fails = sent < 0;
}

static void tell(struct manager *manager, const char *format, ...)
    __attribute__((format(printf, 2, 3)));
static void tell(struct manager *manager, const char *format, ...) {
  char message[MESSAGE_BYTES_MAX];
  va_list args;
  va_start(args, format);
  int n = vsnprintf(message, sizeof(message), format, args);
  va_end(args);
  if (n > 0 && (size_t)n < sizeof(message)) tell_with(manager, 0, message, (size_t)n);
}

void manager_ready(struct manager *manager, size_t routes, const char *but) {
  tell(manager, "READY=1\nSTATUS=serving %zu routes%s\n", routes, but);
}

void manager_reloading(struct manager *manager) {
  tell(manager, "RELOADING=1\nMONOTONIC_USEC=%lld\nSTATUS=reloading\n",
       (long long)clock_monotonic_us());
}

void manager_stopping(struct manager *manager) {
  tell(manager, "STOPPING=1\nSTATUS=draining\n");
}

void manager_status(struct manager *manager, const char *status) {
  tell(manager, "STATUS=%s\n", status);
}

void manager_hand_over(struct manager *manager, pid_t pid) {
  /* In one message: the manager takes none of this process once another is the main one. */
  tell(manager, "MAINPID=%ld\nREADY=1\nWATCHDOG=1\nSTATUS=serving, upgraded\n", (long)pid);
  manager->speaks = false;
}

int manager_ping(struct manager *manager) {
  if (manager->fd < 0 || !manager->speaks || manager->ping_every_ms == 0) return -1;
  int64_t now_ms = clock_monotonic_ms();
  if (now_ms >= manager->ping_at_ms) {
    static const char alive[] = "WATCHDOG=1\n";
    tell_with(manager, MSG_DONTWAIT, alive, sizeof(alive) - 1);
    manager->ping_at_ms = now_ms + manager->ping_every_ms;
  }
  int64_t left_ms = manager->ping_at_ms - now_ms;
  return left_ms > INT32_MAX ? INT32_MAX : (int)left_ms;
}
