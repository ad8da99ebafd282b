/*
 * geo: databases of every form, those that are damaged, and several together. The files are written
 * by tests/support/mmdb.py while building (GEO_FILES is their folder).
 */
#include "adit/geo.h"

#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

#include "adit/json.h"
#include "adit/text.h"
#include "printed.h"
#include "unit.h"

#define FILE_OF(name) GEO_FILES "/" name

/* What libmaxminddb 1.7 does not free where the metadata is malformed. */
const char *__lsan_default_suppressions(void);
const char *__lsan_default_suppressions(void) {
  return "leak:libmaxminddb";
}

static const struct diag_place here = {.file = "adit.json", .line = 3, .column = 7};

static struct ip_address address(const char *text) {
  struct ip_address ip;
  ck_assert_msg(ip_parse(str_from_cstr(text), &ip), "%s", text);
  return ip;
}

static struct geo *load(const char *const *paths, size_t n) {
  struct geo *geo = geo_new();
  struct diags *diags = diags_new();
  ck_assert(geo && diags);
  for (size_t i = 0; i < n; i++)
    ck_assert_msg(geo_add_database(geo, paths[i], here, diags), "%s", printed(diags));
  ck_assert_uint_eq(diags_size(diags), 0);
  diags_free(&diags);
  return geo;
}

/* What is said of an address, or "-". The buffer is overwritten by the next call. */
static const char *ask(struct geo_reader *reader, enum geo_field field, const char *ip) {
  static char buffer[GEO_TEXT_BYTES_MAX + 1];
  struct ip_address parsed = address(ip);
  struct str found;
  if (!geo_reader_find(reader, field, &parsed, &found)) return "-";
  (void)str_copy_to(found, buffer, sizeof(buffer));
  return buffer;
}

struct fact {
  const char *ip;
  const char *fields[GEO_FIELDS]; /* country, region, city, asn */
};

static void check_facts(const char *const *paths, size_t n_paths, const struct fact *facts,
                        size_t n) {
  struct geo *geo = load(paths, n_paths);
  struct geo_reader *reader = geo_reader_new(geo);
  ck_assert_ptr_nonnull(reader);
  for (size_t i = 0; i < n; i++) {
    for (unsigned field = 0; field < GEO_FIELDS; field++) {
      const char *found = ask(reader, (enum geo_field)field, facts[i].ip);
      ck_assert_msg(strcmp(found, facts[i].fields[field]) == 0, "%s of %s is '%s'",
                    geo_field_names[field], facts[i].ip, found);
    }
  }
  geo_reader_free(&reader);
  geo_free(&geo);
}

#define CHECK_FACTS(paths, facts) \
  check_facts(paths, sizeof(paths) / sizeof(*paths), facts, sizeof(facts) / sizeof(*facts))

START_TEST(test_maxmind_form)
{
  const char *const paths[] = {FILE_OF("city.mmdb"), FILE_OF("asn.mmdb")};
  const struct fact facts[] = {
      {"203.0.113.1", {"CN", "BJ", "Beijing", "64496"}},
      {"203.0.113.200", {"CN", "SH", "Shanghai", "64496"}},
      {"203.0.113.129", {"CN", "-", "-", "64496"}},
      {"198.51.100.255", {"DE", "BE", "Berlin", "-"}},
      {"198.51.101.0", {"-", "-", "-", "-"}},
      {"192.0.2.7", {"-", "-", "-", "4200000000"}},
      {"2001:db8::1", {"JP", "13", "Tokyo", "64497"}},
      {"2001:db8:1::1", {"JP", "-", "-", "64497"}},
      {"2001:db9::1", {"-", "-", "-", "-"}},
      /* IPv4-mapped is IPv4; other forms that hold one are addresses of IPv6. */
      {"::ffff:203.0.113.1", {"CN", "BJ", "Beijing", "64496"}},
      {"::ffff:cb00:7101", {"CN", "BJ", "Beijing", "64496"}},
      /* Nobody's. */
      {"127.0.0.1", {"-", "-", "-", "-"}},
      {"10.1.2.3", {"-", "-", "-", "-"}},
      {"::1", {"-", "-", "-", "-"}},
      {"fe80::1", {"-", "-", "-", "-"}},
      {"255.255.255.255", {"-", "-", "-", "-"}},
  };
  CHECK_FACTS(paths, facts);
}
END_TEST

START_TEST(test_flat_forms)
{
  const char *const paths[] = {FILE_OF("flat.mmdb")};
  const struct fact facts[] = {
      {"203.0.113.1", {"US", "Illinois", "Springfield", "-"}},
      {"192.0.2.1", {"FR", "\xC3\x8Ele-de-France", "Paris", "-"}},
      {"2001:db8:1::", {"KR", "-", "-", "-"}},
      {"2001:db8:2::", {"-", "-", "-", "-"}},
  };
  CHECK_FACTS(paths, facts);
  const char *const ipinfo[] = {FILE_OF("ipinfo.mmdb")};
  const struct fact of_ipinfo[] = {
      {"203.0.113.1", {"BR", "-", "-", "64500"}},
      {"192.0.2.1", {"AR", "Cordoba", "-", "-"}}, /* its asn is no number */
  };
  CHECK_FACTS(ipinfo, of_ipinfo);
}
END_TEST

START_TEST(test_ipv4_only)
{
  const char *const paths[] = {FILE_OF("v4.mmdb")};
  const struct fact facts[] = {
      {"203.0.113.1", {"CN", "-", "-", "-"}},
      {"::ffff:203.0.113.1", {"CN", "-", "-", "-"}},
      {"2001:db8::1", {"-", "-", "-", "-"}},
      {"::203.0.113.1", {"-", "-", "-", "-"}},
  };
  CHECK_FACTS(paths, facts);
}
END_TEST

/* Each field of each address comes from the first database that has it. */
START_TEST(test_several)
{
  const char *const paths[] = {FILE_OF("v4.mmdb"), FILE_OF("flat.mmdb"), FILE_OF("asn.mmdb"),
                               FILE_OF("city.mmdb")};
  const struct fact facts[] = {
      {"203.0.113.1", {"CN", "Illinois", "Springfield", "64496"}},
      {"192.0.2.1", {"FR", "\xC3\x8Ele-de-France", "Paris", "4200000000"}},
      {"198.51.100.1", {"DE", "BE", "Berlin", "-"}},
      {"2001:db8:1::1", {"KR", "-", "-", "64497"}},
      {"2001:db8::1", {"JP", "13", "Tokyo", "64497"}},
  };
  CHECK_FACTS(paths, facts);
}
END_TEST

START_TEST(test_fields)
{
  const char *const paths[] = {FILE_OF("v4.mmdb"), FILE_OF("asn.mmdb")};
  struct geo *geo = load(paths, 2);
  ck_assert_uint_eq(geo_database_count(geo), 2);
  ck_assert(geo_has(geo, GEO_COUNTRY) && geo_has(geo, GEO_ASN));
  ck_assert(!geo_has(geo, GEO_REGION) && !geo_has(geo, GEO_CITY));
  geo_free(&geo);
  enum geo_field field;
  ck_assert(geo_field_parse(STR("asn"), &field) && field == GEO_ASN);
  ck_assert(geo_field_parse(STR("region"), &field) && field == GEO_REGION);
  ck_assert(!geo_field_parse(STR("Country"), &field) && !geo_field_parse(STR(""), &field));
}
END_TEST

START_TEST(test_longest_text)
{
  const char *const paths[] = {FILE_OF("long.mmdb")};
  struct geo *geo = load(paths, 1);
  struct geo_reader *reader = geo_reader_new(geo);
  ck_assert_uint_eq(strlen(ask(reader, GEO_COUNTRY, "192.0.2.1")), GEO_TEXT_BYTES_MAX);
  ck_assert_str_eq(ask(reader, GEO_COUNTRY, "203.0.113.1"), "-");
  geo_reader_free(&reader);
  geo_free(&geo);
}
END_TEST

/* ---- files that are not taken ---------------------------------------------------------------- */

static void refuse(const char *path, const char *expected) {
  struct diags *diags = diags_new();
  struct geo_database *database = geo_database_load(path, here, diags);
  ck_assert_msg(!database, "%s was taken", path);
  ck_assert_uint_eq(diags_size(diags), 1);
  ck_assert_msg(strstr(printed(diags), expected), "%s: %s", path, printed(diags));
  ck_assert_msg(strncmp(printed(diags), "adit.json:3:7: error: ", 22) == 0, "%s", printed(diags));
  diags_free(&diags);
}

START_TEST(test_refused)
{
  static const struct {
    const char *name, *expected;
  } files[] = {
      {"anonymous.mmdb", "(type 'GeoIP2-Anonymous-IP') knows no country, region, city or asn"},
      {"empty-tree.mmdb", "knows no country"},
      {"numbers.mmdb", "knows no country"},
      {"text-record.mmdb", "is damaged: a record is no map"},
      {"nested.mmdb", "is damaged: values are nested too deep"},
      {"wide.mmdb", "is damaged: a record has too many values"},
      {"version3.mmdb", "of a version of the MaxMind DB format that is not known"},
      {"more-nodes.mmdb", "is not a MaxMind DB file, or its end is missing"},
      {"no-nodes.mmdb", "is not a MaxMind DB file, or its end is missing"},
      {"record-size.mmdb", "of a version of the MaxMind DB format"},
      {"missing.mmdb", "No such file or directory (create it, or correct the path)"},
      {".", "it is a directory"},
  };
  for (size_t i = 0; i < sizeof(files) / sizeof(*files); i++) {
    char path[512];
    snprintf(path, sizeof(path), "%s/%s", GEO_FILES, files[i].name);
    refuse(path, files[i].expected);
  }
}
END_TEST

static char *read_file(const char *path, size_t *ret_n) {
  char *bytes;
  struct diags *diags = diags_new();
  ck_assert(file_read(path, 1 << 20, here, diags, &bytes, ret_n));
  diags_free(&diags);
  return bytes;
}

static void write_file(const char *path, const char *bytes, size_t n) {
  FILE *file = fopen(path, "wb");
  ck_assert(file && fwrite(bytes, 1, n, file) == n && fclose(file) == 0);
}

/* A path that is this process's alone. */
static const char *scratch_path(void) {
  static char path[64];
  snprintf(path, sizeof(path), "/tmp/adit-geo-%ld.mmdb", (long)getpid());
  return path;
}

START_TEST(test_garbage)
{
  char garbage[5000];
  for (size_t i = 0; i < sizeof(garbage); i++) garbage[i] = (char)(i * 7919 >> 3);
  write_file(scratch_path(), garbage, sizeof(garbage));
  refuse(scratch_path(), "is not a MaxMind DB file, or its end is missing (fetch it again");
  write_file(scratch_path(), "", 0);
  refuse(scratch_path(), "is empty");
  write_file(scratch_path(), "\xab\xcd\xefMaxMind.com", 14);
  refuse(scratch_path(), "is not a MaxMind DB file, or its end is missing");
  unlink(scratch_path());
}
END_TEST

/* Wherever it is cut off: what is left is never taken, since the end of the metadata is missing. */
START_TEST(test_cut_off)
{
  size_t n;
  char *bytes = read_file(FILE_OF("city.mmdb"), &n);
  for (size_t length = 0; length < n; length++) {
    write_file(scratch_path(), bytes, length);
    refuse(scratch_path(), scratch_path());
  }
  unlink(scratch_path());
  free(bytes);
}
END_TEST

/* Asks for addresses all over: whatever the answers, they are within the database. */
static void ask_around(void) {
  struct geo *geo = geo_new();
  struct diags *diags = diags_new();
  ck_assert(geo_add_database(geo, scratch_path(), here, diags));
  struct geo_reader *reader = geo_reader_new(geo);
  static const char *const addresses[] = {"203.0.113.1", "203.0.113.129", "198.51.100.1",
                                          "2001:db8::1", "2001:db8:1::1", "0.0.0.0",
                                          "ffff::ffff"};
  for (size_t i = 0; i < sizeof(addresses) / sizeof(*addresses); i++) {
    for (unsigned field = 0; field < GEO_FIELDS; field++)
      (void)ask(reader, (enum geo_field)field, addresses[i]);
  }
  geo_reader_free(&reader);
  geo_free(&geo);
  diags_free(&diags);
}

/* Any byte, changed to any of a few others: refused, or good to be asked. Both must happen. */
START_TEST(test_flipped_bytes)
{
  static const uint8_t changes[] = {0x21, 0xFF};
  size_t n, taken = 0, refused = 0;
  char *bytes = read_file(FILE_OF("city.mmdb"), &n);
  for (size_t i = 0; i < n; i++) {
    for (size_t c = 0; c < sizeof(changes); c++) {
      bytes[i] = (char)((uint8_t)bytes[i] ^ changes[c]);
      write_file(scratch_path(), bytes, n);
      bytes[i] = (char)((uint8_t)bytes[i] ^ changes[c]);
      struct diags *diags = diags_new();
      struct geo_database *database = geo_database_load(scratch_path(), here, diags);
      ck_assert((database == NULL) == (diags_count(diags, DIAG_ERROR) == 1));
      if (database) ask_around();
      *(database ? &taken : &refused) += 1;
      geo_database_free(&database);
      diags_free(&diags);
    }
  }
  ck_assert_msg(taken > 100 && refused > 100, "%zu taken, %zu refused", taken, refused);
  unlink(scratch_path());
  free(bytes);
}
END_TEST

/* Shortened and overwritten in place under a database that is in use: nothing happens to it. */
START_TEST(test_changed_in_place)
{
  size_t n;
  char *bytes = read_file(FILE_OF("city.mmdb"), &n);
  write_file(scratch_path(), bytes, n);
  const char *const paths[] = {scratch_path()};
  struct geo *geo = load(paths, 1);
  struct geo_reader *reader = geo_reader_new(geo);
  ck_assert_int_eq(truncate(scratch_path(), 0), 0);
  ck_assert_str_eq(ask(reader, GEO_CITY, "203.0.113.1"), "Beijing");
  memset(bytes, 0xFF, n);
  write_file(scratch_path(), bytes, n);
  ck_assert_str_eq(ask(reader, GEO_CITY, "198.51.100.1"), "Berlin");
  unlink(scratch_path());
  geo_reader_free(&reader);
  geo_free(&geo);
  free(bytes);
}
END_TEST

START_TEST(test_too_many)
{
  struct geo *geo = geo_new();
  struct diags *diags = diags_new();
  for (size_t i = 0; i < GEO_DATABASES_MAX; i++)
    ck_assert(geo_add_database(geo, FILE_OF("v4.mmdb"), here, diags));
  ck_assert(!geo_add_database(geo, FILE_OF("v4.mmdb"), here, diags));
  ck_assert_msg(strstr(printed(diags), "more than 8 databases"), "%s", printed(diags));
  diags_free(&diags);
  geo_free(&geo);
}
END_TEST

UNIT_MAIN("geo", test_maxmind_form, test_flat_forms, test_ipv4_only, test_several, test_fields,
          test_longest_text, test_refused, test_garbage, test_cut_off, test_flipped_bytes,
          test_changed_in_place, test_too_many)
