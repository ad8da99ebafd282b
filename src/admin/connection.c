/*
 * connection: one request on one connection, which ends with its answer: nothing is left on it that
 * could be read as another request.
 *
 *   the head is looked at ─► the body is kept, or passed over ─► the resource is asked ─► answer
 *                                                                   └─ waits for a reload ─┘
 */
#include <errno.h>
#include <netinet/in.h>
#include <stdlib.h>
#include <sys/socket.h>

#include "adit/config.h"
#include "adit/policy.h"
#include "admin_private.h"
#include "guard.h"

/* What is passed over of a body that nobody wants, so that whoever still sends it reads the answer;
 * more than that is answered, or cut, at once. */
enum { PASSED_OVER_MAX = 1 << 20 };

struct connection {
  struct connection *previous, *next;
  struct admin *admin;
  struct MHD_Connection *mhd;
  int fd;
  int64_t deadline_ms;
  bool head_seen;
  bool answered; /* `answer` stands: a body is passed over */
  bool came;     /* the request has, but was not read yet */
  bool whole;    /* it was read: the answer goes, or is made */
  bool suspended;
  bool leaving; /* it is shut down */
  const struct resource *resource;
  char name[128]; /* of the request */
  struct request request;
  struct text body;
  size_t passed_over;
  struct answer answer;
};

/* ---- all of them ----------------------------------------------------------------------------- */

static void connection_open(struct admin *admin, struct MHD_Connection *mhd, void **ret) {
  struct connection *connection = calloc(1, sizeof(*connection));
  *ret = connection;
  if (!connection) return; /* connection_handle() ends it */
  const union MHD_ConnectionInfo *info =
      MHD_get_connection_info(mhd, MHD_CONNECTION_INFO_CONNECTION_FD);
  connection->admin = admin;
  connection->mhd = mhd;
  connection->fd = info ? info->connect_fd : -1;
  connection->deadline_ms = gate_deadline_of(admin->gate, connection->fd, &connection->came);
  text_init(&connection->body, ADMIN_BODY_BYTES_MAX);
  text_init(&connection->answer.body, ADMIN_ANSWER_BYTES_MAX);
  connection->next = admin->connections;
  if (connection->next) connection->next->previous = connection;
  admin->connections = connection;
}

static void connection_close(struct connection *connection) {
  connection->admin->has_closed = true;
  if (connection->next) connection->next->previous = connection->previous;
  if (connection->previous)
    connection->previous->next = connection->next;
  else
    connection->admin->connections = connection->next;
  text_deinit(&connection->body);
  text_deinit(&connection->answer.body);
  free(connection);
}

void connection_notify(void *context, struct MHD_Connection *mhd, void **socket_context,
                       enum MHD_ConnectionNotificationCode code) {
  if (code == MHD_CONNECTION_NOTIFY_STARTED)
    connection_open(context, mhd, socket_context);
  else if (*socket_context)
    connection_close(*socket_context);
}

/* libmicrohttpd reads the end, and closes it. */
static void end(struct connection *connection) {
  connection->leaving = true;
  connection->deadline_ms = INT64_MAX;
  (void)shutdown(connection->fd, SHUT_RDWR);
}

void connections_expire(struct admin *admin) {
  for (struct connection *one = admin->connections; one; one = one->next)
    if (!one->suspended && one->deadline_ms <= admin->now_ms) end(one);
}

bool address_is_same(const struct sockaddr *a, const struct sockaddr *b) {
  if (a->sa_family != b->sa_family) return false;
  if (a->sa_family == AF_INET)
    return ((const struct sockaddr_in *)(const void *)a)->sin_addr.s_addr ==
           ((const struct sockaddr_in *)(const void *)b)->sin_addr.s_addr;
  return memcmp(&((const struct sockaddr_in6 *)(const void *)a)->sin6_addr,
                &((const struct sockaddr_in6 *)(const void *)b)->sin6_addr,
                sizeof(struct in6_addr)) == 0;
}

static bool is_of(const struct connection *connection, const struct sockaddr *address) {
  if (!address) return true;
  const union MHD_ConnectionInfo *info =
      MHD_get_connection_info(connection->mhd, MHD_CONNECTION_INFO_CLIENT_ADDRESS);
  return info && address_is_same(info->client_addr, address);
}

size_t connections_count(const struct admin *admin, const struct sockaddr *address) {
  size_t n = 0;
  for (const struct connection *one = admin->connections; one; one = one->next)
    n += !one->leaving && is_of(one, address);
  return n;
}

static bool may_give_way(const struct connection *connection) {
  return !connection->came && !connection->whole && !connection->leaving;
}

bool connections_give_way(struct admin *admin, const struct sockaddr *address) {
  struct connection *oldest = NULL; /* the list begins with the newest */
  for (struct connection *one = admin->connections; one; one = one->next)
    if (may_give_way(one) && is_of(one, address)) oldest = one;
  if (oldest) end(oldest);
  return oldest != NULL;
}

bool connections_can_give_way(const struct admin *admin) {
  for (const struct connection *one = admin->connections; one; one = one->next)
    if (may_give_way(one)) return true;
  return false;
}

void connections_resume(struct admin *admin, bool all) {
  for (struct connection *one = admin->connections; one; one = one->next) {
    if (!one->suspended) continue;
    if (!all && !gateway_reload_is_over(admin->gateway, one->answer.reload)) continue;
    one->suspended = false;
    one->deadline_ms = admin->now_ms + ADMIN_ANSWER_MS;
    MHD_resume_connection(one->mhd);
  }
}

int64_t connections_deadline_ms(const struct admin *admin) {
  int64_t first_ms = INT64_MAX;
  for (const struct connection *one = admin->connections; one; one = one->next)
    if (!one->suspended && one->deadline_ms < first_ms) first_ms = one->deadline_ms;
  return first_ms;
}

/* ---- the answer ------------------------------------------------------------------------------ */

static enum MHD_Result send_answer(struct connection *connection) {
  struct answer *answer = &connection->answer;
  if (text_failed(&answer->body)) {
    text_clear(&answer->body);
    answer_error(answer, 500, "the answer does not fit into memory");
  }
  if (!answer->body.p) return MHD_NO; /* no memory even for that */
  struct MHD_Response *response =
      MHD_create_response_from_buffer(answer->body.n, answer->body.p, MHD_RESPMEM_MUST_FREE);
  if (!response) return MHD_NO;
  text_init(&answer->body, ADMIN_ANSWER_BYTES_MAX); /* the response owns the bytes */
  enum MHD_Result ok = MHD_YES;
  const char *fields[][2] = {{"Server", ADMIN_SERVER_NAME},
                             {"Content-Type", answer->type},
                             {"Cache-Control", "no-store"},
                             {"X-Content-Type-Options", "nosniff"},
                             {"Connection", "close"},
                             {"Allow", answer->allow},
                             {"WWW-Authenticate", answer->status == 401 ? "Bearer" : NULL}};
  for (size_t i = 0; i < sizeof(fields) / sizeof(*fields) && ok == MHD_YES; i++)
    if (fields[i][1]) ok = MHD_add_response_header(response, fields[i][0], fields[i][1]);
  if (ok == MHD_YES) ok = MHD_queue_response(connection->mhd, (unsigned)answer->status, response);
  MHD_destroy_response(response);
  connection->deadline_ms = connection->admin->now_ms + ADMIN_ANSWER_MS;
  return ok;
}

/* Stands in the way of a whole body when it is longer than what would be passed over. */
static enum MHD_Result refuse(struct connection *connection, const struct guard_head *head) {
  uint64_t length = 0;
  connection->answered = true;
  bool known = head->content_length.p && str_to_u64(head->content_length, UINT64_MAX, &length);
  if (!known || length <= PASSED_OVER_MAX) return MHD_YES;
  connection->whole = true; /* the rest is not read */
  return send_answer(connection);
}

/* ---- the request ----------------------------------------------------------------------------- */

static enum MHD_Result note_field(void *context, enum MHD_ValueKind kind, const char *name,
                                  const char *value) {
  (void)kind;
  guard_note(context, str_from_cstr(name), value ? str_from_cstr(value) : STR(""));
  return MHD_YES;
}

/* False: the answer says why not. */
static bool may_ask(struct connection *connection, const struct guard_head *head) {
  struct admin *admin = connection->admin;
  struct answer *answer = &connection->answer;
  /* The token is that of the file as it is now. */
  struct policy *policy = gateway_policy_ref(admin->gateway);
  enum guard_verdict verdict =
      guard_check(head, admin->loopback, policy_config(policy)->admin_token);
  policy_unref(&policy);
  switch (verdict) {
    case GUARD_PASSES:
      return true;
    case GUARD_AMBIGUOUS:
      answer_error(answer, 400, "the request's head is ambiguous");
      break;
    case GUARD_FOREIGN_HOST:
      answer_error(answer, 403, "the Host must be a loopback address or localhost");
      break;
    case GUARD_FOREIGN_ORIGIN:
      answer_error(answer, 403, "a page of another origin may not ask here");
      break;
    case GUARD_NO_TOKEN:
      answer_error(answer, 401, "%s: Authorization: Bearer TOKEN",
                   head->authorization.p ? "another token is wanted" : "a token is wanted");
      break;
    case GUARD_CLOSED:
      answer_error(answer, 403,
                   "this address wants a token, and the configuration has none any more");
      break;
  }
  return false;
}

static bool is_too_large(const struct connection *connection, const struct guard_head *head) {
  uint64_t length = 0;
  if (!head->content_length.p) return false;
  return !str_to_u64(head->content_length, UINT64_MAX, &length) || length > ADMIN_BODY_BYTES_MAX;
}

static void answer_too_large(struct connection *connection) {
  text_clear(&connection->body);
  answer_error(&connection->answer, 413, "a body may have up to %d bytes", ADMIN_BODY_BYTES_MAX);
  connection->answered = true;
}

static enum MHD_Result see_head(struct connection *connection, const char *method,
                                const char *path) {
  struct guard_head head = {0};
  struct str name;
  connection->head_seen = true;
  (void)MHD_get_connection_values(connection->mhd, MHD_HEADER_KIND, note_field, &head);
  if (!may_ask(connection, &head)) return refuse(connection, &head);
  connection->resource =
      resource_find(str_from_cstr(method), str_from_cstr(path), &name, &connection->answer);
  if (!connection->resource) return refuse(connection, &head);
  connection->request.name = str_copy_to(name, connection->name, sizeof(connection->name));
  const char *trace = MHD_lookup_connection_value(connection->mhd, MHD_GET_ARGUMENT_KIND, "trace");
  connection->request.trace = trace && str_eq(str_from_cstr(trace), STR("1"));
  if (!is_too_large(connection, &head)) return MHD_YES;
  answer_too_large(connection);
  return refuse(connection, &head);
}

static enum MHD_Result take_body(struct connection *connection, struct str data) {
  if (!connection->answered && resource_takes_body(connection->resource)) {
    text_add(&connection->body, data);
    if (text_failed(&connection->body)) answer_too_large(connection);
    return MHD_YES;
  }
  connection->passed_over += data.n;
  return connection->passed_over > PASSED_OVER_MAX ? MHD_NO : MHD_YES;
}

/* Asked again when what it waited for is over. */
static enum MHD_Result ask(struct connection *connection) {
  struct admin *admin = connection->admin;
  struct answer *answer = &connection->answer;
  connection->request.body = text_str(&connection->body);
  resource_ask(connection->resource, admin, &connection->request, answer);
  if (answer->reload == 0) return send_answer(connection);
  if (atomic_load(&admin->stopping)) {
    answer_error(answer, 503, "the gateway ends");
    return send_answer(connection);
  }
  connection->suspended = true;
  MHD_suspend_connection(connection->mhd);
  return MHD_YES;
}

enum MHD_Result connection_handle(void *context, struct MHD_Connection *mhd, const char *path,
                                  const char *method, const char *version, const char *data,
                                  size_t *data_n, void **state) {
  (void)context;
  (void)version;
  const union MHD_ConnectionInfo *info =
      MHD_get_connection_info(mhd, MHD_CONNECTION_INFO_SOCKET_CONTEXT);
  struct connection *connection = info ? info->socket_context : NULL;
  if (!connection) return MHD_NO;
  *state = connection;
  if (!connection->head_seen) return see_head(connection, method, path);
  if (*data_n > 0) {
    struct str bytes = str_make(data, *data_n);
    *data_n = 0;
    return take_body(connection, bytes);
  }
  connection->whole = true;
  return connection->answered ? send_answer(connection) : ask(connection);
}
