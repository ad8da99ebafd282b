#include "adit/hash.h"
#include "adit/rules.h"

unsigned rules_bucket(struct str salt, struct str key) {
  const struct str parts[] = {salt, STR_INIT(":"), key};
  uint32_t hash = murmur3_x86_32_parts(parts, 3, 0);
  return (unsigned)(((uint64_t)hash * BUCKETS) >> 32);
}
