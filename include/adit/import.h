/*
 * import: what another gateway was told, as adit.json and rule files.
 *
 * Kubernetes Ingresses with the annotations of ingress-nginx come in, files come out, and whatever
 * Adit cannot keep is said with its place and the reason (docs/import.md). Pure: whoever calls
 * reads and writes the files.
 */
#ifndef ADIT_IMPORT_H
#define ADIT_IMPORT_H

#include "adit/diag.h"
#include "adit/str.h"

struct import;

struct import_source {
  const char *name; /* what diagnostics call it */
  struct str text;
};

struct import_options {
  const char *default_namespace; /* of objects that name none; NULL: "default" */
  const char *class_name;        /* only Ingresses of this class; NULL: all */
};

struct import_file {
  struct str path; /* "adit.json", "rules/NAME.json" */
  struct str text;
};

enum { IMPORT_SOURCE_MAX = 16 << 20 }; /* bytes of one source that are sensible to give */

/*
 * Imports. What Kubernetes would refuse is an error in `diags`; what is left out or loses something
 * a warning; what was passed over a note. NULL: there are errors, or memory was short (then there
 * are none). What comes out passes `adit check`. Free with import_free.
 */
struct import *import_ingress_nginx(const struct import_source *sources, size_t n,
                                    const struct import_options *options, struct diags *diags);
void import_free(struct import **import);

/* The files; adit.json is the first. */
const struct import_file *import_files(const struct import *import, size_t *ret_n);

#endif
