/* secrets: keys of the sticky cookie, and the admin token. Their files are small and private. */
#include <cjson/cJSON.h>
#include <stdlib.h>
#include <sys/stat.h>

#include "reader.h"

enum { KEYS_MAX = 16, SECRET_FILE_MAX = 64 * 1024 };

/* Copies a secret into the arena and notes it for wiping. NULL: memory. */
static char *keep_secret(struct config_reader *reader, const char *content, size_t n) {
  struct config_private *private_ = reader->config->private_;
  char *copy = arena_alloc(reader->arena, n + 1);
  if (!copy || !VEC_PUSH(reader->arena, &private_->secrets, (struct secret){copy, n})) return NULL;
  memcpy(copy, content, n);
  return copy;
}

static void warn_if_public(struct config_reader *reader, const cJSON *node, const char *what,
                           const char *path) {
  struct stat status;
  if (stat(path, &status) != 0 || (status.st_mode & S_IROTH) == 0) return;
  diags_add(reader->diags, DIAG_WARNING, json_place(reader->doc, node),
            "take that right away: chmod o-r", "%s: every user of this machine can read '%s'", what,
            path);
}

static bool take_content(struct config_reader *reader, const cJSON *node, const char *what,
                         size_t min, struct str content, struct str *ret) {
  if (str_ends_with(content, STR("\n"))) content.n--;
  if (content.n < min) {
    json_error(reader->doc, node, reader->diags,
               min == CONFIG_KEY_BYTES_MIN ? "make one: head -c 32 /dev/urandom | base64 > FILE"
                                           : "write the token into it",
               min == CONFIG_KEY_BYTES_MIN ? "%s: the file has %zu bytes, not at least %zu"
                                           : "%s: the file is empty",
               what, content.n, min);
    return false;
  }
  char *copy = keep_secret(reader, content.p, content.n);
  if (!copy) {
    config_fail_memory(reader);
    return false;
  }
  *ret = str_make(copy, content.n);
  return true;
}

bool config_read_secret(struct config_reader *reader, const struct cJSON *node, const char *what,
                        size_t min, const char **ret_path, struct str *ret) {
  struct str text;
  if (!config_to_string(reader, node, what, "\"sticky.key\"", &text)) return false;
  struct str path = config_path(reader, node, text, false);
  if (!path.p) return false;
  char *content = NULL;
  size_t n = 0;
  if (!file_read(path.p, SECRET_FILE_MAX, json_place(reader->doc, node), reader->diags, &content,
                 &n)) {
    return false;
  }
  bool ok = take_content(reader, node, what, min, str_make(content, n), ret);
  explicit_bzero(content, n);
  free(content);
  if (ok) warn_if_public(reader, node, what, path.p);
  *ret_path = path.p;
  return ok;
}

/* ---- sticky ---------------------------------------------------------------------------------- */

static bool check_key_id(struct config_reader *reader, const cJSON *node,
                         const struct config_key *keys, size_t n, struct str id) {
  if (!json_is_name(id)) {
    json_error(reader->doc, node, reader->diags, "1 to 64 of A-Z a-z 0-9 . _ -",
               "sticky: '%.*s' is not an id", STR_ARG(id));
    return false;
  }
  for (size_t i = 0; i < n; i++) {
    if (!str_eq(keys[i].id, id)) continue;
    json_error(reader->doc, node, reader->diags, "give each key an id of its own",
               "sticky: two keys have the id '%.*s'", STR_ARG(id));
    return false;
  }
  return true;
}

/* Gives the key its id even when its file is wrong, so that a second use of the id is found. */
static bool read_key(struct config_reader *reader, const cJSON *node, const struct config_key *keys,
                     size_t n, struct config_key *key) {
  struct config_scope scope;
  if (!config_open_scope(reader, node, "sticky.keys[]", "sticky: a key", &scope)) return false;
  const cJSON *id = config_want(reader, &scope, "id", "add \"id\": \"2026-11\"");
  const cJSON *file = config_want(reader, &scope, "file", "add \"file\": \"sticky.key\"");
  bool has_id = id &&
                config_to_string(reader, id, "sticky: a key's 'id'", "\"2026-11\"", &key->id) &&
                check_key_id(reader, id, keys, n, key->id);
  const char *what = has_id ? config_printf(reader, "sticky key '%.*s'", STR_ARG(key->id))
                            : "sticky: a key's 'file'";
  const char *path = NULL;
  if (file) (void)config_read_secret(reader, file, what, CONFIG_KEY_BYTES_MIN, &path, &key->secret);
  return has_id;
}

void config_read_sticky(struct config_reader *reader, const struct config_scope *root) {
  static const char hint[] = "\"keys\": [{ \"id\": \"2026-11\", \"file\": \"sticky.key\" }]";
  struct config_scope scope;
  const cJSON *node = config_find(root, "sticky");
  if (!node || !config_open_scope(reader, node, "sticky", "sticky", &scope)) return;
  const cJSON *list = config_find(&scope, "keys");
  size_t n = 0;
  if (!list || !config_to_list(reader, list, "sticky: 'keys'", hint, &n)) return;
  if (n > KEYS_MAX) {
    json_error(reader->doc, list, reader->diags, "remove the oldest", "sticky: more than %d keys",
               KEYS_MAX);
    return;
  }
  struct config_key *keys = ARENA_ARRAY(reader->arena, struct config_key, n);
  if (!keys) return config_fail_memory(reader);
  size_t count = 0;
  cJSON_ArrayForEach(node, list) {
    if (read_key(reader, node, keys, count, &keys[count])) count++;
  }
  reader->config->keys = keys;
  reader->config->key_count = count;
}
