#include "heads.h"

/* ---- fields ---------------------------------------------------------------------------------- */

/* Of a list that NULL ends; a '*' at an element's end stands for anything. */
static bool is_one_of(struct str name, const char *const *names) {
  for (; *names; names++) {
    struct str one = str_from_cstr(*names);
    if (str_ends_with(one, STR("*")) && str_starts_with_nocase(name, str_take(one, one.n - 1)))
      return true;
    if (str_eq_nocase(name, one)) return true;
  }
  return false;
}

/* What is never sent on to the other side. */
static const char *const forbidden[] = {"Keep-Alive", "Proxy-Connection", "HTTP2-Settings",
                                        "X-Canary-Token", NULL};

/* clang-format off */
/* What may be missing on the other side, or be another there. */
static const char *const not_kept[] = {
    "Connection", "Keep-Alive", "Proxy-Connection", "TE", "Upgrade", "HTTP2-Settings", "Trailer",
    "Host", "Transfer-Encoding", "X-Canary-Token", "Expect", "Forwarded", "X-Real-IP", "X-Adit*",
    "X_Adit*", "X-Forwarded-*", "Max-Forwards", "X-Request-Id",
    "traceparent", "tracestate", NULL};
static const char *const added_to_requests[] = {
    "Host", "Transfer-Encoding", "Connection", "TE", "Upgrade", "X-Forwarded-For",
    "X-Forwarded-Proto", "X-Forwarded-Host", "X-Request-Id", "Via", "Max-Forwards",
    "X-Adit-Variant", "X-Adit-Rule", "traceparent", NULL};
static const char *const added_to_copies[] = {
    "Host", "Transfer-Encoding", "Content-Length", "Connection", "X-Forwarded-For", "X-Forwarded-Proto",
    "X-Forwarded-Host", "X-Request-Id", "Via", "X-Adit-Variant", "X-Adit-Rule", "X-Adit-Mirror", "traceparent", NULL};
static const char *const added_to_responses[] = {
    "Date", "Set-Cookie", "Cache-Control", "Vary", "X-Adit-Decision", "Transfer-Encoding",
    "Connection", "Upgrade", NULL};
static const char *const never_trailers[] = {
    "Content-Length", "Transfer-Encoding", "Host", "Connection", "Trailer", "TE", "Upgrade",
    "Set-Cookie", "Authorization", "Content-Type", "Content-Encoding", NULL};
/* clang-format on */

/* Where the field stands in the list, from `at`; the list's size: nowhere. */
static size_t find(const struct strict_fields *list, const struct strict_field *field, size_t at) {
  while (at < list->n && !(str_eq(list->items[at].name, field->name) &&
                           str_eq(list->items[at].value, field->value)))
    at++;
  return at;
}

/* Every field that was sent is one that came, in their order, or one that is added; and none is
 * lost that must be kept. */
static const char *fields_wrong(const struct strict_fields *came, const struct strict_fields *sent,
                                const char *const *added) {
  bool kept[STRICT_FIELDS_MAX] = {false};
  size_t next = 0;
  for (size_t i = 0; i < sent->n; i++) {
    const struct strict_field *field = &sent->items[i];
    if (is_one_of(field->name, forbidden)) return "a field that must not be sent on";
    if (str_eq_nocase(field->name, STR("Max-Forwards"))) continue; /* counted down, one by one */
    size_t at = find(came, field, next);
    if (at == came->n && !is_one_of(field->name, added)) return "a field that did not come";
    if (at == came->n) continue;
    kept[at] = true;
    next = at + 1;
  }
  for (size_t i = 0; i < came->n; i++) {
    struct str name = came->items[i].name;
    bool may_go = is_one_of(name, not_kept) || strict_list_has(came, "Connection", name);
    if (!kept[i] && !may_go) return "a field was lost";
  }
  return NULL;
}

const char *heads_trailers_wrong(const struct strict_fields *came,
                                 const struct strict_fields *sent) {
  size_t next = 0;
  for (size_t i = 0; i < sent->n; i++) {
    const struct strict_field *field = &sent->items[i];
    if (is_one_of(field->name, never_trailers) || is_one_of(field->name, forbidden))
      return "a trailer that must not be sent on";
    next = find(came, field, next);
    if (next++ == came->n) return "a trailer that did not come";
  }
  return NULL;
}

/* ---- requests -------------------------------------------------------------------------------- */

bool heads_nominate(const struct strict_head *head, const char *name) {
  return head->version_minor > 0 && strict_field_count(&head->fields, name) > 0 &&
         strict_list_has(&head->fields, "Connection", str_from_cstr(name));
}

/* Connection says Upgrade or TE, and the client has said so too; or close; or it is not there. */
static const char *connection_wrong(const struct strict_head *came,
                                    const struct strict_head *sent) {
  static const char *const names[] = {"Upgrade", "TE"};
  size_t said = 0;
  for (size_t i = 0; i < 2; i++) {
    size_t count = strict_field_count(&sent->fields, names[i]);
    said += count;
    bool same = count == 1 && heads_nominate(sent, names[i]) && heads_nominate(came, names[i]);
    if (count > 0 && !same) return "a hop-by-hop field that did not come";
  }
  size_t closes = strict_list_has(&sent->fields, "Connection", STR("close"));
  bool alone = said <= 1 && strict_field_count(&sent->fields, "Connection") == said + closes;
  return alone ? NULL : "a Connection that names something else";
}

/* A target in parts: "http://host/path" is sent as "/path", its authority as Host. */
struct target {
  struct str host, path;
  bool lacks_slash;
};

static bool read_target(const struct strict_head *came, struct target *ret) {
  *ret = (struct target){.host = strict_field(&came->fields, "Host"), .path = came->target};
  if (came->target.p[0] == '/' || str_eq(came->target, STR("*"))) return true;
  const char *after = memmem(came->target.p, came->target.n, "://", 3);
  if (!after) return false;
  struct str rest = str_skip(came->target, (size_t)(after - came->target.p) + 3);
  size_t n = 0;
  while (n < rest.n && rest.p[n] != '/' && rest.p[n] != '?') n++;
  ret->host = str_take(rest, n);
  ret->path = str_skip(rest, n);
  ret->lacks_slash = ret->path.n == 0 || ret->path.p[0] == '?';
  if (ret->path.n > 0 || !str_eq(came->method, STR("OPTIONS"))) return true;
  ret->path = STR("*");
  ret->lacks_slash = false;
  return true;
}

static const char *target_wrong(const struct strict_head *came, const struct strict_head *sent) {
  struct target target;
  if (!read_target(came, &target)) return "a target of no known form";
  struct str host = strict_field(&sent->fields, "Host"), path = sent->target;
  if (!host.p || !str_eq(host, target.host)) return "another Host";
  if (target.lacks_slash && path.p[0] != '/') return "a target without a slash";
  if (target.lacks_slash) path = str_skip(path, 1);
  return str_eq(path, target.path) ? NULL : "another target";
}

const char *heads_request_wrong(const struct strict_head *came, const struct strict_head *sent) {
  if (came->verdict != STRICT_WHOLE) return "a malformed request was sent on";
  if (sent->version_minor != 1) return "a request of another version";
  if (!str_eq(sent->method, came->method)) return "another method";
  if (sent->framing != came->framing || sent->length != came->length) return "another framing";
  const char *wrong = target_wrong(came, sent);
  if (!wrong) wrong = connection_wrong(came, sent);
  return wrong ? wrong : fields_wrong(&came->fields, &sent->fields, added_to_requests);
}

const char *heads_copy_wrong(const struct strict_head *came, const struct strict_head *sent) {
  if (came->verdict != STRICT_WHOLE) return "a copy of a malformed request";
  if (strict_field_count(&sent->fields, "Upgrade") > 0)
    return "a copy that offers another protocol";
  const char *wrong = target_wrong(came, sent);
  return wrong ? wrong : fields_wrong(&came->fields, &sent->fields, added_to_copies);
}

/* ---- responses ------------------------------------------------------------------------------- */

const char *heads_response_wrong(const struct strict_head *came, const struct strict_head *sent) {
  if (came->status != sent->status) return "another status";
  struct strict_fields fields = came->fields;
  if (came->status < 200 || came->status == 204) { /* must not have it, whatever came */
    size_t kept = 0;
    for (size_t i = 0; i < fields.n; i++)
      if (!str_eq_nocase(fields.items[i].name, STR("Content-Length")))
        fields.items[kept++] = fields.items[i];
    fields.n = kept;
  }
  return fields_wrong(&fields, &sent->fields, added_to_responses);
}
