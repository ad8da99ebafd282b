/*
 * explain: which variant a request gets, and why.
 *
 *   run_explain ─► explain_one    flags ─► a batch request (explain_request.c) ─► decide() ─►
 *                                 text (explanation.c) or JSON
 *               ─► explain_log    a line of the access log (explain_log.c)
 *               ─► explain_batch  lines ─► decide() ─► lines (batch.c)
 *               with --diff: both under two policies (explain_diff.c)
 */
#include <stdio.h>
#include <unistd.h>

#include "adit/arena.h"
#include "adit/json.h"
#include "adit/text.h"
#include "adit/units.h"
#include "cli/explain.h"
#include "cli/explanation.h"

enum { RULES_GIVEN_MAX = 1024 };

enum {
  OPTION_CLIENT_IP = 256,
  OPTION_UNTRUSTED,
  OPTION_NOW,
  OPTION_RULES,
  OPTION_JSON,
  OPTION_BATCH,
  OPTION_TRACE,
  OPTION_PIN,
  OPTION_BUCKET,
  OPTION_ATTRIBUTE,
  OPTION_DIFF,
  OPTION_FROM_LOG,
  OPTION_ASSUME_UNCHANGED
};

static const struct option option_names[] = {
    {"config", required_argument, NULL, 'c'},
    {"request", required_argument, NULL, 'X'},
    {"header", required_argument, NULL, 'H'},
    {"client-ip", required_argument, NULL, OPTION_CLIENT_IP},
    {"untrusted", no_argument, NULL, OPTION_UNTRUSTED},
    {"now", required_argument, NULL, OPTION_NOW},
    {"pin", required_argument, NULL, OPTION_PIN},
    {"bucket", required_argument, NULL, OPTION_BUCKET},
    {"attribute", required_argument, NULL, OPTION_ATTRIBUTE},
    {"rules", required_argument, NULL, OPTION_RULES},
    {"diff", required_argument, NULL, OPTION_DIFF},
    {"from-log", required_argument, NULL, OPTION_FROM_LOG},
    {"assume-unchanged", no_argument, NULL, OPTION_ASSUME_UNCHANGED},
    {"json", no_argument, NULL, OPTION_JSON},
    {"batch", no_argument, NULL, OPTION_BATCH},
    {"trace", no_argument, NULL, OPTION_TRACE},
    {0}};

struct options {
  const char *config_path;
  VEC(struct str) headers;
  VEC(struct str) attributes;
  VEC(char *) rules;
  VEC(char *) others;   /* rule files to compare with */
  const char *log_line; /* in place of a request; NULL: none */
  struct explain_request request;
  bool describes_request; /* an option that only one request can have was given */
  bool assume_unchanged;  /* with log_line */
  bool json, batch, trace;
};

/* What describes the request. False: out of memory. */
static bool take_request_option(int option, struct arena *arena, struct options *ret) {
  struct explain_request *request = &ret->request;
  struct str value = str_from_cstr(optarg);
  ret->describes_request = true;
  if (option == 'H') return VEC_PUSH(arena, &ret->headers, value);
  if (option == OPTION_ATTRIBUTE) return VEC_PUSH(arena, &ret->attributes, value);
  if (option == 'X') request->method = value;
  if (option == OPTION_CLIENT_IP) request->client_ip = value;
  if (option == OPTION_NOW) request->now = value;
  if (option == OPTION_PIN) request->pin = value;
  if (option == OPTION_BUCKET) request->bucket = value;
  if (option == OPTION_UNTRUSTED) request->untrusted = true;
  return true;
}

static bool take_option(int option, struct arena *arena, struct options *ret) {
  switch (option) {
    case 'c':
      ret->config_path = optarg;
      return true;
    case OPTION_RULES:
      return VEC_PUSH(arena, &ret->rules, optarg);
    case OPTION_DIFF:
      return VEC_PUSH(arena, &ret->others, optarg);
    case OPTION_FROM_LOG:
      ret->log_line = optarg;
      return true;
    case OPTION_ASSUME_UNCHANGED:
      ret->assume_unchanged = true;
      return true;
    case OPTION_JSON:
      ret->json = true;
      return true;
    case OPTION_BATCH:
      ret->batch = true;
      return true;
    case OPTION_TRACE:
      ret->trace = true;
      return true;
    default:
      return take_request_option(option, arena, ret);
  }
}

static int parse_options(const struct cli_command *command, int argc, char **argv,
                         struct arena *arena, struct options *ret) {
  int option;
  while ((option = cli_next_option(command, argc, argv, ":c:X:H:", option_names)) != -1) {
    if (option == '?') return CLI_USAGE;
    if (!take_option(option, arena, ret)) return cli_error(command, "out of memory");
  }
  ret->request.headers = ret->headers.items;
  ret->request.header_count = ret->headers.n;
  ret->request.attributes = ret->attributes.items;
  ret->request.attribute_count = ret->attributes.n;
  if (!ret->config_path) return cli_usage_error(command, "which adit.json? give -c FILE");
  if (ret->trace && ret->others.n)
    return cli_usage_error(command, "--trace and --diff do not go together");
  if (ret->log_line) {
    if (optind == argc && !ret->describes_request && !ret->batch && !ret->trace && !ret->others.n)
      return CLI_OK;
    return cli_usage_error(
        command,
        "--from-log takes the whole request from the line: no URL, nothing of a request, "
        "no --batch, --trace or --diff");
  }
  if (ret->assume_unchanged)
    return cli_usage_error(command, "--assume-unchanged is of a logged line: give --from-log");
  if (ret->batch) {
    if (optind == argc && !ret->describes_request) return CLI_OK;
    return cli_usage_error(command, "--batch reads its requests from standard input");
  }
  if (optind == argc) return cli_usage_error(command, "which URL?");
  if (optind + 1 < argc) {
    return cli_usage_error(command, "unexpected argument '%s'", argv[optind + 1]);
  }
  ret->request.url = str_from_cstr(argv[optind]);
  return CLI_OK;
}

/* ---- one request ----------------------------------------------------------------------------- */

/* Reads the flags' request as a line of a batch. CLI_OK, or what was reported. */
static int read_request(const struct cli_command *command, const struct options *options,
                        struct arena *arena, struct json_doc **ret_doc,
                        struct decide_request *ret) {
  struct text json, why;
  text_init(&json, EXPLAIN_TEXT_BYTES);
  text_init(&why, 4096);
  struct diags *diags = diags_new();
  int status = CLI_USAGE;
  if (!diags) {
    status = cli_error(command, "out of memory");
  } else if (!explain_request_to_json(&options->request, &json, &why)) {
    cli_usage_error(command, "%.*s", STR_ARG(text_str(&why)));
  } else if (!(*ret_doc = json_parse(text_str(&json), "arguments", JSON_STRICT, diags)) ||
             !request_from_json(*ret_doc, json_root(*ret_doc), arena, clock_wall_ms(), ret, NULL,
                                diags)) {
    const struct diag *first = diags_size(diags) ? diags_get(diags, 0) : NULL;
    cli_usage_error(command, "%s%s%s%s", first ? first->message : "out of memory",
                    first && first->hint ? " (" : "", first && first->hint ? first->hint : "",
                    first && first->hint ? ")" : "");
  } else {
    status = CLI_OK;
  }
  diags_free(&diags);
  text_deinit(&why);
  text_deinit(&json);
  return status;
}

static int print_explanation(const struct cli_command *command, const struct explanation *shown,
                             bool json) {
  struct text out;
  text_init(&out, EXPLAIN_TEXT_BYTES);
  if (json) {
    decision_to_json(shown->decision, shown->trace, &out);
    text_add_char(&out, '\n');
  } else {
    explanation_format(shown, &out);
  }
  int status = CLI_OK;
  if (text_failed(&out)) {
    status = cli_error(command, "the answer does not fit into memory");
  } else {
    fwrite(out.p, 1, out.n, stdout);
  }
  text_deinit(&out);
  return status;
}

struct policy_prober *explain_prober(struct policy *policy, const struct decide_request *request,
                                     const struct decision *decision) {
  if (!decision->route) return NULL;
  return policy_prober_new(policy, decision->route, request->attr.now_ms);
}

bool explain_check_given(const struct cli_command *command, const struct decide_request *request,
                         const struct decision *decision) {
  if (!decision->route) return true;
  struct str refused = request_refused_attribute(&request->attr, decision->route);
  if (!refused.p) return true;
  cli_usage_error(command, "--attribute '%.*s' is not a declared attribute", STR_ARG(refused));
  return false;
}

/* `other`: what to compare with; NULL: nothing. */
static int explain_one(const struct cli_command *command, struct policy *policy,
                       struct policy *other, const struct options *options, struct arena *arena) {
  struct json_doc *doc = NULL;
  struct decide_request request = {0};
  int status = read_request(command, options, arena, &doc, &request);
  if (status != CLI_OK) {
    json_free(&doc);
    return status;
  }
  if (other) {
    status = explain_diff(command, policy, other, &request, options->json);
    json_free(&doc);
    return status;
  }
  struct decider *decider = policy_decider_new(policy);
  struct attr_reader *reader = policy_reader_new(policy);
  struct explain_lookups lookups = {0};
  struct explain_tokens tokens = {0};
  if (decider && reader && explain_lookups_init(&lookups, policy, decider, reader) &&
      policy_strip_request(policy, arena, &request) &&
      explain_tokens_init(&tokens, policy, &request.attr, decider, reader)) {
    struct decision decision;
    struct rules_trace trace = {0};
    decide(decider, &request, &decision, &trace, arena);
    if (decision.route) attr_reader_begin(reader, decision.route->table, &request.attr);
    struct explanation shown = {
        policy, &request, &decision, &trace, reader, NULL, text_str(&tokens.text)};
    if (!options->json) shown.prober = explain_prober(policy, &request, &decision);
    status = explain_check_given(command, &request, &decision)
                 ? print_explanation(command, &shown, options->json)
                 : CLI_USAGE;
    policy_prober_free(&shown.prober);
  } else {
    status = cli_error(command, "out of memory");
  }
  attr_reader_free(&reader);
  decider_free(&decider);
  explain_lookups_deinit(&lookups);
  explain_tokens_deinit(&tokens);
  json_free(&doc);
  return status;
}

static int run_explain(const struct cli_command *command, int argc, char **argv) {
  struct arena *arena = arena_new(EXPLAIN_ARENA_BYTES);
  if (!arena) return cli_error(command, "out of memory");
  struct options options = {0};
  int status = parse_options(command, argc, argv, arena, &options);
  struct diags *diags = NULL;
  struct policy *policy = NULL, *other = NULL;
  if (status == CLI_OK) {
    policy =
        cli_load_policy(command, options.config_path, options.rules.items, options.rules.n, &diags);
    if (policy && options.others.n > 0)
      other = explain_load_other(command, options.config_path, policy, options.others.items,
                                 options.others.n);
    /* What there is to warn of is `check`'s to say. */
    if (!policy || (options.others.n > 0 && !other)) {
      status = CLI_FAILED;
    } else if (options.log_line) {
      status =
          explain_log(command, policy, options.log_line, options.assume_unchanged, options.json);
    } else if (options.batch) {
      status = explain_batch(command, policy, other, STDIN_FILENO, options.trace);
    } else {
      status = explain_one(command, policy, other, &options, arena);
    }
  }
  policy_unref(&other);
  policy_unref(&policy);
  diags_free(&diags);
  arena_free(&arena);
  return status;
}

const struct cli_command cli_explain = {
    .name = "explain",
    .synopsis = "-c adit.json [OPTIONS] URL | --from-log LINE | --batch [--trace | --diff FILE]",
    .summary = "shows which variant a request gets, and why",
    .details =
        "  -c, --config FILE     the configuration\n"
        "      --rules FILE      this rule file instead of those that adit.json names; may be\n"
        "                        given again\n"
        "  -X, --request METHOD  GET when left out\n"
        "  -H, --header LINE     'Name: value', or 'Name;' for an empty value; may be given again\n"
        "      --client-ip IP    the attribute client_ip; 127.0.0.1 when left out\n"
        "      --untrusted       sources that need a trusted proxy do not count\n"
        "      --now TIME        as of this time, as in a rule file\n"
        "      --pin VARIANT     as if a valid cookie pinned this variant\n"
        "      --attribute NAME=VALUE  a declared attribute's value, whatever its sources would "
        "say;\n"
        "                        several times: several values\n"
        "      --bucket N        as if the key's bucket were this one, 0..9999, in splits\n"
        "                        (bucket_in computes its own of the value)\n"
        "      --diff FILE       decide under this rule file too, in place of the one with its "
        "route;\n"
        "                        may be given again. What differs is shown, and the exit status "
        "is\n"
        "                        1 when anything does. With --batch: a line of JSON for each\n"
        "                        request that is decided otherwise, and a summary on stderr\n"
        "      --from-log LINE   decide again what this line of the access log tells of (-: each "
        "line\n"
        "                        on stdin). The exit status is 3 where the log has another "
        "decision,\n"
        "                        4 where it does not tell enough to make it again; of several "
        "lines\n"
        "                        3 comes before 4\n"
        "      --assume-unchanged  with --from-log: what a line of another configuration says of\n"
        "                        cookie, bucket and force holds as if this one had been in use\n"
        "      --json            one line of JSON instead of text\n"
        "      --batch           one JSON request a line on stdin, one JSON decision a line on\n"
        "                        stdout; a bad line gives {\"error\":...,\"line\":N}\n"
        "      --trace           with --batch: each decision with its rules\n"
        "\n"
        "Nothing is sent but questions to directories and for keys of tokens, and no anonymous\n"
        "visitor is drawn. Tokens and sticky cookies are verified as 'adit run' does.\n",
    .run = run_explain,
};
