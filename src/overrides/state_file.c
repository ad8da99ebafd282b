/* state_file: reading and writing the table of overrides as JSON. */
#include "state_file.h"

#include <cjson/cJSON.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "adit/units.h"

enum { FORMAT_VERSION = 1 };

/* ---- reading --------------------------------------------------------------------------------- */

struct parser {
  const struct json_doc *doc;
  struct diags *diags;
  bool ok;
};

static void fail(struct parser *parser, const cJSON *node, const char *hint, const char *what) {
  json_error(parser->doc, node, parser->diags, hint, "state file: %s", what);
  parser->ok = false;
}

/* The member, which must be there and of the kind that `is_kind` tells. NULL: it is not. */
static const cJSON *want(struct parser *parser, const cJSON *object, const char *key,
                         cJSON_bool (*is_kind)(const cJSON *), const char *kind) {
  const cJSON *node = cJSON_GetObjectItemCaseSensitive(object, key);
  if (node && is_kind(node)) return node;
  json_error(parser->doc, node ? node : object, parser->diags, NULL, "state file: '%s' must be %s",
             key, kind);
  parser->ok = false;
  return NULL;
}

static void check_keys(struct parser *parser, const cJSON *object, const char *const *known) {
  if (!json_check_keys(parser->doc, object, known, "state file", parser->diags)) parser->ok = false;
}

static void parse_state(struct parser *parser, const cJSON *object, const char *key,
                        enum route_state *ret) {
  const cJSON *node = want(parser, object, key, cJSON_IsString, "a state");
  if (node && !route_state_find(json_str(node), ret))
    fail(parser, node, "on, drain, off or full", "there is no such state");
}

static void parse_item(struct parser *parser, const cJSON *object, struct override_info *ret) {
  static const char *const known[] = {"route", "state", "file_state", "since", NULL};
  if (!cJSON_IsObject(object)) {
    fail(parser, object, NULL, "a state of a route must be an object");
    return;
  }
  check_keys(parser, object, known);
  const cJSON *route = want(parser, object, "route", cJSON_IsString, "the name of a route");
  if (route && !json_is_name(json_str(route)))
    fail(parser, route, "1 to 64 of A-Z a-z 0-9 . _ -", "this is not a name");
  else if (route)
    (void)str_copy_to(json_str(route), ret->route, sizeof(ret->route));
  parse_state(parser, object, "state", &ret->state);
  parse_state(parser, object, "file_state", &ret->file_state);
  const cJSON *since = want(parser, object, "since", cJSON_IsString, "a time");
  if (since && !time_parse(json_str(since), &ret->since_ms))
    fail(parser, since, "2026-11-28T03:12:45Z", "this is not a time");
}

static int compare_names(const void *a, const void *b) {
  return strcmp(((const struct override_info *)a)->route, ((const struct override_info *)b)->route);
}

static void check_twice(struct parser *parser, const cJSON *list, struct override_info *items,
                        size_t n) {
  if (n > 1) qsort(items, n, sizeof(*items), compare_names);
  for (size_t i = 1; parser->ok && i < n; i++)
    if (compare_names(&items[i - 1], &items[i]) == 0)
      fail(parser, list, NULL, "a route stands in it twice");
}

static struct override_info *parse_list(struct parser *parser, const cJSON *list, size_t *ret_n) {
  const cJSON *node;
  size_t n = 0;
  cJSON_ArrayForEach(node, list) n++;
  if (n > OVERRIDES_MAX) {
    fail(parser, list, NULL, "there are more overrides than a gateway has");
    return NULL;
  }
  struct override_info *items = calloc(n ? n : 1, sizeof(*items));
  if (!items) {
    fail(parser, list, NULL, "out of memory");
    return NULL;
  }
  cJSON_ArrayForEach(node, list) parse_item(parser, node, &items[(*ret_n)++]);
  check_twice(parser, list, items, n);
  return items;
}

bool state_file_parse(const struct json_doc *doc, struct override_info **ret_items, size_t *ret_n,
                      struct diags *diags) {
  static const char *const top[] = {"version", "overrides", NULL};
  static const char *const kinds[] = {"route_states", NULL};
  struct parser parser = {doc, diags, true};
  const cJSON *root = json_root(doc), *overrides = NULL, *list = NULL;
  *ret_items = NULL;
  *ret_n = 0;
  if (!cJSON_IsObject(root)) {
    fail(&parser, root, NULL, "it must be an object");
    return false;
  }
  const cJSON *version = want(&parser, root, "version", cJSON_IsNumber, "a number");
  if (version && version->valuedouble != FORMAT_VERSION) {
    fail(&parser, version, "start the version of adit that wrote it, or a newer one",
         "it is of another version than this program knows");
    return false;
  }
  check_keys(&parser, root, top);
  overrides = want(&parser, root, "overrides", cJSON_IsObject, "an object");
  if (overrides) check_keys(&parser, overrides, kinds);
  if (overrides) list = want(&parser, overrides, "route_states", cJSON_IsArray, "a list");
  if (list) *ret_items = parse_list(&parser, list, ret_n);
  if (parser.ok) return true;
  free(*ret_items);
  *ret_items = NULL;
  *ret_n = 0;
  return false;
}

bool state_file_load(const char *path, struct override_info **ret_items, size_t *ret_n,
                     struct diags *diags) {
  *ret_items = NULL;
  *ret_n = 0;
  struct stat status;
  /* A link that leads nowhere, to a disk that is not mounted, is not a file that never was. */
  if (lstat(path, &status) != 0 && errno == ENOENT) return true;
  struct json_doc *doc = json_load(path, path, JSON_STRICT, STATE_FILE_BYTES_MAX, diags);
  bool ok = doc && state_file_parse(doc, ret_items, ret_n, diags);
  json_free(&doc);
  return ok;
}

/* ---- writing --------------------------------------------------------------------------------- */

void state_file_format(const struct override_info *items, size_t n, struct text *out) {
  char since[32];
  text_printf(out, "{\n  \"version\": %d,\n  \"overrides\": {\n    \"route_states\": [",
              FORMAT_VERSION);
  for (size_t i = 0; i < n; i++) {
    text_add(out, i == 0 ? STR("\n      {\"route\": ") : STR(",\n      {\"route\": "));
    text_add_json(out, str_from_cstr(items[i].route));
    text_printf(out, ", \"state\": \"%s\", \"file_state\": \"%s\", \"since\": \"%.*s\"}",
                route_state_name(items[i].state), route_state_name(items[i].file_state),
                STR_ARG(time_format(items[i].since_ms, since, sizeof(since))));
  }
  text_add(out, n > 0 ? STR("\n    ]\n  }\n}\n") : STR("]\n  }\n}\n"));
}

/* The directory of a file, its name in there, and that of the file which takes its place. */
struct place {
  char directory[PATH_MAX];
  char beside[NAME_MAX + 1];
  const char *name;
};

static bool say_errno(char *ret_why, size_t capacity, const char *what, const char *path,
                      int error) {
  const char *text = strerrordesc_np(error);
  (void)snprintf(ret_why, capacity, "%s '%s': %s", what, path, text ? text : "unknown error");
  return false;
}

static bool find_place(const char *path, struct place *ret, char *ret_why, size_t capacity) {
  const char *slash = strrchr(path, '/');
  ret->name = slash ? slash + 1 : path;
  int n = slash == path ? snprintf(ret->directory, sizeof(ret->directory), "/")
          : slash
              ? snprintf(ret->directory, sizeof(ret->directory), "%.*s", (int)(slash - path), path)
              : snprintf(ret->directory, sizeof(ret->directory), ".");
  int m = snprintf(ret->beside, sizeof(ret->beside), ".%s.new", ret->name);
  if (n >= 0 && (size_t)n < sizeof(ret->directory) && m >= 0 && (size_t)m < sizeof(ret->beside))
    return true;
  return say_errno(ret_why, capacity, "cannot write", path, ENAMETOOLONG);
}

static int write_all(int fd, struct str text) {
  while (text.n > 0) {
    ssize_t put = write(fd, text.p, text.n);
    if (put < 0 && errno == EINTR) continue;
    if (put < 0) return errno;
    text = str_skip(text, (size_t)put);
  }
  return fsync(fd) == 0 ? 0 : errno;
}

/* 0, or an errno. The flags and the mode are those that the sandbox lets through. */
static int write_beside(int directory, const char *beside, struct str text) {
  (void)unlinkat(directory, beside, 0);
  int fd = openat(directory, beside, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
  if (fd < 0) return errno;
  int error = write_all(fd, text);
  if (close(fd) != 0 && error == 0) error = errno;
  return error;
}

bool state_file_write(const char *path, struct str text, char *ret_why, size_t capacity) {
  struct place place;
  if (!find_place(path, &place, ret_why, capacity)) return false;
  int directory = open(place.directory, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
  if (directory < 0)
    return say_errno(ret_why, capacity, "cannot open the directory", place.directory, errno);
  int error = write_beside(directory, place.beside, text);
  if (error == 0 && renameat(directory, place.beside, directory, place.name) != 0) error = errno;
  if (error != 0) (void)unlinkat(directory, place.beside, 0);
  /* Without this a power cut may bring the old file back. */
  if (error == 0 && fsync(directory) != 0) error = errno;
  (void)close(directory);
  return error == 0 || say_errno(ret_why, capacity, "cannot write", path, error);
}

bool state_file_may_be_written(const char *path, char *ret_why, size_t capacity) {
  struct place place;
  if (!find_place(path, &place, ret_why, capacity)) return false;
  if (access(place.directory, W_OK | X_OK) == 0) return true;
  return say_errno(ret_why, capacity, "cannot write to the directory", place.directory, errno);
}
