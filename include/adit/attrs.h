/*
 * attrs: what a request says, as typed attributes. Pure: no sockets, no clock.
 *
 * A catalog knows names: built-in (method scheme host path client_ip now now.weekday now.time
 * language device os os.version browser browser.version header.* cookie.* query.*), declared in
 * adit.json or in a rule file, and T.age for each T of type time. A table gives the attributes that
 * one rule file uses their slots. A reader (one per thread) reads slots of one request lazily, each
 * at most once.
 *
 *   catalog (adit.json) ◄── catalog (rule file) ◄── table (slots of one route) ◄── reader (thread)
 */
#ifndef ADIT_ATTRS_H
#define ADIT_ATTRS_H

#include "adit/http.h"
#include "adit/ip.h"
#include "adit/str.h"

struct arena;
struct cJSON;
struct diags;
struct json_doc;
struct regex;
struct zone;

/* ---- types and values ------------------------------------------------------------------------ */

enum attr_type {
  ATTR_STRING,
  ATTR_NUMBER,
  ATTR_BOOL,
  ATTR_TIME,
  ATTR_DURATION, /* only T.age has it */
  ATTR_VERSION,
  ATTR_SEMVER,
  ATTR_IP,
  ATTR_LIST,
  ATTR_WEEKDAY,    /* only now.weekday has it */
  ATTR_TIME_OF_DAY /* only now.time has it */
};

/* "string", "number", … as adit.json names them ("duration" for ATTR_DURATION). */
const char *attr_type_name(enum attr_type type);
/* False for an unknown name, and for "duration", "weekday" and "time of day", which nobody can
 * declare. */
bool attr_type_parse(struct str name, enum attr_type *ret) __attribute__((warn_unused_result));

/* One value. `text` is as received; version and semver are compared by their text. */
struct attr_datum {
  struct str text;
  union {
    double number;
    bool boolean;
    int64_t ms;       /* time: since 1970; duration; time of day: since 00:00, whole seconds */
    unsigned weekday; /* 0: Monday */
    struct ip_address ip;
  } as;
};

/*
 * Parses one text as a type (a string always parses; for ATTR_LIST: one element, as a string; a
 * duration with a sign). `ret->text` views `text`. False: it is not of that type.
 */
bool attr_datum_parse(enum attr_type type, struct str text, struct attr_datum *ret)
    __attribute__((warn_unused_result));
/* <0, 0, >0; a total order. Strings and addresses by their bytes. Both data have been parsed as
 * `type`. Build metadata of semver is ignored; missing parts of a version are 0; numbers of any
 * length are compared exactly. */
int attr_datum_compare(enum attr_type type, const struct attr_datum *a, const struct attr_datum *b);
bool attr_type_is_ordered(
    enum attr_type type); /* number time duration version semver, time of day */
static inline bool attr_type_is_text(enum attr_type type) {
  return type == ATTR_STRING || type == ATTR_LIST;
}

enum attr_state {
  ATTR_UNREAD,
  ATTR_PRESENT,
  ATTR_MISSING,
  ATTR_UNDECIDED /* a limit was hit while reading (regex source): neither present nor missing */
};

/* Why an attribute is missing, for explain. */
enum attr_missing {
  ATTR_MISSING_ABSENT,     /* no source is present */
  ATTR_MISSING_UNTRUSTED,  /* a source is present but does not count from this peer */
  ATTR_MISSING_UNPARSABLE, /* a value is not of the type */
  ATTR_MISSING_REPEATED,   /* a trusted header in several field lines */
  ATTR_MISSING_EMPTY_LIST,
  ATTR_MISSING_NOT_SUPPLIED /* `detail` says why: its supplier does, or the client tells nothing */
};
/* A sentence part without names: "not in the request", "in the request, but does not count from
 * this peer" … */
const char *attr_missing_text(enum attr_missing why);

struct attr_value {
  enum attr_state state;
  enum attr_missing why; /* ATTR_MISSING only */
  bool is_list;          /* type list, or more than one value */
  size_t n;              /* at least 1 when present */
  const struct attr_datum *data;
  struct str refused; /* ATTR_MISSING_UNPARSABLE, _UNTRUSTED: the first text refused; else absent */
  struct str detail;  /* ATTR_MISSING_NOT_SUPPLIED: a sentence part such as "the token expired" */
  /* Which source's word it is, from 0 (of ATTR_FROM_AGENT: which request field's);
   * ATTR_SOURCE_NONE: no source settled it. */
  size_t source;
};

#define ATTR_SOURCE_NONE SIZE_MAX

/* ---- catalog: the names ---------------------------------------------------------------------- */

struct attr_catalog;

enum attr_scope {
  ATTR_SCOPE_GATEWAY,  /* adit.json: trust as each source says */
  ATTR_SCOPE_RULE_FILE /* a rule file: every source counts from anyone, `trust` must not be given */
};

/* A catalog without declarations on top of `parent` (NULL: only built-ins), which it refs. Starts
 * with one reference; the last unref frees it. Immutable once it was handed on. NULL: memory. */
struct attr_catalog *attr_catalog_new(enum attr_scope scope, struct attr_catalog *parent);
struct attr_catalog *attr_catalog_ref(struct attr_catalog *catalog);
void attr_catalog_unref(struct attr_catalog **catalog);

enum attr_source_kind {
  SOURCE_HEADER,
  SOURCE_COOKIE,
  SOURCE_QUERY,
  /* What the request alone does not say: sources of adit.json that have a supplier. */
  SOURCE_JWT,
  SOURCE_GEOIP,
  SOURCE_CIDR,
  SOURCE_LOOKUP,
  ATTR_SOURCE_KINDS
};
/* The key of a source in a declaration: "header", "jwt", … */
const char *attr_source_kind_name(enum attr_source_kind kind);

enum { ATTR_SOURCE_KEYS_MAX = 8 };

/* What reading a supplied source's declaration found. All views must outlive the catalog. */
struct attr_offered {
  uint32_t id;              /* what its supplier is asked for */
  const struct str *keys;   /* names of the attributes that the supplier must be told of */
  size_t key_count;         /* at most ATTR_SOURCE_KEYS_MAX */
  const struct str *fields; /* the request fields that it looks at by itself, for Vary */
  size_t field_count;
};

/* Reads the source `node` (an object such as {"jwt": "sub"}) of an attribute; `what` begins each
 * message. False: with an error in `diags`. */
struct attr_offer {
  bool (*read)(void *context, const struct json_doc *doc, const struct cJSON *node,
               const char *what, struct attr_offered *ret, struct diags *diags);
  void *context;
};
/* Lets attributes that are declared later have sources of a kind from SOURCE_JWT on. Without an
 * offer such a source is an error that names the missing part of adit.json. */
void attr_catalog_offer(struct attr_catalog *catalog, enum attr_source_kind kind,
                        struct attr_offer offer);

/*
 * Declares every member of `object` (adit.json's or a rule file's "attributes": name → {type, from:
 * [{header|cookie|query, regex, trust} | {jwt|geoip|cidr|lookup, …}]}). Mistakes are added to
 * `diags`, with places: what is not an object, a bad name, a built-in's name, "all any not
 * segment", ".age" at the end, a name that the parent has, an unknown type or key, an empty `from`,
 * a source with none or several of the kinds, a kind that nobody offers, an attribute that needs
 * itself, a header that is no token, a regex that does not compile, a cookie or query source
 * without "trust": "anyone" in adit.json. Returns false when any was added: the catalog is then
 * good for finding further mistakes, not for reading requests.
 */
bool attr_catalog_declare(struct attr_catalog *catalog, const struct json_doc *doc,
                          const struct cJSON *object, struct diags *diags);

/* Whether a name is one of declared (not built-in) attributes, here or in the parent. */
bool attr_catalog_declares(const struct attr_catalog *catalog, struct str name);
/* The type of any attribute that a condition may name; false: unknown. */
bool attr_catalog_find(const struct attr_catalog *catalog, struct str name,
                       enum attr_type *ret_type);
/* Built-in and declared names and the latter's ages ("header." … as such) for suggestions; NULL at
 * the end. Owned by the catalog. */
const char *const *attr_catalog_names(const struct attr_catalog *catalog);
/* The number of names declared here and in the parent. */
size_t attr_catalog_size(const struct attr_catalog *catalog);
/* Calls `visit` with the name of each header that feeds a declared attribute of this catalog, its
 * parent's not included; as declared, repeated where several name it. A nomination of such a field
 * by Connection is ignored (contract §5). */
void attr_catalog_visit_headers(const struct attr_catalog *catalog,
                                void (*visit)(void *context, struct str field_name), void *context);
/* The same of headers whose own word a declared attribute takes, and whether that is from anyone or
 * from trusted proxies only. */
void attr_catalog_visit_trust(const struct attr_catalog *catalog,
                              void (*visit)(void *context, struct str field_name, bool from_anyone),
                              void *context);

/* ---- table: the slots of one route ----------------------------------------------------------- */

struct attr_table;

/* An empty table in `arena`; refs the catalog until the arena is freed. NULL: memory. */
struct attr_table *attr_table_new(struct arena *arena, struct attr_catalog *catalog);

/* The zone of now.weekday and now.time, which must live as long as the table; UTC otherwise. */
void attr_table_set_zone(struct attr_table *table, const struct zone *zone);
const struct zone *attr_table_zone(const struct attr_table *table);

enum { ATTR_SLOT_NONE = 0xFFFF };
/* The slot of a name, made when it is new (T.age makes one of T too). ATTR_SLOT_NONE: the catalog
 * does not know it, or there is no memory (or 4096 slots are taken). header.* names are folded to
 * lower case first. */
uint16_t attr_table_slot(struct attr_table *table, struct str name);
size_t attr_table_size(const struct attr_table *table);
struct str attr_table_name(const struct attr_table *table, uint16_t slot);
enum attr_type attr_table_type(const struct attr_table *table, uint16_t slot);
/* Whether reading the slot depends on the time: now, now.weekday, now.time and every T.age. */
bool attr_table_is_timed(const struct attr_table *table, uint16_t slot);
/* Whether reading the slot can be noticed later: it depends on the time (as above), takes from the
 * request's budget for patterns (a source with a regex), or may ask somebody else (a look-up). */
bool attr_table_is_noticed(const struct attr_table *table, uint16_t slot);
/* Whether a request may give the attribute's value in place of its sources (struct attr_given): it
 * is a declared one, or what the client says of itself (of which the first text counts). */
bool attr_table_takes_given(const struct attr_table *table, struct str name);
/* "path": the one attribute that has the operator `under`. */
bool attr_table_is_path(const struct attr_table *table, uint16_t slot);
/*
 * The request fields that reading the slot can look at, for Vary: their number, and the k-th (from
 * 0; *ret is written only when there is one). A cookie is "Cookie", client_ip "X-Forwarded-For",
 * scheme "X-Forwarded-Proto"; of the target none. Those of ATTR_FROM_AGENT are in order of
 * preference.
 */
size_t attr_table_request_fields(const struct attr_table *table, uint16_t slot, size_t k,
                                 struct str *ret);

/*
 * Where a slot's value comes from, for whoever makes up a request that has a certain value, or
 * proves that there is none.
 */
enum attr_channel {
  ATTR_FROM_METHOD,
  ATTR_FROM_SCHEME,
  ATTR_FROM_HOST,
  ATTR_FROM_PATH,
  ATTR_FROM_CLIENT_IP,
  ATTR_FROM_NOW,
  ATTR_FROM_LOCAL_TIME, /* now.weekday and now.time: of now in attr_table_zone */
  ATTR_FROM_AGE,        /* of the slot attr_table_base */
  ATTR_FROM_AGENT,  /* language device os browser …: the client's own word, at most one value */
  ATTR_FROM_SOURCES /* headers, cookies, query keys, suppliers */
};
enum attr_channel attr_table_channel(const struct attr_table *table, uint16_t slot);
/* Of ATTR_FROM_AGE: the slot of T. */
uint16_t attr_table_base(const struct attr_table *table, uint16_t slot);
/* Whether a request never gives the slot more than one value, and whether it always gives one. */
bool attr_table_is_single(const struct attr_table *table, uint16_t slot);
bool attr_table_is_always(const struct attr_table *table, uint16_t slot);

/* One source of ATTR_FROM_SOURCES; views the table. */
struct attr_source_info {
  enum attr_source_kind kind;
  struct str name;
  struct str pattern; /* p == NULL: the whole value */
  struct str json;    /* as it was declared */
  bool from_anyone;
};
/* The k-th source of a slot, in order of preference. False: there are no more. */
bool attr_table_source(const struct attr_table *table, uint16_t slot, size_t k,
                       struct attr_source_info *ret);

/* ---- reader: one request --------------------------------------------------------------------- */

/* What somebody who gives an attribute's value knows of it. */
enum attr_given_state {
  GIVEN_TEXTS,     /* without texts the attribute is missing */
  GIVEN_UNDECIDED, /* a limit left it undecided when it was read */
  GIVEN_UNKNOWN    /* there was something that is not told: redacted, cut */
};

/* Stands for what an attribute's sources would give: in tests, batches and logs. */
struct attr_given {
  struct str name;
  const struct str *texts;
  size_t n;
  enum attr_given_state state;
};

/* What the reader reads. All views must outlive the reading. */
struct attr_request {
  struct str method;
  struct str scheme; /* "http" or "https" */
  struct str host;   /* lower case, without port and trailing dot */
  struct str path;   /* normalised (http_path_normalise) */
  /* How upstreams may read it else (http_path_other_readings); attributes don't see these. */
  struct str other_paths[HTTP_PATH_OTHERS_MAX];
  size_t other_path_count;
  struct str query; /* raw; p == NULL: none */
  struct ip_address client_ip;
  bool trusted; /* whether sources that need a trusted proxy count */
  int64_t now_ms;
  const struct http_field *fields;
  size_t field_count;
  const struct attr_given *given;
  size_t given_count;
  /* A request of a log, which has no fields: header.*, cookie.* and query.* may be given too, and
   * what is neither given nor to be had of the members above (query, client_ip) is unknown: its
   * slot is ATTR_UNDECIDED, and attr_reader_unknown names it. */
  bool recorded;
  bool untold_query, untold_client_ip; /* of a recorded one: these members are not known either */
};

enum attr_supply {
  SUPPLY_PRESENT, /* texts */
  SUPPLY_ABSENT,  /* the next source is asked */
  SUPPLY_REFUSED, /* there is one that does not count; the next source is asked */
  SUPPLY_PENDING  /* it is being fetched: ask again when it has come */
};

struct attr_supplied {
  const struct str *texts; /* SUPPLY_PRESENT: at least one; valid until the reader's next begin */
  size_t n;
  struct str why; /* _ABSENT, _REFUSED: a sentence part for explain; may be absent */
};

/*
 * Who answers for the sources of one kind, on the reader's thread: without blocking, and without
 * allocation for what it has at hand. `id` is what the offer gave the source, `keys` the first text
 * of each attribute that the offer named: present and not empty.
 */
struct attr_supplier {
  enum attr_supply (*supply)(void *context, const struct attr_request *request, uint32_t id,
                             const struct str *keys, struct attr_supplied *ret);
  void *context;
  void (*release)(void *context); /* frees it, with the reader; NULL: it is somebody else's */
};

struct attr_reader;

/* One thread's reader with its memory and its regex scratch. NULL: memory. */
struct attr_reader *attr_reader_new(void);
void attr_reader_free(struct attr_reader **reader);

/* From now on sources of a kind are asked of `supplier`; without one they are absent. The one
 * before is released, this one with the reader. */
void attr_reader_supply(struct attr_reader *reader, enum attr_source_kind kind,
                        struct attr_supplier supplier);

/* Begins a request; what was read of the one before is gone. `table` and `request` are kept by
 * reference until the next begin. Allocates only when a table is larger than any before. */
void attr_reader_begin(struct attr_reader *reader, const struct attr_table *table,
                       const struct attr_request *request);
/* The value of a slot, read now if it was not. Never NULL; valid until the next begin. Short of
 * memory the value is ATTR_UNDECIDED. */
const struct attr_value *attr_read(struct attr_reader *reader, uint16_t slot);
/* The value of a slot if it was read since begin, else NULL. */
const struct attr_value *attr_reader_peek(const struct attr_reader *reader, uint16_t slot);
/* Whether a present attribute that depends on the time has been read between begin and
 * begin_trace. */
bool attr_reader_time_was_read(const struct attr_reader *reader);
/* Whether a source that is still being fetched was read since begin: its slot is ATTR_UNDECIDED. */
bool attr_reader_is_pending(const struct attr_reader *reader);
/* The first slot read since begin that a recorded request does not tell; ATTR_SLOT_NONE: none. */
uint16_t attr_reader_unknown(const struct attr_reader *reader);
/* Whether the slot was read since begin. */
bool attr_reader_has_read(const struct attr_reader *reader, uint16_t slot);

/*
 * Cookies named `name` (case-sensitive), in order of all Cookie fields: the k-th (from 0). False
 * when there are no more, or no memory to parse them. For the sticky cookie and the force cookie.
 */
bool attr_reader_cookie(struct attr_reader *reader, struct str name, size_t k, struct str *ret);
/* The k-th field of a name (any case). False when there are no more. */
bool attr_request_header(const struct attr_request *request, struct str name, size_t k,
                         struct str *ret);

enum attr_match { ATTR_MATCHED, ATTR_UNMATCHED, ATTR_MATCH_LIMIT };
/* Matches a pattern on the request's budget of 64 KiB of subjects (contract §4). A subject that no
 * longer fits is ATTR_MATCH_LIMIT and is not charged. */
enum attr_match attr_reader_match(struct attr_reader *reader, const struct regex *regex,
                                  struct str subject, struct str *ret_capture)
    __attribute__((warn_unused_result));
/* Gives the trace a budget of its own, after the decision was made. */
void attr_reader_begin_trace(struct attr_reader *reader);

#endif
