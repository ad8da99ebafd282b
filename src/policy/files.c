/*
 * files: which rule files there are.
 *
 * Each pattern's matches are sorted, patterns stay in their order, and a file that several name is
 * read once, under what the first of them lets it claim. Files given on the command line replace
 * all of these, but claim no more than they could under adit.json.
 */
#include <glob.h>
#include <stdlib.h>

#include "adit/hash.h"
#include "policy_private.h"

struct candidate {
  const char *path;
  struct str real; /* what tells files apart */
  const struct config_rules *claim;
  bool missing;
};

struct candidates {
  struct candidate *items;
  size_t n;
  size_t capacity;
};

static bool fail_memory(struct loader *loader) {
  diags_add(loader->diags, DIAG_ERROR, (struct diag_place){loader->options->config_path, 0, 0},
            NULL, "not enough memory to load the rule files");
  return false;
}

static bool add_candidate(struct arena *arena, struct candidates *candidates, const char *path,
                          const struct config_rules *claim, bool missing) {
  char *real = realpath(path, NULL);
  struct candidate candidate = {.claim = claim, .missing = missing};
  candidate.real = arena_dup(arena, str_from_cstr(real ? real : path));
  candidate.path = arena_dup(arena, str_from_cstr(path)).p;
  free(real);
  return candidate.path && candidate.real.p && VEC_PUSH(arena, candidates, candidate);
}

static int compare_paths(const void *a, const void *b) {
  return strcmp(*(char *const *)a, *(char *const *)b);
}

/* Whether a pattern may name several files: it holds a wildcard that is not escaped. */
static bool has_wildcard(struct str pattern) {
  for (size_t i = 0; i < pattern.n; i++) {
    if (pattern.p[i] == '\\')
      i++;
    else if (memchr("*?[", pattern.p[i], 3))
      return true;
  }
  return false;
}

/* The one path that a pattern without wildcards names; NULL: memory. */
static const char *unescape(struct arena *arena, struct str pattern) {
  char *path = arena_alloc(arena, pattern.n + 1);
  size_t n = 0;
  for (size_t i = 0; path && i < pattern.n; i++) {
    if (pattern.p[i] == '\\' && i + 1 < pattern.n) i++;
    path[n++] = pattern.p[i];
  }
  return path;
}

static bool add_missing(struct arena *arena, struct candidates *candidates,
                        const struct config_rules *rules, struct diags *diags) {
  const char *path = unescape(arena, rules->pattern);
  if (!path) return false;
  if (diags)
    diags_add(diags, DIAG_ERROR, rules->at, "create it, or remove it from \"rules\"",
              "rule file '%s' does not exist", path);
  return add_candidate(arena, candidates, path, rules, true);
}

/* What one pattern names. `diags` may be NULL: then only what is there matters. */
static bool expand(struct arena *arena, struct candidates *candidates,
                   const struct config_rules *rules, struct diags *diags) {
  struct str pattern = arena_dup(arena, rules->pattern);
  if (!pattern.p) return false;
  glob_t found = {0};
  int result = glob(pattern.p, GLOB_ERR | GLOB_NOSORT, NULL, &found);
  bool ok = result != GLOB_NOSPACE;
  if (result == 0) {
    qsort(found.gl_pathv, found.gl_pathc, sizeof(*found.gl_pathv), compare_paths);
    for (size_t i = 0; ok && i < found.gl_pathc; i++)
      ok = add_candidate(arena, candidates, found.gl_pathv[i], rules, false);
  } else if (result == GLOB_NOMATCH && !has_wildcard(pattern)) {
    ok = add_missing(arena, candidates, rules, diags);
  } else if (result == GLOB_ABORTED && diags) {
    diags_add(diags, DIAG_ERROR, rules->at, "check that it exists and may be read",
              "'%s': its directory cannot be read", pattern.p);
  }
  if (result == 0) globfree(&found);
  return ok;
}

/* The claims of the first pattern that names a file given on the command line. */
static const struct config_rules *find_claim(const struct candidates *named, struct str real) {
  for (size_t i = 0; i < named->n; i++)
    if (str_eq(named->items[i].real, real)) return named->items[i].claim;
  return NULL;
}

static bool list_given(struct loader *loader, struct candidates *candidates) {
  const struct policy_options *options = loader->options;
  const struct config *config = loader->policy->config;
  struct candidates named = {0};
  for (size_t i = 0; i < config->rules_count; i++)
    if (!expand(loader->scratch, &named, &config->rules[i], NULL)) return false;
  for (size_t i = 0; i < options->rule_path_count; i++) {
    if (!add_candidate(loader->scratch, candidates, options->rule_paths[i], NULL, false))
      return false;
    struct candidate *given = &candidates->items[candidates->n - 1];
    given->claim = find_claim(&named, given->real);
  }
  return true;
}

static bool list_configured(struct loader *loader, struct candidates *candidates) {
  const struct config *config = loader->policy->config;
  for (size_t i = 0; i < config->rules_count; i++)
    if (!expand(loader->scratch, candidates, &config->rules[i], loader->diags)) return false;
  return true;
}

static void warn_of_other_claim(struct loader *loader, const struct candidate *first,
                                const struct candidate *again) {
  if (!again->claim || first->claim == again->claim) return;
  if (!first->claim->hosts && !first->claim->upstreams && !again->claim->hosts &&
      !again->claim->upstreams)
    return;
  diags_add(loader->diags, DIAG_WARNING, again->claim->at, "let one pattern name it",
            "'%s' is named by an earlier pattern too, and only what that one allows holds for it",
            again->path);
}

/* Without duplicates, into policy->files. */
static bool keep_distinct(struct loader *loader, const struct candidates *candidates) {
  struct policy *policy = loader->policy;
  struct str_set *seen = str_set_new(loader->scratch, candidates->n);
  policy->files = ARENA_ARRAY(policy->arena, struct policy_file, candidates->n);
  if (!seen || !policy->files) return fail_memory(loader);
  for (size_t i = 0; i < candidates->n; i++) {
    const struct candidate *candidate = &candidates->items[i];
    if (!str_set_add(seen, candidate->real, i)) {
      warn_of_other_claim(loader, &candidates->items[str_set_find(seen, candidate->real)],
                          candidate);
      continue;
    }
    struct str path = arena_dup(policy->arena, str_from_cstr(candidate->path));
    if (!path.p) return fail_memory(loader);
    policy->files[policy->file_count++] = (struct policy_file){
        .path = path.p, .claim = candidate->claim, .missing = candidate->missing};
  }
  return true;
}

static void warn_of_idle_patterns(struct loader *loader, const struct candidates *candidates) {
  const struct config *config = loader->policy->config;
  size_t k = 0; /* candidates are in the order of the patterns */
  for (size_t i = 0; i < config->rules_count; i++) {
    const struct config_rules *rules = &config->rules[i];
    size_t first = k;
    while (k < candidates->n && candidates->items[k].claim == rules) k++;
    if (k == first)
      diags_add(loader->diags, DIAG_WARNING, rules->at, NULL, "no rule file matches '%.*s'",
                STR_ARG(rules->pattern));
  }
}

static bool fail_without_files(struct loader *loader) {
  const struct config *config = loader->policy->config;
  struct diag_place at = {config->path, 0, 0};
  if (config->rules_count > 0) at = config->rules[0].at;
  diags_add(loader->diags, DIAG_ERROR, at, "name at least one rule file in \"rules\"",
            "there are no rule files, so nothing can be served");
  return false;
}

bool files_find(struct loader *loader) {
  struct candidates candidates = {0};
  size_t errors = diags_count(loader->diags, DIAG_ERROR);
  bool given = loader->options->rule_path_count > 0;
  bool ok = given ? list_given(loader, &candidates) : list_configured(loader, &candidates);
  if (!ok) return fail_memory(loader);
  size_t missing = 0;
  for (size_t i = 0; i < candidates.n; i++) missing += candidates.items[i].missing;
  /* An unreadable directory: better nothing new than routes that vanish. */
  if (diags_count(loader->diags, DIAG_ERROR) > errors + missing) return false;
  if (candidates.n == 0) return fail_without_files(loader);
  if (!given) warn_of_idle_patterns(loader, &candidates);
  return keep_distinct(loader, &candidates);
}
