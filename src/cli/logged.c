#include "cli/logged.h"

#include "adit/arena.h"
#include "adit/hash.h"
#include "adit/text.h"

struct logged_index {
  const struct policy *policy;
  struct str_set *routes;
  struct str_set **rules; /* of each route, in the policy's order */
};

struct logged_index *logged_index_new(struct arena *arena, const struct policy *policy) {
  const size_t n = policy_route_count(policy);
  struct logged_index *index = ARENA_NEW(arena, struct logged_index);
  if (!index) return NULL;
  *index = (struct logged_index){policy, str_set_new(arena, n + 1),
                                 ARENA_ARRAY(arena, struct str_set *, n + 1)};
  if (!index->routes || !index->rules) return NULL;
  for (size_t i = 0; i < n; i++) {
    const struct route *route = policy_route(policy, i);
    index->rules[i] = str_set_new(arena, route->rule_count + 1);
    if (!index->rules[i]) return NULL;
    str_set_add(index->routes, route->name, i);
    for (size_t k = 0; k < route->rule_count; k++)
      str_set_add(index->rules[i], route->rules[k].id, k);
  }
  return index;
}

bool logged_is_current(const struct logged_index *index, const struct log_line *line) {
  return str_eq(line->config, policy_hash(index->policy));
}

static size_t find_route(const struct logged_index *index, const struct log_line *line) {
  return line->route.p ? str_set_find(index->routes, line->route) : STR_SET_NONE;
}

const struct rule *logged_find_rule(const struct logged_index *index, const struct log_line *line) {
  const size_t i = find_route(index, line);
  if (i == STR_SET_NONE || !line->rule.p) return NULL;
  const size_t k = str_set_find(index->rules[i], line->rule);
  return k == STR_SET_NONE ? NULL : &policy_route(index->policy, i)->rules[k];
}

static const struct split *find_split(const struct logged_index *index, const struct log_line *line,
                                      const struct route *route) {
  if (!line->rule.p) return route->has_default_split ? &route->default_split : NULL;
  const struct rule *rule = logged_find_rule(index, line);
  return rule && rule->to == VARIANT_NONE ? &rule->split : NULL;
}

void logged_find_then(const struct logged_index *index, bool as_now, struct log_line *line) {
  struct decide_recorded *recorded = &line->recorded;
  const size_t i = find_route(index, line);
  if (i == STR_SET_NONE) return;
  const struct route *route = policy_route(index->policy, i);
  const bool off = str_eq(line->decided_reason, STR("off")); /* then nobody looked for force */
  if (!off && (as_now || !recorded->forced.p)) recorded->force_of = route;
  if (!as_now) return;
  recorded->route = route;
  recorded->split = find_split(index, line, route);
}

static bool same_name(struct str logged, bool is_there, struct str name) {
  return is_there ? logged.p && str_eq(logged, name) : !logged.p;
}

bool logged_is_same(const struct log_line *line, const struct decision *decision) {
  const struct route *route = decision->route;
  const bool drew = decision->bucket >= 0 && line->recorded.bucket >= 0;
  return str_eq(line->decided_reason, str_from_cstr(decide_reason_name(decision->reason))) &&
         same_name(line->route, route, route ? route->name : STR("")) &&
         same_name(line->decided, route,
                   route ? route->variants[decision->variant].name : STR("")) &&
         same_name(line->rule, decision->rule, decision->rule ? decision->rule->id : STR("")) &&
         (!drew || decision->bucket == line->recorded.bucket);
}

/* Why an attribute is not known. */
static struct str reason_of(const struct attr_request *request, struct str name) {
  const struct str hidden = STR(" is redacted or cut in the log");
  if (str_eq(name, STR("client_ip"))) return hidden; /* nothing else befalls it */
  for (size_t i = 0; i < request->given_count; i++) {
    if (!str_eq(request->given[i].name, name)) continue;
    return request->given[i].state == GIVEN_UNKNOWN
               ? hidden
               : STR(" would be read otherwise by the proposed files");
  }
  return request->untold_query && str_starts_with(name, STR("query.")) ? hidden
                                                                       : STR(" is not in the log");
}

void logged_format_unknown(const struct decide_request *request, const struct decision *decision,
                           struct text *out) {
  struct str name;
  if (request->recorded->was_ambiguous) {
    text_add(out, STR("the path was ambiguous, so that the line tells nothing else"));
    return;
  }
  switch (decision->unknown) {
    case UNKNOWN_NOTHING:
      break;
    case UNKNOWN_ATTRIBUTE:
      name = attr_table_name(decision->route->table, decision->unknown_slot);
      text_add(out, STR("attribute "));
      text_add(out, name);
      text_add(out, reason_of(&request->attr, name));
      break;
    case UNKNOWN_FORCE:
      text_add(out, request->recorded->forced.p
                        ? STR("the log does not tell by what the request forced a variant")
                        : STR("the log does not tell whether the request forces a variant here"));
      break;
    case UNKNOWN_PIN:
      text_add(out, STR("the log does not tell whether a cookie pinned a variant"));
      break;
    case UNKNOWN_BUCKET:
      text_add(out, STR("the log does not tell what this visitor draws here"));
      break;
  }
}
