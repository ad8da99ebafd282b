/*
 * A database of any content is refused with one error, or every address can be looked up in it
 * and gives texts within its limits.
 */

#include "fuzz_file.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);
/* What libmaxminddb 1.7 does not free where the metadata is malformed. */
const char *__lsan_default_suppressions(void);
const char *__lsan_default_suppressions(void) {
  return "leak:libmaxminddb";
}

static void ask(struct geo_reader *reader, const struct ip_address *ip) {
  for (unsigned field = 0; field < GEO_FIELDS; field++) {
    struct str text;
    if (!geo_reader_find(reader, (enum geo_field)field, ip, &text)) continue;
    uint64_t number;
    fuzz_require(text.n > 0 && text.n <= GEO_TEXT_BYTES_MAX);
    fuzz_require(field != GEO_ASN || str_to_u64(text, UINT32_MAX, &number));
  }
}

static void ask_around(const struct geo *geo) {
  static const char *const addresses[] = {"0.0.0.0",   "203.0.113.1", "203.0.113.129",
                                          "192.0.2.1", "2001:db8::1", "::1"};
  struct geo_reader *reader = geo_reader_new(geo);
  if (!reader) return;
  for (size_t i = 0; i < sizeof(addresses) / sizeof(*addresses); i++) {
    struct ip_address ip;
    fuzz_require(ip_parse(str_from_cstr(addresses[i]), &ip));
    ask(reader, &ip);
  }
  for (unsigned i = 0; i < 64; i++) {
    struct ip_address ip;
    memset(ip.bytes, (int)(i * 37), 16);
    ask(reader, &ip);
  }
  geo_reader_free(&reader);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
  char path[FUZZ_PATH_BYTES];
  int fd = fuzz_file_make(data, size, path);
  struct geo *geo = geo_new();
  struct diags *diags = diags_new();
  if (geo && diags && fd >= 0) {
    bool taken = geo_add_database(geo, path, (struct diag_place){.file = "fuzz"}, diags);
    fuzz_require(diags_count(diags, DIAG_ERROR) == (taken ? 0 : 1));
    if (taken) ask_around(geo);
  }
  geo_free(&geo);
  diags_free(&diags);
  if (fd >= 0) close(fd);
  return 0;
}
