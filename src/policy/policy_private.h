/*
 * policy_private: a policy while it is loaded, for the files of src/policy.
 *
 *   load.c   policy_load: adit.json, files, link, tests; what becomes of a file that fails
 *   files.c  patterns → struct policy_file
 *   link.c   conflicts, upstreams, router
 *   tests.c  the `tests` of rule files
 *   redactions.c  names to be hashed in the access log that are nobody's
 *   findings.c  what the authors cannot have meant
 *   changes.c, config_changes.c  what a reload serves otherwise (changes.h)
 *   policy.c the finished policy
 */
#ifndef ADIT_POLICY_PRIVATE_H
#define ADIT_POLICY_PRIVATE_H

#include <stdatomic.h>

#include "adit/arena.h"
#include "adit/policy.h"

struct cJSON;
struct json_doc;
struct protected_names;
struct test_case;

enum { DIGEST_BYTES = 32, RANDOM_KEY_BYTES = 32 };

/* Whose version of a file's route is served. */
enum file_state {
  FILE_FRESH,  /* the file's as it is now */
  FILE_KEPT,   /* the previous policy's: the file as it is now is not taken over */
  FILE_DROPPED /* none */
};

/* One rule file. */
struct policy_file {
  const char *path;                 /* as diagnostics call it */
  const struct config_rules *claim; /* the pattern that names it; NULL: none */
  bool missing;                     /* named without a pattern and not there; reported already */
  enum file_state state;
  bool is_new;                  /* the previous policy serves no route of it */
  bool changed;                 /* its text is not what the previous policy serves */
  uint8_t digest[DIGEST_BYTES]; /* SHA-256 of the text that the route was compiled from */
  struct route *route;          /* one reference; NULL: dropped */
  const size_t *upstreams;      /* of the route's variants, in config->upstreams */
  /* While loading: */
  struct json_doc *doc;
  struct test_case *tests;
  size_t test_count;
};

struct policy {
  atomic_uint references;
  struct arena *arena;
  struct config *config;
  struct policy_file *files;
  size_t file_count;
  struct route **routes; /* those that are served, in order of files; no references */
  size_t route_count;
  const struct policy_file **by_route; /* the same, by the route's address */
  struct router *router;
  char hash[2 * DIGEST_BYTES]; /* see policy_hash() */
  struct protected_names *protected_names;
  struct str_set *dropped_names; /* of untrusted clients; NULL: none */
  struct sticky_key *keys;
  size_t key_count;
  bool has_random_key;
  char random_key[RANDOM_KEY_BYTES];
  struct policy_test *tests;
  size_t test_count;
};

struct loader {
  const struct policy_options *options;
  struct policy *policy;
  struct diags *diags;
  struct arena *scratch; /* dies with the loading */
  bool refused;          /* at start: a file did not load, so nothing will be served */
};

/* The file as it is now is not served: its previous version is, or none. An error in `diags` says
 * why. */
void loader_refuse_file(struct loader *loader, struct policy_file *file);

/* Finds the rule files: policy->files, not read yet. False: nothing can be loaded; said in `diags`.
 */
bool files_find(struct loader *loader);

/* Refuses files until no two routes conflict. False: memory. */
bool link_drop_conflicts(struct loader *loader);
/* Lists what is served, resolves upstreams, builds the router. False: said in `diags`. */
bool link_routes(struct loader *loader);

/* Fills policy->protected_names, for the routes that are linked, and dropped_names. False: memory.
 */
bool protected_names_collect(struct policy *policy);

/* Parses a file's `tests` into file->tests. False: at least one error was added. */
bool tests_parse(struct loader *loader, struct policy_file *file);
/*
 * Runs the tests of all fresh files into policy->tests. *ret_refused says whether a file was
 * refused (its tests failed on reload, or one depends on the time): then link and run again.
 * False: memory.
 */
bool tests_run(struct loader *loader, bool *ret_refused);
/* Warns of tests that every decision of the file would pass. */
void tests_find_idle(struct loader *loader, const struct policy_file *file);

/* Warns of names in access_log.redact that are nobody's. */
void redactions_check(struct loader *loader);

/* Adds what is found in fresh files, as far as the options ask for it. */
void find_findings(struct loader *loader);

#endif
