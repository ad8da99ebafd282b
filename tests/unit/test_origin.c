/*
 * origin: a connection to an endpoint that was used before. The endpoint is a socket of the test,
 * and events come when the test says so: what has arrived need not have been told yet.
 */
#include <arpa/inet.h>
#include <poll.h>
#include <sys/epoll.h>
#include <sys/socket.h>

#include "gateway/exchange.h"
#include "gateway/origin.h"
#include "policy_bench.h"

/* This program has no exchanges: what an origin tells of is read by the test. */
void __wrap_exchange_run(struct exchange *exchange);
void __wrap_exchange_run(struct exchange *exchange) {
  (void)exchange;
}

static struct endpoint {
  struct policy *policy;
  struct worker worker;
  struct exchange exchange;
  struct target *target;
  int listener;
} endpoint;

static const struct str answer = STR_INIT("HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok");

static void endpoint_open(void) {
  struct sockaddr_in address = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
  socklen_t size = sizeof(address);
  endpoint.listener = socket(AF_INET, SOCK_STREAM, 0);
  ck_assert_int_eq(bind(endpoint.listener, (struct sockaddr *)(void *)&address, size), 0);
  ck_assert_int_eq(listen(endpoint.listener, 8), 0);
  ck_assert_int_eq(getsockname(endpoint.listener, (struct sockaddr *)(void *)&address, &size), 0);
  char config[512];
  snprintf(config, sizeof(config),
           "{" LISTEN ", \"rules\": [\"rules/*.json\"], " STICKY
           ", \"upstreams\": {\"a\": {\"endpoints\": [\"127.0.0.1:%d\"]}}}",
           ntohs(address.sin_port));
  bench_open();
  write_file("adit.json", config);
  write_file("rules/r.json",
             "{\"route\": \"r\", \"stable\": \"v1\", \"variants\": {\"v1\": \"a\"}}");
  struct text said;
  endpoint.policy = load_policy(NULL, NULL, &said);
  ck_assert_msg(endpoint.policy && text_str(&said).n == 0, "%.*s", STR_ARG(text_str(&said)));
  text_deinit(&said);
  ck_assert(
      worker_init(&endpoint.worker, 0, endpoint.policy, &(struct worker_shared){0}, NULL, 0, 1));
  endpoint.exchange.worker = &endpoint.worker;
  endpoint.exchange.upstream = endpoint.worker.policy->upstreams[0];
  struct pool_attempt attempt = {0};
  endpoint.target = pool_next(endpoint.worker.policy->pools[0], &attempt, 0, true);
  ck_assert_ptr_nonnull(endpoint.target);
}

static void endpoint_close(void) {
  target_unref(endpoint.worker.targets, &endpoint.target);
  worker_deinit(&endpoint.worker);
  policy_unref(&endpoint.policy);
  close(endpoint.listener);
  bench_close();
}

static struct origin *origin_of(struct origin_stream *stream) {
  return (struct origin *)(void *)((char *)stream - offsetof(struct origin, stream));
}

/* Waits until the kernel has it, and tells nobody. */
static void await(struct origin *origin, short events) {
  struct pollfd waiting = {.fd = origin->transport.fd, .events = events};
  ck_assert_int_eq(poll(&waiting, 1, 10000), 1);
}

/* A new connection; *ret_peer is the endpoint's end of it. */
static struct origin_stream *connect_one(int *ret_peer) {
  int error = 0;
  target_ref(endpoint.target);
  struct origin_stream *stream = origin_connect(&endpoint.exchange, endpoint.target, &error);
  ck_assert_ptr_nonnull(stream);
  await(origin_of(stream), POLLOUT);
  origin_handle_event(origin_of(stream), EPOLLOUT);
  ck_assert(stream->connected);
  *ret_peer = accept(endpoint.listener, NULL, NULL);
  ck_assert_int_ge(*ret_peer, 0);
  return stream;
}

/* One whole exchange, after which the connection is released; `reply` may hold more than one. */
static void exchange_one(struct origin_stream *stream, int peer, struct str reply) {
  static struct request_out request = {.method = STR_INIT("GET"), .target = STR_INIT("/")};
  static struct http_response response;
  const struct origin_stream_operations *operations = stream->operations;
  char received[256];
  struct str data;
  const char *why;
  ck_assert(operations->write_head(stream, &request));
  ck_assert_int_eq(operations->flush(stream), STREAM_WRITE_DONE);
  ck_assert_int_gt(recv(peer, received, sizeof(received), 0), 0);
  ck_assert_int_eq(send(peer, reply.p, reply.n, 0), (ssize_t)reply.n);
  await(origin_of(stream), POLLIN);
  origin_handle_event(origin_of(stream), EPOLLIN);
  ck_assert_int_eq(operations->read_head(stream, &response, &why), ORIGIN_HEAD_DONE);
  ck_assert_int_eq(operations->read_body(stream, &data), STREAM_READ_DATA);
  operations->consume_body(stream, data.n);
  ck_assert_int_eq(operations->read_body(stream, &data), STREAM_READ_END);
  operations->release(stream, true);
}

START_TEST(silent_ones_are_used_again)
{
  int peer;
  endpoint_open();
  struct origin_stream *stream = connect_one(&peer);
  for (int i = 0; i < 3; i++) {
    exchange_one(stream, peer, answer);
    ck_assert_uint_eq(endpoint.target->idle_count, 1);
    ck_assert_ptr_eq(origin_reuse(&endpoint.exchange, endpoint.target), stream);
    ck_assert(stream->reused);
  }
  stream->operations->release(stream, false);
  close(peer);
  endpoint_close();
}
END_TEST

enum news { NEWS_RESPONSE, NEWS_BYTE, NEWS_END, NEWS_RESET, NEWS_COUNT };

static void send_news(int peer, enum news news) {
  struct linger at_once = {.l_onoff = 1, .l_linger = 0};
  switch (news) {
    case NEWS_RESPONSE:
      ck_assert_int_eq(send(peer, answer.p, answer.n, 0), (ssize_t)answer.n);
      return;
    case NEWS_BYTE:
      ck_assert_int_eq(send(peer, "\n", 1, 0), 1);
      return;
    case NEWS_END:
      ck_assert_int_eq(shutdown(peer, SHUT_WR), 0);
      return;
    case NEWS_RESET:
      ck_assert_int_eq(setsockopt(peer, SOL_SOCKET, SO_LINGER, &at_once, sizeof(at_once)), 0);
      close(peer);
      return;
    case NEWS_COUNT:
      return;
  }
}

/* The loop has not been told, and another exchange wants a connection: in the turn in which it came
 * to rest, or late in another. */
START_TEST(news_that_nobody_told_of)
{
  endpoint_open();
  for (int i = 0; i < 2 * NEWS_COUNT; i++) {
    enum news news = (enum news)(i % NEWS_COUNT);
    int silent_peer, peer;
    struct origin_stream *silent = connect_one(&silent_peer);
    struct origin_stream *stream = connect_one(&peer);
    exchange_one(silent, silent_peer, answer);
    exchange_one(stream, peer, answer); /* used last: the first to be picked */
    send_news(peer, news);
    await(origin_of(stream), POLLIN);
    if (i >= NEWS_COUNT) {
      endpoint.worker.turn++;
      endpoint.worker.dispatched = 5;
    }
    ck_assert_ptr_eq(origin_reuse(&endpoint.exchange, endpoint.target), silent);
    ck_assert_int_eq(origin_of(stream)->state, ORIGIN_CLOSED);
    ck_assert_uint_eq(endpoint.target->idle_count, 0);
    ck_assert_ptr_null(origin_reuse(&endpoint.exchange, endpoint.target));
    silent->operations->release(silent, false);
    close(silent_peer);
    if (news != NEWS_RESET) close(peer);
  }
  endpoint_close();
}
END_TEST

START_TEST(surplus_is_not_kept)
{
  int peer;
  endpoint_open();
  struct origin_stream *stream = connect_one(&peer);
  exchange_one(stream, peer, STR("HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok!"));
  ck_assert_uint_eq(endpoint.target->idle_count, 0);
  ck_assert_int_eq(origin_of(stream)->state, ORIGIN_CLOSED);
  close(peer);
  endpoint_close();
}
END_TEST

UNIT_MAIN("origin", silent_ones_are_used_again, news_that_nobody_told_of, surplus_is_not_kept)
