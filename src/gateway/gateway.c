/*
 * gateway: the process: start, signals, reload, stop. Runs on the main thread; workers serve.
 *
 *   machine     descriptors, CPUs
 *   start       policy, listeners, giving up rights, overrides, resolver, the admin server,
 *               workers, the ready line
 *   reload      SIGHUP
 *   stopping    what a signal or a successor asks for
 *   upgrade     SIGUSR2, what is handed over, and what comes of it
 *   signals     SIGHUP, SIGTERM, SIGINT, and what the admin server asks for
 *   stop        drain, join, sum
 */
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <sys/signalfd.h>
#include <time.h>
#include <unistd.h>

#include "access_log.h"
#include "adit/log.h"
#include "adit/sandbox.h"
#include "adit/units.h"
#include "cpus.h"
#include "file_watch.h"
#include "gateway_private.h"
#include "inherited.h"
#include "launcher.h"

enum {
  RESERVED_DESCRIPTORS = 64, /* for files, the log, the resolver */
  RESOLVE_FIRST_MS = 5000,   /* at start, and at a reload */
  STOP_POLL_MS = 50,
  TAKEN_WITHIN_S = 1 /* a reload by all workers: one that is slower is not waited for */
};

/* ---- machine --------------------------------------------------------------------------------- */

static size_t raise_descriptor_limit(void) {
  struct rlimit limit;
  if (getrlimit(RLIMIT_NOFILE, &limit) != 0) return 1024;
  if (limit.rlim_cur < limit.rlim_max) {
    limit.rlim_cur = limit.rlim_max;
    (void)setrlimit(RLIMIT_NOFILE, &limit);
    (void)getrlimit(RLIMIT_NOFILE, &limit);
  }
  return limit.rlim_cur > 1 << 20 ? 1 << 20 : (size_t)limit.rlim_cur;
}

/* Each client may need an origin's connection beside its own. */
static size_t clients_per_worker(size_t descriptors, const struct gateway *gateway,
                                 unsigned workers) {
  const struct config *config = policy_config(gateway->policy);
  size_t reserved = RESERVED_DESCRIPTORS;
  bool has_checks = false;
  for (size_t i = 0; i < config->upstream_count && !has_checks; i++)
    has_checks = config->upstreams[i].health != NULL;
  if (has_checks) reserved += HEALTH_CHECKS_AT_ONCE;
  if (gateway->admin_fd >= 0) reserved += gateway->admin->descriptors;
  size_t usable = descriptors > reserved + 16 ? descriptors - reserved : 16;
  size_t each = usable / 2 / workers;
  return each > 8 ? each : 8;
}

/* A descriptor of ours with the number of a standard stream that was closed would get the log. */
static bool fill_standard_streams(void) {
  for (int fd = STDIN_FILENO; fd <= STDERR_FILENO; fd++)
    if (fcntl(fd, F_GETFD) < 0 && open("/dev/null", O_RDWR) != fd) return false;
  return true;
}

/* ---- start ----------------------------------------------------------------------------------- */

/* policy_load(), whose files are watched from then on if `watch` says so. */
static struct policy *load(struct gateway *gateway, const struct policy_options *options,
                           struct diags *diags) {
  file_watch_begin(gateway->watch);
  struct policy *policy = policy_load(options, diags);
  file_watch_end(gateway->watch, policy ? policy_config(policy) : NULL);
  return policy;
}

static bool load_first(struct gateway *gateway) {
  struct diags *diags = diags_new();
  if (!diags) return false;
  struct policy_options options = {.config_path = gateway->config_path,
                                   .findings = POLICY_FINDINGS_WARNINGS,
                                   .now_ms = clock_wall_ms()};
  struct policy *policy = load(gateway, &options, diags);
  log_diags(diags);
  if (!policy) {
    diags_free(&diags);
    log_write(LOG_ERROR, "nothing is served: mend the errors above");
    return false;
  }
  control_publish(gateway, policy, NULL, GATEWAY_LOADED, diags);
  fixed_init(&gateway->fixed, policy_config(gateway->policy));
  return true;
}

/* What root has read already, a reload has to read with the rights that are left: better told now
 * than when somebody is in a hurry. */
static void rehearse_reload(const struct gateway *gateway) {
  struct diags *diags = diags_new();
  if (!diags) return;
  const struct policy_options options = {.config_path = gateway->config_path};
  struct policy *policy = policy_load(&options, diags);
  policy_unref(&policy);
  if (diags_count(diags, DIAG_ERROR) > 0) {
    const char *user = policy_config(gateway->policy)->user;
    log_diags(diags);
    log_write(LOG_WARNING,
              "what is said above will keep reloads from being taken up: let user '%s' read these "
              "files, without capabilities",
              user ? user : "root");
  }
  diags_free(&diags);
}

/* Between opening what takes rights and the first thread, so that every thread has as few. */
static bool give_up_rights(struct gateway *gateway) {
  const struct config *config = policy_config(gateway->policy);
  struct sandbox_error error;
  bool was_root = geteuid() == 0;
  unsigned files = SANDBOX_READS;
  const bool appends = config->has_access_log && !config->access_log.is_syslog &&
                       strcmp(config->access_log.path, "-") != 0;
  if (appends) files |= SANDBOX_APPENDS;
  if (config->state_file) files |= SANDBOX_REPLACES;
  if (was_root && !config->user)
    log_write(LOG_WARNING,
              "%s: running as root; name a user to become in \"user\", or start as another",
              config->path);
  bool ok = sandbox_drop_rights(config->user, &error);
  if (ok) handover_drop_rights(&gateway->handover, config->user);
  if (!ok || (config->sandbox && !sandbox_enter(files, &error))) {
    log_write(LOG_ERROR, "%s: %s", config->path, error.message);
    return false;
  }
  if (was_root) rehearse_reload(gateway);
  return true;
}

static void log_line(void *context, struct str line) {
  (void)context;
  log_write(LOG_INFO, "%.*s", STR_ARG(line));
}

/* What was said before the last stop holds, before anybody is served. */
static bool take_overrides_up(struct gateway *gateway) {
  char why[512];
  const struct config *config = policy_config(gateway->policy);
  struct diags *diags = diags_new();
  gateway->overrides = diags ? overrides_new(config->state_file) : NULL;
  bool ok = gateway->overrides && overrides_load(gateway->overrides, diags);
  /* The file is the other gateway's until this one is on its own. */
  if (ok && handover_is_on_trial(&gateway->handover)) overrides_stop_saving(gateway->overrides);
  if (diags) log_diags(diags);
  diags_free(&diags);
  if (!ok) {
    log_write(LOG_ERROR,
              "nothing is served: an emergency stop may stand in the state file; mend the file, or "
              "remove it to serve what the rule files say");
    return false;
  }
  if (overrides_cannot_be_kept(gateway->overrides, why, sizeof(why)))
    log_write(LOG_WARNING, "%s: what is overridden from now on will not be kept: %s", config->path,
              why);
  return overrides_adopt(gateway->overrides, gateway->policy, log_line, NULL);
}

static int signals_open(void) {
  signal(SIGPIPE, SIG_IGN);
  signal(SIGXFSZ, SIG_IGN); /* a log that has grown too large is an error of write() */
  sigset_t set;
  sigemptyset(&set);
  sigaddset(&set, SIGHUP);
  sigaddset(&set, SIGTERM);
  sigaddset(&set, SIGINT);
  sigaddset(&set, SIGUSR1);
  sigaddset(&set, SIGUSR2);
  /* Before any thread is made: all inherit the mask, and only the descriptor tells. */
  pthread_sigmask(SIG_BLOCK, &set, NULL);
  return signalfd(-1, &set, SFD_NONBLOCK | SFD_CLOEXEC);
}

static bool workers_init(struct gateway *gateway, unsigned count, size_t client_max) {
  struct listeners *listeners = &gateway->listeners;
  gateway->workers = calloc(count, sizeof(*gateway->workers));
  bool ok = gateway->workers != NULL;
  for (unsigned w = 0; ok && w < count; w++) {
    gateway->worker_count++;
    ok = worker_init(&gateway->workers[w], w, gateway->policy, &gateway->shared,
                     listeners->items + w * listeners->per_worker, listeners->per_worker,
                     client_max);
    gateway->workers[w].mailbox.taken = &gateway->taken;
  }
  return ok;
}

static bool workers_start(struct gateway *gateway) {
  for (unsigned w = 0; w < gateway->worker_count; w++) {
    if (!worker_start(&gateway->workers[w])) return false;
    gateway->started++;
  }
  return true;
}

/* With the port that the kernel has chosen. */
static void add_address(struct text *line, const struct ip_address *ip, uint16_t port) {
  char buffer[48];
  text_printf(line, ip_is_v4(ip) ? "%.*s:%u" : "[%.*s]:%u",
              STR_ARG(ip_format(ip, buffer, sizeof(buffer))), port);
}

static void log_ready(const struct gateway *gateway) {
  const struct config *config = policy_config(gateway->policy);
  struct text line;
  text_init(&line, 4096);
  for (size_t i = 0; i < config->listen_count; i++) {
    if (i > 0) text_add(&line, STR(", "));
    add_address(&line, &config->listens[i].ip, gateway->listeners.ports[i]);
  }
  log_write(LOG_INFO, "ready, %zu routes, %u workers, listening on %.*s",
            policy_route_count(gateway->policy), gateway->worker_count, STR_ARG(text_str(&line)));
  text_deinit(&line);
}

/* The key set that a policy needs, tried once: nobody is to be told that his token is unknown only
 * because he was quicker. NULL: it needs none. */
static struct keyset *keyset_of(struct gateway *gateway, const struct policy *policy) {
  const struct config *config = policy_config(policy);
  if (!config->has_jwt || config->jwt.keys) return NULL;
  struct keyset *keyset = keyset_ref(gateway->shared.keysets, &config->jwt.fetched);
  if (keyset) keyset_wait_first(gateway->shared.keysets, keyset, config->jwt.fetched.timeout_ms);
  return keyset;
}

/* Nobody is to be told that a service has no endpoint only because its name has not been looked up
 * yet. Names that are known already are not waited for. */
static void take_names(struct gateway *gateway, const struct config *config) {
  struct name_set *names = name_set_new(gateway->shared.resolver, config);
  resolver_wait_first(gateway->shared.resolver, RESOLVE_FIRST_MS);
  name_set_free(gateway->shared.resolver, &gateway->names);
  gateway->names = names;
}

static bool open_admin(struct gateway *gateway, struct inherited *inherited) {
  const struct config *config = policy_config(gateway->policy);
  if (!config->has_admin || !gateway->admin) return true;
  /* Of a service manager it takes none. */
  if (inherited->from_gateway)
    gateway->admin_fd = inherited_take(inherited, &config->admin.ip, config->admin.port, true);
  if (gateway->admin_fd < 0) gateway->admin_fd = listener_open_alone(&config->admin);
  gateway->admin_listener = gateway->admin_fd;
  return gateway->admin_fd >= 0;
}

/* With the rights that there are at the start. */
static bool open_sockets(struct gateway *gateway, unsigned workers) {
  const struct config *config = policy_config(gateway->policy);
  struct inherited inherited;
  bool ok = inherited_init(&inherited, &gateway->handover) &&
            listeners_open(&gateway->listeners, config, workers, &inherited) &&
            open_admin(gateway, &inherited) && inherited_all_taken(&inherited);
  inherited_deinit(&inherited);
  return ok;
}

static bool start_admin(struct gateway *gateway) {
  if (gateway->admin_fd < 0) return true;
  struct text line;
  text_init(&line, 256);
  add_address(&line, &policy_config(gateway->policy)->admin.ip, listener_port(gateway->admin_fd));
  gateway->admin_server = gateway->admin->start(gateway, gateway->admin_fd);
  gateway->admin_fd = -1;
  if (gateway->admin_server) log_write(LOG_INFO, "admin server on %.*s", STR_ARG(text_str(&line)));
  text_deinit(&line);
  return gateway->admin_server != NULL;
}

static void stop_admin(struct gateway *gateway) {
  void *server = gateway->admin_server;
  gateway->admin_server = NULL;
  if (server) gateway->admin->stop(server);
}

static bool gateway_start(struct gateway *gateway) {
  if (!fill_standard_streams() || !control_init(gateway)) return false;
  size_t descriptors = raise_descriptor_limit();
  if (!handover_init(&gateway->handover, gateway->restart)) return false;
  /* Of a successor the one before it tells, who is the service's process until then. */
  manager_init(&gateway->manager, !handover_is_on_trial(&gateway->handover));
  gateway->signals = signals_open();
  gateway->watch = file_watch_new();
  if (gateway->signals < 0 || !gateway->watch || !load_first(gateway)) return false;
  const struct config *config = policy_config(gateway->policy);
  unsigned count = config->workers ? config->workers : cpus_usable();
  if (!open_sockets(gateway, count) || !give_up_rights(gateway) || !take_overrides_up(gateway))
    return false;
  if (config->has_access_log) {
    gateway->shared.access_log = access_log_start(&config->access_log, count);
    if (!gateway->shared.access_log) return false;
  }
  gateway->shared.resolver = resolver_start(config->dns_refresh_ms);
  gateway->shared.keysets = keysets_new();
  gateway->shared.health = health_new();
  gateway->shared.breakers = breakers_new();
  if (!gateway->shared.resolver || !gateway->shared.keysets || !gateway->shared.health ||
      !gateway->shared.breakers) {
    log_write(LOG_ERROR, "out of memory, or the resolver's thread cannot be started");
    return false;
  }
  gateway->keyset = keyset_of(gateway, gateway->policy);
  take_names(gateway, config);
  if (!workers_init(gateway, count, clients_per_worker(descriptors, gateway, count)) ||
      (!handover_is_on_trial(&gateway->handover) && !start_admin(gateway)))
    return false;
  /* Before the workers run: what they own is theirs alone from then on. */
  struct gateway ready = *gateway;
  if (!workers_start(gateway)) return false;
  log_stop_waiting();
  control_set_stage(gateway, GATEWAY_SERVING);
  log_ready(&ready);
  manager_ready(&gateway->manager, policy_route_count(gateway->policy), "");
  handover_ready(&gateway->handover);
  return true;
}

/* ---- reload ---------------------------------------------------------------------------------- */

/* Gives the policy to all workers, and waits for them, though not for long: what is said to be
 * reloaded counts for whoever comes then. */
static void hand_out(struct gateway *gateway, struct policy *policy) {
  while (sem_trywait(&gateway->taken) == 0) continue; /* of a worker that was late */
  for (unsigned w = 0; w < gateway->worker_count; w++)
    worker_send_policy(&gateway->workers[w], policy_ref(policy));
  struct timespec until;
  clock_gettime(CLOCK_REALTIME, &until);
  until.tv_sec += TAKEN_WITHIN_S;
  for (unsigned w = 0; w < gateway->started; w++)
    while (sem_timedwait(&gateway->taken, &until) != 0 && errno == EINTR) continue;
}

/* The new policy counts from now on for all workers. */
static void take_over(struct gateway *gateway, struct policy *policy, bool whole,
                      struct diags *diags) {
  size_t routes = policy_route_count(policy);
  policy_tell_changes(gateway->policy, policy, log_line, NULL);
  fixed_say_what_waits(&gateway->fixed, policy_config(policy));
  struct keyset *keyset = keyset_of(gateway, policy);
  resolver_set_refresh(gateway->shared.resolver, policy_config(policy)->dns_refresh_ms);
  take_names(gateway, policy_config(policy));
  hand_out(gateway, policy);
  control_publish(gateway, policy, keyset, whole ? GATEWAY_LOADED : GATEWAY_LOADED_IN_PART, diags);
  if (whole)
    log_write(LOG_INFO, "reloaded: %zu routes", routes);
  else
    log_write(LOG_WARNING,
              "reloaded in part: %zu routes; those with errors above stay as they were", routes);
}

static void reload(struct gateway *gateway) {
  const uint64_t asked = control_asked(gateway);
  manager_reloading(&gateway->manager);
  struct diags *diags = diags_new();
  struct policy_options options = {.config_path = gateway->config_path,
                                   .previous = gateway->policy,
                                   .findings = POLICY_FINDINGS_WARNINGS,
                                   .now_ms = clock_wall_ms()};
  struct policy *policy = diags ? load(gateway, &options, diags) : NULL;
  if (diags) log_diags(diags);
  if (policy && !overrides_adopt(gateway->overrides, policy, log_line, NULL)) {
    log_write(LOG_ERROR, "out of memory");
    policy_unref(&policy);
  }
  const bool whole = policy && diags_count(diags, DIAG_ERROR) == 0;
  if (policy) {
    take_over(gateway, policy, whole, diags);
  } else {
    control_publish(gateway, NULL, NULL, GATEWAY_REFUSED, diags);
    log_write(LOG_ERROR, "reload refused: the running configuration goes on as it was");
  }
  const char *but = "";
  if (!whole)
    but = policy ? "; the last reload was taken over in part" : "; the last reload was refused";
  manager_ready(&gateway->manager, policy_route_count(gateway->policy), but);
  control_answer(gateway, asked);
}

/* ---- stopping -------------------------------------------------------------------------------- */

static void send_stop(struct gateway *gateway, enum stop_stage stage) {
  gateway->stop = stage;
  for (unsigned w = 0; w < gateway->started; w++) worker_send_stop(&gateway->workers[w], stage);
}

static void begin_drain(struct gateway *gateway, int64_t delay_ms) {
  gateway->drain_at_ms = clock_monotonic_ms() + delay_ms;
  overrides_stop_saving(gateway->overrides);
  control_set_stage(gateway, GATEWAY_DRAINING);
  manager_stopping(&gateway->manager);
  log_write(LOG_INFO, "draining");
}

/* A first signal drains, after drain_delay; a second one stops now. Who drains because of an
 * upgrade goes on with that at the first: it comes to all processes of a service. */
static void asked_to_stop(struct gateway *gateway) {
  handover_call_off(&gateway->handover, "it is stopping");
  if (gateway->is_asked) {
    log_write(LOG_WARNING, "stopping now");
    send_stop(gateway, STOP_NOW);
  } else if (gateway->drain_at_ms == 0) {
    begin_drain(gateway, policy_config(gateway->policy)->timeouts.drain_delay_ms);
  }
  gateway->is_asked = true;
}

/* Not now: a successor has read the files, or will; it is told to read them again. */
static bool reload_is_put_off(struct gateway *gateway) {
  if (!handover_is_under_way(&gateway->handover)) return false;
  gateway->handover.reload = true;
  return true;
}

/* ---- upgrade --------------------------------------------------------------------------------- */

/* One descriptor of each socket, the admin server's last. Returns how many there are, of which at
 * most `max` are written. */
static size_t listening_sockets(const struct gateway *gateway, int *ret, size_t max) {
  size_t n = 0;
  for (unsigned w = 0; w < gateway->worker_count; w++) {
    const struct worker *worker = &gateway->workers[w];
    for (size_t i = 0; i < worker->listener_count; i++) {
      if (worker->listeners[i].copy) continue;
      if (n < max) ret[n] = worker->listeners[i].fd;
      n++;
    }
  }
  if (gateway->admin_listener >= 0 && n < max) ret[n] = gateway->admin_listener;
  return gateway->admin_listener >= 0 ? n + 1 : n;
}

/* An emergency stop that an upgrade would lift is worse than no upgrade. */
static bool overrides_go_over(struct gateway *gateway) {
  char why[512];
  if (overrides_keep(gateway->overrides, why, sizeof(why))) return true;
  log_write(
      LOG_ERROR,
      "cannot upgrade: an overridden state of a route would end with this process: %s; write the "
      "state into the route's file and reload, or take it back: adit ctl state ROUTE file",
      why);
  return false;
}

static void asked_to_upgrade(struct gateway *gateway) {
  int sockets[UPGRADE_SOCKETS_MAX];
  if (gateway->drain_at_ms != 0 && gateway->handover.stage != HANDOVER_OVER) {
    log_write(LOG_WARNING, "cannot upgrade: it is draining");
    return;
  }
  if (handover_refuses(&gateway->handover) || !overrides_go_over(gateway)) return;
  /* The workers do not touch their lists until they are told to stop, by this thread. */
  size_t n = listening_sockets(gateway, sockets, UPGRADE_SOCKETS_MAX);
  if (handover_ask(&gateway->handover, sockets, n, gateway->admin_listener >= 0,
                   policy_config(gateway->policy)->timeouts.upgrade_ms)) {
    control_set_stage(gateway, GATEWAY_UPGRADING);
    manager_status(&gateway->manager, "starting a new process");
  }
}

/* The successor takes from the same queues. */
static void step_down(struct gateway *gateway) {
  if (gateway->admin_server) gateway->admin->leave(gateway->admin_server);
  manager_hand_over(&gateway->manager, gateway->handover.successor);
  gateway->drain_at_ms = clock_monotonic_ms();
  log_write(LOG_INFO, "draining");
}

static void go_on_without_upgrade(struct gateway *gateway) {
  control_set_stage(gateway, GATEWAY_SERVING);
  overrides_resume_saving(gateway->overrides);
  manager_status(&gateway->manager, "serving; an upgrade has failed");
  if (gateway->handover.reload) reload(gateway);
}

/* What the admin server has promised by now stands in the state file, where the successor looks
 * when it is told to go; from here on it promises nothing. */
static void let_go(struct gateway *gateway) {
  control_set_stage(gateway, GATEWAY_SUCCEEDED);
  if (gateway->admin_server) gateway->admin->settle(gateway->admin_server);
  /* One may have come since it was asked to upgrade. */
  if (!overrides_go_over(gateway)) {
    handover_call_off(&gateway->handover, "the last upgrade had to be called off; restart it");
    go_on_without_upgrade(gateway);
    return;
  }
  overrides_stop_saving(gateway->overrides);
  handover_go(&gateway->handover);
}

static void go_on_alone(struct gateway *gateway) {
  log_write(LOG_INFO, "upgrade: process %ld goes on alone", (long)getpid());
  manager_speak(&gateway->manager);
  /* It may have been renamed between the start and now, and only the other one told. */
  if (gateway->shared.access_log) access_log_reopen(gateway->shared.access_log);
  struct diags *diags = diags_new();
  if (!diags || !overrides_take_over(gateway->overrides, diags))
    log_write(LOG_ERROR,
              "what the process before this one was told of routes' states in the last "
              "moments is not known: look at 'adit ctl status'");
  if (diags) log_diags(diags);
  diags_free(&diags);
  /* Until now the one before was asked, which knew more. */
  if (!start_admin(gateway)) log_write(LOG_ERROR, "it goes on without the admin server");
}

static void take_handover(struct gateway *gateway) {
  switch (handover_take(&gateway->handover)) {
    case HANDOVER_NOTHING:
      return;
    case HANDOVER_TO_GO:
      let_go(gateway);
      return;
    case HANDOVER_FAILED:
      go_on_without_upgrade(gateway);
      return;
    case HANDOVER_DONE:
      step_down(gateway);
      return;
    case HANDOVER_ALONE_RELOAD:
      go_on_alone(gateway);
      reload(gateway);
      return;
    case HANDOVER_ALONE:
      go_on_alone(gateway);
      return;
    case HANDOVER_CALLED_OFF:
      begin_drain(gateway, 0);
      return;
  }
}

/* ---- signals --------------------------------------------------------------------------------- */

static void take_signals(struct gateway *gateway) {
  struct signalfd_siginfo info;
  while (read(gateway->signals, &info, sizeof(info)) == (ssize_t)sizeof(info)) {
    if (info.ssi_signo == SIGHUP && gateway->drain_at_ms == 0 && !reload_is_put_off(gateway))
      reload(gateway);
    if (info.ssi_signo == SIGUSR1 && gateway->shared.access_log)
      access_log_reopen(gateway->shared.access_log);
    if (info.ssi_signo == SIGUSR2) asked_to_upgrade(gateway);
    if (info.ssi_signo == SIGTERM || info.ssi_signo == SIGINT) asked_to_stop(gateway);
  }
}

static void take_wishes(struct gateway *gateway) {
  if (!control_wants_reload(gateway)) return;
  if (gateway->drain_at_ms != 0)
    control_answer(gateway, control_asked(gateway));
  else if (!reload_is_put_off(gateway))
    reload(gateway);
}

/* A successor has a watch of its own. */
static bool minds_files(const struct gateway *gateway) {
  return gateway->drain_at_ms == 0 && !handover_is_under_way(&gateway->handover);
}

/* Files have events, or have been quiet since. */
static void take_file_events(struct gateway *gateway) {
  struct file_watch *watch = gateway->watch;
  const int64_t now_ms = clock_monotonic_ms();
  file_watch_take(watch, now_ms);
  if (!minds_files(gateway) || file_watch_due_ms(watch) == 0) return;
  if (file_watch_due_ms(watch) > now_ms || !file_watch_has_changed(watch)) return;
  log_write(LOG_INFO, "files have changed");
  reload(gateway);
}

/* ---- stop ------------------------------------------------------------------------------------ */

static bool workers_are_done(struct gateway *gateway) {
  while (gateway->started > 0) {
    if (pthread_tryjoin_np(gateway->workers[gateway->started - 1].thread, NULL) != 0) return false;
    gateway->started--;
  }
  return true;
}

/* Of two times to wait; -1: for ever. */
static int sooner(int a_ms, int b_ms) {
  return b_ms >= 0 && (a_ms < 0 || b_ms < a_ms) ? b_ms : a_ms;
}

/* `wait_ms` (-1: for ever), or less if files are to be looked at before. */
static int until_files_are_due(const struct gateway *gateway, int wait_ms) {
  const int64_t due_ms = file_watch_due_ms(gateway->watch);
  if (due_ms == 0 || !minds_files(gateway)) return wait_ms;
  const int64_t left_ms = due_ms - clock_monotonic_ms();
  return sooner(wait_ms, left_ms > 0 ? (int)left_ms : 0);
}

static void serve(struct gateway *gateway) {
  for (;;) {
    int wait_ms = -1;
    if (gateway->drain_at_ms != 0 && gateway->stop == STOP_NONE) {
      int64_t left_ms = gateway->drain_at_ms - clock_monotonic_ms();
      if (left_ms <= 0)
        send_stop(gateway, STOP_DRAIN);
      else
        wait_ms = (int)left_ms;
    }
    if (gateway->stop != STOP_NONE) {
      if (workers_are_done(gateway)) return;
      wait_ms = STOP_POLL_MS;
    }
    struct pollfd watched[] = {{.fd = gateway->signals, .events = POLLIN},
                               {.fd = gateway->control.fd, .events = POLLIN},
                               {.fd = file_watch_fd(gateway->watch), .events = POLLIN},
                               {.fd = handover_fd(&gateway->handover), .events = POLLIN}};
    wait_ms = sooner(until_files_are_due(gateway, wait_ms), manager_ping(&gateway->manager));
    (void)poll(watched, 4, wait_ms);
    take_signals(gateway);
    take_handover(gateway);
    take_wishes(gateway);
    take_file_events(gateway);
  }
}

static void add_counter(void *line, const char *name, const char *meaning, uint64_t value) {
  (void)meaning;
  if (value > 0) text_printf(line, " %s=%llu", name, (unsigned long long)value);
}

static void log_counters(const struct gateway *gateway) {
  struct text line;
  text_init(&line, 4096);
  gateway_visit_counters(gateway, add_counter, &line);
  log_write(LOG_INFO, "stopped:%.*s", STR_ARG(text_str(&line)));
  text_deinit(&line);
}

static void gateway_deinit(struct gateway *gateway) {
  stop_admin(gateway);
  if (gateway->admin_fd >= 0) (void)close(gateway->admin_fd);
  send_stop(gateway, STOP_NOW);
  while (!workers_are_done(gateway)) (void)poll(NULL, 0, 1);
  for (unsigned w = 0; w < gateway->worker_count; w++) worker_deinit(&gateway->workers[w]);
  free(gateway->workers);
  access_log_free(&gateway->shared.access_log);
  listeners_close(&gateway->listeners);
  file_watch_free(&gateway->watch);
  policy_unref(&gateway->policy);
  overrides_free(&gateway->overrides);
  fixed_deinit(&gateway->fixed);
  keyset_unref(gateway->shared.keysets, &gateway->keyset);
  keysets_free(&gateway->shared.keysets);
  health_free(&gateway->shared.health);
  name_set_free(gateway->shared.resolver, &gateway->names);
  breakers_free(&gateway->shared.breakers);
  resolver_stop(&gateway->shared.resolver);
  handover_deinit(&gateway->handover);
  manager_deinit(&gateway->manager);
  if (gateway->signals >= 0) (void)close(gateway->signals);
}

int gateway_run(const struct gateway_options *options) {
  struct gateway gateway = {.config_path = options->config_path,
                            .restart = options->restart,
                            .admin = options->admin,
                            .control = {.fd = -1, .lock = PTHREAD_MUTEX_INITIALIZER},
                            .admin_fd = -1,
                            .admin_listener = -1,
                            .handover = {.launcher = -1, .link = -1},
                            .manager = {.fd = -1},
                            .signals = -1};
  (void)sem_init(&gateway.taken, 0, 0);
  bool started = gateway_start(&gateway);
  if (started) {
    serve(&gateway);
    stop_admin(&gateway);
    if (gateway.shared.access_log) access_log_stop(gateway.shared.access_log);
    log_counters(&gateway);
  }
  gateway_deinit(&gateway);
  control_deinit(&gateway);
  (void)sem_destroy(&gateway.taken);
  return started ? 0 : 1;
}
