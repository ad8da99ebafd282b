#include "h1_write.h"

enum { LINE_OVERHEAD = 4, FRAMING_BYTES = 128, STATUS_LINE_BYTES = 16 };

static char *put(char *at, struct str s) {
  if (s.n > 0) memcpy(at, s.p, s.n);
  return at + s.n;
}

static size_t fields_size(const struct field_list *list) {
  size_t size = 0;
  for (size_t i = 0; i < list->n; i++)
    size += list->items[i].name.n + list->items[i].value.n + LINE_OVERHEAD;
  return size;
}

size_t h1_request_size(const struct request_out *head) {
  return head->method.n + head->target_prefix.n + head->target.n + STATUS_LINE_BYTES +
         fields_size(&head->fields) + head->upgrade.n + FRAMING_BYTES;
}

size_t h1_response_size(const struct response_out *head) {
  return STATUS_LINE_BYTES + head->reason.n + fields_size(&head->fields) + head->upgrade.n +
         FRAMING_BYTES;
}

static char *put_field(char *at, struct str name, struct str value) {
  at = put(at, name);
  *at++ = ':';
  *at++ = ' ';
  at = put(at, value);
  *at++ = '\r';
  *at++ = '\n';
  return at;
}

static char *put_fields(char *at, const struct field_list *list, const struct h1_framing *framing) {
  for (size_t i = 0; i < list->n; i++)
    at = put_field(at, list->items[i].name, list->items[i].value);
  if (framing->chunked) at = put(at, STR("Transfer-Encoding: chunked\r\n"));
  if (framing->connection.n > 0) at = put_field(at, STR("Connection"), framing->connection);
  if (framing->te_trailers) at = put(at, STR("Connection: TE\r\nTE: trailers\r\n"));
  if (framing->upgrade.n > 0) {
    at = put(at, STR("Connection: Upgrade\r\n"));
    at = put_field(at, STR("Upgrade"), framing->upgrade);
  }
  *at++ = '\r';
  *at++ = '\n';
  return at;
}

size_t h1_write_request(char *to, const struct request_out *head,
                        const struct h1_framing *framing) {
  char *at = put(to, head->method);
  *at++ = ' ';
  at = put(at, head->target_prefix);
  at = put(at, head->target);
  at = put(at, STR(" HTTP/1.1\r\n"));
  at = put_fields(at, &head->fields, framing);
  return (size_t)(at - to);
}

size_t h1_write_response(char *to, const struct response_out *head,
                         const struct h1_framing *framing) {
  char *at = put(to, STR("HTTP/1.1 "));
  *at++ = (char)('0' + head->status / 100);
  *at++ = (char)('0' + head->status / 10 % 10);
  *at++ = (char)('0' + head->status % 10);
  *at++ = ' '; /* also before an empty reason (RFC 9112 4) */
  at = put(at, head->reason);
  *at++ = '\r';
  *at++ = '\n';
  at = put_fields(at, &head->fields, framing);
  return (size_t)(at - to);
}

size_t h1_write_chunk(char *to, struct str data) {
  static const char hex[] = "0123456789abcdef";
  char digits[16];
  size_t count = 0;
  for (size_t n = data.n; n > 0; n >>= 4) digits[count++] = hex[n & 15];
  char *at = to;
  while (count > 0) *at++ = digits[--count];
  at = put(at, STR("\r\n"));
  at = put(at, data);
  at = put(at, STR("\r\n"));
  return (size_t)(at - to);
}

size_t h1_end_size(const struct field_list *trailers) {
  return fields_size(trailers) + sizeof("0\r\n\r\n");
}

size_t h1_write_end(char *to, const struct field_list *trailers) {
  char *at = put(to, STR("0\r\n"));
  return (size_t)(put_fields(at, trailers, &(struct h1_framing){0}) - to);
}

size_t h1_append_body(struct buffer *out, struct str data, bool chunked) {
  size_t overhead = chunked ? H1_CHUNK_OVERHEAD : 0;
  size_t room = buffer_room(out);
  if (room <= overhead || data.n == 0) return 0;
  struct str part = str_take(data, room - overhead);
  char *at = out->p + out->end;
  out->end += chunked ? h1_write_chunk(at, part) : (size_t)(put(at, part) - at);
  return part.n;
}
