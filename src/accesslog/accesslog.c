/*
 * accesslog: the members of a line, and what they make of a request.
 *
 *   log_read ─► read_members ─► take_member        the line's texts, as views (line.c)
 *                           └─► take_attributes    the values that were looked at
 *            ─► judge ─► fill_request              what can be decided again
 */
#include "adit/accesslog.h"

#include <stdlib.h>

#include "adit/units.h"
#include "line.h"

/* The members that are read; the gateway writes them in this order, among others. */
enum member {
  MEMBER_TIME,
  MEMBER_CLIENT_IP,
  MEMBER_METHOD,
  MEMBER_SCHEME,
  MEMBER_HOST,
  MEMBER_PATH,
  MEMBER_QUERY,
  MEMBER_ROUTE,
  MEMBER_VARIANT,
  MEMBER_RULE,
  MEMBER_REASON,
  MEMBER_CONFIG,
  MEMBER_NOW,
  MEMBER_COOKIE,
  MEMBER_PIN,
  MEMBER_DECIDED,
  MEMBER_DECIDED_REASON,
  MEMBER_OVERRIDE,
  MEMBER_TEXTS, /* those above are texts or null */
  MEMBER_BUCKET = MEMBER_TEXTS,
  MEMBER_ATTRIBUTES,
  MEMBER_CUT,
  MEMBER_READ, /* what follows is passed over; known, so that it is recognised fast */
  MEMBER_COUNT = MEMBER_READ + 15
};

static const struct str NAMES[MEMBER_COUNT] = {
    STR_INIT("time"),        STR_INIT("client_ip"),      STR_INIT("method"),
    STR_INIT("scheme"),      STR_INIT("host"),           STR_INIT("path"),
    STR_INIT("query"),       STR_INIT("route"),          STR_INIT("variant"),
    STR_INIT("rule"),        STR_INIT("reason"),         STR_INIT("config"),
    STR_INIT("now"),         STR_INIT("cookie"),         STR_INIT("pin"),
    STR_INIT("decided"),     STR_INIT("decided_reason"), STR_INIT("override"),
    STR_INIT("bucket"),      STR_INIT("attributes"),     STR_INIT("cut"),
    STR_INIT("protocol"),    STR_INIT("user_agent"),     STR_INIT("referer"),
    STR_INIT("request_id"),  STR_INIT("status"),         STR_INIT("end"),
    STR_INIT("error"),       STR_INIT("bytes_received"), STR_INIT("bytes_sent"),
    STR_INIT("duration_ms"), STR_INIT("first_byte_ms"),  STR_INIT("connect_ms"),
    STR_INIT("upstream"),    STR_INIT("endpoint"),       STR_INIT("trace_id"),
};

enum { ORDER_MAX = 64 };

struct log_reader {
  /* Lines of one gateway have their members in one order: which one came k-th in the last. */
  uint8_t order[ORDER_MAX];
  struct attr_given given[LOG_ATTRIBUTES_MAX];
  struct str hashes[LOG_ATTRIBUTES_MAX];
  struct str texts[LOG_TEXTS_MAX];
  char paths[(1 + HTTP_PATH_OTHERS_MAX) * LOG_PATH_BYTES_MAX];
};

/* What the members of one line are. */
struct members {
  struct line_scan scan;
  struct log_reader *reader;
  struct log_line *ret;
  struct str texts[MEMBER_TEXTS];
  uint64_t seen;   /* bits, by enum member */
  uint64_t hidden; /* of texts: the line has a hash of them */
  uint64_t lossy;  /* of texts: they have a character that stands for bytes that were no UTF-8 */
  int bucket;
  bool cut;
  size_t given_count, text_count;
  const char *too_large; /* NULL: within the limits */
};

struct log_reader *log_reader_new(void) {
  return calloc(1, sizeof(struct log_reader));
}

void log_reader_free(struct log_reader **reader) {
  free(*reader);
  *reader = NULL;
}

/* ---- kinds ----------------------------------------------------------------------------------- */

const char *log_kind_name(enum log_kind kind) {
  static const char *const names[LOG_KINDS] = {"request",   "refused",   "no_attributes",
                                               "cut",       "combined",  "half",
                                               "too_large", "malformed", "blank"};
  return names[kind];
}

const char *log_kind_advice(enum log_kind kind) {
  switch (kind) {
    case LOG_BARE:
      return "it has no attributes: log with access_log.attributes \"read\" or \"all\"";
    case LOG_CUT:
      return "its method, host or path was cut, was no UTF-8, or is redacted: nobody knows the "
             "route";
    case LOG_COMBINED:
      return "it is of the combined format: log with access_log.format \"json\"";
    case LOG_HALF:
      return "it ends too early: take the log when it is no longer written, or leave the line out";
    case LOG_TOO_LARGE:
      return "it is over a limit of this reader: leave it out";
    case LOG_MALFORMED:
      return "it is no line of adit's access log: is it the right file?";
    case LOG_REQUEST:
    case LOG_REFUSED:
    case LOG_BLANK:
    case LOG_KINDS:
      break;
  }
  return "";
}

/* ---- members --------------------------------------------------------------------------------- */

/* Of which byte sequences U+FFFD stands for, nobody can tell. */
static bool is_lossy(struct str text) {
  return memmem(text.p, text.n, "\xEF\xBF\xBD", 3) != NULL;
}

/* A text, or null: p == NULL. */
static bool take_text(struct members *members, struct str *ret, bool *ret_lossy) {
  struct line_scan *scan = &members->scan;
  bool plain = true;
  *ret = (struct str){0};
  *ret_lossy = false;
  if (line_peek(scan) == 'n') return line_word(scan, STR("null"));
  if (!line_text(scan, ret, &plain)) return false;
  *ret_lossy = !plain && is_lossy(*ret);
  return true;
}

static bool take_bucket(struct members *members) {
  struct line_scan *scan = &members->scan;
  struct str number;
  uint64_t bucket;
  if (line_peek(scan) == 'n') return line_word(scan, STR("null"));
  if (!line_number(scan, &number)) return false;
  if (!str_to_u64(number, BUCKETS - 1, &bucket))
    return line_fail(scan, "'bucket' is no whole number from 0 to 9999");
  members->bucket = (int)bucket;
  return true;
}

static bool take_cut(struct members *members) {
  members->cut = line_peek(&members->scan) == 't';
  return line_word(&members->scan, members->cut ? STR("true") : STR("false"));
}

/* ---- attributes ------------------------------------------------------------------------------ */

/* {"hash": …}, {"undecided": true}, {"cut": …}. */
static bool take_untold(struct members *members, struct attr_given *given, struct str *hash) {
  struct line_scan *scan = &members->scan;
  bool first = true;
  struct str name;
  given->state = GIVEN_UNKNOWN;
  if (!line_take(scan, '{', "a value was expected")) return false;
  while (line_next(scan, &first, '}')) {
    if (!line_name(scan, &name)) return false;
    if (str_eq(name, STR("undecided"))) {
      given->state = GIVEN_UNDECIDED;
      members->ret->has_undecided = true;
    }
    if (str_eq(name, STR("hash")) && line_peek(scan) == '"') {
      if (!line_text(scan, hash->p ? &name : hash, NULL)) return false;
    } else if (!line_skip(scan)) {
      return false;
    }
  }
  return !scan->mistake;
}

/* One value, as a text of the attribute. */
static bool take_value(struct members *members, struct attr_given *given, struct str *hash) {
  struct log_reader *reader = members->reader;
  struct line_scan *scan = &members->scan;
  struct str text;
  bool plain;
  if (line_peek(scan) == '{') return take_untold(members, given, hash);
  if (!line_text(scan, &text, &plain)) return false;
  if (!plain && is_lossy(text)) given->state = GIVEN_UNKNOWN;
  if (members->text_count == LOG_TEXTS_MAX) {
    members->too_large = "more than 4096 values of attributes";
    return true;
  }
  reader->texts[members->text_count++] = text;
  given->n++;
  return true;
}

static bool take_values(struct members *members, struct attr_given *given, struct str *hash) {
  struct line_scan *scan = &members->scan;
  bool first = true;
  given->texts = &members->reader->texts[members->text_count];
  switch (line_peek(scan)) {
    case 'n':
      return line_word(scan, STR("null"));
    case '[':
      scan->at++;
      while (line_next(scan, &first, ']'))
        if (!take_value(members, given, hash)) return false;
      return !scan->mistake;
    default:
      return take_value(members, given, hash);
  }
}

static bool is_given_twice(const struct members *members, struct str name) {
  for (size_t i = 0; i < members->given_count; i++)
    if (str_eq(members->reader->given[i].name, name)) return true;
  return false;
}

static bool take_attributes(struct members *members) {
  struct log_reader *reader = members->reader;
  struct line_scan *scan = &members->scan;
  bool first = true;
  if (line_peek(scan) == 'n') return line_word(scan, STR("null")); /* none was looked at */
  if (!line_take(scan, '{', "'attributes' is no object")) return false;
  while (line_next(scan, &first, '}')) {
    struct attr_given given = {0};
    struct str hash = {0};
    if (!line_name(scan, &given.name)) return false;
    if (is_given_twice(members, given.name)) return line_fail(scan, "an attribute is there twice");
    if (!take_values(members, &given, &hash)) return false;
    if (members->given_count == LOG_ATTRIBUTES_MAX) {
      members->too_large = "more than 1024 attributes";
      continue;
    }
    reader->hashes[members->given_count] = hash;
    reader->given[members->given_count++] = given;
  }
  return !scan->mistake;
}

/* ---- a line ---------------------------------------------------------------------------------- */

/* Takes the name, with its colon, that stood here in the last line. */
static bool take_expected(struct line_scan *scan, struct str name) {
  const size_t more = scan->n - scan->at; /* behind a comma or brace: never more than n */
  const char *at = scan->p + scan->at;
  if (more < name.n + 3 || at[0] != '"' || at[name.n + 1] != '"' || at[name.n + 2] != ':' ||
      memcmp(at + 1, name.p, name.n) != 0)
    return false;
  scan->at += name.n + 3;
  return true;
}

/* The k-th member's name, taken with its colon: MEMBER_COUNT is one that is not known. False: a
 * mistake. */
static bool take_name(struct members *members, size_t k, enum member *ret) {
  struct log_reader *reader = members->reader;
  struct str name;
  *ret = k < ORDER_MAX ? (enum member)reader->order[k] : MEMBER_COUNT;
  if (*ret < MEMBER_COUNT && take_expected(&members->scan, NAMES[*ret])) return true;
  if (!line_name(&members->scan, &name)) return false;
  for (*ret = 0; *ret < MEMBER_COUNT; (*ret)++)
    if (str_eq(name, NAMES[*ret])) break;
  if (k < ORDER_MAX) reader->order[k] = (uint8_t)*ret;
  return true;
}

static bool take_member(struct members *members, enum member member) {
  if (member == MEMBER_COUNT) return line_skip(&members->scan);
  const uint64_t bit = UINT64_C(1) << member;
  if (members->seen & bit) return line_fail(&members->scan, "a member is there twice");
  members->seen |= bit;
  if (member == MEMBER_BUCKET) return take_bucket(members);
  if (member == MEMBER_ATTRIBUTES) return take_attributes(members);
  if (member == MEMBER_CUT) return take_cut(members);
  if (member >= MEMBER_READ) return line_skip(&members->scan);
  bool lossy;
  if (line_peek(&members->scan) == '{') { /* {"hash": …}: redacted */
    members->hidden |= bit;
    return line_skip(&members->scan);
  }
  if (!take_text(members, &members->texts[member], &lossy)) return false;
  if (lossy) members->lossy |= bit;
  return true;
}

static bool read_members(struct members *members) {
  struct line_scan *scan = &members->scan;
  bool first = true;
  enum member member;
  if (!line_take(scan, '{', "a JSON object was expected")) return false;
  for (size_t k = 0; line_next(scan, &first, '}'); k++)
    if (!take_name(members, k, &member) || !take_member(members, member)) return false;
  if (scan->mistake) return false;
  return (line_peek(scan) == '\0' && scan->at >= scan->n) ||
         line_fail(scan, "something stands behind the object");
}

/* ---- what they say --------------------------------------------------------------------------- */

static bool has(const struct members *members, enum member member) {
  return members->seen >> member & 1;
}

static bool find_cookie_verdict(struct str name, enum cookie_verdict *ret) {
  for (int verdict = COOKIE_NOT_READ; verdict <= COOKIE_MALFORMED; verdict++) {
    if (!str_eq(name, str_from_cstr(cookie_verdict_name((enum cookie_verdict)verdict)))) continue;
    *ret = (enum cookie_verdict)verdict;
    return true;
  }
  return false;
}

/* The host as rules see it, in place. */
static struct str fold_host(struct str host) {
  if (!host.p) return STR("");
  char *p = (char *)(uintptr_t)host.p; /* of the line, which is ours to change */
  for (size_t i = 0; i < host.n; i++) p[i] = ascii_lower(p[i]);
  return host;
}

/* NULL, or what is wrong. */
static const char *fill_path(struct members *members, struct attr_request *request) {
  const struct str raw = members->texts[MEMBER_PATH];
  char *scratch = members->reader->paths;
  if (!http_path_normalise(raw, scratch, &request->path) ||
      !http_path_other_readings(raw, scratch + raw.n, request->other_paths,
                                &request->other_path_count))
    return "its 'path' cannot be normalised";
  return NULL;
}

/* Whether the line does not have the text as it was. What a line leaves out of attributes sets
 * "cut" too: a text is cut where it is as long as a cut one. */
static bool is_untold(const struct members *members, enum member member) {
  return members->hidden >> member & 1 || members->lossy >> member & 1 ||
         (members->cut && members->texts[member].n >= LOG_VALUE_BYTES);
}

/* NULL, or what is wrong. */
static const char *fill_request(struct members *members) {
  const struct str *texts = members->texts;
  struct log_line *line = members->ret;
  struct attr_request *request = &line->request.attr;
  *request = (struct attr_request){.method = texts[MEMBER_METHOD],
                                   .scheme = texts[MEMBER_SCHEME],
                                   .host = fold_host(texts[MEMBER_HOST]),
                                   .query = texts[MEMBER_QUERY],
                                   .given = members->reader->given,
                                   .given_count = members->given_count,
                                   .recorded = true};
  if (!request->method.p || !texts[MEMBER_PATH].p) return "it has no 'method' or 'path'";
  if (!str_eq(request->scheme, STR("http")) && !str_eq(request->scheme, STR("https")))
    return "its 'scheme' is neither http nor https";
  request->untold_query = is_untold(members, MEMBER_QUERY);
  request->untold_client_ip = is_untold(members, MEMBER_CLIENT_IP);
  if (!request->untold_client_ip &&
      (!texts[MEMBER_CLIENT_IP].p || !ip_parse(texts[MEMBER_CLIENT_IP], &request->client_ip)))
    return "its 'client_ip' is no address";
  if (!texts[MEMBER_NOW].p || !time_parse(texts[MEMBER_NOW], &request->now_ms))
    return "its 'now' is no time";
  if (!texts[MEMBER_COOKIE].p || !find_cookie_verdict(texts[MEMBER_COOKIE], &line->recorded.cookie))
    return "its 'cookie' is no verdict";
  if (texts[MEMBER_OVERRIDE].p) {
    line->recorded.overridden = line->route;
    if (!route_state_find(texts[MEMBER_OVERRIDE], &line->recorded.state))
      return "its 'override' is no state";
  }
  line->recorded.pin = texts[MEMBER_PIN];
  line->recorded.bucket = members->bucket;
  if (str_eq(line->decided_reason, STR("forced"))) line->recorded.forced = line->decided;
  line->recorded.was_ambiguous = str_eq(line->decided_reason, STR("ambiguous"));
  line->hashes = members->reader->hashes;
  return fill_path(members, request);
}

static void fill_decision(const struct members *members, struct log_line *line) {
  const struct str *texts = members->texts;
  line->time = texts[MEMBER_TIME];
  line->route = texts[MEMBER_ROUTE];
  line->variant = texts[MEMBER_VARIANT];
  line->rule = texts[MEMBER_RULE];
  line->reason = texts[MEMBER_REASON];
  line->config = texts[MEMBER_CONFIG];
  line->decided = texts[MEMBER_DECIDED];
  line->decided_reason = texts[MEMBER_DECIDED_REASON];
}

/* What kind of line a whole object is. */
static enum log_kind judge(struct members *members) {
  struct log_line *line = members->ret;
  if (!has(members, MEMBER_REASON) || !has(members, MEMBER_ROUTE) || !has(members, MEMBER_CONFIG)) {
    line->why = "it has no 'reason', 'route' and 'config'";
    return LOG_MALFORMED;
  }
  fill_decision(members, line);
  if (!line->reason.p) return LOG_REFUSED;
  if (!has(members, MEMBER_ATTRIBUTES) || !line->decided_reason.p) return LOG_BARE;
  if (is_untold(members, MEMBER_METHOD) || is_untold(members, MEMBER_HOST) ||
      is_untold(members, MEMBER_PATH))
    return LOG_CUT;
  if (members->texts[MEMBER_PATH].n > LOG_PATH_BYTES_MAX)
    members->too_large = "a path of more than 16 KiB";
  line->why = members->too_large;
  if (members->too_large) return LOG_TOO_LARGE;
  line->why = fill_request(members);
  return line->why ? LOG_MALFORMED : LOG_REQUEST;
}

/* Whether the line begins as Apache's do: an address, two names, a date in brackets. */
static bool is_combined(struct str line) {
  struct str part;
  if (line.p[0] == '{') return false;
  for (int i = 0; i < 3; i++)
    if (!str_split_next(&line, ' ', &part) || part.n == 0) return false;
  return line.p && str_starts_with(line, STR("["));
}

static bool is_blank(struct str line) {
  struct line_scan scan = {.p = (char *)(uintptr_t)line.p, .n = line.n};
  return line_peek(&scan) == '\0' && scan.at >= scan.n;
}

void log_read(struct log_reader *reader, char *line, size_t n, struct log_line *ret) {
  struct members members = {
      .scan = {.p = line, .n = n}, .reader = reader, .ret = ret, .bucket = -1};
  *ret = (struct log_line){.kind = LOG_BLANK};
  if (is_blank(str_make(line, n))) return;
  if (n > LOG_LINE_BYTES_MAX) {
    ret->kind = LOG_TOO_LARGE;
    ret->why = "longer than 1 MiB";
  } else if (is_combined(str_make(line, n))) {
    ret->kind = LOG_COMBINED;
  } else if (read_members(&members)) {
    ret->kind = judge(&members);
    ret->request.recorded = &ret->recorded;
  } else {
    ret->kind = members.scan.is_cut && line[0] == '{' ? LOG_HALF : LOG_MALFORMED;
    ret->why = members.scan.mistake;
    ret->column = members.scan.mistake_at + 1;
  }
}
