/* Databases and ranges as suppliers of attributes, asked for the address of the request. */
#include <stdlib.h>

#include "adit/geo.h"

struct fields {
  struct geo_reader *reader;
  struct str texts[GEO_FIELDS]; /* of this request's address, where they were asked for */
};

static enum attr_supply supply_field(void *context, const struct attr_request *request, uint32_t id,
                                     const struct str *keys, struct attr_supplied *ret) {
  struct fields *fields = context;
  ret->texts = &fields->texts[id];
  ret->n = 1;
  if (geo_reader_find(fields->reader, (enum geo_field)id, &request->client_ip, &fields->texts[id]))
    return SUPPLY_PRESENT;
  ret->why = STR("no database knows it of the client's address");
  return SUPPLY_ABSENT;
}

static void release_fields(void *context) {
  struct fields *fields = context;
  geo_reader_free(&fields->reader);
  free(fields);
}

bool geo_supplier_of_fields(const struct geo *geo, struct attr_supplier *ret) {
  struct fields *fields = calloc(1, sizeof(*fields));
  if (!fields) return false;
  *ret = (struct attr_supplier){supply_field, fields, release_fields};
  fields->reader = geo_reader_new(geo);
  if (fields->reader) return true;
  release_fields(fields);
  return false;
}

struct ranges {
  const struct geo *geo;
};

static enum attr_supply supply_range(void *context, const struct attr_request *request, uint32_t id,
                                     const struct str *keys, struct attr_supplied *ret) {
  const struct ranges *ranges = context;
  const struct geo_value *value =
      geo_ranges_find(geo_get_ranges(ranges->geo, id), &request->client_ip);
  if (value) {
    ret->texts = value->texts;
    ret->n = value->n;
    return SUPPLY_PRESENT;
  }
  ret->why = STR("the client's address is in no range");
  return SUPPLY_ABSENT;
}

bool geo_supplier_of_ranges(const struct geo *geo, struct attr_supplier *ret) {
  struct ranges *ranges = calloc(1, sizeof(*ranges));
  if (!ranges) return false;
  ranges->geo = geo;
  *ret = (struct attr_supplier){supply_range, ranges, free};
  return true;
}
