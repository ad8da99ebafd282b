/*
 * geo: what an address says about where a client is: MaxMind DB files, and ranges of one's own.
 *
 *   country.mmdb, asn.mmdb ─► geo_database ─┐
 *                                           ├─► geo ─► geo_reader (one for each thread) ─► texts
 *   offices.json ───────────► geo_ranges ───┘
 *
 * Everything is read and verified when it is loaded, and copied: what happens to the files later
 * matters to the next load only. A loaded object is immutable, so threads share it; looking up
 * allocates nothing.
 */
#ifndef ADIT_GEO_H
#define ADIT_GEO_H

#include "adit/attrs.h"
#include "adit/diag.h"
#include "adit/ip.h"
#include "adit/str.h"

/* ---- what databases know --------------------------------------------------------------------- */

enum geo_field {
  GEO_COUNTRY, /* ISO 3166-1 alpha-2, as the database writes it: "CN" */
  GEO_REGION,  /* the largest subdivision: of ISO 3166-2 the part behind the country ("BJ"); of a
                  database without these codes its name */
  GEO_CITY,    /* its English name */
  GEO_ASN,     /* number of the autonomous system, decimal, without "AS" */
  GEO_FIELDS
};
/* "country", "region", "city", "asn"; NULL at the end. */
extern const char *const geo_field_names[GEO_FIELDS + 1];
bool geo_field_parse(struct str name, enum geo_field *ret) __attribute__((warn_unused_result));

enum {
  GEO_DATABASES_MAX = 8,
  GEO_DATABASE_BYTES_MAX = 1 << 30,
  GEO_RANGES_MAX = 2000000,         /* prefixes of a file */
  GEO_RANGES_BYTES_MAX = 256 << 20, /* of its text */
  GEO_VALUE_TEXTS_MAX = 64,         /* of one prefix */
  GEO_VALUE_BYTES_MAX = 4096,       /* of these together */
  GEO_TEXT_BYTES_MAX = 1024         /* of a text in a database; a longer one is as if not there */
};

/* ---- ranges ---------------------------------------------------------------------------------- */

struct geo_ranges;

/* The texts of a prefix, at least one. */
struct geo_value {
  const struct str *texts;
  size_t n;
};

/*
 * Reads a file that is an object of prefixes: "10.0.0.0/8": "office", or a list of strings. NULL:
 * errors are in `diags` (at `at`: the file cannot be read). Errors are a prefix that is none or has
 * host bits set, the same one twice (also written in two ways), a value that is no string or list
 * of such, or is over a limit above.
 */
struct geo_ranges *geo_ranges_load(const char *path, struct diag_place at, struct diags *diags);
void geo_ranges_free(struct geo_ranges **ranges);
/* The value of the longest prefix that holds the address; NULL: none does. An IPv6 prefix shorter
 * than /96 holds no IPv4 address, not even "::/0". */
const struct geo_value *geo_ranges_find(const struct geo_ranges *ranges,
                                        const struct ip_address *ip);
/* The number of prefixes; bytes that are held for them, values included. */
size_t geo_ranges_size(const struct geo_ranges *ranges);
size_t geo_ranges_bytes(const struct geo_ranges *ranges);

/* ---- databases ------------------------------------------------------------------------------- */

struct geo_database;

/*
 * Reads a MaxMind DB file, and verifies it: the whole tree and every record that it leads to. NULL:
 * an error is in `diags`, at `at`: not a MaxMind DB or one whose end is missing, damaged inside, or
 * one that knows none of the fields. Records may have MaxMind's form (country.iso_code,
 * subdivisions.0.iso_code, city.names.en, autonomous_system_number) or a flat one (country_code,
 * region, state1, city, asn …).
 */
struct geo_database *geo_database_load(const char *path, struct diag_place at, struct diags *diags);
void geo_database_free(struct geo_database **database);
/* Whether any record has the field. */
bool geo_database_has(const struct geo_database *database, enum geo_field field);

/* ---- all of them together -------------------------------------------------------------------- */

struct geo;

/* Without anything. NULL: memory. Freeing it frees what was added. */
struct geo *geo_new(void);
void geo_free(struct geo **geo);
/* Adds a database behind those before: a field is taken from the first that has it for the address.
 * False: an error is in `diags`. */
bool geo_add_database(struct geo *geo, const char *path, struct diag_place at, struct diags *diags)
    __attribute__((warn_unused_result));
size_t geo_database_count(const struct geo *geo);
/* Whether any database has the field. */
bool geo_has(const struct geo *geo, enum geo_field field);
/* Adds the ranges of a file, once for each path. False: errors are in `diags`. *ret_index is for
 * geo_get_ranges. */
bool geo_add_ranges(struct geo *geo, const char *path, struct diag_place at, struct diags *diags,
                    size_t *ret_index) __attribute__((warn_unused_result));
const struct geo_ranges *geo_get_ranges(const struct geo *geo, size_t index);

/* One thread's way to ask the databases: it remembers what they say about the last address. The
 * geo must outlive it. NULL: memory. */
struct geo_reader;
struct geo_reader *geo_reader_new(const struct geo *geo);
void geo_reader_free(struct geo_reader **reader);
/* False: no database knows the field of this address. *ret is valid until another address is asked
 * for. */
bool geo_reader_find(struct geo_reader *reader, enum geo_field field, const struct ip_address *ip,
                     struct str *ret) __attribute__((warn_unused_result));

/* ---- as sources of attributes ---------------------------------------------------------------- */

/*
 * Suppliers (adit/attrs.h) of one reader of attributes: of SOURCE_GEOIP, whose ids are fields, and
 * of SOURCE_CIDR, whose ids are indexes of ranges. Both answer for the request's client_ip. The geo
 * must outlive them. False: memory.
 */
bool geo_supplier_of_fields(const struct geo *geo, struct attr_supplier *ret)
    __attribute__((warn_unused_result));
bool geo_supplier_of_ranges(const struct geo *geo, struct attr_supplier *ret)
    __attribute__((warn_unused_result));

#endif
