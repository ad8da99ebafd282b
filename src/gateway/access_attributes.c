#include "access_attributes.h"

#include "access_line.h"

/* Takes back what stands behind `n` bytes. */
static void shorten(struct text *text, size_t n) {
  text->n = n;
  text->p[n] = '\0';
}

/* Not to be decided from. */
static void add_cut(struct text *text, struct str beginning) {
  text_add(text, STR("{\"cut\":"));
  text_add_json(text, beginning);
  text_add_char(text, '}');
}

void access_hash_add(struct text *text, struct hmac *hmac, struct str value) {
  static const char hex[] = "0123456789abcdef";
  uint8_t tag[HMAC_TAG_BYTES];
  char digits[ACCESS_HASH_CHARS];
  if (!hmac_tag(hmac, &value, 1, tag)) {
    add_cut(text, STR(""));
    return;
  }
  for (size_t i = 0; i < sizeof(digits); i++) digits[i] = hex[tag[i / 2] >> (i % 2 ? 0 : 4) & 15];
  text_add(text, STR("{\"hash\":\""));
  text_add(text, str_make(digits, sizeof(digits)));
  text_add(text, STR("\"}"));
}

/* False: the text is not the value, byte for byte. */
static bool add_text(struct access_attributes *attributes, struct str value, bool hashed) {
  if (hashed) {
    access_hash_add(attributes->text, attributes->hmac, value);
    return true;
  }
  if (value.n > ACCESS_VALUE_BYTES_MAX || !str_is_utf8(value)) return false;
  text_add_json(attributes->text, value);
  return true;
}

static bool has_room(const struct access_attributes *attributes) {
  return attributes->text->n < ACCESS_ATTRIBUTES_BYTES_MAX; /* and for the object's end */
}

/* False: not as it is. */
static bool add_present(struct access_attributes *attributes, const struct attr_value *value,
                        bool hashed) {
  struct text *text = attributes->text;
  if (value->n == 1) return add_text(attributes, value->data[0].text, hashed);
  for (size_t i = 0; i < value->n; i++) {
    text_add_char(text, i == 0 ? '[' : ',');
    if (!has_room(attributes) || !add_text(attributes, value->data[i].text, hashed)) return false;
  }
  text_add_char(text, ']');
  return true;
}

static bool add_value(struct access_attributes *attributes, const struct attr_value *value,
                      bool hashed) {
  switch (value->state) {
    case ATTR_PRESENT:
      return add_present(attributes, value, hashed);
    case ATTR_MISSING:
      text_add(attributes->text, STR("null"));
      return true;
    case ATTR_UNREAD:
    case ATTR_UNDECIDED:
      break;
  }
  text_add(attributes->text, STR("{\"undecided\":true}"));
  return true;
}

void access_attributes_begin(struct access_attributes *attributes, struct text *text,
                             struct hmac *hmac) {
  *attributes = (struct access_attributes){.text = text, .hmac = hmac};
  text_clear(text);
  text_add_char(text, '{');
}

void access_attributes_add(struct access_attributes *attributes, struct str name,
                           const struct attr_value *value, bool hashed) {
  struct text *text = attributes->text;
  const size_t before = text->n;
  if (before > 1) text_add_char(text, ',');
  text_add_json(text, str_take(name, ACCESS_VALUE_BYTES_MAX));
  text_add_char(text, ':');
  const size_t behind_name = text->n;
  if (add_value(attributes, value, hashed) && has_room(attributes)) return;
  shorten(text, behind_name);
  const struct str first = value->state == ATTR_PRESENT && !hashed ? value->data[0].text : STR("");
  add_cut(text, str_take(first, ACCESS_CUT_BYTES_MAX));
  if (has_room(attributes)) return;
  shorten(text, before);
  attributes->left_out = true;
}

struct str access_attributes_end(struct access_attributes *attributes) {
  text_add_char(attributes->text, '}');
  return text_str(attributes->text);
}
