#include "strict.h"

#include <stdlib.h>

/* ---- octets ---------------------------------------------------------------------------------- */

static bool is_letter_or_digit(char c) {
  return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9');
}

static bool is_token(struct str s) {
  for (size_t i = 0; i < s.n; i++)
    if (!is_letter_or_digit(s.p[i]) && (s.p[i] == '\0' || !strchr("!#$%&'*+-.^_`|~", s.p[i])))
      return false;
  return s.n > 0;
}

/* Text of a line: no control but the tab. */
static bool is_text(struct str s) {
  for (size_t i = 0; i < s.n; i++) {
    unsigned char c = (unsigned char)s.p[i];
    if ((c < 0x20 && c != '\t') || c == 0x7f) return false;
  }
  return true;
}

static bool is_visible(struct str s) {
  for (size_t i = 0; i < s.n; i++)
    if (s.p[i] <= 0x20 || s.p[i] == 0x7f || s.p[i] == '#') return false;
  return s.n > 0;
}

static struct str without_blanks(struct str s) {
  while (s.n > 0 && (s.p[0] == ' ' || s.p[0] == '\t')) s = str_make(s.p + 1, s.n - 1);
  while (s.n > 0 && (s.p[s.n - 1] == ' ' || s.p[s.n - 1] == '\t')) s.n--;
  return s;
}

/* 1*DIGIT, or 1*HEXDIG, of at most 2^63-1. */
static bool read_number(struct str s, unsigned base, uint64_t *ret) {
  static const char digits[] = "0123456789abcdef";
  *ret = 0;
  for (size_t i = 0; i < s.n; i++) {
    const char *at = s.p[i] ? strchr(digits, s.p[i] | 0x20) : NULL;
    if (!at || at - digits >= (int)base || (*at < 'a' && s.p[i] != *at)) return false;
    if (*ret > (uint64_t)INT64_MAX / base) return false;
    *ret = *ret * base + (uint64_t)(at - digits);
    if (*ret > INT64_MAX) return false;
  }
  return s.n > 0;
}

/* ---- lines and fields ------------------------------------------------------------------------ */

/* Cuts the line before the next CRLF off. False: there is none. */
static bool next_line(struct str *rest, struct str *ret) {
  const char *end = memmem(rest->p, rest->n, "\r\n", 2);
  if (!end) return false;
  *ret = str_make(rest->p, (size_t)(end - rest->p));
  *rest = str_skip(*rest, ret->n + 2);
  return true;
}

/* Field lines up to the empty line. PART: there is none. */
static enum strict_verdict read_fields(struct str *rest, struct strict_fields *ret) {
  ret->n = 0;
  enum strict_verdict verdict = STRICT_WHOLE;
  struct str line;
  while (next_line(rest, &line)) {
    if (line.n == 0) return verdict;
    const char *colon = memchr(line.p, ':', line.n);
    size_t name_n = colon ? (size_t)(colon - line.p) : 0;
    struct str name = str_make(line.p, name_n);
    if (!colon || !is_token(name) || !is_text(line) || ret->n == STRICT_FIELDS_MAX) {
      verdict = STRICT_BAD;
      continue;
    }
    struct str value = without_blanks(str_make(colon + 1, line.n - name_n - 1));
    ret->items[ret->n++] = (struct strict_field){name, value};
  }
  return STRICT_PART;
}

size_t strict_field_count(const struct strict_fields *fields, const char *name) {
  size_t count = 0;
  for (size_t i = 0; i < fields->n; i++)
    if (str_eq_nocase(fields->items[i].name, str_from_cstr(name))) count++;
  return count;
}

struct str strict_field(const struct strict_fields *fields, const char *name) {
  if (strict_field_count(fields, name) != 1) return (struct str){0};
  size_t i = 0;
  while (!str_eq_nocase(fields->items[i].name, str_from_cstr(name))) i++;
  return fields->items[i].value;
}

/* No element that matters here is ever quoted; one that is only looks longer. */
bool strict_list_has(const struct strict_fields *fields, const char *name, struct str element) {
  for (size_t i = 0; i < fields->n; i++) {
    if (!str_eq_nocase(fields->items[i].name, str_from_cstr(name))) continue;
    struct str value = fields->items[i].value;
    for (size_t from = 0, to = 0; to <= value.n; to++) {
      if (to < value.n && value.p[to] != ',') continue;
      if (str_eq_nocase(without_blanks(str_make(value.p + from, to - from)), element)) return true;
      from = to + 1;
    }
  }
  return false;
}

/* ---- heads ----------------------------------------------------------------------------------- */

/* "HTTP/1." DIGIT */
static bool read_version(struct str s, int *ret_minor) {
  if (s.n != 8 || memcmp(s.p, "HTTP/1.", 7) != 0 || s.p[7] < '0' || s.p[7] > '9') return false;
  *ret_minor = s.p[7] - '0';
  return true;
}

/* Content-Length or Transfer-Encoding, once, or neither. */
static bool read_framing(struct strict_head *head, enum strict_framing when_silent) {
  size_t lengths = strict_field_count(&head->fields, "Content-Length");
  size_t codings = strict_field_count(&head->fields, "Transfer-Encoding");
  head->framing = when_silent;
  if (lengths + codings == 0) return true;
  if (lengths + codings > 1) return false;
  if (lengths == 1) {
    head->framing = STRICT_LENGTH;
    return read_number(strict_field(&head->fields, "Content-Length"), 10, &head->length);
  }
  head->framing = STRICT_CHUNKED;
  struct str coding = strict_field(&head->fields, "Transfer-Encoding");
  return head->version_minor > 0 && str_eq_nocase(coding, STR("chunked"));
}

static void read_persistence(struct strict_head *head) {
  bool close = strict_list_has(&head->fields, "Connection", STR("close"));
  bool keep = strict_list_has(&head->fields, "Connection", STR("keep-alive"));
  head->close = close || (head->version_minor == 0 && !keep);
}

/* What no authority holds; the rest is the gateway's to judge. HTTP/1.0 without Host goes on with
 * an empty one (RFC 9112 3.2). */
static bool is_hostlike(struct str s) {
  for (size_t i = 0; i < s.n; i++)
    if (strchr("@/?#\\\"<>^`{|} ", s.p[i])) return false;
  return s.n == 0 || is_visible(s);
}

static bool read_host(const struct strict_head *head) {
  size_t hosts = strict_field_count(&head->fields, "Host");
  if (hosts == 0) return head->version_minor == 0;
  return hosts == 1 && is_hostlike(strict_field(&head->fields, "Host"));
}

static bool read_request_line(struct str line, struct strict_head *ret) {
  const char *first = memchr(line.p, ' ', line.n);
  if (!first) return false;
  ret->method = str_make(line.p, (size_t)(first - line.p));
  struct str rest = str_make(first + 1, line.n - ret->method.n - 1);
  const char *second = memchr(rest.p, ' ', rest.n);
  if (!second) return false;
  ret->target = str_make(rest.p, (size_t)(second - rest.p));
  return is_token(ret->method) && is_visible(ret->target) &&
         read_version(str_make(second + 1, rest.n - ret->target.n - 1), &ret->version_minor);
}

void strict_read_request(struct str input, struct strict_head *ret) {
  *ret = (struct strict_head){.verdict = STRICT_PART};
  struct str rest = input, line;
  if (!next_line(&rest, &line)) return;
  if (line.n == 0 && !next_line(&rest, &line)) return;
  bool good = read_request_line(line, ret);
  ret->verdict = read_fields(&rest, &ret->fields);
  if (ret->verdict != STRICT_WHOLE) return;
  ret->n = input.n - rest.n;
  good = good && read_host(ret) && read_framing(ret, STRICT_NONE);
  read_persistence(ret);
  if (!good) ret->verdict = STRICT_BAD;
}

static bool read_status_line(struct str line, struct strict_head *ret) {
  uint64_t status;
  if (line.n < 12 || line.p[8] != ' ' || !is_text(line)) return false;
  if (line.n > 12 && line.p[12] != ' ') return false;
  if (!read_version(str_make(line.p, 8), &ret->version_minor)) return false;
  if (!read_number(str_make(line.p + 9, 3), 10, &status)) return false;
  ret->status = (int)status;
  return status >= 100 && status <= 599;
}

void strict_read_response(struct str input, struct str method, struct strict_head *ret) {
  *ret = (struct strict_head){.verdict = STRICT_PART};
  struct str rest = input, line;
  if (!next_line(&rest, &line)) return;
  bool good = read_status_line(line, ret);
  ret->verdict = read_fields(&rest, &ret->fields);
  if (ret->verdict != STRICT_WHOLE) return;
  ret->n = input.n - rest.n;
  good = good && read_framing(ret, STRICT_UNTIL_CLOSE);
  read_persistence(ret);
  if (str_eq(method, STR("HEAD")) || ret->status < 200 || ret->status == 204 || ret->status == 304)
    ret->framing = STRICT_NONE;
  if (!good) ret->verdict = STRICT_BAD;
}

/* ---- bodies ---------------------------------------------------------------------------------- */

/* chunk-size [ BWS ";" anything but controls ] */
static bool read_size_line(struct str line, uint64_t *ret) {
  size_t digits = 0;
  while (digits < line.n && (is_letter_or_digit(line.p[digits]))) digits++;
  struct str extension = without_blanks(str_make(line.p + digits, line.n - digits));
  if (line.n > digits && (extension.n == 0 || extension.p[0] != ';')) return false;
  return is_text(line) && read_number(str_make(line.p, digits), 16, ret);
}

static enum strict_verdict read_chunks(struct str *rest, struct strict_body *ret) {
  struct str line;
  uint64_t size;
  while (next_line(rest, &line)) {
    if (!read_size_line(line, &size)) return STRICT_BAD;
    if (size == 0) return read_fields(rest, &ret->trailers);
    bytes_add(&ret->copy, rest->p, size < rest->n ? (size_t)size : rest->n);
    if (rest->n < size || rest->n - size < 2) {
      bool half = rest->n > size && rest->p[size] != '\r';
      return half ? STRICT_BAD : STRICT_PART;
    }
    if (rest->p[size] != '\r' || rest->p[size + 1] != '\n') return STRICT_BAD;
    *rest = str_make(rest->p + size + 2, rest->n - (size_t)size - 2);
  }
  return STRICT_PART;
}

void strict_read_body(const struct strict_head *head, struct str input, bool ended,
                      struct strict_body *ret) {
  *ret = (struct strict_body){.verdict = STRICT_WHOLE, .data = STR("")};
  struct str rest = input;
  switch (head->framing) {
    case STRICT_NONE:
      break;
    case STRICT_LENGTH:
      if (input.n < head->length) ret->verdict = STRICT_PART;
      ret->data = str_make(input.p, input.n < head->length ? input.n : (size_t)head->length);
      rest = str_make(input.p + ret->data.n, input.n - ret->data.n);
      break;
    case STRICT_CHUNKED:
      ret->verdict = read_chunks(&rest, ret);
      ret->data = bytes_str(&ret->copy);
      break;
    case STRICT_UNTIL_CLOSE:
      if (!ended) ret->verdict = STRICT_PART;
      ret->data = input;
      rest = str_make(input.p + input.n, 0);
      break;
  }
  ret->n = input.n - rest.n;
}

void strict_body_free(struct strict_body *body) {
  free(body->copy.p);
  body->copy = (struct bytes){0};
}
