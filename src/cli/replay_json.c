/*
 * replay_json: what was counted, for programs: one object.
 */
#include "adit/arena.h"
#include "cli/replay.h"

enum { REPORT_ARENA_BYTES = 64 << 20 };

struct report {
  const struct replay_plan *plan;
  const struct replay_tally *tally;
  const struct replay_map *map;
  struct text *out;
};

/* ---- pieces ---------------------------------------------------------------------------------- */

/* A comma, unless an object or a list has just begun. */
static void add_comma(struct text *out) {
  const struct str said = text_str(out);
  if (said.n > 0 && said.p[said.n - 1] != '{' && said.p[said.n - 1] != '[') text_add_char(out, ',');
}

static void add_key(struct text *out, const char *key) {
  add_comma(out);
  text_printf(out, "\"%s\":", key);
}

static void add_count(struct text *out, const char *key, uint64_t count) {
  add_key(out, key);
  text_printf(out, "%llu", (unsigned long long)count);
}

static void add_name(struct text *out, const char *key, struct str name) {
  add_key(out, key);
  if (name.p)
    text_add_json(out, name);
  else
    text_add(out, STR("null"));
}

/* {"count":…,"exact":…}. */
static void add_users(struct text *out, const char *key, const struct distinct *users) {
  add_key(out, key);
  text_printf(out, "{\"count\":%llu,\"exact\":%s}", (unsigned long long)distinct_count(users),
              distinct_is_exact(users) ? "true" : "false");
}

static void add_spot(const struct report *report, struct replay_spot spot) {
  const struct replay_place place = replay_find(report->map, report->plan->options, spot);
  add_name(report->out, "file", str_from_cstr(place.file));
  add_count(report->out, "line", place.line);
}

static void add_first(const struct report *report, struct replay_spot spot) {
  add_key(report->out, "first");
  text_add_char(report->out, '{');
  add_spot(report, spot);
  text_add_char(report->out, '}');
}

/* ---- parts ----------------------------------------------------------------------------------- */

static void add_lines(const struct report *report) {
  struct text *out = report->out;
  add_key(out, "lines");
  text_add_char(out, '{');
  add_count(out, "all", report->tally->lines);
  for (int kind = 0; kind < LOG_KINDS; kind++) {
    const struct replay_kind *counts = &report->tally->kinds[kind];
    if (counts->lines == 0) continue;
    add_key(out, log_kind_name((enum log_kind)kind));
    text_add_char(out, '{');
    add_count(out, "count", counts->lines);
    add_first(report, counts->first);
    if (counts->why) add_name(out, "why", str_from_cstr(counts->why));
    text_add_char(out, '}');
  }
  text_add_char(out, '}');
}

static void add_totals(const struct report *report) {
  const struct replay_tally *tally = report->tally;
  struct text *out = report->out;
  add_count(out, "requests", tally->decided);
  add_count(out, "moved", tally->moved);
  add_count(out, "same_variant", tally->same_variant);
  add_count(out, "not_known", tally->unknown + replay_unreadable(tally));
  add_count(out, "no_route", tally->routeless);
  add_count(out, "anonymous", tally->anonymous);
  add_count(out, "other_config", tally->other_config);
  add_users(out, "users", &tally->users);
  add_users(out, "moved_users", &tally->moved_users);
  add_key(out, "differs_from_log");
  text_add_char(out, '{');
  add_count(out, "requests", tally->disagreeing.requests);
  if (tally->disagreeing.requests > 0) add_first(report, tally->disagreeing.first);
  text_add_char(out, '}');
}

static void add_cell(struct text *out, struct str name, const struct replay_cell *cell) {
  add_comma(out);
  text_add_json(out, name);
  text_printf(out, ":{\"requests\":%llu,\"moved\":%llu}", (unsigned long long)cell->requests,
              (unsigned long long)cell->moved);
}

static void add_route(struct text *out, const struct route *route, const struct replay_route *of,
                      bool has_users) {
  add_comma(out);
  text_add_json(out, route->name);
  text_add(out, STR(":{"));
  add_count(out, "requests", of->all.requests);
  add_count(out, "moved", of->all.moved);
  if (has_users) {
    add_users(out, "users", &of->users);
    add_users(out, "moved_users", &of->moved_users);
  }
  add_key(out, "variants");
  text_add_char(out, '{');
  for (size_t i = 0; i < route->variant_count; i++)
    add_cell(out, route->variants[i].name, &of->variants[i]);
  text_add_char(out, '}');
  add_key(out, "rules");
  text_add_char(out, '{');
  for (size_t i = 0; i < route->rule_count; i++)
    if (of->rules[i].requests > 0) add_cell(out, route->rules[i].id, &of->rules[i]);
  text_add_char(out, '}');
  add_cell(out, STR("no_rule"), &of->rules[route->rule_count]);
  text_add_char(out, '}');
}

/* One policy's routes, each with its variants and rules; "moved" of `before` has left, of `after`
 * has come. Users are told once. */
static void add_side(struct text *out, const char *key, const struct policy *policy,
                     const struct replay_route *counts, bool has_users) {
  add_key(out, key);
  text_add_char(out, '{');
  for (size_t i = 0; i < policy_route_count(policy); i++) {
    const struct route *route = policy_route(policy, i);
    const struct replay_route *of = &counts[policy_route_number(policy, route)];
    if (of->all.requests > 0) add_route(out, route, of, has_users);
  }
  text_add_char(out, '}');
}

static void add_place(struct text *out, const char *key, const struct decision *decision) {
  const struct route *route = decision->route;
  struct str none = {0};
  add_key(out, key);
  text_add_char(out, '{');
  add_name(out, "route", route ? route->name : none);
  add_name(out, "variant", route ? route->variants[decision->variant].name : none);
  add_name(out, "upstream", explain_upstream(decision));
  add_name(out, "rule", decision->rule ? decision->rule->id : none);
  add_name(out, "reason", str_from_cstr(decide_reason_name(decision->reason)));
  text_add_char(out, '}');
}

static void add_move(const struct report *report, const struct replay_move *move) {
  struct text *out = report->out;
  text_add_char(out, '{');
  add_place(out, "before", &move->before);
  add_place(out, "after", &move->after);
  add_key(out, "moved");
  text_add(out, move->moved ? STR("true") : STR("false"));
  add_count(out, "requests", move->requests);
  add_users(out, "users", &move->users);
  add_key(out, "examples");
  text_add_char(out, '[');
  for (size_t i = 0; i < move->example_count; i++) {
    add_comma(out);
    text_add_char(out, '{');
    add_spot(report, move->examples[i].spot);
    text_add(out, move->examples[i].json);
    text_add_char(out, '}');
  }
  text_add(out, STR("]}"));
}

static void add_moves(const struct report *report, struct arena *arena) {
  const struct replay_move **sorted = replay_sort_moves(report->tally, arena);
  add_key(report->out, "moves");
  text_add_char(report->out, '[');
  for (size_t i = 0; sorted && i < report->tally->move_count; i++) {
    add_comma(report->out);
    add_move(report, sorted[i]);
  }
  text_add_char(report->out, ']');
  add_count(report->out, "moves_of_other_kinds", report->tally->other_moves);
}

static void add_reasons(const struct report *report, struct arena *arena) {
  const struct replay_tally *tally = report->tally;
  const struct replay_reason **sorted = replay_sort_reasons(tally, arena);
  struct text *out = report->out;
  add_key(out, "unknown");
  text_add_char(out, '[');
  for (size_t i = 0; sorted && i < tally->reason_count; i++) {
    add_comma(out);
    text_add_char(out, '{');
    add_name(out, "why", sorted[i]->text);
    add_count(out, "requests", sorted[i]->requests);
    add_first(report, sorted[i]->first);
    text_add_char(out, '}');
  }
  text_add(out, STR("]"));
}

static void add_guard(struct text *out, const char *key, struct replay_share share, int64_t max) {
  add_key(out, key);
  if (max < 0) {
    text_add(out, STR("null"));
    return;
  }
  text_printf(out, "{\"percent\":%g,\"counted\":%llu,\"of\":%llu,\"ok\":%s}", (double)max / 1e4,
              (unsigned long long)share.moved, (unsigned long long)share.of,
              replay_is_within(share, max) ? "true" : "false");
}

void replay_report_json(const struct replay_plan *plan, const struct replay_tally *tally,
                        const struct replay_map *map, struct text *out) {
  const struct report report = {plan, tally, map, out};
  struct arena *arena = arena_new(REPORT_ARENA_BYTES);
  if (!arena) return;
  text_add_char(out, '{');
  add_lines(&report);
  add_totals(&report);
  add_side(out, "before", plan->before, tally->before, true);
  add_side(out, "after", plan->after, tally->after, false);
  add_moves(&report, arena);
  add_reasons(&report, arena);
  add_key(out, "guards");
  text_add_char(out, '{');
  add_guard(out, "max_moved", replay_requests(tally), plan->options->max_moved);
  add_guard(out, "max_moved_users", replay_users(tally), plan->options->max_moved_users);
  text_add(out, STR("}}\n"));
  arena_free(&arena);
}
