/*
 * What a watch takes for a change, beside loadings of a policy that it is told of.
 */
#include "gateway/file_watch.h"

#include "adit/units.h"
#include "policy_bench.h"

/* Loads ./adit.json under the eyes of the watch, and writes a rule file (NULL: nothing) before that
 * is over; whether it is a policy. */
static bool load_and_write(struct file_watch *watch, const char *meanwhile) {
  struct text said;
  file_watch_begin(watch);
  struct policy *policy = load_policy(NULL, NULL, &said);
  const bool loaded = policy != NULL;
  struct config config = {.path = "adit.json", .watch = true};
  if (policy) {
    config.rules = policy_config(policy)->rules;
    config.rules_count = policy_config(policy)->rules_count;
  }
  if (meanwhile) write_file("rules/one.json", meanwhile);
  file_watch_end(watch, loaded ? &config : NULL);
  policy_unref(&policy);
  text_deinit(&said);
  return loaded;
}

static bool load(struct file_watch *watch) {
  return load_and_write(watch, NULL);
}

static bool expects_more(struct file_watch *watch) {
  return file_watch_due_ms(watch) != 0 || file_watch_has_changed(watch);
}

static struct file_watch *begin(void) {
  bench_open();
  write_file("rules/one.json", ROUTE("one", "one.example", ""));
  struct file_watch *watch = file_watch_new();
  ck_assert_ptr_nonnull(watch);
  ck_assert(load(watch));
  ck_assert(!expects_more(watch));
  return watch;
}

static void end(struct file_watch *watch) {
  file_watch_free(&watch);
  bench_close();
}

START_TEST(a_change_is_one)
{
  struct file_watch *watch = begin();
  write_file("rules/one.json", ROUTE("one", "other.example", ""));
  ck_assert(file_watch_has_changed(watch));
  ck_assert(load(watch));
  ck_assert(!expects_more(watch));
  end(watch);
}
END_TEST

/* What a refused loading did not come to read is not looked at as it was long ago: a watch that
 * does loads again without end. */
START_TEST(a_refused_loading_is_not_repeated)
{
  static const struct {
    const char *name, *broken, *gone, *written;
  } cases[] = {
      {"adit.json is broken, and a rule file is written then", "adit.json", NULL, "rules/one.json"},
      {"adit.json is broken, and the rule file is gone", "adit.json", "rules/one.json", NULL},
      {"the only rule file is gone", NULL, "rules/one.json", NULL},
      {"adit.json is gone", NULL, "adit.json", "rules/one.json"},
      {"all is gone", NULL, "rules", NULL},
  };
  for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
    struct file_watch *watch = begin();
    if (cases[i].broken) write_file(cases[i].broken, "{");
    if (cases[i].gone) ck_assert_int_eq(nftw(cases[i].gone, remove_one, 8, FTW_DEPTH), 0);
    if (cases[i].written) write_file(cases[i].written, ROUTE("one", "other.example", ""));
    for (int k = 0; k < 3; k++) {
      ck_assert_msg(!load(watch), "%s", cases[i].name);
      ck_assert_msg(!expects_more(watch), "%s: once more", cases[i].name);
    }
    if (cases[i].gone && strcmp(cases[i].gone, "rules") == 0)
      ck_assert_int_eq(mkdir("rules", 0700), 0);
    write_file("adit.json", CONFIG);
    write_file("rules/one.json", ROUTE("one", "one.example", ""));
    ck_assert_msg(file_watch_has_changed(watch), "%s: mended", cases[i].name);
    ck_assert_msg(load(watch), "%s", cases[i].name);
    ck_assert_msg(!expects_more(watch), "%s", cases[i].name);
    end(watch);
  }
}
END_TEST

/* Written while it was loaded: once more, but not without a pause. */
START_TEST(a_change_meanwhile_waits)
{
  struct file_watch *watch = begin();
  const int64_t before_ms = clock_monotonic_ms();
  ck_assert(load_and_write(watch, ROUTE("one", "other.example", "")));
  ck_assert_int_ge(file_watch_due_ms(watch), before_ms + 100);
  ck_assert(file_watch_has_changed(watch));
  end(watch);
}
END_TEST

UNIT_MAIN("file watch", a_change_is_one, a_refused_loading_is_not_repeated,
          a_change_meanwhile_waits)
