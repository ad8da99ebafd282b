/*
 * Regular expressions that another operator says, that everything matches, or that a short text
 * drives to the match limit. Each leaf is looked at once, however many rules have it.
 */
#include <cjson/cJSON.h>

#include "adit/hash.h"
#include "adit/regex.h"
#include "adit/text.h"
#include "analysis.h"
#include "pattern.h"

enum { PATTERNS_MAX = 2000, SUBJECTS_MAX = 400, REPEATS_TRIED = 4, SUBJECT_BYTES = 2000 };

struct pattern_check {
  struct analysis *analysis;
  const struct rule *rule;
  size_t patterns_left, subjects_left;
  VEC(const struct leaf *) seen;
};

/* ---- what else says it ----------------------------------------------------------------------- */

static const char *operator_of(enum pattern_form form, bool several) {
  switch (form) {
    case PATTERN_EQUAL:
      return several ? "in" : "eq";
    case PATTERN_STARTS_WITH:
      return "starts_with";
    case PATTERN_ENDS_WITH:
      return "ends_with";
    case PATTERN_CONTAINS:
      return "contains";
    case PATTERN_OTHER:
      break;
  }
  return NULL;
}

static void write_instead(enum pattern_form form, const struct str *texts, size_t n,
                          bool ignore_case, struct text *out) {
  text_printf(out, "\"%s\": ", operator_of(form, n > 1));
  if (n > 1) text_add_char(out, '[');
  for (size_t i = 0; i < n; i++) {
    if (i > 0) text_add(out, STR(", "));
    text_add_json(out, texts[i]);
  }
  if (n > 1) text_add_char(out, ']');
  if (ignore_case) text_add(out, STR(", \"ignore_case\": true"));
}

static void check_form(struct pattern_check *check, const struct leaf *leaf, struct str source,
                       const struct pattern *pattern) {
  struct str *texts;
  size_t n;
  enum pattern_form form = pattern_form(check->analysis->tried, pattern, &texts, &n);
  bool fold = pattern_ignores_case(pattern);
  /* Equality has no ignore_case. */
  if (form == PATTERN_OTHER || (fold && form == PATTERN_EQUAL)) return;
  struct text instead, shown;
  text_init(&instead, 1 << 16);
  text_init(&shown, 1 << 16);
  write_instead(form, texts, n, fold, &instead);
  text_add_json(&shown, source);
  if (!text_failed(&instead) && !text_failed(&shown)) {
    report(check->analysis, FINDING_PATTERN_TEXT, place_of_leaf(check->analysis, check->rule, leaf),
           check->rule, (struct str){0}, NULL,
           "rule '%.*s': the pattern %s is no more than a text: write %s", STR_ARG(check->rule->id),
           shown.p, instead.p);
  }
  text_deinit(&shown);
  text_deinit(&instead);
}

static void check_all(struct pattern_check *check, const struct leaf *leaf, struct str source) {
  struct text shown;
  text_init(&shown, 1 << 16);
  text_add_json(&shown, source);
  if (!text_failed(&shown)) {
    report(check->analysis, FINDING_PATTERN_ALL, place_of_leaf(check->analysis, check->rule, leaf),
           check->rule, (struct str){0}, "write \"exists\": true, or mend the pattern",
           "rule '%.*s': the pattern %s matches every text", STR_ARG(check->rule->id), shown.p);
  }
  text_deinit(&shown);
}

/* ---- the match limit ------------------------------------------------------------------------- */

/* One text that may drive the pattern to its limit. True: it does, and that was reported. */
static bool try_subject(struct pattern_check *check, const struct leaf *leaf, size_t which,
                        struct str source, struct str subject) {
  struct analysis *analysis = check->analysis;
  if (check->subjects_left == 0) return true;
  check->subjects_left--;
  if (regex_match(leaf->with.patterns[which], analysis->scratch, subject, NULL) != REGEX_LIMIT)
    return false;
  struct text json, shown;
  struct str witness = {0};
  text_init(&json, 1 << 16);
  text_init(&shown, 1 << 16);
  if (analysis->has_base &&
      model_write_one(&analysis->base, analysis->tried, leaf->slot, subject, &json) &&
      analysis_confirms(analysis, text_str(&json), check->rule))
    witness = text_str(&json);
  text_add_json(&shown, source);
  if (!text_failed(&shown)) {
    report(analysis, FINDING_PATTERN_LIMIT, place_of_leaf(analysis, check->rule, leaf), check->rule,
           witness, "a client that sends it gets stable, reason 'limit'",
           "rule '%.*s': a text of %zu bytes drives the pattern %s to the match limit",
           STR_ARG(check->rule->id), subject.n, shown.p);
  }
  text_deinit(&shown);
  text_deinit(&json);
  return true;
}

/* `piece` again and again, and something that does not fit behind it. */
static bool try_repeated(struct pattern_check *check, const struct leaf *leaf, size_t which,
                         struct str source, struct str piece, struct str last) {
  static const size_t lengths[] = {30, 400, SUBJECT_BYTES};
  /* The last end has the byte that PCRE2 looks for before it begins. */
  struct str ends[] = {STR_INIT("!"), STR_INIT(""), last};
  for (size_t i = 0; i < sizeof(lengths) / sizeof(*lengths); i++) {
    for (size_t k = 0; k < sizeof(ends) / sizeof(*ends); k++) {
      struct text subject;
      text_init(&subject, SUBJECT_BYTES + 4);
      while (subject.n + piece.n <= lengths[i]) text_add(&subject, piece);
      text_add(&subject, ends[k]);
      bool done =
          text_failed(&subject) || try_subject(check, leaf, which, source, text_str(&subject));
      text_deinit(&subject);
      if (done) return true;
    }
  }
  return false;
}

static void check_limit(struct pattern_check *check, const struct leaf *leaf, size_t which,
                        struct str source, const struct pattern *pattern) {
  struct text piece;
  text_init(&piece, 256);
  char last[2] = "!";
  pattern_sample(pattern, 0, (struct str){0}, &piece);
  last[1] = piece.n > 0 ? piece.p[piece.n - 1] : '!';
  text_clear(&piece);
  bool done = !pattern_repeats(pattern, 1, &piece); /* one repetition alone is harmless */
  for (size_t k = 0; k < REPEATS_TRIED && !done; k++) {
    text_clear(&piece);
    done = !pattern_repeats(pattern, k, &piece) ||
           (!text_failed(&piece) && piece.n > 0 &&
            try_repeated(check, leaf, which, source, text_str(&piece), str_make(last, 2)));
  }
  text_deinit(&piece);
}

/* ---- leaves ---------------------------------------------------------------------------------- */

static void check_pattern(struct pattern_check *check, const struct leaf *leaf, size_t which,
                          struct str source) {
  analysis_begin(check->analysis);
  const struct pattern *pattern = pattern_read(check->analysis->tried, source, leaf->ignore_case);
  if (!pattern) return;
  if (pattern_matches_all(pattern)) {
    check_all(check, leaf, source);
    return;
  }
  check_form(check, leaf, source, pattern);
  check_limit(check, leaf, which, source, pattern);
}

static bool is_seen(struct pattern_check *check, const struct leaf *leaf) {
  for (size_t i = 0; i < check->seen.n; i++)
    if (check->seen.items[i] == leaf) return true;
  /* Those of a rule are only here; a segment's may come again. */
  return !VEC_PUSH(check->analysis->arena, &check->seen, leaf);
}

static bool check_leaf(void *context, const struct leaf *leaf) {
  struct pattern_check *check = context;
  if (leaf->test != TEST_MATCHES || leaf->in_gateway || is_seen(check, leaf)) return true;
  struct diags *diags = diags_new();
  struct json_doc *doc = diags ? json_parse(leaf->value_json, "", JSON_STRICT, diags) : NULL;
  const cJSON *root = doc ? json_root(doc) : NULL;
  const cJSON *node = cJSON_IsArray(root) ? root->child : root;
  for (size_t i = 0; i < leaf->n && node && check->patterns_left > 0; i++, node = node->next) {
    check->patterns_left--;
    check_pattern(check, leaf, i, json_str(node));
  }
  json_free(&doc);
  diags_free(&diags);
  return check->patterns_left > 0;
}

void find_in_patterns(struct analysis *analysis) {
  struct pattern_check check = {
      .analysis = analysis, .patterns_left = PATTERNS_MAX, .subjects_left = SUBJECTS_MAX};
  for (size_t i = 0; i < analysis->route->rule_count; i++) {
    check.rule = &analysis->route->rules[i];
    if (!visit_leaves(check.rule->when, check_leaf, &check)) return;
  }
}
