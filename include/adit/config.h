/*
 * config: adit.json, checked.
 *
 * A struct config is all that adit.json says, in an arena of its own. Rule files are not read here
 * (see policy). The structs are to be read; only this module writes them.
 */
#ifndef ADIT_CONFIG_H
#define ADIT_CONFIG_H

#include "adit/attrs.h"
#include "adit/diag.h"
#include "adit/geo.h"
#include "adit/health.h"
#include "adit/ip.h"
#include "adit/keyset.h"
#include "adit/lookup.h"
#include "adit/str.h"

struct arena;

struct config_listen {
  struct str text; /* "0.0.0.0:8080" */
  struct ip_address ip;
  uint16_t port; /* 0: the kernel chooses */
};

struct config_endpoint {
  struct str text; /* "127.0.0.1:9001", "shop:80", "[::1]:80", "unix:/run/shop.sock" */
  struct str host; /* without brackets; of a Unix socket its path */
  uint16_t port;
  bool is_address; /* `host` is an address: nothing to resolve */
  bool is_unix;    /* `host` is a path */
  bool drains;     /* it gets no new requests */
  unsigned weight; /* from 1 on: its share beside the others of the upstream */
  struct ip_address ip;
};

enum { CONFIG_WEIGHT_MAX = 256, CONFIG_UNIX_PATH_MAX = 107 };

enum config_balance {
  BALANCE_LEAST_REQUESTS, /* of two chosen at random that with fewer requests */
  BALANCE_ROUND_ROBIN,
  BALANCE_HASH /* the same for requests with the same `hash_by` */
};

enum { CONFIG_HASH_BY_MAX = 8 };

/* When an endpoint that fails is left out for a while. */
struct config_outliers {
  bool enabled;
  unsigned consecutive_failures;
  unsigned failure_percent;  /* of a window's requests, */
  unsigned minimum_requests; /* when there were as many */
  int64_t interval_ms;       /* the window */
  int64_t ejection_ms;       /* the first time; then twice as long each time */
  int64_t ejection_max_ms;
  unsigned max_ejected_percent; /* of an upstream's endpoints: above it all count, where there is
                                   nothing else */
};

enum { CONFIG_RETRY_STATUSES_MAX = 16 };

/* When a request is sent once more, beyond what every upstream allows (contract §5). */
struct config_retry {
  bool enabled;
  unsigned attempts; /* how often, at most */
  struct http_statuses statuses[CONFIG_RETRY_STATUSES_MAX];
  size_t status_count;
  int64_t try_timeout_ms;  /* to the first byte of one try's response; 0: only the upstream's */
  unsigned budget_percent; /* of the requests under way: those that are sent once more, */
  unsigned budget_minimum; /* ... or so many, in each worker */
  uint64_t body_bytes;     /* of a request's body that are kept for it, `enabled` or not */
};

/* How much an upstream is given at once by the whole process. 0: no limit. */
struct config_breaker {
  bool enabled;
  unsigned max_connections; /* that are open, idle ones too */
  unsigned max_requests;    /* that run */
  unsigned max_pending;     /* that wait to run; 0: none waits */
  int64_t pending_timeout_ms;
};

struct config_upstream {
  struct str name;
  const struct config_endpoint *endpoints;
  size_t endpoint_count; /* at least 1 */
  enum config_balance balance;
  const uint16_t *hash_by; /* BALANCE_HASH: slots of config->hash_attributes, the first that is
                              there counts */
  size_t hash_by_count;    /* at most CONFIG_HASH_BY_MAX; else 0 */
  const struct health_spec *health; /* NULL: endpoints are not checked */
  struct config_outliers outliers;
  struct config_retry retry;
  struct config_breaker breaker;
  int64_t connect_timeout_ms;
  int64_t timeout_ms; /* to the first byte of the response */
};

/* One entry of "rules": a glob pattern, and what its files may claim. */
struct config_rules {
  struct str pattern;      /* for glob(3), from the working directory; what the directory's own name
                              holds of * ? [ \ is escaped */
  const struct str *hosts; /* NULL: anything */
  size_t host_count;
  const struct str *upstreams; /* NULL: anything */
  size_t upstream_count;
  struct diag_place at;
};

struct config_key {
  struct str id;
  struct str secret; /* the file's bytes without a newline at the end; at least 32 */
};

struct config_limits {
  uint64_t header_bytes; /* 32 KiB */
  unsigned header_fields;
  uint64_t request_line_bytes;
  uint64_t body_bytes; /* 0: no limit */
  uint64_t body_rate;  /* bytes a second; 0: any byte will do */
  uint64_t chunk_extension_bytes;
  uint64_t trailer_bytes;
  unsigned connections;             /* of a worker; 0: as many as there are descriptors for */
  unsigned connections_per_address; /* 0: a half of those */
  unsigned mirrors;                 /* of a worker, under way at the same time */
};

enum config_log_format { CONFIG_LOG_JSON, CONFIG_LOG_COMBINED };

/* Which attributes a line has: those that the decision looked at, or that it could have. */
enum config_log_attributes { CONFIG_LOG_NONE, CONFIG_LOG_READ, CONFIG_LOG_ALL };

/* An attribute whose values are hashed; or a family of them: "cookie.*". */
struct config_redaction {
  struct str name;
  struct diag_place at;
};

enum { CONFIG_REDACTIONS_MAX = 256 };

/* A syslog server. */
struct config_syslog {
  struct str unix_path; /* p == NULL: it is at an address */
  struct ip_address ip;
  uint16_t port;
  unsigned priority; /* facility and severity, as RFC 3164 has them in one number */
  struct str tag;
};

struct config_access_log {
  const char *path; /* "-": standard output; of a syslog server as it was written */
  bool is_syslog;   /* it goes to: */
  struct config_syslog syslog;
  enum config_log_format format;
  enum config_log_attributes attributes;
  const struct config_redaction *redact;
  size_t redact_count;
  struct str redact_key; /* p == NULL: a random one for each process */
};

/* What becomes of a request without a good traceparent. */
enum config_traceparent {
  CONFIG_TRACEPARENT_START,   /* it is given one, of a trace that is not sampled */
  CONFIG_TRACEPARENT_SAMPLED, /* ... that is */
  CONFIG_TRACEPARENT_PASS     /* nothing: it goes on as it came */
};

struct config_timeouts { /* milliseconds */
  int64_t header_ms, idle_ms, body_ms, tunnel_ms, drain_ms, drain_delay_ms, upgrade_ms;
};

/* A directory. An attribute's source that is one of its fields has the id CONFIG_LOOKUP_ID(index of
 * the directory, index into spec.fields). */
struct config_lookup {
  struct lookup_spec spec;
  struct lookup_template template;
  struct str *fields; /* spec.fields */
};
enum { CONFIG_LOOKUP_FIELD_BITS = 16 };
#define CONFIG_LOOKUP_ID(lookup, field) \
  ((uint32_t)(lookup) << CONFIG_LOOKUP_FIELD_BITS | (uint32_t)(field))

/* Tokens. An attribute's source that is one of their claims has its index in spec.claims for id. */
struct config_jwt {
  struct jwt_spec spec;
  struct str *claims;         /* spec.claims */
  struct jwt_keys *keys;      /* of a file; NULL: */
  struct keyset_spec fetched; /* ... they are fetched */
  bool refuse_invalid;        /* a request whose token is not taken is answered 401 */
  bool refuse_absent;         /* ... as is one without */
};

struct config {
  const char *path;      /* as the user named it */
  const char *directory; /* of the file: "." or "a/b" */
  const struct config_listen *listens;
  size_t listen_count;
  bool has_admin; /* "admin" is there; a token is there unless the address is loopback */
  struct config_listen admin;
  const char *admin_token_file; /* NULL: none */
  struct str admin_token;       /* its content without a newline at the end; p == NULL: none */
  struct diag_place admin_at;   /* of the key, as the next two; line 0 where it is not there */
  unsigned workers;             /* 0: one per usable CPU */
  const struct config_rules *rules;
  size_t rules_count;
  bool watch;
  struct diag_place watch_at;
  const struct ip_network *trusted_proxies;
  size_t trusted_proxy_count;
  struct config_lookup *lookups;
  size_t lookup_count;
  bool has_jwt;
  struct config_jwt jwt;
  struct attr_catalog *catalog;
  struct geo *geo;              /* databases and ranges that sources of attributes are asked of */
  const struct json_doc *doc;   /* lives as long as the config: segments are compiled from it */
  const struct cJSON *segments; /* NULL: none */
  const struct config_upstream *upstreams;
  size_t upstream_count;
  struct attr_table *hash_attributes; /* that upstreams balance by; NULL: none does */
  const char *const *upstream_names;  /* NULL at the end */
  const struct config_key *keys;
  size_t key_count; /* 0: a random key is to be made, with a warning */
  struct config_limits limits;
  struct config_timeouts timeouts;
  int64_t dns_refresh_ms; /* from one look-up of a host name to the next */
  bool via;               /* true */
  bool drop_untrusted;    /* false: what is not believed of a client goes on all the same */
  enum config_traceparent traceparent;
  const struct str *upgrades; /* names of protocols that a connection may change to */
  size_t upgrade_count;
  const char *user;       /* whom to become when everything is open; NULL: nobody else */
  bool sandbox;           /* true */
  const char *state_file; /* where overrides are kept (adit/overrides.h); NULL: nowhere */
  bool has_access_log;
  struct config_access_log access_log;
  struct diag_place access_log_at;
  struct config_private *private_;
};

/*
 * Reads and checks a file. NULL: at least one error was added to `diags`; all mistakes are found in
 * one go. Relative paths inside are taken relative to the file's directory. Key and token files are
 * read (one that everybody may read is a warning); rule files are not. Of segments only the names
 * are checked: their conditions are compiled by rules_check_segments. Secrets are wiped by
 * config_free.
 */
struct config *config_load(const char *path, struct diags *diags);
void config_free(struct config **config);

/* The index of an upstream, or SIZE_MAX. */
size_t config_find_upstream(const struct config *config, struct str name);
bool config_trusts(const struct config *config, const struct ip_address *peer);

/*
 * One row for each key of adit.json. The parser takes its known keys, types and defaults from these
 * rows; docs/operations.md has the same ones, and a test compares them.
 */
struct config_key_info {
  const char *key;  /* "timeouts.header", "upstreams.*.timeout" (any name), "listen[].address" */
  const char *type; /* "duration", "size", "string", "boolean", "number", "list", "object" */
  const char *default_text; /* "required"; "": none */
  bool reloadable;
};
const struct config_key_info *config_keys(size_t *ret_n);
/* The row of a key as the table has it. NULL: there is none. */
const struct config_key_info *config_key_find(const char *key);
/* What stands behind "PARENT." in a key ("": the whole key). NULL: it is not right below. */
const char *config_key_last_part(const char *key, const char *parent);
/* Whether keys stand below, as "KEY.name" or "KEY.*"; "": the whole file. */
bool config_key_has_members(const char *key);
/* The key of a member of `parent` as the table has it: with "*" where any name may stand. */
void config_key_of_member(const char *parent, const char *name, char *ret, size_t ret_bytes);
/* Whether the members of an object have their defaults also where it is left out. Any other object
 * is something that is there or not. */
bool config_key_is_implied(const char *key);

#endif
