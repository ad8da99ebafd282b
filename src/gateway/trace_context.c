#include "trace_context.h"

/* version "-" trace-id "-" parent-id "-" trace-flags, in lower-case hexadecimal digits. */
enum { TRACE_ID_AT = 3, PARENT_ID_AT = 36, PARENT_ID_CHARS = 16, FLAGS_AT = 53 };

static bool is_hex(struct str text) {
  for (size_t i = 0; i < text.n; i++)
    if (!ascii_is_digit(text.p[i]) && !(text.p[i] >= 'a' && text.p[i] <= 'f')) return false;
  return true;
}

static bool is_zero(struct str text) {
  for (size_t i = 0; i < text.n; i++)
    if (text.p[i] != '0') return false;
  return true;
}

bool trace_context_parse(struct str value, struct str *ret_trace_id) {
  if (value.n < TRACEPARENT_CHARS) return false;
  const struct str version = str_make(value.p, 2);
  const struct str trace_id = str_make(value.p + TRACE_ID_AT, TRACE_ID_CHARS);
  const struct str parent_id = str_make(value.p + PARENT_ID_AT, PARENT_ID_CHARS);
  if (value.p[TRACE_ID_AT - 1] != '-' || value.p[PARENT_ID_AT - 1] != '-' ||
      value.p[FLAGS_AT - 1] != '-')
    return false;
  if (!is_hex(version) || !is_hex(trace_id) || !is_hex(parent_id) ||
      !is_hex(str_make(value.p + FLAGS_AT, 2)))
    return false;
  if (str_eq(version, STR("ff")) || is_zero(trace_id) || is_zero(parent_id)) return false;
  /* A later version may say more behind a dash; this one may not. */
  if (value.n > TRACEPARENT_CHARS && (is_zero(version) || value.p[TRACEPARENT_CHARS] != '-'))
    return false;
  *ret_trace_id = trace_id;
  return true;
}

struct str trace_context_find(const struct http_field *fields, size_t n) {
  const struct http_field *found = NULL;
  struct str trace_id;
  for (size_t i = 0; i < n; i++) {
    if (fields[i].id != HTTP_FIELD_TRACEPARENT) continue;
    if (found) return (struct str){0};
    found = &fields[i];
  }
  return found && trace_context_parse(found->value, &trace_id) ? trace_id : (struct str){0};
}

/* Zero is no id. */
static void put_hex(uint64_t number, char ret[16]) {
  if (number == 0) number = 1;
  for (int i = 16; i-- > 0; number >>= 4) ret[i] = "0123456789abcdef"[number & 15];
}

void trace_context_begin(const uint64_t random[3], bool sampled, char ret[TRACEPARENT_CHARS]) {
  memcpy(ret, "00-", TRACE_ID_AT);
  put_hex(random[0], ret + TRACE_ID_AT);
  put_hex(random[1], ret + TRACE_ID_AT + 16);
  ret[PARENT_ID_AT - 1] = '-';
  put_hex(random[2], ret + PARENT_ID_AT);
  memcpy(ret + FLAGS_AT - 1, sampled ? "-01" : "-00", 3);
}
