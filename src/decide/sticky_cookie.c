/*
 * sticky_cookie: the value of the sticky cookie (docs/adr/0003-sticky-cookie.md).
 *
 *   1~KEY~VARIANT~EPOCH~ID~ISSUED~TAG
 *
 * KEY is the key's id, VARIANT may be empty (no pin), ID the anonymous id and TAG the HMAC-SHA256,
 * both in base64url, ISSUED milliseconds since 1970. '~' is in no name and no number, and is a
 * cookie-octet (RFC 6265 4.1.1). The tag is over the fields' texts as they stand, the cookie's name
 * and a text that says what is signed, each with its length before it, so that no two different
 * cookies have one message.
 */
#include <inttypes.h>
#include <stdio.h>

#include "decide_private.h"

enum cookie_field {
  FIELD_VERSION,
  FIELD_KEY,
  FIELD_VARIANT,
  FIELD_EPOCH,
  FIELD_ID,
  FIELD_ISSUED,
  FIELD_COUNT /* signed ones; the tag follows */
};

enum {
  ID_TEXT_MAX = (ANONYMOUS_ID_BYTES * 4 + 2) / 3,
  TAG_TEXT_MAX = (HMAC_TAG_BYTES * 4 + 2) / 3,
  LENGTH_BYTES = 4,
  ISSUED_AHEAD_MAX_MS = 24 * 60 * 60 * 1000 /* clocks differ, but not by more than a day */
};

static const char FIELD_SEPARATOR = '~';

static bool sign(struct hmac *hmac, struct str cookie_name, const struct str fields[FIELD_COUNT],
                 uint8_t ret[HMAC_TAG_BYTES]) {
  enum { SIGNED = FIELD_COUNT + 2 };
  struct str texts[SIGNED] = {STR("adit sticky cookie"), cookie_name};
  for (size_t i = 0; i < FIELD_COUNT; i++) texts[i + 2] = fields[i];
  char lengths[SIGNED][LENGTH_BYTES];
  struct str parts[SIGNED * 2];
  for (size_t i = 0; i < SIGNED; i++) {
    for (size_t k = 0; k < LENGTH_BYTES; k++)
      lengths[i][k] = (char)(texts[i].n >> (8 * (LENGTH_BYTES - 1 - k)));
    parts[2 * i] = str_make(lengths[i], LENGTH_BYTES);
    parts[2 * i + 1] = texts[i];
  }
  return hmac_tag(hmac, parts, SIGNED * 2, ret);
}

static struct str bytes_view(const uint8_t *bytes, size_t n) {
  return str_make((const char *)bytes, n);
}

size_t sticky_cookie_write(struct decider *decider, struct str cookie_name,
                           const struct sticky_cookie *cookie, char *ret) {
  if (decider->key_count == 0 || cookie->issued_ms < 0) return 0;
  char epoch[16], issued[24], id[ID_TEXT_MAX], tag_text[TAG_TEXT_MAX];
  int epoch_n = snprintf(epoch, sizeof(epoch), "%" PRIu32, cookie->epoch);
  int issued_n = snprintf(issued, sizeof(issued), "%" PRId64, cookie->issued_ms);
  size_t id_n = base64url_encode(bytes_view(cookie->anonymous_id, ANONYMOUS_ID_BYTES), id);
  const struct str fields[FIELD_COUNT] = {
      [FIELD_VERSION] = STR_INIT("1"),   [FIELD_KEY] = decider->keys[0].id,
      [FIELD_VARIANT] = cookie->variant, [FIELD_EPOCH] = str_make(epoch, (size_t)epoch_n),
      [FIELD_ID] = str_make(id, id_n),   [FIELD_ISSUED] = str_make(issued, (size_t)issued_n),
  };
  uint8_t tag[HMAC_TAG_BYTES];
  if (!sign(decider->hmacs[0], cookie_name, fields, tag)) return 0;
  size_t tag_n = base64url_encode(bytes_view(tag, sizeof(tag)), tag_text);
  size_t n = 0;
  for (size_t i = 0; i < FIELD_COUNT; i++) {
    if (fields[i].n + 1 + tag_n > COOKIE_VALUE_MAX - n) return 0;
    if (fields[i].n > 0) memcpy(ret + n, fields[i].p, fields[i].n);
    n += fields[i].n;
    ret[n++] = FIELD_SEPARATOR;
  }
  memcpy(ret + n, tag_text, tag_n);
  return n + tag_n;
}

/* The fields and the tag of a value; false when their number is another. */
static bool split_value(struct str value, struct str fields[FIELD_COUNT], struct str *ret_tag) {
  struct str rest = value;
  for (size_t i = 0; i < FIELD_COUNT; i++)
    if (!str_split_next(&rest, FIELD_SEPARATOR, &fields[i])) return false;
  return str_split_next(&rest, FIELD_SEPARATOR, ret_tag) && !rest.p;
}

static struct hmac *find_hmac(const struct decider *decider, struct str key_id) {
  for (size_t i = 0; i < decider->key_count; i++)
    if (str_eq(decider->keys[i].id, key_id)) return decider->hmacs[i];
  return NULL;
}

static enum cookie_verdict check_age(int64_t issued_ms, int64_t ttl_ms, int64_t now_ms) {
  int64_t age_ms;
  if (__builtin_sub_overflow(now_ms, issued_ms, &age_ms) || age_ms < -ISSUED_AHEAD_MAX_MS)
    return COOKIE_MALFORMED;
  return age_ms >= ttl_ms ? COOKIE_EXPIRED : COOKIE_VALID;
}

enum cookie_verdict sticky_cookie_read(struct decider *decider, struct str cookie_name,
                                       struct str value, int64_t ttl_ms, int64_t now_ms,
                                       struct sticky_cookie *ret) {
  struct str fields[FIELD_COUNT], tag_text;
  if (value.n > COOKIE_VALUE_MAX || !split_value(value, fields, &tag_text) ||
      !str_eq(fields[FIELD_VERSION], STR("1")))
    return COOKIE_MALFORMED;
  struct sticky_cookie cookie = {0};
  uint64_t epoch, issued_ms;
  uint8_t tag[HMAC_TAG_BYTES], expected[HMAC_TAG_BYTES];
  size_t id_n, tag_n;
  if (!str_to_u64(fields[FIELD_EPOCH], UINT32_MAX, &epoch) ||
      !str_to_u64(fields[FIELD_ISSUED], INT64_MAX, &issued_ms) ||
      !base64url_decode(fields[FIELD_ID], cookie.anonymous_id, ANONYMOUS_ID_BYTES, &id_n) ||
      !base64url_decode(tag_text, tag, sizeof(tag), &tag_n) || id_n != ANONYMOUS_ID_BYTES ||
      tag_n != sizeof(tag))
    return COOKIE_MALFORMED;
  struct hmac *hmac = find_hmac(decider, fields[FIELD_KEY]);
  if (!hmac || !sign(hmac, cookie_name, fields, expected) ||
      !crypto_equal(bytes_view(tag, sizeof(tag)), bytes_view(expected, sizeof(expected))))
    return COOKIE_FORGED;
  cookie.variant = fields[FIELD_VARIANT].n > 0 ? fields[FIELD_VARIANT] : (struct str){0};
  cookie.epoch = (uint32_t)epoch;
  cookie.issued_ms = (int64_t)issued_ms;
  enum cookie_verdict verdict = check_age(cookie.issued_ms, ttl_ms, now_ms);
  if (verdict == COOKIE_VALID) *ret = cookie;
  return verdict;
}

static const char *same_site_text(enum same_site same_site) {
  switch (same_site) {
    case SAME_SITE_LAX:
      return "Lax";
    case SAME_SITE_STRICT:
      return "Strict";
    case SAME_SITE_NONE:
      return "None";
  }
  return "Lax";
}

struct str set_cookie_format(struct decider *decider, const struct route *route,
                             const struct sticky_cookie *cookie, bool https) {
  const struct route_sticky *sticky = &route->sticky;
  char value[COOKIE_VALUE_MAX];
  size_t value_n = sticky_cookie_write(decider, sticky->cookie_name, cookie, value);
  if (value_n == 0) return (struct str){0};
  /* Rounded up: Max-Age=0 would delete the cookie. Browsers refuse SameSite=None without Secure. */
  int64_t max_age = sticky->ttl_ms / 1000 + (sticky->ttl_ms % 1000 != 0);
  bool secure = https || sticky->same_site == SAME_SITE_NONE;
  int n = snprintf(decider->set_cookie, sizeof(decider->set_cookie),
                   "%.*s=%.*s; Path=/; Max-Age=%" PRId64 "; HttpOnly; SameSite=%s%s%.*s%s",
                   STR_ARG(sticky->cookie_name), (int)value_n, value, max_age,
                   same_site_text(sticky->same_site), sticky->domain.p ? "; Domain=" : "",
                   (int)sticky->domain.n, sticky->domain.p ? sticky->domain.p : "",
                   secure ? "; Secure" : "");
  if (n < 0 || (size_t)n >= sizeof(decider->set_cookie)) return (struct str){0};
  return str_make(decider->set_cookie, (size_t)n);
}
