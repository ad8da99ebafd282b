/*
 * fuzz_agent: any bytes as Accept-Language, User-Agent and Client Hints: what is read of them is a
 * tag that stays as it is, and versions that are of type version.
 */
#include <stdlib.h>

#include "adit/agent.h"
#include "adit/attrs.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void require(bool holds) {
  if (!holds) abort();
}

static void check(const struct agent *agent) {
  static const enum agent_field versions[] = {AGENT_OS_VERSION, AGENT_BROWSER_VERSION};
  for (size_t i = 0; i < 2; i++) {
    struct str text = agent->fields[versions[i]];
    struct attr_datum datum;
    require(!text.p || attr_datum_parse(ATTR_VERSION, text, &datum));
  }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
  struct str s = str_make((const char *)data, size);
  struct language best = {0}, again = {0};
  struct agent agent;
  language_offer(&best, s);
  if (best.tag.p) {
    language_offer(&again, best.tag);
    require(str_eq(best.tag, again.tag));
  }
  const struct agent_input inputs[] = {
      {.user_agent = s},
      {.brands = s},
      {.user_agent = s, .platform = s, .platform_version = s},
      {.platform = STR_INIT("\"Windows\""), .platform_version = s, .mobile = s}};
  for (size_t i = 0; i < sizeof(inputs) / sizeof(*inputs); i++) {
    agent_parse(&inputs[i], &agent);
    check(&agent);
  }
  return 0;
}
