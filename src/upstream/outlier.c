/*
 * outlier: which targets fail, and for how long they are left out. Each worker for itself.
 */
#include "target.h"

/* Begins a window anew when it is over. */
static void window_turn(const struct config_outliers *config, struct target *target,
                        int64_t now_ms) {
  struct outlier *state = &target->outlier;
  if (now_ms - state->window_ms < config->interval_ms) return;
  state->window_ms = now_ms;
  state->requests = state->failed = 0;
}

static bool is_outlier(const struct config_outliers *config, const struct outlier *state) {
  if (state->in_a_row >= config->consecutive_failures) return true;
  return state->requests >= config->minimum_requests &&
         (uint64_t)state->failed * 100 >= (uint64_t)config->failure_percent * state->requests;
}

/* Each time longer, but not after it has been well for as long as it was left out. */
static int64_t eject(const struct config_outliers *config, struct outlier *state, int64_t now_ms) {
  if (now_ms - state->until_ms > state->last_ms) state->last_ms = 0;
  int64_t ms = state->last_ms ? state->last_ms * 2 : config->ejection_ms;
  state->last_ms = ms < config->ejection_max_ms ? ms : config->ejection_max_ms;
  state->until_ms = now_ms + state->last_ms;
  state->requests = state->failed = 0;
  /* Once it is back one failure is enough, until it has answered. */
  state->in_a_row = config->consecutive_failures - 1;
  return state->last_ms;
}

int64_t target_note(struct target *target, const struct config_outliers *config, bool failed,
                    int64_t now_ms) {
  struct outlier *state = &target->outlier;
  if (!config->enabled) return 0;
  window_turn(config, target, now_ms);
  state->requests++;
  if (!failed) {
    state->in_a_row = 0;
    return 0;
  }
  state->failed++;
  if (state->in_a_row < config->consecutive_failures) state->in_a_row++;
  /* What was under way when it was ejected says nothing new. */
  if (state->until_ms > now_ms || !is_outlier(config, state)) return 0;
  return eject(config, state, now_ms);
}
