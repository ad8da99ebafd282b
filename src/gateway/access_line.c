/*
 * access_line: one request as a line of the access log.
 *
 *   pieces    numbers, times, values that somebody else has chosen
 *   request   what of it goes into a line, as views or as a copy
 *   formats   JSON, and the combined format of Apache
 */
#include "access_line.h"

#include <stdlib.h>
#include <time.h>

#include "trace_context.h"

/* ---- pieces ---------------------------------------------------------------------------------- */

static void add_number(struct text *text, int64_t number) {
  char digits[24];
  size_t at = sizeof(digits);
  uint64_t rest = number < 0 ? 0 : (uint64_t)number;
  do digits[--at] = (char)('0' + rest % 10);
  while ((rest /= 10) > 0);
  text_add(text, str_make(digits + at, sizeof(digits) - at));
}

/* `number` below 1000, in three digits. */
static void add_thousandths(struct text *text, int64_t number) {
  const char digits[] = {'.', (char)('0' + number / 100), (char)('0' + number / 10 % 10),
                         (char)('0' + number % 10)};
  text_add(text, str_make(digits, sizeof(digits)));
}

/* A second as the format has it, made once for all lines of it. */
static void add_second(struct access_line *line, int64_t second) {
  const bool json = line->format == CONFIG_LOG_JSON;
  if (second != line->second) {
    const time_t at = (time_t)second;
    struct tm utc;
    gmtime_r(&at, &utc);
    strftime(line->date, sizeof(line->date), json ? "%Y-%m-%dT%H:%M:%S" : "%d/%b/%Y:%H:%M:%S +0000",
             &utc);
    line->second = second;
  }
  text_add(&line->text, str_from_cstr(line->date));
}

static void add_instant(struct access_line *line, int64_t ms) {
  add_second(line, ms / 1000);
  add_thousandths(&line->text, ms % 1000);
  text_add_char(&line->text, 'Z');
}

static struct str cut(struct str value) {
  return str_take(value, ACCESS_VALUE_BYTES_MAX);
}

/* ---- request --------------------------------------------------------------------------------- */

/* Absent while there is nothing to be seen. */
static struct str present(struct str value) {
  return value.n > 0 ? value : (struct str){0};
}

void access_request_read(const struct http_request *request, struct access_request *ret) {
  *ret =
      (struct access_request){.method = present(request->method),
                              .target = present(request->target),
                              .host = present(request->host),
                              .path = present(request->raw_path),
                              .query = request->query,
                              .trace_id = trace_context_find(request->fields, request->field_count),
                              .version_minor = request->version_minor};
  for (size_t i = 0; i < request->field_count; i++) {
    const struct http_field *field = &request->fields[i];
    if (field->id == HTTP_FIELD_X_REQUEST_ID) ret->request_id = present(field->value);
    if (field->id != HTTP_FIELD_OTHER) continue;
    if (str_eq_nocase(field->name, STR("user-agent"))) ret->user_agent = present(field->value);
    if (str_eq_nocase(field->name, STR("referer"))) ret->referer = present(field->value);
  }
}

struct access_request *access_request_copy(const struct access_request *request) {
  struct access_request made = *request;
  struct str *const views[] = {&made.method,  &made.target,     &made.host,
                               &made.path,    &made.query,      &made.user_agent,
                               &made.referer, &made.request_id, &made.trace_id};
  enum { VIEWS = sizeof(views) / sizeof(*views) };
  size_t bytes = sizeof(made);
  for (size_t i = 0; i < VIEWS; i++) bytes += cut(*views[i]).n;
  struct access_request *copy = malloc(bytes);
  if (!copy) return NULL;
  char *at = (char *)(copy + 1);
  for (size_t i = 0; i < VIEWS; i++) {
    const struct str value = cut(*views[i]);
    if (!value.p) continue;
    memcpy(at, value.p, value.n);
    *views[i] = str_make(at, value.n);
    at += value.n;
  }
  *copy = made;
  return copy;
}

/* ---- JSON ------------------------------------------------------------------------------------ */

/* `name` with what stands around it: ,"name": */
static void add_value(struct text *text, struct str name, struct str value) {
  text_add(text, name);
  if (value.p)
    text_add_json(text, cut(value));
  else
    text_add(text, STR("null"));
}

/* The same, or its hash. */
static void add_field(struct access_line *line, struct str name, struct str value, bool hashed) {
  if (!hashed || !value.p) {
    add_value(&line->text, name, value);
    return;
  }
  text_add(&line->text, name);
  access_hash_add(&line->text, line->hmac, value);
}

static void add_count(struct text *text, struct str name, int64_t number) {
  text_add(text, name);
  if (number >= 0)
    add_number(text, number);
  else
    text_add(text, STR("null"));
}

/* Microseconds as milliseconds. */
static void add_time(struct text *text, struct str name, int64_t us) {
  add_count(text, name, us < 0 ? us : us / 1000);
  if (us >= 0) add_thousandths(text, us % 1000);
}

static struct str end_name(enum access_end end) {
  switch (end) {
    case ACCESS_COMPLETE:
      return STR("complete");
    case ACCESS_CUT:
      return STR("cut");
    case ACCESS_CLIENT_GONE:
      return STR("client_gone");
    case ACCESS_STOPPED:
      break;
  }
  return STR("stopped");
}

static struct str protocol_of(const struct access_request *request) {
  if (!request->method.p) return (struct str){0};
  return request->version_minor == 0 ? STR("HTTP/1.0") : STR("HTTP/1.1");
}

static void add_request_json(struct access_line *line, const struct access_entry *entry) {
  const struct access_request *request = &entry->request;
  const struct str scheme = entry->https ? STR("https") : STR("http");
  const unsigned hides = entry->hides;
  struct text *text = &line->text;
  add_value(text, STR(",\"method\":"), request->method);
  add_value(text, STR(",\"scheme\":"), request->method.p ? scheme : (struct str){0});
  add_field(line, STR(",\"host\":"), request->host, hides & ACCESS_HIDES_HOST);
  add_field(line, STR(",\"path\":"), request->path, hides & ACCESS_HIDES_PATH);
  add_field(line, STR(",\"query\":"), request->query, hides & ACCESS_HIDES_QUERY);
  add_value(text, STR(",\"protocol\":"), protocol_of(request));
  add_field(line, STR(",\"user_agent\":"), request->user_agent, hides & ACCESS_HIDES_USER_AGENT);
  add_field(line, STR(",\"referer\":"), request->referer, hides & ACCESS_HIDES_REFERER);
  add_field(line, STR(",\"request_id\":"), entry->request_id, hides & ACCESS_HIDES_REQUEST_ID);
}

/* Whether a line does not show what decisions go by as it was. */
static bool is_cut(const struct access_request *request) {
  const struct str values[] = {request->method, request->host, request->path, request->query};
  for (size_t i = 0; i < sizeof(values) / sizeof(*values); i++)
    if (values[i].n > ACCESS_VALUE_BYTES_MAX || !str_is_utf8(values[i])) return true;
  return false;
}

static void add_decision_json(struct access_line *line, const struct access_entry *entry) {
  static const struct access_decision none = {0};
  const struct access_decision *decision = entry->decision ? entry->decision : &none;
  struct text *text = &line->text;
  if (entry->decision) {
    text_add(text, STR(",\"now\":\""));
    add_instant(line, decision->now_ms);
    text_add(text, STR("\""));
  } else {
    text_add(text, STR(",\"now\":null"));
  }
  add_value(text, STR(",\"cookie\":"), decision->cookie);
  add_value(text, STR(",\"pin\":"), decision->pin);
  add_value(text, STR(",\"decided\":"), decision->variant);
  add_value(text, STR(",\"decided_reason\":"), decision->reason);
  add_value(text, STR(",\"override\":"), decision->override);
  text_add(text, STR(",\"attributes\":"));
  text_add(text, decision->attributes.p ? decision->attributes : STR("null"));
  text_add(text, STR(",\"cut\":"));
  text_add(text, decision->left_out || is_cut(&entry->request) ? STR("true") : STR("false"));
}

static void make_json(struct access_line *line, const struct access_entry *entry) {
  struct text *text = &line->text;
  char ip[48];
  text_add(text, STR("{\"time\":\""));
  add_instant(line, entry->began_ms);
  text_add(text, STR("\""));
  add_field(line, STR(",\"client_ip\":"), ip_format(&entry->client_ip, ip, sizeof(ip)),
            entry->hides & ACCESS_HIDES_CLIENT_IP);
  add_request_json(line, entry);
  add_count(text, STR(",\"status\":"), entry->status > 0 ? entry->status : -1);
  add_value(text, STR(",\"end\":"), end_name(entry->end));
  add_value(text, STR(",\"error\":"), entry->error);
  add_count(text, STR(",\"bytes_received\":"), entry->bytes_received);
  add_count(text, STR(",\"bytes_sent\":"), entry->bytes_sent);
  add_time(text, STR(",\"duration_ms\":"), entry->duration_us);
  add_time(text, STR(",\"first_byte_ms\":"), entry->first_byte_us);
  add_time(text, STR(",\"connect_ms\":"), entry->connect_us);
  add_value(text, STR(",\"upstream\":"), entry->upstream);
  add_value(text, STR(",\"endpoint\":"), entry->endpoint);
  add_count(text, STR(",\"retries\":"), entry->retries);
  add_value(text, STR(",\"route\":"), entry->route);
  add_value(text, STR(",\"variant\":"), entry->variant);
  add_value(text, STR(",\"rule\":"), entry->rule);
  add_value(text, STR(",\"reason\":"), entry->reason);
  add_count(text, STR(",\"bucket\":"), entry->bucket);
  add_value(text, STR(",\"config\":"), entry->config);
  add_value(text, STR(",\"trace_id\":"), entry->trace_id);
  if (line->has_decision) add_decision_json(line, entry);
  text_add(text, STR("}\n"));
}

/* ---- combined -------------------------------------------------------------------------------- */

/* As Apache escapes: what would end the quotes or the line, and bytes that are no printable ASCII.
 */
static void add_inside(struct text *text, struct str value) {
  value = cut(value);
  for (size_t from = 0; from < value.n;) {
    size_t to = from;
    while (to < value.n && value.p[to] != '"' && value.p[to] != '\\') to++;
    text_add_escaped(text, str_make(value.p + from, to - from));
    if (to < value.n) text_add(text, str_make((char[]){'\\', value.p[to]}, 2));
    from = to + 1;
  }
}

static void add_quoted(struct text *text, struct str value) {
  text_add_char(text, '"');
  add_inside(text, value.p ? value : STR("-"));
  text_add_char(text, '"');
}

static void add_request_line(struct text *text, const struct access_request *request) {
  if (!request->method.p) {
    add_quoted(text, request->method);
    return;
  }
  text_add_char(text, '"');
  add_inside(text, request->method);
  text_add_char(text, ' ');
  add_inside(text, request->target);
  text_add_char(text, ' ');
  text_add(text, protocol_of(request));
  text_add_char(text, '"');
}

static void make_combined(struct access_line *line, const struct access_entry *entry) {
  const struct access_request *request = &entry->request;
  struct text *text = &line->text;
  char ip[48];
  text_add(text, ip_format(&entry->client_ip, ip, sizeof(ip)));
  text_add(text, STR(" - - ["));
  add_second(line, entry->began_ms / 1000);
  text_add(text, STR("] "));
  add_request_line(text, request);
  text_add_char(text, ' ');
  add_number(text, entry->status);
  text_add_char(text, ' ');
  if (entry->bytes_sent > 0)
    add_number(text, entry->bytes_sent);
  else
    text_add_char(text, '-');
  text_add_char(text, ' ');
  add_quoted(text, request->referer);
  text_add_char(text, ' ');
  add_quoted(text, request->user_agent);
  text_add_char(text, '\n');
}

/* ---- life ------------------------------------------------------------------------------------ */

bool access_line_init(struct access_line *line, const struct config_access_log *config,
                      struct str key) {
  *line = (struct access_line){.format = config->format,
                               .has_decision = config->attributes != CONFIG_LOG_NONE,
                               .hmac = hmac_new(key),
                               .second = -1};
  text_init(&line->text, ACCESS_LINE_BYTES_MAX);
  return line->hmac && text_reserve(&line->text, ACCESS_LINE_BYTES_MAX);
}

void access_line_deinit(struct access_line *line) {
  hmac_free(&line->hmac);
  text_deinit(&line->text);
}

struct str access_line_make(struct access_line *line, const struct access_entry *entry) {
  text_clear(&line->text);
  if (line->format == CONFIG_LOG_JSON)
    make_json(line, entry);
  else
    make_combined(line, entry);
  return text_str(&line->text);
}
