/*
 * redis: questions to a Redis server, a hash of a key, on hiredis' asynchronous interface.
 *
 * A directory has one connection, on which questions follow each other without waiting. One that is
 * late or too large makes all behind it late: then the connection is given up with all that it
 * carries, and the next question makes a new one. Its socket stands in the loop's epoll.
 */
#include <hiredis/async.h>
#include <hiredis/hiredis.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/epoll.h>

#include "lookup_private.h"

/* hiredis reads so much at once. */
enum { READ_BYTES = 16 * 1024 };

struct redis_link {
  struct redis_link *next; /* of the loop's */
  struct lookup_loop *loop;
  struct lookup *lookup;
  redisAsyncContext *redis; /* NULL: there is no connection */
  uint64_t connection;      /* its number, which its questions have */
  uint32_t events;          /* that its socket stands in the epoll for; 0: it does not */
};

/* ---- socket ---------------------------------------------------------------------------------- */

static void watch(struct redis_link *link, uint32_t events) {
  const uint32_t before = link->events;
  if (events == before) return;
  const int fd = link->redis->c.fd;
  struct epoll_event event = {.events = events, .data.u64 = LOOP_REDIS | (uint32_t)fd};
  const int what = events == 0 ? EPOLL_CTL_DEL : before == 0 ? EPOLL_CTL_ADD : EPOLL_CTL_MOD;
  if (epoll_ctl(link->loop->epoll, what, fd, &event) == 0) link->events = events;
}

static void add_read(void *context) {
  struct redis_link *link = context;
  watch(link, link->events | EPOLLIN);
}

static void remove_read(void *context) {
  struct redis_link *link = context;
  watch(link, link->events & ~(uint32_t)EPOLLIN);
}

static void add_write(void *context) {
  struct redis_link *link = context;
  watch(link, link->events | EPOLLOUT);
}

static void remove_write(void *context) {
  struct redis_link *link = context;
  watch(link, link->events & ~(uint32_t)EPOLLOUT);
}

/* The connection is no longer the link's; its questions know nobody. */
static redisAsyncContext *let_go(struct redis_link *link) {
  redisAsyncContext *redis = link->redis;
  watch(link, 0);
  memset(&redis->ev, 0, sizeof(redis->ev));
  redis->data = NULL;
  link->redis = NULL;
  link->events = 0;
  return redis;
}

/* hiredis frees it. */
static void is_gone(void *context) {
  (void)let_go(context);
}

/* Gives the connection up with all its questions. `is_ours`: hiredis is not freeing it already. */
static void give_up(struct redis_link *link, enum lookup_why why, bool is_ours) {
  struct lookup_loop *loop = link->loop;
  struct lookup *held = lookup_ref(link->lookup); /* and so the link stays */
  const uint64_t connection = link->connection;
  redisAsyncContext *redis = let_go(link);
  if (is_ours) redisAsyncFree(redis);
  struct flight *flight;
  while ((flight = lookup_first_flight(held)) != NULL && flight->connection == connection)
    lookup_take(held, flight, why, NULL, loop->now_ms);
  lookup_unref(&held);
}

/* ---- questions ------------------------------------------------------------------------------- */

/* All elements are texts or nil. *ret_known: one is there. */
static enum lookup_why read_reply(const redisReply *reply, size_t n, size_t bytes_max,
                                  struct str *texts) {
  size_t bytes = 0;
  bool known = false;
  if (reply->type == REDIS_REPLY_ERROR) return WHY_STATUS;
  if (reply->type != REDIS_REPLY_ARRAY || reply->elements != n) return WHY_GARBAGE;
  for (size_t i = 0; i < n; i++) {
    const redisReply *element = reply->element[i];
    texts[i] = (struct str){0};
    if (element->type == REDIS_REPLY_NIL) continue;
    if (element->type != REDIS_REPLY_STRING) return WHY_GARBAGE;
    texts[i] = str_make(element->str, element->len);
    bytes += element->len;
    known = true;
  }
  if (bytes > bytes_max) return WHY_LARGE;
  return known ? WHY_NONE : WHY_UNKNOWN;
}

static void take_reply(redisAsyncContext *redis, void *reply, void *context) {
  struct redis_link *link = redis->data;
  struct flight *flight = context;
  struct str texts[LOOKUP_FIELDS_MAX];
  if (!link) return; /* it was given up */
  if (!reply) {
    give_up(link, WHY_UNREACHED, false);
    return;
  }
  const struct lookup_spec *spec = lookup_spec_of(link->lookup);
  enum lookup_why why = read_reply(reply, spec->field_count, spec->answer_bytes, texts);
  struct lookup_answer *answer = NULL;
  if (why == WHY_NONE) answer = lookup_answer_of(texts, spec->field_count);
  if (why == WHY_NONE && !answer) why = WHY_MEMORY;
  lookup_take(link->lookup, flight, why, answer, link->loop->now_ms);
}

/* A database that is not there must not be read as another one. */
static void take_select(redisAsyncContext *redis, void *reply, void *context) {
  (void)context;
  struct redis_link *link = redis->data;
  if (!link) return;
  if (!reply)
    give_up(link, WHY_UNREACHED, false);
  else if (((const redisReply *)reply)->type != REDIS_REPLY_STATUS)
    give_up(link, WHY_STATUS, true);
}

static bool connect_to(struct redis_link *link) {
  const struct lookup_template *template = lookup_template_of(link->lookup);
  char host[64];
  (void)str_copy_to(template->host, host, sizeof(host));
  redisAsyncContext *redis = redisAsyncConnect(host, template->port);
  if (!redis) return false;
  if (redis->err) {
    redisAsyncFree(redis);
    return false;
  }
  redis->data = redis->ev.data = link;
  redis->ev.addRead = add_read;
  redis->ev.delRead = remove_read;
  redis->ev.addWrite = add_write;
  redis->ev.delWrite = remove_write;
  redis->ev.cleanup = is_gone;
  link->redis = redis;
  link->connection++;
  add_write(link); /* it tells when the connection is made */
  return template->database == 0 ||
         redisAsyncCommand(redis, take_select, NULL, "SELECT %u", template->database) == REDIS_OK;
}

bool redis_start(struct redis_link *link, struct flight *flight) {
  const struct lookup_spec *spec = lookup_spec_of(link->lookup);
  const char *words[2 + LOOKUP_FIELDS_MAX] = {"HMGET", flight->url};
  size_t sizes[2 + LOOKUP_FIELDS_MAX] = {sizeof("HMGET") - 1, flight->url_n};
  for (size_t i = 0; i < spec->field_count; i++) {
    words[2 + i] = spec->fields[i].p;
    sizes[2 + i] = spec->fields[i].n;
  }
  if (!link->redis && !connect_to(link)) return false;
  flight->connection = link->connection;
  return redisAsyncCommandArgv(link->redis, take_reply, flight, 2 + (int)spec->field_count, words,
                               sizes) == REDIS_OK;
}

/* ---- life and loop --------------------------------------------------------------------------- */

struct redis_link *redis_link_new(struct lookup_loop *loop, struct lookup *lookup) {
  struct redis_link *link = calloc(1, sizeof(*link));
  if (!link) return NULL;
  link->loop = loop;
  link->lookup = lookup;
  link->next = loop->links;
  loop->links = link;
  return link;
}

void redis_link_free(struct redis_link *link) {
  if (!link) return;
  struct redis_link **at = &link->loop->links;
  while (*at != link) at = &(*at)->next;
  *at = link->next;
  if (link->redis) redisAsyncFree(let_go(link));
  free(link);
}

void redis_move(struct lookup_loop *loop, int fd, uint32_t events) {
  struct redis_link *link = loop->links;
  while (link && !(link->redis && link->redis->c.fd == fd)) link = link->next;
  if (!link) return;
  redisAsyncContext *redis = link->redis;
  struct lookup *held = lookup_ref(link->lookup);
  const size_t most = lookup_spec_of(held)->answer_bytes + READ_BYTES;
  if (events & (EPOLLIN | EPOLLHUP | EPOLLERR)) redisAsyncHandleRead(redis);
  if (link->redis == redis && (events & (EPOLLOUT | EPOLLHUP | EPOLLERR)))
    redisAsyncHandleWrite(redis);
  if (link->redis == redis && redis->c.reader->len > most) give_up(link, WHY_LARGE, true);
  lookup_unref(&held);
}

int64_t redis_due_ms(const struct lookup_loop *loop) {
  int64_t due_ms = -1;
  for (const struct redis_link *link = loop->links; link; link = link->next) {
    const struct flight *first = lookup_first_flight(link->lookup);
    if (first && (due_ms < 0 || first->deadline_ms < due_ms)) due_ms = first->deadline_ms;
  }
  return due_ms;
}

void redis_expire(struct lookup_loop *loop, int64_t now_ms) {
  for (struct redis_link *link = loop->links; link; link = link->next) {
    const struct flight *first = lookup_first_flight(link->lookup);
    if (!first || first->deadline_ms > now_ms) continue;
    give_up(link, WHY_TIMEOUT, true);
    return; /* anything may have changed: the next run has the next */
  }
}
