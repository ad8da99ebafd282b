/* ctl_call: where the admin server of a gateway is, and calls of it. */
#include <cjson/cJSON.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>

#include "adit/admin.h"
#include "adit/http.h"
#include "adit/ip.h"
#include "adit/json.h"
#include "cli/ctl.h"

enum { CONFIG_BYTES_MAX = 16 << 20, TIMEOUT_MS = 10000 };

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
  bool ok = diags && file_read(path, CTL_TOKEN_BYTES_MAX, (struct diag_place){path, 0, 0}, diags,
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

int ctl_find_gateway(struct ctl *ctl) {
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

/* Another server may well have the port, and answer 200 to anything. */
static bool is_adit(const struct client_response *response) {
  struct str server;
  return client_response_field(response, STR("Server"), 0, &server) &&
         str_eq(server, STR(ADMIN_SERVER_NAME));
}

static void report_call(const struct ctl *ctl, const struct client_request *request,
                        enum client_outcome outcome, const struct client_response *response) {
  if (outcome == CLIENT_DONE)
    cli_error(
        ctl->command,
        "%s does not answer like an Adit admin server (it answered %d): is this the address in "
        "\"admin\"?",
        ctl->base, response->status);
  else if (outcome == CLIENT_TIMEOUT)
    cli_error(ctl->command, "%s: no answer within %ld s%s", ctl->base,
              (long)(request->timeout_ms / 1000),
              request->method ? "; it may still take effect: look at 'adit ctl status'" : "");
  else
    cli_error(ctl->command, "%s: %s; is the gateway running, with this address in \"admin\"?",
              ctl->base, response->why);
}

bool ctl_call(const struct ctl *ctl, const char *path, struct client_request *request,
              struct client_response *ret) {
  char url[sizeof(ctl->base) + 128];
  snprintf(url, sizeof(url), "%s%s", ctl->base, path);
  const struct client_field bearer = {STR("Authorization"), text_str(&ctl->bearer)};
  request->url = url;
  request->fields = &bearer;
  request->field_count = ctl->token ? 1 : 0;
  request->body_limit_bytes = CTL_ANSWER_BYTES_MAX;
  if (request->timeout_ms == 0) request->timeout_ms = TIMEOUT_MS;
  const enum client_outcome outcome = client_fetch(request, ret);
  if (outcome == CLIENT_DONE && is_adit(ret)) return true;
  report_call(ctl, request, outcome, ret);
  return false;
}

void ctl_add_error(const struct client_response *response, struct text *out) {
  struct diags *diags = diags_new();
  struct json_doc *doc =
      diags ? json_parse(text_str(&response->body), "answer", JSON_STRICT, diags) : NULL;
  const cJSON *why = doc ? cJSON_GetObjectItemCaseSensitive(json_root(doc), "error") : NULL;
  text_add(out, cJSON_IsString(why) ? json_str(why) : STR("it does not say why"));
  json_free(&doc);
  diags_free(&diags);
}

int ctl_report(const struct ctl *ctl, const struct client_response *response) {
  const char *hint = response->status != 401 ? ""
                     : ctl->token            ? " (is the file that of this gateway?)"
                                             : " (give --token-file, or -c with a token_file)";
  struct text why;
  text_init(&why, 4096);
  ctl_add_error(response, &why);
  cli_error(ctl->command, "the gateway answered %d: %.*s%s", response->status,
            STR_ARG(text_str(&why)), hint);
  text_deinit(&why);
  return CLI_FAILED;
}

int ctl_flush(const struct ctl *ctl) {
  return fflush(stdout) == 0 ? CLI_OK : cli_error(ctl->command, "stdout: %s", strerror(errno));
}
