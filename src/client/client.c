/*
 * One blocking HTTP call on a libcurl easy handle of its own.
 *
 *   client_fetch ─► call_open   (fields checked and listed, options set)
 *                ─► curl_easy_perform ─► call_take_head, call_take_body (bounded)
 *                ─► call_outcome  (CURLcode → enum client_outcome)
 *
 * A handle lives as long as its call: nothing of one call (connection, cookie, cache) can show in
 * the next.
 */
#include "adit/client.h"

#include <curl/curl.h>
#include <pthread.h>
#include <stdio.h>

struct call {
  CURL *easy;
  struct curl_slist *fields;
  struct client_response *response;
  size_t body_limit_bytes;
  bool interim;   /* the head being read is of an 1xx answer */
  bool head_done; /* what comes as a field now is a trailer, and dropped */
  bool too_large;
  bool no_memory;
  char error[CURL_ERROR_SIZE];
};

static pthread_once_t global_once = PTHREAD_ONCE_INIT;
static CURLcode global_result;

static void global_init(void) {
  global_result = curl_global_init(CURL_GLOBAL_DEFAULT);
}

bool client_library_init(void) {
  pthread_once(&global_once, global_init);
  return global_result == CURLE_OK;
}

static bool has_bad_byte(struct str s, bool is_name) {
  for (size_t i = 0; i < s.n; i++) {
    unsigned char c = (unsigned char)s.p[i];
    if (c == 0x7F || (c < 0x20 && c != '\t')) return true;
    if (is_name && (c <= ' ' || c == ':' || c == ';' || c >= 0x80)) return true;
  }
  return is_name && s.n == 0;
}

/* Collects one answer's bytes under a limit; anything short of `n` makes libcurl end the call. */
static size_t call_take(struct call *call, struct text *into, struct str bytes, size_t limit) {
  if (bytes.n > limit - into->n) {
    call->too_large = true;
    return 0;
  }
  text_add(into, bytes);
  if (text_failed(into)) {
    call->no_memory = true;
    return 0;
  }
  return bytes.n;
}

static size_t call_take_head(char *p, size_t size, size_t n, void *context) {
  struct call *call = context;
  struct str line = str_make(p, size * n);
  if (call->head_done) return line.n;
  if (str_starts_with(line, STR("HTTP/"))) {
    /* What an interim answer said is not the final's. */
    text_clear(&call->response->head);
    call->interim = line.n > 9 && line.p[9] == '1';
  }
  call->head_done = !call->interim && (str_eq(line, STR("\r\n")) || str_eq(line, STR("\n")));
  return call_take(call, &call->response->head, line, CLIENT_HEAD_LIMIT_BYTES);
}

static size_t call_take_body(char *p, size_t size, size_t n, void *context) {
  struct call *call = context;
  if (size * n == 0) return 0;
  return call_take(call, &call->response->body, str_make(p, size * n), call->body_limit_bytes);
}

static int call_is_stopped(void *context, curl_off_t a, curl_off_t b, curl_off_t c, curl_off_t d) {
  (void)a, (void)b, (void)c, (void)d;
  return atomic_load((const atomic_bool *)context) ? 1 : 0;
}

static bool call_list_field(struct call *call, struct str name, struct str value) {
  struct text line;
  text_init(&line, name.n + value.n + 8);
  text_add(&line, name);
  /* libcurl's way to write a field without a value; "Name:" would take it away. */
  if (value.n == 0) {
    text_add_char(&line, ';');
  } else {
    text_add(&line, STR(": "));
    text_add(&line, value);
  }
  struct curl_slist *list = text_failed(&line) ? NULL : curl_slist_append(call->fields, line.p);
  text_deinit(&line);
  if (!list) return false;
  call->fields = list;
  return true;
}

/* What libcurl would add by itself to a request with a body, taken away unless it is asked for. */
static bool call_drop_defaults(struct call *call, const struct client_request *request) {
  static const char *const removals[] = {"Expect:", "Content-Type:"};
  for (size_t i = 0; i < 2; i++) {
    struct str name = str_from_cstr(removals[i]);
    name.n--;
    bool given = false;
    for (size_t k = 0; k < request->field_count; k++) {
      given = given || str_eq_nocase(request->fields[k].name, name);
    }
    if (given) continue;
    struct curl_slist *list = curl_slist_append(call->fields, removals[i]);
    if (!list) return false;
    call->fields = list;
  }
  return true;
}

/* Asked before libcurl is, whose code for an unknown scheme is also that for an HTTP/0.9 answer. */
static bool has_known_scheme(struct str url) {
  return str_starts_with_nocase(url, STR("http://")) ||
         str_starts_with_nocase(url, STR("https://"));
}

static enum client_outcome call_list_fields(struct call *call,
                                            const struct client_request *request) {
  for (size_t i = 0; i < request->field_count; i++) {
    struct str name = request->fields[i].name;
    struct str value = str_trim(request->fields[i].value);
    if (has_bad_byte(name, true) || has_bad_byte(value, false)) {
      snprintf(call->error, sizeof(call->error), "header %zu cannot be sent: a byte is not allowed",
               i + 1);
      return CLIENT_BAD_REQUEST;
    }
    if (!call_list_field(call, name, value)) return CLIENT_MEMORY;
  }
  return call_drop_defaults(call, request) ? CLIENT_DONE : CLIENT_MEMORY;
}

static CURLcode set_method(CURL *easy, const struct client_request *request) {
  bool has_body = request->body.p != NULL;
  const char *method = request->method ? request->method : has_body ? "POST" : "GET";
  CURLcode code = CURLE_OK;
  if (has_body || strcmp(method, "POST") == 0 || strcmp(method, "PUT") == 0) {
    code = curl_easy_setopt(easy, CURLOPT_POSTFIELDSIZE_LARGE, (curl_off_t)request->body.n);
    if (!code) code = curl_easy_setopt(easy, CURLOPT_POSTFIELDS, has_body ? request->body.p : "");
  } else if (strcmp(method, "HEAD") == 0) {
    code = curl_easy_setopt(easy, CURLOPT_NOBODY, 1L);
  }
  return code ? code : curl_easy_setopt(easy, CURLOPT_CUSTOMREQUEST, method);
}

static long timeout_of(int64_t given_ms, long default_ms) {
  if (given_ms <= 0) return default_ms;
  return given_ms > 86400000 ? 86400000L : (long)given_ms;
}

bool client_set_guards(void *easy) {
  static const struct {
    CURLoption option;
    long value;
  } numbers[] = {{CURLOPT_QUICK_EXIT, 1},
                 {CURLOPT_NOSIGNAL, 1},
                 {CURLOPT_FOLLOWLOCATION, 0},
                 {CURLOPT_HTTP09_ALLOWED, 0},
                 {CURLOPT_UNRESTRICTED_AUTH, 0},
                 {CURLOPT_DISALLOW_USERNAME_IN_URL, 1},
                 {CURLOPT_NETRC, CURL_NETRC_IGNORED},
                 {CURLOPT_HTTP_VERSION, CURL_HTTP_VERSION_1_1},
                 {CURLOPT_PATH_AS_IS, 1}};
  static const struct {
    CURLoption option;
    const char *value;
  } texts[] = {{CURLOPT_PROXY, ""},
               {CURLOPT_NOPROXY, "*"},
               {CURLOPT_PROTOCOLS_STR, "http,https"},
               {CURLOPT_REDIR_PROTOCOLS_STR, "http,https"},
               {CURLOPT_USERAGENT, "adit/" ADIT_VERSION}};
  CURLcode code = CURLE_OK;
  for (size_t i = 0; !code && i < sizeof(numbers) / sizeof(*numbers); i++) {
    code = curl_easy_setopt(easy, numbers[i].option, numbers[i].value);
  }
  for (size_t i = 0; !code && i < sizeof(texts) / sizeof(*texts); i++) {
    code = curl_easy_setopt(easy, texts[i].option, texts[i].value);
  }
  return code == CURLE_OK;
}

static CURLcode set_stop(CURL *easy, const atomic_bool *stop) {
  if (!stop) return CURLE_OK;
  CURLcode code = curl_easy_setopt(easy, CURLOPT_XFERINFOFUNCTION, call_is_stopped);
  if (!code) code = curl_easy_setopt(easy, CURLOPT_XFERINFODATA, stop);
  if (!code) code = curl_easy_setopt(easy, CURLOPT_NOPROGRESS, 0L);
  return code;
}

static CURLcode set_call(struct call *call, const struct client_request *request) {
  CURL *easy = call->easy;
  long connect_ms = timeout_of(request->connect_timeout_ms, CLIENT_CONNECT_TIMEOUT_MS);
  long whole_ms = timeout_of(request->timeout_ms, CLIENT_TIMEOUT_MS);
  CURLcode code = client_set_guards(easy) ? CURLE_OK : CURLE_OUT_OF_MEMORY;
  if (!code) code = set_method(easy, request);
  if (!code) code = curl_easy_setopt(easy, CURLOPT_URL, request->url);
  if (!code) code = curl_easy_setopt(easy, CURLOPT_HTTPHEADER, call->fields);
  if (!code) code = curl_easy_setopt(easy, CURLOPT_CONNECTTIMEOUT_MS, connect_ms);
  if (!code) code = curl_easy_setopt(easy, CURLOPT_TIMEOUT_MS, whole_ms);
  if (!code) code = curl_easy_setopt(easy, CURLOPT_ERRORBUFFER, call->error);
  if (!code) code = curl_easy_setopt(easy, CURLOPT_HEADERFUNCTION, call_take_head);
  if (!code) code = curl_easy_setopt(easy, CURLOPT_HEADERDATA, call);
  if (!code) code = curl_easy_setopt(easy, CURLOPT_WRITEFUNCTION, call_take_body);
  if (!code) code = curl_easy_setopt(easy, CURLOPT_WRITEDATA, call);
  if (!code) code = set_stop(easy, request->stop);
  return code;
}

static enum client_outcome call_outcome(const struct call *call, CURLcode code) {
  if (call->no_memory) return CLIENT_MEMORY;
  if (call->too_large) return CLIENT_TOO_LARGE;
  /* Not a switch over every CURLcode: their number grows with libcurl, and what is not the caller's
   * fault, the resolver's, the dial's or the clock's is the peer's. */
  if (code == CURLE_OK) return CLIENT_DONE;
  if (code == CURLE_OUT_OF_MEMORY) return CLIENT_MEMORY;
  if (code == CURLE_OPERATION_TIMEDOUT) return CLIENT_TIMEOUT;
  if (code == CURLE_ABORTED_BY_CALLBACK) return CLIENT_STOPPED;
  if (code == CURLE_COULDNT_CONNECT) return CLIENT_REFUSED;
  if (code == CURLE_COULDNT_RESOLVE_HOST) return CLIENT_UNRESOLVED;
  if (code == CURLE_URL_MALFORMAT || code == CURLE_LOGIN_DENIED) return CLIENT_BAD_REQUEST;
  return CLIENT_BROKEN;
}

/* One line: what libcurl said, or a text for what it does not know of. */
static void call_explain(const struct call *call, enum client_outcome outcome, CURLcode code) {
  const char *text = call->error[0] ? call->error : curl_easy_strerror(code);
  if (outcome == CLIENT_TOO_LARGE) text = "the answer is larger than its limit";
  if (outcome == CLIENT_MEMORY) text = "out of memory";
  snprintf(call->response->why, sizeof(call->response->why), "%s", text);
}

static enum client_outcome call_perform(struct call *call, const struct client_request *request,
                                        CURLcode *ret_code) {
  if (!has_known_scheme(str_from_cstr(request->url))) {
    snprintf(call->error, sizeof(call->error), "the URL begins neither with http:// nor https://");
    return CLIENT_BAD_REQUEST;
  }
  enum client_outcome outcome = call_list_fields(call, request);
  if (outcome != CLIENT_DONE) return outcome;
  call->easy = curl_easy_init();
  if (!call->easy) return CLIENT_MEMORY;
  *ret_code = set_call(call, request);
  if (*ret_code) {
    return *ret_code == CURLE_OUT_OF_MEMORY ? CLIENT_MEMORY : CLIENT_BAD_REQUEST;
  }
  *ret_code = curl_easy_perform(call->easy);
  outcome = call_outcome(call, *ret_code);
  if (outcome == CLIENT_DONE) {
    long status = 0;
    curl_easy_getinfo(call->easy, CURLINFO_RESPONSE_CODE, &status);
    call->response->status = (int)status;
  }
  return outcome;
}

enum client_outcome client_fetch(const struct client_request *request,
                                 struct client_response *ret) {
  struct call call = {.response = ret};
  call.body_limit_bytes =
      request->body_limit_bytes ? request->body_limit_bytes : CLIENT_BODY_LIMIT_BYTES;
  *ret = (struct client_response){0};
  text_init(&ret->head, CLIENT_HEAD_LIMIT_BYTES + 1);
  text_init(&ret->body, call.body_limit_bytes + 1);

  CURLcode code = CURLE_OK;
  enum client_outcome outcome = CLIENT_MEMORY;
  if (client_library_init()) outcome = call_perform(&call, request, &code);
  if (outcome != CLIENT_DONE) call_explain(&call, outcome, code);
  curl_easy_cleanup(call.easy);
  curl_slist_free_all(call.fields);
  return outcome;
}

bool client_response_field(const struct client_response *response, struct str name, size_t k,
                           struct str *ret) {
  struct str rest = text_str(&response->head);
  struct str line;
  while (rest.n && str_split_next(&rest, '\n', &line)) {
    if (line.n && line.p[line.n - 1] == '\r') line.n--;
    size_t colon = str_find_char(line, ':', 0);
    if (colon == line.n || !str_eq_nocase(str_take(line, colon), name)) continue;
    if (k-- > 0) continue;
    *ret = str_trim(str_skip(line, colon + 1));
    return true;
  }
  return false;
}

void client_response_deinit(struct client_response *response) {
  text_deinit(&response->head);
  text_deinit(&response->body);
}
