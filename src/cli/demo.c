/*
 * demo: two small origins, the gateway, the example rules, nothing to configure.
 *
 *   run_demo ─► start   files, origins, adit.json, the gateway
 *            ─► demo_script_check, or print and wait for a signal
 *            ─► stop    in the opposite order
 */
#include <arpa/inet.h>
#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <sys/signalfd.h>
#include <sys/socket.h>
#include <unistd.h>

#include "cli/demo.h"

enum { DEFAULT_PORT = 8080, OPTION_CHECK = 256, OPTION_PORT };

struct options {
  bool check;
  bool port_given;
  uint16_t port;
};

struct demo {
  const struct cli_command *command;
  struct options options;
  int signal_fd;
  struct demo_files files;
  struct demo_origin *v1, *canary;
  uint16_t v1_port, canary_port;
  struct demo_gateway gateway;
};

static int parse_options(const struct cli_command *command, int argc, char **argv,
                         struct options *ret) {
  static const struct option names[] = {{"check", no_argument, NULL, OPTION_CHECK},
                                        {"port", required_argument, NULL, OPTION_PORT},
                                        {0}};
  int option;
  while ((option = cli_next_option(command, argc, argv, ":", names)) != -1) {
    uint64_t port;
    if (option == '?') return CLI_USAGE;
    if (option == OPTION_CHECK) ret->check = true;
    if (option != OPTION_PORT) continue;
    if (!str_to_u64(str_from_cstr(optarg), 65535, &port)) {
      return cli_usage_error(command, "--port '%s' is not a whole number from 0 to 65535", optarg);
    }
    ret->port_given = true;
    ret->port = (uint16_t)port;
  }
  if (optind < argc) return cli_usage_error(command, "unexpected argument '%s'", argv[optind]);
  return CLI_OK;
}

/* Asked before the gateway is: its listeners share a port with whoever shares it too, such as the
 * gateway of another demo. */
static bool is_free(uint16_t port) {
  struct sockaddr_in address = {
      .sin_family = AF_INET, .sin_port = htons(port), .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
  int on = 1;
  int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
  if (fd < 0) return false;
  bool ok = setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on)) == 0 &&
            bind(fd, (struct sockaddr *)&address, sizeof(address)) == 0 && listen(fd, 1) == 0;
  close(fd);
  return ok;
}

static bool choose_port(struct demo *demo, uint16_t *ret) {
  const struct options *options = &demo->options;
  *ret = options->port;
  if (options->port_given) {
    if (options->port == 0 || is_free(options->port)) return true;
    cli_error(demo->command, "port %u is in use; give another, or none", options->port);
    return false;
  }
  if (options->check) return true; /* nobody will type it: the kernel chooses */
  if (is_free(DEFAULT_PORT)) {
    *ret = DEFAULT_PORT;
  } else {
    printf("Port %d is in use, so the gateway has another one.\n", DEFAULT_PORT);
  }
  return true;
}

static bool start(struct demo *demo) {
  uint16_t port;
  if (!choose_port(demo, &port) || !demo_files_make(&demo->files, demo->command)) return false;
  demo->v1 = demo_origin_start("v1", &demo->v1_port);
  demo->canary = demo_origin_start("canary", &demo->canary_port);
  if (!demo->v1 || !demo->canary) {
    cli_error(demo->command, "cannot start an origin on 127.0.0.1");
    return false;
  }
  return demo_files_write_config(&demo->files, demo->command, port, demo->v1_port,
                                 demo->canary_port) &&
         demo_gateway_start(&demo->gateway, demo->command, demo->files.config);
}

static bool stop(struct demo *demo) {
  bool ok = demo_gateway_stop(&demo->gateway);
  demo_origin_stop(&demo->canary);
  demo_origin_stop(&demo->v1);
  demo_files_remove(&demo->files);
  return ok;
}

static void print_intro(const struct demo *demo) {
  char self[4096];
  ssize_t n = readlink("/proc/self/exe", self, sizeof(self) - 1);
  self[n > 0 ? n : 0] = '\0';
  printf(
      "The demo is running: a gateway on http://127.0.0.1:%u/, before v1 on port %u and canary on\n"
      "port %u. Its rules are in %s.\n\n"
      "Try, in another terminal:\n\n",
      demo->gateway.port, demo->v1_port, demo->canary_port, demo->files.rules);
  demo_script_print(&demo->files, n > 0 ? self : "adit", demo->gateway.port);
  printf("Ctrl-C ends it.\n");
  fflush(stdout);
}

/* Until a signal comes, or the gateway ends by itself. */
static int wait_for_end(struct demo *demo) {
  for (;;) {
    struct pollfd inputs[] = {{.fd = demo->signal_fd, .events = POLLIN},
                              {.fd = demo->gateway.log_fd, .events = POLLIN}};
    if (poll(inputs, 2, -1) < 0 && errno != EINTR) {
      return cli_error(demo->command, "poll: %s", strerror(errno));
    }
    if (inputs[0].revents) return CLI_OK;
    if (inputs[1].revents && !demo_gateway_read(&demo->gateway)) {
      return cli_error(demo->command, "the gateway has ended");
    }
  }
}

/* Before any thread is there, so that all of them leave these signals to us. */
static bool take_signals(struct demo *demo) {
  static const int taken[] = {SIGINT, SIGTERM, SIGHUP};
  sigset_t set;
  sigemptyset(&set);
  for (size_t i = 0; i < sizeof(taken) / sizeof(*taken); i++) sigaddset(&set, taken[i]);
  signal(SIGPIPE, SIG_IGN);
  sigprocmask(SIG_BLOCK, &set, NULL);
  demo->signal_fd = signalfd(-1, &set, SFD_CLOEXEC);
  return demo->signal_fd >= 0;
}

static int run_demo(const struct cli_command *command, int argc, char **argv) {
  struct demo demo = {.command = command, .signal_fd = -1, .gateway.log_fd = -1};
  int status = parse_options(command, argc, argv, &demo.options);
  if (status != CLI_OK) return status;
  if (!take_signals(&demo)) return cli_error(command, "signalfd: %s", strerror(errno));
  if (!start(&demo)) {
    status = CLI_FAILED;
  } else if (demo.options.check) {
    status = demo_script_check(&demo.files, demo.gateway.port) ? CLI_OK : CLI_FAILED;
  } else {
    print_intro(&demo);
    status = wait_for_end(&demo);
  }
  fflush(stdout); /* the gateway's last words come behind what was asked of it */
  if (!stop(&demo) && status == CLI_OK) {
    status = cli_error(command, "the gateway did not end cleanly");
  }
  close(demo.signal_fd);
  return status;
}

const struct cli_command cli_demo = {
    .name = "demo",
    .synopsis = "[--check] [--port N]",
    .summary = "runs two small origins, the gateway and example rules to try",
    .details =
        "      --port N   for the gateway; 8080 when left out, or one that is free\n"
        "      --check    asks everything itself, shows it, and ends; exit status 1 when an\n"
        "                 answer is wrong\n"
        "\n"
        "Needs no configuration: it prints curl lines to try, and Ctrl-C ends it. The rules are\n"
        "demo.json, in the directory that ADIT_RULES names, or where Adit is installed. Beside it\n"
        "may be country.mmdb, a database of countries; docker/geodata.sh fetches a free one.\n",
    .run = run_demo,
};
