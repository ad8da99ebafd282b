/* The demo's adit.json and key, in a temporary directory that is removed at the end. */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "adit/crypto.h"
#include "adit/text.h"
#include "cli/demo.h"

enum { KEY_BYTES = 48 };

static bool is_readable(const char *path) {
  return access(path, R_OK) == 0;
}

/* The directory of this program, without a slash at the end. */
static bool find_own_directory(char *ret, size_t capacity) {
  ssize_t n = readlink("/proc/self/exe", ret, capacity - 1);
  if (n <= 0) return false;
  ret[n] = '\0';
  char *slash = strrchr(ret, '/');
  if (slash) *slash = '\0';
  return slash != NULL;
}

/* $ADIT_RULES, beside the program where it is installed, in its build tree, where it should have
 * been installed. */
static bool find_rules(char *ret, size_t capacity) {
  char own[2048];
  const char *given = getenv("ADIT_RULES");
  if (given && given[0]) {
    snprintf(ret, capacity, "%s/demo.json", given);
    return is_readable(ret);
  }
  if (find_own_directory(own, sizeof(own))) {
    snprintf(ret, capacity, "%s/../share/adit/rules/demo.json", own);
    if (is_readable(ret)) return true;
    snprintf(ret, capacity, "%s/../rules/demo.json", own);
    if (is_readable(ret)) return true;
  }
  snprintf(ret, capacity, "%s/rules/demo.json", ADIT_DATADIR);
  return is_readable(ret);
}

/* A database of countries beside the rules, if there is one. */
static void find_database(struct demo_files *files) {
  const char *slash = strrchr(files->rules, '/');
  snprintf(files->database, sizeof(files->database), "%.*s/country.mmdb",
           (int)(slash - files->rules), files->rules);
  if (!is_readable(files->database)) files->database[0] = '\0';
}

static bool write_file(const struct cli_command *command, const char *path, struct str bytes) {
  int fd = open(path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
  FILE *file = fd < 0 ? NULL : fdopen(fd, "w");
  bool ok = file && fwrite(bytes.p, 1, bytes.n, file) == bytes.n;
  if (file && fclose(file) != 0) ok = false;
  if (!ok) cli_error(command, "cannot write %s: %s", path, strerror(errno));
  return ok;
}

static bool write_key(const struct demo_files *files, const struct cli_command *command) {
  char bytes[KEY_BYTES], text[KEY_BYTES * 2];
  if (!crypto_random(bytes, sizeof(bytes))) {
    cli_error(command, "the system has no random bytes");
    return false;
  }
  size_t n = base64url_encode(str_make(bytes, sizeof(bytes)), text);
  return write_file(command, files->key, str_make(text, n));
}

bool demo_files_make(struct demo_files *files, const struct cli_command *command) {
  char found[4096];
  *files = (struct demo_files){0};
  if (!find_rules(found, sizeof(found)) || !realpath(found, files->rules)) {
    cli_error(command, "cannot find %s; set ADIT_RULES to the directory of demo.json", found);
    return false;
  }
  find_database(files);
  const char *parent = getenv("TMPDIR");
  if (!parent || !parent[0] || strlen(parent) > 400) parent = "/tmp";
  char directory[sizeof(files->directory)];
  snprintf(directory, sizeof(directory), "%s/adit-demo-XXXXXX", parent);
  if (!mkdtemp(directory)) {
    cli_error(command, "cannot make a directory in %s: %s", parent, strerror(errno));
    return false;
  }
  memcpy(files->directory, directory, sizeof(directory));
  snprintf(files->config, sizeof(files->config), "%s/adit.json", directory);
  snprintf(files->key, sizeof(files->key), "%s/sticky.key", directory);
  snprintf(files->jar, sizeof(files->jar), "%s/cookies", directory);
  return write_key(files, command);
}

/* "rules" are glob patterns: a path stands for itself when what is special in it is escaped. */
static void add_pattern(struct text *out, const char *path) {
  struct text pattern;
  text_init(&pattern, 16384);
  for (const char *p = path; *p; p++) {
    if (strchr("*?[]\\{}", *p)) text_add_char(&pattern, '\\');
    text_add_char(&pattern, *p);
  }
  text_add_json(out, text_str(&pattern));
  text_deinit(&pattern);
}

static void add_geography(struct text *out, const struct demo_files *files) {
  if (!files->database[0]) {
    text_add(out,
             STR("  // Without a database of countries (docker/geodata.sh fetches one) a header\n"
                 "  // has to tell the country.\n"
                 "  \"attributes\": {\n"
                 "    \"country\":            { \"type\": \"string\", \"from\": [{ "
                 "\"header\": \"X-Country\" }] },\n"));
    return;
  }
  text_add(out, STR("  // Which country an address is in.\n"
                    "  \"geoip\": { \"databases\": ["));
  text_add_json(out, str_from_cstr(files->database));
  text_add(out, STR("] },\n"
                    "  \"attributes\": {\n"
                    "    \"country\":            { \"type\": \"string\", \"from\": [{ "
                    "\"geoip\": \"country\" }] },\n"));
}

bool demo_files_write_config(const struct demo_files *files, const struct cli_command *command,
                             uint16_t port, uint16_t v1_port, uint16_t canary_port) {
  struct text out;
  text_init(&out, 65536);
  text_printf(&out,
              "{\n"
              "  \"listen\": [{ \"address\": \"127.0.0.1:%u\" }],\n"
              "  \"workers\": 1,\n"
              "%s"
              "  \"rules\": [",
              port, geteuid() == 0 ? "  \"user\": \"root\",\n" : "");
  add_pattern(&out, files->rules);
  text_add(&out,
           STR("],\n"
               "  // Your own curl plays the trusted proxy that tells region, user and address.\n"
               "  \"trusted_proxies\": [\"127.0.0.0/8\"],\n"));
  add_geography(&out, files);
  text_printf(&out,
              "    \"region\":             { \"type\": \"string\", \"from\": [{ \"header\": "
              "\"X-Region\" }] },\n"
              "    \"user.id\":            { \"type\": \"string\", \"from\": [{ \"header\": "
              "\"X-User-Id\" }] },\n"
              "    \"user.registered_at\": { \"type\": \"time\",   \"from\": [{ \"header\": "
              "\"X-User-Registered-At\" }] }\n"
              "  },\n"
              "  \"upstreams\": {\n"
              "    \"demo-v1\":     { \"endpoints\": [\"127.0.0.1:%u\"] },\n"
              "    \"demo-canary\": { \"endpoints\": [\"127.0.0.1:%u\"] }\n"
              "  },\n"
              "  \"sticky\": { \"keys\": [{ \"id\": \"demo\", \"file\": \"sticky.key\" }] },\n"
              "  \"timeouts\": { \"drain\": \"1s\" }\n"
              "}\n",
              v1_port, canary_port);
  bool ok = !text_failed(&out) && write_file(command, files->config, text_str(&out));
  text_deinit(&out);
  return ok;
}

void demo_files_remove(struct demo_files *files) {
  if (!files->directory[0]) return;
  unlink(files->config);
  unlink(files->key);
  unlink(files->jar);
  rmdir(files->directory);
  files->directory[0] = '\0';
}
