/*
 * exchange_bench: an exchange between a client and origins that exist only as scripts.
 *
 * A worker is made without its thread and without sockets. The client is a stream of this file; so
 * are the origins, for this program defines what origin.c would (the linker takes origin.c from its
 * archive only when something is missing). A script moves them, the clock is the bench's, and what
 * the exchange does on both sides is written down:
 *
 *   script      "up head:200,data:hi,end"   what happens; one run of the exchange for each word
 *   transcript  "connect :1; send GET /; done; head 200; body hi; release clean; end; [responses]"
 */
#ifndef ADIT_TESTS_EXCHANGE_BENCH_H
#define ADIT_TESTS_EXCHANGE_BENCH_H

#include <errno.h>

#include "adit/log.h"
#include "gateway/exchange.h"
#include "gateway/origin.h"
#include "policy_bench.h"

enum { BENCH_START_MS = 5000000 };

/* What one side has to say: bytes of a body, and what comes behind them. */
struct bench_body {
  char bytes[64];
  size_t n, at;
  enum stream_read then;
};

struct bench_origin {
  struct origin_stream stream;
  struct target *target;
};

enum { BENCH_UPSTREAMS_MAX = 8 };

static struct bench {
  struct worker worker;
  struct breakers *breakers;
  unsigned busy[BENCH_UPSTREAMS_MAX]; /* places at each upstream that the script has taken */
  struct exchange *exchange;
  struct client_stream client;
  char transcript[4096];
  size_t n;
  char logged[512]; /* the last line */
  char request_id[64];

  struct bench_body request;
  bool memory_is_short;
  size_t client_room, origin_room;
  enum stream_write client_flush;

  unsigned refused; /* so many connects fail at once */
  unsigned idle;    /* idle connections to any target */
  struct bench_origin *origin;
  int heads[32]; /* statuses; 0 at the end */
  size_t head_at;
  enum origin_head no_head; /* when there is none */
  struct bench_body response;
} bench;

static inline void note(const char *format, ...) __attribute__((format(printf, 1, 2)));
static inline void note(const char *format, ...) {
  size_t room = sizeof(bench.transcript) - bench.n;
  va_list args;
  va_start(args, format);
  int n = vsnprintf(bench.transcript + bench.n, room, format, args);
  va_end(args);
  ck_assert_msg(n >= 0 && (size_t)n < room, "the transcript is too long: %s", bench.transcript);
  bench.n += (size_t)n;
}

void log_write(enum log_level level, const char *format, ...) {
  (void)level;
  va_list args;
  va_start(args, format);
  vsnprintf(bench.logged, sizeof(bench.logged), format, args);
  va_end(args);
}

static inline struct str field_of(const struct field_list *list, const char *name) {
  struct str value = {0};
  for (size_t i = 0; i < list->n; i++) {
    if (!str_eq_nocase(list->items[i].name, str_from_cstr(name))) continue;
    ck_assert_msg(!value.p, "'%s' twice", name);
    value = list->items[i].value;
  }
  return value;
}

static inline enum stream_read body_read(const struct bench_body *body, struct str *ret) {
  *ret = str_make(body->bytes + body->at, body->n - body->at);
  return body->at < body->n ? STREAM_READ_DATA : body->then;
}

static inline void body_consume(struct bench_body *body, size_t n) {
  ck_assert_uint_le(n, body->n - body->at);
  body->at += n;
}

/* ---- the client ------------------------------------------------------------------------------ */

static inline enum stream_read client_read_body(struct client_stream *stream, struct str *ret) {
  const enum stream_read result = body_read(&bench.request, ret);
  if (result == STREAM_READ_FAILED) stream->gone = !bench.memory_is_short;
  return result;
}

static inline void client_consume_body(struct client_stream *stream, size_t n) {
  (void)stream;
  body_consume(&bench.request, n);
}

static inline bool client_write_interim(struct client_stream *stream,
                                        const struct response_out *head) {
  (void)stream;
  note("interim %d; ", head->status);
  return !bench.memory_is_short;
}

static inline bool client_write_head(struct client_stream *stream,
                                     const struct response_out *head) {
  (void)stream;
  struct str decision = field_of(&head->fields, "X-Adit-Decision");
  note("head %d", head->status);
  if (head->close) note(" close");
  if (field_of(&head->fields, "Set-Cookie").p) note(" cookie");
  if (str_eq(field_of(&head->fields, "Cache-Control"), STR("private"))) note(" private");
  if (decision.p) note(" (%.*s)", STR_ARG(decision));
  note("; ");
  return !bench.memory_is_short;
}

static inline size_t client_write_body(struct client_stream *stream, struct str data) {
  (void)stream;
  struct str part = str_take(data, bench.client_room);
  bench.client_room -= part.n;
  struct str text = str_ends_with(part, STR("\n")) ? str_take(part, part.n - 1) : part;
  if (part.n > 0) note("body %.*s; ", STR_ARG(text));
  return part.n;
}

static inline enum stream_write client_flush(struct client_stream *stream) {
  if (bench.client_flush == STREAM_WRITE_FAILED) stream->gone = true;
  return bench.client_flush;
}

static inline void client_read_trailers(struct client_stream *stream, struct field_list *ret) {
  (void)stream;
  ret->n = 0;
}

static inline void client_end(struct client_stream *stream, const struct field_list *trailers) {
  (void)stream;
  ck_assert_uint_eq(trailers->n, 0);
  note("end; ");
}

static inline void client_begin_tunnel(struct client_stream *stream) {
  (void)stream;
  note("tunnel; ");
  bench.request.then = STREAM_READ_WAIT;
}

static inline bool client_end_writing(struct client_stream *stream) {
  (void)stream;
  note("ended; ");
  return true;
}

static inline void client_cut(struct client_stream *stream) {
  (void)stream;
  note("cut; ");
}

static const struct client_stream_operations bench_client_operations = {
    .read_body = client_read_body,
    .consume_body = client_consume_body,
    .read_trailers = client_read_trailers,
    .write_interim = client_write_interim,
    .write_head = client_write_head,
    .write_body = client_write_body,
    .flush = client_flush,
    .end = client_end,
    .cut = client_cut,
    .begin_tunnel = client_begin_tunnel,
    .end_writing = client_end_writing,
};

/* ---- origins --------------------------------------------------------------------------------- */

static inline bool origin_write_head(struct origin_stream *stream, const struct request_out *head) {
  (void)stream;
  struct str variant = field_of(&head->fields, "X-Adit-Variant");
  struct str id = field_of(&head->fields, "X-Request-Id");
  note("send %.*s %.*s to %.*s; ", STR_ARG(head->method), STR_ARG(head->target), STR_ARG(variant));
  if (bench.request_id[0] == '\0') (void)str_copy_to(id, bench.request_id, 64);
  ck_assert_view_eq(id, bench.request_id);
  return !bench.memory_is_short;
}

static inline size_t origin_write_body(struct origin_stream *stream, struct str data) {
  (void)stream;
  struct str part = str_take(data, bench.origin_room);
  bench.origin_room -= part.n;
  if (part.n > 0) note("put %.*s; ", STR_ARG(part));
  return part.n;
}

static inline bool origin_end_body(struct origin_stream *stream,
                                   const struct field_list *trailers) {
  (void)stream;
  ck_assert_uint_eq(trailers->n, 0);
  if (bench.origin_room == 0) return false;
  note("done; ");
  return true;
}

static inline enum stream_write origin_flush(struct origin_stream *stream) {
  if (stream->failed) return STREAM_WRITE_FAILED;
  return bench.origin_room == 0 ? STREAM_WRITE_WAIT : STREAM_WRITE_DONE;
}

static inline enum origin_head origin_read_head(struct origin_stream *stream,
                                                struct http_response *ret, const char **ret_why) {
  static char text[96];
  int status = bench.heads[bench.head_at], n = 0;
  if (status == 0) {
    *ret_why = "it rambles";
    return bench.no_head;
  }
  bench.head_at++;
  stream->received = true;
  n = snprintf(text, sizeof(text), "HTTP/1.1 %d x\r\n%s\r\n", status,
               status == 101  ? "Connection: upgrade\r\nUpgrade: x-mux\r\n"
               : status < 200 ? ""
                              : "Content-Length: 2\r\n");
  struct http_head_scan scan = {0};
  size_t used;
  ck_assert_int_eq(http_parse_response(str_make(text, (size_t)n), sizeof(text), HTTP_METHOD_GET,
                                       &scan, ret, &used, ret_why),
                   HTTP_PARSE_DONE);
  return ORIGIN_HEAD_DONE;
}

static inline enum stream_read origin_read_body(struct origin_stream *stream, struct str *ret) {
  (void)stream;
  return body_read(&bench.response, ret);
}

static inline void origin_consume_body(struct origin_stream *stream, size_t n) {
  (void)stream;
  body_consume(&bench.response, n);
}

static inline void origin_read_trailers(struct origin_stream *stream, struct field_list *ret) {
  (void)stream;
  ret->n = 0;
}

static inline void origin_begin_tunnel(struct origin_stream *stream) {
  (void)stream;
}

static inline bool origin_end_writing(struct origin_stream *stream) {
  (void)stream;
  note("put-ended; ");
  return true;
}

static inline void origin_release(struct origin_stream *stream, bool clean) {
  struct bench_origin *origin = (struct bench_origin *)(void *)stream;
  ck_assert_ptr_eq(origin, bench.origin);
  note("release%s; ", clean ? " clean" : "");
  target_unref(bench.worker.targets, &origin->target);
  free(origin);
  bench.origin = NULL;
}

static const struct origin_stream_operations bench_origin_operations = {
    .write_head = origin_write_head,
    .write_body = origin_write_body,
    .end_body = origin_end_body,
    .flush = origin_flush,
    .read_head = origin_read_head,
    .read_body = origin_read_body,
    .consume_body = origin_consume_body,
    .read_trailers = origin_read_trailers,
    .begin_tunnel = origin_begin_tunnel,
    .end_writing = origin_end_writing,
    .release = origin_release,
};

static inline struct origin_stream *origin_make(struct target *target, bool reused) {
  ck_assert_ptr_null(bench.origin);
  struct bench_origin *origin = calloc(1, sizeof(*origin));
  ck_assert_ptr_nonnull(origin);
  origin->stream = (struct origin_stream){
      .operations = &bench_origin_operations, .connected = reused, .reused = reused};
  origin->target = target;
  bench.origin = origin;
  bench.heads[0] = 0;
  bench.head_at = 0;
  bench.no_head = ORIGIN_HEAD_WAIT;
  bench.response = (struct bench_body){.then = STREAM_READ_WAIT};
  return &origin->stream;
}

struct origin_stream *origin_connect(struct exchange *exchange, struct target *target,
                                     int *ret_error) {
  (void)exchange;
  note("connect :%u; ", target->port);
  if (bench.refused == 0) return origin_make(target, false);
  bench.refused--;
  *ret_error = ECONNREFUSED;
  return NULL;
}

struct origin_stream *origin_reuse(struct exchange *exchange, struct target *target) {
  (void)exchange;
  if (bench.idle == 0) return NULL;
  bench.idle--;
  note("reuse :%u; ", target->port);
  target_ref(target);
  return origin_make(target, true);
}

/* None is ever idle, nor watched, here. */
void origin_close_idle(struct origin *origin) {
  ck_assert_ptr_null(origin);
}
void origin_handle_event(struct origin *origin, uint32_t events) {
  ck_assert_msg(!origin, "events %u", events);
}
void origin_free(struct origin *origin) {
  ck_assert_ptr_null(origin);
}

/* ---- what a script may say ------------------------------------------------------------------- */

static inline void body_add(struct bench_body *body, struct str bytes) {
  ck_assert_uint_le(bytes.n, sizeof(body->bytes) - body->n);
  memcpy(body->bytes + body->n, bytes.p, bytes.n);
  body->n += bytes.n;
}

static inline unsigned number(struct str text) {
  uint64_t value = 0;
  ck_assert_msg(str_to_u64(text, UINT32_MAX, &value), "'%.*s' is no number", STR_ARG(text));
  return (unsigned)value;
}

static inline void say_put(struct str text) {
  body_add(&bench.request, text);
}
static inline void say_put_end(struct str text) {
  (void)text;
  bench.request.then = STREAM_READ_END;
}
static inline void say_put_bad(struct str text) {
  (void)text;
  bench.request.then = STREAM_READ_BAD;
}
static inline void say_put_extensions(struct str text) {
  (void)text;
  bench.request.then = STREAM_READ_LONG_EXTENSIONS;
}
static inline void say_put_trailers(struct str text) {
  (void)text;
  bench.request.then = STREAM_READ_LONG_TRAILERS;
}
static inline void say_put_slow(struct str text) {
  (void)text;
  bench.request.then = STREAM_READ_SLOW;
}
static inline void say_put_failed(struct str text) {
  (void)text;
  bench.request.then = STREAM_READ_FAILED;
}
static inline void say_full(struct str text) {
  bench.client_room = number(text);
  bench.client_flush = STREAM_WRITE_WAIT;
}
static inline void say_drained(struct str text) {
  (void)text;
  bench.client_room = SIZE_MAX;
  bench.client_flush = STREAM_WRITE_DONE;
}
static inline void say_gone(struct str text) {
  (void)text;
  bench.client_room = 0;
  bench.client_flush = STREAM_WRITE_FAILED;
}
static inline void say_short(struct str text) {
  (void)text;
  bench.memory_is_short = true;
}
static inline void say_refused(struct str text) {
  bench.refused = number(text);
}
static inline void say_idle(struct str text) {
  bench.idle = number(text);
}
static inline void say_up(struct str text) {
  (void)text;
  bench.origin->stream.connected = true;
}
static inline void say_down(struct str text) {
  (void)text;
  bench.origin->stream.failed = true;
  bench.origin->stream.error = ECONNREFUSED;
}
static inline void say_head(struct str text) {
  size_t n = 0;
  while (bench.heads[n] != 0) n++;
  ck_assert_uint_lt(n + 1, sizeof(bench.heads) / sizeof(*bench.heads));
  bench.heads[n] = (int)number(text);
  bench.heads[n + 1] = 0;
}
static inline void say_bad_head(struct str text) {
  (void)text;
  bench.no_head = ORIGIN_HEAD_BAD;
}
static inline void say_closed(struct str text) {
  (void)text;
  bench.no_head = ORIGIN_HEAD_CLOSED;
}
static inline void say_half_head(struct str text) { /* some bytes of one */
  (void)text;
  bench.origin->stream.received = bench.origin->stream.head_begun = true;
}
static inline void say_data(struct str text) {
  body_add(&bench.response, text);
}
static inline void say_end(struct str text) {
  (void)text;
  bench.response.then = STREAM_READ_END;
}
static inline void say_bad(struct str text) {
  (void)text;
  bench.response.then = STREAM_READ_BAD;
}
static inline void say_failed(struct str text) {
  (void)text;
  bench.response.then = STREAM_READ_FAILED;
}
static inline void say_origin_full(struct str text) {
  bench.origin_room = number(text);
}
static inline void say_origin_drained(struct str text) {
  (void)text;
  bench.origin_room = SIZE_MAX;
}
static inline void say_origin_write_failed(struct str text) {
  (void)text;
  bench.origin->stream.failed = true;
  bench.origin->stream.error = EPIPE;
}

/* Requests of others come and go: "busy:canary", "free:canary". */
static inline struct breaker *breaker_named(struct str name, unsigned **ret_busy) {
  const struct worker_policy *policy = bench.worker.policy;
  const size_t i = config_find_upstream(policy_config(policy->policy), name);
  ck_assert_msg(i < BENCH_UPSTREAMS_MAX && policy->breakers[i], "'%.*s'", STR_ARG(name));
  *ret_busy = &bench.busy[i];
  return policy->breakers[i];
}
static inline void say_busy(struct str text) {
  unsigned *busy;
  struct breaker *breaker = breaker_named(text, &busy);
  ck_assert_int_eq(breaker_enter(breaker, BREAKER_REQUESTS, NULL, NULL), BREAKER_PASSED);
  ++*busy;
}
static inline void say_free(struct str text) {
  unsigned *busy;
  breaker_leave(breaker_named(text, &busy), BREAKER_REQUESTS);
  --*busy;
}

static const struct {
  const char *word;
  void (*say)(struct str text);
} bench_words[] = {
    /* the client: its body, its room, its memory */
    {"put", say_put},
    {"put-end", say_put_end},
    {"put-bad", say_put_bad},
    {"put-extensions", say_put_extensions},
    {"put-trailers", say_put_trailers},
    {"put-slow", say_put_slow},
    {"put-failed", say_put_failed},
    {"full", say_full},
    {"drained", say_drained},
    {"gone", say_gone},
    {"short", say_short},
    /* the way to an origin */
    {"refused", say_refused},
    {"idle", say_idle},
    {"busy", say_busy},
    {"up", say_up},
    {"down", say_down},
    /* the origin: its head, its body, its room */
    {"head", say_head},
    {"bad-head", say_bad_head},
    {"closed", say_closed},
    {"half-head", say_half_head},
    {"data", say_data},
    {"end", say_end},
    {"bad", say_bad},
    {"failed", say_failed},
    {"origin-full", say_origin_full},
    {"origin-drained", say_origin_drained},
    {"origin-write-failed", say_origin_write_failed},
};

static inline void say_one(struct str one) {
  size_t colon = str_find_char(one, ':', 0);
  struct str word = str_take(one, colon);
  for (size_t i = 0; i < sizeof(bench_words) / sizeof(*bench_words); i++) {
    if (!str_eq(word, str_from_cstr(bench_words[i].word))) continue;
    bench_words[i].say(str_skip(one, colon + 1));
    return;
  }
  ck_abort_msg("the bench does not know '%.*s'", STR_ARG(one));
}

static inline void say_all(struct str group) {
  struct str one;
  while (group.n > 0 && str_split_next(&group, ',', &one)) say_one(one);
}

static inline bool bench_is_over(void) {
  return bench.worker.spare_exchange_count == 1;
}

/* One word of a script. "+2000": so many milliseconds go by. "leaves": the client closes.
 * "free:shop": a place of an upstream is given back; with "at-last:shop" the worker has not looked
 * yet what came of it. */
static inline void bench_step(struct str word) {
  ck_assert_msg(!bench_is_over(), "'%.*s' after the end: %s", STR_ARG(word), bench.transcript);
  if (str_starts_with(word, STR("+"))) {
    bench.worker.now_ms += number(str_skip(word, 1));
    timer_wheel_advance(&bench.worker.timers, bench.worker.now_ms);
  } else if (str_eq(word, STR("leaves"))) {
    exchange_abandon(bench.exchange);
  } else if (str_starts_with(word, STR("free:"))) {
    say_free(str_skip(word, 5));
    exchange_queue_turn(&bench.worker);
  } else if (str_starts_with(word, STR("at-last:"))) {
    say_free(str_skip(word, 8));
  } else {
    say_all(word);
    exchange_run(bench.exchange);
  }
}

/* ---- life ------------------------------------------------------------------------------------ */

static inline void bench_begin(struct policy *policy, const char *peer) {
  memset(&bench, 0, sizeof(bench));
  bench.breakers = breakers_new();
  const struct worker_shared shared = {.breakers = bench.breakers};
  ck_assert(bench.breakers && worker_init(&bench.worker, 0, policy, &shared, NULL, 0, 16));
  bench.worker.now_ms = BENCH_START_MS;
  timer_wheel_init(&bench.worker.timers, BENCH_START_MS);
  bench.client = (struct client_stream){.operations = &bench_client_operations};
  ck_assert(ip_parse(str_from_cstr(peer), &bench.client.peer));
  bench.request.then = STREAM_READ_WAIT;
  bench.client_room = bench.origin_room = SIZE_MAX;
}

/* Parses `lines` and starts; then the script. */
static inline void bench_play(const char *lines, const char *before, const char *script) {
  static char text[4096];
  struct http_head_scan scan = {0};
  size_t used;
  const char *why = "";
  int n = snprintf(text, sizeof(text), "%s\r\n", lines);
  const struct http_limits limits = http_limits_usual(sizeof(text));
  bench.exchange = exchange_acquire(&bench.worker);
  ck_assert_ptr_nonnull(bench.exchange);
  enum http_parse outcome = http_parse_request(str_make(text, (size_t)n), &limits, &scan,
                                               &bench.exchange->request, &used, &why);
  ck_assert_msg(outcome == HTTP_PARSE_DONE, "%s: %s", lines, why);
  say_all(str_from_cstr(before));
  exchange_start(bench.exchange, &bench.worker, &bench.client);
  struct str rest = str_from_cstr(script), word;
  while (rest.n > 0 && str_split_next(&rest, ' ', &word)) bench_step(word);
}

/* What was counted, behind the transcript: "[answers retries]", with "=N" where it is not 1. */
static inline void bench_note_counters(void) {
  const char *separator = "[";
#define X(name, meaning)                                                 \
  {                                                                      \
    unsigned value = (unsigned)atomic_load(&bench.worker.counters.name); \
    if (value > 0) {                                                     \
      note("%s%s", separator, #name);                                    \
      if (value > 1) note("=%u", value);                                 \
      separator = " ";                                                   \
    }                                                                    \
  }
  COUNTERS(X)
#undef X
  note("%s", *separator == '[' ? "[]" : "]");
}

/* The exchange has no place at any upstream any more, nor waits for one. */
static inline void bench_expect_places(const char *name) {
  const struct worker_policy *policy = bench.worker.policy;
  for (size_t i = 0; i < policy->pool_count; i++) {
    if (!policy->breakers[i]) continue;
    for (; bench.busy[i] > 0; bench.busy[i]--) breaker_leave(policy->breakers[i], BREAKER_REQUESTS);
    for (unsigned gate = 0; gate < BREAKER_GATES; gate++) {
      const struct breaker_load load = breaker_load(policy->breakers[i], gate);
      ck_assert_msg(load.used == 0 && load.waiting == 0, "%s: a place is left", name);
    }
  }
  ck_assert_msg(!breaker_party_has_news(&bench.worker.party), "%s: a waiter is left", name);
}

/* Everything was given back: memory, the origin, the timer, places, the policy. */
static inline void bench_end(const char *name) {
  ck_assert_msg(bench_is_over(), "%s: not over: %s", name, bench.transcript);
  ck_assert_msg(!bench.origin, "%s: an origin is left", name);
  ck_assert_msg(timer_wheel_wait(&bench.worker.timers, bench.worker.now_ms) == -1,
                "%s: a timer is left", name);
  bench_expect_places(name);
  ck_assert_msg(bench.worker.policy->refs == 1, "%s: a policy is left", name);
  worker_deinit(&bench.worker);
  breakers_free(&bench.breakers);
}

#endif
