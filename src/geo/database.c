/*
 * A database from file to mapping, and the fields of its records.
 *
 * libmaxminddb maps a file. Were that the file itself, then whoever shortens it in place would end
 * the process by SIGBUS, and whoever writes into it would change what was verified. So it is given
 * a sealed copy in memory, under the name that the kernel has for a descriptor.
 */
#include "database.h"

#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "adit/json.h"

/* ---- fields of a record ---------------------------------------------------------------------- */

/* First MaxMind's own form, which DB-IP has too; then the flat ones of ip-location-db, IPinfo and
 * others. (IPinfo's `country` is a code in some files, and the name beside `country_code` in
 * others.) */
static const char *const forms_of[GEO_FIELDS][GEO_FORMS_MAX][GEO_STEPS_MAX] = {
    [GEO_COUNTRY] = {{"country", "iso_code"}, {"country_code"}, {"country"}},
    [GEO_REGION] = {{"subdivisions", "0", "iso_code"},
                    {"subdivisions", "0", "names", "en"},
                    {"region_code"},
                    {"region"},
                    {"state1"}},
    [GEO_CITY] = {{"city", "names", "en"}, {"city"}},
    [GEO_ASN] = {{"autonomous_system_number"}, {"asn"}},
};

static bool read_number(uint64_t number, char buffer[GEO_NUMBER_BYTES], struct str *ret) {
  if (number > UINT32_MAX) return false;
  int n = snprintf(buffer, GEO_NUMBER_BYTES, "%llu", (unsigned long long)number);
  *ret = str_make(buffer, (size_t)n);
  return true;
}

/* "AS15169" and "15169" are the same number. */
static bool read_asn_text(struct str text, struct str *ret) {
  uint64_t number;
  if (str_starts_with_nocase(text, STR("AS"))) text = str_skip(text, 2);
  *ret = text;
  return str_to_u64(text, UINT32_MAX, &number);
}

static bool read_value(const MMDB_entry_data_s *value, enum geo_field field,
                       char buffer[GEO_NUMBER_BYTES], struct str *ret) {
  if (value->type == MMDB_DATA_TYPE_UTF8_STRING) {
    struct str text = str_make(value->utf8_string, value->data_size);
    if (text.n == 0 || text.n > GEO_TEXT_BYTES_MAX) return false;
    if (field == GEO_ASN) return read_asn_text(text, ret);
    *ret = text;
    return true;
  }
  if (field != GEO_ASN) return false;
  if (value->type == MMDB_DATA_TYPE_UINT16) return read_number(value->uint16, buffer, ret);
  if (value->type == MMDB_DATA_TYPE_UINT32) return read_number(value->uint32, buffer, ret);
  if (value->type == MMDB_DATA_TYPE_UINT64) return read_number(value->uint64, buffer, ret);
  return false;
}

bool geo_record_get(MMDB_entry_s *record, enum geo_field field, unsigned forms,
                    char buffer[GEO_NUMBER_BYTES], struct str *ret, unsigned *ret_form) {
  for (unsigned i = 0; i < GEO_FORMS_MAX && forms >> i != 0; i++) {
    const char *const *form = forms_of[field][i];
    if ((forms >> i & 1) == 0 || !form[0]) continue;
    /* The library reads up to a NULL. */
    const char *path[GEO_STEPS_MAX + 1] = {NULL};
    memcpy(path, form, sizeof(*form) * GEO_STEPS_MAX);
    MMDB_entry_data_s value;
    if (MMDB_aget_value(record, &value, path) != MMDB_SUCCESS || !value.has_data) continue;
    if (!read_value(&value, field, buffer, ret)) continue;
    if (ret_form) *ret_form = i;
    return true;
  }
  return false;
}

/* ---- files ----------------------------------------------------------------------------------- */

static const char fetch_again[] =
    "fetch it again; a new file is best written beside it and renamed into place";

static bool fail_open(int error, const char *path, struct diag_place at, struct diags *diags) {
  if (error == MMDB_OUT_OF_MEMORY_ERROR) {
    diags_add(diags, DIAG_ERROR, at, NULL, "cannot read '%s': out of memory", path);
  } else if (error == MMDB_FILE_OPEN_ERROR || error == MMDB_IO_ERROR) {
    diags_add(diags, DIAG_ERROR, at, "is /proc mounted?", "cannot map a copy of '%s'", path);
  } else if (error == MMDB_UNKNOWN_DATABASE_FORMAT_ERROR) {
    diags_add(diags, DIAG_ERROR, at, "version 2 with records of 24, 28 or 32 bits is read",
              "'%s' is of a version of the MaxMind DB format that is not known", path);
  } else if (error == MMDB_CORRUPT_SEARCH_TREE_ERROR) {
    diags_add(diags, DIAG_ERROR, at, fetch_again, "'%s' is damaged: its tree is cut off", path);
  } else {
    diags_add(diags, DIAG_ERROR, at, fetch_again,
              "'%s' is not a MaxMind DB file, or its end is missing", path);
  }
  return false;
}

static bool map_copy(struct geo_database *database, int fd, const char *path, struct diag_place at,
                     struct diags *diags) {
  char name[32];
  (void)snprintf(name, sizeof(name), "/proc/self/fd/%d", fd);
  if (lseek(fd, 0, SEEK_END) == 0) {
    diags_add(diags, DIAG_ERROR, at, fetch_again, "'%s' is empty", path);
    return false;
  }
  int error = MMDB_open(name, MMDB_MODE_MMAP, &database->db);
  database->open = error == MMDB_SUCCESS;
  return database->open ? true : fail_open(error, path, at, diags);
}

static bool check_fields(const struct geo_database *database, const char *path,
                         struct diag_place at, struct diags *diags) {
  const char *type = database->db.metadata.database_type;
  for (size_t i = 0; i < GEO_FIELDS; i++) {
    if (database->forms[i] != 0) return true;
  }
  diags_add(diags, DIAG_ERROR, at, "a database of countries, cities or autonomous systems is meant",
            "'%s' (type '%s') knows no country, region, city or asn", path, type ? type : "");
  return false;
}

static bool load(struct geo_database *database, const char *path, struct diag_place at,
                 struct diags *diags) {
  int fd = -1;
  if (!file_copy(path, GEO_DATABASE_BYTES_MAX, at, diags, &fd)) return false;
  bool mapped = map_copy(database, fd, path, at, diags);
  close(fd);
  if (!mapped) return false;
  const char *why = geo_database_check(database);
  if (!why) return check_fields(database, path, at, diags);
  diags_add(diags, DIAG_ERROR, at, fetch_again, "'%s' is damaged: %s", path, why);
  return false;
}

struct geo_database *geo_database_load(const char *path, struct diag_place at,
                                       struct diags *diags) {
  struct geo_database *database = calloc(1, sizeof(*database));
  if (!database) {
    diags_add(diags, DIAG_ERROR, at, NULL, "out of memory");
    return NULL;
  }
  if (!load(database, path, at, diags)) geo_database_free(&database);
  return database;
}

void geo_database_free(struct geo_database **database) {
  struct geo_database *d = *database;
  *database = NULL;
  if (!d) return;
  if (d->open) MMDB_close(&d->db);
  free(d);
}

bool geo_database_has(const struct geo_database *database, enum geo_field field) {
  return database->forms[field] != 0;
}
