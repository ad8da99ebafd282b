/*
 * loop: questions under way, on libcurl's multi interface.
 *
 * Its sockets stand in an epoll of its own, whose descriptor whoever owns the loop waits on beside
 * his: so libcurl's comings and goings cost his loop nothing. libcurl's clock is a deadline that he
 * asks for. Names are resolved by threads of libcurl's; CURLOPT_QUICK_EXIT lets a question end that
 * waits for one that hangs.
 */
#include <curl/curl.h>
#include <stdlib.h>
#include <sys/epoll.h>
#include <unistd.h>

#include "adit/client.h"
#include "adit/units.h"
#include "lookup_private.h"

enum { EVENTS_A_RUN = 64, ROUNDS_A_RUN = 8, BODY_BYTES_FIRST = 1024, IDLE_CONNECTIONS_MAX = 64 };

/* ---- sockets and clock ----------------------------------------------------------------------- */

static int watch_socket(CURL *easy, curl_socket_t fd, int what, void *context, void *known) {
  (void)easy;
  struct lookup_loop *loop = context;
  if (what == CURL_POLL_REMOVE) {
    (void)epoll_ctl(loop->epoll, EPOLL_CTL_DEL, fd, NULL);
    return 0;
  }
  struct epoll_event event = {.data.u64 = (uint32_t)fd};
  if (what & CURL_POLL_IN) event.events |= EPOLLIN;
  if (what & CURL_POLL_OUT) event.events |= EPOLLOUT;
  if (epoll_ctl(loop->epoll, known ? EPOLL_CTL_MOD : EPOLL_CTL_ADD, fd, &event) != 0) return -1;
  (void)curl_multi_assign(loop->multi, fd, loop);
  return 0;
}

/* Never early: libcurl does not ask again for a time that it has asked for before. */
static int set_clock(CURLM *multi, long ms, void *context) {
  (void)multi;
  struct lookup_loop *loop = context;
  loop->due_ms = ms < 0 ? -1 : ms == 0 ? 0 : clock_monotonic_ms() + ms + 1;
  return 0;
}

/* ---- bytes of an answer ---------------------------------------------------------------------- */

static bool body_reserve(struct flight *flight, size_t need) {
  size_t capacity = flight->body_capacity ? flight->body_capacity : BODY_BYTES_FIRST;
  while (capacity < need) capacity *= 2;
  if (capacity == flight->body_capacity) return true;
  char *body = realloc(flight->body, capacity);
  if (!body) return false;
  flight->body = body;
  flight->body_capacity = capacity;
  return true;
}

static size_t take_body(char *p, size_t size, size_t n, void *context) {
  struct flight *flight = context;
  const size_t bytes = size * n;
  if (bytes == 0) return 0;
  flight->too_large = bytes > lookup_spec_of(flight->lookup)->answer_bytes - flight->body_n;
  flight->no_memory = !flight->too_large && !body_reserve(flight, flight->body_n + bytes);
  if (flight->too_large || flight->no_memory) return 0;
  memcpy(flight->body + flight->body_n, p, bytes);
  flight->body_n += bytes;
  return bytes;
}

/* ---- flights --------------------------------------------------------------------------------- */

static bool make_easy(struct flight *flight) {
  CURL *easy = curl_easy_init();
  if (!easy) return false;
  const long ms = (long)lookup_spec_of(flight->lookup)->timeout_ms;
  CURLcode code = client_set_guards(easy) ? CURLE_OK : CURLE_OUT_OF_MEMORY;
  if (!code) code = curl_easy_setopt(easy, CURLOPT_TIMEOUT_MS, ms);
  if (!code) code = curl_easy_setopt(easy, CURLOPT_CONNECTTIMEOUT_MS, ms);
  if (!code) code = curl_easy_setopt(easy, CURLOPT_WRITEFUNCTION, take_body);
  if (!code) code = curl_easy_setopt(easy, CURLOPT_WRITEDATA, flight);
  if (!code) code = curl_easy_setopt(easy, CURLOPT_PRIVATE, flight);
  if (!code) {
    flight->easy = easy;
    return true;
  }
  curl_easy_cleanup(easy);
  return false;
}

bool flight_start(struct lookup_loop *loop, struct flight *flight) {
  flight->body_n = 0;
  flight->too_large = flight->no_memory = false;
  if (!flight->easy && !make_easy(flight)) return false;
  return curl_easy_setopt(flight->easy, CURLOPT_URL, flight->url) == CURLE_OK &&
         curl_multi_add_handle(loop->multi, flight->easy) == CURLM_OK;
}

void flight_free(struct lookup_loop *loop, struct flight *flight) {
  if (flight->easy) {
    (void)curl_multi_remove_handle(loop->multi, flight->easy);
    curl_easy_cleanup(flight->easy);
  }
  free(flight->url);
  free(flight->body);
  free(flight);
}

static enum lookup_why why_of(const struct flight *flight, CURLcode code) {
  long status = 0;
  if (flight->too_large) return WHY_LARGE;
  if (flight->no_memory || code == CURLE_OUT_OF_MEMORY) return WHY_MEMORY;
  if (code == CURLE_OPERATION_TIMEDOUT) return WHY_TIMEOUT;
  if (code == CURLE_COULDNT_CONNECT || code == CURLE_COULDNT_RESOLVE_HOST) return WHY_UNREACHED;
  if (code != CURLE_OK) return WHY_GARBAGE;
  (void)curl_easy_getinfo(flight->easy, CURLINFO_RESPONSE_CODE, &status);
  if (status >= 200 && status < 300) return WHY_NONE;
  if (status == 404 || status == 410) return WHY_UNKNOWN;
  return status >= 300 && status < 400 ? WHY_REDIRECT : WHY_STATUS;
}

/* ---- life ------------------------------------------------------------------------------------ */

static bool make_multi(struct lookup_loop *loop) {
  loop->multi = curl_multi_init();
  return loop->multi &&
         curl_multi_setopt(loop->multi, CURLMOPT_SOCKETFUNCTION, watch_socket) == CURLM_OK &&
         curl_multi_setopt(loop->multi, CURLMOPT_SOCKETDATA, loop) == CURLM_OK &&
         curl_multi_setopt(loop->multi, CURLMOPT_TIMERFUNCTION, set_clock) == CURLM_OK &&
         curl_multi_setopt(loop->multi, CURLMOPT_TIMERDATA, loop) == CURLM_OK &&
         curl_multi_setopt(loop->multi, CURLMOPT_MAXCONNECTS, (long)IDLE_CONNECTIONS_MAX) ==
             CURLM_OK;
}

struct lookup_loop *lookup_loop_new(void (*count)(void *context, enum lookup_event event),
                                    void *context) {
  struct lookup_loop *loop = calloc(1, sizeof(*loop));
  if (!loop) return NULL;
  loop->count = count;
  loop->context = context;
  loop->due_ms = -1;
  loop->epoll = epoll_create1(EPOLL_CLOEXEC);
  if (!client_library_init() || loop->epoll < 0 || !make_multi(loop)) lookup_loop_free(&loop);
  return loop;
}

void lookup_loop_free(struct lookup_loop **loop) {
  struct lookup_loop *gone = *loop;
  *loop = NULL;
  if (!gone) return;
  if (gone->multi) (void)curl_multi_cleanup(gone->multi);
  if (gone->epoll >= 0) (void)close(gone->epoll);
  free(gone);
}

int lookup_loop_fd(const struct lookup_loop *loop) {
  return loop->epoll;
}

/* ---- running --------------------------------------------------------------------------------- */

/* The earlier of libcurl's clock and of what Redis may be late with; -1: neither runs. */
static int64_t due_ms(const struct lookup_loop *loop) {
  const int64_t redis_ms = loop->links ? redis_due_ms(loop) : -1;
  return redis_ms < 0 || (loop->due_ms >= 0 && loop->due_ms < redis_ms) ? loop->due_ms : redis_ms;
}

bool lookup_loop_is_due(const struct lookup_loop *loop, int64_t now_ms) {
  const int64_t due = due_ms(loop);
  return due >= 0 && due <= now_ms;
}

int64_t lookup_loop_wait_ms(const struct lookup_loop *loop, int64_t now_ms) {
  const int64_t due = due_ms(loop);
  if (due < 0) return -1;
  return due > now_ms ? due - now_ms : 0;
}

static void move_sockets(struct lookup_loop *loop) {
  struct epoll_event events[EVENTS_A_RUN];
  int running;
  int n = epoll_wait(loop->epoll, events, EVENTS_A_RUN, 0);
  for (int i = 0; i < n; i++) {
    int what = 0;
    const int fd = (int)(uint32_t)events[i].data.u64;
    if (events[i].data.u64 & LOOP_REDIS) {
      redis_move(loop, fd, events[i].events);
      continue;
    }
    if (events[i].events & EPOLLIN) what |= CURL_CSELECT_IN;
    if (events[i].events & EPOLLOUT) what |= CURL_CSELECT_OUT;
    if (events[i].events & (EPOLLERR | EPOLLHUP)) what |= CURL_CSELECT_ERR;
    (void)curl_multi_socket_action(loop->multi, fd, what, &running);
  }
}

static void take_ended(struct lookup_loop *loop, int64_t now_ms) {
  int left;
  for (CURLMsg *message; (message = curl_multi_info_read(loop->multi, &left));) {
    if (message->msg != CURLMSG_DONE) continue;
    CURL *easy = message->easy_handle;
    const CURLcode code = message->data.result;
    struct flight *flight = NULL;
    (void)curl_easy_getinfo(easy, CURLINFO_PRIVATE, &flight);
    enum lookup_why why = why_of(flight, code);
    struct lookup_answer *answer = NULL;
    const struct lookup_spec *spec = lookup_spec_of(flight->lookup);
    (void)curl_multi_remove_handle(loop->multi, easy);
    if (why == WHY_NONE) {
      struct str body = str_make(flight->body, flight->body_n);
      answer = lookup_answer_parse(body, spec->fields, spec->field_count);
      if (!answer) why = WHY_GARBAGE;
    }
    lookup_take(flight->lookup, flight, why, answer, now_ms);
  }
}

void lookup_loop_run(struct lookup_loop *loop, int64_t now_ms) {
  int running;
  loop->now_ms = now_ms;
  move_sockets(loop);
  redis_expire(loop, now_ms);
  for (int round = 0; round < ROUNDS_A_RUN; round++) {
    const bool due = loop->due_ms >= 0 && loop->due_ms <= clock_monotonic_ms();
    if (due) {
      loop->due_ms = -1;
      (void)curl_multi_socket_action(loop->multi, CURL_SOCKET_TIMEOUT, 0, &running);
    }
    take_ended(loop, now_ms);
    if (!due) return;
  }
}
