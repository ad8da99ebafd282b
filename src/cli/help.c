/* help and version: what needs no configuration. */
#include <stdio.h>

#include "cli/cli.h"

static int run_help(const struct cli_command *command, int argc, char **argv) {
  if (argc > 2) return cli_usage_error(command, "one command at a time");
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
  printf("\n'adit help COMMAND' tells more. 'adit demo' needs nothing but itself.\n");
  return CLI_OK;
}

static int run_version(const struct cli_command *command, int argc, char **argv) {
  if (argc > 1) return cli_usage_error(command, "unexpected argument '%s'", argv[1]);
  printf("adit %s\n", ADIT_VERSION);
  return CLI_OK;
}

const struct cli_command cli_help = {
    .name = "help",
    .synopsis = "[COMMAND]",
    .summary = "lists the commands, or explains one",
    .details = "",
    .run = run_help,
};

const struct cli_command cli_version = {
    .name = "version",
    .synopsis = "",
    .summary = "prints the version",
    .details = "",
    .run = run_version,
};
