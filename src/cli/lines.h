/*
 * lines: a descriptor's bytes as lines of bounded length, private to src/cli.
 *
 * What has been read is told apart from what must be waited for, so that a filter can write out
 * its answers before it waits.
 */
#ifndef ADIT_CLI_LINES_H
#define ADIT_CLI_LINES_H

#include "adit/str.h"

enum { LINE_BYTES_MAX = 1 << 20 };

struct lines {
  int fd;
  char *p; /* LINE_BYTES_MAX + 1 bytes */
  size_t begin, end;
  size_t searched; /* no line ends before here */
  bool too_long;   /* the beginning of the current line has been dropped */
  bool at_end;
  uint64_t number; /* of the line given last, from 1 */
};

enum line {
  LINE_WHOLE,
  LINE_TOO_LONG, /* over LINE_BYTES_MAX; all of it has been passed over */
  LINE_MORE,     /* call lines_fill */
  LINE_END
};

/* False: memory. Deinit also then. */
bool lines_init(struct lines *lines, int fd) __attribute__((warn_unused_result));
void lines_deinit(struct lines *lines);

/* The next line without its newline; the last one may lack it. A view until the next call of any
 * kind. */
enum line lines_next(struct lines *lines, struct str *ret) __attribute__((warn_unused_result));
/* Reads once, waiting if need be. 0, or -errno. */
int lines_fill(struct lines *lines) __attribute__((warn_unused_result));
/* Whether lines_fill would have to wait. */
bool lines_would_wait(const struct lines *lines);

#endif
