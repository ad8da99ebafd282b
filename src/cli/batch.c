/* batch: requests as lines of JSON in, decisions as lines of JSON out. */
#include <errno.h>
#include <stdio.h>

#include "adit/arena.h"
#include "adit/json.h"
#include "adit/text.h"
#include "adit/units.h"
#include "cli/explain.h"
#include "cli/lines.h"

struct batch {
  struct policy *policy;
  struct decider *decider;
  struct policy *other; /* to compare with; NULL: none */
  struct decider *other_decider;
  struct explain_tokens tokens, other_tokens;
  struct arena *kept; /* what `moves` counts */
  struct moves *moves;
  struct arena *arena; /* of one line */
  struct diags *diags; /* of one line; renewed when there were any */
  struct lines lines;
  struct text out;
  bool with_trace;
};

static bool is_blank(struct str line) {
  for (size_t i = 0; i < line.n; i++) {
    char c = line.p[i];
    if (c != ' ' && c != '\t' && c != '\r') return false;
  }
  return true;
}

static void add_error(struct batch *batch, struct str why) {
  text_clear(&batch->out);
  text_add(&batch->out, STR("{\"error\":"));
  text_add_json(&batch->out, why);
  text_printf(&batch->out, ",\"line\":%llu}\n", (unsigned long long)batch->lines.number);
}

static void add_mistake(struct batch *batch) {
  struct text why;
  text_init(&why, 1 << 16);
  request_mistake(batch->diags, &why);
  add_error(batch, text_str(&why));
  text_deinit(&why);
}

/* The mistakes of a line are its own. */
static void forget_diags(struct batch *batch) {
  diags_free(&batch->diags);
  batch->diags = diags_new();
}

/* What is otherwise under the other policy; nothing where both decide alike. */
static void add_difference(struct batch *batch, const struct decide_request *request,
                           const struct decision *before) {
  struct decision after;
  struct str why;
  if (!request_decide(batch->other, batch->other_decider, request, batch->arena, &after, NULL,
                      &why)) {
    add_error(batch, why);
    return;
  }
  text_clear(&batch->out);
  moves_add(batch->moves, before, &after);
  if (explain_same(before, &after)) return;
  explain_pair_to_json(before, &after, &batch->out);
  text_printf(&batch->out, ",\"line\":%llu}\n", (unsigned long long)batch->lines.number);
}

/* Answers a request as it came. */
static void add_decision(struct batch *batch, const struct decide_request *request) {
  struct decision decision;
  struct rules_trace trace = {0};
  struct rules_trace *recorded = batch->with_trace ? &trace : NULL;
  struct str why;
  if (!request_decide(batch->policy, batch->decider, request, batch->arena, &decision, recorded,
                      &why)) {
    add_error(batch, why);
    return;
  }
  if (batch->other) {
    add_difference(batch, request, &decision);
    return;
  }
  text_clear(&batch->out);
  decision_to_json(&decision, recorded, &batch->out);
  text_add_char(&batch->out, '\n');
  if (text_failed(&batch->out)) add_error(batch, STR("the answer does not fit into memory"));
}

static void answer(struct batch *batch, struct str line) {
  if (!batch->diags) forget_diags(batch);
  if (!batch->diags) {
    add_error(batch, STR("out of memory"));
    return;
  }
  struct decide_request request = {0};
  struct json_doc *doc = json_parse(line, "line", JSON_STRICT, batch->diags);
  if (doc && request_from_json(doc, json_root(doc), batch->arena, clock_wall_ms(), &request, NULL,
                               batch->diags)) {
    add_decision(batch, &request);
  } else {
    add_mistake(batch);
    forget_diags(batch);
  }
  json_free(&doc);
  arena_reset(batch->arena);
}

/* Whoever feeds us line by line waits for the answer to the line before. */
static int read_more(struct batch *batch) {
  if (lines_would_wait(&batch->lines) && fflush(stdout) != 0) return -errno;
  return lines_fill(&batch->lines);
}

/* Answers what has been read, up to the end of input or an error. 0, or -errno. */
static int run_lines(struct batch *batch) {
  struct str line;
  int error;
  for (;;) {
    switch (lines_next(&batch->lines, &line)) {
      case LINE_END:
        return 0;
      case LINE_MORE:
        error = read_more(batch);
        if (error) return error;
        continue;
      case LINE_TOO_LONG:
        add_error(batch, STR("the line is longer than 1 MiB"));
        break;
      case LINE_WHOLE:
        if (is_blank(line)) continue;
        answer(batch, line);
        break;
    }
    if (fwrite(batch->out.p ? batch->out.p : "", 1, batch->out.n, stdout) != batch->out.n) {
      return -errno;
    }
  }
}

/* On stderr: stdout has what differs, for programs. */
static void print_moves(const struct batch *batch) {
  size_t all, moved = moves_count(batch->moves, &all);
  struct text out;
  text_init(&out, 1 << 20);
  text_printf(&out, "%zu of %zu requests decided otherwise\n", moved, all);
  moves_format(batch->moves, &out);
  fflush(stdout); /* what differs comes before what is said of it */
  fwrite(out.p ? out.p : "", 1, out.n, stderr);
  text_deinit(&out);
}

/* False: memory. */
static bool begin_comparison(struct batch *batch, struct policy *other) {
  if (!other) return true;
  batch->other = other;
  batch->other_decider = policy_decider_new(other);
  batch->kept = arena_new(EXPLAIN_ARENA_BYTES);
  batch->moves = batch->kept ? moves_new(batch->kept) : NULL;
  return batch->other_decider && batch->moves &&
         explain_tokens_init(&batch->other_tokens, other, NULL, batch->other_decider, NULL);
}

/* The exit status of a batch that was read to its end. */
static int end_comparison(const struct batch *batch) {
  size_t all;
  if (!batch->other) return CLI_OK;
  print_moves(batch);
  return moves_count(batch->moves, &all) > 0 ? CLI_FAILED : CLI_OK;
}

int explain_batch(const struct cli_command *command, struct policy *policy, struct policy *other,
                  int fd, bool with_trace) {
  struct batch batch = {.policy = policy, .with_trace = with_trace};
  setvbuf(stdout, NULL, _IOFBF, 1 << 16);
  text_init(&batch.out, EXPLAIN_TEXT_BYTES);
  batch.arena = arena_new(EXPLAIN_ARENA_BYTES);
  batch.decider = policy_decider_new(policy);
  bool ready = lines_init(&batch.lines, fd) && batch.arena && batch.decider &&
               explain_tokens_init(&batch.tokens, policy, NULL, batch.decider, NULL) &&
               begin_comparison(&batch, other);
  int error = ready ? run_lines(&batch) : -ENOMEM;
  int status = error ? cli_error(command, "batch: %s", strerror(-error)) : end_comparison(&batch);
  lines_deinit(&batch.lines);
  decider_free(&batch.other_decider);
  decider_free(&batch.decider);
  explain_tokens_deinit(&batch.other_tokens);
  explain_tokens_deinit(&batch.tokens);
  diags_free(&batch.diags);
  arena_free(&batch.kept);
  arena_free(&batch.arena);
  text_deinit(&batch.out);
  return status;
}
