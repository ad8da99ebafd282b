/*
 * handover: an upgrade as the gateway sees it, from both of its ends: the one that asks for a
 * successor (through its launcher), and the one that is a successor and is told when to go on
 * alone. Used by the main thread only.
 */
#ifndef ADIT_GATEWAY_HANDOVER_H
#define ADIT_GATEWAY_HANDOVER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

struct handover {
  /* The one that asks. */
  int launcher;        /* its control; -1: there is none, */
  const char *refusal; /* and why not */
  enum { HANDOVER_IDLE, HANDOVER_STARTED, HANDOVER_READY, HANDOVER_OVER } stage;
  bool reload; /* was asked for meanwhile */
  pid_t successor;
  int watched; /* tells of the successor's end, while this one drains; -1: nothing does */
  /* The one that is a successor. */
  int link; /* until it goes on alone; -1: it does */
  size_t socket_count;
  bool has_admin; /* the last of them is the admin server's */
};

/*
 * Takes over what the environment says of an upgrade, if anything, and starts a launcher for the
 * next one. `command`: what to start then, as launcher_start() has it; NULL: no upgrades. To be
 * called before any file is read or there is a thread. False: what the environment says is not so;
 * logged.
 */
bool handover_init(struct handover *handover, const char *const *command);
/* Ends the launcher, and with it a successor that is not ready. */
void handover_deinit(struct handover *handover);

/* The launcher gives up what sandbox_drop_rights() does. Where it cannot, the gateway goes on
 * without one: logged. */
void handover_drop_rights(struct handover *handover, const char *user);

/* A successor, before it goes on alone. */
bool handover_is_on_trial(const struct handover *handover);
/* This successor serves. */
void handover_ready(struct handover *handover);

/* From a wish for an upgrade to its outcome. */
bool handover_is_under_way(const struct handover *handover);
/* Whether there can be no successor at present; logged. */
bool handover_refuses(const struct handover *handover);
/* Where it does not refuse: asks for a successor with these listening sockets, the last of which is
 * the admin server's where `has_admin`. It has to serve within `limit_ms`. False: there will be
 * none; logged. */
bool handover_ask(struct handover *handover, const int *sockets, size_t n, bool has_admin,
                  int64_t limit_ms);
/* Calls off what is under way: a successor that serves drains, another is killed. There is no
 * launcher any more, and `why` (static) is why no later upgrade can be. */
void handover_call_off(struct handover *handover, const char *why);

/* Tells the successor that it is on its own from now on; what comes of that is an event. */
void handover_go(struct handover *handover);
/* To be polled for reading; -1: there is nothing to wait for. */
int handover_fd(const struct handover *handover);

enum handover_event {
  HANDOVER_NOTHING,
  HANDOVER_TO_GO,        /* the successor serves: handover_go() is next */
  HANDOVER_FAILED,       /* logged; the gateway goes on as before */
  HANDOVER_DONE,         /* the successor serves, and this gateway is to drain */
  HANDOVER_ALONE,        /* this successor is on its own */
  HANDOVER_ALONE_RELOAD, /* and is to reload: files may have changed since it read them */
  HANDOVER_CALLED_OFF    /* this successor is not wanted, and is to drain; logged */
};
/* What there is news of, without waiting. A successor that ends while this one drains is only
 * logged. */
enum handover_event handover_take(struct handover *handover);

#endif
