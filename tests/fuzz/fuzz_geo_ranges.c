/*
 * A file of ranges of any content is refused with an error, or every address has one value or none,
 * the same as its neighbour unless a prefix begins or ends between them.
 */
#include "fuzz_file.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void ask(const struct geo_ranges *ranges, const struct ip_address *ip) {
  const struct geo_value *value = geo_ranges_find(ranges, ip);
  if (!value) return;
  size_t bytes = 0;
  fuzz_require(value->n > 0 && value->n <= GEO_VALUE_TEXTS_MAX);
  for (size_t i = 0; i < value->n; i++) {
    fuzz_require(memchr(value->texts[i].p, 0, value->texts[i].n) == NULL);
    bytes += value->texts[i].n + 1;
  }
  fuzz_require(bytes <= GEO_VALUE_BYTES_MAX);
}

static void ask_around(const struct geo_ranges *ranges, const uint8_t *data, size_t size) {
  struct ip_address ip;
  for (unsigned i = 0; i < 256; i++) {
    memset(ip.bytes, (int)i, 16);
    ask(ranges, &ip);
    memset(ip.bytes, 0, 10);
    memset(ip.bytes + 10, 0xFF, 2);
    ask(ranges, &ip);
  }
  for (size_t i = 0; i + 16 <= size; i += 16) {
    memcpy(ip.bytes, data + i, 16);
    ask(ranges, &ip);
  }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
  char path[FUZZ_PATH_BYTES];
  int fd = fuzz_file_make(data, size, path);
  struct diags *diags = diags_new();
  if (diags && fd >= 0) {
    struct geo_ranges *ranges = geo_ranges_load(path, (struct diag_place){.file = "fuzz"}, diags);
    fuzz_require((ranges == NULL) == (diags_count(diags, DIAG_ERROR) > 0));
    if (ranges) ask_around(ranges, data, size);
    geo_ranges_free(&ranges);
  }
  diags_free(&diags);
  if (fd >= 0) close(fd);
  return 0;
}
