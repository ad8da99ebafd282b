/*
 * control: what the main thread and the admin server's tell each other.
 *
 * The policy and the outcome of the last load are handed over under a lock that is held for a few
 * instructions; workers never take it. Counters are the workers' own, loaded relaxed and summed.
 */
#include <stdlib.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include "access_log.h"
#include "adit/units.h"
#include "gateway_private.h"

/* Readers see the first member only. */
struct load {
  struct gateway_load shown;
  atomic_uint references;
};

/* ---- the main thread's side ------------------------------------------------------------------ */

bool control_init(struct gateway *gateway) {
  struct control *control = &gateway->control;
  gateway->started_ms = clock_monotonic_ms();
  control->fd = eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC);
  return control->fd >= 0;
}

void control_deinit(struct gateway *gateway) {
  struct control *control = &gateway->control;
  gateway_load_unref(&control->load);
  if (control->fd >= 0) (void)close(control->fd);
  pthread_mutex_destroy(&control->lock);
}

uint64_t control_asked(struct gateway *gateway) {
  pthread_mutex_lock(&gateway->control.lock);
  uint64_t asked = gateway->control.asked;
  pthread_mutex_unlock(&gateway->control.lock);
  return asked;
}

bool control_wants_reload(struct gateway *gateway) {
  struct control *control = &gateway->control;
  uint64_t count;
  while (read(control->fd, &count, sizeof(count)) > 0) continue;
  pthread_mutex_lock(&control->lock);
  bool wants = control->asked > control->answered;
  pthread_mutex_unlock(&control->lock);
  return wants;
}

/* Takes `diags` over. NULL: memory (also when `diags` is NULL). */
static struct gateway_load *load_new(enum gateway_outcome outcome, struct diags *diags) {
  struct load *load = diags ? malloc(sizeof(*load)) : NULL;
  if (!load) {
    diags_free(&diags);
    return NULL;
  }
  load->shown = (struct gateway_load){outcome, clock_wall_ms(), diags};
  atomic_init(&load->references, 1);
  return &load->shown;
}

void control_publish(struct gateway *gateway, struct policy *policy, struct keyset *keyset,
                     enum gateway_outcome outcome, struct diags *diags) {
  struct control *control = &gateway->control;
  struct policy *old_policy = NULL;
  struct keyset *old_keyset = NULL;
  struct gateway_load *load = load_new(outcome, diags);
  pthread_mutex_lock(&control->lock);
  control->loads[outcome]++;
  if (policy) {
    old_policy = gateway->policy;
    gateway->policy = policy;
    old_keyset = gateway->keyset;
    gateway->keyset = keyset;
  }
  if (load) {
    struct gateway_load *old_load = control->load;
    control->load = load;
    load = old_load;
  }
  pthread_mutex_unlock(&control->lock);
  gateway_load_unref(&load);
  policy_unref(&old_policy);
  keyset_unref(gateway->shared.keysets, &old_keyset);
}

static void notify(struct gateway *gateway) {
  if (gateway->admin_server) gateway->admin->notify(gateway->admin_server);
}

void control_answer(struct gateway *gateway, uint64_t asked) {
  pthread_mutex_lock(&gateway->control.lock);
  gateway->control.answered = asked;
  pthread_mutex_unlock(&gateway->control.lock);
  notify(gateway);
}

void control_set_stage(struct gateway *gateway, enum gateway_stage stage) {
  atomic_store(&gateway->control.stage, (int)stage);
  notify(gateway);
}

/* ---- the admin server's side ----------------------------------------------------------------- */

enum gateway_stage gateway_stage(const struct gateway *gateway) {
  return (enum gateway_stage)atomic_load(&gateway->control.stage);
}

bool gateway_is_ready(const struct gateway *gateway) {
  enum gateway_stage stage = gateway_stage(gateway);
  return stage != GATEWAY_STARTING && stage != GATEWAY_DRAINING;
}

struct policy *gateway_policy_ref(struct gateway *gateway) {
  pthread_mutex_lock(&gateway->control.lock);
  struct policy *policy = policy_ref(gateway->policy);
  pthread_mutex_unlock(&gateway->control.lock);
  return policy;
}

struct overrides *gateway_overrides(struct gateway *gateway) {
  return gateway->overrides;
}

struct jwt_keys *gateway_token_keys(struct gateway *gateway) {
  unsigned version;
  struct jwt_keys *keys = NULL;
  pthread_mutex_lock(&gateway->control.lock);
  const struct config_jwt *jwt = &policy_config(gateway->policy)->jwt;
  if (jwt->keys)
    keys = jwt_keys_ref(jwt->keys);
  else if (gateway->keyset)
    keys = keyset_keys(gateway->shared.keysets, gateway->keyset, &version);
  pthread_mutex_unlock(&gateway->control.lock);
  return keys;
}

const char *gateway_outcome_name(enum gateway_outcome outcome) {
  switch (outcome) {
    case GATEWAY_LOADED:
      return "loaded";
    case GATEWAY_LOADED_IN_PART:
      return "in_part";
    case GATEWAY_REFUSED:
      break;
  }
  return "refused";
}

struct gateway_load *gateway_load_ref(struct gateway *gateway) {
  pthread_mutex_lock(&gateway->control.lock);
  struct load *load = (struct load *)gateway->control.load;
  if (load) atomic_fetch_add_explicit(&load->references, 1, memory_order_relaxed);
  pthread_mutex_unlock(&gateway->control.lock);
  return load ? &load->shown : NULL;
}

void gateway_load_unref(struct gateway_load **load) {
  struct load *gone = (struct load *)*load;
  *load = NULL;
  if (!gone || atomic_fetch_sub_explicit(&gone->references, 1, memory_order_acq_rel) > 1) return;
  diags_free(&gone->shown.diags);
  free(gone);
}

void gateway_load_counts(struct gateway *gateway, uint64_t ret[GATEWAY_OUTCOMES]) {
  pthread_mutex_lock(&gateway->control.lock);
  memcpy(ret, gateway->control.loads, sizeof(gateway->control.loads));
  pthread_mutex_unlock(&gateway->control.lock);
}

uint64_t gateway_ask_reload(struct gateway *gateway) {
  struct control *control = &gateway->control;
  pthread_mutex_lock(&control->lock);
  uint64_t asked = ++control->asked;
  pthread_mutex_unlock(&control->lock);
  uint64_t one = 1;
  /* It fails only when the counter is at its limit, and then the main thread is being woken. */
  ssize_t n = write(control->fd, &one, sizeof(one));
  (void)n;
  return asked;
}

bool gateway_reload_is_over(struct gateway *gateway, uint64_t asked) {
  pthread_mutex_lock(&gateway->control.lock);
  bool is_over = gateway->control.answered >= asked;
  pthread_mutex_unlock(&gateway->control.lock);
  return is_over;
}

void gateway_visit_counters(const struct gateway *gateway, gateway_counter_fn visit,
                            void *context) {
#define X(name, meaning)                                                                     \
  {                                                                                          \
    uint64_t sum = 0;                                                                        \
    for (unsigned w = 0; w < gateway->worker_count; w++)                                     \
      sum += atomic_load_explicit(&gateway->workers[w].counters.name, memory_order_relaxed); \
    visit(context, #name, meaning, sum);                                                     \
  }
  COUNTERS(X)
#undef X
  const struct health_counts checks = health_counts(gateway->shared.health);
#define X(name, meaning) visit(context, #name, meaning, checks.name);
  HEALTH_COUNTERS(X)
#undef X
  const struct access_counts lines = access_log_counts(gateway->shared.access_log);
#define X(name, meaning) visit(context, #name, meaning, lines.name);
  ACCESS_LOG_COUNTERS(X)
#undef X
}

struct gateway_gauges gateway_gauges(const struct gateway *gateway) {
  struct gateway_gauges gauges = {.workers = gateway->worker_count,
                                  .uptime_ms = clock_monotonic_ms() - gateway->started_ms};
  for (unsigned w = 0; w < gateway->worker_count; w++)
    gauges.clients += atomic_load_explicit(&gateway->workers[w].open_clients, memory_order_relaxed);
  return gauges;
}

/* ---- what cannot be read, and how long others wait ------------------------------------------- */

const char *gateway_parse_error_name(enum gateway_parse_error kind) {
  static const char *const names[GATEWAY_PARSE_ERRORS] = {
      [GATEWAY_PARSE_START] = "start",
      [GATEWAY_PARSE_OCTETS] = "octets",
      [GATEWAY_PARSE_LINE] = "line",
      [GATEWAY_PARSE_FIELD] = "field",
      [GATEWAY_PARSE_HOST] = "host",
      [GATEWAY_PARSE_FRAMING] = "framing",
      [GATEWAY_PARSE_LINE_LONG] = "line_long",
      [GATEWAY_PARSE_HEAD_LONG] = "head_long",
      [GATEWAY_PARSE_VERSION] = "version",
      [GATEWAY_PARSE_CODING] = "coding",
      [GATEWAY_PARSE_EXPECTATION] = "expectation",
      [GATEWAY_PARSE_CUT_OFF] = "cut_off",
      [GATEWAY_PARSE_PATH] = "path",
      [GATEWAY_PARSE_BODY] = "body",
  };
  return names[kind];
}

void gateway_parse_errors(const struct gateway *gateway, uint64_t ret[GATEWAY_PARSE_ERRORS]) {
  for (unsigned i = 0; i < GATEWAY_PARSE_ERRORS; i++) {
    ret[i] = 0;
    for (unsigned w = 0; w < gateway->worker_count; w++)
      ret[i] += atomic_load_explicit(&gateway->workers[w].parse_errors[i], memory_order_relaxed);
  }
}

bool gateway_loop_lag(const struct gateway *gateway, unsigned worker,
                      struct gateway_histogram *ret) {
  if (worker >= gateway->worker_count) return false;
  series_read_histogram(&gateway->workers[worker].lag, ret);
  return true;
}
