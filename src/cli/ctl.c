/* ctl: talks to the admin server of a running gateway. */
#include <cjson/cJSON.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>
#include <unistd.h>

#include "adit/client.h"
#include "adit/http.h"
#include "adit/ip.h"
#include "adit/json.h"
#include "cli/cli.h"
#include "cli/ctl.h"
#include "cli/lines.h"

enum {
  CONFIG_BYTES_MAX = 16 << 20,
  TOKEN_BYTES_MAX = 64 << 10,
  ANSWER_BYTES_MAX = 64 << 20,
  TIMEOUT_MS = 10000,
  RELOAD_TIMEOUT_MS = 600000, /* as long as the files take */
  READY_TIMEOUT_MS = 5000,    /* whoever asks wants to know now */
  WATCH_S = 2
};

/* What the command line says, and where that leads. */
struct ctl {
  const struct cli_command *command;
  const char *config_path, *address, *token_path; /* NULL: not given */
  bool json, watch, trace;
  char base[320];     /* http://ADDRESS */
  char *token;        /* of the file; NULL: none is sent */
  struct text bearer; /* the value of Authorization */
};

/* ---- where the gateway is -------------------------------------------------------------------- */

/* The member of "admin"; NULL: it is not there. adit.json may be wrong elsewhere: that is when one
 * wants to ask a gateway that goes on without it. */
static const char *admin_member(const struct json_doc *doc, const char *key) {
  const cJSON *admin = cJSON_GetObjectItemCaseSensitive(json_root(doc), "admin");
  const cJSON *node = cJSON_GetObjectItemCaseSensitive(admin, key);
  return cJSON_IsString(node) ? node->valuestring : NULL;
}

/* The address to connect to for one that is listened on; every interface is also this machine's. */
static int set_base(struct ctl *ctl, struct str address) {
  struct str host, port;
  uint64_t number = 0;
  struct ip_address ip;
  if (!http_authority_parse(address, &host, &port) || port.n == 0 ||
      !str_to_u64(port, 65535, &number))
    return cli_error(ctl->command, "'%.*s' is no address: give HOST:PORT", STR_ARG(address));
  if (number == 0)
    return cli_error(ctl->command,
                     "the port of '%.*s' is chosen by the kernel: give --address as the gateway's "
                     "log has it",
                     STR_ARG(address));
  bool any_v4 = ip_parse(host, &ip) && str_eq(host, STR("0.0.0.0"));
  if (any_v4) host = STR("127.0.0.1");
  if (str_eq(host, STR("[::]"))) host = STR("[::1]");
  snprintf(ctl->base, sizeof(ctl->base), "http://%.*s:%u", STR_ARG(host), (unsigned)number);
  return CLI_OK;
}

static int read_token(struct ctl *ctl, const char *path) {
  size_t n = 0;
  struct diags *diags = diags_new();
  bool ok = diags && file_read(path, TOKEN_BYTES_MAX, (struct diag_place){path, 0, 0}, diags,
                               &ctl->token, &n);
  if (diags) cli_print_diags(diags);
  diags_free(&diags);
  if (!ok) return CLI_FAILED;
  struct str token = str_make(ctl->token, n);
  if (str_ends_with(token, STR("\n"))) token.n--;
  text_printf(&ctl->bearer, "Bearer %.*s", STR_ARG(token));
  return text_failed(&ctl->bearer) ? cli_error(ctl->command, "out of memory") : CLI_OK;
}

/* A path in adit.json is relative to it. */
static int read_named_token(struct ctl *ctl, const char *name) {
  const char *slash = strrchr(ctl->config_path, '/');
  struct text path;
  text_init(&path, 8192);
  if (name[0] != '/' && slash)
    text_add(&path, str_make(ctl->config_path, (size_t)(slash + 1 - ctl->config_path)));
  text_add(&path, str_from_cstr(name));
  int status = text_failed(&path) ? cli_error(ctl->command, "the path of the token is too long")
                                  : read_token(ctl, path.p);
  text_deinit(&path);
  return status;
}

static int find_in_config(struct ctl *ctl, const struct json_doc *doc) {
  const char *address = admin_member(doc, "address");
  const char *token_file = admin_member(doc, "token_file");
  int status = CLI_OK;
  if (!ctl->address && !address)
    return cli_error(ctl->command, "%s has no \"admin\" with an address: give --address",
                     ctl->config_path);
  if (!ctl->address) status = set_base(ctl, str_from_cstr(address));
  if (status == CLI_OK && !ctl->token_path && token_file)
    status = read_named_token(ctl, token_file);
  return status;
}

static int find_gateway(struct ctl *ctl) {
  int status = ctl->address ? set_base(ctl, str_from_cstr(ctl->address)) : CLI_OK;
  if (status == CLI_OK && ctl->token_path) status = read_token(ctl, ctl->token_path);
  if (status != CLI_OK || !ctl->config_path) return status;
  struct diags *diags = diags_new();
  struct json_doc *doc =
      diags ? json_load(ctl->config_path, ctl->config_path, JSON_EDITABLE, CONFIG_BYTES_MAX, diags)
            : NULL;
  if (diags && !doc) cli_print_diags(diags);
  status = doc ? find_in_config(ctl, doc)
               : cli_error(ctl->command, "where the gateway is, is not known: give --address");
  json_free(&doc);
  diags_free(&diags);
  return status;
}

/* ---- asking ---------------------------------------------------------------------------------- */

/* Makes a call. False: it could not be made; reported. */
static bool call(const struct ctl *ctl, const char *path, struct client_request *request,
                 struct client_response *ret) {
  char url[sizeof(ctl->base) + 128];
  snprintf(url, sizeof(url), "%s%s", ctl->base, path);
  const struct client_field bearer = {STR("Authorization"), text_str(&ctl->bearer)};
  request->url = url;
  request->fields = &bearer;
  request->field_count = ctl->token ? 1 : 0;
  request->body_limit_bytes = ANSWER_BYTES_MAX;
  if (request->timeout_ms == 0) request->timeout_ms = TIMEOUT_MS;
  const enum client_outcome outcome = client_fetch(request, ret);
  if (outcome == CLIENT_DONE) return true;
  if (outcome == CLIENT_TIMEOUT)
    cli_error(ctl->command, "%s: no answer within %ld s%s", ctl->base,
              (long)(request->timeout_ms / 1000),
              request->method ? "; it may still take effect: look at 'adit ctl status'" : "");
  else
    cli_error(ctl->command, "%s: %s; is the gateway running, with this address in \"admin\"?",
              ctl->base, ret->why);
  return false;
}

/* An answer that is not what was asked for. */
static int report(const struct ctl *ctl, const struct client_response *response) {
  struct diags *diags = diags_new();
  struct json_doc *doc =
      diags ? json_parse(text_str(&response->body), "answer", JSON_STRICT, diags) : NULL;
  const cJSON *why = doc ? cJSON_GetObjectItemCaseSensitive(json_root(doc), "error") : NULL;
  const char *hint = response->status == 401 ? " (give --token-file, or -c with a token_file)" : "";
  int status = cli_error(ctl->command, "the gateway answered %d: %s%s", response->status,
                         cJSON_IsString(why) ? why->valuestring : "it is no admin server", hint);
  json_free(&doc);
  diags_free(&diags);
  return status;
}

static int flush(const struct ctl *ctl) {
  return fflush(stdout) == 0 ? CLI_OK : cli_error(ctl->command, "stdout: %s", strerror(errno));
}

typedef void (*print_fn)(const struct cJSON *answer, struct text *out);

/* Prints an answer, for programs as it came. */
static int print(const struct ctl *ctl, const struct client_response *response, print_fn printer) {
  struct text out;
  text_init(&out, ANSWER_BYTES_MAX);
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
  else
    fwrite(out.p ? out.p : "", 1, out.n, stdout);
  json_free(&doc);
  diags_free(&diags);
  text_deinit(&out);
  return status == CLI_OK ? flush(ctl) : status;
}

/* ---- subcommands ----------------------------------------------------------------------------- */

static int show(const struct ctl *ctl, print_fn printer) {
  struct client_request request = {0};
  struct client_response response;
  int status = CLI_FAILED;
  if (call(ctl, "/api/v1/status", &request, &response))
    status = response.status == 200 ? print(ctl, &response, printer) : report(ctl, &response);
  client_response_deinit(&response);
  return status;
}

static int watch(const struct ctl *ctl, print_fn printer) {
  const struct timespec pause = {.tv_sec = WATCH_S};
  const bool clears = !ctl->json && isatty(STDOUT_FILENO);
  for (;;) {
    if (clears) fputs("\033[H\033[2J", stdout);
    int status = show(ctl, printer);
    if (status != CLI_OK) return status;
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
  if (call(ctl, "/readyz", &request, &response)) {
    if (response.status == 200) {
      puts("ready");
      status = flush(ctl);
    } else if (response.status == 503) {
      status = cli_error(ctl->command, "the gateway does not serve yet, or stops");
    } else {
      status = report(ctl, &response);
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
  if (call(ctl, "/api/v1/reload", &request, &response)) {
    if (response.status != 200 && response.status != 422)
      status = report(ctl, &response);
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
  if (call(ctl, path, &request, &response))
    status =
        response.status == 200 ? finish_state(ctl, &response, argc > 1) : report(ctl, &response);
  client_response_deinit(&response);
  return status;
}

/* A line as `adit explain --batch` has it, and the answer as it came. *ret_wrong: it was an error
 * of the line. */
static int explain_one(const struct ctl *ctl, struct str line, bool *ret_wrong) {
  struct client_request request = {.body = line};
  struct client_response response;
  int status = CLI_FAILED;
  const char *path = ctl->trace ? "/api/v1/explain?trace=1" : "/api/v1/explain";
  if (call(ctl, path, &request, &response)) {
    *ret_wrong = *ret_wrong || response.status != 200;
    if (response.status == 200 || response.status == 400) {
      fwrite(response.body.p, 1, response.body.n, stdout);
      status = flush(ctl);
    } else {
      status = report(ctl, &response);
    }
  }
  client_response_deinit(&response);
  return status;
}

static bool is_blank(struct str line) {
  return str_trim(str_ends_with(line, STR("\r")) ? str_take(line, line.n - 1) : line).n == 0;
}

static int explain_lines(const struct ctl *ctl, struct lines *lines, bool *ret_wrong) {
  struct str line;
  int status = CLI_OK;
  while (status == CLI_OK) {
    switch (lines_next(lines, &line)) {
      case LINE_END:
        return CLI_OK;
      case LINE_MORE: {
        int error = lines_fill(lines);
        if (error) status = cli_error(ctl->command, "stdin: %s", strerror(-error));
        break;
      }
      case LINE_TOO_LONG:
        status = cli_error(ctl->command, "line %llu is longer than 1 MiB",
                           (unsigned long long)lines->number);
        break;
      case LINE_WHOLE:
        if (!is_blank(line)) status = explain_one(ctl, line, ret_wrong);
        break;
    }
  }
  return status;
}

static int run_explain(const struct ctl *ctl, int argc, char **argv) {
  bool wrong = false;
  int status;
  if (argc > 0) {
    status = explain_one(ctl, str_from_cstr(argv[0]), &wrong);
  } else {
    struct lines lines;
    status = lines_init(&lines, STDIN_FILENO) ? explain_lines(ctl, &lines, &wrong)
                                              : cli_error(ctl->command, "out of memory");
    lines_deinit(&lines);
  }
  return status == CLI_OK && wrong ? CLI_FAILED : status;
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
    {"state", 2, false, false, run_state},  {"explain", 1, false, true, run_explain}};

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
  if (argc == 0) return cli_usage_error(command, "what is to be done? status, reload, …");
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
  text_init(&ctl.bearer, TOKEN_BYTES_MAX + 16);
  status = find_gateway(&ctl);
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
        "  --watch              (status, endpoints) again every 2 seconds\n"
        "  --trace              (explain) every rule with its conditions\n"
        "\n"
        "Exit status: 0 done, 1 the gateway cannot be asked, refuses or is not ready, a reload did "
        "not\n"
        "take all files over, a state holds but could not be written to the state_file, or a "
        "request "
        "was\n"
        "malformed.\n",
    .run = run_ctl,
};
