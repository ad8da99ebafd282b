/*
 * cli: the commands of adit, private to src/cli and src/main.c.
 *
 * A command reads its own arguments, says on stderr what is wrong, where and what to do, and
 * returns the exit status.
 */
#ifndef ADIT_CLI_CLI_H
#define ADIT_CLI_CLI_H

#include <getopt.h>

#include "adit/diag.h"
#include "adit/policy.h"
#include "adit/str.h"

struct text;

/* Exit statuses. The last two are of a decision that a log has: it is another one, or cannot be
 * made again. */
enum { CLI_OK = 0, CLI_FAILED = 1, CLI_USAGE = 2, CLI_DIFFERS = 3, CLI_UNKNOWN = 4 };

struct cli_command {
  const char *name;
  const char *synopsis; /* what follows the name; "" for nothing */
  const char *summary;  /* one line */
  const char *details;  /* what `adit help NAME` says below, lines that end in newlines */
  int (*run)(const struct cli_command *command, int argc, char **argv); /* argv[0]: the name */
};

extern const struct cli_command cli_run;
extern const struct cli_command cli_check;
extern const struct cli_command cli_explain;
extern const struct cli_command cli_test;
extern const struct cli_command cli_replay;
extern const struct cli_command cli_import;
extern const struct cli_command cli_demo;
extern const struct cli_command cli_ctl;
extern const struct cli_command cli_version;
extern const struct cli_command cli_help;

/* Every command, in the order of `adit help`; NULL at the end. */
extern const struct cli_command *const cli_commands[];
const struct cli_command *cli_find_command(const char *name);

/* Prints what `adit help NAME` prints. */
void cli_print_help(const struct cli_command *command);

/* One line on stderr: "adit NAME: …; see 'adit help NAME'". Returns CLI_USAGE. `command` may be
 * NULL: no command was recognised. */
int cli_usage_error(const struct cli_command *command, const char *format, ...)
    __attribute__((format(printf, 2, 3)));
/* One line on stderr: "adit NAME: …". Returns CLI_FAILED. */
int cli_error(const struct cli_command *command, const char *format, ...)
    __attribute__((format(printf, 2, 3)));

/*
 * getopt_long without its messages: an option that is unknown or lacks its value has been reported
 * as a usage error when '?' is returned. -1 at the end: operands are argv[optind..argc). `letters`
 * begins with ':'.
 */
int cli_next_option(const struct cli_command *command, int argc, char **argv, const char *letters,
                    const struct option *names);

/* Loads a policy for one command (rule_paths may be empty: those of adit.json). On failure the
 * diagnostics are printed and NULL is returned; otherwise they are in *ret_diags, the caller's to
 * free. */
struct policy *cli_load_policy(const struct cli_command *command, const char *config_path,
                               char *const *rule_paths, size_t rule_path_count,
                               struct diags **ret_diags);

/* The same with further options; rule_paths of `options` are not looked at. */
struct policy *cli_load_policy_with(const struct cli_command *command,
                                    const struct policy_options *options, char *const *rule_paths,
                                    size_t rule_path_count, struct diags **ret_diags);

/* All of them on stderr. */
void cli_print_diags(const struct diags *diags);

#endif
