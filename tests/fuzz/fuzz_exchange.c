/*
 * fuzz_exchange: a worker with its clients and origins, under any bytes from both sides, in any
 * pieces and any order. exchange/check.h says what must be true of what it sends; beyond that, when
 * nobody says anything more, every connection must end by itself and everything be freed, and each
 * request have one line in the access log (exchange/lane.h).
 *
 * An input is a script, a step to a line. A line ends at a line feed without a carriage return
 * before it, so that heads can be written as they are. A step happens when the worker has nothing
 * more to do; with ',' before it one turn of the loop after the step before, with '&' in the same.
 *
 *   c0 BYTES   client 0 says this (0..7; it connects first; 4..7 are trusted proxies)
 *   b0 N       it says N bytes of a pattern
 *   e0 r0      it ends its side; it resets
 *   w0 N       it takes N more bytes and then no more; without N: all again
 *   o0 B0 E0 R0 W0   the same of an origin: the n-th connection that was opened to one; without a
 *              number the one that was last sent something
 *   k LETTERS  how the next connects go: see exchange/kernel.c
 *   + N        N milliseconds pass
 *   p d        a new policy comes; the worker is to drain
 *
 * In BYTES, \n \r \0 and \\ stand for these octets. With FUZZ_SHOW in the environment a run prints
 * what went over the lines.
 */
#include <stdio.h>
#include <stdlib.h>

#include "adit/diag.h"
#include "adit/policy.h"
#include "adit/text.h"
#include "exchange/check.h"
#include "exchange/kernel.h"
#include "exchange/lane.h"
#include "exchange/script.h"
#include "gateway/listeners.h"
#include "gateway/worker.h"

int LLVMFuzzerInitialize(int *argc, char ***argv);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

enum { CLIENTS_AT_ONCE = 6, BREAKERS_MAX = 4 };

static struct policy *policy;
static struct breakers *breakers;
static struct breaker *held[BREAKERS_MAX]; /* those of the policy's upstreams, from run to run */
static size_t held_count;
static struct access_log *access_log;
static struct worker worker;
static bool shows;

static void hold_breakers(void) {
  const struct config *config = policy_config(policy);
  breakers = breakers_new();
  for (size_t i = 0; i < config->upstream_count; i++) {
    const struct config_upstream *upstream = &config->upstreams[i];
    if (!upstream->breaker.enabled) continue;
    if (held_count == BREAKERS_MAX || !breakers) abort();
    held[held_count++] = breaker_ref(breakers, upstream->name, &upstream->breaker);
  }
}

int LLVMFuzzerInitialize(int *argc, char ***argv) {
  (void)argc, (void)argv;
  shows = getenv("FUZZ_SHOW") != NULL;
  struct diags *diags = diags_new();
  struct policy_options options = {.config_path = FUZZ_EXCHANGE_CONFIG};
  policy = policy_load(&options, diags);
  if (!policy) {
    struct text said;
    text_init(&said, 1 << 16);
    diags_format(diags, &said);
    struct str text = text_str(&said);
    fprintf(stderr, "%.*s", STR_ARG(text));
    abort();
  }
  diags_free(&diags);
  hold_breakers();
  access_log = lane_init(policy);
  return 0;
}

/* A place that was not given back would be missing for ever. */
static void check_places(void) {
  for (size_t i = 0; i < held_count; i++) {
    for (unsigned gate = 0; gate < BREAKER_GATES; gate++) {
      const struct breaker_load load = breaker_load(held[i], gate);
      if (load.used > 0 || load.waiting > 0) check_failed(NULL, "a place is left at an upstream");
    }
  }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
  struct listening listening = {.fd = KERNEL_LISTENER};
  const struct worker_shared shared = {.breakers = breakers, .access_log = access_log};
  kernel_reset();
  lane_reset();
  script_begin(str_make((const char *)data, size), &worker, policy);
  if (!worker_init(&worker, 0, policy, &shared, &listening, 1, CLIENTS_AT_ONCE)) return 0;
  if (!worker_start(&worker)) abort();
  (void)kernel.thread(&worker);
  worker_deinit(&worker);
  if (shows) check_print();
  if (kernel.open != 0) check_failed(NULL, "a descriptor is left");
  check_places();
  check_lines();
  return 0;
}
