#include "cli/cli.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include "adit/text.h"

const struct cli_command *const cli_commands[] = {
    &cli_run, &cli_check, &cli_explain, &cli_test, &cli_replay, &cli_import,
    &cli_ctl, &cli_demo,  &cli_version, &cli_help, NULL};

const struct cli_command *cli_find_command(const char *name) {
  for (size_t i = 0; cli_commands[i]; i++) {
    if (strcmp(cli_commands[i]->name, name) == 0) return cli_commands[i];
  }
  return NULL;
}

void cli_print_help(const struct cli_command *command) {
  printf("usage: adit %s%s%s\n\n%s\n", command->name, command->synopsis[0] ? " " : "",
         command->synopsis, command->summary);
  if (command->details[0]) printf("\n%s", command->details);
}

/* One line, whatever control bytes the user's arguments carry. */
static void print_line(const struct cli_command *command, const char *format, va_list args,
                       const char *tail) {
  struct text message, line;
  text_init(&message, 8192);
  text_init(&line, 32768);
  text_vprintf(&message, format, args);
  text_printf(&line, "adit%s%s: ", command ? " " : "", command ? command->name : "");
  text_add_escaped(&line, text_str(&message));
  text_add(&line, str_from_cstr(tail));
  fprintf(stderr, "%.*s\n", STR_ARG(text_str(&line)));
  text_deinit(&line);
  text_deinit(&message);
}

int cli_usage_error(const struct cli_command *command, const char *format, ...) {
  char tail[64];
  snprintf(tail, sizeof(tail), "; see 'adit help%s%s'", command ? " " : "",
           command ? command->name : "");
  va_list args;
  va_start(args, format);
  print_line(command, format, args, tail);
  va_end(args);
  return CLI_USAGE;
}

int cli_error(const struct cli_command *command, const char *format, ...) {
  va_list args;
  va_start(args, format);
  print_line(command, format, args, "");
  va_end(args);
  return CLI_FAILED;
}

int cli_next_option(const struct cli_command *command, int argc, char **argv, const char *letters,
                    const struct option *names) {
  opterr = 0;
  int option = getopt_long(argc, argv, letters, names, NULL);
  if (option != '?' && option != ':') return option;
  const char *word = argv[optind - 1];
  bool is_long = word[0] == '-' && word[1] == '-';
  /* A letter may stand inside of a word of several, which optind has not passed yet. */
  char letter[3] = {'-', (char)optopt, 0};
  const char *shown = !is_long && optopt > ' ' && optopt < 0x7F ? letter : word;
  if (option == ':') {
    cli_usage_error(command, "option '%s' needs a value", shown);
  } else if (is_long && optopt) {
    cli_usage_error(command, "option '%s' takes no value", shown);
  } else {
    cli_usage_error(command, "unknown option '%s'", shown);
  }
  return '?';
}

void cli_print_diags(const struct diags *diags) {
  struct text out;
  text_init(&out, 4 << 20);
  diags_format(diags, &out);
  fwrite(out.p ? out.p : "", 1, out.n, stderr);
  text_deinit(&out);
}

struct policy *cli_load_policy(const struct cli_command *command, const char *config_path,
                               char *const *rule_paths, size_t rule_path_count,
                               struct diags **ret_diags) {
  const struct policy_options options = {.config_path = config_path};
  return cli_load_policy_with(command, &options, rule_paths, rule_path_count, ret_diags);
}

struct policy *cli_load_policy_with(const struct cli_command *command,
                                    const struct policy_options *more, char *const *rule_paths,
                                    size_t rule_path_count, struct diags **ret_diags) {
  struct diags *diags = diags_new();
  if (!diags) {
    cli_error(command, "out of memory");
    return NULL;
  }
  struct policy_options options = *more;
  options.rule_paths = rule_path_count ? (const char *const *)rule_paths : NULL;
  options.rule_path_count = rule_path_count;
  struct policy *policy = policy_load(&options, diags);
  if (policy) {
    *ret_diags = diags;
    return policy;
  }
  cli_print_diags(diags);
  if (diags_count(diags, DIAG_ERROR) == 0)
    cli_error(command, "%s: out of memory", options.config_path);
  diags_free(&diags);
  return NULL;
}
