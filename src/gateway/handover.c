#include "handover.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <sys/pidfd.h>
#include <sys/socket.h>
#include <unistd.h>

#include "adit/log.h"
#include "adit/str.h"
#include "launcher.h"

enum { BECOME_WITHIN_MS = 10000 };

/* ---- start ----------------------------------------------------------------------------------- */

/* The next number of "1:2:3". */
static bool take_number(struct str *rest, uint64_t max, uint64_t *ret) {
  struct str number;
  return str_split_next(rest, ':', &number) && str_to_u64(number, max, ret);
}

/* True where the environment says nothing, or means another process. */
static bool read_environment(struct handover *handover) {
  const char *text = getenv(UPGRADE_VARIABLE);
  uint64_t pid, sockets, admin;
  if (!text) return true;
  struct str rest = str_from_cstr(text);
  bool ok = take_number(&rest, INT32_MAX, &pid) &&
            take_number(&rest, UPGRADE_SOCKETS_MAX, &sockets) && take_number(&rest, 1, &admin) &&
            !str_split_next(&rest, ':', &rest) && admin <= sockets;
  if (!ok) log_write(LOG_ERROR, "upgrade: %s is '%s'; unset it", UPGRADE_VARIABLE, text);
  unsetenv(UPGRADE_VARIABLE);
  if (!ok || pid != (uint64_t)getpid()) return ok;
  if (fcntl(UPGRADE_LINK_FD, F_SETFD, FD_CLOEXEC) != 0 ||
      fcntl(UPGRADE_LINK_FD, F_SETFL, O_NONBLOCK) != 0) {
    log_write(LOG_ERROR, "upgrade: descriptor %d: %s", UPGRADE_LINK_FD, strerror(errno));
    return false;
  }
  handover->link = UPGRADE_LINK_FD;
  handover->socket_count = (size_t)sockets;
  handover->has_admin = admin == 1;
  return true;
}

bool handover_init(struct handover *handover, const char *const *command) {
  *handover = (struct handover){.launcher = -1, .watched = -1, .link = -1};
  if (!read_environment(handover)) return false;
  if (!command) {
    handover->refusal = "it was not started by a command that can be repeated";
    return true;
  }
  if (getpid() == 1) {
    handover->refusal =
        "this is process 1, with which everything in its container ends; replace the container";
    return true;
  }
  handover->launcher = launcher_start(command);
  if (handover->launcher >= 0) return true;
  log_write(LOG_WARNING, "no upgrade by SIGUSR2 will be possible: %s", strerror(errno));
  handover->refusal = "no launcher could be started";
  return true;
}

static void drop_launcher(struct handover *handover, const char *refusal) {
  if (handover->launcher >= 0) (void)close(handover->launcher);
  handover->launcher = -1;
  handover->refusal = refusal;
}

static void watch_no_more(struct handover *handover) {
  if (handover->watched >= 0) (void)close(handover->watched);
  handover->watched = -1;
}

void handover_deinit(struct handover *handover) {
  watch_no_more(handover);
  /* The link stays open until the process ends: its end then tells the launcher how. */
  drop_launcher(handover, "it is stopping");
}

void handover_drop_rights(struct handover *handover, const char *user) {
  struct launcher_message answer = {.text = "it is gone"};
  if (handover->launcher < 0) return;
  struct pollfd control = {.fd = handover->launcher, .events = POLLIN};
  /* Not behind the ready line: from there on nobody is root who should not be. */
  if (launcher_tell(handover->launcher, LAUNCHER_BECOME, 0, user, NULL, 0) &&
      poll(&control, 1, BECOME_WITHIN_MS) > 0 &&
      launcher_hear(handover->launcher, &answer) == LAUNCHER_SAID && answer.word == LAUNCHER_DONE)
    return;
  log_write(LOG_WARNING, "no upgrade by SIGUSR2 will be possible: the launcher: %s", answer.text);
  drop_launcher(handover, "its launcher could not give up rights");
}

/* ---- the successor --------------------------------------------------------------------------- */

int handover_fd(const struct handover *handover) {
  if (handover->link >= 0) return handover->link;
  /* The launcher goes when the successor is on its own. */
  return handover->launcher >= 0 ? handover->launcher : handover->watched;
}

bool handover_is_on_trial(const struct handover *handover) {
  return handover->link >= 0;
}

void handover_ready(struct handover *handover) {
  /* Where the launcher is gone, the next look at the link says so. */
  if (handover->link >= 0)
    (void)send(handover->link, UPGRADE_READY, strlen(UPGRADE_READY), MSG_NOSIGNAL);
}

static enum handover_event take_link(struct handover *handover) {
  char said[32];
  ssize_t n = recv(handover->link, said, sizeof(said) - 1, MSG_DONTWAIT);
  if (n < 0 && (errno == EAGAIN || errno == EWOULDBLOCK || errno == EINTR)) return HANDOVER_NOTHING;
  said[n > 0 ? n : 0] = 0;
  (void)close(handover->link);
  handover->link = -1;
  if (strcmp(said, UPGRADE_GO_RELOAD) == 0) return HANDOVER_ALONE_RELOAD;
  if (strcmp(said, UPGRADE_GO) == 0) return HANDOVER_ALONE;
  log_write(LOG_WARNING, "the upgrade was called off: process %ld goes again", (long)getpid());
  return HANDOVER_CALLED_OFF;
}

/* ---- the one that asks ----------------------------------------------------------------------- */

bool handover_is_under_way(const struct handover *handover) {
  return handover->stage == HANDOVER_STARTED || handover->stage == HANDOVER_READY;
}

bool handover_refuses(const struct handover *handover) {
  if (handover->stage == HANDOVER_OVER)
    log_write(LOG_WARNING, "cannot upgrade: process %ld has taken over; send SIGUSR2 to it",
              (long)handover->successor);
  else if (handover_is_under_way(handover))
    log_write(LOG_WARNING, "cannot upgrade: an upgrade is under way");
  else if (handover_is_on_trial(handover))
    log_write(LOG_WARNING, "cannot upgrade: the process before this one has not gone yet");
  else if (handover->launcher < 0)
    log_write(LOG_ERROR, "cannot upgrade: %s", handover->refusal);
  else
    return false;
  return true;
}

bool handover_ask(struct handover *handover, const int *sockets, size_t n, bool has_admin,
                  int64_t limit_ms) {
  if (n > UPGRADE_SOCKETS_MAX) {
    log_write(LOG_ERROR, "cannot upgrade: more than %d listening sockets", UPGRADE_SOCKETS_MAX);
    return false;
  }
  const int control = handover->launcher;
  const size_t others = has_admin ? n - 1 : n;
  if (!launcher_tell(control, LAUNCHER_SOCKET, 0, NULL, sockets, others) ||
      (has_admin && !launcher_tell(control, LAUNCHER_SOCKET, 1, NULL, sockets + others, 1)) ||
      !launcher_tell(control, LAUNCHER_START, (int32_t)limit_ms, NULL, NULL, 0)) {
    log_write(LOG_ERROR, "cannot upgrade: the launcher: %s", strerror(errno));
    drop_launcher(handover, "its launcher is gone");
    return false;
  }
  log_write(LOG_INFO, "upgrade: starting a new process");
  handover->stage = HANDOVER_STARTED;
  handover->reload = false;
  return true;
}

void handover_call_off(struct handover *handover, const char *why) {
  if (!handover_is_under_way(handover)) return;
  log_write(LOG_WARNING, "upgrade called off");
  watch_no_more(handover);
  handover->stage = HANDOVER_IDLE;
  drop_launcher(handover, why);
}

static enum handover_event fail(struct handover *handover, const char *why) {
  watch_no_more(handover);
  log_write(LOG_ERROR, "upgrade failed: the new process: %s; this one goes on", why);
  handover->stage = HANDOVER_IDLE;
  return HANDOVER_FAILED;
}

static enum handover_event lose_launcher(struct handover *handover) {
  drop_launcher(handover, "its launcher is gone");
  if (handover_is_under_way(handover)) return fail(handover, "its launcher is gone");
  if (handover->stage != HANDOVER_OVER)
    log_write(LOG_WARNING, "the launcher is gone: no upgrade by SIGUSR2 is possible any more");
  return HANDOVER_NOTHING;
}

static enum handover_event take_launcher(struct handover *handover) {
  struct launcher_message message;
  switch (launcher_hear(handover->launcher, &message)) {
    case LAUNCHER_SILENT:
      return HANDOVER_NOTHING;
    case LAUNCHER_GONE:
      return lose_launcher(handover);
    case LAUNCHER_SAID:
      break;
  }
  if (!handover_is_under_way(handover)) return HANDOVER_NOTHING;
  if (message.word == LAUNCHER_FAILED) return fail(handover, message.text);
  if (message.word == LAUNCHER_READY) {
    handover->stage = HANDOVER_READY;
    handover->successor = (pid_t)message.number;
    /* Still the launcher's child, so that the number is nobody else's. Without it nothing is told.
     */
    handover->watched = pidfd_open(handover->successor, 0);
    return HANDOVER_TO_GO;
  }
  if (message.word != LAUNCHER_DONE) return HANDOVER_NOTHING;
  handover->stage = HANDOVER_OVER;
  log_write(LOG_INFO, "upgrade: process %ld has taken over", (long)handover->successor);
  if (handover->reload)
    log_write(LOG_WARNING, "a reload was asked for in that moment: ask process %ld again",
              (long)handover->successor);
  return HANDOVER_DONE;
}

/* By a crash, perhaps, with its first request. This one listens no more. */
static enum handover_event take_successor(struct handover *handover) {
  struct pollfd end = {.fd = handover->watched, .events = POLLIN};
  if (poll(&end, 1, 0) <= 0) return HANDOVER_NOTHING;
  watch_no_more(handover);
  log_write(LOG_WARNING,
            "process %ld, which had taken over, has ended: nobody listens any more; if "
            "nobody has stopped it, start the gateway",
            (long)handover->successor);
  return HANDOVER_NOTHING;
}

void handover_go(struct handover *handover) {
  /* Where it cannot be told, it is gone, and the next look says so. */
  (void)launcher_tell(handover->launcher, LAUNCHER_GO, handover->reload, NULL, NULL, 0);
  handover->reload = false;
}

enum handover_event handover_take(struct handover *handover) {
  if (handover->link >= 0) return take_link(handover);
  if (handover->launcher >= 0) return take_launcher(handover);
  return handover->watched >= 0 ? take_successor(handover) : HANDOVER_NOTHING;
}
