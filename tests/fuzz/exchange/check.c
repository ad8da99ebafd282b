/*
 * check: the lines of a run, read again by strict.c and compared.
 *
 *   asked      what each client has asked for, and what it was given
 *   fields     what a head that was sent on has kept, lost and gained
 *   sent       what each origin was sent, and by whom it was asked for
 *   copies     what a mirror was sent, and of what it is a copy
 *   answers    whether what a client was given is what its origin said
 */
#include "check.h"

#include <stdio.h>
#include <stdlib.h>

#include "heads.h"
#include "lane.h"
#include "strict.h"

enum { INTERIMS_MAX = 32, ATTEMPTS_MAX = 4, PRINTED_MAX = 1000 };
enum { RETRIED_STATUS = 503, COPIED_BYTES = 1024 }; /* as adit.json and rules.json have them */

/* A request's way to an origin. */
struct attempt {
  const struct line *line;
  unsigned ordinal; /* of the requests on that line */
  bool upgrade;     /* it offered another protocol */
  size_t in_before; /* bytes that the origin had said before it */
  struct str id;    /* X-Request-Id */
  bool may_fail;    /* its upstream has `retry` */
  size_t time;      /* of its first byte */
  struct str begun; /* what was sent, where it is less than a head */
};

/* A response as one side saw it. */
struct answer {
  enum strict_verdict verdict; /* of head and body: WHOLE, or PART: nothing or not all has come */
  bool begun;                  /* the final head is there */
  size_t n;                    /* bytes, interim responses included */
  int interims[INTERIMS_MAX];
  size_t interim_count;
  bool interim_framed; /* one of the interim heads speaks of a body */
  bool tunnel;         /* the head is a 101: what follows is not HTTP */
  struct strict_head head;
  struct strict_body body;
};

struct asked {
  size_t start; /* in what the client said */
  struct strict_head head;
  struct strict_body body;
  size_t answer_start, answer_end; /* in what the client was given */
  struct answer answer;
  unsigned attempt_count;
  struct attempt attempts[ATTEMPTS_MAX];
  unsigned copy_count;
  struct attempt copy; /* the last one */
};

/* RFC 6455 1.3. Other keys are not looked at. */
static const struct str SAMPLE_KEY = STR_INIT("dGhlIHNhbXBsZSBub25jZQ==");
static const struct str SAMPLE_ACCEPT = STR_INIT("s3pPLMBiTxaQ9kYGzzhZRbK+xOo=");

static struct visitor {
  struct asked *asked;
  size_t n, capacity;
} visitors[CLIENT_LINES_MAX];

/* Requests of which the origin saw only the beginning; it may have answered all the same. */
static struct attempt halves[ORIGIN_LINES_MAX];
static size_t half_count;

/* ---- failing --------------------------------------------------------------------------------- */

static void print_bytes(const char *arrow, struct str s) {
  fprintf(stderr, "  %s ", arrow);
  for (size_t i = 0; i < s.n; i++) {
    if (i == PRINTED_MAX) {
      fprintf(stderr, " and %zu more", s.n - i);
      break;
    }
    char c = s.p[i];
    if (c == '\n')
      fprintf(stderr, i + 1 < s.n ? "\\n\n    " : "\\n");
    else if (c == '\r')
      fprintf(stderr, "\\r");
    else if (c >= 0x20 && c < 0x7f)
      fputc(c, stderr);
    else
      fprintf(stderr, "\\x%02x", (unsigned char)c);
  }
  fprintf(stderr, "\n");
}

static void print_line(const struct line *line) {
  fprintf(stderr, "%s %u:%s%s%s%s%s%s\n", line->is_client ? "client" : "origin", line->number,
          line->in_ended ? " it ended" : "", line->in_reset ? " it reset" : "",
          line->read < line->in.n ? " unread" : "", line->out_ended ? " we ended" : "",
          line->out_reset ? " we reset" : "", line->closed ? "" : " open");
  print_bytes(">", bytes_str(&line->in));
  print_bytes("<", bytes_str(&line->out));
}

void check_print(void) {
  for (unsigned i = 0; i < kernel.client_count; i++) print_line(&kernel.clients[i]);
  for (unsigned i = 0; i < kernel.origin_count; i++) print_line(&kernel.origins[i]);
}

void check_failed(const struct line *line, const char *what) {
  check_print();
  fprintf(stderr, "VIOLATED: %s", what);
  if (line) fprintf(stderr, " (%s %u)", line->is_client ? "client" : "origin", line->number);
  fprintf(stderr, "\n");
  abort();
}

static void require(bool holds, const struct line *line, const char *what) {
  if (!holds) check_failed(line, what);
}

static void fail_if(const char *wrong, const struct line *line) {
  if (wrong) check_failed(line, wrong);
}

static bool starts_with(struct str s, struct str prefix) {
  return prefix.n == 0 || (s.n >= prefix.n && memcmp(s.p, prefix.p, prefix.n) == 0);
}

/* ---- asked ----------------------------------------------------------------------------------- */

static bool is_framed(const struct strict_head *head) {
  return strict_field_count(&head->fields, "Content-Length") +
             strict_field_count(&head->fields, "Transfer-Encoding") >
         0;
}

/* Interim responses and a final one, or a 101, at the start of `input`. */
static void read_answer(struct str input, struct str method, bool ended, struct answer *ret) {
  ret->verdict = STRICT_PART;
  ret->begun = ret->tunnel = ret->interim_framed = false;
  ret->n = ret->interim_count = 0;
  for (;;) {
    strict_read_response(str_skip(input, ret->n), method, &ret->head);
    if (ret->head.verdict != STRICT_WHOLE) {
      ret->verdict = ret->head.verdict;
      return;
    }
    ret->n += ret->head.n;
    if (ret->head.status >= 200) break;
    if (is_framed(&ret->head)) ret->interim_framed = true;
    ret->tunnel = ret->head.status == 101;
    if (ret->tunnel || ret->interim_count == INTERIMS_MAX) return;
    ret->interims[ret->interim_count++] = ret->head.status;
  }
  ret->begun = true;
  strict_read_body(&ret->head, str_skip(input, ret->n), ended, &ret->body);
  ret->verdict = ret->body.verdict;
  ret->n += ret->body.n;
}

static struct asked *new_asked(struct visitor *visitor) {
  if (visitor->n == visitor->capacity) {
    visitor->capacity = 2 * visitor->capacity + 4;
    visitor->asked = reallocarray(visitor->asked, visitor->capacity, sizeof(*visitor->asked));
    if (!visitor->asked) abort();
  }
  struct asked *asked = &visitor->asked[visitor->n++];
  asked->body = asked->answer.body = (struct strict_body){.data = STR("")};
  asked->attempt_count = asked->copy_count = 0;
  asked->answer_end = 0;
  asked->answer.verdict = STRICT_PART;
  asked->answer.begun = asked->answer.tunnel = false;
  asked->answer.interim_count = 0;
  return asked;
}

/* Up to the first that is not whole, or after which the connection ends. */
static void read_requests(const struct line *line, struct visitor *visitor) {
  struct str in = bytes_str(&line->in);
  size_t at = 0;
  visitor->n = 0;
  while (at < in.n) {
    struct asked *asked = new_asked(visitor);
    asked->start = at;
    strict_read_request(str_skip(in, at), &asked->head);
    if (asked->head.verdict != STRICT_WHOLE) return;
    at += asked->head.n;
    strict_read_body(&asked->head, str_skip(in, at), false, &asked->body);
    if (asked->body.verdict != STRICT_WHOLE || asked->head.close) return;
    at += asked->body.n;
  }
}

static void check_final_head(const struct line *line, const struct asked *asked) {
  const struct strict_head *head = &asked->answer.head;
  bool known = asked->head.verdict == STRICT_WHOLE;
  int minor = known ? asked->head.version_minor : 1;
  require(head->version_minor == 1, line, "a response of another version");
  require(head->status != 204 || !is_framed(head), line, "204 with framing");
  require(minor > 0 || strict_field_count(&head->fields, "Transfer-Encoding") == 0, line,
          "Transfer-Encoding to HTTP/1.0");
  require(head->framing != STRICT_UNTIL_CLOSE || minor == 0, line, "HTTP/1.1 without framing");
  require(head->framing != STRICT_UNTIL_CLOSE || head->close, line, "no framing, no close");
  require(head->close || (known && !asked->head.close), line, "the connection should end");
  require(head->close || asked->body.verdict == STRICT_WHOLE, line,
          "the connection goes on behind half a request");
}

/* The time of the move that carried byte `at`. */
static size_t time_of(const struct line *line, bool out, size_t at) {
  size_t time = 0;
  while (kernel.moves[time].line != line || kernel.moves[time].out != out ||
         kernel.moves[time].end <= at)
    time++;
  return time;
}

static void check_interims(const struct line *line, const struct asked *asked) {
  const struct answer *answer = &asked->answer;
  if (answer->interim_count == 0 && !answer->tunnel) return;
  require(!answer->interim_framed, line, "an interim response with framing");
  require(asked->head.verdict == STRICT_WHOLE && asked->head.version_minor > 0, line,
          "an interim response to HTTP/1.0");
}

/* What looked like further requests was something else. */
static void forget_from(struct visitor *visitor, size_t i) {
  for (size_t k = i; k < visitor->n; k++) strict_body_free(&visitor->asked[k].body);
  visitor->n = i;
}

static void read_responses(const struct line *line, struct visitor *visitor) {
  struct str out = bytes_str(&line->out);
  bool ended = line->out_ended && !line->out_reset;
  size_t at = 0;
  for (size_t i = 0; at < out.n; i++) {
    require(i < visitor->n, line, "a response that nobody asked for");
    struct asked *asked = &visitor->asked[i];
    struct answer *answer = &asked->answer;
    asked->answer_start = at;
    size_t said = kernel_bytes_before(line, false, time_of(line, true, at));
    require(said > asked->start, line, "a response before its request");
    /* A method can be known of a head that is not good, and of one that came too late it is not. */
    struct str method = asked->head.method;
    if (!method.p || method.p + method.n >= line->in.p + said) method = (struct str){0};
    read_answer(str_skip(out, at), method, ended, answer);
    require(answer->verdict != STRICT_BAD, line, "a malformed response");
    check_interims(line, asked);
    if (answer->begun) check_final_head(line, asked);
    if (answer->tunnel) forget_from(visitor, i + 1);
    if (answer->verdict != STRICT_WHOLE) return;
    at += answer->n;
    asked->answer_end = at;
    require(!answer->head.close || at == out.n, line, "bytes behind the last response");
  }
}

/* Whoever stays and listens is answered. */
static void check_answered(const struct line *line, const struct visitor *visitor) {
  if (line->in_ended || line->in_reset || line->excused) return;
  for (size_t i = 0; i < visitor->n; i++) {
    const struct asked *asked = &visitor->asked[i];
    if (line->read <= asked->start) return; /* it crossed the end of an idle connection */
    require(asked->answer.begun || asked->answer.tunnel, line, "a request was not answered");
    if (asked->answer.verdict != STRICT_WHOLE || asked->answer.head.close) return;
  }
}

/* ---- sent ------------------------------------------------------------------------------------ */

/* The client whose address stands last in X-Forwarded-For. */
static const struct line *who_asked(const struct line *line, const struct strict_head *head) {
  struct str chain = strict_field(&head->fields, "X-Forwarded-For");
  size_t last = chain.n;
  while (last > 0 && chain.p[last - 1] != ' ' && chain.p[last - 1] != ',') last--;
  struct ip_address ip;
  require(chain.p && ip_parse(str_skip(chain, last), &ip), line, "no X-Forwarded-For");
  for (unsigned i = 0; i < kernel.client_count; i++)
    if (ip_eq(&kernel.clients[i].peer, &ip)) return &kernel.clients[i];
  check_failed(line, "X-Forwarded-For names nobody");
}

static void check_request(const struct line *line, const struct asked *asked,
                          const struct strict_head *sent, const struct strict_body *body) {
  fail_if(heads_request_wrong(&asked->head, sent), line);
  require(body->verdict != STRICT_BAD, line, "a malformed body was sent");
  require(starts_with(asked->body.data, body->data), line, "another body");
  if (body->verdict != STRICT_WHOLE) return;
  require(asked->body.verdict == STRICT_WHOLE && asked->body.data.n == body->data.n, line,
          "half a body was sent as a whole");
  fail_if(heads_trailers_wrong(&asked->body.trailers, &body->trailers), line);
}

static bool is_idempotent(struct str method) {
  return str_eq(method, STR("GET")) || str_eq(method, STR("HEAD")) ||
         str_eq(method, STR("OPTIONS")) || str_eq(method, STR("TRACE")) ||
         str_eq(method, STR("PUT")) || str_eq(method, STR("DELETE"));
}

/* Where in `in` the response to one request of a line begins. */
static size_t response_start(const struct attempt *attempt) {
  return attempt->ordinal == 0 ? 0 : attempt->in_before;
}

/* What the upstream with `retry` (adit.json) had answered when the request was sent again. */
static void check_failed_try(const struct attempt *failed, struct str method, size_t time) {
  static struct answer said;
  const struct line *line = failed->line;
  const struct str read = str_take(bytes_str(&line->in), kernel_bytes_before(line, false, time));
  said.body.copy = (struct bytes){0};
  read_answer(str_skip(read, response_start(failed)), method, false, &said);
  require(!said.tunnel, line, "sent again: there was a tunnel");
  if (!said.begun) return;
  strict_body_free(&said.body);
  require(said.head.status == RETRIED_STATUS, line, "sent again: there was a good response");
}

/* Without `retry` once more at most; with it, adit.json's one attempt more, and then to stable. */
static void note_attempt(const struct line *line, struct asked *asked, struct attempt attempt) {
  require(asked->attempt_count < ATTEMPTS_MAX, line, "a request was sent too often");
  if (asked->attempt_count > 0) {
    const struct attempt *failed = &asked->attempts[asked->attempt_count - 1];
    require(is_idempotent(asked->head.method), line, "sent again: not idempotent");
    require(str_eq(failed->id, attempt.id), line, "sent again under another id");
    if (failed->may_fail) {
      check_failed_try(failed, asked->head.method, attempt.time);
    } else {
      require(!attempt.may_fail, line, "stable's request came back to a canary");
      require(asked->attempt_count == 1 || asked->attempts[asked->attempt_count - 2].may_fail, line,
              "a request was sent three times");
      require(failed->ordinal > 0, line, "sent again: the connection was new");
      require(failed->line->read <= failed->in_before, line, "sent again: there was a response");
    }
  }
  asked->attempts[asked->attempt_count++] = attempt;
}

/* How many responses a client had been given whole before a time. */
static size_t answers_before(const struct line *client, size_t time) {
  const struct visitor *visitor = &visitors[client->number];
  size_t given = kernel_bytes_before(client, true, time), i = 0;
  while (i < visitor->n && visitor->asked[i].answer_end > 0 &&
         visitor->asked[i].answer_end <= given)
    i++;
  return i;
}

static void read_origin_answer(const struct attempt *attempt, struct str method,
                               struct answer *ret) {
  const struct line *line = attempt->line;
  ret->body.copy = (struct bytes){0};
  read_answer(str_skip(bytes_str(&line->in), response_start(attempt)), method, line->in_ended, ret);
}

/* Where the next response on the line would begin; SIZE_MAX: there must be none. */
static size_t next_start(const struct attempt *attempt, struct str method) {
  static struct answer answer;
  read_origin_answer(attempt, method, &answer);
  bool reusable = answer.begun && answer.verdict == STRICT_WHOLE && !answer.head.close &&
                  answer.head.framing != STRICT_UNTIL_CLOSE;
  if (answer.begun) strict_body_free(&answer.body);
  return reusable ? response_start(attempt) + answer.n : SIZE_MAX;
}

static bool opens_tunnel(const struct attempt *attempt, struct str method) {
  static struct answer answer;
  read_origin_answer(attempt, method, &answer);
  if (answer.begun) strict_body_free(&answer.body);
  return answer.tunnel;
}

/* Lines of the mirror's upstream carry nothing else. */
static bool is_copy(const struct strict_head *head) {
  return strict_field_count(&head->fields, "X-Adit-Mirror") > 0;
}

/* The request of which `left` bytes of what was sent on the line begin. */
static struct attempt begin_attempt(const struct line *line, unsigned ordinal, size_t left) {
  const size_t time = time_of(line, true, line->out.n - left);
  return (struct attempt){.line = line,
                          .ordinal = ordinal,
                          .time = time,
                          .in_before = kernel_bytes_before(line, false, time)};
}

static void read_sent(const struct line *line) {
  static struct strict_head head;
  struct str out = bytes_str(&line->out);
  size_t next = 0;
  for (unsigned ordinal = 0; out.n > 0; ordinal++) {
    struct attempt attempt = begin_attempt(line, ordinal, out.n);
    require(ordinal == 0 || attempt.in_before == next, line,
            "a connection was used again that was not clean");
    strict_read_request(out, &head);
    require(head.verdict != STRICT_BAD && out.p[0] != '\r', line, "a malformed request");
    if (head.verdict != STRICT_WHOLE) {
      attempt.begun = out;
      halves[half_count++] = attempt;
      return;
    }
    if (is_copy(&head)) return;
    const struct line *client = who_asked(line, &head);
    size_t index = answers_before(client, attempt.time);
    require(index < visitors[client->number].n, line, "a request that nobody sent");
    struct asked *asked = &visitors[client->number].asked[index];
    struct strict_body body;
    strict_read_body(&head, str_skip(out, head.n), false, &body);
    check_request(line, asked, &head, &body);
    attempt.id = strict_field(&head.fields, "X-Request-Id");
    const struct str variant = strict_field(&head.fields, "X-Adit-Variant");
    attempt.may_fail = variant.p && str_eq(variant, STR("again"));
    attempt.upgrade = strict_field_count(&head.fields, "Upgrade") > 0;
    note_attempt(line, asked, attempt);
    out = str_skip(out, head.n + body.n);
    bool goes_on = body.verdict == STRICT_WHOLE && !head.close;
    next = goes_on ? next_start(&attempt, head.method) : SIZE_MAX;
    strict_body_free(&body);
    if (body.verdict != STRICT_WHOLE) return;
    if (attempt.upgrade && opens_tunnel(&attempt, head.method)) {
      struct str tunnel = str_skip(bytes_str(&client->in), asked->start + asked->head.n);
      require(starts_with(tunnel, out), line, "other bytes in the tunnel");
      return;
    }
  }
}

/* ---- copies ---------------------------------------------------------------------------------- */

/* The request that was sent under this id before. */
static struct asked *find_original(const struct line *line, struct str id, size_t time) {
  for (unsigned i = 0; id.p && i < kernel.client_count; i++) {
    for (size_t k = 0; k < visitors[i].n; k++) {
      struct asked *asked = &visitors[i].asked[k];
      const struct attempt *first = &asked->attempts[0];
      if (asked->attempt_count > 0 && first->id.p && str_eq(first->id, id) && first->time < time)
        return asked;
    }
  }
  check_failed(line, "a copy of nothing");
}

/* Once; once more where a connection turned out to be closed, as any request. */
static void note_copy(const struct line *line, struct asked *asked, struct attempt copy) {
  const struct attempt *failed = &asked->copy;
  if (asked->copy_count++ > 0) {
    require(asked->copy_count == 2 && is_idempotent(asked->head.method), line, "copied twice");
    require(failed->ordinal > 0 && failed->line->read <= failed->in_before, line,
            "copied again: there was a response, or the connection was new");
  }
  asked->copy = copy;
}

static void check_copy(const struct line *line, const struct asked *asked,
                       const struct strict_head *sent, const struct strict_body *body) {
  require(asked->body.verdict == STRICT_WHOLE, line, "a copy of half a request");
  require(asked->body.data.n <= COPIED_BYTES, line, "a copy of a large request");
  require(str_eq(sent->method, asked->head.method), line, "a copy by another method");
  require(body->verdict != STRICT_BAD && body->trailers.n == 0, line, "a malformed copy");
  require(starts_with(asked->body.data, body->data), line, "a copy of another body");
  require(body->verdict != STRICT_WHOLE || body->data.n == asked->body.data.n, line,
          "a copy of half a body");
  fail_if(heads_copy_wrong(&asked->head, sent), line);
}

static void read_copies(const struct line *line) {
  static struct strict_head head;
  struct str out = bytes_str(&line->out);
  size_t next = 0;
  for (unsigned ordinal = 0; out.n > 0; ordinal++) {
    const struct attempt copy = begin_attempt(line, ordinal, out.n);
    strict_read_request(out, &head);
    if (head.verdict != STRICT_WHOLE || (ordinal == 0 && !is_copy(&head))) return;
    require(is_copy(&head), line, "a request among copies");
    require(ordinal == 0 || copy.in_before == next, line,
            "a connection of copies was used again that was not clean");
    struct asked *asked =
        find_original(line, strict_field(&head.fields, "X-Request-Id"), copy.time);
    struct strict_body body;
    strict_read_body(&head, str_skip(out, head.n), false, &body);
    check_copy(line, asked, &head, &body);
    note_copy(line, asked, copy);
    out = str_skip(out, head.n + body.n);
    next = body.verdict == STRICT_WHOLE && !head.close ? next_start(&copy, head.method) : SIZE_MAX;
    strict_body_free(&body);
    if (body.verdict != STRICT_WHOLE) return;
  }
}

/* ---- answers --------------------------------------------------------------------------------- */

/* A TRACE that goes no further comes back, without what is secret. */
static bool is_own_trace(const struct asked *asked) {
  const struct answer *answer = &asked->answer;
  struct str type = strict_field(&answer->head.fields, "Content-Type");
  return str_eq(asked->head.method, STR("TRACE")) && asked->attempt_count == 0 &&
         answer->head.status == 200 && type.p && str_eq(type, STR("message/http")) &&
         !str_contains_nocase(answer->body.data, STR("\r\nCookie:")) &&
         !str_contains_nocase(answer->body.data, STR("\r\nAuthorization:")) &&
         !str_contains_nocase(answer->body.data, STR("\r\nX-Canary-Token:"));
}

/* An answer of the gateway's own. */
static bool is_own(const struct asked *asked) {
  static const int statuses[] = {400, 404, 405, 408, 413, 414, 417,
                                 421, 431, 501, 502, 503, 504, 505};
  const struct answer *answer = &asked->answer;
  struct str type = strict_field(&answer->head.fields, "Content-Type");
  struct str caching = strict_field(&answer->head.fields, "Cache-Control");
  bool known = answer->head.status == 200 && str_eq(asked->head.method, STR("OPTIONS"));
  for (size_t i = 0; i < sizeof(statuses) / sizeof(*statuses); i++)
    known = known || statuses[i] == answer->head.status;
  return is_own_trace(asked) ||
         (known && type.p && str_eq(type, STR("text/plain; charset=utf-8")) && caching.p &&
          str_eq(caching, STR("no-store")) &&
          starts_with(STR("adit: "), str_take(answer->body.data, 6)));
}

/* Why what the client was given is not what was said, or the beginning of it. */
static const char *answer_wrong(const struct asked *asked, const struct answer *said) {
  const struct answer *given = &asked->answer;
  if (given->interim_count > said->interim_count) return "an interim response from nowhere";
  for (size_t i = 0; i < given->interim_count; i++)
    if (given->interims[i] != said->interims[i]) return "another interim response";
  if (!given->begun || is_own(asked)) return NULL;
  if (!said->begun) return "a response from nowhere";
  const char *wrong = heads_response_wrong(&said->head, &given->head);
  if (wrong) return wrong;
  if (!starts_with(said->body.data, given->body.data)) return "another body";
  if (given->verdict != STRICT_WHOLE) return NULL;
  if (said->verdict != STRICT_WHOLE || given->body.data.n != said->body.data.n)
    return "half a body was given as a whole";
  if (given->body.trailers.n > 0 && !heads_nominate(&asked->head, "TE"))
    return "trailers that the client did not want";
  return heads_trailers_wrong(&said->body.trailers, &given->body.trailers);
}

/* A 101 of the origin's that accepts what the client has offered; then its bytes. */
static const char *tunnel_wrong(const struct line *line, const struct asked *asked,
                                const struct attempt *attempt, const struct answer *said) {
  const struct answer *given = &asked->answer;
  if (!attempt->upgrade || !said->tunnel) return "a tunnel that the origin did not open";
  struct str chosen = strict_field(&said->head.fields, "Upgrade");
  if (!chosen.p || !strict_list_has(&asked->head.fields, "Upgrade", chosen) ||
      !heads_nominate(&said->head, "Upgrade"))
    return "a tunnel of another protocol";
  bool sample = str_eq_nocase(chosen, STR("websocket")) &&
                strict_list_has(&asked->head.fields, "Sec-WebSocket-Key", SAMPLE_KEY);
  if (sample && !strict_list_has(&said->head.fields, "Sec-WebSocket-Accept", SAMPLE_ACCEPT))
    return "a tunnel whose key was not answered";
  if (!heads_nominate(&given->head, "Upgrade")) return "a 101 that does not say to what";
  const char *wrong = heads_response_wrong(&said->head, &given->head);
  if (wrong) return wrong;
  size_t start = response_start(attempt) + said->n;
  struct str came = str_skip(bytes_str(&attempt->line->in), start);
  struct str out = str_skip(bytes_str(&line->out), asked->answer_start + given->n);
  return starts_with(came, out) ? NULL : "other bytes in the tunnel";
}

/* Why the answer is not the one to this attempt. */
static const char *attempt_wrong(const struct line *line, const struct asked *asked,
                                 const struct attempt *attempt) {
  static struct answer said;
  read_origin_answer(attempt, asked->head.method, &said);
  const char *wrong = answer_wrong(asked, &said);
  if (!wrong && asked->answer.tunnel) wrong = tunnel_wrong(line, asked, attempt, &said);
  if (said.begun) strict_body_free(&said.body);
  return wrong;
}

/* Whether it answers half a request that only this one can have been; no other then does. */
static bool is_of_half(const struct line *line, const struct asked *asked) {
  struct str method = asked->head.method;
  if (asked->head.verdict != STRICT_WHOLE) return false;
  for (size_t i = 0; i < half_count; i++) {
    if (!starts_with(method, str_take(halves[i].begun, method.n))) continue;
    if (attempt_wrong(line, asked, &halves[i])) continue;
    halves[i] = halves[--half_count];
    return true;
  }
  return false;
}

static void check_answer(const struct line *line, const struct asked *asked) {
  const struct answer *given = &asked->answer;
  if (given->interim_count == 0 && !given->tunnel && (!given->begun || is_own(asked))) return;
  const char *wrong = "a response from nowhere";
  if (asked->attempt_count > 0)
    wrong = attempt_wrong(line, asked, &asked->attempts[asked->attempt_count - 1]);
  if (wrong && !is_of_half(line, asked)) check_failed(line, wrong);
}

/* A line for each request that was answered, and none for what nobody asked. */
static void check_log(void) {
  size_t asked = 0, answered = 0;
  for (unsigned i = 0; i < kernel.client_count; i++) {
    const struct visitor *visitor = &visitors[i];
    asked += visitor->n;
    for (size_t k = 0; k < visitor->n; k++)
      answered += visitor->asked[k].answer.begun || visitor->asked[k].answer.tunnel;
  }
  require(lane_lines() <= asked, NULL, "more lines in the log than requests");
  require(lane_answered() >= answered, NULL, "an answer without its line in the log");
}

void check_lines(void) {
  half_count = 0;
  for (unsigned i = 0; i < kernel.client_count; i++) {
    read_requests(&kernel.clients[i], &visitors[i]);
    read_responses(&kernel.clients[i], &visitors[i]);
    check_answered(&kernel.clients[i], &visitors[i]);
  }
  for (unsigned i = 0; i < kernel.origin_count; i++) read_sent(&kernel.origins[i]);
  for (unsigned i = 0; i < kernel.origin_count; i++) read_copies(&kernel.origins[i]);
  check_log();
  for (unsigned i = 0; i < kernel.client_count; i++) {
    struct visitor *visitor = &visitors[i];
    for (size_t k = 0; k < visitor->n; k++) {
      check_answer(&kernel.clients[i], &visitor->asked[k]);
      strict_body_free(&visitor->asked[k].body);
      strict_body_free(&visitor->asked[k].answer.body);
    }
  }
}
