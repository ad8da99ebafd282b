/* ctl_explain: requests as lines of JSON, decided by the running gateway. */
#include <errno.h>
#include <stdio.h>
#include <unistd.h>

#include "cli/ctl.h"
#include "cli/lines.h"

/* The mistake of a line as `adit explain --batch` has it. */
static int print_mistake(const struct ctl *ctl, struct str why, uint64_t number) {
  struct text out;
  text_init(&out, CTL_ANSWER_BYTES_MAX);
  text_add(&out, STR("{\"error\":"));
  text_add_json(&out, why);
  text_printf(&out, ",\"line\":%llu}\n", (unsigned long long)number);
  fwrite(out.p ? out.p : "", 1, out.n, stdout);
  const bool failed = text_failed(&out);
  text_deinit(&out);
  return failed ? cli_error(ctl->command, "out of memory") : ctl_flush(ctl);
}

/* `number`: of the line; 0: it is an argument. */
static int print_wrong(const struct ctl *ctl, const struct client_response *response,
                       uint64_t number) {
  struct text why;
  text_init(&why, CTL_ANSWER_BYTES_MAX);
  if (number > 0) ctl_add_error(response, &why);
  int status = CLI_FAILED;
  if (text_failed(&why)) {
    cli_error(ctl->command, "out of memory");
  } else if (number > 0) {
    status = print_mistake(ctl, text_str(&why), number);
  } else {
    fwrite(response->body.p, 1, response->body.n, stdout);
    status = ctl_flush(ctl);
  }
  text_deinit(&why);
  return status;
}

/* A line as `adit explain --batch` has it, and the answer as it came. *ret_wrong: it was an error
 * of the line, which does not hold up those behind it. */
static int explain_one(const struct ctl *ctl, struct str line, uint64_t number, bool *ret_wrong) {
  struct client_request request = {.body = line};
  struct client_response response;
  int status = CLI_FAILED;
  const char *path = ctl->trace ? "/api/v1/explain?trace=1" : "/api/v1/explain";
  if (ctl_call(ctl, path, &request, &response)) {
    *ret_wrong = *ret_wrong || response.status != 200;
    if (response.status == 200) {
      fwrite(response.body.p, 1, response.body.n, stdout);
      status = ctl_flush(ctl);
    } else if (response.status == 400 || response.status == 413) {
      status = print_wrong(ctl, &response, number);
    } else {
      status = ctl_report(ctl, &response);
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
  bool any = false;
  while (status == CLI_OK) {
    switch (lines_next(lines, &line)) {
      case LINE_END:
        return any ? CLI_OK : cli_usage_error(ctl->command, "there is no line on standard input");
      case LINE_MORE: {
        int error = lines_fill(lines);
        if (error) status = cli_error(ctl->command, "stdin: %s", strerror(-error));
        break;
      }
      case LINE_TOO_LONG:
        any = *ret_wrong = true;
        status = print_mistake(ctl, STR("the line is longer than 1 MiB"), lines->number);
        break;
      case LINE_WHOLE:
        if (is_blank(line)) break;
        any = true;
        status = explain_one(ctl, line, lines->number, ret_wrong);
        break;
    }
  }
  return status;
}

int ctl_explain(const struct ctl *ctl, int argc, char **argv) {
  bool wrong = false;
  int status;
  if (argc > 0) {
    status = explain_one(ctl, str_from_cstr(argv[0]), 0, &wrong);
  } else {
    struct lines lines;
    status = lines_init(&lines, STDIN_FILENO) ? explain_lines(ctl, &lines, &wrong)
                                              : cli_error(ctl->command, "out of memory");
    lines_deinit(&lines);
  }
  return status == CLI_OK && wrong ? CLI_FAILED : status;
}
