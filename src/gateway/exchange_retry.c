/*
 * exchange_retry: sending a request once more.
 *
 *   by contract   once, when an idle connection turns out to have been dead
 *   by option     `retry` of the upstream: also after a fresh connection's end, a time-out or a
 *                 chosen status, `attempts` times and within the budget; then, if it is a
 *                 canary's, at stable
 *
 * Always only what is idempotent, as long as the body is there and the client has had nothing.
 */
#include "exchange_steps.h"

static const struct config_retry *retry_config(const struct exchange *exchange) {
  return &pool_config(exchange->pool)->retry;
}

static bool may_be_sent_again(const struct exchange *exchange) {
  return !exchange->response_begun && exchange->interims == 0 && !exchange->kept.lost &&
         http_method_is_idempotent(exchange->request.method_id);
}

static bool is_time_over(const struct exchange *exchange) {
  return exchange->due_ms != 0 && exchange->worker->now_ms >= exchange->due_ms;
}

void exchange_leave_retry_budget(struct exchange *exchange) {
  if (exchange->has_budget) pool_retry_end(exchange->pool);
  exchange->has_budget = false;
}

/* One more try in the same pool. */
static bool take_try(struct exchange *exchange) {
  if (exchange->tries >= retry_config(exchange)->attempts || is_time_over(exchange)) return false;
  if (!exchange->has_budget && !pool_retry_begin(exchange->pool)) {
    EXCHANGE_COUNT_UPSTREAM(exchange, retries_refused);
    return false;
  }
  exchange->has_budget = true;
  exchange->tries++;
  exchange->started_over = false;
  return true;
}

static bool is_status_retried(const struct exchange *exchange) {
  const struct config_retry *retry = retry_config(exchange);
  return http_statuses_have(retry->statuses, retry->status_count, exchange->response.status);
}

static const char *text_of(enum retry_cause cause) {
  switch (cause) {
    case RETRY_IDLE_CLOSED:
    case RETRY_CLOSED:
      return "closed the connection without a response";
    case RETRY_TIMEOUT:
      return "did not respond in time";
    case RETRY_STATUS:
      return "responded with a status that is retried";
  }
  return "";
}

static bool retry_by_option(struct exchange *exchange, enum retry_cause cause) {
  if (!retry_config(exchange)->enabled) return false;
  if (cause == RETRY_STATUS && !is_status_retried(exchange)) return false;
  const bool again = take_try(exchange);
  if (!again && !exchange_has_stable_left(exchange)) return false;
  exchange_log_endpoint(exchange, exchange->target, text_of(cause),
                        again ? "; the request is sent again" : "; the request goes to stable");
  exchange_note_result(exchange, true);
  if (!again) exchange_fail_over(exchange);
  return true;
}

static bool retry_by_contract(struct exchange *exchange, enum retry_cause cause) {
  if (cause != RETRY_IDLE_CLOSED || exchange->retried) return false;
  exchange->retried = true;
  exchange->only_fresh = true;
  exchange->attempt = (struct pool_attempt){0};
  return true;
}

bool exchange_retry(struct exchange *exchange, enum retry_cause cause) {
  if (!may_be_sent_again(exchange)) return false;
  if (!retry_by_contract(exchange, cause) && !retry_by_option(exchange, cause)) return false;
  EXCHANGE_COUNT_UPSTREAM(exchange, retries);
  exchange->resent++;
  exchange->kept.sent = 0;
  exchange_drop_origin(exchange, false);
  exchange->state = EXCHANGE_PICK;
  return true;
}

int64_t exchange_try_timeout_ms(const struct exchange *exchange) {
  const struct config_retry *retry = retry_config(exchange);
  if (!retry->enabled || retry->try_timeout_ms == 0 || !may_be_sent_again(exchange)) return 0;
  if (exchange->tries >= retry->attempts && !exchange_has_stable_left(exchange)) return 0;
  return retry->try_timeout_ms;
}
