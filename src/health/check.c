/*
 * check: one check, on a libcurl handle.
 *
 * Each is made over a connection of its own: whether one is accepted is half of the question. An
 * answer is read no further than it matters: to the end of its head when that decides, else to the
 * text that is looked for, and never beyond the limits.
 */
#include <curl/curl.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>

#include "adit/client.h"
#include "adit/units.h"
#include "health_private.h"

/* ---- the answer ------------------------------------------------------------------------------ */

static long status_of(const struct check *check) {
  long status = 0;
  (void)curl_easy_getinfo(check->easy, CURLINFO_RESPONSE_CODE, &status);
  return status;
}

static bool status_is_wanted(const struct health_spec *spec, long status) {
  return http_statuses_have(spec->statuses, spec->status_count, (int)status);
}

/* Anything short of all bytes makes libcurl end the transfer. */
static size_t take_head(char *p, size_t size, size_t n, void *context) {
  struct check *check = context;
  const struct health_spec *spec = &check->endpoint->spec;
  const struct str line = str_make(p, size * n);
  if (check->head_done) return line.n; /* a trailer */
  check->head_n += line.n;
  if (check->head_n > HEALTH_HEAD_BYTES_MAX) return 0;
  if (!str_eq(line, STR("\r\n")) && !str_eq(line, STR("\n"))) return line.n;
  const long status = status_of(check);
  if (status < 200) return line.n; /* an interim answer: the final one is still to come */
  check->head_done = true;
  check->is_over = spec->body.n == 0 || !status_is_wanted(spec, status);
  return check->is_over ? 0 : line.n;
}

static size_t take_body(char *p, size_t size, size_t n, void *context) {
  struct check *check = context;
  const struct str wanted = check->endpoint->spec.body;
  const size_t bytes = size * n, room = HEALTH_BODY_BYTES_MAX - check->body_n;
  /* What is new may complete what has come before. */
  const size_t from = check->body_n < wanted.n ? 0 : check->body_n - wanted.n + 1;
  const size_t taken = bytes < room ? bytes : room;
  memcpy(check->body + check->body_n, p, taken);
  check->body_n += taken;
  check->has_text = memmem(check->body + from, check->body_n - from, wanted.p, wanted.n) != NULL;
  check->is_over = check->has_text || check->body_n == HEALTH_BODY_BYTES_MAX;
  return check->is_over ? 0 : bytes;
}

/* ---- what is made of it ---------------------------------------------------------------------- */

/* Not the endpoint's fault: no descriptor, no memory, no port of our own to connect from. */
static bool is_own_shortage(long error) {
  return error == EMFILE || error == ENFILE || error == ENOMEM || error == ENOBUFS ||
         error == EADDRNOTAVAIL;
}

/* libcurl calls a line of a head that is too long for it a lack of memory. */
static bool is_endless_line(const struct check *check, int code) {
  curl_off_t first_byte_us = 0;
  (void)curl_easy_getinfo(check->easy, CURLINFO_STARTTRANSFER_TIME_T, &first_byte_us);
  return code == CURLE_OUT_OF_MEMORY && !check->head_done && first_byte_us > 0;
}

static void explain_no_answer(struct check *check, int code, long error) {
  char buffer[32];
  const char *why = "its answer is not HTTP/1.1";
  if (code == CURLE_OPERATION_TIMEDOUT) {
    const struct str time =
        duration_format(check->endpoint->spec.timeout_ms, buffer, sizeof(buffer));
    snprintf(check->why, sizeof(check->why), "no answer within %.*s", STR_ARG(time));
    return;
  }
  if (check->head_n > HEALTH_HEAD_BYTES_MAX || is_endless_line(check, code))
    why = "the head of its answer is over 32 KiB";
  if (code == CURLE_COULDNT_CONNECT) why = error ? strerror((int)error) : "no connection";
  if (code == CURLE_GOT_NOTHING) why = "it ended the connection without an answer";
  if (code == CURLE_RECV_ERROR || code == CURLE_SEND_ERROR || code == CURLE_PARTIAL_FILE)
    why = "it broke the connection off";
  snprintf(check->why, sizeof(check->why), "%s", why);
}

static enum verdict judge(struct check *check, int code) {
  const struct health_spec *spec = &check->endpoint->spec;
  const long status = status_of(check);
  long error = check->socket_error;
  if (error == 0) (void)curl_easy_getinfo(check->easy, CURLINFO_OS_ERRNO, &error);
  if (code == CURLE_OUT_OF_MEMORY && !is_endless_line(check, code)) return VERDICT_NONE;
  if (code == CURLE_COULDNT_CONNECT && is_own_shortage(error)) return VERDICT_NONE;
  if (check->head_done && !status_is_wanted(spec, status)) {
    const char *more = status / 100 == 3 ? ", which is not followed" : "";
    snprintf(check->why, sizeof(check->why), "its answer has status %ld%s", status, more);
    return VERDICT_BAD;
  }
  if (check->head_done && (spec->body.n == 0 || check->has_text)) return VERDICT_GOOD;
  if (check->head_done && (check->is_over || code == CURLE_OK))
    snprintf(check->why, sizeof(check->why), "its answer does not contain the text of 'body'");
  else
    explain_no_answer(check, code, error);
  return VERDICT_BAD;
}

enum verdict check_end(struct check *check, void *multi, int code) {
  const enum verdict verdict = judge(check, code);
  (void)curl_multi_remove_handle(multi, check->easy);
  return verdict;
}

/* ---- the question ---------------------------------------------------------------------------- */

/* As libcurl's own, but that it tells why there is none. */
static curl_socket_t open_socket(void *context, curlsocktype purpose,
                                 struct curl_sockaddr *address) {
  struct check *check = context;
  (void)purpose;
  const int fd = socket(address->family, address->socktype | SOCK_CLOEXEC, address->protocol);
  check->socket_error = fd < 0 ? errno : 0;
  return fd < 0 ? CURL_SOCKET_BAD : fd;
}

static struct str unix_path(struct str endpoint) {
  const struct str prefix = STR("unix:");
  return str_starts_with(endpoint, prefix) ? str_skip(endpoint, prefix.n) : (struct str){0};
}

static bool add_field(struct check *check, const char *line) {
  struct curl_slist *list = curl_slist_append(check->fields, line);
  if (list) check->fields = list;
  return list != NULL;
}

static bool set_fields(struct check *check, const struct health_endpoint *endpoint) {
  char line[sizeof("Host: unix:") + 2 * HEALTH_TEXT_MAX];
  struct str host = endpoint->spec.host;
  if (host.n == 0) host = unix_path(endpoint->endpoint).p ? STR("localhost") : endpoint->endpoint;
  snprintf(line, sizeof(line), "Host: %.*s", STR_ARG(host));
  return add_field(check, line) && add_field(check, "Connection: close") &&
         curl_easy_setopt(check->easy, CURLOPT_HTTPHEADER, check->fields) == CURLE_OK;
}

static bool set_target(struct check *check, const struct health_endpoint *endpoint) {
  char url[sizeof("http:///") + HEALTH_TEXT_MAX];
  const struct str path = unix_path(endpoint->endpoint);
  snprintf(url, sizeof(url), "http://%.*s/",
           STR_ARG(path.p ? STR("localhost") : endpoint->endpoint));
  return curl_easy_setopt(check->easy, CURLOPT_URL, url) == CURLE_OK &&
         curl_easy_setopt(check->easy, CURLOPT_REQUEST_TARGET, endpoint->spec.path.p) == CURLE_OK &&
         curl_easy_setopt(check->easy, CURLOPT_UNIX_SOCKET_PATH, path.p) == CURLE_OK;
}

static bool set_options(struct check *check, const struct health_endpoint *endpoint) {
  CURL *easy = check->easy;
  const long ms = (long)endpoint->spec.timeout_ms;
  return client_set_guards(easy) && set_target(check, endpoint) && set_fields(check, endpoint) &&
         curl_easy_setopt(easy, CURLOPT_FRESH_CONNECT, 1L) == CURLE_OK &&
         curl_easy_setopt(easy, CURLOPT_FORBID_REUSE, 1L) == CURLE_OK &&
         curl_easy_setopt(easy, CURLOPT_TIMEOUT_MS, ms) == CURLE_OK &&
         curl_easy_setopt(easy, CURLOPT_CONNECTTIMEOUT_MS, ms) == CURLE_OK &&
         curl_easy_setopt(easy, CURLOPT_OPENSOCKETFUNCTION, open_socket) == CURLE_OK &&
         curl_easy_setopt(easy, CURLOPT_OPENSOCKETDATA, check) == CURLE_OK &&
         curl_easy_setopt(easy, CURLOPT_HEADERFUNCTION, take_head) == CURLE_OK &&
         curl_easy_setopt(easy, CURLOPT_HEADERDATA, check) == CURLE_OK &&
         curl_easy_setopt(easy, CURLOPT_WRITEFUNCTION, take_body) == CURLE_OK &&
         curl_easy_setopt(easy, CURLOPT_WRITEDATA, check) == CURLE_OK &&
         curl_easy_setopt(easy, CURLOPT_PRIVATE, check) == CURLE_OK;
}

bool check_begin(struct check *check, void *multi, struct health_endpoint *endpoint) {
  check->endpoint = endpoint;
  check->socket_error = 0;
  check->head_n = check->body_n = 0;
  check->head_done = check->is_over = check->has_text = false;
  curl_easy_reset(check->easy);
  curl_slist_free_all(check->fields);
  check->fields = NULL;
  return set_options(check, endpoint) && curl_multi_add_handle(multi, check->easy) == CURLM_OK;
}

struct check *check_new(void) {
  struct check *check = calloc(1, sizeof(*check));
  if (!check) return NULL;
  check->easy = curl_easy_init();
  if (check->easy) return check;
  free(check);
  return NULL;
}

void check_free(struct check *check) {
  curl_easy_cleanup(check->easy);
  curl_slist_free_all(check->fields);
  free(check);
}
