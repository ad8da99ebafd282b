/*
 * route_state: a route's state, and an operator's word on it: /api/v1/routes/NAME/state.
 *
 * GET tells, PUT overrides, DELETE (or PUT of null) lets the file have its word again. Each answers
 * with how things stand then, and whether a restart will find them so.
 */
#include <cjson/cJSON.h>
#include <stdio.h>

#include "adit/arena.h"
#include "adit/json.h"
#include "adit/log.h"
#include "adit/policy.h"
#include "adit/units.h"
#include "admin_private.h"

enum { SCRATCH_BYTES_MAX = 16 << 20 };

/* ---- how things stand ------------------------------------------------------------------------ */

static void add_state(struct text *out, const char *key, const enum route_state *state) {
  if (state)
    text_printf(out, "%s\"%s\"", key, route_state_name(*state));
  else
    text_printf(out, "%snull", key);
}

void route_state_add(struct text *out, const struct route *route,
                     const struct override_info *override) {
  char since[32];
  const enum route_state *file = route ? &route->state : &override->file_state;
  add_state(out, ",\"state\":", !route ? NULL : override ? &override->state : &route->state);
  add_state(out, ",\"file_state\":", file);
  if (!override) {
    text_add(out, STR(",\"override\":null"));
    return;
  }
  add_state(out, ",\"override\":{\"state\":", &override->state);
  text_printf(out, ",\"since\":\"%.*s\"}",
              STR_ARG(time_format(override->since_ms, since, sizeof(since))));
}

void overrides_kept_add(struct text *out, const struct overrides_report *report) {
  text_add(out, STR(",\"state_file\":"));
  if (report->path)
    text_add_json(out, str_from_cstr(report->path));
  else
    text_add(out, STR("null"));
  text_printf(out, ",\"kept\":%s", report->is_kept ? "true" : "false");
  if (report->is_kept) return;
  text_add(out, STR(",\"why\":"));
  text_add_json(out, str_from_cstr(report->why_not));
}

static const struct route *find_route(const struct policy *policy, struct str name) {
  for (size_t i = 0; i < policy_route_count(policy); i++)
    if (str_eq(policy_route(policy, i)->name, name)) return policy_route(policy, i);
  return NULL;
}

void answer_no_route(const struct policy *policy, struct str name, struct answer *answer) {
  const size_t n = policy_route_count(policy);
  struct arena *arena = arena_new(SCRATCH_BYTES_MAX);
  const char **names = arena ? ARENA_ARRAY(arena, const char *, n + 1) : NULL;
  const char *nearest = NULL;
  for (size_t i = 0; names && i < n; i++) {
    names[i] = arena_dup(arena, policy_route(policy, i)->name).p;
    if (!names[i]) names = NULL;
  }
  if (names) nearest = diag_nearest(name, names);
  if (nearest)
    answer_error(answer, 404, "there is no route '%.*s' (did you mean '%s'?)", STR_ARG(name),
                 nearest);
  else
    answer_error(answer, 404, "there is no route '%.*s'; GET /api/v1/routes lists them",
                 STR_ARG(name));
  arena_free(&arena);
}

static void answer_state(struct admin *admin, struct str name, struct answer *answer) {
  struct overrides_report report;
  struct text *out = &answer->body;
  struct policy *policy = gateway_policy_ref(admin->gateway);
  const bool ok = overrides_read(gateway_overrides(admin->gateway), &report);
  const struct route *route = find_route(policy, name);
  const struct override_info *override = ok ? overrides_find(&report, name) : NULL;
  if (!ok) {
    answer_error(answer, 500, "out of memory");
  } else if (!route && !override) {
    answer_no_route(policy, name, answer);
  } else {
    text_add(out, STR("{\"route\":"));
    text_add_json(out, name);
    route_state_add(out, route, override);
    overrides_kept_add(out, &report);
    text_add(out, STR("}\n"));
    answer_json(answer, 200);
  }
  overrides_report_deinit(&report);
  policy_unref(&policy);
}

void ask_route_state(struct admin *admin, const struct request *request, struct answer *answer) {
  answer_state(admin, request->name, answer);
}

/* ---- what is said ---------------------------------------------------------------------------- */

/* Keeps what has changed, and tells the log whether it is kept. `what` is what to say of the route.
 */
static void keep(struct admin *admin, struct str name, const char *what) {
  struct overrides *overrides = gateway_overrides(admin->gateway);
  struct overrides_report report = {0};
  log_write(LOG_WARNING, "route '%.*s': %s, by the admin server", STR_ARG(name), what);
  if (overrides_save(overrides) || !overrides_read(overrides, &report)) {
    overrides_report_deinit(&report);
    return;
  }
  if (report.path)
    log_write(LOG_ERROR, "route '%.*s': a restart will not know of that: %s", STR_ARG(name),
              report.why_not);
  overrides_report_deinit(&report);
}

static void answer_outcome(struct admin *admin, enum override_outcome outcome, struct str name,
                           struct answer *answer) {
  struct policy *policy;
  switch (outcome) {
    case OVERRIDE_DONE:
      answer_state(admin, name, answer);
      return;
    case OVERRIDE_NO_ROUTE:
      policy = gateway_policy_ref(admin->gateway);
      answer_no_route(policy, name, answer);
      policy_unref(&policy);
      return;
    case OVERRIDE_NO_CANARY:
      answer_error(answer, 409,
                   "route '%.*s' has no canary that could answer all requests: give on, drain or "
                   "off",
                   STR_ARG(name));
      return;
    case OVERRIDE_TOO_MANY:
      answer_error(answer, 409,
                   "%d routes are overridden, and no more can be: take one back, or change the "
                   "rule file",
                   OVERRIDES_MAX);
      return;
  }
}

/* Nothing is promised any more that the successor would not know of. */
static bool is_handed_over(struct admin *admin, struct answer *answer) {
  if (gateway_stage(admin->gateway) != GATEWAY_SUCCEEDED) return false;
  answer_error(answer, 503, "another process is just taking over: ask once more");
  return true;
}

static void set_state(struct admin *admin, struct str name, enum route_state state,
                      struct answer *answer) {
  char what[128];
  if (is_handed_over(admin, answer)) return;
  enum override_outcome outcome =
      overrides_set_state(gateway_overrides(admin->gateway), name, state, clock_wall_ms());
  (void)snprintf(what, sizeof(what), "state '%s' from now on, whatever its file says",
                 route_state_name(state));
  if (outcome == OVERRIDE_DONE) keep(admin, name, what);
  answer_outcome(admin, outcome, name, answer);
}

void ask_take_state_back(struct admin *admin, const struct request *request,
                         struct answer *answer) {
  if (is_handed_over(admin, answer)) return;
  enum override_outcome outcome =
      overrides_take_back(gateway_overrides(admin->gateway), request->name);
  if (outcome == OVERRIDE_DONE)
    keep(admin, request->name, "its state is what its file says from now on");
  answer_outcome(admin, outcome, request->name, answer);
}

/* ---- the body -------------------------------------------------------------------------------- */

/* {"state": "off"}, or null. False: an error is in `diags`. */
static bool parse_body(const struct json_doc *doc, struct diags *diags, bool *ret_takes_back,
                       enum route_state *ret) {
  static const char *const known[] = {"state", NULL};
  static const char *const states[] = {"on", "drain", "off", "full", NULL};
  static const char example[] = "{\"state\":\"off\"}, or null to let the file have its word again";
  char hint[64];
  const cJSON *root = json_root(doc);
  if (!cJSON_IsObject(root)) {
    json_error(doc, root, diags, example, "the body must be an object, not %s", json_kind(root));
    return false;
  }
  if (!json_check_keys(doc, root, known, "the body", diags)) return false;
  const cJSON *state = cJSON_GetObjectItemCaseSensitive(root, "state");
  *ret_takes_back = cJSON_IsNull(state);
  if (*ret_takes_back) return true;
  if (!cJSON_IsString(state)) {
    json_error(doc, state ? state : root, diags, example, "'state' must be a string or null");
    return false;
  }
  if (route_state_find(json_str(state), ret)) return true;
  const char *meant = diag_did_you_mean(json_str(state), states, hint, sizeof(hint));
  json_error(doc, state, diags, meant ? meant : "on, drain, off or full; null: as the file says",
             "there is no state '%s'", state->valuestring);
  return false;
}

void ask_set_state(struct admin *admin, const struct request *request, struct answer *answer) {
  bool takes_back = false;
  enum route_state state = ROUTE_ON;
  struct diags *diags = diags_new();
  struct json_doc *doc = diags ? json_parse(request->body, "body", JSON_STRICT, diags) : NULL;
  if (!diags)
    answer_error(answer, 500, "out of memory");
  else if (!doc || !parse_body(doc, diags, &takes_back, &state))
    answer_mistake(diags, answer);
  else if (takes_back)
    ask_take_state_back(admin, request, answer);
  else
    set_state(admin, request->name, state, answer);
  json_free(&doc);
  diags_free(&diags);
}
