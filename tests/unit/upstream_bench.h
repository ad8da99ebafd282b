/*
 * upstream_bench: upstreams written as lists of endpoints, and attempts written as what they met.
 */
#ifndef ADIT_TESTS_UPSTREAM_BENCH_H
#define ADIT_TESTS_UPSTREAM_BENCH_H

#include <stdio.h>

#include "unit.h"
#include "upstream/target.h"

enum { BENCH_ENDPOINTS_MAX = 16 };

struct bench_upstream {
  struct config_upstream config;
  struct config_endpoint endpoints[BENCH_ENDPOINTS_MAX];
};

/* "10.0.0.1:80 [::1]:81 shop:80 unix:/run/a", in round robin; the text must hold. */
static inline void bench_upstream(const char *text, struct bench_upstream *ret) {
  struct str rest = str_from_cstr(text), one;
  ret->config = (struct config_upstream){
      .name = STR("shop"), .endpoints = ret->endpoints, .balance = BALANCE_ROUND_ROBIN};
  while (str_split_next(&rest, ' ', &one)) {
    struct config_endpoint *endpoint = &ret->endpoints[ret->config.endpoint_count++];
    *endpoint = (struct config_endpoint){.text = one, .weight = 1};
    if (str_starts_with(one, STR("unix:"))) {
      endpoint->is_unix = true;
      endpoint->host = str_skip(one, 5);
      continue;
    }
    endpoint->is_address = ip_parse_with_port(one, &endpoint->ip, &endpoint->port);
    if (endpoint->is_address) continue;
    size_t colon = str_find_char(one, ':', 0);
    uint64_t port;
    ck_assert_msg(str_to_u64(str_skip(one, colon + 1), 65535, &port), "%s", text);
    endpoint->host = str_take(one, colon);
    endpoint->port = (uint16_t)port;
  }
}

/* Goes on with an attempt until nothing is left: "127.0.0.1:1 127.0.0.1:2". */
static inline const char *bench_rest_of(struct pool *pool, struct target_table *table,
                                        struct pool_attempt *attempt, int64_t now_ms,
                                        bool desperate) {
  static char met[512];
  size_t n = 0;
  met[0] = '\0';
  for (;;) {
    struct target *target = pool_next(pool, attempt, now_ms, desperate);
    if (!target) return met;
    n += (size_t)snprintf(met + n, sizeof(met) - n, "%s%s", n > 0 ? " " : "", target->text);
    ck_assert_uint_lt(n, sizeof(met));
    target_unref(table, &target);
  }
}

/* All that a fresh attempt meets. */
static inline const char *bench_attempt(struct pool *pool, struct target_table *table,
                                        int64_t now_ms, bool desperate) {
  struct pool_attempt attempt = {0};
  return bench_rest_of(pool, table, &attempt, now_ms, desperate);
}

/* The target of an address that is in use. */
static inline struct target *bench_target(struct target_table *table, const char *text) {
  struct ip_address ip;
  uint16_t port;
  ck_assert_msg(ip_parse_with_port(str_from_cstr(text), &ip, &port), "%s", text);
  struct target *target = target_get(table, &ip, port);
  ck_assert_msg(target && target->refs > 1, "%s is not in use", text);
  struct target *borrowed = target;
  target_unref(table, &target);
  return borrowed;
}

#endif
