/*
 * Scanning and field lines of heads.
 *
 *   head_scan          one pass over the octets as they come: finds lines and end, refuses controls
 *   head_parse_fields  goes by the lines of a whole head: fields, and the facts in them
 */
#include "head.h"

#include "span.h"

/* ---- scanning -------------------------------------------------------------------------------- */

static const char *control_why(char c) {
  switch (c) {
    case '\n':
      return "line feed without carriage return";
    case '\r':
      return "carriage return without line feed";
    case '\0':
      return "NUL in the head";
    default:
      return "control character in the head";
  }
}

/* Where the scan must stop: at the limit, and while the start line is not over at its limit. */
static size_t scan_stop(size_t end, const struct head_bounds *bounds, bool in_start_line) {
  if (!in_start_line || end <= bounds->start) return end;
  const size_t room = end - bounds->start;
  return room > bounds->start_line_max ? bounds->start + bounds->start_line_max + 1 : end;
}

/* What it means that [0, scanned) holds no end of the head. */
static enum http_parse scan_outcome(struct str input, const struct head_bounds *bounds,
                                    const struct http_head_scan *scan, const char **ret_why) {
  const bool in_start_line = scan->line_end == 0;
  const size_t line_n = scan->scanned > bounds->start ? scan->scanned - bounds->start : 0;
  const bool full = input.n >= bounds->limit_bytes;
  if (in_start_line && (full || line_n > bounds->start_line_max)) {
    *ret_why = "start line too long";
    return bounds->line_long;
  }
  if (!full) return HTTP_PARSE_MORE;
  *ret_why = "head too long";
  return HTTP_PARSE_HEAD_LONG;
}

/* The controls in a head, one after another. */
struct controls {
  const char *p;
  size_t end;
  size_t next;    /* where to look on */
  uint64_t found; /* those of the 64 octets before `next` that were not given yet */
};

/* `end` after the last one. */
static inline size_t next_control(struct controls *controls) {
  while (controls->found == 0) {
    if (controls->next >= controls->end) return controls->end;
    controls->found = http_find_controls(controls->p, controls->next, controls->end);
    controls->next += 64;
  }
  const size_t i = controls->next - 64 + (size_t)__builtin_ctzll(controls->found);
  controls->found &= controls->found - 1;
  return i;
}

static enum http_parse scan_on(struct str input, const struct head_bounds *bounds,
                               struct http_head_scan *scan, struct head_lines *lines,
                               const char **ret_why) {
  const char *p = input.p;
  const size_t end = input.n < bounds->limit_bytes ? input.n : bounds->limit_bytes;
  const size_t from = scan->scanned > bounds->start ? scan->scanned : bounds->start;
  struct controls controls = {.p = p, .end = end, .next = from};
  size_t stop = scan_stop(end, bounds, scan->line_end == 0);
  size_t i, count = 0;
  while ((i = next_control(&controls)) < stop) {
    if (p[i] == '\r' && i + 1 == end) break; /* what follows will tell */
    if (p[i] != '\r' || p[i + 1] != '\n') return head_bad(ret_why, control_why(p[i]));
    (void)next_control(&controls); /* the line feed */
    if (i == 0 || p[i - 1] == '\n') {
      if (scan->line_end == 0) return head_bad(ret_why, "empty start line");
      lines->head_end = i + 2;
      lines->count = count;
      return HTTP_PARSE_DONE;
    }
    if (scan->line_end == 0) {
      scan->line_end = i;
      stop = end;
    } else if (count <= HTTP_FIELDS_MAX) {
      lines->ends[count++] = i;
    }
  }
  scan->scanned = i < stop ? i : stop;
  return scan_outcome(input, bounds, scan, ret_why);
}

enum http_parse head_scan(struct str input, const struct head_bounds *bounds,
                          struct http_head_scan *scan, struct head_lines *lines,
                          const char **ret_why) {
  const bool in_pieces = scan->scanned > bounds->start;
  const enum http_parse outcome = scan_on(input, bounds, scan, lines, ret_why);
  if (outcome != HTTP_PARSE_DONE || !in_pieces) return outcome;
  /* Nobody has kept where earlier lines end: a connection that waits would have to. */
  struct http_head_scan whole = {0};
  return scan_on(input, bounds, &whole, lines, ret_why);
}

/* ---- fields ---------------------------------------------------------------------------------- */

static struct str trim(const char *from, const char *to) {
  while (from < to && (*from == ' ' || *from == '\t')) from++;
  while (from < to && (to[-1] == ' ' || to[-1] == '\t')) to--;
  return str_make(from, (size_t)(to - from));
}

static void note_connection(struct head_facts *facts, struct str value) {
  facts->connection = true;
  struct str option;
  while (http_list_next(&value, &option)) {
    facts->connection_options++;
    if (str_eq_nocase(option, STR("close")))
      facts->close = true;
    else if (str_eq_nocase(option, STR("keep-alive")))
      facts->keep_alive = true;
    else if (str_eq_nocase(option, STR("upgrade")))
      facts->upgrade_option = true;
    else if (str_eq_nocase(option, STR("te")))
      facts->te_option = true;
    else
      facts->nominates = true;
  }
}

static void note_te(struct head_facts *facts, struct str value) {
  struct str coding;
  while (http_list_next(&value, &coding))
    if (str_eq_nocase(coding, STR("trailers"))) facts->te_trailers = true;
}

/* Keeps a value that may come once. */
static bool note_single(struct str *fact, struct str value) {
  if (fact->p != NULL) return false;
  *fact = value;
  return true;
}

/* False: a field that may not be repeated was, or Connection is too long a list; *ret_why says
 * which. */
static bool note_field(struct head_facts *facts, const struct http_field *field,
                       const char **ret_why) {
  switch ((int)field->id) { /* few of many fields matter here */
    case HTTP_FIELD_CONTENT_LENGTH:
      *ret_why = "repeated Content-Length";
      return note_single(&facts->content_length, field->value);
    case HTTP_FIELD_TRANSFER_ENCODING:
      *ret_why = "repeated Transfer-Encoding";
      return note_single(&facts->transfer_encoding, field->value);
    case HTTP_FIELD_HOST:
      *ret_why = "repeated Host";
      return note_single(&facts->host, field->value);
    case HTTP_FIELD_CONNECTION:
      *ret_why = "too many connection options";
      note_connection(facts, field->value);
      return facts->connection_options <= HTTP_CONNECTION_OPTIONS_MAX;
    case HTTP_FIELD_UPGRADE:
      facts->upgrade = true;
      return true;
    case HTTP_FIELD_TE:
      note_te(facts, field->value);
      return true;
    case HTTP_FIELD_EXPECT:
      if (!note_single(&facts->expect, field->value)) facts->repeated_expect = true;
      return true;
    default:
      return true;
  }
}

static const char *name_why(char c, bool empty) {
  const bool blank = c == ' ' || c == '\t';
  if (empty && blank) return "folded field line";
  if (empty) return "field line without a name";
  return blank ? "whitespace before a field's colon" : "malformed field name";
}

enum http_parse head_parse_fields(struct str input, const struct http_head_scan *scan,
                                  const struct head_lines *lines, struct http_field *fields,
                                  size_t *ret_count, struct head_facts *ret_facts,
                                  const char **ret_why) {
  *ret_facts = (struct head_facts){0};
  size_t begin = scan->line_end + 2;
  for (size_t i = 0; i < lines->count; i++) {
    const size_t end = lines->ends[i];
    const size_t colon = http_span_token(input.p, begin, end);
    const char *why = NULL;
    if (colon == begin || input.p[colon] != ':') { /* at the line's end there is CR */
      return head_bad(ret_why, name_why(input.p[colon], colon == begin));
    }
    if (i == HTTP_FIELDS_MAX) {
      *ret_why = "too many fields";
      return HTTP_PARSE_HEAD_LONG;
    }
    struct http_field *field = &fields[i];
    field->name = str_make(input.p + begin, colon - begin);
    field->value = trim(input.p + colon + 1, input.p + end);
    field->id = http_field_id(field->name);
    if (field->id != HTTP_FIELD_OTHER && !note_field(ret_facts, field, &why)) {
      ret_facts->refused = field->id;
      return head_bad(ret_why, why);
    }
    begin = end + 2;
  }
  *ret_count = lines->count;
  return HTTP_PARSE_DONE;
}

/* ---- facts ----------------------------------------------------------------------------------- */

enum http_parse head_parse_version(struct str version, int *ret_minor, const char **ret_why) {
  const bool well_formed = version.n == 8 && str_starts_with(version, STR("HTTP/")) &&
                           ascii_is_digit(version.p[5]) && version.p[6] == '.' &&
                           ascii_is_digit(version.p[7]);
  if (!well_formed) return head_bad(ret_why, "malformed HTTP version");
  if (version.p[5] != '1') {
    *ret_why = "HTTP version is not 1.x";
    return HTTP_PARSE_VERSION;
  }
  *ret_minor = version.p[7] == '0' ? 0 : 1;
  return HTTP_PARSE_DONE;
}

bool head_keeps_alive(const struct head_facts *facts, int version_minor) {
  return !facts->close && (version_minor >= 1 || facts->keep_alive);
}

bool head_parse_length(struct str value, uint64_t *ret) {
  return str_to_u64(value, INT64_MAX, ret);
}
