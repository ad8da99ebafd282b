/* What is found in the files that were loaded, while their documents are there. */
#include "adit/findings.h"

#include "adit/json.h"
#include "policy_private.h"

enum { FINDINGS_BYTES_MAX = 64 << 20, READ_BYTES_MAX = 16 << 20 };

/* How findings read a request: as a line of a batch. */
struct reading {
  struct policy *policy;
  struct arena *arena;
  struct json_doc *doc;
  int64_t now_ms;
};

static bool read_request(void *context, struct str json, struct decide_request *ret) {
  struct reading *reading = context;
  struct diags *diags = diags_new();
  json_free(&reading->doc);
  arena_reset(reading->arena);
  reading->doc = diags ? json_parse(json, "witness", JSON_STRICT, diags) : NULL;
  bool ok = reading->doc &&
            request_from_json(reading->doc, json_root(reading->doc), reading->arena,
                              reading->now_ms, ret, NULL, diags) &&
            policy_strip_request(reading->policy, reading->arena, ret);
  diags_free(&diags);
  return ok;
}

static bool find_in_files(struct loader *loader, const struct findings_input *input,
                          struct findings *findings) {
  struct policy *policy = loader->policy;
  for (size_t i = 0; i < policy->file_count; i++) {
    struct policy_file *file = &policy->files[i];
    if (file->state != FILE_FRESH) continue;
    if (!findings_of_route(input, file->route, file->doc, findings)) return false;
    tests_find_idle(loader, file);
  }
  return true;
}

void find_findings(struct loader *loader) {
  struct policy *policy = loader->policy;
  const struct policy_options *options = loader->options;
  if (options->findings == POLICY_FINDINGS_NONE) return;
  struct reading reading = {
      .policy = policy, .arena = arena_new(READ_BYTES_MAX), .now_ms = options->now_ms};
  struct findings findings = {.arena = arena_new(FINDINGS_BYTES_MAX)};
  const struct findings_input input = {
      .routes = (const struct route *const *)policy->routes,
      .route_count = policy->route_count,
      .router = policy->router,
      .decider = policy_decider_new(policy),
      .now_ms = options->now_ms,
      .notes = options->findings == POLICY_FINDINGS_ALL,
      .trusted_proxies = policy->config->trusted_proxies,
      .trusted_proxy_count = policy->config->trusted_proxy_count,
      .read = read_request,
      .context = &reading,
  };
  struct decider *decider = input.decider;
  /* Short of memory fewer are found; the policy is none the worse for it. */
  if (reading.arena && findings.arena && decider) {
    (void)find_in_files(loader, &input, &findings);
    findings_report(&findings, loader->diags);
  }
  decider_free(&decider);
  json_free(&reading.doc);
  arena_free(&findings.arena);
  arena_free(&reading.arena);
}
