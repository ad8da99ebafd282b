/*
 * check: what must be true of everything that went over the lines of one run.
 *
 *   requests   An origin sees what the client asked for, once (once more where that is allowed),
 *              under the same framing, with the same body; and nothing of what is malformed.
 *   responses  A client sees, in order, what was said to its own request, behind it and on the
 *              connection that carried it, or an answer of the gateway's own; whole, or cut so that
 *              it shows.
 *   tunnels    Behind a 101 that the origin gave to what the client offered, bytes go as they come.
 *   reuse      A connection to an origin carries another request only when both messages before
 *              it were complete, and nothing was said behind them.
 *
 * Who asked is told by X-Forwarded-For, which the gateway writes; which request of that client it
 * was, by the number of responses that the client had been given until then.
 */
#ifndef ADIT_TESTS_FUZZ_CHECK_H
#define ADIT_TESTS_FUZZ_CHECK_H

#include "kernel.h"

/* After the worker's end. Ends the program with what is wrong, and all that went over the lines. */
void check_lines(void);
/* All that went over the lines, to stderr. */
void check_print(void);
/* Says so, and ends the program. `line` may be NULL. */
_Noreturn void check_failed(const struct line *line, const char *what);

#endif
