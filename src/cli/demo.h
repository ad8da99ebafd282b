/*
 * demo: what its files share, private to src/cli.
 *
 *   demo.c          arguments, the order of things, signals
 *   demo_files.c    a temporary directory with an adit.json
 *   demo_origin.c   the two versions of the service (libmicrohttpd)
 *   demo_gateway.c  `adit run` as a child
 *   demo_script.c   what there is to try: printed as curl lines, or asked and checked
 */
#ifndef ADIT_CLI_DEMO_H
#define ADIT_CLI_DEMO_H

#include <sys/types.h>

#include "cli/cli.h"

/* ---- files ----------------------------------------------------------------------------------- */

struct demo_files {
  char directory[512];
  char config[560]; /* adit.json in it */
  char key[560];
  char jar[560];       /* for curl's cookies */
  char rules[4096];    /* demo.json where it is installed or built */
  char database[4096]; /* country.mmdb beside it; "": there is none */
};

/* Finds demo.json and makes the directory. False: said why. Remove also then. */
bool demo_files_make(struct demo_files *files, const struct cli_command *command);
bool demo_files_write_config(const struct demo_files *files, const struct cli_command *command,
                             uint16_t port, uint16_t v1_port, uint16_t canary_port);
void demo_files_remove(struct demo_files *files);

/* ---- origins --------------------------------------------------------------------------------- */

/* A service that says its name and what the gateway told it; on threads of its own. */
struct demo_origin;
/* `name` is static. NULL: it could not be started. */
struct demo_origin *demo_origin_start(const char *name, uint16_t *ret_port);
void demo_origin_stop(struct demo_origin **origin);

/* ---- the gateway ----------------------------------------------------------------------------- */

struct demo_gateway {
  pid_t pid;     /* 0: not running */
  int log_fd;    /* what it says on stderr */
  uint16_t port; /* 0: not ready yet */
  size_t line_n;
  char line[2048];
};

/* Starts it and waits until it is ready. False: said why; stop it also then. */
bool demo_gateway_start(struct demo_gateway *gateway, const struct cli_command *command,
                        const char *config_path);
/* Passes on what it says. False: it has ended. */
bool demo_gateway_read(struct demo_gateway *gateway);
/* Asks it to stop, waits, and returns whether it ended well. */
bool demo_gateway_stop(struct demo_gateway *gateway);

/* ---- what to try ----------------------------------------------------------------------------- */

/* `adit` is what a shell finds this program under. */
void demo_script_print(const struct demo_files *files, const char *adit, uint16_t port);
/* Asks everything itself, shows request and answer, and returns whether all was right. */
bool demo_script_check(const struct demo_files *files, uint16_t port);

#endif
