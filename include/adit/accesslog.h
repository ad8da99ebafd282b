/*
 * accesslog: a line of the access log → the request and the decision that it tells of. Pure.
 *
 * For whoever makes logged decisions again. A line that does not tell enough is said to be so and
 * of which kind it is; nothing is guessed. docs/operations.md has the format.
 */
#ifndef ADIT_ACCESSLOG_H
#define ADIT_ACCESSLOG_H

#include "adit/decide.h"

enum {
  LOG_LINE_BYTES_MAX = 1 << 20, /* the gateway writes no more than 512 KiB */
  LOG_ATTRIBUTES_MAX = 1024,    /* of a line */
  LOG_TEXTS_MAX = 4096,         /* their values together */
  LOG_PATH_BYTES_MAX = 16384,   /* of a path */
  LOG_VALUE_BYTES = 8192        /* behind so many bytes the gateway cuts a value */
};

enum log_kind {
  LOG_REQUEST,   /* a request and its decision, with attributes */
  LOG_REFUSED,   /* a request that was answered before anything was decided */
  LOG_BARE,      /* a decision without attributes: access_log.attributes is "none" */
  LOG_CUT,       /* host, path or method is cut, was no UTF-8, or is redacted */
  LOG_COMBINED,  /* of the combined format */
  LOG_HALF,      /* ends too early: written at this moment, or the disk was full */
  LOG_TOO_LARGE, /* beyond one of the limits above */
  LOG_MALFORMED, /* no line of our log; `why` and `column` */
  LOG_BLANK,
  LOG_KINDS
};
/* "request", "refused" … */
const char *log_kind_name(enum log_kind kind);
/* What to do about lines of a kind that cannot be decided; "" for LOG_REQUEST, LOG_REFUSED and
 * LOG_BLANK. */
const char *log_kind_advice(enum log_kind kind);

/* Views the line's bytes and the reader until either is used again. Names are p == NULL where the
 * line says null. */
struct log_line {
  enum log_kind kind;
  const char *why; /* LOG_MALFORMED, LOG_TOO_LARGE: static */
  size_t column;   /* of LOG_MALFORMED: from 1; 0: of no place */
  /* LOG_REQUEST only. request.recorded is &recorded, whose route and split are left for the caller
   * to find. */
  struct decide_request request;
  struct decide_recorded recorded;
  const struct str *hashes; /* as many as request.attr.given; of a redacted value its hash, else
                               p == NULL */
  bool has_undecided;       /* a limit left one of the values undecided */
  /* LOG_REQUEST and LOG_BARE: what was decided before and after a failover. */
  struct str time, route, variant, rule, reason, decided, decided_reason, config;
};

struct log_reader;

/* One thread's memory. NULL: there is none. */
struct log_reader *log_reader_new(void);
void log_reader_free(struct log_reader **reader);

/* Reads a line (without its newline), whose bytes are changed: texts are unescaped in place. Does
 * not allocate. */
void log_read(struct log_reader *reader, char *line, size_t n, struct log_line *ret);

#endif
