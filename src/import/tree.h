/*
 * tree: YAML files as trees with places, on libyaml; private to src/import.
 *
 * Reads what Kubernetes manifests are made of: mappings with texts as keys, lists, texts, several
 * documents, anchors and aliases (an alias is the same node again, so a tree has no more nodes than
 * the file has words). Duplicate keys, merge keys, tags other than YAML's own and NUL characters
 * are errors. Whoever walks a tree takes no more steps than YAML_NODES_MAX: a file whose aliases,
 * written out, would be longer is refused.
 */
#ifndef ADIT_IMPORT_TREE_H
#define ADIT_IMPORT_TREE_H

#include "adit/arena.h"
#include "adit/diag.h"

enum { YAML_DEPTH_MAX = 64, YAML_NODES_MAX = 1000000, YAML_ANCHORS_MAX = 1000 };

enum yaml_kind { YAML_TEXT, YAML_LIST, YAML_MAP };

struct yaml_node {
  enum yaml_kind kind;
  struct diag_place at;     /* where it begins */
  bool plain;               /* a text without quotes: may stand for null, a number, a boolean */
  bool open;                /* still being read: an alias to it would lead to itself */
  uint32_t weight;          /* nodes in it, aliases written out */
  uint32_t depth;           /* levels in it, likewise; 0 for a text */
  struct str text;          /* of a text; NUL-terminated */
  struct yaml_node **items; /* of a list; of a map key, value, key, value */
  size_t n;                 /* how many there are in `items` */
};

struct yaml_documents {
  struct yaml_node **items;
  size_t n;
  size_t capacity;
};

/*
 * Adds every document of `text` that is not empty. `name` is what diagnostics call it; both must
 * outlive the trees, as must `arena`. Each mistake is an error in `diags`, and reading goes on with
 * the next document. False: there were errors, or memory was short (arena_failed).
 */
bool yaml_read(struct arena *arena, struct str text, const char *name, struct diags *diags,
               struct yaml_documents *documents) __attribute__((warn_unused_result));

/* The value of a map's key; NULL when it is not there or null. */
const struct yaml_node *yaml_find(const struct yaml_node *map, const char *key);
/* Whether it is null: nothing, `~` or `null` without quotes. */
bool yaml_is_null(const struct yaml_node *node);
/* "a list", "a mapping", "a text", "null": for messages. */
const char *yaml_kind_name(const struct yaml_node *node);

#endif
