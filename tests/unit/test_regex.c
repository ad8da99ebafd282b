/* regex: what is refused, what matches, and that no pattern outruns its limits. */
#include "adit/regex.h"

#include <errno.h>
#include <linux/audit.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <stddef.h>
#include <stdio.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/syscall.h>

#include "unit.h"

static struct regex *compile(const char *pattern) {
  struct regex_error error = {0};
  struct regex *regex = regex_new(str_from_cstr(pattern), &error);
  ck_assert_msg(regex != NULL, "'%s' does not compile: %s", pattern, error.message);
  return regex;
}

static enum regex_result match(const char *pattern, struct str subject, struct str *capture) {
  struct regex *regex = compile(pattern);
  struct regex_scratch *scratch = regex_scratch_new();
  ck_assert_ptr_nonnull(scratch);
  enum regex_result result = regex_match(regex, scratch, subject, capture);
  regex_scratch_free(&scratch);
  ck_assert_ptr_null(scratch);
  regex_free(&regex);
  ck_assert_ptr_null(regex);
  return result;
}

START_TEST(refuses)
{
  static const struct {
    const char *pattern;
    const char *message; /* a part of it */
  } cases[] = {
      {"(a", "parenthes"},
      {"a{2,1}", "quantifier"},
      {"[z-a]", "range"},
      /* Back-references in every spelling. */
      {"(a)\\1", "back-reference"},
      {"(a)\\g1", "back-reference"},
      {"(a)\\g{1}", "back-reference"},
      {"(a)\\g{-1}", "back-reference"},
      {"(a)\\g-1", "back-reference"},
      {"(?<n>a)\\k<n>", "back-reference"},
      {"(?<n>a)\\k'n'", "back-reference"},
      {"(?<n>a)\\k{n}", "back-reference"},
      {"(?<n>a)\\g{n}", "back-reference"},
      {"(?P<n>a)(?P=n)", "back-reference"},
      {"(?J)(?<n>a)|(?<n>b)\\k<n>", "back-reference"},
      {"(?|(a)|(b))\\1", "back-reference"},
      {"(a)\\c\\\\1", "back-reference"},
      {"(a)\\Q\\\\E\\1", "back-reference"},
      {"(?x)(a) # \\\n\\1", "back-reference"},
      {"(a)(?#\\)\\1", "back-reference"},
      {"(a)(?(1)b|c)\\1", "back-reference"},
      {"(a(?1)?)\\1", "back-reference"},
      /* Callouts, numbered and with a string. */
      {"a(?C)b", "callout"},
      {"a(?C7)b", "callout"},
      {"a(?C'x')b", "callout"},
      {"(?:x(?:y(?C1)))", "callout"},
      {"a\\Cb", "\\C"},
      /* Settings that would touch limits, JIT or UTF. */
      {"(*LIMIT_MATCH=100000000)a", "LIMIT_MATCH"},
      {"(*LIMIT_MATCH=1)a", "LIMIT_MATCH"},
      {"(*LIMIT_HEAP=1)a", "LIMIT_HEAP"},
      {"(*LIMIT_DEPTH=1)a", "LIMIT_DEPTH"},
      {"(*LIMIT_RECURSION=1)a", "LIMIT_RECURSION"},
      {"(*NO_JIT)a", "NO_JIT"},
      {"(*CRLF)(*NO_JIT)a", "NO_JIT"},
      {"(*NO_START_OPT)a", "NO_START_OPT"},
      {"(*NO_AUTO_POSSESS)a", "NO_AUTO_POSSESS"},
      {"(*UTF)a", "UTF"},
      {"(*UCP)a", "UCP"},
      {"(*ANYCRLF)(*UTF)a", "UTF"},
      {"(*NOTEMPTY)a", "NOTEMPTY"},
      {"(*NOSUCHVERB)a", "recognized"},
      {"(((a{1000}){1000}){1000}){1000}", "too large"},
  };
  for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
    struct regex_error error = {.offset = 9999};
    struct regex *regex = regex_new(str_from_cstr(cases[i].pattern), &error);
    ck_assert_msg(regex == NULL, "'%s' is taken", cases[i].pattern);
    ck_assert_msg(strstr(error.message, cases[i].message) != NULL, "'%s': %s", cases[i].pattern,
                  error.message);
    ck_assert_msg(error.offset <= strlen(cases[i].pattern), "'%s': offset %zu", cases[i].pattern,
                  error.offset);
  }
}
END_TEST

START_TEST(matches)
{
  static const struct {
    const char *pattern;
    struct str subject;
    enum regex_result result;
    const char *capture; /* when matched */
  } cases[] = {
      {"b+", STR_INIT("abbbc"), REGEX_MATCHED, "bbb"},
      {"^b", STR_INIT("abc"), REGEX_UNMATCHED, NULL},
      {"", STR_INIT("abc"), REGEX_MATCHED, ""},
      {"^$", STR_INIT(""), REGEX_MATCHED, ""},
      {"^$", {NULL, 0}, REGEX_MATCHED, ""},
      {"a", {NULL, 0}, REGEX_UNMATCHED, NULL},
      {"(?i)bot|crawler", STR_INIT("GoogleBOT/2.1"), REGEX_MATCHED, "BOT"},
      /* The first group, else the whole match. */
      {"ShopApp/([0-9.]+)", STR_INIT("x ShopApp/3.10.2 y"), REGEX_MATCHED, "3.10.2"},
      {"ShopApp/[0-9.]+", STR_INIT("x ShopApp/3.10.2 y"), REGEX_MATCHED, "ShopApp/3.10.2"},
      {"(x)?ab", STR_INIT("ab"), REGEX_MATCHED, "ab"},
      {"(x)|a(b)", STR_INIT("ab"), REGEX_MATCHED, "ab"},
      {"(x)?a(b)(c)(d)", STR_INIT("abcd"), REGEX_MATCHED, "abcd"},
      {"(a)(b)(c)(d)", STR_INIT("abcd"), REGEX_MATCHED, "a"},
      {"a()b", STR_INIT("ab"), REGEX_MATCHED, ""},
      {"a\\Kb", STR_INIT("ab"), REGEX_MATCHED, "b"},
      /* DOLLAR_ENDONLY and DOTALL. */
      {"a$", STR_INIT("a\n"), REGEX_UNMATCHED, NULL},
      {"(?m)a$", STR_INIT("a\nb"), REGEX_MATCHED, "a"},
      {"a.b", STR_INIT("a\nb"), REGEX_MATCHED, "a\nb"},
      /* Bytes, not UTF-8: 'é' is two, and \w is ASCII. */
      {"^..$", STR_INIT("\xC3\xA9"), REGEX_MATCHED, "\xC3\xA9"},
      {"^\\w", STR_INIT("\xC3\xA9"), REGEX_UNMATCHED, NULL},
      {"\\xFF", STR_INIT("\xC3\xFF"), REGEX_MATCHED, "\xFF"},
      {"a.c", STR_INIT("a\0c"), REGEX_MATCHED, "a"},
      /* Conditions on a group and recursion are no back-references. */
      {"^(a)?(?(1)b|c)$", STR_INIT("ab"), REGEX_MATCHED, "a"},
      {"^(?<n>a)?(?(<n>)b|c)$", STR_INIT("bb"), REGEX_UNMATCHED, NULL},
      {"^(?:(x)|y)(?(1)1|2)$", STR_INIT("y2"), REGEX_MATCHED, "y2"},
      {"^(\\((?1)*\\))$", STR_INIT("(()())"), REGEX_MATCHED, "(()())"},
      {"^(\\((?1)*\\))$", STR_INIT("(()()"), REGEX_UNMATCHED, NULL},
      {"^(?<n>ab)\\g<n>$", STR_INIT("abab"), REGEX_MATCHED, "ab"},
      {"^\\x5C1$", STR_INIT("\\1"), REGEX_MATCHED, "\\1"},
      {"^\\\\1$", STR_INIT("\\1"), REGEX_MATCHED, "\\1"},
      {"(*ANYCRLF)(?m)^b", STR_INIT("a\rb"), REGEX_MATCHED, "b"},
      {"a(*COMMIT)b|ac", STR_INIT("ac"), REGEX_UNMATCHED, NULL},
      {"(?<=a)b", STR_INIT("ab"), REGEX_MATCHED, "b"},
  };
  for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
    struct str capture = STR("untouched");
    enum regex_result result = match(cases[i].pattern, cases[i].subject, &capture);
    ck_assert_msg(result == cases[i].result, "'%s' gives %d", cases[i].pattern, (int)result);
    if (!cases[i].capture) {
      ck_assert_view_eq(capture, "untouched");
      continue;
    }
    /* A capture may hold NUL: compare what the literal can say. */
    ck_assert_msg(str_starts_with(capture, str_from_cstr(cases[i].capture)), "'%s' captures '%.*s'",
                  cases[i].pattern, STR_ARG(capture));
    bool inside =
        !cases[i].subject.p || (capture.p >= cases[i].subject.p &&
                                capture.p + capture.n <= cases[i].subject.p + cases[i].subject.n);
    ck_assert_msg(inside, "'%s' captures outside of the subject", cases[i].pattern);
  }
}
END_TEST

START_TEST(ends_a_costly_match)
{
  static char many[REGEX_SUBJECT_MAX];
  memset(many, 'a', sizeof(many));
  struct str all = str_make(many, sizeof(many));
  static const struct {
    const char *pattern;
    size_t n; /* bytes of 'a', then '!' */
  } cases[] = {
      {"^(a+)+$", 40},           {"^(a+)+$", 2000},           {"^(a|a)*$", 200},
      {"^(?:a?){60}a{60}$", 59}, {"^(a*)*(a*)*(a*)*$", 1000},
  };
  for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
    char subject[REGEX_SUBJECT_MAX];
    memset(subject, 'a', cases[i].n);
    subject[cases[i].n] = '!';
    enum regex_result result = match(cases[i].pattern, str_make(subject, cases[i].n + 1), NULL);
    ck_assert_msg(result == REGEX_LIMIT, "'%s' on %zu bytes gives %d", cases[i].pattern, cases[i].n,
                  (int)result);
  }
  /* A recursion that never consumes ends at the stack's. */
  ck_assert_int_eq(match("^(?:b|(?R))", all, NULL), REGEX_LIMIT);
  /* Harmless on the same subject: the limits are wide enough, and 1 MiB of stack is used. */
  ck_assert_int_eq(match("^(?:a|b)+$", all, NULL), REGEX_MATCHED);
  ck_assert_int_eq(match("^(a|b)+$", all, NULL), REGEX_MATCHED);
  ck_assert_int_eq(match("a{2000}", all, NULL), REGEX_MATCHED);
}
END_TEST

START_TEST(limits_the_subject)
{
  static char subject[REGEX_SUBJECT_MAX + 1];
  memset(subject, 'a', sizeof(subject));
  ck_assert_int_eq(match("^a", str_make(subject, REGEX_SUBJECT_MAX), NULL), REGEX_MATCHED);
  ck_assert_int_eq(match("^a", str_make(subject, REGEX_SUBJECT_MAX + 1), NULL), REGEX_LIMIT);
}
END_TEST

START_TEST(shares_one_scratch)
{
  struct regex_scratch *scratch = regex_scratch_new();
  struct regex *costly = compile("^(a+)+$");
  struct regex *plain = compile("(b)c");
  for (int i = 0; i < 3; i++) {
    struct str capture = {0};
    ck_assert_int_eq(
        regex_match(costly, scratch, STR("aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa!"), NULL),
        REGEX_LIMIT);
    ck_assert_int_eq(regex_match(plain, scratch, STR("abc"), &capture), REGEX_MATCHED);
    ck_assert_view_eq(capture, "b");
    ck_assert_int_eq(regex_match(plain, scratch, STR("ab"), NULL), REGEX_UNMATCHED);
  }
  regex_free(&costly);
  regex_free(&plain);
  regex_scratch_free(&scratch);
}
END_TEST

/* From here on every mapping of executable memory fails, as under SELinux or systemd's
 * MemoryDenyWriteExecute. */
static bool forbid_executable_memory(void) {
#define ARGUMENT(n) (uint32_t)(offsetof(struct seccomp_data, args) + 8 * (n))
  struct sock_filter filter[] = {
      BPF_STMT(BPF_LD | BPF_W | BPF_ABS, (uint32_t)offsetof(struct seccomp_data, nr)),
      BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, SYS_mmap, 1, 0),
      BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, SYS_mprotect, 0, 3),
      BPF_STMT(BPF_LD | BPF_W | BPF_ABS, ARGUMENT(2)),
      BPF_JUMP(BPF_JMP | BPF_JSET | BPF_K, PROT_EXEC, 0, 1),
      BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ERRNO | EACCES),
      BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW),
  };
#undef ARGUMENT
  struct sock_fprog program = {sizeof(filter) / sizeof(*filter), filter};
  return prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) == 0 &&
         prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &program) == 0;
}

START_TEST(says_that_jit_is_forbidden)
{
  /* Needs a process of its own, which Check gives each test unless told otherwise. */
  if (!forbid_executable_memory()) return;
  struct regex_error error = {0};
  struct regex *regex = regex_new(STR("a+"), &error);
  ck_assert_ptr_null(regex);
  ck_assert_msg(strstr(error.message, "does not allow JIT") != NULL, "%s", error.message);
}
END_TEST

UNIT_MAIN("regex", refuses, matches, ends_a_costly_match, limits_the_subject, shares_one_scratch,
          says_that_jit_is_forbidden)
