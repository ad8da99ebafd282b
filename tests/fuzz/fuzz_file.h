/* fuzz_file: an input as a file, for what reads files. */
#ifndef ADIT_FUZZ_FILE_H
#define ADIT_FUZZ_FILE_H

#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <unistd.h>

#include "adit/geo.h"

enum { FUZZ_PATH_BYTES = 32 };

static inline void fuzz_require(bool holds) {
  if (!holds) abort();
}

/* A file in memory and its path; the caller closes it. -1: it could not be made. */
static inline int fuzz_file_make(const uint8_t *data, size_t size, char path[FUZZ_PATH_BYTES]) {
  int fd = memfd_create("fuzz", MFD_CLOEXEC);
  if (fd >= 0 && write(fd, data, size) != (ssize_t)size) {
    close(fd);
    return -1;
  }
  snprintf(path, FUZZ_PATH_BYTES, "/proc/self/fd/%d", fd);
  return fd;
}

#endif
