#include "access_syslog.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <time.h>
#include <unistd.h>

#include "listeners.h"

enum { HOST_BYTES_MAX = 256, TAG_BYTES_MAX = 64, STAMP_BYTES_MAX = 32 };

struct access_syslog {
  struct sockaddr_storage address;
  socklen_t address_length;
  int fd; /* -1: none */
  unsigned priority;
  char host[HOST_BYTES_MAX]; /* with a blank behind it; of a server on this machine empty */
  char tag[TAG_BYTES_MAX];   /* with the process: "adit[42]" */
  int64_t second;            /* of `stamp` */
  char stamp[STAMP_BYTES_MAX];
  char message[ACCESS_SYSLOG_BYTES_MAX + 1];
};

/* ---- life ------------------------------------------------------------------------------------ */

/* A server on this machine knows whose messages these are, and takes a name for the tag. */
static void set_host(struct access_syslog *syslog) {
  char name[HOST_BYTES_MAX - 2] = "";
  if (gethostname(name, sizeof(name) - 1) != 0 || name[0] == '\0') name[0] = '-';
  for (char *c = name; *c; c++)
    if (*c <= ' ' || *c > '~') *c = '-';
  snprintf(syslog->host, sizeof(syslog->host), "%s ", name);
}

struct access_syslog *access_syslog_new(const struct config_syslog *config) {
  struct access_syslog *syslog = calloc(1, sizeof(*syslog));
  if (!syslog) return NULL;
  syslog->fd = -1;
  syslog->priority = config->priority;
  syslog->second = -1;
  if (config->unix_path.p) {
    struct sockaddr_un *un = (struct sockaddr_un *)(void *)&syslog->address;
    un->sun_family = AF_UNIX;
    memcpy(un->sun_path, config->unix_path.p, config->unix_path.n);
    syslog->address_length =
        (socklen_t)(offsetof(struct sockaddr_un, sun_path) + config->unix_path.n + 1);
  } else {
    syslog->address_length = socket_address(&config->ip, config->port, &syslog->address);
    set_host(syslog);
  }
  snprintf(syslog->tag, sizeof(syslog->tag), "%.*s[%ld]", STR_ARG(config->tag), (long)getpid());
  return syslog;
}

void access_syslog_close(struct access_syslog *syslog) {
  if (syslog->fd >= 0) (void)close(syslog->fd);
  syslog->fd = -1;
}

void access_syslog_free(struct access_syslog **syslog) {
  if (*syslog) access_syslog_close(*syslog);
  free(*syslog);
  *syslog = NULL;
}

int access_syslog_fd(const struct access_syslog *syslog) {
  return syslog->fd;
}

/* ---- messages -------------------------------------------------------------------------------- */

/* Local time, in English whatever the locale. */
static const char *stamp(struct access_syslog *syslog) {
  static const char months[][4] = {"Jan", "Feb", "Mar", "Apr", "May", "Jun",
                                   "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"};
  struct timespec now;
  clock_gettime(CLOCK_REALTIME, &now);
  if ((int64_t)now.tv_sec == syslog->second) return syslog->stamp;
  struct tm local;
  const time_t at = now.tv_sec;
  localtime_r(&at, &local);
  snprintf(syslog->stamp, sizeof(syslog->stamp), "%s %2d %02d:%02d:%02d", months[local.tm_mon % 12],
           local.tm_mday, local.tm_hour, local.tm_min, local.tm_sec);
  syslog->second = now.tv_sec;
  return syslog->stamp;
}

/* Its size; 0: it is too large. */
static size_t compose(struct access_syslog *syslog, struct str line) {
  const int n =
      snprintf(syslog->message, sizeof(syslog->message), "<%u>%s %s%s: ", syslog->priority,
               stamp(syslog), syslog->host, syslog->tag);
  const size_t head = (size_t)n;
  if (n < 0 || line.n > ACCESS_SYSLOG_BYTES_MAX - head) return 0;
  memcpy(syslog->message + head, line.p, line.n);
  return head + line.n;
}

/* Over UDP it cannot fail for want of a server. */
static bool open_socket(struct access_syslog *syslog) {
  const struct sockaddr *address = (const struct sockaddr *)(const void *)&syslog->address;
  syslog->fd = socket(address->sa_family, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
  if (syslog->fd >= 0 && connect(syslog->fd, address, syslog->address_length) == 0) return true;
  const int error = errno;
  access_syslog_close(syslog);
  errno = error;
  return false;
}

static ssize_t send_message(struct access_syslog *syslog, size_t n) {
  if (syslog->fd < 0 && !open_socket(syslog)) return -1;
  ssize_t sent;
  do sent = send(syslog->fd, syslog->message, n, MSG_DONTWAIT | MSG_NOSIGNAL);
  while (sent < 0 && errno == EINTR);
  return sent;
}

enum syslog_sent access_syslog_send(struct access_syslog *syslog, struct str line) {
  const size_t n = compose(syslog, line);
  if (n == 0) return SYSLOG_LARGE;
  const bool was_open = syslog->fd >= 0;
  ssize_t sent = send_message(syslog, n);
  if (sent < 0 && errno == EAGAIN && syslog->fd >= 0) return SYSLOG_FULL;
  if (sent < 0 && errno == EMSGSIZE) return SYSLOG_LARGE;
  if (sent < 0 && was_open) { /* the one who listened there has gone; another may have come */
    access_syslog_close(syslog);
    sent = send_message(syslog, n);
    if (sent < 0 && errno == EAGAIN && syslog->fd >= 0) return SYSLOG_FULL;
  }
  return sent < 0 ? SYSLOG_FAILED : SYSLOG_SENT;
}
