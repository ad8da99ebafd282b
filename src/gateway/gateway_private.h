/*
 * gateway_private: the process, for gateway.c (its life, on the main thread), fixed.c and control.c
 * (what the admin server's thread asks).
 */
#ifndef ADIT_GATEWAY_GATEWAY_PRIVATE_H
#define ADIT_GATEWAY_GATEWAY_PRIVATE_H

#include "adit/gateway.h"
#include "adit/overrides.h"
#include "adit/text.h"
#include "handover.h"
#include "listeners.h"
#include "manager.h"
#include "worker.h"

enum {
  FIXED_LISTEN,
  FIXED_WORKERS,
  FIXED_ADMIN,
  FIXED_USER,
  FIXED_SANDBOX,
  FIXED_ACCESS_LOG,
  FIXED_STATE_FILE,
  FIXED_COUNT
};

/* What a reload cannot change, as texts to be compared. */
struct fixed {
  struct text values[FIXED_COUNT];
};

/* What the main thread and the admin server's tell each other. */
struct control {
  int fd; /* eventfd: the main thread is wanted */
  _Atomic int stage;
  pthread_mutex_t lock;      /* of all that follows; to change gateway->policy and keyset */
  struct gateway_load *load; /* the last that ended */
  uint64_t loads[GATEWAY_OUTCOMES];
  uint64_t asked;    /* reloads that were asked for */
  uint64_t answered; /* of them, by a load or by a refusal */
};

struct gateway {
  const char *config_path;
  const char *const *restart;
  struct handover handover;
  struct manager manager;
  struct fixed fixed;    /* as it was at start */
  struct policy *policy; /* changed by the main thread only */
  struct overrides *overrides;
  struct file_watch *watch;
  struct control control;
  const struct gateway_admin *admin; /* NULL: none */
  void *admin_server;                /* of `admin`; NULL: it does not run */
  int admin_fd;                      /* until the server has it; -1: none */
  int admin_listener;                /* the same, also when the server has it */
  int64_t started_ms;
  struct listeners listeners; /* until the workers have them */
  struct worker_shared shared;
  struct keyset *keyset;  /* of the policy; NULL: none is fetched */
  struct name_set *names; /* of the policy's endpoints, as pools hold them */
  struct worker *workers;
  unsigned worker_count; /* initialised */
  unsigned started;      /* with a running thread */
  sem_t taken;           /* by a worker: the policy of a reload */
  int signals;           /* signalfd */
  enum stop_stage stop;
  int64_t drain_at_ms; /* when drain_delay is over; 0: not asked to stop */
  bool is_asked;       /* to stop by a signal: the next one means now */
};

/* ---- fixed.c --------------------------------------------------------------------------------- */

void fixed_init(struct fixed *fixed, const struct config *config);
void fixed_deinit(struct fixed *fixed);
/* Warns of what `config` has otherwise than it was at the start. */
void fixed_say_what_waits(const struct fixed *fixed, const struct config *config);

/* ---- the main thread's side of control.c ----------------------------------------------------- */

/* False: no descriptor; deinit in any case. */
bool control_init(struct gateway *gateway);
void control_deinit(struct gateway *gateway);
/* How many reloads were asked for by now: those that a load which begins now will answer. */
uint64_t control_asked(struct gateway *gateway);
/* Whether one waits to be begun. Empties the descriptor. */
bool control_wants_reload(struct gateway *gateway);
/* Puts `policy` (NULL: the one there is stays) and the key set that it needs in their places, and
 * tells what came of the load. Takes all three over. */
void control_publish(struct gateway *gateway, struct policy *policy, struct keyset *keyset,
                     enum gateway_outcome outcome, struct diags *diags);
/* Reloads up to the number are answered: whoever waits is told. */
void control_answer(struct gateway *gateway, uint64_t asked);
void control_set_stage(struct gateway *gateway, enum gateway_stage stage);

#endif
