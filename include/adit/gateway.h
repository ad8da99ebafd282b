/*
 * gateway: the data plane: listeners, workers, exchanges.
 */
#ifndef ADIT_GATEWAY_H
#define ADIT_GATEWAY_H

struct gateway_options {
  const char *config_path; /* adit.json */
};

/*
 * Runs the gateway until a signal ends it: loads the policy, listens, starts workers, prints the
 * ready line on stderr, reloads on SIGHUP, drains on SIGTERM or SIGINT (a second one stops at
 * once). Returns the exit status: 0 after a clean stop, 1 when it could not start (the reason is
 * logged). Takes over the process's signals; to be called once, from the main thread.
 */
int gateway_run(const struct gateway_options *options);

#endif
