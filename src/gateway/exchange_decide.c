/*
 * exchange_decide: who is asking, which variant; what is refused before any origin hears of it.
 */
#include "adit/crypto.h"
#include "adit/units.h"
#include "exchange_steps.h"
#include "forward.h"
#include "tokens.h"
#include "upgrade.h"

/* For anonymous ids, which nobody shall guess. */
static bool random_bytes(void *context, void *ret, size_t n) {
  (void)context;
  return crypto_random(ret, n);
}

/* The host as rules see it: lower case, without a trailing dot. */
static struct str lower_host(struct scratch *scratch, struct str host) {
  struct str copy = scratch_join(scratch, &host, 1);
  char *at = scratch->p + scratch->used - copy.n;
  for (size_t i = 0; i < copy.n; i++) at[i] = ascii_lower(at[i]);
  return copy;
}

/* The path in all its readings. False: it cannot be normalised. */
static bool read_path(struct str raw, struct scratch *scratch, struct attr_request *ret) {
  const size_t need = (1 + HTTP_PATH_OTHERS_MAX) * raw.n;
  char *at = scratch->p + scratch->used;
  if (need > scratch->capacity - scratch->used) return false;
  scratch->used += need;
  return http_path_normalise(raw, at, &ret->path) &&
         http_path_other_readings(raw, at + raw.n, ret->other_paths, &ret->other_path_count);
}

bool exchange_question(struct exchange *exchange, struct scratch *scratch,
                       struct decide_request *ret) {
  struct http_request *request = &exchange->request;
  struct worker *worker = exchange->worker;
  *ret = (struct decide_request){
      .attr = {.method = request->method,
               .scheme = exchange->https ? STR("https") : STR("http"),
               .host = lower_host(scratch, request->host),
               .query = request->query,
               .client_ip = exchange->client_ip,
               .trusted = exchange->trusted,
               .now_ms = worker->now_wall_ms,
               .fields = request->fields,
               .field_count = request->field_count},
      .draw = true,
      .random = random_bytes,
  };
  return read_path(request->raw_path, scratch, &ret->attr);
}

static void note_decision(struct exchange *exchange) {
  struct decision *decision = &exchange->decision;
  struct counters *counters = exchange_counters(exchange);
  if (decision->reason == REASON_LIMIT) COUNT(counters, limits);
  if (decision->reason == REASON_FORCED) COUNT(counters, forced);
  if (decision->reason == REASON_PINNED) COUNT(counters, pinned);
  for (unsigned i = 0; i < decision->cookies_refused; i++) COUNT(counters, cookies_refused);
  if (decision->cookie != COOKIE_NOT_READ)
    series_add(&exchange_route_series(exchange)->totals->cookies[decision->cookie], 1);
  if (!decision->set_cookie.p) return;
  /* The decider's memory is the next request's: the exchange keeps a copy. */
  if (decision->set_cookie.n > sizeof(exchange->set_cookie)) {
    decision->set_cookie = (struct str){0};
    return;
  }
  memcpy(exchange->set_cookie, decision->set_cookie.p, decision->set_cookie.n);
  decision->set_cookie.p = exchange->set_cookie;
}

/* RFC 9110 7.4: an https resource is not to be had over a connection that is not secured, unless a
 * trusted proxy says so. */
static bool is_misdirected(const struct exchange *exchange) {
  return exchange->request.form == HTTP_TARGET_ABSOLUTE &&
         str_starts_with_nocase(exchange->request.target, STR("https:")) &&
         !exchange->client->secure && !exchange->trusted;
}

/* Attributes of one request may come from several directories, one after the other. */
enum { LOOKUPS_A_REQUEST_MAX = 8 };

static void lookup_done(struct lookup_waiter *waiter) {
  struct exchange *exchange =
      (struct exchange *)(void *)((char *)waiter - offsetof(struct exchange, lookup));
  exchange_run(exchange);
}

void exchange_begin_lookups(struct exchange *exchange) {
  exchange->lookup.done = lookup_done;
  const bool may_wait = exchange->lookups++ < LOOKUPS_A_REQUEST_MAX;
  exchange->worker->lookups.waiter = may_wait ? &exchange->lookup : NULL;
}

void exchange_end_lookups(struct exchange *exchange, bool waits) {
  exchange->worker->lookups.waiter = NULL;
  /* What was asked for and has turned out not to matter is not waited for. */
  if (!waits) lookup_cancel(&exchange->lookup);
}

/* Two readings of the clock cost as much as a small decision. The gaps are random, so that requests
 * that come in a pattern are timed alike. */
enum { TIMED_ONE_IN = 64 };

static bool is_timed(struct worker *worker) {
  if (worker->time_in > 0) {
    worker->time_in--;
    return false;
  }
  worker->time_in = (unsigned)(worker_random(worker) % (2 * TIMED_ONE_IN - 1));
  return true;
}

static void decide_and_time(struct exchange *exchange, const struct decide_request *asked) {
  struct worker_policy *policy = exchange->policy;
  const struct decision *decision = &exchange->decision;
  const int64_t began_ns = clock_monotonic_ns();
  decide(policy->decider, asked, &exchange->decision, NULL, NULL);
  const int64_t took_ns = clock_monotonic_ns() - began_ns;
  if (decision->pending) return; /* it is made anew when the answer is there */
  struct route_totals *totals =
      decision->route ? policy->series[policy_route_number(policy->policy, decision->route)].totals
                      : series_unnamed_route(&exchange->worker->series);
  series_observe_ns(&totals->deciding, took_ns);
}

/* Decides; when that takes an answer that is not here yet, waits for it in EXCHANGE_LOOKUP. */
static void ask(struct exchange *exchange, const struct decide_request *asked) {
  exchange_begin_lookups(exchange);
  if (is_timed(exchange->worker))
    decide_and_time(exchange, asked);
  else
    decide(exchange->policy->decider, asked, &exchange->decision, NULL, NULL);
  exchange_end_lookups(exchange, exchange->decision.pending);
}

static enum step decide_now(struct exchange *exchange) {
  struct worker *worker = exchange->worker;
  struct scratch scratch = {.p = worker->scratch, .capacity = worker->scratch_bytes};
  struct decide_request asked;
  if (!exchange_question(exchange, &scratch, &asked)) {
    exchange_count_unread(exchange, GATEWAY_PARSE_PATH);
    return exchange_answer_and_log(exchange, 400, "the path is malformed or leads above the root");
  }
  ask(exchange, &asked);
  if (exchange->decision.pending) {
    exchange->state = EXCHANGE_LOOKUP;
    return STEP_WAIT;
  }
  exchange->decided = true;
  exchange_log_keep_decision(exchange, asked.attr.now_ms);
  if (exchange->decision.reason == REASON_AMBIGUOUS)
    return exchange_answer_and_log(exchange, 400, "the path's encoded slashes are ambiguous");
  if (!exchange->decision.route)
    return exchange_answer(exchange, 404, STR("no route for this host and path"));
  note_decision(exchange);
  if (exchange->decision.mirror) mirror_begin(exchange);
  exchange->state = EXCHANGE_PICK;
  return STEP_NEXT;
}

enum step exchange_step_lookup(struct exchange *exchange) {
  return lookup_waits(&exchange->lookup) ? STEP_WAIT : decide_now(exchange);
}

enum step exchange_step_decide(struct exchange *exchange) {
  struct http_request *request = &exchange->request;
  const struct config *config = exchange_config(exchange);
  const struct ip_address *peer = &exchange->client->peer;
  exchange->request_read = request->body == HTTP_BODY_NONE ||
                           (request->body == HTTP_BODY_LENGTH && request->content_length == 0);
  exchange->trusted = config_trusts(config, peer);
  exchange->client_ip = exchange->trusted ? forward_client_ip(config, request, peer) : *peer;
  exchange->https = forward_is_https(request, exchange->client->secure, exchange->trusted);
  if (request->method_id == HTTP_METHOD_CONNECT)
    return exchange_answer_and_log(exchange, 405, "CONNECT is not offered here");
  if (request->method_id == HTTP_METHOD_TRACE && !exchange->request_read) /* RFC 9110 9.3.8 */
    return exchange_answer_and_log(exchange, 400, "TRACE with a body");
  if (is_misdirected(exchange))
    return exchange_answer_and_log(exchange, 421, "https is not offered on this connection");
  if (request->body == HTTP_BODY_LENGTH &&
      exchange_is_too_large(exchange, request->content_length)) {
    COUNT(exchange_counters(exchange), bodies_large);
    return exchange_answer_and_log(exchange, 413, "the request's body is over the limit");
  }
  exchange->upgrade = upgrade_offer(config, request);
  request->field_count =
      http_remove_hop_by_hop(request->fields, request->field_count, request->has_connection_field,
                             policy_protects_field, exchange->policy->policy);
  switch (forward_max_forwards(request)) {
    case MAX_FORWARDS_LEFT:
      break;
    case MAX_FORWARDS_SPENT:
      return exchange_answer_as_last(exchange);
    case MAX_FORWARDS_BAD:
      return exchange_answer_and_log(exchange, 400, "malformed Max-Forwards");
  }
  const enum jwt_outcome token = worker_tokens_refuse(exchange->policy, request);
  return token == JWT_VERIFIED ? decide_now(exchange) : exchange_answer_challenge(exchange, token);
}
