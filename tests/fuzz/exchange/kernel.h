/*
 * kernel: what a worker sees of the system, without a system.
 *
 * The linker gives this file's functions to every call of ours to socket(), recv(), epoll_wait()
 * and the like (meson.build lists them), so the real loop, transport, clients and origins run over
 * connections that exist only here: bytes in memory, a clock that moves when it is told to, random
 * numbers that are the same each time. What the peers do is said through line_*(); everything that
 * goes over a line is kept, with the order in which it went.
 *
 * Events are edge-triggered as Linux has them, and errors come as TCP's do: what was received
 * before a reset can still be read; closing with bytes unread resets.
 */
#ifndef ADIT_TESTS_FUZZ_KERNEL_H
#define ADIT_TESTS_FUZZ_KERNEL_H

#include <stdint.h>

#include "adit/ip.h"
#include "adit/str.h"

/* Bytes that grow; the memory stays for the next run. */
struct bytes {
  char *p;
  size_t n, capacity;
};
/* Appends; the memory that was appended to, NULL for n == 0. `from` may be NULL. */
char *bytes_add(struct bytes *bytes, const char *from, size_t n);
static inline struct str bytes_str(const struct bytes *bytes) {
  return str_make(bytes->n > 0 ? bytes->p : "", bytes->n);
}

enum { CLIENT_LINES_MAX = 16, ORIGIN_LINES_MAX = 48 };
enum { LINE_ROOM_ALL = INT32_MAX };

/* One TCP connection. "in" is what the gateway receives, "out" what it sends. */
struct line {
  bool is_client;
  unsigned number; /* of its kind, in the order in which they were opened */
  int fd;
  struct ip_address peer; /* of a client */
  bool accepted;          /* a client's: taken from the listener's queue */
  bool connecting;        /* an origin's: nothing has been decided */
  bool connect_fails, connect_hangs;

  struct bytes in;
  size_t read;   /* so many of `in` have been received */
  bool in_ended; /* behind them comes the end */
  bool in_reset; /* the peer has reset the connection */
  int error;     /* what the next call reports */

  struct bytes out;
  size_t room;    /* so many more bytes the peer takes */
  bool out_ended; /* the peer sees an end behind `out` */
  bool out_reset; /* it sees a reset */
  bool closed;    /* by the gateway */
  bool excused;   /* the peer did something for which it may be left without an answer */

  void *watch; /* what epoll reports; NULL: not watched */
  bool has_news;
};

/* What one call moved over a line. The place in the list is the time. */
struct move {
  const struct line *line;
  bool out;
  size_t end; /* bytes of that direction so far */
};

extern struct kernel {
  struct line clients[CLIENT_LINES_MAX], origins[ORIGIN_LINES_MAX];
  unsigned client_count, origin_count;
  struct move *moves;
  size_t move_count, move_capacity;
  int64_t now_ms;
  bool listening, listener_watched;
  uint64_t mailbox;
  void *mailbox_watch, *listener_watch;
  int open;             /* descriptors of ours */
  const char *connects; /* how the next ones go: see kernel.c */
  void *(*thread)(void *argument);
  /* Called while the loop sleeps: lets the world go on. At most `wait_ms`, as epoll_wait(). */
  void (*sleep)(int wait_ms);
} kernel;

enum { KERNEL_LISTENER = 1002 };

void kernel_reset(void);
/* How many bytes had gone over a line in a direction before move number `time`. */
size_t kernel_bytes_before(const struct line *line, bool out, size_t time);
bool kernel_has_events(void);

/* A client that connects. NULL: there have been too many. */
struct line *kernel_new_client(const struct ip_address *peer);
/* What a peer does. Nothing reaches a line that the gateway has closed. */
void line_say(struct line *line, struct str data);
void line_end(struct line *line);
void line_reset(struct line *line);
/* From now on the peer takes so many bytes, and no more. */
void line_set_room(struct line *line, size_t room);

#endif
