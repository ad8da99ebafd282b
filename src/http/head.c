/*
 * Scanning and field lines of heads.
 *
 *   head_scan          one pass over the octets as they come: finds the end, refuses controls
 *   head_parse_fields  one pass over the lines of a whole head: fields, and the facts in them
 */
#include "head.h"

#include <assert.h>

#include "chars.h"

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

enum http_parse head_scan(struct str input, const struct head_bounds *bounds,
                          struct http_head_scan *scan, size_t *ret_n, const char **ret_why) {
  const char *p = input.p;
  const size_t end = input.n < bounds->limit_bytes ? input.n : bounds->limit_bytes;
  size_t i = scan->scanned > bounds->start ? scan->scanned : bounds->start;
  for (;;) {
    const size_t stop = scan_stop(end, bounds, scan->line_end == 0);
    i = http_find_control(p, i, stop);
    if (i >= stop) break;
    if (p[i] == '\r' && i + 1 == end) break; /* what follows will tell */
    if (p[i] != '\r' || p[i + 1] != '\n') return head_bad(ret_why, control_why(p[i]));
    if (i == bounds->start) return head_bad(ret_why, "empty start line");
    if (p[i - 1] == '\n') { /* of the CRLF before: an empty line */
      *ret_n = i + 2;
      return HTTP_PARSE_DONE;
    }
    if (scan->line_end == 0) scan->line_end = i;
    i += 2;
  }
  scan->scanned = i;
  return scan_outcome(input, bounds, scan, ret_why);
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
    if (str_eq_nocase(option, STR("close"))) facts->close = true;
    if (str_eq_nocase(option, STR("keep-alive"))) facts->keep_alive = true;
    if (str_eq_nocase(option, STR("upgrade"))) facts->upgrade_option = true;
    if (str_eq_nocase(option, STR("te"))) facts->te_option = true;
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

/* False: a field that may not be repeated was; *ret_why says which. */
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
      note_connection(facts, field->value);
      return true;
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

enum http_parse head_parse_fields(struct str lines, struct http_field *fields, size_t *ret_count,
                                  struct head_facts *ret_facts, const char **ret_why) {
  *ret_facts = (struct head_facts){0};
  size_t count = 0;
  size_t i = 0;
  while (i < lines.n) {
    const size_t begin = i;
    while (http_char_is(lines.p[i], HTTP_CHAR_TOKEN)) i++; /* stops at the line's CR */
    const char *why = NULL;
    if (i == begin || lines.p[i] != ':') {
      return head_bad(ret_why, name_why(lines.p[i], i == begin));
    }
    if (count == HTTP_FIELDS_MAX) {
      *ret_why = "too many fields";
      return HTTP_PARSE_HEAD_LONG;
    }
    const char *line_end = memchr(lines.p + i, '\r', lines.n - i);
    assert(line_end != NULL);
    struct http_field *field = &fields[count++];
    field->name = str_make(lines.p + begin, i - begin);
    field->value = trim(lines.p + i + 1, line_end);
    field->id = http_field_id(field->name);
    if (field->id != HTTP_FIELD_OTHER && !note_field(ret_facts, field, &why)) {
      return head_bad(ret_why, why);
    }
    i = (size_t)(line_end - lines.p) + 2;
  }
  *ret_count = count;
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
