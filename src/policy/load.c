/*
 * load: adit.json and its rule files, made into a policy.
 *
 *   load_config ─ files_find ─ load_file for each ─ settle: link_drop_conflicts, link_routes,
 *   tests_run, again while a file was refused; then find_findings
 *
 * At start a refused file refuses the whole. On a reload its route stays as the previous policy
 * has it, so every turn of `settle` has one fresh file less and it ends.
 */
#include <cjson/cJSON.h>
#include <stdlib.h>

#include "adit/crypto.h"
#include "adit/json.h"
#include "adit/text.h"
#include "policy_private.h"

enum {
  POLICY_BYTES_MAX = 1 << 30,
  RULE_FILE_BYTES_MAX = 64 << 20,
};

static struct diag_place config_place(const struct loader *loader) {
  return (struct diag_place){loader->options->config_path, 0, 0};
}

static bool fail_memory(struct loader *loader) {
  diags_add(loader->diags, DIAG_ERROR, config_place(loader), NULL, "not enough memory to load it");
  return false;
}

/* ---- files that fail ------------------------------------------------------------------------- */

static const struct policy_file *find_previous(const struct loader *loader, const char *path) {
  const struct policy *previous = loader->options->previous;
  for (size_t i = 0; previous && i < previous->file_count; i++)
    if (strcmp(previous->files[i].path, path) == 0) return &previous->files[i];
  return NULL;
}

void loader_refuse_file(struct loader *loader, struct policy_file *file) {
  route_unref(&file->route);
  file->test_count = 0;
  file->state = FILE_DROPPED;
  if (!loader->options->previous) {
    loader->refused = true;
    return;
  }
  struct diag_place at = {file->path, 0, 0};
  const struct policy_file *before = find_previous(loader, file->path);
  if (!before || !before->route) {
    diags_add(loader->diags, DIAG_NOTE, at, NULL, "the file is not served");
    return;
  }
  file->route = route_ref(before->route);
  file->state = FILE_KEPT;
  memcpy(file->digest, before->digest, DIGEST_BYTES);
  diags_add(loader->diags, DIAG_NOTE, at, NULL, "route '%.*s' stays as it was",
            STR_ARG(file->route->name));
}

/* ---- adit.json ------------------------------------------------------------------------------- */

static struct rules_environment environment_of(const struct config *config) {
  return (struct rules_environment){
      .catalog = config->catalog,
      .segments = {.doc = config->doc, .object = config->segments, .directory = config->directory},
      .upstreams = config->upstream_names,
      .directory = config->directory,
  };
}

/* The key that was made once stays, also while adit.json has keys of its own. */
static bool make_random_key(struct loader *loader) {
  struct policy *policy = loader->policy;
  const struct policy *previous = loader->options->previous;
  if (previous && previous->has_random_key) {
    memcpy(policy->random_key, previous->random_key, RANDOM_KEY_BYTES);
    policy->has_random_key = true;
  }
  if (policy->has_random_key || policy->config->key_count > 0) return true;
  policy->has_random_key = crypto_random(policy->random_key, RANDOM_KEY_BYTES);
  if (!policy->has_random_key)
    diags_add(loader->diags, DIAG_ERROR, config_place(loader), "give keys in \"sticky\"",
              "the system has no random bytes to make a sticky key of");
  return policy->has_random_key;
}

static bool load_keys(struct loader *loader) {
  struct policy *policy = loader->policy;
  const struct config *config = policy->config;
  if (!make_random_key(loader)) return false;
  policy->key_count = config->key_count > 0 ? config->key_count : 1;
  policy->keys = ARENA_ARRAY(policy->arena, struct sticky_key, policy->key_count);
  if (!policy->keys) return fail_memory(loader);
  policy->keys[0] = (struct sticky_key){.id = STR_INIT("random"),
                                        .secret = str_make(policy->random_key, RANDOM_KEY_BYTES)};
  for (size_t i = 0; i < config->key_count; i++)
    policy->keys[i] =
        (struct sticky_key){.id = config->keys[i].id, .secret = config->keys[i].secret};
  return true;
}

static bool load_config(struct loader *loader) {
  struct policy *policy = loader->policy;
  policy->config = config_load(loader->options->config_path, loader->diags);
  if (!policy->config) return false;
  const struct rules_environment environment = environment_of(policy->config);
  bool segments = rules_check_segments(&environment, loader->diags);
  return load_keys(loader) && segments;
}

/* ---- rule files ------------------------------------------------------------------------------ */

/* The directory part of a path, as C string: "." where there is none. */
static const char *directory_of(struct arena *arena, const char *path) {
  const char *slash = strrchr(path, '/');
  if (!slash) return ".";
  size_t n = slash == path ? 1 : (size_t)(slash - path);
  return arena_dup(arena, str_make(path, n)).p;
}

static bool compile_file(struct loader *loader, struct policy_file *file) {
  struct rules_environment environment = environment_of(loader->policy->config);
  environment.directory = directory_of(loader->scratch, file->path);
  if (!environment.directory) return fail_memory(loader);
  if (file->claim) {
    environment.claim_hosts = file->claim->hosts;
    environment.claim_host_count = file->claim->host_count;
    environment.claim_upstreams = file->claim->upstreams;
    environment.claim_upstream_count = file->claim->upstream_count;
  }
  file->route = route_compile(file->doc, &environment, loader->diags);
  return file->route && tests_parse(loader, file);
}

static bool load_file(struct loader *loader, struct policy_file *file) {
  if (file->missing) return false;
  file->doc = json_load(file->path, file->path, JSON_EDITABLE, RULE_FILE_BYTES_MAX, loader->diags);
  if (!file->doc) return false;
  if (!crypto_sha256(json_text(file->doc), file->digest)) return fail_memory(loader);
  const struct policy_file *before = find_previous(loader, file->path);
  file->is_new = !before || !before->route;
  file->changed = file->is_new || memcmp(before->digest, file->digest, DIGEST_BYTES) != 0;
  return compile_file(loader, file);
}

static void load_files(struct loader *loader) {
  struct policy *policy = loader->policy;
  for (size_t i = 0; i < policy->file_count; i++)
    if (!load_file(loader, &policy->files[i])) loader_refuse_file(loader, &policy->files[i]);
}

/* ---- the whole ------------------------------------------------------------------------------- */

static void warn_of_random_key(struct loader *loader) {
  const struct policy *policy = loader->policy;
  if (policy->config->key_count > 0) return;
  for (size_t i = 0; i < policy->route_count; i++) {
    if (!policy->routes[i]->has_split || !policy->routes[i]->sticky.cookie) continue;
    diags_add(loader->diags, DIAG_WARNING, config_place(loader),
              "name key files in \"sticky\", \"keys\"",
              "no sticky keys: cookies are signed with a random one and end with this process");
    return;
  }
}

/* Links and tests until every file that is left can be served. */
static bool settle(struct loader *loader) {
  bool refused = true;
  while (refused) {
    if (!link_drop_conflicts(loader)) return fail_memory(loader);
    if (loader->refused) return false;
    size_t errors = diags_count(loader->diags, DIAG_ERROR);
    if (!link_routes(loader))
      return diags_count(loader->diags, DIAG_ERROR) > errors ? false : fail_memory(loader);
    if (!tests_run(loader, &refused)) return fail_memory(loader);
    if (loader->refused) return false;
  }
  warn_of_random_key(loader);
  redactions_check(loader);
  find_findings(loader);
  return true;
}

/* The files stand in the order of their names, whatever directories say. */
static bool make_hash(struct loader *loader) {
  static const char digits[] = "0123456789abcdef";
  struct policy *policy = loader->policy;
  uint8_t digest[DIGEST_BYTES];
  struct text all;
  text_init(&all, POLICY_BYTES_MAX);
  bool ok = crypto_sha256(json_text(policy->config->doc), digest);
  text_add(&all, str_make((const char *)digest, sizeof(digest)));
  for (size_t i = 0; i < policy->file_count; i++) {
    const struct policy_file *file = &policy->files[i];
    if (file->route) text_add(&all, str_make((const char *)file->digest, DIGEST_BYTES));
  }
  ok = ok && !text_failed(&all) && crypto_sha256(text_str(&all), digest);
  text_deinit(&all);
  for (size_t i = 0; i < DIGEST_BYTES; i++) {
    policy->hash[2 * i] = digits[digest[i] >> 4];
    policy->hash[2 * i + 1] = digits[digest[i] & 15];
  }
  return ok || fail_memory(loader);
}

static bool load(struct loader *loader) {
  if (!load_config(loader) || !files_find(loader)) return false;
  load_files(loader);
  return settle(loader) && make_hash(loader);
}

static struct policy *policy_new(void) {
  struct policy *policy = calloc(1, sizeof(*policy));
  if (!policy) return NULL;
  atomic_init(&policy->references, 1);
  policy->arena = arena_new(POLICY_BYTES_MAX);
  if (!policy->arena) policy_unref(&policy);
  return policy;
}

struct policy *policy_load(const struct policy_options *options, struct diags *diags) {
  struct loader loader = {.options = options, .diags = diags};
  loader.policy = policy_new();
  loader.scratch = arena_new(POLICY_BYTES_MAX);
  bool loaded = loader.policy && loader.scratch ? load(&loader) : fail_memory(&loader);
  for (size_t i = 0; loader.policy && i < loader.policy->file_count; i++) {
    struct policy_file *file = &loader.policy->files[i];
    json_free(&file->doc);
    file->tests = NULL;
    file->test_count = 0;
  }
  arena_free(&loader.scratch);
  if (!loaded) policy_unref(&loader.policy);
  return loader.policy;
}
