/* One route from begin to end. */
#include "adit/regex.h"
#include "analysis.h"

static struct values_maker whole_maker(struct analysis *analysis) {
  return (struct values_maker){analysis->arena, analysis->scratch, &analysis->steps};
}

/* What is said of conditions needs their attributes' domains; without them nothing is said. */
static bool build_domains(struct analysis *analysis) {
  const struct route *route = analysis->route;
  size_t n = route->rule_count + 2;
  const struct condition **conditions = ARENA_ARRAY(analysis->arena, const struct condition *, n);
  if (!conditions || !territory_build(analysis)) return false;
  for (size_t i = 0; i < route->rule_count; i++) conditions[i] = route->rules[i].when;
  conditions[n - 2] = analysis->territory;
  conditions[n - 1] = analysis->clock;
  if (!domains_build(&analysis->domains, analysis->arena, route->table, conditions, n,
                     ANALYSIS_LEAVES_MAX))
    return false;
  struct values_maker maker = whole_maker(analysis);
  analysis->values = ARENA_ARRAY(analysis->arena, const struct slot_values *, analysis->domains.n);
  for (size_t i = 0; analysis->values && i < analysis->domains.n; i++) {
    analysis->values[i] = values_any(&maker, &analysis->domains.items[i]);
    if (!analysis->values[i]) return false;
  }
  return analysis->values != NULL;
}

static bool analyse(struct analysis *analysis, bool has_domains) {
  if (has_domains) find_in_rules(analysis);
  find_in_splits(analysis);
  find_in_patterns(analysis);
  find_unused(analysis);
  find_in_routes(analysis);
  find_claims(analysis);
  if (analysis->input->notes) find_notes(analysis);
  return !arena_failed(analysis->findings->arena);
}

bool analysis_has_means(const struct analysis *analysis) {
  return analysis->arena && analysis->tried && analysis->scratch && analysis->reader;
}

bool analysis_open(struct analysis *analysis, const struct findings_input *input,
                   const struct route *route) {
  *analysis = (struct analysis){
      .input = input,
      .route = route,
      .arena = arena_new(ANALYSIS_BYTES_MAX),
      .tried = arena_new(SEARCH_BYTES_MAX),
      .scratch = regex_scratch_new(),
      .reader = attr_reader_new(),
      .steps = ANALYSIS_STEPS,
  };
  return analysis_has_means(analysis) && build_domains(analysis);
}

void analysis_close(struct analysis *analysis) {
  attr_reader_free(&analysis->reader);
  regex_scratch_free(&analysis->scratch);
  arena_free(&analysis->tried);
  arena_free(&analysis->arena);
}

bool findings_of_route(const struct findings_input *input, const struct route *route,
                       const struct json_doc *doc, struct findings *findings) {
  struct analysis analysis;
  bool has_domains = analysis_open(&analysis, input, route);
  analysis.doc = doc;
  analysis.findings = findings;
  bool ok = analysis_has_means(&analysis) && analyse(&analysis, has_domains);
  analysis_close(&analysis);
  return ok;
}
