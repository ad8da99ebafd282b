/*
 * mirror: copies of requests that go to another variant.
 *
 *   settling   what has become of original and copy
 *   making     who gets a copy; its body and head
 *   sink       what the copy's exchange takes for its client (stream.h)
 *   news       of both exchanges
 *   worker     the turn, the end
 */
#include "mirror.h"

#include <stdlib.h>

#include "adit/units.h"
#include "exchange.h"

static struct worker_mirrors *mirrors_of(const struct mirror *mirror) {
  return &mirror->worker->mirrors;
}

/* ---- settling -------------------------------------------------------------------------------- */

/* Gives back what only the copy needs, and its place among those that are counted. */
static void mirror_release(struct mirror *mirror) {
  struct worker *worker = mirror->worker;
  struct worker_mirrors *mirrors = mirrors_of(mirror);
  timer_stop(&worker->timers, &mirror->timer);
  if (mirror->is_ready) TAILQ_REMOVE(&mirrors->ready, mirror, of_ready);
  mirror->is_ready = false;
  LIST_REMOVE(mirror, of_all);
  mirrors->count--;
  mirrors->body_bytes -= mirror->body_bytes;
  buffer_release(&worker->blocks, &mirror->head);
  buffer_release(&worker->blocks, &mirror->body);
}

static void mirror_free(struct mirror *mirror) {
  if (mirror->original) mirror->original->mirror = NULL;
  free(mirror);
}

/* There will be no copy. */
static void mirror_drop(struct mirror *mirror) {
  mirror_release(mirror);
  mirror_free(mirror);
}

/* For the process and for the copy's upstream. */
#define COUNT_BOTH(mirror, name)              \
  do {                                        \
    COUNT(&(mirror)->worker->counters, name); \
    COUNT((mirror)->counts, name);            \
  } while (0)

/* The copy is over, and what the original's status is, or that there is none, is known. */
static void settle(struct mirror *mirror) {
  struct counters *counters = &mirror->worker->counters;
  const struct mirror_side *original = &mirror->of_original, *copy = &mirror->of_copy;
  if (copy->status == 0) {
    if (mirror->stopped)
      COUNT_BOTH(mirror, mirrors_stopped);
    else
      COUNT_BOTH(mirror, mirrors_failed);
  } else if (original->status == 0) {
    COUNT_BOTH(mirror, mirrors_alone);
  } else {
    if (copy->status / 100 == original->status / 100)
      COUNT_BOTH(mirror, mirrors_agreed);
    else
      COUNT_BOTH(mirror, mirrors_differed);
    COUNT_ADD(counters, mirrors_original_us, (uint64_t)original->took_us);
    COUNT_ADD(counters, mirrors_copy_us, (uint64_t)copy->took_us);
  }
  mirror_free(mirror);
}

/* ---- making ---------------------------------------------------------------------------------- */

static bool is_drawn(struct worker *worker, const struct route_mirror *rule) {
  const uint64_t bucket = (worker_random(worker) >> 32) * BUCKETS >> 32;
  return bucket < rule->buckets;
}

static void copy_is_late(struct timer *timer) {
  struct mirror *mirror = (struct mirror *)(void *)((char *)timer - offsetof(struct mirror, timer));
  exchange_abandon(mirror->copy);
}

static const struct client_stream_operations sink_operations;

/* Each needs a descriptor, and those are the clients': copies have what they leave. */
static bool has_room(const struct exchange *exchange) {
  const struct worker *worker = exchange->worker;
  const size_t count = worker->mirrors.count;
  return count < policy_config(exchange->policy->policy)->limits.mirrors &&
         worker->client_count + count < worker->client_max;
}

static struct mirror *mirror_new(struct exchange *exchange) {
  struct worker *worker = exchange->worker;
  if (!has_room(exchange)) return NULL;
  struct mirror *mirror = calloc(1, sizeof(*mirror));
  if (!mirror) return NULL;
  mirror->stream = *exchange->client;
  mirror->stream.operations = &sink_operations;
  mirror->stream.gone = false;
  mirror->worker = worker;
  mirror->original = exchange;
  timer_init(&mirror->timer, copy_is_late);
  LIST_INSERT_HEAD(&worker->mirrors.all, mirror, of_all);
  worker->mirrors.count++;
  return mirror;
}

void mirror_begin(struct exchange *exchange) {
  struct worker *worker = exchange->worker;
  const struct route_mirror *rule = exchange->decision.mirror;
  const struct http_request *request = &exchange->request;
  if (!(rule->methods >> request->method_id & 1) || exchange->upgrade.n > 0) return;
  if (worker->stop != STOP_NONE || !is_drawn(worker, rule)) return;
  if (rule->to == exchange->decision.variant) {
    COUNT(&worker->counters, mirrors_same);
  } else if (request->body == HTTP_BODY_LENGTH && request->content_length > rule->body_bytes) {
    COUNT(&worker->counters, mirrors_large);
  } else {
    exchange->mirror = mirror_new(exchange);
    if (!exchange->mirror) COUNT(&worker->counters, mirrors_busy);
  }
}

void mirror_copy_body(struct exchange *exchange, struct str data) {
  struct mirror *mirror = exchange->mirror;
  if (mirror->sent) return;
  struct worker *worker = mirror->worker;
  struct worker_mirrors *mirrors = mirrors_of(mirror);
  if (mirror->body_bytes + data.n > exchange->decision.mirror->body_bytes) {
    COUNT(&worker->counters, mirrors_large);
    mirror_drop(mirror);
    return;
  }
  if (mirrors->body_bytes + data.n > MIRROR_BODIES_MAX ||
      !buffer_reserve(&worker->blocks, &mirror->body, 0, data.n)) {
    COUNT(&worker->counters, mirrors_busy);
    mirror_drop(mirror);
    return;
  }
  memcpy(mirror->body.p + mirror->body.end, data.p, data.n);
  mirror->body.end += data.n;
  mirror->body_bytes += data.n;
  mirrors->body_bytes += data.n;
}

bool mirror_body_is_empty(const struct mirror *mirror) {
  return mirror->body_bytes == 0;
}

/* There is room: keep_request() has counted. */
static struct str keep(struct buffer *buffer, struct str s) {
  struct str kept = str_make(buffer->p + buffer->end, s.n);
  if (s.n > 0) memcpy(buffer->p + buffer->end, s.p, s.n);
  buffer->end += s.n;
  return kept;
}

/* A part of a text in the copy of that. What is no part of it is not the client's, and stays. */
static struct str part_in(struct str copy, struct str text, struct str part) {
  const uintptr_t at = (uintptr_t)part.p, from = (uintptr_t)text.p;
  if (!part.p || at < from || at + part.n > from + text.n) return part;
  return str_make(copy.p + (at - from), part.n);
}

/* The views of the original's head end with it: copies what forward_request() reads of it, and
 * attributes. The body is here already, so that nobody has to be asked for it. False: memory. */
static bool keep_request(struct mirror *mirror, const struct http_request *from,
                         struct http_request *ret) {
  size_t need = from->method.n + from->origin.n + from->authority.n;
  for (size_t i = 0; i < from->field_count; i++)
    need += from->fields[i].name.n + from->fields[i].value.n;
  struct buffer *buffer = &mirror->head;
  if (!buffer_reserve(&mirror->worker->blocks, buffer, 0, need)) return false;
  *ret = (struct http_request){
      .method = keep(buffer, from->method),
      .method_id = from->method_id,
      .form = from->form,
      .origin = keep(buffer, from->origin),
      .origin_needs_slash = from->origin_needs_slash,
      .authority = keep(buffer, from->authority),
      .version_minor = from->version_minor,
      .keep_alive = true,
      .te_trailers = from->te_trailers,
      .body = from->body,
      .content_length = from->content_length,
  };
  ret->raw_path = part_in(ret->origin, from->origin, from->raw_path);
  ret->query = part_in(ret->origin, from->origin, from->query);
  ret->host = part_in(ret->authority, from->authority, from->host);
  for (size_t i = 0; i < from->field_count; i++) {
    const struct http_field *field = &from->fields[i];
    if (field->id == HTTP_FIELD_EXPECT) continue;
    ret->fields[ret->field_count++] = (struct http_field){
        .name = keep(buffer, field->name), .value = keep(buffer, field->value), .id = field->id};
  }
  return true;
}

static void make_ready(struct mirror *mirror) {
  if (mirror->is_ready) return;
  mirror->is_ready = true;
  TAILQ_INSERT_TAIL(&mirrors_of(mirror)->ready, mirror, of_ready);
}

static void watch_copy(struct mirror *mirror, int64_t ms) {
  struct worker *worker = mirror->worker;
  timer_set(&worker->timers, &mirror->timer, worker->now_ms + ms);
}

/* Connecting and the answer's head have the time that the upstream has for each, together. */
static int64_t answer_within_ms(const struct exchange *copy) {
  const struct policy *policy = copy->policy->policy;
  const struct decision *decision = &copy->decision;
  const struct config_upstream *upstream =
      &policy_config(policy)
           ->upstreams[policy_upstream(policy, decision->route, decision->variant)];
  return upstream->connect_timeout_ms + upstream->timeout_ms;
}

/* Whether the copy's upstream has as much to do as it may, or users who wait. */
static bool is_upstream_full(const struct exchange *original) {
  const struct policy *policy = original->policy->policy;
  const struct decision *decision = &original->decision;
  const size_t upstream = policy_upstream(policy, decision->route, decision->mirror->to);
  const struct breaker *breaker = original->policy->breakers[upstream];
  return breaker && breaker_is_full(breaker);
}

/* The original is on its way. What it was decided for may have changed meanwhile, by a failover. */
static void mirror_send(struct mirror *mirror) {
  struct worker *worker = mirror->worker;
  struct exchange *original = mirror->original;
  if (original->decision.variant == original->decision.mirror->to) {
    COUNT(&worker->counters, mirrors_same);
    mirror_drop(mirror);
    return;
  }
  if (worker->stop != STOP_NONE) {
    COUNT(&worker->counters, mirrors_unfinished);
    mirror_drop(mirror);
    return;
  }
  struct exchange *copy = is_upstream_full(original) ? NULL : exchange_acquire(worker);
  if (!copy || !keep_request(mirror, &original->request, &copy->request)) {
    if (copy) exchange_release(worker, copy);
    COUNT(&worker->counters, mirrors_busy);
    mirror_drop(mirror);
    return;
  }
  const struct worker_policy *policy = original->policy;
  mirror->counts = &policy
                        ->upstreams[policy_upstream(policy->policy, original->decision.route,
                                                    original->decision.mirror->to)]
                        ->counts;
  COUNT_BOTH(mirror, mirrors_sent);
  mirror->sent = true;
  mirror->copy = copy;
  exchange_begin_copy(copy, original, mirror);
  watch_copy(mirror, answer_within_ms(copy));
  make_ready(mirror);
}

/* ---- sink ------------------------------------------------------------------------------------ */

static struct mirror *mirror_of(struct client_stream *stream) {
  return (struct mirror *)(void *)((char *)stream - offsetof(struct mirror, stream));
}

static enum stream_read sink_read_body(struct client_stream *stream, struct str *ret_data) {
  struct mirror *mirror = mirror_of(stream);
  if (buffer_size(&mirror->body) == 0) return STREAM_READ_END;
  *ret_data = buffer_str(&mirror->body);
  return STREAM_READ_DATA;
}

static void sink_consume_body(struct client_stream *stream, size_t n) {
  mirror_of(stream)->body.start += n;
}

/* Trailers are not copied: whoever passes a message on may drop them (RFC 9110 6.5.1). */
static void sink_read_trailers(struct client_stream *stream, struct field_list *ret) {
  (void)stream;
  ret->n = 0;
}

static bool sink_write_head(struct client_stream *stream, const struct response_out *head) {
  (void)stream, (void)head;
  return true;
}

static bool has_had_enough(const struct mirror *mirror) {
  return mirror->answer_bytes > MIRROR_ANSWER_MAX;
}

static size_t sink_write_body(struct client_stream *stream, struct str data) {
  struct mirror *mirror = mirror_of(stream);
  mirror->answer_bytes += data.n;
  return has_had_enough(mirror) ? 0 : data.n;
}

static enum stream_write sink_flush(struct client_stream *stream) {
  return has_had_enough(mirror_of(stream)) ? STREAM_WRITE_FAILED : STREAM_WRITE_DONE;
}

static void sink_run_again(struct client_stream *stream) {
  make_ready(mirror_of(stream));
}

/* mirror_exchange_over() comes behind both of these. */
static void sink_end(struct client_stream *stream, const struct field_list *trailers) {
  (void)stream, (void)trailers;
}

static void sink_cut(struct client_stream *stream) {
  (void)stream;
}

/* No protocol is offered in a copy, so that there is never a tunnel. */
static const struct client_stream_operations sink_operations = {
    .read_body = sink_read_body,
    .consume_body = sink_consume_body,
    .read_trailers = sink_read_trailers,
    .write_interim = sink_write_head,
    .write_head = sink_write_head,
    .write_body = sink_write_body,
    .flush = sink_flush,
    .run_again = sink_run_again,
    .end = sink_end,
    .cut = sink_cut,
};

/* ---- news ------------------------------------------------------------------------------------ */

static struct mirror_side *side_of(const struct exchange *exchange) {
  struct mirror *mirror = exchange->mirror;
  return exchange->is_mirror ? &mirror->of_copy : &mirror->of_original;
}

void mirror_note_sent(struct exchange *exchange) {
  struct mirror_side *side = side_of(exchange);
  if (side->sent_us != 0) return;
  side->sent_us = clock_monotonic_us(); /* the turn's clock is too coarse */
  if (!exchange->is_mirror) mirror_send(exchange->mirror);
}

void mirror_note_head(struct exchange *exchange) {
  struct mirror *mirror = exchange->mirror;
  struct mirror_side *side = side_of(exchange);
  side->status = exchange->response.status;
  side->took_us = clock_monotonic_us() - side->sent_us;
  if (exchange->is_mirror)
    watch_copy(mirror, MIRROR_ANSWER_MS);
  else if (mirror->sent && !mirror->copy)
    settle(mirror);
}

static void original_over(struct mirror *mirror) {
  mirror->original = NULL;
  if (!mirror->sent) {
    COUNT(&mirror->worker->counters, mirrors_unfinished);
    mirror_drop(mirror);
  } else if (!mirror->copy) {
    settle(mirror);
  }
}

static void copy_over(struct mirror *mirror) {
  mirror->copy = NULL;
  mirror_release(mirror);
  const bool waits =
      mirror->original && mirror->of_original.status == 0 && mirror->of_copy.status != 0;
  if (!waits) settle(mirror);
}

void mirror_exchange_over(struct exchange *exchange) {
  struct mirror *mirror = exchange->mirror;
  exchange->mirror = NULL;
  if (exchange->is_mirror)
    copy_over(mirror);
  else
    original_over(mirror);
}

/* ---- worker ---------------------------------------------------------------------------------- */

void mirrors_init(struct worker *worker) {
  LIST_INIT(&worker->mirrors.all);
  TAILQ_INIT(&worker->mirrors.ready);
}

/* Those that say again that they are ready have their turn in the next. */
void mirrors_run(struct worker *worker) {
  struct mirror *last = TAILQ_LAST(&worker->mirrors.ready, mirror_queue);
  for (bool more = last != NULL; more;) {
    struct mirror *mirror = TAILQ_FIRST(&worker->mirrors.ready);
    more = mirror != last;
    TAILQ_REMOVE(&worker->mirrors.ready, mirror, of_ready);
    mirror->is_ready = false;
    worker->dispatched++;
    exchange_run(mirror->copy);
  }
}

bool mirrors_give_up_one(struct worker *worker) {
  struct mirror *mirror;
  LIST_FOREACH(mirror, &worker->mirrors.all, of_all) {
    if (!mirror->copy || !mirror->copy->origin) continue;
    exchange_abandon(mirror->copy);
    return true;
  }
  return false;
}

void mirrors_stop(struct worker *worker) {
  struct mirror *mirror = LIST_FIRST(&worker->mirrors.all);
  while (mirror) {
    struct mirror *next = LIST_NEXT(mirror, of_all);
    mirror->stopped = true;
    if (mirror->copy) exchange_abandon(mirror->copy);
    mirror = next;
  }
}
