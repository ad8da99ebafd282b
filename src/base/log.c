#include "adit/log.h"

#include <errno.h>
#include <poll.h>
#include <pthread.h>
#include <stdarg.h>
#include <stdio.h>
#include <unistd.h>

#include "adit/diag.h"
#include "adit/str.h"
#include "adit/text.h"

/* Within PIPE_BUF, so that a line that goes to a pipe is not mixed with others either. */
enum { LINE_BYTES_MAX = 4096, LOG_FD = STDERR_FILENO };

static const char cut_mark[] = "...";

static struct str prefix_of(enum log_level level) {
  switch (level) {
    case LOG_ERROR:
      return STR("adit: error: ");
    case LOG_WARNING:
      return STR("adit: warning: ");
    case LOG_INFO:
      return STR("adit: ");
  }
  return STR("adit: ");
}

static struct {
  pthread_mutex_t lock; /* one line at a time: what poll() has said of the room holds */
  bool never_waits;
  unsigned long lost; /* lines, since the last that was written */
} out = {.lock = PTHREAD_MUTEX_INITIALIZER};

void log_stop_waiting(void) {
  pthread_mutex_lock(&out.lock);
  out.never_waits = true;
  pthread_mutex_unlock(&out.lock);
}

/* A pipe is ready when it takes PIPE_BUF bytes: a whole line. */
static bool is_ready(void) {
  struct pollfd log = {.fd = LOG_FD, .events = POLLOUT};
  return !out.never_waits || (poll(&log, 1, 0) > 0 && (log.revents & POLLOUT));
}

/* Only what a signal or a full pipe left over is tried again. False: it is lost. */
static bool write_all(struct str line) {
  while (line.n > 0) {
    ssize_t written = write(LOG_FD, line.p, line.n);
    if (written < 0 && errno == EINTR) continue;
    if (written <= 0) return false;
    line = str_skip(line, (size_t)written);
  }
  return true;
}

static void write_line(struct str line) {
  pthread_mutex_lock(&out.lock);
  if (out.lost > 0 && is_ready()) {
    char note[64];
    int n =
        snprintf(note, sizeof(note), "adit: warning: %lu lines of this log were lost\n", out.lost);
    if (write_all(str_make(note, (size_t)n))) out.lost = 0;
  }
  if (!is_ready() || !write_all(line)) out.lost++;
  pthread_mutex_unlock(&out.lock);
}

void log_write(enum log_level level, const char *format, ...) {
  int saved_errno = errno;
  char message[LINE_BYTES_MAX];
  va_list args;
  va_start(args, format);
  int length = vsnprintf(message, sizeof(message), format, args);
  va_end(args);
  bool cut = length < 0 || (size_t)length >= sizeof(message);
  size_t n = length < 0 ? 0 : cut ? sizeof(message) - 1 : (size_t)length;

  char line[LINE_BYTES_MAX];
  struct str prefix = prefix_of(level);
  memcpy(line, prefix.p, prefix.n);
  size_t room = sizeof(line) - prefix.n - sizeof(cut_mark);
  size_t written;
  size_t taken = text_escape_controls(str_make(message, n), line + prefix.n, room, &written);
  size_t end = prefix.n + written;
  if (cut || taken < n) {
    memcpy(line + end, cut_mark, sizeof(cut_mark) - 1);
    end += sizeof(cut_mark) - 1;
  }
  line[end++] = '\n';
  write_line(str_make(line, end));
  errno = saved_errno;
}

void log_diags(const struct diags *diags) {
  struct text text;
  text_init(&text, SIZE_MAX - 1);
  diags_format(diags, &text);
  struct str rest = text_str(&text);
  while (rest.n > 0) {
    size_t end = str_find_char(rest, '\n', 0) + 1;
    write_line(str_take(rest, end));
    rest = str_skip(rest, end);
  }
  if (text_failed(&text)) log_write(LOG_ERROR, "out of memory, some findings are not shown");
  text_deinit(&text);
}
