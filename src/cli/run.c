/* run: the gateway itself. */
#include <errno.h>

#include "adit/admin.h"
#include "adit/gateway.h"
#include "cli/cli.h"

static int run_run(const struct cli_command *command, int argc, char **argv) {
  static const struct option names[] = {{"config", required_argument, NULL, 'c'}, {0}};
  struct gateway_options options = {.admin = &admin_server};
  int option;
  while ((option = cli_next_option(command, argc, argv, ":c:", names)) != -1) {
    if (option == '?') return CLI_USAGE;
    options.config_path = optarg;
  }
  if (optind < argc) return cli_usage_error(command, "unexpected argument '%s'", argv[optind]);
  if (!options.config_path) return cli_usage_error(command, "which adit.json? give -c FILE");
  const char *const restart[] = {program_invocation_name, command->name, "-c", options.config_path,
                                 NULL};
  options.restart = restart;
  return gateway_run(&options);
}

const struct cli_command cli_run = {
    .name = "run",
    .synopsis = "-c adit.json",
    .summary = "runs the gateway",
    .details =
        "  -c, --config FILE   the configuration\n"
        "\n"
        "A line on stderr says when it is ready, and on which addresses it listens.\n"
        "Signals: HUP reloads; USR1 opens the access log again; USR2 starts the program anew on "
        "the\n"
        "same sockets and drains this one; TERM and INT drain and stop, a second one stops now.\n"
        "Exit status: 0 after a clean stop, 1 when it could not start.\n",
    .run = run_run,
};
