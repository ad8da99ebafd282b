/*
 * counters: what a worker has seen. Written by its thread alone, read by whoever asks: each is
 * stored and loaded relaxed, which costs what a plain increment costs.
 */
#ifndef ADIT_GATEWAY_COUNTERS_H
#define ADIT_GATEWAY_COUNTERS_H

#include <stdatomic.h>
#include <stdint.h>

/* name, meaning */
#define COUNTERS(X)                                                                   \
  X(connections, "client connections accepted")                                       \
  X(connections_refused, "connections closed at once: no memory for them")            \
  X(address_refused, "connections closed at once: too many from their address")       \
  X(accept_pauses, "times that accepting was paused: no room, or out of something")   \
  X(idle_shed, "idle connections closed to make room for new ones")                   \
  X(idle_closed, "idle connections closed after timeouts.idle")                       \
  X(requests, "requests with a complete head")                                        \
  X(requests_refused, "heads answered with an error of their own")                    \
  X(heads_slow, "heads that were not whole after timeouts.header")                    \
  X(heads_long, "heads over limits.header_bytes or limits.header_fields")             \
  X(lines_long, "request lines over limits.request_line_bytes")                       \
  X(bodies_slow, "bodies that were too slow: timeouts.body, limits.body_rate")        \
  X(bodies_large, "bodies over limits.body_bytes")                                    \
  X(bodies_unwanted, "connections closed in the middle of a body that nobody wants")  \
  X(extensions_long, "bodies over limits.chunk_extension_bytes")                      \
  X(trailers_long, "bodies over limits.trailer_bytes")                                \
  X(readers_slow, "connections reset: their client takes too little of what is sent") \
  X(origins_slow, "tunnels cut: their endpoint takes nothing of what is sent")        \
  X(answers, "responses of our own")                                                  \
  X(shortages, "requests answered 503: no memory, descriptors or ports")              \
  X(responses, "responses forwarded whole")                                           \
  X(cut, "responses that had to be cut")                                              \
  X(client_gone, "exchanges that the client left")                                    \
  X(connects, "connections opened to endpoints")                                      \
  X(connect_failures, "connects that failed or timed out")                            \
  X(ejections, "times that an endpoint was left out for a while")                     \
  X(reuses, "idle connections used again")                                            \
  X(tunnels, "connections that changed their protocol")                               \
  X(retries, "requests sent again")                                                   \
  X(retries_refused, "requests not sent again: over the retry budget")                \
  X(failovers, "canary requests given to stable")                                     \
  X(bad_responses, "responses that broke the protocol")                               \
  X(mirrors_sent, "copies of requests that were sent to another variant")             \
  X(mirrors_same, "requests not copied: that variant had them already")               \
  X(mirrors_large, "requests not copied: a body over mirror.body_bytes")              \
  X(mirrors_busy, "requests not copied: limits.mirrors, or no memory")                \
  X(mirrors_unfinished, "requests not copied: never whole at an endpoint, or a stop") \
  X(mirrors_agreed, "copies answered with a status of the original's class")          \
  X(mirrors_differed, "copies answered with a status of another class")               \
  X(mirrors_alone, "copies answered where the original was not")                      \
  X(mirrors_failed, "copies without an answer: no endpoint, a bad or late answer")    \
  X(mirrors_stopped, "copies given up because the gateway stops")                     \
  X(mirrors_original_us, "time to the heads that answered those originals")           \
  X(mirrors_copy_us, "time to the heads that answered those copies")                  \
  X(queued, "times that a request waited: its upstream was at its limits")            \
  X(queue_overflows, "requests that an upstream had no place for, not even to wait")  \
  X(queue_timeouts, "requests that waited for an upstream for too long")              \
  X(overloads, "requests answered 503: their upstream was over its limits")           \
  X(lookups_asked, "questions to directories")                                        \
  X(lookups_joined, "requests that waited for a question of another one")             \
  X(lookups_hits, "answers of directories that were known already")                   \
  X(lookups_stale, "answers used while they were renewed")                            \
  X(lookups_unknown, "answers that a directory knows nobody of the key")              \
  X(lookups_timeouts, "questions that a directory did not answer in time")            \
  X(lookups_failed, "questions that failed: no connection, an error, a bad answer")   \
  X(lookups_refused, "questions not asked: no directory has such a key")              \
  X(lookups_busy, "questions not asked: too many under way")                          \
  X(lookups_broken, "questions not asked: the directory has failed too often")        \
  X(tokens_verified, "tokens that were verified")                                     \
  X(tokens_cached, "tokens that were known already, verified or refused")             \
  X(tokens_malformed, "tokens refused: malformed, too large, or more than one")       \
  X(tokens_wrong_algorithm, "tokens refused: of an algorithm that is not allowed")    \
  X(tokens_unknown_key, "tokens refused: no key is known for them")                   \
  X(tokens_wrong_signature, "tokens refused: their signature is wrong")               \
  X(tokens_expired, "tokens refused: expired, or without an expiry")                  \
  X(tokens_early, "tokens refused: not valid yet")                                    \
  X(tokens_foreign, "tokens refused: of another issuer, or for another audience")     \
  X(tokens_unjudged, "tokens not judged: no keys yet, or no memory")                  \
  X(tokens_answered, "requests answered 401: a token refused, or none")               \
  X(limits, "decisions that a limit ended")                                           \
  X(forced, "decisions that were forced")                                             \
  X(pinned, "decisions by a pin")                                                     \
  X(cookies_refused, "sticky cookies that were forged, expired or malformed")         \
  X(cookies_set, "sticky cookies set")                                                \
  X(access_log_dropped, "lines of the access log dropped: its writer was too slow")

/* Of the one checker of the process; members of struct health_counts. */
#define HEALTH_COUNTERS(X)                                                       \
  X(health_checks, "health checks that were made")                               \
  X(health_failures, "health checks that failed")                                \
  X(health_shortages, "health checks not made: no memory, descriptors or ports") \
  X(health_unhealthy, "times that an endpoint became unhealthy")                 \
  X(health_recovered, "times that an unhealthy endpoint became healthy again")

/* Of the writer of the access log; members of struct access_counts. */
#define ACCESS_LOG_COUNTERS(X)                             \
  X(access_log_written, "lines of the access log written") \
  X(access_log_lost, "lines of the access log lost: they could not be written")

struct counters {
#define X(name, meaning) _Atomic uint64_t name;
  COUNTERS(X)
#undef X
};

#define COUNT_ADD(counters, name, n)                                                         \
  atomic_store_explicit(&(counters)->name,                                                   \
                        atomic_load_explicit(&(counters)->name, memory_order_relaxed) + (n), \
                        memory_order_relaxed)
#define COUNT(counters, name) COUNT_ADD(counters, name, 1)

#endif
