/*
 * lane: takes the place of src/gateway/access_log.c, whose thread and file would be the system's.
 */
#include "lane.h"

#include <stdio.h>
#include <stdlib.h>

#include "adit/arena.h"
#include "check.h"
#include "cli/logged.h"
#include "gateway/access_log.h"

enum { INDEX_BYTES = 1 << 20 };

struct access_lane {
  struct access_line line;
};

static struct {
  struct access_lane lane;
  struct policy *policy;
  struct arena *kept; /* the index */
  struct decider *decider;
  struct log_reader *reader;
  struct logged_index *index;
  size_t lines, answered;
} log_;

static void require(bool holds) {
  if (!holds) abort();
}

struct access_log *lane_init(struct policy *policy) {
  const struct config_access_log *options = &policy_config(policy)->access_log;
  log_.kept = arena_new(INDEX_BYTES);
  log_.policy = policy;
  log_.decider = policy_decider_new(policy);
  log_.reader = log_reader_new();
  require(log_.kept && log_.decider && log_.reader);
  log_.index = logged_index_new(log_.kept, policy);
  require(log_.index && access_line_init(&log_.lane.line, options, STR("a key that nobody knows")));
  return (struct access_log *)&log_; /* only this file looks */
}

void lane_reset(void) {
  log_.lines = log_.answered = 0;
}

size_t lane_lines(void) {
  return log_.lines;
}

size_t lane_answered(void) {
  return log_.answered;
}

/* ---- what was told --------------------------------------------------------------------------- */

/* Unknown is what the line could not hold; what can be decided comes out the same. */
static void decide_again(struct log_line *line) {
  struct decision decision;
  if (!logged_is_current(log_.index, line)) check_failed(NULL, "a line of another configuration");
  logged_find_then(log_.index, true, line);
  decide(log_.decider, &line->request, &decision, NULL, NULL);
  if (decision.unknown == UNKNOWN_NOTHING && !logged_is_same(line, &decision))
    check_failed(NULL, "a line that is decided otherwise");
}

static void check_line(struct str made, bool has_decision) {
  struct log_line line;
  if (made.n == 0 || made.p[made.n - 1] != '\n') check_failed(NULL, "a line without an end");
  char *copy = malloc(made.n);
  require(copy != NULL);
  memcpy(copy, made.p, made.n);
  log_read(log_.reader, copy, made.n - 1, &line);
  switch (line.kind) {
    case LOG_REQUEST:
      decide_again(&line);
      break;
    case LOG_REFUSED:
      if (has_decision) check_failed(NULL, "a decision that its line does not tell");
      break;
    case LOG_BARE: /* an ambiguous path */
    case LOG_CUT:
      break;
    case LOG_COMBINED:
    case LOG_HALF:
    case LOG_TOO_LARGE:
    case LOG_MALFORMED:
    case LOG_BLANK:
    case LOG_KINDS:
      fprintf(stderr, "%.*s", STR_ARG(made));
      check_failed(NULL, line.why ? line.why : "a line that cannot be read again");
  }
  free(copy);
}

/* ---- in place of access_log.c ---------------------------------------------------------------- */

const struct config_access_log *__wrap_access_log_options(const struct access_log *log);
struct access_lane *__wrap_access_log_lane(struct access_log *log, unsigned worker);
void __wrap_access_lane_begin_attributes(struct access_lane *lane, struct access_attributes *ret);
bool __wrap_access_lane_tell(struct access_lane *lane, const struct access_entry *entry);
void __wrap_access_lane_end_turn(struct access_lane *lane);

const struct config_access_log *__wrap_access_log_options(const struct access_log *log) {
  (void)log;
  return &policy_config(log_.policy)->access_log;
}

struct access_lane *__wrap_access_log_lane(struct access_log *log, unsigned worker) {
  (void)worker;
  return log ? &log_.lane : NULL;
}

void __wrap_access_lane_begin_attributes(struct access_lane *lane, struct access_attributes *ret) {
  access_attributes_begin(ret, &lane->line.text, lane->line.hmac);
}

bool __wrap_access_lane_tell(struct access_lane *lane, const struct access_entry *entry) {
  log_.lines++;
  log_.answered += entry->status > 0;
  check_line(access_line_make(&lane->line, entry), entry->reason.p != NULL);
  return true;
}

void __wrap_access_lane_end_turn(struct access_lane *lane) {
  (void)lane;
}
