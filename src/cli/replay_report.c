/*
 * replay_report: what was counted, for people.
 */
#include "adit/arena.h"
#include "cli/replay.h"

enum { NAME_WIDTH = 28, REPORT_ARENA_BYTES = 64 << 20, LINE_BYTES = 8192 };

struct report {
  const struct replay_plan *plan;
  const struct replay_tally *tally;
  const struct replay_map *map;
  struct text *out;
};

/* ---- pieces ---------------------------------------------------------------------------------- */

static void add_count(struct text *out, uint64_t count) {
  text_printf(out, "%llu", (unsigned long long)count);
}

static void add_percent(struct text *out, uint64_t part, uint64_t whole) {
  text_printf(out, "%.2f %%", whole ? 100.0 * (double)part / (double)whole : 0.0);
}

static void add_users(struct text *out, const struct distinct *users) {
  text_printf(out, "%s%llu", distinct_is_exact(users) ? "" : "~",
              (unsigned long long)distinct_count(users));
}

/* "line 12 of access.log". */
static void add_place(const struct report *report, struct replay_spot spot) {
  const struct replay_place place = replay_find(report->map, report->plan->options, spot);
  text_printf(report->out, "line %llu of %s", (unsigned long long)place.line,
              strcmp(place.file, "-") == 0 ? "standard input" : place.file);
}

/* For a terminal: what strangers sent shows, and does nothing. */
static void add_shown(struct text *out, struct str text) {
  char shown[LINE_BYTES];
  size_t n;
  text_escape_controls(text, shown, sizeof(shown), &n);
  text_add(out, str_make(shown, n));
}

/* ---- parts ----------------------------------------------------------------------------------- */

/* "moved  12 of 300 requests (4.00 %)". */
static void add_moved(const struct report *report) {
  const struct replay_tally *tally = report->tally;
  struct text *out = report->out;
  text_add(out, STR("moved     "));
  add_count(out, tally->moved);
  text_add(out, STR(" of "));
  add_count(out, tally->decided);
  text_add(out, STR(" requests ("));
  add_percent(out, tally->moved, tally->decided);
  text_add(out, STR(")\n          "));
  add_users(out, &tally->moved_users);
  text_add(out, STR(" of "));
  add_users(out, &tally->users);
  text_add(out, STR(" users ("));
  add_percent(out, distinct_count(&tally->moved_users), distinct_count(&tally->users));
  text_add_char(out, ')');
  if (tally->anonymous > 0)
    text_printf(out, "; %llu requests tell no user", (unsigned long long)tally->anonymous);
  if (!distinct_is_exact(&tally->users)) text_add(out, STR("; ~: estimated, about 1 % off"));
  text_add_char(out, '\n');
  if (tally->same_variant > 0)
    text_printf(out, "otherwise %llu requests go to the same variant by another rule or reason\n",
                (unsigned long long)tally->same_variant);
}

static void add_doubts(const struct report *report) {
  const struct replay_tally *tally = report->tally;
  struct text *out = report->out;
  const uint64_t unreadable = replay_unreadable(tally);
  if (tally->unknown + unreadable > 0) {
    text_printf(out, "not known %llu requests", (unsigned long long)(tally->unknown + unreadable));
    text_add(out, STR(", which a guard counts as moved\n"));
  }
  if (tally->routeless > 0)
    text_printf(out, "no route  %llu requests, neither now nor then: not counted\n",
                (unsigned long long)tally->routeless);
  if (tally->kinds[LOG_REFUSED].lines > 0)
    text_printf(out, "refused   %llu requests, before anything was decided: not counted\n",
                (unsigned long long)tally->kinds[LOG_REFUSED].lines);
  if (tally->other_config > 0)
    text_printf(out,
                "config    %llu requests were logged under other files than the present ones\n",
                (unsigned long long)tally->other_config);
  if (tally->disagreeing.requests == 0) return;
  text_printf(out,
              "differs   %llu requests are decided otherwise by the present files than the log "
              "says of these: first ",
              (unsigned long long)tally->disagreeing.requests);
  add_place(report, tally->disagreeing.first);
  text_add(out, STR("; see 'adit explain --from-log'\n"));
}

static void add_row(struct text *out, const char *what, struct str name, uint64_t before,
                    uint64_t after, uint64_t left, uint64_t came) {
  text_printf(out, "  %-8s", what);
  text_printf(out, "%-*.*s", NAME_WIDTH, STR_ARG(str_take(name, NAME_WIDTH)));
  text_printf(out, " %12llu %12llu %12llu %12llu\n", (unsigned long long)before,
              (unsigned long long)after, (unsigned long long)left, (unsigned long long)came);
}

static const struct route *find_route(const struct policy *policy, struct str name) {
  for (size_t i = 0; i < policy_route_count(policy); i++)
    if (str_eq(policy_route(policy, i)->name, name)) return policy_route(policy, i);
  return NULL;
}

static size_t find_rule(const struct route *route, struct str id) {
  for (size_t i = 0; route && i < route->rule_count; i++)
    if (str_eq(route->rules[i].id, id)) return i;
  return SIZE_MAX;
}

/* One policy's side of a route: NULL where it has none. */
struct side {
  const struct route *route;
  const struct replay_route *counts;
};

static struct side side_of(const struct policy *policy, const struct replay_route *counts,
                           struct str name) {
  const struct route *route = find_route(policy, name);
  return (struct side){route, route ? &counts[policy_route_number(policy, route)] : NULL};
}

static const struct replay_cell NONE;

static const struct replay_cell *variant_cell(const struct side *side, struct str name) {
  const uint16_t variant = side->route ? route_find_variant(side->route, name) : VARIANT_NONE;
  return variant == VARIANT_NONE ? &NONE : &side->counts->variants[variant];
}

static const struct replay_cell *rule_cell(const struct side *side, size_t rule) {
  return side->route && rule != SIZE_MAX ? &side->counts->rules[rule] : &NONE;
}

static void add_cells(struct text *out, const char *what, struct str name,
                      const struct replay_cell *before, const struct replay_cell *after) {
  if (before->requests + after->requests == 0) return;
  add_row(out, what, name, before->requests, after->requests, before->moved, after->moved);
}

static void add_variants(const struct side *before, const struct side *after, struct text *out) {
  for (size_t i = 0; before->route && i < before->route->variant_count; i++) {
    const struct str name = before->route->variants[i].name;
    add_cells(out, "variant", name, variant_cell(before, name), variant_cell(after, name));
  }
  for (size_t i = 0; after->route && i < after->route->variant_count; i++) {
    const struct str name = after->route->variants[i].name;
    if (!before->route || route_find_variant(before->route, name) == VARIANT_NONE)
      add_cells(out, "variant", name, &NONE, variant_cell(after, name));
  }
}

static void add_rules(const struct side *before, const struct side *after, struct text *out) {
  const size_t n = before->route ? before->route->rule_count : 0;
  for (size_t i = 0; i < n; i++) {
    const struct str id = before->route->rules[i].id;
    if (before->counts->rules[i].requests > 0 || after->route)
      add_cells(out, "rule", id, rule_cell(before, i),
                rule_cell(after, find_rule(after->route, id)));
  }
  for (size_t i = 0; after->route && i < after->route->rule_count; i++) {
    const struct replay_cell *cell = rule_cell(after, i);
    if (cell->requests > 0 && find_rule(before->route, after->route->rules[i].id) == SIZE_MAX)
      add_cells(out, "rule", after->route->rules[i].id, &NONE, cell);
  }
  add_cells(out, "no rule", STR(""), rule_cell(before, n),
            rule_cell(after, after->route ? after->route->rule_count : SIZE_MAX));
}

static void add_route(const struct report *report, struct str name) {
  const struct side before = side_of(report->plan->before, report->tally->before, name);
  const struct side after = side_of(report->plan->after, report->tally->after, name);
  const struct replay_cell *old = before.route ? &before.counts->all : &NONE;
  const struct replay_cell *new = after.route ? &after.counts->all : &NONE;
  struct text *out = report->out;
  if (old->requests + new->requests == 0) return;
  text_printf(out, "\nroute %-*.*s       before        after         left         came\n",
              NAME_WIDTH + 4, STR_ARG(str_take(name, NAME_WIDTH)));
  add_row(out, "all", STR(""), old->requests, new->requests, old->moved, new->moved);
  if (before.route && distinct_count(&before.counts->users) > 0) {
    text_add(out, STR("  users   "));
    add_users(out, &before.counts->users);
    text_add(out, STR(", of whom "));
    add_users(out, &before.counts->moved_users);
    text_add(out, STR(" move\n"));
  }
  add_variants(&before, &after, out);
  add_rules(&before, &after, out);
}

static void add_routes(const struct report *report) {
  const struct policy *before = report->plan->before, *after = report->plan->after;
  for (size_t i = 0; i < policy_route_count(before); i++)
    add_route(report, policy_route(before, i)->name);
  for (size_t i = 0; i < policy_route_count(after); i++)
    if (!find_route(before, policy_route(after, i)->name))
      add_route(report, policy_route(after, i)->name);
}

static void add_move(const struct report *report, const struct replay_move *move) {
  struct text *out = report->out;
  text_printf(out, "%9llu  ", (unsigned long long)move->requests);
  moves_describe(&move->before, &move->after, out);
  if (distinct_count(&move->users) > 0) {
    text_add(out, STR("; users: "));
    add_users(out, &move->users);
  }
  text_add_char(out, '\n');
  for (size_t i = 0; i < move->example_count; i++) {
    text_add(out, STR("             "));
    add_place(report, move->examples[i].spot);
    text_add(out, STR(": "));
    add_shown(out, move->examples[i].text);
    text_add_char(out, '\n');
  }
}

/* Those that move, or those that go to the same place otherwise. */
static void add_moves(const struct report *report, struct arena *arena, bool moved,
                      const char *title) {
  const struct replay_move **sorted = replay_sort_moves(report->tally, arena);
  bool any = false;
  for (size_t i = 0; sorted && i < report->tally->move_count; i++) {
    if (sorted[i]->moved != moved) continue;
    if (!any) text_printf(report->out, "\n%s\n", title);
    any = true;
    add_move(report, sorted[i]);
  }
}

static void add_reasons(const struct report *report, struct arena *arena) {
  const struct replay_tally *tally = report->tally;
  const struct replay_reason **sorted = replay_sort_reasons(tally, arena);
  struct text *out = report->out;
  if (tally->unknown == 0) return;
  text_add(out, STR("\nnot known, and why\n"));
  for (size_t i = 0; sorted && i < tally->reason_count; i++) {
    text_printf(out, "%9llu  ", (unsigned long long)sorted[i]->requests);
    add_shown(out, sorted[i]->text);
    text_add(out, STR("; first "));
    add_place(report, sorted[i]->first);
    text_add_char(out, '\n');
  }
  if (tally->other_reasons > 0)
    text_printf(out, "%9llu  of other kinds\n", (unsigned long long)tally->other_reasons);
  text_add(out,
           STR("           what proposed rules read and present ones do not is in the log with "
               "access_log.attributes \"all\"\n"));
}

static void add_kinds(const struct report *report) {
  struct text *out = report->out;
  bool any = false;
  for (int kind = 0; kind < LOG_KINDS; kind++) {
    const struct replay_kind *counts = &report->tally->kinds[kind];
    const char *advice = log_kind_advice((enum log_kind)kind);
    if (counts->lines == 0 || !advice[0]) continue;
    if (!any) text_add(out, STR("\nlines that cannot be decided\n"));
    any = true;
    text_printf(out, "%9llu  %s: ", (unsigned long long)counts->lines,
                log_kind_name((enum log_kind)kind));
    add_place(report, counts->first);
    if (counts->column > 0) text_printf(out, ", column %zu", counts->column);
    if (counts->why) text_printf(out, ": %s", counts->why);
    text_printf(out, "; %s\n", advice);
  }
}

void replay_report(const struct replay_plan *plan, const struct replay_tally *tally,
                   const struct replay_map *map, struct text *out) {
  const struct report report = {plan, tally, map, out};
  struct arena *arena = arena_new(REPORT_ARENA_BYTES);
  if (!arena) return;
  add_moved(&report);
  add_doubts(&report);
  add_routes(&report);
  add_moves(&report, arena, true, "moves");
  if (tally->other_moves > 0)
    text_printf(out, "%9llu  of other kinds\n", (unsigned long long)tally->other_moves);
  add_moves(&report, arena, false, "to the same variant by another rule or reason");
  add_reasons(&report, arena);
  add_kinds(&report);
  arena_free(&arena);
}
