/*
 * replay: what its files share, private to src/cli.
 *
 *   replay.c         flags, the two policies, the guard
 *   replay_input.c   files ─► blocks of whole lines
 *   replay_run.c     blocks ─► threads, each with deciders and a tally of its own
 *   replay_line.c    a line ─► both decisions ─► the tally
 *   replay_tally.c   what is counted, and how tallies become one
 *   replay_report.c, replay_json.c   what is said of it
 */
#ifndef ADIT_CLI_REPLAY_H
#define ADIT_CLI_REPLAY_H

#include "adit/text.h"
#include "cli/distinct.h"
#include "cli/explain.h"
#include "cli/logged.h"

enum {
  REPLAY_BLOCK_BYTES = 1 << 20,
  REPLAY_KINDS_MAX = 4096,  /* of moves, told apart; further ones are counted together */
  REPLAY_REASONS_MAX = 256, /* why a decision is not known; as above */
  REPLAY_EXAMPLES_MAX = 100,
  REPLAY_THREADS_MAX = 64,
  REPLAY_USERS_EXACT = 1 << 20, /* kept of all; of one route and of one kind of move: fewer */
  REPLAY_ROUTE_USERS_EXACT = 1 << 16,
  REPLAY_MOVE_USERS_EXACT = 1 << 14
};

struct replay_options {
  const char *config_path, *new_config_path; /* NULL: not given */
  char *const *new_paths;
  size_t new_path_count;
  char *const *logs;
  size_t log_count;
  /* In millionths; -1: not given. */
  int64_t max_moved, max_moved_users;
  bool assume_no_force, assume_no_pins, assume_unchanged;
  size_t examples, threads;
  bool json;
};

/* ---- what is shared by all threads, read-only ------------------------------------------------ */

/* Attributes of which the log has another value than the proposed files would give them. */
struct replay_name {
  struct str name;
  bool anew; /* it can be found again by what each line tells; else it is not known */
};

struct replay_foreign {
  const struct replay_name *items;
  size_t n;
  bool draws; /* by one that is not known: the line's bucket is of another key */
};

/* An attribute whose value is a user's. */
struct replay_key {
  struct str name;
  uint64_t seed;
};

struct replay_keys {
  const struct replay_key *items;
  size_t n;
};

struct replay_plan {
  const struct replay_options *options;
  struct policy *before, *after;
  const struct logged_index *index; /* of `before` */
  bool has_foreign;
  /* Of each route of `after`: where the line is of the route of this name, and of another. */
  const struct replay_foreign *foreign, *foreign_elsewhere;
  const struct replay_keys *keys; /* of each route of `before` */
  struct arena *arena;
};

/* The key of adit.json whose change the log cannot tell the outcome of; NULL: none has changed. */
const char *replay_plan_obstacle(const struct replay_plan *plan);
/* Finds out the rest of a plan whose options and policies are set. False: memory. */
bool replay_plan_init(struct replay_plan *plan) __attribute__((warn_unused_result));

/* ---- tally ----------------------------------------------------------------------------------- */

/* A line: in which block, the how manieth of it (from 1). Blocks are numbered over all files. */
struct replay_spot {
  uint64_t block;
  uint64_t line;
};

struct replay_example {
  struct replay_spot spot;
  struct str text, json; /* of the request and of what mattered */
};

/* From where to where. */
struct replay_move {
  struct decision before, after; /* route, variant, rule and reason only */
  bool moved;                    /* false: to the same place, by another rule or reason */
  uint64_t requests;
  struct distinct users;
  struct replay_example *examples; /* of the first lines, in their order */
  size_t example_count;
};

/* Why decisions are not known. */
struct replay_reason {
  struct str text;
  uint64_t requests;
  struct replay_spot first;
};

struct replay_cell {
  uint64_t requests, moved;
};

/* One policy's side of one route. `rules` has the default behind its rules. */
struct replay_route {
  struct replay_cell all;
  struct replay_cell *variants, *rules;
  struct distinct users, moved_users;
};

struct replay_kind {
  uint64_t lines;
  struct replay_spot first;
  const char *why; /* of the first, if there is more to say; static */
  size_t column;
};

struct replay_tally {
  struct arena *arena; /* examples and reasons */
  size_t examples_max;
  uint64_t lines;
  struct replay_kind kinds[LOG_KINDS];
  uint64_t routeless;         /* requests that have no route under either policy */
  uint64_t decided;           /* the others, under both policies */
  uint64_t moved;             /* of these */
  uint64_t same_variant;      /* decided otherwise, to the same place */
  uint64_t unknown;           /* requests of which at least one decision is not known */
  uint64_t unknown_anonymous; /* of these: without a user */
  uint64_t anonymous;         /* decided, without a user */
  uint64_t other_config; /* requests that were logged under other files than the present ones */
  struct replay_reason disagreeing; /* decided otherwise than the log says, under the same files */
  struct distinct users, moved_users, doubtful_users; /* the last: moved, or not known */
  struct replay_route *before, *after;                /* by policy_route_number */
  size_t before_count, after_count;
  struct replay_move *moves;
  size_t move_count;
  uint16_t *move_index; /* a hash table over `moves` */
  uint64_t other_moves; /* requests of kinds beyond the bound */
  struct replay_reason *reasons;
  size_t reason_count;
  uint64_t other_reasons;
  bool failed; /* memory */
};

/* False: memory; deinit all the same. */
bool replay_tally_init(struct replay_tally *tally, const struct replay_plan *plan)
    __attribute__((warn_unused_result));
void replay_tally_deinit(struct replay_tally *tally, const struct replay_plan *plan);
/* Adds all that `other` counted; the outcome does not depend on the order. `plan` as at init. */
void replay_tally_merge(struct replay_tally *tally, const struct replay_tally *other,
                        const struct replay_plan *plan);
/* The move of this kind, made when it is new; NULL: beyond the bound. */
struct replay_move *replay_tally_move(struct replay_tally *tally, const struct decision *before,
                                      const struct decision *after);
void replay_tally_reason(struct replay_tally *tally, struct str text, struct replay_spot spot);
/* Whether requests go elsewhere: another route, variant or upstream. */
bool replay_is_moved(const struct decision *before, const struct decision *after);

/* ---- lines ----------------------------------------------------------------------------------- */

/* What one thread has. */
struct replay_worker {
  const struct replay_plan *plan;
  struct decider *before, *after;
  struct log_reader *log;
  struct replay_tally tally;
  struct log_line line;
  struct attr_given *given; /* LOG_ATTRIBUTES_MAX: the line's, but for foreign ones */
  struct text text, json;   /* of an example */
};

/* False: memory; deinit all the same. */
bool replay_worker_init(struct replay_worker *worker, const struct replay_plan *plan)
    __attribute__((warn_unused_result));
void replay_worker_deinit(struct replay_worker *worker);
/* Counts a line, whose bytes are changed. */
void replay_line(struct replay_worker *worker, char *p, size_t n, struct replay_spot spot);
/* The same for one that is longer than a line may be and was passed over. */
void replay_line_too_long(struct replay_worker *worker, struct replay_spot spot);

/* ---- input ----------------------------------------------------------------------------------- */

/* Whole lines of one file. */
struct replay_block {
  char *p; /* REPLAY_BLOCK_BYTES + LOG_LINE_BYTES_MAX */
  size_t n;
  uint64_t number; /* over all files, from 0 */
  size_t log;      /* which file */
  bool too_long;   /* before its first line one was passed over */
};

struct replay_input;
/* Reads the files one after the other ("-": stdin; gzip is unpacked). NULL: memory. */
struct replay_input *replay_input_new(char *const *paths, size_t n);
void replay_input_free(struct replay_input **input);
enum replay_read { REPLAY_BLOCK, REPLAY_END, REPLAY_FAILED };
/* Fills the next block. REPLAY_FAILED: `why` names the file and says why. */
enum replay_read replay_input_next(struct replay_input *input, struct replay_block *block,
                                   struct text *why);

/* ---- all of it ------------------------------------------------------------------------------- */

/* Where lines are: of each block its file, and the number of its first line there. */
struct replay_map {
  struct replay_map_block {
    size_t log;
    uint64_t lines, first_line;
  } * blocks;
  size_t n, capacity;
};

struct replay_place {
  const char *file;
  uint64_t line; /* from 1 */
};
struct replay_place replay_find(const struct replay_map *map, const struct replay_options *options,
                                struct replay_spot spot);

/* Reads and decides everything. CLI_OK, or what was reported. */
int replay_run(const struct cli_command *command, const struct replay_plan *plan,
               struct replay_tally *ret, struct replay_map *ret_map);

/* What the guard counts; `moved` counts what is not known as moved. */
struct replay_share {
  uint64_t moved, of;
};
struct replay_share replay_requests(const struct replay_tally *tally);
struct replay_share replay_users(const struct replay_tally *tally);
/* Whether no more than `max` (millionths) have moved; false when there are none at all. */
bool replay_is_within(struct replay_share share, int64_t max);

/* Lines of the log that may be requests of which nothing can be said. */
uint64_t replay_unreadable(const struct replay_tally *tally);

/* Moves in the order in which they are shown: the most frequent first. In `arena`; NULL: memory. */
const struct replay_move **replay_sort_moves(const struct replay_tally *tally, struct arena *arena);
const struct replay_reason **replay_sort_reasons(const struct replay_tally *tally,
                                                 struct arena *arena);

void replay_report(const struct replay_plan *plan, const struct replay_tally *tally,
                   const struct replay_map *map, struct text *out);
void replay_report_json(const struct replay_plan *plan, const struct replay_tally *tally,
                        const struct replay_map *map, struct text *out);

#endif
