/*
 * access_attributes: what a decision looked at, as JSON for its line of the access log. Pure, but
 * that it keeps its memory.
 *
 * docs/operations.md says how values are written; `adit explain --from-log` and `adit replay` read
 * them.
 */
#ifndef ADIT_GATEWAY_ACCESS_ATTRIBUTES_H
#define ADIT_GATEWAY_ACCESS_ATTRIBUTES_H

#include "adit/attrs.h"
#include "adit/crypto.h"
#include "adit/text.h"

/* An object has no more bytes than this. Of a value for which there is no room its beginning is in
 * it, or the attribute is left out. */
enum { ACCESS_ATTRIBUTES_BYTES_MAX = 8192, ACCESS_CUT_BYTES_MAX = 64 };

/* A value that is hashed is so many hexadecimal digits of its HMAC-SHA-256. */
enum { ACCESS_HASH_CHARS = 16 };

struct access_attributes {
  struct text *text; /* where the object is built; all memory is there */
  struct hmac *hmac;
  bool left_out; /* an attribute, for want of room */
};

void access_attributes_begin(struct access_attributes *attributes, struct text *text,
                             struct hmac *hmac);
void access_attributes_add(struct access_attributes *attributes, struct str name,
                           const struct attr_value *value, bool hashed);
/* The object; a view of the text. */
struct str access_attributes_end(struct access_attributes *attributes);

/* Adds {"hash":"…"} of a value. */
void access_hash_add(struct text *text, struct hmac *hmac, struct str value);

#endif
