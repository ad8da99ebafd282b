/* file: reading files whole, with messages that say what to do. */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "adit/json.h"

static const char *errno_hint(int error) {
  if (error == ENOENT) return "create it, or correct the path";
  if (error == EACCES) return "let the user that runs adit read it";
  if (error == ENOTDIR || error == ELOOP || error == ENAMETOOLONG) return "correct the path";
  return NULL;
}

static bool fail_errno(struct diags *diags, struct diag_place at, const char *path, int error) {
  const char *text = strerrordesc_np(error);
  diags_add(diags, DIAG_ERROR, at, errno_hint(error), "cannot read '%s': %s", path,
            text ? text : "unknown error");
  return false;
}

static bool fail_size(struct diags *diags, struct diag_place at, const char *path,
                      size_t limit_bytes) {
  diags_add(diags, DIAG_ERROR, at, "make it smaller or divide it",
            "cannot read '%s': it is larger than %zu bytes", path, limit_bytes);
  return false;
}

/* Whether an open file can be read as one: a directory or a pipe could give anything, or never end.
 */
static bool check_kind(int fd, const char *path, size_t limit_bytes, struct diag_place at,
                       struct diags *diags, size_t *ret_size) {
  struct stat status;
  if (fstat(fd, &status) != 0) return fail_errno(diags, at, path, errno);
  if (S_ISDIR(status.st_mode)) {
    diags_add(diags, DIAG_ERROR, at, "name a file in it", "cannot read '%s': it is a directory",
              path);
    return false;
  }
  if (!S_ISREG(status.st_mode)) {
    diags_add(diags, DIAG_ERROR, at, "copy its content into a file",
              "cannot read '%s': it is not a regular file", path);
    return false;
  }
  if (status.st_size < 0 || (uintmax_t)status.st_size > limit_bytes) {
    return fail_size(diags, at, path, limit_bytes);
  }
  *ret_size = (size_t)status.st_size;
  return true;
}

/* Fills `buffer` up to its capacity or the file's end. -errno, or 0 with *ret_n. */
static int read_all(int fd, char *buffer, size_t capacity, size_t *ret_n) {
  size_t n = 0;
  while (n < capacity) {
    ssize_t got = read(fd, buffer + n, capacity - n);
    if (got < 0 && errno == EINTR) continue;
    if (got < 0) return -errno;
    if (got == 0) break;
    n += (size_t)got;
  }
  *ret_n = n;
  return 0;
}

static bool fail_grown(struct diags *diags, struct diag_place at, const char *path) {
  diags_add(diags, DIAG_ERROR, at, "write a new file beside it and rename it into place",
            "cannot read '%s': it grew while it was read", path);
  return false;
}

static bool read_open_file(int fd, const char *path, size_t limit_bytes, struct diag_place at,
                           struct diags *diags, char **ret, size_t *ret_n) {
  size_t size = 0;
  if (!check_kind(fd, path, limit_bytes, at, diags, &size)) return false;
  /* Two spare bytes: one to notice that the file has grown since, one for a NUL. */
  char *buffer = malloc(size + 2);
  if (!buffer) return fail_errno(diags, at, path, ENOMEM);
  size_t n = 0;
  int error = read_all(fd, buffer, size + 1, &n);
  if (error != 0) {
    free(buffer);
    return fail_errno(diags, at, path, -error);
  }
  if (n > size) {
    free(buffer);
    return fail_grown(diags, at, path);
  }
  buffer[n] = '\0';
  *ret = buffer;
  *ret_n = n;
  return true;
}

static __thread struct {
  file_note_fn *note; /* NULL: nobody is told */
  void *context;
} reads;

void file_note_reads(file_note_fn *note, void *context) {
  reads.note = note;
  reads.context = context;
}

/* O_NONBLOCK: a pipe in the file's place must not hold us up. */
static int open_file(const char *path) {
  if (reads.note) reads.note(reads.context, path);
  return open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);
}

bool file_read(const char *path, size_t limit_bytes, struct diag_place at, struct diags *diags,
               char **ret, size_t *ret_n) {
  int fd = open_file(path);
  if (fd < 0) return fail_errno(diags, at, path, errno);
  bool ok = read_open_file(fd, path, limit_bytes, at, diags, ret, ret_n);
  close(fd);
  return ok;
}

/* ---- copies in memory ------------------------------------------------------------------------ */

static int write_all(int fd, const char *bytes, size_t n) {
  while (n > 0) {
    ssize_t put = write(fd, bytes, n);
    if (put < 0 && errno == EINTR) continue;
    if (put < 0) return -errno;
    bytes += put;
    n -= (size_t)put;
  }
  return 0;
}

/* Copies at most `limit_bytes` and one more, by which a file that has grown is noticed. */
static int copy_all(int from, int to, size_t limit_bytes, size_t *ret_n) {
  enum { BLOCK = 256 * 1024 };
  char *block = malloc(BLOCK);
  int error = block ? 0 : -ENOMEM;
  size_t n = 0, got = 1;
  while (error == 0 && got > 0 && n <= limit_bytes) {
    size_t most = limit_bytes + 1 - n;
    error = read_all(from, block, most < BLOCK ? most : BLOCK, &got);
    if (error == 0) error = write_all(to, block, got);
    if (error == 0) n += got;
  }
  free(block);
  *ret_n = n;
  return error;
}

static bool fill_copy(int fd, const char *path, size_t limit_bytes, struct diag_place at,
                      struct diags *diags, int copy) {
  size_t size = 0, n = 0;
  if (!check_kind(fd, path, limit_bytes, at, diags, &size)) return false;
  int error = copy_all(fd, copy, size, &n);
  if (error != 0) return fail_errno(diags, at, path, -error);
  if (n > size) return fail_grown(diags, at, path);
  if (fcntl(copy, F_ADD_SEALS, F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_WRITE | F_SEAL_SEAL) == 0)
    return true;
  return fail_errno(diags, at, path, errno);
}

bool file_copy(const char *path, size_t limit_bytes, struct diag_place at, struct diags *diags,
               int *ret_fd) {
  int fd = open_file(path);
  if (fd < 0) return fail_errno(diags, at, path, errno);
  int copy = memfd_create("adit-file", MFD_CLOEXEC | MFD_ALLOW_SEALING);
  bool ok = copy >= 0 ? fill_copy(fd, path, limit_bytes, at, diags, copy)
                      : fail_errno(diags, at, path, errno);
  close(fd);
  if (ok) {
    *ret_fd = copy;
  } else if (copy >= 0) {
    close(copy);
  }
  return ok;
}
