/* By how much a condition fails: how far a value lies from a bound, or which text is near. */
#include <cjson/cJSON.h>
#include <stdlib.h>

#include "adit/conditions.h"
#include "adit/diag.h"
#include "adit/json.h"
#include "adit/text.h"
#include "cli/explanation.h"

enum { CANDIDATES_MAX = 256 };

/* ---- ordered values -------------------------------------------------------------------------- */

/* "2 days", "1 hour 30 minutes": the two largest units. */
static void add_span(uint64_t ms, struct text *out) {
  static const struct {
    uint64_t ms;
    const char *name;
  } units[] = {
      {86400000, "day"}, {3600000, "hour"}, {60000, "minute"}, {1000, "second"}, {1, "ms"}};
  unsigned shown = 0;
  for (size_t i = 0; i < sizeof(units) / sizeof(*units) && shown < 2; i++) {
    uint64_t n = ms / units[i].ms;
    if (n == 0) {
      if (shown) return;
      continue;
    }
    const char *plural = n == 1 || units[i].ms == 1 ? "" : "s";
    text_printf(out, "%s%llu %s%s", shown++ ? " " : "", (unsigned long long)n, units[i].name,
                plural);
    ms -= n * units[i].ms;
  }
}

/* ---- versions -------------------------------------------------------------------------------- */

/* "1.2.3" and "rc.1" of "v1.2.3-rc.1+build"; of an absent part p is NULL. */
struct version {
  struct str core, pre;
};

static struct version divide_version(struct str text) {
  if (str_starts_with(text, STR("v"))) text = str_skip(text, 1);
  text = str_take(text, str_find_char(text, '+', 0));
  size_t dash = str_find_char(text, '-', 0);
  struct version version = {.core = str_take(text, dash)};
  if (dash < text.n) version.pre = str_skip(text, dash + 1);
  return version;
}

static struct str without_zeros(struct str digits) {
  while (digits.n > 1 && digits.p[0] == '0') digits = str_skip(digits, 1);
  return digits;
}

/* The part in which two texts differ first; one that is absent is `absent`. False: there is none.
 */
static bool add_part(struct str value, struct str bound, const char *kind, struct str absent,
                     struct text *out) {
  for (unsigned part = 1; part < 100; part++) {
    struct str a = absent, b = absent;
    bool more_a = str_split_next(&value, '.', &a), more_b = str_split_next(&bound, '.', &b);
    if (!more_a && !more_b) return false;
    if (!more_a) a = absent;
    if (!more_b) b = absent;
    if (str_eq(without_zeros(a), without_zeros(b))) continue;
    text_printf(out, " (%spart %u: %.*s, not %.*s)", kind, part, STR_ARG(a), STR_ARG(b));
    return true;
  }
  return false;
}

static void add_version_part(struct str value, struct str bound, struct text *out) {
  struct version a = divide_version(value), b = divide_version(bound);
  if (add_part(a.core, b.core, "", STR("0"), out)) return;
  if (a.pre.p && b.pre.p) {
    (void)add_part(a.pre, b.pre, "pre-release ", STR("none"), out);
  } else if (a.pre.p) {
    text_add(out, STR(", of which it is a pre-release"));
  } else if (b.pre.p) {
    text_add(out, STR(", which is a pre-release of it"));
  }
}

/* ---- bounds ---------------------------------------------------------------------------------- */

/* As exactly as the texts say it: what two doubles near each other leave is mostly noise. */
static void add_number_distance(const struct attr_datum *high, const struct attr_datum *low,
                                struct text *out) {
  char texts[2][64];
  if (high->text.n >= sizeof(texts[0]) || low->text.n >= sizeof(texts[0])) {
    text_printf(out, "%g", high->as.number - low->as.number);
    return;
  }
  (void)str_copy_to(high->text, texts[0], sizeof(texts[0]));
  (void)str_copy_to(low->text, texts[1], sizeof(texts[1]));
  text_printf(out, "%Lg", strtold(texts[0], NULL) - strtold(texts[1], NULL));
}

static void add_bounded(const struct leaf *leaf, const struct attr_datum *value,
                        const struct attr_datum *bound, struct text *out) {
  int sign = attr_datum_compare(leaf->type, value, bound);
  text_add(out, STR(": "));
  if (sign == 0) {
    text_printf(out, "exactly the bound, which '%s' leaves out", leaf->op);
    return;
  }
  switch (leaf->type) {
    case ATTR_TIME:
    case ATTR_TIME_OF_DAY:
    case ATTR_DURATION: {
      int64_t high = sign < 0 ? bound->as.ms : value->as.ms;
      int64_t low = sign < 0 ? value->as.ms : bound->as.ms;
      add_span((uint64_t)high - (uint64_t)low, out);
      bool is_time = leaf->type != ATTR_DURATION;
      text_add(out, sign < 0 ? (is_time ? STR(" before ") : STR(" less than "))
                             : (is_time ? STR(" after ") : STR(" more than ")));
      break;
    }
    case ATTR_NUMBER:
      add_number_distance(sign < 0 ? bound : value, sign < 0 ? value : bound, out);
      text_add(out, sign < 0 ? STR(" below ") : STR(" above "));
      break;
    case ATTR_VERSION:
    case ATTR_SEMVER:
      text_add(out, sign < 0 ? STR("older than ") : STR("newer than "));
      break;
    case ATTR_STRING:
    case ATTR_BOOL:
    case ATTR_IP:
    case ATTR_LIST:
    case ATTR_WEEKDAY:
      break;
  }
  text_add(out, bound->text);
  if (leaf->type == ATTR_VERSION || leaf->type == ATTR_SEMVER)
    add_version_part(value->text, bound->text, out);
}

/* A time of day between two with midnight between them, which `test` holds for the rest of. */
static bool is_over_midnight(const struct leaf *leaf) {
  return leaf->negative && leaf->test == TEST_BETWEEN;
}

/* Between the bounds of what is left out, over midnight: the nearer of the two. */
static bool is_nearer_to_second(const struct leaf *leaf, const struct attr_datum *value) {
  const struct attr_datum *bounds = leaf->with.data;
  return value->as.ms - bounds[0].as.ms > bounds[1].as.ms - value->as.ms;
}

static void add_ordered(const struct leaf *leaf, const struct attr_datum *value, struct text *out) {
  if (!attr_type_is_ordered(leaf->type)) return;
  const struct attr_datum *bound = &leaf->with.data[0];
  if (leaf->test == TEST_BETWEEN) {
    bool second = is_over_midnight(leaf) ? is_nearer_to_second(leaf, value)
                                         : attr_datum_compare(leaf->type, value, bound) >= 0;
    if (second) bound++;
  }
  add_bounded(leaf, value, bound, out);
}

/* ---- texts ----------------------------------------------------------------------------------- */

/* Whether the test would hold if the case of letters were ignored. */
static bool is_near(const struct leaf *leaf, struct str value, struct str text) {
  switch (leaf->test) {
    case TEST_STARTS_WITH:
      return str_starts_with_nocase(value, text);
    case TEST_ENDS_WITH:
      return str_ends_with_nocase(value, text);
    case TEST_CONTAINS:
      return str_contains_nocase(value, text);
    case TEST_STRING_EQUAL:
    case TEST_STRING_IN:
      return str_eq_nocase(value, text);
    case TEST_EXISTS:
    case TEST_COMPARE:
    case TEST_IN:
    case TEST_BETWEEN:
    case TEST_MATCHES:
    case TEST_UNDER:
    case TEST_IN_CIDR:
    case TEST_BUCKET_IN:
      break;
  }
  return false;
}

static void add_near(const struct leaf *leaf, struct str value, const cJSON *texts,
                     struct text *out) {
  const char *candidates[CANDIDATES_MAX + 1];
  size_t n = 0;
  const cJSON *item = cJSON_IsArray(texts) ? texts->child : texts;
  for (; item && n < CANDIDATES_MAX; item = cJSON_IsArray(texts) ? item->next : NULL) {
    if (!cJSON_IsString(item)) continue;
    if (is_near(leaf, value, json_str(item))) {
      text_add(out, STR(": only the case of letters differs from "));
      text_add_json(out, json_str(item));
      return;
    }
    candidates[n++] = item->valuestring;
  }
  candidates[n] = NULL;
  bool whole = leaf->test == TEST_STRING_EQUAL || leaf->test == TEST_STRING_IN;
  const char *nearest = whole ? diag_nearest(value, candidates) : NULL;
  if (!nearest) return;
  text_add(out, STR(": nearly "));
  text_add_json(out, str_from_cstr(nearest));
}

static void add_texts(const struct leaf *leaf, struct str value, struct text *out) {
  struct diags *diags = diags_new();
  struct json_doc *doc = diags ? json_parse(leaf->value_json, "", JSON_STRICT, diags) : NULL;
  if (doc) add_near(leaf, value, json_root(doc), out);
  json_free(&doc);
  diags_free(&diags);
}

static void add_distance(const struct leaf *leaf, const struct attr_datum *datum,
                         struct text *out) {
  switch (leaf->test) {
    case TEST_COMPARE:
    case TEST_BETWEEN:
      if (strcmp(leaf->op, "in_file") == 0)
        explanation_format_outside(leaf, datum, out);
      else
        add_ordered(leaf, datum, out);
      break;
    case TEST_STRING_EQUAL:
    case TEST_STRING_IN:
      if (strcmp(leaf->op, "in_file") == 0) {
        explanation_format_outside(leaf, datum, out);
        break;
      }
      /* fall through */
    case TEST_STARTS_WITH:
    case TEST_ENDS_WITH:
    case TEST_CONTAINS:
      if (!leaf->ignore_case) add_texts(leaf, datum->text, out);
      break;
    case TEST_EXISTS:
      break;
    case TEST_IN:
    case TEST_MATCHES:
    case TEST_UNDER:
    case TEST_IN_CIDR:
    case TEST_BUCKET_IN:
      explanation_format_outside(leaf, datum, out);
      break;
  }
}

void explanation_format_distance(const struct trace_condition *condition, struct text *out) {
  const struct leaf *leaf = condition->leaf;
  const struct attr_value *value = condition->seen;
  if (condition->result != TRISTATE_FALSE || leaf->test == TEST_EXISTS) return;
  if (leaf->negative && !is_over_midnight(leaf)) {
    explanation_format_excluded(leaf, value, out);
    return;
  }
  const struct attr_datum *datum = explanation_nearest_value(leaf, value);
  if (!datum) return;
  if (value->n > 1) {
    text_add(out, STR(": the nearest is "));
    text_add_json(out, datum->text);
  }
  add_distance(leaf, datum, out);
}
