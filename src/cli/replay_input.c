/*
 * replay_input: files, plain or packed by gzip, as blocks of whole lines.
 *
 *   packed   a file's bytes. Not by gzread(), which leaves out without a word what stands behind
 *            the packed part: a log that was appended to after it was packed would be half a log
 *   lines    blocks of them
 */
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <unistd.h>
#include <zlib.h>

#include "cli/replay.h"

enum {
  CAPACITY = REPLAY_BLOCK_BYTES + LOG_LINE_BYTES_MAX,
  RAW_BYTES = 256 * 1024,
  MAGIC_BYTES = 2
};

/* How a file goes on. */
enum packing {
  NOT_KNOWN, /* at the beginning, and behind a packed part, which another may follow */
  PLAIN,
  PACKED
};

struct replay_input {
  char *const *paths;
  size_t path_count, next_path;
  int fd; /* -1: the next is to be opened */
  enum packing packing;
  bool was_packed;    /* up to here */
  bool ended;         /* there is nothing more to read */
  z_stream z;         /* PACKED */
  unsigned char *raw; /* RAW_BYTES, of which z.avail_in at z.next_in are to come */
  uint64_t blocks;
  bool skipping; /* in a line that is too long */
  bool passed;   /* one has ended since the last block */
  char *rest;    /* the beginning of a line, LOG_LINE_BYTES_MAX + 1 */
  size_t rest_n;
};

struct replay_input *replay_input_new(char *const *paths, size_t n) {
  struct replay_input *input = calloc(1, sizeof(*input));
  if (!input) return NULL;
  *input = (struct replay_input){.paths = paths,
                                 .path_count = n,
                                 .fd = -1,
                                 .raw = malloc(RAW_BYTES),
                                 .rest = malloc(LOG_LINE_BYTES_MAX + 1)};
  /* Of gzip's format; one for all files, each after the other. */
  if (!input->raw || !input->rest || inflateInit2(&input->z, MAX_WBITS + 16) != Z_OK)
    replay_input_free(&input);
  return input;
}

void replay_input_free(struct replay_input **input) {
  if (!*input) return;
  if ((*input)->fd >= 0) close((*input)->fd);
  (void)inflateEnd(&(*input)->z);
  free((*input)->raw);
  free((*input)->rest);
  free(*input);
  *input = NULL;
}

static const char *path_of(const struct replay_input *input) {
  const char *path = input->paths[input->next_path];
  return strcmp(path, "-") == 0 ? "standard input" : path;
}

/* ---- packed ---------------------------------------------------------------------------------- */

static bool open_next(struct replay_input *input, struct text *why) {
  const char *path = input->paths[input->next_path];
  input->fd = strcmp(path, "-") == 0 ? dup(STDIN_FILENO) : open(path, O_RDONLY | O_CLOEXEC);
  if (input->fd < 0) {
    text_printf(why, "%s: %s", path_of(input), strerror(errno));
    return false;
  }
  input->packing = NOT_KNOWN;
  input->was_packed = input->ended = false;
  input->z.next_in = input->raw;
  input->z.avail_in = 0;
  return true;
}

static void close_file(struct replay_input *input) {
  close(input->fd);
  input->fd = -1;
  input->next_path++;
}

static bool fail(const struct replay_input *input, const char *what, struct text *why) {
  text_printf(why, "%s: %s", path_of(input), what);
  return false;
}

/* Adds to what is to come, at least a byte, or finds the end. False: *why. */
static bool read_raw(struct replay_input *input, struct text *why) {
  memmove(input->raw, input->z.next_in, input->z.avail_in);
  input->z.next_in = input->raw;
  ssize_t n;
  do n = read(input->fd, input->raw + input->z.avail_in, RAW_BYTES - input->z.avail_in);
  while (n < 0 && errno == EINTR);
  if (n < 0) return fail(input, strerror(errno), why);
  if (n == 0) input->ended = true;
  input->z.avail_in += (unsigned)n;
  return true;
}

/* By the first bytes of what is to come, of which there are enough, or all. */
static bool find_packing(struct replay_input *input, struct text *why) {
  const unsigned char *raw = input->z.next_in;
  const bool packed = input->z.avail_in >= MAGIC_BYTES && raw[0] == 0x1f && raw[1] == 0x8b;
  if (input->was_packed && !packed && input->z.avail_in > 0)
    return fail(input, "something that is not packed stands behind the packed part", why);
  if (packed && inflateReset(&input->z) != Z_OK) return fail(input, "out of memory", why);
  input->packing = packed ? PACKED : PLAIN;
  input->was_packed = packed;
  return true;
}

static bool unpack(struct replay_input *input, char *p, size_t n, size_t *ret_n, struct text *why) {
  input->z.next_out = (unsigned char *)p;
  input->z.avail_out = (unsigned)n;
  const int status = inflate(&input->z, Z_NO_FLUSH);
  *ret_n = n - input->z.avail_out;
  if (status == Z_STREAM_END) {
    input->packing = NOT_KNOWN;
    return true;
  }
  if (status == Z_BUF_ERROR && input->ended)
    return fail(input, "the packed file ends too early", why);
  if (status == Z_OK || status == Z_BUF_ERROR) return true;
  return fail(input, input->z.msg ? input->z.msg : "the packed file is damaged", why);
}

static size_t copy(struct replay_input *input, char *p, size_t n) {
  if (n > input->z.avail_in) n = input->z.avail_in;
  memcpy(p, input->z.next_in, n);
  input->z.next_in += n;
  input->z.avail_in -= (unsigned)n;
  return n;
}

/* Up to n bytes of the file; 0: it has ended. -1: *why. */
static ssize_t read_file(struct replay_input *input, char *p, size_t n, struct text *why) {
  size_t got = 0;
  while (got == 0) {
    const size_t wanted = input->packing == NOT_KNOWN ? MAGIC_BYTES : 1;
    while (input->z.avail_in < wanted && !input->ended)
      if (!read_raw(input, why)) return -1;
    if (input->packing == NOT_KNOWN && !find_packing(input, why)) return -1;
    if (input->packing == PLAIN && input->z.avail_in == 0) return 0;
    if (input->packing == PLAIN)
      got = copy(input, p, n);
    else if (!unpack(input, p, n, &got, why))
      return -1;
  }
  return (ssize_t)got;
}

/* ---- lines ----------------------------------------------------------------------------------- */

/* Reads on until the block is full or the file ends. -1: failed. */
static ssize_t fill(struct replay_input *input, struct replay_block *block, struct text *why) {
  while (block->n < CAPACITY) {
    const ssize_t n = read_file(input, block->p + block->n, CAPACITY - block->n, why);
    if (n <= 0) return n;
    block->n += (size_t)n;
    if (block->n >= REPLAY_BLOCK_BYTES) break; /* enough; a pipe may give little at a time */
  }
  return 1;
}

/* Passes over what is left of a line that is too long. False: it goes on behind the block. */
static bool skip(struct replay_input *input, struct replay_block *block) {
  const char *newline = memchr(block->p, '\n', block->n);
  if (!newline) {
    block->n = 0;
    return false;
  }
  block->n -= (size_t)(newline + 1 - block->p);
  memmove(block->p, newline + 1, block->n);
  input->skipping = false;
  input->passed = true;
  return true;
}

/* Leaves whole lines in the block, and what follows them for the next. */
static void keep_rest(struct replay_input *input, struct replay_block *block) {
  const char *newline = memrchr(block->p, '\n', block->n);
  const size_t whole = newline ? (size_t)(newline + 1 - block->p) : 0;
  input->rest_n = block->n - whole;
  block->n = whole;
  if (input->rest_n > LOG_LINE_BYTES_MAX) {
    input->skipping = true;
    input->rest_n = 0;
    return;
  }
  memcpy(input->rest, block->p + whole, input->rest_n);
}

static void begin_block(struct replay_input *input, struct replay_block *block) {
  memcpy(block->p, input->rest, input->rest_n);
  block->n = input->rest_n;
  input->rest_n = 0;
}

/* One step. False: there is no block yet. */
static bool read_some(struct replay_input *input, struct replay_block *block, bool *ret_failed,
                      struct text *why) {
  begin_block(input, block);
  const ssize_t got = fill(input, block, why);
  if (input->skipping && !skip(input, block) && got > 0) return false;
  if (got > 0) {
    keep_rest(input, block);
  } else {
    input->passed |= input->skipping;
    input->skipping = false;
    *ret_failed = got < 0;
    close_file(input);
  }
  return !*ret_failed && (block->n > 0 || input->passed);
}

enum replay_read replay_input_next(struct replay_input *input, struct replay_block *block,
                                   struct text *why) {
  bool failed = false;
  for (;;) {
    if (input->fd < 0 && input->next_path == input->path_count) return REPLAY_END;
    if (input->fd < 0 && !open_next(input, why)) return REPLAY_FAILED;
    block->log = input->next_path;
    if (read_some(input, block, &failed, why)) break;
    if (failed) return REPLAY_FAILED;
  }
  block->number = input->blocks++;
  block->too_long = input->passed;
  input->passed = false;
  return REPLAY_BLOCK;
}
