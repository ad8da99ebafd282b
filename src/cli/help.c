/* help and version: what needs no configuration. */
#include <stdio.h>

#include "adit/config.h"
#include "cli/cli.h"

/* ---- adit help config: every key of adit.json ------------------------------------------------ */

static const char *unit_of(const struct config_key_info *row) {
  if (strcmp(row->type, "duration") == 0) return "ms s m h d";
  if (strcmp(row->type, "size") == 0) return "B KiB MiB GiB";
  return "-";
}

static void print_config_row(const char *key, const char *type, const char *unit,
                             const char *default_text, const char *reload) {
  printf("%-32s  %-8s  %-13s  %-8s  %s\n", key, type, unit, default_text, reload);
}

/* docs/operations.md has the same table; tests/docs/run.py compares the two. */
static int print_config_keys(void) {
  size_t n;
  const struct config_key_info *rows = config_keys(&n);
  print_config_row("key", "type", "unit", "default", "reload");
  for (size_t i = 0; i < n; i++) {
    const char *given = rows[i].default_text;
    print_config_row(rows[i].key, rows[i].type, unit_of(&rows[i]), given[0] ? given : "none",
                     rows[i].reloadable ? "yes" : "no");
  }
  return CLI_OK;
}

/* ---- commands -------------------------------------------------------------------------------- */

static int run_help(const struct cli_command *command, int argc, char **argv) {
  if (argc > 2) return cli_usage_error(command, "one command at a time");
  if (argc == 2 && strcmp(argv[1], "config") == 0) return print_config_keys();
  if (argc == 2) {
    const struct cli_command *asked = cli_find_command(argv[1]);
    if (!asked) return cli_usage_error(command, "there is no command '%s'", argv[1]);
    cli_print_help(asked);
    return CLI_OK;
  }
  printf(
      "Adit decides per request, from what the request says, whether the stable version or a\n"
      "canary of a service answers it.\n\n"
      "usage: adit COMMAND [ARGUMENTS]\n\n");
  for (size_t i = 0; cli_commands[i]; i++) {
    printf("  %-9s %s\n", cli_commands[i]->name, cli_commands[i]->summary);
  }
  printf(
      "\n'adit help COMMAND' tells more, 'adit help config' lists the keys of adit.json.\n"
      "'adit demo' needs nothing but itself.\n");
  return CLI_OK;
}

static int run_version(const struct cli_command *command, int argc, char **argv) {
  if (argc > 1) return cli_usage_error(command, "unexpected argument '%s'", argv[1]);
  printf("adit %s\n", ADIT_VERSION);
  return CLI_OK;
}

const struct cli_command cli_help = {
    .name = "help",
    .synopsis = "[COMMAND | config]",
    .summary = "lists the commands, or explains one",
    .details =
        "'adit help config' lists every key of adit.json: type, unit, default, and whether a\n"
        "reload applies it.\n",
    .run = run_help,
};

const struct cli_command cli_version = {
    .name = "version",
    .synopsis = "",
    .summary = "prints the version",
    .details = "",
    .run = run_version,
};
