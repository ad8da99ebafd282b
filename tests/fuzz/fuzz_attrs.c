/*
 * fuzz_attrs: any two texts of any type are ordered consistently, and any query, cookie or header
 * can be read. The input is divided at its first NULs: type, text, text; a request uses all of it.
 */
#include <stdlib.h>

#include "adit/arena.h"
#include "adit/attrs.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void require(bool holds) {
  if (!holds) abort();
}

static void compare(enum attr_type type, struct str a, struct str b) {
  struct attr_datum left, right;
  bool both = attr_datum_parse(type, a, &left) && attr_datum_parse(type, b, &right);
  if (!both) return;
  int order = attr_datum_compare(type, &left, &right);
  int reverse = attr_datum_compare(type, &right, &left);
  require((order > 0) == (reverse < 0) && (order == 0) == (reverse == 0));
  require(attr_datum_compare(type, &left, &left) == 0);
}

static void read_all(struct str text) {
  static const struct str names[] = {STR_INIT("query.a"), STR_INIT("cookie.a"),
                                     STR_INIT("header.a"), STR_INIT("now.age")};
  struct attr_catalog *catalog = attr_catalog_new(ATTR_SCOPE_GATEWAY, NULL);
  struct arena *arena = arena_new(1 << 16);
  struct attr_reader *reader = attr_reader_new();
  require(catalog && arena && reader);
  struct attr_table *table = attr_table_new(arena, catalog);
  require(table != NULL);
  for (size_t i = 0; i < 4; i++) require(attr_table_slot(table, names[i]) == (i < 3 ? i : 4));
  const struct http_field fields[] = {{STR("Cookie"), text, HTTP_FIELD_COOKIE},
                                      {STR("A"), text, HTTP_FIELD_OTHER}};
  const struct attr_request request = {.query = text, .fields = fields, .field_count = 2};
  attr_reader_begin(reader, table, &request);
  for (uint16_t slot = 0; slot < attr_table_size(table); slot++) {
    const struct attr_value *value = attr_read(reader, slot);
    require(value->state != ATTR_UNREAD);
    require((value->state == ATTR_PRESENT) == (value->n > 0));
    for (size_t i = 0; i < value->n; i++) require(value->data[i].text.p != NULL);
  }
  attr_reader_free(&reader);
  arena_free(&arena);
  attr_catalog_unref(&catalog);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
  struct str rest = str_make((const char *)data, size), a, b;
  if (size == 0) return 0;
  enum attr_type type = (enum attr_type)(data[0] % (ATTR_LIST + 1));
  rest = str_skip(rest, 1);
  read_all(rest);
  if (str_split_next(&rest, '\0', &a) && str_split_next(&rest, '\0', &b)) compare(type, a, b);
  return 0;
}
