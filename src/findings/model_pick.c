/* A value of a set of values: bounds that are left, else something between them. */
#include <cjson/cJSON.h>
#include <math.h>
#include <stdio.h>

#include "adit/json.h"
#include "adit/text.h"
#include "adit/units.h"
#include "adit/zone.h"
#include "model.h"
#include "pattern.h"

enum { CELLS_TRIED_MAX = 64, BUCKET_TRIES = 20000, VALUE_BYTES_MAX = 4096, TEXTS_TRIED = 4 };

struct picker {
  const struct values_maker *maker;
  const struct domain *domain;
  const struct value_set *set;
  struct attr_datum *ret;
};

/* Whether this text, as it would be received, is a value of the set; if so it is the one. */
static bool try_text(const struct picker *picker, struct str text) {
  struct attr_datum datum;
  if (picker->domain->path && !str_starts_with(text, STR("/"))) return false;
  if (!attr_datum_parse(picker->domain->type, text, &datum) ||
      !value_set_has(picker->maker, picker->domain, picker->set, &datum))
    return false;
  datum.text = arena_dup(picker->maker->arena, text);
  *picker->ret = datum;
  return datum.text.p != NULL;
}

/* Values can be anything in between: numbered until the buckets are right. */
static bool try_numbered(const struct picker *picker, struct str text) {
  bool has_buckets = false;
  for (size_t i = 0; i < picker->domain->salt_count; i++)
    has_buckets |= picker->set->buckets[i] != NULL;
  if (try_text(picker, text)) return true;
  if (!has_buckets || text.n > 64) return false;
  char buffer[80];
  for (unsigned i = 1; i < BUCKET_TRIES; i++) {
    int n = snprintf(buffer, sizeof(buffer), "%.*s%u", STR_ARG(text), i);
    if (try_text(picker, str_make(buffer, (size_t)n))) return true;
  }
  return false;
}

/* ---- texts ----------------------------------------------------------------------------------- */

/* What is to stand before, within and behind, by the opaque leaves that hold. */
struct parts {
  struct str before, within, behind;
  struct str whole; /* a pattern's sample */
};

/* The source of the i-th pattern of a leaf, from the literal as it was written. */
static struct str pattern_source(struct arena *arena, const struct leaf *leaf, size_t i) {
  struct str source = {0};
  struct diags *diags = diags_new();
  struct json_doc *doc = diags ? json_parse(leaf->value_json, "", JSON_STRICT, diags) : NULL;
  const cJSON *node = doc ? json_root(doc) : NULL;
  if (cJSON_IsArray(node)) node = cJSON_GetArrayItem(node, (int)i);
  if (cJSON_IsString(node)) source = arena_dup(arena, json_str(node));
  json_free(&doc);
  diags_free(&diags);
  return source;
}

static struct str sample_of(const struct picker *picker, const struct leaf *leaf, size_t variant) {
  struct arena *arena = picker->maker->arena;
  struct str source = pattern_source(arena, leaf, variant % leaf->n);
  const struct pattern *pattern = source.p ? pattern_read(arena, source, leaf->ignore_case) : NULL;
  struct text text;
  if (!pattern) return (struct str){0};
  text_init(&text, VALUE_BYTES_MAX);
  pattern_sample(pattern, variant, (struct str){0}, &text);
  struct str sample = arena_dup(arena, text_str(&text));
  text_deinit(&text);
  return sample;
}

static struct parts parts_of(const struct picker *picker, size_t variant) {
  struct parts parts = {STR_INIT(""), STR_INIT(""), STR_INIT(""), STR_INIT("")};
  for (const struct leaf_list *list = picker->set->held; list; list = list->next) {
    const struct leaf *leaf = list->leaf;
    struct str *part = NULL;
    if (leaf->test == TEST_STARTS_WITH) part = &parts.before;
    if (leaf->test == TEST_ENDS_WITH) part = &parts.behind;
    if (leaf->test == TEST_CONTAINS) part = &parts.within;
    if (leaf->test == TEST_MATCHES) {
      struct str sample = sample_of(picker, leaf, variant);
      if (sample.p) parts.whole = sample;
    } else if (part) {
      struct str text = leaf->with.texts[variant % leaf->n];
      if (part == &parts.within) {
        *part = arena_printf(picker->maker->arena, "%.*s%.*s", STR_ARG(*part), STR_ARG(text));
      } else if (text.n > part->n) {
        *part = text;
      }
    }
  }
  return parts;
}

static bool try_joined(const struct picker *picker, struct str a, struct str b, struct str c,
                       struct str d) {
  struct str text = arena_printf(picker->maker->arena, "%.*s%.*s%.*s%.*s", STR_ARG(a), STR_ARG(b),
                                 STR_ARG(c), STR_ARG(d));
  return text.p && try_numbered(picker, text);
}

/* With `begin`, which lies in an open cell that is left. */
static bool try_begin(const struct picker *picker, struct str begin) {
  if (!picker->set->held) return try_numbered(picker, begin);
  for (size_t variant = 0; variant < TEXTS_TRIED; variant++) {
    struct parts parts = parts_of(picker, variant);
    if (!parts.within.p) return false;
    if (try_joined(picker, parts.before, parts.whole, parts.within, parts.behind) ||
        try_joined(picker, begin, parts.whole, parts.within, parts.behind))
      return true;
  }
  return false;
}

/* Between two neighbours, of which one may be absent. */
static bool try_text_between(const struct picker *picker, const struct attr_datum *a,
                             const struct attr_datum *b) {
  static const struct str liked[] = {STR_INIT("x"), STR_INIT("other"), STR_INIT("0"),
                                     STR_INIT("A"), STR_INIT("/x"),    STR_INIT("~")};
  if (!a) {
    for (size_t i = 0; i < sizeof(liked) / sizeof(*liked); i++)
      if (try_begin(picker, liked[i])) return true;
    return try_begin(picker, STR("")) ||
           (b && b->text.n > 1 && try_begin(picker, str_take(b->text, b->text.n - 1)));
  }
  for (size_t i = 0; !b && i < sizeof(liked) / sizeof(*liked); i++)
    if (try_begin(picker, liked[i])) return true;
  static const struct str ends[] = {STR_INIT("x"), STR_INIT("0"), STR_INIT("!"), STR_INIT("~")};
  for (size_t i = 0; i < sizeof(ends) / sizeof(*ends); i++) {
    struct str text =
        arena_printf(picker->maker->arena, "%.*s%.*s", STR_ARG(a->text), STR_ARG(ends[i]));
    if (text.p && try_begin(picker, text)) return true;
  }
  return false;
}

/* ---- ordered values -------------------------------------------------------------------------- */

static bool try_number(const struct picker *picker, double number) {
  char buffer[40];
  int n = snprintf(buffer, sizeof(buffer), "%.17g", number);
  return isfinite(number) && try_text(picker, str_make(buffer, (size_t)n));
}

static bool try_number_between(const struct picker *picker, const struct attr_datum *a,
                               const struct attr_datum *b) {
  if (!a && !b) return try_number(picker, 0);
  if (!a) return try_number(picker, floor(b->as.number - 1));
  if (!b) return try_number(picker, ceil(a->as.number + 1));
  double low = a->as.number, high = b->as.number;
  return try_number(picker, floor(low + 1)) || try_number(picker, low + (high - low) / 2) ||
         try_number(picker, nextafter(low, INFINITY));
}

static bool try_ms(const struct picker *picker, int64_t ms) {
  char buffer[40];
  struct str text = picker->domain->type == ATTR_TIME ? time_format(ms, buffer, sizeof(buffer))
                                                      : duration_format(ms, buffer, sizeof(buffer));
  return try_text(picker, text);
}

static bool try_ms_between(const struct picker *picker, const struct attr_datum *a,
                           const struct attr_datum *b) {
  enum { DAY_MS = 86400000 };
  if (!a && !b)
    return try_ms(picker, picker->domain->type == ATTR_TIME ? INT64_C(1767225600000) : DAY_MS);
  if (!a) return try_ms(picker, b->as.ms - DAY_MS) || try_ms(picker, b->as.ms - 1);
  if (!b) return try_ms(picker, a->as.ms + DAY_MS) || try_ms(picker, a->as.ms + 1);
  return try_ms(picker, a->as.ms + DAY_MS) || try_ms(picker, a->as.ms + 1000) ||
         try_ms(picker, a->as.ms + 1);
}

static bool try_time_of_day(const struct picker *picker, int64_t ms) {
  char buffer[TIME_OF_DAY_BYTES];
  return ms >= 0 && ms < SECONDS_OF_DAY * INT64_C(1000) &&
         try_text(picker, time_of_day_format((unsigned)(ms / 1000), buffer));
}

/* An hour away from a bound, where there is room, or a second. */
static bool try_time_of_day_between(const struct picker *picker, const struct attr_datum *a,
                                    const struct attr_datum *b) {
  if (a &&
      (try_time_of_day(picker, a->as.ms + 3600000) || try_time_of_day(picker, a->as.ms + 1000)))
    return true;
  return b ? try_time_of_day(picker, b->as.ms - 3600000) || try_time_of_day(picker, b->as.ms - 1000)
           : !a && try_time_of_day(picker, 12 * 3600000);
}

static bool try_version_between(const struct picker *picker, const struct attr_datum *a,
                                const struct attr_datum *b) {
  static const struct str liked[] = {STR_INIT("1.0.0"), STR_INIT("99999.0.0"), STR_INIT("0.0.0"),
                                     STR_INIT("0.0.0-0")};
  static const char *const ends[] = {"%.*s.1", "%.*s.0.0.0.1", "%.*s-0", "%.*s.0"};
  for (size_t i = 0; i < sizeof(liked) / sizeof(*liked); i++)
    if (try_text(picker, liked[i])) return true;
  for (size_t i = 0; i < sizeof(ends) / sizeof(*ends); i++) {
    struct str above =
        a ? arena_printf(picker->maker->arena, ends[i], STR_ARG(a->text)) : (struct str){0};
    struct str below =
        b ? arena_printf(picker->maker->arena, ends[i], STR_ARG(b->text)) : (struct str){0};
    if ((above.p && try_text(picker, above)) || (below.p && try_text(picker, below))) return true;
  }
  uint64_t major;
  struct str part, rest = a ? a->text : STR("");
  if (!str_split_next(&rest, '.', &part) || !str_to_u64(part, 1000000, &major)) return false;
  struct str next = arena_printf(picker->maker->arena, "%u.0.0", (unsigned)major + 1);
  return next.p && try_text(picker, next);
}

static bool try_ip(const struct picker *picker, const struct ip_address *ip) {
  char buffer[64];
  return try_text(picker, ip_format(ip, buffer, sizeof(buffer)));
}

static bool try_ip_between(const struct picker *picker, const struct attr_datum *a) {
  struct ip_address ip;
  if (ip_parse(STR("203.0.113.7"), &ip) && try_ip(picker, &ip)) return true;
  if (ip_parse(STR("2001:db8::7"), &ip) && try_ip(picker, &ip)) return true;
  ip = a ? a->as.ip : (struct ip_address){0};
  for (size_t i = sizeof(ip.bytes); a && i-- > 0 && ++ip.bytes[i] == 0;) continue;
  return try_ip(picker, &ip);
}

static bool try_between(const struct picker *picker, const struct attr_datum *a,
                        const struct attr_datum *b) {
  switch (picker->domain->type) {
    case ATTR_STRING:
    case ATTR_LIST:
      return try_text_between(picker, a, b);
    case ATTR_NUMBER:
      return try_number_between(picker, a, b);
    case ATTR_BOOL:
      return try_text(picker, STR("true")) || try_text(picker, STR("false"));
    case ATTR_TIME:
    case ATTR_DURATION:
      return try_ms_between(picker, a, b);
    case ATTR_WEEKDAY:
      return false; /* all are bounds */
    case ATTR_TIME_OF_DAY:
      return try_time_of_day_between(picker, a, b);
    case ATTR_VERSION:
    case ATTR_SEMVER:
      return try_version_between(picker, a, b);
    case ATTR_IP:
      break;
  }
  return try_ip_between(picker, a);
}

/* ---- cells ----------------------------------------------------------------------------------- */

static bool try_bound(const struct picker *picker, const struct attr_datum *bound) {
  if (picker->domain->type == ATTR_IP) return try_ip(picker, &bound->as.ip);
  return try_text(picker, bound->text);
}

static bool try_cell(const struct picker *picker, size_t cell) {
  const struct domain *domain = picker->domain;
  size_t i = cell / 2;
  if (cell % 2 == 1) return try_bound(picker, &domain->bounds[i]);
  return try_between(picker, i > 0 ? &domain->bounds[i - 1] : NULL,
                     i < domain->bound_count ? &domain->bounds[i] : NULL);
}

/* The open cells, which are wide, or the bounds. */
static bool try_cells(const struct picker *picker, uint64_t kind) {
  size_t tried = 0;
  for (size_t i = 0; i < picker->domain->word_count; i++) {
    for (uint64_t left = picker->set->cells[i] & kind; left; left &= left - 1) {
      if (tried++ == CELLS_TRIED_MAX || *picker->maker->steps == 0) return false;
      if (try_cell(picker, i * 64 + (size_t)__builtin_ctzll(left))) return true;
    }
  }
  return false;
}

bool model_pick(const struct values_maker *maker, const struct domain *domain,
                const struct value_set *set, struct attr_datum *ret) {
  const struct picker picker = {maker, domain, set, ret};
  if (attr_type_is_text(domain->type))
    return try_cells(&picker, OPEN_CELLS) || try_cells(&picker, ~OPEN_CELLS);
  return try_cells(&picker, ~OPEN_CELLS) || try_cells(&picker, OPEN_CELLS);
}
