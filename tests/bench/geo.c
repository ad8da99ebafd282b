/*
 * What an attribute costs that comes from the client's address, beside one from a header: of a
 * database of countries (docker/geodata.sh DIRECTORY fetches it; ADIT_GEODATA names the directory),
 * and of a million ranges. Each time from another address of a thousand, as clients come.
 */
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "adit/arena.h"
#include "adit/attrs.h"
#include "adit/config.h"
#include "field.h"
#include "measure.h"

enum { RANGES = 1000000, ADDRESSES = 1000 };

/* ---- files ----------------------------------------------------------------------------------- */

static FILE *create(const char *path) {
  FILE *file = fopen(path, "w");
  if (!file) measure_fail(path);
  return file;
}

/* Always the same numbers. */
static uint32_t next_random(void) {
  static uint64_t state = 1;
  state = state * 6364136223846793005ULL + 1442695040888963407ULL;
  return (uint32_t)(state >> 32);
}

/* One of /22 to /26 in each /21 from 1.0.0.0 on, with one of 300 values: hardly any merge. */
static void write_ranges(void) {
  FILE *file = create("ranges.json");
  for (uint32_t i = 0; i < RANGES; i++) {
    const uint32_t ip = (1U << 24) + i * 2048;
    fprintf(file, "%s\"%u.%u.%u.%u/%u\": \"site-%u\"", i ? ",\n" : "{", ip >> 24, ip >> 16 & 255,
            ip >> 8 & 255, ip & 255, 22 + i % 5, next_random() % 300);
  }
  fprintf(file, "}\n");
  if (fclose(file) != 0) measure_fail("ranges.json");
}

static void write_config(const char *database) {
  FILE *file = create("adit.json");
  fprintf(file,
          "{\"listen\": [{\"address\": \"127.0.0.1:0\"}],\n"
          "\"trusted_proxies\": [\"127.0.0.0/8\"],\n"
          "\"geoip\": {\"databases\": [\"%s\"]},\n"
          "\"attributes\": {\n"
          "\"header\": {\"type\": \"string\", \"from\": [{\"header\": \"X-Country\"}]},\n"
          "\"country\": {\"type\": \"string\", \"from\": [{\"geoip\": \"country\"}]},\n"
          "\"site\": {\"type\": \"string\", \"from\": [{\"cidr\": \"ranges.json\"}]}},\n"
          "\"upstreams\": {\"a\": {\"endpoints\": [\"127.0.0.1:1\"]}}}\n",
          database);
  if (fclose(file) != 0) measure_fail("adit.json");
}

static struct config *load(void) {
  static char directory[] = "/tmp/adit-bench-XXXXXX";
  const char *data = getenv("ADIT_GEODATA");
  char database[4096];
  if (!data || !realpath(data, database)) measure_fail("ADIT_GEODATA names no directory");
  strncat(database, "/country.mmdb", sizeof(database) - strlen(database) - 1);
  if (access(database, R_OK) != 0)
    measure_fail("there is no country.mmdb in ADIT_GEODATA: docker/geodata.sh DIRECTORY");
  if (!mkdtemp(directory) || chdir(directory) != 0) measure_fail("no directory to work in");
  write_ranges();
  write_config(database);
  struct diags *diags = diags_new();
  struct config *config = diags ? config_load("adit.json", diags) : NULL;
  if (!config) measure_fail("adit.json is not taken");
  diags_free(&diags);
  (void)unlink("ranges.json");
  (void)unlink("adit.json");
  (void)rmdir(directory);
  return config;
}

/* ---- reading --------------------------------------------------------------------------------- */

struct asked {
  struct attr_reader *reader;
  struct attr_table *table;
  uint16_t header, country, site;
  struct http_field fields[11];
  struct attr_request request;
  struct ip_address addresses[ADDRESSES];
  size_t next;
};

static const struct attr_value *read_of_next(struct asked *asked, uint16_t slot) {
  asked->request.client_ip = asked->addresses[asked->next];
  asked->next = asked->next + 1 < ADDRESSES ? asked->next + 1 : 0;
  attr_reader_begin(asked->reader, asked->table, &asked->request);
  return attr_read(asked->reader, slot);
}

static void read_header(void *context) {
  struct asked *asked = context;
  (void)read_of_next(asked, asked->header);
}

static void read_country(void *context) {
  struct asked *asked = context;
  (void)read_of_next(asked, asked->country);
}

static void read_site(void *context) {
  struct asked *asked = context;
  (void)read_of_next(asked, asked->site);
}

static void fill_request(struct asked *asked) {
  const struct http_field fields[] = {
      field("Host", "shop.example.com"),
      field("User-Agent", "Mozilla/5.0 (Linux; Android 14) AppleWebKit/537.36 ShopApp/8.12.1"),
      field("Accept", "text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8"),
      field("Accept-Encoding", "gzip, deflate, br"),
      field("Accept-Language", "en-US,en;q=0.9"),
      field("Cookie", "session=0123456789abcdef; theme=dark; lab=none"),
      field("X-Forwarded-For", "203.0.113.7"),
      field("X-User-Id", "team-x-1729"),
      field("X-User-Registered-At", "2126-03-04T05:06:07Z"),
      field("X-Plan", "gold"),
      field("X-Country", "CN"),
  };
  _Static_assert(sizeof(fields) == sizeof(asked->fields), "one for each");
  memcpy(asked->fields, fields, sizeof(fields));
  asked->request = (struct attr_request){.method = STR("GET"),
                                         .scheme = STR("https"),
                                         .host = STR("shop.example.com"),
                                         .path = STR("/"),
                                         .trusted = true,
                                         .fields = asked->fields,
                                         .field_count = sizeof(fields) / sizeof(*fields)};
}

/* Addresses that all attributes are known of: a benchmark of misses says little. */
static void fill_addresses(struct asked *asked) {
  for (size_t i = 0; i < ADDRESSES;) {
    struct ip_address *ip = &asked->addresses[i];
    const uint32_t n = next_random();
    *ip = (struct ip_address){.bytes = {[10] = 0xff, [11] = 0xff}};
    for (size_t k = 0; k < 4; k++) ip->bytes[12 + k] = (uint8_t)(n >> (24 - 8 * k));
    asked->next = i;
    bool known = read_of_next(asked, asked->country)->state == ATTR_PRESENT;
    asked->next = i;
    if (known && read_of_next(asked, asked->site)->state == ATTR_PRESENT) i++;
  }
  asked->next = 0;
  if (read_of_next(asked, asked->header)->state != ATTR_PRESENT) measure_fail("no header");
}

int main(int argc, char **argv) {
  measure_begin(argc, argv);
  struct config *config = load();
  struct arena *arena = arena_new(1 << 20);
  struct asked asked = {.reader = attr_reader_new()};
  struct attr_supplier fields, ranges;
  asked.table = arena ? attr_table_new(arena, config->catalog) : NULL;
  if (!asked.reader || !asked.table || !geo_supplier_of_fields(config->geo, &fields))
    measure_fail("out of memory");
  attr_reader_supply(asked.reader, SOURCE_GEOIP, fields);
  if (!geo_supplier_of_ranges(config->geo, &ranges)) measure_fail("out of memory");
  attr_reader_supply(asked.reader, SOURCE_CIDR, ranges);
  asked.header = attr_table_slot(asked.table, STR("header"));
  asked.country = attr_table_slot(asked.table, STR("country"));
  asked.site = attr_table_slot(asked.table, STR("site"));
  fill_request(&asked);
  fill_addresses(&asked);
  const struct geo_ranges *all = geo_get_ranges(config->geo, 0);
  fprintf(stderr, "%zu ranges take %zu bytes\n", geo_ranges_size(all), geo_ranges_bytes(all));
  measure_beside("geoip country, beside a header", 0, read_country, read_header, &asked);
  measure_beside("cidr of 1,000,000 ranges, beside a header", 0, read_site, read_header, &asked);
  attr_reader_free(&asked.reader);
  arena_free(&arena);
  config_free(&config);
  return 0;
}
