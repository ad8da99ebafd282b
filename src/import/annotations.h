/*
 * annotations: what the annotations of ingress-nginx ask for; private to src/import.
 *
 * One table says of each annotation what becomes of it (docs/import.md has it for people). What
 * cannot be kept is said at once; the rest is read as ingress-nginx reads it: a number that is none
 * counts as not given, blanks around a text do not count.
 */
#ifndef ADIT_IMPORT_ANNOTATIONS_H
#define ADIT_IMPORT_ANNOTATIONS_H

#include "manifest.h"

struct setting {
  struct str text; /* p == NULL: not given */
  struct diag_place at;
};

/* How a canary is chosen: header, then cookie, then weight. */
struct canary_settings {
  bool enabled;
  struct diag_place at;   /* of the annotation `canary` */
  struct setting header;  /* as Adit names it */
  struct setting value;   /* the header's value; not given: always and never */
  struct setting pattern; /* of the header's value; only without `value` */
  bool pattern_refused;   /* it does not compile: whoever sends the header gets stable */
  struct setting cookie;
  struct setting weight;
  unsigned share; /* weight in hundredths of a percent, 0..10000 */
  bool legacy;    /* session affinity does not count for the canary */
};

struct affinity_settings {
  bool cookie;
  struct diag_place at;
  struct str ttl;       /* as a rule file has it; "" for what the browser's session is */
  struct str same_site; /* likewise; "" for none */
};

struct annotations {
  struct canary_settings canary;
  struct affinity_settings affinity;
  uint32_t connect_s, read_s; /* 0: the defaults of ingress-nginx */
};

enum { INGRESS_NGINX_CONNECT_S = 5, INGRESS_NGINX_READ_S = 60 };

/* Reads those of `ingress`, and says what of them is lost. */
void annotations_read(struct manifests *manifests, struct manifest_ingress *ingress,
                      struct annotations *ret);

#endif
