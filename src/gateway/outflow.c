#include "outflow.h"

uint64_t outflow_share(const struct config *config) {
  uint64_t share = config->limits.body_rate * (uint64_t)config->timeouts.body_ms / 1000;
  return share > 0 ? share : 1;
}

uint64_t outflow_taken(const struct outflow *outflow, const struct transport *transport) {
  size_t queued = transport_queued(transport);
  return queued < outflow->sent_bytes ? outflow->sent_bytes - queued : 0;
}

bool outflow_emptied(struct outflow *outflow, int64_t deadline_ms) {
  if (outflow->deadline_ms) {
    if (outflow->caught_up_bytes == OUTFLOW_BEHIND) outflow->caught_up_bytes = outflow->sent_bytes;
    return false;
  }
  if (outflow->sent_bytes == outflow->taken_bytes) return false;
  outflow->caught_up_bytes = outflow->sent_bytes;
  outflow->deadline_ms = deadline_ms;
  return true;
}

bool outflow_ended(struct outflow *outflow, int64_t deadline_ms) {
  outflow->sent_bytes++;
  return outflow_emptied(outflow, deadline_ms);
}

bool outflow_blocked(struct outflow *outflow, const struct transport *transport,
                     int64_t deadline_ms) {
  if (outflow->deadline_ms && outflow->caught_up_bytes == OUTFLOW_BEHIND) return false;
  const uint64_t taken = outflow_taken(outflow, transport);
  if (outflow->deadline_ms && taken < outflow->caught_up_bytes) return false;
  outflow->taken_bytes = taken;
  outflow->caught_up_bytes = OUTFLOW_BEHIND;
  outflow->deadline_ms = deadline_ms;
  return true;
}

enum outflow_verdict outflow_judge(struct outflow *outflow, const struct transport *transport,
                                   bool holds, uint64_t share, int64_t next_deadline_ms) {
  const uint64_t taken = outflow_taken(outflow, transport);
  const bool had_all = taken >= outflow->caught_up_bytes;
  if (!had_all && taken - outflow->taken_bytes < share) return OUTFLOW_SLOW;
  outflow->taken_bytes = taken;
  outflow->caught_up_bytes = holds ? OUTFLOW_BEHIND : outflow->sent_bytes;
  const bool done = !holds && taken >= outflow->sent_bytes;
  outflow->deadline_ms = done ? 0 : next_deadline_ms;
  return done ? OUTFLOW_DONE : OUTFLOW_GOES_ON;
}
