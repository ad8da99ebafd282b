/*
 * launcher: see launcher.h.
 *
 *   messages    over the control
 *   successor   what becomes of the process that is to be it
 *   upgrade     its start, its end, the time it may take
 *   life        the launcher's own
 */
#include "launcher.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include "adit/sandbox.h"
#include "adit/str.h"
#include "adit/units.h"

enum { FDS_A_MESSAGE = 64, CONTROL_FD = 3, FIRST_SOCKET_FD = UPGRADE_LINK_FD + 1 };

struct launcher {
  const char *const *command;
  sigset_t mask; /* of signals, as the command is to have it */
  pid_t gateway;
  int control;
  int sockets[UPGRADE_SOCKETS_MAX]; /* of the upgrade that is under way */
  size_t socket_count;
  int admin;      /* the index of its socket; -1: none */
  int link;       /* -1: no upgrade is under way */
  pid_t child;    /* the successor */
  bool is_ready;  /* it serves */
  int64_t due_ms; /* by when it has to */
  int32_t limit_ms;
};

/* ---- messages -------------------------------------------------------------------------------- */

bool launcher_tell(int control, enum launcher_word word, int32_t number, const char *text,
                   const int *fds, size_t n) {
  struct launcher_message message = {.word = word, .number = number};
  if (text) snprintf(message.text, sizeof(message.text), "%s", text);
  union {
    struct cmsghdr header;
    char bytes[CMSG_SPACE(FDS_A_MESSAGE * sizeof(int))];
  } ancillary = {0};
  struct iovec iov = {&message, sizeof(message)};
  size_t sent = 0;
  do {
    size_t part = n - sent < FDS_A_MESSAGE ? n - sent : FDS_A_MESSAGE;
    struct msghdr header = {.msg_iov = &iov, .msg_iovlen = 1};
    if (part > 0) {
      header.msg_control = &ancillary;
      header.msg_controllen = CMSG_SPACE(part * sizeof(int));
      struct cmsghdr *rights = CMSG_FIRSTHDR(&header);
      rights->cmsg_level = SOL_SOCKET;
      rights->cmsg_type = SCM_RIGHTS;
      rights->cmsg_len = CMSG_LEN(part * sizeof(int));
      memcpy(CMSG_DATA(rights), fds + sent, part * sizeof(int));
    }
    if (sendmsg(control, &header, MSG_NOSIGNAL) != (ssize_t)sizeof(message)) return false;
    sent += part;
  } while (sent < n);
  return true;
}

/* False: more than there is room for, or than there may be descriptors. */
static bool keep_sockets(struct launcher *launcher, struct msghdr *header, bool is_admin) {
  bool whole = (header->msg_flags & MSG_CTRUNC) == 0;
  for (struct cmsghdr *one = CMSG_FIRSTHDR(header); one; one = CMSG_NXTHDR(header, one)) {
    if (one->cmsg_level != SOL_SOCKET || one->cmsg_type != SCM_RIGHTS) continue;
    size_t n = (one->cmsg_len - CMSG_LEN(0)) / sizeof(int);
    for (size_t i = 0; i < n; i++) {
      int fd;
      memcpy(&fd, CMSG_DATA(one) + i * sizeof(int), sizeof(fd));
      if (launcher->socket_count < UPGRADE_SOCKETS_MAX) {
        if (is_admin) launcher->admin = (int)launcher->socket_count;
        launcher->sockets[launcher->socket_count++] = fd;
      } else {
        (void)close(fd);
        whole = false;
      }
    }
  }
  return whole;
}

/* A message whose descriptors were kept. */
static enum launcher_heard hear(struct launcher *launcher, struct launcher_message *ret) {
  union {
    struct cmsghdr header;
    char bytes[CMSG_SPACE(FDS_A_MESSAGE * sizeof(int))];
  } ancillary;
  struct iovec iov = {ret, sizeof(*ret)};
  struct msghdr header = {.msg_iov = &iov,
                          .msg_iovlen = 1,
                          .msg_control = &ancillary,
                          .msg_controllen = sizeof(ancillary)};
  ssize_t n = recvmsg(launcher->control, &header, MSG_CMSG_CLOEXEC);
  if (n < 0 && errno == EINTR) return LAUNCHER_SILENT;
  if (n != (ssize_t)sizeof(*ret)) return LAUNCHER_GONE;
  ret->text[sizeof(ret->text) - 1] = 0;
  if (!keep_sockets(launcher, &header, ret->word == LAUNCHER_SOCKET && ret->number == 1))
    return LAUNCHER_GONE;
  return LAUNCHER_SAID;
}

enum launcher_heard launcher_hear(int control, struct launcher_message *ret) {
  ssize_t n = recv(control, ret, sizeof(*ret), MSG_DONTWAIT);
  if (n < 0 && (errno == EAGAIN || errno == EWOULDBLOCK || errno == EINTR)) return LAUNCHER_SILENT;
  if (n != (ssize_t)sizeof(*ret)) return LAUNCHER_GONE;
  ret->text[sizeof(ret->text) - 1] = 0;
  return LAUNCHER_SAID;
}

static void answer(struct launcher *launcher, enum launcher_word word, int32_t number) {
  /* Where the gateway is gone, the next look at the control says so. */
  (void)launcher_tell(launcher->control, word, number, NULL, NULL, 0);
}

static void fail(struct launcher *launcher, const char *format, ...)
    __attribute__((format(printf, 2, 3)));
static void fail(struct launcher *launcher, const char *format, ...) {
  char why[256];
  va_list args;
  va_start(args, format);
  vsnprintf(why, sizeof(why), format, args);
  va_end(args);
  (void)launcher_tell(launcher->control, LAUNCHER_FAILED, 0, why, NULL, 0);
}

/* ---- successor ------------------------------------------------------------------------------- */

/* To where launcher.h says that they are. */
static bool place_descriptors(struct launcher *launcher, int link) {
  const int beyond = FIRST_SOCKET_FD + (int)launcher->socket_count;
  /* Out of the way first, as one may stand where another is to go. */
  int high = fcntl(link, F_DUPFD_CLOEXEC, beyond);
  if (high < 0) return false;
  for (size_t i = 0; i < launcher->socket_count; i++) {
    launcher->sockets[i] = fcntl(launcher->sockets[i], F_DUPFD_CLOEXEC, beyond);
    if (launcher->sockets[i] < 0) return false;
  }
  /* These are not closed on exec; all others are. */
  if (dup2(high, UPGRADE_LINK_FD) < 0) return false;
  for (size_t i = 0; i < launcher->socket_count; i++)
    if (dup2(launcher->sockets[i], FIRST_SOCKET_FD + (int)i) < 0) return false;
  return true;
}

static bool set_variables(const struct launcher *launcher) {
  char value[64], number[24];
  snprintf(value, sizeof(value), "%ld:%zu:%d", (long)getpid(), launcher->socket_count,
           launcher->admin >= 0);
  /* The watchdog that was the gateway's is its successor's. */
  const char *watched = getenv("WATCHDOG_PID");
  snprintf(number, sizeof(number), "%ld", (long)launcher->gateway);
  bool is_watched = watched && strcmp(watched, number) == 0;
  snprintf(number, sizeof(number), "%ld", (long)getpid());
  return setenv(UPGRADE_VARIABLE, value, 1) == 0 &&
         (!is_watched || setenv("WATCHDOG_PID", number, 1) == 0);
}

static _Noreturn void become_successor(struct launcher *launcher, int link) {
  char why[256];
  if (place_descriptors(launcher, link) && set_variables(launcher) &&
      sigprocmask(SIG_SETMASK, &launcher->mask, NULL) == 0)
    (void)execvp(launcher->command[0], (char *const *)(uintptr_t)launcher->command);
  snprintf(why, sizeof(why), "cannot execute '%.180s': %s", launcher->command[0], strerror(errno));
  /* Where it stands if it could not be moved is no matter: the same socket. */
  (void)send(link, why, strlen(why), MSG_NOSIGNAL);
  _exit(127);
}

/* ---- upgrade --------------------------------------------------------------------------------- */

/* Holds nothing any more that an upgrade needs. */
static void drop_upgrade(struct launcher *launcher) {
  for (size_t i = 0; i < launcher->socket_count; i++) (void)close(launcher->sockets[i]);
  launcher->socket_count = 0;
  launcher->admin = -1;
  if (launcher->link >= 0) (void)close(launcher->link);
  launcher->link = -1;
  launcher->is_ready = false;
}

static int wait_for_child(struct launcher *launcher) {
  int status = 0;
  while (waitpid(launcher->child, &status, 0) < 0 && errno == EINTR) continue;
  return status;
}

static void start(struct launcher *launcher, int32_t limit_ms) {
  int pair[2];
  if (launcher->link >= 0) return; /* the gateway has one upgrade at a time */
  if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, pair) != 0) {
    fail(launcher, "no socket for it: %s", strerror(errno));
    drop_upgrade(launcher);
    return;
  }
  launcher->child = fork();
  if (launcher->child == 0) become_successor(launcher, pair[1]);
  (void)close(pair[1]);
  launcher->link = pair[0];
  launcher->limit_ms = limit_ms;
  launcher->due_ms = clock_monotonic_ms() + limit_ms;
  if (launcher->child > 0) return;
  fail(launcher, "no process for it: %s", strerror(errno));
  drop_upgrade(launcher);
}

/* The child has closed the link: it has ended, or is no Adit of this kind, and has to. */
static void note_end(struct launcher *launcher) {
  (void)kill(launcher->child, SIGKILL);
  int status = wait_for_child(launcher);
  const char *when = launcher->is_ready ? "after" : "before";
  if (WIFEXITED(status))
    fail(launcher, "it ended with status %d %s it was ready", WEXITSTATUS(status), when);
  else
    fail(launcher, "it was ended by signal %d (%s) %s it was ready", WTERMSIG(status),
         strsignal(WTERMSIG(status)), when);
  drop_upgrade(launcher);
}

static void take_link(struct launcher *launcher) {
  char said[256];
  ssize_t n = recv(launcher->link, said, sizeof(said) - 1, MSG_DONTWAIT);
  if (n < 0 && (errno == EAGAIN || errno == EINTR)) return;
  if (n <= 0) {
    note_end(launcher);
    return;
  }
  said[n] = 0;
  if (strcmp(said, UPGRADE_READY) == 0) {
    launcher->is_ready = true;
    answer(launcher, LAUNCHER_READY, (int32_t)launcher->child);
    return;
  }
  (void)wait_for_child(launcher); /* become_successor() has said why it could not */
  fail(launcher, "%s", said);
  drop_upgrade(launcher);
}

static void note_time(struct launcher *launcher) {
  if (launcher->is_ready || clock_monotonic_ms() < launcher->due_ms) return;
  (void)kill(launcher->child, SIGKILL);
  (void)wait_for_child(launcher);
  fail(launcher, "it was not ready within %ld ms, and was killed", (long)launcher->limit_ms);
  drop_upgrade(launcher);
}

/* True: the successor is on its own, and there is nothing left to do here. */
static bool let_go(struct launcher *launcher, bool reload) {
  const char *go = reload ? UPGRADE_GO_RELOAD : UPGRADE_GO;
  if (launcher->link < 0 || !launcher->is_ready) return false; /* it has failed meanwhile: said */
  if (send(launcher->link, go, strlen(go), MSG_NOSIGNAL) != (ssize_t)strlen(go)) return false;
  answer(launcher, LAUNCHER_DONE, 0);
  return true;
}

/* The gateway is gone, or does not want an upgrade any more. One that serves already has clients:
 * it drains when the link is closed. */
static void call_off(struct launcher *launcher) {
  if (launcher->link < 0 || launcher->is_ready) return;
  (void)kill(launcher->child, SIGKILL);
  (void)wait_for_child(launcher);
}

/* ---- life ------------------------------------------------------------------------------------ */

/* False: it is to end. */
static bool become(struct launcher *launcher, const char *user) {
  struct sandbox_error error;
  bool ok = sandbox_drop_rights(user[0] ? user : NULL, &error);
  if (ok)
    answer(launcher, LAUNCHER_DONE, 0);
  else
    fail(launcher, "%s", error.message);
  /* Nobody who is the same user may look into it or change it: by then it can do more than he. */
  return ok && prctl(PR_SET_DUMPABLE, 0, 0, 0, 0) == 0;
}

static bool take_control(struct launcher *launcher) {
  struct launcher_message message;
  switch (hear(launcher, &message)) {
    case LAUNCHER_GONE:
      call_off(launcher);
      return false;
    case LAUNCHER_SILENT:
      return true;
    case LAUNCHER_SAID:
      break;
  }
  if (message.word == LAUNCHER_BECOME) return become(launcher, message.text);
  if (message.word == LAUNCHER_START) start(launcher, message.number);
  if (message.word == LAUNCHER_GO) return !let_go(launcher, message.number == 1);
  return true;
}

static int wait_ms(const struct launcher *launcher) {
  if (launcher->link < 0 || launcher->is_ready) return -1;
  int64_t left_ms = launcher->due_ms - clock_monotonic_ms();
  return left_ms > 0 ? (int)left_ms : 0;
}

/* Everything but standard streams and the control is the gateway's alone. */
static bool keep_only_control(int control) {
  if (control != CONTROL_FD && dup3(control, CONTROL_FD, O_CLOEXEC) < 0) return false;
  return close_range(CONTROL_FD + 1, ~0U, 0) == 0;
}

static _Noreturn void launcher_main(struct launcher *launcher) {
  static const char *const not_meant_for_it[] = {"LISTEN_PID", "LISTEN_FDS", "LISTEN_FDNAMES"};
  (void)prctl(PR_SET_NAME, "adit-launcher", 0, 0, 0);
  signal(SIGCHLD, SIG_DFL);
  if (!keep_only_control(launcher->control)) _exit(1);
  launcher->control = CONTROL_FD;
  for (size_t i = 0; i < sizeof(not_meant_for_it) / sizeof(*not_meant_for_it); i++)
    unsetenv(not_meant_for_it[i]);
  for (bool goes_on = true; goes_on;) {
    struct pollfd watched[] = {{.fd = launcher->control, .events = POLLIN},
                               {.fd = launcher->link, .events = POLLIN}};
    if (poll(watched, 2, wait_ms(launcher)) < 0) continue;
    if (launcher->link >= 0 && watched[1].revents) take_link(launcher);
    if (launcher->link >= 0) note_time(launcher);
    if (watched[0].revents) goes_on = take_control(launcher);
  }
  _exit(0);
}

int launcher_start(const char *const *command) {
  static struct launcher launcher; /* large; one process has one */
  sigset_t all;
  int pair[2];
  if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, pair) != 0) return -1;
  launcher = (struct launcher){
      .command = command, .gateway = getpid(), .control = pair[1], .admin = -1, .link = -1};
  sigfillset(&all);
  /* Signals that are meant for the gateway, to whose group it belongs, it does not take. */
  sigprocmask(SIG_SETMASK, &all, &launcher.mask);
  pid_t pid = fork();
  if (pid == 0) launcher_main(&launcher);
  int error = errno;
  sigprocmask(SIG_SETMASK, &launcher.mask, NULL);
  (void)close(pair[1]);
  if (pid > 0 && fcntl(pair[0], F_SETFL, O_NONBLOCK) == 0) {
    signal(SIGCHLD, SIG_IGN); /* the kernel reaps it */
    return pair[0];
  }
  (void)close(pair[0]);
  errno = error;
  return -1;
}
