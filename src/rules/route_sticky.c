/*
 * `sticky` of a rule file: the cookie, what a split is drawn by, the salt.
 *
 * `by` is compiled after the rules (route_compile_sticky_by), so that a slot that only a split
 * reads is known as such.
 */
#include <cjson/cJSON.h>

#include "adit/units.h"
#include "route.h"

#define DAY_MS INT64_C(86400000)

enum { TTL_MAX_DAYS = 400, TTL_MIN_MS = 1000, TTL_DEFAULT_DAYS = 7 };

/* ---- one key each ---------------------------------------------------------------------------- */

static void compile_ttl(struct route_compiler *compiler, const struct cJSON *node) {
  struct str text;
  int64_t ms;
  if (!route_want_string(compiler, node, "'sticky.ttl'", &text)) return;
  if (!duration_parse(text, false, &ms)) {
    json_error(compiler->doc, node, compiler->diags, "\"7d\", \"12h\", \"30m\"",
               "'sticky.ttl': '%.*s' is not a duration", STR_ARG(text));
  } else if (ms < TTL_MIN_MS || ms > TTL_MAX_DAYS * DAY_MS) {
    /* Max-Age counts seconds and 0 removes a cookie; browsers cut at 400 days (RFC 6265bis). */
    json_error(compiler->doc, node, compiler->diags, "from \"1s\" to \"400d\"",
               "'sticky.ttl': '%.*s' is too %s", STR_ARG(text), ms < TTL_MIN_MS ? "short" : "long");
  } else {
    compiler->route->sticky.ttl_ms = ms;
  }
}

static void compile_epoch(struct route_compiler *compiler, const struct cJSON *node) {
  double epoch = cJSON_IsNumber(node) ? node->valuedouble : -1;
  if (!(epoch >= 0 && epoch <= INT32_MAX) || epoch != (double)(uint32_t)epoch) {
    json_error(compiler->doc, node, compiler->diags, NULL,
               "'sticky.epoch' must be a whole number from 0 to 2147483647");
    return;
  }
  compiler->route->sticky.epoch = (uint32_t)epoch;
}

/* Whether a browser on `host` takes a cookie for `domain` (RFC 6265 5.1.3). */
static bool is_in_domain(struct str host, struct str domain) {
  struct str name = str_starts_with(host, STR("*.")) ? str_skip(host, 2) : host;
  if (str_eq(name, domain)) return true;
  return name.n > domain.n && str_ends_with(name, domain) && name.p[name.n - domain.n - 1] == '.';
}

static void compile_domain(struct route_compiler *compiler, const struct cJSON *node) {
  struct route *route = compiler->route;
  const char *why, *hint;
  struct str text;
  if (!route_want_string(compiler, node, "'sticky.domain'", &text)) return;
  struct str host = str_starts_with(text, STR(".")) ? str_skip(text, 1) : text;
  if (!route_host_parse(compiler->arena, host, false, &route->sticky.domain, &why, &hint)) {
    json_error(compiler->doc, node, compiler->diags, hint, "'sticky.domain': '%.*s' %s",
               STR_ARG(text), why);
    return;
  }
  for (size_t i = 0; i < route->host_count; i++) {
    if (is_in_domain(route->hosts[i], route->sticky.domain)) continue;
    diags_add(compiler->diags, DIAG_WARNING, json_place(compiler->doc, node),
              "browsers refuse the cookie there", "'sticky.domain': host '%.*s' is not in '%.*s'",
              STR_ARG(route->hosts[i]), STR_ARG(route->sticky.domain));
  }
}

static void compile_same_site(struct route_compiler *compiler, const struct cJSON *node) {
  static const struct {
    struct str name;
    enum same_site value;
  } known[] = {{STR_INIT("Lax"), SAME_SITE_LAX},
               {STR_INIT("Strict"), SAME_SITE_STRICT},
               {STR_INIT("None"), SAME_SITE_NONE}};
  struct str name;
  if (!route_want_string(compiler, node, "'sticky.same_site'", &name)) return;
  for (size_t i = 0; i < sizeof(known) / sizeof(*known); i++) {
    if (!str_eq_nocase(name, known[i].name)) continue;
    compiler->route->sticky.same_site = known[i].value;
    return;
  }
  json_error(compiler->doc, node, compiler->diags, "Lax, Strict or None",
             "'sticky.same_site': unknown value '%.*s'", STR_ARG(name));
}

static void compile_group(struct route_compiler *compiler, const struct cJSON *node) {
  struct str name;
  if (!route_want_name(compiler, node, "'sticky.group'", &name)) return;
  compiler->route->sticky.group = route_keep(compiler, name);
  compiler->route->private_->group_place = route_place(compiler, node);
}

/* ---- by -------------------------------------------------------------------------------------- */

static bool compile_key(struct route_compiler *compiler, const struct cJSON *node, const char *what,
                        uint16_t *ret) {
  enum attr_type type;
  struct str name;
  const char *what_name = arena_printf(compiler->scratch, "%s: a name in 'by'", what).p;
  if (!what_name || !route_want_string(compiler, node, what_name, &name)) return false;
  if (!attr_catalog_find(compiler->route->catalog, name, &type)) {
    char hint[160];
    json_error(
        compiler->doc, node, compiler->diags,
        diag_did_you_mean(name, attr_catalog_names(compiler->route->catalog), hint, sizeof(hint)),
        "%s: unknown attribute '%.*s' in 'by'", what, STR_ARG(name));
    return false;
  }
  bool is_timed = type == ATTR_DURATION || type == ATTR_WEEKDAY || type == ATTR_TIME_OF_DAY;
  if (is_timed || str_eq(name, STR("now"))) {
    json_error(compiler->doc, node, compiler->diags, "a key stays the same from visit to visit",
               "%s: '%.*s' in 'by' depends on the time", what, STR_ARG(name));
    return false;
  }
  *ret = attr_table_slot(compiler->table, name);
  if (*ret == ATTR_SLOT_NONE) {
    json_error(compiler->doc, node, compiler->diags, "at most 4096 for each file",
               "%s: too many attributes", what);
    return false;
  }
  return true;
}

void route_compile_keys(struct route_compiler *compiler, const struct cJSON *node, const char *what,
                        const uint16_t **ret_slots, size_t *ret_n, const struct str **ret_names) {
  if (!cJSON_IsArray(node)) {
    json_error(compiler->doc, node, compiler->diags, "\"by\": [\"user.id\"]",
               "%s: 'by' must be a list of attributes", what);
    return;
  }
  size_t size = (size_t)cJSON_GetArraySize(node), n = 0;
  uint16_t *slots = ARENA_ARRAY(compiler->arena, uint16_t, size);
  struct str *names = ARENA_ARRAY(compiler->arena, struct str, size);
  if (!slots || !names) return;
  const struct cJSON *item;
  cJSON_ArrayForEach(item, node) {
    if (!compile_key(compiler, item, what, &slots[n])) continue;
    names[n++] = route_keep(compiler, json_str(item));
  }
  *ret_slots = slots;
  *ret_n = n;
  if (ret_names) *ret_names = names;
}

static void default_keys(struct route_compiler *compiler) {
  static const struct str user_id = STR_INIT("user.id");
  struct route_sticky *sticky = &compiler->route->sticky;
  if (!attr_catalog_declares(compiler->route->catalog, user_id)) return;
  uint16_t *slot = ARENA_NEW(compiler->arena, uint16_t);
  if (!slot) return;
  *slot = attr_table_slot(compiler->table, user_id);
  if (*slot == ATTR_SLOT_NONE) {
    diags_add(compiler->diags, DIAG_ERROR, compiler->route->sticky_place,
              "at most 4096 for each file", "'sticky': too many attributes");
    return;
  }
  sticky->by = slot;
  sticky->by_names = &user_id;
  sticky->by_count = 1;
}

void route_compile_sticky_by(struct route_compiler *compiler) {
  struct route_sticky *sticky = &compiler->route->sticky;
  const struct cJSON *node = route_member(compiler->root, "sticky");
  const struct cJSON *by = cJSON_IsObject(node) ? route_member(node, "by") : NULL;
  if (by) {
    route_compile_keys(compiler, by, "'sticky'", &sticky->by, &sticky->by_count, &sticky->by_names);
  } else {
    default_keys(compiler);
  }
}

/* ---- sticky ---------------------------------------------------------------------------------- */

static const char *const sticky_keys[] = {"cookie", "ttl",    "epoch",     "by", "salt",
                                          "group",  "domain", "same_site", NULL};

static void compile_object(struct route_compiler *compiler, const struct cJSON *object) {
  struct route_sticky *sticky = &compiler->route->sticky;
  (void)json_check_keys(compiler->doc, object, sticky_keys, "'sticky'", compiler->diags);
  const struct cJSON *cookie = route_member(object, "cookie");
  const struct cJSON *ttl = route_member(object, "ttl");
  const struct cJSON *epoch = route_member(object, "epoch");
  const struct cJSON *group = route_member(object, "group");
  const struct cJSON *salt = route_member(object, "salt");
  const struct cJSON *domain = route_member(object, "domain");
  const struct cJSON *same_site = route_member(object, "same_site");
  struct str text;
  if (cookie) (void)route_want_bool(compiler, cookie, "'sticky.cookie'", &sticky->cookie);
  if (ttl) compile_ttl(compiler, ttl);
  if (epoch) compile_epoch(compiler, epoch);
  if (group) compile_group(compiler, group);
  if (salt && route_want_string(compiler, salt, "'sticky.salt'", &text)) {
    sticky->salt = route_keep(compiler, text);
  }
  if (domain) compile_domain(compiler, domain);
  if (same_site) compile_same_site(compiler, same_site);
}

void route_compile_sticky(struct route_compiler *compiler) {
  struct route *route = compiler->route;
  struct route_sticky *sticky = &route->sticky;
  const struct cJSON *node = route_member(compiler->root, "sticky");
  *sticky = (struct route_sticky){
      .cookie = !cJSON_IsFalse(node), .ttl_ms = TTL_DEFAULT_DAYS * DAY_MS, .epoch = 1};
  route->sticky_place = route_place(compiler, node ? node : compiler->root);
  if (cJSON_IsObject(node)) {
    compile_object(compiler, node);
  } else if (node && !cJSON_IsFalse(node)) {
    json_error(compiler->doc, node, compiler->diags, NULL, "'sticky' must be an object or false");
  }
  struct str scope = sticky->group.p ? sticky->group : route->name;
  if (!sticky->salt.p) sticky->salt = scope;
  sticky->cookie_name = arena_printf(compiler->arena, "adit_%.*s", STR_ARG(scope));
}
