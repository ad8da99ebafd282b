/*
 * kernel: the system calls of a worker over lines in memory.
 *
 *   bytes, moves   what goes over a line, and when
 *   peers          what the world does
 *   sockets        socket connect accept4 recv send shutdown close
 *   events         epoll, the mailbox's eventfd
 *   the rest       clock, random numbers, threads, the log
 */
#include "kernel.h"

#include <errno.h>
#include <linux/sockios.h>
#include <netinet/in.h>
#include <poll.h>
#include <pthread.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/epoll.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <unistd.h>

#include "adit/crypto.h"
#include "adit/log.h"
#include "adit/units.h"

enum { EPOLL_FD = 1000, MAILBOX_FD = 1001, FIRST_CLIENT_FD = 1010, FIRST_ORIGIN_FD = 1100 };
enum { START_MS = 5000000 };
static const int64_t WALL_MS = INT64_C(1767225600000);

struct kernel kernel;

static void require(bool holds) {
  if (!holds) abort();
}

/* ---- bytes, moves ---------------------------------------------------------------------------- */

char *bytes_add(struct bytes *bytes, const char *from, size_t n) {
  if (n == 0) return NULL;
  if (bytes->capacity - bytes->n < n) {
    bytes->capacity = 2 * bytes->capacity + n;
    bytes->p = realloc(bytes->p, bytes->capacity);
    require(bytes->p != NULL);
  }
  char *at = bytes->p + bytes->n;
  if (from) memcpy(at, from, n);
  bytes->n += n;
  return at;
}

static void note_move(const struct line *line, bool out) {
  if (kernel.move_count == kernel.move_capacity) {
    kernel.move_capacity = 2 * kernel.move_capacity + 64;
    kernel.moves = reallocarray(kernel.moves, kernel.move_capacity, sizeof(*kernel.moves));
    require(kernel.moves != NULL);
  }
  kernel.moves[kernel.move_count++] =
      (struct move){.line = line, .out = out, .end = out ? line->out.n : line->in.n};
}

size_t kernel_bytes_before(const struct line *line, bool out, size_t time) {
  while (time-- > 0) {
    const struct move *move = &kernel.moves[time];
    if (move->line == line && move->out == out) return move->end;
  }
  return 0;
}

static void line_reuse(struct line *line) {
  struct bytes in = line->in, out = line->out;
  *line = (struct line){.in = in, .out = out, .room = LINE_ROOM_ALL};
  line->in.n = line->out.n = 0;
}

void kernel_reset(void) {
  for (size_t i = 0; i < CLIENT_LINES_MAX; i++) line_reuse(&kernel.clients[i]);
  for (size_t i = 0; i < ORIGIN_LINES_MAX; i++) line_reuse(&kernel.origins[i]);
  kernel.client_count = kernel.origin_count = 0;
  kernel.move_count = 0;
  kernel.now_ms = START_MS;
  kernel.listening = true;
  kernel.listener_watched = false;
  kernel.mailbox = 0;
  kernel.mailbox_watch = kernel.listener_watch = NULL;
  kernel.open = 1; /* the listener */
  kernel.connects = "";
}

/* ---- peers ----------------------------------------------------------------------------------- */

struct line *kernel_new_client(const struct ip_address *peer) {
  if (kernel.client_count == CLIENT_LINES_MAX || !kernel.listening) return NULL;
  struct line *line = &kernel.clients[kernel.client_count];
  line->is_client = true;
  line->number = kernel.client_count++;
  line->fd = FIRST_CLIENT_FD + (int)line->number;
  line->peer = *peer;
  return line;
}

static bool hears(const struct line *line) {
  return !line->closed && !line->in_ended && !line->in_reset && !line->connecting;
}

void line_say(struct line *line, struct str data) {
  if (!hears(line) || data.n == 0) return;
  bytes_add(&line->in, data.p, data.n);
  note_move(line, false);
  line->has_news = true;
}

void line_end(struct line *line) {
  if (!hears(line)) return;
  line->in_ended = true;
  line->has_news = true;
}

void line_reset(struct line *line) {
  if (line->closed || line->in_reset || line->connecting) return;
  line->error = line->in_ended ? EPIPE : ECONNRESET;
  line->in_reset = true;
  line->has_news = true;
}

void line_set_room(struct line *line, size_t room) {
  if (line->room == 0 && room > 0) line->has_news = true;
  line->room = room;
  line->excused = true;
}

/* ---- sockets --------------------------------------------------------------------------------- */

static struct line *line_of(int fd) {
  if (fd >= FIRST_ORIGIN_FD) {
    require(fd - FIRST_ORIGIN_FD < (int)kernel.origin_count);
    return &kernel.origins[fd - FIRST_ORIGIN_FD];
  }
  require(fd >= FIRST_CLIENT_FD && fd - FIRST_CLIENT_FD < (int)kernel.client_count);
  return &kernel.clients[fd - FIRST_CLIENT_FD];
}

static int fails(int error) {
  errno = error;
  return -1;
}

int __wrap_socket(int domain, int type, int protocol);
int __wrap_connect(int fd, const struct sockaddr *address, socklen_t size);
int __wrap_accept4(int fd, struct sockaddr *address, socklen_t *size, int flags);
ssize_t __wrap_recv(int fd, void *buffer, size_t n, int flags);
ssize_t __wrap_send(int fd, const void *data, size_t n, int flags);
int __wrap_shutdown(int fd, int how);
int __wrap_setsockopt(int fd, int level, int name, const void *value, socklen_t size);
int __wrap_getsockopt(int fd, int level, int name, void *value, socklen_t *size);
int __wrap_ioctl(int fd, unsigned long request, int *ret);
int __wrap_close(int fd);
int __real_close(int fd);

/*
 * How a connect goes is said by the next letter of kernel.connects, "later, well" when there is
 * none:
 *
 *   y  at once        l  later, well     h  it hangs
 *   n  refused        f  later, refused  m  there is no descriptor for it
 */
static char next_connect(void) {
  return *kernel.connects ? *kernel.connects++ : 'l';
}

int __wrap_socket(int domain, int type, int protocol) {
  (void)domain, (void)type, (void)protocol;
  if (*kernel.connects == 'm')
    kernel.connects++;
  else if (kernel.origin_count < ORIGIN_LINES_MAX) {
    struct line *line = &kernel.origins[kernel.origin_count];
    line->number = kernel.origin_count++;
    line->fd = FIRST_ORIGIN_FD + (int)line->number;
    line->connecting = true;
    kernel.open++;
    return line->fd;
  }
  return fails(EMFILE);
}

int __wrap_connect(int fd, const struct sockaddr *address, socklen_t size) {
  (void)address, (void)size;
  struct line *line = line_of(fd);
  switch (next_connect()) {
    case 'y':
      line->connecting = false;
      line->has_news = true;
      return 0;
    case 'n':
      return fails(ECONNREFUSED);
    case 'f':
      line->connect_fails = true;
      break;
    case 'h':
      line->connect_hangs = true;
      break;
    default:
      break;
  }
  return fails(EINPROGRESS);
}

int __wrap_accept4(int fd, struct sockaddr *address, socklen_t *size, int flags) {
  (void)flags;
  require(fd == KERNEL_LISTENER && kernel.listening && *size >= sizeof(struct sockaddr_in6));
  for (unsigned i = 0; i < kernel.client_count; i++) {
    struct line *line = &kernel.clients[i];
    if (line->accepted) continue;
    struct sockaddr_in6 *in6 = (struct sockaddr_in6 *)(void *)address;
    *in6 = (struct sockaddr_in6){.sin6_family = AF_INET6};
    memcpy(&in6->sin6_addr, line->peer.bytes, 16);
    *size = sizeof(*in6);
    line->accepted = true;
    kernel.open++;
    return line->fd;
  }
  return fails(EAGAIN);
}

ssize_t __wrap_recv(int fd, void *buffer, size_t n, int flags) {
  (void)flags;
  struct line *line = line_of(fd);
  require(!line->closed && n > 0);
  size_t left = line->in.n - line->read;
  if (line->connecting) return fails(EAGAIN);
  if (left > 0) {
    if (n > left) n = left;
    memcpy(buffer, line->in.p + line->read, n);
    line->read += n;
    return (ssize_t)n;
  }
  if (line->error) {
    int error = line->error;
    line->error = 0;
    return fails(error);
  }
  return line->in_ended || line->in_reset ? 0 : fails(EAGAIN);
}

ssize_t __wrap_send(int fd, const void *data, size_t n, int flags) {
  (void)flags;
  struct line *line = line_of(fd);
  require(!line->closed && !line->out_ended && n > 0);
  if (line->error) {
    int error = line->error;
    line->error = 0;
    return fails(error);
  }
  if (line->in_reset) return fails(EPIPE);
  if (line->connecting || line->room == 0) return fails(EAGAIN);
  if (n > line->room) n = line->room;
  if (line->room != LINE_ROOM_ALL) line->room -= n;
  bytes_add(&line->out, data, n);
  note_move(line, true);
  return (ssize_t)n;
}

int __wrap_shutdown(int fd, int how) {
  struct line *line = line_of(fd);
  require(!line->closed && how == SHUT_WR);
  if (line->in_reset) return fails(ENOTCONN);
  line->out_ended = true;
  line->has_news = line->has_news || line->in_ended;
  return 0;
}

int __wrap_setsockopt(int fd, int level, int name, const void *value, socklen_t size) {
  (void)size;
  struct line *line = line_of(fd);
  if (level == SOL_SOCKET && name == SO_LINGER)
    line->out_reset = ((const struct linger *)value)->l_onoff != 0;
  return 0;
}

int __wrap_getsockopt(int fd, int level, int name, void *value, socklen_t *size) {
  require(level == SOL_SOCKET && name == SO_ERROR && *size == sizeof(int));
  struct line *line = line_of(fd);
  *(int *)value = line->error;
  line->error = 0;
  return 0;
}

/* SIOCOUTQ: what is sent has arrived. */
int __wrap_ioctl(int fd, unsigned long request, int *ret) {
  require(request == SIOCOUTQ && !line_of(fd)->closed);
  *ret = 0;
  return 0;
}

static void close_line(struct line *line) {
  require(!line->closed);
  line->closed = true;
  line->watch = NULL;
  if (line->read < line->in.n || line->in_reset) line->out_reset = true;
  if (!line->out_reset) line->out_ended = true;
}

int __wrap_close(int fd) {
  if (fd < EPOLL_FD) return __real_close(fd);
  kernel.open--;
  if (fd == KERNEL_LISTENER)
    kernel.listening = false;
  else if (fd >= FIRST_CLIENT_FD)
    close_line(line_of(fd));
  return 0;
}

/* ---- events ---------------------------------------------------------------------------------- */

int __wrap_poll(struct pollfd *fds, nfds_t n, int wait_ms);
int __wrap_epoll_create1(int flags);
int __wrap_epoll_ctl(int epoll, int operation, int fd, struct epoll_event *event);
int __wrap_epoll_wait(int epoll, struct epoll_event *events, int max, int wait_ms);
int __wrap_eventfd(unsigned value, int flags);
ssize_t __wrap_read(int fd, void *buffer, size_t n);
ssize_t __real_read(int fd, void *buffer, size_t n);
ssize_t __wrap_write(int fd, const void *data, size_t n);
ssize_t __real_write(int fd, const void *data, size_t n);

int __wrap_epoll_create1(int flags) {
  (void)flags;
  kernel.open++;
  return EPOLL_FD;
}

int __wrap_eventfd(unsigned value, int flags) {
  (void)value, (void)flags;
  kernel.open++;
  return MAILBOX_FD;
}

int __wrap_epoll_ctl(int epoll, int operation, int fd, struct epoll_event *event) {
  require(epoll == EPOLL_FD && (operation == EPOLL_CTL_ADD || operation == EPOLL_CTL_DEL));
  void *watch = operation == EPOLL_CTL_ADD ? event->data.ptr : NULL;
  if (fd == MAILBOX_FD) {
    kernel.mailbox_watch = watch;
  } else if (fd == KERNEL_LISTENER) {
    require(kernel.listening && kernel.listener_watched == (operation == EPOLL_CTL_DEL));
    kernel.listener_watched = operation == EPOLL_CTL_ADD;
    kernel.listener_watch = watch;
  } else {
    struct line *line = line_of(fd);
    require(operation == EPOLL_CTL_ADD && !line->watch && (event->events & EPOLLET));
    line->watch = watch;
    line->has_news = true;
  }
  return 0;
}

static uint32_t line_events(const struct line *line) {
  if (line->connecting) return 0;
  uint32_t events = 0;
  if (line->read < line->in.n || line->in_ended) events |= EPOLLIN;
  if (line->in_ended) events |= EPOLLRDHUP;
  if (line->in_ended && line->out_ended) events |= EPOLLHUP;
  if (line->room > 0) events |= EPOLLOUT;
  if (line->in_reset) events |= EPOLLIN | EPOLLOUT | EPOLLRDHUP | EPOLLHUP;
  if (line->error) events |= EPOLLERR;
  return events;
}

static bool has_queued(void) {
  for (unsigned i = 0; i < kernel.client_count; i++)
    if (!kernel.clients[i].accepted) return true;
  return false;
}

/* Only ever asked of the listener, without waiting. */
int __wrap_poll(struct pollfd *fds, nfds_t n, int wait_ms) {
  require(n == 1 && fds->fd == KERNEL_LISTENER && fds->events == POLLIN && wait_ms == 0);
  fds->revents = has_queued() ? POLLIN : 0;
  return fds->revents != 0;
}

static bool listener_has_news(void) {
  return kernel.listener_watched && has_queued();
}

/* A connect whose time has come. */
static void decide_connects(void) {
  for (unsigned i = 0; i < kernel.origin_count; i++) {
    struct line *line = &kernel.origins[i];
    if (!line->connecting || line->connect_hangs || line->closed) continue;
    line->connecting = false;
    line->has_news = true;
    if (line->connect_fails) {
      line->in_reset = true;
      line->error = ECONNREFUSED;
    }
  }
}

bool kernel_has_events(void) {
  if (kernel.mailbox > 0 || listener_has_news()) return true;
  for (unsigned i = 0; i < kernel.client_count; i++)
    if (kernel.clients[i].watch && kernel.clients[i].has_news) return true;
  for (unsigned i = 0; i < kernel.origin_count; i++) {
    const struct line *line = &kernel.origins[i];
    if (line->watch && line->has_news && line_events(line) != 0) return true;
    if (line->connecting && !line->connect_hangs && !line->closed) return true;
  }
  return false;
}

static int take_news(struct line *lines, unsigned count, struct epoll_event *events) {
  int n = 0;
  for (unsigned i = 0; i < count; i++) {
    uint32_t now = line_events(&lines[i]);
    if (!lines[i].watch || !lines[i].has_news || now == 0) continue;
    lines[i].has_news = false;
    events[n++] = (struct epoll_event){.events = now, .data.ptr = lines[i].watch};
  }
  return n;
}

int __wrap_epoll_wait(int epoll, struct epoll_event *events, int max, int wait_ms) {
  require(epoll == EPOLL_FD && max >= CLIENT_LINES_MAX + ORIGIN_LINES_MAX + 2);
  decide_connects();
  kernel.sleep(wait_ms);
  int n = 0;
  if (kernel.mailbox > 0) events[n++] = (struct epoll_event){EPOLLIN, {kernel.mailbox_watch}};
  if (listener_has_news()) events[n++] = (struct epoll_event){EPOLLIN, {kernel.listener_watch}};
  n += take_news(kernel.clients, kernel.client_count, events + n);
  n += take_news(kernel.origins, kernel.origin_count, events + n);
  return n;
}

ssize_t __wrap_read(int fd, void *buffer, size_t n) {
  if (fd != MAILBOX_FD) return __real_read(fd, buffer, n);
  if (kernel.mailbox == 0) return fails(EAGAIN);
  memcpy(buffer, &kernel.mailbox, sizeof(kernel.mailbox));
  kernel.mailbox = 0;
  return sizeof(kernel.mailbox);
}

ssize_t __wrap_write(int fd, const void *data, size_t n) {
  if (fd != MAILBOX_FD) return __real_write(fd, data, n);
  kernel.mailbox++;
  return (ssize_t)n;
}

/* ---- the rest -------------------------------------------------------------------------------- */

int64_t __wrap_clock_monotonic_ms(void);
int64_t __wrap_clock_monotonic_us(void);
int64_t __wrap_clock_monotonic_ns(void);
int64_t __wrap_clock_wall_ms(void);
bool __wrap_crypto_random(void *ret, size_t n);
int __wrap_pthread_create(pthread_t *ret, const pthread_attr_t *attributes,
                          void *(*main)(void *argument), void *argument);
void __wrap_log_write(enum log_level level, const char *format, ...);

int64_t __wrap_clock_monotonic_ms(void) {
  return kernel.now_ms;
}

int64_t __wrap_clock_monotonic_us(void) {
  return kernel.now_ms * 1000;
}

int64_t __wrap_clock_monotonic_ns(void) {
  return kernel.now_ms * 1000000;
}

int64_t __wrap_clock_wall_ms(void) {
  return WALL_MS + kernel.now_ms;
}

bool __wrap_crypto_random(void *ret, size_t n) {
  for (size_t i = 0; i < n; i++) ((unsigned char *)ret)[i] = (unsigned char)(17 * i + 1);
  return true;
}

/* The loop becomes a function that can be called. */
int __wrap_pthread_create(pthread_t *ret, const pthread_attr_t *attributes,
                          void *(*main)(void *argument), void *argument) {
  (void)ret, (void)attributes, (void)argument;
  kernel.thread = main;
  return 0;
}

/* Formatted, so that what is logged is read, and forgotten. */
void __wrap_log_write(enum log_level level, const char *format, ...) {
  (void)level;
  char line[1024];
  va_list args;
  va_start(args, format);
  require(vsnprintf(line, sizeof(line), format, args) >= 0);
  va_end(args);
}
