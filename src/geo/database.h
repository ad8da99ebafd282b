/*
 * database: one MaxMind DB file, on libmaxminddb; private to src/geo.
 *
 *   database.c        from file to mapping; fields of a record
 *   database_check.c  the verification
 */
#ifndef ADIT_GEO_DATABASE_H
#define ADIT_GEO_DATABASE_H

#include <maxminddb.h>

#include "adit/geo.h"

/* Where a record may have a field, in order of preference. */
enum { GEO_FORMS_MAX = 6, GEO_STEPS_MAX = 4 };

struct geo_database {
  MMDB_s db;
  bool open;
  uint8_t forms[GEO_FIELDS]; /* bit i: some record has the field in its i-th form */
};

/* The biggest number is of 20 digits. */
enum { GEO_NUMBER_BYTES = 24 };
/*
 * The field of a record, looked for in those forms only that are in `forms`. A number is written to
 * `buffer`; else *ret views the database. *ret_form (may be NULL) is the form that has it.
 */
bool geo_record_get(MMDB_entry_s *record, enum geo_field field, unsigned forms,
                    char buffer[GEO_NUMBER_BYTES], struct str *ret, unsigned *ret_form)
    __attribute__((warn_unused_result));

/*
 * Walks the whole tree and everything that a record leads to, so that no look-up meets what is
 * malformed or takes more than a bounded time; fills database->forms. NULL: all is well; else what
 * is wrong, as the end of a sentence.
 */
const char *geo_database_check(struct geo_database *database);

#endif
