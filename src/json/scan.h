/*
 * scan: the grammar of RFC 8259, checked byte by byte; private to src/json.
 */
#ifndef ADIT_JSON_SCAN_H
#define ADIT_JSON_SCAN_H

#include "adit/json.h"

/* Where a value stands: offsets in the text. */
struct json_token {
  uint32_t key;   /* of its key's quote; for a value without a key the same as `begin` */
  uint32_t begin; /* first byte */
  uint32_t end;   /* behind the last byte */
};

struct json_mistake {
  size_t at;
  size_t open_at;   /* the bracket that is still open there, or SIZE_MAX */
  const char *hint; /* static; NULL: none */
  char message[128];
};

/* cJSON reads a number through a buffer of 64 bytes; a longer one is written as 0 in `copy`. */
enum { JSON_CJSON_NUMBER_MAX = 63 };

struct json_scan {
  struct str text;
  enum json_style style;
  char *copy; /* in: the text, text.n + 1 bytes; out: what cJSON can read, of the same length */
  size_t at;
  unsigned depth;
  struct json_token *tokens; /* every value in document order; free() it in any case */
  size_t count;
  size_t capacity;
  bool out_of_memory;
  struct json_mistake mistake;
};

/* Checks scan->text. False: `mistake` or `out_of_memory` says why. */
bool json_scan_text(struct json_scan *scan) __attribute__((warn_unused_result));

/* The length of the longest number at the start of `s`; 0: there is none. */
size_t json_scan_number(struct str s);

#endif
