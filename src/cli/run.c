/* run: the gateway itself. */
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
        "Signals: HUP reloads; TERM and INT drain and stop, a second one stops now.\n"
        "Exit status: 0 after a clean stop, 1 when it could not start.\n",
    .run = run_run,
};
