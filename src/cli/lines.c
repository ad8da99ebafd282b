#include "cli/lines.h"

#include <errno.h>
#include <poll.h>
#include <stdlib.h>
#include <unistd.h>

enum { CAPACITY = LINE_BYTES_MAX + 1 };

bool lines_init(struct lines *lines, int fd) {
  *lines = (struct lines){.fd = fd, .p = malloc(CAPACITY)};
  return lines->p != NULL;
}

void lines_deinit(struct lines *lines) {
  free(lines->p);
  *lines = (struct lines){0};
}

/* Ends the current line before `line_end` and goes on at `next`. */
static enum line take_line(struct lines *lines, size_t line_end, size_t next, struct str *ret) {
  bool too_long = lines->too_long;
  *ret = str_make(lines->p + lines->begin, line_end - lines->begin);
  lines->begin = lines->searched = next;
  lines->too_long = false;
  lines->number++;
  return too_long ? LINE_TOO_LONG : LINE_WHOLE;
}

enum line lines_next(struct lines *lines, struct str *ret) {
  size_t unsearched = lines->end - lines->searched;
  const char *newline = unsearched ? memchr(lines->p + lines->searched, '\n', unsearched) : NULL;
  if (newline) {
    size_t at = (size_t)(newline - lines->p);
    return take_line(lines, at, at + 1, ret);
  }
  lines->searched = lines->end;
  if (!lines->at_end) return LINE_MORE;
  if (lines->begin == lines->end && !lines->too_long) return LINE_END;
  return take_line(lines, lines->end, lines->end, ret);
}

static void make_room(struct lines *lines) {
  size_t kept = lines->end - lines->begin;
  if (kept == CAPACITY) {
    lines->too_long = true;
    kept = 0;
  } else if (lines->begin > 0) {
    memmove(lines->p, lines->p + lines->begin, kept);
  }
  lines->begin = 0;
  lines->end = lines->searched = kept;
}

int lines_fill(struct lines *lines) {
  make_room(lines);
  ssize_t n = read(lines->fd, lines->p + lines->end, CAPACITY - lines->end);
  if (n < 0) return errno == EINTR ? 0 : -errno;
  if (n == 0) lines->at_end = true;
  lines->end += (size_t)n;
  return 0;
}

bool lines_would_wait(const struct lines *lines) {
  struct pollfd input = {.fd = lines->fd, .events = POLLIN};
  return poll(&input, 1, 0) <= 0;
}
