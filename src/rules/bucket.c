#include "adit/hash.h"
#include "adit/json.h"
#include "condition.h"

unsigned rules_bucket(struct str salt, struct str key) {
  const struct str parts[] = {salt, STR_INIT(":"), key};
  uint32_t hash = murmur3_x86_32_parts(parts, 3, 0);
  return (unsigned)(((uint64_t)hash * BUCKETS) >> 32);
}

bool percent_parse(struct str raw, unsigned *ret_buckets) {
  double percent;
  if (!json_number_parse(raw, &percent) || !(percent >= 0 && percent <= 100)) return false;
  double buckets = percent * (BUCKETS / 100.0);
  unsigned nearest = (unsigned)(buckets + 0.5);
  double off = buckets - nearest;
  /* Two decimals have no exact double; one decimal more is far farther off than this. */
  if (off > 1e-6 || off < -1e-6) return false;
  *ret_buckets = nearest;
  return true;
}
