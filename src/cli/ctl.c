/* ctl: talks to the admin server of a running gateway. */
#include <cjson/cJSON.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>
#include <unistd.h>

#include "adit/json.h"
#include "cli/ctl.h"

enum {
  RELOAD_TIMEOUT_MS = 600000, /* as long as the files take */
  READY_TIMEOUT_MS = 5000,    /* whoever asks wants to know now */
  WATCH_S = 2
};

/* ---- answers --------------------------------------------------------------------------------- */

typedef void (*print_fn)(const struct cJSON *answer, struct text *out);

/* Prints an answer, for programs as it came. */
static int print(const struct ctl *ctl, const struct client_response *response, print_fn printer) {
  struct text out;
  text_init(&out, CTL_ANSWER_BYTES_MAX);
  struct diags *diags = diags_new();
  struct json_doc *doc =
      diags ? json_parse(text_str(&response->body), "answer", JSON_STRICT, diags) : NULL;
  if (ctl->json)
    text_add(&out, text_str(&response->body));
  else if (doc)
    printer(json_root(doc), &out);
  int status = CLI_OK;
  if (!doc || text_failed(&out))
    status = cli_error(ctl->command, "the answer cannot be read: %s",
                       doc ? "out of memory" : "it is no JSON");
  else if (ctl->clears)
    fputs("\033[H\033[2J", stdout);
  if (status == CLI_OK) fwrite(out.p ? out.p : "", 1, out.n, stdout);
  json_free(&doc);
  diags_free(&diags);
  text_deinit(&out);
  return status == CLI_OK ? ctl_flush(ctl) : status;
}

/* ---- subcommands ----------------------------------------------------------------------------- */

static int show(const struct ctl *ctl, print_fn printer) {
  struct client_request request = {0};
  struct client_response response;
  int status = CLI_FAILED;
  if (ctl_call(ctl, "/api/v1/status", &request, &response))
    status = response.status == 200 ? print(ctl, &response, printer) : ctl_report(ctl, &response);
  client_response_deinit(&response);
  return status;
}

/* A gateway that cannot be asked may be about to start again: what was seen last stays, with the
 * reason below it. One that could never be asked is a mistake in the command line. */
static int watch(const struct ctl *ctl, print_fn printer) {
  const struct timespec pause = {.tv_sec = WATCH_S};
  struct ctl watching = *ctl;
  watching.clears = !ctl->json && isatty(STDOUT_FILENO);
  for (bool seen = false;; seen = true) {
    const int status = show(&watching, printer);
    if (status != CLI_OK && (!seen || ferror(stdout))) return status;
    (void)nanosleep(&pause, NULL);
  }
}

static int run_status(const struct ctl *ctl, int argc, char **argv) {
  (void)argc;
  (void)argv;
  return ctl->watch ? watch(ctl, ctl_print_status) : show(ctl, ctl_print_status);
}

static int run_endpoints(const struct ctl *ctl, int argc, char **argv) {
  (void)argc;
  (void)argv;
  return ctl->watch ? watch(ctl, ctl_print_endpoints) : show(ctl, ctl_print_endpoints);
}

/* The answer of /readyz is a word, not JSON. */
static int run_ready(const struct ctl *ctl, int argc, char **argv) {
  (void)argc;
  (void)argv;
  struct client_request request = {.timeout_ms = READY_TIMEOUT_MS};
  struct client_response response;
  int status = CLI_FAILED;
  if (ctl_call(ctl, "/readyz", &request, &response)) {
    if (response.status == 200) {
      puts("ready");
      status = ctl_flush(ctl);
    } else if (response.status == 503) {
      status = cli_error(ctl->command, "the gateway does not serve yet, or stops");
    } else {
      status = ctl_report(ctl, &response);
    }
  }
  client_response_deinit(&response);
  return status;
}

static int run_reload(const struct ctl *ctl, int argc, char **argv) {
  (void)argc;
  (void)argv;
  struct client_request request = {.method = "POST", .timeout_ms = RELOAD_TIMEOUT_MS};
  struct client_response response;
  int status = CLI_FAILED;
  if (ctl_call(ctl, "/api/v1/reload", &request, &response)) {
    if (response.status != 200 && response.status != 422)
      status = ctl_report(ctl, &response);
    else if (print(ctl, &response, ctl_print_load) == CLI_OK)
      status = response.status == 200 ? CLI_OK : CLI_FAILED;
  }
  client_response_deinit(&response);
  return status;
}

/* What takes an override back. */
#define FILES_STATE "file"

static bool is_state(const char *word) {
  static const char *const states[] = {"on", "drain", "off", "full", FILES_STATE};
  for (size_t i = 0; i < sizeof(states) / sizeof(*states); i++)
    if (strcmp(states[i], word) == 0) return true;
  return false;
}

/* An override that is to outlive the gateway, and will not. */
static int check_kept(const struct ctl *ctl, const struct cJSON *answer) {
  const cJSON *why = cJSON_GetObjectItemCaseSensitive(answer, "why");
  if (!cJSON_IsFalse(cJSON_GetObjectItemCaseSensitive(answer, "kept"))) return CLI_OK;
  if (!cJSON_IsString(cJSON_GetObjectItemCaseSensitive(answer, "state_file"))) {
    fprintf(stderr, "adit: note: this holds until the gateway ends, as it has no state_file\n");
    return CLI_OK;
  }
  return cli_error(ctl->command, "done, but the gateway will not know of it after a restart: %s",
                   cJSON_IsString(why) ? why->valuestring : "it does not say why");
}

static int finish_state(const struct ctl *ctl, const struct client_response *response,
                        bool changed) {
  int status = print(ctl, response, ctl_print_state);
  struct diags *diags = diags_new();
  struct json_doc *doc =
      diags ? json_parse(text_str(&response->body), "answer", JSON_STRICT, diags) : NULL;
  if (doc && changed && status == CLI_OK) status = check_kept(ctl, json_root(doc));
  json_free(&doc);
  diags_free(&diags);
  return status;
}

static int run_state(const struct ctl *ctl, int argc, char **argv) {
  char path[128], body[64];
  struct client_request request = {0};
  struct client_response response;
  int status = CLI_FAILED;
  if (argc == 0) return cli_usage_error(ctl->command, "which route? state ROUTE [STATE]");
  if (!json_is_name(str_from_cstr(argv[0])))
    return cli_usage_error(ctl->command, "'%s' is no name of a route", argv[0]);
  if (argc > 1 && !is_state(argv[1]))
    return cli_usage_error(ctl->command, "there is no state '%s': on, drain, off, full, or file",
                           argv[1]);
  snprintf(path, sizeof(path), "/api/v1/routes/%s/state", argv[0]);
  if (argc > 1 && strcmp(argv[1], FILES_STATE) == 0) {
    request.method = "DELETE";
  } else if (argc > 1) {
    snprintf(body, sizeof(body), "{\"state\":\"%s\"}", argv[1]);
    request.method = "PUT";
    request.body = str_from_cstr(body);
  }
  if (ctl_call(ctl, path, &request, &response))
    status = response.status == 200 ? finish_state(ctl, &response, argc > 1)
                                    : ctl_report(ctl, &response);
  client_response_deinit(&response);
  return status;
}

/* ---- arguments ------------------------------------------------------------------------------- */

static const struct subcommand {
  const char *name;
  int operands; /* at most */
  bool watches, traces;
  int (*run)(const struct ctl *ctl, int argc, char **argv);
} subcommands[] = {
    {"status", 0, true, false, run_status}, {"endpoints", 0, true, false, run_endpoints},
    {"ready", 0, false, false, run_ready},  {"reload", 0, false, false, run_reload},
    {"state", 2, false, false, run_state},  {"explain", 1, false, true, ctl_explain}};

static const struct subcommand *find_subcommand(const char *name) {
  for (size_t i = 0; i < sizeof(subcommands) / sizeof(*subcommands); i++)
    if (strcmp(subcommands[i].name, name) == 0) return &subcommands[i];
  return NULL;
}

/* CLI_OK: all options were read. */
static int read_options(struct ctl *ctl, int argc, char **argv) {
  enum { ADDRESS = 256, TOKEN_FILE, JSON, WATCH, TRACE };
  static const struct option names[] = {{"config", required_argument, NULL, 'c'},
                                        {"address", required_argument, NULL, ADDRESS},
                                        {"token-file", required_argument, NULL, TOKEN_FILE},
                                        {"json", no_argument, NULL, JSON},
                                        {"watch", no_argument, NULL, WATCH},
                                        {"trace", no_argument, NULL, TRACE},
                                        {0}};
  int option;
  while ((option = cli_next_option(ctl->command, argc, argv, ":c:", names)) != -1) {
    switch (option) {
      case 'c':
        ctl->config_path = optarg;
        break;
      case ADDRESS:
        ctl->address = optarg;
        break;
      case TOKEN_FILE:
        ctl->token_path = optarg;
        break;
      case JSON:
        ctl->json = true;
        break;
      case WATCH:
        ctl->watch = true;
        break;
      case TRACE:
        ctl->trace = true;
        break;
      default:
        return CLI_USAGE;
    }
  }
  return CLI_OK;
}

static int check_arguments(const struct ctl *ctl, const struct subcommand *subcommand, int argc,
                           char **argv) {
  const struct cli_command *command = ctl->command;
  if (argc == 0)
    return cli_usage_error(
        command, "what is to be done? status, endpoints, ready, reload, state or explain");
  if (!subcommand) return cli_usage_error(command, "there is no 'ctl %s'", argv[0]);
  if (argc - 1 > subcommand->operands)
    return cli_usage_error(command, "unexpected argument '%s'", argv[1 + subcommand->operands]);
  if (ctl->watch && !subcommand->watches)
    return cli_usage_error(command, "'%s' takes no --watch", argv[0]);
  if (ctl->trace && !subcommand->traces)
    return cli_usage_error(command, "'%s' takes no --trace", argv[0]);
  if (!ctl->config_path && !ctl->address)
    return cli_usage_error(command, "which gateway? give -c FILE or --address HOST:PORT");
  return CLI_OK;
}

static int run_ctl(const struct cli_command *command, int argc, char **argv) {
  struct ctl ctl = {.command = command};
  int status = read_options(&ctl, argc, argv);
  if (status != CLI_OK) return status;
  argc -= optind;
  argv += optind;
  const struct subcommand *subcommand = argc > 0 ? find_subcommand(argv[0]) : NULL;
  status = check_arguments(&ctl, subcommand, argc, argv);
  if (status != CLI_OK) return status;
  text_init(&ctl.bearer, CTL_TOKEN_BYTES_MAX + 16);
  status = ctl_find_gateway(&ctl);
  if (status == CLI_OK) status = subcommand->run(&ctl, argc - 1, argv + 1);
  text_deinit(&ctl.bearer);
  free(ctl.token);
  return status;
}

const struct cli_command cli_ctl = {
    .name = "ctl",
    .synopsis =
        "(-c adit.json | --address HOST:PORT) status | endpoints | ready | reload | state | "
        "explain",
    .summary = "talks to the admin server of a running gateway",
    .details =
        "  status               what is served, the last load, routes, endpoints\n"
        "  endpoints            only the table of endpoints\n"
        "  ready                succeeds while the gateway serves: for health checks\n"
        "  reload               as SIGHUP, and waits for what comes of it\n"
        "  state ROUTE [STATE]  overrides the state in the route's file, at once and over "
        "reloads:\n"
        "                       on, drain, off, full; file takes that back; without STATE it is\n"
        "                       shown\n"
        "  explain [REQUEST]    a decision of the running gateway; without REQUEST for each line\n"
        "                       of stdin, as 'adit explain --batch' has them\n"
        "\n"
        "  -c, --config FILE    where \"admin\" says the address, and the file with the token\n"
        "  --address HOST:PORT  the admin server's address, whatever the file says\n"
        "  --token-file FILE    the token\n"
        "  --json               the answer as it came\n"
        "  --watch              (status, endpoints) again every 2 seconds, also behind a failure\n"
        "  --trace              (explain) every rule with its conditions\n"
        "\n"
        "Exit status: 0 done, 1 the gateway cannot be asked (or something else has its port), "
        "refuses or is\n"
        "not ready, a reload did not take all files over, a state holds but could not be written "
        "to "
        "the\n"
        "state_file, or a request was malformed; 2 a wrong command line, or nothing on stdin.\n",
    .run = run_ctl,
};
