/*
 * All databases and ranges of one configuration, and a thread's way to ask them.
 */
#include <netinet/in.h>
#include <stdlib.h>

#include "database.h"
#include "ranges.h"

const char *const geo_field_names[GEO_FIELDS + 1] = {
    [GEO_COUNTRY] = "country", [GEO_REGION] = "region", [GEO_CITY] = "city", [GEO_ASN] = "asn"};

bool geo_field_parse(struct str name, enum geo_field *ret) {
  for (size_t i = 0; i < GEO_FIELDS; i++) {
    if (!str_eq(name, str_from_cstr(geo_field_names[i]))) continue;
    *ret = (enum geo_field)i;
    return true;
  }
  return false;
}

/* ---- the whole ------------------------------------------------------------------------------- */

struct named_ranges {
  char *path;
  struct geo_ranges *ranges;
};

struct geo {
  struct geo_database *databases[GEO_DATABASES_MAX];
  size_t database_count;
  struct named_ranges *ranges;
  size_t range_count;
};

struct geo *geo_new(void) {
  return calloc(1, sizeof(struct geo));
}

void geo_free(struct geo **geo) {
  struct geo *g = *geo;
  *geo = NULL;
  if (!g) return;
  for (size_t i = 0; i < g->database_count; i++) geo_database_free(&g->databases[i]);
  for (size_t i = 0; i < g->range_count; i++) {
    free(g->ranges[i].path);
    geo_ranges_free(&g->ranges[i].ranges);
  }
  free(g->ranges);
  free(g);
}

bool geo_add_database(struct geo *geo, const char *path, struct diag_place at,
                      struct diags *diags) {
  if (geo->database_count == GEO_DATABASES_MAX) {
    diags_add(diags, DIAG_ERROR, at, NULL, "there are more than %d databases", GEO_DATABASES_MAX);
    return false;
  }
  struct geo_database *database = geo_database_load(path, at, diags);
  if (database) geo->databases[geo->database_count++] = database;
  return database != NULL;
}

size_t geo_database_count(const struct geo *geo) {
  return geo->database_count;
}

bool geo_has(const struct geo *geo, enum geo_field field) {
  for (size_t i = 0; i < geo->database_count; i++) {
    if (geo_database_has(geo->databases[i], field)) return true;
  }
  return false;
}

/* Room for one more, which has its path then. */
static struct named_ranges *reserve_ranges(struct geo *geo, const char *path) {
  struct named_ranges *ranges =
      reallocarray(geo->ranges, geo->range_count + 1, sizeof(*geo->ranges));
  if (!ranges) return NULL;
  geo->ranges = ranges;
  ranges[geo->range_count] = (struct named_ranges){.path = strdup(path)};
  return ranges[geo->range_count].path ? &ranges[geo->range_count] : NULL;
}

bool geo_add_ranges(struct geo *geo, const char *path, struct diag_place at, struct diags *diags,
                    size_t *ret_index) {
  for (size_t i = 0; i < geo->range_count; i++) {
    if (strcmp(geo->ranges[i].path, path) != 0) continue;
    *ret_index = i;
    return true;
  }
  struct named_ranges *named = reserve_ranges(geo, path);
  if (!named) {
    diags_add(diags, DIAG_ERROR, at, NULL, "out of memory");
    return false;
  }
  named->ranges = geo_ranges_load(path, at, diags);
  if (!named->ranges) {
    free(named->path);
    return false;
  }
  *ret_index = geo->range_count++;
  return true;
}

const struct geo_ranges *geo_get_ranges(const struct geo *geo, size_t index) {
  return geo->ranges[index].ranges;
}

/* ---- asking ---------------------------------------------------------------------------------- */

struct geo_reader {
  const struct geo *geo;
  struct ip_address ip;
  bool has_ip;
  bool looked_up[GEO_DATABASES_MAX];
  MMDB_lookup_result_s found[GEO_DATABASES_MAX]; /* of those looked up */
  char number[GEO_NUMBER_BYTES];                 /* only GEO_ASN is one */
};

struct geo_reader *geo_reader_new(const struct geo *geo) {
  struct geo_reader *reader = calloc(1, sizeof(*reader));
  if (reader) reader->geo = geo;
  return reader;
}

void geo_reader_free(struct geo_reader **reader) {
  free(*reader);
  *reader = NULL;
}

/* An IPv4 address in the form that every database knows it by. */
static MMDB_lookup_result_s look_up(const MMDB_s *db, const struct ip_address *ip) {
  int error = MMDB_SUCCESS;
  MMDB_lookup_result_s result;
  if (ip_is_v4(ip)) {
    struct sockaddr_in address = {.sin_family = AF_INET};
    memcpy(&address.sin_addr, ip->bytes + 12, 4);
    result = MMDB_lookup_sockaddr(db, (const struct sockaddr *)&address, &error);
  } else {
    struct sockaddr_in6 address = {.sin6_family = AF_INET6};
    memcpy(&address.sin6_addr, ip->bytes, 16);
    result = MMDB_lookup_sockaddr(db, (const struct sockaddr *)&address, &error);
  }
  /* An error is an IPv6 address in a database of IPv4. */
  if (error != MMDB_SUCCESS) result.found_entry = false;
  return result;
}

bool geo_reader_find(struct geo_reader *reader, enum geo_field field, const struct ip_address *ip,
                     struct str *ret) {
  const struct geo *geo = reader->geo;
  if (!reader->has_ip || !ip_eq(&reader->ip, ip)) {
    reader->ip = *ip;
    reader->has_ip = true;
    memset(reader->looked_up, 0, sizeof(reader->looked_up));
  }
  for (size_t i = 0; i < geo->database_count; i++) {
    const struct geo_database *database = geo->databases[i];
    if (database->forms[field] == 0) continue;
    MMDB_lookup_result_s *found = &reader->found[i];
    if (!reader->looked_up[i]) *found = look_up(&database->db, ip);
    reader->looked_up[i] = true;
    if (found->found_entry &&
        geo_record_get(&found->entry, field, database->forms[field], reader->number, ret, NULL)) {
      return true;
    }
  }
  return false;
}
