/*
 * script: what an input says, played while the worker's loop sleeps. fuzz_exchange.c describes it.
 */
#ifndef ADIT_TESTS_FUZZ_SCRIPT_H
#define ADIT_TESTS_FUZZ_SCRIPT_H

#include "gateway/worker.h"
#include "kernel.h"

/* From now on the kernel plays `text` to the worker; when it is over, only time passes, and when
 * nothing is left that time could end, the worker is stopped. `policy` is what "p" sends it. */
void script_begin(struct str text, struct worker *worker, struct policy *policy);

#endif
