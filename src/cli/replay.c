/*
 * replay: logged requests under the present and the proposed rules: who moves.
 */
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "adit/arena.h"
#include "cli/replay.h"

enum {
  NEW_FILES_MAX = 1024,
  PLAN_ARENA_BYTES = 256 << 20,
  OPTION_NEW = 256,
  OPTION_NEW_CONFIG,
  OPTION_MAX_MOVED,
  OPTION_MAX_MOVED_USERS,
  OPTION_ASSUME_NO_FORCE,
  OPTION_ASSUME_NO_PINS,
  OPTION_ASSUME_UNCHANGED,
  OPTION_EXAMPLES,
  OPTION_THREADS,
  OPTION_JSON
};

static const struct option option_names[] = {
    {"config", required_argument, NULL, 'c'},
    {"new", required_argument, NULL, OPTION_NEW},
    {"new-config", required_argument, NULL, OPTION_NEW_CONFIG},
    {"max-moved", required_argument, NULL, OPTION_MAX_MOVED},
    {"max-moved-users", required_argument, NULL, OPTION_MAX_MOVED_USERS},
    {"assume-no-force", no_argument, NULL, OPTION_ASSUME_NO_FORCE},
    {"assume-no-pins", no_argument, NULL, OPTION_ASSUME_NO_PINS},
    {"assume-unchanged", no_argument, NULL, OPTION_ASSUME_UNCHANGED},
    {"examples", required_argument, NULL, OPTION_EXAMPLES},
    {"threads", required_argument, NULL, OPTION_THREADS},
    {"json", no_argument, NULL, OPTION_JSON},
    {0}};

/* ---- flags ----------------------------------------------------------------------------------- */

/* "5%", "5", "0.25%", up to 100 and four decimals, as millionths. */
static bool parse_percent(struct str text, int64_t *ret) {
  if (str_ends_with(text, STR("%"))) text.n--;
  const size_t point = str_find_char(text, '.', 0);
  struct str decimals = str_skip(text, point + 1);
  uint64_t whole, part = 0;
  if (!str_to_u64(str_take(text, point), 100, &whole)) return false;
  if (point < text.n && (decimals.n > 4 || !str_to_u64(decimals, 9999, &part))) return false;
  for (size_t i = decimals.n; i < 4; i++) part *= 10;
  *ret = (int64_t)(whole * 10000 + part);
  return *ret <= 1000000;
}

static bool parse_count(uint64_t max, size_t *ret) {
  uint64_t number;
  if (!str_to_u64(str_from_cstr(optarg), max, &number)) return false;
  *ret = (size_t)number;
  return true;
}

/* CLI_OK, or what was reported. */
static int take_number(const struct cli_command *command, int option, struct replay_options *ret) {
  const struct str text = str_from_cstr(optarg);
  switch (option) {
    case OPTION_MAX_MOVED:
    case OPTION_MAX_MOVED_USERS:
      if (parse_percent(text, option == OPTION_MAX_MOVED ? &ret->max_moved : &ret->max_moved_users))
        return CLI_OK;
      return cli_usage_error(command, "'%s' is no share: write 5%% or 0.25%%", optarg);
    case OPTION_EXAMPLES:
      if (parse_count(REPLAY_EXAMPLES_MAX, &ret->examples)) return CLI_OK;
      return cli_usage_error(command, "'%s' is no number of examples: 0 to %d", optarg,
                             REPLAY_EXAMPLES_MAX);
    default:
      if (parse_count(REPLAY_THREADS_MAX, &ret->threads) && ret->threads > 0) return CLI_OK;
      return cli_usage_error(command, "'%s' is no number of threads: 1 to %d", optarg,
                             REPLAY_THREADS_MAX);
  }
}

static int take_option(const struct cli_command *command, int option, char **new_paths,
                       struct replay_options *ret) {
  switch (option) {
    case 'c':
      ret->config_path = optarg;
      return CLI_OK;
    case OPTION_NEW:
      if (ret->new_path_count == NEW_FILES_MAX)
        return cli_usage_error(command, "more than %d files by --new", NEW_FILES_MAX);
      new_paths[ret->new_path_count++] = optarg;
      return CLI_OK;
    case OPTION_NEW_CONFIG:
      ret->new_config_path = optarg;
      return CLI_OK;
    case OPTION_ASSUME_NO_FORCE:
      ret->assume_no_force = true;
      return CLI_OK;
    case OPTION_ASSUME_NO_PINS:
      ret->assume_no_pins = true;
      return CLI_OK;
    case OPTION_ASSUME_UNCHANGED:
      ret->assume_unchanged = true;
      return CLI_OK;
    case OPTION_JSON:
      ret->json = true;
      return CLI_OK;
    default:
      return take_number(command, option, ret);
  }
}

static size_t count_cpus(void) {
  const long n = sysconf(_SC_NPROCESSORS_ONLN);
  return n < 1 ? 1 : n > REPLAY_THREADS_MAX ? REPLAY_THREADS_MAX : (size_t)n;
}

static int parse_options(const struct cli_command *command, int argc, char **argv, char **new_paths,
                         struct replay_options *ret) {
  int option, status = CLI_OK;
  *ret = (struct replay_options){.max_moved = -1,
                                 .max_moved_users = -1,
                                 .examples = 3,
                                 .threads = count_cpus(),
                                 .new_paths = new_paths};
  while (status == CLI_OK &&
         (option = cli_next_option(command, argc, argv, ":c:", option_names)) != -1)
    status = option == '?' ? CLI_USAGE : take_option(command, option, new_paths, ret);
  if (status != CLI_OK) return status;
  ret->logs = argv + optind;
  ret->log_count = (size_t)(argc - optind);
  if (!ret->config_path) return cli_usage_error(command, "which adit.json? give -c FILE");
  if (ret->new_path_count == 0 && !ret->new_config_path)
    return cli_usage_error(command, "what is proposed? give --new RULES or --new-config FILE");
  if (ret->log_count == 0)
    return cli_usage_error(command, "which log? name its files, or - for standard input");
  return CLI_OK;
}

/* ---- policies -------------------------------------------------------------------------------- */

/* NULL: reported. */
static struct policy *load_after(const struct cli_command *command,
                                 const struct replay_options *options, struct policy *before) {
  struct diags *diags = NULL;
  struct policy *base = policy_ref(before);
  const char *config_path = options->config_path;
  if (options->new_config_path) {
    policy_unref(&base);
    config_path = options->new_config_path;
    base = cli_load_policy(command, config_path, NULL, 0, &diags);
    diags_free(&diags);
  }
  if (!base || options->new_path_count == 0) return base;
  struct policy *after =
      explain_load_other(command, config_path, base, options->new_paths, options->new_path_count);
  policy_unref(&base);
  return after;
}

/* ---- the guard ------------------------------------------------------------------------------- */

static int check_guard(const struct cli_command *command, const char *what, const char *flag,
                       struct replay_share share, int64_t max) {
  if (max < 0 || replay_is_within(share, max)) return CLI_OK;
  if (share.of == 0)
    return cli_error(command, "%s allows %g %%, but the log tells of no %s", flag,
                     (double)max / 1e4, what);
  return cli_error(command,
                   "%s allows %g %%, but %llu of %llu %s (%.2f %%) move or may move: what is not "
                   "known counts as moved",
                   flag, (double)max / 1e4, (unsigned long long)share.moved,
                   (unsigned long long)share.of, what,
                   100.0 * (double)share.moved / (double)share.of);
}

static int judge(const struct cli_command *command, const struct replay_options *options,
                 const struct replay_tally *tally) {
  int status =
      check_guard(command, "requests", "--max-moved", replay_requests(tally), options->max_moved);
  if (check_guard(command, "users", "--max-moved-users", replay_users(tally),
                  options->max_moved_users) != CLI_OK)
    status = CLI_FAILED;
  if (tally->decided == 0)
    status = cli_error(command, "there is no request in the log that can be decided");
  return status;
}

/* ---- replay ---------------------------------------------------------------------------------- */

static int print_report(const struct cli_command *command, const struct replay_plan *plan,
                        const struct replay_tally *tally, const struct replay_map *map) {
  struct text out;
  text_init(&out, EXPLAIN_TEXT_BYTES);
  (plan->options->json ? replay_report_json : replay_report)(plan, tally, map, &out);
  int status = CLI_OK;
  if (out.n == 0 || text_failed(&out))
    status = cli_error(command, "the report does not fit into memory");
  else if (fwrite(out.p, 1, out.n, stdout) != out.n || fflush(stdout) != 0)
    status = cli_error(command, "the report cannot be written");
  text_deinit(&out);
  return status;
}

static int replay(const struct cli_command *command, struct replay_plan *plan) {
  struct replay_tally tally = {0};
  struct replay_map map = {0};
  int status;
  const char *obstacle = replay_plan_obstacle(plan);
  if (obstacle)
    return cli_error(command,
                     "%s has another '%s' than %s: whom the gateway would believe, and what, is in "
                     "no log; replay without this change",
                     plan->options->new_config_path, obstacle, plan->options->config_path);
  if (!replay_plan_init(plan) || !replay_tally_init(&tally, plan))
    status = cli_error(command, "out of memory");
  else
    status = replay_run(command, plan, &tally, &map);
  if (status == CLI_OK) status = print_report(command, plan, &tally, &map);
  if (status == CLI_OK) status = judge(command, plan->options, &tally);
  replay_tally_deinit(&tally, plan);
  free(map.blocks);
  return status;
}

static int run_replay(const struct cli_command *command, int argc, char **argv) {
  static char *new_paths[NEW_FILES_MAX];
  struct replay_options options;
  int status = parse_options(command, argc, argv, new_paths, &options);
  if (status != CLI_OK) return status;
  struct diags *diags = NULL;
  struct replay_plan plan = {.options = &options, .arena = arena_new(PLAN_ARENA_BYTES)};
  if (!plan.arena) return cli_error(command, "out of memory");
  plan.before = cli_load_policy(command, options.config_path, NULL, 0, &diags);
  diags_free(&diags);
  if (plan.before) plan.after = load_after(command, &options, plan.before);
  status = plan.before && plan.after ? replay(command, &plan) : CLI_FAILED;
  policy_unref(&plan.after);
  policy_unref(&plan.before);
  arena_free(&plan.arena);
  return status;
}

const struct cli_command cli_replay = {
    .name = "replay",
    .synopsis = "-c adit.json --new RULES [OPTIONS] LOG...",
    .summary = "decides logged requests under present and proposed rules, and shows who moves",
    .details =
        "  -c, --config FILE       the present configuration\n"
        "      --new RULES         a proposed rule file, in place of the one with its route; may "
        "be\n"
        "                          given again\n"
        "      --new-config FILE   a proposed adit.json, with its rule files\n"
        "      --max-moved SHARE   the exit status is 1 when more of the requests move: 5%, 0.25%\n"
        "      --max-moved-users SHARE  the same of users\n"
        "      --assume-no-force   where nobody looked whether a request forces a variant, it does "
        "not\n"
        "      --assume-no-pins    where nobody looked whether a cookie pins a variant, none did\n"
        "      --assume-unchanged  what lines of other configurations say of cookies, buckets\n"
        "                          and force holds as if the present one had been in use\n"
        "      --examples N        so many lines of each kind of move are shown, 0..100; else 3\n"
        "      --threads N         else as many as there are CPUs; changes nothing but the time\n"
        "      --json              one line of JSON instead of text\n"
        "\n"
        "LOG is a file of the access log with attributes (JSON lines; packed by gzip, too), or -\n"
        "for standard input. Each line is decided as of its own time. What a line does not tell "
        "is\n"
        "unknown, never guessed, and a guard counts it as moved.\n",
    .run = run_replay,
};
