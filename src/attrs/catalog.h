/*
 * catalog: what the files of src/attrs share: sources, declared attributes, slots. Private.
 *
 * A name is resolved against a catalog (attr_resolve) to where its value comes from; a table keeps
 * that as a slot, a reader follows it.
 */
#ifndef ADIT_ATTRS_CATALOG_H
#define ADIT_ATTRS_CATALOG_H

#include <stdatomic.h>

#include "adit/agent.h"
#include "adit/arena.h"
#include "adit/attrs.h"
#include "adit/hash.h"

struct attr_source {
  enum attr_source_kind kind;
  struct str name;             /* of a header: any case */
  struct regex *regex;         /* NULL: the whole value */
  struct str pattern;          /* of the regex */
  struct str json;             /* as it was declared; of a built-in family p == NULL */
  bool from_anyone;            /* false: counts only when a trusted proxy sent it */
  struct attr_offered offered; /* of the kinds that have a supplier */
};

static inline bool source_is_supplied(const struct attr_source *source) {
  return source->kind >= SOURCE_JWT;
}

struct attr_declared {
  struct str name;
  enum attr_type type;
  const struct attr_source *sources; /* in order of preference */
  size_t source_count;
};

struct attr_catalog {
  atomic_uint references;
  enum attr_scope scope;
  struct attr_catalog *parent; /* NULL: none */
  struct arena *arena;         /* everything below, and the compiled patterns */
  VEC(struct attr_declared) declared;
  struct str_set *index;    /* name → index into declared; NULL: none is declared */
  const char *const *names; /* for suggestions */
  struct attr_offer offers[ATTR_SOURCE_KINDS];
  size_t pattern_bytes; /* of memory, by the compiled patterns */
};

/* The declared attribute of a name, here or in the parent; NULL: none. */
const struct attr_declared *attr_catalog_find_declared(const struct attr_catalog *catalog,
                                                       struct str name);
/* Whether a declared name would hide a built-in one ("path", "header.anything"). */
bool attr_name_is_builtin(struct str name);
/* Renews what is derived from `declared`: the index and the names. False: memory. */
bool attr_catalog_index(struct attr_catalog *catalog);

enum attr_origin {
  ORIGIN_METHOD,
  ORIGIN_SCHEME,
  ORIGIN_HOST,
  ORIGIN_PATH,
  ORIGIN_CLIENT_IP,
  ORIGIN_NOW,
  ORIGIN_LOCAL_TIME, /* now.weekday, now.time; the type says which */
  ORIGIN_HEADER,     /* header.<rest> */
  ORIGIN_COOKIE,     /* cookie.<rest> */
  ORIGIN_QUERY,      /* query.<rest> */
  /* In the order of enum agent_field. */
  ORIGIN_DEVICE,
  ORIGIN_OS,
  ORIGIN_OS_VERSION,
  ORIGIN_BROWSER,
  ORIGIN_BROWSER_VERSION,
  ORIGIN_LANGUAGE,
  ORIGIN_DECLARED, /* `declared` */
  ORIGIN_AGE       /* of the attribute `rest`, which is of type time */
};

struct attr_resolved {
  enum attr_origin origin;
  enum attr_type type;
  struct str rest; /* views the name */
  const struct attr_declared *declared;
};

/* What the client says of itself: language, device, system and browser. */
static inline bool origin_is_agent(enum attr_origin origin) {
  return origin >= ORIGIN_DEVICE && origin <= ORIGIN_LANGUAGE;
}

/* Not of ORIGIN_LANGUAGE. */
static inline enum agent_field origin_agent_field(enum attr_origin origin) {
  return (enum agent_field)(origin - ORIGIN_DEVICE);
}

/* What a name in a condition means; false: unknown. */
bool attr_resolve(const struct attr_catalog *catalog, struct str name, struct attr_resolved *ret);

struct attr_slot {
  struct str name; /* header.* in lower case */
  enum attr_origin origin;
  enum attr_type type;
  const struct attr_source *sources; /* header.*, cookie.*, query.* and declared */
  size_t source_count;
  uint16_t base;        /* ORIGIN_AGE: the slot of T */
  const uint16_t *keys; /* the slots of all its sources' keys, one source after the other */
};

struct attr_table {
  struct arena *arena;
  const struct attr_catalog *catalog;
  VEC(struct attr_slot) slots;
  const struct zone *zone;
  struct str_set *index; /* name → slot */
  size_t index_capacity;
};

#endif
