/* What is found in the files that were loaded, while their documents are there. */
#include "adit/findings.h"

#include <stdlib.h>

#include "adit/json.h"
#include "adit/prober.h"
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

/* The means to ask a policy's routes. */
struct asking {
  struct reading reading;
  struct findings_input input;
};

static void asking_end(struct asking *asking) {
  decider_free(&asking->input.decider);
  json_free(&asking->reading.doc);
  arena_free(&asking->reading.arena);
}

/* False: memory. To be ended in any case. */
static bool asking_begin(struct asking *asking, struct policy *policy, int64_t now_ms) {
  asking->reading =
      (struct reading){.policy = policy, .arena = arena_new(READ_BYTES_MAX), .now_ms = now_ms};
  asking->input = (struct findings_input){
      .routes = (const struct route *const *)policy->routes,
      .route_count = policy->route_count,
      .router = policy->router,
      .decider = policy_decider_new(policy),
      .now_ms = now_ms,
      .trusted_proxies = policy->config->trusted_proxies,
      .trusted_proxy_count = policy->config->trusted_proxy_count,
      .read = read_request,
      .context = &asking->reading,
  };
  return asking->reading.arena && asking->input.decider;
}

void find_findings(struct loader *loader) {
  const struct policy_options *options = loader->options;
  if (options->findings == POLICY_FINDINGS_NONE) return;
  struct asking asking;
  struct findings findings = {.arena = arena_new(FINDINGS_BYTES_MAX)};
  bool ready = asking_begin(&asking, loader->policy, options->now_ms);
  asking.input.notes = options->findings == POLICY_FINDINGS_ALL;
  /* Short of memory fewer are found; the policy is none the worse for it. */
  if (ready && findings.arena) {
    (void)find_in_files(loader, &asking.input, &findings);
    findings_report(&findings, loader->diags);
  }
  asking_end(&asking);
  arena_free(&findings.arena);
}

/* ---- requests for tests ---------------------------------------------------------------------- */

struct policy_prober {
  struct asking asking;
  struct prober *prober;
};

/* As tests ask. */
static bool read_test_request(void *context, struct str json, struct decide_request *ret) {
  if (!read_request(context, json, ret)) return false;
  ret->ignore_cookie = true;
  return true;
}

struct policy_prober *policy_prober_new(struct policy *policy, const struct route *route,
                                        int64_t now_ms) {
  struct policy_prober *prober = calloc(1, sizeof(*prober));
  if (!prober) return NULL;
  bool ready = asking_begin(&prober->asking, policy, now_ms);
  prober->asking.input.read = read_test_request;
  if (ready) prober->prober = prober_new(&prober->asking.input, route);
  if (!prober->prober) policy_prober_free(&prober);
  return prober;
}

void policy_prober_free(struct policy_prober **prober) {
  struct policy_prober *old = *prober;
  *prober = NULL;
  if (!old) return;
  prober_free(&old->prober);
  asking_end(&old->asking);
  free(old);
}

struct probe_answer policy_probe(struct policy_prober *prober, const struct probe *probe) {
  return prober_find(prober->prober, probe);
}
