/*
 * admin_private: the admin server, for the files of src/admin.
 *
 *   admin.c       life: start, the thread, stop
 *   connection.c  one request: libmicrohttpd's callbacks, limits, the answer
 *   guard.c       who may ask
 *   resources.c   what there is: paths, methods, small answers
 *   metrics.c     GET /metrics
 *   metrics_endpoints.c  its gauges of endpoints, for which workers are asked
 *   status.c      GET /api/v1/status, routes
 *   configuration.c  adit.json as it counts, for the status
 *   control.c     POST /api/v1/reload, explain
 *   route_state.c GET, PUT, DELETE /api/v1/routes/NAME/state
 */
#ifndef ADIT_ADMIN_ADMIN_PRIVATE_H
#define ADIT_ADMIN_ADMIN_PRIVATE_H

#include <microhttpd.h>
#include <pthread.h>
#include <semaphore.h>
#include <stdatomic.h>

#include "adit/admin.h"
#include "adit/overrides.h"
#include "adit/str.h"
#include "adit/text.h"
#include "gate.h"

struct config;
struct connection;
struct policy;

struct admin {
  struct gateway *gateway;
  bool loopback; /* the address that it serves on */
  pthread_t thread;
  atomic_bool stopping;
  atomic_bool settling, leaving; /* the main thread waits for a turn of the loop, or for its end of
                                    accepting */
  sem_t done;                    /* with that */
  int wake;                      /* eventfd: the main thread has news */
  struct gate *gate;
  struct MHD_Daemon *daemon;
  int epoll; /* the daemon's */
  int64_t now_ms;
  bool has_closed;                /* a connection, in the last run of the daemon */
  struct connection *connections; /* all, linked */
};

/* ---- what a resource is asked, and answers --------------------------------------------------- */

struct request {
  struct str name; /* the part of the path that stands for a name; n == 0: none */
  struct str body;
  bool trace; /* ?trace=1 */
};

struct answer {
  int status;
  const char *type;  /* of the body; static */
  const char *allow; /* for 405: the methods; NULL: none */
  struct text body;
  uint64_t reload; /* the answer waits for the reload of this number; 0: it stands here */
};

/* Why something is not to be had: {"error": …}. */
void answer_error(struct answer *answer, int status, const char *format, ...)
    __attribute__((format(printf, 3, 4)));
void answer_text(struct answer *answer, int status, struct str text);
void answer_json(struct answer *answer, int status);

struct diags;
/* 400, with the first mistake. */
void answer_mistake(const struct diags *diags, struct answer *answer);
/* 404, with the name that is nearest. */
void answer_no_route(const struct policy *policy, struct str name, struct answer *answer);

struct resource;
/* The resource of a path, with the name in it; NULL: *answer says why there is none, or that it
 * does not take the method. */
const struct resource *resource_find(struct str method, struct str path, struct str *ret_name,
                                     struct answer *answer);
bool resource_takes_body(const struct resource *resource);
void resource_ask(const struct resource *resource, struct admin *admin,
                  const struct request *request, struct answer *answer);

void metrics_write(struct admin *admin, struct text *out);
/* HELP and TYPE of a metric, whose samples follow. `name` without "adit_". */
void metrics_begin(struct text *out, const char *name, const char *suffix, const char *type,
                   const char *help);
/* A label's value, in its quotes. */
void metrics_add_quoted(struct text *out, struct str value);
/* What workers know of endpoints. Nothing while they do not all run, or where memory is short. */
void metrics_add_endpoints(struct admin *admin, struct text *out);
void configuration_write(const struct config *config, struct text *out);
/* ,"state":…,"file_state":…,"override":… of a route; one of the two may be NULL. */
void route_state_add(struct text *out, const struct route *route,
                     const struct override_info *override);
/* ,"state_file":…,"kept":…,"why":… */
void overrides_kept_add(struct text *out, const struct overrides_report *report);
/* What came of the last load: {"outcome":…,"at":…,"findings":[…]}. */
void status_add_load(struct admin *admin, struct text *out);

void ask_status(struct admin *admin, const struct request *request, struct answer *answer);
void ask_routes(struct admin *admin, const struct request *request, struct answer *answer);
void ask_route(struct admin *admin, const struct request *request, struct answer *answer);
void ask_route_state(struct admin *admin, const struct request *request, struct answer *answer);
void ask_set_state(struct admin *admin, const struct request *request, struct answer *answer);
void ask_take_state_back(struct admin *admin, const struct request *request, struct answer *answer);
void ask_reload(struct admin *admin, const struct request *request, struct answer *answer);
void ask_explain(struct admin *admin, const struct request *request, struct answer *answer);

/* ---- connections ----------------------------------------------------------------------------- */

/* libmicrohttpd's callbacks; their context is the struct admin. */
enum MHD_Result connection_handle(void *context, struct MHD_Connection *mhd, const char *path,
                                  const char *method, const char *version, const char *data,
                                  size_t *data_n, void **state);
void connection_notify(void *context, struct MHD_Connection *mhd, void **socket_context,
                       enum MHD_ConnectionNotificationCode code);
struct sockaddr;
bool address_is_same(const struct sockaddr *a, const struct sockaddr *b);
/* How many there are, but for those that are told to end; `address`: of this one only; NULL: all.
 */
size_t connections_count(const struct admin *admin, const struct sockaddr *address);
/* Tells the oldest of those whose request is still to come to end, in the next run of the daemon.
 * False: there is none. */
bool connections_give_way(struct admin *admin, const struct sockaddr *address);
bool connections_can_give_way(const struct admin *admin);
/* Those whose time is over end. */
void connections_expire(struct admin *admin);
/* Those whose answer can be given by now go on; `all`: the others, too. */
void connections_resume(struct admin *admin, bool all);
/* When the next one's time is over; INT64_MAX: none. */
int64_t connections_deadline_ms(const struct admin *admin);

#endif
