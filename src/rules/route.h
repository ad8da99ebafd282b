/*
 * route: how a rule file becomes a struct route; private to src/rules.
 *
 * route.c walks the top level and calls the parts in an order in which each finds what it needs:
 * variants before everything that names one, sticky before conditions (their salt), rules before
 * the Vary list. Each part adds its own errors and goes on; whether there were any is asked once,
 * at the end.
 */
#ifndef ADIT_RULES_ROUTE_H
#define ADIT_RULES_ROUTE_H

#include <stdatomic.h>

#include "adit/arena.h"
#include "adit/json.h"
#include "adit/rules.h"

struct route_private {
  atomic_uint references;
  struct arena *arena;                  /* holds the route and this */
  const struct diag_place *host_places; /* as many as hosts */
  struct diag_place group_place;        /* of sticky.group's value */
  struct route_override *override;      /* NULL: it follows none */
};

struct route_compiler {
  const struct json_doc *doc;
  const struct cJSON *root;
  const struct rules_environment *environment;
  struct diags *diags;
  struct arena *arena;   /* the route's own */
  struct arena *scratch; /* gone when compiling ends */
  struct route *route;   /* being filled; stable is VARIANT_NONE while it is not known */
  struct attr_table *table;
  const char *const *variant_names; /* NULL at the end; NULL: `variants` is unusable, so that no
                                       name can be called unknown */
};

/* ---- parts (in order) ------------------------------------------------------------------------ */

void route_compile_variants(struct route_compiler *compiler); /* variants, stable, canaries */
void route_compile_match(struct route_compiler *compiler);
void route_compile_state(struct route_compiler *compiler);
void route_compile_sticky(struct route_compiler *compiler); /* without `by` */
void route_compile_zone(struct route_compiler *compiler);   /* before rules: of now.time */
void route_compile_force(struct route_compiler *compiler);  /* after sticky: the cookies differ */
void route_compile_mirror(struct route_compiler *compiler); /* before rules, which inherit it */
void route_compile_rules(struct route_compiler *compiler);  /* segments, rules, default */
/* sticky.by comes last, so that its slots are told from those that rules read. */
void route_compile_sticky_by(struct route_compiler *compiler);
/* `read_count`: slots of the table that a decision can read. */
void route_compile_vary(struct route_compiler *compiler, size_t read_count);

/* ---- what parts share ------------------------------------------------------------------------ */

/* A member of an object, or NULL. */
const struct cJSON *route_member(const struct cJSON *object, const char *key);
/* The same for what says the same, blanks and comments aside: to tell what a reload has changed. */
uint64_t route_digest(const struct cJSON *node);

/* Whether `node` is of the kind; else an error at its value: "%s must be a list, not a string". */
bool route_want_object(struct route_compiler *compiler, const struct cJSON *node, const char *what);
bool route_want_array(struct route_compiler *compiler, const struct cJSON *node, const char *what);
/* The view is of the document; route_keep copies it. *ret only on success. */
bool route_want_string(struct route_compiler *compiler, const struct cJSON *node, const char *what,
                       struct str *ret);
/* A string that is one of the contract's names. */
bool route_want_name(struct route_compiler *compiler, const struct cJSON *node, const char *what,
                     struct str *ret);
bool route_want_bool(struct route_compiler *compiler, const struct cJSON *node, const char *what,
                     bool *ret);
/* A string that names a variant. VARIANT_NONE: an error was added, or variants are unusable. */
uint16_t route_want_variant(struct route_compiler *compiler, const struct cJSON *node,
                            const char *what);

enum { ROUTE_HINT_MAX = 300 }; /* four names fit */
/* For a name that no variant has: the one that is meant, or a few that there are; may be NULL. */
const char *route_variant_hint(struct route_compiler *compiler, struct str name, char *buffer,
                               size_t capacity);

/* A copy in the route's arena. */
struct str route_keep(struct route_compiler *compiler, struct str s);
/* json_place with a file name that lives as long as the route. */
struct diag_place route_place(const struct route_compiler *compiler, const struct cJSON *node);

/*
 * A host name, lower-cased and without a trailing dot into `arena`; with `wildcard` also "*.x".
 * False: *ret_why ends the sentence "host 'x' …", *ret_hint may be NULL; both are static.
 */
bool route_host_parse(struct arena *arena, struct str text, bool wildcard, struct str *ret,
                      const char **ret_why, const char **ret_hint);
/* Whether every host of `pattern` (exact or "*.x") is one of `claim`'s (the same, in any case). */
bool route_host_covers(struct str claim, struct str pattern);

/* A list of attribute names; `ret_names` may be NULL. On errors what was good is returned. */
void route_compile_keys(struct route_compiler *compiler, const struct cJSON *node, const char *what,
                        const uint16_t **ret_slots, size_t *ret_n, const struct str **ret_names);

/* `mirror` of a rule. `what` begins messages; `to` is the variant that all of the rule's requests
 * get, or VARIANT_NONE. NULL: false, or an error was added. */
const struct route_mirror *mirror_compile(struct route_compiler *compiler, const struct cJSON *node,
                                          const char *what, uint16_t to);

/* `split` and the optional `by` beside it. `what` begins messages. */
void split_compile(struct route_compiler *compiler, const struct cJSON *split,
                   const struct cJSON *by, const char *what, struct split *ret);

#endif
