/*
 * explain --from-log: decides logged requests again, and says whether the log has the same.
 *
 *   explain_log ─► explain_line ─► log_read ─► decide() ─► text (explanation.c) or JSON
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "adit/arena.h"
#include "adit/text.h"
#include "cli/explain.h"
#include "cli/explanation.h"
#include "cli/lines.h"
#include "cli/logged.h"

struct session {
  const struct cli_command *command;
  struct policy *policy;
  struct decider *decider;
  struct attr_reader *reader;
  struct logged_index *index;
  struct arena *kept;  /* the index */
  struct arena *arena; /* of one line */
  struct log_reader *log;
  struct text out;
  bool assume_unchanged;
  bool json;
  bool any; /* a line that is not blank was there */
  int status;
};

/* What was made of one line. */
struct again {
  struct log_line line;
  uint64_t number;
  struct decision decision;
  struct rules_trace trace;
  bool current; /* logged under the same files */
};

static int status_of(const struct again *again) {
  if (again->decision.unknown != UNKNOWN_NOTHING) return CLI_UNKNOWN;
  return logged_is_same(&again->line, &again->decision) ? CLI_OK : CLI_DIFFERS;
}

/* What was not like this in the moment of the decision: a failover. */
static bool has_failed_over(const struct log_line *line) {
  return !str_eq(line->reason, line->decided_reason);
}

/* ---- JSON ------------------------------------------------------------------------------------ */

static void add_member(struct text *out, struct str key, struct str value) {
  text_add(out, key);
  if (value.p)
    text_add_json(out, value);
  else
    text_add(out, STR("null"));
}

static void add_logged(const struct log_line *line, struct text *out) {
  add_member(out, STR("\"logged\":{\"route\":"), line->route);
  add_member(out, STR(",\"variant\":"), line->decided);
  add_member(out, STR(",\"reason\":"), line->decided_reason);
  add_member(out, STR(",\"rule\":"), line->rule);
  if (line->recorded.bucket >= 0)
    text_printf(out, ",\"bucket\":%d", line->recorded.bucket);
  else
    text_add(out, STR(",\"bucket\":null"));
  if (has_failed_over(line)) add_member(out, STR(",\"failover\":"), line->variant);
  add_member(out, STR(",\"config\":"), line->config);
  text_add_char(out, '}');
}

static void add_unknown(const struct decide_request *request, const struct decision *decision,
                        struct text *out) {
  struct text why;
  text_init(&why, 4096);
  logged_format_unknown(request, decision, &why);
  add_member(out, STR(",\"decision\":null,\"unknown\":"), text_str(&why));
  text_deinit(&why);
}

static void format_json(const struct again *again, struct text *out) {
  static const char *const same[] = {
      [CLI_OK] = "true", [CLI_DIFFERS] = "false", [CLI_UNKNOWN] = "null"};
  text_printf(out, "{\"line\":%llu,\"kind\":\"%s\",\"same\":%s,\"same_config\":%s,",
              (unsigned long long)again->number, log_kind_name(again->line.kind),
              same[status_of(again)], again->current ? "true" : "false");
  add_logged(&again->line, out);
  if (again->decision.unknown == UNKNOWN_NOTHING) {
    text_add(out, STR(",\"decision\":"));
    decision_to_json(&again->decision, &again->trace, out);
  } else {
    add_unknown(&again->line.request, &again->decision, out);
  }
  text_add(out, STR("}\n"));
}

/* ---- text ------------------------------------------------------------------------------------ */

static void add_logged_decision(const struct log_line *line, struct text *out) {
  text_add(out, line->decided.p ? line->decided : STR("no variant"));
  text_add(out, STR(" ("));
  text_add(out, line->decided_reason);
  if (line->rule.p) text_printf(out, ", rule '%.*s'", STR_ARG(line->rule));
  if (line->recorded.bucket >= 0) text_printf(out, ", bucket %d", line->recorded.bucket);
  text_add_char(out, ')');
}

/* What to do where the other files of then are what makes it unknown. */
static const char *assumption_of(enum decide_unknown unknown) {
  if (unknown == UNKNOWN_NOTHING || unknown == UNKNOWN_ATTRIBUTE) return "";
  return " (--assume-unchanged: as if cookie, bucket and force were the same)";
}

static void format_comparison(const struct explanation *shown, const struct again *again,
                              struct text *out) {
  const struct log_line *line = &again->line;
  struct str hash = policy_hash(shown->policy);
  explanation_label(out, "log");
  switch (status_of(again)) {
    case CLI_OK:
      text_add(out, STR("has the same: "));
      break;
    case CLI_DIFFERS:
      text_add(out, STR("DIFFERS: it has "));
      break;
    default:
      text_add(out, STR("cannot be followed, it tells too little: it has "));
      break;
  }
  add_logged_decision(line, out);
  text_add_char(out, '\n');
  explanation_label(out, "config");
  if (again->current)
    text_add(out, STR("the same as of the log\n"));
  else
    text_printf(out, "another one than of the log: %.*s here, %.*s there%s\n", STR_ARG(hash),
                STR_ARG(line->config), assumption_of(again->decision.unknown));
  if (!has_failed_over(line)) return;
  explanation_label(out, "failover");
  text_printf(out, "%.*s answered in its place, by %.*s\n",
              STR_ARG(line->variant.p ? line->variant : STR("nobody")), STR_ARG(line->reason));
}

static void format_text(struct session *session, const struct again *again, struct text *out) {
  const struct decide_request *request = &again->line.request;
  struct explanation shown = {
      session->policy, request, &again->decision, &again->trace, session->reader, NULL, {0}};
  if (again->decision.route) {
    attr_reader_begin(session->reader, again->decision.route->table, &request->attr);
    if (again->decision.unknown == UNKNOWN_NOTHING)
      shown.prober = explain_prober(session->policy, request, &again->decision);
  }
  format_comparison(&shown, again, out);
  explanation_format(&shown, out);
  policy_prober_free(&shown.prober);
}

/* ---- lines ----------------------------------------------------------------------------------- */

/* The worst of all lines is the answer: one that the log has otherwise must not be hidden behind
 * one of which it tells too little. */
static void note(struct session *session, int status) {
  static const int worse[] = {[CLI_OK] = 0, [CLI_UNKNOWN] = 1, [CLI_DIFFERS] = 2, [CLI_FAILED] = 3};
  if (worse[status] > worse[session->status]) session->status = status;
}

static void print(struct session *session) {
  if (text_failed(&session->out))
    note(session, cli_error(session->command, "the answer does not fit into memory"));
  else
    fwrite(session->out.p, 1, session->out.n, stdout);
}

/* Why nothing of a line was decided again. `lead` parts its number from that. */
static void tell(struct session *session, uint64_t number, enum log_kind kind, const char *lead,
                 const char *why, const char *advice) {
  struct text text;
  text_init(&text, 4096);
  text_printf(&text, "%s%s%s", why, why[0] && advice[0] ? "; " : "", advice);
  if (session->json) {
    text_clear(&session->out);
    text_printf(&session->out, "{\"line\":%llu,\"kind\":\"%s\"", (unsigned long long)number,
                log_kind_name(kind));
    text_add(&session->out, STR(",\"same\":null,\"same_config\":null,\"logged\":null"));
    add_member(&session->out, STR(",\"decision\":null,\"unknown\":"), text_str(&text));
    text_add(&session->out, STR("}\n"));
    print(session);
  } else {
    cli_error(session->command, "line %llu%s: %.*s", (unsigned long long)number, lead,
              STR_ARG(text_str(&text)));
  }
  text_deinit(&text);
}

/* A line that is no decision, or not whole. */
static void tell_kind(struct session *session, const struct log_line *line, uint64_t number) {
  const char *why = line->why ? line->why : "", *advice = log_kind_advice(line->kind);
  char place[64];
  if (line->kind == LOG_REFUSED) {
    tell(session, number, line->kind, "", "nothing was decided, the gateway answered by itself",
         "");
    return;
  }
  note(session, CLI_UNKNOWN);
  (void)snprintf(place, sizeof(place), ", column %zu", line->column);
  tell(session, number, line->kind, line->column > 0 ? place : " cannot be decided again", why,
       advice);
}

static void tell_too_long(struct session *session, uint64_t number) {
  const struct log_line line = {.kind = LOG_TOO_LARGE, .why = "it is longer than 1 MiB"};
  session->any = true;
  tell_kind(session, &line, number);
}

static void explain_line(struct session *session, char *p, size_t n, uint64_t number) {
  struct again again = {.number = number};
  log_read(session->log, p, n, &again.line);
  if (again.line.kind == LOG_BLANK) return;
  session->any = true;
  if (again.line.kind != LOG_REQUEST) {
    tell_kind(session, &again.line, number);
    return;
  }
  again.current = logged_is_current(session->index, &again.line);
  logged_find_then(session->index, again.current || session->assume_unchanged, &again.line);
  decide(session->decider, &again.line.request, &again.decision, &again.trace, session->arena);
  text_clear(&session->out);
  if (session->json)
    format_json(&again, &session->out);
  else
    format_text(session, &again, &session->out);
  print(session);
  note(session, status_of(&again));
  arena_reset(session->arena);
}

/* Blank lines part the explanations. */
static void explain_next(struct session *session, char *p, size_t n, uint64_t number) {
  if (session->any && !session->json) putchar('\n');
  explain_line(session, p, n, number);
}

static int explain_stdin(struct session *session) {
  struct lines lines;
  struct str line;
  int error = lines_init(&lines, STDIN_FILENO) ? 0 : -ENOMEM;
  for (bool more = !error; more && !error;) {
    switch (lines_next(&lines, &line)) {
      case LINE_END:
        more = false;
        break;
      case LINE_MORE:
        error = lines_fill(&lines);
        break;
      case LINE_TOO_LONG:
        tell_too_long(session, lines.number);
        break;
      case LINE_WHOLE:
        explain_next(session, lines.p + (line.p - lines.p), line.n, lines.number);
        break;
    }
  }
  lines_deinit(&lines);
  if (error) return cli_error(session->command, "standard input: %s", strerror(-error));
  if (!session->any) return cli_usage_error(session->command, "there is no line on standard input");
  return session->status;
}

static int explain_argument(struct session *session, const char *text) {
  char *line = strdup(text);
  if (!line) return cli_error(session->command, "out of memory");
  size_t n = strlen(line);
  if (n > 0 && line[n - 1] == '\n') n--; /* of a tool that reads lines */
  explain_line(session, line, n, 1);
  free(line);
  if (!session->any) return cli_usage_error(session->command, "the line of --from-log is empty");
  return session->status;
}

static bool session_init(struct session *session) {
  text_init(&session->out, EXPLAIN_TEXT_BYTES);
  session->decider = policy_decider_new(session->policy);
  session->reader = policy_reader_new(session->policy);
  session->kept = arena_new(EXPLAIN_ARENA_BYTES);
  session->arena = arena_new(EXPLAIN_ARENA_BYTES);
  session->log = log_reader_new();
  if (!session->decider || !session->reader || !session->kept || !session->arena || !session->log)
    return false;
  session->index = logged_index_new(session->kept, session->policy);
  return session->index != NULL;
}

int explain_log(const struct cli_command *command, struct policy *policy, const char *text,
                bool assume_unchanged, bool json) {
  struct session session = {
      .command = command, .policy = policy, .assume_unchanged = assume_unchanged, .json = json};
  int status = CLI_FAILED;
  if (!session_init(&session))
    cli_error(command, "out of memory");
  else if (strcmp(text, "-") == 0)
    status = explain_stdin(&session);
  else
    status = explain_argument(&session, text);
  log_reader_free(&session.log);
  attr_reader_free(&session.reader);
  decider_free(&session.decider);
  arena_free(&session.arena);
  arena_free(&session.kept);
  text_deinit(&session.out);
  return status;
}
