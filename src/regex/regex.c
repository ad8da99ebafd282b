/*
 * Patterns on PCRE2. Compiling refuses what would make a match costly or its limits void; matching
 * goes through pcre2_match, which runs the JIT code under the limits of the match context
 * (pcre2_jit_match would skip checks).
 *
 *   regex_new ─ check_settings (verbs at the start) ─ pcre2_compile ─ check_references ─
 *   check_callouts ─ compile_jit
 */
#define PCRE2_CODE_UNIT_WIDTH 8
#include "adit/regex.h"

#include <pcre2.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

enum { JIT_STACK_START = 32 * 1024, JIT_STACK_MAX = 1024 * 1024 };

struct regex {
  pcre2_code *code;
};

struct regex_scratch {
  pcre2_match_data *data; /* two pairs: the whole match and the first group */
  pcre2_match_context *context;
  pcre2_jit_stack *stack;
};

static bool fail(struct regex_error *ret_error, size_t offset, const char *format, ...)
    __attribute__((format(printf, 3, 4)));

/* Always false. */
static bool fail(struct regex_error *ret_error, size_t offset, const char *format, ...) {
  ret_error->offset = offset;
  va_list args;
  va_start(args, format);
  vsnprintf(ret_error->message, sizeof(ret_error->message), format, args);
  va_end(args);
  return false;
}

/* ---- what a pattern must not hold ------------------------------------------------------------ */

/*
 * A pattern may begin with settings such as (*LIMIT_MATCH=5) or (*NO_JIT). Those that touch limits,
 * JIT, optimisations or UTF are not the pattern's business; newline settings are.
 */
static bool check_settings(struct str pattern, struct regex_error *ret_error) {
  static const struct str refused[] = {STR_INIT("LIMIT_"), STR_INIT("NO_"), STR_INIT("UTF"),
                                       STR_INIT("UCP"), STR_INIT("NOTEMPTY")};
  for (size_t at = 0; str_starts_with(str_skip(pattern, at), STR("(*"));) {
    size_t end = str_find_char(pattern, ')', at);
    struct str name = str_take(str_skip(pattern, at + 2), end - at - 2);
    for (size_t i = 0; i < sizeof(refused) / sizeof(*refused); i++) {
      if (!str_starts_with(name, refused[i])) continue;
      return fail(ret_error, at, "the setting (*%.*s) is not allowed", STR_ARG(str_take(name, 64)));
    }
    at = end + 1;
  }
  return true;
}

/*
 * Whether the pattern's text can hold a back-reference: \1 \k… \g… (but \g< and \g' call a group)
 * or (?P=. PCRE2 also counts conditions such as (?(1)a|b), which are none, as references. What is
 * escaped or quoted is not told apart: taking too much for a reference only refuses a pattern.
 */
static bool may_hold_reference(struct str pattern) {
  if (str_contains(pattern, STR("(?P="))) return true;
  for (size_t i = 0; i + 1 < pattern.n; i++) {
    if (pattern.p[i] != '\\') continue;
    char c = pattern.p[i + 1];
    if ((c >= '1' && c <= '9') || c == 'k') return true;
    char after = i + 2 < pattern.n ? pattern.p[i + 2] : '\0';
    if (c == 'g' && after != '<' && after != '\'') return true;
  }
  return false;
}

static bool check_references(const pcre2_code *code, struct str pattern,
                             struct regex_error *ret_error) {
  uint32_t highest = 0;
  if (pcre2_pattern_info(code, PCRE2_INFO_BACKREFMAX, &highest) != 0) {
    return fail(ret_error, 0, "PCRE2 does not describe the pattern");
  }
  if (highest == 0 || !may_hold_reference(pattern)) return true;
  return fail(ret_error, 0, "back-references are not allowed");
}

static int note_callout(pcre2_callout_enumerate_block *block, void *data) {
  size_t *offset = data;
  *offset = block->pattern_position;
  return 1; /* one is enough */
}

static bool check_callouts(const pcre2_code *code, struct regex_error *ret_error) {
  size_t offset = 0;
  if (pcre2_callout_enumerate(code, note_callout, &offset) == 0) return true;
  return fail(ret_error, offset, "callouts are not allowed");
}

/* ---- compiling ------------------------------------------------------------------------------- */

static bool jit_compile(pcre2_code *code) {
  size_t size = 0;
  return pcre2_jit_compile(code, PCRE2_JIT_COMPLETE) == 0 &&
         pcre2_pattern_info(code, PCRE2_INFO_JITSIZE, &size) == 0 && size > 0;
}

/* Whether the simplest pattern can be JIT-compiled here. */
static bool jit_is_allowed(void) {
  int error = 0;
  size_t offset = 0;
  pcre2_code *code = pcre2_compile((PCRE2_SPTR) "a", 1, 0, &error, &offset, NULL);
  bool allowed = code && jit_compile(code);
  pcre2_code_free(code);
  return allowed;
}

static bool compile_jit(pcre2_code *code, struct regex_error *ret_error) {
  if (jit_compile(code)) return true;
  if (jit_is_allowed()) return fail(ret_error, 0, "the pattern is too complex to be JIT-compiled");
  return fail(ret_error, 0,
              "this system does not allow JIT compilation (writable and executable memory), "
              "without which no pattern is taken");
}

static pcre2_code *compile(struct str pattern, struct regex_error *ret_error) {
  uint32_t options = PCRE2_NEVER_UTF | PCRE2_NEVER_UCP | PCRE2_NEVER_BACKSLASH_C |
                     PCRE2_DOLLAR_ENDONLY | PCRE2_DOTALL;
  int error = 0;
  size_t offset = 0;
  PCRE2_SPTR text = (PCRE2_SPTR)(pattern.n > 0 ? pattern.p : "");
  pcre2_code *code = pcre2_compile(text, pattern.n, options, &error, &offset, NULL);
  if (!code) {
    ret_error->offset = offset;
    int n = pcre2_get_error_message(error, (PCRE2_UCHAR *)ret_error->message,
                                    sizeof(ret_error->message));
    if (n < 0) fail(ret_error, offset, "PCRE2 refuses the pattern");
  }
  return code;
}

struct regex *regex_new(struct str pattern, struct regex_error *ret_error) {
  if (!check_settings(pattern, ret_error)) return NULL;
  pcre2_code *code = compile(pattern, ret_error);
  if (!code) return NULL;
  struct regex *regex = NULL;
  if (check_references(code, pattern, ret_error) && check_callouts(code, ret_error) &&
      compile_jit(code, ret_error)) {
    regex = malloc(sizeof(*regex));
    if (!regex) fail(ret_error, 0, "out of memory");
  }
  if (!regex) {
    pcre2_code_free(code);
    return NULL;
  }
  regex->code = code;
  return regex;
}

void regex_free(struct regex **regex) {
  if (*regex) pcre2_code_free((*regex)->code);
  free(*regex);
  *regex = NULL;
}

size_t regex_size_bytes(const struct regex *regex) {
  size_t code = 0, jit = 0;
  (void)pcre2_pattern_info(regex->code, PCRE2_INFO_SIZE, &code);
  (void)pcre2_pattern_info(regex->code, PCRE2_INFO_JITSIZE, &jit);
  return sizeof(*regex) + code + jit;
}

/* ---- matching -------------------------------------------------------------------------------- */

struct regex_scratch *regex_scratch_new(void) {
  struct regex_scratch *scratch = calloc(1, sizeof(*scratch));
  if (!scratch) return NULL;
  scratch->data = pcre2_match_data_create(2, NULL);
  scratch->context = pcre2_match_context_create(NULL);
  scratch->stack = pcre2_jit_stack_create(JIT_STACK_START, JIT_STACK_MAX, NULL);
  if (!scratch->data || !scratch->context || !scratch->stack) {
    regex_scratch_free(&scratch);
    return NULL;
  }
  pcre2_set_match_limit(scratch->context, REGEX_MATCH_LIMIT);
  pcre2_jit_stack_assign(scratch->context, NULL, scratch->stack);
  return scratch;
}

void regex_scratch_free(struct regex_scratch **scratch) {
  struct regex_scratch *s = *scratch;
  *scratch = NULL;
  if (!s) return;
  pcre2_match_data_free(s->data);
  pcre2_match_context_free(s->context);
  pcre2_jit_stack_free(s->stack);
  free(s);
}

/* `count`: what pcre2_match gave, the highest group that took part plus one; 0: there are more
 * groups than `data` has room for. */
static struct str capture(const struct regex_scratch *scratch, struct str subject, int count) {
  const size_t *pairs = pcre2_get_ovector_pointer(scratch->data);
  bool has_group = count != 1 && pairs[2] != PCRE2_UNSET;
  size_t from = pairs[has_group ? 2 : 0];
  size_t to = pairs[has_group ? 3 : 1];
  return str_take(str_skip(subject, from), to > from ? to - from : 0);
}

enum regex_result regex_match(const struct regex *regex, struct regex_scratch *scratch,
                              struct str subject, struct str *ret_capture) {
  if (subject.n > REGEX_SUBJECT_MAX) return REGEX_LIMIT;
  if (!subject.p) subject = STR("");
  int count = pcre2_match(regex->code, (PCRE2_SPTR)subject.p, subject.n, 0, 0, scratch->data,
                          scratch->context);
  if (count == PCRE2_ERROR_NOMATCH) return REGEX_UNMATCHED;
  if (count < 0) return REGEX_LIMIT; /* match limit, JIT stack: nothing else can come here */
  if (ret_capture) *ret_capture = capture(scratch, subject, count);
  return REGEX_MATCHED;
}
