/*
 * admin: the server's life. libmicrohttpd has no thread here: ours drives it, so that a connection
 * has a time for its whole request (libmicrohttpd only knows how long nothing came) and an answer
 * can wait for the main thread.
 */
#include <errno.h>
#include <poll.h>
#include <stdlib.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include "adit/config.h"
#include "adit/log.h"
#include "adit/policy.h"
#include "adit/units.h"
#include "admin_private.h"

static void ring(struct admin *admin) {
  uint64_t one = 1;
  /* It fails only when the counter is at its limit, and then the thread is being woken anyway. */
  ssize_t n = write(admin->wake, &one, sizeof(one));
  (void)n;
}

/* ---- the thread ------------------------------------------------------------------------------ */

static int wait_ms(const struct admin *admin) {
  MHD_UNSIGNED_LONG_LONG daemon_ms;
  int64_t wait_ms = connections_deadline_ms(admin);
  const int64_t gate_ms = gate_deadline_ms(admin->gate);
  /* A place has become free, for which somebody may wait whom no event tells of again. */
  if (admin->has_closed) return 0;
  if (gate_ms < wait_ms) wait_ms = gate_ms;
  if (wait_ms != INT64_MAX) wait_ms -= admin->now_ms;
  if (MHD_get_timeout(admin->daemon, &daemon_ms) == MHD_YES && (int64_t)daemon_ms < wait_ms)
    wait_ms = (int64_t)daemon_ms;
  if (wait_ms < 0) return 0;
  return wait_ms > 60000 ? 60000 : (int)wait_ms;
}

/* Here, as the daemon is this thread's. */
static void do_as_asked(struct admin *admin) {
  if (atomic_exchange(&admin->settling, false)) (void)sem_post(&admin->done);
  if (!atomic_exchange(&admin->leaving, false)) return;
  gate_leave(admin->gate);
  (void)sem_post(&admin->done);
}

static void *serve(void *argument) {
  struct admin *admin = argument;
  while (!atomic_load(&admin->stopping)) {
    struct pollfd watched[] = {{.fd = gate_descriptor(admin->gate), .events = POLLIN},
                               {.fd = admin->epoll, .events = POLLIN},
                               {.fd = admin->wake, .events = POLLIN}};
    (void)poll(watched, 3, wait_ms(admin));
    uint64_t count;
    while (read(admin->wake, &count, sizeof(count)) > 0) continue;
    admin->now_ms = clock_monotonic_ms();
    admin->has_closed = false;
    do_as_asked(admin);
    connections_resume(admin, false);
    gate_run(admin->gate);
    (void)MHD_run(admin->daemon);
    connections_expire(admin);
  }
  /* The daemon cannot be stopped while it has suspended connections. */
  connections_resume(admin, true);
  (void)MHD_run(admin->daemon);
  return NULL;
}

/* ---- life ------------------------------------------------------------------------------------ */

/* No path here needs an escape: one that has any is another path, and a "%00" ends none. */
static size_t leave_escapes(void *context, struct MHD_Connection *mhd, char *text) {
  (void)context;
  (void)mhd;
  return strlen(text);
}

/* A connection's memory has to hold what is made of a head that the gate lets through: half of it
 * is for bytes, half for records of up to 64 bytes of fields, parameters and cookies. */
enum { MEMORY_BYTES = 8 * ADMIN_HEAD_BYTES_MAX };

/* Its limits are the gate's to keep. */
static bool start_daemon(struct admin *admin) {
  admin->daemon = MHD_start_daemon(
      MHD_USE_EPOLL | MHD_ALLOW_SUSPEND_RESUME | MHD_USE_NO_LISTEN_SOCKET, 0, NULL, NULL,
      connection_handle, admin, MHD_OPTION_NOTIFY_CONNECTION, connection_notify, admin,
      MHD_OPTION_CONNECTION_LIMIT, (unsigned)(2 * ADMIN_CONNECTIONS_MAX),
      MHD_OPTION_UNESCAPE_CALLBACK, leave_escapes, NULL, MHD_OPTION_CONNECTION_MEMORY_LIMIT,
      (size_t)MEMORY_BYTES, MHD_OPTION_STRICT_FOR_CLIENT, 1, MHD_OPTION_END);
  if (!admin->daemon) return false;
  const union MHD_DaemonInfo *info = MHD_get_daemon_info(admin->daemon, MHD_DAEMON_INFO_EPOLL_FD);
  if (info) admin->epoll = info->epoll_fd;
  return info != NULL;
}

static void stop_daemon(struct admin *admin) {
  gate_free(&admin->gate);
  if (admin->daemon) MHD_stop_daemon(admin->daemon);
  if (admin->wake >= 0) (void)close(admin->wake);
  (void)sem_destroy(&admin->done);
  free(admin);
}

static bool serves_loopback(struct gateway *gateway) {
  struct policy *policy = gateway_policy_ref(gateway);
  bool loopback = ip_is_loopback(&policy_config(policy)->admin.ip);
  policy_unref(&policy);
  return loopback;
}

static void *admin_start(struct gateway *gateway, int fd) {
  int error = ENOMEM;
  struct admin *admin = calloc(1, sizeof(*admin));
  if (admin) {
    admin->gateway = gateway;
    (void)sem_init(&admin->done, 0, 0);
    admin->loopback = serves_loopback(gateway);
    admin->now_ms = clock_monotonic_ms();
    admin->wake = eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC);
    admin->gate = gate_new(admin, fd);
    if (admin->gate && admin->wake >= 0 && start_daemon(admin)) {
      error = pthread_create(&admin->thread, NULL, serve, admin);
      if (error == 0) return admin;
    }
    stop_daemon(admin);
  } else {
    (void)close(fd);
  }
  log_write(LOG_ERROR, "the admin server cannot be started: %s", strerror(error));
  return NULL;
}

static void admin_notify(void *context) {
  ring(context);
}

static void ask_thread(struct admin *admin, atomic_bool *for_what) {
  atomic_store(for_what, true);
  ring(admin);
  while (sem_wait(&admin->done) != 0 && errno == EINTR) continue;
}

static void admin_settle(void *context) {
  struct admin *admin = context;
  ask_thread(admin, &admin->settling);
}

static void admin_leave(void *context) {
  struct admin *admin = context;
  ask_thread(admin, &admin->leaving);
}

static void admin_stop(void *context) {
  struct admin *admin = context;
  atomic_store(&admin->stopping, true);
  ring(admin);
  (void)pthread_join(admin->thread, NULL);
  stop_daemon(admin);
}

const struct gateway_admin admin_server = {.descriptors = ADMIN_CONNECTIONS_MAX + 4,
                                           .start = admin_start,
                                           .notify = admin_notify,
                                           .settle = admin_settle,
                                           .leave = admin_leave,
                                           .stop = admin_stop};
