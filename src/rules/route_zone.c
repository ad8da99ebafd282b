/* `time_zone` of a rule file: what now.weekday and now.time are of. */
#include <cjson/cJSON.h>
#include <stdlib.h>
#include <unistd.h>

#include "adit/zone.h"
#include "route.h"

#define ZONES_DIRECTORY "/usr/share/zoneinfo"

static const char no_tzdata[] = "install the package tzdata, or let TZDIR name a folder of zones";

/* As the C library has it: TZDIR is another folder. */
static const char *zones_directory(void) {
  const char *directory = getenv("TZDIR");
  return directory && *directory ? directory : ZONES_DIRECTORY;
}

static void report_unknown(struct route_compiler *compiler, const struct cJSON *node,
                           const char *directory) {
  bool has_zones = access(directory, F_OK) == 0;
  json_error(compiler->doc, node, compiler->diags,
             has_zones ? "names are like \"Asia/Shanghai\" or \"Europe/Berlin\"" : no_tzdata,
             "'time_zone': there is no time zone '%s' in %s", node->valuestring, directory);
}

/* NULL: an error was added. */
static const struct zone *read_zone(struct route_compiler *compiler, const struct cJSON *node,
                                    const char *path) {
  const char *why = NULL;
  char *bytes;
  size_t n;
  if (!file_read(path, ZONE_FILE_BYTES_MAX, json_place(compiler->doc, node), compiler->diags,
                 &bytes, &n)) {
    return NULL;
  }
  const struct zone *zone = zone_parse(compiler->arena, json_str(node), str_make(bytes, n), &why);
  free(bytes);
  if (!zone) {
    json_error(compiler->doc, node, compiler->diags, "install the package tzdata again",
               "'time_zone': the file '%s' %s", path, why);
  }
  return zone;
}

static const struct zone *find_zone(struct route_compiler *compiler, const struct cJSON *node) {
  struct str name;
  if (!route_want_string(compiler, node, "'time_zone'", &name)) return NULL;
  if (str_eq(name, STR("UTC"))) return zone_utc();
  if (!zone_name_is_valid(name)) {
    json_error(compiler->doc, node, compiler->diags,
               "names are like \"Asia/Shanghai\"; UTC has no rules for summer",
               "'time_zone': '%s' is not the name of a time zone", node->valuestring);
    return NULL;
  }
  const char *directory = zones_directory();
  const char *path = arena_printf(compiler->scratch, "%s/%s", directory, node->valuestring).p;
  if (!path) return NULL; /* the arena remembers it */
  if (access(path, F_OK) != 0) {
    report_unknown(compiler, node, directory);
    return NULL;
  }
  return read_zone(compiler, node, path);
}

void route_compile_zone(struct route_compiler *compiler) {
  const struct cJSON *node = route_member(compiler->root, "time_zone");
  const struct zone *zone = node ? find_zone(compiler, node) : NULL;
  if (zone) attr_table_set_zone(compiler->table, zone);
}
