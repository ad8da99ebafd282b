/*
 * replay_input: files, plain or packed by gzip, as blocks of whole lines.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <unistd.h>
#include <zlib.h>

#include "cli/replay.h"

enum { CAPACITY = REPLAY_BLOCK_BYTES + LOG_LINE_BYTES_MAX, UNPACKED_BYTES = 256 * 1024 };

struct replay_input {
  char *const *paths;
  size_t path_count, next_path;
  gzFile file; /* NULL: the next is to be opened */
  uint64_t blocks;
  bool skipping; /* in a line that is too long */
  bool passed;   /* one has ended since the last block */
  char *rest;    /* the beginning of a line, LOG_LINE_BYTES_MAX + 1 */
  size_t rest_n;
};

struct replay_input *replay_input_new(char *const *paths, size_t n) {
  struct replay_input *input = calloc(1, sizeof(*input));
  if (!input) return NULL;
  *input = (struct replay_input){
      .paths = paths, .path_count = n, .rest = malloc(LOG_LINE_BYTES_MAX + 1)};
  if (!input->rest) replay_input_free(&input);
  return input;
}

void replay_input_free(struct replay_input **input) {
  if (!*input) return;
  if ((*input)->file) gzclose((*input)->file);
  free((*input)->rest);
  free(*input);
  *input = NULL;
}

static const char *path_of(const struct replay_input *input) {
  const char *path = input->paths[input->next_path];
  return strcmp(path, "-") == 0 ? "standard input" : path;
}

static bool open_next(struct replay_input *input, struct text *why) {
  const char *path = input->paths[input->next_path];
  const int fd = strcmp(path, "-") == 0 ? dup(STDIN_FILENO) : open(path, O_RDONLY | O_CLOEXEC);
  if (fd >= 0) input->file = gzdopen(fd, "rb");
  if (!input->file) {
    text_printf(why, "%s: %s", path_of(input), strerror(fd >= 0 ? ENOMEM : errno));
    if (fd >= 0) close(fd);
    return false;
  }
  gzbuffer(input->file, UNPACKED_BYTES);
  return true;
}

/* False: the file cannot be read to its end. */
static bool close_file(struct replay_input *input, bool failed, struct text *why) {
  int error;
  const char *message = gzerror(input->file, &error);
  const bool bad = failed || (error != Z_OK && error != Z_STREAM_END);
  if (bad) {
    text_printf(why, "%s: %s", path_of(input),
                error == Z_ERRNO       ? strerror(errno)
                : error == Z_BUF_ERROR ? "the packed file ends too early"
                                       : message);
  }
  gzclose(input->file);
  input->file = NULL;
  input->next_path++;
  return !bad;
}

/* Reads on until the block is full or the file ends. -1: failed. */
static int fill(struct replay_input *input, struct replay_block *block) {
  while (block->n < CAPACITY) {
    const int n = gzread(input->file, block->p + block->n, (unsigned)(CAPACITY - block->n));
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
  const int got = fill(input, block);
  if (input->skipping && !skip(input, block) && got > 0) return false;
  if (got > 0) {
    keep_rest(input, block);
  } else {
    input->passed |= input->skipping;
    input->skipping = false;
    *ret_failed = !close_file(input, got < 0, why);
  }
  return !*ret_failed && (block->n > 0 || input->passed);
}

enum replay_read replay_input_next(struct replay_input *input, struct replay_block *block,
                                   struct text *why) {
  bool failed = false;
  for (;;) {
    if (!input->file && input->next_path == input->path_count) return REPLAY_END;
    if (!input->file && !open_next(input, why)) return REPLAY_FAILED;
    block->log = input->next_path;
    if (read_some(input, block, &failed, why)) break;
    if (failed) return REPLAY_FAILED;
  }
  block->number = input->blocks++;
  block->too_long = input->passed;
  input->passed = false;
  return REPLAY_BLOCK;
}
