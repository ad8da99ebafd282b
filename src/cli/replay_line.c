/*
 * replay_line: one line ─► both decisions ─► the tally.
 */
#include <stdlib.h>

#include "adit/arena.h"
#include "adit/hash.h"
#include "cli/replay.h"

enum { EXAMPLE_TEXT_BYTES = 4096, VALUE_BYTES = 100, URL_BYTES = 200, VALUES_SHOWN = 8 };

bool replay_worker_init(struct replay_worker *worker, const struct replay_plan *plan) {
  *worker = (struct replay_worker){.plan = plan,
                                   .before = policy_decider_new(plan->before),
                                   .after = policy_decider_new(plan->after),
                                   .log = log_reader_new(),
                                   .given = calloc(LOG_ATTRIBUTES_MAX, sizeof(*worker->given))};
  text_init(&worker->text, EXAMPLE_TEXT_BYTES);
  text_init(&worker->json, EXAMPLE_TEXT_BYTES);
  return replay_tally_init(&worker->tally, plan) && worker->before && worker->after &&
         worker->log && worker->given;
}

void replay_worker_deinit(struct replay_worker *worker) {
  decider_free(&worker->before);
  decider_free(&worker->after);
  log_reader_free(&worker->log);
  free(worker->given);
  text_deinit(&worker->text);
  text_deinit(&worker->json);
  if (worker->plan) replay_tally_deinit(&worker->tally, worker->plan);
}

/* ---- the present decision -------------------------------------------------------------------- */

static bool find_reason(struct str name, enum decide_reason *ret) {
  for (int reason = REASON_NO_ROUTE; reason <= REASON_LIMIT; reason++) {
    if (!str_eq(name, str_from_cstr(decide_reason_name((enum decide_reason)reason)))) continue;
    *ret = (enum decide_reason)reason;
    return true;
  }
  return false;
}

/* What the log says was decided under the very same files, where it cannot be made again. */
static void recall(const struct replay_worker *worker, struct decision *ret) {
  const struct log_line *line = &worker->line;
  struct decision decision = {.route = line->recorded.route, .bucket = -1};
  if (!decision.route || !line->decided.p || !find_reason(line->decided_reason, &decision.reason))
    return;
  decision.variant = route_find_variant(decision.route, line->decided);
  decision.rule = logged_find_rule(worker->plan->index, line);
  if (decision.variant == VARIANT_NONE || (line->rule.p && !decision.rule)) return;
  *ret = decision;
}

static void note_first(struct replay_reason *reason, struct replay_spot spot) {
  if (reason->requests++ == 0) reason->first = spot;
}

static void decide_before(struct replay_worker *worker, bool current, struct replay_spot spot,
                          struct decision *ret) {
  struct log_line *line = &worker->line;
  decide(worker->before, &line->request, ret, NULL, NULL);
  if (!current) return;
  if (ret->unknown != UNKNOWN_NOTHING)
    recall(worker, ret);
  else if (!logged_is_same(line, ret))
    note_first(&worker->tally.disagreeing, spot);
}

/* ---- the proposed decision ------------------------------------------------------------------- */

static const struct replay_name *find_name(const struct replay_foreign *foreign, struct str name) {
  for (size_t i = 0; i < foreign->n; i++)
    if (str_eq(foreign->items[i].name, name)) return &foreign->items[i];
  return NULL;
}

/* Of the proposed route that the request goes to. */
static const struct replay_foreign *find_foreign(const struct replay_worker *worker) {
  const struct replay_plan *plan = worker->plan;
  const struct attr_request *request = &worker->line.request.attr;
  const struct str logged = worker->line.route;
  if (!plan->has_foreign) return NULL;
  const struct route *route = router_find(policy_router(plan->after), request->host, request->path);
  if (!route) return NULL;
  const bool same = logged.p && str_eq(logged, route->name);
  return &(same ? plan->foreign : plan->foreign_elsewhere)[policy_route_number(plan->after, route)];
}

/* What is called by a name that these files read otherwise is unknown to them. */
static void hide_foreign(struct replay_worker *worker, const struct replay_foreign *foreign,
                         struct attr_request *request) {
  size_t n = 0;
  for (size_t i = 0; i < request->given_count; i++) {
    const struct replay_name *name = find_name(foreign, request->given[i].name);
    if (name && name->anew) continue;
    worker->given[n] = request->given[i];
    if (name) worker->given[n].state = GIVEN_UNKNOWN;
    n++;
  }
  request->given = worker->given;
  request->given_count = n;
}

static void decide_after(struct replay_worker *worker, struct decision *ret) {
  struct decide_request request = worker->line.request;
  struct decide_recorded recorded = worker->line.recorded;
  const struct replay_foreign *foreign = find_foreign(worker);
  if (foreign && foreign->n > 0) {
    hide_foreign(worker, foreign, &request.attr);
    if (foreign->draws) recorded.bucket = -1;
    request.recorded = &recorded;
  }
  decide(worker->after, &request, ret, NULL, NULL);
}

/* ---- users ----------------------------------------------------------------------------------- */

static const uint64_t VALUE_KEY = UINT64_C(0x61646974), HASH_KEY = UINT64_C(0x68617368);

/* The first of the route's keys that the line has. 0: it tells no user. */
static uint64_t find_user(const struct replay_worker *worker, const struct decision *before) {
  const struct log_line *line = &worker->line;
  const struct attr_request *request = &line->request.attr;
  if (!before->route) return 0;
  const struct replay_keys *keys =
      &worker->plan->keys[policy_route_number(worker->plan->before, before->route)];
  for (size_t k = 0; k < keys->n; k++) {
    for (size_t i = 0; i < request->given_count; i++) {
      const struct attr_given *given = &request->given[i];
      if (!str_eq(given->name, keys->items[k].name)) continue;
      const bool redacted = line->hashes[i].p != NULL;
      const bool whole = given->state == GIVEN_TEXTS && given->n > 0;
      const struct str text = redacted ? line->hashes[i] : whole ? given->texts[0] : STR("");
      if (text.n == 0) break;
      const uint64_t key[2] = {keys->items[k].seed, redacted ? HASH_KEY : VALUE_KEY};
      const uint64_t user = siphash_2_4(key, text.p, text.n);
      return user ? user : 1;
    }
  }
  return 0;
}

/* ---- examples -------------------------------------------------------------------------------- */

static bool has_read(const struct decider *decider, const struct route *route, struct str name) {
  for (size_t i = 0; route && i < attr_table_size(route->table); i++)
    if (decider_has_read(decider, (uint16_t)i) &&
        str_eq(attr_table_name(route->table, (uint16_t)i), name))
      return true;
  return false;
}

static void add_value(struct text *out, struct str value) {
  text_add_json(out, str_take(value, VALUE_BYTES));
}

static void add_values(const struct replay_worker *worker, size_t i, struct text *out) {
  const struct attr_given *given = &worker->line.request.attr.given[i];
  if (worker->line.hashes[i].p) {
    text_add(out, STR("{\"hash\":"));
    add_value(out, worker->line.hashes[i]);
    text_add_char(out, '}');
  } else if (given->state != GIVEN_TEXTS) {
    text_add(out, STR("{}"));
  } else if (given->n == 0) {
    text_add(out, STR("null"));
  } else {
    if (given->n > 1) text_add_char(out, '[');
    for (size_t k = 0; k < given->n && k < VALUES_SHOWN; k++) {
      if (k) text_add_char(out, ',');
      add_value(out, given->texts[k]);
    }
    if (given->n > 1) text_add_char(out, ']');
  }
}

/* Of the attributes those that one of the decisions looked at. */
static void describe(struct replay_worker *worker, const struct decision *before,
                     const struct decision *after) {
  const struct attr_request *request = &worker->line.request.attr;
  struct text *text = &worker->text, *json = &worker->json;
  size_t shown = 0;
  text_clear(text);
  text_clear(json);
  text_printf(text, "%.*s %.*s://%.*s%.*s", STR_ARG(str_take(request->method, 32)),
              STR_ARG(request->scheme), STR_ARG(str_take(request->host, URL_BYTES)),
              STR_ARG(str_take(request->path, URL_BYTES)));
  text_add(json, STR(",\"request\":"));
  text_add_json(json, text_str(text));
  text_add(json, STR(",\"attributes\":{"));
  for (size_t i = 0; i < request->given_count && shown < VALUES_SHOWN; i++) {
    const struct str name = request->given[i].name;
    if (!has_read(worker->before, before->route, name) &&
        !has_read(worker->after, after->route, name))
      continue;
    if (shown++) text_add_char(json, ',');
    text_add_json(json, str_take(name, VALUE_BYTES));
    text_add_char(json, ':');
    add_values(worker, i, json);
    text_printf(text, " %.*s=", STR_ARG(str_take(name, VALUE_BYTES)));
    add_values(worker, i, text);
  }
  text_add_char(json, '}');
}

static void add_example(struct replay_worker *worker, struct replay_move *move,
                        struct replay_spot spot) {
  struct replay_tally *tally = &worker->tally;
  if (move->example_count >= tally->examples_max || !move->examples) return;
  describe(worker, &move->before, &move->after);
  move->examples[move->example_count++] =
      (struct replay_example){spot, arena_dup(tally->arena, text_str(&worker->text)),
                              arena_dup(tally->arena, text_str(&worker->json))};
}

/* ---- counting -------------------------------------------------------------------------------- */

static void count_side(struct replay_route *routes, const struct policy *policy,
                       const struct decision *decision, bool moved, uint64_t user) {
  const struct route *route = decision->route;
  if (!route) return;
  struct replay_route *counts = &routes[policy_route_number(policy, route)];
  const size_t rule = decision->rule ? (size_t)(decision->rule - route->rules) : route->rule_count;
  struct replay_cell *const cells[] = {&counts->all, &counts->variants[decision->variant],
                                       &counts->rules[rule]};
  for (size_t i = 0; i < 3; i++) {
    cells[i]->requests++;
    cells[i]->moved += moved;
  }
  if (!user) return;
  distinct_add(&counts->users, user);
  if (moved) distinct_add(&counts->moved_users, user);
}

static void count_user(struct replay_tally *tally, uint64_t user, bool moved) {
  if (!user) {
    tally->anonymous++;
    return;
  }
  distinct_add(&tally->users, user);
  if (!moved) return;
  distinct_add(&tally->moved_users, user);
  distinct_add(&tally->doubtful_users, user);
}

static void count_unknown(struct replay_worker *worker, const struct decision *decision,
                          const char *limit, uint64_t user, struct replay_spot spot) {
  struct replay_tally *tally = &worker->tally;
  tally->unknown++;
  if (user) {
    distinct_add(&tally->users, user);
    distinct_add(&tally->doubtful_users, user);
  } else {
    tally->unknown_anonymous++;
  }
  text_clear(&worker->text);
  if (limit)
    text_add(&worker->text, str_from_cstr(limit));
  else
    logged_format_unknown(&worker->line.request, decision, &worker->text);
  replay_tally_reason(tally, text_str(&worker->text), spot);
}

static void count_decided(struct replay_worker *worker, const struct decision *before,
                          const struct decision *after, uint64_t user, struct replay_spot spot) {
  struct replay_tally *tally = &worker->tally;
  const bool same = explain_same(before, after);
  if (!before->route && !after->route) {
    tally->routeless++;
    return;
  }
  const bool moved = !same && replay_is_moved(before, after);
  tally->decided++;
  tally->moved += moved;
  tally->same_variant += !same && !moved;
  count_user(tally, user, moved);
  count_side(tally->before, worker->plan->before, before, moved, user);
  count_side(tally->after, worker->plan->after, after, moved, 0);
  if (same) return;
  struct replay_move *move = replay_tally_move(tally, before, after);
  if (!move) {
    tally->other_moves++;
    return;
  }
  move->requests++;
  if (user) distinct_add(&move->users, user);
  add_example(worker, move, spot);
}

/* ---- a line ---------------------------------------------------------------------------------- */

static void count_request(struct replay_worker *worker, struct replay_spot spot) {
  struct log_line *line = &worker->line;
  const struct replay_options *options = worker->plan->options;
  const bool current = logged_is_current(worker->plan->index, line);
  worker->tally.other_config += !current;
  logged_find_then(worker->plan->index, current || options->assume_unchanged, line);
  line->recorded.assume_no_force = options->assume_no_force;
  line->recorded.assume_no_pin = options->assume_no_pins;
  struct decision before, after;
  decide_before(worker, current, spot, &before);
  decide_after(worker, &after);
  const uint64_t user = find_user(worker, &before);
  const bool limited = line->has_undecided && !explain_same(&before, &after) &&
                       (before.reason == REASON_LIMIT || after.reason == REASON_LIMIT);
  if (before.unknown != UNKNOWN_NOTHING)
    count_unknown(worker, &before, NULL, user, spot);
  else if (after.unknown != UNKNOWN_NOTHING)
    count_unknown(worker, &after, NULL, user, spot);
  else if (limited)
    count_unknown(worker, &after, "a limit left an attribute undecided then", user, spot);
  else
    count_decided(worker, &before, &after, user, spot);
}

static void count_kind(struct replay_worker *worker, enum log_kind kind, struct replay_spot spot) {
  struct replay_kind *counts = &worker->tally.kinds[kind];
  worker->tally.lines++;
  if (counts->lines++ > 0) return;
  counts->first = spot;
  counts->why = worker->line.why;
  counts->column = worker->line.column;
}

void replay_line(struct replay_worker *worker, char *p, size_t n, struct replay_spot spot) {
  log_read(worker->log, p, n, &worker->line);
  count_kind(worker, worker->line.kind, spot);
  if (worker->line.kind == LOG_REQUEST) count_request(worker, spot);
}

void replay_line_too_long(struct replay_worker *worker, struct replay_spot spot) {
  worker->line = (struct log_line){.kind = LOG_TOO_LARGE, .why = "longer than 1 MiB"};
  count_kind(worker, LOG_TOO_LARGE, spot);
}
