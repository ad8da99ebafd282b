/*
 * search: whether a request can be that makes conditions what they are assumed to be. Private to
 * src/findings.
 *
 * What is assumed of a condition is taken apart: what must hold all at once narrows the slots'
 * values, what may hold in one way or another is tried way by way. "Impossible" is proved;
 * "possible" is only that nothing speaks against it.
 */
#ifndef ADIT_FINDINGS_SEARCH_H
#define ADIT_FINDINGS_SEARCH_H

#include "values.h"

enum { SEARCH_STEPS = 20000, SEARCH_DEPTH_MAX = 512 };

/* What is still to be assumed, in a list that only grows in front. */
struct goal {
  const struct condition *condition; /* NULL: always true */
  enum assumption assumption;
  const struct goal *next;
};

enum verdict {
  VERDICT_IMPOSSIBLE,
  VERDICT_FOUND, /* `end` said so, or there is none and nothing speaks against it */
  VERDICT_OPEN   /* neither: `end` could not tell, steps or memory ran out */
};

struct search;

/*
 * Called where nothing speaks against what is assumed so far. May ask for more: *ret_more is then
 * assumed as well, and VERDICT_IMPOSSIBLE says to go on so.
 */
typedef enum verdict search_end(void *context, const struct search *search,
                                const struct goal **ret_more);

struct search {
  struct arena *arena; /* for what is tried; the caller resets it */
  struct regex_scratch *scratch;
  const struct domains *domains;
  const struct slot_values **values; /* by slot */
  size_t steps;
  search_end *end; /* NULL: none */
  void *context;
  unsigned depth;
};

/* Begins from `values` (by slot), which are copied. False: memory. */
bool search_begin(struct search *search, struct arena *arena, const struct domains *domains,
                  const struct slot_values *const *values, struct regex_scratch *scratch);
enum verdict search_run(struct search *search, const struct goal *goals);
struct values_maker search_maker(struct search *search);
/* One goal more, in the search's arena. NULL: memory. */
const struct goal *goal_add(struct arena *arena, const struct goal *goals,
                            const struct condition *condition, enum assumption assumption);

#endif
