/*
 * access_log: the writer of the access log.
 *
 *   sink      where lines go; what may be written there without waiting
 *   losing    lines that cannot be written
 *   writing   what is in the rings
 *   sleeping  when it is woken, and by whom
 *   life      start, stop
 *   lanes     the workers' side
 *
 * The writer sleeps in two ways. Where nothing comes it is asleep, and the first line wakes it.
 * While lines come it dozes: a tenth of a second at a time, unless a ring gets half full. So a busy
 * worker makes no system call for its lines, and an idle gateway does not wake.
 */
#include "access_log.h"

#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <pthread.h>
#include <stdlib.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include "access_ring.h"
#include "access_syslog.h"
#include "adit/arena.h"
#include "adit/log.h"
#include "adit/units.h"

enum {
  RING_BYTES = 1 << 20,
  WRITE_BYTES_MAX = 1 << 18,
  PIPE_BYTES_MAX = 4096, /* PIPE_BUF: a pipe that is ready takes as much at once */
  DOZE_MS = 100,
  STOP_MS = 1000,
  OPTIONS_BYTES_MAX = 1 << 20,
  RANDOM_KEY_BYTES = 32,
  WARN_EACH_MS = 60 * 1000
};

/* How to write without waiting. A file of ours never waits, as it was opened so. A standard output
 * is shared with others, so its flags are not ours to change. */
enum sink { SINK_FILE, SINK_SOCKET, SINK_STREAM, SINK_SYSLOG };

enum sleep { AWAKE, DOZES, SLEEPS };

struct access_lane {
  struct access_ring ring;
  struct access_line line;
  struct access_log *log;
  bool told; /* in this turn */
};

struct access_log {
  struct config_access_log options;
  struct arena *arena; /* of `options` */
  char *path;          /* NULL: standard output */
  int fd;
  enum sink sink;
  struct access_syslog *syslog; /* NULL: the sink is another */
  char *joined;                 /* for its lines that lie in two pieces */
  struct access_lane *lanes;
  unsigned lane_count;
  unsigned current; /* whose lines are being written: what was begun goes on */
  char last;        /* byte that was written */
  bool torn;        /* the end of the last line is lost: the next one begins on a new line */
  int64_t warned_ms;
  int64_t stop_at_ms; /* when to give up; 0: not asked to stop */
  pthread_t thread;
  bool started;
  int wake;
  _Atomic int sleep;
  _Atomic bool wants_reopen, wants_stop;
  _Atomic uint64_t written, lost;
};

/* ---- sink ------------------------------------------------------------------------------------ */

static const char *name_of(const struct access_log *log) {
  return log->path ? log->path : "-";
}

/* Exactly what the sandbox lets through. O_NONBLOCK: of a FIFO. -1: errno. */
static int open_file(const char *path) {
  return open(path, O_WRONLY | O_APPEND | O_CREAT | O_CLOEXEC | O_NONBLOCK | O_NOCTTY, 0640);
}

static enum sink sink_of_standard_output(void) {
  struct stat status;
  if (fstat(STDOUT_FILENO, &status) != 0) return SINK_STREAM;
  if (S_ISREG(status.st_mode)) return SINK_FILE;
  return S_ISSOCK(status.st_mode) ? SINK_SOCKET : SINK_STREAM;
}

/* Whether somebody listens there is seen with the first line: a server may come later. */
static bool open_syslog(struct access_log *log, const struct config_syslog *config) {
  log->sink = SINK_SYSLOG;
  log->syslog = access_syslog_new(config);
  log->joined = malloc(ACCESS_SYSLOG_BYTES_MAX);
  if (log->syslog && log->joined) return true;
  log_write(LOG_ERROR, "access_log: out of memory");
  return false;
}

static bool open_sink(struct access_log *log, const struct config_access_log *config) {
  if (config->is_syslog) return open_syslog(log, &config->syslog);
  log->fd = STDOUT_FILENO;
  log->sink = sink_of_standard_output();
  if (!log->path) return true;
  log->sink = SINK_FILE;
  log->fd = open_file(log->path);
  if (log->fd >= 0) return true;
  log_write(LOG_ERROR,
            "access_log: %s cannot be written: %s; the user that the gateway runs as must be able "
            "to make it",
            log->path, strerror(errno));
  return false;
}

static void reopen(struct access_log *log) {
  if (log->syslog) {
    access_syslog_close(log->syslog);
    log_write(LOG_INFO, "access_log: connected anew to %s", log->path);
  }
  if (log->syslog || !log->path) return;
  int fd = open_file(log->path);
  if (fd < 0) {
    log_write(LOG_WARNING, "access_log: %s cannot be opened again: %s; the old file is written on",
              log->path, strerror(errno));
    return;
  }
  (void)close(log->fd);
  log->fd = fd;
  log->last = '\n';
  log->torn = false;
  log_write(LOG_INFO, "access_log: %s was opened again", log->path);
}

/* As write(), but with EAGAIN where it would have to wait. */
static ssize_t write_some(const struct access_log *log, struct str bytes) {
  struct pollfd room = {.fd = log->fd, .events = POLLOUT};
  switch (log->sink) {
    case SINK_FILE:
      return write(log->fd, bytes.p, str_take(bytes, WRITE_BYTES_MAX).n);
    case SINK_SOCKET:
      return send(log->fd, bytes.p, bytes.n, MSG_DONTWAIT | MSG_NOSIGNAL);
    case SINK_STREAM:
    case SINK_SYSLOG: /* is not written to */
      break;
  }
  if (poll(&room, 1, 0) <= 0 || room.revents == 0) {
    errno = EAGAIN;
    return -1;
  }
  return write(log->fd, bytes.p, str_take(bytes, PIPE_BYTES_MAX).n);
}

/* ---- losing ---------------------------------------------------------------------------------- */

static void warn(struct access_log *log, int error) {
  const int64_t now_ms = clock_monotonic_ms();
  if (log->warned_ms != 0 && now_ms - log->warned_ms < WARN_EACH_MS) return;
  log->warned_ms = now_ms;
  log_write(LOG_WARNING, "access_log: %s cannot be written: %s; lines are lost, %llu so far",
            name_of(log), strerror(error),
            (unsigned long long)atomic_load_explicit(&log->lost, memory_order_relaxed));
}

static uint64_t lines_in(struct str bytes) {
  uint64_t n = 0;
  for (size_t at = 0; (at = str_find_char(bytes, '\n', at)) < bytes.n; at++) n++;
  return n;
}

/* The next `n` bytes of the ring, which end with a line; one that was begun is lost as well. */
static void lose(struct access_log *log, struct access_ring *ring, size_t n) {
  if (log->last != '\n') log->torn = true;
  while (n > 0) {
    const struct str bytes = str_take(access_ring_peek(ring), n);
    atomic_fetch_add_explicit(&log->lost, lines_in(bytes), memory_order_relaxed);
    access_ring_consume(ring, bytes.n);
    n -= bytes.n;
  }
  log->last = '\n';
}

/* ---- writing --------------------------------------------------------------------------------- */

enum drain { DRAIN_NOTHING, DRAIN_SOME, DRAIN_BLOCKED };

/* Some of the next *left bytes, which end with a line. False: the sink has no room. */
static bool write_once(struct access_log *log, struct access_ring *ring, size_t *left) {
  const struct str bytes = log->torn ? STR("\n") : str_take(access_ring_peek(ring), *left);
  const ssize_t n = write_some(log, bytes);
  if (n < 0 && errno == EINTR) return true;
  if (n < 0 && errno == EAGAIN) return false;
  if (n <= 0) {
    const int error = n < 0 ? errno : EIO;
    lose(log, ring, *left);
    *left = 0;
    warn(log, error);
    return true;
  }
  if (log->torn) {
    log->torn = false;
    return true;
  }
  const struct str done = str_take(bytes, (size_t)n);
  log->last = done.p[done.n - 1];
  atomic_fetch_add_explicit(&log->written, lines_in(done), memory_order_relaxed);
  access_ring_consume(ring, done.n);
  *left -= done.n;
  return true;
}

/* The next line, which is a message of its own. Returns as write_once(). */
static bool send_once(struct access_log *log, struct access_ring *ring, size_t *left) {
  size_t n;
  const struct str line = access_ring_line(ring, log->joined, ACCESS_SYSLOG_BYTES_MAX, &n);
  const enum syslog_sent sent = access_syslog_send(log->syslog, line);
  const int error = sent == SYSLOG_LARGE ? EMSGSIZE : errno;
  if (sent == SYSLOG_FULL) return false;
  if (sent == SYSLOG_FAILED) n = *left; /* whoever comes meanwhile gets the next ones */
  *left -= n;
  if (sent != SYSLOG_SENT) {
    lose(log, ring, n);
    warn(log, error);
    return true;
  }
  atomic_fetch_add_explicit(&log->written, 1, memory_order_relaxed);
  access_ring_consume(ring, n);
  return true;
}

/* Of each ring what it holds now, one ring after the other: a line that was begun is ended before
 * another begins, and a worker that is quick does not keep the others' lines from being written. */
static enum drain drain(struct access_log *log) {
  enum drain outcome = DRAIN_NOTHING;
  for (unsigned visited = 0; visited < log->lane_count; visited++) {
    struct access_ring *ring = &log->lanes[log->current].ring;
    for (size_t left = access_ring_size(ring); left > 0; outcome = DRAIN_SOME)
      if (!(log->syslog ? send_once : write_once)(log, ring, &left)) return DRAIN_BLOCKED;
    log->current = (log->current + 1) % log->lane_count;
  }
  return outcome;
}

/* ---- sleeping -------------------------------------------------------------------------------- */

static void wake_writer(struct access_log *log) {
  const uint64_t one = 1;
  /* It fails only when the counter is at its limit, and then the writer is being woken anyway. */
  const ssize_t n = write(log->wake, &one, sizeof(one));
  (void)n;
}

static bool holds(const struct access_log *log, size_t bytes) {
  for (unsigned i = 0; i < log->lane_count; i++)
    if (access_ring_size(&log->lanes[i].ring) > bytes) return true;
  return false;
}

/* Until `wait_ms` is over (-1: never), somebody wakes the writer, or there is room in the sink for
 * which it waits (`blocked`). */
static void wait_for_news(struct access_log *log, bool blocked, int wait_ms) {
  const int sink = log->syslog ? access_syslog_fd(log->syslog) : log->fd;
  struct pollfd watched[] = {{.fd = log->wake, .events = POLLIN},
                             {.fd = blocked ? sink : -1, .events = POLLOUT}};
  (void)poll(watched, 2, wait_ms);
  uint64_t count;
  while (read(log->wake, &count, sizeof(count)) > 0) continue;
}

/* A worker puts a line in and then looks whether the writer sleeps; the writer says so and then
 * looks whether there is a line: one of the two sees what the other did. */
static void rest(struct access_log *log, enum drain outcome) {
  if (outcome == DRAIN_BLOCKED) {
    int wait_ms = -1;
    if (log->stop_at_ms != 0) {
      const int64_t left_ms = log->stop_at_ms - clock_monotonic_ms();
      wait_ms = left_ms > 0 ? (int)left_ms : 0;
    }
    wait_for_news(log, true, wait_ms);
    return;
  }
  const enum sleep sleep = outcome == DRAIN_NOTHING ? SLEEPS : DOZES;
  atomic_store(&log->sleep, sleep);
  atomic_thread_fence(memory_order_seq_cst);
  const bool is_wanted = holds(log, sleep == SLEEPS ? 0 : RING_BYTES / 2) ||
                         atomic_load(&log->wants_stop) || atomic_load(&log->wants_reopen);
  if (!is_wanted) wait_for_news(log, false, sleep == SLEEPS ? -1 : DOZE_MS);
  atomic_store(&log->sleep, AWAKE);
}

static void take_wishes(struct access_log *log) {
  if (log->last == '\n' && atomic_exchange(&log->wants_reopen, false)) reopen(log);
  if (log->stop_at_ms == 0 && atomic_load(&log->wants_stop))
    log->stop_at_ms = clock_monotonic_ms() + STOP_MS;
}

static void *writer_main(void *argument) {
  struct access_log *log = argument;
  for (;;) {
    take_wishes(log);
    const bool stops = log->stop_at_ms != 0;
    const enum drain outcome = drain(log);
    if (stops && !holds(log, 0)) break;
    if (stops && clock_monotonic_ms() >= log->stop_at_ms) break;
    rest(log, outcome);
  }
  for (unsigned i = 0; i < log->lane_count; i++) {
    struct access_ring *ring = &log->lanes[log->current].ring;
    lose(log, ring, access_ring_size(ring));
    log->current = (log->current + 1) % log->lane_count;
  }
  return NULL;
}

/* ---- life ------------------------------------------------------------------------------------ */

/* What a later configuration says waits for the next start, and the first does not stay. */
static bool copy_options(struct access_log *log, const struct config_access_log *config) {
  log->options = *config;
  log->options.redact_key = (struct str){0};       /* the lanes have it */
  log->options.syslog = (struct config_syslog){0}; /* the sink */
  log->arena = arena_new(OPTIONS_BYTES_MAX);
  if (!log->arena) return false;
  struct config_redaction *redact =
      ARENA_ARRAY(log->arena, struct config_redaction, config->redact_count + 1);
  log->options.path = arena_dup(log->arena, str_from_cstr(config->path)).p;
  log->options.redact = redact;
  for (size_t i = 0; redact && i < config->redact_count; i++)
    redact[i].name = arena_dup(log->arena, config->redact[i].name);
  return !arena_failed(log->arena);
}

static bool lanes_init(struct access_log *log, struct str key, unsigned workers) {
  log->lanes = aligned_alloc(alignof(struct access_lane), workers * sizeof(*log->lanes));
  if (!log->lanes) return false;
  memset(log->lanes, 0, workers * sizeof(*log->lanes));
  log->lane_count = workers;
  for (unsigned i = 0; i < workers; i++) {
    struct access_lane *lane = &log->lanes[i];
    lane->log = log;
    if (!access_ring_init(&lane->ring, RING_BYTES) ||
        !access_line_init(&lane->line, &log->options, key))
      return false;
  }
  return true;
}

/* A key of its own is made where the configuration has none. */
static bool keyed_lanes_init(struct access_log *log, const struct config_access_log *config,
                             unsigned workers) {
  char made[RANDOM_KEY_BYTES];
  struct str key = config->redact_key;
  if (!key.p) {
    if (!crypto_random(made, sizeof(made))) return false;
    key = str_make(made, sizeof(made));
  }
  const bool ok = lanes_init(log, key, workers);
  explicit_bzero(made, sizeof(made));
  return ok;
}

struct access_log *access_log_start(const struct config_access_log *config, unsigned workers) {
  struct access_log *log = calloc(1, sizeof(*log));
  if (log) {
    const bool is_file = strcmp(config->path, "-") != 0;
    log->last = '\n';
    log->fd = -1;
    log->wake = eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC);
    log->path = is_file ? strdup(config->path) : NULL;
    if (log->wake >= 0 && (log->path || !is_file) && copy_options(log, config) &&
        keyed_lanes_init(log, config, workers)) {
      if (!open_sink(log, config)) {
        access_log_free(&log);
        return NULL;
      }
      log->started = pthread_create(&log->thread, NULL, writer_main, log) == 0;
      if (log->started) return log;
    }
    access_log_free(&log);
  }
  log_write(LOG_ERROR, "access_log: out of memory, or its thread cannot be started");
  return NULL;
}

void access_log_reopen(struct access_log *log) {
  atomic_store(&log->wants_reopen, true);
  wake_writer(log);
}

void access_log_stop(struct access_log *log) {
  if (!log->started) return;
  atomic_store(&log->wants_stop, true);
  wake_writer(log);
  (void)pthread_join(log->thread, NULL);
  log->started = false;
}

void access_log_free(struct access_log **log) {
  struct access_log *gone = *log;
  *log = NULL;
  if (!gone) return;
  access_log_stop(gone);
  for (unsigned i = 0; i < gone->lane_count; i++) {
    access_ring_deinit(&gone->lanes[i].ring);
    access_line_deinit(&gone->lanes[i].line);
  }
  free(gone->lanes);
  if (gone->path && gone->fd >= 0) (void)close(gone->fd);
  if (gone->wake >= 0) (void)close(gone->wake);
  access_syslog_free(&gone->syslog);
  free(gone->joined);
  free(gone->path);
  arena_free(&gone->arena);
  free(gone);
}

const struct config_access_log *access_log_options(const struct access_log *log) {
  return &log->options;
}

struct access_counts access_log_counts(const struct access_log *log) {
  if (!log) return (struct access_counts){0};
  return (struct access_counts){
      .access_log_written = atomic_load_explicit(&log->written, memory_order_relaxed),
      .access_log_lost = atomic_load_explicit(&log->lost, memory_order_relaxed)};
}

/* ---- lanes ----------------------------------------------------------------------------------- */

struct access_lane *access_log_lane(struct access_log *log, unsigned worker) {
  if (!log) return NULL;
  assert(worker < log->lane_count);
  return &log->lanes[worker];
}

void access_lane_begin_attributes(struct access_lane *lane, struct access_attributes *ret) {
  access_attributes_begin(ret, &lane->line.text, lane->line.hmac);
}

bool access_lane_tell(struct access_lane *lane, const struct access_entry *entry) {
  if (!access_ring_push(&lane->ring, access_line_make(&lane->line, entry))) return false;
  lane->told = true;
  return true;
}

void access_lane_end_turn(struct access_lane *lane) {
  if (!lane->told) return;
  lane->told = false;
  struct access_log *log = lane->log;
  atomic_thread_fence(memory_order_seq_cst);
  int sleep = atomic_load_explicit(&log->sleep, memory_order_relaxed);
  if (sleep == AWAKE) return;
  if (sleep == DOZES && access_ring_size(&lane->ring) <= RING_BYTES / 2) return;
  if (atomic_compare_exchange_strong(&log->sleep, &sleep, AWAKE)) wake_writer(log);
}
