/* Picks the command. */
#include <stdio.h>

#include "cli/cli.h"

/* The commands under the names that other programs give them. */
static const struct cli_command *find_command(const char *word) {
  if (strcmp(word, "--version") == 0 || strcmp(word, "-V") == 0) return &cli_version;
  if (strcmp(word, "--help") == 0 || strcmp(word, "-h") == 0) return &cli_help;
  return cli_find_command(word);
}

static bool asks_for_help(int argc, char **argv) {
  return argc == 2 && (strcmp(argv[1], "--help") == 0 || strcmp(argv[1], "-h") == 0);
}

/* An answer that could not be written is no answer. */
static int finish(const struct cli_command *command, int status) {
  if (fflush(stdout) == 0 && !ferror(stdout)) return status;
  cli_error(command, "cannot write to standard output");
  return CLI_FAILED;
}

int main(int argc, char **argv) {
  if (argc < 2) return cli_usage_error(NULL, "which command?");
  const struct cli_command *command = find_command(argv[1]);
  if (!command) return cli_usage_error(NULL, "there is no command '%s'", argv[1]);
  argc--;
  argv++;
  if (asks_for_help(argc, argv)) {
    cli_print_help(command);
    return finish(command, CLI_OK);
  }
  return finish(command, command->run(command, argc, argv));
}
