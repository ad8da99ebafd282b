/*
 * The demo's gateway: this very program again, as `adit run` in a process of its own, so that what
 * is shown is what is run. Its stderr is ours, but for the line that says that it is ready.
 */
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include "adit/units.h"
#include "cli/demo.h"

enum { READY_TIMEOUT_MS = 10000, STOP_TIMEOUT_MS = 5000 };

/* Between fork and exec; only what is async-signal-safe. */
static _Noreturn void become_gateway(int log_fd, char *const *argv) {
  sigset_t none;
  sigemptyset(&none);
  sigprocmask(SIG_SETMASK, &none, NULL);
  signal(SIGPIPE, SIG_DFL);
  setpgid(0, 0); /* Ctrl-C is the demo's, which stops us in its own order */
  prctl(PR_SET_PDEATHSIG, SIGTERM);
  dup2(log_fd, STDERR_FILENO);
  execv("/proc/self/exe", argv);
  _exit(127);
}

/* "adit: ready, …, listening on 127.0.0.1:8080": the port. */
static bool parse_ready(struct str line, uint16_t *ret_port) {
  struct str before = STR(", listening on ");
  uint64_t port;
  if (!str_starts_with(line, STR("adit: ready, "))) return false;
  size_t at = 0;
  while (at < line.n && !str_starts_with(str_skip(line, at), before)) at++;
  struct str address = str_skip(line, at + before.n);
  size_t colon = address.n;
  while (colon > 0 && address.p[colon - 1] != ':') colon--;
  if (!str_to_u64(str_skip(address, colon), 65535, &port)) return false;
  *ret_port = (uint16_t)port;
  return true;
}

static void take_line(struct demo_gateway *gateway) {
  struct str line = str_make(gateway->line, gateway->line_n);
  gateway->line_n = 0;
  if (gateway->port == 0 && parse_ready(line, &gateway->port)) return;
  fprintf(stderr, "%.*s\n", STR_ARG(line));
}

bool demo_gateway_read(struct demo_gateway *gateway) {
  char bytes[1024];
  ssize_t n = read(gateway->log_fd, bytes, sizeof(bytes));
  if (n < 0) return errno == EINTR;
  for (ssize_t i = 0; i < n; i++) {
    /* A line that is too long is shown in pieces. */
    if (bytes[i] == '\n' || gateway->line_n == sizeof(gateway->line)) take_line(gateway);
    if (bytes[i] != '\n') gateway->line[gateway->line_n++] = bytes[i];
  }
  return n > 0;
}

/* Waits for more of what it says. False: it has ended, or the time is over. */
static bool read_until(struct demo_gateway *gateway, int64_t deadline_ms) {
  struct pollfd input = {.fd = gateway->log_fd, .events = POLLIN};
  int64_t left_ms = deadline_ms - clock_monotonic_ms();
  if (left_ms <= 0) return false;
  int n = poll(&input, 1, (int)left_ms);
  if (n < 0) return errno == EINTR;
  return n > 0 && demo_gateway_read(gateway);
}

bool demo_gateway_start(struct demo_gateway *gateway, const struct cli_command *command,
                        const char *config_path) {
  char name[] = "adit", word[] = "run", flag[] = "-c", path[600];
  char *const argv[] = {name, word, flag, path, NULL};
  int ends[2];
  *gateway = (struct demo_gateway){.log_fd = -1};
  snprintf(path, sizeof(path), "%s", config_path);
  if (pipe2(ends, O_CLOEXEC) != 0) {
    cli_error(command, "cannot start the gateway: %s", strerror(errno));
    return false;
  }
  pid_t pid = fork();
  if (pid == 0) become_gateway(ends[1], argv);
  close(ends[1]);
  gateway->log_fd = ends[0];
  if (pid < 0) {
    cli_error(command, "cannot start the gateway: %s", strerror(errno));
    return false;
  }
  gateway->pid = pid;
  int64_t deadline_ms = clock_monotonic_ms() + READY_TIMEOUT_MS;
  while (gateway->port == 0 && read_until(gateway, deadline_ms)) {
  }
  if (gateway->port) return true;
  cli_error(command, "the gateway did not become ready");
  return false;
}

bool demo_gateway_stop(struct demo_gateway *gateway) {
  int status = 1;
  if (gateway->pid > 0) {
    int64_t deadline_ms = clock_monotonic_ms() + STOP_TIMEOUT_MS;
    kill(gateway->pid, SIGTERM);
    while (read_until(gateway, deadline_ms)) {
    }
    if (clock_monotonic_ms() >= deadline_ms) kill(gateway->pid, SIGKILL);
    while (waitpid(gateway->pid, &status, 0) < 0 && errno == EINTR) {
    }
  }
  if (gateway->log_fd >= 0) close(gateway->log_fd);
  *gateway = (struct demo_gateway){.log_fd = -1};
  return WIFEXITED(status) && WEXITSTATUS(status) == 0;
}
