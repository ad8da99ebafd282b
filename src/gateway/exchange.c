/*
 * exchange: one request's life.
 *
 *   spares       memory
 *   decide       who is asking, which variant; what is refused
 *   pick         endpoints in turn, idle connections first, stable in the end
 *   request      head and body to the origin
 *   response     head and body to the client
 *   answer       our own words
 *   machine      the table of steps and the loop over them
 *
 * A step returns STEP_NEXT after it has set another state, STEP_WAIT when a stream or the timer
 * must move first. Only exchange_finish() frees.
 */
#include "exchange.h"

#include <assert.h>
#include <errno.h>
#include <stdlib.h>

#include "adit/log.h"
#include "forward.h"
#include "origin.h"
#include "protected.h"

enum { SPARE_EXCHANGES_MAX = 1024 };

enum step { STEP_NEXT, STEP_WAIT };

static const struct config *config_of(const struct exchange *exchange) {
  return policy_config(exchange->policy->policy);
}

static struct counters *counters_of(const struct exchange *exchange) {
  return &exchange->worker->counters;
}

/* ---- spares ---------------------------------------------------------------------------------- */

struct exchange *exchange_acquire(struct worker *worker) {
  struct exchange *exchange = worker->spare_exchanges;
  if (!exchange) return malloc(sizeof(struct exchange));
  worker->spare_exchanges = exchange->next_spare;
  worker->spare_exchange_count--;
  return exchange;
}

void exchange_release(struct worker *worker, struct exchange *exchange) {
  if (worker->spare_exchange_count >= SPARE_EXCHANGES_MAX) {
    free(exchange);
    return;
  }
  exchange->next_spare = worker->spare_exchanges;
  worker->spare_exchanges = exchange;
  worker->spare_exchange_count++;
}

static void exchange_fire(struct timer *timer) {
  struct exchange *exchange =
      (struct exchange *)(void *)((char *)timer - offsetof(struct exchange, timer));
  exchange->timed_out = true;
  exchange_run(exchange);
}

static void wait_at_most(struct exchange *exchange, int64_t ms) {
  exchange->timed_out = false;
  timer_set(&exchange->worker->timers, &exchange->timer, exchange->worker->now_ms + ms);
}

static void wait_no_more(struct exchange *exchange) {
  timer_stop(&exchange->worker->timers, &exchange->timer);
  exchange->timed_out = false;
}

static void origin_drop(struct exchange *exchange, bool clean) {
  if (exchange->origin) exchange->origin->operations->release(exchange->origin, clean);
  exchange->origin = NULL;
  wait_no_more(exchange);
}

static void exchange_finish(struct exchange *exchange) {
  struct worker *worker = exchange->worker;
  origin_drop(exchange, false);
  worker_policy_unref(worker, &exchange->policy);
  exchange_release(worker, exchange);
}

/* ---- answers of our own ---------------------------------------------------------------------- */

/* Ends the exchange with a response of our own, or by a cut when another has begun. */
static enum step answer(struct exchange *exchange, int status, struct str why) {
  struct worker *worker = exchange->worker;
  struct client_stream *client = exchange->client;
  origin_drop(exchange, false);
  exchange->state = EXCHANGE_OVER;
  if (exchange->response_begun) {
    COUNT(counters_of(exchange), cut);
    client->operations->cut(client);
    return STEP_NEXT;
  }
  COUNT(counters_of(exchange), answers);
  struct scratch scratch = {.p = worker->scratch, .capacity = worker->scratch_bytes};
  struct str body;
  /* What is malformed may be misunderstood in what follows it, and an unread body stands in the
   * way. */
  bool close = status == 400 || !exchange->request_read;
  forward_answer(status, why, close, worker_date(worker), &scratch, worker->response_out, &body);
  if (!client->operations->write_head(client, worker->response_out)) {
    client->operations->cut(client);
    return STEP_NEXT;
  }
  exchange->response_begun = true;
  if (exchange->request.method_id != HTTP_METHOD_HEAD)
    (void)client->operations->write_body(client, body);
  client->operations->end(client);
  return STEP_NEXT;
}

static enum step answer_and_log(struct exchange *exchange, int status, const char *why) {
  char buffer[48];
  struct str peer = ip_format(&exchange->client_ip, buffer, sizeof(buffer));
  worker_log_peer(exchange->worker, "%d to %.*s: %s", status, STR_ARG(peer), why);
  return answer(exchange, status, str_from_cstr(why));
}

/* ---- decide ---------------------------------------------------------------------------------- */

static bool random_bytes(void *context, void *ret, size_t n) {
  struct worker *worker = context;
  unsigned char *at = ret;
  for (size_t i = 0; i < n; i += 8) {
    uint64_t word = worker_random(worker);
    memcpy(at + i, &word, n - i < 8 ? n - i : 8);
  }
  return true;
}

/* The host as rules see it: lower case, without a trailing dot. */
static struct str lower_host(struct scratch *scratch, struct str host) {
  struct str copy = scratch_join(scratch, &host, 1);
  char *at = scratch->p + scratch->used - copy.n;
  for (size_t i = 0; i < copy.n; i++) at[i] = ascii_lower(at[i]);
  return copy;
}

/* Fills what is asked. False: the path cannot be normalised. */
static bool question(struct exchange *exchange, struct scratch *scratch,
                     struct decide_request *ret) {
  struct http_request *request = &exchange->request;
  struct worker *worker = exchange->worker;
  struct str path;
  char *path_scratch = scratch->p + scratch->used;
  if (request->raw_path.n > scratch->capacity - scratch->used) return false;
  if (!http_path_normalise(request->raw_path, path_scratch, &path)) return false;
  scratch->used += request->raw_path.n;
  *ret = (struct decide_request){
      .attr = {.method = request->method,
               .scheme = exchange->https ? STR("https") : STR("http"),
               .host = lower_host(scratch, request->host),
               .path = path,
               .query = request->query,
               .client_ip = exchange->client_ip,
               .trusted = exchange->trusted,
               .now_ms = worker->now_wall_ms,
               .fields = request->fields,
               .field_count = request->field_count},
      .draw = true,
      .random = random_bytes,
      .random_context = worker,
  };
  return true;
}

static void note_decision(struct exchange *exchange) {
  struct decision *decision = &exchange->decision;
  struct counters *counters = counters_of(exchange);
  if (decision->reason == REASON_LIMIT) COUNT(counters, limits);
  if (decision->reason == REASON_FORCED) COUNT(counters, forced);
  if (decision->reason == REASON_PINNED) COUNT(counters, pinned);
  for (unsigned i = 0; i < decision->cookies_refused; i++) COUNT(counters, cookies_refused);
  if (!decision->set_cookie.p) return;
  /* The decider's memory is the next request's: the exchange keeps a copy. */
  if (decision->set_cookie.n > sizeof(exchange->set_cookie)) {
    decision->set_cookie = (struct str){0};
    return;
  }
  memcpy(exchange->set_cookie, decision->set_cookie.p, decision->set_cookie.n);
  decision->set_cookie.p = exchange->set_cookie;
  COUNT(counters, cookies_set);
}

static bool is_too_large(const struct exchange *exchange, uint64_t bytes) {
  uint64_t limit = config_of(exchange)->limits.body_bytes;
  return limit != 0 && bytes > limit;
}

static enum step step_decide(struct exchange *exchange) {
  struct worker *worker = exchange->worker;
  struct http_request *request = &exchange->request;
  const struct config *config = config_of(exchange);
  const struct ip_address *peer = &exchange->client->peer;
  exchange->request_read = request->body == HTTP_BODY_NONE ||
                           (request->body == HTTP_BODY_LENGTH && request->content_length == 0);
  exchange->trusted = config_trusts(config, peer);
  exchange->client_ip = exchange->trusted ? forward_client_ip(config, request, peer) : *peer;
  exchange->https = forward_is_https(request, exchange->client->secure, exchange->trusted);
  if (request->method_id == HTTP_METHOD_CONNECT)
    return answer_and_log(exchange, 405, "CONNECT is not offered here");
  if (request->body == HTTP_BODY_LENGTH && is_too_large(exchange, request->content_length))
    return answer_and_log(exchange, 413, "the request's body is over the limit");
  forward_remove_hop_by_hop(request, protected_names_hold, exchange->policy->protected_names);
  struct scratch scratch = {.p = worker->scratch, .capacity = worker->scratch_bytes};
  struct decide_request asked;
  if (!question(exchange, &scratch, &asked))
    return answer_and_log(exchange, 400, "the path is malformed or leads above the root");
  decide(exchange->policy->decider, &asked, &exchange->decision, NULL, NULL);
  if (!exchange->decision.route)
    return answer(exchange, 404, STR("no route for this host and path"));
  note_decision(exchange);
  exchange->state = EXCHANGE_PICK;
  return STEP_NEXT;
}

/* ---- pick ------------------------------------------------------------------------------------ */

static bool has_stable_left(const struct exchange *exchange) {
  const struct decision *decision = &exchange->decision;
  return decision->variant != decision->route->stable && decision->reason != REASON_FORCED;
}

static void log_unreachable(struct exchange *exchange, struct target *target, int error) {
  struct worker *worker = exchange->worker;
  COUNT(counters_of(exchange), connect_failures);
  if (target->logged_until_ms > worker->now_ms) return;
  target->logged_until_ms = worker->now_ms + 1000;
  const struct route *route = exchange->decision.route;
  struct str variant = route->variants[exchange->decision.variant].name;
  log_write(LOG_WARNING, "route '%.*s', variant '%.*s': endpoint %s: %s%s", STR_ARG(route->name),
            STR_ARG(variant), target->text, strerror(error),
            has_stable_left(exchange) ? "; its users get stable when no endpoint accepts" : "");
}

/* No endpoint is left to be tried. */
static enum step out_of_endpoints(struct exchange *exchange) {
  struct decision *decision = &exchange->decision;
  if (has_stable_left(exchange)) {
    COUNT(counters_of(exchange), failovers);
    decision->variant = decision->route->stable;
    decision->reason = REASON_FAILOVER;
    decision->set_cookie = (struct str){0};
    decision->private_response = false;
    exchange->attempt = (struct pool_attempt){0};
    exchange->connect_error = 0;
    return STEP_NEXT;
  }
  if (decision->reason == REASON_FORCED && decision->variant != decision->route->stable)
    return answer(exchange, 503, STR("no endpoint of the forced variant is reachable"));
  if (exchange->connect_error == 0)
    return answer(exchange, 503, STR("the service has no endpoint"));
  if (exchange->connect_error == ETIMEDOUT)
    return answer(exchange, 504, STR("the service did not accept a connection in time"));
  return answer(exchange, 502, STR("the service refused the connection"));
}

static void connect_failed(struct exchange *exchange, struct target *target, int error) {
  exchange->connect_error = error;
  log_unreachable(exchange, target, error);
}

static enum step step_pick(struct exchange *exchange) {
  struct worker *worker = exchange->worker;
  const struct decision *decision = &exchange->decision;
  size_t upstream = policy_upstream(exchange->policy->policy, decision->route, decision->variant);
  struct pool *pool = exchange->policy->pools[upstream];
  struct target *target =
      pool_next(pool, &exchange->attempt, worker->now_ms, !has_stable_left(exchange));
  if (!target) return out_of_endpoints(exchange);
  exchange->head_sent = false;
  exchange->request_sent = false;
  if (!exchange->only_fresh) {
    exchange->origin = origin_reuse(exchange, target);
    if (exchange->origin) {
      target_unref(worker->targets, &target); /* the connection holds its own */
      exchange->state = EXCHANGE_REQUEST;
      return STEP_NEXT;
    }
  }
  int error = 0;
  exchange->origin = origin_connect(exchange, target, &error);
  if (!exchange->origin) {
    connect_failed(exchange, target, error);
    target_unref(worker->targets, &target);
    return STEP_NEXT;
  }
  exchange->target = target;
  wait_at_most(exchange, pool_config(pool)->connect_timeout_ms);
  exchange->state = EXCHANGE_CONNECT;
  return STEP_NEXT;
}

static enum step step_connect(struct exchange *exchange) {
  const struct origin_stream *origin = exchange->origin;
  if (origin->connected) {
    wait_no_more(exchange);
    exchange->state = EXCHANGE_REQUEST;
    return STEP_NEXT;
  }
  if (!origin->failed && !exchange->timed_out) return STEP_WAIT;
  if (exchange->timed_out) target_note_timeout(exchange->target, exchange->worker->now_ms);
  connect_failed(exchange, exchange->target, exchange->timed_out ? ETIMEDOUT : origin->error);
  origin_drop(exchange, false);
  exchange->state = EXCHANGE_PICK;
  return STEP_NEXT;
}

/* ---- request --------------------------------------------------------------------------------- */

/* One id for all attempts: an origin that sees the request twice can tell that it is the same. */
static struct str request_id(struct exchange *exchange) {
  static const char hex[] = "0123456789abcdef";
  char *id = exchange->request_id;
  for (int half = 0; half < 2 && !exchange->retried; half++) {
    uint64_t word = worker_random(exchange->worker);
    for (int i = 0; i < 16; i++, word >>= 4) id[half * 16 + i] = hex[word & 15];
  }
  return str_make(id, sizeof(exchange->request_id));
}

static bool send_head(struct exchange *exchange) {
  struct worker *worker = exchange->worker;
  const struct decision *decision = &exchange->decision;
  struct scratch scratch = {.p = worker->scratch, .capacity = worker->scratch_bytes};
  struct forward_request_input input = {
      .request = &exchange->request,
      .config = config_of(exchange),
      .peer = &exchange->client->peer,
      .trusted = exchange->trusted,
      .secure = exchange->client->secure,
      .variant = decision->route->variants[decision->variant].name,
      .rule = decision->rule ? decision->rule->id : (struct str){0},
      .request_id = request_id(exchange),
  };
  forward_request(&input, &scratch, worker->request_out);
  if (scratch.failed) return false;
  exchange->head_sent = true;
  return exchange->origin->operations->write_head(exchange->origin, worker->request_out);
}

static int64_t first_byte_timeout_ms(const struct exchange *exchange) {
  const struct decision *decision = &exchange->decision;
  size_t upstream = policy_upstream(exchange->policy->policy, decision->route, decision->variant);
  return config_of(exchange)->upstreams[upstream].timeout_ms;
}

enum pump {
  PUMP_DONE,
  PUMP_AWAITS_CLIENT,
  PUMP_AWAITS_ORIGIN,
  PUMP_ENDED /* the exchange was ended here */
};

static enum pump request_body_failed(struct exchange *exchange, enum stream_read why) {
  if (why == STREAM_READ_SLOW)
    (void)answer_and_log(exchange, 408, "the request's body did not arrive in time");
  else
    (void)answer_and_log(exchange, 400, "the request's body is malformed or was cut off");
  return PUMP_ENDED;
}

/* Moves what the client has sent to the origin, as far as both go. */
static enum pump pump_request(struct exchange *exchange) {
  struct client_stream *client = exchange->client;
  struct origin_stream *origin = exchange->origin;
  while (!exchange->request_sent) {
    struct str data;
    enum stream_read result =
        exchange->request_read ? STREAM_READ_END : client->operations->read_body(client, &data);
    if (result == STREAM_READ_WAIT) {
      (void)origin->operations->flush(origin);
      return PUMP_AWAITS_CLIENT;
    }
    if (result == STREAM_READ_END) {
      exchange->request_read = true;
      if (!origin->operations->end_body(origin)) break;
      exchange->request_sent = true;
      break;
    }
    if (result != STREAM_READ_DATA) return request_body_failed(exchange, result);
    size_t taken = origin->operations->write_body(origin, data);
    client->operations->consume_body(client, taken);
    exchange->body_bytes += taken;
    if (is_too_large(exchange, exchange->body_bytes)) {
      (void)answer_and_log(exchange, 413, "the request's body is over the limit");
      return PUMP_ENDED;
    }
    /* Progress of an upload moves the wait for a first byte of the response. */
    if (taken > 0 && !exchange->response_begun) wait_no_more(exchange);
    if (taken == data.n) continue;
    if (origin->operations->flush(origin) != STREAM_WRITE_DONE) return PUMP_AWAITS_ORIGIN;
  }
  enum stream_write flushed = origin->operations->flush(origin);
  return exchange->request_sent && flushed == STREAM_WRITE_DONE ? PUMP_DONE : PUMP_AWAITS_ORIGIN;
}

/* Whether the request may be sent once more (contract §5): nothing of it can have been processed.
 */
static bool may_retry(struct exchange *exchange) {
  const struct origin_stream *origin = exchange->origin;
  return origin->reused && !origin->received && !exchange->retried && !exchange->response_begun &&
         http_method_is_idempotent(exchange->request.method_id) &&
         exchange->client->operations->rewind_body(exchange->client);
}

static enum step origin_closed(struct exchange *exchange) {
  if (may_retry(exchange)) {
    COUNT(counters_of(exchange), retries);
    exchange->retried = true;
    exchange->only_fresh = true;
    exchange->request_read = exchange->request.body == HTTP_BODY_NONE;
    exchange->body_bytes = 0;
    exchange->attempt = (struct pool_attempt){0};
    origin_drop(exchange, false);
    exchange->state = EXCHANGE_PICK;
    return STEP_NEXT;
  }
  COUNT(counters_of(exchange), bad_responses);
  return answer_and_log(exchange, 502, "the service closed the connection without a response");
}

static enum step bad_response(struct exchange *exchange, const char *why) {
  struct str parts[] = {STR("the service sent a bad response: "), str_from_cstr(why)};
  char message[200];
  struct scratch scratch = {.p = message, .capacity = sizeof(message) - 1};
  struct str text = scratch_join(&scratch, parts, 2);
  message[text.n] = '\0';
  COUNT(counters_of(exchange), bad_responses);
  return answer_and_log(exchange, 502, message);
}

static enum step begin_response(struct exchange *exchange);

static enum step interim_response(struct exchange *exchange) {
  struct worker *worker = exchange->worker;
  struct client_stream *client = exchange->client;
  if (exchange->response.status == 101) return bad_response(exchange, "101 that nobody asked for");
  if (++exchange->interims > INTERIM_MAX)
    return bad_response(exchange, "too many interim responses");
  if (exchange->request.version_minor == 0) return STEP_NEXT; /* RFC 9110 15.2 */
  forward_interim(&exchange->response, worker->response_out);
  if (!client->operations->write_interim(client, worker->response_out) ||
      client->operations->flush(client) == STREAM_WRITE_FAILED)
    return answer(exchange, 503, STR("out of memory"));
  return STEP_NEXT;
}

/* The clock for the first byte runs while the origin is waited for, and not while a client takes
 * its time to send (unless the origin was asked first whether it should). */
static void watch_first_byte(struct exchange *exchange, enum pump pumped) {
  bool asked_first = exchange->request.expect_continue && exchange->body_bytes == 0;
  if (pumped == PUMP_AWAITS_CLIENT && !asked_first)
    wait_no_more(exchange);
  else if (!exchange->timer.next)
    wait_at_most(exchange, first_byte_timeout_ms(exchange));
}

static enum step step_request(struct exchange *exchange) {
  if (!exchange->head_sent && !send_head(exchange))
    return answer(exchange, 503, STR("out of memory"));
  enum pump pumped = pump_request(exchange);
  if (pumped == PUMP_ENDED) return STEP_NEXT;
  struct origin_stream *origin = exchange->origin;
  const char *why = "";
  switch (origin->operations->read_head(origin, &exchange->response, &why)) {
    case ORIGIN_HEAD_DONE:
      return exchange->response.status < 200 ? interim_response(exchange)
                                             : begin_response(exchange);
    case ORIGIN_HEAD_WAIT:
      break;
    case ORIGIN_HEAD_BAD:
      return bad_response(exchange, why);
    case ORIGIN_HEAD_CLOSED:
      return origin_closed(exchange);
  }
  if (exchange->timed_out)
    return answer_and_log(exchange, 504, "the service did not respond in time");
  watch_first_byte(exchange, pumped);
  return STEP_WAIT;
}

/* ---- response -------------------------------------------------------------------------------- */

static enum step begin_response(struct exchange *exchange) {
  struct worker *worker = exchange->worker;
  const struct decision *decision = &exchange->decision;
  struct scratch scratch = {.p = worker->scratch, .capacity = worker->scratch_bytes};
  struct forward_response_input input = {
      .request = &exchange->request,
      .response = &exchange->response,
      .route = decision->route,
      .variant = decision->route->variants[decision->variant].name,
      .reason = str_from_cstr(decide_reason_name(decision->reason)),
      .set_cookie = decision->set_cookie,
      .private_response = decision->private_response,
      .expose_decision = decision->route->expose_decision || decision->reason == REASON_FORCED,
      .date = worker_date(worker),
  };
  forward_response(&input, &scratch, worker->response_out);
  /* A response to a request that is not complete: what is still to come may never be wanted. */
  worker->response_out->close = !exchange->request_read;
  if (scratch.failed ||
      !exchange->client->operations->write_head(exchange->client, worker->response_out))
    return answer(exchange, 503, STR("out of memory"));
  exchange->response_begun = true;
  wait_no_more(exchange);
  exchange->state = EXCHANGE_RESPONSE;
  return STEP_NEXT;
}

/* The response cannot be completed. */
static enum step cut(struct exchange *exchange, const char *why) {
  if (why) {
    const struct route *route = exchange->decision.route;
    worker_log_peer(exchange->worker, "route '%.*s': response cut: %s", STR_ARG(route->name), why);
  }
  return answer(exchange, 502, STR(""));
}

static enum step complete(struct exchange *exchange) {
  struct client_stream *client = exchange->client;
  origin_drop(exchange, exchange->request_sent);
  exchange->state = EXCHANGE_OVER;
  COUNT(counters_of(exchange), responses);
  client->operations->end(client);
  return STEP_NEXT;
}

/* Waits for the origin; an upload that is still under way goes on. */
static enum step await_origin(struct exchange *exchange) {
  if (exchange->client->operations->flush(exchange->client) == STREAM_WRITE_FAILED)
    return cut(exchange, NULL);
  if (exchange->timed_out) return cut(exchange, "the service sent nothing more for too long");
  if (!exchange->request_sent && pump_request(exchange) == PUMP_ENDED) return STEP_NEXT;
  if (!exchange->timer.next) wait_at_most(exchange, config_of(exchange)->timeouts.body_ms);
  return STEP_WAIT;
}

static enum step step_response(struct exchange *exchange) {
  struct origin_stream *origin = exchange->origin;
  struct client_stream *client = exchange->client;
  for (;;) {
    struct str data;
    switch (origin->operations->read_body(origin, &data)) {
      case STREAM_READ_DATA:
        break;
      case STREAM_READ_WAIT:
        return await_origin(exchange);
      case STREAM_READ_END:
        return complete(exchange);
      case STREAM_READ_BAD:
        return cut(exchange, "the service broke off or broke the protocol in mid-body");
      case STREAM_READ_SLOW:
      case STREAM_READ_FAILED:
        return cut(exchange, "the connection to the service broke in mid-body");
    }
    /* The origin's clock stands still while the client is the slow one. */
    wait_no_more(exchange);
    size_t taken = client->operations->write_body(client, data);
    origin->operations->consume_body(origin, taken);
    if (taken == data.n) continue;
    enum stream_write flushed = client->operations->flush(client);
    if (flushed == STREAM_WRITE_FAILED) return cut(exchange, NULL);
    if (flushed == STREAM_WRITE_DONE) continue;
    if (!exchange->request_sent && pump_request(exchange) == PUMP_ENDED) return STEP_NEXT;
    return STEP_WAIT;
  }
}

/* ---- machine --------------------------------------------------------------------------------- */

static enum step step_over(struct exchange *exchange) {
  (void)exchange;
  return STEP_WAIT;
}

static enum step (*const steps[])(struct exchange *exchange) = {
    [EXCHANGE_DECIDE] = step_decide,     [EXCHANGE_PICK] = step_pick,
    [EXCHANGE_CONNECT] = step_connect,   [EXCHANGE_REQUEST] = step_request,
    [EXCHANGE_RESPONSE] = step_response, [EXCHANGE_OVER] = step_over,
};

void exchange_run(struct exchange *exchange) {
  while (exchange->state != EXCHANGE_OVER) {
    if (steps[exchange->state](exchange) == STEP_WAIT) return;
  }
  exchange_finish(exchange);
}

void exchange_start(struct exchange *exchange, struct worker *worker,
                    struct client_stream *client) {
  memset(exchange, 0, offsetof(struct exchange, request));
  exchange->worker = worker;
  exchange->client = client;
  exchange->policy = worker->policy;
  exchange->policy->refs++;
  timer_init(&exchange->timer, exchange_fire);
  exchange_run(exchange);
}

void exchange_abandon(struct exchange *exchange) {
  exchange_finish(exchange);
}
