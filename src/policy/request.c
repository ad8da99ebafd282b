/*
 * request: what batch, tests and explain ask, made into what decide() reads.
 *
 * A request has exactly one host: the URL's, which stands in its fields as Host, unless the fields
 * bring a Host of their own. Everything views the URL, the document or the arena.
 */
#include <cjson/cJSON.h>

#include "adit/arena.h"
#include "adit/json.h"
#include "adit/policy.h"
#include "adit/units.h"

/* ---- URLs and fields ------------------------------------------------------------------------- */

/* The host of an authority as the attribute `host` has it. */
static bool set_host(struct str authority, struct arena *arena, struct decide_request *ret) {
  struct str host, port;
  if (!http_authority_parse(authority, &host, &port)) return false;
  if (str_ends_with(host, STR("."))) host.n--;
  if (host.n == 0) return false;
  char *lower = arena_alloc(arena, host.n);
  if (!lower) return false;
  for (size_t i = 0; i < host.n; i++) lower[i] = ascii_lower(host.p[i]);
  ret->attr.host = str_make(lower, host.n);
  return true;
}

static bool take_scheme(struct str *url, struct str *ret) {
  static const struct str schemes[] = {STR_INIT("http"), STR_INIT("https")};
  for (size_t i = 0; i < 2; i++) {
    struct str rest = str_skip(*url, schemes[i].n);
    if (!str_starts_with_nocase(*url, schemes[i]) || !str_starts_with(rest, STR("://"))) continue;
    *ret = schemes[i];
    *url = str_skip(rest, 3);
    return true;
  }
  return false;
}

/* Visible ASCII, as a request line may hold (RFC 9112 3.2). */
static bool is_target_text(struct str s) {
  for (size_t i = 0; i < s.n; i++)
    if (s.p[i] <= 0x20 || s.p[i] >= 0x7f) return false;
  return true;
}

static size_t authority_length(struct str rest) {
  size_t n = 0;
  while (n < rest.n && rest.p[n] != '/' && rest.p[n] != '?') n++;
  return n;
}

static struct http_field host_field(struct str authority) {
  return (struct http_field){.name = STR_INIT("Host"), .value = authority, .id = HTTP_FIELD_HOST};
}

bool request_from_url(struct str url, struct arena *arena, struct decide_request *ret,
                      const char **ret_why) {
  struct str rest = str_take(url, str_find_char(url, '#', 0));
  *ret_why = "it holds blanks, controls or bytes that are not ASCII; percent-encode them";
  if (!is_target_text(rest)) return false;
  *ret_why = "it must begin with http:// or https://";
  if (!take_scheme(&rest, &ret->attr.scheme)) return false;
  *ret_why = "its host is missing or malformed";
  struct str authority = str_take(rest, authority_length(rest));
  if (!set_host(authority, arena, ret)) return false;
  rest = str_skip(rest, authority.n);
  size_t query_at = str_find_char(rest, '?', 0);
  struct str raw_path = str_take(rest, query_at);
  ret->attr.query = query_at < rest.n ? str_skip(rest, query_at + 1) : (struct str){0};
  *ret_why = "not enough memory";
  char *scratch = arena_alloc_array(arena, 1 + HTTP_PATH_OTHERS_MAX, raw_path.n);
  struct http_field *fields = ARENA_NEW(arena, struct http_field);
  if (!scratch || !fields) return false;
  if (raw_path.n == 0) raw_path = STR("/");
  *ret_why =
      "its path cannot be normalised: a malformed '%', '%00', or '..' above the root or beside an "
      "encoded slash";
  if (!http_path_normalise(raw_path, scratch, &ret->attr.path) ||
      !http_path_other_readings(raw_path, scratch + raw_path.n, ret->attr.other_paths,
                                &ret->attr.other_path_count))
    return false;
  *fields = host_field(authority);
  ret->attr.fields = fields;
  ret->attr.field_count = 1;
  return true;
}

static bool make_field(struct str name, struct str value, struct http_field *ret,
                       const char **ret_why) {
  *ret_why = "its name is not a token";
  if (!http_is_token(name)) return false;
  *ret_why = "its value holds control characters";
  if (!http_is_field_value(value)) return false;
  *ret = (struct http_field){.name = name, .value = str_trim(value), .id = http_field_id(name)};
  return true;
}

/* Gives the request `fields[1..n]`, and in fields[0] the URL's Host when they have none. */
static bool adopt_fields(struct http_field *fields, size_t n, struct arena *arena,
                         struct decide_request *ret, const char **ret_why) {
  const struct http_field *host = NULL;
  *ret_why = "Host is given twice";
  for (size_t i = 1; i <= n; i++) {
    if (fields[i].id != HTTP_FIELD_HOST) continue;
    if (host) return false;
    host = &fields[i];
  }
  *ret_why = "Host is malformed";
  if (host && !set_host(host->value, arena, ret)) return false;
  if (!host) fields[0] = ret->attr.fields[0];
  ret->attr.fields = host ? fields + 1 : fields;
  ret->attr.field_count = host ? n : n + 1;
  return true;
}

/* ---- JSON ------------------------------------------------------------------------------------ */

enum request_key {
  KEY_URL,
  KEY_METHOD,
  KEY_HEADERS,
  KEY_CLIENT_IP,
  KEY_TRUSTED,
  KEY_NOW,
  KEY_PIN,
  KEY_BUCKET,
  KEY_ATTRIBUTES,
  KEY_COUNT
};
static const char *const KEYS[KEY_COUNT + 1] = {"url", "method", "headers", "client_ip", "trusted",
                                                "now", "pin",    "bucket",  "attributes"};

struct request_parser {
  const struct json_doc *doc;
  struct arena *arena;
  struct diags *diags;
  struct decide_request *ret;
};

static bool refuse_type(const struct request_parser *parser, const cJSON *node,
                        enum request_key key, const char *wanted) {
  json_error(parser->doc, node, parser->diags, NULL, "request: '%s' must be %s, not %s", KEYS[key],
             wanted, json_kind(node));
  return false;
}

static bool parse_url(const struct request_parser *parser, const cJSON *node) {
  if (!cJSON_IsString(node)) return refuse_type(parser, node, KEY_URL, "a string");
  const char *why;
  if (request_from_url(json_str(node), parser->arena, parser->ret, &why)) return true;
  json_error(parser->doc, node, parser->diags, NULL, "request: bad url '%.*s': %s",
             STR_ARG(json_str(node)), why);
  return false;
}

static bool parse_method(const struct request_parser *parser, const cJSON *node) {
  if (!cJSON_IsString(node)) return refuse_type(parser, node, KEY_METHOD, "a string");
  parser->ret->attr.method = json_str(node);
  if (http_is_token(parser->ret->attr.method)) return true;
  json_error(parser->doc, node, parser->diags, NULL, "request: method '%.*s' is not a token",
             STR_ARG(json_str(node)));
  return false;
}

/* The fields that are filled, from fields[1] on: fields[0] is kept for the URL's Host. */
struct header_list {
  struct http_field *fields;
  size_t n;
};

static bool take_header(const struct request_parser *parser, struct header_list *list,
                        struct str name, const cJSON *value) {
  if (!cJSON_IsString(value)) {
    json_error(parser->doc, value, parser->diags, NULL,
               "request: the value of header '%.*s' must be a string, not %s", STR_ARG(name),
               json_kind(value));
    return false;
  }
  const char *why;
  if (make_field(name, json_str(value), &list->fields[++list->n], &why)) return true;
  json_error(parser->doc, value, parser->diags, NULL, "request: bad header '%.*s': %s",
             STR_ARG(name), why);
  return false;
}

static bool take_pair(const struct request_parser *parser, struct header_list *list,
                      const cJSON *pair) {
  const cJSON *name = cJSON_IsArray(pair) ? pair->child : NULL;
  if (!cJSON_IsString(name) || !name->next || name->next->next) {
    json_error(parser->doc, pair, parser->diags, NULL,
               "request: each of 'headers' must be a pair [\"Name\", \"value\"]");
    return false;
  }
  return take_header(parser, list, json_str(name), name->next);
}

static bool take_member(const struct request_parser *parser, struct header_list *list,
                        const cJSON *member) {
  struct str name = str_from_cstr(member->string);
  if (!cJSON_IsArray(member)) return take_header(parser, list, name, member);
  bool ok = true;
  const cJSON *value;
  cJSON_ArrayForEach(value, member) ok &= take_header(parser, list, name, value);
  return ok;
}

/* At least as many as there will be fields. */
static size_t count_headers(const cJSON *headers) {
  size_t n = 0;
  const cJSON *child, *value;
  cJSON_ArrayForEach(child, headers) {
    if (cJSON_IsArray(headers) || !cJSON_IsArray(child))
      n++;
    else
      cJSON_ArrayForEach(value, child) n++;
  }
  return n;
}

static bool refuse_headers(const struct request_parser *parser, const cJSON *node,
                           const char *why) {
  json_error(parser->doc, node, parser->diags, NULL, "request: bad headers: %s", why);
  return false;
}

static bool parse_headers(const struct request_parser *parser, const cJSON *node) {
  if (!cJSON_IsArray(node) && !cJSON_IsObject(node))
    return refuse_type(parser, node, KEY_HEADERS, "an object or a list of pairs");
  size_t n = count_headers(node);
  if (n > HTTP_FIELDS_MAX) return refuse_headers(parser, node, "more than 100 fields");
  struct header_list list = {.fields = ARENA_ARRAY(parser->arena, struct http_field, n + 1)};
  if (!list.fields) return refuse_headers(parser, node, "not enough memory");
  bool ok = true;
  const cJSON *child;
  cJSON_ArrayForEach(child, node) ok &=
      cJSON_IsArray(node) ? take_pair(parser, &list, child) : take_member(parser, &list, child);
  const char *why;
  if (!ok) return false;
  return adopt_fields(list.fields, n, parser->arena, parser->ret, &why) ||
         refuse_headers(parser, node, why);
}

static bool parse_client_ip(const struct request_parser *parser, const cJSON *node) {
  if (!cJSON_IsString(node)) return refuse_type(parser, node, KEY_CLIENT_IP, "a string");
  if (ip_parse(json_str(node), &parser->ret->attr.client_ip)) return true;
  json_error(parser->doc, node, parser->diags, NULL,
             "request: client_ip '%.*s' is not an IP address", STR_ARG(json_str(node)));
  return false;
}

static bool parse_trusted(const struct request_parser *parser, const cJSON *node) {
  if (!cJSON_IsBool(node)) return refuse_type(parser, node, KEY_TRUSTED, "true or false");
  parser->ret->attr.trusted = cJSON_IsTrue(node);
  return true;
}

/* A string or a number, like any time in a rule file. */
static bool parse_now(const struct request_parser *parser, const cJSON *node) {
  if (!cJSON_IsString(node) && !cJSON_IsNumber(node))
    return refuse_type(parser, node, KEY_NOW, "a time");
  struct str text = cJSON_IsString(node) ? json_str(node) : json_raw(parser->doc, node);
  if (time_parse(text, &parser->ret->attr.now_ms)) return true;
  json_error(parser->doc, node, parser->diags, "such as \"2026-01-01T00:00:00Z\"",
             "request: now '%.*s' is not a time", STR_ARG(text));
  return false;
}

static bool parse_pin(const struct request_parser *parser, const cJSON *node) {
  if (!cJSON_IsString(node)) return refuse_type(parser, node, KEY_PIN, "a variant's name");
  parser->ret->pin = json_str(node);
  return true;
}

static bool parse_bucket(const struct request_parser *parser, const cJSON *node) {
  double number = cJSON_IsNumber(node) ? cJSON_GetNumberValue(node) : -1;
  if (number < 0 || number >= BUCKETS || number != (double)(unsigned)number) {
    json_error(parser->doc, node, parser->diags, NULL,
               "request: 'bucket' must be a whole number from 0 to 9999");
    return false;
  }
  parser->ret->has_bucket = true;
  parser->ret->bucket = (unsigned)number;
  return true;
}

/* A scalar as the text that a source would give. */
static bool given_text(const struct request_parser *parser, const cJSON *node, struct str *ret) {
  if (cJSON_IsString(node)) {
    *ret = json_str(node);
    return true;
  }
  if (!cJSON_IsNumber(node) && !cJSON_IsBool(node)) return false;
  *ret = json_raw(parser->doc, node);
  return true;
}

/* A scalar, a list of them, or null: missing. */
static bool parse_given(const struct request_parser *parser, const cJSON *node,
                        struct attr_given *ret) {
  ret->name = str_from_cstr(node->string);
  if (cJSON_IsNull(node)) return true;
  const bool is_list = cJSON_IsArray(node);
  struct str *texts = ARENA_ARRAY(parser->arena, struct str,
                                  is_list ? (size_t)cJSON_GetArraySize(node) : (size_t)1);
  bool ok = texts != NULL;
  for (const cJSON *value = is_list ? node->child : node; ok && value;
       value = is_list ? value->next : NULL)
    ok = given_text(parser, value, &texts[ret->n++]);
  ret->texts = texts;
  if (ok) return true;
  json_error(parser->doc, node, parser->diags, NULL,
             "request: the value of attribute '%s' must be a string, a number, true, false, a list "
             "of these, or null (missing)",
             node->string);
  return false;
}

static bool parse_attributes(const struct request_parser *parser, const cJSON *node) {
  if (!cJSON_IsObject(node)) return refuse_type(parser, node, KEY_ATTRIBUTES, "an object of names");
  struct attr_request *request = &parser->ret->attr;
  struct attr_given *given =
      ARENA_ARRAY(parser->arena, struct attr_given, (size_t)cJSON_GetArraySize(node));
  bool ok = given != NULL;
  const cJSON *member;
  if (given) {
    cJSON_ArrayForEach(member, node) ok &=
        parse_given(parser, member, &given[request->given_count++]);
  }
  request->given = given;
  return ok;
}

/* By enum request_key; url is the first, since headers may replace its host. */
static bool (*const PARSERS[KEY_COUNT])(const struct request_parser *parser, const cJSON *node) = {
    [KEY_URL] = parse_url,
    [KEY_METHOD] = parse_method,
    [KEY_HEADERS] = parse_headers,
    [KEY_CLIENT_IP] = parse_client_ip,
    [KEY_TRUSTED] = parse_trusted,
    [KEY_NOW] = parse_now,
    [KEY_PIN] = parse_pin,
    [KEY_BUCKET] = parse_bucket,
    [KEY_ATTRIBUTES] = parse_attributes,
};

static enum request_key find_key(const char *name) {
  int key = 0;
  while (key < KEY_COUNT && strcmp(KEYS[key], name) != 0) key++;
  return (enum request_key)key;
}

/* The members by key. False: one is unknown. */
static bool sort_members(const struct request_parser *parser, const cJSON *object,
                         const cJSON *nodes[KEY_COUNT]) {
  bool known = true;
  const cJSON *member;
  cJSON_ArrayForEach(member, object) {
    enum request_key key = find_key(member->string);
    if (key == KEY_COUNT)
      known = false;
    else
      nodes[key] = member;
  }
  return known || json_check_keys(parser->doc, object, KEYS, "request", parser->diags);
}

static struct decide_request default_request(int64_t now_ms) {
  struct decide_request request = {0};
  request.attr.method = STR("GET");
  request.attr.client_ip.bytes[10] = request.attr.client_ip.bytes[11] = 0xff;
  request.attr.client_ip.bytes[12] = 127;
  request.attr.client_ip.bytes[15] = 1;
  request.attr.trusted = true;
  request.attr.now_ms = now_ms;
  return request;
}

bool request_from_json(const struct json_doc *doc, const struct cJSON *object, struct arena *arena,
                       int64_t now_ms, struct decide_request *ret, bool *ret_has_now,
                       struct diags *diags) {
  struct decide_request request = default_request(now_ms);
  const struct request_parser parser = {doc, arena, diags, &request};
  if (!cJSON_IsObject(object)) {
    json_error(doc, object, diags, "at least { \"url\": \"http://host/path\" }",
               "a request must be an object, not %s", json_kind(object));
    return false;
  }
  const cJSON *nodes[KEY_COUNT] = {0};
  bool ok = sort_members(&parser, object, nodes);
  if (!nodes[KEY_URL]) {
    json_error(doc, object, diags, "such as \"http://host/path\"", "request: has no 'url'");
    return false;
  }
  ok &= parse_url(&parser, nodes[KEY_URL]);
  if (!request.attr.fields) return false;
  for (int key = KEY_URL + 1; key < KEY_COUNT; key++)
    if (nodes[key]) ok &= PARSERS[key](&parser, nodes[key]);
  if (!ok) return false;
  *ret = request;
  if (ret_has_now) *ret_has_now = nodes[KEY_NOW] != NULL;
  return true;
}

struct str request_refused_attribute(const struct attr_request *request,
                                     const struct route *route) {
  for (size_t i = 0; i < request->given_count; i++)
    if (!attr_table_takes_given(route->table, request->given[i].name))
      return request->given[i].name;
  return (struct str){0};
}
