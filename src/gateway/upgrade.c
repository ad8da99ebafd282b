#include "upgrade.h"

#include "adit/crypto.h"

static const struct str websocket = STR_INIT("websocket");

/* ---- fields ---------------------------------------------------------------------------------- */

/* The value of the only field of that name; p == NULL: none, or several. */
static struct str single(const struct http_field *fields, size_t n, struct str name) {
  struct str value = {0};
  for (size_t i = 0; i < n; i++) {
    if (!str_eq_nocase(fields[i].name, name)) continue;
    if (value.p) return (struct str){0};
    value = fields[i].value;
  }
  return value;
}

/* protocol-name ["/" protocol-version]: the name. */
static struct str protocol_name(struct str protocol) {
  return str_take(protocol, str_find_char(protocol, '/', 0));
}

static bool is_allowed(const struct config *config, struct str protocol) {
  for (size_t i = 0; i < config->upgrade_count; i++)
    if (str_eq_nocase(protocol_name(protocol), config->upgrades[i])) return true;
  return false;
}

/* The first allowed protocol of the Upgrade fields. */
static struct str first_allowed(const struct config *config, const struct http_field *fields,
                                size_t n) {
  for (size_t i = 0; i < n; i++) {
    if (fields[i].id != HTTP_FIELD_UPGRADE) continue;
    struct str rest = fields[i].value, protocol;
    while (http_list_next(&rest, &protocol))
      if (is_allowed(config, protocol)) return protocol;
  }
  return (struct str){0};
}

/* ---- websocket ------------------------------------------------------------------------------- */

/* 16 octets in base64. */
static bool is_websocket_key(struct str key) {
  enum { KEY_CHARS = 24 };
  if (key.n != KEY_CHARS || !str_ends_with(key, STR("=="))) return false;
  for (size_t i = 0; i < KEY_CHARS - 2; i++) {
    const char c = key.p[i];
    if (!ascii_is_alpha(c) && !ascii_is_digit(c) && c != '+' && c != '/') return false;
  }
  return true;
}

static struct str websocket_key(const struct http_request *request) {
  return single(request->fields, request->field_count, STR("sec-websocket-key"));
}

static bool accepts_websocket(const struct http_request *request,
                              const struct http_response *response) {
  const struct str accept =
      single(response->fields, response->field_count, STR("sec-websocket-accept"));
  char expected[WEBSOCKET_ACCEPT_CHARS];
  return crypto_websocket_accept(websocket_key(request), expected) &&
         str_eq(accept, str_make(expected, sizeof(expected)));
}

/* ---- offer and answer ------------------------------------------------------------------------ */

struct str upgrade_offer(const struct config *config, const struct http_request *request) {
  const struct str none = {0};
  if (!request->upgrade || request->method_id == HTTP_METHOD_CONNECT) return none;
  if (request->body == HTTP_BODY_CHUNKED || request->content_length > 0) return none;
  const struct str offer = first_allowed(config, request->fields, request->field_count);
  if (!str_eq_nocase(protocol_name(offer), websocket)) return offer;
  return request->method_id == HTTP_METHOD_GET && is_websocket_key(websocket_key(request)) ? offer
                                                                                           : none;
}

const char *upgrade_refusal(struct str offer, const struct http_request *request,
                            const struct http_response *response) {
  if (offer.n == 0) return "101 that nobody asked for";
  const struct str chosen = single(response->fields, response->field_count, STR("upgrade"));
  if (!response->upgrade || !str_eq_nocase(chosen, offer))
    return "101 that does not name the protocol that was offered";
  if (str_eq_nocase(protocol_name(offer), websocket) && !accepts_websocket(request, response))
    return "101 whose Sec-WebSocket-Accept does not answer the key";
  return NULL;
}

struct str upgrade_wanted(const struct config *config, const struct http_response *response) {
  if (response->status != 426 || !response->upgrade) return (struct str){0};
  return first_allowed(config, response->fields, response->field_count);
}
