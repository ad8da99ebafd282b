/*
 * reader: typed members of adit.json, private to src/config.
 *
 * A scope is one object of the file together with the path that its keys have in the table of
 * config_keys(): known keys, types and defaults come from there. What is wrong is added to `diags`
 * and leaves the default in place, so that reading goes on.
 */
#ifndef ADIT_CONFIG_READER_H
#define ADIT_CONFIG_READER_H

#include "adit/arena.h"
#include "adit/config.h"
#include "adit/hash.h"
#include "adit/json.h"

struct secret {
  char *p;
  size_t n;
};

struct config_private {
  struct arena *arena;
  struct json_doc *doc;
  struct str_set *upstream_index;
  VEC(struct secret) secrets; /* to be wiped */
};

struct config_reader {
  struct config *config;
  struct arena *arena;
  const struct json_doc *doc;
  struct diags *diags;
};

struct config_scope {
  const struct cJSON *object;
  const char *path; /* "" for the root, "timeouts", "upstreams.*" */
  const char *what; /* begins messages: "upstream 'shop'" */
};

enum { CONFIG_KEYS_MAX = 32 };

/* ---- the table (keys.c) ---------------------------------------------------------------------- */

/* The last parts of all keys right under `path`, NULL at the end. */
void config_keys_under(const char *path, const char *ret[CONFIG_KEYS_MAX]);
/* The row of a key of the scope; it must be there. */
const struct config_key_info *config_key_get(const struct config_scope *scope, const char *key);

/* ---- members (reader.c) ---------------------------------------------------------------------- */

/* Begins a scope: false (and an error) when `node` is no object. Unknown keys are errors too. */
bool config_open_scope(struct config_reader *reader, const struct cJSON *node, const char *path,
                       const char *what, struct config_scope *ret);
/* NULL: it is not there. */
const struct cJSON *config_find(const struct config_scope *scope, const char *key);
/* The same, but not being there is an error with `hint`. */
const struct cJSON *config_want(struct config_reader *reader, const struct config_scope *scope,
                                const char *key, const char *hint);

/* These leave *ret alone, with an error, when `node` has another type; `hint` is an example. */
bool config_to_string(struct config_reader *reader, const struct cJSON *node, const char *what,
                      const char *hint, struct str *ret);
bool config_to_list(struct config_reader *reader, const struct cJSON *node, const char *what,
                    const char *hint, size_t *ret_n);

/* These give the table's default when the key is not there or its value is wrong. */
void config_read_duration(struct config_reader *reader, const struct config_scope *scope,
                          const char *key, int64_t min_ms, int64_t max_ms, int64_t *ret_ms);
void config_read_size(struct config_reader *reader, const struct config_scope *scope,
                      const char *key, uint64_t min, uint64_t max, uint64_t *ret);
void config_read_boolean(struct config_reader *reader, const struct config_scope *scope,
                         const char *key, bool *ret);
void config_read_number(struct config_reader *reader, const struct config_scope *scope,
                        const char *key, unsigned min, unsigned max, unsigned *ret);

/* One of a few words, NULL at the end: its index. The first of them is to be the default. */
unsigned config_read_word(struct config_reader *reader, const struct config_scope *scope,
                          const char *key, const char *const *words, const char *hint);

/* Statuses from `min` to 599, and ranges of them, 1 to `max_n`, into `ret`; leaves both alone when
 * the key is not there. */
void config_read_statuses(struct config_reader *reader, const struct config_scope *scope,
                          const char *key, unsigned min, size_t max_n, struct http_statuses *ret,
                          size_t *ret_n);

/* A text in the arena, for `what` of scopes and for hints: never NULL, short of memory "…". */
const char *config_printf(struct config_reader *reader, const char *format, ...)
    __attribute__((format(printf, 2, 3)));
/* A path of the file as seen from the working directory, in the arena; with `glob` what is special
 * in the directory's name is escaped. p == NULL: memory (an error was added). */
struct str config_path(struct config_reader *reader, const struct cJSON *node, struct str text,
                       bool glob);
void config_fail_memory(struct config_reader *reader);

/* ---- parts (address.c, geo.c, upstreams.c, health.c …) ----------------------------------------
 */

/* What is wrong with a host name as an endpoint or a claim has it, or NULL. */
const char *config_check_host(struct str host);
bool config_parse_listen(struct config_reader *reader, const struct cJSON *node, const char *what,
                         struct config_listen *ret);
/* "HOST:PORT" or "unix:PATH", or an object with that as its address. */
bool config_parse_endpoint(struct config_reader *reader, const struct cJSON *node, const char *what,
                           struct config_endpoint *ret);

void config_read_listens(struct config_reader *reader, const struct config_scope *root);
void config_read_proxies(struct config_reader *reader, const struct config_scope *root);
void config_read_admin(struct config_reader *reader, const struct config_scope *root);
/* *ret stays NULL where endpoints are not to be checked. */
void config_read_health_check(struct config_reader *reader, const struct config_scope *upstream,
                              const struct health_spec **ret);
void config_read_retry(struct config_reader *reader, const struct config_scope *upstream,
                       struct config_retry *ret);
/* `upstream->balance` is read already. */
void config_read_hash_by(struct config_reader *reader, const struct config_scope *scope,
                         struct config_upstream *upstream);
void config_read_upstreams(struct config_reader *reader, const struct config_scope *root);
/* Before attributes are declared, which may have them for a source. */
void config_read_lookups(struct config_reader *reader, const struct config_scope *root);
void config_offer_lookups(struct config_reader *reader, struct attr_catalog *catalog);
void config_read_jwt(struct config_reader *reader, const struct config_scope *root);
void config_offer_jwt(struct config_reader *reader, struct attr_catalog *catalog);
void config_read_rules(struct config_reader *reader, const struct config_scope *root);
/* Reads "geoip", and lets attributes have sources of geoip and cidr. */
void config_read_geo(struct config_reader *reader, const struct config_scope *root,
                     struct attr_catalog *catalog);
void config_read_access_log(struct config_reader *reader, const struct config_scope *root);
/* False: the text is no "syslog:…". What is wrong with one is added to diags. */
bool config_read_syslog(struct config_reader *reader, const struct cJSON *node, struct str text,
                        struct config_syslog *ret);
void config_read_sticky(struct config_reader *reader, const struct config_scope *root);

enum { CONFIG_KEY_BYTES_MIN = 32 }; /* of a secret that signs or hashes */
/* Reads a secret of at least `min` bytes, a newline at the end dropped; `what` begins messages. */
bool config_read_secret(struct config_reader *reader, const struct cJSON *node, const char *what,
                        size_t min, const char **ret_path, struct str *ret);

#endif
