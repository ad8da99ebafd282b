/*
 *   accept ─► a head comes in ─┬► whole: MHD_add_connection()
 *                              ├► wrong: an answer, then what still comes is passed over
 *                              └► its time is over, or another one needs the place: closed
 *
 * Events are edge-triggered, as bytes that are only looked at stay: each new one tells again.
 */
#include "gate.h"

#include <errno.h>
#include <stdlib.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

#include "adit/http.h"
#include "adit/units.h"
#include "admin_private.h"

enum {
  PARAMETERS_MAX = 64, /* in a query */
  COOKIES_MAX = 256,
  EVENTS_MAX = 64,          /* of a turn */
  ACCEPTED_MAX = 64,        /* likewise */
  RETRY_MS = 100,           /* when there are no descriptors */
  PASSED_OVER_MAX = 1 << 20 /* behind an answer, so that whoever still sends reads it */
};

struct waiting {
  struct waiting *previous, *next; /* the oldest first */
  int fd;
  union {
    struct sockaddr any;
    struct sockaddr_storage room;
  } address;
  socklen_t address_n;
  int64_t deadline_ms;
  struct http_head_scan scan;
  bool answered;
  bool whole; /* with its body */
  size_t passed_over;
};

struct gate {
  struct admin *admin;
  int epoll, listener; /* listener < 0: it has left */
  bool may_accept;     /* somebody may be there */
  int64_t retry_ms;    /* not before; 0: at once */
  struct waiting *first, *last;
  size_t count;
  struct waiting *handed; /* over in this turn, linked by `next` */
  struct http_request request;
  char bytes[ADMIN_HEAD_BYTES_MAX];
};

/* ---- those that wait ------------------------------------------------------------------------- */

static void unlink_waiting(struct gate *gate, struct waiting *one) {
  *(one->next ? &one->next->previous : &gate->last) = one->previous;
  *(one->previous ? &one->previous->next : &gate->first) = one->next;
  gate->count--;
}

/* What has come of a head is taken out first: the kernel would answer it with a reset. */
static void drop(struct gate *gate, struct waiting *one) {
  unlink_waiting(gate, one);
  (void)recv(one->fd, gate->bytes, sizeof(gate->bytes), MSG_DONTWAIT);
  (void)close(one->fd);
  free(one);
}

/* Those of this turn are not among admin->connections yet. */
static size_t count_all(const struct gate *gate) {
  size_t n = gate->count + connections_count(gate->admin, NULL);
  for (const struct waiting *one = gate->handed; one; one = one->next) n++;
  return n;
}

static size_t count_of(const struct gate *gate, const struct sockaddr *address) {
  size_t n = connections_count(gate->admin, address);
  for (const struct waiting *one = gate->first; one; one = one->next)
    n += address_is_same(&one->address.any, address);
  return n;
}

/* The oldest that waits, but for `but`, goes; else one whose body is still to come. `address`: only
 * of this one; NULL: any. False: there is none. */
static bool make_room(struct gate *gate, const struct waiting *but,
                      const struct sockaddr *address) {
  for (struct waiting *one = gate->first; one; one = one->next) {
    if (one == but || (address && !address_is_same(&one->address.any, address))) continue;
    drop(gate, one);
    return true;
  }
  return connections_give_way(gate->admin, address);
}

/* ---- heads ----------------------------------------------------------------------------------- */

/* Bytes that nobody read would have the kernel reset the connection, and the answer with it. */
static void pass_over(struct gate *gate, struct waiting *one) {
  ssize_t n;
  while ((n = recv(one->fd, gate->bytes, sizeof(gate->bytes), MSG_DONTWAIT)) > 0) {
    one->passed_over += (size_t)n;
    if (one->passed_over > PASSED_OVER_MAX) break;
  }
  if (n >= 0 || (errno != EAGAIN && errno != EINTR)) drop(gate, one);
}

/* The whole of it fits into the socket, into which nothing was written yet. */
static void refuse(struct gate *gate, struct waiting *one, int status, const char *why) {
  struct answer answer = {0};
  struct text out;
  char date[HTTP_DATE_BYTES];
  text_init(&answer.body, ADMIN_HEAD_BYTES_MAX);
  text_init(&out, ADMIN_HEAD_BYTES_MAX);
  answer_error(&answer, status, "%s", why);
  text_printf(&out, "HTTP/1.1 %d %.*s\r\nServer: %s\r\nContent-Type: %s\r\n", status,
              STR_ARG(http_reason(status)), ADMIN_SERVER_NAME, answer.type);
  text_printf(&out, "Date: %.*s\r\n", STR_ARG(http_date(clock_wall_ms() / 1000, date)));
  text_printf(&out, "Cache-Control: no-store\r\nX-Content-Type-Options: nosniff\r\n");
  text_printf(&out, "Connection: close\r\nContent-Length: %zu\r\n\r\n", answer.body.n);
  text_add(&out, text_str(&answer.body));
  one->answered = true;
  if (!text_failed(&out)) (void)send(one->fd, out.p, out.n, MSG_NOSIGNAL | MSG_DONTWAIT);
  (void)shutdown(one->fd, SHUT_WR);
  text_deinit(&out);
  text_deinit(&answer.body);
  pass_over(gate, one);
}

static size_t count_bytes(struct str text, const char *bytes) {
  size_t n = 0;
  for (size_t i = 0; i < text.n; i++) n += strchr(bytes, text.p[i]) != NULL;
  return n;
}

/* Of each parameter and cookie libmicrohttpd makes a record in the connection's memory; where that
 * is short it hangs, or hangs up. NULL: there are not too many. */
static const char *find_too_many(const struct http_request *request) {
  size_t cookies = 0;
  if (count_bytes(request->query, "&") >= PARAMETERS_MAX)
    return "more than 64 parameters in the query";
  for (size_t i = 0; i < request->field_count; i++)
    if (str_eq_nocase(request->fields[i].name, STR("Cookie")))
      cookies += 1 + count_bytes(request->fields[i].value, ";,");
  return cookies > COOKIES_MAX ? "more than 256 cookies" : NULL;
}

/* `body_n`: so many bytes have come behind the head. */
static bool is_whole(const struct http_request *request, size_t body_n) {
  return request->body == HTTP_BODY_NONE ||
         (request->body == HTTP_BODY_LENGTH && request->content_length <= body_n);
}

static void hand_over(struct gate *gate, struct waiting *one, bool whole) {
  one->whole = whole;
  unlink_waiting(gate, one);
  (void)epoll_ctl(gate->epoll, EPOLL_CTL_DEL, one->fd, NULL);
  one->next = gate->handed;
  gate->handed = one; /* gate_deadline_of() may be asked at once */
  if (MHD_add_connection(gate->admin->daemon, one->fd, &one->address.any, one->address_n) ==
      MHD_YES)
    return;
  gate->handed = one->next;
  free(one); /* it has closed it */
}

int64_t gate_deadline_of(const struct gate *gate, int fd, bool *ret_whole) {
  *ret_whole = false;
  for (const struct waiting *one = gate->handed; one; one = one->next) {
    if (one->fd != fd) continue;
    *ret_whole = one->whole;
    return one->deadline_ms;
  }
  return gate->admin->now_ms + ADMIN_REQUEST_MS;
}

static void forget_handed(struct gate *gate) {
  while (gate->handed) {
    struct waiting *one = gate->handed;
    gate->handed = one->next;
    free(one);
  }
}

/* `ended`: nothing more will come. */
static void look(struct gate *gate, struct waiting *one, bool ended) {
  static const struct http_limits limits = {ADMIN_HEAD_BYTES_MAX, HTTP_REQUEST_LINE_MAX,
                                            HTTP_FIELDS_MAX};
  if (one->answered) {
    pass_over(gate, one);
    return;
  }
  const ssize_t n = recv(one->fd, gate->bytes, sizeof(gate->bytes), MSG_PEEK | MSG_DONTWAIT);
  if (n < 0 && (errno == EAGAIN || errno == EINTR)) return;
  if (n <= 0) {
    drop(gate, one);
    return;
  }
  size_t head_n;
  const char *why = "";
  const enum http_parse outcome = http_parse_request(str_make(gate->bytes, (size_t)n), &limits,
                                                     &one->scan, &gate->request, &head_n, &why);
  const char *too_many = outcome == HTTP_PARSE_DONE ? find_too_many(&gate->request) : NULL;
  if (too_many)
    refuse(gate, one, 400, too_many);
  else if (outcome == HTTP_PARSE_DONE)
    hand_over(gate, one, is_whole(&gate->request, (size_t)n - head_n));
  else if (outcome != HTTP_PARSE_MORE)
    refuse(gate, one, http_parse_status(outcome), why);
  else if (ended)
    drop(gate, one);
}

/* ---- coming ---------------------------------------------------------------------------------- */

/* False: there is no memory, or no room for this address. Closed then. */
static bool admit(struct gate *gate, struct waiting *one) {
  struct epoll_event event = {.events = EPOLLIN | EPOLLRDHUP | EPOLLET, .data.ptr = one};
  const struct sockaddr *address = &one->address.any;
  one->deadline_ms = gate->admin->now_ms + ADMIN_REQUEST_MS;
  one->previous = gate->last;
  *(gate->last ? &gate->last->next : &gate->first) = one;
  gate->last = one;
  gate->count++;
  const bool fits = gate->admin->loopback ||
                    count_of(gate, address) <= ADMIN_CONNECTIONS_PER_ADDRESS_MAX ||
                    make_room(gate, one, address);
  if (fits && epoll_ctl(gate->epoll, EPOLL_CTL_ADD, one->fd, &event) == 0) return true;
  drop(gate, one);
  return false;
}

/* NULL: nobody is there, or cannot be taken now. */
static struct waiting *take(struct gate *gate) {
  struct waiting *one = calloc(1, sizeof(*one));
  if (one) {
    one->address_n = sizeof(one->address.room);
    do {
      one->fd =
          accept4(gate->listener, &one->address.any, &one->address_n, SOCK_NONBLOCK | SOCK_CLOEXEC);
    } while (one->fd < 0 && (errno == EINTR || errno == ECONNABORTED));
    if (one->fd >= 0) return one;
  }
  if (one && (errno == EAGAIN || errno == EWOULDBLOCK))
    gate->may_accept = false;
  else
    gate->retry_ms = gate->admin->now_ms + RETRY_MS;
  free(one);
  return NULL;
}

static bool has_room(const struct gate *gate) {
  return gate->first || count_all(gate) < ADMIN_CONNECTIONS_MAX ||
         connections_can_give_way(gate->admin);
}

/* Somebody gives way only when another one is there. Who does so in libmicrohttpd is closed in its
 * next run, and until then holds his descriptor: the next one waits for the next turn. */
static void accept_all(struct gate *gate) {
  if (gate->retry_ms > gate->admin->now_ms) return;
  gate->retry_ms = 0;
  for (int i = 0; i < ACCEPTED_MAX && gate->may_accept && has_room(gate); i++) {
    struct waiting *one = take(gate);
    if (!one) return;
    if (!admit(gate, one)) continue;
    const bool is_full = count_all(gate) > ADMIN_CONNECTIONS_MAX;
    const size_t before = gate->count;
    if (is_full) (void)make_room(gate, one, NULL);
    const bool waits = is_full && gate->count == before;
    look(gate, one, false);
    if (waits) return;
  }
}

/* ---- life ------------------------------------------------------------------------------------ */

struct gate *gate_new(struct admin *admin, int listener) {
  struct gate *gate = calloc(1, sizeof(*gate));
  if (!gate) {
    (void)close(listener);
    return NULL;
  }
  struct epoll_event event = {.events = EPOLLIN | EPOLLET, .data.ptr = gate};
  gate->admin = admin;
  gate->listener = listener;
  gate->epoll = epoll_create1(EPOLL_CLOEXEC);
  if (gate->epoll < 0 || epoll_ctl(gate->epoll, EPOLL_CTL_ADD, listener, &event) != 0)
    gate_free(&gate);
  return gate;
}

void gate_free(struct gate **gate) {
  struct gate *all = *gate;
  *gate = NULL;
  if (!all) return;
  while (all->first) drop(all, all->first);
  forget_handed(all);
  gate_leave(all);
  if (all->epoll >= 0) (void)close(all->epoll);
  free(all);
}

int gate_descriptor(const struct gate *gate) {
  return gate->epoll;
}

/* Of those that a turn has left no event tells again. */
int64_t gate_deadline_ms(const struct gate *gate) {
  if (gate->may_accept && gate->retry_ms == 0 && has_room(gate)) return gate->admin->now_ms;
  int64_t first_ms = gate->first ? gate->first->deadline_ms : INT64_MAX;
  if (gate->retry_ms > 0 && gate->retry_ms < first_ms) first_ms = gate->retry_ms;
  return first_ms;
}

void gate_leave(struct gate *gate) {
  if (gate->listener >= 0) {
    /* A successor may have the same socket: its connections would wake this one, too. */
    (void)epoll_ctl(gate->epoll, EPOLL_CTL_DEL, gate->listener, NULL);
    (void)close(gate->listener);
  }
  gate->listener = -1;
  gate->may_accept = false;
}

void gate_run(struct gate *gate) {
  struct epoll_event events[EVENTS_MAX];
  forget_handed(gate);
  const int n = epoll_wait(gate->epoll, events, EVENTS_MAX, 0);
  for (int i = 0; i < n; i++) {
    if (events[i].data.ptr == gate)
      gate->may_accept = gate->listener >= 0;
    else
      look(gate, events[i].data.ptr, events[i].events & (EPOLLRDHUP | EPOLLHUP | EPOLLERR));
  }
  accept_all(gate);
  while (gate->first && gate->first->deadline_ms <= gate->admin->now_ms) drop(gate, gate->first);
}
