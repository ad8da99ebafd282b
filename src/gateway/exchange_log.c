/*
 * exchange_log: an exchange's line of the access log.
 *
 * It is made when the exchange is over, before the codec is told so: what it says of the request
 * are views of the client's buffer. A tunnel's request is copied before its views end.
 */
#include <stdlib.h>

#include "exchange_steps.h"

/* Says that there is none, or that it is a copy of a request, which nobody has made. */
static bool is_silent(const struct exchange *exchange) {
  return !exchange->worker->access || exchange->is_mirror || exchange->told;
}

static int64_t wall_ms(const struct worker *worker, int64_t at_us) {
  return worker->now_wall_ms - (worker->now_us - at_us) / 1000;
}

/* ---- the decision ---------------------------------------------------------------------------- */

/* Stands right behind an exchange, where lines tell of decisions. */
struct record {
  struct access_decision decision;
  char attributes[ACCESS_ATTRIBUTES_BYTES_MAX + 1];
};

static bool has_records(const struct worker *worker) {
  return worker->access &&
         access_log_options(worker->shared.access_log)->attributes != CONFIG_LOG_NONE;
}

size_t exchange_log_bytes(const struct worker *worker) {
  return has_records(worker) ? sizeof(struct record) : 0;
}

static struct record *record_of(struct exchange *exchange) {
  return (struct record *)(void *)(exchange + 1);
}

/* The object is copied: it is built in the memory of lines. */
static void keep_attributes(struct exchange *exchange, struct record *record) {
  const struct worker_policy *policy = exchange->policy;
  const struct route *route = exchange->decision.route;
  const struct access_route_plan *plan =
      &policy->access->routes[policy_route_number(policy->policy, route)];
  struct access_attributes attributes;
  access_lane_begin_attributes(exchange->worker->access, &attributes);
  for (size_t i = 0; i < plan->n; i++) {
    const struct access_planned *item = &plan->items[i];
    const struct attr_value *value =
        decider_attribute(policy->decider, item->slot, !item->only_read);
    if (value)
      access_attributes_add(&attributes, attr_table_name(route->table, item->slot), value,
                            item->hashed);
  }
  const struct str object = access_attributes_end(&attributes);
  memcpy(record->attributes, object.p, object.n);
  record->decision.attributes = str_make(record->attributes, object.n);
  record->decision.left_out = attributes.left_out;
}

void exchange_log_keep_decision(struct exchange *exchange, int64_t now_ms) {
  if (is_silent(exchange) || !exchange->policy->access->routes) return;
  const struct decision *decision = &exchange->decision;
  const struct route *route = decision->route;
  struct record *record = record_of(exchange);
  record->decision =
      (struct access_decision){.now_ms = now_ms,
                               .cookie = str_from_cstr(cookie_verdict_name(decision->cookie)),
                               .reason = str_from_cstr(decide_reason_name(decision->reason))};
  if (route) {
    record->decision.variant = route->variants[decision->variant].name;
    if (decision->is_overridden)
      record->decision.override = str_from_cstr(route_state_name(decision->state));
    if (decision->reason == REASON_PINNED) record->decision.pin = record->decision.variant;
    keep_attributes(exchange, record);
  } else if (decision->reason == REASON_NO_ROUTE) {
    record->decision.attributes = STR("{}");
  }
  exchange->recorded = true;
}

/* ---- lines ----------------------------------------------------------------------------------- */

static void tell(struct worker *worker, const struct access_entry *entry) {
  if (!access_lane_tell(worker->access, entry)) COUNT(&worker->counters, access_log_dropped);
}

/* What was decided, and where it went. */
static void add_way(const struct exchange *exchange, struct access_entry *entry) {
  const struct decision *decision = &exchange->decision;
  if (exchange->pool) entry->upstream = pool_config(exchange->pool)->name;
  if (exchange->tried) entry->endpoint = str_from_cstr(exchange->tried->text);
  if (!exchange->decided) return;
  entry->reason = str_from_cstr(decide_reason_name(decision->reason));
  if (!decision->route) return;
  entry->route = decision->route->name;
  entry->variant = decision->route->variants[decision->variant].name;
  entry->bucket = decision->bucket;
  if (decision->rule) entry->rule = decision->rule->id;
}

/* The one that the endpoint got: a trusted proxy's, or ours. */
static struct str request_id_of(const struct exchange *exchange, struct str received) {
  if (exchange->trusted && received.p) return received;
  if (exchange->request_id[0] == '\0') return (struct str){0};
  return str_make(exchange->request_id, sizeof(exchange->request_id));
}

/* The same of the trace, by anyone's word. */
static struct str trace_id_of(const struct exchange *exchange, struct str received) {
  return exchange->traceparent[0] == '\0' ? received : trace_context_id(exchange->traceparent);
}

void exchange_log(struct exchange *exchange, enum access_end end) {
  if (is_silent(exchange)) return;
  struct worker *worker = exchange->worker;
  exchange->told = true;
  struct access_entry entry = {.began_ms = wall_ms(worker, exchange->began_us),
                               .client_ip = exchange->client_ip,
                               .https = exchange->https,
                               .status = exchange->status,
                               .end = end,
                               .bytes_received = (int64_t)exchange->body_bytes,
                               .bytes_sent = (int64_t)exchange->sent_bytes,
                               .duration_us = worker->now_us - exchange->began_us,
                               .first_byte_us = exchange->first_byte_us,
                               .connect_us = exchange->connect_us,
                               .retries = exchange->resent,
                               .bucket = -1,
                               .error = exchange->error,
                               .config = policy_hash(exchange->policy->policy),
                               .hides = exchange->policy->access->hides};
  if (exchange->recorded) entry.decision = &record_of(exchange)->decision;
  if (exchange->noted)
    entry.request = *exchange->noted;
  else if (exchange->state != EXCHANGE_TUNNEL && exchange->status != 101)
    access_request_read(&exchange->request, &entry.request);
  entry.request_id = request_id_of(exchange, entry.request.request_id);
  entry.trace_id = trace_id_of(exchange, entry.request.trace_id);
  add_way(exchange, &entry);
  tell(worker, &entry);
}

void exchange_log_keep_request(struct exchange *exchange) {
  if (is_silent(exchange)) return;
  struct access_request request;
  access_request_read(&exchange->request, &request);
  exchange->noted = access_request_copy(&request);
}

void exchange_note_target(struct exchange *exchange, struct target *target) {
  exchange->connect_us = -1;
  if (is_silent(exchange)) return;
  if (exchange->tried) target_unref(exchange->worker->targets, &exchange->tried);
  exchange->tried = target;
  target_ref(target);
}

void exchange_log_deinit(struct exchange *exchange) {
  if (exchange->tried) target_unref(exchange->worker->targets, &exchange->tried);
  free(exchange->noted);
}

void exchange_log_refused(struct worker *worker, const struct refused_head *head) {
  if (!worker->access) return;
  const int64_t took_us = worker->now_us - head->began_us;
  const struct access_entry entry = {.began_ms = wall_ms(worker, head->began_us),
                                     .client_ip = *head->peer,
                                     .status = head->status,
                                     .end = head->status > 0 ? ACCESS_COMPLETE : ACCESS_CUT,
                                     .bytes_received = -1,
                                     .bytes_sent = (int64_t)head->sent_bytes,
                                     .duration_us = took_us,
                                     .first_byte_us = head->status > 0 ? took_us : -1,
                                     .connect_us = -1,
                                     .bucket = -1,
                                     .error = head->why,
                                     .config = policy_hash(worker->policy->policy),
                                     .hides = worker->policy->access->hides};
  tell(worker, &entry);
}
